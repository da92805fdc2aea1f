/* SPDX-License-Identifier: MIT */
/* Helpers that call functions of the program: bpf_loop() and bpf_for_each_map_elem(), on both
 * engines. */
#include "tests/unit/tail_util.h"

#include "maps/map.h"
#include "src/core/run.h"

#define R5 BPF_REG_5
#define LOOP 181
#define FOR_EACH 164
#define FUNC(DST, DISTANCE) BPF_LD_IMM64_RAW(DST, BPF_PSEUDO_FUNC, DISTANCE)

/* Runs a program on each engine that there is. */
static void expect_map(const char *file, int line, uint64_t want, struct ebpf_map *map,
                       const struct bpf_insn *insns, uint32_t cnt)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++) {
        struct ebpf_prog *prog = load_on(jit, map, insns, cnt);
        uint64_t ctx = 0, got = prog ? run(prog, &ctx) : ~want;

        if (got != want)
            test_fail(file, line, "%s: r0 is 0x%llx, expected 0x%llx", jit ? "JIT" : "interpreter",
                      (unsigned long long)got, (unsigned long long)want);
        put_prog(prog);
    }
}
#define EXPECT(want, ...) expect_map(__FILE__, __LINE__, want, NULL, PROG(__VA_ARGS__))

/* r0 = bpf_loop(TIMES, the function that begins SLOTS behind the call, r10 - 8, 0): seven slots */
#define CALL_LOOP(TIMES, SLOTS)                                              \
    BPF_MOV64_IMM(R1, TIMES), FUNC(R2, 5 + (SLOTS)), BPF_MOV64_REG(R3, R10), \
        BPF_ALU64_IMM(BPF_ADD, R3, -8), BPF_MOV64_IMM(R4, 0), BPF_EMIT_CALL(LOOP)

/* *(u64 *)r2 += r1; four slots before the return value */
#define ADD_INDEX() \
    BPF_LDX_MEM(BPF_DW, R3, R2, 0), BPF_ALU64_REG(BPF_ADD, R3, R1), BPF_STX_MEM(BPF_DW, R2, R3, 0)

TEST(loop_calls_the_function_with_each_index_and_its_context)
{
    /* 0 + 1 + ... + 99, and 100 as the result */
    EXPECT(4950 + 100, BPF_ST_MEM(BPF_DW, R10, -8, 0), CALL_LOOP(100, 3),
           BPF_LDX_MEM(BPF_DW, R1, R10, -8), BPF_ALU64_REG(BPF_ADD, R0, R1), BPF_EXIT_INSN(),
           /* function */
           BPF_MOV64_IMM(R0, 0), ADD_INDEX(), BPF_EXIT_INSN());
    /* not once */
    EXPECT(5, BPF_ST_MEM(BPF_DW, R10, -8, 5), CALL_LOOP(0, 3), BPF_LDX_MEM(BPF_DW, R1, R10, -8),
           BPF_ALU64_REG(BPF_ADD, R0, R1), BPF_EXIT_INSN(),
           /* function */
           BPF_MOV64_IMM(R0, 0), ADD_INDEX(), BPF_EXIT_INSN());
}

TEST(loop_ends_when_the_function_has_had_enough)
{
    /* returns 1 at index 6: seven calls */
    EXPECT(7, CALL_LOOP(100, 1), BPF_EXIT_INSN(),
           /* function */
           BPF_MOV64_IMM(R0, 0), BPF_JMP_IMM(BPF_JNE, R1, 6, 1), BPF_MOV64_IMM(R0, 1),
           BPF_EXIT_INSN());
}

