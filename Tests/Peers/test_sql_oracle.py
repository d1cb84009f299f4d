"""The same SQL over the same files, in varve and in DuckDB: the rows must be the same.

Most queries come from templates with a seed (VARVE_ORACLE_QUERIES says how many, VARVE_ORACLE_SEED from where); the
others are written by hand where a rule is easy to get wrong. Rows are compared as bags, and as lists where the query
orders them wholly.
"""
import datetime
import decimal
import random
import re

import duckdb
import pyarrow
import pyarrow.csv
import pyarrow.parquet
import pytest

from support import VarveError, canonical_column, number_from_environment

UTC = datetime.timezone.utc
SEED = number_from_environment("VARVE_ORACLE_SEED", 20240229)
COUNT = number_from_environment("VARVE_ORACLE_QUERIES", 300)
PER_TEST = 25

# What differs on purpose: a pattern of the query, and why. varve must then answer something or refuse, but not crash.
KNOWN_DIFFERENCES = [
    (r"1 / 0|1e0 / 0", "dividing by zero is an error for every type, as in PostgreSQL; DuckDB answers NULL or infinity"),
    (r"substr\(s, -1\)", "positions before the start count, as in PostgreSQL and the standard; DuckDB counts from the end"),
    (r"upper\('ß'\)", "DuckDB makes the capital sharp s of 2017; Unicode's own mapping of one character leaves ß"),
    (r"date_trunc\('year', e\) AS d", "the start of a date's year is a date; DuckDB makes it a timestamp"),
]

# What varve does not do yet: it must refuse with one of these, or give DuckDB's rows.
REFUSAL = re.compile(r"not supported|does not exist|is none")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two Parquet files with nulls, duplicates, extremes and Unicode, and a CSV file; their paths."""
    folder = tmp_path_factory.mktemp("oracle")
    chance = random.Random(7)

    def pick(values, nulls=0.15):
        return None if chance.random() < nulls else chance.choice(values)

    rows = 400
    left = pyarrow.table({
        "id": pyarrow.array(range(rows), pyarrow.int32()),
        "k": pyarrow.array([pick(range(20)) for _ in range(rows)], pyarrow.int32()),
        "b": pyarrow.array([pick([0, 1, -1, 10**12, -(2**62), 2**62, 7, 42]) for _ in range(rows)], pyarrow.int64()),
        "i": pyarrow.array([pick(list(range(-50, 50)) + [2**31 - 1, -(2**31)]) for _ in range(rows)], pyarrow.int32()),
        "x": pyarrow.array([pick([0.0, -0.0, 1.5, -2.25, 1e300, -1e-300, 0.1, 100.0, 3.0]) for _ in range(rows)]),
        "n": pyarrow.array([pick([0.0, -0.0, float("nan"), float("inf"), float("-inf"), 1.0]) for _ in range(rows)]),
        "d": pyarrow.array([pick([decimal.Decimal(t) for t in ["0.00", "1.25", "-1.25", "99999999.99", "-0.01", "12.50"]])
                            for _ in range(rows)], pyarrow.decimal128(10, 2)),
        "s": pyarrow.array([pick(["", " ", "a", "A", "abc", "aBc", "ab%c", "a_c", "ñ", "É", "日本", "🜁", "zz", "null", " x "])
                            for _ in range(rows)]),
        "t": pyarrow.array([pick(["red", "green", "blue", "yellow"]) for _ in range(rows)]),
        "e": pyarrow.array([pick([datetime.date(1969, 12, 31), datetime.date(2000, 2, 29), datetime.date(2024, 12, 31),
                                  datetime.date(1900, 3, 1), datetime.date(2024, 1, 1)]) for _ in range(rows)]),
        "m": pyarrow.array([pick([datetime.datetime(1969, 12, 31, 23, 59, 59, 999999), datetime.datetime(2024, 2, 29, 12, 30, 15),
                                  datetime.datetime(2000, 1, 1), datetime.datetime(2024, 12, 31, 23, 59, 59)])
                            for _ in range(rows)], pyarrow.timestamp("us")),
        "f": pyarrow.array([pick([True, False]) for _ in range(rows)]),
    })
    few = 60
    right = pyarrow.table({
        "k": pyarrow.array([pick(range(10, 30)) for _ in range(few)], pyarrow.int32()),
        "c": pyarrow.array([pick(["red", "green", "black"]) for _ in range(few)]),
        "v": pyarrow.array([pick(range(-5, 100)) for _ in range(few)], pyarrow.int64()),
    })
    pyarrow.parquet.write_table(left, folder / "l.parquet", row_group_size=150)
    pyarrow.parquet.write_table(right, folder / "r.parquet")
    pyarrow.parquet.write_table(right.slice(0, 0), folder / "none.parquet")
    (folder / "text.csv").write_text(
        'n,word,amount,day\n1,"a,b",1.5,2024-01-01\n2,"say ""hi""",-2.25,1999-12-31\n3,plain,,2000-02-29\n4,naïve,1e3,2024-06-30\n')
    return {"l": f"read_parquet('{folder}/l.parquet')", "r": f"read_parquet('{folder}/r.parquet')",
            "none": f"read_parquet('{folder}/none.parquet')", "text": f"read_csv('{folder}/text.csv')"}


