/* SPDX-License-Identifier: MIT */
/*
 * Numbers in registers. A scalar (known, full, half) stands for all x of `bits` bits with
 *     x in known (tnum.c), x in full (range.c, of all bits), and its lower half in half (range.c),
 * where the lower half is what ALU32 and JMP32 instructions see: 64 bits and 32, or in tests 6 and
 * 3.
 *
 * Each operation computes the three parts by themselves, soundly and simply; ebpf_scalar_sync()
 * then lets them learn from each other. Jumps narrow operands by intersection: a way whose
 * intersection is empty can never be taken, which is at the same time how the verifier knows the
 * outcome of a comparison. There is no other rule for that.
 *
 * The empty set has no scalar. Only branches can find it; arithmetic on sets that are not empty
 * never does.
 */
#include "src/verifier/bounds.h"

#include <ebpf/uapi.h>

void ebpf_scalar_forget(struct ebpf_scalar *s, unsigned bits)
{
    s->known = ebpf_tnum_unknown(bits);
    ebpf_range_forget(&s->full, bits);
    ebpf_range_forget(&s->half, bits / 2);
}

void ebpf_scalar_set(struct ebpf_scalar *s, uint64_t value, unsigned bits)
{
    value &= ebpf_low_bits(bits);
    s->known = ebpf_tnum_const(value);
    ebpf_range_set(&s->full, value, bits);
    ebpf_range_set(&s->half, value, bits / 2);
}

bool ebpf_scalar_has(const struct ebpf_scalar *s, uint64_t value, unsigned bits)
{
    return ebpf_tnum_has(s->known, value) && ebpf_range_has(&s->full, value, bits) &&
           ebpf_range_has(&s->half, value & ebpf_low_bits(bits / 2), bits / 2);
}

bool ebpf_scalar_within(const struct ebpf_scalar *inner, const struct ebpf_scalar *outer)
{
    return ebpf_tnum_within(inner->known, outer->known) &&
           ebpf_range_within(&inner->full, &outer->full) &&
           ebpf_range_within(&inner->half, &outer->half);
}

/* ---- learning -------------------------------------------------------------------------------- */

/* The least and the greatest number that known bits allow, for either order. */
static struct ebpf_range range_of(struct ebpf_tnum t, unsigned bits)
{
    uint64_t sign = t.mask & (uint64_t)1 << (bits - 1);

    return (struct ebpf_range){t.value, t.value | t.mask, ebpf_sext(t.value | sign, bits),
                               ebpf_sext(t.value | (t.mask & ~sign), bits)};
}

static bool learn_range(struct ebpf_range *r, struct ebpf_tnum known, unsigned bits)
{
    struct ebpf_range by_bits = range_of(known, bits);

    ebpf_range_meet(r, &by_bits);
    return ebpf_range_sync(r, bits);
}

static bool learn_half(struct ebpf_scalar *s, unsigned bits)
{
    ebpf_range_meet_low(&s->half, &s->full, bits / 2);
    return learn_range(&s->half, ebpf_tnum_cut(s->known, bits / 2), bits / 2);
}

/* *more: that taught something. */
static bool learn_full(struct ebpf_scalar *s, unsigned bits, bool *more)
{
    struct ebpf_range was = s->full;

    if (s->half.umin == 0 && s->half.umax == ebpf_low_bits(bits / 2))
        return true; /* the lower half can be anything */
    if (!ebpf_range_trim(&s->full, bits, &s->half, bits / 2) || !ebpf_range_sync(&s->full, bits))
        return false;
    *more |= !ebpf_range_within(&was, &s->full);
    return true;
}

static bool learn_bits(struct ebpf_scalar *s, unsigned bits, bool *more)
{
    struct ebpf_tnum full = ebpf_tnum_range(s->full.umin, s->full.umax), was = s->known;
    struct ebpf_tnum half = ebpf_tnum_range(s->half.umin, s->half.umax);

    half.mask |= ebpf_low_bits(bits) & ~ebpf_low_bits(bits / 2);
    if (!ebpf_tnum_meet(s->known, full, &s->known) || !ebpf_tnum_meet(s->known, half, &s->known))
        return false;
    *more |= was.mask != s->known.mask;
    return true;
}

