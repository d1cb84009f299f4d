#!/usr/bin/env python3
"""Reading one column of Parquet: every type, in the encodings that it may have, under every codec.

Usage: decode.py [--rows 1e6] [--filter '^int64 PLAIN'] and the options that all benchmarks have (README.md).

A query takes the cheapest aggregate that needs every value: sums of numbers, lengths of texts, how many times are after another.
"""
import pathlib
import re
import sys

import suite

CODECS = ["none", "snappy", "zstd", "lz4", "gzip"]
NUMBERS = ["PLAIN", "DICTIONARY", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"]
FRACTIONS = ["PLAIN", "DICTIONARY", "BYTE_STREAM_SPLIT"]
TIMES = ["PLAIN", "DICTIONARY", "DELTA_BINARY_PACKED"]
TEXTS = ["PLAIN", "DICTIONARY", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"]
# Of each type: the encodings, what SQL takes of the column, and what pyarrow takes.
TYPES = {
    "boolean": (["PLAIN", "RLE"], "SELECT count(*) AS value FROM {} WHERE c", "sum c"),
    "int32": (NUMBERS, "SELECT sum(c) AS value FROM {}", "sum c"),
    "int64": (NUMBERS, "SELECT sum(c) AS value FROM {}", "sum c"),
    "int64_nulls": (NUMBERS, "SELECT sum(c) AS value FROM {}", "sum c"),
    "float": (FRACTIONS, "SELECT sum(CAST(c AS DOUBLE)) AS value FROM {}", "sum c"),
    "double": (FRACTIONS, "SELECT sum(c) AS value FROM {}", "sum c"),
    "decimal": (TIMES, "SELECT sum(c) AS value FROM {}", "sum c"),
    "wide_decimal": (["PLAIN", "DICTIONARY", "DELTA_BYTE_ARRAY", "BYTE_STREAM_SPLIT"], "SELECT sum(c) AS value FROM {}", "sum c"),
    "date": (TIMES, "SELECT count(*) AS value FROM {} WHERE c > DATE '1997-05-18'", "after c 1997-05-18"),
    "timestamp": (TIMES, "SELECT count(*) AS value FROM {} WHERE c > TIMESTAMP '2004-01-10 13:37:04'", "after c 2004-01-10T13:37:04"),
    "text": (TEXTS, "SELECT sum(octet_length(c)) AS value FROM {}", "lengths c"),
    "text_nulls": (TEXTS, "SELECT sum(octet_length(c)) AS value FROM {}", "lengths c"),
}


def query(kind, encoding, codec):
    _, text, aggregate = TYPES[kind]
    table = f"{kind}_{encoding}_{codec}"
    # DuckDB's octet_length is one of blobs; Polars' sums of integers wrap around.
    others = {"pyarrow": aggregate, "duckdb": text.format(table).replace("octet_length", "strlen")}
    if kind == "int32":
        others["polars"] = text.format(table).replace("sum(c)", "sum(CAST(c AS BIGINT))")
    return suite.Query(f"{kind} {encoding} {codec}", text.format(table), others)


def main():
    parser = suite.options(__doc__, engines="varve,duckdb,datafusion,polars,pyarrow", repeat=10, rounds=3)
    parser.add_argument("--rows", type=float, default=1e6, help="rows of each file")
    chosen = parser.parse_args()
    files = suite.folder(chosen.files, "columns") / f"{chosen.rows:.0f}"
    queries = [query(kind, encoding, codec) for kind, (encodings, *_) in TYPES.items() for encoding in encodings for codec in CODECS]
    queries = [each for each in queries if re.search(chosen.filter, each.name)]
    names = ["-".join(each.name.split(" ")) for each in queries]
    if missing := [name for name in names if not (files / f"{name}.parquet").exists()]:
        suite.make(pathlib.Path(__file__).with_name("make_columns.py"), chosen.rows, files, *missing)
    tables = {name.replace("-", "_"): files / f"{name}.parquet" for name in names}
    return suite.Suite(f"Columns, {chosen.rows:.0f} rows", chosen, tables).run(queries)


if __name__ == "__main__":
    sys.exit(main())
