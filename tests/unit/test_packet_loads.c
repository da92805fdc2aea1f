/* SPDX-License-Identifier: MIT */
/* BPF_ABS and BPF_IND (RFC 9669, section 5.5; Linux's Documentation/networking/filter.rst) by test
 * runs of socket filters. */
#include "tests/unit/tail_util.h"

#define ABS(SIZE, OFF) BPF_RAW_INSN(BPF_LD | BPF_ABS | (SIZE), 0, 0, 0, OFF)
#define IND(SIZE, SRC, OFF) BPF_RAW_INSN(BPF_LD | BPF_IND | (SIZE), 0, SRC, 0, OFF)
#define NET_OFF (-0x100000)
#define LINK_OFF (-0x200000)
#define LEN 20u /* behind the link layer's 14 bytes */

/* Byte n of the packet as the link layer has it is n + 1; runs on one engine. */
static uint32_t filter(bool jit, const struct bpf_insn *insns, uint32_t cnt)
{
    union bpf_attr attr = {0};
    uint8_t packet[14 + LEN];
    struct ebpf_prog *prog = NULL;

    for (unsigned i = 0; i < sizeof(packet); i++)
        packet[i] = (uint8_t)(i + 1);
    CHECK_EQ(try_load(jit, BPF_PROG_TYPE_SOCKET_FILTER, NULL, insns, cnt, &prog), 0);
    if (!prog)
        return 0;
    CHECK_EQ(ebpf_prog_is_jited(prog), jit);
    attr.test.data_in = (uint64_t)(uintptr_t)packet;
    attr.test.data_size_in = sizeof(packet);
    CHECK_EQ(ebpf_prog_test_run(prog, &attr), 0);
    put_prog(prog);
    return attr.test.retval;
}

/* Where a load fails the program ends with 0, so that this never comes to its own end. */
static void expect(uint32_t want, struct bpf_insn load, int32_t r7)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++) {
        const struct bpf_insn insns[] = {
            BPF_MOV64_REG(R6, R1),          BPF_MOV64_IMM(R7, r7), BPF_MOV64_IMM(R0, 77), load,
            BPF_JMP_IMM(BPF_JNE, R0, 0, 1), BPF_MOV64_IMM(R0, -1), BPF_EXIT_INSN()};
        uint32_t got = filter(jit, insns, sizeof(insns) / sizeof(insns[0]));

        if (got != want)
            test_fail(__FILE__, __LINE__,
                      "code 0x%02x imm %d r7 %d on engine %d: 0x%x, expected 0x%x", load.code,
                      load.imm, r7, jit, got, want);
    }
}

TEST(packet_loads_are_big_endian_and_behind_the_link_layer)
{
    expect(15, ABS(BPF_B, 0), 0);
    expect(0x0f10, ABS(BPF_H, 0), 0);
    expect(0x0f101112, ABS(BPF_W, 0), 0);
    expect(0x14151617, ABS(BPF_W, 5), 0); /* at any alignment */
    expect(0x1617, IND(BPF_H, R7, 0), 7);
    expect(0x1617, IND(BPF_H, R7, 3), 4);
    expect(0x16, IND(BPF_B, R7, -3), 10);
    expect(0x16171819, IND(BPF_W, R7, 7), 0);
}

TEST(packet_loads_end_at_the_packets_end)
{
    static const struct {
        uint8_t size, bytes;
        uint32_t last;
    } sizes[] = {{BPF_B, 1, 34}, {BPF_H, 2, 0x2122}, {BPF_W, 4, 0x1f202122}};

    for (unsigned i = 0; i < 3; i++) {
        int32_t last = (int32_t)(LEN - sizes[i].bytes);

        expect(sizes[i].last, ABS(sizes[i].size, last), 0);
        expect(sizes[i].last, IND(sizes[i].size, R7, 0), last);
        for (int32_t beyond = last + 1; beyond < (int32_t)LEN + 3; beyond++) {
            expect(0, ABS(sizes[i].size, beyond), 0);
            expect(0, IND(sizes[i].size, R7, 1), beyond - 1);
        }
        expect(0, ABS(sizes[i].size, INT32_MAX), 0);
        expect(0, IND(sizes[i].size, R7, INT32_MAX), INT32_MAX);
        expect(0, IND(sizes[i].size, R7, 1), INT32_MAX);
    }
}

