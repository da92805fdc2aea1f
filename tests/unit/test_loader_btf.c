/* SPDX-License-Identifier: MIT */
/* Map definitions in BTF, written by hand: what compilers write, and what hostile ones might. */
#include "tests/unit/loader_util.h"
#include "tests/unit/test.h"

enum {
    VOID,
    INT,
    PTR,
    ARRAY,
    STRUCT,
    UNION,
    ENUM,
    FWD,
    TYPEDEF,
    VOLATILE,
    CONST,
    RESTRICT,
    FUNC,
    FUNC_PROTO,
    VAR,
    DATASEC,
    FLOAT,
    DECL_TAG,
    TYPE_TAG,
    ENUM64
};

#define MAPS_SIZE 64

/* Types 1 to 6 of every description here. */
enum { T_INT = 1, T_ARRAY_2, T_UINT_2, T_KEY, T_STRUCT_20, T_VALUE, T_FREE };

static void array_type(struct btf_build *b, unsigned element, uint32_t count)
{
    btf_type(b, "", ARRAY, 0, 0);
    btf_word(b, element);
    btf_word(b, T_INT);
    btf_word(b, count);
}

static void begin(struct btf_build *b)
{
    btf_begin(b);
    btf_type(b, "int", INT, 0, 4);
    btf_word(b, 32);
    array_type(b, T_INT, 2);              /* int [2] */
    btf_type(b, "", PTR, 0, T_ARRAY_2);   /* __uint(name, 2) */
    btf_type(b, "", PTR, 0, T_INT);       /* __type(key, int) */
    btf_type(b, "twenty", STRUCT, 0, 20); /* no members: only the size counts */
    btf_type(b, "", PTR, 0, T_STRUCT_20);
}

/* One map: struct number map, linkage 1, of size bytes at offset. */
static void end(struct btf_build *b, unsigned map, uint32_t offset, uint32_t size)
{
    unsigned var = btf_type(b, "by_hand", VAR, 0, map);

    btf_word(b, 1);
    btf_type(b, ".maps", DATASEC, 1, MAPS_SIZE);
    btf_word(b, var);
    btf_word(b, offset);
    btf_word(b, size);
    btf_finish(b);
}

/* struct { type; key; value; max_entries; }: an array of two values of 20 bytes; returns its
 * type */
static unsigned good_map(struct btf_build *b)
{
    unsigned map = btf_type(b, "", STRUCT, 4, 32);

    btf_member(b, "type", T_UINT_2);
    btf_member(b, "key", T_KEY);
    btf_member(b, "value", T_VALUE);
    btf_member(b, "max_entries", T_UINT_2);
    return map;
}

static void expect(const struct btf_build *b, int err, const char *line)
{
    struct built built = build_with_btf(b->out, b->size, MAPS_SIZE);

    object_expect(built.elf, built.size, err, line);
    free(built.elf);
}

TEST(loader_btf_reads_a_map_written_by_hand)
{
    struct btf_build b;
    struct ebpf_object *obj = NULL;
    struct ebpf_map_spec spec;

    begin(&b);
    end(&b, good_map(&b), 32, 32);
    struct built built = build_with_btf(b.out, b.size, MAPS_SIZE);
    CHECK_EQ(ebpf_object_open_mem(built.elf, built.size, &obj), 0);
    free(built.elf);
    REQUIRE(obj && ebpf_object_find_map(obj, "by_hand"));
    ebpf_object_map_spec(ebpf_object_find_map(obj, "by_hand"), &spec);
    CHECK_EQ(spec.type, BPF_MAP_TYPE_ARRAY);
    CHECK_EQ(spec.key_size, 4);
    CHECK_EQ(spec.value_size, 20);
    CHECK_EQ(spec.max_entries, 2);
    ebpf_object_close(obj);
}

