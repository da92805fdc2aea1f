/* SPDX-License-Identifier: MIT */
/*
 * Tests of what user mode maps: arrays, ring buffers, perf events; and that whatever it writes into
 * the mapped pages harms nobody but itself, and nothing of it stays. Prints `RINGS ok` or each
 * check that failed. Runs as the first process.
 */
#include "ring.h"

#include "bpfsys.h"
#include "lib.h"
#include "ringtest.h"

#define HARTS 8

/* ---- mmap(2) of arrays ----------------------------------------------------------------------- */

static int freeze(int fd)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.map_fd = (uint32_t)fd;
    return bpf(BPF_MAP_FREEZE, &attr, sizeof(attr));
}

#define RW (PROT_READ | PROT_WRITE)

static void *map_shared(int fd, size_t size, int prot, long offset)
{
    return mmap(NULL, size, prot, MAP_SHARED, fd, offset);
}

static void test_refusals(void)
{
    int fd = create_array(8, 1024, BPF_F_MMAPABLE), plain = create_array(8, 1024, 0), pipe[2];

    EXPECT(map_shared(fd, PAGE, RW | PROT_EXEC, 0), -EPERM);
    EXPECT(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), -EINVAL);
    EXPECT(map_shared(fd, PAGE, RW, 8), -EINVAL);
    EXPECT(map_shared(fd, 0, RW, 0), -EINVAL);
    EXPECT(map_shared(fd, 3 * PAGE, RW, 0), -EINVAL);
    EXPECT(map_shared(fd, SIZE_MAX, RW, 0), -ENOMEM);
    EXPECT(map_shared(fd, PAGE, RW, (long)-PAGE), -EINVAL);
    EXPECT(map_shared(plain, PAGE, RW, 0), -EINVAL);
    EXPECT(map_shared(stacks_fd, PAGE, PROT_READ, 0), -ENOTSUPP);
    EXPECT(map_shared(63, PAGE, RW, 0), -EBADF);
    EXPECT(pipe2(pipe, 0), 0);
    EXPECT(map_shared(pipe[0], PAGE, PROT_READ, 0), -ENODEV);
    EXPECT(map_shared(records_fd, 2 * PAGE, RW, 0), -EPERM);
    EXPECT(map_shared(records_fd, PAGE, RW, PAGE), -EPERM);
    EXPECT(map_shared(records_fd, PAGE + 4 * RINGS_SIZE, PROT_READ, PAGE), -EINVAL);
    EXPECT(map_shared(samples_fd, PAGE, RW, 0), -EPERM);
    for (int i = 0; i < 2; i++)
        close(pipe[i]);
    close(fd);
    close(plain);
}

static int mapped_fd;
static volatile uint64_t *mapped;

static void child_adds(void)
{
    mapped[1]++;
    exit(mapped[1] == 8 ? 5 : 6);
}

static void child_maps_over(void)
{
    uint64_t value = 0;

    /* the first of three pages is taken back: the others stay */
    munmap((void *)mapped, PAGE);
    mapped[PAGE / 8] = 77;
    element(BPF_MAP_LOOKUP_ELEM, mapped_fd, PAGE / 8, &value);
    exit(value == 77 ? 5 : 6);
}

/* The map's memory itself: what one side writes the other sees, also a process that was forked; and
 * it outlives its fd. */
static void test_arrays(void)
{
    uint64_t value = 7;
    int fd = mapped_fd = create_array(8, 3 * PAGE / 8, BPF_F_MMAPABLE);

    mapped = map_shared(fd, 3 * PAGE, RW, 0);
    EXPECT(MMAP_FAILED(mapped), 0);
    EXPECT(element(BPF_MAP_UPDATE_ELEM, fd, 1, &value), 0);
    EXPECT(mapped[1], 7);
    mapped[1024] = 99;
    EXPECT(element(BPF_MAP_LOOKUP_ELEM, fd, 1024, &value), 0);
    EXPECT(value, 99);
    EXPECT(in_child(child_adds), 5 << 8);
    EXPECT(mapped[1], 8);
    EXPECT(in_child(child_maps_over), 5 << 8);
    EXPECT(mapped[PAGE / 8], 77);
    EXPECT(mapped[1], 8);
    EXPECT(freeze(fd), -EBUSY);
    EXPECT(munmap((void *)(mapped + PAGE / 8), PAGE), 0); /* the middle */
    EXPECT(freeze(fd), -EBUSY);
    EXPECT(write(1, (void *)(mapped + PAGE / 8), 8), -EFAULT);
    EXPECT(mapped[1] + mapped[1024], 8 + 99);
    close(fd);
    EXPECT(mapped[1] + mapped[1024], 8 + 99);
    EXPECT(munmap((void *)mapped, 3 * PAGE), 0);
    EXPECT(write(1, (void *)mapped, 8), -EFAULT);

    fd = create_array(8, 8, BPF_F_MMAPABLE);
    mapped = map_shared(fd, PAGE, PROT_READ, 0);
    EXPECT(freeze(fd), 0);
    EXPECT(map_shared(fd, PAGE, RW, 0), -EPERM);
    EXPECT(getrandom((void *)mapped, 8, 0), -EFAULT);
    munmap((void *)mapped, PAGE);
    close(fd);
}

