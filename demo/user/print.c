/* SPDX-License-Identifier: MIT */
/* Printing: see print.h. */
#include "print.h"

#include "lib.h"

/* Where formatted characters go: into buf, and from there to fd when it is full and fd is open. */
struct sink {
    char *buf;
    size_t size, used;
    int fd;
    int total;
};

static void sink_flush(struct sink *s)
{
    size_t done = 0;

    while (done < s->used) {
        long n = write(s->fd, s->buf + done, s->used - done);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    s->used = 0;
}

static void sink_put(struct sink *s, char c)
{
    s->total++;
    if (s->used == s->size) {
        if (s->fd < 0)
            return;
        sink_flush(s);
    }
    s->buf[s->used++] = c;
}

static void sink_fill(struct sink *s, char c, int n)
{
    while (n-- > 0)
        sink_put(s, c);
}

/* One conversion: %[flags][width][.precision][length]type. */
struct spec {
    bool left, zero;
    char sign;            /* '+' or ' ' in front of numbers that are not negative, or 0 */
    int width, precision; /* precision -1: none given */
    int length;           /* bytes of the integer argument */
};

static void put_text(struct sink *s, const struct spec *spec, const char *text)
{
    int len = 0;

    if (!text)
        text = "(null)";
    while (text[len] && (spec->precision < 0 || len < spec->precision))
        len++;
    if (!spec->left)
        sink_fill(s, ' ', spec->width - len);
    for (int i = 0; i < len; i++)
        sink_put(s, text[i]);
    if (spec->left)
        sink_fill(s, ' ', spec->width - len);
}

static void put_number(struct sink *s, const struct spec *spec, uint64_t value, unsigned base,
                       const char *prefix, bool upper)
{
    char digits[24];
    int n = 0, zeros = 0, len = (int)strlen(prefix);

    do {
        unsigned d = (unsigned)(value % base);
        digits[n++] = (char)(d < 10 ? '0' + d : (upper ? 'A' : 'a') + d - 10);
        value /= base;
    } while (value);
    if (spec->precision > n)
        zeros = spec->precision - n;
    else if (spec->zero && !spec->left && spec->precision < 0 && spec->width > n + len)
        zeros = spec->width - n - len;
    if (!spec->left)
        sink_fill(s, ' ', spec->width - zeros - n - len);
    while (*prefix)
        sink_put(s, *prefix++);
    sink_fill(s, '0', zeros);
    for (int i = n; i > 0; i--)
        sink_put(s, digits[i - 1]);
    if (spec->left)
        sink_fill(s, ' ', spec->width - zeros - n - len);
}

static int parse_count(const char **fmt, va_list *args)
{
    int n = 0;

    if (**fmt == '*') {
        (*fmt)++;
        return va_arg(*args, int);
    }
    while (**fmt >= '0' && **fmt <= '9')
        n = n * 10 + *(*fmt)++ - '0';
    return n;
}

static void parse_spec(const char **fmt, va_list *args, struct spec *spec)
{
    *spec = (struct spec){.precision = -1, .length = 4};
    for (;; (*fmt)++) {
        if (**fmt == '-')
            spec->left = true;
        else if (**fmt == '0')
            spec->zero = true;
        else if (**fmt == '+' || **fmt == ' ')
            spec->sign = **fmt;
        else
            break;
    }
    spec->width = parse_count(fmt, args);
    if (spec->width < 0) { /* `*` with a negative argument means left */
        spec->left = true;
        spec->width = -spec->width;
    }
    if (**fmt == '.') {
        (*fmt)++;
        spec->precision = parse_count(fmt, args);
    }
    for (; **fmt == 'l' || **fmt == 'z' || **fmt == 'h'; (*fmt)++)
        spec->length = **fmt == 'h' ? spec->length / 2 : 8;
}

static uint64_t next_int(const struct spec *spec, va_list *args, bool is_signed)
{
    uint64_t v = spec->length == 8 ? va_arg(*args, uint64_t) : va_arg(*args, unsigned);
    int shift = 64 - 8 * spec->length;

    return is_signed ? (uint64_t)((int64_t)(v << shift) >> shift) : v << shift >> shift;
}

static void convert(struct sink *s, char type, struct spec *spec, va_list *args)
{
    const char sign[2] = {spec->sign, 0};
    int64_t value;

    switch (type) {
    case 'd':
    case 'i':
        value = (int64_t)next_int(spec, args, true);
        put_number(s, spec, value < 0 ? -(uint64_t)value : (uint64_t)value, 10,
                   value < 0 ? "-" : sign, false);
        break;
    case 'u':
        put_number(s, spec, next_int(spec, args, false), 10, "", false);
        break;
    case 'x':
    case 'X':
        put_number(s, spec, next_int(spec, args, false), 16, "", type == 'X');
        break;
    case 'o':
        put_number(s, spec, next_int(spec, args, false), 8, "", false);
        break;
    case 'p':
        put_number(s, spec, va_arg(*args, uint64_t), 16, "0x", false);
        break;
    case 'c': {
        const char text[2] = {(char)va_arg(*args, int), 0};
        put_text(s, spec, text);
        break;
    }
    case 's':
        put_text(s, spec, va_arg(*args, const char *));
        break;
    default: /* %% and what is not known stands for itself */
        sink_put(s, type);
    }
}

static void format(struct sink *s, const char *fmt, va_list *args)
{
    struct spec spec;

    while (*fmt) {
        char c = *fmt++;
        if (c != '%') {
            sink_put(s, c);
            continue;
        }
        parse_spec(&fmt, args, &spec);
        if (!*fmt)
            break;
        convert(s, *fmt++, &spec, args);
    }
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
    struct sink s = {buf, size ? size - 1 : 0, 0, -1, 0};
    va_list copy;

    va_copy(copy, args);
    format(&s, fmt, &copy);
    va_end(copy);
    if (size)
        buf[s.used] = 0;
    return s.total;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(buf, size, fmt, args);
    va_end(args);
    return n;
}

static int vdprintf(int fd, const char *fmt, va_list *args)
{
    char buf[512];
    struct sink s = {buf, sizeof(buf), 0, fd, 0};

    format(&s, fmt, args);
    sink_flush(&s);
    return s.total;
}

int dprintf(int fd, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vdprintf(fd, fmt, &args);
    va_end(args);
    return n;
}

int printf(const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vdprintf(1, fmt, &args);
    va_end(args);
    return n;
}

int puts(const char *line)
{
    return printf("%s\n", line);
}
