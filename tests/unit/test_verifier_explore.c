/* SPDX-License-Identifier: MIT */
/* The verifier's engine: paths, loops, functions, pointers and jumps, each rule with a program that keeps it and one that
 * does not. */
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
    REJECT(-EINVAL, "unreachable insn 2", BPF_MOV64_IMM(0, 0), BPF_EXIT_INSN(), BPF_MOV64_IMM(0, 1), BPF_EXIT_INSN());
}

TEST(verifier_follows_loops_that_count)
{
    ACCEPT(BPF_MOV64_IMM(0, 0), BPF_ALU64_IMM(BPF_ADD, 0, 1), BPF_JMP_IMM(BPF_JLT, 0, 1000, -2), BPF_EXIT_INSN());
    REJECT(-EINVAL, "infinite loop detected at insn 1", BPF_MOV64_IMM(0, 0), BPF_MOV64_IMM(1, 1), BPF_JMP_A(-2));
    REJECT(-E2BIG, "BPF program is too large. Processed 1000001 insn", BPF_MOV64_IMM(0, 0),
           BPF_ALU64_IMM(BPF_ADD, 0, 1), BPF_JMP_IMM(BPF_JNE, 0, -1, -2), BPF_EXIT_INSN());
}

TEST(verifier_follows_may_goto_to_a_fixed_point)
{
    ACCEPT(BPF_MOV64_IMM(0, 0), BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 0, 2, 0), BPF_ALU64_IMM(BPF_ADD, 0, 1),
           BPF_JMP_A(-3), BPF_EXIT_INSN());
}

TEST(verifier_calls_functions_in_frames_of_their_own)
{
    ACCEPT(BPF_MOV64_IMM(1, 3), BPF_MOV64_IMM(6, 4), BPF_CALL_REL(2), BPF_ALU64_REG(BPF_ADD, 0, 6), BPF_EXIT_INSN(),
           BPF_MOV64_REG(0, 1), BPF_MOV64_IMM(6, 0), BPF_EXIT_INSN());
    REJECT(-EACCES, "R1 !read_ok", BPF_MOV64_IMM(1, 3), BPF_CALL_REL(2), BPF_MOV64_REG(0, 1), BPF_EXIT_INSN(),
           BPF_MOV64_REG(0, 1), BPF_EXIT_INSN());
    REJECT(-EINVAL, "cannot return stack pointer to the caller", BPF_CALL_REL(1), BPF_EXIT_INSN(),
           BPF_MOV64_REG(0, 10), BPF_EXIT_INSN());
}
