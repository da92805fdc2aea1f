/* SPDX-License-Identifier: MIT */
/* Kprobes on the mock OS: arming, hits, re-entrancy, counters. */
#define _GNU_SOURCE
#include <pthread.h>
#include <unistd.h>

#include "tests/unit/kprobe_text.h"

/* ---- arming ---------------------------------------------------------------------------------- */

TEST(kprobe_writes_the_breakpoint_that_fits_and_restores_the_text)
{
    unsigned long4, short2, long2;
    uint16_t before[16];
    struct ebpf_kprobe a, b, c;

    begin();
    long4 = emit(ADDI);
    short2 = emit(C_ADDI);
    long2 = emit(ADDI);
    function("f", 0);
    memcpy(before, text, sizeof(before));
    a = probe_at(long4), b = probe_at(short2), c = probe_at(long2);
    CHECK_EQ(ebpf_kprobe_register(&a), 0);
    CHECK_EQ(text[long4], C_EBREAK);
    CHECK_EQ(text[long4 + 1], ADDI >> 16); /* untouched: a hart may fetch the halves one by one */
    CHECK_EQ(ebpf_kprobe_register(&b), 0);
    CHECK_EQ(text[short2], C_EBREAK);
    CHECK_EQ(ebpf_kprobe_register(&c), 0);
    CHECK_EQ(text[long2], C_EBREAK);
    CHECK_EQ(text[long2 + 1], ADDI >> 16);
    CHECK_EQ(stats().points, 3);
    CHECK_EQ(ebpf_kprobe_unregister(&b), 0);
    CHECK_EQ(ebpf_kprobe_unregister(&a), 0);
    CHECK_EQ(ebpf_kprobe_unregister(&c), 0);
    CHECK(!memcmp(before, text, sizeof(before)));
    CHECK_EQ(stats().points, 0);
}

TEST(kprobe_hit_simulates_what_can_be_simulated)
{
    struct ebpf_regs regs = {0};
    struct ebpf_kprobe p;

    begin();
    emit(ADDI);
    function("f", 0);
    p = probe_at(0);
    calls = 0;
    REQUIRE(ebpf_kprobe_register(&p) == 0);
    regs.pc = at(0);
    regs.x[10] = 41;
    CHECK(trap(&regs));
    CHECK_EQ(calls, 1);
    CHECK_EQ(regs.pc, at(2));
    CHECK_EQ(regs.x[10], 42);
    CHECK_EQ(regs.x[30], 1); /* the handler's change stays */
    CHECK_EQ(ebpf_kprobe_hits(&p), 1);
    CHECK_EQ(ebpf_kprobe_missed(&p), 0);
    CHECK_STATS(1, 0, 0, 0);
    CHECK_EQ(stats().slots, 0);
    CHECK_EQ(ebpf_kprobe_unregister(&p), 0);
}

/* Runs through the slot as a hart would: jal goes back by itself, ebreak traps once more. */
static void check_slot(uint64_t slot, uint32_t insn, uint64_t back)
{
    unsigned len = (insn & 3) == 3 ? 4 : 2;
    struct ebpf_regs regs = {.pc = slot + len};
    struct ebpf_rv_insn jump;
    uint32_t displaced = 0, way = 0;

    memcpy(&displaced, (void *)(uintptr_t)slot, len);
    memcpy(&way, (void *)(uintptr_t)(slot + len), 4);
    CHECK_EQ(displaced, insn);
    ebpf_rv_decode(way, &jump);
    if (jump.kind == EBPF_RV_SIMULATE) {
        CHECK_EQ(jump.op, EBPF_RV_JAL);
        CHECK_EQ(jump.rd, 0);
        CHECK_EQ(slot + len + (uint64_t)(int64_t)jump.imm, back);
        return;
    }
    CHECK_EQ(way, EBREAK);
    CHECK(back - (slot + len) + (1 << 20) >= (2 << 20)); /* out of reach indeed */
    CHECK(trap(&regs));
    CHECK_EQ(regs.pc, back);
}

