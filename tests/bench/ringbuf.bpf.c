/* SPDX-License-Identifier: MIT */
/* A record in a ring buffer reserved, filled and discarded. */
#include "common.h"

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 20);
} rb SEC(".maps");
struct ev {
    __u64 a, b, c, d;
};
SEC("xdp") int ringbuf(struct xdp_md *ctx)
{
    struct ev *e = bpf_ringbuf_reserve(&rb, sizeof(*e), 0);
    if (!e)
        return 1;
    e->a = 1;
    e->b = 2;
    e->c = 3;
    e->d = ctx->data_end - ctx->data;
    bpf_ringbuf_discard(e, 0);
    return 0;
}
