"""Branches and tags of the whole catalog, and dropped tables that come back.

What a branch shows is held against copies of the rows, and against DuckDB and PyIceberg, which work on a branch
through the REST catalog without knowing of it.
"""
import pathlib
import shutil

import pytest

from support import VarveError


def refused(varve, text, *arguments):
    with pytest.raises(VarveError) as caught:
        varve.sql(text, *arguments, format="table")
    return str(caught.value)


def command(varve, *arguments, status=0):
    done = varve.run(*arguments)
    assert done.returncode == status, done.stderr.decode()
    return done.stdout.decode() + done.stderr.decode()


@pytest.fixture
def lake(varve):
    varve.execute(
        "CREATE SCHEMA s; CREATE TABLE t (n INT, x TEXT); CREATE TABLE s.u (n INT);"
        "INSERT INTO t VALUES (1, 'a'), (2, NULL), (3, 'ü'); INSERT INTO s.u VALUES (1);"
        "CREATE VIEW s.v AS SELECT count(*) AS c FROM main.t"
    )
    return varve


def state(varve, *arguments):
    """Everything that can be read, by name."""
    found = {}
    for namespace, name in varve.rows("SELECT table_schema, table_name FROM information_schema.tables", *arguments):
        rows = varve.rows(f'SELECT * FROM "{namespace}"."{name}"', *arguments)
        found[namespace, name] = sorted(rows, key=repr)
    return found


def test_a_branch_is_apart_until_it_is_merged(lake):
    before = state(lake)
    command(lake, "branch", "create", "dev")
    assert state(lake, "--branch", "dev") == before
    lake.sql("DELETE FROM t WHERE n = 1; CREATE TABLE w AS SELECT 7 AS k; DROP TABLE s.u; "
             "ALTER TABLE t ADD COLUMN y INT", "--branch", "dev", format="table")
    assert state(lake) == before
    dev = state(lake, "--branch", "dev")
    assert dev["main", "t"] == [(2, None, None), (3, "ü", None)]
    assert dev["s", "v"] == [(2,)] and dev["main", "w"] == [(7,)] and ("s", "u") not in dev
    assert lake.rows("SELECT kind, namespace, name, change FROM varve_branch_diff('main', 'dev') ORDER BY ALL") == [
        ("table", "main", "t", "changed"), ("table", "main", "w", "added"), ("table", "s", "u", "removed")]
    assert "4 main" not in command(lake, "branch", "diff", "main", "dev")
    assert "MERGE BRANCH 3" in command(lake, "branch", "merge", "dev")
    assert state(lake) == dev == state(lake, "--branch", "dev")
    assert "nothing to merge" in command(lake, "branch", "merge", "dev")
    assert lake.rows("SELECT branch, operation FROM varve.log WHERE branch IS NOT NULL OR operation LIKE '%branch%' "
                     "ORDER BY position")[0] \
        == (None, "create-branch")
    # The past of a branch is still there, and so is main's.
    position = lake.value("SELECT min(position) FROM varve.log WHERE branch = 'dev'")
    assert state(lake, "--as-of", str(position)) == before
    assert lake.value("SELECT count(*) FROM t", "--as-of", str(position), "--branch", "dev") == 2
    assert "branch or tag" in refused(lake, "FROM t", "--as-of", "1", "--branch", "dev")
    lake.verify()