/* As libbpf: no size means one entry for each CPU. */
TEST(loader_btf_sizes_perf_event_arrays_by_the_cpus)
{
    struct btf_build b;
    struct ebpf_object *obj = NULL;
    struct ebpf_object_map *map;
    struct ebpf_map_spec spec = {0};
    unsigned type, map_type;

    begin(&b);
    array_type(&b, T_INT, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
    type = btf_type(&b, "", PTR, 0, b.type_cnt);
    map_type = btf_type(&b, "", STRUCT, 3, 24);
    btf_member(&b, "type", type);
    btf_member(&b, "key", T_KEY);
    btf_member(&b, "value", T_KEY);
    end(&b, map_type, 0, 24);
    struct built built = build_with_btf(b.out, b.size, MAPS_SIZE);
    CHECK_EQ(ebpf_object_open_mem(built.elf, built.size, &obj), 0);
    free(built.elf);
    REQUIRE(obj);
    map = ebpf_object_find_map(obj, "by_hand");
    for (struct ebpf_object_prog *p = NULL; (p = ebpf_object_next_prog(obj, p));)
        ebpf_object_prog_set_autoload(p, false);
    if (ebpf_object_load(obj, EBPF_CAP_ALL)) { /* a build without this type */
        CHECK(strstr(mock_console(), "map by_hand (type 4, key 4, value 4, entries 4, flags 0x0)"));
    } else {
        ebpf_map_spec(ebpf_object_map_map(map), &spec);
        CHECK_EQ(spec.max_entries, mock_cpu_count);
    }
    ebpf_object_close(obj);
}

/* ---- the blob -------------------------------------------------------------------------------- */

/* A good description with one 32-bit word of the file changed. */
static void expect_word(unsigned offset, uint32_t word, int err, const char *line)
{
    struct btf_build b;

    begin(&b);
    end(&b, good_map(&b), 0, 32);
    memcpy(b.out + offset, &word, 4);
    expect(&b, err, line);
}

TEST(loader_btf_refuses_a_header_that_lies)
{
    expect_word(0, 0x0001eb9e, -ENOEXEC, "section .BTF (12) offset 0x0: BTF magic 0xeb9e");
    expect_word(0, 0x0002eb9f, -ENOEXEC, "version 2");
    expect_word(4, 0, -ENOEXEC, "BTF header of 0 bytes");
    expect_word(4, UINT32_MAX, -ENOEXEC, "BTF header of");
    expect_word(8, UINT32_MAX & ~3u, -ENOEXEC, "offset 0x8: BTF types");
    expect_word(8, 2, -ENOEXEC, "offset 0x8: BTF types");
    expect_word(12, UINT32_MAX, -ENOEXEC, "offset 0x8: BTF types");
    expect_word(16, UINT32_MAX, -ENOEXEC, "offset 0x10: BTF strings");
    expect_word(20, UINT32_MAX, -ENOEXEC, "offset 0x10: BTF strings");
    expect_word(20, 0, -ENOEXEC, "begin and end with NUL");
    expect_word(20, 3, -ENOEXEC, "begin and end with NUL");
}

TEST(loader_btf_refuses_types_that_lie)
{
    expect_word(24, 0x7fffffff, -ENOEXEC, "offset 0x18: BTF type's name");
    expect_word(28, 0x00000000, -EOPNOTSUPP, "BTF kind 0 is not known");
    expect_word(28, 0x1f000000, -EOPNOTSUPP, "BTF kind 31 is not known");
    expect_word(28, STRUCT << 24 | 0xffff, -ENOEXEC, "exceeds the last");
}

TEST(loader_btf_refuses_every_truncation)
{
    struct btf_build b;

    begin(&b);
    end(&b, good_map(&b), 0, 32);
    for (size_t size = 1; size < b.size; size++) {
        struct built built = build_with_btf(b.out, size, MAPS_SIZE);

        object_expect(built.elf, built.size, -ENOEXEC, "section .BTF (12)");
        free(built.elf);
    }
}

TEST(loader_btf_needs_a_description_of_maps)
{
    struct btf_build b;

    btf_begin(&b);
    btf_finish(&b);
    expect(&b, -EINVAL, "section .maps (13) offset 0x0: maps without BTF");
}

TEST(loader_btf_accepts_maps_of_no_bytes)
{
    struct btf_build b;

    btf_begin(&b);
    btf_finish(&b);
    struct built built = build_with_btf(b.out, b.size, 0);
    object_expect(built.elf, built.size, 0, NULL);
    free(built.elf);
}

/* ---- the section ----------------------------------------------------------------------------- */

static void expect_place(uint32_t offset, uint32_t size, int err, const char *line)
{
    struct btf_build b;

    begin(&b);
    end(&b, good_map(&b), offset, size);
    expect(&b, err, line);
}

TEST(loader_btf_refuses_maps_outside_their_section)
{
    expect_place(33, 32, -EINVAL, "section .maps (13) offset 0x21: map size 0x20 exceeds");
    expect_place(UINT32_MAX, 32, -EINVAL, "map size 0x20 exceeds");
    expect_place(0, UINT32_MAX, -EINVAL, "map size 0xffffffff exceeds");
    expect_place(0, 31, -EINVAL, "map size 32 exceeds its variable's 31");
    expect_place(0, 0, -EINVAL, "overlaps");
}

TEST(loader_btf_refuses_maps_that_overlap)
{
    struct btf_build b;
    unsigned map, var;

    begin(&b);
    map = good_map(&b);
    var = btf_type(&b, "by_hand", VAR, 0, map);
    btf_word(&b, 1);
    btf_type(&b, ".maps", DATASEC, 2, MAPS_SIZE);
    for (int i = 1; i >= 0; i--) { /* the one behind first: the loader sorts them */
        btf_word(&b, var);
        btf_word(&b, (uint32_t)i * 16);
        btf_word(&b, 32);
    }
    btf_finish(&b);
    expect(&b, -EINVAL, "offset 0x10: map overlaps");
}

TEST(loader_btf_refuses_what_is_not_a_variable_of_struct_type)
{
    struct btf_build b;

    begin(&b);
    end(&b, T_INT, 0, 32);
    expect(&b, -EINVAL, "map by_hand: BTF type 1 is not a struct");

    begin(&b);
    end(&b, 1000, 0, 32);
    expect(&b, -ENOEXEC, "BTF type 1000 of 8");

    begin(&b);
    end(&b, b.type_cnt + 3, 0, 32); /* one more than there are */
    expect(&b, -ENOEXEC, "BTF type 9 of 8");

    begin(&b);
    btf_type(&b, ".maps", DATASEC, 1, MAPS_SIZE);
    btf_word(&b, T_STRUCT_20);
    btf_word(&b, 0);
    btf_word(&b, 32);
    btf_finish(&b);
    expect(&b, -EINVAL, "BTF type 5 is not a variable");
}

TEST(loader_btf_refuses_a_second_description)
{
    struct btf_build b;
    unsigned map;

    begin(&b);
    map = good_map(&b);
    btf_type(&b, ".maps", DATASEC, 0, MAPS_SIZE);
    end(&b, map, 0, 32);
    expect(&b, -EINVAL, "second description of .maps");
}

/* ---- members --------------------------------------------------------------------------------- */

/* A map whose one member, beside the type, is called name and has type. */
static void expect_member(struct btf_build *b, const char *name, unsigned type, int err,
                          const char *line)
{
    unsigned map = btf_type(b, "", STRUCT, 2, 16);

    btf_member(b, "type", T_UINT_2);
    btf_member(b, name, type);
    end(b, map, 0, 32);
    expect(b, err, line);
}

TEST(loader_btf_refuses_members_it_does_not_know)
{
    struct btf_build b;

    begin(&b);
    expect_member(&b, "inner_map_idx", T_UINT_2, -EOPNOTSUPP,
                  "map by_hand: inner_map_idx: unknown member");
    begin(&b);
    expect_member(&b, "", T_UINT_2, -EOPNOTSUPP, "unknown member");
    begin(&b);
    expect_member(&b, "type", T_UINT_2, -EINVAL, "type: defined twice");
    begin(&b);
    expect_member(&b, "pinning", T_UINT_2, -EINVAL, "pinning: not a way of pinning");
}

TEST(loader_btf_refuses_members_of_the_wrong_kind)
{
    struct btf_build b;

    begin(&b);
    expect_member(&b, "max_entries", T_INT, -EINVAL, "max_entries: not written with __uint()");
    begin(&b);
    expect_member(&b, "max_entries", T_KEY, -EINVAL, "max_entries: not written with __uint()");
    begin(&b);
    expect_member(&b, "key", T_INT, -EINVAL, "key: not written with");
    begin(&b);
    expect_member(&b, "key", btf_type(&b, "", PTR, 0, VOID), -EINVAL, "has no size");
    begin(&b);
    expect_member(&b, "key", btf_type(&b, "", PTR, 0, btf_type(&b, "f", FWD, 0, 0)), -EINVAL,
                  "has no size");
    begin(&b);
    expect_member(&b, "key", 4711, -ENOEXEC, "BTF type 4711 of");
    begin(&b);
    expect_member(&b, "values", T_ARRAY_2, -EOPNOTSUPP, "values: neither programs nor maps");
}

TEST(loader_btf_needs_a_map_type)
{
    struct btf_build b;
    unsigned map;

    begin(&b);
    map = btf_type(&b, "", STRUCT, 1, 8);
    btf_member(&b, "key", T_KEY);
    end(&b, map, 0, 32);
    expect(&b, -EINVAL, "map by_hand: type: missing");
}

TEST(loader_btf_refuses_values_of_other_maps_than_program_arrays)
{
    struct btf_build b;
    unsigned proto;

    begin(&b);
    proto = btf_type(&b, "", FUNC_PROTO, 0, T_INT);
    array_type(&b, btf_type(&b, "", PTR, 0, proto), 0);
    expect_member(&b, "values", b.type_cnt, -EOPNOTSUPP, "values: not what this type of map holds");
}

TEST(loader_btf_refuses_sizes_that_contradict)
{
    struct btf_build b;
    unsigned map;

    begin(&b);
    map = btf_type(&b, "", STRUCT, 3, 24);
    btf_member(&b, "type", T_UINT_2);
    btf_member(&b, "key_size", T_UINT_2);
    btf_member(&b, "key", T_KEY);
    end(&b, map, 0, 32);
    expect(&b, -EINVAL, "map by_hand: key: not of the size");

    begin(&b);
    map = btf_type(&b, "", STRUCT, 3, 24);
    btf_member(&b, "type", T_UINT_2);
    btf_member(&b, "value", T_VALUE);
    btf_member(&b, "value_size", T_UINT_2);
    end(&b, map, 0, 32);
    expect(&b, -EINVAL, "map by_hand: value_size: not the size");
}

TEST(loader_btf_ends_on_cycles)
{
    struct btf_build b;
    unsigned self;

    begin(&b);
    self = b.type_cnt + 1;
    btf_type(&b, "ouroboros", TYPEDEF, 0, self);
    expect_member(&b, "key", self, -ENOEXEC, "nested too deeply");

    begin(&b);
    self = b.type_cnt + 1;
    array_type(&b, self, 1);
    expect_member(&b, "key", btf_type(&b, "", PTR, 0, self), -ENOEXEC, "nested too deeply");
}

TEST(loader_btf_refuses_sizes_that_overflow)
{
    struct btf_build b;

    begin(&b);
    array_type(&b, T_STRUCT_20, 0x10000000);
    expect_member(&b, "value", btf_type(&b, "", PTR, 0, b.type_cnt), -EINVAL, "larger than 4 GiB");

    begin(&b);
    array_type(&b, T_INT, 0x10000);
    array_type(&b, b.type_cnt, 0x10000);
    expect_member(&b, "value", btf_type(&b, "", PTR, 0, b.type_cnt), -EINVAL, "larger than 4 GiB");
}

TEST(loader_btf_knows_the_sizes_of_all_types)
{
    static const struct {
        unsigned kind, size_or_type, size;
    } kinds[] = {{INT, 2, 2},          {UNION, 12, 12},      {ENUM, 4, 4},
                 {FLOAT, 8, 8},        {ENUM64, 8, 8},       {CONST, T_INT, 4},
                 {VOLATILE, T_INT, 4}, {RESTRICT, T_INT, 4}, {TYPE_TAG, T_INT, 4}};

    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct btf_build b;
        struct ebpf_object *obj = NULL;
        struct ebpf_map_spec spec;
        unsigned type, map;

        begin(&b);
        type = btf_type(&b, "t", kinds[i].kind, 0, kinds[i].size_or_type);
        if (kinds[i].kind == INT)
            btf_word(&b, 16);
        array_type(&b, type, 3);
        type = btf_type(&b, "", PTR, 0, b.type_cnt);
        map = btf_type(&b, "", STRUCT, 2, 16);
        btf_member(&b, "type", T_UINT_2);
        btf_member(&b, "value", type);
        end(&b, map, 0, 16);
        struct built built = build_with_btf(b.out, b.size, MAPS_SIZE);
        CHECK_EQ(ebpf_object_open_mem(built.elf, built.size, &obj), 0);
        free(built.elf);
        REQUIRE(obj);
        ebpf_object_map_spec(ebpf_object_find_map(obj, "by_hand"), &spec);
        CHECK_EQ(spec.value_size, 3 * kinds[i].size);
        ebpf_object_close(obj);
    }
}

