/* SPDX-License-Identifier: MIT */
/* Misaligned accesses, where harts do them and where they trap. */
#include <ebpf/ebpf.h>

#include "src/core/load.h"
#include "tests/unit/insn.h"
#include "tests/unit/test.h"

#define R0 BPF_REG_0
#define R1 BPF_REG_1

static int load_misaligned(uint32_t flags, uint32_t caps, char log[4096])
{
    const struct bpf_insn insns[] = {BPF_LD_IMM64_RAW(R1, BPF_PSEUDO_MAP_IDX_VALUE, 0),
                                     BPF_LDX_MEM(BPF_W, R0, R1, 2), BPF_EXIT_INSN()};
    const struct ebpf_map_spec one = {
        .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1};
    struct ebpf_prog_spec spec = {.type = BPF_PROG_TYPE_XDP,
                                  .insns = insns,
                                  .insn_cnt = 4,
                                  .license = "GPL",
                                  .map_cnt = 1,
                                  .caps = caps,
                                  .flags = flags,
                                  .log_level = 1,
                                  .log_buf = log,
                                  .log_size = 4096};
    struct ebpf_prog *prog = NULL;
    struct ebpf_map *map = NULL;
    int err;

    CHECK_EQ(ebpf_map_create(&one, &map), 0);
    spec.maps = &map;
    err = ebpf_prog_load(&spec, &prog);
    if (prog)
        ebpf_obj_put(ebpf_prog_obj(prog));
    ebpf_obj_put(ebpf_map_obj(map));
    return err;
}

TEST(verifier_refuses_misaligned_accesses_where_harts_trap)
{
    const uint32_t any = BPF_F_ANY_ALIGNMENT, strict = BPF_F_STRICT_ALIGNMENT,
                   user = EBPF_CAP_ALL & ~EBPF_CAP_TRUST;
    static char log[4096];

    CHECK_EQ(load_misaligned(0, user, log), 0);
    CHECK_EQ(load_misaligned(any, user, log), 0);
    CHECK_EQ(load_misaligned(strict, user, log), -EACCES);
    CHECK_EQ(load_misaligned(strict | any, user, log), 0); /* Linux: the same */
    mock_traps_misaligned = true;
    CHECK_EQ(load_misaligned(0, EBPF_CAP_ALL, log), -EACCES);
    CHECK(strstr(log, "misaligned value access off 0+0+2 size 4") != NULL);
    CHECK_EQ(load_misaligned(any, user, log), -EPERM);
    CHECK_EQ(load_misaligned(any, EBPF_CAP_ALL, log), 0);
    mock_traps_misaligned = false;
}

/* So that what the verifier takes for aligned is. */
TEST(xdp_packets_of_test_runs_begin_where_the_verifier_thinks)
{
    const struct bpf_insn insns[] = {BPF_LDX_MEM(BPF_W, R0, R1, offsetof(struct xdp_md, data)),
                                     BPF_ALU64_IMM(BPF_AND, R0, 7), BPF_EXIT_INSN()};
    struct ebpf_prog_spec spec = {.type = BPF_PROG_TYPE_XDP,
                                  .insns = insns,
                                  .insn_cnt = 3,
                                  .license = "GPL",
                                  .caps = EBPF_CAP_ALL};
    uint8_t packet[64] = {0};
    union bpf_attr attr = {0};
    struct ebpf_prog *prog = NULL;

    REQUIRE(!ebpf_prog_load_unverified(&spec, &prog));
    attr.test.data_in = (uintptr_t)packet;
    attr.test.data_size_in = sizeof(packet);
    CHECK_EQ(ebpf_prog_test_run(prog, &attr), 0);
    CHECK_EQ(attr.test.retval, 2);
    ebpf_obj_put(ebpf_prog_obj(prog));
}
