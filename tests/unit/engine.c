/* SPDX-License-Identifier: MIT */
/* See engine.h. */
#include "tests/unit/engine.h"

#include "src/base/alloc.h"

bool engine_code(const struct bpf_insn *insns, uint32_t cnt, struct ebpf_code *code)
{
    int err;

    memset(code, 0, sizeof(*code));
    code->insns = (struct bpf_insn *)(uintptr_t)insns;
    code->insn_cnt = cnt;
    err = ebpf_code_check(code, NULL, true, EBPF_CAP_ALL);
    if (err)
        test_fail(__FILE__, __LINE__, "the structural check refuses the test's program: %d", err);
    return !err;
}

void engine_code_free(struct ebpf_code *code)
{
    ebpf_free(code->subprogs, code->subprog_cnt * sizeof(*code->subprogs));
}

void engine_encode(const struct ebpf_code *code)
{
    uint64_t here = (uint64_t)(uintptr_t)&engine_encode & ~15ull;
    const uint64_t bases[] = {0,    0x80200000,       0xffffffff80000000, 0x3f00000000,
                              here, here + (1 << 20), here - (3ull << 30)};

    for (unsigned i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        size_t len = 0, again = 0;
        uint8_t *buf;
        int err = ebpf_jit_encode(code, bases[i], NULL, 0, &len);

        CHECK_EQ(err, -ENOSPC);
        if (err != -ENOSPC)
            return;
        buf = malloc(len);
        CHECK_EQ(ebpf_jit_encode(code, bases[i], buf, len, &again), 0);
        CHECK_EQ(again, len);
        free(buf);
    }
}

static bool run_jit(const struct ebpf_code *code, void *ctx, uint64_t *r0)
{
    struct ebpf_jit_image image = {0};
    union {
        void *mem;
        uint64_t (*fn)(void *ctx, struct ebpf_run *run);
    } entry;
    struct ebpf_run run = {.cpu = ebpf_os_cpu_id()};
    int err = ebpf_jit_compile(code, &image);

#if defined(__riscv)
    CHECK_EQ(err, 0);
#else
    CHECK_EQ(err, -EOPNOTSUPP);
    engine_encode(code);
#endif
    if (err)
        return false;
    CHECK(image.len <= image.size);
    entry.mem = image.mem;
    *r0 = entry.fn(ctx, &run);
    ebpf_jit_free(&image);
    CHECK(image.mem == NULL);
    return true;
}

bool engine_run_code(enum engine engine, const struct ebpf_code *code, void *ctx, uint64_t *r0)
{
    if (engine == ENGINE_JIT)
        return run_jit(code, ctx, r0);
    *r0 = ebpf_interp(code, ctx);
    return true;
}

bool engine_run(enum engine engine, const struct bpf_insn *insns, uint32_t cnt, void *ctx,
                uint64_t *r0)
{
    struct ebpf_code code;
    bool ran = engine_code(insns, cnt, &code) && engine_run_code(engine, &code, ctx, r0);

    engine_code_free(&code);
    return ran;
}

void engine_expect(const char *file, int line, const char *name, uint64_t want, void *ctx,
                   const struct bpf_insn *insns, uint32_t cnt)
{
    static const char *const names[] = {"interpreter", "JIT"};

    for (enum engine engine = ENGINE_INTERP; engine < ENGINES; engine++) {
        uint64_t got = ~want;

        if (engine_run(engine, insns, cnt, ctx, &got) && got != want)
            test_fail(file, line, "%s on the %s: r0 is 0x%llx, expected 0x%llx", name,
                      names[engine], (unsigned long long)got, (unsigned long long)want);
    }
}
