/* SPDX-License-Identifier: MIT */
/* Links: programs on kprobes through BPF_LINK_CREATE, on an array that stands for kernel text. */
#include "tests/unit/insn.h"
#include "tests/unit/test.h"

#include <ebpf/ebpf.h>
#include <ebpf/kprobe.h>

#define R0 BPF_REG_0
#define R1 BPF_REG_1
#define R2 BPF_REG_2
#define R10 BPF_REG_10

/* one function of addi a0, a0, 1; addi a0, a0, 2; ret */
static uint32_t text[1024] __attribute__((aligned(4096)));
static const uint32_t code[] = {0x00150513, 0x00250513, 0x00008067};

static uint64_t text_addr(unsigned insn)
{
    return (uint64_t)(uintptr_t)&text[insn];
}

static bool set_up(void)
{
    memcpy(text, code, sizeof(code));
    mock_symbol_add("hot", text_addr(0), 12);
    return mock_text_add(text, sizeof(text)) == 0;
}

/* A kprobe program that adds regs->a0 to a counter in the map behind fd. */
static long load_counter(long map, uint32_t attach_type)
{
    struct bpf_insn insns[] = {
        BPF_LDX_MEM(BPF_DW, R2, R1, 80),
        BPF_LD_MAP_VALUE(R1, map, 0),
        BPF_ATOMIC_OP(BPF_DW, BPF_ADD, R1, R2, 0),
        BPF_MOV64_IMM(R0, 0),
        BPF_EXIT_INSN(),
    };
    union bpf_attr attr = {0};

    attr.prog_type = BPF_PROG_TYPE_KPROBE;
    attr.expected_attach_type = attach_type;
    attr.insns = mock_user_copy(insns, sizeof(insns));
    attr.insn_cnt = sizeof(insns) / sizeof(insns[0]);
    attr.license = mock_user_copy("GPL", 4);
    return mock_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
}

static long make_map(void)
{
    union bpf_attr attr = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1};

    return mock_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
}

static uint64_t counter(long map)
{
    union bpf_attr attr = {0};
    uint32_t key = 0;

    attr.map_fd = (uint32_t)map;
    attr.key = mock_user_copy(&key, 4);
    attr.value = mock_user_alloc(8);
    CHECK_EQ(mock_bpf(BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)), 0);
    return *(uint64_t *)mock_user(attr.value);
}

static void multi(union bpf_attr *attr, long prog)
{
    memset(attr, 0, sizeof(*attr));
    attr->link_create.prog_fd = (uint32_t)prog;
    attr->link_create.attach_type = BPF_TRACE_KPROBE_MULTI;
}

static long link_by_symbol(long prog, const char *name)
{
    union bpf_attr attr;
    uint64_t at = mock_user_copy(name, (uint32_t)strlen(name) + 1);

    multi(&attr, prog);
    attr.link_create.kprobe_multi.syms = mock_user_copy(&at, 8);
    attr.link_create.kprobe_multi.cnt = 1;
    return mock_bpf(BPF_LINK_CREATE, &attr, sizeof(attr));
}

/* Plays the hart that runs into the breakpoint at addr with a0. */
static bool trap(uint64_t addr, uint64_t a0, struct ebpf_regs *regs)
{
    unsigned long irq = ebpf_os_irq_save();
    bool ours;

    memset(regs, 0, sizeof(*regs));
    regs->pc = addr;
    regs->x[9] = a0;
    ours = ebpf_breakpoint(regs);
    ebpf_os_irq_restore(irq);
    return ours;
}

TEST(link_by_symbol_runs_the_program_at_each_hit)
{
    long map = make_map(), prog = load_counter(map, BPF_TRACE_KPROBE_MULTI), link;
    struct ebpf_regs regs;

    REQUIRE(set_up());
    link = link_by_symbol(prog, "hot");
    REQUIRE(link >= 0);
    CHECK(text[0] != code[0]);
    CHECK(trap(text_addr(0), 40, &regs));
    CHECK(trap(text_addr(0), 2, &regs));
    CHECK_EQ(counter(map), 42);
    CHECK_EQ(ebpf_fd_close((int)prog), 0); /* the link keeps the program */
    CHECK(trap(text_addr(0), 1, &regs));
    CHECK_EQ(counter(map), 43);
    CHECK_EQ(ebpf_fd_close((int)link), 0);
    CHECK_EQ(text[0], code[0]);
    CHECK(trap(text_addr(0), 1, &regs)); /* a hart that was on its way: sent back to try again */
    CHECK_EQ(regs.pc, text_addr(0));
    CHECK_EQ(counter(map), 43);
}

TEST(link_by_address_is_all_or_nothing)
{
    long map = make_map(), prog = load_counter(map, BPF_TRACE_KPROBE_MULTI), link;
    uint64_t good[] = {text_addr(0), text_addr(1)}, bad[] = {text_addr(0), text_addr(1) + 2},
             cookies[] = {5, 6};
    struct ebpf_regs regs;
    union bpf_attr attr;

    REQUIRE(set_up());
    multi(&attr, prog);
    attr.link_create.kprobe_multi.addrs = mock_user_copy(bad, sizeof(bad));
    attr.link_create.kprobe_multi.cnt = 2;
    CHECK_EQ(mock_bpf(BPF_LINK_CREATE, &attr, sizeof(attr)), -EILSEQ);
    CHECK_EQ(text[0], code[0]);
    attr.link_create.kprobe_multi.addrs = mock_user_copy(good, sizeof(good));
    attr.link_create.kprobe_multi.cookies = mock_user_copy(cookies, sizeof(cookies));
    link = mock_bpf(BPF_LINK_CREATE, &attr, sizeof(attr));
    REQUIRE(link >= 0);
    CHECK(trap(text_addr(0), 1, &regs) && trap(text_addr(1), 10, &regs));
    CHECK_EQ(counter(map), 11);
}

