#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Maps on one hart and on four, and what an element takes of memory: see docs/BENCH.md. `make
# bench-maps` builds what this wants.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/bench/common.sh
. tests/bench/common.sh
failed=0

boot_harts "$out/maps.log" "$out/maps.cpio" "init=/bin/maps" || failed=1
grep '^THROUGHPUT' "$out/maps.log"
timeout -k 5 60 qemu-riscv64 "$build/user/bench-memory" || failed=1
exit $failed
