/* SPDX-License-Identifier: MIT */
/*
 * Pipes: a page as a ring between two files. Its lock is held while bytes go to or come from user
 * memory, which never waits. There are no signals: writing to a pipe that nobody reads is -EPIPE
 * and nothing else.
 */
#include "kernel.h"

struct pipe {
    struct spinlock lock;
    struct wait_queue changed; /* either side waits here */
    bool reader, writer;       /* the file of that side is open */
    unsigned read, written;    /* counters that only grow */
    char *ring;                /* a page */
};

static void pipe_changed(struct pipe *p)
{
    wake_all(&p->changed);
    poll_wake(p);
}

/* Waits for the other side. The caller holds the lock; 0: look again. */
static long pipe_wait(struct file *f)
{
    if (f->flags & O_NONBLOCK)
        return -EAGAIN;
    if (current->killed)
        return -EINTR;
    wait_on(&f->pipe->changed, &f->pipe->lock, 0);
    return 0;
}

static long pipe_read(struct file *f, uint64_t buf, size_t len)
{
    struct pipe *p = f->pipe;
    unsigned long irq = spin_lock(&p->lock);
    long result = 0;

    while (len && p->read == p->written && p->writer && !result)
        result = pipe_wait(f);
    while (result >= 0 && (size_t)result < len && p->read != p->written) {
        unsigned at = p->read % PAGE_SIZE;
        size_t n = MIN(len - (size_t)result, MIN(p->written - p->read, PAGE_SIZE - at));
        if (copy_to_user(buf + (uint64_t)result, p->ring + at, n)) {
            result = result ? result : -EFAULT;
            break;
        }
        p->read += (unsigned)n;
        result += (long)n;
    }
    pipe_changed(p);
    spin_unlock(&p->lock, irq);
    return result;
}

static long pipe_write(struct file *f, uint64_t buf, size_t len)
{
    struct pipe *p = f->pipe;
    unsigned long irq = spin_lock(&p->lock);
    long done = 0, err = 0;

    while ((size_t)done < len && !err) {
        unsigned at = p->written % PAGE_SIZE;
        size_t n = MIN(len - (size_t)done, PAGE_SIZE - (p->written - p->read));
        n = MIN(n, PAGE_SIZE - at);
        if (!p->reader) {
            err = -EPIPE;
        } else if (n == 0) {
            err = pipe_wait(f);
        } else if (copy_from_user(p->ring + at, buf + (uint64_t)done, n)) {
            err = -EFAULT;
        } else {
            p->written += (unsigned)n;
            done += (long)n;
            pipe_changed(p);
        }
    }
    spin_unlock(&p->lock, irq);
    return done ? done : err;
}

static void pipe_free(struct pipe *p)
{
    pages_free(p->ring, 0);
    kfree(p, sizeof(*p));
}

static void pipe_release(struct file *f)
{
    struct pipe *p = f->pipe;
    unsigned long irq = spin_lock(&p->lock);
    bool last;

    if ((f->flags & O_ACCMODE) == O_WRONLY)
        p->writer = false;
    else
        p->reader = false;
    last = !p->reader && !p->writer;
    pipe_changed(p);
    spin_unlock(&p->lock, irq);
    if (last)
        pipe_free(p);
}

/* Without the pipe's lock, whose holders call poll_wake(): that comes behind what they changed. */
static uint32_t pipe_poll(struct file *f)
{
    const struct pipe *p = f->pipe;
    unsigned full = __atomic_load_n(&p->written, __ATOMIC_ACQUIRE) -
                    __atomic_load_n(&p->read, __ATOMIC_ACQUIRE);

    if ((f->flags & O_ACCMODE) == O_WRONLY)
        return (full < PAGE_SIZE ? POLLOUT | POLLWRNORM : 0) |
               (__atomic_load_n(&p->reader, __ATOMIC_RELAXED) ? 0 : POLLERR);
    return (full ? POLLIN | POLLRDNORM : 0) |
           (__atomic_load_n(&p->writer, __ATOMIC_RELAXED) ? 0 : POLLHUP);
}

static const struct file_ops read_ops = {
    .read = pipe_read, .release = pipe_release, .poll = pipe_poll};
static const struct file_ops write_ops = {
    .write = pipe_write, .release = pipe_release, .poll = pipe_poll};

static struct pipe *pipe_alloc(void)
{
    struct pipe *p = kmalloc(sizeof(*p));

    if (!p)
        return NULL;
    *p = (struct pipe){.reader = true, .writer = true, .ring = pages_alloc(0)};
    if (!p->ring) {
        kfree(p, sizeof(*p));
        return NULL;
    }
    return p;
}

long sys_pipe2(uint64_t fds, int flags)
{
    struct pipe *p;
    struct file *r, *w;
    int fd[2];

    if (flags & ~(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    p = pipe_alloc();
    r = file_alloc(&read_ops, O_RDONLY | (flags & O_NONBLOCK), S_IFIFO | 0600);
    w = file_alloc(&write_ops, O_WRONLY | (flags & O_NONBLOCK), S_IFIFO | 0600);
    if (!p || !r || !w) {
        if (p)
            pipe_free(p);
        if (r)
            kfree(r, sizeof(*r));
        if (w)
            kfree(w, sizeof(*w));
        return -ENOMEM;
    }
    r->pipe = w->pipe = p;
    fd[0] = fd_install(r, 0, flags);
    fd[1] = fd[0] < 0 ? fd[0] : fd_install(w, 0, flags);
    if (fd[1] >= 0) {
        if (!copy_to_user(fds, fd, sizeof(fd)))
            return 0;
        fds_close(&current->proc->fds, 1ul << fd[0] | 1ul << fd[1]);
        return -EFAULT;
    }
    if (fd[0] >= 0)
        current->proc->fds.file[fd[0]] = NULL;
    file_put(r);
    file_put(w);
    return -EMFILE;
}
