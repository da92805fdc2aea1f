/* SPDX-License-Identifier: MIT */
/* bpf(2): BPF_MAP_CREATE, and lookup, update, delete and get-next-key of elements. */
#include "maps/map.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/core/cmd.h"

long ebpf_cmd_map_create(const struct ebpf_cmd *cmd)
{
    const union bpf_attr *attr = cmd->attr;
    struct ebpf_map_spec spec = {
        .type = attr->map_type,
        .key_size = attr->key_size,
        .value_size = attr->value_size,
        .max_entries = attr->max_entries,
        .flags = attr->map_flags,
    };
    struct ebpf_map *map;
    int err;

    /* what this build has no objects for: maps in maps, devices, BTF. A btf_fd without type ids is
     * nothing asked for. */
    if (attr->inner_map_fd || attr->numa_node || attr->map_ifindex || attr->btf_key_type_id ||
        attr->btf_value_type_id || attr->btf_vmlinux_value_type_id || attr->map_extra)
        return -EINVAL;
    memcpy(spec.name, attr->map_name, sizeof(spec.name));
    err = ebpf_map_create(&spec, &map);
    return err ? err : ebpf_cmd_install(ebpf_map_obj(map));
}

/* A map by fd, and room for one key and one user value. */
struct access {
    struct ebpf_map *map;
    uint8_t *key, *value;
    size_t value_size, mem_size;
};

static void access_fini(struct access *access)
{
    ebpf_free(access->key, access->mem_size);
    ebpf_obj_put(&access->map->obj);
}

/* denied: the map flag that forbids this access by system call (BPF_F_RDONLY, BPF_F_WRONLY) */
static int access_init(struct access *access, const struct ebpf_cmd *cmd, uint32_t denied)
{
    int err = ebpf_map_from_fd((int)cmd->attr->map_fd, &access->map);
    size_t key_room;

    if (err)
        return err;
    if (access->map->flags & denied) {
        ebpf_obj_put(&access->map->obj);
        return -EPERM;
    }
    access->value_size = ebpf_map_value_size(access->map);
    key_room = EBPF_ROUND_UP((size_t)access->map->key_size, (size_t)8);
    access->mem_size = key_room + access->value_size;
    access->key = ebpf_alloc(access->mem_size);
    if (!access->key) {
        ebpf_obj_put(&access->map->obj);
        return -ENOMEM;
    }
    access->value = access->key + key_room;
    return 0;
}

static int take_key(const struct access *access, const struct ebpf_cmd *cmd)
{
    return ebpf_copy_in(cmd->caller, access->key, cmd->attr->key, access->map->key_size);
}

long ebpf_cmd_map_lookup_elem(const struct ebpf_cmd *cmd)
{
    struct access access;
    int err;

    if (cmd->attr->flags & ~(uint64_t)BPF_F_LOCK)
        return -EINVAL;
    err = access_init(&access, cmd, BPF_F_WRONLY);
    if (err)
        return err;
    if (cmd->attr->flags & BPF_F_LOCK)
        err = -EINVAL; /* no map here has a spin lock in its values */
    if (!err)
        err = take_key(&access, cmd);
    if (!err)
        err = ebpf_map_lookup(access.map, access.key, access.value);
    if (!err)
        err = ebpf_copy_out(cmd->caller, cmd->attr->value, access.value, access.value_size);
    access_fini(&access);
    return err;
}

long ebpf_cmd_map_update_elem(const struct ebpf_cmd *cmd)
{
    struct access access;
    int err = access_init(&access, cmd, BPF_F_RDONLY);

    if (err)
        return err;
    err = take_key(&access, cmd);
    if (!err)
        err = ebpf_copy_in(cmd->caller, access.value, cmd->attr->value, access.value_size);
    if (!err)
        err = ebpf_map_update(access.map, access.key, access.value, cmd->attr->flags);
    access_fini(&access);
    return err;
}

long ebpf_cmd_map_delete_elem(const struct ebpf_cmd *cmd)
{
    struct access access;
    int err = access_init(&access, cmd, BPF_F_RDONLY);

    if (err)
        return err;
    err = take_key(&access, cmd);
    if (!err)
        err = ebpf_map_delete(access.map, access.key);
    access_fini(&access);
    return err;
}

/* The answer may go where the key came from: the key is copied before. */
long ebpf_cmd_map_get_next_key(const struct ebpf_cmd *cmd)
{
    uint8_t *next;
    struct access access;
    int err = access_init(&access, cmd, BPF_F_WRONLY);

    if (err)
        return err;
    next = ebpf_alloc(access.map->key_size);
    if (!next) {
        access_fini(&access);
        return -ENOMEM;
    }
    if (cmd->attr->key)
        err = take_key(&access, cmd);
    if (!err)
        err = ebpf_map_next_key(access.map, cmd->attr->key ? access.key : NULL, next);
    if (!err)
        err = ebpf_copy_out(cmd->caller, cmd->attr->next_key, next, access.map->key_size);
    ebpf_free(next, access.map->key_size);
    access_fini(&access);
    return err;
}
