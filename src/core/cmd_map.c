/* SPDX-License-Identifier: MIT */
/* bpf(2): BPF_MAP_CREATE, and lookup, update, delete and get-next-key, lookup-and-delete of
 * elements. */
#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/btf/btf.h"
#include "src/core/access.h"

/* ---- creation ------------------------------------------------------------------------------ */

static struct ebpf_map_spec spec_of(const union bpf_attr *attr)
{
    struct ebpf_map_spec spec = {
        .type = attr->map_type,
        .key_size = attr->key_size,
        .value_size = attr->value_size,
        .max_entries = attr->max_entries,
        .flags = attr->map_flags,
        .map_extra = attr->map_extra,
        .numa_node = attr->numa_node,
    };

    memcpy(spec.name, attr->map_name, sizeof(spec.name));
    return spec;
}

/* Maps in maps: the map that those in it will be like, with a reference. Linux looks at it after
 * all else that can be wrong with the numbers. */
static int get_inner(const union bpf_attr *attr, struct ebpf_map_spec *spec)
{
    const struct ebpf_map_ops *ops = ebpf_map_ops(spec->type);
    int err;

    if (!ops || !ops->outer)
        return 0;
    err = ebpf_map_check(spec);
    return err ? err : ebpf_map_from_fd((int)attr->inner_map_fd, &spec->inner);
}

/* A btf_fd without types is nothing asked for. */
static int get_btf(const union bpf_attr *attr, struct ebpf_map_spec *spec)
{
    int err;

    if (!attr->btf_value_type_id)
        return 0;
    err = ebpf_map_check(spec);
    if (!err)
        err = ebpf_btf_from_fd((int)attr->btf_fd, &spec->btf);
    spec->btf_key_type_id = attr->btf_key_type_id;
    spec->btf_value_type_id = attr->btf_value_type_id;
    return err;
}

long ebpf_cmd_map_create(const struct ebpf_cmd *cmd)
{
    const union bpf_attr *attr = cmd->attr;
    struct ebpf_map_spec spec = spec_of(attr);
    struct ebpf_map *map;
    int err;

    /* what this build has no objects for: devices, types of the kernel's own. A key's type alone
     * is nothing that Linux takes */
    if (attr->map_ifindex || attr->btf_vmlinux_value_type_id ||
        (attr->btf_key_type_id && !attr->btf_value_type_id))
        return -EINVAL;
    err = get_inner(attr, &spec);
    if (!err && spec.type == BPF_MAP_TYPE_TASK_STORAGE && !attr->btf_key_type_id)
        err = -EINVAL; /* Linux: for who shows them */
    if (!err)
        err = get_btf(attr, &spec);
    if (!err)
        err = ebpf_map_create(&spec, &map);
    if (spec.btf)
        ebpf_obj_put(ebpf_btf_obj(spec.btf));
    if (spec.inner)
        ebpf_obj_put(ebpf_map_obj(spec.inner));
    return err ? err : ebpf_cmd_install(ebpf_map_obj(map));
}

/* ---- elements ------------------------------------------------------------------------------ */

/* What the commands on one element have in common: the map, the right to do that with it, the
 * key. */
static long on_element(const struct ebpf_cmd *cmd, unsigned what,
                       int (*run)(const struct ebpf_cmd *cmd, const struct ebpf_access *access))
{
    struct ebpf_access access;
    int err = ebpf_access_init(&access, cmd->attr->map_fd, what);

    if (err)
        return err;
    err = ebpf_access_lock(&access, cmd->attr->flags);
    if (!err)
        err = ebpf_access_key(&access, cmd, cmd->attr->key);
    if (!err)
        err = run(cmd, &access);
    ebpf_access_fini(&access);
    return err;
}

static int give_value(const struct ebpf_cmd *cmd, const struct ebpf_access *access)
{
    return ebpf_copy_out(cmd->caller, cmd->attr->value, access->value, access->value_size);
}

static int lookup(const struct ebpf_cmd *cmd, const struct ebpf_access *access)
{
    int err = 0;

    if (access->map->ops->value_in)
        err = ebpf_copy_in(cmd->caller, access->value, cmd->attr->value, access->value_size);
    if (!err)
        err = ebpf_map_lookup_flags(access->map, access->key, access->value, cmd->attr->flags);
    return err ? err : give_value(cmd, access);
}

static int update(const struct ebpf_cmd *cmd, const struct ebpf_access *access)
{
    int err = ebpf_copy_in(cmd->caller, access->value, cmd->attr->value, access->value_size);

    return err ? err : ebpf_map_update(access->map, access->key, access->value, cmd->attr->flags);
}

static int delete (const struct ebpf_cmd *cmd, const struct ebpf_access *access)
{
    (void)cmd;
    return ebpf_map_delete(access->map, access->key);
}

static int take(const struct ebpf_cmd *cmd, const struct ebpf_access *access)
{
    int err = ebpf_map_take_flags(access->map, access->key, access->value, cmd->attr->flags);

    return err ? err : give_value(cmd, access);
}

long ebpf_cmd_map_lookup_elem(const struct ebpf_cmd *cmd)
{
    if (cmd->attr->flags & ~(uint64_t)BPF_F_LOCK)
        return -EINVAL;
    return on_element(cmd, EBPF_ACCESS_READ, lookup);
}

long ebpf_cmd_map_update_elem(const struct ebpf_cmd *cmd)
{
    return on_element(cmd, EBPF_ACCESS_WRITE, update);
}

long ebpf_cmd_map_delete_elem(const struct ebpf_cmd *cmd)
{
    return on_element(cmd, EBPF_ACCESS_WRITE, delete);
}

long ebpf_cmd_map_lookup_and_delete_elem(const struct ebpf_cmd *cmd)
{
    if (cmd->attr->flags & ~(uint64_t)BPF_F_LOCK)
        return -EINVAL;
    return on_element(cmd, EBPF_ACCESS_READ | EBPF_ACCESS_WRITE, take);
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
