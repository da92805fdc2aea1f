/* SPDX-License-Identifier: MIT */
/*
 * Every object that this build compiled, seen by libelf and by our loader: headers, symbols and
 * relocations as our reader hands them out, then maps and programs against what libelf's view of
 * the object implies.
 */
#include "tests/unit/loader_util.h"

#include <glob.h>
#include <unistd.h>
#include <libelf.h>

#include "src/loader/elf.h"
#include "tests/unit/test.h"

struct view {
    const char *path;
    unsigned char *image;
    size_t size;
    Elf *elf;
    Elf64_Ehdr *header;
    Elf64_Shdr *symtab;
    const Elf64_Sym *symbols;
    size_t symbol_cnt;
};

static bool view_open(struct view *v, const char *path)
{
    *v = (struct view){.path = path};
    v->image = test_read_file(path, &v->size);
    if (!v->image)
        return false;
    elf_version(EV_CURRENT);
    v->elf = elf_memory((char *)v->image, v->size);
    v->header = v->elf ? elf64_getehdr(v->elf) : NULL;
    for (Elf_Scn *scn = NULL; v->header && (scn = elf_nextscn(v->elf, scn));) {
        if (elf64_getshdr(scn)->sh_type != SHT_SYMTAB)
            continue;
        v->symtab = elf64_getshdr(scn);
        v->symbols = elf_getdata(scn, NULL)->d_buf;
        v->symbol_cnt = v->symtab->sh_size / sizeof(Elf64_Sym);
    }
    return v->symtab != NULL;
}

static void view_close(struct view *v)
{
    elf_end(v->elf);
    free(v->image);
}

static const char *section_name(const struct view *v, size_t index)
{
    return elf_strptr(v->elf, v->header->e_shstrndx,
                      elf64_getshdr(elf_getscn(v->elf, index))->sh_name);
}

/* Of the first section called so; 0: none. */
static size_t section_of(const struct view *v, const char *name)
{
    size_t count = 0;

    elf_getshdrnum(v->elf, &count);
    for (size_t i = 1; i < count; i++) {
        if (!strcmp(section_name(v, i), name))
            return i;
    }
    return 0;
}

static const char *symbol_name(const struct view *v, const Elf64_Sym *sym)
{
    return elf_strptr(v->elf, v->symtab->sh_link, sym->st_name);
}

static const Elf64_Sym *symbol_of(const struct view *v, const char *name)
{
    for (size_t i = 0; i < v->symbol_cnt; i++) {
        if (!strcmp(symbol_name(v, &v->symbols[i]), name))
            return &v->symbols[i];
    }
    return NULL;
}

/* An old build's objects may still lie there. */
static bool has_source(const char *object)
{
    const char *name = strrchr(object, '/') + 1;
    char path[256];

    snprintf(path, sizeof(path), "%s/%.*s.c", strstr(object, "demo/") ? "demo/bpf" : "tests/progs",
             (int)(strlen(name) - 2), name);
    return access(path, R_OK) == 0;
}

static unsigned each_object(void (*check)(struct view *v))
{
    const char *build = getenv("BUILD");
    const char *folders[] = {"progs", "demo/bpf"};
    unsigned count = 0;

    for (unsigned f = 0; f < 2; f++) {
        char pattern[256];
        glob_t found;

        snprintf(pattern, sizeof(pattern), "%s/%s/*.bpf.o", build ? build : "build", folders[f]);
        if (glob(pattern, 0, NULL, &found))
            continue;
        for (size_t i = 0; i < found.gl_pathc; i++) {
            struct view v;

            if (!has_source(found.gl_pathv[i]))
                continue;
            if (view_open(&v, found.gl_pathv[i])) {
                check(&v);
                count++;
            } else {
                test_fail(__FILE__, __LINE__, "libelf does not read %s", found.gl_pathv[i]);
            }
            view_close(&v);
        }
        globfree(&found);
    }
    return count;
}

/* ---- the reader ------------------------------------------------------------------------------ */

#define SAME(a, b)                                                                               \
    do {                                                                                         \
        unsigned long long a_ = (a), b_ = (b);                                                   \
        if (a_ != b_)                                                                            \
            test_fail(__FILE__, __LINE__, "%s: %s is 0x%llx, %s is 0x%llx", v->path, #a, a_, #b, \
                      b_);                                                                       \
    } while (0)

