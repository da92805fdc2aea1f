/* SPDX-License-Identifier: MIT */
/*
 * Pass "copy": what is known of registers inside a block (and the blocks that only it goes on to)
 * is put into their uses.
 *
 *     v2 = mov v1                      v2 = mov v1          (dead now)
 *     v2 = lsh v2, 13           ->     v2 = lsh v1, 13
 *     v3 = mov v10; add v3, -8         v3 = add v10, -8
 *     v0 = load32 [v3+4]               v0 = load32 [v10-4]
 *
 * Constants fold, moves and additions of a constant are looked through.
 */
#include "jit/opt/ir.h"
#include "src/base/alloc.h"
#include "jit/opt/eval.h"
#include "src/base/bits.h"

/* A register's value: imm, or base + imm. */
struct value {
    enum { UNKNOWN, CONSTANT, SUM } kind;
    uint8_t base;
    bool map; /* CONSTANT: IR_MAP */
    int64_t imm;
};

struct state {
    struct ebpf_ir_fn *fn;
    bool bits;              /* the hart sets, clears and inverts single ones */
    uint64_t known;         /* vregs whose values are not UNKNOWN */
    uint64_t bases;         /* vregs whose users are not empty */
    uint64_t calls_destroy; /* vregs that passes made */
    struct value values[IR_VREGS];
    uint64_t users[IR_VREGS]; /* [v]: which SUMs have v as their base; may name more */
};

static void forget_all(struct state *s)
{
    s->known = s->bases = 0;
}

/* v changes: what is known of it, and what was told in terms of it, is over. */
static void forget(struct state *s, unsigned v)
{
    s->known &= ~IR_BIT(v);
    if (!(s->bases >> v & 1))
        return;
    for (uint64_t left = s->users[v] & s->known; left; left &= left - 1) {
        unsigned user = ebpf_ir_lowest(left);

        if (s->values[user].kind == SUM && s->values[user].base == v)
            s->known &= ~IR_BIT(user);
    }
    s->bases &= ~IR_BIT(v);
}

static void forget_many(struct state *s, uint64_t vregs)
{
    for (vregs &= s->known | s->bases; vregs; vregs &= vregs - 1)
        forget(s, ebpf_ir_lowest(vregs));
}

static void learn(struct state *s, unsigned v, struct value value)
{
    if (v >= IR_NONE || (value.kind == SUM && value.base == v))
        return;
    s->values[v] = value;
    s->known |= IR_BIT(v);
    if (value.kind != SUM)
        return;
    s->users[value.base] = (s->bases >> value.base & 1 ? s->users[value.base] : 0) | IR_BIT(v);
    s->bases |= IR_BIT(value.base);
}

/* IR_NONE is never known. */
static const struct value *value_of(const struct state *s, unsigned v)
{
    static const struct value unknown, zero = {.kind = CONSTANT};

    if (s->known >> v & 1)
        return &s->values[v];
    return v == IR_ZERO ? &zero : &unknown;
}

/* An operand is another one now. */
static void changed(struct ebpf_ir_fn *fn)
{
    fn->unread = true;
    fn->has_liveness = false;
}

/* ---- operands -------------------------------------------------------------------------------- */

static void replace_copy(const struct state *s, uint8_t *src)
{
    const struct value *value = value_of(s, *src);

    if (value->kind == UNKNOWN || value->imm != 0 || *src == IR_ZERO)
        return;
    *src = value->kind == SUM ? value->base : IR_ZERO;
    changed(s->fn);
}

/* The immediate that a constant register would be in op; false: none that saves anything. */
static bool immediate(const struct state *s, const struct ebpf_ir_op *op, int64_t value,
                      int64_t *imm)
{
    bool wide = op->flags & IR_WIDE;
    struct ebpf_ir_op with = *op;

    *imm = wide || op->code == IR_STORE ? value : (int32_t)value;
    if (ebpf_ir_is_shift(op) || ebpf_ir_is_bit(op)) {
        *imm &= wide ? 63 : 31;
        return true;
    }
    if ((op->ext == IR_EXT_ANY || op->flags & IR_DIRECT) && *imm != value)
        return false; /* the pass "forms" has looked at the whole register */
    if (op->code == IR_STORE)
        return value == 0;
    if (op->code == IR_BRANCH)
        return *imm == 0;
    if (ebpf_ir_is_div(
            op)) /* no look at the divisor: saves one instruction even if it needs a li */
        return *imm != INT64_MIN && (*imm > 0 && *imm < 2048);
    with.imm = *imm;
    if (s->bits && ebpf_ir_single_bit(&with) < 64)
        return true;
    return op->code < IR_CZEQ && op->code != IR_MUL && ebpf_ir_is_short(*imm) &&
           (op->code != IR_SUB || ebpf_ir_is_short(-*imm));
}

