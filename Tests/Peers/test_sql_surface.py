"""Temporary tables, indexes, row numbers, sequences and other parts of SQL's surface, against DuckDB where it can say what is right."""
import json
import pathlib
import random

import duckdb
import pyarrow.parquet
import pytest

from support import Varve, VarveError


@pytest.fixture
def lake(tmp_path):
    return Varve(tmp_path / "lake")


def same(lake, script, queries, ordered=False):
    """Runs a script on both engines, each with one session, and compares what queries give then."""
    peer = duckdb.connect()
    peer.execute(script)
    for query in queries:
        expected = peer.execute(query).fetchall()
        got = [tuple(row) for row in rows(lake, script + ";\n" + query)]
        if not ordered:
            got, expected = sorted(map(repr, got)), sorted(map(repr, expected))
        assert got == expected, query


def rows(lake, text):
    return [list(row) for row in lake.rows(text)]


def refuses(lake, text, *words):
    with pytest.raises(VarveError) as error:
        lake.execute(text)
    for word in words:
        assert word in str(error.value), str(error.value)


def data_files(lake):
    return sorted(pathlib.Path(lake.warehouse).rglob("*.parquet"))


# Temporary tables

TEMPORARY = """
    CREATE TEMP TABLE t(a INT PRIMARY KEY, b VARCHAR DEFAULT 'x', CHECK (a < 100));
    INSERT INTO t VALUES (1, 'a'), (2, NULL), (3, 'ü');
    INSERT INTO t(a) VALUES (4);
    UPDATE t SET b = 'z' WHERE a = 2;
    DELETE FROM t WHERE a = 1;
    INSERT INTO t VALUES (2, 'again') ON CONFLICT DO UPDATE SET b = excluded.b;
    ALTER TABLE t ADD COLUMN c DOUBLE;
    UPDATE t SET c = a / 2;
    CREATE TEMPORARY TABLE IF NOT EXISTS t AS SELECT 1;
    CREATE OR REPLACE TEMP TABLE u AS SELECT a, c FROM t WHERE a > 2;
    BEGIN; INSERT INTO t VALUES (50, 'gone', 1); DROP TABLE u; CREATE TEMP TABLE w(i INT); ROLLBACK;
    BEGIN; INSERT INTO u VALUES (7, NULL); COMMIT
"""


def test_temporary_tables_do_what_those_of_duckdb_do(lake):
    same(lake, TEMPORARY, [
        "SELECT * FROM t ORDER BY a", "SELECT * FROM temp.t", "SELECT * FROM u",
        "SELECT t.a, t.b, u.c FROM t LEFT JOIN u ON t.a = u.a", "SELECT count(*) FROM t JOIN u USING (a)",
        "SELECT table_name, table_type FROM information_schema.tables ORDER BY ALL",
    ])
    refuses(lake, TEMPORARY + "; INSERT INTO t VALUES (3, 'twice', 0)", "duplicate key")
    refuses(lake, TEMPORARY + "; INSERT INTO t VALUES (300, 'much', 0)", "CHECK")
    refuses(lake, TEMPORARY + "; CREATE TEMP TABLE t(i INT)", "already exists")
    refuses(lake, TEMPORARY + "; SELECT * FROM w", "does not exist")


def test_temporary_tables_never_reach_the_lake(lake):
    assert rows(lake, TEMPORARY + "; SELECT count(*) FROM t") == [[3]]
    # Not even a warehouse is made for them.
    assert not pathlib.Path(lake.warehouse).exists()
    refuses(lake, "SELECT * FROM t", "warehouse")
    lake.execute("CREATE TABLE kept(a INT)")
    before = rows(lake, "SELECT max(position) FROM varve.log")
    lake.execute(TEMPORARY)
    assert rows(lake, "SELECT max(position) FROM varve.log") == before
    assert not data_files(lake)


def test_temporary_tables_hide_those_of_the_lake(lake):
    lake.execute("CREATE TABLE l(a INT, s VARCHAR); INSERT INTO l VALUES (1, 'lake'), (2, 'lake')")
    script = "CREATE TEMP TABLE l AS SELECT a + 1 AS a, 'own' AS s FROM l; "
    assert rows(lake, script + "SELECT l.a, l.s, m.s FROM l JOIN main.l m ON l.a = m.a") == [[2, "own", "lake"]]
    assert rows(lake, script + "INSERT INTO l VALUES (9, 'x'); SELECT count(*) FROM main.l") == [[2]]
    assert rows(lake, script + "DROP TABLE l; SELECT count(*) FROM l WHERE s = 'lake'") == [[2]]
    assert rows(lake, script + "CREATE TEMP VIEW v AS SELECT max(a) AS m FROM l; SELECT m FROM v") == [[3]]
    refuses(lake, script + "CREATE VIEW v AS SELECT * FROM l", "temporary")
    refuses(lake, "CREATE TEMP TABLE p(a INT PRIMARY KEY); CREATE TABLE c(a INT REFERENCES p(a))", "foreign keys")
    refuses(lake, "CREATE TEMP TABLE main.p(a INT)", "namespace")
    refuses(lake, "CREATE TEMP VIEW p AS SELECT 1; CREATE TEMP TABLE p(a INT)", "view")


