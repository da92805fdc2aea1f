/* SPDX-License-Identifier: MIT */
/* The verifier fuzzer's maps, packets and contexts; what a run leaves of them. */
#include "helpers/helper.h"
#include "maps/map.h"
#include "maps/ringbuf.h"
#include "tests/fuzz/fuzz_verifier.h"

const struct ebpf_map_spec vf_specs[VF_ALL_MAPS] = {
    [VF_ARRAY] = {BPF_MAP_TYPE_ARRAY, 4, 48, 4, 0, "array", 0},
    [VF_HASH] = {BPF_MAP_TYPE_HASH, 8, 16, 16, 0, "hash", 0},
    [VF_RING] = {BPF_MAP_TYPE_RINGBUF, 0, 0, VF_RING_SIZE, 0, "ring", 0},
    [VF_RODATA] = {BPF_MAP_TYPE_ARRAY, 4, 32, 1, BPF_F_RDONLY_PROG, "rodata", 0},
    [VF_GLOBAL] = {BPF_MAP_TYPE_ARRAY, 4, 64, 1, 0, "global", 0},
    [VF_LRU] = {BPF_MAP_TYPE_LRU_HASH, 4, 24, 8, 0, "lru", 0},
    [VF_PERCPU] = {BPF_MAP_TYPE_PERCPU_ARRAY, 4, 32, 2, 0, "percpu", 0},
    [VF_QUEUE] = {BPF_MAP_TYPE_QUEUE, 0, 16, 4, 0, "queue", 0},
    [VF_OUTER] = {BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 2, 0, "outer", 0},
    [VF_LOCKED] = {BPF_MAP_TYPE_ARRAY, 4, 32, 2, 0, "locked", 0},
    [VF_PROGS] = {BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4, 0, "progs", 0},
    [VF_FILTERS] = {BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4, 0, "filters", 0},
    [VF_USER_RING] = {BPF_MAP_TYPE_USER_RINGBUF, 0, 0, VF_RING_SIZE, 0, "user_ring", 0},
    [VF_INNER] = {BPF_MAP_TYPE_ARRAY, 4, 48, 4, 0, "inner", 0},
};
struct ebpf_map *vf_maps[VF_ALL_MAPS];

static void die(const char *what)
{
    fprintf(stderr, "fuzz-verifier: cannot create %s\n", what);
    exit(2);
}

/* ---- random numbers, the same for the machine and the engines -------------------------------- */

static struct fuzz_random prandom;

/* Takes the place of helpers/random.c, whose numbers nobody can ask for twice. */
static uint64_t get_prandom_u32(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)
{
    (void)r1, (void)r2, (void)r3, (void)r4, (void)r5;
    return (uint32_t)fuzz_value(&prandom);
}

extern const struct ebpf_helper ebpf_helper_get_prandom_u32;
const struct ebpf_helper ebpf_helper_get_prandom_u32 = {
    .name = "get_prandom_u32",
    .fn = get_prandom_u32,
};

/* ---- targets of tail calls ------------------------------------------------------------------- */

static struct fuzz_prog targets[3];

const struct fuzz_prog *vf_target(uint32_t type, uint32_t index)
{
    if (index == 2) /* calls itself, until there are too many; its array is of its own type */
        targets[2].insns[0].imm = type == BPF_PROG_TYPE_XDP ? VF_PROGS : VF_FILTERS;
    return index < 3 ? &targets[index] : NULL;
}

