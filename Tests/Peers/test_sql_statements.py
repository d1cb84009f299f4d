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


# Constraints

def both_refuse(lake, peer, text):
    with pytest.raises(duckdb.Error):
        peer.execute(text)
    with pytest.raises(VarveError) as error:
        lake.execute(text)
    return str(error.value)


def test_constraints_hold_as_in_duckdb(lake):
    peer = duckdb.connect()
    steps = [
        ("CREATE TABLE p(id INT PRIMARY KEY, name VARCHAR UNIQUE, n INT DEFAULT 7 CHECK (n > 0 AND n < 100))", True),
        ("INSERT INTO p(id, name) VALUES (1, 'a'), (2, 'b'), (3, NULL), (4, NULL)", True),
        ("INSERT INTO p VALUES (1, 'c', 1)", False),
        ("INSERT INTO p VALUES (5, 'a', 1)", False),
        ("INSERT INTO p VALUES (5, 'x', 0)", False),
        ("INSERT INTO p VALUES (NULL, 'x', 1)", False),
        ("INSERT INTO p VALUES (6, 'x', NULL), (7, 'y', DEFAULT)", True),
        ("INSERT INTO p VALUES (8, 'z', 1), (8, 'w', 1)", False),
        ("UPDATE p SET n = 1000 WHERE id = 1", False),
        ("UPDATE p SET id = 2 WHERE id = 1", False),
        ("UPDATE p SET id = id + 100", True),
        ("UPDATE p SET n = DEFAULT WHERE name = 'x'", True),
        ("CREATE TABLE c(id INT, p INT REFERENCES p(id), FOREIGN KEY (p) REFERENCES p(id))", True),
        ("INSERT INTO c VALUES (1, 101), (2, NULL)", True),
        ("INSERT INTO c VALUES (3, 1)", False),
        ("DELETE FROM p WHERE id = 101", False),
        ("DROP TABLE p", False),
        ("UPDATE c SET p = 5 WHERE id = 1", False),
        ("DELETE FROM p WHERE id = 102", True),
    ]
    for text, works in steps:
        if works:
            peer.execute(text)
            lake.execute(text)
        else:
            both_refuse(lake, peer, text)
        for query in ("SELECT * FROM p", "SELECT * FROM c"):
            if query.endswith("c") and "c(" not in "".join(step[0] for step in steps[:steps.index((text, works)) + 1]):
                continue
            assert sorted(map(repr, lake.rows(query))) == sorted(map(repr, peer.execute(query).fetchall())), (text, query)
    lake.execute("DROP TABLE c; DROP TABLE p")


def test_constraints_follow_renames_and_are_shown(lake):
    lake.execute("CREATE TABLE t(a INT PRIMARY KEY, b INT CONSTRAINT pos CHECK (t.b > 0), c INT DEFAULT 3, CONSTRAINT u UNIQUE (b, c))"
                 .replace("CONSTRAINT pos CHECK", "CHECK"))
    lake.execute("INSERT INTO t(a, b) VALUES (1, 1); ALTER TABLE t RENAME COLUMN b TO x; ALTER TABLE t RENAME TO s")
    refuses(lake, "INSERT INTO s(a, x) VALUES (2, -1)", "CHECK", "t_b_check")
    refuses(lake, "INSERT INTO s(a, x) VALUES (2, 1)", "duplicate key", '"u"', "x: 1, c: 3")
    refuses(lake, "ALTER TABLE s DROP COLUMN x", "constraint")
    text = lake.rows("SHOW CREATE TABLE s")[0][0]
    assert "PRIMARY KEY" in text and "DEFAULT (3)" in text and 'UNIQUE ("x", "c")' in text
    lake.execute("ALTER TABLE s DROP CONSTRAINT u; ALTER TABLE s DROP CONSTRAINT t_b_check")
    lake.execute("INSERT INTO s(a, x) VALUES (2, -1), (3, -1); ALTER TABLE s DROP COLUMN x")
    assert sorted(lake.rows("SELECT * FROM s")) == [(1, 3), (2, 3), (3, 3)]