static void compare_section(struct view *v, const struct ebpf_elf *elf, uint32_t i)
{
    const struct ebpf_elf_section *sec = &elf->sections[i];
    Elf_Scn *scn = elf_getscn(v->elf, i);
    Elf64_Shdr *sh = elf64_getshdr(scn);
    Elf_Data *data = elf_rawdata(scn, NULL);

    CHECK_STR(sec->name, section_name(v, i));
    SAME(sec->type, sh->sh_type);
    SAME(sec->size, sh->sh_size);
    SAME(sec->flags, sh->sh_flags);
    SAME(sec->link, sh->sh_link);
    SAME(sec->info, sh->sh_info);
    SAME(sec->entsize, sh->sh_entsize);
    if (sh->sh_type != SHT_NOBITS && sh->sh_size)
        CHECK(data->d_size == sec->size && !memcmp(data->d_buf, sec->data, sec->size));
}

static void compare_symbols(struct view *v, const struct ebpf_elf *elf)
{
    SAME(elf->symbol_cnt, v->symbol_cnt);
    for (uint32_t i = 0; i < elf->symbol_cnt; i++) {
        const Elf64_Sym *want = &v->symbols[i];
        struct ebpf_elf_symbol got;

        ebpf_elf_symbol(elf, i, &got);
        SAME(got.value, want->st_value);
        SAME(got.size, want->st_size);
        SAME(got.section, want->st_shndx);
        SAME(got.type, ELF64_ST_TYPE(want->st_info));
        SAME(got.bind, ELF64_ST_BIND(want->st_info));
        if (got.type == STT_SECTION)
            CHECK_STR(got.name, section_name(v, want->st_shndx));
        else
            CHECK_STR(got.name, symbol_name(v, want));
    }
}

static void compare_relocations(struct view *v, const struct ebpf_elf *elf, uint32_t section)
{
    const Elf64_Rel *rels = elf_getdata(elf_getscn(v->elf, section), NULL)->d_buf;
    size_t count = 0;

    CHECK_EQ(ebpf_elf_rel_check(elf, section, &count), 0);
    SAME(count, elf->sections[section].size / sizeof(*rels));
    for (size_t i = 0; i < count; i++) {
        struct ebpf_elf_rel rel;

        CHECK_EQ(ebpf_elf_rel(elf, section, i, &rel), 0);
        SAME(rel.offset, rels[i].r_offset);
        SAME(rel.symbol, ELF64_R_SYM(rels[i].r_info));
        SAME(rel.type, ELF64_R_TYPE(rels[i].r_info));
    }
}

static void compare_reader(struct view *v)
{
    struct ebpf_elf elf;
    size_t count = 0;
    int err = ebpf_elf_open(&elf, v->image, v->size);

    if (strstr(v->path, "loader_bad_common")) {
        CHECK_EQ(err, -EOPNOTSUPP);
        return;
    }
    CHECK_EQ(err, 0);
    if (err)
        return;
    elf_getshdrnum(v->elf, &count);
    SAME(elf.section_cnt, count);
    for (uint32_t i = 1; i < elf.section_cnt; i++) {
        compare_section(v, &elf, i);
        if (elf.sections[i].type == SHT_REL)
            compare_relocations(v, &elf, i);
    }
    compare_symbols(v, &elf);
    ebpf_elf_close(&elf);
}

TEST(loader_libelf_sees_the_same_sections_symbols_and_relocations)
{
    CHECK(each_object(compare_reader) >= 10);
}

/* ---- the object ------------------------------------------------------------------------------ */

static bool is_code(const struct view *v, const Elf64_Sym *sym)
{
    return sym->st_shndx != SHN_UNDEF && sym->st_shndx < SHN_LORESERVE &&
           (elf64_getshdr(elf_getscn(v->elf, sym->st_shndx))->sh_flags & SHF_EXECINSTR);
}

/* Global functions outside .text are programs; a lone function is one anywhere. */
static unsigned count_programs(const struct view *v)
{
    unsigned funcs = 0, progs = 0;

    for (size_t i = 0; i < v->symbol_cnt; i++) {
        const Elf64_Sym *sym = &v->symbols[i];

        if (ELF64_ST_TYPE(sym->st_info) != STT_FUNC || !is_code(v, sym))
            continue;
        funcs++;
        progs += strcmp(section_name(v, sym->st_shndx), ".text") &&
                 ELF64_ST_BIND(sym->st_info) != STB_LOCAL;
    }
    return funcs == 1 ? 1 : progs;
}

