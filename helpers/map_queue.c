/* SPDX-License-Identifier: MIT */
/* Helpers 87 to 89: maps without keys. A map of another kind gives -EINVAL, in which Linux's
 * verifier does not let a program run. */
#include "helpers/helper.h"
#include "helpers/types.h"
#include "maps/map.h"

EBPF_HELPER_FN(map_push_elem)
{
    struct ebpf_map *map = ebpf_reg_ptr(r1);

    return ebpf_reg_int(map->ops->push ? map->ops->push(map, ebpf_reg_ptr(r2), r3) : -EINVAL);
}

const struct ebpf_helper ebpf_helper_map_push_elem = {
    .name = "map_push_elem",
    .fn = map_push_elem,
    .arg = {ARG_MAP, ARG_MAP_VALUE, ARG_ANYTHING},
    .maps = MAP(QUEUE) | MAP(STACK) | MAP(BLOOM_FILTER),
    .packet_args = true,
};

EBPF_HELPER_FN(map_pop_elem)
{
    struct ebpf_map *map = ebpf_reg_ptr(r1);

    return ebpf_reg_int(map->ops->pop ? map->ops->pop(map, ebpf_reg_ptr(r2)) : -EINVAL);
}

const struct ebpf_helper ebpf_helper_map_pop_elem = {
    .name = "map_pop_elem",
    .fn = map_pop_elem,
    .arg = {ARG_MAP, ARG_MAP_VALUE_WR},
    .maps = MAP(QUEUE) | MAP(STACK),
};

/* A bloom filter reads the value. */
EBPF_HELPER_FN(map_peek_elem)
{
    struct ebpf_map *map = ebpf_reg_ptr(r1);

    return ebpf_reg_int(map->ops->peek ? map->ops->peek(map, ebpf_reg_ptr(r2)) : -EINVAL);
}

const struct ebpf_helper ebpf_helper_map_peek_elem = {
    .name = "map_peek_elem",
    .fn = map_peek_elem,
    .arg = {ARG_MAP, ARG_MAP_VALUE_WR},
    .maps = MAP(QUEUE) | MAP(STACK) | MAP(BLOOM_FILTER),
};
