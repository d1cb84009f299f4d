"""Tables that varve wrote, as PyIceberg, DuckDB and Polars read them, and tables of theirs read by varve."""
import datetime
import decimal
import random
import uuid

import polars
import pyarrow
import pyarrow.parquet
import pytest
from pyiceberg.table import StaticTable

from support import assert_same_rows, canonical, duckdb_with_iceberg

UTC = datetime.timezone.utc
SCHEMA = pyarrow.schema([
    ("id", pyarrow.int64()),
    ("flag", pyarrow.bool_()),
    ("small", pyarrow.int32()),
    ("large", pyarrow.int64()),
    ("single", pyarrow.float32()),
    ("number", pyarrow.float64()),
    ("money", pyarrow.decimal128(9, 2)),
    ("wide", pyarrow.decimal128(38, 10)),
    ("day", pyarrow.date32()),
    ("hour", pyarrow.time64("us")),
    ("moment", pyarrow.timestamp("us")),
    ("instant", pyarrow.timestamp("us", "UTC")),
    ("text", pyarrow.string()),
    ("bytes", pyarrow.binary()),
])
EXTREMES = {
    "flag": [True, False],
    "small": [-(2**31), 2**31 - 1, 0, -1],
    "large": [-(2**63), 2**63 - 1, 0, -1],
    "single": [float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 1.401298464324817e-45, 3.4028234663852886e38],
    "number": [float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1],
    "money": [decimal.Decimal(text) for text in ["-9999999.99", "9999999.99", "0.00", "-0.01"]],
    "wide": [decimal.Decimal(text) for text in ["-" + "9" * 28 + "." + "9" * 10, "9" * 28 + "." + "9" * 10, "1E-10"]],
    "day": [datetime.date(1, 1, 1), datetime.date(1969, 12, 31), datetime.date(2024, 2, 29), datetime.date(9999, 12, 31)],
    "hour": [datetime.time(0), datetime.time(23, 59, 59, 999999)],
    "moment": [datetime.datetime(1, 1, 1), datetime.datetime(1969, 12, 31, 23, 59, 59, 999999),
               datetime.datetime(2024, 2, 29, 12), datetime.datetime(9999, 12, 31, 23, 59, 59, 999999)],
    "instant": [datetime.datetime(1970, 1, 1, tzinfo=UTC), datetime.datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
                datetime.datetime(2262, 1, 1, tzinfo=UTC)],
    "text": ["", " ", "NULL", "naïve", "e\u0301", "日本語", "🜁🜂", "a'b\"c\\d", "line\nbreak\ttab", "x" * 500, "\u0000zero"],
    "bytes": [b"", b"\x00", b"\xff\xfe", bytes(range(256))],
}


def every_type(rows, seed):
    """Rows with nulls, empties and extremes in every column."""
    chance = random.Random(seed)
    ordinary = {
        "flag": lambda: chance.random() < 0.5,
        "small": lambda: chance.randint(-1000, 1000),
        "large": lambda: chance.randint(-10**12, 10**12),
        "single": lambda: chance.randint(-1000, 1000) / 8,
        "number": lambda: chance.uniform(-1e6, 1e6),
        "money": lambda: decimal.Decimal(chance.randint(-10**6, 10**6)).scaleb(-2),
        "wide": lambda: decimal.Decimal(chance.randint(-10**20, 10**20)).scaleb(-10),
        "day": lambda: datetime.date(2000, 1, 1) + datetime.timedelta(days=chance.randint(0, 1000)),
        "hour": lambda: datetime.time(chance.randint(0, 23), chance.randint(0, 59)),
        "moment": lambda: datetime.datetime(2020, 1, 1) + datetime.timedelta(seconds=chance.randint(0, 10**7)),
        "instant": lambda: datetime.datetime(2020, 1, 1, tzinfo=UTC) + datetime.timedelta(seconds=chance.randint(0, 10**7)),
        "text": lambda: chance.choice("abcdefghij") * chance.randint(1, 20),
        "bytes": lambda: chance.randbytes(chance.randint(0, 8)),
    }

    def value(name):
        kind = chance.random()
        if kind < 0.15:
            return None
        return chance.choice(EXTREMES[name]) if kind < 0.35 else ordinary[name]()

    columns = {name: [value(name) for _ in range(rows)] for name in SCHEMA.names if name != "id"}
    return pyarrow.table({"id": list(range(rows)), **columns}, schema=SCHEMA)


