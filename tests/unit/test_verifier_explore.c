/* SPDX-License-Identifier: MIT */
/* The verifier's engine: paths, loops, functions, pointers and jumps, each rule with a program that
 * keeps it and one that does not. */
#include "tests/unit/verify_util.h"

TEST(verifier_accepts_what_returns_a_number)
{
    ACCEPT(BPF_MOV64_IMM(0, 0), BPF_EXIT_INSN());
    REJECT(-EACCES, "R0 !read_ok", BPF_EXIT_INSN());
    REJECT(-EACCES, "R2 !read_ok", BPF_MOV64_REG(0, 2), BPF_EXIT_INSN());
    REJECT_STRICT(-EACCES, "R0 leaks addr as return value", BPF_MOV64_REG(0, 10), BPF_EXIT_INSN());
}

TEST(verifier_refuses_what_is_not_reached)
{
    REJECT(-EINVAL, "unreachable insn 2", BPF_MOV64_IMM(0, 0), BPF_EXIT_INSN(), BPF_MOV64_IMM(0, 1),
           BPF_EXIT_INSN());
}

TEST(verifier_follows_loops_that_count)
{
    ACCEPT(BPF_MOV64_IMM(0, 0), BPF_ALU64_IMM(BPF_ADD, 0, 1), BPF_JMP_IMM(BPF_JLT, 0, 1000, -2),
           BPF_EXIT_INSN());
    REJECT(-EINVAL, "infinite loop detected at insn 1", BPF_MOV64_IMM(0, 0), BPF_MOV64_IMM(1, 1),
           BPF_JMP_A(-2));
    REJECT(-E2BIG, "BPF program is too large. Processed 1000001 insn", BPF_MOV64_IMM(0, 0),
           BPF_ALU64_IMM(BPF_ADD, 0, 1), BPF_JMP_IMM(BPF_JNE, 0, -1, -2), BPF_EXIT_INSN());
}

TEST(verifier_sees_an_infinite_loop_whose_numbers_were_copied)
{
    /* the slot keeps a number of which a dead register has another copy */
    REJECT(-EINVAL, "infinite loop detected at insn 5", BPF_EMIT_CALL(7), BPF_MOV64_REG(8, 0),
           BPF_STX_MEM(BPF_DW, 10, 8, -8), BPF_MOV64_IMM(9, 0), BPF_MOV64_IMM(0, 0),
           BPF_MOV64_IMM(4, 0), BPF_JMP_IMM(BPF_JNE, 9, 2, -2), BPF_LDX_MEM(BPF_DW, 0, 10, -8),
           BPF_EXIT_INSN());
}

TEST(verifier_follows_may_goto_to_a_fixed_point)
{
    ACCEPT(BPF_MOV64_IMM(0, 0), BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 0, 2, 0),
           BPF_ALU64_IMM(BPF_ADD, 0, 1), BPF_JMP_A(-3), BPF_EXIT_INSN());
}

TEST(verifier_calls_functions_in_frames_of_their_own)
{
    ACCEPT(BPF_MOV64_IMM(1, 3), BPF_MOV64_IMM(6, 4), BPF_CALL_REL(2), BPF_ALU64_REG(BPF_ADD, 0, 6),
           BPF_EXIT_INSN(), BPF_MOV64_REG(0, 1), BPF_MOV64_IMM(6, 0), BPF_EXIT_INSN());
    REJECT(-EACCES, "R1 !read_ok", BPF_MOV64_IMM(1, 3), BPF_CALL_REL(2), BPF_MOV64_REG(0, 1),
           BPF_EXIT_INSN(), BPF_MOV64_REG(0, 1), BPF_EXIT_INSN());
    REJECT(-EINVAL, "cannot return stack pointer to the caller", BPF_CALL_REL(1), BPF_EXIT_INSN(),
           BPF_MOV64_REG(0, 10), BPF_EXIT_INSN());
}

/* ---- arithmetic ------------------------------------------------------------------------------ */

