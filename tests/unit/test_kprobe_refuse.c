/* SPDX-License-Identifier: MIT */
/* Kprobes on the mock OS: each address that is refused, and why. */
#include "tests/unit/kprobe_text.h"

TEST(kprobe_refuses_addresses_in_no_known_function)
{
    begin();
    emit(ADDI);
    function("f", 0);
    check_refused(at(2), -ENOENT, "no known function");
    check_refused(at(0) - 2, -ENOENT, "no known function");
    check_refused(0, -ENOENT, "no known function");
    check_refused(UINT64_MAX, -ENOENT, "no known function");
    mock_symbol_add("wraps", UINT64_MAX - 7, 100);
    check_refused(UINT64_MAX - 7, -ENOENT, "no known function");
}

TEST(kprobe_refuses_everything_but_instruction_boundaries)
{
    begin();
    emit(ADDI);
    emit(C_ADDI);
    emit(ADDI);
    emit(C_ADDI);
    function("f", 0);
    check_refused(at(1), -EILSEQ, "inside an instruction");
    check_refused(at(4), -EILSEQ, "inside an instruction");
    check_refused(at(0) + 1, -EILSEQ, "odd");
    CHECK_EQ(ebpf_kprobe_check(at(0)), 0);
    CHECK_EQ(ebpf_kprobe_check(at(2)), 0);
    CHECK_EQ(ebpf_kprobe_check(at(3)), 0);
    CHECK_EQ(ebpf_kprobe_check(at(5)), 0);
}

TEST(kprobe_finds_boundaries_across_longer_instructions)
{
    begin();
    text[0] = 0x001f; /* 48 bits */
    text[3] = 0x003f; /* 64 bits */
    text[7] = 0x0585;
    text[8] = 0x007f; /* longer than the manual defines */
    text_len = 20;
    function("f", 0);
    CHECK_EQ(ebpf_kprobe_check(at(7)), 0);
    check_refused(at(0), -EILSEQ, "not an RV64GC instruction");
    check_refused(at(3), -EILSEQ, "not an RV64GC instruction");
    check_refused(at(6), -EILSEQ, "inside an instruction");
    check_refused(at(10), -EILSEQ, "unknown length");
}

TEST(kprobe_boundaries_are_those_of_the_original_text)
{
    struct ebpf_kprobe a, b;

    begin();
    emit(C_ADDI);
    emit(ADDI); /* 4 bytes at 2 mod 4: c.ebreak covers half of it */
    emit(C_ADDI);
    emit(SD); /* 4 bytes at 0 mod 4 */
    emit(C_ADDI);
    function("f", 0);
    a = probe_at(1), b = probe_at(4);
    CHECK_EQ(ebpf_kprobe_register(&a), 0);
    CHECK_EQ(ebpf_kprobe_register(&b), 0);
    check_refused(at(2), -EILSEQ, "inside an instruction");
    check_refused(at(5), -EILSEQ, "inside an instruction");
    CHECK_EQ(ebpf_kprobe_check(at(1)), 0);
    CHECK_EQ(ebpf_kprobe_check(at(3)), 0);
    CHECK_EQ(ebpf_kprobe_check(at(4)), 0);
    CHECK_EQ(ebpf_kprobe_check(at(6)), 0);
    CHECK_EQ(ebpf_kprobe_unregister(&a), 0);
    CHECK_EQ(ebpf_kprobe_unregister(&b), 0);
}

TEST(kprobe_refuses_to_overlap_where_two_symbols_disagree)
{
    struct ebpf_kprobe f, g;

    begin();
    emit(0x05850593); /* addi a1, a0, 88; its second half is c.addi a1, 1 */
    emit(C_ADDI);
    mock_symbol_add("g", at(1), 4); /* the mock finds the first that fits */
    mock_symbol_add("f", at(0), 4);
    f = probe_at(0), g = probe_at(1);
    CHECK_EQ(ebpf_kprobe_register(&f), 0);
    check_refused(at(1), -EILSEQ, "overlaps");
    CHECK_EQ(ebpf_kprobe_unregister(&f), 0);
    CHECK_EQ(ebpf_kprobe_register(&g), 0);
    check_refused(at(0), -EILSEQ, "overlaps");
    CHECK_EQ(ebpf_kprobe_unregister(&g), 0);
}

