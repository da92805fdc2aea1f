/* SPDX-License-Identifier: MIT */
/* The ELF reader; see elf.h. */
#include "src/loader/elf.h"

#include <ebpf/config.h>

#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/base/fmt.h"
#include "src/base/log.h"
#include "src/loader/sort.h"

/* Elf64_Ehdr, Elf64_Shdr, Elf64_Sym, Elf64_Rel: no padding, in the byte order of every target of
 * this library */
struct ehdr {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct shdr {
    uint32_t name, type;
    uint64_t flags, addr, offset, size;
    uint32_t link, info;
    uint64_t addralign, entsize;
};
struct sym {
    uint32_t name;
    uint8_t info, other;
    uint16_t shndx;
    uint64_t value, size;
};
struct rel {
    uint64_t offset, info;
};
_Static_assert(sizeof(struct ehdr) == 64 && sizeof(struct shdr) == 64, "ELF header layout");
_Static_assert(sizeof(struct sym) == 24 && sizeof(struct rel) == 16, "ELF table layout");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the reader copies little-endian words");

#define ET_REL 1
#define EM_BPF 247

/* ---- refusing -------------------------------------------------------------------------------- */

/* Names come from the object: nothing of theirs may reach a terminal as a control sequence. */
static void make_printable(char *line)
{
    for (char *c = line; *c; c++) {
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
    }
}

void ebpf_elf_describe(const struct ebpf_elf *elf, char line[EBPF_CONFIG_LOG_LINE],
                       uint32_t section, uint64_t offset, const char *format, va_list args)
{
    const char *name = section < elf->section_cnt ? elf->sections[section].name : NULL;
    int used = ebpf_format(line, EBPF_CONFIG_LOG_LINE,
                           "ebpf: elf: section %.40s (%u) offset 0x%llx: ", name ? name : "?",
                           section, (unsigned long long)offset);

    if (used > 0 && used < EBPF_CONFIG_LOG_LINE)
        ebpf_vformat(line + used, EBPF_CONFIG_LOG_LINE - (size_t)used, format, args);
    make_printable(line);
}

int ebpf_elf_refuse(const struct ebpf_elf *elf, uint32_t section, uint64_t offset, int err,
                    const char *format, ...)
{
    char line[EBPF_CONFIG_LOG_LINE];
    va_list args;

    va_start(args, format);
    ebpf_elf_describe(elf, line, section, offset, format, args);
    va_end(args);
    ebpf_log("%s", line);
    return err;
}

__attribute__((format(printf, 2, 3))) static int refuse_header(uint64_t offset, const char *format,
                                                               ...)
{
    char line[EBPF_CONFIG_LOG_LINE];
    int used = ebpf_format(line, sizeof(line),
                           "ebpf: elf: header offset 0x%llx: ", (unsigned long long)offset);
    va_list args;

    va_start(args, format);
    ebpf_vformat(line + used, sizeof(line) - (size_t)used, format, args);
    va_end(args);
    make_printable(line);
    ebpf_log("%s", line);
    return -ENOEXEC;
}

/* ---- headers --------------------------------------------------------------------------------- */

static int check_ident(const uint8_t *ident)
{
    static const uint8_t magic[4] = {0x7f, 'E', 'L', 'F'};

    if (memcmp(ident, magic, sizeof(magic)))
        return refuse_header(0, "not an ELF file");
    if (ident[4] != 2)
        return refuse_header(4, "not a 64-bit object (class %u)", ident[4]);
    if (ident[5] != 1)
        return refuse_header(5, "not little-endian (data %u)", ident[5]);
    if (ident[6] != 1)
        return refuse_header(6, "ELF version %u", ident[6]);
    return 0;
}

static int check_header(const struct ehdr *eh)
{
    int err = check_ident(eh->ident);

    if (err)
        return err;
    if (eh->type != ET_REL)
        return refuse_header(offsetof(struct ehdr, type), "type %u is not relocatable", eh->type);
    if (eh->machine != EM_BPF)
        return refuse_header(offsetof(struct ehdr, machine), "machine %u is not BPF (%u)",
                             eh->machine, EM_BPF);
    if (eh->version != 1)
        return refuse_header(offsetof(struct ehdr, version), "ELF version %u", eh->version);
    if (eh->ehsize != sizeof(struct ehdr))
        return refuse_header(offsetof(struct ehdr, ehsize), "header size %u", eh->ehsize);
    if (eh->shentsize != sizeof(struct shdr))
        return refuse_header(offsetof(struct ehdr, shentsize), "section header size %u",
                             eh->shentsize);
    return 0;
}

static void read_shdr(const struct ebpf_elf *elf, const struct ehdr *eh, uint32_t index,
                      struct shdr *out)
{
    memcpy(out, elf->image + eh->shoff + (size_t)index * sizeof(*out), sizeof(*out));
}

/* gABI, "Extended numbering": from 0xff00 sections on, the numbers are in section header 0. So many
 * are absurd here; the smaller numbers that an odd writer may have put there work. */
static int find_sections(struct ebpf_elf *elf, struct ehdr *eh, uint32_t *strings)
{
    struct shdr first;
    uint64_t count = eh->shnum;

    if (eh->shoff < sizeof(*eh) || eh->shoff > elf->image_size ||
        elf->image_size - eh->shoff < sizeof(first))
        return refuse_header(offsetof(struct ehdr, shoff),
                             "section headers at 0x%llx, outside the object's 0x%llx bytes",
                             (unsigned long long)eh->shoff, (unsigned long long)elf->image_size);
    read_shdr(elf, eh, 0, &first);
    if (!count)
        count = first.size;
    if (count >= EBPF_SHN_LORESERVE)
        return refuse_header(offsetof(struct ehdr, shnum), "%llu sections are too many",
                             (unsigned long long)count);
    if (!count || (elf->image_size - eh->shoff) / sizeof(first) < count)
        return refuse_header(offsetof(struct ehdr, shnum),
                             "%llu section headers at 0x%llx exceed the object's 0x%llx bytes",
                             (unsigned long long)count, (unsigned long long)eh->shoff,
                             (unsigned long long)elf->image_size);
    *strings = eh->shstrndx == EBPF_SHN_XINDEX ? first.link : eh->shstrndx;
    if (*strings == 0 || *strings >= count)
        return refuse_header(offsetof(struct ehdr, shstrndx), "section names in section %u of %llu",
                             *strings, (unsigned long long)count);
    elf->section_cnt = (uint32_t)count;
    return 0;
}

/* ---- sections -------------------------------------------------------------------------------- */

static int read_section(struct ebpf_elf *elf, const struct ehdr *eh, uint32_t index)
{
    struct ebpf_elf_section *sec = &elf->sections[index];
    struct shdr sh;

    read_shdr(elf, eh, index, &sh);
    if (!index || sh.type == EBPF_SHT_NULL)
        return 0;
    sec->size = (size_t)sh.size;
    sec->flags = sh.flags;
    sec->entsize = sh.entsize;
    sec->type = sh.type;
    sec->link = sh.link;
    sec->info = sh.info;
    if (sh.type == EBPF_SHT_NOBITS)
        return 0;
    if (sh.offset > elf->image_size || elf->image_size - sh.offset < sh.size)
        return ebpf_elf_refuse(elf, index, 0, -ENOEXEC,
                               "bytes 0x%llx+0x%llx exceed the object's 0x%llx",
                               (unsigned long long)sh.offset, (unsigned long long)sh.size,
                               (unsigned long long)elf->image_size);
    sec->data = elf->image + sh.offset;
    return 0;
}

static int check_strings(const struct ebpf_elf *elf, uint32_t section)
{
    const struct ebpf_elf_section *sec = &elf->sections[section];

    if (sec->type != EBPF_SHT_STRTAB)
        return ebpf_elf_refuse(elf, section, 0, -ENOEXEC, "type %u is not a string table",
                               sec->type);
    if (!sec->size || sec->data[sec->size - 1])
        return ebpf_elf_refuse(elf, section, sec->size, -ENOEXEC,
                               "string table does not end with NUL");
    return 0;
}

static int name_section(struct ebpf_elf *elf, const struct ehdr *eh, uint32_t index,
                        const struct ebpf_elf_section *names)
{
    struct shdr sh;

    read_shdr(elf, eh, index, &sh);
    if (index == 0 || sh.type == EBPF_SHT_NULL)
        sh.name = 0;
    if (sh.name >= names->size)
        return ebpf_elf_refuse(elf, index, 0, -ENOEXEC, "name at 0x%x of 0x%llx bytes of names",
                               sh.name, (unsigned long long)names->size);
    elf->sections[index].name = (const char *)names->data + sh.name;
    if (ebpf_strnlen(elf->sections[index].name, EBPF_ELF_NAME_MAX + 1) > EBPF_ELF_NAME_MAX)
        return ebpf_elf_refuse(elf, index, 0, -ENOEXEC, "name is longer than %u bytes",
                               EBPF_ELF_NAME_MAX);
    return 0;
}

/* Names first: what is wrong with a section can be said with its name then. */
static int read_sections(struct ebpf_elf *elf, const struct ehdr *eh, uint32_t strings)
{
    int err = read_section(elf, eh, strings);

    if (!err)
        err = check_strings(elf, strings);
    for (uint32_t i = 0; !err && i < elf->section_cnt; i++)
        err = name_section(elf, eh, i, &elf->sections[strings]);
    for (uint32_t i = 0; !err && i < elf->section_cnt; i++)
        err = read_section(elf, eh, i);
    return err;
}

/* Bytes of the file in use. section 0 stands for the headers. */
struct extent {
    size_t start, end;
    uint32_t section;
};

static int extent_less(const void *a, const void *b)
{
    const struct extent *x = a, *y = b;

    return x->start < y->start;
}

static int check_extents(const struct ebpf_elf *elf, const struct extent *extents, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const struct extent *a = &extents[i - 1], *b = &extents[i];

        if (b->start < a->end) {
            uint32_t other = b->section ? a->section : b->section;

            return ebpf_elf_refuse(elf, b->section ? b->section : a->section, 0, -ENOEXEC,
                                   "overlaps %s (%u) at 0x%llx of the object",
                                   other ? elf->sections[other].name : "the headers", other,
                                   (unsigned long long)b->start);
        }
    }
    return 0;
}

