/* SPDX-License-Identifier: MIT */
/*
 * Pass "combine": operations that together are one instruction.
 *
 *     v3 = lsh v1, 13                 v3 = lsh v1, 13     (dead)
 *     v1 = rsh v1, 51           ->    v1 = ror v1, 51     (Zbb)
 *     v1 = or v1, v3
 *
 *     v1 = lsh v1, 32; v1 = rsh v1, 32      v1 = zext32 v1
 *     v1 = lsh v1, 32; v1 = rsh v1, 40      v1 = rsh.w v1, 8
 *     v1 = zext32 v2;  v1 = lsh v1, 3       v1 = lsh v2, 32; v1 = rsh v1, 29
 *     v4 = lsh v2, 2;  v3 = add v3, v4      v3 = sh2add v2, v3    (Zba)
 *     v1 = rsh v2, 5;  v1 = and v1, 1       v1 = bext v2, 5       (Zbs)
 *     v3 = lsh 1, v2;  v1 = or v1, v3       v1 = bset v1, v2      (Zbs)
 *     br v1 == 0, L0; v2 = li 0; L0:        v2 = czne v2, v1; L0: (Zicond)
 */
#include "jit/opt/live.h"

/* How far back an operand's definition is looked for. */
#define WINDOW 12u

struct combine {
    const struct ebpf_ir_env *env;
    struct ebpf_ir_fn *fn;
    uint32_t start; /* of the block */
};

/* The operation before number at that makes vreg; at: there is none near enough. */
static uint32_t find_def(const struct combine *c, uint32_t at, unsigned vreg)
{
    for (uint32_t i = at; i > c->start && at - i < WINDOW;) {
        i--;
        if (vreg < IR_NONE && ebpf_ir_writes(&c->fn->list.ops[i]) >> vreg & 1)
            return i;
    }
    return at;
}

/* Between both, neither of them: is one of the registers written, or read? */
static bool written(const struct combine *c, uint32_t from, uint32_t to, uint64_t vregs)
{
    for (uint32_t i = from + 1; i < to; i++) {
        if (ebpf_ir_writes(&c->fn->list.ops[i]) & vregs)
            return true;
    }
    return false;
}

static bool read(const struct combine *c, uint32_t from, uint32_t to, uint64_t vregs)
{
    for (uint32_t i = from + 1; i < to; i++) {
        if (ebpf_ir_reads(&c->fn->list.ops[i]) & vregs)
            return true;
    }
    return false;
}

static bool is_shift_by_imm(const struct ebpf_ir_op *op, unsigned code)
{
    return op->code == code && op->flags & IR_IMM && op->imm && op->src1 < IR_NONE;
}

/* ---- rotations ------------------------------------------------------------------------------- */

static bool is_rotation(const struct ebpf_ir_op *a, const struct ebpf_ir_op *b, unsigned flags)
{
    int64_t width = flags & IR_WIDE ? 64 : 32;

    if (!is_shift_by_imm(a, IR_LSH))
        return is_shift_by_imm(b, IR_LSH) && is_rotation(b, a, flags);
    return is_shift_by_imm(b, IR_RSH) && a->src1 == b->src1 && a->imm + b->imm == width &&
           (a->flags & IR_WIDE) == (flags & IR_WIDE) && (b->flags & IR_WIDE) == (flags & IR_WIDE);
}

/* The later one of the two shifts, where what is rotated is still there, becomes the rotation.
 * live: after op. */
static void rotation(const struct combine *c, uint32_t at, uint64_t live)
{
    struct ebpf_ir_op *ops = c->fn->list.ops, *op = &ops[at], *shift;
    uint32_t a = find_def(c, at, op->src1), b = find_def(c, at, op->src2), first = a < b ? a : b,
             last = a < b ? b : a;
    int64_t amount;

    if (op->flags & IR_IMM || op->src1 == op->src2 || a == at || b == at ||
        !is_rotation(&ops[a], &ops[b], op->flags))
        return;
    shift = &ops[last];
    if (ops[first].dst == shift->src1 || written(c, first, last, IR_BIT(shift->src1)) ||
        read(c, last, at, IR_BIT(shift->dst)) || (shift->dst != op->dst && live >> shift->dst & 1))
        return;
    amount = ops[a].code == IR_RSH ? ops[a].imm : ops[b].imm;
    shift->code = IR_ROR;
    shift->flags &= (uint8_t)~IR_SMALL;
    shift->imm = amount;
    op->code = IR_MOV;
    op->src1 = shift->dst;
    op->src2 = IR_NONE;
    op->flags = IR_WIDE;
    c->fn->moves = c->fn->unread = true;
}

