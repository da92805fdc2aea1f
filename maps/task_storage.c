/* SPDX-License-Identifier: MIT */
/*
 * BPF_MAP_TYPE_TASK_STORAGE: a hash from tasks to values that grows with the tasks that use it.
 *
 * Programs take elements from a queue that task context fills: at creation, by every command on the
 * map, by ebpf_refill(). Elements are never given back before the map goes; those of tasks that
 * have ended are used again, so memory follows the most tasks there ever were. Elements that a
 * program deletes go to the queue's end, like a hash's: its value is reused as late as possible.
 * Task context waits for a grace period first.
 *
 * A bucket's lock guards its chain, the queue's lock the queue; they are held with interrupts off,
 * the second inside the first. The mutex (T) guards the list of all such maps, for the ends of
 * tasks.
 */
#include "maps/task_storage.h"

#include "maps/fields.h"
#include "maps/keyless.h"
#include "maps/mix.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/base/epoch.h"
#include "src/base/lock.h"

#define BUCKETS 256u
#define RESERVE ((uint32_t)EBPF_CONFIG_TASK_RESERVE)
#define MAX_VALUE 65407u /* Linux: BPF_LOCAL_STORAGE_MAX_VALUE_SIZE on 64-bit machines */

struct element {
    struct element *next; /* in a chain or in the queue */
    uintptr_t task;
    uint8_t value[];
};

struct chunk {
    struct chunk *next;
    size_t bytes;
};

struct bucket {
    struct ebpf_lock lock;
    struct element *first;
};

struct storage {
    struct ebpf_map map; /* first */
    size_t element_size;
    struct chunk *chunks; /* T, under growing */
    struct ebpf_mutex growing;
    struct ebpf_lock lock; /* of the queue */
    struct element *head, *tail;
    uint32_t queued;
    struct storage *next, **link; /* in the list of all */
    struct element *leaving;      /* of the task that is ending */
    struct bucket buckets[BUCKETS];
};

static struct ebpf_mutex mutex;
static struct storage *all;

static struct storage *of(struct ebpf_map *map)
{
    return (struct storage *)map;
}

/* ---- the queue ----------------------------------------------------------------------------- */

/* refill() looks without the lock. */
static void count(struct storage *st, int by)
{
    __atomic_store_n(&st->queued, st->queued + (uint32_t)by, __ATOMIC_RELAXED);
}

static struct element *take(struct storage *st)
{
    unsigned long irq = ebpf_lock(&st->lock);
    struct element *e = st->head;

    if (e) {
        st->head = e->next;
        count(st, -1);
    }
    ebpf_unlock(&st->lock, irq);
    return e;
}

static void give(struct storage *st, struct element *e)
{
    unsigned long irq = ebpf_lock(&st->lock);

    e->next = NULL;
    if (st->head)
        st->tail->next = e;
    else
        st->head = e;
    st->tail = e;
    count(st, 1);
    ebpf_unlock(&st->lock, irq);
}

static int grow(struct storage *st)
{
    size_t bytes = sizeof(struct chunk) + RESERVE * st->element_size;
    struct chunk *chunk = ebpf_alloc(bytes);

    if (!chunk)
        return -ENOMEM;
    chunk->bytes = bytes;
    chunk->next = st->chunks;
    st->chunks = chunk;
    for (uint32_t i = 0; i < RESERVE; i++)
        give(st, (struct element *)(void *)((uint8_t *)(chunk + 1) + i * st->element_size));
    return 0;
}

/* At least RESERVE elements are laid by, if there is memory. T */
static int refill(struct storage *st)
{
    int err = 0;

    ebpf_mutex_lock(&st->growing);
    while (!err && __atomic_load_n(&st->queued, __ATOMIC_RELAXED) < RESERVE)
        err = grow(st);
    ebpf_mutex_unlock(&st->growing);
    return err;
}

void ebpf_refill(void)
{
    ebpf_mutex_lock(&mutex);
    for (struct storage *st = all; st; st = st->next)
        (void)refill(st); /* -ENOMEM: programs that need more find out */
    ebpf_mutex_unlock(&mutex);
    ebpf_obj_reap();
}

/* ---- chains -------------------------------------------------------------------------------- */

static struct bucket *bucket_of(struct storage *st, uintptr_t task)
{
    return &st->buckets[ebpf_fold_multiply(task ^ EBPF_MIX_2, EBPF_MIX_1) % BUCKETS];
}

/* Under the bucket's lock: the link that leads to the task's element, or that ends the chain. */
static struct element **find_link(struct bucket *bucket, uintptr_t task)
{
    struct element **link = &bucket->first;

