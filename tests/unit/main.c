/* SPDX-License-Identifier: MIT */
/* Runs the unit tests; see test.h. Arguments: substrings of test names (none: all). */
#include "tests/unit/test.h"

#include <stdarg.h>
#include <stdbool.h>

static struct test *tests, **last = &tests;
static const struct test *current;
static unsigned failures;
static const char *skipped;

void test_register(struct test *test)
{
    *last = test;
    last = &test->next;
}

void test_fail(const char *file, int line, const char *format, ...)
{
    va_list args;

    failures++;
    if (failures > 20) /* of one test: a loop gone wrong */
        return;
    va_start(args, format);
    printf("%s:%d: %s: ", file, line, current ? current->name : "?");
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

void test_skip(const char *why)
{
    skipped = why;
}

void *test_read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *data = NULL;
    size_t used = 0, room = 0;

    if (!file)
        return NULL;
    for (;;) {
        if (used == room) {
            room = room ? 2 * room : 65536;
            data = realloc(data, room);
        }
        size_t got = fread(data + used, 1, room - used, file);
        if (!got)
            break;
        used += got;
    }
    fclose(file);
    *size = used;
    return data;
}

static bool wanted(const struct test *test, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strstr(test->name, argv[i]) || strstr(test->file, argv[i]))
            return true;
    }
    return argc <= 1;
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0, skips = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (struct test *t = tests; t; t = t->next) {
        if (!wanted(t, argc, argv))
            continue;
        current = t;
        failures = 0;
        skipped = NULL;
        mock_begin();
        t->run();
        mock_end();
        if (failures) {
            printf("FAIL %s (%u checks)\n", t->name, failures);
            failed++;
        } else if (skipped) {
            printf("SKIP %s: %s\n", t->name, skipped);
            skips++;
        } else {
            passed++;
        }
    }
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skips);
    return failed != 0;
}
