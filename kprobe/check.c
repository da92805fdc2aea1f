/* SPDX-License-Identifier: MIT */
/*
 * Which addresses may be probed. The instruction must start where a walk from the start of its
 * function finds a boundary, be RV64GC, and be none that a trap in front of it would break.
 * Everything here is T, under the mutex.
 */
#include <ebpf/errno.h>
#include <ebpf/os.h>

#include "kprobe/kprobe.h"
#include "src/base/bits.h"
#include "src/base/log.h"
#include "src/base/text.h"

#define MAX_EXCLUDED 16
/* Unprivileged ISA, "Eventual Success of Store-Conditional Instructions": at most 16 instructions
 * in an LR/SC loop */
#define LRSC_WINDOW 16

static struct {
    uint64_t start, end;
} excluded[MAX_EXCLUDED];
static unsigned excluded_count;

static int refuse(int err, uint64_t addr, const struct ebpf_symbol *in, const char *why)
{
    ebpf_log("ebpf: no probe at 0x%llx: %s (%s+0x%llx)", (unsigned long long)addr, why, in->name,
             (unsigned long long)(addr - in->addr));
    return err;
}

/* The half-word at addr as the compiler left it: an armed point covers its first 2 bytes, or 4 with
 * ebreak. */
static uint16_t original_half(uint64_t addr)
{
    const struct ebpf_kprobe_point *point = ebpf_kprobe_find(addr);

    if (point)
        return (uint16_t)point->insn.raw;
    point = ebpf_kprobe_find(addr - 2);
    if (point && point->insn.len == 4)
        return (uint16_t)(point->insn.raw >> 16);
    return *(const volatile uint16_t *)(uintptr_t)addr;
}

/* The instruction at pc, or its first half where the function ends behind that. */
static uint32_t original_insn(uint64_t pc, uint64_t end)
{
    uint32_t raw = original_half(pc);

    if (ebpf_rv_length((uint16_t)raw) > 2 && end - pc >= 4)
        raw |= (uint32_t)original_half(pc + 2) << 16;
    return raw;
}

/* Only what the walk needs to know: EBPF_RV_LR, EBPF_RV_SC, or anything else. */
static unsigned kind_of(uint32_t raw)
{
    struct ebpf_rv_insn insn;

    if ((raw & 0x7f) != 0x2f) /* the AMO opcode */
        return EBPF_RV_SLOT;
    ebpf_rv_decode(raw, &insn);
    return insn.kind;
}

/* Walks from the function's start to addr: is it a boundary, and is an lr open there? */
static int walk_to(uint64_t addr, const struct ebpf_symbol *in, bool *open_lr)
{
    uint64_t end = in->addr + in->size, pc = in->addr;
    unsigned since_lr = LRSC_WINDOW;

    while (pc < addr) {
        uint32_t raw = original_insn(pc, end);
        unsigned len = ebpf_rv_length((uint16_t)raw), kind = kind_of(raw);

        if (!len)
            return refuse(-EILSEQ, addr, in,
                          "the function has an instruction of unknown length before it");
        if (kind == EBPF_RV_LR)
            since_lr = 0;
        else if (kind == EBPF_RV_SC)
            since_lr = LRSC_WINDOW;
        else if (since_lr < LRSC_WINDOW)
            since_lr++;
        pc += len;
    }
    if (pc != addr)
        return refuse(-EILSEQ, addr, in, "it is inside an instruction");
    *open_lr = since_lr < LRSC_WINDOW;
    return 0;
}

/* Does an sc come after addr before the next lr? Then the lr may stand in another symbol or further
 * back. */
static bool sc_follows(uint64_t addr, const struct ebpf_symbol *in)
{
    uint64_t end = in->addr + in->size;

    for (unsigned i = 0; i <= LRSC_WINDOW && end - addr >= 2; i++) {
        uint32_t raw = original_insn(addr, end);
        unsigned len = ebpf_rv_length((uint16_t)raw), kind = kind_of(raw);

        if (kind == EBPF_RV_SC || kind == EBPF_RV_LR)
            return kind == EBPF_RV_SC;
        if (!len || len > end - addr)
            return false;
        addr += len;
    }
    return false;
}

