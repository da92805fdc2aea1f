/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic, jumps and constants on the interpreter and the JIT. Expected values are worked out
 * from RFC 9669 by hand; neither engine is the other's reference here.
 */
#include "tests/unit/engine.h"

#define MIN64 0x8000000000000000ull
#define MAX64 0x7fffffffffffffffull
#define ONES 0xffffffffffffffffull
#define SOME 0x123456789abcdef0ull

struct alu_case {
    uint8_t code; /* class | operation */
    int16_t off;
    uint64_t a, b, want;
};

static const struct alu_case alu_cases[] = {
    {BPF_ALU64 | BPF_ADD, 0, 1, 2, 3},
    {BPF_ALU64 | BPF_ADD, 0, ONES, 1, 0},
    {BPF_ALU64 | BPF_ADD, 0, MAX64, 1, MIN64},
    {BPF_ALU64 | BPF_ADD, 0, 5, 0, 5},
    {BPF_ALU64 | BPF_ADD, 0, 5, 2047, 2052},
    {BPF_ALU64 | BPF_ADD, 0, 5, 2048, 2053},
    {BPF_ALU64 | BPF_ADD, 0, 5, -2048ull, -2043ull},
    {BPF_ALU64 | BPF_ADD, 0, 5, -2049ull, -2044ull},
    {BPF_ALU64 | BPF_ADD, 0, 0, 0x7fffffff, 0x7fffffff},
    {BPF_ALU64 | BPF_ADD, 0, 0, 0xffffffff80000000, 0xffffffff80000000},
    {BPF_ALU64 | BPF_ADD, 0, SOME, SOME, 0x2468acf13579bde0},
    {BPF_ALU | BPF_ADD, 0, 1, 2, 3},
    {BPF_ALU | BPF_ADD, 0, 0xffffffff, 1, 0},
    {BPF_ALU | BPF_ADD, 0, ONES, 0, 0xffffffff},
    {BPF_ALU | BPF_ADD, 0, 0x7fffffff, 1, 0x80000000},
    {BPF_ALU | BPF_ADD, 0, 0xabcd00000001, ONES, 0},
    {BPF_ALU | BPF_ADD, 0, 0, 0xffffffffffff8000, 0xffff8000},
    {BPF_ALU64 | BPF_SUB, 0, 3, 5, -2ull},
    {BPF_ALU64 | BPF_SUB, 0, MIN64, 1, MAX64},
    {BPF_ALU64 | BPF_SUB, 0, 0, 2048, -2048ull},
    {BPF_ALU64 | BPF_SUB, 0, 0, -2048ull, 2048},
    {BPF_ALU64 | BPF_SUB, 0, 0, -2047ull, 2047},
    {BPF_ALU64 | BPF_SUB, 0, 0, 0xffffffff80000000, 0x80000000},
    {BPF_ALU64 | BPF_SUB, 0, 9, 0, 9},
    {BPF_ALU | BPF_SUB, 0, 3, 5, 0xfffffffe},
    {BPF_ALU | BPF_SUB, 0, 0, 0xffffffff80000000, 0x80000000},
    {BPF_ALU | BPF_SUB, 0, 0x500000000, 1, 0xffffffff},
    {BPF_ALU | BPF_SUB, 0, ONES, 0, 0xffffffff},
    {BPF_ALU64 | BPF_MUL, 0, 7, 6, 42},
    {BPF_ALU64 | BPF_MUL, 0, MIN64, 2, 0},
    {BPF_ALU64 | BPF_MUL, 0, ONES, ONES, 1},
    {BPF_ALU64 | BPF_MUL, 0, SOME, 0, 0},
    {BPF_ALU64 | BPF_MUL, 0, 0x100000001, 0x100000001, 0x200000001},
    {BPF_ALU | BPF_MUL, 0, 0x10000, 0x10000, 0},
    {BPF_ALU | BPF_MUL, 0, 0x40000000, 2, 0x80000000},
    {BPF_ALU | BPF_MUL, 0, 0x700000003, 0x900000005, 15},
    {BPF_ALU | BPF_MUL, 0, 3, -1ull, 0xfffffffd},

    {BPF_ALU64 | BPF_DIV, 0, 42, 5, 8},
    {BPF_ALU64 | BPF_DIV, 0, 42, 0, 0},
    {BPF_ALU64 | BPF_DIV, 0, ONES, 2, MAX64},
    {BPF_ALU64 | BPF_DIV, 0, ONES, ONES, 1},
    {BPF_ALU64 | BPF_DIV, 0, 5, 0xffffffff80000000, 0},
    {BPF_ALU64 | BPF_DIV, 0, MIN64, 1, MIN64},
    {BPF_ALU64 | BPF_DIV, 0, 0, 0, 0},
    {BPF_ALU | BPF_DIV, 0, 42, 5, 8},
    {BPF_ALU | BPF_DIV, 0, 42, 0, 0},
    {BPF_ALU | BPF_DIV, 0, 0xffffffff, 1, 0xffffffff},
    {BPF_ALU | BPF_DIV, 0, 0x1ffffffff, 2, 0x7fffffff},
    {BPF_ALU | BPF_DIV, 0, 7, 0x100000000, 0}, /* the lower half is zero */
    {BPF_ALU | BPF_DIV, 0, 0xfffffffe, -1ull, 0},
    {BPF_ALU | BPF_DIV, 0, 0xffffffff, -1ull, 1},
    {BPF_ALU64 | BPF_MOD, 0, 42, 5, 2},
    {BPF_ALU64 | BPF_MOD, 0, 42, 0, 42},
    {BPF_ALU64 | BPF_MOD, 0, SOME, 0, SOME},
    {BPF_ALU64 | BPF_MOD, 0, ONES, 10, 5},
    {BPF_ALU64 | BPF_MOD, 0, 7, ONES, 7},
    {BPF_ALU | BPF_MOD, 0, 42, 5, 2},
    {BPF_ALU | BPF_MOD, 0, SOME, 0,
     0x9abcdef0}, /* RFC 9669: {dst = dst} in 32 bits, upper half zero */
    {BPF_ALU | BPF_MOD, 0, 0xffffffff, 10, 5},
    {BPF_ALU | BPF_MOD, 0, 7, 0x500000000, 7},
    {BPF_ALU | BPF_MOD, 0, 0xfffffffe, -1ull, 0xfffffffe},
    {BPF_ALU64 | BPF_DIV, 1, -42ull, 5, -8ull},
    {BPF_ALU64 | BPF_DIV, 1, 42, -5ull, -8ull},
    {BPF_ALU64 | BPF_DIV, 1, MIN64, ONES, MIN64},
    {BPF_ALU64 | BPF_DIV, 1, -42ull, 0, 0},
    {BPF_ALU | BPF_DIV, 1, -42ull, 5, 0xfffffff8},
    {BPF_ALU | BPF_DIV, 1, 0x80000000, ONES, 0x80000000},
    {BPF_ALU | BPF_DIV, 1, 0xfffffff6, 2, 0xfffffffb},
    {BPF_ALU | BPF_DIV, 1, 9, 0x300000000, 0},
    {BPF_ALU64 | BPF_MOD, 1, -42ull, 5, -2ull},
    {BPF_ALU64 | BPF_MOD, 1, 42, -5ull, 2},
    {BPF_ALU64 | BPF_MOD, 1, MIN64, ONES, 0},
    {BPF_ALU64 | BPF_MOD, 1, -42ull, 0, -42ull},
    {BPF_ALU | BPF_MOD, 1, -42ull, 5, 0xfffffffe},
    {BPF_ALU | BPF_MOD, 1, 0x80000000, ONES, 0},
    {BPF_ALU | BPF_MOD, 1, SOME, 0, 0x9abcdef0},

    {BPF_ALU64 | BPF_OR, 0, 0xf0, 0x0f, 0xff},
    {BPF_ALU64 | BPF_OR, 0, SOME, 0xffffffff80000000, 0xffffffff9abcdef0},
    {BPF_ALU64 | BPF_OR, 0, 0, 0x12345, 0x12345},
    {BPF_ALU | BPF_OR, 0, 0xff00000000f0, 0x0f, 0xff},
    {BPF_ALU | BPF_OR, 0, 0, -1ull, 0xffffffff},
    {BPF_ALU64 | BPF_AND, 0, SOME, 0xff, 0xf0},
    {BPF_ALU64 | BPF_AND, 0, SOME, 0x7ff, 0x6f0},
    {BPF_ALU64 | BPF_AND, 0, SOME, 0xfff, 0xef0},
    {BPF_ALU64 | BPF_AND, 0, SOME, 0xffff, 0xdef0},
    {BPF_ALU64 | BPF_AND, 0, SOME, 0x7fffffff, 0x1abcdef0},
    {BPF_ALU64 | BPF_AND, 0, SOME, -16ull, SOME},
    {BPF_ALU64 | BPF_AND, 0, SOME, 0xffffffffffff0000, 0x123456789abc0000},
    {BPF_ALU64 | BPF_AND, 0, SOME, 0, 0},
    {BPF_ALU64 | BPF_AND, 0, SOME, 0x12345, 0x240},
    {BPF_ALU | BPF_AND, 0, ONES, 0xff, 0xff},
    {BPF_ALU | BPF_AND, 0, ONES, -1ull, 0xffffffff},
    {BPF_ALU | BPF_AND, 0, ONES, -4096ull, 0xfffff000},
    {BPF_ALU | BPF_AND, 0, ONES, 0x7fffffff, 0x7fffffff},
    {BPF_ALU64 | BPF_XOR, 0, 0xff, 0x0f, 0xf0},
    {BPF_ALU64 | BPF_XOR, 0, SOME, ONES, ~SOME},
    {BPF_ALU64 | BPF_XOR, 0, SOME, SOME, 0},
    {BPF_ALU | BPF_XOR, 0, SOME, -1ull, 0x6543210f},
    {BPF_ALU | BPF_XOR, 0, 0x7fffffff, 0xffffffff80000000, 0xffffffff},

    {BPF_ALU64 | BPF_LSH, 0, 1, 63, MIN64},
    {BPF_ALU64 | BPF_LSH, 0, 1, 64, 1}, /* amounts are masked */
    {BPF_ALU64 | BPF_LSH, 0, 1, 0, 1},
    {BPF_ALU64 | BPF_LSH, 0, 1, -1ull, MIN64},
    {BPF_ALU64 | BPF_LSH, 0, SOME, 32, 0x9abcdef000000000},
    {BPF_ALU | BPF_LSH, 0, 1, 31, 0x80000000},
    {BPF_ALU | BPF_LSH, 0, 1, 32, 1},
    {BPF_ALU | BPF_LSH, 0, SOME, 0, 0x9abcdef0},
    {BPF_ALU | BPF_LSH, 0, SOME, 4, 0xabcdef00},
    {BPF_ALU | BPF_LSH, 0, 3, -1ull, 0x80000000},
    {BPF_ALU64 | BPF_RSH, 0, MIN64, 63, 1},
    {BPF_ALU64 | BPF_RSH, 0, MIN64, 64, MIN64},
    {BPF_ALU64 | BPF_RSH, 0, SOME, 0, SOME},
    {BPF_ALU64 | BPF_RSH, 0, ONES, 1, MAX64},
    {BPF_ALU | BPF_RSH, 0, SOME, 4, 0x09abcdef},
    {BPF_ALU | BPF_RSH, 0, SOME, 0, 0x9abcdef0},
    {BPF_ALU | BPF_RSH, 0, SOME, 32, 0x9abcdef0},
    {BPF_ALU | BPF_RSH, 0, ONES, 31, 1},
    {BPF_ALU64 | BPF_ARSH, 0, MIN64, 63, ONES},
    {BPF_ALU64 | BPF_ARSH, 0, MAX64, 62, 1},
    {BPF_ALU64 | BPF_ARSH, 0, MIN64, 64, MIN64},
    {BPF_ALU | BPF_ARSH, 0, 0x80000000, 31, 0xffffffff},
    {BPF_ALU | BPF_ARSH, 0, 0x80000000, 0, 0x80000000},
    {BPF_ALU | BPF_ARSH, 0, 0xfffffff07fffffff, 4, 0x07ffffff},
    {BPF_ALU | BPF_ARSH, 0, SOME, 36, 0xf9abcdef},

    {BPF_ALU64 | BPF_MOV, 0, 1, SOME, SOME},
    {BPF_ALU64 | BPF_MOV, 0, 1, -1ull, ONES},
    {BPF_ALU64 | BPF_MOV, 0, 1, 0xffffffff80000000, 0xffffffff80000000},
    {BPF_ALU | BPF_MOV, 0, ONES, SOME, 0x9abcdef0},
    {BPF_ALU | BPF_MOV, 0, ONES, -1ull, 0xffffffff},
    {BPF_ALU | BPF_MOV, 0, ONES, 0xffffffff80000000, 0x80000000},
    {BPF_ALU | BPF_MOV, 0, ONES, 0, 0},
};

