/* SPDX-License-Identifier: MIT */
/* Functions of a program as its types describe them: what BTF must say, and what global functions
 * are verified for. Linux is asked the same, where it may be. */
#include "tests/unit/func_util.h"

#define R0 BPF_REG_0
#define R1 BPF_REG_1
#define R2 BPF_REG_2
#define R3 BPF_REG_3
#define R6 BPF_REG_6
#define R7 BPF_REG_7
#define R9 BPF_REG_9
#define R10 BPF_REG_10
#define LD_ABS(OFF) BPF_RAW_INSN(BPF_LD | BPF_ABS | BPF_B, 0, 0, 0, OFF)
#define LD_IND(SRC) BPF_RAW_INSN(BPF_LD | BPF_IND | BPF_B, 0, SRC, 0, 0)

static struct funcs f;

/* ---- packet loads in functions --------------------------------------------------------------- */

/* A main function, and another one from instruction 3 on. */
static void main_and_sub(void)
{
    funcs_begin(&f);
    funcs_main(&f);
    funcs_add(&f, "sub", false, 3, f.number, 1, f.skb);
}

#define MAIN_CALLS_SUB BPF_CALL_REL(2), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()

TEST(packet_loads_are_for_functions_that_return_a_number)
{
    main_and_sub();
    EXPECT(&f, 0, "", MAIN_CALLS_SUB, BPF_MOV64_REG(R6, R1), LD_ABS(0), BPF_EXIT_INSN());
    EXPECT(&f, 0, "", MAIN_CALLS_SUB, BPF_MOV64_REG(R6, R1), BPF_MOV64_IMM(R7, 4), LD_IND(R7),
           BPF_EXIT_INSN());
    for (int kind = 0; kind < 2; kind++) {
        funcs_begin(&f);
        funcs_main(&f);
        funcs_add(&f, "sub", false, 3, kind ? f.pair : 0, 1, f.skb);
        EXPECT(&f, -EINVAL, "LD_ABS is only allowed in functions that return 'int'.",
               MAIN_CALLS_SUB, BPF_MOV64_REG(R6, R1), LD_ABS(0), BPF_EXIT_INSN());
    }
}

TEST(packet_loads_and_tail_calls_in_functions_need_types)
{
    main_and_sub();
    f.cnt = 0;
    EXPECT(&f, -EINVAL, "LD_ABS is not allowed in subprogs without BTF", MAIN_CALLS_SUB,
           BPF_MOV64_REG(R6, R1), LD_ABS(0), BPF_EXIT_INSN());
    EXPECT(&f, -EINVAL, "tail_call is not allowed in subprogs without BTF", MAIN_CALLS_SUB,
           BPF_EMIT_CALL(12), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN());
    EXPECT(&f, 0, "", BPF_MOV64_REG(R6, R1), LD_ABS(0), BPF_EXIT_INSN());
}

/* The function ends with 0 where the packet has no such byte. */
TEST(packet_load_in_a_function_has_two_ways_out)
{
    const struct bpf_insn load = LD_ABS(0);

    funcs_begin(&f);
    funcs_main(&f);
    funcs_add(&f, "sub", false, 4, f.number, 1, f.skb);
    EXPECT(&f, -EACCES, "R9 !read_ok", BPF_CALL_REL(3), BPF_JMP_IMM(BPF_JEQ, R0, 1, 1),
           BPF_MOV64_REG(R0, R9), BPF_EXIT_INSN(), BPF_MOV64_REG(R6, R1), load,
           BPF_MOV64_IMM(R0, 1), BPF_EXIT_INSN());
    f.info[1].insn_off = 5;
    EXPECT(&f, 0, "", BPF_CALL_REL(4), BPF_JMP_IMM(BPF_JEQ, R0, 1, 2),
           BPF_JMP_IMM(BPF_JEQ, R0, 0, 1), BPF_MOV64_REG(R0, R9), BPF_EXIT_INSN(),
           BPF_MOV64_REG(R6, R1), load, BPF_MOV64_IMM(R0, 1), BPF_EXIT_INSN());
}

/* ---- callbacks ------------------------------------------------------------------------------- */

#define R4 BPF_REG_4
/* bpf_loop(4, the function at `to` slots behind the first slot of its address, NULL, 0) */
#define LOOP(to)                                                                              \
    BPF_MOV64_IMM(R1, 4), BPF_LD_IMM64_RAW(R2, BPF_PSEUDO_FUNC, (uint32_t)(to)),              \
        BPF_MOV64_IMM(R3, 0), BPF_MOV64_IMM(R4, 0), BPF_EMIT_CALL(181), BPF_MOV64_IMM(R0, 0), \
        BPF_EXIT_INSN()

static void main_and_callback(bool global)
{
    funcs_begin(&f);
    funcs_main(&f);
    funcs_add(&f, "callback", global, 8, f.number, 2, f.number, f.number);
}

TEST(callbacks_are_static_functions_with_types)
{
    main_and_callback(false);
    EXPECT(&f, 0, "", LOOP(6), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN());
    f.cnt = 0;
    EXPECT(&f, -EINVAL, "missing btf func_info", LOOP(6), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN());
    main_and_callback(true);
    EXPECT(&f, -EINVAL, "callback function not static", LOOP(6), BPF_MOV64_IMM(R0, 0),
           BPF_EXIT_INSN());
    funcs_begin(&f);
    funcs_add(&f, "main_prog", false, 0, f.number, 1, f.skb);
    f.ours_alone = true; /* 6.12 says so, some before and behind it run into the depth of calls */
    EXPECT(&f, -EINVAL, "callback function cannot be the main program", LOOP(-2));
}

TEST(callbacks_return_numbers_that_the_helper_knows)
{
    main_and_callback(false);
    EXPECT(&f, 0, "", LOOP(6), BPF_MOV64_IMM(R0, 1), BPF_EXIT_INSN());
    EXPECT(&f, -EINVAL, "At callback return the register R0", LOOP(6), BPF_MOV64_IMM(R0, 2),
           BPF_EXIT_INSN());
    EXPECT(&f, -EACCES, "R0 not a scalar value", LOOP(6), BPF_EXIT_INSN());
    EXPECT(&f, -EINVAL, "cannot return stack pointer to the caller", LOOP(6),
           BPF_MOV64_REG(R0, R10), BPF_EXIT_INSN());
}
