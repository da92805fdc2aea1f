/* SPDX-License-Identifier: MIT */
/* The log of a load; see load_log.h. */
#include "src/core/load_log.h"

#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/base/fmt.h"
#include "src/core/user.h"

#define LEVELS (EBPF_LOG_LEVEL1 | EBPF_LOG_LEVEL2 | EBPF_LOG_STATS | EBPF_LOG_FIXED)
#define SHORT_TEXT 256u /* what is longer comes from the heap: frames are small */
#define CHUNK 128u      /* of the buffer at a time, when it is turned */

/* Linux's bpf_verifier_log_attr_valid(): buffer and size come together, a buffer without a level is
 * a mistake, a level without a buffer asks for the size only. */
int ebpf_load_log_init(struct ebpf_load_log *log, const struct ebpf_caller *caller, uint32_t level,
                       uint64_t buf, uint32_t size)
{
    *log = (struct ebpf_load_log){.caller = caller, .buf = buf, .size = size, .level = level};
    if (!buf != !size || (buf && !level) || level & ~LEVELS || size > UINT32_MAX >> 2)
        return -EINVAL;
    return 0;
}

/* ---- the last line --------------------------------------------------------------------------- */

static void keep_line(struct ebpf_load_log *log, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (log->line_ended) {
            log->line_ended = false;
            log->line_len = 0;
        }
        if (text[i] == '\n')
            log->line_ended = true;
        else if (log->line_len + 1 < sizeof(log->line))
            log->line[log->line_len++] = text[i];
    }
    log->line[log->line_len] = 0;
}

/* ---- the buffer ------------------------------------------------------------------------------ */

static void put(struct ebpf_load_log *log, uint64_t at, const char *text, size_t len)
{
    if (!log->err && ebpf_copy_out(log->caller, log->buf + at, text, len))
        log->err = -EFAULT;
}

/* len bytes of text end with the NUL: they replace the NUL at log->end. */
static void put_fixed(struct ebpf_load_log *log, const char *text, size_t len)
{
    size_t part;

    if (log->end >= log->size)
        return;
    part = ebpf_min(log->size - log->end, len);
    put(log, log->end, text, part - 1);
    put(log, log->end + part - 1, "", 1);
}

static void put_ring(struct ebpf_load_log *log, const char *text, size_t len)
{
    size_t part = ebpf_min(len, log->size), first;
    uint64_t at = (log->end + len - part) % log->size;

    text += len - part;
    first = ebpf_min(part, log->size - at);
    put(log, at, text, first);
    put(log, 0, text + first, part - first);
}

/* text has a NUL at len. */
static void add(struct ebpf_load_log *log, const char *text, size_t len)
{
    keep_line(log, text, len);
    if (!log->level)
        return;
    if (log->buf && log->level & EBPF_LOG_FIXED)
        put_fixed(log, text, len + 1);
    else if (log->buf)
        put_ring(log, text, len + 1);
    log->end += len;
    if (log->end > log->longest)
        log->longest = log->end;
    if (!(log->level & EBPF_LOG_FIXED) && log->end + 1 - log->start > log->size)
        log->start = log->end + 1 - log->size;
}

void ebpf_load_vlogf(struct ebpf_load_log *log, const char *format, va_list args)
{
    char text[SHORT_TEXT];
    char *all = NULL;
    size_t len;

    if (!log)
        return;
    len = (size_t)ebpf_vformat(text, sizeof(text), format, args);
    if (len >= sizeof(text))
        all = ebpf_alloc(len + 1);
    if (all) {
        ebpf_vformat(all, len + 1, format, args);
        add(log, all, len);
        ebpf_free(all, len + 1);
        return;
    }
    add(log, text, ebpf_min(len, sizeof(text) - 1));
}

void ebpf_load_logf(struct ebpf_load_log *log, const char *format, ...)
{
    va_list args;

    if (!log)
        return;
    va_start(args, format);
    ebpf_load_vlogf(log, format, args);
    va_end(args);
}

/* ---- going back ------------------------------------------------------------------------------ */

uint64_t ebpf_load_log_mark(const struct ebpf_load_log *log)
{
    return log ? log->end : 0;
}

/* What lies before the ring's start is lost: then nothing is left. */
void ebpf_load_log_reset(struct ebpf_load_log *log, uint64_t mark)
{
    uint64_t at;

    if (!log || mark > log->end)
        return;
    log->end = mark;
    if (log->start > mark)
        log->start = mark;
    if (!log->buf)
        return;
    at = log->level & EBPF_LOG_FIXED ? mark : mark % log->size;
    if (at < log->size)
        put(log, at, "", 1);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void reverse(char *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = text[len - 1 - i];
}

/* Reverses [from, to) of the buffer: a part of its start and a part of its end change places. */
static int reverse_buffer(const struct ebpf_load_log *log, uint64_t from, uint64_t to)
{
    char head[CHUNK], tail[CHUNK], turned[CHUNK];
    int err = 0;

    while (!err && to - from > 1) {
        size_t len = ebpf_min((to - from) / 2, CHUNK);

        err = ebpf_copy_in(log->caller, head, log->buf + from, len);
        if (!err)
            err = ebpf_copy_in(log->caller, tail, log->buf + to - len, len);
        reverse(turned, head, len);
        if (!err)
            err = ebpf_copy_out(log->caller, log->buf + to - len, turned, len);
        reverse(turned, tail, len);
        if (!err)
            err = ebpf_copy_out(log->caller, log->buf + from, turned, len);
        from += len;
        to -= len;
    }
    return err;
}

/* The ring is turned left until its start is first: a whole reversal, and then one of each part. */
static int turn(const struct ebpf_load_log *log)
{
    uint64_t first = log->size - log->start % log->size;
    int err = reverse_buffer(log, 0, log->size);

    if (!err)
        err = reverse_buffer(log, 0, first);
    return err ? err : reverse_buffer(log, first, log->size);
}

int ebpf_load_log_fini(struct ebpf_load_log *log, uint32_t *true_size)
{
    uint64_t size;

    *true_size = 0;
    if (!log || !log->level)
        return 0;
    size = log->longest ? log->longest + 1 : 0;
    *true_size = (uint32_t)ebpf_min(size, UINT32_MAX);
    if (!log->buf)
        return 0;
    if (!log->longest)
        put(log, 0, "", 1);
    if (!log->err && log->start && turn(log))
        log->err = -EFAULT;
    if (log->err)
        return log->err;
    return size > log->size ? -ENOSPC : 0;
}
