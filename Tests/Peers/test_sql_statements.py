"""Views, transactions, constraints and other statements that change something, against DuckDB where it can say what is right."""
import concurrent.futures
import json
import pathlib
import signal
import subprocess
import time

import duckdb
import pytest

from support import Varve, VarveError


@pytest.fixture
def lake(tmp_path):
    return Varve(tmp_path / "lake")


def same(lake, script, queries):
    """Runs a script on both engines and compares what queries give then."""
    peer = duckdb.connect()
    peer.execute(script)
    lake.execute(script)
    for query in queries:
        expected = peer.execute(query).fetchall()
        got = [tuple(row) for row in lake.rows(query)]
        assert sorted(map(repr, got)) == sorted(map(repr, expected)), query


def refuses(lake, text, *words):
    with pytest.raises(VarveError) as error:
        lake.execute(text)
    for word in words:
        assert word in str(error.value), str(error.value)


def stored(lake):
    """The files of a warehouse, without those that its locks are."""
    root = pathlib.Path(lake.warehouse)
    return sorted(path for path in root.rglob("*") if path.is_file() and ".varve-store" not in path.parts)


# Views

def test_views_of_views_give_what_duckdb_gives(lake):
    same(lake, """
        CREATE TABLE t(a INT, b VARCHAR);
        INSERT INTO t VALUES (1, 'x'), (2, 'ü'), (NULL, NULL);
        CREATE VIEW v AS SELECT a, upper(b) AS u FROM t;
        CREATE VIEW w(p, q) AS SELECT * FROM v WHERE a IS NOT NULL;
        CREATE OR REPLACE VIEW v AS SELECT a + 1 AS a, b AS u FROM t;
        CREATE VIEW IF NOT EXISTS w AS SELECT 1 AS other;
        ALTER VIEW w RENAME TO w2;
        CREATE VIEW c AS WITH x AS (SELECT a FROM t) SELECT count(*) AS n, max(x.a) AS m FROM x;
    """, ["SELECT * FROM v", "SELECT q, p FROM w2 WHERE p > 1", "SELECT * FROM c",
          "SELECT x.p, y.a FROM w2 x JOIN v y ON x.p = y.a", "SELECT z FROM w2 AS r(z)"])


def test_a_view_keeps_its_columns_and_the_namespace_it_was_made_in(lake):
    lake.execute("CREATE TABLE t(a INT); INSERT INTO t VALUES (1); CREATE VIEW v AS SELECT * FROM t")
    lake.execute("CREATE SCHEMA s; CREATE TABLE s.t(a INT); INSERT INTO s.t VALUES (9)")
    lake.execute("USE s; CREATE VIEW u AS SELECT a FROM t")
    lake.execute("ALTER TABLE t ADD COLUMN b INT")
    assert lake.rows("SELECT * FROM v") == [(1,)]
    assert lake.rows("USE s; SELECT * FROM main.v") == [(1,)]
    assert lake.rows("SELECT * FROM s.u") == [(9,)]
    lake.execute("ALTER TABLE t RENAME COLUMN a TO c")
    refuses(lake, "SELECT * FROM v", "view main.v", '"a"', "CREATE OR REPLACE VIEW")


def test_views_are_read_as_of_a_position(lake):
    lake.execute("CREATE TABLE t(a INT); INSERT INTO t VALUES (1); CREATE VIEW v AS SELECT a FROM t")
    position = lake.rows("SELECT max(position) FROM varve.log")[0][0]
    lake.execute("INSERT INTO t VALUES (2); CREATE OR REPLACE VIEW v AS SELECT a * 10 AS a FROM t")
    assert sorted(lake.rows("SELECT * FROM v")) == [(10,), (20,)]
    assert lake.rows(f"SET as_of = {position}; SELECT * FROM v") == [(1,)]
    lake.execute("DROP VIEW v")
    refuses(lake, "SELECT * FROM v", "does not exist")
    assert lake.rows(f"SET as_of = {position}; SELECT * FROM v") == [(1,)]


def test_views_refuse_circles_and_missing_tables_clearly(lake):
    lake.execute("CREATE TABLE t(a INT); CREATE VIEW v AS SELECT * FROM t; CREATE VIEW w AS SELECT * FROM v")
    refuses(lake, "CREATE OR REPLACE VIEW v AS SELECT * FROM w", "contain itself")
    refuses(lake, "CREATE VIEW x AS SELECT * FROM nowhere", "nowhere")
    refuses(lake, "DROP TABLE v", "is a view")
    refuses(lake, "DROP VIEW t", "is a table")
    refuses(lake, "INSERT INTO v VALUES (1)", "is a view")
    refuses(lake, "CREATE TABLE v(a INT)", "view")
    refuses(lake, "CREATE VIEW t AS SELECT 1", "table")
    # A circle made by renaming is found where it is read.
    lake.execute("DROP TABLE t; CREATE VIEW t AS SELECT 1 AS a; DROP VIEW t; ALTER VIEW w RENAME TO t")
    refuses(lake, "SELECT * FROM v", "contains itself")
    lake.execute("DROP VIEW t")
    refuses(lake, "SELECT * FROM v", "view main.v", '"main.t" does not exist')


