/* SPDX-License-Identifier: MIT */
/* What each pass of the compiler makes of a program: the operations that are left, as text
 * (jit/opt/print.c). */
#include "tests/unit/opt_util.h"

#include "jit/opt/live.h"
#include "maps/map.h"

TEST(opt_off_leaves_the_program_as_it_is)
{
    CHECK_STR(opt_after(0, PROG(BPF_MOV64_REG(R2, R1), BPF_ALU64_IMM(BPF_LSH, R2, 13),
                                BPF_MOV64_REG(R0, R2), BPF_EXIT_INSN())),
              "v2 = mov v1\nv2 = lsh v2, 13\nv0 = mov v2\nexit v0\n");
}

TEST(opt_copy_makes_three_address_operations)
{
    CHECK_STR(opt_after(EBPF_PASS(copy), PROG(BPF_MOV64_REG(R2, R1), BPF_ALU64_IMM(BPF_LSH, R2, 13),
                                              BPF_MOV64_REG(R0, R2), BPF_EXIT_INSN())),
              "v2 = mov v1\nv2 = lsh v1, 13\nv0 = mov v2\nexit v2\n");
}

TEST(opt_copy_folds_constants_and_addresses)
{
    CHECK_STR(opt_after(EBPF_PASS(copy), PROG(BPF_MOV64_IMM(R1, 6), BPF_ALU64_IMM(BPF_MUL, R1, 7),
                                              BPF_MOV64_REG(R0, R1), BPF_EXIT_INSN())),
              "v1 = li 0x6\nv1 = li 0x2a\nv0 = li 0x2a\nexit 42\n");
    CHECK_STR(
        opt_after(EBPF_PASS(copy), PROG(BPF_ST_MEM(BPF_DW, R10, -16, 0), BPF_MOV64_REG(R1, R10),
                                        BPF_ALU64_IMM(BPF_ADD, R1, -24),
                                        BPF_LDX_MEM(BPF_DW, R0, R1, 8), BPF_EXIT_INSN())),
        "store64 [v10-16], 0\nv1 = mov v10\nv1 = add v10, -24\nv0 = load64 [v10-16]\nexit v0\n");
}

TEST(opt_copy_forgets_a_register_that_changes)
{
    CHECK_STR(opt_after(EBPF_PASS(copy), PROG(BPF_MOV64_REG(R2, R1), BPF_ALU64_IMM(BPF_ADD, R1, 1),
                                              BPF_MOV64_REG(R0, R2), BPF_EXIT_INSN())),
              "v2 = mov v1\nv1 = add v1, 1\nv0 = mov v2\nexit v2\n");
}

TEST(opt_dead_takes_out_what_nobody_reads)
{
    CHECK_STR(opt_after(EBPF_PASS(dead), PROG(BPF_MOV64_IMM(R2, 5), BPF_ST_MEM(BPF_DW, R10, -8, 1),
                                              BPF_LDX_MEM(BPF_DW, R3, R1, 0), BPF_MOV64_IMM(R0, 1),
                                              BPF_EXIT_INSN())),
              "v0 = li 0x1\nexit v0\n");
    /* what can be seen from outside stays */
    CHECK_STR(opt_after(EBPF_PASS(dead),
                        PROG(BPF_ST_MEM(BPF_DW, R1, 0, 1), BPF_ST_MEM(BPF_DW, R10, -8, 1),
                             BPF_LDX_MEM(BPF_W, R0, R10, -8), BPF_EXIT_INSN())),
              "store64 [v1+0], 1\nstore64 [v10-8], 1\nv0 = load32 [v10-8]\nexit v0\n");
}

TEST(opt_jumps_turns_a_branch_over_a_jump_round)
{
    CHECK_STR(opt_after(EBPF_PASS(jumps),
                        PROG(BPF_ALU64_IMM(BPF_SUB, R1, 1), BPF_JMP_IMM(BPF_JEQ, R1, 0, 1),
                             BPF_JMP_A(-3), BPF_EXIT_INSN())),
              "L1:\nv1 = sub v1, 1\nbr v1 != 0, L1\nL0:\nexit v0\n");
    CHECK_STR(opt_after(EBPF_PASS(jumps),
                        PROG(BPF_ALU64_IMM(BPF_SUB, R1, 1), BPF_JMP_IMM(BPF_JSET, R1, 4, 1),
                             BPF_JMP_A(-3), BPF_EXIT_INSN())),
              "L1:\nv1 = sub v1, 1\nbr v1 !& 4, L1\nL0:\nexit v0\n");
}

