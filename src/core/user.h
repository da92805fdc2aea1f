/* SPDX-License-Identifier: MIT */
/* A caller's memory: user addresses by the hooks, a kernel caller's directly. Context T. Every
 * function returns 0 or what the hook returned (-EFAULT, -EOPNOTSUPP). */
#ifndef EBPF_CORE_USER_H
#define EBPF_CORE_USER_H

#include <ebpf/ebpf.h>

int ebpf_copy_in(const struct ebpf_caller *caller, void *dst, uint64_t src, size_t len);
int ebpf_copy_out(const struct ebpf_caller *caller, uint64_t dst, const void *src, size_t len);

/* A NUL-terminated string of less than size bytes; longer ones are cut, dst is always
 * terminated. */
int ebpf_copy_string_in(const struct ebpf_caller *caller, char *dst, uint64_t src, size_t size);

/* -E2BIG unless [src, src + len) is all zero: what a caller newer than this library may leave
 *        unset. */
int ebpf_check_zero_in(const struct ebpf_caller *caller, uint64_t src, size_t len);

/* A kernel address that came as a number. */
#define EBPF_PTR(addr) ((void *)(uintptr_t)(addr))

#endif /* EBPF_CORE_USER_H */
