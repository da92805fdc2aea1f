/* SPDX-License-Identifier: MIT */
/*
 * Running a program on every engine that this machine has: the interpreter everywhere, the JIT's
 * code on RV64. Elsewhere the JIT only encodes, for several addresses.
 */
#ifndef TESTS_UNIT_ENGINE_H
#define TESTS_UNIT_ENGINE_H

#include <ebpf/ebpf.h>

#include "jit/jit.h"
#include "src/core/prog.h"
#include "tests/unit/insn.h"
#include "tests/unit/test.h"

#define R0 BPF_REG_0
#define R1 BPF_REG_1
#define R2 BPF_REG_2
#define R3 BPF_REG_3
#define R4 BPF_REG_4
#define R5 BPF_REG_5
#define R6 BPF_REG_6
#define R7 BPF_REG_7
#define R8 BPF_REG_8
#define R9 BPF_REG_9
#define R10 BPF_REG_10

enum engine { ENGINE_INTERP, ENGINE_JIT, ENGINES };

/* Checked code of insns, which are not copied; false (and a failure): the structural check refuses
 * it. */
bool engine_code(const struct bpf_insn *insns, uint32_t cnt, struct ebpf_code *code);
void engine_code_free(struct ebpf_code *code);

/* False: this engine cannot run here (then the program is only encoded). */
bool engine_run_code(enum engine engine, const struct ebpf_code *code, void *ctx, uint64_t *r0);
bool engine_run(enum engine engine, const struct bpf_insn *insns, uint32_t cnt, void *ctx,
                uint64_t *r0);

/* Encodes for addresses near and far from everything into buffers of exactly the length that is
 * reported. */
void engine_encode(const struct ebpf_code *code);

#define PROG(...)                     \
    (struct bpf_insn[]){__VA_ARGS__}, \
        sizeof((struct bpf_insn[]){__VA_ARGS__}) / sizeof(struct bpf_insn)

/* Runs PROG(...) on all engines; each must leave r0 = want. name: for the message. */
void engine_expect(const char *file, int line, const char *name, uint64_t want, void *ctx,
                   const struct bpf_insn *insns, uint32_t cnt);
#define EXPECT(want, ctx, ...) \
    engine_expect(__FILE__, __LINE__, "program", want, ctx, PROG(__VA_ARGS__))

#endif /* TESTS_UNIT_ENGINE_H */
