/* SPDX-License-Identifier: MIT */
/*
 * BPF_MAP_TYPE_HASH: everything preallocated, lookups without a lock.
 *
 * One block of memory holds it all and lives until the map's grace period is over, so a stale
 * pointer into it is never wild: struct ebpf_hash | harts[] | stripes[] | buckets[] | elements[]
 * (maps/hash.h). Links are 32-bit: distance from the block's start in units of 8 bytes; 0 ends a
 * chain.
 *
 * Elements. max_entries can be in the map. Each hart owns a spare one besides, which an update
 * fills before it takes any lock and then links in place of the old element: the old value stays
 * as it is for programs that hold a pointer to it. Elements that left the map go to the end of a
 * queue and are taken from its front, so memory is reused as late as possible; RESERVE more per
 * hart keep the queue from running dry in a full map. (Linux reuses a replaced element with the
 * hart's next update.)
 *
 * Writers hold the lock of the bucket's stripe (stripe s guards the buckets s, s + stripes, ...),
 * inside it possibly the queue's lock; both with interrupts off. While one is held nothing
 * outside this file is called, so no probe can run a program there; harts[].busy makes sure all
 * the same: a nested writer on the same hart gets -EBUSY.
 *
 * Readers take no lock. A stripe's state is a sequence number that each change of one of its
 * chains advances when the lock is released. One change is one store to one link: a reader in the
 * middle of it sees the chain from before or the one from after. Only after the release may the
 * element that was unlinked go to the queue and be filled again or linked elsewhere. So if the
 * sequence is the same before and after a walk, no element of the walk was reused, and the answer
 * (found, or not there) was right at some moment between the two; if not, the walk starts again.
 * What makes this hold on a weakly ordered machine: links are stored with release, and a release
 * fence stands between taking an element from the queue and filling it, so whoever sees new
 * contents sees the advanced sequence too.
 */
#include "maps/hash.h"

#include "maps/value.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/base/relax.h"

#define CACHE_LINE 64u
#define MAX_STRIPES 128u
#define RESERVE 1u                   /* elements per hart besides its spare */
#define MAX_BYTES (8ull << 32)       /* what links can address */
#define MAX_ENTRIES (1u << 27)       /* Linux: 16-byte buckets in less than 2^32 bytes */
#define MAX_ELEMENT (4194304u - 48u) /* Linux: KMALLOC_MAX_SIZE - sizeof(struct htab_elem) */
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

