/* SPDX-License-Identifier: MIT */
/*
 * Tests of the kernel's system calls from a user program that does not behave: bad pointers, absurd
 * lengths, misuse of descriptors, as many processes as there can be, no memory. Prints `SYSTEST ok`
 * or each check that failed.
 */
#include <ebpf/perf.h>

#include "lib.h"

#define BAD ((void *)0x10)
#define KERNEL ((void *)0xffffffc080200000)
#define EDGE ((void *)0x3ffffffff8) /* 8 bytes below the user limit */

static int failures, checks;

static void expect(int line, const char *what, long got, long want)
{
    checks++;
    if (got == want)
        return;
    failures++;
    printf("systest:%d: %s is %ld, expected %ld\n", line, what, got, want);
}
#define EXPECT(expr, want) expect(__LINE__, #expr, (long)(expr), (long)(want))

static void test_pointers(void)
{
    static const void *const bad[] = {NULL, BAD, KERNEL, EDGE, (void *)-1, (void *)0x4000000000};
    struct epoll_event event = {POLLOUT, 0};
    int fd = open("/bin/systest", O_RDONLY), ep = epoll_create1(0);

    EXPECT(fd, 3);
    EXPECT(epoll_ctl(ep, EPOLL_CTL_ADD, 2, &event), 0);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        void *p = (void *)bad[i];
        EXPECT(read(fd, p, 64), -EFAULT);
        EXPECT(write(1, p, 64), -EFAULT);
        EXPECT(open(p, O_RDONLY), -EFAULT);
        EXPECT(fstat(fd, p), -EFAULT);
        EXPECT(pipe2(p, 0), -EFAULT);
        EXPECT(uname(p), -EFAULT);
        EXPECT(sysinfo(p), -EFAULT);
        EXPECT(poll(p, 2, 0), -EFAULT);
        EXPECT(epoll_ctl(ep, EPOLL_CTL_ADD, 1, p), -EFAULT);
        EXPECT(epoll_wait(ep, p, 1, 0), -EFAULT); /* the console can be written to */
        EXPECT(perf_event_open(p, -1, 0, -1, 0), -EFAULT);
        EXPECT(getrandom(p, 8, 0), -EFAULT);
        EXPECT(clock_gettime(CLOCK_MONOTONIC, p), -EFAULT);
        EXPECT(syscall(SYS_nanosleep, (long)p, 0, 0, 0, 0, 0), -EFAULT);
        EXPECT(syscall(SYS_writev, 1, (long)p, 1, 0, 0, 0), -EFAULT);
        EXPECT(execve(p, p, p), -EFAULT);
        if (p)
            EXPECT(execve("/bin/systest", p, NULL), -EFAULT);
    }
    EXPECT(read(fd, (void *)0x3fffff0000, SIZE_MAX), -EFAULT);
    EXPECT(read(fd, (void *)test_pointers, 64), -EFAULT);     /* text is not writable */
    EXPECT(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event), -EPERM); /* a plain file never waits */
    close(fd);
    close(ep);
}

