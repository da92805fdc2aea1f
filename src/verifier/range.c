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

void ebpf_range_forget(struct ebpf_range *r, unsigned bits)
{
    forget_unsigned(r, bits);
    forget_signed(r, bits);
}

void ebpf_range_set(struct ebpf_range *r, uint64_t value, unsigned bits)
{
    r->umin = r->umax = value & umax_of(bits);
    r->smin = r->smax = ebpf_sext(value, bits);
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

static void meet_unsigned(struct ebpf_range *r, uint64_t min, uint64_t max)
{
    if (r->umin < min)
        r->umin = min;
    if (r->umax > max)
        r->umax = max;
}

static void meet_signed(struct ebpf_range *r, int64_t min, int64_t max)
{
    if (r->smin < min)
        r->smin = min;
    if (r->smax > max)
        r->smax = max;
}

void ebpf_range_meet(struct ebpf_range *r, const struct ebpf_range *other)
{
    meet_unsigned(r, other->umin, other->umax);
    meet_signed(r, other->smin, other->smax);
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
    if (from <= to)
        meet_unsigned(out, from, to);
    if (ebpf_sext(from, low) <= ebpf_sext(to, low))
        meet_signed(out, ebpf_sext(from, low), ebpf_sext(to, low));
}

void ebpf_range_meet_low(struct ebpf_range *part, const struct ebpf_range *r, unsigned low)
{
    low_of_arc(r->umin, r->umax - r->umin, low, part);
    low_of_arc((uint64_t)r->smin, (uint64_t)r->smax - (uint64_t)r->smin, low, part);
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
void ebpf_range_add(struct ebpf_range *r, const struct ebpf_range *by, unsigned bits)
{
    uint64_t umin = (r->umin + by->umin) & umax_of(bits);
    uint64_t umax = (r->umax + by->umax) & umax_of(bits);
    bool wraps = (umin < r->umin) != (umax < r->umax);

    r->umin = umin;
    r->umax = umax;
    if (wraps)
        forget_unsigned(r, bits);
    if (__builtin_add_overflow(r->smin, by->smin, &r->smin) ||
        __builtin_add_overflow(r->smax, by->smax, &r->smax) || !fits_signed(r->smin, bits) ||
        !fits_signed(r->smax, bits))
        forget_signed(r, bits);
}

void ebpf_range_sub(struct ebpf_range *r, const struct ebpf_range *by, unsigned bits)
{
    bool wraps = (r->umin < by->umax) != (r->umax < by->umin);
    struct ebpf_range was = *by; /* may be r */

    r->umin = (r->umin - was.umax) & umax_of(bits);
    r->umax = (r->umax - was.umin) & umax_of(bits);
    if (wraps)
        forget_unsigned(r, bits);
    if (__builtin_sub_overflow(r->smin, was.smax, &r->smin) ||
        __builtin_sub_overflow(r->smax, was.smin, &r->smax) || !fits_signed(r->smin, bits) ||
        !fits_signed(r->smax, bits))
        forget_signed(r, bits);
}

/* a * b where it fits: true. Widens the signed bounds to hold it. */
static bool smul_ok(struct ebpf_range *r, int64_t a, int64_t b, unsigned bits)
{
    int64_t product;

    if (__builtin_mul_overflow(a, b, &product) || !fits_signed(product, bits))
        return false;
    r->smin = smin2(r->smin, product);
    r->smax = smax2(r->smax, product);
    return true;
}

/* The product of two intervals has its ends among the four products of their ends. */
void ebpf_range_mul(struct ebpf_range *r, const struct ebpf_range *by, unsigned bits)
{
    struct ebpf_range out = {.umin = r->umin * by->umin, .smin = INT64_MAX, .smax = INT64_MIN};

    if (__builtin_mul_overflow(r->umax, by->umax, &out.umax) || out.umax > umax_of(bits))
        forget_unsigned(&out, bits);
    for (unsigned i = 0; i < 4; i++) {
        if (smul_ok(&out, i & 1 ? r->smax : r->smin, i & 2 ? by->smax : by->smin, bits))
            continue;
        forget_signed(&out, bits);
        break;
    }
    *r = out;
}

/* By doubling; 2^(bits - 1) is no positive signed number, so that the last doubling is a sum. */
void ebpf_range_lsh(struct ebpf_range *r, unsigned by, unsigned bits)
{
    bool last = by == bits - 1;
    struct ebpf_range factor;

    if (by == 0)
        return;
    ebpf_range_set(&factor, (uint64_t)1 << (last ? by - 1 : by), bits);
    ebpf_range_mul(r, &factor, bits);
    if (last)
        ebpf_range_add(r, r, bits);
}

void ebpf_range_rsh(struct ebpf_range *r, unsigned by, unsigned bits)
{
    r->umin >>= by;
    r->umax >>= by;
    forget_signed(r, bits);
}

void ebpf_range_arsh(struct ebpf_range *r, unsigned by, unsigned bits)
{
    r->smin >>= by;
    r->smax >>= by;
    forget_unsigned(r, bits);
}
