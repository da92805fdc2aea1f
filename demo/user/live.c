/* SPDX-License-Identifier: MIT */
/*
 * live: watches three processes while they open files. Records come through a ring buffer and perf
 * events that are mapped into this process, which sleeps in epoll_wait() meanwhile; each task's
 * number of files is read from its storage, by pidfd; and the stacks with which threads have waited
 * are shown by name. Checks that all numbers agree.
 */
#include "../bpf/live.h"

#include "bpfsys.h"
#include "lib.h"
#include "ring.h"

#define VICTIM "/bin/live"
#define FIRST_FILES 20 /* of the first process; each opens LIVE_EVERY more than the one before */
#define SHOWN_STACKS 4
#define SHOWN_DEPTH 5

static struct ebpf_object *obj;
static volatile struct live_shared *shared;
static struct ring ring;
static struct perf_ring perf[MAX_CPUS];
static unsigned cpus, records, ended;
static uint64_t lost;

static int fail(const char *what, long err)
{
    if (err < 0)
        printf("live: %s: %s\n", what, strerror((int)err));
    return err < 0 ? -1 : 0;
}

static int element(int cmd, const char *map, const void *key, void *value)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.map_fd = (uint32_t)map_fd(obj, map);
    attr.key = (uint64_t)key;
    attr.value = (uint64_t)value;
    return bpf(cmd, &attr, sizeof(attr));
}

/* ---- the watched processes ------------------------------------------------------------------- */

static unsigned files_of(int child)
{
    return FIRST_FILES + (unsigned)child * LIVE_EVERY;
}

static void open_files(int go, unsigned files)
{
    char c;

    read(go, &c, 1); /* until the other end is closed */
    for (unsigned i = 0; i < files; i++) {
        close(open(VICTIM, O_RDONLY));
        nanosleep_ns(5000000);
    }
    exit(0);
}

/* They begin when *go is closed. */
static int start(int pids[LIVE_WATCHED], int *go)
{
    int fds[2];

    if (fail("pipe", pipe2(fds, O_CLOEXEC)))
        return -1;
    for (int i = 0; i < LIVE_WATCHED; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            close(fds[1]);
            open_files(fds[0], files_of(i));
        }
        if (fail("fork", pids[i]))
            return -1;
        shared->watched[i] = (unsigned)pids[i]; /* the programs see it at once */
    }
    close(fds[0]);
    *go = fds[1];
    return 0;
}

/* ---- what programs tell ---------------------------------------------------------------------- */

static int on_record(void *ctx, const void *data, size_t size)
{
    const struct live_record *r = data;
    (void)ctx;
    (void)size;

    records++;
    printf("live: %s[%u] has opened %lu files, %lu in all\n", r->comm, r->pid, (long)r->opens,
           (long)shared->opens);
    return 0;
}

static int on_exit(void *ctx, const void *data, size_t size)
{
    const struct live_exit *e = data;
    (void)size;

    ended++;
    printf("live: [%u] ends with status %u on CPU %lu\n", e->pid, e->status, (long)ctx);
    return 0;
}

static int watch(int ep, int fd, uint64_t data)
{
    struct epoll_event event = {POLLIN, data};

    return fail("epoll_ctl", epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
}

/* The ring is number 0, CPU n's event n + 1. The epoll fd, or -1. */
static int open_rings(void)
{
    int ep = epoll_create1(O_CLOEXEC), fd = map_fd(obj, "records");

    cpus = possible_cpus();
    if (fail("epoll_create1", ep) || fail("ring", ring_map(&ring, fd, LIVE_RING)) ||
        watch(ep, fd, 0))
        return -1;
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        if (fail("perf event", perf_ring_open(&perf[cpu], (int)cpu, 1)) ||
            fail("perf map", element(BPF_MAP_UPDATE_ELEM, "exits", &cpu, &perf[cpu].fd)) ||
            watch(ep, perf[cpu].fd, cpu + 1))
            return -1;
    }
    return ep;
}

/* Sleeps until there is something, until all have ended. */
static int consume(int ep)
{
    struct epoll_event events[8];

    while (ended < LIVE_WATCHED) {
        int n = epoll_wait(ep, events, 8, 10000);

        if (n <= 0)
            return fail("nothing happens", n ? n : -EAGAIN);
        for (int i = 0; i < n; i++) {
            unsigned cpu = (unsigned)events[i].data - 1;
            if (events[i].data == 0)
                ring_consume(&ring, on_record, NULL);
            else
                perf_ring_consume(&perf[cpu], on_exit, (void *)(uint64_t)cpu, &lost);
        }
    }
    ring_consume(&ring, on_record, NULL);
    return 0;
}

/* ---- tasks ----------------------------------------------------------------------------------- */