def by_pyiceberg(metadata, snapshot=None):
    table = StaticTable.from_metadata(metadata)
    return (table.scan(snapshot_id=snapshot) if snapshot else table.scan()).to_arrow()


def by_duckdb(metadata, snapshot=None):
    version = f", snapshot_from_id = {snapshot}" if snapshot else ""
    return duckdb_with_iceberg().execute(f"SELECT * FROM iceberg_scan('{metadata}'{version})").to_arrow_table()


def by_polars(metadata, snapshot=None):
    return polars.scan_iceberg(metadata, snapshot_id=snapshot).collect().to_arrow()


READERS = {"pyiceberg": by_pyiceberg, "duckdb": by_duckdb, "polars": by_polars}


def assert_all_read(varve, name, expected, snapshot=None, readers=READERS):
    """Every reader, varve among them, gives the expected rows."""
    version = f" FOR VERSION AS OF {snapshot}" if snapshot else ""
    assert_same_rows(varve.table(f"SELECT * FROM {name}{version}"), expected, "varve")
    for reader in readers:
        assert_same_rows(READERS[reader](varve.metadata_file(name), snapshot), expected, reader)


def snapshots(varve, name):
    """The ids of a table's snapshots, oldest first, as PyIceberg lists them."""
    table = StaticTable.from_metadata(varve.metadata_file(name))
    return [entry.snapshot_id for entry in sorted(table.history(), key=lambda entry: entry.timestamp_ms)]


@pytest.fixture(scope="module")
def all_types(tmp_path_factory):
    """3 000 rows of every flat type, and the Parquet file that holds them."""
    path = tmp_path_factory.mktemp("data") / "all.parquet"
    table = every_type(3000, seed=1)
    pyarrow.parquet.write_table(table, path, row_group_size=1000)
    return table, path


@pytest.mark.parametrize("reader", READERS)
def test_every_flat_type_with_nulls_and_extremes_is_read_by(reader, varve, all_types):
    table, path = all_types
    varve.execute(f"CREATE TABLE t AS SELECT * FROM read_parquet('{path}')")
    assert_all_read(varve, "t", table, readers=[reader])


def test_values_written_as_sql_literals_are_read_by_everybody(varve):
    varve.execute("""
        CREATE TABLE t (a INTEGER, b BIGINT, c DOUBLE, d DECIMAL(12, 3), e DATE, f TIMESTAMP, g TIMESTAMPTZ, h TIME,
                        i BOOLEAN, j VARCHAR, k REAL);
        INSERT INTO t VALUES
            (1, 9223372036854775807, 1e308, 123456789.125, DATE '2024-02-29', TIMESTAMP '2024-02-29 01:02:03.000004',
             TIMESTAMPTZ '2024-02-29 00:00:00+02', TIME '23:59:59.999999', true, 'it''s', 0.5),
            (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
            (-2147483648, -9223372036854775808, 'NaN'::DOUBLE, -0.001, DATE '1969-12-31', TIMESTAMP '1969-12-31 23:59:59',
             TIMESTAMPTZ '1970-01-01 00:00:00Z', TIME '00:00:00', false, '', -0.25)""")
    expected = pyarrow.table({
        "a": pyarrow.array([1, None, -(2**31)], pyarrow.int32()),
        "b": pyarrow.array([2**63 - 1, None, -(2**63)], pyarrow.int64()),
        "c": pyarrow.array([1e308, None, float("nan")]),
        "d": pyarrow.array([decimal.Decimal("123456789.125"), None, decimal.Decimal("-0.001")]),
        "e": pyarrow.array([datetime.date(2024, 2, 29), None, datetime.date(1969, 12, 31)]),
        "f": pyarrow.array([datetime.datetime(2024, 2, 29, 1, 2, 3, 4), None, datetime.datetime(1969, 12, 31, 23, 59, 59)]),
        "g": pyarrow.array([datetime.datetime(2024, 2, 28, 22, tzinfo=UTC), None, datetime.datetime(1970, 1, 1, tzinfo=UTC)],
                           pyarrow.timestamp("us", "UTC")),
        "h": pyarrow.array([datetime.time(23, 59, 59, 999999), None, datetime.time(0)]),
        "i": pyarrow.array([True, None, False]),
        "j": pyarrow.array(["it's", None, ""]),
        "k": pyarrow.array([0.5, None, -0.25], pyarrow.float32()),
    })
    assert_all_read(varve, "t", expected)


