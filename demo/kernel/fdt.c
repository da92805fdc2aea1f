/* SPDX-License-Identifier: MIT */
/*
 * The device tree (Devicetree Specification, "Flattened Devicetree Format"), read once at boot for
 * what a kernel cannot guess: memory, harts, timer frequency, initrd, command line. The UART and
 * the PLIC are where QEMU's virt machine has them. Addresses and sizes in /memory are two cells,
 * /cpus/cpu@N/reg one, as there.
 */
#include "kernel.h"

#include <ebpf/os.h>

#define FDT_MAGIC 0xd00dfeed
#define FDT_BEGIN_NODE 1
#define FDT_END_NODE 2
#define FDT_PROP 3
#define FDT_NOP 4

struct machine machine;

struct prop {
    const char *node, *name;
    const char *value;
    uint32_t len;
};

static uint32_t be32(const char *p)
{
    const uint8_t *b = (const uint8_t *)p;

    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* A number of one cell or of two. */
static uint64_t cells(const char *p, uint32_t len)
{
    return len >= 8 ? (uint64_t)be32(p) << 32 | be32(p + 4) : len >= 4 ? be32(p) : 0;
}

static bool node_is(const struct prop *p, const char *name)
{
    size_t n = strlen(name);

    return !strncmp(p->node, name, n) && (p->node[n] == 0 || p->node[n] == '@');
}

static void read_chosen(const struct prop *p)
{
    if (!strcmp(p->name, "bootargs"))
        strcopy(machine.bootargs, p->value, sizeof(machine.bootargs));
    else if (!strcmp(p->name, "linux,initrd-start"))
        machine.initrd_start = cells(p->value, p->len);
    else if (!strcmp(p->name, "linux,initrd-end"))
        machine.initrd_end = cells(p->value, p->len);
    else if (!strcmp(p->name, "rng-seed"))
        machine.seed = cells(p->value, p->len);
}

/* "rv64imac_zba_zbb": does an extension with a name of several letters stand among the others? */
static bool isa_has(const char *isa, const char *name)
{
    size_t n = strlen(name);

    for (; *isa; isa++) {
        if (isa[0] == '_' && !strncmp(isa + 1, name, n) && (isa[n + 1] == 0 || isa[n + 1] == '_'))
            return true;
    }
    return false;
}

static void read_isa(const char *isa)
{
    uint32_t has =
        (isa_has(isa, "zba") ? EBPF_ISA_ZBA : 0) | (isa_has(isa, "zbb") ? EBPF_ISA_ZBB : 0) |
        (isa_has(isa, "zbs") ? EBPF_ISA_ZBS : 0) | (isa_has(isa, "zicond") ? EBPF_ISA_ZICOND : 0) |
        (isa_has(isa, "zacas") ? EBPF_ISA_ZACAS : 0) |
        EBPF_ISA_ZICCLSM; /* QEMU's harts have it, and name it in profiles only */
    static bool first = true;

    machine.isa = first ? has : machine.isa & has;
    first = false;
}

static void read_prop(const struct prop *p)
{
    if (node_is(p, "chosen")) {
        read_chosen(p);
    } else if (node_is(p, "memory") && !strcmp(p->name, "reg") && p->len >= 16) {
        machine.ram_start = cells(p->value, 8);
        machine.ram_end = MIN(machine.ram_start + cells(p->value + 8, 8), PHYS_END);
    } else if (node_is(p, "cpus") && !strcmp(p->name, "timebase-frequency")) {
        timebase = cells(p->value, p->len);
    } else if (node_is(p, "cpu") && !strcmp(p->name, "riscv,isa")) {
        read_isa(p->value);
    } else if (node_is(p, "cpu") && !strcmp(p->name, "reg") && machine.harts < MAX_HARTS) {
        machine.hartids[machine.harts++] = cells(p->value, p->len);
    }
}

void fdt_read(uint64_t fdt_phys)
{
    const char *fdt = virt(fdt_phys);
    const char *p = fdt + be32(fdt + 8), *strings = fdt + be32(fdt + 12);
    struct prop prop = {.node = ""};

    if (be32(fdt) != FDT_MAGIC)
        panic("no device tree at %lx", fdt_phys);
    machine.fdt_start = fdt_phys;
    machine.fdt_end = fdt_phys + be32(fdt + 4);
    for (;;) {
        uint32_t token = be32(p);
        p += 4;
        if (token == FDT_BEGIN_NODE) {
            prop.node = p;
            p += ALIGN_UP(strlen(p) + 1, 4);
        } else if (token == FDT_PROP) {
            prop.len = be32(p);
            prop.name = strings + be32(p + 4);
            prop.value = p + 8;
            read_prop(&prop);
            p += 8 + ALIGN_UP(prop.len, 4);
        } else if (token != FDT_END_NODE && token != FDT_NOP) {
            return; /* FDT_END */
        }
    }
}
