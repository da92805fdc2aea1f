/* SPDX-License-Identifier: MIT */
/*
 * Maps that BTF describes (section .maps), as bpf_helpers.h writes them:
 *
 *     struct {
 *         __uint(type, BPF_MAP_TYPE_HASH);    int (*type)[1]: the number is the array's length
 *         __uint(max_entries, 256);
 *         __type(key, __u32);                 __u32 *key: the size is that of what it points to
 *         __type(value, struct event);
 *     } name SEC(".maps");
 */
#include "src/loader/loader.h"

#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/loader/sort.h"

struct def {
    const struct ebpf_loader *ld;
    struct ebpf_object_map *map;
    const struct ebpf_elf_btf_type *type; /* the struct, for log lines */
    uint32_t fields;                      /* which rows of the table were there */
    uint32_t values; /* kind of what values[] holds; EBPF_BTF_VOID: there is none */
    bool inner;
};

static int refuse(const struct def *def, int err, const char *member, const char *why)
{
    return ebpf_elf_refuse(&def->ld->elf, def->map->section, def->map->offset, err,
                           "map %.40s: %.32s: %s", def->map->name, member, why);
}

/* ---- members --------------------------------------------------------------------------------- */

static int read_pointee(const struct def *def, const struct ebpf_elf_btf_member *member,
                        struct ebpf_elf_btf_type *out)
{
    int err = ebpf_elf_btf_type_bare(&def->ld->btf, member->type, out);

    if (err)
        return err;
    if (out->kind != EBPF_BTF_PTR)
        return refuse(def, -EINVAL, member->name, "not written with __uint() or __type()");
    return ebpf_elf_btf_type_bare(&def->ld->btf, out->size_or_type, out);
}

/* __uint(name, value) */
static int read_uint(const struct def *def, const struct ebpf_elf_btf_member *member,
                     uint32_t *value)
{
    struct ebpf_elf_btf_type array;
    int err = read_pointee(def, member, &array);

    if (err)
        return err;
    if (array.kind != EBPF_BTF_ARRAY)
        return refuse(def, -EINVAL, member->name, "not written with __uint()");
    *value = ebpf_read_u32(array.tail + 8); /* nelems */
    return 0;
}

/* __type(key, type), __type(value, type) */
static int read_size(const struct def *def, const struct ebpf_elf_btf_member *member,
                     uint32_t *size, uint32_t *id)
{
    struct ebpf_elf_btf_type pointer, pointee;
    uint32_t bytes;
    int err = read_pointee(def, member, &pointee);

    if (!err)
        err = ebpf_elf_btf_size(&def->ld->btf, pointee.id, &bytes);
    if (err)
        return err;
    if (*size && *size != bytes)
        return refuse(def, -EINVAL, member->name,
                      "not of the size that key_size or value_size say");
    *size = bytes;
    err = ebpf_elf_btf_type_bare(&def->ld->btf, member->type, &pointer);
    *id = pointer.size_or_type;
    return err;
}

static int read_explicit_size(const struct def *def, const struct ebpf_elf_btf_member *member,
                              uint32_t *size)
{
    uint32_t bytes;
    int err = read_uint(def, member, &bytes);

    if (err)
        return err;
    if (*size && *size != bytes)
        return refuse(def, -EINVAL, member->name, "not the size of the key's or value's type");
    *size = bytes;
    return 0;
}

static int read_type(struct def *def, const struct ebpf_elf_btf_member *member)
{
    return read_uint(def, member, &def->map->spec.type);
}

static int read_max_entries(struct def *def, const struct ebpf_elf_btf_member *member)
{
    return read_uint(def, member, &def->map->spec.max_entries);
}

static int read_map_flags(struct def *def, const struct ebpf_elf_btf_member *member)
{
    return read_uint(def, member, &def->map->spec.flags);
}

static int read_key_size(struct def *def, const struct ebpf_elf_btf_member *member)
{
    return read_explicit_size(def, member, &def->map->spec.key_size);
}

static int read_value_size(struct def *def, const struct ebpf_elf_btf_member *member)
{
    return read_explicit_size(def, member, &def->map->spec.value_size);
}

static int read_key(struct def *def, const struct ebpf_elf_btf_member *member)
{
    return read_size(def, member, &def->map->spec.key_size, &def->map->spec.btf_key_type_id);
}

static int read_value(struct def *def, const struct ebpf_elf_btf_member *member)
{
    return read_size(def, member, &def->map->spec.value_size, &def->map->spec.btf_value_type_id);
}

static int read_numa_node(struct def *def, const struct ebpf_elf_btf_member *member)
{
    return read_uint(def, member, &def->map->spec.numa_node);
}

/* LIBBPF_PIN_NONE or LIBBPF_PIN_BY_NAME */
static int read_pinning(struct def *def, const struct ebpf_elf_btf_member *member)
{
    uint32_t value = 0;
    int err = read_uint(def, member, &value);

    if (!err && value > 1)
        err = refuse(def, -EINVAL, member->name, "not a way of pinning");
    def->map->pinned = value;
    return err;
}

