/* SPDX-License-Identifier: MIT */
/* Copies between the library and a caller's memory. */
#include "src/core/user.h"

#include "src/base/bits.h"

int ebpf_copy_in(const struct ebpf_caller *caller, void *dst, uint64_t src, size_t len)
{
    if (!len)
        return 0;
    if (!caller->kernel)
        return ebpf_os_copy_from_user(dst, src, len);
    if (!src)
        return -EFAULT;
    memcpy(dst, EBPF_PTR(src), len);
    return 0;
}

int ebpf_copy_out(const struct ebpf_caller *caller, uint64_t dst, const void *src, size_t len)
{
    if (!len)
        return 0;
    if (!caller->kernel)
        return ebpf_os_copy_to_user(dst, src, len);
    if (!dst)
        return -EFAULT;
    memcpy(EBPF_PTR(dst), src, len);
    return 0;
}

/* Byte by byte: what lies behind the end of the string may not be readable. */
int ebpf_copy_string_in(const struct ebpf_caller *caller, char *dst, uint64_t src, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        int err = ebpf_copy_in(caller, &dst[i], src + i, 1);

        if (err)
            return err;
        if (!dst[i])
            return 0;
    }
    dst[size - 1] = 0;
    return 0;
}

int ebpf_check_zero_in(const struct ebpf_caller *caller, uint64_t src, size_t len)
{
    uint8_t part[64];

    for (size_t done = 0; done < len; done += sizeof(part)) {
        size_t now = ebpf_min(len - done, sizeof(part));
        int err = ebpf_copy_in(caller, part, src + done, now);

        if (err)
            return err;
        if (!ebpf_all_zero(part, now))
            return -E2BIG;
    }
    return 0;
}
