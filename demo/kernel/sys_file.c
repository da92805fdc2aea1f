/* SPDX-License-Identifier: MIT */
/*
 * The system calls on files. Arguments have Linux's types, addresses are uint64_t: nothing here
 * dereferences one, only copy_from_user() and copy_to_user() do.
 */
#include "kernel.h"

#define MAX_COUNT 0x7ffff000ul /* as Linux: a longer read or write is cut */

static noinline long vfs_read(struct file *f, uint64_t buf, size_t len)
{
    if ((f->flags & O_ACCMODE) == O_WRONLY)
        return -EBADF;
    if (!f->ops->read)
        return -EINVAL;
    return f->ops->read(f, buf, MIN(len, MAX_COUNT));
}

static noinline long vfs_write(struct file *f, uint64_t buf, size_t len)
{
    if ((f->flags & O_ACCMODE) == O_RDONLY)
        return -EBADF;
    if (!f->ops->write)
        return -EINVAL;
    return f->ops->write(f, buf, MIN(len, MAX_COUNT));
}

noinline long sys_read(int fd, uint64_t buf, size_t len)
{
    struct file *f = fd_file(fd);

    return f ? vfs_read(f, buf, len) : -EBADF;
}

noinline long sys_write(int fd, uint64_t buf, size_t len)
{
    struct file *f = fd_file(fd);

    return f ? vfs_write(f, buf, len) : -EBADF;
}

long sys_writev(int fd, uint64_t iov, int count)
{
    struct file *f = fd_file(fd);
    long done = 0;

    if (!f)
        return -EBADF;
    if (count < 0 || count > IOV_MAX)
        return -EINVAL;
    for (int i = 0; i < count; i++) {
        struct iovec v;
        long n;
        if (copy_from_user(&v, iov + (uint64_t)i * sizeof(v), sizeof(v)))
            return done ? done : -EFAULT;
        n = v.iov_len ? vfs_write(f, v.iov_base, v.iov_len) : 0;
        if (n < 0)
            return done ? done : n;
        done += n;
        if ((uint64_t)n < v.iov_len)
            break;
    }
    return done;
}

/* Copies the path from user memory, with the name of the directory dfd in front if it is relative
 * to one. */
static long get_path(int dfd, uint64_t path, char *out)
{
    struct file *dir = NULL;
    size_t skip = 0;
    char first;
    long n;

    if (copy_from_user(&first, path, 1))
        return -EFAULT;
    if (first != '/' && dfd != AT_FDCWD) {
        dir = fd_file(dfd);
        if (!dir)
            return -EBADF;
        if ((dir->mode & S_IFMT) != S_IFDIR)
            return -ENOTDIR;
        skip = dir->node.name_len + 1;
        if (skip >= PATH_SIZE)
            return -ENAMETOOLONG;
        memcpy(out, dir->node.name, skip - 1);
        out[skip - 1] = '/';
    }
    n = copy_string(out + skip, path, PATH_SIZE - skip);
    return n < 0 ? n : n == 0 ? -ENOENT : 0;
}

noinline long sys_openat(int dfd, uint64_t path, int flags, int mode)
{
    char name[PATH_SIZE];
    struct file *f;
    long err = get_path(dfd, path, name);
    int fd;

    if (!err && (flags & O_VERBOSE)) /* a probe on this function has printed before */
        printk("sys_openat: dfd %d, path %s, flags 0x%x, mode 0x%x\n", dfd, name, flags, mode);
    if (!err)
        err = file_open(name, flags, &f);
    if (err)
        return err;
    fd = fd_install(f, 0, flags);
    if (fd < 0)
        file_put(f);
    return fd;
}

noinline long sys_close(int fd)
{
    if (!fd_file(fd))
        return -EBADF;
    fds_close(&current->proc->fds, 1ul << fd);
    return 0;
}

long sys_lseek(int fd, int64_t offset, int whence)
{
    struct file *f = fd_file(fd);
    uint64_t type, base;

    if (!f)
        return -EBADF;
    type = f->mode & S_IFMT;
    if (type != S_IFREG && type != S_IFDIR)
        return -ESPIPE;
    base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? f->pos : f->node.size;
    if (whence < SEEK_SET || whence > SEEK_END ||
        __builtin_add_overflow((int64_t)base, offset, &offset) || offset < 0)
        return -EINVAL;
    f->pos = (uint64_t)offset;
    return offset;
}

