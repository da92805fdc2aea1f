/* SPDX-License-Identifier: MIT */
/*
 * The format of the symbol table, shared by tools/ksymgen.c, which writes it, and src/base/ksym.c,
 * which reads it. Little-endian, aligned to 8, all parts one behind the other:
 *
 *     struct ebpf_ksym_header
 *     uint32_t offsets[count + 1]     address - base, ascending; the last entry is where the last
 *     function ends
 *     uint32_t markers[(count + 15) / 16]   where in names[] every 16th record begins
 *     uint16_t token_at[257]          token t expands to tokens[token_at[t]] .. tokens[token_at[t +
 *     1] - 1]
 *     uint8_t  by_name[count][width]  symbol numbers in the order of (name, address); width 2, or 3
 *     above 65536
 *     uint8_t  tokens[token_bytes]
 *     uint8_t  names[name_bytes]      one record per symbol
 *
 * A record is: number of tokens (1 byte), gap (LEB128), the tokens (1 byte each). The gap is what
 * lies unused between the function's end and the next address in the table. Symbols with the same
 * address (aliases) stand side by side, the one that a lookup by address names first.
 */
#ifndef EBPF_BASE_KSYM_TABLE_H
#define EBPF_BASE_KSYM_TABLE_H

#include <ebpf/os.h>

#define EBPF_KSYM_MAGIC 0x314d594bu /* "KYM1" */
#define EBPF_KSYM_STRIDE 16u        /* records per marker */
#define EBPF_KSYM_TOKENS 256u
#define EBPF_KSYM_NAME_MAX 127u

struct ebpf_ksym_header {
    uint32_t magic;
    uint32_t count;
    uint64_t base;
    uint32_t token_bytes;
    uint32_t name_bytes;
};

/* The table linked in: weak and empty in src/base/ksym_none.c, strong in what ksymgen writes. */
extern const uint8_t ebpf_ksym_table[];
extern const uint32_t ebpf_ksym_size;

/* The lookups of src/base/ksym.h on any table: bytes that are no table, or contradict themselves,
 * give -ENOENT (or some symbol), never an access outside of [table, table + size). A */
int ebpf_ksym_table_find(const void *table, size_t size, const char *name, struct ebpf_symbol *out);
int ebpf_ksym_table_at(const void *table, size_t size, uint64_t addr, struct ebpf_symbol *out);
int ebpf_ksym_table_get(const void *table, size_t size, uint32_t index, struct ebpf_symbol *out);
uint32_t ebpf_ksym_table_count(const void *table, size_t size);

#endif /* EBPF_BASE_KSYM_TABLE_H */
