/* SPDX-License-Identifier: MIT */
/* What rings.bpf.c and the user program rings agree on. */
#ifndef DEMO_BPF_RINGS_H
#define DEMO_BPF_RINGS_H

#define RINGS_SIZE 4096 /* of the ring buffers */
#define RINGS_DEPTH 16  /* of stacks */

/* What the next getppid() makes the program do. */
enum rings_action {
    RINGS_NOTHING,
    RINGS_RECORDS, /* count records of value, value + 1, ... into the ring buffer */
    RINGS_DISCARD, /* count records that are given up */
    RINGS_PERF,    /* as RECORDS, into the perf event of this CPU */
    RINGS_DRAIN,   /* adds up the samples of the user ring buffer */
    RINGS_TASK,    /* adds value to the task's storage */
    RINGS_FORGET,  /* deletes it */
    RINGS_STACK,   /* the kernel's stack: its id, itself, and names */
    RINGS_USTACK,  /* the user's */
    RINGS_WRITE,   /* writes value to address */
    RINGS_SIGNAL,  /* sends the signal value to the process */
    RINGS_TAI,
};

/* Two of these fit in a cache line, and 85 in the ring. */
struct rings_record {
    unsigned long long value, fill[4];
};

/* The program's global variables, which the user program has mapped. */
struct rings_shared {
    unsigned int action, count;
    unsigned long long value, address;
    unsigned long long calls, done;
    long long result;
    unsigned long long stack[RINGS_DEPTH];
    char names[RINGS_DEPTH][32];
};

#endif /* DEMO_BPF_RINGS_H */