@pytest.fixture(scope="module")
def oracle():
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def approximately(value):
    """Floats to 12 digits: engines add in different orders. The kind stays, so 1 is not 1.0."""
    if isinstance(value, tuple) and value[0] == "float" and value[1] not in ("NaN", "inf", "-inf", "-0.0"):
        return ("float", f"{float(value[1]):.11e}")
    return value


def rows_of(table):
    columns = [canonical_column(column) for column in table.columns]
    return [tuple(approximately(value) for value in row) for row in zip(*columns)]


def unsigned_zero(rows):
    """Of the equal values 0.0 and -0.0 a group shows either, and DuckDB's sort makes both 0.0."""
    zero = {("float", "-0.0"): ("float", f"{0.0:.11e}")}
    return [tuple(zero.get(value, value) if isinstance(value, tuple) else value for value in row) for row in rows]


def compare(module_varve, oracle, data, query, may_refuse):
    """None when both give the same rows, else what is different."""
    text = query.format(**data)
    try:
        expected = rows_of(oracle.execute(text).to_arrow_table())
    except duckdb.Error as error:
        expected = f"error: {error}"
    try:
        got = rows_of(module_varve.table(text))
    except VarveError as error:
        if may_refuse and REFUSAL.search(str(error)):
            return None
        got = f"error: {error}"
    if any(re.search(pattern, query) for pattern, _ in KNOWN_DIFFERENCES):
        return None
    if isinstance(expected, str) and isinstance(got, str):
        return None
    if isinstance(expected, str) or isinstance(got, str):
        return f"{query}\n  varve: {str(got)[:300]}\n  DuckDB: {str(expected)[:300]}"
    if re.search(r"ORDER BY|DISTINCT|GROUP BY|UNION|INTERSECT|EXCEPT|min\(|max\(", query):
        expected, got = unsigned_zero(expected), unsigned_zero(got)
    if not query.endswith("-- ordered"):
        expected, got = sorted(expected, key=repr), sorted(got, key=repr)
    if got == expected:
        return None
    place = next((index for index, pair in enumerate(zip(got, expected)) if pair[0] != pair[1]), min(len(got), len(expected)))
    return (f"{query}\n  varve {len(got)} rows, DuckDB {len(expected)} rows; from row {place} on"
            f"\n  varve:  {got[place:place + 3]}\n  DuckDB: {expected[place:place + 3]}")


def assert_agree(module_varve, oracle, data, queries, may_refuse=False):
    """All queries; those that random templates make are within what varve supports, so it may refuse none."""
    differences = [text for text in (compare(module_varve, oracle, data, query, may_refuse) for query in queries) if text]
    assert not differences, f"{len(differences)} of {len(queries)} differ\n" + "\n".join(differences)


# Templates.

ESCAPED = "a\\_c"
NUMBERS = ["k", "b", "i", "id", "x", "d"]
INTEGERS = ["k", "i", "id"]


