#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bpf-check: what it prints and returns; that real programs are accepted; and its verdicts on Linux's
# verifier selftests.
. "$(dirname "$0")/../lib.sh"

check=$build/host/bpf-check
multiarch=$(gcc -print-multiarch 2>/dev/null)
compile() { # compile SOURCE OBJECT [FLAGS...]
    local source=$1 object=$2
    shift 2
    clang -O2 -g -target bpf -mcpu=v3 "-I/usr/include/$multiarch" -Iinclude "$@" -c "$source" \
        -o "$object" 2>"$tmp/out"
}
exits() { # exits STATUS COMMAND...: stdout to $tmp/stdout, stderr to $tmp/stderr
    local want=$1
    shift
    timeout 300 "$@" >"$tmp/stdout" 2>"$tmp/stderr" </dev/null
    [ $? = "$want" ] || { cat "$tmp/stdout" "$tmp/stderr" && false; }
}
says() { # says STATUS TEXT COMMAND...: and stdout or stderr has TEXT
    local want=$1 text=$2
    shift 2
    exits "$want" "$@" && cat "$tmp/stdout" "$tmp/stderr" | grep -qF -- "$text"
}
prints() { # prints STATUS LINE COMMAND...: and stdout is that line, tabs written as |
    local want=$1 line=$2
    shift 2
    exits "$want" "$@" && [ "$(tr '\t' '|' <"$tmp/stdout")" = "$line" ]
}

# ---- the command line ----------------------------------------------------------------------------
cat >"$tmp/good.bpf.c" <<'END'
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("xdp") int pass(struct xdp_md *ctx) { return 2; }
SEC("socket") int uses_skb(struct __sk_buff *skb) { return skb->len; }
SEC("nonsense") int lost(void *ctx) { return 0; }
END
cat >"$tmp/foreign.bpf.c" <<'END'
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("tc") int redirects(struct __sk_buff *skb) { return bpf_redirect(1, 0); }
SEC("cgroup/skb") int marks(struct __sk_buff *skb) { skb->mark = 1; return 1; }
SEC("socket") int may_not(struct __sk_buff *skb) { return bpf_redirect(1, 0); }
SEC("tc") int wild(struct __sk_buff *skb) { return *(int *)(long)skb->mark; }
END
ok "test programs compile" compile "$tmp/good.bpf.c" "$tmp/good.o"
ok "foreign test programs compile" compile "$tmp/foreign.bpf.c" "$tmp/foreign.o"
head -c 200 "$tmp/good.o" >"$tmp/cut.o"
echo "no object" >"$tmp/text.o"

ok "--help" says 0 "usage: bpf-check" "$check" --help
ok "no object" says 2 "usage: bpf-check" "$check"
ok "an unknown option" says 2 "usage: bpf-check" "$check" --nonsense "$tmp/good.o"
ok "an unknown type" says 2 "unknown program type: zebra" "$check" --type zebra "$tmp/good.o"
ok "an unknown flag" says 2 "unknown flag: BPF_F_ZEBRA" "$check" --flags BPF_F_ZEBRA "$tmp/good.o"
ok "a level that does not exist" says 2 "not a log level: 8" "$check" --log 8 "$tmp/good.o"
ok "no time" says 2 "not a number of seconds: 0" "$check" --timeout 0 "$tmp/good.o"
ok "a file that does not exist" says 2 "No such file" "$check" "$tmp/missing.o"
ok "a program that does not exist" \
    says 2 "no program of that name" "$check" --prog missing "$tmp/good.o"

# ---- verdicts ------------------------------------------------------------------------------------
ok "an accepted program" prints 0 "$tmp/good.o|pass|accept|0|2|" "$check" --prog pass "$tmp/good.o"
ok "a section that names no type" says 1 "lost	reject	22" "$check" "$tmp/good.o"
ok "--type" prints 0 "$tmp/good.o|lost|accept|0|2|" "$check" --prog lost --type xdp "$tmp/good.o"
ok "--type by number" \
    prints 0 "$tmp/good.o|lost|accept|0|2|" "$check" --prog lost --type 6 "$tmp/good.o"
ok "another type's context" \
    says 1 "invalid bpf_context access off=8 size=4" "$check" --prog marks --type kprobe --linux "$tmp/foreign.o"