/* ---- shifted sums ---------------------------------------------------------------------------- */

static bool shifted_sum(const struct combine *c, uint32_t at, uint64_t live)
{
    struct ebpf_ir_op *op = &c->fn->list.ops[at];
    uint32_t def = find_def(c, at, op->src2);
    const struct ebpf_ir_op *shift = &c->fn->list.ops[def];

    if (def == at || op->src1 >= IR_NONE || op->src1 == IR_FP || op->src1 == op->src2 ||
        !is_shift_by_imm(shift, IR_LSH) || !(shift->flags & IR_WIDE) || shift->imm > 3 ||
        shift->src1 == shift->dst || shift->src1 == IR_FP ||
        written(c, def, at, IR_BIT(shift->src1)) ||
        (shift->dst != op->dst && live >> shift->dst & 1))
        return false;
    op->code = IR_SHADD;
    op->size = (uint8_t)shift->imm;
    op->src2 = op->src1;
    op->src1 = shift->src1;
    c->fn->unread = true;
    return true;
}

static void sum(const struct combine *c, uint32_t at, uint64_t live)
{
    struct ebpf_ir_op *op = &c->fn->list.ops[at];
    uint8_t src1 = op->src1;

    if (!(op->flags & IR_WIDE) || op->flags & IR_IMM || shifted_sum(c, at, live))
        return;
    op->src1 = op->src2; /* the other way round */
    op->src2 = src1;
    shifted_sum(c, at, live);
}

/* ---- shift pairs ----------------------------------------------------------------------------- */

/* The operation before this one made its operand, and only for it: they have the same register. */
static void pair(struct ebpf_ir_fn *fn, struct ebpf_ir_op *first, struct ebpf_ir_op *op)
{
    bool wide = first->flags & IR_WIDE && op->flags & IR_WIDE;

    if (first->dst != op->dst || op->src1 != op->dst || !wide || !is_shift_by_imm(first, IR_LSH))
        return;
    if (op->code != IR_ARSH && !is_shift_by_imm(op, IR_RSH))
        return;
    if (!(op->flags & IR_IMM) || (first->imm != 32 && first->imm != op->imm) ||
        op->imm < first->imm)
        return;
    if (first->imm == op->imm && (op->imm == 32 || op->imm == 48 || op->imm == 56)) {
        op->code = op->code == IR_RSH ? IR_ZEXT : IR_SEXT;
        op->imm = 64 - op->imm;
        op->flags = op->code == IR_ZEXT && op->imm == 32 ? 0 : (uint8_t)IR_WIDE;
    } else if (first->imm == 32 && op->code == IR_RSH) {
        op->imm -= 32;
        op->flags = IR_IMM;
    } else {
        return;
    }
    op->src1 = first->src1;
    ebpf_ir_remove(fn, first);
}

static void extended_shift(const struct combine *c, struct ebpf_ir_op *first, struct ebpf_ir_op *op)
{
    if (first->code != IR_ZEXT || first->imm != 32 || c->env->isa & EBPF_ISA_ZBA ||
        first->dst != op->dst || op->src1 != op->dst || !(op->flags & IR_WIDE) ||
        !is_shift_by_imm(op, IR_LSH) || op->imm >= 32)
        return;
    first->code = IR_LSH;
    first->flags = IR_WIDE | IR_IMM;
    op->code = IR_RSH;
    op->imm = 32 - op->imm;
}

/* ---- single bits ----------------------------------------------------------------------------- */

/* v1 = rsh v2, 5; v1 = and v1, 1 */
static void extract(const struct combine *c, struct ebpf_ir_op *first, struct ebpf_ir_op *op)
{
    if (op->code != IR_AND || !(op->flags & IR_IMM) || op->imm != 1 || first->code != IR_RSH ||
        first->dst != op->dst || op->src1 != op->dst || first->src1 == IR_FP ||
        !(first->flags & (IR_IMM | IR_WIDE)))
        return;
    op->code = IR_BEXT;
    op->flags = IR_WIDE | (first->flags & IR_IMM);
    op->src1 = first->src1;
    op->src2 = first->src2;
    op->imm = first->imm;
    ebpf_ir_remove(c->fn, first);
}

