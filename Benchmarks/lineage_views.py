"""Impact where there are many views: how long an answer takes that has to bind them all, and those behind it.

    python Benchmarks/lineage_views.py [--views 1000] [--tables 100] [--columns 20] [--rounds 30]

A tenth of the views read other views. `varve serve` is asked over HTTP: for the first time, again, after rows were added to a table (what views read
is as it was), after a table got a column (views that read it are bound again), and about a view.
"""

import argparse
import statistics
import time

from served import machine, running, scratch


def timed(server, path):
    began = time.perf_counter()
    _, body = server.call("GET", path)
    return (time.perf_counter() - began) * 1e3, len(body)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--views", type=int, default=1000)
    parser.add_argument("--tables", type=int, default=100)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    columns = [f"c{number}" for number in range(options.columns)]
    with scratch() as folder:
        with running(folder) as server:
            make(server, options, columns)
        # A process that knows none of it.
        with running(folder) as fresh:
            ask(fresh, options, columns)


def make(server, options, columns):
    for table in range(options.tables):
        server.sql(f"CREATE TABLE t{table} ({', '.join(f'{name} INTEGER' for name in columns)})")
        server.sql(f"INSERT INTO t{table} VALUES ({', '.join('1' for _ in columns)})")
    for view in range(options.views):
        table = view % options.tables
        source = f"v{view - options.tables}" if view % 10 == 9 and view >= options.tables else f"t{table}"
        other = f"t{(table + 1) % options.tables}"
        picked = ", ".join(f"a.{name} + b.{columns[0]} AS {name}" for name in columns)
        server.sql(f"CREATE VIEW v{view} AS SELECT {picked} FROM {source} a JOIN {other} b ON a.{columns[0]} = b.{columns[0]} WHERE b.{columns[-1]} > 0")


def ask(fresh, options, columns):
    path = f"/varve/v1/lineage/impact?node=main.t0.{columns[1]}"
    fresh.call("GET", f"/varve/v1/lineage/downstream?node=main.t0.{columns[1]}")
    first, size = timed(fresh, path)
    again = sorted(timed(fresh, path)[0] for _ in range(options.rounds))
    fresh.sql("INSERT INTO t0 (c0) VALUES (2)")
    rows, _ = timed(fresh, path)
    fresh.sql("ALTER TABLE t0 ADD COLUMN more INTEGER")
    schema, _ = timed(fresh, path)
    view = sorted(timed(fresh, f"/varve/v1/lineage/upstream?node=main.v{options.views - 1}.{columns[1]}")[0] for _ in range(options.rounds))
    print(f"{options.views} views, {options.tables} tables of {options.columns} columns; answers of {size} bytes; {machine()}")
    for name, value in [("first question", first), ("again, p50", statistics.median(again)), ("again, most", again[-1]),
                        ("after an INSERT", rows), ("after ALTER TABLE", schema), ("upstream of a view, p50", statistics.median(view))]:
        print(f"{name:28} {value:9.2f} ms")


if __name__ == "__main__":
    main()
