#!/usr/bin/env python3
"""Varve and DuckDB on the same Parquet files of TPC-H: CPU time, wall time and memory, in one run.

Usage: tpch.py [--scale 1] [--rounds 7] [--threads 1,2] [--queries 1,3,6,12,14] [--files DIR]

Every measurement is a process of its own, from its start to its end, and the kernel counts its CPU time (wait4), so the
start of the program is in it; that of `SELECT 1` is shown too, and "net" columns have its median taken off. The two
alternate (A B A B ...), after a warm-up round that brings the files into memory. The ratio is Varve / DuckDB, of each
round's pair: the median, and in brackets the smallest and largest. Below 1 Varve takes less.

This script imports nothing big: a child's peak memory on Linux begins with that of the process that starts it.
"""
import argparse
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = os.environ.get("VARVE_BIN", str(ROOT / ".build/release/varve"))
SHARED = pathlib.Path(os.environ.get("VARVE_SHARED", ROOT.parent / "shared"))
TABLES = ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"]
# DuckDB as a program: no module but its own, and the rows go nowhere, as Varve's do.
DUCKDB = """
import sys, duckdb
duckdb.connect(config={"threads": int(sys.argv[1])}).execute(sys.argv[2]).fetchall()
"""


def measured(command):
    """Runs a program; its CPU seconds, wall seconds and peak memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with process.stderr:
        errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command[0]} failed with {process.returncode}: {errors.decode(errors='replace')}")
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024


def varve(threads, text):
    return [BINARY, "sql", text, "--threads", str(threads), "--format", "csv"]


def duckdb(threads, text):
    return [sys.executable, "-c", DUCKDB, str(threads), text]


def pairs(threads, text, rounds):
    """Measurements of both, alternating, after one of each that does not count."""
    mine, theirs = [], []
    for round in range(rounds + 1):
        first, second = measured(varve(threads, text)), measured(duckdb(threads, text))
        if round > 0:
            mine.append(first)
            theirs.append(second)
    return mine, theirs


def middle(values, place):
    return statistics.median(value[place] for value in values)


def ratio(mine, theirs, place, less=(0, 0)):
    """The median of the pairs' ratios with their range; of "net" times when start-up is taken off."""
    each = sorted(max(left[place] - less[0], 1e-4) / max(right[place] - less[1], 1e-4) for left, right in zip(mine, theirs))
    return f"{statistics.median(each):5.2f} [{each[0]:.2f}-{each[-1]:.2f}]"


def with_files(query, files):
    """The query with every table replaced by the file that holds it."""
    return re.sub(rf"\b({'|'.join(TABLES)})\b(?!\.)", lambda match: f"read_parquet('{files}/{match[1]}.parquet') AS {match[1]}", query)


def version(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--scale", default="1")
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--threads", default="1,2")
    options.add_argument("--queries", default="1,3,6,12,14")
    options.add_argument("--files", type=pathlib.Path, help="where the tables' Parquet files are, or are made")
    options = options.parse_args()
    files = options.files or pathlib.Path(os.environ.get("TMPDIR", "/tmp"), f"varve-tpch-{options.scale}")
    if not all((files / f"{table}.parquet").exists() for table in TABLES):
        generator = pathlib.Path(sys.executable).with_name("tpchgen-cli")
        subprocess.run([generator, "parquet", "-s", options.scale, "-o", files], check=True)
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    print(f"{version([BINARY, '--version'])}, DuckDB {version([sys.executable, '-c', 'import duckdb; print(duckdb.__version__)'])} "
          f"(Python {platform.python_version()})")
    print(f"{model}, {os.cpu_count()} CPUs, {memory:.0f} GiB, Linux {platform.release()}, load {os.getloadavg()[0]:.1f}")
    print(f"TPC-H scale {options.scale}, Parquet of tpchgen-cli, {options.rounds} rounds, seconds\n")
    print(f"{'threads':>7} {'query':>8} | {'Varve':>7} {'DuckDB':>7}  {'CPU ratio':<19} {'net CPU ratio':<19} | "
          f"{'Varve':>7} {'DuckDB':>7}  {'wall ratio':<19} {'net wall ratio':<19} | {'Varve':>6} {'DuckDB':>6} MB")
    for threads in map(int, options.threads.split(",")):
        start = [(0, 0), (0, 0)]
        for name in ["start-up"] + options.queries.split(","):
            if name == "start-up":
                text = "SELECT 1"
            else:
                text = with_files((SHARED / "corpora/tpch/queries" / f"q{int(name):02}.sql").read_text(), files)
            mine, theirs = pairs(threads, text, options.rounds)
            nets = ["", ""]
            if name == "start-up":
                start = [(middle(mine, place), middle(theirs, place)) for place in (0, 1)]
            else:
                nets = [ratio(mine, theirs, place, start[place]) for place in (0, 1)]
            print(f"{threads:>7} {name if name == 'start-up' else 'Q' + name:>8} | {middle(mine, 0):7.3f} {middle(theirs, 0):7.3f}  "
                  f"{ratio(mine, theirs, 0):<19} {nets[0]:<19} | {middle(mine, 1):7.3f} {middle(theirs, 1):7.3f}  "
                  f"{ratio(mine, theirs, 1):<19} {nets[1]:<19} | {middle(mine, 2):6.0f} {middle(theirs, 2):6.0f}", flush=True)


if __name__ == "__main__":
    main()
