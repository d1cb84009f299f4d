"""Events of OpenLineage into a running `varve serve`: how many a second, and what they do to INSERTs beside them, as fast as
answers come and at a pace that leaves the processors room.

    .venv/bin/python Benchmarks/events.py [--seconds 10] [--folder DIR]
"""
import argparse
import datetime
import json
import pathlib
import time
import uuid

from served import machine, request, row, running, scratch

PRODUCER = "https://example.com/benchmark"


def facet(**members):
    return {"_producer": PRODUCER, "_schemaURL": "https://example.com/facet.json", **members}


def event(number):
    """A run's end as Spark tells it: two inputs, an output with ten columns and where they came from; each another run."""
    at = datetime.datetime(2024, 5, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(milliseconds=number)
    columns = [f"column_{place}" for place in range(10)]

    def dataset(name, **facets):
        schema = facet(fields=[{"name": column, "type": "string"} for column in columns])
        return {"namespace": "s3://bucket", "name": name, "facets": {"schema": schema, **facets}}

    fields = {column: {"inputFields": [{"namespace": "s3://bucket", "name": f"in/{number % 50}", "field": column,
                                        "transformations": [{"type": "DIRECT", "subtype": "IDENTITY"}]}]} for column in columns}
    return {
        "eventType": "COMPLETE", "eventTime": at.isoformat(), "producer": PRODUCER,
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": str(uuid.UUID(int=number)), "facets": {"processing_engine": facet(name="spark", version="3.5")}},
        "job": {"namespace": "jobs", "name": f"job-{number % 100}", "facets": {}},
        "inputs": [dataset(f"in/{number % 50}"), dataset(f"in/{number % 50 + 1}")],
        "outputs": [dataset(f"out/{number % 100}", columnLineage=facet(fields=fields))],
    }


def posted(path, body):
    return request("POST", path, body, **{"Content-Type": "application/json"})


def batched(bodies):
    return [posted("/api/v1/lineage/batch", b"[" + b",".join(bodies[first:first + 100]) + b"]") for first in range(0, len(bodies), 100)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--events", type=int, default=120_000, help="different events at hand; beyond them they come again")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    bodies = [json.dumps(event(number)).encode() for number in range(options.events)]
    half = options.events // 2
    singles = [posted("/api/v1/lineage", body) for body in bodies[:half]]
    batches = batched(bodies[half:])
    # Events that nobody has sent before cost more than those that come again.
    rate = 50
    fresh = batched([json.dumps(event(options.events + number)).encode() for number in range(int(100 * rate * (options.seconds + 2)))])
    print(f"{machine()}; events of {len(bodies[0])} bytes")
    figures = {}
    with scratch() as folder, running(folder) as server:
        # A table of its own for each, for an INSERT takes the longer the more snapshots its table has.
        def inserts(table):
            server.sql(f"CREATE TABLE {table} (a INTEGER)")
            return [posted("/varve/v1/query", json.dumps({"sql": f"INSERT INTO {table} VALUES ({number})"}).encode()) for number in range(1000)]

        def measure(name, requests, connections, rate=None):
            figures[name] = server.load(requests, connections, options.seconds, rate)
            row(name, figures[name])

        def beside(name, table, events, clients, each=1, rate=None):
            """INSERTs while others send events; at a rate, both are sent at it."""
            statements = inserts(table)
            other = server.begin_load(events, clients, options.seconds + 1, rate)
            measure(name, statements, 4, rate)
            found = json.loads(other.communicate()[0])
            figures[f"{name}, events"] = found
            print(f"{'events beside them':34} {each * found['answers'] / (options.seconds + 1):9.0f}/s")

        measure("INSERTs alone, 4 clients", inserts("a"), 4)
        measure("events, one each, 64 clients", singles, 64)
        measure("batches of 100, 4 clients", batches, 4)
        beside("INSERTs beside events of 16 clients", "b", singles, 16)
        # At a pace that leaves the processors room: whether one log waits for the other.
        measure(f"{rate} INSERTs a second, alone", inserts("c"), 4, rate)
        beside(f"the same beside {100 * rate} events/s", "d", fresh, 4, each=100, rate=rate)
        began = time.monotonic()
        count = json.loads(server.call("GET", "/api/v1/events/lineage?limit=0")[1])["totalCount"]
        print(f"{'first read, of all of them':34} {time.monotonic() - began:9.2f} s   {count} events")
        began = time.monotonic()
        nodes = json.loads(server.call("GET", "/api/v1/lineage?nodeId=job:jobs:job-0&depth=2")[1])["graph"]
        print(f"{'a graph':34} {time.monotonic() - began:9.3f} s   {len(nodes)} nodes")
        figures["count"] = count
    print(machine())
    if options.json:
        options.json.write_text(json.dumps(figures))


main()
