/* SPDX-License-Identifier: MIT */
/*
 * The verifier's domains against concrete arithmetic. Soundness: whatever numbers the operands can
 * be, the result of the operation on them is in the result of the domain. All simple scalars at 4
 * bits and random ones at 6 are tried with all their numbers, random ones at 64 bits with one.
 */
#include "tests/unit/test.h"

#include <ebpf/uapi.h>

#include "src/verifier/bounds.h"
#include "tests/unit/scalars.h"

/* qemu is slow, and the arithmetic the same: there, a sample of the pairs. */
#if defined(__riscv)
#define STRIDE 41
#else
#define STRIDE 1
#endif

static uint64_t seed;

static uint64_t random64(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static const uint8_t alu_ops[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR,  BPF_AND,
                                  BPF_LSH, BPF_RSH, BPF_NEG, BPF_MOD, BPF_XOR, BPF_ARSH};
static const uint8_t jump_ops[] = {BPF_JEQ,  BPF_JNE,  BPF_JGT,  BPF_JGE,  BPF_JLT, BPF_JLE,
                                   BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE, BPF_JSET};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- what the instructions do (RFC 9669), at any width --------------------------------------- */

static uint64_t concrete_alu(uint8_t op, uint64_t x, uint64_t y, unsigned bits)
{
    uint64_t all = ebpf_low_bits(bits);
    unsigned by = (unsigned)(y % bits);

    switch (op) {
    case BPF_ADD:
        return (x + y) & all;
    case BPF_SUB:
        return (x - y) & all;
    case BPF_MUL:
        return (x * y) & all;
    case BPF_DIV:
        return y ? x / y : 0;
    case BPF_MOD:
        return y ? x % y : x;
    case BPF_OR:
        return x | y;
    case BPF_AND:
        return x & y;
    case BPF_XOR:
        return x ^ y;
    case BPF_NEG:
        return -x & all;
    case BPF_LSH:
        return x << by & all;
    case BPF_RSH:
        return x >> by;
    default:
        return (uint64_t)(ebpf_sext(x, bits) >> by) & all;
    }
}

/* At 6 bits a half has 3: no power of two, for which amounts would be masked. */
static bool has_meaning(uint8_t op, uint64_t y, unsigned bits)
{
    return (op != BPF_LSH && op != BPF_RSH && op != BPF_ARSH) || y < bits;
}

static bool concrete_jump(uint8_t op, uint64_t x, uint64_t y, unsigned bits)
{
    int64_t a = ebpf_sext(x, bits), b = ebpf_sext(y, bits);

    switch (op) {
    case BPF_JEQ:
        return x == y;
    case BPF_JNE:
        return x != y;
    case BPF_JGT:
        return x > y;
    case BPF_JGE:
        return x >= y;
    case BPF_JLT:
        return x < y;
    case BPF_JLE:
        return x <= y;
    case BPF_JSGT:
        return a > b;
    case BPF_JSGE:
        return a >= b;
    case BPF_JSLT:
        return a < b;
    case BPF_JSLE:
        return a <= b;
    default:
        return (x & y) != 0;
    }
}

/* ---- one pair of numbers against one pair of scalars ----------------------------------------- */

static bool alu_sound(uint8_t op, bool wide, const struct ebpf_scalar *out, uint64_t x, uint64_t y,
                      unsigned bits)
{
    unsigned width = wide ? bits : bits / 2;
    uint64_t all = ebpf_low_bits(width);

    return !has_meaning(op, y & all, width) ||
           ebpf_scalar_has(out, concrete_alu(op, x & all, y & all, width), bits);
}

struct branched {
    struct ebpf_scalar dst, src;
    bool possible;
};

static struct branched branch(uint8_t op, bool wide, bool taken, const struct ebpf_scalar *a,
                              const struct ebpf_scalar *b, unsigned bits)
{
    struct branched out = {*a, *b, false};

    out.possible = ebpf_scalar_branch(op, wide, taken, &out.dst, &out.src, bits);
    return out;
}

/* ways[0]: not taken, ways[1]: taken */
static bool jump_sound(uint8_t op, bool wide, const struct branched *ways, uint64_t x, uint64_t y,
                       unsigned bits)
{
    unsigned width = wide ? bits : bits / 2;
    const struct branched *way =
        &ways[concrete_jump(op, x & ebpf_low_bits(width), y & ebpf_low_bits(width), width)];

    return way->possible && ebpf_scalar_has(&way->dst, x, bits) &&
           ebpf_scalar_has(&way->src, y, bits);
}

/* ---- small widths: scalars with all their numbers -------------------------------------------- */

struct sample {
    struct ebpf_scalar s;
    unsigned count;
    uint8_t members[64];
};

static bool sample_fill(struct sample *sample, unsigned bits)
{
    sample->count = 0;
    for (unsigned x = 0; x < 1u << bits; x++) {
        if (ebpf_scalar_has(&sample->s, x, bits))
            sample->members[sample->count++] = (uint8_t)x;
    }
    return sample->count != 0;
}

/* Returns how many pairs of numbers were wrong, over all operations. */
static unsigned check_alu(const struct sample *a, const struct sample *b, unsigned bits)
{
    unsigned wrong = 0;

    for (unsigned i = 0; i < 2 * COUNT(alu_ops); i++) {
        uint8_t op = alu_ops[i / 2];
        struct ebpf_scalar out = alu_of(op, i & 1, &a->s, &b->s, bits);

        for (unsigned x = 0; x < a->count; x++) {
            for (unsigned y = 0; y < b->count; y++)
                wrong += !alu_sound(op, i & 1, &out, a->members[x], b->members[y], bits);
        }
    }
    return wrong;
}

static unsigned check_jumps(const struct sample *a, const struct sample *b, unsigned bits)
{
    unsigned wrong = 0;

    for (unsigned i = 0; i < 2 * COUNT(jump_ops); i++) {
        uint8_t op = jump_ops[i / 2];
        struct branched ways[2] = {branch(op, i & 1, false, &a->s, &b->s, bits),
                                   branch(op, i & 1, true, &a->s, &b->s, bits)};

        for (unsigned x = 0; x < a->count; x++) {
            for (unsigned y = 0; y < b->count; y++)
                wrong += !jump_sound(op, i & 1, ways, a->members[x], b->members[y], bits);
        }
    }
    return wrong;
}

static unsigned check_widths(const struct sample *a, unsigned bits)
{
    unsigned wrong = 0;

    for (unsigned low = 1; low <= bits; low++) {
        struct ebpf_scalar zext = zext_of(&a->s, low, bits),
                           sext = movsx_of(&a->s, low, bits);

        for (unsigned x = 0; x < a->count; x++) {
            uint64_t part = a->members[x] & ebpf_low_bits(low);

            wrong += !ebpf_scalar_has(&zext, part, bits);
            wrong +=
                !ebpf_scalar_has(&sext, (uint64_t)ebpf_sext(part, low) & ebpf_low_bits(bits), bits);
        }
    }
    return wrong;
}

/* All tnums, and all intervals of each of the four ranges, at 4 bits; returns the count. */
#define SIMPLE_MAX 512
static unsigned simple_scalars(struct sample *out)
{
    const unsigned bits = 4;
    unsigned count = 0;

    for (unsigned value = 0; value < 16; value++) {
        for (unsigned mask = 0; mask < 16; mask++) {
            out[count].s = any_scalar(bits);
            out[count].s.known = (struct ebpf_tnum){value & ~mask, mask};
            count += !(value & mask);
        }
    }
    for (unsigned from = 0; from < 16; from++) {
        for (unsigned to = from; to < 16; to++) {
            out[count].s = out[count + 1].s = any_scalar(bits);
            out[count].s.full.umin = from;
            out[count++].s.full.umax = to;
            out[count].s.full.smin = (int)from - 8;
            out[count++].s.full.smax = (int)to - 8;
            if (to >= 4)
                continue;
            out[count].s = out[count + 1].s = any_scalar(bits);
            out[count].s.half.umin = from;
            out[count++].s.half.umax = to;
            out[count].s.half.smin = (int)from - 2;
            out[count++].s.half.smax = (int)to - 2;
        }
    }
    return count;
}

/* Many of them are the same once they have learnt all there is: those need no second look. */
static unsigned without_doubles(struct sample *all, unsigned count)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < count; i++) {
        unsigned k = 0;

        while (k < kept && (!ebpf_scalar_within(&all[i].s, &all[k].s) ||
                            !ebpf_scalar_within(&all[k].s, &all[i].s)))
            k++;
        if (k == kept)
            all[kept++] = all[i];
    }
    return kept;
}

