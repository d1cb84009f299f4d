"""The log as auditors read it: filters against a list that is filtered in Python, on the command line and over HTTP."""
import hashlib
import json
import pathlib
import urllib.error
import urllib.parse
import urllib.request

import pytest

from audit_model import History, Page, explain, full_log, refused
from support import free_port, server


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """A warehouse where several people did many things."""
    history = History(tmp_path_factory.mktemp("busy"), 99, 2)
    for _ in range(16):
        history.step()
    lake = history.varve("dave")
    lake.execute("CREATE SCHEMA s; CREATE TABLE s.gone (a INT, b INT); INSERT INTO s.gone VALUES (1, 2)")
    lake.execute("ALTER TABLE s.gone RENAME COLUMN b TO c; DELETE FROM s.gone WHERE a = 1; INSERT INTO s.gone (a) VALUES (5)")
    lake.execute("ALTER TABLE s.gone DROP COLUMN c; INSERT INTO s.gone VALUES (6)")
    lake.execute("ALTER TABLE s.gone SET TBLPROPERTIES ('x' = 'y'); ALTER TABLE s.gone RENAME TO s.moved")
    lake.execute("CREATE VIEW w AS SELECT 1 AS one; CREATE BRANCH dev; CREATE TAG v1; DROP TABLE s.moved")
    lake.sql("CREATE TABLE only_dev (x INT)", "--branch", "dev", format="table")
    return history


def changes(commit):
    for change in commit["changes"]:
        yield change
        yield from change.get("changes", [])


def test_the_whole_log_is_what_lies_in_the_store(busy):
    lake = busy.varve()
    found = full_log(lake)
    entries = lake.log_entries()
    expected = [(entry["sequence"], index, commit["id"], commit["actor"], commit["changes"], commit.get("lineage"))
                for entry in reversed(entries) for index, commit in reversed(list(enumerate(entry["commits"])))]
    assert [(one["position"], one["index"], one["id"], one["actor"], one["changes"], one["lineage"]) for one in found] == expected
    for one in found:
        path = pathlib.Path(lake.warehouse, "_varve", "log", f"{one['position']:020d}.json")
        assert hashlib.sha256(path.read_bytes()).hexdigest() == one["entry_sha256"]
        assert json.loads(path.read_bytes())["previous"] == one["previous_sha256"]