TEST(kprobe_hit_sends_other_instructions_through_a_slot_and_back)
{
    static const uint32_t insns[] = {SD,
                                     C_SDSP,
                                     SD,
                                     0x0000000f /* fence */,
                                     0x00000073 /* ecall */,
                                     0x10500073 /* wfi */,
                                     0xc0102573 /* csrr a0, time */,
                                     0x00a5a02f /* amoadd.w */,
                                     0x00053007 /* fld */,
                                     0x2108 /* c.fld */,
                                     0x02a57553 /* fadd.d */};

    begin();
    for (unsigned i = 0; i < sizeof(insns) / sizeof(insns[0]); i++)
        emit(insns[i]);
    function("f", 0);
    for (unsigned i = 0, half = 0; i < sizeof(insns) / sizeof(insns[0]); i++) {
        unsigned next = half + ((insns[i] & 3) == 3 ? 2 : 1);
        struct ebpf_regs regs = {.pc = at(half)};
        struct ebpf_kprobe p = probe_at(half);

        CHECK_EQ(ebpf_kprobe_register(&p), 0);
        CHECK_EQ(stats().slots, i + 1);
        CHECK(trap(&regs));
        CHECK_EQ(regs.x[30], 1);
        check_slot(regs.pc, insns[i], at(next));
        CHECK_EQ(ebpf_kprobe_unregister(&p), 0);
        half = next;
    }
    CHECK_EQ(stats().hits, sizeof(insns) / sizeof(insns[0]));
}

TEST(kprobe_slot_jumps_straight_back_when_the_text_is_near)
{
    struct ebpf_regs regs = {0};
    struct ebpf_kprobe p;
    uint64_t distance;
    uint32_t way;

    begin(); /* a page of code memory is as near to the slot page as the mock can make it */
    emit(SD);
    uint8_t *near = ebpf_os_code_alloc(4096);
    REQUIRE(near && !ebpf_os_text_write(near, text, 4));
    mock_symbol_add("near", (uintptr_t)near, 4);
    p = (struct ebpf_kprobe){.addr = (uintptr_t)near, .handler = handler};
    CHECK_EQ(ebpf_kprobe_register(&p), 0);
    regs.pc = p.addr;
    CHECK(trap(&regs));
    distance = p.addr > regs.pc ? p.addr - regs.pc : regs.pc - p.addr;
    memcpy(&way, (void *)(uintptr_t)(regs.pc + 4), 4);
    CHECK_EQ((way & 0xfff) == 0x6f, distance < (1 << 20) - 4);
    check_slot(regs.pc, SD, p.addr + 4);
    CHECK_EQ(ebpf_kprobe_unregister(&p), 0);
    ebpf_os_code_free(near, 4096);
}

TEST(kprobe_slot_is_found_again_when_the_address_is_probed_again)
{
    struct ebpf_regs regs = {0};
    struct ebpf_kprobe p;
    uint64_t slot = 0;

    begin();
    emit(SD);
    function("f", 0);
    p = probe_at(0);
    for (unsigned i = 0; i < 100; i++) {
        REQUIRE(ebpf_kprobe_register(&p) == 0);
        regs.pc = at(0);
        CHECK(trap(&regs));
        CHECK(!slot || regs.pc == slot);
        slot = regs.pc;
        CHECK_EQ(ebpf_kprobe_unregister(&p), 0);
    }
    CHECK_EQ(stats().slots, 1);
    CHECK_EQ(mock_text_writes, 201); /* the slot once, the text twice a round */
}

TEST(kprobe_slots_are_not_shared_and_fill_several_pages)
{
    static struct ebpf_kprobe probes[600];
    static uint64_t slots[600];

    begin();
    for (unsigned i = 0; i < 600; i++)
        emit(i % 2 ? SD : C_SDSP);
    function("f", 0);
    for (unsigned i = 0, half = 0; i < 600; half += i % 2 ? 2 : 1, i++) {
        struct ebpf_regs regs = {.pc = at(half)};

        probes[i] = probe_at(half);
        REQUIRE(ebpf_kprobe_register(&probes[i]) == 0);
        CHECK(trap(&regs));
        slots[i] = regs.pc;
        check_slot(slots[i], i % 2 ? SD : C_SDSP, at(half) + (i % 2 ? 4 : 2));
        for (unsigned k = 0; k < i; k++)
            CHECK(slots[k] + 16 <= slots[i] || slots[i] + 16 <= slots[k]);
    }
    CHECK_EQ(stats().slots, 600);
    CHECK_EQ(stats().points, 600);
    for (unsigned i = 0; i < 600; i++)
        CHECK_EQ(ebpf_kprobe_unregister(&probes[i]), 0);
    CHECK_EQ(stats().slots, 600);
}

