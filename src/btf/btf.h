/* SPDX-License-Identifier: MIT */
/*
 * BTF objects: the types of programs and maps, checked whole when they are loaded, and then never
 * changed. Whoever holds a reference may read without a lock, in any context.
 *
 *     btf.c      the object, and looking things up     check.c    each type by itself
 *     fields.c   special members of map values         resolve.c  what types refer to
 *     log.c      types as Linux's log shows them
 */
#ifndef EBPF_BTF_BTF_H
#define EBPF_BTF_BTF_H

#include <ebpf/ebpf.h>

#include "src/base/obj.h"
#include "src/btf/format.h"

struct ebpf_load_log;

struct ebpf_btf {
    struct ebpf_obj obj; /* first */
    uint8_t *mem;        /* the blob starts at data, so that its types are aligned */
    size_t mem_size;
    uint8_t *data;
    uint32_t size;
    const char *strings; /* each ends with NUL, offset 0 is "" */
    uint32_t str_len;
    uint32_t type_cnt; /* void counts: numbers are below */
    uint32_t *offsets; /* [type_cnt] in data */
    /* Where modifiers, pointers, variables lead to at last; the size of arrays. [type_cnt] */
    uint32_t *resolved_ids, *resolved_sizes;
};

/* Copies size bytes at data of the caller, checks them, and makes an object with one reference. 0,
 * -EINVAL, -E2BIG, -ENOTSUPP, -ELOOP, -EFAULT, -ENOMEM, and a line in the log (which may be NULL).
 * T */
int ebpf_btf_new(const struct ebpf_caller *caller, uint64_t data, uint32_t size,
                 struct ebpf_load_log *log, struct ebpf_btf **out);

/* The object behind an fd, with a reference. -EBADF; -EINVAL: something else. T */
int ebpf_btf_from_fd(int fd, struct ebpf_btf **out);

static inline struct ebpf_btf *ebpf_btf_of(struct ebpf_obj *obj)
{
    return (struct ebpf_btf *)obj;
}

/* ---- looking at types, A --------------------------------------------------------------------- */

/* NULL: there is no such type. 0 is void, of BTF_KIND_UNKN. */
const struct btf_type *ebpf_btf_type(const struct ebpf_btf *btf, uint32_t id);

/* The string at offset; NULL: out of bounds. Of a type, which is in bounds: */
const char *ebpf_btf_string(const struct ebpf_btf *btf, uint32_t offset);
const char *ebpf_btf_name(const struct ebpf_btf *btf, const struct btf_type *t);

/* The type behind typedefs, const, volatile, restrict and type tags, and, if id is not NULL, its
 * number. NULL: there is no type from. */
const struct btf_type *ebpf_btf_skip(const struct ebpf_btf *btf, uint32_t from, uint32_t *id);

/* The type that gives *id its size: as skip, and behind a variable. NULL: it has no size (void, a
 * function, a struct that is only declared), or there is none. *id and *size, if not NULL, are set
 * where the answer is a type. */
const struct btf_type *ebpf_btf_sized(const struct ebpf_btf *btf, uint32_t *id, uint32_t *size);

/* The first type of that name and kind, 0: none. */
uint32_t ebpf_btf_find(const struct ebpf_btf *btf, const char *name, uint32_t kind);

/* The FUNC_PROTO of a FUNC: btf_vlen() arguments in btf_params(), its type what it returns. NULL:
 * func_id is no function. */
const struct btf_type *ebpf_btf_func_proto(const struct ebpf_btf *btf, uint32_t func_id);

/* The declaration tags of a type's component (argument or member; -1: the whole), in their order,
 * e.g. "arg:nonnull": *cursor is 0 for the first, and moves. NULL: no more. */
const char *ebpf_btf_next_tag(const struct ebpf_btf *btf, uint32_t id, int32_t component,
                              uint32_t *cursor);

/* An integer of up to 8 whole bytes (Linux: btf_type_is_small_int()), or an enum: what a function
 * returns that counts as returning a number. */
bool ebpf_btf_is_scalar(const struct btf_type *t);

/* An INT of 1, 2, 4, 8 or 16 whole bytes. */
bool ebpf_btf_int_is_regular(const struct btf_type *t);

/* ---- map values (fields.c), A ---------------------------------------------------------------- */

/*
 * Where in a value of that type the struct called name ("bpf_spin_lock", "bpf_timer") is, in bytes:
 * in a struct, in structs inside it, in a variable of a DATASEC. -ENOENT: nowhere; -EINVAL: the
 * type is neither; -E2BIG: more than one, or nested too deeply.
 */
int ebpf_btf_find_field(const struct ebpf_btf *btf, uint32_t type_id, const char *name,
                        uint32_t *offset);

struct ebpf_btf_map {
    uint32_t type, key_size, value_size, max_entries, flags;
    uint32_t key_type_id, value_type_id;
    int32_t lock_off, timer_off; /* out; -1: nowhere */
};

/* Do these types describe such a map? Linux's map_check_btf(). 0, -EINVAL, -EACCES, -EOPNOTSUPP,
 * -ENOTSUPP. */
int ebpf_btf_check_map(const struct ebpf_btf *btf, struct ebpf_btf_map *map);

#endif /* EBPF_BTF_BTF_H */