TEST(verifier_all_simple_scalars_of_4_bits_are_followed_soundly)
{
    static struct sample all[SIMPLE_MAX];
    unsigned count = simple_scalars(all), wrong = 0;

    CHECK_EQ(count, 81 + 2 * 136 + 2 * 10);
    for (unsigned i = 0; i < count; i++) {
        struct ebpf_scalar before = all[i].s;

        CHECK(ebpf_scalar_sync(&all[i].s, 4));
        for (unsigned x = 0; x < 16; x++) /* learning loses no number, and adds none */
            CHECK_EQ(ebpf_scalar_has(&before, x, 4), ebpf_scalar_has(&all[i].s, x, 4));
        CHECK(sample_fill(&all[i], 4));
        wrong += check_widths(&all[i], 4);
    }
    count = without_doubles(all, count);
    CHECK(count > 200);
    for (unsigned i = 0; i < count; i++) {
        for (unsigned k = i % STRIDE; k < count; k += STRIDE)
            wrong += check_alu(&all[i], &all[k], 4) + check_jumps(&all[i], &all[k], 4);
    }
    CHECK_EQ(wrong, 0);
}

/* Any bounds whatever: most are empty, or contradict each other in part. */
static struct ebpf_range random_range(unsigned bits)
{
    struct ebpf_range r = any_scalar(bits).full;
    uint64_t a = random64() & ebpf_low_bits(bits), b = random64() & ebpf_low_bits(bits);
    int64_t c = ebpf_sext(random64(), bits), d = ebpf_sext(random64(), bits);