TEST(kprobe_slot_is_not_reused_when_the_instruction_changed)
{
    struct ebpf_regs regs = {0};
    struct ebpf_kprobe p;

    begin();
    emit(SD);
    function("f", 0);
    p = probe_at(0);
    CHECK_EQ(ebpf_kprobe_register(&p), 0);
    CHECK_EQ(ebpf_kprobe_unregister(&p), 0);
    text_len = 0;
    emit(0x0000000f);
    CHECK_EQ(ebpf_kprobe_register(&p), 0);
    CHECK_EQ(stats().slots, 2);
    regs.pc = at(0);
    CHECK(trap(&regs));
    check_slot(regs.pc, 0x0000000f, at(2));
    CHECK_EQ(ebpf_kprobe_unregister(&p), 0);
}

TEST(kprobe_fixup_turns_a_pc_in_a_slot_into_the_one_that_the_kernel_knows)
{
    struct ebpf_regs regs = {0};
    struct ebpf_kprobe p;
    uint64_t slot;

    begin();
    emit(C_SDSP);
    function("f", 0);
    p = probe_at(0);
    CHECK_EQ(ebpf_kprobe_register(&p), 0);
    regs.pc = at(0);
    CHECK(trap(&regs));
    slot = regs.pc;
    CHECK(ebpf_kprobe_fixup(&regs));
    CHECK_EQ(regs.pc, at(0));
    CHECK(!ebpf_kprobe_fixup(&regs)); /* the text itself is no slot */
    regs.pc = slot + 2;
    CHECK(ebpf_kprobe_fixup(&regs));
    CHECK_EQ(regs.pc, at(1));
    regs.pc = slot + 4;
    CHECK(!ebpf_kprobe_fixup(&regs));
    regs.pc = slot + 16; /* the next slot is not in use */
    CHECK(!ebpf_kprobe_fixup(&regs));
    CHECK_EQ(regs.pc, slot + 16);
    CHECK_EQ(ebpf_kprobe_unregister(&p), 0);
    regs.pc = slot; /* a thread may still be there */
    CHECK(ebpf_kprobe_fixup(&regs));
    CHECK_STATS(1, 0, 0, 0);
}

/* ---- several probes, re-entrancy, counters --------------------------------------------------- */

TEST(kprobe_calls_several_handlers_in_the_order_of_registration)
{
    struct ebpf_kprobe p[3];
    struct ebpf_regs regs = {0};

    begin();
    emit(ADDI);
    function("f", 0);
    for (unsigned i = 0; i < 3; i++) {
        p[i] = probe_at(0);
        CHECK_EQ(ebpf_kprobe_register(&p[i]), 0);
    }
    CHECK_EQ(stats().points, 1);
    calls = 0;
    regs.pc = at(0);
    CHECK(trap(&regs));
    CHECK_EQ(calls, 3);
    CHECK(called[0] == &p[0] && called[1] == &p[1] && called[2] == &p[2]);
    CHECK_EQ(stats().hits, 1); /* one trap */

    CHECK_EQ(ebpf_kprobe_unregister(&p[1]), 0);
    CHECK_EQ(text[0], C_EBREAK);
    CHECK_EQ(ebpf_kprobe_register(&p[1]), 0); /* now the last */
    CHECK_EQ(ebpf_kprobe_hits(&p[1]), 0);
    calls = 0;
    regs.pc = at(0);
    CHECK(trap(&regs));
    CHECK(called[0] == &p[0] && called[1] == &p[2] && called[2] == &p[1]);
    CHECK_EQ(ebpf_kprobe_unregister(&p[0]), 0);
    CHECK_EQ(ebpf_kprobe_unregister(&p[1]), 0);
    CHECK_EQ(text[0], C_EBREAK);
    CHECK_EQ(ebpf_kprobe_unregister(&p[2]), 0);
    CHECK_EQ(text[0], ADDI & 0xffff);
    CHECK_EQ(ebpf_kprobe_hits(&p[2]), 2);
}

static struct ebpf_regs nested;

static void nesting_handler(struct ebpf_kprobe *probe, struct ebpf_regs *regs)
{
    (void)probe, (void)regs;
    CHECK(trap(&nested));
}

