/* SPDX-License-Identifier: MIT */
/* Dynptrs: memory whose bounds the program does not know, in 16 bytes of its stack that only
 * helpers look into (Linux: struct bpf_dynptr). Context A. */
#ifndef EBPF_HELPERS_DYNPTR_H
#define EBPF_HELPERS_DYNPTR_H

#include <stdint.h>

enum ebpf_dynptr_type { EBPF_DYNPTR_NONE, EBPF_DYNPTR_LOCAL, EBPF_DYNPTR_RINGBUF };

#define EBPF_DYNPTR_MAX ((1u << 24) - 1) /* bytes; Linux: DYNPTR_MAX_SIZE */

struct ebpf_dynptr {
    uint8_t *data; /* NULL: of nothing */
    uint32_t size;
    uint32_t type;
};

static inline void ebpf_dynptr_clear(struct ebpf_dynptr *dynptr)
{
    dynptr->data = 0;
    dynptr->size = dynptr->type = 0;
}

#endif /* EBPF_HELPERS_DYNPTR_H */
