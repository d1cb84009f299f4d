"""Rows over HTTP: what clients send is what tables hold, once, whatever happens to the answer.

    VARVE_BIN=.build/release/varve python -m pytest Tests/Peers/test_server_rows.py
"""

import concurrent.futures
import contextlib
import decimal
import gzip
import http.client
import io
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pytest

pa = pytest.importorskip("pyarrow")
import pyarrow.csv
import pyarrow.parquet

from test_rest_clients import running

ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"


@pytest.fixture
def server(tmp_path):
    spool = tmp_path / "spool"
    spool.mkdir()
    with running(tmp_path, environment={"TMPDIR": str(spool)}) as running_server:
        running_server.spool = spool
        yield running_server
    # Nothing stays behind, whatever happened.
    assert list(spool.iterdir()) == []


def send(server, table, body, kind, mode=None, key=None, seconds=300, headers=None, **query):
    """Status and answer of an upload to main.<table>."""
    if mode:
        query["mode"] = mode
    path = f"/varve/v1/tables/{table.replace('.', '/') if '.' in table else 'main/' + table}/rows"
    if query:
        path += "?" + urllib.parse.urlencode(query)
    all_headers = {"Content-Type": kind, **(headers or {})}
    if key:
        all_headers["Idempotency-Key"] = key
    request = urllib.request.Request(server.url + path, data=body, method="POST", headers=all_headers)
    try:
        with urllib.request.urlopen(request, timeout=seconds) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())["error"]


def arrow_bytes(table):
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def parquet_bytes(table):
    sink = io.BytesIO()
    pyarrow.parquet.write_table(table, sink)
    return sink.getvalue()


def ndjson_bytes(table):
    return "".join(json.dumps(row, default=str) + "\n" for row in table.to_pylist()).encode()


def csv_bytes(table):
    sink = io.BytesIO()
    pyarrow.csv.write_csv(table, sink)
    return sink.getvalue()


def sample(start=0, count=1000):
    numbers = range(start, start + count)
    return pa.table({
        "n": pa.array(numbers, pa.int64()),
        "code": [f"{number:05d}" for number in numbers],
        "amount": pa.array([number / 4 if number % 7 else None for number in numbers], pa.float64()),
    })


MAKE = "CREATE TABLE t (n BIGINT, code VARCHAR, amount DOUBLE, extra DATE)"
ENCODED = {
    ARROW: arrow_bytes, PARQUET: parquet_bytes, "text/csv": csv_bytes, "application/x-ndjson": ndjson_bytes,
}


