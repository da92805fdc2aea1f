/* SPDX-License-Identifier: MIT */
/* Objects that the loader must refuse: one broken field each, its errno and what the log line
 * says. */
#include "tests/unit/insn.h"
#include "tests/unit/loader_util.h"
#include "tests/unit/test.h"

/* A good object with one thing changed (b: struct built). */
#define REFUSED(what, error, line, change)         \
    TEST(loader_refuses_##what)                    \
    {                                              \
        struct built b = build_object();           \
                                                   \
        change;                                    \
        object_expect(b.elf, b.size, error, line); \
        free(b.elf);                               \
    }
#define ACCEPTED(what, change)                 \
    TEST(loader_accepts_##what)                \
    {                                          \
        struct built b = build_object();       \
                                               \
        change;                                \
        object_expect(b.elf, b.size, 0, NULL); \
        free(b.elf);                           \
    }
#define REFUSED_PROGRAM(what, error, line)                            \
    TEST(loader_refuses_##what)                                       \
    {                                                                 \
        size_t size;                                                  \
        unsigned char *elf = object_read("loader_bad_" #what, &size); \
                                                                      \
        REQUIRE(elf);                                                 \
        object_expect(elf, size, error, line);                        \
        free(elf);                                                    \
    }

/* An object that opens, but the program of it that holds what was changed is refused, with that
 * line, and only that one. */
static void expect_spoilt(struct built *b, int error, const char *line)
{
    struct ebpf_object *obj = NULL;

    CHECK_EQ(ebpf_object_open_mem(b->elf, b->size, &obj), 0);
    free(b->elf);
    REQUIRE(obj);
    CHECK(!ebpf_object_prog_insns(ebpf_object_find_prog(obj, "main"), &(uint32_t){0}));
    mock_console_clear();
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), error);
    CHECK(strstr(mock_console(), line));
    CHECK_EQ(ebpf_object_prog_set_autoload(ebpf_object_find_prog(obj, "main"), false), 0);
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK_EQ(object_run(obj, "other"), 2);
    ebpf_object_close(obj);
}
#define SPOILT(what, error, line, change)             \
    TEST(loader_refuses_only_the_program_with_##what) \
    {                                                 \
        struct built b = build_object();              \
                                                      \
        change;                                       \
        expect_spoilt(&b, error, line);               \
    }

/* ---- the good object ------------------------------------------------------------------------- */

TEST(loader_takes_the_object_built_by_hand)
{
    struct built b = build_object();
    struct ebpf_object *obj = NULL;
    const struct bpf_insn *insns;
    uint32_t count = 0, constant[2];
    uint64_t *data;
    size_t size = 0;

    ((struct bpf_insn *)built_data(&b, BUILT_SOCKET))[1].imm = 77; /* means nothing for a map */
    CHECK_EQ(ebpf_object_open_mem(b.elf, b.size, &obj), 0);
    REQUIRE(obj);
    insns = ebpf_object_prog_insns(ebpf_object_find_prog(obj, "main"), &count);
    REQUIRE(insns);
    CHECK_EQ(count, 12 + 2 + 2);
    CHECK_EQ(insns[0].src_reg, BPF_PSEUDO_MAP_IDX);
    CHECK_STR(ebpf_object_map_name(ebpf_object_next_map(obj, ebpf_object_next_map(obj, NULL))),
              "map2");
    CHECK_EQ(insns[0].imm, 1); /* map2 */
    CHECK_EQ(insns[1].imm, 0);
    CHECK_EQ(insns[2].src_reg, BPF_PSEUDO_MAP_IDX_VALUE);
    CHECK_EQ(insns[2].imm, 3); /* .bss, behind .data */
    CHECK_EQ(insns[3].imm, 4);
    CHECK_EQ(insns[4].src_reg, 0);
    memcpy(constant, (uint32_t[]){(uint32_t)insns[4].imm, (uint32_t)insns[5].imm},
           sizeof(constant));
    CHECK_EQ(constant[0], 0x55667788);
    CHECK_EQ(constant[1], 0x11223344);
    CHECK_EQ(insns[6].imm, 2); /* .data */
    CHECK_EQ(insns[7].imm, 12);
    CHECK_EQ(insns[8].imm, 3); /* callee follows main */
    CHECK_EQ(insns[9].imm, 4); /* helper follows callee */
    data = ebpf_object_map_initial(ebpf_object_find_map(obj, ".data"), &size);
    REQUIRE(data && size == 24);
    CHECK_EQ(data[0], 1 + (0x55667788ull << 32)); /* ABS32 at 4 */
    CHECK_EQ(data[2], 3 + 0x1122334455667788);    /* ABS64 at 16 */
    ebpf_object_close(obj);
    free(b.elf);
}

TEST(loader_runs_the_object_built_by_hand)
{
    struct built b = build_object();
    struct ebpf_object *obj = NULL;
    struct bpf_insn *main_insns = (struct bpf_insn *)built_data(&b, BUILT_SOCKET);

    main_insns[10] = BPF_MOV64_REG(BPF_REG_0, BPF_REG_0); /* r6 is not set there */
    CHECK_EQ(ebpf_object_open_mem(b.elf, b.size, &obj), 0);
    free(b.elf);
    REQUIRE(obj);
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK_EQ(object_run(obj, "main"), 3);
    CHECK_EQ(object_run(obj, "other"), 2);
    ebpf_object_close(obj);
}

TEST(loader_gives_the_kernel_names_that_it_takes)
{
    struct built b = build_object();
    struct ebpf_object *obj = NULL;
    struct ebpf_map_spec spec;

    built_data(&b, BUILT_STRTAB)[built_symbol(&b, BUILT_SYM_MAP2)->st_name + 1] = '$';
    CHECK_EQ(ebpf_object_open_mem(b.elf, b.size, &obj), 0);
    free(b.elf);
    REQUIRE(obj && ebpf_object_find_map(obj, "m$p2"));
    ebpf_object_map_spec(ebpf_object_find_map(obj, "m$p2"), &spec);
    CHECK_STR(spec.name, "m_p2");
    ebpf_object_close(obj);
}

/* ---- ELF header ------------------------------------------------------------------------------ */

REFUSED(another_magic, -ENOEXEC, "header offset 0x0", b.elf[1] = 'e')
REFUSED(a_32_bit_object, -ENOEXEC, "header offset 0x4", b.elf[4] = ELFCLASS32)
REFUSED(a_big_endian_object, -ENOEXEC, "header offset 0x5", b.elf[5] = ELFDATA2MSB)
REFUSED(another_elf_version, -ENOEXEC, "header offset 0x6", b.elf[6] = 2)
REFUSED(another_version_word, -ENOEXEC, "header offset 0x14", built_header(&b)->e_version = 0)
REFUSED(an_executable, -ENOEXEC, "header offset 0x10", built_header(&b)->e_type = ET_EXEC)
REFUSED(another_machine, -ENOEXEC, "machine 243 is not BPF", built_header(&b)->e_machine = EM_RISCV)
REFUSED(another_header_size, -ENOEXEC, "header size 52", built_header(&b)->e_ehsize = 52)
REFUSED(another_section_header_size, -ENOEXEC, "section header size 40",
        built_header(&b)->e_shentsize = 40)
REFUSED(no_section_headers, -ENOEXEC, "header offset 0x28", built_header(&b)->e_shoff = 0)
REFUSED(section_headers_at_the_end, -ENOEXEC, "header offset 0x28",
        built_header(&b)->e_shoff = b.size - 63)
REFUSED(section_headers_far_outside, -ENOEXEC, "header offset 0x28",
        built_header(&b)->e_shoff = UINT64_MAX - 63)
REFUSED(too_many_section_headers, -ENOEXEC, "header offset 0x3c",
        built_header(&b)->e_shnum = 0xfeff)
REFUSED(reserved_section_numbers, -ENOEXEC, "65280 sections are too many",
        built_header(&b)->e_shnum = 0xff00)
REFUSED(no_section_names, -ENOEXEC, "header offset 0x3e", built_header(&b)->e_shstrndx = 0)
REFUSED(section_names_outside, -ENOEXEC, "header offset 0x3e",
        built_header(&b)->e_shstrndx = BUILT_SECTIONS)
REFUSED(section_names_that_are_code, -ENOEXEC, "not a string table",
        built_header(&b)->e_shstrndx = BUILT_TEXT)
REFUSED(an_extended_count_of_none, -ENOEXEC, "header offset 0x3c", built_header(&b)->e_shnum = 0)
REFUSED(an_absurd_extended_count, -ENOEXEC, "too many", {
    built_header(&b)->e_shnum = 0;
    built_section(&b, 0)->sh_size = UINT64_MAX;
})
ACCEPTED(extended_numbering, {
    built_header(&b)->e_shnum = 0;
    built_section(&b, 0)->sh_size = BUILT_SECTIONS;
    built_header(&b)->e_shstrndx = SHN_XINDEX;
    built_section(&b, 0)->sh_link = BUILT_STRTAB;
})

/* ---- sections -------------------------------------------------------------------------------- */

REFUSED(a_section_behind_the_end, -ENOEXEC, "section .data (6) offset 0x0: bytes",
        built_section(&b, BUILT_DATA)->sh_offset = b.size + 1)
REFUSED(a_section_longer_than_the_object, -ENOEXEC, "section .data (6)",
        built_section(&b, BUILT_DATA)->sh_size = b.size)
REFUSED(a_section_whose_end_wraps, -ENOEXEC, "section .data (6)",
        built_section(&b, BUILT_DATA)->sh_size = UINT64_MAX)
REFUSED(sections_that_overlap, -ENOEXEC, "overlaps", built_section(&b, BUILT_DATA)->sh_size += 8)
REFUSED(a_section_over_the_header, -ENOEXEC, "overlaps the headers",
        built_section(&b, BUILT_DATA)->sh_offset = 0)
REFUSED(a_section_over_the_section_headers, -ENOEXEC, "overlaps the headers",
        built_section(&b, BUILT_DATA)->sh_offset = 128)
REFUSED(a_section_name_outside, -ENOEXEC, "(6) offset 0x0: name at",
        built_section(&b, BUILT_DATA)->sh_name = 0xffffff)
REFUSED(names_without_end, -ENOEXEC, "does not end with NUL",
        built_data(&b, BUILT_STRTAB)[built_section(&b, BUILT_STRTAB)->sh_size - 1] = 'x')
REFUSED(names_of_no_bytes, -ENOEXEC, "does not end with NUL",
        built_section(&b, BUILT_STRTAB)->sh_size = 0)
REFUSED(code_without_bytes, -ENOEXEC, "section socket (3)",
        built_section(&b, BUILT_SOCKET)->sh_type = SHT_NOBITS)
REFUSED(compressed_data, -EOPNOTSUPP, "compressed",
        built_section(&b, BUILT_DATA)->sh_flags |= SHF_COMPRESSED)
REFUSED(two_licenses, -EINVAL, "section license (9) offset 0x0: second section of this name",
        { built_section(&b, BUILT_RODATA)->sh_name = built_section(&b, BUILT_LICENSE)->sh_name; })
REFUSED(data_of_two_gigabytes, -E2BIG, "section .bss (7)",
        built_section(&b, BUILT_BSS)->sh_size = 1ull << 31)
ACCEPTED(an_unused_section_of_another_type, built_section(&b, BUILT_RODATA)->sh_type = 0x6fff4c03)
ACCEPTED(sections_without_bytes_anywhere, {
    built_section(&b, BUILT_RODATA)->sh_size = 0;
    built_section(&b, BUILT_RODATA)->sh_offset = 8;
    built_symbol(&b, BUILT_SYM_CONST)->st_size = 0;
})

TEST(loader_refuses_an_absurd_section_name)
{
    struct built b = build_object();
    size_t size = b.size + 4096;
    Elf64_Shdr *names = built_section(&b, BUILT_STRTAB);

    /* the names move to the end and grow by one of 600 bytes */
    memcpy(b.elf + b.size, built_data(&b, BUILT_STRTAB), names->sh_size);
    memset(b.elf + b.size + names->sh_size, 'n', 600);
    names->sh_offset = b.size;
    built_section(&b, BUILT_DATA)->sh_name = (uint32_t)names->sh_size;
    names->sh_size += 601;
    object_expect(b.elf, size, -ENOEXEC, "name is longer than 511 bytes");
    free(b.elf);
}

TEST(loader_prints_no_control_characters)
{
    struct built b = build_object();

    built_data(&b, BUILT_STRTAB)[built_section(&b, BUILT_DATA)->sh_name + 1] = '\033';
    built_section(&b, BUILT_DATA)->sh_size = b.size;
    object_expect(b.elf, b.size, -ENOEXEC, "section .?ata (6)");
    free(b.elf);
}

/* ---- symbols --------------------------------------------------------------------------------- */

REFUSED(an_object_without_symbols, -ENOEXEC, "no symbol table",
        built_section(&b, BUILT_SYMTAB)->sh_type = SHT_NOTE)
REFUSED(two_symbol_tables, -ENOEXEC, "second symbol table",
        built_section(&b, BUILT_RODATA)->sh_type = SHT_SYMTAB)
REFUSED(symbols_of_another_size, -ENOEXEC, "section .symtab (11)",
        built_section(&b, BUILT_SYMTAB)->sh_entsize = 16)
REFUSED(half_a_symbol, -ENOEXEC, "section .symtab (11)",
        built_section(&b, BUILT_SYMTAB)->sh_size -= 8)
REFUSED(more_local_symbols_than_symbols, -ENOEXEC, "first global symbol",
        built_section(&b, BUILT_SYMTAB)->sh_info = BUILT_SYMS + 1)
REFUSED(symbol_names_in_no_section, -ENOEXEC, "names in section 0",
        built_section(&b, BUILT_SYMTAB)->sh_link = 0)
REFUSED(symbol_names_in_a_missing_section, -ENOEXEC, "names in section 99",
        built_section(&b, BUILT_SYMTAB)->sh_link = 99)
REFUSED(symbol_names_that_are_data, -ENOEXEC, "not a string table",
        built_section(&b, BUILT_SYMTAB)->sh_link = BUILT_DATA)
REFUSED(a_symbol_name_outside, -ENOEXEC, "section .symtab (11) offset 0xd8: symbol 9: name",
        built_symbol(&b, BUILT_SYM_WORD)->st_name = 0x7fffffff)
REFUSED(
    a_symbol_name_right_behind_the_names, -ENOEXEC, "symbol 9: name",
    built_symbol(&b, BUILT_SYM_WORD)->st_name = (uint32_t)built_section(&b, BUILT_STRTAB)->sh_size)
REFUSED(a_section_name_right_behind_the_names, -ENOEXEC, "(6) offset 0x0: name at",
        built_section(&b, BUILT_DATA)->sh_name = (uint32_t)built_section(&b, BUILT_STRTAB)->sh_size)
REFUSED(a_symbol_of_a_missing_section, -ENOEXEC, "symbol 9 (word): section 12 of 12",
        built_symbol(&b, BUILT_SYM_WORD)->st_shndx = BUILT_SECTIONS)
REFUSED(a_symbol_with_extended_section, -ENOEXEC, "symbol 9 (word)",
        built_symbol(&b, BUILT_SYM_WORD)->st_shndx = SHN_XINDEX)
REFUSED(a_common_symbol, -EOPNOTSUPP, "is common",
        built_symbol(&b, BUILT_SYM_WORD)->st_shndx = SHN_COMMON)
REFUSED(a_symbol_behind_its_section, -ENOEXEC, "exceeds section .data",
        built_symbol(&b, BUILT_SYM_WORD)->st_value = 25)
REFUSED(a_symbol_whose_end_wraps, -ENOEXEC, "exceeds section .data",
        built_symbol(&b, BUILT_SYM_WORD)->st_size = UINT64_MAX)

/* ---- functions ------------------------------------------------------------------------------- */

REFUSED(a_function_of_no_bytes, -ENOEXEC, "section socket (3) offset 0x60: function other",
        built_symbol(&b, BUILT_SYM_OTHER)->st_size = 0)
REFUSED(a_function_of_odd_bytes, -ENOEXEC, "function other",
        built_symbol(&b, BUILT_SYM_OTHER)->st_size = 12)
REFUSED(a_function_at_an_odd_place, -ENOEXEC, "function other", {
    built_symbol(&b, BUILT_SYM_OTHER)->st_value += 4;
    built_symbol(&b, BUILT_SYM_OTHER)->st_size = 8;
})
REFUSED(functions_that_overlap, -ENOEXEC, "overlaps the one in front",
        built_symbol(&b, BUILT_SYM_MAIN)->st_size = 104)
REFUSED(two_functions_at_one_place, -ENOEXEC, "overlaps the one in front",
        built_symbol(&b, BUILT_SYM_OTHER)->st_value = 0)
REFUSED(a_function_without_name, -ENOEXEC, "without a usable name",
        built_symbol(&b, BUILT_SYM_OTHER)->st_name = 0)
REFUSED(half_a_constant, -ENOEXEC, "without its second slot",
        { ((struct bpf_insn *)built_data(&b, BUILT_SOCKET))[13].code = BPF_LD | BPF_IMM | BPF_DW; })
REFUSED(a_constant_with_a_strange_second_slot, -ENOEXEC, "socket (3) offset 0x0: two-slot",
        { ((struct bpf_insn *)built_data(&b, BUILT_SOCKET))[1].code = BPF_EXIT; })
REFUSED(a_pseudo_register_that_loaders_set, -EINVAL, "offset 0x10: pseudo register 5",
        { ((struct bpf_insn *)built_data(&b, BUILT_SOCKET))[2].src_reg = BPF_PSEUDO_MAP_IDX; })
REFUSED(a_call_by_btf, -EINVAL, "offset 0x60: pseudo register 2",
        { ((struct bpf_insn *)built_data(&b, BUILT_SOCKET))[12].src_reg = BPF_PSEUDO_KFUNC_CALL; })
SPOILT(a_map_by_fd, -EBADF, "socket (3) offset 0x0: map reference without relocation", {
    ((struct bpf_insn *)built_data(&b, BUILT_SOCKET))[0].src_reg = BPF_PSEUDO_MAP_FD;
    built_rel(&b, 0)->r_info = ELF64_R_INFO(BUILT_SYM_MAP, 0);
})
REFUSED(a_call_into_the_middle, -ENOENT,
        "socket (3) offset 0x48: relocation 10 against its own section",
        { ((struct bpf_insn *)built_data(&b, BUILT_SOCKET))[9].imm++; })
REFUSED(a_call_in_front_of_the_section, -ENOENT, "no function begins at instruction -90",
        { ((struct bpf_insn *)built_data(&b, BUILT_SOCKET))[9].imm = -100; })

/* ---- relocations ----------------------------------------------------------------------------- */

REFUSED(relocations_of_another_size, -ENOEXEC, "section .relsocket (4)",
        built_section(&b, BUILT_REL)->sh_entsize = 24)
REFUSED(half_a_relocation, -ENOEXEC, "section .relsocket (4)",
        built_section(&b, BUILT_REL)->sh_size -= 8)
REFUSED(relocations_with_addends, -EOPNOTSUPP, "SHT_RELA",
        built_section(&b, BUILT_REL)->sh_type = SHT_RELA)
REFUSED(relocations_with_other_symbols, -ENOEXEC, "symbols in section 3",
        built_section(&b, BUILT_REL)->sh_link = 3)
REFUSED(relocations_of_a_missing_section, -ENOEXEC, "relocates section 99",
        built_section(&b, BUILT_REL)->sh_info = 99)
REFUSED(relocations_of_section_0, -ENOEXEC, "relocates section 0",
        built_section(&b, BUILT_REL)->sh_info = 0)
REFUSED(a_relocation_with_a_missing_symbol, -ENOEXEC,
        "section .relsocket (4) offset 0x10: symbol 13 of 13",
        built_rel(&b, 1)->r_info = ELF64_R_INFO(BUILT_SYMS, 1))
REFUSED(an_unknown_relocation, -EOPNOTSUPP,
        "section socket (3) offset 0x10: relocation 77 against .bss: unknown type",
        built_rel(&b, 1)->r_info = ELF64_R_INFO(BUILT_SYM_BSS, 77))
REFUSED(an_unknown_relocation_of_debug_sections, -EOPNOTSUPP, "unknown type", {
    built_section(&b, BUILT_REL)->sh_info = BUILT_STRTAB;
    built_rel(&b, 5)->r_info = ELF64_R_INFO(BUILT_SYM_CALLEE, 5);
})
REFUSED(a_relocation_behind_its_section, -ENOEXEC, "offset 0x80: relocation",
        built_rel(&b, 1)->r_offset = 128)
REFUSED(a_relocation_whose_end_wraps, -ENOEXEC, "outside",
        built_rel(&b, 1)->r_offset = UINT64_MAX - 7)
REFUSED(a_relocation_of_bss, -ENOEXEC, "outside",
        built_section(&b, BUILT_REL_DATA)->sh_info = BUILT_BSS)
REFUSED(a_relocation_between_instructions, -ENOEXEC, "not at an instruction",
        built_rel(&b, 1)->r_offset = 20)
REFUSED(a_constant_relocated_as_call, -ENOEXEC, "not at a call",
        built_rel(&b, 0)->r_info = ELF64_R_INFO(BUILT_SYM_CALLEE, 10))
REFUSED(a_call_relocated_as_constant, -ENOEXEC, "not at a 64-bit constant",
        built_rel(&b, 4)->r_info = ELF64_R_INFO(BUILT_SYM_MAP, 1))
REFUSED(a_helper_call_relocated, -ENOEXEC, "not at a call of a function",
        { ((struct bpf_insn *)built_data(&b, BUILT_SOCKET))[8].src_reg = 0; })
REFUSED(a_data_word_in_code, -EOPNOTSUPP, "does not belong into instructions",
        built_rel(&b, 0)->r_info = ELF64_R_INFO(BUILT_SYM_MAP, 2))
REFUSED(a_constant_relocated_twice, -ENOEXEC, "relocated already",
        *built_rel(&b, 1) = *built_rel(&b, 0))
REFUSED(a_call_relocated_twice, -ENOEXEC, "not at a call", *built_rel(&b, 5) = *built_rel(&b, 4))
SPOILT(an_undefined_function, -ENOENT, "against constant: the object does not define it", {
    built_symbol(&b, BUILT_SYM_CONST)->st_shndx = SHN_UNDEF;
    built_rel(&b, 4)->r_info = ELF64_R_INFO(BUILT_SYM_CONST, 10);
})
SPOILT(an_undefined_variable, -ENOENT, "against word: the object does not define it",
       built_symbol(&b, BUILT_SYM_WORD)->st_shndx = SHN_UNDEF)
TEST(loader_takes_an_undefined_weak_variable_for_0)
{
    struct built b = build_object();
    struct ebpf_object *obj = NULL;
    const struct bpf_insn *insns;
    uint32_t count;

    built_symbol(&b, BUILT_SYM_WORD)->st_shndx = SHN_UNDEF;
    built_symbol(&b, BUILT_SYM_WORD)->st_info = ELF64_ST_INFO(STB_WEAK, STT_NOTYPE);
    CHECK_EQ(ebpf_object_open_mem(b.elf, b.size, &obj), 0);
    free(b.elf);
    REQUIRE(obj);
    insns = ebpf_object_prog_insns(ebpf_object_find_prog(obj, "main"), &count);
    REQUIRE(insns);
    CHECK_EQ(insns[6].src_reg, 0);
    CHECK_EQ(insns[6].imm, 0); /* an addend does not make it anything */
    CHECK_EQ(insns[7].imm, 0);
    ebpf_object_close(obj);
}
SPOILT(an_undefined_weak_function, -ENOENT, "against constant: the object does not define it", {
    built_symbol(&b, BUILT_SYM_CONST)->st_shndx = SHN_UNDEF;
    built_symbol(&b, BUILT_SYM_CONST)->st_info = ELF64_ST_INFO(STB_WEAK, STT_NOTYPE);
    built_rel(&b, 4)->r_info = ELF64_R_INFO(BUILT_SYM_CONST, 10);
})
REFUSED(a_call_of_data, -ENOENT, "against word: not a function",
        built_rel(&b, 4)->r_info = ELF64_R_INFO(BUILT_SYM_WORD, 10))
REFUSED(a_call_of_a_number, -EOPNOTSUPP, "against absolute",
        built_rel(&b, 4)->r_info = ELF64_R_INFO(BUILT_SYM_ABS, 10))
REFUSED(a_call_into_the_middle_of_another_section, -ENOENT, "no function begins at instruction 3",
        { ((struct bpf_insn *)built_data(&b, BUILT_SOCKET))[8].imm = 2; })
REFUSED(a_reference_into_a_map_definition, -ENOENT, "no map begins at 0x18",
        { ((struct bpf_insn *)built_data(&b, BUILT_SOCKET))[0].imm = 4; })
REFUSED(a_reference_in_front_of_data, -EINVAL, "byte -1 is not in section .data",
        { ((struct bpf_insn *)built_data(&b, BUILT_SOCKET))[6].imm = -9; })
REFUSED(a_reference_behind_data, -EINVAL, "byte 24 is not in section .data",
        { ((struct bpf_insn *)built_data(&b, BUILT_SOCKET))[6].imm = 16; })
SPOILT(a_reference_to_the_license, -EOPNOTSUPP, "its section is not loaded",
       built_rel(&b, 0)->r_info = ELF64_R_INFO(BUILT_SYM_LICENSE, 1))
REFUSED(a_reference_to_no_function, -ENOENT, "no function begins at instruction 3", {
    ((struct bpf_insn *)built_data(&b, BUILT_SOCKET))[0].imm = 8;
    built_rel(&b, 0)->r_info = ELF64_R_INFO(BUILT_SYM_CALLEE, 1);
})
REFUSED(a_pointer_in_data, -EOPNOTSUPP, "section .data (6) offset 0x10: relocation 2 against word",
        {
            ((Elf64_Rel *)built_data(&b, BUILT_REL_DATA))->r_info = ELF64_R_INFO(BUILT_SYM_WORD, 2);
        })
REFUSED(a_relocation_of_a_map_definition, -EOPNOTSUPP, "section maps (5) offset 0x10: relocation",
        built_section(&b, BUILT_REL_DATA)->sh_info = BUILT_MAPS)
ACCEPTED(relocations_of_type_none, {
    for (unsigned i = 0; i < 4; i++)
        built_rel(&b, i)->r_info = ELF64_R_INFO(0, 0);
})
ACCEPTED(a_function_by_its_sections_symbol, {
    ((struct bpf_insn *)built_data(&b, BUILT_SOCKET))[0].imm = 16;
    built_rel(&b, 0)->r_info = ELF64_R_INFO(BUILT_SYM_TEXT, 1);
})

/* ---- legacy maps ----------------------------------------------------------------------------- */

REFUSED(a_map_definition_too_short, -EINVAL,
        "section maps (5) offset 0x14: map map2: definition of 16 bytes", {
            built_section(&b, BUILT_MAPS)->sh_size -= 4;
            built_symbol(&b, BUILT_SYM_MAP2)->st_size -= 4;
        })
REFUSED(a_map_definition_with_unknown_fields, -EINVAL,
        "section maps (5) offset 0x14: map map: unknown fields", {
            built_symbol(&b, BUILT_SYM_MAP2)->st_name = 0; /* one definition of 40 bytes */
            built_symbol(&b, BUILT_SYM_MAP2)->st_shndx = SHN_ABS;
            built_rel(&b, 0)->r_info = 0;
        })
REFUSED(map_definitions_behind_a_gap, -EINVAL, "0x14 bytes in front of map map2",
        { built_symbol(&b, BUILT_SYM_MAP)->st_shndx = SHN_ABS; })
REFUSED(two_map_definitions_at_one_place, -EINVAL, "definition of 0 bytes",
        built_symbol(&b, BUILT_SYM_MAP2)->st_value = 0)
REFUSED(a_map_without_name, -EINVAL, "map's name has no bytes",
        built_symbol(&b, BUILT_SYM_MAP)->st_name = 0)

/* ---- license --------------------------------------------------------------------------------- */

REFUSED(an_absurd_license, -EINVAL,
        "section license (9) offset 0x7f: license is longer than 127 bytes", {
            memset(b.elf + b.size, 'x', 200);
            built_section(&b, BUILT_LICENSE)->sh_offset = b.size;
            built_section(&b, BUILT_LICENSE)->sh_size = 200;
            b.size += 200;
        })

/* ---- what compilers write -------------------------------------------------------------------- */

REFUSED_PROGRAM(pointer, -EOPNOTSUPP, "section .data (")
REFUSED_PROGRAM(common, -EOPNOTSUPP, "(shared) is common")
