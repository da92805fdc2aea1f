/* SPDX-License-Identifier: MIT */
/* Links: programs on kprobes. The only code that knows both sides. */
#include "src/attach/link.h"

#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/base/log.h"
#include "src/core/cmd.h"

/* Linux: MAX_KPROBE_MULTI_CNT */
#define MAX_POINTS (1u << 20)

/* A, on the interrupted stack, interrupts off. */
static void hit(struct ebpf_kprobe *probe, struct ebpf_regs *regs)
{
    struct ebpf_link_point *point = EBPF_CONTAINER_OF(probe, struct ebpf_link_point, probe);
    uint64_t ret;

    if (!ebpf_prog_run(point->link->prog, regs, point->cookie, &ret))
        __atomic_fetch_add(&point->missed, 1, __ATOMIC_RELAXED);
}

static size_t link_size(uint32_t cnt)
{
    return sizeof(struct ebpf_link) + cnt * sizeof(struct ebpf_link_point);
}

/* Disarms all points; false: one stays armed, because the kernel does not let us write its text any
 * more. */
static bool disarm(struct ebpf_link *link)
{
    while (link->armed) {
        int err = ebpf_kprobe_unregister(&link->points[link->armed - 1].probe);

        if (err) {
            ebpf_log("ebpf: probe at 0x%llx cannot be removed (%d) and stays",
                     (unsigned long long)link->points[link->armed - 1].probe.addr, err);
            return false;
        }
        link->armed--;
    }
    return true;
}

static void link_free(struct ebpf_link *link)
{
    if (!disarm(link))
        return; /* its memory is in use for ever */
    ebpf_obj_put(&link->prog->obj);
    ebpf_free(link, link_size(link->cnt));
}

static void link_destroy(struct ebpf_obj *obj)
{
    link_free(ebpf_link_of(obj));
}

static int arm(struct ebpf_link *link, const uint64_t *addrs, const uint64_t *cookies)
{
    while (link->armed < link->cnt) {
        struct ebpf_link_point *point = &link->points[link->armed];
        int err;

        point->link = link;
        point->cookie = cookies ? cookies[link->armed] : 0;
        point->probe.addr = addrs[link->armed];
        point->probe.handler = hit;
        err = ebpf_kprobe_register(&point->probe);
        if (err)
            return err;
        link->armed++;
    }
    return 0;
}

int ebpf_link_create(struct ebpf_prog *prog, const uint64_t *addrs, const uint64_t *cookies,
                     uint32_t cnt, struct ebpf_link **out)
{
    struct ebpf_link *link;
    int err;

    /* Linux: sleepable programs are for uprobes only */
    if (prog->type->id != BPF_PROG_TYPE_KPROBE || prog->load_flags & BPF_F_SLEEPABLE || !cnt)
        return -EINVAL;
    if (cnt > MAX_POINTS)
        return -E2BIG;
    link = ebpf_zalloc(link_size(cnt));
    if (!link)
        return -ENOMEM;
    link->cnt = cnt;
    link->prog = prog;
    ebpf_obj_get(&prog->obj);
    err = arm(link, addrs, cookies);
    if (!err)
        err = ebpf_obj_init(&link->obj, EBPF_OBJ_LINK, link_destroy);
    if (err) {
        link_free(link);
        return err;
    }
    *out = link;
    return 0;
}

int ebpf_link_kprobe(struct ebpf_prog *prog, uint64_t addr, uint64_t cookie, struct ebpf_link **out)
{
    return ebpf_link_create(prog, &addr, &cookie, 1, out);
}

struct ebpf_obj *ebpf_link_obj(struct ebpf_link *link)
{
    return &link->obj;
}

static int give_addrs(const struct ebpf_link *link, const struct ebpf_caller *caller, uint64_t to,
                      uint32_t room)
{
    int err = 0;

    for (uint32_t i = 0; !err && i < link->cnt && i < room; i++)
        err = ebpf_copy_out(caller, to + i * sizeof(uint64_t), &link->points[i].probe.addr,
                            sizeof(uint64_t));
    return err ? err : room < link->cnt ? -ENOSPC : 0;
}

int ebpf_link_fill_info(const struct ebpf_link *link, const struct ebpf_caller *caller,
                        struct bpf_link_info *info)
{
    uint64_t addrs = info->kprobe_multi.addrs;
    uint32_t room = info->kprobe_multi.count;

