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
#include "src/base/lock.h"

#define EBPF_RINGBUF_PAGE 4096u

/* In front of each record, at a multiple of 8. */
struct ebpf_ringbuf_header {
    uint32_t len;      /* of the record's data; BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT */
    uint32_t page_off; /* pages from the start of struct ebpf_ringbuf: how commit() finds it */
};

struct ebpf_ringbuf_hart {
    uint32_t busy;
} __attribute__((aligned(64)));

struct ebpf_ringbuf {
    struct ebpf_map map; /* first; aligned to a page */
    void *block;
    size_t bytes;
    struct ebpf_lock lock;
    uint64_t size;
    uint64_t produced; /* what the producer's page says, where nobody else writes */
    uint64_t pending;  /* everything before is committed */
    uint64_t *consumer_pos, *producer_pos;
    uint8_t *data;
    struct ebpf_ringbuf_hart *harts;
};

/* For the helpers. A */
void *ebpf_ringbuf_reserve(struct ebpf_map *map, uint64_t size); /* NULL: no room */
void ebpf_ringbuf_commit(void *record, uint64_t flags, bool discard);
uint64_t ebpf_ringbuf_query(struct ebpf_map *map, uint64_t what);

#endif /* EBPF_MAPS_RINGBUF_H */
