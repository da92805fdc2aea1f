/* SPDX-License-Identifier: MIT */
/* The table of map types. A file of its own, so that a tool can put another one in its place
 * (bpf-check --linux). */
#include "maps/map.h"

#include "src/base/bits.h"

#define EBPF_MAP(id, name) extern const struct ebpf_map_ops ebpf_map_##name##_ops;
#include "maps/types.def"
#undef EBPF_MAP

static const struct ebpf_map_ops *const types[] = {
#define EBPF_MAP(id, name) [id] = &ebpf_map_##name##_ops,
#include "maps/types.def"
#undef EBPF_MAP
};

const struct ebpf_map_ops *ebpf_map_ops(uint32_t type)
{
    return type < EBPF_ARRAY_SIZE(types) ? types[type] : NULL;
}
