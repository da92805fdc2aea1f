/* SPDX-License-Identifier: MIT */
/* BPF objects from user mode for the demo programs: <ebpf/object.h> works (see bpfsys.c), and these
 * say what went wrong. */
#ifndef DEMO_USER_BPFSYS_H
#define DEMO_USER_BPFSYS_H

#include <ebpf/object.h>

#define MAX_CPUS 256 /* that any build of the library supports */
unsigned
possible_cpus(void); /* that the kernel has values for in per-CPU maps; 0: it cannot be found out */

struct ebpf_object *open_object(const char *path); /* NULL: printed why */
int load_object(struct ebpf_object *obj);          /* 0, or an error that was printed */
int attach_prog(struct ebpf_object *obj, const char *name);
int detach_prog(struct ebpf_object *obj, const char *name);
int prog_fd(struct ebpf_object *obj, const char *name);
int object_fd(const struct ebpf_obj *obj); /* the fd behind a map, program or link, which owns it */
/* How often the program was not run because its hart was inside another one. */
int prog_misses(struct ebpf_object *obj, const char *name, uint64_t *misses);
struct ebpf_map *find_map(struct ebpf_object *obj, const char *name); /* NULL: printed why */
int map_fd(struct ebpf_object *obj, const char *name);                /* -ENOENT: printed why */
/* A section's global variables (".bss", ".data"), live: mmap(2); NULL: printed why. */
void *map_globals(struct ebpf_object *obj, const char *section);
/* One element of a map with 4-byte keys. */
int read_element(struct ebpf_object *obj, const char *map, uint32_t key, void *value);

#endif /* DEMO_USER_BPFSYS_H */
