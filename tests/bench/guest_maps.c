/* SPDX-License-Identifier: MIT */
/*
 * How much more four harts get done in one hash map than one: each program of throughput.bpf.c, on
 * one hart and on four at once. QEMU lets the harts take turns every few instructions, and the
 * clock counts the instructions of all of them together: a hart that waits for another one's lock
 * spends as many as the wait is long, and what the host does meanwhile does not matter. (What
 * caches cost is not in it.) Prints
 *
 *     THROUGHPUT NAME 1=OPERATIONS 4=OPERATIONS ratio=
 *
 * where OPERATIONS are those of all harts while each executes a million instructions.
 */
#include "bpfsys.h"
#include "lib.h"

#include "packet.h"

#define HARTS 4
#define REPEAT 600
#define OPERATIONS 16

struct runner {
    int pid, go, done;
};

static int test_run(int fd, uint32_t repeat)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.test.prog_fd = (uint32_t)fd;
    attr.test.data_in = (uint64_t)bench_packet;
    attr.test.data_size_in = BENCH_PACKET_SIZE;
    attr.test.repeat = repeat;
    return bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr));
}

/* The child: waits for the word, runs, says whether it went well. */
static void run_child(int fd, int go, int done)
{
    char c;
    int err = read(go, &c, 1) == 1 ? test_run(fd, REPEAT) : -EINVAL;

    write(done, &err, sizeof(err));
    exit(err != 0);
}

static int start(struct runner *r, int fd)
{
    int go[2], done[2];

    if (pipe2(go, 0) || pipe2(done, 0))
        return -EMFILE;
    r->pid = fork();
    if (r->pid == 0)
        run_child(fd, go[0], done[1]);
    close(go[0]);
    close(done[1]);
    r->go = go[1];
    r->done = done[0];
    return r->pid < 0 ? r->pid : 0;
}

static int finish(struct runner *r)
{
    int err = -EIO;

    if (read(r->done, &err, sizeof(err)) != sizeof(err))
        err = -EIO;
    return err;
}

static uint64_t insn_ns = 1; /* what an instruction takes of virtual time: argv[1] */

/* Operations of all harts per million instructions of each; or an error. */
static long rate(int fd, unsigned harts)
{
    struct runner runners[HARTS];
    uint64_t before, insns;
    int err = 0;

    for (unsigned i = 0; i < harts && !err; i++)
        err = start(&runners[i], fd);
    if (err)
        return err;
    before = time_ns();
    for (unsigned i = 0; i < harts; i++)
        write(runners[i].go, "", 1);
    for (unsigned i = 0; i < harts; i++)
        err = finish(&runners[i]) ? -EIO : err;
    insns = (time_ns() - before) / insn_ns / harts; /* that each of them executed */
    for (unsigned i = 0; i < harts; i++) {
        close(runners[i].go);
        close(runners[i].done);
        wait4(runners[i].pid, NULL, 0, NULL);
    }
    return err ? err : (long)(1000000ull * harts * REPEAT * OPERATIONS / insns);
}

static int measure(struct ebpf_object_prog *prog)
{
    const char *name = ebpf_object_prog_name(prog);
    int fd = object_fd(ebpf_prog_obj(ebpf_object_prog_prog(prog)));
    long one = test_run(fd, REPEAT / 10), four; /* the first runs insert what stays */

    one = one ? one : rate(fd, 1);
    four = one < 0 ? one : rate(fd, HARTS);
    if (four < 0) {
        printf("FAIL %s: %s\n", name, strerror((int)four));
        return -1;
    }
    printf("THROUGHPUT %s 1=%ld 4=%ld ratio=%ld.%02ld\n", name, one, four, four / one,
           four % one * 100 / one);
    return 0;
}

int main(int argc, char **argv)
{
    struct ebpf_object *obj = open_object("/bench/throughput.bpf.o");
    struct ebpf_object_prog *prog = NULL;
    int err = obj ? load_object(obj) : -ENOENT;

    if (argc > 1)
        insn_ns = strtoul(argv[1], NULL, 10);
    while (!err && (prog = ebpf_object_next_prog(obj, prog)) != NULL)
        err = measure(prog);
    printf(err ? "FAIL\n" : "DONE\n");
    return power_off();
}
