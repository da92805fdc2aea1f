/* SPDX-License-Identifier: MIT */
/* bpf-check: what its parts share. */
#ifndef TOOLS_BPF_CHECK_CHECK_H
#define TOOLS_BPF_CHECK_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct options {
    bool linux_tables;  /* --linux */
    uint32_t type;      /* --type; 0: as the section says */
    const char *prog;   /* --prog; NULL: all */
    uint32_t flags;     /* --flags */
    uint32_t log_level; /* --log */
    unsigned timeout;   /* seconds for one program */
};

/* options.c: from the command line; ends the process where it makes no sense. Returns the index of
 * the first object. */
int options_parse(struct options *out, int argc, char **argv);

#define VERDICT_LINE 512

struct verdict {
    int err; /* 0: accepted, else -E* of the load */
    uint64_t processed;
    char line[VERDICT_LINE]; /* the last line that says something about the program */
};

/* load.c: one program of an object, or its names. They run in a process of their own: it may die or
 * never end. */
struct object {
    const uint8_t *data;
    size_t size;
};
/* Writes each name with its NUL, in the object's order; *why: of the object as a whole. */
void list_programs(const struct object *object, FILE *out, struct verdict *why);
void check_program(const struct options *options, const struct object *object, const char *name,
                   struct verdict *out);

/* tables.c: which tables the library sees from now on. */
void tables_use_linux(bool on);
void tables_set_program(uint32_t type, uint32_t attach_type);

#endif /* TOOLS_BPF_CHECK_CHECK_H */
