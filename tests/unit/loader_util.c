/* SPDX-License-Identifier: MIT */
/* See loader_util.h. */
#include "tests/unit/loader_util.h"

#include "tests/unit/insn.h"
#include "tests/unit/test.h"

unsigned char *object_read(const char *name, size_t *size)
{
    const char *build = getenv("BUILD");
    char path[256];
    unsigned char *elf;

    snprintf(path, sizeof(path), "%s/progs/%s.bpf.o", build ? build : "build", name);
    elf = test_read_file(path, size);
    if (!elf)
        test_fail(__FILE__, __LINE__, "%s is missing: make progs", path);
    return elf;
}

struct ebpf_object *object_open(const char *name)
{
    struct ebpf_object *obj = NULL;
    size_t size;
    unsigned char *elf = object_read(name, &size);

    if (!elf)
        return NULL;
    int err = ebpf_object_open_mem(elf, size, &obj);
    if (err)
        test_fail(__FILE__, __LINE__, "%s: open gives %d\n%s", name, err, mock_console());
    free(elf); /* the object has its own copy of what it needs */
    return err ? NULL : obj;
}

void object_expect(const void *elf, size_t size, int err, const char *line)
{
    struct ebpf_object *obj = NULL;
    /* exactly as large as it is: the address sanitizer sees what is read behind it; and
     * unaligned */
    unsigned char *copy = malloc(size + 1);
    int got;

    memcpy(copy + 1, elf, size);
    mock_console_clear();
    got = ebpf_object_open_mem(copy + 1, size, &obj);
    free(copy);
    if (got != err)
        test_fail(__FILE__, __LINE__, "open gives %d, expected %d (%s)\n%s", got, err,
                  line ? line : "", mock_console());
    if (line && !strstr(mock_console(), line))
        test_fail(__FILE__, __LINE__, "the log lacks \"%s\":\n%s", line, mock_console());
    if (got && got != -ENOMEM &&
        strchr(mock_console(), '\n') != mock_console() + strlen(mock_console()) - 1)
        test_fail(__FILE__, __LINE__, "not exactly one line:\n%s", mock_console());
    if (!got)
        ebpf_object_close(obj);
}

long object_run(struct ebpf_object *obj, const char *name)
{
    struct ebpf_object_prog *prog = ebpf_object_find_prog(obj, name);
    unsigned char packet[64] = {0};
    union bpf_attr attr;
    int err;

    if (!prog || !ebpf_object_prog_prog(prog))
        return -1;
    memset(&attr, 0, sizeof(attr));
    attr.test.data_in = (uintptr_t)packet;
    attr.test.data_size_in = sizeof(packet);
    attr.test.repeat = 1;
    err = ebpf_prog_test_run(ebpf_object_prog_prog(prog), &attr);
    return err ? -1 : (long)attr.test.retval;
}

/* ---- in a compiled object -------------------------------------------------------------------- */

static Elf64_Shdr *headers(unsigned char *elf)
{
    return (Elf64_Shdr *)(elf + ((Elf64_Ehdr *)elf)->e_shoff);
}

Elf64_Shdr *elf_section(unsigned char *elf, const char *name)
{
    Elf64_Ehdr *eh = (Elf64_Ehdr *)elf;
    const char *names = (char *)elf + headers(elf)[eh->e_shstrndx].sh_offset;

    for (unsigned i = 0; i < eh->e_shnum; i++) {
        if (!strcmp(names + headers(elf)[i].sh_name, name))
            return &headers(elf)[i];
    }
    return NULL;
}

Elf64_Sym *elf_symbol(unsigned char *elf, const char *name)
{
    Elf64_Shdr *symtab = elf_section(elf, ".symtab");
    Elf64_Sym *syms = (Elf64_Sym *)(elf + symtab->sh_offset);
    const char *names = (char *)elf + headers(elf)[symtab->sh_link].sh_offset;

    for (unsigned i = 0; i < symtab->sh_size / sizeof(*syms); i++) {
        if (!strcmp(names + syms[i].st_name, name))
            return &syms[i];
    }
    return NULL;
}

Elf64_Rel *elf_rel(unsigned char *elf, const char *section, unsigned index)
{
    return (Elf64_Rel *)(elf + elf_section(elf, section)->sh_offset) + index;
}

/* ---- by hand --------------------------------------------------------------------------------- */

static const char strings[] =
    "\0.strtab\0.text\0socket\0.relsocket\0maps\0.data\0.bss\0.rodata\0license\0.rel.data\0"
    ".symtab\0helper\0callee\0main\0other\0map\0map2\0word\0constant\0absolute\0LICENSE\0"
    ".BTF\0.maps";

static uint32_t name_of(const char *s)
{
    for (size_t i = 0; i < sizeof(strings); i++) {
        if ((i == 0 || !strings[i - 1]) && !strcmp(strings + i, s))
            return (uint32_t)i;
    }
    abort();
}