def test_both_ways_and_conflicts(lake):
    lake.execute("CREATE BRANCH dev")
    lake.sql("INSERT INTO t VALUES (4, 'dev')", "--branch", "dev", format="table")
    lake.execute("INSERT INTO s.u VALUES (2)")
    lake.execute("MERGE BRANCH dev INTO main; MERGE BRANCH main INTO dev")
    assert state(lake) == state(lake, "--branch", "dev")
    lake.execute("INSERT INTO t VALUES (5, 'main')")
    lake.sql("INSERT INTO t VALUES (6, 'dev'); INSERT INTO s.u VALUES (3)", "--branch", "dev", format="table")
    before = state(lake)
    message = refused(lake, "MERGE BRANCH dev")
    assert "table main.t: base snapshot" in message and "s.u" not in message
    kind, namespace, name, base, ours, theirs = lake.rows(
        "SELECT kind, namespace, name, base_snapshot_id, target_snapshot_id, source_snapshot_id "
        "FROM varve_merge_conflicts('dev', 'main')")[0]
    assert (kind, namespace, name) == ("table", "main", "t") and len({base, ours, theirs}) == 3
    assert "1 conflicts" in command(lake, "branch", "merge", "dev", "--check", status=1)
    assert state(lake) == before
    # One side gives way: main takes its change back by dropping and bringing in what dev has.
    lake.execute("DROP TABLE t")
    assert "conflict" not in refused(lake, "MERGE BRANCH dev INTO nowhere")
    assert "table main.t" in refused(lake, "MERGE BRANCH dev")
    lake.sql("DROP TABLE t", "--branch", "dev", format="table")
    lake.execute("MERGE BRANCH dev")
    assert sorted(lake.rows("FROM s.u")) == [(1,), (2,), (3,)]
    assert "does not exist" in lake.error("FROM t")
    lake.verify()


def test_statements_that_are_refused_say_why(lake):
    lake.execute("CREATE BRANCH dev; CREATE TAG v1; CREATE BRANCH sub FROM dev")
    assert "Did you mean dev?" in refused(lake, "DROP BRANCH dve")
    assert "Did you mean dev?" in refused(lake, "FROM t", "--branch", "dve")
    assert "trunk" in refused(lake, "DROP BRANCH main")
    assert "made from it" in refused(lake, "DROP BRANCH dev")
    assert "exists already" in refused(lake, "CREATE TAG dev")
    assert "cannot be the name" in refused(lake, 'CREATE BRANCH "a b"')
    assert "is a tag" in refused(lake, "MERGE BRANCH v1")
    assert "is a tag" in refused(lake, "SET branch = 'v1'; INSERT INTO t VALUES (9, 'x')")
    assert "is a tag" in refused(lake, "DROP TABLE t", "--branch", "v1")
    assert "merged with the one that they were made from" in refused(lake, "MERGE BRANCH sub INTO main")
    for text in ["CREATE BRANCH x", "MERGE BRANCH dev", "DROP TAG v1", "SET branch = 'dev'", "UNDROP TABLE t"]:
        assert "transaction" in refused(lake, f"BEGIN; {text}; COMMIT")
    assert "session is on" in refused(lake, "SET branch = 'sub'; DROP BRANCH sub")
    assert lake.value("SET branch = 'dev'; SHOW branch") == "dev"
    assert lake.value("USE BRANCH dev; RESET branch; SELECT current_setting('branch')") == "main"
    assert lake.rows("SELECT name, parent FROM varve.branches ORDER BY name") == [
        ("dev", "main"), ("main", None), ("sub", "dev")]
    assert [row[0] for row in lake.rows("SHOW TAGS")] == ["v1"]
    lake.execute("DROP BRANCH IF EXISTS none; CREATE BRANCH IF NOT EXISTS dev; DROP BRANCH sub; DROP BRANCH dev; DROP TAG v1")
    assert lake.value("SELECT count(*) FROM varve.branches") == 1
    lake.verify()


def test_transactions_stage_on_their_branch(lake):
    lake.execute("CREATE BRANCH dev")
    before = state(lake)
    lake.sql("BEGIN; INSERT INTO t VALUES (9, 'x'); UPDATE s.u SET n = n + 10; DELETE FROM t WHERE n < 3; COMMIT",
             "--branch", "dev", format="table")
    assert state(lake) == before
    assert state(lake, "--branch", "dev")["main", "t"] == [(3, "ü"), (9, "x")]
    assert state(lake, "--branch", "dev")["s", "u"] == [(11,)]
    lake.sql("BEGIN; DROP TABLE t; ROLLBACK", "--branch", "dev", format="table")
    assert state(lake, "--branch", "dev")["main", "t"] == [(3, "ü"), (9, "x")]
    lake.execute("MERGE BRANCH dev")
    assert state(lake)["s", "u"] == [(11,)]


