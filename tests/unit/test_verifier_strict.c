/* SPDX-License-Identifier: MIT */
/* The strict mode (docs/VERIFIER.md, section 10): what loaders without EBPF_CAP_PERFMON are refused,
 * and those with it are not. Stores into values and records are in test_verifier_mem.c. */
#include "tests/unit/verify_util.h"

#define R0 BPF_REG_0
#define R1 BPF_REG_1
#define R2 BPF_REG_2
#define R3 BPF_REG_3
#define R4 BPF_REG_4
#define R6 BPF_REG_6
#define R10 BPF_REG_10
#define RETURN_0 BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()

/* Refused in the strict mode, and only there. */
#define STRICT_ONLY(text, ...)                     \
    do {                                           \
        REJECT_STRICT(-EACCES, text, __VA_ARGS__); \
        ACCEPT(__VA_ARGS__);                       \
    } while (0)

TEST(verifier_strict_keeps_stack_pointers_where_they_are_known)
{
    STRICT_ONLY("variable stack access prohibited for !root", BPF_ST_MEM(BPF_DW, R10, -8, 0),
                BPF_ST_MEM(BPF_DW, R10, -16, 0), BPF_LDX_MEM(BPF_W, R3, R1, 0),
                BPF_ALU64_IMM(BPF_AND, R3, 7), BPF_MOV64_REG(R2, R10),
                BPF_ALU64_IMM(BPF_ADD, R2, -16), BPF_ALU64_REG(BPF_ADD, R2, R3), RETURN_0);
    STRICT_ONLY("stack pointer arithmetic goes out of range, prohibited for !root",
                BPF_MOV64_REG(R2, R10), BPF_ALU64_IMM(BPF_ADD, R2, 8), RETURN_0);
    STRICT_ONLY("stack pointer arithmetic goes out of range, prohibited for !root",
                BPF_MOV64_REG(R2, R10), BPF_ALU64_IMM(BPF_ADD, R2, -520), RETURN_0);
}

TEST(verifier_strict_does_not_cut_pointers)
{
    STRICT_ONLY("attempt to corrupt spilled pointer on stack", BPF_STX_MEM(BPF_DW, R10, R1, -8),
                BPF_ST_MEM(BPF_B, R10, -8, 0), RETURN_0);
    STRICT_ONLY("partial copy of pointer", BPF_MOV32_REG(R2, R1), RETURN_0);
    STRICT_ONLY("pointer -= pointer prohibited", BPF_MOV64_REG(R2, R10),
                BPF_ALU64_REG(BPF_SUB, R2, R1), RETURN_0);
    REJECT_STRICT(-EACCES, "invalid read from stack off -8+0 size 4",
                  BPF_STX_MEM(BPF_DW, R10, R1, -8), BPF_LDX_MEM(BPF_W, R0, R10, -8),
                  BPF_EXIT_INSN());
}

TEST(verifier_strict_does_not_compare_pointers)
{
    STRICT_ONLY("pointer comparison prohibited", BPF_JMP_IMM(BPF_JEQ, R1, 5, 0), RETURN_0);
    STRICT_ONLY("pointer comparison prohibited", BPF_JMP_IMM(BPF_JGT, R10, 0, 0), RETURN_0);
    STRICT_ONLY("pointer comparison prohibited", BPF_MOV64_IMM(R2, 7),
                BPF_JMP_REG(BPF_JGE, R2, R1, 0), RETURN_0);
}

/* bpf_strtol(r10 - 8, 8, 0, r10 - 16) */
#define STRTOL                                                                         \
    BPF_MOV64_REG(R1, R10), BPF_ALU64_IMM(BPF_ADD, R1, -8), BPF_MOV64_IMM(R2, 8),      \
        BPF_MOV64_IMM(R3, 0), BPF_MOV64_REG(R4, R10), BPF_ALU64_IMM(BPF_ADD, R4, -16), \
        BPF_EMIT_CALL(105), RETURN_0

TEST(verifier_strict_shows_neither_helpers_nor_programs_what_was_on_the_stack)
{
    STRICT_ONLY("invalid read from stack", BPF_LDX_MEM(BPF_DW, R0, R10, -8), BPF_EXIT_INSN());
    STRICT_ONLY("invalid read from stack", STRTOL);
    STRICT_ONLY("invalid read from stack", BPF_STX_MEM(BPF_DW, R10, R1, -8), STRTOL);
}
