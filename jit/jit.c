/* SPDX-License-Identifier: MIT */
/*
 * Compiling a program: working memory, code memory, the two and how they are given back. What the bytes are is decided
 * in rv64/. Working memory is 4 bytes for each instruction slot, 12 for each function, and the encoded program.
 */
#include "jit/jit.h"

#include "jit/rv64/lower.h"
#include "src/base/alloc.h"

static void fini(struct rv_jit *j)
{
    ebpf_free(j->frames, j->code->subprog_cnt * sizeof(*j->frames));
    ebpf_free(j->places, j->code->insn_cnt * sizeof(*j->places));
}

/* Positions start from a guess that no program undercuts by much: what a pass finds replaces it. */
static int init(struct rv_jit *j, const struct ebpf_code *code)
{
    memset(j, 0, sizeof(*j));
    j->code = code;
    if (!code->insn_cnt || code->insn_cnt > EBPF_CONFIG_MAX_INSNS || code->subprog_cnt > code->insn_cnt)
        return -E2BIG;
    j->places = ebpf_calloc(code->insn_cnt, sizeof(*j->places));
    j->frames = ebpf_calloc(code->subprog_cnt, sizeof(*j->frames));
    if (!j->places || !j->frames) {
        fini(j);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < code->insn_cnt; i++)
        j->places[i].half = i & ((1u << 30) - 1);
    for (uint32_t f = 0; f < code->subprog_cnt; f++) {
        ebpf_rv_frame_plan(code, &code->subprogs[f], &j->frames[f]);
        j->frames[f].entry = 2 * code->subprogs[f].start;
    }
    return 0;
}

int ebpf_jit_encode(const struct ebpf_code *code, uint64_t base, uint8_t *buf, size_t cap, size_t *len)
{
    struct rv_jit j;
    int err = init(&j, code);

    if (err)
        return err;
    j.base = base;
    err = ebpf_rv_relax(&j);
    if (err)
        goto fini;
    *len = j.as.pos;
    if (cap < *len) {
        err = -ENOSPC;
        goto fini;
    }
    j.as.buf = buf;
    j.as.cap = cap;
    ebpf_rv_pass(&j);
    err = j.changed ? -ERANGE : j.as.err;
fini:
    fini(&j);
    return err;
}

#if defined(__riscv) && __riscv_xlen == 64

/* How long the code is at most, wherever it will be. */
static int measure(const struct ebpf_code *code, size_t *size)
{
    struct rv_jit j;
    int err = init(&j, code);

    if (err)
        return err;
    j.anywhere = true;
    err = ebpf_rv_relax(&j);
    *size = j.as.pos;
    fini(&j);
    return err;
}

int ebpf_jit_compile(const struct ebpf_code *code, struct ebpf_jit_image *out)
{
    struct ebpf_jit_image image = {0};
    uint8_t *buf;
    size_t size;
    int err = measure(code, &size);

    if (err)
        return err;
    buf = ebpf_alloc(size);
    if (!buf)
        return -ENOMEM;
    err = -EOPNOTSUPP;
    image.size = size;
    image.mem = ebpf_os_code_alloc(size);
    if (!image.mem)
        goto free_buf;
    err = ebpf_jit_encode(code, (uint64_t)(uintptr_t)image.mem, buf, size, &image.len);
    if (!err)
        err = ebpf_os_text_write(image.mem, buf, image.len);
    if (err)
        ebpf_jit_free(&image);
    else
        *out = image;
free_buf:
    ebpf_free(buf, size);
    return err;
}

#else

int ebpf_jit_compile(const struct ebpf_code *code, struct ebpf_jit_image *out)
{
    (void)code;
    (void)out;
    return -EOPNOTSUPP;
}

#endif

void ebpf_jit_free(struct ebpf_jit_image *image)
{
    if (image->mem)
        ebpf_os_code_free(image->mem, image->size);
    memset(image, 0, sizeof(*image));
}
