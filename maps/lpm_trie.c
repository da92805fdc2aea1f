/* SPDX-License-Identifier: MIT */
/*
 * BPF_MAP_TYPE_LPM_TRIE: finds the longest of the stored prefixes that a key begins with, e.g. the
 * route for an address. A key is a 32-bit number of bits and then those bits, the first one the
 * highest of the first byte.
 *
 * A binary trie without chains: a node stands for a prefix, its children differ in the next bit.
 * Where two prefixes part at a bit that is none's end, an inner node without a value stands there;
 * it has two children always, so there are fewer of them than prefixes, and 2 * max_entries nodes
 * are enough. All are allocated at creation; NO_PREALLOC is demanded as on Linux all the same.
 *
 * Writers hold the one lock, readers none: each change is one store to one link, as in maps/hash.c,
 * and nodes that left the trie are reused only after the sequence number has advanced, the one that
 * left first first. A reader that sees the number changed starts again.
 */
#include "maps/hash_inline.h"

#include "src/base/alloc.h"

#define MAX_DATA 256u /* bytes of prefix */
#define LEN_SIZE 4u   /* bytes of its length in front */
/* Linux: KMALLOC_MAX_SIZE - LPM_DATA_SIZE_MAX - sizeof(struct lpm_trie_node) */
#define MAX_VALUE (4194304u - MAX_DATA - 24u)
#define SPARES 2u /* nodes per hart more than needed, so that values stay for who holds them */

/* Links are numbers of nodes from 1; 0: none. */
struct node {
    uint32_t child[2];
    uint32_t len;   /* bits */
    uint32_t inner; /* no value; in the queue: unused */
    uint8_t data[]; /* padded to 8; behind it the value */
};

struct trie {
    struct ebpf_map map; /* first */
    void *block;
    size_t bytes;
    struct ebpf_hash_stripe lock;
    uint32_t root, count;
    uint32_t head, tail; /* of unused nodes, linked by child[0] */
    uint32_t max_len, data_size;
    size_t node_size, value_at;
    uint8_t *nodes;
};

/* The caller's key, copied: it may lie where another hart changes it. */
struct prefix {
    uint32_t len;
    uint8_t data[MAX_DATA];
};

static struct trie *trie_of(const struct ebpf_map *map)
{
    return (struct trie *)map;
}

static struct node *node_at(const struct trie *trie, uint32_t link)
{
    return (struct node *)(void *)(trie->nodes + (size_t)(link - 1) * trie->node_size);
}

static uint8_t *value_of(const struct trie *trie, struct node *node)
{
    return (uint8_t *)node + trie->value_at;
}

/* false: longer than keys of this map are. */
static bool take_prefix(const struct trie *trie, const void *key, struct prefix *out)
{
    out->len = (uint32_t)ebpf_word_load(key, LEN_SIZE);
    ebpf_value_copy(out->data, (const uint8_t *)key + LEN_SIZE, trie->data_size);
    return out->len <= trie->max_len;
}

static unsigned bit_at(const uint8_t *data, uint32_t i)
{
    return __atomic_load_n(&data[i / 8], __ATOMIC_RELAXED) >> (7 - i % 8) & 1u;
}

/* How many bits the two have in common, at most as many as each has. */
static uint32_t common(const struct node *node, uint32_t node_len, const struct prefix *p)
{
    uint32_t limit = (uint32_t)ebpf_min(node_len, p->len);

    for (uint32_t i = 0; i * 8 < limit; i++) {
        uint32_t diff = __atomic_load_n(&node->data[i], __ATOMIC_RELAXED) ^ (uint32_t)p->data[i];
        uint32_t bits = i * 8;

        if (!diff)
            continue;
        for (; !(diff & 0x80); diff <<= 1)
            bits++;
        return (uint32_t)ebpf_min(bits, limit);
    }
    return limit;
}

/* ---- readers ------------------------------------------------------------------------------- */

/* One walk; in a trie that changes meanwhile it may go astray, but lengths grow, so it ends. */
static struct node *descend(const struct trie *trie, const struct prefix *p)
{
    struct node *found = NULL;
    uint32_t link = link_load(&trie->root), above = 0;

