/* SPDX-License-Identifier: MIT */
/*
 * context: shows what a kprobe program on the kernel's openat handler sees. Opens a file once and
 * asks the kernel to say so (O_VERBOSE); the program's lines, address and 32 registers, stand on
 * the console before the kernel's own. Checks in the program's map that it saw exactly the
 * arguments of the call.
 */
#include "bpfsys.h"
#include "lib.h"

#define VICTIM "/bin/context"
#define UNSET 0xffffffffu
#define MODE 0640

struct regs {
    uint64_t pc;
    uint64_t x[31]; /* x1 .. x31 */
};
#define REG_SP 1
#define REG_A0 9

static int failures;

static void check(const char *what, uint64_t got, uint64_t want)
{
    if (got == want)
        return;
    failures++;
    printf("context: FAIL %s is 0x%lx, expected 0x%lx\n", what, got, want);
}

/* The word in .rodata that says whose calls to show. */
static int configure(struct ebpf_object *obj, uint32_t tgid)
{
    struct ebpf_object_map *map = ebpf_object_find_map(obj, ".rodata");
    size_t size = 0;
    uint32_t *word = map ? ebpf_object_map_initial(map, &size) : NULL;

    if (!word || size < sizeof(*word) || *word != UNSET) {
        printf("context: the object's .rodata does not begin with target_tgid\n");
        return -EINVAL;
    }
    *word = tgid;
    return 0;
}

static void check_seen(struct ebpf_object *obj, uint64_t hits_wanted)
{
    struct regs seen;
    uint64_t hits = 0;
    int err = read_element(obj, "seen", 0, &seen);

    if (!err)
        err = read_element(obj, ".bss", 0, &hits);
    check("result of reading the maps", (uint64_t)err, 0);
    check("number of hits", hits, hits_wanted);
    if (err)
        return;
    check("r10 (dfd)", seen.x[REG_A0], (uint64_t)AT_FDCWD);
    check("r11 (path)", seen.x[REG_A0 + 1], (uint64_t)VICTIM);
    check("r12 (flags)", seen.x[REG_A0 + 2], O_RDONLY | O_VERBOSE);
    check("r13 (mode)", seen.x[REG_A0 + 3], MODE);
    check("kernel half of pc", seen.pc >> 63, 1);
    check("kernel half of r2 (sp)", seen.x[REG_SP] >> 63, 1);
    check("alignment of r2 (sp)", seen.x[REG_SP] % 16, 0);
}

static long open_once(void)
{
    return syscall(SYS_openat, AT_FDCWD, (long)VICTIM, O_RDONLY | O_VERBOSE, MODE, 0, 0);
}

int main(void)
{
    struct ebpf_object *obj = open_object("/bpf/context.bpf.o");
    long fd;

    if (!obj || configure(obj, (uint32_t)getpid()) || load_object(obj) ||
        attach_prog(obj, "show_context"))
        return 1;
    printf("context: openat(dfd 0x%lx, path 0x%lx, flags 0x%x, mode 0x%x)\n", (long)AT_FDCWD,
           (long)VICTIM, O_RDONLY | O_VERBOSE, MODE);
    fd = open_once();
    check("first openat's success", fd >= 0, 1);
    check_seen(obj, 1);

    ebpf_object_prog_detach(ebpf_object_find_prog(obj, "show_context"));
    printf("context: detached, the same call again\n");
    fd = open_once();
    check("second openat's success", fd >= 0, 1);
    check_seen(obj, 1);
    ebpf_object_close(obj);

    printf("context: %s\n", failures ? "FAILED" : "ok");
    return failures != 0;
}