static void append(struct built *b, unsigned section, const char *name, Elf64_Word type,
                   Elf64_Xword flags, const void *data, size_t size)
{
    Elf64_Shdr *sh = built_section(b, section);

    *sh = (Elf64_Shdr){.sh_name = name_of(name),
                       .sh_type = type,
                       .sh_flags = flags,
                       .sh_offset = b->size,
                       .sh_size = size,
                       .sh_addralign = 8};
    if (!data)
        return;
    memcpy(b->elf + b->size, data, size);
    b->size = (b->size + size + 7) & ~7ul;
}

static void append_symbols(struct built *b)
{
#define SYM(NAME, BIND, TYPE, SECTION, VALUE, SIZE)                       \
    {                                                                     \
        name_of(NAME), ELF64_ST_INFO(BIND, TYPE), 0, SECTION, VALUE, SIZE \
    }
    const Elf64_Sym syms[BUILT_SYMS] = {
        [BUILT_SYM_HELPER] = SYM("helper", STB_LOCAL, STT_FUNC, BUILT_SOCKET, 112, 16),
        [BUILT_SYM_TEXT] = SYM("", STB_LOCAL, STT_SECTION, BUILT_TEXT, 0, 0),
        [BUILT_SYM_BSS] = SYM("", STB_LOCAL, STT_SECTION, BUILT_BSS, 0, 0),
        [BUILT_SYM_CALLEE] = SYM("callee", STB_GLOBAL, STT_FUNC, BUILT_TEXT, 16, 16),
        [BUILT_SYM_MAIN] = SYM("main", STB_GLOBAL, STT_FUNC, BUILT_SOCKET, 0, 96),
        [BUILT_SYM_OTHER] = SYM("other", STB_GLOBAL, STT_FUNC, BUILT_SOCKET, 96, 16),
        [BUILT_SYM_MAP] = SYM("map", STB_GLOBAL, STT_OBJECT, BUILT_MAPS, 0, 20),
        [BUILT_SYM_MAP2] = SYM("map2", STB_GLOBAL, STT_OBJECT, BUILT_MAPS, 20, 20),
        [BUILT_SYM_WORD] = SYM("word", STB_GLOBAL, STT_OBJECT, BUILT_DATA, 8, 8),
        [BUILT_SYM_CONST] = SYM("constant", STB_GLOBAL, STT_OBJECT, BUILT_RODATA, 0, 4),
        [BUILT_SYM_ABS] = SYM("absolute", STB_GLOBAL, STT_NOTYPE, SHN_ABS, 0x1122334455667788, 0),
        [BUILT_SYM_LICENSE] = SYM("LICENSE", STB_GLOBAL, STT_OBJECT, BUILT_LICENSE, 0, 4),
    };

    append(b, BUILT_SYMTAB, ".symtab", SHT_SYMTAB, 0, syms, sizeof(syms));
    built_section(b, BUILT_SYMTAB)->sh_entsize = sizeof(Elf64_Sym);
    built_section(b, BUILT_SYMTAB)->sh_link = BUILT_STRTAB;
    built_section(b, BUILT_SYMTAB)->sh_info = BUILT_SYM_CALLEE;
}

static void append_relocations(struct built *b, unsigned section, const char *name, unsigned target,
                               const Elf64_Rel *rels, size_t size)
{
    append(b, section, name, SHT_REL, SHF_INFO_LINK, rels, size);
    built_section(b, section)->sh_entsize = sizeof(Elf64_Rel);
    built_section(b, section)->sh_link = BUILT_SYMTAB;
    built_section(b, section)->sh_info = target;
}

static void append_code(struct built *b)
{
    static const struct bpf_insn text[] = {BPF_MOV64_IMM(BPF_REG_0, 1), BPF_EXIT_INSN(),
                                           BPF_MOV64_IMM(BPF_REG_0, 2), BPF_EXIT_INSN()};
    static const struct bpf_insn socket[] = {
        /*  0 main */
        BPF_LD_IMM64(BPF_REG_1, 0), /* map2 */
        BPF_LD_IMM64(BPF_REG_2, 4), /* .bss + 4 */
        BPF_LD_IMM64(BPF_REG_3, 0), /* absolute */
        BPF_LD_IMM64(BPF_REG_4, 4), /* word + 4 */
        BPF_CALL_REL(1),            /* .text: callee by the section's symbol */
        BPF_CALL_REL(4),            /* helper, no relocation */
        BPF_ALU64_REG(BPF_ADD, BPF_REG_0, BPF_REG_6),
        BPF_EXIT_INSN(),
        /* 12 other */
        BPF_CALL_REL(-1), /* callee by its own symbol */
        BPF_EXIT_INSN(),
        /* 14 helper */
        BPF_MOV64_IMM(BPF_REG_0, 3),
        BPF_EXIT_INSN(),
    };
    const Elf64_Rel rels[] = {
        {0, ELF64_R_INFO(BUILT_SYM_MAP2, 1)},   {16, ELF64_R_INFO(BUILT_SYM_BSS, 1)},
        {32, ELF64_R_INFO(BUILT_SYM_ABS, 1)},   {48, ELF64_R_INFO(BUILT_SYM_WORD, 1)},
        {64, ELF64_R_INFO(BUILT_SYM_TEXT, 10)}, {96, ELF64_R_INFO(BUILT_SYM_CALLEE, 10)},
    };

    append(b, BUILT_TEXT, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, text, sizeof(text));
    append(b, BUILT_SOCKET, "socket", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, socket,
           sizeof(socket));
    append_relocations(b, BUILT_REL, ".relsocket", BUILT_SOCKET, rels, sizeof(rels));
}