static const char *kind_refused(unsigned kind)
{
    static const char *const why[] = {
        [EBPF_RV_LR] = "it is lr: a trap would break the reservation",
        [EBPF_RV_SC] = "it is sc: a trap would break the reservation",
        [EBPF_RV_BREAK] = "it is a breakpoint already, and not ours",
        [EBPF_RV_TRAP_RETURN] = "it returns from a trap",
        [EBPF_RV_TRAP_CSR] = "it uses a CSR that the probe's own trap overwrites",
    };

    return kind < EBPF_ARRAY_SIZE(why) ? why[kind] : NULL;
}

static int check_insn(uint64_t addr, const struct ebpf_symbol *in, struct ebpf_rv_insn *insn)
{
    uint64_t left = in->addr + in->size - addr;
    struct ebpf_kprobe_point *before = ebpf_kprobe_find(addr - 2);

    if (left < 2)
        return refuse(-EILSEQ, addr, in, "the function ends inside the instruction");
    ebpf_rv_decode(original_insn(addr, addr + left), insn);
    if (insn->kind == EBPF_RV_ILLEGAL)
        return refuse(-EILSEQ, addr, in, "it is not an RV64GC instruction");
    if (insn->len > left)
        return refuse(-EILSEQ, addr, in, "the function ends inside the instruction");
    /* only where two symbols disagree about the boundaries */
    if ((before && before->insn.len == 4) || (insn->len == 4 && ebpf_kprobe_find(addr + 2)))
        return refuse(-EILSEQ, addr, in, "another probe's instruction overlaps it");
    return 0;
}

static bool in_excluded(uint64_t addr, unsigned len)
{
    for (unsigned i = 0; i < excluded_count; i++) {
        if (addr < excluded[i].end && addr + len > excluded[i].start)
            return true;
    }
    return false;
}

static int find_symbol(uint64_t addr, struct ebpf_symbol *in)
{
    int err = ebpf_os_symbol_at(addr, in);

    /* the hook's answer must contain what it was asked for, or the walk would leave the text */
    if (!err && addr >= in->addr && addr - in->addr < in->size && in->size <= UINT64_MAX - in->addr)
        return 0;
    ebpf_log("ebpf: no probe at 0x%llx: it is in no known function", (unsigned long long)addr);
    return -ENOENT;
}

int ebpf_kprobe_validate(uint64_t addr, struct ebpf_rv_insn *insn)
{
    struct ebpf_symbol in;
    bool open_lr = false;
    int err = find_symbol(addr, &in);

    if (err)
        return err;
    in.name[sizeof(in.name) - 1] = 0;
    if (ebpf_text_contains(addr))
        return refuse(-EINVAL, addr, &in, "it is inside the eBPF library");
    if (ebpf_starts_with(in.name, "ebpf_os_"))
        return refuse(-EINVAL, addr, &in, "it is inside one of the library's hooks");
    if ((in.addr | addr) & 1)
        return refuse(-EILSEQ, addr, &in, "it is odd, or its function is");
    err = walk_to(addr, &in, &open_lr);
    if (!err)
        err = check_insn(addr, &in, insn);
    if (err)
        return err;
    if (in_excluded(addr, insn->len))
        return refuse(-EINVAL, addr, &in, "the kernel excluded it (ebpf_kprobe_exclude)");
    if (kind_refused(insn->kind))
        return refuse(-EINVAL, addr, &in, kind_refused(insn->kind));
    if (open_lr || sc_follows(addr, &in))
        return refuse(-EINVAL, addr, &in,
                      "it is between lr and sc: a trap would break the reservation");
    return 0;
}

int ebpf_kprobe_exclude(uint64_t start, uint64_t end)
{
    int err = 0;

    if (end <= start)
        return -EINVAL;
    ebpf_mutex_lock(&ebpf_kprobe_mutex);
    if (excluded_count < MAX_EXCLUDED) {
        excluded[excluded_count].start = start;
        excluded[excluded_count++].end = end;
    } else {
        err = -ENOSPC;
    }
    ebpf_mutex_unlock(&ebpf_kprobe_mutex);
    return err;
}

void ebpf_kprobe_exclude_none(void)
{
    excluded_count = 0;
}
