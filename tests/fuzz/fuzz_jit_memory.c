/* SPDX-License-Identifier: MIT */
/* What programs of the fuzzer work on: a buffer, a context, five maps; see fuzz_jit.h. */
#include "tests/fuzz/fuzz_jit.h"

#include <sys/mman.h>

#include "maps/map.h"

#define GUARD 65536u /* more than any displacement */

uint8_t *fuzz_buffer, *fuzz_ctx;
struct ebpf_map *fuzz_maps[FUZZ_MAPS];

const struct ebpf_map_spec fuzz_specs[FUZZ_MAPS] = {
    [FUZZ_ARRAY] = {BPF_MAP_TYPE_ARRAY, 4, 48, 5, 0, "array"},
    [FUZZ_PERCPU] = {BPF_MAP_TYPE_PERCPU_ARRAY, 4, 24, 3, 0, "percpu"},
    [FUZZ_HASH] = {BPF_MAP_TYPE_HASH, 4, 16, 8, 0, "hash"},
    [FUZZ_HASH2] = {BPF_MAP_TYPE_HASH, 12, 40, 4, 0, "hash2"},
    [FUZZ_GLOBAL] = {BPF_MAP_TYPE_ARRAY, 4, FUZZ_GLOBAL_SIZE, 1, 0, "global"},
};

/* A number that each run gives again, where nothing else is: programs may take the address as
 * data. */
#if defined(__riscv)
#define PLACE 0x2f00000000ul
#else
#define PLACE 0x200000000000ul
#endif

static void die(const char *what)
{
    perror(what);
    exit(2);
}

void fuzz_memory_init(void)
{
    uint8_t *mem =
        mmap((void *)PLACE, 2 * GUARD + 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (mem == MAP_FAILED || mprotect(mem + GUARD, 4096, PROT_READ | PROT_WRITE))
        die("buffer");
    fuzz_buffer = mem + GUARD + 4096 - FUZZ_BUFFER;
    fuzz_ctx = mem + GUARD;
    for (unsigned i = 0; i < FUZZ_MAPS; i++) {
        if (ebpf_map_create(&fuzz_specs[i], &fuzz_maps[i]))
            die("map");
    }
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 31;
    x *= 0x7fb5d329728ea185ull;
    x ^= x >> 27;
    x *= 0x81dadef4bc2dd44dull;
    return x ^ x >> 33;
}

/* Words, some of them at the edges. */
static void fill(uint8_t *to, size_t size, uint64_t seed)
{
    static const uint64_t edges[8] = {
        0, 1, UINT64_MAX, 0x80000000, 0x8000000000000000, 0x7fffffff, 0xffffffff, 0xff};

    for (size_t i = 0; i < size; i += 8) {
        uint64_t x = mix(seed + i * 0x9e3779b97f4a7c15ull),
                 word = x & 7 ? x >> (x & 63) : edges[x >> 3 & 7];

        memcpy(to + i, &word, size - i < 8 ? size - i : 8);
    }
}

static void reset_maps(uint64_t seed)
{
    uint8_t key[16], value[64];

    for (unsigned m = 0; m < FUZZ_MAPS; m++) {
        const struct ebpf_map_spec *spec = &fuzz_specs[m];
        bool hash = spec->type == BPF_MAP_TYPE_HASH;

        while (hash && !ebpf_map_next_key(fuzz_maps[m], NULL, key))
            ebpf_map_delete(fuzz_maps[m], key);
        for (uint32_t k = 0; k < (hash ? 3 : spec->max_entries); k++) {
            memset(key, 0, sizeof(key));
            key[0] = (uint8_t)k;
            fill(value, sizeof(value), seed + 977 * m + 13 * k);
            if (ebpf_map_update(fuzz_maps[m], key, value, 0))
                die("update");
        }
    }
}

void fuzz_memory_reset(uint64_t seed, bool maps)
{
    fill(fuzz_buffer, FUZZ_BUFFER, seed);
    fill(fuzz_ctx, FUZZ_CTX, seed ^ 0x5555);
    if (maps)
        reset_maps(seed);
}

static void save_array(unsigned map, uint8_t *to)
{
    uint32_t size = ebpf_map_value_size(fuzz_maps[map]);

    for (uint32_t k = 0; k < fuzz_specs[map].max_entries; k++)
        ebpf_map_lookup(fuzz_maps[map], &k, to + k * size);
}

static void save_hash(unsigned map, uint64_t *sum, uint64_t *cnt)
{
    uint8_t key[16] = {0}, value[64] = {0};
    bool first = true;

    while (!ebpf_map_next_key(fuzz_maps[map], first ? NULL : key, key) && *cnt < 100) {
        uint64_t h = 0;

        first = false;
        ebpf_map_lookup(fuzz_maps[map], key, value);
        for (size_t i = 0; i < sizeof(key); i++)
            h = mix(h + key[i] + 1);
        for (size_t i = 0; i < sizeof(value); i++)
            h = mix(h + value[i] + 1);
        *sum += h;
        ++*cnt;
    }
}

void fuzz_state_save(struct fuzz_state *state, uint64_t r0, bool maps)
{
    memset(state, 0, sizeof(*state));
    state->r0 = r0;
    memcpy(state->buffer, fuzz_buffer, FUZZ_BUFFER);
    memcpy(state->ctx, fuzz_ctx, FUZZ_CTX);
    if (!maps)
        return;
    save_array(FUZZ_ARRAY, state->array);
    save_array(FUZZ_PERCPU, state->percpu);
    save_array(FUZZ_GLOBAL, state->global);
    save_hash(FUZZ_HASH, &state->hash_sum[0], &state->hash_cnt[0]);
    save_hash(FUZZ_HASH2, &state->hash_sum[1], &state->hash_cnt[1]);
}

static void say_bytes(const char *what, const uint8_t *a, const uint8_t *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (a[i] != b[i]) {
            printf("  %s[%zu] is 0x%02x, expected 0x%02x\n", what, i, b[i], a[i]);
            return;
        }
    }
}

