/* SPDX-License-Identifier: MIT */
/* Helpers on texts: strtol, strtoul, strncmp, snprintf, trace_vprintk. What Linux makes of the same
 * is compared in host/test_helpers_linux.c. */
#include "tests/unit/helper_util.h"

#define STRTOL 105
#define STRTOUL 106
#define SNPRINTF 165
#define TRACE_VPRINTK 177
#define STRNCMP 182

static void check_number(int line, uint32_t id, const char *text, uint64_t size, uint64_t flags,
                         int64_t ret, uint64_t value)
{
    uint64_t got = 0x5555;
    int64_t r0 = helper_call(id, reg(text), size, flags, reg(&got), 0);

    if (r0 != ret || got != value)
        test_fail(__FILE__, line, "\"%s\": %lld, 0x%llx, expected %lld, 0x%llx", text,
                  (long long)r0, (unsigned long long)got, (long long)ret,
                  (unsigned long long)value);
}
#define CHECK_L(text, flags, ret, value) \
    check_number(__LINE__, STRTOL, text, strlen(text), flags, ret, (uint64_t)(value))
#define CHECK_UL(text, flags, ret, value) \
    check_number(__LINE__, STRTOUL, text, strlen(text), flags, ret, (uint64_t)(value))

TEST(strtol_finds_the_number_and_its_length)
{
    CHECK_L("1", 0, 1, 1);
    CHECK_L(" \t\n-42 rest", 0, 6, -42);
    CHECK_L("0x1f", 0, 4, 31);
    CHECK_L("0X1F", 16, 4, 31);
    CHECK_L("1f", 16, 2, 31);
    CHECK_L("017", 0, 3, 15);
    CHECK_L("017", 10, 3, 17);
    CHECK_L("0x", 0, 1, 0); /* a zero, and then an x */
    CHECK_L("0xg", 0, 1, 0);
    CHECK_L("789", 8, 1, 7); /* digits of the base only */
    CHECK_L("-0x10", 0, 5, -16);
    /* only as much as the size says */
    check_number(__LINE__, STRTOL, "123456", 3, 10, 3, 123);
}

TEST(strtol_refuses_what_is_no_number)
{
    CHECK_L("x", 0, -EINVAL, 0);
    CHECK_L("-", 0, -EINVAL, 0);
    CHECK_L("   ", 0, -EINVAL, 0);
    CHECK_L("+1", 0, -EINVAL, 0);
    CHECK_L("- 1", 0, -EINVAL, 0);
    CHECK_L("0x", 16, -EINVAL, 0);
    check_number(__LINE__, STRTOL, "1", 0, 0, -EINVAL, 0);
    for (uint64_t flags = 0; flags < 40; flags++) {
        if (flags != 0 && flags != 8 && flags != 10 && flags != 16)
            CHECK_L("1", flags, -EINVAL, 0);
    }
    CHECK_L("1", 10 | 1ull << 32, -EINVAL, 0);
}

TEST(strtol_refuses_what_does_not_fit)
{
    CHECK_L("9223372036854775807", 0, 19, INT64_MAX);
    CHECK_L("9223372036854775808", 0, -ERANGE, 0);
    CHECK_L("-9223372036854775808", 0, 20, INT64_MIN);
    CHECK_L("-9223372036854775809", 0, -ERANGE, 0);
    CHECK_L("18446744073709551616", 0, -ERANGE, 0);
    CHECK_UL("18446744073709551615", 0, 20, UINT64_MAX);
    CHECK_UL("18446744073709551616", 0, -ERANGE, 0);
    CHECK_UL("0xffffffffffffffff", 0, 18, UINT64_MAX);
    CHECK_UL("0x10000000000000000", 0, -ERANGE, 0);
    CHECK_UL("-1", 0, -EINVAL, 0);
    CHECK_UL("7", 0, 1, 7);
}