/* __uint(map_extra, value), or __ulong(map_extra, value): an enumeration of one value */
static int read_map_extra(struct def *def, const struct ebpf_elf_btf_member *member)
{
    struct ebpf_elf_btf_type type;
    uint32_t value = 0;
    int err = ebpf_elf_btf_type_bare(&def->ld->btf, member->type, &type);

    if (err)
        return err;
    if ((type.kind == EBPF_BTF_ENUM || type.kind == EBPF_BTF_ENUM64) && type.vlen == 1) {
        def->map->spec.map_extra = ebpf_read_u32(type.tail + 4);
        if (type.kind == EBPF_BTF_ENUM64)
            def->map->spec.map_extra |= (uint64_t)ebpf_read_u32(type.tail + 8) << 32;
        return 0;
    }
    err = read_uint(def, member, &value);
    def->map->spec.map_extra = value;
    return err;
}

static int read_members(struct def *def);

/* __array(values, struct { ... }): the maps that will be in this one are defined like those in
 * .maps. One level is all that Linux has. */
static int read_inner(struct def *def, const struct ebpf_elf_btf_member *member,
                      const struct ebpf_elf_btf_type *type)
{
    struct ebpf_object_map inner = {
        .name = def->map->name, .section = def->map->section, .offset = def->map->offset};
    struct def inner_def = {.ld = def->ld, .map = &inner, .type = type, .inner = true};
    int err;

    if (def->inner)
        return refuse(def, -EINVAL, member->name, "a map in a map in a map");
    err = read_members(&inner_def);
    if (!err && inner.pinned)
        err = refuse(def, -EINVAL, "pinning", "of a map in a map");
    if (err)
        return err;
    def->map->inner = ebpf_memdup(&inner.spec, sizeof(inner.spec));
    return def->map->inner ? 0 : -ENOMEM;
}

/* __array(values, int (void *)): the programs of a PROG_ARRAY; __array(values, struct ...): maps.
 * The values are fds of 4 bytes. Initial ones come as relocations (values.c). */
static int read_values(struct def *def, const struct ebpf_elf_btf_member *member)
{
    struct ebpf_elf_btf_type type;
    int err = ebpf_elf_btf_type_bare(&def->ld->btf, member->type, &type);

    if (!err && type.kind == EBPF_BTF_ARRAY)
        err = ebpf_elf_btf_type_bare(&def->ld->btf, ebpf_read_u32(type.tail), &type);
    if (!err && type.kind == EBPF_BTF_PTR)
        err = ebpf_elf_btf_type_bare(&def->ld->btf, type.size_or_type, &type);
    if (err)
        return err;
    if (type.kind != EBPF_BTF_FUNC_PROTO && type.kind != EBPF_BTF_STRUCT)
        return refuse(def, -EOPNOTSUPP, member->name, "neither programs nor maps");
    if (def->map->spec.value_size && def->map->spec.value_size != 4)
        return refuse(def, -EINVAL, member->name, "value size is not 4");
    def->map->spec.value_size = 4;
    def->map->values = member->offset / 8;
    def->values = type.kind;
    return type.kind == EBPF_BTF_STRUCT ? read_inner(def, member, &type) : 0;
}

static const struct {
    const char *name;
    int (*read)(struct def *def, const struct ebpf_elf_btf_member *member);
} members[] = {
    {"type", read_type},           {"max_entries", read_max_entries}, {"map_flags", read_map_flags},
    {"key_size", read_key_size},   {"value_size", read_value_size},   {"key", read_key},
    {"value", read_value},         {"pinning", read_pinning},         {"numa_node", read_numa_node},
    {"map_extra", read_map_extra}, {"values", read_values},
};

static int read_member(struct def *def, const struct ebpf_elf_btf_member *member)
{
    for (size_t i = 0; i < EBPF_ARRAY_SIZE(members); i++) {
        if (!ebpf_streq(member->name, members[i].name))
            continue;
        if (def->fields & (1u << i))
            return refuse(def, -EINVAL, member->name, "defined twice");
        def->fields |= 1u << i;
        return members[i].read(def, member);
    }
    return refuse(def, -EOPNOTSUPP, member->name, "unknown member of a map definition");
}

static bool values_fit(uint32_t type, uint32_t values)
{
    if (values == EBPF_BTF_FUNC_PROTO)
        return type == BPF_MAP_TYPE_PROG_ARRAY;
    return type == BPF_MAP_TYPE_ARRAY_OF_MAPS || type == BPF_MAP_TYPE_HASH_OF_MAPS;
}

static int read_members(struct def *def)
{
    struct ebpf_map_spec *spec = &def->map->spec;
    int err = 0;

    for (uint32_t i = 0; !err && i < def->type->vlen; i++) {
        struct ebpf_elf_btf_member member;

        err = ebpf_elf_btf_member(&def->ld->btf, def->type, i, &member);
        if (!err)
            err = read_member(def, &member);
    }
    if (err)
        return err;
    if (!spec->type)
        return refuse(def, -EINVAL, "type", "missing");
    if (def->values && !values_fit(spec->type, def->values))
        return refuse(def, -EOPNOTSUPP, "values", "not what this type of map holds");
    spec->max_entries = ebpf_loader_max_entries(spec->type, spec->max_entries);
    return 0;
}

