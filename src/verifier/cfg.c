/* SPDX-License-Identifier: MIT */
/*
 * The program's shape: what can be reached at all, where ways join, and how much stack the chain of
 * calls needs.
 *
 * Reachability is a walk over all instructions with a list of those yet to be looked at: both ways
 * of every jump, both the function and the instruction behind a call. What is not reached is
 * refused (Linux, check_cfg()), so that every instruction that remains was looked at by somebody.
 * What is reached in two ways is a join.
 */
#include "src/base/alloc.h"
#include "src/verifier/engine.h"

/* gotol and calls count in imm, all others in off. */
int64_t ebpf_verify_target(const struct bpf_insn *insn, uint32_t at)
{
    bool far = insn->code == (BPF_JMP32 | BPF_JA) || insn->code == (BPF_JMP | BPF_CALL) ||
               insn->code == (BPF_LD | BPF_IMM | BPF_DW);

    return (int64_t)at + 1 + (far ? insn->imm : insn->off);
}

/* Calls, and functions whose address is taken. */
static bool calls(const struct bpf_insn *insn)
{
    return (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL) ||
           (insn->code == (BPF_LD | BPF_IMM | BPF_DW) && insn->src_reg == BPF_PSEUDO_FUNC);
}

/* ---- reachability ---------------------------------------------------------------------------- */

struct walk {
    struct ebpf_verifier *v;
    uint32_t *todo; /* [insn_cnt]: each instruction is in it once at most */
    uint32_t count;
};

static int reach(struct walk *w, uint32_t from, int64_t at, bool join)
{
    struct ebpf_vinsn *info;

    if (at < 0 || at >= w->v->code->insn_cnt)
        return ebpf_verify_refuse(w->v, -EINVAL, "jump out of range from insn %u to %d", from,
                                  (int)at);
    info = &w->v->explore->insns[at];
    if (info->flags & EBPF_VI_SECOND)
        return ebpf_verify_refuse(w->v, -EINVAL, "jump into the middle of ldimm64 insn %d",
                                  (int)at);
    if (join || (info->flags & EBPF_VI_REACHED))
        info->flags |= EBPF_VI_JOIN;
    if (!(info->flags & EBPF_VI_REACHED)) {
        info->flags |= EBPF_VI_REACHED;
        w->todo[w->count++] = (uint32_t)at;
    }
    return 0;
}

static int walk_call(struct walk *w, const struct bpf_insn *insn, uint32_t at)
{
    struct ebpf_vexplore *x = w->v->explore;
    const struct ebpf_helper *helper;
    struct ebpf_vsub *sub;

    if (insn->src_reg == BPF_PSEUDO_CALL)
        return reach(w, at, ebpf_verify_target(insn, at), false);
    if (insn->src_reg)
        return 0;
    helper = ebpf_helper_find((uint32_t)insn->imm);
    if (helper && helper->callback != CALLBACK_NONE && helper->callback != CALLBACK_TIMER)
        x->insns[at].flags |= EBPF_VI_FORCE | EBPF_VI_CALLS;
    sub = &x->subs[ebpf_code_subprog(w->v->code, at)];
    sub->tail_calls |= insn->imm == EBPF_HELPER_TAIL_CALL;
    sub->moves_packet |= helper && helper->packet;
    return 0;
}

static int walk_jump(struct walk *w, const struct bpf_insn *insn, uint32_t at, bool *ends)
{
    switch (BPF_OP(insn->code)) {
    case BPF_EXIT:
        *ends = true;
        return 0;
    case BPF_CALL:
        return walk_call(w, insn, at);
    case BPF_JA:
        *ends = true;
        return reach(w, at, ebpf_verify_target(insn, at), false);
    case BPF_JCOND:
        w->v->explore->insns[at].flags |= EBPF_VI_FORCE;
        return reach(w, at, ebpf_verify_target(insn, at), false);
    default:
        return reach(w, at, ebpf_verify_target(insn, at), false);
    }
}

/* Returns from calls are joins, since a function may end in several ways; so are starts of
 * functions that helpers call, where states of several calls meet. */
static int walk_insn(struct walk *w, uint32_t at)
{
    const struct bpf_insn *insn = &w->v->code->insns[at];
    unsigned cls = BPF_CLASS(insn->code);
    bool wide = insn->code == (BPF_LD | BPF_IMM | BPF_DW), ends = false;
    int err = 0;

    if (wide && insn->src_reg == BPF_PSEUDO_FUNC)
        err = reach(w, at, ebpf_verify_target(insn, at), true);
    else if (cls == BPF_JMP || cls == BPF_JMP32)
        err = walk_jump(w, insn, at, &ends);
    if (err || ends)
        return err;
    return reach(w, at, at + 1 + wide,
                 insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL);
}