static void test_files(void)
{
    char buf[64];
    struct stat st;
    int fd, fds[80], two[2], n = 0;

    EXPECT(open("/nope", O_RDONLY), -ENOENT);
    EXPECT(open("", O_RDONLY), -ENOENT);
    EXPECT(open("/bin/systest", O_RDWR), -EROFS);
    EXPECT(open("/new", O_RDWR | O_CREAT), -EROFS);
    EXPECT(open("/bin", O_WRONLY), -EISDIR);
    EXPECT(open("/bin/systest", O_RDONLY | O_DIRECTORY), -ENOTDIR);
    EXPECT(stat("//bin/../bin/./systest", &st), 0);
    EXPECT(st.st_mode & S_IFMT, S_IFREG);
    EXPECT(stat("/", &st), 0);
    EXPECT(st.st_mode & S_IFMT, S_IFDIR);
    fd = open("/bin", O_RDONLY | O_DIRECTORY);
    EXPECT(read(fd, buf, sizeof(buf)), -EISDIR);
    n = (int)syscall(SYS_openat, fd, (long)"systest", 0, 0, 0, 0);
    EXPECT(n, 4);
    EXPECT(syscall(SYS_openat, n, (long)"systest", 0, 0, 0, 0), -ENOTDIR);
    EXPECT(read(n, buf, 4), 4);
    EXPECT(memcmp(buf, "\177ELF", 4), 0);
    EXPECT(write(n, buf, 4), -EBADF);
    EXPECT(lseek(n, 0, SEEK_END) > 1000, 1);
    EXPECT(read(n, buf, 4), 0);
    EXPECT(lseek(n, -1, SEEK_SET), -EINVAL);
    EXPECT(lseek(n, INT64_MAX, SEEK_SET), INT64_MAX);
    EXPECT(lseek(n, INT64_MAX, SEEK_CUR), -EINVAL);
    EXPECT(read(n, buf, 4), 0);
    EXPECT(getdents64(n, buf, sizeof(buf)), -ENOTDIR);
    EXPECT(getdents64(fd, buf, 1), -EINVAL);
    EXPECT(close(n), 0);
    EXPECT(close(n), -EBADF);
    EXPECT(close(-1), -EBADF);
    EXPECT(close(1000000), -EBADF);
    /* an int: the upper half does not count */
    EXPECT(syscall(SYS_close, 0x100000000 + fd, 0, 0, 0, 0, 0), 0);
    EXPECT(lseek(0, 0, SEEK_SET), -ESPIPE);
    EXPECT(dup3(1, 1, 0), -EINVAL);
    EXPECT(dup3(1, 64, 0), -EBADF);
    EXPECT(dup3(1, 63, 0), 63);
    EXPECT(close(63), 0);
    for (n = 0; n < 80 && (fds[n] = dup(1)) >= 0; n++)
        ;
    EXPECT(n, 61);
    EXPECT(fds[n], -EMFILE);
    EXPECT(open("/bin/systest", O_RDONLY), -EMFILE);
    EXPECT(pipe2(two, 0), -EMFILE);
    while (n > 0)
        EXPECT(close(fds[--n]), 0);
    EXPECT(syscall(9999, 0, 0, 0, 0, 0, 0), -ENOSYS);
    EXPECT(syscall(-1, 0, 0, 0, 0, 0, 0), -ENOSYS);
}

static void test_memory(void)
{
    char *p = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;

    EXPECT(MMAP_FAILED(p), 0);
    EXPECT(p[0] | p[9999], 0);
    p[9999] = 1;
    EXPECT(munmap(p, 10000), 0);
    EXPECT(write(1, p, 1), -EFAULT);
    q = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(getrandom(q, 8, 0), -EFAULT);
    EXPECT(munmap(q, 4096), 0);
    EXPECT(munmap(q, 4096), 0);
    EXPECT(munmap(q + 1, 4096), -EINVAL);
    EXPECT(munmap(KERNEL, 4096), -EINVAL);
    EXPECT(munmap(BAD, SIZE_MAX), -EINVAL);
    EXPECT(mmap(NULL, SIZE_MAX, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), -ENOMEM);
    EXPECT(mmap(NULL, 1ul << 37, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), -ENOMEM);
    EXPECT(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), -EINVAL);
    EXPECT(mmap(KERNEL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), -EINVAL);
    EXPECT(mmap(NULL, 4096, PROT_READ, MAP_SHARED, 1, 0), -ENODEV);
    EXPECT(mmap(NULL, 4096, PROT_READ, MAP_SHARED, -1, 0), -EBADF);
    p = mmap((void *)0x2100000000, 4096, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    EXPECT(p, 0x2100000000);
    EXPECT(munmap(p, 4096), 0);
    EXPECT(syscall(SYS_brk, 1, 0, 0, 0, 0, 0) > 0, 1);
    EXPECT(syscall(SYS_brk, -1, 0, 0, 0, 0, 0), syscall(SYS_brk, 0, 0, 0, 0, 0, 0));
    EXPECT(syscall(SYS_brk, 0x1fffffffff, 0, 0, 0, 0, 0), syscall(SYS_brk, 0, 0, 0, 0, 0, 0));
}