/* ---- .BTF.ext -------------------------------------------------------------------------------- */

/* loader_core's .BTF.ext with one word changed; offsets are from the section's begin. */
static void expect_ext(unsigned offset, uint32_t word, int err, const char *line)
{
    size_t size;
    unsigned char *elf = object_read("loader_core", &size);

    REQUIRE(elf);
    memcpy(elf + elf_section(elf, ".BTF.ext")->sh_offset + offset, &word, 4);
    object_expect(elf, size, err, line);
    free(elf);
}

TEST(loader_btf_ext_refuses_what_lies)
{
    size_t size;
    unsigned char *elf = object_read("loader_core", &size);
    uint32_t header[8];
    unsigned core;

    REQUIRE(elf);
    memcpy(header, elf + elf_section(elf, ".BTF.ext")->sh_offset, sizeof(header));
    core = header[1] + header[6]; /* hdr_len + core_relo_off */
    free(elf);
    expect_ext(0, 0x0001eb9e, -ENOEXEC, "section .BTF.ext (");
    expect_ext(4, 20, -ENOEXEC, "header of 20 bytes");
    expect_ext(4, UINT32_MAX, -ENOEXEC, "header of");
    expect_ext(8, UINT32_MAX, -ENOEXEC, "function information");
    expect_ext(12, UINT32_MAX, -ENOEXEC, "function information");
    expect_ext(16, UINT32_MAX, -ENOEXEC, "line information");
    expect_ext(20, UINT32_MAX, -ENOEXEC, "line information");
    expect_ext(24, UINT32_MAX, -ENOEXEC, "CO-RE relocations");
    expect_ext(28, UINT32_MAX, -ENOEXEC, "CO-RE relocations");
    expect_ext(28, 2, -ENOEXEC, "records of 0 bytes");
    expect_ext(28, 8, -ENOEXEC, "truncated records");
    expect_ext(core, 12, -ENOEXEC, "records of 12 bytes");
    expect_ext(core, 18, -ENOEXEC, "records of 18 bytes");
    expect_ext(core, UINT32_MAX & ~3u, -ENOEXEC, "exceed 0x");
    expect_ext(core + 4, 0, -ENOENT, "section that does not exist");
    expect_ext(core + 4, UINT32_MAX, -ENOENT, "name out of bounds");
    expect_ext(core + 8, 0, -ENOEXEC, "0 records");
    expect_ext(core + 8, UINT32_MAX, -ENOEXEC, "exceed 0x");
    expect_ext(core + 12, UINT32_MAX, 0, NULL);     /* in no function: nobody needs it */
    for (unsigned part = 2; part <= 4; part += 2) { /* functions, lines */
        unsigned at = header[1] + header[part];

        expect_ext(at, part == 2 ? 4 : 12, -ENOEXEC, "records of");
        expect_ext(at, UINT32_MAX & ~3u, -ENOEXEC, "exceed 0x");
        expect_ext(at + 4, 0, -ENOENT, "section that does not exist");
        expect_ext(at + 8, 0, -ENOEXEC, "0 records");
        expect_ext(at + 12, UINT32_MAX, 0, NULL);
    }
}

TEST(loader_btf_ext_may_have_the_header_before_core)
{
    struct ebpf_object *obj = NULL;
    uint32_t header[8];
    size_t size;
    unsigned char *elf = object_read("loader_core", &size), *ext;

    REQUIRE(elf);
    ext = elf + elf_section(elf, ".BTF.ext")->sh_offset;
    memcpy(header, ext, sizeof(header));
    header[1] = 24;
    header[2] += 8;
    header[4] += 8;
    memcpy(ext, header, 24);
    CHECK_EQ(ebpf_object_open_mem(elf, size, &obj), 0);
    free(elf);
    REQUIRE(obj);
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    ebpf_object_close(obj);
}
