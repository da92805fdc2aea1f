/* SPDX-License-Identifier: MIT */
/* BTF by hand, for tests: types one after the other, each with the words behind it. */
#ifndef TESTS_UNIT_BTF_BUILD_H
#define TESTS_UNIT_BTF_BUILD_H

#include <stdint.h>

#include "src/btf/format.h"

#define BTF_WORDS 2048
#define BTF_STRINGS 4096
#define BTF_BLOB_MAX (sizeof(struct btf_header) + 4 * BTF_WORDS + BTF_STRINGS)

struct btf_blob {
    uint32_t words[BTF_WORDS];
    uint32_t word_cnt;
    char strings[BTF_STRINGS];
    uint32_t str_len;
    uint32_t type_cnt; /* void counts */
};

void bb_begin(struct btf_blob *b);
uint32_t bb_str(struct btf_blob *b, const char *s); /* its offset; NULL and "": 0 */
/* Number of the new type. */
uint32_t bb_add(struct btf_blob *b, const char *name, uint32_t kind, uint32_t vlen, bool kflag,
                uint32_t size_or_type);
void bb_word(struct btf_blob *b, uint32_t word); /* behind the last type */
/* blob: BTF_BLOB_MAX bytes; the size of it */
uint32_t bb_end(const struct btf_blob *b, void *blob);

/* The usual types in few words. */
uint32_t bb_add_int(struct btf_blob *b, const char *name, uint32_t bytes, uint32_t encoding);
uint32_t bb_add_ref(struct btf_blob *b, uint32_t kind, uint32_t type); /* PTR CONST ... */
uint32_t bb_add_array(struct btf_blob *b, uint32_t type, uint32_t index, uint32_t elems);
void bb_add_member(struct btf_blob *b, const char *name, uint32_t type, uint32_t bits_offset);
/* One type of every kind, fields of all sorts. */
void bb_add_all(struct btf_blob *b);

#endif /* TESTS_UNIT_BTF_BUILD_H */
