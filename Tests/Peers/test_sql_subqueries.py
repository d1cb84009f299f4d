"""Subqueries that look at the query around them, in varve and in DuckDB: the rows must be the same."""
import random

import pytest

from test_sql_oracle import assert_agree, data, oracle, rows_of  # noqa: F401  (fixtures)

QUERIES = {
    "scalar": [
        "SELECT id, (SELECT max(v) FROM {r} AS r WHERE r.k = l.k) AS m FROM {l} AS l",
        "SELECT id, (SELECT count(*) FROM {r} AS r WHERE r.k = l.k) AS n FROM {l} AS l",
        "SELECT id, (SELECT count(v) + 1 FROM {r} AS r WHERE r.k = l.k AND r.v > l.id) AS n FROM {l} AS l",
        "SELECT id, (SELECT coalesce(sum(v), -1) FROM {r} AS r WHERE r.k = l.k) AS n FROM {l} AS l",
        "SELECT id, (SELECT sum(v) FROM {r} AS r WHERE r.v < l.id) AS n FROM {l} AS l WHERE id < 60",
        "SELECT id, (SELECT count(*) FROM {r} AS r WHERE r.v < l.i OR r.k = l.k) AS n FROM {l} AS l",
        "SELECT id, (SELECT l.id + 1) AS n FROM {l} AS l", "SELECT id, (SELECT l.k WHERE l.f) AS n FROM {l} AS l",
        "SELECT id, (SELECT max(v) + l.k FROM {r} AS r WHERE r.c = l.t) AS n FROM {l} AS l",
        "SELECT id, (SELECT count(*) FROM {r} AS r WHERE r.k IS NOT DISTINCT FROM l.k) AS n FROM {l} AS l",
        "SELECT id, (SELECT count(*) FROM {none} AS r WHERE r.k = l.k) AS n FROM {l} AS l",
        "SELECT id, (SELECT count(*) FROM {r} AS r WHERE r.k = l.k HAVING count(*) > 2) AS n FROM {l} AS l",
        "SELECT id, (SELECT max(v) FROM {r} AS r WHERE r.k = l.k AND r.c = l.t) AS m FROM {l} AS l",
        "SELECT id, (SELECT avg(v) FROM {r} AS r WHERE r.k + 1 = l.k + 1) AS m FROM {l} AS l",
        "SELECT id FROM {l} AS l WHERE i > (SELECT avg(i) FROM {l} AS m WHERE m.k = l.k)",
        "SELECT id FROM {l} AS l WHERE 3 < (SELECT count(*) FROM {r} AS r WHERE r.k = l.k)",
        "SELECT id FROM {l} AS l WHERE 0 = (SELECT count(*) FROM {r} AS r WHERE r.k = l.k)",
        "SELECT id, (SELECT v FROM {r} AS r WHERE r.k = l.k) AS m FROM {l} AS l WHERE id < 0",
        "SELECT id, (SELECT DISTINCT r.c FROM {r} AS r WHERE r.c = l.t) AS m FROM {l} AS l",
        "SELECT id, (SELECT count(*) FROM (SELECT r.k FROM {r} AS r WHERE r.k = l.k UNION ALL SELECT r.k FROM {r} AS r WHERE r.v = l.id) AS u) AS n FROM {l} AS l",
        "SELECT id, (SELECT count(*) FROM (SELECT r.k FROM {r} AS r WHERE r.k = l.k INTERSECT SELECT r.k FROM {r} AS r WHERE r.v > l.id) AS u) AS n FROM {l} AS l",
        "SELECT id, (SELECT max(a) FROM (VALUES (l.id), (l.k), (l.i)) AS v(a)) AS m FROM {l} AS l",
        "SELECT id, (SELECT sum(q) FROM (SELECT count(*) AS q FROM {r} AS r WHERE r.k = l.k GROUP BY r.c) AS z) AS m FROM {l} AS l",
        "SELECT k, (SELECT max(v) FROM {r} AS r WHERE r.k = l.k) AS m, count(*) AS n FROM {l} AS l GROUP BY k",
        "SELECT k, count(*) AS n FROM {l} AS l GROUP BY k HAVING count(*) > (SELECT count(*) FROM {r} AS r WHERE r.k = l.k)",
        "SELECT sum((SELECT max(v) FROM {r} AS r WHERE r.k = l.k)) AS m FROM {l} AS l",
        "SELECT t, sum((SELECT count(*) FROM {r} AS r WHERE r.k = l.k)) AS m FROM {l} AS l GROUP BY t",
        "SELECT id FROM {l} AS l ORDER BY (SELECT count(*) FROM {r} AS r WHERE r.k = l.k), id -- ordered",
        "SELECT CASE WHEN f THEN (SELECT min(v) FROM {r} AS r WHERE r.k = l.k) ELSE id END AS c FROM {l} AS l",
        "SELECT id, (SELECT max(x) FROM {l} AS m WHERE m.x = l.x) AS m FROM {l} AS l", "SELECT id, (SELECT count(*) FROM {l} AS m WHERE m.n = l.n) AS m FROM {l} AS l",
        "SELECT id, (SELECT count(*) FROM {l} AS m WHERE m.s = l.s AND m.e = l.e) AS m FROM {l} AS l",
        "SELECT id, (SELECT r.v FROM {r} AS r WHERE r.k = l.k ORDER BY r.v DESC NULLS LAST, r.c LIMIT 1) AS m FROM {l} AS l",
        "SELECT id, (SELECT r.v FROM {r} AS r WHERE r.k = l.k ORDER BY r.v, r.c LIMIT 1 OFFSET 1) AS m FROM {l} AS l",
        "SELECT id, (SELECT sum(v) FROM (SELECT v FROM {r} AS r WHERE r.k = l.k ORDER BY v LIMIT 2) AS q) AS m FROM {l} AS l",
    ],
    "exists": [
        "SELECT id FROM {l} AS l WHERE EXISTS (SELECT 1 FROM {r} AS r WHERE r.k = l.k)", "SELECT id FROM {l} AS l WHERE NOT EXISTS (SELECT 1 FROM {r} AS r WHERE r.k = l.k)",
        "SELECT id FROM {l} AS l WHERE EXISTS (SELECT 1 FROM {r} AS r WHERE r.k = l.k AND r.v > l.id)", "SELECT id FROM {l} AS l WHERE NOT EXISTS (SELECT * FROM {r} AS r WHERE r.k = l.k AND r.v <> l.i)",
        "SELECT id FROM {l} AS l WHERE EXISTS (SELECT 1 FROM {r} AS r WHERE r.v > l.id)", "SELECT id, EXISTS (SELECT 1 FROM {r} AS r WHERE r.k = l.k) AS e FROM {l} AS l",
        "SELECT id FROM {l} AS l WHERE EXISTS (SELECT 1 FROM {r} AS r WHERE r.k = l.k) OR f", "SELECT id FROM {l} AS l WHERE EXISTS (SELECT max(v) FROM {r} AS r WHERE r.k = l.k)",
        "SELECT id FROM {l} AS l WHERE EXISTS (SELECT max(v) FROM {r} AS r WHERE r.k = l.k HAVING count(*) > 3)", "SELECT id FROM {l} AS l WHERE EXISTS (SELECT r.c FROM {r} AS r WHERE r.k = l.k GROUP BY r.c HAVING count(*) > 1)",
        "SELECT id FROM {l} AS l WHERE EXISTS (SELECT 1 FROM {r} AS r WHERE r.k = l.k LIMIT 0)", "SELECT id FROM {l} AS l WHERE EXISTS (SELECT 1 FROM {r} AS r WHERE l.f)",
        "SELECT id FROM {l} AS l WHERE EXISTS (SELECT 1 FROM {r} AS r WHERE r.k = l.k OFFSET 2)", "SELECT id FROM {l} AS l WHERE EXISTS (SELECT 1 WHERE l.k = 3)",
        "SELECT id FROM {l} AS l WHERE EXISTS (SELECT 1 FROM {r} AS r WHERE r.k = l.k AND EXISTS (SELECT 1 FROM {r} AS s WHERE s.c = r.c AND s.v > l.id))",
        "SELECT id FROM {l} AS l WHERE EXISTS (SELECT 1 FROM {r} AS r WHERE r.k = l.k AND NOT EXISTS (SELECT 1 FROM {r} AS s WHERE s.c = l.t AND s.k = r.k AND s.v > r.v))",
        "SELECT count(*) FROM {l} AS l WHERE EXISTS (SELECT 1 FROM {none} AS r WHERE r.k = l.k)", "SELECT id FROM {l} AS l WHERE NOT EXISTS (SELECT 1 FROM {r} AS r JOIN {r} AS s ON r.k = s.k AND s.v < l.id WHERE r.c = l.t)",
        "SELECT id FROM {l} AS l WHERE EXISTS (SELECT 1 FROM {r} AS r WHERE r.k = l.k) AND NOT EXISTS (SELECT 1 FROM {r} AS r WHERE r.c = l.t)",
    ],
    "in": [
        "SELECT id FROM {l} AS l WHERE k IN (SELECT r.k FROM {r} AS r WHERE r.c = l.t)", "SELECT id FROM {l} AS l WHERE k NOT IN (SELECT r.k FROM {r} AS r WHERE r.c = l.t)",
        "SELECT id FROM {l} AS l WHERE k NOT IN (SELECT r.k FROM {r} AS r WHERE r.v > l.id)", "SELECT id, k IN (SELECT r.k FROM {r} AS r WHERE r.c = l.t) AS m FROM {l} AS l",
        "SELECT id, k IN (SELECT r.k FROM {r} AS r WHERE r.v < l.id AND r.c = l.t) AS m FROM {l} AS l", "SELECT id, k NOT IN (SELECT r.k FROM {none} AS r WHERE r.c = l.t) AS m FROM {l} AS l",
        "SELECT id, i IN (SELECT max(r.v) FROM {r} AS r WHERE r.k = l.k) AS m FROM {l} AS l", "SELECT id, 5 IN (SELECT count(*) FROM {r} AS r WHERE r.k = l.k) AS m FROM {l} AS l",
        "SELECT id, (k, t) IN (SELECT r.k, r.c FROM {r} AS r WHERE r.k IS NOT NULL AND r.c IS NOT NULL) AS m FROM {l} AS l WHERE k IS NOT NULL AND t IS NOT NULL",
        "SELECT id FROM {l} AS l WHERE k IN (SELECT DISTINCT r.k FROM {r} AS r WHERE r.v > l.i)", "SELECT id FROM {l} AS l WHERE k IN (SELECT r.k FROM {r} AS r WHERE r.c = l.t UNION SELECT s.k FROM {r} AS s WHERE s.v = l.id)",
        "SELECT id FROM {l} AS l WHERE k IN (SELECT k + l.id FROM {r} AS r)", "SELECT id FROM {l} AS l WHERE t IN (SELECT c FROM {r} AS r WHERE r.k IN (SELECT k FROM {r} AS s WHERE s.v > l.id))",
        "SELECT id FROM {l} AS l WHERE k NOT IN (SELECT k FROM {r} AS r WHERE r.k IS NOT NULL AND r.c = l.t AND r.v IN (SELECT v FROM {r} AS s WHERE s.c = l.t))",
        "SELECT id FROM {l} AS l WHERE k IN (SELECT r.k FROM {r} AS r WHERE r.c = l.t ORDER BY r.v LIMIT 5)",
    ],
    "any and all": [
        "SELECT id, k {op} ANY (SELECT v FROM {{r}} AS r) AS m FROM {{l}} AS l", "SELECT id, k {op} ALL (SELECT v FROM {{r}} AS r) AS m FROM {{l}} AS l",
        "SELECT id, i {op} ANY (SELECT v FROM {{r}} AS r WHERE r.k = l.k) AS m FROM {{l}} AS l", "SELECT id, i {op} ALL (SELECT v FROM {{r}} AS r WHERE r.k = l.k) AS m FROM {{l}} AS l",
        "SELECT id, i {op} ALL (SELECT v FROM {{none}} AS r) AS m FROM {{l}} AS l", "SELECT id FROM {{l}} AS l WHERE s {op} ALL (SELECT c FROM {{r}} AS r WHERE r.k > l.k)",
        "SELECT id, i {op} ANY (SELECT v FROM {{r}} AS r WHERE v IS NOT NULL AND r.k <> l.k) AS m FROM {{l}} AS l WHERE id < 100", "SELECT id, n {op} ALL (SELECT n FROM {{l}} AS m WHERE m.k = l.k) AS m FROM {{l}} AS l",
    ],
    "grouped by": [
        "SELECT (SELECT count(*) FROM {r} AS r WHERE r.k = l.k) AS g, count(*) FROM {l} AS l GROUP BY 1", "SELECT (SELECT count(*) FROM {r} AS r WHERE r.k = l.k) AS g, count(*) FROM {l} AS l GROUP BY g",
        "SELECT (SELECT count(*) FROM {r} AS r WHERE r.k = l.k) AS g, count(*) FROM {l} AS l GROUP BY (SELECT count(*) FROM {r} AS r WHERE r.k = l.k)",
        "SELECT k IN (SELECT v FROM {r}) AS g, t, max(id) FROM {l} GROUP BY ALL", "SELECT k IN (SELECT v FROM {r}) AS g, count(*) FROM {l} GROUP BY g HAVING count(*) > 1 ORDER BY 1 -- ordered",
        "SELECT EXISTS (SELECT 1 FROM {r} AS r WHERE r.k = l.k) AS g, t, (SELECT count(*) FROM {r} AS r WHERE r.v > max(l.id)) AS n FROM {l} AS l GROUP BY CUBE (1, t)",
        "SELECT (SELECT min(v) FROM {r}) AS g, count(*) FROM {l} GROUP BY 1", "SELECT k + (SELECT min(v) FROM {r}) AS g, (SELECT 1) AS h, count(*) FROM {l} GROUP BY 1, 2",
    ],
    "lateral": [
        "SELECT l.id, q.v FROM {l} AS l, LATERAL (SELECT v FROM {r} AS r WHERE r.k = l.k) AS q", "SELECT l.id, q.m FROM {l} AS l CROSS JOIN LATERAL (SELECT max(v) AS m FROM {r} AS r WHERE r.k = l.k) AS q",
        "SELECT l.id, q.m FROM {l} AS l LEFT JOIN LATERAL (SELECT v AS m FROM {r} AS r WHERE r.k = l.k AND r.v > l.id) AS q ON true", "SELECT l.id, q.n FROM {l} AS l JOIN LATERAL (SELECT count(*) AS n FROM {r} AS r WHERE r.k = l.k) AS q ON q.n > 2",
        "SELECT l.id, a, b FROM {l} AS l, LATERAL (SELECT l.id + 1 AS a) AS q, LATERAL (SELECT a * 2 AS b) AS p", "SELECT l.id, q.v FROM {l} AS l, LATERAL (SELECT v FROM {r} AS r WHERE r.k = l.k ORDER BY v LIMIT 2) AS q",
        "SELECT l.id, q.n FROM {l} AS l LEFT JOIN LATERAL (SELECT count(*) AS n, r.c FROM {r} AS r WHERE r.k = l.k GROUP BY r.c) AS q ON q.c = l.t", "SELECT l.id, q.n FROM {l} AS l, (SELECT count(*) AS n FROM {r} AS r WHERE r.k = l.k AND EXISTS (SELECT 1 FROM {r} AS s WHERE s.v > l.id AND s.k = r.k)) AS q",
        "SELECT l.id, a.n, b.n FROM {l} AS l, LATERAL (SELECT count(*) AS n FROM {r} AS r WHERE r.k = l.k) AS a, LATERAL (SELECT count(*) AS n FROM {r} AS r WHERE r.v > a.n AND r.k = l.k) AS b",
    ],
    # One row, also where nothing is aggregated.
    "beside an aggregate": [
        "SELECT (SELECT c.o FROM {l} AS l WHERE l.id = 1) AS m FROM (SELECT sum(id) AS a, 5 AS o FROM {l} WHERE FALSE) AS c", "SELECT o, (SELECT max(id) FROM {l} AS l WHERE l.id < c.o) AS m FROM (SELECT 5 AS o, count(*) FROM {none}) AS c",
        "SELECT EXISTS (SELECT 1 FROM {l} AS l WHERE l.id = c.o) AS m, o IN (SELECT k FROM {l} AS l WHERE l.id > c.o) AS n FROM (SELECT 5 AS o, max(k) AS b FROM {none}) AS c",
        "SELECT c.o, q.v FROM (SELECT 1 AS o, max(k) AS b FROM {none}) AS c LEFT JOIN LATERAL (SELECT max(v) AS v FROM {r} AS r WHERE r.k >= c.o) AS q ON true", "SELECT (SELECT c.o FROM {l} AS l WHERE l.id = 1) AS m FROM (SELECT k, 5 AS o FROM {none} GROUP BY k) AS c",
    ],
    "nested and elsewhere": [
        "SELECT id, (SELECT max((SELECT count(*) FROM {r} AS s WHERE s.k = r.k AND s.v > l.id)) FROM {r} AS r WHERE r.k = l.k) AS m FROM {l} AS l WHERE id < 80",
        "SELECT id, (SELECT count(*) FROM {r} AS r WHERE r.k = l.k AND r.v > (SELECT avg(v) FROM {r} AS s WHERE s.c = l.t)) AS m FROM {l} AS l",
        "SELECT id, (SELECT (SELECT (SELECT l.id + 1))) AS m FROM {l} AS l", "WITH q AS (SELECT k, max(v) AS m FROM {r} GROUP BY k) SELECT id, (SELECT m FROM q WHERE q.k = l.k) AS m FROM {l} AS l",
        "SELECT id, (WITH q AS (SELECT v FROM {r} AS r WHERE r.k = l.k) SELECT count(*) FROM q) AS m FROM {l} AS l",
        "SELECT l.id, r.v FROM {l} AS l JOIN {r} AS r ON l.k = r.k AND EXISTS (SELECT 1 FROM {r} AS s WHERE s.v > l.id AND s.k = r.k)", "SELECT l.id, r.v FROM {l} AS l LEFT JOIN {r} AS r ON l.k = r.k AND r.v > (SELECT avg(v) FROM {r} AS s WHERE s.k = r.k)",
        "SELECT id FROM {l} AS l WHERE k = (SELECT max(k) FROM {l} AS m WHERE m.t = l.t AND m.k < (SELECT max(k) FROM {l} AS o WHERE o.t = m.t AND o.f = l.f))",
    ],
}
QUERIES["any and all"] = [query.format(op=op) for query in QUERIES["any and all"] for op in ("=", "<>", "<", "<=", ">", ">=")]


