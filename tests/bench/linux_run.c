/* SPDX-License-Identifier: MIT */
/*
 * The benchmark's runner on Linux, as the first process: runs every program of every object in
 * /bench through BPF_PROG_TEST_RUN. Prints for each `RUN NAME ret= ns= load= xlated= jited= obj=`:
 * cost per run and of BPF_PROG_LOAD in nanoseconds, which under qemu -icount shift=0 are retired
 * instructions, and sizes in bytes. Twin of guest_run.c.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "packet.h"

#define ENOTSUPP 524 /* the kernel's own: this type of program cannot be test-run */

static long long now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
    return level == LIBBPF_WARN ? vprintf(format, args) : 0;
}

static void fill_tails(struct bpf_object *obj)
{
    struct bpf_map *map = bpf_object__find_map_by_name(obj, BENCH_TAIL_MAP);

    for (unsigned i = 0; map && i < sizeof(bench_tails) / sizeof(bench_tails[0]); i++) {
        struct bpf_program *prog = bpf_object__find_program_by_name(obj, bench_tails[i]);
        int fd = prog ? bpf_program__fd(prog) : -1;
        if (fd >= 0 && bpf_map_update_elem(bpf_map__fd(map), &i, &fd, 0))
            printf("FAIL %s in the program array: %s\n", bench_tails[i], strerror(errno));
    }
}

/* Cost of BPF_PROG_LOAD alone (copy, verify, compile), or -1. */
static long long load_cost(const struct bpf_program *prog)
{
    long long best = -1;

    for (int i = 0; i < BENCH_LOADS; i++) {
        LIBBPF_OPTS(bpf_prog_load_opts, opts,
                    .expected_attach_type = bpf_program__expected_attach_type(prog));
        long long start = now(), cost;
        int fd = bpf_prog_load(bpf_program__type(prog), NULL, "GPL", bpf_program__insns(prog),
                               bpf_program__insn_cnt(prog), &opts);
        cost = now() - start;
        if (fd < 0)
            return -1;
        close(fd);
        if (best < 0 || cost < best)
            best = cost;
    }
    return best;
}

static void run_prog(const struct bpf_program *prog, const char *obj)
{
    const char *name = bpf_program__name(prog);
    LIBBPF_OPTS(bpf_test_run_opts, test, .data_in = bench_packet, .data_size_in = BENCH_PACKET_SIZE,
                .repeat = BENCH_REPEAT);
    struct bpf_prog_info info = {0};
    __u32 len = sizeof(info);
    int err = bpf_prog_test_run_opts(bpf_program__fd(prog), &test);

    if (!err)
        err = bpf_prog_get_info_by_fd(bpf_program__fd(prog), &info, &len);
    if (err == -ENOTSUPP || err == -EOPNOTSUPP)
        printf("UNSUPPORTED %s obj=%s its type cannot be test-run\n", name, obj);
    else if (err)
        printf("FAIL %s obj=%s test run: %s\n", name, obj, strerror(-err));
    else
        printf("RUN %s ret=%u ns=%u load=%lld xlated=%u jited=%u obj=%s\n", name, test.retval,
               test.duration, load_cost(prog), info.xlated_prog_len, info.jited_prog_len, obj);
}

static void run_object(const char *file)
{
    struct bpf_object *obj;
    struct bpf_program *prog;
    char path[300];
    int err;

    snprintf(path, sizeof(path), "/bench/%s", file);
    obj = bpf_object__open_file(path, NULL);
    err = obj ? bpf_object__load(obj) : -errno;
    if (err) {
        printf("FAIL %s obj=%s load: %s\n", file, file, strerror(-err));
        return;
    }
    fill_tails(obj);
    bpf_object__for_each_program(prog, obj) run_prog(prog, file);
    bpf_object__close(obj);
}

static void prepare(void)
{
    FILE *jit;

    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mount("proc", "/proc", "proc", 0, 0);
    mount("sysfs", "/sys", "sysfs", 0, 0);
    libbpf_set_print(quiet);
    jit = fopen("/proc/sys/net/core/bpf_jit_enable", "r+");
    if (jit) {
        fputs("1", jit);
        fclose(jit);
    }
}

int main(void)
{
    struct dirent **files;
    struct utsname name;
    int n;

    setvbuf(stdout, NULL, _IOLBF, 0);
    prepare();
    uname(&name);
    printf("KERNEL %s %s %s\n", name.sysname, name.release, name.machine);
    n = scandir("/bench", &files, NULL, alphasort);
    for (int i = 0; i < n * BENCH_ROUNDS; i++)
        if (strstr(files[i % n]->d_name, ".bpf.o"))
            run_object(files[i % n]->d_name);
    printf("DONE\n");
    fflush(stdout);
    reboot(RB_POWER_OFF);
    return 1;
}
