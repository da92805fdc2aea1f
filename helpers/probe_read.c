/* SPDX-License-Identifier: MIT */
/*
 * Helpers 4 and 112 to 115: bpf_probe_read_*(). r1: destination, r2: its size, r3: the address.
 *
 * Number 4 does not say whose address it is given. Linux for RISC-V decides by the address, since
 * the two ranges do not overlap there; the library does not know the ranges, but the hook refuses
 * a user address when asked for a kernel one, so trying both comes to the same.
 */
#include "helpers/probe_read.h"

#include "helpers/helper.h"
#include "helpers/types.h"
#include "src/base/bits.h"

#define CHUNK 64u /* a string is read in aligned pieces of this size, which lie in one page each */

static int read_memory(void *dst, uint64_t src, size_t len, enum ebpf_space space)
{
    if (src + (len - 1) < src)
        return -EFAULT;
    if (space != EBPF_SPACE_USER && !ebpf_os_probe_read(dst, src, len, false))
        return 0;
    if (space != EBPF_SPACE_KERNEL && !ebpf_os_probe_read(dst, src, len, true))
        return 0;
    return -EFAULT;
}

int ebpf_probe_read(void *dst, uint32_t size, uint64_t src, enum ebpf_space space)
{
    int err = size ? read_memory(dst, src, size, space) : 0;

    if (err)
        memset(dst, 0, size);
    return err;
}

/*
 * One piece of a string: reads up to the next multiple of CHUNK, by single bytes where that fails
 * (memory may be protected in smaller units than pages). Returns how many bytes of chunk are
 * good, 0 if not even the first can be read.
 */
static size_t read_chunk(char chunk[CHUNK], uint64_t src, size_t max, enum ebpf_space space)
{
    size_t len = ebpf_min(CHUNK - src % CHUNK, max), got = 0;

    if (!read_memory(chunk, src, len, space))
        return len;
    while (got < len && !read_memory(chunk + got, src + got, 1, space)) {
        if (!chunk[got++])
            break;
    }
    return got;
}

int64_t ebpf_probe_read_str(char *dst, uint32_t size, uint64_t src, enum ebpf_space space)
{
    char chunk[CHUNK];
    size_t done = 0;

    while (done < size) {
        size_t got = read_chunk(chunk, src + done, size - done, space);
        size_t len = ebpf_strnlen(chunk, got);

        if (!got) {
            memset(dst, 0, size);
            return -EFAULT;
        }
        memcpy(dst + done, chunk, len);
        done += len;
        if (len < got) {
            dst[done] = 0;
            return (int64_t)done + 1;
        }
    }
    if (size)
        dst[size - 1] = 0;
    return size;
}

/* ---- the helpers --------------------------------------------------------------------------- */

EBPF_HELPER_FN(probe_read)
{
    return ebpf_reg_int(ebpf_probe_read(ebpf_reg_ptr(r1), (uint32_t)r2, r3, EBPF_SPACE_ANY));
}

EBPF_HELPER_FN(probe_read_user)
{
    return ebpf_reg_int(ebpf_probe_read(ebpf_reg_ptr(r1), (uint32_t)r2, r3, EBPF_SPACE_USER));
}

EBPF_HELPER_FN(probe_read_kernel)
{
    return ebpf_reg_int(ebpf_probe_read(ebpf_reg_ptr(r1), (uint32_t)r2, r3, EBPF_SPACE_KERNEL));
}

EBPF_HELPER_FN(probe_read_user_str)
{
    return ebpf_reg_int(ebpf_probe_read_str(ebpf_reg_ptr(r1), (uint32_t)r2, r3, EBPF_SPACE_USER));
}

EBPF_HELPER_FN(probe_read_kernel_str)
{
    return ebpf_reg_int(ebpf_probe_read_str(ebpf_reg_ptr(r1), (uint32_t)r2, r3, EBPF_SPACE_KERNEL));
}

#define PROBE_READ(fn_name, type_mask)                       \
    const struct ebpf_helper ebpf_helper_##fn_name = {       \
        .name = #fn_name,                                    \
        .fn = fn_name,                                       \
        .arg = {ARG_MEM_WR, ARG_SIZE_OR_ZERO, ARG_ANYTHING}, \
        .gpl_only = true,                                    \
        .caps = EBPF_CAP_PERFMON,                            \
        .types = type_mask,                                  \
    }

PROBE_READ(probe_read, TRACING_PROGS);
PROBE_READ(probe_read_user, 0);
PROBE_READ(probe_read_kernel, 0);
PROBE_READ(probe_read_user_str, 0);
PROBE_READ(probe_read_kernel_str, 0);
