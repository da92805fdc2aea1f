/* SPDX-License-Identifier: MIT */
/*
 * The library's tables, or Linux's: the linker sends every call of the three lookups here (--wrap),
 * so that the library itself knows nothing of this.
 */
#include "tools/bpf-check/check.h"
#include "tools/linux/linux.h"

static bool use_linux;
static uint32_t current_type, current_attach;

void tables_use_linux(bool on)
{
    use_linux = on;
}

void tables_set_program(uint32_t type, uint32_t attach_type)
{
    current_type = type;
    current_attach = attach_type;
}

const struct ebpf_helper *__real_ebpf_helper_find(uint32_t id);
const struct ebpf_helper *__wrap_ebpf_helper_find(uint32_t id);
const struct ebpf_helper *__wrap_ebpf_helper_find(uint32_t id)
{
    return use_linux ? linux_helper(id, current_type) : __real_ebpf_helper_find(id);
}

const struct ebpf_prog_type *__real_ebpf_prog_type_find(uint32_t id);
const struct ebpf_prog_type *__wrap_ebpf_prog_type_find(uint32_t id);
const struct ebpf_prog_type *__wrap_ebpf_prog_type_find(uint32_t id)
{
    return use_linux ? linux_prog_type(id, current_attach) : __real_ebpf_prog_type_find(id);
}

/* A type that this build has got is better than its sizes. */
const struct ebpf_map_ops *__real_ebpf_map_ops(uint32_t type);
const struct ebpf_map_ops *__wrap_ebpf_map_ops(uint32_t type);
const struct ebpf_map_ops *__wrap_ebpf_map_ops(uint32_t type)
{
    const struct ebpf_map_ops *own = __real_ebpf_map_ops(type);

    return use_linux && !own ? linux_map_ops(type) : own;
}