TEST(opt_forms_extends_only_what_is_read)
{
    CHECK_STR(opt_after(EBPF_PASS(forms),
                        PROG(BPF_ALU32_IMM(BPF_ADD, R1, 1), BPF_STX_MEM(BPF_W, R2, R1, 0),
                             BPF_ALU32_IMM(BPF_ADD, R0, 1), BPF_EXIT_INSN())),
              "v1 = add.w.sx v1, 1\nstore32 [v2+0], v1\nv0 = add.w v0, 1\nexit v0\n");
    /* both operands sign-extended: compared as they are */
    CHECK_STR(opt_after(EBPF_PASS(forms),
                        PROG(BPF_ALU32_IMM(BPF_ADD, R1, 1), BPF_JMP32_IMM(BPF_JNE, R1, 64, -2),
                             BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN())),
              "L0:\nv1 = add.w.sx v1, 1\nbr.w.direct v1 != 64, L0\nv0 = li 0x0\nexit v0\n");
    /* one byte needs no mask */
    CHECK_STR(opt_after(EBPF_PASS(forms), PROG(BPF_LDX_MEM(BPF_B, R0, R1, 0),
                                               BPF_ALU64_IMM(BPF_AND, R0, 255), BPF_EXIT_INSN())),
              "v0 = load8 [v1+0]\nv0 = mov v0\nexit v0\n");
}

TEST(opt_combine_finds_shift_pairs_and_rotations)
{
    CHECK_STR(opt_after(EBPF_PASS(combine), PROG(BPF_ALU64_IMM(BPF_LSH, R0, 32),
                                                 BPF_ALU64_IMM(BPF_RSH, R0, 32), BPF_EXIT_INSN())),
              "v0 = zext32.w v0\nexit v0\n");
    CHECK_STR(opt_after(EBPF_PASS(combine), PROG(BPF_ALU64_IMM(BPF_LSH, R0, 32),
                                                 BPF_ALU64_IMM(BPF_RSH, R0, 40), BPF_EXIT_INSN())),
              "v0 = rsh.w v0, 8\nexit v0\n");
    mock_isa = EBPF_ISA_ZBB;
    CHECK_STR(
        opt_after(EBPF_PASS(combine) | EBPF_PASS(copy) | EBPF_PASS(dead),
                  PROG(BPF_MOV64_REG(R3, R1), BPF_ALU64_IMM(BPF_LSH, R3, 13),
                       BPF_ALU64_IMM(BPF_RSH, R1, 51), BPF_ALU64_REG(BPF_OR, R1, R3),
                       BPF_STX_MEM(BPF_DW, R2, R1, 0), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN())),
        "v1 = ror v1, 51\nstore64 [v2+0], v1\nexit 0\n");
    mock_isa = EBPF_ISA_ZBA;
    CHECK_STR(
        opt_after(EBPF_PASS(combine) | EBPF_PASS(copy) | EBPF_PASS(dead),
                  PROG(BPF_MOV64_REG(R3, R1), BPF_ALU64_IMM(BPF_LSH, R3, 2),
                       BPF_ALU64_REG(BPF_ADD, R3, R2), BPF_MOV64_REG(R0, R3), BPF_EXIT_INSN())),
        "v3 = sh2add v1, v2\nexit v3\n");
}

TEST(opt_combine_finds_single_bits_and_conditional_zeros)
{
    const uint32_t passes = EBPF_PASS(combine) | EBPF_PASS(copy) | EBPF_PASS(dead);

    mock_isa = EBPF_ISA_ZBS;
    CHECK_STR(opt_after(passes, PROG(BPF_MOV64_REG(R0, R1), BPF_ALU64_IMM(BPF_RSH, R0, 40),
                                     BPF_ALU64_IMM(BPF_AND, R0, 1), BPF_EXIT_INSN())),
              "v0 = bext v1, 40\nexit v0\n");
    CHECK_STR(opt_after(passes, PROG(BPF_MOV64_REG(R0, R1), BPF_ALU64_REG(BPF_RSH, R0, R2),
                                     BPF_ALU64_IMM(BPF_AND, R0, 1), BPF_EXIT_INSN())),
              "v0 = bext v1, v2\nexit v0\n");
    CHECK_STR(opt_after(passes, PROG(BPF_MOV64_IMM(R3, 1), BPF_ALU64_REG(BPF_LSH, R3, R2),
                                     BPF_ALU64_REG(BPF_OR, R3, R1), BPF_MOV64_REG(R0, R3),
                                     BPF_EXIT_INSN())),
              "v3 = bset v1, v2\nexit v3\n");
    CHECK_STR(opt_after(passes, PROG(BPF_MOV64_REG(R0, R1), BPF_LD_IMM64(R2, 1ull << 40),
                                     BPF_ALU64_REG(BPF_XOR, R0, R2), BPF_EXIT_INSN())),
              "v0 = xor v1, 1099511627776\nexit v0\n");
    mock_isa = EBPF_ISA_ZICOND;
    CHECK_STR(opt_after(passes, PROG(BPF_MOV64_REG(R0, R2), BPF_JMP_IMM(BPF_JEQ, R1, 0, 1),
                                     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN())),
              "v0 = mov v2\nv0 = czne v0, v1\nL0:\nexit v0\n");
    CHECK_STR(opt_after(passes, PROG(BPF_MOV64_REG(R0, R2), BPF_JMP_IMM(BPF_JNE, R1, 0, 1),
                                     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN())),
              "v0 = mov v2\nv0 = czeq v0, v1\nL0:\nexit v0\n");
    mock_isa = 0;
}

