/* SPDX-License-Identifier: MIT */
/*
 * ksymgen: reads a linked kernel and writes the symbol table that its second link takes in.
 *
 *     ksymgen KERNEL.elf OUT.S     writes the table as source for the GNU assembler
 *     ksymgen --check KERNEL.elf   after the second link: is the table inside equal to the ELF's
 *     own symbols?
 *     ksymgen --list KERNEL.elf    prints the table inside
 *
 * Taken are functions (STT_FUNC, static ones included) and global labels without a type, as
 * assembly leaves them, in executable sections. A linker script that places .rodata behind .text
 * keeps all addresses when the table comes in; one that does not needs a third link, of a table
 * made from the second, and --check says so. The format is described in src/base/ksym_table.h; the
 * reader is the library's own, src/base/ksym.c.
 */
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/ksym.c"
#include "src/base/ksym_none.c"

struct sym {
    uint64_t addr, size, limit; /* limit: the end of its section */
    int rank;                   /* among aliases the lowest is named first */
    char name[EBPF_KSYM_NAME_MAX + 1];
    uint8_t codes[EBPF_KSYM_NAME_MAX]; /* the name in tokens */
    uint32_t code_cnt;
};

struct kernel {
    const char *path;
    int fd;
    Elf *elf;
    Elf_Scn *symtab;
    size_t strings; /* section with the symbols' names */
    struct sym *syms;
    uint32_t count, cut; /* cut: names that were too long */
};

