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
    "joins": """
SELECT * FROM t POSITIONAL JOIN u -- ordered
SELECT * FROM u POSITIONAL JOIN t -- ordered
SELECT t.id, q.i FROM t POSITIONAL JOIN range(7) q(i) -- ordered
SELECT t.id, n.id AS j FROM t POSITIONAL JOIN none n -- ordered
SELECT t.id FROM (SELECT * FROM t ORDER BY id DESC) t POSITIONAL JOIN (SELECT * FROM u WHERE id > 1) v -- ordered
SELECT * FROM t NATURAL JOIN u
SELECT * FROM t NATURAL LEFT JOIN u
SELECT * FROM t NATURAL RIGHT JOIN u
SELECT * FROM t NATURAL FULL JOIN u
SELECT * FROM t NATURAL SEMI JOIN u
SELECT * FROM t NATURAL ANTI JOIN u
SELECT * FROM t SEMI JOIN u USING (id)
SELECT * FROM t ANTI JOIN u USING (id, k)
SELECT * FROM t SEMI JOIN u ON t.id = u.id AND u.k > 10
""",
    "limits": """
SELECT id FROM t ORDER BY id FETCH FIRST 2 ROWS ONLY -- ordered
SELECT id FROM t ORDER BY id OFFSET 1 ROW FETCH NEXT ROW ONLY -- ordered
SELECT id FROM t ORDER BY id LIMIT 40 PERCENT -- ordered
SELECT id FROM t ORDER BY id LIMIT 40% -- ordered
SELECT id FROM t ORDER BY id LIMIT (SELECT 2) -- ordered
SELECT id FROM t ORDER BY id LIMIT (SELECT count(*) FROM u) - 1 OFFSET (SELECT min(id) FROM u) -- ordered
SELECT id FROM t ORDER BY id LIMIT 1+1 OFFSET 1 -- ordered
SELECT id FROM t WHERE id IN (SELECT id FROM u ORDER BY id LIMIT (SELECT 2)) ORDER BY id -- ordered
""",
    "samples": """
SELECT count(*) c FROM t TABLESAMPLE 100%
SELECT count(*) c FROM t TABLESAMPLE reservoir(3 ROWS)
SELECT count(*) c FROM t USING SAMPLE 3
SELECT count(*) c FROM t USING SAMPLE 100 PERCENT (bernoulli)
SELECT count(*) c FROM t USING SAMPLE 3 ROWS (reservoir, 42)
SELECT count(*) c FROM t TABLESAMPLE 0%
SELECT count(*) c FROM t TABLESAMPLE 100 ROWS
SELECT count(*) c FROM t, u USING SAMPLE 7 ROWS
SELECT count(*) BETWEEN 9000 AND 11000 AS c FROM range(100000) TABLESAMPLE bernoulli(10%)
SELECT count(*) BETWEEN 9999 AND 10001 AS c FROM range(100000) TABLESAMPLE reservoir(10%)
""",
    "sets": """
SELECT id FROM t UNION ALL BY NAME SELECT k, id FROM u
SELECT id FROM t UNION BY NAME SELECT k, id FROM u
SELECT id, s FROM t UNION ALL BY NAME SELECT v AS s, id FROM u UNION ALL BY NAME SELECT 'x' AS s
SELECT id FROM t INTERSECT ALL SELECT id FROM u
SELECT id FROM t EXCEPT ALL SELECT id FROM u
(SELECT id FROM t ORDER BY id LIMIT 2) UNION ALL (SELECT id FROM u ORDER BY id LIMIT 1)
""",
    "stars": """
SELECT * EXCLUDE (id) FROM t
SELECT * EXCLUDE id FROM t
SELECT * REPLACE (id+1 AS id) FROM t
SELECT * RENAME (id AS nid) FROM t
SELECT * LIKE '%d' FROM t
SELECT * NOT LIKE '%d' FROM t
SELECT * ILIKE '%D' FROM t
SELECT * GLOB 'i*' FROM t
SELECT t.* LIKE '%d' FROM t
SELECT COLUMNS('i.*') FROM t
SELECT COLUMNS('d') FROM t
SELECT COLUMNS(*) FROM t
SELECT min(COLUMNS(*)) FROM wide
SELECT min(COLUMNS('id|k')), max(COLUMNS('id|k')) FROM t
SELECT COLUMNS('id|k') + 1 FROM t
SELECT COLUMNS('id|k') + COLUMNS('id|k') FROM t
SELECT COLUMNS(['id','k']) FROM t
SELECT COLUMNS(c -> c LIKE 'i%') FROM t
SELECT COLUMNS(* EXCLUDE (id)) FROM t
SELECT COLUMNS(* EXCLUDE (id, x, d)) FROM t
SELECT COLUMNS('(i)(d)') AS '\\2\\1' FROM t
SELECT COLUMNS('id|k') AS c FROM t
SELECT * FROM t WHERE COLUMNS('id|k') > 2
SELECT coalesce(*COLUMNS('id|k')) c FROM t
SELECT COLUMNS(t.*) FROM t JOIN u USING (id)
SELECT id FROM t ORDER BY COLUMNS('k|id') -- ordered
SELECT sum(COLUMNS('jan|feb|mar')) OVER (ORDER BY name NULLS FIRST) FROM wide
SELECT count(*), COLUMNS('k') FROM t GROUP BY k
SELECT (SELECT max(COLUMNS('id')) FROM u WHERE u.id = t.id) AS m FROM t
FROM t
FROM t SELECT id
FROM t SELECT id WHERE id > 2
FROM t WHERE id > 2
""",
    "clauses": """
SELECT * FROM t ORDER BY ALL -- ordered
SELECT k, count(*) c FROM t GROUP BY ALL ORDER BY ALL -- ordered
SELECT id + 1 AS a, a * 2 AS b FROM t
SELECT id AS a FROM t WHERE a > 2
SELECT k AS a, count(*) c FROM t GROUP BY a HAVING a > 10 ORDER BY a
SELECT sum(id) AS q, q + 1 AS q1 FROM t
SELECT id AS a, row_number() OVER (ORDER BY a DESC) AS r FROM t
SELECT k AS a FROM t GROUP BY a ORDER BY a + 1
SELECT id+1 AS a FROM t QUALIFY row_number() OVER (ORDER BY a) < 3
SELECT id AS a FROM t WHERE a IN (SELECT id FROM u)
SELECT id AS a, (SELECT max(v) FROM u WHERE u.id = a) m FROM t
SELECT id + 1 AS a, a * 2 AS b, EXISTS (SELECT 1 FROM u WHERE u.id = b - 3) m FROM t
SELECT upper(s) AS s2, s2 || 'x' AS s3, s3 LIKE 'A%' AS ok FROM t
SELECT x AS id, id AS j FROM t
SELECT count(*) AS c FROM t HAVING c > 1
SELECT CASE WHEN id > 2 THEN 'big' ELSE 'small' END AS size, count(*) AS c FROM t GROUP BY size
SELECT DISTINCT k AS a FROM t ORDER BY a DESC NULLS LAST -- ordered
SELECT id % 2 AS g, sum(k) FROM t GROUP BY g ORDER BY g -- ordered
SELECT a: id, b: k + 1 FROM t
SELECT "a b": id FROM t
FROM q: t SELECT q.id
SELECT q.id, r.i FROM q: t, r: (SELECT 1 AS i)
SELECT * FROM (VALUES (1,'a'),(2,'b')) v(x,y)
SELECT * FROM VALUES (1,'a'),(2,'b') v(x,y)
SELECT id, k, FROM t
SELECT id, k FROM t GROUP BY id, k,
SELECT id FROM t WHERE id IN (1,2,)
SELECT $$a'b$$ AS a, $x$c$x$ AS b
SELECT E'a\\nb\\x41' AS a
SELECT count(*) FILTER (WHERE id > 2) AS a, sum(k) FILTER (id > 2) AS b FROM t
""",
    "row values": """
SELECT id FROM t WHERE (id, k) IN ((1,10),(2,20))
SELECT id FROM t WHERE (id, k) NOT IN ((1,10),(2,20))
SELECT id FROM t WHERE (id, k) IN (SELECT id, k FROM u)
SELECT id FROM t WHERE (id, k) < (3, 15)
SELECT id FROM t WHERE (id, k) <= (3, 20)
SELECT id FROM t WHERE (id, k) > (2, 10)
SELECT id FROM t WHERE (id, k) >= (2, 15)
SELECT id FROM t WHERE (id, k) = (2, 10)
SELECT id FROM t WHERE (id, k) <> (2, 10)
SELECT id FROM t WHERE (id, k, s) < (3, 20, 'z')
SELECT (id, k) IS DISTINCT FROM (2, 10) m, id FROM t
SELECT (id, k) IS NOT DISTINCT FROM (4, NULL) m, id FROM t
""",
    "windows": """
SELECT id, sum(k) OVER w AS a FROM t WINDOW w AS (ORDER BY id)
SELECT id, sum(k) OVER (w ROWS 1 PRECEDING) AS a FROM t WINDOW w AS (ORDER BY id)
SELECT id, sum(k) OVER w2 AS a FROM t WINDOW w AS (PARTITION BY k), w2 AS (w ORDER BY id)
SELECT id, sum(k) OVER (ORDER BY id GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES) AS a FROM t
SELECT id, first_value(x IGNORE NULLS) OVER (ORDER BY id DESC) AS a FROM t
SELECT id, count(DISTINCT k) OVER (ORDER BY id) AS a FROM t
SELECT id, count(DISTINCT k) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) AS a FROM t
SELECT id, sum(k) FILTER (WHERE id>2) OVER (ORDER BY id) AS a FROM t
SELECT id, string_agg(s, ',' ORDER BY id DESC) OVER (ORDER BY id) AS a FROM t
SELECT id, string_agg(s, ',' ORDER BY s) OVER (ORDER BY id DESC ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS a FROM t
SELECT id, first(s ORDER BY id DESC) OVER (PARTITION BY k ORDER BY id) AS a FROM t
SELECT id, round(corr(id, k) OVER (ORDER BY id), 9) AS a FROM t
""",
    "pivot": """
PIVOT sales ON yr USING sum(amount)
PIVOT sales ON yr USING sum(amount) GROUP BY region
PIVOT sales ON yr USING sum(amount) AS s GROUP BY region
PIVOT sales ON yr USING sum(amount), max(amount) GROUP BY region
PIVOT sales ON yr IN (2020, 2021) USING sum(amount) AS s, count(*) AS c GROUP BY region
PIVOT sales ON yr IN (2020, 2022) USING sum(amount) GROUP BY region
PIVOT sales ON yr IN (2020 AS a, 2021) USING sum(amount) GROUP BY region
PIVOT sales ON yr IN (SELECT 2020 UNION ALL SELECT 2022) USING sum(amount) GROUP BY region
PIVOT sales ON yr, kind USING sum(amount) GROUP BY region
PIVOT sales ON yr || '_' || kind USING sum(amount)
PIVOT sales ON kind = 'p' USING sum(amount) GROUP BY region
PIVOT sales ON region USING sum(amount) GROUP BY yr
PIVOT sales ON yr GROUP BY region
PIVOT sales ON yr USING sum(amount)+1 AS q GROUP BY region
PIVOT (FROM sales WHERE yr IS NOT NULL) ON (yr, kind) USING sum(amount) GROUP BY region
PIVOT sales ON yr USING sum(amount) GROUP BY region ORDER BY region LIMIT 2 -- ordered
PIVOT sales USING sum(amount) GROUP BY region
PIVOT sales USING sum(amount)
PIVOT (SELECT * FROM sales WHERE false) ON yr USING sum(amount)
PIVOT (SELECT i AS x, 1 AS y FROM range(8, 12) r(i)) ON x USING sum(y)
PIVOT (SELECT s.yr, u.v FROM sales s JOIN u ON u.id = s.amount) ON v USING count(*) GROUP BY yr
SELECT * FROM (PIVOT sales ON yr USING sum(amount)) p
SELECT p."2020" + 1 AS a FROM (PIVOT sales ON yr USING sum(amount) GROUP BY region) p
WITH p AS (PIVOT sales ON yr USING sum(amount)) SELECT * FROM p
WITH s AS (SELECT * FROM sales WHERE amount > 2) PIVOT s ON yr USING sum(amount) GROUP BY region
SELECT * FROM sales PIVOT (sum(amount) FOR yr IN (2020, 2021))
SELECT * FROM sales PIVOT (sum(amount) AS s, max(amount) AS m FOR yr IN (2020 AS a, 2021 AS b) GROUP BY region)
SELECT * FROM sales PIVOT (sum(amount) FOR yr IN (2020, 2021) kind IN ('p','q') GROUP BY region)
SELECT * FROM sales PIVOT (sum(amount) FOR (yr, kind) IN ((2020,'p'),(2021,'q')) GROUP BY region)
SELECT * FROM sales PIVOT (sum(amount) FOR yr IN (2020, 2021)) AS p(a,b,c,d)
SELECT region, a FROM (SELECT yr, region, amount FROM sales) PIVOT (sum(amount) FOR yr IN (2020 AS a)) WHERE a > 0
UNPIVOT wide ON jan, feb, mar INTO NAME month VALUE n
UNPIVOT wide ON COLUMNS(* EXCLUDE (name)) INTO NAME month VALUE n
UNPIVOT wide ON * EXCLUDE (name) INTO NAME month VALUE n
UNPIVOT wide ON (jan, feb) AS q1, (mar, mar) AS q2 INTO NAME q VALUE a, b
UNPIVOT wide ON (jan, feb), (feb, mar) INTO NAME n VALUE a, b
UNPIVOT wide ON jan + 1, mar INTO NAME n VALUE a
UNPIVOT wide ON jan AS q, mar INTO NAME n VALUE a
UNPIVOT wide ON jan, feb
UNPIVOT (SELECT 1 a, 2.5 b, 'x' c) ON a, b
SELECT * FROM wide UNPIVOT (n FOR month IN (jan, feb, mar))
SELECT * FROM wide UNPIVOT INCLUDE NULLS (n FOR month IN (jan, feb, mar))
SELECT * FROM wide UNPIVOT ((a,b) FOR n IN ((jan,feb) AS x, (feb,mar)))
SELECT * FROM wide UNPIVOT (a FOR n IN (jan AS 'January', feb))
SELECT month, sum(n) AS s FROM (UNPIVOT wide ON jan, feb, mar INTO NAME month VALUE n) GROUP BY month
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
        if isinstance(value, float) and abs(value) < 1e15 and value == int(value):
            return ("exact", decimal.Decimal(int(value)))
        value = plain(value)
        # The same text for the same number, so that rows are put in order the same way.
        return ("exact", decimal.Decimal(int(value[1]))) if isinstance(value, tuple) and value[0] == "exact" and value[1] == int(value[1]) else value
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


# What DuckDB does not have, refuses or gets wrong, beside what means the same.
BEYOND = [
    ("SELECT id FROM t INTERSECT BY NAME SELECT k, id FROM (SELECT id AS k, id FROM u)", "SELECT id, NULL::int AS k FROM t WHERE false"),
    ("SELECT id FROM t WHERE (id, k) BETWEEN (2, 0) AND (3, 20)", "SELECT id FROM t WHERE id IN (2, 3)"),
    ("SELECT (1, NULL) = (1, NULL) AS a, (1, NULL) = (2, NULL) AS b, (NULL, 1) <> (NULL, 2) AS c, (1, NULL) < (1, 2) AS d, (1, NULL) < (2, NULL) AS e",
     "SELECT NULL::boolean AS a, false AS b, true AS c, NULL::boolean AS d, true AS e"),
    ("SELECT id, nth_value(id, 2) FROM LAST OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS a FROM t", "SELECT id, 4 AS a FROM t"),
    ("SELECT id, nth_value(id, 1) FROM LAST OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW) AS a FROM t",
     "SELECT id, nullif(id - 1, 0) AS a FROM t"),
    ("SELECT id, nth_value(x, 1) FROM LAST IGNORE NULLS OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS a FROM t WHERE id < 3", "SELECT id, 1.5::double AS a FROM t WHERE id < 3"),
    ("PIVOT sales ON yr USING sum(amount) FILTER (amount > 1) GROUP BY region",
     "SELECT region, sum(amount) FILTER (yr = 2020) AS \"2020\", sum(amount) FILTER (yr = 2021) AS \"2021\" FROM (SELECT * REPLACE (CASE WHEN amount > 1 THEN amount END AS amount) FROM sales) GROUP BY region"),
    ("UNPIVOT INCLUDE NULLS wide ON jan, feb INTO NAME n VALUE a", "SELECT * EXCLUDE (jan, feb) FROM (SELECT *, 'jan' AS n, jan AS a FROM wide UNION ALL SELECT *, 'feb', feb FROM wide)"),
    ("SELECT *COLUMNS('id|k') FROM t", "SELECT id, k FROM t"),
    ("SELECT t.COLUMNS('i.*') FROM t JOIN u USING (id)", "SELECT t.id FROM t JOIN u USING (id)"),
    ("SELECT count(*) AS c FROM (SELECT * FROM t) TABLESAMPLE bernoulli(100)", "SELECT 5::bigint AS c"),
    ("SELECT id FROM t ORDER BY id, -- a comma too many", "SELECT id FROM t"),
]


@pytest.mark.parametrize("query,equal", BEYOND)
def test_what_duckdb_cannot_say_means_what_it_should(query, equal, lake, duck):
    relation = duck.sql(equal)
    table = lake.table(query)
    assert table.column_names == relation.columns
    rows = comparable(zip(*[column.to_pylist() for column in table.columns]))
    assert sorted(rows, key=repr) == sorted(comparable(relation.fetchall()), key=repr)


@pytest.mark.parametrize("sample", ["bernoulli(10%)", "system(30%)", "reservoir(50 ROWS)", "reservoir(5%)"])
def test_a_seed_gives_the_same_sample_again_with_any_number_of_threads(sample, lake):
    query = f"SELECT * FROM range(20000) TABLESAMPLE {sample} REPEATABLE (42)"
    first = lake.rows(query)
    assert first and sorted(first) == sorted(lake.rows(query)) == sorted(lake.rows(query, "--threads", "1"))
    assert sorted(first) != sorted(lake.rows(query.replace("42", "43")))


def test_a_recursion_without_end_stops_at_the_memory_that_it_may_use(lake):
    query = "WITH RECURSIVE n(i) AS (SELECT i FROM range(1000) r(i) UNION ALL SELECT a.i FROM n a, range(1000)) SELECT count(*) FROM n"
    with pytest.raises(VarveError, match="memory"):
        lake.sql(query, "--memory", "64MB")


# Statements that go before a query, which all are of one session; DuckDB runs the same.
SESSIONS = [
    "CREATE MACRO add(a, b := 5) AS a + b; SELECT add(1) a, add(1, 2) b, add(1, b := 7) c, add(b := 3, a := 1) d",
    "CREATE MACRO big(n) AS TABLE SELECT * FROM t WHERE id > n; SELECT id FROM big(3)",
    "CREATE MACRO big(n := 2) AS TABLE SELECT * FROM t WHERE id > n; SELECT b.id FROM big() b JOIN u ON b.id = u.id",
    "CREATE FUNCTION f(a) AS a, (a, b) AS a * b; SELECT f(2) x, f(2, 3) y",
    "CREATE MACRO s(c) AS sum(c) FILTER (c > 1); SELECT s(id) x, k FROM t GROUP BY k",
    "CREATE MACRO m(k) AS k * 2; SELECT m(id) AS a, k FROM t",
    "CREATE MACRO m(a) AS (SELECT max(u.k) FROM u WHERE u.id = a); SELECT id, m(id) AS x FROM t",
    "CREATE MACRO m(a) AS sum(a) OVER (ORDER BY a); SELECT m(id) AS x FROM t",
    "CREATE MACRO one() AS 1; CREATE MACRO two() AS one() + 1; SELECT two() AS x",
    "CREATE MACRO m(a, b) AS a || b; CREATE OR REPLACE MACRO m(a, b) AS b || a; SELECT m('x', 'y') AS x",
    "CREATE MACRO m() AS 1; DROP MACRO m; CREATE MACRO m() AS 2; DROP MACRO IF EXISTS nix; SELECT m() AS x",
    "CREATE MACRO up(n) AS TABLE WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < n) SELECT i FROM r; SELECT * FROM up(4)",
    "PREPARE q AS SELECT $1 + $2 AS a; EXECUTE q(1, 2)",
    "PREPARE q AS SELECT id FROM t WHERE id > ? ORDER BY id LIMIT ?; EXECUTE q(1, 2)",
    "PREPARE q AS SELECT $a AS x, $b AS y; EXECUTE q(b := 'z', a := 2)",
    "PREPARE q AS SELECT id FROM t WHERE s = $1 OR d = $2; EXECUTE q('a', DATE '2024-01-02')",
    "PREPARE q AS PIVOT sales ON yr USING sum(amount) GROUP BY region; EXECUTE q",
    "SET default_null_order = 'nulls_first'; SELECT k FROM t ORDER BY k LIMIT 2",
    "SET default_null_order = 'nulls_first'; RESET default_null_order; SELECT k FROM t ORDER BY k LIMIT 2",
    "SET default_null_order = 'postgres'; SELECT k FROM t ORDER BY k DESC LIMIT 2",
    "SET default_order = 'desc'; SELECT id FROM t ORDER BY id LIMIT 2",
    "SET threads = 1; SELECT current_setting('threads') AS a",
]


@pytest.mark.parametrize("text", SESSIONS)
def test_a_session_keeps_what_its_statements_say(text, lake):
    connection = duckdb.connect()
    for statement in SETUP:
        connection.execute(statement)
    *before, last = text.split("; ")
    for statement in before:
        connection.execute(statement)
    expected = connection.execute(last)
    names = [column[0] for column in expected.description]
    table = lake.table(text)
    assert table.column_names == names
    rows = comparable(zip(*[column.to_pylist() for column in table.columns]))
    assert sorted(rows, key=repr) == sorted(comparable(expected.fetchall()), key=repr)


def test_a_prepared_statement_may_write_and_be_forgotten(lake):
    lake.execute("CREATE TABLE written (a int, b varchar); PREPARE w AS INSERT INTO written VALUES ($1, $2); EXECUTE w(1, 'x'); EXECUTE w(2, NULL)")
    assert sorted(lake.rows("SELECT * FROM written")) == [(1, "x"), (2, None)]
    assert 'no prepared statement "w"' in lake.error("PREPARE w AS SELECT 1; DEALLOCATE w; EXECUTE w")
    assert 'no prepared statement "w"' in lake.error("PREPARE w AS SELECT 1; DEALLOCATE ALL; EXECUTE w")


def test_types_of_parameters_convert_what_is_given(lake):
    assert lake.rows("PREPARE p (date, double) AS SELECT $1, $2; EXECUTE p('2024-05-01', 1)") == [(datetime.date(2024, 5, 1), 1.0)]


def test_settings_are_shown_set_and_reset(lake):
    assert lake.rows("SET threads = 3; SHOW threads") == [("3",)]
    assert lake.rows("PRAGMA threads = 3; PRAGMA threads") == [("3",)]
    assert lake.rows("SET memory_limit = '256MiB'; SHOW max_memory") == [("256.0 MiB",)]
    assert lake.rows("SET TIME ZONE 'UTC'; SHOW timezone") == [("UTC",)]
    assert lake.rows("SET null_order = 'nulls_first'; RESET ALL; SHOW null_order") == [("nulls_last",)]
    assert {"threads", "TimeZone", "default_null_order"} <= {name for name, _, _ in lake.rows("SHOW ALL")}
    assert lake.rows("SELECT current_setting('nix', true) AS a") == [(None,)]
    with pytest.raises(VarveError, match="memory"):
        lake.sql("SET memory_limit = '16MB'; SELECT median(i) FROM range(5000000) r(i)")


def test_summarize_counts_what_is_there(lake):
    rows = {row[0]: row[1:] for row in lake.rows("SUMMARIZE u")}
    assert rows["id"][:6] == ("INTEGER", "1", "7", 3, "3.0", "2.8284271247461903")
    assert rows["v"] == ("VARCHAR", "x", "z", 3, None, None, None, None, None, 4, decimal.Decimal("25.00"))
    assert lake.rows("SELECT column_name, max FROM (SUMMARIZE SELECT s AS a FROM t) WHERE count > 0") == [("a", "é")]
    assert lake.rows("SELECT count FROM (SUMMARIZE none)") == [(0,), (0,)]
    assert lake.rows("SELECT column_name FROM (DESCRIBE PIVOT sales ON kind USING sum(amount) GROUP BY region)") == [("region",), ("p",), ("q",)]


def test_a_plan_says_what_recursions_and_samples_do(lake):
    plan = "\n".join(row[0] for row in lake.rows("EXPLAIN WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) FROM n TABLESAMPLE 50%"))
    assert "Recursion" in plan and "Working table" in plan and "Draw numbers" in plan
