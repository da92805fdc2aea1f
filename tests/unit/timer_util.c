/* SPDX-License-Identifier: MIT */
/* See timer_util.h. */
#include "tests/unit/timer_util.h"

#include "maps/map.h"
#include "src/core/prog.h"
#include "tests/unit/loader_util.h"
#include "tests/unit/test.h"

static struct ebpf_map *find_map(struct timers *t, const char *name)
{
    struct ebpf_object_map *map = ebpf_object_find_map(t->obj, name);

    return map ? ebpf_object_map_map(map) : NULL;
}

bool timers_open(struct timers *t, bool jit)
{
    static const char *const names[TIMER_MAPS] = {"array", "hash", "lru"};
    uint32_t zero = 0;
    struct ebpf_map *bss;
    int err;

    memset(t, 0, sizeof(*t));
    t->obj = object_open("timer");
    if (!t->obj)
        return false;
    mock_no_code = !jit;
    err = ebpf_object_load(t->obj, EBPF_CAP_ALL);
    mock_no_code = false;
    if (err) {
        test_fail(__FILE__, __LINE__, "load gives %d\n%s", err, mock_console());
        ebpf_object_close(t->obj);
        return false;
    }
    CHECK_EQ(ebpf_prog_is_jited(ebpf_object_prog_prog(ebpf_object_find_prog(t->obj, "timer_op"))),
             jit);
    for (int i = 0; i < TIMER_MAPS; i++)
        t->map[i] = find_map(t, names[i]);
    bss = find_map(t, ".bss");
    t->shared = bss->ops->lookup(bss, &zero);
    return true;
}

void timers_close(struct timers *t)
{
    ebpf_object_close(t->obj);
}

long timers_run(struct timers *t, const char *prog)
{
    return (int32_t)object_run(t->obj, prog);
}

long timers_op(struct timers *t, int op, int map, uint32_t key, uint64_t flags)
{
    t->shared->request.op = (uint32_t)op;
    t->shared->request.map = (uint32_t)map;
    t->shared->request.key = key;
    t->shared->request.flags = flags;
    return timers_run(t, "timer_op");
}

long timers_start(struct timers *t, int map, uint32_t key, uint64_t ns)
{
    t->shared->request.ns = ns;
    return timers_op(t, TIMER_OP_START, map, key, 0);
}

void timers_make(struct timers *t, int map, uint32_t key, int callback, uint64_t ns)
{
    CHECK_EQ(timers_op(t, TIMER_OP_INIT, map, key, TIMER_MONOTONIC), 0);
    t->shared->request.callback = (uint32_t)callback;
    CHECK_EQ(timers_op(t, TIMER_OP_SET, map, key, 0), 0);
    CHECK_EQ(timers_start(t, map, key, ns), 0);
}

void timers_put(struct timers *t, int map, uint32_t key)
{
    const struct timer_value zero = {0};

    CHECK_EQ(ebpf_map_update(t->map[map], &key, &zero, BPF_ANY), 0);
}

void timers_pass(uint64_t ns)
{
    uint64_t end = mock_time_ns + ns;

    while (mock_armed[ebpf_os_cpu_id()] <= end) {
        uint64_t armed = mock_armed[ebpf_os_cpu_id()];

        mock_time_ns = armed > mock_time_ns ? armed : mock_time_ns;
        ebpf_timer_run();
    }
    mock_time_ns = end;
}
