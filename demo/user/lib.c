/* SPDX-License-Identifier: MIT */
/* The user library: see lib.h. */
#include "lib.h"

char **environ;

int main(int argc, char **argv, char **envp);

/* Called by crt0.S with the initial stack: argc, argv..., NULL, envp..., NULL, auxv. */
void lib_start(long *stack) __attribute__((noreturn));
void lib_start(long *stack)
{
    int argc = (int)stack[0];
    char **argv = (char **)(stack + 1);

    environ = argv + argc + 1;
    exit(main(argc, argv, environ));
}

/* ---- system calls ---------------------------------------------------------------------------- */

long syscall(long nr, long a0, long a1, long a2, long a3, long a4, long a5)
{
    register long r0 __asm__("a0") = a0;
    register long r1 __asm__("a1") = a1;
    register long r2 __asm__("a2") = a2;
    register long r3 __asm__("a3") = a3;
    register long r4 __asm__("a4") = a4;
    register long r5 __asm__("a5") = a5;
    register long r7 __asm__("a7") = nr;

    __asm__ volatile("ecall"
                     : "+r"(r0)
                     : "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5), "r"(r7)
                     : "memory");
    return r0;
}

#define CALL0(nr) syscall(nr, 0, 0, 0, 0, 0, 0)
#define CALL1(nr, a) syscall(nr, (long)(a), 0, 0, 0, 0, 0)
#define CALL2(nr, a, b) syscall(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define CALL3(nr, a, b, c) syscall(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CALL4(nr, a, b, c, d) syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define CALL5(nr, a, b, c, d, e) \
    syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

int open(const char *path, int flags)
{
    return (int)CALL4(SYS_openat, AT_FDCWD, path, flags, 0);
}

int close(int fd)
{
    return (int)CALL1(SYS_close, fd);
}

long read(int fd, void *buf, size_t len)
{
    return CALL3(SYS_read, fd, buf, len);
}

long write(int fd, const void *buf, size_t len)
{
    return CALL3(SYS_write, fd, buf, len);
}

long lseek(int fd, long offset, int whence)
{
    return CALL3(SYS_lseek, fd, offset, whence);
}

int fstat(int fd, struct stat *out)
{
    return (int)CALL2(SYS_fstat, fd, out);
}

int stat(const char *path, struct stat *out)
{
    return (int)CALL4(SYS_newfstatat, AT_FDCWD, path, out, 0);
}

long getdents64(int fd, void *buf, size_t len)
{
    return CALL3(SYS_getdents64, fd, buf, len);
}

int dup(int fd)
{
    return (int)CALL1(SYS_dup, fd);
}

int dup3(int from, int to, int flags)
{
    return (int)CALL3(SYS_dup3, from, to, flags);
}

int pipe2(int fds[2], int flags)
{
    return (int)CALL2(SYS_pipe2, fds, flags);
}

int ioctl(int fd, uint32_t cmd, uint64_t arg)
{
    return (int)CALL3(SYS_ioctl, fd, cmd, arg);
}

int poll(struct pollfd *fds, unsigned count, int timeout_ms)
{
    struct timespec ts = {timeout_ms / 1000, (int64_t)(timeout_ms % 1000) * 1000000};

    return (int)CALL4(SYS_ppoll, fds, count, timeout_ms < 0 ? NULL : &ts, NULL);
}

int epoll_create1(int flags)
{
    return (int)CALL1(SYS_epoll_create1, flags);
}

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    return (int)CALL4(SYS_epoll_ctl, epfd, op, fd, event);
}

int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout_ms)
{
    return (int)CALL5(SYS_epoll_pwait, epfd, events, max, timeout_ms, NULL);
}

int fork(void)
{
    return (int)CALL1(SYS_clone, SIGCHLD);
}

int execve(const char *path, char *const argv[], char *const envp[])
{
    return (int)CALL3(SYS_execve, path, argv, envp);
}

int wait4(int pid, int *status, int options, void *rusage)
{
    return (int)CALL4(SYS_wait4, pid, status, options, rusage);
}

int kill(int pid, int sig)
{
    return (int)CALL2(SYS_kill, pid, sig);
}

