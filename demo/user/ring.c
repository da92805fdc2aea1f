/* SPDX-License-Identifier: MIT */
/* Rings between programs and user mode: see ring.h. Positions only grow; a place is a position
 * modulo the ring's size, which is a power of two. */
#include "ring.h"

#include "lib.h"

#define PAGE 4096ul
#define HEADER sizeof(uint64_t) /* length and flags, page offset */

/* ---- ring buffers ---------------------------------------------------------------------------- */

int ring_map(struct ring *r, int fd, uint64_t size)
{
    char *at;

    r->size = size;
    r->consumer = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (MMAP_FAILED(r->consumer))
        return (int)(long)r->consumer;
    at = mmap(NULL, PAGE + 2 * size, PROT_READ, MAP_SHARED, fd, PAGE);
    if (MMAP_FAILED(at)) {
        munmap(r->consumer, PAGE);
        return (int)(long)at;
    }
    r->producer = (const uint64_t *)at;
    r->data = (const uint8_t *)at + PAGE;
    return 0;
}

void ring_unmap(struct ring *r)
{
    munmap(r->consumer, PAGE);
    munmap((void *)r->producer, PAGE + 2 * r->size);
}

static uint64_t record_size(uint32_t len)
{
    len &= ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
    return (len + HEADER + 7) & ~7ul;
}

int ring_consume(struct ring *r, ring_fn *fn, void *ctx)
{
    uint64_t at = __atomic_load_n(r->consumer, __ATOMIC_ACQUIRE), end;
    int count = 0, err = 0;

    while (!err && at < (end = __atomic_load_n(r->producer, __ATOMIC_ACQUIRE))) {
        for (; at < end && !err; __atomic_store_n(r->consumer, at, __ATOMIC_SEQ_CST)) {
            const uint8_t *record = r->data + (at & (r->size - 1));
            uint32_t len =
                __atomic_load_n((const uint32_t *)(const void *)record, __ATOMIC_ACQUIRE);

            if (len & BPF_RINGBUF_BUSY_BIT)
                return count; /* and what follows has to wait for it */
            at += record_size(len);
            if (len & BPF_RINGBUF_DISCARD_BIT)
                continue;
            err = fn(ctx, record + HEADER, len);
            count++;
        }
    }
    return err < 0 ? err : count;
}

/* ---- ring buffers of user mode --------------------------------------------------------------- */

int user_ring_map(struct user_ring *r, int fd, uint64_t size)
{
    char *at;

    r->size = size;
    r->consumer = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    if (MMAP_FAILED(r->consumer))
        return (int)(long)r->consumer;
    at = mmap(NULL, PAGE + 2 * size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGE);
    if (MMAP_FAILED(at)) {
        munmap((void *)r->consumer, PAGE);
        return (int)(long)at;
    }
    r->producer = (uint64_t *)(void *)at;
    r->data = (uint8_t *)at + PAGE;
    return 0;
}

void user_ring_unmap(struct user_ring *r)
{
    munmap((void *)r->consumer, PAGE);
    munmap(r->producer, PAGE + 2 * r->size);
}

int user_ring_post(struct user_ring *r, const void *data, uint32_t size)
{
    uint64_t end = __atomic_load_n(r->producer, __ATOMIC_RELAXED), need = record_size(size);
    uint8_t *record = r->data + (end & (r->size - 1));

    if (need > r->size)
        return -E2BIG;
    if (end + need - __atomic_load_n(r->consumer, __ATOMIC_ACQUIRE) > r->size)
        return -ENOSPC;
    memcpy(record + HEADER, data, size);
    memcpy(record, &(uint64_t){size}, HEADER);
    __atomic_store_n(r->producer, end + need, __ATOMIC_RELEASE);
    return 0;
}

/* ---- perf events ----------------------------------------------------------------------------- */

int perf_ring_open(struct perf_ring *p, int cpu, unsigned pages)
{
    struct perf_event_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.type = PERF_TYPE_SOFTWARE;
    attr.size = sizeof(attr);
    attr.config = PERF_COUNT_SW_BPF_OUTPUT;
    attr.sample_type = PERF_SAMPLE_RAW;
    attr.sample_period = attr.wakeup_events = 1;
    p->fd = perf_event_open(&attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    if (p->fd < 0)
        return p->fd;
    p->size = pages * PAGE;
    p->page = mmap(NULL, PAGE + p->size, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, 0);
    if (MMAP_FAILED(p->page)) {
        close(p->fd);
        return (int)(long)p->page;
    }
    p->data = (const uint8_t *)p->page + PAGE;
    return ioctl(p->fd, PERF_EVENT_IOC_ENABLE, 0);
}

void perf_ring_close(struct perf_ring *p)
{
    munmap(p->page, PAGE + p->size);
    close(p->fd);
}

/* Out of the ring, over its end if need be. */
static void copy_out(const struct perf_ring *p, void *to, uint64_t at, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)to)[i] = p->data[(at + i) & (p->size - 1)];
}

int perf_ring_consume(struct perf_ring *p, ring_fn *fn, void *ctx, uint64_t *lost)
{
    uint64_t end = __atomic_load_n(&p->page->data_head, __ATOMIC_ACQUIRE), at = p->page->data_tail;
    static uint64_t record[65536 / 8];
    int count = 0, err = 0;

    while (at < end && !err) {
        struct perf_event_header header;

        copy_out(p, &header, at, sizeof(header));
        copy_out(p, record, at, header.size);
        if (header.type == PERF_RECORD_LOST) { /* header, id, number */
            *lost += record[2];
        } else if (header.type == PERF_RECORD_SAMPLE) { /* header, size of the data, data */
            err = fn(ctx, (uint8_t *)&record[1] + 4, *(uint32_t *)&record[1]);
            count++;
        }
        at += header.size;
    }
    __atomic_store_n(&p->page->data_tail, at, __ATOMIC_RELEASE);
    return err < 0 ? err : count;
}