static int64_t compare(const char *a, uint64_t size, const char *b)
{
    return helper_call(STRNCMP, reg(a), size, reg(b), 0, 0);
}

TEST(strncmp_compares_up_to_the_size_or_the_end)
{
    CHECK_EQ(compare("abc", 4, "abc"), 0);
    CHECK_EQ(compare("abcd", 3, "abc"), 0); /* cut at the size */
    CHECK_EQ(compare("abcd", 4, "abc"), 1);
    CHECK_EQ(compare("abx", 2, "aby"), 0);
    CHECK_EQ(compare("abx", 3, "aby"), -1);
    CHECK_EQ(compare("abz", 3, "aby"), 1);
    CHECK_EQ(compare("a\0x", 3, "a\0y"), 0);
    CHECK_EQ(compare("\xff", 1, "a"), 1); /* bytes, not signed characters */
    CHECK_EQ(compare("", 1, ""), 0);
}

static int64_t print(char *text, uint64_t size, const char *fmt, const uint64_t *args, unsigned cnt)
{
    return helper_call(SNPRINTF, reg(text), size, reg(fmt), reg(args), 8 * cnt);
}

TEST(snprintf_gives_the_size_that_the_whole_text_needs)
{
    const uint64_t args[] = {42, reg("text"), 7};
    char text[64];

    memset(text, 'x', sizeof(text));
    CHECK_EQ(print(text, sizeof(text), "%d %s!", args, 2), 9);
    CHECK_STR(text, "42 text!");
    CHECK_EQ(text[9], 'x'); /* nothing behind the NUL */
    memset(text, 'x', sizeof(text));
    CHECK_EQ(print(text, 5, "%d %s!", args, 2), 9);
    CHECK(!memcmp(text, "42 t\0x", 6));
    CHECK_EQ(print(text, 1, "%d", args, 1), 3);
    CHECK_EQ(text[0], 0);
    CHECK_EQ(print(NULL, 0, "%d", args, 1), 3);
    CHECK_EQ(print(text, 64, "%5d|%-5d", (const uint64_t[]){1, 2}, 2), 12);
    CHECK_STR(text, "    1|2    ");
    CHECK_EQ(print(NULL, 0, "%10000d", args, 1), 10001);
    CHECK_EQ(print(text, 64, "", NULL, 0), 1);
    CHECK_EQ(print(text, 64, "%d", args, 3), 3); /* more arguments than the format has */
}

TEST(snprintf_refuses_arguments_that_are_no_numbers_or_too_many)
{
    const uint64_t args[13] = {1};
    char text[64];

    CHECK_EQ(print(text, 64, "%d %d", args, 1), -EINVAL);
    CHECK_EQ(helper_call(SNPRINTF, reg(text), 64, reg("%d"), reg(args), 7), -EINVAL);
    CHECK_EQ(helper_call(SNPRINTF, reg(text), 64, reg("%d"), 0, 8), -EINVAL);
    CHECK_EQ(print(text, 64, "%d", args, 12), 2);
    CHECK_EQ(print(text, 64, "%d", args, 13), -EINVAL);
}

TEST(trace_vprintk_takes_up_to_twelve_arguments)
{
    const uint64_t args[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const char fmt[] = "%d %d %d %d %d %d %d %d %d %d %d %d";

    CHECK_EQ(helper_call(TRACE_VPRINTK, reg(fmt), sizeof(fmt), reg(args), sizeof(args), 0), 26);
    CHECK_STR(mock_trace(), "1 2 3 4 5 6 7 8 9 10 11 12\n");
    CHECK_EQ(helper_call(TRACE_VPRINTK, reg(fmt), sizeof(fmt), reg(args), 88, 0), -EINVAL);
    CHECK_EQ(helper_call(TRACE_VPRINTK, reg("x"), 2, 0, 0, 0), 1);
    CHECK_EQ(helper_call(TRACE_VPRINTK, reg("x"), 1, 0, 0, 0), -EINVAL); /* does not end */
}