def test_foreign_keys_hold_at_merges(varve):
    varve.execute(
        "CREATE TABLE p (k INT PRIMARY KEY); CREATE TABLE c (k INT REFERENCES p (k));"
        "INSERT INTO p VALUES (1), (2), (3); CREATE BRANCH dev"
    )
    varve.sql("INSERT INTO c VALUES (1), (2)", "--branch", "dev", format="table")
    varve.execute("DELETE FROM p WHERE k = 2")
    before = state(varve)
    message = refused(varve, "MERGE BRANCH dev")
    assert "refer to no row of table main.p" in message and "nothing was" in message
    assert state(varve) == before
    assert "refer to no row" in refused(varve, "MERGE BRANCH main INTO dev")
    varve.sql("DELETE FROM c WHERE k = 2", "--branch", "dev", format="table")
    varve.execute("MERGE BRANCH dev")
    assert varve.rows("FROM c") == [(1,)]
    # A parent that the branch changed, a child that main changed.
    varve.execute("MERGE BRANCH main INTO dev")
    varve.sql("DELETE FROM p WHERE k = 3", "--branch", "dev", format="table")
    varve.execute("INSERT INTO c VALUES (3)")
    assert "refer to no row" in refused(varve, "MERGE BRANCH dev")
    # A table that both changed is a conflict, whatever the rows.
    varve.execute("INSERT INTO p VALUES (4)")
    assert "table main.p: base snapshot" in refused(varve, "MERGE BRANCH dev")
    varve.verify()


# --- what maintenance may remove

def maintain(varve, *arguments):
    return command(varve, "maintain", "--compact", "--expire", "--orphans", "--older-than", "0s", *arguments)


def aggressive(varve, table):
    varve.execute(f"ALTER TABLE {table} SET TBLPROPERTIES ('history.expire.max-snapshot-age-ms' = '0')")


@pytest.mark.parametrize("kind", ["branch", "tag", "dropped", "replaced"])
def test_maintenance_keeps_what_others_need(varve, kind):
    varve.execute("CREATE TABLE t (n INT, x TEXT); INSERT INTO t VALUES (1, 'one'), (2, 'two')")
    aggressive(varve, "t")
    if kind == "branch":
        varve.execute("CREATE BRANCH kept")
        varve.sql("INSERT INTO t VALUES (3, 'three'); DELETE FROM t WHERE n = 1", "--branch", "kept", format="table")
    elif kind == "tag":
        varve.execute("CREATE TAG kept")
    expected = varve.rows("FROM t ORDER BY n", *(["--branch", "kept"] if kind in ("branch", "tag") else []))
    location = varve.value("SELECT location FROM varve.tables WHERE name = 't'")
    if kind == "dropped":
        # Another table takes its place, and its folder.
        varve.execute(f"DROP TABLE t; CREATE TABLE t (m INT) LOCATION '{location}'; INSERT INTO t VALUES (0)")
        aggressive(varve, "t")
    elif kind == "replaced":
        varve.execute(f"CREATE OR REPLACE TABLE t (m INT) LOCATION '{location}'; INSERT INTO t VALUES (0)")
        aggressive(varve, "t")
    else:
        for number in range(3):
            varve.execute(f"UPDATE t SET x = 'new {number}'; INSERT INTO t VALUES ({10 + number}, 'more')")
    for _ in range(2):
        maintain(varve)
    if kind in ("branch", "tag"):
        assert varve.rows("FROM t ORDER BY n", "--branch", "kept") == expected
        assert varve.value("SELECT count(*) FROM t") == 5
        if kind == "branch":
            maintain(varve, "--branch", "kept")
            assert varve.rows("FROM t ORDER BY n", "--branch", "kept") == expected
            assert varve.value("SELECT count(*) FROM t") == 5
    else:
        varve.execute("UNDROP TABLE t AS back")
        assert varve.rows("FROM back ORDER BY n") == expected
        assert varve.rows("FROM t") == [(0,)]
    varve.verify()
    # Who needs nothing any more keeps nothing.
    data = pathlib.Path(location.removeprefix("file://"))
    before = sum(1 for path in data.rglob("*.parquet"))
    if kind in ("branch", "tag"):
        varve.execute(f"DROP {kind} kept")
        maintain(varve)
        assert sum(1 for path in data.rglob("*.parquet")) < before
        assert varve.value("SELECT count(*) FROM t") == 5


