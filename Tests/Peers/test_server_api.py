"""Varve's own interface as its document describes it: every path, every answer's shape.

    VARVE_BIN=.build/release/varve python -m pytest Tests/Peers/test_server_api.py
"""

import http.client
import json
import re
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

yaml = pytest.importorskip("yaml")

from support import Varve, shared
from test_rest_clients import BINARY, running

OPERATIONS = {"get", "put", "post", "delete", "head", "options", "patch"}

SPEC = """
name: main.by_carrier
kind: full
sql: SELECT carrier, count(*) AS flights, sum(delay) AS delay FROM main.flights GROUP BY carrier
expectations:
  - {name: has_carrier, check: carrier IS NOT NULL, on_violation: fail}
  - {name: few, row_count: {max: 1}, on_violation: warn}
  - {name: no_delay_below_zero, check: delay >= 0, on_violation: drop}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("api")) as running_server:
        running_server.sql(
            "CREATE TABLE flights (carrier VARCHAR, delay INTEGER);"
            "INSERT INTO flights VALUES ('AA', 5), ('UA', 7), ('AA', -1);"
            "CREATE TABLE copy (carrier VARCHAR, delay INTEGER);"
            "INSERT INTO copy SELECT carrier, delay FROM flights WHERE delay > 0"
        )
        yield running_server


def statement(server, connection, sql):
    connection.request("POST", "/varve/v1/query", json.dumps({"sql": sql}), {"Accept": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def test_a_connection_takes_one_statement_after_the_other(server):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(server.url).netloc, timeout=300)
    sockets = set()
    for sql, status in [("SELECT 1 AS a", 200), ("SELECT nothing", 400), ("FROM range(100000)", 200), ("SELECT 2 AS a", 200)]:
        got, answer = statement(server, connection, sql)
        assert got == status, answer
        sockets.add(connection.sock)
    assert len(sockets) == 1 and connection.sock is not None
    connection.close()
    # The next request may be there already.
    with socket.create_connection(urllib.parse.urlsplit(server.url).netloc.split(":"), 300) as both:
        for number in (7, 8):
            body = json.dumps({"sql": f"SELECT {number} AS a"}).encode()
            head = f"POST /varve/v1/query HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nContent-Length: {len(body)}\r\n"
            both.sendall(head.encode() + (b"Connection: close\r\n" if number == 8 else b"") + b"\r\n" + body)
        answer = b""
        while piece := both.recv(65536):
            answer += piece
    assert answer.count(b"HTTP/1.1 200") == 2 and b"[7]" in answer and b"[8]" in answer, answer


@pytest.mark.parametrize("accept", ["application/x-ndjson", "application/vnd.apache.arrow.stream"])
def test_a_body_in_pieces_is_whole_when_the_connection_ends_with_it(server, accept):
    body = json.dumps({"sql": "SELECT 7 AS a"}).encode()
    head = f"POST /varve/v1/query HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: {accept}\r\nContent-Length: {len(body)}\r\n\r\n"
    graph = b"GET /varve/v1/lineage/downstream?node=main.pieces&format=ndjson HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    server.sql("CREATE TABLE IF NOT EXISTS pieces AS SELECT 1 AS a")
    server.sql("INSERT INTO pieces FROM pieces")
    for number in range(300):
        with socket.create_connection(urllib.parse.urlsplit(server.url).netloc.split(":"), 300) as one:
            one.sendall(graph if number % 2 else head.encode() + body)
            answer = b""
            while piece := one.recv(65536):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"\r\n0\r\n\r\n"), (number, answer)


def test_rows_go_into_the_table_that_is_there_now(server):
    """What a server knows of a table is not what another process made of it."""
    other = Varve(server.warehouse)

    def insert(sql):
        status, _, body = raw(server, "POST", "/varve/v1/query", json.dumps({"sql": sql}).encode(), {"Accept": "application/json"})
        return status, json.loads(body)

    for name in "abc":
        server.sql(f"CREATE TABLE {name} (n INTEGER); INSERT INTO {name} VALUES (1)")
    # Another table of that name, with another column.
    other.execute("DROP TABLE a; CREATE TABLE a (s VARCHAR)")
    assert insert("INSERT INTO a VALUES ('x')")[0] == 200
    assert other.rows("FROM a") == [("x",)]
    # Another one that looks the same.
    other.execute("DROP TABLE b; CREATE TABLE b (n INTEGER)")
    assert insert("INSERT INTO b VALUES (2)")[0] == 200
    assert other.rows("FROM b") == [(2,)]
    # The same one with a column more: one value is too few, and the error is the newest state's.
    other.execute("ALTER TABLE c ADD COLUMN s VARCHAR")
    status, answer = insert("INSERT INTO c VALUES (2)")
    assert status == 400 and "2 columns" in json.dumps(answer), answer
    assert insert("INSERT INTO c VALUES (2, 'y')")[0] == 200
    assert sorted(other.rows("FROM c"), key=str) == [(1, None), (2, "y")]
    # One that is gone, and one that this server has never seen.
    other.execute("DROP TABLE c; CREATE TABLE d (n INTEGER)")
    assert insert("INSERT INTO c VALUES (3, 'z')")[0] == 404
    assert insert("INSERT INTO d VALUES (3)")[0] == 200
    assert other.rows("FROM d") == [(3,)]
    other.verify()


@pytest.fixture(scope="module")
def document(server):
    status, headers, body = server.call("GET", "/openapi.yaml")
    assert status == 200 and headers["Content-Type"] == "application/yaml"
    return yaml.safe_load(body)


def raw(server, method, path, body=None, headers=None):
    """Like `Server.call` with a body of bytes."""
    request = urllib.request.Request(server.url + path, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=300) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def get(server, path, status=200):
    got, _, body = server.call("GET", path)
    assert got == status, body
    return json.loads(body)


def shapes(document):
    """A function that says how a value breaks the schema of a name."""
    validators = pytest.importorskip("openapi_schema_validator")

    def check(name, value):
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        problems = list(validators.OAS31Validator(schema).iter_errors(value))
        assert not problems, problems[0]
        return value

    return check


# The document


def test_the_document_is_openapi(document):
    validator = pytest.importorskip("openapi_spec_validator")
    validator.validate(document)


def test_every_reference_leads_somewhere_and_every_operation_is_whole(document):
    def walk(value):
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                found = document
                for part in value["$ref"].removeprefix("#/").split("/"):
                    found = found[part]
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(document)
    names = []
    for path, item in document["paths"].items():
        inherited = item.get("parameters", [])
        for method in OPERATIONS & set(item):
            operation = item[method]
            names.append(operation["operationId"])
            assert operation["summary"] and operation["tags"] and operation["responses"]
            known = []
            for parameter in operation.get("parameters", []) + inherited:
                if "$ref" in parameter:
                    parameter = document["components"]["parameters"][parameter["$ref"].split("/")[-1]]
                known.append((parameter["in"], parameter["name"]))
            for name in re.findall(r"{(\w+)}", path):
                assert ("path", name) in known, (path, name)
    assert len(set(names)) == len(names)


def test_documented_paths_and_served_ones_are_the_same(server, document):
    index = get(server, "/")
    served = {
        (route["method"].lower(), route["path"])
        for route in index["routes"]
        if not re.match(r"(/iceberg)?/v1/", route["path"])
    }
    documented = {
        (method, path) for path, item in document["paths"].items() for method in OPERATIONS & set(item)
    }
    assert served == documented
    for method, path in sorted(documented):
        filled = path.replace("{namespace}", "main").replace("{table}", "flights").replace("{id}", "none")
        # A stream of events has no end: it is asked for what it refuses.
        headers = {"Content-Type": "application/json", "Last-Event-ID": "none"}
        status, _, body = raw(server, method.upper(), filled, b"{}" if method == "post" else None, headers)
        assert status != 405, (method, path)
        assert status != 404 or json.loads(body)["error"]["type"] != "NoSuchRouteException", (method, path)
        assert status < 500, (method, path, body)
        assert str(status) in document["paths"][path][method]["responses"], (method, path, status, body)
        wrong = "PATCH" if method != "patch" else "PUT"
        assert raw(server, wrong, filled)[0] == 405


def test_people_get_a_page(server):
    status, headers, body = server.call("GET", "/", headers={"Accept": "text/html,application/xhtml+xml"})
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert b"/varve/v1/query" in body and body.startswith(b"<!doctype html>")


# Answers


def test_answers_have_the_documented_shapes(server, document):
    check = shapes(document)
    check("Index", get(server, "/"))
    check("Status", get(server, "/health/live"))
    check("Status", get(server, "/health/ready"))
    check("Log", get(server, "/varve/v1/log"))
    check("Verification", get(server, "/varve/v1/log/verify?tables=true"))
    check("Verification", get(server, "/varve/v1/log/verify?events=true&lineage=true"))
    check("TableHistory", get(server, "/varve/v1/tables/main/flights/history"))
    check("Lineage", get(server, "/varve/v1/lineage/upstream?node=main.copy&columns=true"))
    check("LineageRuns", get(server, "/varve/v1/lineage/runs?node=main.copy"))
    check("LineageSources", get(server, "/varve/v1/lineage/sources?node=main.copy&columns=true"))
    check("LineagePaths", get(server, "/varve/v1/lineage/paths?from=main.flights&to=main.copy&columns=true"))
    check("Error", get(server, "/varve/v1/runs/none", 404))
    _, _, body = server.call("POST", "/varve/v1/query", {"sql": "SELECT 1 AS a"}, {"Accept": "application/json"})
    check("Result", json.loads(body))
    path = "/varve/v1/tables/main/shapes/rows?mode=create"
    for key in [None, "shapes-key-1", "shapes-key-1"]:
        headers = {"Content-Type": "text/csv"} | ({"Idempotency-Key": key} if key else {})
        check("Upload", json.loads(raw(server, "POST", path, b"a,b\n1,x\n", headers)[2]))
    status, _, body = raw(server, "POST", path, b"a,b\nx,x\n", {"Content-Type": "text/csv"})
    assert status == 422 and check("Error", json.loads(body))["error"]["row"]["line"] == 2


def cli(server, *arguments):
    done = subprocess.run([BINARY, "lineage", *arguments, "--warehouse", server.warehouse],
                          capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.parametrize("columns", [False, True])
def test_lineage_is_what_the_command_line_says(server, columns):
    flags = ["--columns"] if columns else []
    questions = [
        (["upstream", "main.copy"], {"node": "main.copy"}), (["downstream", "main.flights"], {"node": "main.flights"}),
        (["impact", "main.flights.delay"], {"node": "main.flights.delay"}),
        (["path", "main.flights", "main.copy"], {"from": "main.flights", "to": "main.copy"}),
        (["upstream", "copy", "--depth", "1"], {"node": "copy", "depth": 1}),
    ]
    # Other tests may commit meanwhile: both look at one state.
    position = get(server, "/varve/v1/log")["position"]
    for arguments, query in questions:
        query |= {"columns": str(columns).lower(), "as_of": position}
        text = urllib.parse.urlencode(query)
        path = f"/varve/v1/lineage/{arguments[0]}?{text}"
        answer = get(server, path)
        there = [*arguments, *flags, "--as-of", str(position)]
        assert answer == json.loads(cli(server, *there, "--format", "json"))
        assert isinstance(answer["complete"], bool) and answer["nodes"]
        for format, kind in [("dot", "text/vnd.graphviz"), ("graphml", "application/xml"), ("cypher", "text/plain")]:
            status, headers, body = server.call("GET", f"{path}&format={format}")
            assert status == 200 and headers["Content-Type"].startswith(kind)
            assert body.decode().strip() == cli(server, *there, "--format", format).strip()
        assert isinstance(get(server, f"{path}&format=openlineage"), list)


def openlineage_check():
    """A function that holds an event and its facets against the schemas of OpenLineage."""
    validators = pytest.importorskip("jsonschema")
    from referencing import Registry, Resource

    folder = shared("corpora", "openlineage")
    loaded, registry = {}, Registry()
    for path in [folder / "OpenLineage.json", *sorted((folder / "facets").glob("*.json"))]:
        schema = json.loads(path.read_text())
        loaded[schema["$id"]] = schema
        registry = registry.with_resource(schema["$id"], Resource.from_contents(schema))

    def validate(address, value):
        validators.Draft202012Validator(loaded[address], registry=registry, format_checker=validators.FormatChecker()).validate(value)

    def check(event):
        validate(event["schemaURL"].split("#")[0], event)
        for holder in [event["run"], event["job"], *event["inputs"], *event["outputs"]]:
            for name, facet in holder.get("facets", {}).items():
                validate(facet["_schemaURL"].split("#")[0], {name: facet})

    return check


def test_lineage_comes_as_events_of_openlineage(server, document):
    check, valid = shapes(document), openlineage_check()
    events, at, newest = [], 1, None
    while at is not None:
        page = check("LineageEvents", get(server, f"/varve/v1/lineage/events?from={at}&limit=2"))
        newest = newest or page["position"]
        events += page["events"]
        at = page["next"] if page["next"] and page["next"] <= newest else None
    for event in events:
        valid(event)
    whole = get(server, f"/varve/v1/lineage/events?limit=1000")
    assert whole["events"][:len(events)] == events and whole["next"] is None
    # Each snapshot of the log that a statement made, once.
    told = {event["outputs"][0]["facets"]["version"]["datasetVersion"] for event in events}
    copy = get(server, "/varve/v1/tables/main/copy/history")["current_snapshot_id"]
    assert str(copy) in told
    (event,) = [event for event in events if event["outputs"][0]["facets"]["version"]["datasetVersion"] == str(copy)]
    fields = event["outputs"][0]["facets"]["columnLineage"]["fields"]
    assert [(one["field"], one["transformations"][0]["type"]) for one in fields["carrier"]["inputFields"]] == [("carrier", "DIRECT")]
    assert [one["field"] for one in event["outputs"][0]["facets"]["columnLineage"]["dataset"]] == ["delay"]
    source = get(server, "/varve/v1/tables/main/flights/history")["current_snapshot_id"]
    assert event["inputs"][0]["facets"]["version"]["datasetVersion"] == str(source)
    for query in ("from=-1", "limit=0", "limit=1001", "from=x"):
        get(server, f"/varve/v1/lineage/events?{query}", 400)
    assert get(server, "/varve/v1/lineage/events?from=99999999")["events"] == []


def test_lineage_refuses_what_it_does_not_know(server):
    for query, status in [("", 400), ("node=", 400), ("node=no.such", 404), ("node=main.copy&depth=0", 400),
                          ("node=main.copy&format=svg", 400), ("node=main.copy&columns=maybe", 400),
                          ("node=main.copy&dept=1", 400), ("node=main.copy&as_of=yesterday", 400)]:
        get(server, f"/varve/v1/lineage/upstream?{query}", status)
    get(server, "/varve/v1/lineage/path?from=main.flights", 400)
    for query, status in [("runs?node=run:none", 404), ("runs?node=main.copy&limit=0", 400), ("runs?node=main.copy&depth=1", 400),
                          ("sources?node=main.copy&format=dot", 400), ("paths?from=main.copy", 400), ("path?from=main.flights&to=main.copy&since=1", 400),
                          ("paths?from=main.flights&to=main.copy&shortest=yes", 400), ("upstream?node=main.copy&since=soon", 400),
                          ("upstream?node=main.copy&since=9&until=3", 400), ("downstream?node=job:none", 404)]:
        get(server, f"/varve/v1/lineage/{query}", status)


def test_transforms_are_planned_and_run(server, document):
    check = shapes(document)
    kind = {"Content-Type": "application/yaml"}
    status, _, body = raw(server, "POST", "/varve/v1/transforms/plan", SPEC.encode(), kind)
    plan = check("Plans", json.loads(body))["plans"][0]
    assert status == 200 and plan["name"] == "main.by_carrier" and plan["reads"] == ["main.flights"]
    status, _, body = raw(server, "POST", "/varve/v1/transforms/run", SPEC.encode(), kind)
    assert status == 200, body
    run = check("Runs", json.loads(body))["runs"][0]
    assert run["version"] == plan["version"] and run["row_count"] == 2
    assert [outcome["met"] for outcome in run["expectations"]] == [True, False] and len(run["warnings"]) == 1
    history = get(server, "/varve/v1/tables/main/flights/history")
    assert run["inputs"] == [{"name": "main.flights", "snapshot_id": str(history["current_snapshot_id"])}]
    made = get(server, "/varve/v1/tables/main/by_carrier/history")
    assert str(made["current_snapshot_id"]) == run["snapshot_id"]
    assert made["commits"][0]["position"] == run["log_position"]
    # The log tells the same of the run.
    found = check("Run", get(server, f"/varve/v1/runs/{run['run_id']}"))
    flow = found["flows"][0]
    assert flow["job"] == {"kind": "transform", "name": "main.by_carrier", "version": run["version"]}
    assert flow["output"]["snapshot_id"] == run["snapshot_id"] and flow["output"]["table"] == ["main", "by_carrier"]
    assert flow["inputs"][0]["snapshot_id"] == run["inputs"][0]["snapshot_id"]
    assert flow["commit"]["position"] == run["log_position"]
    answer = get(server, "/varve/v1/lineage/upstream?node=main.by_carrier")
    assert run["run_id"] in json.dumps(answer)


def test_several_specs_run_in_order_and_tell_how_far_they_came(server, document):
    check = shapes(document)
    first = {"name": "chain.one", "kind": "full", "sql": "SELECT carrier, delay FROM main.flights"}
    second = {"name": "chain.two", "kind": "full", "sql": "SELECT max(delay) AS delay FROM chain.one",
              "expectations": [{"name": "impossible", "check": "delay > 100", "on_violation": "fail"}]}
    body = {"specs": [second, json.dumps(first)]}
    status, _, text = server.call("POST", "/varve/v1/transforms/plan", body)
    assert status == 200, text
    plans = json.loads(text)["plans"]
    assert [plan["name"] for plan in plans] == ["chain.one", "chain.two"]
    status, _, text = server.call("POST", "/varve/v1/transforms/run", body)
    error = check("Error", json.loads(text))["error"]
    assert status == 422 and error["transform"] == "chain.two" and "impossible" in error["message"]
    assert [run["name"] for run in error["runs"]] == ["chain.one"]
    assert server.sql("SELECT count(*) FROM chain.one") == [[3]]
    assert server.call("GET", "/varve/v1/tables/chain/two/history")[0] == 404
    get(server, f"/varve/v1/runs/{error['run_id']}", 404)
    chosen = {**body, "select": ["chain.one"]}
    assert server.call("POST", "/varve/v1/transforms/run", chosen)[0] == 200


def test_wrong_specs_are_told_by_line(server):
    for path in ["plan", "run"]:
        for body, kind, status in [
            (b"name: t\nkind: full\nsql: SELEC 1\n", "application/yaml", 422), (b"{", "application/json", 422),
            (b'{"specs": []}', "application/json", 400), (b'{"specs": [1]}', "application/json", 422),
            (b"x", "application/xml", 415), (b"\xff", "application/yaml", 400),
        ]:
            got, _, text = raw(server, "POST", f"/varve/v1/transforms/{path}", body, {"Content-Type": kind})
            assert got == status, text
            if status == 422:
                assert json.loads(text)["error"]["issues"][0]["line"] >= 1
    merge = b"name: main.m\nkind: {incremental_by_unique_key: {unique_key: [a]}}\nsql: SELECT 1 AS a\n"
    status, _, text = raw(server, "POST", "/varve/v1/transforms/run", merge, {"Content-Type": "application/yaml"})
    assert status in (406, 422), text
    key = {"Content-Type": "application/yaml", "Idempotency-Key": "a-key-for-a-run"}
    assert raw(server, "POST", "/varve/v1/transforms/run", SPEC.encode(), key)[0] == 400


def test_queries_say_what_they_do_not_take(server):
    def query(headers=None, **members):
        status, _, body = server.call("POST", "/varve/v1/query", members, {"Accept": "application/json", **(headers or {})})
        return status, json.loads(body)

    assert query(sql="SELECT $1 + $2 AS a", parameters=[1, 2])[1]["rows"] == [[3]]
    assert query(sql="SELECT $word AS a", parameters={"word": "x"})[1]["rows"] == [["x"]]
    assert query(sql="SELECT 1", branch="main")[0] == 200
    assert query(sql="SELECT 1", branch="")[0] == query(sql="SELECT 1", table_branch="")[0] == 400
    assert "no branch or tag" in query(sql="SELECT 1", branch="dev")[1]["error"]["message"]
    before = query(sql="SELECT count(*) FROM flights")[1]["rows"]
    assert query(sql="INSERT INTO flights VALUES ('DD', 1)", table_branch="dev")[0] == 200
    assert query(sql="SELECT carrier FROM flights WHERE carrier = 'DD'", table_branch="dev")[1]["rows"] == [["DD"]]
    assert query(sql="SELECT count(*) FROM flights")[1]["rows"] == before
    assert query(sql="CREATE TABLE of_a_branch (a INTEGER)", table_branch="dev")[0] == 400
    first = get(server, "/varve/v1/log")["position"]
    query(sql="INSERT INTO flights VALUES ('BB', 1)")
    assert query(sql="SELECT count(*) FROM flights WHERE carrier = 'BB'", as_of=first)[1]["rows"] == [[0]]
    time = get(server, f"/varve/v1/log?from={first}&limit=1")["commits"][0]["time"]
    assert query(sql="SELECT count(*) FROM flights WHERE carrier = 'BB'", as_of=time)[1]["rows"] == [[0]]
    assert query(sql="INSERT INTO flights VALUES ('CC', 1)", as_of=first)[0] == 400
    assert query({"Idempotency-Key": "a-key-for-sql"}, sql="DELETE FROM flights WHERE delay = 7")[0] == 400
    assert query({"Idempotency-Key": "a-key-for-sql"}, sql="SELECT count(*) FROM flights WHERE delay = 7")[1]["rows"] == [[1]]
    query(sql="DELETE FROM flights WHERE carrier = 'BB'")


def test_the_log_is_paged_without_gaps(server):
    whole = get(server, "/varve/v1/log?limit=1000")
    assert whole["next"] is None
    for limit in [1, 2, 3]:
        pages, start = [], 1
        while start is not None:
            page = get(server, f"/varve/v1/log?from={start}&limit={limit}")
            assert 1 <= len({commit["position"] for commit in page["commits"]}) <= limit
            pages += page["commits"]
            start = page["next"]
        assert pages == whole["commits"]
    end = whole["position"]
    assert get(server, f"/varve/v1/log?from={end + 1}")["commits"] == []
    assert get(server, f"/varve/v1/log?from={end + 1}")["next"] is None
    part = get(server, f"/varve/v1/log/verify?from=2&to={end - 1}")
    assert part["verified"] and (part["from"], part["to"]) == (2, end - 1)
    assert get(server, "/varve/v1/log/verify")["commit_count"] == len(whole["commits"])
    for query in ["limit=0", "limit=1001", "from=-1", "from=x"]:
        get(server, f"/varve/v1/log?{query}", 400)
    history, before, seen = get(server, "/varve/v1/tables/main/flights/history?limit=1000"), "", []
    while before is not None:
        page = get(server, f"/varve/v1/tables/main/flights/history?limit=1{before}")
        seen += page["commits"]
        before = page["next_before"] and f"&before={page['next_before']}"
    assert seen == history["commits"]


def test_a_broken_log_is_found(tmp_path):
    with running(tmp_path) as server:
        server.sql("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)")
        assert get(server, "/varve/v1/log/verify")["verified"]
        path = f"{server.warehouse}/_varve/log/{3:020}.json"
        with open(path, "r+b") as file:
            content = file.read()
            file.seek(0)
            file.write(content.replace(b'"actor":"anonymous"', b'"actor":"anonymouz"'))
        found = get(server, "/varve/v1/log/verify")
        assert not found["verified"] and found["fault"]["key"].endswith("3.json")