TEST(verifier_refuses_immediates_that_mean_nothing)
{
    REJECT(-EINVAL, "div by zero", BPF_MOV64_IMM(0, 1), BPF_ALU64_IMM(BPF_DIV, 0, 0),
           BPF_EXIT_INSN());
    REJECT(-EINVAL, "invalid shift", BPF_MOV64_IMM(0, 1), BPF_ALU64_IMM(BPF_LSH, 0, 64),
           BPF_EXIT_INSN());
    REJECT(-EINVAL, "invalid shift", BPF_MOV64_IMM(0, 1), BPF_ALU32_IMM(BPF_RSH, 0, 32),
           BPF_EXIT_INSN());
    ACCEPT(BPF_MOV64_IMM(0, 1), BPF_ALU64_IMM(BPF_LSH, 0, 63), BPF_EXIT_INSN());
}

TEST(verifier_keeps_addresses_from_strict_loaders)
{
    REJECT_STRICT(-EACCES, "R1 partial copy of pointer", BPF_MOV32_REG(0, 1), BPF_EXIT_INSN());
    REJECT_STRICT(-EACCES, "R2 pointer arithmetic prohibited", BPF_MOV64_REG(2, 1),
                  BPF_ALU64_IMM(BPF_NEG, 2, 0), BPF_MOV64_IMM(0, 0), BPF_EXIT_INSN());
    REJECT_STRICT(-EACCES, "R1 pointer -= pointer prohibited", BPF_ALU64_REG(BPF_SUB, 1, 10),
                  BPF_MOV64_IMM(0, 0), BPF_EXIT_INSN());
    REJECT_STRICT(-EACCES, "R10 pointer comparison prohibited", BPF_MOV64_IMM(0, 0),
                  BPF_JMP_REG(BPF_JEQ, 1, 10, 0), BPF_EXIT_INSN());
    ACCEPT(BPF_ALU64_REG(BPF_SUB, 1, 10), BPF_MOV64_REG(0, 1), BPF_EXIT_INSN());
    ACCEPT(BPF_MOV64_IMM(0, 0), BPF_JMP_REG(BPF_JEQ, 1, 10, 0), BPF_EXIT_INSN());
}

TEST(verifier_knows_what_pointers_may_be_moved)
{
    REJECT(-EACCES, "R2 pointer += pointer prohibited", BPF_MOV64_REG(2, 10),
           BPF_ALU64_REG(BPF_ADD, 2, 1), BPF_MOV64_IMM(0, 0), BPF_EXIT_INSN());
    REJECT(-EACCES, "R2 subtraction from stack pointer prohibited", BPF_MOV64_REG(2, 10),
           BPF_ALU64_IMM(BPF_SUB, 2, 8), BPF_MOV64_IMM(0, 0), BPF_EXIT_INSN());
    REJECT(-EACCES, "R2 bitwise operator &= on pointer prohibited", BPF_MOV64_REG(2, 10),
           BPF_ALU64_IMM(BPF_AND, 2, 8), BPF_MOV64_IMM(0, 0), BPF_EXIT_INSN());
    REJECT(-EACCES, "R2 pointer arithmetic with <<= operator prohibited", BPF_MOV64_REG(2, 10),
           BPF_ALU64_IMM(BPF_LSH, 2, 1), BPF_MOV64_IMM(0, 0), BPF_EXIT_INSN());
    REJECT(-EACCES, "R2 32-bit pointer arithmetic prohibited", BPF_MOV64_REG(2, 10),
           BPF_ALU32_IMM(BPF_ADD, 2, 1), BPF_MOV64_IMM(0, 0), BPF_EXIT_INSN());
    REJECT(-EACCES, "R2 tried to subtract pointer from scalar", BPF_MOV64_IMM(2, 4),
           BPF_ALU64_REG(BPF_SUB, 2, 10), BPF_MOV64_IMM(0, 0), BPF_EXIT_INSN());
    REJECT(-EINVAL, "math between fp pointer and 536870912 is not allowed", BPF_MOV64_REG(2, 10),
           BPF_ALU64_IMM(BPF_ADD, 2, 1 << 29), BPF_MOV64_IMM(0, 0), BPF_EXIT_INSN());
    REJECT(-EINVAL, "fp pointer offset 536870912 is not allowed", BPF_MOV64_REG(2, 10),
           BPF_ALU64_IMM(BPF_ADD, 2, 1 << 28), BPF_ALU64_IMM(BPF_ADD, 2, 1 << 28),
           BPF_MOV64_IMM(0, 0), BPF_EXIT_INSN());
    REJECT(-EINVAL, "math between fp pointer and register with unbounded min value is not allowed",
           BPF_MOV64_REG(2, 10), BPF_LDX_MEM(BPF_DW, 3, 10, -8), BPF_ALU64_REG(BPF_ADD, 2, 3),
           BPF_MOV64_IMM(0, 0), BPF_EXIT_INSN());
    ACCEPT(BPF_MOV64_IMM(2, -8), BPF_ALU64_REG(BPF_ADD, 2, 10), BPF_ST_MEM(BPF_DW, 2, 0, 7),
           BPF_LDX_MEM(BPF_DW, 0, 10, -8), BPF_EXIT_INSN());
}

