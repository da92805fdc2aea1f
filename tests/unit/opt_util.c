/* SPDX-License-Identifier: MIT */
/* See opt_util.h. */
#include "tests/unit/opt_util.h"

static char text[8192];

static void show(const struct ebpf_ir_trace *trace, const char *pass, const struct ebpf_ir_fn *fn)
{
    size_t len = 0;

    (void)trace;
    (void)pass;
    if (fn->subprog)
        return;
    for (uint32_t i = 0; i < fn->list.cnt && len + 128 < sizeof(text); i++) {
        ebpf_ir_print(&fn->list.ops[i], text + len, 120);
        len += strlen(text + len);
        text[len++] = '\n';
    }
    text[len] = 0;
}

const char *opt_after_code(uint32_t passes, const struct ebpf_code *code)
{
    const struct ebpf_ir_trace trace = {show};

    text[0] = 0;
    ebpf_jit_passes = passes;
    CHECK_EQ(ebpf_jit_trace(code, &trace), 0);
    ebpf_jit_passes = UINT32_MAX;
    return text;
}

const char *opt_after(uint32_t passes, const struct bpf_insn *insns, uint32_t cnt)
{
    struct ebpf_code code;

    text[0] = 0;
    if (engine_code(insns, cnt, &code))
        opt_after_code(passes, &code);
    engine_code_free(&code);
    return text;
}