def test_uuid_columns_are_read_by_everybody(varve):
    ids = [str(uuid.UUID(int=number)) for number in [0, 1, 2**127, 2**128 - 1]]
    values = ", ".join(f"({index}, '{text}')" for index, text in enumerate(ids))
    varve.execute(f"CREATE TABLE t (n INTEGER, u UUID); INSERT INTO t VALUES {values}, (9, NULL)")
    expected = pyarrow.table({"n": pyarrow.array([0, 1, 2, 3, 9], pyarrow.int32()), "u": ids + [None]})
    assert_all_read(varve, "t", expected)


def test_a_table_without_rows_is_empty_for_everybody(varve):
    varve.execute("CREATE TABLE t (a INTEGER, b VARCHAR)")
    for name, read in READERS.items():
        assert read(varve.metadata_file("t")).num_rows == 0, name
    varve.execute("INSERT INTO t VALUES (1, 'x'); DELETE FROM t")
    assert varve.value("SELECT count(*) FROM t") == 0
    for name, read in READERS.items():
        assert read(varve.metadata_file("t")).num_rows == 0, name


@pytest.mark.parametrize("transform", [
    "flag", "small", "large", "money", "wide", "day", "hour", "moment", "instant", "text", "bytes",
    "bucket(7, small)", "bucket(7, large)", "bucket(7, money)", "bucket(7, wide)", "bucket(7, day)", "bucket(7, hour)",
    "bucket(7, moment)", "bucket(7, instant)", "bucket(7, text)", "bucket(7, bytes)",
    "truncate(10, small)", "truncate(1000, large)", "truncate(50, money)", "truncate(3, text)", "truncate(2, bytes)",
    "year(day)", "month(day)", "day(day)", "year(moment)", "month(moment)", "day(moment)", "hour(moment)",
    "year(instant)", "month(instant)", "day(instant)", "hour(instant)",
])
def test_a_table_partitioned_by_this_transform_is_read_by_everybody(transform, varve, tmp_path):
    # Few rows of few values, so that there are few files.
    chance = random.Random(transform)
    table = every_type(24, seed=transform)
    column = transform.rstrip(")").split("(")[-1].split(", ")[-1]
    values = chance.sample(EXTREMES[column], min(4, len(EXTREMES[column]))) + [None]
    data = pyarrow.array([chance.choice(values) for _ in range(24)], SCHEMA.field(column).type)
    table = table.set_column(SCHEMA.get_field_index(column), SCHEMA.field(column), data)
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    varve.execute(f"""CREATE TABLE t PARTITIONED BY ({transform}) AS
                      SELECT * FROM read_parquet('{tmp_path / "in.parquet"}')""")
    assert_all_read(varve, "t", table)
    # A filter on the column prunes partitions: the rows that are left must be the right ones.
    connection = duckdb_with_iceberg()
    arrow_rows = table  # DuckDB finds it by its name.  # noqa: F841
    connection.execute("CREATE OR REPLACE TEMP TABLE source AS SELECT * FROM arrow_rows")
    scan = f"iceberg_scan('{varve.metadata_file('t')}')"
    for where in [f"{column} IS NULL", f"{column} IS NOT NULL"]:
        wanted = connection.execute(f"SELECT id FROM source WHERE {where}").to_arrow_table()
        assert_same_rows(varve.table(f"SELECT id FROM t WHERE {where}"), wanted, f"varve {where}")
        assert_same_rows(connection.execute(f"SELECT id FROM {scan} WHERE {where}").to_arrow_table(), wanted, where)
        static = StaticTable.from_metadata(varve.metadata_file("t"))
        assert_same_rows(static.scan(row_filter=where, selected_fields=("id",)).to_arrow(), wanted, f"pyiceberg {where}")


