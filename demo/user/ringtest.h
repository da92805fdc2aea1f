/* SPDX-License-Identifier: MIT */
/*
 * What the tests rings and hooks share: checks, and a program on a function of the kernel that each
 * getppid() runs, which does what the mapped `shared` says (demo/bpf/rings.bpf.c).
 */
#ifndef DEMO_USER_RINGTEST_H
#define DEMO_USER_RINGTEST_H

#include "../bpf/rings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096ul

/* Counts a check, and says which one failed. */
#define EXPECT(expr, want) expect(__FILE__, __LINE__, #expr, (long)(expr), (long)(want))
void expect(const char *file, int line, const char *what, long got, long want);
int ringtest_verdict(const char *name); /* the exit status */

extern volatile struct rings_shared *shared;
extern int records_fd, samples_fd, tasks_fd, stacks_fd, events_fd; /* the object's maps */
bool ringtest_begin(void);                                         /* false: printed why */
void ringtest_end(void);
/* One run of the program, on whatever hart; its result. */
long act(enum rings_action action, unsigned count, uint64_t value);

int in_child(void (*fn)(void)); /* the child's wait status; 42 << 8: fn returned */
int create_array(uint32_t value_size, uint32_t entries, uint32_t flags);
int element(int cmd, int fd, int key, void *value);

/* For ring_consume() and perf_ring_consume(): adds up struct rings_record. */
struct sum {
    uint64_t count, values, wrong;
};
int add_record(void *ctx, const void *data, size_t size);

#endif /* DEMO_USER_RINGTEST_H */