static int check_overlap(const struct ebpf_elf *elf, const struct ehdr *eh)
{
    struct extent *extents = ebpf_calloc((size_t)elf->section_cnt + 2, sizeof(*extents));
    size_t count = 2, table = (size_t)elf->section_cnt * sizeof(struct shdr);
    int err;

    if (!extents)
        return -ENOMEM;
    extents[0] = (struct extent){0, sizeof(*eh), 0};
    extents[1] = (struct extent){(size_t)eh->shoff, (size_t)eh->shoff + table, 0};
    for (uint32_t i = 1; i < elf->section_cnt; i++) {
        const struct ebpf_elf_section *sec = &elf->sections[i];

        if (!sec->data || !sec->size)
            continue;
        size_t start = (size_t)(sec->data - elf->image);
        extents[count++] = (struct extent){start, start + sec->size, i};
    }
    ebpf_loader_sort(extents, count, sizeof(*extents), extent_less);
    err = check_extents(elf, extents, count);
    ebpf_free(extents, ((size_t)elf->section_cnt + 2) * sizeof(*extents));
    return err;
}

/* ---- symbols --------------------------------------------------------------------------------- */

static void read_sym(const struct ebpf_elf *elf, uint32_t index, struct sym *out)
{
    memcpy(out, elf->sections[elf->symtab].data + (size_t)index * sizeof(*out), sizeof(*out));
}

