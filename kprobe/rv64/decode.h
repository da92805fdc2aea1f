/* SPDX-License-Identifier: MIT */
/*
 * From the bits of an RV64GC instruction to what a probe does with it. Pure: no state, any context;
 * the table behind it (insns.def) is searched row by row, so it is meant for the time of
 * registration, not for a hit.
 */
#ifndef EBPF_KPROBE_RV64_DECODE_H
#define EBPF_KPROBE_RV64_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#define EBPF_RV_EBREAK 0x00100073u
#define EBPF_RV_C_EBREAK 0x9002u

enum ebpf_rv_kind {
    EBPF_RV_ILLEGAL,  /* not RV64GC, or reserved in it */
    EBPF_RV_SIMULATE, /* ebpf_rv_simulate() does it */
    EBPF_RV_SLOT,     /* runs anywhere */
    EBPF_RV_LR,       /* the rest is refused, each for its own reason */
    EBPF_RV_SC,
    EBPF_RV_BREAK,
    EBPF_RV_TRAP_RETURN,
    EBPF_RV_TRAP_CSR,
};

/* What simulation computes. The groups matter: ebpf_rv_simulate() tells them apart by the first of
 * each. */
enum ebpf_rv_op {
    EBPF_RV_NONE,
    EBPF_RV_ADD,
    EBPF_RV_SUB,
    EBPF_RV_SLL,
    EBPF_RV_SLT,
    EBPF_RV_SLTU,
    EBPF_RV_XOR,
    EBPF_RV_SRL,
    EBPF_RV_SRA,
    EBPF_RV_OR,
    EBPF_RV_AND,
    EBPF_RV_MUL,
    EBPF_RV_MULH,
    EBPF_RV_MULHSU,
    EBPF_RV_MULHU,
    EBPF_RV_DIV,
    EBPF_RV_DIVU,
    EBPF_RV_REM,
    EBPF_RV_REMU,
    EBPF_RV_ADDW,
    EBPF_RV_SUBW,
    EBPF_RV_SLLW,
    EBPF_RV_SRLW,
    EBPF_RV_SRAW,
    EBPF_RV_MULW,
    EBPF_RV_DIVW,
    EBPF_RV_DIVUW,
    EBPF_RV_REMW,
    EBPF_RV_REMUW,
    EBPF_RV_LUI,
    EBPF_RV_AUIPC,
    EBPF_RV_JAL,
    EBPF_RV_JALR,
    EBPF_RV_BEQ,
    EBPF_RV_BNE,
    EBPF_RV_BLT,
    EBPF_RV_BGE,
    EBPF_RV_BLTU,
    EBPF_RV_BGEU,
};

/* Where the operands are: Unprivileged ISA, "Immediate Encoding Variants" and "Compressed
 * Instruction Formats". */
enum ebpf_rv_format {
    EBPF_RV_FORMAT_NONE,
    EBPF_RV_FORMAT_R,
    EBPF_RV_FORMAT_I,
    EBPF_RV_FORMAT_SH,
    EBPF_RV_FORMAT_B,
    EBPF_RV_FORMAT_U,
    EBPF_RV_FORMAT_J,
    EBPF_RV_FORMAT_CIW,
    EBPF_RV_FORMAT_CI,
    EBPF_RV_FORMAT_CLI,
    EBPF_RV_FORMAT_C16SP,
    EBPF_RV_FORMAT_CLUI,
    EBPF_RV_FORMAT_CISH,
    EBPF_RV_FORMAT_CBSH,
    EBPF_RV_FORMAT_CBI,
    EBPF_RV_FORMAT_CA,
    EBPF_RV_FORMAT_CJ,
    EBPF_RV_FORMAT_CB,
    EBPF_RV_FORMAT_CJR,
    EBPF_RV_FORMAT_CJALR,
    EBPF_RV_FORMAT_CMV,
    EBPF_RV_FORMAT_CR,
};

struct ebpf_rv_row {
    const char *name;
    uint32_t mask, match;
    uint8_t format, kind, op; /* enum ebpf_rv_format, _kind, _op */
};
extern const struct ebpf_rv_row ebpf_rv_rows[];
extern const unsigned ebpf_rv_row_count;

struct ebpf_rv_insn {
    const char *name; /* of its row */
    uint32_t raw;     /* the bits; a 16-bit instruction has zeros above */
    uint8_t len;      /* 2 or 4; 0 for a longer one, which is ILLEGAL */
    uint8_t kind, op; /* enum ebpf_rv_kind, enum ebpf_rv_op */
    uint8_t rd, rs1, rs2;
    bool has_imm; /* the second operand is imm, not rs2 */
    int32_t imm;
};

/* Bytes of the instruction that starts with this half-word: 2, 4, 6, 8, or 0 where the manual
 * defines no length. */
unsigned ebpf_rv_length(uint16_t first);

/* Always fills *out; what is not RV64GC gets kind ILLEGAL. Of a 16-bit instruction the upper half
 * of raw is ignored. */
void ebpf_rv_decode(uint32_t raw, struct ebpf_rv_insn *out);

#endif /* EBPF_KPROBE_RV64_DECODE_H */