/* ---- the section ----------------------------------------------------------------------------- */

static int find_datasec(const struct ebpf_loader *ld, uint32_t section,
                        struct ebpf_elf_btf_type *out)
{
    struct ebpf_elf_btf_type type;
    bool found = false;

    for (uint32_t id = 1; id <= ld->btf.type_cnt; id++) {
        int err = ebpf_elf_btf_type(&ld->btf, id, &type);

        if (err)
            return err;
        if (type.kind != EBPF_BTF_DATASEC || !ebpf_streq(type.name, ".maps"))
            continue;
        if (found)
            return ebpf_elf_refuse(&ld->elf, ld->btf.section, type.offset, -EINVAL,
                                   "second description of .maps");
        found = true;
        *out = type;
    }
    if (!found)
        return ebpf_elf_refuse(&ld->elf, section, 0, -EINVAL, "maps without BTF: compile with -g");
    return 0;
}

int ebpf_loader_btf_datasec(const struct ebpf_loader *ld, struct ebpf_elf_btf_type *out)
{
    uint32_t section = ebpf_loader_section(&ld->elf, EBPF_SEC_MAPS);

    *out = (struct ebpf_elf_btf_type){0};
    if (!section || !ld->elf.sections[section].size)
        return 0;
    return find_datasec(ld, section, out);
}

static int secinfo_less(const void *a, const void *b)
{
    return ((const struct ebpf_elf_btf_secinfo *)a)->offset <
           ((const struct ebpf_elf_btf_secinfo *)b)->offset;
}

static int add_map(struct ebpf_loader *ld, uint32_t section,
                   const struct ebpf_elf_btf_secinfo *info)
{
    struct ebpf_elf_btf_type var, type;
    struct def def = {.ld = ld, .type = &type};
    uint32_t size;
    int err = ebpf_elf_btf_type(&ld->btf, info->type, &var);

    if (err)
        return err;
    if (var.kind != EBPF_BTF_VAR || ebpf_read_u32(var.tail) > 1) /* linkage: static or global */
        return ebpf_elf_refuse(&ld->elf, section, info->offset, -EINVAL,
                               "BTF type %u is not a variable defined here", info->type);
    err = ebpf_elf_btf_type_bare(&ld->btf, var.size_or_type, &type);
    if (!err && type.kind != EBPF_BTF_STRUCT)
        err = ebpf_elf_refuse(&ld->elf, section, info->offset, -EINVAL,
                              "map %.64s: BTF type %u is not a struct", var.name, type.id);
    if (!err)
        err = ebpf_elf_btf_size(&ld->btf, type.id, &size);
    if (!err && size > info->size)
        err = ebpf_elf_refuse(&ld->elf, section, info->offset, -EINVAL,
                              "map %.64s: map size %u exceeds its variable's %u", var.name, size,
                              info->size);
    if (!err)
        err = ebpf_loader_map_add(ld, var.name, section, info->offset, &def.map);
    if (!err)
        def.map->def_size = info->size;
    return err ? err : read_members(&def);
}

static int add_maps(struct ebpf_loader *ld, uint32_t section, struct ebpf_elf_btf_secinfo *infos,
                    uint32_t count)
{
    uint64_t end = 0, size = ld->elf.sections[section].size;
    int err = 0;

    ebpf_loader_sort(infos, count, sizeof(*infos), secinfo_less);
    for (uint32_t i = 0; !err && i < count; i++) {
        if (infos[i].offset > size || size - infos[i].offset < infos[i].size)
            return ebpf_elf_refuse(&ld->elf, section, infos[i].offset, -EINVAL,
                                   "map size 0x%x exceeds the section's 0x%llx bytes",
                                   infos[i].size, (unsigned long long)size);
        if (infos[i].offset < end || !infos[i].size)
            return ebpf_elf_refuse(&ld->elf, section, infos[i].offset, -EINVAL,
                                   "map overlaps the one in front of it");
        end = (uint64_t)infos[i].offset + infos[i].size;
        err = add_map(ld, section, &infos[i]);
    }
    return err;
}

int ebpf_loader_btf_maps(struct ebpf_loader *ld, const struct ebpf_elf_btf_type *datasec)
{
    uint32_t section = ebpf_loader_section(&ld->elf, EBPF_SEC_MAPS);
    size_t size = datasec->vlen * sizeof(struct ebpf_elf_btf_secinfo);
    struct ebpf_elf_btf_secinfo *infos;
    int err;

    if (!datasec->vlen)
        return 0;
    infos = ebpf_alloc(size);
    if (!infos)
        return -ENOMEM;
    for (uint32_t i = 0; i < datasec->vlen; i++)
        ebpf_elf_btf_secinfo(datasec, i, &infos[i]);
    err = add_maps(ld, section, infos, datasec->vlen);
    ebpf_free(infos, size);
    return err;
}
