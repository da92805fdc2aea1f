/* SPDX-License-Identifier: MIT */
/*
 * BPF_MAP_TYPE_PERF_EVENT_ARRAY: the events that programs write to or read, by index; the one
 * at a hart's number is that hart's. User mode writes fds and reads nothing.
 *
 * Linux empties an entry when the file through which it was set is closed, BPF_F_PRESERVE_ELEMS
 * excepted; here the array gives its events up with its last user.
 */
#include "maps/perf_event_array.h"

#include "maps/array.h"
#include "maps/object_array.h"
#include "maps/perf_event.h"

/* ---- for user mode ------------------------------------------------------------------------- */

static int put(struct ebpf_map *map, const void *key, struct ebpf_obj *event, uint64_t flags)
{
    return flags == BPF_ANY ? ebpf_object_array_set(map, ebpf_array_index(key), event) : -EINVAL;
}

static int update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags)
{
    struct ebpf_obj *event;
    int32_t fd;
    int err = ebpf_object_array_fd(map, key, value, flags, &fd);

    if (err)
        return err;
    if (ebpf_obj_from_fd(fd, EBPF_OBJ_PERF_EVENT, &event))
        return -EBADF; /* Linux: also for an fd of something else */
    err = ebpf_object_array_set(map, ebpf_array_index(key), event);
    ebpf_obj_put(event);
    return err;
}

static int remove_key(struct ebpf_map *map, const void *key)
{
    return ebpf_object_array_set(map, ebpf_array_index(key), NULL);
}

static void empty(struct ebpf_map *map)
{
    for (uint32_t i = 0; i < map->max_entries; i++)
        (void)ebpf_object_array_set(map, i, NULL); /* -ENOENT: was empty */
}

static void clear(struct ebpf_map *map)
{
    if (!(map->flags & BPF_F_PRESERVE_ELEMS))
        empty(map);
}

static void array_free(struct ebpf_map *map)
{
    empty(map);
    ebpf_object_array_free(map);
}

int ebpf_map_set_perf_event(struct ebpf_map *map, uint32_t index, struct ebpf_obj *event)
{
    if (map->type != BPF_MAP_TYPE_PERF_EVENT_ARRAY || (event && event->type != EBPF_OBJ_PERF_EVENT))
        return -EINVAL;
    return ebpf_object_array_set(map, index, event);
}

/* ---- for programs -------------------------------------------------------------------------- */

static int find(struct ebpf_map *map, uint64_t flags, struct ebpf_perf_event **out)
{
    uint32_t index = (uint32_t)flags;
    struct ebpf_obj *event;

    if (map->type != BPF_MAP_TYPE_PERF_EVENT_ARRAY || flags & ~(uint64_t)BPF_F_INDEX_MASK)
        return -EINVAL;
    if (flags == BPF_F_CURRENT_CPU)
        index = ebpf_os_cpu_id();
    if (index >= map->max_entries)
        return -E2BIG;
    event = __atomic_load_n(&ebpf_object_array_of(map)->slots[index], __ATOMIC_ACQUIRE);
    if (!event)
        return -ENOENT;
    *out = ebpf_perf_event_of(event);
    return 0;
}

int ebpf_perf_output(struct ebpf_map *map, uint64_t flags, const void *data, uint64_t size,
                     const void *tail, uint64_t tail_size)
{
    struct ebpf_perf_event *event;
    int err = find(map, flags, &event);

    if (err)
        return err;
    if (!ebpf_perf_event_is_output(event))
        return -EINVAL;
    if (event->cpu != ebpf_os_cpu_id() || !__atomic_load_n(&event->enabled, __ATOMIC_ACQUIRE))
        return -EOPNOTSUPP;
    if (size > UINT16_MAX || tail_size > UINT16_MAX)
        return -E2BIG;
    return ebpf_perf_event_write(event, data, (uint32_t)size, tail, (uint32_t)tail_size);
}

int ebpf_perf_read(struct ebpf_map *map, uint64_t flags, struct bpf_perf_event_value *out)
{
    struct ebpf_perf_event *event;
    int err = find(map, flags, &event);

    if (err)
        return err;
    return event->cpu == ebpf_os_cpu_id() ? ebpf_perf_event_count(event, out) : -EINVAL;
}

static const struct ebpf_map_object_ops object_ops = {
    .update = update,
    .remove = remove_key,
    .put = put,
    .clear = clear,
};

const struct ebpf_map_ops ebpf_map_perf_event_array_ops = {
    .name = "perf_event_array",
    .flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_PRESERVE_ELEMS,
    .inner = true,
    .check = ebpf_object_array_check,
    .alloc = ebpf_object_array_alloc,
    .free = array_free,
    .lookup = ebpf_objects_lookup,
    .update = ebpf_objects_update,
    .remove = ebpf_objects_remove,
    .next_key = ebpf_array_next_key,
    .objects = &object_ops,
    .own_helpers = true,
};