def test_filters_on_partitioned_tables_give_each_reader_the_same_rows(varve, tmp_path):
    table = every_type(400, seed=5)
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    varve.execute(f"""CREATE TABLE t PARTITIONED BY (bucket(4, small), month(moment), truncate(1, text)) AS
                      SELECT * FROM read_parquet('{tmp_path / "in.parquet"}')""")
    connection = duckdb_with_iceberg()
    arrow_rows = table  # DuckDB finds it by its name.  # noqa: F841
    connection.execute("CREATE OR REPLACE TEMP TABLE source AS SELECT * FROM arrow_rows")
    static = StaticTable.from_metadata(varve.metadata_file("t"))
    for where in ["small = -1", "small > 500", "text = ''", "text < 'c'", "text >= 'h'", "small IN (-1, 0, 7)", "small <> 0",
                  "moment >= '2020-03-01T00:00:00'", "moment < '1970-01-01T00:00:00'", "money <= -0.01", "number > 1e300",
                  "day = '2024-02-29'", "NOT (small > 0)", "text LIKE 'a%'", "small IS NULL AND text IS NULL"]:
        wanted = connection.execute(f"SELECT id FROM source WHERE {where}").to_arrow_table()
        assert_same_rows(varve.table(f"SELECT id FROM t WHERE {where}"), wanted, f"varve {where}")
        # NaN is greater than everything in SQL; Iceberg's bounds, by which the others prune, know no NaN.
        if not where.startswith("number"):
            from_duckdb = connection.execute(f"SELECT id FROM iceberg_scan('{varve.metadata_file('t')}') WHERE {where}")
            assert_same_rows(from_duckdb.to_arrow_table(), wanted, f"duckdb {where}")
            found = static.scan(row_filter=where, selected_fields=("id",)).to_arrow()
            assert_same_rows(found, wanted, f"pyiceberg {where}")


def test_older_snapshots_are_read_as_they_were(varve):
    varve.execute("CREATE TABLE t (a INTEGER, s VARCHAR)")
    states, rows = [], []
    for step in range(4):
        varve.execute(f"INSERT INTO t VALUES ({step}, 'step {step}'), ({step + 100}, NULL)")
        rows += [(step, f"step {step}"), (step + 100, None)]
        states.append(list(rows))
    varve.execute("DELETE FROM t WHERE a IN (1, 102)")
    states.append([row for row in rows if row[0] not in (1, 102)])
    ids = snapshots(varve, "t")
    assert len(ids) == len(states)
    for snapshot, state in zip(ids, states):
        columns = list(zip(*state))
        expected = pyarrow.table({"a": pyarrow.array(columns[0], pyarrow.int32()), "s": list(columns[1])})
        assert_all_read(varve, "t", expected, snapshot)


def test_duckdb_travels_to_a_time_as_varve_does(varve):
    varve.execute("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); DELETE FROM t WHERE a = 1")
    table = StaticTable.from_metadata(varve.metadata_file("t"))
    connection = duckdb_with_iceberg()
    for entry in table.history():
        moment = datetime.datetime.fromtimestamp(entry.timestamp_ms / 1000, UTC).replace(tzinfo=None)
        mine = varve.rows(f"SELECT a FROM t FOR TIMESTAMP AS OF TIMESTAMP '{moment.isoformat(' ', 'milliseconds')}' ORDER BY a")
        theirs = connection.execute(f"""SELECT a FROM iceberg_scan('{varve.metadata_file("t")}',
            snapshot_from_timestamp = TIMESTAMP '{moment.isoformat(" ", "milliseconds")}') ORDER BY a""").fetchall()
        assert mine == theirs
        assert mine == varve.rows(f"SELECT a FROM t FOR VERSION AS OF {entry.snapshot_id} ORDER BY a")


def test_a_tag_names_the_snapshot_that_it_was_made_at(varve):
    varve.execute("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1); ALTER TABLE t CREATE TAG release; INSERT INTO t VALUES (2)")
    table = StaticTable.from_metadata(varve.metadata_file("t"))
    tagged = table.snapshot_by_name("release")
    assert tagged is not None
    assert table.scan(snapshot_id=tagged.snapshot_id).to_arrow()["a"].to_pylist() == [1]
    assert varve.rows("SELECT a FROM t FOR VERSION AS OF 'release'") == [(1,)]
    assert sorted(varve.rows("SELECT a FROM t")) == [(1,), (2,)]


