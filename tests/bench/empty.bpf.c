/* SPDX-License-Identifier: MIT */
/* Nothing: what it costs is the test-run loop, which is subtracted from all others. */
#include "common.h"

SEC("xdp") int empty(struct xdp_md *ctx)
{
    return 0;
}
