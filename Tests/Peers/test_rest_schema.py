"""Every operation of the Iceberg REST specification, with valid and with damaged requests: no answer is a failure
of the server, none has a status that the operation does not document, and all have the form that it documents."""
import copy
import json
import os
import random
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pytest

from support import free_port, server, shared

yaml = pytest.importorskip("yaml")
jsonschema = pytest.importorskip("jsonschema")

ROUNDS = int(os.environ.get("VARVE_REST_ROUNDS", "8"))
PREFIX = "/v1/{prefix}"


def simplified(node):
    """The schemas as JSON Schema: what is null is null, and a whole number is one, whatever its width."""
    if isinstance(node, list):
        return [simplified(one) for one in node]
    if not isinstance(node, dict):
        return node
    result = {key: simplified(value) for key, value in node.items()}
    if "oneOf" in result:
        result["anyOf"] = result.pop("oneOf")
    if result.pop("nullable", False):
        result = {"anyOf": [result, {"type": "null"}]}
    return result


class Specification:
    def __init__(self):
        document = yaml.safe_load(shared("corpora", "iceberg", "rest-catalog-open-api.yaml").read_text())
        self.components = document["components"]
        self.schemas = simplified(document["components"]["schemas"])
        # A partition may hold null, for which the specification has no word.
        self.schemas["ContentFile"]["properties"]["partition"]["items"] = {}
        self.operations = {}
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if method != "parameters":
                    self.operations[operation["operationId"]] = (method.upper(), path, operation)
        self.validators = {}

    def validator(self, schema):
        text = json.dumps(schema, sort_keys=True)
        if text not in self.validators:
            whole = {**simplified(schema), "components": {"schemas": self.schemas}}
            self.validators[text] = jsonschema.Draft202012Validator(whole)
        return self.validators[text]

    def check(self, name, status, body, what):
        method, _, operation = self.operations[name]
        assert status < 500, what
        responses = {str(key): value for key, value in operation["responses"].items()}
        assert str(status) in responses, f"{name} documents no {status}: {what}"
        if method == "HEAD" or status in (204, 304):
            assert body == b"", what
            return
        response = responses[str(status)]
        if "$ref" in response:
            response = self.components["responses"][response["$ref"].rsplit("/", 1)[1]]
        schema = {"$ref": "#/components/schemas/IcebergErrorResponse"}
        if status < 400 or name == "getToken":
            schema = response["content"]["application/json"]["schema"]
        document = json.loads(body)
        errors = [error.message for error in self.validator(schema).iter_errors(document)]
        assert not errors, (errors[:3], what)
        if status >= 400 and name != "getToken":
            assert document["error"]["code"] == status, what


SCHEMA = {"type": "struct", "schema-id": 0, "fields": [
    {"id": 1, "name": "a", "type": "long", "required": True},
    {"id": 2, "name": "b", "type": "string", "required": False},
    {"id": 3, "name": "s", "required": False, "type": {
        "type": "struct", "fields": [{"id": 4, "name": "x", "type": "double", "required": False}]}}]}
VERSION = {"version-id": 1, "timestamp-ms": 1, "schema-id": 0, "summary": {"engine-name": "test"},
           "representations": [{"type": "sql", "sql": "SELECT 1 AS a", "dialect": "spark"}],
           "default-namespace": ["main"]}
FILTER = {"type": "and", "left": {"type": "gt", "term": "a", "value": 1},
          "right": {"type": "not", "child": {"type": "in", "term": "b", "values": ["x", "y"]}}}


