/* SPDX-License-Identifier: MIT */
/* bpf_tail_call() on both engines and between them: what it replaces, when it fails, what bounds
 * it. */
#include "tests/unit/tail_util.h"

#include <pthread.h>

#include "src/core/run.h"

/* adds 1 to *(u64 *)ctx, which is r1 and is kept in r6: four slots */
#define COUNT()                                                                           \
    BPF_MOV64_REG(R6, R1), BPF_LDX_MEM(BPF_DW, R7, R6, 0), BPF_ALU64_IMM(BPF_ADD, R7, 1), \
        BPF_STX_MEM(BPF_DW, R6, R7, 0)

/* r0 = 1000 + *ctx */
static struct ebpf_prog *load_target(bool jit)
{
    return load_on(
        jit, NULL,
        PROG(BPF_LDX_MEM(BPF_DW, R0, R1, 0), BPF_ALU64_IMM(BPF_ADD, R0, 1000), BPF_EXIT_INSN()));
}

TEST(tail_call_goes_on_in_the_other_program_with_the_same_context)
{
    for (int from = 0; from < LOAD_ENGINES; from++) {
        for (int to = 0; to < LOAD_ENGINES; to++) {
            struct ebpf_map *map = prog_array(4);
            struct ebpf_prog *target = load_target(to);
            struct ebpf_prog *prog =
                load_on(from, map, PROG(TAIL_CALL(2), BPF_MOV64_IMM(R0, 5), BPF_EXIT_INSN()));
            uint64_t ctx = 7;

            CHECK_EQ(run(prog, &ctx), 5); /* nothing there yet */
            CHECK_EQ(ebpf_map_set_prog(map, 2, target), 0);
            CHECK_EQ(run(prog, &ctx), 1007);
            CHECK_EQ(ebpf_map_set_prog(map, 2, NULL), 0);
            CHECK_EQ(run(prog, &ctx), 5);
            put_prog(prog);
            put_prog(target);
            put_map(map);
        }
    }
}

TEST(tail_call_that_fails_goes_on_behind_itself)
{
    static const struct {
        uint64_t index;
        bool works;
    } cases[] = {{0, true},
                 {1, false},
                 {2, false},
                 {3, false},
                 {UINT32_MAX, false},
                 {1ull << 32, true},
                 {1 | 1ull << 32, false},
                 {UINT64_MAX, false}};

    for (int jit = 0; jit < LOAD_ENGINES; jit++) {
        struct ebpf_map *map = prog_array(3);
        struct ebpf_prog *target = load_target(jit);
        uint64_t ctx = 0;

        CHECK_EQ(ebpf_map_set_prog(map, 0, target), 0);
        for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            /* registers that a call keeps are kept, and so is the stack */
            struct ebpf_prog *prog = load_on(
                jit, map,
                PROG(BPF_MOV64_IMM(R6, 3), BPF_MOV64_IMM(R9, 40), BPF_ST_MEM(BPF_DW, R10, -8, 200),
                     MAP_IDX(R2, 0), BPF_LD_IMM64(R3, cases[i].index), BPF_EMIT_CALL(12),
                     BPF_MOV64_REG(R0, R6), BPF_ALU64_REG(BPF_ADD, R0, R9),
                     BPF_LDX_MEM(BPF_DW, R1, R10, -8), BPF_ALU64_REG(BPF_ADD, R0, R1),
                     BPF_EXIT_INSN()));

            CHECK_EQ(run(prog, &ctx), cases[i].works ? 1000 : 243);
            put_prog(prog);
        }
        put_prog(target);
        put_map(map);
    }
}

TEST(tail_call_through_another_kind_of_map_fails)
{
    const struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 4};

    for (int jit = 0; jit < LOAD_ENGINES; jit++) {
        struct ebpf_map *map = NULL;
        struct ebpf_prog *prog;
        uint64_t ctx = 0;

        CHECK_EQ(ebpf_map_create(&spec, &map), 0);
        prog = load_on(jit, map, PROG(TAIL_CALL(0), BPF_MOV64_IMM(R0, 5), BPF_EXIT_INSN()));
        CHECK_EQ(run(prog, &ctx), 5);
        put_prog(prog);
        put_map(map);
    }
}

/* Linux: MAX_TAIL_CALL_CNT */
TEST(tail_call_33_times_in_a_run)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++) {
        struct ebpf_map *map = prog_array(1);
        struct ebpf_prog *prog =
            load_on(jit, map, PROG(COUNT(), TAIL_CALL(0), BPF_MOV64_IMM(R0, 9), BPF_EXIT_INSN()));

        CHECK_EQ(ebpf_map_set_prog(map, 0, prog), 0);
        for (unsigned again = 0; again < 3; again++) { /* each run counts anew */
            uint64_t ctx = 0;

            CHECK_EQ(run(prog, &ctx), 9);
            CHECK_EQ(ctx, 34);
        }
        put_prog(prog);
        put_map(map);
    }
}

