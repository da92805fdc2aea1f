/* SPDX-License-Identifier: MIT */
/*
 * Reading the ring of a perf event inside the kernel, as a process reads the one it has mapped. It
 * may be mapped by a process as well, so nothing in it is believed: each record's size is read once
 * and checked against what lies in front of the writer.
 */
#include "maps/perf_event.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"

#define ROOM 65536u /* more than any record */

struct reader {
    struct ebpf_perf_event *event;
    struct ebpf_perf_ring *ring;
    uint8_t *record; /* the record at tail, in a row: ROOM bytes */
    uint64_t tail, lost;
};

static void get_bytes(const struct reader *r, uint64_t at, void *to, uint64_t size)
{
    uint64_t in_ring = at & (r->ring->size - 1), first = ebpf_min(size, r->ring->size - in_ring);

    memcpy(to, r->ring->data + in_ring, (size_t)first);
    memcpy((uint8_t *)to + first, r->ring->data, (size_t)(size - first));
}

/* Copies the record at tail: its size, 0: there is none, or -EINVAL. */
static int next_record(struct reader *r)
{
    uint64_t head = __atomic_load_n(&r->ring->page->data_head, __ATOMIC_ACQUIRE);
    uint64_t there = head - r->tail;
    struct perf_event_header header;

    if (!there)
        return 0;
    if (there > r->ring->size || r->tail % 8)
        return -EINVAL;
    get_bytes(r, r->tail, &header, sizeof(header));
    if (header.size < sizeof(header) || header.size > there || header.size % 8)
        return -EINVAL;
    get_bytes(r, r->tail, r->record, header.size);
    memcpy(r->record, &header, sizeof(header)); /* the one that was checked */
    return header.size;
}

/* Where the raw data of a sample is: its offset, 0: not in this record. */
static uint32_t raw_at(const struct reader *r, uint32_t record_size, uint32_t *size)
{
    const uint64_t known =
        PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD;
    uint32_t at = sizeof(struct perf_event_header);

    if (!(r->event->sample_type & PERF_SAMPLE_RAW))
        return 0;
    for (uint64_t left = r->event->sample_type & known; left; left &= left - 1)
        at += 8;
    if (at + 4 > record_size)
        return 0;
    memcpy(size, r->record + at, 4);
    return *size <= record_size - at - 4 ? at + 4 : 0;
}

static int consume(struct reader *r, int (*fn)(void *ctx, void *data, uint32_t size), void *ctx)
{
    int count = 0, err = 0, size = 0;

    while (!err && count < INT32_MAX && (size = next_record(r)) > 0) {
        uint32_t type, at, raw = 0;

        memcpy(&type, r->record, sizeof(type));
        at = raw_at(r, (uint32_t)size, &raw);
        if (type == PERF_RECORD_LOST && size >= 24) {
            uint64_t lost;

            memcpy(&lost, r->record + 16, sizeof(lost));
            r->lost += lost;
        } else if (type == PERF_RECORD_SAMPLE && at) {
            err = fn(ctx, r->record + at, raw);
            count++;
        }
        r->tail += (uint64_t)size;
        __atomic_store_n(&r->ring->page->data_tail, r->tail, __ATOMIC_RELEASE);
    }
    return err < 0 ? err : size < 0 ? size : count;
}

int ebpf_perf_event_consume(struct ebpf_obj *event, int (*fn)(void *ctx, void *data, uint32_t size),
                            void *ctx, uint64_t *lost)
{
    struct reader r = {.event = ebpf_perf_event_of(event)};
    int ret = -EINVAL;

    if (event->type != EBPF_OBJ_PERF_EVENT)
        return -EINVAL;
    r.record = ebpf_alloc(ROOM);
    if (!r.record)
        return -ENOMEM;
    ebpf_mutex_lock(&r.event->mutex);
    r.event->mappings += r.event->ring != NULL;
    r.ring = r.event->ring;
    ebpf_mutex_unlock(&r.event->mutex);
    if (r.ring && r.ring->size) {
        r.tail = __atomic_load_n(&r.ring->page->data_tail, __ATOMIC_RELAXED);
        ret = consume(&r, fn, ctx);
    }
    if (r.ring)
        event->file->unmap(event, true);
    ebpf_free(r.record, ROOM);
    if (lost)
        *lost = r.lost;
    return ret;
}