class Client:
    """Sends requests, and knows what there is to name in them."""

    def __init__(self, url, specification, seed):
        self.url, self.specification, self.random = url, specification, random.Random(seed)
        self.made = 0
        self.seen = set()

    def send(self, name, captures=None, body=None, query=None, headers=None, base=None):
        method, template, _ = self.specification.operations[name]
        path = template.replace(PREFIX, "/v1")
        for key, value in (captures or {}).items():
            path = path.replace("{" + key + "}", urllib.parse.quote(value, safe=""))
        assert "{" not in path, path
        if query:
            path += "?" + urllib.parse.urlencode(query)
        data = None
        headers = dict(headers or {})
        if isinstance(body, bytes):
            data = body
        elif body is not None:
            data = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=300) as response:
                status, answer = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, answer = error.code, error.read()
        what = f"{method} {path} {(data or b'')[:1500]!r} -> {status} {answer[:600]!r}"
        self.seen.add((name, status))
        self.specification.check(name, status, answer, what)
        return status, (json.loads(answer) if answer else None)

    def fresh(self, kind="n"):
        self.made += 1
        return f"{kind}{self.made}"

    def requests(self):
        """A valid request of every operation: captures, body, query."""
        main, table, view = {"namespace": "main"}, {"namespace": "main", "table": "t"}, {"namespace": "main", "view": "v"}
        status, loaded = self.send("loadTable", table)
        uuid_ = loaded["metadata"]["table-uuid"] if status == 200 else "0"
        snapshot = (loaded or {}).get("metadata", {}).get("current-snapshot-id") or 1
        _, plan = self.send("planTableScan", table, {"filter": FILTER})
        plan_id = (plan or {}).get("plan-id", "none")
        _, seen = self.send("loadView", view)
        view_uuid = (seen or {}).get("metadata", {}).get("view-uuid", "0")
        commit = {"requirements": [{"type": "assert-table-uuid", "uuid": uuid_},
                                   {"type": "assert-current-schema-id", "current-schema-id": 0}],
                  "updates": [{"action": "set-properties", "updates": {"k": self.fresh()}},
                              {"action": "add-schema", "schema": SCHEMA, "last-column-id": 4},
                              {"action": "set-current-schema", "schema-id": -1},
                              {"action": "remove-properties", "removals": ["q"]}]}
        report = {"report-type": "scan-report", "table-name": "t", "snapshot-id": 1, "filter": True, "schema-id": 0,
                  "projected-field-ids": [1], "projected-field-names": ["a"],
                  "metrics": {"result-data-files": {"unit": "count", "value": 1}}}
        sign = {"region": "us-east-1", "uri": "http://127.0.0.1:1/bucket/x", "method": "GET", "headers": {"a": ["b"]}}
        gone, kept = self.fresh(), self.fresh()
        return {
            "getConfig": ({}, None, {"warehouse": ""}),
            "getToken": ({}, b"grant_type=client_credentials&client_id=a&client_secret=b", None),
            "listNamespaces": ({}, None, {"pageSize": "2", "pageToken": "", "parent": "main"}),
            "createNamespace": ({}, {"namespace": [gone], "properties": {"a": "b"}}, None),
            "loadNamespaceMetadata": (main, None, None),
            "namespaceExists": (main, None, None),
            "updateProperties": (main, {"updates": {"a": "1"}, "removals": ["b"]}, None),
            "dropNamespace": ({"namespace": gone}, None, None),
            "listTables": (main, None, {"pageSize": "1"}),
            "createTable": (main, {"name": kept, "schema": SCHEMA, "properties": {"a": "b"}, "stage-create": True,
                                   "partition-spec": {"fields": [
                                       {"source-id": 1, "name": "p", "transform": "bucket[4]"}]},
                                   "write-order": {"order-id": 1, "fields": [
                                       {"source-id": 1, "transform": "identity", "direction": "asc",
                                        "null-order": "nulls-first"}]}}, None),
            "listFunctions": (main, None, {"pageSize": "5"}),
            "loadFunction": ({**main, "function": "f"}, None, None),
            "planTableScan": (table, {"snapshot-id": snapshot, "filter": FILTER, "select": ["a"],
                                      "stats-fields": ["a", "b"], "case-sensitive": True,
                                      "use-snapshot-schema": True, "min-rows-requested": 5}, None),
            "fetchPlanningResult": ({**table, "plan-id": plan_id}, None, None),
            "fetchScanTasks": (table, {"plan-task": "1." + plan_id}, None),
            "cancelPlanning": ({**table, "plan-id": plan_id}, None, None),
            "registerTable": (main, {"name": "t", "metadata-location": (loaded or {}).get("metadata-location", "x"),
                                     "overwrite": True}, None),
            "loadTable": (table, None, {"snapshots": "refs"}),
            "tableExists": (table, None, None),
            "updateTable": (table, commit, None),
            "dropTable": ({**main, "table": kept}, None, {"purgeRequested": "true"}),
            "unregisterTable": ({**main, "table": kept}, {}, None),
            "loadCredentials": (table, None, {"planId": plan_id}),
            "signRequest": (table, sign, None),
            "renameTable": ({}, {"source": {"namespace": ["main"], "name": "t"},
                                 "destination": {"namespace": ["main"], "name": "t"}}, None),
            "reportMetrics": (table, report, None),
            "commitTransaction": ({}, {"table-changes": [
                {"identifier": {"namespace": ["main"], "name": "t"}, **commit}]}, None),
            "listViews": (main, None, {"pageSize": "1"}),
            "createView": (main, {"name": self.fresh(), "schema": SCHEMA, "view-version": VERSION,
                                  "properties": {}}, None),
            "loadView": (view, None, None),
            "replaceView": (view, {"requirements": [{"type": "assert-view-uuid", "uuid": view_uuid}], "updates": [
                {"action": "add-schema", "schema": SCHEMA},
                {"action": "add-view-version", "view-version": {**VERSION, "schema-id": -1}},
                {"action": "set-current-view-version", "view-version-id": -1}]}, None),
            "viewExists": (view, None, None),
            "dropView": ({**main, "view": self.fresh()}, None, None),
            "renameView": ({}, {"source": {"namespace": ["main"], "name": "v"},
                                "destination": {"namespace": ["main"], "name": "v"}}, None),
            "registerView": (main, {"name": self.fresh(),
                                    "metadata-location": (seen or {}).get("metadata-location", "x")}, None),
        }

    # Damage

    def odd(self):
        return self.random.choice([
            None, True, -1, 0, 2 ** 31, 2 ** 63, -2 ** 63 - 1, 1e308, 1.5, "", "x", "\u0000", "ü\U0001F600", "a\x1fb",
            "../..", "%", [], {}, [[]], [None], {"type": "x"}, "s3://elsewhere/x", "1" * 300, [1, "a", {}]])

    def damaged(self, value):
        """The same value with something in it changed, lost, added or repeated."""
        value = copy.deepcopy(value)
        places = []

        def walk(node):
            keys = list(node) if isinstance(node, dict) else range(len(node))
            for key in keys:
                places.append((node, key))
                if isinstance(node[key], (dict, list)):
                    walk(node[key])

        if isinstance(value, (dict, list)):
            walk(value)
        if not places or self.random.random() < 0.05:
            return self.odd()
        for _ in range(self.random.choice([1, 1, 1, 2, 3])):
            node, key = self.random.choice(places)
            try:
                kind = self.random.randrange(4)
                if kind == 0:
                    del node[key]
                elif kind == 1 and isinstance(node, list):
                    node.insert(key, copy.deepcopy(node[key]))
                elif kind == 2 and isinstance(node[key], int) and not isinstance(node[key], bool):
                    node[key] += self.random.choice([-1, 1, 100, 2 ** 31])
                else:
                    node[key] = self.odd()
            except (IndexError, KeyError):
                pass
        return value

    def damaged_request(self, captures, body, query):
        captures, query = dict(captures), dict(query or {})
        choice = self.random.random()
        if captures and choice < 0.25:
            key = self.random.choice(sorted(captures))
            captures[key] = self.random.choice(["no", "main\x1fno", "ü/ä", "a" * 500, "\x1f", "%", "\u0000", "t", "v", "."])
        elif query and choice < 0.5:
            key = self.random.choice(sorted(query))
            query[key] = self.random.choice(["", "x", "-1", "0", "zz", "ff", "99999999999999999999", "\u0000", "ü"])
        elif isinstance(body, bytes):
            bytes_ = bytearray(body)
            for _ in range(3):
                bytes_[self.random.randrange(len(bytes_))] = self.random.randrange(256)
            body = bytes(bytes_)
        elif body is not None:
            body = self.damaged(body)
            if self.random.random() < 0.05:
                body = json.dumps(body).encode()[:-1] + self.random.choice([b"", b"\xff", b"]"])
        headers = {}
        if self.random.random() < 0.15:
            headers["Idempotency-Key"] = str(uuid.UUID(int=self.random.getrandbits(128)))
        return captures, body, query, headers


