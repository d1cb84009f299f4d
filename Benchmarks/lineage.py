"""Lineage at scale: a generated graph, its index in a warehouse, a server that answers about it, and other programs on a smaller one.

    python Benchmarks/lineage.py [--tables 1000000] [--probes 2000] [--seconds 5] [--peer-tables 46000] [--peer-probes 300] [--files FOLDER] [--json FILE]

Tables of 50 columns with about 100 edges each. The first part folds `--tables` of them in one process (`lineage-benchmark`, which asks as well), writes the index down,
and starts `varve serve` with it: how long until the first answer, with what the index holds out of the page cache where one may do that, and then questions over HTTP.
The second part asks the same questions of networkx and of PostgreSQL (a recursive query over an indexed table, in a cluster of its own), where these are
installed: what a column was made of, ten steps back, values only. All must find the same numbers of columns. 0 tables leave a part out.
"""

import argparse
import contextlib
import getpass
import json
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

from served import BINARY, machine, request, row, running, scratch

PROGRAM = str(pathlib.Path(BINARY).parent / "lineage-benchmark")
QUESTION = "upstream, 10 hops, values only"
ENTRIES = 100


def fold(folder, tables, probes, *arguments):
    """Runs the program; its own figures, in microseconds by the clock, and what it asked: name, number, how many nodes."""
    questions = folder / "questions.csv"
    done = subprocess.run([PROGRAM, str(tables), str(probes), *map(str, arguments), "--questions", str(questions)], stdout=subprocess.PIPE, text=True, check=True)
    print(done.stdout, end="", flush=True)
    own = {}
    for line in done.stdout.splitlines():
        found = re.match(r"(.*): p50 ([\d.]+), p99 ([\d.]+) µs CPU; p50 ([\d.]+), p99 ([\d.]+) µs;", line)
        if found:
            own[found[1]] = [float(value) for value in found.groups()[1:]]
    asked = [line.split(",") for line in questions.read_text().splitlines()]
    return own, [(name, int(number), int(count)) for name, number, count in asked]


def forget_pages():
    """Whether files will have to be read from the disk again."""
    try:
        os.sync()
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
        return True
    except OSError:
        return False


def at_scale(folder, options):
    lake = folder / "lake"
    statements = "; ".join(f"CREATE SCHEMA s{number}" for number in range(ENTRIES))
    subprocess.run([BINARY, "sql", "--warehouse", str(lake), statements], check=True, stdout=subprocess.DEVNULL)
    own, asked = fold(folder, options.tables, options.probes, "--index", lake)
    results = {"in process": own}
    cold = forget_pages()
    began = time.monotonic()
    with running(folder, str(lake)) as server:
        def path(name, **parameters):
            return "/varve/v1/lineage/upstream?" + urllib.parse.urlencode({"node": name, **parameters})

        values = {"depth": 10, "values_only": "true"}
        server.call("GET", path(asked[0][0], **values))
        results["first answer"] = time.monotonic() - began
        print(f"first answer {results['first answer']:.2f} s after the start of the server"
              f" ({'files not in memory' if cold else 'files in memory: page caches could not be dropped'})")
        for name, _, count in random.Random(1).sample(asked, min(20, len(asked))):
            assert len(json.loads(server.call("GET", path(name, **values))[1])["nodes"]) == count
        for title, parameters in [("values only", values), ("conditions too", {"depth": 10})]:
            requests = [request("GET", path(name, **parameters)) for name, _, _ in asked]
            # What the index holds is read from the disk when it is first needed.
            found = server.load(requests, 1, options.seconds)
            row(f"10 hops, {title}, while it is read", found)
            for connections in (1, 16):
                found = server.load(requests, connections, options.seconds)
                row(f"10 hops, {title}, {connections} at once", found)
                results[f"{title}, {connections}"] = found
        hub = "/varve/v1/lineage/impact?" + urllib.parse.urlencode({"node": "shared.calendar.column_0", "depth": 1})
        found = server.load([request("GET", hub)], 1, options.seconds)
        row("impact of the hub, one step", found)
        results["hub"] = found
    return results


def networkx_times(edges, asked):
    import networkx

    began = time.monotonic()
    graph = networkx.DiGraph()
    with open(edges) as file:
        # From a column to what it was made of.
        graph.add_edges_from(tuple(map(int, line.split(",")))[::-1] for line in file)
    print(f"networkx {networkx.__version__}: {graph.number_of_edges()} edges loaded in {time.monotonic() - began:.1f} s")
    times = []
    for _, number, count in asked:
        began = time.perf_counter()
        found = networkx.single_source_shortest_path_length(graph, number, cutoff=10)
        times.append((time.perf_counter() - began) * 1e6)
        assert len(found) == count, (number, len(found), count)
    return times


