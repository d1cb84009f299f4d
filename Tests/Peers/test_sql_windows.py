"""Window functions, grouping sets and the richer aggregates, in varve and in DuckDB: the rows must be the same."""
import random

import pytest

from test_sql_oracle import assert_agree, data, oracle  # noqa: F401  (fixtures)

QUERIES = {
    "ranks": [
        "SELECT id, row_number() OVER (ORDER BY k, id) AS a, rank() OVER (ORDER BY k) AS b, dense_rank() OVER (ORDER BY k) AS c FROM {l}",
        "SELECT id, percent_rank() OVER (PARTITION BY t ORDER BY k) AS a, cume_dist() OVER (PARTITION BY t ORDER BY k) AS b FROM {l}",
        "SELECT id, ntile(7) OVER (PARTITION BY t ORDER BY id) AS a, ntile(1000) OVER (ORDER BY id) AS b FROM {l}", "SELECT id, rank() OVER (ORDER BY n DESC) AS a, rank() OVER (ORDER BY x NULLS FIRST) AS b FROM {l}",
        "SELECT id, rank() OVER (PARTITION BY s ORDER BY e DESC, k NULLS FIRST) AS a FROM {l}", "SELECT id, rank() OVER () AS a, dense_rank() OVER (PARTITION BY k) AS b FROM {l}", "SELECT k, row_number() OVER (ORDER BY k) AS a FROM {none}",
        "SELECT id, ntile(k) OVER (ORDER BY id) AS a FROM {l} WHERE k > 0",
    ],
    "other rows": [
        "SELECT id, lag(s) OVER (ORDER BY id) AS a, lead(s) OVER (ORDER BY id) AS b, lag(k, 3) OVER (PARTITION BY t ORDER BY id) AS c, lead(k, 2, -1) OVER (PARTITION BY t ORDER BY id) AS d FROM {l}",
        "SELECT id, lag(k, 0) OVER (ORDER BY id) AS a, lag(k, -2) OVER (ORDER BY id) AS b, lead(k, id) OVER (ORDER BY id) AS c, lag(i, 1, id) OVER (PARTITION BY f ORDER BY id) AS d FROM {l}",
        "SELECT id, lag(k IGNORE NULLS) OVER (ORDER BY id) AS a, lead(k, 2 IGNORE NULLS) OVER (PARTITION BY t ORDER BY id) AS b FROM {l}",
        "SELECT id, first_value(s) OVER (PARTITION BY t ORDER BY id) AS a, last_value(s) OVER (PARTITION BY t ORDER BY id) AS b, nth_value(s, 3) OVER (PARTITION BY t ORDER BY id) AS c FROM {l}",
        "SELECT id, first_value(k IGNORE NULLS) OVER (ORDER BY id ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING) AS a, last_value(k IGNORE NULLS) OVER (ORDER BY id ROWS BETWEEN 1 FOLLOWING AND 4 FOLLOWING) AS b FROM {l}",
        "SELECT id, nth_value(k, 2 IGNORE NULLS) OVER (PARTITION BY t ORDER BY id ROWS BETWEEN 3 PRECEDING AND 3 FOLLOWING EXCLUDE CURRENT ROW) AS a FROM {l}", "SELECT id, last_value(id) OVER (ORDER BY k, id) AS a, nth_value(id, id + 1) OVER (ORDER BY id) AS b FROM {l}",
    ],
    "aggregates": [
        f"SELECT id, {call} OVER ({window}) AS a FROM {{l}}"
        for call in ["count(*)", "count(k)", "sum(k)", "sum(d)", "avg(i)", "min(s)", "max(n)", "min(e)", "max(b)", "sum(b // 1000)", "bool_and(f)", "bool_or(f)", "any_value(k)", "count(*) FILTER (WHERE f)", "sum(k) FILTER (WHERE t = 'red')", "var_samp(k)", "stddev_pop(i % 100)", "max(t) FILTER (WHERE k > 5)"]
        for window in ["PARTITION BY t ORDER BY id", "ORDER BY k", "PARTITION BY k", "", "ORDER BY id ROWS BETWEEN 5 PRECEDING AND 2 FOLLOWING", "PARTITION BY t ORDER BY k DESC RANGE BETWEEN 3 PRECEDING AND 1 FOLLOWING"]
    ] + [
        "SELECT id, count(DISTINCT k) OVER (PARTITION BY t) AS a, sum(DISTINCT k) OVER (PARTITION BY t ORDER BY id) AS b FROM {l}", "SELECT id, count(DISTINCT s) OVER (ORDER BY id ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS a FROM {l}",
        "SELECT id, median(k) OVER (PARTITION BY t) AS a, string_agg(s, '-') OVER (PARTITION BY k ORDER BY id) AS b FROM {l}", "SELECT id, first(k) OVER (PARTITION BY t ORDER BY id) AS a, last(k) OVER (PARTITION BY t ORDER BY id) AS b FROM {l}",
        "SELECT id, quantile_cont(i, 0.25) OVER (ORDER BY id ROWS BETWEEN 7 PRECEDING AND CURRENT ROW) AS a FROM {l}",
    ],
    "frames": [
        f"SELECT id, {call} OVER ({window}) AS a FROM {{l}}"
        for call in ["sum(k)", "min(s)", "count(*)", "first_value(id)"]
        for window in [
            f"PARTITION BY f ORDER BY {order} {unit} BETWEEN {bounds} {exclude}"
            for order, unit, bounds in [
                ("id", "ROWS", "UNBOUNDED PRECEDING AND 3 PRECEDING"), ("id", "ROWS", "2 FOLLOWING AND UNBOUNDED FOLLOWING"), ("id", "ROWS", "CURRENT ROW AND CURRENT ROW"), ("id", "ROWS", "5 PRECEDING AND 3 PRECEDING"),
                ("k, id", "GROUPS", "2 PRECEDING AND CURRENT ROW"), ("k, id", "GROUPS", "1 FOLLOWING AND 3 FOLLOWING"), ("id", "RANGE", "10 PRECEDING AND 5 FOLLOWING"), ("id DESC", "RANGE", "10 PRECEDING AND 5 FOLLOWING"),
                ("id", "RANGE", "UNBOUNDED PRECEDING AND 7 PRECEDING"), ("id", "RANGE", "CURRENT ROW AND UNBOUNDED FOLLOWING")]
            for exclude in ["", "EXCLUDE CURRENT ROW", "EXCLUDE GROUP", "EXCLUDE TIES"]]
    ] + [
        f"SELECT id, {call} OVER (ORDER BY {order} {frame}) AS a FROM {{l}}"
        for call in ["sum(k)", "count(*)", "max(i)"]
        for order, frame in [
            ("k", "RANGE BETWEEN 2 PRECEDING AND 2 FOLLOWING"), ("k NULLS FIRST", "RANGE BETWEEN 2 PRECEDING AND 2 FOLLOWING"), ("k DESC NULLS FIRST", "RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING"), ("k", "GROUPS BETWEEN 2 PRECEDING AND 1 FOLLOWING EXCLUDE TIES"),
            ("k", "RANGE BETWEEN 2 PRECEDING AND CURRENT ROW EXCLUDE GROUP"), ("e", "RANGE BETWEEN INTERVAL 1 YEAR PRECEDING AND INTERVAL 30 DAY FOLLOWING"), ("m DESC", "RANGE BETWEEN INTERVAL 1 YEAR PRECEDING AND CURRENT ROW"), ("d", "RANGE BETWEEN 1.5 PRECEDING AND 0.25 FOLLOWING"),
            ("x", "RANGE BETWEEN 2.5 PRECEDING AND 1 FOLLOWING"), ("k", "GROUPS CURRENT ROW"), ("i // 7", "RANGE BETWEEN 10 PRECEDING AND 10 FOLLOWING"), ("b", "RANGE 10 PRECEDING")]
    ],
    "frames over constants": [
        f"SELECT id, sum(k) OVER (PARTITION BY f ORDER BY {order} RANGE BETWEEN {bounds}) AS a FROM {{l}}"
        for order in ["1", "1 DESC", "abs(-2)", "CAST(NULL AS INTEGER)", "DATE '2024-01-01'"]
        for bounds in (["INTERVAL 1 DAY PRECEDING AND CURRENT ROW"] if "DATE" in order else ["1 FOLLOWING AND 4 FOLLOWING", "1 PRECEDING AND 4 FOLLOWING", "0 PRECEDING AND UNBOUNDED FOLLOWING"])
    ],
    "the first of each partition": [
        f"SELECT id, t, k, {call} OVER (PARTITION BY {by} ORDER BY {order}) AS r FROM {{l}} QUALIFY r {test}"
        for call, order in [("row_number()", "k DESC, id"), ("row_number()", "x NULLS FIRST, id"), ("row_number()", "s, n DESC, id"), ("rank()", "k"), ("rank()", "x DESC"), ("rank()", "n, t"), ("rank()", "b DESC NULLS LAST, s"), ("rank()", "s DESC")]
        for by in ["t", "k", "f, t", "x", "s"]
        for test in ["= 1", "<= 3", "< 3", "BETWEEN 2 AND 4", "IN (1, 5)", "<= 0"]
    ] + [
        "SELECT id, t FROM (SELECT id, t, k, row_number() OVER (PARTITION BY t ORDER BY k, id) AS r FROM {l}) AS q WHERE 2 >= r AND k > 3", "SELECT id, row_number() OVER (ORDER BY x DESC, id) AS r FROM {l} QUALIFY r <= 7", "SELECT id, rank() OVER (ORDER BY n DESC) AS r FROM {l} QUALIFY r <= 7",
        "SELECT count(*) AS n, count(DISTINCT t) AS m FROM (SELECT t FROM {l} QUALIFY row_number() OVER (PARTITION BY t) = 1) AS q", "SELECT count(*) AS n FROM (SELECT 1 FROM {l} QUALIFY row_number() OVER () <= 5) AS q",
        "SELECT id, row_number() OVER w AS a, rank() OVER w AS b, dense_rank() OVER w AS c FROM {l} WINDOW w AS (PARTITION BY t ORDER BY k, id) QUALIFY a <= 4", "SELECT id, rank() OVER w AS b, sum(k) OVER w AS s FROM {l} WINDOW w AS (PARTITION BY t ORDER BY k) QUALIFY b <= 2",
        "SELECT id, rank() OVER w AS b, dense_rank() OVER w AS c FROM {l} WINDOW w AS (PARTITION BY t ORDER BY k) QUALIFY b <= 5 AND c <= 2", "SELECT k FROM {none} QUALIFY row_number() OVER (PARTITION BY k ORDER BY k) = 1",
    ],
    "where windows stand": [
        "SELECT t, id FROM {l} QUALIFY row_number() OVER (PARTITION BY t ORDER BY id) <= 2", "SELECT t, id, row_number() OVER w AS r FROM {l} WINDOW w AS (PARTITION BY t ORDER BY id) QUALIFY r < 4",
        "SELECT id, sum(k) OVER (w ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS a, count(*) OVER (w2) AS b FROM {l} WINDOW w AS (PARTITION BY t ORDER BY id), w2 AS (PARTITION BY f)",
        "SELECT t, count(*) AS n, sum(count(*)) OVER (ORDER BY t) AS s, rank() OVER (ORDER BY count(*) DESC, t) AS r FROM {l} GROUP BY t", "SELECT id FROM {l} ORDER BY row_number() OVER (ORDER BY id DESC) LIMIT 5 -- ordered",
        "SELECT * FROM (SELECT t, id, row_number() OVER (PARTITION BY t ORDER BY id) AS r FROM {l}) AS q WHERE r = 1 AND t <> 'red'", "SELECT id, sum(k) OVER (ORDER BY id) - lag(k) OVER (ORDER BY id) AS a FROM {l}",
        "SELECT DISTINCT t, count(*) OVER (PARTITION BY t) AS n FROM {l}", "SELECT id, (SELECT count(*) FROM {r} AS r WHERE r.k = l.k) AS n, rank() OVER (ORDER BY (SELECT count(*) FROM {r} AS r WHERE r.k = l.k)) AS a FROM {l} AS l",
        "SELECT id, (SELECT max(a) FROM (SELECT row_number() OVER (ORDER BY v) AS a FROM {r} AS r WHERE r.k = l.k) AS q) AS m FROM {l} AS l", "SELECT k, sum(v) FROM {r} GROUP BY k QUALIFY rank() OVER (ORDER BY sum(v) DESC NULLS LAST) < 4",
    ],
    "grouping sets": [
        "SELECT t, f, count(*) AS n, sum(k) AS s FROM {l} GROUP BY ROLLUP (t, f)", "SELECT t, f, count(*) AS n FROM {l} GROUP BY CUBE (t, f)", "SELECT t, f, count(*) AS n, grouping(t), grouping(f), grouping(t, f) FROM {l} GROUP BY GROUPING SETS ((t), (f), ())",
        "SELECT t, f, k % 3 AS m, count(*) AS n FROM {l} GROUP BY t, ROLLUP (f, k % 3)", "SELECT count(*) AS n FROM {none} GROUP BY ROLLUP (k)", "SELECT k, count(*) AS n FROM {none} GROUP BY CUBE (k, c)",
        "SELECT t, count(*) AS n FROM {l} GROUP BY GROUPING SETS ((t), (t))", "SELECT t, sum(count(*)) OVER (PARTITION BY grouping(t)) AS n FROM {l} GROUP BY ROLLUP (t)", "SELECT coalesce(t, 'all') AS t, count(*) AS n FROM {l} GROUP BY ROLLUP (t) HAVING count(*) > 80 ORDER BY n, t -- ordered",
        "SELECT t, f, avg(x), count(DISTINCT k) FROM {l} GROUP BY GROUPING SETS (ROLLUP (t), CUBE (f))", "SELECT t, upper(t) AS u, count(*) FROM {l} GROUP BY ROLLUP (t, upper(t))", "SELECT count(*) FROM {l} GROUP BY ()",
        "SELECT rpad(t, 3, '*') || t || 'x' AS u, (substring(t, 1) || t) || upper(rpad(t, 3, '*') || t) AS v, count(*) FROM {l} GROUP BY rpad(t, 3, '*') || t, substring(t, 1) || t",
    ],
    "richer aggregates": [
        "SELECT t, string_agg(s, ',' ORDER BY id) AS a, string_agg(DISTINCT s, '|' ORDER BY s DESC) AS b FROM {l} GROUP BY t", "SELECT t, first(k ORDER BY id) AS a, last(k ORDER BY id) AS b, any_value(k ORDER BY id DESC) AS c FROM {l} GROUP BY t",
        "SELECT t, median(k) AS a, median(CAST(d AS DOUBLE)) AS b, quantile_cont(k, 0.3) AS c, quantile_disc(k, 0.3) AS d, quantile_disc(e, 0.9) AS e FROM {l} GROUP BY t", "SELECT median(i), quantile_cont(x, 0.75) FROM {l} WHERE x < 1000",
        "SELECT arg_max(id, i * 1000 + id), arg_min(id, id), max_by(s, id), min_by(t, id) FROM {l} WHERE i < 1000 AND i > -1000", "SELECT t, arg_max(s, id) AS a, arg_min(k, id) AS b FROM {l} GROUP BY t",
        "SELECT t, corr(k, id) AS a, covar_pop(k, id) AS b, covar_samp(k, i % 10) AS c FROM {l} GROUP BY t", "SELECT covar_samp(k, id), corr(k, id) FROM {l} WHERE id < 1", "SELECT bit_and(k), bit_or(k), bit_xor(k), bit_or(b) FROM {l}",
        "SELECT t, product(k % 3 + 1) AS p, count_if(k > 5) AS c FROM {l} WHERE id < 60 GROUP BY t", "SELECT k, mode(t) AS m FROM (SELECT k, t, count(*) AS n FROM {l} WHERE t IS NOT NULL GROUP BY k, t QUALIFY row_number() OVER (PARTITION BY k ORDER BY n DESC, t) = 1) AS q GROUP BY k",
        "SELECT percentile_cont(0.4) WITHIN GROUP (ORDER BY k), percentile_disc(0.4) WITHIN GROUP (ORDER BY k) FROM {l}", "SELECT stddev(k), variance(k), stddev_pop(k), var_pop(i % 7) FROM {l}", "SELECT string_agg(c, '') FROM {none}",
        "SELECT sum(k ORDER BY id), count(k ORDER BY id), string_agg(t, '' ORDER BY k DESC NULLS LAST, id) FROM {l}",
    ],
    "choosing rows": [
        "SELECT DISTINCT ON (t) t, id FROM {l} ORDER BY t, id", "SELECT DISTINCT ON (t, f) t, f, k FROM {l} ORDER BY t, f, id DESC", "SELECT DISTINCT ON (1) k % 3 AS m, id FROM {l} ORDER BY id DESC LIMIT 3", "SELECT DISTINCT ON (t) t, count(*) AS n FROM {l} GROUP BY t, f ORDER BY t, n DESC",
        "SELECT k AS a, a + 1 AS b, b * 2 AS c FROM {l}", "SELECT k FROM {l} UNION ALL BY NAME SELECT v, k FROM {r}", "SELECT k, 'x' AS w FROM {l} UNION BY NAME SELECT c AS w, k FROM {r}",
        "SELECT * FROM {l} AS l FULL JOIN {r} AS r USING (k)", "SELECT k, count(*) FROM {l} AS l FULL JOIN {r} AS r USING (k) GROUP BY k", "SELECT k, id, v FROM (SELECT id, k FROM {l}) AS l NATURAL JOIN {r} AS r",
        "SELECT mod(id, 7), if(f, 1, 2), log(2, id + 1) FROM {l}", "SELECT id FROM {l} ORDER BY id LIMIT 10 PERCENT -- ordered", "SELECT a, a_1 FROM (SELECT k AS a, v AS a FROM {r}) AS q",
        "SELECT k FROM {l} UNION SELECT c FROM {r}", "SELECT id & 6, id | 8, xor(id, 5), id << 2, id >> 1, ~id FROM {l}", "SELECT bit_length(s), sinh(k), tanh(k), e + to_days(k), yearweek(e) FROM {l}",
        "SELECT id FROM {l} WHERE k AND id % 2", "SELECT l.id, r.v FROM {l} AS l LEFT JOIN {r} AS r ON l.k = r.k AND r.v > (SELECT avg(v) FROM {r} AS s WHERE s.k = l.k)",
        "SELECT l.id, r.v FROM {l} AS l RIGHT JOIN {r} AS r ON l.k = r.k AND l.id > (SELECT count(*) FROM {l} AS s WHERE s.k = r.k)",
    ],
    "asof joins": [
        "SELECT l.id, q.v, q.n FROM {l} AS l ASOF JOIN (SELECT v, max(k) AS n FROM {r} GROUP BY v) AS q ON l.i >= q.v", "SELECT l.id, q.v FROM {l} AS l ASOF LEFT JOIN (SELECT DISTINCT v FROM {r}) AS q ON l.i > q.v",
        "SELECT l.id, q.k, q.v FROM {l} AS l ASOF JOIN (SELECT DISTINCT k, v FROM {r}) AS q ON l.k = q.k AND l.id >= q.v", "SELECT l.id, q.k, q.v FROM {l} AS l ASOF LEFT JOIN (SELECT DISTINCT k, v FROM {r}) AS q ON l.k = q.k AND l.id < q.v",
        "SELECT l.id, q.v FROM {l} AS l ASOF LEFT JOIN (SELECT DISTINCT k, v FROM {r}) AS q ON l.k = q.k AND q.v >= l.id", "SELECT k, id, v FROM (SELECT k, id, i AS v FROM {l} WHERE i IS NOT NULL) AS l ASOF JOIN (SELECT DISTINCT k, v FROM {r} WHERE v IS NOT NULL) AS q USING (k, v)",
        "SELECT l.id, q.m FROM {l} AS l ASOF LEFT JOIN (SELECT DISTINCT m FROM {l} WHERE f) AS q ON l.m >= q.m", "SELECT count(*) FROM {l} AS l ASOF LEFT JOIN {none} AS q ON l.i >= q.v", "SELECT l.id, q.n FROM {l} AS l ASOF JOIN (SELECT DISTINCT n FROM {l}) AS q ON l.x >= q.n",
    ],
}


