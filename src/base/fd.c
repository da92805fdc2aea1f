/* SPDX-License-Identifier: MIT */
/*
 * The library's own file descriptors, for kernels without the fd hooks: a number belongs to the
 * process that made it. Context T; the mutex guards the table. Objects are put after it is
 * released, since the last put waits.
 */
#include "src/base/fd.h"

#include <ebpf/config.h>
#include <ebpf/errno.h>

#include "src/base/hash.h"
#include "src/base/lock.h"
#include "src/base/obj.h"

struct entry {
    int fd;
    uint32_t tgid;
    struct ebpf_obj *obj; /* one reference */
    UT_hash_handle hh;
};

static struct ebpf_mutex mutex;
static struct entry *table;

static uint32_t current_tgid(void)
{
    struct ebpf_task task = {0};

    ebpf_os_current(&task);
    return task.tgid;
}

static struct entry *find(int fd)
{
    struct entry *entry;

    HASH_FIND_INT(table, &fd, entry);
    return entry;
}

/* The lowest free number, as POSIX has it; -EMFILE when all are taken. */
static int lowest_free(void)
{
    for (int fd = EBPF_CONFIG_FD_BASE; fd < EBPF_CONFIG_FD_BASE + EBPF_CONFIG_MAX_FDS; fd++) {
        if (!find(fd))
            return fd;
    }
    return -EMFILE;
}

int ebpf_fd_install(struct ebpf_obj *obj)
{
    struct entry *entry = ebpf_zalloc(sizeof(*entry));
    int fd;

    if (!entry)
        return -ENOMEM;
    entry->tgid = current_tgid();
    entry->obj = obj;
    ebpf_mutex_lock(&mutex);
    fd = lowest_free();
    if (fd >= 0) {
        entry->fd = fd;
        HASH_ADD_INT(table, fd, entry);
        if (ebpf_hash_failed(&entry->hh))
            fd = -ENOMEM;
    }
    ebpf_mutex_unlock(&mutex);
    if (fd < 0)
        ebpf_free(entry, sizeof(*entry));
    return fd;
}

int ebpf_fd_get(int fd, struct ebpf_obj **obj)
{
    struct entry *entry;
    int err = -EBADF;

    ebpf_mutex_lock(&mutex);
    entry = find(fd);
    if (entry && entry->tgid == current_tgid()) {
        *obj = entry->obj;
        ebpf_obj_get(*obj);
        err = 0;
    }
    ebpf_mutex_unlock(&mutex);
    return err;
}

static void destroy(struct entry *entry)
{
    ebpf_obj_put(entry->obj);
    ebpf_free(entry, sizeof(*entry));
}

int ebpf_fd_close(int fd)
{
    struct entry *entry;

    ebpf_mutex_lock(&mutex);
    entry = find(fd);
    if (entry && entry->tgid != current_tgid())
        entry = NULL;
    if (entry)
        HASH_DEL(table, entry);
    ebpf_mutex_unlock(&mutex);
    if (!entry)
        return -EBADF;
    destroy(entry);
    return 0;
}

/* Takes one entry of the process out of the table; NULL: none is left. */
static struct entry *take_one(uint32_t tgid)
{
    struct entry *entry, *next, *found = NULL;

    ebpf_mutex_lock(&mutex);
    HASH_ITER (hh, table, entry, next) {
        if (entry->tgid == tgid) {
            HASH_DEL(table, entry);
            found = entry;
            break;
        }
    }
    ebpf_mutex_unlock(&mutex);
    return found;
}

void ebpf_fd_exit(uint32_t tgid)
{
    struct entry *entry;

    while ((entry = take_one(tgid)))
        destroy(entry);
}
