/* SPDX-License-Identifier: MIT */
/* Loads, stores and atomic operations on the interpreter and the JIT. */
#include "tests/unit/engine.h"

#define SOME 0x8192a3b4c5d6e7f8ull

/* The offsets that an instruction of 12 bits reaches, just not, and the last that BPF has. */
static const int16_t offsets[] = {0,    8,    248,   256, 504,   512,   2040,  2048,
                                  2056, 4096, 32760, -8,  -2048, -2056, -4096, -32768};
#define OFFSETS (sizeof(offsets) / sizeof(offsets[0]))

static uint64_t memory[2 * 32768 / 8];
#define MIDDLE ((uint8_t *)memory + 32768)

static uint64_t truncated(unsigned size, uint64_t value)
{
    return size == BPF_B   ? (uint8_t)value
           : size == BPF_H ? (uint16_t)value
           : size == BPF_W ? (uint32_t)value
                           : value;
}

static uint64_t extended(unsigned size, uint64_t value)
{
    return size == BPF_B   ? (uint64_t)(int8_t)value
           : size == BPF_H ? (uint64_t)(int16_t)value
                           : (uint64_t)(int32_t)value;
}

static const unsigned sizes[] = {BPF_B, BPF_H, BPF_W, BPF_DW};

TEST(engine_loads_zero_extend_and_reach_every_offset)
{
    for (unsigned s = 0; s < 4; s++) {
        for (unsigned i = 0; i < OFFSETS; i++) {
            memset(memory, 0x11, sizeof(memory));
            memcpy(MIDDLE + offsets[i], &(uint64_t){SOME}, 8);
            EXPECT(truncated(sizes[s], SOME), MIDDLE, BPF_LDX_MEM(sizes[s], R0, R1, offsets[i]),
                   BPF_EXIT_INSN());
            EXPECT(truncated(sizes[s], SOME), MIDDLE, BPF_MOV64_REG(R9, R1),
                   BPF_LDX_MEM(sizes[s], R9, R9, offsets[i]), BPF_MOV64_REG(R0, R9),
                   BPF_EXIT_INSN());
        }
    }
}

TEST(engine_memsx_loads_extend_the_sign)
{
    for (unsigned s = 0; s < 3; s++) {
        memcpy(MIDDLE, &(uint64_t){SOME}, 8);
        EXPECT(extended(sizes[s], SOME), MIDDLE, BPF_LDX_MEMSX(sizes[s], R0, R1, 0),
               BPF_EXIT_INSN());
        memcpy(MIDDLE, &(uint64_t){0x11111111717171ull}, 8);
        EXPECT(extended(sizes[s], 0x11111111717171), MIDDLE, BPF_LDX_MEMSX(sizes[s], R0, R1, 0),
               BPF_EXIT_INSN());
    }
}

/* What a store leaves in the eight bytes that it may touch. */
static void check_stored(unsigned size, int16_t off, uint64_t value, const struct bpf_insn *insns,
                         uint32_t cnt)
{
    uint64_t keep = size == BPF_DW ? 0
                                   : ~0ull << (size == BPF_B   ? 8
                                               : size == BPF_H ? 16
                                                               : 32),
             got;

    for (enum engine engine = ENGINE_INTERP; engine < ENGINES; engine++) {
        uint64_t r0;

        memset(memory, 0x11, sizeof(memory));
        if (!engine_run(engine, insns, cnt, MIDDLE, &r0))
            continue;
        memcpy(&got, MIDDLE + off, 8);
        CHECK_EQ(got, (0x1111111111111111 & keep) | (value & ~keep));
        memset(MIDDLE + off, 0x11, 8);
        for (unsigned i = 0; i < sizeof(memory) / 8; i++)
            REQUIRE(memory[i] == 0x1111111111111111);
    }
}

TEST(engine_stores_write_their_bytes_only)
{
    static const int32_t imms[] = {0, 1, -1, 2047, 0x12345678, -2147483647 - 1};

    for (unsigned s = 0; s < 4; s++) {
        for (unsigned i = 0; i < OFFSETS; i++)
            check_stored(sizes[s], offsets[i], SOME,
                         PROG(BPF_LD_IMM64(R3, SOME), BPF_STX_MEM(sizes[s], R1, R3, offsets[i]),
                              BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()));
        for (unsigned i = 0; i < sizeof(imms) / sizeof(imms[0]); i++)
            check_stored(
                sizes[s], 16, (uint64_t)(int64_t)imms[i],
                PROG(BPF_ST_MEM(sizes[s], R1, 16, imms[i]), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()));
        check_stored(
            sizes[s], -32768, (uint64_t)(int64_t)-7,
            PROG(BPF_ST_MEM(sizes[s], R1, -32768, -7), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()));
    }
}

