/* SPDX-License-Identifier: MIT */
/* The table of program types. A file of its own, so that a tool can put another one in its place
 * (bpf-check --linux). */
#include "src/core/prog.h"

#include "src/base/bits.h"

#define EBPF_PROG_TYPE(id, name) extern const struct ebpf_prog_type ebpf_prog_type_##name;
#include "src/core/prog_types.def"
#undef EBPF_PROG_TYPE

static const struct ebpf_prog_type *const types[] = {
#define EBPF_PROG_TYPE(id, name) [id] = &ebpf_prog_type_##name,
#include "src/core/prog_types.def"
#undef EBPF_PROG_TYPE
};

const struct ebpf_prog_type *ebpf_prog_type_find(uint32_t id)
{
    return id < EBPF_ARRAY_SIZE(types) ? types[id] : NULL;
}