@pytest.fixture(scope="module")
def specification():
    return Specification()


@pytest.fixture
def client(varve, specification):
    varve.execute("CREATE TABLE t (a BIGINT NOT NULL, b VARCHAR, s STRUCT(x DOUBLE))")
    varve.execute("INSERT INTO t SELECT i, 'x' || i, {'x': i / 3} FROM range(20) r(i)")
    varve.execute("INSERT INTO t VALUES (100, NULL, NULL), (200, 'ü', {'x': NULL})")
    varve.execute("DELETE FROM t WHERE a = 3")
    port = free_port()
    with server(varve.command("serve", "--port", port), port, varve.environment):
        client = Client(f"http://127.0.0.1:{port}", specification, 7)
        client.send("createView", {"namespace": "main"}, {
            "name": "v", "schema": SCHEMA, "view-version": VERSION, "properties": {}})
        yield client
        # It is still there, and its log is whole.
        assert client.send("getConfig")[0] == 200
    varve.verify()


def test_valid_requests_of_every_operation(client):
    for name, (captures, body, query) in client.requests().items():
        client.send(name, captures, body, query)
    assert {name for name, _ in client.seen} == set(client.specification.operations)
    fine = {name for name, status in client.seen if status < 300}
    # What needs a table or view that is not there, a token, credentials of a store, or a name that is free.
    assert set(client.specification.operations) - fine <= {
        "getToken", "fetchScanTasks", "dropTable", "unregisterTable", "signRequest", "renameTable", "renameView",
        "dropView", "loadFunction", "registerView"}