static bool commutes(const struct ebpf_ir_op *op)
{
    return op->code == IR_ADD || op->code == IR_MUL || op->code == IR_OR || op->code == IR_AND ||
           op->code == IR_XOR;
}

static void replace_second(const struct state *s, struct ebpf_ir_op *op)
{
    const struct value *value;
    int64_t imm;

    if (op->flags & IR_IMM)
        return;
    if (commutes(op) && value_of(s, op->src1)->kind == CONSTANT &&
        value_of(s, op->src2)->kind != CONSTANT) {
        uint8_t src1 = op->src1;

        op->src1 = op->src2;
        op->src2 = src1;
    }
    replace_copy(s, &op->src2);
    value = value_of(s, op->src2);
    if (value->kind == CONSTANT && immediate(s, op, value->imm, &imm)) {
        op->flags |= IR_IMM;
        op->src2 = IR_NONE;
        op->imm = imm;
        changed(s->fn);
    }
}

/* A base that is another register plus a constant. */
static void replace_base(const struct state *s, struct ebpf_ir_op *op)
{
    const struct value *value = value_of(s, op->src1);

    if (value->kind != SUM || !ebpf_ir_is_short(value->imm) ||
        !ebpf_ir_is_short(op->off + value->imm))
        return;
    op->src1 = value->base;
    op->off += (int32_t)value->imm;
    changed(s->fn);
}

static void replace_operands(const struct state *s, struct ebpf_ir_op *op)
{
    if (ebpf_ir_is_in(op, IR_SET_ALU | IR_BIT(IR_BRANCH))) {
        replace_copy(s, &op->src1);
        replace_second(s, op);
    } else if (ebpf_ir_is_memory(op)) {
        replace_base(s, op);
        if (op->code == IR_STORE)
            replace_second(s, op);
        else if (op->code == IR_ATOMIC && op->dst == IR_NONE)
            replace_copy(s, &op->src2);
    } else if (op->code != IR_TAIL_CALL && !ebpf_ir_is_in(op, IR_SET_ODD)) {
        replace_copy(s, &op->src1); /* moves, extensions, exit */
    }
}

/* ---- simpler operations ---------------------------------------------------------------------- */

static void make_li(struct ebpf_ir_op *op, int64_t imm)
{
    op->code = IR_LI;
    op->flags = IR_WIDE;
    op->src1 = op->src2 = IR_NONE;
    op->imm = imm;
}

/* dst = src1, of 32 bits zero-extended where op is a 32-bit operation. */
static void make_mov(struct ebpf_ir_op *op)
{
    op->code = op->flags & IR_WIDE ? IR_MOV : IR_ZEXT;
    op->flags &= IR_WIDE;
    op->src2 = IR_NONE;
    op->imm = 32;
}

static void fold_branch(struct ebpf_ir_fn *fn, struct ebpf_ir_op *op, int64_t a, int64_t b)
{
    if (ebpf_ir_eval_branch(op, (uint64_t)a, (uint64_t)b))
        op->code = IR_JUMP;
    else
        ebpf_ir_remove(fn, op);
    op->src1 = op->src2 = IR_NONE;
    op->flags = 0;
    fn->has_flow = false; /* the blocks as they were are good enough for this pass */
    fn->branches = true;
    changed(fn);
}

static void fold_constants(const struct state *s, struct ebpf_ir_op *op)
{
    const struct value *a = value_of(s, op->src1);
    bool imm = op->flags & IR_IMM || op->src2 == IR_NONE;
    bool map = a->map && op->code == IR_MOV;
    int64_t b = op->imm;
    uint64_t result;

    if (a->kind != CONSTANT)
        return;
    if (!imm) {
        const struct value *second = value_of(s, op->src2);

        if (second->kind != CONSTANT)
            return;
        b = second->imm;
    }
    if (op->code == IR_BRANCH) {
        fold_branch(s->fn, op, a->imm, b);
    } else if (ebpf_ir_eval(op, (uint64_t)a->imm, (uint64_t)b, &result)) {
        make_li(op, (int64_t)result);
        op->flags |= map ? IR_MAP : 0;
        changed(s->fn);
    }
}

/* v = (w + k) + imm is v = w + (k + imm). */
static void fold_sum(const struct state *s, struct ebpf_ir_op *op)
{
    const struct value *value = value_of(s, op->src1);

    if (op->code == IR_SUB && op->imm != INT64_MIN) {
        op->code = IR_ADD;
        op->imm = -op->imm;
    }
    if (op->code != IR_ADD || !(op->flags & IR_WIDE) || value->kind != SUM)
        return;
    if (!ebpf_ir_is_short(op->imm) || !ebpf_ir_is_short(value->imm) ||
        !ebpf_ir_is_short(value->imm + op->imm))
        return;
    op->src1 = value->base;
    op->imm += value->imm;
    changed(s->fn);
}

