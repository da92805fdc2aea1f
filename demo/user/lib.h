/* SPDX-License-Identifier: MIT */
/*
 * The user library of the teaching kernel's programs: system calls, printing, strings, memory.
 * There is no libc.
 *
 * A program is one .c file with `int main(int argc, char **argv)`; demo.mk builds every
 * demo/user/NAME.c into /bin/NAME. System calls return what the kernel returned: a result, or a
 * negative error number (there is no errno variable); strerror() names it. malloc() takes memory
 * from brk(2) and free() keeps it: programs here are short.
 */
#ifndef DEMO_USER_LIB_H
#define DEMO_USER_LIB_H

#include <ebpf/errno.h>
#include <ebpf/uapi.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../kernel/linux.h"
#include "print.h"

/* ---- system calls ---------------------------------------------------------------------------- */

long syscall(long nr, long a0, long a1, long a2, long a3, long a4, long a5);

int open(const char *path, int flags); /* openat(AT_FDCWD, path, flags, 0) */
int close(int fd);
long read(int fd, void *buf, size_t len);
long write(int fd, const void *buf, size_t len);
long lseek(int fd, long offset, int whence);
int fstat(int fd, struct stat *out);
int stat(const char *path, struct stat *out);
long getdents64(int fd, void *buf, size_t len);
int dup(int fd);
int dup3(int from, int to, int flags);
int pipe2(int fds[2], int flags);

int ioctl(int fd, uint32_t cmd, uint64_t arg);
int poll(struct pollfd *fds, unsigned count, int timeout_ms); /* negative: no end */
int epoll_create1(int flags);
int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout_ms);

int fork(void);
int execve(const char *path, char *const argv[], char *const envp[]);
int wait4(int pid, int *status, int options, void *rusage);
int kill(int pid, int sig);
int pidfd_open(int pid, unsigned flags);
int getpid(void);
int getppid(void);
int gettid(void);
int getuid(void);
int setuid(unsigned uid);
void sched_yield(void);
void exit(int status) __attribute__((noreturn));
int power_off(void);

#define WIFEXITED(status) (((status)&0x7f) == 0)
#define WEXITSTATUS(status) (((status) >> 8) & 0xff)
#define WTERMSIG(status) ((status)&0x7f)

int clock_gettime(int clock, struct timespec *out);
uint64_t time_ns(void); /* CLOCK_MONOTONIC */
int nanosleep_ns(uint64_t ns);
long getrandom(void *buf, size_t len, unsigned flags);
int uname(struct utsname *out);
int sysinfo(struct sysinfo *out);

void *mmap(void *addr, size_t len, int prot, int flags, int fd, long offset);
int munmap(void *addr, size_t len);
#define MMAP_FAILED(ptr) ((unsigned long)(ptr) > -4096UL) /* then (long)ptr is the error */

/* bpf(2): the attributes beyond what cmd uses must be zero, so start from memset or {0}. */
int bpf(int cmd, union bpf_attr *attr, uint32_t size);

struct perf_event_attr;
int perf_event_open(struct perf_event_attr *attr, int pid, int cpu, int group, uint64_t flags);

/* ---- strings --------------------------------------------------------------------------------- */

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strstr(const char *s, const char *needle);
char *strncpy(char *dst, const char *src, size_t n);
/* always terminates; returns strlen(src) */
size_t strlcpy(char *dst, const char *src, size_t size);
unsigned long strtoul(const char *s, char **end, int base); /* base 0: 0x..., 0..., decimal */
long strtol(const char *s, char **end, int base);
const char *strerror(int err); /* takes err or -err; "error N" for those that it has no words for */

/* ---- memory, environment, files -------------------------------------------------------------- */

void *malloc(size_t size); /* aligned to 16; NULL: none left */
void *calloc(size_t n, size_t size);
void free(void *ptr); /* does nothing */

extern char **environ;
char *getenv(const char *name);

/* The whole file in malloc()ed memory, *size its bytes; NULL: *size is the negative error. */
void *read_file(const char *path, long *size);

/* One line from fd without its newline; its length, 0 for an empty one, -1 at the end of the
 * input. */
long read_line(int fd, char *buf, size_t size);

/* fork, execve, wait4: the child's status as wait4() gives it, or a negative error of fork. A
 * program that cannot be executed ends with status 127. */
int run(const char *path, char *const argv[]);

#endif /* DEMO_USER_LIB_H */
