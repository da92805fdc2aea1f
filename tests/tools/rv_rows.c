/* SPDX-License-Identifier: MIT */
/*
 * Every row of jit/rv64/encode.h with random operands, for tests/suites/encoder.sh: one line per
 * instruction, the bytes that our assembler makes (hexadecimal, as a number), a tab, the source
 * line for GNU as. Argument: seed.
 *
 *   rv_rows wide SEED      32-bit rows, both encoded without compression
 *   rv_rows short SEED     32-bit rows with compression as ebpf_rv_compress() and GNU as choose it
 *   rv_rows rvc SEED       rows of the C extension by their own names
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jit/rv64/asm.h"

#define ROUNDS 120

static const char *const reg_names[] = {
    "zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
    "a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
    "s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
};

static uint64_t state;
static bool wide;
static uint8_t bytes[64];
static struct rv_asm a;

static uint64_t rnd(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* What decides whether there is a compressed form is often equality, zero, sp, or a register of x8
 * to x15. */
static enum rv_reg any_reg(void)
{
    switch (rnd() % 8) {
    case 0:
        return ZERO;
    case 1:
        return SP;
    case 2:
    case 3:
    case 4:
        return (enum rv_reg)(S0 + rnd() % 8);
    default:
        return (enum rv_reg)(rnd() % 32);
    }
}

static enum rv_reg rvc_any(void)
{
    return (enum rv_reg)(S0 + rnd() % 8);
}

static enum rv_reg again(enum rv_reg reg)
{
    return rnd() % 2 ? reg : any_reg();
}

/* A signed immediate of at most so many bits, any length alike, a multiple of scale. */
static int64_t imm_of(unsigned bits, int64_t scale)
{
    unsigned length = 1 + (unsigned)(rnd() % bits);
    int64_t value = (int64_t)(rnd() << (64 - length)) >> (64 - length);

    return value / scale * scale;
}

static void begin(void)
{
    memset(&a, 0, sizeof(a));
    a.buf = bytes;
    a.cap = sizeof(bytes);
}

static void print_bytes(void)
{
    for (uint32_t i = a.pos; i-- > 0;)
        printf("%02x", bytes[i]);
}

/* GNU as compresses some only when they are written as the pseudo-instruction that they are. */
static void print_source(const char *line)
{
    char one[8], two[8];

    if (!wide && !strncmp(line, "jal zero,", 9))
        printf("j %s\n", line + 9);
    else if (!wide && sscanf(line, "jalr zero,0(%7[a-z0-9])", one) == 1)
        printf("jr %s\n", one);
    else if (!wide && sscanf(line, "jalr ra,0(%7[a-z0-9])", one) == 1)
        printf("jalr %s\n", one);
    else if (!wide && sscanf(line, "add %7[a-z0-9],%7[a-z0-9],zero", one, two) == 2 &&
             strstr(line, ",zero") && strcmp(one, "zero") && strcmp(two, "zero"))
        printf("mv %s,%s\n", one, two);
    else
        printf("%s\n", line);
}

static void end(const char *name, const char *operands)
{
    char line[192];
    char *dot;

    if (a.err) {
        fprintf(stderr, "%s %s: error %d\n", name, operands, a.err);
        exit(1);
    }
    snprintf(line, sizeof(line), "%s %s", name, operands);
    while ((dot = strchr(line, '_')))
        *dot = '.';
    print_bytes();
    printf("\t");
    print_source(line);
}

static char text[128];
#define OPERANDS(...) (snprintf(text, sizeof(text), __VA_ARGS__), text)
#define R(reg) reg_names[reg]

static void put(uint32_t word)
{
    if (wide)
        ebpf_rv_emit_wide(&a, word);
    else
        ebpf_rv_emit(&a, word);
}

/* In the wide mode the words are made from the rows, otherwise by the functions that the compiler
 * uses. */
