/* SPDX-License-Identifier: MIT */
/*
 * Jumps that depend on something: both ways, each with what it teaches.
 *
 * Numbers are narrowed by bounds.c; where one way leaves nothing over, only the other is followed,
 * and the operands are what that decision depends on (precise.c). What is learnt about a number is
 * true of its copies, too. A pointer that may be NULL is one thing on one way and another on the
 * other. A comparison of a packet pointer with the packet's end shows how many bytes behind it can
 * be touched:
 *
 *     r2 = data; r3 = data_end; r1 = r2; r1 += 14; if r1 > r3 goto out;
 *     here: 14 bytes behind r2 are in the packet
 *
 * All of it follows Linux's check_cond_jmp_op().
 */
#include "src/verifier/engine.h"

/* ---- numbers --------------------------------------------------------------------------------- */

/* Both ways of a comparison of numbers, out[1] where it is taken. Returns the only possible way, or
 * -1. */
static int compare(uint8_t op, bool wide, const struct ebpf_scalar *dst,
                   const struct ebpf_scalar *src, struct ebpf_vway out[2])
{
    bool possible[2];

    if (ebpf_scalar_is_const(dst) && ebpf_scalar_is_const(src))
        return ebpf_jump_taken(op, wide, dst->known.value, src->known.value);
    for (int taken = 0; taken < 2; taken++) {
        out[taken].dst = *dst;
        out[taken].src = *src;
        possible[taken] = ebpf_scalar_branch(op, wide, taken, &out[taken].dst, &out[taken].src, 64);
    }
    /* neither: the state itself was impossible, and bounds.c sees it only now; any way is right */
    if (possible[0] && possible[1])
        return -1;
    return possible[1];
}

/* What is known of a number now holds for all its copies: Linux, sync_linked_regs(). */
static void learn(struct ebpf_verifier *v, struct ebpf_vreg *reg, struct ebpf_vslot *slot,
                  void *arg)
{
    const struct ebpf_vreg *known = arg;
    (void)v;
    (void)slot;
    if (reg->kind != EBPF_KIND_SCALAR || reg->id != known->id)
        return;
    reg->from |= known->from;
    if (reg->link == known->link) {
        reg->var = known->var;
    } else {
        ebpf_scalar_set(&reg->var, (uint64_t)((int64_t)reg->link - known->link), 64);
        ebpf_scalar_alu(BPF_ADD, true, &reg->var, &known->var, 64);
    }
}

static void teach_copies(struct ebpf_verifier *v, const struct ebpf_vreg *reg)
{
    if (!reg->id)
        return;
    v->explore->known = *reg;
    ebpf_verify_each_reg(v, learn, &v->explore->known);
}

/* Both operands are numbers; src NULL: an immediate. */
static void narrow(struct ebpf_verifier *v, const struct bpf_insn *insn,
                   const struct ebpf_vway *out)
{
    struct ebpf_vreg *dst = ebpf_verify_reg(v, insn->dst_reg);

    dst->var = out->dst;
    if (BPF_SRC(insn->code) == BPF_X) {
        struct ebpf_vreg *src = ebpf_verify_reg(v, insn->src_reg);

        src->var = out->src;
        dst->from |= src->from;
        src->from = dst->from;
        teach_copies(v, src);
    }
    teach_copies(v, dst);
}

/* ---- pointers -------------------------------------------------------------------------------- */

/* Linux, reg_not_null(): of the others, too, none is ever NULL, but nobody compares them. */
static bool never_null(const struct ebpf_vreg *reg)
{
    if (reg->flags & EBPF_REG_OR_NULL)
        return false;
    switch (reg->kind) {
    case EBPF_KIND_MAP:
    case EBPF_KIND_MAP_VALUE:
    case EBPF_KIND_MAP_KEY:
    case EBPF_KIND_MEM:
    case EBPF_KIND_SOCK:
    case EBPF_KIND_SOCK_COMMON:
    case EBPF_KIND_TCP_SOCK:
        return true;
    default:
        return false;
    }
}

/* The only possible way of a comparison that a pointer takes part in, or -1. */
static int compare_pointer(const struct bpf_insn *insn, const struct ebpf_vreg *dst,
                           const struct ebpf_vreg *src)
{
    unsigned op = BPF_OP(insn->code);
    bool known =
        (never_null(dst) && ebpf_vreg_is_null(src)) || (never_null(src) && ebpf_vreg_is_null(dst));

    if (BPF_CLASS(insn->code) != BPF_JMP || !known || (op != BPF_JEQ && op != BPF_JNE))
        return -1;
    return op == BPF_JNE;
}

