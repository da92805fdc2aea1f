/* SPDX-License-Identifier: MIT */
/* bpf_trace_printk(): formats by Linux's rules, texts as Linux prints them. */
#include "tests/unit/test.h"

#include <stdbool.h>

#include <ebpf/ebpf.h>

#include "helpers/bprintf.h"
#include "helpers/helper.h"

static int64_t printk(const char *fmt, uint64_t a, uint64_t b, uint64_t c)
{
    return (int64_t)ebpf_helper_find(6)->fn((uintptr_t)fmt, strlen(fmt) + 1, a, b, c);
}

/* The text and its length; a newline was added. */
static void check_text(int line, const char *fmt, uint64_t a, uint64_t b, uint64_t c,
                       const char *want)
{
    char with_newline[2000];
    int64_t got;

    mock_console_clear();
    got = printk(fmt, a, b, c);
    snprintf(with_newline, sizeof(with_newline), "%s\n", want);
    if (got != (int64_t)strlen(want) || strcmp(mock_trace(), with_newline))
        test_fail(__FILE__, line, "\"%s\": %lld \"%s\", expected %zu \"%s\"", fmt, (long long)got,
                  mock_trace(), strlen(want), with_newline);
}
#define CHECK_TEXT(fmt, a, b, c, want) \
    check_text(__LINE__, fmt, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), want)

static uint64_t reg(const void *ptr)
{
    return (uintptr_t)ptr;
}

TEST(printk_numbers)
{
    CHECK_TEXT("plain", 0, 0, 0, "plain");
    CHECK_TEXT("%d %i %u", -1, 2, -1, "-1 2 4294967295");
    CHECK_TEXT("%d", 0x100000005, 0, 0, "5"); /* 32 bits of the register */
    CHECK_TEXT("%d", 0x80000000, 0, 0, "-2147483648");
    CHECK_TEXT("%ld %lld %li", -1, INT64_MIN, INT64_MAX,
               "-1 -9223372036854775808 9223372036854775807");
    CHECK_TEXT("%lu %llu", UINT64_MAX, 7, 0, "18446744073709551615 7");
    CHECK_TEXT("%x %X %lx", 0xabcdef, 0xabcdef, 0x123456789abcdef, "abcdef ABCDEF 123456789abcdef");
    CHECK_TEXT("%llX", 0xfedcba9876543210, 0, 0, "FEDCBA9876543210");
    CHECK_TEXT("%d%d%d", 1, 2, 3, "123");
    CHECK_TEXT("%dx%%%d", 1, 2, 0, "1x%2");
    CHECK_TEXT("100%%", 0, 0, 0, "100%");
}

TEST(printk_flags_and_widths)
{
    CHECK_TEXT("[%5d] [%-5d] [%05d]", 42, 42, 42, "[   42] [42   ] [00042]");
    CHECK_TEXT("[%5d] [%-5d] [%05d]", -42, -42, -42, "[  -42] [-42  ] [-0042]");
    CHECK_TEXT("[%+d] [% d] [%+5d]", 42, 42, 42, "[+42] [ 42] [  +42]");
    CHECK_TEXT("[%+05d] [%-05d] [% 05d]", 42, 42, 42, "[+0042] [42   ] [ 0042]");
    CHECK_TEXT("[%+u] [%+x] [% d]", 42, 42, -42,
               "[42] [2a] [-42]"); /* signs are for signed numbers */
    CHECK_TEXT("[%016lx] [%16lx] [%-16lx]", 0xbeef, 0xbeef, 0xbeef,
               "[000000000000beef] [            beef] [beef            ]");
    CHECK_TEXT("[%2d]", 12345, 0, 0, "[12345]");
    CHECK_TEXT("[%00-+ 4d]", 7, 0, 0, "[+7  ]");
}

