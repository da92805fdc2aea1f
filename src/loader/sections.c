/* SPDX-License-Identifier: MIT */
/* What a section's name says: what the loader does with it, and which type of program it holds. */
#include "src/loader/loader.h"

#include "src/base/bits.h"

/* ---- kinds ----------------------------------------------------------------------------------- */

/* family: NAME and NAME.anything; otherwise there may be one such section only */
static const struct {
    const char *name;
    enum ebpf_elf_kind kind;
    bool family;
} kinds[] = {
    {".data", EBPF_SEC_DATA, true},        {".bss", EBPF_SEC_DATA, true},
    {".rodata", EBPF_SEC_RODATA, true},    {".maps", EBPF_SEC_MAPS, false},
    {"maps", EBPF_SEC_LEGACY_MAPS, false}, {"license", EBPF_SEC_LICENSE, false},
    {".BTF", EBPF_SEC_BTF, false},         {".BTF.ext", EBPF_SEC_BTF_EXT, false},
};

static bool kind_matches(size_t row, const char *name)
{
    size_t len = ebpf_strlen(kinds[row].name);

    if (!ebpf_starts_with(name, kinds[row].name))
        return false;
    return !name[len] || (kinds[row].family && name[len] == '.');
}

static int classify(struct ebpf_elf *elf, uint32_t index, bool *seen)
{
    struct ebpf_elf_section *sec = &elf->sections[index];

    if (sec->type != EBPF_SHT_PROGBITS && sec->type != EBPF_SHT_NOBITS)
        return 0;
    if (sec->flags & EBPF_SHF_EXECINSTR)
        sec->kind = EBPF_SEC_CODE;
    for (size_t row = 0; !sec->kind && row < EBPF_ARRAY_SIZE(kinds); row++) {
        if (!kind_matches(row, sec->name))
            continue;
        if (seen[row] && !kinds[row].family)
            return ebpf_elf_refuse(elf, index, 0, -EINVAL, "second section of this name");
        seen[row] = true;
        sec->kind = kinds[row].kind;
    }
    if (!sec->kind)
        return 0;
    if (sec->flags & EBPF_SHF_COMPRESSED)
        return ebpf_elf_refuse(elf, index, 0, -EOPNOTSUPP, "compressed");
    if (!sec->data && sec->kind != EBPF_SEC_DATA && sec->kind != EBPF_SEC_RODATA)
        return ebpf_elf_refuse(elf, index, 0, -ENOEXEC, "holds no bytes (SHT_NOBITS)");
    return 0;
}

int ebpf_loader_classify(struct ebpf_elf *elf)
{
    bool seen[EBPF_ARRAY_SIZE(kinds)] = {false};
    int err = 0;

    for (uint32_t i = 1; !err && i < elf->section_cnt; i++)
        err = classify(elf, i, seen);
    return err;
}

uint32_t ebpf_loader_section(const struct ebpf_elf *elf, enum ebpf_elf_kind kind)
{
    for (uint32_t i = 1; i < elf->section_cnt; i++) {
        if (elf->sections[i].kind == kind)
            return i;
    }
    return 0;
}

/* ---- program types --------------------------------------------------------------------------- */

/* libbpf's names (Documentation/bpf/libbpf/program_types.rst). "xdp/name", "classifier/name" and
 * the like are older spellings that Aya and iproute2 objects still have. The rows with
 * BPF_PROG_TYPE_UNSPEC need an attach type or a program type that this library has not got: without
 * them "xdp/devmap" would load as an ordinary XDP program. */
static const struct ebpf_loader_sec_def sec_defs[] = {
    {"kprobe", BPF_PROG_TYPE_KPROBE, 0, EBPF_ATTACH_KPROBE},
    {"kretprobe", BPF_PROG_TYPE_KPROBE, 0, EBPF_ATTACH_NONE},
    {"kprobe.multi", BPF_PROG_TYPE_KPROBE, BPF_TRACE_KPROBE_MULTI, EBPF_ATTACH_NONE},
    {"kretprobe.multi", BPF_PROG_TYPE_KPROBE, BPF_TRACE_KPROBE_MULTI, EBPF_ATTACH_NONE},
    {"ksyscall", BPF_PROG_TYPE_KPROBE, 0, EBPF_ATTACH_NONE},
    {"kretsyscall", BPF_PROG_TYPE_KPROBE, 0, EBPF_ATTACH_NONE},
    {"uprobe", BPF_PROG_TYPE_KPROBE, 0, EBPF_ATTACH_NONE},
    {"uretprobe", BPF_PROG_TYPE_KPROBE, 0, EBPF_ATTACH_NONE},
    {"usdt", BPF_PROG_TYPE_KPROBE, 0, EBPF_ATTACH_NONE},
    {"tracepoint", BPF_PROG_TYPE_TRACEPOINT, 0, EBPF_ATTACH_NONE},
    {"tp", BPF_PROG_TYPE_TRACEPOINT, 0, EBPF_ATTACH_NONE},
    {"raw_tracepoint", BPF_PROG_TYPE_RAW_TRACEPOINT, 0, EBPF_ATTACH_NONE},
    {"raw_tp", BPF_PROG_TYPE_RAW_TRACEPOINT, 0, EBPF_ATTACH_NONE},
    {"xdp/devmap", BPF_PROG_TYPE_UNSPEC, 0, EBPF_ATTACH_NONE},
    {"xdp/cpumap", BPF_PROG_TYPE_UNSPEC, 0, EBPF_ATTACH_NONE},
    {"xdp", BPF_PROG_TYPE_XDP, 0, EBPF_ATTACH_NONE},
    {"socket", BPF_PROG_TYPE_SOCKET_FILTER, 0, EBPF_ATTACH_NONE},
    {"tc", BPF_PROG_TYPE_SCHED_CLS, 0, EBPF_ATTACH_NONE},
    {"classifier", BPF_PROG_TYPE_SCHED_CLS, 0, EBPF_ATTACH_NONE},
    {"perf_event", BPF_PROG_TYPE_PERF_EVENT, 0, EBPF_ATTACH_NONE},
};

const struct ebpf_loader_sec_def *ebpf_loader_sec_def(const char *name)
{
    for (size_t i = 0; i < EBPF_ARRAY_SIZE(sec_defs); i++) {
        size_t len = ebpf_strlen(sec_defs[i].name);

        if (ebpf_starts_with(name, sec_defs[i].name) && (!name[len] || name[len] == '/'))
            return &sec_defs[i];
    }
    return NULL;
}
