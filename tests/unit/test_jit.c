/* SPDX-License-Identifier: MIT */
/* What only a compiler can get wrong: the reach of branches and calls, lengths, errors, working
 * memory. */
#include "tests/unit/engine.h"

#include "jit/opt/ir.h"

#include <sys/mman.h>
#include <time.h>

/* What the encoder makes of instructions as they are: the passes, which would take most of these
 * programs out, are off. */
#define ENCODER_TEST(name)                  \
    static void name##_body(void);          \
    TEST(name)                              \
    {                                       \
        ebpf_jit_passes = EBPF_PASS(relax); \
        name##_body();                      \
        ebpf_jit_passes = UINT32_MAX;       \
    }                                       \
    static void name##_body(void)

#define SOME 0x123456789abcdef0ull
#define KTIME_GET_NS 5

/* A program that grows. */
struct builder {
    struct bpf_insn *insns;
    uint32_t cnt, room;
};

static void put(struct builder *b, struct bpf_insn insn)
{
    if (b->cnt == b->room) {
        b->room = b->room ? 2 * b->room : 64;
        b->insns = realloc(b->insns, b->room * sizeof(insn));
    }
    b->insns[b->cnt++] = insn;
}

static void put_times(struct builder *b, unsigned times, struct bpf_insn insn)
{
    while (times--)
        put(b, insn);
}

static void expect(struct builder *b, const char *name, uint64_t want)
{
    engine_expect(__FILE__, __LINE__, name, want, NULL, b->insns, b->cnt);
    b->cnt = 0;
}

#define PAD_SMALL BPF_MOV64_REG(R3, R4) /* c.mv: 2 bytes */
#define PAD_LARGE BPF_BSWAP(R3, 64)     /* the longest that there is */

/* Length of the code that insns become. */
static size_t code_length(const struct bpf_insn *insns, uint32_t cnt)
{
    struct ebpf_code code;
    size_t len = 0;

    if (engine_code(insns, cnt, &code))
        CHECK_EQ(ebpf_jit_encode(&code, 0x80000000, NULL, 0, &len), -ENOSPC);
    engine_code_free(&code);
    return len;
}

static size_t large_length(void)
{
    return code_length(PROG(PAD_LARGE, PAD_LARGE, BPF_EXIT_INSN())) -
           code_length(PROG(PAD_LARGE, BPF_EXIT_INSN()));
}

/* ---- reach ----------------------------------------------------------------------------------- */

/* The conditions: one with a compressed form, one with registers, one that needs T0. r1 = r2 = 0
 * takes all of them. */
static struct bpf_insn condition(unsigned kind, int16_t off)
{
    return kind == 0   ? BPF_JMP_IMM(BPF_JEQ, R1, 0, off)
           : kind == 1 ? BPF_JMP_REG(BPF_JLE, R1, R2, off)
                       : BPF_JMP32_REG(BPF_JEQ, R1, R2, off);
}

static void start(struct builder *b, bool taken)
{
    put(b, BPF_MOV64_IMM(R0, 0));
    put(b, BPF_MOV64_IMM(R1, taken ? 0 : 5));
    put(b, BPF_MOV64_IMM(R2, 0));
}

static void forward(struct builder *b, unsigned kind, bool taken, unsigned small, unsigned large)
{
    start(b, taken);
    put(b, condition(kind, (int16_t)(1 + small + large)));
    put(b, BPF_ALU64_IMM(BPF_ADD, R0, 1));
    put_times(b, large, PAD_LARGE);
    put_times(b, small, PAD_SMALL);
    put(b, BPF_ALU64_IMM(BPF_ADD, R0, 2));
    put(b, BPF_EXIT_INSN());
    expect(b, "branch forward", taken ? 2 : 3);
}

/* There by an unconditional jump, and back. */
static void backward(struct builder *b, unsigned kind, bool taken, unsigned small, unsigned large)
{
    start(b, taken);
    put(b, BPF_JMP_A((int16_t)(2 + small + large)));
    put(b, BPF_ALU64_IMM(BPF_ADD, R0, 1));
    put(b, BPF_EXIT_INSN());
    put_times(b, large, PAD_LARGE);
    put_times(b, small, PAD_SMALL);
    put(b, condition(kind, (int16_t)(-3 - (int)(small + large))));
    put(b, BPF_ALU64_IMM(BPF_ADD, R0, 2));
    put(b, BPF_EXIT_INSN());
    expect(b, "branch backward", taken ? 1 : 2);
}

