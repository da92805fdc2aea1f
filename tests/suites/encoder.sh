#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The JIT's encoder against GNU as: every row of jit/rv64/encode.h with random operands, as 32-bit words, with the
# compressed forms that both choose by themselves, and the compressed instructions by name. SEED=n repeats a run.
set -u
cd "$(dirname "$0")/../.." || exit 1
cross=${CROSS:-riscv64-unknown-elf-}
seed=${SEED:-$RANDOM}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

${HOSTCC:-gcc} -std=gnu11 -O1 -g -fsanitize=address,undefined -Wall -Wextra -Werror -Iinclude -I. \
    tests/tools/rv_rows.c jit/rv64/asm.c jit/rv64/compress.c -o "$dir/rv_rows" || exit 1

compare() { # compare MODE ASSEMBLER-OPTION: one check per instruction
    local mode=$1 option=$2 good bad
    if ! "$dir/rv_rows" "$mode" "$seed" >"$dir/rows"; then
        echo "rv_rows $mode $seed failed"
        failed=$((failed + 1))
        return
    fi
    # norelax: branches stay as they are written
    { echo ".option norelax"; echo ".option $option"; cut -f 2 "$dir/rows"; } >"$dir/rows.s"
    if ! "${cross}as" -march=rv64imac_zba_zbb_zbs -mabi=lp64 "$dir/rows.s" -o "$dir/rows.o" 2>"$dir/as.log"; then
        echo "GNU as refuses what rv_rows $mode $seed printed:"
        head -5 "$dir/as.log"
        failed=$((failed + 1))
        return
    fi
    "${cross}objdump" -d -M no-aliases "$dir/rows.o" | awk -F '\t' '/^ *[0-9a-f]+:/ {gsub(/ /, "", $2); print $2}' >"$dir/theirs"
    paste "$dir/theirs" "$dir/rows" >"$dir/both"
    good=$(awk -F '\t' '$1 == $2' "$dir/both" | wc -l)
    bad=$(awk -F '\t' '$1 != $2' "$dir/both" | wc -l)
    if [ "$bad" != 0 ]; then
        echo "$mode, SEED=$seed: as / ours / source"
        awk -F '\t' '$1 != $2' "$dir/both" | head -20
    fi
    passed=$((passed + good)) failed=$((failed + bad))
}

compare wide norvc
compare short rvc
compare rvc rvc
[ $((passed + failed)) -gt 10000 ] || { echo "only $((passed + failed)) instructions were compared"; failed=$((failed + 1)); }
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