/* libbpf puts skeletons' variables where it had reserved memory. */
static void test_fixed(void)
{
    int fd = create_array(8, 8, BPF_F_MMAPABLE);
    char *at = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t value = 5;

    at[0] = at[PAGE] = at[2 * PAGE] = 1;
    EXPECT(mmap(at + PAGE, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0), at + PAGE);
    EXPECT(element(BPF_MAP_UPDATE_ELEM, fd, 0, &value), 0);
    EXPECT(at[0] == 1 && at[PAGE] == 5 && at[2 * PAGE] == 1, 1);
    EXPECT(mmap(at + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), at + PAGE);
    EXPECT(at[0] == 1 && at[PAGE] == 0 && at[2 * PAGE] == 1, 1);
    EXPECT(freeze(fd), 0); /* nobody has it mapped */
    EXPECT(munmap(at, 3 * PAGE), 0);
    close(fd);
}

/* ---- ring buffers ---------------------------------------------------------------------------- */

static void test_ring(void)
{
    struct sum sum = {0, 0, 0};
    uint64_t sent = 0, values = 0;
    struct ring r;

    EXPECT(ring_map(&r, records_fd, RINGS_SIZE), 0);
    for (unsigned round = 0; round < 500; round++) {
        EXPECT(act(round % 5 ? RINGS_RECORDS : RINGS_DISCARD, round % 30, round), 0);
        for (unsigned i = 0; i < round % 30 && round % 5; i++, sent++)
            values += round + i;
        if (round % 2)
            EXPECT(ring_consume(&r, add_record, &sum) >= 0, 1);
    }
    EXPECT(ring_consume(&r, add_record, &sum) >= 0, 1);
    EXPECT(sum.count, sent);
    EXPECT(sum.values, values);
    EXPECT(sum.wrong, 0);
    EXPECT(act(RINGS_RECORDS, 200, 1), -EAGAIN);
    EXPECT(shared->done >= RINGS_SIZE / 48 - 2, 1);
    EXPECT(ring_consume(&r, add_record, &sum), shared->done);
    EXPECT(ring_consume(&r, add_record, &sum), 0);
    ring_unmap(&r);
}

/* ---- perf events ----------------------------------------------------------------------------- */

static void test_perf(void)
{
    struct perf_ring rings[HARTS];
    struct epoll_event event = {POLLIN, 0}, got[HARTS];
    struct sum sum = {0, 0, 0};
    uint64_t lost = 0, sent = 0, failed = 0;
    int harts = (int)possible_cpus(), ep = epoll_create1(0), read = 0;

    for (int i = 0; i < harts; i++) {
        EXPECT(perf_ring_open(&rings[i], i, 1), 0);
        EXPECT(element(BPF_MAP_UPDATE_ELEM, events_fd, i, &rings[i].fd), 0);
        event.data = (uint64_t)i;
        EXPECT(epoll_ctl(ep, EPOLL_CTL_ADD, rings[i].fd, &event), 0);
    }
    EXPECT(perf_ring_open(&rings[harts], harts, 1), -EINVAL);
    EXPECT(ioctl(rings[0].fd, 1, 0), -ENOTTY);
    EXPECT(ioctl(1, PERF_EVENT_IOC_ENABLE, 0), -ENOTTY);
    for (unsigned round = 0; round < 300; round++) {
        int n;
        long err = act(RINGS_PERF, round % 90, round);

        EXPECT(err == 0 || err == -ENOSPC, 1);
        sent += shared->done;
        failed += round % 90 - shared->done;
        n = epoll_wait(ep, got, HARTS, round % 90 && round % 3 == 0 && !err ? -1 : 0);
        for (int i = 0; i < n; i++)
            read += perf_ring_consume(&rings[got[i].data], add_record, &sum, &lost);
    }
    EXPECT(failed > 0, 1);
    for (int i = 0; i < harts; i++)
        read += perf_ring_consume(&rings[i], add_record, &sum, &lost);
    EXPECT(read, sent);
    EXPECT(sum.count, sent);
    EXPECT(sum.wrong, 0);
    for (int round = 0; round < 20; round++) /* what was lost is told with the next record */
        EXPECT(act(RINGS_PERF, 1, 1), 0);
    for (int i = 0; i < harts; i++) {
        perf_ring_consume(&rings[i], add_record, &sum, &lost);
        EXPECT(element(BPF_MAP_DELETE_ELEM, events_fd, i, NULL), 0);
        perf_ring_close(&rings[i]);
    }
    EXPECT(lost <= failed, 1);
    EXPECT(act(RINGS_PERF, 1, 1), -ENOENT);
    close(ep);
}