    while (link) {
        struct node *node = node_at(trie, link);
        uint32_t len = __atomic_load_n(&node->len, __ATOMIC_RELAXED);

        if ((above && len < above) || common(node, len, p) < len)
            break;
        if (!__atomic_load_n(&node->inner, __ATOMIC_RELAXED))
            found = node;
        if (len >= p->len)
            break;
        link = link_load(&node->child[bit_at(p->data, len)]);
        above = len + 1;
    }
    return found;
}

static void *lpm_lookup(struct ebpf_map *map, const void *key)
{
    const struct trie *trie = trie_of(map);
    struct prefix p;
    struct node *node;
    uint64_t since;

    if (!take_prefix(trie, key, &p))
        return NULL;
    do {
        since = read_begin(&trie->lock);
        node = descend(trie, &p);
    } while (__builtin_expect(read_changed(&trie->lock, since), 0));
    return node ? value_of(trie, node) : NULL;
}

/* ---- writers ------------------------------------------------------------------------------- */

struct inside {
    unsigned long irq;
    uint64_t state;
};

static bool enter(struct trie *trie, struct inside *in)
{
    in->irq = ebpf_os_irq_save();
    if (stripe_lock(&trie->lock, &in->state))
        return true;
    ebpf_os_irq_restore(in->irq);
    return false;
}

static void leave(struct trie *trie, const struct inside *in)
{
    stripe_unlock(&trie->lock, in->state, false);
    ebpf_os_irq_restore(in->irq);
}

/* A change is made: from here on nodes that left the trie may go to the queue. */
static void advance(struct trie *trie, struct inside *in)
{
    in->state += 2;
    __atomic_store_n(&trie->lock.state, in->state | 1, __ATOMIC_RELEASE);
}

static void release(struct trie *trie, uint32_t link)
{
    link_store(&node_at(trie, link)->child[0], 0);
    if (trie->head)
        link_store(&node_at(trie, trie->tail)->child[0], link);
    else
        trie->head = link;
    trie->tail = link;
}

/* There is always one: see the head of this file. */
static uint32_t take_node(struct trie *trie, uint32_t len, const uint8_t *data, bool inner)
{
    uint32_t link = trie->head;
    struct node *node = node_at(trie, link);

    trie->head = link_load(&node->child[0]);
    __atomic_thread_fence(__ATOMIC_RELEASE); /* see the head of maps/hash.c */
    link_store(&node->child[0], 0);
    link_store(&node->child[1], 0);
    __atomic_store_n(&node->len, len, __ATOMIC_RELAXED);
    __atomic_store_n(&node->inner, inner, __ATOMIC_RELAXED);
    ebpf_value_copy(node->data, data, trie->data_size);
    return link;
}

/* Where the walk to a prefix ends: at the node that has it, or the one that parts from it, or at no
 * node; and the links to that and to its parent. */
struct place {
    uint32_t *link, *parent_link; /* NULL: no parent */
    uint32_t match;
};

static struct place find_place(struct trie *trie, const struct prefix *p)
{
    struct place at = {&trie->root, NULL, 0};

    while (*at.link) {
        struct node *node = node_at(trie, *at.link);

        at.match = common(node, node->len, p);
        if (at.match != node->len || node->len == p->len)
            break;
        at.parent_link = at.link;
        at.link = &node->child[bit_at(p->data, node->len)];
    }
    return at;
}

static bool is_exact(const struct trie *trie, const struct place *at, const struct prefix *p)
{
    const struct node *node = *at->link ? node_at(trie, *at->link) : NULL;

    return node && node->len == p->len && at->match == p->len;
}

/* A new node with the prefix goes to where none has it: 0 or -E*. */
static int may_add(const struct trie *trie, uint64_t flags)
{
    if (flags == BPF_EXIST)
        return -ENOENT;
    return trie->count == trie->map.max_entries ? -ENOSPC : 0;
}

/* Puts node fresh into the place; what is there becomes its child, its sibling, or is returned
 * because it is replaced. */
static uint32_t link_in(struct trie *trie, struct place *at, const struct prefix *p, uint32_t fresh)
{
    uint32_t old = *at->link, top = fresh;
    struct node *there = old ? node_at(trie, old) : NULL;

    if (there && is_exact(trie, at, p)) {
        link_store(&node_at(trie, fresh)->child[0], there->child[0]);
        link_store(&node_at(trie, fresh)->child[1], there->child[1]);
        link_store(at->link, fresh);
        return old;
    }
    if (there && at->match == p->len) {
        link_store(&node_at(trie, fresh)->child[bit_at(there->data, at->match)], old);
    } else if (there) {
        unsigned bit = bit_at(p->data, at->match);

        top = take_node(trie, at->match, there->data, true);
        link_store(&node_at(trie, top)->child[bit], fresh);
        link_store(&node_at(trie, top)->child[!bit], old);
    }
    link_store(at->link, top);
    return 0;
}