static unsigned power_of_2(int64_t imm)
{
    unsigned n = 0;

    if (imm <= 0 || (imm & (imm - 1)))
        return 64;
    while (imm >> n != 1)
        n++;
    return n;
}

static void cheaper(struct ebpf_ir_op *op)
{
    int64_t imm = op->flags & IR_WIDE ? op->imm : (int64_t)(uint32_t)op->imm;
    unsigned n = power_of_2(imm);

    if (n < 64 && (op->code == IR_MUL || op->code == IR_DIV)) {
        op->code = op->code == IR_MUL ? IR_LSH : IR_RSH;
        op->imm = n;
    } else if (n < 64 && op->code == IR_MOD) {
        op->code = IR_AND;
        op->imm = imm - 1;
    }
    if (op->code == IR_AND && op->imm == -1)
        op->code = IR_ADD, op->imm = 0;
    if (op->imm == 0 && (op->code == IR_MUL || op->code == IR_AND))
        make_li(op, 0);
    else if (op->imm == 0 && op->code <= IR_ROR)
        make_mov(op);
}

static void simplify(const struct state *s, struct ebpf_ir_op *op)
{
    if (ebpf_ir_is_in(op, (IR_SET_PURE & ~IR_BIT(IR_LI)) | IR_BIT(IR_BRANCH)))
        fold_constants(s, op);
    if (ebpf_ir_is_alu(op) && op->flags & IR_IMM) {
        fold_sum(s, op);
        cheaper(op);
    }
    if (op->code == IR_EXIT && !(op->flags & IR_IMM) && value_of(s, op->src1)->kind == CONSTANT) {
        op->imm = value_of(s, op->src1)->imm;
        op->flags |= IR_IMM;
        op->src1 = IR_NONE;
        changed(s->fn);
    }
}

/* Does dst hold that already? */
static bool holds(const struct state *s, const struct ebpf_ir_op *op)
{
    const struct value *value;

    if (op->code != IR_LI && op->code != IR_MOV)
        return false;
    value = value_of(s, op->dst);
    if (op->code == IR_LI)
        return value->kind == CONSTANT && value->imm == op->imm &&
               value->map == ((op->flags & IR_MAP) != 0);
    return op->src1 == op->dst ||
           (value->kind == SUM && value->base == op->src1 && value->imm == 0);
}

/* ---- the pass -------------------------------------------------------------------------------- */

/* What dst is after op. */
static struct value result_of(const struct ebpf_ir_op *op)
{
    bool sum = op->code == IR_ADD && op->flags & IR_WIDE && op->flags & IR_IMM;

    if (op->code == IR_LI)
        return (struct value){.kind = CONSTANT, .imm = op->imm, .map = op->flags & IR_MAP};
    if ((op->code == IR_MOV || sum) && op->src1 < IR_NONE)
        return (struct value){.kind = SUM, .base = op->src1, .imm = sum ? op->imm : 0};
    return (struct value){0};
}

static void step(struct state *s, struct ebpf_ir_op *op)
{
    struct value result;

    if (s->known) {
        replace_operands(s, op);
        simplify(s, op);
    } else if (ebpf_ir_is_in(op, IR_SET_PURE | IR_BIT(IR_BRANCH) | IR_BIT(IR_EXIT))) {
        simplify(s, op);
    }
    if (holds(s, op)) {
        ebpf_ir_remove(s->fn, op);
        s->fn->has_liveness = false; /* what it was before is read now */
        return;
    }
    forget_many(s, ebpf_ir_writes(op) | (ebpf_ir_is_call(op) ? s->calls_destroy : 0));
    result = result_of(op);
    if (result.kind != UNKNOWN)
        learn(s, op->dst, result);
}

int ebpf_ir_copy(const struct ebpf_ir_env *env, struct ebpf_ir_fn *fn)
{
    /* too large for a kernel's stack */
    struct state *state = ebpf_alloc(sizeof(*state));
    int err = state ? ebpf_ir_flow(fn) : -ENOMEM;

    if (!err) {
        state->fn = fn;
        state->bits = env->isa & EBPF_ISA_ZBS;
        state->calls_destroy = (IR_BIT(fn->vreg_cnt) - IR_BIT(IR_EXTRA)) & ~fn->survive;
    }
    for (uint32_t b = 0; !err && b < fn->block_cnt; b++) {
        const struct ebpf_ir_block *block = &fn->blocks[b];

        if (!ebpf_ir_goes_on(fn, b))
            forget_all(state);
        for (uint32_t i = block->start; i < block->end; i++)
            step(state, &fn->list.ops[i]);
    }
    ebpf_free(state, sizeof(*state));
    fn->moves = false;
    return err;
}
