/* SPDX-License-Identifier: MIT */
/*
 * How much stack a checked program can need: bytes of a frame, and how many frames can be
 * live at once. Recursion and chains of more than EBPF_MAX_FRAMES are refused. Context T.
 */
#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/core/prog.h"

/* ---- frames -------------------------------------------------------------------------------- */

/*
 * What one instruction asks of the frame: the distance below r10 where it is the base of an access
 * (the check has seen that it is inside the frame), the whole frame where the address itself goes
 * anywhere else.
 */
static uint32_t stack_of_insn(const struct bpf_insn *insn)
{
    unsigned cls = BPF_CLASS(insn->code);
    bool store = cls == BPF_ST || cls == BPF_STX;
    bool reads = store && BPF_MODE(insn->code) == BPF_ATOMIC && insn->imm == BPF_LOAD_ACQ;
    unsigned base = cls == BPF_LDX || reads ? insn->src_reg : store ? insn->dst_reg : 0;
    bool value = cls != BPF_LDX && cls != BPF_LD && !reads && insn->src_reg == BPF_REG_10;

    if (value || (!store && cls != BPF_LDX && cls != BPF_LD && insn->dst_reg == BPF_REG_10))
        return EBPF_FRAME_SIZE;
    if (cls == BPF_LD) /* a packet load with r10 as its index */
        return insn->src_reg == BPF_REG_10 ? EBPF_FRAME_SIZE : 0;
    return base == BPF_REG_10 ? (uint32_t)-insn->off : 0;
}

static void find_stack(struct ebpf_code *code)
{
    uint32_t stack = 0;

    for (uint32_t i = 0; i < code->insn_cnt; i++) {
        uint32_t needed = stack_of_insn(&code->insns[i]);

        stack = needed > stack ? needed : stack;
    }
    code->stack = EBPF_ROUND_UP(stack, 16u);
}

/* ---- chains of calls ----------------------------------------------------------------------- */

static uint32_t subprog_at(const struct ebpf_code *code, uint32_t start)
{
    uint32_t low = 0, high = code->subprog_cnt;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (code->subprogs[middle].start <= start)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static bool calls_subprog(const struct bpf_insn *insn)
{
    return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL;
}

/* One round of "a function needs one frame more than what it calls"; returns the deepest. The
 * second slot of an LD_IMM64 has code 0 and is no call. */
static uint32_t deepen(const struct ebpf_code *code, uint8_t *frames)
{
    uint32_t deepest = 0;

    for (uint32_t f = 0; f < code->subprog_cnt; f++) {
        for (uint32_t i = code->subprogs[f].start; i < code->subprogs[f].end; i++) {
            uint8_t callee;

            if (!calls_subprog(&code->insns[i]))
                continue;
            callee = frames[subprog_at(code, i + 1 + (uint32_t)code->insns[i].imm)];
            if (callee >= frames[f])
                frames[f] = (uint8_t)(callee + 1); /* at most one more a round: stays small */
        }
        deepest = frames[f] > deepest ? frames[f] : deepest;
    }
    return deepest;
}

/* A chain of k calls is found after k rounds; recursion makes every round deeper, until the
 * limit. */
static int find_depth(struct ebpf_code *code)
{
    uint8_t *frames = ebpf_alloc(code->subprog_cnt);
    uint32_t deepest = 0;

    if (!frames)
        return -ENOMEM;
    memset(frames, 1, code->subprog_cnt);
    for (unsigned round = 0; round <= EBPF_MAX_FRAMES && deepest <= EBPF_MAX_FRAMES; round++)
        deepest = deepen(code, frames);
    ebpf_free(frames, code->subprog_cnt);
    if (deepest > EBPF_MAX_FRAMES)
        return ebpf_code_reject(code, -E2BIG, "the call stack of more than %u frames is too deep",
                                EBPF_MAX_FRAMES);
    code->frames = deepest;
    return 0;
}

int ebpf_code_frames(struct ebpf_code *code)
{
    find_stack(code);
    return find_depth(code);
}
