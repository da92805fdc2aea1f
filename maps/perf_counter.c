/* SPDX-License-Identifier: MIT */
/*
 * What a perf event counts while it is enabled. The kernel has counters that run for ever, each of
 * a hart; an event adds up their differences. It is read on its own hart, by programs, and from
 * anywhere, by user mode, at the same time: the kernel's counter is read first, without the lock,
 * since another hart's may take waiting, so that a value may come when a later one has been added
 * already; then it adds nothing.
 */
#include "maps/perf_event.h"
#include "src/base/alloc.h"

/* The library's own counters; -ENOENT: the kernel's. */
static int own_counter(const struct ebpf_perf_event *event, uint64_t *value)
{
    if (event->type != PERF_TYPE_SOFTWARE)
        return -ENOENT;
    switch (event->config) {
    case PERF_COUNT_SW_CPU_CLOCK:
    case PERF_COUNT_SW_TASK_CLOCK:
        *value = ebpf_os_time_ns();
        return 0;
    case PERF_COUNT_SW_DUMMY:
    case PERF_COUNT_SW_BPF_OUTPUT:
        *value = 0;
        return 0;
    default:
        return -ENOENT;
    }
}

static int read_counter(const struct ebpf_perf_event *event, uint64_t *value)
{
    unsigned long irq;
    bool here;
    int err = own_counter(event, value);

    if (err != -ENOENT)
        return err;
    irq = ebpf_os_irq_save();
    here = event->cpu == ebpf_os_cpu_id();
    if (here)
        err = ebpf_os_perf_counter(event->cpu, event->type, event->config, value);
    ebpf_os_irq_restore(irq);
    return here ? err : ebpf_os_perf_counter(event->cpu, event->type, event->config, value);
}

/* With the lock. */
static void add_until(struct ebpf_perf_event *event, uint64_t now)
{
    if (!event->enabled || (int64_t)(now - event->base) <= 0)
        return;
    event->count += now - event->base;
    event->base = now;
}

int ebpf_perf_event_enable(struct ebpf_perf_event *event, bool on)
{
    unsigned long irq;
    uint64_t now;
    int err = read_counter(event, &now);

    if (err)
        return err;
    irq = ebpf_lock(&event->lock);
    if (on && !event->enabled) {
        event->base = now;
        event->since_ns = ebpf_os_time_ns();
    } else if (!on && event->enabled) {
        add_until(event, now);
        event->on_ns += ebpf_os_time_ns() - event->since_ns;
    }
    __atomic_store_n(&event->enabled, on, __ATOMIC_RELEASE);
    ebpf_unlock(&event->lock, irq);
    return 0;
}

int ebpf_perf_event_reset(struct ebpf_perf_event *event)
{
    unsigned long irq;
    uint64_t now;
    int err = read_counter(event, &now);

    if (err)
        return err;
    irq = ebpf_lock(&event->lock);
    add_until(event, now);
    event->count = 0;
    ebpf_unlock(&event->lock, irq);
    return 0;
}

int ebpf_perf_event_count(struct ebpf_perf_event *event, struct bpf_perf_event_value *out)
{
    unsigned long irq;
    uint64_t now;
    int err = read_counter(event, &now);

    if (err)
        return err;
    irq = ebpf_lock(&event->lock);
    add_until(event, now);
    out->counter = event->count;
    out->enabled = event->on_ns + (event->enabled ? ebpf_os_time_ns() - event->since_ns : 0);
    out->running = out->enabled; /* a counter is never taken away for another event */
    ebpf_unlock(&event->lock, irq);
    return 0;
}

/* ---- from inside the kernel ------------------------------------------------------------------ */

int ebpf_perf_counter_create(unsigned cpu, uint32_t type, uint64_t config, struct ebpf_obj **out)
{
    const struct perf_event_attr attr = {.type = type, .config = config};
    struct ebpf_perf_event *event;
    int err = cpu < ebpf_os_cpu_count() ? ebpf_perf_event_alloc(&attr, cpu, &event) : -EINVAL;

    if (!err)
        *out = &event->obj;
    return err;
}

int ebpf_perf_counter_read(struct ebpf_obj *event, struct bpf_perf_event_value *out)
{
    if (event->type != EBPF_OBJ_PERF_EVENT)
        return -EINVAL;
    return ebpf_perf_event_count(ebpf_perf_event_of(event), out);
}
