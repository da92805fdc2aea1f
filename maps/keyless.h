/* SPDX-License-Identifier: MIT */
/* Operations that a type has not got, for the table of its operations: with Linux's answers. */
#ifndef EBPF_MAPS_KEYLESS_H
#define EBPF_MAPS_KEYLESS_H

#include "maps/map.h"

#define EBPF_MAX_KEYLESS_VALUE 4194304u /* Linux: KMALLOC_MAX_SIZE */

static inline void *ebpf_no_lookup(struct ebpf_map *map, const void *key)
{
    (void)map;
    (void)key;
    return NULL;
}

static inline int ebpf_no_update(struct ebpf_map *map, const void *key, const void *value,
                                 uint64_t flags)
{
    (void)map;
    (void)key;
    (void)value;
    (void)flags;
    return -EINVAL;
}

/* The same for types that have no elements at all. */
static inline int ebpf_unsupported_update(struct ebpf_map *map, const void *key, const void *value,
                                          uint64_t flags)
{
    (void)map;
    (void)key;
    (void)value;
    (void)flags;
    return -ENOTSUPP;
}

static inline int ebpf_unsupported_remove(struct ebpf_map *map, const void *key)
{
    (void)map;
    (void)key;
    return -ENOTSUPP;
}

static inline int ebpf_unsupported_copy(struct ebpf_map *map, const void *key, void *out)
{
    (void)map;
    (void)key;
    (void)out;
    return -ENOTSUPP;
}

/* A type whose elements have no keys, only values. */
static inline int ebpf_keyless_check(const struct ebpf_map_spec *spec)
{
    if (spec->max_entries == 0 || spec->key_size != 0 || spec->value_size == 0)
        return -EINVAL;
    return spec->value_size > EBPF_MAX_KEYLESS_VALUE ? -E2BIG : 0;
}

#endif /* EBPF_MAPS_KEYLESS_H */
