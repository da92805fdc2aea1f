/* SPDX-License-Identifier: MIT */
/*
 * BPF_MAP_TYPE_RINGBUF: records of any length from programs on all harts to one consumer, in the
 * order in which they were reserved.
 *
 * A record is reserved under the map's lock, filled by the program where it lies, and committed
 * without a lock by clearing its busy bit; the consumer stops at the first busy one. Interrupts
 * are off while programs run, and nothing outside of this file is called with the lock held, so
 * that a hart does not meet itself there; if it ever did, it would give up (ebpf_spin_try()).
 * Linux maps the data twice, one behind the other, so that a record may run over the end. The
 * kernel here may have no page tables: a record that would do so begins at the start instead, and
 * a discarded record fills the rest, which Linux's consumers skip. So a record is certain to fit
 * an empty ring only if it takes less than half of it.
 *
 * The consumer's position is written by user mode, so it is not believed: it only decides whether
 * there is room, and where the kernel writes follows from its own numbers. What is not committed is
 * never overwritten, whatever the consumer says (pending).
 */
#include "maps/ringbuf.h"

#include "maps/keyless.h"
#include "maps/spin_lock.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"

#define HEADER sizeof(struct ebpf_ringbuf_header)
#define FLAG_BITS (BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT)
#define MAX_RECORD (UINT32_MAX / 4) /* Linux: RINGBUF_MAX_RECORD_SZ */

static struct ebpf_ringbuf_header *header_at(const struct ebpf_ringbuf *ring, uint64_t pos)
{
    return (struct ebpf_ringbuf_header *)(void *)(ring->data + (pos & (ring->size - 1)));
}

/* Bytes of a record of len bytes of data, with its header. */
static uint64_t with_header(uint64_t len)
{
    return EBPF_ROUND_UP(len + HEADER, 8);
}

/* The same from what a header says. */
static uint64_t record_size(uint32_t len)
{
    return with_header(len & ~FLAG_BITS);
}

/* ---- producers ----------------------------------------------------------------------------- */

static void put_header(struct ebpf_ringbuf_header *header, const struct ebpf_ringbuf *ring,
                       uint32_t len)
{
    header->page_off = (uint32_t)(((uintptr_t)header - (uintptr_t)ring) / EBPF_RINGBUF_PAGE);
    ebpf_store_relaxed(&header->len, len);
}

/* Where the records begin that are not all committed, or have not been looked at. */
static uint64_t advance_pending(struct ebpf_ringbuf *ring)
{
    uint64_t pending = ring->pending;

    while (pending < ring->produced) {
        uint32_t len = __atomic_load_n(&header_at(ring, pending)->len, __ATOMIC_ACQUIRE);

        if (len & BPF_RINGBUF_BUSY_BIT)
            break;
        pending += record_size(len);
    }
    ring->pending = pending;
    return pending;
}

static struct ebpf_ringbuf_header *reserve_locked(struct ebpf_ringbuf *ring, uint64_t len)
{
    uint64_t consumed = __atomic_load_n(ring->consumer_pos, __ATOMIC_ACQUIRE);
    uint64_t pending = advance_pending(ring), need = with_header(len), at = ring->produced, end;
    struct ebpf_ringbuf_header *header = header_at(ring, at);
    uint64_t rest = ring->size - (at & (ring->size - 1));

    end = at + need;
    if (__builtin_expect(need > rest, 0)) /* the rest is a discarded record */
        end += rest;
    if (end - consumed >= ring->size || end - pending >= ring->size)
        return NULL;
    if (__builtin_expect(need > rest, 0)) {
        put_header(header, ring, (uint32_t)(rest - HEADER) | BPF_RINGBUF_DISCARD_BIT);
        header = (struct ebpf_ringbuf_header *)(void *)ring->data;
    }
    put_header(header, ring, (uint32_t)len | BPF_RINGBUF_BUSY_BIT);
    ring->produced = end;
    ebpf_store_release(ring->producer_pos, end);
    return header;
}

