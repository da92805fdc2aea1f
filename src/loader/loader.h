/* SPDX-License-Identifier: MIT */
/*
 * Between the parts of the object loader. An object is opened in this order:
 *
 *   elf.c       bounds everything                      sections.c  says what each section is
 *   maps.c      map definitions, global data           funcs.c     functions, and which of them are
 *   programs
 *   reloc.c     resolves references inside functions   ext.c       functions that need CO-RE,
 *   object.c    puts that together; the public API     link.c      a program = its function + all
 *   that it calls
 *   values.c    initial values of maps                 load.c      maps and programs come to life;
 *                                                      attaching
 *
 * After reloc.c the instructions of all functions (obj->insns) are in their final form but for
 * function references: LD_IMM64 names maps by BPF_PSEUDO_MAP_IDX(_VALUE); the imm of a
 * BPF_PSEUDO_CALL or BPF_PSEUDO_FUNC is an index into obj->funcs until link.c makes it a distance.
 * Context T throughout.
 */
#ifndef EBPF_LOADER_LOADER_H
#define EBPF_LOADER_LOADER_H

#include <ebpf/object.h>

#include "src/loader/btf.h"
#include "src/loader/elf.h"

#define EBPF_LOADER_NONE UINT32_MAX

struct ebpf_object_map {
    struct ebpf_object *obj;
    char *name; /* ebpf_loader_strdup() */
    struct ebpf_map_spec spec;
    uint32_t
        /* references to (section, offset) mean this map, or for data byte 0 of its value */
        section;
    uint32_t offset;
    bool is_data;
    bool reused;
    bool left_out; /* set_autocreate(false) */
    bool pinned;   /* asks for a file by its name, which nothing here has */
    /* definitions in BTF: bytes from offset on, and where in them values[] begins, 0: there is no
     * such member */
    uint32_t def_size, values;
    struct ebpf_map_spec *inner; /* maps in maps: what values[] says of those in it */
    uint8_t *initial;            /* data: spec.value_size bytes; NULL: all zero */
    struct ebpf_map *map;        /* one reference; before load only if reused */
};

struct ebpf_loader_func {
    uint32_t section;
    uint32_t start, insn_cnt; /* in the section, in instructions */
    uint32_t insns;           /* index of the first one in obj->insns */
    uint32_t
        /* in .BTF.ext, of a CO-RE relocation inside; EBPF_LOADER_NONE: there is none */
        core_offset;
    /* something in it cannot be had here, which matters only to programs that hold it: errno and
     * log line (ebpf_loader_strdup()); 0, NULL: nothing */
    int err;
    char *why;
    uint32_t linked;   /* the last link that this function was put into, */
    uint32_t position; /* where there, */
    uint32_t next;     /* and the function behind it */
};

/* A row of the table of section names. */
struct ebpf_loader_sec_def {
    const char *name; /* the section is called so, or NAME/something */
    uint32_t type, attach_type;
    uint32_t flags; /* BPF_F_* */
    enum { EBPF_ATTACH_NONE, EBPF_ATTACH_KPROBE } attach;
};

/* A record of .BTF.ext about an instruction of a section: of a function the number of its type, of
 * a line what follows insn_off in struct bpf_line_info. */
struct ebpf_loader_info {
    uint32_t section, insn;
    uint32_t words[3];
};
struct ebpf_loader_infos {
    struct ebpf_loader_info *list; /* by section, then by instruction */
    uint32_t cnt, room;
};

/* An initial value: what is at index of that map when the object has been loaded (values.c). */
struct ebpf_loader_value {
    uint32_t map, index;
    bool is_prog;
    uint32_t target; /* in obj->progs or obj->maps */
};

struct ebpf_object_prog {
    struct ebpf_object *obj;
    char *name, *section;                  /* ebpf_loader_strdup() */
    const struct ebpf_loader_sec_def *def; /* NULL: section not known */
    uint32_t func;
    uint32_t type, attach_type, flags;
    bool autoload;
    uint32_t log_level, log_size; /* as in struct ebpf_prog_spec */
    char *log_buf;
    struct bpf_insn *insns; /* linked for ebpf_object_prog_insns(); NULL: not yet */
    uint32_t insn_cnt;
    struct ebpf_prog *prog;
    struct ebpf_link *link;
};

struct ebpf_object {
    struct ebpf_object_map *maps; /* by section, then by offset */
    uint32_t map_cnt, map_room;
    struct ebpf_loader_func *funcs; /* by section, then by start */
    uint32_t func_cnt;
    struct ebpf_object_prog *progs;
    uint32_t prog_cnt, prog_room;
    struct ebpf_loader_value *values;
    uint32_t value_cnt, value_room;
    uint8_t *btf_data; /* .BTF as a kernel takes it; NULL: there is none */
    uint32_t btf_size;
    struct ebpf_btf *btf; /* while loading and loaded: one reference; NULL: none, or not taken */
    struct ebpf_loader_infos func_infos, line_infos;
    struct bpf_insn *insns; /* of all functions */
    uint32_t insn_cnt;
    uint32_t links; /* stamp for func.linked */
    uint32_t btf_ext_section;
    bool loaded;
    char license[128]; /* Linux's limit */
};

