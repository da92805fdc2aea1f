/* SPDX-License-Identifier: MIT */
/*
 * The map interface between types (one file each, one row in maps/types.def) and those who use
 * maps: bpf(2), programs (helpers, interpreter, JIT) and the loader.
 *
 * The operations marked A run inside programs: no allocation, no waiting, spin locks with
 * interrupts off only. What lookup returns is memory of the map until the epoch section ends, and
 * its value stays that key's until the element is deleted or replaced and then taken for another:
 * like Linux with preallocated elements, a map that is full to the brim may do that at once, any
 * other one takes the element that has been unused for longest.
 */
#ifndef EBPF_MAPS_MAP_H
#define EBPF_MAPS_MAP_H

#include <ebpf/ebpf.h>

#include "src/base/obj.h"

struct ebpf_map_ops;
struct ebpf_timers;

struct ebpf_map {
    struct ebpf_obj obj; /* first */
    const struct ebpf_map_ops *ops;
    uint32_t type, key_size, value_size, max_entries, flags;
    uint32_t value_stride; /* value_size rounded up to 8 */
    uint32_t use;          /* bpf(2): EBPF_MAP_FROZEN, or how many commands are changing it */
    uint64_t extra;        /* map_extra: per type */
    char name[BPF_OBJ_NAME_LEN];
    struct ebpf_btf *btf; /* one reference; NULL: no types are known */
    uint32_t btf_key_type_id, btf_value_type_id;

    /* Maps in maps: what every map in it is like: type, sizes, flags, max_entries (where Linux
     * demands equal ones), offsets, ops; no values, no id, not to be used as a map. Lives as long
     * as this map. NULL: no maps in it. */
    const struct ebpf_map *inner;
    /* Where in a value the struct bpf_spin_lock and the struct bpf_timer are; -1: nowhere. Copies
     * in and out leave these bytes alone; user mode reads them as zeros. */
    int32_t lock_off, timer_off;
    /* maps/timer.c: with timer_off, and where the kernel has got the hook; else NULL. release is
     * called when a value has been deleted, or is replaced: A, with no lock held. */
    struct ebpf_timers *timers;
    void (*release)(struct ebpf_map *map, void *value);
};

/* Called for each element; value: as lookup gives it on this hart. Not 0: the walk ends. A */
typedef uint64_t (*ebpf_map_each_fn)(void *ctx, struct ebpf_map *map, const void *key, void *value);

/* Where the elements of a bucket are copied to: room keys and user mode's values. */
struct ebpf_bucket {
    uint8_t *keys, *values;
    uint32_t room, count;
    bool lock; /* BPF_F_LOCK */
};

/*
 * Maps whose values are objects, which user mode names by fd and sees by id: arrays of programs, of
 * perf events, maps in maps; and those whose keys are (task storage). Objects are got and put in T,
 * so that these take the place of
 * lookup_copy, update_copy and remove there, and are called with neither interrupts off nor a
 * section open.
 */
struct ebpf_map_object_ops {
    /* NULL: -ENOTSUPP */
    int (*lookup)(struct ebpf_map *map, const void *key, void *id);
    int (*lookup_locked)(struct ebpf_map *map, const void *key, void *value); /* BPF_F_LOCK */
    int (*update)(struct ebpf_map *map, const void *key, const void *fd, uint64_t flags);
    int (*remove)(struct ebpf_map *map, const void *key);
    /* The same by object, of the right type: a reference is added. NULL takes what is there out. */
    int (*put)(struct ebpf_map *map, const void *key, struct ebpf_obj *obj, uint64_t flags);
    /* bucket_copy of maps in maps */
    int (*bucket_copy)(struct ebpf_map *map, uint32_t bucket, bool take, struct ebpf_bucket *out);
    /* Nobody but programs refers to the map: gives all objects up, since they could be those very
     * programs. NULL: they cannot. T */
    void (*clear)(struct ebpf_map *map);
    /* Program arrays, NULL for others: a program of that kind (ebpf_prog_kind()) names the map:
     * -EINVAL where it is of another. T */
    int (*own)(struct ebpf_map *map, uint64_t kind);
    /* Program arrays: the program at index, or NULL; it lives until the section ends. A, in an
     * epoch section */
    struct ebpf_obj *(*get)(struct ebpf_map *map, uint32_t index);
};