/* What every hart has executed, by read(2): from here, and while it is disabled. */
static void test_counters(void)
{
    struct perf_event_attr attr;
    uint64_t first[2], second[2];

    memset(&attr, 0, sizeof(attr));
    attr.type = PERF_TYPE_HARDWARE;
    attr.size = sizeof(attr);
    attr.config = PERF_COUNT_HW_INSTRUCTIONS;
    attr.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED;
    for (int i = 0; i < (int)possible_cpus(); i++) {
        int fd = perf_event_open(&attr, -1, i, -1, 0);

        EXPECT(read(fd, first, sizeof(first)), sizeof(first));
        EXPECT(read(fd, second, sizeof(second)), sizeof(second));
        EXPECT(second[0] > first[0] && second[1] > first[1], 1);
        EXPECT(ioctl(fd, PERF_EVENT_IOC_DISABLE, 0), 0);
        EXPECT(read(fd, first, sizeof(first)), sizeof(first));
        EXPECT(read(fd, second, sizeof(second)), sizeof(second));
        EXPECT(second[0] == first[0] && second[1] == first[1], 1);
        EXPECT(read(fd, first, 8), -ENOSPC);
        EXPECT(read(fd, NULL, 16), -EFAULT);
        close(fd);
    }
    EXPECT(read(events_fd, first, 8), -EINVAL);
    attr.config = 1000;
    EXPECT(perf_event_open(&attr, -1, 0, -1, 0), -ENOENT);
}

/* ---- user ring buffers ----------------------------------------------------------------------- */

static void test_user_ring(void)
{
    uint64_t sample[3] = {0, 0, 0}, sum, room = 0;
    struct pollfd fd = {samples_fd, POLLOUT, 0};
    int pid, status = 0;
    struct user_ring r;

    EXPECT(user_ring_map(&r, samples_fd, RINGS_SIZE), 0);
    for (uint64_t round = 0; round < 300; round++) {
        sum = 0;
        for (uint64_t i = 0; i <= round % 40; i++) {
            sample[0] = round + i;
            sum += sample[0];
            EXPECT(user_ring_post(&r, sample, (uint32_t)(8 * (1 + i % 3))), 0);
        }
        EXPECT(act(RINGS_DRAIN, 0, 0), round % 40 + 1);
        EXPECT(shared->value, sum);
    }
    while (user_ring_post(&r, sample, 24) == 0)
        room++;
    EXPECT(room, RINGS_SIZE / 32);
    EXPECT(poll(&fd, 1, 0), 0); /* full */
    pid = fork();
    if (pid == 0) {
        nanosleep_ns(20000000);
        exit(act(RINGS_DRAIN, 0, 0) == RINGS_SIZE / 32 ? 5 : 6);
    }
    EXPECT(poll(&fd, 1, -1), 1); /* woken by the program that makes room */
    EXPECT(wait4(pid, &status, 0, NULL), pid);
    EXPECT(status, 5 << 8);
    user_ring_unmap(&r);
}

/* ---- lies ------------------------------------------------------------------------------------ */

static void write_producer(void)
{
    struct ring r;

    ring_map(&r, records_fd, RINGS_SIZE);
    *(volatile uint64_t *)r.producer = 0;
}

static void write_data(void)
{
    struct ring r;

    ring_map(&r, records_fd, RINGS_SIZE);
    *(volatile uint8_t *)r.data = 0;
}

static void write_consumer(void)
{
    struct user_ring r;

    user_ring_map(&r, samples_fd, RINGS_SIZE);
    *(volatile uint64_t *)r.consumer = 0;
}

