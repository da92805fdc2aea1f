/* SPDX-License-Identifier: MIT */
/*
 * bpf_for_each_map_elem() over hashes: bucket by bucket, a few links of a chain at a time. They are
 * read at one moment; then, with no lock held, the function is called for those elements that are
 * still in the chain. It may change the map: elements that come are put in front and missed, those
 * that go are skipped, and the walk goes on behind the last one that has stayed. Where none has, it
 * begins again with what is there now; that nobody can drive it round for ever is what the limit is
 * for.
 */
#include "maps/hash_inline.h"

#define BATCH 16u

struct each {
    struct ebpf_hash *hash;
    ebpf_map_each_fn fn;
    void *ctx;
    uint32_t calls;
    bool stop;
};

/* The links of a chain behind the one called after (0: all), as many as fit. */
static uint32_t take_links(const struct ebpf_hash *hash, size_t bucket, uint32_t after,
                           uint32_t links[BATCH])
{
    const struct ebpf_hash_stripe *stripe = &ebpf_hash_stripes(hash)[bucket & hash->stripe_mask];
    uint32_t count, steps;
    uint64_t since;

    do {
        bool behind = !after;

        since = read_begin(stripe);
        count = steps = 0;
        for (uint32_t link = link_load(&hash->buckets[bucket]); link && count < BATCH;
             link = link_load(&ebpf_hash_element(hash, link)->next)) {
            if (behind)
                links[count++] = link;
            behind |= link == after;
            if (++steps % 16 == 0 && read_changed(stripe, since))
                break;
        }
    } while (read_changed(stripe, since));
    return count;
}

static bool in_chain(const struct ebpf_hash *hash, size_t bucket, uint32_t link)
{
    const struct ebpf_hash_stripe *stripe = &ebpf_hash_stripes(hash)[bucket & hash->stripe_mask];
    uint32_t at, steps = 0;
    uint64_t since;

    do {
        since = read_begin(stripe);
        at = link_load(&hash->buckets[bucket]);
        while (at && at != link && (++steps % 16 || !read_changed(stripe, since)))
            at = link_load(&ebpf_hash_element(hash, at)->next);
    } while (read_changed(stripe, since));
    return at == link;
}

static void visit(struct each *each, struct ebpf_hash_element *e)
{
    const struct ebpf_hash *hash = each->hash;
    uint8_t *value = ebpf_hash_value(hash, e);

    if (hash->percpu)
        value = hash->percpu + ebpf_os_cpu_id() * hash->cpu_stride +
                (size_t)ebpf_hash_extra(hash, e)->slot * hash->map.value_stride;
    each->calls++;
    each->stop =
        each->fn(each->ctx, &each->hash->map, e->key, value) != 0 || each->calls == hash->elements;
}

/* Returns the link to go on behind; 0: none has stayed. */
static uint32_t visit_links(struct each *each, size_t bucket, const uint32_t *links, uint32_t count)
{
    uint32_t last = 0;

    for (uint32_t i = 0; i < count && !each->stop; i++) {
        if (in_chain(each->hash, bucket, links[i]))
            visit(each, ebpf_hash_element(each->hash, links[i]));
    }
    for (uint32_t i = count; i-- && !last;) {
        if (in_chain(each->hash, bucket, links[i]))
            last = links[i];
    }
    return last;
}

int64_t ebpf_hash_for_each(struct ebpf_map *map, ebpf_map_each_fn fn, void *ctx)
{
    struct each each = {.hash = ebpf_hash_of(map), .fn = fn, .ctx = ctx};
    uint32_t links[BATCH];

    for (size_t bucket = 0; bucket <= each.hash->bucket_mask && !each.stop; bucket++) {
        uint32_t after = 0, count;

        do {
            count = take_links(each.hash, bucket, after, links);
            after = visit_links(&each, bucket, links, count);
        } while (count == BATCH && !each.stop);
    }
    return each.calls;
}
