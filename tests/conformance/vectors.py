# SPDX-License-Identifier: MIT
"""Vectors: a program, the memory that r1 points to, the r0 that it must leave.

Two forms: .tsv as bpf_conformance's vectors were exported (name, cpu version, groups, code hex, memory hex, expected r0), and
.data, ours (asm.py has the notation of instructions):

    test NAME
    mem HEX        (may be missing)
        instruction
        ...
    result 0x...
"""
import collections
import os

import asm

Vector = collections.namedtuple("Vector", "name code mem want")


def from_tsv(path):
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            fields = line.rstrip("\n").split("\t")
            if not line.strip():
                continue
            if len(fields) != 6:
                raise asm.Error(f"{path}:{number}: {len(fields)} fields instead of 6")
            name, _, _, code, mem, want = fields
            yield Vector(name, bytes.fromhex(code), bytes.fromhex(mem), int(want, 16))


def from_data(path):
    name, mem, lines = None, b"", []
    with open(path, encoding="utf-8") as file:
        for number, raw in enumerate(file, 1):
            line = raw.split("#")[0].strip()
            word, _, rest = line.partition(" ")
            try:
                if word == "test":
                    if name:
                        raise asm.Error(f"no result of {name}")
                    name, mem, lines = rest.strip(), b"", []
                elif word == "mem":
                    mem = bytes.fromhex(rest)
                elif word == "result":
                    yield Vector(name, asm.assemble(lines), mem, int(rest, 0) & 0xFFFFFFFFFFFFFFFF)
                    name = None
                elif line and not name:
                    raise asm.Error("an instruction outside of a test")
                else:
                    lines.append(line)
            except (asm.Error, ValueError) as error:
                raise asm.Error(f"{path}:{number}: {name}: {error}") from None
    if name:
        raise asm.Error(f"{path}: no result of {name}")


def read(path):
    return list(from_data(path) if path.endswith(".data") else from_tsv(path))


def own():
    """All vectors of this folder; names are unique."""
    folder = os.path.dirname(os.path.abspath(__file__))
    vectors = [v for name in sorted(os.listdir(folder)) if name.endswith(".data")
               for v in read(os.path.join(folder, name))]
    names = [v.name for v in vectors]
    twice = {n for n in names if names.count(n) > 1}
    if twice:
        raise asm.Error(f"names that occur twice: {sorted(twice)}")
    return vectors