TEST(tail_call_limit_counts_across_programs_and_engines)
{
    for (int first = 0; first < LOAD_ENGINES; first++) {
        for (int second = 0; second < LOAD_ENGINES; second++) {
            struct ebpf_map *map = prog_array(2);
            struct ebpf_prog *a = load_on(
                first, map, PROG(COUNT(), TAIL_CALL(1), BPF_MOV64_IMM(R0, 1), BPF_EXIT_INSN()));
            struct ebpf_prog *b = load_on(
                second, map, PROG(COUNT(), TAIL_CALL(0), BPF_MOV64_IMM(R0, 2), BPF_EXIT_INSN()));
            uint64_t ctx = 0;

            CHECK_EQ(ebpf_map_set_prog(map, 0, a), 0);
            CHECK_EQ(ebpf_map_set_prog(map, 1, b), 0);
            CHECK_EQ(run(a, &ctx), 2); /* the 33rd call enters b */
            CHECK_EQ(ctx, 34);
            put_prog(a);
            put_prog(b);
            put_map(map);
        }
    }
}

TEST(tail_call_that_finds_nothing_does_not_count)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++) {
        struct ebpf_map *map = prog_array(2);
        struct ebpf_prog *target = load_target(jit);
        struct ebpf_prog *prog = load_on(
            jit, map,
            PROG(BPF_MOV64_REG(R6, R1), BPF_MOV64_IMM(R7, 100), BPF_MOV64_REG(R1, R6), TAIL_CALL(1),
                 BPF_ALU64_IMM(BPF_SUB, R7, 1), BPF_JMP_IMM(BPF_JNE, R7, 0, -7),
                 BPF_MOV64_REG(R1, R6), TAIL_CALL(0), BPF_MOV64_IMM(R0, 1), BPF_EXIT_INSN()));
        uint64_t ctx = 5;

        CHECK_EQ(ebpf_map_set_prog(map, 0, target), 0);
        CHECK_EQ(run(prog, &ctx), 1005);
        put_prog(prog);
        put_prog(target);
        put_map(map);
    }
}

/* ---- from functions of the program ----------------------------------------------------------- */

/* The target writes every register and its whole stack. */
static struct ebpf_prog *load_scribbler(bool jit)
{
    return load_on(jit, NULL,
                   PROG(BPF_MOV64_IMM(R6, -1), BPF_MOV64_IMM(R7, -1), BPF_MOV64_IMM(R8, -1),
                        BPF_MOV64_IMM(R9, -1), BPF_ST_MEM(BPF_DW, R10, -8, -1),
                        BPF_ST_MEM(BPF_DW, R10, -512, -1), BPF_EMIT_CALL(5), BPF_MOV64_IMM(R0, 100),
                        BPF_EXIT_INSN()));
}

TEST(tail_call_from_a_function_returns_to_its_caller)
{
    for (int from = 0; from < LOAD_ENGINES; from++) {
        for (int to = 0; to < LOAD_ENGINES; to++) {
            struct ebpf_map *map = prog_array(1);
            struct ebpf_prog *target = load_scribbler(to);
            struct ebpf_prog *prog =
                load_on(from, map,
                        PROG(BPF_MOV64_IMM(R6, 1), BPF_MOV64_IMM(R7, 2), BPF_MOV64_IMM(R8, 4),
                             BPF_MOV64_IMM(R9, 8), BPF_ST_MEM(BPF_DW, R10, -8, 16), BPF_CALL_REL(8),
                             BPF_ALU64_REG(BPF_ADD, R0, R6), BPF_ALU64_REG(BPF_ADD, R0, R7),
                             BPF_ALU64_REG(BPF_ADD, R0, R8), BPF_ALU64_REG(BPF_ADD, R0, R9),
                             BPF_LDX_MEM(BPF_DW, R1, R10, -8), BPF_ALU64_REG(BPF_ADD, R0, R1),
                             BPF_JMP_A(0), BPF_EXIT_INSN(),
                             /* the function */
                             BPF_MOV64_IMM(R6, 1000), BPF_MOV64_IMM(R9, 1000),
                             BPF_ST_MEM(BPF_DW, R10, -512, 3), TAIL_CALL(0), BPF_MOV64_IMM(R0, 200),
                             BPF_EXIT_INSN()));
            uint64_t ctx = 0;

            CHECK_EQ(run(prog, &ctx), 231); /* the slot is empty: the function's own exit */
            CHECK_EQ(ebpf_map_set_prog(map, 0, target), 0);
            CHECK_EQ(run(prog, &ctx), 131);
            put_prog(prog);
            put_prog(target);
            put_map(map);
        }
    }
}

/* Each run of the program is one frame that stays; its function is what the next takes the place
 * of. Linux's selftest tailcall_bpf2bpf_2 does the same. */
TEST(tail_call_from_nested_functions_reaches_the_limit)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++) {
        struct ebpf_map *map = prog_array(1);
        struct ebpf_prog *prog = load_on(jit, map,
                                         PROG(COUNT(), BPF_MOV64_REG(R1, R6), BPF_CALL_REL(2),
                                              BPF_ALU64_IMM(BPF_ADD, R0, 1), BPF_EXIT_INSN(),
                                              TAIL_CALL(0), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()));
        uint64_t ctx = 0;

        CHECK_EQ(ebpf_map_set_prog(map, 0, prog), 0);
        /* each of 34 runs of the main function adds 1 on its way out */
        CHECK_EQ(run(prog, &ctx), 34);
        CHECK_EQ(ctx, 34);
        put_prog(prog);
        put_map(map);
    }
}

