/* SPDX-License-Identifier: MIT */
/* Functions that are put where they are called: what they look like then, what they must not
 * change, and which ones are not. */
#include "tests/unit/opt_util.h"

#define CALL(off) BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, off)
#define KTIME_GET_NS 5

static bool is_inlined(const struct bpf_insn *insns, uint32_t cnt)
{
    return !strstr(opt_after(EBPF_PASS(inline) | EBPF_PASS(copy) | EBPF_PASS(dead), insns, cnt),
                   "call function");
}

/* The whole program after all passes has no call, and does the same as the interpreter. */
#define INLINED(want, ctx, ...)               \
    do {                                      \
        CHECK(is_inlined(PROG(__VA_ARGS__))); \
        EXPECT(want, ctx, __VA_ARGS__);       \
    } while (0)

TEST(inline_renames_registers_and_moves_the_frame)
{
    CHECK_STR(
        opt_after(EBPF_PASS(inline), PROG(BPF_MOV64_REG(R6, R1), BPF_STX_MEM(BPF_DW, R10, R1, -8),
                                          CALL(3), BPF_LDX_MEM(BPF_DW, R1, R10, -8),
                                          BPF_ALU64_REG(BPF_ADD, R0, R6), BPF_EXIT_INSN(),
                                          /* function 1 */
                                          BPF_MOV64_REG(R6, R1), BPF_STX_MEM(BPF_DW, R10, R6, -16),
                                          BPF_LDX_MEM(BPF_DW, R0, R10, -16), BPF_EXIT_INSN())),
        "v6 = mov v1\nstore64 [v10-8], v1\nv7 = mov v1\nstore64 [v10-24], v7\nv0 = load64 "
        "[v10-24]\nL0:\n"
        "v1 = load64 [v10-8]\nv0 = add v0, v6\nexit v0\n");
}

TEST(inline_makes_new_registers_where_the_caller_uses_all)
{
    CHECK_STR(
        opt_after(EBPF_PASS(inline), PROG(BPF_MOV64_REG(R6, R1), BPF_MOV64_REG(R7, R1),
                                          BPF_MOV64_REG(R8, R1), BPF_MOV64_REG(R9, R1), CALL(1),
                                          BPF_EXIT_INSN(), /* function 1 */ BPF_MOV64_REG(R9, R1),
                                          BPF_MOV64_REG(R0, R9), BPF_EXIT_INSN())),
        "v6 = mov v1\nv7 = mov v1\nv8 = mov v1\nv9 = mov v1\nv11 = mov v1\nv0 = mov v11\nL0:\nexit "
        "v0\n");
}

TEST(inline_leaves_the_callers_registers_alone)
{
    INLINED(1 + 2 + 3 + 4 + 6 + 7 + 8 + 9, NULL, BPF_MOV64_IMM(R6, 1), BPF_MOV64_IMM(R7, 2),
            BPF_MOV64_IMM(R8, 3), BPF_MOV64_IMM(R9, 4), CALL(5), BPF_ALU64_REG(BPF_ADD, R0, R6),
            BPF_ALU64_REG(BPF_ADD, R0, R7), BPF_ALU64_REG(BPF_ADD, R0, R8),
            BPF_ALU64_REG(BPF_ADD, R0, R9), BPF_EXIT_INSN(),
            /* function 1: 30 */
            BPF_MOV64_IMM(R6, 6), BPF_MOV64_IMM(R7, 7), BPF_MOV64_IMM(R8, 8), BPF_MOV64_IMM(R9, 9),
            BPF_MOV64_REG(R0, R6), BPF_ALU64_REG(BPF_ADD, R0, R7), BPF_ALU64_REG(BPF_ADD, R0, R8),
            BPF_ALU64_REG(BPF_ADD, R0, R9), BPF_EXIT_INSN());
}