/* Each form on the hart where there is one, with edges of the bit's number. */
TEST(opt_single_bits_do_what_shifts_do)
{
    static const uint64_t values[] = {
        0, 1, 0x8000000000000000, 0x80000000, 0x123456789abcdef0, UINT64_MAX};

    for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        for (unsigned n = 0; n < 66; n += 1 + n % 7) {
            uint64_t mem[2] = {values[i], n};

            mock_isa = EBPF_ISA_ZBS;
            EXPECT(values[i] >> (n & 63) & 1, mem, BPF_LDX_MEM(BPF_DW, R2, R1, 8),
                   BPF_LDX_MEM(BPF_DW, R0, R1, 0), BPF_ALU64_REG(BPF_RSH, R0, R2),
                   BPF_ALU64_IMM(BPF_AND, R0, 1), BPF_EXIT_INSN());
            EXPECT(values[i] | 1ull << (n & 63), mem, BPF_LDX_MEM(BPF_DW, R2, R1, 8),
                   BPF_LDX_MEM(BPF_DW, R0, R1, 0), BPF_MOV64_IMM(R3, 1),
                   BPF_ALU64_REG(BPF_LSH, R3, R2), BPF_ALU64_REG(BPF_OR, R0, R3), BPF_EXIT_INSN());
            EXPECT(values[i] ^ 1ull << (n & 63), mem, BPF_LDX_MEM(BPF_DW, R0, R1, 0),
                   BPF_LD_IMM64(R3, 1ull << (n & 63)), BPF_ALU64_REG(BPF_XOR, R0, R3),
                   BPF_EXIT_INSN());
            EXPECT((values[i] & ~(1ull << (n & 31))) & UINT32_MAX, mem,
                   BPF_LDX_MEM(BPF_DW, R0, R1, 0),
                   BPF_ALU32_IMM(BPF_AND, R0, (int32_t) ~(1u << (n & 31))), BPF_EXIT_INSN());
            EXPECT((values[i] | 1u << (n & 31)) & UINT32_MAX, mem, BPF_LDX_MEM(BPF_DW, R0, R1, 0),
                   BPF_ALU32_IMM(BPF_OR, R0, (int32_t)(1u << (n & 31))), BPF_EXIT_INSN());
            mock_isa = 0;
        }
    }
}

/* What may be anything above comes from the operands' upper halves: they are live. */
TEST(opt_liveness_reckons_with_results_whose_upper_half_is_their_operands)
{
    const struct ebpf_ir_live after = {.lo = IR_BIT(1), .hi = IR_BIT(1)};
    struct ebpf_ir_op op = {.code = IR_OR, .dst = 1, .src1 = 2, .src2 = 3};

    CHECK_EQ(ebpf_ir_live_before(&op, after).hi, 0);
    op.ext = IR_EXT_ANY;
    CHECK_EQ(ebpf_ir_live_before(&op, after).hi, IR_BIT(2) | IR_BIT(3));
    op = (struct ebpf_ir_op){.code = IR_ZEXT, .dst = 1, .src1 = 2, .src2 = IR_NONE, .imm = 32};
    CHECK_EQ(ebpf_ir_live_before(&op, after).hi, 0);
    op.ext = IR_EXT_ANY;
    CHECK_EQ(ebpf_ir_live_before(&op, after).hi, IR_BIT(2));
}

TEST(opt_hoist_loads_constants_in_front_of_the_loop)
{
    CHECK_STR(opt_after(EBPF_PASS(hoist), PROG(BPF_MOV64_IMM(R1, 0), BPF_ALU64_IMM(BPF_ADD, R1, 1),
                                               BPF_JMP_IMM(BPF_JNE, R1, 256, -2), BPF_EXIT_INSN())),
              "v1 = li 0x0\nv11 = li 0x100\nL0:\nv1 = add v1, 1\nbr v1 != v11, L0\nexit v0\n");
    /* not where there is more than one way in */
    CHECK_STR(opt_after(EBPF_PASS(hoist), PROG(BPF_JMP_IMM(BPF_JEQ, R1, 0, 1), BPF_MOV64_IMM(R1, 0),
                                               BPF_ALU64_IMM(BPF_ADD, R1, 1),
                                               BPF_JMP_IMM(BPF_JNE, R1, 256, -2), BPF_EXIT_INSN())),
              "br v1 == 0, L0\nv1 = li 0x0\nL0:\nv1 = add v1, 1\nbr v1 != 256, L0\nexit v0\n");
}

