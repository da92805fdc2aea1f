#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The JIT's encoder against GNU as: every row of jit/rv64/encode.h with random operands, as 32-bit words, with the
# compressed forms that both choose by themselves, and the compressed instructions by name. SEED=n repeats a run.
. "$(dirname "$0")/../lib.sh"
cross=${CROSS:-riscv64-unknown-elf-}
seed=${SEED:-$RANDOM}

${HOSTCC:-gcc} -std=gnu11 -O1 -g -fsanitize=address,undefined -Wall -Wextra -Werror -Iinclude -I. \
    tests/tools/rv_rows.c jit/rv64/asm.c jit/rv64/compress.c -o "$tmp/rv_rows" || exit 1

compare() { # compare MODE ASSEMBLER-OPTION: one check per instruction
    local mode=$1 option=$2 good bad
    if ! "$tmp/rv_rows" "$mode" "$seed" >"$tmp/rows"; then
        fail "rv_rows $mode $seed"
        return
    fi
    # norelax: branches stay as they are written
    { echo ".option norelax"; echo ".option $option"; cut -f 2 "$tmp/rows"; } >"$tmp/rows.s"
    if ! "${cross}as" -march=rv64imac_zba_zbb_zbs -mabi=lp64 "$tmp/rows.s" -o "$tmp/rows.o" 2>"$tmp/as.log"; then
        fail "GNU as refuses what rv_rows $mode $seed printed" "$tmp/as.log"
        return
    fi
    "${cross}objdump" -d -M no-aliases "$tmp/rows.o" |
        awk -F '\t' '/^ *[0-9a-f]+:/ {gsub(/ /, "", $2); print $2}' >"$tmp/theirs"
    paste "$tmp/theirs" "$tmp/rows" >"$tmp/both"
    good=$(awk -F '\t' '$1 == $2' "$tmp/both" | wc -l)
    bad=$(awk -F '\t' '$1 != $2' "$tmp/both" | wc -l)
    if [ "$bad" != 0 ]; then
        echo "$mode, SEED=$seed: as / ours / source"
        awk -F '\t' '$1 != $2' "$tmp/both" | head -20
    fi
    passed=$((passed + good)) failed=$((failed + bad))
}

compare wide norvc
compare short rvc
compare rvc rvc
[ $((passed + failed)) -gt 10000 ] || fail "only $((passed + failed)) instructions were compared"
finish
