/* SPDX-License-Identifier: MIT */
/* See loader_mutate.h. */
#include "tests/unit/loader_mutate.h"

#include "tests/unit/loader_util.h"
#include "tests/unit/test.h"

/* ---- mutating -------------------------------------------------------------------------------- */

static uint64_t next(uint64_t *seed) /* xorshift64* */
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * 0x2545f4914f6cdd1d;
}

static size_t below(uint64_t *seed, size_t limit)
{
    return limit ? (size_t)(next(seed) >> 16) % limit : 0;
}

/* A number that is likely to hurt: around 0, powers of two, the object's size. */
static uint64_t edge(uint64_t *seed, size_t size)
{
    uint64_t value = 0;

    switch (below(seed, 6)) {
    case 0:
        value = below(seed, 32);
        break;
    case 1:
        value = 1ull << below(seed, 64);
        break;
    case 2:
        value = size;
        break;
    case 3:
        value = below(seed, size);
        break;
    case 4:
        value = next(seed);
        break;
    default:
        break;
    }
    return value + (uint64_t)below(seed, 5) - 2;
}

static void put(unsigned char *elf, size_t size, size_t at, size_t width, uint64_t value)
{
    if (width <= size && at <= size - width)
        memcpy(elf + at, &value, width);
}

/* Some word of the table in section of type: symbols, relocations. */
static void mutate_table(unsigned char *elf, size_t size, uint64_t *seed, uint32_t type)
{
    Elf64_Ehdr eh;
    Elf64_Shdr sh;
    size_t first, width = 1u << below(seed, 4);

    memcpy(&eh, elf, sizeof(eh));
    if (!eh.e_shnum || eh.e_shoff > size || (size - eh.e_shoff) / sizeof(sh) < eh.e_shnum)
        return;
    first = below(seed, eh.e_shnum);
    for (size_t i = 0; i < eh.e_shnum; i++) {
        memcpy(&sh, elf + eh.e_shoff + (first + i) % eh.e_shnum * sizeof(sh), sizeof(sh));
        if (sh.sh_type != type || !sh.sh_size || sh.sh_offset >= size)
            continue;
        put(elf, size, sh.sh_offset + below(seed, sh.sh_size) / width * width, width,
            edge(seed, sh.sh_size));
        return;
    }
}

static void mutate_section_header(unsigned char *elf, size_t size, uint64_t *seed)
{
    static const unsigned char fields[][2] = {{0, 4},  {4, 4},  {8, 8},  {24, 8},
                                              {32, 8}, {40, 4}, {44, 4}, {56, 8}};
    size_t field = below(seed, sizeof(fields) / sizeof(fields[0]));
    Elf64_Ehdr eh;

    memcpy(&eh, elf, sizeof(eh));
    put(elf, size, eh.e_shoff + below(seed, eh.e_shnum) * sizeof(Elf64_Shdr) + fields[field][0],
        fields[field][1], edge(seed, size));
}

static void mutate_once(unsigned char *elf, size_t *size, uint64_t *seed)
{
    size_t width = 1u << below(seed, 4);

    switch (below(seed, 10)) {
    case 0:
        elf[below(seed, *size)] ^= (unsigned char)(1u << below(seed, 8));
        break;
    case 1:
        put(elf, *size, below(seed, *size), width, edge(seed, *size));
        break;
    case 2:
        put(elf, *size, below(seed, 64) / width * width, width, edge(seed, *size));
        break;
    case 3:
        put(elf, *size, below(seed, *size), width, ~0ull);
        break;
    case 4:
        if (!below(seed, 8) && *size > 128)
            *size = 64 + below(seed, *size - 64);
        break;
    case 5:
    case 6:
        mutate_section_header(elf, *size, seed);
        break;
    case 7:
        mutate_table(elf, *size, seed, SHT_SYMTAB);
        break;
    case 8:
        mutate_table(elf, *size, seed, SHT_REL);
        break;
    default:
        mutate_table(elf, *size, seed, SHT_PROGBITS); /* code, maps, data, BTF */
        break;
    }
}

void mutate(unsigned char *elf, size_t *size, uint64_t *seed)
{
    for (size_t n = 1 + below(seed, 4); n; n--)
        mutate_once(elf, size, seed);
}

/* ---- opening --------------------------------------------------------------------------------- */

