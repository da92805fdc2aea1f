/* SPDX-License-Identifier: MIT */
/* Stack slots in registers, and loads of what was just stored: what programs become, and what they
 * must not notice. */
#include "tests/unit/opt_util.h"

#define CALL(off) BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, off)
#define KTIME_GET_NS 5
#define PROBE_READ_KERNEL 113

static const char *slots(const struct bpf_insn *insns, uint32_t cnt)
{
    return opt_after(EBPF_PASS(slots), insns, cnt);
}

static const char *forward(const struct bpf_insn *insns, uint32_t cnt)
{
    return opt_after(EBPF_PASS(forward), insns, cnt);
}

/* ---- slots ----------------------------------------------------------------------------------- */

TEST(slots_become_registers)
{
    CHECK_STR(slots(PROG(BPF_STX_MEM(BPF_DW, R10, R1, -8), BPF_ST_MEM(BPF_DW, R10, -16, 7),
                         BPF_LDX_MEM(BPF_DW, R0, R10, -8), BPF_LDX_MEM(BPF_DW, R2, R10, -16),
                         BPF_EXIT_INSN())),
              "v11 = mov v1\nv12 = li 0x7\nv0 = mov v11\nv2 = mov v12\nexit v0\n");
}

/* A store keeps so many bytes, a load extends them. */
TEST(slots_are_as_wide_as_they_were)
{
    CHECK_STR(slots(PROG(BPF_STX_MEM(BPF_B, R10, R1, -1), BPF_STX_MEM(BPF_W, R10, R2, -8),
                         BPF_ST_MEM(BPF_H, R10, -12, -1), BPF_LDX_MEM(BPF_B, R0, R10, -1),
                         BPF_LDX_MEMSX(BPF_W, R3, R10, -8), BPF_LDX_MEM(BPF_H, R4, R10, -12),
                         BPF_EXIT_INSN())),
              "v11 = zext8 v1\nv12 = zext32.w v2\nv13 = li 0xffff\nv0 = mov v11\nv3 = sext32 "
              "v12\nv4 = mov v13\nexit v0\n");
    EXPECT(0x12, NULL, BPF_MOV64_IMM(R1, 0x345612), BPF_STX_MEM(BPF_B, R10, R1, -1),
           BPF_LDX_MEM(BPF_B, R0, R10, -1), BPF_EXIT_INSN());
    EXPECT((uint64_t)-2, NULL, BPF_MOV64_IMM(R1, 0x3400fffe), BPF_STX_MEM(BPF_H, R10, R1, -2),
           BPF_LDX_MEMSX(BPF_H, R0, R10, -2), BPF_EXIT_INSN());
}

static const char *keep(const struct bpf_insn *insns, uint32_t cnt)
{
    const char *text = opt_after(EBPF_PASS(slots), insns, cnt);

    return strstr(text, "v11") ? text : "memory";
}

/* Bytes that are also accessed in another way stay where they are. */
TEST(slots_need_all_accesses_alike)
{
    CHECK_STR(keep(PROG(BPF_STX_MEM(BPF_DW, R10, R1, -8), BPF_LDX_MEM(BPF_W, R0, R10, -8),
                        BPF_EXIT_INSN())),
              "memory");
    CHECK_STR(keep(PROG(BPF_STX_MEM(BPF_DW, R10, R1, -8), BPF_LDX_MEM(BPF_DW, R0, R10, -8),
                        BPF_STX_MEM(BPF_B, R10, R1, -3), BPF_EXIT_INSN())),
              "memory");
    CHECK_STR(
        keep(PROG(BPF_STX_MEM(BPF_DW, R10, R1, -8), BPF_ATOMIC_OP(BPF_DW, BPF_ADD, R10, R1, -8),
                  BPF_LDX_MEM(BPF_DW, R0, R10, -8), BPF_EXIT_INSN())),
        "memory");
    EXPECT(0x55ff, NULL, BPF_ST_MEM(BPF_DW, R10, -8, 0x5500), BPF_ST_MEM(BPF_B, R10, -8, 0xff),
           BPF_LDX_MEM(BPF_DW, R0, R10, -8), BPF_EXIT_INSN());
}