    if (!addrs != !room)
        return -EINVAL;
    info->type = BPF_LINK_TYPE_KPROBE_MULTI;
    info->id = link->obj.id;
    info->prog_id = link->prog->obj.id;
    info->kprobe_multi.count = link->cnt;
    info->kprobe_multi.flags = 0;
    info->kprobe_multi.missed = 0;
    for (uint32_t i = 0; i < link->cnt; i++)
        info->kprobe_multi.missed += ebpf_kprobe_missed(&link->points[i].probe) +
                                     __atomic_load_n(&link->points[i].missed, __ATOMIC_RELAXED);
    return addrs ? give_addrs(link, caller, addrs, room) : 0;
}

/* ---- bpf(2): BPF_LINK_CREATE, attach type BPF_TRACE_KPROBE_MULTI ----------------------------- */

/* One symbol name of the caller's array of string addresses. Linux: -ESRCH for a name that it does
 * not know. */
static int find_symbol(const struct ebpf_caller *caller, uint64_t syms, uint32_t i, uint64_t *addr)
{
    struct ebpf_symbol symbol;
    char name[sizeof(symbol.name)];
    uint64_t at;
    int err = ebpf_copy_in(caller, &at, syms + i * sizeof(at), sizeof(at));

    if (!err)
        err = ebpf_copy_string_in(caller, name, at, sizeof(name));
    if (err)
        return err;
    if (ebpf_os_symbol(name, &symbol))
        return -ESRCH;
    *addr = symbol.addr;
    return 0;
}

static int take_addrs(const struct ebpf_cmd *cmd, uint64_t *addrs)
{
    uint64_t from = cmd->attr->link_create.kprobe_multi.addrs,
             syms = cmd->attr->link_create.kprobe_multi.syms;
    uint32_t cnt = cmd->attr->link_create.kprobe_multi.cnt;
    int err = 0;

    if (from)
        return ebpf_copy_in(cmd->caller, addrs, from, cnt * sizeof(*addrs));
    for (uint32_t i = 0; !err && i < cnt; i++)
        err = find_symbol(cmd->caller, syms, i, &addrs[i]);
    return err;
}

static long create_multi(const struct ebpf_cmd *cmd, struct ebpf_prog *prog)
{
    uint64_t ucookies = cmd->attr->link_create.kprobe_multi.cookies;
    uint32_t cnt = cmd->attr->link_create.kprobe_multi.cnt;
    uint64_t *addrs = ebpf_calloc(cnt, sizeof(*addrs));
    uint64_t *cookies = ucookies ? ebpf_calloc(cnt, sizeof(*cookies)) : NULL;
    struct ebpf_link *link;
    int err = !addrs || (ucookies && !cookies) ? -ENOMEM : 0;

    if (!err)
        err = take_addrs(cmd, addrs);
    if (!err && cookies)
        err = ebpf_copy_in(cmd->caller, cookies, ucookies, cnt * sizeof(*cookies));
    if (!err)
        err = ebpf_link_create(prog, addrs, cookies, cnt, &link);
    ebpf_free(cookies, cnt * sizeof(*cookies));
    ebpf_free(addrs, cnt * sizeof(*addrs));
    return err ? err : ebpf_cmd_install(&link->obj);
}

static int check_multi(const union bpf_attr *attr, const struct ebpf_prog *prog)
{
    if (attr->link_create.attach_type != BPF_TRACE_KPROBE_MULTI ||
        prog->type->id != BPF_PROG_TYPE_KPROBE ||
        prog->expected_attach_type != BPF_TRACE_KPROBE_MULTI)
        return -EINVAL;
    if (attr->link_create.flags ||
        (attr->link_create.kprobe_multi.flags & ~BPF_F_KPROBE_MULTI_RETURN))
        return -EINVAL;
    if (attr->link_create.kprobe_multi.flags & BPF_F_KPROBE_MULTI_RETURN)
        return -EOPNOTSUPP; /* no return probes in this build */
    if (!attr->link_create.kprobe_multi.addrs == !attr->link_create.kprobe_multi.syms)
        return -EINVAL;
    if (!attr->link_create.kprobe_multi.cnt)
        return -EINVAL;
    return attr->link_create.kprobe_multi.cnt > MAX_POINTS ? -E2BIG : 0;
}

long ebpf_cmd_link_create(const struct ebpf_cmd *cmd)
{
    struct ebpf_prog *prog;
    long ret = ebpf_prog_from_fd((int)cmd->attr->link_create.prog_fd, &prog);

    if (ret)
        return ret;
    ret = check_multi(cmd->attr, prog);
    if (!ret)
        ret = create_multi(cmd, prog);
    ebpf_obj_put(&prog->obj);
    return ret;
}
