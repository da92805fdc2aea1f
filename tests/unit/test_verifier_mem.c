/* SPDX-License-Identifier: MIT */
/* Loads, stores and atomic operations: for each region and each rule one access that is fine and
 * one that is not. */
#include "tests/unit/verify_middle.h"

#define R0 BPF_REG_0
#define R1 BPF_REG_1
#define R2 BPF_REG_2
#define R3 BPF_REG_3
#define R6 BPF_REG_6
#define R10 BPF_REG_10

static const struct ebpf_map_spec array48 = {
    .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 48, .max_entries = 1};

/* r1 to r5 point to the start of a map's value; the map. */
static struct ebpf_map *begin_value(struct middle *m, uint32_t flags)
{
    struct ebpf_map_spec spec = array48;
    struct ebpf_map *map;

    spec.flags = flags;
    middle_begin(m, BPF_PROG_TYPE_XDP, true);
    map = middle_map(m, 0, &spec);
    for (unsigned reg = R1; reg <= BPF_REG_5; reg++)
        middle_point(m, reg, EBPF_KIND_MAP_VALUE, map);
    return map;
}

static void offset(struct middle *m, unsigned reg, int off, uint64_t min, uint64_t max)
{
    struct ebpf_vreg *r = middle_reg(m, reg);

    r->off = off;
    r->var = any_scalar(64);
    r->var.full.umin = min;
    r->var.full.umax = max;
    CHECK(ebpf_scalar_sync(&r->var, 64));
}

#define REFUSED(m, insn, text)                       \
    do {                                             \
        CHECK_EQ(middle_step((m), (insn)), -EACCES); \
        CHECK_STR(middle_said(m), text);             \
    } while (0)

TEST(verifier_numbers_and_what_may_be_null_are_no_memory)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    middle_number(&m, R2, 0, 0);
    REFUSED(&m, BPF_LDX_MEM(BPF_W, R0, R2, 0), "R2 invalid mem access 'scalar'");
    middle_point(&m, R2, EBPF_KIND_MAP_VALUE, NULL)->flags = EBPF_REG_OR_NULL;
    REFUSED(&m, BPF_LDX_MEM(BPF_W, R0, R2, 0), "R2 invalid mem access 'map_value_or_null'");
    REFUSED(&m, BPF_ST_MEM(BPF_W, R2, 0, 0), "R2 invalid mem access 'map_value_or_null'");
    middle_point(&m, R2, EBPF_KIND_MEM, NULL)->flags = EBPF_REG_OR_NULL | EBPF_REG_RECORD;
    REFUSED(&m, BPF_LDX_MEM(BPF_W, R0, R2, 0), "R2 invalid mem access 'ringbuf_mem_or_null'");
    middle_point(&m, R2, EBPF_KIND_PACKET_END, NULL);
    REFUSED(&m, BPF_LDX_MEM(BPF_B, R0, R2, -1), "R2 invalid mem access 'pkt_end'");
    middle_point(&m, R2, EBPF_KIND_FUNC, NULL);
    REFUSED(&m, BPF_LDX_MEM(BPF_B, R0, R2, 0), "R2 invalid mem access 'func'");
    REFUSED(&m, BPF_LDX_MEM(BPF_W, R0, BPF_REG_9, 0), "R9 !read_ok");
    REFUSED(&m, BPF_STX_MEM(BPF_W, R10, BPF_REG_9, -4), "R9 !read_ok");
    middle_end(&m);
}

