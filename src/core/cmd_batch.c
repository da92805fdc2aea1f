/* SPDX-License-Identifier: MIT */
/*
 * bpf(2): the batch commands. How many elements were done goes to batch.count in every case but
 * -EFAULT and -EINVAL. in_batch and out_batch say where a lookup goes on: for hashes a 32-bit
 * bucket number, whole buckets at a time, for all other types a key, as on Linux.
 */
#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/core/access.h"

#define FIRST_ROOM 4u /* elements of a bucket; more room is made when one has more */

/* A batch on its way: the command, its map, how many are done. */
struct batch {
    const struct ebpf_cmd *cmd;
    struct ebpf_access access;
    uint32_t max, done;
};

static int begin(struct batch *b, const struct ebpf_cmd *cmd, unsigned what)
{
    b->cmd = cmd;
    b->done = 0;
    b->max = cmd->attr->batch.count;
    return ebpf_access_init(&b->access, cmd->attr->batch.map_fd, what);
}

/* 1: nothing to do. */
static int check(struct batch *b)
{
    uint64_t flags = b->cmd->attr->batch.elem_flags;

    if (flags & ~(uint64_t)BPF_F_LOCK || ebpf_access_lock(&b->access, flags))
        return -EINVAL;
    if (!b->max)
        return 1;
    b->cmd->attr->batch.count = 0;
    return EBPF_CMD_GIVE(b->cmd, batch.count);
}

static int give_count(struct batch *b, int err)
{
    int give_err;

    if (err == -EFAULT)
        return err;
    b->cmd->attr->batch.count = b->done;
    give_err = EBPF_CMD_GIVE(b->cmd, batch.count);
    return give_err ? give_err : err;
}

static long finish(struct batch *b, int err)
{
    ebpf_access_fini(&b->access);
    return err > 0 ? 0 : err;
}

static uint64_t key_addr(const struct batch *b)
{
    return b->cmd->attr->batch.keys + (uint64_t)b->done * b->access.map->key_size;
}

static uint64_t value_addr(const struct batch *b)
{
    return b->cmd->attr->batch.values + (uint64_t)b->done * b->access.value_size;
}

/* ---- update, delete ------------------------------------------------------------------------ */

static int update_all(struct batch *b)
{
    const struct ebpf_access *a = &b->access;
    int err = 0;

    for (; !err && b->done < b->max; b->done += !err) {
        err = ebpf_access_key(a, b->cmd, key_addr(b));
        if (!err)
            err = ebpf_copy_in(b->cmd->caller, a->value, value_addr(b), a->value_size);
        if (!err)
            err = ebpf_map_update(a->map, a->key, a->value, b->cmd->attr->batch.elem_flags);
    }
    return err;
}

static int delete_all(struct batch *b)
{
    int err = 0;

    for (; !err && b->done < b->max; b->done += !err) {
        err = ebpf_access_key(&b->access, b->cmd, key_addr(b));
        if (!err)
            err = ebpf_map_delete(b->access.map, b->access.key);
    }
    return err;
}

long ebpf_cmd_map_update_batch(const struct ebpf_cmd *cmd)
{
    struct batch b;
    int err = begin(&b, cmd, EBPF_ACCESS_WRITE);

    if (err)
        return err;
    err = b.access.map->ops->batches & EBPF_BATCH_UPDATE ? check(&b) : -ENOTSUPP;
    if (!err)
        err = give_count(&b, update_all(&b));
    return finish(&b, err);
}

long ebpf_cmd_map_delete_batch(const struct ebpf_cmd *cmd)
{
    struct batch b;
    int err = begin(&b, cmd, EBPF_ACCESS_WRITE);

    if (err)
        return err;
    err = b.access.map->ops->batches & EBPF_BATCH_DELETE ? check(&b) : -ENOTSUPP;
    if (!err)
        err = give_count(&b, delete_all(&b));
    return finish(&b, err);
}

/* ---- lookup by key ------------------------------------------------------------------------- */

static int give_element(struct batch *b, const uint8_t *key, const uint8_t *value)
{
    const struct ebpf_caller *caller = b->cmd->caller;
    int err = ebpf_copy_out(caller, key_addr(b), key, b->access.map->key_size);

    if (!err)
        err = ebpf_copy_out(caller, value_addr(b), value, b->access.value_size);
    b->done += !err;
    return err;
}

/* last: the key behind which it begins, where have_last; then that of the last element given. */
static int lookup_keys(struct batch *b, uint8_t *last, bool have_last)
{
    const struct ebpf_access *a = &b->access;
    int err = 0;

    while (!err && b->done < b->max) {
        err = ebpf_map_next_key(a->map, have_last ? last : NULL, a->key);
        if (err)
            break;
        err = ebpf_map_lookup_flags(a->map, a->key, a->value, b->cmd->attr->batch.elem_flags);
        if (!err)
            err = give_element(b, a->key, a->value);
        else if (err == -ENOENT) /* gone meanwhile, or empty */
            err = 0;
        memcpy(last, a->key, a->map->key_size);
        have_last = true;
    }
    return err;
}

