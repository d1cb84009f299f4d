"""How long a process takes to start on a long catalog log, with and without checkpoints.

    python Benchmarks/catalog_start.py .build/release/varve [--entries 100000] [--tables 10000]

Writes a warehouse into a folder by the format's text alone (Formats/catalog-log), not by Varve: entries that
make the tables, then updates of one table each, at random. Metadata files are named, not there: a start reads none.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import tempfile
import time
import zlib


def sealed(members):
    body = json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()[:-1]
    return body + b',"checksum":"%08x"}' % zlib.crc32(body)


def write_log(root, entries, tables, batch):
    os.makedirs(f"{root}/_varve/log")
    warehouse = sealed({"format-version": 1, "warehouse-id": "bench", "created": 1_700_000_000_000})
    with open(f"{root}/_varve/warehouse.json", "wb") as file:
        file.write(warehouse)
    chance = random.Random(1)
    previous = hashlib.sha256(warehouse).hexdigest()
    where = [None] * tables

    def location(table, version):
        return f"file://{root}/main/table_{table}-{table:012d}/metadata/{version:05d}-{table:032d}.metadata.json"

    next_table = 0
    for number in range(1, entries + 1):
        changes = []
        if number == 1:
            changes = [{"change": "create-namespace", "namespace": ["main"], "properties": {}}]
        for _ in range(batch if number > 1 else 0):
            made = next_table < tables
            if not made and changes:
                break
            table = next_table if made else chance.randrange(tables)
            next_table += made
            version = 0 if made else where[table] + 1
            change = {
                "change": "create-table" if made else "update-table",
                "namespace": ["main"],
                "name": f"table_{table}",
                "uuid": f"00000000-0000-4000-8000-{table:012d}",
                "metadata-location": location(table, version),
            }
            if not made:
                change["previous-metadata-location"] = location(table, where[table])
                change["snapshot-id"] = number
            change["metadata-sha256"] = hashlib.sha256(b"%d %d" % (number, table)).hexdigest()
            where[table] = version
            changes.append(change)
        commit = {"id": f"commit-{number}", "actor": "bench", "changes": changes}
        entry = sealed(
            {
                "sequence": number,
                "previous": previous,
                "time": 1_700_000_000_000 + number * 1000,
                "server": "bench",
                "commits": [commit],
            }
        )
        with open(f"{root}/_varve/log/{number:020d}.json", "wb") as file:
            file.write(entry)
        previous = hashlib.sha256(entry).hexdigest()
    return previous


def timed(command, environment):
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{command}: {done.stderr}")
    return seconds, done.stdout


def size(folder):
    return sum(os.path.getsize(os.path.join(path, name)) for path, _, names in os.walk(folder) for name in names)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("varve")
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--tables", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=1, help="tables made by one entry")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--keep", help="a folder to leave the warehouse in")
    options = parser.parse_args()
    varve = os.path.abspath(options.varve)
    root = options.keep or tempfile.mkdtemp(prefix="varve-start-")
    environment = dict(os.environ, VARVE_WAREHOUSE=root)
    question = [varve, "sql", "--format", "csv", "SELECT count(*) FROM information_schema.schemata"]
    try:
        start = time.perf_counter()
        write_log(root, options.entries, options.tables, options.batch)
        print(f"{options.entries} entries, {options.tables} tables, {size(root) >> 20} MiB: "
              f"written in {time.perf_counter() - start:.1f} s")
        seconds, report = timed([varve, "maintain", "--checkpoint"], environment)
        checkpoints = f"{root}/_varve/checkpoints"
        print(f"full read and checkpoint: {seconds:.2f} s; {report.strip()}; {size(checkpoints)} bytes")
        times = sorted(timed(question, environment)[0] for _ in range(options.runs))
        print(f"start from the checkpoint and a query: median {times[len(times) // 2]:.3f} s, least {times[0]:.3f} s")
        hidden = checkpoints + ".away"
        os.rename(checkpoints, hidden)
        # The command itself would write one, as it read more than a thousand entries.
        seconds, _ = timed(question, environment)
        shutil.rmtree(checkpoints, ignore_errors=True)
        os.rename(hidden, checkpoints)
        print(f"start without, the same query, a checkpoint in the background: {seconds:.2f} s")
    finally:
        if not options.keep:
            shutil.rmtree(root)


if __name__ == "__main__":
    main()
