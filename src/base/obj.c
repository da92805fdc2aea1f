/* SPDX-License-Identifier: MIT */
/* Reference counts and ids of maps, programs and links. The mutex guards the id indexes only. */
#include "src/base/obj.h"

#include <ebpf/errno.h>
#include <ebpf/os.h>

#include "src/base/epoch.h"
#include "src/base/lock.h"

static struct ebpf_mutex mutex;
static struct ebpf_obj *by_id[EBPF_OBJ_TYPES];
static uint32_t last_id[EBPF_OBJ_TYPES];
static struct ebpf_obj *dead; /* without references, until the next ebpf_obj_reap() */

static struct ebpf_obj *find(enum ebpf_obj_type type, uint32_t id)
{
    struct ebpf_obj *obj;

    HASH_FIND(hh, by_id[type], &id, sizeof(id), obj);
    return obj;
}

/* Ids count up, as on Linux; after 2^31 they start again and skip what is taken. */
static uint32_t next_id(enum ebpf_obj_type type)
{
    do {
        last_id[type] = last_id[type] >= INT32_MAX ? 1 : last_id[type] + 1;
    } while (find(type, last_id[type]));
    return last_id[type];
}

int ebpf_obj_init(struct ebpf_obj *obj, enum ebpf_obj_type type, void (*destroy)(struct ebpf_obj *))
{
    int err;

    obj->type = type;
    obj->refs = obj->users = 1;
    obj->destroy = destroy;
    ebpf_mutex_lock(&mutex);
    obj->id = next_id(type);
    HASH_ADD(hh, by_id[type], id, sizeof(obj->id), obj);
    err = ebpf_hash_failed(&obj->hh) ? -ENOMEM : 0;
    ebpf_mutex_unlock(&mutex);
    return err;
}

void ebpf_obj_hold(struct ebpf_obj *obj)
{
    __atomic_fetch_add(&obj->refs, 1, __ATOMIC_RELAXED);
}