static void all_directions(struct builder *b, unsigned small, unsigned large)
{
    for (unsigned kind = 0; kind < 3; kind++) {
        forward(b, kind, true, small, large);
        forward(b, kind, false, small, large);
        backward(b, kind, true, small, large);
        backward(b, kind, false, small, large);
    }
}

ENCODER_TEST(jit_branches_reach_across_every_limit_of_an_encoding)
{
    static const unsigned limits[] = {256, 2048, 4096}; /* c.beqz; c.j; b */
    struct builder b = {0};

    for (unsigned limit = 0; limit < 3; limit++) {
        for (unsigned n = limits[limit] / 2 - 12; n < limits[limit] / 2 + 4; n++)
            all_directions(&b, n, 0);
    }
    free(b.insns);
}

/* Length of: a jump over n times 2 bytes, those, and a return. */
static size_t jump_length(struct bpf_insn jump, unsigned n)
{
    struct builder b = {0};
    size_t len;

    jump.off = (int16_t)n;
    put(&b, jump);
    put_times(&b, n, PAD_SMALL);
    put(&b, BPF_EXIT_INSN());
    len = code_length(b.insns, b.cnt);
    free(b.insns);
    return len - 2 * n - 4;
}

/* The manual's ranges: up to +254, +4094, +2046 bytes from the jump itself. */
ENCODER_TEST(jit_branches_take_the_shortest_form_that_reaches)
{
    CHECK_EQ(jump_length(condition(0, 0), (254 - 2) / 2), 2);
    CHECK_EQ(jump_length(condition(0, 0), (256 - 2) / 2), 4);
    CHECK_EQ(jump_length(condition(0, 0), (4094 - 4) / 2), 4);
    CHECK_EQ(jump_length(condition(0, 0), (4096 - 4) / 2), 2 + 4);
    CHECK_EQ(jump_length(condition(1, 0), (4094 - 4) / 2), 4);
    CHECK_EQ(jump_length(condition(1, 0), (4096 - 4) / 2), 4 + 4);
    CHECK_EQ(jump_length(BPF_JMP_A(0), (2046 - 2) / 2), 2);
    CHECK_EQ(jump_length(BPF_JMP_A(0), (2048 - 2) / 2), 4);
}

ENCODER_TEST(jit_branches_reach_beyond_a_megabyte)
{
    struct builder b = {0};
    unsigned large = (unsigned)((1 << 20) / large_length());
    unsigned rest = ((1 << 20) - large * (unsigned)large_length()) / 2;

    CHECK(large < 32000);
    for (unsigned n = rest > 8 ? rest - 8 : 0; n < rest + 3; n++)
        (n % 2 ? forward : backward)(&b, n / 2 % 3, true, n, large);
    for (unsigned kind = 0; kind < 3; kind++) {
        forward(&b, kind, false, 0, large + 100);
        backward(&b, kind, false, 0, large + 100);
    }
    free(b.insns);
}

ENCODER_TEST(jit_gotol_and_calls_reach_beyond_a_megabyte)
{
    struct builder b = {0};
    unsigned n = 40000;

    CHECK(n * large_length() > 2 << 20);
    /* main: over two megabytes to a call of a function behind, which calls one between, and back */
    put(&b, BPF_JMP32_A((int)n + 3));       /* 0 */
    put(&b, BPF_ALU64_IMM(BPF_ADD, R0, 1)); /* 1: from the end of main */
    put(&b, BPF_EXIT_INSN());
    put_times(&b, n, PAD_LARGE);
    put(&b, BPF_EXIT_INSN());          /* n + 3 */
    put(&b, BPF_CALL_REL((int)n + 4)); /* n + 4: to 2 n + 9 */
    put(&b, BPF_JMP32_A(-(int)n - 5)); /* n + 5: to 1 */
    put(&b, BPF_MOV64_IMM(R0, 40));    /* n + 6: the function between */
    put(&b, BPF_EXIT_INSN());
    put_times(&b, n, PAD_LARGE);
    put(&b, BPF_EXIT_INSN());           /* 2 n + 8 */
    put(&b, BPF_CALL_REL(-(int)n - 4)); /* 2 n + 9: to n + 6 */
    put(&b, BPF_ALU64_IMM(BPF_ADD, R0, 1));
    put(&b, BPF_EXIT_INSN());
    expect(&b, "two megabytes", 42);
    free(b.insns);
}

