"""Events of OpenLineage come in as its clients send them, and come back in the words of Marquez."""
import contextlib
import copy
import datetime
import gzip
import json
import os
import pathlib
import random
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pytest

from support import SECONDS, SHARED, Varve, bucket_server, shared
from test_rest_clients import running

PRODUCER = "https://example.com/tests"
SPACE = "s3://bucket"
# The folder `spec/tests` of the OpenLineage repository; its examples are not in this one.
EXAMPLES = pathlib.Path(os.environ.get("VARVE_OPENLINEAGE_TESTS", SHARED / "corpora" / "openlineage" / "tests"))


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat()


def facet(**members):
    return {"_producer": PRODUCER, "_schemaURL": "https://example.com/facet.json", **members}


def dataset(name, namespace=SPACE, **facets):
    return {"namespace": namespace, "name": name, "facets": facets}


def run_event(kind="COMPLETE", run=None, job="etl", inputs=(), outputs=(), facets=None, at=None):
    return {
        "eventType": kind, "eventTime": at or now(), "producer": PRODUCER,
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": run or str(uuid.uuid4()), "facets": facets or {}},
        "job": {"namespace": "jobs", "name": job}, "inputs": list(inputs), "outputs": list(outputs),
    }


def call(server, method, path, body=None, **headers):
    """Status and JSON (or nothing) of an answer."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(server.url + path, data=data, method=method, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as response:
            status, text = response.status, response.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    return status, json.loads(text) if text else None


def post(server, event, **headers):
    return call(server, "POST", "/api/v1/lineage", event, **headers)


def batch(server, events, **headers):
    return call(server, "POST", "/api/v1/lineage/batch", events, **headers)


def get(server, path, **parameters):
    query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
    status, answer = call(server, "GET", "/api/v1" + path + query)
    assert status == 200, (path, parameters, answer)
    return answer


def quoted(text):
    return urllib.parse.quote(text, safe="")


def graph(server, path, node, **parameters):
    return {one["id"]: one for one in get(server, path, nodeId=node, **parameters)["graph"]}


def sources(node):
    return sorted((one["dataset"], one["field"]) for one in node["data"]["inputFields"])


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("server")) as running_server:
        yield running_server


@pytest.fixture
def fresh(tmp_path):
    with running(tmp_path) as running_server:
        yield running_server


# What is taken, and what is refused.


def test_an_event_is_answered_as_marquez_does(server):
    request = urllib.request.Request(server.url + "/api/v1/lineage", json.dumps(run_event()).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=SECONDS) as response:
        assert (response.status, response.read()) == (201, b"")


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_bodies_may_be_compressed(server, encoding):
    body = json.dumps(run_event(job=f"packed-{encoding}")).encode()
    if encoding == "gzip":
        packed = gzip.compress(body)
    else:
        import pyarrow
        packed = pyarrow.compress(body, codec="zstd", asbytes=True)
    assert post(server, packed, Content_Encoding=encoding)[0] == 201
    get(server, f"/namespaces/jobs/jobs/packed-{encoding}")
    assert post(server, body, Content_Encoding=encoding)[0] == 400
    status, answer = post(server, body, Content_Encoding="br")
    assert status == 415 and "gzip or zstd" in answer["error"]["message"]


def test_what_swells_beyond_the_limit_is_refused(tmp_path):
    settings = tmp_path / "varve.yaml"
    settings.write_text("server:\n  body_bytes_max: 1 MiB\n")
    with running(tmp_path, arguments=["--config", str(settings)]) as server:
        assert post(server, gzip.compress(b" " * (8 << 20)), Content_Encoding="gzip")[0] == 413
        assert post(server, b" " * (2 << 20))[0] == 413
        assert post(server, run_event())[0] == 201


@pytest.mark.parametrize("body, message", [
    (b"{", "no JSON"), (b"[]", "must be an object"), (b"{}", "eventTime: is missing"), (b"", "no JSON"),
    (json.dumps({**run_event(), "eventTime": "yesterday"}).encode(), "eventTime: must be a time"),
    (json.dumps({**run_event(), "run": {"runId": "7"}}).encode(), "run.runId: must be a UUID"),
    (json.dumps(run_event(outputs=[dataset("t", columnLineage=facet())])).encode(), "outputs[0].facets.columnLineage.fields: is missing"),
])
def test_a_bad_event_is_refused_with_the_reason(server, body, message):
    status, answer = post(server, body)
    assert status == 400 and message in answer["error"]["message"], answer


def test_a_batch_is_taken_event_by_event(fresh):
    good = [run_event(job=f"job-{number}") for number in range(50)]
    assert batch(fresh, good) == (204, None)
    assert batch(fresh, []) == (204, None)
    bad = {**run_event(), "eventType": "DONE"}
    status, answer = batch(fresh, [run_event(job="before"), bad, run_event(job="after"), 7])
    assert status == 200
    assert answer["status"] == "partial_success"
    assert answer["summary"] == {"received": 4, "successful": 2, "failed": 2, "retriable": 0, "non_retriable": 2}
    assert [(one["index"], one["retriable"]) for one in answer["failed_events"]] == [(1, False), (3, False)]
    assert answer["failed_events"][0]["reason"].startswith("eventType: must be one of")
    assert batch(fresh, {"no": "array"})[0] == 400
    names = [job["name"] for job in get(fresh, "/namespaces/jobs/jobs")["jobs"]]
    assert sorted(names) == sorted([f"job-{number}" for number in range(50)] + ["before", "after"])


def test_an_event_that_is_sent_again_changes_nothing(fresh, tmp_path):
    event = run_event(outputs=[dataset("t")])
    body = json.dumps(event, indent=3).encode()
    again = json.dumps(dict(reversed(event.items())), ensure_ascii=True).encode()
    for sent in [body, again, body]:
        assert post(fresh, sent)[0] == 201
    assert batch(fresh, [event] * 100) == (204, None)
    assert get(fresh, "/events/lineage")["totalCount"] == 1
    entries = list(pathlib.Path(fresh.warehouse, "_varve/lineage/events/_varve/log").glob("*.json"))
    assert len(entries) == 1
    # Another server, at the same time and after both have ended.
    (tmp_path / "other").mkdir()
    with running(tmp_path / "other", fresh.warehouse) as other:
        assert post(other, event)[0] == 201
        assert get(other, "/events/lineage")["totalCount"] == 1


def test_what_was_acknowledged_outlives_a_kill(tmp_path):
    known, stopped = [], threading.Event()
    with contextlib.suppress(AssertionError):
        with running(tmp_path) as server:
            def send(number):
                while not stopped.is_set():
                    event = run_event(job=f"{number}-{len(known)}")
                    try:
                        if post(server, event)[0] == 201:
                            known.append(event["run"]["runId"])
                    except (OSError, urllib.error.URLError):
                        return

            threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            deadline = time.monotonic() + SECONDS
            while len(known) < 200 and time.monotonic() < deadline:
                time.sleep(0.01)
            server.process.kill()
            stopped.set()
            for thread in threads:
                thread.join()
    assert len(known) >= 200
    with running(tmp_path) as server:
        found = {event["run"]["runId"] for event in get(server, "/events/lineage", limit=10_000)["events"]}
        assert set(known) <= found
        assert len(found) <= len(known) + 8


def test_events_need_a_token_where_others_do(tmp_path):
    settings = tmp_path / "varve.yaml"
    settings.write_text("auth:\n  tokens:\n    - {token: a-token-for-tests, principal: alice}\n")
    with running(tmp_path, arguments=["--config", str(settings)]) as server:
        assert post(server, run_event())[0] == 401
        assert call(server, "GET", "/api/v1/namespaces")[0] == 401
        bearer = {"Authorization": "Bearer a-token-for-tests"}
        assert post(server, run_event(job="mine"), **bearer)[0] == 201
        status, answer = call(server, "GET", "/api/v1/namespaces/jobs/jobs/mine", **bearer)
        assert status == 200 and answer["latestRun"]["state"] == "COMPLETED"
    [entry] = pathlib.Path(server.warehouse, "_varve/lineage/events/_varve/log").glob("*.json")
    assert json.loads(entry.read_bytes())["commits"][0]["actor"] == "alice"


def test_two_servers_share_the_events(fresh, tmp_path):
    (tmp_path / "other").mkdir()
    with running(tmp_path / "other", fresh.warehouse) as other:
        for number in range(10):
            first, second = (fresh, other) if number % 2 else (other, fresh)
            assert post(first, run_event(job=f"job-{number}"))[0] == 201
            assert get(second, f"/namespaces/jobs/jobs/job-{number}")["latestRun"]["state"] == "COMPLETED"


def test_the_log_of_events_leaves_commits_alone(fresh):
    fresh.sql("CREATE TABLE t (a INTEGER)")
    before = json.loads(fresh.call("GET", "/varve/v1/log")[2])["position"]
    assert batch(fresh, [run_event() for _ in range(100)]) == (204, None)
    assert json.loads(fresh.call("GET", "/varve/v1/log")[2])["position"] == before
    fresh.sql("INSERT INTO t VALUES (1)")
    Varve(fresh.warehouse).verify()


# The specification's own words.


def schema_validator():
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(shared("corpora", "openlineage", "OpenLineage.json").read_text())
    checker = jsonschema.FormatChecker(["date-time", "uuid"])
    return jsonschema.Draft202012Validator(schema, format_checker=checker)


def example_events():
    """Every example of the specification's tests, as it is or in an event of the kind that it is a facet of."""
    if not EXAMPLES.exists():
        pytest.skip(f"no examples at {EXAMPLES} (set VARVE_OPENLINEAGE_TESTS to spec/tests of OpenLineage)")
    events = []
    for path in sorted(EXAMPLES.rglob("*.json")):
        example = json.loads(path.read_text())
        if "eventTime" in example:
            events.append((path, example))
            continue
        kind, name = path.parent.name, path.relative_to(EXAMPLES)
        event = run_event(job=str(name), inputs=[dataset("in")], outputs=[dataset("out")])
        if "RunFacet" in kind:
            event["run"]["facets"] = example
        elif "JobFacet" in kind:
            event["job"]["facets"] = example
        elif "InputDatasetFacet" in kind:
            event["inputs"][0]["inputFacets"] = example
        elif "OutputDatasetFacet" in kind:
            event["outputs"][0]["outputFacets"] = example
        else:
            event["outputs"][0]["facets"] = example
        events.append((path, event))
    assert len(events) > 40
    return events


