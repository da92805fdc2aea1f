/* SPDX-License-Identifier: MIT */
/*
 * Maps in maps. The maps in one map are all alike, so that a program can be checked against the one
 * that was there when the outer map was created (Linux: bpf_map_meta_alloc() and
 * bpf_map_meta_equal()). They may differ in their number of entries, but for arrays, whose lookups
 * Linux compiles with that number in them unless they have BPF_F_INNER_MAP.
 *
 * One level only: a map that has maps in it cannot be in a map. So an outer map can hold its maps
 * without going round in circles.
 */
#include "maps/map_in_map.h"

int ebpf_inner_like(const struct ebpf_map_spec *spec, struct ebpf_map *like)
{
    const struct ebpf_map *inner = spec->inner;

    if (!inner || inner->inner)
        return -EINVAL;
    if (!inner->ops->inner)
        return -ENOTSUPP;
    *like = (struct ebpf_map){
        .ops = inner->ops,
        .type = inner->type,
        .key_size = inner->key_size,
        .value_size = inner->value_size,
        .max_entries = inner->max_entries,
        .flags = inner->flags,
        .value_stride = inner->value_stride,
        .lock_off = inner->lock_off,
        .timer_off = inner->timer_off,
    };
    return 0;
}

int ebpf_inner_check(const struct ebpf_map *outer, const struct ebpf_map *map)
{
    const struct ebpf_map *like = outer->inner;

    if (map->type != like->type || map->key_size != like->key_size ||
        map->value_size != like->value_size || map->flags != like->flags ||
        map->lock_off != like->lock_off || map->timer_off != like->timer_off)
        return -EINVAL;
    if (map->ops->inner_alike && !(map->flags & BPF_F_INNER_MAP) &&
        map->max_entries != like->max_entries)
        return -EINVAL;
    return 0;
}

int ebpf_inner_from_fd(const struct ebpf_map *outer, int fd, struct ebpf_obj **out)
{
    struct ebpf_map *map;
    int err = ebpf_map_from_fd(fd, &map);

    if (err)
        return err;
    err = ebpf_inner_check(outer, map);
    if (!err) {
        ebpf_obj_hold(&map->obj);
        *out = &map->obj;
    }
    ebpf_obj_put(&map->obj);
    return err;
}