int pidfd_open(int pid, unsigned flags)
{
    return (int)CALL2(SYS_pidfd_open, pid, flags);
}

int getpid(void)
{
    return (int)CALL0(SYS_getpid);
}

int getppid(void)
{
    return (int)CALL0(SYS_getppid);
}

int gettid(void)
{
    return (int)CALL0(SYS_gettid);
}

int getuid(void)
{
    return (int)CALL0(SYS_getuid);
}

int setuid(unsigned uid)
{
    return (int)CALL1(SYS_setuid, uid);
}

void sched_yield(void)
{
    CALL0(SYS_sched_yield);
}

void exit(int status)
{
    for (;;)
        CALL1(SYS_exit_group, status);
}

int power_off(void)
{
    return (int)CALL3(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
                      LINUX_REBOOT_CMD_POWER_OFF);
}

int clock_gettime(int clock, struct timespec *out)
{
    return (int)CALL2(SYS_clock_gettime, clock, out);
}

uint64_t time_ns(void)
{
    struct timespec now = {0, 0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int nanosleep_ns(uint64_t ns)
{
    struct timespec req = {(int64_t)(ns / 1000000000u), (int64_t)(ns % 1000000000u)};

    return (int)CALL2(SYS_nanosleep, &req, 0);
}

long getrandom(void *buf, size_t len, unsigned flags)
{
    return CALL3(SYS_getrandom, buf, len, flags);
}

int uname(struct utsname *out)
{
    return (int)CALL1(SYS_uname, out);
}

int sysinfo(struct sysinfo *out)
{
    return (int)CALL1(SYS_sysinfo, out);
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, long offset)
{
    return (void *)syscall(SYS_mmap, (long)addr, (long)len, prot, flags, fd, offset);
}

int munmap(void *addr, size_t len)
{
    return (int)CALL2(SYS_munmap, addr, len);
}

int perf_event_open(struct perf_event_attr *attr, int pid, int cpu, int group, uint64_t flags)
{
    return (int)CALL5(SYS_perf_event_open, attr, pid, cpu, group, flags);
}

int bpf(int cmd, union bpf_attr *attr, uint32_t size)
{
    return (int)CALL3(SYS_bpf, cmd, attr, size);
}

/* ---- strings --------------------------------------------------------------------------------- */

void *memcpy(void *dst, const void *src, size_t n)
{
    char *d = dst;
    const char *s = src;

    while (n--)
        *d++ = *s++;
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    char *d = dst;
    const char *s = src;

    if (d <= s)
        return memcpy(dst, src, n);
    while (n--)
        d[n] = s[n];
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    char *d = dst;

    while (n--)
        *d++ = (char)c;
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;

    for (; n; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n; n--, a++, b++)
        if (*a != *b || !*a)
            return (unsigned char)*a - (unsigned char)*b;
    return 0;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)s;
        if (!*s)
            return NULL;
    }
}

char *strstr(const char *s, const char *needle)
{
    size_t n = strlen(needle);

    for (;; s++) {
        if (!strncmp(s, needle, n))
            return (char *)s;
        if (!*s)
            return NULL;
    }
}

char *strncpy(char *dst, const char *src, size_t n)
{
    size_t i = 0;

    for (; i < n && src[i]; i++)
        dst[i] = src[i];
    for (; i < n; i++)
        dst[i] = 0;
    return dst;
}

size_t strlcpy(char *dst, const char *src, size_t size)
{
    size_t n = strlen(src);

    if (size) {
        size_t fits = n < size ? n : size - 1;
        memcpy(dst, src, fits);
        dst[fits] = 0;
    }
    return n;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 10;
    return 99;
}

unsigned long strtoul(const char *s, char **end, int base)
{
    unsigned long value = 0;

    if ((base == 0 || base == 16) && s[0] == '0' && (s[1] | 0x20) == 'x') {
        s += 2;
        base = 16;
    }
    if (base == 0)
        base = *s == '0' ? 8 : 10;
    for (; digit_value(*s) < base; s++)
        value = value * (unsigned long)base + (unsigned long)digit_value(*s);
    if (end)
        *end = (char *)s;
    return value;
}