def test_transactions_over_temporary_and_other_tables_are_all_or_nothing(lake):
    lake.execute("CREATE TABLE l(a INT PRIMARY KEY); INSERT INTO l VALUES (1)")
    script = "CREATE TEMP TABLE t(a INT); BEGIN; INSERT INTO t VALUES (5); INSERT INTO l SELECT * FROM t; "
    assert rows(lake, script + "COMMIT; SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM l)") == [[1, 2]]
    assert rows(lake, script.replace("5", "6") + "ROLLBACK; SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM l)") \
        == [[0, 2]]
    refuses(lake, script + "COMMIT", "duplicate key")


def test_lineage_says_of_temporary_tables_only_what_is_in_the_lake(lake):
    lake.execute("CREATE TABLE l(a INT, b INT); INSERT INTO l VALUES (1, 2)")
    lake.execute("CREATE TEMP TABLE t AS SELECT a FROM l; CREATE TABLE o AS SELECT t.a, l.b FROM t JOIN l ON t.a = l.a")
    edges = rows(lake, "SELECT source, source_column, target, target_column FROM varve.lineage WHERE type = 'direct'")
    assert all("temp" not in str(edge) for edge in edges)
    assert ["main.l", "b", "main.o", "b"] in edges
    assert rows(lake, "SELECT inputs, output FROM varve.runs WHERE output = 'main.o'") == [[["main.l"], "main.o"]]


def test_temporary_tables_have_a_limit(lake):
    text = "CREATE TEMP TABLE t AS SELECT i, md5(i::VARCHAR) AS m FROM range(5000000) r(i)"
    with pytest.raises(VarveError) as error:
        lake.sql(text, "--memory", "64MB")
    assert "temporary tables have no room left" in str(error.value)


# Indexes

def test_indexes_make_bloom_filters_that_others_read_and_scans_skip_by(lake, tmp_path):
    numbers = random.Random(7).sample(range(0, 1_000_000, 2), 3000)
    lake.execute("""
        CREATE TABLE t(id BIGINT, s VARCHAR, f DOUBLE, d DATE, n DECIMAL(10, 2), plain BIGINT);
        CREATE INDEX i ON t (id, s);
        CREATE INDEX IF NOT EXISTS j ON t USING btree (f, d, n);
    """)
    values = ", ".join(f"({n}, 'k{n}', {n} / 4, DATE '1970-01-01' + {n % 9999}, {n} / 100, {n})" for n in numbers)
    lake.execute(f"INSERT INTO t VALUES {values}, (NULL, NULL, NULL, NULL, NULL, NULL), (0, '', '-0.0'::DOUBLE, NULL, 0, 0), "
                 "(1000000, 'ü', 'NaN'::DOUBLE, DATE '9999-12-31', 99999999.99, 0)")
    [file] = data_files(lake)
    peer = duckdb.connect()

    def excluded(column, value):
        return [row[-1] for row in peer.execute(f"SELECT * FROM parquet_bloom_probe('{file}', '{column}', {value})").fetchall()]

    for n in numbers[:200]:
        assert excluded("id", n) == [False] and excluded("s", f"'k{n}'") == [False] and excluded("f", f"{n / 4}::DOUBLE") == [False]
    odd = [n for n in range(1, 4001, 2)]
    passed = sum(not excluded("id", n)[0] for n in odd[:1000])
    assert passed < 40, passed
    assert excluded("plain", 1) == [False], "no filter was asked for"
    metadata = pyarrow.parquet.ParquetFile(file)
    assert metadata.read().num_rows == len(numbers) + 3
    assert peer.execute(f"SELECT count(*) FROM '{file}' WHERE id = {numbers[0]}").fetchone() == (1,)

    # A scan for a value that is within the bounds and not there reads no page.
    for column, missing, there in [("id", "77777", str(numbers[5])), ("s", "'k7a'", f"'k{numbers[5]}'")]:
        skipped = rows(lake, f"SELECT count(*) FROM t WHERE {column} = {missing}")
        assert skipped == [[0]]
        assert rows(lake, f"SELECT count(*) FROM t WHERE {column} = {there}") == [[1]]
        plan = json.dumps(rows(lake, f"EXPLAIN ANALYZE SELECT * FROM t WHERE {column} = {missing}"))
        full = json.dumps(rows(lake, f"EXPLAIN ANALYZE SELECT * FROM t WHERE {column} = {there}"))
        assert plan != full
    for condition in ["f = 0", "f = '-0'::DOUBLE", "f = 'NaN'::DOUBLE", "s = ''", "s = 'ü'", "d = DATE '9999-12-31'", "n = 99999999.99"]:
        assert rows(lake, f"SELECT count(*) FROM t WHERE {condition}") == [[1]], condition
    for n in numbers[:50]:
        assert rows(lake, f"SELECT count(*) FROM t WHERE n = {n}::DECIMAL(10, 2) / 100")[0][0] >= 1
    lake.verify()


