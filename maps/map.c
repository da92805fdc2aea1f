/* SPDX-License-Identifier: MIT */
/* What all map types share: creation, and the operations of user mode and kernel code. */
#include "maps/map.h"

#include "maps/fields.h"
#include "maps/section.h"
#include "maps/timer.h"
#include "src/base/bits.h"
#include "src/btf/btf.h"

int ebpf_map_from_fd(int fd, struct ebpf_map **out)
{
    struct ebpf_obj *obj;
    int err = ebpf_obj_from_fd(fd, EBPF_OBJ_MAP, &obj);

    if (!err)
        *out = ebpf_map_of(obj);
    return err;
}

/* ---- changes by user mode ------------------------------------------------------------------ */

/* Counts who changes the map, so that nobody is half-way when it gets frozen. */
bool ebpf_map_write_begin(struct ebpf_map *map)
{
    uint32_t use = __atomic_load_n(&map->use, __ATOMIC_RELAXED);

    do {
        if (use == EBPF_MAP_FROZEN)
            return false;
    } while (!__atomic_compare_exchange_n(&map->use, &use, use + 1, true, __ATOMIC_ACQUIRE,
                                          __ATOMIC_RELAXED));
    return true;
}

void ebpf_map_write_end(struct ebpf_map *map)
{
    __atomic_fetch_sub(&map->use, 1, __ATOMIC_RELEASE);
}

static uint32_t map_poll(struct ebpf_obj *obj)
{
    struct ebpf_map *map = ebpf_map_of(obj);

    return map->ops->poll ? map->ops->poll(map) : EBPF_POLLERR;
}

/* In Linux's order: the file's mode, what there is to map, who may write it (bpf_map_mmap()). */
static int map_mmap(struct ebpf_obj *obj, uint64_t offset, size_t size, bool write)
{
    struct ebpf_map *map = ebpf_map_of(obj);
    int err;

    if (map->flags & BPF_F_WRONLY || (write && map->flags & BPF_F_RDONLY))
        return -EACCES;
    if (!map->ops->mmap || map->lock_off >= 0 || map->timer_off >= 0)
        return -ENOTSUPP;
    if (map->flags &
        BPF_F_RDONLY) /* Linux: a mapping of what may only be read is not a shared one */
        return -EINVAL;
    if (!write)
        return map->ops->mmap(map, offset, size, false);
    if (!ebpf_map_write_begin(map))
        return -EPERM;
    err = map->flags & BPF_F_RDONLY_PROG ? -EACCES : map->ops->mmap(map, offset, size, true);
    if (err)
        ebpf_map_write_end(map);
    return err;
}

static void *map_page(struct ebpf_obj *obj, uint64_t offset)
{
    return ebpf_map_of(obj)->ops->page(ebpf_map_of(obj), offset);
}

static void map_unmap(struct ebpf_obj *obj, bool write)
{
    if (write)
        ebpf_map_write_end(ebpf_map_of(obj));
}

static const struct ebpf_obj_file map_file = {
    .poll = map_poll,
    .mmap = map_mmap,
    .page = map_page,
    .unmap = map_unmap,
};

/* ---- creation ------------------------------------------------------------------------------ */

/* Linux's isalnum() is Latin-1 (lib/ctype.c), so that is what names may hold, and '_' and '.'. */
static bool name_char_ok(uint8_t c)
{
    uint8_t lower = c | 0x20;

    return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') || c == '_' || c == '.' ||
           (c >= 0xc0 && c != 0xd7 && c != 0xf7);
}

/* Like Linux's bpf_obj_name_cpy(): what stands behind the NUL does not matter. */
static int copy_name(char dst[BPF_OBJ_NAME_LEN], const char src[BPF_OBJ_NAME_LEN])
{
    size_t len = ebpf_strnlen(src, BPF_OBJ_NAME_LEN);

    if (len == BPF_OBJ_NAME_LEN)
        return -EINVAL;
    memset(dst, 0, BPF_OBJ_NAME_LEN);
    for (size_t i = 0; i < len; i++) {
        if (!name_char_ok((uint8_t)src[i]))
            return -EINVAL;
        dst[i] = src[i];
    }
    return 0;
}

/* Both sides cannot be shut out at once (Linux: bpf_get_file_flag(), bpf_map_flags_access_ok()). */
static int check_flags(const struct ebpf_map_ops *ops, uint32_t flags)
{
    const uint32_t user = BPF_F_RDONLY | BPF_F_WRONLY, prog = BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG;

    if (flags & ~ops->flags || (flags & user) == user || (flags & prog) == prog)
        return -EINVAL;
    return 0;
}

static void map_destroy(struct ebpf_obj *obj)
{
    struct ebpf_map *map = ebpf_map_of(obj);
    struct ebpf_btf *btf = map->btf;

    ebpf_timers_destroy(map);
    map->ops->free(map);
    if (btf)
        ebpf_obj_drop(&btf->obj);
}