bool fuzz_state_equal(const struct fuzz_state *a, const struct fuzz_state *b, bool quiet)
{
    if (!memcmp(a, b, sizeof(*a)))
        return true;
    if (quiet)
        return false;
    if (a->r0 != b->r0)
        printf("  r0 is 0x%llx, expected 0x%llx\n", (unsigned long long)b->r0,
               (unsigned long long)a->r0);
    say_bytes("buffer", a->buffer, b->buffer, FUZZ_BUFFER);
    say_bytes("context", a->ctx, b->ctx, FUZZ_CTX);
    say_bytes("array", a->array, b->array, sizeof(a->array));
    say_bytes("per-CPU array", a->percpu, b->percpu, sizeof(a->percpu));
    say_bytes("global", a->global, b->global, sizeof(a->global));
    for (unsigned i = 0; i < 2; i++) {
        if (a->hash_sum[i] != b->hash_sum[i])
            printf("  hash %u differs: %llu elements, expected %llu\n", i,
                   (unsigned long long)b->hash_cnt[i], (unsigned long long)a->hash_cnt[i]);
    }
    return false;
}

bool fuzz_uses_maps(const struct fuzz_prog *prog)
{
    for (uint32_t i = 0; i < prog->cnt; i++) {
        const struct bpf_insn *insn = &prog->insns[i];

        if (fuzz_is_imm64(insn) &&
            (insn->src_reg == FUZZ_SRC_MAP || insn->src_reg == FUZZ_SRC_VALUE))
            return true;
    }
    return false;
}

void fuzz_resolve(const struct fuzz_prog *prog, struct bpf_insn *out)
{
    memcpy(out, prog->insns, prog->cnt * sizeof(*out));
    for (uint32_t i = 0; i + 1 < prog->cnt; i++) {
        struct bpf_insn *insn = &out[i];
        unsigned src = insn->src_reg, map = (unsigned)insn->imm % FUZZ_MAPS;
        uint64_t addr = 0;

        if (!fuzz_is_imm64(insn))
            continue;
        i++;
        if (src == FUZZ_SRC_MAP) {
            insn->src_reg = BPF_PSEUDO_MAP_FD;
            ebpf_insn_set_imm64(insn, (uintptr_t)fuzz_maps[map]);
        } else if (src == FUZZ_SRC_VALUE) {
            insn->src_reg = BPF_PSEUDO_MAP_VALUE;
            if (fuzz_maps[FUZZ_GLOBAL]->ops->value_addr(fuzz_maps[FUZZ_GLOBAL], 0, &addr))
                die("value_addr");
            ebpf_insn_set_imm64(insn, addr + (uint32_t)insn[1].imm);
        } else if (src == FUZZ_SRC_BUFFER) {
            insn->src_reg = 0;
            ebpf_insn_set_imm64(insn, (uintptr_t)fuzz_buffer + (uint64_t)(int64_t)insn->imm);
        }
    }
}
