/* SPDX-License-Identifier: MIT */
/*
 * Kernel text for kprobe tests on the mock OS: an array of half-words, filled with instructions, in
 * which an address is an index; and the trap of a hart that has run into a breakpoint there.
 */
#ifndef TESTS_UNIT_KPROBE_TEXT_H
#define TESTS_UNIT_KPROBE_TEXT_H

#include <stdbool.h>

#include "kprobe/kprobe.h"
#include "tests/unit/test.h"

#define UNUSED __attribute__((unused))
#define TEXT_HALVES 2048
#define C_EBREAK 0x9002

UNUSED static uint16_t text[TEXT_HALVES] __attribute__((aligned(4096)));
static unsigned text_len;

#define ADDI 0x00158593u /* addi a1, a1, 1 */
#define C_ADDI 0x0585u   /* c.addi a1, 1 */
#define SD 0x00113423u   /* sd ra, 8(sp) */
#define C_SDSP 0xe406u   /* c.sdsp ra, 8(sp) */
#define LR 0x100522afu   /* lr.w t0, (a0) */
#define SC 0x18c522afu   /* sc.w t0, a2, (a0) */
#define EBREAK 0x00100073u

UNUSED static uint64_t at(unsigned half)
{
    return (uint64_t)(uintptr_t)&text[half];
}

UNUSED static void begin(void)
{
    memset(text, 0, sizeof(text));
    text_len = 0;
    if (mock_text_add(text, sizeof(text)))
        test_fail(__FILE__, __LINE__, "no writable text");
}

/* Adds an instruction and returns its index. */
UNUSED static unsigned emit(uint32_t insn)
{
    unsigned here = text_len;

    text[text_len++] = (uint16_t)insn;
    if ((insn & 3) == 3)
        text[text_len++] = (uint16_t)(insn >> 16);
    return here;
}

/* The function of all instructions from index first on. */
UNUSED static void function(const char *name, unsigned first)
{
    mock_symbol_add(name, at(first), 2 * (text_len - first));
}

UNUSED static unsigned calls;
UNUSED static struct ebpf_kprobe *called[16];

UNUSED static void handler(struct ebpf_kprobe *probe, struct ebpf_regs *regs)
{
    CHECK_EQ(regs->pc, probe->addr);
    called[calls++ % 16] = probe;
    regs->x[30]++;  /* t6 */
    regs->pc = 999; /* not allowed, and must not matter */
}

UNUSED static struct ebpf_kprobe probe_at(unsigned half)
{
    return (struct ebpf_kprobe){.addr = at(half), .handler = handler};
}

UNUSED static bool trap(struct ebpf_regs *regs)
{
    unsigned long irq = ebpf_os_irq_save();
    bool ours = ebpf_breakpoint(regs);

    ebpf_os_irq_restore(irq);
    return ours;
}

UNUSED static struct ebpf_kprobe_stats stats(void)
{
    struct ebpf_kprobe_stats s;

    ebpf_kprobe_stats(&s);
    return s;
}

#define CHECK_STATS(h, m, s, e)      \
    do {                             \
        CHECK_EQ(stats().hits, h);   \
        CHECK_EQ(stats().missed, m); \
        CHECK_EQ(stats().stale, s);  \
        CHECK_EQ(stats().step, e);   \
    } while (0)

/* check and register say the same, nothing is written, and the console names the reason. */
UNUSED static void check_refused(uint64_t addr, int err, const char *reason)
{
    struct ebpf_kprobe p = {.addr = addr, .handler = handler};
    unsigned writes = mock_text_writes;

    mock_console_clear();
    CHECK_EQ(ebpf_kprobe_check(addr), err);
    CHECK_EQ(ebpf_kprobe_register(&p), err);
    CHECK_EQ(mock_text_writes, writes);
    if (!strstr(mock_console(), reason))
        test_fail(__FILE__, __LINE__, "0x%llx: \"%s\" not in: %s", (unsigned long long)addr, reason,
                  mock_console());
    CHECK_EQ(ebpf_kprobe_unregister(&p), -ENOENT);
}

#endif /* TESTS_UNIT_KPROBE_TEXT_H */