/* ---- time and memory ------------------------------------------------------------------------- */

static double seconds_to_encode(const struct builder *b)
{
    struct ebpf_code code;
    clock_t before;
    size_t len = 0;

    if (!engine_code(b->insns, b->cnt, &code))
        return 0;
    before = clock();
    CHECK_EQ(ebpf_jit_encode(&code, 0x80000000, NULL, 0, &len), -ENOSPC);
    engine_code_free(&code);
    return (double)(clock() - before) / CLOCKS_PER_SEC;
}

TEST(jit_encodes_a_million_instructions)
{
    struct builder b = {0};

    while (b.cnt + 4 < EBPF_CONFIG_MAX_INSNS) {
        put(&b, BPF_ALU64_REG(BPF_ADD, R0, R1));
        put(&b, BPF_JMP_IMM(BPF_JEQ, R0, 5, b.cnt + 30000 < EBPF_CONFIG_MAX_INSNS ? 29990 : 1));
        put(&b, BPF_ALU32_IMM(BPF_XOR, R0, 12345));
    }
    put(&b, BPF_EXIT_INSN());
    CHECK(seconds_to_encode(&b) < 30);
    free(b.insns);
}

/*
 * A program made for it: each branch just reaches its target until the next one behind it grows, so
 * that one pass after another would lengthen a few of them. Ten thousand passes do not fit into
 * this time.
 */
ENCODER_TEST(jit_settles_branches_that_push_each_other)
{
    struct builder b = {0};
    unsigned n = 300000;

    put_times(&b, n,
              BPF_JMP_IMM(BPF_JEQ, R1, 0, 126)); /* c.beqz over 254 bytes: as far as it goes */
    put(&b, BPF_JMP_IMM(BPF_JEQ, R1, 0, 127));   /* cannot be one */
    put_times(&b, 200, PAD_SMALL);
    put(&b, BPF_EXIT_INSN());
    CHECK(seconds_to_encode(&b) < 5);
    free(b.insns);
}

TEST(jit_refuses_more_instructions_than_the_limit)
{
    struct bpf_insn insn = BPF_EXIT_INSN();
    struct ebpf_subprog sub = {0, 1};
    struct ebpf_code code = {
        .insns = &insn, .insn_cnt = EBPF_CONFIG_MAX_INSNS + 1, .subprogs = &sub, .subprog_cnt = 1};
    size_t len;

    CHECK_EQ(ebpf_jit_encode(&code, 0, NULL, 0, &len), -E2BIG);
    code.insn_cnt = 0;
    CHECK_EQ(ebpf_jit_encode(&code, 0, NULL, 0, &len), -E2BIG);
}

TEST(jit_encode_reports_each_failed_allocation)
{
    const struct bpf_insn insns[] = {BPF_CALL_REL(1), BPF_EXIT_INSN(), BPF_EMIT_CALL(KTIME_GET_NS),
                                     BPF_EXIT_INSN()};
    struct ebpf_code code;
    uint8_t buf[64];
    size_t len;
    unsigned n = 1;

    REQUIRE(engine_code(insns, 4, &code));
    for (;; n++) {
        mock_fail_alloc(n);
        int err = ebpf_jit_encode(&code, 0x80000000, buf, sizeof(buf), &len);
        if (!mock_alloc_failed())
            break;
        CHECK_EQ(err, -ENOMEM);
    }
    mock_fail_alloc(0);
    CHECK(n > 1);
    engine_code_free(&code);
}

