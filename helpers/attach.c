/* SPDX-License-Identifier: MIT */
/* Helpers 173, 174, 186 and 187: where a program is attached, and what it makes the hook return. */
#include <ebpf/kprobe.h>

#include "helpers/helper.h"
#include "helpers/types.h"
#include "src/base/ksym.h"
#include "src/core/prog.h"

EBPF_HELPER_FN(get_attach_cookie)
{
    const struct ebpf_run *run = ebpf_run_current();

    return run ? run->cookie : 0;
}

const struct ebpf_helper ebpf_helper_get_attach_cookie = {
    .name = "get_attach_cookie",
    .fn = get_attach_cookie,
    .arg = {ARG_CTX},
    .types = TRACING_PROGS & ~PROG(SYSCALL),
};

/* Where the probe is, if that is the first instruction of a function, else 0. A kernel without a
 * symbol table in the image cannot tell in this context, and every probe counts. */
EBPF_HELPER_FN(get_func_ip)
{
    const struct ebpf_regs *regs = ebpf_reg_ptr(r1);
    struct ebpf_symbol symbol;

    if (!ebpf_ksym_at(regs->pc, &symbol) && symbol.addr != regs->pc)
        return 0;
    return regs->pc;
}

#define ATTACH(name) (1ull << BPF_TRACE_##name)

/* As on Linux, only probes that are attached one by one demand the GPL here, not the many of one
 * link. */
const struct ebpf_helper ebpf_helper_get_func_ip = {
    .name = "get_func_ip",
    .fn = get_func_ip,
    .arg = {ARG_CTX},
    .gpl_only = true,
    .free_attach = ATTACH(KPROBE_MULTI) | ATTACH(KPROBE_SESSION) | ATTACH(UPROBE_MULTI),
    .types = PROG(KPROBE),
};

/* No program type of this build returns through a hook that others return through. */
EBPF_HELPER_FN(get_retval)
{
    const struct ebpf_run *run = ebpf_run_current();

    return ebpf_reg_int(run ? run->retval : 0);
}

const struct ebpf_helper ebpf_helper_get_retval = {
    .name = "get_retval",
    .fn = get_retval,
    .types = CGROUP_PROGS,
};

EBPF_HELPER_FN(set_retval)
{
    struct ebpf_run *run = ebpf_run_current();

    if (run)
        run->retval = (int32_t)r1;
    return 0;
}

const struct ebpf_helper ebpf_helper_set_retval = {
    .name = "set_retval",
    .fn = set_retval,
    .arg = {ARG_ANYTHING},
    .types = CGROUP_PROGS,
};
