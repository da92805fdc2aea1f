#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""verdicts.py --bpf-check TOOL --objects DIR [--peer DIR] [--tsv FILE] [--logs DIR] [--jobs N]

Compares what bpf-check --linux says of Linux's verifier selftests with what a kernel said (portable.tsv). Prints a line for
each difference and last

    VERDICTS agree=<n>/<all> false_accept=<n> false_reject=<n>

and says SKIP where there is nothing to compare. --logs: the whole log of each differing program goes there. The exit status is
0 even where verdicts differ: whoever calls this judges the numbers; 1: the tool crashed, or said nothing about a program.
"""
import argparse
import collections
import concurrent.futures
import csv
import os
import subprocess
import sys

FIELDS = ("object", "prog", "kernel", "ours", "kernel_errno", "our_errno", "flags", "type", "kernel_says", "we_say")


def read_tsv(path):
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def command(args, row, log=0):
    line = [args.bpf_check, "--linux", "--type", row["prog_type"], "--prog", row["prog"], "--timeout", "180"]
    if row["flag_names"]:
        line += ["--flags", row["flag_names"]]
    if log:
        line += ["--log", str(log)]
    return line + [os.path.join(args.objects, row["object"] + ".bpf.o")]


def check(args, row):
    done = subprocess.run(command(args, row), capture_output=True, text=True, errors="replace", check=False)
    for line in done.stdout.splitlines():
        fields = line.split("\t")
        if len(fields) == 6 and fields[1] in (row["prog"], "-"):
            return fields[2], int(fields[3]), int(fields[4]), fields[5], done.returncode == 3
    return "nothing", 0, 0, (done.stderr.strip().splitlines() or ["no output"])[-1], True


def build_objects(args):
    """False, and a line that says why, where the objects are not there and cannot be made."""
    script = "../shared/verifier/build-selftests.sh"
    if os.path.exists(os.path.join(args.objects, "verifier_and.bpf.o")):
        return True
    if not os.path.isdir(os.path.join(args.peer, "root/usr/include/bpf")):
        print(f"SKIP verdicts: no objects in {args.objects} (OBJS=), and {args.peer} (PEER=) is not what "
              "../shared/peer/setup.sh makes, which it takes to build them")
        return False
    done = subprocess.run(["bash", script, args.peer, args.objects], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"SKIP verdicts: {script} failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    return done.returncode == 0


def write_log(args, row):
    path = os.path.join(args.logs, f"{row['object']}.{row['prog']}.log")
    with open(path, "w", encoding="utf-8") as file:
        subprocess.run(command(args, row, 2) + ["--timeout", "20"], stdout=file, stderr=subprocess.STDOUT, check=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bpf-check", required=True)
    parser.add_argument("--objects", required=True)
    parser.add_argument("--peer", default="../shared/peer")
    parser.add_argument("--table", default="../shared/verifier/portable.tsv")
    parser.add_argument("--tsv")
    parser.add_argument("--logs")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()

    if not os.path.exists(args.table):
        print(f"SKIP verdicts: no {args.table}")
        return 0
    if not build_objects(args):
        return 0
    rows = read_tsv(args.table)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        verdicts = list(pool.map(lambda row: check(args, row), rows))

    count, broken, differing = collections.Counter(), 0, []
    for row, (ours, errno, _, line, crashed) in zip(rows, verdicts):
        broken += crashed
        if ours == row["verdict"] and not crashed:
            count["agree"] += 1
            continue
        count["false_accept" if ours == "accept" else "false_reject" if ours == "reject" else "nothing"] += 1
        differing.append((row, dict(zip(FIELDS, (row["object"], row["prog"], row["verdict"], ours, row["errno"], errno,
                                                 row["flag_names"], row["prog_type"], row["msg_kernel"], line)))))
    differing.sort(key=lambda d: (d[1]["ours"], d[1]["we_say"], d[1]["kernel_says"]))
    for _, d in differing:
        print("\t".join(str(d[name]) for name in FIELDS))
    if args.tsv:
        with open(args.tsv, "w", encoding="utf-8") as file:
            file.write("\t".join(FIELDS) + "\n")
            for _, d in differing:
                file.write("\t".join(str(d[name]) for name in FIELDS) + "\n")
    if args.logs:
        os.makedirs(args.logs, exist_ok=True)
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            list(pool.map(lambda d: write_log(args, d[0]), differing[:300]))
    print(f"VERDICTS agree={count['agree']}/{len(rows)} false_accept={count['false_accept']} "
          f"false_reject={count['false_reject']}" + (f" crashed={broken}" if broken else ""))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