/* A number whose bits are all known: the ranges must have it, and are it then. */
static bool sync_const(struct ebpf_scalar *s, unsigned bits)
{
    if (!ebpf_scalar_has(s, s->known.value, bits))
        return false;
    if (s->full.umin == s->full.umax && s->full.smin == s->full.smax &&
        s->half.umin == s->half.umax && s->half.smin == s->half.smax)
        return true;
    ebpf_scalar_set(s, s->known.value, bits);
    return true;
}

/* Two rounds: what the first taught the bits, the second teaches the ranges. More would be sound,
 * and rarely worth it. Mostly the first teaches nothing new, and that is the end. */
bool ebpf_scalar_sync(struct ebpf_scalar *s, unsigned bits)
{
    bool more = true;

    for (int round = 0; round < 2 && more; round++) {
        more = false;
        if (ebpf_tnum_is_const(s->known))
            return sync_const(s, bits);
        if (!learn_range(&s->full, s->known, bits) || !learn_half(s, bits) ||
            !learn_full(s, bits, &more) || !learn_bits(s, bits, &more))
            return false;
    }
    if (ebpf_tnum_is_const(s->known))
        return sync_const(s, bits);
    return !more || (learn_range(&s->full, s->known, bits) &&
                     learn_range(&s->half, ebpf_tnum_cut(s->known, bits / 2), bits / 2));
}

/* After arithmetic: some number is left for certain, so that false would be a bug of the domain.
 * Nothing known is the answer that stays sound even then. */
static void sync_result(struct ebpf_scalar *s, unsigned bits)
{
    if (!ebpf_scalar_sync(s, bits))
        ebpf_scalar_forget(s, bits);
}

/* ---- widths ---------------------------------------------------------------------------------- */

/* s becomes its lowest `low` bits, with what is known of them but the full range: *range, of their
 * width. */
static void take_low(struct ebpf_scalar *s, unsigned low, unsigned bits, struct ebpf_range *range)
{
    struct ebpf_tnum known = ebpf_tnum_cut(s->known, low);

    ebpf_range_forget(range, low);
    ebpf_range_meet_low(range, &s->full, low);
    if (low <= bits / 2)
        ebpf_range_meet_low(range, &s->half, low);
    if (!ebpf_range_sync(range, low))
        ebpf_range_forget(range, low);
    ebpf_scalar_forget(s, bits);
    s->known = known;
    if (low == bits / 2)
        s->half = *range;
}

void ebpf_scalar_zext(struct ebpf_scalar *s, unsigned low, unsigned bits)
{
    struct ebpf_range range;

    if (low >= bits || s->full.umax <= ebpf_low_bits(low))
        return; /* nothing is cut off */
    take_low(s, low, bits, &range);
    s->full.umin = range.umin;
    s->full.umax = range.umax;
    sync_result(s, bits);
}

void ebpf_scalar_movsx(struct ebpf_scalar *s, unsigned low, unsigned bits)
{
    struct ebpf_range range;

    take_low(s, low, bits, &range);
    s->known = ebpf_tnum_sext(s->known, low, bits);
    s->full.smin = range.smin;
    s->full.smax = range.smax;
    sync_result(s, bits);
}

/* ---- arithmetic: one function an operation, at one width ------------------------------------- */

/* One width's view of a scalar: the whole, or the lower half. */
struct view {
    struct ebpf_tnum known;
    struct ebpf_range range;
};

static void view_forget(struct view *a, unsigned bits)
{
    a->known = ebpf_tnum_unknown(bits);
    ebpf_range_forget(&a->range, bits);
}

static void view_add(struct view *a, const struct view *b, unsigned bits)
{
    a->known = ebpf_tnum_add(a->known, b->known, bits);
    ebpf_range_add(&a->range, &b->range, bits);
}

static void view_sub(struct view *a, const struct view *b, unsigned bits)
{
    a->known = ebpf_tnum_sub(a->known, b->known, bits);
    ebpf_range_sub(&a->range, &b->range, bits);
}

static void view_mul(struct view *a, const struct view *b, unsigned bits)
{
    a->known = ebpf_tnum_mul(a->known, b->known, bits);
    ebpf_range_mul(&a->range, &b->range, bits);
}

