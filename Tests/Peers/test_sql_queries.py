"""What SQL can say around a SELECT: the same statements in varve and in DuckDB must give the same columns and rows."""
import datetime
import decimal

import duckdb
import pytest

from support import Varve, VarveError, plain

SETUP = [
    "CREATE TABLE t (id int, k int, s varchar, x double, d date)",
    "INSERT INTO t VALUES (1, 10, 'a', 1.5, DATE '2024-01-01'), (2, 10, 'b', NULL, DATE '2024-01-02'), (3, 20, NULL, 'NaN'::double, NULL), "
    "(4, NULL, 'd', '-Infinity'::double, DATE '9999-12-31'), (5, 20, 'é', -1e300, DATE '2024-01-01')",
    "CREATE TABLE u (id int, k int, v varchar)",
    "INSERT INTO u VALUES (1, 10, 'x'), (1, 20, 'y'), (3, NULL, 'z'), (7, 20, NULL)",
    "CREATE TABLE e (id int, parent int, name varchar)",
    "INSERT INTO e VALUES (1, NULL, 'root'), (2, 1, 'a'), (3, 1, 'b'), (4, 2, 'c'), (5, 4, 'd')",
    "CREATE TABLE sales (yr int, region varchar, kind varchar, amount int)",
    "INSERT INTO sales VALUES (2020, 'n', 'p', 1), (2020, 's', 'p', 2), (2021, 'n', 'q', 3), (2021, 'n', 'p', 4), (2021, NULL, 'q', 5), (NULL, 's', 'q', 6)",
    "CREATE TABLE wide (name varchar, jan int, feb int, mar int)",
    "INSERT INTO wide VALUES ('a', 1, NULL, 3), ('b', 4, 5, 6), (NULL, NULL, NULL, NULL)",
    "CREATE TABLE none (id int, k int)",
]

QUERIES = {
    "recursion": """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<5) SELECT * FROM n
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i+0.5 FROM n WHERE i<5) SELECT * FROM n
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i+1::BIGINT FROM n WHERE i<5) SELECT * FROM n
WITH RECURSIVE n AS (SELECT 'a' AS i UNION ALL SELECT 5 FROM n WHERE i ='a') SELECT * FROM n
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT a.i+b.i FROM n a, n b WHERE a.i<5) SELECT * FROM n
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL (SELECT i+1 FROM n WHERE i<5 ORDER BY i LIMIT 1)) SELECT * FROM n
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT max(i)+1 FROM n WHERE i<5) SELECT * FROM n LIMIT 10
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i+1 FROM n) SELECT * FROM n LIMIT 10
WITH RECURSIVE n AS (SELECT 1 AS i UNION SELECT (i+1)%4 FROM n) SELECT * FROM n
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT (SELECT max(i)+1 FROM n) FROM t WHERE (SELECT max(i) FROM n) < 3) SELECT * FROM n
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i+1 FROM n WHERE i<5), m AS (SELECT i*2 AS j FROM n) SELECT a.i, b.j FROM n a JOIN m b ON a.i=b.j
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT e.id FROM n LEFT JOIN e ON e.parent=n.i WHERE e.id IS NOT NULL) SELECT * FROM n
WITH RECURSIVE n(i,j) AS (SELECT 1, 2 UNION ALL SELECT j, i+1 FROM n WHERE i<5) SELECT * FROM n
WITH RECURSIVE n(i) AS (SELECT 1,2 UNION ALL SELECT i+1,3 FROM n WHERE i<5) SELECT * FROM n
SELECT t.id, (WITH RECURSIVE n(i) AS (SELECT t.id UNION ALL SELECT i+1 FROM n WHERE i<t.k) SELECT max(i) FROM n) m FROM t
SELECT t.id, l.* FROM t, LATERAL (WITH RECURSIVE n(i) AS (SELECT t.id UNION ALL SELECT i+1 FROM n WHERE i<3) SELECT * FROM n) l
SELECT t.id, l.* FROM t, LATERAL (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT a.i+1 FROM n a JOIN n b ON a.i=b.i WHERE a.i<t.id) SELECT * FROM n) l
SELECT e.name, (WITH RECURSIVE up(id) AS (SELECT e.id UNION ALL SELECT p.parent FROM up JOIN e p ON p.id = up.id WHERE p.parent IS NOT NULL) SELECT count(*) FROM up) AS depth FROM e
SELECT t.id FROM t WHERE EXISTS (WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i+1 FROM n WHERE i < t.id) SELECT 1 FROM n WHERE i = 3)
SELECT t.id, (WITH RECURSIVE n(i) AS (SELECT t.id UNION ALL SELECT max(i)+1 FROM n HAVING max(i) < 4) SELECT count(*) FROM n) m FROM t
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT * FROM (WITH RECURSIVE m(j) AS (SELECT i FROM n UNION ALL SELECT j+1 FROM m WHERE j<3) SELECT j+1 AS j FROM m) WHERE j < 3) SELECT * FROM n
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i+1 FROM n WHERE i<5) SELECT n2.i FROM n n2 WHERE i IN (SELECT i FROM n WHERE i > 3)
WITH RECURSIVE n(i) AS (VALUES (1),(2) UNION ALL SELECT i+2 FROM n WHERE i<5) SELECT count(*) c, sum(i) s FROM n
WITH RECURSIVE tree(id, path, depth) AS (SELECT id, name, 0 FROM e WHERE parent IS NULL UNION ALL SELECT e.id, path || '/' || e.name, depth+1 FROM tree JOIN e ON e.parent = tree.id) SELECT * FROM tree
WITH RECURSIVE n AS (SELECT 0 AS a, 1 AS b UNION ALL SELECT b, a+b FROM n WHERE b < 1000) SELECT * FROM n
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<10000) SELECT count(*) c, sum(i) s FROM n
WITH RECURSIVE g(a,b) AS (SELECT i, (i*7+3)%1000 FROM range(1000) r(i)), reach(a) AS (SELECT 1::BIGINT UNION SELECT g.b FROM reach JOIN g ON g.a = reach.a) SELECT count(*) c FROM reach
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i+1 FROM n WHERE i < 5 AND i NOT IN (SELECT i+2 FROM n)) SELECT * FROM n
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 6), m(j) AS (SELECT i FROM n WHERE i < 3 UNION ALL SELECT j*2 FROM m WHERE j < 20) SELECT * FROM m
WITH RECURSIVE n AS (SELECT NULL AS i UNION ALL SELECT 1 FROM n WHERE i IS NULL) SELECT * FROM n
WITH RECURSIVE n(i) AS MATERIALIZED (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<5) SELECT a.i, b.i AS j FROM n a, n b WHERE a.i = b.i
WITH RECURSIVE n(i) AS NOT MATERIALIZED (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<5) SELECT a.i, b.i AS j FROM n a, n b WHERE a.i = b.i
WITH RECURSIVE x AS (SELECT id FROM t UNION ALL SELECT id FROM u) SELECT * FROM x
WITH RECURSIVE pairs(a, b) AS (SELECT i, i + 1 FROM range(20000) r(i) UNION SELECT a, b FROM pairs WHERE a < 10) SELECT count(*) c, sum(b) s FROM pairs
WITH x AS MATERIALIZED (SELECT * FROM t) SELECT count(*) AS c FROM x a, x b
WITH x AS NOT MATERIALIZED (SELECT * FROM t) SELECT count(*) AS c FROM x a, x b
WITH x AS MATERIALIZED (SELECT * FROM t) SELECT a.id, (SELECT count(*) FROM x WHERE x.k = a.k) AS c FROM x a
""",
}


