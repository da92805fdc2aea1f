/* SPDX-License-Identifier: MIT */
/*
 * The object's BTF on its way into the kernel: .BTF as the compiler wrote it lacks what only a
 * linker knows, and the records of .BTF.ext count in sections, not in programs.
 */
#include "src/loader/loader.h"

#include "src/base/alloc.h"
#include "src/base/bits.h"

/* ---- .BTF ------------------------------------------------------------------------------------ */

/* Documentation/bpf/btf.rst: struct btf_type is name_off, info, size or type. */
#define TYPE_INFO 4u
#define TYPE_SIZE 8u
#define TAIL 12u
#define SECINFO 12u /* struct btf_var_secinfo: type, offset, size; struct btf_member is as large */

static uint32_t info_of(uint32_t kind, uint32_t vlen)
{
    return kind << 24 | vlen;
}

static void write_u32(uint8_t *p, uint32_t value)
{
    memcpy(p, &value, sizeof(value));
}

static uint8_t *type_at(const struct ebpf_loader *ld, uint32_t id)
{
    return ld->obj->btf_data + (size_t)(ld->btf.types - ld->btf.data) + ld->btf.offsets[id - 1];
}

static uint32_t section_called(const struct ebpf_elf *elf, const char *name)
{
    for (uint32_t i = 1; i < elf->section_cnt; i++) {
        if (ebpf_streq(elf->sections[i].name, name))
            return i;
    }
    return 0;
}

/* An INT for what has no type here; 0: the object knows none. */
static uint32_t find_int(const struct ebpf_loader *ld)
{
    for (uint32_t id = 1; id <= ld->btf.type_cnt; id++) {
        struct ebpf_elf_btf_type type;

        if (!ebpf_elf_btf_type(&ld->btf, id, &type) && type.kind == EBPF_BTF_INT &&
            type.size_or_type == 4)
            return id;
    }
    return 0;
}

/* A variable or function of Linux's that the object only names: kernels refuse declarations. As
 * libbpf: the variable becomes an integer type, and the function a name for its prototype. */
static void drop_extern(const struct ebpf_loader *ld, uint32_t id)
{
    struct ebpf_elf_btf_type type;
    uint8_t *p;

    if (!id || ebpf_elf_btf_type(&ld->btf, id, &type))
        return;
    p = type_at(ld, id);
    if (type.kind == EBPF_BTF_VAR) {
        write_u32(p + TYPE_INFO, info_of(EBPF_BTF_INT, 0));
        write_u32(p + TYPE_SIZE, 4);
        write_u32(p + TAIL, 32); /* bits */
    } else if (type.kind == EBPF_BTF_FUNC) {
        write_u32(p + TYPE_INFO, info_of(EBPF_BTF_TYPEDEF, 0));
    }
}

/* The section of such names becomes a struct of integers: of the same length, and nobody's. */
static void drop_datasec(const struct ebpf_loader *ld, const struct ebpf_elf_btf_type *type,
                         uint32_t int_id)
{
    uint8_t *p = type_at(ld, type->id);

    for (uint32_t i = 0; i < type->vlen; i++) {
        uint8_t *member = p + TAIL + (size_t)i * SECINFO;

        drop_extern(ld, ebpf_read_u32(member));
        write_u32(member, 0);
        write_u32(member + 4, int_id);
        write_u32(member + 8, i * 32);
    }
    write_u32(p, 0);
    write_u32(p + TYPE_INFO, info_of(EBPF_BTF_STRUCT, type->vlen));
    write_u32(p + TYPE_SIZE, type->vlen * 4);
}

/* Compilers leave the size of a DATASEC 0. */
static void fix_datasec(const struct ebpf_loader *ld, const struct ebpf_elf_btf_type *type,
                        uint32_t int_id)
{
    uint32_t section = section_called(&ld->elf, type->name);

    if (section && ld->elf.sections[section].size && ld->elf.sections[section].size <= UINT32_MAX)
        write_u32(type_at(ld, type->id) + TYPE_SIZE, (uint32_t)ld->elf.sections[section].size);
    else
        drop_datasec(ld, type, int_id);
}

