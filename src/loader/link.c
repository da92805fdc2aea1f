/* SPDX-License-Identifier: MIT */
/* Static linking as libbpf does it: a program is its own function and, behind it, once each, every
 * function that can be reached from there; calls and function references become distances inside
 * that. */
#include "src/loader/loader.h"

#include "src/base/alloc.h"
#include "src/base/log.h"

/* The function that an instruction refers to, EBPF_LOADER_NONE: none. (The second slot of a
 * constant has code 0.) */
static uint32_t callee_of(const struct bpf_insn *insn)
{
    if ((insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL) ||
        (insn->code == (BPF_LD | BPF_IMM | BPF_DW) && insn->src_reg == BPF_PSEUDO_FUNC))
        return (uint32_t)insn->imm;
    return EBPF_LOADER_NONE;
}

static int check_func(const struct ebpf_object *obj, const struct ebpf_loader_func *func)
{
    if (func->err) {
        ebpf_log("%s", func->why);
        return func->err;
    }
    if (func->core_offset == EBPF_LOADER_NONE)
        return 0;
    ebpf_log("ebpf: elf: section .BTF.ext (%u) offset 0x%x: a function that is to be loaded needs "
             "CO-RE relocations, which are not supported",
             obj->btf_ext_section, func->core_offset);
    return -EOPNOTSUPP;
}

/* The functions of a link are a list in the order of their positions: it grows at its tail while
 * its head is read. Each is on it once, so recursion ends here (and is refused by those who check
 * programs). */
struct chain {
    struct ebpf_object *obj;
    uint32_t tail;
    uint32_t insn_cnt;
};

static int append(struct chain *chain, uint32_t index)
{
    struct ebpf_loader_func *func = &chain->obj->funcs[index];

    if (func->linked == chain->obj->links)
        return 0;
    if (func->insn_cnt > EBPF_CONFIG_MAX_INSNS - chain->insn_cnt) {
        ebpf_log("ebpf: object: a program with all that it calls has more than %u instructions",
                 EBPF_CONFIG_MAX_INSNS);
        return -E2BIG;
    }
    func->linked = chain->obj->links;
    func->position = chain->insn_cnt;
    func->next = EBPF_LOADER_NONE;
    if (chain->tail != EBPF_LOADER_NONE)
        chain->obj->funcs[chain->tail].next = index;
    chain->tail = index;
    chain->insn_cnt += func->insn_cnt;
    return check_func(chain->obj, func);
}

static int append_callees(struct chain *chain, const struct ebpf_loader_func *func)
{
    const struct bpf_insn *insns = chain->obj->insns + func->insns;
    int err = 0;

    for (uint32_t i = 0; !err && i < func->insn_cnt; i++) {
        uint32_t callee = callee_of(&insns[i]);

        if (callee != EBPF_LOADER_NONE)
            err = append(chain, callee);
    }
    return err;
}

/* RFC 9669, "Program-local functions": imm is the distance from the next instruction;
 * BPF_PSEUDO_FUNC counts from the slot behind its first one as well. */
static void copy_func(const struct ebpf_object *obj, const struct ebpf_loader_func *func,
                      struct bpf_insn *out)
{
    memcpy(out + func->position, obj->insns + func->insns, func->insn_cnt * sizeof(*out));
    for (uint32_t i = func->position; i < func->position + func->insn_cnt; i++) {
        uint32_t callee = callee_of(&out[i]);

        if (callee != EBPF_LOADER_NONE)
            out[i].imm = (int32_t)(obj->funcs[callee].position - (i + 1));
    }
}

int ebpf_loader_link(struct ebpf_object *obj, uint32_t func, struct bpf_insn **out,
                     uint32_t *insn_cnt)
{
    struct chain chain = {.obj = obj, .tail = EBPF_LOADER_NONE};
    int err;

    obj->links++;
    err = append(&chain, func);
    for (uint32_t f = func; !err && f != EBPF_LOADER_NONE; f = obj->funcs[f].next)
        err = append_callees(&chain, &obj->funcs[f]);
    if (err)
        return err;
    *out = ebpf_calloc(chain.insn_cnt, sizeof(**out));
    if (!*out)
        return -ENOMEM;
    for (uint32_t f = func; f != EBPF_LOADER_NONE; f = obj->funcs[f].next)
        copy_func(obj, &obj->funcs[f], *out);
    *insn_cnt = chain.insn_cnt;
    return 0;
}