TEST(verifier_map_values_end_where_they_end)
{
    struct middle m;

    begin_value(&m, 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R0, R1, 40)), 0);
    CHECK_EQ(middle_reg(&m, R0)->kind, EBPF_KIND_SCALAR);
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_B, R1, 47, 1)), 0);
    REFUSED(&m, BPF_LDX_MEM(BPF_DW, R0, R1, 41),
            "R1 min value is outside of the allowed memory range");
    REFUSED(&m, BPF_ST_MEM(BPF_B, R1, 48, 1),
            "R1 min value is outside of the allowed memory range");
    REFUSED(&m, BPF_LDX_MEM(BPF_B, R0, R1, -1),
            "R1 min value is outside of the allowed memory range");
    offset(&m, R1, 0, 0, 40);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R0, R1, 0)), 0);
    REFUSED(&m, BPF_LDX_MEM(BPF_DW, R0, R1, 1),
            "R1 max value is outside of the allowed memory range");
    offset(&m, R1, -8, 8, 48);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R0, R1, 0)), 0);
    offset(&m, R1, 0, 0, 1 << 29);
    REFUSED(&m, BPF_LDX_MEM(BPF_B, R0, R1, 0),
            "R1 unbounded memory access, make sure to bounds check any such access");
    middle_reg(&m, R1)->var = any_scalar(64);
    REFUSED(&m, BPF_LDX_MEM(BPF_B, R0, R1, 0),
            "R1 min value is negative, either use unsigned index or do a if (index >=0) check.");
    middle_reg(&m, R1)->var = scalar_of(UINT64_MAX << 63, 64);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_B, R0, R1, 0)), -EACCES);
    middle_reg(&m, R1)->var = scalar_of(INT64_MAX, 64);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_B, R0, R1, 1)), -EACCES);
    middle_reg(&m, R1)->var = scalar_of(1ull << 32, 64);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_B, R0, R1, 1)), -EACCES);
    middle_end(&m);
}

TEST(verifier_loads_give_as_much_as_they_load)
{
    struct middle m;

    begin_value(&m, 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_B, R0, R1, 0)), 0);
    CHECK_EQ(middle_reg(&m, R0)->var.full.umax, 255);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEMSX(BPF_B, R0, R1, 0)), 0);
    CHECK_EQ(middle_reg(&m, R0)->var.full.smin, -128);
    CHECK_EQ(middle_reg(&m, R0)->var.full.smax, 127);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R0, R1, 0)), 0);
    CHECK_EQ(middle_reg(&m, R0)->var.full.umax, UINT64_MAX);
    REFUSED(&m, BPF_LDX_MEM(BPF_DW, R10, R1, 0), "frame pointer is read only");
    middle_end(&m);
}

TEST(verifier_maps_closed_to_programs_stay_closed)
{
    struct middle m;

    begin_value(&m, BPF_F_RDONLY_PROG);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_W, R0, R1, 0)), 0);
    REFUSED(&m, BPF_ST_MEM(BPF_W, R1, 0, 1),
            "write into map forbidden, value_size=48 off=0 size=4");
    REFUSED(&m, BPF_ATOMIC_OP(BPF_W, BPF_ADD, R1, R2, 0),
            "write into map forbidden, value_size=48 off=0 size=4");
    middle_end(&m);
    begin_value(&m, BPF_F_WRONLY_PROG);
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_W, R1, 0, 1)), 0);
    REFUSED(&m, BPF_LDX_MEM(BPF_W, R0, R1, 4),
            "read from map forbidden, value_size=48 off=4 size=4");
    REFUSED(&m, BPF_ATOMIC_OP(BPF_W, BPF_ADD, R1, R2, 0),
            "read from map forbidden, value_size=48 off=0 size=4");
    middle_end(&m);
}

TEST(verifier_frozen_values_are_known_numbers)
{
    uint32_t key = 0;
    uint8_t value[48] = {[0] = 0x80, [1] = 0x01, [8] = 0x7f};
    struct middle m;
    struct ebpf_map *map = begin_value(&m, BPF_F_RDONLY_PROG);

    CHECK_EQ(ebpf_map_update(map, &key, value, 0), 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_B, R0, R1, 0)), 0);
    /* not frozen: user mode may change it */
    CHECK(!ebpf_scalar_is_const(&middle_reg(&m, R0)->var));
    __atomic_store_n(&map->use, EBPF_MAP_FROZEN, __ATOMIC_RELEASE);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_H, R0, R1, 0)), 0);
    CHECK(ebpf_scalar_is_const(&middle_reg(&m, R0)->var));
    CHECK_EQ(middle_reg(&m, R0)->var.full.umin, 0x180);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEMSX(BPF_B, R0, R1, 0)), 0);
    CHECK_EQ(middle_reg(&m, R0)->var.full.smin, -128);
    CHECK(ebpf_scalar_is_const(&middle_reg(&m, R0)->var));
    offset(&m, R1, 0, 0, 8);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_B, R0, R1, 0)), 0);
    CHECK_EQ(middle_reg(&m, R0)->var.full.umax, 255);
    __atomic_store_n(&map->use, 0, __ATOMIC_RELEASE);
    middle_end(&m);
}

