/* SPDX-License-Identifier: MIT */
/* What the structural check and the context rules say to load-acquire, store-release, callx and the
 * pseudo forms of LD_IMM64, and what PROG_LOAD refuses of what tools may run. */
#include "tests/unit/tail_util.h"

static int load(uint32_t type, const struct bpf_insn *insns, uint32_t cnt)
{
    struct ebpf_prog *prog = NULL;
    int err = try_load(false, type, NULL, insns, cnt, &prog);

    put_prog(prog);
    return err;
}
#define LOAD(...) load(BPF_PROG_TYPE_KPROBE, PROG(__VA_ARGS__))

static int bare(const struct bpf_insn *insns, uint32_t cnt)
{
    struct ebpf_code code = {.insns = (struct bpf_insn *)(uintptr_t)insns, .insn_cnt = cnt};
    int err = ebpf_code_check(&code, NULL, true, EBPF_CAP_ALL);

    if (!err)
        ebpf_os_free(code.subprogs, code.subprog_cnt * sizeof(*code.subprogs));
    return err;
}
#define BARE(...) bare(PROG(__VA_ARGS__))

#define ACQ(SIZE, DST, SRC, OFF) BPF_ATOMIC_OP(SIZE, BPF_LOAD_ACQ, DST, SRC, OFF)
#define REL(SIZE, DST, SRC, OFF) BPF_ATOMIC_OP(SIZE, BPF_STORE_REL, DST, SRC, OFF)

