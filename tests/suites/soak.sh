#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The soak (demo/kernel/soak.c): all map types on four harts, from programs and from bpf(2) at once.
# SOAK_SECONDS: how long (60).
. "$(dirname "$0")/../lib.sh"

seconds=${SOAK_SECONDS:-60}
build_kernel
LIMIT=$((seconds + 240)) selftest soak 4 '^soak: .* adds up$' "seconds=$seconds"
# the second round's rows; the first one only warms up
sed '1,/adds up/d' "$tmp/out" | grep '^    ' | sed 's/^/NOTE/'
finish
