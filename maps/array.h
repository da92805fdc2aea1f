/* SPDX-License-Identifier: MIT */
/* Array maps: what their two types share, and the layout that the JIT's inlined lookup needs. */
#ifndef EBPF_MAPS_ARRAY_H
#define EBPF_MAPS_ARRAY_H

#include "maps/map.h"

/*
 * BPF_MAP_TYPE_ARRAY. Lookup is: index < map.max_entries ? values + index * map.value_stride :
 * NULL, with the index the 32 bits at the key. None of the three changes during the map's life.
 */
struct ebpf_array {
    struct ebpf_map map; /* first */
    uint8_t *values; /* max_entries values, value_stride apart, in this struct's own allocation */
    size_t bytes;    /* of the allocation */
};

/*
 * BPF_MAP_TYPE_PERCPU_ARRAY: an array per hart, the next hart's cpu_stride bytes on. Lookup:
 * values + cpu * cpu_stride + index * map.value_stride.
 */
struct ebpf_percpu_array {
    struct ebpf_map map; /* first */
    uint8_t *values;     /* aligned to a cache line, as cpu_stride is: harts do not share lines */
    size_t cpu_stride;
    size_t bytes;
    unsigned cpus;
};

uint32_t ebpf_array_index(const void *key);
int ebpf_array_check(const struct ebpf_map_spec *spec);
/* The checks of an update in Linux's order: 0, -EINVAL, -E2BIG, -EEXIST. */
int ebpf_array_check_update(const struct ebpf_map *map, uint32_t index, uint64_t flags);
int ebpf_array_remove(struct ebpf_map *map, const void *key);
int ebpf_array_next_key(struct ebpf_map *map, const void *key, void *next);

#endif /* EBPF_MAPS_ARRAY_H */