TEST(verifier_locks_and_timers_in_values_are_for_helpers_only)
{
    struct middle m;
    struct ebpf_map *map = begin_value(&m, 0);

    map->lock_off = 8;
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R0, R1, 0)), 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_W, R0, R1, 12)), 0);
    REFUSED(&m, BPF_LDX_MEM(BPF_B, R0, R1, 11),
            "bpf_spin_lock cannot be accessed directly by load/store");
    REFUSED(&m, BPF_ST_MEM(BPF_W, R1, 8, 0),
            "bpf_spin_lock cannot be accessed directly by load/store");
    offset(&m, R1, 0, 0, 8);
    REFUSED(&m, BPF_LDX_MEM(BPF_B, R0, R1, 0),
            "bpf_spin_lock cannot be accessed directly by load/store");
    offset(&m, R1, 0, 12, 40);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_B, R0, R1, 0)), 0);
    map->lock_off = -1;
    map->timer_off = 16;
    REFUSED(&m, BPF_LDX_MEM(BPF_B, R0, R1, 0),
            "bpf_timer cannot be accessed directly by load/store");
    offset(&m, R1, 0, 32, 40);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_B, R0, R1, 0)), 0);
    map->timer_off = -1;
    middle_end(&m);
}

TEST(verifier_packets_are_as_long_as_a_comparison_said)
{
    struct middle m;
    struct ebpf_vreg *reg;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    reg = middle_point(&m, R2, EBPF_KIND_PACKET, NULL);
    REFUSED(&m, BPF_LDX_MEM(BPF_B, R0, R2, 0), "R2 offset is outside of the packet");
    reg->range = 14;
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_B, R0, R2, 13)), 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_H, R0, R2, 12)), 0);
    REFUSED(&m, BPF_LDX_MEM(BPF_H, R0, R2, 13), "R2 offset is outside of the packet");
    REFUSED(&m, BPF_LDX_MEM(BPF_B, R0, R2, -1), "R2 offset is outside of the packet");
    reg->off = 4;
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_W, R0, R2, -4)), 0);
    REFUSED(&m, BPF_LDX_MEM(BPF_W, R0, R2, 8), "R2 offset is outside of the packet");
    middle_reg(&m, R2)->var.full.smin = -1;
    REFUSED(&m, BPF_LDX_MEM(BPF_B, R0, R2, 0),
            "R2 min value is negative, either use unsigned index or do a if (index >=0) check.");
    REFUSED(&m, BPF_ATOMIC_OP(BPF_W, BPF_ADD, R2, R1, 0),
            "BPF_ATOMIC stores into R2 pkt is not allowed");
    middle_end(&m);
    middle_begin(&m, BPF_PROG_TYPE_SOCKET_FILTER, true);
    middle_point(&m, R2, EBPF_KIND_PACKET, NULL)->range = 14;
    REFUSED(&m, BPF_ST_MEM(BPF_B, R2, 0, 0), "cannot write into packet");
    middle_end(&m);
}

TEST(verifier_strict_alignment_counts_the_link_layer_header)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    m.v.strict_align = true;
    middle_point(&m, R2, EBPF_KIND_PACKET, NULL)->range = 64;
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_W, R0, R2, 14)), 0); /* behind 14 bytes of Ethernet */
    REFUSED(&m, BPF_LDX_MEM(BPF_W, R0, R2, 12), "misaligned packet access off 2+0+0+12 size 4");
    middle_point(&m, R2, EBPF_KIND_MEM, NULL)->mem_size = 64;
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_W, R0, R2, 4)), 0);
    REFUSED(&m, BPF_LDX_MEM(BPF_W, R0, R2, 3), "misaligned access off 0+0+3 size 4");
    m.v.strict_align = false;
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_W, R0, R2, 3)), 0);
    middle_number(&m, R3, 0, 1);
    REFUSED(&m, BPF_ATOMIC_OP(BPF_W, BPF_ADD, R2, R3, 3), "misaligned access off 0+0+3 size 4");
    REFUSED(&m, BPF_STX_MEM(BPF_W, R10, R3, -7), "misaligned stack access off 0+0+-7 size 4");
    middle_end(&m);
}

