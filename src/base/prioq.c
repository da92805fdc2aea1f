/* SPDX-License-Identifier: MIT */
/*
 * A binary heap whose array is a tree of pointers: numbered from 1 row by row, node n has the
 * children 2n and 2n + 1, so that the bits of n below its highest one are the way from the first
 * node down to it. All rows but the last are full. No node's key is smaller than its parent's.
 */
#include "src/base/prioq.h"

#include <stddef.h>

/* The link to node number n, which exists or is the next one that there will be, and its parent. */
static struct ebpf_prioq_node **link_to(struct ebpf_prioq *queue, uint32_t n,
                                        struct ebpf_prioq_node **parent)
{
    struct ebpf_prioq_node **link = &queue->first;
    uint32_t bit = 1;

    while (bit <= n / 2)
        bit *= 2;
    for (*parent = NULL; bit > 1;) {
        bit /= 2;
        *parent = *link;
        link = &(*link)->child[(n & bit) != 0];
    }
    return link;
}

/* Puts node, whose links are all set, into the place of old, as its neighbours see it. */
static void take_place(struct ebpf_prioq *queue, const struct ebpf_prioq_node *old,
                       struct ebpf_prioq_node *node)
{
    struct ebpf_prioq_node *parent = node->parent;

    if (parent)
        parent->child[parent->child[1] == old] = node;
    else
        queue->first = node;
    for (unsigned side = 0; side < 2; side++) {
        if (node->child[side])
            node->child[side]->parent = node;
    }
}

/* node and its parent change places. */
static void raise(struct ebpf_prioq *queue, struct ebpf_prioq_node *node)
{
    struct ebpf_prioq_node *parent = node->parent, old = *node;
    unsigned side = parent->child[1] == node;

    node->parent = parent->parent;
    node->child[side] = parent;
    node->child[!side] = parent->child[!side];
    take_place(queue, parent, node);
    parent->parent = node;
    for (unsigned i = 0; i < 2; i++) {
        parent->child[i] = old.child[i];
        if (old.child[i])
            old.child[i]->parent = parent;
    }
}

static void sift(struct ebpf_prioq *queue, struct ebpf_prioq_node *node)
{
    while (node->parent && node->key < node->parent->key)
        raise(queue, node);
    for (;;) {
        struct ebpf_prioq_node *least = node->child[0];

        if (least && node->child[1] && node->child[1]->key < least->key)
            least = node->child[1];
        if (!least || least->key >= node->key)
            return;
        raise(queue, least);
    }
}

void ebpf_prioq_insert(struct ebpf_prioq *queue, struct ebpf_prioq_node *node)
{
    *link_to(queue, ++queue->count, &node->parent) = node;
    node->child[0] = node->child[1] = NULL;
    sift(queue, node);
}

/* The last node fills the hole. */
void ebpf_prioq_remove(struct ebpf_prioq *queue, struct ebpf_prioq_node *node)
{
    struct ebpf_prioq_node *parent, **link = link_to(queue, queue->count--, &parent), *last = *link;

    *link = NULL;
    if (last == node)
        return;
    last->parent = node->parent;
    last->child[0] = node->child[0];
    last->child[1] = node->child[1];
    take_place(queue, node, last);
    sift(queue, last);
}