/* What exists while an object is being opened. */
struct ebpf_loader {
    struct ebpf_elf elf;
    struct ebpf_elf_btf btf; /* data NULL: none */
    struct ebpf_object *obj;
};

/* ---- sections.c ---- */
int ebpf_loader_classify(struct ebpf_elf *elf);
/* The only section of a kind; 0: none. */
uint32_t ebpf_loader_section(const struct ebpf_elf *elf, enum ebpf_elf_kind kind);
/* name without the leading '?'. NULL: not known */
const struct ebpf_loader_sec_def *ebpf_loader_sec_def(const char *name);

/* ---- maps.c, btf_maps.c ---- */
int ebpf_loader_maps(struct ebpf_loader *ld);
/* The BTF description of .maps: one entry (vlen) for each map; none if the object has no such
 * section. */
int ebpf_loader_btf_datasec(const struct ebpf_loader *ld, struct ebpf_elf_btf_type *out);
int ebpf_loader_btf_maps(struct ebpf_loader *ld, const struct ebpf_elf_btf_type *datasec);
/* Appends a map to obj->maps, which has room for it. 0, -EINVAL (no name, or an absurd one),
 * -ENOMEM */
int ebpf_loader_map_add(struct ebpf_loader *ld, const char *name, uint32_t section, uint32_t offset,
                        struct ebpf_object_map **out);
/* Index of the map that starts at (section, offset), EBPF_LOADER_NONE: none does. For data: the
 * section's map. */
uint32_t ebpf_loader_map_at(const struct ebpf_object *obj, uint32_t section, uint64_t offset);
/* What libbpf makes of a ring buffer's size: a power of two of pages. */
uint32_t ebpf_loader_max_entries(uint32_t type, uint32_t max_entries);

/* ---- funcs.c ---- */
int ebpf_loader_funcs(struct ebpf_loader *ld);
/* The function is not to be loaded, for that reason (as ebpf_elf_refuse() would log it): the first
 * one counts. 0, -ENOMEM */
__attribute__((format(printf, 5, 6))) int ebpf_loader_spoil(struct ebpf_loader *ld,
                                                            struct ebpf_loader_func *func,
                                                            uint64_t offset, int err,
                                                            const char *format, ...);
/* Index of the function that holds an instruction of a section, EBPF_LOADER_NONE: none does. */
uint32_t ebpf_loader_func_at(const struct ebpf_object *obj, uint32_t section, uint64_t insn);

/* ---- reloc.c ---- */
/* A copy of a section with the relocations against it applied (ABS32 and NODYLD32: BTF). *out:
 * ebpf_alloc(size) */
int ebpf_loader_relocated(const struct ebpf_elf *elf, uint32_t section, uint8_t **out);
int ebpf_loader_relocate(struct ebpf_loader *ld);

/* ---- values.c ---- */
/* Room for as many values as relocations want. 0, -E2BIG, -ENOMEM */
int ebpf_loader_values_alloc(struct ebpf_loader *ld);
/* The word at offset of a section of map definitions is to mean byte `target` of a symbol's
 * section. NULL, or why not. */
const char *ebpf_loader_value_add(struct ebpf_loader *ld, uint32_t section, uint64_t offset,
                                  const struct ebpf_elf_symbol *sym, uint64_t target);
/* Puts in all that are of that kind; what is not loaded leaves its place empty. */
int ebpf_loader_values_put(struct ebpf_object *obj, bool progs);

/* ---- ext.c ---- */
int ebpf_loader_ext(struct ebpf_loader *ld);

/* ---- obj_btf.c ---- */
/* A copy of .BTF with what only a linker knows filled in: obj->btf_data. */
int ebpf_loader_btf_keep(struct ebpf_loader *ld);
/* What is known of the functions and lines of the program that was linked last, func being its own:
 * into spec, which owns it until ebpf_loader_infos_free(). 0, -ENOMEM */
int ebpf_loader_infos(const struct ebpf_object *obj, uint32_t func, struct ebpf_prog_spec *spec);
void ebpf_loader_infos_free(struct ebpf_prog_spec *spec);

/* ---- link.c ---- */
/* *out: *insn_cnt instructions of ebpf_alloc(). 0, -EOPNOTSUPP (CO-RE), -E2BIG, -ENOMEM */
int ebpf_loader_link(struct ebpf_object *obj, uint32_t func, struct bpf_insn **out,
                     uint32_t *insn_cnt);

/* ---- load.c ---- */
/* What the map will be created with: as libbpf, a perf event array of no given size has one entry
 * for each CPU. */
void ebpf_loader_final_spec(const struct ebpf_object_map *map, struct ebpf_map_spec *out);
void ebpf_loader_unload(struct ebpf_object *obj); /* back to before ebpf_object_load() */

/* ---- object.c ---- */
char *ebpf_loader_strdup(const char *s); /* freed with ebpf_loader_strfree() */
void ebpf_loader_strfree(char *s);
/* Linux allows letters, digits, '_' and '.' in the names of objects: the rest becomes '_', the end
 * is cut off. */
void ebpf_loader_obj_name(char *dst, const char *name);

#endif /* EBPF_LOADER_LOADER_H */