static bool in_packet(const struct ebpf_vreg *reg)
{
    return reg->kind == EBPF_KIND_PACKET || reg->kind == EBPF_KIND_PACKET_META ||
           reg->kind == EBPF_KIND_PACKET_END;
}

/* Can `end` tell where the bytes that `reg` points to end? */
static bool ends_packet(const struct ebpf_vreg *reg, const struct ebpf_vreg *end)
{
    if (reg->kind == EBPF_KIND_PACKET)
        return end->kind == EBPF_KIND_PACKET_END;
    /* the bytes in front of the packet end where it begins */
    return reg->kind == EBPF_KIND_PACKET_META && end->kind == EBPF_KIND_PACKET && end->off == 0 &&
           ebpf_scalar_is(&end->var, 0);
}

struct packet_range {
    uint32_t kind;
    uint32_t id, range;
};

static void widen_range(struct ebpf_verifier *v, struct ebpf_vreg *reg, struct ebpf_vslot *slot,
                        void *arg)
{
    const struct packet_range *found = arg;

    (void)v;
    (void)slot;
    if (reg->kind == found->kind && reg->id == found->id && reg->range < found->range)
        reg->range = found->range;
}

/* reg is before the end of the packet (below: strictly). Linux, find_good_pkt_pointers(). */
static void packet_reaches(struct ebpf_verifier *v, const struct ebpf_vreg *reg, bool below)
{
    const uint64_t max = 0xffff; /* MAX_PACKET_OFF */
    struct packet_range found = {reg->kind, reg->id, (uint32_t)reg->off + below};

    if (reg->off < 0 || (!reg->off && below) || reg->var.full.umax > max ||
        reg->var.full.umax + (uint32_t)reg->off > max)
        return;
    ebpf_verify_each_reg(v, widen_range, &found);
}

/*
 * What the way tells about a packet: `low < high` or `low <= high`, in whatever order it was
 * written. The end is never the lower one with profit. false: it is no such comparison.
 */
static bool learn_packet(struct ebpf_verifier *v, const struct bpf_insn *insn, bool taken)
{
    const struct ebpf_vreg *dst = ebpf_verify_reg(v, insn->dst_reg),
                           *src = ebpf_verify_reg(v, insn->src_reg);
    unsigned op = BPF_OP(insn->code);
    bool greater = op == BPF_JGT || op == BPF_JGE, strict = op == BPF_JGT || op == BPF_JLT;
    const struct ebpf_vreg *low = greater == taken ? src : dst,
                           *high = greater == taken ? dst : src;

    if (BPF_CLASS(insn->code) != BPF_JMP || BPF_SRC(insn->code) != BPF_X ||
        (!greater && op != BPF_JLT && op != BPF_JLE) ||
        (!ends_packet(dst, src) && !ends_packet(src, dst)))
        return false;
    if (ends_packet(low, high))
        packet_reaches(v, low, strict == taken);
    return true;
}

/* Two pointers are the same, one of which may be NULL and the other is not: then neither is. */
static void learn_equal(struct ebpf_verifier *v, const struct bpf_insn *insn, bool taken)
{
    const struct ebpf_vreg *dst = ebpf_verify_reg(v, insn->dst_reg),
                           *src = ebpf_verify_reg(v, insn->src_reg);
    unsigned op = BPF_OP(insn->code);

    if (!ebpf_vreg_is_pointer(dst) || !ebpf_vreg_is_pointer(src) || dst->kind == EBPF_KIND_BTF ||
        src->kind == EBPF_KIND_BTF || dst->kind == EBPF_KIND_TASK || src->kind == EBPF_KIND_TASK)
        return;
    if (!(dst->flags & EBPF_REG_OR_NULL) == !(src->flags & EBPF_REG_OR_NULL))
        return;
    if ((op == BPF_JEQ && taken) || (op == BPF_JNE && !taken))
        ebpf_verify_null_known(v, dst->flags & EBPF_REG_OR_NULL ? dst->id : src->id, false);
}

/* What one way teaches about pointers. 0, -EACCES: this comparison is not for pointers. */
static int learn_pointers(struct ebpf_verifier *v, const struct bpf_insn *insn, bool taken)
{
    const struct ebpf_vreg *dst = ebpf_verify_reg(v, insn->dst_reg);
    unsigned op = BPF_OP(insn->code);
    bool wide = BPF_CLASS(insn->code) == BPF_JMP, by_reg = BPF_SRC(insn->code) == BPF_X;

    if (wide && by_reg)
        learn_equal(v, insn, taken);
    if (wide && !by_reg && !insn->imm && (op == BPF_JEQ || op == BPF_JNE) &&
        (dst->flags & EBPF_REG_OR_NULL) && ebpf_vreg_is_pointer(dst)) {
        ebpf_verify_null_known(v, dst->id, (op == BPF_JEQ) == taken);
        return 0;
    }
    if (!learn_packet(v, insn, taken) && ebpf_verify_secret(v, dst))
        return ebpf_verify_refuse(v, -EACCES, "R%u pointer comparison prohibited", insn->dst_reg);
    return 0;
}

