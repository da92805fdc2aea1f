/* SPDX-License-Identifier: MIT */
/* BPF_MAP_TYPE_PROG_ARRAY, for the JIT: a tail call is a jump to the entry of the struct ebpf_prog
 * that progs[index] begins with, read once, in an epoch section. */
#ifndef EBPF_MAPS_PROG_ARRAY_H
#define EBPF_MAPS_PROG_ARRAY_H

#include "maps/map.h"

struct ebpf_prog_array {
    struct ebpf_map map;      /* first */
    uint64_t kind;            /* 0: not decided */
    size_t bytes;             /* of this allocation */
    struct ebpf_obj *progs[]; /* [max_entries], each with a reference; NULL: empty */
};

#endif /* EBPF_MAPS_PROG_ARRAY_H */