static int lookup_by_key(struct batch *b)
{
    const union bpf_attr *attr = b->cmd->attr;
    uint32_t size = b->access.map->key_size;
    uint8_t *last = ebpf_alloc(size);
    int err = 0;

    if (!last)
        return -ENOMEM;
    if (attr->batch.in_batch)
        err = ebpf_copy_in(b->cmd->caller, last, attr->batch.in_batch, size);
    if (!err)
        err = lookup_keys(b, last, attr->batch.in_batch != 0);
    if (err != -EFAULT && b->done &&
        ebpf_copy_out(b->cmd->caller, attr->batch.out_batch, last, size))
        err = -EFAULT;
    ebpf_free(last, size);
    return give_count(b, err);
}

/* ---- lookup by bucket ---------------------------------------------------------------------- */

static size_t bucket_bytes(const struct batch *b, uint32_t room)
{
    return (size_t)room * (b->access.map->key_size + b->access.value_size);
}

static void bucket_fini(const struct batch *b, struct ebpf_bucket *bucket)
{
    ebpf_free(bucket->keys, bucket_bytes(b, bucket->room));
}

static int bucket_init(const struct batch *b, struct ebpf_bucket *bucket, uint32_t room)
{
    bucket->room = room;
    bucket->lock = (b->cmd->attr->batch.elem_flags & BPF_F_LOCK) != 0;
    bucket->keys = ebpf_alloc(bucket_bytes(b, room));
    if (!bucket->keys)
        return -ENOMEM;
    bucket->values = bucket->keys + (size_t)room * b->access.map->key_size;
    return 0;
}

/* Copies bucket number i, making room for it; -ENOSPC: more elements than the caller has room for.
 * With take, nothing is taken that the caller could not get. */
static int fetch(const struct batch *b, uint32_t i, bool take, struct ebpf_bucket *bucket)
{
    uint32_t left = b->max - b->done;
    int err;

    for (;;) {
        uint32_t room = bucket->room;

        bucket->room = (uint32_t)ebpf_min(room, left);
        err = ebpf_map_bucket_copy(b->access.map, i, take, bucket);
        bucket->room = room;
        if (err != -ENOSPC || bucket->count > left)
            return err;
        bucket_fini(b, bucket);
        err = bucket_init(b, bucket, bucket->count);
        if (err)
            return err;
    }
}

static int give_bucket(struct batch *b, const struct ebpf_bucket *bucket)
{
    int err = 0;

    for (uint32_t i = 0; !err && i < bucket->count; i++)
        err = give_element(b, bucket->keys + (size_t)i * b->access.map->key_size,
                           bucket->values + (size_t)i * b->access.value_size);
    return err;
}

static int lookup_buckets(struct batch *b, uint32_t *at, bool take)
{
    struct ebpf_bucket bucket;
    int err = bucket_init(b, &bucket, FIRST_ROOM);

    while (!err && b->done < b->max) {
        err = fetch(b, *at, take, &bucket);
        if (!err)
            err = give_bucket(b, &bucket);
        *at += !err;
    }
    if (err == -ENOSPC && b->done) /* the next call begins with that bucket */
        err = 0;
    bucket_fini(b, &bucket);
    return err;
}

static int lookup_by_bucket(struct batch *b, bool take)
{
    const union bpf_attr *attr = b->cmd->attr;
    uint32_t at = 0;
    int err = 0;

    if (attr->batch.in_batch)
        err = ebpf_copy_in(b->cmd->caller, &at, attr->batch.in_batch, sizeof(at));
    if (!err)
        err = lookup_buckets(b, &at, take);
    if (err == -EFAULT || err == -ENOMEM)
        return err;
    if (ebpf_copy_out(b->cmd->caller, attr->batch.out_batch, &at, sizeof(at)))
        return -EFAULT;
    return give_count(b, err);
}

static long lookup(const struct ebpf_cmd *cmd, bool take)
{
    struct batch b;
    const struct ebpf_map_ops *ops;
    int err = begin(&b, cmd, EBPF_ACCESS_READ | (take ? EBPF_ACCESS_WRITE : 0));

    if (err)
        return err;
    ops = b.access.map->ops;
    if (!ops->bucket_copy && (take || !(ops->batches & EBPF_BATCH_LOOKUP)))
        err = -ENOTSUPP;
    else if (ops->bucket_copy && cmd->attr->batch.flags)
        err = -EINVAL;
    if (!err)
        err = check(&b);
    if (!err)
        err = ops->bucket_copy ? lookup_by_bucket(&b, take) : lookup_by_key(&b);
    return finish(&b, err);
}

long ebpf_cmd_map_lookup_batch(const struct ebpf_cmd *cmd)
{
    return lookup(cmd, false);
}

long ebpf_cmd_map_lookup_and_delete_batch(const struct ebpf_cmd *cmd)
{
    return lookup(cmd, true);
}