def test_every_example_of_the_specification_is_accepted(fresh):
    validator = schema_validator()
    for path, event in example_events():
        assert not list(validator.iter_errors(event)), path
        status, answer = post(fresh, event)
        assert status == 201, (path, answer)
    assert get(fresh, "/events/lineage", limit=1000)["totalCount"] > 40


def damaged(event, generator):
    """The event with a member taken away, or with another value."""
    event = copy.deepcopy(event)
    places = []

    def walk(value):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            places.append((value, key))
            if isinstance(value[key], (dict, list)):
                walk(value[key])

    walk(event)
    for _ in range(generator.randint(1, 2)):
        holder, key = generator.choice(places)
        with contextlib.suppress(LookupError):
            if generator.random() < 0.4:
                del holder[key]
            else:
                holder[key] = generator.choice([None, 7, True, "text", {}, [], [{}], "2024-05-01T12:30:00Z", str(uuid.UUID(int=7)), "START", {"_deleted": 1}])
    return event


def test_events_are_refused_exactly_when_the_schema_refuses_them(server):
    validator, generator = schema_validator(), random.Random(7)
    whole = run_event(inputs=[dataset("in", mine=facet())], outputs=[dataset("out", other=facet(_deleted=True))], facets={"mine": facet(deep=[1, {"a": None}])})
    whole["inputs"][0]["inputFacets"] = {"mine": facet()}
    whole["job"]["facets"] = {"mine": facet(_deleted=False)}
    static = {name: value for name, value in whole.items() if name not in ("run", "eventType")}
    described = {name: value for name, value in static.items() if name not in ("job", "inputs", "outputs")} | {"dataset": dataset("out", mine=facet())}
    both = {**whole, "dataset": dataset("out")}
    events = [damaged(generator.choice([whole, static, described, both]), generator) for _ in range(4000)]
    status, answer = batch(server, events)
    assert status == 200
    refused = {one["index"]: one["reason"] for one in answer["failed_events"]}
    # The library at hand does not check URIs.
    uris = {index for index, reason in refused.items() if "must be a URI" in reason}
    for index, event in enumerate(events):
        errors = list(validator.iter_errors(event))
        if index not in uris:
            assert bool(errors) == (index in refused), (event, refused.get(index), errors[:1])
    assert 500 < len(refused) < 3900


