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
#include "maps/prog_array.h"

#include "maps/array.h"
#include "maps/object_array.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"

static struct ebpf_prog_array *array_of(struct ebpf_map *map)
{
    return (struct ebpf_prog_array *)map;
}

static int array_alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out)
{
    struct ebpf_prog_array *array;
    size_t bytes;

    if (!ebpf_mul_ok(spec->max_entries, sizeof(array->progs[0]), &bytes) ||
        !ebpf_add_ok(bytes, sizeof(*array), &bytes))
        return -E2BIG;
    array = ebpf_zalloc(bytes);
    if (!array)
        return -ENOMEM;
    array->bytes = bytes;
    *out = &array->map;
    return 0;
}

/* ---- for user mode ------------------------------------------------------------------------- */

static int own(struct ebpf_map *map, uint64_t kind)
{
    uint64_t none = 0;

    if (__atomic_compare_exchange_n(&array_of(map)->kind, &none, kind, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED))
        return 0;
    return none == kind ? 0 : -EINVAL; /* a failed exchange says what is there */
}

/* The programs of runs that began before stay until these have ended: ebpf_obj_put() waits for them
 * before it destroys anything. */
static int put_at(struct ebpf_map *map, uint32_t index, struct ebpf_obj *obj)
{
    struct ebpf_obj *old;
    int err;

    if (index >= map->max_entries)
        return -E2BIG;
    if (obj) {
        err = own(map, ebpf_prog_kind(obj));
        if (err)
            return err;
        ebpf_obj_get(obj);
    }
    old = __atomic_exchange_n(&array_of(map)->progs[index], obj, __ATOMIC_ACQ_REL);
    if (old)
        ebpf_obj_put(old);
    return old || obj ? 0 : -ENOENT;
}

static int update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags)
{
    uint32_t index = ebpf_array_index(key);
    struct ebpf_obj *prog;
    int32_t fd;
    int err;

    memcpy(&fd, value, sizeof(fd));
    if (flags != BPF_ANY)
        return -EINVAL;
    if (index >= map->max_entries)
        return -E2BIG;
    err = ebpf_obj_from_fd(fd, EBPF_OBJ_PROG, &prog);
    if (err)
        return err;
    err = put_at(map, index, prog);
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
    return __atomic_load_n(&array_of(map)->progs[index], __ATOMIC_ACQUIRE);
}

static int lookup(struct ebpf_map *map, const void *key, void *value)
{
    uint32_t index = ebpf_array_index(key), id;
    int err = -ENOENT;

    if (index < map->max_entries)
        err = ebpf_slot_id(&array_of(map)->progs[index], &id);
    if (!err)
        memcpy(value, &id, sizeof(id));
    return err;
}

static void clear(struct ebpf_map *map)
{
    for (uint32_t i = 0; i < map->max_entries; i++)
        (void)put_at(map, i, NULL); /* -ENOENT: was empty */
}

/* Nobody refers to the map any more: it has no users, so it is clear already. */
static void array_free(struct ebpf_map *map)
{
    ebpf_free(map, array_of(map)->bytes);
}

/* ---- for programs: nothing but tail calls ---------------------------------------------------- */

static const struct ebpf_map_object_ops object_ops = {
    .lookup = lookup,
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
    .alloc = array_alloc,
    .free = array_free,
    .lookup = ebpf_objects_lookup,
    .update = ebpf_objects_update,
    .remove = ebpf_array_remove,
    .next_key = ebpf_array_next_key,
    .objects = &object_ops,
    .own_helpers = true,
};