static void make_targets(void)
{
    static const struct bpf_insn constant[] = {BPF_MOV64_IMM(0, 7), BPF_EXIT_INSN()};
    static const struct bpf_insn counts[] = {
        BPF_RAW_INSN(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_IDX_VALUE, 0, VF_GLOBAL),
        BPF_RAW_INSN(0, 0, 0, 0, 8),
        BPF_LDX_MEM(BPF_DW, 0, 1, 0),
        BPF_ALU64_IMM(BPF_ADD, 0, 1),
        BPF_STX_MEM(BPF_DW, 1, 0, 0),
        BPF_EXIT_INSN()};
    static const struct bpf_insn again[] = {
        BPF_RAW_INSN(BPF_LD | BPF_IMM | BPF_DW, 2, BPF_PSEUDO_MAP_IDX, 0, VF_PROGS),
        BPF_RAW_INSN(0, 0, 0, 0, 0),
        BPF_MOV64_IMM(3, 2),
        BPF_EMIT_CALL(12),
        BPF_MOV64_IMM(0, 9),
        BPF_EXIT_INSN()};

    memcpy(targets[0].insns, constant, sizeof(constant));
    memcpy(targets[1].insns, counts, sizeof(counts));
    memcpy(targets[2].insns, again, sizeof(again));
    targets[0].cnt = sizeof(constant) / sizeof(constant[0]);
    targets[1].cnt = sizeof(counts) / sizeof(counts[0]);
    targets[2].cnt = sizeof(again) / sizeof(again[0]);
}

static void fill_progs(uint32_t type, struct ebpf_map *array)
{
    struct ebpf_prog_spec spec = {.type = type,
                                  .license = "GPL",
                                  .maps = vf_maps,
                                  .map_cnt = VF_MAPS,
                                  .caps = EBPF_CAP_BPF | EBPF_CAP_PERFMON | EBPF_CAP_NET_ADMIN,
                                  .name = "target"};

    for (uint32_t i = 0; i < 3; i++) {
        const struct fuzz_prog *target = vf_target(type, i);
        struct ebpf_prog *prog;

        spec.insns = target->insns;
        spec.insn_cnt = target->cnt;
        if (ebpf_prog_load(&spec, &prog) || ebpf_map_set_prog(array, i, prog))
            die("the target of a tail call");
    }
}

/* ---- start ----------------------------------------------------------------------------------- */

static void create(unsigned i)
{
    struct ebpf_map_spec spec = vf_specs[i];

    if (i == VF_OUTER)
        spec.inner = vf_maps[VF_INNER];
    if (i == VF_LOCKED) {
        spec.btf = vf_types;
        spec.btf_key_type_id = VF_TYPE_KEY;
        spec.btf_value_type_id = VF_TYPE_LOCKED;
    }
    if (ebpf_map_create(&spec, &vf_maps[i]))
        die(vf_specs[i].name);
}

void vf_world_init(void)
{
    uint8_t constants[32];
    uint32_t zero = 0;
    size_t size;
    const void *btf = vf_btf(&size);

    if (ebpf_init() || ebpf_btf_load(btf, size, &vf_types))
        die("a library");
    for (unsigned i = VF_ALL_MAPS; i-- > 0;)
        create(i);
    for (unsigned i = 0; i < sizeof(constants); i++)
        constants[i] = (uint8_t)(i * 3);
    constants[31] = 0; /* also a string */
    if (ebpf_map_update(vf_maps[VF_RODATA], &zero, constants, 0) ||
        ebpf_map_set_map(vf_maps[VF_OUTER], &zero, vf_maps[VF_INNER], 0))
        die("constants");
    vf_maps[VF_RODATA]->use = EBPF_MAP_FROZEN;
    make_targets();
    fill_progs(BPF_PROG_TYPE_XDP, vf_maps[VF_PROGS]);
    fill_progs(BPF_PROG_TYPE_SOCKET_FILTER, vf_maps[VF_FILTERS]);
}

/* ---- inputs ---------------------------------------------------------------------------------- */

/* Numbers near the edges, at any place, with some bytes all ones. */
static void fill(struct fuzz_random *rnd, void *mem, size_t size)
{
    uint8_t *bytes = mem;

    for (size_t i = 0; i < size; i += 8) {
        uint64_t how = fuzz_next(rnd), value = fuzz_value(rnd), ones = 0;
        unsigned by = 8 * (how >> 56 & 7);

        value = by ? value << by | value >> (64 - by) : value;
        for (unsigned byte = 0; byte < 8; byte++)
            ones |= (how >> 2 * byte & 3) ? 0 : 0xffull << 8 * byte;
        value |= ones;
        memcpy(bytes + i, &value, size - i < 8 ? size - i : 8);
    }
}