TEST(kprobe_hit_inside_a_handler_is_counted_as_missed_and_still_executed)
{
    struct ebpf_kprobe outer, inner1, inner2;
    struct ebpf_regs regs = {0};
    unsigned addi;

    begin();
    emit(SD);
    addi = emit(ADDI);
    function("f", 0);
    outer = probe_at(0), inner1 = probe_at(addi), inner2 = probe_at(addi);
    outer.handler = nesting_handler;
    CHECK_EQ(ebpf_kprobe_register(&outer), 0);
    CHECK_EQ(ebpf_kprobe_register(&inner1), 0);
    CHECK_EQ(ebpf_kprobe_register(&inner2), 0);
    calls = 0;
    nested = (struct ebpf_regs){.pc = at(addi)};
    regs.pc = at(0);
    CHECK(trap(&regs));
    CHECK_EQ(calls, 0);
    CHECK_EQ(nested.pc, at(addi + 2));
    CHECK_EQ(nested.x[10], 1);
    CHECK_EQ(ebpf_kprobe_missed(&inner1), 1);
    CHECK_EQ(ebpf_kprobe_missed(&inner2), 1);
    CHECK_EQ(ebpf_kprobe_hits(&inner1), 0);
    CHECK_STATS(1, 1, 0, 0);

    nested.pc = at(0); /* the same probe, with a slot */
    regs.pc = at(0);
    CHECK(trap(&regs));
    CHECK_EQ(nested.pc, regs.pc);
    CHECK_EQ(ebpf_kprobe_missed(&outer), 1);
    CHECK_STATS(2, 2, 0, 0);

    regs.pc = at(addi); /* the guard is off again */
    CHECK(trap(&regs));
    CHECK_EQ(calls, 2);
    CHECK_EQ(ebpf_kprobe_unregister(&inner1), 0);
    CHECK_EQ(ebpf_kprobe_unregister(&inner2), 0);
    CHECK_EQ(ebpf_kprobe_unregister(&outer), 0);
}

static void other_hart_handler(struct ebpf_kprobe *probe, struct ebpf_regs *regs)
{
    (void)probe, (void)regs;
    mock_set_cpu(1);
    CHECK(trap(&nested));
    mock_set_cpu(0);
}

TEST(kprobe_guard_is_per_hart)
{
    struct ebpf_kprobe outer, inner;
    struct ebpf_regs regs = {0};
    unsigned addi;

    begin();
    emit(SD);
    addi = emit(ADDI);
    function("f", 0);
    outer = probe_at(0), inner = probe_at(addi);
    outer.handler = other_hart_handler;
    CHECK_EQ(ebpf_kprobe_register(&outer), 0);
    CHECK_EQ(ebpf_kprobe_register(&inner), 0);
    nested = (struct ebpf_regs){.pc = at(addi)};
    regs.pc = at(0);
    CHECK(trap(&regs));
    CHECK_EQ(ebpf_kprobe_hits(&inner), 1);
    CHECK_STATS(2, 0, 0, 0);
    CHECK_EQ(ebpf_kprobe_unregister(&inner), 0);
    CHECK_EQ(ebpf_kprobe_unregister(&outer), 0);
}

TEST(kprobe_trap_that_comes_late_is_stale_and_runs_the_restored_text)
{
    struct ebpf_regs regs = {.x = {1, 2, 3}}, before;
    struct ebpf_kprobe p;

    begin();
    emit(ADDI);
    emit(C_ADDI);
    function("f", 0);
    p = probe_at(0);
    CHECK_EQ(ebpf_kprobe_register(&p), 0);
    CHECK_EQ(ebpf_kprobe_unregister(&p), 0);
    regs.pc = at(0);
    before = regs;
    CHECK(trap(&regs));
    CHECK(!memcmp(&before, &regs, sizeof(regs)));
    CHECK_STATS(0, 0, 1, 0);
}

TEST(kprobe_leaves_foreign_breakpoints_alone)
{
    struct ebpf_regs regs = {0}, before;
    struct ebpf_kprobe first, last;
    unsigned e, c, end;

    begin();
    emit(ADDI);
    e = emit(EBREAK);
    c = emit(C_EBREAK);
    end = emit(ADDI);
    emit(EBREAK);
    function("f", 0);
    CHECK(!trap(&(struct ebpf_regs){.pc = 0x10}));
    first = probe_at(0), last = probe_at(end);
    CHECK_EQ(ebpf_kprobe_register(&first), 0);
    CHECK_EQ(ebpf_kprobe_register(&last), 0);
    for (unsigned i = 0; i < 4; i++) {
        const uint64_t pcs[] = {at(e), at(c), at(end + 2), 0x10 /* would crash if looked at */};

        regs.pc = pcs[i];
        before = regs;
        CHECK(!trap(&regs));
        CHECK(!memcmp(&before, &regs, sizeof(regs)));
    }
    CHECK_STATS(0, 0, 0, 0);
    CHECK_EQ(ebpf_kprobe_unregister(&first), 0);
    CHECK_EQ(ebpf_kprobe_unregister(&last), 0);
}

