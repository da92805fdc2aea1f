/* SPDX-License-Identifier: MIT */
/*
 * Kernel messages. printk() formats straight onto the console under the console's lock, so a
 * message needs no buffer on the 4 KiB stacks and stays in one piece. panic() powers the machine
 * off: a test should end, not hang.
 */
#include "kernel.h"

static void put_number(void (*put)(void *to, char c), void *to, uint64_t value, unsigned base,
                       bool negative, int width, char pad)
{
    char digits[24];
    int n = 0;

    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    if (negative && pad == '0') {
        put(to, '-');
        width--;
    } else if (negative) {
        digits[n++] = '-';
    }
    for (; width > n; width--)
        put(to, pad);
    while (n > 0)
        put(to, digits[--n]);
}

static void put_string(void (*put)(void *to, char c), void *to, const char *s, int width)
{
    for (; *s; s++, width--)
        put(to, *s);
    for (; width > 0; width--)
        put(to, ' ');
}

void format_text(void (*put)(void *to, char c), void *to, const char *fmt, va_list args)
{
    for (; *fmt; fmt++) {
        int width = 0;
        bool is_long = false;
        char pad = ' ';
        int64_t value;

        if (*fmt != '%') {
            put(to, *fmt);
            continue;
        }
        if (*++fmt == '0')
            pad = *fmt++;
        while (*fmt >= '0' && *fmt <= '9')
            width = width * 10 + *fmt++ - '0';
        for (; *fmt == 'l'; fmt++)
            is_long = true;
        switch (*fmt) {
        case 'd':
            value = is_long ? va_arg(args, long) : va_arg(args, int);
            put_number(put, to, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, value < 0,
                       width, pad);
            break;
        case 'u':
        case 'x':
            put_number(put, to, is_long ? va_arg(args, unsigned long) : va_arg(args, unsigned),
                       *fmt == 'x' ? 16 : 10, false, width, pad);
            break;
        case 's':
            put_string(put, to, va_arg(args, const char *), width);
            break;
        case 'c':
            put(to, (char)va_arg(args, int));
            break;
        default:
            put(to, *fmt);
        }
    }
}

static void put_console(void *to, char c)
{
    (void)to;
    console_putc(c);
}

void printk(const char *fmt, ...)
{
    unsigned long irq = console_begin();
    va_list args;

    va_start(args, fmt);
    format_text(put_console, NULL, fmt, args);
    va_end(args);
    console_end(irq);
}

void panic(const char *fmt, ...)
{
    unsigned long irq = console_begin();
    va_list args;

    printk("panic on hart %u, thread %d (%s): ", current->cpu->id, current->tid, current->comm);
    va_start(args, fmt);
    format_text(put_console, NULL, fmt, args);
    va_end(args);
    printk("\n");
    console_end(irq);
    sbi_shutdown(true);
}
