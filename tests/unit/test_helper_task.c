/* SPDX-License-Identifier: MIT */
/* Helpers about clocks, tasks and where a program is attached; which of them a kernel has that
 * lacks the hooks. */
#include "tests/unit/helper_util.h"

#include <ebpf/kprobe.h>

#include "src/core/prog.h"
#include "tests/unit/tail_util.h"

TEST(clocks_are_the_kernel_s_one_clock)
{
    mock_time_ns = 12345678901234;
    CHECK_EQ(helper_call(5, 0, 0, 0, 0, 0), 12345678901234);
    CHECK_EQ(helper_call(125, 0, 0, 0, 0, 0), 12345678901234);
    CHECK_EQ(helper_call(160, 0, 0, 0, 0, 0), 12345678901234);
    CHECK_EQ(helper_call(118, 0, 0, 0, 0, 0), 12345678901234 / 4000000);
    mock_tai_ns = 1700000000000000037;
    CHECK_EQ(helper_call(208, 0, 0, 0, 0, 0), 1700000000000000037);
}

TEST(numa_node_is_0)
{
    CHECK_EQ(helper_call(42, 1, 2, 3, 4, 5), 0);
}

static int load(uint32_t type, uint32_t caps, int32_t helper)
{
    const struct bpf_insn insns[] = {BPF_EMIT_CALL(helper), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()};
    struct ebpf_code code = {.insns = (struct bpf_insn *)(uintptr_t)insns, .insn_cnt = 3};
    int err = ebpf_code_check(&code, ebpf_prog_type_find(type), true, caps);

    if (!err) {
        code.insns = NULL;
        code.insn_cnt = 0;
        ebpf_code_fini(&code);
    }
    return err;
}

/* A hook that is absent makes its helpers absent, at load time. */
TEST(helpers_without_their_hook_are_refused_when_loading)
{
    static const int32_t ids[] = {27, 35, 36, 67, 109, 117, 156, 157, 158, 208};

    mock_tai_ns = 1;
    for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        mock_no_hooks = false;
        CHECK_EQ(load(BPF_PROG_TYPE_KPROBE, EBPF_CAP_ALL, ids[i]), 0);
        mock_no_hooks = true;
        mock_console_clear();
        CHECK_EQ(load(BPF_PROG_TYPE_KPROBE, EBPF_CAP_ALL, ids[i]), -EINVAL);
        CHECK(strstr(mock_console(), "program of this type cannot use helper bpf_"));
        CHECK(strstr(mock_console(), "this kernel has not got what it needs"));
    }
}

TEST(helpers_are_for_their_program_types_only)
{
    static const struct {
        int32_t id;
        int kprobe, socket_filter, xdp;
    } rows[] = {
        {15, 0, -EINVAL, -EINVAL},
        {16, 0, -EINVAL, -EINVAL},
        {4, 0, -EINVAL, -EINVAL},
        {113, 0, 0, 0},
        {160, -EINVAL, 0, 0},
        {109, 0, -EINVAL, -EINVAL},
        {173, 0, -EINVAL, -EINVAL},
        {174, 0, -EINVAL, -EINVAL},
        {36, 0, -EINVAL, -EINVAL},
        {186, -EINVAL, -EINVAL, -EINVAL},
        {187, -EINVAL, -EINVAL, -EINVAL},
        {1, 0, 0, 0},
        {177, 0, 0, 0},
        {35, 0, 0, 0},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int id = rows[i].id;

        CHECK_EQ(load(BPF_PROG_TYPE_KPROBE, EBPF_CAP_ALL, id), rows[i].kprobe);
        CHECK_EQ(load(BPF_PROG_TYPE_SOCKET_FILTER, EBPF_CAP_ALL, id), rows[i].socket_filter);
        CHECK_EQ(load(BPF_PROG_TYPE_XDP, EBPF_CAP_ALL, id), rows[i].xdp);
    }
    /* without CAP_PERFMON there is no reading of memory, without CAP_SYS_ADMIN no writing */
    CHECK_EQ(load(BPF_PROG_TYPE_XDP, EBPF_CAP_ALL & ~EBPF_CAP_PERFMON, 113), -EINVAL);
    CHECK_EQ(load(BPF_PROG_TYPE_XDP, EBPF_CAP_ALL & ~EBPF_CAP_PERFMON, 8), 0);
    CHECK_EQ(load(BPF_PROG_TYPE_KPROBE, EBPF_CAP_ALL & ~EBPF_CAP_SYS_ADMIN, 36), -EINVAL);
}

