/* SPDX-License-Identifier: MIT */
/*
 * Ranges. (umin, umax, smin, smax) stands for all x of `bits` bits with umin <= x <= umax as
 * unsigned and smin <= x <= smax as signed numbers. Neither says all that the other does: 0xff..fe
 * to 1 is everything unsigned, but -2 to 1 signed. On a circle of 2^bits numbers each of the two is
 * one arc:
 *
 *          0 1 2 ... 0x7f.. | 0x80.. ... 0xff..      unsigned: does not cross the right end
 *          0 1 2 ... 0x7f.. | -0x80.. ... -1         signed:   does not cross the middle
 *
 * so that each half of the circle holds one plain interval of both, and their intersection is exact
 * half by half (ebpf_range_sync()). An operation is sound when its result holds op(x, y) for every
 * x and y of its operands; where bounds could overflow it gives up the signed, the unsigned, or
 * both.
 */
#include "src/verifier/range.h"

#include "src/verifier/tnum.h"

static uint64_t umax_of(unsigned bits)
{
    return ebpf_low_bits(bits);
}

static int64_t smax_of(unsigned bits)
{
    return (int64_t)(ebpf_low_bits(bits) >> 1);
}

static int64_t smin_of(unsigned bits)
{
    return -smax_of(bits) - 1;
}

static void forget_unsigned(struct ebpf_range *r, unsigned bits)
{
    r->umin = 0;
    r->umax = umax_of(bits);
}

static void forget_signed(struct ebpf_range *r, unsigned bits)
{
    r->smin = smin_of(bits);
    r->smax = smax_of(bits);
}

struct ebpf_range ebpf_range_unknown(unsigned bits)
{
    return (struct ebpf_range){0, umax_of(bits), smin_of(bits), smax_of(bits)};
}

struct ebpf_range ebpf_range_const(uint64_t value, unsigned bits)
{
    int64_t number = ebpf_sext(value, bits);

    value &= umax_of(bits);
    return (struct ebpf_range){value, value, number, number};
}

bool ebpf_range_has(const struct ebpf_range *r, uint64_t value, unsigned bits)
{
    int64_t number = ebpf_sext(value, bits);

    return value >= r->umin && value <= r->umax && number >= r->smin && number <= r->smax;
}

bool ebpf_range_within(const struct ebpf_range *inner, const struct ebpf_range *outer)
{
    return inner->umin >= outer->umin && inner->umax <= outer->umax && inner->smin >= outer->smin &&
           inner->smax <= outer->smax;
}