/* The same registers, with a helper's call in the callee, where temporary ones do not last. */
TEST(inline_keeps_registers_over_calls_of_helpers)
{
    INLINED(10 + 26, NULL, BPF_MOV64_IMM(R6, 1), BPF_MOV64_IMM(R7, 2), BPF_MOV64_IMM(R8, 3),
            BPF_MOV64_IMM(R9, 4), CALL(5), BPF_ALU64_REG(BPF_ADD, R0, R6),
            BPF_ALU64_REG(BPF_ADD, R0, R7), BPF_ALU64_REG(BPF_ADD, R0, R8),
            BPF_ALU64_REG(BPF_ADD, R0, R9), BPF_EXIT_INSN(),
            /* function 1 */
            BPF_MOV64_IMM(R6, 5), BPF_MOV64_IMM(R7, 6), BPF_MOV64_IMM(R8, 7), BPF_MOV64_IMM(R9, 8),
            BPF_EMIT_CALL(KTIME_GET_NS), BPF_MOV64_REG(R0, R6), BPF_ALU64_REG(BPF_ADD, R0, R7),
            BPF_ALU64_REG(BPF_ADD, R0, R8), BPF_ALU64_REG(BPF_ADD, R0, R9), BPF_EXIT_INSN());
}

TEST(inline_gives_each_function_a_frame_of_its_own)
{
    INLINED(3 + 100 + 20, NULL, BPF_ST_MEM(BPF_DW, R10, -8, 1), BPF_ST_MEM(BPF_DW, R10, -16, 2),
            CALL(6), BPF_LDX_MEM(BPF_DW, R1, R10, -8), BPF_ALU64_REG(BPF_ADD, R0, R1),
            BPF_LDX_MEM(BPF_DW, R1, R10, -16), BPF_ALU64_REG(BPF_ADD, R0, R1), BPF_EXIT_INSN(),
            BPF_EXIT_INSN(),
            /* function 1 has a frame and calls function 2, which has one */
            BPF_ST_MEM(BPF_DW, R10, -8, 20), CALL(3), BPF_LDX_MEM(BPF_DW, R1, R10, -8),
            BPF_ALU64_REG(BPF_ADD, R0, R1), BPF_EXIT_INSN(), BPF_ST_MEM(BPF_DW, R10, -8, 100),
            BPF_LDX_MEM(BPF_DW, R0, R10, -8), BPF_EXIT_INSN());
}

/* Every way out of a function leads behind the call, with its own result. */
TEST(inline_joins_the_ways_out_of_a_function)
{
    uint64_t mem[1] = {5};

    for (unsigned i = 0; i < 4; i++) {
        uint64_t want = i == 0 ? 107 : i == 1 ? 111 : 113;

        mem[0] = i;
        INLINED(want, mem, BPF_LDX_MEM(BPF_DW, R1, R1, 0), CALL(2), BPF_ALU64_IMM(BPF_ADD, R0, 100),
                BPF_EXIT_INSN(), BPF_MOV64_IMM(R0, 7), BPF_JMP_IMM(BPF_JNE, R1, 0, 1),
                BPF_EXIT_INSN(), BPF_JMP_IMM(BPF_JNE, R1, 1, 2), BPF_MOV64_IMM(R0, 11),
                BPF_EXIT_INSN(), BPF_MOV64_IMM(R0, 13), BPF_EXIT_INSN());
    }
}

/* Called twice, and in a loop: labels are new each time. */
TEST(inline_copies_loops_with_their_labels)
{
    INLINED(2 * 3 * 10, NULL, BPF_MOV64_IMM(R6, 0), BPF_MOV64_IMM(R7, 3), BPF_MOV64_IMM(R1, 10),
            CALL(8), BPF_ALU64_REG(BPF_ADD, R6, R0), BPF_MOV64_IMM(R1, 10), CALL(5),
            BPF_ALU64_REG(BPF_ADD, R6, R0), BPF_ALU64_IMM(BPF_SUB, R7, 1),
            BPF_JMP_IMM(BPF_JNE, R7, 0, -8), BPF_MOV64_REG(R0, R6), BPF_EXIT_INSN(),
            /* function 1: counts */
            BPF_MOV64_IMM(R0, 0), BPF_ALU64_IMM(BPF_ADD, R0, 1), BPF_JMP_REG(BPF_JNE, R0, R1, -2),
            BPF_EXIT_INSN());
}

