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

/* ---- global functions ------------------------------------------------------------------------ */

/* int main_prog(ctx) calls int g(type) with r1 as `set` leaves it, from instruction 4 on. */
#define CALLS_G(...) __VA_ARGS__, BPF_CALL_REL(2), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()

static uint32_t global_of(uint32_t at, unsigned argc, uint32_t type)
{
    return funcs_add(&f, "g", true, at, f.number, argc, type, type, type, type, type, type);
}

static void begin_global(void)
{
    funcs_begin(&f);
    funcs_main(&f);
}

TEST(global_function_takes_any_number)
{
    begin_global();
    global_of(4, 1, f.number);
    EXPECT(&f, 0, "", CALLS_G(BPF_MOV64_IMM(R1, 7)), BPF_MOV64_REG(R0, R1), BPF_EXIT_INSN());
    EXPECT(&f, -EINVAL, "Caller passes invalid args into func#1 ('g')",
           CALLS_G(BPF_MOV64_REG(R1, R10)), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN());
    /* it is not the caller's number that it is verified for */
    EXPECT(&f, -EACCES, "R9 !read_ok", CALLS_G(BPF_MOV64_IMM(R1, 7)),
           BPF_JMP_IMM(BPF_JEQ, R1, 7, 1), BPF_MOV64_REG(R0, R9), BPF_MOV64_IMM(R0, 0),
           BPF_EXIT_INSN());
}

TEST(global_function_takes_the_context)
{
    begin_global();
    global_of(3, 1, f.skb);
    EXPECT(&f, 0, "", MAIN_CALLS_SUB, BPF_LDX_MEM(BPF_W, R0, R1, 0), BPF_EXIT_INSN());
    f.info[1].insn_off = 4;
    EXPECT(&f, -EINVAL, "arg#0 expects pointer to ctx", CALLS_G(BPF_MOV64_IMM(R1, 0)),
           BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN());
    EXPECT(&f, -EINVAL, "arg#0 expects pointer to ctx", CALLS_G(BPF_MOV64_REG(R1, R10)),
           BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN());
}

/* A pointer to a struct of 8 bytes, or NULL. */
TEST(global_function_takes_memory_of_its_types_size)
{
    begin_global();
    global_of(6, 1, f.pair);
#define WITH_PAIR(size, ...)                                                                     \
    BPF_ST_MEM(BPF_DW, R10, -8, 0), BPF_MOV64_REG(R1, R10), BPF_ALU64_IMM(BPF_ADD, R1, -(size)), \
        BPF_CALL_REL(2), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN(), __VA_ARGS__, BPF_EXIT_INSN()
    EXPECT(&f, 0, "",
           WITH_PAIR(8, BPF_MOV64_IMM(R0, 0), BPF_JMP_IMM(BPF_JEQ, R1, 0, 1),
                     BPF_LDX_MEM(BPF_DW, R0, R1, 0)));
    EXPECT(&f, -EACCES, "R1 invalid mem access 'mem_or_null'",
           WITH_PAIR(8, BPF_LDX_MEM(BPF_DW, R0, R1, 0)));
    EXPECT(&f, -EACCES, "invalid access to memory, mem_size=8 off=4 size=8",
           WITH_PAIR(8, BPF_MOV64_IMM(R0, 0), BPF_JMP_IMM(BPF_JEQ, R1, 0, 1),
                     BPF_LDX_MEM(BPF_DW, R0, R1, 4)));
    EXPECT(&f, -EINVAL, "Caller passes invalid args into func#1 ('g')",
           WITH_PAIR(4, BPF_MOV64_IMM(R0, 0)));
    f.info[1].insn_off = 4;
    EXPECT(&f, 0, "", CALLS_G(BPF_MOV64_IMM(R1, 0)), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN());
    EXPECT(&f, -EINVAL, "Caller passes invalid args into func#1 ('g')",
           CALLS_G(BPF_MOV64_IMM(R1, 1)), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN());
}

