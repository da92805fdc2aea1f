/* SPDX-License-Identifier: MIT */
/* Rewriting of context accesses: where the pointer may go, and what becomes of the loads. */
#include "tests/unit/insn.h"
#include "tests/unit/test.h"

#include "src/base/alloc.h"
#include "src/core/prog.h"

#define R0 BPF_REG_0
#define R1 BPF_REG_1
#define R2 BPF_REG_2
#define R3 BPF_REG_3
#define R6 BPF_REG_6
#define R10 BPF_REG_10

/* a made-up type: a pointer, a writable number, a read-only number */
static const struct ebpf_ctx_field fields[] = {
    {.off = 0, .size = 4, .kernel_size = 8, .kernel_off = 40},
    {.off = 4, .size = 4, .kernel_size = 4, .kernel_off = 20, .writable = true},
    {.off = 8, .size = 4, .kernel_size = 4, .kernel_off = 24},
};
static const struct ebpf_prog_type type = {.fields = fields, .field_cnt = 3, .ctx_size = 12};

/* Checks and rewrites; insns[at] comes back in *out. */
static int rewrite(const struct bpf_insn *insns, uint32_t cnt, uint32_t at, struct bpf_insn *out)
{
    struct ebpf_code code = {.insns = ebpf_memdup(insns, cnt * sizeof(*insns)), .insn_cnt = cnt};
    int err = ebpf_code_check(&code, NULL, true, EBPF_CAP_ALL);

    if (err)
        test_fail(__FILE__, __LINE__, "the structural check refuses the test's program: %d", err);
    else
        err = ebpf_code_rewrite_ctx(&code, &type);
    if (out)
        *out = code.insns[at];
    ebpf_code_fini(&code);
    return err;
}

#define PROG(...)                     \
    (struct bpf_insn[]){__VA_ARGS__}, \
        sizeof((struct bpf_insn[]){__VA_ARGS__}) / sizeof(struct bpf_insn)

static void check_insn(const struct bpf_insn *insn, unsigned code, int off)
{
    CHECK_EQ(insn->code, code);
    CHECK_EQ(insn->off, off);
}

TEST(ctx_loads_take_the_kernels_width_and_place)
{
    struct bpf_insn insn;

    CHECK_EQ(rewrite(PROG(BPF_LDX_MEM(BPF_W, R0, R1, 0), BPF_EXIT_INSN()), 0, &insn), 0);
    check_insn(&insn, BPF_LDX | BPF_MEM | BPF_DW, 40);
    CHECK_EQ(rewrite(PROG(BPF_LDX_MEM(BPF_W, R0, R1, 8), BPF_EXIT_INSN()), 0, &insn), 0);
    check_insn(&insn, BPF_LDX | BPF_MEM | BPF_W, 24);
    CHECK_EQ(rewrite(PROG(BPF_LDX_MEM(BPF_B, R0, R1, 10), BPF_EXIT_INSN()), 0, &insn), 0);
    check_insn(&insn, BPF_LDX | BPF_MEM | BPF_B, 26);
}

TEST(ctx_accesses_outside_the_table_are_refused)
{
    CHECK_EQ(rewrite(PROG(BPF_LDX_MEM(BPF_W, R0, R1, 12), BPF_EXIT_INSN()), 0, NULL), -EACCES);
    CHECK_EQ(rewrite(PROG(BPF_LDX_MEM(BPF_W, R0, R1, 2), BPF_EXIT_INSN()), 0, NULL), -EACCES);
    CHECK_EQ(rewrite(PROG(BPF_LDX_MEM(BPF_W, R0, R1, -4), BPF_EXIT_INSN()), 0, NULL), -EACCES);
    CHECK_EQ(rewrite(PROG(BPF_LDX_MEM(BPF_DW, R0, R1, 0), BPF_EXIT_INSN()), 0, NULL), -EACCES);
    /* half a pointer */
    CHECK_EQ(rewrite(PROG(BPF_LDX_MEM(BPF_H, R0, R1, 0), BPF_EXIT_INSN()), 0, NULL), -EACCES);
    CHECK_EQ(rewrite(PROG(BPF_LDX_MEMSX(BPF_W, R0, R1, 8), BPF_EXIT_INSN()), 0, NULL), -EACCES);
    CHECK_EQ(rewrite(PROG(BPF_ATOMIC_OP(BPF_W, BPF_ADD, R1, R2, 4), BPF_EXIT_INSN()), 0, NULL),
             -EACCES);
}

