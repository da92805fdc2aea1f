/* SPDX-License-Identifier: MIT */
/* Formatting for log lines; what is understood is in fmt.h. */
#include "src/base/fmt.h"

#include <stdbool.h>
#include <stdint.h>

#include "src/base/mem.h"

struct sink {
    char *out;
    size_t size, len; /* len counts what did not fit, too */
};

struct spec {
    bool left, zero, alt;
    int width;
    int precision; /* -1: none */
    int length;    /* bytes of the argument: 1, 2, 4, 8 */
};

static void put(struct sink *sink, char c)
{
    if (sink->len + 1 < sink->size)
        sink->out[sink->len] = c;
    sink->len++;
}

/* prefix + zeros or blanks + text, to the width of the spec */
static void put_field(struct sink *sink, const struct spec *spec, const char *prefix,
                      const char *text, size_t len)
{
    size_t used = ebpf_strlen(prefix) + len;
    size_t fill = spec->width > 0 && (size_t)spec->width > used ? (size_t)spec->width - used : 0;
    bool zeros = spec->zero && !spec->left;

    for (size_t i = 0; !spec->left && !zeros && i < fill; i++)
        put(sink, ' ');
    while (*prefix)
        put(sink, *prefix++);
    for (size_t i = 0; zeros && i < fill; i++)
        put(sink, '0');
    for (size_t i = 0; i < len; i++)
        put(sink, text[i]);
    for (size_t i = 0; spec->left && i < fill; i++)
        put(sink, ' ');
}

static void put_number(struct sink *sink, const struct spec *spec, const char *prefix,
                       uint64_t value, unsigned base, const char *digits)
{
    char text[24];
    size_t at = sizeof(text);

    do {
        text[--at] = digits[value % base];
        value /= base;
    } while (value);
    put_field(sink, spec, prefix, text + at, sizeof(text) - at);
}

static uint64_t take_unsigned(const struct spec *spec, va_list *args)
{
    if (spec->length == 8)
        return va_arg(*args, uint64_t);
    uint64_t value = va_arg(*args, unsigned);
    return spec->length == 1 ? (uint8_t)value : spec->length == 2 ? (uint16_t)value : value;
}

static int64_t take_signed(const struct spec *spec, va_list *args)
{
    if (spec->length == 8)
        return va_arg(*args, int64_t);
    int value = va_arg(*args, int);
    return spec->length == 1 ? (int8_t)value : spec->length == 2 ? (int16_t)value : value;
}

static const char *parse_number(const char *f, int *out)
{
    int value = 0;

    while (*f >= '0' && *f <= '9') {
        if (value < 10000)
            value = value * 10 + (*f - '0');
        f++;
    }
    *out = value;
    return f;
}

/* Flags, width, precision and length behind the '%'; returns the conversion's place. */
static const char *parse_spec(const char *f, struct spec *spec)
{
    *spec = (struct spec){.precision = -1, .length = 4};
    for (;; f++) {
        if (*f == '-')
            spec->left = true;
        else if (*f == '0')
            spec->zero = true;
        else if (*f == '#')
            spec->alt = true;
        else
            break;
    }
    f = parse_number(f, &spec->width);
    if (*f == '.')
        f = parse_number(f + 1, &spec->precision);
    if (*f == 'l' || *f == 'z') {
        spec->length = 8;
        f += f[1] == 'l' ? 2 : 1;
    } else if (*f == 'h') {
        spec->length = f[1] == 'h' ? 1 : 2;
        f += f[1] == 'h' ? 2 : 1;
    }
    return f;
}

static void put_signed(struct sink *sink, const struct spec *spec, int64_t value)
{
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    put_number(sink, spec, value < 0 ? "-" : "", size, 10, "0123456789");
}

static void put_string(struct sink *sink, const struct spec *spec, const char *s)
{
    if (!s)
        s = "(null)";
    put_field(sink, spec, "", s,
              spec->precision >= 0 ? ebpf_strnlen(s, (size_t)spec->precision) : ebpf_strlen(s));
}

/* One conversion; false: not known, nothing was written. */
static bool convert(struct sink *sink, const struct spec *spec, char kind, va_list *args)
{
    const char c = kind == 'c' ? (char)va_arg(*args, int) : '%';

    switch (kind) {
    case 'd':
    case 'i':
        put_signed(sink, spec, take_signed(spec, args));
        return true;
    case 'u':
        put_number(sink, spec, "", take_unsigned(spec, args), 10, "0123456789");
        return true;
    case 'x':
        put_number(sink, spec, spec->alt ? "0x" : "", take_unsigned(spec, args), 16,
                   "0123456789abcdef");
        return true;
    case 'X':
        put_number(sink, spec, spec->alt ? "0X" : "", take_unsigned(spec, args), 16,
                   "0123456789ABCDEF");
        return true;
    case 'p':
        put_number(sink, spec, "0x", (uint64_t)(uintptr_t)va_arg(*args, void *), 16,
                   "0123456789abcdef");
        return true;
    case 's':
        put_string(sink, spec, va_arg(*args, const char *));
        return true;
    case 'c':
    case '%':
        put_field(sink, spec, "", &c, 1);
        return true;
    default:
        return false;
    }
}

int ebpf_vformat(char *out, size_t size, const char *format, va_list args)
{
    struct sink sink = {.out = out, .size = size};
    struct spec spec;
    va_list copy;

    va_copy(copy, args);
    for (const char *f = format; *f; f++) {
        const char *kind = *f == '%' ? parse_spec(f + 1, &spec) : f;

        if (*f == '%' && *kind && convert(&sink, &spec, *kind, &copy))
            f = kind;
        else
            put(&sink, *f);
    }
    va_end(copy);
    if (size)
        out[sink.len < size ? sink.len : size - 1] = 0;
    return (int)sink.len;
}

int ebpf_format(char *out, size_t size, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = ebpf_vformat(out, size, format, args);
    va_end(args);
    return len;
}
