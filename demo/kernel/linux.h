/* SPDX-License-Identifier: MIT */
/*
 * What the kernel and its user programs agree on: Linux's riscv64 system-call numbers, flags and
 * layouts, as far as this kernel has them. Shared by demo/kernel and demo/user; error numbers that
 * the library does not use are added to those of <ebpf/errno.h>.
 */
#ifndef DEMO_LINUX_H
#define DEMO_LINUX_H

#include <ebpf/errno.h>
#include <stdint.h>

#ifndef EPIPE
#define ESRCH 3
#define ECHILD 10
#define ENOTDIR 20
#define EISDIR 21
#define ENFILE 23
#define ESPIPE 29
#define EROFS 30
#define EPIPE 32
#define ENAMETOOLONG 36
#endif

/* System calls: the asm-generic numbers, which riscv64 uses. */
enum {
    SYS_epoll_create1 = 20,
    SYS_epoll_ctl = 21,
    SYS_epoll_pwait = 22,
    SYS_dup = 23,
    SYS_dup3 = 24,
    SYS_ioctl = 29,
    SYS_openat = 56,
    SYS_close = 57,
    SYS_pipe2 = 59,
    SYS_getdents64 = 61,
    SYS_lseek = 62,
    SYS_read = 63,
    SYS_write = 64,
    SYS_writev = 66,
    SYS_ppoll = 73,
    SYS_newfstatat = 79,
    SYS_fstat = 80,
    SYS_exit = 93,
    SYS_exit_group = 94,
    SYS_set_tid_address = 96,
    SYS_nanosleep = 101,
    SYS_clock_gettime = 113,
    SYS_clock_nanosleep = 115,
    SYS_sched_yield = 124,
    SYS_kill = 129,
    SYS_reboot = 142,
    SYS_setgid = 144,
    SYS_setuid = 146,
    SYS_uname = 160,
    SYS_getpid = 172,
    SYS_getppid = 173,
    SYS_getuid = 174,
    SYS_geteuid = 175,
    SYS_getgid = 176,
    SYS_getegid = 177,
    SYS_gettid = 178,
    SYS_sysinfo = 179,
    SYS_brk = 214,
    SYS_munmap = 215,
    SYS_clone = 220,
    SYS_execve = 221,
    SYS_mmap = 222,
    SYS_perf_event_open = 241,
    SYS_wait4 = 260,
    SYS_getrandom = 278,
    SYS_bpf = 280,
    SYS_pidfd_open = 434,
};

/* open */
#define AT_FDCWD (-100)
#define AT_EMPTY_PATH 0x1000
#define O_RDONLY 0
#define O_WRONLY 1
#define O_RDWR 2
#define O_ACCMODE 3
#define O_CREAT 0100
#define O_TRUNC 01000
#define O_NONBLOCK 04000
#define O_DIRECTORY 0200000
#define O_CLOEXEC 02000000
#define O_VERBOSE 010000000000 /* not Linux's: sys_openat says on the console what it does */

#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2

/* st_mode */
#define S_IFMT 0170000
#define S_IFIFO 0010000
#define S_IFCHR 0020000
#define S_IFDIR 0040000
#define S_IFREG 0100000

struct stat {
    uint64_t st_dev, st_ino;
    uint32_t st_mode, st_nlink, st_uid, st_gid;
    uint64_t st_rdev, __pad1;
    int64_t st_size;
    int32_t st_blksize, __pad2;
    int64_t st_blocks;
    int64_t st_atime, st_atime_nsec, st_mtime, st_mtime_nsec, st_ctime, st_ctime_nsec;
    uint32_t __unused4, __unused5;
};

/* getdents64: d_name is NUL-terminated, d_reclen a multiple of 8 */
struct dirent64 {
    uint64_t d_ino;
    int64_t d_off;
    uint16_t d_reclen;
    uint8_t d_type;
    char d_name[];
};
#define DT_CHR 2
#define DT_DIR 4
#define DT_REG 8

struct iovec {
    uint64_t iov_base, iov_len;
};
#define IOV_MAX 1024

/* ppoll(2), epoll(7) */
struct pollfd {
    int32_t fd;
    int16_t events, revents;
};
#define POLLIN 0x1
#define POLLOUT 0x4
#define POLLERR 0x8
#define POLLHUP 0x10
#define POLLNVAL 0x20
#define POLLRDNORM 0x40
#define POLLWRNORM 0x100

struct epoll_event {
    uint32_t events; /* the same bits, and: */
    uint64_t data;
};
#define EPOLLRDHUP 0x2000
#define EPOLLET (1u << 31)
#define EPOLL_CTL_ADD 1
#define EPOLL_CTL_DEL 2
#define EPOLL_CTL_MOD 3

/* processes */
#define CLONE_VM 0x100
#define CLONE_VFORK 0x4000
#define CLONE_PARENT_SETTID 0x100000
#define CLONE_CHILD_CLEARTID 0x200000
#define CLONE_CHILD_SETTID 0x1000000
#define WNOHANG 1
#define SIGHUP 1
#define SIGINT 2
#define SIGILL 4
#define SIGTRAP 5
#define SIGBUS 7
#define SIGKILL 9
#define SIGSEGV 11
#define SIGTERM 15
#define SIGCHLD 17

/* time */
struct timespec {
    int64_t tv_sec, tv_nsec;
};
#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1
#define CLOCK_BOOTTIME 7
#define CLOCK_TAI 11
#define TIMER_ABSTIME 1

/* memory */
#define PROT_READ 1
#define PROT_WRITE 2
#define PROT_EXEC 4
#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_FIXED 0x10
#define MAP_ANONYMOUS 0x20

struct sysinfo {
    int64_t uptime;
    uint64_t loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
    uint16_t procs, pad;
    uint64_t totalhigh, freehigh;
    uint32_t mem_unit;
};

struct utsname {
    char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};

/* reboot(2) */
#define LINUX_REBOOT_MAGIC1 0xfee1dead
#define LINUX_REBOOT_MAGIC2 672274793
#define LINUX_REBOOT_CMD_POWER_OFF 0x4321fedc
#define LINUX_REBOOT_CMD_HALT 0xcdef0123
#define LINUX_REBOOT_CMD_RESTART 0x01234567

/* auxiliary vector */
#define AT_NULL 0
#define AT_PHDR 3
#define AT_PHENT 4
#define AT_PHNUM 5
#define AT_PAGESZ 6
#define AT_ENTRY 9
#define AT_UID 11
#define AT_EUID 12
#define AT_GID 13
#define AT_EGID 14
#define AT_HWCAP 16
#define AT_CLKTCK 17
#define AT_SECURE 23
#define AT_RANDOM 25
#define AT_EXECFN 31

#endif /* DEMO_LINUX_H */
