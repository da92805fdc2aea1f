/* SPDX-License-Identifier: MIT */
/* Reading memory at addresses that nobody has checked. Context A. */
#ifndef EBPF_HELPERS_PROBE_READ_H
#define EBPF_HELPERS_PROBE_READ_H

#include <stdint.h>

enum ebpf_space {
    EBPF_SPACE_KERNEL,
    EBPF_SPACE_USER,
    EBPF_SPACE_ANY, /* the kernel's if it can be read there, the current process's if not */
};

/* Copies size bytes: 0, or -EFAULT and dst is all zero. */
int ebpf_probe_read(void *dst, uint32_t size, uint64_t src, enum ebpf_space space);

/* Copies a string, at most size - 1 bytes, and ends it with NUL; nothing behind the NUL is
 * written. Returns the bytes written with NUL, 0 if size is 0, or -EFAULT and dst is all zero. */
int64_t ebpf_probe_read_str(char *dst, uint32_t size, uint64_t src, enum ebpf_space space);

#endif /* EBPF_HELPERS_PROBE_READ_H */