void ebpf_elf_symbol(const struct ebpf_elf *elf, uint32_t index, struct ebpf_elf_symbol *out)
{
    struct sym sym;

    read_sym(elf, index, &sym);
    *out = (struct ebpf_elf_symbol){.name = elf->strtab + sym.name,
                                    .value = sym.value,
                                    .size = sym.size,
                                    .section = sym.shndx,
                                    .type = sym.info & 0xf,
                                    .bind = sym.info >> 4};
    /* a section symbol is called like its section */
    if (out->type == EBPF_STT_SECTION && sym.shndx < elf->section_cnt)
        out->name = elf->sections[sym.shndx].name;
}

static int check_symbol(const struct ebpf_elf *elf, uint32_t index)
{
    uint64_t at = (uint64_t)index * sizeof(struct sym);
    const struct ebpf_elf_section *sec;
    struct sym sym;

    read_sym(elf, index, &sym);
    if (sym.name >= elf->strtab_size)
        return ebpf_elf_refuse(elf, elf->symtab, at, -ENOEXEC,
                               "symbol %u: name at 0x%x of 0x%llx bytes", index, sym.name,
                               (unsigned long long)elf->strtab_size);
    if (sym.shndx == EBPF_SHN_COMMON)
        return ebpf_elf_refuse(elf, elf->symtab, at, -EOPNOTSUPP,
                               "symbol %u (%.64s) is common: compile with -fno-common", index,
                               elf->strtab + sym.name);
    if (sym.shndx == EBPF_SHN_UNDEF || sym.shndx == EBPF_SHN_ABS)
        return 0;
    if (sym.shndx >= elf->section_cnt)
        return ebpf_elf_refuse(elf, elf->symtab, at, -ENOEXEC,
                               "symbol %u (%.64s): section %u of %u", index, elf->strtab + sym.name,
                               sym.shndx, elf->section_cnt);
    sec = &elf->sections[sym.shndx];
    if (sym.value > sec->size || sec->size - sym.value < sym.size)
        return ebpf_elf_refuse(elf, elf->symtab, at, -ENOEXEC,
                               "symbol %u (%.40s): 0x%llx+0x%llx exceeds section %.40s", index,
                               elf->strtab + sym.name, (unsigned long long)sym.value,
                               (unsigned long long)sym.size, sec->name);
    return 0;
}