TEST(printk_characters_and_strings)
{
    uint64_t user = mock_user_copy("from user", 10);

    CHECK_TEXT("%c%c%c", 'a', 'b', 0x100 + 'c', "abc");
    CHECK_TEXT("[%3c] [%-3c]", 'a', 'b', 0, "[  a] [b  ]");
    CHECK_TEXT("%s, %s!", reg("hello"), reg("world"), 0, "hello, world!");
    CHECK_TEXT("[%8s] [%-8s] [%2s]", reg("hello"), reg("hello"), reg("hello"),
               "[   hello] [hello   ] [hello]");
    CHECK_TEXT("%pks %pus", reg("kernel"), user, 0, "kernel from user");
    CHECK_TEXT("%s", user, 0, 0, "from user"); /* %s takes both */
    CHECK_TEXT("[%s] [%pks] [%pus]", MOCK_BAD_ADDR, user, reg("kernel"), "[] [] []");
    CHECK_TEXT("[%6s]", 0, 0, 0, "[      ]");
}

TEST(printk_pointers)
{
    static const uint8_t ip4[] = {192, 168, 0, 1};
    static const uint8_t ip6[] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xab, 0xcd};

    CHECK_TEXT("%p %px %pK", 0xffffffff80001234, 0, 0x10,
               "ffffffff80001234 0000000000000000 0000000000000010");
    CHECK_TEXT("[%20p] [%-20px]", 0x12, 0x34, 0, "[                  12] [34                  ]");
    CHECK_TEXT("%p,%p;%p", 1, 2, 3, "0000000000000001,0000000000000002;0000000000000003");
    CHECK_TEXT("%pS %ps %pB", 0x10, 0x20, 0x30,
               "0x10 0x20 0x30"); /* as Linux where no symbol is known */
    CHECK_TEXT("%pI4 %pi4", reg(ip4), reg(ip4), 0, "192.168.0.1 192.168.000.001");
    CHECK_TEXT("%pI6 %pi6", reg(ip6), reg(ip6), 0,
               "2001:0db8:0000:0000:0000:0000:0000:abcd 20010db800000000000000000000abcd");
    CHECK_TEXT("[%16pI4] %pI4", reg(ip4), MOCK_BAD_ADDR, 0, "[     192.168.0.1] 0.0.0.0");
}

TEST(printk_refuses_what_linux_refuses)
{
    static const char *const formats[] = {
        "%",
        "%d %d %d %d",
        "%n",
        "%o",
        "%h",
        "%hd",
        "%lld%",
        "%llld",
        "%ls",
        "%lc",
        "%lp",
        "%f",
        "%z",
        "%zu",
        "%#x",
        "%.3s",
        "%.3d",
        "%*d",
        "%5%",
        "%sX",
        "%s1",
        "%pksX",
        "%pusa",
        "%pk",
        "%pkx",
        "%pA",
        "%p1",
        "%pI5",
        "%pi",
        "%pI",
        "%pM",
        "%pE",
        "%pd",
        "%j",
        "%td",
        "%5",
        "%-",
        "%+0 -",
        "%b",
        "\x01",
        "a\x7f",
        "\xe9",
        "\x80",
        "ok %d \x1b[0m",
        "%99999999999999999999",
        "%d\xc3\xa9",
    };

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        int64_t got = printk(formats[i], reg("x"), reg("x"), reg("x"));

        if (got != -EINVAL)
            test_fail(__FILE__, __LINE__, "\"%s\": %lld", formats[i], (long long)got);
    }
    CHECK_STR(mock_trace(), ""); /* nothing of them was printed */
}

TEST(printk_needs_a_nul_within_the_size)
{
    const ebpf_helper_fn fn = ebpf_helper_find(6)->fn;
    static const char text[] = "abc";

    CHECK_EQ(fn((uintptr_t)text, 3, 0, 0, 0), -EINVAL);
    CHECK_EQ(fn((uintptr_t)text, 0, 0, 0, 0), -EINVAL);
    CHECK_STR(mock_trace(), "");
    CHECK_EQ(fn((uintptr_t)text, 4, 0, 0, 0), 3);
    CHECK_EQ(fn((uintptr_t) "de\0%n", 6, 0, 0, 0), 2); /* what follows the NUL does not matter */
    CHECK_STR(mock_trace(), "abc\nde\n");
}

