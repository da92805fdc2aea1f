/* SPDX-License-Identifier: MIT */
/* BPF_PROG_TEST_RUN: data and context in, repeated runs, data and context out. */
#include "src/core/test_run.h"

#include "src/base/alloc.h"
#include "src/base/bits.h"

#define ETH_HLEN 14u
#define IP_ALIGN 2u /* Linux: NET_IP_ALIGN: what the verifier takes packets to begin at, modulo 8 */

int ebpf_test_data_in(const union bpf_attr *attr, const struct ebpf_caller *caller,
                      struct ebpf_test_data *data)
{
    int err;

    if (attr->test.data_size_in < ETH_HLEN || attr->test.data_size_in > data->max)
        return -EINVAL;
    data->size = attr->test.data_size_in;
    data->mem_size = IP_ALIGN + (size_t)data->headroom + (data->grows ? data->max : data->size);
    data->mem = ebpf_zalloc(data->mem_size);
    if (!data->mem)
        return -ENOMEM;
    data->start = data->mem + IP_ALIGN + data->headroom;
    err = ebpf_copy_in(caller, data->start, attr->test.data_in, data->size);
    if (err)
        ebpf_test_data_free(data);
    return err;
}

void ebpf_test_data_free(struct ebpf_test_data *data)
{
    ebpf_free(data->mem, data->mem_size);
    data->mem = NULL;
}

int ebpf_test_data_out(union bpf_attr *attr, const struct ebpf_caller *caller, const void *data,
                       uint32_t size)
{
    uint32_t room = attr->test.data_size_out, part = size;
    int err = 0, short_of_room = 0;

    if (room && size > room) {
        part = room;
        short_of_room = -ENOSPC;
    }
    if (attr->test.data_out)
        err = ebpf_copy_out(caller, attr->test.data_out, data, part);
    else
        short_of_room = 0;
    attr->test.data_size_out = size;
    return err ? err : short_of_room;
}

int ebpf_test_ctx_in(const union bpf_attr *attr, const struct ebpf_caller *caller, void *ctx,
                     uint32_t size)
{
    uint32_t given = attr->test.ctx_size_in;
    int err = 0;

    if (!attr->test.ctx_in)
        return 0;
    if (given > size)
        err = ebpf_check_zero_in(caller, attr->test.ctx_in + size, given - size);
    return err ? err : ebpf_copy_in(caller, ctx, attr->test.ctx_in, ebpf_min(given, size));
}

int ebpf_test_ctx_out(union bpf_attr *attr, const struct ebpf_caller *caller, const void *ctx,
                      uint32_t size)
{
    uint32_t part = size;
    int err, short_of_room = 0;

    if (!attr->test.ctx_out)
        return 0;
    if (size > attr->test.ctx_size_out) {
        part = attr->test.ctx_size_out;
        short_of_room = -ENOSPC;
    }
    err = ebpf_copy_out(caller, attr->test.ctx_out, ctx, part);
    attr->test.ctx_size_out = size;
    return err ? err : short_of_room;
}

int ebpf_test_repeat(struct ebpf_prog *prog, union bpf_attr *attr, void *ctx)
{
    uint32_t repeat = attr->test.repeat ? attr->test.repeat : 1;
    uint64_t start = ebpf_os_time_ns(), mean, ret = 0;

    for (uint32_t i = 0; i < repeat; i++) {
        if (!ebpf_prog_run(prog, ctx, 0, &ret))
            return -EBUSY;
    }
    mean = (ebpf_os_time_ns() - start) / repeat;
    attr->test.retval = (uint32_t)ret;
    attr->test.duration = mean > UINT32_MAX ? UINT32_MAX : (uint32_t)mean;
    return 0;
}
