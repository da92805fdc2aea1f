/* SPDX-License-Identifier: MIT */
/*
 * BPF_MAP_TYPE_PROG_ARRAY: programs for bpf_tail_call(). User mode writes fds and reads ids;
 * programs can neither read nor write it, only jump through it.
 *
 * All programs in an array, and all that name it, are of one kind, which the first decides. Unlike
 * on Linux it does not matter which of them are compiled: tail calls work between the engines.
 *
 * A program in the array may itself use the array, so that they would keep each other alive: when
 * the array's last user goes, it gives its programs up (ebpf_obj.unused), as on Linux.
 */
#include "maps/array.h"
#include "maps/object_array.h"

/* ---- for user mode ------------------------------------------------------------------------- */

static int own(struct ebpf_map *map, uint64_t kind)
{
    uint64_t none = 0;

    if (__atomic_compare_exchange_n(&ebpf_object_array_of(map)->kind, &none, kind, false,
                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return 0;
    return none == kind ? 0 : -EINVAL; /* a failed exchange says what is there */
}

static int put_at(struct ebpf_map *map, uint32_t index, struct ebpf_obj *obj)
{
    if (obj && index < map->max_entries && own(map, ebpf_prog_kind(obj)))
        return -EINVAL;
    return ebpf_object_array_set(map, index, obj);
}

static int update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags)
{
    struct ebpf_obj *prog;
    int32_t fd;
    int err = ebpf_object_array_fd(map, key, value, flags, &fd);

    if (!err)
        err = ebpf_obj_from_fd(fd, EBPF_OBJ_PROG, &prog);
    if (err)
        return err;
    err = put_at(map, ebpf_array_index(key), prog);
    ebpf_obj_put(prog);
    return err;
}

static int put(struct ebpf_map *map, const void *key, struct ebpf_obj *obj, uint64_t flags)
{
    return flags == BPF_ANY ? put_at(map, ebpf_array_index(key), obj) : -EINVAL;
}

static int remove_key(struct ebpf_map *map, const void *key)
{
    return put_at(map, ebpf_array_index(key), NULL);
}

static struct ebpf_obj *get(struct ebpf_map *map, uint32_t index)
{
    if (index >= map->max_entries)
        return NULL;
    return __atomic_load_n(&ebpf_object_array_of(map)->slots[index], __ATOMIC_ACQUIRE);
}

static void clear(struct ebpf_map *map)
{
    for (uint32_t i = 0; i < map->max_entries; i++)
        (void)put_at(map, i, NULL); /* -ENOENT: was empty */
}

/* ---- for programs: nothing but tail calls ---------------------------------------------------- */

static const struct ebpf_map_object_ops object_ops = {
    .lookup = ebpf_object_array_id,
    .update = update,
    .remove = remove_key,
    .put = put,
    .own = own,
    .clear = clear,
    .get = get,
};

const struct ebpf_map_ops ebpf_map_prog_array_ops = {
    .name = "prog_array",
    .flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY,
    .check = ebpf_object_array_check,
    .alloc = ebpf_object_array_alloc,
    .free = ebpf_object_array_free, /* it has no users, so it is clear already */
    .lookup = ebpf_objects_lookup,
    .update = ebpf_objects_update,
    .remove = ebpf_array_remove,
    .next_key = ebpf_array_next_key,
    .objects = &object_ops,
    .own_helpers = true,
};