# Clients.


def test_the_python_client_posts_and_reads_back(server):
    client_module = pytest.importorskip("openlineage.client")
    from openlineage.client import event_v2
    from openlineage.client.facet_v2 import column_lineage_dataset, nominal_time_run, parent_run, schema_dataset
    from openlineage.client.transport.http import HttpCompression, HttpConfig, HttpTransport
    for number, compression in enumerate([None, HttpCompression.GZIP]):
        transport = HttpTransport(HttpConfig(url=server.url, compression=compression))
        client = client_module.OpenLineageClient(transport=transport)
        run_id, parent_id, name = str(uuid.uuid4()), str(uuid.uuid4()), f"client-{number}"
        run = event_v2.Run(run_id, {
            "nominalTime": nominal_time_run.NominalTimeRunFacet("2024-05-01T00:00:00Z", "2024-05-02T00:00:00Z"),
            "parent": parent_run.ParentRunFacet(parent_run.Run(parent_id), parent_run.Job("jobs", "dag")),
        })
        job = event_v2.Job("py", name)
        columns = column_lineage_dataset.ColumnLineageDatasetFacet(fields={
            "total": column_lineage_dataset.Fields([column_lineage_dataset.InputField(
                "py", f"in-{number}", "amount", [column_lineage_dataset.Transformation("DIRECT", "AGGREGATION", "sum", True)])]),
        })
        schema = schema_dataset.SchemaDatasetFacet([schema_dataset.SchemaDatasetFacetFields("total", "int", "all of it")])
        client.emit(event_v2.RunEvent(eventType=event_v2.RunState.START, eventTime=now(), run=run, job=job, producer=PRODUCER, inputs=[event_v2.InputDataset("py", f"in-{number}")]))
        running_now = get(server, f"/jobs/runs/{run_id}")
        assert running_now["state"] == "RUNNING" and running_now["endedAt"] is None
        client.emit(event_v2.RunEvent(
            eventType=event_v2.RunState.COMPLETE, eventTime=now(), run=run, job=job, producer=PRODUCER,
            outputs=[event_v2.OutputDataset("py", f"out-{number}", facets={"columnLineage": columns, "schema": schema})],
        ))
        client.emit(event_v2.JobEvent(eventTime=now(), job=job, producer=PRODUCER))
        client.emit(event_v2.DatasetEvent(eventTime=now(), dataset=event_v2.Dataset("py", f"in-{number}"), producer=PRODUCER))

        told = get(server, f"/namespaces/py/jobs/{name}")
        assert told["inputs"] == [{"namespace": "py", "name": f"in-{number}"}]
        assert told["outputs"] == [{"namespace": "py", "name": f"out-{number}"}]
        assert told["parentJobName"] == "dag"
        [listed] = get(server, f"/namespaces/py/jobs/{name}/runs")["runs"]
        assert listed["id"] == run_id and listed["state"] == "COMPLETED" and listed["durationMs"] >= 0
        assert listed["nominalEndTime"] == "2024-05-02T00:00:00.000000Z"
        assert listed["parent"] == {"run": parent_id, "job": {"namespace": "jobs", "name": "dag"}}
        facets = get(server, f"/jobs/runs/{run_id}/facets", type="run")
        assert facets["runId"] == run_id and set(facets["facets"]) >= {"nominalTime", "parent"}
        output = get(server, f"/namespaces/py/datasets/out-{number}")
        assert output["fields"] == [{"name": "total", "type": "int", "tags": [], "description": "all of it"}]
        [column] = output["columnLineage"]
        assert column["name"] == "total" and column["inputFields"][0]["transformationType"] == "AGGREGATION"
        assert column["inputFields"][0]["transformations"][0]["masking"] is True
        [version] = get(server, f"/namespaces/py/datasets/out-{number}/versions")["versions"]
        assert version["version"] == run_id and version["createdByRun"]["id"] == run_id
        assert version["facets"]["schema"]["fields"][0]["name"] == "total"
        assert get(server, f"/namespaces/py/datasets/out-{number}/versions/{version['version']}") == version