    while (*link && (*link)->task != task)
        link = &(*link)->next;
    return link;
}

static struct element *find(struct storage *st, uintptr_t task)
{
    struct bucket *bucket = bucket_of(st, task);
    unsigned long irq = ebpf_lock(&bucket->lock);
    struct element *e = *find_link(bucket, task);

    ebpf_unlock(&bucket->lock, irq);
    return e;
}

static struct element *unlink_task(struct storage *st, uintptr_t task)
{
    struct bucket *bucket = bucket_of(st, task);
    unsigned long irq = ebpf_lock(&bucket->lock);
    struct element **link = find_link(bucket, task), *e = *link;

    if (e)
        *link = e->next;
    ebpf_unlock(&bucket->lock, irq);
    return e;
}

/* Puts a filled element in, by Linux's flags. *old: the one whose place it took. If err, the
 * element is still the caller's. */
static int link_element(struct storage *st, struct element *e, uint64_t flags, struct element **old)
{
    struct bucket *bucket = bucket_of(st, e->task);
    unsigned long irq = ebpf_lock(&bucket->lock);
    struct element **link = find_link(bucket, e->task);
    int err = 0;

    *old = *link;
    if (*old && flags == BPF_NOEXIST)
        err = -EEXIST;
    else if (!*old && flags == BPF_EXIST)
        err = -ENOENT;
    if (!err) {
        e->next = *old ? (*old)->next : NULL;
        *link = e;
    }
    ebpf_unlock(&bucket->lock, irq);
    return err;
}

static void fill(const struct storage *st, struct element *e, uintptr_t task, const void *value)
{
    e->task = task;
    memset(e->value, 0, st->map.value_stride);
    if (value)
        ebpf_fields_copy_in(&st->map, e->value, value);
}

/* ---- for programs -------------------------------------------------------------------------- */

void *ebpf_task_storage_get(struct ebpf_map *map, uintptr_t task, const void *value, uint64_t flags)
{
    struct element *e, *old;

    if (map->type != BPF_MAP_TYPE_TASK_STORAGE || !task ||
        flags & ~(uint64_t)BPF_LOCAL_STORAGE_GET_F_CREATE)
        return NULL;
    e = find(of(map), task);
    if (e || !(flags & BPF_LOCAL_STORAGE_GET_F_CREATE))
        return e ? e->value : NULL;
    e = take(of(map));
    if (!e)
        return NULL;
    fill(of(map), e, task, value);
    if (!link_element(of(map), e, BPF_NOEXIST, &old))
        return e->value;
    give(of(map), e); /* another hart was first */
    return old->value;
}

int ebpf_task_storage_delete(struct ebpf_map *map, uintptr_t task)
{
    struct element *e;

    if (map->type != BPF_MAP_TYPE_TASK_STORAGE || !task)
        return -EINVAL;
    e = unlink_task(of(map), task);
    if (!e)
        return -ENOENT;
    give(of(map), e);
    return 0;
}

/* ---- for user mode, whose keys are pidfds ---------------------------------------------------- */

static int get_task(const void *key, uintptr_t *task)
{
    int32_t pidfd;

    memcpy(&pidfd, key, sizeof(pidfd));
    return ebpf_os_task_get(pidfd, task);
}

/* Under the bucket's lock, so that no program deletes the element and another task gets it. */
static int copy_value(struct ebpf_map *map, uintptr_t task, void *value, bool lock)
{
    struct bucket *bucket = bucket_of(of(map), task);
    unsigned long irq = ebpf_lock(&bucket->lock);
    struct element *e = *find_link(bucket, task);

    if (e)
        ebpf_fields_copy_out(map, value, e->value, lock);
    ebpf_unlock(&bucket->lock, irq);
    return e ? 0 : -ENOENT;
}

static int lookup_by(struct ebpf_map *map, const void *key, void *value, bool lock)
{
    uintptr_t task;
    int err = get_task(key, &task);

    if (err)
        return err;
    err = copy_value(map, task, value, lock);
    ebpf_os_task_put(task);
    return err;
}

static int lookup(struct ebpf_map *map, const void *key, void *value)
{
    return lookup_by(map, key, value, false);
}

static int lookup_locked(struct ebpf_map *map, const void *key, void *value)
{
    return lookup_by(map, key, value, true);
}

/* An element that programs may still hold. */
static void retire(struct storage *st, struct element *e)
{
    ebpf_epoch_synchronize();
    give(st, e);
}

