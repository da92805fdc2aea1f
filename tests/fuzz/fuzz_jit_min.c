/* SPDX-License-Identifier: MIT */
/*
 * Makes a failing program small: halves, quarters, ... single instructions are taken out, then
 * constants made simple, as long as what is left is safe and still fails. Nothing is random.
 */
#include "tests/fuzz/fuzz_jit.h"

struct minimiser {
    struct fuzz_prog *prog;
    struct fuzz_prog candidate;
    enum fuzz_verdict verdict;
    bool wild;
    unsigned tries;
};

/* Whatever is wrong with what an engine does: a crash may become a disagreement on the way. */
static bool as_bad(const struct minimiser *m, enum fuzz_verdict verdict)
{
    if (m->verdict == FUZZ_CRASH || m->verdict == FUZZ_DISAGREE)
        return verdict == FUZZ_CRASH || verdict == FUZZ_DISAGREE;
    return verdict == m->verdict;
}

/* Takes the candidate over if it fails. */
static bool try(struct minimiser *m)
{
    if (!m->tries)
        return false;
    m->tries--;
    if (!m->candidate.cnt || !as_bad(m, fuzz_apart(&m->candidate, m->wild)))
        return false;
    *m->prog = m->candidate;
    return true;
}

static uint32_t length(const struct fuzz_prog *prog, uint32_t at)
{
    return fuzz_is_imm64(&prog->insns[at]) && at + 1 < prog->cnt ? 2 : 1;
}

/* The candidate: without slots [from, to); jumps into them go to what follows. False: a jump
 * cannot. */
static bool cut(struct minimiser *m, uint32_t from, uint32_t to)
{
    const struct fuzz_prog *prog = m->prog;

    m->candidate.seed = prog->seed;
    m->candidate.cnt = prog->cnt - (to - from);
    memcpy(m->candidate.insns, prog->insns, from * sizeof(prog->insns[0]));
    memcpy(m->candidate.insns + from, prog->insns + to, (prog->cnt - to) * sizeof(prog->insns[0]));
    for (uint32_t i = 0; i < m->candidate.cnt; i += length(&m->candidate, i)) {
        struct bpf_insn *insn = &m->candidate.insns[i];
        uint32_t was = i < from ? i : i + (to - from);
        int64_t target;

        if (!fuzz_jumps(insn))
            continue;
        target = fuzz_target(insn, was);
        if (target >= (int64_t)to)
            target -= to - from;
        else if (target > (int64_t)from)
            target = from;
        if (!fuzz_set_target(insn, i, target))
            return false;
    }
    return true;
}

/* All cuts of len instructions; true: one was good. */
static bool cut_all(struct minimiser *m, uint32_t len)
{
    bool good = false;

    for (uint32_t from = 0; from < m->prog->cnt && m->tries;) {
        uint32_t to = from, next;

        for (uint32_t i = 0; i < len && to < m->prog->cnt; i++)
            to += length(m->prog, to);
        next = len == 1 ? to : from + (to - from);
        if (cut(m, from, to) && try(m))
            good = true;
        else
            from = next;
    }
    return good;
}

static bool simpler(struct minimiser *m, uint32_t at)
{
    static const int32_t simple[] = {0, 1, -1, 2};
    const struct bpf_insn was = m->prog->insns[at];
    bool store = BPF_CLASS(was.code) == BPF_STX && BPF_MODE(was.code) == BPF_ATOMIC;

    if (fuzz_jumps(&was) && BPF_SRC(was.code) == BPF_X)
        return false;
    for (unsigned i = 0; i < 4 && !store && !fuzz_is_gotol(&was) && !fuzz_is_call(&was); i++) {
        if (was.imm == simple[i])
            return false;
        m->candidate = *m->prog;
        m->candidate.insns[at].imm = simple[i];
        if (try(m))
            return true;
    }
    return false;
}

static bool simplify_all(struct minimiser *m)
{
    bool good = false;

    for (uint32_t at = 0; at < m->prog->cnt && m->tries; at++) {
        if (m->prog->insns[at].imm || fuzz_is_imm64(&m->prog->insns[at]))
            good |= simpler(m, at);
    }
    return good;
}

void fuzz_minimise(struct fuzz_prog *prog, enum fuzz_verdict verdict, bool wild, unsigned tries)
{
    static struct minimiser m;
    bool good = true;

    m.prog = prog;
    m.verdict = verdict;
    m.wild = wild;
    m.tries = tries;
    while (good && m.tries) {
        good = false;
        for (uint32_t len = prog->cnt / 2 ? prog->cnt / 2 : 1; len; len /= 2)
            good |= cut_all(&m, len);
        good |= simplify_all(&m);
    }
}
