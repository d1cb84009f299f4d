"""EXPLAIN ANALYZE runs the query and says of each operator how many rows it gave."""
import re

import pytest

QUERIES = [
    ("SELECT * FROM t WHERE a % 10 = 0", "Scan", 2000),
    ("SELECT b, count(*) FROM t GROUP BY b", "Aggregate", 7),
    ("SELECT count(*) FROM t x JOIN t y ON x.a = y.a + 1", "Inner join", 19_999),
    ("SELECT * FROM t WHERE a IN (SELECT b FROM t)", "Semi join", 7),
    ("SELECT * FROM t ORDER BY b, a LIMIT 5", "Top 5", 5),
    ("SELECT *, row_number() OVER (PARTITION BY b ORDER BY a) FROM t", "Window", 20_000),
    ("SELECT a FROM t UNION ALL SELECT b FROM t", "Union", 40_000),
    ("SELECT DISTINCT b FROM t", "Distinct", 7),
    ("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT sum(n) FROM r", "Recursion", 9),
]


@pytest.fixture(scope="module")
def lake(module_varve):
    module_varve.execute("CREATE TABLE t AS SELECT range AS a, range % 7 AS b FROM range(20000)")
    return module_varve


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("query, operator, rows", QUERIES)
def test_rows_of_operators_are_counted(lake, threads, query, operator, rows):
    lines = [line for line, in lake.rows(f"EXPLAIN ANALYZE {query}", "--threads", str(threads))]
    found = [line for line in lines if line.lstrip().startswith(operator)]
    assert found and int(re.search(r"\((\d+) rows, [\d.]+ ms\)$", found[0])[1]) == rows, "\n".join(lines)
    # The first operator gives the result.
    wanted = len(lake.rows(query))
    assert f"({wanted} rows" in lines[0]
    assert "files" in lines[-1] and f"on {threads} thread" in lines[-2]


def test_a_plan_is_shown_whole(lake):
    text = lake.run("sql", "EXPLAIN SELECT " + ", ".join(f"a + {n} AS column_{n}" for n in range(40)) + " FROM t").stdout.decode()
    assert "column_39" in text and "│" not in text
