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

/* selftest_bpf.c */
int test_embedded(void);
int test_link(void);
int test_stack(void);

#endif /* DEMO_SELFTEST_H */
