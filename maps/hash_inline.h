/* SPDX-License-Identifier: MIT */
/* How hash maps are read and changed, for the files of the hash types; maps/hash.h says how they
 * lie in memory, maps/hash.c why it is right. All of it A, interrupts off, in an epoch section
 * unless it says otherwise. */
#ifndef EBPF_MAPS_HASH_INLINE_H
#define EBPF_MAPS_HASH_INLINE_H

#include "maps/hash.h"

#include "maps/fields.h"
#include "maps/mix.h"
#include "maps/spin_lock.h"
#include "maps/value.h"
#include "src/base/bits.h"
#include "src/base/order.h"
#include "src/base/relax.h"

/* For what is worth its room in line, which compilers find too large. */
#define HOT static inline __attribute__((always_inline))

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
#if defined(__SANITIZE_THREAD__)
    return __atomic_load_n(link, __ATOMIC_ACQUIRE);
#else
    uint32_t to = ebpf_load_relaxed(link);

    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return to;
#endif
}

static inline void link_store(uint32_t *link, uint32_t to)
{
    ebpf_store_release(link, to);
}

/* ---- keys ---------------------------------------------------------------------------------- */

/* A word of an element's key, which is aligned and padded with zeros. */
static inline void set_own_word(uint8_t *own, uint64_t word)
{
    ebpf_store_relaxed(&((struct ebpf_word *)(void *)own)->v, word);
}

/* own: an element's key, to be filled with this one; NULL: none. */
HOT struct probe hash_key(const struct ebpf_hash *hash, const uint8_t *key, uint8_t *own)
{
    const uint64_t m1 = EBPF_MIX_1, m2 = EBPF_MIX_2;
    struct probe p = {.key = own ? own : key, .size = hash->map.key_size};
    uint32_t left = p.size;
    uint64_t h = hash->seed;

    for (; __builtin_expect(left > 8, 0); left -= 8, key += 8) {
        uint64_t word = ebpf_word_load(key, 8);

        if (own) {
            set_own_word(own, word);
            own += 8;
        }
        h = ebpf_fold_multiply(h ^ word, m1) + m2;
    }
    p.last = ebpf_word_load(key, left);
    if (own)
        set_own_word(own, p.last);
    h = ebpf_fold_multiply(h ^ p.last, m2);
    h = (h ^ h >> 32) * m1 >> 32;
    p.hash = (uint32_t)h;
    p.bucket = &hash->buckets[h & hash->bucket_mask];
    p.stripe = &ebpf_hash_stripes(hash)[h & hash->stripe_mask];
    return p;
}

HOT struct probe probe_key(const struct ebpf_hash *hash, const void *key)
{
    return hash_key(hash, key, NULL);
}