TEST(verifier_contexts_have_the_fields_of_their_table)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_W, R0, R1, offsetof(struct xdp_md, ingress_ifindex))),
             0);
    CHECK_EQ(middle_reg(&m, R0)->kind, EBPF_KIND_SCALAR);
    CHECK_EQ(middle_reg(&m, R0)->var.full.umax, UINT32_MAX);
    REFUSED(&m, BPF_LDX_MEM(BPF_H, R0, R1, 12), "invalid bpf_context access off=12 size=2");
    REFUSED(&m, BPF_LDX_MEM(BPF_DW, R0, R1, offsetof(struct xdp_md, ingress_ifindex)),
            "invalid bpf_context access off=12 size=8");
    REFUSED(&m, BPF_LDX_MEM(BPF_W, R0, R1, sizeof(struct xdp_md)),
            "invalid bpf_context access off=24 size=4");
    REFUSED(&m, BPF_LDX_MEM(BPF_W, R0, R1, offsetof(struct xdp_md, egress_ifindex)),
            "invalid bpf_context access off=20 size=4"); /* but in a device map */
    m.prog.expected_attach_type = BPF_XDP_DEVMAP;
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_W, R0, R1, offsetof(struct xdp_md, egress_ifindex))),
             0);
    REFUSED(&m, BPF_LDX_MEM(BPF_W, R0, R1, -4), "invalid bpf_context access off=-4 size=4");
    REFUSED(&m, BPF_LDX_MEM(BPF_W, R0, R1, 13), "invalid bpf_context access off=13 size=4");
    REFUSED(&m, BPF_ST_MEM(BPF_W, R1, offsetof(struct xdp_md, ingress_ifindex), 1),
            "invalid bpf_context access off=12 size=4");
    REFUSED(&m, BPF_ATOMIC_OP(BPF_W, BPF_ADD, R1, R1, 12),
            "BPF_ATOMIC stores into R1 ctx is not allowed");
    middle_reg(&m, R1)->off = 4;
    REFUSED(&m, BPF_LDX_MEM(BPF_W, R0, R1, 8),
            "dereference of modified ctx ptr R1 off=4 disallowed");
    middle_reg(&m, R1)->off = -4;
    REFUSED(&m, BPF_LDX_MEM(BPF_W, R0, R1, 8), "negative offset ctx ptr R1 off=-4 disallowed");
    offset(&m, R1, 0, 0, 4);
    REFUSED(&m, BPF_LDX_MEM(BPF_W, R0, R1, 8), "variable ctx access var_off=(0x0; 0x7) disallowed");
    middle_end(&m);
}

TEST(verifier_parts_of_numbers_may_be_loaded_where_linux_does)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_SOCKET_FILTER, true);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_H, R0, R1, offsetof(struct __sk_buff, mark) + 2)), 0);
    CHECK_EQ(middle_reg(&m, R0)->var.full.umax, UINT16_MAX);
    REFUSED(&m, BPF_LDX_MEM(BPF_H, R0, R1, offsetof(struct __sk_buff, mark) + 1),
            "invalid bpf_context access off=9 size=2");
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_W, R1, offsetof(struct __sk_buff, cb[2]), 1)), 0);
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_H, R1, offsetof(struct __sk_buff, mark), 1)), -EACCES);
    middle_end(&m);
}

TEST(verifier_packet_fields_of_contexts_give_pointers)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_W, R0, R1, offsetof(struct xdp_md, data))), 0);
    CHECK_EQ(middle_reg(&m, R0)->kind, EBPF_KIND_PACKET);
    CHECK_EQ(middle_reg(&m, R0)->range, 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_W, R0, R1, offsetof(struct xdp_md, data_end))), 0);
    CHECK_EQ(middle_reg(&m, R0)->kind, EBPF_KIND_PACKET_END);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_W, R0, R1, offsetof(struct xdp_md, data_meta))), 0);
    CHECK_EQ(middle_reg(&m, R0)->kind, EBPF_KIND_PACKET_META);
    REFUSED(&m, BPF_LDX_MEM(BPF_H, R0, R1, 0), "invalid bpf_context access off=0 size=2");
    REFUSED(&m, BPF_LDX_MEMSX(BPF_W, R0, R1, 0), "invalid bpf_context access off=0 size=4");
    middle_end(&m);
}

TEST(verifier_contexts_without_a_table_are_as_long_as_they_are)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_KPROBE, true);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R0, R1, 8)), 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_B, R0, R1, (int16_t)(m.v.type->ctx_size - 1))), 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_B, R0, R1, (int16_t)m.v.type->ctx_size)), -EACCES);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_W, R0, R1, 2)), -EACCES);
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_DW, R1, 8, 0)), -EACCES);
    middle_end(&m);
}