void *ebpf_ringbuf_reserve(struct ebpf_map *map, uint64_t size, uint64_t flags)
{
    struct ebpf_ringbuf *ring = ebpf_ringbuf_of(map);
    struct ebpf_ringbuf_header *header;

    if (size > ring->max_record || flags || !ebpf_spin_try(&ring->lock))
        return NULL;
    header = reserve_locked(ring, size);
    ebpf_spin_unlock(&ring->lock);
    return header ? header + 1 : NULL;
}

uint64_t ebpf_ringbuf_commit(void *record, uint64_t flags, uint32_t how)
{
    struct ebpf_ringbuf_header *header = (struct ebpf_ringbuf_header *)record - 1;
    uintptr_t page = (uintptr_t)header & ~(uintptr_t)(EBPF_RINGBUF_PAGE - 1);
    struct ebpf_ringbuf *ring =
        (struct ebpf_ringbuf *)(page - (uintptr_t)header->page_off * EBPF_RINGBUF_PAGE);
    uint64_t at = (uint64_t)((uint8_t *)header - ring->data), consumed;

    /* the store and the load stay in this order, so that either the consumer sees the record or
     * this sees that the consumer has come to it */
    ebpf_store_release(&header->len, (header->len & ~BPF_RINGBUF_BUSY_BIT) | how);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    consumed = __atomic_load_n(ring->consumer_pos, __ATOMIC_RELAXED) & (ring->size - 1);
    if (__builtin_expect(
            flags & BPF_RB_FORCE_WAKEUP || (consumed == at && !(flags & BPF_RB_NO_WAKEUP)), 0))
        ebpf_os_wake(&ring->map.obj);
    return 0;
}

uint64_t ebpf_ringbuf_query(struct ebpf_map *map, uint64_t what)
{
    const struct ebpf_ringbuf *ring = ebpf_ringbuf_of(map);
    uint64_t consumed = __atomic_load_n(ring->consumer_pos, __ATOMIC_ACQUIRE);
    uint64_t produced = __atomic_load_n(ring->producer_pos, __ATOMIC_ACQUIRE);

    switch (what) {
    case BPF_RB_AVAIL_DATA:
        return produced - consumed;
    case BPF_RB_RING_SIZE:
        return ring->size;
    case BPF_RB_CONS_POS:
        return consumed;
    case BPF_RB_PROD_POS:
        return produced;
    default:
        return 0;
    }
}

/* ---- the consumer in the kernel ------------------------------------------------------------ */

int ebpf_ringbuf_consume(struct ebpf_map *map, int (*fn)(void *ctx, void *data, size_t size),
                         void *ctx)
{
    struct ebpf_ringbuf *ring = ebpf_ringbuf_of(map);
    uint64_t at, produced;
    int count = 0, err = 0;

    if (map->type != BPF_MAP_TYPE_RINGBUF)
        return -EINVAL;
    at = __atomic_load_n(ring->consumer_pos, __ATOMIC_RELAXED);
    produced = __atomic_load_n(ring->producer_pos, __ATOMIC_ACQUIRE);
    if (at % 8 || produced - at > ring->size) /* user mode wrote nonsense */
        return -EINVAL;
    while (!err && at < produced && count < INT32_MAX) {
        uint32_t len = __atomic_load_n(&header_at(ring, at)->len, __ATOMIC_ACQUIRE);
        uint64_t size = record_size(len);

        if (len & BPF_RINGBUF_BUSY_BIT)
            break;
        /* a position in the middle of a record finds any number for a length */
        if (size > produced - at || (at & (ring->size - 1)) + size > ring->size)
            return -EINVAL;
        if (!(len & BPF_RINGBUF_DISCARD_BIT)) {
            err = fn(ctx, header_at(ring, at) + 1, len);
            count++;
        }
        at += size;
        __atomic_store_n(ring->consumer_pos, at, __ATOMIC_SEQ_CST);
        produced = __atomic_load_n(ring->producer_pos, __ATOMIC_SEQ_CST);
    }
    return err < 0 ? err : count;
}