/* Found by random programs: the callee sets what the caller has set already, so that the caller's
 * is what it reads. */
TEST(inline_keeps_what_the_callee_need_not_set_again)
{
    uint64_t mem[2] = {0};

    INLINED(1, mem, BPF_MOV64_IMM(R0, 5), BPF_MOV64_REG(R2, R1), BPF_MOV64_IMM(R1, 1),
            BPF_JMP_IMM(BPF_JEQ, R2, 0, 1), CALL(1), BPF_EXIT_INSN(), BPF_MOV64_IMM(R1, 1),
            BPF_STX_MEM(BPF_DW, R2, R1, 0), BPF_LDX_MEM(BPF_DW, R0, R2, 0), BPF_EXIT_INSN());
}

/* A chain of eight functions, each with all of r6 to r9: no call is left where registers last that
 * long, and every value is. */
TEST(inline_nests_as_deep_as_calls_may)
{
    struct bpf_insn insns[8 * 12];
    uint32_t cnt = 0;
    struct ebpf_code code;

    for (unsigned f = 0; f < 8; f++) {
        for (unsigned r = R6; r <= R9; r++)
            insns[cnt++] = (struct bpf_insn)BPF_MOV64_IMM(r, (int)(f * 10 + r));
        insns[cnt++] = (struct bpf_insn)BPF_MOV64_IMM(R0, 1);
        if (f < 7)
            insns[cnt++] = (struct bpf_insn)CALL(5);
        for (unsigned r = R6; r <= R9; r++)
            insns[cnt++] = (struct bpf_insn)BPF_ALU64_REG(BPF_ADD, R0, r);
        insns[cnt++] = (struct bpf_insn)BPF_EXIT_INSN();
    }
    engine_expect(__FILE__, __LINE__, "eight functions",
                  1 + 8 * (6 + 7 + 8 + 9) + 40 * (0 + 1 + 2 + 3 + 4 + 5 + 6 + 7), NULL, insns, cnt);
    REQUIRE(engine_code(insns, cnt, &code));
    CHECK_EQ(code.subprog_cnt, 8);
    engine_code_free(&code);
}

/* ---- what stays a call ----------------------------------------------------------------------- */

TEST(inline_leaves_functions_with_may_goto_alone)
{
    CHECK(!is_inlined(PROG(CALL(1), BPF_EXIT_INSN(), BPF_MOV64_IMM(R0, 1),
                           BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, BPF_MAY_GOTO, 1, 0),
                           BPF_MOV64_IMM(R0, 2), BPF_EXIT_INSN())));
}

TEST(inline_leaves_large_functions_alone)
{
    struct bpf_insn insns[300] = {CALL(1), BPF_EXIT_INSN()};

    for (unsigned i = 2; i < 299; i++)
        insns[i] = (struct bpf_insn)BPF_ALU64_REG(BPF_XOR, R1, R2);
    insns[298] = (struct bpf_insn)BPF_MOV64_REG(R0, R1);
    insns[299] = (struct bpf_insn)BPF_EXIT_INSN();
    CHECK(!is_inlined(insns, 300));
}

/* A frame that is not known to be small may be looked at from end to end: there is no room for
 * another in it. */
