"""Writes the tables of h2o.py: `make_groups.py ROWS FOLDER`: one for grouping, and four for joining, seeded.

groups: id1..id3 are texts, id4..id6 numbers, of which 1 and 4 have 100 values, 2 and 5 too, 3 and 6 one in a hundred rows;
v1 and v2 are small numbers, v3 is a fraction. One value in a hundred of v2 is missing.
joins: left has keys of three sizes, as numbers and as texts; small, medium and big are the tables that they find, of which
each holds nine tenths of the keys that are looked for.
"""
import math
import pathlib
import sys

import numpy
import pyarrow
import pyarrow.parquet

GROUP = 1_000_000


def write(path, parts):
    """A file of the tables that an iterator gives, complete or not there."""
    unfinished, writer = path.with_suffix(".unfinished"), None
    for table in parts:
        writer = writer or pyarrow.parquet.ParquetWriter(unfinished, table.schema, compression="snappy")
        writer.write_table(table)
    writer.close()
    unfinished.rename(path)


def texts(numbers, width=10):
    """Texts of one width that name numbers: id0000000042."""
    digits = numpy.char.zfill(numbers.astype(f"U{width}"), width)
    return pyarrow.array(numpy.char.add("id", digits))


def pool(count):
    return texts(numpy.arange(count))


def sizes(rows):
    """The rows of one group after the other."""
    return [min(GROUP, rows - first) for first in range(0, rows, GROUP)]


def groups(random, rows):
    # A small table has fewer groups too: of few rows there is no correlation.
    few, many = min(100, max(3, math.isqrt(rows // 100))), max(rows // 100, 1)
    few_texts, many_texts = pool(few), pool(many)
    for size in sizes(rows):
        columns = {f"id{place}": few_texts.take(pyarrow.array(random.integers(0, few, size))) for place in (1, 2)}
        columns["id3"] = many_texts.take(pyarrow.array(random.integers(0, many, size)))
        for place, count in ((4, few), (5, few), (6, many)):
            columns[f"id{place}"] = random.integers(1, count + 1, size).astype(numpy.int32)
        columns["v1"] = random.integers(1, 6, size).astype(numpy.int32)
        columns["v2"] = pyarrow.array(random.integers(1, 16, size).astype(numpy.int32), mask=random.random(size) < 0.01)
        columns["v3"] = numpy.round(random.random(size) * 100, 6)
        yield pyarrow.table(columns)


def left(random, rows, counts):
    for size in sizes(rows):
        columns = {}
        for place, count in enumerate(counts, 1):
            # Keys above nine tenths of the count are in no table that is looked into.
            keys = random.integers(0, count, size)
            columns[f"id{place}"] = keys.astype(numpy.int32)
            columns[f"id{place + 3}"] = texts(keys)
        columns["v1"] = numpy.round(random.random(size) * 100, 6)
        yield pyarrow.table(columns)


def right(random, counts, place):
    """The table that the key of this place finds its rows in: each key once, in no order, with the smaller keys beside it."""
    keys = random.permutation(max(counts[place - 1] * 9 // 10, 1))
    for first in range(0, len(keys), GROUP):
        part = keys[first:first + GROUP]
        columns = {}
        for other in range(1, place):
            columns[f"id{other}"] = random.integers(0, counts[other - 1], len(part)).astype(numpy.int32)
        columns[f"id{place}"] = part.astype(numpy.int32)
        columns[f"id{place + 3}"] = texts(part)
        columns["v2"] = numpy.round(random.random(len(part)) * 100, 6)
        yield pyarrow.table(columns)


def main():
    rows, folder = int(float(sys.argv[1])), pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    random = numpy.random.default_rng(108)
    counts = [max(rows // 10**6, 10), max(rows // 1000, 100), rows]
    write(folder / "groups.parquet", groups(random, rows))
    write(folder / "facts.parquet", left(random, rows, counts))
    for place, name in enumerate(["small", "medium", "big"], 1):
        write(folder / f"{name}.parquet", right(random, counts, place))


if __name__ == "__main__":
    main()
