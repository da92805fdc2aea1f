/* SPDX-License-Identifier: MIT */
/* What live.bpf.c and the user program live agree on. */
#ifndef DEMO_BPF_LIVE_H
#define DEMO_BPF_LIVE_H

#define LIVE_RING 4096
#define LIVE_DEPTH 16
#define LIVE_WATCHED 3
#define LIVE_EVERY 10 /* files */

/* The programs' global variables, which user mode has mapped: both sides read and write them. */
struct live_shared {
    unsigned int watched[LIVE_WATCHED]; /* processes; 0: none */
    unsigned long long opens;           /* of theirs */
    unsigned long long address;         /* to be named */
    char name[40];
};

/* A process has opened LIVE_EVERY files more. */
struct live_record {
    unsigned int pid;
    char comm[16];
    unsigned long long opens;
};

/* A process ends, from the CPU on which it does. */
struct live_exit {
    unsigned int pid, status;
};

#endif /* DEMO_BPF_LIVE_H */
