"""How many loads of tables a server answers, beside routes that do nothing, in one run.

    python Benchmarks/loads.py [--seconds 5] [--connections 64] [--rounds 3] [--snapshots 5] [--json FILE]

The generator runs on the same machine and takes its part of the processors.
"""

import argparse
import json
import pathlib

from served import machine, request, row, running, scratch


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--snapshots", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    results = []
    with scratch() as folder, running(folder) as server:
        server.sql("CREATE TABLE t (a INTEGER, b VARCHAR, c DOUBLE, d DATE)")
        for number in range(options.snapshots):
            server.sql(f"INSERT INTO t SELECT {number}, 'x', i, current_date FROM range(10) r(i)")
        path = "/v1/namespaces/main/tables/t"
        headers, body = server.call("GET", path)
        print(f"{machine()}; {options.connections} connections; a table answer has {len(body)} bytes")
        routes = {
            "GET /health/live": request("GET", "/health/live"),
            "GET /v1/config": request("GET", "/v1/config"),
            "HEAD table": request("HEAD", path),
            "GET table": request("GET", path),
            "GET table, If-None-Match (304)": request("GET", path, **{"If-None-Match": headers["ETag"]}),
        }
        for round in range(options.rounds):
            for name, bytes in routes.items():
                found = server.load([bytes], options.connections, options.seconds)
                row(name, found)
                results.append({"route": name, "round": round, **found})
        print(machine())
    if options.json:
        options.json.write_text(json.dumps({"results": results}))


main()