def test_dbt_runs_come_back(fresh, tmp_path):
    pytest.importorskip("dbt.adapters.duckdb")
    pytest.importorskip("openlineage.dbt")
    project = tmp_path / "project"
    (project / "models").mkdir(parents=True)
    (project / "dbt_project.yml").write_text('name: tiny\nversion: "1.0"\nprofile: tiny\nmodel-paths: [models]\n')
    (project / "profiles.yml").write_text("tiny:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: tiny.duckdb, threads: 1}\n")
    models = {
        "raw": "select 1 as id, 'a' as kind union all select 2, 'b'",
        "staged": "select id + 1 as next_id, kind from {{ ref('raw') }} where id > 0",
        "totals": "select kind, count(*) as n, sum(next_id) as total from {{ ref('staged') }} group by kind",
    }
    for name, text in models.items():
        (project / "models" / f"{name}.sql").write_text(text)
    folder = pathlib.Path(sys.executable).parent
    environment = {
        **os.environ, "OPENLINEAGE_URL": fresh.url, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        [folder / "dbt-ol", "run", "--profiles-dir", project, "--project-dir", project],
        cwd=project, env=environment, capture_output=True, text=True, timeout=SECONDS,
    )
    assert done.returncode == 0 and "Emitted 8 OpenLineage events" in done.stdout + done.stderr, done.stdout + done.stderr
    jobs = {job["name"]: job for job in get(fresh, "/jobs")["jobs"]}
    assert set(jobs) == {"dbt-run-tiny", *(f"tiny.main.tiny.{name}" for name in models)}
    assert all(job["latestRun"]["state"] == "COMPLETED" and job["latestRun"]["durationMs"] >= 0 for job in jobs.values())
    assert jobs["tiny.main.tiny.staged"]["parentJobName"] == "dbt-run-tiny"
    assert jobs["tiny.main.tiny.staged"]["latestRun"]["parent"]["run"] == jobs["dbt-run-tiny"]["latestRun"]["id"]
    space = "duckdb://tiny.duckdb"
    found = get(fresh, f"/namespaces/{quoted(space)}/datasets")
    assert [one["name"] for one in found["datasets"]] == [f"tiny.main.{name}" for name in ["raw", "staged", "totals"]]
    nodes = graph(fresh, "/lineage", f"dataset:{space}:tiny.main.staged")
    assert set(nodes) == {
        *(f"dataset:{space}:tiny.main.{name}" for name in models),
        *(f"job:{jobs['dbt-run-tiny']['namespace']}:tiny.main.tiny.{name}" for name in models),
    }
    columns = graph(fresh, "/column-lineage", f"datasetField:{space}:tiny.main.totals:total")
    assert sources(columns[f"datasetField:{space}:tiny.main.totals:total"]) == [("tiny.main.staged", "next_id")]
    assert sources(columns[f"datasetField:{space}:tiny.main.staged:next_id"]) == [("tiny.main.raw", "id")]
    downstream = graph(fresh, "/column-lineage", f"datasetField:{space}:tiny.main.raw:id", withDownstream="true")
    assert f"datasetField:{space}:tiny.main.totals:total" in downstream
    [version] = get(fresh, f"/namespaces/{quoted(space)}/datasets/tiny.main.totals/versions")["versions"]
    assert version["createdByRun"]["id"] == jobs["tiny.main.tiny.totals"]["latestRun"]["id"]
    assert version["facets"]["dataSource"]


