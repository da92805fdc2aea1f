/* SPDX-License-Identifier: MIT */
/*
 * Relocations, as Documentation/bpf/llvm_reloc.rst defines them (S: the symbol's value, A: what the
 * place holds):
 *
 *   R_BPF_64_64        LD_IMM64: a map, global data, a function, a constant
 *   R_BPF_64_32        CALL: a function; A counts instructions, from the one behind
 *   R_BPF_64_ABS64/32  a word of data: debug information; pointers in global data, which mean
 *   nothing in a map
 *   R_BPF_64_NODYLD32  a word of .BTF or .BTF.ext: an offset in the symbol's section
 *
 * Sections that are not loaded get their relocations checked, not applied.
 */
#include "src/loader/loader.h"

#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/base/fmt.h"

#define INSN sizeof(struct bpf_insn)
/* src_reg of a call whose imm has become an index into obj->funcs: no object may hold it
 * (check_insns) */
#define CALL_RESOLVED 15

/* One relocation with all that belongs to it. */
struct site {
    struct ebpf_loader *ld;
    const struct ebpf_elf *elf;
    uint32_t target; /* the section that is relocated */
    struct ebpf_elf_rel rel;
    struct ebpf_elf_symbol sym;
};

/* Names the place, not the table's entry: that is what a disassembly shows. */
__attribute__((format(printf, 3, 4))) static int refuse(const struct site *site, int err,
                                                        const char *format, ...)
{
    char why[96];
    va_list args;

    va_start(args, format);
    ebpf_vformat(why, sizeof(why), format, args);
    va_end(args);
    return ebpf_elf_refuse(site->elf, site->target, site->rel.offset, err,
                           "relocation %u against %.40s: %s", site->rel.type, site->sym.name, why);
}

static int read_site(struct site *site, uint32_t section, size_t index)
{
    int err = ebpf_elf_rel(site->elf, section, index, &site->rel);

    if (!err)
        ebpf_elf_symbol(site->elf, site->rel.symbol, &site->sym);
    return err;
}

/* Every type, and whether the word lies in the section. *width: 4 or 8 bytes; 0: nothing to do */
static int check_site(const struct site *site, size_t *width)
{
    const struct ebpf_elf_section *sec = &site->elf->sections[site->target];

    switch (site->rel.type) {
    case EBPF_R_BPF_NONE:
        *width = 0;
        return 0;
    case EBPF_R_BPF_64_64:
    case EBPF_R_BPF_64_ABS64:
        *width = 8;
        break;
    case EBPF_R_BPF_64_ABS32:
    case EBPF_R_BPF_64_NODYLD32:
    case EBPF_R_BPF_64_32:
        *width = 4;
        break;
    default:
        return refuse(site, -EOPNOTSUPP, "unknown type");
    }
    /* the offsets inside compressed sections, which are not loaded, count uncompressed bytes */
    if (sec->flags & EBPF_SHF_COMPRESSED)
        return 0;
    if (!sec->data || site->rel.offset > sec->size || sec->size - site->rel.offset < *width)
        return refuse(site, -ENOEXEC, "outside the section's 0x%llx bytes",
                      (unsigned long long)(sec->data ? sec->size : 0));
    return 0;
}

/* ---- words of data --------------------------------------------------------------------------- */

static void add_to_word(uint8_t *place, size_t width, uint64_t value)
{
    uint64_t word = 0;

    memcpy(&word, place, width);
    word += value;
    memcpy(place, &word, width);
}

/* In BTF every type of relocation is a word: LLVM before 13 wrote R_BPF_64_32 where it now writes
 * NODYLD32. What is defined elsewhere (SHN_UNDEF) has the value 0. */
static int apply_all(struct site *site, uint32_t section, uint8_t *data)
{
    size_t count, width;
    int err = ebpf_elf_rel_check(site->elf, section, &count);

    for (size_t i = 0; !err && i < count; i++) {
        err = read_site(site, section, i);
        if (!err)
            err = check_site(site, &width);
        if (!err && width)
            add_to_word(data + site->rel.offset, width, site->sym.value);
    }
    return err;
}