@pytest.mark.parametrize("kind", ENCODED)
def test_every_format_gives_the_same_rows(server, kind):
    server.sql(MAKE)
    table = sample()
    status, answer = send(server, "t", ENCODED[kind](table), kind)
    assert status == 200, answer
    assert answer["row_count"] == 1000 and answer["rejected_row_count"] == 0
    assert answer["mode"] == "append" and not answer["created"] and not answer["replayed"]
    rows = server.sql("SELECT n, code, amount FROM t WHERE extra IS NULL ORDER BY n")
    assert [tuple(row) for row in rows] == list(zip(*[column.to_pylist() for column in table.columns]))
    snapshots = server.sql("SELECT snapshot_id FROM t.snapshots")
    assert [[answer["snapshot_id"]]] == [[str(row[0])] for row in snapshots]
    log = json.loads(server.call("GET", f"/varve/v1/log?from={answer['log_position']}")[2])
    commit = log["commits"][0]
    assert commit["actor"] == "anonymous" and commit["request_id"]
    assert commit["lineage"]["facts"][0]["job"]["kind"] == "import"


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("kind", ENCODED)
def test_bodies_may_be_compressed(server, kind, encoding):
    body = ENCODED[kind](sample())
    packed = gzip.compress(body) if encoding == "gzip" else pa.compress(body, "zstd", asbytes=True)
    status, answer = send(server, "t", packed, kind, "create", headers={"Content-Encoding": encoding})
    assert status == 200 and answer["created"] and answer["row_count"] == 1000, answer
    assert server.sql("SELECT count(*), max(n) FROM t") == [[1000, 999]]
    for broken in [body[:100], packed[: len(packed) // 2]]:
        status, answer = send(server, "t", broken, kind, headers={"Content-Encoding": encoding})
        assert status == 400, answer


def test_overwrite_takes_the_place_of_all_rows(server):
    send(server, "t", arrow_bytes(sample()), ARROW, "create")
    status, answer = send(server, "t", arrow_bytes(sample(5, 3)), ARROW, "overwrite")
    assert status == 200 and answer["mode"] == "overwrite" and answer["row_count"] == 3
    assert server.sql("SELECT n FROM t ORDER BY n") == [[5], [6], [7]]
    status, _ = send(server, "t", arrow_bytes(sample(0, 0)), ARROW, "overwrite")
    assert status == 200
    assert server.sql("SELECT count(*) FROM t") == [[0]]


def test_create_makes_the_table_and_its_namespace_or_appends(server):
    body = csv_bytes(sample(0, 10))
    status, answer = send(server, "new.place", body, "text/csv", "create")
    assert status == 200 and answer["created"], answer
    assert answer["table"] == {"namespace": ["new"], "name": "place"}
    status, answer = send(server, "new.place", body, "text/csv", "create")
    assert status == 200 and not answer["created"]
    assert server.sql("SELECT count(*) FROM new.place") == [[20]]


def test_csv_is_read_as_it_is_described(server):
    server.sql("CREATE TABLE c (id BIGINT, name VARCHAR)")
    cases = [
        (b"id;name\n1;'a;b'\n2;NULL\n", {"delimiter": ";", "quote": "'", "null": "NULL"}, [[1, "a;b"], [2, None]]),
        (b"3\tx\n4\t\n", {"delimiter": "\t", "header": "false"}, [[3, "x"], [4, None]]),
        (b"# note\nname,id\nz,5\n", {"comment": "#"}, [[5, "z"]]),
        (b"skipped\nname,id\n007,6\n", {"skip": "1"}, [[6, "007"]]),
    ]
    for body, options, rows in cases:
        status, answer = send(server, "c", body, "text/csv", "overwrite", **options)
        assert status == 200, answer
        assert server.sql("SELECT id, name FROM c ORDER BY id") == rows
    status, answer = send(server, "c", b"8,y\n", "text/csv; header=absent", "overwrite")
    assert status == 200 and server.sql("SELECT id, name FROM c") == [[8, "y"]], answer
    assert send(server, "c", b"id\n1\n", "text/csv", delimiter="ab")[0] == 400
    assert send(server, "c", b'{"id": 1}', "application/x-ndjson", delimiter=";")[0] == 400


def test_bad_rows_are_named_and_nothing_is_committed(server):
    server.sql("CREATE TABLE b (id BIGINT, day DATE)")
    before = server.sql("SELECT count(*) FROM b.snapshots")
    body = b"id,day\n1,2024-01-01\nx,2024-01-02\n"
    status, error = send(server, "b", body, "text/csv")
    assert status == 422 and error["type"] == "UnprocessableEntityException", error
    assert error["row"] == {"line": 3, "column": 1, "column_name": "id"}
    assert "the body" in error["message"] and "/" not in error["message"], error
    status, error = send(server, "b", b'{"id": 1}\n{"id": 2\n', "application/x-ndjson")
    assert status == 422 and error["row"]["line"] == 2, error
    status, error = send(server, "b", b"id,colour\n1,red\n", "text/csv")
    assert status == 400 and "colour" in error["message"], error
    for kind in [ARROW, PARQUET]:
        status, error = send(server, "b", b"PAR1 or anything else", kind)
        assert status == 422 and "/" not in error["message"].replace(PARQUET, ""), error
        status, error = send(server, "b", b"", kind)
        assert status == 422, error
    assert server.sql("SELECT count(*) FROM b.snapshots") == before
    status, answer = send(server, "b", body, "text/csv", on_error="skip")
    assert status == 200 and (answer["row_count"], answer["rejected_row_count"]) == (1, 1)
    status, answer = send(server, "b", body, "text/csv", on_error="quarantine", source="day 7.csv")
    assert status == 200 and answer["rejected_row_count"] == 1
    assert server.sql("SELECT file, line FROM b_rejected") == [["day 7.csv", 3]]


def test_a_required_column_must_have_values(server):
    server.call("POST", "/v1/namespaces/main/tables", {
        "name": "r", "schema": {"type": "struct", "fields": [
            {"id": 1, "name": "a", "type": "long", "required": True},
            {"id": 2, "name": "b", "type": "string", "required": False}]}})
    status, error = send(server, "r", b"a,b\n1,x\n,y\n", "text/csv")
    assert status == 422, error
    assert send(server, "r", b"a,b\n1,x\n", "text/csv")[0] == 200


def test_what_is_not_taken_is_refused_clearly(server):
    server.sql(MAKE)
    status, error = send(server, "t", b"n\n1\n", "text/csv", "merge")
    assert status == 406 and "DELETE" in error["message"], error
    assert send(server, "t", b"n\n1\n", "text/csv", "replace")[0] == 400
    assert send(server, "t", b"n\n1\n", "text/csv", delimeter=";")[0] == 400
    assert send(server, "t", b"<xml/>", "application/xml")[0] == 415
    assert send(server, "t", b"n\n1\n", "text/csv; charset=latin1")[0] == 415
    assert send(server, "t", b"n\n1\n", "text/csv", headers={"Content-Encoding": "br"})[0] == 415
    assert send(server, "none", b"n\n1\n", "text/csv")[0] == 404
    assert send(server, "t", b"n\n1\n", "text/csv", key="short")[0] == 400


def test_bodies_over_the_limit_are_refused(tmp_path):
    settings = tmp_path / "varve.yaml"
    settings.write_text(f"server:\n  upload_bytes_max: 64KiB\n  spool_directory: {tmp_path}\n")
    with running(tmp_path, arguments=["--config", str(settings)]) as server:
        body = csv_bytes(sample(0, 10_000))
        with contextlib.suppress(ConnectionError, urllib.error.URLError):
            status, error = send(server, "t", body, "text/csv", "create")
            assert status == 413, error
        # What swells beyond the limit is too much as well, and so is what does not say its length.
        status, error = send(server, "t", gzip.compress(body), "text/csv", "create",
                             headers={"Content-Encoding": "gzip"})
        assert status == 413 and "upload_bytes_max" in error["message"], error
        assert send(server, "t", csv_bytes(sample(0, 1000)), "text/csv", "create")[0] == 200
        assert not list(tmp_path.glob("varve-upload-*"))


# Retries


def test_a_key_makes_an_upload_once(server):
    server.sql(MAKE)
    key, body = str(uuid.uuid4()), arrow_bytes(sample())
    first = send(server, "t", body, ARROW, key=key)
    again = send(server, "t", body, ARROW, key=key)
    assert first[0] == again[0] == 200 and not first[1]["replayed"] and again[1]["replayed"]
    assert {**first[1], "replayed": True} == again[1]
    # The same rows in other wrapping are the same request; other rows, another table or mode are not.
    packed = send(server, "t", gzip.compress(body), ARROW, key=key, headers={"Content-Encoding": "gzip"})
    assert packed == again
    for other in [send(server, "t", arrow_bytes(sample(1)), ARROW, key=key),
                  send(server, "t", body, ARROW, "overwrite", key=key)]:
        assert other[0] == 422 and "Idempotency-Key" in other[1]["message"]
    assert server.sql("SELECT count(*) FROM t") == [[1000]]
    assert send(server, "t", arrow_bytes(sample(0, 0)), ARROW, key="nothing-to-add")[1]["row_count"] == 0
    assert send(server, "t", body, ARROW, key="nothing-to-add")[0] == 422
    empty = send(server, "t", arrow_bytes(sample(0, 0)), ARROW, key="nothing-to-add")
    assert empty[0] == 200 and empty[1]["replayed"]


def test_a_refusal_is_repeated_and_not_decided_again(server):
    key = str(uuid.uuid4())
    body = csv_bytes(sample(0, 3))
    assert send(server, "late", body, "text/csv", key=key)[0] == 404
    server.sql("CREATE TABLE late (n BIGINT, code VARCHAR, amount DOUBLE)")
    assert send(server, "late", body, "text/csv", key=key)[0] == 404
    assert send(server, "late", body, "text/csv", key=str(uuid.uuid4()))[0] == 200
    headers = {"Idempotency-Key": str(uuid.uuid4()), "Content-Type": "application/json"}
    space = {"namespace": ["n"]}
    assert server.call("POST", "/v1/namespaces", {"namespace": ["n"]})[0] == 200
    assert server.call("POST", "/v1/namespaces", space, headers)[0] == 409
    assert server.call("DELETE", "/v1/namespaces/n")[0] == 204
    assert server.call("POST", "/v1/namespaces", space, headers)[0] == 409
    assert server.call("POST", "/v1/namespaces", {"namespace": ["m"]}, headers)[0] == 400
    assert server.call("GET", "/v1/namespaces/n")[0] == 404


def test_two_servers_know_each_others_keys(tmp_path):
    with running(tmp_path) as one, running(tmp_path, warehouse=one.warehouse) as two:
        key, body = str(uuid.uuid4()), arrow_bytes(sample())
        first = send(one, "t", body, ARROW, "create", key=key)
        again = send(two, "t", body, ARROW, "create", key=key)
        assert again == (200, {**first[1], "replayed": True}) and first[1]["created"]
        assert send(two, "t", arrow_bytes(sample(9)), ARROW, "create", key=key)[0] == 422
        assert two.sql("SELECT count(*) FROM t") == [[1000]]


def test_a_server_killed_before_its_answer_has_done_it_or_not(tmp_path):
    """The same key again gives one append, whether the first attempt got through or not."""
    body = arrow_bytes(sample(0, 20_000))
    landed = 0
    expected = 0
    with running(tmp_path) as server:
        warehouse = server.warehouse
        server.sql(MAKE)
    for round_number, delay in enumerate([0.002, 0.01, 0.02, 0.03, 0.04, 0.06, 0.09, 0.15]):
        key = f"killed-server-{round_number}"
        with contextlib.suppress(AssertionError):  # It does not end well: it is killed.
            with running(tmp_path, warehouse=warehouse) as server:
                address = urllib.parse.urlparse(server.url)
                connection = http.client.HTTPConnection(address.hostname, address.port, timeout=300)
                connection.request("POST", "/varve/v1/tables/main/t/rows", body,
                                   {"Content-Type": ARROW, "Idempotency-Key": key})
                time.sleep(delay)
                server.process.send_signal(signal.SIGKILL)
                server.process.wait(20)
                connection.close()
        with running(tmp_path, warehouse=warehouse) as server:
            before = server.sql("SELECT count(*) FROM t")[0][0]
            assert before in (expected, expected + 20_000)
            status, answer = send(server, "t", body, ARROW, key=key)
            assert status == 200 and answer["row_count"] == 20_000, answer
            assert answer["replayed"] == (before != expected)
            landed += answer["replayed"]
            expected += 20_000
            assert server.sql("SELECT count(*), count(DISTINCT n) FROM t") == [[expected, 20_000]]
            assert json.loads(server.call("GET", "/varve/v1/log/verify?tables=true")[2])["verified"]
    print(f"{landed} of 8 uploads had landed before their server was killed")


def test_eight_clients_with_keys_append_each_once(tmp_path):
    with running(tmp_path) as one, running(tmp_path, warehouse=one.warehouse) as two:
        servers = [one, two]

        def client(number):
            for turn in range(4):
                body = arrow_bytes(sample(number * 1000 + turn * 100, 100))
                key = f"client-{number}-turn-{turn}"
                # Twice at once would be rude; twice in a row, at either server, is a retry.
                for server in [servers[number % 2], servers[turn % 2]]:
                    status, answer = send(server, "t", body, ARROW, "create", key=key)
                    assert status == 200 and answer["row_count"] == 100, answer
            return True

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            assert all(pool.map(client, range(8), timeout=600))
        assert one.sql("SELECT count(*), count(DISTINCT n) FROM t") == [[3200, 3200]]


def test_one_key_at_once_lands_once(server):
    server.sql(MAKE)
    body = arrow_bytes(sample())
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: send(server, "t", body, ARROW, key="all-at-once"), range(8), timeout=600))
    assert {status for status, _ in answers} == {200}
    assert len({(answer["snapshot_id"], answer["log_position"], answer["row_count"]) for _, answer in answers}) == 1
    assert server.sql("SELECT count(*) FROM t") == [[1000]]


