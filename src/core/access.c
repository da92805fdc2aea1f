/* SPDX-License-Identifier: MIT */
/* Maps in the hands of commands: permissions, freezing, memory for a key and a value. */
#include "src/core/access.h"

#include "src/base/alloc.h"
#include "src/base/bits.h"

static int permit(const struct ebpf_map *map, unsigned what)
{
    if ((what & EBPF_ACCESS_READ && map->flags & BPF_F_WRONLY) ||
        (what & EBPF_ACCESS_WRITE && map->flags & BPF_F_RDONLY))
        return -EPERM;
    return 0;
}

void ebpf_access_fini(struct ebpf_access *access)
{
    ebpf_free(access->key, access->mem_size);
    if (access->writing)
        ebpf_map_write_end(access->map);
    ebpf_obj_put(&access->map->obj);
}

int ebpf_access_init(struct ebpf_access *access, uint32_t fd, unsigned what)
{
    int err = ebpf_map_from_fd((int)fd, &access->map);
    size_t key_room;

    if (err)
        return err;
    access->key = NULL;
    access->mem_size = 0;
    access->writing = false;
    err = permit(access->map, what);
    if (!err && what & EBPF_ACCESS_WRITE) {
        access->writing = ebpf_map_write_begin(access->map);
        err = access->writing ? 0 : -EPERM;
    }
    if (err)
        goto fini;
    access->value_size = ebpf_map_value_size(access->map);
    key_room = EBPF_ROUND_UP((size_t)access->map->key_size, (size_t)8);
    access->key = ebpf_alloc(key_room + access->value_size + 1); /* a ring buffer has neither */
    if (!access->key) {
        err = -ENOMEM;
        goto fini;
    }
    access->mem_size = key_room + access->value_size + 1;
    access->value = access->key + key_room;
    return 0;
fini:
    ebpf_access_fini(access);
    return err;
}

int ebpf_access_lock(const struct ebpf_access *access, uint64_t flags)
{
    return flags & BPF_F_LOCK && access->map->lock_off < 0 ? -EINVAL : 0;
}

int ebpf_access_key(const struct ebpf_access *access, const struct ebpf_cmd *cmd, uint64_t addr)
{
    if (!access->map->key_size)
        return addr ? -EINVAL : 0;
    return ebpf_copy_in(cmd->caller, access->key, addr, access->map->key_size);
}

/* Linux's order: who may not write gets -EPERM, also where it is frozen already. */
int ebpf_map_freeze(struct ebpf_map *map)
{
    uint32_t idle = 0;
    int err = permit(map, EBPF_ACCESS_WRITE);

    if (!err && !__atomic_compare_exchange_n(&map->use, &idle, EBPF_MAP_FROZEN, false,
                                             __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        err = idle == EBPF_MAP_FROZEN ? -EPERM : -EBUSY; /* a failed exchange says what is there */
    return err;
}

long ebpf_cmd_map_freeze(const struct ebpf_cmd *cmd)
{
    struct ebpf_map *map;
    int err = ebpf_map_from_fd((int)cmd->attr->map_fd, &map);

    if (err)
        return err;
    err = ebpf_map_freeze(map);
    ebpf_obj_put(&map->obj);
    return err;
}
