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


def same(lake, script, queries, ordered=False, is_temporary=False):
    """Runs a script on both engines, for each query where it makes what only a session has, and compares what queries give then."""
    peer = duckdb.connect()
    peer.execute(script)
    if not is_temporary:
        lake.execute(script)
    for query in queries:
        expected = peer.execute(query).fetchall()
        got = [tuple(row) for row in rows(lake, (script + ";\n" if is_temporary else "") + query)]
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
    ], is_temporary=True)
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
    edges = rows(lake, "SELECT source, source_column, target, target_column FROM varve.lineage WHERE type = 'DIRECT'")
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
    # Which row is the last depends on the order of files of one commit.
    last = rows(lake, "SELECT a FROM t ORDER BY rowid DESC LIMIT 1")[0][0]
    lake.execute("UPDATE t SET a = a * 10 WHERE rowid = (SELECT max(rowid) FROM t)")
    assert rows(lake, "SELECT a FROM t ORDER BY a") == sorted([10 * a if a == last else a] for a in (1, 2, 3, 4))
    assert len(rows(lake, "SELECT * FROM t ORDER BY rowid LIMIT 1")) == 1
    lake.execute("CREATE TABLE own(rowid VARCHAR, a INT); INSERT INTO own VALUES ('mine', 1); DELETE FROM own WHERE rowid = 'other'")
    assert rows(lake, "SELECT rowid FROM own") == [["mine"]]
    refuses(lake, "SELECT rowid FROM (SELECT a FROM t) q", "rowid")
    refuses(lake, "INSERT INTO t(rowid) VALUES (1)", "rowid")
    assert rows(lake, "SELECT count(*) FROM varve.lineage WHERE source_column = 'rowid'") == [[0]]


# Forms of functions

VALUES = "(VALUES (1, 'b', 5), (3, 'a', 4), (NULL, 'x', 1), (2, NULL, NULL), (2, 'B', 2), (-7, '', 9)) t(x, s, y)"


def test_extremes_and_quantiles_at_several_places_are_duckdbs(lake):
    peer = duckdb.connect()
    lake.execute("CREATE SCHEMA examples")
    for query in [
        "max(x, 2), min(x, 3), max(s, 2), min(x, 100)", "max(x, 2) FILTER (WHERE x < 3)", "arg_min(s, y, 2), arg_max(x, y, 3)",
        "max_by(s, x, 2)", "quantile_cont(x, [0.25, 0.5, 1])", "quantile_disc(x, [0.25, 0.5])", "quantile(x, [0, 1])",
        "quantile_cont(x, [0.5]) FILTER (WHERE x > 100), max(x, 2) FILTER (WHERE x > 100)", "s IS NULL, max(x, 1) GROUP BY 1",
        "median(DATE '2024-01-01' + x)", "quantile_cont(TIMESTAMP '2024-01-01' + to_hours(x), 0.3)", "quantile_cont(TIME '10:00' + to_minutes(abs(x)), 0.9)",
        "quantile_cont(DATE '2024-01-01' + x, [0.1, 0.9])", "median(TIMESTAMP '9999-12-31 23:59:59' - to_days(abs(x) * 300000))",
    ]:
        parts = query.split(" GROUP BY ")
        text = f"SELECT {parts[0]} FROM {VALUES}" + (f" GROUP BY {parts[1]} ORDER BY 1" if len(parts) > 1 else "")
        expected = [list(row) for row in peer.execute(text).fetchall()]
        assert rows(lake, text) == expected, text
    refuses(lake, f"SELECT max(x, 0) FROM {VALUES}", "a constant from 1")
    refuses(lake, f"SELECT max(x, y) FROM {VALUES}", "a constant from 1")
    assert rows(lake, "SELECT median(v) FROM (VALUES (TIMESTAMPTZ '2024-01-01 00:00+00'), ('2024-01-03 00:00+00')) t(v)")[0][0].isoformat() \
        == "2024-01-02T00:00:00+00:00"


