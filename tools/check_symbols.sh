#!/bin/sh
# SPDX-License-Identifier: MIT
# check_symbols.sh NM ARCHIVE: prints what the archive needs from the kernel, and fails if that is more than the hooks
# (ebpf_os_*) and memcpy, memmove, memset, memcmp, or if a global symbol does not start with ebpf_.
set -eu
nm=$1 archive=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
$nm -g "$archive" 2>/dev/null | awk 'NF == 3 {print $2, $3}' | sort -u >"$tmp/defined"
$nm -u "$archive" 2>/dev/null | awk '$1 == "U" || $1 == "w" {print $2}' | sort -u >"$tmp/undefined"
awk '{print $2}' "$tmp/defined" | sort -u >"$tmp/names"
comm -23 "$tmp/undefined" "$tmp/names" >"$tmp/needed"
echo "  NEEDS   $(tr '\n' ' ' <"$tmp/needed")"
bad=0
if grep -vE '^(ebpf_os_[a-z_0-9]+|memcpy|memmove|memset|memcmp|ebpf_text_(start|end)_[a-zA-Z_0-9]+)$' "$tmp/needed"; then
    echo "undefined symbols that are neither hooks nor mem*: see above" >&2
    bad=1
fi
if awk '$2 !~ /^ebpf_/ && !($1 ~ /[WV]/ && $2 ~ /^mem(cpy|move|set|cmp)$/) {print; n++} END {exit !n}' "$tmp/defined"; then
    echo "global symbols outside ebpf_*: see above" >&2
    bad=1
fi
exit $bad
