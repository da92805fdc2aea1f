/* SPDX-License-Identifier: MIT */
/*
 * Kprobes on the mock OS: an array of instructions stands for kernel text, and the test plays the hart that traps. The
 * addresses of a function's instructions are its array indices (half-words).
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

#include "kprobe/kprobe.h"
#include "tests/unit/test.h"

#define TEXT_HALVES 2048
#define EBREAK_LOW 0x0073
#define EBREAK_HIGH 0x0010
#define C_EBREAK 0x9002

static uint16_t text[TEXT_HALVES] __attribute__((aligned(4096)));
static unsigned text_len;

static const uint32_t ADDI = 0x00158593;    /* addi a1, a1, 1 */
static const uint32_t C_ADDI = 0x0585;      /* c.addi a1, 1 */
static const uint32_t SD = 0x00113423;      /* sd ra, 8(sp) */
static const uint32_t C_SDSP = 0xe406;      /* c.sdsp ra, 8(sp) */
static const uint32_t LR = 0x100522af;      /* lr.w t0, (a0) */
static const uint32_t SC = 0x18c522af;      /* sc.w t0, a2, (a0) */
static const uint32_t EBREAK = 0x00100073;

static uint64_t at(unsigned half)
{
    return (uint64_t)(uintptr_t)&text[half];
}

static void begin(void)
{
    memset(text, 0, sizeof(text));
    text_len = 0;
    if (mock_text_add(text, sizeof(text)))
        test_fail(__FILE__, __LINE__, "no writable text");
}

/* Adds an instruction and returns its index. */
static unsigned emit(uint32_t insn)
{
    unsigned here = text_len;

    text[text_len++] = (uint16_t)insn;
    if ((insn & 3) == 3)
        text[text_len++] = (uint16_t)(insn >> 16);
    return here;
}

/* The function of all instructions from index first on. */
static void function(const char *name, unsigned first)
{
    mock_symbol_add(name, at(first), 2 * (text_len - first));
}

static unsigned calls;
static struct ebpf_kprobe *called[16];

static void handler(struct ebpf_kprobe *probe, struct ebpf_regs *regs)
{
    CHECK_EQ(regs->pc, probe->addr);
    called[calls++ % 16] = probe;
    regs->x[30]++;  /* t6 */
    regs->pc = 999; /* not allowed, and must not matter */
}

static struct ebpf_kprobe probe_at(unsigned half)
{
    return (struct ebpf_kprobe){.addr = at(half), .handler = handler};
}

static bool trap(struct ebpf_regs *regs)
{
    unsigned long irq = ebpf_os_irq_save();
    bool ours = ebpf_breakpoint(regs);

    ebpf_os_irq_restore(irq);
    return ours;
}

static struct ebpf_kprobe_stats stats(void)
{
    struct ebpf_kprobe_stats s;

    ebpf_kprobe_stats(&s);
    return s;
}

#define CHECK_STATS(h, m, s, e)                                                                    \
    do {                                                                                           \
        CHECK_EQ(stats().hits, h);                                                                 \
        CHECK_EQ(stats().missed, m);                                                               \
        CHECK_EQ(stats().stale, s);                                                                \
        CHECK_EQ(stats().step, e);                                                                 \
    } while (0)

/* ---- arming ------------------------------------------------------------------------------------------ */

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
    CHECK_EQ(text[long4], EBREAK_LOW);
    CHECK_EQ(text[long4 + 1], EBREAK_HIGH);
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
    static const uint32_t insns[] = {SD, C_SDSP, SD, 0x0000000f /* fence */, 0x00000073 /* ecall */,
                                     0x10500073 /* wfi */, 0xc0102573 /* csrr a0, time */, 0x00a5a02f /* amoadd.w */,
                                     0x00053007 /* fld */, 0x2108 /* c.fld */, 0x02a57553 /* fadd.d */};

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

/* ---- several probes, re-entrancy, counters -------------------------------------------------------------- */

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
    CHECK_EQ(text[0], EBREAK_LOW);
    CHECK_EQ(ebpf_kprobe_register(&p[1]), 0); /* now the last */
    CHECK_EQ(ebpf_kprobe_hits(&p[1]), 0);
    calls = 0;
    regs.pc = at(0);
    CHECK(trap(&regs));
    CHECK(called[0] == &p[0] && called[1] == &p[2] && called[2] == &p[1]);
    CHECK_EQ(ebpf_kprobe_unregister(&p[0]), 0);
    CHECK_EQ(ebpf_kprobe_unregister(&p[1]), 0);
    CHECK_EQ(text[0], EBREAK_LOW);
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
    while (__atomic_load_n(&text[0], __ATOMIC_SEQ_CST) == EBREAK_LOW)
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

/* ---- refusals ------------------------------------------------------------------------------------------------ */

/* check and register say the same, nothing is written, and the console names the reason. */
static void check_refused(uint64_t addr, int err, const char *reason)
{
    struct ebpf_kprobe p = {.addr = addr, .handler = handler};
    unsigned writes = mock_text_writes;

    mock_console_clear();
    CHECK_EQ(ebpf_kprobe_check(addr), err);
    CHECK_EQ(ebpf_kprobe_register(&p), err);
    CHECK_EQ(mock_text_writes, writes);
    if (!strstr(mock_console(), reason))
        test_fail(__FILE__, __LINE__, "0x%llx: \"%s\" not in: %s", (unsigned long long)addr, reason, mock_console());
    CHECK_EQ(ebpf_kprobe_unregister(&p), -ENOENT);
}

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
        0x0000,     /* all zeros */
        0xc0001073, /* unimp: csrw cycle, x0 */
        0x6101,     /* c.addi16sp sp, 0 */
        0x4002,     /* c.lwsp x0 */
        0x8002,     /* c.jr x0 */
        0x9c41,     /* reserved in C; Zcb */
        0x8000,     /* reserved in C; Zcb */
        0x20b52533, /* sh1add: Zba */
        0x02057057, /* vector */
        0x0000500f, /* funct3 of MISC-MEM */
        0x00005053, /* rounding mode 5 */
        0x02c5953b, /* funct7 = 1 in OP-32, no such M instruction */
        0x6205c073, /* hypervisor load */
        0x0205951b, /* slliw by 32 */
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
        {EBREAK, "breakpoint already"},       {C_EBREAK, "breakpoint already"},
        {0x10200073, "returns from a trap"},  {0x30200073, "returns from a trap"},
        {0x00200073, "returns from a trap"},  {LR, "it is lr"},
        {0x1405302f | 0x02000000, "it is lr"}, {SC, "it is sc"},
        {0x10002573, "CSR"},                  {0x10017073, "CSR"}, /* csrr sstatus; csrci sstatus, 2 */
        {0x14151073, "CSR"},                  {0x14202573, "CSR"}, /* sepc, scause */
        {0x14302573, "CSR"},                  {0x14021273, "CSR"}, /* stval; csrrw tp, sscratch, tp */
        {0x34102573, "CSR"},                                       /* mepc */
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin();
        emit(rows[i].insn);
        emit(C_ADDI);
        mock_symbol_add("f", at(0), 6);
        check_refused(at(0), -EINVAL, rows[i].reason);
    }
}

/* Every instruction of a function is refused from..to (indices into which, in instructions) and accepted elsewhere. */
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
    const uint32_t loop[] = {C_ADDI, ADDI, LR, 0x00029463 /* bnez t0 */, C_ADDI, SC, 0xfe0298e3 /* bnez t0 */, ADDI};

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

/* ---- failures of the kernel's side ------------------------------------------------------------------------------ */

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
