/* SPDX-License-Identifier: MIT */
/* Until loading itself calls the verifier: calls it where loading will. */
#include "tools/bpf-check/check.h"

#include <stddef.h>

#include "src/core/prog.h"

int ebpf_verify(struct ebpf_prog *prog) __attribute__((weak));

int __real_ebpf_code_rewrite_ctx(struct ebpf_code *code, const struct ebpf_prog_type *type);
int __wrap_ebpf_code_rewrite_ctx(struct ebpf_code *code, const struct ebpf_prog_type *type);
int __wrap_ebpf_code_rewrite_ctx(struct ebpf_code *code, const struct ebpf_prog_type *type)
{
    struct ebpf_prog *prog = (struct ebpf_prog *)((char *)code - offsetof(struct ebpf_prog, code));
    int err = 0;

    if (ebpf_verify)
        err = ebpf_verify(prog);
    return err ? err : __real_ebpf_code_rewrite_ctx(code, type);
}
