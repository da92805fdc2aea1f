/* SPDX-License-Identifier: MIT */
/* The instruction table and the operands of what is simulated. */
#include "kprobe/rv64/decode.h"

#define INSN(name, mask, match, format, kind, op)                                                  \
    {name, mask, match, EBPF_RV_FORMAT_##format, EBPF_RV_##kind, EBPF_RV_##op},
const struct ebpf_rv_row ebpf_rv_rows[] = {
#include "kprobe/rv64/insns.def"
};
#undef INSN
const unsigned ebpf_rv_row_count = sizeof(ebpf_rv_rows) / sizeof(ebpf_rv_rows[0]);

/* Bits high..low of raw, moved to where they belong in an immediate. */
static uint32_t field(uint32_t raw, unsigned high, unsigned low, unsigned to)
{
    return (raw >> low & ((2u << (high - low)) - 1)) << to;
}

static int32_t sign_extend(uint32_t value, unsigned sign_bit)
{
    uint32_t sign = 1u << sign_bit;

    return (int32_t)((value ^ sign) - sign);
}

static int32_t imm_i(uint32_t raw)
{
    return sign_extend(field(raw, 31, 20, 0), 11);
}

static int32_t imm_b(uint32_t raw)
{
    return sign_extend(field(raw, 31, 31, 12) | field(raw, 7, 7, 11) | field(raw, 30, 25, 5) |
                           field(raw, 11, 8, 1),
                       12);
}

static int32_t imm_j(uint32_t raw)
{
    return sign_extend(field(raw, 31, 31, 20) | field(raw, 19, 12, 12) | field(raw, 20, 20, 11) |
                           field(raw, 30, 21, 1),
                       20);
}

static int32_t imm_ci(uint32_t raw)
{
    return sign_extend(field(raw, 12, 12, 5) | field(raw, 6, 2, 0), 5);
}

static int32_t shamt_c(uint32_t raw)
{
    return (int32_t)(field(raw, 12, 12, 5) | field(raw, 6, 2, 0));
}

static int32_t imm_c16sp(uint32_t raw)
{
    return sign_extend(field(raw, 12, 12, 9) | field(raw, 4, 3, 7) | field(raw, 5, 5, 6) |
                           field(raw, 2, 2, 5) | field(raw, 6, 6, 4),
                       9);
}

static int32_t imm_ciw(uint32_t raw)
{
    return (int32_t)(field(raw, 10, 7, 6) | field(raw, 12, 11, 4) | field(raw, 5, 5, 3) |
                     field(raw, 6, 6, 2));
}

static int32_t imm_cj(uint32_t raw)
{
    return sign_extend(field(raw, 12, 12, 11) | field(raw, 8, 8, 10) | field(raw, 10, 9, 8) |
                           field(raw, 6, 6, 7) | field(raw, 7, 7, 6) | field(raw, 2, 2, 5) |
                           field(raw, 11, 11, 4) | field(raw, 5, 3, 1),
                       11);
}

static int32_t imm_cb(uint32_t raw)
{
    return sign_extend(field(raw, 12, 12, 8) | field(raw, 6, 5, 6) | field(raw, 2, 2, 5) |
                           field(raw, 11, 10, 3) | field(raw, 4, 3, 1),
                       8);
}

static void set(struct ebpf_rv_insn *out, uint32_t rd, uint32_t rs1, uint32_t rs2)
{
    out->rd = (uint8_t)rd;
    out->rs1 = (uint8_t)rs1;
    out->rs2 = (uint8_t)rs2;
}

static void set_imm(struct ebpf_rv_insn *out, uint32_t rd, uint32_t rs1, int32_t imm)
{
    set(out, rd, rs1, 0);
    out->has_imm = true;
    out->imm = imm;
}

static void operands32(struct ebpf_rv_insn *out, uint32_t raw, unsigned format)
{
    uint32_t rd = field(raw, 11, 7, 0), rs1 = field(raw, 19, 15, 0), rs2 = field(raw, 24, 20, 0);

    switch (format) {
    case EBPF_RV_FORMAT_R:
        set(out, rd, rs1, rs2);
        break;
    case EBPF_RV_FORMAT_I:
        set_imm(out, rd, rs1, imm_i(raw));
        break;
    case EBPF_RV_FORMAT_SH: /* the W forms' rows demand that bit 25 is 0 */
        set_imm(out, rd, rs1, (int32_t)field(raw, 25, 20, 0));
        break;
    case EBPF_RV_FORMAT_B: /* the immediate is the target, rs2 the second operand */
        set(out, 0, rs1, rs2);
        out->imm = imm_b(raw);
        break;
    case EBPF_RV_FORMAT_U:
        set_imm(out, rd, 0, (int32_t)(raw & 0xfffff000u));
        break;
    case EBPF_RV_FORMAT_J:
        set_imm(out, rd, 0, imm_j(raw));
        break;
    default:
        break;
    }
}

static void operands16(struct ebpf_rv_insn *out, uint32_t raw, unsigned format)
{
    uint32_t rd = field(raw, 11, 7, 0), rs2 = field(raw, 6, 2, 0);
    uint32_t high = 8 + field(raw, 9, 7, 0), low = 8 + field(raw, 4, 2, 0); /* rd'/rs1', rs2' */

    switch (format) {
    case EBPF_RV_FORMAT_CIW:
        set_imm(out, low, 2, imm_ciw(raw));
        break;
    case EBPF_RV_FORMAT_CI:
        set_imm(out, rd, rd, imm_ci(raw));
        break;
    case EBPF_RV_FORMAT_CLI:
        set_imm(out, rd, 0, imm_ci(raw));
        break;
    case EBPF_RV_FORMAT_C16SP:
        set_imm(out, 2, 2, imm_c16sp(raw));
        break;
    case EBPF_RV_FORMAT_CLUI:
        set_imm(out, rd, 0, imm_ci(raw) * 4096);
        break;
    case EBPF_RV_FORMAT_CISH:
        set_imm(out, rd, rd, shamt_c(raw));
        break;
    case EBPF_RV_FORMAT_CBSH:
        set_imm(out, high, high, shamt_c(raw));
        break;
    case EBPF_RV_FORMAT_CBI:
        set_imm(out, high, high, imm_ci(raw));
        break;
    case EBPF_RV_FORMAT_CA:
        set(out, high, high, low);
        break;
    case EBPF_RV_FORMAT_CJ:
        set_imm(out, 0, 0, imm_cj(raw));
        break;
    case EBPF_RV_FORMAT_CB:
        set(out, 0, high, 0);
        out->imm = imm_cb(raw);
        break;
    case EBPF_RV_FORMAT_CJR:
        set_imm(out, 0, rd, 0);
        break;
    case EBPF_RV_FORMAT_CJALR:
        set_imm(out, 1, rd, 0);
        break;
    case EBPF_RV_FORMAT_CMV:
        set(out, rd, 0, rs2);
        break;
    case EBPF_RV_FORMAT_CR:
        set(out, rd, rd, rs2);
        break;
    default:
        break;
    }
}

/* Unprivileged ISA, "Expanded Instruction-Length Encoding" */
unsigned ebpf_rv_length(uint16_t first)
{
    if ((first & 0x3) != 0x3)
        return 2;
    if ((first & 0x1f) != 0x1f)
        return 4;
    if ((first & 0x3f) == 0x1f)
        return 6;
    if ((first & 0x7f) == 0x3f)
        return 8;
    return 0;
}

static const struct ebpf_rv_row *find_row(uint32_t raw, bool compressed)
{
    for (unsigned i = 0; i < ebpf_rv_row_count; i++) {
        const struct ebpf_rv_row *row = &ebpf_rv_rows[i];

        if ((raw & row->mask) == row->match && ((row->match & 3) != 3) == compressed)
            return row;
    }
    return 0;
}

void ebpf_rv_decode(uint32_t raw, struct ebpf_rv_insn *out)
{
    unsigned len = ebpf_rv_length((uint16_t)raw);
    const struct ebpf_rv_row *row = 0;

    *out = (struct ebpf_rv_insn){.name = "unknown", .kind = EBPF_RV_ILLEGAL};
    if (len > 4 || !len)
        return;
    out->len = (uint8_t)len;
    out->raw = len == 2 ? raw & 0xffff : raw;
    row = find_row(out->raw, len == 2);
    if (!row)
        return;
    out->name = row->name;
    out->kind = row->kind;
    out->op = row->op;
    if (len == 2)
        operands16(out, out->raw, row->format);
    else
        operands32(out, out->raw, row->format);
}