static uint64_t umin2(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t umax2(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static int64_t smin2(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t smax2(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

struct ebpf_range ebpf_range_meet(const struct ebpf_range *a, const struct ebpf_range *b)
{
    return (struct ebpf_range){umax2(a->umin, b->umin), umin2(a->umax, b->umax),
                               smax2(a->smin, b->smin), smin2(a->smax, b->smax)};
}

/* Both halves of the circle are intersected as signed numbers: an unsigned bound's sign extension
 * keeps the order within a half. */
bool ebpf_range_sync(struct ebpf_range *r, unsigned bits)
{
    uint64_t top = (uint64_t)smax_of(bits); /* the last number that is not negative */
    int64_t low = smax2((int64_t)umin2(r->umin, top), r->smin);
    int64_t high = smin2((int64_t)umin2(r->umax, top), r->smax);
    int64_t neg_low = smax2(ebpf_sext(umax2(r->umin, top + 1), bits), r->smin);
    int64_t neg_high = smin2(ebpf_sext(umax2(r->umax, top + 1), bits), r->smax);
    bool pos, neg;

    if (r->smin >= 0 || r->umax <= top) { /* not negative: both orders are one */
        r->umin = umax2(r->umin, (uint64_t)smax2(r->smin, 0));
        r->umax = r->smax < 0 ? 0 : umin2(r->umax, (uint64_t)r->smax);
        if (r->smax < 0 || r->umin > r->umax)
            return false;
        r->smin = (int64_t)r->umin;
        r->smax = (int64_t)r->umax;
        return true;
    }
    low = smax2(low, 0);
    neg_high = smin2(neg_high, -1);
    pos = r->umin <= top && low <= high;
    neg = r->umax > top && neg_low <= neg_high;
    if ((!pos && !neg) || r->umin > r->umax)
        return false;
    r->umin = (uint64_t)(pos ? low : neg_low) & umax_of(bits);
    r->umax = (uint64_t)(neg ? neg_high : high) & umax_of(bits);
    r->smin = neg ? neg_low : low;
    r->smax = pos ? high : neg_high;
    return true;
}

/* ---- parts ----------------------------------------------------------------------------------- */

/* first, first + 1, ... first + span: their lowest bits make an arc, which is an interval where it
 * does not cross the end of the numbers. */
static void low_of_arc(uint64_t first, uint64_t span, unsigned low, struct ebpf_range *out)
{
    uint64_t from = first & umax_of(low), to = (first + span) & umax_of(low);

    if (span > umax_of(low))
        return;
    if (from <= to) {
        out->umin = umax2(out->umin, from);
        out->umax = umin2(out->umax, to);
    }
    if (ebpf_sext(from, low) <= ebpf_sext(to, low)) {
        out->smin = smax2(out->smin, ebpf_sext(from, low));
        out->smax = smin2(out->smax, ebpf_sext(to, low));
    }
}

struct ebpf_range ebpf_range_low(const struct ebpf_range *r, unsigned low)
{
    struct ebpf_range out = ebpf_range_unknown(low);

    low_of_arc(r->umin, r->umax - r->umin, low, &out);
    low_of_arc((uint64_t)r->smin, (uint64_t)r->smax - (uint64_t)r->smin, low, &out);
    return out;
}

/* The first number from `at` upwards whose low part, unsigned, is in part: false where it would not
 * fit bits. */
static bool trim_up(uint64_t *at, const struct ebpf_range *part, unsigned low, unsigned bits)
{
    uint64_t rest = *at & umax_of(low), base = *at - rest;

    if (rest <= part->umin)
        *at = base + part->umin;
    else if (rest > part->umax) {
        if (base == (umax_of(bits) & ~umax_of(low)))
            return false;
        *at = base + umax_of(low) + 1 + part->umin;
    }
    return true;
}

static bool trim_down(uint64_t *at, const struct ebpf_range *part, unsigned low)
{
    uint64_t rest = *at & umax_of(low), base = *at - rest;

    if (rest >= part->umax)
        *at = base + part->umax;
    else if (rest < part->umin) {
        if (!base)
            return false;
        *at = base - umax_of(low) - 1 + part->umax;
    }
    return true;
}

/* The same for the signed bounds, by a detour: adding 2^(bits - 1) turns signed order into unsigned
 * order, and 2^(low - 1) does it for the part, which is narrower. */
static bool trim_signed(struct ebpf_range *r, unsigned bits, const struct ebpf_range *part,
                        unsigned low)
{
    uint64_t sign = (uint64_t)1 << (bits - 1), part_sign = (uint64_t)1 << (low - 1);
    uint64_t min = (uint64_t)r->smin & umax_of(bits), max = (uint64_t)r->smax & umax_of(bits);
    struct ebpf_range moved = {.umin = (uint64_t)part->smin + part_sign,
                               .umax = (uint64_t)part->smax + part_sign};

    min = (min + sign + part_sign) & umax_of(bits);
    max = (max + sign + part_sign) & umax_of(bits);
    if (min > max) /* the interval crosses the end after the second shift: nothing learnt */
        return true;
    if (!trim_up(&min, &moved, low, bits) || !trim_down(&max, &moved, low) || min > max)
        return false;
    r->smin = ebpf_sext((min - sign - part_sign) & umax_of(bits), bits);
    r->smax = ebpf_sext((max - sign - part_sign) & umax_of(bits), bits);
    return true;
}

bool ebpf_range_trim(struct ebpf_range *r, unsigned bits, const struct ebpf_range *part,
                     unsigned low)
{
    if (!trim_up(&r->umin, part, low, bits) || !trim_down(&r->umax, part, low) || r->umin > r->umax)
        return false;
    return trim_signed(r, bits, part, low);
}

/* ---- operations: the unsigned bounds, then the signed ones ----------------------------------- */

static bool fits_signed(int64_t value, unsigned bits)
{
    return value >= smin_of(bits) && value <= smax_of(bits);
}

/* Where both unsigned bounds leave the circle once, the arc is whole again behind its end. */
struct ebpf_range ebpf_range_add(const struct ebpf_range *a, const struct ebpf_range *b,
                                 unsigned bits)
{
    struct ebpf_range r = {.umin = (a->umin + b->umin) & umax_of(bits),
                           .umax = (a->umax + b->umax) & umax_of(bits)};

    if ((r.umin < a->umin) != (r.umax < a->umax))
        forget_unsigned(&r, bits);
    if (__builtin_add_overflow(a->smin, b->smin, &r.smin) ||
        __builtin_add_overflow(a->smax, b->smax, &r.smax) || !fits_signed(r.smin, bits) ||
        !fits_signed(r.smax, bits))
        forget_signed(&r, bits);
    return r;
}

struct ebpf_range ebpf_range_sub(const struct ebpf_range *a, const struct ebpf_range *b,
                                 unsigned bits)
{
    struct ebpf_range r = {.umin = (a->umin - b->umax) & umax_of(bits),
                           .umax = (a->umax - b->umin) & umax_of(bits)};

    if ((a->umin < b->umax) != (a->umax < b->umin))
        forget_unsigned(&r, bits);
    if (__builtin_sub_overflow(a->smin, b->smax, &r.smin) ||
        __builtin_sub_overflow(a->smax, b->smin, &r.smax) || !fits_signed(r.smin, bits) ||
        !fits_signed(r.smax, bits))
        forget_signed(&r, bits);
    return r;
}

static bool umul_ok(uint64_t a, uint64_t b, unsigned bits, uint64_t *out)
{
    return !__builtin_mul_overflow(a, b, out) && *out <= umax_of(bits);
}

static bool smul_ok(int64_t a, int64_t b, unsigned bits, int64_t *out)
{
    return !__builtin_mul_overflow(a, b, out) && fits_signed(*out, bits);
}

/* The product of two intervals has its ends among the four products of their ends. */
struct ebpf_range ebpf_range_mul(const struct ebpf_range *a, const struct ebpf_range *b,
                                 unsigned bits)
{
    struct ebpf_range r = {.umin = a->umin * b->umin};
    int64_t p[4];

    if (!umul_ok(a->umax, b->umax, bits, &r.umax))
        forget_unsigned(&r, bits);
    if (!smul_ok(a->smin, b->smin, bits, &p[0]) || !smul_ok(a->smin, b->smax, bits, &p[1]) ||
        !smul_ok(a->smax, b->smin, bits, &p[2]) || !smul_ok(a->smax, b->smax, bits, &p[3])) {
        forget_signed(&r, bits);
        return r;
    }
    r.smin = smin2(smin2(p[0], p[1]), smin2(p[2], p[3]));
    r.smax = smax2(smax2(p[0], p[1]), smax2(p[2], p[3]));
    return r;
}

/* By doubling; 2^(bits - 1) is no positive signed number, so that the last doubling is a sum. */
struct ebpf_range ebpf_range_lsh(const struct ebpf_range *r, unsigned by, unsigned bits)
{
    bool last = by == bits - 1;
    struct ebpf_range factor, out;

    if (by == 0)
        return *r;
    factor = ebpf_range_const((uint64_t)1 << (last ? by - 1 : by), bits);
    out = ebpf_range_mul(r, &factor, bits);
    return last ? ebpf_range_add(&out, &out, bits) : out;
}

struct ebpf_range ebpf_range_rsh(const struct ebpf_range *r, unsigned by, unsigned bits)
{
    struct ebpf_range out = {.umin = r->umin >> by, .umax = r->umax >> by};

    forget_signed(&out, bits);
    return out;
}

struct ebpf_range ebpf_range_arsh(const struct ebpf_range *r, unsigned by, unsigned bits)
{
    struct ebpf_range out = {.smin = r->smin >> by, .smax = r->smax >> by};

    forget_unsigned(&out, bits);
    return out;
}
