/* SPDX-License-Identifier: MIT */
/* Kprobes on the mock OS: the kernel's hooks failing at each place, and the end. */
#include "tests/unit/kprobe_text.h"

TEST(kprobe_register_survives_each_failing_allocation)
{
    struct ebpf_kprobe p;
    unsigned n = 0;
    int err;

    begin();
    emit(SD);
    function("f", 0);
    p = probe_at(0);
    do {
        size_t live = mock_live_blocks();

        mock_fail_alloc(++n);
        err = ebpf_kprobe_register(&p);
        CHECK_EQ(err, mock_alloc_failed() ? -ENOMEM : 0);
        if (err) {
            CHECK_EQ(mock_live_blocks(), live);
            CHECK_EQ(text[0], SD & 0xffff);
            CHECK_EQ(stats().points, 0);
            CHECK_EQ(stats().slots, 0);
        }
    } while (err);
    CHECK_EQ(n, 3); /* the point, the page of slots */
    CHECK_EQ(ebpf_kprobe_unregister(&p), 0);
}

TEST(kprobe_without_code_memory_only_simulates)
{
    struct ebpf_kprobe slot, simulated;

    begin();
    emit(SD);
    emit(ADDI);
    function("f", 0);
    mock_no_code = true;
    slot = probe_at(0), simulated = probe_at(2);
    check_refused(at(0), -EOPNOTSUPP, "no code memory");
    CHECK_EQ(ebpf_kprobe_register(&simulated), 0);
    CHECK_EQ(ebpf_kprobe_register(&slot), -EOPNOTSUPP);
    mock_no_code = false;
    CHECK_EQ(ebpf_kprobe_register(&slot), 0);
    CHECK_EQ(ebpf_kprobe_unregister(&slot), 0);
    CHECK_EQ(ebpf_kprobe_unregister(&simulated), 0);
}

TEST(kprobe_without_text_write_refuses)
{
    begin();
    emit(SD);
    emit(ADDI);
    function("f", 0);
    mock_no_text_write = true;
    check_refused(at(0), -EOPNOTSUPP, "text write failed");
    check_refused(at(2), -EOPNOTSUPP, "text write failed");
    CHECK_EQ(stats().slots, 0);
    CHECK_EQ(stats().points, 0);
}

/* The symbol is known but its text is not writable: the slot is written, the breakpoint is not. */
TEST(kprobe_whose_breakpoint_cannot_be_written_is_undone)
{
    static const uint32_t readonly[2] = {0x00113423, 0x00158593};
    uint64_t addr = (uint64_t)(uintptr_t)readonly;
    struct ebpf_kprobe p = {.addr = addr, .handler = handler};

    begin();
    mock_symbol_add("f", addr, sizeof(readonly));
    CHECK_EQ(ebpf_kprobe_check(addr), -EFAULT);
    CHECK_EQ(ebpf_kprobe_register(&p), -EFAULT);
    p.addr += 4;
    CHECK_EQ(ebpf_kprobe_register(&p), -EFAULT);
    CHECK_EQ(stats().points, 0);
    CHECK(stats().slots <= 1);
    CHECK_EQ(ebpf_kprobe_unregister(&p), -ENOENT);
    CHECK(strstr(mock_console(), "text write failed"));
}

TEST(kprobe_whose_text_cannot_be_restored_stays_armed)
{
    struct ebpf_regs regs = {0};
    struct ebpf_kprobe p;

    begin();
    emit(ADDI);
    function("f", 0);
    p = probe_at(0);
    CHECK_EQ(ebpf_kprobe_register(&p), 0);
    mock_no_text_write = true;
    CHECK_EQ(ebpf_kprobe_unregister(&p), -EOPNOTSUPP);
    regs.pc = at(0);
    CHECK(trap(&regs));
    CHECK_EQ(ebpf_kprobe_hits(&p), 1);
    CHECK_EQ(ebpf_kprobe_register(&p), -EBUSY);
    mock_no_text_write = false;
    CHECK_EQ(ebpf_kprobe_unregister(&p), 0);
    CHECK_EQ(text[0], ADDI & 0xffff);
}

TEST(kprobe_fini_is_busy_while_a_probe_is_registered_and_frees_all_after)
{
    struct ebpf_regs regs = {0};
    size_t live = mock_live_blocks();
    struct ebpf_kprobe p;

    begin();
    emit(SD);
    function("f", 0);
    p = probe_at(0);
    CHECK_EQ(ebpf_kprobe_register(&p), 0);
    regs.pc = at(0);
    CHECK(trap(&regs));
    CHECK_EQ(ebpf_kprobe_fini(), -EBUSY);
    CHECK_EQ(ebpf_kprobe_unregister(&p), 0);
    CHECK(mock_live_blocks() > live);
    CHECK_EQ(ebpf_kprobe_fini(), 0);
    CHECK_EQ(mock_live_blocks(), live);
    CHECK_EQ(stats().slots, 0);
    CHECK(!trap(&regs));
    CHECK_STATS(0, 0, 0, 0);
    CHECK_EQ(ebpf_kprobe_init(), 0);
}

TEST(kprobe_init_refuses_more_harts_than_it_has_room_for)
{
    unsigned count = mock_cpu_count;

    mock_cpu_count = 100000;
    CHECK_EQ(ebpf_kprobe_init(), -EINVAL);
    mock_cpu_count = count;
    CHECK_EQ(ebpf_kprobe_init(), 0);
}

TEST(kprobe_check_changes_nothing)
{
    uint16_t before[8];

    begin();
    emit(SD);
    emit(C_ADDI);
    function("f", 0);
    memcpy(before, text, sizeof(before));
    CHECK_EQ(ebpf_kprobe_check(at(0)), 0);
    CHECK_EQ(ebpf_kprobe_check(at(2)), 0);
    CHECK(!memcmp(before, text, sizeof(before)));
    CHECK_EQ(stats().points, 0);
    CHECK_EQ(stats().slots, 0);
}
