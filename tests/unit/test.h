/* SPDX-License-Identifier: MIT */
/*
 * The unit tests' frame. A file tests/unit/test_*.c holds any number of
 *
 *     TEST(array_refuses_key_size_8)
 *     {
 *         CHECK_EQ(map_create(...), -EINVAL);
 *     }
 *
 * All files are linked into one program, which runs every test (or those whose name contains an
 * argument) between mock_begin() and mock_end() of tests/os_host.h: the library is initialised
 * afresh, and what the test leaves behind (memory, objects, interrupts off) fails it. A failed
 * CHECK is printed and the test goes on; REQUIRE leaves the test.
 */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/os_host.h"

struct test {
    const char *name;
    const char *file;
    void (*run)(void);
    struct test *next;
};

void test_register(struct test *test);
void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Says so in the summary, e.g. where ../shared is absent: the test neither passes nor fails. */
void test_skip(const char *why);

#define TEST(test_name)                                                 \
    static void test_name(void);                                        \
    __attribute__((constructor)) static void register_##test_name(void) \
    {                                                                   \
        static struct test t = {#test_name, __FILE__, test_name, NULL}; \
        test_register(&t);                                              \
    }                                                                   \
    static void test_name(void)

#define CHECK(cond)                                     \
    do {                                                \
        if (!(cond))                                    \
            test_fail(__FILE__, __LINE__, "%s", #cond); \
    } while (0)

#define REQUIRE(cond)                                   \
    do {                                                \
        if (!(cond)) {                                  \
            test_fail(__FILE__, __LINE__, "%s", #cond); \
            return;                                     \
        }                                               \
    } while (0)

/* Integers of any type, compared and printed as 64 bits. */
#define CHECK_EQ(got, want)                                                                    \
    do {                                                                                       \
        long long got_ = (long long)(got), want_ = (long long)(want);                          \
        if (got_ != want_)                                                                     \
            test_fail(__FILE__, __LINE__, "%s is %lld (0x%llx), expected %lld (0x%llx)", #got, \
                      got_, got_, want_, want_);                                               \
    } while (0)

#define CHECK_STR(got, want)                                                     \
    do {                                                                         \
        const char *got_ = (got), *want_ = (want);                               \
        if (!got_ || strcmp(got_, want_))                                        \
            test_fail(__FILE__, __LINE__, "%s is \"%s\", expected \"%s\"", #got, \
                      got_ ? got_ : "(null)", want_);                            \
    } while (0)

/* Pseudo-random numbers from *state, which is any number but 0 (Marsaglia's xorshift64): 64 bits,
 * or a number below a limit. */
static inline uint64_t test_random64(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static inline uint32_t test_random(uint64_t *state, uint32_t below)
{
    return (uint32_t)(test_random64(state) >> 32) % below;
}

/* Reads a file whole (malloc: free() it); NULL if it cannot be read. Paths are relative to the
 * project's root. */
void *test_read_file(const char *path, size_t *size);

#endif /* TESTS_UNIT_TEST_H */