/* "or" is at least either operand, "and" at most either. The rest is in the bits. */
static void view_or(struct view *a, const struct view *b, unsigned bits)
{
    uint64_t min = a->range.umin > b->range.umin ? a->range.umin : b->range.umin;

    a->known = ebpf_tnum_or(a->known, b->known);
    ebpf_range_forget(&a->range, bits);
    a->range.umin = min;
}

static void view_and(struct view *a, const struct view *b, unsigned bits)
{
    uint64_t max = a->range.umax < b->range.umax ? a->range.umax : b->range.umax;

    a->known = ebpf_tnum_and(a->known, b->known);
    ebpf_range_forget(&a->range, bits);
    a->range.umax = max;
}

static void view_xor(struct view *a, const struct view *b, unsigned bits)
{
    a->known = ebpf_tnum_xor(a->known, b->known);
    ebpf_range_forget(&a->range, bits);
}

/* 0 - a */
static void view_neg(struct view *a, const struct view *b, unsigned bits)
{
    struct view was = *a;

    (void)b;
    a->known = ebpf_tnum_const(0);
    ebpf_range_set(&a->range, 0, bits);
    view_sub(a, &was, bits);
}

static void view_lsh(struct view *a, const struct view *b, unsigned bits)
{
    unsigned by = (unsigned)b->known.value;

    a->known = ebpf_tnum_lsh(a->known, by, bits);
    ebpf_range_lsh(&a->range, by, bits);
}

static void view_rsh(struct view *a, const struct view *b, unsigned bits)
{
    unsigned by = (unsigned)b->known.value;

    a->known = ebpf_tnum_rsh(a->known, by);
    ebpf_range_rsh(&a->range, by, bits);
}

static void view_arsh(struct view *a, const struct view *b, unsigned bits)
{
    unsigned by = (unsigned)b->known.value;

    a->known = ebpf_tnum_arsh(a->known, by, bits);
    ebpf_range_arsh(&a->range, by, bits);
}

struct operation {
    void (*run)(struct view *a, const struct view *b, unsigned bits); /* a = a op b */
    bool from_below; /* no bit of the result depends on higher bits of the operands */
    bool shift;
};

static const struct operation operations[16] = {
    [BPF_ADD >> 4] = {view_add, true, false}, [BPF_SUB >> 4] = {view_sub, true, false},
    [BPF_MUL >> 4] = {view_mul, true, false}, [BPF_OR >> 4] = {view_or, true, false},
    [BPF_AND >> 4] = {view_and, true, false}, [BPF_XOR >> 4] = {view_xor, true, false},
    [BPF_NEG >> 4] = {view_neg, true, false}, [BPF_LSH >> 4] = {view_lsh, false, true},
    [BPF_RSH >> 4] = {view_rsh, false, true}, [BPF_ARSH >> 4] = {view_arsh, false, true},
};

/* a = a op b, both of `bits` bits. Shifts by amounts that are not known, or too large: Linux refuses
 * such immediates and forgets the result of others; RFC 9669 masks them. */
static void run(const struct operation *op, struct view *a, const struct view *b, unsigned bits)
{
    if (!op->run || (op->shift && (b->known.mask || b->known.value >= bits)))
        view_forget(a, bits);
    else
        op->run(a, b, bits);
}

/* The lower halves of both operands, and what becomes of them. */
static void run_low(const struct operation *op, const struct ebpf_scalar *dst,
                    const struct ebpf_scalar *src, unsigned bits, struct view *out)
{
    struct view b = {ebpf_tnum_cut(src->known, bits / 2), src->half};

    *out = (struct view){ebpf_tnum_cut(dst->known, bits / 2), dst->half};
    run(op, out, &b, bits / 2);
}

/* Can it be anything? */
static bool is_unknown(const struct ebpf_scalar *s, unsigned bits)
{
    const struct ebpf_range *f = &s->full, *h = &s->half;

    return s->known.mask == ebpf_low_bits(bits) && !f->umin && f->umax == ebpf_low_bits(bits) &&
           !h->umin && h->umax == ebpf_low_bits(bits / 2) &&
           (uint64_t)f->smax - (uint64_t)f->smin == ebpf_low_bits(bits);
}

