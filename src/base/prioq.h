/* SPDX-License-Identifier: MIT */
/*
 * A priority queue of nodes that lie in other structs: the one with the smallest key is found at
 * once, putting in and taking out any node takes log2(count) steps, always. Nothing is allocated.
 * Nodes with equal keys come in no certain order. Whoever uses it has a lock. Context A.
 */
#ifndef EBPF_BASE_PRIOQ_H
#define EBPF_BASE_PRIOQ_H

#include <stdint.h>

struct ebpf_prioq_node {
    uint64_t key;
    struct ebpf_prioq_node *parent, *child[2];
};

/* All zeros is an empty one. */
struct ebpf_prioq {
    struct ebpf_prioq_node *first; /* smallest key; NULL: none */
    uint32_t count;
};

void ebpf_prioq_insert(struct ebpf_prioq *queue, struct ebpf_prioq_node *node);
void ebpf_prioq_remove(struct ebpf_prioq *queue, struct ebpf_prioq_node *node);

#endif /* EBPF_BASE_PRIOQ_H */
