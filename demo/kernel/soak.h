/* SPDX-License-Identifier: MIT */
/* What the two files of the soak share: soak.c runs it, soak_rows.c knows the map types. */
#ifndef DEMO_SOAK_H
#define DEMO_SOAK_H

#include <ebpf/object.h>

#include "../bpf/soak.h"
#include "selftest.h"

#define SOAK_HITTERS 4
#define SOAK_TAILS 2

/* What all threads work on. */
struct soak {
    struct ebpf_object *obj;
    int fd[SOAK_ROWS]; /* the rows' maps, in every worker's table */
    int tail_fd[SOAK_TAILS];
    int run_fd[SOAK_ROWS]; /* of soak_ops.run */
    int inner_fd; /* of the map that maps in maps have when they have no other */
    uint64_t counts[SOAK_ROWS][SOAK_COUNTS]; /* the kernel side's; the programs have their own */
    uint64_t commands;                       /* of bpf(2) */
    int hitter_tid[SOAK_HITTERS]; /* of threads that call soak_hit(); they are there until all is
                                   * settled */
    bool stop, hitters_stop;
};
extern struct soak soak;

/* A thread that calls bpf(2). It has a table of fds of its own, so that it may make some. */
struct soak_worker {
    struct thread *thread;
    struct process proc;
    uint64_t random, commands;
    uint64_t made; /* calls of soak_hit() in threads that this one has made */
    union bpf_attr attr;
    uint64_t keys[SOAK_KEYS];
    struct soak_value values[SOAK_KEYS * MAX_HARTS];
};

struct soak_ops {
    const char *name; /* of the map; its program is called soak_NAME */
    int (*prepare)(struct soak_worker *w, int row); /* before anybody runs; may be NULL */
    void (*turn)(struct soak_worker *w, int row);   /* something at random, by bpf(2) */
    int (*settle)(struct soak_worker *w, int row);  /* when all is quiet: do the counts add up? */
    const char *run; /* a program that bpf(2) runs, instead of one on a probe */
    bool percpu;
    bool replace; /* updates of what is there leave no halves to see */
    bool lru;
    bool rare; /* waits for grace periods: or that would be all that the threads do */
};
extern const struct soak_ops soak_rows[SOAK_ROWS];

/* soak_timers.c */
void soak_turn_timers(struct soak_worker *w, int row);
int soak_settle_timers(struct soak_worker *w, int row);
void soak_turn_timer_hash(struct soak_worker *w, int row);
int soak_settle_timer_hash(struct soak_worker *w, int row);

static inline void soak_count(int row, enum soak_count what, uint64_t n)
{
    __atomic_fetch_add(&soak.counts[row][what], n, __ATOMIC_RELAXED);
}

/* soak_rings.c, soak_tasks.c: for the table of rows */
int soak_prepare_perf(struct soak_worker *w, int row);
void soak_turn_ringbuf(struct soak_worker *w, int row);
void soak_turn_user_ringbuf(struct soak_worker *w, int row);
void soak_turn_perf(struct soak_worker *w, int row);
void soak_turn_stacks(struct soak_worker *w, int row);
void soak_turn_tasks(struct soak_worker *w, int row);
int soak_settle_ring(struct soak_worker *w, int row);
int soak_settle_perf(struct soak_worker *w, int row);
int soak_settle_stacks(struct soak_worker *w, int row);
int soak_settle_tasks(struct soak_worker *w, int row);

/* The probed function. */
uint64_t soak_hit(uint64_t x);
struct ebpf_object_prog *soak_find_prog(const char *name);
/* Of both sides together. */
uint64_t soak_total(int row, enum soak_count what);
uint32_t soak_draw(struct soak_worker *w, uint32_t below);
/* bpf(2) on w->attr, or on one element. */
long soak_bpf(struct soak_worker *w, int cmd);
long soak_element(struct soak_worker *w, int cmd, int row, const void *key, void *value,
                  uint64_t flags);
/* Counts a result; may: an error that is in order, or 0. True: the operation succeeded. */
bool soak_note(int row, long err, long may);

#endif /* DEMO_SOAK_H */
