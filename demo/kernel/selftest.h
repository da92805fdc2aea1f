/* SPDX-License-Identifier: MIT */
/* What the files of tests share. A test returns 0, or -1 after it has said what went wrong. */
#ifndef DEMO_SELFTEST_H
#define DEMO_SELFTEST_H

#include "kernel.h"

#define CHECK(cond)                                           \
    do {                                                      \
        if (!(cond)) {                                        \
            printk("%s:%d: %s\n", __FILE__, __LINE__, #cond); \
            return -1;                                        \
        }                                                     \
    } while (0)

/* selftest.c: NAME=number of the command line */
uint64_t boot_number(const char *name, uint64_t otherwise);

/* selftest_bpf.c */
int test_embedded(void);
int test_link(void);
int test_stack(void);
int test_counters(void);

/* soak.c */
int test_soak(void);

#endif /* DEMO_SELFTEST_H */