static int update_locked(struct trie *trie, struct inside *in, const struct prefix *p,
                         const void *value, uint64_t flags)
{
    struct place at = find_place(trie, p);
    bool have = is_exact(trie, &at, p) && !node_at(trie, *at.link)->inner;
    int err = have ? (flags == BPF_NOEXIST ? -EEXIST : 0) : may_add(trie, flags);
    uint32_t fresh, old;

    if (err)
        return err;
    fresh = take_node(trie, p->len, p->data, false);
    ebpf_value_copy(value_of(trie, node_at(trie, fresh)), value, trie->map.value_size);
    trie->count += !have;
    old = link_in(trie, &at, p, fresh);
    advance(trie, in);
    if (old)
        release(trie, old);
    return 0;
}

static int lpm_update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags)
{
    struct trie *trie = trie_of(map);
    struct prefix p;
    struct inside in;
    int err;

    if (flags > BPF_EXIST || !take_prefix(trie, key, &p))
        return -EINVAL;
    if (!enter(trie, &in))
        return -EBUSY;
    err = update_locked(trie, &in, &p, value, flags);
    leave(trie, &in);
    return err;
}

static int remove_locked(struct trie *trie, struct inside *in, const struct prefix *p)
{
    struct place at = find_place(trie, p);
    uint32_t gone = *at.link, parent = at.parent_link ? *at.parent_link : 0;
    struct node *node, *above = parent ? node_at(trie, parent) : NULL;

    if (!is_exact(trie, &at, p) || node_at(trie, gone)->inner)
        return -ENOENT;
    node = node_at(trie, gone);
    trie->count--;
    if (node->child[0] && node->child[1]) { /* goes on as an inner node */
        __atomic_store_n(&node->inner, 1, __ATOMIC_RELAXED);
        advance(trie, in);
        return 0;
    }
    if (above && above->inner && !node->child[0] && !node->child[1]) {
        link_store(at.parent_link, above->child[at.link == &above->child[0]]); /* the sibling */
        advance(trie, in);
        release(trie, parent);
    } else {
        link_store(at.link, node->child[0] ? node->child[0] : node->child[1]);
        advance(trie, in);
    }
    release(trie, gone);
    return 0;
}

static int lpm_remove(struct ebpf_map *map, const void *key)
{
    struct trie *trie = trie_of(map);
    struct prefix p;
    struct inside in;
    int err;

    if (!take_prefix(trie, key, &p))
        return -EINVAL;
    if (!enter(trie, &in))
        return -EBUSY;
    err = remove_locked(trie, &in, &p);
    leave(trie, &in);
    return err;
}

/* ---- user mode ----------------------------------------------------------------------------- */

/* Copies once more when the trie changed meanwhile; after a few tries, under the lock. */
static int lpm_lookup_copy(struct ebpf_map *map, const void *key, void *value)
{
    struct trie *trie = trie_of(map);
    struct inside in;
    void *found;

    for (unsigned tries = 0; tries < 4; tries++) {
        uint64_t since = read_begin(&trie->lock);

        found = lpm_lookup(map, key);
        if (!found)
            return -ENOENT;
        ebpf_value_copy(value, found, map->value_size);
        if (!read_changed(&trie->lock, since))
            return 0;
    }
    if (!enter(trie, &in))
        return -EBUSY;
    found = lpm_lookup(map, key); /* nobody changes anything now */
    if (found)
        ebpf_value_copy(value, found, map->value_size);
    leave(trie, &in);
    return found ? 0 : -ENOENT;
}

/* The order is Linux's: what is below a node comes before it, bit 0 before bit 1. Returns the first
 * below link in that order. */
static uint32_t first_below(const struct trie *trie, uint32_t link)
{
    while (link) {
        const struct node *node = node_at(trie, link);
        uint32_t child = node->child[0] ? node->child[0] : node->child[1];

        if (!child)
            break;
        link = child;
    }
    return link;
}

