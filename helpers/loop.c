/* SPDX-License-Identifier: MIT */
/* Helpers 164 and 181: functions of the program called for each element of a map, or so many
 * times. */
#include "helpers/helper.h"
#include "helpers/types.h"
#include "maps/map.h"
#include "src/core/prog.h"

/* r1: how many times, r2: function, r3: its context, r4: flags. Returns how many times. */
EBPF_HELPER_FN(loop)
{
    uint32_t count = (uint32_t)r1, i = 0;

    if (r4)
        return ebpf_reg_int(-EINVAL);
    if (count > EBPF_MAX_LOOPS)
        return ebpf_reg_int(-E2BIG);
    while (i < count) {
        const uint64_t args[5] = {i, r3};

        i++;
        if (ebpf_call_back(r2, args))
            break; /* it has had enough */
    }
    return i;
}

const struct ebpf_helper ebpf_helper_loop = {
    .name = "loop",
    .fn = loop,
    .arg = {ARG_SCALAR, ARG_FUNC, ARG_STACK_OR_NULL, ARG_ANYTHING},
    .caps = EBPF_CAP_BPF,
    .callback = CALLBACK_LOOP,
};

struct each {
    uint64_t func, ctx;
};

static uint64_t visit(void *ctx, struct ebpf_map *map, const void *key, void *value)
{
    const struct each *each = ctx;
    const uint64_t args[5] = {(uintptr_t)map, (uintptr_t)key, (uintptr_t)value, each->ctx};

    return ebpf_call_back(each->func, args);
}

/* r1: map, r2: function, r3: its context, r4: flags. Returns how many elements it was called
 * for. */
EBPF_HELPER_FN(for_each_map_elem)
{
    struct ebpf_map *map = ebpf_reg_ptr(r1);
    struct each each = {.func = r2, .ctx = r3};

    if (r4)
        return ebpf_reg_int(-EINVAL);
    if (!map->ops->for_each) /* Linux's verifier says so */
        return ebpf_reg_int(-ENOTSUPP);
    return ebpf_reg_int(map->ops->for_each(map, visit, &each));
}

const struct ebpf_helper ebpf_helper_for_each_map_elem = {
    .name = "for_each_map_elem",
    .fn = for_each_map_elem,
    .arg = {ARG_MAP, ARG_FUNC, ARG_STACK_OR_NULL, ARG_ANYTHING},
    .caps = EBPF_CAP_BPF,
    .maps = MAP(HASH) | MAP(ARRAY) | MAP(PERCPU_HASH) | MAP(PERCPU_ARRAY) | MAP(LRU_HASH) |
            MAP(LRU_PERCPU_HASH),
    .callback = CALLBACK_MAP_ELEM,
};