/* Both halves of a 128-bit product, folded: on RV64 one mul and one mulhu. */
static inline uint64_t fold_multiply(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline struct probe probe_key(const struct ebpf_hash *hash, const void *key)
{
    /* numbers without a pattern: the fractions of the golden ratio and of sqrt(3) */
    const uint64_t m1 = 0x9e3779b97f4a7c15u, m2 = 0xbb67ae8584caa73bu;
    struct probe p = {.key = key, .size = hash->map.key_size};
    const uint8_t *word = key;
    uint32_t left = p.size;
    uint64_t h = hash->seed;

    for (; __builtin_expect(left > 8, 0); left -= 8, word += 8)
        h = fold_multiply(h ^ ebpf_word_load(word, 8), m1) + m2;
    p.last = ebpf_word_load(word, left);
    h = fold_multiply(h ^ p.last, m2);
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
static struct ebpf_hash_element *walk(const struct ebpf_hash *hash, const struct probe *p,
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

static void *hash_lookup(struct ebpf_map *map, const void *key)
{
    const struct ebpf_hash *hash = ebpf_hash_of(map);
    struct probe p = probe_key(hash, key);
    uint64_t since;
    struct ebpf_hash_element *e = find(hash, &p, &since);

    return e ? ebpf_hash_value(hash, e) : NULL;
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

static uint64_t stripe_lock(struct ebpf_hash_stripe *stripe)
{
    for (;;) {
        uint64_t state = __atomic_load_n(&stripe->state, __ATOMIC_RELAXED);

        if (!(state & 1) && __atomic_compare_exchange_n(&stripe->state, &state, state | 1, true,
                                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return state;
        ebpf_cpu_relax();
    }
}

static void stripe_unlock(struct ebpf_hash_stripe *stripe, uint64_t state, bool changed)
{
    __atomic_store_n(&stripe->state, state + (changed ? 2 : 0), __ATOMIC_RELEASE);
}

static void queue_lock(struct ebpf_hash_queue *queue)
{
    while (__atomic_exchange_n(&queue->lock, 1, __ATOMIC_ACQUIRE)) {
        while (__atomic_load_n(&queue->lock, __ATOMIC_RELAXED))
            ebpf_cpu_relax();
    }
}

static void queue_unlock(struct ebpf_hash_queue *queue)
{
    __atomic_store_n(&queue->lock, 0, __ATOMIC_RELEASE);
}

static void queue_push(struct ebpf_hash *hash, uint32_t link)
{
    struct ebpf_hash_queue *queue = &hash->queue;

    link_store(&ebpf_hash_element(hash, link)->next, 0);
    if (queue->head)
        link_store(&ebpf_hash_element(hash, queue->tail)->next, link);
    else
        queue->head = link;
    queue->tail = link;
}

static uint32_t queue_pop(struct ebpf_hash *hash)
{
    struct ebpf_hash_queue *queue = &hash->queue;
    uint32_t link = queue->head;

    queue->head = link_load(&ebpf_hash_element(hash, link)->next);
    return link;
}

/* ---- writers ------------------------------------------------------------------------------- */

/* Under the stripe's lock: the link that leads to the key's element, or the one that ends the
 * chain. */
static uint32_t *find_link(struct ebpf_hash *hash, const struct probe *p)
{
    uint32_t *link = p->bucket;

    while (*link && !key_matches(ebpf_hash_element(hash, *link), p))
        link = &ebpf_hash_element(hash, *link)->next;
    return link;
}

/* Returns the probe for the element's own copy of the key: the given one may lie where another
 * hart changes it. */
static struct probe fill(const struct ebpf_hash *hash, struct ebpf_hash_element *e,
                         const uint8_t *key, const void *value)
{
    uint8_t *own = e->key;
    uint32_t left = hash->map.key_size;
    struct probe p;

    __atomic_thread_fence(__ATOMIC_RELEASE); /* see the head of this file */
    for (; left > 8; left -= 8, key += 8, own += 8)
        ebpf_word_store(own, ebpf_word_load(key, 8), 8);
    ebpf_word_store(own, ebpf_word_load(key, left), 8);
    ebpf_value_copy(ebpf_hash_value(hash, e), value, hash->map.value_size);
    p = probe_key(hash, e->key);
    __atomic_store_n(&e->hash, p.hash, __ATOMIC_RELAXED);
    return p;
}

/* Puts the hart's spare element, which is filled, into the chain at *link, where there is none
 * yet. */
static int insert(struct ebpf_hash *hash, struct ebpf_hash_hart *hart, uint32_t *bucket)
{
    struct ebpf_hash_queue *queue = &hash->queue;
    uint32_t link = hart->spare;

    queue_lock(queue);
    if (queue->count == hash->map.max_entries) {
        queue_unlock(queue);
        return -E2BIG;
    }
    queue->count++;
    hart->spare = queue_pop(hash);
    queue_unlock(queue);
    link_store(&ebpf_hash_element(hash, link)->next, *bucket);
    link_store(bucket, link);
    return 0;
}

/* Puts the hart's spare element into the place of the one at *link, which is returned. */
static uint32_t replace(struct ebpf_hash *hash, struct ebpf_hash_hart *hart, uint32_t *link)
{
    uint32_t old = *link;

    link_store(&ebpf_hash_element(hash, hart->spare)->next, ebpf_hash_element(hash, old)->next);
    link_store(link, hart->spare);
    return old;
}

/* With the spare filled: 0 or -E*, *old is the link of the element that left the map, 0 if none
 * did. */
static int publish(struct ebpf_hash *hash, struct ebpf_hash_hart *hart, const struct probe *p,
                   uint64_t flags, uint32_t *old)
{
    uint64_t state = stripe_lock(p->stripe);
    uint32_t *link = find_link(hash, p);
    int err = 0;

    *old = 0;
    if (*link && flags == BPF_NOEXIST)
        err = -EEXIST;
    else if (!*link && flags == BPF_EXIST)
        err = -ENOENT;
    else if (*link)
        *old = replace(hash, hart, link);
    else
        err = insert(hash, hart, p->bucket);
    stripe_unlock(p->stripe, state, !err);
    return err;
}

static int hash_update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags)
{
    struct ebpf_hash *hash = ebpf_hash_of(map);
    struct ebpf_hash_hart *hart = &hash->harts[ebpf_os_cpu_id()];
    struct probe p;
    uint32_t old;
    int err;

    if (flags > BPF_EXIST) /* BPF_F_LOCK too: no value here has a struct bpf_spin_lock */
        return -EINVAL;
    if (!hart_enter(hart))
        return -EBUSY;
    p = fill(hash, ebpf_hash_element(hash, hart->spare), key, value);
    err = publish(hash, hart, &p, flags, &old);
    if (old) {
        queue_lock(&hash->queue);
        queue_push(hash, old);
        hart->spare = queue_pop(hash);
        queue_unlock(&hash->queue);
    }
    hart_leave(hart);
    return err;
}

static int hash_remove(struct ebpf_map *map, const void *key)
{
    struct ebpf_hash *hash = ebpf_hash_of(map);
    struct ebpf_hash_hart *hart = &hash->harts[ebpf_os_cpu_id()];
    struct probe p = probe_key(hash, key);
    uint64_t state;
    uint32_t *link, old;

    if (!hart_enter(hart))
        return -EBUSY;
    state = stripe_lock(p.stripe);
    link = find_link(hash, &p);
    old = *link;
    if (old)
        link_store(link, ebpf_hash_element(hash, old)->next);
    stripe_unlock(p.stripe, state, old != 0);
    if (old) {
        queue_lock(&hash->queue);
        queue_push(hash, old);
        hash->queue.count--;
        queue_unlock(&hash->queue);
    }
    hart_leave(hart);
    return old ? 0 : -ENOENT;
}

/* ---- user mode ----------------------------------------------------------------------------- */

/* When others change the chain faster than the value can be copied. */
static int copy_locked(struct ebpf_hash *hash, const struct probe *p, void *value)
{
    struct ebpf_hash_hart *hart = &hash->harts[ebpf_os_cpu_id()];
    uint64_t state;
    uint32_t link;

    if (!hart_enter(hart))
        return -EBUSY;
    state = stripe_lock(p->stripe);
    link = *find_link(hash, p);
    if (link)
        ebpf_value_copy(value, ebpf_hash_value(hash, ebpf_hash_element(hash, link)),
                        hash->map.value_size);
    stripe_unlock(p->stripe, state, false);
    hart_leave(hart);
    return link ? 0 : -ENOENT;
}

static int hash_lookup_copy(struct ebpf_map *map, const void *key, void *value)
{
    struct ebpf_hash *hash = ebpf_hash_of(map);
    struct probe p = probe_key(hash, key);
    uint64_t since;

    for (unsigned tries = 0; tries < COPY_TRIES; tries++) {
        struct ebpf_hash_element *e = find(hash, &p, &since);

        if (!e)
            return -ENOENT;
        ebpf_value_copy(value, ebpf_hash_value(hash, e), map->value_size);
        if (!read_changed(p.stripe, since))
            return 0;
    }
    return copy_locked(hash, &p, value);
}

/* The key of the first element in the buckets from number bucket on. */
static int first_from(const struct ebpf_hash *hash, size_t bucket, void *next)
{
    while (bucket <= hash->bucket_mask) {
        const struct ebpf_hash_stripe *stripe = &hash->stripes[bucket & hash->stripe_mask];
        uint64_t since = read_begin(stripe);
        uint32_t link = link_load(&hash->buckets[bucket]);

        if (!link) {
            bucket++;
            continue;
        }
        ebpf_value_copy(next, ebpf_hash_element(hash, link)->key, hash->map.key_size);
        if (!read_changed(stripe, since))
            return 0;
    }
    return -ENOENT;
}

/* Like Linux, starts again with the first key when the given one is not there (any more). */
static int hash_next_key(struct ebpf_map *map, const void *key, void *next)
{
    const struct ebpf_hash *hash = ebpf_hash_of(map);
    struct probe p;
    struct ebpf_hash_element *e;
    uint64_t since;
    uint32_t link;

    if (!key)
        return first_from(hash, 0, next);
    p = probe_key(hash, key);
    do {
        e = find(hash, &p, &since);
        if (!e)
            return first_from(hash, 0, next);
        link = link_load(&e->next);
        if (link)
            ebpf_value_copy(next, ebpf_hash_element(hash, link)->key, map->key_size);
    } while (read_changed(p.stripe, since));
    return link ? 0 : first_from(hash, (size_t)(p.hash & hash->bucket_mask) + 1, next);
}

/* ---- creation ------------------------------------------------------------------------------ */

static int hash_check(const struct ebpf_map_spec *spec)
{
    if (spec->max_entries == 0 || spec->key_size == 0 || spec->value_size == 0)
        return -EINVAL;
    if ((uint64_t)spec->key_size + spec->value_size >= MAX_ELEMENT ||
        spec->max_entries > MAX_ENTRIES)
        return -E2BIG;
    return 0;
}

/* A power of two, at least 3/4 of max_entries: chains of 1.33 elements at most when the map is
 * full. */
static uint32_t bucket_count(uint32_t max_entries)
{
    uint32_t count = 1;

    while (count < max_entries - max_entries / 4)
        count *= 2;
    return count;
}

/* Where everything lies in the block, as distances from its start. */
struct layout {
    uint32_t buckets, stripes;
    size_t harts_at, stripes_at, buckets_at, elements_at;
    size_t element_size, elements, end;
};

static int make_layout(const struct ebpf_map_spec *spec, struct layout *l)
{
    unsigned cpus = ebpf_os_cpu_count();
    size_t bytes;

    l->buckets = bucket_count(spec->max_entries);
    l->stripes = l->buckets < MAX_STRIPES ? l->buckets : MAX_STRIPES;
    l->harts_at = sizeof(struct ebpf_hash);
    l->stripes_at = l->harts_at + cpus * sizeof(struct ebpf_hash_hart);
    l->buckets_at = l->stripes_at + l->stripes * sizeof(struct ebpf_hash_stripe);
    l->elements_at =
        l->buckets_at + EBPF_ROUND_UP(l->buckets * sizeof(uint32_t), (size_t)CACHE_LINE);
    l->element_size = sizeof(struct ebpf_hash_element) + EBPF_ROUND_UP((size_t)spec->key_size, 8) +
                      EBPF_ROUND_UP((size_t)spec->value_size, 8);
    l->elements = spec->max_entries + (size_t)cpus * (1 + RESERVE);
    if (!ebpf_mul_ok(l->element_size, l->elements, &bytes) ||
        !ebpf_add_ok(bytes, l->elements_at, &l->end) || l->end > MAX_BYTES)
        return -ENOMEM;
    return 0;
}

/* Gives every hart its spare and queues the rest. */
static void hand_out_elements(struct ebpf_hash *hash, const struct layout *l)
{
    unsigned cpus = ebpf_os_cpu_count();

    for (size_t i = 0; i < l->elements; i++) {
        uint32_t link = (uint32_t)((l->elements_at + i * l->element_size) / 8);

        if (i < cpus)
            hash->harts[i].spare = link;
        else
            queue_push(hash, link);
    }
}

static int hash_alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out)
{
    struct ebpf_hash *hash;
    struct layout l;
    void *block;
    int err = make_layout(spec, &l);

    if (err)
        return err;
    block = ebpf_alloc(l.end + CACHE_LINE);
    if (!block)
        return -ENOMEM;
    hash = (struct ebpf_hash *)EBPF_ROUND_UP((uintptr_t)block, (uintptr_t)CACHE_LINE);
    memset(hash, 0, l.elements_at);
    hash->block = block;
    hash->bytes = l.end + CACHE_LINE;
    hash->bucket_mask = l.buckets - 1;
    hash->stripe_mask = l.stripes - 1;
    hash->value_at =
        (uint32_t)(sizeof(struct ebpf_hash_element) + EBPF_ROUND_UP(spec->key_size, 8u));
    hash->harts = (struct ebpf_hash_hart *)((uintptr_t)hash + l.harts_at);
    hash->stripes = (struct ebpf_hash_stripe *)((uintptr_t)hash + l.stripes_at);
    hash->buckets = (uint32_t *)((uintptr_t)hash + l.buckets_at);
    if (!(spec->flags & BPF_F_ZERO_SEED))
        hash->seed = (uint64_t)ebpf_os_random() << 32 | ebpf_os_random();
    hand_out_elements(hash, &l);
    *out = &hash->map;
    return 0;
}

static void hash_free(struct ebpf_map *map)
{
    ebpf_free(ebpf_hash_of(map)->block, ebpf_hash_of(map)->bytes);
}

/* BPF_F_NO_PREALLOC is accepted, but programs never allocate: the elements are there from the
 * start. */
const struct ebpf_map_ops ebpf_map_hash_ops = {
    .name = "hash",
    .flags = BPF_F_NO_PREALLOC | BPF_F_ZERO_SEED | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG |
             BPF_F_WRONLY_PROG,
    .check = hash_check,
    .alloc = hash_alloc,
    .free = hash_free,
    .lookup = hash_lookup,
    .update = hash_update,
    .remove = hash_remove,
    .lookup_copy = hash_lookup_copy,
    .update_copy = hash_update,
    .next_key = hash_next_key,
};
