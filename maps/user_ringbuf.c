/* SPDX-License-Identifier: MIT */
/*
 * BPF_MAP_TYPE_USER_RINGBUF: samples from user mode, which maps the producer's position and the
 * data for writing and the consumer's position for reading.
 *
 * So position, lengths and contents may be anything, and may change while they are looked at. Each
 * is read once, checked against what the ring can hold, and not looked at again; the consumer's own
 * position is kept where user mode does not reach. Linux maps the data twice, so that a sample may
 * run over the end; where the kernel here has it only once, such a sample is copied together. It is
 * the library's then: what a program writes into it user mode does not see.
 */
#include "maps/user_ringbuf.h"

#include "maps/keyless.h"
#include "maps/ringbuf.h"
#include "maps/value.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"

#define HEADER sizeof(struct ebpf_ringbuf_header)
#define FLAG_BITS (BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT)
#define MAX_SAMPLES (128u * 1024)   /* Linux: BPF_MAX_USER_RINGBUF_SAMPLES */
#define MAX_SAMPLE ((1u << 24) - 1) /* Linux: DYNPTR_MAX_SIZE, what a dynptr can describe */
#define WAKEUP_FLAGS (BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP)

/* ---- the consumer -------------------------------------------------------------------------- */

struct sample {
    void *data;
    uint32_t size;
    uint64_t end; /* the position behind it */
};

static void consume(struct ebpf_ringbuf *ring, uint64_t end)
{
    ring->consumed = end;
    __atomic_store_n(ring->consumer_pos, end, __ATOMIC_RELEASE);
}

/* The bytes from a place in the ring, in a row. */
static void *linear(struct ebpf_ringbuf *ring, uint64_t at, uint32_t size)
{
    uint64_t rest = ring->size - at;

    if (size <= rest)
        return ring->data + at;
    ebpf_value_copy(ring->linear, ring->data + at, (size_t)rest);
    ebpf_value_copy(ring->linear + rest, ring->data, (size_t)(size - rest));
    return ring->linear;
}

/* The next sample: 0, -ENODATA (none yet), -EAGAIN (one to be skipped, and it is), -EINVAL,
 * -E2BIG. */
static int peek(struct ebpf_ringbuf *ring, struct sample *out)
{
    uint64_t produced = __atomic_load_n(ring->producer_pos, __ATOMIC_ACQUIRE), total;
    uint32_t word, len;

    if (produced % 8)
        return -EINVAL;
    if (ring->consumed >= produced)
        return -ENODATA;
    word = __atomic_load_n((uint32_t *)(void *)(ring->data + (ring->consumed & (ring->size - 1))),
                           __ATOMIC_ACQUIRE);
    len = word & ~FLAG_BITS;
    total = EBPF_ROUND_UP((uint64_t)len + HEADER, 8);
    if (total > produced - ring->consumed)
        return -EINVAL;
    if (total > ring->size || len > MAX_SAMPLE)
        return -E2BIG;
    if (word & BPF_RINGBUF_DISCARD_BIT) {
        consume(ring, ring->consumed + total);
        return -EAGAIN;
    }
    if (word & BPF_RINGBUF_BUSY_BIT)
        return -ENODATA;
    out->data = linear(ring, (ring->consumed + HEADER) & (ring->size - 1), len);
    out->size = len;
    out->end = ring->consumed + total;
    return 0;
}

/* Returns how many samples there were, or -E*; *any: something was consumed. */
static int64_t drain(struct ebpf_ringbuf *ring,
                     uint64_t (*fn)(void *ctx, void *sample, uint32_t size), void *ctx, bool *any)
{
    int64_t count = 0;
    uint64_t stop = 0;

    for (uint32_t i = 0; i < MAX_SAMPLES && !stop; i++) {
        struct sample sample;
        int err = peek(ring, &sample);

        if (err == -ENODATA)
            break;
        if (err && err != -EAGAIN)
            return err;
        *any = true;
        if (err)
            continue;
        stop = fn(ctx, sample.data, sample.size);
        consume(ring, sample.end);
        count++;
    }
    return count;
}

