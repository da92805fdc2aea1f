/* SPDX-License-Identifier: MIT */
/* Entering and leaving a function: what it needs of a frame, and only that, see struct rv_frame. */
#include "jit/rv64/lower.h"
#include "src/base/bits.h"

/* What one instruction asks of the frame: r10's displacement where it is the base of an access (0: not used), the whole
 * stack where the address itself goes anywhere else. */
static uint32_t stack_needed(const struct bpf_insn *insn)
{
    unsigned cls = BPF_CLASS(insn->code);
    bool load = cls == BPF_LDX, store = cls == BPF_ST || cls == BPF_STX;
    bool base = load ? insn->src_reg == BPF_REG_10 : store && insn->dst_reg == BPF_REG_10;
    bool other = load || cls == BPF_ST ? false : insn->src_reg == BPF_REG_10 ||
                 (!store && insn->dst_reg == BPF_REG_10);

    if (other || (base && (insn->off >= 0 || insn->off < -(int)EBPF_FRAME_SIZE)))
        return EBPF_FRAME_SIZE;
    return base ? (uint32_t)-insn->off : 0;
}

/* The register that an instruction writes, r0 where it is none that a function has to save. */
static unsigned written(const struct bpf_insn *insn)
{
    switch (BPF_CLASS(insn->code)) {
    case BPF_LD:
    case BPF_LDX:
    case BPF_ALU:
    case BPF_ALU64:
        return insn->dst_reg;
    case BPF_STX:
        return BPF_MODE(insn->code) == BPF_ATOMIC && (insn->imm & BPF_FETCH) ? insn->src_reg : BPF_REG_0;
    default:
        return BPF_REG_0;
    }
}

static unsigned saved_count(const struct rv_frame *frame)
{
    unsigned count = frame->calls;

    for (unsigned n = 0; n < 4; n++)
        count += frame->saved >> n & 1;
    return count;
}

void ebpf_rv_frame_plan(const struct ebpf_code *code, const struct ebpf_subprog *sub, struct rv_frame *frame)
{
    uint32_t stack = 0;

    memset(frame, 0, sizeof(*frame));
    for (uint32_t i = sub->start; i < sub->end; i++) {
        const struct bpf_insn *insn = &code->insns[i];
        uint32_t needed = stack_needed(insn);
        unsigned reg = written(insn);

        stack = needed > stack ? needed : stack;
        if (reg >= BPF_REG_6 && reg <= BPF_REG_9)
            frame->saved |= (uint8_t)(1u << (reg - BPF_REG_6));
        frame->calls |= insn->code == (BPF_JMP | BPF_CALL);
    }
    frame->fp = (uint16_t)EBPF_ROUND_UP(stack, 8u);
    frame->size = (uint16_t)EBPF_ROUND_UP(frame->fp + 8u * saved_count(frame), 16u);
}

/* sd or ld of everything saved, from the top of the frame downwards. */
static void each_saved(struct rv_jit *j, void (*access)(struct rv_asm *, enum rv_reg, int64_t, enum rv_reg))
{
    const struct rv_frame *frame = &j->frames[j->subprog];
    int64_t at = frame->size;

    if (frame->calls)
        access(&j->as, RA, at -= 8, SP);
    for (unsigned n = 0; n < 4; n++) {
        if (frame->saved & 1u << n)
            access(&j->as, ebpf_rv_reg(j, BPF_REG_6 + n), at -= 8, SP);
    }
}

void ebpf_rv_prologue(struct rv_jit *j)
{
    const struct rv_frame *frame = &j->frames[j->subprog];

    if (frame->size)
        rv_addi(&j->as, SP, SP, -(int64_t)frame->size);
    each_saved(j, rv_sd);
}

/* The result is in r0's own register for the program's other functions; C expects the main function's in a0. */
void ebpf_rv_epilogue(struct rv_jit *j)
{
    const struct rv_frame *frame = &j->frames[j->subprog];

    each_saved(j, rv_ld);
    if (frame->size)
        rv_addi(&j->as, SP, SP, frame->size);
    if (j->subprog == 0)
        rv_mv(&j->as, A0, ebpf_rv_reg(j, BPF_REG_0));
    rv_jalr(&j->as, ZERO, 0, RA);
}
