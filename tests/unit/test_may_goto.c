/* SPDX-License-Identifier: MIT */
/* may_goto on both engines: what its counter counts, and what the check refuses. (Vectors:
 * tests/conformance.) */
#include "tests/unit/tail_util.h"

static uint64_t run_on(bool jit, const struct bpf_insn *insns, uint32_t cnt)
{
    struct ebpf_prog *prog = load_on(jit, NULL, insns, cnt);
    uint64_t ret = prog ? run(prog, NULL) : 0;

    put_prog(prog);
    return ret;
}

TEST(may_goto_ends_a_loop_without_end)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++)
        CHECK_EQ(run_on(jit, PROG(BPF_MOV64_IMM(R0, 0), MAY_GOTO(2), BPF_ALU64_IMM(BPF_ADD, R0, 1),
                                  BPF_JMP_A(-3), BPF_EXIT_INSN())),
                 EBPF_MAX_LOOPS);
}

TEST(may_goto_of_one_function_share_a_counter)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++)
        CHECK_EQ(run_on(jit, PROG(BPF_MOV64_IMM(R0, 0), BPF_MOV64_IMM(R6, 0), MAY_GOTO(2),
                                  BPF_ALU64_IMM(BPF_ADD, R6, 1),
                                  BPF_JMP_IMM(BPF_JLT, R6, 8000000, -3), MAY_GOTO(2),
                                  BPF_ALU64_IMM(BPF_ADD, R0, 1), BPF_JMP_A(-3), BPF_EXIT_INSN())),
                 EBPF_MAX_LOOPS - 8000000);
}

/* Linux keeps the counter in the frame. */
TEST(may_goto_every_call_of_a_function_has_its_own_counter)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++)
        CHECK_EQ(run_on(jit, PROG(BPF_CALL_REL(4), BPF_MOV64_REG(R6, R0), BPF_CALL_REL(2),
                                  BPF_ALU64_REG(BPF_ADD, R0, R6), BPF_EXIT_INSN(),
                                  BPF_MOV64_IMM(R0, 0), MAY_GOTO(2), BPF_ALU64_IMM(BPF_ADD, R0, 1),
                                  BPF_JMP_IMM(BPF_JLT, R0, 5000000, -3), BPF_EXIT_INSN())),
                 10000000);
}

TEST(may_goto_a_tail_calls_target_counts_anew)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++) {
        struct ebpf_map *map = prog_array(1);
        struct ebpf_prog *prog =
            load_on(jit, map,
                    PROG(BPF_MOV64_REG(R6, R1), BPF_MOV64_IMM(R0, 0), MAY_GOTO(2),
                         BPF_ALU64_IMM(BPF_ADD, R0, 1), BPF_JMP_A(-3),
                         BPF_LDX_MEM(BPF_DW, R7, R6, 0), BPF_ALU64_REG(BPF_ADD, R7, R0),
                         BPF_STX_MEM(BPF_DW, R6, R7, 0), BPF_JMP_IMM(BPF_JGT, R7, 20000000, 5),
                         BPF_MOV64_REG(R1, R6), TAIL_CALL(0), BPF_EXIT_INSN()));
        uint64_t ctx = 0;

        CHECK_EQ(ebpf_map_set_prog(map, 0, prog), 0);
        run(prog, &ctx);
        CHECK_EQ(ctx, 3ull * EBPF_MAX_LOOPS);
        put_prog(prog);
        put_map(map);
    }
}

static int check(const struct bpf_insn insn)
{
    const struct bpf_insn insns[] = {BPF_LD_IMM64(R0, 0), insn, BPF_LD_IMM64(R0, 0),
                                     BPF_EXIT_INSN()};
    struct ebpf_prog *prog = NULL;
    int err =
        try_load(false, BPF_PROG_TYPE_KPROBE, NULL, insns, sizeof(insns) / sizeof(insns[0]), &prog);

    put_prog(prog);
    return err;
}

TEST(may_goto_reserved_fields_and_targets)
{
    CHECK_EQ(check(MAY_GOTO(0)), 0);
    CHECK_EQ(check(MAY_GOTO(2)), 0);
    CHECK_EQ(check(MAY_GOTO(-1)), 0);
    CHECK_EQ(check(MAY_GOTO(1)), -EINVAL);  /* the middle of an LD_IMM64 */
    CHECK_EQ(check(MAY_GOTO(-2)), -EINVAL); /* of the other */
    CHECK_EQ(check(MAY_GOTO(3)), -EINVAL);
    CHECK_EQ(check(MAY_GOTO(-4)), -EINVAL);
    CHECK_EQ(check(BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 1, 0, 2, 0)), -EINVAL);
    CHECK_EQ(check(BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 1, 2, 0)), -EINVAL);
    CHECK_EQ(check(BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 0, 2, 1)), -EINVAL);
    CHECK_EQ(check(BPF_RAW_INSN(BPF_JMP | BPF_JCOND | BPF_X, 0, 0, 2, 0)), -EINVAL);
    CHECK_EQ(check(BPF_RAW_INSN(BPF_JMP32 | BPF_JCOND, 0, 0, 2, 0)), -EINVAL);
    CHECK_EQ(check(BPF_RAW_INSN(BPF_JMP | 0xf0, 0, 0, 2, 0)), -EINVAL);
}

/* Not the last instruction: it falls through. */
TEST(may_goto_does_not_end_a_function)
{
    struct ebpf_prog *prog = NULL;

    CHECK_EQ(try_load(false, BPF_PROG_TYPE_KPROBE, NULL, PROG(BPF_MOV64_IMM(R0, 0), MAY_GOTO(-2)),
                      &prog),
             -EINVAL);
}