class Maker:
    """Random queries of the SQL that both sides understand, each decided by its seed."""

    def __init__(self, seed):
        self.chance = random.Random(f"{SEED}/{seed}")

    def one(self, *choices):
        return self.chance.choice(choices)

    def integer(self, depth=0):
        if depth > 2 or self.chance.random() < 0.35:
            return self.one(*INTEGERS, str(self.chance.randint(-20, 20)), "length(s)", "abs(i % 100)")
        # BIGINT, so that no engine overflows what the other widens.
        small = f"CAST({self.integer(depth + 1)} AS BIGINT)"
        return self.one(
            f"({small} + {self.one('k', '3', 'id')})", f"({small} - {self.one('k', 'id', '7')})",
            f"({self.one('k', 'id', 'length(s)')} * {self.chance.randint(-9, 9)})",
            f"({small} % {self.chance.randint(2, 9)})", f"coalesce({self.integer(depth + 1)}, {self.chance.randint(0, 9)})",
            f"nullif({self.integer(depth + 1)}, {self.chance.randint(0, 9)})", f"-({small})", f"abs({small})",
            f"greatest({small}, {self.integer(depth + 1)})", f"least({small}, {self.integer(depth + 1)})",
            f"extract({self.one('year', 'month', 'day', 'dow', 'doy', 'quarter')} FROM e)",
            f"extract({self.one('hour', 'minute', 'year')} FROM m)",
            f"CASE WHEN {self.condition(depth + 1)} THEN {self.integer(depth + 1)} ELSE {self.integer(depth + 1)} END",
            f"CASE t WHEN 'red' THEN 1 WHEN 'blue' THEN {self.integer(depth + 1)} END",
            f"strpos(s, '{self.one('a', 'b', '', '本')}')")

    def text(self, depth=0):
        if depth > 2 or self.chance.random() < 0.35:
            return self.one("s", "t", "'x'", "''", "'naïve'")
        return self.one(
            f"upper({self.text(depth + 1)})", f"lower({self.text(depth + 1)})", f"trim({self.text(depth + 1)})",
            f"({self.text(depth + 1)} || {self.text(depth + 1)})", f"concat({self.text(depth + 1)}, '-', {self.text(depth + 1)})",
            f"substring({self.text(depth + 1)}, {self.chance.randint(1, 3)}, {self.chance.randint(0, 4)})",
            f"replace({self.text(depth + 1)}, '{self.one('a', 'b', 'e')}', '{self.one('', 'zz')}')",
            f"coalesce({self.text(depth + 1)}, 'none')", f"left({self.text(depth + 1)}, {self.chance.randint(0, 3)})",
            f"right({self.text(depth + 1)}, {self.chance.randint(0, 3)})", "CAST(k AS VARCHAR)", "CAST(e AS VARCHAR)", "CAST(d AS VARCHAR)",
            f"CASE WHEN {self.condition(depth + 1)} THEN {self.text(depth + 1)} END", f"reverse({self.one('s', 't')})",
            f"lpad({self.one('s', 't')}, {self.chance.randint(0, 6)}, '*')", "CAST(f AS VARCHAR)", "CAST(m AS VARCHAR)")

    def number(self):
        return self.one(self.integer(), "d", "x", "(d + 1)", "(d * 2)", "CAST(k AS DOUBLE)", "(x * 0.5)", "(d - k)", "round(x, 1)",
                        "CAST(d AS DOUBLE)", "floor(x)", "ceil(x)", "abs(d)", "(x + i)", "round(d, 1)", "CAST(i AS DECIMAL(18, 3))", "sqrt(k)",
                        "b / 2.0", "n")

    def moment(self):
        return self.one("e", "CAST(m AS DATE)", "e + INTERVAL 1 DAY", "m + INTERVAL 1 MONTH", "date_trunc('month', m)", "m",
                        "m - INTERVAL 36 HOUR", "CAST(date_trunc('year', e) AS DATE)", "date_trunc('hour', m)", "CAST(e AS TIMESTAMP)")

    def condition(self, depth=0):
        if depth < 2 and self.chance.random() < 0.35:
            return self.one(f"({self.condition(depth + 1)} AND {self.condition(depth + 1)})",
                            f"({self.condition(depth + 1)} OR {self.condition(depth + 1)})", f"NOT ({self.condition(depth + 1)})",
                            f"(({self.condition(depth + 1)}) IS NOT TRUE)", f"(({self.condition(depth + 1)}) IS NULL)")
        compare = self.one("=", "<>", "<", "<=", ">", ">=")
        deeper = depth + 2
        return self.one(
            f"{self.integer(deeper)} {compare} {self.integer(deeper)}", f"{self.text(deeper)} {compare} {self.text(deeper)}",
            f"{self.one(*NUMBERS, 'n')} {compare} {self.one('0', '1', '-1', '1.25', 'k', '1e3')}",
            f"s {self.one('LIKE', 'NOT LIKE', 'ILIKE')} '{self.one('a%', '%b%', '_', '%', '', ESCAPED, '%本', 'A%c', '__')}'",
            f"{self.one(*NUMBERS, 's', 'e', 'n')} IS {self.one('', 'NOT ')}NULL", "f", "NOT f", "f IS NOT FALSE",
            f"k {self.one('IN', 'NOT IN')} (1, {self.chance.randint(2, 19)}{self.one('', ', NULL')})",
            f"t {self.one('IN', 'NOT IN')} ('red', 'blue')", f"id {self.one('', 'NOT ')}BETWEEN {self.chance.randint(0, 200)} AND 300",
            f"k IS {self.one('', 'NOT ')}DISTINCT FROM {self.one('NULL', '3', 'i')}",
            f"e {compare} DATE '2000-02-29'", f"m {compare} TIMESTAMP '2024-02-29 12:30:15'", "starts_with(s, 'a')", "contains(s, 'b')")

    def value(self):
        return self.one(self.number, self.number, self.text, self.moment, lambda: f"({self.condition()})")()

    def aggregate(self):
        return self.one("count(*)", "count({v})", "count(DISTINCT {v})", "min({v})", "max({v})", "sum({i})", "avg({i})", "sum(d)", "avg(d)",
                        "sum(x)", "sum(DISTINCT k)", "count(*) FILTER (WHERE {c})", "sum(k) FILTER (WHERE {c})", "bool_and(f)", "bool_or(f)",
                        "min(s)", "max(s)", "min(n)", "max(n)", "stddev_samp(k)", "var_pop(k)").format(
            v=self.one("k", "s", "t", "e", "m", "d", "f", "b"), i=self.one("k", "i", "id", "length(s)"), c=self.condition(1))

    def query(self):
        return self.one(self.projection, self.projection, self.grouping, self.grouping, self.join, self.join, self.set_operation,
                        self.subquery, self.order, self.distinct)()

    def where(self):
        return "" if self.chance.random() < 0.25 else f" WHERE {self.condition()}"

    def projection(self):
        values = ", ".join(f"{self.value()} AS c{index}" for index in range(self.chance.randint(1, 4)))
        return f"SELECT id, {values} FROM {{l}}{self.where()}"

    def grouping(self):
        keys = self.chance.sample(["k", "s", "t", "e", "f", "k % 3", "length(s)", "n", "m", "upper(t)", "d", "x"], self.chance.randint(0, 2))
        measures = [f"{self.aggregate()} AS a{index}" for index in range(self.chance.randint(1, 3))]
        group = f" GROUP BY {', '.join(keys)}" if keys else ""
        having = self.one("", "", f" HAVING count(*) > {self.chance.randint(1, 20)}", " HAVING max(k) IS NOT NULL AND min(id) < 300")
        return f"SELECT {', '.join([f'{key} AS g{index}' for index, key in enumerate(keys)] + measures)} FROM {{l}}{self.where()}{group}{having}"

    def join(self):
        kind = self.one("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "LEFT JOIN", "SEMI JOIN", "ANTI JOIN")
        on = self.one("l.k = r.k", "l.k = r.k AND l.t = r.c", "l.k = r.k AND r.v > l.i", "l.t = r.c AND l.id < 20",
                      "l.k + 1 = r.k", "l.k = r.k AND r.v > 10", "l.k = r.k AND l.f")
        columns = "l.id, l.k, l.t" if kind in ("SEMI JOIN", "ANTI JOIN") else "l.id, l.k, l.s, r.k AS rk, r.c, r.v"
        filter = "" if kind in ("SEMI JOIN", "ANTI JOIN") else self.one("", " WHERE r.v IS NULL", " WHERE l.id % 2 = 0", " WHERE r.c = 'red' OR l.f")
        if self.chance.random() < 0.3:
            return (f"SELECT l.t, count(*) AS n, sum({'l.id' if 'r.' not in columns else 'r.v'}) AS s FROM {{l}} AS l {kind} {{r}} AS r ON {on}"
                    f"{filter} GROUP BY l.t")
        return f"SELECT {columns} FROM {{l}} AS l {kind} {{r}} AS r ON {on}{filter}"

    def set_operation(self):
        kind = self.one("UNION", "UNION ALL", "INTERSECT", "EXCEPT")
        column, other = self.one(("k", "k"), ("t", "c"), ("k, t", "k, c"), ("b", "v"))
        return f"SELECT {column} FROM {{l}}{self.where()} {kind} SELECT {other} FROM {{r}} WHERE {self.one('v > 5', 'v IS NULL', 'true')}"

    def subquery(self):
        inner = self.one("SELECT k FROM {r}", "SELECT k FROM {r} WHERE k IS NOT NULL", "SELECT k FROM {r} WHERE v > 1000", "SELECT k FROM {none}")
        return self.one(
            f"SELECT id FROM {{l}} WHERE k IN ({inner})", f"SELECT id FROM {{l}} WHERE k NOT IN ({inner})",
            f"SELECT id, k IN ({inner}) AS c FROM {{l}}", f"SELECT id, k NOT IN ({inner}) AS c FROM {{l}}",
            f"SELECT id FROM {{l}} WHERE {self.one('', 'NOT ')}EXISTS ({inner}) AND {self.condition()}",
            f"SELECT id, (SELECT {self.one('max', 'min', 'count', 'sum')}(v) FROM {{r}}) AS c FROM {{l}} WHERE {self.condition()}",
            f"SELECT id FROM {{l}} WHERE k > (SELECT avg(k) FROM {{r}}) AND {self.condition()}",
            f"WITH a AS (SELECT k, count(*) AS n FROM {{l}}{self.where()} GROUP BY k), b AS (SELECT k, max(v) AS v FROM {{r}} GROUP BY k) "
            f"SELECT a.k, n, v FROM a {self.one('', 'LEFT ', 'FULL ')}JOIN b ON a.k = b.k",
            f"SELECT q.t, sum(q.n) AS s FROM (SELECT t, k, count(*) AS n FROM {{l}}{self.where()} GROUP BY t, k) AS q GROUP BY q.t")

    def order(self):
        direction = self.one("", " ASC", " DESC", " NULLS FIRST", " DESC NULLS LAST", " DESC NULLS FIRST")
        key = self.one("k", "s", "x", "n", "d", "e", "m", "f", "b", "upper(t)", "length(s)", "-i")
        limit = self.one("", f" LIMIT {self.chance.randint(0, 50)}", f" LIMIT {self.chance.randint(1, 50)} OFFSET {self.chance.randint(0, 390)}")
        return f"SELECT {key} AS o, id FROM {{l}}{self.where()} ORDER BY {key}{direction}, id{limit} -- ordered"

    def distinct(self):
        columns = ", ".join(self.chance.sample(["k", "s", "t", "e", "f", "n", "x", "d"], self.chance.randint(1, 3)))
        return f"SELECT DISTINCT {columns} FROM {{l}}{self.where()}"


@pytest.mark.parametrize("start", range(0, COUNT, PER_TEST))
def test_random_queries_give_the_rows_of_duckdb(start, module_varve, oracle, data):
    assert_agree(module_varve, oracle, data, [Maker(seed).query() for seed in range(start, min(start + PER_TEST, COUNT))])


HAND_WRITTEN = {
    "logic with nulls": [
        "SELECT a.f AND b.f AS x, a.f OR b.f AS y, NOT a.f AS z FROM (SELECT DISTINCT f FROM {l}) AS a, (SELECT DISTINCT f FROM {l}) AS b",
        "SELECT NULL = NULL, NULL <> 1, NULL IS NULL, NULL AND false, NULL OR true, NOT NULL",
        "SELECT id FROM {l} WHERE NOT (k = 3)", "SELECT id FROM {l} WHERE k <> 3 OR k IS NULL",
        "SELECT id FROM {l} WHERE k IN (NULL)", "SELECT id FROM {l} WHERE k NOT IN (1, NULL)",
        "SELECT count(*) FROM {l} WHERE (k = 3) IS NOT TRUE", "SELECT count(*) FROM {l} WHERE (k = 3) IS UNKNOWN",
        "SELECT id, k = ALL (SELECT 3) AS a FROM {l} WHERE id < 5",
    ],
    "case": [
        "SELECT id, CASE WHEN k > 10 THEN 'high' WHEN k > 5 THEN 'middle' ELSE 'low' END AS c FROM {l}",
        "SELECT id, CASE k WHEN 1 THEN 'one' WHEN NULL THEN 'never' END AS c FROM {l}",
        "SELECT CASE WHEN k = 0 THEN 0 ELSE 100 / k END AS c FROM {l} WHERE k < 5 AND k > 0",
        "SELECT CASE WHEN f THEN 1 ELSE 2.5 END AS c, CASE WHEN f THEN k ELSE b END AS d FROM {l}",
        "SELECT coalesce(NULL, NULL, 3), coalesce(k, b, 0) FROM {l}", "SELECT nullif(s, ''), ifnull(k, -1) FROM {l}",
    ],
    "patterns": [
        "SELECT s FROM {l} WHERE s LIKE 'a%'", "SELECT s FROM {l} WHERE s LIKE '%c'", "SELECT s FROM {l} WHERE s LIKE '_'",
        "SELECT s FROM {l} WHERE s LIKE 'ab\\%c' ESCAPE '\\'", "SELECT s FROM {l} WHERE s LIKE 'a$_c' ESCAPE '$'",
        "SELECT s FROM {l} WHERE s ILIKE 'ABC'", "SELECT s FROM {l} WHERE s ILIKE 'é'", "SELECT s FROM {l} WHERE s NOT LIKE '%a%'",
        "SELECT s FROM {l} WHERE regexp_matches(s, '^a.c$')", "SELECT 'a\nb' LIKE 'a%b', '' LIKE '', '' LIKE '%', 'aaa' LIKE '%a%a%a%'",
        "SELECT s LIKE t FROM {l}",
    ],
    "casts": [
        "SELECT CAST('12' AS INTEGER), CAST(' 12 ' AS INTEGER), CAST('-1.5' AS DOUBLE), CAST('1e3' AS DOUBLE)",
        "SELECT CAST('abc' AS INTEGER)", "SELECT CAST(3000000000 AS INTEGER)", "SELECT TRY_CAST('abc' AS INTEGER), TRY_CAST(3000000000 AS INTEGER)",
        "SELECT CAST(1.5 AS INTEGER), CAST(2.5 AS INTEGER), CAST(-1.5 AS INTEGER), CAST(2.5::DOUBLE AS INTEGER), CAST(-0.5::DOUBLE AS INTEGER)",
        "SELECT CAST('2024-02-30' AS DATE)", "SELECT CAST('2024-02-29' AS DATE), CAST('2024-02-29 12:00:00' AS TIMESTAMP)",
        "SELECT CAST(TIMESTAMP '2024-02-29 23:59:59' AS DATE), CAST(DATE '2024-02-29' AS TIMESTAMP)",
        "SELECT CAST('true' AS BOOLEAN), CAST('f' AS BOOLEAN), CAST(1 AS BOOLEAN), CAST(true AS INTEGER)",
        "SELECT CAST(12.345 AS DECIMAL(5, 2)), CAST(-12.345 AS DECIMAL(5, 2)), CAST(12.344 AS DECIMAL(5, 1))", "SELECT CAST(1000 AS DECIMAL(3, 0))",
        "SELECT CAST('12.345' AS DECIMAL(10, 2)), CAST(x AS VARCHAR) FROM {l}", "SELECT CAST(n AS VARCHAR), CAST(d AS VARCHAR) FROM {l}",
        "SELECT CAST(k AS VARCHAR) || '!' FROM {l}", "SELECT CAST('nan' AS DOUBLE), CAST('inf' AS DOUBLE), CAST('-infinity' AS DOUBLE)",
        "SELECT CAST(d AS INTEGER), CAST(d AS DOUBLE) FROM {l}", "SELECT 9223372036854775807 + 1", "SELECT CAST(2147483647 AS INTEGER) + CAST(1 AS INTEGER)",
    ],
    "arithmetic": [
        "SELECT 7 % 3, -7 % 3, 7 % -3, 7 // 2, -7 // 2", "SELECT 1 / 0", "SELECT 1.0 / 3, 1.5 + 2, 1.1 * 1.1, 2.50 - 1", "SELECT 5 / 2.0::DOUBLE", "SELECT 1e0 / 0",
        "SELECT round(2.5), round(-2.5), round(1.25::DOUBLE, 1), round(0.5::DOUBLE), round(1.5::DOUBLE), floor(-1.5), ceil(-1.5)",
        "SELECT abs(-5), sign(-3), power(2, 10), sqrt(2), exp(1), ln(10), log10(1000), pi()", "SELECT greatest(1, NULL, 3), least(NULL, 2)",
        "SELECT CAST(d AS DECIMAL(10, 2)) * k, d + d, d - 0.001 FROM {l}", "SELECT n + 1, n * 0, -n FROM {l}", "SELECT x, x = 0, x = -0.0 FROM {l}", "SELECT mod(10, 3)", "SELECT 2 ** 3, -2 ** 2",
        "SELECT 1 + 2 * 3 - 4, (1 + 2) * 3, - - 1, +1, 1 - -1", "SELECT 0.1 + 0.2, 0.1::DOUBLE + 0.2::DOUBLE",
    ],
    "not a number": [
        "SELECT id FROM {l} WHERE n = 'nan'::DOUBLE", "SELECT id FROM {l} WHERE n > 1e308", "SELECT n, count(*) FROM {l} GROUP BY n",
        "SELECT DISTINCT n FROM {l}", "SELECT min(n), max(n), count(n), count(DISTINCT n) FROM {l}", "SELECT n FROM {l} ORDER BY n, id -- ordered",
        "SELECT n FROM {l} ORDER BY n DESC, id -- ordered", "SELECT a.id, b.id FROM {l} AS a JOIN {l} AS b ON a.n = b.n WHERE a.id < 20 AND b.id < 20",
        "SELECT isnan(n), isinf(n), isfinite(n) FROM {l}", "SELECT x FROM {l} WHERE x = 0.0", "SELECT DISTINCT x FROM {l} WHERE x <> 0",
    ],
    "dates": [
        "SELECT DATE '2024-02-29' + INTERVAL 1 YEAR, DATE '2024-01-31' + INTERVAL 1 MONTH, DATE '2024-03-31' - INTERVAL 1 MONTH",
        "SELECT DATE '2024-03-01' - DATE '2024-02-01', DATE '2024-03-01' + 1, DATE '2024-03-01' - 1",
        "SELECT extract(year FROM e), extract(month FROM e), extract(day FROM e), extract(dow FROM e), extract(doy FROM e), extract(week FROM e) FROM {l}",
        "SELECT date_trunc('day', m), date_trunc('week', m), date_trunc('quarter', m), date_trunc('minute', m) FROM {l}",
        "SELECT date_part('year', m), year(e), month(e), day(e), hour(m), minute(m), second(m) FROM {l}", "SELECT extract(epoch FROM m) FROM {l}",
        "SELECT m - TIMESTAMP '2024-01-01' > INTERVAL 1 DAY FROM {l}", "SELECT e < m, e = CAST(m AS DATE) FROM {l}", "SELECT min(e), max(e), min(m), max(m) FROM {l}",
        "SELECT date_diff('day', e, DATE '2024-06-01'), date_diff('month', e, DATE '2024-06-01') FROM {l}", "SELECT strftime(m, '%Y-%m-%d %H:%M:%S') FROM {l}",
        "SELECT make_date(2024, 2, 29), last_day(DATE '2024-02-01')", "SELECT TIMESTAMPTZ '2024-01-01 00:00:00+02' = TIMESTAMPTZ '2023-12-31 22:00:00Z'",
    ],
    "strings": [
        "SELECT length(s), upper(s), lower(s), reverse(s) FROM {l}", "SELECT substring(s, 1, 2), substring(s, 2), substring(s FROM 2 FOR 1) FROM {l}", "SELECT substr(s, -1) FROM {l}", "SELECT upper('ß')",
        "SELECT trim(s), ltrim(s), rtrim(s), trim(BOTH 'x' FROM ' x ') FROM {l}", "SELECT replace(s, 'a', 'bb'), replace(s, '', 'x') FROM {l}",
        "SELECT s || NULL, concat(s, NULL, 'x'), concat_ws('-', s, NULL, t) FROM {l}", "SELECT left(s, 2), right(s, 2), left(s, -1), right(s, -1) FROM {l}",
        "SELECT position('b' IN s), strpos(s, 'c'), contains(s, 'a') FROM {l}", "SELECT split_part('a,b,c', ',', 2), split_part('a,b,c', ',', 9)",
        "SELECT lpad('a', 3, 'xy'), rpad('abc', 2, 'x'), repeat('ab', 3), repeat('ab', 0)", "SELECT starts_with(s, ''), ends_with(s, 'c') FROM {l}",
        "SELECT s FROM {l} ORDER BY s, id -- ordered", "SELECT s < 'a', s >= '日', s = '' FROM {l}", "SELECT ascii('a'), chr(228)", "SELECT md5('x')",
        "SELECT regexp_replace(s, '[abc]', '-'), regexp_replace(s, '[abc]', '-', 'g'), regexp_extract(s, '(b)(.)', 2) FROM {l}",
    ],
    "joins": [
        "SELECT l.id, r.v FROM {l} AS l, {r} AS r WHERE l.k = r.k", "SELECT count(*) FROM {l} AS l CROSS JOIN {r} AS r",
        "SELECT k, id, v FROM {l} AS l JOIN {r} AS r USING (k)", "SELECT k, id, v FROM {l} AS l FULL JOIN {r} AS r USING (k)", "SELECT * FROM {r} NATURAL JOIN (SELECT k, id FROM {l})",
        "SELECT l.id, r.v FROM {l} AS l LEFT JOIN {none} AS r ON l.k = r.k", "SELECT l.id, r.v FROM {none} AS r RIGHT JOIN {l} AS l ON l.k = r.k",
        "SELECT l.id, r.v FROM {l} AS l LEFT JOIN {r} AS r ON l.k < r.k AND r.v > 95", "SELECT l.id, r.v FROM {l} AS l FULL JOIN {none} AS r ON l.k = r.k",
        "SELECT l.id, r.v FROM {l} AS l LEFT JOIN {r} AS r ON false WHERE l.id < 3", "SELECT count(*) FROM {l} AS a JOIN {l} AS b ON a.s = b.s AND a.t = b.t",
        "SELECT a.id, b.id, c.v FROM {l} AS a JOIN {l} AS b ON a.k = b.k JOIN {r} AS c ON b.k = c.k WHERE a.id < 30 AND b.id < 60",
        "SELECT l.id FROM {l} AS l JOIN {r} AS r ON l.k IS NOT DISTINCT FROM r.k", "SELECT l.id, r.v FROM {l} AS l JOIN {r} AS r ON l.x = r.k",
        "SELECT l.id, r.v FROM {l} AS l JOIN {r} AS r ON l.d = r.v", "SELECT l.id FROM {l} AS l LEFT JOIN {r} AS r ON l.k = r.k WHERE r.k IS NULL",
    ],
    "aggregates": [
        "SELECT count(*), count(k), sum(k), avg(k), min(k), max(k) FROM {none}", "SELECT k, count(*) FROM {none} GROUP BY k", "SELECT count(*) FROM {none} HAVING count(*) > 0",
        "SELECT sum(b), avg(b) FROM {l} WHERE b < 100", "SELECT sum(CAST(9223372036854775807 AS BIGINT)) FROM {l}", "SELECT sum(d), avg(d), min(d), max(d) FROM {l}",
        "SELECT avg(x), sum(x) FROM {l} WHERE abs(x) < 1e10", "SELECT k % 2 AS g, count(*) FROM {l} GROUP BY g", "SELECT t, count(*) FROM {l} GROUP BY 1 ORDER BY 1 -- ordered",
        "SELECT t, f, count(*) FROM {l} GROUP BY ALL", "SELECT count(DISTINCT s), count(DISTINCT k), sum(DISTINCT k) FROM {l}",
        "SELECT t, count(*) FILTER (WHERE k > 5) FROM {l} GROUP BY t", "SELECT t FROM {l} GROUP BY t HAVING sum(k) > 700", "SELECT max(k) + min(k) * 2 FROM {l}",
        "SELECT t, k, sum(id) FROM {l} GROUP BY ROLLUP (t, k)", "SELECT t, f, count(*) FROM {l} GROUP BY GROUPING SETS ((t), (f), ())", "SELECT t, f, count(*) FROM {l} GROUP BY CUBE (t, f)",
        "SELECT string_agg(t, ',' ORDER BY id) FROM {l} WHERE id < 20", "SELECT median(k) FROM {l}", "SELECT stddev(k), variance(k), stddev_pop(k), var_samp(k) FROM {l}",
        "SELECT bool_and(f), bool_or(f) FROM {l}", "SELECT arg_max(id, i * 1000 + id), arg_min(id, id) FROM {l} WHERE i < 1000 AND i > -1000", "SELECT sum(k), sum(k) FROM {l}",
        "SELECT count(*) FROM (SELECT 1 FROM {l} GROUP BY k, t, s) AS q",
    ],
    "windows": [
        "SELECT id, row_number() OVER (PARTITION BY t ORDER BY id) AS w FROM {l}", "SELECT id, rank() OVER (ORDER BY k) AS r, dense_rank() OVER (ORDER BY k) AS d FROM {l}",
        "SELECT id, sum(k) OVER (PARTITION BY t ORDER BY id) AS s FROM {l}", "SELECT id, lag(k) OVER (ORDER BY id) AS a, lead(k, 2, -1) OVER (ORDER BY id) AS b FROM {l}",
        "SELECT id, avg(k) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING) AS a FROM {l}", "SELECT t, id FROM {l} QUALIFY row_number() OVER (PARTITION BY t ORDER BY id) <= 2",
        "SELECT id, first_value(s) OVER (PARTITION BY t ORDER BY id) AS a, count(*) OVER (PARTITION BY k) AS c FROM {l}",
    ],
    "set operations": [
        "SELECT k FROM {l} UNION SELECT k FROM {r}", "SELECT k FROM {l} UNION ALL SELECT k FROM {r}", "SELECT k FROM {l} INTERSECT SELECT k FROM {r}",
        "SELECT k FROM {l} EXCEPT SELECT k FROM {r}", "SELECT k FROM {l} EXCEPT ALL SELECT k FROM {r}", "SELECT k FROM {l} INTERSECT ALL SELECT k FROM {r}",
        "SELECT 1 AS a UNION SELECT 2.5 UNION SELECT NULL", "SELECT n FROM {l} INTERSECT SELECT n FROM {l}",
        "(SELECT k FROM {l} WHERE k < 3) UNION (SELECT k FROM {r} WHERE k > 25) ORDER BY k DESC NULLS LAST -- ordered",
        "SELECT k FROM {l} UNION SELECT k FROM {r} EXCEPT SELECT 3", "SELECT k FROM {none} UNION ALL SELECT 1", "SELECT k FROM {l} EXCEPT SELECT k FROM {none}",
    ],
    "subqueries": [
        "SELECT id FROM {l} WHERE k IN (SELECT k FROM {r})", "SELECT id FROM {l} WHERE k NOT IN (SELECT k FROM {r})", "SELECT id FROM {l} WHERE k NOT IN (SELECT k FROM {none})",
        "SELECT id FROM {l} WHERE k NOT IN (SELECT k FROM {r} WHERE k IS NOT NULL)", "SELECT id FROM {l} WHERE EXISTS (SELECT 1 FROM {none})",
        "SELECT id FROM {l} WHERE NOT EXISTS (SELECT 1 FROM {none})", "SELECT (SELECT max(v) FROM {r}) AS m", "SELECT (SELECT v FROM {none}) AS m", "SELECT (SELECT v FROM {r}) AS m",
        "SELECT id FROM {l} WHERE k = (SELECT max(k) FROM {l})", "SELECT * FROM (SELECT k, count(*) AS n FROM {l} GROUP BY k) AS q WHERE n > 15",
        "WITH a AS (SELECT k FROM {l} WHERE k < 5), b AS (SELECT DISTINCT k FROM a) SELECT count(*) FROM a JOIN b USING (k)",
        "WITH q(a, b) AS (SELECT k, count(*) FROM {l} GROUP BY k) SELECT a, b FROM q WHERE b > 10", "SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS v(n, s)",
        "SELECT id FROM {l} WHERE (k, t) IN (SELECT k, c FROM {r})",
    ],
    "order and limit": [
        "SELECT k, id FROM {l} ORDER BY k, id -- ordered", "SELECT k, id FROM {l} ORDER BY k DESC, id DESC -- ordered", "SELECT k, id FROM {l} ORDER BY k NULLS FIRST, id -- ordered",
        "SELECT k AS a, id FROM {l} ORDER BY a, 2 DESC -- ordered", "SELECT id FROM {l} ORDER BY k + i, id -- ordered", "SELECT id FROM {l} ORDER BY id LIMIT 0 -- ordered",
        "SELECT id FROM {l} ORDER BY id LIMIT 5 OFFSET 398 -- ordered", "SELECT id FROM {l} ORDER BY id OFFSET 395 -- ordered", "SELECT d, id FROM {l} ORDER BY d DESC NULLS LAST, id LIMIT 7 -- ordered",
        "SELECT f, e, id FROM {l} ORDER BY f, e DESC, id -- ordered", "SELECT t, count(*) AS n FROM {l} GROUP BY t ORDER BY n DESC, t LIMIT 2 -- ordered",
        "SELECT id FROM {l} ORDER BY s COLLATE \"C\", id LIMIT 5 -- ordered", "SELECT DISTINCT t FROM {l} ORDER BY t DESC -- ordered", "SELECT id FROM {l} ORDER BY random() LIMIT 0 -- ordered",
    ],
    "text files": [
        "SELECT * FROM {text}", "SELECT sum(n), sum(amount), min(day), max(word) FROM {text}", "SELECT word, length(word) FROM {text} WHERE amount IS NULL", "SELECT n FROM {text} WHERE day < DATE '2001-01-01'",
        "SELECT t.word, l.id FROM {text} AS t JOIN {l} AS l ON t.n = l.id",
    ],
    "friendly SQL": [
        "FROM {r}", "FROM {r} SELECT k, v WHERE v > 50", "SELECT * EXCLUDE (v) FROM {r}", "SELECT * REPLACE (v + 1 AS v) FROM {r}", "SELECT r.* FROM {r} AS r", "SELECT k AS \"select\", v \"My V\" FROM {r}",
        "SELECT count(*) c, K FROM {r} GROUP BY k", "SELECT 1 AS a, a + 1 AS b", "SELECT 'it''s', $$dollar$$, E'a\\nb'",
    ],
}


@pytest.mark.parametrize("topic", HAND_WRITTEN)
def test_hand_written_queries_give_the_rows_of_duckdb_for(topic, module_varve, oracle, data):
    assert_agree(module_varve, oracle, data, HAND_WRITTEN[topic], may_refuse=True)
