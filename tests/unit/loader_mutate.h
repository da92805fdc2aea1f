/* SPDX-License-Identifier: MIT */
/* Mutants of ELF objects, deterministic in their seed: for the unit tests and
 * tests/fuzz/fuzz_elf.c. */
#ifndef TESTS_UNIT_LOADER_MUTATE_H
#define TESTS_UNIT_LOADER_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/* Changes a copy of a good object of *size bytes in one to four places, and maybe its size. */
void mutate(unsigned char *elf, size_t *size, uint64_t *seed);

/* Opens it, and looks at, links and loads whatever opens. Returns what open gave. Reports a failure
 * for memory that is left over and for a refusal without exactly one log line. */
int mutant_open(const unsigned char *elf, size_t size);

/* Loads the object's types by themselves, changed in one to four places, and maybe cut off. Returns
 * what ebpf_btf_load() gave, -ENOENT without types; reports the same. */
int mutant_btf(const unsigned char *elf, size_t size, uint64_t *seed);

#endif /* TESTS_UNIT_LOADER_MUTATE_H */
