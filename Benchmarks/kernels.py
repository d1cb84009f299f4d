#!/usr/bin/env python3
"""The parts that queries are made of, one at a time, over columns that are cheap to read, beside plain C that does the same.

Usage: kernels.py [--rows 4e6] [--filter 'group|join'] and the options that all benchmarks have (README.md).

Every query gives one number, and the program of bounds.c, compiled here with `cc -O3 -march=native`, gives it too. The bound has
its columns in memory, while engines read them from Parquet; the `scan` lines say what reading alone takes.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

import suite

# Of each kernel: its bound in bounds.c, if it has one, and the query.
KERNELS = {
    "scan integers": ("scan_integers", "SELECT sum(i) AS value FROM numbers"),
    "scan doubles": ("scan_doubles", "SELECT sum(x) AS value FROM numbers"),
    "scan texts": ("scan_texts", "SELECT sum(octet_length(s)) AS value FROM numbers"),
    "filter few": ("filter_few", "SELECT count(*) AS value FROM numbers WHERE i < 21474836"),
    "filter half": ("filter_half", "SELECT sum(x) AS value FROM numbers WHERE y < 0.5"),
    "filter in": ("filter_in", "SELECT count(*) AS value FROM numbers WHERE few IN (3, 7, 19, 23, 42, 77, 91)"),
    "arithmetic doubles": ("arithmetic_doubles", "SELECT sum(x * y + x * 2 - y / 3) AS value FROM numbers"),
    "arithmetic integers": ("arithmetic_integers", "SELECT sum(i % 1000 * 3 + few) AS value FROM numbers"),
    "arithmetic decimals": ("arithmetic_decimals", "SELECT sum(price * (100.00 - price)) AS value FROM numbers"),
    "case": ("choice", "SELECT sum(CASE WHEN few < 10 THEN x WHEN few < 50 THEN y ELSE 0 END) AS value FROM numbers"),
    "group few": ("group_few", "SELECT sum(few * s) AS value FROM (SELECT few, sum(x) AS s FROM numbers GROUP BY few) AS g"),
    "group many": ("group_many", "SELECT sum(n * n) AS value FROM (SELECT many, count(*) AS n FROM numbers GROUP BY many) AS g"),
    "group texts": ("group_texts", "SELECT sum(n * n) AS value FROM (SELECT word, count(*) AS n FROM numbers GROUP BY word) AS g"),
    "distinct": ("distinct", "SELECT count(DISTINCT many) AS value FROM numbers"),
    "join": ("join", "SELECT sum(w) AS value FROM numbers JOIN weights ON many = k"),
    "sort integers": ("sort", "SELECT sum(CAST(i AS DOUBLE) * place) AS value FROM (SELECT i, row_number() OVER (ORDER BY i) AS place FROM numbers) AS o"),
    "sort texts": (None, "SELECT sum(CAST(octet_length(s) AS DOUBLE) * place) AS value FROM "
                         "(SELECT s, row_number() OVER (ORDER BY s) AS place FROM numbers) AS o"),
    "running sums": ("running_sums", "SELECT sum(r) AS value FROM (SELECT sum(x) OVER (PARTITION BY few ORDER BY i "
                                     "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS r FROM numbers) AS o"),
    "top": ("top", "SELECT sum(x) AS value FROM (SELECT x FROM numbers ORDER BY x DESC LIMIT 100) AS o"),
    "median": ("median", "SELECT median(x) AS value FROM numbers"),
    "like inside": ("like_inside", "SELECT count(*) AS value FROM numbers WHERE s LIKE '%garden%'"),
    "like start": ("like_start", "SELECT count(*) AS value FROM numbers WHERE s LIKE 'winter%'"),
    "like two": ("like_two", "SELECT count(*) AS value FROM numbers WHERE s LIKE '%rain%7%'"),
    "regular expression": (None, "SELECT count(*) AS value FROM numbers WHERE s ~ 'r[a-z]+n [0-9]+ (moon|lake)'"),
    "upper": ("upper", "SELECT count(*) AS value FROM numbers WHERE upper(s) >= 'RAIN'"),
    "substring": ("substring", "SELECT count(*) AS value FROM numbers WHERE substring(s, 3, 4) = 'rden'"),
    "concatenation": ("concatenation", "SELECT sum(octet_length(s || '-' || s)) AS value FROM numbers"),
    "number to text": ("number_to_text", "SELECT sum(octet_length(CAST(i AS VARCHAR))) AS value FROM numbers"),
    "text to number": ("text_to_number", "SELECT sum(CAST(digits AS BIGINT)) AS value FROM numbers"),
    "rounding": ("rounding", "SELECT sum(CAST(floor(x * 1000) AS BIGINT)) AS value FROM numbers"),
    "years": ("years", "SELECT sum(extract(year FROM t)) AS value FROM numbers"),
}


def compiled(files):
    """The program of bounds.c, made when it is older than its source; None, and a word about it, without a compiler."""
    source, program = pathlib.Path(__file__).with_name("bounds.c"), files / "bounds"
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if not compiler:
        print("no C compiler: there are no bounds", file=sys.stderr)
        return None
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        subprocess.run([compiler, "-O3", "-march=native", "-o", program, source], check=True)
    return program


def main():
    parser = suite.options(__doc__, rounds=3, repeat=5)
    parser.add_argument("--rows", type=float, default=4e6, help="rows of the table")
    chosen = parser.parse_args()
    files = suite.folder(chosen.files, "kernels") / f"{chosen.rows:.0f}"
    tables = {name: files / f"{name}.parquet" for name in ["numbers", "weights"]}
    if not all(path.exists() for path in tables.values()):
        suite.make(pathlib.Path(__file__).with_name("make_kernels.py"), chosen.rows, files)
    program = compiled(files)
    queries = []
    for name, (bound, text) in KERNELS.items():
        # DuckDB's octet_length is one of blobs, and its ~ matches whole texts; Polars' sums of integers wrap around.
        others = {"duckdb": re.sub(r"(\w+) ~ ('.*')", r"regexp_matches(\1, \2)", text.replace("octet_length", "strlen")),
                  "polars": text.replace("sum(i", "sum(CAST(i AS BIGINT)")}
        queries.append(suite.Query(name, text, others, (program, bound, files) if bound and program else (), int(chosen.rows)))
    return suite.Suite(f"Kernels, {chosen.rows:.0f} rows", chosen, tables).run(queries)


if __name__ == "__main__":
    sys.exit(main())
