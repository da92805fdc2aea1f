/* SPDX-License-Identifier: MIT */
/*
 * What a kprobe hit costs on Linux, as the first process: getppid(2) without and with a probe on
 * its handler. Prints `BASE ns=` and for each program and offset `HIT PROGRAM off= ns=` (on top of
 * the unprobed call), or `REFUSED PROGRAM off= err=`. Twin of guest_kprobe.c.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "batch.h"

#define SYMBOL "__riscv_sys_getppid"
#define MAX_OFFSET 24

static long long now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void call(void)
{
    syscall(SYS_getppid);
}

static void measure(const struct bpf_program *prog, unsigned offset, long long base)
{
    LIBBPF_OPTS(bpf_kprobe_opts, opts, .offset = offset);
    struct bpf_link *link = bpf_program__attach_kprobe_opts(prog, SYMBOL, &opts);

    if (!link) {
        printf("REFUSED %s off=%u err=%d\n", bpf_program__name(prog), offset, errno);
        return;
    }
    call_cost(); /* the first hits fill caches and tables */
    printf("HIT %s off=%u ns=%lld\n", bpf_program__name(prog), offset, call_cost() - base);
    bpf_link__destroy(link);
}

static int measure_all(void)
{
    struct bpf_object *obj = bpf_object__open_file("/bench/kprobe_hit.bpf.o", NULL);
    struct bpf_program *prog;
    long long base;

    if (!obj || bpf_object__load(obj))
        return -1;
    call_cost();
    base = call_cost();
    printf("BASE ns=%lld\n", base);
    bpf_object__for_each_program(prog, obj) for (unsigned offset = 0; offset <= MAX_OFFSET;
                                                 offset += 2) measure(prog, offset, base);
    bpf_object__close(obj);
    return 0;
}

int main(void)
{
    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mount("proc", "/proc", "proc", 0, 0);
    mount("sysfs", "/sys", "sysfs", 0, 0);
    mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, 0);
    sleep(3); /* let boot-time work settle */
    libbpf_set_print(NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts(measure_all() ? "FAIL kprobe_hit.bpf.o does not load" : "DONE");
    fflush(stdout);
    reboot(RB_POWER_OFF);
    return 1;
}
