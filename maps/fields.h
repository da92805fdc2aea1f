/* SPDX-License-Identifier: MIT */
/*
 * Copies of values that hold a struct bpf_spin_lock or a struct bpf_timer: what comes in leaves
 * these bytes as they are, what goes out has zeros there (Linux: copy_map_value(),
 * check_and_init_map_value()). With a lock held meanwhile where asked for (BPF_F_LOCK): nobody who
 * takes it sees half of it. A, interrupts off.
 */
#ifndef EBPF_MAPS_FIELDS_H
#define EBPF_MAPS_FIELDS_H

#include "maps/map.h"
#include "maps/value.h"

static inline bool ebpf_has_fields(const struct ebpf_map *map)
{
    return (map->lock_off & map->timer_off) >= 0;
}

/* value_size bytes each */
void ebpf_fields_copy_around(const struct ebpf_map *map, void *dst, const void *src);
void ebpf_fields_zero(const struct ebpf_map *map, void *value);
/* In and in place, while holding dst's lock. */
void ebpf_fields_copy_locked(const struct ebpf_map *map, void *dst, const void *src);
/* Out of value; lock: while holding value's. */
void ebpf_fields_copy_out(const struct ebpf_map *map, void *dst, void *value, bool lock);
/* The value at dst is not there any more, or will be another one's: what it started ends. */
void ebpf_fields_release(struct ebpf_map *map, void *value);

/* Into memory that is not a value yet, or of another key: fields start as zeros. */
static inline void ebpf_fields_copy_new(const struct ebpf_map *map, void *dst, const void *src)
{
    if (__builtin_expect(ebpf_has_fields(map), 0)) {
        ebpf_fields_zero(map, dst);
        ebpf_fields_copy_around(map, dst, src);
    } else {
        ebpf_value_copy(dst, src, map->value_size);
    }
}

static inline void ebpf_fields_copy_in(const struct ebpf_map *map, void *dst, const void *src)
{
    if (__builtin_expect(ebpf_has_fields(map), 0))
        ebpf_fields_copy_around(map, dst, src);
    else
        ebpf_value_copy(dst, src, map->value_size);
}

#endif /* EBPF_MAPS_FIELDS_H */
