/* SPDX-License-Identifier: MIT */
/*
 * .BTF.ext: what the compiler says of functions and lines, for the verifier and its log, and CO-RE
 * relocations: this build cannot apply those, so it finds out which functions need them; link.c
 * refuses them. Format: Documentation/bpf/btf.rst, "The .BTF.ext section".
 */
#include "src/loader/loader.h"

#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/loader/sort.h"

#define BTF_MAGIC 0xeb9f
#define CORE_RECORD 16u /* struct bpf_core_relo: insn_off, type_id, access_str_off, kind */
#define FUNC_RECORD sizeof(struct bpf_func_info)
#define LINE_RECORD sizeof(struct bpf_line_info)
#define INSN sizeof(struct bpf_insn)

/* struct btf_ext_header; the last pair only if hdr_len covers it */
struct header {
    uint16_t magic;
    uint8_t version, flags;
    uint32_t hdr_len;
    uint32_t func_info_off, func_info_len, line_info_off, line_info_len;
    uint32_t core_relo_off, core_relo_len;
};
#define OLD_HEADER offsetof(struct header, core_relo_off)

struct ext {
    struct ebpf_loader *ld;
    uint32_t section;
    const uint8_t *data;
    size_t size;
};

static int check_part(const struct ext *ext, const struct header *h, uint32_t off, uint32_t len,
                      const char *what)
{
    size_t room = ext->size - h->hdr_len;

    if (off > room || room - off < len)
        return ebpf_elf_refuse(&ext->ld->elf, ext->section, 0, -ENOEXEC,
                               "%s 0x%x+0x%x exceeds 0x%llx bytes", what, off, len,
                               (unsigned long long)room);
    return 0;
}

static int check_header(const struct ext *ext, struct header *h)
{
    int err;

    *h = (struct header){0};
    if (ext->size < OLD_HEADER)
        return ebpf_elf_refuse(&ext->ld->elf, ext->section, 0, -ENOEXEC, "truncated header");
    memcpy(h, ext->data, OLD_HEADER);
    if (h->magic != BTF_MAGIC || h->version != 1)
        return ebpf_elf_refuse(&ext->ld->elf, ext->section, 0, -ENOEXEC, "magic 0x%x version %u",
                               h->magic, h->version);
    if (h->hdr_len < OLD_HEADER || h->hdr_len > ext->size)
        return ebpf_elf_refuse(&ext->ld->elf, ext->section, 4, -ENOEXEC, "header of %u bytes",
                               h->hdr_len);
    memcpy(h, ext->data, ebpf_min(sizeof(*h), h->hdr_len));
    err = check_part(ext, h, h->func_info_off, h->func_info_len, "function information");
    if (!err)
        err = check_part(ext, h, h->line_info_off, h->line_info_len, "line information");
    if (!err)
        err = check_part(ext, h, h->core_relo_off, h->core_relo_len, "CO-RE relocations");
    return err;
}

/* ---- sections by name: sorted, because an object may have many ------------------------------- */

struct named {
    const char *name;
    uint32_t section;
};

