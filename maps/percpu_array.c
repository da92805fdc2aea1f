/* SPDX-License-Identifier: MIT */
/* BPF_MAP_TYPE_PERCPU_ARRAY: programs see their hart's value, user mode sees and sets those of
 * all harts. */
#include "maps/array.h"

#include "maps/value.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"

#define CACHE_LINE 64u
#define MAX_VALUE 32768u /* Linux: PCPU_MIN_UNIT_SIZE */

static inline struct ebpf_percpu_array *array_of(const struct ebpf_map *map)
{
    return (struct ebpf_percpu_array *)map;
}

static int percpu_check(const struct ebpf_map_spec *spec)
{
    int err = ebpf_array_check(spec);

    if (!err && EBPF_ROUND_UP(spec->value_size, 8u) > MAX_VALUE)
        err = -E2BIG;
    return err;
}

static int percpu_alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out)
{
    size_t stride = EBPF_ROUND_UP((size_t)spec->value_size, 8), bytes;
    unsigned cpus = ebpf_os_cpu_count();
    struct ebpf_percpu_array *array;

    /* 2^15 bytes a value, 2^32 values, 2^8 harts: fits */
    stride = EBPF_ROUND_UP(stride * spec->max_entries, (size_t)CACHE_LINE);
    bytes = sizeof(*array) + CACHE_LINE + stride * cpus;
    array = ebpf_zalloc(bytes);
    if (!array)
        return -ENOMEM;
    array->values = (uint8_t *)EBPF_ROUND_UP((uintptr_t)(array + 1), (uintptr_t)CACHE_LINE);
    array->cpu_stride = stride;
    array->bytes = bytes;
    array->cpus = cpus;
    *out = &array->map;
    return 0;
}

static void percpu_free(struct ebpf_map *map)
{
    ebpf_free(map, array_of(map)->bytes);
}

static inline void *value_at(const struct ebpf_map *map, unsigned cpu, uint32_t index)
{
    const struct ebpf_percpu_array *array = array_of(map);

    return array->values + cpu * array->cpu_stride + (size_t)index * map->value_stride;
}

static void *percpu_lookup(struct ebpf_map *map, const void *key)
{
    uint32_t index = ebpf_array_index(key);

    return index < map->max_entries ? value_at(map, ebpf_os_cpu_id(), index) : NULL;
}

static void *percpu_lookup_cpu(struct ebpf_map *map, const void *key, unsigned cpu)
{
    uint32_t index = ebpf_array_index(key);

    return index < map->max_entries && cpu < array_of(map)->cpus ? value_at(map, cpu, index) : NULL;
}

static int percpu_update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags)
{
    uint32_t index = ebpf_array_index(key);
    int err = ebpf_array_check_update(map, index, flags);

    if (!err)
        ebpf_value_copy(value_at(map, ebpf_os_cpu_id(), index), value, map->value_size);
    return err;
}

/* User mode's values are whole strides: the padding comes from user mode (before, it is zero), as
 * on Linux. */
static int percpu_lookup_copy(struct ebpf_map *map, const void *key, void *value)
{
    uint32_t index = ebpf_array_index(key);

    if (index >= map->max_entries)
        return -ENOENT;
    for (unsigned cpu = 0; cpu < array_of(map)->cpus; cpu++)
        ebpf_value_copy((uint8_t *)value + (size_t)cpu * map->value_stride,
                        value_at(map, cpu, index), map->value_stride);
    return 0;
}

static int percpu_update_copy(struct ebpf_map *map, const void *key, const void *value,
                              uint64_t flags)
{
    uint32_t index = ebpf_array_index(key);
    int err = ebpf_array_check_update(map, index, flags);

    for (unsigned cpu = 0; !err && cpu < array_of(map)->cpus; cpu++)
        ebpf_value_copy(value_at(map, cpu, index),
                        (const uint8_t *)value + (size_t)cpu * map->value_stride,
                        map->value_stride);
    return err;
}

static int64_t percpu_for_each(struct ebpf_map *map, ebpf_map_each_fn fn, void *ctx)
{
    for (uint32_t i = 0; i < map->max_entries; i++) {
        uint32_t key = i;

        if (fn(ctx, map, &key, value_at(map, ebpf_os_cpu_id(), i)))
            return (int64_t)i + 1;
    }
    return map->max_entries;
}

const struct ebpf_map_ops ebpf_map_percpu_array_ops = {
    .name = "percpu_array",
    .flags = BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG,
    .inner = true,
    .per_cpu = true,
    .batches = EBPF_BATCH_LOOKUP | EBPF_BATCH_UPDATE,
    .check = percpu_check,
    .alloc = percpu_alloc,
    .free = percpu_free,
    .lookup = percpu_lookup,
    .lookup_cpu = percpu_lookup_cpu,
    .update = percpu_update,
    .remove = ebpf_array_remove,
    .lookup_copy = percpu_lookup_copy,
    .update_copy = percpu_update_copy,
    .next_key = ebpf_array_next_key,
    .for_each = percpu_for_each,
};