def test_filters_find_what_a_list_in_python_has(busy):
    lake = busy.varve()
    everything = full_log(lake)

    def check(expected, *arguments):
        found = [one["id"] for one in full_log(lake, *arguments)]
        assert found == [one["id"] for one in everything if expected(one)]
        return found

    for actor in ["alice", "bob", "carol", "dave"]:
        assert check(lambda one: one["actor"] == actor, "--actor", actor)
    check(lambda one: one["actor"] in ("alice", "dave"), "--actor", "alice", "--actor", "dave")
    assert not check(lambda one: False, "--actor", "eve")
    middle = everything[len(everything) // 2]
    check(lambda one: one["position"] >= middle["position"], "--since", middle["position"])
    check(lambda one: one["position"] <= middle["position"], "--until", middle["position"])
    assert len(check(lambda one: one["position"] == middle["position"], "--since", middle["position"],
                     "--until", middle["position"])) >= 1
    check(lambda one: one["time_ms"] >= middle["time_ms"], "--since", middle["time"].replace("T", " ").replace("Z", "+00"))
    check(lambda one: one["time_ms"] <= middle["time_ms"], "--until", middle["time"].replace("T", " ").replace("Z", "+00"))
    check(lambda one: one["position"] <= 7, "--as-of", "7")
    check(lambda one: one["id"].startswith(middle["id"][:20]), "--commit", middle["id"][:20])
    runs = {fact["run"] for one in everything for fact in (one["lineage"] or {}).get("facts", [])}
    for run in sorted(runs)[:3]:
        assert len(check(lambda one: any(fact["run"] == run for fact in (one["lineage"] or {}).get("facts", [])),
                         "--run", run)) == 1
    check(lambda one: "COMPACTED" in (one["message"] or "").upper(), "--message", "ComPacted")
    uuid = next(change["uuid"] for one in everything for change in changes(one)
                if change["change"] == "create-table" and change["name"] == "gone")

    def concerns(one):
        return any(uuid in (change.get("uuid"), change.get("previous-uuid")) for change in changes(one))

    for name in ["s.gone", "s.moved"]:
        assert len(check(concerns, "--table", name)) == 10
    for kind in ["create-table", "rename-table", "drop-table", "create-view", "create-branch", "create-tag", "on-branch",
                 "create-namespace"]:
        assert check(lambda one: any(change["change"] == kind for change in changes(one)), "--kind", kind), kind
    for kind, logged in {"drop": {"drop-table"}, "rename": {"rename-table"}, "view": {"create-view"}, "create": {"create-table"},
                         "namespace": {"create-namespace"}, "branch": {"create-branch"}, "tag": {"create-tag"}}.items():
        assert check(lambda one: any(change["change"] in logged for change in changes(one)), "--kind", kind), kind
    for operation in ["append", "overwrite", "delete", "replace"]:
        check(lambda one: any(fact["output"]["operation"] == operation for fact in (one["lineage"] or {}).get("facts", [])),
              "--kind", operation)
    positions = [one["position"] for one in everything if concerns(one)][::-1]
    create, insert, rename_c, delete, insert_a, drop_c, insert_6, properties, rename, drop = positions

    def positions_of(*arguments):
        return [one["position"] for one in full_log(lake, "--table", "s.gone", *arguments)][::-1]

    assert positions_of("--kind", "schema") == [rename_c, drop_c]
    assert positions_of("--kind", "properties") == [properties]
    assert positions_of("--kind", "drop,rename,delete") == [delete, rename, drop]
    # b was renamed to c and dropped: one column by both names.
    assert positions_of("--column", "b") == positions_of("--column", "c") == [create, insert, rename_c, insert_a, drop_c]
    assert positions_of("--column", "a") == [create, insert, insert_a, insert_6]
    history = full_log(lake, "s.gone", "--column", "a", command=("history",))
    assert [one["position"] for one in history][::-1] == positions_of("--column", "a")


def test_the_log_as_rows(busy):
    lake = busy.varve()
    rows = json.loads(lake.run("audit", "log", "--format", "json", "--limit", "5").stdout)["rows"]
    assert [(row[0], row[5], row[2]) for row in rows] == lake.rows(
        "SELECT position, commit_id, actor FROM varve.log ORDER BY position DESC LIMIT 5")
    assert json.loads(lake.run("audit", "log", "--actor", "eve", "--format", "json").stdout)["rows"] == []
    lines = lake.run("history", "--kind", "drop", "--format", "csv").stdout.decode().splitlines()
    assert len(lines) == 2 and "drop s.moved" in lines[1]


def test_wrong_filters_are_refused(busy):
    lake = busy.varve()
    assert "append, overwrite" in refused(lake, "audit", "log", "--kind", "appendd")
    assert "name the table" in refused(lake, "audit", "log", "--column", "a")
    assert "no column" in refused(lake, "audit", "log", "--table", "s.gone", "--column", "zzz")
    assert "does not exist" in refused(lake, "audit", "log", "--table", "s.never")
    assert "neither a log position nor a time" in refused(lake, "audit", "log", "--since", "yesterday-ish")


# The server


@pytest.fixture(scope="module")
def served(busy):
    port = free_port()
    lake = busy.varve()
    with server(lake.command("serve", "--port", port), port, lake.environment):
        yield f"http://127.0.0.1:{port}/varve/v1"


def get(address, **parameters):
    try:
        with urllib.request.urlopen(f"{address}?{urllib.parse.urlencode(parameters)}", timeout=300) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read()


def test_the_server_gives_the_same_commits(busy, served):
    lake = busy.varve()
    for parameters, arguments in [({}, ()), ({"actor": "alice,dave"}, ("--actor", "alice", "--actor", "dave")),
                                  ({"table": "s.gone", "column": "b"}, ("--table", "s.gone", "--column", "b")),
                                  ({"kind": "append,schema"}, ("--kind", "append,schema")),
                                  ({"since": "5", "until": "9"}, ("--since", "5", "--until", "9")),
                                  ({"message": "compacted"}, ("--message", "compacted"))]:
        found, before = [], None
        while True:
            paging = {"limit": 3} | ({"before": before} if before else {})
            status, _, body = get(f"{served}/commits", **parameters, **paging)
            assert status == 200, body
            page = json.loads(body)
            found += page["commits"]
            before = page["next_before"]
            if before is None:
                break
        assert found == full_log(lake, *arguments)
    assert get(f"{served}/commits", kind="nothing")[0] == 400
    assert get(f"{served}/commits", actr="x")[0] == 400
    assert get(f"{served}/commits", table="s.never")[0] == 404


def test_the_server_gives_the_same_report(busy, served):
    lake = busy.varve()
    status, kind, body = get(f"{served}/audit/explain", table=busy.name, where="id % 2 = 1", limit=10)
    assert (status, kind) == (200, "application/json"), body
    report, own = json.loads(body), explain(lake, busy.name, "--where", "id % 2 = 1", "--limit", "10")
    for one in [report, own]:
        del one["made"]
    assert report == own
    status, kind, body = get(f"{served}/audit/explain", table=busy.name, format="html")
    assert (status, kind) == (200, "text/html; charset=utf-8")
    Page().feed(body.decode())
    assert get(f"{served}/audit/explain")[0] == 400
    assert get(f"{served}/audit/explain", table="none")[0] == 404
    assert get(f"{served}/audit/explain", table=busy.name, where="id =")[0] == 400
    assert get(f"{served}/audit/explain", table=busy.name, format="pdf")[0] == 400
    status, _, body = get(f"{served}/audit/explain", table="only_dev", branch="dev")
    assert status == 200 and json.loads(body)["rows"]["count"] == 0
    assert get(f"{served}/audit/explain", table="only_dev")[0] == 404


def test_who_is_not_known_gets_nothing(varve, tmp_path):
    varve.execute("CREATE TABLE t (id INT); INSERT INTO t VALUES (1)")
    configuration = tmp_path / "varve.yaml"
    configuration.write_text("auth:\n  tokens:\n    - token: secret-token-1\n      principal: auditor\n")
    port = free_port()
    with server(varve.command("serve", "--port", port, "--config", configuration), port, varve.environment):
        for path in ["audit/explain?table=t", "commits", "audit/explain?table=none"]:
            address = f"http://127.0.0.1:{port}/varve/v1/{path}"
            assert get(address.split("?")[0], **dict(urllib.parse.parse_qsl(address.partition("?")[2])))[0] == 401
        request = urllib.request.Request(f"http://127.0.0.1:{port}/varve/v1/audit/explain?table=t",
                                         headers={"Authorization": "Bearer secret-token-1"})
        with urllib.request.urlopen(request, timeout=300) as answer:
            assert json.loads(answer.read())["rows"]["count"] == 1