/* One operand can be anything, and so can the result. */
static bool spoils(uint8_t op)
{
    return op == BPF_ADD || op == BPF_SUB || op == BPF_XOR;
}

/* Bits and range of the lower half learn from each other, and that is all there is: the upper half
 * is zero. */
static void extend(const struct view *low, struct ebpf_scalar *out, unsigned bits)
{
    bool possible = true, more = true;

    out->known = low->known;
    out->half = low->range;
    for (int round = 0; round < 2 && more && possible; round++) {
        struct ebpf_tnum was = out->known;

        possible =
            learn_range(&out->half, out->known, bits / 2) &&
            ebpf_tnum_meet(was, ebpf_tnum_range(out->half.umin, out->half.umax), &out->known);
        more = was.mask != out->known.mask;
    }
    if (more && possible)
        possible = learn_range(&out->half, out->known, bits / 2);
    if (!possible) { /* as in sync_result() */
        out->known = ebpf_tnum_unknown(bits / 2);
        ebpf_range_forget(&out->half, bits / 2);
    }
    out->full = (struct ebpf_range){out->half.umin, out->half.umax, (int64_t)out->half.umin,
                                    (int64_t)out->half.umax};
}

void ebpf_scalar_alu(uint8_t op, bool wide, struct ebpf_scalar *dst, const struct ebpf_scalar *src,
                     unsigned bits)
{
    const struct operation *row = &operations[op >> 4];
    struct view a, b, low;

    if (!wide) {
        run_low(row, dst, src, bits, &low);
        extend(&low, dst, bits);
        return;
    }
    if (!row->run || (spoils(op) && (is_unknown(dst, bits) || is_unknown(src, bits)))) {
        ebpf_scalar_forget(dst, bits);
        return;
    }
    a = (struct view){dst->known, dst->full};
    b = (struct view){src->known, src->full};
    run(row, &a, &b, bits);
    if (row->from_below) {
        run_low(row, dst, src, bits, &low);
        dst->half = low.range;
    } else {
        ebpf_range_forget(&dst->half, bits / 2);
    }
    dst->known = a.known;
    dst->full = a.range;
    sync_result(dst, bits);
}

/* ---- jumps ----------------------------------------------------------------------------------- */

static struct ebpf_range *range_at(struct ebpf_scalar *s, bool wide)
{
    return wide ? &s->full : &s->half;
}

/* Both are the same number, as far as that width sees. */
static bool take_equal(struct ebpf_scalar *a, struct ebpf_scalar *b, bool wide, unsigned bits)
{
    uint64_t blind = wide ? 0 : ebpf_low_bits(bits) & ~ebpf_low_bits(bits / 2);
    struct ebpf_tnum a_sees = {a->known.value & ~blind, a->known.mask | blind};
    struct ebpf_tnum b_sees = {b->known.value & ~blind, b->known.mask | blind};

    if (!ebpf_tnum_meet(a->known, b_sees, &a->known) ||
        !ebpf_tnum_meet(b->known, a_sees, &b->known))
        return false;
    ebpf_range_meet(range_at(a, wide), range_at(b, wide));
    *range_at(b, wide) = *range_at(a, wide);
    if (wide) {
        ebpf_range_meet(&a->half, &b->half);
        b->half = a->half;
    }
    return true;
}

/* r is not x: told apart at the ends only. */
static bool exclude(struct ebpf_range *r, uint64_t x, unsigned bits)
{
    int64_t number = ebpf_sext(x, bits);

    if (r->umin == r->umax && r->umin == x)
        return false;
    if (r->umin == x)
        r->umin++;
    if (r->umax == x)
        r->umax--;
    if (r->smin == number && r->smin < r->smax)
        r->smin++;
    if (r->smax == number && r->smin < r->smax)
        r->smax--;
    return true;
}

static bool take_not_equal(struct ebpf_scalar *a, struct ebpf_scalar *b, bool wide, unsigned bits)
{
    struct ebpf_range x = *range_at(a, wide), y = *range_at(b, wide);
    unsigned width = wide ? bits : bits / 2;

    if (y.umin == y.umax && !exclude(range_at(a, wide), y.umin, width))
        return false;
    return x.umin != x.umax || exclude(range_at(b, wide), x.umin, width);
}