static bool is_relocation(const struct ebpf_elf_section *sec)
{
    return sec->type == EBPF_SHT_REL || sec->type == EBPF_SHT_RELA;
}

int ebpf_loader_relocated(const struct ebpf_elf *elf, uint32_t section, uint8_t **out)
{
    struct site site = {.elf = elf, .target = section};
    uint8_t *data = ebpf_memdup(elf->sections[section].data, elf->sections[section].size);
    int err = 0;

    if (!data)
        return -ENOMEM;
    for (uint32_t i = 1; !err && i < elf->section_cnt; i++) {
        if (is_relocation(&elf->sections[i]) && elf->sections[i].info == section)
            err = apply_all(&site, i, data);
    }
    if (err)
        ebpf_free(data, elf->sections[section].size);
    else
        *out = data;
    return err;
}

/* A constant can be stored. The address of anything else is known only to the kernel, and a program
 * that loads it from a map gets a number, not a pointer: libbpf leaves such words as they are,
 * which is worse than saying so. */
static int relocate_data(const struct site *site, size_t width)
{
    struct ebpf_object *obj = site->ld->obj;
    uint32_t map = ebpf_loader_map_at(obj, site->target, 0);

    if (site->sym.section != EBPF_SHN_ABS ||
        (site->rel.type != EBPF_R_BPF_64_ABS64 && site->rel.type != EBPF_R_BPF_64_ABS32))
        return refuse(site, -EOPNOTSUPP, "pointers in global data are not supported");
    if (map == EBPF_LOADER_NONE)
        return refuse(site, -ENOENT, "no global data here");
    add_to_word(obj->maps[map].initial + site->rel.offset, width, site->sym.value);
    return 0;
}

/* ---- instructions ---------------------------------------------------------------------------- */

/* Index in obj->funcs of the function that begins at an instruction of a section. */
static int find_func(const struct site *site, uint32_t section, int64_t insn, int32_t *out)
{
    const struct ebpf_object *obj = site->ld->obj;
    uint32_t func = EBPF_LOADER_NONE;

    if (insn >= 0)
        func = ebpf_loader_func_at(obj, section, (uint64_t)insn);
    if (func == EBPF_LOADER_NONE || obj->funcs[func].start != insn)
        return refuse(site, -ENOENT, "no function begins at instruction %lld", (long long)insn);
    *out = (int32_t)func;
    return 0;
}

static int relocate_call(const struct site *site, struct bpf_insn *insn)
{
    int err;

    if (insn->code != (BPF_JMP | BPF_CALL) || insn->src_reg != BPF_PSEUDO_CALL)
        return refuse(site, -ENOEXEC, "not at a call of a function");
    if (site->sym.value % INSN || site->elf->sections[site->sym.section].kind != EBPF_SEC_CODE)
        return refuse(site, -ENOENT, "not a function");
    err = find_func(site, site->sym.section, (int64_t)(site->sym.value / INSN) + insn->imm + 1,
                    &insn->imm);
    if (!err)
        insn->src_reg = CALL_RESOLVED;
    return err;
}

static int refer_to_map(const struct site *site, struct bpf_insn *insn, int64_t offset)
{
    uint32_t map = EBPF_LOADER_NONE;

    if (offset >= 0)
        map = ebpf_loader_map_at(site->ld->obj, site->sym.section, (uint64_t)offset);
    if (map == EBPF_LOADER_NONE)
        return refuse(site, -ENOENT, "no map begins at 0x%llx", (unsigned long long)offset);
    insn[0].src_reg = BPF_PSEUDO_MAP_IDX;
    insn[0].imm = (int32_t)map;
    insn[1].imm = 0;
    return 0;
}

static int refer_to_data(const struct site *site, struct bpf_insn *insn, int64_t offset)
{
    uint32_t map = ebpf_loader_map_at(site->ld->obj, site->sym.section, 0);

    if (map == EBPF_LOADER_NONE || offset < 0 || offset >= site->ld->obj->maps[map].spec.value_size)
        return refuse(site, -EINVAL, "byte %lld is not in section %.32s", (long long)offset,
                      site->elf->sections[site->sym.section].name);
    insn[0].src_reg = BPF_PSEUDO_MAP_IDX_VALUE;
    insn[0].imm = (int32_t)map;
    insn[1].imm = (int32_t)offset;
    return 0;
}

