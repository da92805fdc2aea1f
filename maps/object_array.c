/* SPDX-License-Identifier: MIT */
/* What the arrays of objects share. */
#include "maps/object_array.h"

#include "maps/array.h"
#include "maps/section.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"

int ebpf_object_array_check(const struct ebpf_map_spec *spec)
{
    return spec->value_size == sizeof(uint32_t) ? ebpf_array_check(spec) : -EINVAL;
}

int ebpf_object_array_alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out)
{
    struct ebpf_object_array *array;
    size_t bytes;

    if (!ebpf_mul_ok(spec->max_entries, sizeof(array->slots[0]), &bytes) ||
        !ebpf_add_ok(bytes, sizeof(*array), &bytes))
        return -E2BIG;
    array = ebpf_zalloc(bytes);
    if (!array)
        return -ENOMEM;
    array->bytes = bytes;
    *out = &array->map;
    return 0;
}

void ebpf_object_array_free(struct ebpf_map *map)
{
    ebpf_free(map, ebpf_object_array_of(map)->bytes);
}

/* Those who found what was there before keep it: ebpf_obj_put() waits for their sections before it
 * destroys anything. */
int ebpf_object_array_set(struct ebpf_map *map, uint32_t index, struct ebpf_obj *obj)
{
    struct ebpf_obj *old;

    if (index >= map->max_entries)
        return -E2BIG;
    if (obj)
        ebpf_obj_get(obj);
    old = __atomic_exchange_n(&ebpf_object_array_of(map)->slots[index], obj, __ATOMIC_ACQ_REL);
    if (old)
        ebpf_obj_put(old);
    return old || obj ? 0 : -ENOENT;
}

int ebpf_object_array_fd(const struct ebpf_map *map, const void *key, const void *value,
                         uint64_t flags, int32_t *fd)
{
    if (flags != BPF_ANY)
        return -EINVAL;
    if (ebpf_array_index(key) >= map->max_entries)
        return -E2BIG;
    memcpy(fd, value, sizeof(*fd));
    return 0;
}

int ebpf_object_array_id(struct ebpf_map *map, const void *key, void *value)
{
    uint32_t index = ebpf_array_index(key), id;
    int err = -ENOENT;

    if (index < map->max_entries)
        err = ebpf_slot_id(&ebpf_object_array_of(map)->slots[index], &id);
    if (!err)
        memcpy(value, &id, sizeof(id));
    return err;
}

int ebpf_slot_id(struct ebpf_obj *const *slot, uint32_t *id)
{
    struct ebpf_section s = ebpf_section_begin();
    const struct ebpf_obj *obj = __atomic_load_n(slot, __ATOMIC_ACQUIRE);

    if (obj)
        *id = obj->id;
    ebpf_section_end(s);
    return obj ? 0 : -ENOENT;
}

void *ebpf_objects_lookup(struct ebpf_map *map, const void *key)
{
    (void)map;
    (void)key;
    return NULL;
}

int ebpf_objects_update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags)
{
    (void)map;
    (void)key;
    (void)value;
    (void)flags;
    return -EINVAL;
}

int ebpf_objects_remove(struct ebpf_map *map, const void *key)
{
    (void)map;
    (void)key;
    return -EINVAL;
}