/* RFC 9669: K takes a sign-extended 32-bit immediate. */
static bool fits_imm(uint64_t value)
{
    return value == (uint64_t)(int64_t)(int32_t)value;
}

static void run_alu(const struct alu_case *c, unsigned dst, unsigned src)
{
    char name[64];

    snprintf(name, sizeof(name), "case %u, r%u r%u", (unsigned)(c - alu_cases), dst, src);
    engine_expect(__FILE__, __LINE__, name, c->want, NULL,
                  PROG(BPF_LD_IMM64(dst, c->a), BPF_LD_IMM64(src, c->b),
                       BPF_RAW_INSN(c->code | BPF_X, dst, src, c->off, 0), BPF_MOV64_REG(R0, dst),
                       BPF_EXIT_INSN()));
    if (fits_imm(c->b))
        engine_expect(__FILE__, __LINE__, name, c->want, NULL,
                      PROG(BPF_LD_IMM64(dst, c->a),
                           BPF_RAW_INSN(c->code | BPF_K, dst, 0, c->off, c->b),
                           BPF_MOV64_REG(R0, dst), BPF_EXIT_INSN()));
}

TEST(engine_alu_follows_rfc_9669)
{
    static const uint8_t pairs[][2] = {{R0, R1}, {R2, R0}, {R6, R7}, {R8, R3}, {R5, R9}};

    for (unsigned i = 0; i < sizeof(alu_cases) / sizeof(alu_cases[0]); i++) {
        for (unsigned p = 0; p < sizeof(pairs) / sizeof(pairs[0]); p++)
            run_alu(&alu_cases[i], pairs[p][0], pairs[p][1]);
    }
}