/* ---- jumps ----------------------------------------------------------------------------------- */

/* r0 = a number below 65536, of the context; then what follows. r0 - 100 must not be used as an
 * offset before. */
#define SOME_NUMBER BPF_LDX_MEM(BPF_W, 0, 1, 0), BPF_ALU64_IMM(BPF_AND, 0, 0xffff)
/* stores a byte at fp - 16 + r0: only 0 to 15 are right */
#define USE_AS_OFFSET                                                                   \
    BPF_MOV64_REG(2, 10), BPF_ALU64_IMM(BPF_ADD, 2, -16), BPF_ALU64_REG(BPF_ADD, 2, 0), \
        BPF_ST_MEM(BPF_B, 2, 0, 0)
#define DONE BPF_MOV64_IMM(0, 0), BPF_EXIT_INSN()

TEST(verifier_learns_bounds_from_every_comparison)
{
    ACCEPT(SOME_NUMBER, BPF_JMP_IMM(BPF_JGT, 0, 15, 4), USE_AS_OFFSET, DONE);
    REJECT(-EINVAL, "invalid variable-offset write to stack R2", SOME_NUMBER,
           BPF_JMP_IMM(BPF_JGT, 0, 16, 4), USE_AS_OFFSET, DONE);
    ACCEPT(SOME_NUMBER, BPF_JMP_IMM(BPF_JGE, 0, 16, 4), USE_AS_OFFSET, DONE);
    ACCEPT(SOME_NUMBER, BPF_JMP_IMM(BPF_JLT, 0, 16, 1), BPF_JMP_A(4), USE_AS_OFFSET, DONE);
    ACCEPT(SOME_NUMBER, BPF_JMP_IMM(BPF_JLE, 0, 15, 1), BPF_JMP_A(4), USE_AS_OFFSET, DONE);
    ACCEPT(SOME_NUMBER, BPF_JMP_IMM(BPF_JSGT, 0, 15, 4), USE_AS_OFFSET, DONE);
    ACCEPT(SOME_NUMBER, BPF_JMP32_IMM(BPF_JGT, 0, 15, 4), USE_AS_OFFSET, DONE);
    ACCEPT(SOME_NUMBER, BPF_JMP32_IMM(BPF_JSGE, 0, 16, 4), USE_AS_OFFSET, DONE);
    ACCEPT(SOME_NUMBER, BPF_JMP_IMM(BPF_JSET, 0, 0xfff0, 4), USE_AS_OFFSET, DONE);
    REJECT(-EINVAL, "invalid variable-offset write to stack R2", SOME_NUMBER,
           BPF_JMP_IMM(BPF_JSET, 0, 0xffe0, 4), USE_AS_OFFSET, DONE);
    ACCEPT(SOME_NUMBER, BPF_MOV64_IMM(3, 15), BPF_JMP_REG(BPF_JGT, 0, 3, 4), USE_AS_OFFSET, DONE);
    ACCEPT(SOME_NUMBER, BPF_MOV64_IMM(3, 15), BPF_JMP_REG(BPF_JLT, 3, 0, 4), USE_AS_OFFSET, DONE);
}

