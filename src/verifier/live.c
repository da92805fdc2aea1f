/* SPDX-License-Identifier: MIT */
/*
 * Which registers may still be read. A register is live at an instruction if some way from there
 * reads it before writing it; what is not live plays no role when states are compared. The classic
 * equation (e.g. Aho, Sethi, Ullman, section 10.6),
 *
 *     live(i) = reads(i) + (live(all that may follow i) - writes(i))
 *
 * is solved for all instructions at once by going through them backwards until nothing changes: as
 * often as loops are nested, and a few times more. Calls of the program's own functions count as
 * reading r1 to r5; a function's r6 to r9 are its own.
 */
#include "src/verifier/engine.h"

#define ARGS 0x3eu    /* r1 to r5 */
#define SCRATCH 0x3fu /* r0 to r5 */

struct effect {
    uint16_t reads, writes;
};

static uint16_t bit(unsigned reg)
{
    return (uint16_t)(1u << reg);
}

static uint16_t helper_reads(int32_t id)
{
    const struct ebpf_helper *helper = ebpf_helper_find((uint32_t)id);
    uint16_t reads = 0;

    if (!helper)
        return ARGS;
    for (unsigned i = 0; i < 5; i++) {
        if (helper->arg[i] != ARG_NONE)
            reads |= bit(i + 1);
    }
    return reads;
}

static struct effect effect_of_alu(const struct bpf_insn *insn)
{
    bool mov = BPF_OP(insn->code) == BPF_MOV;
    bool by_reg = BPF_SRC(insn->code) == BPF_X && BPF_OP(insn->code) != BPF_END;

    return (struct effect){
        (uint16_t)((mov ? 0 : bit(insn->dst_reg)) | (by_reg ? bit(insn->src_reg) : 0)),
        bit(insn->dst_reg)};
}

static struct effect effect_of_atomic(const struct bpf_insn *insn)
{
    uint16_t both = bit(insn->dst_reg) | bit(insn->src_reg);

    if (insn->imm == BPF_LOAD_ACQ)
        return (struct effect){bit(insn->src_reg), bit(insn->dst_reg)};
    if (insn->imm == BPF_CMPXCHG)
        return (struct effect){both | 1, 1};
    return (struct effect){
        both, insn->imm & BPF_FETCH && insn->imm != BPF_STORE_REL ? bit(insn->src_reg) : 0};
}

static struct effect effect_of_jump(const struct bpf_insn *insn)
{
    switch (BPF_OP(insn->code)) {
    case BPF_JA:
    case BPF_JCOND:
        return (struct effect){0, 0};
    case BPF_EXIT:
        return (struct effect){1, 0};
    case BPF_CALL:
        return (struct effect){insn->src_reg ? ARGS : helper_reads(insn->imm), SCRATCH};
    default:
        return (struct effect){(uint16_t)(bit(insn->dst_reg) |
                                          (BPF_SRC(insn->code) == BPF_X ? bit(insn->src_reg) : 0)),
                               0};
    }
}

static struct effect effect_of(const struct bpf_insn *insn)
{
    switch (BPF_CLASS(insn->code)) {
    case BPF_LD:
        if (BPF_MODE(insn->code) == BPF_IMM)
            return (struct effect){0, bit(insn->dst_reg)};
        return (struct effect){
            (uint16_t)(bit(BPF_REG_6) | (BPF_MODE(insn->code) == BPF_IND ? bit(insn->src_reg) : 0)),
            SCRATCH};
    case BPF_LDX:
        return (struct effect){bit(insn->src_reg), bit(insn->dst_reg)};
    case BPF_ST:
        return (struct effect){bit(insn->dst_reg), 0};
    case BPF_STX:
        if (BPF_MODE(insn->code) == BPF_ATOMIC)
            return effect_of_atomic(insn);
        return (struct effect){bit(insn->dst_reg) | bit(insn->src_reg), 0};
    case BPF_ALU:
    case BPF_ALU64:
        return effect_of_alu(insn);
    default:
        return effect_of_jump(insn);
    }
}

/* What is live behind the instruction. */
static uint16_t live_behind(const struct ebpf_verifier *v, const struct bpf_insn *insn, uint32_t at)
{
    const struct ebpf_vinsn *insns = v->explore->insns;
    unsigned cls = BPF_CLASS(insn->code), op = BPF_OP(insn->code);
    uint16_t live = 0;
    bool jumps = (cls == BPF_JMP || cls == BPF_JMP32) && op != BPF_CALL && op != BPF_EXIT;

    if (jumps)
        live |= insns[ebpf_verify_target(insn, at)].live;
    if ((cls == BPF_JMP || cls == BPF_JMP32) && (op == BPF_JA || op == BPF_EXIT))
        return live;
    return live | insns[at + 1 + (insn->code == (BPF_LD | BPF_IMM | BPF_DW))].live;
}

int ebpf_verify_live(struct ebpf_verifier *v)
{
    struct ebpf_vinsn *insns = v->explore->insns;
    bool changed = true;

    while (changed) {
        changed = false;
        for (uint32_t i = v->code->insn_cnt; i-- > 0;) {
            const struct bpf_insn *insn = &v->code->insns[i];
            struct effect effect;
            uint16_t live;

            if (insns[i].flags & EBPF_VI_SECOND)
                continue;
            effect = effect_of(insn);
            live = (uint16_t)((effect.reads | (live_behind(v, insn, i) & ~effect.writes)) & 0x3ff);
            changed |= live != insns[i].live;
            insns[i].live = live;
        }
    }
    return 0;
}