def test_to_char_writes_moments_as_postgresql_does(lake):
    lake.execute("CREATE SCHEMA examples")
    # What PostgreSQL 16 gives.
    for value, pattern, expected in [
        ("TIMESTAMP '2024-02-09 15:04:05.067891'", "YYYY-MM-DD HH24:MI:SS.US", "2024-02-09 15:04:05.067891"),
        ("TIMESTAMP '2024-02-09 15:04:05.067891'", "HH12:MI AM, MS", "03:04 PM, 067"),
        ("DATE '2024-02-09'", "FMDay, FMDD. FMMonth YYYY", "Friday, 9. February 2024"),
        ("DATE '2024-02-09'", "Day|MONTH|mon|DY", "Friday   |FEBRUARY |feb|FRI"),
        ("DATE '2024-12-30'", "IYYY-\"W\"IW-ID DDD Q J WW W CC D", "2025-W01-1 365 4 2460675 53 5 21 2"),
        ("TIMESTAMP '2024-02-09 15:04:05'", "SSSS FMHH12 YY am", "54245 3 24 pm"),
        ("DATE '0044-03-15'", "YYYY \"100% \\\"x\\\"\"", "0044 100% \"x\""),
        ("NULL::DATE", "YYYY", None), ("DATE '2024-01-01'", "", ""),
    ]:
        assert rows(lake, f"SELECT to_char({value}, '{pattern}')") == [[expected]], pattern
    for pattern in ["RM", "DDth", "Y,YYY"]:
        refuses(lake, f"SELECT to_char(DATE '2024-01-01', '{pattern}')", "to_char")
    refuses(lake, "SELECT to_char(12.5, '999')", "dates and timestamps")


def test_intervals_of_several_units(lake):
    lake.execute("CREATE SCHEMA examples")
    for text, expected in [
        ("INTERVAL '1-2' YEAR TO MONTH", "1 year 2 months"), ("INTERVAL '-1-2' YEAR TO MONTH", "-1 year -2 months"),
        ("INTERVAL '3 04' DAY TO HOUR", "3 days 04:00:00"), ("INTERVAL '3 04:05:06.7' DAY TO SECOND", "3 days 04:05:06.7"),
        ("INTERVAL '04:05' HOUR TO MINUTE", "04:05:00"), ("INTERVAL '5:06' MINUTE TO SECOND", "00:05:06"),
        ("INTERVAL '1 year 2 months' YEAR TO MONTH", "1 year 2 months"),
        ("make_interval(days => 10, hours => 2)", "10 days 02:00:00"), ("make_interval(1, 2, 3, 4, 5, 6, 7.5)", "1 year 2 months 25 days 05:06:07.5"),
        ("make_interval()", "00:00:00"), ("make_interval(years => NULL)", None),
    ]:
        assert rows(lake, f"SELECT CAST({text} AS VARCHAR)") == [[expected]], text
    refuses(lake, "SELECT make_interval(fortnights => 1)", "fortnights")
    refuses(lake, "SELECT INTERVAL '1' MONTH TO DAY", "no intervals")


def test_strftime_shows_the_zone_of_the_session(lake):
    peer = duckdb.connect()
    lake.execute("CREATE SCHEMA examples")
    for zone in ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "America/New_York"]:
        for moment in ["2024-07-01 00:00:00+00", "2024-01-01 23:30:00+00"]:
            text = f"SELECT strftime(TIMESTAMPTZ '{moment}', '%Y-%m-%d %H:%M %z|%Z')"
            peer.execute(f"SET TimeZone = '{zone}'")
            assert rows(lake, f"SET TimeZone = '{zone}'; {text}") == [list(row) for row in peer.execute(text).fetchall()], (zone, moment)


def test_values_may_hold_subqueries_and_take_the_type_of_the_column(lake):
    same(lake, "CREATE TABLE t(a INT); INSERT INTO t VALUES (1), (5)", [
        "VALUES ((SELECT max(a) FROM t), 1), (2, (SELECT count(*) FROM t))", "SELECT * FROM (VALUES ((SELECT min(a) FROM t))) v(x)",
        "SELECT a, (SELECT * FROM (VALUES ((SELECT max(u.a) FROM t u WHERE u.a <= t.a))) v) FROM t",
    ])
    lake.execute("CREATE TABLE d(f DOUBLE, s VARCHAR, n DECIMAL(38, 2), i INT)")
    lake.execute("INSERT INTO d VALUES ('NaN', 'a', 123456789012345678901234567890123456, 1), (1.5, 2, 0.25, '7'), (NULL, NULL, DEFAULT, -3)")
    assert str(rows(lake, "SELECT * FROM d WHERE i IS NOT NULL ORDER BY i DESC")) == str(
        [[1.5, "2", __import__("decimal").Decimal("0.25"), 7],
         [float("nan"), "a", __import__("decimal").Decimal("123456789012345678901234567890123456.00"), 1], [None, None, None, -3]])
    refuses(lake, "INSERT INTO d(i) VALUES (1), ('x')", "x")


