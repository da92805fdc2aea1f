/* SPDX-License-Identifier: MIT */
/* Programs find the values of the hart that they run on, on either engine: in compiled code main
 * knows the hart's number without asking the kernel (jit/opt/lookup.c). */
#include "tests/unit/tail_util.h"

#define HARTS 4u

enum { COUNTERS, TAILS }; /* the maps of a program */

/* *lookup(COUNTERS, r10 - 4) += 1, or r0 = 99 and away; 11 slots */
#define COUNT                                                                                     \
    BPF_MOV64_REG(R2, R10), BPF_ALU64_IMM(BPF_ADD, R2, -4), MAP_IDX(R1, COUNTERS),                \
        BPF_EMIT_CALL(1), BPF_JMP_IMM(BPF_JNE, R0, 0, 2), BPF_MOV64_IMM(R0, 99), BPF_EXIT_INSN(), \
        BPF_LDX_MEM(BPF_DW, R3, R0, 0), BPF_ALU64_IMM(BPF_ADD, R3, 1),                            \
        BPF_STX_MEM(BPF_DW, R0, R3, 0)

static struct ebpf_map *create(uint32_t type, uint32_t value_size)
{
    const struct ebpf_map_spec spec = {
        .type = type, .key_size = 4, .value_size = value_size, .max_entries = 4};
    struct ebpf_map *map = NULL;

    CHECK_EQ(ebpf_map_create(&spec, &map), 0);
    return map;
}

static struct ebpf_prog *load(bool jit, struct ebpf_map *const maps[2],
                              const struct bpf_insn *insns, uint32_t cnt)
{
    const struct ebpf_prog_spec spec = {.type = BPF_PROG_TYPE_KPROBE,
                                        .insns = insns,
                                        .insn_cnt = cnt,
                                        .license = "GPL",
                                        .maps = maps,
                                        .map_cnt = 2,
                                        .caps = EBPF_CAP_ALL,
                                        .name = "test"};
    struct ebpf_prog *prog = NULL;

    mock_no_code = !jit;
    CHECK_EQ(ebpf_prog_load_unverified(&spec, &prog), 0);
    mock_no_code = false;
    if (prog)
        CHECK_EQ(ebpf_prog_is_jited(prog), jit);
    return prog;
}

/* Hart n runs it n + 1 times; each run counts so many times at key 2, and returns n. */
static void check_counts(bool jit, struct ebpf_map *const maps[2], uint64_t times,
                         const struct bpf_insn *insns, uint32_t cnt)
{
    struct ebpf_prog *prog = load(jit, maps, insns, cnt);
    uint64_t values[HARTS] = {0};
    uint32_t key = 2;

    REQUIRE(prog != NULL);
    CHECK_EQ(ebpf_map_update(maps[COUNTERS], &key, values, BPF_ANY), 0);
    for (unsigned cpu = 0; cpu < HARTS; cpu++) {
        mock_set_cpu(cpu);
        for (unsigned i = 0; i <= cpu; i++)
            CHECK_EQ(run(prog, NULL), cpu);
    }
    mock_set_cpu(0);
    CHECK_EQ(ebpf_map_lookup(maps[COUNTERS], &key, values), 0);
    for (unsigned cpu = 0; cpu < HARTS; cpu++)
        CHECK_EQ(values[cpu], times * (cpu + 1));
    put_prog(prog);
}

static void check_type(bool jit, struct ebpf_map *const maps[2])
{
    struct ebpf_prog *target;

    /* a key that is known, and no call */
    check_counts(jit, maps, 1,
                 PROG(BPF_ST_MEM(BPF_W, R10, -4, 2), COUNT, BPF_EMIT_CALL(8), BPF_EXIT_INSN()));
    /* one that is not, and a call between two */
    check_counts(jit, maps, 2,
                 PROG(BPF_MOV64_IMM(R6, 2), BPF_STX_MEM(BPF_W, R10, R6, -4), COUNT,
                      BPF_EMIT_CALL(5), COUNT, BPF_EMIT_CALL(8), BPF_EXIT_INSN()));
    /* in a loop, the number from the first operation on in use */
    check_counts(jit, maps, 5,
                 PROG(BPF_MOV64_IMM(R6, 5), BPF_ST_MEM(BPF_W, R10, -4, 2), COUNT,
                      BPF_ALU64_IMM(BPF_SUB, R6, 1), BPF_JMP_IMM(BPF_JNE, R6, 0, -13),
                      BPF_EMIT_CALL(8), BPF_EXIT_INSN()));
    /* in a function that is called twice */
    check_counts(jit, maps, 2,
                 PROG(BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 2),
                      BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 1), BPF_EXIT_INSN(),
                      BPF_ST_MEM(BPF_W, R10, -4, 2), COUNT, BPF_EMIT_CALL(8), BPF_EXIT_INSN()));
    /* and in the target of a tail call, and in front of it */
    target = load(jit, maps,
                  PROG(BPF_ST_MEM(BPF_W, R10, -4, 2), COUNT, BPF_EMIT_CALL(8), BPF_EXIT_INSN()));
    REQUIRE(target != NULL);
    CHECK_EQ(ebpf_map_set_prog(maps[TAILS], 0, target), 0);
    check_counts(jit, maps, 2,
                 PROG(BPF_MOV64_REG(R6, R1), BPF_ST_MEM(BPF_W, R10, -4, 2), COUNT,
                      BPF_MOV64_REG(R1, R6), MAP_IDX(R2, TAILS), BPF_MOV64_IMM(R3, 0),
                      BPF_EMIT_CALL(12), BPF_MOV64_IMM(R0, 98), BPF_EXIT_INSN()));
    put_prog(target);
}

TEST(programs_find_the_values_of_their_hart)
{
    static const uint32_t types[] = {BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_PERCPU_HASH,
                                     BPF_MAP_TYPE_LRU_PERCPU_HASH};

    for (unsigned t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
        for (int jit = 0; jit < LOAD_ENGINES; jit++) {
            struct ebpf_map *const maps[] = {create(types[t], 8), prog_array(1)};

            check_type(jit, maps);
            put_map(maps[COUNTERS]);
            put_map(maps[TAILS]);
        }
    }
}
