/* SPDX-License-Identifier: MIT */
/* BTF of a program: what is asked for by func_info and line_info is refused until src/btf is there. */
#include "src/core/load.h"

int ebpf_prog_btf_take(struct ebpf_prog *prog, const struct ebpf_load *load)
{
    if (load->func_info->cnt || load->line_info->cnt)
        return ebpf_code_reject(&prog->code, -EOPNOTSUPP, "this build has no BTF");
    return 0;
}

int ebpf_prog_btf_check(const struct ebpf_prog *prog)
{
    (void)prog;
    return 0;
}

void ebpf_prog_btf_free(struct ebpf_prog *prog)
{
    (void)prog;
}
