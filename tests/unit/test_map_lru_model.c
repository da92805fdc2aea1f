/* SPDX-License-Identifier: MIT */
/*
 * Whom an LRU map evicts, against a model of what docs/MAPS.md and maps/lru_hash.c promise: nobody
 * while there is room; then a clock's hand goes round over all elements, gives those that were used
 * up to three more chances, at most SCAN in all, and takes the next; for each chance that it gives,
 * the oldest newcomer goes instead if it was not used yet. Elements that
 * are not in the map wait in a queue, whose first one is the next to be filled. Operations at random,
 * from harts at random; after each the same keys must be there.
 */
#include "tests/unit/test.h"

#include <stdbool.h>

#include <ebpf/ebpf.h>

#include "maps/map.h"

#define HARTS 4u
#define SCAN 64u
#define MAX_ENTRIES 300u
#define MAX_SLOTS (MAX_ENTRIES + 2 * HARTS)
#define MAX_KEYS (2 * MAX_ENTRIES)
#define NOWHERE UINT32_MAX

struct model {
    bool percpu;
    uint32_t entries, slots, count, hand;
    uint32_t key_of[MAX_SLOTS]; /* NOWHERE: not in the map */
    uint32_t used[MAX_SLOTS];   /* up to 3, less how often the hand came by */
    uint32_t recent[MAX_SLOTS]; /* slots + 1 of the last new keys, 0: looked at */
    uint32_t newcomers, next_recent;
    uint32_t queue[MAX_SLOTS], waiting; /* the first one leaves next */
    uint32_t slot_of[MAX_KEYS];         /* NOWHERE: not there */
    uint32_t evictions, given_up, newcomers_gone;
};

static void model_init(struct model *m, bool percpu, uint32_t entries)
{
    memset(m, 0, sizeof(*m));
    m->percpu = percpu;
    m->entries = entries;
    m->slots = entries + 2 * HARTS;
    m->newcomers = entries / 8 + 1;
    for (uint32_t i = 0; i < m->slots; i++) {
        m->key_of[i] = NOWHERE;
        m->queue[m->waiting++] = i;
    }
    for (uint32_t key = 0; key < MAX_KEYS; key++)
        m->slot_of[key] = NOWHERE;
}

static void wait(struct model *m, uint32_t slot)
{
    m->queue[m->waiting++] = slot;
}

static uint32_t next_waiting(struct model *m)
{
    uint32_t slot = m->queue[0];

    memmove(m->queue, m->queue + 1, --m->waiting * sizeof(m->queue[0]));
    return slot;
}

static void leave(struct model *m, uint32_t slot)
{
    m->slot_of[m->key_of[slot]] = NOWHERE;
    m->key_of[slot] = NOWHERE;
    m->count--;
    wait(m, slot);
}

static void enter(struct model *m, uint32_t slot, uint32_t key)
{
    m->slot_of[key] = slot;
    m->key_of[slot] = key;
    m->count++;
}

static void use(struct model *m, uint32_t slot)
{
    m->used[slot] += m->used[slot] < 3;
}

/* The oldest newcomer, looked at once: its slot if it is there and was not used, or NOWHERE. */
static uint32_t newcomer(struct model *m)
{
    uint32_t *oldest = &m->recent[m->next_recent % m->newcomers], slot = *oldest - 1;
    bool look = *oldest != 0;

    *oldest = 0;
    return look && !m->used[slot] && m->key_of[slot] != NOWHERE ? slot : NOWHERE;
}

static void evict(struct model *m)
{
    uint32_t chances = 0;

    for (m->evictions++;;) {
        uint32_t slot = m->hand++ % m->slots;

        if (m->used[slot] && chances < SCAN) {
            m->used[slot]--;
            chances++;
            slot = newcomer(m);
            m->newcomers_gone += slot != NOWHERE;
        }
        if (slot == NOWHERE || m->key_of[slot] == NOWHERE)
            continue;
        m->given_up += m->used[slot] != 0;
        leave(m, slot);
        return;
    }
}

static int model_update(struct model *m, uint32_t key, uint64_t flags)
{
    uint32_t old = m->slot_of[key], slot = m->queue[0];

    if (!m->percpu)
        m->used[slot] = 0; /* is filled in any case */
    if (old != NOWHERE && flags == BPF_NOEXIST)
        return -EEXIST;
    if (old == NOWHERE && flags == BPF_EXIST)
        return -ENOENT;
    if (old != NOWHERE && m->percpu) { /* in place */
        use(m, old);
        return 0;
    }
    next_waiting(m);
    if (old != NOWHERE)
        leave(m, old);
    else if (m->count == m->entries)
        evict(m);
    m->used[slot] = old != NOWHERE; /* it takes the place of the old one */
    if (old == NOWHERE)
        m->recent[m->next_recent++ % m->newcomers] = slot + 1;
    enter(m, slot, key);
    return 0;
}