TEST(verifier_one_instruction_goes_through_one_kind_of_context)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_KPROBE, true);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R0, R1, 8)), 0);
    middle_point(&m, R1, EBPF_KIND_MEM, NULL)->mem_size = 64;
    CHECK_EQ(ebpf_verify_load(&m.v, &m.insns[0]), -EINVAL);
    CHECK_STR(middle_said(&m), "same insn cannot be used with different pointers");
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R0, R1, 8)), 0);
    middle_stack(&m, R1, -16);
    CHECK_EQ(ebpf_verify_load(&m.v, &m.insns[0]), 0); /* plain memory both */
    middle_end(&m);
}

TEST(verifier_memory_that_is_only_read)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    middle_point(&m, R2, EBPF_KIND_MEM, NULL)->mem_size = 16;
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_DW, R2, 8, 0)), 0);
    REFUSED(&m, BPF_ST_MEM(BPF_DW, R2, 9, 0),
            "R2 min value is outside of the allowed memory range");
    middle_reg(&m, R2)->flags = EBPF_REG_RDONLY;
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R0, R2, 8)), 0);
    REFUSED(&m, BPF_ST_MEM(BPF_DW, R2, 8, 0), "R2 cannot write into rdonly_mem");
    middle_end(&m);
}

TEST(verifier_sockets_have_fields_that_are_loaded_only)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    middle_point(&m, R2, EBPF_KIND_SOCK, NULL);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_W, R0, R2, 4)), 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_B, R0, R2, 9)), 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_H, R0, R2, 48)), 0);
    REFUSED(&m, BPF_LDX_MEM(BPF_H, R0, R2, 50), "R2 invalid sock access off=50 size=2");
    REFUSED(&m, BPF_LDX_MEM(BPF_H, R0, R2, 16), "R2 invalid sock access off=16 size=2");
    REFUSED(&m, BPF_LDX_MEM(BPF_W, R0, R2, 80), "R2 invalid sock access off=80 size=4");
    REFUSED(&m, BPF_ST_MEM(BPF_W, R2, 4, 0), "R2 cannot write into sock");
    middle_point(&m, R2, EBPF_KIND_SOCK_COMMON, NULL);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_W, R0, R2, 4)), 0);
    REFUSED(&m, BPF_LDX_MEM(BPF_W, R0, R2, 8), "R2 invalid sock_common access off=8 size=4");
    middle_point(&m, R2, EBPF_KIND_TCP_SOCK, NULL);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R0, R2, 80)), 0);
    REFUSED(&m, BPF_LDX_MEM(BPF_DW, R0, R2, 96), "R2 invalid tcp_sock access off=96 size=8");
    middle_end(&m);
}

/* ---- the stack ------------------------------------------------------------------------------- */

TEST(verifier_stack_accesses_stay_in_the_frame)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_DW, R10, -512, 0)), 0);
    REFUSED(&m, BPF_ST_MEM(BPF_DW, R10, -520, 0), "invalid write to stack R10 off=-520 size=8");
    REFUSED(&m, BPF_ST_MEM(BPF_DW, R10, 8, 0), "invalid write to stack R10 off=8 size=8");
    REFUSED(&m, BPF_LDX_MEM(BPF_B, R0, R10, 0), "invalid read from stack R10 off=0 size=1");
    middle_stack(&m, R2, -1);
    REFUSED(&m, BPF_STX_MEM(BPF_DW, R2, R1, 0), "misaligned stack access off 0+-1+0 size 8");
    middle_reg(&m, R2)->var = scalar_of(1ull << 40, 64);
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_B, R2, 0, 0)), -EACCES);
    middle_end(&m);
}

TEST(verifier_uninitialised_stack_is_read_by_the_capable_only)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_W, R0, R10, -4)), 0);
    CHECK_EQ(middle_reg(&m, R0)->var.full.umax, UINT32_MAX);
    middle_end(&m);
    middle_begin(&m, BPF_PROG_TYPE_XDP, false);
    REFUSED(&m, BPF_LDX_MEM(BPF_W, R0, R10, -4), "invalid read from stack off -4+0 size 4");
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_H, R10, -4, 7)), 0);
    REFUSED(&m, BPF_LDX_MEM(BPF_W, R0, R10, -4), "invalid read from stack off -4+2 size 4");
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_H, R10, -2, 7)), 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_W, R0, R10, -4)), 0);
    middle_end(&m);
}

