/* SPDX-License-Identifier: MIT */
/* Linux's error numbers (asm-generic), as every function of the library returns them, negated. */
#ifndef EBPF_ERRNO_H
#define EBPF_ERRNO_H

/* A host or a hosted kernel may have included its own <errno.h>; the numbers below are the ABI
 * either way, and a test compares them with Linux's. */
#ifndef EPERM
#define EPERM 1
#define ENOENT 2
#define ESRCH 3
#define EINTR 4
#define EIO 5
#define E2BIG 7
#define ENOEXEC 8
#define EBADF 9
#define EAGAIN 11
#define ENOMEM 12
#define EACCES 13
#define EFAULT 14
#define EBUSY 16
#define EEXIST 17
#define ENODEV 19
#define EINVAL 22
#define EMFILE 24
#define ENOTTY 25
#define ENOSPC 28
#define ERANGE 34
#define EDEADLK 35
#define ENOSYS 38
#define ELOOP 40
#define ENODATA 61
#define EOVERFLOW 75
#define EILSEQ 84
#define EOPNOTSUPP 95
#endif
#ifndef ENOTSUPP
#define ENOTSUPP 524 /* Linux-internal, but bpf(2) returns it to user mode */
#endif

#endif /* EBPF_ERRNO_H */
