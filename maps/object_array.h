/* SPDX-License-Identifier: MIT */
/* What the arrays of objects share: their creation rules, and slots that hold a reference each. */
#ifndef EBPF_MAPS_OBJECT_ARRAY_H
#define EBPF_MAPS_OBJECT_ARRAY_H

#include "maps/map.h"

/* Arrays of maps and of perf events. */
struct ebpf_object_array {
    struct ebpf_map map;      /* first */
    struct ebpf_map like;     /* arrays of maps: what map.inner points to */
    size_t bytes;             /* of this allocation */
    struct ebpf_obj *slots[]; /* [max_entries]; NULL: empty */
};

static inline struct ebpf_object_array *ebpf_object_array_of(struct ebpf_map *map)
{
    return (struct ebpf_object_array *)map;
}

/* Values are fds, and programs have no rights to share (Linux: fd_array_map_alloc_check()). */
int ebpf_object_array_check(const struct ebpf_map_spec *spec);
int ebpf_object_array_alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out);
void ebpf_object_array_free(struct ebpf_map *map); /* slots have been emptied */

/* The id of what is in the slot: 0, or -ENOENT: nothing. T */
int ebpf_slot_id(struct ebpf_obj *const *slot, uint32_t *id);

/* Operations that programs have not got: NULL, -EINVAL. */
void *ebpf_objects_lookup(struct ebpf_map *map, const void *key);
int ebpf_objects_update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags);
int ebpf_objects_remove(struct ebpf_map *map, const void *key);

#endif /* EBPF_MAPS_OBJECT_ARRAY_H */
