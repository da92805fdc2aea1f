/* SPDX-License-Identifier: MIT */
/*
 * BPF_MAP_TYPE_HASH_OF_MAPS: a hash whose elements hold the addresses of maps. Programs only look
 * them up; user mode writes fds and reads ids.
 */
#include "maps/hash_inline.h"

#include "maps/map_in_map.h"
#include "maps/object_array.h"
#include "maps/section.h"
#include "src/base/alloc.h"

/* ---- creation ------------------------------------------------------------------------------ */

static int hash_check(const struct ebpf_map_spec *spec)
{
    return spec->value_size == sizeof(uint32_t) ? ebpf_hash_check(spec) : -EINVAL;
}

static int hash_alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out)
{
    struct ebpf_map_spec kept = *spec;
    struct ebpf_map *like = ebpf_alloc(sizeof(*like));
    int err;

    if (!like)
        return -ENOMEM;
    kept.value_size = sizeof(struct ebpf_obj *);
    err = ebpf_inner_like(spec, like);
    if (!err)
        err = ebpf_hash_alloc(&kept, 0, out);
    if (err)
        ebpf_free(like, sizeof(*like));
    else
        (*out)->inner = like;
    return err;
}

static void hash_free(struct ebpf_map *map)
{
    struct ebpf_hash *hash = ebpf_hash_of(map);
    struct ebpf_obj *obj;

    for (size_t bucket = 0; bucket <= hash->bucket_mask; bucket++) {
        for (uint32_t link = hash->buckets[bucket]; link;
             link = ebpf_hash_element(hash, link)->next) {
            memcpy(&obj, ebpf_hash_value(hash, ebpf_hash_element(hash, link)), sizeof(obj));
            ebpf_obj_drop(obj);
        }
    }
    ebpf_free((void *)(uintptr_t)map->inner, sizeof(*map->inner));
    ebpf_hash_free(map);
}

/* ---- for programs -------------------------------------------------------------------------- */

/* The map at key, as it is at one moment: it lives until the section ends, since a drop waits. */
static struct ebpf_obj *find_map(struct ebpf_map *map, const void *key)
{
    const struct ebpf_hash *hash = ebpf_hash_of(map);
    struct probe p = probe_key(hash, key);
    struct ebpf_hash_element *e;
    struct ebpf_obj *obj;
    uint64_t since;

    do {
        e = find(hash, &p, &since);
        obj = e ? (struct ebpf_obj *)(uintptr_t)ebpf_word_load(ebpf_hash_value(hash, e), 8) : NULL;
    } while (e && read_changed(p.stripe, since));
    return obj;
}

static void *hash_lookup(struct ebpf_map *map, const void *key)
{
    return find_map(map, key);
}

/* ---- for user mode ------------------------------------------------------------------------- */

static int lookup_id(struct ebpf_map *map, const void *key, void *value)
{
    struct ebpf_section s = ebpf_section_begin();
    const struct ebpf_obj *obj = find_map(map, key);

    if (obj)
        memcpy(value, &obj->id, sizeof(obj->id));
    ebpf_section_end(s);
    return obj ? 0 : -ENOENT;
}

/* *left: the map whose place was taken, or NULL. Interrupts off, in a section */
static int exchange(struct ebpf_hash *hash, const void *key, struct ebpf_obj *obj, uint64_t flags,
                    struct ebpf_obj **left)
{
    uint32_t element = take_element(hash), rest;
    struct probe p;
    int err;

    *left = NULL;
    if (!element)
        return -EBUSY;
    p = fill_key(hash, element, key);
    ebpf_word_store(ebpf_hash_value(hash, ebpf_hash_element(hash, element)), (uintptr_t)obj, 8);
    err = publish(hash, element, &p, flags, PLAIN, &rest);
    if (!err && rest)
        memcpy(left, ebpf_hash_value(hash, ebpf_hash_element(hash, rest)), sizeof(*left));
    recycle(hash, element, rest, PLAIN);
    return err;
}

/* Takes the reference on obj over. */
static int set(struct ebpf_map *map, const void *key, struct ebpf_obj *obj, uint64_t flags)
{
    struct ebpf_obj *left = NULL;
    struct ebpf_section s;
    int err = -EINVAL;

    if (flags <= BPF_EXIST) {
        s = ebpf_section_begin();
        err = exchange(ebpf_hash_of(map), key, obj, flags, &left);
        ebpf_section_end(s);
    }
    if (err)
        left = obj;
    if (left)
        ebpf_obj_drop(left);
    return err;
}

static int update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags)
{
    struct ebpf_obj *obj;
    int32_t fd;
    int err;

    memcpy(&fd, value, sizeof(fd));
    err = ebpf_inner_from_fd(map, fd, &obj);
    return err ? err : set(map, key, obj, flags);
}

static int remove_key(struct ebpf_map *map, const void *key)
{
    struct ebpf_section s = ebpf_section_begin();
    struct ebpf_obj *obj;
    int err = ebpf_hash_take_copy(map, key, &obj);

    ebpf_section_end(s);
    if (!err)
        ebpf_obj_drop(obj);
    return err;
}

static int put(struct ebpf_map *map, const void *key, struct ebpf_obj *obj, uint64_t flags)
{
    int err;

    if (!obj)
        return remove_key(map, key);
    err = ebpf_inner_check(map, ebpf_map_of(obj));
    if (err)
        return err;
    ebpf_obj_hold(obj);
    return set(map, key, obj, flags);
}

/* With the section open: the maps in objs as ids. */
static void give_ids(struct ebpf_obj *const *objs, struct ebpf_bucket *out)
{
    for (uint32_t i = 0; i < out->count; i++)
        memcpy(out->values + i * sizeof(uint32_t), &objs[i]->id, sizeof(uint32_t));
}

static int bucket_copy(struct ebpf_map *map, uint32_t bucket, bool take, struct ebpf_bucket *out)
{
    struct ebpf_obj **objs = ebpf_calloc(out->room, sizeof(struct ebpf_obj *));
    struct ebpf_bucket kept = *out;
    struct ebpf_section s;
    int err;

    if (!objs)
        return -ENOMEM;
    kept.values = (uint8_t *)objs;
    s = ebpf_section_begin();
    err = ebpf_hash_bucket_copy(map, bucket, take, &kept);
    out->count = kept.count;
    if (!err)
        give_ids(objs, out);
    ebpf_section_end(s);
    for (uint32_t i = 0; !err && take && i < out->count; i++)
        ebpf_obj_drop(objs[i]);
    ebpf_free(objs, out->room * sizeof(struct ebpf_obj *));
    return err;
}

static const struct ebpf_map_object_ops object_ops = {
    .lookup = lookup_id,
    .update = update,
    .remove = remove_key,
    .put = put,
    .bucket_copy = bucket_copy,
};

const struct ebpf_map_ops ebpf_map_hash_of_maps_ops = {
    .name = "hash_of_maps",
    .flags = BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | BPF_F_ZERO_SEED | BPF_F_RDONLY | BPF_F_WRONLY |
             BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG,
    .batches = EBPF_BATCH_UPDATE | EBPF_BATCH_DELETE,
    .outer = true,
    .check = hash_check,
    .alloc = hash_alloc,
    .free = hash_free,
    .lookup = hash_lookup,
    .update = ebpf_objects_update,
    .remove = ebpf_objects_remove,
    .bucket_copy = ebpf_hash_bucket_copy,
    .next_key = ebpf_hash_next_key,
    .objects = &object_ops,
};
