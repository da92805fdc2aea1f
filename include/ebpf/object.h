/* SPDX-License-Identifier: MIT */
/*
 * The ELF object loader: what `clang -O2 -g -target bpf -c` wrote, from a buffer in kernel memory
 * to running programs. After libbpf's model: open (parse, nothing created), adjust, load (create
 * maps, relocate, load programs), attach, close. All functions: T.
 */
#ifndef EBPF_OBJECT_H
#define EBPF_OBJECT_H

#include <ebpf/ebpf.h>

struct ebpf_object;
struct ebpf_object_map;
struct ebpf_object_prog;

/*
 * Parses elf[0..size), which is copied as far as needed: the caller may free it afterwards. A
 * malformed object is refused with one log line that names the section and the offset:
 *   -ENOEXEC     not an ELF64 little-endian EM_BPF relocatable, truncated, overlapping or absurd
 *   -EINVAL      a map or section definition that makes no sense
 *   -EOPNOTSUPP  a relocation, section or map feature that is not supported
 *   -ENOENT      a reference to a symbol, map or function that the object does not hold
 *   -ENOMEM, -E2BIG
 */
int ebpf_object_open_mem(const void *elf, size_t size, struct ebpf_object **out);

/* Detaches and closes everything; maps and programs that others hold references to live on. */
void ebpf_object_close(struct ebpf_object *obj);

const char *ebpf_object_license(const struct ebpf_object *obj); /* "" if it names none */

/* The object was compiled with the types of this very kernel (its vmlinux.h, say): CO-RE
 * relocations are right as the compiler left them. Without this, programs that have any are
 * refused. -EBUSY after load. */
int ebpf_object_core_as_compiled(struct ebpf_object *obj);

/* Maps by their C name (".rodata", ".data", ".bss" for the global data), or in turn (prev NULL: the
 * first). NULL: no such. Handles belong to obj. */
struct ebpf_object_map *ebpf_object_find_map(struct ebpf_object *obj, const char *name);
struct ebpf_object_map *ebpf_object_next_map(struct ebpf_object *obj, struct ebpf_object_map *prev);
const char *ebpf_object_map_name(const struct ebpf_object_map *map);
void ebpf_object_map_spec(const struct ebpf_object_map *map, struct ebpf_map_spec *out);

/* Before load: another size, or an existing map instead of a new one (its type, sizes and flags
 * must be equal: -EINVAL; takes a reference). -EBUSY after load. */
int ebpf_object_map_set_max_entries(struct ebpf_object_map *map, uint32_t max_entries);
int ebpf_object_map_reuse(struct ebpf_object_map *map, struct ebpf_map *existing);

/* Before load: false leaves the map out, for programs that do without it; one that names it is
 * refused. Default true. -EBUSY after load. */
int ebpf_object_map_set_autocreate(struct ebpf_object_map *map, bool create);

/* Does the definition ask for a name in a BPF file system (LIBBPF_PIN_BY_NAME)? There is none: load
 * refuses such a map (-EOPNOTSUPP) unless it is reused, or unpinned here. -EBUSY after load. */
bool ebpf_object_map_pinned(const struct ebpf_object_map *map);
int ebpf_object_map_set_pinned(struct ebpf_object_map *map, bool pinned);

/* The initial contents of a global-data section before load, to be changed in place, e.g.
 * configuration in .rodata; NULL for other maps and after load. *size: its bytes. */
void *ebpf_object_map_initial(struct ebpf_object_map *map, size_t *size);

/* The kernel's map after load, NULL before; no reference added. */
struct ebpf_map *ebpf_object_map_map(const struct ebpf_object_map *map);

/* Programs by function name, or in turn. The section says type and attach point
 * (SEC("kprobe/do_sys_open")). */
struct ebpf_object_prog *ebpf_object_find_prog(struct ebpf_object *obj, const char *name);
struct ebpf_object_prog *ebpf_object_next_prog(struct ebpf_object *obj,
                                               struct ebpf_object_prog *prev);
const char *ebpf_object_prog_name(const struct ebpf_object_prog *prog);
const char *ebpf_object_prog_section(const struct ebpf_object_prog *prog);
/* BPF_PROG_TYPE_UNSPEC: section not known */
uint32_t ebpf_object_prog_type(const struct ebpf_object_prog *prog);
int ebpf_object_prog_set_type(struct ebpf_object_prog *prog, uint32_t type); /* -EBUSY after load */
/* Of BPF_PROG_LOAD: where it is to be attached, and BPF_F_*. Both come from the section
 * ("xdp.frags", "uprobe.s") unless they are set. -EBUSY after load. */
uint32_t ebpf_object_prog_attach_type(const struct ebpf_object_prog *prog);
int ebpf_object_prog_set_attach_type(struct ebpf_object_prog *prog, uint32_t attach_type);
uint32_t ebpf_object_prog_flags(const struct ebpf_object_prog *prog);
int ebpf_object_prog_set_flags(struct ebpf_object_prog *prog, uint32_t flags);
/* The verifier's log of this program at load: level as in struct ebpf_prog_spec; buf must stay.
 * -EBUSY after load. */
int ebpf_object_prog_set_log(struct ebpf_object_prog *prog, uint32_t level, char *buf,
                             uint32_t size);
/* default true, but for sections that begin with '?'; -EBUSY after load */
int ebpf_object_prog_set_autoload(struct ebpf_object_prog *prog, bool load);

/* The program with its subprograms appended and relocations as far as they are known before load;
 * NULL after load. For tools. */
const struct bpf_insn *ebpf_object_prog_insns(const struct ebpf_object_prog *prog,
                                              uint32_t *insn_cnt);
/* NULL before load; no reference */
struct ebpf_prog *ebpf_object_prog_prog(const struct ebpf_object_prog *prog);

/* Creates the maps, fills the global data, loads the programs (caps: on whose behalf, EBPF_CAP_*).
 * All or nothing: after an error obj can be closed, or adjusted and loaded again. Errors of
 * ebpf_map_create() and ebpf_prog_load(); -EBUSY: loaded already; -EINVAL: a program to load has no
 * type. */
int ebpf_object_load(struct ebpf_object *obj, uint32_t caps);

/* Attaches one program where its section says: "kprobe/SYMBOL" or "kprobe/SYMBOL+OFFSET" (decimal
 * or 0x...). The link belongs to obj and is undone by ebpf_object_close(). -EINVAL: section names
 * no place, or not loaded; -EBUSY: attached; -EOPNOTSUPP: nothing to attach to in this kernel; else
 * as ebpf_link_kprobe(). */
int ebpf_object_prog_attach(struct ebpf_object_prog *prog);
int ebpf_object_prog_detach(struct ebpf_object_prog *prog); /* 0, or -ENOENT */

#endif /* EBPF_OBJECT_H */
