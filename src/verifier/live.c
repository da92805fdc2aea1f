/* SPDX-License-Identifier: MIT */
/*
 * Which registers may still be read. A register is live at an instruction if some way from there
 * reads it before writing it; what is not live plays no role when states are compared. The classic
 * equation (e.g. Aho, Sethi, Ullman, section 10.6),
 *
 *     live(i) = reads(i) + (live(all that may follow i) - writes(i))
 *
 * is solved for all instructions at once by going through them backwards until nothing changes: as
 * often as loops are nested, and a few times more; once where there are none. Calls of the
 * program's own functions count as reading r1 to r5; a function's r6 to r9 are its own.
 */
#include "src/verifier/engine.h"

#define ARGS 0x3eu    /* r1 to r5 */
#define SCRATCH 0x3fu /* r0 to r5 */

/* What an instruction reads, and what it writes, in one word. */
#define WRITES(regs) ((uint32_t)(regs) << 16)

static uint32_t helper_reads(int32_t id)
{
    const struct ebpf_helper *helper = ebpf_helper_find((uint32_t)id);
    uint32_t reads = 0;

    if (!helper)
        return ARGS;
    for (unsigned i = 0; i < 5; i++) {
        if (helper->arg[i] != ARG_NONE)
            reads |= 2u << i;
    }
    return reads;
}

static uint32_t effect_of_atomic(int32_t op, uint32_t dst, uint32_t src)
{
    switch (op) {
    case BPF_LOAD_ACQ:
        return src | WRITES(dst);
    case BPF_STORE_REL:
        return dst | src;
    case BPF_CMPXCHG:
        return dst | src | 1 | WRITES(1);
    default:
        return dst | src | WRITES(op & BPF_FETCH ? src : 0);
    }
}

static uint32_t effect_of_jump(const struct bpf_insn *insn, uint32_t dst, uint32_t src)
{
    switch (BPF_OP(insn->code)) {
    case BPF_JA:
    case BPF_JCOND:
        return 0;
    case BPF_EXIT:
        return 1;
    case BPF_CALL:
        return (insn->src_reg ? ARGS : helper_reads(insn->imm)) | WRITES(SCRATCH);
    default:
        return dst | (BPF_SRC(insn->code) == BPF_X ? src : 0);
    }
}

static uint32_t effect_of(const struct bpf_insn *insn)
{
    uint32_t dst = 1u << insn->dst_reg, src = 1u << insn->src_reg;
    unsigned op = BPF_OP(insn->code), mode = BPF_MODE(insn->code);

    switch (BPF_CLASS(insn->code)) {
    case BPF_LD:
        if (mode == BPF_IMM)
            return WRITES(dst);
        return 1u << BPF_REG_6 | (mode == BPF_IND ? src : 0) | WRITES(SCRATCH);
    case BPF_LDX:
        return src | WRITES(dst);
    case BPF_ST:
        return dst;
    case BPF_STX:
        return mode == BPF_ATOMIC ? effect_of_atomic(insn->imm, dst, src) : dst | src;
    case BPF_ALU:
    case BPF_ALU64:
        return (op == BPF_MOV ? 0 : dst) |
               (BPF_SRC(insn->code) == BPF_X && op != BPF_END ? src : 0) | WRITES(dst);
    default:
        return effect_of_jump(insn, dst, src);
    }
}

/* What is live behind the instruction. *back: it goes to one that is not behind it. */
static uint32_t live_behind(const struct ebpf_verifier *v, const struct bpf_insn *insn, uint32_t at,
                            bool *back)
{
    const struct ebpf_vinsn *insns = v->explore->insns;
    unsigned cls = BPF_CLASS(insn->code), op = BPF_OP(insn->code);
    uint32_t live = 0;
    bool jumps = (cls == BPF_JMP || cls == BPF_JMP32) && op != BPF_CALL && op != BPF_EXIT;

    if (jumps) {
        int64_t target = ebpf_verify_target(insn, at);

        live |= insns[target].live;
        *back |= target <= (int64_t)at;
    }
    if ((cls == BPF_JMP || cls == BPF_JMP32) && (op == BPF_JA || op == BPF_EXIT))
        return live;
    return live | insns[at + 1 + (insn->code == (BPF_LD | BPF_IMM | BPF_DW))].live;
}

int ebpf_verify_live(struct ebpf_verifier *v)
{
    struct ebpf_vinsn *insns = v->explore->insns;
    bool changed = true, back = true;

    while (changed && back) {
        changed = back = false;
        for (uint32_t i = v->code->insn_cnt; i-- > 0;) {
            const struct bpf_insn *insn = &v->code->insns[i];
            uint32_t effect, live;

            if (insns[i].flags & EBPF_VI_SECOND)
                continue;
            effect = effect_of(insn);
            live = (effect | (live_behind(v, insn, i, &back) & ~(effect >> 16))) & 0x3ff;
            changed |= live != insns[i].live;
            insns[i].live = (uint16_t)live;
        }
    }
    return 0;
}
