/* SPDX-License-Identifier: MIT */
/* BPF_MAP_TYPE_ARRAY: all elements exist from creation on, zero-filled, and can neither be added
 * nor deleted. */
#include "maps/array.h"

#include "maps/fields.h"
#include "maps/value.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"

/* ---- shared with the per-CPU array --------------------------------------------------------- */

uint32_t ebpf_array_index(const void *key)
{
    return (uint32_t)ebpf_word_load(key, sizeof(uint32_t));
}

int ebpf_array_check(const struct ebpf_map_spec *spec)
{
    if (spec->max_entries == 0 || spec->key_size != sizeof(uint32_t) || spec->value_size == 0)
        return -EINVAL;
    if (spec->value_size > INT32_MAX) /* so that rounding it up cannot wrap */
        return -E2BIG;
    return 0;
}

int ebpf_array_check_update(const struct ebpf_map *map, uint32_t index, uint64_t flags)
{
    if ((flags & ~(uint64_t)BPF_F_LOCK) > BPF_EXIST)
        return -EINVAL;
    if (index >= map->max_entries)
        return -E2BIG;
    if (flags & BPF_NOEXIST)
        return -EEXIST;
    return flags & BPF_F_LOCK && map->lock_off < 0 ? -EINVAL : 0;
}

int ebpf_array_remove(struct ebpf_map *map, const void *key)
{
    (void)map;
    (void)key;
    return -EINVAL;
}

int ebpf_array_next_key(struct ebpf_map *map, const void *key, void *next)
{
    uint32_t index = key ? ebpf_array_index(key) : UINT32_MAX;

    if (index == map->max_entries - 1)
        return -ENOENT;
    index = index < map->max_entries ? index + 1 : 0;
    memcpy(next, &index, sizeof(index));
    return 0;
}

/* ---- the type ------------------------------------------------------------------------------ */

static inline struct ebpf_array *array_of(const struct ebpf_map *map)
{
    return (struct ebpf_array *)map;
}

/* What user mode may map has pages of its own: nothing else lies in them, and nothing is left in
 * them of who had the memory before. */
static int array_alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out)
{
    size_t stride = EBPF_ROUND_UP((size_t)spec->value_size, 8), bytes;
    size_t align = spec->flags & BPF_F_MMAPABLE ? EBPF_PAGE : 8;
    struct ebpf_array *array;

    if (!ebpf_mul_ok(stride, spec->max_entries, &bytes) ||
        !ebpf_add_ok(bytes, sizeof(*array) + 2 * align, &bytes))
        return -E2BIG;
    array = ebpf_zalloc(bytes);
    if (!array)
        return -ENOMEM;
    array->values = (uint8_t *)EBPF_ROUND_UP((uintptr_t)(array + 1), (uintptr_t)align);
    array->bytes = bytes;
    *out = &array->map;
    return 0;
}

static void array_free(struct ebpf_map *map)
{
    ebpf_free(map, array_of(map)->bytes);
}

static inline void *value_at(const struct ebpf_map *map, uint32_t index)
{
    return array_of(map)->values + (size_t)index * map->value_stride;
}

static void *array_lookup(struct ebpf_map *map, const void *key)
{
    uint32_t index = ebpf_array_index(key);

    return index < map->max_entries ? value_at(map, index) : NULL;
}

static int array_update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags)
{
    uint32_t index = ebpf_array_index(key);
    int err = ebpf_array_check_update(map, index, flags);

    if (err)
        return err;
    if (flags & BPF_F_LOCK)
        ebpf_fields_copy_locked(map, value_at(map, index), value);
    else
        ebpf_fields_copy_in(map, value_at(map, index), value);
    if (map->timer_off >= 0)
        ebpf_fields_release(map, value_at(map, index));
    return 0;
}

static int array_lookup_copy(struct ebpf_map *map, const void *key, void *value)
{
    void *found = array_lookup(map, key);

    if (!found)
        return -ENOENT;
    ebpf_fields_copy_out(map, value, found, false);
    return 0;
}

/* take: nothing can be taken out, as map.c knows from take_copy */
static int array_copy_locked(struct ebpf_map *map, const void *key, void *value, bool take)
{
    void *found = array_lookup(map, key);

    (void)take;
    if (!found)
        return -ENOENT;
    ebpf_fields_copy_out(map, value, found, true);
    return 0;
}

static int64_t array_for_each(struct ebpf_map *map, ebpf_map_each_fn fn, void *ctx)
{
    for (uint32_t i = 0; i < map->max_entries; i++) {
        uint32_t key = i;

        if (fn(ctx, map, &key, value_at(map, i)))
            return (int64_t)i + 1;
    }
    return map->max_entries;
}

static uint32_t array_places(const struct ebpf_map *map)
{
    return map->max_entries;
}

static uint32_t array_locate(const struct ebpf_map *map, const void *value, const void **key)
{
    *key = NULL;
    return (uint32_t)((size_t)((const uint8_t *)value - array_of(map)->values) / map->value_stride);
}

static int array_value_addr(const struct ebpf_map *map, uint32_t off, uint64_t *addr)
{
    if (map->max_entries != 1)
        return -ENOTSUPP;
    if (off >= map->value_size)
        return -EINVAL;
    *addr = (uintptr_t)array_of(map)->values + off;
    return 0;
}

/* ---- mmap(2) ------------------------------------------------------------------------------- */

static int array_mmap(const struct ebpf_map *map, uint64_t offset, size_t size, bool write)
{
    uint64_t bytes = (uint64_t)map->max_entries * map->value_stride;

    (void)write;
    if (!(map->flags & BPF_F_MMAPABLE) || offset + size > EBPF_ROUND_UP(bytes, EBPF_PAGE))
        return -EINVAL;
    return 0;
}

static void *array_page(struct ebpf_map *map, uint64_t offset)
{
    return array_of(map)->values + offset;
}

const struct ebpf_map_ops ebpf_map_array_ops = {
    .name = "array",
    .flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG |
             BPF_F_MMAPABLE | BPF_F_INNER_MAP,
    .inner = true,
    .inner_alike = true,
    .batches = EBPF_BATCH_LOOKUP | EBPF_BATCH_UPDATE,
    .check = ebpf_array_check,
    .alloc = array_alloc,
    .free = array_free,
    .lookup = array_lookup,
    .update = array_update,
    .remove = ebpf_array_remove,
    .lookup_copy = array_lookup_copy,
    .copy_locked = array_copy_locked,
    .update_copy = array_update,
    .next_key = ebpf_array_next_key,
    .for_each = array_for_each,
    .places = array_places,
    .locate = array_locate,
    .value_addr = array_value_addr,
    .mmap = array_mmap,
    .page = array_page,
};