static int compare(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

static int named_less(const void *a, const void *b)
{
    return compare(((const struct named *)a)->name, ((const struct named *)b)->name) < 0;
}

/* The code sections' names, as many as exist; list may be NULL to count them. */
static uint32_t code_sections(const struct ebpf_elf *elf, struct named *list)
{
    uint32_t count = 0;

    for (uint32_t i = 1; i < elf->section_cnt; i++) {
        if (elf->sections[i].kind != EBPF_SEC_CODE)
            continue;
        if (list)
            list[count] = (struct named){elf->sections[i].name, i};
        count++;
    }
    return count;
}

static const struct named *find_name(const struct named *list, uint32_t count, const char *name)
{
    uint32_t low = 0, high = count;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int order = compare(list[mid].name, name);

        if (!order)
            return &list[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static bool is_ambiguous(const struct named *list, uint32_t count, const struct named *found)
{
    return (found > list && !compare(found[-1].name, found->name)) ||
           (found + 1 < list + count && !compare(found[1].name, found->name));
}

static int find_section(const struct ext *ext, const struct named *list, uint32_t count,
                        uint32_t at, uint32_t *section)
{
    const char *name = ebpf_elf_btf_string(&ext->ld->btf, ebpf_read_u32(ext->data + at));
    const struct named *found = name ? find_name(list, count, name) : NULL;

    if (!found)
        return ebpf_elf_refuse(&ext->ld->elf, ext->section, at, -ENOENT,
                               "records of a section that does not exist: %.48s",
                               name ? name : "name out of bounds");
    if (is_ambiguous(list, count, found))
        return ebpf_elf_refuse(&ext->ld->elf, ext->section, at, -EOPNOTSUPP,
                               "records of one of several sections called %.48s", name);
    *section = found->section;
    return 0;
}

/* ---- records --------------------------------------------------------------------------------- */

/* What is done with a record at a place of .BTF.ext that is about an instruction of a section. */
typedef void (*visit_fn)(const struct ext *ext, uint32_t section, uint32_t at);

/* A place in no function belongs to a weak one that the linker replaced: libbpf skips it as
 * well. */
static void mark_core(const struct ext *ext, uint32_t section, uint32_t at)
{
    struct ebpf_object *obj = ext->ld->obj;
    uint32_t func = ebpf_loader_func_at(obj, section, ebpf_read_u32(ext->data + at) / INSN);

    if (func != EBPF_LOADER_NONE && obj->funcs[func].core_offset == EBPF_LOADER_NONE)
        obj->funcs[func].core_offset = at;
}

static struct ebpf_loader_info *add_info(struct ebpf_loader_infos *infos, uint32_t section,
                                         const uint8_t *record)
{
    struct ebpf_loader_info *info = &infos->list[infos->cnt++];

    info->section = section;
    info->insn = ebpf_read_u32(record) / (uint32_t)INSN;
    return info;
}

static void take_func(const struct ext *ext, uint32_t section, uint32_t at)
{
    struct ebpf_loader_info *info = add_info(&ext->ld->obj->func_infos, section, ext->data + at);

    info->words[0] = ebpf_read_u32(ext->data + at + 4);
}

static void take_line(const struct ext *ext, uint32_t section, uint32_t at)
{
    struct ebpf_loader_info *info = add_info(&ext->ld->obj->line_infos, section, ext->data + at);

    for (unsigned i = 0; i < 3; i++)
        info->words[i] = ebpf_read_u32(ext->data + at + 4 + 4 * i);
}

/* One btf_ext_info_sec: sec_name_off, num_info, and that many records. *at moves behind it. */
static int read_group(const struct ext *ext, const struct named *list, uint32_t count,
                      uint32_t record, uint32_t *at, uint32_t end, visit_fn visit)
{
    uint32_t number, section = 0, begin = *at + 8;
    uint64_t length;
    int err;

    if (end - *at < 8)
        return ebpf_elf_refuse(&ext->ld->elf, ext->section, *at, -ENOEXEC, "truncated records");
    number = ebpf_read_u32(ext->data + *at + 4);
    length = (uint64_t)number * record;
    if (!number || length > end - begin)
        return ebpf_elf_refuse(&ext->ld->elf, ext->section, *at, -ENOEXEC,
                               "%u records of %u bytes exceed 0x%x bytes", number, record,
                               end - begin);
    err = find_section(ext, list, count, *at, &section);
    for (uint32_t i = 0; !err && i < number; i++)
        visit(ext, section, begin + i * record);
    *at = begin + (uint32_t)length;
    return err;
}

static int read_groups(const struct ext *ext, uint32_t at, uint32_t end, size_t least,
                       visit_fn visit)
{
    uint32_t count = code_sections(&ext->ld->elf, NULL), record = 0;
    struct named *list;
    int err = 0;

    if (end - at >= 4)
        record = ebpf_read_u32(ext->data + at);
    if (record < least || record % 4)
        return ebpf_elf_refuse(&ext->ld->elf, ext->section, at, -ENOEXEC, "records of %u bytes",
                               record);
    if (!count)
        return 0;
    list = ebpf_calloc(count, sizeof(*list));
    if (!list)
        return -ENOMEM;
    code_sections(&ext->ld->elf, list);
    ebpf_loader_sort(list, count, sizeof(*list), named_less);
    for (at += 4; !err && at < end;)
        err = read_group(ext, list, count, record, &at, end, visit);
    ebpf_free(list, count * sizeof(*list));
    return err;
}

static int info_less(const void *a, const void *b)
{
    const struct ebpf_loader_info *x = a, *y = b;

    return x->section != y->section ? x->section < y->section : x->insn < y->insn;
}

static int read_infos(const struct ext *ext, struct ebpf_loader_infos *infos, uint32_t at,
                      uint32_t len, size_t least, visit_fn visit)
{
    int err;

    if (len / least == 0)
        return 0;
    infos->room = len / (uint32_t)least;
    infos->list = ebpf_calloc(infos->room, sizeof(*infos->list));
    if (!infos->list)
        return -ENOMEM;
    err = read_groups(ext, at, at + len, least, visit);
    if (!err)
        ebpf_loader_sort(infos->list, infos->cnt, sizeof(*infos->list), info_less);
    return err;
}

static int read_ext(const struct ext *ext)
{
    struct header h;
    int err = check_header(ext, &h);

    if (!err && h.core_relo_len)
        err = read_groups(ext, h.hdr_len + h.core_relo_off,
                          h.hdr_len + h.core_relo_off + h.core_relo_len, CORE_RECORD, mark_core);
    if (!err)
        err = read_infos(ext, &ext->ld->obj->func_infos, h.hdr_len + h.func_info_off,
                         h.func_info_len, FUNC_RECORD, take_func);
    if (!err)
        err = read_infos(ext, &ext->ld->obj->line_infos, h.hdr_len + h.line_info_off,
                         h.line_info_len, LINE_RECORD, take_line);
    return err;
}

int ebpf_loader_ext(struct ebpf_loader *ld)
{
    struct ext ext = {.ld = ld, .section = ebpf_loader_section(&ld->elf, EBPF_SEC_BTF_EXT)};
    uint8_t *data;
    int err;

    /* without .BTF it has neither types nor strings: libbpf ignores it then */
    if (!ext.section || !ld->btf.data || !ld->elf.sections[ext.section].size)
        return 0;
    ext.size = ld->elf.sections[ext.section].size;
    if (ext.size > UINT32_MAX)
        return ebpf_elf_refuse(&ld->elf, ext.section, 0, -E2BIG, "too large");
    err = ebpf_loader_relocated(&ld->elf, ext.section, &data);
    if (err)
        return err;
    ld->obj->btf_ext_section = ext.section;
    ext.data = data;
    err = read_ext(&ext);
    ebpf_free(data, ext.size);
    return err;
}