def test_a_client_that_leaves_in_the_middle_changes_nothing(server):
    server.sql(MAKE)
    address = urllib.parse.urlparse(server.url)
    for _ in range(3):
        with socket.create_connection((address.hostname, address.port), 10) as connection:
            connection.sendall(b"POST /varve/v1/tables/main/t/rows HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
                               b"Content-Length: 1000000\r\n\r\nn,code\n" + b"1,a\n" * 1000)
    deadline = time.monotonic() + 120
    while list(server.spool.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert server.sql("SELECT count(*) FROM t") == [[0]]


def test_rows_leave_as_they_came_in(server):
    """Every format of results, beside what was sent."""
    server.sql("CREATE TABLE f (i BIGINT, d DECIMAL(20, 2), s VARCHAR, f DOUBLE, day DATE, ts TIMESTAMP)")
    row = {"i": 2**53 + 1, "d": "12345678901234567.89", "s": "", "f": 0.1, "day": "2024-02-29",
           "ts": "2024-02-29T12:30:00"}
    body = (json.dumps(row) + "\n" + json.dumps(dict.fromkeys(row)) + "\n").encode()
    assert send(server, "f", body, "application/x-ndjson")[0] == 200
    query = {"sql": "SELECT * FROM f ORDER BY i NULLS LAST"}

    def result(accept):
        status, headers, body = server.call("POST", "/varve/v1/query", query, {"Accept": accept})
        assert status == 200 and headers["Content-Type"].startswith(accept)
        return body

    document = json.loads(result("application/json"))
    assert [column["name"] for column in document["columns"]] == list(row)
    assert all(set(column) == {"name", "type", "nullable"} for column in document["columns"])
    assert document["row_count"] == 2 and document["rows"][1] == [None] * 6
    assert document["rows"][0][:4] == [str(2**53 + 1), "12345678901234567.89", "", 0.1]
    lines = result("application/x-ndjson").decode().splitlines()
    assert len(lines) == 2 and list(json.loads(lines[0])) == list(row)
    text = result("text/csv").decode()
    assert text.splitlines()[0] == "i,d,s,f,day,ts"
    assert text.splitlines()[1].startswith('9007199254740993,12345678901234567.89,"",0.1,2024-02-29,2024-02-29')
    assert text.splitlines()[2] == ",,,,,"
    with pa.ipc.open_stream(result(ARROW)) as stream:
        table = stream.read_all()
    assert table["d"].to_pylist() == [decimal.Decimal("12345678901234567.89"), None]