TEST(check_acquire_and_release_registers_and_frames)
{
    static const uint8_t sizes[] = {BPF_B, BPF_H, BPF_W, BPF_DW};

    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQ(LOAD(REL(sizes[i], R10, R1, -8), ACQ(sizes[i], R0, R10, -8), BPF_EXIT_INSN()), 0);
        CHECK_EQ(LOAD(REL(sizes[i], R10, R10, -8), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()), 0);
    }
    CHECK_EQ(LOAD(ACQ(BPF_DW, R10, R1, 0), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(LOAD(ACQ(BPF_DW, 11, R1, 0), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(LOAD(ACQ(BPF_DW, R0, 11, 0), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(LOAD(REL(BPF_DW, 11, R0, 0), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(LOAD(ACQ(BPF_DW, R0, R10, 0), BPF_EXIT_INSN()), -EACCES);
    CHECK_EQ(LOAD(ACQ(BPF_DW, R0, R10, -7), BPF_EXIT_INSN()), -EACCES);
    CHECK_EQ(LOAD(ACQ(BPF_B, R0, R10, -513), BPF_EXIT_INSN()), -EACCES);
    CHECK_EQ(LOAD(REL(BPF_W, R10, R0, -3), BPF_EXIT_INSN()), -EACCES);
    CHECK_EQ(LOAD(BPF_ATOMIC_OP(BPF_DW, 0x120, R1, R2, 0), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(LOAD(BPF_ATOMIC_OP(BPF_DW, BPF_LOAD_ACQ | 1, R1, R2, 0), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(LOAD(BPF_ATOMIC_OP(BPF_B, BPF_XCHG, R1, R2, 0), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(
        LOAD(BPF_RAW_INSN(BPF_ST | BPF_ATOMIC | BPF_W, R1, 0, 0, BPF_STORE_REL), BPF_EXIT_INSN()),
        -EINVAL);
}

/* Linux's atomic_ptr_type_ok(); and what is loaded is no context pointer any more */
TEST(check_acquire_and_release_not_through_the_context)
{
    CHECK_EQ(load(BPF_PROG_TYPE_XDP, PROG(ACQ(BPF_W, R0, R1, 0), BPF_EXIT_INSN())), -EACCES);
    CHECK_EQ(load(BPF_PROG_TYPE_SOCKET_FILTER,
                  PROG(BPF_MOV64_IMM(R0, 0), REL(BPF_W, R1, R0, 48), BPF_EXIT_INSN())),
             -EACCES);
    CHECK_EQ(load(BPF_PROG_TYPE_XDP,
                  PROG(REL(BPF_DW, R10, R1, -8), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN())),
             -EACCES);
    /* r1 is overwritten: an access through it is not the context's */
    CHECK_EQ(load(BPF_PROG_TYPE_XDP, PROG(BPF_ST_MEM(BPF_DW, R10, -8, 0), ACQ(BPF_DW, R1, R10, -8),
                                          BPF_LDX_MEM(BPF_DW, R0, R1, 999), BPF_EXIT_INSN())),
             0);
    CHECK_EQ(load(BPF_PROG_TYPE_XDP, PROG(BPF_LDX_MEM(BPF_DW, R0, R1, 999), BPF_EXIT_INSN())),
             -EACCES);
}

TEST(check_callx_is_for_tools)
{
    CHECK_EQ(LOAD(BPF_MOV64_IMM(R1, 5), BPF_RAW_INSN(BPF_JMP | BPF_CALL | BPF_X, R1, 0, 0, 0),
                  BPF_EXIT_INSN()),
             -EINVAL);
    CHECK(strstr(mock_console(), "0x8d") != NULL);
    CHECK_EQ(BARE(BPF_MOV64_IMM(R1, 5), BPF_RAW_INSN(BPF_JMP | BPF_CALL | BPF_X, R1, 0, 0, 0),
                  BPF_EXIT_INSN()),
             0);
    CHECK_EQ(BARE(BPF_RAW_INSN(BPF_JMP | BPF_CALL | BPF_X, R10, 0, 0, 0), BPF_EXIT_INSN()),
             -EINVAL);
    CHECK_EQ(BARE(BPF_RAW_INSN(BPF_JMP | BPF_CALL | BPF_X, R1, 1, 0, 0), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(BARE(BPF_RAW_INSN(BPF_JMP | BPF_CALL | BPF_X, R1, 0, 1, 0), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(BARE(BPF_RAW_INSN(BPF_JMP | BPF_CALL | BPF_X, R1, 0, 0, 1), BPF_EXIT_INSN()), -EINVAL);
    CHECK_EQ(BARE(BPF_RAW_INSN(BPF_JMP32 | BPF_CALL | BPF_X, R1, 0, 0, 0), BPF_EXIT_INSN()),
             -EINVAL);
}

static uint64_t callx(uint64_t id)
{
    struct bpf_insn insns[] = {BPF_LD_IMM64(R6, id),
                               BPF_RAW_INSN(BPF_JMP | BPF_CALL | BPF_X, R6, 0, 0, 0),
                               BPF_EXIT_INSN()};
    struct ebpf_code code = {.insns = insns, .insn_cnt = sizeof(insns) / sizeof(insns[0])};
    uint64_t ret;

    CHECK_EQ(ebpf_code_check(&code, NULL, true, EBPF_CAP_ALL), 0);
    ret = ebpf_interp(&code, NULL);
    ebpf_os_free(code.subprogs, code.subprog_cnt * sizeof(*code.subprogs));
    return ret;
}

TEST(callx_of_unknown_helpers_is_einval)
{
    mock_time_ns = 4711;
    CHECK_EQ(callx(5), 4711);
    CHECK_EQ(callx(0), -EINVAL);
    CHECK_EQ(callx(12), -EINVAL); /* tail calls are no calls */
    CHECK_EQ(callx(100000), -EINVAL);
    CHECK_EQ(callx(5 | 1ull << 32), -EINVAL);
    CHECK_EQ(callx(UINT64_MAX), -EINVAL);
}

TEST(check_pseudo_forms_of_ld_imm64_without_btf)
{
    CHECK_EQ(LOAD(BPF_LD_IMM64_RAW(R0, BPF_PSEUDO_BTF_ID, 1), BPF_EXIT_INSN()), -EINVAL);
    CHECK(strstr(mock_console(), "kernel is missing BTF") != NULL);
    CHECK_EQ(LOAD(BPF_LD_IMM64_RAW(R0, BPF_PSEUDO_FUNC, 2), BPF_EXIT_INSN()), -EINVAL);
    CHECK(strstr(mock_console(), "call out of range") != NULL);
    CHECK_EQ(LOAD(BPF_LD_IMM64_RAW(R0, 7, 1), BPF_EXIT_INSN()), -EINVAL);
    /* no map 0 */
    CHECK_EQ(LOAD(BPF_LD_IMM64_RAW(R0, BPF_PSEUDO_MAP_IDX, 0), BPF_EXIT_INSN()), -EINVAL);
}
