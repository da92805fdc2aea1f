/* SPDX-License-Identifier: MIT */
/*
 * Calls. Arguments are where C wants them (lower.h); a helper's result comes in a0, a function's of the program in r0's
 * register. By reach (struct rv_place): 0, 1: jal; 2: auipc, jalr; 3 (helpers only): li, jalr.
 */
#include "helpers/helper.h"
#include "jit/rv64/lower.h"

/* jalr's hint for return-address stacks: rd = ra and rs1 neither ra nor t0 is a call. */
static void call_absolute(struct rv_jit *j, uint64_t target)
{
    int64_t lo = rv_lo((int64_t)target);

    ebpf_rv_li(&j->as, T1, target - (uint64_t)lo);
    rv_jalr(&j->as, RA, lo, T1);
}

static void call_distance(struct rv_jit *j, int64_t distance, unsigned reach)
{
    if (reach < 2) {
        rv_jal(&j->as, RA, distance);
        return;
    }
    rv_auipc(&j->as, T1, rv_hi(distance));
    ebpf_rv_emit_wide(&j->as, rv_i(0, 0x67, RA, T1, rv_lo(distance))); /* jalr, of one length for any distance */
}

static void call_helper(struct rv_jit *j, const struct ebpf_helper *helper)
{
    uint64_t target = (uint64_t)(uintptr_t)helper->fn;
    int64_t distance = (int64_t)(target - j->base - j->as.pos);
    uint32_t start = j->as.pos;
    unsigned reach = 3;

    if (!j->anywhere && ebpf_rv_auipc_reaches(distance))
        reach = rv_fits(distance, 21) ? 0 : 2;
    reach = ebpf_rv_reach(j, reach);
    if (reach == 3)
        call_absolute(j, target);
    else
        call_distance(j, distance, reach);
    ebpf_rv_leave_room(j, start);
    rv_mv(&j->as, ebpf_rv_reg(j, BPF_REG_0), A0);
}

/* The function that starts at a slot: they are sorted. insn_cnt: there is none. */
static uint32_t find_subprog(const struct ebpf_code *code, int64_t start)
{
    uint32_t low = 0, high = code->subprog_cnt;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (code->subprogs[middle].start < start)
            low = middle + 1;
        else
            high = middle;
    }
    return low < code->subprog_cnt && code->subprogs[low].start == start ? low : code->insn_cnt;
}

static void call_subprog(struct rv_jit *j, uint32_t subprog)
{
    int64_t distance = ebpf_rv_entry_distance(j, subprog);

    call_distance(j, distance, ebpf_rv_reach(j, ebpf_rv_near(j, distance, 21) ? 0 : 2));
}

void ebpf_rv_lower_call(struct rv_jit *j, const struct bpf_insn *insn)
{
    const struct ebpf_helper *helper;
    uint32_t subprog;

    if (insn->src_reg == BPF_PSEUDO_CALL) {
        subprog = find_subprog(j->code, (int64_t)j->index + 1 + insn->imm);
        if (subprog == j->code->insn_cnt)
            ebpf_rv_unknown(j);
        else
            call_subprog(j, subprog);
        return;
    }
    helper = insn->src_reg ? NULL : ebpf_helper_find((uint32_t)insn->imm);
    if (helper)
        call_helper(j, helper);
    else
        ebpf_rv_unknown(j);
}