HOT bool key_matches(const struct ebpf_hash_element *e, const struct probe *p)
{
    const uint8_t *key = p->key, *own = e->key;
    uint32_t left = p->size;

    if (ebpf_load_relaxed(&e->hash) != p->hash)
        return false;
    for (; __builtin_expect(left > 8, 0); left -= 8, key += 8, own += 8) {
        if (ebpf_word_at(own) != ebpf_word_load(key, 8))
            return false;
    }
    return ebpf_word_at(own) == p->last;
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

/* Interrupts are off in all of this. False: whoever has the lock does not let go; see
 * ebpf_spin_try(). */
HOT bool stripe_lock(struct ebpf_hash_stripe *stripe, uint64_t *state)
{
    uint32_t left = EBPF_SPIN_PATIENCE;

    for (;;) {
        *state = __atomic_fetch_or(&stripe->state, 1, __ATOMIC_ACQUIRE);
        if (__builtin_expect(!(*state & 1), 1))
            return true;
        while (__atomic_load_n(&stripe->state, __ATOMIC_RELAXED) & 1) {
            ebpf_cpu_relax();
            if (!--left)
                return false;
        }
    }
}

static inline void stripe_unlock(struct ebpf_hash_stripe *stripe, uint64_t state, bool changed)
{
    ebpf_store_release(&stripe->state, state + 2 * (uint64_t)changed);
}

/* The front element of the queue, for the caller to fill; 0: there is none now, or the lock is not
 * to be had. */
HOT uint32_t take_element(struct ebpf_hash *hash)
{
    struct ebpf_hash_queue *queue = &hash->queue;
    uint32_t link;

    if (!ebpf_spin_try(&queue->lock))
        return 0;
    link = queue->head;
    if (__builtin_expect(link != 0, 1))
        queue->head = ebpf_hash_element(hash, link)->next;
    ebpf_spin_unlock(&queue->lock);
    return link;
}

/* Puts an element that nobody has seen back where take_element() found it. */
static inline void untake_element(struct ebpf_hash *hash, uint32_t link)
{
    struct ebpf_hash_queue *queue = &hash->queue;

    ebpf_spin_lock(&queue->lock);
    link_store(&ebpf_hash_element(hash, link)->next, queue->head);
    if (!queue->head)
        queue->tail = link;
    queue->head = link;
    ebpf_spin_unlock(&queue->lock);
}

/* With the queue's lock: the element goes to the end. Readers may still be at it, and at the last
 * one: the release is for both. */
static inline void queue_push(struct ebpf_hash *hash, uint32_t link)
{
    struct ebpf_hash_queue *queue = &hash->queue;

    link_store(&ebpf_hash_element(hash, link)->next, 0);
    if (__builtin_expect(queue->head != 0, 1))
        ebpf_store_relaxed(&ebpf_hash_element(hash, queue->tail)->next, link);
    else
        queue->head = link;
    queue->tail = link;
}

/* The element is in no chain any more, and its stripe's sequence says so. */
HOT void give_element(struct ebpf_hash *hash, uint32_t link)
{
    ebpf_spin_lock(&hash->queue.lock);
    queue_push(hash, link);
    ebpf_spin_unlock(&hash->queue.lock);
}

/* A place in count for a new key; false: the map is full. */
HOT bool take_place(struct ebpf_hash *hash)
{
    uint32_t count = __atomic_load_n(&hash->queue.count, __ATOMIC_RELAXED);

    do {
        if (count >= hash->map.max_entries)
            return false;
    } while (!__atomic_compare_exchange_n(&hash->queue.count, &count, count + 1, true,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return true;
}

static inline void give_place(struct ebpf_hash *hash)
{
    __atomic_fetch_sub(&hash->queue.count, 1, __ATOMIC_RELAXED);
}

/* ---- LRU: who has been used ------------------------------------------------------------------ */

#define EBPF_LRU_USES 3u /* are counted */

/* Somebody uses the element. Two harts at once may count as one. */
static inline void lru_use(const struct ebpf_hash *hash, struct ebpf_hash_element *e)
{
    struct ebpf_hash_extra *extra = ebpf_hash_extra(hash, e);
    uint32_t ref = __atomic_load_n(&extra->ref, __ATOMIC_RELAXED);

    if (ref < EBPF_LRU_USES)
        __atomic_store_n(&extra->ref, ref + 1, __ATOMIC_RELAXED);
}

/* A new key has come, with this element. */
static inline void lru_remember(struct ebpf_hash *hash, uint32_t element)
{
    uint32_t at = __atomic_fetch_add(&hash->recent_at, 1, __ATOMIC_RELAXED) % hash->recent_count;

    __atomic_store_n(&hash->recent[at], element, __ATOMIC_RELAXED);
}

/* ---- writers ------------------------------------------------------------------------------- */

/* Under the stripe's lock: the link that leads to the key's element, or the one that ends the
 * chain. */
HOT uint32_t *find_link(struct ebpf_hash *hash, const struct probe *p)
{
    uint32_t *link = p->bucket;

    while (*link && !key_matches(ebpf_hash_element(hash, *link), p))
        link = &ebpf_hash_element(hash, *link)->next;
    return link;
}

/* Returns the probe for the element's own copy of the key: the given one may lie where another
 * hart changes it. That the contents of an element which was taken out are stored behind the
 * sequence that says so (maps/hash.c) is due to the fence in take_element()'s unlocking. */
HOT struct probe fill_key(const struct ebpf_hash *hash, uint32_t link, const void *key)
{
    struct ebpf_hash_element *e = ebpf_hash_element(hash, link);
    struct probe p = hash_key(hash, key, e->key);

    ebpf_store_relaxed(&e->hash, p.hash);
    return p;
}

/* With the stripe's lock: the element comes in front of the one at *link, or with replaces in its
 * place. */
static inline void link_element(struct ebpf_hash *hash, uint32_t element, uint32_t *link,
                                bool replaces)
{
    uint32_t next = replaces ? ebpf_hash_element(hash, *link)->next : *link;

    ebpf_store_relaxed(&ebpf_hash_element(hash, element)->next, next);
    link_store(link, element);
}

/* The element has left the map, or is about to be reused: what its value started ends. */
static inline void end_value(struct ebpf_hash *hash, uint32_t link)
{
    if (__builtin_expect(hash->map.timer_off >= 0, 0))
        ebpf_fields_release(&hash->map, ebpf_hash_value(hash, ebpf_hash_element(hash, link)));
}

/* BPF_F_LOCK: into the element of the key that is there, in place. */
static inline void write_locked(struct ebpf_hash *hash, uint32_t element, uint32_t link)
{
    ebpf_fields_copy_locked(&hash->map, ebpf_hash_value(hash, ebpf_hash_element(hash, link)),
                            ebpf_hash_value(hash, ebpf_hash_element(hash, element)));
}

/* How publish() is asked. */
#define GRANTED 1u /* a new key's place in count is the caller's already (evict) */
#define PLAIN 2u   /* values hold no locks and no timers: nothing outside is called */

/* Puts the element, which is filled, into the map: 0 or -E*. *rest: what has to go to the queue:
 * the element that was in its place, or itself where it is not needed; 0: none. */
HOT int publish(struct ebpf_hash *hash, uint32_t element, const struct probe *p, uint64_t flags,
                unsigned how, uint32_t *rest)
{
    uint64_t state;
    uint32_t *link, old;
    int err = 0;

    *rest = element;
    if (!stripe_lock(p->stripe, &state))
        return -EBUSY;
    link = find_link(hash, p);
    old = *link;
    if (old && flags & BPF_NOEXIST) {
        err = -EEXIST;
    } else if (!old && flags & BPF_EXIST) {
        err = -ENOENT;
    } else if (!(how & PLAIN) && old && flags & BPF_F_LOCK) {
        write_locked(hash, element, old);
    } else if (!old && !(how & GRANTED) && !take_place(hash)) {
        err = -E2BIG;
    } else {
        link_element(hash, element, old ? link : p->bucket, old != 0);
        *rest = old;
    }
    stripe_unlock(p->stripe, state, !err);
    return err;
}

/* What publish() left over of putting the element into the map. */
static inline void recycle(struct ebpf_hash *hash, uint32_t element, uint32_t rest, unsigned how)
{
    if (rest == element) {
        untake_element(hash, rest);
    } else if (rest) {
        if (!(how & PLAIN))
            end_value(hash, rest);
        give_element(hash, rest);
    }
}

#endif /* EBPF_MAPS_HASH_INLINE_H */
