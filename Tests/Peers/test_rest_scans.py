"""Scan planning by the server, held against what PyIceberg plans itself of the same table."""
import datetime
import decimal

import pytest

from support import assert_same_rows, rest_server

pa = pytest.importorskip("pyarrow")
pytest.importorskip("pyiceberg")

FILTERS = [
    "n > 50", "n = 7", "n != 7", "n IN (3, 99, 1000)", "n NOT IN (1, 2, 3)", "t LIKE 'x1%'", "t NOT LIKE 'x1%'",
    "t IS NULL", "t IS NOT NULL", "day = '2024-01-03'", "day >= '2024-01-05' AND n < 90", "f IS NAN", "f IS NOT NAN",
    "NOT (n < 20 OR t IS NULL)", "d > 10.25", "f < 0.5", "at >= '2024-01-02T03:00:00'", "n > 1000",
]


def rows(start, count):
    base = datetime.datetime(2024, 1, 1)
    numbers = list(range(start, start + count))
    return pa.table({
        "n": pa.array(numbers, pa.int64()),
        "t": pa.array([None if n % 5 == 0 else f"x{n}ü" for n in numbers], pa.string()),
        "day": pa.array([(base + datetime.timedelta(days=n // 20)).date() for n in numbers], pa.date32()),
        "f": pa.array([float("nan") if n % 7 == 0 else n / 100 for n in numbers], pa.float64()),
        "d": pa.array([None if n % 11 == 0 else decimal.Decimal(n) / 4 for n in numbers], pa.decimal128(9, 2)),
        "at": pa.array([base + datetime.timedelta(hours=n) for n in numbers], pa.timestamp("us")),
    })


def tasks(scan):
    return sorted((task.file.file_path, sorted(file.file_path for file in task.delete_files)) for task in scan.plan_files())


def test_the_server_plans_what_pyiceberg_plans(varve):
    from pyiceberg.catalog.rest import RestCatalog
    from pyiceberg.transforms import IdentityTransform, TruncateTransform
    with rest_server(varve) as catalog:
        plain = catalog.create_table("main.plain", rows(0, 1).schema)
        parts = catalog.create_table("main.parts", rows(0, 1).schema)
        with parts.update_spec() as update:
            update.add_field("n", TruncateTransform(20), "n20").add_field("day", IdentityTransform(), "day_part")
        for start in range(0, 120, 20):
            plain.append(rows(start, 20))
        parts.append(rows(0, 120))
        asking = RestCatalog("asking", uri=catalog.properties["uri"], **{"rest-scan-planning-enabled": "true"})
        for name in ["main.plain", "main.parts"]:
            own, served = catalog.load_table(name), asking.load_table(name)
            assert_same_rows(served.scan().to_arrow(), own.scan().to_arrow(), name)
            for text in FILTERS:
                assert_same_rows(served.scan(text).to_arrow(), own.scan(text).to_arrow(), (name, text))
                # Never more files than PyIceberg would read.
                assert set(file for file, _ in tasks(served.scan(text))) <= set(
                    file for file, _ in tasks(own.scan(text))), (name, text)
            first = own.snapshots()[0].snapshot_id
            assert served.scan(snapshot_id=first).to_arrow().num_rows == own.scan(snapshot_id=first).to_arrow().num_rows


def test_many_files_come_in_pages_with_their_delete_files(varve):
    from pyiceberg.catalog.rest import RestCatalog
    varve.execute("CREATE TABLE t (n BIGINT, p BIGINT) PARTITIONED BY (p)")
    varve.execute("INSERT INTO t SELECT i, i % 1300 FROM range(2600) r(i)")
    varve.execute("DELETE FROM t WHERE n = 5")
    with rest_server(varve) as catalog:
        asking = RestCatalog("asking", uri=catalog.properties["uri"], **{"rest-scan-planning-enabled": "true"})
        table = asking.load_table("main.t")
        assert len(list(table.scan().plan_files())) == 1300
        assert tasks(table.scan()) == tasks(catalog.load_table("main.t").scan())
        assert table.scan().to_arrow().num_rows == 2599
