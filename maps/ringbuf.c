/* SPDX-License-Identifier: MIT */
/*
 * BPF_MAP_TYPE_RINGBUF: records of any length from programs on all harts to one consumer, in the
 * order in which they were reserved.
 *
 * A record is reserved under the map's lock, filled by the program where it lies, and committed
 * without a lock by clearing its busy bit; the consumer stops at the first busy one. Linux maps the
 * data twice, one behind the other, so that a record may run over the end. The kernel here may have
 * no page tables: a record that would do so begins at the start instead, and a discarded record
 * fills the rest, which Linux's consumers skip. So a record is certain to fit an empty ring only if
 * it takes less than half of it.
 *
 * The consumer's position is written by user mode, so it is not believed: it only decides whether
 * there is room, and where the kernel writes follows from its own numbers. What is not committed is
 * never overwritten, whatever the consumer says (pending).
 */
#include "maps/ringbuf.h"

#include "maps/keyless.h"
#include "maps/value.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"

#define HEADER sizeof(struct ebpf_ringbuf_header)
#define FLAG_BITS (BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT)
#define MAX_RECORD (UINT32_MAX / 4) /* Linux: RINGBUF_MAX_RECORD_SZ */

static struct ebpf_ringbuf_header *header_at(const struct ebpf_ringbuf *ring, uint64_t pos)
{
    return (struct ebpf_ringbuf_header *)(void *)(ring->data + (pos & (ring->size - 1)));
}

/* Bytes of a record with its header. */
static uint64_t record_size(uint32_t len)
{
    return EBPF_ROUND_UP((uint64_t)(len & ~FLAG_BITS) + HEADER, 8);
}

/* ---- producers ----------------------------------------------------------------------------- */

static void put_header(const struct ebpf_ringbuf *ring, uint64_t pos, uint32_t len)
{
    struct ebpf_ringbuf_header *header = header_at(ring, pos);
    uintptr_t off = (uintptr_t)header - (uintptr_t)ring;

    header->page_off = (uint32_t)(off / EBPF_RINGBUF_PAGE);
    __atomic_store_n(&header->len, len, __ATOMIC_RELAXED);
}

static void advance_pending(struct ebpf_ringbuf *ring)
{
    while (ring->pending < ring->produced) {
        uint32_t len = __atomic_load_n(&header_at(ring, ring->pending)->len, __ATOMIC_ACQUIRE);

        if (len & BPF_RINGBUF_BUSY_BIT)
            return;
        ring->pending += record_size(len);
    }
}

static void *reserve_locked(struct ebpf_ringbuf *ring, uint32_t len)
{
    uint64_t consumed = __atomic_load_n(ring->consumer_pos, __ATOMIC_ACQUIRE);
    uint64_t at = ring->produced, need = record_size(len);
    uint64_t rest = ring->size - (at & (ring->size - 1)), pad = need > rest ? rest : 0;
    uint64_t end = at + pad + need;

    advance_pending(ring);
    if (end - consumed >= ring->size || end - ring->pending >= ring->size)
        return NULL;
    if (pad)
        put_header(ring, at, (uint32_t)(pad - HEADER) | BPF_RINGBUF_DISCARD_BIT);
    put_header(ring, at + pad, len | BPF_RINGBUF_BUSY_BIT);
    ring->produced = end;
    __atomic_store_n(ring->producer_pos, end, __ATOMIC_RELEASE);
    return header_at(ring, at + pad) + 1;
}

void *ebpf_ringbuf_reserve(struct ebpf_map *map, uint64_t size)
{
    struct ebpf_ringbuf *ring = ebpf_ringbuf_of(map);
    unsigned long irq, lock_irq;
    struct ebpf_ringbuf_hart *hart;
    void *record;

    if (size > MAX_RECORD || size + HEADER > ring->size)
        return NULL;
    irq = ebpf_os_irq_save();
    hart = &ring->harts[ebpf_os_cpu_id()];
    if (__atomic_load_n(&hart->busy, __ATOMIC_RELAXED)) { /* this hart has the lock: no waiting */
        ebpf_os_irq_restore(irq);
        return NULL;
    }
    __atomic_store_n(&hart->busy, 1, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    lock_irq = ebpf_lock(&ring->lock);
    record = reserve_locked(ring, (uint32_t)size);
    ebpf_unlock(&ring->lock, lock_irq);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&hart->busy, 0, __ATOMIC_RELAXED);
    ebpf_os_irq_restore(irq);
    return record;
}

void ebpf_ringbuf_commit(void *record, uint64_t flags, bool discard)
{
    struct ebpf_ringbuf_header *header = (struct ebpf_ringbuf_header *)record - 1;
    uintptr_t page = (uintptr_t)header & ~(uintptr_t)(EBPF_RINGBUF_PAGE - 1);
    struct ebpf_ringbuf *ring =
        (struct ebpf_ringbuf *)(page - (uintptr_t)header->page_off * EBPF_RINGBUF_PAGE);
    uint32_t len = header->len & ~BPF_RINGBUF_BUSY_BIT;
    uint64_t at = (uint64_t)((uint8_t *)header - ring->data), consumed;

    /* the exchange and the load stay in this order, so that either the consumer sees the record or
     * this sees that the consumer has come to it */
    __atomic_exchange_n(&header->len, len | (discard ? BPF_RINGBUF_DISCARD_BIT : 0),
                        __ATOMIC_SEQ_CST);
    consumed = __atomic_load_n(ring->consumer_pos, __ATOMIC_SEQ_CST) & (ring->size - 1);
    if (flags & BPF_RB_FORCE_WAKEUP || (consumed == at && !(flags & BPF_RB_NO_WAKEUP)))
        ebpf_os_wake(&ring->map.obj);
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
    size_t page = EBPF_RINGBUF_PAGE, harts = EBPF_ROUND_UP(sizeof(struct ebpf_ringbuf), (size_t)64);
    size_t consumer =
        EBPF_ROUND_UP(harts + ebpf_os_cpu_count() * sizeof(struct ebpf_ringbuf_hart), page);
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
    ring->harts = (struct ebpf_ringbuf_hart *)(void *)(base + harts);
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