/* Some bit is 1 in both. Where only one bit can be, it is. */
static bool take_bits(struct ebpf_scalar *a, struct ebpf_scalar *b, bool wide, unsigned bits)
{
    uint64_t common = (a->known.value | a->known.mask) & (b->known.value | b->known.mask) &
                      ebpf_low_bits(wide ? bits : bits / 2);
    struct ebpf_tnum one = {common, ~common & ebpf_low_bits(bits)};

    if (!common)
        return false;
    if (common & (common - 1))
        return true;
    return ebpf_tnum_meet(a->known, one, &a->known) && ebpf_tnum_meet(b->known, one, &b->known);
}

/* No bit is 1 in both: what is 1 in one is 0 in the other. */
static bool take_no_bits(struct ebpf_scalar *a, struct ebpf_scalar *b, bool wide, unsigned bits)
{
    uint64_t sees = ebpf_low_bits(wide ? bits : bits / 2), all = ebpf_low_bits(bits);
    struct ebpf_tnum for_a = {0, all & ~(b->known.value & sees)},
                     for_b = {0, all & ~(a->known.value & sees)};

    return ebpf_tnum_meet(a->known, for_a, &a->known) && ebpf_tnum_meet(b->known, for_b, &b->known);
}

/* a < b, or a <= b (gap 0) */
static bool take_below(struct ebpf_range *a, struct ebpf_range *b, uint64_t gap)
{
    if (b->umax < gap || a->umin > UINT64_MAX - gap)
        return false;
    if (a->umax > b->umax - gap)
        a->umax = b->umax - gap;
    if (b->umin < a->umin + gap)
        b->umin = a->umin + gap;
    return a->umin <= a->umax && b->umin <= b->umax;
}

static bool take_signed_below(struct ebpf_range *a, struct ebpf_range *b, int64_t gap)
{
    if (b->smax < INT64_MIN + gap || a->smin > INT64_MAX - gap)
        return false;
    if (a->smax > b->smax - gap)
        a->smax = b->smax - gap;
    if (b->smin < a->smin + gap)
        b->smin = a->smin + gap;
    return a->smin <= a->smax && b->smin <= b->smax;
}

/* A comparison as "x below y": which operand is x, signed or not, strictly or not. What is not
 * taken is the opposite order, strict where this one is not. */
struct order {
    bool ordered, swapped, is_signed, strict;
};

static const struct order orders[16] = {
    [BPF_JGT >> 4] = {true, true, false, true},  [BPF_JGE >> 4] = {true, true, false, false},
    [BPF_JLT >> 4] = {true, false, false, true}, [BPF_JLE >> 4] = {true, false, false, false},
    [BPF_JSGT >> 4] = {true, true, true, true},  [BPF_JSGE >> 4] = {true, true, true, false},
    [BPF_JSLT >> 4] = {true, false, true, true}, [BPF_JSLE >> 4] = {true, false, true, false},
};

static bool take_order(const struct order *o, bool taken, struct ebpf_range *dst,
                       struct ebpf_range *src)
{
    bool swapped = o->swapped == taken, strict = o->strict == taken;
    struct ebpf_range *low = swapped ? src : dst, *high = swapped ? dst : src;

    return o->is_signed ? take_signed_below(low, high, strict) : take_below(low, high, strict);
}

bool ebpf_scalar_branch(uint8_t op, bool wide, bool taken, struct ebpf_scalar *dst,
                        struct ebpf_scalar *src, unsigned bits)
{
    const struct order *order = &orders[op >> 4];
    bool possible;

    if (order->ordered)
        possible = take_order(order, taken, range_at(dst, wide), range_at(src, wide));
    else if (op == BPF_JSET)
        possible = (taken ? take_bits : take_no_bits)(dst, src, wide, bits);
    else
        possible = ((op == BPF_JEQ) == taken ? take_equal : take_not_equal)(dst, src, wide, bits);
    return possible && ebpf_scalar_sync(dst, bits) && ebpf_scalar_sync(src, bits);
}
