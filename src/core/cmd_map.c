/* SPDX-License-Identifier: MIT */
/* bpf(2): BPF_MAP_CREATE, and lookup, update, delete and get-next-key, lookup-and-delete of
 * elements. */
#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/core/access.h"

long ebpf_cmd_map_create(const struct ebpf_cmd *cmd)
{
    const union bpf_attr *attr = cmd->attr;
    struct ebpf_map_spec spec = {
        .type = attr->map_type,
        .key_size = attr->key_size,
        .value_size = attr->value_size,
        .max_entries = attr->max_entries,
        .flags = attr->map_flags,
        .map_extra = attr->map_extra,
    };
    struct ebpf_map *map;
    int err;

    /* what this build has no objects for: maps in maps, devices, BTF. A btf_fd without type ids is
     * nothing asked for. */
    if (attr->inner_map_fd || attr->numa_node || attr->map_ifindex || attr->btf_key_type_id ||
        attr->btf_value_type_id || attr->btf_vmlinux_value_type_id)
        return -EINVAL;
    memcpy(spec.name, attr->map_name, sizeof(spec.name));
    err = ebpf_map_create(&spec, &map);
    return err ? err : ebpf_cmd_install(ebpf_map_obj(map));
}

long ebpf_cmd_map_lookup_elem(const struct ebpf_cmd *cmd)
{
    struct ebpf_access access;
    int err;

    if (cmd->attr->flags & ~(uint64_t)BPF_F_LOCK)
        return -EINVAL;
    err = ebpf_access_init(&access, cmd->attr->map_fd, EBPF_ACCESS_READ);
    if (err)
        return err;
    if (cmd->attr->flags & BPF_F_LOCK)
        err = -EINVAL; /* no map here has a spin lock in its values */
    if (!err)
        err = ebpf_access_key(&access, cmd, cmd->attr->key);
    if (!err && access.map->ops->value_in)
        err = ebpf_copy_in(cmd->caller, access.value, cmd->attr->value, access.value_size);
    if (!err)
        err = ebpf_map_lookup(access.map, access.key, access.value);
    if (!err)
        err = ebpf_copy_out(cmd->caller, cmd->attr->value, access.value, access.value_size);
    ebpf_access_fini(&access);
    return err;
}

long ebpf_cmd_map_update_elem(const struct ebpf_cmd *cmd)
{
    struct ebpf_access access;
    int err = ebpf_access_init(&access, cmd->attr->map_fd, EBPF_ACCESS_WRITE);

    if (err)
        return err;
    err = ebpf_access_key(&access, cmd, cmd->attr->key);
    if (!err)
        err = ebpf_copy_in(cmd->caller, access.value, cmd->attr->value, access.value_size);
    if (!err)
        err = ebpf_map_update(access.map, access.key, access.value, cmd->attr->flags);
    ebpf_access_fini(&access);
    return err;
}

long ebpf_cmd_map_delete_elem(const struct ebpf_cmd *cmd)
{
    struct ebpf_access access;
    int err = ebpf_access_init(&access, cmd->attr->map_fd, EBPF_ACCESS_WRITE);

    if (err)
        return err;
    err = ebpf_access_key(&access, cmd, cmd->attr->key);
    if (!err)
        err = ebpf_map_delete(access.map, access.key);
    ebpf_access_fini(&access);
    return err;
}

long ebpf_cmd_map_lookup_and_delete_elem(const struct ebpf_cmd *cmd)
{
    struct ebpf_access access;
    int err;

    if (cmd->attr->flags & ~(uint64_t)BPF_F_LOCK)
        return -EINVAL;
    err = ebpf_access_init(&access, cmd->attr->map_fd, EBPF_ACCESS_READ | EBPF_ACCESS_WRITE);
    if (err)
        return err;
    if (cmd->attr->flags)
        err = -EINVAL;
    if (!err)
        err = ebpf_access_key(&access, cmd, cmd->attr->key);
    if (!err)
        err = ebpf_map_lookup_and_delete(access.map, access.key, access.value);
    if (!err)
        err = ebpf_copy_out(cmd->caller, cmd->attr->value, access.value, access.value_size);
    ebpf_access_fini(&access);
    return err;
}

/* The answer may go where the key came from: the key is copied before. */
long ebpf_cmd_map_get_next_key(const struct ebpf_cmd *cmd)
{
    uint8_t *next;
    struct ebpf_access access;
    int err = ebpf_access_init(&access, cmd->attr->map_fd, EBPF_ACCESS_READ);

    if (err)
        return err;
    next = ebpf_alloc(access.map->key_size + 1); /* there may be no key at all */
    if (!next) {
        ebpf_access_fini(&access);
        return -ENOMEM;
    }
    if (cmd->attr->key)
        err = ebpf_access_key(&access, cmd, cmd->attr->key);
    if (!err)
        err = ebpf_map_next_key(access.map, cmd->attr->key ? access.key : NULL, next);
    if (!err)
        err = ebpf_copy_out(cmd->caller, cmd->attr->next_key, next, access.map->key_size);
    ebpf_free(next, access.map->key_size + 1);
    ebpf_access_fini(&access);
    return err;
}