/* p NULL: the first. Behind a prefix that is not there, the first one too. */
static uint32_t next_of(const struct trie *trie, const struct prefix *p)
{
    uint32_t link = trie->root, next = 0;

    while (p && link) {
        const struct node *node = node_at(trie, link);
        unsigned bit;

        if (common(node, node->len, p) != node->len)
            break;
        if (node->len == p->len) {
            if (node->inner)
                break;
            return next;
        }
        bit = bit_at(p->data, node->len);
        if (!bit && node->child[1])
            next = first_below(trie, node->child[1]);
        else if (!node->inner)
            next = link;
        link = node->child[bit];
    }
    return first_below(trie, trie->root);
}

static int lpm_next_key(struct ebpf_map *map, const void *key, void *next)
{
    struct trie *trie = trie_of(map);
    struct prefix p;
    struct inside in;
    bool known = key && take_prefix(trie, key, &p);
    uint32_t link;

    if (!enter(trie, &in))
        return -EBUSY;
    link = next_of(trie, known ? &p : NULL);
    if (link) {
        ebpf_word_store(next, node_at(trie, link)->len, LEN_SIZE);
        ebpf_value_copy((uint8_t *)next + LEN_SIZE, node_at(trie, link)->data, trie->data_size);
    }
    leave(trie, &in);
    return link ? 0 : -ENOENT;
}

/* ---- creation ------------------------------------------------------------------------------ */

static int lpm_check(const struct ebpf_map_spec *spec)
{
    if (spec->max_entries == 0 || !(spec->flags & BPF_F_NO_PREALLOC) ||
        spec->key_size < LEN_SIZE + 1 || spec->key_size > LEN_SIZE + MAX_DATA ||
        spec->value_size == 0 || spec->value_size > MAX_VALUE)
        return -EINVAL;
    return 0;
}

static void set_up(struct trie *trie, const struct ebpf_map_spec *spec, size_t nodes_at,
                   size_t nodes)
{
    trie->data_size = spec->key_size - LEN_SIZE;
    trie->max_len = 8 * trie->data_size;
    trie->nodes = (uint8_t *)trie + nodes_at;
    for (size_t i = 1; i <= nodes; i++) {
        node_at(trie, (uint32_t)i)->inner = 1;
        node_at(trie, (uint32_t)i)->len = 0;
        node_at(trie, (uint32_t)i)->child[1] = 0;
        release(trie, (uint32_t)i);
    }
}

static int lpm_alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out)
{
    size_t cpus = ebpf_os_cpu_count(), nodes = 2 * ((size_t)spec->max_entries + SPARES * cpus);
    size_t nodes_at = EBPF_ROUND_UP(sizeof(struct trie), (size_t)64);
    size_t value_at = sizeof(struct node) + EBPF_ROUND_UP((size_t)spec->key_size - LEN_SIZE, 8);
    size_t node_size = value_at + EBPF_ROUND_UP((size_t)spec->value_size, 8), bytes;
    struct trie *trie;
    void *block;

    if (nodes > UINT32_MAX || !ebpf_mul_ok(node_size, nodes, &bytes) ||
        !ebpf_add_ok(bytes, nodes_at + 64, &bytes))
        return -ENOMEM;
    block = ebpf_alloc(bytes);
    if (!block)
        return -ENOMEM;
    trie = (struct trie *)EBPF_ROUND_UP((uintptr_t)block, (uintptr_t)64);
    memset(trie, 0, nodes_at);
    trie->block = block;
    trie->bytes = bytes;
    trie->node_size = node_size;
    trie->value_at = value_at;
    set_up(trie, spec, nodes_at, nodes);
    *out = &trie->map;
    return 0;
}

static void lpm_free(struct ebpf_map *map)
{
    ebpf_free(trie_of(map)->block, trie_of(map)->bytes);
}

const struct ebpf_map_ops ebpf_map_lpm_trie_ops = {
    .name = "lpm_trie",
    .flags = BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG |
             BPF_F_WRONLY_PROG,
    .inner = true,
    .batches = EBPF_BATCH_LOOKUP | EBPF_BATCH_UPDATE | EBPF_BATCH_DELETE,
    .check = lpm_check,
    .alloc = lpm_alloc,
    .free = lpm_free,
    .lookup = lpm_lookup,
    .update = lpm_update,
    .remove = lpm_remove,
    .lookup_copy = lpm_lookup_copy,
    .update_copy = lpm_update,
    .next_key = lpm_next_key,
};