/* Which maps does prog use? A bit for each. */
static uint32_t maps_of(const struct fuzz_prog *prog)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < prog->cnt; i++) {
        const struct bpf_insn *insn = &prog->insns[i];

        if (fuzz_is_imm64(insn) && (uint32_t)insn->imm < VF_MAPS)
            used |= 1u << insn->imm;
    }
    if (used & (1u << VF_PROGS | 1u << VF_FILTERS))
        used |= 1u << VF_GLOBAL;
    return used | (used & 1u << VF_OUTER ? 1u << VF_INNER : 0);
}

static void reset_ring(struct ebpf_map *map)
{
    struct ebpf_ringbuf *ring = ebpf_ringbuf_of(map);

    memset(ring->data, 0, ring->size);
    ring->produced = ring->pending = ring->consumed = *ring->consumer_pos = *ring->producer_pos = 0;
}

static void reset_map(unsigned m, struct fuzz_random *rnd)
{
    bool hash = m == VF_HASH || m == VF_LRU;
    uint8_t value[EBPF_CONFIG_MAX_CPUS * 64];

    if (m == VF_RING || m == VF_USER_RING)
        reset_ring(vf_maps[m]);
    for (uint64_t key = 0; m == VF_USER_RING && key < 2; key++) {
        fill(rnd, value, 24);
        ebpf_user_ringbuf_post(vf_maps[m], value, 16 + (uint32_t)key * 8);
    }
    while (m == VF_QUEUE && !ebpf_map_lookup_and_delete(vf_maps[m], NULL, value))
        ;
    if (m == VF_RODATA || m == VF_OUTER || m == VF_PROGS || m == VF_FILTERS || m == VF_RING ||
        m == VF_USER_RING)
        return;
    for (uint64_t key = 0; hash && !ebpf_map_next_key(vf_maps[m], NULL, &key);)
        ebpf_map_delete(vf_maps[m], &key);
    for (uint64_t key = 0; key < vf_specs[m].max_entries; key++) {
        fill(rnd, value, ebpf_map_value_size(vf_maps[m]));
        if (!(hash || m == VF_QUEUE) || fuzz_below(rnd, 2))
            ebpf_map_update(vf_maps[m], m == VF_QUEUE ? NULL : &key, value, 0);
    }
}

#define HEADROOM (EBPF_XDP_FRAME + 32u)
#define META 8u
#define TAILROOM 32u

static void reset_packet(uint32_t type, struct fuzz_random *rnd, struct vf_input *in)
{
    static const uint32_t lengths[] = {14, 15, 16, 18, 20, 24, 32, 34, 48, 64, 100, 256};
    uint32_t len = lengths[fuzz_below(rnd, sizeof(lengths) / sizeof(lengths[0]))];
    bool xdp = type == BPF_PROG_TYPE_XDP;

    free(in->mem);
    free(in->old);
    in->old = NULL;
    in->mem_size = xdp ? HEADROOM + META + len + TAILROOM : len;
    in->mem = malloc(in->mem_size);
    if (!in->mem)
        die("a packet");
    fill(rnd, in->mem, in->mem_size);
    fill(rnd, &in->ctx, sizeof(in->ctx));
    if (xdp) {
        in->ctx.xdp.hard_start = in->mem;
        in->ctx.xdp.data_meta = in->mem + HEADROOM;
        in->ctx.xdp.data = in->mem + HEADROOM + META;
        in->ctx.xdp.data_end = in->ctx.xdp.data + len;
        in->ctx.xdp.hard_end = in->mem + in->mem_size;
    } else if (type == BPF_PROG_TYPE_SOCKET_FILTER) {
        in->ctx.skb.data = in->mem + EBPF_ETH_HLEN;
        in->ctx.skb.len = len - EBPF_ETH_HLEN;
    }
}

