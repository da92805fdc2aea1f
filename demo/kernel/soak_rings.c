/* SPDX-License-Identifier: MIT */
/*
 * The soak's rows for rings, in either direction: ring buffers and perf events that programs write
 * to, ring buffers that they read. What went in came out, and nothing else.
 */
#include <ebpf/perf.h>

#include "soak.h"

/* One thread at a time at each ring's end: number 0 is the ring buffer's consumer, 1 the user ring
 * buffer's producer, then the consumers of the harts' events. */
static uint32_t taken[2 + MAX_HARTS];

static bool take(unsigned end)
{
    return !__atomic_exchange_n(&taken[end], 1, __ATOMIC_ACQUIRE);
}

static void leave(unsigned end)
{
    __atomic_store_n(&taken[end], 0, __ATOMIC_RELEASE);
}

static struct ebpf_map *map_of(int row)
{
    return ebpf_object_map_map(ebpf_object_find_map(soak.obj, soak_rows[row].name));
}

static void take_value(int row, const struct soak_value *v, bool whole)
{
    soak_count(row, SOAK_REMOVED, 1);
    soak_count(row, SOAK_OUT, v->key);
    if (!whole || !soak_whole(v))
        soak_count(row, SOAK_TORN, 1);
}

/* ---- ring buffers ---------------------------------------------------------------------------- */

static int take_record(void *ctx, void *data, size_t size)
{
    take_value(*(int *)ctx, data, size == sizeof(struct soak_value));
    return 0;
}

void soak_turn_ringbuf(struct soak_worker *w, int row)
{
    int n;
    (void)w;

    if (!take(0))
        return;
    n = ebpf_ringbuf_consume(map_of(row), take_record, &row);
    soak_note(row, n < 0 ? n : 0, 0);
    leave(0);
}

/* Programs have taken the samples that were there by the last hit. */
int soak_settle_ring(struct soak_worker *w, int row)
{
    if (row == SOAK_ringbuf)
        soak_turn_ringbuf(w, row);
    CHECK(soak_total(row, SOAK_ADDED) == soak_total(row, SOAK_REMOVED));
    CHECK(soak_total(row, SOAK_IN) == soak_total(row, SOAK_OUT));
    return 0;
}

/* ---- ring buffers of user mode --------------------------------------------------------------- */

void soak_turn_user_ringbuf(struct soak_worker *w, int row)
{
    struct soak_value *v = w->values;

    if (!take(1))
        return;
    for (uint32_t n = soak_draw(w, 20); n; n--) {
        soak_fill(v, soak_draw(w, UINT32_MAX), soak_draw(w, UINT32_MAX));
        if (!soak_note(row, ebpf_user_ringbuf_post(map_of(row), v, sizeof(*v)), 0))
            break; /* full */
        soak_count(row, SOAK_ADDED, 1);
        soak_count(row, SOAK_IN, v->key);
    }
    leave(1);
}

/* ---- perf events ----------------------------------------------------------------------------- */

#define EVENT_PAGES 16
static struct ebpf_obj *events[MAX_HARTS];
static int event_fd[MAX_HARTS]; /* in every worker's table */
static uint64_t lost;

int soak_prepare_perf(struct soak_worker *w, int row)
{
    lost = 0;
    for (unsigned i = 0; i < cpu_count; i++) {
        CHECK(ebpf_perf_event_create(i, EVENT_PAGES, &events[i]) == 0);
        ebpf_obj_get(events[i]);
        event_fd[i] = ebpf_os_fd_install(events[i]);
        CHECK(event_fd[i] >= 0);
        CHECK(soak_element(w, BPF_MAP_UPDATE_ELEM, row, &i, &event_fd[i], BPF_ANY) == 0);
    }
    return 0;
}

/* A sample's data is padded to 8 bytes, with its length in front of it. */
static int take_event(void *ctx, void *data, uint32_t size)
{
    take_value(*(int *)ctx, data, size == sizeof(struct soak_value) + 4);
    return 0;
}

static void consume_event(int row, unsigned hart)
{
    uint64_t told = 0;
    int n;

    if (!take(2 + hart))
        return;
    n = ebpf_perf_event_consume(events[hart], take_event, &row, &told);
    soak_note(row, n < 0 ? n : 0, 0);
    __atomic_fetch_add(&lost, told, __ATOMIC_RELAXED);
    leave(2 + hart);
}

/* Reads a hart's event; sometimes takes it out of the array, or puts it back. */
void soak_turn_perf(struct soak_worker *w, int row)
{
    uint32_t hart = soak_draw(w, cpu_count), what = soak_draw(w, 64);

    if (what == 0)
        soak_note(row, soak_element(w, BPF_MAP_DELETE_ELEM, row, &hart, NULL, 0), -ENOENT);
    else if (what < 4)
        soak_note(row, soak_element(w, BPF_MAP_UPDATE_ELEM, row, &hart, &event_fd[hart], BPF_ANY),
                  0);
    else
        consume_event(row, hart);
}

/* Programs were refused at least as often as readers were told; the last may not be told yet. */
int soak_settle_perf(struct soak_worker *w, int row)
{
    (void)w;
    for (unsigned i = 0; i < cpu_count; i++) {
        consume_event(row, i);
        ebpf_obj_put(events[i]);
    }
    CHECK(soak_total(row, SOAK_ADDED) == soak_total(row, SOAK_REMOVED));
    CHECK(soak_total(row, SOAK_IN) == soak_total(row, SOAK_OUT));
    CHECK(lost <= soak_total(row, SOAK_FULL));
    return 0;
}