/* The heap does not grow over a page of the kernel's, and make it writable. */
static void grow_over(void)
{
    long end = (syscall(SYS_brk, 0, 0, 0, 0, 0, 0) + 4095) & -4096L;
    volatile uint64_t *p =
        mmap((void *)end, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, records_fd, PAGE);

    if (MMAP_FAILED(p) || syscall(SYS_brk, end + 4096, 0, 0, 0, 0, 0) == end + 4096)
        exit(1);
    *p = 0;
}

/* What the kernel itself writes for a process must not go there either. */
static void clone_over(void)
{
    volatile uint64_t *p = map_shared(records_fd, PAGE, PROT_READ, PAGE);
    uint64_t before = *p;
    int status, pid = (int)syscall(SYS_clone, CLONE_CHILD_SETTID | SIGCHLD, 0, 0, 0, (long)p, 0);

    if (pid == 0)
        exit(0);
    wait4(pid, &status, 0, NULL);
    exit(*p == before ? 5 : 6);
}

static void test_read_only(void)
{
    printf("rings: four messages about faults follow\n");
    EXPECT(in_child(write_producer), SIGSEGV);
    EXPECT(in_child(write_data), SIGSEGV);
    EXPECT(in_child(write_consumer), SIGSEGV);
    EXPECT(in_child(grow_over), SIGSEGV);
    EXPECT(in_child(clone_over), 5 << 8);
}

static uint64_t draw(void)
{
    static uint64_t x = 88172645463325252ul;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x >> (x % 61); /* small ones, too */
}

/* A consumer, a producer and a reader of perf events who write nonsense wherever they may, while
 * programs run: nobody else is harmed, and each ring works again when its positions make sense. */
static void test_lies(void)
{
    struct sum sum = {0, 0, 0};
    struct perf_ring perf[HARTS];
    struct user_ring user;
    struct ring r;
    int harts = (int)possible_cpus();
    uint64_t lost = 0;

    EXPECT(ring_map(&r, records_fd, RINGS_SIZE), 0);
    EXPECT(user_ring_map(&user, samples_fd, RINGS_SIZE), 0);
    for (int i = 0; i < harts; i++) {
        EXPECT(perf_ring_open(&perf[i], i, 2), 0);
        EXPECT(element(BPF_MAP_UPDATE_ELEM, events_fd, i, &perf[i].fd), 0);
    }
    for (int round = 0; round < 3000; round++) {
        struct pollfd fds[2] = {{records_fd, POLLIN, 0}, {samples_fd, POLLOUT, 0}};
        uint64_t *page = (uint64_t *)perf[draw() % (unsigned)harts].page;

        *r.consumer = draw();
        *user.producer = *user.consumer + draw();
        *(uint64_t *)(void *)(user.data + (*user.consumer & (RINGS_SIZE - 1) & -8ul)) = draw();
        user.data[draw() % RINGS_SIZE] = (uint8_t)draw();
        page[draw() % 1024] = draw();
        page[offsetof(struct perf_event_mmap_page, data_tail) / 8] = draw();
        page[offsetof(struct perf_event_mmap_page, data_head) / 8] = draw();
        act(RINGS_RECORDS, (unsigned)draw() % 20, 1);
        act(RINGS_PERF, (unsigned)draw() % 20, 1);
        act(RINGS_DRAIN, 0, 0);
        poll(fds, 2, 0);
    }
    *r.consumer = *r.producer;
    EXPECT(act(RINGS_RECORDS, 5, 10), 0);
    EXPECT(ring_consume(&r, add_record, &sum), 5);
    EXPECT(sum.values, 10 + 11 + 12 + 13 + 14);
    *user.producer = *user.consumer;
    EXPECT(user_ring_post(&user, &(uint64_t){99}, 8), *user.consumer % 8 ? -EINVAL : 0);
    EXPECT(act(RINGS_DRAIN, 0, 0), 1);
    EXPECT(shared->value, 99);
    for (int i = 0; i < harts; i++) {
        EXPECT(element(BPF_MAP_DELETE_ELEM, events_fd, i, NULL), 0);
        perf_ring_close(&perf[i]);
        EXPECT(perf_ring_open(&perf[i], i, 2), 0);
        EXPECT(element(BPF_MAP_UPDATE_ELEM, events_fd, i, &perf[i].fd), 0);
    }
    EXPECT(act(RINGS_PERF, 5, 10), 0);
    sum.count = 0;
    for (int i = 0; i < harts; i++) {
        perf_ring_consume(&perf[i], add_record, &sum, &lost);
        element(BPF_MAP_DELETE_ELEM, events_fd, i, NULL);
        perf_ring_close(&perf[i]);
    }
    EXPECT(sum.count, 5);
    ring_unmap(&r);
    user_ring_unmap(&user);
}