static int refer_to_func(const struct site *site, struct bpf_insn *insn, int64_t offset)
{
    int err;

    if (offset < 0 || offset % (int64_t)INSN)
        return refuse(site, -ENOENT, "not a function");
    err = find_func(site, site->sym.section, offset / (int64_t)INSN, &insn->imm);
    if (err)
        return err;
    insn[0].src_reg = BPF_PSEUDO_FUNC;
    insn[1].imm = 0;
    return 0;
}

/* A constant: S + A, in all 64 bits. */
static int refer_to_number(struct bpf_insn *insn, uint64_t symbol)
{
    uint64_t value = symbol + (uint64_t)(int64_t)insn[0].imm;

    insn[0].src_reg = 0;
    insn[0].imm = (int32_t)(uint32_t)value;
    insn[1].imm = (int32_t)(uint32_t)(value >> 32);
    return 0;
}

/* The function cannot be had here; others of the object can. */
static int spoil(const struct site *site, int err, const char *why)
{
    struct ebpf_object *obj = site->ld->obj;
    uint32_t func = ebpf_loader_func_at(obj, site->target, site->rel.offset / INSN);

    return ebpf_loader_spoil(site->ld, &obj->funcs[func], site->rel.offset, err,
                             "relocation %u against %.40s: %.60s", site->rel.type, site->sym.name,
                             why);
}

/* What the object does not define comes from Linux: its variables, configuration and functions. A
 * weak constant is 0 then, as with libbpf. */
static int refer_to_nothing(const struct site *site, struct bpf_insn *insn)
{
    if (site->sym.bind == EBPF_STB_WEAK && insn->code == (BPF_LD | BPF_IMM | BPF_DW)) {
        insn[0].src_reg = 0;
        insn[0].imm = insn[1].imm = 0;
        return 0;
    }
    return spoil(site, -ENOENT, "the object does not define it");
}

static int relocate_imm64(const struct site *site, struct bpf_insn *insn)
{
    int64_t offset = (int64_t)site->sym.value + insn->imm;

    if (insn->code != (BPF_LD | BPF_IMM | BPF_DW))
        return refuse(site, -ENOEXEC, "not at a 64-bit constant");
    if (insn->src_reg > BPF_PSEUDO_MAP_FD)
        return refuse(site, -ENOEXEC, "relocated already");
    if (site->sym.section == EBPF_SHN_ABS)
        return refer_to_number(insn, site->sym.value);
    switch (site->elf->sections[site->sym.section].kind) {
    case EBPF_SEC_MAPS:
    case EBPF_SEC_LEGACY_MAPS:
        return refer_to_map(site, insn, offset);
    case EBPF_SEC_DATA:
    case EBPF_SEC_RODATA:
        return refer_to_data(site, insn, offset);
    case EBPF_SEC_CODE:
        return refer_to_func(site, insn, offset);
    default:
        return spoil(site, -EOPNOTSUPP, "its section is not loaded");
    }
}

static int relocate_code(const struct site *site)
{
    const struct ebpf_object *obj = site->ld->obj;
    uint32_t func = ebpf_loader_func_at(obj, site->target, site->rel.offset / INSN);
    struct bpf_insn *insn;

    if (site->rel.offset % INSN)
        return refuse(site, -ENOEXEC, "not at an instruction");
    if (func == EBPF_LOADER_NONE) /* bytes that belong to no function are not loaded */
        return 0;
    insn = obj->insns + obj->funcs[func].insns + (site->rel.offset / INSN - obj->funcs[func].start);
    if (site->sym.section == EBPF_SHN_UNDEF)
        return refer_to_nothing(site, insn);
    if (site->rel.type == EBPF_R_BPF_64_64)
        return relocate_imm64(site, insn);
    if (site->rel.type == EBPF_R_BPF_64_32 && site->sym.section != EBPF_SHN_ABS)
        return relocate_call(site, insn);
    return refuse(site, -EOPNOTSUPP, "does not belong into instructions");
}

/* ---- calls that need no relocation ----------------------------------------------------------- */