ok "--flags" \
    exits 0 "$check" --prog pass --flags BPF_F_STRICT_ALIGNMENT,BPF_F_TEST_STATE_FREQ,8 "$tmp/good.o"
ok "--log" says 0 "processed 2 insns" "$check" --prog pass --log 2 "$tmp/good.o"
ok "the log is not part of the table" \
    sh -c "$check --prog pass --log 2 $tmp/good.o 2>/dev/null | wc -l | grep -qx 1"
ok "a cut object" says 1 "$tmp/cut.o	-	reject	8" "$check" "$tmp/cut.o"
ok "no object at all" says 1 "$tmp/text.o	-	reject	8" "$check" "$tmp/text.o"
ok "several objects: the worst status" exits 2 "$check" "$tmp/cut.o" "$tmp/missing.o" "$tmp/good.o"
ok "Linux's types are not ours" says 1 "redirects	reject" "$check" "$tmp/foreign.o"
ok "--linux: Linux's types and helpers" \
    prints 0 "$tmp/foreign.o|redirects|accept|0|4|" "$check" --linux --prog redirects "$tmp/foreign.o"
ok "--linux: Linux's contexts" exits 0 "$check" --linux --prog marks "$tmp/foreign.o"
ok "--linux: who may call what" \
    says 1 "cannot use helper bpf_redirect" "$check" --linux --prog may_not "$tmp/foreign.o"
ok "--linux: the verifier still looks" \
    says 1 "invalid mem access" "$check" --linux --prog wild "$tmp/foreign.o"

# ---- real programs -------------------------------------------------------------------------------
mkdir -p "$tmp/real"
for source in demo/bpf/*.bpf.c ../shared/bench/*.bpf.c; do
    [ -f "$source" ] || continue
    object=$tmp/real/$(basename "${source%.c}").o
    ok "compiles: $source" compile "$source" "$object" -Idemo/bpf -ffreestanding \
        -D__TARGET_ARCH_riscv
done
[ -d ../shared/bench ] || skip "the benchmark's programs: no ../shared/bench"
for object in "$tmp"/real/*.o; do
    ok "accepted: $(basename "$object")" exits 0 "$check" --timeout 120 "$object"
done
cat >"$tmp/refused" <<'END'
loader_bad_common -
loader_bad_pointer -
loader_core needs_core
loader_extern reads_variable
loader_extern calls_function
loader_multi of_unknown_type
loader_recursive recursive
loader_text entry
END
for object in "$build"/progs/*.bpf.o; do
    name=$(basename "$object" .bpf.o)
    [ -f "tests/progs/$name.bpf.c" ] || continue
    timeout 300 "$check" --timeout 120 "$object" >"$tmp/lines" 2>"$tmp/stderr"
    [ $? -le 2 ]
    verdict "$name: no crash" $?
    while IFS=$'\t' read -r _ prog said _ _ why; do
        want=accept
        grep -qx "$name $prog" "$tmp/refused" && want=reject
        [ "$said" = "$want" ] || echo "$name $prog: $said: $why" >"$tmp/out"
        [ "$said" = "$want" ]
        verdict "$name $prog: $want" $?
    done <"$tmp/lines"
done

# ---- Linux's selftests ---------------------------------------------------------------------------
objects=${OBJS:-$build/verifier-selftests}
if [ -f ../shared/verifier/portable.tsv ] && [ -f "$objects/verifier_and.bpf.o" ]; then
    python3 tests/tools/verdicts.py --bpf-check "$check" --objects "$objects" >"$tmp/out" 2>&1
    verdict "bpf-check survives all of Linux's selftests" $?
    line=$(tail -n 1 "$tmp/out")
    echo "NOTE $line"
    [[ $line =~ ^VERDICTS\ agree=([0-9]+)/1141\ false_accept=([0-9]+) ]] &&
        [ "${BASH_REMATCH[1]}" -ge 1130 ] && [ "${BASH_REMATCH[2]}" -le 1 ]
    verdict "verdicts as Linux's" $?
else
    skip "verdicts: no ../shared/verifier, or no objects in $objects (make verdicts PEER=...)"
fi

finish