TEST(global_function_arguments_have_tags)
{
    begin_global();
    funcs_tag(&f, global_of(6, 1, f.pair), 0, "arg:nonnull");
    EXPECT(&f, 0, "", WITH_PAIR(8, BPF_LDX_MEM(BPF_DW, R0, R1, 0)));
    f.info[1].insn_off = 4;
    f.ours_alone = true; /* Linux looks for pointers that may be NULL, and 0 is none */
    EXPECT(&f, -EINVAL, "Caller passes invalid args into func#1 ('g')",
           CALLS_G(BPF_MOV64_IMM(R1, 0)), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN());
    begin_global();
    funcs_tag(&f, global_of(4, 1, f.number), 0, "arg:nonnull");
    EXPECT(&f, -EINVAL, "arg#0 has pointer tag, but is not a pointer type",
           CALLS_G(BPF_MOV64_IMM(R1, 0)), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN());
    begin_global();
    funcs_tag(&f, global_of(4, 1, f.pair), 0, "arg:mine");
    EXPECT(&f, -EOPNOTSUPP, "arg#0 has unsupported set of tags", CALLS_G(BPF_MOV64_IMM(R1, 0)),
           BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN());
    begin_global();
    funcs_tag(&f, global_of(4, 1, f.pair), 0, "arg:nullable");
    EXPECT(&f, -EINVAL, "arg#0 has invalid combination of tags", CALLS_G(BPF_MOV64_IMM(R1, 0)),
           BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN());
}

TEST(global_function_types_are_checked)
{
    static const struct bpf_insn insns[] = {CALLS_G(BPF_MOV64_IMM(R1, 0)), BPF_MOV64_IMM(R0, 0),
                                            BPF_EXIT_INSN()};
    uint32_t cnt = sizeof(insns) / sizeof(insns[0]), type;

    begin_global();
    global_of(4, 6, f.number);
    funcs_expect(&f, __FILE__, __LINE__, -EINVAL,
                 "Global function g() with 6 > 5 args. Buggy compiler.", insns, cnt);
    begin_global();
    funcs_add(&f, "g", true, 4, f.pair, 1, f.number);
    funcs_expect(&f, __FILE__, __LINE__, -EINVAL,
                 "Global function g() doesn't return scalar. Only those are supported.", insns,
                 cnt);
    begin_global();
    type = bb_add_ref(&f.b, BTF_KIND_PTR, 0); /* void * */
    global_of(4, 1, type);
    funcs_expect(&f, __FILE__, __LINE__, -EINVAL, "size cannot be determined", insns, cnt);
    begin_global();
    type = bb_add(&f.b, "big", BTF_KIND_STRUCT, 0, false, 4); /* by value */
    global_of(4, 1, type);
    funcs_expect(&f, __FILE__, __LINE__, -EINVAL, "is not supported yet.", insns, cnt);
}

TEST(global_function_returns_a_number_that_nobody_knows)
{
    begin_global();
    global_of(5, 1, f.number);
    EXPECT(&f, -EACCES, "R9 !read_ok", BPF_MOV64_IMM(R1, 0), BPF_CALL_REL(3),
           BPF_JMP_IMM(BPF_JEQ, R0, 3, 1), BPF_MOV64_REG(R0, R9), BPF_EXIT_INSN(),
           BPF_MOV64_IMM(R0, 3), BPF_EXIT_INSN());
    f.info[1].insn_off = 4;
    EXPECT(&f, -EINVAL, "At subprogram exit the register R0 is not a scalar value",
           CALLS_G(BPF_MOV64_IMM(R1, 0)), BPF_MOV64_REG(R0, R10), BPF_EXIT_INSN());
}

TEST(global_function_that_nobody_calls_is_not_verified)
{
    begin_global();
    funcs_add(&f, "static", false, 4, f.number, 0);
    global_of(7, 1, f.number);
    EXPECT(&f, 0, "", BPF_MOV64_IMM(R0, 0), BPF_JMP_IMM(BPF_JEQ, R0, 0, 1), BPF_CALL_REL(1),
           BPF_EXIT_INSN(), BPF_MOV64_IMM(R1, 0), BPF_CALL_REL(1), BPF_EXIT_INSN(),
           BPF_MOV64_REG(R0, R9), BPF_EXIT_INSN());
}

TEST(global_functions_do_not_recurse)
{
    begin_global();
    global_of(4, 1, f.number);
    EXPECT(&f, -E2BIG, "the call stack of", CALLS_G(BPF_MOV64_IMM(R1, 0)), BPF_CALL_REL(-1),
           BPF_EXIT_INSN());
}
