"""The first rows of each partition, which windows below a filter keep while they read, and sorts of many rows: the rows are DuckDB's
on one thread and on several, and in little memory."""
import random

import duckdb
import pyarrow
import pyarrow.parquet
import pytest

from test_sql_oracle import rows_of, unsigned_zero

ROW_COUNT = 60_000


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Keys of few and of many groups, one of a single huge group beside small ones; values with ties, nulls, NaN and both zeros; numbers that rise."""
    chance = random.Random(11)

    def column(make, null_share=0.05):
        return [None if chance.random() < null_share else make(row) for row in range(ROW_COUNT)]

    specials = [float("nan"), float("inf"), -float("inf"), -0.0, 0.0]
    table = pyarrow.table({
        "id": pyarrow.array(range(ROW_COUNT), pyarrow.int64()),
        "few": pyarrow.array(column(lambda row: chance.randrange(9)), pyarrow.int32()),
        "many": pyarrow.array(column(lambda row: chance.randrange(12_000)), pyarrow.int64()),
        "most": pyarrow.array(column(lambda row: chance.randrange(10**12), 0), pyarrow.int64()),
        "skew": pyarrow.array(column(lambda row: 0 if chance.random() < 0.9 else chance.randrange(5000)), pyarrow.int32()),
        "name": pyarrow.array(column(lambda row: f"a name that begins like all the others, {chance.randrange(3000)}"), pyarrow.string()),
        "tie": pyarrow.array(column(lambda row: chance.randrange(50)), pyarrow.int32()),
        "x": pyarrow.array(column(lambda row: chance.choice(specials) if chance.random() < 0.1 else chance.randrange(-999, 999) / 8), pyarrow.float64()),
        "word": pyarrow.array(column(lambda row: chance.choice(["", "a", "château", "zz" * 20, "\U0001F600", f"w{chance.randrange(9000)}"])), pyarrow.string()),
    })
    path = tmp_path_factory.mktemp("partitions") / "rows.parquet"
    pyarrow.parquet.write_table(table, path, row_group_size=9_000)
    return path


# Columns, the call, its window, and the filter: orders that leave no ties, or calls that see them.
CASES = [
    ("id, x", "row_number()", f"PARTITION BY {by} ORDER BY {order}", condition)
    for by in ["few", "many", "skew", "name", "few, tie"]
    for order, condition in [("x DESC, id", "r <= 2"), ("id DESC", "r = 1"), ("word NULLS FIRST, id", "r < 4")]
] + [
    ("id, x", "rank()", f"PARTITION BY {by} ORDER BY {order}", condition)
    for by in ["few", "many", "skew"] for order, condition in [("x", "r <= 2"), ("tie DESC NULLS LAST", "r = 1"), ("word, tie", "r <= 3")]
] + [
    ("id, word", "row_number()", "PARTITION BY most ORDER BY id", "r = 1"), ("id, word", "row_number()", "ORDER BY x DESC NULLS FIRST, id", "r <= 100"),
    ("id", "rank()", "ORDER BY tie", "r <= 10"), ("id, few", "row_number()", "PARTITION BY few ORDER BY id", "r <= 5000"), ("id, few", "row_number()", "PARTITION BY few ORDER BY id DESC", "r IN (1, 3000)"),
]


@pytest.mark.parametrize("columns,call,window,condition", CASES)
def test_the_first_of_each_partition_are_those_of_duckdb(columns, call, window, condition, module_varve, file):
    query = f"SELECT * FROM (SELECT {columns}, {call} OVER ({window}) AS r FROM '{file}') AS q WHERE {condition}"
    expected = sorted(unsigned_zero(rows_of(duckdb.sql(query).to_arrow_table())), key=repr)
    # A partition must fit, and this one is nearly all rows.
    little = "64MB" if "skew" in window else "6MB"
    for options in [("--threads", "1"), ("--threads", "3"), ("--threads", "2", "--memory", little)]:
        got = sorted(unsigned_zero(rows_of(module_varve.table(query, *options))), key=repr)
        assert got == expected, options


@pytest.mark.parametrize("by", ["most", "x DESC, id", "word, id DESC", "name DESC NULLS LAST, tie, id", "tie, many NULLS FIRST, id", "id", "id DESC"])
def test_many_rows_are_sorted_as_duckdb_sorts_them(by, module_varve, file):
    query = f"SELECT id, row_number() OVER (ORDER BY {by}) AS place FROM '{file}' ORDER BY {by}"
    expected = duckdb.sql(query).fetchall()
    assert module_varve.rows(query, "--threads", "2") == expected
