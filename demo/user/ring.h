/* SPDX-License-Identifier: MIT */
/*
 * The user's side of the rings that programs write to or read from: mapped memory, positions that
 * the two sides tell each other, and epoll(7) for waiting. As libbpf's ring_buffer, perf_buffer and
 * user_ring_buffer do it, without their managers.
 */
#ifndef DEMO_USER_RING_H
#define DEMO_USER_RING_H

#include <ebpf/perf.h>

/* Takes one record; not 0 stops the consumer behind it. */
typedef int ring_fn(void *ctx, const void *data, size_t size);

/* ---- BPF_MAP_TYPE_RINGBUF -------------------------------------------------------------------- */

struct ring {
    uint64_t *consumer;       /* a page that we may write */
    const uint64_t *producer; /* a page that we may read, in front of the data */
    const uint8_t *data;      /* twice in a row: no record ends at the end */
    uint64_t size;
};
int ring_map(struct ring *r, int fd, uint64_t size); /* size: the map's max_entries. 0, -E* */
void ring_unmap(struct ring *r);
/* Everything that is there; how many records, or what fn returned if that was negative. */
int ring_consume(struct ring *r, ring_fn *fn, void *ctx);

/* ---- BPF_MAP_TYPE_USER_RINGBUF --------------------------------------------------------------- */

struct user_ring {
    const uint64_t *consumer;
    uint64_t *producer;
    uint8_t *data; /* twice in a row */
    uint64_t size;
};
int user_ring_map(struct user_ring *r, int fd, uint64_t size);
void user_ring_unmap(struct user_ring *r);
int user_ring_post(struct user_ring *r, const void *data, uint32_t size); /* 0, -E2BIG, -ENOSPC */

/* ---- BPF_MAP_TYPE_PERF_EVENT_ARRAY: one for each CPU ----------------------------------------- */

struct perf_ring {
    int fd;
    struct perf_event_mmap_page *page;
    const uint8_t *data;
    uint64_t size;
};
int perf_ring_open(struct perf_ring *p, int cpu, unsigned pages); /* 2^n of data. 0, -E* */
void perf_ring_close(struct perf_ring *p);
/* How many samples; *lost grows by those that there was no room for. The data may be up to 7 bytes
 * longer than what the program wrote. */
int perf_ring_consume(struct perf_ring *p, ring_fn *fn, void *ctx, uint64_t *lost);

#endif /* DEMO_USER_RING_H */
