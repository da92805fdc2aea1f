/* SPDX-License-Identifier: MIT */
/*
 * fuzz_elf N [SEED [FILE...]]: opens, links and loads N mutants of each compiled object (default:
 * all of build/progs), and N mutants of its types alone, under the address and undefined-behaviour
 * sanitizers. Each mutant has a seed of its own, printed when something is wrong: fuzz_elf 1
 * THAT_SEED FILE makes it again. Exits with 0 if nothing was.
 */
#include "tests/unit/loader_mutate.h"

#include <glob.h>
#include <stdarg.h>

#include "tests/unit/test.h"

static const char *current_file = "?";
static uint64_t current_seed;
static unsigned failures;

static void say_where(void)
{
    printf("fuzz_elf 1 %llu %s\n", (unsigned long long)current_seed, current_file);
    fflush(stdout);
}

/* called by the sanitizer's run time in front of its report */
void __asan_on_error(void);
void __asan_on_error(void)
{
    say_where();
}

void test_fail(const char *file, int line, const char *format, ...)
{
    va_list args;

    failures++;
    printf("%s:%d: ", file, line);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    say_where();
}

static unsigned char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    unsigned char *data = malloc(1u << 20);

    *size = file ? fread(data, 1, 1u << 20, file) : 0;
    if (file)
        fclose(file);
    return data;
}

static void fuzz_file(const char *path, unsigned long count, uint64_t seed)
{
    size_t size;
    unsigned char *elf = read_file(path, &size), *mutant = malloc(1u << 20);
    unsigned long opened = 0, types = 0;

    current_file = path;
    for (unsigned long i = 0; size > 64 && i < count; i++) {
        size_t mutant_size = size;
        uint64_t state = seed + i;

        current_seed = state;
        state = (state + 1) * 0x9e3779b97f4a7c15; /* neighbours must differ, and none be 0 */
        state += !state;
        memcpy(mutant, elf, size);
        mutate(mutant, &mutant_size, &state);
        opened += mutant_open(mutant, mutant_size) == 0;
        types += mutant_btf(elf, size, &state) == 0;
    }
    printf("%s: %lu mutants, %lu open; %lu of as many types load\n", path, size > 64 ? count : 0,
           opened, types);
    free(elf);
    free(mutant);
}

int main(int argc, char **argv)
{
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 0) : 10000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    const char *build = getenv("BUILD");
    char pattern[256];
    glob_t found = {0};

    setvbuf(stdout, NULL, _IOLBF, 0);
    mock_begin();
    snprintf(pattern, sizeof(pattern), "%s/progs/*.bpf.o", build ? build : "build");
    if (argc <= 3 && glob(pattern, 0, NULL, &found)) {
        printf("no %s: make progs\n", pattern);
        return 1;
    }
    for (size_t i = 0; i < found.gl_pathc; i++)
        fuzz_file(found.gl_pathv[i], count, seed);
    for (int i = 3; i < argc; i++)
        fuzz_file(argv[i], count, seed);
    globfree(&found);
    mock_end();
    printf("%u failures\n", failures);
    return failures != 0;
}
