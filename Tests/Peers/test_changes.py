"""UPDATE and MERGE in varve and in DuckDB: after each statement the table holds the same rows."""
import datetime
import decimal
import random

import duckdb
import pyarrow
import pyarrow.parquet
import pytest

from support import Varve, VarveError, canonical_column

CREATE = "id INTEGER, k INTEGER, s VARCHAR, d DECIMAL(10, 2), x DOUBLE, e DATE"


def rows_of(table):
    return sorted(zip(*[canonical_column(column) for column in table.columns]), key=repr)


@pytest.fixture
def pair(tmp_path):
    """The same tables in both: t in three data files, and s with duplicates and nulls."""
    chance = random.Random(11)
    varve, oracle = Varve(tmp_path / "lake"), duckdb.connect()

    def make(count, start):
        pick = lambda values: None if chance.random() < 0.2 else chance.choice(values)
        return pyarrow.table({
            "id": pyarrow.array(range(start, start + count), pyarrow.int32()), "k": pyarrow.array([pick(range(8)) for _ in range(count)], pyarrow.int32()),
            "s": pyarrow.array([pick(["", "a", "日本", "🜁", "x y"]) for _ in range(count)]),
            "d": pyarrow.array([pick([decimal.Decimal("1.25"), decimal.Decimal("-99999999.99"), decimal.Decimal("0.00")]) for _ in range(count)], pyarrow.decimal128(10, 2)),
            "x": pyarrow.array([pick([0.0, float("nan"), float("inf"), 1.5]) for _ in range(count)]),
            "e": pyarrow.array([pick([datetime.date(1969, 12, 31), datetime.date(2024, 2, 29)]) for _ in range(count)])})

    for name, parts in (("t", 3), ("s", 1)):
        varve.execute(f"CREATE TABLE {name} ({CREATE})")
        oracle.execute(f"CREATE TABLE {name} ({CREATE})")
        for part in range(parts):
            path = tmp_path / f"{name}{part}.parquet"
            pyarrow.parquet.write_table(make(40, part * 40 + (20 if name == "s" else 0)), path)
            varve.execute(f"INSERT INTO {name} SELECT * FROM read_parquet('{path}')")
            oracle.execute(f"INSERT INTO {name} SELECT * FROM read_parquet('{path}')")
    return varve, oracle


def check(pair, *statements):
    varve, oracle = pair
    for statement in statements:
        count = oracle.execute(statement).fetchall()[0][0]
        report = varve.execute(statement)[-1]
        assert str(count) in report.split(), f"{statement}: {report}, DuckDB {count}"
        expected = rows_of(oracle.execute("SELECT * FROM t").to_arrow_table())
        assert rows_of(varve.table("SELECT * FROM t")) == expected, statement
    varve.verify()


UPDATES = [
    "UPDATE t SET k = k + 1", "UPDATE t SET k = NULL, s = 'new' WHERE id < 30", "UPDATE t SET d = d * 2 + 1, x = x + 1 WHERE d < 2 AND d > -5 AND k > 3", "UPDATE t SET k = id, s = s || '!' WHERE s LIKE '%y'",
    "UPDATE t SET s = CAST(e AS VARCHAR), e = e + 1 WHERE e IS NOT NULL", "UPDATE t SET k = 1 WHERE false", "UPDATE t SET k = 1 WHERE k = 99", "UPDATE t AS q SET k = q.id WHERE q.k IS NULL", "UPDATE t SET k = (SELECT max(k) FROM s)",
    "UPDATE t SET k = (SELECT max(s.k) FROM s WHERE s.id = t.id) WHERE id % 2 = 0", "UPDATE t SET s = 'in' WHERE k IN (SELECT k FROM s WHERE id < 30)", "UPDATE t SET s = 'ex' WHERE EXISTS (SELECT 1 FROM s WHERE s.id = t.id AND s.k > 2)",
    "UPDATE t SET s = 'not' WHERE k NOT IN (SELECT k FROM s)", "UPDATE t SET k = s.k, s = s.s FROM s WHERE s.id = t.id", "UPDATE t SET d = q.n FROM (SELECT k, count(*) AS n FROM s GROUP BY k) AS q WHERE q.k = t.k AND t.id > 10",
    "UPDATE t SET k = (SELECT count(*) FROM t AS u WHERE u.k = t.k)", "WITH q AS (SELECT id FROM s WHERE k = 3) UPDATE t SET s = 'cte' WHERE id IN (SELECT id FROM q)", "UPDATE t SET x = 1, d = '2.5', s = 7",
    "UPDATE t SET k = DEFAULT WHERE id = 3",
]