# Our own commits, and what others say of our tables.


def table_location(server, name):
    return json.loads(server.call("GET", f"/v1/namespaces/main/tables/{name}")[2])["metadata"]


def test_own_commits_are_in_the_same_graph(fresh):
    fresh.sql("CREATE TABLE a (x INTEGER, y VARCHAR); INSERT INTO a VALUES (1, 'p')")
    fresh.sql("CREATE TABLE b AS SELECT x + 1 AS z FROM a WHERE y = 'p'")
    lake = fresh.warehouse
    found = get(fresh, f"/namespaces/{quoted(lake)}/datasets")
    assert found["totalCount"] == 2
    nodes = graph(fresh, "/lineage", f"dataset:{lake}:main.b")
    metadata = {name: table_location(fresh, name) for name in "ab"}
    ids = {name: "dataset:file:" + one["location"].removeprefix("file://") for name, one in metadata.items()}
    assert set(ids.values()) <= set(nodes)
    columns = graph(fresh, "/column-lineage", f"datasetField:{lake}:main.b:z")
    node = columns[ids["b"].replace("dataset:", "datasetField:") + ":z"]
    assert [(one["field"], one["transformations"][0]["type"]) for one in node["data"]["inputFields"]] == [("x", "DIRECT"), ("y", "INDIRECT")]
    versions = get(fresh, f"/namespaces/{quoted(lake)}/datasets/main.b/versions")["versions"]
    assert [one["version"] for one in versions] == [str(metadata["b"]["current-snapshot-id"])]
    # Somebody else reads a snapshot of a table by its place, by its name, and by a name of their own for its place.
    snapshot = metadata["b"]["current-snapshot-id"]
    place = ids["b"].removeprefix("dataset:file:")
    by_place = {**dataset(place, "file"), "inputFacets": {"icebergScanReport": facet(snapshotId=snapshot)}}
    links = facet(identifiers=[{"namespace": "file", "name": place, "type": "LOCATION"}])
    readers = {"by-place": by_place, "by-name": dataset("main.b", lake), "by-link": dataset("cat.main.b", "trino://host:1", symlinks=links)}
    runs = {}
    for job, one in readers.items():
        event = run_event(job=job, inputs=[one])
        runs[job] = event["run"]["runId"]
        assert post(fresh, event)[0] == 201
    nodes = graph(fresh, "/lineage", f"dataset:{lake}:main.a")
    assert {f"job:jobs:{job}" for job in readers} <= set(nodes)
    assert sorted(edge["destination"] for edge in nodes[ids["b"]]["outEdges"]) == sorted(f"job:jobs:{job}" for job in readers)
    [used] = get(fresh, f"/jobs/runs/{runs['by-place']}")["inputDatasetVersions"]
    assert used["datasetVersionId"]["version"] == str(snapshot)
    assert used["facets"]["icebergScanReport"]["snapshotId"] == snapshot
    # New commits are there at once.
    fresh.sql("INSERT INTO b VALUES (7)")
    newest = table_location(fresh, "b")["current-snapshot-id"]
    assert get(fresh, f"/namespaces/{quoted(lake)}/datasets/main.b")["currentVersion"] == str(newest)
    # A table that is made again under the name is another dataset.
    fresh.sql("DROP TABLE b; CREATE TABLE b AS SELECT 1 AS w")
    assert [one["name"] for one in get(fresh, f"/namespaces/{quoted(lake)}/datasets/main.b")["fields"]] == ["w"]
    assert get(fresh, f"/namespaces/file/datasets/{quoted(place)}")["name"] == place


