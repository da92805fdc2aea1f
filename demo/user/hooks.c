/* SPDX-License-Identifier: MIT */
/*
 * Tests of what the kernel's hooks do for user mode besides memory that is mapped: waking who waits
 * in poll(2) and epoll(7), storage of tasks, stacks, signals, memory that programs write. Prints
 * `HOOKS ok` or each check that failed.
 */
#include "lib.h"
#include "ring.h"
#include "ringtest.h"

#define MS 1000000ul /* nanoseconds */

/* ---- poll(2), epoll(7) ----------------------------------------------------------------------- */

static int child_act(enum rings_action action, unsigned count, uint64_t after_ns)
{
    int pid = fork();

    if (pid == 0) {
        nanosleep_ns(after_ns);
        exit(act(action, count, 1) != 0);
    }
    return pid;
}

static void reap(int pid)
{
    int status = -1;

    EXPECT(wait4(pid, &status, 0, NULL), pid);
    EXPECT(status, 0);
}

/* A consumer that sleeps is woken by the record, not by a clock: it waits without an end. */
static void test_poll(void)
{
    struct sum sum = {0, 0, 0};
    struct pollfd fds[4] = {
        {records_fd, POLLIN, 0}, {samples_fd, POLLOUT, 0}, {-1, POLLIN, 0}, {62, POLLIN, 0}};
    uint64_t start;
    struct ring r;
    int pid;

    EXPECT(ring_map(&r, records_fd, RINGS_SIZE), 0);
    EXPECT(poll(fds, 4, 0), 2);
    EXPECT(fds[0].revents, 0);
    EXPECT(fds[1].revents, POLLOUT);
    EXPECT(fds[2].revents, 0);
    EXPECT(fds[3].revents, POLLNVAL);
    EXPECT(poll(fds, 65, 0), -EINVAL);
    EXPECT(poll((struct pollfd *)0x10, 1, 0), -EFAULT);
    start = time_ns();
    EXPECT(poll(fds, 1, 50), 0);
    EXPECT(time_ns() - start >= 50 * MS, 1);
    for (int round = 0; round < 20; round++) {
        pid = child_act(RINGS_RECORDS, 3, (uint64_t)round * MS);
        EXPECT(poll(fds, 1, -1), 1);
        EXPECT(fds[0].revents, POLLIN);
        reap(pid);
        EXPECT(ring_consume(&r, add_record, &sum), 3);
    }
    EXPECT(poll(fds, 1, 0), 0);
    ring_unmap(&r);
}

static void test_poll_pipe(void)
{
    struct pollfd fds[2];
    int pipe[2], pid;
    char c;

    EXPECT(pipe2(pipe, 0), 0);
    fds[0] = (struct pollfd){pipe[0], POLLIN, 0};
    fds[1] = (struct pollfd){pipe[1], POLLOUT, 0};
    EXPECT(poll(fds, 2, 0), 1);
    EXPECT(fds[1].revents, POLLOUT);
    pid = fork();
    if (pid == 0) {
        nanosleep_ns(20 * MS);
        exit(write(pipe[1], "x", 1) != 1);
    }
    EXPECT(poll(fds, 1, -1), 1);
    EXPECT(fds[0].revents, POLLIN);
    reap(pid);
    EXPECT(read(pipe[0], &c, 1), 1);
    close(pipe[1]);
    EXPECT(poll(fds, 1, -1), 1);
    EXPECT(fds[0].revents, POLLHUP);
    close(pipe[0]);
    /* nobody wakes this one but kill(2) */
    pid = fork();
    if (pid == 0)
        poll(fds, 0, -1);
    nanosleep_ns(20 * MS);
    EXPECT(kill(pid, SIGKILL), 0);
    EXPECT(wait4(pid, NULL, 0, NULL), pid);
}

