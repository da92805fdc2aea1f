/* SPDX-License-Identifier: MIT */
/* Reading BTF; see btf.h. */
#include "src/loader/btf.h"

#include "src/base/alloc.h"
#include "src/base/bits.h"

#define BTF_MAGIC 0xeb9f
#define COMMON 12u /* struct btf_type */

/* struct btf_header */
struct header {
    uint16_t magic;
    uint8_t version, flags;
    uint32_t hdr_len, type_off, type_len, str_off, str_len;
};

/* btf.rst, "Type encoding": bytes behind the common part: fixed, and for each of vlen entries */
static const struct {
    uint8_t fixed, each;
} tails[EBPF_BTF_KINDS] = {
    [EBPF_BTF_INT] = {4, 0},     [EBPF_BTF_ARRAY] = {12, 0},   [EBPF_BTF_STRUCT] = {0, 12},
    [EBPF_BTF_UNION] = {0, 12},  [EBPF_BTF_ENUM] = {0, 8},     [EBPF_BTF_FUNC_PROTO] = {0, 8},
    [EBPF_BTF_VAR] = {4, 0},     [EBPF_BTF_DATASEC] = {0, 12}, [EBPF_BTF_DECL_TAG] = {4, 0},
    [EBPF_BTF_ENUM64] = {0, 12},
};

static uint32_t kind_of(uint32_t info)
{
    return (info >> 24) & 0x1f;
}

static uint32_t vlen_of(uint32_t info)
{
    return info & 0xffff;
}

static int check_header(struct ebpf_elf_btf *btf)
{
    struct header h;
    size_t room;

    if (btf->size < sizeof(h))
        return ebpf_elf_refuse(btf->elf, btf->section, 0, -ENOEXEC, "truncated BTF header");
    memcpy(&h, btf->data, sizeof(h));
    if (h.magic != BTF_MAGIC || h.version != 1)
        return ebpf_elf_refuse(btf->elf, btf->section, 0, -ENOEXEC, "BTF magic 0x%x version %u",
                               h.magic, h.version);
    if (h.hdr_len < sizeof(h) || h.hdr_len > btf->size)
        return ebpf_elf_refuse(btf->elf, btf->section, 4, -ENOEXEC, "BTF header of %u bytes",
                               h.hdr_len);
    room = btf->size - h.hdr_len;
    if (h.type_off > room || room - h.type_off < h.type_len || h.type_off % 4)
        return ebpf_elf_refuse(btf->elf, btf->section, 8, -ENOEXEC,
                               "BTF types 0x%x+0x%x exceed 0x%llx bytes", h.type_off, h.type_len,
                               (unsigned long long)room);
    if (h.str_off > room || room - h.str_off < h.str_len)
        return ebpf_elf_refuse(btf->elf, btf->section, 16, -ENOEXEC,
                               "BTF strings 0x%x+0x%x exceed 0x%llx bytes", h.str_off, h.str_len,
                               (unsigned long long)room);
    btf->types = btf->data + h.hdr_len + h.type_off;
    btf->types_size = h.type_len;
    btf->strings = (const char *)btf->data + h.hdr_len + h.str_off;
    btf->strings_size = h.str_len;
    if (!h.str_len || btf->strings[0] || btf->strings[h.str_len - 1])
        return ebpf_elf_refuse(btf->elf, btf->section, 16, -ENOEXEC,
                               "BTF strings do not begin and end with NUL");
    return 0;
}

static uint32_t section_offset(const struct ebpf_elf_btf *btf, uint32_t type_offset)
{
    return (uint32_t)(btf->types - btf->data) + type_offset;
}

/* The type at offset: checks that it is all there. */
static int type_length(const struct ebpf_elf_btf *btf, uint32_t offset, uint32_t *length)
{
    uint32_t left = btf->types_size - offset, at = section_offset(btf, offset), info;

    if (left < COMMON)
        return ebpf_elf_refuse(btf->elf, btf->section, at, -ENOEXEC, "truncated BTF type");
    info = ebpf_read_u32(btf->types + offset + 4);
    if (kind_of(info) == EBPF_BTF_VOID || kind_of(info) >= EBPF_BTF_KINDS)
        return ebpf_elf_refuse(btf->elf, btf->section, at, -EOPNOTSUPP, "BTF kind %u is not known",
                               kind_of(info));
    *length = COMMON + tails[kind_of(info)].fixed + vlen_of(info) * tails[kind_of(info)].each;
    if (left < *length)
        return ebpf_elf_refuse(btf->elf, btf->section, at, -ENOEXEC,
                               "BTF type of %u bytes exceeds the last %u", *length, left);
    if (ebpf_read_u32(btf->types + offset) >= btf->strings_size)
        return ebpf_elf_refuse(btf->elf, btf->section, at, -ENOEXEC,
                               "BTF type's name at 0x%x of 0x%x bytes",
                               ebpf_read_u32(btf->types + offset), btf->strings_size);
    return 0;
}

static int count_types(struct ebpf_elf_btf *btf)
{
    uint32_t length;

    for (uint32_t offset = 0; offset < btf->types_size; offset += length) {
        int err = type_length(btf, offset, &length);

        if (err)
            return err;
        btf->type_cnt++;
    }
    return 0;
}

static int index_types(struct ebpf_elf_btf *btf)
{
    uint32_t offset = 0, length;
    int err = count_types(btf);

    if (err || !btf->type_cnt)
        return err;
    btf->offsets = ebpf_calloc(btf->type_cnt, sizeof(*btf->offsets));
    if (!btf->offsets)
        return -ENOMEM;
    for (uint32_t i = 0; i < btf->type_cnt; i++, offset += length) {
        btf->offsets[i] = offset;
        err = type_length(btf, offset, &length);
        if (err)
            return err;
    }
    return 0;
}

