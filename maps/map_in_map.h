/* SPDX-License-Identifier: MIT */
/* What arrays of maps and hashes of maps share: which maps may be in them. */
#ifndef EBPF_MAPS_MAP_IN_MAP_H
#define EBPF_MAPS_MAP_IN_MAP_H

#include "maps/map.h"

/* Makes *like what all maps in the new map will be like, after spec->inner. 0, -EINVAL (none, or
 * one that has maps in it), -ENOTSUPP (a type that cannot be in a map) */
int ebpf_inner_like(const struct ebpf_map_spec *spec, struct ebpf_map *like);

/* The map behind an fd, if it may be in this map, with a reference of an object's kind
 * (ebpf_obj_hold()). -EBADF, -EINVAL. T */
int ebpf_inner_from_fd(const struct ebpf_map *outer, int fd, struct ebpf_obj **out);

/* May it be in this map? 0, -EINVAL */
int ebpf_inner_check(const struct ebpf_map *outer, const struct ebpf_map *map);

#endif /* EBPF_MAPS_MAP_IN_MAP_H */