static void compare_program(struct view *v, struct ebpf_object_prog *prog)
{
    const Elf64_Sym *sym = symbol_of(v, ebpf_object_prog_name(prog));
    const struct bpf_insn *insns;
    const char *bytes;
    const char *section;
    uint32_t count = 0;

    REQUIRE(sym);
    section = section_name(v, sym->st_shndx);
    CHECK_STR(ebpf_object_prog_section(prog), section + (section[0] == '?'));
    bytes = (char *)elf_rawdata(elf_getscn(v->elf, sym->st_shndx), NULL)->d_buf + sym->st_value;
    insns = ebpf_object_prog_insns(prog, &count);
    if (!insns) { /* needs CO-RE, or what only Linux has */
        CHECK(strstr(v->path, "core") || strstr(v->path, "extern"));
        return;
    }
    CHECK(count >= sym->st_size / sizeof(*insns));
    /* linking changes what relocations and calls cover, and nothing else */
    for (size_t i = 0; i < sym->st_size / sizeof(*insns); i++) {
        struct bpf_insn raw;

        memcpy(&raw, bytes + i * sizeof(raw), sizeof(raw)); /* assembly need not align it */
        SAME(insns[i].code, raw.code);
        SAME(insns[i].dst_reg, raw.dst_reg);
        SAME((uint16_t)insns[i].off, (uint16_t)raw.off);
        if (raw.code == (BPF_LD | BPF_IMM | BPF_DW))
            i++;
        else if (raw.code != (BPF_JMP | BPF_CALL) || raw.src_reg == 0)
            SAME((uint32_t)insns[i].imm, (uint32_t)raw.imm);
    }
}

/* Symbols of a section that are not its own. */
static unsigned count_symbols(const struct view *v, size_t section)
{
    unsigned count = 0;

    for (size_t i = 0; section && i < v->symbol_cnt; i++)
        count +=
            v->symbols[i].st_shndx == section && ELF64_ST_TYPE(v->symbols[i].st_info) == STT_OBJECT;
    return count;
}

static bool is_data(const char *name)
{
    static const char *const families[] = {".data", ".bss", ".rodata"};

    for (unsigned i = 0; i < 3; i++) {
        size_t len = strlen(families[i]);

        if (!strncmp(name, families[i], len) && (!name[len] || name[len] == '.'))
            return true;
    }
    return false;
}

static unsigned count_maps(const struct view *v)
{
    unsigned maps =
        count_symbols(v, section_of(v, ".maps")) + count_symbols(v, section_of(v, "maps"));
    size_t count = 0;

    elf_getshdrnum(v->elf, &count);
    for (size_t i = 1; i < count; i++)
        maps += is_data(section_name(v, i)) && elf64_getshdr(elf_getscn(v->elf, i))->sh_size;
    return maps;
}

static void compare_map(struct view *v, struct ebpf_object_map *map)
{
    const char *name = ebpf_object_map_name(map);
    struct ebpf_map_spec spec;
    Elf_Data *data;
    size_t size = 0;
    void *initial;

    ebpf_object_map_spec(map, &spec);
    if (!is_data(name)) {
        const Elf64_Sym *sym = symbol_of(v, name);

        REQUIRE(sym);
        CHECK(strstr(section_name(v, sym->st_shndx), "maps") != NULL);
        return;
    }
    data = elf_rawdata(elf_getscn(v->elf, section_of(v, name)), NULL);
    SAME(spec.value_size, data->d_size);
    SAME(spec.max_entries, 1);
    initial = ebpf_object_map_initial(map, &size);
    REQUIRE(initial);
    SAME(size, data->d_size);
    if (data->d_buf)
        CHECK(!memcmp(initial, data->d_buf, size));
}

static void compare_object(struct view *v)
{
    struct ebpf_object *obj = NULL;
    unsigned progs = 0, maps = 0;
    int err = ebpf_object_open_mem(v->image, v->size, &obj);
    size_t license = section_of(v, "license");

    if (strstr(v->path, "_bad_")) {
        CHECK(err < 0);
        return;
    }
    if (err) {
        test_fail(__FILE__, __LINE__, "%s: open gives %d\n%s", v->path, err, mock_console());
        return;
    }
    for (struct ebpf_object_prog *p = NULL; (p = ebpf_object_next_prog(obj, p)); progs++)
        compare_program(v, p);
    for (struct ebpf_object_map *m = NULL; (m = ebpf_object_next_map(obj, m)); maps++)
        compare_map(v, m);
    SAME(progs, count_programs(v));
    SAME(maps, count_maps(v));
    if (license) {
        Elf_Data *data = elf_rawdata(elf_getscn(v->elf, license), NULL);

        CHECK(!strncmp(ebpf_object_license(obj), data->d_buf, data->d_size));
    }
    ebpf_object_close(obj);
}

TEST(loader_libelf_implies_the_same_maps_and_programs)
{
    CHECK(each_object(compare_object) >= 10);
}