def test_like_any_takes_lists(lake):
    lake.execute("CREATE SCHEMA examples")
    for text, expected in [
        ("'abc' LIKE ANY (['x%', 'a%'])", True), ("'abc' LIKE ALL (['a%', '%c'])", True), ("'abc' NOT LIKE ALL (['x%', 'y%'])", True),
        ("'abc' ILIKE ANY (['X', 'A_C'])", True), ("'abc' LIKE ANY ([NULL, 'x'])", None), ("'abc' LIKE ANY ([]::VARCHAR[])", False),
        ("NULL LIKE ANY (['a'])", None),
    ]:
        assert rows(lake, f"SELECT {text}") == [[expected]], text


def test_explain_shows_what_changes_would_do_and_does_nothing(lake):
    lake.execute("CREATE TABLE t(a INT PRIMARY KEY, b VARCHAR); INSERT INTO t VALUES (1, 'x'), (2, 'y')")
    before = rows(lake, "SELECT max(position) FROM varve.log")
    for statement, words in [
        ("INSERT INTO t SELECT a + 10, b FROM t", ["INSERT INTO main.t", "main.t"]), ("INSERT INTO t VALUES (1, 'z') ON CONFLICT DO NOTHING", ["INSERT INTO main.t"]),
        ("UPDATE t SET b = 'q' WHERE a = 1", ["UPDATE main.t"]), ("DELETE FROM t WHERE a = 1", ["DELETE FROM main.t"]),
        ("MERGE INTO t USING (SELECT 1 AS a) s ON t.a = s.a WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.a, 'n')", ["MERGE INTO main.t", "new rows"]),
        ("CREATE TABLE u AS SELECT * FROM t", ["CREATE TABLE u AS"]), ("CREATE VIEW u AS SELECT * FROM t", ["CREATE VIEW u AS"]),
    ]:
        text = "\n".join(row[0] for row in rows(lake, "EXPLAIN " + statement))
        assert all(word in text for word in words), text
    assert rows(lake, "SELECT max(position) FROM varve.log") == before
    refuses(lake, "EXPLAIN ANALYZE DELETE FROM t", "ANALYZE")
    refuses(lake, "EXPLAIN DROP TABLE t", "EXPLAIN")


# Collations

COLLATED = """
    CREATE TABLE t(id INT, s VARCHAR COLLATE NOCASE, a VARCHAR COLLATE NOACCENT, b VARCHAR COLLATE NOCASE.NOACCENT, p VARCHAR);
    INSERT INTO t VALUES (1, 'ABC', 'Zürich', 'Éa', 'x'), (2, 'abc', 'Zurich', 'éA', 'X'), (3, 'Abd', 'zurich', 'ea', 'y'),
        (4, NULL, NULL, NULL, NULL), (5, 'ÄB', '', 'EA', 'x'), (6, 'äb', 'ß', 'f', 'Y'), (7, '', 'ss', '', '');
    CREATE TABLE u(s VARCHAR COLLATE NOCASE, p VARCHAR); INSERT INTO u VALUES ('aBc', 'abc'), ('zz', 'ZZ'), (NULL, NULL), ('äB', 'q')
"""


