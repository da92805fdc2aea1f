/* SPDX-License-Identifier: MIT */
/*
 * Perf events and their rings. An event belongs to a hart, and only programs on that hart
 * write to it, with interrupts off: its ring has one writer and needs no lock.
 *
 * The reader's position is written by user mode, so it is not believed: it only decides whether
 * there is room, by the same arithmetic as Linux's, and where the writer writes follows from its
 * own numbers. The ring comes with the first mapping and goes with the last.
 */
#include "maps/perf_event.h"

#include "maps/section.h"
#include "maps/value.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/base/epoch.h"

#define MAX_RECORD 65528u /* the header's 16 bits, rounded down to 8 */
#define LOST_SIZE 24u
#define MAX_PAGES (1u << 20)

/* ---- writing ------------------------------------------------------------------------------- */

static void put_bytes(struct ebpf_perf_ring *ring, const void *from, uint64_t size)
{
    uint64_t at = ring->head & (ring->size - 1), first = ebpf_min(size, ring->size - at);

    ebpf_value_copy(ring->data + at, from, (size_t)first);
    if (size > first)
        ebpf_value_copy(ring->data, (const uint8_t *)from + first, (size_t)(size - first));
    ring->head += size;
}

static void put_u64(struct ebpf_perf_ring *ring, uint64_t value)
{
    put_bytes(ring, &value, sizeof(value));
}

static void put_header(struct ebpf_perf_ring *ring, uint32_t type, uint16_t misc, uint32_t size)
{
    struct perf_event_header header = {.type = type, .misc = misc, .size = (uint16_t)size};

    put_bytes(ring, &header, sizeof(header));
}

static void put_lost(const struct ebpf_perf_event *event, struct ebpf_perf_ring *ring)
{
    put_header(ring, PERF_RECORD_LOST, 0, LOST_SIZE);
    put_u64(ring, event->obj.id);
    put_u64(ring, ring->lost);
    ring->lost = 0;
}

/* The fields in front of the raw data, each 8 bytes. */
static uint32_t fields_size(const struct ebpf_perf_event *event)
{
    const uint64_t known =
        PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD;
    uint32_t size = 0;

    for (uint64_t left = event->sample_type & known; left; left &= left - 1)
        size += 8;
    return size;
}

static void put_fields(const struct ebpf_perf_event *event, struct ebpf_perf_ring *ring)
{
    struct ebpf_task task = {0};

    if (event->sample_type & PERF_SAMPLE_TID) {
        ebpf_os_current(&task);
        put_u64(ring, task.tgid | (uint64_t)task.pid << 32);
    }
    if (event->sample_type & PERF_SAMPLE_TIME)
        put_u64(ring, ebpf_os_time_ns());
    if (event->sample_type & PERF_SAMPLE_CPU)
        put_u64(ring, event->cpu);
    if (event->sample_type & PERF_SAMPLE_PERIOD)
        put_u64(ring, 0); /* Linux: nothing was counted */
}

/* Linux's CIRC_SPACE(): all but one byte can be used. */
static bool has_room(const struct ebpf_perf_ring *ring, uint64_t size)
{
    uint64_t tail = __atomic_load_n(&ring->page->data_tail, __ATOMIC_ACQUIRE);

    if (ring->overwrite)
        return size < ring->size;
    return ((tail - ring->head - 1) & (ring->size - 1)) >= size;
}

/* Linux's rules: every so many records, or every so many bytes; the former count as a byte. */
static bool time_to_wake(const struct ebpf_perf_event *event, struct ebpf_perf_ring *ring)
{
    uint64_t woken = ring->woken;

    if (ring->head - ring->woken > ring->watermark)
        ring->woken += ring->watermark;
    if (event->wakeup && !event->watermark && ++ring->since_wake >= event->wakeup) {
        ring->since_wake = 0;
        ring->woken++;
    }
    return ring->woken != woken;
}

