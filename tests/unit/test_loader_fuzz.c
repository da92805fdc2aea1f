/* SPDX-License-Identifier: MIT */
/* Mutants of good objects: whatever they are, nothing crashes, nothing leaks, each refusal says why
 * in one line. The seeds are fixed; tests/fuzz/fuzz_elf.c goes further. */
#include "tests/unit/loader_mutate.h"
#include "tests/unit/loader_util.h"
#include "tests/unit/test.h"

#define MUTANTS 3000

static void fuzz(const unsigned char *elf, size_t size, uint64_t seed)
{
    unsigned char *mutant = malloc(size);
    unsigned opened = 0;

    for (unsigned i = 0; i < MUTANTS; i++) {
        size_t mutant_size = size;

        memcpy(mutant, elf, size);
        mutate(mutant, &mutant_size, &seed);
        opened += mutant_open(mutant, mutant_size) == 0;
    }
    free(mutant);
    /* both happen, or the mutants are too tame or too wild to test anything */
    CHECK(opened > MUTANTS / 50);
    CHECK(opened < MUTANTS - MUTANTS / 50);
}

static void fuzz_program(const char *name)
{
    size_t size;
    unsigned char *elf = object_read(name, &size);

    REQUIRE(elf);
    fuzz(elf, size, 1 + strlen(name));
    free(elf);
}

TEST(loader_survives_mutants_of_the_object_built_by_hand)
{
    struct built b = build_object();

    fuzz(b.elf, b.size, 20240229);
    free(b.elf);
}

TEST(loader_survives_mutants_of_several_maps_and_programs)
{
    fuzz_program("loader_multi");
}

TEST(loader_survives_mutants_of_global_data)
{
    fuzz_program("loader_data");
}

TEST(loader_survives_mutants_of_btf_maps)
{
    fuzz_program("loader_btf_maps");
}

TEST(loader_survives_mutants_of_subprograms)
{
    fuzz_program("loader_subprogs");
}

TEST(loader_survives_mutants_of_recursion)
{
    fuzz_program("loader_recursive");
}

TEST(loader_survives_mutants_of_core_relocations)
{
    fuzz_program("loader_core");
}

TEST(loader_refuses_every_truncation)
{
    struct built b = build_object();

    /* the symbols are last, but for padding */
    for (size_t size = 0; size < b.size; size++)
        CHECK(mutant_open(b.elf, size) == -ENOEXEC);
    free(b.elf);
}

TEST(loader_refuses_every_truncation_of_a_compiled_object)
{
    size_t size;
    unsigned char *elf = object_read("loader_text", &size);

    REQUIRE(elf);
    for (size_t cut = 0; cut < size; cut++) /* section headers are last */
        CHECK(mutant_open(elf, cut) == -ENOEXEC);
    free(elf);
}

TEST(loader_survives_every_flipped_bit)
{
    struct built b = build_object();

    for (size_t bit = 0; bit < b.size * 8; bit++) {
        b.elf[bit / 8] ^= (unsigned char)(1u << bit % 8);
        mutant_open(b.elf, b.size);
        b.elf[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    free(b.elf);
}