/* Maps of absurd sizes are the maps' affair: creating them only takes time here. */
static bool is_small(struct ebpf_object *obj)
{
    for (struct ebpf_object_map *map = NULL; (map = ebpf_object_next_map(obj, map));) {
        struct ebpf_map_spec spec;

        ebpf_object_map_spec(map, &spec);
        if (spec.max_entries > 1024 || spec.value_size > 4096 || spec.key_size > 4096)
            return false;
    }
    return true;
}

static void use(struct ebpf_object *obj)
{
    size_t bytes = strlen(ebpf_object_license(obj));
    uint32_t count;

    for (struct ebpf_object_map *map = NULL; (map = ebpf_object_next_map(obj, map));)
        bytes += strlen(ebpf_object_map_name(map));
    for (struct ebpf_object_prog *prog = NULL; (prog = ebpf_object_next_prog(obj, prog));) {
        const struct bpf_insn *insns = ebpf_object_prog_insns(prog, &count);

        for (uint32_t i = 0; insns && i < count; i++)
            bytes += insns[i].code;
        bytes += strlen(ebpf_object_prog_name(prog)) + strlen(ebpf_object_prog_section(prog));
        ebpf_object_prog_set_autoload(prog, ebpf_object_prog_type(prog) != BPF_PROG_TYPE_UNSPEC);
    }
    CHECK(bytes > 0 || !ebpf_object_next_prog(obj, NULL));
    if (is_small(obj))
        ebpf_object_load(obj, EBPF_CAP_ALL);
}

int mutant_open(const unsigned char *elf, size_t size)
{
    size_t live = mock_live_bytes();
    struct ebpf_object *obj = NULL;
    unsigned char *copy = malloc(size ? size : 1); /* the address sanitizer guards its end */
    const char *log;
    int err;

    memcpy(copy, elf, size);
    mock_console_clear();
    err = ebpf_object_open_mem(copy, size, &obj);
    free(copy);
    log = mock_console();
    if (err && (!*log || strchr(log, '\n') != log + strlen(log) - 1))
        test_fail(__FILE__, __LINE__, "open gives %d and not exactly one line:\n%s", err, log);
    if (!err) {
        use(obj);
        ebpf_object_close(obj);
    }
    if (mock_live_bytes() != live)
        test_fail(__FILE__, __LINE__, "%zu bytes are left over", mock_live_bytes() - live);
    return err;
}

/* ---- types ----------------------------------------------------------------------------------- */

/* The section of that name in a good object. */
static const unsigned char *section(const unsigned char *elf, size_t size, const char *name,
                                    size_t *section_size)
{
    Elf64_Ehdr eh;
    Elf64_Shdr names, sh;

    memcpy(&eh, elf, sizeof(eh));
    memcpy(&names, elf + eh.e_shoff + eh.e_shstrndx * sizeof(sh), sizeof(names));
    for (size_t i = 0; i < eh.e_shnum; i++) {
        memcpy(&sh, elf + eh.e_shoff + i * sizeof(sh), sizeof(sh));
        if (sh.sh_offset + sh.sh_size <= size &&
            !strcmp((const char *)elf + names.sh_offset + sh.sh_name, name)) {
            *section_size = sh.sh_size;
            return elf + sh.sh_offset;
        }
    }
    return NULL;
}

int mutant_btf(const unsigned char *elf, size_t size, uint64_t *seed)
{
    size_t live = mock_live_bytes(), btf_size;
    const unsigned char *good = section(elf, size, ".BTF", &btf_size);
    struct ebpf_btf *btf;
    unsigned char *copy;
    int err;

    if (!good)
        return -ENOENT;
    copy = malloc(btf_size);
    memcpy(copy, good, btf_size);
    for (size_t n = 1 + below(seed, 4); n; n--) {
        size_t width = 1u << below(seed, 3), room = below(seed, 4) ? btf_size : 24;

        put(copy, btf_size, below(seed, room) / width * width, width, edge(seed, btf_size));
    }
    if (!below(seed, 8))
        btf_size = below(seed, btf_size);
    copy = realloc(copy, btf_size ? btf_size : 1); /* the address sanitizer guards its end */
    err = ebpf_btf_load(copy, btf_size, &btf);
    free(copy);
    if (!err)
        ebpf_obj_put(ebpf_btf_obj(btf));
    if (mock_live_bytes() != live)
        test_fail(__FILE__, __LINE__, "%zu bytes of types are left over", mock_live_bytes() - live);
    return err;
}
