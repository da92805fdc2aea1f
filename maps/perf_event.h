/* SPDX-License-Identifier: MIT */
/* Perf events, as objects: <ebpf/perf.h> says what they are for. perf_event.c has their rings,
 * perf_counter.c what they count, perf_event_read.c the kernel's own reader of a ring. */
#ifndef EBPF_MAPS_PERF_EVENT_H
#define EBPF_MAPS_PERF_EVENT_H

#include <ebpf/perf.h>

#include "src/base/lock.h"
#include "src/base/obj.h"

/* As mapped: the page of positions, then 2^n pages of data or none. */
struct ebpf_perf_ring {
    void *block;
    size_t bytes;
    struct perf_event_mmap_page *page;
    uint8_t *data;
    uint64_t size;
    bool overwrite; /* whoever mapped it cannot write data_tail: the newest records are kept */
    /* these are the writer's, which is one hart */
    uint64_t head; /* what data_head says, where nobody else writes */
    uint64_t lost; /* records there was no room for, not told yet */
    uint64_t woken, watermark;
    uint32_t since_wake;
    uint32_t poll; /* a wake-up that nobody has asked about yet */
};

struct ebpf_perf_event {
    struct ebpf_obj obj; /* first */
    unsigned cpu;
    uint32_t type;
    uint64_t config, sample_type, read_format;
    bool watermark;  /* wakeup counts bytes, not records */
    uint32_t wakeup; /* 0: by bytes, half a ring */
    uint32_t enabled, paused;
    uint64_t lost;            /* records in all; its hart writes it */
    struct ebpf_lock lock;    /* guards enabled's changing and the next four */
    uint64_t base, count;     /* the kernel's counter at the last look; counted until then */
    uint64_t since_ns, on_ns; /* enabled since; enabled before that */
    struct ebpf_mutex mutex;  /* guards ring's coming and going */
    struct ebpf_perf_ring *ring;
    uint32_t mappings;
};

/* attr: fields that matter, which are checked already. 0, -ENOMEM, ebpf_os_perf_counter()'s. T */
int ebpf_perf_event_alloc(const struct perf_event_attr *attr, unsigned cpu,
                          struct ebpf_perf_event **out);

/* Is it one that programs write to? */
static inline bool ebpf_perf_event_is_output(const struct ebpf_perf_event *event)
{
    return event->type == PERF_TYPE_SOFTWARE && event->config == PERF_COUNT_SW_BPF_OUTPUT;
}

/* Starts or stops counting and output; sets the counter to 0, not the times. 0, or
 * ebpf_os_perf_counter()'s error: nothing has changed. T */
int ebpf_perf_event_enable(struct ebpf_perf_event *event, bool on);
int ebpf_perf_event_reset(struct ebpf_perf_event *event);

/* The counter and the times. 0, or ebpf_os_perf_counter()'s error. Of this hart: A, interrupts off;
 * of another: T */
int ebpf_perf_event_count(struct ebpf_perf_event *event, struct bpf_perf_event_value *out);

/* One record from this hart: its raw data in two parts. 0, -E2BIG, -ENOSPC. A, interrupts off, in
 * an epoch section */
int ebpf_perf_event_write(struct ebpf_perf_event *event, const void *data, uint32_t size,
                          const void *tail, uint32_t tail_size);

static inline struct ebpf_perf_event *ebpf_perf_event_of(struct ebpf_obj *obj)
{
    return (struct ebpf_perf_event *)obj;
}

#endif /* EBPF_MAPS_PERF_EVENT_H */
