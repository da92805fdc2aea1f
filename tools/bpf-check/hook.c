/* SPDX-License-Identifier: MIT */
/* Until loading itself calls the verifier: calls it where loading will. Once it does, this does
 * nothing, and the file and its --wrap can go. */
#include "tools/bpf-check/check.h"

#include <stddef.h>

#include "src/core/prog.h"

static bool verified;

int __real_ebpf_verify(struct ebpf_prog *prog);
int __wrap_ebpf_verify(struct ebpf_prog *prog);
int __wrap_ebpf_verify(struct ebpf_prog *prog)
{
    verified = true;
    return __real_ebpf_verify(prog);
}

int __real_ebpf_code_rewrite_ctx(struct ebpf_code *code, const struct ebpf_prog_type *type);
int __wrap_ebpf_code_rewrite_ctx(struct ebpf_code *code, const struct ebpf_prog_type *type);
int __wrap_ebpf_code_rewrite_ctx(struct ebpf_code *code, const struct ebpf_prog_type *type)
{
    struct ebpf_prog *prog = (struct ebpf_prog *)((char *)code - offsetof(struct ebpf_prog, code));
    int err = verified ? 0 : __real_ebpf_verify(prog);

    return err ? err : __real_ebpf_code_rewrite_ctx(code, type);
}