static void publish(struct ebpf_perf_event *event, struct ebpf_perf_ring *ring)
{
    __atomic_store_n(&ring->page->data_head, ring->head, __ATOMIC_RELEASE);
    if (time_to_wake(event, ring)) {
        __atomic_store_n(&ring->poll, 1, __ATOMIC_RELEASE);
        ebpf_os_wake(&event->obj);
    }
}

int ebpf_perf_event_write(struct ebpf_perf_event *event, const void *data, uint32_t size,
                          const void *tail, uint32_t tail_size)
{
    static const uint8_t zeros[8];
    struct ebpf_perf_ring *ring = __atomic_load_n(&event->ring, __ATOMIC_ACQUIRE);
    bool raw = (event->sample_type & PERF_SAMPLE_RAW) != 0;
    uint64_t bytes = (uint64_t)size + tail_size, padded = EBPF_ROUND_UP(bytes + 4, 8) - 4;
    uint64_t total = sizeof(struct perf_event_header) + fields_size(event);
    uint32_t raw_size = (uint32_t)padded;

    total += raw ? padded + sizeof(raw_size) : 0;
    if (total > MAX_RECORD)
        return -E2BIG;
    if (!ring || !ring->size)
        return -ENOSPC;
    if (__atomic_load_n(&event->paused, __ATOMIC_RELAXED) ||
        !has_room(ring, total + (ring->lost ? LOST_SIZE : 0))) {
        ring->lost++;
        __atomic_store_n(&event->lost, event->lost + 1, __ATOMIC_RELAXED);
        return -ENOSPC;
    }
    if (ring->lost)
        put_lost(event, ring);
    put_header(ring, PERF_RECORD_SAMPLE, PERF_RECORD_MISC_KERNEL, (uint32_t)total);
    put_fields(event, ring);
    if (raw) {
        put_bytes(ring, &raw_size, sizeof(raw_size));
        put_bytes(ring, data, size);
        put_bytes(ring, tail, tail_size);
        put_bytes(ring, zeros, padded - bytes);
    }
    publish(event, ring);
    return 0;
}

/* ---- the ring ------------------------------------------------------------------------------ */

static int ring_create(const struct ebpf_perf_event *event, size_t pages, bool overwrite,
                       struct ebpf_perf_ring **out)
{
    struct ebpf_perf_ring *ring = ebpf_zalloc(sizeof(*ring));

    if (!ring)
        return -ENOMEM;
    ring->bytes = (pages + 2) * EBPF_PAGE;
    ring->block = ebpf_zalloc(ring->bytes); /* user mode sees all of it */
    if (!ring->block) {
        ebpf_free(ring, sizeof(*ring));
        return -ENOMEM;
    }
    ring->page =
        (struct perf_event_mmap_page *)EBPF_ROUND_UP((uintptr_t)ring->block, (uintptr_t)EBPF_PAGE);
    ring->data = (uint8_t *)ring->page + EBPF_PAGE;
    ring->size = pages * EBPF_PAGE;
    ring->overwrite = overwrite;
    ring->page->data_offset = EBPF_PAGE;
    ring->page->data_size = ring->size;
    ring->watermark = ring->size / 2;
    if (event->watermark && event->wakeup)
        ring->watermark = ebpf_min(event->wakeup, ring->size);
    *out = ring;
    return 0;
}

static void ring_destroy(struct ebpf_perf_ring *ring)
{
    ebpf_free(ring->block, ring->bytes);
    ebpf_free(ring, sizeof(*ring));
}

static int event_mmap(struct ebpf_obj *obj, uint64_t offset, size_t size, bool write)
{
    struct ebpf_perf_event *event = ebpf_perf_event_of(obj);
    size_t pages = size / EBPF_PAGE - 1;
    struct ebpf_perf_ring *ring;
    int err = 0;

    if (offset || pages & (pages - 1))
        return -EINVAL;
    if (pages > MAX_PAGES)
        return -ENOMEM;
    ebpf_mutex_lock(&event->mutex);
    if (event->ring && event->ring->size != pages * EBPF_PAGE)
        err = -EINVAL;
    if (!event->ring) {
        err = ring_create(event, pages, !write, &ring);
        if (!err)
            __atomic_store_n(&event->ring, ring, __ATOMIC_RELEASE);
    }
    event->mappings += !err;
    ebpf_mutex_unlock(&event->mutex);
    return err;
}