static void test_epoll(void)
{
    struct epoll_event event = {POLLIN, 11}, got[4];
    struct sum sum = {0, 0, 0};
    int ep = epoll_create1(O_CLOEXEC), copy, pid;
    struct ring r;

    EXPECT(ring_map(&r, records_fd, RINGS_SIZE), 0);
    EXPECT(epoll_create1(1), -EINVAL);
    EXPECT(epoll_ctl(ep, EPOLL_CTL_ADD, records_fd, &event), 0);
    EXPECT(epoll_ctl(ep, EPOLL_CTL_ADD, records_fd, &event), -EEXIST);
    EXPECT(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &event), -EPERM);
    EXPECT(epoll_ctl(ep, EPOLL_CTL_ADD, 62, &event), -EBADF);
    EXPECT(epoll_ctl(records_fd, EPOLL_CTL_ADD, ep, &event), -EINVAL);
    EXPECT(epoll_ctl(ep, EPOLL_CTL_DEL, samples_fd, NULL), -ENOENT);
    EXPECT(epoll_ctl(ep, EPOLL_CTL_MOD, records_fd, (void *)0x10), -EFAULT);
    EXPECT(epoll_wait(ep, got, 0, 0), -EINVAL);
    EXPECT(epoll_wait(ep, got, 4, 20), 0);
    pid = child_act(RINGS_RECORDS, 2, 20 * MS);
    EXPECT(epoll_wait(ep, got, 4, -1), 1);
    EXPECT(got[0].events == POLLIN && got[0].data == 11, 1);
    reap(pid);
    EXPECT(epoll_wait(ep, got, 4, -1), 1); /* a level: still there */
    EXPECT(ring_consume(&r, add_record, &sum), 2);
    EXPECT(epoll_wait(ep, got, 4, 0), 0);
    /* edges: told once, and again with the next record */
    event.events = POLLIN | EPOLLET;
    EXPECT(epoll_ctl(ep, EPOLL_CTL_MOD, records_fd, &event), 0);
    for (int i = 0; i < 3; i++) {
        EXPECT(act(RINGS_RECORDS, 1, 1), 0);
        EXPECT(epoll_wait(ep, got, 4, -1), 1);
        EXPECT(ring_consume(&r, add_record, &sum), 1);
        EXPECT(epoll_wait(ep, got, 4, 0), 0);
    }
    EXPECT(act(RINGS_RECORDS, 1, 1), 0);
    EXPECT(epoll_wait(ep, got, 4, -1), 1);
    EXPECT(epoll_wait(ep, got, 4, 0), 0); /* not read, but told */
    EXPECT(ring_consume(&r, add_record, &sum), 1);
    /* a file that is closed is watched no more */
    copy = create_array(8, 1, 0);
    event.events = POLLIN;
    EXPECT(epoll_ctl(ep, EPOLL_CTL_ADD, copy, &event), 0);
    EXPECT(epoll_wait(ep, got, 4, -1), 1); /* POLLERR: there is nothing to wait for */
    EXPECT(got[0].events, POLLERR);
    close(copy);
    EXPECT(epoll_wait(ep, got, 4, 0), 0);
    close(ep);
    ring_unmap(&r);
}