static void test_pipes(void)
{
    static char out[20000], in[20000];
    int fds[2], status = 0, pid;
    long n, done = 0;

    EXPECT(pipe2(fds, 0xffff), -EINVAL);
    EXPECT(pipe2(fds, 0), 0);
    EXPECT(write(fds[0], "x", 1), -EBADF);
    EXPECT(read(fds[1], in, 1), -EBADF);
    for (unsigned i = 0; i < sizeof(out); i++)
        out[i] = (char)(i * 7 + i / 256);
    pid = fork();
    if (pid == 0) {
        close(fds[0]);
        exit(write(fds[1], out, sizeof(out)) == sizeof(out) ? 0 : 1);
    }
    close(fds[1]);
    while ((n = read(fds[0], in + done, sizeof(in) - (size_t)done)) > 0)
        done += n;
    EXPECT(n, 0);
    EXPECT(done, sizeof(in));
    EXPECT(memcmp(in, out, sizeof(in)), 0);
    EXPECT(wait4(pid, &status, 0, NULL), pid);
    EXPECT(status, 0);
    close(fds[0]);
    EXPECT(pipe2(fds, O_NONBLOCK), 0);
    EXPECT(read(fds[0], in, 1), -EAGAIN);
    EXPECT(write(fds[1], out, sizeof(out)), 4096);
    EXPECT(write(fds[1], out, 1), -EAGAIN);
    close(fds[0]);
    EXPECT(write(fds[1], out, 1), -EPIPE);
    close(fds[1]);
}

/* Runs fn in a child; its wait status. */
static int in_child(void (*fn)(void))
{
    int status = -1, pid = fork();

    if (pid == 0) {
        fn();
        exit(42);
    }
    EXPECT(wait4(pid, &status, 0, NULL), pid);
    return status;
}

static void do_nothing(void)
{
}

static void do_fault(void)
{
    *(volatile int *)KERNEL = 1;
}

static void do_illegal(void)
{
    __asm__ volatile("unimp");
}

static void do_jump(void)
{
    ((void (*)(void))KERNEL)();
}

static void do_break(void)
{
    __asm__ volatile("ebreak");
}

static void do_bad_stack(void)
{
    __asm__ volatile("mv sp, zero; mv tp, zero; mv gp, zero; li a7, 172; ecall;"
                     "li a0, 7; li a7, 93; ecall");
}

static int create_map(void)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.map_type = BPF_MAP_TYPE_ARRAY;
    attr.key_size = 4;
    attr.value_size = 8;
    attr.max_entries = 1;
    return bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
}

static int open_event(void)
{
    struct perf_event_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.type = PERF_TYPE_SOFTWARE;
    attr.size = sizeof(attr);
    attr.config = PERF_COUNT_SW_BPF_OUTPUT;
    return perf_event_open(&attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
}

/* An fd of bpf(2) is an fd like any other, and other fds are none of its. */
static void test_bpf(void)
{
    union bpf_attr attr;
    struct stat st;
    char buf[8];
    uint32_t key = 0;
    uint64_t value = 7;
    int fd = create_map(), copy;

    EXPECT(fd, 3);
    EXPECT(read(fd, buf, 8), -EINVAL);
    EXPECT(write(fd, buf, 8), -EINVAL);
    EXPECT(lseek(fd, 0, SEEK_SET), -ESPIPE);
    EXPECT(getdents64(fd, buf, 8), -ENOTDIR);
    EXPECT(fstat(fd, &st), 0);
    copy = dup(fd);
    EXPECT(copy, 4);
    EXPECT(close(fd), 0);
    memset(&attr, 0, sizeof(attr));
    attr.map_fd = (uint32_t)copy;
    attr.key = (uint64_t)&key;
    attr.value = (uint64_t)&value;
    EXPECT(bpf(BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr)), 0);
    value = 0;
    EXPECT(bpf(BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)), 0);
    EXPECT(value, 7);
    attr.value = (uint64_t)test_bpf; /* text is not writable */
    EXPECT(bpf(BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)), -EFAULT);
    attr.map_fd = 1; /* open, but not a map */
    EXPECT(bpf(BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)), -EINVAL);
    attr.map_fd = 3;
    EXPECT(bpf(BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)), -EBADF);
    EXPECT(close(copy), 0);
}

static void do_unprivileged(void)
{
    int before = failures;

    EXPECT(setuid(1000), 0);
    EXPECT(getuid(), 1000);
    EXPECT(setuid(0), -EPERM);
    EXPECT(power_off(), -EPERM);
    EXPECT(create_map(), -EPERM);
    EXPECT(open_event(), -EACCES);
    EXPECT(kill(1, SIGKILL), -EPERM);
    exit(failures != before);
}