/* v3 = li 1; v3 = lsh v3, v2; v1 = or v1, v3 */
static bool set_bit(const struct combine *c, uint32_t at)
{
    struct ebpf_ir_op *op = &c->fn->list.ops[at];
    uint32_t def = find_def(c, at, op->src2), one;
    const struct ebpf_ir_op *shift = &c->fn->list.ops[def];

    if (def == at || op->src1 == op->src2 || op->src1 == IR_FP || shift->code != IR_LSH ||
        !(shift->flags & IR_WIDE) || shift->flags & IR_IMM || shift->src2 >= IR_FP ||
        shift->src2 == shift->dst || written(c, def, at, IR_BIT(shift->src2)))
        return false;
    one = find_def(c, def, shift->src1);
    if (one == def || c->fn->list.ops[one].code != IR_LI || c->fn->list.ops[one].imm != 1)
        return false;
    op->code = op->code == IR_OR ? IR_BSET : IR_BINV;
    op->src2 = shift->src2;
    c->fn->unread = true;
    return true;
}

static void single_bits(const struct combine *c, uint32_t at)
{
    struct ebpf_ir_op *op = &c->fn->list.ops[at];
    uint8_t src1 = op->src1;

    if (at > c->start)
        extract(c, op - 1, op);
    if (!ebpf_ir_is_in(op, IR_BIT(IR_OR) | IR_BIT(IR_XOR)) || !(op->flags & IR_WIDE) ||
        op->flags & IR_IMM || set_bit(c, at))
        return;
    op->src1 = op->src2; /* the other way round */
    op->src2 = src1;
    set_bit(c, at);
}

/* ---- a branch over a zero -------------------------------------------------------------------- */

/* br v1 == 0, L0; v2 = li 0; L0: */
static bool is_zero_if(const struct ebpf_ir_op *op)
{
    return op->code == IR_BRANCH && op->flags & IR_WIDE && op->flags & IR_IMM && op->imm == 0 &&
           (op->size == BPF_JEQ || op->size == BPF_JNE) && op->src1 < IR_FP &&
           op[1].code == IR_LI && op[1].imm == 0 && op[2].code == IR_LABEL &&
           op[2].target == op->target;
}

static void conditional_zero(struct ebpf_ir_fn *fn)
{
    for (uint32_t i = 0; i + 2 < fn->list.cnt; i++) {
        struct ebpf_ir_op *op = &fn->list.ops[i], *li = op + 1;

        if (!is_zero_if(op))
            continue;
        li->code = op->size == BPF_JEQ ? IR_CZNE : IR_CZEQ;
        li->flags = IR_WIDE;
        li->src1 = li->dst;
        li->src2 = op->src1;
        ebpf_ir_remove(fn, op);
        fn->has_flow = false;
        fn->has_liveness = false;
    }
}

/* ---- the pass -------------------------------------------------------------------------------- */

static void step(const struct combine *c, uint32_t at, uint64_t live)
{
    struct ebpf_ir_op *op = &c->fn->list.ops[at];

    if (at > c->start && ebpf_ir_is_shift(op)) {
        pair(c->fn, op - 1, op);
        extended_shift(c, op - 1, op);
    }
    if (c->env->isa & EBPF_ISA_ZBB &&
        (op->code == IR_OR || op->code == IR_ADD || op->code == IR_XOR))
        rotation(c, at, live);
    if (c->env->isa & EBPF_ISA_ZBA && op->code == IR_ADD)
        sum(c, at, live);
    if (c->env->isa & EBPF_ISA_ZBS)
        single_bits(c, at);
}

/* All that is looked for begins with a shift. */
static bool has_shift(const struct ebpf_ir_fn *fn)
{
    for (uint32_t i = 0; i < fn->list.cnt; i++) {
        if (fn->list.ops[i].code == IR_LSH || fn->list.ops[i].code == IR_RSH)
            return true;
    }
    return false;
}

int ebpf_ir_combine(const struct ebpf_ir_env *env, struct ebpf_ir_fn *fn)
{
    struct combine c = {.env = env, .fn = fn};
    int err;

    if (env->isa & EBPF_ISA_ZICOND) {
        conditional_zero(fn);
        ebpf_ir_compact(fn);
    }
    if (!has_shift(fn))
        return 0;
    err = ebpf_ir_flow(fn);
    if (err)
        return err;
    ebpf_ir_liveness(fn);
    for (uint32_t b = 0; b < fn->block_cnt; b++) {
        struct ebpf_ir_live live = ebpf_ir_live_out(fn, &fn->blocks[b]);

        c.start = fn->blocks[b].start;
        for (uint32_t i = fn->blocks[b].end; i-- > fn->blocks[b].start;) {
            step(&c, i, live.lo | live.hi);
            live = ebpf_ir_live_before(&fn->list.ops[i], live);
        }
    }
    return 0;
}