def test_collations_compare_group_and_order_as_duckdbs(lake):
    same(lake, COLLATED, [
        "SELECT id FROM t WHERE s = 'abc'", "SELECT id FROM t WHERE 'aBC' = s", "SELECT id FROM t WHERE s > 'ABC'", "SELECT id FROM t WHERE s IN ('ABD', 'zz')",
        "SELECT id FROM t WHERE a = 'zurich' OR a = 'Zürich'", "SELECT id FROM t WHERE b = 'ea'", "SELECT id FROM t WHERE s BETWEEN 'AB' AND 'aBCz'",
        "SELECT id FROM t WHERE s IS DISTINCT FROM 'abc'", "SELECT id FROM t WHERE p COLLATE NOCASE = 'X'", "SELECT id FROM t WHERE p = 'X' COLLATE NOCASE",
        "SELECT lower(s), count(*) FROM t GROUP BY s", "SELECT count(*) FROM (SELECT DISTINCT s FROM t)", "SELECT count(DISTINCT p) FROM t",
        "SELECT lower(s), max(id) FROM (SELECT * FROM t) q GROUP BY s HAVING count(*) > 1", "SELECT count(*) FROM t JOIN u ON t.s = u.s",
        "SELECT count(*) FROM t JOIN u USING (s)", "SELECT count(*) FROM t LEFT JOIN u ON t.s = u.p", "SELECT lower(min(s)), lower(max(s)) FROM t",
        "SELECT count(*) FROM (SELECT s FROM t UNION SELECT s FROM u)", "SELECT id FROM t WHERE s IN (SELECT s FROM u)", "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.s = t.s)",
        "SELECT id FROM t WHERE s NOT IN (SELECT s FROM u WHERE s IS NOT NULL)", "SELECT id, row_number() OVER (PARTITION BY s ORDER BY id) FROM t",
        "WITH c AS (SELECT s, id FROM t) SELECT lower(s), max(id) FROM c GROUP BY ALL", "SELECT CASE s WHEN 'ABC' THEN 1 ELSE 0 END, id FROM t",
        "SELECT lower(s) FROM (SELECT s FROM t EXCEPT SELECT s FROM u)", "SELECT lower(s) FROM (SELECT s FROM t INTERSECT SELECT s FROM u)",
    ])
    same(lake, COLLATED.replace("t(", "t2(").replace("INTO t ", "INTO t2 ").replace("u(", "u2(").replace("INTO u ", "INTO u2 "), [
        "SELECT id FROM t2 ORDER BY s, id", "SELECT id FROM t2 ORDER BY s DESC NULLS LAST, id", "SELECT id FROM t2 ORDER BY p COLLATE NOCASE, id",
        "SELECT lower(s) AS s FROM t2 GROUP BY s ORDER BY s", "SELECT id FROM t2 ORDER BY b, id LIMIT 4", "SELECT id FROM t2 ORDER BY s COLLATE C, id",
        "SELECT id, rank() OVER (ORDER BY s) AS r FROM t2 ORDER BY r, id",
    ], ordered=True)


def test_collations_are_kept_in_the_table_and_obeyed_by_changes(lake):
    lake.execute(COLLATED)
    assert "COLLATE NOCASE" in rows(lake, "SHOW CREATE TABLE t")[0][0]
    lake.execute("DELETE FROM t WHERE s = 'aBC'; UPDATE t SET p = 'set' WHERE s = 'ABD'; ALTER TABLE t ADD COLUMN n VARCHAR COLLATE NOCASE DEFAULT 'Q'")
    assert rows(lake, "SELECT id, p FROM t WHERE id < 4") == [[3, "set"]]
    assert rows(lake, "SELECT count(*) FROM t WHERE n = 'q'") == [[5]]
    lake.execute("MERGE INTO t USING (SELECT 'ÄB' AS k) m ON t.s = m.k WHEN MATCHED THEN UPDATE SET p = 'm'")
    assert rows(lake, "SELECT count(*) FROM t WHERE p = 'm'") == [[2]]
    lake.execute("CREATE VIEW v AS SELECT s FROM t; ALTER TABLE t RENAME COLUMN s TO z")
    assert rows(lake, "SELECT count(*) FROM t WHERE z = 'abD'") == [[1]]
    # DuckDB counts bytes here, though it groups by collations.
    assert rows(lake, "SELECT count(DISTINCT k) FROM (VALUES ('a'), ('A'), ('b')) v(x), LATERAL (SELECT x COLLATE NOCASE AS k) q") == [[2]]
    refuses(lake, "CREATE TABLE w(a VARCHAR COLLATE KLINGON)", "KLINGON")
    refuses(lake, "CREATE TABLE w(a INT COLLATE NOCASE)", "COLLATE is for text")
    refuses(lake, "SELECT 1 COLLATE NOCASE", "COLLATE is for text")
    refuses(lake, "SELECT * FROM t WHERE z = a", "cannot be compared")