/* text[t] is what token t stands for; a token without text is not in use */
static struct {
    char text[EBPF_KSYM_NAME_MAX + 1];
    uint32_t len;
} tokens[EBPF_KSYM_TOKENS];

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("ksymgen: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static void *allocate(size_t count, size_t size)
{
    void *mem = calloc(count ? count : 1, size);

    if (!mem)
        die("out of memory");
    return mem;
}

/* ---- the kernel's ELF file ------------------------------------------------------------------- */

static void kernel_open(struct kernel *k, const char *path)
{
    GElf_Ehdr head;
    Elf_Scn *scn = NULL;

    k->path = path;
    elf_version(EV_CURRENT);
    k->fd = open(path, O_RDONLY);
    if (k->fd < 0)
        die("%s: cannot be opened", path);
    k->elf = elf_begin(k->fd, ELF_C_READ, NULL);
    if (!k->elf || elf_kind(k->elf) != ELF_K_ELF || !gelf_getehdr(k->elf, &head))
        die("%s: not an ELF file", path);
    if (head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_ident[EI_DATA] != ELFDATA2LSB)
        die("%s: not a 64-bit little-endian ELF file", path);
    if (head.e_type != ET_EXEC && head.e_type != ET_DYN)
        die("%s: not linked yet", path);
    while ((scn = elf_nextscn(k->elf, scn))) {
        GElf_Shdr shdr;
        if (gelf_getshdr(scn, &shdr) && shdr.sh_type == SHT_SYMTAB) {
            k->symtab = scn;
            k->strings = shdr.sh_link;
            return;
        }
    }
    die("%s: no symbol table (stripped?)", path);
}

static void kernel_close(struct kernel *k)
{
    free(k->syms);
    elf_end(k->elf);
    close(k->fd);
}

static bool is_usable_name(const char *name)
{
    /* .L: local to an assembly file; $x: mapping symbols; range markers of the library's units,
     * src/base/unit.h */
    if (!*name || name[0] == '$' || !strncmp(name, ".L", 2) ||
        !strncmp(name, "ebpf_text_start_", 16) || !strncmp(name, "ebpf_text_end_", 14))
        return false;
    for (; *name; name++)
        if (*name <= ' ' || *name > '~')
            return false;
    return true;
}

/* Among the names of one address a function goes before a label, a global before a weak before a
 * local. */
static int rank_of(int type, int bind)
{
    return (type == STT_FUNC ? 0 : 3) + (bind == STB_GLOBAL ? 0 : bind == STB_WEAK ? 1 : 2);
}

static bool is_function(struct kernel *k, const GElf_Sym *sym, uint64_t *limit)
{
    GElf_Shdr shdr;
    int type = GELF_ST_TYPE(sym->st_info), bind = GELF_ST_BIND(sym->st_info);
    Elf_Scn *scn;

    if (type != STT_FUNC && !(type == STT_NOTYPE && (bind == STB_GLOBAL || bind == STB_WEAK)))
        return false;
    if (sym->st_shndx == SHN_UNDEF || sym->st_shndx >= SHN_LORESERVE)
        return false;
    scn = elf_getscn(k->elf, sym->st_shndx);
    if (!scn || !gelf_getshdr(scn, &shdr) ||
        (shdr.sh_flags & (SHF_ALLOC | SHF_EXECINSTR)) != (SHF_ALLOC | SHF_EXECINSTR))
        return false;
    *limit = shdr.sh_addr + shdr.sh_size;
    /* a label at the end of the section marks the end, nothing lies there */
    return sym->st_value >= shdr.sh_addr && sym->st_value < *limit;
}

static int order_by_address(const void *a, const void *b)
{
    const struct sym *x = a, *y = b;

    if (x->addr != y->addr)
        return x->addr < y->addr ? -1 : 1;
    return x->rank != y->rank ? x->rank - y->rank : strcmp(x->name, y->name);
}

/* Where each function ends: its own size if it has one, but not beyond the next address or the
 * section. */
static void derive_sizes(struct kernel *k)
{
    uint64_t end = 0; /* of what lies at the address last seen */

    for (uint32_t i = k->count; i-- > 0;) {
        struct sym *s = &k->syms[i];
        if (i + 1 == k->count || k->syms[i + 1].addr != s->addr)
            end =
                i + 1 < k->count && k->syms[i + 1].addr < s->limit ? k->syms[i + 1].addr : s->limit;
        if (!s->size || s->size > end - s->addr)
            s->size = end - s->addr;
    }
}

/* The functions in order of address, each (address, name) once. */
static void kernel_collect(struct kernel *k)
{
    Elf_Data *data = elf_getdata(k->symtab, NULL);
    uint32_t kept = 0;
    size_t total;

    if (!data)
        die("%s: the symbol table cannot be read", k->path);
    total = data->d_size / sizeof(Elf64_Sym);
    k->syms = allocate(total, sizeof(*k->syms));
    for (size_t i = 0; i < total; i++) {
        struct sym *s = &k->syms[k->count];
        GElf_Sym sym;
        const char *name;
        if (!gelf_getsym(data, (int)i, &sym) || !is_function(k, &sym, &s->limit))
            continue;
        name = elf_strptr(k->elf, k->strings, sym.st_name);
        if (!name || !is_usable_name(name))
            continue;
        snprintf(s->name, sizeof(s->name), "%.*s", (int)EBPF_KSYM_NAME_MAX, name);
        k->cut += strlen(name) > EBPF_KSYM_NAME_MAX;
        s->addr = sym.st_value;
        s->size = sym.st_size;
        s->rank = rank_of(GELF_ST_TYPE(sym.st_info), GELF_ST_BIND(sym.st_info));
        k->count++;
    }
    qsort(k->syms, k->count, sizeof(*k->syms), order_by_address);
    for (uint32_t i = 0; i < k->count; i++)
        if (!kept || k->syms[kept - 1].addr != k->syms[i].addr ||
            strcmp(k->syms[kept - 1].name, k->syms[i].name))
            k->syms[kept++] = k->syms[i];
    k->count = kept;
    if (!k->count)
        die("%s: no functions", k->path);
    if (k->count > 0x1000000 || k->syms[k->count - 1].limit - k->syms[0].addr > UINT32_MAX)
        die("%s: more than 2^24 functions, or they lie more than 4 GiB apart", k->path);
    derive_sizes(k);
}

/* ---- compression: the commonest pair of tokens becomes a new token, until none is left ------- */

static void init_codes(struct kernel *k)
{
    memset(tokens, 0, sizeof(tokens));
    for (uint32_t i = 0; i < k->count; i++) {
        struct sym *s = &k->syms[i];
        s->code_cnt = (uint32_t)strlen(s->name);
        memcpy(s->codes, s->name, s->code_cnt);
        for (uint32_t c = 0; c < s->code_cnt; c++) {
            tokens[s->codes[c]].text[0] = s->name[c];
            tokens[s->codes[c]].len = 1;
        }
    }
}

/* The pair of codes that occurs most often, and how often. Overlaps (aaa) are counted twice: a
 * guess is enough. */
static uint32_t commonest_pair(const struct kernel *k, uint8_t pair[2])
{
    static uint32_t counts[0x10000];
    uint32_t best = 0;

    memset(counts, 0, sizeof(counts));
    for (uint32_t i = 0; i < k->count; i++)
        for (uint32_t c = 0; c + 1 < k->syms[i].code_cnt; c++)
            counts[k->syms[i].codes[c] << 8 | k->syms[i].codes[c + 1]]++;
    for (uint32_t p = 0; p < 0x10000; p++) {
        if (counts[p] <= best || tokens[p >> 8].len + tokens[p & 0xff].len > EBPF_KSYM_NAME_MAX)
            continue;
        best = counts[p];
        pair[0] = (uint8_t)(p >> 8);
        pair[1] = (uint8_t)p;
    }
    return best;
}

static void replace_pair(struct sym *s, const uint8_t pair[2], uint8_t code)
{
    uint32_t out = 0;

    for (uint32_t in = 0; in < s->code_cnt; in++) {
        bool hit = in + 1 < s->code_cnt && s->codes[in] == pair[0] && s->codes[in + 1] == pair[1];
        s->codes[out++] = hit ? code : s->codes[in];
        in += hit;
    }
    s->code_cnt = out;
}

static void compress(struct kernel *k)
{
    init_codes(k);
    for (uint32_t code = 0; code < EBPF_KSYM_TOKENS; code++) {
        uint8_t pair[2];
        uint32_t uses, len;
        if (tokens[code].len)
            continue;
        uses = commonest_pair(k, pair);
        len = uses ? tokens[pair[0]].len + tokens[pair[1]].len : 0;
        if (uses <= len)
            break; /* the token's text would cost what it saves */
        memcpy(tokens[code].text, tokens[pair[0]].text, tokens[pair[0]].len);
        memcpy(tokens[code].text + tokens[pair[0]].len, tokens[pair[1]].text, tokens[pair[1]].len);
        tokens[code].len = len;
        for (uint32_t i = 0; i < k->count; i++)
            replace_pair(&k->syms[i], pair, (uint8_t)code);
    }
}

/* ---- the table as bytes ---------------------------------------------------------------------- */

struct buffer {
    uint8_t *data;
    size_t len, room;
};

static void put(struct buffer *b, const void *data, size_t len)
{
    if (b->len + len > b->room) {
        b->room = (b->len + len) * 2;
        b->data = realloc(b->data, b->room);
        if (!b->data)
            die("out of memory");
    }
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

/* Little-endian, whatever the host is. */
static void put_int(struct buffer *b, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        uint8_t byte = (uint8_t)(value >> 8 * i);
        put(b, &byte, 1);
    }
}

static uint64_t gap_of(const struct kernel *k, uint32_t i)
{
    const struct sym *s = &k->syms[i], *last = &k->syms[k->count - 1];
    uint32_t next = i + 1;

    while (next < k->count && k->syms[next].addr == s->addr)
        next++;
    return (next < k->count ? k->syms[next].addr : last->limit) - s->addr - s->size;
}

static void put_record(struct buffer *b, const struct kernel *k, uint32_t i)
{
    uint64_t gap = gap_of(k, i);

    put_int(b, k->syms[i].code_cnt, 1);
    for (; gap >= 0x80; gap >>= 7)
        put_int(b, (gap & 0x7f) | 0x80, 1);
    put_int(b, gap, 1);
    put(b, k->syms[i].codes, k->syms[i].code_cnt);
}

static const struct sym *sorting; /* qsort() passes no context */

static int order_by_name(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = strcmp(sorting[x].name, sorting[y].name);

    return order ? order : x < y ? -1 : x > y;
}

static void put_name_order(struct buffer *b, const struct kernel *k)
{
    uint32_t *order = allocate(k->count, sizeof(*order));

    for (uint32_t i = 0; i < k->count; i++)
        order[i] = i;
    sorting = k->syms;
    qsort(order, k->count, sizeof(*order), order_by_name);
    for (uint32_t i = 0; i < k->count; i++)
        put_int(b, order[i], k->count <= 0x10000 ? 2 : 3);
    free(order);
}

static void put_token_offsets(struct buffer *b)
{
    uint32_t at = 0;

    for (uint32_t t = 0; t < EBPF_KSYM_TOKENS; t++) {
        put_int(b, at, 2); /* at most 255 * 127, fits */
        at += tokens[t].len;
    }
    put_int(b, at, 2);
}

static void build_table(const struct kernel *k, struct buffer *out)
{
    struct buffer names = {0}, markers = {0}, texts = {0};

    for (uint32_t i = 0; i < k->count; i++) {
        if (i % EBPF_KSYM_STRIDE == 0)
            put_int(&markers, names.len, 4);
        put_record(&names, k, i);
    }
    for (uint32_t t = 0; t < EBPF_KSYM_TOKENS; t++)
        put(&texts, tokens[t].text, tokens[t].len);

    put_int(out, EBPF_KSYM_MAGIC, 4);
    put_int(out, k->count, 4);
    put_int(out, k->syms[0].addr, 8);
    put_int(out, texts.len, 4);
    put_int(out, names.len, 4);
    for (uint32_t i = 0; i < k->count; i++)
        put_int(out, k->syms[i].addr - k->syms[0].addr, 4);
    put_int(out, k->syms[k->count - 1].limit - k->syms[0].addr, 4);
    put(out, markers.data, markers.len);
    put_token_offsets(out);
    put_name_order(out, k);
    put(out, texts.data, texts.len);
    put(out, names.data, names.len);
    free(names.data);
    free(markers.data);
    free(texts.data);
}

/* ---- the three ways to be called ------------------------------------------------------------- */

static void write_source(const char *path, const struct buffer *table)
{
    FILE *f = fopen(path, "w");

    if (!f)
        die("%s: cannot be written", path);
    fputs("/* generated by tools/ksymgen.c; the format: src/base/ksym_table.h */\n"
          "    .section .rodata.ksyms,\"a\"\n"
          "    .globl ebpf_ksym_size, ebpf_ksym_table\n"
          "    .type ebpf_ksym_size, @object\n"
          "    .type ebpf_ksym_table, @object\n"
          "    .balign 8\n"
          "ebpf_ksym_table:\n",
          f);
    for (size_t i = 0; i < table->len; i++)
        fprintf(f, "%s%u%s", i % 24 ? "," : "    .byte ", table->data[i],
                i % 24 == 23 || i + 1 == table->len ? "\n" : "");
    fputs("    .size ebpf_ksym_table, . - ebpf_ksym_table\n"
          "    .balign 4\n"
          "ebpf_ksym_size:\n",
          f);
    fprintf(f, "    .4byte %zu\n    .size ebpf_ksym_size, 4\n", table->len);
    fputs("    .section .note.GNU-stack,\"\",@progbits\n", f);
    if (fflush(f) || ferror(f) || fclose(f))
        die("%s: cannot be written", path);
}

static void generate(struct kernel *k, const char *out)
{
    struct buffer table = {0};
    size_t name_bytes = 0, packed = 0;

    for (uint32_t i = 0; i < k->count; i++)
        name_bytes += strlen(k->syms[i].name) + 1;
    compress(k);
    build_table(k, &table);
    for (uint32_t i = 0; i < k->count; i++)
        packed += k->syms[i].code_cnt + 1;
    for (uint32_t t = 0; t < EBPF_KSYM_TOKENS; t++)
        packed += tokens[t].len + 2;
    write_source(out, &table);
    printf(
        "  KSYMS   %u functions; names %zu -> %zu bytes (%zu%%), whole table %zu of %zu (%zu%%)\n",
        k->count, name_bytes, packed, packed * 100 / name_bytes, table.len,
        name_bytes + k->count * (size_t)16, table.len * 100 / (name_bytes + k->count * (size_t)16));
    if (k->cut)
        printf("  KSYMS   %u names cut to %u characters\n", k->cut, EBPF_KSYM_NAME_MAX);
    free(table.data);
}

/* The bytes of an ELF object symbol in allocated memory; a copy aligned for the reader. */
static void *read_object(struct kernel *k, const char *name, size_t size, size_t *have)
{
    Elf_Data *symbols = elf_getdata(k->symtab, NULL), *data;
    GElf_Sym sym;
    GElf_Shdr shdr;

    for (int i = 0; gelf_getsym(symbols, i, &sym); i++) {
        const char *found = elf_strptr(k->elf, k->strings, sym.st_name);
        Elf_Scn *scn =
            sym.st_shndx && sym.st_shndx < SHN_LORESERVE ? elf_getscn(k->elf, sym.st_shndx) : NULL;
        if (!found || strcmp(found, name) || !scn || !gelf_getshdr(scn, &shdr))
            continue;
        data = elf_getdata(scn, NULL);
        *have = size ? size : sym.st_size;
        if (!data || !data->d_buf || sym.st_value < shdr.sh_addr || *have > data->d_size ||
            sym.st_value - shdr.sh_addr > data->d_size - *have)
            die("%s: %s does not lie inside its section", k->path, name);
        return memcpy(allocate(*have, 1), (char *)data->d_buf + (sym.st_value - shdr.sh_addr),
                      *have);
    }
    die("%s: no symbol %s: was the library's src/base/ksym_none.c linked?", k->path, name);
}

static void *embedded_table(struct kernel *k, size_t *size)
{
    size_t four;
    uint8_t *le = read_object(k, "ebpf_ksym_size", 4, &four);
    uint32_t bytes = le[0] | (uint32_t)le[1] << 8 | (uint32_t)le[2] << 16 | (uint32_t)le[3] << 24;

    free(le);
    if (!bytes)
        die("%s: holds no symbol table", k->path);
    *size = bytes;
    return read_object(k, "ebpf_ksym_table", bytes, size);
}

static void check(struct kernel *k)
{
    size_t size;
    void *table = embedded_table(k, &size);
    struct ebpf_symbol got;

    if (ebpf_ksym_table_count(table, size) != k->count)
        die("%s: the table has %u functions, the kernel %u", k->path,
            ebpf_ksym_table_count(table, size), k->count);
    for (uint32_t i = 0; i < k->count; i++) {
        const struct sym *s = &k->syms[i];
        if (ebpf_ksym_table_get(table, size, i, &got))
            die("%s: entry %u of the table is damaged", k->path, i);
        if (got.addr != s->addr || got.size != s->size || strcmp(got.name, s->name))
            die("%s: entry %u is %s at 0x%llx, %llu bytes; the kernel has %s at 0x%llx, %llu bytes "
                "(did functions move "
                "with the second link?)",
                k->path, i, got.name, (unsigned long long)got.addr, (unsigned long long)got.size,
                s->name, (unsigned long long)s->addr, (unsigned long long)s->size);
    }
    free(table);
}

static void list(struct kernel *k)
{
    size_t size;
    void *table = embedded_table(k, &size);
    struct ebpf_symbol got;

    for (uint32_t i = 0; i < ebpf_ksym_table_count(table, size); i++) {
        if (ebpf_ksym_table_get(table, size, i, &got))
            die("%s: entry %u of the table is damaged", k->path, i);
        printf("%016llx %6llu %s\n", (unsigned long long)got.addr, (unsigned long long)got.size,
               got.name);
    }
    free(table);
}

int main(int argc, char **argv)
{
    struct kernel k = {0};

    if (argc != 3) {
        fputs("usage: ksymgen KERNEL.elf OUT.S | --check KERNEL.elf | --list KERNEL.elf\n", stderr);
        return 2;
    }
    if (!strcmp(argv[1], "--list")) {
        kernel_open(&k, argv[2]);
        list(&k);
    } else {
        bool checking = !strcmp(argv[1], "--check");
        kernel_open(&k, checking ? argv[2] : argv[1]);
        kernel_collect(&k);
        if (checking)
            check(&k);
        else
            generate(&k, argv[2]);
    }
    kernel_close(&k);
    return 0;
}