void vf_world_reset(const struct fuzz_prog *prog, unsigned n, struct vf_input *input)
{
    uint32_t used = maps_of(prog);
    struct fuzz_random rnd;

    fuzz_seed(&rnd, prog->seed * 16 + n);
    fuzz_seed(&prandom, prog->seed * 16 + n + 7);
    for (unsigned m = 0; m < VF_ALL_MAPS; m++) {
        if (used & 1u << m)
            reset_map(m, &rnd);
    }
    reset_packet(vf_type(prog->seed), &rnd, input);
}

/* ---- outcomes -------------------------------------------------------------------------------- */

static uint64_t fold(uint64_t sum, const void *mem, size_t size)
{
    const uint8_t *bytes = mem;

    for (size_t i = 0; i < size; i++)
        sum = (sum ^ bytes[i]) * 0x100000001b3ull;
    return sum;
}

static int fold_record(void *ctx, void *data, size_t size)
{
    uint64_t *sum = ctx;

    *sum = fold(*sum + size, data, size);
    return 0;
}

bool vf_is_value(const struct ebpf_map *map, const void *value)
{
    for (uint32_t key = 0; key < map->max_entries; key++) {
        if (map->ops->lookup((struct ebpf_map *)map, &key) == value)
            return true;
    }
    return false;
}

/* Whatever the order of its elements is. */
static uint64_t fold_map(struct ebpf_map *map)
{
    uint8_t value[EBPF_CONFIG_MAX_CPUS * 64];
    uint64_t key, sum = 0;

    for (int err = ebpf_map_next_key(map, NULL, &key); !err;
         err = ebpf_map_next_key(map, &key, &key)) {
        if (!ebpf_map_lookup(map, &key, value))
            sum += fold(fold(1, &key, map->key_size), value, ebpf_map_value_size(map));
    }
    return sum;
}

static uint64_t save_map(unsigned m)
{
    struct ebpf_map *map = vf_maps[m];
    uint8_t value[16];
    uint64_t sum = 0;

    if (m == VF_RING)
        ebpf_ringbuf_consume(map, fold_record, &sum);
    else if (m == VF_USER_RING)
        sum = ebpf_ringbuf_of(map)->consumed;
    else if (m == VF_QUEUE)
        while (!ebpf_map_lookup_and_delete(map, NULL, value))
            sum = fold(sum + 1, value, sizeof(value));
    else if (m != VF_OUTER && m != VF_PROGS && m != VF_FILTERS)
        sum = fold_map(map);
    return sum;
}

void vf_world_save(const struct fuzz_prog *prog, const struct vf_input *input, uint64_t r0,
                   struct vf_outcome *out)
{
    uint32_t used = maps_of(prog), type = vf_type(prog->seed);
    struct vf_input in = *input;

    memset(out, 0, sizeof(*out));
    out->r0 = r0;
    for (unsigned m = 0; m < VF_ALL_MAPS; m++)
        out->maps[m] = used & 1u << m ? save_map(m) : 0;
    if (type == BPF_PROG_TYPE_XDP) {
        out->len = (uint32_t)(in.ctx.xdp.data_end - in.ctx.xdp.data_meta);
        out->packet = fold((uint64_t)(in.ctx.xdp.data - in.mem), in.ctx.xdp.data_meta, out->len);
        in.ctx.xdp.data = in.ctx.xdp.data_end = in.ctx.xdp.data_meta = NULL;
        in.ctx.xdp.hard_start = in.ctx.xdp.hard_end = NULL;
    } else {
        out->packet = fold(0, in.mem, in.mem_size);
        if (type == BPF_PROG_TYPE_SOCKET_FILTER)
            in.ctx.skb.data = NULL;
    }
    out->ctx = fold(0, &in.ctx, sizeof(in.ctx));
}
