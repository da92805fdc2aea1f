/* SPDX-License-Identifier: MIT */
/*
 * What Linux has and this library need not have: prototypes of all helpers, all program types with
 * what they may see of their contexts, all map types. For bpf-check --linux, which asks whether
 * Linux's programs would be accepted; nothing here can run.
 *
 * The tables say what Linux 6.18 on x86-64 with all capabilities says: numbers and rules from
 * <linux/bpf.h>, bpf-helpers(7) and Documentation/bpf/, and who may call what from asking a kernel.
 */
#ifndef TOOLS_LINUX_LINUX_H
#define TOOLS_LINUX_LINUX_H

#include "helpers/helper.h"
#include "maps/map.h"
#include "src/core/prog.h"

/* The helper of that number as programs of that type see it (some numbers take other arguments in
 * other types), or as any type does: the verifier says that the type may not call it. NULL: Linux
 * has none. */
const struct ebpf_helper *linux_helper(uint32_t id, uint32_t prog_type);

/* The type, its range of return values as that attach type has it; NULL: not a type that can be
 * checked without the kernel's own BTF (tracing, lsm, struct_ops, ext). Valid until the next call
 * for the same type. */
const struct ebpf_prog_type *linux_prog_type(uint32_t id, uint32_t attach_type);

/* Map types that have no operations, only sizes. NULL: not a type. */
const struct ebpf_map_ops *linux_map_ops(uint32_t type);

/* Of linux_prog_type(): the rules for contexts (ctx.c). */
typedef bool (*linux_ctx_access)(uint32_t attach_type, int off, unsigned size, bool write,
                                 enum ebpf_ctx_kind *kind);
linux_ctx_access linux_ctx(uint32_t prog_type, uint32_t *ctx_size);

#endif /* TOOLS_LINUX_LINUX_H */