@pytest.mark.parametrize("topic", QUERIES)
def test_windows_and_aggregates_give_the_rows_of_duckdb_for(topic, module_varve, oracle, data):  # noqa: F811
    assert_agree(module_varve, oracle, data, QUERIES[topic])


class Maker:
    """Random windows over rows in a known order, each decided by its seed."""

    def __init__(self, seed):
        self.chance = random.Random(f"windows/{seed}")

    def one(self, *choices):
        return self.chance.choice(choices)

    def bounds(self):
        """Frames that do not begin behind their end: of those DuckDB counts less than no rows."""
        near, far = self.one("0", "1", "3"), self.one("3", "7", "50")
        return self.one("UNBOUNDED PRECEDING AND CURRENT ROW", "CURRENT ROW AND UNBOUNDED FOLLOWING", f"UNBOUNDED PRECEDING AND {near} PRECEDING", f"{far} PRECEDING AND {near} PRECEDING",
                        f"{near} FOLLOWING AND {far} FOLLOWING", f"{far} PRECEDING AND {far} FOLLOWING", f"{near} FOLLOWING AND UNBOUNDED FOLLOWING", f"{near} PRECEDING AND CURRENT ROW", f"CURRENT ROW AND {near} FOLLOWING",
                        "UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING", f"{near} PRECEDING AND UNBOUNDED FOLLOWING")

    def query(self):
        unit = self.one("ROWS", "RANGE", "GROUPS")
        partition = self.one("", "PARTITION BY t ", "PARTITION BY k % 4, f ")
        # Only frames whose rows do not depend on the order of equal keys.
        order = "id" if unit == "ROWS" else self.one("id", "k", "k DESC", "i // 7", "length(s)") if unit == "RANGE" else self.one("id", "k", "s")
        frame = f"{unit} BETWEEN {self.bounds()} {self.one('', '', 'EXCLUDE CURRENT ROW', 'EXCLUDE GROUP', 'EXCLUDE TIES')}"
        call = self.one("count(*)", "sum(k)", "avg(i)", "min(t)", "max(e)", "sum(d)", "count(s)", "bool_or(f)", "max(id)", "min(x)", "stddev_samp(k)", "sum(k) FILTER (WHERE f)")
        return f"SELECT id, {call} OVER ({partition}ORDER BY {order} {frame}) AS a FROM {{l}}"