TEST(engine_alu_takes_one_register_twice)
{
    static const struct {
        uint8_t code;
        int16_t off;
        uint64_t a, want;
    } rows[] = {
        {BPF_ALU64 | BPF_ADD, 0, 21, 42},       {BPF_ALU | BPF_ADD, 0, 0x80000001, 2},
        {BPF_ALU64 | BPF_SUB, 0, SOME, 0},      {BPF_ALU64 | BPF_DIV, 0, 7, 1},
        {BPF_ALU64 | BPF_DIV, 0, 0, 0},         {BPF_ALU | BPF_DIV, 0, 0x500000000, 0},
        {BPF_ALU | BPF_DIV, 0, 0x500000003, 1}, {BPF_ALU64 | BPF_MOD, 0, 7, 0},
        {BPF_ALU64 | BPF_MOD, 0, 0, 0},         {BPF_ALU64 | BPF_DIV, 1, MIN64, 1},
        {BPF_ALU64 | BPF_DIV, 1, 0, 0},         {BPF_ALU | BPF_MOV, 0, SOME, 0x9abcdef0},
        {BPF_ALU64 | BPF_MOV, 0, SOME, SOME},   {BPF_ALU64 | BPF_LSH, 0, 3, 24},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        EXPECT(rows[i].want, NULL, BPF_LD_IMM64(R6, rows[i].a),
               BPF_RAW_INSN(rows[i].code | BPF_X, R6, R6, rows[i].off, 0), BPF_MOV64_REG(R0, R6),
               BPF_EXIT_INSN());
}

TEST(engine_neg_and_movsx)
{
    static const struct {
        uint8_t code;
        int16_t off;
        uint64_t a, want;
    } rows[] = {
        {BPF_ALU64 | BPF_NEG, 0, 1, ONES},
        {BPF_ALU64 | BPF_NEG, 0, MIN64, MIN64},
        {BPF_ALU | BPF_NEG, 0, 1, 0xffffffff},
        {BPF_ALU | BPF_NEG, 0, 0x80000000, 0x80000000},
        {BPF_ALU | BPF_NEG, 0, 0x100000000, 0},
        {BPF_ALU64 | BPF_MOV | BPF_X, 8, 0x180, 0xffffffffffffff80},
        {BPF_ALU64 | BPF_MOV | BPF_X, 8, SOME & ~0x80ull, 0x70},
        {BPF_ALU64 | BPF_MOV | BPF_X, 16, 0x18000, 0xffffffffffff8000},
        {BPF_ALU64 | BPF_MOV | BPF_X, 32, 0x180000000, 0xffffffff80000000},
        {BPF_ALU64 | BPF_MOV | BPF_X, 32, 0x17fffffff, 0x7fffffff},
        {BPF_ALU | BPF_MOV | BPF_X, 8, 0x180, 0xffffff80},
        {BPF_ALU | BPF_MOV | BPF_X, 16, 0x18000, 0xffff8000},
        {BPF_ALU | BPF_MOV | BPF_X, 16, 0x17fff, 0x7fff},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool mov = rows[i].code & BPF_X;
        EXPECT(rows[i].want, NULL, BPF_LD_IMM64(R3, rows[i].a), BPF_LD_IMM64(R7, rows[i].a),
               BPF_RAW_INSN(rows[i].code, R3, mov ? R7 : 0, rows[i].off, 0), BPF_MOV64_REG(R0, R3),
               BPF_EXIT_INSN());
    }
}

TEST(engine_byte_swaps)
{
    static const struct {
        uint8_t code;
        int32_t width;
        uint64_t want; /* of 0x0102030405060708 | 0x8000... below */
    } rows[] = {
        {BPF_ALU | BPF_END | BPF_TO_LE, 16, 0xb788},
        {BPF_ALU | BPF_END | BPF_TO_LE, 32, 0xc5a6b788},
        {BPF_ALU | BPF_END | BPF_TO_LE, 64, 0x81e293f4c5a6b788},
        {BPF_ALU | BPF_END | BPF_TO_BE, 16, 0x88b7},
        {BPF_ALU | BPF_END | BPF_TO_BE, 32, 0x88b7a6c5},
        {BPF_ALU | BPF_END | BPF_TO_BE, 64, 0x88b7a6c5f493e281},
        {BPF_ALU64 | BPF_END, 16, 0x88b7},
        {BPF_ALU64 | BPF_END, 32, 0x88b7a6c5},
        {BPF_ALU64 | BPF_END, 64, 0x88b7a6c5f493e281},
    };

    for (unsigned reg = R0; reg < R10; reg++) {
        for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
            EXPECT(rows[i].want, NULL, BPF_LD_IMM64(reg, 0x81e293f4c5a6b788),
                   BPF_RAW_INSN(rows[i].code, reg, 0, 0, rows[i].width), BPF_MOV64_REG(R0, reg),
                   BPF_EXIT_INSN());
    }
}

/* ---- jumps ----------------------------------------------------------------------------------- */

/* Bit n of taken: the jump is taken for pair n. */
static const uint64_t pairs[][2] = {
    {0, 0},
    {0, 1},
    {1, 0},
    {ONES, 0},
    {0, ONES},
    {ONES, 1},
    {MIN64, MAX64},
    {ONES, ONES},
    {0x100000001, 1},
    {0x80000000, 0x7fffffff},
    {0x80000000, 0xffffffff80000000},
    {3, 6},
    {1, -1ull},
    {-1ull, -2ull},
    {2, 1},
    {0xffffffff, 1},
    {0x500000000, 0},
    {0x100000000, 0x100000000},
};
#define PAIRS (sizeof(pairs) / sizeof(pairs[0]))

static bool taken(unsigned op, bool wide, uint64_t a, uint64_t b)
{
    int64_t sa = wide ? (int64_t)a : (int32_t)a, sb = wide ? (int64_t)b : (int32_t)b;
    uint64_t ua = wide ? a : (uint32_t)a, ub = wide ? b : (uint32_t)b;

    switch (op) {
    case BPF_JEQ:
        return ua == ub;
    case BPF_JNE:
        return ua != ub;
    case BPF_JSET:
        return (ua & ub) != 0;
    case BPF_JGT:
        return ua > ub;
    case BPF_JGE:
        return ua >= ub;
    case BPF_JLT:
        return ua < ub;
    case BPF_JLE:
        return ua <= ub;
    case BPF_JSGT:
        return sa > sb;
    case BPF_JSGE:
        return sa >= sb;
    case BPF_JSLT:
        return sa < sb;
    default:
        return sa <= sb;
    }
}

static void run_jump(uint8_t code, uint64_t a, uint64_t b, unsigned dst, unsigned src)
{
    bool want = taken(BPF_OP(code), BPF_CLASS(code) == BPF_JMP, a, b);
    char name[96];

    snprintf(name, sizeof(name), "jump 0x%02x of 0x%llx and 0x%llx, r%u r%u", code,
             (unsigned long long)a, (unsigned long long)b, dst, src);
    engine_expect(__FILE__, __LINE__, name, want, NULL,
                  PROG(BPF_LD_IMM64(dst, a), BPF_LD_IMM64(src, b),
                       BPF_RAW_INSN(code | BPF_X, dst, src, 2, 0), BPF_MOV64_IMM(R0, 0),
                       BPF_EXIT_INSN(), BPF_MOV64_IMM(R0, 1), BPF_EXIT_INSN()));
    if (fits_imm(b))
        engine_expect(__FILE__, __LINE__, name, want, NULL,
                      PROG(BPF_LD_IMM64(dst, a), BPF_RAW_INSN(code | BPF_K, dst, 0, 2, b),
                           BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN(), BPF_MOV64_IMM(R0, 1),
                           BPF_EXIT_INSN()));
}

TEST(engine_jumps_compare_as_rfc_9669_says)
{
    static const uint8_t ops[] = {BPF_JEQ, BPF_JNE,  BPF_JSET, BPF_JGT,  BPF_JGE, BPF_JLT,
                                  BPF_JLE, BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE};

    for (unsigned o = 0; o < sizeof(ops); o++) {
        for (unsigned p = 0; p < PAIRS; p++) {
            run_jump(BPF_JMP | ops[o], pairs[p][0], pairs[p][1], R1, R0);
            run_jump(BPF_JMP32 | ops[o], pairs[p][0], pairs[p][1], R1, R0);
            run_jump(BPF_JMP | ops[o], pairs[p][0], pairs[p][1], R8, R9);
            run_jump(BPF_JMP32 | ops[o], pairs[p][0], pairs[p][1], R8, R9);
        }
    }
}

TEST(engine_jump_reference_by_hand)
{
    /* the reference above against values worked out by hand, where they are easy to get wrong */
    CHECK(taken(BPF_JSGT, true, 0, ONES) && !taken(BPF_JGT, true, 0, ONES));
    CHECK(taken(BPF_JEQ, false, 0x100000001, 1) && !taken(BPF_JEQ, true, 0x100000001, 1));
    CHECK(taken(BPF_JSLT, false, 0x80000000, 0x7fffffff) &&
          !taken(BPF_JSLT, true, 0x80000000, 0x7fffffff));
    CHECK(!taken(BPF_JSET, false, 0x500000000, 0x700000000) &&
          taken(BPF_JSET, true, 0x500000000, 0x700000000));
}

TEST(engine_jumps_go_back_and_nowhere)
{
    /* sum of 10..1 */
    EXPECT(55, NULL, BPF_MOV64_IMM(R0, 0), BPF_MOV64_IMM(R1, 10), BPF_ALU64_REG(BPF_ADD, R0, R1),
           BPF_ALU64_IMM(BPF_SUB, R1, 1), BPF_JMP_IMM(BPF_JNE, R1, 0, -3), BPF_EXIT_INSN());
    EXPECT(7, NULL, BPF_MOV64_IMM(R0, 7), BPF_JMP_A(0), BPF_JMP32_A(0),
           BPF_JMP_IMM(BPF_JEQ, R0, 7, 0), BPF_EXIT_INSN());
    EXPECT(2, NULL, BPF_JMP32_A(2), BPF_MOV64_IMM(R0, 2), BPF_EXIT_INSN(), BPF_JMP_A(-3));
    /* r10 may be compared */
    EXPECT(1, NULL, BPF_MOV64_IMM(R0, 0), BPF_MOV64_REG(R2, R10), BPF_ALU64_IMM(BPF_ADD, R2, -8),
           BPF_JMP_REG(BPF_JGE, R2, R10, 1), BPF_JMP_REG(BPF_JGT, R10, R2, 1), BPF_EXIT_INSN(),
           BPF_MOV64_IMM(R0, 1), BPF_EXIT_INSN());
}

/* ---- constants ------------------------------------------------------------------------------- */

TEST(engine_ld_imm64_loads_every_kind_of_constant)
{
    static const uint64_t seeds[] = {0,
                                     1,
                                     0x7ff,
                                     0x800,
                                     0xfff,
                                     0x7fff,
                                     0x12345678,
                                     0x7ffff800,
                                     0x80000000,
                                     0xdeadbeef,
                                     0xffffffff,
                                     0x123456789,
                                     0x7fffffff7fffffff,
                                     SOME,
                                     0x8000000080000800,
                                     0xffffffff00000000,
                                     0x00ff00ff00ff00ff,
                                     0xaaaaaaaaaaaaaaaa,
                                     0x5555555555555555};

    for (unsigned i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        for (unsigned shift = 0; shift < 64; shift += 3) {
            uint64_t values[] = {seeds[i] << shift, ~(seeds[i] << shift), seeds[i] >> shift,
                                 (seeds[i] << shift) - 1};
            for (unsigned v = 0; v < 4; v++) {
                EXPECT(values[v], NULL, BPF_LD_IMM64(R0, values[v]), BPF_EXIT_INSN());
                EXPECT(values[v], NULL, BPF_LD_IMM64(R8, values[v]), BPF_MOV64_REG(R0, R8),
                       BPF_EXIT_INSN());
            }
        }
    }
}