static int find_symtab(struct ebpf_elf *elf)
{
    for (uint32_t i = 1; i < elf->section_cnt; i++) {
        if (elf->sections[i].type != EBPF_SHT_SYMTAB)
            continue;
        if (elf->symtab)
            return ebpf_elf_refuse(elf, i, 0, -ENOEXEC, "second symbol table");
        elf->symtab = i;
    }
    if (!elf->symtab)
        return refuse_header(offsetof(struct ehdr, shoff), "no symbol table");
    return 0;
}

static int check_symbols(struct ebpf_elf *elf)
{
    int err = find_symtab(elf);
    const struct ebpf_elf_section *sec = &elf->sections[elf->symtab];

    if (err)
        return err;
    if (sec->entsize != sizeof(struct sym) || sec->size % sizeof(struct sym) ||
        sec->size / sizeof(struct sym) > UINT32_MAX)
        return ebpf_elf_refuse(elf, elf->symtab, 0, -ENOEXEC,
                               "0x%llx bytes of symbols in entries of 0x%llx",
                               (unsigned long long)sec->size, (unsigned long long)sec->entsize);
    elf->symbol_cnt = (uint32_t)(sec->size / sizeof(struct sym));
    if (sec->info > elf->symbol_cnt)
        return ebpf_elf_refuse(elf, elf->symtab, 0, -ENOEXEC, "first global symbol is %u of %u",
                               sec->info, elf->symbol_cnt);
    if (sec->link == 0 || sec->link >= elf->section_cnt)
        return ebpf_elf_refuse(elf, elf->symtab, 0, -ENOEXEC, "names in section %u of %u",
                               sec->link, elf->section_cnt);
    err = check_strings(elf, sec->link);
    if (err)
        return err;
    elf->strtab = (const char *)elf->sections[sec->link].data;
    elf->strtab_size = elf->sections[sec->link].size;
    for (uint32_t i = 0; !err && i < elf->symbol_cnt; i++)
        err = check_symbol(elf, i);
    return err;
}