/* What has got an address sees what is above it, and nothing below. */
TEST(slots_are_not_what_an_address_goes_to)
{
    const char *text = slots(PROG(
        BPF_STX_MEM(BPF_DW, R10, R1, -8), BPF_STX_MEM(BPF_DW, R10, R1, -24), BPF_MOV64_REG(R3, R1),
        BPF_MOV64_REG(R1, R10), BPF_ALU64_IMM(BPF_ADD, R1, -16), BPF_MOV64_IMM(R2, 8),
        BPF_EMIT_CALL(PROBE_READ_KERNEL), BPF_LDX_MEM(BPF_DW, R0, R10, -8),
        BPF_LDX_MEM(BPF_DW, R1, R10, -24), BPF_LDX_MEM(BPF_DW, R1, R10, -24),
        BPF_LDX_MEM(BPF_DW, R1, R10, -24), BPF_EXIT_INSN()));

    CHECK(strstr(text, "store64 [v10-8], v1") && strstr(text, "v0 = load64 [v10-8]"));
    CHECK(strstr(text, "v11 = mov v1") && !strstr(text, "[v10-24]"));
    /* a function may look below what it is given */
    CHECK_STR(keep(PROG(BPF_STX_MEM(BPF_DW, R10, R1, -16), BPF_MOV64_REG(R1, R10),
                        BPF_ALU64_IMM(BPF_ADD, R1, -8), CALL(2), BPF_LDX_MEM(BPF_DW, R0, R10, -16),
                        BPF_EXIT_INSN(), BPF_ST_MEM(BPF_DW, R1, -8, 5), BPF_EXIT_INSN())),
              "memory");
    EXPECT(5, NULL, BPF_ST_MEM(BPF_DW, R10, -16, 3), BPF_MOV64_REG(R1, R10),
           BPF_ALU64_IMM(BPF_ADD, R1, -8), CALL(2), BPF_LDX_MEM(BPF_DW, R0, R10, -16),
           BPF_EXIT_INSN(), BPF_ST_MEM(BPF_DW, R1, -8, 5), BPF_EXIT_INSN());
    /* and so may another block */
    EXPECT(5, NULL, BPF_MOV64_IMM(R1, 1), BPF_ST_MEM(BPF_DW, R10, -16, 3), BPF_MOV64_REG(R2, R10),
           BPF_JMP_IMM(BPF_JEQ, R1, 0, 1), BPF_JMP_A(1), BPF_MOV64_REG(R2, R10),
           BPF_ST_MEM(BPF_DW, R2, -16, 5), BPF_LDX_MEM(BPF_DW, R0, R10, -16), BPF_EXIT_INSN());
    /* and who finds it in memory */
    EXPECT(5, NULL, BPF_ST_MEM(BPF_DW, R10, -16, 3), BPF_STX_MEM(BPF_DW, R10, R10, -8),
           BPF_LDX_MEM(BPF_DW, R2, R10, -8), BPF_ST_MEM(BPF_DW, R2, -16, 5),
           BPF_LDX_MEM(BPF_DW, R0, R10, -16), BPF_EXIT_INSN());
}

/* One that is not live over a call takes a register that calls destroy; one that is, one that they
 * do not, if that pays. */
TEST(slots_over_calls_take_registers_that_last)
{
    CHECK_STR(keep(PROG(BPF_STX_MEM(BPF_DW, R10, R1, -8), BPF_EMIT_CALL(KTIME_GET_NS),
                        BPF_LDX_MEM(BPF_DW, R0, R10, -8), BPF_EXIT_INSN())),
              "memory"); /* a store and a load less, a store and a load more */
    EXPECT(2048, NULL, BPF_ST_MEM(BPF_DW, R10, -8, 1024), BPF_MOV64_IMM(R6, 3),
           BPF_EMIT_CALL(KTIME_GET_NS), BPF_LDX_MEM(BPF_DW, R0, R10, -8),
           BPF_ALU64_IMM(BPF_SUB, R6, 1), BPF_JMP_IMM(BPF_JNE, R6, 0, -4),
           BPF_ALU64_IMM(BPF_MUL, R0, 2), BPF_EXIT_INSN());
}