/* Programs may still refer to the map, and it to them; timers in its values end (Linux:
 * map_release_uref). */
static void map_unused(struct ebpf_obj *obj)
{
    struct ebpf_map *map = ebpf_map_of(obj);

    if (map->ops->objects)
        map->ops->objects->clear(map);
    else
        ebpf_timers_end(map);
}

static int map_publish(struct ebpf_map *map, const struct ebpf_map_ops *ops,
                       const struct ebpf_map_spec *spec, const struct ebpf_btf_map *types,
                       const char name[BPF_OBJ_NAME_LEN])
{
    int err;

    map->ops = ops;
    map->type = spec->type;
    map->key_size = spec->key_size;
    map->value_size = spec->value_size;
    /* types refuse sizes that would wrap */
    map->value_stride = EBPF_ROUND_UP(spec->value_size, 8u);
    map->max_entries = spec->max_entries;
    map->flags = spec->flags;
    map->use = 0;
    map->extra = spec->map_extra;
    memcpy(map->name, name, BPF_OBJ_NAME_LEN);
    map->lock_off = types->lock_off;
    map->timer_off = types->timer_off;
    map->btf = spec->btf_key_type_id || spec->btf_value_type_id ? spec->btf : NULL;
    map->btf_key_type_id = map->btf ? spec->btf_key_type_id : 0;
    map->btf_value_type_id = map->btf ? spec->btf_value_type_id : 0;
    map->timers = NULL;
    map->release = NULL;
    map->obj.unused =
        (ops->objects && ops->objects->clear) || map->timer_off >= 0 ? map_unused : NULL;
    map->obj.file = &map_file;
    err = map->timer_off >= 0 ? ebpf_timers_create(map) : 0;
    if (err)
        return err;
    err = ebpf_obj_init(&map->obj, EBPF_OBJ_MAP, map_destroy);
    if (err)
        ebpf_timers_destroy(map);
    else if (map->btf)
        ebpf_obj_hold(&map->btf->obj);
    return err;
}

/* What BTF says of keys and values, if there is any. */
static int check_types(const struct ebpf_map_spec *spec, struct ebpf_btf_map *types)
{
    *types = (struct ebpf_btf_map){
        .type = spec->type,
        .key_size = spec->key_size,
        .value_size = spec->value_size,
        .max_entries = spec->max_entries,
        .flags = spec->flags,
        .key_type_id = spec->btf_key_type_id,
        .value_type_id = spec->btf_value_type_id,
        .lock_off = -1,
        .timer_off = -1,
    };
    if (!spec->btf || (!spec->btf_key_type_id && !spec->btf_value_type_id))
        return 0;
    return ebpf_btf_check_map(spec->btf, types);
}

/* Linux: NUMA nodes are asked for by a flag; this library knows one. */
static int check_numa(const struct ebpf_map_spec *spec)
{
    return spec->flags & BPF_F_NUMA_NODE && spec->numa_node ? -EINVAL : 0;
}

int ebpf_map_check(const struct ebpf_map_spec *spec)
{
    const struct ebpf_map_ops *ops = ebpf_map_ops(spec->type);
    int err;

    if (!ops)
        return -EINVAL;
    err = check_flags(ops, spec->flags);
    if (!err)
        err = check_numa(spec);
    if (!err && spec->map_extra && !ops->extra)
        err = -EINVAL;
    if (!err && ops->check)
        err = ops->check(spec);
    return err;
}

int ebpf_map_create(const struct ebpf_map_spec *asked, struct ebpf_map **out)
{
    const struct ebpf_map_ops *ops = ebpf_map_ops(asked->type);
    struct ebpf_map_spec adjusted = *asked, *spec = &adjusted;
    char name[BPF_OBJ_NAME_LEN];
    struct ebpf_btf_map types;
    struct ebpf_map *map;
    int err = ebpf_map_check(spec);

    if (!err)
        err = copy_name(name, spec->name);
    if (err)
        return err;
    if (ops->adjust)
        ops->adjust(spec);
    err = check_types(spec, &types);
    if (!err)
        err = ops->alloc(spec, &map);
    if (err)
        return err;
    err = map_publish(map, ops, spec, &types, name);
    if (err) {
        ops->free(map);
        return err;
    }
    *out = map;
    return 0;
}

struct ebpf_obj *ebpf_map_obj(struct ebpf_map *map)
{
    return &map->obj;
}

void ebpf_map_spec(const struct ebpf_map *map, struct ebpf_map_spec *out)
{
    *out = (struct ebpf_map_spec){0};
    out->type = map->type;
    out->key_size = map->key_size;
    out->value_size = map->value_size;
    out->max_entries = map->max_entries;
    out->flags = map->flags;
    out->map_extra = map->extra;
    memcpy(out->name, map->name, BPF_OBJ_NAME_LEN);
}