TEST(inline_leaves_functions_alone_whose_frames_do_not_fit_into_one)
{
    const struct bpf_insn whole[] = {
        BPF_ST_MEM(BPF_DW, R10, -480, 1),  CALL(3),         BPF_LDX_MEM(BPF_DW, R1, R10, -480),
        BPF_ALU64_REG(BPF_ADD, R0, R1),    BPF_EXIT_INSN(), BPF_ST_MEM(BPF_DW, R10, -40, 5),
        BPF_LDX_MEM(BPF_DW, R0, R10, -40), BPF_EXIT_INSN()};
    const struct bpf_insn passed[] = {BPF_ST_MEM(BPF_DW, R10, -8, 1),
                                      BPF_MOV64_REG(R1, R10),
                                      BPF_ALU64_IMM(BPF_ADD, R1, -8),
                                      CALL(1),
                                      BPF_EXIT_INSN(),
                                      BPF_ST_MEM(BPF_DW, R10, -8, 5),
                                      BPF_LDX_MEM(BPF_DW, R0, R10, -8),
                                      BPF_LDX_MEM(BPF_DW, R1, R1, 0),
                                      BPF_ALU64_REG(BPF_ADD, R0, R1),
                                      BPF_EXIT_INSN()};

    CHECK(!is_inlined(whole, sizeof(whole) / sizeof(whole[0])));
    EXPECT(6, NULL, BPF_ST_MEM(BPF_DW, R10, -480, 1), CALL(3), BPF_LDX_MEM(BPF_DW, R1, R10, -480),
           BPF_ALU64_REG(BPF_ADD, R0, R1), BPF_EXIT_INSN(), BPF_ST_MEM(BPF_DW, R10, -40, 5),
           BPF_LDX_MEM(BPF_DW, R0, R10, -40), BPF_EXIT_INSN());
    CHECK(!is_inlined(passed, sizeof(passed) / sizeof(passed[0])));
    engine_expect(__FILE__, __LINE__, "address passed", 6, NULL, passed,
                  sizeof(passed) / sizeof(passed[0]));
}

/* Many calls of a small function: the code does not become much more than twice as long. */
TEST(inline_has_a_budget)
{
    static struct bpf_insn insns[3000];
    uint32_t cnt = 0, sub;
    struct ebpf_code code;
    size_t len, without;

    for (unsigned i = 0; i < 1000; i++) {
        insns[cnt++] = (struct bpf_insn)BPF_MOV64_REG(R1, R0);
        insns[cnt++] = (struct bpf_insn)CALL(0);
    }
    insns[cnt++] = (struct bpf_insn)BPF_EXIT_INSN();
    sub = cnt;
    for (unsigned i = 0; i < 10; i++)
        insns[cnt++] = (struct bpf_insn)BPF_ALU64_REG(i % 2 ? BPF_XOR : BPF_MUL, R1, R1);
    insns[cnt++] = (struct bpf_insn)BPF_MOV64_REG(R0, R1);
    insns[cnt++] = (struct bpf_insn)BPF_EXIT_INSN();
    for (uint32_t i = 1; i < sub; i += 2)
        insns[i].imm = (int32_t)(sub - i - 1);
    insns[0] = (struct bpf_insn)BPF_MOV64_IMM(R1, 3);
    REQUIRE(engine_code(insns, cnt, &code));
    CHECK_EQ(ebpf_jit_encode(&code, 0x80000000, NULL, 0, &len), -ENOSPC);
    ebpf_jit_passes = UINT32_MAX ^ EBPF_PASS(inline);
    CHECK_EQ(ebpf_jit_encode(&code, 0x80000000, NULL, 0, &without), -ENOSPC);
    ebpf_jit_passes = UINT32_MAX;
    CHECK(len < 4 * without);
    engine_code_free(&code);
}

TEST(inline_reports_each_failed_allocation)
{
    const struct bpf_insn insns[] = {
        BPF_MOV64_REG(R6, R1), CALL(2),        BPF_ALU64_REG(BPF_ADD, R0, R6), BPF_EXIT_INSN(),
        BPF_MOV64_IMM(R6, 7),  CALL(2),        BPF_ALU64_REG(BPF_ADD, R0, R6), BPF_EXIT_INSN(),
        BPF_MOV64_IMM(R0, 7),  BPF_EXIT_INSN()};
    struct ebpf_code code;
    unsigned n = 1;

    REQUIRE(engine_code(insns, sizeof(insns) / sizeof(insns[0]), &code));
    for (;; n++) {
        uint8_t buf[256];
        size_t len;
        mock_fail_alloc(n);
        int err = ebpf_jit_encode(&code, 0x80000000, buf, sizeof(buf), &len);
        if (!mock_alloc_failed())
            break;
        CHECK_EQ(err, -ENOMEM);
    }
    mock_fail_alloc(0);
    CHECK(n > 10);
    engine_code_free(&code);
}