static int model_delete(struct model *m, uint32_t key)
{
    if (m->slot_of[key] == NOWHERE)
        return -ENOENT;
    leave(m, m->slot_of[key]);
    return 0;
}

/* ---- the real one -------------------------------------------------------------------------- */

static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % below;
}

/* Half of all keys are few, so that some are used again and again. */
static uint32_t draw_key(const struct model *m)
{
    return draw(2) ? draw(2 * m->entries) : draw(m->entries / 4 + 1);
}

static void step(struct model *m, struct ebpf_map *map)
{
    uint64_t value[HARTS] = {0};
    uint32_t key = draw_key(m), what = draw(20);
    unsigned hart = draw(HARTS);
    bool there = m->slot_of[key] != NOWHERE;

    mock_set_cpu(hart);
    if (what < 9) {
        uint64_t flags = draw(3);

        CHECK_EQ(map->ops->update(map, &key, value, flags), model_update(m, key, flags));
    } else if (what < 17) {
        CHECK_EQ(map->ops->lookup(map, &key) != NULL, there);
        if (there)
            use(m, m->slot_of[key]);
    } else if (what < 19) {
        CHECK_EQ(ebpf_map_lookup(map, &key, value), there ? 0 : -ENOENT); /* is no use */
    } else {
        CHECK_EQ(ebpf_map_delete(map, &key), model_delete(m, key));
    }
    mock_set_cpu(0);
}

static bool same_keys(const struct model *m, struct ebpf_map *map)
{
    uint64_t value[HARTS];

    for (uint32_t key = 0; key < 2 * m->entries; key++) {
        if (!ebpf_map_lookup(map, &key, value) != (m->slot_of[key] != NOWHERE))
            return false;
    }
    return true;
}

static void check_against_model(uint32_t type, uint32_t entries, unsigned steps)
{
    static struct model m;
    const struct ebpf_map_spec spec = {
        .type = type, .key_size = 4, .value_size = 8, .max_entries = entries};
    struct ebpf_map *map;

    REQUIRE(!ebpf_map_create(&spec, &map));
    model_init(&m, type == BPF_MAP_TYPE_LRU_PERCPU_HASH, entries);
    random_state = 0x9e3779b97f4a7c15u + entries;
    for (unsigned i = 0; i < steps; i++) {
        step(&m, map);
        if ((entries < 20 || i % 64 == 0) && !same_keys(&m, map)) {
            test_fail(__FILE__, __LINE__, "other keys than the model's after step %u of %u entries",
                      i, entries);
            break;
        }
    }
    CHECK(m.evictions > steps / 100);
    ebpf_obj_put(ebpf_map_obj(map));
}

TEST(model_lru_evicts_whom_the_clock_points_at)
{
    static const uint32_t sizes[] = {1, 2, 3, 8, 17, 64, 100, MAX_ENTRIES};

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        check_against_model(BPF_MAP_TYPE_LRU_HASH, sizes[i], 20000);
        check_against_model(BPF_MAP_TYPE_LRU_PERCPU_HASH, sizes[i], 20000);
    }
}

/* Where all elements are used the hand does not look for ever: SCAN chances, then the next goes. */
TEST(model_lru_takes_a_used_element_after_64_second_chances)
{
    static struct model m;
    const struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_LRU_HASH, .key_size = 4, .value_size = 8, .max_entries = MAX_ENTRIES};
    struct ebpf_map *map;
    uint64_t value = 0;

    REQUIRE(!ebpf_map_create(&spec, &map));
    model_init(&m, false, MAX_ENTRIES);
    for (uint32_t key = 0; key < MAX_KEYS; key++) {
        CHECK_EQ(map->ops->update(map, &key, &value, BPF_ANY), model_update(&m, key, BPF_ANY));
        CHECK(map->ops->lookup(map, &key));
        m.used[m.slot_of[key]] = true;
        CHECK(key % 16 || same_keys(&m, map));
    }
    CHECK(same_keys(&m, map));
    CHECK(m.given_up > 0);
    ebpf_obj_put(ebpf_map_obj(map));
}