int ebpf_elf_btf_parse(struct ebpf_elf_btf *btf, const struct ebpf_elf *elf, uint32_t section,
                       uint8_t *data, size_t size)
{
    int err;

    *btf = (struct ebpf_elf_btf){.elf = elf, .section = section, .data = data, .size = size};
    err = check_header(btf);
    return err ? err : index_types(btf);
}

void ebpf_elf_btf_free(struct ebpf_elf_btf *btf)
{
    ebpf_free(btf->offsets, btf->type_cnt * sizeof(*btf->offsets));
    ebpf_free(btf->data, btf->size);
    *btf = (struct ebpf_elf_btf){0};
}

/* ---- looking at types ------------------------------------------------------------------------ */

const char *ebpf_elf_btf_string(const struct ebpf_elf_btf *btf, uint32_t offset)
{
    return offset < btf->strings_size ? btf->strings + offset : NULL;
}

int ebpf_elf_btf_type(const struct ebpf_elf_btf *btf, uint32_t id, struct ebpf_elf_btf_type *out)
{
    const uint8_t *type;

    *out = (struct ebpf_elf_btf_type){.id = id, .name = ""};
    if (!id)
        return 0;
    if (id > btf->type_cnt)
        return ebpf_elf_refuse(btf->elf, btf->section, 0, -ENOEXEC, "BTF type %u of %u", id,
                               btf->type_cnt);
    out->offset = section_offset(btf, btf->offsets[id - 1]);
    type = btf->types + btf->offsets[id - 1];
    out->name = btf->strings + ebpf_read_u32(type);
    out->kind = kind_of(ebpf_read_u32(type + 4));
    out->vlen = vlen_of(ebpf_read_u32(type + 4));
    out->size_or_type = ebpf_read_u32(type + 8);
    out->tail = type + COMMON;
    return 0;
}

static bool is_alias(enum ebpf_elf_btf_kind kind)
{
    return kind == EBPF_BTF_TYPEDEF || kind == EBPF_BTF_CONST || kind == EBPF_BTF_VOLATILE ||
           kind == EBPF_BTF_RESTRICT || kind == EBPF_BTF_TYPE_TAG;
}

static int refuse_type(const struct ebpf_elf_btf *btf, const struct ebpf_elf_btf_type *type,
                       int err, const char *why)
{
    return ebpf_elf_refuse(btf->elf, btf->section, type->offset, err, "BTF type %u: %s", type->id,
                           why);
}

int ebpf_elf_btf_type_bare(const struct ebpf_elf_btf *btf, uint32_t id,
                           struct ebpf_elf_btf_type *out)
{
    for (unsigned depth = 0; depth < EBPF_BTF_DEPTH; depth++) {
        int err = ebpf_elf_btf_type(btf, id, out);

        if (err || !is_alias(out->kind))
            return err;
        id = out->size_or_type;
    }
    return refuse_type(btf, out, -ENOEXEC, "nested too deeply, or in itself");
}

int ebpf_elf_btf_size(const struct ebpf_elf_btf *btf, uint32_t id, uint32_t *size)
{
    struct ebpf_elf_btf_type type = {0};
    uint32_t count = 1;

    for (unsigned depth = 0; depth < EBPF_BTF_DEPTH; depth++) {
        int err = ebpf_elf_btf_type_bare(btf, id, &type);

        if (err)
            return err;
        switch (type.kind) {
        case EBPF_BTF_ARRAY: /* struct btf_array: type, index_type, nelems */
            if (__builtin_mul_overflow(count, ebpf_read_u32(type.tail + 8), &count))
                return refuse_type(btf, &type, -EINVAL, "larger than 4 GiB");
            id = ebpf_read_u32(type.tail);
            continue;
        case EBPF_BTF_INT:
        case EBPF_BTF_STRUCT:
        case EBPF_BTF_UNION:
        case EBPF_BTF_ENUM:
        case EBPF_BTF_ENUM64:
        case EBPF_BTF_FLOAT:
            *size = type.size_or_type;
            break;
        case EBPF_BTF_PTR:
            *size = 8;
            break;
        default:
            return refuse_type(btf, &type, -EINVAL, "has no size");
        }
        if (__builtin_mul_overflow(*size, count, size))
            return refuse_type(btf, &type, -EINVAL, "larger than 4 GiB");
        return 0;
    }
    return refuse_type(btf, &type, -ENOEXEC, "nested too deeply, or in itself");
}

int ebpf_elf_btf_member(const struct ebpf_elf_btf *btf, const struct ebpf_elf_btf_type *type,
                        uint32_t i, struct ebpf_elf_btf_member *out)
{
    const uint8_t *member = type->tail + (size_t)i * 12; /* struct btf_member */

    out->name = ebpf_elf_btf_string(btf, ebpf_read_u32(member));
    out->type = ebpf_read_u32(member + 4);
    out->offset = ebpf_read_u32(member + 8);
    return out->name ? 0 : refuse_type(btf, type, -ENOEXEC, "a member's name is out of bounds");
}

void ebpf_elf_btf_secinfo(const struct ebpf_elf_btf_type *type, uint32_t i,
                          struct ebpf_elf_btf_secinfo *out)
{
    memcpy(out, type->tail + (size_t)i * 12, sizeof(*out)); /* struct btf_var_secinfo */
}