TEST(engine_stack_holds_512_bytes_at_r10)
{
    for (int off = -512; off < 0; off += 8)
        EXPECT(SOME, NULL, BPF_LD_IMM64(R6, SOME), BPF_STX_MEM(BPF_DW, R10, R6, (int16_t)off),
               BPF_MOV64_IMM(R6, 0), BPF_LDX_MEM(BPF_DW, R0, R10, (int16_t)off), BPF_EXIT_INSN());
    /* the same bytes through r10 and through a copy of it */
    EXPECT(0x7b, NULL, BPF_MOV64_REG(R2, R10), BPF_ALU64_IMM(BPF_ADD, R2, -500),
           BPF_ST_MEM(BPF_B, R2, 3, 0x7b), BPF_LDX_MEM(BPF_B, R0, R10, -497), BPF_EXIT_INSN());
    EXPECT(SOME & 0xffffffff, NULL, BPF_LD_IMM64(R3, SOME), BPF_STX_MEM(BPF_W, R10, R3, -4),
           BPF_MOV64_IMM(R0, 0), BPF_LDX_MEM(BPF_W, R0, R10, -4), BPF_EXIT_INSN());
    /* lowest byte first, lowest and highest address */
    EXPECT(SOME >> 56, NULL, BPF_LD_IMM64(R3, SOME), BPF_STX_MEM(BPF_DW, R10, R3, -512),
           BPF_LDX_MEM(BPF_B, R0, R10, -505), BPF_EXIT_INSN());
}

TEST(engine_r10_can_be_stored_and_loaded)
{
    EXPECT(1, NULL, BPF_STX_MEM(BPF_DW, R10, R10, -8), BPF_LDX_MEM(BPF_DW, R1, R10, -8),
           BPF_MOV64_IMM(R0, 0), BPF_JMP_REG(BPF_JNE, R1, R10, 1), BPF_MOV64_IMM(R0, 1),
           BPF_EXIT_INSN());
}

/* ---- atomics --------------------------------------------------------------------------------- */

#define OLD 0xf0f0f0f085858585ull
#define SRC 0x0ff00ff0c3c3c3c3ull

static const struct {
    int32_t op;
    uint64_t want64; /* in memory */
    uint32_t want32;
} rows[] = {
    {BPF_ADD, OLD + SRC, 0x49494948}, {BPF_OR, OLD | SRC, 0xc7c7c7c7},
    {BPF_AND, OLD &SRC, 0x81818181},  {BPF_XOR, OLD ^ SRC, 0x46464646},
    {BPF_XCHG, SRC, 0xc3c3c3c3},
};

static void check_atomic(unsigned size, int32_t op, uint64_t want, unsigned dst, unsigned src,
                         int16_t off)
{
    bool fetch = op & BPF_FETCH;
    uint64_t upper = size == BPF_W ? OLD & ~0xffffffffull : 0;
    uint64_t old = size == BPF_W ? (uint32_t)OLD : OLD;

    for (enum engine engine = ENGINE_INTERP; engine < ENGINES; engine++) {
        uint64_t r0, *at = (uint64_t *)(void *)(MIDDLE + off);

        *at = OLD;
        if (!engine_run(engine,
                        PROG(BPF_MOV64_REG(dst, R1), BPF_LD_IMM64(src, SRC),
                             BPF_ATOMIC_OP(size, op, dst, src, off), BPF_MOV64_REG(R0, src),
                             BPF_EXIT_INSN()),
                        MIDDLE, &r0))
            continue;
        CHECK_EQ(*at, upper | want);
        CHECK_EQ(r0, fetch ? old : SRC);
    }
}

TEST(engine_atomics_change_memory_and_fetch_the_old_value)
{
    static const int16_t offs[] = {0, 16, -8, 2040, 2048, -4096};

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (unsigned o = 0; o < sizeof(offs) / sizeof(offs[0]); o++) {
            check_atomic(BPF_DW, rows[i].op | BPF_FETCH, rows[i].want64, R2, R3, offs[o]);
            check_atomic(BPF_W, rows[i].op | BPF_FETCH, rows[i].want32, R8, R7, offs[o]);
            if (rows[i].op == BPF_XCHG)
                continue;
            check_atomic(BPF_DW, rows[i].op, rows[i].want64, R9, R0, offs[o]);
            check_atomic(BPF_W, rows[i].op, rows[i].want32, R2, R6, offs[o]);
        }
    }
}