#define EBPF_BATCH_LOOKUP 1u
#define EBPF_BATCH_UPDATE 2u
#define EBPF_BATCH_DELETE 4u

struct ebpf_map_ops {
    const char *name; /* as in the type's number, lower case: "hash" */
    uint32_t flags;   /* BPF_F_* accepted at creation */
    bool per_cpu;     /* user mode sees value_stride * CPUs bytes */
    bool extra;       /* map_extra means something */
    bool outer;       /* maps in maps: spec->inner says what the maps in it are like */
    bool inner;       /* may be a map in a map */
    bool inner_alike; /* and then has as many entries as the others, but for BPF_F_INNER_MAP */
    uint32_t batches; /* EBPF_BATCH_*: bpf(2)'s batch commands; lookups of hashes: bucket_copy */
    bool value_in;    /* lookup_copy reads the value: it asks whether that is there */

    /* The type's own rules for sizes and flags beyond the table: 0 or -E*. NULL: none. T */
    int (*check)(const struct ebpf_map_spec *spec);
    /* Where Linux makes more of it than was asked for: changes a spec that is checked. NULL: as it
     * is. T */
    void (*adjust)(struct ebpf_map_spec *spec);
    /* Allocates the type's struct (which starts with struct ebpf_map) and all elements, sets
     * nothing in map itself but what is its own: ebpf_map_create() fills the common fields after
     * success. T */
    int (*alloc)(const struct ebpf_map_spec *spec, struct ebpf_map **out);
    void (*free)(struct ebpf_map *map); /* T, after the grace period */

    /* For programs, on this hart. A, in an epoch section. */
    void *(*lookup)(struct ebpf_map *map, const void *key); /* the value, or NULL */
    int (*update)(struct ebpf_map *map, const void *key, const void *value, uint64_t flags);
    int (*remove)(struct ebpf_map *map, const void *key);
    /* Per-CPU types: hart number cpu's value; NULL also where there is no such hart. A */
    void *(*lookup_cpu)(struct ebpf_map *map, const void *key, unsigned cpu);

    /*
     * bpf_for_each_map_elem(): calls fn for the elements of the map and returns how many times. An
     * element that is there all the time is visited once; one that comes, goes or is replaced
     * meanwhile may be visited or not, or once more with its new value; fn may update and delete.
     * No lock is held while fn runs. Ends in any case: after as many calls as the map has room for
     * elements. NULL: the type has not got it (-ENOTSUPP). A, in an epoch section
     */
    int64_t (*for_each)(struct ebpf_map *map, ebpf_map_each_fn fn, void *ctx);

    /* Types whose values may have timers, NULL for others. A
     * places: how many there are for values, used and unused; locate: which of them value, as
     * lookup gives it, lies in, and in *key its key: NULL where the number is the key. */
    uint32_t (*places)(const struct ebpf_map *map);
    uint32_t (*locate)(const struct ebpf_map *map, const void *value, const void **key);

    /* Types without keys; NULL: the type has them. A */
    int (*push)(struct ebpf_map *map, const void *value, uint64_t flags);
    int (*pop)(struct ebpf_map *map, void *value);
    int (*peek)(struct ebpf_map *map, void *value);