/* ---- the type ------------------------------------------------------------------------------ */

int ebpf_ringbuf_check(const struct ebpf_map_spec *spec)
{
    if (spec->key_size || spec->value_size || !spec->max_entries ||
        spec->max_entries & (spec->max_entries - 1) || spec->max_entries % EBPF_RINGBUF_PAGE)
        return -EINVAL;
    return 0;
}

int ebpf_ringbuf_alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out)
{
    size_t page = EBPF_RINGBUF_PAGE, consumer = EBPF_ROUND_UP(sizeof(struct ebpf_ringbuf), page);
    size_t bytes = page + consumer + 2 * page + spec->max_entries;
    void *block = ebpf_zalloc(bytes); /* user mode may see all of the ring */
    struct ebpf_ringbuf *ring;
    uint8_t *base;

    if (!block)
        return -ENOMEM;
    base = (uint8_t *)EBPF_ROUND_UP((uintptr_t)block, (uintptr_t)page);
    ring = (struct ebpf_ringbuf *)(void *)base;
    ring->block = block;
    ring->bytes = bytes;
    ring->size = spec->max_entries;
    ring->max_record = ring->size - HEADER < MAX_RECORD ? ring->size - HEADER : MAX_RECORD;
    ring->consumer_pos = (uint64_t *)(void *)(base + consumer);
    ring->producer_pos = (uint64_t *)(void *)(base + consumer + page);
    ring->data = base + consumer + 2 * page;
    *out = &ring->map;
    return 0;
}

void ebpf_ringbuf_free(struct ebpf_map *map)
{
    ebpf_free(ebpf_ringbuf_of(map)->block, ebpf_ringbuf_of(map)->bytes);
}

/* ---- mmap(2), poll(2) ---------------------------------------------------------------------- */

/* The consumer's position alone may be written. The data is there twice in a row, so that user mode
 * reads a record over the end as if there were none (Linux's records run over it; ours do not). */
static int ringbuf_mmap(const struct ebpf_map *map, uint64_t offset, size_t size, bool write)
{
    uint64_t pages = 2 * EBPF_RINGBUF_PAGE + 2 * (uint64_t)map->max_entries;

    if (write && (offset || size != EBPF_RINGBUF_PAGE))
        return -EPERM;
    return offset + size > pages ? -EINVAL : 0;
}

void *ebpf_ringbuf_page(struct ebpf_map *map, uint64_t offset)
{
    const struct ebpf_ringbuf *ring = ebpf_ringbuf_of(map);

    if (offset < EBPF_RINGBUF_PAGE)
        return ring->consumer_pos;
    if (offset < 2 * EBPF_RINGBUF_PAGE)
        return ring->producer_pos;
    return ring->data + ((offset - 2 * EBPF_RINGBUF_PAGE) & (ring->size - 1));
}

static uint32_t ringbuf_poll(struct ebpf_map *map)
{
    return ebpf_ringbuf_query(map, BPF_RB_AVAIL_DATA) ? EBPF_POLLIN : 0;
}

const struct ebpf_map_ops ebpf_map_ringbuf_ops = {
    .name = "ringbuf",
    .flags = BPF_F_NUMA_NODE,
    .inner = true,
    .check = ebpf_ringbuf_check,
    .alloc = ebpf_ringbuf_alloc,
    .free = ebpf_ringbuf_free,
    .lookup = ebpf_no_lookup,
    .update = ebpf_unsupported_update,
    .remove = ebpf_unsupported_remove,
    .lookup_copy = ebpf_unsupported_copy,
    .update_copy = ebpf_unsupported_update,
    .next_key = ebpf_unsupported_copy,
    .mmap = ringbuf_mmap,
    .page = ebpf_ringbuf_page,
    .poll = ringbuf_poll,
    .own_helpers = true,
};
