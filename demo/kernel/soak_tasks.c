/* SPDX-License-Identifier: MIT */
/* The soak's rows for what belongs to threads: their stacks, and task storage, while threads come
 * and go. */
#include "soak.h"

/* ---- stacks ---------------------------------------------------------------------------------- */

static bool in_text(uint64_t pc)
{
    return pc >= (uint64_t)__kernel_start && pc < (uint64_t)__text_end;
}

/* A stack begins at one of the probed functions, and its callers are code. */
static void check_stack(struct soak_worker *w, int row)
{
    bool ok = w->keys[0] == (uint64_t)soak_hit || w->keys[0] == (uint64_t)schedule;
    int depth = 0;

    while (depth < SOAK_DEPTH && w->keys[depth])
        ok &= in_text(w->keys[depth++]);
    for (; depth < SOAK_DEPTH; depth++)
        ok &= w->keys[depth] == 0;
    if (!ok)
        soak_count(row, SOAK_TORN, 1);
}

void soak_turn_stacks(struct soak_worker *w, int row)
{
    uint32_t id = soak_draw(w, SOAK_STACKS), what = soak_draw(w, 10);
    int cmd = what < 2 ? BPF_MAP_LOOKUP_AND_DELETE_ELEM : BPF_MAP_LOOKUP_ELEM;

    if (what == 0)
        soak_note(row, soak_element(w, BPF_MAP_DELETE_ELEM, row, &id, NULL, 0), -ENOENT);
    else if (what < 8 && soak_note(row, soak_element(w, cmd, row, &id, w->keys, 0), -ENOENT))
        check_stack(w, row);
    else if (what >= 8)
        soak_note(row, soak_element(w, BPF_MAP_GET_NEXT_KEY, row, &id, w->keys, 0), -ENOENT);
}

static uint32_t count_stacks(struct soak_worker *w, int row)
{
    uint32_t count = 0, id = 0;

    while (soak_element(w, BPF_MAP_GET_NEXT_KEY, row, count ? &id : NULL, &id, 0) == 0)
        count++;
    return count;
}

/* A stack of its own for each number of 6 bits: a call from one place or from the other. */
static noinline uint64_t descend(unsigned path, unsigned depth)
{
    uint64_t below;

    if (!depth)
        return soak_hit(path);
    if (path & 1) {
        below = descend(path >> 1, depth - 1);
        __asm__ volatile("# one"); /* or there would be one call */
    } else {
        below = descend(path >> 1, depth - 1);
        __asm__ volatile("# other");
    }
    return below;
}

/* When the map is empty it takes as many stacks as before: no element is lost. */
int soak_settle_stacks(struct soak_worker *w, int row)
{
    struct ebpf_object_prog *prog = soak_find_prog("soak_stack_trace");

    CHECK(soak_total(row, SOAK_ADDED) > 0);
    for (uint32_t id = 0; id < SOAK_STACKS; id++)
        soak_element(w, BPF_MAP_DELETE_ELEM, row, &id, NULL, 0);
    CHECK(count_stacks(w, row) == 0);
    CHECK(ebpf_object_prog_attach(prog) == 0);
    for (unsigned path = 0; path < 64; path++)
        descend(path, 6);
    CHECK(ebpf_object_prog_detach(prog) == 0);
    CHECK(count_stacks(w, row) == SOAK_STACKS);
    return 0;
}

/* ---- tasks ----------------------------------------------------------------------------------- */

/* The count of the thread tid: 0, -ENOENT. */
static long read_count(struct soak_worker *w, int row, int tid, uint64_t *count)
{
    long fd = sys_pidfd_open(tid, 0), err;

    *count = 0;
    if (fd < 0)
        return fd;
    err = soak_element(w, BPF_MAP_LOOKUP_ELEM, row, &fd, count, 0);
    sys_close((int)fd);
    return err;
}

struct visitor {
    unsigned calls;
};

static void run_visitor(void *arg)
{
    struct visitor *v = arg;

    for (unsigned i = 0; i < v->calls; i++)
        soak_hit(i);
}

/* A thread that comes, counts and goes. */
static void visit(struct soak_worker *w, int row)
{
    struct visitor visitor = {.calls = soak_draw(w, 30)};
    struct thread *t = thread_create("visitor", run_visitor, &visitor);
    uint64_t count;

    if (!soak_note(row, t ? 0 : -ENOMEM, 0))
        return;
    thread_wait(t);
    soak_note(row, read_count(w, row, t->tid, &count), -ENOENT);
    soak_count(row, SOAK_OUT, count);
    w->made += visitor.calls;
    thread_free(t);
}

/* The worker's own storage, which no program touches. */
static void keep_own(struct soak_worker *w, int row)
{
    long fd = sys_pidfd_open(current->tid, 0);
    uint64_t value = soak_draw(w, UINT32_MAX), seen = 0;

    if (!soak_note(row, fd < 0 ? fd : 0, 0))
        return;
    soak_note(row, soak_element(w, BPF_MAP_UPDATE_ELEM, row, &fd, &value, BPF_ANY), 0);
    soak_note(row, soak_element(w, BPF_MAP_LOOKUP_ELEM, row, &fd, &seen, 0), 0);
    if (seen != value)
        soak_count(row, SOAK_TORN, 1);
    if (soak_draw(w, 2))
        soak_note(row, soak_element(w, BPF_MAP_DELETE_ELEM, row, &fd, NULL, 0), 0);
    sys_close((int)fd);
}

void soak_turn_tasks(struct soak_worker *w, int row)
{
    int tid = soak.hitter_tid[soak_draw(w, SOAK_HITTERS)];
    uint32_t what = soak_draw(w, 256);
    uint64_t count;

    if (what == 0)
        visit(w, row);
    else if (what < 16)
        keep_own(w, row);
    else
        soak_note(row, read_count(w, row, tid, &count), -ENOENT);
}

/* What was counted is in a thread's storage, or was when it was deleted or the thread ended. */
int soak_settle_tasks(struct soak_worker *w, int row)
{
    uint64_t left = 0, count;

    for (int i = 0; i < SOAK_HITTERS; i++) {
        soak_note(row, read_count(w, row, soak.hitter_tid[i], &count), -ENOENT);
        left += count;
    }
    soak_note(row, read_count(w, row, current->tid, &count), -ENOENT);
    CHECK(soak_total(row, SOAK_IN) == soak_total(row, SOAK_OUT) + left + count);
    return 0;
}