@pytest.mark.parametrize("statement", UPDATES)
def test_an_update_leaves_the_rows_that_duckdb_has(statement, pair):
    check(pair, statement)


MERGES = [
    "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET k = s.k, s = s.s WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.k, s.s, s.d, s.x, s.e)",
    "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE", "MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id, k) VALUES (s.id + 1000, 1)", "MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED BY SOURCE THEN DELETE",
    "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED AND s.k > 3 THEN DELETE WHEN MATCHED AND s.k > 1 THEN UPDATE SET k = t.k + s.k WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED AND s.k IS NOT NULL THEN INSERT (id, s) VALUES (s.id, 'fresh')",
    "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *", "MERGE INTO t USING (SELECT k, count(*) AS n FROM s GROUP BY k) AS q ON t.k = q.k WHEN MATCHED THEN UPDATE SET d = q.n WHEN NOT MATCHED BY SOURCE AND t.id < 50 THEN UPDATE SET s = 'alone' WHEN NOT MATCHED BY SOURCE THEN DELETE",
    "MERGE INTO t USING s ON false WHEN NOT MATCHED THEN INSERT *", "MERGE INTO t AS a USING s AS b ON a.id = b.id AND a.k = b.k WHEN MATCHED THEN UPDATE SET s = b.s || a.s", "MERGE INTO t USING (SELECT * FROM s UNION ALL SELECT * FROM s) AS s ON t.id = s.id WHEN NOT MATCHED THEN INSERT *",
    "MERGE INTO t USING s USING (id) WHEN MATCHED THEN UPDATE SET k = 5", "MERGE INTO t USING s ON t.id = s.id + 1000 WHEN MATCHED THEN DELETE",
]


@pytest.mark.parametrize("statement", MERGES)
def test_a_merge_leaves_the_rows_that_duckdb_has(statement, pair):
    check(pair, statement)


def test_changes_one_after_the_other_leave_the_rows_that_duckdb_has(pair):
    check(pair, UPDATES[1], MERGES[0], UPDATES[9], "DELETE FROM t WHERE k = 2", MERGES[6], UPDATES[0])


@pytest.mark.parametrize("condition", [
    "t.id >= (SELECT avg(id) FROM t)", "t.k IN (SELECT k FROM s AS u WHERE u.id = s.id)", "EXISTS (SELECT 1 FROM s AS u WHERE u.k = t.k AND u.id > s.id)",
    "s.k NOT IN (SELECT k FROM s WHERE k IS NOT NULL AND k > 3) AND t.s <> (SELECT max(s) FROM t)", "(SELECT max(x) FROM s) IS NULL",
])
def test_a_delete_with_other_tables_and_a_subquery_leaves_the_rows_that_duckdb_has(condition, pair):
    check(pair, f"DELETE FROM t USING s WHERE s.id = t.id AND {condition}")


@pytest.mark.parametrize("statement, message", [
    ("UPDATE t SET nope = 1", "no column"), ("UPDATE t SET k = 1, k = 2", "twice"), ("UPDATE t SET k = true", "type"),
    ("UPDATE t SET k = s.k FROM s", "more than once"), ("MERGE INTO t USING (SELECT * FROM s UNION ALL SELECT * FROM s) AS s ON t.id = s.id WHEN MATCHED THEN DELETE", "more than once"),
    ("UPDATE t SET k = (SELECT k FROM s)", "more than one row"), ("MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN INSERT *", "expected"), ("UPDATE nope SET k = 1", "nope"),
    ("UPDATE t SET k = CAST(2147483647 AS BIGINT) + id", "INTEGER|range|fit"),
])
def test_a_change_that_cannot_be_made_changes_nothing(statement, message, pair):
    varve, oracle = pair
    with pytest.raises(VarveError, match=message):
        varve.execute(statement)
    assert rows_of(varve.table("SELECT * FROM t")) == rows_of(oracle.execute("SELECT * FROM t").to_arrow_table())
