"""Writes the files of decode.py: `make_columns.py ROWS FOLDER NAME...`, where NAME is type-ENCODING-codec, as in int64-PLAIN-zstd.

A file holds one column `c`. Its values are drawn from ten thousand, so that a dictionary is worth it, and they are the same in every
encoding and codec. Row groups have 122 880 rows, DuckDB's number, so that nobody's threads find less to share than another's.
"""
import decimal
import pathlib
import sys

import numpy
import pyarrow
import pyarrow.parquet

GROUP = 122_880
DISTINCT = 10_000
MISSING = 0.1


def pool(name):
    """The distinct values of a type."""
    random = numpy.random.default_rng(7)
    numbers = random.integers(0, 2**31, DISTINCT)
    if name == "boolean":
        return pyarrow.array(numbers % 2 == 0)
    if name == "int32":
        return pyarrow.array(numbers.astype(numpy.int32))
    if name == "int64":
        return pyarrow.array(numbers << 9)
    if name == "float":
        return pyarrow.array(random.random(DISTINCT).astype(numpy.float32))
    if name == "double":
        return pyarrow.array(random.random(DISTINCT))
    if name == "decimal":
        return pyarrow.array([decimal.Decimal(int(number)).scaleb(-2) for number in numbers], pyarrow.decimal128(12, 2))
    if name == "wide_decimal":
        return pyarrow.array([decimal.Decimal(int(number) << 40).scaleb(-4) for number in numbers], pyarrow.decimal128(30, 4))
    if name == "date":
        return pyarrow.array((numbers % 20_000).astype("datetime64[D]"))
    if name == "timestamp":
        return pyarrow.array((numbers * 10**6).astype("datetime64[us]"))
    if name == "text":
        return pyarrow.array([f"value {number % 977} {'abcdefgh' * (number % 4)}{number}" for number in numbers.tolist()])
    raise ValueError(f"no type {name}")


def column(name, rows):
    values = pool(name.removesuffix("_nulls"))
    random = numpy.random.default_rng(8)
    missing = random.random(rows) < MISSING if name.endswith("_nulls") else None
    return values.take(pyarrow.array(random.integers(0, DISTINCT, rows), mask=missing))


def main():
    rows, folder = int(float(sys.argv[1])), pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    kept = {}
    for name in sys.argv[3:]:
        kind, encoding, codec = name.split("-")
        if kind not in kept:
            kept = {kind: pyarrow.table({"c": column(kind, rows)})}
        options = {"use_dictionary": True} if encoding == "DICTIONARY" else {"use_dictionary": False, "column_encoding": {"c": encoding}}
        unfinished = folder / f"{name}.unfinished"
        pyarrow.parquet.write_table(kept[kind], unfinished, row_group_size=GROUP, compression=codec, store_decimal_as_integer=True, **options)
        unfinished.rename(folder / f"{name}.parquet")


if __name__ == "__main__":
    main()
