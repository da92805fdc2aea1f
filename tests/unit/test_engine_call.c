/* SPDX-License-Identifier: MIT */
/* Calls on the interpreter and the JIT: bpf to bpf, helpers, and what the JIT owes the C code that
 * calls it. */
#include "tests/unit/engine.h"

#define KTIME_GET_NS 5
#define GET_CURRENT_COMM 16

TEST(engine_calls_pass_five_arguments_and_return_r0)
{
    EXPECT(54321, NULL, BPF_MOV64_IMM(R1, 1), BPF_MOV64_IMM(R2, 20), BPF_MOV64_IMM(R3, 300),
           BPF_MOV64_IMM(R4, 4000), BPF_MOV64_IMM(R5, 50000), BPF_CALL_REL(1), BPF_EXIT_INSN(),
           /* function */
           BPF_MOV64_REG(R0, R1), BPF_ALU64_REG(BPF_ADD, R0, R2), BPF_ALU64_REG(BPF_ADD, R0, R3),
           BPF_ALU64_REG(BPF_ADD, R0, R4), BPF_ALU64_REG(BPF_ADD, R0, R5), BPF_EXIT_INSN());
}

TEST(engine_calls_preserve_r6_to_r9)
{
    EXPECT(0x6789, NULL, BPF_MOV64_IMM(R6, 0x6000), BPF_MOV64_IMM(R7, 0x700),
           BPF_MOV64_IMM(R8, 0x80), BPF_MOV64_IMM(R9, 9), BPF_CALL_REL(6), BPF_MOV64_REG(R0, R6),
           BPF_ALU64_REG(BPF_ADD, R0, R7), BPF_ALU64_REG(BPF_ADD, R0, R8),
           BPF_ALU64_REG(BPF_ADD, R0, R9), BPF_JMP_A(0), BPF_EXIT_INSN(),
           /* function */
           BPF_MOV64_IMM(R6, -1), BPF_MOV64_IMM(R7, -1), BPF_MOV64_IMM(R8, -1),
           BPF_MOV64_IMM(R9, -1), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN());
}

/* The only writes of r6 and r7 in the function are those of atomic operations. */
TEST(engine_calls_preserve_registers_that_atomics_fetch_into)
{
    EXPECT(56, NULL, BPF_MOV64_IMM(R6, 5), BPF_MOV64_IMM(R7, 6), BPF_CALL_REL(4),
           BPF_MOV64_REG(R0, R6), BPF_ALU64_IMM(BPF_MUL, R0, 10), BPF_ALU64_REG(BPF_ADD, R0, R7),
           BPF_EXIT_INSN(),
           /* function */
           BPF_ST_MEM(BPF_DW, R10, -8, 3), BPF_ATOMIC_OP(BPF_DW, BPF_XCHG, R10, R7, -8),
           BPF_ATOMIC_OP(BPF_W, BPF_ADD | BPF_FETCH, R10, R6, -8), BPF_MOV64_IMM(R0, 0),
           BPF_EXIT_INSN());
}

TEST(engine_calls_get_a_frame_of_their_own)
{
    /* the callee writes its whole stack; the caller's is untouched, and readable through a
     * pointer */
    EXPECT(1 + 0x55, NULL, BPF_ST_MEM(BPF_DW, R10, -8, 1), BPF_ST_MEM(BPF_DW, R10, -512, 0x55),
           BPF_MOV64_REG(R1, R10), BPF_CALL_REL(3), BPF_LDX_MEM(BPF_DW, R1, R10, -8),
           BPF_ALU64_REG(BPF_ADD, R0, R1), BPF_EXIT_INSN(),
           /* function */
           BPF_ST_MEM(BPF_DW, R10, -8, -1), BPF_ST_MEM(BPF_DW, R10, -256, -1),
           BPF_ST_MEM(BPF_DW, R10, -512, -1), BPF_LDX_MEM(BPF_DW, R0, R1, -512), BPF_EXIT_INSN());
}