def test_indexes_are_listed_dropped_and_follow_their_columns(lake):
    lake.execute("""
        CREATE TABLE t(a INT, b VARCHAR, c STRUCT(x INT));
        CREATE INDEX one ON t (a); CREATE INDEX two ON t (a, b); CREATE UNIQUE INDEX three ON t (b);
    """)
    listed = "SELECT name, is_unique, columns FROM varve.indexes ORDER BY name"
    assert rows(lake, listed) == [["one", False, ["a"]], ["three", True, ["b"]], ["two", False, ["a", "b"]]]
    lake.execute("DROP INDEX one; ALTER TABLE t RENAME COLUMN a TO z; DROP INDEX three; DROP INDEX IF EXISTS none")
    assert rows(lake, listed) == [["two", False, ["z", "b"]]]
    statement = rows(lake, "SHOW CREATE TABLE t")[0][0]
    assert "bloom-filter-enabled.column.z" in statement and "column.a'" not in statement
    lake.execute("DROP INDEX two")
    assert "bloom" not in rows(lake, "SHOW CREATE TABLE t")[0][0]
    refuses(lake, "DROP INDEX two", "does not exist")
    refuses(lake, "CREATE INDEX x ON t (c)", "cannot be indexed")
    refuses(lake, "CREATE INDEX x ON t (a + 1)", "indexes of expressions")
    refuses(lake, "CREATE INDEX x ON t (nope)", "nope")
    lake.execute("CREATE INDEX x ON t (z); CREATE INDEX IF NOT EXISTS x ON t (z)")
    refuses(lake, "CREATE INDEX x ON t (b)", "already")
    lake.execute("ALTER TABLE t DROP COLUMN z")
    assert rows(lake, listed) == []


def test_a_damaged_bloom_filter_is_an_error_and_no_answer(lake):
    lake.execute("CREATE TABLE t(a BIGINT); CREATE INDEX i ON t (a); INSERT INTO t SELECT i * 3 FROM range(1000) r(i)")
    [file] = data_files(lake)
    chunk = pyarrow.parquet.ParquetFile(file).metadata.row_group(0).column(0)
    start = chunk.data_page_offset if chunk.dictionary_page_offset is None else chunk.dictionary_page_offset
    data = bytearray(file.read_bytes())
    end = start + chunk.total_compressed_size
    data[end + 100] ^= 255
    file.write_bytes(bytes(data))
    refuses(lake, "SELECT count(*) FROM t WHERE a = 300", "bloom filter", "damaged")
    done = lake.run("audit", "verify")
    assert done.returncode != 0 and b"bloom filter" in done.stdout + done.stderr


# Row numbers

def test_rowid_numbers_the_rows_of_a_snapshot(lake):
    script = "CREATE TABLE t(a INT, b VARCHAR); INSERT INTO t VALUES (11, 'x'), (NULL, 'y'), (13, 'z')"
    same(lake, script, [
        "SELECT rowid, a FROM t", "SELECT a IS NULL, rowid IS NULL FROM t", "SELECT max(rowid) FROM t WHERE b <> 'z'",
        "SELECT * FROM t WHERE rowid = 1", "SELECT t.rowid, u.rowid FROM t JOIN t u ON t.rowid = u.rowid + 1",
        "SELECT * FROM (SELECT *, rowid FROM t) q", "SELECT (SELECT count(*) FROM t u WHERE u.rowid < t.rowid) FROM t",
        "SELECT x.rowid, x.p FROM t x(p, q)", "SELECT typeof(rowid) FROM t",
    ])
    lake = Varve(pathlib.Path(lake.warehouse).with_name("other"))
    lake.execute("CREATE TABLE t(a INT); INSERT INTO t VALUES (1), (2); INSERT INTO t VALUES (2), (3); INSERT INTO t VALUES (3), (4)")
    assert rows(lake, "SELECT count(DISTINCT rowid), count(*) FROM t") == [[6, 6]]
    # The same row has the same number whatever files a query leaves out.
    assert rows(lake, "SELECT count(*) FROM t x JOIN t y ON x.rowid = y.rowid WHERE x.a >= 3") == [[3]]
    lake.execute("DELETE FROM t WHERE rowid NOT IN (SELECT min(rowid) FROM t GROUP BY a)")
    assert rows(lake, "SELECT a FROM t ORDER BY a") == [[1], [2], [3], [4]]
    lake.execute("UPDATE t SET a = a * 10 WHERE rowid = (SELECT max(rowid) FROM t)")
    assert rows(lake, "SELECT a FROM t ORDER BY a") == [[1], [2], [3], [40]]
    assert rows(lake, "SELECT * FROM t ORDER BY rowid LIMIT 1") == [[1]]
    lake.execute("CREATE TABLE own(rowid VARCHAR, a INT); INSERT INTO own VALUES ('mine', 1); DELETE FROM own WHERE rowid = 'other'")
    assert rows(lake, "SELECT rowid FROM own") == [["mine"]]
    refuses(lake, "SELECT rowid FROM (SELECT a FROM t) q", "rowid")
    refuses(lake, "INSERT INTO t(rowid) VALUES (1)", "rowid")
    assert rows(lake, "SELECT count(*) FROM varve.lineage WHERE source_column = 'rowid'") == [[0]]
