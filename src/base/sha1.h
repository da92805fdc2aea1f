/* SPDX-License-Identifier: MIT */
/* SHA-1 (FIPS 180-4), for the tag that identifies a program; not for security. Context A. */
#ifndef EBPF_BASE_SHA1_H
#define EBPF_BASE_SHA1_H

#include <stddef.h>
#include <stdint.h>

void ebpf_sha1(const void *data, size_t len, uint8_t digest[20]);

#endif /* EBPF_BASE_SHA1_H */
