/* SPDX-License-Identifier: MIT */
/* How hash maps are read and changed, for the files of the hash types; maps/hash.h says how they
 * lie in memory, maps/hash.c why it is right. All of it A, interrupts off, in an epoch section
 * unless it says otherwise. */
#ifndef EBPF_MAPS_HASH_INLINE_H
#define EBPF_MAPS_HASH_INLINE_H

#include "maps/hash.h"

#include "maps/fields.h"
#include "maps/mix.h"
#include "maps/value.h"
#include "src/base/bits.h"
#include "src/base/relax.h"

#define COPY_TRIES 4u

/* A key on its way through an operation. */
struct probe {
    const uint8_t *key;
    uint32_t size;
    uint32_t hash;
    uint64_t last; /* the key's last 1 to 8 bytes; for most keys that is all there is to compare */
    uint32_t *bucket;
    struct ebpf_hash_stripe *stripe;
};

static inline uint32_t link_load(const uint32_t *link)
{
    return __atomic_load_n(link, __ATOMIC_ACQUIRE);
}

static inline void link_store(uint32_t *link, uint32_t to)
{
    __atomic_store_n(link, to, __ATOMIC_RELEASE);
}

/* ---- keys ---------------------------------------------------------------------------------- */

static inline struct probe probe_key(const struct ebpf_hash *hash, const void *key)
{
    const uint64_t m1 = EBPF_MIX_1, m2 = EBPF_MIX_2;
    struct probe p = {.key = key, .size = hash->map.key_size};
    const uint8_t *word = key;
    uint32_t left = p.size;
    uint64_t h = hash->seed;

    for (; __builtin_expect(left > 8, 0); left -= 8, word += 8)
        h = ebpf_fold_multiply(h ^ ebpf_word_load(word, 8), m1) + m2;
    p.last = ebpf_word_load(word, left);
    h = ebpf_fold_multiply(h ^ p.last, m2);
    p.hash = (uint32_t)((h ^ h >> 32) * m1 >> 32);
    p.bucket = &hash->buckets[p.hash & hash->bucket_mask];
    p.stripe = &hash->stripes[p.hash & hash->stripe_mask];
    return p;
}

/* A word of an element's key, which is aligned and padded with zeros. */
static inline uint64_t own_word(const uint8_t *own)
{
    return __atomic_load_n(&((const struct ebpf_word *)(const void *)own)->v, __ATOMIC_RELAXED);
}

static inline bool key_matches(const struct ebpf_hash_element *e, const struct probe *p)
{
    const uint8_t *key = p->key, *own = e->key;
    uint32_t left = p->size;

    if (__atomic_load_n(&e->hash, __ATOMIC_RELAXED) != p->hash)
        return false;
    for (; __builtin_expect(left > 8, 0); left -= 8, key += 8, own += 8) {
        if (own_word(own) != ebpf_word_load(key, 8))
            return false;
    }
    return own_word(own) == p->last;
}

/* ---- readers ------------------------------------------------------------------------------- */

static inline uint64_t read_begin(const struct ebpf_hash_stripe *stripe)
{
    return __atomic_load_n(&stripe->state, __ATOMIC_ACQUIRE);
}

/* Has a change been completed since? That the lock is held now, or was then, does not matter. */
static inline bool read_changed(const struct ebpf_hash_stripe *stripe, uint64_t since)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return (__atomic_load_n(&stripe->state, __ATOMIC_RELAXED) ^ since) >> 1 != 0;
}

/* One walk. It may have followed an element into another chain, or round in circles: then the
 * sequence has changed, and looking at it now and then ends the walk. */
static inline struct ebpf_hash_element *walk(const struct ebpf_hash *hash, const struct probe *p,
                                             uint64_t since)
{
    unsigned steps = 0;

    for (uint32_t link = link_load(p->bucket); link;) {
        struct ebpf_hash_element *e = ebpf_hash_element(hash, link);

        if (key_matches(e, p))
            return e;
        if (++steps % 16 == 0 && read_changed(p->stripe, since))
            return NULL;
        link = link_load(&e->next);
    }
    return NULL;
}

