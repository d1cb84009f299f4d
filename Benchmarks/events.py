"""Events of OpenLineage into a running `varve serve`: how many a second, and what they do to INSERTs beside them.

    .venv/bin/python Benchmarks/events.py [--seconds 10] [--folder DIR]
"""
import argparse
import datetime
import json
import pathlib
import subprocess
import time
import uuid

from served import generator, machine, request, row, running, scratch

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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--events", type=int, default=120_000, help="different events at hand; beyond them they come again")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    bodies = [json.dumps(event(number)).encode() for number in range(options.events)]
    half = options.events // 2
    singles = [posted("/api/v1/lineage", body) for body in bodies[:half]]
    batches = [posted("/api/v1/lineage/batch", b"[" + b",".join(bodies[first:first + 100]) + b"]") for first in range(half, options.events, 100)]
    inserts = [posted("/varve/v1/query", json.dumps({"sql": f"INSERT INTO t VALUES ({number})"}).encode()) for number in range(1000)]
    print(f"{machine()}; events of {len(bodies[0])} bytes")
    figures = {}
    with scratch() as folder, running(folder) as server:
        server.sql("CREATE TABLE t (a INTEGER)")

        def measure(name, requests, connections):
            figures[name] = server.load(requests, connections, options.seconds)
            row(name, figures[name])

        measure("INSERTs alone, 4 clients", inserts, 4)
        measure("events, one each, 64 clients", singles, 64)
        measure("batches of 100, 4 clients", batches, 4)
        path = folder / "singles"
        path.write_bytes(b"".join(b"%d\n" % len(one) + one for one in singles))
        other = subprocess.Popen([generator(folder), str(server.port), "16", str(options.seconds + 1), path], stdout=subprocess.PIPE)
        measure("INSERTs beside events of 16 clients", inserts, 4)
        beside = json.loads(other.communicate()[0])
        print(f"{'events beside them':34} {beside['answers'] / (options.seconds + 1):9.0f}/s")
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