static int walk_all(struct walk *w)
{
    struct ebpf_vinsn *insns = w->v->explore->insns;
    const struct ebpf_code *code = w->v->code;
    int err;

    for (uint32_t i = 0; i + 1 < code->insn_cnt; i++) {
        if (code->insns[i].code == (BPF_LD | BPF_IMM | BPF_DW))
            insns[++i].flags |= EBPF_VI_SECOND;
    }
    err = reach(w, 0, 0, false);
    while (!err && w->count)
        err = walk_insn(w, w->todo[--w->count]);
    for (uint32_t i = 0; !err && i < code->insn_cnt; i++) {
        if (!(insns[i].flags & (EBPF_VI_REACHED | EBPF_VI_SECOND)))
            err = ebpf_verify_refuse(w->v, -EINVAL, "unreachable insn %u", i);
    }
    return err;
}

/* Who calls a function that may move the packet may do so. As many rounds as calls are nested. */
static void spread_moves(struct ebpf_verifier *v)
{
    struct ebpf_vsub *subs = v->explore->subs;

    for (unsigned round = 0; round < EBPF_MAX_FRAMES; round++) {
        for (uint32_t i = 0, f = 0; i < v->code->insn_cnt; i++) {
            const struct bpf_insn *insn = &v->code->insns[i];

            while (i >= v->code->subprogs[f].end)
                f++;
            if (calls(insn) &&
                subs[ebpf_code_subprog(v->code, (uint32_t)ebpf_verify_target(insn, i))]
                    .moves_packet)
                subs[f].moves_packet = true;
        }
    }
}

int ebpf_verify_cfg(struct ebpf_verifier *v)
{
    size_t size = v->code->insn_cnt * sizeof(uint32_t);
    struct walk w = {.v = v, .todo = ebpf_vmem_alloc(&v->mem, size)};
    int err = w.todo ? walk_all(&w) : -ENOMEM;

    ebpf_vmem_free(&v->mem, w.todo, size);
    if (!err && v->code->subprog_cnt > 1)
        spread_moves(v);
    return err;
}

/* ---- stack depth ----------------------------------------------------------------------------- */

/* What a function's frame takes: Linux, round_up_stack_depth(), with a JIT. */
static uint32_t frame_bytes(const struct ebpf_vsub *sub)
{
    return (sub->depth + 15u) & ~15u;
}

/* What is above a function at most: bytes in frames, and how many of them. */
struct above {
    uint32_t bytes, frames;
};

/* One round of "a function lies below all that its callers need"; 1: something changed. */
static int deepen(struct ebpf_verifier *v, struct above *above)
{
    const struct ebpf_code *code = v->code;
    struct ebpf_vsub *subs = v->explore->subs;
    int changed = 0;

    for (uint32_t f = 0, i = 0; i < code->insn_cnt; i++) {
        const struct bpf_insn *insn = &code->insns[i];
        struct above next;
        uint32_t callee;

        while (i >= code->subprogs[f].end)
            f++;
        if (!calls(insn))
            continue;
        callee = ebpf_code_subprog(code, (uint32_t)ebpf_verify_target(insn, i));
        if (BPF_CLASS(insn->code) == BPF_LD && subs[callee].timer)
            continue;
        next = (struct above){above[f].bytes + frame_bytes(&subs[f]), above[f].frames + 1};
        if (next.frames >= EBPF_MAX_FRAMES)
            return ebpf_verify_refuse(v, -E2BIG, "the call stack of %u frames is too deep !",
                                      next.frames);
        if (next.bytes > above[callee].bytes || next.frames > above[callee].frames) {
            above[callee].bytes =
                next.bytes > above[callee].bytes ? next.bytes : above[callee].bytes;
            above[callee].frames =
                next.frames > above[callee].frames ? next.frames : above[callee].frames;
            changed = 1;
        }
    }
    return changed;
}

/*
 * Linux, check_max_stack_depth(): 512 bytes in all. Where a function makes tail calls, those above
 * it must leave half of that: up to 33 tail calls can pile up such frames. Recursion ends at the
 * limit of frames.
 */
int ebpf_verify_stack_depth(struct ebpf_verifier *v)
{
    size_t size = v->code->subprog_cnt * sizeof(struct above);
    struct above *above = ebpf_vmem_zalloc(&v->mem, size);
    int err = 1;

    if (!above)
        return -ENOMEM;
    while (err > 0)
        err = deepen(v, above);
    for (uint32_t f = 0; !err && f < v->code->subprog_cnt; f++) {
        const struct ebpf_vsub *sub = &v->explore->subs[f];
        uint32_t total = above[f].bytes + frame_bytes(sub);

        if (f && sub->tail_calls && above[f].bytes >= 256)
            err = ebpf_verify_refuse(v, -EACCES,
                                     "tail_calls are not allowed when call stack of previous "
                                     "frames is %u bytes. Too large",
                                     above[f].bytes);
        else if (total > EBPF_FRAME_SIZE)
            err = ebpf_verify_refuse(v, -EACCES, "combined stack size of %u calls is %u. Too large",
                                     above[f].frames + 1, total);
    }
    ebpf_vmem_free(&v->mem, above, size);
    return err;
}
