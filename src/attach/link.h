/* SPDX-License-Identifier: MIT */
/* A link: one program on one or many probes, gone with its last reference. */
#ifndef EBPF_ATTACH_LINK_H
#define EBPF_ATTACH_LINK_H

#include <ebpf/kprobe.h>

#include "src/base/obj.h"
#include "src/core/prog.h"

struct ebpf_link_point {
    struct ebpf_kprobe probe; /* first */
    struct ebpf_link *link;
    uint64_t cookie;
    /* hits whose program did not run because another one was running on that hart */
    uint64_t missed;
};

struct ebpf_link {
    struct ebpf_obj obj;    /* first */
    struct ebpf_prog *prog; /* one reference */
    uint32_t cnt;
    uint32_t armed; /* points[0..armed) are registered */
    struct ebpf_link_point points[];
};

/* Links prog (one more reference) to addrs[0..cnt), all or nothing; cookies may be NULL. Errors of
 * ebpf_kprobe_register(), -EINVAL (program type, cnt 0), -ENOMEM. T */
int ebpf_link_create(struct ebpf_prog *prog, const uint64_t *addrs, const uint64_t *cookies,
                     uint32_t cnt, struct ebpf_link **out);

/* BPF_OBJ_GET_INFO_BY_FD: fills info, whose kprobe_multi.addrs and count say where the caller wants
 * the addresses.
 * -EINVAL (one without the other), -ENOSPC (they did not all fit; info is filled), -EFAULT. T */
int ebpf_link_fill_info(const struct ebpf_link *link, const struct ebpf_caller *caller,
                        struct bpf_link_info *info);

static inline struct ebpf_link *ebpf_link_of(struct ebpf_obj *obj)
{
    return (struct ebpf_link *)obj;
}

#endif /* EBPF_ATTACH_LINK_H */
