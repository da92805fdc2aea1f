/* SPDX-License-Identifier: MIT */
/* BPF_MAP_TYPE_ARRAY_OF_MAPS: a program's lookup gives the map at an index, for lookups in that. */
#include "maps/array.h"
#include "maps/map_in_map.h"
#include "maps/object_array.h"

static int array_alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out)
{
    struct ebpf_map like;
    int err = ebpf_inner_like(spec, &like);

    if (!err)
        err = ebpf_object_array_alloc(spec, out);
    if (err)
        return err;
    ebpf_object_array_of(*out)->like = like;
    (*out)->inner = &ebpf_object_array_of(*out)->like;
    return 0;
}

/* ---- for user mode ------------------------------------------------------------------------- */

static void set_slot(struct ebpf_map *map, uint32_t index, struct ebpf_obj *obj, bool *had)
{
    struct ebpf_obj *old =
        __atomic_exchange_n(&ebpf_object_array_of(map)->slots[index], obj, __ATOMIC_ACQ_REL);

    *had = old != NULL;
    if (old)
        ebpf_obj_drop(old);
}

static int put(struct ebpf_map *map, const void *key, struct ebpf_obj *obj, uint64_t flags)
{
    uint32_t index = ebpf_array_index(key);
    bool had;
    int err;

    if (flags != BPF_ANY)
        return -EINVAL;
    if (index >= map->max_entries)
        return -E2BIG;
    if (obj) {
        err = ebpf_inner_check(map, ebpf_map_of(obj));
        if (err)
            return err;
        ebpf_obj_hold(obj);
    }
    set_slot(map, index, obj, &had);
    return obj || had ? 0 : -ENOENT;
}

static int update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags)
{
    struct ebpf_obj *obj;
    bool had;
    int32_t fd;
    int err = ebpf_object_array_fd(map, key, value, flags, &fd);

    if (!err)
        err = ebpf_inner_from_fd(map, fd, &obj);
    if (!err)
        set_slot(map, ebpf_array_index(key), obj, &had);
    return err;
}

static int remove_key(struct ebpf_map *map, const void *key)
{
    return put(map, key, NULL, BPF_ANY);
}

static void array_free(struct ebpf_map *map)
{
    bool had;

    for (uint32_t i = 0; i < map->max_entries; i++)
        set_slot(map, i, NULL, &had);
    ebpf_object_array_free(map);
}

/* ---- for programs -------------------------------------------------------------------------- */

/* The map lives until the section ends: a drop waits for it. */
static void *array_lookup(struct ebpf_map *map, const void *key)
{
    uint32_t index = ebpf_array_index(key);

    if (index >= map->max_entries)
        return NULL;
    return __atomic_load_n(&ebpf_object_array_of(map)->slots[index], __ATOMIC_ACQUIRE);
}

static const struct ebpf_map_object_ops object_ops = {
    .lookup = ebpf_object_array_id,
    .update = update,
    .remove = remove_key,
    .put = put,
};

const struct ebpf_map_ops ebpf_map_array_of_maps_ops = {
    .name = "array_of_maps",
    .flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY,
    .batches = EBPF_BATCH_LOOKUP | EBPF_BATCH_UPDATE,
    .outer = true,
    .check = ebpf_object_array_check,
    .alloc = array_alloc,
    .free = array_free,
    .lookup = array_lookup,
    .update = ebpf_objects_update,
    .remove = ebpf_array_remove,
    .next_key = ebpf_array_next_key,
    .objects = &object_ops,
};