    if (random64() & 1)
        r.umin = a < b ? a : b, r.umax = a < b ? b : a;
    if (random64() & 1)
        r.smin = c < d ? c : d, r.smax = c < d ? d : c;
    return r;
}

static struct ebpf_scalar random_scalar(unsigned bits)
{
    struct ebpf_scalar s = any_scalar(bits);

    s.known.mask = (random64() | random64()) & ebpf_low_bits(bits);
    s.known.value = random64() & ebpf_low_bits(bits) & ~s.known.mask;
    s.full = random_range(bits);
    s.half = random_range(bits / 2);
    return s;
}

TEST(verifier_random_scalars_of_6_bits_are_followed_soundly)
{
    static struct sample pair[2];
    unsigned wrong = 0, kept = 0;

    seed = 0x9e3779b97f4a7c15;
    for (unsigned round = 0; round < 40000 / STRIDE; round++) {
        struct sample *sample = &pair[kept & 1];
        struct ebpf_scalar before = random_scalar(6);
        bool possible;

        sample->s = before;
        possible = ebpf_scalar_sync(&sample->s, 6);
        for (unsigned x = 0; x < 64; x++)
            wrong +=
                ebpf_scalar_has(&before, x, 6) != (possible && ebpf_scalar_has(&sample->s, x, 6));
        if (!possible || !sample_fill(sample, 6))
            continue;
        wrong += check_widths(sample, 6);
        if (kept++ % 2)
            wrong += check_alu(&pair[0], &pair[1], 6) + check_jumps(&pair[0], &pair[1], 6);
    }
    CHECK(kept > 3000 / STRIDE);
    CHECK_EQ(wrong, 0);
}

TEST(verifier_tnums_of_6_bits_are_followed_soundly)
{
    static struct sample all[729];
    unsigned count = 0, wrong = 0;

    for (unsigned value = 0; value < 64; value++) {
        for (unsigned mask = 0; mask < 64; mask++) {
            if (value & mask)
                continue;
            all[count].s = any_scalar(6);
            all[count].s.known = (struct ebpf_tnum){value, mask};
            CHECK(ebpf_scalar_sync(&all[count].s, 6));
            CHECK(sample_fill(&all[count++], 6));
        }
    }
    CHECK_EQ(count, 729);
    /* every 29th pair, others in each row: the whole would take minutes with sanitizers */
    for (unsigned i = 0; i < count; i++) {
        for (unsigned k = i % 29; k < count; k += 29 * STRIDE)
            wrong += check_alu(&all[i], &all[k], 6) + check_jumps(&all[i], &all[k], 6);
    }
    CHECK_EQ(wrong, 0);
}

