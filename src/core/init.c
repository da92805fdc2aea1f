/* SPDX-License-Identifier: MIT */
/* Start-up and shut-down. */
#include <ebpf/ebpf.h>

#include "kprobe/kprobe.h"
#include "src/base/obj.h"
#include "src/core/run.h"

static bool ready;

int ebpf_init(void)
{
    unsigned cpus = ebpf_os_cpu_count();
    int err;

    if (ready)
        return -EBUSY;
    if (!cpus || cpus > EBPF_CONFIG_MAX_CPUS)
        return -EINVAL;
    ebpf_run_init();
    err = ebpf_kprobe_init();
    ready = !err;
    return err;
}

int ebpf_fini(void)
{
    int err;

    if (ebpf_obj_count())
        return -EBUSY;
    err = ebpf_kprobe_fini();
    if (!err)
        ready = false;
    return err;
}