    /* For user mode; value has ebpf_map_value_size() bytes. T. The wrappers in map.c turn
     * interrupts off and hold an epoch section open around the copies; next_key runs with
     * neither. */
    int (*lookup_copy)(struct ebpf_map *map, const void *key, void *value);
    int (*update_copy)(struct ebpf_map *map, const void *key, const void *value, uint64_t flags);
    /* Copies and deletes at one moment. NULL: the type cannot. */
    int (*take_copy)(struct ebpf_map *map, const void *key, void *value);
    /* Both at one moment also for programs that hold the value's struct bpf_spin_lock; take:
     * deletes. NULL: values have none. */
    int (*copy_locked)(struct ebpf_map *map, const void *key, void *value, bool take);
    /* Hashes: all elements of one bucket, copied one behind the other at one moment, and deleted if
     * take: 0 and *count; -ENOSPC and *count: more than room; -ENOENT: no such bucket; -EBUSY. */
    int (*bucket_copy)(struct ebpf_map *map, uint32_t bucket, bool take, struct ebpf_bucket *out);
    /* key NULL: the first. -ENOENT: no more */
    int (*next_key)(struct ebpf_map *map, const void *key, void *next);

    const struct ebpf_map_object_ops *objects; /* NULL: values are bytes */

    /* What user mode may map, beyond what map.c checks for all types: 0, -EINVAL, -EPERM. NULL:
     * nothing. T */
    int (*mmap)(const struct ebpf_map *map, uint64_t offset, size_t size, bool write);
    void *(*page)(struct ebpf_map *map, uint64_t offset); /* of what mmap let pass. A */
    uint32_t (*poll)(struct ebpf_map *map);               /* as ebpf_obj_poll(); NULL: POLLERR. A */

    /* Address of byte off of the only value, for LD_IMM64 BPF_PSEUDO_MAP_VALUE. NULL: type has
     * none. */
    int (*value_addr)(const struct ebpf_map *map, uint32_t off, uint64_t *addr);

    /* Only helpers that name the type in their .maps take it: no lookup_elem, no update_elem. */
    bool own_helpers;
    /* 1 << BPF_PROG_TYPE_* that may call update_elem and delete_elem on it; 0: all that may call
     * these at all. (Linux's sockets: elsewhere "cannot update sockmap in this context") */
    uint64_t update_types, delete_types;
};

/* No command of bpf(2) changes the map any more; programs may. */
#define EBPF_MAP_FROZEN UINT32_MAX

/* All that ebpf_map_create() checks of a spec but spec->inner: 0 or its errors. T */
int ebpf_map_check(const struct ebpf_map_spec *spec);

/* bpf(2) and user mode's mappings change maps between these two: false, and nothing to end, where
 * the map is frozen. A */
bool ebpf_map_write_begin(struct ebpf_map *map);
void ebpf_map_write_end(struct ebpf_map *map);

/* Row of a type, NULL: this build has not got it. A */
const struct ebpf_map_ops *ebpf_map_ops(uint32_t type);

/* As ebpf_map_lookup() and ebpf_map_lookup_and_delete(), with BPF_F_LOCK or 0: -EINVAL where values
 * have no lock. T */
int ebpf_map_lookup_flags(struct ebpf_map *map, const void *key, void *value, uint64_t flags);
int ebpf_map_take_flags(struct ebpf_map *map, const void *key, void *value, uint64_t flags);

/* bucket_copy with interrupts off and in a section; T */
int ebpf_map_bucket_copy(struct ebpf_map *map, uint32_t bucket, bool take, struct ebpf_bucket *out);

/* The map behind an fd, with a reference. T. -EBADF, -EINVAL. */
int ebpf_map_from_fd(int fd, struct ebpf_map **out);

/* What programs must have in common to be in one array: type, and expected attach type in the upper
 * half. Of src/core/prog.c; obj: a program. A */
uint64_t ebpf_prog_kind(const struct ebpf_obj *obj);

static inline struct ebpf_map *ebpf_map_of(struct ebpf_obj *obj)
{
    return (struct ebpf_map *)obj;
}

#endif /* EBPF_MAPS_MAP_H */