/* ---- 64 bits: scalars around one number ------------------------------------------------------ */

/* Near the ends of something, often. */
static uint64_t random_number(void)
{
    uint64_t x = random64();

    switch (random64() % 6) {
    case 0:
        return x;
    case 1:
        return (uint64_t)1 << (x & 63);
    case 2:
        return ((uint64_t)1 << (x & 63)) - 1 + (x >> 62);
    case 3:
        return (x >> 8 & 15) - 8;
    case 4:
        return (uint64_t)(int64_t)(int32_t)(x >> 16);
    default:
        return x >> (x & 63);
    }
}

static void around(struct ebpf_range *r, uint64_t x, unsigned bits)
{
    uint64_t a = random_number() & ebpf_low_bits(bits), b = random_number() & ebpf_low_bits(bits);

    if (random64() & 1)
        r->umin = a < x ? a : x;
    if (random64() & 1)
        r->umax = b > x ? b : x;
    if (random64() & 1)
        r->smin = ebpf_sext(a, bits) < ebpf_sext(x, bits) ? ebpf_sext(a, bits) : ebpf_sext(x, bits);
    if (random64() & 1)
        r->smax = ebpf_sext(b, bits) > ebpf_sext(x, bits) ? ebpf_sext(b, bits) : ebpf_sext(x, bits);
}

static struct ebpf_scalar scalar_around(uint64_t x)
{
    struct ebpf_scalar s = any_scalar(64);

    if (random64() % 8 == 0)
        return scalar_of(x, 64);
    if (random64() & 1)
        s.known.mask = random64() | random64();
    s.known.value = x & ~s.known.mask;
    around(&s.full, x, 64);
    around(&s.half, (uint32_t)x, 32);
    return s;
}

TEST(verifier_numbers_of_64_bits_are_followed_soundly)
{
    unsigned wrong = 0;

    seed = 0x2545f4914f6cdd1d;
    for (unsigned round = 0; round < 30000 / STRIDE; round++) {
        uint64_t x = random_number(), y = random64() % 4 ? random_number() : random64() & 63;
        struct ebpf_scalar a = scalar_around(x), b = scalar_around(y);

        wrong += !ebpf_scalar_sync(&a, 64) || !ebpf_scalar_sync(&b, 64);
        wrong += !ebpf_scalar_has(&a, x, 64) || !ebpf_scalar_has(&b, y, 64);
        for (unsigned i = 0; i < 2 * COUNT(alu_ops); i++) {
            struct ebpf_scalar out = alu_of(alu_ops[i / 2], i & 1, &a, &b, 64);

            wrong += !alu_sound(alu_ops[i / 2], i & 1, &out, x, y, 64);
        }
        for (unsigned i = 0; i < 2 * COUNT(jump_ops); i++) {
            struct branched ways[2] = {branch(jump_ops[i / 2], i & 1, false, &a, &b, 64),
                                       branch(jump_ops[i / 2], i & 1, true, &a, &b, 64)};

            wrong += !jump_sound(jump_ops[i / 2], i & 1, ways, x, y, 64);
        }
        for (unsigned low = 8; low <= 32; low *= 2) {
            struct ebpf_scalar zext = zext_of(&a, low, 64),
                               sext = movsx_of(&a, low, 64);

            wrong += !ebpf_scalar_has(&zext, x & ebpf_low_bits(low), 64);
            wrong += !ebpf_scalar_has(&sext, (uint64_t)ebpf_sext(x, low), 64);
        }
    }
    CHECK_EQ(wrong, 0);
}

/* ---- precision: a domain that knows nothing is sound, too ------------------------------------ */

TEST(verifier_constants_stay_constants)
{
    seed = 88172645463325252;
    for (unsigned round = 0; round < 2000; round++) {
        uint64_t x = random_number(), y = random_number() & 31;
        struct ebpf_scalar a = scalar_of(x, 64), b = scalar_of(y, 64);

        for (unsigned i = 0; i < 2 * COUNT(alu_ops); i++) {
            uint8_t op = alu_ops[i / 2];
            unsigned width = i & 1 ? 64 : 32;
            struct ebpf_scalar out = alu_of(op, i & 1, &a, &b, 64);

            if (op == BPF_DIV || op == BPF_MOD)
                continue;
            CHECK(ebpf_scalar_is_const(&out));
            CHECK_EQ(out.full.umin, concrete_alu(op, x & ebpf_low_bits(width), y, width));
        }
        for (unsigned i = 0; i < COUNT(jump_ops); i++) {
            bool taken = concrete_jump(jump_ops[i], x, y, 64);

            CHECK(branch(jump_ops[i], true, taken, &a, &b, 64).possible);
            CHECK(!branch(jump_ops[i], true, !taken, &a, &b, 64).possible);
        }
    }
}

