/* SPDX-License-Identifier: MIT */
/* Programs as text: rows of BPF_RAW_INSN() that can be pasted into a test, and are read back. And
 * what all parts share: jumps, and numbers near the edges. */
#include "tests/fuzz/fuzz_jit.h"

uint64_t fuzz_value(struct fuzz_random *r)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     2,
                                     0x7f,
                                     0x80,
                                     0xff,
                                     0x7fe,
                                     0x7ff,
                                     0x800,
                                     0x801,
                                     0xfff,
                                     0x1000,
                                     0x7fff,
                                     0x8000,
                                     0xffff,
                                     0x7ffff7ff,
                                     0x7ffff800,
                                     0x7fffffff,
                                     0x80000000,
                                     0x80000001,
                                     0xfffff7ff,
                                     0xfffff800,
                                     0xffffffff,
                                     0x100000000,
                                     0x100000001,
                                     INT64_MAX,
                                     1ull << 63,
                                     UINT64_MAX,
                                     0x8000000000000001,
                                     0x7fffffff7fffffff,
                                     0xff00ff00ff00ff00,
                                     0x00ff00ff00ff00ff};
    uint64_t v = edges[fuzz_below(r, sizeof(edges) / sizeof(edges[0]))];

    switch (fuzz_below(r, 8)) {
    case 0:
    case 1:
        return v;
    case 2:
        return 0 - v;
    case 3:
        return v + fuzz_below(r, 5) - 2;
    case 4:
        return (uint64_t)1 << fuzz_below(r, 64);
    case 5:
        return ((uint64_t)1 << fuzz_below(r, 64)) - 1;
    case 6:
        return fuzz_below(r, 70);
    default:
        return fuzz_next(r) >> fuzz_below(r, 64);
    }
}

bool fuzz_jumps(const struct bpf_insn *insn)
{
    unsigned cls = BPF_CLASS(insn->code), op = BPF_OP(insn->code);

    if (op == BPF_EXIT || (op == BPF_CALL && !fuzz_is_call(insn)))
        return false;
    return cls == BPF_JMP || cls == BPF_JMP32;
}

static bool in_imm(const struct bpf_insn *insn)
{
    return fuzz_is_gotol(insn) || fuzz_is_call(insn);
}

int64_t fuzz_target(const struct bpf_insn *insn, uint32_t at)
{
    return (int64_t)at + 1 + (in_imm(insn) ? insn->imm : insn->off);
}

bool fuzz_set_target(struct bpf_insn *insn, uint32_t at, int64_t target)
{
    int64_t distance = target - at - 1;

    if (in_imm(insn)) {
        insn->imm = (int32_t)distance;
        return true;
    }
    insn->off = (int16_t)distance;
    return distance == insn->off;
}

static const char *note(const struct bpf_insn *insn)
{
    if (!fuzz_is_imm64(insn))
        return "";
    switch (insn->src_reg) {
    case FUZZ_SRC_MAP:
        return " /* map */";
    case FUZZ_SRC_VALUE:
        return " /* value of map */";
    case FUZZ_SRC_BUFFER:
        return " /* buffer + imm */";
    default:
        return "";
    }
}

void fuzz_print(FILE *out, const struct fuzz_prog *prog)
{
    fprintf(out, "seed %llu\n", (unsigned long long)prog->seed);
    for (uint32_t i = 0; i < prog->cnt; i++) {
        const struct bpf_insn *insn = &prog->insns[i];

        fprintf(out, "BPF_RAW_INSN(0x%02x, %u, %u, %d, %d),%s\n", insn->code, insn->dst_reg,
                insn->src_reg, insn->off, insn->imm, note(insn));
    }
}

bool fuzz_read(const char *path, struct fuzz_prog *prog)
{
    FILE *file = fopen(path, "r");
    char line[256];
    bool ok = file != NULL;

    prog->cnt = 0;
    prog->seed = 0;
    while (ok && fgets(line, sizeof(line), file)) {
        unsigned code, dst, src;
        unsigned long long seed;
        int off, imm;

        if (line[0] == '#' || line[0] == '\n')
            continue;
        if (sscanf(line, "seed %llu", &seed) == 1)
            prog->seed = seed;
        else if (sscanf(line, " BPF_RAW_INSN(%x, %u, %u, %d, %d)", &code, &dst, &src, &off, &imm) ==
                     5 &&
                 prog->cnt < FUZZ_MAX_INSNS)
            prog->insns[prog->cnt++] = BPF_RAW_INSN(code, dst, src, (int16_t)off, imm);
        else
            ok = false;
    }
    if (file)
        fclose(file);
    return ok && prog->cnt;
}