/* Within a section the assembler may have filled in the distance by itself. */
static int resolve_call(struct site *site, struct ebpf_loader_func *func, uint32_t index)
{
    struct bpf_insn *insn = &site->ld->obj->insns[func->insns + index];
    int64_t callee = (int64_t)func->start + index + 1 + insn->imm;

    site->target = func->section;
    site->rel.offset = (uint64_t)(func->start + index) * INSN;
    if (insn->src_reg == BPF_PSEUDO_CALL && func->err) /* it may be a call of what is not there */
        insn->src_reg = 0;
    else if (insn->src_reg == BPF_PSEUDO_CALL)
        return find_func(site, func->section, callee, &insn->imm);
    if (insn->src_reg == CALL_RESOLVED)
        insn->src_reg = BPF_PSEUDO_CALL;
    return 0;
}

static int resolve_calls(struct site *site, struct ebpf_loader_func *func)
{
    const struct bpf_insn *insns = site->ld->obj->insns + func->insns;
    int err = 0;

    for (uint32_t i = 0; !err && i < func->insn_cnt; i++) {
        if (insns[i].code == (BPF_JMP | BPF_CALL))
            err = resolve_call(site, func, i);
        else if (insns[i].code == (BPF_LD | BPF_IMM | BPF_DW) &&
                 insns[i].src_reg == BPF_PSEUDO_MAP_FD)
            err = ebpf_loader_spoil(site->ld, func, (uint64_t)(func->start + i) * INSN, -EBADF,
                                    "map reference without relocation");
    }
    return err;
}

/* ---- all ------------------------------------------------------------------------------------- */

/* An element of values[]: the addend is in the word. */
static int relocate_value(const struct site *site)
{
    const char *why = "only addresses can be initial values";
    uint64_t target;

    if (site->rel.type == EBPF_R_BPF_64_ABS64) {
        memcpy(&target, site->elf->sections[site->target].data + site->rel.offset, sizeof(target));
        why = ebpf_loader_value_add(site->ld, site->target, site->rel.offset, &site->sym,
                                    target + site->sym.value);
    }
    return why ? refuse(site, -EOPNOTSUPP, "%s", why) : 0;
}

static int relocate_site(const struct site *site)
{
    size_t width;
    int err = check_site(site, &width);

    if (err || !width)
        return err;
    switch (site->elf->sections[site->target].kind) {
    case EBPF_SEC_CODE:
        return relocate_code(site);
    case EBPF_SEC_DATA:
    case EBPF_SEC_RODATA:
        return relocate_data(site, width);
    case EBPF_SEC_MAPS:
        return relocate_value(site);
    case EBPF_SEC_LEGACY_MAPS:
        return refuse(site, -EOPNOTSUPP, "initial contents of a map are not supported");
    case EBPF_SEC_LICENSE:
        return refuse(site, -EOPNOTSUPP, "not in a license");
    default:
        return 0;
    }
}

static int relocate_section(struct site *site, uint32_t section)
{
    enum ebpf_elf_kind kind;
    size_t count;
    int err = ebpf_elf_rel_check(site->elf, section, &count);

    if (err)
        return err;
    site->target = site->elf->sections[section].info;
    kind = site->elf->sections[site->target].kind;
    if (kind == EBPF_SEC_BTF || kind == EBPF_SEC_BTF_EXT) /* done when they were read */
        return 0;
    for (size_t i = 0; !err && i < count; i++) {
        err = read_site(site, section, i);
        if (!err)
            err = relocate_site(site);
    }
    return err;
}

int ebpf_loader_relocate(struct ebpf_loader *ld)
{
    struct site site = {.ld = ld, .elf = &ld->elf};
    int err = ebpf_loader_values_alloc(ld);

    for (uint32_t i = 1; !err && i < ld->elf.section_cnt; i++) {
        if (is_relocation(&ld->elf.sections[i]))
            err = relocate_section(&site, i);
    }
    site.sym = (struct ebpf_elf_symbol){.name = "its own section"};
    site.rel.type = EBPF_R_BPF_64_32;
    for (uint32_t i = 0; !err && i < ld->obj->func_cnt; i++)
        err = resolve_calls(&site, &ld->obj->funcs[i]);
    return err;
}
