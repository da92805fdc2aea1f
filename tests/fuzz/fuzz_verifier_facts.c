/* SPDX-License-Identifier: MIT */
/*
 * Facts (struct ebpf_fact) are there while a program is loaded only: the compiler's call is theirs,
 * too (ld's --wrap), so that they can be copied and held against what the program then does.
 */
#include "helpers/helper.h"
#include "jit/jit.h"
#include "maps/map.h"
#include "tests/fuzz/fuzz_verifier.h"

static struct ebpf_fact facts[FUZZ_MAX_INSNS];
static struct ebpf_map *maps[VF_MAPS];

int __real_ebpf_jit_compile(const struct ebpf_code *code, struct ebpf_jit_image *out);
int __wrap_ebpf_jit_compile(const struct ebpf_code *code, struct ebpf_jit_image *out);

int __wrap_ebpf_jit_compile(const struct ebpf_code *code, struct ebpf_jit_image *out)
{
    if (code->facts && code->insn_cnt <= FUZZ_MAX_INSNS)
        memcpy(facts, code->facts, code->insn_cnt * sizeof(facts[0]));
    for (uint32_t i = 0; i < code->map_cnt && i < VF_MAPS; i++)
        maps[i] = code->maps[i];
    return __real_ebpf_jit_compile(code, out);
}

/* A lookup or a tail call: its map, and its key. */
static const char *wrong_call(const struct ebpf_fact *fact, const struct bpf_insn *insn,
                              const uint64_t *regs)
{
    const struct ebpf_helper *helper = ebpf_helper_find((uint32_t)insn->imm);
    uint64_t map = (uintptr_t)maps[fact->map];
    bool named = false;
    uint32_t key;

    for (unsigned i = 0; i < 5; i++)
        named |= helper->arg[i] == ARG_MAP && regs[i + 1] == map;
    if (fact->flags & EBPF_FACT_MAP && !named)
        return "the map is another one";
    if (!(fact->flags & (EBPF_FACT_KEY | EBPF_FACT_INSIDE)))
        return NULL;
    if (insn->imm == EBPF_HELPER_TAIL_CALL)
        key = (uint32_t)regs[3];
    else
        memcpy(&key, (const void *)(uintptr_t)regs[2], sizeof(key));
    if (fact->flags & EBPF_FACT_KEY && key != (uint32_t)fact->value)
        return "the key is another one";
    return key < maps[fact->map]->max_entries ? NULL : "the key is not in the array";
}

const char *vf_wrong_before(const struct bpf_insn *insn, uint32_t at, const uint64_t *regs)
{
    const struct ebpf_fact *fact = &facts[at];

    if (!(fact->flags & EBPF_FACT_REACHED))
        return "it is said to be dead";
    if (fact->flags & EBPF_FACT_OPERAND && regs[insn->src_reg] != (uint64_t)(int64_t)fact->value)
        return "its operand is another one";
    if (fact->flags & (EBPF_FACT_MAP | EBPF_FACT_KEY | EBPF_FACT_INSIDE))
        return wrong_call(fact, insn, regs);
    return NULL;
}

const char *vf_wrong_after(const struct bpf_insn *insn, uint32_t at, const uint64_t *regs)
{
    const struct ebpf_fact *fact = &facts[at];

    if (fact->flags & EBPF_FACT_RESULT && regs[insn->dst_reg] != (uint64_t)(int64_t)fact->value)
        return "its result is another one";
    if (fact->flags & EBPF_FACT_SMALL && regs[insn->dst_reg] > INT32_MAX)
        return "its result is not small";
    return NULL;
}
