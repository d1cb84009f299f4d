"""What scans leave out: by codes of dictionaries, by the bounds of a sort with a limit, behind a LIMIT. Rows are DuckDB's."""
import datetime
import json
import random

import duckdb
import pyarrow
import pyarrow.parquet
import pytest


ROW_COUNT = 60_000
FILTERS = [
    "small = 7", "small > 3 AND small <= 9", "small IS NULL", "small IS NOT NULL AND small <> 5", "small IN (1, 2, NULL)", "NOT (small BETWEEN 2 AND 8)",
    "coalesce(small, 3) = 3", "small + 1 > 12 OR small IS NULL", "price > 12.34", "price BETWEEN 5 AND 50 AND price <> 7.00", "day >= DATE '2024-02-01' AND day < DATE '2024-02-10'",
    "ratio > 0.5", "ratio = 'nan'::DOUBLE", "ratio < 0 AND small = 3", "word LIKE '%a%' AND word > 'c'", "word IS NULL OR word = ''", "wide > 59000", "wide % 7 = 3 AND small > 2",
    "moment > TIMESTAMP '2024-01-15 00:00:00'", "nothing IS NULL", "nothing = 3", "small > 3 AND word LIKE 'd%' AND price < 80 AND wide > 1000", "1 / (small - 100) IS NOT NULL",
    "small > 5 AND small > wide / 100", "CAST(small AS VARCHAR) LIKE '1%'", "small > 100",
]
ORDERS = [
    "wide", "wide DESC", "small, wide", "small DESC NULLS LAST, wide", "small NULLS FIRST, wide DESC", "price DESC NULLS LAST, wide", "ratio, wide", "ratio DESC NULLS LAST, wide DESC",
    "word, wide", "word DESC NULLS FIRST, wide", "moment DESC NULLS LAST, wide", "day NULLS FIRST, wide", "wide % 1000, wide", "nothing, wide", "flag DESC NULLS LAST, wide",
]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Row groups of 7 000 rows; columns of few values, which writers store as codes, and of many; some row groups without any value."""
    chance = random.Random(8)

    def column(make, null_share=0.1):
        return [None if chance.random() < null_share or 14_000 <= row < 21_000 and null_share else make(row) for row in range(ROW_COUNT)]

    numbers = list(range(ROW_COUNT))
    chance.shuffle(numbers)
    specials = [float("nan"), float("inf"), -float("inf"), -0.0, 0.0]
    table = pyarrow.table({
        "wide": pyarrow.array(numbers, pyarrow.int64()),
        "small": pyarrow.array(column(lambda row: chance.randrange(13)), pyarrow.int32()),
        "price": pyarrow.array(column(lambda row: chance.randrange(10_000)), pyarrow.int64()).cast(pyarrow.decimal128(19, 0)).cast(pyarrow.decimal128(21, 2)),
        "ratio": pyarrow.array(column(lambda row: chance.choice(specials) if chance.random() < 0.2 else chance.randrange(-40, 40) / 8), pyarrow.float64()),
        "day": pyarrow.array(column(lambda row: datetime.date(2024, 1, 1) + datetime.timedelta(days=chance.randrange(90))), pyarrow.date32()),
        "moment": pyarrow.array(column(lambda row: datetime.datetime(2024, 1, 1) + datetime.timedelta(seconds=chance.randrange(3_000_000))), pyarrow.timestamp("us")),
        "word": pyarrow.array(column(lambda row: chance.choice(["", "a", "b", "château", "çedilla", "dada", "d", "zz" * 20, "\U0001F600"])), pyarrow.string()),
        "nothing": pyarrow.array([None] * ROW_COUNT, pyarrow.int32()),
        "flag": pyarrow.array(column(lambda row: chance.random() < 0.5), pyarrow.bool_()),
    })
    path = tmp_path_factory.mktemp("scans") / "rows.parquet"
    pyarrow.parquet.write_table(table, path, row_group_size=7_000, compression="snappy", data_page_size=20_000)
    return path


def shown(value):
    if isinstance(value, float):
        return "nan" if value != value else str(abs(value)) if value == 0 else str(value)
    return None if value is None else str(value)


def compare(varve, sql, file, *options):
    sql = sql.replace("rows_", f"'{file}'")
    got = [tuple(map(shown, row)) for row in varve.rows(sql, *options)]
    assert got == [tuple(map(shown, row)) for row in duckdb.connect().execute(sql).fetchall()], sql


def compare_to(varve, sql, expected, *options):
    got = [tuple(map(shown, row)) for row in varve.rows(sql, *options)]
    assert got == [tuple(map(shown, row)) for row in duckdb.connect().execute(expected).fetchall()], sql


def text(column):
    return f"CAST({column} AS VARCHAR)"


@pytest.mark.parametrize("condition", FILTERS)
def test_filters_over_codes(varve, file, condition):
    compare(varve, f"SELECT count(*), sum(wide), count(small), sum(small), count(word), min(day) FROM rows_ WHERE {condition}", file)


@pytest.mark.parametrize("order", ORDERS)
def test_first_rows_of_an_order(varve, file, order):
    for tail in ["LIMIT 1", "LIMIT 13", "LIMIT 5 OFFSET 20", "LIMIT 9000"]:
        for threads in ["1", "2"]:
            compare(varve, f"SELECT wide, {text('small')}, word, {text('price')}, {text('day')} FROM rows_ ORDER BY {order} {tail}", file, "--threads", threads)
    compare(varve, f"SELECT wide, word FROM rows_ WHERE small > 4 AND word <> 'a' ORDER BY {order} LIMIT 50", file)
    compare(varve, f"SELECT a.wide, b.word FROM rows_ a JOIN rows_ b ON a.wide = b.wide + 1 ORDER BY {', '.join('a.' + key.strip() for key in order.split(','))} LIMIT 20", file)


def test_first_rows_of_ever_new_orders_in_a_recursion(varve, file):
    compare(
        varve,
        "WITH RECURSIVE steps(n, best) AS (SELECT 0, CAST(100 AS BIGINT) UNION ALL SELECT n + 1, (SELECT wide FROM rows_ WHERE wide > best * 2 ORDER BY wide LIMIT 1) FROM steps WHERE n < 6) "
        "SELECT n, best FROM steps ORDER BY n",
        file,
    )
    compare(varve, "SELECT g.x, r.wide FROM (VALUES (1), (5), (9)) g(x), LATERAL (SELECT wide FROM rows_ WHERE small = g.x ORDER BY wide DESC LIMIT 3) r ORDER BY 1, 2", file)


def bytes_read(varve, sql):
    done = varve.sql(sql, "--timing", "--threads", "2", format="csv")
    lines = [line for line in (done.stdout + done.stderr).decode().splitlines() if line.startswith('{"statement"')]
    return json.loads(lines[-1])["bytes_read"]


def test_a_limit_reads_no_more_row_groups_than_it_needs(varve, file):
    whole = bytes_read(varve, f"SELECT * FROM '{file}'")
    assert bytes_read(varve, f"SELECT * FROM '{file}' LIMIT 10") < whole / 5
    assert bytes_read(varve, f"SELECT * FROM '{file}' LIMIT 10 OFFSET 6995") < whole / 3
    assert bytes_read(varve, f"SELECT * FROM '{file}' LIMIT 0") == 0


def test_a_limit_reads_the_pages_in_front_of_a_table(varve, tmp_path):
    """A row group of 200 000 rows: the fronts of its chunks are enough, also behind rows that are deleted."""
    source = tmp_path / "source.parquet"
    duckdb.execute(
        f"COPY (SELECT i AS id, hash(i) AS h, 'text ' || hash(i + 1) AS word, CASE WHEN i % 3 > 0 THEN [i, i + 1][:i % 3] END AS list, {{'a': i, 'b': 'x' || i % 7}} AS s, "
        f"i % 100 AS small FROM range(200000) t(i)) TO '{source}'"
    )
    varve.sql(f"CREATE NAMESPACE n; CREATE TABLE n.t AS SELECT * FROM '{source}' ORDER BY id")
    whole = bytes_read(varve, "SELECT * FROM n.t")
    assert whole > 4_000_000
    assert bytes_read(varve, "SELECT * FROM n.t LIMIT 10") < whole / 5
    assert bytes_read(varve, "SELECT h, word FROM n.t LIMIT 10 OFFSET 90") < whole / 5
    columns = "id, h, word, CAST(list AS VARCHAR), s.a, s.b, small"
    for tail in ["LIMIT 1", "LIMIT 20", "LIMIT 20 OFFSET 15000", "LIMIT 199999", "LIMIT 30000 OFFSET 19990"]:
        for threads in ["1", "2"]:
            compare_to(varve, f"SELECT {columns} FROM n.t {tail}", f"SELECT {columns} FROM '{source}' ORDER BY id {tail}", "--threads", threads)
    # Rows that go by position, and a condition that no statistics know of.
    varve.sql("DELETE FROM n.t WHERE id < 30000 AND id % 100 > 0")
    for tail in ["LIMIT 5", "LIMIT 500", "LIMIT 400 OFFSET 200"]:
        compare_to(varve, f"SELECT {columns} FROM n.t {tail}", f"SELECT {columns} FROM '{source}' WHERE NOT (id < 30000 AND id % 100 > 0) ORDER BY id {tail}")
    compare_to(varve, f"SELECT id FROM n.t WHERE h % 1000 = 7 LIMIT 3", f"SELECT id FROM '{source}' WHERE h % 1000 = 7 AND NOT (id < 30000 AND id % 100 > 0) ORDER BY id LIMIT 3")


def test_other_readers_take_no_notice_of_the_checksums_in_page_indexes(varve, tmp_path):
    varve.sql("CREATE NAMESPACE n; CREATE TABLE n.t AS SELECT i AS id, 'text ' || i AS word FROM range(100000) r(i) ORDER BY i")
    [[path]] = varve.rows("SELECT file_path FROM n.t.files")
    path = path.removeprefix("file://")
    condition = "id > 70000 AND id < 70003"
    assert duckdb.execute(f"SELECT word FROM '{path}' WHERE {condition} ORDER BY id").fetchall() == [("text 70001",), ("text 70002",)]
    metadata = pyarrow.parquet.ParquetFile(path).metadata.row_group(0).column(0)
    assert metadata.has_offset_index and metadata.has_column_index
    assert pyarrow.parquet.read_table(path, filters=[("id", ">", 99_997)])["word"].to_pylist() == ["text 99998", "text 99999"]
    import datafusion

    # It reads offset indexes, to leave out pages.
    context = datafusion.SessionContext(datafusion.SessionConfig().set("datafusion.execution.parquet.enable_page_index", "true").set("datafusion.execution.parquet.pushdown_filters", "true"))
    context.register_parquet("t", path)
    assert context.sql(f"SELECT word FROM t WHERE {condition} ORDER BY id").to_pydict() == {"word": ["text 70001", "text 70002"]}
    import polars

    assert polars.scan_parquet(path).filter(polars.col("id") == 70_001).collect()["word"].to_list() == ["text 70001"]


def test_averages_and_sums_share_their_work(varve, file):
    compare(
        varve,
        "SELECT small, sum(wide), avg(wide), avg(small), sum(small), sum(wide) FILTER (wide > 10), avg(wide) FILTER (wide > 10), avg(DISTINCT small), sum(DISTINCT small) "
        "FROM rows_ GROUP BY small ORDER BY small NULLS LAST",
        file,
    )
    compare(varve, "SELECT sum(price), avg(price), CAST(sum(nothing) AS VARCHAR), CAST(avg(nothing) AS VARCHAR) FROM rows_", file)
