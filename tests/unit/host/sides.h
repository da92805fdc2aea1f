/* SPDX-License-Identifier: MIT */
/* A program and its maps twice: on our library (side 0) and on the machine's own Linux (side 1),
 * through the same system call, which runs them on the same packet. */
#ifndef TESTS_UNIT_HOST_SIDES_H
#define TESTS_UNIT_HOST_SIDES_H

#include "tests/unit/host/linux_map.h"

/* What a program sees as its map's only value. */
struct memory {
    char data[256];
    uint64_t arg[4];
    int64_t ret[4];
};
#define ARG(n) ((int16_t)(256 + 8 * (n)))
#define RET(n) ((int16_t)(288 + 8 * (n)))

/* What the fds in a program's instructions stand for: the memory and the text by their value, the
 * other map as such. */
#define FD_MEMORY 0
#define FD_TEXT 1
#define FD_OTHER 2

struct world {
    int map[2], text[2], other[2], prog[2]; /* other: the test's own, -1: none */
    bool
        xdp; /* the packet is compared: a socket filter's changed after 6.12 */
    struct memory memory[2];
};

/* other: fds of a map on either side that world_fini() closes; NULL: none */
void world_init(struct world *w, uint32_t type, const char *text, const int *other,
                const struct bpf_insn *insns, uint32_t cnt);
void world_fini(struct world *w);

/* Runs both on a packet of size bytes, from memory[0]. Do they agree, in memory and results? */
bool world_run(struct world *w, uint32_t size);

/* bpf(2) of a side; a map; fds of a side. */
int side_bpf(unsigned side, int cmd, union bpf_attr *attr, uint32_t size);
int side_map(unsigned side, uint32_t type, uint32_t value_size, uint32_t entries, uint32_t flags);
int side_element(unsigned side, int cmd, int fd, void *value); /* of the key 0 */
void side_close(unsigned side, int fd);

/* This thread stays on one CPU, which is our hart, too: its number, or -1: cannot be had. */
int sides_stay_on_a_cpu(void);
void sides_go_anywhere(void);

/* poll(2) for reading, without waiting: its bits. */
uint32_t linux_poll(int fd);

#endif /* TESTS_UNIT_HOST_SIDES_H */
