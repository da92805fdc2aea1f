#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the benchmark in the teaching kernel and on Linux and compares: see docs/BENCH.md. `make bench` builds what this wants.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/bench/common.sh
. tests/bench/common.sh
failed=0

boot_ours "$out/ours.log" "$out/run.cpio" "init=/bin/run" || failed=1
boot_linux "$out/linux.log" "$out/linux-run.root" || failed=1
awk -f tests/bench/compare.awk side=ours "$out/ours.log" side=linux "$out/linux.log" >"$out/results.txt" || failed=1
cat "$out/results.txt"
exit $failed