TEST(verifier_learns_of_copies_too)
{
    ACCEPT(SOME_NUMBER, BPF_MOV64_REG(3, 0), BPF_JMP_IMM(BPF_JGT, 3, 15, 4), USE_AS_OFFSET, DONE);
    ACCEPT(SOME_NUMBER, BPF_MOV64_REG(3, 0), BPF_ALU64_IMM(BPF_ADD, 3, 8),
           BPF_JMP_IMM(BPF_JGT, 3, 23, 4), USE_AS_OFFSET, DONE);
    REJECT(-EINVAL, "invalid variable-offset write to stack R2", SOME_NUMBER, BPF_MOV64_REG(3, 0),
           BPF_ALU64_IMM(BPF_ADD, 3, 8), BPF_JMP_IMM(BPF_JGT, 3, 24, 4), USE_AS_OFFSET, DONE);
    REJECT(-EINVAL, "invalid variable-offset write to stack R2", SOME_NUMBER, BPF_MOV64_REG(3, 0),
           BPF_ALU64_IMM(BPF_AND, 3, 15), BPF_JMP_IMM(BPF_JGT, 3, 15, 4), USE_AS_OFFSET, DONE);
    ACCEPT(SOME_NUMBER, BPF_STX_MEM(BPF_DW, 10, 0, -24), BPF_JMP_IMM(BPF_JGT, 0, 15, 5),
           BPF_LDX_MEM(BPF_DW, 0, 10, -24), USE_AS_OFFSET, DONE);
}

TEST(verifier_follows_only_ways_that_are_possible)
{
    ACCEPT(SOME_NUMBER, BPF_JMP_IMM(BPF_JLE, 0, 0xffff, 1), BPF_MOV64_REG(0, 9), DONE);
    REJECT(-EACCES, "R9 !read_ok", SOME_NUMBER, BPF_JMP_IMM(BPF_JLE, 0, 0xfffe, 1),
           BPF_MOV64_REG(0, 9), DONE);
}

/* ---- pruning --------------------------------------------------------------------------------- */

/* The first way gives r3 = 0, the second 100; both meet, and r3 is used behind a join as an offset.
 * */
TEST(verifier_compares_numbers_that_mattered)
{
    REJECT(-EACCES, "invalid", SOME_NUMBER, BPF_MOV64_IMM(3, -8), BPF_JMP_IMM(BPF_JEQ, 0, 7, 1),
           BPF_JMP_A(1), BPF_MOV64_IMM(3, 8), BPF_MOV64_REG(4, 3), BPF_MOV64_REG(2, 10),
           BPF_ALU64_REG(BPF_ADD, 2, 4), BPF_ST_MEM(BPF_DW, 2, 0, 0), DONE);
    /* the same through the stack */
    REJECT(-EACCES, "invalid", SOME_NUMBER, BPF_MOV64_IMM(3, -8), BPF_JMP_IMM(BPF_JEQ, 0, 7, 1),
           BPF_JMP_A(1), BPF_MOV64_IMM(3, 8), BPF_STX_MEM(BPF_DW, 10, 3, -16),
           BPF_JMP_IMM(BPF_JEQ, 0, 9, 0), BPF_LDX_MEM(BPF_DW, 4, 10, -16), BPF_MOV64_REG(2, 10),
           BPF_ALU64_REG(BPF_ADD, 2, 4), BPF_ST_MEM(BPF_DW, 2, 0, 0), DONE);
    /* and where a comparison decides */
    REJECT(-EACCES, "R9 !read_ok", SOME_NUMBER, BPF_MOV64_IMM(3, 1), BPF_JMP_IMM(BPF_JEQ, 0, 7, 1),
           BPF_JMP_A(1), BPF_MOV64_IMM(3, 2), BPF_MOV64_IMM(4, 0), BPF_JMP_IMM(BPF_JEQ, 3, 1, 1),
           BPF_MOV64_REG(0, 9), DONE);
}