TEST(kprobe_refuses_instructions_that_end_behind_the_function)
{
    begin();
    emit(C_ADDI);
    emit(ADDI);
    mock_symbol_add("f", at(0), 4);
    check_refused(at(1), -EILSEQ, "ends inside the instruction");
    mock_symbol_add("g", at(8), 3);
    text[8] = 0x0585;
    CHECK_EQ(ebpf_kprobe_check(at(8)), 0);
    check_refused(at(9), -EILSEQ, "ends inside the instruction");
}

TEST(kprobe_refuses_what_is_not_rv64gc)
{
    static const uint32_t insns[] = {
        0x0000,            /* all zeros */
        0xc0001073,        /* unimp: csrw cycle, x0 */
        0x6101,            /* c.addi16sp sp, 0 */
        0x4002,            /* c.lwsp x0 */
        0x8002,            /* c.jr x0 */
        0x9c41,            /* reserved in C; Zcb */
        0x8000,            /* reserved in C; Zcb */
        0x20b52533,        /* sh1add: Zba */
        0x02057057,        /* vector */
        0x0000500f,        /* funct3 of MISC-MEM */
        0x00005053,        /* rounding mode 5 */
        0x02c5953b,        /* funct7 = 1 in OP-32, no such M instruction */
        0x6205c073,        /* hypervisor load */
        0x0205951b,        /* slliw by 32 */
        0x0000001f | 0x20, /* 64 bits */
    };

    for (unsigned i = 0; i < sizeof(insns) / sizeof(insns[0]); i++) {
        begin();
        emit(insns[i]);
        emit(C_ADDI);
        emit(C_ADDI);
        mock_symbol_add("f", at(0), 8);
        check_refused(at(0), -EILSEQ, "not an RV64GC instruction");
    }
}

TEST(kprobe_refuses_what_its_own_trap_would_break)
{
    static const struct {
        uint32_t insn;
        const char *reason;
    } rows[] = {
        {EBREAK, "breakpoint already"},
        {C_EBREAK, "breakpoint already"},
        {0x10200073, "returns from a trap"},
        {0x30200073, "returns from a trap"},
        {0x00200073, "returns from a trap"},
        {LR, "it is lr"},
        {0x1405302f | 0x02000000, "it is lr"},
        {SC, "it is sc"},
        /* csrr sstatus; csrci sstatus, 2 */
        {0x10002573, "CSR"},
        {0x10017073, "CSR"},
        {0x14151073, "CSR"},
        {0x14202573, "CSR"}, /* sepc, scause */
        /* stval; csrrw tp, sscratch, tp */
        {0x14302573, "CSR"},
        {0x14021273, "CSR"},
        {0x34102573, "CSR"}, /* mepc */
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin();
        emit(rows[i].insn);
        emit(C_ADDI);
        mock_symbol_add("f", at(0), 6);
        check_refused(at(0), -EINVAL, rows[i].reason);
    }
}

/* Every instruction of a function is refused from..to (indices into which, in instructions) and
 * accepted elsewhere. */
static void check_window(const uint32_t *insns, unsigned count, unsigned from, unsigned to)
{
    begin();
    for (unsigned i = 0; i < count; i++)
        emit(insns[i]);
    mock_symbol_add("f", at(0), 2 * text_len);
    for (unsigned i = 0, half = 0; i < count; half += (insns[i] & 3) == 3 ? 2 : 1, i++) {
        int err = ebpf_kprobe_check(at(half));

        if (err != (i >= from && i <= to ? -EINVAL : 0))
            test_fail(__FILE__, __LINE__, "instruction %u of %u: %d", i, count, err);
    }
}

TEST(kprobe_refuses_all_from_lr_to_its_sc)
{
    const uint32_t loop[] = {
        C_ADDI, ADDI, LR, 0x00029463 /* bnez t0 */, C_ADDI, SC, 0xfe0298e3 /* bnez t0 */, ADDI};

    check_window(loop, 8, 2, 5);
}

TEST(kprobe_refuses_between_lr_and_sc_also_beside_other_probes)
{
    const uint32_t two[] = {LR, SC, ADDI, LR, C_ADDI, SC, C_ADDI};
    struct ebpf_kprobe p;

    check_window(two, 2, 0, 1);
    begin();
    for (unsigned i = 0; i < 7; i++)
        emit(two[i]);
    mock_symbol_add("f", at(0), 2 * text_len);
    p = probe_at(4);
    CHECK_EQ(ebpf_kprobe_register(&p), 0);
    check_refused(at(8), -EINVAL, "between lr and sc");
    CHECK_EQ(ebpf_kprobe_check(at(11)), 0);
    CHECK_EQ(ebpf_kprobe_unregister(&p), 0);
}

