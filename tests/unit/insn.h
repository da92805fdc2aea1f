/* SPDX-License-Identifier: MIT */
/* Instructions as C initialisers for the tests, under the names that Linux's include/linux/filter.h
 * made usual. */
#ifndef TESTS_UNIT_INSN_H
#define TESTS_UNIT_INSN_H

#include <ebpf/uapi.h>

#define BPF_RAW_INSN(CODE, DST, SRC, OFF, IMM)  \
    ((struct bpf_insn){.code = (uint8_t)(CODE), \
                       .dst_reg = (DST)&15,     \
                       .src_reg = (SRC)&15,     \
                       .off = (OFF),            \
                       .imm = (int32_t)(IMM)})

#define BPF_ALU64_IMM(OP, DST, IMM) BPF_RAW_INSN(BPF_ALU64 | (OP) | BPF_K, DST, 0, 0, IMM)
#define BPF_ALU64_REG(OP, DST, SRC) BPF_RAW_INSN(BPF_ALU64 | (OP) | BPF_X, DST, SRC, 0, 0)
#define BPF_ALU32_IMM(OP, DST, IMM) BPF_RAW_INSN(BPF_ALU | (OP) | BPF_K, DST, 0, 0, IMM)
#define BPF_ALU32_REG(OP, DST, SRC) BPF_RAW_INSN(BPF_ALU | (OP) | BPF_X, DST, SRC, 0, 0)
#define BPF_ALU64_REG_OFF(OP, DST, SRC, OFF) \
    BPF_RAW_INSN(BPF_ALU64 | (OP) | BPF_X, DST, SRC, OFF, 0)
#define BPF_ALU32_REG_OFF(OP, DST, SRC, OFF) BPF_RAW_INSN(BPF_ALU | (OP) | BPF_X, DST, SRC, OFF, 0)
#define BPF_MOV64_IMM(DST, IMM) BPF_ALU64_IMM(BPF_MOV, DST, IMM)
#define BPF_MOV64_REG(DST, SRC) BPF_ALU64_REG(BPF_MOV, DST, SRC)
#define BPF_MOV32_IMM(DST, IMM) BPF_ALU32_IMM(BPF_MOV, DST, IMM)
#define BPF_MOV32_REG(DST, SRC) BPF_ALU32_REG(BPF_MOV, DST, SRC)
#define BPF_ENDIAN(TYPE, DST, WIDTH) BPF_RAW_INSN(BPF_ALU | BPF_END | (TYPE), DST, 0, 0, WIDTH)
#define BPF_BSWAP(DST, WIDTH) BPF_RAW_INSN(BPF_ALU64 | BPF_END | BPF_TO_LE, DST, 0, 0, WIDTH)

/* two slots */
#define BPF_LD_IMM64_RAW(DST, SRC, IMM)                                    \
    BPF_RAW_INSN(BPF_LD | BPF_DW | BPF_IMM, DST, SRC, 0, (uint32_t)(IMM)), \
        BPF_RAW_INSN(0, 0, 0, 0, (uint64_t)(IMM) >> 32)
#define BPF_LD_IMM64(DST, IMM) BPF_LD_IMM64_RAW(DST, 0, IMM)
#define BPF_LD_MAP_FD(DST, FD) BPF_LD_IMM64_RAW(DST, BPF_PSEUDO_MAP_FD, (uint32_t)(FD))
#define BPF_LD_MAP_VALUE(DST, FD, OFF) \
    BPF_LD_IMM64_RAW(DST, BPF_PSEUDO_MAP_VALUE, (uint32_t)(FD) | (uint64_t)(OFF) << 32)

#define BPF_LDX_MEM(SIZE, DST, SRC, OFF) BPF_RAW_INSN(BPF_LDX | (SIZE) | BPF_MEM, DST, SRC, OFF, 0)
#define BPF_LDX_MEMSX(SIZE, DST, SRC, OFF) \
    BPF_RAW_INSN(BPF_LDX | (SIZE) | BPF_MEMSX, DST, SRC, OFF, 0)
#define BPF_STX_MEM(SIZE, DST, SRC, OFF) BPF_RAW_INSN(BPF_STX | (SIZE) | BPF_MEM, DST, SRC, OFF, 0)
#define BPF_ST_MEM(SIZE, DST, OFF, IMM) BPF_RAW_INSN(BPF_ST | (SIZE) | BPF_MEM, DST, 0, OFF, IMM)
#define BPF_ATOMIC_OP(SIZE, OP, DST, SRC, OFF) \
    BPF_RAW_INSN(BPF_STX | (SIZE) | BPF_ATOMIC, DST, SRC, OFF, OP)

#define BPF_JMP_IMM(OP, DST, IMM, OFF) BPF_RAW_INSN(BPF_JMP | (OP) | BPF_K, DST, 0, OFF, IMM)
#define BPF_JMP_REG(OP, DST, SRC, OFF) BPF_RAW_INSN(BPF_JMP | (OP) | BPF_X, DST, SRC, OFF, 0)
#define BPF_JMP32_IMM(OP, DST, IMM, OFF) BPF_RAW_INSN(BPF_JMP32 | (OP) | BPF_K, DST, 0, OFF, IMM)
#define BPF_JMP32_REG(OP, DST, SRC, OFF) BPF_RAW_INSN(BPF_JMP32 | (OP) | BPF_X, DST, SRC, OFF, 0)
#define BPF_JMP_A(OFF) BPF_RAW_INSN(BPF_JMP | BPF_JA, 0, 0, OFF, 0)
#define BPF_JMP32_A(IMM) BPF_RAW_INSN(BPF_JMP32 | BPF_JA, 0, 0, 0, IMM)
#define BPF_EMIT_CALL(HELPER) BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, HELPER)
#define BPF_CALL_REL(TARGET) BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, TARGET)
#define BPF_EXIT_INSN() BPF_RAW_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

#endif /* TESTS_UNIT_INSN_H */