TEST(jit_encode_fills_nothing_when_the_buffer_is_too_small)
{
    const struct bpf_insn insns[] = {BPF_LD_IMM64(R0, SOME), BPF_EXIT_INSN()};
    struct ebpf_code code;
    uint8_t buf[64];
    size_t len = 0, len2 = 0;

    REQUIRE(engine_code(insns, 3, &code));
    CHECK_EQ(ebpf_jit_encode(&code, 0, NULL, 0, &len), -ENOSPC);
    memset(buf, 0x5a, sizeof(buf));
    for (size_t cap = 0; cap < len; cap++) {
        CHECK_EQ(ebpf_jit_encode(&code, 0, buf, cap, &len2), -ENOSPC);
        CHECK_EQ(len2, len);
        CHECK_EQ(buf[0], 0x5a);
    }
    CHECK_EQ(ebpf_jit_encode(&code, 0, buf, len, &len2), 0);
    CHECK(buf[0] != 0x5a || buf[1] != 0x5a);
    CHECK_EQ(buf[len], 0x5a);
    engine_code_free(&code);
}

static const struct bpf_insn return_3[] = {
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 3},
    {.code = BPF_JMP | BPF_EXIT},
};

/* ---- code memory ----------------------------------------------------------------------------- */

#if defined(__riscv)
static void check_compile_fails(const struct ebpf_code *code, int want)
{
    struct ebpf_jit_image image = {.mem = (void *)1, .size = 2, .len = 3};

    CHECK_EQ(ebpf_jit_compile(code, &image), want);
    CHECK(image.mem == (void *)1 && image.size == 2 && image.len == 3);
}
#endif

TEST(jit_compile_undoes_everything_when_it_fails)
{
#if defined(__riscv)
    struct ebpf_code code;
    struct ebpf_jit_image image = {0};
    size_t blocks;

    REQUIRE(engine_code(return_3, 2, &code));
    blocks = mock_live_blocks();
    mock_no_code = true;
    check_compile_fails(&code, -EOPNOTSUPP);
    mock_no_code = false;
    mock_no_text_write = true;
    check_compile_fails(&code, -EOPNOTSUPP);
    mock_no_text_write = false;
    for (unsigned n = 1;; n++) {
        mock_fail_alloc(n);
        int err = ebpf_jit_compile(&code, &image);
        if (!mock_alloc_failed())
            break;
        CHECK_EQ(err, -ENOMEM);
        CHECK_EQ(mock_live_blocks(), blocks);
    }
    mock_fail_alloc(0);
    CHECK_EQ(mock_live_blocks(), blocks + 1); /* the code */
    ebpf_jit_free(&image);
    ebpf_jit_free(&image);
    CHECK_EQ(mock_live_blocks(), blocks);
    engine_code_free(&code);
#else
    test_skip("needs RV64");
#endif
}

TEST(jit_compile_needs_rv64)
{
#if defined(__riscv)
    test_skip("needs another machine");
#else
    struct ebpf_jit_image image = {0};
    struct ebpf_code code;

    REQUIRE(engine_code(return_3, 2, &code));
    CHECK_EQ(ebpf_jit_compile(&code, &image), -EOPNOTSUPP);
    ebpf_jit_free(&image);
    engine_code_free(&code);
#endif
}

TEST(jit_code_is_written_once)
{
#if defined(__riscv)
    uint64_t r0;
    unsigned before = mock_text_writes;

    CHECK(engine_run(ENGINE_JIT, PROG(BPF_MOV64_IMM(R0, 3), BPF_EXIT_INSN()), NULL, &r0));
    CHECK_EQ(mock_text_writes, before + 1);
#else
    test_skip("needs RV64");
#endif
}

#if defined(__riscv)
/* 64 KiB between the functions of this program, where jal reaches the helpers. */
__asm__(".text\n"
        ".balign 4096\n"
        ".globl jit_test_near\n"
        "jit_test_near:\n"
        "  .space 65536\n");
extern uint8_t jit_test_near[];