/* Linux: bpf_internal_load_pointer_neg_helper() */
TEST(packet_loads_at_negative_offsets)
{
    expect(15, ABS(BPF_B, NET_OFF), 0);
    expect(0x1f202122, ABS(BPF_W, NET_OFF + 16), 0);
    expect(0, ABS(BPF_W, NET_OFF + 17), 0);
    expect(1, ABS(BPF_B, LINK_OFF), 0);
    expect(0x0d0e, ABS(BPF_H, LINK_OFF + 12), 0);
    expect(0x0d0e0f10, ABS(BPF_W, LINK_OFF + 12), 0); /* across the headers */
    expect(34, ABS(BPF_B, LINK_OFF + 33), 0);
    expect(0, ABS(BPF_B, LINK_OFF + 34), 0);
    expect(1, IND(BPF_B, R7, LINK_OFF), 0);
    expect(15, IND(BPF_B, R7, 0), NET_OFF);
    expect(0, ABS(BPF_B, -1), 0);
    expect(0, ABS(BPF_B, -0x1000), 0); /* SKF_AD_OFF: for classic filters */
    expect(0, ABS(BPF_B, LINK_OFF - 1), 0);
    expect(0, ABS(BPF_B, INT32_MIN), 0);
}

/* Only 32 bits of the index count, as on Linux. */
TEST(packet_load_index_is_32_bits)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++) {
        CHECK_EQ(filter(jit, PROG(BPF_MOV64_REG(R6, R1), BPF_LD_IMM64(R7, 0x500000003),
                                  IND(BPF_B, R7, 2), BPF_EXIT_INSN())),
                 20);
        CHECK_EQ(filter(jit, PROG(BPF_MOV64_REG(R6, R1), BPF_LD_IMM64(R7, 0xffffffff),
                                  IND(BPF_B, R7, 2), BPF_EXIT_INSN())),
                 16);
    }
}

TEST(packet_load_index_in_any_register)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++) {
        for (unsigned reg = 0; reg < 10; reg++) {
            if (reg == 6)
                continue;
            CHECK_EQ(filter(jit, PROG(BPF_MOV64_REG(R6, R1), BPF_MOV64_IMM(reg, 3),
                                      IND(BPF_H, reg, 1), BPF_EXIT_INSN())),
                     0x1314);
        }
        CHECK_EQ(filter(jit, PROG(BPF_MOV64_REG(R6, R1), BPF_MOV64_IMM(R0, 1), IND(BPF_B, R10, 0),
                                  BPF_MOV64_IMM(R0, 2),
                                  /* r10 is somewhere: most likely beyond */
                                  BPF_EXIT_INSN())) &
                     ~2u,
                 0);
    }
}

TEST(packet_loads_keep_r6_to_r9_and_the_stack)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++)
        CHECK_EQ(
            filter(jit, PROG(BPF_MOV64_REG(R6, R1), BPF_MOV64_IMM(R7, 100), BPF_MOV64_IMM(R8, 200),
                             BPF_MOV64_IMM(R9, 300), BPF_ST_MEM(BPF_DW, R10, -8, 400),
                             ABS(BPF_B, 0), BPF_ALU64_REG(BPF_ADD, R7, R0), ABS(BPF_B, 1),
                             BPF_ALU64_REG(BPF_ADD, R0, R7), BPF_ALU64_REG(BPF_ADD, R0, R8),
                             BPF_ALU64_REG(BPF_ADD, R0, R9), BPF_LDX_MEM(BPF_DW, R1, R10, -8),
                             BPF_ALU64_REG(BPF_ADD, R0, R1), BPF_EXIT_INSN())),
            1000 + 15 + 16);
}