/* The element with that key or NULL; what is read from it is right if read_changed(p->stripe,
 * *since) is false afterwards. */
static inline struct ebpf_hash_element *find(const struct ebpf_hash *hash, const struct probe *p,
                                             uint64_t *since)
{
    struct ebpf_hash_element *e;

    do {
        *since = read_begin(p->stripe);
        e = walk(hash, p, *since);
    } while (__builtin_expect(read_changed(p->stripe, *since), 0));
    return e;
}

/* ---- locks and the queue ------------------------------------------------------------------- */

/* Interrupts are off in all of this. Returns false when this hart is inside already. */
static inline bool hart_enter(struct ebpf_hash_hart *hart)
{
    if (__atomic_load_n(&hart->busy, __ATOMIC_RELAXED))
        return false;
    __atomic_store_n(&hart->busy, 1, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* who interrupts a hart sees what the hart has done */
    return true;
}

static inline void hart_leave(struct ebpf_hash_hart *hart)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&hart->busy, 0, __ATOMIC_RELAXED);
}

static inline uint64_t stripe_lock(struct ebpf_hash_stripe *stripe)
{
    for (;;) {
        uint64_t state = __atomic_load_n(&stripe->state, __ATOMIC_RELAXED);

        if (!(state & 1) && __atomic_compare_exchange_n(&stripe->state, &state, state | 1, true,
                                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return state;
        ebpf_cpu_relax();
    }
}

static inline void stripe_unlock(struct ebpf_hash_stripe *stripe, uint64_t state, bool changed)
{
    __atomic_store_n(&stripe->state, state + (changed ? 2 : 0), __ATOMIC_RELEASE);
}

static inline void queue_lock(struct ebpf_hash_queue *queue)
{
    while (__atomic_exchange_n(&queue->lock, 1, __ATOMIC_ACQUIRE)) {
        while (__atomic_load_n(&queue->lock, __ATOMIC_RELAXED))
            ebpf_cpu_relax();
    }
}

static inline void queue_unlock(struct ebpf_hash_queue *queue)
{
    __atomic_store_n(&queue->lock, 0, __ATOMIC_RELEASE);
}

static inline void queue_push(struct ebpf_hash *hash, uint32_t link)
{
    struct ebpf_hash_queue *queue = &hash->queue;

    link_store(&ebpf_hash_element(hash, link)->next, 0);
    if (queue->head)
        link_store(&ebpf_hash_element(hash, queue->tail)->next, link);
    else
        queue->head = link;
    queue->tail = link;
}

static inline uint32_t queue_pop(struct ebpf_hash *hash)
{
    struct ebpf_hash_queue *queue = &hash->queue;
    uint32_t link = queue->head;

    queue->head = link_load(&ebpf_hash_element(hash, link)->next);
    return link;
}

/* ---- writers ------------------------------------------------------------------------------- */

/* Under the stripe's lock: the link that leads to the key's element, or the one that ends the
 * chain. */
static inline uint32_t *find_link(struct ebpf_hash *hash, const struct probe *p)
{
    uint32_t *link = p->bucket;

    while (*link && !key_matches(ebpf_hash_element(hash, *link), p))
        link = &ebpf_hash_element(hash, *link)->next;
    return link;
}

/* Returns the probe for the element's own copy of the key: the given one may lie where another
 * hart changes it. */
static inline struct probe fill_key(const struct ebpf_hash *hash, struct ebpf_hash_element *e,
                                    const uint8_t *key)
{
    uint8_t *own = e->key;
    uint32_t left = hash->map.key_size;
    struct probe p;

    __atomic_thread_fence(__ATOMIC_RELEASE); /* see the head of maps/hash.c */
    for (; left > 8; left -= 8, key += 8, own += 8)
        ebpf_word_store(own, ebpf_word_load(key, 8), 8);
    ebpf_word_store(own, ebpf_word_load(key, left), 8);
    p = probe_key(hash, e->key);
    __atomic_store_n(&e->hash, p.hash, __ATOMIC_RELAXED);
    return p;
}

/* Puts the hart's spare element, which is filled, into the chain at *link, where there is none
 * yet. granted: its place in count is this hart's already (evict). */
static inline int insert(struct ebpf_hash *hash, struct ebpf_hash_hart *hart, uint32_t *bucket,
                         bool granted)
{
    struct ebpf_hash_queue *queue = &hash->queue;
    uint32_t link = hart->spare;

    queue_lock(queue);
    if (!granted && queue->count == hash->map.max_entries) {
        queue_unlock(queue);
        return -E2BIG;
    }
    queue->count += !granted;
    hart->spare = queue_pop(hash);
    queue_unlock(queue);
    link_store(&ebpf_hash_element(hash, link)->next, *bucket);
    link_store(bucket, link);
    return 0;
}

/* Puts the hart's spare element into the place of the one at *link, which is returned. */
static inline uint32_t replace(struct ebpf_hash *hash, struct ebpf_hash_hart *hart, uint32_t *link)
{
    uint32_t old = *link;

    link_store(&ebpf_hash_element(hash, hart->spare)->next, ebpf_hash_element(hash, old)->next);
    link_store(link, hart->spare);
    return old;
}

/* The element has left the map, or is about to be reused: what its value started ends. */
static inline void end_value(struct ebpf_hash *hash, uint32_t link)
{
    if (__builtin_expect(hash->map.timer_off >= 0, 0))
        ebpf_fields_release(&hash->map, ebpf_hash_value(hash, ebpf_hash_element(hash, link)));
}

/* BPF_F_LOCK: into the element of the key that is there, in place. */
static inline void write_locked(struct ebpf_hash *hash, const struct ebpf_hash_hart *hart,
                                uint32_t link)
{
    ebpf_fields_copy_locked(&hash->map, ebpf_hash_value(hash, ebpf_hash_element(hash, link)),
                            ebpf_hash_value(hash, ebpf_hash_element(hash, hart->spare)));
}

/* With the spare filled: 0 or -E*, *old is the link of the element that left the map, 0 if none
 * did. */
static inline int publish(struct ebpf_hash *hash, struct ebpf_hash_hart *hart,
                          const struct probe *p, uint64_t flags, bool granted, uint32_t *old)
{
    uint64_t state = stripe_lock(p->stripe);
    uint32_t *link = find_link(hash, p);
    int err = 0;

    *old = 0;
    if (*link && flags & BPF_NOEXIST)
        err = -EEXIST;
    else if (!*link && flags & BPF_EXIST)
        err = -ENOENT;
    else if (__builtin_expect(*link && flags & BPF_F_LOCK, 0))
        write_locked(hash, hart, *link);
    else if (*link)
        *old = replace(hash, hart, link);
    else
        err = insert(hash, hart, p->bucket, granted);
    stripe_unlock(p->stripe, state, !err);
    return err;
}

/* The element that left the map goes to the queue's end, and its first becomes the hart's spare. */
static inline void recycle(struct ebpf_hash *hash, struct ebpf_hash_hart *hart, uint32_t old)
{
    end_value(hash, old);
    queue_lock(&hash->queue);
    queue_push(hash, old);
    hart->spare = queue_pop(hash);
    queue_unlock(&hash->queue);
}

/* A granted place that was not needed. */
static inline void give_back(struct ebpf_hash *hash)
{
    queue_lock(&hash->queue);
    hash->queue.count--;
    queue_unlock(&hash->queue);
}

#endif /* EBPF_MAPS_HASH_INLINE_H */
