/* SPDX-License-Identifier: MIT */
/*
 * Pass "forms": which 32-bit results need their zero-extension, and which 32-bit compares can look
 * at whole registers.
 *
 *     v1 = add.w v1, 1         v1 = add.w.sx v1, 1         addiw a0, a0, 1     (not followed by two
 *     shifts)
 *     br.w v1 != 64, L0   ->   br.w.direct v1 != 64, L0    bne a0, t1, ...     (no sext.w before
 *     it)
 *
 * Two facts about a register as the hart will hold it: how many bits it has at most (32:
 * zero-extended), and whether bits 63 to 31 are alike (sign-extended). They go forwards through all
 * blocks; backwards comes which upper halves are read. A result whose upper half nobody reads is
 * left as RV64's 32-bit instructions make it: sign-extended.
 */
#include "jit/opt/live.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"

/* bits: 0 to 64. sign: also known to be sign-extended; all of 31 bits or fewer are. */
struct form {
    uint8_t bits : 7, sign : 1;
};

/* How many registers are followed; nothing is known of others. A multiple of 8. */
#define FOLLOWED 16u

struct state {
    union {
        struct form forms[FOLLOWED];
        uint64_t words[FOLLOWED / 8]; /* to compare them all */
    };
    bool reached, changed; /* changed: since the block was looked at */
};

static bool is_sign(struct form f)
{
    return f.sign || f.bits <= 31;
}

static bool is_zero(struct form f)
{
    return f.bits <= 32;
}

static unsigned bit_length(uint64_t value)
{
    unsigned length = 0;

    for (; value; value >>= 1)
        length++;
    return length;
}

static struct form of_constant(int64_t imm)
{
    return (struct form){.bits = bit_length((uint64_t)imm) & 127, .sign = imm == (int32_t)imm};
}

static struct form form_of(const struct state *s, unsigned vreg)
{
    if (vreg == IR_ZERO)
        return of_constant(0);
    return vreg < FOLLOWED ? s->forms[vreg] : (struct form){.bits = 64};
}

static struct form second(const struct state *s, const struct ebpf_ir_op *op)
{
    return op->flags & IR_IMM ? of_constant(op->imm) : form_of(s, op->src2);
}

/* ---- forwards -------------------------------------------------------------------------------- */