/* Loads before any store, on some ways only; more slots than there are registers; loops. */
TEST(slots_hold_what_was_stored_on_every_way)
{
    struct bpf_insn insns[4 * 40 + 8];
    uint32_t cnt = 0;

    for (unsigned i = 0; i < 40; i++) {
        insns[cnt++] = (struct bpf_insn)BPF_ALU64_IMM(BPF_ADD, R1, 3);
        insns[cnt++] = (struct bpf_insn)BPF_STX_MEM(BPF_DW, R10, R1, -8 * ((int)i + 1));
    }
    insns[cnt++] = (struct bpf_insn)BPF_MOV64_IMM(R0, 0);
    for (unsigned i = 0; i < 40; i++) {
        insns[cnt++] = (struct bpf_insn)BPF_LDX_MEM(BPF_DW, R2, R10, -8 * ((int)i + 1));
        insns[cnt++] = (struct bpf_insn)BPF_ALU64_REG(BPF_ADD, R0, R2);
    }
    insns[cnt++] = (struct bpf_insn)BPF_EXIT_INSN();
    memmove(insns + 1, insns, cnt * sizeof(insns[0]));
    insns[0] = (struct bpf_insn)BPF_MOV64_IMM(R1, 0);
    engine_expect(__FILE__, __LINE__, "forty slots", 3 * 40 * 41 / 2, NULL, insns, cnt + 1);
    EXPECT(10, NULL, BPF_MOV64_IMM(R1, 4), BPF_ST_MEM(BPF_W, R10, -4, 0),
           BPF_LDX_MEM(BPF_W, R2, R10, -4), BPF_ALU64_REG(BPF_ADD, R2, R1),
           BPF_STX_MEM(BPF_W, R10, R2, -4), BPF_ALU64_IMM(BPF_SUB, R1, 1),
           BPF_JMP_IMM(BPF_JNE, R1, 0, -5), BPF_LDX_MEM(BPF_W, R0, R10, -4), BPF_EXIT_INSN());
}

/* Found by random programs: slots have got all registers, then the only call goes, and r6 to r9
 * move where calls would destroy. */
TEST(slots_have_registers_when_calls_have_gone)
{
    struct bpf_insn insns[300];
    uint64_t mem[1] = {5};
    uint32_t cnt = 0;

    insns[cnt++] = (struct bpf_insn)BPF_MOV64_IMM(R3, 0);
    insns[cnt++] = (struct bpf_insn)BPF_JMP_IMM(BPF_JEQ, R3, 0, 1);
    insns[cnt++] = (struct bpf_insn)BPF_EMIT_CALL(KTIME_GET_NS);
    for (unsigned r = R6; r <= R9; r++)
        insns[cnt++] = (struct bpf_insn)BPF_LDX_MEM(BPF_DW, r, R1, 0);
    insns[cnt++] = (struct bpf_insn)BPF_LDX_MEM(BPF_DW, R2, R1, 0);
    for (int i = 1; i <= 20; i++) {
        insns[cnt++] = (struct bpf_insn)BPF_ALU64_IMM(BPF_ADD, R2, 1);
        insns[cnt++] = (struct bpf_insn)BPF_STX_MEM(BPF_DW, R10, R2, -8 * i);
    }
    insns[cnt++] = (struct bpf_insn)BPF_MOV64_IMM(R0, 0);
    for (int i = 1; i <= 80; i++) {
        insns[cnt++] = (struct bpf_insn)BPF_LDX_MEM(BPF_DW, R2, R10, -8 * (1 + i % 20));
        insns[cnt++] = (struct bpf_insn)BPF_ALU64_REG(BPF_ADD, R0, R2);
    }
    for (unsigned r = R6; r <= R9; r++)
        insns[cnt++] = (struct bpf_insn)BPF_ALU64_REG(BPF_ADD, R0, r);
    insns[cnt++] = (struct bpf_insn)BPF_EXIT_INSN();
    engine_expect(__FILE__, __LINE__, "twenty slots", 4 * (20 * 5 + 20 * 21 / 2) + 4 * 5, mem,
                  insns, cnt);
}

/* ---- store-to-load forwarding ---------------------------------------------------------------- */

TEST(forward_loads_what_was_stored)
{
    CHECK_STR(
        forward(PROG(BPF_STX_MEM(BPF_DW, R10, R1, -8), BPF_ST_MEM(BPF_DW, R10, -16, 0x7fff0102),
                     BPF_LDX_MEM(BPF_DW, R0, R10, -8), BPF_LDX_MEM(BPF_B, R2, R10, -15),
                     BPF_LDX_MEMSX(BPF_H, R3, R10, -14), BPF_STX_MEM(BPF_W, R10, R2, -20),
                     BPF_LDX_MEM(BPF_W, R4, R10, -20), BPF_EXIT_INSN())),
        "store64 [v10-8], v1\nstore64 [v10-16], 2147418370\nv0 = mov v1\nv2 = li 0x1\nv3 = li "
        "0x7fff\n"
        "store32 [v10-20], v2\nv4 = zext32.w v2\nexit v0\n");
    EXPECT((uint64_t)-1, NULL, BPF_ST_MEM(BPF_DW, R10, -8, 0x00ff1234),
           BPF_LDX_MEMSX(BPF_B, R0, R10, -6), BPF_EXIT_INSN());
}

