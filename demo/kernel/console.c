/* SPDX-License-Identifier: MIT */
/*
 * The console: an ns16550 UART and the line discipline of a terminal.
 *
 * Output waits for the UART; the lock keeps messages of several harts apart. Its holder may enter
 * it again: a probe on a function that runs under the lock may print, and must not wait for itself.
 *
 * Input comes by interrupt. Characters are echoed and collected into a line, which readers see once
 * it is finished: backspace takes back a character, ^U the line, ^D finishes without a newline (an
 * empty line means end of file).
 */
#include "kernel.h"

/* Registers of the ns16550, one byte each. */
enum { RBR = 0, THR = 0, IER = 1, FCR = 2, LCR = 3, LSR = 5 };
#define LSR_DATA_READY 0x01
#define LSR_THR_EMPTY 0x20

static volatile uint8_t *const uart = (volatile uint8_t *)(KERNEL_BASE + UART_PHYS);

static struct spinlock output_lock;
static const struct cpu *output_holder;
static unsigned output_depth;

void console_init(void)
{
    uart[LCR] = 3; /* 8 bits, no parity */
    uart[FCR] = 7; /* FIFOs on and empty */
    uart[IER] = 1; /* interrupt when a byte has arrived */
}

unsigned long console_begin(void)
{
    unsigned long irq = irq_save();

    if (__atomic_load_n(&output_holder, __ATOMIC_RELAXED) != current->cpu) {
        lock_acquire(&output_lock);
        __atomic_store_n(&output_holder, current->cpu, __ATOMIC_RELAXED);
    }
    output_depth++;
    return irq;
}

void console_end(unsigned long irq)
{
    if (--output_depth == 0) {
        __atomic_store_n(&output_holder, NULL, __ATOMIC_RELAXED);
        lock_release(&output_lock);
    }
    irq_restore(irq);
}

static void uart_put(char c)
{
    while (!(uart[LSR] & LSR_THR_EMPTY))
        ;
    uart[THR] = (uint8_t)c;
}

void console_putc(char c)
{
    if (c == '\n')
        uart_put('\r');
    uart_put(c);
}

void console_write(const char *text, size_t len)
{
    unsigned long irq = console_begin();

    for (size_t i = 0; i < len; i++)
        console_putc(text[i]);
    console_end(irq);
}

long console_write_user(uint64_t buf, size_t len)
{
    char chunk[128];
    size_t done = 0;

    while (done < len && !current->killed) {
        size_t n = MIN(len - done, sizeof(chunk));
        if (copy_from_user(chunk, buf + done, n))
            return done ? (long)done : -EFAULT;
        console_write(chunk, n);
        done += n;
    }
    return (long)done;
}

/* ---- input ----------------------------------------------------------------------------------- */

#define CTRL(c) ((c) - '@')
#define INPUT_SIZE 256

/* The numbers only grow; a character's place is its number modulo INPUT_SIZE. */
static struct {
    struct spinlock lock;
    struct wait_queue readers;
    char buf[INPUT_SIZE];
    unsigned read;  /* taken by a reader */
    unsigned ready; /* end of the finished lines */
    unsigned end;   /* end of the line that is being typed */
} input;

static void erase_one(void)
{
    if (input.end == input.ready)
        return;
    input.end--;
    console_write("\b \b", 3);
}

static void input_char(char c)
{
    switch (c) {
    case '\b':
    case 0x7f:
        erase_one();
        return;
    case CTRL('U'):
        while (input.end != input.ready)
            erase_one();
        return;
    case '\r':
        c = '\n';
    }
    /* The last place is for the end of the line: a full buffer still takes that. */
    if (input.end - input.read + (c != '\n' && c != CTRL('D')) >= INPUT_SIZE)
        return;
    input.buf[input.end++ % INPUT_SIZE] = c;
    if (c != CTRL('D'))
        console_write(&c, 1);
    if (c == '\n' || c == CTRL('D')) {
        input.ready = input.end;
        wake_all(&input.readers);
        poll_wake(NULL);
    }
}

uint32_t console_poll(void)
{
    bool line = __atomic_load_n(&input.ready, __ATOMIC_RELAXED) !=
                __atomic_load_n(&input.read, __ATOMIC_RELAXED);

    return (line ? POLLIN | POLLRDNORM : 0) | POLLOUT | POLLWRNORM;
}

void console_interrupt(void)
{
    unsigned long irq = spin_lock(&input.lock);

    while (uart[LSR] & LSR_DATA_READY)
        input_char((char)uart[RBR]);
    spin_unlock(&input.lock, irq);
}

/* Takes up to len characters of one finished line; ^D ends the read and is not part of it. */
static size_t take_line(char *buf, size_t len, bool *end)
{
    size_t n = 0;

    *end = false;
    while (n < len && input.read != input.ready && !*end) {
        char c = input.buf[input.read++ % INPUT_SIZE];
        *end = c == '\n' || c == CTRL('D');
        if (c != CTRL('D'))
            buf[n++] = c;
    }
    return n;
}

long console_read_user(uint64_t buf, size_t len)
{
    char chunk[64];
    unsigned long irq;
    size_t n;
    bool end = false;
    long done = 0;

    while (!end && (size_t)done < len) {
        irq = spin_lock(&input.lock);
        while (input.read == input.ready && !current->killed && !done)
            wait_on(&input.readers, &input.lock, 0);
        n = take_line(chunk, MIN(len - (size_t)done, sizeof(chunk)), &end);
        spin_unlock(&input.lock, irq);
        if (n == 0)
            return current->killed && !done ? -EINTR : done;
        if (copy_to_user(buf + (uint64_t)done, chunk, n))
            return done ? done : -EFAULT;
        done += (long)n;
    }
    return done;
}