/* One more reference, if there is still one: what has none is on its way out of the index. */
bool ebpf_obj_hold_live(struct ebpf_obj *obj)
{
    uint32_t refs = __atomic_load_n(&obj->refs, __ATOMIC_RELAXED);

    do {
        if (!refs)
            return false;
    } while (!__atomic_compare_exchange_n(&obj->refs, &refs, refs + 1, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return true;
}

static bool is_last(struct ebpf_obj *obj)
{
    return __atomic_fetch_sub(&obj->refs, 1, __ATOMIC_ACQ_REL) == 1;
}

static void bury(struct ebpf_obj *obj)
{
    ebpf_mutex_lock(&mutex);
    HASH_DELETE(hh, by_id[obj->type], obj);
    ebpf_mutex_unlock(&mutex);
    ebpf_epoch_synchronize();
    obj->destroy(obj);
}

void ebpf_obj_drop(struct ebpf_obj *obj)
{
    if (is_last(obj))
        bury(obj);
}

void ebpf_obj_drop_later(struct ebpf_obj *obj)
{
    if (!is_last(obj))
        return;
    obj->next_dead = __atomic_load_n(&dead, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&dead, &obj->next_dead, obj, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED)) {
    }
}

void ebpf_obj_reap(void)
{
    struct ebpf_obj *obj;

    if (!__atomic_load_n(&dead, __ATOMIC_RELAXED))
        return;
    obj = __atomic_exchange_n(&dead, NULL, __ATOMIC_ACQUIRE);
    while (obj) {
        struct ebpf_obj *next = obj->next_dead;

        bury(obj);
        obj = next;
    }
}

void ebpf_obj_get(struct ebpf_obj *obj)
{
    __atomic_fetch_add(&obj->users, 1, __ATOMIC_RELAXED);
    ebpf_obj_hold(obj);
}

void ebpf_obj_put(struct ebpf_obj *obj)
{
    if (__atomic_fetch_sub(&obj->users, 1, __ATOMIC_ACQ_REL) == 1 && obj->unused)
        obj->unused(obj);
    ebpf_obj_drop(obj);
    ebpf_obj_reap();
}

const char *ebpf_obj_kind(const struct ebpf_obj *obj)
{
    static const char *const kinds[EBPF_OBJ_TYPES] = {
        [EBPF_OBJ_MAP] = "bpf-map",
        [EBPF_OBJ_PROG] = "bpf-prog",
        [EBPF_OBJ_LINK] = "bpf-link",
        [EBPF_OBJ_BTF] = "btf",
        [EBPF_OBJ_PERF_EVENT] = "[perf_event]",
    };

    return kinds[obj->type];
}

int ebpf_obj_from_fd(int fd, enum ebpf_obj_type type, struct ebpf_obj **out)
{
    struct ebpf_obj *obj;
    int err = fd < 0 ? -EBADF : ebpf_os_fd_get(fd, &obj);

    if (err)
        return err;
    if (obj->type != type) {
        ebpf_obj_put(obj);
        return -EINVAL;
    }
    *out = obj;
    return 0;
}

int ebpf_obj_next_id(enum ebpf_obj_type type, uint32_t after, uint32_t *id)
{
    uint32_t best = UINT32_MAX;

    ebpf_mutex_lock(&mutex);
    for (const struct ebpf_obj *obj = by_id[type]; obj; obj = obj->hh.next) {
        if (obj->id > after && obj->id < best)
            best = obj->id;
    }
    ebpf_mutex_unlock(&mutex);
    if (best == UINT32_MAX)
        return -ENOENT;
    *id = best;
    return 0;
}

static bool get_live(struct ebpf_obj *obj)
{
    bool live = ebpf_obj_hold_live(obj);

    if (live)
        __atomic_fetch_add(&obj->users, 1, __ATOMIC_RELAXED);
    return live;
}

int ebpf_obj_by_id(enum ebpf_obj_type type, uint32_t id, struct ebpf_obj **out)
{
    struct ebpf_obj *obj;
    int err;

    ebpf_mutex_lock(&mutex);
    obj = find(type, id);
    err = obj && get_live(obj) ? 0 : -ENOENT;
    ebpf_mutex_unlock(&mutex);
    if (!err)
        *out = obj;
    return err;
}

/* ---- poll, mmap ---------------------------------------------------------------------------- */

uint32_t ebpf_obj_poll(struct ebpf_obj *obj)
{
    return obj->file ? obj->file->poll(obj) : EBPF_POLLERR;
}

int ebpf_obj_mmap(struct ebpf_obj *obj, uint64_t offset, size_t size, bool write,
                  struct ebpf_mmap *out)
{
    int err;

    if (!obj->file)
        return -ENOTSUPP;
    if (!size || (offset | size) % EBPF_PAGE || offset + size < offset)
        return -EINVAL;
    err = obj->file->mmap(obj, offset, size, write);
    if (err)
        return err;
    ebpf_obj_get(obj);
    *out = (struct ebpf_mmap){.obj = obj, .offset = offset, .size = size, .write = write};
    return 0;
}

void *ebpf_mmap_page(const struct ebpf_mmap *mapping, size_t n)
{
    return mapping->obj->file->page(mapping->obj, mapping->offset + (uint64_t)n * EBPF_PAGE);
}

void ebpf_mmap_close(struct ebpf_mmap *mapping)
{
    mapping->obj->file->unmap(mapping->obj, mapping->write);
    ebpf_obj_put(mapping->obj);
}

/* ---- counting ------------------------------------------------------------------------------ */

uint32_t ebpf_obj_count(void)
{
    uint32_t count = 0;

    ebpf_obj_reap();
    ebpf_mutex_lock(&mutex);
    for (unsigned i = 0; i < EBPF_OBJ_TYPES; i++)
        count += HASH_COUNT(by_id[i]);
    ebpf_mutex_unlock(&mutex);
    return count;
}
