/* SPDX-License-Identifier: MIT */
/* A map in the hands of a command of bpf(2). Context T. */
#ifndef EBPF_CORE_ACCESS_H
#define EBPF_CORE_ACCESS_H

#include "maps/map.h"
#include "src/core/cmd.h"

/* A map by fd, and room for one key and one user value. */
struct ebpf_access {
    struct ebpf_map *map;
    uint8_t *key, *value;
    size_t value_size, mem_size;
    bool writing;
};

/* What a command does with the map: both may be set. */
#define EBPF_ACCESS_READ 1u
#define EBPF_ACCESS_WRITE 2u

/* -EBADF, -EINVAL: no map; -EPERM: its flags forbid that to user mode, or it is frozen; -ENOMEM. */
int ebpf_access_init(struct ebpf_access *access, uint32_t fd, unsigned what);
void ebpf_access_fini(struct ebpf_access *access);

/* BPF_F_LOCK in flags, for a map without locks: -EINVAL. */
int ebpf_access_lock(const struct ebpf_access *access, uint64_t flags);

/* The key from addr, into access->key; -EINVAL: a key for a map that has none. */
int ebpf_access_key(const struct ebpf_access *access, const struct ebpf_cmd *cmd, uint64_t addr);

#endif /* EBPF_CORE_ACCESS_H */
