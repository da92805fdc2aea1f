#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Maps on four harts and on one (tests/bench/guest_maps.c), and the memory of an element: the goals
# of docs/BENCH.md.
. "$(dirname "$0")/../lib.sh"

ok "builds" make --no-print-directory -j2 BUILD="$build" bench-maps-build
ok "runs" bash tests/bench/bench-maps.sh
sed 's/^/NOTE /' "$tmp/out"
at_least() { # at_least TEXT RATIO: of the line that begins with TEXT
    awk -v text="$1" -v least="$2" 'index($0, text " ") == 1 {
        for (i = 1; i <= NF; i++)
            if (sub(/^ratio=/, "", $i) && $i + 0 >= least) found = 1
    } END {exit !found}' "$tmp/out"
    verdict "$1: four harts do $2 times the work of one" $?
}
for name in lookup replace churn hash; do
    at_least "THROUGHPUT $name" 3.5
done
# key and value of 8 bytes, and 24
awk '/^MEMORY hash key=8 value=8 entries=1000 / {
    sub(/.*bytes_per_element=/, ""); found = $0 > 0 && $0 <= 40
} END {exit !found}' "$tmp/out"
verdict "a hash element takes at most 24 bytes besides key and value" $?
finish