/* BPF_F_LOCK: in place, if the task has a value. 1: it has not */
static int update_locked(struct ebpf_map *map, uintptr_t task, const void *value, uint64_t flags)
{
    struct bucket *bucket = bucket_of(of(map), task);
    unsigned long irq = ebpf_lock(&bucket->lock);
    struct element *e = *find_link(bucket, task);
    int err = e ? 0 : 1;

    if (e && flags & BPF_NOEXIST)
        err = -EEXIST;
    else if (e)
        ebpf_fields_copy_locked(map, e->value, value);
    ebpf_unlock(&bucket->lock, irq);
    return err;
}

static int update_task(struct ebpf_map *map, uintptr_t task, const void *value, uint64_t flags)
{
    struct element *e, *old = NULL;
    int err;

    if (flags & BPF_F_LOCK) {
        err = update_locked(map, task, value, flags);
        if (err <= 0)
            return err;
    }
    e = take(of(map));
    if (!e)
        return -ENOMEM;
    fill(of(map), e, task, value);
    err = link_element(of(map), e, flags & ~(uint64_t)BPF_F_LOCK, &old);
    if (err)
        give(of(map), e);
    else if (old)
        retire(of(map), old);
    return err;
}

static int update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags)
{
    uintptr_t task;
    int err = get_task(key, &task);

    if (err)
        return err;
    (void)refill(of(map));
    if ((flags & ~(uint64_t)BPF_F_LOCK) > BPF_EXIST)
        err = -EINVAL;
    if (!err)
        err = update_task(map, task, value, flags);
    ebpf_os_task_put(task);
    return err;
}

static int remove_key(struct ebpf_map *map, const void *key)
{
    struct element *e;
    uintptr_t task;
    int err = get_task(key, &task);

    if (err)
        return err;
    e = unlink_task(of(map), task);
    ebpf_os_task_put(task);
    if (!e)
        return -ENOENT;
    retire(of(map), e);
    return 0;
}

/* ---- the end of a task ----------------------------------------------------------------------- */

void ebpf_task_exit(uintptr_t task)
{
    bool any = false;

    ebpf_mutex_lock(&mutex);
    for (struct storage *st = all; st; st = st->next) {
        st->leaving = unlink_task(st, task);
        any |= st->leaving != NULL;
    }
    if (any)
        ebpf_epoch_synchronize();
    for (struct storage *st = all; any && st; st = st->next) {
        if (st->leaving)
            give(st, st->leaving);
    }
    ebpf_mutex_unlock(&mutex);
}

/* ---- the type ------------------------------------------------------------------------------ */

static int storage_check(const struct ebpf_map_spec *spec)
{
    if (!(spec->flags & BPF_F_NO_PREALLOC) || spec->max_entries ||
        spec->key_size != sizeof(int32_t) || !spec->value_size)
        return -EINVAL;
    return spec->value_size > MAX_VALUE ? -E2BIG : 0;
}

static void free_chunks(struct storage *st)
{
    while (st->chunks) {
        struct chunk *chunk = st->chunks;

        st->chunks = chunk->next;
        ebpf_free(chunk, chunk->bytes);
    }
}

static int storage_alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out)
{
    struct storage *st = ebpf_zalloc(sizeof(*st));

    if (!st)
        return -ENOMEM;
    st->element_size = sizeof(struct element) + EBPF_ROUND_UP((size_t)spec->value_size, 8);
    if (grow(st)) {
        ebpf_free(st, sizeof(*st));
        return -ENOMEM;
    }
    ebpf_mutex_lock(&mutex);
    st->next = all;
    st->link = &all;
    if (all)
        all->link = &st->next;
    all = st;
    ebpf_mutex_unlock(&mutex);
    *out = &st->map;
    return 0;
}

static void storage_free(struct ebpf_map *map)
{
    struct storage *st = of(map);

    ebpf_mutex_lock(&mutex);
    *st->link = st->next;
    if (st->next)
        st->next->link = st->link;
    ebpf_mutex_unlock(&mutex);
    free_chunks(st);
    ebpf_free(st, sizeof(*st));
}

static const struct ebpf_map_object_ops object_ops = {
    .lookup = lookup,
    .lookup_locked = lookup_locked,
    .update = update,
    .remove = remove_key,
};

const struct ebpf_map_ops ebpf_map_task_storage_ops = {
    .name = "task_storage",
    .flags = BPF_F_NO_PREALLOC | BPF_F_CLONE,
    .inner = true,
    .check = storage_check,
    .alloc = storage_alloc,
    .free = storage_free,
    .lookup = ebpf_no_lookup,
    .update = ebpf_no_update,
    .remove = ebpf_unsupported_remove,
    .next_key = ebpf_unsupported_copy,
    .objects = &object_ops,
    .own_helpers = true,
};