TEST(ctx_stores_go_to_writable_fields_only)
{
    struct bpf_insn insn;

    CHECK_EQ(rewrite(PROG(BPF_ST_MEM(BPF_W, R1, 4, 9), BPF_EXIT_INSN()), 0, &insn), 0);
    check_insn(&insn, BPF_ST | BPF_MEM | BPF_W, 20);
    CHECK_EQ(rewrite(PROG(BPF_ST_MEM(BPF_W, R1, 8, 9), BPF_EXIT_INSN()), 0, NULL), -EACCES);
    CHECK_EQ(rewrite(PROG(BPF_ST_MEM(BPF_B, R1, 4, 9), BPF_EXIT_INSN()), 0, NULL), -EACCES);
}

TEST(ctx_is_followed_through_moves_spills_and_branches)
{
    struct bpf_insn insn;

    CHECK_EQ(
        rewrite(PROG(BPF_MOV64_REG(R6, R1), BPF_STX_MEM(BPF_DW, R10, R6, -16), BPF_MOV64_IMM(R1, 0),
                     BPF_MOV64_IMM(R6, 0), BPF_LDX_MEM(BPF_DW, R3, R10, -16),
                     BPF_LDX_MEM(BPF_W, R0, R3, 0), BPF_EXIT_INSN()),
                5, &insn),
        0);
    check_insn(&insn, BPF_LDX | BPF_MEM | BPF_DW, 40);
    /* both ways round a branch */
    CHECK_EQ(rewrite(PROG(BPF_MOV64_REG(R6, R1), BPF_JMP_IMM(BPF_JEQ, R2, 0, 1),
                          BPF_MOV64_IMM(R2, 7), BPF_LDX_MEM(BPF_W, R0, R6, 4), BPF_EXIT_INSN()),
                     3, &insn),
             0);
    check_insn(&insn, BPF_LDX | BPF_MEM | BPF_W, 20);
    /* a loop */
    CHECK_EQ(rewrite(PROG(BPF_MOV64_REG(R6, R1), BPF_LDX_MEM(BPF_W, R0, R6, 4),
                          BPF_JMP_IMM(BPF_JNE, R0, 0, -2), BPF_EXIT_INSN()),
                     1, &insn),
             0);
    check_insn(&insn, BPF_LDX | BPF_MEM | BPF_W, 20);
}

TEST(ctx_and_other_pointers_at_one_access_are_refused)
{
    CHECK_EQ(rewrite(PROG(BPF_MOV64_REG(R6, R1), BPF_JMP_IMM(BPF_JEQ, R2, 0, 1),
                          BPF_MOV64_REG(R6, R3), BPF_LDX_MEM(BPF_W, R0, R6, 4), BPF_EXIT_INSN()),
                     0, NULL),
             -EACCES);
    /* in a loop, seen only the second time round */
    CHECK_EQ(rewrite(PROG(BPF_MOV64_REG(R6, R1), BPF_LDX_MEM(BPF_W, R0, R6, 4),
                          BPF_MOV64_REG(R6, R10), BPF_JMP_IMM(BPF_JNE, R0, 0, -3), BPF_EXIT_INSN()),
                     0, NULL),
             -EACCES);
}

