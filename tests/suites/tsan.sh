#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every unit test that starts threads, under ThreadSanitizer: no report; and that it reports where a
# lock or an ordering is taken away.
. "$(dirname "$0")/../lib.sh"

dir=$build/tsan
ok "builds" make --no-print-directory -j2 BUILD="$build" tsan-build
names=$(sed -n 's/^TSAN_TESTS := //p' tests/tsan.mk)
for file in $(grep -l pthread_create tests/unit/test_*.c); do
    ok "$file: the names of tests with threads say so" \
        grep -qE "^TEST\(\w*(${names// /|})" "$file"
done
ok "tests with threads, no data race" \
    make --no-print-directory BUILD="$build" T="$names" tsan
grep -E '^[0-9]+ passed' "$tmp/out" | sed 's/^/NOTE with threads: /'

# a build in which one source is changed, from the commands that make prints
racy() { # racy SOURCE SED-SCRIPT TEST
    local unit=${1%.c} command objects
    unit=${unit//\//_}
    mkdir -p "$tmp/$(dirname "$1")"
    sed "$2" "$1" >"$tmp/$1"
    cmp -s "$1" "$tmp/$1" && fail "nothing was changed in $1"
    command=$(make --no-print-directory -n Q= BUILD="$build" -W "$1" "$dir/obj/$unit.o" | tail -n 1)
    command=${command#*&& }
    command=${command/-c $1/-c $tmp/$1}
    ok "$1 compiles when it is changed" sh -c "${command/-o $dir\/obj/-o $tmp}"
    objects=$(make --no-print-directory -n Q= BUILD="$build" -W "$1" "$dir/unit" | tail -n 1)
    objects=${objects%% && *}
    objects=${objects/$dir\/obj\/$unit.o/$tmp/$unit.o}
    ok "and links" sh -c "${objects/-o $dir\/unit/-o $tmp/unit}"
    refused "a race in $1" "data race" timeout -k 5 120 "$tmp/unit" "$3"
}
racy maps/queue.c 's/ebpf_lock(&queue->lock)/ebpf_os_irq_save()/
    s/ebpf_unlock(&queue->lock, /(void)queue, ebpf_os_irq_restore(/' threads_queue
racy src/base/obj.c 's/ebpf_mutex_\(un\)*lock(&mutex);/(void)mutex;/' threads_objects
racy src/base/epoch.c 's/__ATOMIC_RELEASE/__ATOMIC_RELAXED/' tail_call_never_enters
finish
