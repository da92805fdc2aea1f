/* SPDX-License-Identifier: MIT */
/* Helpers 1 to 3 and 195: a program's access to its maps. */
#include "helpers/helper.h"
#include "helpers/types.h"
#include "maps/map.h"

/* Linux's check_map_func_compatibility(): no lookup in types that are for their own helpers only,
 * but in maps of maps, which take nothing else. */
#define NO_LOOKUP                                                                                \
    (MAP(PROG_ARRAY) | MAP(PERF_EVENT_ARRAY) | MAP(STACK_TRACE) | MAP(CGROUP_ARRAY) |            \
     MAP(CPUMAP) | MAP(CGROUP_STORAGE) | MAP(REUSEPORT_SOCKARRAY) | MAP(PERCPU_CGROUP_STORAGE) | \
     MAP(QUEUE) | MAP(STACK) | MAP(SK_STORAGE) | MAP(RINGBUF) | MAP(INODE_STORAGE) |             \
     MAP(TASK_STORAGE) | MAP(BLOOM_FILTER) | MAP(USER_RINGBUF) | MAP(CGRP_STORAGE))

EBPF_HELPER_FN(map_lookup_elem)
{
    struct ebpf_map *map = ebpf_reg_ptr(r1);

    return (uintptr_t)map->ops->lookup(map, ebpf_reg_ptr(r2));
}

const struct ebpf_helper ebpf_helper_map_lookup_elem = {
    .name = "map_lookup_elem",
    .fn = map_lookup_elem,
    .arg = {ARG_MAP, ARG_MAP_KEY},
    .ret = RET_MAP_VALUE_OR_NULL,
    .maps = ~NO_LOOKUP,
    .packet_args = true,
};

EBPF_HELPER_FN(map_update_elem)
{
    struct ebpf_map *map = ebpf_reg_ptr(r1);

    return ebpf_reg_int(map->ops->update(map, ebpf_reg_ptr(r2), ebpf_reg_ptr(r3), r4));
}

const struct ebpf_helper ebpf_helper_map_update_elem = {
    .name = "map_update_elem",
    .fn = map_update_elem,
    .arg = {ARG_MAP, ARG_MAP_KEY, ARG_MAP_VALUE, ARG_ANYTHING},
    .packet_args = true,
};

EBPF_HELPER_FN(map_delete_elem)
{
    struct ebpf_map *map = ebpf_reg_ptr(r1);

    return ebpf_reg_int(map->ops->remove(map, ebpf_reg_ptr(r2)));
}

const struct ebpf_helper ebpf_helper_map_delete_elem = {
    .name = "map_delete_elem",
    .fn = map_delete_elem,
    .arg = {ARG_MAP, ARG_MAP_KEY},
    .packet_args = true,
};

/* NULL also for a map that has no value for each hart, and for a hart that does not exist. */
EBPF_HELPER_FN(map_lookup_percpu_elem)
{
    struct ebpf_map *map = ebpf_reg_ptr(r1);

    if (!map->ops->lookup_cpu)
        return 0;
    return (uintptr_t)map->ops->lookup_cpu(map, ebpf_reg_ptr(r2), (uint32_t)r3);
}

const struct ebpf_helper ebpf_helper_map_lookup_percpu_elem = {
    .name = "map_lookup_percpu_elem",
    .fn = map_lookup_percpu_elem,
    .arg = {ARG_MAP, ARG_MAP_KEY, ARG_ANYTHING},
    .ret = RET_MAP_VALUE_OR_NULL,
    .maps = MAP(PERCPU_ARRAY) | MAP(PERCPU_HASH) | MAP(LRU_PERCPU_HASH),
    .packet_args = true,
};
