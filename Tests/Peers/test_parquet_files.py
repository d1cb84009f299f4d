"""Parquet files of pyarrow, DuckDB and Polars, read by varve: the same values as pyarrow reads."""
import decimal
import random

import duckdb
import polars
import pyarrow
import pyarrow.parquet
import pytest

from support import canonical, canonical_column
from test_reading_tables import every_type

CODECS = ["NONE", "SNAPPY", "GZIP", "ZSTD", "LZ4", "BROTLI"]


def assert_read_as_pyarrow_does(varve, path):
    assert_reads(varve, path, pyarrow.parquet.ParquetFile(path).read())


def assert_reads(varve, path, expected):
    """The same columns in the same order with the same rows; threads read row groups in any order."""
    got = varve.table(f"SELECT * FROM read_parquet('{path}')")
    assert got.column_names == expected.column_names and got.num_rows == expected.num_rows
    for mine, theirs in zip(canonical(got), canonical(expected)):
        assert mine == theirs


@pytest.fixture(scope="module")
def table():
    """All flat types, and the narrow and unsigned integers that SQL knows as wider ones."""
    chance = random.Random(3)

    def integers(low, high, kind):
        return pyarrow.array([chance.choice([None, low, high, chance.randint(low, high)]) for _ in range(1500)], kind)

    rows = every_type(1500, seed=11)
    rows = rows.append_column("i8", integers(-128, 127, pyarrow.int8())).append_column("i16", integers(-2**15, 2**15 - 1, pyarrow.int16()))
    rows = rows.append_column("u8", integers(0, 255, pyarrow.uint8())).append_column("u16", integers(0, 65535, pyarrow.uint16()))
    return rows.append_column("u32", integers(0, 2**32 - 1, pyarrow.uint32()))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_pyarrow_files_of_each_codec_and_page_version(codec, version, table, varve, tmp_path):
    if codec == "BROTLI":
        pyarrow.parquet.write_table(table, tmp_path / "f.parquet", compression=codec)
        assert "BROTLI" in varve.error(f"SELECT * FROM read_parquet('{tmp_path}/f.parquet')").upper()
        return
    pyarrow.parquet.write_table(table, tmp_path / "f.parquet", compression=codec, data_page_version=version, row_group_size=400,
                                data_page_size=1000)
    assert_read_as_pyarrow_does(varve, tmp_path / "f.parquet")


@pytest.mark.parametrize("encoding", [
    {"use_dictionary": False}, {"use_dictionary": True, "dictionary_pagesize_limit": 100}, {"use_dictionary": False, "use_byte_stream_split": ["single", "number"]},
    {"use_dictionary": False, "column_encoding": {"small": "DELTA_BINARY_PACKED", "large": "DELTA_BINARY_PACKED", "text": "DELTA_BYTE_ARRAY",
                                                  "bytes": "DELTA_LENGTH_BYTE_ARRAY"}},
    {"write_statistics": False}, {"write_page_index": True}, {"store_schema": False}, {"write_page_checksum": True},
], ids=lambda settings: ",".join(settings))
def test_pyarrow_files_of_each_encoding(encoding, table, varve, tmp_path):
    pyarrow.parquet.write_table(table, tmp_path / "f.parquet", **encoding)
    assert_read_as_pyarrow_does(varve, tmp_path / "f.parquet")


def test_a_file_without_rows(table, varve, tmp_path):
    pyarrow.parquet.write_table(table.slice(0, 0), tmp_path / "f.parquet")
    assert_read_as_pyarrow_does(varve, tmp_path / "f.parquet")


def test_many_small_row_groups(table, varve, tmp_path):
    pyarrow.parquet.write_table(table, tmp_path / "f.parquet", row_group_size=3)
    assert_read_as_pyarrow_does(varve, tmp_path / "f.parquet")


def test_columns_of_nulls_only_and_of_one_value(varve, tmp_path):
    rows = 1000
    table = pyarrow.table({"n": pyarrow.nulls(rows, pyarrow.int32()), "t": pyarrow.nulls(rows, pyarrow.string()),
                           "one": pyarrow.array([7] * rows), "text": ["same"] * rows, "f": pyarrow.array([True] * rows)})
    for version in ["1.0", "2.0"]:
        pyarrow.parquet.write_table(table, tmp_path / "f.parquet", data_page_version=version)
        assert_read_as_pyarrow_does(varve, tmp_path / "f.parquet")