def test_alter_table_checks_the_rows_that_are_there(lake):
    lake.execute("CREATE TABLE t(a INT, b INT); INSERT INTO t VALUES (1, 1), (1, 2), (NULL, 3)")
    refuses(lake, "ALTER TABLE t ADD PRIMARY KEY (a)", "null")
    refuses(lake, "ALTER TABLE t ADD CONSTRAINT u UNIQUE (a)", "duplicate key")
    refuses(lake, "ALTER TABLE t ADD CHECK (b < 3)", "CHECK")
    refuses(lake, "ALTER TABLE t ALTER COLUMN a SET NOT NULL", "null")
    lake.execute("ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY (b); ALTER TABLE t ADD CHECK (b < 4)")
    refuses(lake, "INSERT INTO t VALUES (5, 1)", "duplicate key")
    lake.execute("ALTER TABLE t ALTER COLUMN a SET DEFAULT 9; INSERT INTO t(b) VALUES (-1)")
    lake.execute("ALTER TABLE t ALTER COLUMN a DROP DEFAULT; INSERT INTO t(b) VALUES (-2)")
    lake.execute("ALTER TABLE t ADD COLUMN c VARCHAR DEFAULT 'new'; ALTER TABLE t ALTER COLUMN a TYPE VARCHAR USING 'n' || a")
    rows = sorted(lake.rows("SELECT b, a, c FROM t"))
    assert rows == [(-2, None, "new"), (-1, "n9", "new"), (1, "n1", "new"), (2, "n1", "new"), (3, None, "new")]
    refuses(lake, "ALTER TABLE t SET TBLPROPERTIES ('varve.constraints' = '[]')", "ADD CONSTRAINT")


def test_generated_columns_are_what_duckdb_computes(lake):
    same(lake, """
        CREATE TABLE g(a INT, b AS (a * 2), c INT GENERATED ALWAYS AS (b + 1) VIRTUAL, d VARCHAR DEFAULT 'x');
        INSERT INTO g VALUES (1, 'one'), (NULL, NULL);
        INSERT INTO g(d, a) VALUES ('two', 2);
        UPDATE g SET a = a + 10 WHERE d = 'two';
    """, ["SELECT a, b, c, d FROM g", "SELECT * FROM g WHERE c > 3"])
    refuses(lake, "INSERT INTO g(a, b) VALUES (1, 2)", "generated")
    refuses(lake, "UPDATE g SET b = 2", "generated")
    refuses(lake, "ALTER TABLE g DROP COLUMN a", "generated")
    refuses(lake, "CREATE TABLE h(a INT AS (b), b INT AS (a))", "circle")
    refuses(lake, "CREATE TABLE h(a AS (b), b AS (a))", "does not exist")


def test_pyiceberg_reads_tables_with_declarations(lake):
    from pyiceberg.table import StaticTable
    lake.execute("CREATE TABLE t(a INT PRIMARY KEY, b INT DEFAULT 5 CHECK (b > 0), c AS (a + b)); INSERT INTO t(a) VALUES (1), (2)")
    lake.execute("BEGIN; INSERT INTO t(a) VALUES (3); UPDATE t SET b = 6 WHERE a = 1; COMMIT")
    location = lake.rows("SELECT metadata_location FROM varve.tables WHERE name = 't'")[0][0]
    table = StaticTable.from_metadata(location.removeprefix("file://"))
    assert table.schema().identifier_field_ids == [1]
    rows = table.scan().to_arrow().to_pylist()
    assert sorted((row["a"], row["b"], row["c"]) for row in rows) == [(1, 6, 7), (2, 5, 7), (3, 5, 8)]