/* ---- the jump -------------------------------------------------------------------------------- */

static int go(struct ebpf_verifier *v, const struct bpf_insn *insn, bool taken)
{
    v->explore->insns[v->at].flags |= taken ? EBPF_VI_TAKEN : EBPF_VI_PASSED;
    if (taken)
        v->next = (uint32_t)ebpf_verify_target(insn, v->at);
    return 0;
}

/* Only one way is possible, because of these operands. */
static int go_one_way(struct ebpf_verifier *v, const struct bpf_insn *insn, bool taken)
{
    int err = ebpf_verify_precise(v, insn->dst_reg);

    if (!err && BPF_SRC(insn->code) == BPF_X)
        err = ebpf_verify_precise(v, insn->src_reg);
    return err ? err : go(v, insn, taken);
}

static int learn_way(struct ebpf_verifier *v, const struct bpf_insn *insn,
                     const struct ebpf_vway *out, bool taken)
{
    if (out) {
        narrow(v, insn, out);
        return 0;
    }
    return learn_pointers(v, insn, taken);
}

/* The taken way is left behind, the other one is followed. outs: of numbers, else NULL. */
static int go_both_ways(struct ebpf_verifier *v, const struct bpf_insn *insn,
                        const struct ebpf_vway *outs)
{
    struct ebpf_vstate *now = v->now, *other;
    int err;

    other = ebpf_verify_push(v, (uint32_t)ebpf_verify_target(insn, v->at), &err);
    if (!other)
        return err;
    v->explore->insns[v->at].flags |= EBPF_VI_TAKEN | EBPF_VI_PASSED;
    v->now = other;
    err = learn_way(v, insn, outs ? &outs[1] : NULL, true);
    v->now = now;
    return err ? err : learn_way(v, insn, outs, false);
}

/* Linux: the loop's way is the one that is left behind, and what does not matter is forgotten on
 * it. */
static int may_goto(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    const struct ebpf_vsaved *previous = ebpf_verify_previous(v, v->at);
    struct ebpf_vstate *other;
    int err;

    other = ebpf_verify_push(v, v->at + 1, &err);
    if (!other)
        return err;
    other->may_goto_depth++;
    if (previous)
        ebpf_verify_widen(other, previous);
    v->next = (uint32_t)ebpf_verify_target(insn, v->at);
    return 0;
}

static int check_operands(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    int err = ebpf_verify_readable(v, insn->dst_reg);
    const struct ebpf_vreg *src;

    if (err || BPF_SRC(insn->code) != BPF_X)
        return err;
    err = ebpf_verify_readable(v, insn->src_reg);
    if (err)
        return err;
    src = ebpf_verify_reg(v, insn->src_reg);
    if (ebpf_verify_secret(v, src) &&
        !(in_packet(src) && in_packet(ebpf_verify_reg(v, insn->dst_reg))))
        return ebpf_verify_refuse(v, -EACCES, "R%u pointer comparison prohibited", insn->src_reg);
    return 0;
}

int ebpf_verify_jump(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    struct ebpf_vway *outs = v->explore->ways;
    struct ebpf_vreg *dst, *src;
    bool numbers;
    int way, err;

    if (BPF_OP(insn->code) == BPF_JCOND)
        return may_goto(v, insn);
    err = check_operands(v, insn);
    if (err)
        return err;
    dst = ebpf_verify_reg(v, insn->dst_reg);
    src = ebpf_verify_reg(v, insn->src_reg);
    if (BPF_SRC(insn->code) == BPF_K) {
        src = &v->explore->imm;
        ebpf_verify_imm(src, insn);
    }
    numbers = dst->kind == EBPF_KIND_SCALAR && src->kind == EBPF_KIND_SCALAR;
    if (numbers)
        way = compare(BPF_OP(insn->code), BPF_CLASS(insn->code) == BPF_JMP, &dst->var, &src->var,
                      outs);
    else
        way = compare_pointer(insn, dst, src);
    if (numbers && way >= 0 && v->explore->relaxed && BPF_SRC(insn->code) == BPF_X) {
        /* verify.c: both ways, with nothing learnt on any that could teach something impossible */
        outs[0] = outs[1] = (struct ebpf_vway){dst->var, src->var};
        way = -1;
    }
    if (way >= 0)
        return go_one_way(v, insn, way);
    return go_both_ways(v, insn, numbers ? outs : NULL);
}