def test_view_files_are_iceberg_views(lake):
    lake.execute("CREATE TABLE t(a INT, b VARCHAR); CREATE VIEW v(x, y) AS SELECT * FROM t; CREATE OR REPLACE VIEW v AS SELECT b FROM t")
    files = sorted(pathlib.Path(lake.warehouse).glob("main/v-*/metadata/*.metadata.json"))
    assert len(files) == 2
    view = json.loads(files[-1].read_text())
    assert view["format-version"] == 1 and view["current-version-id"] == 2
    assert [version["version-id"] for version in view["versions"]] == [1, 2]
    last = view["versions"][-1]
    assert last["representations"] == [{"type": "sql", "sql": "SELECT b FROM t", "dialect": "varve"}]
    assert last["default-namespace"] == ["main"]
    schema = next(one for one in view["schemas"] if one["schema-id"] == last["schema-id"])
    assert [(field["name"], field["type"]) for field in schema["fields"]] == [("b", "string")]
    assert "sound" in lake.run("audit", "verify").stdout.decode()


def test_lineage_passes_through_views(lake):
    lake.execute("CREATE TABLE t(a INT, b INT); INSERT INTO t VALUES (1, 2); CREATE VIEW v AS SELECT a + b AS s FROM t")
    lake.execute("CREATE TABLE u AS SELECT s FROM v")
    rows = lake.rows("SELECT DISTINCT source, source_column FROM varve.lineage WHERE target = 'main.u' AND target_column = 's'")
    assert sorted(rows) == [("main.t", "a"), ("main.t", "b")]


# Transactions

def test_a_transaction_is_seen_whole_or_not_at_all(lake):
    lake.execute("CREATE TABLE t(a INT); CREATE TABLE u(a INT); INSERT INTO t VALUES (1)")
    before = lake.rows("SELECT count(*) FROM varve.log")[0][0]
    rows = lake.rows("""
        BEGIN; INSERT INTO t VALUES (2); INSERT INTO t SELECT a + 10 FROM t; UPDATE t SET a = -a WHERE a > 10;
        DELETE FROM t WHERE a = 1; INSERT INTO u SELECT * FROM t; CREATE TABLE n AS SELECT * FROM u;
        ALTER TABLE n ADD COLUMN b INT; CREATE VIEW v AS SELECT sum(a) AS s FROM n; COMMIT;
        SELECT * FROM t ORDER BY a""")
    assert rows == [(-12,), (-11,), (2,)]
    assert lake.rows("SELECT s FROM v") == [(-21,)]
    assert lake.rows("SELECT count(*) FROM varve.log")[0][0] == before + 1
    assert "sound" in lake.run("audit", "verify").stdout.decode()


def test_rollback_and_failure_leave_nothing(lake):
    lake.execute("CREATE TABLE t(a INT); INSERT INTO t VALUES (1)")
    files = stored(lake)
    assert lake.rows("BEGIN; INSERT INTO t VALUES (2); DROP TABLE t; ROLLBACK; SELECT * FROM t") == [(1,)]
    refuses(lake, "BEGIN; INSERT INTO t VALUES (2); INSERT INTO nowhere VALUES (1); COMMIT", "nowhere")
    refuses(lake, "BEGIN; INSERT INTO t VALUES (2)", "inside a transaction")
    refuses(lake, "COMMIT", "no transaction")
    refuses(lake, "BEGIN; BEGIN; COMMIT", "do not nest")
    refuses(lake, "BEGIN READ ONLY; INSERT INTO t VALUES (2); COMMIT", "READ ONLY")
    assert lake.rows("SELECT * FROM t") == [(1,)]
    assert stored(lake) == files


class Script:
    """A session whose statements are given one after the other."""

    def __init__(self, lake):
        self.process = lake.start("sql", "-f", "/dev/stdin", "--format", "csv", stdin=subprocess.PIPE)

    def end(self, text):
        out, err = self.process.communicate(text.encode(), timeout=300)
        return self.process.returncode, out.decode(), err.decode()


def test_transactions_at_once_conflict_or_add_up(lake):
    lake.execute("CREATE TABLE t(a INT); INSERT INTO t VALUES (0); CREATE TABLE done(n INT)")

    def change(number):
        text = f"BEGIN; UPDATE t SET a = a + 1; INSERT INTO done VALUES ({number}); COMMIT"
        while True:
            try:
                lake.execute(text)
                return
            except VarveError as error:
                assert "serialized" in str(error), str(error)

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(change, range(12)))
    assert lake.rows("SELECT a FROM t") == [(12,)]
    assert sorted(lake.rows("SELECT n FROM done")) == [(n,) for n in range(12)]


def test_transactions_that_only_append_never_conflict(lake):
    lake.execute("CREATE TABLE t(a INT); CREATE TABLE u(a INT)")

    def append(number):
        lake.execute(f"BEGIN; INSERT INTO t VALUES ({number}); INSERT INTO u SELECT {number}; COMMIT")

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(append, range(18)))
    assert sorted(lake.rows("SELECT a FROM t")) == sorted(lake.rows("SELECT a FROM u")) == [(n,) for n in range(18)]


def test_a_killed_transaction_is_committed_whole_or_not(lake):
    lake.execute("CREATE TABLE t(a INT); CREATE TABLE u(a INT)")
    committed = 0
    for number in range(12):
        inserts = "".join(f"INSERT INTO t VALUES ({number}); INSERT INTO u VALUES ({number});" for _ in range(5))
        process = lake.start("sql", f"BEGIN; {inserts} COMMIT")
        time.sleep(0.02 + 0.03 * number)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        count = lake.rows(f"SELECT count(*) FROM t WHERE a = {number}")[0][0]
        assert count in (0, 5)
        assert lake.rows(f"SELECT count(*) FROM u WHERE a = {number}")[0][0] == count
        committed += count == 5
        if process.returncode == 0:
            assert count == 5
    assert "sound" in lake.run("audit", "verify").stdout.decode()