/* Seven functions that each call the next, all with a full frame and all registers in use: 2^7 *
 * 3. */
TEST(engine_calls_go_eight_frames_deep)
{
    struct bpf_insn insns[8 * 8], *insn = insns;

    for (unsigned depth = 0; depth < 7; depth++) {
        *insn++ = BPF_MOV64_REG(R6, R1);
        *insn++ = BPF_STX_MEM(BPF_DW, R10, R1, -512);
        *insn++ = BPF_CALL_REL(5);
        *insn++ = BPF_LDX_MEM(BPF_DW, R1, R10, -512);
        *insn++ = BPF_JMP_REG(BPF_JEQ, R1, R6, 1);
        *insn++ = BPF_MOV64_IMM(R0, 0);
        *insn++ = BPF_ALU64_IMM(BPF_LSH, R0, 1);
        *insn++ = BPF_EXIT_INSN();
    }
    *insn++ = BPF_MOV64_IMM(R0, 3);
    *insn++ = BPF_EXIT_INSN();
    engine_expect(__FILE__, __LINE__, "eight frames", 3 << 7, NULL, insns,
                  (uint32_t)(insn - insns));
}

TEST(engine_calls_go_backwards_and_to_a_loop)
{
    /* main jumps over nothing; the function before the last one begins with the head of its own
     * loop */
    EXPECT(30, NULL, BPF_MOV64_IMM(R1, 3), BPF_CALL_REL(5), BPF_EXIT_INSN(),
           /* f: r0 = 10 */
           BPF_MOV64_IMM(R0, 10), BPF_EXIT_INSN(), BPF_JMP_A(-3), BPF_EXIT_INSN(),
           /* g: adds up f() r1 times */
           BPF_MOV64_REG(R6, R1), BPF_MOV64_IMM(R7, 0), BPF_CALL_REL(-7),
           BPF_ALU64_REG(BPF_ADD, R7, R0), BPF_ALU64_IMM(BPF_SUB, R6, 1),
           BPF_JMP_IMM(BPF_JNE, R6, 0, -4), BPF_MOV64_REG(R0, R7), BPF_EXIT_INSN());
    /* a loop to a function's first instruction does not run its prologue again */
    EXPECT(0, NULL, BPF_MOV64_IMM(R1, 100000), BPF_CALL_REL(1), BPF_EXIT_INSN(),
           BPF_ALU64_IMM(BPF_SUB, R1, 1), BPF_ST_MEM(BPF_DW, R10, -8, 1), BPF_MOV64_IMM(R6, 0),
           BPF_JMP_IMM(BPF_JNE, R1, 0, -4), BPF_MOV64_REG(R0, R6), BPF_EXIT_INSN());
}

TEST(engine_main_can_be_longer_than_its_first_exit)
{
    EXPECT(2, NULL, BPF_MOV64_IMM(R6, 1), BPF_JMP_IMM(BPF_JEQ, R6, 1, 2), BPF_MOV64_IMM(R0, 1),
           BPF_EXIT_INSN(), BPF_MOV64_IMM(R0, 2), BPF_EXIT_INSN());
}

/* ---- helpers --------------------------------------------------------------------------------- */

TEST(engine_helper_results_come_in_r0)
{
    mock_time_ns = 0xfedcba9876543210;
    EXPECT(0xfedcba9876543210, NULL, BPF_EMIT_CALL(KTIME_GET_NS), BPF_EXIT_INSN());
    /* in a function as well, and from there to main */
    EXPECT(0xfedcba9876543211, NULL, BPF_CALL_REL(2), BPF_ALU64_IMM(BPF_ADD, R0, 1),
           BPF_EXIT_INSN(), BPF_EMIT_CALL(KTIME_GET_NS), BPF_EXIT_INSN());
}

/* Each byte of the stack is in the frame: a helper's own frame does not overwrite it, and writing
 * it overwrites nothing that the function has saved. */