static void test_processes(void)
{
    int status = 0, pid;

    printf("systest: four messages about faults follow\n");
    EXPECT(in_child(do_nothing), 42 << 8);
    EXPECT(in_child(do_fault), 11);
    EXPECT(in_child(do_jump), 11);
    EXPECT(in_child(do_illegal), 4);
    EXPECT(in_child(do_break), 5);
    EXPECT(in_child(do_bad_stack), 7 << 8);
    EXPECT(in_child(do_unprivileged), 0);
    EXPECT(wait4(-1, NULL, 0, NULL), -ECHILD);
    EXPECT(wait4(99999, NULL, 0, NULL), -ECHILD);
    EXPECT(kill(99999, SIGKILL), -ESRCH);
    EXPECT(kill(getpid(), 0), 0);
    EXPECT(kill(getpid(), 60), -EINVAL);
    pid = fork();
    if (pid == 0)
        for (;;)
            ; /* only the timer interrupt gets it out */
    EXPECT(wait4(pid, &status, WNOHANG, NULL), 0);
    EXPECT(kill(pid, SIGKILL), 0);
    EXPECT(wait4(pid, &status, 0, NULL), pid);
    EXPECT(status, SIGKILL);
    pid = fork();
    if (pid == 0)
        nanosleep_ns(1000000000000);
    nanosleep_ns(20000000);
    EXPECT(kill(pid, SIGTERM), 0);
    EXPECT(wait4(pid, &status, 0, NULL), pid);
    EXPECT(status, SIGTERM);
    EXPECT(syscall(SYS_clone, 0x10000 | 17, 0, 0, 0, 0, 0), -EINVAL);
}

/* As many processes as there can be, all alive together. */
static void test_many(void)
{
    int n = 0, fds[2], status, bad = 0;
    char c;

    pipe2(fds, 0);
    for (int pid; (pid = fork()) >= 0; n++) {
        if (pid == 0) {
            close(fds[1]);
            read(fds[0], &c, 1);
            exit(n & 0x7f);
        }
    }
    printf("systest: %d processes at a time\n", n);
    EXPECT(n > 60, 1);
    close(fds[1]);
    close(fds[0]);
    for (int i = 0; i < n; i++)
        bad += wait4(-1, &status, 0, NULL) <= 0 || !WIFEXITED(status);
    EXPECT(bad, 0);
}

/* Memory runs out in the middle of things: fork of a process that has nearly all of it. */
static void test_no_memory(void)
{
    size_t size = 160ul << 20;
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (MMAP_FAILED(p))
        return; /* a smaller machine */
    EXPECT(fork(), -ENOMEM);
    EXPECT(mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), -ENOMEM);
    EXPECT(munmap(p, size), 0);
    EXPECT(in_child(do_nothing), 42 << 8);
}

static void test_exec(void)
{
    static char *many[3000];
    static char big[40000];
    char *two[] = {big, NULL};

    EXPECT(execve("/nope", NULL, NULL), -ENOENT);
    EXPECT(execve("/bin", NULL, NULL), -EACCES);
    EXPECT(execve("/dev/console", NULL, NULL), -EACCES);
    for (int i = 0; i < 2999; i++)
        many[i] = "x";
    EXPECT(execve("/bin/systest", many, NULL), -E2BIG);
    memset(big, 'y', sizeof(big) - 1);
    EXPECT(execve("/bin/systest", two, NULL), -E2BIG);
    big[200] = 0;
    memset(big, '/', 200);
    EXPECT(open(big, O_RDONLY), 3);
    close(3);
    memset(big, '/', 300);
    EXPECT(open(big, O_RDONLY), -ENAMETOOLONG);
}

int main(int argc, char **argv)
{
    uint64_t start = time_ns();

    if (argc > 1 && !strcmp(argv[1], "child"))
        return argc == 3 && !strcmp(argv[2], "with words") && getenv("HOME") ? 5 : 6;
    test_pointers();
    test_files();
    test_memory();
    test_pipes();
    test_bpf();
    test_processes();
    test_exec();
    test_many();
    test_no_memory();
    test_many();
    EXPECT(run("/bin/systest", (char *[]){"systest", "child", "with words", NULL}), 5 << 8);
    nanosleep_ns(50000000);
    EXPECT(time_ns() - start >= 50000000, 1);
    if (failures)
        printf("SYSTEST FAILED: %d of %d checks\n", failures, checks);
    else
        printf("SYSTEST ok: %d checks\n", checks);
    return failures != 0;
}