def test_pages_searches_and_times(fresh):
    begin = datetime.datetime(2024, 5, 1, tzinfo=datetime.timezone.utc)
    for number in range(30):
        at = (begin + datetime.timedelta(hours=number)).isoformat()
        assert post(fresh, run_event(job=f"Job{number:02}", outputs=[dataset(f"table{number:02}")], at=at))[0] == 201
    pages = [get(fresh, "/namespaces/jobs/jobs", limit=7, offset=7 * number) for number in range(5)]
    assert [job["name"] for page in pages for job in page["jobs"]] == [f"Job{number:02}" for number in range(30)]
    assert {page["totalCount"] for page in pages} == {30}
    assert get(fresh, f"/namespaces/{quoted(SPACE)}/datasets", limit=0) == {"datasets": [], "totalCount": 30}
    assert [one["name"] for one in get(fresh, "/namespaces")["namespaces"]] == ["jobs", SPACE]
    assert get(fresh, f"/namespaces/{quoted(SPACE)}")["updatedAt"] == "2024-05-02T05:00:00.000000Z"
    found = get(fresh, "/search", q="JOB1")
    assert found["totalCount"] == 10 and len(found["results"]) == 10
    assert found["results"][0]["nodeId"] == "job:jobs:Job10" and found["results"][0]["type"] == "JOB"
    assert get(fresh, "/search", q="1", filter="DATASET", limit=100)["totalCount"] == 12
    newest = get(fresh, "/search", q="table", sort="UPDATE_AT", limit=1)["results"][0]
    assert newest["name"] == "table29"
    day = get(fresh, "/events/lineage", after="2024-05-01T12:00:00Z", before="2024-05-02T00:00:00+00:00", limit=5)
    assert day["totalCount"] == 12
    assert [event["job"]["name"] for event in day["events"]] == [f"Job{number}" for number in range(23, 18, -1)]
    early = get(fresh, "/events/lineage", sortDirection="asc", limit=2, offset=1)
    assert [event["job"]["name"] for event in early["events"]] == ["Job01", "Job02"]
    for path in ["/namespaces/x", "/namespaces/x/jobs", "/namespaces/jobs/jobs/x", "/lineage?nodeId=job:a:b", f"/jobs/runs/{uuid.uuid4()}"]:
        assert call(fresh, "GET", "/api/v1" + path)[0] == 404, path
    for path in ["/lineage", "/lineage?nodeId=x", "/jobs/runs/x", "/search", "/jobs?limit=-1", "/events/lineage?after=x", "/lineage?nodeId=job:jobs:Job01&depth=x"]:
        assert call(fresh, "GET", "/api/v1" + path)[0] == 400, path


def test_a_bucket_does_as_well_as_a_folder(tmp_path):
    with bucket_server() as (_, environment):
        with running(tmp_path, "s3://bucket/lake", environment=environment) as server:
            assert get(server, "/namespaces")["totalCount"] == 0
            assert batch(server, [run_event(job=f"job-{number}") for number in range(20)]) == (204, None)
            assert get(server, "/jobs")["totalCount"] == 20
        with running(tmp_path, "s3://bucket/lake", environment=environment) as server:
            assert get(server, "/jobs")["totalCount"] == 20
