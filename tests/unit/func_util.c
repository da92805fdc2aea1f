/* SPDX-License-Identifier: MIT */
#include "tests/unit/func_util.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

static char log_text[2][16384];

void funcs_begin(struct funcs *f)
{
    uint32_t skb, pair;

    memset(f, 0, sizeof(*f));
    f->type = BPF_PROG_TYPE_SOCKET_FILTER;
    bb_begin(&f->b);
    f->number = bb_add_int(&f->b, "int", 4, BTF_INT_SIGNED);
    skb = bb_add(&f->b, "__sk_buff", BTF_KIND_STRUCT, 1, false, 4);
    bb_add_member(&f->b, "len", f->number, 0);
    pair = bb_add(&f->b, "pair", BTF_KIND_STRUCT, 2, false, 8);
    bb_add_member(&f->b, "a", f->number, 0);
    bb_add_member(&f->b, "b", f->number, 32);
    f->skb = bb_add_ref(&f->b, BTF_KIND_PTR, skb);
    f->pair = bb_add_ref(&f->b, BTF_KIND_PTR, pair);
}

uint32_t funcs_add(struct funcs *f, const char *name, bool global, uint32_t at, uint32_t ret,
                   unsigned argc, ...)
{
    uint32_t proto = bb_add(&f->b, NULL, BTF_KIND_FUNC_PROTO, argc, false, ret), func;
    va_list types;

    va_start(types, argc);
    for (unsigned n = 0; n < argc; n++) {
        bb_word(&f->b, bb_str(&f->b, "arg"));
        bb_word(&f->b, va_arg(types, uint32_t));
    }
    va_end(types);
    func = bb_add(&f->b, name, BTF_KIND_FUNC, global ? BTF_FUNC_GLOBAL : BTF_FUNC_STATIC, false,
                  proto);
    f->info[f->cnt++] = (struct bpf_func_info){at, func};
    return func;
}

void funcs_main(struct funcs *f)
{
    funcs_add(f, "main_prog", true, 0, f->number, 1, f->skb);
}

void funcs_tag(struct funcs *f, uint32_t func, uint32_t arg, const char *tag)
{
    bb_add(&f->b, tag, BTF_KIND_DECL_TAG, 0, false, func);
    bb_word(&f->b, arg);
}

/* bpf(2) of ours or Linux's: an fd or a negative errno. */
static int call(bool linux_, unsigned cmd, union bpf_attr *attr, uint32_t size)
{
    const struct ebpf_caller caller = {.caps = EBPF_CAP_ALL, .kernel = true};
    long ret =
        linux_ ? syscall(SYS_bpf, cmd, attr, size) : ebpf_bpf(cmd, (uintptr_t)attr, size, &caller);

    return linux_ && ret < 0 ? -errno : (int)ret;
}

static void put(bool linux_, int fd)
{
    if (fd >= 0 && linux_)
        close(fd);
    else if (fd >= 0)
        ebpf_fd_close(fd);
}

/* 0, the errno; -EPERM, -ENOSYS of Linux: it is not ours to ask. */
static int load(struct funcs *f, bool linux_, const struct bpf_insn *insns, uint32_t cnt)
{
    static uint8_t blob[BTF_BLOB_MAX];
    union bpf_attr btf = {0}, prog = {0};
    int types, fd;

    btf.btf = (uintptr_t)blob;
    btf.btf_size = bb_end(&f->b, blob);
    types = call(linux_, BPF_BTF_LOAD, &btf, 32);
    if (types < 0)
        return types;
    log_text[linux_][0] = 0;
    prog.prog_type = f->type;
    prog.insns = (uintptr_t)insns;
    prog.insn_cnt = cnt;
    prog.license = (uintptr_t) "GPL";
    prog.log_level = 1;
    prog.log_buf = (uintptr_t)log_text[linux_];
    prog.log_size = sizeof(log_text[linux_]);
    prog.prog_btf_fd = (uint32_t)types;
    prog.func_info = (uintptr_t)f->info;
    prog.func_info_cnt = f->cnt;
    prog.func_info_rec_size = sizeof(f->info[0]);
    fd = call(linux_, BPF_PROG_LOAD, &prog, 144);
    put(linux_, fd);
    put(linux_, types);
    return fd < 0 ? fd : 0;
}

void funcs_expect(struct funcs *f, const char *file, int line, int err, const char *text,
                  const struct bpf_insn *insns, uint32_t cnt)
{
    for (int linux_ = 0; linux_ < (f->ours_alone ? 1 : 2); linux_++) {
        int got = load(f, linux_, insns, cnt);

        if (linux_ && (got == -EPERM || got == -ENOSYS))
            return;
        if (got != err || (err && !strstr(log_text[linux_], text)))
            test_fail(file, line, "%s: %d instead of %d with \"%s\":\n%s",
                      linux_ ? "Linux" : "ours", got, err, text, log_text[linux_]);
    }
}