static void check_cmpxchg(unsigned size, uint64_t expected, uint64_t want_memory, uint64_t want_r0,
                          unsigned dst, unsigned src)
{
    for (enum engine engine = ENGINE_INTERP; engine < ENGINES; engine++) {
        uint64_t r0, *at = (uint64_t *)(void *)(MIDDLE + 24);

        *at = OLD;
        if (!engine_run(engine,
                        PROG(BPF_MOV64_REG(dst, R1), BPF_LD_IMM64(src, SRC),
                             BPF_LD_IMM64(R0, expected),
                             BPF_ATOMIC_OP(size, BPF_CMPXCHG, dst, src, 24), BPF_EXIT_INSN()),
                        MIDDLE, &r0))
            continue;
        CHECK_EQ(*at, want_memory);
        CHECK_EQ(r0, want_r0);
    }
}

TEST(engine_cmpxchg_compares_with_r0)
{
    uint64_t swapped32 = (OLD & ~0xffffffffull) | (uint32_t)SRC;

    check_cmpxchg(BPF_DW, OLD, SRC, OLD, R2, R3);
    check_cmpxchg(BPF_DW, OLD ^ 1, OLD, OLD, R2, R3);
    check_cmpxchg(BPF_DW, OLD ^ (1ull << 63), OLD, OLD, R6, R7);
    check_cmpxchg(BPF_W, (uint32_t)OLD, swapped32, (uint32_t)OLD, R2, R3);
    check_cmpxchg(BPF_W, OLD, swapped32, (uint32_t)OLD, R6,
                  R9); /* the upper half is not compared */
    check_cmpxchg(BPF_W, (uint32_t)OLD | 1ull << 40, swapped32, (uint32_t)OLD, R6, R9);
    check_cmpxchg(BPF_W, OLD ^ 0x80000000, OLD, (uint32_t)OLD, R2,
                  R3); /* fails: r0 is zero-extended all the same */
}

TEST(engine_atomics_work_on_the_stack_and_on_themselves)
{
    EXPECT(12, NULL, BPF_ST_MEM(BPF_DW, R10, -8, 5), BPF_MOV64_IMM(R1, 7),
           BPF_ATOMIC_OP(BPF_DW, BPF_ADD, R10, R1, -8), BPF_LDX_MEM(BPF_DW, R0, R10, -8),
           BPF_EXIT_INSN());
    EXPECT(5, NULL, BPF_ST_MEM(BPF_DW, R10, -512, 5), BPF_MOV64_IMM(R0, 7),
           BPF_ATOMIC_OP(BPF_DW, BPF_ADD | BPF_FETCH, R10, R0, -512), BPF_EXIT_INSN());
    EXPECT(5, NULL, BPF_ST_MEM(BPF_DW, R10, -16, 5), BPF_MOV64_IMM(R0, 5), BPF_MOV64_IMM(R1, 9),
           BPF_ATOMIC_OP(BPF_DW, BPF_CMPXCHG, R10, R1, -16), BPF_EXIT_INSN());
    /* address and operand in one register: memory holds its own address then */
    EXPECT(1, NULL, BPF_MOV64_REG(R2, R10), BPF_ALU64_IMM(BPF_ADD, R2, -8), BPF_MOV64_REG(R3, R2),
           BPF_ST_MEM(BPF_DW, R10, -8, 0), BPF_ATOMIC_OP(BPF_DW, BPF_ADD | BPF_FETCH, R2, R2, 0),
           BPF_LDX_MEM(BPF_DW, R4, R10, -8), BPF_MOV64_IMM(R0, 0), BPF_JMP_REG(BPF_JNE, R4, R3, 2),
           BPF_JMP_IMM(BPF_JNE, R2, 0, 1), BPF_MOV64_IMM(R0, 1), BPF_EXIT_INSN());
    /* r10 as the operand */
    EXPECT(1, NULL, BPF_ST_MEM(BPF_DW, R10, -8, 0), BPF_ATOMIC_OP(BPF_DW, BPF_ADD, R10, R10, -8),
           BPF_LDX_MEM(BPF_DW, R1, R10, -8), BPF_MOV64_IMM(R0, 0), BPF_JMP_REG(BPF_JNE, R1, R10, 1),
           BPF_MOV64_IMM(R0, 1), BPF_EXIT_INSN());
}
