/* SPDX-License-Identifier: MIT */
/*
 * The log of one BPF_PROG_LOAD or BPF_BTF_LOAD, in Linux's form: text in the caller's buffer, as
 * much as fits of its end (or of its start, with EBPF_LOG_FIXED), NUL-terminated. Context T.
 *
 * While it is written, the buffer is a ring: byte n of the text is at n % size. The NUL is written
 * behind each piece and overwritten by the next. ebpf_load_log_fini() turns the ring so that the
 * text begins at its start.
 */
#ifndef EBPF_CORE_LOAD_LOG_H
#define EBPF_CORE_LOAD_LOG_H

#include <ebpf/ebpf.h>

#include <stdarg.h>

/* log_level of bpf(2): a mask */
#define EBPF_LOG_LEVEL1 1u /* the path that led to an error */
#define EBPF_LOG_LEVEL2 2u /* every instruction with its state */
#define EBPF_LOG_STATS 4u
#define EBPF_LOG_FIXED 8u /* keep the start of what does not fit, not the end */

struct ebpf_load_log {
    const struct ebpf_caller *caller;
    uint64_t buf; /* address of the caller's, 0: none */
    uint32_t size, level;
    uint64_t start,
        end;          /* positions in the whole text: what of it is in the buffer, and its length */
    uint64_t longest; /* bytes, without the NUL, that a buffer for all of it must have had */
    int err;          /* -EFAULT: the buffer could not be written */
    /* the last line, whole once ended, for those who have no buffer */
    char line[EBPF_CONFIG_LOG_LINE];
    uint32_t line_len;
    bool line_ended; /* the next text begins another one */
};

/* -EINVAL: level, buf and size do not fit together, as Linux's bpf_verifier_log_attr_valid() has
 * it. */
int ebpf_load_log_init(struct ebpf_load_log *log, const struct ebpf_caller *caller, uint32_t level,
                       uint64_t buf, uint32_t size);

/* Is somebody interested in texts of one of these levels? log NULL: no. Asked at every
 * instruction. */
static inline bool ebpf_load_log_on(const struct ebpf_load_log *log, uint32_t levels)
{
    return log && log->level & levels;
}

/* Adds text, whatever the level (0: only line is kept); formats of ebpf_log(). log may be NULL. */
__attribute__((format(printf, 2, 3))) void ebpf_load_logf(struct ebpf_load_log *log,
                                                          const char *format, ...);
void ebpf_load_vlogf(struct ebpf_load_log *log, const char *format, va_list args);

/* Where the text ends now, and going back to there: what a path that came to nothing has written
 * (Linux: level 1 shows only the path of the error). */
uint64_t ebpf_load_log_mark(const struct ebpf_load_log *log);
void ebpf_load_log_reset(struct ebpf_load_log *log, uint64_t mark);

/* Ends the text. *true_size: bytes that a buffer for all of it needs. 0, -ENOSPC: it did not fit,
 * -EFAULT. */
int ebpf_load_log_fini(struct ebpf_load_log *log, uint32_t *true_size);

#endif /* EBPF_CORE_LOAD_LOG_H */
