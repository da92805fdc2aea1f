/* SPDX-License-Identifier: MIT */
/*
 * The soak's timers: programs that bpf(2) runs arm and cancel them on all harts, their functions
 * arm themselves and delete their elements, and bpf(2) takes elements away from under them.
 */
#include "soak.h"

static void run_program(struct soak_worker *w, int row)
{
    memset(&w->attr, 0, sizeof(w->attr));
    w->attr.test.prog_fd = (uint32_t)soak.run_fd[row];
    w->attr.test.data_in = (uint64_t)w->keys;
    w->attr.test.data_size_in = 64;
    w->attr.test.repeat = 8;
    soak_note(row, soak_bpf(w, BPF_PROG_TEST_RUN), 0);
}

void soak_turn_timers(struct soak_worker *w, int row)
{
    struct soak_alarm v;
    uint32_t key = soak_draw(w, SOAK_KEYS);

    run_program(w, row);
    if (soak_note(row, soak_element(w, BPF_MAP_LOOKUP_ELEM, row, &key, &v, 0), 0) &&
        (v.armed > 1 || v.timer[0] || v.timer[1]))
        soak_count(row, SOAK_TORN, 1);
}

/* Each start was cancelled or has fired. */
int soak_settle_timers(struct soak_worker *w, int row)
{
    struct soak_alarm v;

    CHECK(soak_total(row, SOAK_ADDED) == soak_total(row, SOAK_REMOVED) + soak_total(row, SOAK_OUT));
    CHECK(soak_total(row, SOAK_REMOVED) > 0 && soak_total(row, SOAK_OUT) > 0);
    for (uint32_t key = 0; key < SOAK_KEYS; key++) {
        CHECK(soak_element(w, BPF_MAP_LOOKUP_ELEM, row, &key, &v, 0) == 0);
        CHECK(v.armed == 0);
    }
    return 0;
}

void soak_turn_timer_hash(struct soak_worker *w, int row)
{
    uint64_t key = soak_draw(w, SOAK_KEYS);
    struct soak_alarm v = {.key = key, .timer = {~0ul, ~0ul}};
    uint32_t what = soak_draw(w, 8);

    run_program(w, row);
    if (what == 0) {
        if (soak_note(row, soak_element(w, BPF_MAP_DELETE_ELEM, row, &key, NULL, 0), -ENOENT))
            soak_count(row, SOAK_REMOVED, 1);
    } else if (what == 1) {
        soak_note(row, soak_element(w, BPF_MAP_UPDATE_ELEM, row, &key, &v, BPF_EXIST), -ENOENT);
    } else if (what == 2) {
        if (!soak_note(row, soak_element(w, BPF_MAP_LOOKUP_AND_DELETE_ELEM, row, &key, &v, 0),
                       -ENOENT))
            return;
        soak_count(row, SOAK_REMOVED, 1);
        if (v.key != key || v.timer[0] || v.timer[1])
            soak_count(row, SOAK_TORN, 1);
    }
}

/* Some timers still wait: the map goes with them. */
int soak_settle_timer_hash(struct soak_worker *w, int row)
{
    uint64_t left = soak_total(row, SOAK_ADDED) - soak_total(row, SOAK_REMOVED), count = 0, key, next;

    while (soak_element(w, BPF_MAP_GET_NEXT_KEY, row, count ? &key : NULL, &next, 0) == 0 &&
           count <= SOAK_ENTRIES) {
        key = next;
        count++;
    }
    CHECK(count == left);
    CHECK(soak_total(row, SOAK_IN) > 0);
    return 0;
}