TEST(printk_ends_each_text_with_one_newline)
{
    CHECK_EQ(printk("a\n", 0, 0, 0), 2);
    CHECK_EQ(printk("b", 0, 0, 0), 1);
    CHECK_EQ(printk("", 0, 0, 0), 0);
    CHECK_EQ(printk("%s", reg("c\n"), 0, 0), 2);
    CHECK_STR(mock_trace(), "a\nb\n\nc\n");
}

TEST(printk_cuts_long_texts_and_says_how_long_they_were)
{
    char text[1200], want[1100];

    memset(text, 'a', sizeof(text));
    text[1100] = 0;
    CHECK_EQ(printk(text, 0, 0, 0), 1100);
    memset(want, 'a', 1023);
    strcpy(want + 1023, "\n");
    CHECK_STR(mock_trace(), want);
    mock_console_clear();
    CHECK_EQ(printk("%2000d", 5, 0, 0), 2000);
    CHECK_EQ(strlen(mock_trace()), 1024);
    mock_console_clear();
    CHECK_EQ(printk("%99999999999d", 5, 0, 0),
             8388607); /* Linux's FIELD_WIDTH_MAX, without 8 million steps */
    CHECK_EQ(strlen(mock_trace()), 1024);
}

/* Linux packs arguments into 512 bytes. */
TEST(printk_strings_share_512_bytes)
{
    char text[700];

    memset(text, 'b', sizeof(text));
    text[699] = 0;
    CHECK_EQ(printk("%s", reg(text), 0, 0), 511);
    CHECK_EQ(printk("%s%s", reg(text), reg("x"), 0), -ENOSPC);
    CHECK_EQ(printk("%s%c", reg(text), 'x', 0), -ENOSPC);
    CHECK_EQ(printk("%s%d", reg(text), 1, 0), -ENOSPC);
    CHECK_EQ(printk("%s%pI4", reg(text), reg(text), 0), -ENOSPC);
    CHECK_EQ(printk("%d%s", 1, reg(text), 0), 1 + 507);
    text[506] = 0; /* 507 with NUL, then 4 bytes at 508 */
    CHECK_EQ(printk("%s%d", reg(text), 1, 0), 507);
    CHECK_EQ(printk("%s%ld", reg(text), 1, 0), -ENOSPC);
}

TEST(printk_harts_have_buffers_of_their_own)
{
    for (unsigned cpu = 0; cpu < 4; cpu++) {
        mock_set_cpu(cpu);
        CHECK_EQ(printk("cpu %d", cpu, 0, 0), 5);
    }
    CHECK_STR(mock_trace(), "cpu 0\ncpu 1\ncpu 2\ncpu 3\n");
}

/* Random formats: never more than the buffer, always ended, and what is accepted has only known
 * conversions. */
TEST(printk_survives_random_formats)
{
    static const char alphabet[] = "%%%%%dduxXlspcikKSBI46 0+-5. a\n\x01\xff";
    static char text[EBPF_BPRINTF_TEXT + 1];
    static struct ebpf_bprintf out = {.text = text, .size = EBPF_BPRINTF_TEXT};
    uint64_t random = 88172645463325252ull;

    for (unsigned i = 0; i < 200000; i++) {
        uint64_t args[3] = {reg("text"), MOCK_BAD_ADDR, i};
        char fmt[12];
        int len;

        for (unsigned j = 0; j < sizeof(fmt); j++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            fmt[j] = alphabet[(random >> 32) % sizeof(alphabet)]; /* NUL among them */
        }
        memset(text, 0x7e, sizeof(text));
        memset(out.args, 0x7e, sizeof(out.args));
        len = ebpf_bprintf(&out, fmt, sizeof(fmt), args, 3);
        CHECK(len >= 0 || len == -EINVAL);
        CHECK_EQ(out.text[EBPF_BPRINTF_TEXT], 0x7e);
        if (len >= 0)
            CHECK_EQ(strlen(out.text), len < 1023 ? strlen(out.text) : 1023);
        if (len >= 0 && !memchr(fmt, 0, sizeof(fmt)))
            test_fail(__FILE__, __LINE__, "a format without NUL was taken");
    }
}
