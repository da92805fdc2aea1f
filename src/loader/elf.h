/* SPDX-License-Identifier: MIT */
/*
 * The ELF reader: an ELF64 little-endian EM_BPF relocatable in memory, made safe to look at.
 *
 * ebpf_elf_open() checks everything once: headers, every section's place in the file, names,
 * symbols. What it hands out afterwards lies inside the image; tables may be unaligned there, so
 * they are copied out, never cast. The image belongs to the caller and must stay until
 * ebpf_elf_close(). Context T.
 *
 * Layouts and numbers: System V gABI chapter 4, and Documentation/bpf/llvm_reloc.rst for the
 * relocations.
 */
#ifndef EBPF_LOADER_ELF_H
#define EBPF_LOADER_ELF_H

#include <ebpf/config.h>
#include <ebpf/errno.h>

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/mem.h"

enum {
    EBPF_SHT_NULL = 0,
    EBPF_SHT_PROGBITS = 1,
    EBPF_SHT_SYMTAB = 2,
    EBPF_SHT_STRTAB = 3,
    EBPF_SHT_RELA = 4,
    EBPF_SHT_NOBITS = 8,
    EBPF_SHT_REL = 9,
};
enum { EBPF_SHF_EXECINSTR = 0x4, EBPF_SHF_COMPRESSED = 0x800 };
enum {
    EBPF_SHN_UNDEF = 0,
    EBPF_SHN_LORESERVE = 0xff00,
    EBPF_SHN_ABS = 0xfff1,
    EBPF_SHN_COMMON = 0xfff2,
    EBPF_SHN_XINDEX = 0xffff,
};
enum { EBPF_STT_NOTYPE = 0, EBPF_STT_FUNC = 2, EBPF_STT_SECTION = 3, EBPF_STT_FILE = 4 };
enum { EBPF_STB_LOCAL = 0, EBPF_STB_WEAK = 2 };
enum {
    EBPF_R_BPF_NONE = 0,
    EBPF_R_BPF_64_64 = 1,
    EBPF_R_BPF_64_ABS64 = 2,
    EBPF_R_BPF_64_ABS32 = 3,
    EBPF_R_BPF_64_NODYLD32 = 4,
    EBPF_R_BPF_64_32 = 10,
};

/* Longest name of a section, function or map: Linux's KSYM_NAME_LEN. */
#define EBPF_ELF_NAME_MAX 511u

/* What the loader makes of a section (sections.c). */
enum ebpf_elf_kind {
    EBPF_SEC_OTHER, /* not loaded: debug information, symbol tables, ... */
    EBPF_SEC_CODE,
    EBPF_SEC_DATA,   /* .data*, .bss*: an array map */
    EBPF_SEC_RODATA, /* the same, read-only for programs */
    EBPF_SEC_MAPS,   /* .maps: described by BTF */
    EBPF_SEC_LEGACY_MAPS,
    EBPF_SEC_LICENSE,
    EBPF_SEC_BTF,
    EBPF_SEC_BTF_EXT,
};

struct ebpf_elf_section {
    const char *name;    /* at most EBPF_ELF_NAME_MAX bytes */
    const uint8_t *data; /* size bytes; NULL: all zero (NOBITS) */
    size_t size;
    uint64_t flags, entsize;
    uint32_t type, link, info;
    enum ebpf_elf_kind kind;
};

struct ebpf_elf_symbol {
    const char *name;
    uint64_t value, size; /* inside its section, if it has one */
    uint32_t section;     /* index, EBPF_SHN_UNDEF or EBPF_SHN_ABS */
    uint8_t type, bind;
};

struct ebpf_elf_rel {
    uint64_t offset;
    uint32_t symbol, type;
};

struct ebpf_elf {
    const uint8_t *image;
    size_t image_size;
    struct ebpf_elf_section *sections;
    uint32_t section_cnt;
    uint32_t symtab; /* section index */
    uint32_t symbol_cnt;
    const char *strtab; /* of the symbols; ends with NUL */
    size_t strtab_size;
};

/* 0, -ENOEXEC, -EOPNOTSUPP, -ENOMEM; nothing to close after an error. */
int ebpf_elf_open(struct ebpf_elf *elf, const void *image, size_t size);
void ebpf_elf_close(struct ebpf_elf *elf);

/* index < symbol_cnt */
void ebpf_elf_symbol(const struct ebpf_elf *elf, uint32_t index, struct ebpf_elf_symbol *out);

/* Checks the relocation section's own shape: table of Elf64_Rel for an existing section, with this
 * symbol table. 0 and its number of entries, -ENOEXEC, -EOPNOTSUPP. */
int ebpf_elf_rel_check(const struct ebpf_elf *elf, uint32_t section, size_t *count);
/* index < that count. 0, or -ENOEXEC: the symbol does not exist */
int ebpf_elf_rel(const struct ebpf_elf *elf, uint32_t section, size_t index,
                 struct ebpf_elf_rel *out);

/* Logs `ebpf: elf: section NAME (INDEX) offset 0xOFFSET: REASON` and returns err. */
__attribute__((format(printf, 5, 6))) int ebpf_elf_refuse(const struct ebpf_elf *elf,
                                                          uint32_t section, uint64_t offset,
                                                          int err, const char *format, ...);

/* That line, for later. */
void ebpf_elf_describe(const struct ebpf_elf *elf, char line[EBPF_CONFIG_LOG_LINE],
                       uint32_t section, uint64_t offset, const char *format, va_list args);

static inline uint32_t ebpf_read_u32(const void *p)
{
    uint32_t value;

    memcpy(&value, p, sizeof(value));
    return value;
}

#endif /* EBPF_LOADER_ELF_H */
