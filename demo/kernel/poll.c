/* SPDX-License-Identifier: MIT */
/*
 * ppoll(2) and epoll(7): waiting for files.
 *
 * Whoever changes what a file's poll() says calls poll_wake(). That may be a BPF program anywhere
 * in the kernel, with the scheduler's lock held by the code that it interrupted; so it only counts,
 * and asks this hart for a software interrupt, which comes when interrupts are on again and wakes
 * all waiting threads. They look again.
 *
 * poll_lock is held from looking at the files until the thread is in the wait queue: what changes
 * meanwhile cannot be missed, for the interrupt waits for the lock.
 *
 * An epoll file is nothing but the items that name it as their owner. An item goes by epoll_ctl(),
 * or with its file or its owner; it does not keep them open.
 */
#include "kernel.h"

struct item {
    struct item *next;
    struct file *owner, *file;
    int fd;
    struct epoll_event event; /* what is waited for, and what to say then */
    uint32_t seen;            /* with EPOLLET: the edges when it was reported last */
};

static struct spinlock poll_lock;
static struct wait_queue waiting;
static uint32_t armed;     /* some thread waits, or is about to, and no interrupt is on its way */
static uint32_t pending;   /* one is on its way */
static struct item *items; /* poll_lock; of all epoll files, those reported longest ago first */

/* Some sources share a counter: that makes an edge too many now and then, which epoll(7) allows. */
#define EDGES 64
static uint32_t edges[EDGES];

static uint32_t *edges_of(const void *source)
{
    return &edges[((uint64_t)source >> 6) * 0x9e3779b97f4a7c15ul >> 58];
}

/* ---- waiting and waking ---------------------------------------------------------------------- */

void poll_wake(const void *source)
{
    __atomic_fetch_add(edges_of(source), 1, __ATOMIC_SEQ_CST);
    if (!__atomic_exchange_n(&armed, 0, __ATOMIC_SEQ_CST))
        return;
    __atomic_store_n(&pending, 1, __ATOMIC_RELEASE);
    csr_set(sip, SIE_SSIE);
}

bool poll_interrupt(void)
{
    unsigned long irq;

    if (!__atomic_exchange_n(&pending, 0, __ATOMIC_ACQUIRE))
        return false;
    irq = spin_lock(&poll_lock);
    wake_all(&waiting);
    spin_unlock(&poll_lock, irq);
    return true;
}

/* Until look(arg) finds something, which it returns, or the deadline has come: 0. deadline: as
 * time_ns(); 0: none. once: look, and do not wait. */
static long wait_until(long (*look)(void *arg), void *arg, bool once, uint64_t deadline)
{
    unsigned long irq = spin_lock(&poll_lock);
    long found;

    for (;;) {
        /* before looking, and no load overtakes it: what looking misses finds it set */
        __atomic_store_n(&armed, 1, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        found = look(arg);
        if (!found && !once && current->killed)
            found = -EINTR;
        if (found || once)
            break;
        once = !wait_on(&waiting, &poll_lock, deadline);
    }
    spin_unlock(&poll_lock, irq);
    return found;
}

static uint32_t file_poll(struct file *f, uint32_t events)
{
    uint32_t now = f->ops->poll ? f->ops->poll(f) : POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

    return now & (events | POLLERR | POLLHUP);
}

/* ---- ppoll(2) -------------------------------------------------------------------------------- */

struct polling {
    struct pollfd fds[MAX_FILES];
    unsigned count;
};

static long look_at_fds(void *arg)
{
    struct polling *p = arg;
    long ready = 0;

    for (unsigned i = 0; i < p->count; i++) {
        struct pollfd *pfd = &p->fds[i];
        struct file *f = fd_file(pfd->fd);

        if (pfd->fd < 0)
            pfd->revents = 0;
        else if (!f)
            pfd->revents = POLLNVAL;
        else
            pfd->revents = (int16_t)file_poll(f, (uint16_t)pfd->events);
        ready += pfd->revents != 0;
    }
    return ready;
}

/* There are no signals, hence no mask of them. The time left is not told. */
long sys_ppoll(uint64_t fds, unsigned count, uint64_t timeout)
{
    struct polling p = {.count = count};
    uint64_t deadline = 0;
    struct timespec ts;
    long ready;

    if (count > MAX_FILES)
        return -EINVAL;
    if (copy_from_user(p.fds, fds, count * sizeof(p.fds[0])))
        return -EFAULT;
    if (timeout) {
        if (copy_from_user(&ts, timeout, sizeof(ts)))
            return -EFAULT;
        if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= (int64_t)NSEC_PER_SEC)
            return -EINVAL;
        deadline = time_ns() + timespec_ns(&ts);
    }
    ready = wait_until(look_at_fds, &p, timeout && ts.tv_sec == 0 && ts.tv_nsec == 0, deadline);
    if (ready >= 0 && copy_to_user(fds, p.fds, count * sizeof(p.fds[0])))
        return -EFAULT;
    return ready;
}

/* ---- epoll(7) -------------------------------------------------------------------------------- */

