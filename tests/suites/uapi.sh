#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every number, offset and size of include/ebpf/uapi.h and errno.h against the system's headers; and proof that the
# comparison notices: the same with a copy in which one number, field or size was changed.
. "$(dirname "$0")/../lib.sh"

python3 tests/tools/uapi_names.py include >"$tmp/out" 2>&1
cat "$tmp/out"
line=$(tail -n 1 "$tmp/out")
if ! [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
    echo "0 passed, 1 failed"
    exit 1
fi
passed=${BASH_REMATCH[1]} failed=${BASH_REMATCH[2]} skipped=${BASH_REMATCH[3]}

mutant() { # mutant FILE SED-SCRIPT LABEL: the changed copy must be refused because of LABEL
    local file=$1 script=$2 label=$3 status
    mkdir -p "$tmp/include/ebpf"
    cp include/ebpf/uapi.h include/ebpf/errno.h "$tmp/include/ebpf/"
    sed -i "$script" "$tmp/include/ebpf/$file"
    python3 tests/tools/uapi_names.py "$tmp/include" >"$tmp/out" 2>&1
    status=$?
    if ! cmp -s "include/ebpf/$file" "$tmp/include/ebpf/$file" && [ $status = 1 ] && grep -qF "FAIL $label:" "$tmp/out"; then
        pass
    else
        fail "mutant '$script' was not noticed"
    fi
}
mutant uapi.h 's/BPF_PROG_LOAD = 5/BPF_PROG_LOAD = 25/' BPF_PROG_LOAD
mutant uapi.h 's/BPF_MAP_TYPE_RINGBUF = 27/BPF_MAP_TYPE_RINGBUF = 28/' BPF_MAP_TYPE_RINGBUF
mutant uapi.h 's/BPF_REG_0 = 0/BPF_REG_0 = 1/' BPF_REG_10
mutant uapi.h 's/XDP_DROP, XDP_PASS/XDP_PASS, XDP_DROP/' XDP_DROP
mutant uapi.h 's/\(define BPF_F_MMAPABLE.*<< \)10/\19/' BPF_F_MMAPABLE
mutant uapi.h 's/\(define BPF_XCHG (\)0xe0/\10xd0/' BPF_XCHG
mutant uapi.h 's/\(define BPF_SIZE(code).*\)0x18/\10x38/' 'BPF_SIZE()'
mutant uapi.h 's/    uint64_t map_extra;/    uint32_t map_extra;/' 'size union bpf_attr.map_extra'
mutant uapi.h 's/ *uint32_t inner_map_fd;//' 'offset union bpf_attr.numa_node'
mutant uapi.h 's/    uint32_t prog_flags;/uint32_t pad_a, pad_b; uint32_t prog_flags;/' 'offset union bpf_attr.prog_name'
mutant uapi.h 's/    uint32_t : 31;/    uint32_t : 32; uint32_t : 32;uint32_t : 32;/' 'size struct bpf_prog_info'
mutant uapi.h 's/    uint8_t dst_reg : 4;/    uint8_t dst_reg : 5;/' 'bits struct bpf_insn.dst_reg'
mutant uapi.h 's/uint32_t tstamp_type : 8;/uint32_t : 4; uint32_t tstamp_type : 8;/' 'bits struct __sk_buff.tstamp_type'
mutant uapi.h 's/uint32_t cb\[5\]/uint32_t cb[4]/' 'size struct __sk_buff.cb'
mutant uapi.h 's/uint64_t syms;/uint64_t addrs;/; t; s/uint64_t addrs;/uint64_t syms;/' 'offset union bpf_attr.link_create.kprobe_multi.syms'
mutant errno.h 's/EBUSY 16/EBUSY 17/' EBUSY
mutant errno.h 's/EOPNOTSUPP 95/EOPNOTSUPP 45/' EOPNOTSUPP

finish
