#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The conformance vectors on every engine; our vectors against the model of RFC 9669; the protocol's corners; and that the runner
# notices what is wrong.
. "$(dirname "$0")/../lib.sh"

says() { # says TEXT COMMAND...: exit status 0, and the output is TEXT
    local text=$1
    shift
    [ "$("$@" </dev/null 2>/dev/null)" = "$text" ]
}
refuses() { # refuses TEXT COMMAND...: another exit status, and TEXT in stderr
    local text=$1
    shift
    ! "$@" </dev/null >"$tmp/stdout" 2>"$tmp/stderr" && [ ! -s "$tmp/stdout" ] && grep -qF -- "$text" "$tmp/stderr"
}

# ---- the vectors -------------------------------------------------------------------------------------------
python3 tests/conformance/run.py --build "$build" | tee "$tmp/run"
[ "${PIPESTATUS[0]}" -le 1 ] || fail "the runner stopped"
while read -r engine good all; do
    passed=$((passed + good)) failed=$((failed + all - good))
    echo "NOTE $engine: $good of $all vectors"
done < <(sed -n 's|^CONFORMANCE \([^ ]*\) \([0-9]*\)/\([0-9]*\)$|\1 \2 \3|p' "$tmp/run")
[ "$(grep -c ^CONFORMANCE "$tmp/run")" -ge 1 ] || fail "no engine ran"
grep -q '^SKIP' "$tmp/run" && skipped=$((skipped + 1))
if [ ! -f ../shared/conformance/public.tsv ]; then
    skip "the published vectors: no ../shared/conformance/public.tsv"
fi
ok "our vectors say what RFC 9669 says" python3 tests/conformance/model.py
[ -f ../shared/conformance/public.tsv ] &&
    ok "the model agrees with the published vectors" python3 tests/conformance/model.py ../shared/conformance/public.tsv

# ---- what is wrong is noticed ----------------------------------------------------------------------------------
printf 'good\tv1\tbase32\tb4000000030000009500000000000000\t\t0x3\n' >"$tmp/good.tsv"
printf 'bad\tv1\tbase32\tb4000000030000009500000000000000\t\t0x4\n' >"$tmp/bad.tsv"
printf 'refused\tv1\tbase32\tff000000030000009500000000000000\t\t0x0\n' >"$tmp/refused.tsv"
printf 'test bad\n    mov r0, 1\n    exit\nresult 0x2\n' >"$tmp/bad.data"
printf 'short\tv1\tbase32\n' >"$tmp/short.tsv"
runner=(python3 tests/conformance/run.py --build "$build" --engine interpreter-host)
ok "a right vector passes" sh -c "${runner[*]} --vectors $tmp/good.tsv | grep -qx 'CONFORMANCE interpreter-host 1/1'"
for file in bad.tsv refused.tsv bad.data; do
    ok "$file fails" sh -c "! ${runner[*]} --vectors $tmp/$file >$tmp/lines && grep -qx 'CONFORMANCE interpreter-host 0/1' $tmp/lines"
done
ok "the model notices a wrong value" sh -c "! python3 tests/conformance/model.py $tmp/bad.data"
ok "a damaged file stops the runner" sh -c "${runner[*]} --vectors $tmp/short.tsv; [ \$? = 2 ]"
ok "an engine that is not there stops the runner" sh -c "${runner[*]} --engine none --vectors $tmp/good.tsv; [ \$? = 2 ]"

# ---- the protocol --------------------------------------------------------------------------------------------------
exit_7="b7  00  00  00  07  00  00  00  95  00  00  00  00  00  00  00  "
load="79 10 00 00 00 00 00 00 95 00 00 00 00 00 00 00"
length="bf 20 00 00 00 00 00 00 95 00 00 00 00 00 00 00"
protocol() { # protocol NAME COMMAND...: the same of each program
    local name=$1 run=("${@:2}")
    ok "$name: --program" says 7 "${run[@]}" --program "$exit_7"
    ok "$name: memory" says 807060504030201 "${run[@]}" "01 02 03 04 05 06 07 08" --program "$load"
    ok "$name: length of memory" says 3 "${run[@]}" "aaBBcc" --program "$length"
    ok "$name: no memory has no length" says 0 "${run[@]}" --program "$length"
    ok "$name: empty arguments are none" says 7 "${run[@]}" --program "$exit_7" "" ""
    ok "$name: interpreter" says 7 "${run[@]}" --interpret --program "$exit_7"
    ok "$name: stdin" sh -c "echo '$exit_7' | ${run[*]} | grep -qx 7"
    ok "$name: odd digits" refuses "pairs of hex digits" "${run[@]}" --program b7a
    ok "$name: part of an instruction" refuses "whole number" "${run[@]}" --program "b7 00 00"
    ok "$name: no instruction" refuses "whole number" "${run[@]}" --program ""
    ok "$name: unknown instruction" refuses "unknown opcode" "${run[@]}" --program "ff00000000000000 9500000000000000"
    ok "$name: maps" refuses "no maps" "${run[@]}" --program "1811000003000000 0000000000000000 9500000000000000"
    ok "$name: packets" refuses "not allowed" "${run[@]}" --program "2000000003000000 9500000000000000"
    ok "$name: unknown argument" refuses "--elf" "${run[@]}" --elf --program "$exit_7"
    ok "$name: --dump" sh -c "${run[*]} --dump --program '$exit_7' | grep -q 'r0 = 7' && ${run[*]} --dump --program '$exit_7' | grep -q 'byte 0x'"
}
protocol host "$build/host/bpf-run"
ok "host: there is no JIT" refuses "not supported" "$build/host/bpf-run" --jit --program "$exit_7"
if command -v qemu-riscv64 >/dev/null && grep -q "^CONFORMANCE JIT" "$tmp/run"; then
    protocol riscv64 qemu-riscv64 "$build/user/bpf-run"
fi

# ---- the disassembler against llvm-objdump, on what clang made of the tests' programs -----------------------------------
if command -v llvm-objdump >/dev/null; then
    ok "disassembly as llvm-objdump has it" python3 tests/tools/disasm_compare.py "$build"
else
    skip "the disassembler: no llvm-objdump"
fi

finish
