/* SPDX-License-Identifier: MIT */
/*
 * How much stack a checked program can need: bytes of a frame, and how many frames can be
 * live at once. Recursion and chains of more than EBPF_MAX_FRAMES are refused. A function whose
 * address is taken counts as called there, since a helper may call it from there; one for a timer
 * runs later, on a stack of its own. Context T.
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

uint32_t ebpf_code_subprog(const struct ebpf_code *code, uint32_t slot)
{
    uint32_t low = 0, high = code->subprog_cnt;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (code->subprogs[middle].start <= slot)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Can the instruction leave r2 other than it is, or copy it? */
static bool touches_r2(const struct bpf_insn *insn)
{
    unsigned cls = BPF_CLASS(insn->code);

    if (cls == BPF_LD && BPF_MODE(insn->code) != BPF_IMM)
        return true; /* a packet load is a call */
    return insn->dst_reg == BPF_REG_2 || (cls != BPF_LD && insn->src_reg == BPF_REG_2);
}

/*
 * Does the address that insn, an LD_IMM64, gives go to bpf_timer_set_callback() and nowhere else?
 * Seen only in the form that compilers give it: into r2, and straight on to the call, which is the
 * end of r2. (A jump to between the two brings an r2 of its own.)
 */
static bool is_for_timer(const struct bpf_insn *insn, const struct bpf_insn *end)
{
    if (insn->dst_reg != BPF_REG_2)
        return false;
    for (insn += 2; insn < end; insn++) {
        unsigned cls = BPF_CLASS(insn->code);

        if (insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg)
            return insn->imm == EBPF_HELPER_TIMER_SET_CALLBACK;
        if (cls == BPF_JMP || cls == BPF_JMP32 || touches_r2(insn))
            return false;
    }
    return false;
}

/* May the function at insn->imm run while the one that insn is in does? */
static bool calls_subprog(const struct bpf_insn *insn, const struct bpf_insn *end)
{
    if (insn->code == (BPF_LD | BPF_IMM | BPF_DW))
        return insn->src_reg == BPF_PSEUDO_FUNC && !is_for_timer(insn, end);
    return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL;
}

/* One round of "a function needs one frame more than what it calls"; returns the deepest. The
 * second slot of an LD_IMM64 has code 0 and is no call. */
static uint32_t deepen(const struct ebpf_code *code, uint8_t *frames, bool *changed)
{
    uint32_t deepest = 0;

    *changed = false;
    for (uint32_t f = 0; f < code->subprog_cnt; f++) {
        for (uint32_t i = code->subprogs[f].start; i < code->subprogs[f].end; i++) {
            uint8_t callee;

            if (!calls_subprog(&code->insns[i], &code->insns[code->subprogs[f].end]))
                continue;
            callee = frames[ebpf_code_subprog(code, i + 1 + (uint32_t)code->insns[i].imm)];
            if (callee < frames[f])
                continue;
            frames[f] = (uint8_t)(callee + 1); /* at most one more a round: stays small */
            *changed = true;
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
    bool changed = true;

    if (!frames)
        return -ENOMEM;
    memset(frames, 1, code->subprog_cnt);
    while (changed && deepest <= EBPF_MAX_FRAMES)
        deepest = deepen(code, frames, &changed);
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
