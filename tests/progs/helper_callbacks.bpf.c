/* SPDX-License-Identifier: MIT */
/* What compilers make of helpers that call back, of dynptrs and of texts: each program returns a
 * number that its test knows. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16);
    __type(key, __u32);
    __type(value, __u64);
} table SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_USER_RINGBUF);
    __uint(max_entries, 4096);
} from_user SEC(".maps");

struct total {
    __u64 sum, calls;
};

static long add(__u64 index, struct total *total)
{
    total->sum += index;
    total->calls++;
    return 0;
}

static long outer(__u64 index, struct total *total)
{
    bpf_loop(index, add, total, 0);
    return index == 5;
}

/* 0, 0 + 1, ... up to index 5, which is the last: 0 + 0 + 1 + 3 + 6 + 10 in 15 calls */
SEC("socket")
int nested(struct __sk_buff *skb)
{
    struct total total = {};
    long times = bpf_loop(100, outer, &total, 0);

    return times * 10000 + total.sum * 100 + total.calls;
}

static long visit(void *map, const __u32 *key, __u64 *value, struct total *total)
{
    total->sum += *value;
    total->calls++;
    if (*key % 2)
        bpf_map_delete_elem(&table, key);
    return 0;
}

/* Six elements of 10; then the three even ones are left. */
SEC("socket")
int elements(struct __sk_buff *skb)
{
    struct total total = {};

#pragma unroll
    for (__u32 i = 0; i < 6; i++) {
        __u32 key = i;
        __u64 value = 10;

        bpf_map_update_elem(&table, &key, &value, BPF_ANY);
    }
    bpf_for_each_map_elem(&table, visit, &total, 0);
    return total.sum * 100 + bpf_for_each_map_elem(&table, visit, &total, 0);
}

static long receive(struct bpf_dynptr *sample, struct total *total)
{
    __u64 *value = bpf_dynptr_data(sample, 0, sizeof(*value));

    if (value)
        total->sum += *value;
    total->calls++;
    return 0;
}

SEC("socket")
int drain(struct __sk_buff *skb)
{
    struct total total = {};
    long samples = bpf_user_ringbuf_drain(&from_user, receive, &total, 0);

    return samples < 0 ? samples : (long)(total.sum * 100 + samples);
}

/* "7 -42", read again as numbers: 7 - 42 = -35 */
SEC("socket")
int texts(struct __sk_buff *skb)
{
    static const char format[] = "%d %d";
    __u64 args[2] = {7, (__u64)-42};
    long first = 0, second = 0, len;
    char text[16] = {};

    if (bpf_snprintf(text, sizeof(text), format, args, sizeof(args)) != 6)
        return 1;
    len = bpf_strtol(text, sizeof(text), 10, &first);
    if (len != 1 || bpf_strtol(text + 1, sizeof(text) - 1, 10, &second) != 4)
        return 2;
    return bpf_strncmp(text, 5, "7 -42") ? 3 : first + second;
}
