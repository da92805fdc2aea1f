/* SPDX-License-Identifier: MIT */
/*
 * How a ring buffer lies in memory, which is also what user mode maps (Linux's layout): one page
 * with the consumer's position, which is user mode's to write, one page with the producer's
 * position, and the data; the last two are to be mapped read-only. Each page has its 64-bit number
 * at its start. Positions only grow; the place of a position is its remainder by the ring's size.
 */
#ifndef EBPF_MAPS_RINGBUF_H
#define EBPF_MAPS_RINGBUF_H

#include "maps/map.h"

#define EBPF_RINGBUF_PAGE 4096u

/* In front of each record, at a multiple of 8. */
struct ebpf_ringbuf_header {
    uint32_t len;      /* of the record's data; BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT */
    uint32_t page_off; /* pages from the start of struct ebpf_ringbuf: how commit() finds it */
};

struct ebpf_ringbuf {
    struct ebpf_map map; /* first; aligned to a page */
    void *block;
    size_t bytes;
    uint32_t lock;
    uint64_t size, max_record; /* bytes of data that a record can have */
    uint64_t produced;         /* what the producer's page says, where nobody else writes */
    uint64_t pending;          /* everything before is committed */
    uint64_t *consumer_pos, *producer_pos;
    uint8_t *data;
    /* user ring buffers: the consumer's position, where nobody else writes, whether there is a
     * consumer, and room for a sample that runs over the end */
    uint64_t consumed;
    uint32_t draining;
    uint8_t *linear;
};

/* ---- both types of rings ---- */
int ebpf_ringbuf_check(const struct ebpf_map_spec *spec);
int ebpf_ringbuf_alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out);
void ebpf_ringbuf_free(struct ebpf_map *map);
void *ebpf_ringbuf_page(struct ebpf_map *map, uint64_t offset);

static inline struct ebpf_ringbuf *ebpf_ringbuf_of(struct ebpf_map *map)
{
    return (struct ebpf_ringbuf *)map;
}

/* For the helpers, and compiled calls of them. A, interrupts off. NULL: no room, or flags, of which
 * there are none. */
void *ebpf_ringbuf_reserve(struct ebpf_map *map, uint64_t size, uint64_t flags);
/* how: 0 or BPF_RINGBUF_DISCARD_BIT. Returns 0, as the helpers do. */
uint64_t ebpf_ringbuf_commit(void *record, uint64_t flags, uint32_t how);
uint64_t ebpf_ringbuf_query(struct ebpf_map *map, uint64_t what);

#endif /* EBPF_MAPS_RINGBUF_H */