/* Encodes a call of a helper for mem, runs it there and returns the length of the code. */
static size_t call_from(void *mem)
{
    const struct bpf_insn insns[] = {BPF_EMIT_CALL(KTIME_GET_NS), BPF_ALU64_IMM(BPF_ADD, R0, 1),
                                     BPF_EXIT_INSN()};
    struct ebpf_code code;
    size_t len = 0;
    union {
        void *mem;
        uint64_t (*fn)(void *ctx);
    } entry = {.mem = mem};

    if (mem == MAP_FAILED || mprotect(mem, 65536, PROT_READ | PROT_WRITE | PROT_EXEC)) {
        test_fail(__FILE__, __LINE__, "no executable memory");
        return 0;
    }
    if (engine_code(insns, 3, &code)) {
        CHECK_EQ(ebpf_jit_encode(&code, (uint64_t)(uintptr_t)mem, mem, 65536, &len), 0);
        __builtin___clear_cache(mem, (char *)mem + len);
        mock_time_ns = 41;
        CHECK_EQ(entry.fn(NULL), 42);
    }
    engine_code_free(&code);
    return len;
}

static void *map_at(uint64_t hint)
{
    return mmap((void *)(uintptr_t)hint, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0);
}
#endif

TEST(jit_calls_helpers_by_jal_auipc_and_li)
{
#if defined(__riscv)
    uint64_t here = (uint64_t)(uintptr_t)jit_test_near;
    void *middle = map_at((here + (64u << 20)) & ~0xfffffull), *far = map_at(0x3000000000);
    size_t jal = call_from(jit_test_near), auipc = call_from(middle);

    CHECK((uint64_t)(uintptr_t)middle - here < 1u << 30);
    CHECK_EQ(auipc, jal + 4);
    CHECK((uint64_t)(uintptr_t)far - here > 1ull << 32);
    CHECK(call_from(far) > jal);
    munmap(middle, 65536);
    munmap(far, 65536);
#else
    test_skip("needs RV64");
#endif
}

/*
 * Constants near the code take auipc, 8 bytes, where li might be three instructions of 2 bytes: the
 * code must fit into the memory that was measured before its address was known.
 */
ENCODER_TEST(jit_measures_enough_for_constants_near_the_code)
{
    struct builder b = {0};
    void *mem = NULL;

#if defined(__riscv)
    struct ebpf_jit_image image = {0};
    struct ebpf_code code;

    REQUIRE(engine_code(return_3, 2, &code));
    CHECK_EQ(ebpf_jit_compile(&code, &image), 0);
    mem = image.mem;
    ebpf_jit_free(&image);
    engine_code_free(&code);
#endif
    for (unsigned shift = 12; shift < 48; shift++) {
        uint64_t value = ((uint64_t)(uintptr_t)mem >> shift << shift) + 5;
        const struct bpf_insn pair[] = {BPF_LD_IMM64(R0, value)};

        for (unsigned i = 0; i < 64; i++) {
            put(&b, pair[0]);
            put(&b, pair[1]);
        }
        put(&b, BPF_EXIT_INSN());
        expect(&b, "constant near the code", value);
    }
    free(b.insns);
}

/* ---- what it does not know ------------------------------------------------------------------- */

static int encode_unchecked(struct bpf_insn *insns, uint32_t cnt)
{
    struct ebpf_subprog sub = {0, cnt};
    struct ebpf_code code = {.insns = insns, .insn_cnt = cnt, .subprogs = &sub, .subprog_cnt = 1};
    uint8_t buf[4096];
    size_t len;

    return ebpf_jit_encode(&code, 0x80000000, buf, sizeof(buf), &len);
}