TEST(loop_refuses_flags_and_too_many_rounds)
{
    EXPECT((uint64_t)-EINVAL, BPF_MOV64_IMM(R1, 1), FUNC(R2, 5), BPF_MOV64_IMM(R3, 0),
           BPF_MOV64_IMM(R4, 1), BPF_EMIT_CALL(LOOP), BPF_EXIT_INSN(),
           /* function */
           BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN());
    EXPECT((uint64_t)-E2BIG, CALL_LOOP((8 << 20) + 1, 1), BPF_EXIT_INSN(),
           /* function */
           BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN());
    /* the number is a u32 */
    EXPECT(2, BPF_LD_IMM64(R1, 2 | 1ull << 32), FUNC(R2, 5), BPF_MOV64_IMM(R3, 0),
           BPF_MOV64_IMM(R4, 0), BPF_EMIT_CALL(LOOP), BPF_EXIT_INSN(),
           /* function */
           BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN());
}

TEST(loop_runs_as_often_as_linux_allows)
{
    EXPECT(8 << 20, CALL_LOOP(8 << 20, 1), BPF_EXIT_INSN(),
           /* function */
           BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN());
}

TEST(loop_keeps_the_caller_s_registers_and_stack)
{
    EXPECT(1 + 20 + 300 + 4000 + 50000, BPF_MOV64_IMM(R6, 1), BPF_MOV64_IMM(R7, 20),
           BPF_MOV64_IMM(R8, 300), BPF_MOV64_IMM(R9, 4000), BPF_ST_MEM(BPF_DW, R10, -512, 50000),
           CALL_LOOP(3, 7), BPF_LDX_MEM(BPF_DW, R0, R10, -512), BPF_ALU64_REG(BPF_ADD, R0, R6),
           BPF_ALU64_REG(BPF_ADD, R0, R7), BPF_ALU64_REG(BPF_ADD, R0, R8),
           BPF_ALU64_REG(BPF_ADD, R0, R9), BPF_JMP_A(0), BPF_EXIT_INSN(),
           /* function: writes all that is its own */
           BPF_MOV64_IMM(R6, -1), BPF_MOV64_IMM(R7, -1), BPF_MOV64_IMM(R8, -1),
           BPF_MOV64_IMM(R9, -1), BPF_ST_MEM(BPF_DW, R10, -8, -1),
           BPF_ST_MEM(BPF_DW, R10, -512, -1), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN());
}

/* A function may be called by a helper and by the program. */
TEST(loop_function_can_be_called_directly_too)
{
    EXPECT(45 + 7, BPF_ST_MEM(BPF_DW, R10, -8, 0), CALL_LOOP(10, 8), BPF_MOV64_IMM(R1, 7),
           BPF_MOV64_REG(R2, R10), BPF_ALU64_IMM(BPF_ADD, R2, -8), BPF_CALL_REL(4),
           BPF_JMP_IMM(BPF_JNE, R0, 0, 1), BPF_LDX_MEM(BPF_DW, R0, R10, -8), BPF_EXIT_INSN(),
           BPF_EXIT_INSN(),
           /* function */
           BPF_MOV64_IMM(R0, 0), ADD_INDEX(), BPF_EXIT_INSN());
}

/* Functions that each loop over the next one, with a whole frame each, at whose end a pointer to
 * the counter is handed on: rounds^levels calls of the last. */
static unsigned nest(struct bpf_insn *insns, unsigned levels, int rounds)
{
    unsigned at = 0;

    insns[at++] = BPF_ST_MEM(BPF_DW, R10, -8, 0);
    insns[at++] = BPF_MOV64_REG(R2, R10);
    insns[at++] = BPF_ALU64_IMM(BPF_ADD, R2, -8);
    for (unsigned level = 0; level < levels; level++) {
        const struct bpf_insn body[] = {
            BPF_STX_MEM(BPF_DW, R10, R2, -512),
            BPF_MOV64_REG(R3, R10),
            BPF_ALU64_IMM(BPF_ADD, R3, -512),
            BPF_MOV64_IMM(R1, rounds),
            FUNC(R2, level ? 5 : 6),
            BPF_MOV64_IMM(R4, 0),
            BPF_EMIT_CALL(LOOP),
        };

        if (level)
            insns[at++] = BPF_LDX_MEM(BPF_DW, R2, R2, 0);
        memcpy(&insns[at], body, sizeof(body));
        at += sizeof(body) / sizeof(body[0]);
        insns[at++] = BPF_MOV64_IMM(R0, 0);
        if (!level)
            insns[at++] = BPF_LDX_MEM(BPF_DW, R0, R10, -8);
        insns[at++] = BPF_EXIT_INSN();
    }
    insns[at++] = BPF_LDX_MEM(BPF_DW, R2, R2, 0);
    insns[at++] = BPF_LDX_MEM(BPF_DW, R3, R2, 0);
    insns[at++] = BPF_ALU64_IMM(BPF_ADD, R3, 1);
    insns[at++] = BPF_STX_MEM(BPF_DW, R2, R3, 0);
    insns[at++] = BPF_MOV64_IMM(R0, 0);
    insns[at++] = BPF_EXIT_INSN();
    return at;
}