TEST(engine_stack_survives_helper_calls)
{
    mock_time_ns = 1;
    for (int off = -1; off >= -512; off--)
        EXPECT(0x107b + 5, NULL, BPF_MOV64_IMM(R6, 5), BPF_CALL_REL(2),
               BPF_ALU64_REG(BPF_ADD, R0, R6), BPF_EXIT_INSN(),
               /* function */
               BPF_MOV64_IMM(R6, 0x1000), BPF_ST_MEM(BPF_B, R10, (int16_t)off, 0x7b),
               BPF_EMIT_CALL(KTIME_GET_NS), BPF_LDX_MEM(BPF_B, R0, R10, (int16_t)off),
               BPF_ALU64_REG(BPF_ADD, R0, R6), BPF_EXIT_INSN());
}

TEST(engine_helpers_get_arguments_and_memory)
{
    memcpy(mock_task.comm, "abcdefg", 8);
    EXPECT(0x0067666564636261, NULL, BPF_MOV64_REG(R1, R10), BPF_ALU64_IMM(BPF_ADD, R1, -16),
           BPF_MOV64_IMM(R2, 16), BPF_EMIT_CALL(GET_CURRENT_COMM), BPF_JMP_IMM(BPF_JNE, R0, 0, 1),
           BPF_LDX_MEM(BPF_DW, R0, R10, -16), BPF_EXIT_INSN());
}

/* The mock's clock checks that it is called on a stack of 16-byte alignment (psABI): here for all
 * sizes of frames. */
TEST(engine_helpers_are_called_on_an_aligned_stack)
{
    mock_time_ns = 7;
    for (int depth = 8; depth <= 512; depth += 8) {
        for (unsigned saved = 0; saved <= 4; saved++) {
            struct bpf_insn insns[8], *insn = insns;

            *insn++ = BPF_ST_MEM(BPF_DW, R10, (int16_t)-depth, 1);
            for (unsigned n = 0; n < saved; n++)
                *insn++ = BPF_MOV64_IMM(R6 + n, 1);
            *insn++ = BPF_EMIT_CALL(KTIME_GET_NS);
            *insn++ = BPF_EXIT_INSN();
            engine_expect(__FILE__, __LINE__, "aligned call", 7, NULL, insns,
                          (uint32_t)(insn - insns));
        }
    }
}

/* ---- the C calling convention ---------------------------------------------------------------- */

#if defined(__riscv)
/* Calls fn(ctx) with known values in every register that a callee must preserve and stores all of
 * them afterwards: s0-s11, sp before and after, ra before and after, gp, tp. */
uint64_t call_and_look(uint64_t (*fn)(void *), void *ctx, uint64_t *found);
__asm__(".text\n"
        ".align 2\n"
        ".globl call_and_look\n"
        "call_and_look:\n"
        "  addi sp, sp, -128\n"
        "  sd ra, 0(sp)\n  sd s0, 8(sp)\n  sd s1, 16(sp)\n  sd s2, 24(sp)\n  sd s3, 32(sp)\n  sd "
        "s4, 40(sp)\n"
        "  sd s5, 48(sp)\n  sd s6, 56(sp)\n  sd s7, 64(sp)\n  sd s8, 72(sp)\n  sd s9, 80(sp)\n  sd "
        "s10, 88(sp)\n"
        "  sd s11, 96(sp)\n  sd a2, 104(sp)\n"
        "  sd sp, 96(a2)\n  sd gp, 112(a2)\n  sd tp, 128(a2)\n"
        "  li s0, 100\n  li s1, 101\n  li s2, 102\n  li s3, 103\n  li s4, 104\n  li s5, 105\n  li "
        "s6, 106\n  li s7, 107\n"
        "  li s8, 108\n  li s9, 109\n  li s10, 110\n  li s11, 111\n"
        "  mv t0, a0\n  mv a0, a1\n  jalr t0\n"
        "  ld a2, 104(sp)\n"
        "  sd s0, 0(a2)\n  sd s1, 8(a2)\n  sd s2, 16(a2)\n  sd s3, 24(a2)\n  sd s4, 32(a2)\n  sd "
        "s5, 40(a2)\n"
        "  sd s6, 48(a2)\n  sd s7, 56(a2)\n  sd s8, 64(a2)\n  sd s9, 72(a2)\n  sd s10, 80(a2)\n  "
        "sd s11, 88(a2)\n"
        "  sd sp, 104(a2)\n  sd gp, 120(a2)\n  sd tp, 136(a2)\n"
        "  ld ra, 0(sp)\n  ld s0, 8(sp)\n  ld s1, 16(sp)\n  ld s2, 24(sp)\n  ld s3, 32(sp)\n  ld "
        "s4, 40(sp)\n"
        "  ld s5, 48(sp)\n  ld s6, 56(sp)\n  ld s7, 64(sp)\n  ld s8, 72(sp)\n  ld s9, 80(sp)\n  ld "
        "s10, 88(sp)\n"
        "  ld s11, 96(sp)\n"
        "  addi sp, sp, 128\n"
        "  ret\n");

