/* SPDX-License-Identifier: MIT */
#include "tests/unit/verify_util.h"

#include "src/base/alloc.h"

void verify_run(struct verify *t, const struct bpf_insn *insns, uint32_t count)
{
    const struct ebpf_caller caller = {.caps = EBPF_CAP_ALL, .kernel = true};
    struct ebpf_load_log log;
    struct ebpf_prog prog = {
        .type = ebpf_prog_type_find(t->type ? t->type : BPF_PROG_TYPE_SOCKET_FILTER),
        .caps = t->caps ? t->caps : EBPF_CAP_ALL,
        .load_flags = t->flags};
    uint32_t size;

    t->log[0] = 0;
    t->err = ebpf_load_log_init(&log, &caller, t->level ? t->level : EBPF_LOG_STATS,
                                (uint64_t)(uintptr_t)t->log, sizeof(t->log));
    CHECK_EQ(t->err, 0);
    prog.code.log = prog.load_log = &log;
    prog.code.insns = ebpf_memdup(insns, count * sizeof(*insns));
    prog.code.insn_cnt = count;
    t->err = prog.code.insns ? ebpf_code_check(&prog.code, prog.type, true, prog.caps) : -ENOMEM;
    if (!t->err)
        t->err = ebpf_verify(&prog);
    CHECK(ebpf_load_log_fini(&log, &size) == 0);
    ebpf_free(prog.code.facts, count * sizeof(*prog.code.facts));
    ebpf_code_fini(&prog.code);
}

void verify_accept(const char *file, int line, const struct bpf_insn *insns, uint32_t count)
{
    static struct verify t;

    t = (struct verify){.err = 0};
    verify_run(&t, insns, count);
    if (t.err)
        test_fail(file, line, "refused with %d:\n%s", t.err, t.log);
}

static void reject(const char *file, int line, const struct bpf_insn *insns, uint32_t count,
                   int err, const char *text, uint32_t caps)
{
    static struct verify t;

    t = (struct verify){.caps = caps};
    verify_run(&t, insns, count);
    if (t.err != err || !strstr(t.log, text))
        test_fail(file, line, "%d instead of %d with \"%s\":\n%s", t.err, err, text, t.log);
}

void verify_reject(const char *file, int line, const struct bpf_insn *insns, uint32_t count,
                   int err, const char *text)
{
    reject(file, line, insns, count, err, text, EBPF_CAP_ALL);
}

void verify_reject_strict(const char *file, int line, const struct bpf_insn *insns, uint32_t count,
                          int err, const char *text)
{
    reject(file, line, insns, count, err, text, EBPF_CAP_ALL & ~EBPF_CAP_PERFMON);
}