TEST(verifier_spills_come_back_and_keep_their_ids)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    middle_number(&m, R2, 0, 300);
    CHECK_EQ(middle_step(&m, BPF_STX_MEM(BPF_DW, R10, R2, -8)), 0);
    CHECK(middle_reg(&m, R2)->id != 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R0, R10, -8)), 0);
    CHECK_EQ(middle_reg(&m, R0)->id, middle_reg(&m, R2)->id);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_W, R0, R10, -8)), 0); /* no bit is lost */
    CHECK_EQ(middle_reg(&m, R0)->id, middle_reg(&m, R2)->id);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_B, R0, R10, -8)), 0);
    CHECK_EQ(middle_reg(&m, R0)->id, 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEMSX(BPF_H, R0, R10, -8)), 0);
    CHECK_EQ(middle_reg(&m, R0)->id, 0);
    CHECK_EQ(middle_reg(&m, R0)->var.full.umax, 300);
    middle_number(&m, R2, 0, 1ull << 32);
    CHECK_EQ(middle_step(&m, BPF_STX_MEM(BPF_W, R10, R2, -8)), 0); /* bits are lost */
    CHECK_EQ(middle_reg(&m, R2)->id, 0);
    CHECK_EQ(middle_step(&m, BPF_STX_MEM(BPF_DW, R10, R1, -16)), 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R0, R10, -16)), 0);
    CHECK_EQ(middle_reg(&m, R0)->kind, EBPF_KIND_CTX);
    REFUSED(&m, BPF_LDX_MEM(BPF_W, R0, R10, -16), "invalid size of register fill");
    REFUSED(&m, BPF_STX_MEM(BPF_W, R10, R1, -24), "invalid size of register spill");
    middle_end(&m);
}

TEST(verifier_the_strict_mode_keeps_pointers_whole)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, false);
    CHECK_EQ(middle_step(&m, BPF_STX_MEM(BPF_DW, R10, R1, -8)), 0);
    REFUSED(&m, BPF_ST_MEM(BPF_W, R10, -8, 0), "attempt to corrupt spilled pointer on stack");
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_DW, R10, -8, 0)), 0);
    middle_end(&m);
    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    CHECK_EQ(middle_step(&m, BPF_STX_MEM(BPF_DW, R10, R1, -8)), 0);
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_W, R10, -8, 0)), 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R0, R10, -8)), 0);
    CHECK_EQ(middle_reg(&m, R0)->kind, EBPF_KIND_SCALAR);
    middle_end(&m);
}

TEST(verifier_stores_at_unknown_stack_offsets_make_all_of_it_unknown)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    CHECK_EQ(middle_step(&m, BPF_STX_MEM(BPF_DW, R10, R1, -8)), 0);
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_DW, R10, -16, 5)), 0);
    CHECK_EQ(middle_step(&m, BPF_STX_MEM(BPF_DW, R10, R1, -24)), 0);
    middle_stack(&m, R2, 0);
    offset(&m, R2, -16, 0, 15);
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_B, R2, 0, 1)), 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R0, R10, -8)), 0);
    CHECK_EQ(middle_reg(&m, R0)->kind, EBPF_KIND_SCALAR);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R0, R10, -16)), 0);
    CHECK(!ebpf_scalar_is_const(&middle_reg(&m, R0)->var));
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R0, R10, -24)), 0);
    CHECK_EQ(middle_reg(&m, R0)->kind, EBPF_KIND_CTX); /* out of reach */
    offset(&m, R2, -16, 0, 16);
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_B, R2, 0, 1)), -EINVAL);
    offset(&m, R2, -513, 0, 16);
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_B, R2, 0, 1)), -EACCES);
    middle_reg(&m, R2)->var = any_scalar(64);
    REFUSED(&m, BPF_ST_MEM(BPF_B, R2, 0, 1), "invalid unbounded variable-offset write to stack R2");
    middle_end(&m);
    middle_begin(&m, BPF_PROG_TYPE_XDP, false);
    middle_stack(&m, R2, 0);
    offset(&m, R2, -16, 0, 15);
    REFUSED(&m, BPF_ST_MEM(BPF_B, R2, 0, 1),
            "R2 variable offset stack access prohibited for !root, var_off=(0x0; 0xf)");
    middle_end(&m);
}

