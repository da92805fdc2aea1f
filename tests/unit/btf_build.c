/* SPDX-License-Identifier: MIT */
/* See btf_build.h. */
#include "tests/unit/btf_build.h"

#include <stdlib.h>
#include <string.h>

void bb_begin(struct btf_blob *b)
{
    memset(b, 0, sizeof(*b));
    b->str_len = 1;
    b->type_cnt = 1;
}

uint32_t bb_str(struct btf_blob *b, const char *s)
{
    uint32_t at = b->str_len;

    if (!s || !*s)
        return 0;
    if (at + strlen(s) + 1 > BTF_STRINGS)
        abort();
    strcpy(b->strings + at, s);
    b->str_len += (uint32_t)strlen(s) + 1;
    return at;
}

void bb_word(struct btf_blob *b, uint32_t word)
{
    if (b->word_cnt == BTF_WORDS)
        abort();
    b->words[b->word_cnt++] = word;
}

uint32_t bb_add(struct btf_blob *b, const char *name, uint32_t kind, uint32_t vlen, bool kflag,
                uint32_t size_or_type)
{
    bb_word(b, bb_str(b, name));
    bb_word(b, vlen | kind << 24 | (uint32_t)kflag << 31);
    bb_word(b, size_or_type);
    return b->type_cnt++;
}

uint32_t bb_end(const struct btf_blob *b, void *blob)
{
    struct btf_header h = {
        .magic = BTF_MAGIC,
        .version = BTF_VERSION,
        .hdr_len = sizeof(h),
        .type_len = b->word_cnt * 4,
        .str_off = b->word_cnt * 4,
        .str_len = b->str_len,
    };
    char *out = blob;

    memcpy(out, &h, sizeof(h));
    memcpy(out + sizeof(h), b->words, h.type_len);
    memcpy(out + sizeof(h) + h.type_len, b->strings, b->str_len);
    return (uint32_t)sizeof(h) + h.type_len + b->str_len;
}

uint32_t bb_add_int(struct btf_blob *b, const char *name, uint32_t bytes, uint32_t encoding)
{
    uint32_t id = bb_add(b, name, BTF_KIND_INT, 0, false, bytes);

    bb_word(b, encoding << 24 | bytes * 8);
    return id;
}

uint32_t bb_add_ref(struct btf_blob *b, uint32_t kind, uint32_t type)
{
    return bb_add(b, NULL, kind, 0, false, type);
}

uint32_t bb_add_array(struct btf_blob *b, uint32_t type, uint32_t index, uint32_t elems)
{
    uint32_t id = bb_add(b, NULL, BTF_KIND_ARRAY, 0, false, 0);

    bb_word(b, type);
    bb_word(b, index);
    bb_word(b, elems);
    return id;
}

void bb_add_member(struct btf_blob *b, const char *name, uint32_t type, uint32_t bits_offset)
{
    bb_word(b, bb_str(b, name));
    bb_word(b, type);
    bb_word(b, bits_offset);
}

static void add_functions(struct btf_blob *b, uint32_t number, uint32_t ptr)
{
    uint32_t proto = bb_add(b, NULL, BTF_KIND_FUNC_PROTO, 2, false, number), func;

    bb_word(b, bb_str(b, "ctx"));
    bb_word(b, ptr);
    bb_word(b, bb_str(b, "len"));
    bb_word(b, number);
    func = bb_add(b, "work", BTF_KIND_FUNC, BTF_FUNC_GLOBAL, false, proto);
    bb_add(b, "arg:nonnull", BTF_KIND_DECL_TAG, 0, false, func);
    bb_word(b, 0);
    bb_add(b, "arg:ctx", BTF_KIND_DECL_TAG, 0, false, func);
    bb_word(b, 0);
    bb_add(b, "whole", BTF_KIND_DECL_TAG, 0, false, func);
    bb_word(b, (uint32_t)-1);
    proto = bb_add(b, NULL, BTF_KIND_FUNC_PROTO, 2, false, 0);
    bb_word(b, bb_str(b, "fmt"));
    bb_word(b, ptr);
    bb_word(b, 0);
    bb_word(b, 0);
    bb_add(b, "vararg", BTF_KIND_FUNC, BTF_FUNC_STATIC, false, proto);
}

static void add_data(struct btf_blob *b, uint32_t number)
{
    uint32_t var = bb_add(b, "counter", BTF_KIND_VAR, 0, false, number), other;

    bb_word(b, BTF_VAR_GLOBAL_ALLOCATED);
    other = bb_add(b, "hidden", BTF_KIND_VAR, 0, false, number);
    bb_word(b, BTF_VAR_STATIC);
    bb_add(b, ".data.some where", BTF_KIND_DATASEC, 2, false, 16);
    bb_word(b, var);
    bb_word(b, 0);
    bb_word(b, 4);
    bb_word(b, other);
    bb_word(b, 8);
    bb_word(b, 4);
}

void bb_add_all(struct btf_blob *b)
{
    uint32_t number = bb_add_int(b, "int", 4, BTF_INT_SIGNED);
    uint32_t byte = bb_add_int(b, "char", 1, BTF_INT_CHAR);
    uint32_t array = bb_add_array(b, byte, number, 16);
    uint32_t fwd = bb_add(b, "unknown", BTF_KIND_FWD, 0, false, 0);
    uint32_t ptr = bb_add_ref(b, BTF_KIND_PTR, fwd);
    uint32_t en = bb_add(b, "color", BTF_KIND_ENUM, 2, true, 4), flt, node, un;

    bb_word(b, bb_str(b, "RED"));
    bb_word(b, (uint32_t)-1);
    bb_word(b, bb_str(b, "GREEN"));
    bb_word(b, 7);
    bb_add(b, "large", BTF_KIND_ENUM64, 1, false, 8);
    bb_word(b, bb_str(b, "HUGE_ONE"));
    bb_word(b, 1);
    bb_word(b, 2);
    flt = bb_add(b, "double", BTF_KIND_FLOAT, 0, false, 8);
    un = bb_add(b, "either", BTF_KIND_UNION, 2, false, 16);
    bb_add_member(b, "text", array, 0);
    bb_add_member(b, "number", number, 0);
    /* struct node { struct node *next; union either; double; int :3, :5; enum; void (*)(...) } */
    node = b->type_cnt + 1;
    bb_add_ref(b, BTF_KIND_PTR, node);
    bb_add(b, "node", BTF_KIND_STRUCT, 6, true, 48);
    bb_add_member(b, "next", node - 1, 0);
    bb_add_member(b, NULL, un, 64);
    bb_add_member(b, "d", flt, 192);
    bb_add_member(b, "low", number, 256 | 3u << 24);
    bb_add_member(b, "high", number, 259 | 5u << 24);
    bb_add_member(b, "color", en, 288);
    bb_add(b, "node_t", BTF_KIND_TYPEDEF, 0, false, node);
    bb_add(b, "user", BTF_KIND_TYPE_TAG, 0, false, number);
    bb_add_ref(b, BTF_KIND_VOLATILE, node + 1);
    bb_add_ref(b, BTF_KIND_CONST, node + 3);
    bb_add_ref(b, BTF_KIND_RESTRICT, ptr);
    add_functions(b, number, ptr);
    add_data(b, number);
    bb_add(b, "member", BTF_KIND_DECL_TAG, 0, false, node);
    bb_word(b, 5);
}