TEST(forward_loads_what_was_loaded)
{
    CHECK_STR(forward(PROG(BPF_LDX_MEM(BPF_W, R2, R10, -4), BPF_LDX_MEM(BPF_W, R3, R10, -4),
                           BPF_EXIT_INSN())),
              "v2 = load32 [v10-4]\nv3 = zext32.w v2\nexit v0\n");
}

static bool still_loads(const struct bpf_insn *insns, uint32_t cnt)
{
    return strstr(forward(insns, cnt), "load") != NULL;
}

TEST(forward_forgets_what_may_have_changed)
{
    /* the register */
    CHECK(still_loads(PROG(BPF_STX_MEM(BPF_DW, R10, R1, -8), BPF_MOV64_IMM(R1, 0),
                           BPF_LDX_MEM(BPF_DW, R0, R10, -8), BPF_EXIT_INSN())));
    CHECK(still_loads(PROG(BPF_STX_MEM(BPF_DW, R10, R1, -8), BPF_EMIT_CALL(KTIME_GET_NS),
                           BPF_LDX_MEM(BPF_DW, R0, R10, -8), BPF_EXIT_INSN())));
    /* some of the bytes */
    CHECK(still_loads(PROG(BPF_STX_MEM(BPF_DW, R10, R1, -8), BPF_ST_MEM(BPF_B, R10, -1, 0),
                           BPF_LDX_MEM(BPF_DW, R0, R10, -8), BPF_EXIT_INSN())));
    /* through an address */
    CHECK(still_loads(PROG(BPF_MOV64_REG(R2, R10), BPF_STX_MEM(BPF_DW, R10, R6, -8),
                           BPF_ST_MEM(BPF_DW, R2, -8, 3), BPF_LDX_MEM(BPF_DW, R0, R10, -8),
                           BPF_EXIT_INSN())));
    CHECK(still_loads(PROG(BPF_STX_MEM(BPF_DW, R10, R6, -8), BPF_MOV64_REG(R3, R6),
                           BPF_MOV64_REG(R1, R10), BPF_ALU64_IMM(BPF_ADD, R1, -8),
                           BPF_MOV64_IMM(R2, 8), BPF_EMIT_CALL(PROBE_READ_KERNEL),
                           BPF_LDX_MEM(BPF_DW, R0, R10, -8), BPF_EXIT_INSN())));
    /* where another way comes in */
    CHECK(still_loads(PROG(BPF_STX_MEM(BPF_DW, R10, R1, -8), BPF_JMP_IMM(BPF_JEQ, R1, 0, 1),
                           BPF_ST_MEM(BPF_DW, R10, -8, 3), BPF_LDX_MEM(BPF_DW, R0, R10, -8),
                           BPF_EXIT_INSN())));
    /* and not what has not: an address of other bytes, a call that has none */
    CHECK(!still_loads(PROG(BPF_STX_MEM(BPF_DW, R10, R6, -16), BPF_MOV64_REG(R3, R6),
                            BPF_MOV64_REG(R1, R10), BPF_ALU64_IMM(BPF_ADD, R1, -8),
                            BPF_MOV64_IMM(R2, 8), BPF_EMIT_CALL(PROBE_READ_KERNEL),
                            BPF_LDX_MEM(BPF_DW, R0, R10, -16), BPF_EXIT_INSN())));
    CHECK(!still_loads(PROG(BPF_STX_MEM(BPF_DW, R10, R6, -16), BPF_EMIT_CALL(KTIME_GET_NS),
                            BPF_LDX_MEM(BPF_DW, R0, R10, -16), BPF_EXIT_INSN())));
}

TEST(slots_and_forward_report_each_failed_allocation)
{
    const struct bpf_insn insns[] = {
        BPF_STX_MEM(BPF_DW, R10, R1, -8), BPF_LDX_MEM(BPF_DW, R0, R10, -8),
        BPF_STX_MEM(BPF_DW, R10, R1, -16), BPF_LDX_MEM(BPF_W, R2, R10, -16),
        BPF_ALU32_REG(BPF_ADD, R0, R2),    BPF_EXIT_INSN()};
    struct ebpf_code code;
    unsigned n = 1;

    REQUIRE(engine_code(insns, sizeof(insns) / sizeof(insns[0]), &code));
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