def test_of_many_processes_with_one_key_exactly_one_wins(lake):
    lake.execute("CREATE TABLE t(k INT PRIMARY KEY, who INT)")

    def insert(job):
        who, key = job
        try:
            lake.execute(f"INSERT INTO t VALUES ({key}, {who})")
            return (key, who)
        except VarveError as error:
            assert "duplicate key" in str(error), str(error)

    jobs = [(who, key) for key in range(6) for who in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        won = [one for one in pool.map(insert, jobs) if one]
    assert sorted(lake.rows("SELECT k, who FROM t")) == sorted(won)
    assert [key for key, _ in sorted(won)] == list(range(6))


def test_a_parent_cannot_go_while_a_child_comes(lake):
    lake.execute("CREATE TABLE p(k INT PRIMARY KEY); CREATE TABLE c(k INT REFERENCES p(k))")
    for number in range(6):
        lake.execute(f"INSERT INTO p VALUES ({number})")

    def run(text):
        try:
            lake.execute(text)
            return True
        except VarveError:
            return False

    texts = [text for n in range(6) for text in (f"DELETE FROM p WHERE k = {n}", f"INSERT INTO c VALUES ({n})")]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        done = list(pool.map(run, texts))
    for number in range(6):
        assert done[2 * number] != done[2 * number + 1]
    assert lake.rows("SELECT count(*) FROM c WHERE k NOT IN (SELECT k FROM p)") == [(0,)]


# INSERT, UPDATE, DELETE, MERGE

def test_upserts_give_what_duckdb_gives(lake):
    same(lake, """
        CREATE TABLE t(k INT PRIMARY KEY, a INT, b VARCHAR DEFAULT 'd');
        INSERT INTO t VALUES (1, 10, 'x'), (2, 20, 'y');
        INSERT INTO t VALUES (1, 99, 'no'), (3, 30, 'z') ON CONFLICT DO NOTHING;
        INSERT INTO t(k, a) VALUES (2, 5), (4, 40) ON CONFLICT (k) DO UPDATE SET a = a + excluded.a, b = excluded.b || t.b;
        INSERT INTO t VALUES (3, 1, 'p'), (5, 50, 'q') ON CONFLICT (k) DO UPDATE SET a = excluded.a WHERE t.a < 10;
        INSERT OR REPLACE INTO t VALUES (1, NULL, NULL), (6, 60, 'six');
        INSERT OR IGNORE INTO t SELECT k, 0, 'ignored' FROM t;
        INSERT INTO t BY NAME SELECT 7 AS k, 'seven' AS b;
        INSERT INTO t BY NAME SELECT 'seven!' AS b, 7 AS k ON CONFLICT (k) DO UPDATE SET b = excluded.b;
    """, ["SELECT * FROM t"])
    refuses(lake, "INSERT INTO t VALUES (1, 1, 'x') ON CONFLICT (a) DO NOTHING", "no primary key or unique")
    refuses(lake, "INSERT INTO t VALUES (1, 1, 'x')", "duplicate key", "ON CONFLICT")


def test_returning_gives_what_duckdb_gives(lake):
    peer = duckdb.connect()
    for text in [
        "CREATE TABLE t(k INT PRIMARY KEY, a INT DEFAULT 1)",
        "INSERT INTO t VALUES (1, 10), (2, 20) RETURNING *, k + a AS s",
        "INSERT INTO t(k) VALUES (3) RETURNING a",
        "UPDATE t SET a = a + 1 WHERE k < 3 RETURNING k, a",
        "UPDATE t SET a = 0 WHERE k = 77 RETURNING k",
        "DELETE FROM t WHERE k = 1 RETURNING *",
        "INSERT INTO t VALUES (2, 5), (9, 9) ON CONFLICT (k) DO UPDATE SET a = excluded.a RETURNING k, a",
        "MERGE INTO t USING (SELECT 2 AS k, 1 AS a UNION ALL SELECT 50, 2) s ON t.k = s.k WHEN MATCHED THEN DELETE "
        "WHEN NOT MATCHED THEN INSERT VALUES (s.k, s.a) RETURNING merge_action, k, a",
    ]:
        expected = peer.execute(text).fetchall()
        got = lake.rows(text) if "RETURNING" in text else lake.execute(text)
        if "RETURNING" in text:
            assert sorted(map(repr, map(tuple, got))) == sorted(map(repr, expected)), text
    assert sorted(lake.rows("SELECT * FROM t")) == sorted(peer.execute("SELECT * FROM t").fetchall())


def test_an_error_in_returning_undoes_the_insert(lake):
    lake.execute("CREATE TABLE t(a INT)")
    with pytest.raises(VarveError):
        lake.execute("INSERT INTO t VALUES (1) RETURNING nowhere")
    with pytest.raises(VarveError):
        lake.execute("INSERT INTO t VALUES (1) RETURNING CAST('x' || a AS INT)")
    assert lake.rows("SELECT * FROM t") == []


def test_changes_by_other_tables_and_defaults(lake):
    same(lake, """
        CREATE TABLE t(k INT, a INT DEFAULT 4); CREATE TABLE u(k INT, x INT);
        INSERT INTO t VALUES (1, 1), (2, 2), (3, DEFAULT); INSERT INTO t DEFAULT VALUES;
        INSERT INTO u VALUES (1, 100), (1, 200), (3, 300);
        DELETE FROM t USING u WHERE t.k = u.k AND u.x < 250;
        UPDATE t SET a = u.x FROM u WHERE t.k = u.k;
        CREATE TABLE w AS SELECT * FROM t;
        TRUNCATE u;
        WITH d AS (SELECT 2 AS k) DELETE FROM w WHERE k IN (SELECT k FROM d);
    """, ["SELECT * FROM t", "SELECT * FROM u", "SELECT * FROM w"])


def test_a_table_is_made_like_another(lake):
    lake.execute("CREATE TABLE t(a INT PRIMARY KEY, b INT DEFAULT 2 CHECK (b > 1), c AS (b * 2)); INSERT INTO t(a) VALUES (1)")
    lake.execute("CREATE TABLE s (LIKE t); INSERT INTO s(a) VALUES (1)")
    assert lake.rows("SELECT * FROM s") == [(1, 2, 4)]
    refuses(lake, "INSERT INTO s(a) VALUES (1)", "duplicate key")
    lake.execute("DROP TABLE t")


# COPY

@pytest.mark.parametrize("options, name", [
    ("", "x.csv"), ("(HEADER false, DELIMITER '|')", "x.txt"), ("(FORMAT parquet)", "x.dat"), ("(FORMAT json)", "x.dat"),
    ("(FORMAT csv, COMPRESSION gzip)", "x.csv.gz"), ("", "x.parquet"), ("(ARRAY true)", "x.json"),
])
def test_copy_writes_what_duckdb_reads_and_reads_it_back(lake, tmp_path, options, name):
    path = tmp_path / name
    if name == "x.txt":
        options = "(FORMAT csv, HEADER false, DELIMITER '|')"
    lake.execute("CREATE TABLE t(a INT, b VARCHAR, c DOUBLE); INSERT INTO t VALUES (1, '007', 1.5), (2, 'ü|,\"x', NULL), (NULL, NULL, -0.25)")
    lake.execute(f"COPY t TO '{path}' {options}")
    peer = duckdb.connect()
    reader = {"x.parquet": "read_parquet", "x.json": "read_json"}.get(name)
    if "parquet" in options:
        reader = "read_parquet"
    elif "json" in options:
        reader = "read_json"
    if reader:
        text = f"SELECT a, b, c FROM {reader}('{path}')"
    else:
        head, delimiter = ("false", "|") if name == "x.txt" else ("true", ",")
        text = f"SELECT * FROM read_csv('{path}', header = {head}, delim = '{delimiter}', columns = {{'a': 'INT', 'b': 'VARCHAR', 'c': 'DOUBLE'}})"
    expected = peer.execute(text).fetchall()
    assert sorted(map(repr, expected)) == sorted(map(repr, [tuple(row) for row in lake.rows("SELECT * FROM t")]))
    lake.execute("CREATE TABLE u (LIKE t)")
    back = options.replace(", COMPRESSION gzip", "").replace("(ARRAY true)", "(FORMAT json)")
    lake.execute(f"COPY u FROM '{path}' {back}")
    assert sorted(map(repr, lake.rows("SELECT * FROM u"))) == sorted(map(repr, lake.rows("SELECT * FROM t")))


def test_copy_of_a_query_and_of_some_columns(lake, tmp_path):
    lake.execute("CREATE TABLE t(a INT, b INT DEFAULT 5 CHECK (b < 10)); INSERT INTO t(a) VALUES (1), (2)")
    lake.execute(f"COPY (SELECT a * 10 AS a FROM t ORDER BY a) TO '{tmp_path}/q.csv'")
    assert (tmp_path / "q.csv").read_text() == "a\n10\n20\n"
    lake.execute(f"COPY t (a) FROM '{tmp_path}/q.csv'")
    assert sorted(lake.rows("SELECT * FROM t")) == [(1, 5), (2, 5), (10, 5), (20, 5)]
    refuses(lake, f"COPY t (b) FROM '{tmp_path}/q.csv'", "CHECK")
    refuses(lake, f"COPY t TO '{tmp_path}/q.csv' (COLOUR red)", "no option", "header")
    refuses(lake, f"COPY nowhere TO '{tmp_path}/q.csv'", "nowhere")
    assert (tmp_path / "q.csv").read_text() == "a\n10\n20\n"


def test_views_and_constraints_are_listed(lake):
    lake.execute("CREATE TABLE t(a INT PRIMARY KEY, b INT DEFAULT 5 CHECK (b > 0)); CREATE VIEW v AS SELECT a FROM t; COMMENT ON VIEW v IS 'c'")
    assert sorted(lake.rows("SELECT table_name, table_type FROM information_schema.tables")) == [("t", "BASE TABLE"), ("v", "VIEW")]
    assert lake.rows("SELECT name, dialect, definition, default_namespace, comment FROM varve.views") == [("v", "varve", "SELECT a FROM t", "main", "c")]
    assert lake.rows("SELECT table_name, view_definition FROM information_schema.views") == [("v", "SELECT a FROM t")]
    assert sorted(lake.rows("SELECT constraint_name, constraint_type FROM information_schema.table_constraints")) == [
        ("t_b_check", "CHECK"), ("t_pkey", "PRIMARY KEY")]
    assert sorted(lake.rows("SELECT table_name, column_name, column_default FROM information_schema.columns")) == [
        ("t", "a", None), ("t", "b", "5"), ("v", "a", None)]
    assert lake.rows("SELECT definition FROM varve.constraints WHERE type = 'CHECK'")[0][0].startswith('CONSTRAINT "t_b_check" CHECK')


def test_temporary_views_last_as_long_as_the_session(lake):
    lake.execute("CREATE TABLE t(a INT); INSERT INTO t VALUES (1)")
    assert lake.rows("CREATE TEMP VIEW v AS SELECT a + 1 AS b FROM t; CREATE TEMP VIEW w AS SELECT b * 2 AS c FROM v; SELECT * FROM w") == [(4,)]
    refuses(lake, "SELECT * FROM v", "does not exist")
    refuses(lake, "CREATE TEMP VIEW v AS SELECT 1 AS a; CREATE VIEW p AS SELECT * FROM v", "temporary view")
