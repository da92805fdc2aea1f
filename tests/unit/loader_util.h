/* SPDX-License-Identifier: MIT */
/* For the loader's tests: compiled objects by name, and objects built by hand, byte by byte. */
#ifndef TESTS_UNIT_LOADER_UTIL_H
#define TESTS_UNIT_LOADER_UTIL_H

#include <ebpf/object.h>

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>

/* tests/progs/NAME.bpf.c as compiled (free() it); reports a failure and returns NULL if it is not
 * there */
unsigned char *object_read(const char *name, size_t *size);
/* opens it; NULL and a failure if that fails */
struct ebpf_object *object_open(const char *name);
/* opens bytes and expects err (0: opens, and closes again) and, if line is given, it in the
 * console's log */
void object_expect(const void *elf, size_t size, int err, const char *line);

/* r0 of one BPF_PROG_TEST_RUN of a loaded socket filter, -1 if it does not run */
long object_run(struct ebpf_object *obj, const char *prog);

/* ---- in a compiled object ---- */
Elf64_Shdr *elf_section(unsigned char *elf, const char *name); /* NULL: none */
Elf64_Sym *elf_symbol(unsigned char *elf, const char *name);
Elf64_Rel *elf_rel(unsigned char *elf, const char *section, unsigned index);

/* ---- by hand ----
 * A good object: two programs and a static function in "socket", one function in ".text", a legacy map, .data, .bss and
 * .rodata, relocations of every kind that programs use. Layout: built_*. free() it. */
struct built {
    unsigned char *elf;
    size_t size;
};
enum { /* section numbers */
       BUILT_STRTAB = 1,
       BUILT_TEXT,
       BUILT_SOCKET,
       BUILT_REL,
       BUILT_MAPS,
       BUILT_DATA,
       BUILT_BSS,
       BUILT_RODATA,
       BUILT_LICENSE,
       BUILT_REL_DATA,
       BUILT_SYMTAB,
       BUILT_SECTIONS,
};
enum { /* symbol numbers */
       BUILT_SYM_NULL,
       BUILT_SYM_HELPER, /* static, in socket */
       BUILT_SYM_TEXT,   /* section symbol of .text */
       BUILT_SYM_BSS,    /* section symbol of .bss */
       BUILT_SYM_CALLEE, /* in .text, at 16 */
       BUILT_SYM_MAIN,
       BUILT_SYM_OTHER,
       BUILT_SYM_MAP,
       BUILT_SYM_MAP2,
       BUILT_SYM_WORD, /* in .data, at 8 */
       BUILT_SYM_CONST,
       BUILT_SYM_ABS, /* 0x1122334455667788 */
       BUILT_SYM_LICENSE,
       BUILT_SYMS,
};
struct built build_object(void);
Elf64_Ehdr *built_header(struct built *b);
Elf64_Shdr *built_section(struct built *b, unsigned section);
unsigned char *built_data(struct built *b, unsigned section);
Elf64_Sym *built_symbol(struct built *b, unsigned symbol);
Elf64_Rel *built_rel(struct built *b, unsigned index);
/* The same object with a .BTF section (and a .maps section of maps_size bytes) appended. */
struct built build_with_btf(const void *btf, size_t btf_size, size_t maps_size);

/* ---- BTF by hand ---- */
struct btf_build {
    uint32_t words[1024];
    unsigned word_cnt;
    char strings[1024];
    unsigned string_size;
    unsigned type_cnt;
    unsigned char out[8192];
    size_t size;
};
void btf_begin(struct btf_build *b);
uint32_t btf_string(struct btf_build *b, const char *s);
/* returns the type's number */
unsigned btf_type(struct btf_build *b, const char *name, unsigned kind, unsigned vlen,
                  uint32_t size_or_type);
void btf_word(struct btf_build *b, uint32_t word);
/* a member of the struct begun last: name, type */
void btf_member(struct btf_build *b, const char *name, unsigned type);
void btf_finish(struct btf_build *b);

#endif /* TESTS_UNIT_LOADER_UTIL_H */