TEST(kprobe_trap_with_an_impossible_hart_number_is_not_taken)
{
    struct ebpf_regs regs = {0};
    struct ebpf_kprobe p;

    begin();
    emit(ADDI);
    function("f", 0);
    p = probe_at(0);
    CHECK_EQ(ebpf_kprobe_register(&p), 0);
    regs.pc = at(0);
    mock_set_cpu(100000);
    CHECK(!trap(&regs));
    CHECK(!ebpf_kprobe_fixup(&regs));
    mock_set_cpu(0);
    CHECK_EQ(ebpf_kprobe_unregister(&p), 0);
}

static int gate; /* 1: the handler is inside; 2: it may leave */
static bool unregistered;

static void slow_handler(struct ebpf_kprobe *probe, struct ebpf_regs *regs)
{
    (void)probe, (void)regs;
    __atomic_store_n(&gate, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&gate, __ATOMIC_SEQ_CST) != 2)
        ;
}

static void *other_hart(void *arg)
{
    mock_set_cpu(1);
    CHECK(trap(arg));
    return NULL;
}

static void *unregister_thread(void *arg)
{
    mock_set_cpu(2);
    CHECK_EQ(ebpf_kprobe_unregister(arg), 0);
    __atomic_store_n(&unregistered, true, __ATOMIC_SEQ_CST);
    return NULL;
}

TEST(kprobe_unregister_waits_for_the_handler_on_another_hart)
{
    struct ebpf_regs regs = {0};
    struct ebpf_kprobe p;
    pthread_t hart, remover;

    begin();
    emit(ADDI);
    function("f", 0);
    p = probe_at(0);
    p.handler = slow_handler;
    CHECK_EQ(ebpf_kprobe_register(&p), 0);
    gate = 0;
    unregistered = false;
    regs.pc = at(0);
    pthread_create(&hart, NULL, other_hart, &regs);
    while (__atomic_load_n(&gate, __ATOMIC_SEQ_CST) != 1)
        usleep(100);
    pthread_create(&remover, NULL, unregister_thread, &p);
    while (__atomic_load_n(&text[0], __ATOMIC_SEQ_CST) == C_EBREAK)
        usleep(100);
    usleep(20000);
    CHECK(!__atomic_load_n(&unregistered, __ATOMIC_SEQ_CST));
    __atomic_store_n(&gate, 2, __ATOMIC_SEQ_CST);
    pthread_join(remover, NULL);
    pthread_join(hart, NULL);
    CHECK_EQ(regs.pc, at(2));
    CHECK_EQ(regs.x[10], 1);
    CHECK_STATS(1, 0, 0, 0);
}

static uint64_t counted;

static void counting_handler(struct ebpf_kprobe *probe, struct ebpf_regs *regs)
{
    (void)probe, (void)regs;
    __atomic_fetch_add(&counted, 1, __ATOMIC_RELAXED);
}

static int racing; /* harts still at it */

static void *trapping_hart(void *arg)
{
    mock_set_cpu((unsigned)(uintptr_t)arg);
    for (unsigned i = 0; i < 200000; i++) {
        struct ebpf_regs regs = {.pc = at(0)};

        CHECK(trap(&regs));
        CHECK(regs.pc == at(0) || regs.pc == at(2)); /* stale, or simulated */
    }
    __atomic_fetch_sub(&racing, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

/* Harts that trap at every moment of arming and disarming, also between looking for the point and
 * at the text. */
TEST(kprobe_trap_is_explained_at_every_moment_of_arming_and_disarming)
{
    struct ebpf_kprobe p;
    pthread_t harts[2];

    begin();
    emit(ADDI);
    function("f", 0);
    p = probe_at(0);
    p.handler = counting_handler;
    racing = 2;
    counted = 0;
    CHECK_EQ(ebpf_kprobe_register(&p), 0);
    for (unsigned i = 0; i < 2; i++)
        pthread_create(&harts[i], NULL, trapping_hart, (void *)(uintptr_t)(i + 1));
    while (__atomic_load_n(&racing, __ATOMIC_SEQ_CST)) {
        CHECK_EQ(ebpf_kprobe_unregister(&p), 0);
        CHECK_EQ(ebpf_kprobe_register(&p), 0);
    }
    for (unsigned i = 0; i < 2; i++)
        pthread_join(harts[i], NULL);
    CHECK_EQ(ebpf_kprobe_unregister(&p), 0);
    CHECK_EQ(stats().hits + stats().stale, 400000);
    CHECK_EQ(stats().hits, counted);
    CHECK_EQ(stats().missed + stats().step, 0);
}