TEST(loop_nests_to_eight_frames)
{
    struct bpf_insn insns[128];
    struct ebpf_prog *prog = NULL;

    for (unsigned levels = 1; levels <= 7; levels++) {
        uint64_t want = 1;

        for (unsigned i = 0; i < levels; i++)
            want *= 3;
        expect_map(__FILE__, __LINE__, want, NULL, insns, nest(insns, levels, 3));
    }
    CHECK_EQ(try_load(false, BPF_PROG_TYPE_KPROBE, NULL, insns, nest(insns, 8, 3), &prog), -E2BIG);
    CHECK(strstr(mock_console(), "frames is too deep"));
}

#if defined(__riscv)
/* The deepest nest leaves what src/core/tail_call.c counts for helpers and traps. */
TEST(loop_nest_fits_the_program_stack)
{
    struct bpf_insn insns[128];

    for (int jit = 0; jit < LOAD_ENGINES; jit++) {
        struct ebpf_prog *prog = load_on(jit, NULL, insns, nest(insns, 7, 2));
        uint64_t ctx = 0;

        ebpf_stack_paint();
        CHECK_EQ(run(prog, &ctx), 128);
        CHECK(ebpf_stack_used(0) > 7 * 512);
        if (ebpf_stack_used(0) > 6912)
            test_fail(__FILE__, __LINE__, "%zu bytes of stack", ebpf_stack_used(0));
        put_prog(prog);
    }
}
#endif

