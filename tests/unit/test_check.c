/* SPDX-License-Identifier: MIT */
/* The structural check: what it refuses, and that random bytes never get further than they
 * should. */
#include "tests/unit/insn.h"
#include "tests/unit/test.h"

#include "src/base/alloc.h"
#include "src/core/prog.h"

#define R0 BPF_REG_0
#define R1 BPF_REG_1
#define R2 BPF_REG_2
#define R10 BPF_REG_10

static int check_as(const struct bpf_insn *insns, uint32_t cnt, const struct ebpf_prog_type *type)
{
    struct ebpf_code code = {.insns = ebpf_memdup(insns, cnt * sizeof(*insns)), .insn_cnt = cnt};
    int err = ebpf_code_check(&code, type, true, EBPF_CAP_ALL);

    ebpf_code_fini(&code);
    return err;
}

/* as Linux's PROG_LOAD would */
#define CHECKED(...)                                                             \
    check_as((struct bpf_insn[]){__VA_ARGS__},                                   \
             sizeof((struct bpf_insn[]){__VA_ARGS__}) / sizeof(struct bpf_insn), \
             ebpf_prog_type_find(BPF_PROG_TYPE_KPROBE))
/* as the engines need it */
#define BARE(...)                              \
    check_as((struct bpf_insn[]){__VA_ARGS__}, \
             sizeof((struct bpf_insn[]){__VA_ARGS__}) / sizeof(struct bpf_insn), NULL)

TEST(check_accepts_the_shortest_program)
{
    CHECK_EQ(CHECKED(BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()), 0);
}

TEST(check_refuses_no_instructions_and_too_many)
{
    struct ebpf_code none = {.insn_cnt = 0}, many = {.insn_cnt = EBPF_CONFIG_MAX_INSNS + 1};

    CHECK_EQ(ebpf_code_check(&none, NULL, true, 0), -E2BIG);
    CHECK_EQ(ebpf_code_check(&many, NULL, true, 0), -E2BIG);
}

TEST(check_refuses_to_fall_off_the_end)
{
    CHECK_EQ(CHECKED(BPF_MOV64_IMM(R0, 0)), -EINVAL);
    CHECK_EQ(CHECKED(BPF_MOV64_IMM(R0, 0), BPF_JMP_IMM(BPF_JEQ, R0, 0, -1)), -EINVAL);
    CHECK_EQ(CHECKED(BPF_EXIT_INSN(), BPF_LD_IMM64(R0, 0)), -EINVAL);
    CHECK_EQ(CHECKED(BPF_JMP_A(-1)), 0); /* for ever, but not off the end */
    /* a function must not fall into the next one */
    CHECK_EQ(CHECKED(BPF_CALL_REL(1), BPF_EXIT_INSN(), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()), 0);
    CHECK_EQ(CHECKED(BPF_CALL_REL(0), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()), -EINVAL);
}