TEST(helpers_that_sleep_are_for_no_program_of_this_build)
{
    CHECK_EQ(load(BPF_PROG_TYPE_KPROBE, EBPF_CAP_ALL, 148), -EINVAL);
    CHECK(strstr(mock_console(), "helper call might sleep in a non-sleepable prog"));
}

TEST(signals_go_to_the_hook)
{
    CHECK_EQ(helper_call(109, 9, 0, 0, 0, 0), 0);
    CHECK_EQ(mock_signal, 9);
    CHECK(!mock_signal_thread);
    CHECK_EQ(helper_call(117, 64, 0, 0, 0, 0), 0);
    CHECK_EQ(mock_signal, 64);
    CHECK(mock_signal_thread);
    mock_signal = 0;
    CHECK_EQ(helper_call(109, 65, 0, 0, 0, 0), -EINVAL);
    CHECK_EQ(helper_call(109, 0, 0, 0, 0, 0), -EINVAL);
    CHECK_EQ(helper_call(117, UINT32_MAX, 0, 0, 0, 0), -EINVAL);
    CHECK_EQ(mock_signal, 0);
}

TEST(probe_write_user_writes_user_memory_only)
{
    uint64_t user = mock_user_alloc(8);
    char kernel[8] = "kernel!";

    CHECK_EQ(helper_call(36, user, reg("written"), 8, 0, 0), 0);
    CHECK_STR((const char *)mock_user(user), "written");
    CHECK_EQ(helper_call(36, reg(kernel), reg("written"), 8, 0, 0), -EFAULT);
    CHECK_STR(kernel, "kernel!");
    CHECK_EQ(helper_call(36, MOCK_BAD_ADDR, reg("written"), 8, 0, 0), -EFAULT);
    mock_user_readonly(user, 8);
    CHECK_EQ(helper_call(36, user, reg("again.."), 8, 0, 0), -EFAULT);
    CHECK_STR((const char *)mock_user(user), "written");
}

TEST(current_task_is_what_the_hook_says)
{
    mock_task_id = 0x1234;
    CHECK_EQ(helper_call(35, 0, 0, 0, 0, 0), 0x1234);
    CHECK_EQ(helper_call(158, 0, 0, 0, 0, 0), 0x1234);
}

TEST(attach_cookie_is_the_run_s)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++) {
        struct ebpf_prog *prog = load_on(jit, NULL, PROG(BPF_EMIT_CALL(174), BPF_EXIT_INSN()));
        uint64_t ret = 0;
        struct ebpf_regs regs = {0};

        CHECK(ebpf_prog_run(prog, &regs, 0xfeedface12345678, &ret));
        CHECK_EQ(ret, 0xfeedface12345678);
        CHECK(ebpf_prog_run(prog, &regs, 0, &ret));
        CHECK_EQ(ret, 0);
        put_prog(prog);
    }
}

TEST(func_ip_is_the_probe_s_address)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++) {
        struct ebpf_prog *prog = load_on(jit, NULL, PROG(BPF_EMIT_CALL(173), BPF_EXIT_INSN()));
        struct ebpf_regs regs = {.pc = 0xffffffff80201234};
        uint64_t ret = 0;

        CHECK(ebpf_prog_run(prog, &regs, 0, &ret));
        CHECK_EQ(ret, 0xffffffff80201234);
        put_prog(prog);
    }
}