@pytest.mark.parametrize("precision", [1, 4, 9, 10, 18, 19, 28, 38])
def test_decimals_of_every_width(precision, varve, tmp_path):
    chance = random.Random(precision)
    largest = 10**precision - 1
    values = [None, 0, 1, -1, largest, -largest] + [chance.randint(-largest, largest) for _ in range(200)]
    column = pyarrow.array([None if value is None else decimal.Decimal(value).scaleb(-(precision // 2)) for value in values],
                           pyarrow.decimal128(precision, precision // 2))
    for as_integer in [False, True]:
        pyarrow.parquet.write_table(pyarrow.table({"d": column}), tmp_path / "f.parquet", store_decimal_as_integer=as_integer)
        assert_read_as_pyarrow_does(varve, tmp_path / "f.parquet")


@pytest.mark.parametrize("unit", ["ms", "us"])
def test_timestamps_and_times_of_other_units(unit, varve, tmp_path):
    moments = pyarrow.array([None, 0, -1, 1, 1709209815123], pyarrow.int64()).cast(pyarrow.timestamp(unit))
    table = pyarrow.table({"m": moments, "z": moments.cast(pyarrow.timestamp(unit, "UTC")),
                           "t": pyarrow.array([None, 0, 1, 2, 86399999], pyarrow.int32()).cast(pyarrow.time32("ms"))})
    pyarrow.parquet.write_table(table, tmp_path / "f.parquet", coerce_timestamps=unit)
    assert_read_as_pyarrow_does(varve, tmp_path / "f.parquet")


def test_timestamps_of_96_bits_as_old_writers_made_them(varve, tmp_path):
    moments = pyarrow.array([None, 0, -1, 1709209815123456], pyarrow.int64()).cast(pyarrow.timestamp("us"))
    pyarrow.parquet.write_table(pyarrow.table({"m": moments}), tmp_path / "f.parquet", use_deprecated_int96_timestamps=True)
    assert canonical_column(varve.table(f"SELECT m FROM read_parquet('{tmp_path}/f.parquet')")["m"]) == canonical_column(moments)


@pytest.mark.parametrize("codec", ["uncompressed", "snappy", "gzip", "zstd", "lz4_raw"])
@pytest.mark.parametrize("version", ["V1", "V2"])
def test_duckdb_files(codec, version, table, varve, tmp_path):
    rows = table  # DuckDB finds it by its name.  # noqa: F841
    duckdb.sql(f"COPY (SELECT * FROM rows) TO '{tmp_path}/f.parquet' "
               f"(FORMAT parquet, CODEC '{codec}', PARQUET_VERSION {version}, ROW_GROUP_SIZE 2048)")
    # Some of its V2 files pyarrow 26 cannot read.
    assert_reads(varve, tmp_path / "f.parquet", table)


@pytest.mark.parametrize("codec", ["uncompressed", "snappy", "gzip", "zstd", "lz4"])
def test_polars_files(codec, table, varve, tmp_path):
    polars.from_arrow(table).write_parquet(tmp_path / "f.parquet", compression=codec, row_group_size=500)
    assert_read_as_pyarrow_does(varve, tmp_path / "f.parquet")


def test_a_glob_reads_all_files_of_a_folder(table, varve, tmp_path):
    for part in range(3):
        pyarrow.parquet.write_table(table.slice(part * 500, 500), tmp_path / f"part-{part}.parquet")
    got = varve.table(f"SELECT id FROM read_parquet('{tmp_path}/part-*.parquet')")
    assert sorted(got["id"].to_pylist()) == list(range(1500))


def test_filters_on_row_groups_and_pages_keep_the_right_rows(table, varve, tmp_path):
    pyarrow.parquet.write_table(table, tmp_path / "f.parquet", row_group_size=100, write_page_index=True, data_page_size=200)
    rows = table  # noqa: F841
    connection = duckdb.connect()
    connection.execute("CREATE TABLE source AS SELECT * FROM rows")
    for where in ["id = 777", "id BETWEEN 90 AND 110", "small > 900", "text = ''", "text >= 'j'", "number > 1e300", "number < -1e300", "single = 0",
                  "moment < '1970-01-01'", "money IS NULL", "wide > 1", "day = '9999-12-31'", "flag AND small IS NULL", "u32 = 4294967295", "bytes = ''"]:
        got = varve.table(f"SELECT id FROM read_parquet('{tmp_path}/f.parquet') WHERE {where}")["id"].to_pylist()
        assert sorted(got) == [row[0] for row in connection.execute(f"SELECT id FROM source WHERE {where} ORDER BY id").fetchall()], where