TEST(kprobe_lr_without_sc_protects_the_16_instructions_behind_it)
{
    uint32_t insns[24] = {LR};

    for (unsigned i = 1; i < 24; i++)
        insns[i] = C_ADDI;
    check_window(insns, 24, 0, 16);
}

TEST(kprobe_sc_whose_lr_is_in_another_symbol_protects_what_is_before_it)
{
    uint32_t insns[24];

    for (unsigned i = 0; i < 24; i++)
        insns[i] = i == 20 ? SC : C_ADDI;
    check_window(insns, 24, 4, 20);
}

TEST(kprobe_refuses_the_library_and_its_hooks)
{
    uint64_t library = (uint64_t)(uintptr_t)&ebpf_breakpoint;

    begin();
    mock_symbol_add("ebpf_breakpoint", library, 64);
    check_refused(library, -EINVAL, "inside the eBPF library");
    emit(ADDI);
    emit(ADDI);
    mock_symbol_add("ebpf_os_cpu_id", at(0), 4);
    mock_symbol_add("my_ebpf_os_", at(2), 4);
    check_refused(at(0), -EINVAL, "library's hooks");
    CHECK_EQ(ebpf_kprobe_check(at(2)), 0);
}

TEST(kprobe_refuses_excluded_ranges)
{
    begin();
    emit(ADDI); /* 0 */
    emit(ADDI); /* 2 */
    emit(ADDI); /* 4 */
    emit(ADDI); /* 6 */
    function("f", 0);
    CHECK_EQ(ebpf_kprobe_exclude(at(3), at(4)), 0); /* touches the second half of the one at 2 */
    CHECK_EQ(ebpf_kprobe_check(at(0)), 0);
    check_refused(at(2), -EINVAL, "excluded");
    CHECK_EQ(ebpf_kprobe_check(at(4)), 0);
    CHECK_EQ(ebpf_kprobe_exclude(at(4), at(5)), 0);
    check_refused(at(4), -EINVAL, "excluded");
    CHECK_EQ(ebpf_kprobe_check(at(6)), 0);
    CHECK_EQ(ebpf_kprobe_exclude(at(4), at(4)), -EINVAL);
    CHECK_EQ(ebpf_kprobe_exclude(at(4), at(2)), -EINVAL);
    for (unsigned i = 2; i < 16; i++)
        CHECK_EQ(ebpf_kprobe_exclude(100 * i, 100 * i + 1), 0);
    CHECK_EQ(ebpf_kprobe_exclude(10000, 10001), -ENOSPC);
}

TEST(kprobe_refuses_to_register_twice_and_to_unregister_what_is_not_registered)
{
    struct ebpf_kprobe p, never;

    begin();
    emit(ADDI);
    function("f", 0);
    memset(&never, 0xa5, sizeof(never)); /* garbage in the private fields */
    CHECK_EQ(ebpf_kprobe_unregister(&never), -ENOENT);
    never.addr = at(0);
    never.handler = handler;
    CHECK_EQ(ebpf_kprobe_register(&never), 0);
    CHECK_EQ(ebpf_kprobe_hits(&never), 0);
    CHECK_EQ(ebpf_kprobe_register(&never), -EBUSY);
    p = probe_at(0);
    p.handler = NULL;
    CHECK_EQ(ebpf_kprobe_register(&p), -EINVAL);
    CHECK_EQ(ebpf_kprobe_unregister(&never), 0);
    CHECK_EQ(ebpf_kprobe_unregister(&never), -ENOENT);
}

/* In no order, and though their owners have written into them meanwhile. */
TEST(kprobe_knows_each_of_many_probes_by_itself)
{
    static struct ebpf_kprobe probes[600];

    begin();
    emit(ADDI);
    function("f", 0);
    for (unsigned i = 0; i < 600; i++) {
        probes[i] = probe_at(0);
        CHECK_EQ(ebpf_kprobe_register(&probes[i]), 0);
    }
    for (unsigned i = 0; i < 600; i++) {
        struct ebpf_kprobe *p = &probes[i * 7 % 600];

        p->addr = i;
        CHECK_EQ(ebpf_kprobe_register(p), -EBUSY);
        CHECK_EQ(ebpf_kprobe_unregister(p), 0);
        CHECK_EQ(ebpf_kprobe_unregister(p), -ENOENT);
    }
    CHECK_EQ(stats().points, 0);
}