TEST(check_refuses_jumps_out_of_the_function)
{
    CHECK_EQ(CHECKED(BPF_JMP_A(1), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_JMP_A(-2), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_JMP_A(32767), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_JMP32_A(2147483647), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_JMP32_A(-2147483647 - 1), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(
        CHECKED(BPF_CALL_REL(1), BPF_EXIT_INSN(), BPF_JMP_IMM(BPF_JEQ, R0, 0, -3), BPF_EXIT_INSN()),
        -EINVAL);
}

TEST(check_refuses_the_middle_of_ld_imm64)
{
    CHECK_EQ(CHECKED(BPF_JMP_A(1), BPF_LD_IMM64(R0, 0), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_CALL_REL(2), BPF_EXIT_INSN(), BPF_LD_IMM64(R0, 0), BPF_EXIT_INSN()),
             -EINVAL);
    CHECK_EQ(CHECKED(BPF_RAW_INSN(BPF_LD | BPF_DW | BPF_IMM, R0, 0, 0, 0), BPF_EXIT_INSN()),
             -EINVAL);
    CHECK_EQ(CHECKED(BPF_LD_IMM64_RAW(R0, BPF_PSEUDO_BTF_ID, 1), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_LD_IMM64_RAW(R0, BPF_PSEUDO_FUNC, 1), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_LD_IMM64_RAW(R0, 15, 1), BPF_EXIT_INSN()), -EINVAL);
}

TEST(check_refuses_reserved_fields_and_registers)
{
    CHECK_EQ(CHECKED(BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_K, R0, 1, 0, 0), BPF_EXIT_INSN()),
             -EINVAL);
    CHECK_EQ(CHECKED(BPF_RAW_INSN(BPF_ALU64 | BPF_ADD | BPF_X, R0, R1, 0, 1), BPF_EXIT_INSN()),
             -EINVAL);
    CHECK_EQ(CHECKED(BPF_RAW_INSN(BPF_ALU64 | BPF_ADD | BPF_X, R0, R1, 1, 0), BPF_EXIT_INSN()),
             -EINVAL);
    CHECK_EQ(CHECKED(BPF_RAW_INSN(BPF_ALU64 | BPF_ADD | BPF_X, R0, 11, 0, 0), BPF_EXIT_INSN()),
             -EINVAL);
    CHECK_EQ(CHECKED(BPF_RAW_INSN(BPF_ALU64 | BPF_NEG | BPF_X, R0, 0, 0, 0), BPF_EXIT_INSN()),
             -EINVAL);
    CHECK_EQ(CHECKED(BPF_MOV64_IMM(R10, 0), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_MOV64_IMM(11, 0), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_LDX_MEM(BPF_DW, R10, R1, 0), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_LDX_MEM(BPF_DW, R0, 12, 0), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_ATOMIC_OP(BPF_DW, BPF_ADD | BPF_FETCH, R1, R10, 0), BPF_EXIT_INSN()),
             -EINVAL);
    CHECK_EQ(CHECKED(BPF_ATOMIC_OP(BPF_DW, BPF_ADD, R1, R10, 0), BPF_EXIT_INSN()), 0);
    CHECK_EQ(CHECKED(BPF_ATOMIC_OP(BPF_H, BPF_ADD, R1, R2, 0), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_ATOMIC_OP(BPF_DW, BPF_SUB, R1, R2, 0), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_RAW_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 1)), -EINVAL);
    CHECK_EQ(CHECKED(BPF_RAW_INSN(BPF_JMP | BPF_JA, 0, 0, 0, 1), BPF_EXIT_INSN()), -EINVAL);
    /* callx */
    CHECK_EQ(CHECKED(BPF_RAW_INSN(BPF_JMP | BPF_CALL | BPF_X, 0, 0, 0, 5), BPF_EXIT_INSN()),
             -EINVAL);
    CHECK_EQ(
        CHECKED(BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, 1), BPF_EXIT_INSN()),
        -EINVAL);
    CHECK_EQ(CHECKED(BPF_LDX_MEMSX(BPF_DW, R0, R1, 0), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_ALU64_REG_OFF(BPF_MOV, R0, R1, 24), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_ALU32_REG_OFF(BPF_MOV, R0, R1, 32), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_ALU64_REG_OFF(BPF_MOV, R0, R1, 32), BPF_EXIT_INSN()), 0);
    CHECK_EQ(CHECKED(BPF_ENDIAN(BPF_TO_BE, R0, 24), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_RAW_INSN(BPF_ALU64 | BPF_END | BPF_TO_BE, R0, 0, 0, 16), BPF_EXIT_INSN()),
             -EINVAL);
}