static long put_stat(uint64_t out, uint32_t mode, const struct node *node)
{
    struct stat st;

    memset(&st, 0, sizeof(st));
    st.st_dev = 1;
    st.st_ino = node->ino;
    st.st_mode = mode;
    st.st_nlink = 1;
    st.st_size = (mode & S_IFMT) == S_IFREG ? (int64_t)node->size : 0;
    st.st_blksize = PAGE_SIZE;
    st.st_blocks = (st.st_size + 511) / 512;
    return copy_to_user(out, &st, sizeof(st));
}

long sys_fstat(int fd, uint64_t out)
{
    struct file *f = fd_file(fd);

    return f ? put_stat(out, f->mode, &f->node) : -EBADF;
}

long sys_newfstatat(int dfd, uint64_t path, uint64_t out, int flags)
{
    char name[PATH_SIZE];
    struct file *f;
    long err = get_path(dfd, path, name);

    if (err == -ENOENT && (flags & AT_EMPTY_PATH))
        return sys_fstat(dfd, out);
    if (!err)
        err = file_open(name, O_RDONLY, &f);
    if (err)
        return err;
    err = put_stat(out, f->mode, &f->node);
    file_put(f);
    return err;
}

/* One entry of a directory to user memory; its size, or an error. */
static long put_dirent(uint64_t to, size_t room, const struct node *node, const char *name,
                       uint64_t next)
{
    struct {
        struct dirent64 d;
        char name[PATH_SIZE];
    } entry;
    size_t len = strlen(name);
    size_t size = ALIGN_UP(offsetof(struct dirent64, d_name) + len + 1, 8);
    uint32_t type = node->mode & S_IFMT;

    if (len >= PATH_SIZE - 8)
        return 0; /* no path leads to it */
    if (size > room)
        return -EINVAL;
    memset(&entry, 0, size);
    entry.d.d_ino = node->ino;
    entry.d.d_off = (int64_t)next;
    entry.d.d_reclen = (uint16_t)size;
    entry.d.d_type = type == S_IFDIR ? DT_DIR : DT_REG;
    if (!strcmp(node->name, "dev/console"))
        entry.d.d_type = DT_CHR;
    memcpy((char *)&entry + offsetof(struct dirent64, d_name), name, len);
    return copy_to_user(to, &entry, size) ? -EFAULT : (long)size;
}

long sys_getdents64(int fd, uint64_t buf, size_t len)
{
    struct file *f = fd_file(fd);
    uint64_t cursor;
    struct node node;
    size_t done = 0;

    if (!f)
        return -EBADF;
    if ((f->mode & S_IFMT) != S_IFDIR)
        return -ENOTDIR;
    cursor = f->pos; /* d_off is the place in the archive */
    while (initramfs_next(&cursor, &node)) {
        const char *name;
        long n = 0;
        if (node_is_child(&f->node, &node, &name))
            n = put_dirent(buf + done, len - done, &node, name, cursor);
        if (n < 0)
            return done ? (long)done : n;
        done += (size_t)n;
        f->pos = cursor;
    }
    return (long)done;
}

long sys_dup(int fd)
{
    struct file *f = fd_file(fd);
    int copy = f ? fd_install(f, 0, 0) : -EBADF;

    if (copy >= 0)
        file_get(f);
    return copy;
}

long sys_dup3(int from, int to, int flags)
{
    struct file *f = fd_file(from);

    if (from == to || (flags & ~O_CLOEXEC))
        return -EINVAL;
    if (!f || to < 0 || to >= MAX_FILES)
        return -EBADF;
    file_get(f); /* before the close, which may be of the same file */
    fds_close(&current->proc->fds, 1ul << to);
    return fd_install(f, to, flags);
}

long sys_ioctl(int fd, uint32_t cmd, uint64_t arg)
{
    struct file *f = fd_file(fd);

    if (!f)
        return -EBADF;
    return f->ops->ioctl ? f->ops->ioctl(f, cmd, arg) : -ENOTTY;
}