def test_endpoints_of_the_configuration_are_operations(client):
    _, config = client.send("getConfig")
    known = {f"{method} {path}" for method, path, _ in client.specification.operations.values()}
    assert set(config["endpoints"]) <= known
    assert known - set(config["endpoints"]) <= {"GET /v1/config", "POST /v1/oauth/tokens"}


@pytest.mark.parametrize("seed", range(3))
def test_damaged_requests(client, seed):
    client.random = random.Random(seed)
    failures = {}
    for _ in range(ROUNDS):
        for name, (captures, body, query) in client.requests().items():
            if name in ("dropNamespace", "dropTable", "dropView", "unregisterTable") and client.random.random() < 0.7:
                continue
            captures, body, query, headers = client.damaged_request(captures, body, query)
            try:
                client.send(name, captures, body, query, headers)
            except AssertionError as error:
                failures.setdefault(str(error).replace("\n", " ")[:50], str(error)[:1000])
        # What was renamed or dropped by chance is made again.
        if client.send("tableExists", {"namespace": "main", "table": "t"})[0] == 404:
            client.send("createTable", {"namespace": "main"}, {"name": "t", "schema": SCHEMA})
        if client.send("viewExists", {"namespace": "main", "view": "v"})[0] == 404:
            client.send("createView", {"namespace": "main"}, {
                "name": "v", "schema": SCHEMA, "view-version": VERSION, "properties": {}})
    assert not failures, "\n\n".join(failures.values())