#define ROW_R(name, funct7, funct3, opcode)                           \
    for (unsigned i = 0; i < ROUNDS; i++) {                           \
        enum rv_reg rd = any_reg(), rs1 = again(rd), rs2 = again(rd); \
        begin();                                                      \
        if (wide)                                                     \
            put(rv_r(funct7, funct3, opcode, rd, rs1, rs2));          \
        else                                                          \
            rv_##name(&a, rd, rs1, rs2);                              \
        end(#name, OPERANDS("%s,%s,%s", R(rd), R(rs1), R(rs2)));      \
    }

#define ROW_I(name, funct3, opcode)                                 \
    for (unsigned i = 0; i < ROUNDS; i++) {                         \
        enum rv_reg rd = any_reg(), rs1 = again(rd);                \
        int64_t imm = imm_of(12, rnd() % 2 ? 1 : 4 << rnd() % 3);   \
        begin();                                                    \
        if (wide)                                                   \
            put(rv_i(funct3, opcode, rd, rs1, imm));                \
        else                                                        \
            rv_##name(&a, rd, rs1, imm);                            \
        end(#name, OPERANDS("%s,%s,%" PRId64, R(rd), R(rs1), imm)); \
    }

#define ROW_UNARY(name, funct12, funct3, opcode)         \
    for (unsigned i = 0; i < ROUNDS; i++) {              \
        enum rv_reg rd = any_reg(), rs1 = again(rd);     \
        begin();                                         \
        if (wide)                                        \
            put(rv_i(funct3, opcode, rd, rs1, funct12)); \
        else                                             \
            rv_##name(&a, rd, rs1);                      \
        end(#name, OPERANDS("%s,%s", R(rd), R(rs1)));    \
    }

#define ROW_SHIFT(name, upper, funct3, opcode, bits)                \
    for (unsigned i = 0; i < ROUNDS; i++) {                         \
        enum rv_reg rd = any_reg(), rs1 = again(rd);                \
        int64_t imm = (int64_t)(rnd() % (1 << (bits)));             \
        begin();                                                    \
        if (wide)                                                   \
            put(rv_i(funct3, opcode, rd, rs1, (upper) | imm));      \
        else                                                        \
            rv_##name(&a, rd, rs1, imm);                            \
        end(#name, OPERANDS("%s,%s,%" PRId64, R(rd), R(rs1), imm)); \
    }

#define ROW_MEM(name, word)                                              \
    for (unsigned i = 0; i < ROUNDS; i++) {                              \
        enum rv_reg reg = any_reg(), rs1 = any_reg();                    \
        int64_t imm = imm_of(12, 1 << rnd() % 4);                        \
        begin();                                                         \
        if (wide)                                                        \
            put(word);                                                   \
        else                                                             \
            rv_##name(&a, reg, imm, rs1);                                \
        end(#name, OPERANDS("%s,%" PRId64 "(%s)", R(reg), imm, R(rs1))); \
    }
#define ROW_LOAD(name, funct3, opcode) ROW_MEM(name, rv_i(funct3, opcode, reg, rs1, imm))
#define ROW_S(name, funct3, opcode) ROW_MEM(name, rv_s(funct3, opcode, reg, imm, rs1))

#define ROW_B(name, funct3, opcode)                                      \
    for (unsigned i = 0; i < ROUNDS; i++) {                              \
        enum rv_reg rs1 = any_reg(), rs2 = rnd() % 2 ? ZERO : any_reg(); \
        int64_t imm = imm_of(12, 2);                                     \
        begin();                                                         \
        if (wide)                                                        \
            put(rv_b(funct3, opcode, rs1, rs2, imm));                    \
        else                                                             \
            rv_##name(&a, rs1, rs2, imm);                                \
        end(#name, OPERANDS("%s,%s,.%+" PRId64, R(rs1), R(rs2), imm));   \
    }

#define ROW_U(name, opcode)                                          \
    for (unsigned i = 0; i < ROUNDS; i++) {                          \
        enum rv_reg rd = any_reg();                                  \
        int64_t imm = imm_of(20, 1);                                 \
        begin();                                                     \
        if (wide)                                                    \
            put(rv_u(opcode, rd, imm));                              \
        else                                                         \
            rv_##name(&a, rd, imm);                                  \
        end(#name, OPERANDS("%s,0x%" PRIx64, R(rd), imm & 0xfffff)); \
    }

#define ROW_J(name, opcode)                                \
    for (unsigned i = 0; i < ROUNDS; i++) {                \
        enum rv_reg rd = any_reg();                        \
        int64_t imm = imm_of(20, 2);                       \
        begin();                                           \
        if (wide)                                          \
            put(rv_j(opcode, rd, imm));                    \
        else                                               \
            rv_##name(&a, rd, imm);                        \
        end(#name, OPERANDS("%s,.%+" PRId64, R(rd), imm)); \
    }

/* What GNU as may be too old to know by name: the fields as the manual has them, written down once
 * more. */
#define LITERAL_R(name, funct7, funct3, opcode)                                                 \
    for (unsigned i = 0; i < ROUNDS; i++) {                                                     \
        enum rv_reg rd = any_reg(), rs1 = again(rd), rs2 = again(rd);                           \
        begin();                                                                                \
        rv_##name(&a, rd, rs1, rs2);                                                            \
        end(".insn",                                                                            \
            OPERANDS("r " #opcode "," #funct3 "," #funct7 ",%s,%s,%s", R(rd), R(rs1), R(rs2))); \
    }

#define LITERAL_AMO(name, funct5, funct3)                                                          \
    for (unsigned i = 0; i < ROUNDS; i++) {                                                        \
        enum rv_reg rd = any_reg(), rs2 = any_reg(), rs1 = any_reg();                              \
        unsigned order = (unsigned)(rnd() % 4);                                                    \
        begin();                                                                                   \
        rv_##name(&a, rd, rs2, rs1, (enum rv_order)order);                                         \
        end(".insn", OPERANDS("r 0x2f," #funct3 ",%u,%s,%s,%s", (funct5)*4 + order, R(rd), R(rs1), \
                              R(rs2)));                                                            \
    }

static const char *const orders[] = {"", "_rl", "_aq", "_aqrl"};

#define ROW_AMO(name, funct5, funct3)                                 \
    for (unsigned i = 0; i < ROUNDS; i++) {                           \
        enum rv_reg rd = any_reg(), rs2 = any_reg(), rs1 = any_reg(); \
        enum rv_order order = (enum rv_order)(rnd() % 4);             \
        char full[32];                                                \
        snprintf(full, sizeof(full), "%s%s", #name, orders[order]);   \
        begin();                                                      \
        rv_##name(&a, rd, rs2, rs1, order);                           \
        end(full, OPERANDS("%s,%s,(%s)", R(rd), R(rs2), R(rs1)));     \
    }

#define ROW_LR(name, funct5, funct3)                                \
    for (unsigned i = 0; i < ROUNDS; i++) {                         \
        enum rv_reg rd = any_reg(), rs1 = any_reg();                \
        enum rv_order order = (enum rv_order)(rnd() % 4);           \
        char full[32];                                              \
        snprintf(full, sizeof(full), "%s%s", #name, orders[order]); \
        begin();                                                    \
        rv_##name(&a, rd, rs1, order);                              \
        end(full, OPERANDS("%s,(%s)", R(rd), R(rs1)));              \
    }

static void base_rows(void)
{
    RV_R_TYPE(ROW_R)
    RV_R_TYPE_B(ROW_R)
    RV_UNARY_B(ROW_UNARY)
    RV_I_TYPE(ROW_I)
    RV_SHIFT_TYPE(ROW_SHIFT)
    RV_SHIFT_TYPE_B(ROW_SHIFT)
    RV_LOAD_TYPE(ROW_LOAD)
    RV_S_TYPE(ROW_S)
    RV_B_TYPE(ROW_B)
    RV_U_TYPE(ROW_U)
    RV_J_TYPE(ROW_J)
    RV_AMO_TYPE(ROW_AMO)
    RV_LR_TYPE(ROW_LR)
    LITERAL_R(czero_eqz, 0b0000111, 0b101, 0b0110011)
    LITERAL_R(czero_nez, 0b0000111, 0b111, 0b0110011)
    LITERAL_AMO(amocas_w, 5, 2)
    LITERAL_AMO(amocas_d, 5, 3)
    begin();
    rv_fence_rw_rw(&a);
    end("fence", "rw,rw");
}

/* ---- the C extension ------------------------------------------------------------------------- */

static void parcel(uint32_t word)
{
    begin();
    a.pos = 2;
    bytes[0] = (uint8_t)word;
    bytes[1] = (uint8_t)(word >> 8);
    if (word >> 16)
        a.err = -1;
}

/* Which immediates a row takes: c.lui, c.addi16sp and the like have rules of their own. */
static int64_t ci_imm(const char *name)
{
    int64_t imm;

    if (strstr(name, "lwsp") || strstr(name, "swsp"))
        return (int64_t)(rnd() % 64) * 4;
    if (strstr(name, "ldsp") || strstr(name, "sdsp"))
        return (int64_t)(rnd() % 64) * 8;
    if (strstr(name, "addi4spn"))
        return (int64_t)(rnd() % 255 + 1) * 4;
    if (strstr(name, "slli") || strstr(name, "srli") || strstr(name, "srai"))
        return (int64_t)(rnd() % 63 + 1);
    do
        imm = (int64_t)(rnd() % 64) - 32;
    while (!imm &&
           (!strcmp(name, "c_lui") || !strcmp(name, "c_addi16sp") || !strcmp(name, "c_addi")));
    return strcmp(name, "c_addi16sp") ? imm : imm * 16;
}

static enum rv_reg ci_reg(const char *name)
{
    enum rv_reg reg;

    if (!strcmp(name, "c_addi16sp"))
        return SP;
    do
        reg = any_reg();
    while (reg == ZERO || (reg == SP && !strcmp(name, "c_lui")));
    return reg;
}

#define ROW_CI(name, funct3, op, spread)                                 \
    for (unsigned i = 0; i < ROUNDS; i++) {                              \
        enum rv_reg rd = ci_reg(#name);                                  \
        int64_t imm = ci_imm(#name);                                     \
        parcel(rv_##name(rd, imm));                                      \
        if (strstr(#name, "sp") && strcmp(#name, "c_addi16sp"))          \
            end(#name, OPERANDS("%s,%" PRId64 "(sp)", R(rd), imm));      \
        else if (strstr(#name, "lui"))                                   \
            end(#name, OPERANDS("%s,0x%" PRIx64, R(rd), imm & 0xfffff)); \
        else                                                             \
            end(#name, OPERANDS("%s,%" PRId64, R(rd), imm));             \
    }
#define ROW_CSS(name, funct3, op, spread)                        \
    for (unsigned i = 0; i < ROUNDS; i++) {                      \
        enum rv_reg rs2 = any_reg();                             \
        int64_t imm = ci_imm(#name);                             \
        parcel(rv_##name(rs2, imm));                             \
        end(#name, OPERANDS("%s,%" PRId64 "(sp)", R(rs2), imm)); \
    }
#define ROW_CIW(name, funct3, op, spread)                   \
    for (unsigned i = 0; i < ROUNDS; i++) {                 \
        enum rv_reg rd = rvc_any();                         \
        int64_t imm = ci_imm(#name);                        \
        parcel(rv_##name(rd, imm));                         \
        end(#name, OPERANDS("%s,sp,%" PRId64, R(rd), imm)); \
    }
#define ROW_CL(name, funct3, op, spread)                                    \
    for (unsigned i = 0; i < ROUNDS; i++) {                                 \
        enum rv_reg reg = rvc_any(), rs1 = rvc_any();                       \
        int64_t imm = (int64_t)(rnd() % 32) * (strchr(#name, 'd') ? 8 : 4); \
        parcel(rv_##name(reg, imm, rs1));                                   \
        end(#name, OPERANDS("%s,%" PRId64 "(%s)", R(reg), imm, R(rs1)));    \
    }
#define ROW_CR(name, funct4, op)                                                             \
    for (unsigned i = 0; i < ROUNDS; i++) {                                                  \
        enum rv_reg rd = (enum rv_reg)(1 + rnd() % 31), rs2 = (enum rv_reg)(1 + rnd() % 31); \
        parcel(rv_##name(rd, rs2));                                                          \
        end(#name, OPERANDS("%s,%s", R(rd), R(rs2)));                                        \
    }
#define ROW_CRJ(name, funct4, op)                        \
    for (unsigned i = 0; i < ROUNDS; i++) {              \
        enum rv_reg rs1 = (enum rv_reg)(1 + rnd() % 31); \
        parcel(rv_##name(rs1));                          \
        end(#name, R(rs1));                              \
    }
#define ROW_CA(name, funct6, funct2, op)              \
    for (unsigned i = 0; i < ROUNDS; i++) {           \
        enum rv_reg rd = rvc_any(), rs2 = rvc_any();  \
        parcel(rv_##name(rd, rs2));                   \
        end(#name, OPERANDS("%s,%s", R(rd), R(rs2))); \
    }
#define ROW_CBI(name, funct3, funct2, op)                \
    for (unsigned i = 0; i < ROUNDS; i++) {              \
        enum rv_reg rd = rvc_any();                      \
        int64_t imm = ci_imm(#name);                     \
        parcel(rv_##name(rd, imm));                      \
        end(#name, OPERANDS("%s,%" PRId64, R(rd), imm)); \
    }
#define ROW_CB(name, funct3, op)                            \
    for (unsigned i = 0; i < ROUNDS; i++) {                 \
        enum rv_reg rs1 = rvc_any();                        \
        int64_t imm = imm_of(9, 2);                         \
        parcel(rv_##name(rs1, imm));                        \
        end(#name, OPERANDS("%s,.%+" PRId64, R(rs1), imm)); \
    }
#define ROW_CJ(name, funct3, op)                 \
    for (unsigned i = 0; i < ROUNDS; i++) {      \
        int64_t imm = imm_of(12, 2);             \
        parcel(rv_##name(imm));                  \
        end(#name, OPERANDS(".%+" PRId64, imm)); \
    }

static void rvc_rows(void)
{
    RVC_CI_TYPE(ROW_CI)
    RVC_CSS_TYPE(ROW_CSS)
    RVC_CIW_TYPE(ROW_CIW)
    RVC_CL_TYPE(ROW_CL)
    RVC_CR_TYPE(ROW_CR)
    RVC_CR_JUMP(ROW_CRJ)
    RVC_CA_TYPE(ROW_CA)
    RVC_CB_ALU(ROW_CBI)
    RVC_CB_TYPE(ROW_CB)
    RVC_CJ_TYPE(ROW_CJ)
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";

    state = (argc > 2 ? strtoull(argv[2], NULL, 0) : 1) * 2654435761u + 88172645463325252ull;
    wide = !strcmp(mode, "wide");
    if (wide || !strcmp(mode, "short")) {
        base_rows();
    } else if (!strcmp(mode, "rvc")) {
        rvc_rows();
    } else {
        fprintf(stderr, "usage: rv_rows wide|short|rvc SEED\n");
        return 2;
    }
    return 0;
}
