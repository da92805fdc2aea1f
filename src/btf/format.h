/* SPDX-License-Identifier: MIT */
/*
 * The BPF Type Format as it lies in memory: a header, types one behind the other, and strings.
 * Written from Documentation/bpf/btf.rst, with Linux's names (<linux/btf.h>).
 *
 * A type is a struct btf_type and, behind it, what its kind says: see the structs below. Types are
 * numbered from 1 in their order; 0 is void.
 */
#ifndef EBPF_BTF_FORMAT_H
#define EBPF_BTF_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#define BTF_MAGIC 0xeb9f
#define BTF_VERSION 1
#define BTF_MAX_TYPE 0x000fffffu
#define BTF_MAX_NAME_OFFSET 0x00ffffffu
#define BTF_MAX_SIZE (16u << 20) /* of the whole, Linux's limit */

enum {
    BTF_KIND_UNKN = 0,
    BTF_KIND_INT,
    BTF_KIND_PTR,
    BTF_KIND_ARRAY,
    BTF_KIND_STRUCT,
    BTF_KIND_UNION,
    BTF_KIND_ENUM,
    BTF_KIND_FWD,
    BTF_KIND_TYPEDEF,
    BTF_KIND_VOLATILE,
    BTF_KIND_CONST,
    BTF_KIND_RESTRICT,
    BTF_KIND_FUNC,
    BTF_KIND_FUNC_PROTO,
    BTF_KIND_VAR,
    BTF_KIND_DATASEC,
    BTF_KIND_FLOAT,
    BTF_KIND_DECL_TAG,
    BTF_KIND_TYPE_TAG,
    BTF_KIND_ENUM64,
    NR_BTF_KINDS,
};

struct btf_header {
    uint16_t magic;
    uint8_t version, flags;
    uint32_t hdr_len;
    uint32_t type_off, type_len; /* offsets count from the end of the header */
    uint32_t str_off, str_len;
};

struct btf_type {
    uint32_t name_off;
    uint32_t info; /* vlen: bits 0 to 15, kind: 24 to 28, kflag: 31 */
    union {
        uint32_t size; /* INT ENUM STRUCT UNION DATASEC FLOAT ENUM64 */
        uint32_t type; /* the others that refer to one */
    };
};

/* INT: a word of these */
#define BTF_INT_ENCODING(word) (((word) >> 24) & 0x0f)
#define BTF_INT_OFFSET(word) (((word) >> 16) & 0xff)
#define BTF_INT_BITS(word) ((word)&0xff)
#define BTF_INT_SIGNED 1u
#define BTF_INT_CHAR 2u
#define BTF_INT_BOOL 4u

struct btf_array {
    uint32_t type, index_type, nelems;
};

struct btf_member { /* STRUCT, UNION: vlen of them */
    uint32_t name_off, type;
    uint32_t offset; /* in bits; with kflag bits 0 to 23, and a bitfield's size above */
};
#define BTF_MEMBER_BITFIELD_SIZE(offset) ((offset) >> 24)
#define BTF_MEMBER_BIT_OFFSET(offset) ((offset)&0xffffff)

struct btf_enum { /* ENUM: vlen of them */
    uint32_t name_off;
    int32_t val;
};

struct btf_enum64 { /* ENUM64: vlen of them */
    uint32_t name_off, val_lo32, val_hi32;
};

struct btf_param { /* FUNC_PROTO: vlen of them */
    uint32_t name_off, type;
};

struct btf_var { /* VAR: one */
    uint32_t linkage;
};
enum { BTF_VAR_STATIC = 0, BTF_VAR_GLOBAL_ALLOCATED = 1, BTF_VAR_GLOBAL_EXTERN = 2 };

/* FUNC: its vlen */
enum { BTF_FUNC_STATIC = 0, BTF_FUNC_GLOBAL = 1, BTF_FUNC_EXTERN = 2 };

struct btf_var_secinfo { /* DATASEC: vlen of them */
    uint32_t type, offset, size;
};

struct btf_decl_tag {      /* DECL_TAG: one */
    int32_t component_idx; /* of the member or argument, -1: the whole */
};

static inline uint32_t btf_kind(const struct btf_type *t)
{
    return (t->info >> 24) & 0x1f;
}

static inline uint32_t btf_vlen(const struct btf_type *t)
{
    return t->info & 0xffff;
}

static inline bool btf_kflag(const struct btf_type *t)
{
    return t->info >> 31;
}

/* Kinds as bits, for sets of them. */
#define BTF_BIT(name) (1u << BTF_KIND_##name)
#define BTF_KINDS_MODIFIER \
    (BTF_BIT(TYPEDEF) | BTF_BIT(VOLATILE) | BTF_BIT(CONST) | BTF_BIT(RESTRICT) | BTF_BIT(TYPE_TAG))
#define BTF_KINDS_STRUCT (BTF_BIT(STRUCT) | BTF_BIT(UNION))
#define BTF_KINDS_SIZED                                                                    \
    (BTF_KINDS_STRUCT | BTF_BIT(INT) | BTF_BIT(ENUM) | BTF_BIT(DATASEC) | BTF_BIT(FLOAT) | \
     BTF_BIT(ENUM64))
#define BTF_KINDS_ENUM (BTF_BIT(ENUM) | BTF_BIT(ENUM64))

static inline bool btf_is(const struct btf_type *t, uint32_t kinds)
{
    return kinds >> btf_kind(t) & 1;
}

/* What is behind the common part; the caller knows the kind. */
static inline uint32_t btf_int(const struct btf_type *t)
{
    return *(const uint32_t *)(const void *)(t + 1);
}

static inline const struct btf_array *btf_array(const struct btf_type *t)
{
    return (const struct btf_array *)(const void *)(t + 1);
}

static inline const struct btf_member *btf_members(const struct btf_type *t)
{
    return (const struct btf_member *)(const void *)(t + 1);
}

static inline const struct btf_enum *btf_enums(const struct btf_type *t)
{
    return (const struct btf_enum *)(const void *)(t + 1);
}

static inline const struct btf_enum64 *btf_enums64(const struct btf_type *t)
{
    return (const struct btf_enum64 *)(const void *)(t + 1);
}

static inline const struct btf_param *btf_params(const struct btf_type *t)
{
    return (const struct btf_param *)(const void *)(t + 1);
}

static inline const struct btf_var *btf_var(const struct btf_type *t)
{
    return (const struct btf_var *)(const void *)(t + 1);
}

static inline const struct btf_var_secinfo *btf_secinfos(const struct btf_type *t)
{
    return (const struct btf_var_secinfo *)(const void *)(t + 1);
}

static inline const struct btf_decl_tag *btf_decl_tag(const struct btf_type *t)
{
    return (const struct btf_decl_tag *)(const void *)(t + 1);
}

/* In bits, of a member of t. */
static inline uint32_t btf_member_offset(const struct btf_type *t, const struct btf_member *member)
{
    return btf_kflag(t) ? BTF_MEMBER_BIT_OFFSET(member->offset) : member->offset;
}

/* 0: no bitfield */
static inline uint32_t btf_member_bits(const struct btf_type *t, const struct btf_member *member)
{
    return btf_kflag(t) ? BTF_MEMBER_BITFIELD_SIZE(member->offset) : 0;
}

#endif /* EBPF_BTF_FORMAT_H */
