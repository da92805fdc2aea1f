/* SPDX-License-Identifier: MIT */
/* The reader of the symbol table (src/base/ksym.c) on small tables made here, sound ones and
 * damaged ones. What tools/ksymgen writes is tested in tests/suites/ksymgen.sh. */
#include "tests/unit/test.h"

#include "src/base/ksym.h"
#include "src/base/ksym_table.h"

struct entry {
    uint32_t addr, size;
    const char *name;
};

#define BASE 0xffffffff80200000ULL

/* sorted by address; "run" is there twice, two names share 0x40, a gap of 200 bytes lies before
 * "far" */
static const struct entry entries[] = {
    {0x00, 0x10, "start"},  {0x10, 0x2e, "run"}, {0x40, 8, "main"},     {0x40, 8, "main_alias"},
    {0x48, 0x10, "run"},    {0x120, 6, "far"},   {0x126, 2, "tiny"},    {0x128, 4, "a"},
    {0x12c, 4, "ab"},       {0x130, 4, "abc"},   {0x134, 4, "b1"},      {0x138, 4, "b2"},
    {0x13c, 4, "b3"},       {0x140, 4, "b4"},    {0x144, 4, "b5"},      {0x148, 4, "b6"},
    {0x14c, 4, "c.part.0"}, {0x150, 4, "c7"},    {0x154, 0x20, "last"},
};
#define COUNT (sizeof(entries) / sizeof(entries[0]))
#define END 0x180u

/* Every character is its own token, but 0xff stands for "main". malloc()ed to its exact size. */
static uint8_t *build(size_t *size)
{
    static uint8_t out[4096];
    uint32_t markers[2] = {0};
    uint8_t names[512], texts[300], order[COUNT];
    uint16_t at[257] = {0};
    struct ebpf_ksym_header head = {EBPF_KSYM_MAGIC, COUNT, BASE, 0, 0};
    size_t len = sizeof(head);
    uint8_t *table;

    for (unsigned t = 0; t < 256; t++) {
        const char *text = t == 0xff ? "main" : t >= ' ' && t <= '~' ? (char[2]){(char)t, 0} : "";
        memcpy(texts + at[t], text, strlen(text));
        at[t + 1] = (uint16_t)(at[t] + strlen(text));
    }
    head.token_bytes = at[256];
    for (uint32_t i = 0; i < COUNT; i++) {
        const char *name = entries[i].name;
        uint32_t next = i + 1, gap;
        bool token = !strncmp(name, "main", 4);
        while (next < COUNT && entries[next].addr == entries[i].addr)
            next++;
        gap = (next < COUNT ? entries[next].addr : END) - entries[i].addr - entries[i].size;
        if (i % EBPF_KSYM_STRIDE == 0)
            markers[i / EBPF_KSYM_STRIDE] = head.name_bytes;
        names[head.name_bytes++] = (uint8_t)(strlen(name) - (token ? 3 : 0));
        if (gap >= 0x80)
            names[head.name_bytes++] = (uint8_t)(gap | 0x80);
        names[head.name_bytes++] = (uint8_t)(gap >= 0x80 ? gap >> 7 : gap);
        if (token)
            names[head.name_bytes++] = 0xff;
        memcpy(names + head.name_bytes, name + (token ? 4 : 0), strlen(name) - (token ? 4 : 0));
        head.name_bytes += (uint32_t)(strlen(name) - (token ? 4 : 0));
    }
    for (uint8_t i = 0; i < COUNT; i++) { /* by insertion */
        unsigned place = i;
        for (; place > 0 && strcmp(entries[order[place - 1]].name, entries[i].name) > 0; place--)
            order[place] = order[place - 1];
        order[place] = i;
    }
    memcpy(out, &head, sizeof(head));
    for (uint32_t i = 0; i <= COUNT; i++, len += 4)
        memcpy(out + len, i < COUNT ? &entries[i].addr : &(uint32_t){END}, 4);
    memcpy(out + len, markers, sizeof(markers));
    len += sizeof(markers);
    memcpy(out + len, at, sizeof(at));
    len += sizeof(at);
    for (unsigned i = 0; i < COUNT; i++, len += 2)
        memcpy(out + len, &(uint16_t){order[i]}, 2);
    memcpy(out + len, texts, head.token_bytes);
    len += head.token_bytes;
    memcpy(out + len, names, head.name_bytes);
    len += head.name_bytes;
    table = malloc(len);
    memcpy(table, out, len);
    *size = len;
    return table;
}

TEST(ksym_without_a_table_nothing_is_found)
{
    struct ebpf_symbol got;

    CHECK_EQ(ebpf_ksym_count(), 0);
    CHECK_EQ(ebpf_ksym_find("main", &got), -ENOENT);
    CHECK_EQ(ebpf_ksym_at(0, &got), -ENOENT);
    CHECK_EQ(ebpf_ksym_at((uintptr_t)build, &got), -ENOENT);
    CHECK_EQ(ebpf_ksym_get(0, &got), -ENOENT);
}