/* ---- lookups --------------------------------------------------------------------------------- */

static const char *lookup_of(uint32_t type, int32_t key, bool held)
{
    const char *text = "";
    const struct ebpf_map_spec spec = {
        .type = type, .key_size = 4, .value_size = 8, .max_entries = 4};
    struct ebpf_map *map = NULL;
    struct ebpf_code code;

    CHECK_EQ(ebpf_map_create(&spec, &map), 0);
    const struct bpf_insn insns[] = {
        BPF_ST_MEM(BPF_W, R10, -4, key),
        BPF_MOV64_REG(R2, R10),
        BPF_ALU64_IMM(BPF_ADD, R2, -4),
        BPF_LD_IMM64_RAW(R1, BPF_PSEUDO_MAP_FD, (uint64_t)(uintptr_t)map),
        BPF_EMIT_CALL(1),
        BPF_JMP_IMM(BPF_JEQ, R0, 0, 2),
        BPF_MOV64_IMM(R0, 7),
        BPF_EXIT_INSN(),
        BPF_MOV64_IMM(R0, 8),
        BPF_EXIT_INSN()};
    if (engine_code(insns, sizeof(insns) / sizeof(insns[0]), &code)) {
        code.maps = &map;
        code.map_cnt = held;
        text = opt_after_code(EBPF_PASS(copy) | EBPF_PASS(lookup) | EBPF_PASS(dead), &code);
    }
    engine_code_free(&code);
    ebpf_obj_put(ebpf_map_obj(map));
    return text;
}

TEST(opt_lookup_with_a_constant_key_leaves_no_check)
{
    const char *text = lookup_of(BPF_MAP_TYPE_ARRAY, 3, true);

    CHECK(!strstr(text, "call") && !strstr(text, "br ") && strstr(text, "exit 7"));
    CHECK(!strstr(text, "store"));
    text = lookup_of(BPF_MAP_TYPE_ARRAY, 4, true); /* behind the end */
    CHECK(!strstr(text, "call") && strstr(text, "exit 8"));
}

/* The hart's number is where main's second argument points. */
TEST(opt_lookup_in_a_per_cpu_array_calls_nobody)
{
    const struct bpf_insn insns[] = {BPF_EMIT_CALL(8), BPF_EXIT_INSN()};
    const char *text = lookup_of(BPF_MAP_TYPE_PERCPU_ARRAY, 3, true);

    CHECK(!strstr(text, "call") && !strstr(text, "br ") && !strstr(text, "store"));
    CHECK(strstr(text, "exit 7"));
    text = lookup_of(BPF_MAP_TYPE_PERCPU_ARRAY, 4, true);
    CHECK(!strstr(text, "call") && strstr(text, "exit 8"));
    text = lookup_of(BPF_MAP_TYPE_PERCPU_HASH, 3, true);
    CHECK(strstr(text, "v11 = load32 [v2+") == text && strstr(text, "v3 = mov v11"));
    /* without a map there may be no struct ebpf_run: tools call compiled code like a function */
    text = opt_after(EBPF_PASS(lookup), insns, 2);
    CHECK_STR(text, "call helper 8\nexit v0\n");
}

/* An LD_IMM64 may claim anything: only maps that the program holds are looked into. */
TEST(opt_lookup_believes_only_maps_that_the_program_holds)
{
    CHECK(strstr(lookup_of(BPF_MAP_TYPE_ARRAY, 3, false), "call helper 1") != NULL);
}

TEST(opt_reports_each_failed_allocation)
{
    const struct bpf_insn insns[] = {BPF_MOV64_IMM(R1, 0), BPF_ALU32_IMM(BPF_ADD, R1, 1),
                                     BPF_JMP32_IMM(BPF_JNE, R1, 256, -2), BPF_EXIT_INSN()};
    struct ebpf_code code;
    unsigned n = 1;

    REQUIRE(engine_code(insns, 4, &code));
    for (;; n++) {
        uint8_t buf[256];
        size_t len;
        mock_fail_alloc(n);
        int err = ebpf_jit_encode(&code, 0x80000000, buf, sizeof(buf), &len);
        if (!mock_alloc_failed())
            break;
        CHECK_EQ(err, -ENOMEM);
    }
    mock_fail_alloc(0);
    CHECK(n > 10);
    engine_code_free(&code);
}
