/* SPDX-License-Identifier: MIT */
/* What the tests of tail calls, program arrays, may_goto and packet loads share: programs loaded
 * for one engine or the other, from inside the kernel. */
#ifndef TESTS_UNIT_TAIL_UTIL_H
#define TESTS_UNIT_TAIL_UTIL_H

#include <ebpf/ebpf.h>

#include "src/core/load.h"
#include "tests/unit/insn.h"
#include "tests/unit/test.h"

#define R0 BPF_REG_0
#define R1 BPF_REG_1
#define R2 BPF_REG_2
#define R3 BPF_REG_3
#define R4 BPF_REG_4
#define R6 BPF_REG_6
#define R7 BPF_REG_7
#define R8 BPF_REG_8
#define R9 BPF_REG_9
#define R10 BPF_REG_10

/* Both arguments of insns, cnt. */
#define PROG(...)                     \
    (struct bpf_insn[]){__VA_ARGS__}, \
        sizeof((struct bpf_insn[]){__VA_ARGS__}) / sizeof(struct bpf_insn)
#define MAP_IDX(DST, N) BPF_LD_IMM64_RAW(DST, BPF_PSEUDO_MAP_IDX, N)
/* bpf_tail_call(r1, map 0, INDEX): four slots */
#define TAIL_CALL(INDEX) MAP_IDX(R2, 0), BPF_MOV64_IMM(R3, INDEX), BPF_EMIT_CALL(12)
#define MAY_GOTO(OFF) BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 0, OFF, 0)

/* The engines that a test can load programs for on this machine: 1 or 2. Index 1 is the JIT. */
#if defined(__riscv)
#define LOAD_ENGINES 2
#else
#define LOAD_ENGINES 1
#endif

static inline int try_load(bool jit, uint32_t type, struct ebpf_map *map,
                           const struct bpf_insn *insns, uint32_t cnt, struct ebpf_prog **out)
{
    struct ebpf_map *const maps[] = {map};
    struct ebpf_prog_spec spec = {.type = type,
                                  .insns = insns,
                                  .insn_cnt = cnt,
                                  .license = "GPL",
                                  .maps = maps,
                                  .map_cnt = map ? 1 : 0,
                                  .caps = EBPF_CAP_ALL,
                                  .name = "test"};
    int err;

    mock_no_code = !jit;
    err = ebpf_prog_load_unverified(&spec, out); /* engines are tested, not what programs may do */
    mock_no_code = false;
    return err;
}

static inline struct ebpf_prog *load_on(bool jit, struct ebpf_map *map,
                                        const struct bpf_insn *insns, uint32_t cnt)
{
    struct ebpf_prog *prog = NULL;

    CHECK_EQ(try_load(jit, BPF_PROG_TYPE_KPROBE, map, insns, cnt, &prog), 0);
    if (prog)
        CHECK_EQ(ebpf_prog_is_jited(prog), jit);
    return prog;
}

static inline uint64_t run(struct ebpf_prog *prog, void *ctx)
{
    uint64_t ret = 0;

    CHECK(ebpf_prog_run(prog, ctx, 0, &ret));
    return ret;
}

static inline struct ebpf_map *prog_array(uint32_t entries)
{
    const struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_PROG_ARRAY, .key_size = 4, .value_size = 4, .max_entries = entries};
    struct ebpf_map *map = NULL;

    CHECK_EQ(ebpf_map_create(&spec, &map), 0);
    return map;
}

static inline void put_prog(struct ebpf_prog *prog)
{
    if (prog)
        ebpf_obj_put(ebpf_prog_obj(prog));
}

static inline void put_map(struct ebpf_map *map)
{
    if (map)
        ebpf_obj_put(ebpf_map_obj(map));
}

#endif /* TESTS_UNIT_TAIL_UTIL_H */