TEST(jit_gives_up_on_what_it_does_not_know)
{
    static const struct bpf_insn unknown[] = {
        {.code = BPF_LD | BPF_ABS | BPF_W},
        {.code = BPF_LD | BPF_IND | BPF_H},
        {.code = BPF_LD | BPF_IMM | BPF_W},
        {.code = BPF_LD | BPF_IMM | BPF_DW, .src_reg = BPF_PSEUDO_BTF_ID},
        {.code = BPF_LD | BPF_IMM | BPF_DW, .src_reg = BPF_PSEUDO_FUNC},
        {.code = BPF_LDX | BPF_ATOMIC | BPF_DW},
        {.code = BPF_LDX | BPF_MEMSX | BPF_DW},
        {.code = BPF_STX | BPF_ATOMIC | BPF_B},
        {.code = BPF_STX | BPF_ATOMIC | BPF_DW, .imm = BPF_SUB},
        {.code = BPF_STX | BPF_ATOMIC | BPF_DW, .imm = 0xe0},
        {.code = BPF_STX | BPF_ATOMIC | BPF_DW, .imm = BPF_ADD | BPF_FETCH, .src_reg = 10},
        {.code = BPF_STX | BPF_ATOMIC | BPF_DW, .imm = -1},
        {.code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_KFUNC_CALL},
        {.code = BPF_JMP | BPF_CALL, .imm = 1000000},
        {.code = BPF_JMP | BPF_CALL, .imm = -1},
        {.code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_CALL, .imm = 1},
        {.code = BPF_JMP | BPF_JA, .off = 100},
        {.code = BPF_JMP | BPF_JEQ, .off = -2},
        {.code = BPF_ALU64 | 0xe0},
        {.code = BPF_ALU64 | BPF_ADD, .off = 1},
        {.code = BPF_ALU64 | BPF_MOV | BPF_X, .off = 7},
        {.code = BPF_ALU | BPF_MOV | BPF_X, .off = 32},
        {.code = BPF_ALU64 | BPF_DIV, .off = 2, .imm = 1},
        {.code = BPF_ALU64 | BPF_END | BPF_TO_BE, .imm = 16},
        {.code = BPF_ALU | BPF_END, .imm = 8},
        {.code = BPF_ALU64 | BPF_MOV, .dst_reg = 10},
        {.code = BPF_ALU64 | BPF_MOV, .dst_reg = 15},
        {.code = BPF_LDX | BPF_MEM | BPF_W, .src_reg = 11},
    };

    for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        struct bpf_insn insns[] = {unknown[i], {0}, BPF_EXIT_INSN()};

        if (BPF_CLASS(unknown[i].code) != BPF_LD)
            insns[1] = (struct bpf_insn)BPF_MOV64_IMM(R0, 0);
        int err = encode_unchecked(insns, 3);
        if (err != -EOPNOTSUPP)
            test_fail(__FILE__, __LINE__, "row %u: %d", i, err);
    }
}

TEST(jit_survives_instructions_that_nobody_checked)
{
    uint64_t state = 88172645463325252ull;
    unsigned accepted = 0;

    for (unsigned round = 0; round < 100000; round++) {
        struct bpf_insn insns[4];
        uint32_t n = 1 + round % 4;

        for (uint32_t i = 0; i < n; i++) {
            state ^= state << 13, state ^= state >> 7, state ^= state << 17;
            memcpy(&insns[i], &state, sizeof(state));
            if (round & 8)
                insns[i].off = (int16_t)(insns[i].off % 3), insns[i].imm %= 300,
                insns[i].src_reg %= 10, insns[i].dst_reg %= 10;
        }
        accepted += encode_unchecked(insns, n) == 0;
    }
    CHECK(accepted > 1000); /* it got past the first check */
}

/* ---- no function pays for what it does not use ----------------------------------------------- */