TEST(loop_function_must_not_be_main_or_call_itself)
{
    struct ebpf_prog *prog = NULL;

    CHECK_EQ(try_load(false, BPF_PROG_TYPE_KPROBE, NULL,
                      PROG(BPF_MOV64_IMM(R0, 0), FUNC(R2, -2), BPF_EXIT_INSN()), &prog),
             -EINVAL);
    CHECK_EQ(try_load(false, BPF_PROG_TYPE_KPROBE, NULL,
                      PROG(CALL_LOOP(1, 1), BPF_EXIT_INSN(),
                           /* function */
                           CALL_LOOP(1, -7), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
                      &prog),
             -E2BIG);
    CHECK_EQ(try_load(false, BPF_PROG_TYPE_KPROBE, NULL,
                      PROG(FUNC(R2, 100), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()), &prog),
             -EINVAL);
    /* into the middle of an instruction */
    CHECK_EQ(try_load(false, BPF_PROG_TYPE_KPROBE, NULL,
                      PROG(FUNC(R2, 4), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN(), BPF_LD_IMM64(R0, 0),
                           BPF_EXIT_INSN()),
                      &prog),
             -EINVAL);
}

/* The same tail call works in main, and fails in a function that bpf_loop() calls. */
TEST(loop_function_cannot_tail_call)
{
    for (int from = 0; from < LOAD_ENGINES; from++) {
        for (int to = 0; to < LOAD_ENGINES; to++) {
            struct ebpf_map *map = prog_array(1);
            struct ebpf_prog *target =
                load_on(to, NULL, PROG(BPF_MOV64_IMM(R0, 1000), BPF_EXIT_INSN()));
            struct ebpf_prog *prog =
                load_on(from, map,
                        PROG(BPF_MOV64_REG(R6, R1), BPF_STX_MEM(BPF_DW, R10, R1, -8),
                             CALL_LOOP(3, 8), BPF_MOV64_REG(R7, R0), BPF_MOV64_REG(R1, R6),
                             TAIL_CALL(0), BPF_MOV64_IMM(R0, 1), BPF_EXIT_INSN(),
                             /* function */
                             BPF_LDX_MEM(BPF_DW, R1, R2, 0), TAIL_CALL(0), BPF_MOV64_IMM(R0, 0),
                             BPF_EXIT_INSN()));
            uint64_t ctx = 0;

            CHECK_EQ(run(prog, &ctx), 1);
            CHECK_EQ(ebpf_map_set_prog(map, 0, target), 0);
            CHECK_EQ(run(prog, &ctx), 1000); /* main's; all three of the function's went on */
            put_prog(prog);
            put_prog(target);
            put_map(map);
        }
    }
}

/* The target of a tail call may loop, whichever engine the caller ran on. */
TEST(loop_works_behind_a_tail_call)
{
    for (int from = 0; from < LOAD_ENGINES; from++) {
        for (int to = 0; to < LOAD_ENGINES; to++) {
            struct ebpf_map *map = prog_array(1);
            struct ebpf_prog *target =
                load_on(to, NULL,
                        PROG(BPF_ST_MEM(BPF_DW, R10, -8, 0), CALL_LOOP(10, 2),
                             BPF_LDX_MEM(BPF_DW, R0, R10, -8), BPF_EXIT_INSN(),
                             /* function */
                             BPF_MOV64_IMM(R0, 0), ADD_INDEX(), BPF_EXIT_INSN()));
            struct ebpf_prog *prog = load_on(from, map,
                                             PROG(BPF_CALL_REL(1), BPF_EXIT_INSN(), TAIL_CALL(0),
                                                  BPF_MOV64_IMM(R0, 1), BPF_EXIT_INSN()));
            uint64_t ctx = 0;

            CHECK_EQ(ebpf_map_set_prog(map, 0, target), 0);
            CHECK_EQ(run(prog, &ctx), 45);
            put_prog(prog);
            put_prog(target);
            put_map(map);
        }
    }
}

/* ---- for_each_map_elem --------------------------------------------------------------------- */

static struct ebpf_map *make_map(uint32_t type, uint32_t key_size, uint32_t entries)
{
    const struct ebpf_map_spec spec = {
        .type = type, .key_size = key_size, .value_size = 8, .max_entries = entries};
    struct ebpf_map *map = NULL;

    CHECK_EQ(ebpf_map_create(&spec, &map), 0);
    return map;
}

static bool no_walk(struct ebpf_map *map)
{
    if (ebpf_map_ops(map->type)->for_each)
        return false;
    test_skip("the type has no for_each yet");
    put_map(map);
    return true;
}

/* sum of key * 1000 + value over all elements, plus how many there were * 1000000 */
#define SUM_ALL()                                                                        \
    BPF_ST_MEM(BPF_DW, R10, -8, 0), MAP_IDX(R1, 0), FUNC(R2, 9), BPF_MOV64_REG(R3, R10), \
        BPF_ALU64_IMM(BPF_ADD, R3, -8), BPF_MOV64_IMM(R4, 0), BPF_EMIT_CALL(FOR_EACH),   \
        BPF_LDX_MEM(BPF_DW, R1, R10, -8), BPF_ALU64_IMM(BPF_MUL, R0, 1000000),           \
        BPF_ALU64_REG(BPF_ADD, R0, R1), BPF_EXIT_INSN(), /* function */                  \
        BPF_LDX_MEM(BPF_W, R5, R2, 0), BPF_ALU64_IMM(BPF_MUL, R5, 1000),                 \
        BPF_LDX_MEM(BPF_DW, R0, R3, 0), BPF_ALU64_REG(BPF_ADD, R5, R0),                  \
        BPF_LDX_MEM(BPF_DW, R0, R4, 0), BPF_ALU64_REG(BPF_ADD, R0, R5),                  \
        BPF_STX_MEM(BPF_DW, R4, R0, 0), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()

TEST(for_each_visits_each_element_with_key_and_value)
{
    const uint32_t types[] = {BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_LRU_HASH};

    for (unsigned t = 0; t < 3; t++) {
        struct ebpf_map *map = make_map(types[t], 4, 10);
        uint64_t want = 10 * 1000000;

        if (no_walk(map))
            return;
        for (uint32_t key = 0; key < 10; key++) {
            uint64_t value = key * key;

            CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_ANY), 0);
            want += key * 1000 + value;
        }
        expect_map(__FILE__, __LINE__, want, map, PROG(SUM_ALL()));
        put_map(map);
    }
}

