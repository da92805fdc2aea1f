/* SPDX-License-Identifier: MIT */
/*
 * The smallest kernel that can use the library: machine mode, one hart, no user mode, no allocator,
 * only the mandatory hooks and memory for ebpf_heap_add(). Everything else is the library's
 * default, so this also tests what the defaults do. Prints "MINIMAL ok" or what went wrong, and
 * stops QEMU.
 */
#include <ebpf/object.h>

#define UART ((volatile uint8_t *)0x10000000)             /* ns16550 of QEMU's virt machine */
#define POWER ((volatile uint32_t *)0x100000)             /* sifive_test */
#define MTIME ((volatile uint64_t *)(0x2000000 + 0xbff8)) /* 10 MHz */

extern const char object_start[], object_end[];
static uint8_t heap[512 * 1024] __attribute__((aligned(16)));

/* ---- the port -------------------------------------------------------------------------------- */

unsigned long ebpf_os_irq_save(void)
{
    unsigned long status;

    __asm__ volatile("csrrci %0, mstatus, 8" : "=r"(status)::"memory");
    return status & 8;
}

void ebpf_os_irq_restore(unsigned long state)
{
    __asm__ volatile("csrs mstatus, %0" ::"r"(state) : "memory");
}

uint64_t ebpf_os_time_ns(void)
{
    return *MTIME * 100;
}

void ebpf_os_console(const char *line)
{
    while (*line)
        *UART = (uint8_t)*line++;
    *UART = '\n';
}

/* ---- the test -------------------------------------------------------------------------------- */

static const char *run(void)
{
    struct ebpf_object *obj;
    uint8_t packet[64] = {20, 1, 1};
    union bpf_attr attr = {
        .test = {.data_in = (uintptr_t)packet, .data_size_in = sizeof(packet), .repeat = 3}};
    uint32_t key = 0;
    uint64_t total = 0;

    if (ebpf_init())
        return "init";
    if (ebpf_object_open_mem(object_start, (size_t)(object_end - object_start), &obj))
        return "open";
    if (ebpf_object_load(obj, EBPF_CAP_ALL))
        return "load";
    struct ebpf_prog *prog = ebpf_object_prog_prog(ebpf_object_find_prog(obj, "sum"));
    if (ebpf_prog_is_jited(prog))
        return "there is no code memory, and yet code";
    if (ebpf_prog_test_run(prog, &attr) || attr.test.retval != 22)
        return "test run";
    if (ebpf_map_lookup(ebpf_object_map_map(ebpf_object_find_map(obj, "totals")), &key, &total) ||
        total != 66)
        return "map";
    if (ebpf_object_prog_attach(ebpf_object_find_prog(obj, "nowhere")) != -ENOENT)
        return "a probe without symbols";
    ebpf_object_close(obj);
    return ebpf_fini() ? "objects are left" : NULL;
}

void kernel_main(void)
{
    const char *wrong;

    ebpf_heap_add(heap, sizeof(heap));
    wrong = run();
    ebpf_os_console(wrong ? wrong : "MINIMAL ok");
    *POWER = wrong ? 0x13333 : 0x5555;
}

__asm__(".section .text.start, \"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        "    csrr t0, mhartid\n"
        "1:  bnez t0, 1b\n"
        "    la sp, stack_end\n"
        "    call kernel_main\n"
        "2:  j 2b\n"
        ".section .rodata\n"
        ".balign 8\n"
        "object_start:\n"
        "    .incbin \"" OBJECT "\"\n"
        "object_end:\n"
        ".bss\n"
        ".balign 16\n"
        "    .skip 4096\n"
        "stack_end:\n"
        ".text\n");