TEST(link_wrong_uses)
{
    long map = make_map(), prog = load_counter(map, BPF_TRACE_KPROBE_MULTI),
         plain = load_counter(map, 0);
    uint64_t addr = text_addr(0);
    union bpf_attr attr;

    REQUIRE(set_up());
    CHECK_EQ(link_by_symbol(prog, "cold"), -ESRCH);
    CHECK_EQ(link_by_symbol(plain, "hot"), -EINVAL);
    CHECK_EQ(link_by_symbol(map, "hot"), -EINVAL);
    CHECK_EQ(link_by_symbol(prog + 20, "hot"), -EBADF);
#define REFUSED(change, err)                                            \
    do {                                                                \
        multi(&attr, prog);                                             \
        attr.link_create.kprobe_multi.addrs = mock_user_copy(&addr, 8); \
        attr.link_create.kprobe_multi.cnt = 1;                          \
        change;                                                         \
        CHECK_EQ(mock_bpf(BPF_LINK_CREATE, &attr, sizeof(attr)), err);  \
    } while (0)
    REFUSED(attr.link_create.attach_type = 0, -EINVAL);
    REFUSED(attr.link_create.flags = 1, -EINVAL);
    REFUSED(attr.link_create.kprobe_multi.flags = 2, -EINVAL);
    REFUSED(attr.link_create.kprobe_multi.flags = BPF_F_KPROBE_MULTI_RETURN, -EOPNOTSUPP);
    REFUSED(attr.link_create.kprobe_multi.cnt = 0, -EINVAL);
    REFUSED(attr.link_create.kprobe_multi.cnt = 0xffffffff, -E2BIG);
    REFUSED(attr.link_create.kprobe_multi.syms = 1, -EINVAL);
    REFUSED(attr.link_create.kprobe_multi.addrs = 0, -EINVAL);
    REFUSED(attr.link_create.kprobe_multi.addrs = MOCK_BAD_ADDR, -EFAULT);
    REFUSED(attr.link_create.kprobe_multi.cookies = MOCK_BAD_ADDR, -EFAULT);
    mock_no_text_write = true;
    CHECK_EQ(link_by_symbol(prog, "hot"), -EOPNOTSUPP);
    CHECK_EQ(text[0], code[0]);
}

TEST(link_info_tells_what_it_is)
{
    long map = make_map(), prog = load_counter(map, BPF_TRACE_KPROBE_MULTI), link;
    uint64_t at = mock_user_alloc(sizeof(struct bpf_link_info)), addrs = mock_user_alloc(16);
    struct bpf_link_info *info = mock_user(at);
    union bpf_attr attr = {0};

    REQUIRE(set_up());
    link = link_by_symbol(prog, "hot");
    attr.info.bpf_fd = (uint32_t)link;
    attr.info.info = at;
    attr.info.info_len = sizeof(*info);
    CHECK_EQ(mock_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)), 0);
    CHECK_EQ(info->type, BPF_LINK_TYPE_KPROBE_MULTI);
    CHECK(info->id && info->prog_id);
    CHECK_EQ(info->kprobe_multi.count, 1);
    info->kprobe_multi.addrs = addrs;
    CHECK_EQ(mock_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)), 0);
    CHECK_EQ(*(uint64_t *)mock_user(addrs), text_addr(0));
    info->kprobe_multi.count = 0; /* an address without a count */
    CHECK_EQ(mock_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)), -EINVAL);
}

TEST(link_unwinds_at_each_failed_allocation)
{
    long map = make_map(), prog = load_counter(map, BPF_TRACE_KPROBE_MULTI);

    REQUIRE(set_up());
    for (unsigned n = 1;; n++) {
        long fd;

        mock_fail_alloc(n);
        fd = link_by_symbol(prog, "hot");
        if (!mock_alloc_failed()) {
            CHECK(fd >= 0);
            break;
        }
        CHECK_EQ(fd, -ENOMEM);
        CHECK_EQ(text[0], code[0]);
    }
}

TEST(link_from_inside_the_kernel)
{
    struct bpf_insn insns[] = {BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()};
    struct ebpf_prog_spec spec = {.type = BPF_PROG_TYPE_KPROBE,
                                  .insns = insns,
                                  .insn_cnt = 2,
                                  .license = "GPL",
                                  .caps = EBPF_CAP_ALL};
    struct ebpf_regs regs;
    struct ebpf_prog *prog;
    struct ebpf_link *link;

    REQUIRE(set_up());
    REQUIRE(!ebpf_prog_load(&spec, &prog));
    CHECK_EQ(ebpf_link_kprobe(prog, text_addr(0) + 1, 0, &link), -EILSEQ);
    CHECK_EQ(ebpf_link_kprobe(prog, 0x1000, 0, &link), -ENOENT);
    REQUIRE(!ebpf_link_kprobe(prog, text_addr(1), 0, &link));
    CHECK(trap(text_addr(1), 5, &regs));
    CHECK_EQ(regs.x[9], 7); /* the displaced instruction was carried out */
    CHECK_EQ(regs.pc, text_addr(2));
    ebpf_obj_put(ebpf_link_obj(link));
    ebpf_obj_put(ebpf_prog_obj(prog));
}
