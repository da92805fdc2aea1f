/* SPDX-License-Identifier: MIT */
/* The functions of an object, and which of them are programs. */
#include "src/loader/loader.h"

#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/loader/sort.h"

#define INSN sizeof(struct bpf_insn)

/* While functions are sorted, what their symbols said stays with them. */
struct found {
    uint32_t section, symbol;
    uint64_t offset, size;
};

static int found_less(const void *a, const void *b)
{
    const struct found *x = a, *y = b;

    return x->section != y->section ? x->section < y->section : x->offset < y->offset;
}

/* Function symbols of code sections, as many as exist; list may be NULL to count them. */
static uint32_t find_symbols(const struct ebpf_elf *elf, struct found *list)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < elf->symbol_cnt; i++) {
        struct ebpf_elf_symbol sym;

        ebpf_elf_symbol(elf, i, &sym);
        if (sym.type != EBPF_STT_FUNC || sym.section >= elf->section_cnt ||
            elf->sections[sym.section].kind != EBPF_SEC_CODE)
            continue;
        if (list)
            list[count] = (struct found){sym.section, i, sym.value, sym.size};
        count++;
    }
    return count;
}

static int check_found(const struct ebpf_loader *ld, const struct found *f,
                       const struct found *prev)
{
    struct ebpf_elf_symbol sym;

    ebpf_elf_symbol(&ld->elf, f->symbol, &sym);
    if (!f->size || f->size % INSN || f->offset % INSN)
        return ebpf_elf_refuse(&ld->elf, f->section, f->offset, -ENOEXEC,
                               "function %.64s: 0x%llx bytes are no whole instructions", sym.name,
                               (unsigned long long)f->size);
    if (prev && prev->section == f->section && f->offset - prev->offset < prev->size)
        return ebpf_elf_refuse(&ld->elf, f->section, f->offset, -ENOEXEC,
                               "function %.64s overlaps the one in front of it", sym.name);
    if (!sym.name[0] || ebpf_strnlen(sym.name, EBPF_ELF_NAME_MAX + 1) > EBPF_ELF_NAME_MAX)
        return ebpf_elf_refuse(&ld->elf, f->section, f->offset, -ENOEXEC,
                               "function without a usable name");
    return 0;
}

/* ---- instructions ---------------------------------------------------------------------------- */

/* What relocations build on: two-slot constants are whole, and no pseudo register is set but those
 * that compilers set in front of relocation: 1 (call; map reference by old LLVM). */
static int check_insns(const struct ebpf_loader *ld, const struct ebpf_loader_func *func)
{
    const struct bpf_insn *insns = ld->obj->insns + func->insns;

    for (uint32_t i = 0; i < func->insn_cnt; i++) {
        uint64_t at = (uint64_t)(func->start + i) * INSN;
        bool wide = insns[i].code == (BPF_LD | BPF_IMM | BPF_DW);

        if (!wide && insns[i].code != (BPF_JMP | BPF_CALL))
            continue;
        if (insns[i].src_reg > 1)
            return ebpf_elf_refuse(&ld->elf, func->section, at, -EINVAL,
                                   "pseudo register %u in an object", insns[i].src_reg);
        if (wide && (++i == func->insn_cnt || insns[i].code))
            return ebpf_elf_refuse(&ld->elf, func->section, at, -ENOEXEC,
                                   "two-slot instruction without its second slot");
    }
    return 0;
}

static int take_insns(struct ebpf_loader *ld)
{
    struct ebpf_object *obj = ld->obj;
    int err = 0;

    obj->insns = ebpf_calloc(obj->insn_cnt, INSN);
    if (!obj->insns)
        return -ENOMEM;
    for (uint32_t i = 0; !err && i < obj->func_cnt; i++) {
        const struct ebpf_loader_func *func = &obj->funcs[i];

        memcpy(obj->insns + func->insns, ld->elf.sections[func->section].data + func->start * INSN,
               func->insn_cnt * INSN);
        err = check_insns(ld, func);
    }
    return err;
}

/* ---- functions ------------------------------------------------------------------------------- */

static int add_funcs(struct ebpf_loader *ld, struct found *list, uint32_t count)
{
    struct ebpf_object *obj = ld->obj;
    uint64_t total = 0;

    ebpf_loader_sort(list, count, sizeof(*list), found_less);
    for (uint32_t i = 0; i < count; i++) {
        int err = check_found(ld, &list[i], i ? &list[i - 1] : NULL);

        if (err)
            return err;
        if (list[i].offset / INSN + list[i].size / INSN + total > INT32_MAX)
            return ebpf_elf_refuse(&ld->elf, list[i].section, list[i].offset, -E2BIG,
                                   "too many instructions");
        obj->funcs[i] = (struct ebpf_loader_func){.section = list[i].section,
                                                  .start = (uint32_t)(list[i].offset / INSN),
                                                  .insn_cnt = (uint32_t)(list[i].size / INSN),
                                                  .insns = (uint32_t)total,
                                                  .core_offset = EBPF_LOADER_NONE,
                                                  .next = EBPF_LOADER_NONE};
        total += list[i].size / INSN;
    }
    obj->insn_cnt = (uint32_t)total;
    return take_insns(ld);
}

