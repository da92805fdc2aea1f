/* SPDX-License-Identifier: MIT */
/*
 * System calls: the table of Linux's numbers, and the calls that belong to no other file.
 * Interrupts are on. A handler has its natural C arguments; the casts here cut the registers down
 * to them, as the C calling convention promises its callees and a user program does not.
 */
#include <ebpf/ebpf.h>
#include <ebpf/perf.h>

#include "kernel.h"

/* xorshift64*, seeded by the boot loader: good enough for hash seeds and demos, not for keys. */
uint32_t random32(void)
{
    static uint64_t state;
    uint64_t old = __atomic_load_n(&state, __ATOMIC_RELAXED), x;

    do {
        x = old ? old : machine.seed | 1;
        x ^= csr_read(time) << 20;
        x = x ? x : 1;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
    } while (
        !__atomic_compare_exchange_n(&state, &old, x, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return (uint32_t)(x * 0x2545f4914f6cdd1dul >> 32);
}

static long sys_getrandom(uint64_t buf, size_t len)
{
    size_t done = 0;

    len = MIN(len, 1ul << 20);
    while (done < len) {
        uint32_t word = random32();
        size_t n = MIN(len - done, sizeof(word));
        if (copy_to_user(buf + done, &word, n))
            return -EFAULT;
        done += n;
    }
    return (long)done;
}

/* ---- time ------------------------------------------------------------------------------------ */

static long sys_clock_gettime(int clock, uint64_t out)
{
    uint64_t now = clock == CLOCK_REALTIME ? utc_ns() : clock == CLOCK_TAI ? tai_ns() : time_ns();
    struct timespec ts = {(int64_t)(now / NSEC_PER_SEC), (int64_t)(now % NSEC_PER_SEC)};

    if (clock != CLOCK_TAI &&
        (clock < CLOCK_REALTIME || clock > CLOCK_BOOTTIME || clock == 2 || clock == 3))
        return -EINVAL; /* the processor-time clocks */
    return copy_to_user(out, &ts, sizeof(ts));
}

static long sys_clock_nanosleep(int clock, int flags, uint64_t req, uint64_t rem)
{
    uint64_t now = time_ns(), until;
    struct timespec ts;

    if (clock < CLOCK_REALTIME || clock > CLOCK_BOOTTIME)
        return -EINVAL;
    if (copy_from_user(&ts, req, sizeof(ts)))
        return -EFAULT;
    if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= (int64_t)NSEC_PER_SEC)
        return -EINVAL;
    until = timespec_ns(&ts);
    if (!(flags & TIMER_ABSTIME))
        until += now;
    else if (clock == CLOCK_REALTIME)
        until -= MIN(until, utc_ns() - now);
    sleep_until(until);
    (void)rem; /* only a kill ends a sleep early, and then nobody reads it */
    return current->killed ? -EINTR : 0;
}

/* ---- identity and the rest ------------------------------------------------------------------- */

static long sys_setid(uint32_t *id, uint32_t value)
{
    if (current->proc->uid != 0 && *id != value)
        return -EPERM;
    *id = value;
    return 0;
}

static long sys_uname(uint64_t out)
{
    static const struct utsname name = {
        "Linux", "barebpf", "6.1.0-barebpf-demo", "barebpf teaching kernel", "riscv64", "(none)"};

    return copy_to_user(out, &name, sizeof(name));
}

static long sys_reboot(uint32_t magic1, uint32_t magic2, uint32_t cmd)
{
    if (current->proc->uid != 0)
        return -EPERM;
    if (magic1 != LINUX_REBOOT_MAGIC1 || magic2 != LINUX_REBOOT_MAGIC2)
        return -EINVAL;
    if (cmd == LINUX_REBOOT_CMD_RESTART)
        sbi_reboot();
    if (cmd != LINUX_REBOOT_CMD_POWER_OFF && cmd != LINUX_REBOOT_CMD_HALT)
        return -EINVAL;
    stack_report();
    sbi_shutdown(false);
}

/* The system's state, as far as the kernel knows: memory. */
static long sys_sysinfo(uint64_t out)
{
    struct sysinfo info = {.uptime = (int64_t)(time_ns() / NSEC_PER_SEC),
                           .totalram = machine.ram_end - machine.ram_start,
                           .freeram = pages_available() * PAGE_SIZE,
                           .procs = (uint16_t)thread_count(),
                           .mem_unit = 1};

    return copy_to_user(out, &info, sizeof(info));
}

/* ---- BPF ------------------------------------------------------------------------------------- */

static struct ebpf_caller bpf_caller(void)
{
    return (struct ebpf_caller){.caps = current->proc->uid == 0 ? EBPF_CAP_ALL : 0};
}

static long sys_bpf(int cmd, uint64_t attr, uint32_t size)
{
    struct ebpf_caller caller = bpf_caller();

    return ebpf_bpf(cmd, attr, size, &caller);
}

static long sys_perf_event_open(uint64_t attr, int pid, int cpu, int group, uint64_t flags)
{
    struct ebpf_caller caller = bpf_caller();

    return ebpf_perf_event_open(attr, pid, cpu, group, flags, &caller);
}

/* ---------------------------------------------------------------------------------------------- */

long syscall_dispatch(long nr, const uint64_t *a)
{
    struct process *p = current->proc;

    /* clang-format off */
    switch (nr) {
    case SYS_openat: return sys_openat((int)a[0], a[1], (int)a[2], (int)a[3]);
    case SYS_close: return sys_close((int)a[0]);
    case SYS_read: return sys_read((int)a[0], a[1], a[2]);
    case SYS_write: return sys_write((int)a[0], a[1], a[2]);
    case SYS_writev: return sys_writev((int)a[0], a[1], (int)a[2]);
    case SYS_lseek: return sys_lseek((int)a[0], (int64_t)a[1], (int)a[2]);
    case SYS_fstat: return sys_fstat((int)a[0], a[1]);
    case SYS_newfstatat: return sys_newfstatat((int)a[0], a[1], a[2], (int)a[3]);
    case SYS_getdents64: return sys_getdents64((int)a[0], a[1], (uint32_t)a[2]);
    case SYS_dup: return sys_dup((int)a[0]);
    case SYS_dup3: return sys_dup3((int)a[0], (int)a[1], (int)a[2]);
    case SYS_pipe2: return sys_pipe2(a[0], (int)a[1]);
    case SYS_ioctl: return sys_ioctl((int)a[0], (uint32_t)a[1], a[2]);
    case SYS_ppoll: return sys_ppoll(a[0], (unsigned)a[1], a[2]);
    case SYS_epoll_create1: return sys_epoll_create1((int)a[0]);
    case SYS_epoll_ctl: return sys_epoll_ctl((int)a[0], (int)a[1], (int)a[2], a[3]);
    case SYS_epoll_pwait: return sys_epoll_pwait((int)a[0], a[1], (int)a[2], (int)a[3]);
    case SYS_bpf: return sys_bpf((int)a[0], a[1], (uint32_t)a[2]);
    case SYS_perf_event_open: return sys_perf_event_open(a[0], (int)a[1], (int)a[2], (int)a[3], a[4]);

    case SYS_exit:
    case SYS_exit_group: proc_exit((int)(a[0] & 0xff) << 8);
    case SYS_clone: return sys_clone(a[0], a[1], a[2], a[3], a[4]);
    case SYS_execve: return sys_execve(a[0], a[1], a[2]);
    case SYS_wait4: return sys_wait4((int)a[0], a[1], (int)a[2], a[3]);
    case SYS_kill: return sys_kill((int)a[0], (int)a[1]);
    case SYS_pidfd_open: return sys_pidfd_open((int)a[0], (unsigned)a[1]);
    case SYS_getpid:
    case SYS_gettid:
    case SYS_set_tid_address: return p->pid;
    case SYS_getppid: return sys_getppid();
    case SYS_getuid:
    case SYS_geteuid: return p->uid;
    case SYS_getgid:
    case SYS_getegid: return p->gid;
    case SYS_setgid: return sys_setid(&p->gid, (uint32_t)a[0]);
    case SYS_setuid: return sys_setid(&p->uid, (uint32_t)a[0]);
    case SYS_sched_yield: schedule(); return 0;

    case SYS_brk: return sys_brk(a[0]);
    case SYS_mmap: return sys_mmap(a[0], a[1], (int)a[2], (int)a[3], (int)a[4], a[5]);
    case SYS_munmap: return sys_munmap(a[0], a[1]);

    case SYS_clock_gettime: return sys_clock_gettime((int)a[0], a[1]);
    case SYS_nanosleep: return sys_clock_nanosleep(CLOCK_MONOTONIC, 0, a[0], a[1]);
    case SYS_clock_nanosleep: return sys_clock_nanosleep((int)a[0], (int)a[1], a[2], a[3]);

    case SYS_uname: return sys_uname(a[0]);
    case SYS_sysinfo: return sys_sysinfo(a[0]);
    case SYS_getrandom: return sys_getrandom(a[0], a[1]);
    case SYS_reboot: return sys_reboot((uint32_t)a[0], (uint32_t)a[1], (uint32_t)a[2]);
    }
    /* clang-format on */
    return -ENOSYS;
}