/* One at a time: everybody has his turn, although the first are always ready. */
static void test_epoll_fair(void)
{
    struct epoll_event event = {POLLIN | POLLOUT, 0}, got;
    int ep = epoll_create1(0), pipes[5][2], seen = 0;

    for (int i = 0; i < 5; i++) {
        pipe2(pipes[i], 0);
        event.data = (uint64_t)i;
        EXPECT(epoll_ctl(ep, EPOLL_CTL_ADD, pipes[i][1], &event), 0);
    }
    for (int i = 0; i < 5; i++) {
        EXPECT(epoll_wait(ep, &got, 1, -1), 1);
        seen |= 1 << got.data;
    }
    EXPECT(seen, 31);
    close(ep); /* before the files that it watches */
    for (int i = 0; i < 5; i++) {
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
}

/* ---- tasks, stacks, memory ------------------------------------------------------------------- */

static void child_counts(void)
{
    for (int i = 0; i < 3; i++)
        if (act(RINGS_TASK, 0, 5))
            exit(1);
    nanosleep_ns(1000000 * MS);
}

/* A task that has ended leaves nothing to the next one, which may have its place in memory. */
static void child_is_new(void)
{
    uint64_t value = 0;
    int me = pidfd_open(getpid(), 0);

    if (element(BPF_MAP_LOOKUP_ELEM, tasks_fd, me, &value) != -ENOENT || act(RINGS_TASK, 0, 5))
        exit(1);
    exit(element(BPF_MAP_LOOKUP_ELEM, tasks_fd, me, &value) == 0 && value == 5 ? 5 : 6);
}

static void test_tasks(void)
{
    int me = pidfd_open(getpid(), 0), child, status, pid;
    uint64_t value = 0;

    EXPECT(pidfd_open(0, 0), -EINVAL);
    EXPECT(pidfd_open(1, 1), -EINVAL);
    EXPECT(pidfd_open(9999999, 0), -ESRCH);
    EXPECT(element(BPF_MAP_LOOKUP_ELEM, tasks_fd, me, &value), -ENOENT);
    EXPECT(element(BPF_MAP_LOOKUP_ELEM, tasks_fd, 1, &value), -EBADF);
    EXPECT(act(RINGS_TASK, 0, 1), 0);
    EXPECT(act(RINGS_TASK, 0, 1), 0);
    EXPECT(element(BPF_MAP_LOOKUP_ELEM, tasks_fd, me, &value), 0);
    EXPECT(value, 2);
    value = 40;
    EXPECT(element(BPF_MAP_UPDATE_ELEM, tasks_fd, me, &value), 0);
    EXPECT(act(RINGS_TASK, 0, 2), 0);
    EXPECT(element(BPF_MAP_LOOKUP_ELEM, tasks_fd, me, &value), 0);
    EXPECT(value, 42);
    pid = fork();
    if (pid == 0)
        child_counts();
    child = pidfd_open(pid, 0);
    for (int i = 0; i < 200 && value != 15; i++) {
        nanosleep_ns(5 * MS);
        element(BPF_MAP_LOOKUP_ELEM, tasks_fd, child, &value);
    }
    EXPECT(value, 15);
    EXPECT(kill(pid, SIGKILL), 0);
    EXPECT(wait4(pid, &status, 0, NULL), pid);
    EXPECT(element(BPF_MAP_LOOKUP_ELEM, tasks_fd, child, &value), -ENOENT);
    EXPECT(element(BPF_MAP_UPDATE_ELEM, tasks_fd, child, &value), -ENOENT);
    for (int i = 0; i < 10; i++)
        EXPECT(in_child(child_is_new), 5 << 8);
    EXPECT(act(RINGS_FORGET, 0, 0), 0);
    EXPECT(act(RINGS_FORGET, 0, 0), -ENOENT);
    EXPECT(element(BPF_MAP_LOOKUP_ELEM, tasks_fd, me, &value), -ENOENT);
    close(me);
    close(child);
}

static __attribute__((noinline)) long walk_user(void)
{
    return act(RINGS_USTACK, 0, 0);
}

/* The place in the stack, behind from, of a call in the function. */
static int find_caller(int from, void (*fn)(void), unsigned size)
{
    while (from < RINGS_DEPTH && shared->stack[from] - (uint64_t)fn >= size)
        from++;
    return from;
}

/* The kernel's stack from the probed function to the trap, by name; and where user mode was. */
static void test_stacks(void)
{
    static const char *const names[] = {"sys_getppid", "syscall_dispatch", "trap_handler"};
    uint64_t stack[RINGS_DEPTH];
    int at;
    long id = act(RINGS_STACK, 0, 0);

    EXPECT(id >= 0, 1);
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        EXPECT(strcmp((const char *)shared->names[i], names[i]), 0);
    EXPECT(shared->stack[3], 0); /* user mode begins there */
    EXPECT(element(BPF_MAP_LOOKUP_ELEM, stacks_fd, (int)id, stack), 0);
    EXPECT(memcmp(stack, (const void *)shared->stack, sizeof(stack)), 0);
    EXPECT(act(RINGS_STACK, 0, 0), id);
    EXPECT(element(BPF_MAP_DELETE_ELEM, stacks_fd, (int)id, NULL), 0);
    EXPECT(element(BPF_MAP_LOOKUP_ELEM, stacks_fd, (int)id, stack), -ENOENT);
    EXPECT(walk_user() >= 5 * 8, 1);
    EXPECT(shared->stack[0] - (uint64_t)getppid < 100, 1);
    at = find_caller(1, (void (*)(void))walk_user, 60);
    EXPECT(at < RINGS_DEPTH, 1);
    EXPECT(find_caller(at + 1, test_stacks, 1000) < RINGS_DEPTH, 1);
}

static void do_signal(void)
{
    act(RINGS_SIGNAL, 0, SIGKILL);
}

/* The user's stack is where the process says, and may be anywhere. */
static void bad_frames(void)
{
    static const uint64_t bad[] = {0, 8, 0x1000, 0x3ffffffff0, 0x4000000000, -16ul, 0x20, ~7ul};

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        shared->action = RINGS_USTACK;
        __asm__ volatile("mv t0, s0; mv s0, %0; li a7, 173; ecall; mv s0, t0" ::"r"(bad[i])
                         : "t0", "a0", "a7", "memory");
    }
    exit(5);
}

static void test_memory(void)
{
    uint64_t word = 0;
    struct timespec tai;

    shared->address = (uint64_t)&word;
    EXPECT(act(RINGS_WRITE, 0, 0x1234567890), 0);
    EXPECT(word, 0x1234567890);
    shared->address = (uint64_t)test_memory;
    EXPECT(act(RINGS_WRITE, 0, 0), -EFAULT);
    shared->address = 0xffffffc080200000;
    EXPECT(act(RINGS_WRITE, 0, 0), -EFAULT);
    EXPECT(in_child(do_signal), SIGKILL);
    EXPECT(act(RINGS_SIGNAL, 0, 60), -EINVAL);
    EXPECT(in_child(bad_frames), 5 << 8);
    EXPECT(clock_gettime(CLOCK_TAI, &tai), 0);
    EXPECT(tai.tv_sec > 1700000000, 1);
    EXPECT(act(RINGS_TAI, 0, 0) / 1000000000 - tai.tv_sec <= 1, 1);
}

int main(void)
{
    if (!ringtest_begin())
        return 1;
    test_poll();
    test_poll_pipe();
    test_epoll();
    test_epoll_fair();
    test_tasks();
    test_stacks();
    test_memory();
    ringtest_end();
    return ringtest_verdict("HOOKS");
}