uint32_t ebpf_loader_func_at(const struct ebpf_object *obj, uint32_t section, uint64_t insn)
{
    uint32_t low = 0, high = obj->func_cnt;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        const struct ebpf_loader_func *func = &obj->funcs[mid];

        if (func->section > section || (func->section == section && func->start > insn))
            high = mid;
        else if (func->section < section || insn - func->start >= func->insn_cnt)
            low = mid + 1;
        else
            return mid;
    }
    return EBPF_LOADER_NONE;
}

int ebpf_loader_spoil(struct ebpf_loader *ld, struct ebpf_loader_func *func, uint64_t offset,
                      int err, const char *format, ...)
{
    char line[EBPF_CONFIG_LOG_LINE];
    va_list args;

    if (func->err)
        return 0;
    va_start(args, format);
    ebpf_elf_describe(&ld->elf, line, func->section, offset, format, args);
    va_end(args);
    func->why = ebpf_loader_strdup(line);
    func->err = err;
    return func->why ? 0 : -ENOMEM;
}

/* ---- programs -------------------------------------------------------------------------------- */

/* As libbpf: functions of .text are there to be called, unless a single one is all that the object
 * has; elsewhere the static ones are. */
static bool is_prog(const struct ebpf_loader *ld, const struct found *f, uint32_t count)
{
    struct ebpf_elf_symbol sym;

    if (ebpf_streq(ld->elf.sections[f->section].name, ".text"))
        return count == 1;
    ebpf_elf_symbol(&ld->elf, f->symbol, &sym);
    return sym.bind != EBPF_STB_LOCAL;
}

static int add_prog(struct ebpf_loader *ld, const struct found *f, uint32_t func)
{
    struct ebpf_object *obj = ld->obj;
    struct ebpf_object_prog *prog = &obj->progs[obj->prog_cnt];
    const char *section = ld->elf.sections[f->section].name;
    struct ebpf_elf_symbol sym;

    *prog = (struct ebpf_object_prog){.obj = obj, .func = func, .autoload = true};
    if (section[0] == '?') { /* libbpf: not loaded unless asked for */
        section++;
        prog->autoload = false;
    }
    ebpf_elf_symbol(&ld->elf, f->symbol, &sym);
    prog->def = ebpf_loader_sec_def(section);
    if (prog->def) {
        prog->type = prog->def->type;
        prog->attach_type = prog->def->attach_type;
        prog->flags = prog->def->flags;
    }
    prog->name = ebpf_loader_strdup(sym.name);
    prog->section = ebpf_loader_strdup(section);
    obj->prog_cnt++;
    return prog->name && prog->section ? 0 : -ENOMEM;
}

static int add_progs(struct ebpf_loader *ld, const struct found *list, uint32_t count)
{
    struct ebpf_object *obj = ld->obj;
    uint32_t progs = 0;
    int err = 0;

    for (uint32_t i = 0; i < count; i++)
        progs += is_prog(ld, &list[i], count);
    if (!progs)
        return 0;
    obj->progs = ebpf_calloc(progs, sizeof(*obj->progs));
    if (!obj->progs)
        return -ENOMEM;
    obj->prog_room = progs;
    for (uint32_t i = 0; !err && i < count; i++) {
        if (is_prog(ld, &list[i], count))
            err = add_prog(ld, &list[i], i);
    }
    return err;
}

int ebpf_loader_funcs(struct ebpf_loader *ld)
{
    uint32_t count = find_symbols(&ld->elf, NULL);
    struct found *list;
    int err = -ENOMEM;

    if (!count)
        return 0;
    list = ebpf_calloc(count, sizeof(*list));
    if (!list)
        return -ENOMEM;
    find_symbols(&ld->elf, list);
    ld->obj->funcs = ebpf_calloc(count, sizeof(*ld->obj->funcs));
    if (!ld->obj->funcs)
        goto free_list;
    ld->obj->func_cnt = count;
    err = add_funcs(ld, list, count);
    if (!err)
        err = add_progs(ld, list, count);
free_list:
    ebpf_free(list, count * sizeof(*list));
    return err;
}