/* ---- nothing stays --------------------------------------------------------------------------- */

/* Maps everything there is and leaves it so: fork, exec, death. */
static void map_all(void)
{
    struct epoll_event event = {POLLIN, 0};
    int fd = create_array(4096, 8, BPF_F_MMAPABLE), ep = epoll_create1(0);
    struct perf_ring perf;
    struct user_ring user;
    struct ring r;

    map_shared(fd, 8 * PAGE, RW, 0);
    munmap(map_shared(fd, 8 * PAGE, PROT_READ, 0) + 2 * PAGE, PAGE);
    ring_map(&r, records_fd, RINGS_SIZE);
    user_ring_map(&user, samples_fd, RINGS_SIZE);
    perf_ring_open(&perf, 0, 4);
    epoll_ctl(ep, EPOLL_CTL_ADD, records_fd, &event);
    epoll_ctl(ep, EPOLL_CTL_ADD, perf.fd, &event);
    act(RINGS_TASK, 0, 1);
    pidfd_open(getpid(), 0);
}

static void leave_by_exit(void)
{
    map_all();
    fork(); /* a copy of all mappings that ends on its own */
    exit(5);
}

static void leave_by_exec(void)
{
    map_all();
    execve("/bin/rings", (char *[]){"rings", "child", NULL}, NULL);
    exit(6);
}

static void leave_by_fault(void)
{
    map_all();
    act(RINGS_SIGNAL, 0, SIGTERM);
}

static unsigned pages_left;

/* With all of the machine's memory taken but a few pages: everything works or is -ENOMEM. */
static void leave_without_memory(void)
{
    struct epoll_event event = {POLLIN, 0};
    int fd = create_array(4096, 4, BPF_F_MMAPABLE), ep = epoll_create1(0), errs[4];
    struct perf_ring perf;
    char *first = NULL, *at;
    struct ring r;

    for (size_t size = 64ul << 20; size >= PAGE; size /= 2) {
        while (!MMAP_FAILED(at = mmap(NULL, size, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)))
            first = first ? first : at;
    }
    munmap(first, (pages_left + 1) * PAGE);
    at = map_shared(fd, 4 * PAGE, RW, 0);
    errs[0] = MMAP_FAILED(at) ? (int)(long)at : 0;
    errs[1] = ring_map(&r, records_fd, RINGS_SIZE);
    errs[2] = perf_ring_open(&perf, 0, 4);
    errs[3] = epoll_ctl(ep, EPOLL_CTL_ADD, records_fd, &event);
    if (!errs[0])
        munmap(at + PAGE, PAGE); /* two mappings of one */
    fork();
    for (int i = 0; i < 4; i++)
        if (errs[i] && errs[i] != -ENOMEM)
            exit(10 + i);
    exit(5);
}

static uint64_t free_memory(void)
{
    struct sysinfo info;

    EXPECT(sysinfo(&info), 0);
    return info.freeram;
}

static void test_nothing_stays(void)
{
    uint64_t before = 0;

    for (int round = 0; round < 30; round++) {
        if (round == 10) /* the kernel's lists of small pieces have their pages */
            before = free_memory();
        EXPECT(in_child(leave_by_exit), 5 << 8);
        EXPECT(in_child(leave_by_exec), 5 << 8);
        EXPECT(in_child(leave_by_fault), SIGTERM);
        pages_left = (unsigned)round;
        EXPECT(in_child(leave_without_memory), 5 << 8);
        while (wait4(-1, NULL, 0, NULL) > 0)
            ; /* the copy: this process is the first, which inherits orphans */
    }
    EXPECT(free_memory(), before);
}

static long next_id(int cmd)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    return bpf(cmd, &attr, sizeof(attr));
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "child"))
        return 5;
    if (!ringtest_begin())
        return 1;
    test_refusals();
    test_arrays();
    test_fixed();
    test_ring();
    test_perf();
    test_counters();
    test_user_ring();
    test_read_only();
    test_lies();
    test_nothing_stays();
    ringtest_end();
    EXPECT(next_id(BPF_MAP_GET_NEXT_ID), -ENOENT);
    EXPECT(next_id(BPF_PROG_GET_NEXT_ID), -ENOENT);
    EXPECT(next_id(BPF_LINK_GET_NEXT_ID), -ENOENT);
    return ringtest_verdict("RINGS");
}
