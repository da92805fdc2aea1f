/* SPDX-License-Identifier: MIT */
/* Symbols in bpf_trace_printk(): bprintf.c once more, with a symbol table of the test's own (the
 * unit tests are linked without one). */
#define ebpf_bprintf bprintf_with_symbols
#define ebpf_bprintf_get bprintf_get_with_symbols
#define ebpf_bprintf_put bprintf_put_with_symbols
#define ebpf_bprintf_count bprintf_count_with_symbols
#define ebpf_bprintf_check bprintf_check_with_symbols
#define ebpf_ksym_at ksym_of_the_test
#include "helpers/bprintf.c"

#include "tests/unit/test.h"

/* One function, [0x1000, 0x1040). */
int ksym_of_the_test(uint64_t addr, struct ebpf_symbol *out)
{
    if (addr < 0x1000 || addr >= 0x1040)
        return -ENOENT;
    out->addr = 0x1000;
    out->size = 0x40;
    strcpy(out->name, "schedule");
    return 0;
}

static const char *print(const char *fmt, uint64_t a, uint64_t b, uint64_t c)
{
    static char text[EBPF_BPRINTF_TEXT];
    static struct ebpf_bprintf out = {.text = text, .size = sizeof(text)};
    const uint64_t args[3] = {a, b, c};
    int len = bprintf_with_symbols(&out, fmt, (uint32_t)strlen(fmt) + 1, args, 3);

    CHECK_EQ(len, strlen(out.text));
    return out.text;
}

TEST(printk_names_symbols_like_linux)
{
    CHECK_STR(print("%pS %ps", 0x1004, 0x1004, 0), "schedule+0x4/0x40 schedule");
    CHECK_STR(print("%pS %ps %pB", 0xfff, 0x1040, 0x1000), "0xfff 0x1040 0x1000");
    /* a return address belongs to the instruction before it */
    CHECK_STR(print("%pB %pB", 0x1040, 0x1001, 0), "schedule+0x40/0x40 schedule+0x1/0x40");
    CHECK_STR(print("[%10ps] [%-10ps]", 0x1000, 0x1000, 0), "[  schedule] [schedule  ]");
}