def statements():
    return [(group, text) for group, block in QUERIES.items() for text in block.strip().splitlines() if text and not text.startswith("--")]


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    varve = Varve(tmp_path_factory.mktemp("queries") / "lake")
    for statement in SETUP:
        varve.execute(statement)
    return varve


@pytest.fixture(scope="module")
def duck():
    connection = duckdb.connect()
    connection.execute("SET disabled_optimizers = 'join_filter_pushdown'")
    connection.execute("SET TimeZone = 'UTC'")
    for statement in SETUP:
        connection.execute(statement)
    return connection


def comparable(rows):
    def one(value):
        if isinstance(value, (list, tuple)):
            return tuple(one(part) for part in value)
        if isinstance(value, dict):
            return tuple((name, one(part)) for name, part in value.items())
        if isinstance(value, datetime.timedelta):
            return ("interval", value)
        if isinstance(value, float) and value == int(value) if isinstance(value, float) and abs(value) < 1e15 else False:
            return ("exact", decimal.Decimal(int(value)))
        return plain(value)
    return [tuple(one(value) for value in row) for row in rows]


@pytest.mark.parametrize("group,query", statements())
def test_a_query_gives_the_columns_and_rows_of_duckdb(group, query, lake, duck):
    relation = duck.sql(query)
    expected = comparable(relation.fetchall())
    table = lake.table(query)
    rows = comparable(zip(*[column.to_pylist() for column in table.columns]))
    assert [name.lower() for name in table.column_names] == [name.lower() for name in relation.columns]
    if query.endswith("-- ordered"):
        assert rows == expected
    else:
        assert sorted(rows, key=repr) == sorted(expected, key=repr)


def test_a_recursion_without_end_stops_at_the_memory_that_it_may_use(lake):
    query = "WITH RECURSIVE n(i) AS (SELECT i FROM range(1000) r(i) UNION ALL SELECT a.i FROM n a, range(1000)) SELECT count(*) FROM n"
    with pytest.raises(VarveError, match="memory"):
        lake.sql(query, "--memory", "64MB")