static void append_data(struct built *b)
{
    static const uint32_t maps[10] = {BPF_MAP_TYPE_ARRAY, 4, 8, 3, 0,
                                      BPF_MAP_TYPE_HASH,  4, 4, 5, 1};
    static const uint64_t data[3] = {1, 2, 3};
    static const uint32_t rodata[2] = {11, 12};
    const Elf64_Rel rels[] = {{16, ELF64_R_INFO(BUILT_SYM_ABS, 2)},
                              {4, ELF64_R_INFO(BUILT_SYM_ABS, 3)}};

    append(b, BUILT_MAPS, "maps", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, maps, sizeof(maps));
    append(b, BUILT_DATA, ".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, data, sizeof(data));
    append(b, BUILT_BSS, ".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, NULL, 16);
    append(b, BUILT_RODATA, ".rodata", SHT_PROGBITS, SHF_ALLOC, rodata, sizeof(rodata));
    append(b, BUILT_LICENSE, "license", SHT_PROGBITS, SHF_ALLOC, "GPL", 4);
    append_relocations(b, BUILT_REL_DATA, ".rel.data", BUILT_DATA, rels, sizeof(rels));
}

struct built build_with_btf(const void *btf, size_t btf_size, size_t maps_size)
{
    struct built b = {.elf = calloc(1, 65536)};
    Elf64_Ehdr *eh = built_header(&b);
    static const unsigned char zeros[4096];

    memcpy(eh->e_ident, ELFMAG "\2\1\1", 7);
    eh->e_type = ET_REL;
    eh->e_machine = EM_BPF;
    eh->e_version = 1;
    eh->e_ehsize = sizeof(*eh);
    eh->e_shentsize = sizeof(Elf64_Shdr);
    eh->e_shoff = sizeof(*eh);
    eh->e_shnum = BUILT_SECTIONS + (btf ? 2 : 0);
    eh->e_shstrndx = BUILT_STRTAB;
    b.size = sizeof(*eh) + (BUILT_SECTIONS + 2) * sizeof(Elf64_Shdr);
    append(&b, BUILT_STRTAB, ".strtab", SHT_STRTAB, 0, strings, sizeof(strings));
    append_code(&b);
    append_data(&b);
    append_symbols(&b);
    if (btf) {
        append(&b, BUILT_SECTIONS, ".BTF", SHT_PROGBITS, 0, btf, btf_size);
        append(&b, BUILT_SECTIONS + 1, ".maps", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, zeros,
               maps_size);
    }
    return b;
}

struct built build_object(void)
{
    return build_with_btf(NULL, 0, 0);
}

Elf64_Ehdr *built_header(struct built *b)
{
    return (Elf64_Ehdr *)b->elf;
}

Elf64_Shdr *built_section(struct built *b, unsigned section)
{
    return headers(b->elf) + section;
}

unsigned char *built_data(struct built *b, unsigned section)
{
    return b->elf + built_section(b, section)->sh_offset;
}

Elf64_Sym *built_symbol(struct built *b, unsigned symbol)
{
    return (Elf64_Sym *)built_data(b, BUILT_SYMTAB) + symbol;
}

Elf64_Rel *built_rel(struct built *b, unsigned index)
{
    return (Elf64_Rel *)built_data(b, BUILT_REL) + index;
}

/* ---- BTF by hand ----------------------------------------------------------------------------- */

void btf_begin(struct btf_build *b)
{
    memset(b, 0, sizeof(*b));
    b->string_size = 1;
}

uint32_t btf_string(struct btf_build *b, const char *s)
{
    uint32_t at = b->string_size;

    if (!*s)
        return 0;
    strcpy(b->strings + at, s);
    b->string_size += (unsigned)strlen(s) + 1;
    return at;
}

void btf_word(struct btf_build *b, uint32_t word)
{
    b->words[b->word_cnt++] = word;
}

unsigned btf_type(struct btf_build *b, const char *name, unsigned kind, unsigned vlen,
                  uint32_t size_or_type)
{
    btf_word(b, btf_string(b, name));
    btf_word(b, kind << 24 | vlen);
    btf_word(b, size_or_type);
    return ++b->type_cnt;
}

void btf_member(struct btf_build *b, const char *name, unsigned type)
{
    btf_word(b, btf_string(b, name));
    btf_word(b, type);
    btf_word(b, 0);
}

void btf_finish(struct btf_build *b)
{
    const uint32_t header[6] = {0x0001eb9f,    24, 0, b->word_cnt * 4, b->word_cnt * 4,
                                b->string_size};

    memcpy(b->out, header, sizeof(header));
    memcpy(b->out + 24, b->words, b->word_cnt * 4ul);
    memcpy(b->out + 24 + b->word_cnt * 4ul, b->strings, b->string_size);
    b->size = 24 + b->word_cnt * 4ul + b->string_size;
}