TEST(for_each_stops_and_deletes_when_told)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++) {
        struct ebpf_map *map = make_map(BPF_MAP_TYPE_HASH, 4, 8);
        /* deletes what it sees; stops after the third */
        struct ebpf_prog *prog =
            load_on(jit, map,
                    PROG(BPF_ST_MEM(BPF_DW, R10, -8, 0), MAP_IDX(R1, 0), FUNC(R2, 6),
                         BPF_MOV64_REG(R3, R10), BPF_ALU64_IMM(BPF_ADD, R3, -8),
                         BPF_MOV64_IMM(R4, 0), BPF_EMIT_CALL(FOR_EACH), BPF_EXIT_INSN(),
                         /* function: r1 map, r2 key, r4 counter */
                         BPF_MOV64_REG(R6, R4), BPF_EMIT_CALL(3), BPF_LDX_MEM(BPF_DW, R1, R6, 0),
                         BPF_ALU64_IMM(BPF_ADD, R1, 1), BPF_STX_MEM(BPF_DW, R6, R1, 0),
                         BPF_MOV64_IMM(R0, 0), BPF_JMP_IMM(BPF_JNE, R1, 3, 1), BPF_MOV64_IMM(R0, 1),
                         BPF_EXIT_INSN()));
        uint64_t ctx = 0;
        uint32_t left = 0;

        if (no_walk(map)) {
            put_prog(prog);
            return;
        }
        for (uint32_t key = 0; key < 8; key++) {
            uint64_t value = 1;

            CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_ANY), 0);
        }
        CHECK_EQ(run(prog, &ctx), 3);
        for (uint32_t key = 0; key < 8; key++) {
            uint64_t value;

            left += ebpf_map_lookup(map, &key, &value) == 0;
        }
        CHECK_EQ(left, 5);
        CHECK_EQ(run(prog, &ctx), 3);
        CHECK_EQ(run(prog, &ctx), 2);
        CHECK_EQ(run(prog, &ctx), 0);
        put_prog(prog);
        put_map(map);
    }
}

TEST(for_each_refuses_flags_and_other_maps)
{
    struct ebpf_map *map = make_map(BPF_MAP_TYPE_ARRAY, 4, 3);

    expect_map(__FILE__, __LINE__, (uint64_t)-EINVAL, map,
               PROG(MAP_IDX(R1, 0), FUNC(R2, 5), BPF_MOV64_IMM(R3, 0), BPF_MOV64_IMM(R4, 1),
                    BPF_EMIT_CALL(FOR_EACH), BPF_EXIT_INSN(),
                    /* function */
                    BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()));
    put_map(map);
    map = make_map(BPF_MAP_TYPE_QUEUE, 0, 3);
    expect_map(__FILE__, __LINE__, (uint64_t)-ENOTSUPP, map,
               PROG(MAP_IDX(R1, 0), FUNC(R2, 5), BPF_MOV64_IMM(R3, 0), BPF_MOV64_IMM(R4, 0),
                    BPF_EMIT_CALL(FOR_EACH), BPF_EXIT_INSN(),
                    /* function */
                    BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()));
    put_map(map);
}