TEST(ctx_other_memory_is_left_alone)
{
    struct bpf_insn insn;

    CHECK_EQ(rewrite(PROG(BPF_LDX_MEM(BPF_W, R0, R2, 0), BPF_EXIT_INSN()), 0, &insn), 0);
    check_insn(&insn, BPF_LDX | BPF_MEM | BPF_W, 0);
    /* after a call r1 is something else; and a store over the spilled pointer ends it */
    CHECK_EQ(
        rewrite(PROG(BPF_EMIT_CALL(5), BPF_LDX_MEM(BPF_W, R0, R1, 0), BPF_EXIT_INSN()), 1, &insn),
        0);
    check_insn(&insn, BPF_LDX | BPF_MEM | BPF_W, 0);
    CHECK_EQ(rewrite(PROG(BPF_STX_MEM(BPF_DW, R10, R1, -8), BPF_ST_MEM(BPF_B, R10, -3, 0),
                          BPF_LDX_MEM(BPF_DW, R2, R10, -8), BPF_LDX_MEM(BPF_W, R0, R2, 0),
                          BPF_EXIT_INSN()),
                     3, &insn),
             0);
    check_insn(&insn, BPF_LDX | BPF_MEM | BPF_W, 0);
    /* an access over two slots ends both */
    CHECK_EQ(rewrite(PROG(BPF_STX_MEM(BPF_DW, R10, R1, -8), BPF_ST_MEM(BPF_DW, R10, -12, 0),
                          BPF_LDX_MEM(BPF_DW, R2, R10, -8), BPF_LDX_MEM(BPF_W, R0, R2, 0),
                          BPF_EXIT_INSN()),
                     3, &insn),
             0);
    check_insn(&insn, BPF_LDX | BPF_MEM | BPF_W, 0);
}

TEST(ctx_must_not_go_out_of_sight)
{
    CHECK_EQ(rewrite(PROG(BPF_ALU64_IMM(BPF_ADD, R1, 4), BPF_EXIT_INSN()), 0, NULL), -EACCES);
    CHECK_EQ(rewrite(PROG(BPF_ALU64_REG(BPF_ADD, R2, R1), BPF_EXIT_INSN()), 0, NULL), -EACCES);
    CHECK_EQ(rewrite(PROG(BPF_MOV32_REG(R2, R1), BPF_EXIT_INSN()), 0, NULL), -EACCES);
    CHECK_EQ(rewrite(PROG(BPF_STX_MEM(BPF_DW, R2, R1, 0), BPF_EXIT_INSN()), 0, NULL), -EACCES);
    CHECK_EQ(rewrite(PROG(BPF_STX_MEM(BPF_DW, R10, R1, -12), BPF_EXIT_INSN()), 0, NULL), -EACCES);
    CHECK_EQ(rewrite(PROG(BPF_STX_MEM(BPF_W, R10, R1, -8), BPF_EXIT_INSN()), 0, NULL), -EACCES);
    CHECK_EQ(rewrite(PROG(BPF_MOV64_REG(R0, R1), BPF_EXIT_INSN()), 0, NULL), -EACCES);
}

TEST(ctx_goes_into_functions_as_an_argument)
{
    struct bpf_insn insn;

    CHECK_EQ(rewrite(PROG(BPF_MOV64_REG(R2, R1), BPF_MOV64_IMM(R1, 0), BPF_CALL_REL(1),
                          BPF_EXIT_INSN(), BPF_LDX_MEM(BPF_W, R0, R2, 0), BPF_EXIT_INSN()),
                     4, &insn),
             0);
    check_insn(&insn, BPF_LDX | BPF_MEM | BPF_DW, 40);
    /* two callers that do not agree */
    CHECK_EQ(rewrite(PROG(BPF_MOV64_REG(R6, R1), BPF_CALL_REL(3), BPF_MOV64_REG(R1, R10),
                          BPF_CALL_REL(1), BPF_EXIT_INSN(), BPF_LDX_MEM(BPF_W, R0, R1, 0),
                          BPF_EXIT_INSN()),
                     0, NULL),
             -EACCES);
}

TEST(ctx_rewriting_unwinds_at_each_failed_allocation)
{
    struct bpf_insn insns[] = {BPF_LDX_MEM(BPF_W, R0, R1, 0), BPF_EXIT_INSN()};
    struct ebpf_code code = {.insns = insns, .insn_cnt = 2};

    for (unsigned n = 1; n <= 2; n++) {
        mock_fail_alloc(n);
        CHECK_EQ(ebpf_code_rewrite_ctx(&code, &type), -ENOMEM);
        CHECK(mock_alloc_failed());
    }
}