int64_t ebpf_user_ringbuf_drain(struct ebpf_map *map,
                                uint64_t (*fn)(void *ctx, void *sample, uint32_t size), void *ctx,
                                uint64_t flags)
{
    struct ebpf_ringbuf *ring = ebpf_ringbuf_of(map);
    bool any = false;
    int64_t ret;

    if (map->type != BPF_MAP_TYPE_USER_RINGBUF || flags & ~(uint64_t)WAKEUP_FLAGS)
        return -EINVAL;
    if (__atomic_exchange_n(&ring->draining, 1, __ATOMIC_ACQUIRE))
        return -EBUSY;
    ret = drain(ring, fn, ctx, &any);
    __atomic_store_n(&ring->draining, 0, __ATOMIC_RELEASE);
    if (flags & BPF_RB_FORCE_WAKEUP || (any && !(flags & BPF_RB_NO_WAKEUP)))
        ebpf_os_wake(&map->obj);
    return ret;
}

/* ---- a producer in the kernel -------------------------------------------------------------- */

int ebpf_user_ringbuf_post(struct ebpf_map *map, const void *data, uint32_t size)
{
    struct ebpf_ringbuf *ring = ebpf_ringbuf_of(map);
    uint64_t total = EBPF_ROUND_UP((uint64_t)size + HEADER, 8), at, used;

    if (map->type != BPF_MAP_TYPE_USER_RINGBUF)
        return -EINVAL;
    if (total > ring->size || size > MAX_SAMPLE)
        return -E2BIG;
    at = __atomic_load_n(ring->producer_pos, __ATOMIC_RELAXED);
    used = at - __atomic_load_n(ring->consumer_pos, __ATOMIC_ACQUIRE);
    if (at % 8 || used > ring->size)
        return -EINVAL;
    if (total > ring->size - used)
        return -ENOSPC;
    *(uint64_t *)(void *)(ring->data + (at & (ring->size - 1))) = size;
    for (uint32_t i = 0; i < size; i++)
        ring->data[(at + HEADER + i) & (ring->size - 1)] = ((const uint8_t *)data)[i];
    __atomic_store_n(ring->producer_pos, at + total, __ATOMIC_RELEASE);
    return 0;
}

/* ---- the type ------------------------------------------------------------------------------ */

static int user_ringbuf_alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out)
{
    int err = ebpf_ringbuf_alloc(spec, out);

    if (err)
        return err;
    ebpf_ringbuf_of(*out)->linear = ebpf_alloc(spec->max_entries);
    if (ebpf_ringbuf_of(*out)->linear)
        return 0;
    ebpf_ringbuf_free(*out);
    return -ENOMEM;
}

static void user_ringbuf_free(struct ebpf_map *map)
{
    ebpf_free(ebpf_ringbuf_of(map)->linear, (size_t)ebpf_ringbuf_of(map)->size);
    ebpf_ringbuf_free(map);
}

/* The consumer's position is the kernel's. */
static int user_ringbuf_mmap(const struct ebpf_map *map, uint64_t offset, size_t size, bool write)
{
    if (write && !offset)
        return -EPERM;
    return offset + size > 2 * EBPF_RINGBUF_PAGE + 2 * (uint64_t)map->max_entries ? -EINVAL : 0;
}

static uint32_t user_ringbuf_poll(struct ebpf_map *map)
{
    const struct ebpf_ringbuf *ring = ebpf_ringbuf_of(map);
    uint64_t consumed = __atomic_load_n(ring->consumer_pos, __ATOMIC_ACQUIRE);
    uint64_t produced = __atomic_load_n(ring->producer_pos, __ATOMIC_ACQUIRE);

    return produced - consumed < ring->size ? EBPF_POLLOUT : 0;
}

const struct ebpf_map_ops ebpf_map_user_ringbuf_ops = {
    .name = "user_ringbuf",
    .flags = BPF_F_NUMA_NODE,
    .inner = true,
    .check = ebpf_ringbuf_check,
    .alloc = user_ringbuf_alloc,
    .free = user_ringbuf_free,
    .lookup = ebpf_no_lookup,
    .update = ebpf_unsupported_update,
    .remove = ebpf_unsupported_remove,
    .lookup_copy = ebpf_unsupported_copy,
    .update_copy = ebpf_unsupported_update,
    .next_key = ebpf_unsupported_copy,
    .mmap = user_ringbuf_mmap,
    .page = ebpf_ringbuf_page,
    .poll = user_ringbuf_poll,
    .own_helpers = true,
};