# --- dropped tables

def test_undrop(lake):
    uuid = lake.value("SELECT uuid FROM varve.tables WHERE name = 't'")
    rows = lake.rows("FROM t ORDER BY n")
    history = lake.rows("SELECT snapshot_id FROM t.snapshots")
    lake.execute("DROP TABLE t")
    assert lake.rows("SELECT namespace, name, uuid, branch, purged FROM varve.dropped_tables") == [
        ("main", "t", uuid, "main", False)]
    assert "Did you mean" in refused(lake, "UNDROP TABLE tt")
    command(lake, "undrop", "t")
    assert lake.value("SELECT uuid FROM varve.tables WHERE name = 't'") == uuid
    assert lake.rows("FROM t ORDER BY n") == rows and lake.rows("SELECT snapshot_id FROM t.snapshots") == history
    assert lake.rows("FROM varve.dropped_tables") == []
    lake.execute("INSERT INTO t VALUES (4, 'd')")
    # The name is taken, the table is there, a purge is for good.
    assert "taken" in refused(lake, "UNDROP TABLE t")
    lake.execute("DROP TABLE t; CREATE TABLE t AS SELECT 0 AS n")
    assert "taken" in refused(lake, "UNDROP TABLE t")
    lake.execute("UNDROP TABLE t AS s.old")
    assert lake.value("SELECT count(*) FROM s.old") == 4
    # Twice dropped, under two names: it comes back once.
    lake.execute("ALTER TABLE s.old RENAME TO s.older; DROP TABLE s.older; UNDROP TABLE s.older AS s.old")
    assert "there again" in refused(lake, "UNDROP TABLE s.older")
    lake.execute("DROP TABLE s.old PURGE")
    assert "PURGE" in refused(lake, "UNDROP TABLE s.old")
    # Gone files: nothing comes back half.
    location = lake.value("SELECT location FROM varve.tables WHERE name = 'u'")
    lake.execute("DROP TABLE s.u")
    shutil.rmtree(pathlib.Path(location.removeprefix("file://")) / "data")
    assert "gone" in refused(lake, "UNDROP TABLE s.u")
    lake.verify()


def test_undrop_is_of_the_branch(lake):
    lake.execute("CREATE BRANCH dev")
    lake.sql("DROP TABLE t", "--branch", "dev", format="table")
    assert "taken" in refused(lake, "UNDROP TABLE t")
    assert lake.rows("SELECT name, branch FROM varve.dropped_tables") == [("t", "dev")]
    command(lake, "undrop", "t", "--branch", "dev")
    assert state(lake) == state(lake, "--branch", "dev")


# --- clients that know nothing of branches

@pytest.fixture
def served(lake, tmp_path):
    pytest.importorskip("pyiceberg")
    from test_rest_clients import running
    (tmp_path / "server").mkdir()
    with running(tmp_path / "server", warehouse=lake.warehouse) as server:
        yield lake, server