/* A process that nobody has waited for still has its storage. */
static int check_tasks(const int pids[LIVE_WATCHED])
{
    for (int i = 0; i < LIVE_WATCHED; i++) {
        int pidfd = pidfd_open(pids[i], 0);
        uint64_t opens = 0;

        if (fail("pidfd_open", pidfd) ||
            fail("task storage", element(BPF_MAP_LOOKUP_ELEM, "opens", &pidfd, &opens)))
            return -1;
        close(pidfd);
        if (opens != files_of(i)) {
            printf("live: [%d] opened %u files, counted are %lu\n", pids[i], files_of(i), opens);
            return -1;
        }
        wait4(pids[i], NULL, 0, NULL);
    }
    return 0;
}

/* ---- stacks ---------------------------------------------------------------------------------- */

/* The kernel's name for one of its addresses, as a program finds it. */
static const char *name_of(uint64_t address)
{
    static char data[14];
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.test.prog_fd = (uint32_t)prog_fd(obj, "name_address");
    attr.test.data_in = (uint64_t)data;
    attr.test.data_size_in = sizeof(data);
    shared->address = address;
    if (bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr)))
        return "?";
    return (const char *)shared->name;
}

static int show_stack(uint32_t id, uint64_t count)
{
    uint64_t pcs[LIVE_DEPTH];

    if (fail("stack", element(BPF_MAP_LOOKUP_ELEM, "stacks", &id, pcs)))
        return -1;
    printf("%8lu  ", count);
    for (int i = 0; i < SHOWN_DEPTH && pcs[i]; i++)
        printf("%s%s", i ? " < " : "", name_of(i ? pcs[i] - 1 : pcs[i]));
    printf("\n");
    return 0;
}

/* The stack that comes next to (*id, *count) in the order of counts; false: none. *stacks: how many
 * there are. */
static bool next_stack(uint32_t *id, uint64_t *count, int *stacks)
{
    uint64_t below = *count, n;
    uint32_t last = *id, key, next;

    *count = 0;
    *stacks = 0;
    for (int err = element(BPF_MAP_GET_NEXT_KEY, "waits", NULL, &next); !err;
         err = element(BPF_MAP_GET_NEXT_KEY, "waits", &key, &next)) {
        key = next;
        ++*stacks;
        if (element(BPF_MAP_LOOKUP_ELEM, "waits", &key, &n) || n > below ||
            (n == below && key <= last) || n < *count || (n == *count && key > *id))
            continue;
        *count = n;
        *id = key;
    }
    return *count != 0;
}

/* Shows the most frequent ones; how many there are, or -1. */
static int show_stacks(void)
{
    uint64_t count = UINT64_MAX;
    uint32_t id = 0;
    int stacks;

    printf("live: where threads have waited, and how often:\n");
    for (int i = 0; i < SHOWN_STACKS && next_stack(&id, &count, &stacks); i++)
        if (show_stack(id, count))
            return -1;
    return stacks;
}

/* ---------------------------------------------------------------------------------------------- */

static int report(const int pids[LIVE_WATCHED])
{
    unsigned opens = 0, want = 0;
    int stacks;

    for (int i = 0; i < LIVE_WATCHED; i++) {
        opens += files_of(i);
        want += files_of(i) / LIVE_EVERY;
    }
    if (check_tasks(pids))
        return -1;
    stacks = show_stacks();
    if (shared->opens != opens || records != want || ended != LIVE_WATCHED || lost || stacks <= 0) {
        printf("live: %lu opens of %u, %u records of %u, %u exits, %lu lost, %d stacks: FAILED\n",
               (long)shared->opens, opens, records, want, ended, lost, stacks);
        return -1;
    }
    printf("live: %u opens, %u records, %u exits, %d stacks: ok\n", opens, records, ended, stacks);
    return 0;
}

int main(void)
{
    static const char *const progs[] = {"on_open", "on_exit", "on_wait"};
    int pids[LIVE_WATCHED], ep, go;

    obj = open_object("/bpf/live.bpf.o");
    if (!obj || load_object(obj))
        return 1;
    shared = map_globals(obj, ".bss");
    if (!shared || (ep = open_rings()) < 0 || start(pids, &go))
        return 1;
    for (unsigned i = 0; i < sizeof(progs) / sizeof(progs[0]); i++)
        if (attach_prog(obj, progs[i]))
            return 1;
    printf("live: %u processes open files; their records come through mapped rings\n",
           (unsigned)LIVE_WATCHED);
    close(go);
    if (consume(ep))
        return 1;
    for (unsigned i = 0; i < sizeof(progs) / sizeof(progs[0]); i++)
        if (detach_prog(obj, progs[i]))
            return 1;
    return report(pids) != 0;
}