@pytest.mark.parametrize("topic", QUERIES)
def test_correlated_subqueries_give_the_rows_of_duckdb_for(topic, module_varve, oracle, data):  # noqa: F811
    assert_agree(module_varve, oracle, data, QUERIES[topic])


# What DuckDB cannot run, and what means the same there.
BEYOND = [
    ("SELECT id, (SELECT max(r.v) FROM {r} AS r LEFT JOIN {r} AS s ON r.k = s.k AND s.v > l.id WHERE r.c = l.t) AS m FROM {l} AS l", "SELECT id, (SELECT max(r.v) FROM {r} AS r WHERE r.c = l.t) AS m FROM {l} AS l"),
    ("SELECT id, (SELECT count(*) FROM {r} AS r LEFT JOIN {r} AS s ON r.k = s.k AND s.v > l.id WHERE r.c = l.t) AS m FROM {l} AS l",
     "SELECT l.id, coalesce(sum(greatest(1, q.n)) FILTER (WHERE q.one), 0)::BIGINT AS m FROM {l} AS l LEFT JOIN (SELECT l.id AS lid, r.rowid, count(s.k) AS n, true AS one FROM {l} AS l JOIN (SELECT row_number() OVER () AS rowid, * FROM {r}) AS r ON r.c = l.t "
     "LEFT JOIN {r} AS s ON r.k = s.k AND s.v > l.id GROUP BY l.id, r.rowid) AS q ON q.lid = l.id GROUP BY l.id"),
    ("SELECT id, (SELECT count(*) FROM {r} AS r FULL JOIN {r} AS s ON r.k = s.k AND s.v > l.id) AS m FROM {l} AS l WHERE id < 20",
     "SELECT l.id, (SELECT count(*) FROM {r} AS r JOIN {r} AS s ON r.k = s.k AND s.v > l.id) + (SELECT count(*) FROM {r} AS r WHERE NOT EXISTS (SELECT 1 FROM {r} AS s WHERE r.k = s.k AND s.v > l.id)) "
     "+ (SELECT count(*) FROM {r} AS s WHERE NOT EXISTS (SELECT 1 FROM {r} AS r WHERE r.k = s.k AND s.v > l.id)) AS m FROM {l} AS l WHERE id < 20"),
    ("SELECT id FROM {l} AS l WHERE (k, t) IN (SELECT r.k, r.c FROM {r} AS r WHERE r.v > l.id)", "SELECT id FROM {l} AS l WHERE EXISTS (SELECT 1 FROM {r} AS r WHERE r.v > l.id AND r.k = l.k AND r.c = l.t)"),
    ("SELECT id FROM {l} AS l WHERE (k, t) NOT IN (SELECT r.k, r.c FROM {r} AS r WHERE r.v > l.id)",
     "SELECT id FROM {l} AS l WHERE NOT EXISTS (SELECT 1 FROM {r} AS r WHERE r.v > l.id AND (r.k = l.k OR r.k IS NULL OR l.k IS NULL) AND (r.c = l.t OR r.c IS NULL OR l.t IS NULL))"),
]


