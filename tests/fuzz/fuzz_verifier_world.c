/* SPDX-License-Identifier: MIT */
/* The verifier fuzzer's maps and packets. */
#include "maps/map.h"
#include "tests/fuzz/fuzz_verifier.h"

const struct ebpf_map_spec vf_specs[VF_MAPS] = {
    [VF_ARRAY] = {BPF_MAP_TYPE_ARRAY, 4, 48, 4, 0, "array", 0},
    [VF_HASH] = {BPF_MAP_TYPE_HASH, 8, 16, 16, 0, "hash", 0},
    [VF_RING] = {BPF_MAP_TYPE_RINGBUF, 0, 0, VF_RING_SIZE, 0, "ring", 0},
    [VF_RODATA] = {BPF_MAP_TYPE_ARRAY, 4, 32, 1, BPF_F_RDONLY_PROG, "rodata", 0},
    [VF_GLOBAL] = {BPF_MAP_TYPE_ARRAY, 4, 64, 1, 0, "global", 0},
    [VF_LRU] = {BPF_MAP_TYPE_LRU_HASH, 4, 24, 8, 0, "lru", 0},
};
struct ebpf_map *vf_maps[VF_MAPS];

static void die(const char *what)
{
    fprintf(stderr, "fuzz-verifier: cannot create %s\n", what);
    exit(2);
}

void vf_world_init(void)
{
    uint8_t constants[32];
    uint32_t zero = 0;

    if (ebpf_init())
        die("a library");
    for (unsigned i = 0; i < VF_MAPS; i++) {
        if (ebpf_map_create(&vf_specs[i], &vf_maps[i]))
            die(vf_specs[i].name);
    }
    for (unsigned i = 0; i < sizeof(constants); i++)
        constants[i] = (uint8_t)(i * 3);
    if (ebpf_map_update(vf_maps[VF_RODATA], &zero, constants, 0))
        die("constants");
    vf_maps[VF_RODATA]->use = EBPF_MAP_FROZEN;
}

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

static int ignore(void *ctx, void *data, size_t size)
{
    (void)ctx, (void)data, (void)size;
    return 0;
}

/* Which maps does prog name? A bit for each. */
static uint32_t maps_of(const struct fuzz_prog *prog)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < prog->cnt; i++) {
        const struct bpf_insn *insn = &prog->insns[i];

        if (fuzz_is_imm64(insn) && (uint32_t)insn->imm < VF_MAPS)
            used |= 1u << insn->imm;
    }
    return used;
}

void vf_world_reset(const struct fuzz_prog *prog, unsigned n, struct vf_packet *packet)
{
    static const uint32_t lengths[] = {14, 15, 16, 18, 20, 24, 32, 34, 48, 64, 100, 256};
    static uint8_t *room;
    struct fuzz_random rnd;
    uint8_t value[64];
    uint32_t used = maps_of(prog);

    fuzz_seed(&rnd, prog->seed * 16 + n);
    ebpf_ringbuf_consume(vf_maps[VF_RING], ignore, NULL);
    for (uint32_t m = 0; m < VF_MAPS; m++) {
        bool hash = m == VF_HASH || m == VF_LRU;

        if (m == VF_RING || m == VF_RODATA || !(used & 1u << m))
            continue;
        for (uint64_t key = 0; key < vf_specs[m].max_entries; key++) {
            fill(&rnd, value, vf_specs[m].value_size);
            if (hash && fuzz_below(&rnd, 2))
                ebpf_map_delete(vf_maps[m], &key);
            else
                ebpf_map_update(vf_maps[m], &key, value, 0);
        }
    }
    free(room);
    packet->len = lengths[fuzz_below(&rnd, sizeof(lengths) / sizeof(lengths[0]))];
    packet->data = room = malloc(packet->len);
    if (!room)
        die("a packet");
    fill(&rnd, packet->data, packet->len);
}