TEST(ksym_index_gives_every_symbol_in_order_of_address)
{
    size_t size;
    uint8_t *table = build(&size);
    struct ebpf_symbol got;

    CHECK_EQ(ebpf_ksym_table_count(table, size), COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        CHECK_EQ(ebpf_ksym_table_get(table, size, i, &got), 0);
        CHECK_EQ(got.addr, BASE + entries[i].addr);
        CHECK_EQ(got.size, entries[i].size);
        CHECK_STR(got.name, entries[i].name);
    }
    CHECK_EQ(ebpf_ksym_table_get(table, size, COUNT, &got), -ENOENT);
    CHECK_EQ(ebpf_ksym_table_get(table, size, UINT32_MAX, &got), -ENOENT);
    free(table);
}

TEST(ksym_every_name_is_found)
{
    size_t size;
    uint8_t *table = build(&size);
    struct ebpf_symbol got;

    for (uint32_t i = 0; i < COUNT; i++) {
        CHECK_EQ(ebpf_ksym_table_find(table, size, entries[i].name, &got), 0);
        CHECK_STR(got.name, entries[i].name);
        if (strcmp(entries[i].name, "run"))
            CHECK_EQ(got.addr, BASE + entries[i].addr);
    }
    free(table);
}

TEST(ksym_of_two_statics_with_one_name_the_lower_address_is_found)
{
    size_t size;
    uint8_t *table = build(&size);
    struct ebpf_symbol got;

    CHECK_EQ(ebpf_ksym_table_find(table, size, "run", &got), 0);
    CHECK_EQ(got.addr, BASE + 0x10);
    CHECK_EQ(got.size, 0x2e);
    free(table);
}

TEST(ksym_unknown_names_are_not_found)
{
    static const char *const names[] = {"",  "aa", "abcd", "mai",  "main_", "zzz",
                                        "~", " ",  "b",    "runn", "\xff"};
    size_t size;
    uint8_t *table = build(&size);
    struct ebpf_symbol got;
    char long_name[300];

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        CHECK_EQ(ebpf_ksym_table_find(table, size, names[i], &got), -ENOENT);
    memset(long_name, 'a', sizeof(long_name));
    long_name[299] = 0;
    CHECK_EQ(ebpf_ksym_table_find(table, size, long_name, &got), -ENOENT);
    free(table);
}

TEST(ksym_every_address_inside_a_function_names_it_and_none_outside)
{
    size_t size;
    uint8_t *table = build(&size);
    struct ebpf_symbol got;

    for (uint32_t offset = 0; offset < END + 16; offset++) {
        const struct entry *in = NULL;
        int err = ebpf_ksym_table_at(table, size, BASE + offset, &got);
        for (uint32_t i = 0; i < COUNT && !in; i++)
            if (offset >= entries[i].addr && offset < entries[i].addr + entries[i].size)
                in = &entries[i];
        CHECK_EQ(err, in ? 0 : -ENOENT);
        if (in && !err)
            CHECK_STR(got.name, in->name);
    }
    CHECK_EQ(ebpf_ksym_table_at(table, size, BASE - 1, &got), -ENOENT);
    CHECK_EQ(ebpf_ksym_table_at(table, size, 0, &got), -ENOENT);
    CHECK_EQ(ebpf_ksym_table_at(table, size, BASE + 0x100000000ULL, &got), -ENOENT);
    CHECK_EQ(ebpf_ksym_table_at(table, size, UINT64_MAX, &got), -ENOENT);
    free(table);
}

/* All lookups on a table that may be damaged: whatever they answer, the sanitizer watches the
 * accesses. */
static void use(const uint8_t *table, size_t size)
{
    struct ebpf_symbol got;

    for (uint32_t i = 0; i <= COUNT; i++) {
        if (ebpf_ksym_table_get(table, size, i, &got) == 0) {
            CHECK(got.size > 0);
            CHECK(memchr(got.name, 0, sizeof(got.name)) != NULL);
        }
        ebpf_ksym_table_find(table, size, entries[i % COUNT].name, &got);
        ebpf_ksym_table_at(table, size, BASE + i * 17, &got);
    }
}

TEST(ksym_a_table_cut_short_anywhere_is_no_table)
{
    size_t size;
    uint8_t *table = build(&size);

    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *copy = malloc(cut + 1);
        memcpy(copy, table, cut);
        CHECK_EQ(ebpf_ksym_table_count(copy, cut), 0);
        use(copy, cut);
        free(copy);
    }
    free(table);
}

TEST(ksym_every_damaged_byte_stays_inside_the_table)
{
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    size_t size;
    uint8_t *table = build(&size);

    for (size_t i = 0; i < size; i++) {
        uint8_t old = table[i];
        for (unsigned v = 0; v < sizeof(values); v++) {
            table[i] = values[v];
            use(table, size);
        }
        table[i] = old;
    }
    free(table);
}

TEST(ksym_random_damage_stays_inside_the_table)
{
    uint64_t state = 88172645463325252ULL;
    size_t size;
    uint8_t *table = build(&size), *copy = malloc(size);

    for (unsigned round = 0; round < 3000; round++) {
        memcpy(copy, table, size);
        for (unsigned hits = 0; hits <= round % 40; hits++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            copy[4 + state % (size - 4)] = (uint8_t)(state >> 40); /* the magic word stays */
        }
        use(copy, size);
    }
    free(copy);
    free(table);
}
