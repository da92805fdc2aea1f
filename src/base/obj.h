/* SPDX-License-Identifier: MIT */
/*
 * What maps, programs and links have in common: a reference count, an id that user mode can see,
 * and the way they go: last put -> id gone -> grace period -> destroy(). A weak holder (a map in a
 * kernel's file) always has a reference.
 *
 * References are of two kinds. Users (fds, the kernel, a loaded object, a link) get and put;
 * objects that refer to each other in circles (a program to its maps, a map to programs) hold and
 * drop. When the last user has gone, unused() lets the object break its circle; all references
 * count for its life.
 */
#ifndef EBPF_BASE_OBJ_H
#define EBPF_BASE_OBJ_H

#include <ebpf/os.h>

#include "src/base/hash.h"

enum ebpf_obj_type {
    EBPF_OBJ_MAP,
    EBPF_OBJ_PROG,
    EBPF_OBJ_LINK,
    EBPF_OBJ_BTF,
    EBPF_OBJ_PERF_EVENT, /* its id is seen in PERF_RECORD_LOST only */
    EBPF_OBJ_TYPES
};

/* What poll(2) and mmap(2) find: contracts of ebpf_obj_poll(), ebpf_obj_mmap() in <ebpf/os.h>. */
#define EBPF_PAGE 4096u
#define EBPF_POLLIN (0x1u | 0x40u)   /* POLLIN, POLLRDNORM */
#define EBPF_POLLOUT (0x4u | 0x100u) /* POLLOUT, POLLWRNORM */
#define EBPF_POLLERR 0x8u
#define EBPF_POLLHUP 0x10u

struct ebpf_obj_file {
    uint32_t (*poll)(struct ebpf_obj *obj);
    /* May it be mapped? What must be undone at the mapping's end is counted from here on. T */
    int (*mmap)(struct ebpf_obj *obj, uint64_t offset, size_t size, bool write);
    /* The 4096 bytes at an offset that mmap() has let pass. A */
    void *(*page)(struct ebpf_obj *obj, uint64_t offset);
    void (*unmap)(struct ebpf_obj *obj, bool write); /* T */
};

struct ebpf_obj {
    enum ebpf_obj_type type;
    uint32_t refs; /* of both kinds */
    uint32_t users;
    uint32_t id;                        /* unique within its type, never 0 once published */
    void (*destroy)(struct ebpf_obj *); /* T: frees the object that contains this */
    /* T: the last user has put its reference; NULL: nothing to do */
    void (*unused)(struct ebpf_obj *);
    const struct ebpf_obj_file *file; /* NULL: nothing to poll or to map */
    struct ebpf_obj *next_dead;       /* in the list of those without references */
    UT_hash_handle hh; /* in the id index of its type */
};

/* Gives obj, whose unused and file are set already (others may find it at once), an id and one
 * reference. T. 0 or -ENOMEM (nothing to undo then; destroy is not called). */
int ebpf_obj_init(struct ebpf_obj *obj, enum ebpf_obj_type type,
                  void (*destroy)(struct ebpf_obj *));

/* References that are not users'; drop as ebpf_obj_put(). get/put: <ebpf/os.h>. */
void ebpf_obj_hold(struct ebpf_obj *obj); /* A */
void ebpf_obj_drop(struct ebpf_obj *obj); /* T */

/* One more reference of that kind, if there is still one; false: the object is going. A */
bool ebpf_obj_hold_live(struct ebpf_obj *obj);
/* As drop, but the object goes, where that was the last reference, with the next ebpf_obj_reap():
 * each command of bpf(2), ebpf_obj_put() and ebpf_refill() do that. A */
void ebpf_obj_drop_later(struct ebpf_obj *obj);
void ebpf_obj_reap(void); /* T */

/* The object behind an fd with a reference added, if it is of that type. T. -EBADF: not open or not
 * an object of the library; -EINVAL: of another type (Linux's distinction). */
int ebpf_obj_from_fd(int fd, enum ebpf_obj_type type, struct ebpf_obj **out);

/* The smallest id above after; -ENOENT: none. T */
int ebpf_obj_next_id(enum ebpf_obj_type type, uint32_t after, uint32_t *id);

/* The object of that id with a reference added; -ENOENT. T */
int ebpf_obj_by_id(enum ebpf_obj_type type, uint32_t id, struct ebpf_obj **out);

/* How many objects exist. T. */
uint32_t ebpf_obj_count(void);

#endif /* EBPF_BASE_OBJ_H */
