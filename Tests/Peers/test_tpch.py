"""TPC-H in varve and in DuckDB, on the same files; VARVE_TPCH_SCALE is the scale factor (0.01 by default)."""
import os
import pathlib
import subprocess
import sys

import duckdb
import pytest

from support import Varve, canonical_column, shared

SCALE = os.environ.get("VARVE_TPCH_SCALE", "0.01")
TABLES = ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"]


@pytest.fixture(scope="module")
def tpch(tmp_path_factory):
    """The tables in a warehouse, and DuckDB over the files that they came from."""
    files = tmp_path_factory.mktemp("tpch")
    generator = pathlib.Path(sys.executable).with_name("tpchgen-cli")
    if not generator.exists():
        pytest.skip("no tpchgen-cli beside this Python")
    subprocess.run([generator, "parquet", "-s", SCALE, "-o", files], check=True, timeout=300, capture_output=True)
    varve = Varve(tmp_path_factory.mktemp("tpch-warehouse") / "lake")
    oracle = duckdb.connect()
    for table in TABLES:
        varve.execute(f"CREATE TABLE {table} AS SELECT * FROM read_parquet('{files}/{table}.parquet')", seconds=600)
        oracle.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{files}/{table}.parquet')")
    return varve, oracle


def rounded(value):
    """Sums of floats and divisions come out of different orders of addition: 9 digits count."""
    if isinstance(value, tuple) and value[0] == "float":
        return f"{float(value[1]):.8e}"
    return value


def rows(table):
    return sorted(zip(*[[rounded(value) for value in canonical_column(column)] for column in table.columns]), key=repr)


@pytest.mark.parametrize("number", range(1, 23))
def test_query_gives_the_answer_of_duckdb(number, tpch):
    varve, oracle = tpch
    text = shared("corpora", "tpch", "queries", f"q{number:02}.sql").read_text()
    expected = oracle.execute(text).to_arrow_table()
    got = varve.table(text, seconds=600)
    assert got.num_columns == expected.num_columns
    assert rows(got) == rows(expected)


@pytest.mark.parametrize("table", TABLES)
def test_a_table_holds_the_rows_of_its_file(table, tpch):
    varve, oracle = tpch
    key = {"lineitem": "l_orderkey * 7 + l_linenumber", "partsupp": "ps_partkey * 7 + ps_suppkey"}.get(table)
    column = key or oracle.execute(f"SELECT * FROM {table} LIMIT 0").description[0][0]
    query = f"SELECT count(*) AS n, sum({column}) AS s, count(DISTINCT {column}) AS d FROM {table}"
    assert rows(varve.table(query)) == rows(oracle.execute(query).to_arrow_table())