static void check_preserved(const struct bpf_insn *insns, uint32_t cnt, uint64_t want)
{
    struct ebpf_code code;
    struct ebpf_jit_image image = {0};
    uint64_t found[18] = {0};
    union {
        void *mem;
        uint64_t (*fn)(void *ctx);
    } entry;

    REQUIRE(engine_code(insns, cnt, &code));
    CHECK_EQ(ebpf_jit_compile(&code, &image), 0);
    entry.mem = image.mem;
    CHECK_EQ(call_and_look(entry.fn, NULL, found), want);
    for (unsigned n = 0; n < 12; n++)
        CHECK_EQ(found[n], 100 + n);
    CHECK_EQ(found[12], found[13]);
    CHECK_EQ(found[14], found[15]);
    CHECK_EQ(found[16], found[17]);
    ebpf_jit_free(&image);
    engine_code_free(&code);
}
#endif

TEST(jit_preserves_what_the_c_calling_convention_says)
{
#if defined(__riscv)
    check_preserved(PROG(BPF_MOV64_IMM(R0, 5), BPF_EXIT_INSN()), 5);
    check_preserved(PROG(BPF_MOV64_IMM(R9, 5), BPF_MOV64_REG(R0, R9), BPF_EXIT_INSN()), 5);
    check_preserved(PROG(BPF_MOV64_IMM(R6, 1), BPF_MOV64_IMM(R7, 2), BPF_MOV64_IMM(R8, 3),
                         BPF_MOV64_IMM(R9, 4), BPF_ST_MEM(BPF_DW, R10, -512, 1), BPF_CALL_REL(1),
                         BPF_EXIT_INSN(), BPF_MOV64_IMM(R6, 1), BPF_MOV64_IMM(R7, 2),
                         BPF_MOV64_IMM(R8, 3), BPF_MOV64_IMM(R9, 4), BPF_EMIT_CALL(KTIME_GET_NS),
                         BPF_MOV64_IMM(R0, 77), BPF_EXIT_INSN()),
                    77);
    check_preserved(PROG(BPF_LDX_MEM(BPF_DW, R6, R10, -8), BPF_EMIT_CALL(KTIME_GET_NS),
                         BPF_MOV64_IMM(R0, 1), BPF_EXIT_INSN()),
                    1);
    check_preserved(PROG(BPF_ST_MEM(BPF_DW, R10, -8, 3), BPF_MOV64_IMM(R7, 4),
                         BPF_ATOMIC_OP(BPF_DW, BPF_XCHG, R10, R7, -8), BPF_MOV64_REG(R0, R7),
                         BPF_EXIT_INSN()),
                    3);
#else
    test_skip("needs RV64");
#endif
}
