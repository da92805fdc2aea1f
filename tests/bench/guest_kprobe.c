/* SPDX-License-Identifier: MIT */
/*
 * kprobe ADDRESS OFFSET...: what a kprobe hit costs on the teaching kernel, as the first process:
 * getppid(2) without and with a probe on its handler, which begins at ADDRESS. Prints the same
 * lines as linux_kprobe.c, its twin.
 */
#include "bpfsys.h"
#include "lib.h"

#include "batch.h"

static long long now(void)
{
    return (long long)time_ns();
}

static void call(void)
{
    getppid();
}

/* An fd, or an error. */
static int attach(struct ebpf_object_prog *prog, uint64_t addr)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.link_create.prog_fd = (uint32_t)object_fd(ebpf_prog_obj(ebpf_object_prog_prog(prog)));
    attr.link_create.attach_type = BPF_TRACE_KPROBE_MULTI;
    attr.link_create.kprobe_multi.cnt = 1;
    attr.link_create.kprobe_multi.addrs = (uint64_t)&addr;
    return bpf(BPF_LINK_CREATE, &attr, sizeof(attr));
}

/* 1, or 0: the place takes no probe. */
static int measure(struct ebpf_object_prog *prog, uint64_t addr, unsigned offset, long long base)
{
    int fd = attach(prog, addr + offset);

    if (fd < 0) {
        printf("REFUSED %s off=%u err=%d\n", ebpf_object_prog_name(prog), offset, -fd);
        return 0;
    }
    call_cost(); /* the first hits fill caches and tables */
    printf("HIT %s off=%u ns=%lld\n", ebpf_object_prog_name(prog), offset, call_cost() - base);
    close(fd);
    return 1;
}

/* How often the program ran: each probed call must have been a hit. */
static uint64_t runs(struct ebpf_object_prog *prog)
{
    struct bpf_prog_info info;
    union bpf_attr attr;

    memset(&info, 0, sizeof(info));
    memset(&attr, 0, sizeof(attr));
    attr.info.bpf_fd = (uint32_t)object_fd(ebpf_prog_obj(ebpf_object_prog_prog(prog)));
    attr.info.info_len = sizeof(info);
    attr.info.info = (uint64_t)&info;
    return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) ? 0 : info.run_cnt;
}

static int measure_all(struct ebpf_object *obj, int argc, char **argv)
{
    uint64_t addr = strtoul(argv[1], NULL, 0), ran;
    struct ebpf_object_prog *prog = NULL;
    long long base;

    call_cost();
    base = call_cost();
    printf("BASE ns=%lld\n", base);
    while ((prog = ebpf_object_next_prog(obj, prog)) != NULL) {
        uint64_t expected = 0;
        for (int i = 2; i < argc; i++)
            if (measure(prog, addr, (unsigned)strtoul(argv[i], NULL, 0), base))
                expected += 2 * BATCHES * BATCH;
        ran = runs(prog);
        if (ran != expected) {
            printf("FAIL %s ran %lu times, not %lu\n", ebpf_object_prog_name(prog), ran, expected);
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct ebpf_object *obj = open_object("/bench/kprobe_hit.bpf.o");

    if (argc < 3 || !obj || load_object(obj))
        printf("FAIL kprobe ADDRESS OFFSET..., or the object does not load\n");
    else if (!measure_all(obj, argc, argv))
        printf("DONE\n");
    return power_off();
}