TEST(verifier_zeros_at_unknown_offsets_leave_zeros)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_DW, R10, -8, 0)), 0);
    middle_stack(&m, R2, 0);
    offset(&m, R2, -8, 0, 7);
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_B, R2, 0, 0)), 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R0, R10, -8)), 0);
    CHECK(ebpf_scalar_is_const(&middle_reg(&m, R0)->var));
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_B, R2, 0, 1)), 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R0, R10, -8)), 0);
    CHECK(!ebpf_scalar_is_const(&middle_reg(&m, R0)->var));
    middle_end(&m);
}

TEST(verifier_a_function_does_not_put_its_stack_into_its_callers)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    CHECK_EQ(ebpf_vstate_push(&m.v.mem, &m.state, 1), 0);
    middle_stack(&m, R2, -8);
    middle_reg(&m, R2)->frame = 0;
    CHECK_EQ(middle_step(&m, BPF_STX_MEM(BPF_DW, R2, R10, 0)), -EINVAL);
    CHECK_STR(middle_said(&m), "cannot spill pointers to stack into stack frame of the caller");
    middle_point(&m, R3, EBPF_KIND_MAP_KEY, NULL); /* may be the helper's own variable */
    CHECK_EQ(middle_step(&m, BPF_STX_MEM(BPF_DW, R2, R3, 0)), -EINVAL);
    CHECK_EQ(middle_step(&m, BPF_STX_MEM(BPF_DW, R10, R3, -8)), 0);
    middle_point(&m, R3, EBPF_KIND_DYNPTR, NULL);
    CHECK_EQ(middle_step(&m, BPF_STX_MEM(BPF_DW, R2, R3, 0)), -EINVAL);
    middle_number(&m, R3, 7, 7);
    CHECK_EQ(middle_step(&m, BPF_STX_MEM(BPF_DW, R2, R3, 0)), 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R0, R2, 0)), 0);
    CHECK_EQ(middle_reg(&m, R0)->var.full.umin, 7);
    CHECK_EQ(m.state.frames[1]->slot_cnt, 1);
    middle_end(&m);
}

/* ---- atomics --------------------------------------------------------------------------------- */

TEST(verifier_atomics_fetch_what_a_load_would)
{
    struct middle m;

    begin_value(&m, 0);
    middle_number(&m, R6, 1, 1);
    CHECK_EQ(middle_step(&m, BPF_ATOMIC_OP(BPF_W, BPF_ADD | BPF_FETCH, R1, R6, 0)), 0);
    CHECK_EQ(middle_reg(&m, R6)->var.full.umax, UINT32_MAX);
    middle_number(&m, R6, 1, 1);
    CHECK_EQ(middle_step(&m, BPF_ATOMIC_OP(BPF_DW, BPF_ADD, R1, R6, 0)), 0);
    CHECK_EQ(middle_reg(&m, R6)->var.full.umax, 1);
    REFUSED(&m, BPF_ATOMIC_OP(BPF_DW, BPF_CMPXCHG, R1, R6, 0), "R0 !read_ok");
    middle_number(&m, R0, 0, 0);
    CHECK_EQ(middle_step(&m, BPF_ATOMIC_OP(BPF_DW, BPF_CMPXCHG, R1, R6, 0)), 0);
    CHECK_EQ(middle_reg(&m, R0)->var.full.umax, UINT64_MAX);
    REFUSED(&m, BPF_ATOMIC_OP(BPF_DW, BPF_XCHG, R1, R6, 41),
            "misaligned value access off 0+0+41 size 8");
    REFUSED(&m, BPF_ATOMIC_OP(BPF_DW, BPF_XCHG, R1, R6, 48),
            "R1 min value is outside of the allowed memory range");
    CHECK_EQ(middle_step(&m, BPF_ATOMIC_OP(BPF_DW, BPF_LOAD_ACQ, R0, R1, 0)), 0);
    CHECK_EQ(middle_step(&m, BPF_ATOMIC_OP(BPF_B, BPF_STORE_REL, R1, R6, 3)), 0);
    middle_point(&m, R2, EBPF_KIND_CTX, NULL);
    REFUSED(&m, BPF_ATOMIC_OP(BPF_W, BPF_LOAD_ACQ, R0, R2, 0),
            "BPF_ATOMIC loads from R2 ctx is not allowed");
    middle_end(&m);
}