def test_an_evolved_schema_is_read_by_everybody(varve):
    varve.execute("""
        CREATE TABLE t (a INTEGER, b VARCHAR, c REAL, d INTEGER);
        INSERT INTO t VALUES (1, 'one', 1.5, 10);
        ALTER TABLE t ADD COLUMN e DATE;
        ALTER TABLE t RENAME COLUMN b TO name;
        ALTER TABLE t DROP COLUMN d;
        ALTER TABLE t ALTER COLUMN a TYPE BIGINT;
        ALTER TABLE t ALTER COLUMN c TYPE DOUBLE;
        INSERT INTO t VALUES (4294967296, 'two', 2.5, DATE '2024-01-01');
        ALTER TABLE t ADD COLUMN d INTEGER;
        INSERT INTO t VALUES (3, NULL, NULL, NULL, 30)""")
    expected = pyarrow.table({
        "a": pyarrow.array([1, 4294967296, 3], pyarrow.int64()),
        "name": ["one", "two", None],
        "c": pyarrow.array([1.5, 2.5, None], pyarrow.float64()),
        "e": pyarrow.array([None, datetime.date(2024, 1, 1), None]),
        "d": pyarrow.array([None, None, 30], pyarrow.int32()),
    })
    assert_all_read(varve, "t", expected)


def test_a_table_after_delete_statements_is_read_by_everybody(varve, all_types):
    table, path = all_types
    varve.execute(f"""CREATE TABLE t PARTITIONED BY (bucket(3, id)) AS SELECT * FROM read_parquet('{path}');
                      DELETE FROM t WHERE id % 7 = 3;
                      DELETE FROM t WHERE text IS NULL;
                      DELETE FROM t WHERE id >= 2500""")
    keep = [row % 7 != 3 and text is not None and row < 2500 for row, text in enumerate(table["text"].to_pylist())]
    assert_all_read(varve, "t", table.filter(pyarrow.array(keep)))


def test_truncate_leaves_nothing_but_the_history(varve):
    varve.execute("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1), (2); TRUNCATE t; INSERT INTO t VALUES (3)")
    assert_all_read(varve, "t", pyarrow.table({"a": pyarrow.array([3], pyarrow.int32())}))
    assert_all_read(varve, "t", pyarrow.table({"a": pyarrow.array([1, 2], pyarrow.int32())}), snapshots(varve, "t")[0])


def test_counts_and_sums_are_those_that_varve_gives(varve, all_types):
    _, path = all_types
    varve.execute(f"CREATE TABLE t PARTITIONED BY (month(day)) AS SELECT * FROM read_parquet('{path}')")
    query = "SELECT count(*) AS n, count(small) AS c, sum(small) AS s, sum(money) AS m, min(text) AS a, max(moment) AS b FROM"
    theirs = duckdb_with_iceberg().execute(f"{query} iceberg_scan('{varve.metadata_file('t')}')").to_arrow_table()
    assert canonical(varve.table(f"{query} t")) == canonical(theirs)


def test_metadata_counts_the_rows_and_files_that_are_there(varve, all_types):
    _, path = all_types
    varve.execute(f"""CREATE TABLE t AS SELECT * FROM read_parquet('{path}');
                      INSERT INTO t SELECT * FROM read_parquet('{path}');
                      DELETE FROM t WHERE id < 10""")
    table = StaticTable.from_metadata(varve.metadata_file("t"))
    files = table.inspect.files()
    rows = sum(files["record_count"].to_pylist())
    summary = table.current_snapshot().summary
    assert rows == 5980 and int(summary["total-records"]) == rows
    assert int(summary["total-data-files"]) == files.num_rows
    assert int(summary["total-files-size"]) == sum(files["file_size_in_bytes"].to_pylist())


def test_pyiceberg_writes_a_table_that_varve_reads(varve, tmp_path, all_types):
    if not varve.has_command("serve"):
        pytest.skip("this binary has no serve: another catalog's table cannot be registered yet")
    from support import rest_server
    table, _ = all_types
    with rest_server(varve) as catalog:
        catalog.create_namespace_if_not_exists("main")
        written = catalog.create_table("main.theirs", schema=table.schema)
        written.append(table)
        written.delete("id >= 2990")
        assert_all_read(varve, "theirs", table.slice(0, 2990))