TEST(packet_load_that_fails_in_a_tail_calls_target_returns_to_the_function)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++) {
        struct ebpf_map *map = prog_array(1);
        struct ebpf_prog *target = NULL, *prog = NULL;
        union bpf_attr attr = {0};
        uint8_t packet[14 + LEN] = {0};

        CHECK_EQ(try_load(jit, BPF_PROG_TYPE_SOCKET_FILTER, NULL,
                          PROG(BPF_MOV64_REG(R6, R1), ABS(BPF_W, 100), BPF_MOV64_IMM(R0, 9),
                               BPF_EXIT_INSN()),
                          &target),
                 0);
        CHECK_EQ(
            try_load(jit, BPF_PROG_TYPE_SOCKET_FILTER, map,
                     PROG(BPF_MOV64_IMM(R6, 5), BPF_CALL_REL(2), BPF_ALU64_REG(BPF_ADD, R0, R6),
                          BPF_EXIT_INSN(), TAIL_CALL(0), BPF_MOV64_IMM(R0, 50), BPF_EXIT_INSN()),
                     &prog),
            0);
        CHECK_EQ(ebpf_map_set_prog(map, 0, target), 0);
        attr.test.data_in = (uint64_t)(uintptr_t)packet;
        attr.test.data_size_in = sizeof(packet);
        CHECK_EQ(ebpf_prog_test_run(prog, &attr), 0);
        CHECK_EQ(attr.test.retval, 5);
        put_prog(prog);
        put_prog(target);
        put_map(map);
    }
}

/* It comes back to its caller as if it had returned 0, with r6 to r9 as they were. */
TEST(packet_load_that_fails_in_a_function_ends_that_function)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++) {
        for (int found = 0; found < 2; found++)
            CHECK_EQ(
                filter(jit, PROG(BPF_MOV64_IMM(R6, 5), BPF_MOV64_IMM(R7, 1000),
                                 BPF_MOV64_IMM(R2, found ? 0 : 1000), BPF_CALL_REL(3),
                                 BPF_ALU64_REG(BPF_ADD, R0, R6), BPF_ALU64_REG(BPF_ADD, R0, R7),
                                 BPF_EXIT_INSN(), BPF_MOV64_REG(R6, R1), BPF_MOV64_REG(R7, R2),
                                 IND(BPF_B, R7, 0), BPF_MOV64_IMM(R0, 50), BPF_EXIT_INSN())),
                found ? 1055 : 1005);
        /* in a function's function */
        CHECK_EQ(filter(jit, PROG(BPF_CALL_REL(2), BPF_ALU64_IMM(BPF_ADD, R0, 1), BPF_EXIT_INSN(),
                                  BPF_CALL_REL(2), BPF_ALU64_IMM(BPF_ADD, R0, 2), BPF_EXIT_INSN(),
                                  BPF_MOV64_REG(R6, R1), ABS(BPF_W, 1000), BPF_MOV64_IMM(R0, 50),
                                  BPF_EXIT_INSN())),
                 3);
    }
}

/* Called with 0 and 1 it finds nothing and comes back with 0, with 2 it returns 1: enough. */
TEST(packet_load_that_fails_in_a_callback_ends_that_call_of_it)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++)
        CHECK_EQ(filter(jit, PROG(BPF_MOV64_REG(R3, R1), BPF_MOV64_IMM(R1, 4),
                                  BPF_LD_IMM64_RAW(R2, BPF_PSEUDO_FUNC, 4), BPF_MOV64_IMM(R4, 0),
                                  BPF_EMIT_CALL(181), BPF_EXIT_INSN(), BPF_MOV64_REG(R6, R2),
                                  IND(BPF_B, R1, -2), BPF_MOV64_IMM(R0, 1), BPF_EXIT_INSN())),
                 3);
}

/* ---- refused --------------------------------------------------------------------------------- */

static int check_as(uint32_t type, const struct bpf_insn *insns, uint32_t cnt)
{
    struct ebpf_prog *prog = NULL;
    int err = try_load(false, type, NULL, insns, cnt, &prog);

    put_prog(prog);
    return err;
}

static int check(struct bpf_insn load)
{
    return check_as(BPF_PROG_TYPE_SOCKET_FILTER,
                    PROG(BPF_MOV64_REG(R6, R1), load, BPF_EXIT_INSN()));
}

