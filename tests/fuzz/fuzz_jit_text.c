/* SPDX-License-Identifier: MIT */
/* Programs as text: rows of BPF_RAW_INSN() that can be pasted into a test, and are read back. */
#include "tests/fuzz/fuzz_jit.h"

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

        fprintf(out, "BPF_RAW_INSN(0x%02x, %u, %u, %d, %d),%s\n", insn->code, insn->dst_reg, insn->src_reg,
                insn->off, insn->imm, note(insn));
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
        else if (sscanf(line, " BPF_RAW_INSN(%x, %u, %u, %d, %d)", &code, &dst, &src, &off, &imm) == 5 &&
                 prog->cnt < FUZZ_MAX_INSNS)
            prog->insns[prog->cnt++] = BPF_RAW_INSN(code, dst, src, (int16_t)off, imm);
        else
            ok = false;
    }
    if (file)
        fclose(file);
    return ok && prog->cnt;
}