long strtol(const char *s, char **end, int base)
{
    return *s == '-' ? -(long)strtoul(s + 1, end, base) : (long)strtoul(s, end, base);
}

const char *strerror(int err)
{
    static char other[24];
    static const struct {
        int err;
        const char *text;
    } names[] = {
        {0, "success"},
        {EPERM, "operation not permitted"},
        {ENOENT, "no such file or directory"},
        {ESRCH, "no such process"},
        {EINTR, "interrupted"},
        {E2BIG, "argument list too long"},
        {ENOEXEC, "exec format error"},
        {EBADF, "bad file descriptor"},
        {ECHILD, "no child processes"},
        {EAGAIN, "try again"},
        {ENOMEM, "out of memory"},
        {EACCES, "permission denied"},
        {EFAULT, "bad address"},
        {EBUSY, "busy"},
        {EEXIST, "exists"},
        {ENOTDIR, "not a directory"},
        {EISDIR, "is a directory"},
        {EINVAL, "invalid argument"},
        {EMFILE, "too many open files"},
        {ENOSPC, "no space left"},
        {EROFS, "read-only file system"},
        {EPIPE, "broken pipe"},
        {ENOSYS, "function not implemented"},
        {EILSEQ, "illegal byte sequence"},
        {EOPNOTSUPP, "operation not supported"},
        {ENOTSUPP, "not supported"},
    };

    if (err < 0)
        err = -err;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].err == err)
            return names[i].text;
    snprintf(other, sizeof(other), "error %d", err);
    return other;
}

/* ---- memory, environment, files -------------------------------------------------------------- */

void *malloc(size_t size)
{
    static uintptr_t next, end;
    uintptr_t ptr;

    if (!next)
        next = end = ((uintptr_t)CALL1(SYS_brk, 0) + 15) & -16ul;
    if (size > PTRDIFF_MAX)
        return NULL;
    size = (size + 15) & -16ul;
    if (size > end - next) {
        uintptr_t want = (next + size + 65535) & -65536ul;
        if (want < next || (uintptr_t)CALL1(SYS_brk, want) != want)
            return NULL;
        end = want;
    }
    ptr = next;
    next += size;
    return (void *)ptr;
}

void *calloc(size_t n, size_t size)
{
    void *ptr;

    if (size && n > PTRDIFF_MAX / size)
        return NULL;
    ptr = malloc(n * size); /* fresh from the kernel, hence zero */
    return ptr;
}

void free(void *ptr)
{
    (void)ptr;
}

char *getenv(const char *name)
{
    size_t n = strlen(name);

    for (char **e = environ; e && *e; e++)
        if (!strncmp(*e, name, n) && (*e)[n] == '=')
            return *e + n + 1;
    return NULL;
}

void *read_file(const char *path, long *size)
{
    struct stat st;
    char *buf = NULL;
    long done = 0, n = 0;
    int fd = open(path, O_RDONLY);

    *size = fd < 0 ? fd : fstat(fd, &st);
    if (*size < 0)
        goto out;
    buf = malloc((size_t)st.st_size + 1);
    *size = -ENOMEM;
    if (!buf)
        goto out;
    while (done < st.st_size && (n = read(fd, buf + done, (size_t)(st.st_size - done))) > 0)
        done += n;
    buf[done] = 0;
    *size = n < 0 ? n : done;
out:
    if (fd >= 0)
        close(fd);
    return *size < 0 ? NULL : buf;
}

long read_line(int fd, char *buf, size_t size)
{
    size_t n = 0;
    char c;

    for (;;) {
        if (read(fd, &c, 1) <= 0)
            return n ? (long)n : -1;
        if (c == '\n')
            break;
        if (n + 1 < size)
            buf[n++] = c;
        buf[n] = 0;
    }
    buf[n] = 0;
    return (long)n;
}

int run(const char *path, char *const argv[])
{
    int status = 0, pid = fork();

    if (pid == 0) {
        int err = execve(path, argv, environ);
        dprintf(2, "%s: %s\n", path, strerror(err));
        exit(127);
    }
    if (pid < 0)
        return pid;
    wait4(pid, &status, 0, NULL);
    return status;
}