@pytest.mark.parametrize("number", range(len(BEYOND)))
def test_what_duckdb_cannot_run_gives_the_rows_of_what_means_the_same(number, module_varve, oracle, data):  # noqa: F811
    query, equal = (text.format(**data) for text in BEYOND[number])
    expected = sorted(rows_of(oracle.execute(equal).to_arrow_table()), key=repr)
    assert sorted(rows_of(module_varve.table(query)), key=repr) == expected


class Maker:
    """Random correlated conditions and values, up to three queries deep, each decided by its seed."""

    def __init__(self, seed):
        self.chance = random.Random(f"subqueries/{seed}")

    def one(self, *choices):
        return self.chance.choice(choices)

    def link(self, depth):
        """A condition between the query at `depth` and one around it."""
        own, outer = f"r{depth}", self.one(*(["l"] + [f"r{d}" for d in range(depth)]))
        number, text = ("id", "t") if outer == "l" else ("v", "c")
        return self.one(f"{own}.k = {outer}.k", f"{own}.k = {outer}.k", f"{own}.c = {outer}.{text}", f"{own}.v > {outer}.{number}",
                        f"{own}.v <> {outer}.k", f"{own}.k + 1 = {outer}.k", f"{own}.k IS NOT DISTINCT FROM {outer}.k")

    def source(self, depth, value):
        conditions = [self.link(depth) for _ in range(self.one(1, 1, 2))]
        if depth < 2 and self.chance.random() < 0.4:
            conditions.append(self.condition(depth + 1, f"r{depth}"))
        return f"SELECT {value} FROM {{r}} AS r{depth} WHERE {' AND '.join(conditions)}"

    def condition(self, depth, outer):
        number = "i" if outer == "l" else "v"
        return self.one(
            f"EXISTS ({self.source(depth, '1')})", f"NOT EXISTS ({self.source(depth, '1')})", f"{outer}.k IN ({self.source(depth, f'r{depth}.k')})",
            f"{outer}.k NOT IN ({self.source(depth, f'r{depth}.k')})", f"{outer}.{number} > ({self.source(depth, f'avg(r{depth}.v)')})",
            f"({self.source(depth, 'count(*)')}) {self.one('=', '<', '>')} {self.one(0, 1, 3)}",
            f"{outer}.{number} {self.one('<', '>=', '<>')} {self.one('ANY', 'ALL')} ({self.source(depth, f'r{depth}.v')})")

    def query(self):
        return self.one(
            lambda: f"SELECT id FROM {{l}} AS l WHERE {self.condition(0, 'l')}", lambda: f"SELECT id FROM {{l}} AS l WHERE {self.condition(0, 'l')} {self.one('AND', 'OR')} {self.condition(0, 'l')}",
            lambda: f"SELECT id, ({self.source(0, self.one('count(*)', 'max(r0.v)', 'sum(r0.v) + 1', 'count(DISTINCT r0.c)'))}) AS m FROM {{l}} AS l",
            lambda: f"SELECT id, ({self.condition(0, 'l')}) AS m FROM {{l}} AS l")()


@pytest.mark.parametrize("start", range(0, 100, 20))
def test_random_correlated_subqueries_give_the_rows_of_duckdb(start, module_varve, oracle, data):  # noqa: F811
    assert_agree(module_varve, oracle, data, [Maker(seed).query() for seed in range(start, start + 20)])