static unsigned max(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

static unsigned min(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* How many bits the result of an operation has on operands of a and b bits, width being what it has
 * at most. */
static unsigned value_bits(const struct ebpf_ir_op *op, unsigned a, unsigned b, unsigned width)
{
    bool imm = op->flags & IR_IMM;
    unsigned n = imm ? (unsigned)op->imm & 63 : 0;

    switch (op->code) {
    case IR_ADD:
        return min(max(a, b) + 1, width);
    case IR_MUL:
        return min(a + b, width);
    case IR_AND:
        return min(a, b);
    case IR_OR:
    case IR_XOR:
        return max(a, b);
    case IR_LSH:
        return imm ? min(a + n, width) : width;
    case IR_RSH:
        return imm ? (a > n ? a - n : 0) : a;
    case IR_MOD:
        return imm && op->imm > 0 ? min(a, bit_length((uint64_t)op->imm - 1)) : a;
    case IR_DIV:
    case IR_CZEQ:
    case IR_CZNE:
        return a;
    case IR_BEXT:
        return 1;
    default:
        return width;
    }
}

/* and, or, xor work on whole registers: what they leave in the upper half follows from what is
 * there. */
static bool is_bitwise(const struct ebpf_ir_op *op)
{
    return op->code == IR_AND || op->code == IR_OR || op->code == IR_XOR;
}

static struct form bitwise_form(const struct ebpf_ir_op *op, struct form a, struct form b)
{
    return (struct form){.bits = value_bits(op, a.bits, b.bits, 64) & 127,
                         .sign = is_sign(a) && is_sign(b)};
}

static struct form alu_form(const struct state *s, const struct ebpf_ir_op *op)
{
    struct form a = form_of(s, op->src1), b = second(s, op);
    unsigned width = op->flags & IR_WIDE ? 64 : 32, bits;

    if (is_bitwise(op) && (width == 64 || op->ext == IR_EXT_ANY))
        return bitwise_form(op, a, b);
    if (width == 32 && op->flags & IR_IMM)
        b = of_constant((uint32_t)op->imm);
    bits = value_bits(op, min(a.bits, width), min(b.bits, width), width);
    if (width == 32 && op->ext != IR_EXT_ZERO)
        return (struct form){.bits = (bits <= 31 ? bits : 64) & 127, .sign = true};
    return (struct form){.bits = bits & 127};
}

static struct form made_form(const struct state *s, const struct ebpf_ir_op *op)
{
    struct form a = form_of(s, op->src1);
    unsigned bits = (unsigned)op->imm;

    switch (op->code) {
    case IR_LI:
        return of_constant(op->imm);
    case IR_MOV:
        return a;
    case IR_ZEXT:
        if (bits == 32 && op->ext == IR_EXT_SIGN)
            return (struct form){.bits = a.bits <= 31 ? a.bits & 127 : 64, .sign = true};
        return (struct form){.bits = min(a.bits, bits) & 127};
    case IR_SEXT:
        if (a.bits < bits)
            return a;
        return op->flags & IR_WIDE || op->ext != IR_EXT_ZERO
                   ? (struct form){.bits = 64, .sign = true}
                   : (struct form){.bits = 32};
    case IR_SWAP:
        return (struct form){.bits = bits & 127};
    case IR_LOAD:
        if (op->flags & IR_SIGN || (op->size == 4 && op->ext != IR_EXT_ZERO))
            return (struct form){.bits = 64, .sign = true};
        return (struct form){.bits = (op->size * 8u) & 127};
    case IR_ATOMIC:
        return (struct form){.bits = op->size == 4 && op->ext == IR_EXT_ZERO ? 32 : 64,
                             .sign = op->size == 4 && op->ext != IR_EXT_ZERO};
    default:
        return ebpf_ir_is_alu(op) ? alu_form(s, op) : (struct form){.bits = 64};
    }
}

/* Who says IR_EXT_ANY does not say what is above the lower half. */
static struct form result_form(const struct state *s, const struct ebpf_ir_op *op)
{
    struct form f = made_form(s, op);

    if (op->code != IR_LI && op->flags & IR_SMALL && op->ext != IR_EXT_ANY && f.bits > 31)
        f = (struct form){.bits = 31};
    return f;
}

static void forget(struct state *s, uint64_t vregs)
{
    for (unsigned v = 0; vregs; v++, vregs >>= 1) {
        if (vregs & 1)
            s->forms[v] = (struct form){.bits = 64};
    }
}

static void step(const struct ebpf_ir_fn *fn, struct state *s, const struct ebpf_ir_op *op)
{
    uint64_t made = ~(IR_BIT(IR_EXTRA) - 1);

    if (ebpf_ir_is_call(op))
        forget(s, (ebpf_ir_writes(op) | (made & ~fn->survive)) & (IR_BIT(FOLLOWED) - 1));
    else if (op->dst < FOLLOWED)
        s->forms[op->dst] = result_form(s, op);
}

static bool same(const struct state *a, const struct state *b)
{
    return a->words[0] == b->words[0] && a->words[1] == b->words[1];
}

/* What holds on both ways. A number that grows each time round a loop is soon taken for one of 32
 * or 64 bits. */
static bool meet(struct state *into, const struct state *from, bool hurry)
{
    if (!into->reached) {
        *into = *from;
        return into->reached = into->changed = true;
    }
    for (unsigned v = 0; v < FOLLOWED && !same(into, from); v++) {
        struct form a = into->forms[v], b = from->forms[v], m;

        if (a.bits == b.bits && a.sign == b.sign)
            continue;
        m.bits = max(a.bits, b.bits) & 127;
        m.sign = is_sign(a) && is_sign(b);
        if (hurry && m.bits > a.bits)
            m.bits = m.bits <= 32 ? 32 : 64;
        if (m.bits != a.bits || m.sign != is_sign(a))
            into->changed = true;
        into->forms[v] = m;
    }
    return into->changed;
}

#define MAX_ROUNDS 12

static bool forwards_round(const struct ebpf_ir_fn *fn, struct state *states, unsigned round)
{
    bool changed = false;

    for (uint32_t b = 0; b < fn->block_cnt; b++) {
        const struct ebpf_ir_block *block = &fn->blocks[b];
        struct state s = states[b];

        if (!s.changed)
            continue;
        states[b].changed = false;
        for (uint32_t i = block->start; i < block->end; i++)
            step(fn, &s, &fn->list.ops[i]);
        for (unsigned n = 0; n < 2; n++) {
            if (block->next[n] != IR_NOWHERE)
                changed |= meet(&states[block->next[n]], &s, round > 1);
        }
    }
    return changed;
}

static void know_nothing(struct state *s)
{
    forget(s, IR_BIT(FOLLOWED) - 1);
    s->reached = s->changed = true;
}

static void forwards(const struct ebpf_ir_fn *fn, struct state *states)
{
    know_nothing(&states[0]);
    for (unsigned round = 0; round < MAX_ROUNDS; round++) {
        if (!forwards_round(fn, states, round))
            return;
    }
    for (uint32_t b = 0; b < fn->block_cnt; b++)
        know_nothing(&states[b]);
}

/* ---- backwards: whose upper half is read ----------------------------------------------------- */

static void choose_ext(struct ebpf_ir_op *op)
{
    bool narrow = ebpf_ir_is_alu(op) || op->code == IR_ZEXT || op->code == IR_SEXT;

    if (op->flags & IR_WIDE) { /* a sum's lower half needs no more */
        if (op->code == IR_ADD || op->code == IR_SUB || op->code == IR_MUL) {
            if (op->src1 == IR_FP || (op->flags & IR_IMM && op->imm != (int32_t)op->imm))
                return;
            op->flags &= (uint8_t)~IR_WIDE;
            op->ext = IR_EXT_SIGN;
        }
    } else if (is_bitwise(op)) {
        op->ext = IR_EXT_ANY;
    } else if ((narrow && !(op->code == IR_ZEXT && op->imm != 32)) ||
               (op->code == IR_LOAD && op->size == 4) ||
               (op->code == IR_ATOMIC && op->imm != BPF_CMPXCHG)) {
        op->ext = IR_EXT_SIGN;
    }
}

static void backwards(struct ebpf_ir_fn *fn)
{
    for (uint32_t b = 0; b < fn->block_cnt; b++) {
        const struct ebpf_ir_block *block = &fn->blocks[b];
        struct ebpf_ir_live live = ebpf_ir_live_out(fn, block);

        for (uint32_t i = block->end; i-- > block->start;) {
            struct ebpf_ir_op *op = &fn->list.ops[i];

            if (op->dst < IR_NONE && !(live.hi >> op->dst & 1))
                choose_ext(op);
            live = ebpf_ir_live_before(op, live);
        }
    }
}

/* ---- using it -------------------------------------------------------------------------------- */

static bool is_signed_cond(unsigned cond)
{
    return cond == BPF_JSGT || cond == BPF_JSGE || cond == BPF_JSLT || cond == BPF_JSLE;
}

static void choose_compare(const struct state *s, struct ebpf_ir_op *op)
{
    struct form a = form_of(s, op->src1), b = second(s, op);
    bool imm = op->flags & IR_IMM;

    if (op->size == BPF_JSET || op->size == IR_JCLEAR) {
        if (is_zero(a) || is_zero(b) || (is_sign(a) && is_sign(b)))
            op->flags |= IR_DIRECT;
        return;
    }
    if (is_sign(a) && is_sign(b)) {
        op->flags |= IR_DIRECT;
    } else if (is_zero(a) && (is_zero(b) || imm) && !is_signed_cond(op->size)) {
        op->flags |= IR_DIRECT;
        if (imm)
            op->imm = (uint32_t)op->imm;
    } else {
        op->flags |= (is_sign(a) ? IR_SEXT1 : 0) | (is_sign(b) ? IR_SEXT2 : 0);
    }
}

static void make_mov(struct ebpf_ir_op *op)
{
    op->code = IR_MOV;
    op->flags = IR_WIDE;
    op->src2 = IR_NONE;
}

/* A mask or an extension that changes nothing. */
static bool changes_nothing(const struct state *s, const struct ebpf_ir_op *op)
{
    struct form a = form_of(s, op->src1);

    if (op->code == IR_ZEXT)
        return a.bits <= op->imm && op->ext == IR_EXT_ZERO;
    if (op->code == IR_SEXT)
        return a.bits < op->imm || (op->imm == 32 && op->flags & IR_WIDE && is_sign(a));
    if (op->code != IR_AND || !(op->flags & IR_IMM) || op->imm <= 0 || (op->imm & (op->imm + 1)))
        return false;
    return a.bits <= bit_length((uint64_t)op->imm);
}

/* A 32-bit result that is zero-extended already, or of 31 bits, so that extending its sign does the
 * same. */
static void skip_extension(const struct state *s, struct ebpf_ir_op *op)
{
    bool other = op->code == IR_SEXT || (op->code == IR_ZEXT && op->imm == 32) ||
                 (op->code == IR_LOAD && op->size == 4);

    if (op->flags & IR_WIDE || op->ext != IR_EXT_ZERO)
        return;
    if (other && op->flags & IR_SMALL)
        op->ext = IR_EXT_SIGN;
    if (!ebpf_ir_is_alu(op))
        return;
    if (is_bitwise(op) && is_zero(bitwise_form(op, form_of(s, op->src1), second(s, op)))) {
        op->ext = IR_EXT_ANY;
        return;
    }
    if (!is_bitwise(op) && result_form(s, op).bits <= 31)
        op->ext = IR_EXT_SIGN;
}

static void use(struct ebpf_ir_fn *fn, const struct state *states)
{
    for (uint32_t b = 0; b < fn->block_cnt; b++) {
        struct state s = states[b];

        if (!s.reached)
            continue;
        for (uint32_t i = fn->blocks[b].start; i < fn->blocks[b].end; i++) {
            struct ebpf_ir_op *op = &fn->list.ops[i];

            if (changes_nothing(&s, op)) {
                make_mov(op);
                fn->moves = true;
            }
            if (op->code == IR_BRANCH && !(op->flags & IR_WIDE))
                choose_compare(&s, op);
            if (ebpf_ir_is_div(op) && !(op->flags & (IR_WIDE | IR_IMM)) &&
                (is_sign(form_of(&s, op->src2)) || is_zero(form_of(&s, op->src2))))
                op->flags |= IR_SEXT2;
            skip_extension(&s, op);
            step(fn, &s, op);
        }
    }
}

/* Is there anything of 32 bits, or a mask that might change nothing? */
static bool has_narrow(const struct ebpf_ir_fn *fn)
{
    const uint64_t masks = IR_BIT(IR_AND) | IR_BIT(IR_ZEXT) | IR_BIT(IR_SEXT);

    for (uint32_t i = 0; i < fn->list.cnt; i++) {
        const struct ebpf_ir_op *op = &fn->list.ops[i];

        if (ebpf_ir_is_in(op, IR_SET_ALU | IR_BIT(IR_BRANCH) | IR_BIT(IR_SEXT) | IR_BIT(IR_ZEXT))
                ? !(op->flags & IR_WIDE) || ebpf_ir_is_in(op, masks)
                : ebpf_ir_is_in(op, IR_BIT(IR_LOAD) | IR_BIT(IR_ATOMIC)) && op->size == 4)
            return true;
    }
    return false;
}

int ebpf_ir_forms(const struct ebpf_ir_env *env, struct ebpf_ir_fn *fn)
{
    struct state *states;
    int err;

    (void)env;
    if (!has_narrow(fn))
        return 0;
    err = ebpf_ir_flow(fn);
    if (err)
        return err;
    states = ebpf_calloc(fn->block_cnt, sizeof(*states));
    if (!states)
        return -ENOMEM;
    if (ebpf_ir_liveness(fn))
        backwards(fn);
    forwards(fn, states);
    use(fn, states);
    fn->has_liveness = false; /* what is IR_EXT_ANY or compares whole registers reads more */
    ebpf_free(states, fn->block_cnt * sizeof(*states));
    return 0;
}