ENCODER_TEST(jit_code_is_as_short_as_promised)
{
    /* li a5, 0; mv a0, a5; ret */
    CHECK_EQ(code_length(PROG(BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN())), 6);
    /* ld a5, 8(a0) */
    CHECK_EQ(code_length(PROG(BPF_LDX_MEM(BPF_DW, R0, R1, 8), BPF_EXIT_INSN())), 6);
    /* addi sp, sp, -16; li t1, 5 not compressed away; sd; ld; addi; mv; ret */
    CHECK_EQ(code_length(PROG(BPF_ST_MEM(BPF_DW, R10, -8, 0), BPF_LDX_MEM(BPF_DW, R0, R10, -8),
                              BPF_EXIT_INSN())),
             12);
    /* lui; addiw, slli, srli: no zero-extension for what is none */
    CHECK_EQ(code_length(PROG(BPF_ALU32_IMM(BPF_RSH, R0, 3), BPF_EXIT_INSN())), 8);
    CHECK_EQ(code_length(PROG(BPF_ALU32_IMM(BPF_AND, R0, 31), BPF_EXIT_INSN())), 6);
    CHECK_EQ(code_length(PROG(BPF_ALU64_IMM(BPF_AND, R0, 0xffff), BPF_EXIT_INSN())), 8);
    /* addiw-free add: add, slli, srli */
    CHECK_EQ(code_length(PROG(BPF_ALU32_REG(BPF_ADD, R0, R1), BPF_EXIT_INSN())), 10);
    /* li -1; srli 32 */
    CHECK_EQ(code_length(PROG(BPF_MOV32_IMM(R0, -1), BPF_EXIT_INSN())), 8);
    /* x > 0 is x != 0: c.bnez */
    CHECK_EQ(
        code_length(PROG(BPF_JMP_IMM(BPF_JGT, R1, 0, 1), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN())),
        8);
}

/* ---- what takes more passes than there are, extensions --------------------------------------- */

/* Every branch, jump, call and address in its longest form: what is left after RV_MAX_PASSES. */
TEST(jit_the_longest_forms_do_the_same)
{
    ebpf_jit_passes = UINT32_MAX ^ EBPF_PASS(relax) ^ EBPF_PASS(inline);
    EXPECT(2 * 55 + 1, NULL, BPF_MOV64_IMM(R6, 0), BPF_MOV64_IMM(R7, 10), BPF_MOV64_REG(R1, R7),
           BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 9),
           BPF_ALU64_REG(BPF_ADD, R6, R0), BPF_ALU64_IMM(BPF_SUB, R7, 1),
           BPF_JMP_IMM(BPF_JNE, R7, 0, -5), BPF_JMP_A(1), BPF_MOV64_IMM(R6, 0),
           BPF_EMIT_CALL(KTIME_GET_NS), BPF_MOV64_REG(R0, R6), BPF_ALU64_IMM(BPF_ADD, R0, 1),
           BPF_EXIT_INSN(),
           /* function 1: doubles */
           BPF_MOV64_REG(R0, R1), BPF_ALU64_REG(BPF_ADD, R0, R1), BPF_EXIT_INSN());
    ebpf_jit_passes = UINT32_MAX;
}

/* Words by the RISC-V manual, chapters "Zacas" and "Zicond". */
TEST(jit_encodes_compare_and_swap_and_conditional_zero)
{
    static const struct {
        uint32_t isa, word;
        struct bpf_insn insns[4];
    } rows[] = {
        /* amocas.d.aqrl a5, a1, (a0); amocas.w.aqrl a5, a1, (a0) */
        {EBPF_ISA_ZACAS,
         0x2eb537af,
         {BPF_ATOMIC_OP(BPF_DW, BPF_CMPXCHG, R1, R2, 0), BPF_EXIT_INSN()}},
        {EBPF_ISA_ZACAS,
         0x2eb527af,
         {BPF_ATOMIC_OP(BPF_W, BPF_CMPXCHG, R1, R2, 0), BPF_EXIT_INSN()}},
        /* czero.nez a5, a5, a0; czero.eqz a5, a5, a0 */
        {EBPF_ISA_ZICOND,
         0x0ea7f7b3,
         {BPF_JMP_IMM(BPF_JEQ, R1, 0, 1), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()}},
        {EBPF_ISA_ZICOND,
         0x0ea7d7b3,
         {BPF_JMP_IMM(BPF_JNE, R1, 0, 1), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()}},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ebpf_code code;
        uint8_t buf[64];
        uint32_t word;
        size_t len = 0;

        mock_isa = rows[i].isa;
        if (engine_code(rows[i].insns, i < 2 ? 2 : 3, &code)) {
            CHECK_EQ(ebpf_jit_encode(&code, 0x80000000, buf, sizeof(buf), &len), 0);
            memcpy(&word, buf, sizeof(word));
            CHECK_EQ(word, rows[i].word);
        }
        engine_code_free(&code);
    }
    mock_isa = 0;
}
