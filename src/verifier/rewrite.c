/* SPDX-License-Identifier: MIT */
/*
 * What engines get from a verification. Instructions that no path reaches become jumps to
 * themselves (Linux: sanitize_dead_code()): whatever they were, an engine need not understand it.
 * Conditional jumps that went one way only become unconditional, or jumps to the next instruction
 * (Linux: opt_hard_wire_dead_code_branches()), which takes the dead code out of the compiler's
 * sight. The rest are facts, a byte for each instruction. Context T.
 */
#include "src/base/alloc.h"
#include "src/verifier/engine.h"

static bool is_conditional(const struct bpf_insn *insn)
{
    uint8_t cls = BPF_CLASS(insn->code), op = BPF_OP(insn->code);

    return (cls == BPF_JMP || cls == BPF_JMP32) && op != BPF_JA && op != BPF_CALL &&
           op != BPF_EXIT && op != BPF_JCOND;
}

static void hard_wire(struct bpf_insn *insn, uint8_t flags)
{
    bool taken = flags & EBPF_VI_TAKEN;

    if (!is_conditional(insn) || taken == ((flags & EBPF_VI_PASSED) != 0))
        return;
    *insn = (struct bpf_insn){.code = BPF_JMP | BPF_JA, .off = taken ? insn->off : 0};
}

int ebpf_verify_rewrite(struct ebpf_verifier *v)
{
    struct ebpf_code *code = v->code;
    uint8_t *facts = ebpf_zalloc(code->insn_cnt);

    if (!facts)
        return -ENOMEM;
    for (uint32_t i = 0; i < code->insn_cnt; i++) {
        uint8_t flags = v->explore->insns[i].flags;

        if (flags & EBPF_VI_SEEN) {
            facts[i] = EBPF_FACT_REACHED;
            if (v->bases && v->bases[i] == EBPF_KIND_CTX)
                facts[i] |= EBPF_FACT_CTX;
            hard_wire(&code->insns[i], flags);
        } else if (!(flags & EBPF_VI_SECOND) || !(facts[i - 1] & EBPF_FACT_REACHED)) {
            code->insns[i] = (struct bpf_insn){.code = BPF_JMP | BPF_JA, .off = -1};
        }
    }
    code->facts = facts;
    return 0;
}
