/* SPDX-License-Identifier: MIT */
/* What the arrays of objects share: their creation rules, and slots that hold a reference each. */
#ifndef EBPF_MAPS_OBJECT_ARRAY_H
#define EBPF_MAPS_OBJECT_ARRAY_H

#include "maps/map.h"

/* Arrays of programs, of maps and of perf events. */
struct ebpf_object_array {
    struct ebpf_map map;  /* first */
    struct ebpf_map like; /* arrays of maps: what map.inner points to */
    uint64_t kind;        /* program arrays: ebpf_prog_kind() of all in it; 0: not decided */
    size_t bytes;         /* of this allocation */
    /* [max_entries], each with a reference; NULL: empty. A compiled tail call jumps to the entry of
     * the struct ebpf_prog that its slot begins with, read once, in an epoch section. */
    struct ebpf_obj *slots[];
};

static inline struct ebpf_object_array *ebpf_object_array_of(struct ebpf_map *map)
{
    return (struct ebpf_object_array *)map;
}

/* Values are fds, and programs have no rights to share (Linux: fd_array_map_alloc_check()). */
int ebpf_object_array_check(const struct ebpf_map_spec *spec);
int ebpf_object_array_alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out);
void ebpf_object_array_free(struct ebpf_map *map); /* slots have been emptied */

/* What the slot at index refers to from now on, NULL: nothing. Adds a user's reference, and puts the
 * one of what was there. -E2BIG: index; -ENOENT: nothing to take out. T */
int ebpf_object_array_set(struct ebpf_map *map, uint32_t index, struct ebpf_obj *obj);
/* What user mode's update brings, before the fd is looked at: *fd, or -EINVAL, -E2BIG. */
int ebpf_object_array_fd(const struct ebpf_map *map, const void *key, const void *value,
                         uint64_t flags, int32_t *fd);
/* For user mode: value gets the id of what is at key. -ENOENT. T */
int ebpf_object_array_id(struct ebpf_map *map, const void *key, void *value);

/* The id of what is in the slot: 0, or -ENOENT: nothing. T */
int ebpf_slot_id(struct ebpf_obj *const *slot, uint32_t *id);

/* Operations that programs have not got: NULL, -EINVAL. */
void *ebpf_objects_lookup(struct ebpf_map *map, const void *key);
int ebpf_objects_update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags);
int ebpf_objects_remove(struct ebpf_map *map, const void *key);

#endif /* EBPF_MAPS_OBJECT_ARRAY_H */