@contextlib.contextmanager
def postgres(folder):
    """A cluster that listens on a socket of its own; the way to call psql. PostgreSQL does not run as root."""
    programs = next((path for path in sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), reverse=True) if (path / "initdb").exists()), None)
    if programs is None:
        yield None
        return
    place = pathlib.Path(tempfile.mkdtemp(prefix="lineage-postgres-", dir="/tmp"))
    user = ["runuser", "-u", "postgres", "--"] if getpass.getuser() == "root" else []
    if user:
        shutil.chown(place, "postgres")
    data = place / "data"
    settings = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={place}", "-c", "shared_buffers=2GB", "-c", "work_mem=256MB", "-c", "fsync=off", "-c", "jit=off"]
    try:
        subprocess.run([*user, programs / "initdb", "-D", data, "-A", "trust", "-U", "bench"], check=True, stdout=subprocess.DEVNULL, cwd="/")
        subprocess.run([*user, programs / "pg_ctl", "-D", data, "-w", "-l", place / "log", "-o", " ".join(settings), "start"], check=True, stdout=subprocess.DEVNULL, cwd="/")
        try:
            yield [programs / "psql", "-h", place, "-U", "bench", "-d", "postgres", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        finally:
            subprocess.run([*user, programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL, cwd="/")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def postgres_times(folder, edges, asked):
    with postgres(folder) as psql:
        if psql is None:
            return None
        began = time.monotonic()
        version = subprocess.run([*psql, "-c", "SHOW server_version"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        with open(edges, "rb") as file:
            subprocess.run([*psql, "-c", "CREATE TABLE edges (source int4, target int4)", "-c", "COPY edges FROM STDIN (FORMAT csv)",
                            "-c", "CREATE INDEX ON edges (target) INCLUDE (source)", "-c", "VACUUM ANALYZE edges"], check=True, stdin=file)
        print(f"PostgreSQL {version}: edges loaded in {time.monotonic() - began:.1f} s")
        query = """PREPARE upstream (int4) AS WITH RECURSIVE reached(node, depth) AS (
            SELECT $1, 0 UNION SELECT source, depth + 1 FROM reached JOIN edges ON target = node WHERE depth < 10)
            SELECT count(DISTINCT node) FROM reached;\n\\timing on\n"""
        script = query + "".join(f"EXECUTE upstream({number});\n" for _, number, _ in asked)
        done = subprocess.run(psql, check=True, input=script, stdout=subprocess.PIPE, text=True)
        counts = [int(line) for line in done.stdout.splitlines() if line.isdigit()]
        assert counts == [count for _, _, count in asked]
        return [float(found) * 1000 for found in re.findall(r"^Time: ([\d.]+) ms", done.stdout, re.MULTILINE)]


def beside_peers(folder, options):
    edges = folder / "edges.csv"
    own, asked = fold(folder, options.peer_tables, options.peer_probes, "--edges", edges)
    mine = own[QUESTION][2:]
    results = {"varve": mine}
    print(f"{'':14} {'p50 us':>12} {'p99 us':>12}   as many times Varve's\n{'varve':14} {mine[0]:12.1f} {mine[1]:12.1f}")
    for name, run in [("networkx", networkx_times), ("PostgreSQL", lambda *arguments: postgres_times(folder, *arguments))]:
        try:
            times = run(edges, asked)
        except ImportError:
            times = None
        if times is None:
            print(f"{name} is not installed")
            continue
        times.sort()
        found = [statistics.median(times), times[min(int(len(times) * 0.99), len(times) - 1)]]
        results[name] = found
        print(f"{name:14} {found[0]:12.1f} {found[1]:12.1f}   {found[0] / mine[0]:.1f} and {found[1] / mine[1]:.1f}")
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=1_000_000)
    parser.add_argument("--probes", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--peer-tables", type=int, default=46_000)
    parser.add_argument("--peer-probes", type=int, default=300)
    parser.add_argument("--files", help="where the warehouse and the edges go; they stay there")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    if not pathlib.Path(PROGRAM).exists():
        sys.exit(f"{PROGRAM} is missing: build it first")
    print(machine())
    results = {}
    with scratch(options.files) as folder:
        if options.tables:
            results["scale"] = at_scale(folder, options)
        if options.peer_tables:
            results["peers"] = beside_peers(folder, options)
    print(machine())
    if options.json:
        options.json.write_text(json.dumps(results))


main()