TEST(verifier_atomics_break_spills)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    middle_number(&m, R6, 1, 1);
    CHECK_EQ(middle_step(&m, BPF_STX_MEM(BPF_DW, R10, R6, -8)), 0);
    CHECK_EQ(middle_step(&m, BPF_ATOMIC_OP(BPF_DW, BPF_ADD | BPF_FETCH, R10, R6, -8)), 0);
    CHECK_EQ(middle_reg(&m, R6)->var.full.umax, 1); /* what was there */
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R0, R10, -8)), 0);
    CHECK(!ebpf_scalar_is_const(&middle_reg(&m, R0)->var));
    CHECK_EQ(middle_step(&m, BPF_ATOMIC_OP(BPF_DW, BPF_XCHG, R1, R1, 0)), -EACCES);
    middle_stack(&m, R2, -8);
    CHECK_EQ(middle_step(&m, BPF_ATOMIC_OP(BPF_DW, BPF_XCHG, R2, R2, 0)), -EACCES);
    middle_end(&m);
    middle_begin(&m, BPF_PROG_TYPE_XDP, false);
    CHECK_EQ(middle_step(&m, BPF_STX_MEM(BPF_DW, R10, R1, -8)), 0);
    middle_number(&m, R6, 1, 1);
    CHECK_EQ(middle_step(&m, BPF_ATOMIC_OP(BPF_DW, BPF_ADD, R10, R6, -8)), -EACCES);
    REFUSED(&m, BPF_ATOMIC_OP(BPF_DW, BPF_ADD, R10, R1, -8), "R1 leaks addr into mem");
    middle_end(&m);
}

TEST(verifier_the_strict_mode_keeps_addresses_secret)
{
    struct middle m;
    struct ebpf_map *map = begin_value(&m, 0);

    m.v.may_leak = false;
    REFUSED(&m, BPF_STX_MEM(BPF_DW, R1, R10, 0), "R10 leaks addr into map");
    middle_point(&m, R2, EBPF_KIND_MEM, NULL)->mem_size = 8;
    REFUSED(&m, BPF_STX_MEM(BPF_DW, R2, R10, 0), "R10 leaks addr into mem");
    m.v.may_leak = true;
    CHECK_EQ(middle_step(&m, BPF_STX_MEM(BPF_DW, R1, R10, 0)), 0);
    CHECK(map != NULL);
    middle_end(&m);
}

TEST(verifier_legacy_packet_loads_need_the_context_in_r6)
{
    const struct bpf_insn abs = BPF_RAW_INSN(BPF_LD | BPF_ABS | BPF_B, 0, 0, 0, 12);
    const struct bpf_insn ind = BPF_RAW_INSN(BPF_LD | BPF_IND | BPF_W, 0, R2, 0, 0);
    struct ebpf_vref ref = {.id = 3, .insn = 1};
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_SOCKET_FILTER, true);
    REFUSED(&m, abs, "R6 !read_ok");
    middle_number(&m, R6, 0, 0);
    CHECK_EQ(middle_step(&m, abs), -EINVAL);
    CHECK_STR(middle_said(&m), "at the time of BPF_LD_ABS|IND R6 != pointer to skb");
    middle_point(&m, R6, EBPF_KIND_CTX, NULL);
    REFUSED(&m, ind, "R2 !read_ok");
    CHECK_EQ(middle_step(&m, abs), 0);
    CHECK_EQ(middle_reg(&m, R0)->var.full.umax, UINT64_MAX); /* as much as Linux knows */
    CHECK_EQ(middle_reg(&m, R1)->kind, EBPF_KIND_NOTHING);
    CHECK_EQ(middle_reg(&m, R6)->kind, EBPF_KIND_CTX);
    m.state.refs = &ref;
    m.state.ref_cnt = 1;
    CHECK_EQ(middle_step(&m, abs), -EINVAL);
    CHECK_STR(middle_said(&m), "BPF_LD_[ABS|IND] would lead to reference leak");
    m.state.refs = NULL;
    m.state.ref_cnt = 0;
    middle_end(&m);
    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    CHECK_EQ(middle_step(&m, abs), -EINVAL);
    CHECK_STR(middle_said(&m), "BPF_LD_[ABS|IND] instructions not allowed for this program type");
    middle_end(&m);
}