@pytest.mark.parametrize("start", range(0, 150, 50))
def test_random_frames_give_the_rows_of_duckdb(start, module_varve, oracle, data):  # noqa: F811
    assert_agree(module_varve, oracle, data, [Maker(seed).query() for seed in range(start, start + 50)])


@pytest.mark.parametrize("query, rows", [
    ("SELECT (f AND k > 3) AND (f AND k > 3) AS a, count(*) AS n FROM {t} GROUP BY f AND k > 3 ORDER BY a", [(False, 2), (True, 1)]),
    ("SELECT s, ((f OR k > 3) OR s = 'x') AND count(*) = 1 AS a FROM {t} GROUP BY f OR k > 3, s ORDER BY s", [("x", True), ("y", True), ("z", False)]),
    ("SELECT f AND k > 3 AS a FROM {t} GROUP BY f AND k > 3 HAVING count(*) > 0 AND (f AND k > 3)", [(True,)]),
])
def test_a_condition_that_is_grouped_by_is_found_inside_a_longer_one(module_varve, query, rows):
    """DuckDB takes the longer one apart and refuses it."""
    assert module_varve.rows(query.format(t="(VALUES (TRUE, 4, 'x'), (FALSE, 2, 'z'), (TRUE, 1, 'y')) AS t(f, k, s)")) == rows