/* 30 diamonds: 2^30 paths, unless those that meet are seen to be alike. */
TEST(verifier_prunes_diamonds)
{
    struct bpf_insn insns[3 + 30 * 3 + 1];
    static struct verify t;
    uint32_t n = 0;

    insns[n++] = BPF_MOV64_IMM(0, 0);
    insns[n++] = BPF_LDX_MEM(BPF_W, 6, 1, 0);
    insns[n++] = BPF_MOV64_IMM(7, 0);
    for (int i = 0; i < 30; i++) {
        insns[n++] = BPF_ALU64_IMM(BPF_RSH, 6, 1);
        insns[n++] = BPF_JMP_IMM(BPF_JSET, 6, 1, 1);
        insns[n++] = BPF_ALU64_IMM(BPF_ADD, 7, 1 << i % 30);
    }
    insns[n++] = BPF_EXIT_INSN();
    t = (struct verify){.level = EBPF_LOG_STATS};
    verify_run(&t, insns, n);
    CHECK_EQ(t.err, 0);
    CHECK(strstr(t.log, "processed 1") || strstr(t.log, "processed 2")); /* some hundred */
    CHECK(!strstr(t.log, "processed 1000"));
}

TEST(verifier_gives_everything_back_when_memory_ends)
{
    const struct bpf_insn insns[] = {SOME_NUMBER,
                                     BPF_STX_MEM(BPF_DW, 10, 0, -24),
                                     BPF_JMP_IMM(BPF_JGT, 0, 15, 5),
                                     BPF_LDX_MEM(BPF_DW, 0, 10, -24),
                                     USE_AS_OFFSET,
                                     BPF_CALL_REL(2),
                                     DONE,
                                     BPF_MOV64_IMM(0, 3),
                                     BPF_EXIT_INSN()};
    static struct verify t;
    unsigned n = 0;

    do {
        t = (struct verify){.level = EBPF_LOG_STATS};
        mock_fail_alloc(++n);
        verify_run(&t, insns, sizeof(insns) / sizeof(insns[0]));
        CHECK(t.err == 0 || t.err == -ENOMEM);
    } while (mock_alloc_failed() && n < 200);
    mock_fail_alloc(0);
    CHECK_EQ(t.err, 0);
    CHECK(n > 8 && n < 200);
}

/* ---- functions ------------------------------------------------------------------------------- */

TEST(verifier_counts_the_stack_of_a_chain_of_calls)
{
    REJECT(-EACCES, "combined stack size of 2 calls is 528. Too large",
           BPF_ST_MEM(BPF_DW, 10, -264, 0), BPF_CALL_REL(1), BPF_EXIT_INSN(),
           BPF_ST_MEM(BPF_DW, 10, -256, 0), BPF_MOV64_IMM(0, 0), BPF_EXIT_INSN());
    ACCEPT(BPF_ST_MEM(BPF_DW, 10, -256, 0), BPF_CALL_REL(1), BPF_EXIT_INSN(),
           BPF_ST_MEM(BPF_DW, 10, -256, 0), BPF_MOV64_IMM(0, 0), BPF_EXIT_INSN());
}

TEST(verifier_lets_functions_use_their_callers_stack)
{
    ACCEPT(BPF_MOV64_REG(1, 10), BPF_ALU64_IMM(BPF_ADD, 1, -8), BPF_CALL_REL(2),
           BPF_LDX_MEM(BPF_DW, 0, 10, -8), BPF_EXIT_INSN(), BPF_ST_MEM(BPF_DW, 1, 0, 5),
           BPF_MOV64_IMM(0, 0), BPF_EXIT_INSN());
    REJECT(-EINVAL, "cannot spill pointers to stack into stack frame of the caller",
           BPF_MOV64_REG(1, 10), BPF_ALU64_IMM(BPF_ADD, 1, -8), BPF_CALL_REL(2),
           BPF_LDX_MEM(BPF_DW, 0, 10, -8), BPF_EXIT_INSN(), BPF_STX_MEM(BPF_DW, 1, 10, 0),
           BPF_MOV64_IMM(0, 0), BPF_EXIT_INSN());
}

/* ---- the log --------------------------------------------------------------------------------- */

TEST(verifier_log_shows_instructions_and_what_they_changed)
{
    const struct bpf_insn insns[] = {BPF_MOV64_IMM(0, 7), BPF_EXIT_INSN()};
    static struct verify t;

    t = (struct verify){.level = 2};
    verify_run(&t, insns, 2);
    CHECK_EQ(t.err, 0);
    CHECK_STR(t.log, "0: R1=ctx() R10=fp0\n"
                     "0: (b7) r0 = 7                        ; R0=7\n"
                     "1: (95) exit\n"
                     "processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 "
                     "peak_states 0 mark_read 0\n");
}
