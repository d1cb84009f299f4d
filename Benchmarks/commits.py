"""How many commits a second a server takes, and in what time.

    python Benchmarks/commits.py [--seconds 8] [--connections 64] [--filter REGEX] [--json FILE]

`sql, one table`: INSERTs of ten rows each, all into one table. `sql, 8 tables`: the same, each connection into one of eight.
`rest`: commits of the Iceberg REST catalog that set a property, each connection to a table of its own; beside it PyIceberg's SQL catalog (SQLite in a file, on
the same machine), with as many threads as it does best with of 1, 4 and 16: it does the same change of metadata without a server.
`sql, store at 60 ms`: one table in a bucket whose every answer takes 60 ms (store.c: in memory, S3's interface as far as Varve needs it, conditional writes).
"""

import argparse
import contextlib
import json
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time

from served import HERE, inserts, machine, request, row, running, scratch


def entry_count(server):
    return json.loads(server.call("GET", "/varve/v1/log?from=9223372036854775807")[1])["position"]


def sql(folder, options, name, tables=1, warehouse=None, environment=None):
    # A connection is made anew for each statement, a little before the one before it has left.
    settings = {"queries_max": 4 * options.connections}
    with running(folder, warehouse, environment, settings) as server:
        for table in range(tables):
            server.sql(f"CREATE TABLE t{table} (a INTEGER, b VARCHAR, c DOUBLE)")
        before = entry_count(server)
        found = server.load(inserts(options.connections, tables), options.connections, options.seconds)
        row(name, found)
        rows = sum(server.sql(f"SELECT count(*) FROM t{table}")[0][0] for table in range(tables))
        entries = entry_count(server) - before
        print(f"{'':34} {rows // 10} commits in {entries} entries, {rows / 10 / max(entries, 1):.1f} each")
        # Nothing that was acknowledged is missing.
        assert rows >= 10 * found["statuses"].get("200", 0) and rows % 10 == 0, (rows, found)
        return found


def rest(folder, options):
    with running(folder) as server:
        requests = []
        for number in range(options.connections):
            server.sql(f"CREATE TABLE t{number} (a INTEGER)")
            metadata = json.loads(server.call("GET", f"/v1/namespaces/main/tables/t{number}")[1])["metadata"]
            requests.append((number, metadata["table-uuid"]))
        # It has to be another value each time, or nothing changes: every connection sends two requests in turns.
        made = []
        for turn in range(2):
            for number, uuid in requests:
                body = json.dumps({
                    "requirements": [{"type": "assert-table-uuid", "uuid": uuid}],
                    "updates": [{"action": "set-properties", "updates": {"turn": str(turn)}}],
                }).encode()
                made.append(request("POST", f"/v1/namespaces/main/tables/t{number}", body, **{"Content-Type": "application/json"}))
        found = server.load(made, options.connections, options.seconds)
        row("rest, set a property", found)
        return found


def pyiceberg(folder, options):
    try:
        from pyiceberg.catalog.sql import SqlCatalog
        from pyiceberg.schema import Schema
        from pyiceberg.types import IntegerType, NestedField
    except ImportError as error:
        print(f"{'PyIceberg SqlCatalog':34} - ({error})")
        return None
    best = None
    for threads in 1, 4, 16:
        place = folder / f"sql-{threads}"
        place.mkdir()
        catalog = SqlCatalog("sql", uri=f"sqlite:///{place}/catalog.db", warehouse=f"file://{place}")
        catalog.create_namespace("main")
        tables = [catalog.create_table(f"main.t{number}", Schema(NestedField(1, "a", IntegerType()))) for number in range(threads)]
        end, counts, failures = time.monotonic() + options.seconds, [0] * threads, [0] * threads

        def work(number):
            table, turn = tables[number], 0
            while time.monotonic() < end:
                turn += 1
                try:
                    with table.transaction() as change:
                        change.set_properties({"turn": str(turn)})
                    counts[number] += 1
                except Exception:
                    failures[number] += 1
                    table.refresh()

        workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        rate = sum(counts) / options.seconds
        print(f"{f'PyIceberg SqlCatalog, {threads} threads':34} {rate:9.0f}/s   {sum(failures)} failed")
        best = max(best or 0, rate)
    return best


@contextlib.contextmanager
def distant_bucket(folder, millis):
    """An S3 store that answers so late."""
    program = folder / "store"
    subprocess.run(["cc", "-O2", "-o", program, HERE / "store.c"], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([program, str(port), str(millis)])
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.02)
        yield {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
               "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    finally:
        process.terminate()
        process.wait(60)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--millis", type=int, default=60)
    parser.add_argument("--filter", default="")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    print(f"{machine()}; {options.connections} connections")
    results = {}

    def far(folder):
        with distant_bucket(folder, options.millis) as environment:
            return sql(folder, options, f"sql, store at {options.millis} ms", warehouse="s3://bucket/lake", environment=environment)

    for name, body in {
        "sql, one table": lambda folder: sql(folder, options, "sql, one table"),
        "sql, 8 tables": lambda folder: sql(folder, options, "sql, 8 tables", tables=8),
        "rest": lambda folder: rest(folder, options),
        "pyiceberg": lambda folder: pyiceberg(folder, options),
        "sql, store at 60 ms": far,
    }.items():
        if re.search(options.filter, name):
            with scratch() as folder:
                results[name] = body(folder)
    print(machine())
    if options.json:
        options.json.write_text(json.dumps(results))


main()
