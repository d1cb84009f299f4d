"""Audits: which commit made which row, and the hashes that prove it.

Random histories are held against a model in Python that notes for each row which commit gave it its values.
"""
import concurrent.futures
import hashlib
import json
import pathlib
import urllib.request

import pyarrow
import pytest

from audit_model import History, Page, explain, position_of, refused
from support import Varve, free_port, local_path, number_from_environment, rest_server, server

SEEDS = number_from_environment("VARVE_AUDIT_SEEDS", 3)
STEPS = number_from_environment("VARVE_AUDIT_STEPS", 24)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_row_is_traced_to_the_commit_that_wrote_it(tmp_path, seed, version):
    history = History(tmp_path, seed, version)
    for _ in range(STEPS // 2):
        history.step()
    history.execute("CREATE BRANCH dev")
    history.models["dev"] = history.models[None].copy()
    for _ in range(STEPS // 2):
        history.step()
    for place, model in history.models.items():
        history.check(place, history.name, model)
    # Branches are of now: as of a position that made them they are there, too.
    for place, name, position, model in history.random.sample(history.past, min(6, len(history.past))):
        history.check(place, name, model, "--as-of", str(position))
    history.varve().verify()


def test_what_a_branch_did_comes_by_a_merge(varve):
    varve.execute("CREATE TABLE t (id INT, s VARCHAR); INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    varve.execute("CREATE BRANCH dev")
    varve.sql("UPDATE t SET s = 'dev' WHERE id = 1", "--branch", "dev", format="table")
    varve.execute("CREATE TABLE other (x INT)")
    merge = position_of(varve.execute("MERGE BRANCH dev"))
    report = explain(varve, "t", "--where", "id = 1")
    [row] = report["rows"]["list"]
    commits = {commit["id"]: commit for commit in report["commits"]}
    [writer] = row["written-by"]
    assert commits[writer]["branch"] == "dev" and row["values"]["s"] == "dev"
    [brought] = [commit for commit in report["commits"] if "merged" in commit["roles"]]
    assert brought["position"] == merge
    # On the branch no merge was needed, and the other row was there before.
    report = explain(varve, "t", "--branch", "dev")
    assert not [commit for commit in report["commits"] if "merged" in commit["roles"]]
    [row] = explain(varve, "t", "--where", "id = 2")["rows"]["list"]
    assert [commit["position"] for commit in report["commits"] if commit["id"] in row["written-by"]] == [3]


def test_a_branch_of_the_table_is_explained(varve):
    varve.execute("CREATE TABLE t (id INT, s VARCHAR); INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    added = position_of(varve.sql("INSERT INTO t VALUES (3, 'c')", "--table-branch", "dev", format="table").stderr.decode().splitlines())
    changed = position_of(varve.sql("UPDATE t SET s = 'z' WHERE id = 1", "--table-branch", "dev", format="table").stderr.decode().splitlines())
    report = explain(varve, "t", "--where", "TRUE", "--table-branch", "dev")
    commits = {commit["id"]: commit["position"] for commit in report["commits"]}
    assert {row["values"]["id"]: [commits[id] for id in row["written-by"]] for row in report["rows"]["list"]} == {
        1: [changed], 2: [3], 3: [added]}
    assert report["asked"]["table-branch"] == "dev"
    assert explain(varve, "t")["rows"]["count"] == 2


def test_commits_of_a_transaction_and_of_other_clients(varve):
    varve.execute("CREATE TABLE t (id BIGINT, s VARCHAR)")
    both = position_of(varve.execute(
        "BEGIN; INSERT INTO t VALUES (1, 'a'), (2, 'b'); UPDATE t SET s = 'c' WHERE id = 1; COMMIT"))
    with rest_server(varve) as catalog:
        table = catalog.load_table("main.t")
        rows = pyarrow.table({"id": pyarrow.array([3], pyarrow.int64()), "s": ["py"]})
        table.append(rows)
        # Removes and adds in one commit: two snapshots, of which the log names the second.
        rows = pyarrow.table({"id": pyarrow.array([2, 4], pyarrow.int64()), "s": ["new", "four"]})
        table.overwrite(rows, overwrite_filter="id = 2")
    report = explain(varve, "t", "--where", "TRUE")
    commits = {commit["id"]: commit["position"] for commit in report["commits"]}
    written = {row["values"]["id"]: [commits[id] for id in row["written-by"]] for row in report["rows"]["list"]}
    last = varve.value("SELECT max(position) FROM varve.log")
    assert written == {1: [both], 2: [last], 3: [last - 1], 4: [last]}
    # What other clients read nobody told the log, and the report says so.
    assert not report["complete"]


def test_equal_rows_that_nobody_can_tell_apart(varve):
    varve.execute("CREATE TABLE t (id INT, s VARCHAR); INSERT INTO t VALUES (1, 'x'), (2, 'y')")
    changed = position_of(varve.execute("UPDATE t SET id = 1, s = 'x' WHERE id = 2"))
    report = explain(varve, "t", "--where", "id = 1")
    commits = {commit["id"]: commit["position"] for commit in report["commits"]}
    assert report["rows"]["count"] == 2
    for row in report["rows"]["list"]:
        assert not row["certain"]
        assert sorted(commits[id] for id in row["written-by"]) == [3, changed]


def test_nested_values_nulls_and_nan_are_followed(varve):
    varve.execute(
        "CREATE TABLE t (id INT, l INT[], st STRUCT(a INT, b VARCHAR), d DOUBLE, n DECIMAL(9, 2), w TIMESTAMPTZ);"
        "INSERT INTO t VALUES (1, [1, NULL], {'a': 1, 'b': NULL}, 'NaN', NULL, '2024-05-01 00:00:00+00'),"
        " (2, NULL, NULL, NULL, 2.50, NULL), (3, [], {'a': 3, 'b': 'x'}, 1.5, 3.00, NULL)")
    varve.execute("DELETE FROM t WHERE id = 3")
    report = explain(varve, "t", "--where", "TRUE")
    commits = {commit["id"]: commit["position"] for commit in report["commits"]}
    for row in report["rows"]["list"]:
        assert [commits[id] for id in row["written-by"]] == [3] and [commits[id] for id in row["moved-by"]] == [4]
        assert row["evidence"] == "values" and row["certain"]
    assert {row["evidence"] for row in explain(varve, "t", "--where", "TRUE", "--as-of", "3")["rows"]["list"]} == {"added"}
    assert report["rows"]["list"][0]["values"]["st"] == {"a": 1, "b": None}


def test_a_row_id_that_is_gone(varve):
    varve.execute("CREATE TABLE t (id INT, s VARCHAR) TBLPROPERTIES ('format-version' = '3')")
    varve.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b'); INSERT INTO t VALUES (3, 'c')")
    [row] = explain(varve, "t", "--where", "id = 3")["rows"]["list"]
    assert explain(varve, "t", "--row-id", str(row["row-id"]))["rows"]["list"][0]["values"] == {"id": 3, "s": "c"}
    last = explain(varve, "t")["table"]["snapshot"]["snapshot-id"]
    removed = position_of(varve.execute("DELETE FROM t WHERE id = 3"))
    report = explain(varve, "t", "--row-id", str(row["row-id"]))
    absence = report["absence"]
    commits = {commit["id"]: commit for commit in report["commits"]}
    assert report["rows"]["count"] == 0 and absence["last-snapshot"]["snapshot-id"] == last
    assert commits[absence["removed-by"]]["position"] == removed and "removed" in commits[absence["removed-by"]]["roles"]
    assert absence["row"]["values"] == {"id": 3, "s": "c"} and absence["equal-rows-added"] == []
    assert [commits[id]["position"] for id in absence["row"]["written-by"]] == [4]
    # A row that is written anew keeps its id; one that is replaced by an equal one does not.
    [row] = explain(varve, "t", "--where", "id = 2")["rows"]["list"]
    varve.execute("DELETE FROM t WHERE id = 1")
    [moved] = explain(varve, "t", "--where", "id = 2")["rows"]["list"]
    assert moved["row-id"] == row["row-id"] and moved["written-by"] == row["written-by"] and moved["evidence"] == "row-lineage"
    assert explain(varve, "t", "--row-id", str(row["row-id"]))["rows"]["list"] == [moved]
    varve.execute("INSERT OVERWRITE t VALUES (2, 'b')")
    [new] = explain(varve, "t", "--where", "id = 2")["rows"]["list"]
    assert new["row-id"] > row["row-id"]
    assert explain(varve, "t", "--row-id", str(row["row-id"]))["absence"]["equal-rows-added"] == [new["row-id"]]
    text = varve.run("audit", "explain", "t", "--row-id", str(row["row-id"])).stdout.decode()
    assert "was there until snapshot" in text
    assert "no row" in refused(varve, "audit", "explain", "t", "--row-id", "1000")
    varve.execute("CREATE TABLE old (id INT); INSERT INTO old VALUES (1)")
    assert "--where" in refused(varve, "audit", "explain", "old", "--row-id", "0")


def test_a_whole_table_is_told_by_commit(varve):
    varve.execute("CREATE TABLE t (id INT, s VARCHAR)")
    for number in range(4):
        varve.execute(f"INSERT INTO t VALUES ({2 * number}, 'a'), ({2 * number + 1}, 'b')")
    varve.execute("DELETE FROM t WHERE id = 0")
    report = explain(varve, "t")
    assert report["rows"]["count"] == 7 and report["rows"]["list"] == []
    assert {commit["position"]: (commit["rows-held"], sorted(commit["roles"])) for commit in report["commits"]} == {
        3: (0, ["may-have-written"]), 4: (2, ["holds"]), 5: (2, ["holds"]), 6: (2, ["holds"]), 7: (1, ["holds"])}
    # Of what a condition finds, too, as far as it is not listed.
    report = explain(varve, "t", "--where", "id < 4", "--limit", "1")
    assert (report["rows"]["count"], report["rows"]["listed"]) == (3, 1)
    assert "… and 2 more rows" in varve.run("audit", "explain", "t", "--where", "id < 4", "--limit", "1").stdout.decode()
    empty = position_of(varve.execute("CREATE TABLE e (x INT)"))
    report = explain(varve, "e")
    assert report["rows"]["count"] == 0 and report["commits"] == [] and report["as-of"]["position"] == empty


def test_inputs_and_what_they_came_from(varve, tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("id,v\n1,10\n2,20\n")
    assert varve.run("import", path, "--into", "raw").returncode == 0
    varve.execute("CREATE TABLE daily AS SELECT id, v * 2 AS v FROM raw")
    report = explain(varve, "daily", "--where", "id = 2")
    [commit] = [commit for commit in report["commits"] if "wrote" in commit["roles"]]
    [run] = commit["runs"]
    raw = varve.value("SELECT snapshot_id FROM raw.snapshots")
    assert run["inputs"][0]["name"] == ["main", "raw"] and run["inputs"][0]["snapshot-id"] == str(raw)
    [upstream] = commit["upstream"]
    assert upstream["complete"] and report["complete"]
    names = {node["name"] for node in upstream["answer"]["nodes"]}
    assert "main.raw" in names and any(str(path) in name for name in names)
    text = varve.run("audit", "explain", "daily", "--where", "id = 2").stdout.decode()
    assert "from table main.raw at snapshot" in text and str(path) in text
    assert explain(varve, "daily", "--where", "id = 2", "--depth", "1")["commits"][0]["upstream"][0]["answer"]["cut"]


def test_hashes_are_those_of_the_files(varve):
    varve.execute("CREATE TABLE t (id INT, s VARCHAR); INSERT INTO t VALUES (1, 'a'), (2, 'b'); UPDATE t SET s = 'c' WHERE id = 2")
    report = explain(varve, "t", "--where", "TRUE", "--hash-data")
    root = pathlib.Path(varve.warehouse)

    def sha256(path):
        return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()

    for commit in report["commits"]:
        proof = commit["proof"]
        assert sha256(root / proof["object"]) == proof["sha256"]
        entry = json.loads((root / proof["object"]).read_bytes())
        assert entry["sequence"] == commit["position"] and entry["previous"] == proof["previous-sha256"]
        assert sha256(root / "_varve" / "log" / f"{commit['position'] - 1:020d}.json") == proof["previous-sha256"]
        metadata = proof["metadata"]
        assert metadata["state"] == "matches"
        assert metadata["logged-sha256"] == metadata["found-sha256"] == sha256(local_path(metadata["location"]))
        assert [change for one in entry["commits"] for change in one["changes"]] == commit["changes"]
    for place in [report["as-of"], report["proof"]["log"]]:
        assert sha256(root / place["object"]) == place["sha256"]
    proof = report["proof"]
    assert proof["manifest-list"]["path"] == report["table"]["snapshot"]["manifest-list"]
    files = [proof["manifest-list"], *proof["manifests"], *proof["files"]]
    assert len(files) >= 3
    for file in files:
        path = pathlib.Path(local_path(file["path"]))
        assert (path.stat().st_size, sha256(path)) == (file["bytes"], file["sha256"])
    assert {row["file"] for row in report["rows"]["list"]} == {file["path"] for file in proof["files"]}
    assert explain(varve, "t")["proof"]["files"][0]["sha256"] is None
    # A file that was changed since is seen.
    location = report["commits"][-1]["proof"]["metadata"]["location"]
    with open(local_path(location), "ab") as file:
        file.write(b" ")
    assert explain(varve, "t", "--where", "TRUE")["commits"][-1]["proof"]["metadata"]["state"] == "differs"


def test_archived_entries_are_named_by_their_archive(varve):
    varve.execute("CREATE TABLE t (id INT); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)")
    before = explain(varve, "t", "--where", "id = 1")
    assert varve.run("maintain", "--archive", "--archive-older-than", "0s", "--grace", "1h").returncode == 0
    after = explain(varve, "t", "--where", "id = 1", "--as-of", "3")
    [commit], [old] = after["commits"], before["commits"]
    assert commit["proof"]["object"].startswith("_varve/archive/") and old["proof"]["object"].startswith("_varve/log/")
    assert commit["proof"]["sha256"] == old["proof"]["sha256"] and commit["id"] == old["id"]
    assert any("zstd" in line and after["as-of"]["sha256"] in line for line in after["proof"]["check"])


def test_the_page_takes_nothing_for_markup(varve, tmp_path):
    evil = "<script>alert('&amp;\"')</script>"
    quoted = evil.replace("'", "''")
    varve = Varve(varve.warehouse, {"USER": "<b>mallory</b>"})
    name = '"<img src=x onerror=alert(1)>"'
    varve.execute(f"""CREATE TABLE {name} ("<i>col" VARCHAR); INSERT INTO {name} VALUES ('{quoted}'), ('\u202e</td>')""")
    path = tmp_path / "report.html"
    done = varve.run("audit", "explain", name, "--where", "TRUE", "--format", "html", "--output", path)
    assert done.returncode == 0 and done.stdout == b""
    page = Page()
    page.feed(path.read_text())
    page.close()
    assert page.stack == []
    assert page.tags == {"html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "dl", "dt", "dd", "table",
                         "tr", "th", "td", "section", "ul", "li"}
    assert evil in page.texts and "<i>col" in page.texts and "<b>mallory</b>" in page.texts
    assert any("<img src=x onerror=alert(1)>" in text for text in page.texts)
    # Terminals obey control characters.
    varve.execute("CREATE TABLE c (s VARCHAR); INSERT INTO c SELECT chr(27) || '[31mred'")
    text = varve.run("audit", "explain", "c", "--where", "TRUE").stdout
    assert b"red" in text and b"\x1b" not in text


def test_questions_without_sense_are_refused(varve):
    varve.execute("CREATE TABLE t (id INT); INSERT INTO t VALUES (1)")
    assert "exclude" in refused(varve, "audit", "explain", "t", "--row-id", "1", "--where", "TRUE", status=2)
    assert "does not exist" in refused(varve, "audit", "explain", "nothing")
    assert "--limit" in refused(varve, "audit", "explain", "t", "--limit", "-1", status=2)
    for condition in ["id = ", "TRUE) UNION (SELECT 1", "TRUE; DROP TABLE t", "1 = 1 --\n) OR (TRUE", "id = 1 GROUP BY id"]:
        refused(varve, "audit", "explain", "t", "--where", condition)
    assert "nothing" in refused(varve, "audit", "explain", "t", "--where", "nothing = 1")
    assert explain(varve, "t", "--where", "t.id = 1 -- one")["rows"]["count"] == 1
    assert explain(varve, "t", "--where", "id IN (SELECT id FROM t)")["rows"]["count"] == 1


@pytest.mark.parametrize("version", [2, 3])
def test_commits_that_share_a_snapshot_are_told_apart(varve, version):
    """Clients at once: appends share snapshots and even files, and every row is still its own request's."""
    varve.execute(f"CREATE TABLE t (id BIGINT, s VARCHAR) TBLPROPERTIES ('format-version' = '{version}')")
    port = free_port()
    with server(varve.command("serve", "--port", port), port, varve.environment):
        def insert(client):
            for number in range(6):
                id = client * 100 + number
                body = json.dumps({"sql": f"INSERT INTO t VALUES ({id}, 'r{id}'), ({id + 50}, 'r{id}')"}).encode()
                request = urllib.request.Request(
                    f"http://127.0.0.1:{port}/varve/v1/query", body,
                    {"Content-Type": "application/json", "X-Request-ID": f"r{id}", "Accept": "application/json"})
                with urllib.request.urlopen(request, timeout=300) as answer:
                    answer.read()

        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            list(pool.map(insert, range(1, 13)))
    shared = [change for entry in varve.log_entries() for commit in entry["commits"] for change in commit["changes"]
              if "added-files" in change]
    assert shared, "no two commits shared a snapshot: the test tests nothing"
    varve.execute("DELETE FROM t WHERE id = 100")
    report = explain(varve, "t", "--where", "TRUE", "--limit", "1000")
    commits = {commit["id"]: commit for commit in report["commits"]}
    assert report["rows"]["count"] == 143
    for row in report["rows"]["list"]:
        [writer] = row["written-by"]
        assert commits[writer]["request-id"] == row["values"]["s"], row
    if version == 3:
        # Who inserted a row is known when another has updated it, and when it was moved after that.
        update = position_of(varve.execute("UPDATE t SET s = 'u' || s WHERE id % 3 = 0"))
        assert varve.run("maintain", "t", "--compact").returncode == 0
        report = explain(varve, "t", "--where", "id % 3 = 0", "--limit", "1000")
        known = {commit["id"]: commit for commit in report["commits"]}
        for row in report["rows"]["list"]:
            assert row["certain"] and row["evidence"] == "row-lineage", row
            assert [known[id]["position"] for id in row["written-by"]] == [update]
            assert "u" + known[row["inserted-by"]]["request-id"] == row["values"]["s"], row
        return
    before = explain(varve, "t", "--as-of", str(varve.log_entries()[-2]["sequence"]))
    assert {commit["rows-held"] for commit in before["commits"]} == {2} and len(before["commits"]) == 72
