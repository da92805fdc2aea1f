/* SPDX-License-Identifier: MIT */
/*
 * BTF as the compiler wrote it into .BTF: enough to read map definitions. Format:
 * Documentation/bpf/btf.rst.
 *
 * ebpf_elf_btf_parse() bounds every type and name once; type numbers inside types are checked when
 * they are followed, and chains of types are followed for EBPF_BTF_DEPTH steps at most, so cycles
 * end. Context T. The whole check, for BTF that is handed to the kernel, is src/btf's.
 *
 * Why a reader of its own: the loader uses the public API only, in which a struct ebpf_btf cannot
 * be looked into; in user mode (demo/user/bpfsys.c) it is no more than an fd. And it reads what the
 * compiler left, where sections have no sizes yet (obj_btf.c), which src/btf refuses.
 */
#ifndef EBPF_LOADER_BTF_H
#define EBPF_LOADER_BTF_H

#include "src/loader/elf.h"

#define EBPF_BTF_DEPTH 32u /* as libbpf's MAX_RESOLVE_DEPTH */

enum ebpf_elf_btf_kind {
    EBPF_BTF_VOID = 0,
    EBPF_BTF_INT = 1,
    EBPF_BTF_PTR = 2,
    EBPF_BTF_ARRAY = 3,
    EBPF_BTF_STRUCT = 4,
    EBPF_BTF_UNION = 5,
    EBPF_BTF_ENUM = 6,
    EBPF_BTF_FWD = 7,
    EBPF_BTF_TYPEDEF = 8,
    EBPF_BTF_VOLATILE = 9,
    EBPF_BTF_CONST = 10,
    EBPF_BTF_RESTRICT = 11,
    EBPF_BTF_FUNC = 12,
    EBPF_BTF_FUNC_PROTO = 13,
    EBPF_BTF_VAR = 14,
    EBPF_BTF_DATASEC = 15,
    EBPF_BTF_FLOAT = 16,
    EBPF_BTF_DECL_TAG = 17,
    EBPF_BTF_TYPE_TAG = 18,
    EBPF_BTF_ENUM64 = 19,
    EBPF_BTF_KINDS,
};

struct ebpf_elf_btf {
    const struct ebpf_elf *elf; /* for log lines */
    uint32_t section;
    uint8_t *data; /* a copy, so that it can be relocated */
    size_t size;
    const uint8_t *types;
    uint32_t types_size;
    const char *strings; /* ends with NUL */
    uint32_t strings_size;
    uint32_t *offsets; /* of type i + 1 in types */
    uint32_t type_cnt;
};

struct ebpf_elf_btf_type {
    uint32_t id;
    uint32_t offset; /* in the section, for log lines */
    enum ebpf_elf_btf_kind kind;
    uint32_t vlen;
    uint32_t size_or_type;
    const char *name;
    const uint8_t *tail; /* what follows the common 12 bytes: as much as kind and vlen say */
};

/* One entry of a struct's or a DATASEC's tail. */
struct ebpf_elf_btf_member {
    const char *name;
    uint32_t type;
    uint32_t offset; /* in bits; of structs without bit fields */
};
struct ebpf_elf_btf_secinfo {
    uint32_t type, offset, size;
};

/* Takes over data (size bytes of ebpf_alloc(); freed by ebpf_elf_btf_free(), also after an error).
 * 0, -ENOEXEC, -EOPNOTSUPP, -ENOMEM. */
int ebpf_elf_btf_parse(struct ebpf_elf_btf *btf, const struct ebpf_elf *elf, uint32_t section,
                       uint8_t *data, size_t size);
void ebpf_elf_btf_free(struct ebpf_elf_btf *btf);

/* 0, or -ENOEXEC: there is no such type (0, void, is one). */
int ebpf_elf_btf_type(const struct ebpf_elf_btf *btf, uint32_t id, struct ebpf_elf_btf_type *out);
/* The same behind typedefs and qualifiers. */
int ebpf_elf_btf_type_bare(const struct ebpf_elf_btf *btf, uint32_t id,
                           struct ebpf_elf_btf_type *out);
/* Bytes that an object of the type has. 0, -ENOEXEC, -EINVAL (none, or more than 32 bits count) */
int ebpf_elf_btf_size(const struct ebpf_elf_btf *btf, uint32_t id, uint32_t *size);

/* i < type->vlen of a struct (0, or -ENOEXEC: name out of bounds), of a DATASEC */
int ebpf_elf_btf_member(const struct ebpf_elf_btf *btf, const struct ebpf_elf_btf_type *type,
                        uint32_t i, struct ebpf_elf_btf_member *out);
void ebpf_elf_btf_secinfo(const struct ebpf_elf_btf_type *type, uint32_t i,
                          struct ebpf_elf_btf_secinfo *out);

/* The string at offset, NULL: out of bounds. */
const char *ebpf_elf_btf_string(const struct ebpf_elf_btf *btf, uint32_t offset);

#endif /* EBPF_LOADER_BTF_H */
