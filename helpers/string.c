/* SPDX-License-Identifier: MIT */
/* Helpers 105, 106 and 182: numbers in texts, comparing texts. */
#include "helpers/helper.h"
#include "src/base/bits.h"

#define BASE_MASK 0x1fu /* of the flags; Linux: BPF_STRTOX_BASE_MASK */
#define MAX_DIGITS 63u  /* Linux copies so much of the text behind the sign, and looks at no more */

struct text {
    const char *at, *end;
};

/* The character i places on; NUL behind the end. */
static char peek(const struct text *text, size_t i)
{
    return i < (size_t)(text->end - text->at) ? text->at[i] : 0;
}

/* Linux's isspace() is Latin-1. */
static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || (uint8_t)c == 0xa0;
}

/* What the digit stands for; 36: it is none. */
static unsigned digit_value(char c)
{
    char lower = (char)(c | 0x20);

    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    return lower >= 'a' && lower <= 'f' ? (unsigned)(lower - 'a') + 10 : 36;
}

/* Takes a leading 0x where the base is 16 or open, and settles an open one. */
static unsigned take_base(struct text *text, unsigned base)
{
    bool hex = peek(text, 0) == '0' && (peek(text, 1) | 0x20) == 'x';

    if (!base)
        base = hex && digit_value(peek(text, 2)) < 16 ? 16 : peek(text, 0) == '0' ? 8 : 10;
    if (base == 16 && hex)
        text->at += 2;
    return base;
}

/* 0, -EINVAL: no digit, -ERANGE */
static int take_digits(struct text *text, unsigned base, uint64_t *value)
{
    const char *start = text->at;
    bool fits = true;

    *value = 0;
    for (; digit_value(peek(text, 0)) < base; text->at++) {
        unsigned digit = digit_value(peek(text, 0));

        fits = fits && *value <= (UINT64_MAX - digit) / base;
        *value = *value * base + digit;
    }
    return !fits ? -ERANGE : text->at == start ? -EINVAL : 0;
}

/* The number at the start of buf: how many characters it has with spaces and sign, -EINVAL (none,
 * or flags), -ERANGE. */
static int64_t parse(const char *buf, uint64_t size, uint64_t flags, uint64_t *value,
                     bool *negative)
{
    struct text text = {buf, buf + size};
    int err;

    if (!size || (flags != 0 && flags != 8 && flags != 10 && flags != 16))
        return -EINVAL;
    while (is_space(peek(&text, 0)))
        text.at++;
    *negative = peek(&text, 0) == '-';
    text.at += *negative;
    if ((size_t)(text.end - text.at) > MAX_DIGITS)
        text.end = text.at + MAX_DIGITS;
    err = take_digits(&text, take_base(&text, (unsigned)flags), value);
    return err ? err : text.at - buf;
}

/* r1: text, r2: its size, r3: the base, r4: the result */
EBPF_HELPER_FN(strtol)
{
    int64_t *result = ebpf_reg_ptr(r4), len;
    uint64_t value, limit;
    bool negative;

    *result = 0;
    len = parse(ebpf_reg_ptr(r1), r2, r3, &value, &negative);
    if (len < 0)
        return ebpf_reg_int(len);
    limit = (uint64_t)INT64_MAX + negative;
    if (value > limit)
        return ebpf_reg_int(-ERANGE);
    *result = (int64_t)(negative ? 0 - value : value);
    return ebpf_reg_int(len);
}

EBPF_HELPER_FN(strtoul)
{
    uint64_t *result = ebpf_reg_ptr(r4), value;
    bool negative;
    int64_t len;

    *result = 0;
    len = parse(ebpf_reg_ptr(r1), r2, r3, &value, &negative);
    if (len >= 0 && negative)
        len = -EINVAL;
    if (len >= 0)
        *result = value;
    return ebpf_reg_int(len);
}

const struct ebpf_helper ebpf_helper_strtol = {
    .name = "strtol",
    .fn = strtol,
    .arg = {ARG_MEM_RD, ARG_SIZE, ARG_ANYTHING, ARG_LONG_OUT},
};

const struct ebpf_helper ebpf_helper_strtoul = {
    .name = "strtoul",
    .fn = strtoul,
    .arg = {ARG_MEM_RD, ARG_SIZE, ARG_ANYTHING, ARG_LONG_OUT},
};

/* r1: text, which need not end, r2: its size, r3: a constant text. -1, 0, 1. */
EBPF_HELPER_FN(strncmp)
{
    const uint8_t *a = ebpf_reg_ptr(r1), *b = ebpf_reg_ptr(r3);

    for (size_t i = 0; i < (uint32_t)r2; i++) {
        if (a[i] != b[i])
            return ebpf_reg_int(a[i] < b[i] ? -1 : 1);
        if (!a[i])
            break;
    }
    return 0;
}

const struct ebpf_helper ebpf_helper_strncmp = {
    .name = "strncmp",
    .fn = strncmp,
    .arg = {ARG_MEM_RD, ARG_SIZE, ARG_CONST_STR},
};