/* With large frames the stack ends before the calls do: then the tail call fails, and all is left
 * as it should. */
static void nest_large_frames(int first, int second)
{
    struct ebpf_map *map = prog_array(2);
    struct ebpf_prog *progs[2];

    for (unsigned i = 0; i < 2; i++) {
        progs[i] = load_on(i ? second : first, map,
                           PROG(COUNT(), BPF_MOV64_REG(R1, R6), BPF_ST_MEM(BPF_DW, R10, -512, 77),
                                BPF_CALL_REL(5), BPF_LDX_MEM(BPF_DW, R1, R10, -512),
                                BPF_JMP_IMM(BPF_JEQ, R1, 77, 1), BPF_MOV64_IMM(R0, -1000),
                                BPF_ALU64_IMM(BPF_ADD, R0, 1), BPF_EXIT_INSN(),
                                /* goes deeper before it tail-calls */
                                BPF_ST_MEM(BPF_DW, R10, -512, 1), BPF_CALL_REL(1), BPF_EXIT_INSN(),
                                BPF_ST_MEM(BPF_DW, R10, -512, 2), TAIL_CALL(i ? 0 : 1),
                                BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()));
    }
    CHECK_EQ(ebpf_map_set_prog(map, 0, progs[0]), 0);
    CHECK_EQ(ebpf_map_set_prog(map, 1, progs[1]), 0);
    for (unsigned again = 0; again < 2; again++) {
        uint64_t ctx = 0, ret = run(progs[0], &ctx);

        CHECK_EQ(ret, ctx);
        CHECK(ctx >= 3 && ctx <= 34);
    }
    put_prog(progs[0]);
    put_prog(progs[1]);
    put_map(map);
}

TEST(tail_call_fails_where_the_stack_could_end)
{
    for (int first = 0; first < LOAD_ENGINES; first++) {
        for (int second = 0; second < LOAD_ENGINES; second++)
            nest_large_frames(first, second);
    }
#if defined(__riscv)
    /* these ran on the program stack, and did not come near its end */
    CHECK(ebpf_stack_used(0) > 2048);
    CHECK(ebpf_stack_used(0) < EBPF_CONFIG_STACK_SIZE - 1024);
#endif
}

/* Without a run there is nothing to count and no program to go on with. */
TEST(tail_call_outside_of_a_run_fails)
{
    struct ebpf_map *map = prog_array(1);
    struct bpf_insn insns[] = {BPF_LD_IMM64(R2, (uint64_t)(uintptr_t)map), BPF_MOV64_IMM(R3, 0),
                               BPF_EMIT_CALL(12), BPF_MOV64_IMM(R0, 3), BPF_EXIT_INSN()};
    struct ebpf_code code = {.insns = insns, .insn_cnt = sizeof(insns) / sizeof(insns[0])};

    CHECK_EQ(ebpf_code_check(&code, NULL, true, EBPF_CAP_ALL), 0);
    CHECK_EQ(ebpf_interp(&code, NULL), 3);
    ebpf_os_free(code.subprogs, code.subprog_cnt * sizeof(*code.subprogs));
    put_map(map);
}

/* ---- while others change the array ----------------------------------------------------------- */

#define TURNS 2000

struct changes {
    struct ebpf_map *map;
    int jit;
    bool done;
};

/* A program of its own each time, which only the array and a run can keep alive. */
static void *change(void *arg)
{
    struct changes *c = arg;

    mock_set_cpu(1);
    for (int i = 0; i < TURNS; i++) {
        struct ebpf_prog *target =
            load_on(c->jit, NULL, PROG(BPF_MOV64_IMM(R0, i + 1), BPF_EXIT_INSN()));

        CHECK_EQ(ebpf_map_set_prog(c->map, 0, target), 0);
        put_prog(target);
        if (i % 3 == 0)
            CHECK_EQ(ebpf_map_set_prog(c->map, 0, NULL), 0);
    }
    __atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
    return NULL;
}

TEST(tail_call_never_enters_a_program_that_is_gone)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++) {
        struct changes c = {.map = prog_array(1), .jit = jit};
        struct ebpf_prog *prog =
            load_on(jit, c.map, PROG(TAIL_CALL(0), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()));
        uint64_t ctx = 0, last = 0;
        pthread_t thread;

        REQUIRE(pthread_create(&thread, NULL, change, &c) == 0);
        while (!__atomic_load_n(&c.done, __ATOMIC_ACQUIRE)) {
            uint64_t ret = run(prog, &ctx);

            if (ret != 0) {
                CHECK(ret >= last && ret <= TURNS); /* never an older one */
                last = ret;
            }
        }
        pthread_join(thread, NULL);
        put_prog(prog);
        put_map(c.map);
    }
}
