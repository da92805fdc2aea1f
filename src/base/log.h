/* SPDX-License-Identifier: MIT */
/* Finished lines for a person, through ebpf_os_console(). Context A. Formats: see
 * src/base/fmt.h. */
#ifndef EBPF_BASE_LOG_H
#define EBPF_BASE_LOG_H

#include <ebpf/errno.h>

__attribute__((format(printf, 1, 2))) void ebpf_log(const char *format, ...);

/* A bug of our own, never an input's fault: one line with the place, and the surrounding function
 * returns -EFAULT. */
#define EBPF_BUG_IF(cond)                                                  \
    do {                                                                   \
        if (__builtin_expect(!!(cond), 0)) {                               \
            ebpf_log("ebpf: BUG at %s:%d: %s", __FILE__, __LINE__, #cond); \
            return -EFAULT;                                                \
        }                                                                  \
    } while (0)

#endif /* EBPF_BASE_LOG_H */