TEST(packet_loads_reserved_fields)
{
    CHECK_EQ(check(ABS(BPF_W, 0)), 0);
    CHECK_EQ(check(ABS(BPF_DW, 0)), -EINVAL);
    CHECK_EQ(check(IND(BPF_DW, R7, 0)), -EINVAL);
    CHECK_EQ(check(BPF_RAW_INSN(BPF_LD | BPF_ABS | BPF_W, 1, 0, 0, 0)), -EINVAL);
    CHECK_EQ(check(BPF_RAW_INSN(BPF_LD | BPF_ABS | BPF_W, 0, 1, 0, 0)), -EINVAL);
    CHECK_EQ(check(BPF_RAW_INSN(BPF_LD | BPF_ABS | BPF_W, 0, 0, 1, 0)), -EINVAL);
    CHECK_EQ(check(BPF_RAW_INSN(BPF_LD | BPF_IND | BPF_W, 1, 7, 0, 0)), -EINVAL);
    CHECK_EQ(check(BPF_RAW_INSN(BPF_LD | BPF_IND | BPF_W, 0, 7, 1, 0)), -EINVAL);
    CHECK_EQ(check(BPF_RAW_INSN(BPF_LD | BPF_IND | BPF_W, 0, 11, 0, 0)), -EINVAL);
    CHECK_EQ(check(BPF_RAW_INSN(BPF_LD | BPF_MEM | BPF_W, 0, 0, 0, 0)), -EINVAL);
    CHECK_EQ(check(BPF_RAW_INSN(BPF_LD | BPF_MEMSX | BPF_W, 0, 0, 0, 0)), -EINVAL);
    CHECK_EQ(check(BPF_RAW_INSN(BPF_LD | BPF_ATOMIC | BPF_W, 0, 0, 0, 0)), -EINVAL);
}

TEST(packet_loads_need_the_context_in_r6)
{
    CHECK_EQ(check_as(BPF_PROG_TYPE_SOCKET_FILTER, PROG(ABS(BPF_W, 0), BPF_EXIT_INSN())), -EINVAL);
    CHECK_EQ(check_as(BPF_PROG_TYPE_SOCKET_FILTER,
                      PROG(BPF_MOV64_IMM(R6, 0), ABS(BPF_W, 0), BPF_EXIT_INSN())),
             -EINVAL);
    /* on one path only */
    CHECK_EQ(check_as(BPF_PROG_TYPE_SOCKET_FILTER,
                      PROG(BPF_MOV64_IMM(R6, 0), BPF_JMP_IMM(BPF_JEQ, R10, 0, 1),
                           BPF_MOV64_REG(R6, R1), ABS(BPF_W, 0), BPF_EXIT_INSN())),
             -EINVAL);
    CHECK_EQ(check_as(BPF_PROG_TYPE_SOCKET_FILTER,
                      PROG(BPF_MOV64_REG(R6, R1), IND(BPF_W, R6, 0), BPF_EXIT_INSN())),
             -EACCES);
    /* r1 is gone behind one */
    CHECK_EQ(check_as(BPF_PROG_TYPE_SOCKET_FILTER,
                      PROG(BPF_MOV64_REG(R6, R1), ABS(BPF_W, 0), BPF_MOV64_REG(R6, R1),
                           ABS(BPF_W, 0), BPF_EXIT_INSN())),
             -EINVAL);
}

TEST(packet_loads_are_for_socket_filters)
{
    CHECK_EQ(
        check_as(BPF_PROG_TYPE_XDP, PROG(BPF_MOV64_REG(R6, R1), ABS(BPF_W, 0), BPF_EXIT_INSN())),
        -EINVAL);
    CHECK_EQ(
        check_as(BPF_PROG_TYPE_KPROBE, PROG(BPF_MOV64_REG(R6, R1), ABS(BPF_W, 0), BPF_EXIT_INSN())),
        -EINVAL);
    /* runs off the end */
    CHECK_EQ(check_as(BPF_PROG_TYPE_SOCKET_FILTER, PROG(BPF_MOV64_REG(R6, R1), ABS(BPF_W, 0))),
             -EINVAL);
}