static void event_unmap(struct ebpf_obj *obj, bool write)
{
    struct ebpf_perf_event *event = ebpf_perf_event_of(obj);
    struct ebpf_perf_ring *last = NULL;

    (void)write;
    ebpf_mutex_lock(&event->mutex);
    if (!--event->mappings)
        last = __atomic_exchange_n(&event->ring, NULL, __ATOMIC_ACQ_REL);
    ebpf_mutex_unlock(&event->mutex);
    if (!last)
        return;
    ebpf_epoch_synchronize();
    ring_destroy(last);
}

static void *event_page(struct ebpf_obj *obj, uint64_t offset)
{
    return (uint8_t *)ebpf_perf_event_of(obj)->ring->page + offset;
}

/* Readable once for each wake-up, as on Linux. */
static uint32_t event_poll(struct ebpf_obj *obj)
{
    struct ebpf_perf_event *event = ebpf_perf_event_of(obj);
    struct ebpf_section s = ebpf_section_begin();
    struct ebpf_perf_ring *ring;
    uint32_t bits = EBPF_POLLHUP;

    ring = __atomic_load_n(&event->ring, __ATOMIC_ACQUIRE);
    if (ring)
        bits = __atomic_exchange_n(&ring->poll, 0, __ATOMIC_ACQ_REL) ? 0x1u : 0;
    ebpf_section_end(s);
    return bits;
}

static const struct ebpf_obj_file event_file = {
    .poll = event_poll,
    .mmap = event_mmap,
    .page = event_page,
    .unmap = event_unmap,
};

/* ---- the event ----------------------------------------------------------------------------- */

/* Mappings hold references: a ring that is still there is a kernel's own. */
static void event_destroy(struct ebpf_obj *obj)
{
    if (ebpf_perf_event_of(obj)->ring)
        ring_destroy(ebpf_perf_event_of(obj)->ring);
    ebpf_free(ebpf_perf_event_of(obj), sizeof(struct ebpf_perf_event));
}

int ebpf_perf_event_alloc(const struct perf_event_attr *attr, unsigned cpu,
                          struct ebpf_perf_event **out)
{
    struct ebpf_perf_event *event = ebpf_zalloc(sizeof(*event));
    int err;

    if (!event)
        return -ENOMEM;
    event->cpu = cpu;
    event->type = attr->type;
    event->config = attr->config;
    event->sample_type = attr->sample_type;
    event->read_format = attr->read_format;
    event->watermark = (attr->bits & PERF_ATTR_WATERMARK) != 0;
    event->wakeup = attr->wakeup_events;
    event->obj.file = &event_file;
    err = ebpf_perf_event_enable(event, !(attr->bits & PERF_ATTR_DISABLED));
    if (!err)
        err = ebpf_obj_init(&event->obj, EBPF_OBJ_PERF_EVENT, event_destroy);
    if (err)
        ebpf_free(event, sizeof(*event));
    else
        *out = event;
    return err;
}

int ebpf_perf_event_create(unsigned cpu, uint32_t pages, struct ebpf_obj **out)
{
    const struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
                                         .config = PERF_COUNT_SW_BPF_OUTPUT,
                                         .sample_type = PERF_SAMPLE_RAW,
                                         .wakeup_events = 1};
    struct ebpf_perf_event *event;
    int err;

    if (!pages || pages & (pages - 1))
        return -EINVAL;
    if (cpu >= ebpf_os_cpu_count())
        return -ENODEV;
    err = ebpf_perf_event_alloc(&attr, cpu, &event);
    if (err)
        return err;
    err = event_mmap(&event->obj, 0, ((size_t)pages + 1) * EBPF_PAGE, true);
    if (err)
        ebpf_obj_put(&event->obj);
    else
        *out = &event->obj;
    return err;
}