/* ---- operations ---------------------------------------------------------------------------- */

uint32_t ebpf_map_value_size(const struct ebpf_map *map)
{
    /* a per-CPU value has at most 32 KiB and there are at most 256 harts: no overflow */
    return map->ops->per_cpu ? map->value_stride * ebpf_os_cpu_count() : map->value_size;
}

static int copy_locked(struct ebpf_map *map, const void *key, void *value, bool take)
{
    struct ebpf_section s;
    int err;

    if (map->lock_off < 0)
        return -EINVAL;
    if (map->ops->objects && map->ops->objects->lookup_locked && !take)
        return map->ops->objects->lookup_locked(map, key, value);
    if (!map->ops->copy_locked)
        return -EINVAL;
    s = ebpf_section_begin();
    err = map->ops->copy_locked(map, key, value, take);
    ebpf_section_end(s);
    return err;
}

int ebpf_map_lookup_flags(struct ebpf_map *map, const void *key, void *value, uint64_t flags)
{
    struct ebpf_section s;
    int err;

    if (flags & BPF_F_LOCK)
        return copy_locked(map, key, value, false);
    if (map->ops->objects)
        return map->ops->objects->lookup ? map->ops->objects->lookup(map, key, value) : -ENOTSUPP;
    s = ebpf_section_begin();
    err = map->ops->lookup_copy(map, key, value);
    ebpf_section_end(s);
    return err;
}

int ebpf_map_lookup(struct ebpf_map *map, const void *key, void *value)
{
    return ebpf_map_lookup_flags(map, key, value, 0);
}

/* As on Linux (maybe_wait_bpf_programs()): who has changed a map in a map knows that no program
 * uses the old one any more. */
static int wait_for_programs(const struct ebpf_map *map, int err)
{
    if (!err && map->ops->outer)
        ebpf_epoch_synchronize();
    return err;
}

int ebpf_map_update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags)
{
    struct ebpf_section s;
    int err;

    /* Linux refuses this before it looks at anything else */
    if (flags & BPF_F_LOCK && map->lock_off < 0)
        return -EINVAL;
    if (map->ops->objects)
        return wait_for_programs(map, map->ops->objects->update(map, key, value, flags));
    s = ebpf_section_begin();
    err = map->ops->update_copy(map, key, value, flags);
    ebpf_section_end(s);
    return err;
}

int ebpf_map_take_flags(struct ebpf_map *map, const void *key, void *value, uint64_t flags)
{
    struct ebpf_section s;
    int err;

    if (flags & BPF_F_LOCK && map->lock_off < 0)
        return -EINVAL;
    if (!map->ops->take_copy)
        return -ENOTSUPP;
    if (flags & BPF_F_LOCK)
        return copy_locked(map, key, value, true);
    s = ebpf_section_begin();
    err = map->ops->take_copy(map, key, value);
    ebpf_section_end(s);
    return err;
}

int ebpf_map_lookup_and_delete(struct ebpf_map *map, const void *key, void *value)
{
    return ebpf_map_take_flags(map, key, value, 0);
}

int ebpf_map_delete(struct ebpf_map *map, const void *key)
{
    struct ebpf_section s;
    int err;

    if (map->ops->objects)
        return wait_for_programs(map, map->ops->objects->remove(map, key));
    s = ebpf_section_begin();
    err = map->ops->remove(map, key);
    ebpf_section_end(s);
    return err;
}

int ebpf_map_bucket_copy(struct ebpf_map *map, uint32_t bucket, bool take, struct ebpf_bucket *out)
{
    struct ebpf_section s;
    int err;

    if (map->ops->objects)
        return map->ops->objects->bucket_copy(map, bucket, take, out);
    s = ebpf_section_begin();
    err = map->ops->bucket_copy(map, bucket, take, out);
    ebpf_section_end(s);
    return err;
}

/* No section: elements live as long as the map, and finding the next one may take long. */
int ebpf_map_next_key(struct ebpf_map *map, const void *key, void *next)
{
    return map->ops->next_key(map, key, next);
}

int ebpf_map_set_prog(struct ebpf_map *map, uint32_t index, struct ebpf_prog *prog)
{
    if (map->type != BPF_MAP_TYPE_PROG_ARRAY)
        return -EINVAL;
    return map->ops->objects->put(map, &index, prog ? ebpf_prog_obj(prog) : NULL, BPF_ANY);
}

int ebpf_map_set_map(struct ebpf_map *outer, const void *key, struct ebpf_map *inner,
                     uint64_t flags)
{
    if (!outer->ops->outer)
        return -EINVAL;
    return wait_for_programs(
        outer, outer->ops->objects->put(outer, key, inner ? &inner->obj : NULL, flags));
}