TEST(check_refuses_what_linux_refuses_although_it_could_run)
{
    CHECK_EQ(CHECKED(BPF_ALU64_IMM(BPF_LSH, R0, 64), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_ALU32_IMM(BPF_RSH, R0, 32), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_ALU64_IMM(BPF_ARSH, R0, -1), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_ALU64_IMM(BPF_DIV, R0, 0), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(BARE(BPF_ALU64_IMM(BPF_LSH, R0, 64), BPF_EXIT_INSN()), 0);
    CHECK_EQ(BARE(BPF_ALU64_IMM(BPF_DIV, R0, 0), BPF_EXIT_INSN()), 0);
}

TEST(check_keeps_r10_accesses_inside_the_frame)
{
    CHECK_EQ(CHECKED(BPF_ST_MEM(BPF_DW, R10, -8, 0), BPF_EXIT_INSN()), 0);
    CHECK_EQ(CHECKED(BPF_ST_MEM(BPF_DW, R10, -512, 0), BPF_EXIT_INSN()), 0);
    CHECK_EQ(CHECKED(BPF_ST_MEM(BPF_B, R10, -1, 0), BPF_EXIT_INSN()), 0);
    CHECK_EQ(CHECKED(BPF_ST_MEM(BPF_DW, R10, -7, 0), BPF_EXIT_INSN()), -EACCES);
    CHECK_EQ(CHECKED(BPF_ST_MEM(BPF_B, R10, 0, 0), BPF_EXIT_INSN()), -EACCES);
    CHECK_EQ(CHECKED(BPF_STX_MEM(BPF_B, R10, R1, -513), BPF_EXIT_INSN()), -EACCES);
    CHECK_EQ(CHECKED(BPF_LDX_MEM(BPF_W, R0, R10, -513), BPF_EXIT_INSN()), -EACCES);
    CHECK_EQ(CHECKED(BPF_LDX_MEM(BPF_W, R0, R10, 32767), BPF_EXIT_INSN()), -EACCES);
}

TEST(check_refuses_unknown_helpers)
{
    CHECK_EQ(CHECKED(BPF_EMIT_CALL(0), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_EMIT_CALL(5), BPF_EXIT_INSN()), 0);
    CHECK_EQ(CHECKED(BPF_EMIT_CALL(100000), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(CHECKED(BPF_EMIT_CALL(-1), BPF_EXIT_INSN()), -EINVAL);
    CHECK(strstr(mock_console(), "invalid func unknown#-1"));
}

TEST(check_gpl_helpers_need_a_gpl_program)
{
    struct bpf_insn insns[] = {BPF_EMIT_CALL(6), BPF_EXIT_INSN()};
    struct ebpf_code code = {.insns = insns, .insn_cnt = 2};

    CHECK_EQ(ebpf_code_check(&code, ebpf_prog_type_find(BPF_PROG_TYPE_KPROBE), false, EBPF_CAP_ALL),
             -EINVAL);
    CHECK(strstr(mock_console(), "GPL"));
    CHECK_EQ(ebpf_code_check(&code, ebpf_prog_type_find(BPF_PROG_TYPE_KPROBE), true, EBPF_CAP_BPF),
             -EINVAL);
    CHECK(strstr(mock_console(), "program of this type cannot use helper bpf_trace_printk#6"));
}

/* A chain of n functions: main calls f1 calls f2 ... */
static int chain(unsigned n)
{
    struct bpf_insn insns[64];
    unsigned at = 0;

    for (unsigned i = 0; i + 1 < n; i++) {
        insns[at++] = BPF_CALL_REL(1);
        insns[at++] = BPF_EXIT_INSN();
    }
    insns[at++] = BPF_MOV64_IMM(R0, 0);
    insns[at++] = BPF_EXIT_INSN();
    return check_as(insns, at, NULL);
}

TEST(check_allows_eight_frames_and_no_recursion)
{
    CHECK_EQ(chain(8), 0);
    CHECK_EQ(chain(9), -E2BIG);
    CHECK_EQ(CHECKED(BPF_CALL_REL(-1), BPF_EXIT_INSN()), -E2BIG);
    /* f calls g calls f */
    CHECK_EQ(CHECKED(BPF_CALL_REL(1), BPF_EXIT_INSN(), BPF_CALL_REL(1), BPF_EXIT_INSN(),
                     BPF_CALL_REL(-3), BPF_EXIT_INSN()),
             -E2BIG);
}

TEST(check_finds_the_subprograms)
{
    struct bpf_insn insns[] = {BPF_CALL_REL(3),     BPF_CALL_REL(1), BPF_EXIT_INSN(),
                               BPF_LD_IMM64(R0, 5), BPF_EXIT_INSN(), BPF_EXIT_INSN()};
    struct ebpf_code code = {.insns = insns, .insn_cnt = 7};

    insns[0].imm = 5; /* the last exit */
    REQUIRE(!ebpf_code_check(&code, NULL, true, 0));
    CHECK_EQ(code.subprog_cnt, 3);
    CHECK_EQ(code.subprogs[1].start, 3);
    CHECK_EQ(code.subprogs[1].end, 6);
    CHECK_EQ(code.subprogs[2].start, 6);
    CHECK_EQ(code.subprogs[2].end, 7);
    ebpf_free(code.subprogs, code.subprog_cnt * sizeof(*code.subprogs));
}

TEST(check_unwinds_at_each_failed_allocation)
{
    struct bpf_insn insns[] = {BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()};

    for (unsigned n = 1;; n++) {
        struct ebpf_code code = {.insns = insns, .insn_cnt = 2};
        int err;

        mock_fail_alloc(n);
        err = ebpf_code_check(&code, NULL, true, 0);
        if (!err) {
            ebpf_free(code.subprogs, code.subprog_cnt * sizeof(*code.subprogs));
            CHECK(!mock_alloc_failed());
            break;
        }
        CHECK_EQ(err, -ENOMEM);
        CHECK(!code.subprogs);
    }
}

static uint64_t seed;

static uint32_t rnd(void)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33);
}

/* Bytes that look like instructions often enough to get far. */
static void scramble(struct bpf_insn *insns, unsigned cnt)
{
    for (unsigned i = 0; i < cnt; i++) {
        insns[i] = BPF_RAW_INSN(rnd(), rnd() % 12, rnd() % 3 ? 0 : rnd() % 12,
                                rnd() % 2 ? 0 : (int16_t)(rnd() % 20 - 10),
                                rnd() % 2 ? 0 : (int32_t)(rnd() % 20 - 10));
        if (rnd() % 4 == 0)
            insns[i] = BPF_EXIT_INSN();
    }
    if (rnd() % 4)
        insns[cnt - 1] = BPF_EXIT_INSN();
}

TEST(check_survives_random_bytes_and_its_promises_hold)
{
    const struct ebpf_prog_type *xdp = ebpf_prog_type_find(BPF_PROG_TYPE_XDP);
    struct bpf_insn insns[12];
    unsigned accepted = 0;

    seed = 42;
    for (int round = 0; round < 200000; round++) {
        unsigned cnt = 1 + rnd() % 12;
        struct ebpf_code code = {.insn_cnt = cnt};

        scramble(insns, cnt);
        code.insns = ebpf_memdup(insns, cnt * sizeof(*insns));
        if (!ebpf_code_check(&code, round % 2 ? xdp : NULL, true, EBPF_CAP_ALL)) {
            accepted++;
            REQUIRE(code.subprogs[0].start == 0 && code.subprogs[code.subprog_cnt - 1].end == cnt);
            ebpf_code_rewrite_ctx(&code, xdp); /* whatever it says, it must not crash */
        }
        ebpf_code_fini(&code);
        if (round % 1000 == 0)
            mock_console_clear();
    }
    CHECK(accepted > 1000);
}
