"""verify.py DIR: reads DIR/*.parquet with pyarrow, DuckDB and Polars; each must have the values of
DIR/*.parquet.txt, and its metadata must make sense to pyarrow."""

import glob
import sys
import functools

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq

from canonical import column_lines


def expected_columns(path):
    with open(path) as lines:
        columns = {}
        for line in lines:
            name, _, count = line.rstrip("\n").split("\t")
            columns[name] = [next(lines).rstrip("\n") for _ in range(int(count))]
        return columns


print = functools.partial(print, flush=True)
failures = 0


def compare(reader, path, columns, read):
    global failures
    try:
        table = read()
    except Exception as error:
        print(f"{reader} {path}: {error}")
        failures += 1
        return
    if table.column_names != list(columns):
        print(f"{reader} {path}: columns {table.column_names}")
        failures += 1
        return
    for name, expected in columns.items():
        column = table.column(name)
        try:
            actual = column_lines(column)
        except Exception as error:
            print(f"{reader} {path} {name}: {error}")
            failures += 1
            continue
        if pa.types.is_string(column.type) and any(len(v) == 72 for v in actual):
            # DuckDB gives UUIDs as text.
            actual = [v if v == "~" else bytes.fromhex(v).decode().replace("-", "") for v in actual] \
                if all(v == "~" or len(v) == 72 for v in actual) else actual
        if actual != expected:
            row = next((i for i, (a, b) in enumerate(zip(actual, expected)) if a != b), None)
            print(f"{reader} {path} {name}: {len(actual)} rows, row {row}: "
                  f"{actual[row] if row is not None else ''} instead of "
                  f"{expected[row] if row is not None else ''}")
            failures += 1


def check_metadata(path):
    """Bounds and null counts in the statistics against the values."""
    global failures
    file = pq.ParquetFile(path)
    for group in range(file.metadata.num_row_groups):
        data = file.read_row_group(group)
        for index in range(file.metadata.num_columns):
            chunk = file.metadata.row_group(group).column(index)
            if "." in chunk.path_in_schema:
                continue
            column = data.column(chunk.path_in_schema)
            stats = chunk.statistics
            if stats is None or stats.null_count != column.null_count:
                print(f"{path} {chunk.path_in_schema}: null count {stats}")
                failures += 1
                continue
            if stats.has_min_max and isinstance(stats.min, (int, float)):
                values = [v for v in column.to_pylist() if isinstance(v, (int, float)) and v == v]
                if values and (min(values) != stats.min or max(values) != stats.max):
                    print(f"{path} {chunk.path_in_schema}: bounds {stats.min} {stats.max}")
                    failures += 1


for path in sorted(glob.glob(sys.argv[1] + "/*.parquet")):
    columns = expected_columns(path + ".txt")
    compare("pyarrow", path, columns,
            lambda: pq.ParquetFile(path, page_checksum_verification=True).read())
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    compare("duckdb", path, columns,
            lambda: connection.execute(f"FROM read_parquet('{path}')").to_arrow_table())
    compare("polars", path, columns, lambda: polars.read_parquet(path).to_arrow())
    check_metadata(path)
print("all equal" if failures == 0 else f"{failures} failures")