static const struct file_ops epoll_ops = {.poll = NULL};

long sys_epoll_create1(int flags)
{
    struct file *f;
    int fd;

    if (flags & ~O_CLOEXEC)
        return -EINVAL;
    f = file_alloc(&epoll_ops, O_RDWR, 0600);
    if (!f)
        return -ENOMEM;
    fd = fd_install(f, 0, flags);
    if (fd < 0)
        file_put(f);
    return fd;
}

/* With poll_lock: the link that leads to the item, or that ends the list. */
static struct item **find_item(const struct file *owner, const struct file *f, int fd)
{
    struct item **at = &items;

    while (*at && ((*at)->owner != owner || (*at)->file != f || (*at)->fd != fd))
        at = &(*at)->next;
    return at;
}

/* With poll_lock. *fresh: a new item, none if op is DEL; then one that nobody needs, or none. */
static long change(struct file *owner, struct file *f, int fd, int op, struct item **fresh)
{
    struct item **at = find_item(owner, f, fd), *it = *at;

    if (op == EPOLL_CTL_ADD) {
        if (it)
            return -EEXIST;
        it = *at = *fresh;
        *fresh = NULL;
        *it = (struct item){.owner = owner, .file = f, .fd = fd, .event = it->event};
        owner->watched = f->watched = true;
    } else if (!it) {
        return -ENOENT;
    } else if (op == EPOLL_CTL_MOD) {
        it->event = (*fresh)->event;
    } else {
        *at = it->next;
        *fresh = it;
        return 0;
    }
    it->seen = *edges_of(f->source) - 1; /* what is there already counts as news */
    return 0;
}

long sys_epoll_ctl(int epfd, int op, int fd, uint64_t event)
{
    struct file *owner = fd_file(epfd), *f = fd_file(fd);
    const uint32_t known =
        POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLWRNORM | EPOLLRDHUP | EPOLLET;
    struct item *it;
    unsigned long irq;
    long err = 0;

    if (!owner || !f)
        return -EBADF;
    if (owner->ops != &epoll_ops || op < EPOLL_CTL_ADD || op > EPOLL_CTL_MOD)
        return -EINVAL;
    if (!f->ops->poll)
        return -EPERM; /* also another epoll file: no chains */
    it = op == EPOLL_CTL_DEL ? NULL : kmalloc(sizeof(*it));
    if (op != EPOLL_CTL_DEL && !it)
        return -ENOMEM;
    if (it && copy_from_user(&it->event, event, sizeof(it->event)))
        err = -EFAULT;
    else if (it && it->event.events & ~known)
        err = -EINVAL;
    irq = spin_lock(&poll_lock);
    if (!err)
        err = change(owner, f, fd, op, &it);
    spin_unlock(&poll_lock, irq);
    if (it)
        kfree(it, sizeof(*it));
    return err;
}

struct reporting {
    struct file *owner;
    struct epoll_event events[16];
    int max;
};

static uint32_t item_poll(struct item *it)
{
    uint32_t edge = __atomic_load_n(edges_of(it->file->source), __ATOMIC_SEQ_CST);
    uint32_t events = 0;

    if (!(it->event.events & EPOLLET) || edge != it->seen)
        events = file_poll(it->file, it->event.events);
    it->seen = edge;
    return events;
}

/* What is reported goes to the end of the list: the next call begins with the others. */
static long look_at_items(void *arg)
{
    struct reporting *r = arg;
    struct item **at = &items, *told = NULL, **last = &told;
    int n = 0;

    while (*at) {
        struct item *it = *at;
        uint32_t events = it->owner == r->owner && n < r->max ? item_poll(it) : 0;

        if (!events) {
            at = &it->next;
            continue;
        }
        r->events[n++] = (struct epoll_event){.events = events, .data = it->event.data};
        *at = it->next;
        *last = it;
        last = &it->next;
    }
    *last = NULL;
    *at = told;
    return n;
}

long sys_epoll_pwait(int epfd, uint64_t events, int max, int timeout)
{
    struct reporting r = {.owner = fd_file(epfd), .max = MIN(max, (int)ARRAY_SIZE(r.events))};
    uint64_t deadline = timeout > 0 ? time_ns() + (uint64_t)timeout * 1000000 : 0;
    long n;

    if (!r.owner)
        return -EBADF;
    if (r.owner->ops != &epoll_ops || max <= 0)
        return -EINVAL;
    n = wait_until(look_at_items, &r, timeout == 0, deadline);
    if (n > 0 && copy_to_user(events, r.events, (size_t)n * sizeof(r.events[0])))
        return -EFAULT;
    return n;
}

void poll_forget(struct file *f)
{
    unsigned long irq = spin_lock(&poll_lock);
    struct item **at = &items;

    while (*at) {
        struct item *it = *at;
        if (it->owner != f && it->file != f) {
            at = &it->next;
            continue;
        }
        *at = it->next;
        kfree(it, sizeof(*it));
    }
    spin_unlock(&poll_lock, irq);
}
