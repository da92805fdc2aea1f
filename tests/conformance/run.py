#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py [--build DIR] [--vectors FILE]... [--engine NAME]...: the conformance vectors on each engine.

Each vector is one process of bpf-run, spoken to as the bpf_conformance runner does. Without --vectors: this project's own
vectors, and the published ones where ../shared has them. Prints what fails, then a line CONFORMANCE engine passed/total for each
engine. Exit status 0 if everything passed, 1 if not, 2 if a file is wrong or an engine is missing.
"""
import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
import asm
import vectors

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PUBLISHED = os.path.join(ROOT, "..", "shared", "conformance", "public.tsv")
QEMU = "qemu-riscv64"
# With and without the extensions that a compiler may use where a machine has them, as far as this qemu knows them.
EXTENSIONS = ("zba", "zbb", "zbs", "zicond", "zacas")


def runs_with(user, cpu):
    """Does this qemu know that processor?"""
    program = "b70000000000000095" + "00" * 7
    try:
        done = subprocess.run([QEMU, "-cpu", cpu, user, "--interpret", "--program", program], capture_output=True, timeout=60,
                              stdin=subprocess.DEVNULL, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def engines(build):
    """name -> (command in front of the vector's memory, options behind it)"""
    host, user = os.path.join(build, "host", "bpf-run"), os.path.join(build, "user", "bpf-run")
    found = {"interpreter-host": ([host], ["--interpret"])}
    if not shutil.which(QEMU):
        return found
    known = [e for e in EXTENSIONS if runs_with(user, f"rv64,{e}=true")]
    if not known:
        return found
    if len(known) < len(EXTENSIONS):
        print(f"SKIP {' '.join(e for e in EXTENSIONS if e not in known)}: this qemu does not know them; only their encoding is tested")
    with_all = ",".join(["rv64"] + [f"{e}=true" for e in known])
    without = ",".join(["rv64"] + [f"{e}=false" for e in known])
    found["interpreter-riscv64"] = ([QEMU, "-cpu", without, user], ["--interpret"])
    found["JIT-riscv64"] = ([QEMU, "-cpu", with_all, user], [])
    found["JIT-riscv64-base"] = ([QEMU, "-cpu", without, user], [])  # RV64IMAC and nothing else
    return found


def hexed(data):
    """The runner's encoding: two blanks behind each byte"""
    return "".join(f"{byte:02x}  " for byte in data)


def run(engine, vector):
    """None, or what is wrong with the answer"""
    front, options = engine
    command = front + ([hexed(vector.mem)] if vector.mem else []) + options
    try:
        done = subprocess.run(command, input=hexed(vector.code) + "\n", capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return "no answer after 60 s"
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().split("\n")
        return f"exit status {done.returncode}: {lines[-1]}"
    try:
        got = int(done.stdout.strip(), 16)
    except ValueError:
        return f"answers {done.stdout!r}"
    return None if got == vector.want else f"r0 is 0x{got:x}, expected 0x{vector.want:x}"


def conformance(name, engine, todo):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        answers = list(pool.map(lambda vector: run(engine, vector), todo))
    for vector, wrong in zip(todo, answers):
        if wrong:
            print(f"FAIL {name}: {vector.name}: {wrong}")
    passed = answers.count(None)
    print(f"CONFORMANCE {name} {passed}/{len(todo)}", flush=True)
    return passed == len(todo)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--vectors", action="append")
    parser.add_argument("--engine", action="append", help="only these; an unknown one is an error")
    args = parser.parse_args()
    try:
        if args.vectors:
            todo = [v for path in args.vectors for v in vectors.read(path)]
        else:
            todo = vectors.own() + (vectors.read(PUBLISHED) if os.path.exists(PUBLISHED) else [])
    except (asm.Error, OSError, ValueError) as error:
        print(error)
        return 2
    found = engines(args.build)
    names = args.engine or list(found)
    if not todo or any(name not in found for name in names):
        print("no vectors" if not todo else f"engines here: {' '.join(found)}")
        return 2
    if len(found) == 1:
        print(f"SKIP the engines for riscv64: no {QEMU} that works")
    return 0 if all([conformance(name, found[name], todo) for name in names]) else 1


sys.exit(main())
