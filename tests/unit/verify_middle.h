/* SPDX-License-Identifier: MIT */
/* A verifier in the middle of a program, for tests of single instructions: registers are set by
 * hand. */
#ifndef TESTS_UNIT_VERIFY_MIDDLE_H
#define TESTS_UNIT_VERIFY_MIDDLE_H

#include "src/verifier/engine.h"
#include "tests/unit/insn.h"
#include "tests/unit/scalars.h"
#include "tests/unit/test.h"

struct middle {
    struct ebpf_verifier v;
    struct ebpf_vexplore explore;
    struct ebpf_vsub sub;
    struct ebpf_vstate state;
    struct ebpf_prog prog;
    struct ebpf_load_log log;
    struct bpf_insn insns[4];
    struct ebpf_fact facts[4];
    struct ebpf_map *maps[4];
};

/* One frame, r1 the context of a program of that type; capable: as loaded with all capabilities,
 * else the strict mode. end() gives all memory and maps back. */
void middle_begin(struct middle *m, uint32_t type, bool capable);
void middle_end(struct middle *m);

/* A map of the program, number n; the test's own after that. */
struct ebpf_map *middle_map(struct middle *m, unsigned n, const struct ebpf_map_spec *spec);

/* Checks one instruction, at a place of its own. */
int middle_step(struct middle *m, struct bpf_insn insn);

/* Registers. */
struct ebpf_vreg *middle_reg(struct middle *m, unsigned reg);
void middle_number(struct middle *m, unsigned reg, uint64_t min, uint64_t max);
void middle_stack(struct middle *m, unsigned reg, int off); /* r10 + off */
struct ebpf_vreg *middle_point(struct middle *m, unsigned reg, enum ebpf_kind kind,
                               const struct ebpf_map *map);

/* The n-th allocation of the next verification fails; 0: none. */
extern unsigned middle_fail_alloc;

/* A whole program, of which BPF_LD_MAP_FD(reg, 0) is a map like that: 0, or the errno; log: the
 * verifier's words. */
int middle_program(uint32_t type, const struct ebpf_map_spec *spec, const struct bpf_insn *insns,
                   uint32_t count, char *log, uint32_t log_size);

/* The last line of the log. */
#define middle_said(m) ((m)->log.line)

#endif /* TESTS_UNIT_VERIFY_MIDDLE_H */