def test_pyiceberg_and_duckdb_work_on_a_branch(served):
    from pyiceberg.catalog import load_catalog
    import pyarrow
    lake, server = served
    lake.execute("CREATE BRANCH dev; CREATE TAG v1")
    name = pathlib.Path(lake.warehouse).name

    def catalog(reference):
        return load_catalog(reference, type="rest", uri=server.url, warehouse=f"{name}@{reference}")

    dev = catalog("dev")
    table = dev.load_table("main.t")
    rows = pyarrow.table({"n": pyarrow.array([7], pyarrow.int32()), "x": ["pyiceberg"]})
    table.append(rows)
    dev.create_namespace("made")
    dev.create_table("made.w", schema=rows.schema).append(rows)
    assert dev.load_table("main.t").scan().to_arrow().num_rows == 4
    assert lake.value("SELECT count(*) FROM t") == 3
    assert lake.value("SELECT count(*) FROM t", "--branch", "dev") == 4
    assert lake.value("SELECT count(*) FROM made.w", "--branch", "dev") == 1
    assert ("made",) not in catalog("main").list_namespaces()
    # A tag and a position are read only.
    for reference in ["v1", "5"]:
        old = catalog(reference)
        assert old.load_table("main.t").scan().to_arrow().num_rows <= 3
        with pytest.raises(Exception, match="(?i)read"):
            old.create_namespace("x")
    with pytest.raises(Exception, match="none"):
        catalog("none")
    status, _, body = server.call("GET", f"/v1/{name}@none/namespaces")
    assert status == 404 and b"NoSuchReference" in body
    status, _, body = server.call("GET", "/v1/other@dev/namespaces")
    assert status == 404
    # The query interface, too.
    status, _, body = server.call("POST", "/varve/v1/query", {"sql": "SELECT count(*) AS c FROM t", "branch": "dev"},
                                  {"accept": "application/x-ndjson", "content-type": "application/json"})
    assert status == 200 and b'"c":4' in body.replace(b" ", b"")
    status, _, body = server.call("POST", "/varve/v1/query", {"sql": "INSERT INTO t VALUES (1, 'x')", "branch": "v1"},
                                  {"content-type": "application/json"})
    assert status == 400 and b"is a tag" in body
    status, _, body = server.call("POST", f"/varve/v1/tables/main/t/rows?branch=dev", [{"n": 8, "x": "sent"}],
                                  {"content-type": "application/json"})
    assert status == 200, body
    assert lake.value("SELECT count(*) FROM t", "--branch", "dev") == 5 and lake.value("SELECT count(*) FROM t") == 3
    lake.execute("MERGE BRANCH dev")
    assert lake.value("SELECT count(*) FROM t") == 5 and lake.value("SELECT x FROM made.w") == "pyiceberg"
    lake.verify()


def test_duckdb_works_on_a_branch(served):
    from test_rest_clients import duckdb_connection
    lake, server = served
    lake.execute("CREATE BRANCH dev")
    connection = duckdb_connection(server)
    connection.execute(f"ATTACH 'lake@dev' AS dev (TYPE iceberg, ENDPOINT '{server.url}', AUTHORIZATION_TYPE 'none')")
    connection.execute("INSERT INTO dev.s.u VALUES (8), (NULL)")
    assert connection.sql("SELECT count(*) FROM dev.s.u").fetchone() == (3,)
    assert connection.sql("SELECT count(*) FROM lake.s.u").fetchone() == (1,)
    assert lake.rows("SELECT n FROM s.u WHERE n > 7 OR n IS NULL ORDER BY n", "--branch", "dev") == [(8,), (None,)]
    assert lake.value("SELECT count(*) FROM s.u") == 1
    lake.execute("MERGE BRANCH dev")
    assert lake.value("SELECT count(*) FROM s.u") == 3
    connection.close()


def test_merges_of_many_at_once(lake):
    """Of processes that commit on branches of their own and merge, none loses a row of another."""
    for number in range(3):
        lake.execute(f"CREATE TABLE b{number} (n INT)")
    for number in range(3):
        lake.execute(f"CREATE BRANCH b{number}")
    text = "INSERT INTO b{0} VALUES ({1}); MERGE BRANCH b{0}; MERGE BRANCH main INTO b{0}"
    scripts = ["; ".join(text.format(number, row) for row in range(5)) for number in range(3)]
    running = [lake.start("sql", script, "--branch", f"b{number}") for number, script in enumerate(scripts)]
    for process in running:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors.decode()
    for number in range(3):
        assert sorted(lake.rows(f"FROM b{number}")) == [(row,) for row in range(5)]
    lake.verify()
