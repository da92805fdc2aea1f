/* SPDX-License-Identifier: MIT */
/* Map types of Linux that this build has not got: the sizes that they demand, and nothing that
 * could be done with them. */
#include "tools/linux/linux.h"

#include "src/base/alloc.h"
#include "src/base/bits.h"

#define PAGE 4096u
#define MAX_STACK_DEPTH 127u /* Linux: kernel.perf_event_max_stack */

static int fail(bool bad)
{
    return bad ? -EINVAL : 0;
}

/* ---- sizes: Documentation/bpf/map_*.rst ------------------------------------------------------ */

static int check_array(const struct ebpf_map_spec *spec) /* of things with a number */
{
    return fail(spec->key_size != 4 || spec->value_size != 4 || !spec->max_entries);
}

static int check_wide_array(const struct ebpf_map_spec *spec) /* the value may also be 8 bytes */
{
    return fail(spec->key_size != 4 || (spec->value_size != 4 && spec->value_size != 8) ||
                !spec->max_entries);
}

static int check_sockhash(const struct ebpf_map_spec *spec)
{
    if (spec->key_size > 512) /* Linux: MAX_BPF_STACK */
        return -E2BIG;
    return fail(!spec->key_size || (spec->value_size != 4 && spec->value_size != 8) ||
                !spec->max_entries);
}

static int check_stack_trace(const struct ebpf_map_spec *spec)
{
    return fail(spec->key_size != 4 || spec->value_size < 8 || spec->value_size % 8 ||
                spec->value_size / 8 > MAX_STACK_DEPTH || !spec->max_entries);
}

static int check_cgroup_storage(const struct ebpf_map_spec *spec)
{
    if (spec->key_size != 8 && spec->key_size != 16) /* a cgroup's number, or with an attach type */
        return -EINVAL;
    if (!spec->value_size || spec->max_entries)
        return -EINVAL;
    return spec->value_size > PAGE ? -E2BIG : 0;
}

static int check_local_storage(const struct ebpf_map_spec *spec)
{
    return fail(spec->key_size != 4 || !spec->value_size || spec->max_entries ||
                !(spec->flags & BPF_F_NO_PREALLOC));
}

static int check_user_ringbuf(const struct ebpf_map_spec *spec)
{
    return fail(spec->key_size || spec->value_size || spec->max_entries < PAGE ||
                (spec->max_entries & (spec->max_entries - 1)));
}

static int check_map_in_map(const struct ebpf_map_spec *spec)
{
    return fail(!spec->key_size || spec->value_size != 4 || !spec->max_entries);
}

static int check_arena(const struct ebpf_map_spec *spec)
{
    return fail(spec->key_size || spec->value_size || !spec->max_entries);
}

/* ---- operations: none ------------------------------------------------------------------------ */

static int alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out)
{
    (void)spec;
    *out = ebpf_zalloc(sizeof(**out));
    return *out ? 0 : -ENOMEM;
}

static void free_map(struct ebpf_map *map)
{
    ebpf_free(map, sizeof(*map));
}

static void *no_lookup(struct ebpf_map *map, const void *key)
{
    (void)map;
    (void)key;
    return NULL;
}

static int no_update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags)
{
    (void)map;
    (void)key;
    (void)value;
    (void)flags;
    return -EOPNOTSUPP;
}

static int no_remove(struct ebpf_map *map, const void *key)
{
    (void)map;
    (void)key;
    return -EOPNOTSUPP;
}

static int no_copy(struct ebpf_map *map, const void *key, void *value)
{
    (void)map;
    (void)key;
    (void)value;
    return -EOPNOTSUPP;
}

#define ANY_FLAGS (~0u)
#define T(type) (1ull << BPF_PROG_TYPE_##type)
/* Programs in which no socket can be locked already. */
#define UNLOCKED                                                                 \
    (T(SOCKET_FILTER) | T(SCHED_CLS) | T(SCHED_ACT) | T(XDP) | T(SK_REUSEPORT) | \
     T(FLOW_DISSECTOR) | T(SK_LOOKUP))

#define MAP(number, map_name, sizes, ...)                \
    [BPF_MAP_TYPE_##number] = {.name = map_name,         \
                               .flags = ANY_FLAGS,       \
                               .check = sizes,           \
                               .alloc = alloc,           \
                               .free = free_map,         \
                               .lookup = no_lookup,      \
                               .update = no_update,      \
                               .remove = no_remove,      \
                               .lookup_copy = no_copy,   \
                               .update_copy = no_update, \
                               .next_key = no_copy,      \
                               .own_helpers = true,      \
                               ##__VA_ARGS__}

static const struct ebpf_map_ops types[] = {
    MAP(PERF_EVENT_ARRAY, "perf_event_array", check_array),
    MAP(STACK_TRACE, "stack_trace", check_stack_trace),
    MAP(CGROUP_ARRAY, "cgroup_array", check_array),
    MAP(ARRAY_OF_MAPS, "array_of_maps", check_map_in_map),
    MAP(HASH_OF_MAPS, "hash_of_maps", check_map_in_map),
    MAP(DEVMAP, "devmap", check_wide_array),
    MAP(SOCKMAP, "sockmap", check_wide_array, .update_types = UNLOCKED,
        .delete_types = UNLOCKED | T(SOCK_OPS)),
    MAP(CPUMAP, "cpumap", check_wide_array),
    MAP(XSKMAP, "xskmap", check_array),
    MAP(SOCKHASH, "sockhash", check_sockhash, .update_types = UNLOCKED,
        .delete_types = UNLOCKED | T(SOCK_OPS)),
    MAP(CGROUP_STORAGE, "cgroup_storage", check_cgroup_storage),
    MAP(REUSEPORT_SOCKARRAY, "reuseport_sockarray", check_wide_array),
    MAP(PERCPU_CGROUP_STORAGE, "percpu_cgroup_storage", check_cgroup_storage),
    MAP(SK_STORAGE, "sk_storage", check_local_storage),
    MAP(DEVMAP_HASH, "devmap_hash", check_wide_array),
    MAP(INODE_STORAGE, "inode_storage", check_local_storage),
    MAP(TASK_STORAGE, "task_storage", check_local_storage),
    MAP(USER_RINGBUF, "user_ringbuf", check_user_ringbuf),
    MAP(CGRP_STORAGE, "cgrp_storage", check_local_storage),
    MAP(ARENA, "arena", check_arena, .extra = true),
};

const struct ebpf_map_ops *linux_map_ops(uint32_t type)
{
    return type < EBPF_ARRAY_SIZE(types) && types[type].name ? &types[type] : NULL;
}
