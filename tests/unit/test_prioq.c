/* SPDX-License-Identifier: MIT */
/* The priority queue against a plain array: random keys put in and taken out, from the middle too. */
#include "src/base/prioq.h"
#include "tests/unit/test.h"

#define NODES 200

static uint32_t draw(uint32_t *state, uint32_t below)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % below;
}

/* Links agree both ways, and no child comes before its parent. */
static unsigned check_below(const struct ebpf_prioq_node *node)
{
    unsigned count = 1;

    for (unsigned i = 0; i < 2; i++) {
        const struct ebpf_prioq_node *child = node->child[i];

        if (!child)
            continue;
        CHECK(child->parent == node);
        CHECK(child->key >= node->key);
        count += check_below(child);
    }
    return count;
}

TEST(prioq_gives_the_smallest_key_whatever_goes_in_and_out)
{
    static struct ebpf_prioq_node nodes[NODES];
    bool in[NODES] = {false};
    struct ebpf_prioq queue = {0};
    uint32_t state = 1, count = 0;

    for (unsigned step = 0; step < 20000; step++) {
        uint32_t n = draw(&state, step / 5000 % 2 ? NODES : 9);
        uint64_t least = UINT64_MAX;

        if (in[n]) {
            ebpf_prioq_remove(&queue, &nodes[n]);
            count--;
        } else {
            nodes[n].key = draw(&state, 50);
            ebpf_prioq_insert(&queue, &nodes[n]);
            count++;
        }
        in[n] = !in[n];
        for (unsigned i = 0; i < NODES; i++)
            least = in[i] && nodes[i].key < least ? nodes[i].key : least;
        CHECK_EQ(queue.count, count);
        CHECK_EQ(queue.first ? queue.first->key : UINT64_MAX, least);
        if (queue.first) {
            CHECK(!queue.first->parent);
            CHECK_EQ(check_below(queue.first), count);
        }
    }
}