static struct ebpf_scalar between(uint64_t min, uint64_t max)
{
    struct ebpf_scalar s = any_scalar(64);

    s.full.umin = min;
    s.full.umax = max;
    CHECK(ebpf_scalar_sync(&s, 64));
    return s;
}

TEST(verifier_bounds_of_a_checked_index_are_exact)
{
    struct ebpf_scalar index = any_scalar(64), limit = scalar_of(48, 64);
    struct ebpf_scalar eight = scalar_of(8, 64), product;
    struct branched below = branch(BPF_JLT, true, true, &index, &limit, 64);

    REQUIRE(below.possible);
    CHECK_EQ(below.dst.full.umax, 47);
    CHECK_EQ(below.dst.full.smin, 0);
    CHECK_EQ(below.dst.half.umax, 47);
    product = alu_of(BPF_MUL, true, &below.dst, &eight, 64);
    CHECK_EQ(product.full.umax, 376);
    CHECK_EQ(product.known.mask & 7, 0); /* a multiple of 8 */
}

TEST(verifier_signed_comparison_with_two_ends_gives_unsigned_bounds)
{
    struct ebpf_scalar x = any_scalar(64), zero = scalar_of(0, 64),
                       ten = scalar_of(10, 64);
    struct branched not_negative = branch(BPF_JSLT, true, false, &x, &zero, 64);
    struct branched small = branch(BPF_JSGT, true, false, &not_negative.dst, &ten, 64);

    REQUIRE(not_negative.possible && small.possible);
    CHECK_EQ(small.dst.full.umin, 0);
    CHECK_EQ(small.dst.full.umax, 10);
}

TEST(verifier_jump32_says_nothing_about_the_upper_half)
{
    struct ebpf_scalar x = any_scalar(64), seven = scalar_of(7, 64);
    struct branched equal = branch(BPF_JEQ, false, true, &x, &seven, 64);
    struct ebpf_scalar moved;

    REQUIRE(equal.possible);
    CHECK_EQ(equal.dst.half.umin, 7);
    CHECK_EQ(equal.dst.full.umax, 0xffffffff00000007);
    moved = zext_of(&equal.dst, 32, 64); /* w1 = w1 */
    CHECK(ebpf_scalar_is_const(&moved));
    CHECK_EQ(moved.full.umax, 7);
}

TEST(verifier_mask_bounds_a_number)
{
    struct ebpf_scalar x = any_scalar(64), mask = scalar_of(0xff, 64);
    struct ebpf_scalar and = alu_of(BPF_AND, true, &x, &mask, 64);
    struct branched set = branch(BPF_JSET, true, false, &x, &mask, 64);

    CHECK_EQ(and.full.umax, 255);
    CHECK_EQ(set.dst.known.mask, ~0xffull); /* not taken: those bits are 0 */
}

TEST(verifier_unknown_shift_amounts_and_divisions_are_not_followed)
{
    struct ebpf_scalar x = between(0, 15), by = between(0, 3);

    CHECK_EQ(alu_of(BPF_LSH, true, &x, &by, 64).full.umax, UINT64_MAX);
    CHECK_EQ(alu_of(BPF_DIV, true, &x, &by, 64).full.umax, UINT64_MAX);
    CHECK_EQ(alu_of(BPF_DIV, false, &x, &by, 64).full.umax, UINT32_MAX);
}

TEST(verifier_sums_that_wrap_as_a_whole_stay_ranges)
{
    struct ebpf_scalar x = between(UINT64_MAX - 9, UINT64_MAX), ten = scalar_of(10, 64);
    struct ebpf_scalar sum = alu_of(BPF_ADD, true, &x, &ten, 64);

    CHECK_EQ(sum.full.umin, 0);
    CHECK_EQ(sum.full.umax, 9);
}
