/* SPDX-License-Identifier: MIT */
/*
 * Open files and file descriptors, and what can be opened: the archive's files and directories, and
 * /dev/console.
 *
 * A struct file is shared by the descriptors that dup() and fork() made of it, and counts them. A
 * descriptor table belongs to one process, hence to one thread, and needs no lock.
 */
#include "kernel.h"

struct file *file_alloc(const struct file_ops *ops, int flags, uint32_t mode)
{
    struct file *f = kmalloc(sizeof(*f));

    if (!f)
        return NULL;
    memset(f, 0, sizeof(*f));
    f->ops = ops;
    f->refs = 1;
    f->flags = flags;
    f->mode = mode;
    return f;
}

void file_get(struct file *f)
{
    __atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED);
}

void file_put(struct file *f)
{
    if (__atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL))
        return;
    if (f->watched)
        poll_forget(f);
    if (f->ops->release)
        f->ops->release(f);
    kfree(f, sizeof(*f));
}

struct file *fd_file(int fd)
{
    if (!current->proc || fd < 0 || fd >= MAX_FILES)
        return NULL;
    return current->proc->fds.file[fd];
}

int fd_install(struct file *f, int lowest, int flags)
{
    struct process *p = current->proc;

    if (!p)
        return -EMFILE; /* a kernel thread */
    for (int fd = lowest; fd < MAX_FILES; fd++) {
        if (p->fds.file[fd])
            continue;
        p->fds.file[fd] = f;
        p->fds.cloexec &= ~(1ul << fd);
        p->fds.cloexec |= (uint64_t) !!(flags & O_CLOEXEC) << fd;
        return fd;
    }
    return -EMFILE;
}

/* Closes the descriptors whose bits are set. T: the last reference of a BPF object may wait for a
 * grace period. */
void fds_close(struct fd_table *fds, uint64_t which)
{
    for (int fd = 0; fd < MAX_FILES; fd++) {
        struct file *f = fds->file[fd];
        if (!f || !(which >> fd & 1))
            continue;
        fds->file[fd] = NULL;
        file_put(f);
    }
}

void fds_copy(struct fd_table *to, const struct fd_table *from)
{
    *to = *from;
    for (int fd = 0; fd < MAX_FILES; fd++)
        if (to->file[fd])
            file_get(to->file[fd]);
}

/* ---- what can be opened ---------------------------------------------------------------------- */

static long regular_read(struct file *f, uint64_t buf, size_t len)
{
    uint64_t pos = f->pos; /* another process may share f: look once */

    if (pos >= f->node.size)
        return 0;
    len = MIN(len, f->node.size - pos);
    if (copy_to_user(buf, f->node.data + pos, len))
        return -EFAULT;
    f->pos = pos + len;
    return (long)len;
}

static long directory_read(struct file *f, uint64_t buf, size_t len)
{
    (void)f;
    (void)buf;
    (void)len;
    return -EISDIR;
}

static long console_read(struct file *f, uint64_t buf, size_t len)
{
    (void)f;
    return console_read_user(buf, len);
}

static long console_write_file(struct file *f, uint64_t buf, size_t len)
{
    (void)f;
    return console_write_user(buf, len);
}

static uint32_t console_poll_file(struct file *f)
{
    (void)f;
    return console_poll();
}

static const struct file_ops regular_ops = {.read = regular_read};
static const struct file_ops directory_ops = {.read = directory_read};
static const struct file_ops console_ops = {
    .read = console_read, .write = console_write_file, .poll = console_poll_file};

static noinline int open_node(const struct node *node, int flags, struct file **out)
{
    bool writes = (flags & O_ACCMODE) != O_RDONLY;
    const struct file_ops *ops = &regular_ops;
    uint32_t mode = node->mode;

    if (!strcmp(node->name, "dev/console")) {
        ops = &console_ops;
        mode = S_IFCHR | 0620;
    } else if ((mode & S_IFMT) == S_IFDIR) {
        ops = &directory_ops;
        if (writes)
            return -EISDIR;
    } else if (writes || (flags & O_TRUNC)) {
        return -EROFS;
    }
    if ((flags & O_DIRECTORY) && (mode & S_IFMT) != S_IFDIR)
        return -ENOTDIR;
    *out = file_alloc(ops, flags, mode);
    if (!*out)
        return -ENOMEM;
    (*out)->node = *node;
    return 0;
}

int file_open(char *path, int flags, struct file **out)
{
    struct node node;
    int err = initramfs_find(path, &node);

    if (err)
        return flags & O_CREAT ? -EROFS : err;
    return open_node(&node, flags, out);
}