/* ---- relocation tables ----------------------------------------------------------------------- */

int ebpf_elf_rel_check(const struct ebpf_elf *elf, uint32_t section, size_t *count)
{
    const struct ebpf_elf_section *sec = &elf->sections[section];

    if (sec->type == EBPF_SHT_RELA)
        return ebpf_elf_refuse(elf, section, 0, -EOPNOTSUPP, "relocations with addends (SHT_RELA)");
    if (sec->entsize != sizeof(struct rel) || sec->size % sizeof(struct rel))
        return ebpf_elf_refuse(elf, section, 0, -ENOEXEC,
                               "0x%llx bytes of relocations in entries of 0x%llx",
                               (unsigned long long)sec->size, (unsigned long long)sec->entsize);
    if (sec->link != elf->symtab)
        return ebpf_elf_refuse(elf, section, 0, -ENOEXEC, "symbols in section %u, not %u",
                               sec->link, elf->symtab);
    if (sec->info == 0 || sec->info >= elf->section_cnt ||
        elf->sections[sec->info].type == EBPF_SHT_NULL)
        return ebpf_elf_refuse(elf, section, 0, -ENOEXEC, "relocates section %u of %u", sec->info,
                               elf->section_cnt);
    *count = sec->size / sizeof(struct rel);
    return 0;
}

int ebpf_elf_rel(const struct ebpf_elf *elf, uint32_t section, size_t index,
                 struct ebpf_elf_rel *out)
{
    struct rel rel;

    memcpy(&rel, elf->sections[section].data + index * sizeof(rel), sizeof(rel));
    *out = (struct ebpf_elf_rel){rel.offset, (uint32_t)(rel.info >> 32), (uint32_t)rel.info};
    if (out->symbol >= elf->symbol_cnt)
        return ebpf_elf_refuse(elf, section, index * sizeof(rel), -ENOEXEC, "symbol %u of %u",
                               out->symbol, elf->symbol_cnt);
    return 0;
}

/* ---- open, close ----------------------------------------------------------------------------- */

static int read_tables(struct ebpf_elf *elf, const struct ehdr *eh, uint32_t strings)
{
    int err = read_sections(elf, eh, strings);

    if (!err)
        err = check_overlap(elf, eh);
    if (!err)
        err = check_symbols(elf);
    return err;
}

int ebpf_elf_open(struct ebpf_elf *elf, const void *image, size_t size)
{
    struct ehdr eh;
    uint32_t strings = 0;
    int err;

    *elf = (struct ebpf_elf){.image = image, .image_size = size};
    if (size < sizeof(eh))
        return refuse_header(0, "%llu bytes are no ELF object", (unsigned long long)size);
    memcpy(&eh, image, sizeof(eh));
    err = check_header(&eh);
    if (!err)
        err = find_sections(elf, &eh, &strings);
    if (err)
        return err;
    elf->sections = ebpf_calloc(elf->section_cnt, sizeof(*elf->sections));
    if (!elf->sections)
        return -ENOMEM;
    err = read_tables(elf, &eh, strings);
    if (err)
        ebpf_elf_close(elf);
    return err;
}

void ebpf_elf_close(struct ebpf_elf *elf)
{
    ebpf_free(elf->sections, elf->section_cnt * sizeof(*elf->sections));
    *elf = (struct ebpf_elf){0};
}