int ebpf_loader_btf_keep(struct ebpf_loader *ld)
{
    uint32_t int_id;

    if (!ld->btf.data)
        return 0;
    int_id = find_int(ld);
    if (!int_id) /* nothing that a program could want to know */
        return 0;
    ld->obj->btf_data = ebpf_memdup(ld->btf.data, ld->btf.size);
    if (!ld->obj->btf_data)
        return -ENOMEM;
    ld->obj->btf_size = (uint32_t)ld->btf.size;
    for (uint32_t id = 1; id <= ld->btf.type_cnt; id++) {
        struct ebpf_elf_btf_type type;

        if (!ebpf_elf_btf_type(&ld->btf, id, &type) && type.kind == EBPF_BTF_DATASEC)
            fix_datasec(ld, &type, int_id);
    }
    return 0;
}

/* ---- .BTF.ext -------------------------------------------------------------------------------- */

/* The first record about an instruction of the section, from that one on. */
static uint32_t first_info(const struct ebpf_loader_infos *infos, uint32_t section, uint32_t insn)
{
    uint32_t low = 0, high = infos->cnt;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        const struct ebpf_loader_info *info = &infos->list[mid];

        if (info->section < section || (info->section == section && info->insn < insn))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool is_inside(const struct ebpf_loader_infos *infos, uint32_t i,
                      const struct ebpf_loader_func *func)
{
    return i < infos->cnt && infos->list[i].section == func->section &&
           infos->list[i].insn < func->start + func->insn_cnt;
}

/* One record for each function, or none at all: a kernel takes nothing between. */
static int take_funcs(const struct ebpf_object *obj, uint32_t func, struct bpf_func_info *out,
                      uint32_t *cnt)
{
    for (uint32_t f = func; f != EBPF_LOADER_NONE; f = obj->funcs[f].next) {
        const struct ebpf_loader_func *fn = &obj->funcs[f];
        uint32_t i = first_info(&obj->func_infos, fn->section, fn->start);

        if (!is_inside(&obj->func_infos, i, fn) || obj->func_infos.list[i].insn != fn->start)
            return -ENOENT;
        if (out)
            out[*cnt] = (struct bpf_func_info){.insn_off = fn->position,
                                               .type_id = obj->func_infos.list[i].words[0]};
        ++*cnt;
    }
    return 0;
}

/* Lines in rising order, each function's first one at its start. */
static int take_lines(const struct ebpf_object *obj, uint32_t func, struct bpf_line_info *out,
                      uint32_t *cnt)
{
    for (uint32_t f = func; f != EBPF_LOADER_NONE; f = obj->funcs[f].next) {
        const struct ebpf_loader_func *fn = &obj->funcs[f];
        uint32_t i = first_info(&obj->line_infos, fn->section, fn->start), last = UINT32_MAX;

        if (!is_inside(&obj->line_infos, i, fn) || obj->line_infos.list[i].insn != fn->start)
            return -ENOENT;
        for (; is_inside(&obj->line_infos, i, fn); i++) {
            const struct ebpf_loader_info *info = &obj->line_infos.list[i];

            if (info->insn == last)
                continue;
            last = info->insn;
            if (out)
                out[*cnt] =
                    (struct bpf_line_info){.insn_off = fn->position + info->insn - fn->start,
                                           .file_name_off = info->words[0],
                                           .line_off = info->words[1],
                                           .line_col = info->words[2]};
            ++*cnt;
        }
    }
    return 0;
}

int ebpf_loader_infos(const struct ebpf_object *obj, uint32_t func, struct ebpf_prog_spec *spec)
{
    struct bpf_func_info *funcs;
    struct bpf_line_info *lines;
    uint32_t cnt = 0;

    spec->btf = obj->btf;
    if (!obj->btf || take_funcs(obj, func, NULL, &cnt))
        return 0;
    funcs = ebpf_calloc(cnt, sizeof(*funcs));
    if (!funcs)
        return -ENOMEM;
    spec->func_info = funcs;
    spec->func_info_cnt = cnt;
    cnt = 0;
    take_funcs(obj, func, funcs, &cnt);
    cnt = 0;
    if (take_lines(obj, func, NULL, &cnt))
        return 0;
    lines = ebpf_calloc(cnt, sizeof(*lines));
    if (!lines)
        return -ENOMEM;
    spec->line_info = lines;
    spec->line_info_cnt = cnt;
    cnt = 0;
    take_lines(obj, func, lines, &cnt);
    return 0;
}

void ebpf_loader_infos_free(struct ebpf_prog_spec *spec)
{
    ebpf_free((void *)(uintptr_t)spec->func_info, spec->func_info_cnt * sizeof(*spec->func_info));
    ebpf_free((void *)(uintptr_t)spec->line_info, spec->line_info_cnt * sizeof(*spec->line_info));
}
