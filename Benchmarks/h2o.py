#!/usr/bin/env python3
"""Grouping and joining as the database-like operations benchmark of H2O asks it: ten questions about groups, five about joins.

Usage: h2o.py [--rows 1e7] [--filter group|join] and the options that all benchmarks have (README.md).

The answers have up to as many rows as the table; every query counts them and sums their columns, so that handing them over
is no part of the measurement and no engine can leave their making out.
"""
import pathlib
import sys

import suite

# What is asked, and which columns of the answer are summed.
GROUPS = {
    "01 one key of few": ("SELECT id1, sum(v1) AS a FROM groups GROUP BY id1", "a"),
    "02 two keys of few": ("SELECT id1, id2, sum(v1) AS a FROM groups GROUP BY id1, id2", "a"),
    "03 many texts": ("SELECT id3, sum(v1) AS a, avg(v3) AS b FROM groups GROUP BY id3", "a b"),
    "04 means of few": ("SELECT id4, avg(v1) AS a, avg(v2) AS b, avg(v3) AS c FROM groups GROUP BY id4", "a b c"),
    "05 sums of many": ("SELECT id6, sum(v1) AS a, sum(v2) AS b, sum(v3) AS c FROM groups GROUP BY id6", "a b c"),
    "06 median": ("SELECT id4, id5, median(v3) AS a, stddev(v3) AS b FROM groups GROUP BY id4, id5", "a b"),
    "07 range": ("SELECT id3, max(v1) - min(v2) AS a FROM groups GROUP BY id3", "a"),
    "08 best two": ("SELECT id6, v3 AS a FROM (SELECT id6, v3, row_number() OVER (PARTITION BY id6 ORDER BY v3 DESC) AS place FROM groups) AS ranked "
                    "WHERE place <= 2", "a"),
    "09 correlation": ("SELECT id2, id4, power(corr(v1, v2), 2) AS a FROM groups GROUP BY id2, id4", "a"),
    "10 six keys": ("SELECT id1, id2, id3, id4, id5, id6, sum(v3) AS a, count(*) AS b FROM groups GROUP BY id1, id2, id3, id4, id5, id6", "a b"),
}
JOINS = {
    "1 small": ("SELECT facts.v1 AS a, small.v2 AS b FROM facts JOIN small ON facts.id1 = small.id1", "a b"),
    "2 medium": ("SELECT facts.v1 AS a, medium.v2 AS b, medium.id1 AS c FROM facts JOIN medium ON facts.id2 = medium.id2", "a b c"),
    "3 medium outer": ("SELECT facts.v1 AS a, medium.v2 AS b FROM facts LEFT JOIN medium ON facts.id2 = medium.id2", "a b"),
    "4 medium by text": ("SELECT facts.v1 AS a, medium.v2 AS b FROM facts JOIN medium ON facts.id5 = medium.id5", "a b"),
    "5 big": ("SELECT facts.v1 AS a, big.v2 AS b, big.id1 AS c, big.id2 AS d FROM facts JOIN big ON facts.id3 = big.id3", "a b c d"),
}
OTHERS = {
    "group 09 correlation": {
        # Polars has no corr in SQL: from its sums, of the rows in which both are known.
        "polars": "SELECT count(*) AS n, sum(a) AS a FROM (SELECT id2, id4, power(n * xy - x * y, 2) / ((n * xx - x * x) * (n * yy - y * y)) AS a FROM "
                  "(SELECT id2, id4, CAST(count(*) AS DOUBLE) AS n, CAST(sum(v1) AS DOUBLE) AS x, CAST(sum(v2) AS DOUBLE) AS y, CAST(sum(v1 * v2) AS DOUBLE) AS xy, "
                  "CAST(sum(v1 * v1) AS DOUBLE) AS xx, CAST(sum(v2 * v2) AS DOUBLE) AS yy FROM groups WHERE v2 IS NOT NULL GROUP BY id2, id4) AS sums) AS answer",
    },
}


def counted(question, columns):
    """A question's rows counted and summed."""
    return f"SELECT count(*) AS n, {', '.join(f'sum({column}) AS {column}' for column in columns.split())} FROM ({question}) AS answer"


def main():
    parser = suite.options(__doc__)
    parser.add_argument("--rows", type=float, default=1e7, help="rows of the table of groups, and of the joins' left side")
    chosen = parser.parse_args()
    files = suite.folder(chosen.files, "h2o") / f"{chosen.rows:.0f}"
    tables = {name: files / f"{name}.parquet" for name in ["groups", "facts", "small", "medium", "big"]}
    if not all(path.exists() for path in tables.values()):
        suite.make(pathlib.Path(__file__).with_name("make_groups.py"), chosen.rows, files)
    texts = {f"{kind} {name}": counted(*question) for kind, each in (("group", GROUPS), ("join", JOINS)) for name, question in each.items()}
    queries = [suite.Query(name, text, OTHERS.get(name, {})) for name, text in texts.items()]
    return suite.Suite(f"Groups and joins, {chosen.rows:.0f} rows", chosen, tables).run(queries)


if __name__ == "__main__":
    sys.exit(main())
