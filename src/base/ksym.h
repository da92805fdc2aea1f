/* SPDX-License-Identifier: MIT */
/*
 * The linked-in symbol table that tools/ksymgen writes: names compressed with a table of tokens
 * (frequent pairs and substrings), sorted by address, with a second index sorted by name; both
 * lookups are binary searches. The table's global symbols are weak references here: a kernel
 * without one gets -ENOENT.
 */
#ifndef EBPF_BASE_KSYM_H
#define EBPF_BASE_KSYM_H

#include <ebpf/os.h>

int ebpf_ksym_find(const char *name, struct ebpf_symbol *out); /* 0, -ENOENT. A */
int ebpf_ksym_at(uint64_t addr, struct ebpf_symbol *out);      /* 0, -ENOENT. A */
uint32_t ebpf_ksym_count(void);
/* in order of address. 0, -ENOENT. A */
int ebpf_ksym_get(uint32_t index, struct ebpf_symbol *out);

#endif /* EBPF_BASE_KSYM_H */
