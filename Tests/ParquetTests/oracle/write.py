"""write.py OUT: writes files of all types, encodings and codecs with pyarrow, DuckDB and Polars.

Beside each NAME.parquet lies NAME.parquet.txt, the values as text, made from the values that were
written (pyarrow) or from what pyarrow reads (the others).
"""

import datetime
import decimal
import os
import random
import sys
import uuid

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq

from canonical import dump_columns, dump_file

OUT = sys.argv[1]
RANDOM = random.Random(7)


def with_nulls(values, share):
    return [None if RANDOM.random() < share else value for value in values]


def text(count):
    alphabet = "abc äöü 漢字 🙂 xyz"
    return ["".join(RANDOM.choice(alphabet) for _ in range(RANDOM.choice([0, 1, 3, 11, 12, 13, 40])))
            for _ in range(count)]


def integers(count, bits, signed=True):
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    special = [low, high, 0, 1, high - 1]
    return [RANDOM.choice(special) if RANDOM.random() < 0.2 else RANDOM.randint(low, high)
            for _ in range(count)]


def decimals(count, precision, scale):
    top = 10 ** precision - 1
    numbers = [RANDOM.choice([top, -top, 0, 1]) if RANDOM.random() < 0.2
               else RANDOM.randint(-top, top) for _ in range(count)]
    with decimal.localcontext() as context:
        context.prec = 80
        return [decimal.Decimal(n).scaleb(-scale) for n in numbers]


def floats(count):
    special = [0.0, -0.0, float("inf"), float("-inf"), float("nan"), 1e-300, 1.5]
    return [RANDOM.choice(special) if RANDOM.random() < 0.2 else RANDOM.gauss(0, 1000)
            for _ in range(count)]


def table(count, null_share):
    """All flat types; every third column repeats few values, so that dictionaries pay."""
    columns = {}

    def add(name, type_, values):
        few = [values[RANDOM.randrange(min(5, len(values)))] for _ in values] if values else []
        sorted_ = sorted(values) if values and not isinstance(values[0], float) else values
        for suffix, choice in (("", values), ("_few", few), ("_sorted", sorted_)):
            columns[name + suffix] = pa.array(with_nulls(choice, null_share), type_)

    add("bool", pa.bool_(), [RANDOM.random() < 0.5 for _ in range(count)])
    for bits, signed in ((8, True), (16, True), (32, True), (64, True),
                         (8, False), (16, False), (32, False), (64, False)):
        name = f"{'' if signed else 'u'}int{bits}"
        add(name, getattr(pa, name)(), integers(count, bits, signed))
    add("float", pa.float32(), [float(pa.scalar(v, pa.float32()).as_py()) for v in floats(count)])
    add("double", pa.float64(), floats(count))
    for precision, scale in ((5, 2), (9, 9), (10, 0), (18, 4), (19, 3), (38, 10)):
        add(f"decimal_{precision}_{scale}", pa.decimal128(precision, scale),
            decimals(count, precision, scale))
    add("date", pa.date32(), integers(count, 32))
    for unit, factor in (("ms", 1), ("us", 1), ("ns", 1000)):
        stamps = [v // 2000 * factor for v in integers(count, 63)]
        if unit == "ns":
            stamps = [v // 10 ** 6 * 1000 for v in stamps]
        if unit == "ms":
            stamps = [v // 1000 for v in stamps]
        add(f"timestamp_{unit}", pa.timestamp(unit), stamps)
        add(f"timestamptz_{unit}", pa.timestamp(unit, "UTC"), stamps)
    day = 86_400_000
    add("time_ms", pa.time32("ms"), [RANDOM.randrange(day) for _ in range(count)])
    add("time_us", pa.time64("us"), [RANDOM.randrange(day * 1000) for _ in range(count)])
    add("time_ns", pa.time64("ns"), [RANDOM.randrange(day * 1000) * 1000 for _ in range(count)])
    add("string", pa.string(), text(count))
    add("binary", pa.binary(), [RANDOM.randbytes(RANDOM.choice([0, 1, 12, 13, 50]))
                                for _ in range(count)])
    add("fixed5", pa.binary(5), [RANDOM.randbytes(5) for _ in range(count)])
    add("fixed20", pa.binary(20), [RANDOM.randbytes(20) for _ in range(count)])
    add("uuid", pa.uuid(), [RANDOM.randbytes(16) for _ in range(count)])
    columns["null"] = pa.nulls(count)
    columns["all_null"] = pa.nulls(count, pa.string())
    return pa.table(columns)


def flat_without_dictionary(data, encodings):
    """For each column the encoding of the list that fits its type."""
    result = {}
    for field in data.schema:
        type_ = field.type
        if pa.types.is_boolean(type_):
            allowed = ["RLE", "PLAIN"]
        elif pa.types.is_floating(type_):
            allowed = ["BYTE_STREAM_SPLIT"]
        elif isinstance(type_, pa.BaseExtensionType) or pa.types.is_fixed_size_binary(type_) \
                or pa.types.is_decimal(type_):
            allowed = ["BYTE_STREAM_SPLIT", "DELTA_BYTE_ARRAY"]
        elif pa.types.is_string(type_) or pa.types.is_binary(type_):
            allowed = ["DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"]
        elif pa.types.is_null(type_):
            continue
        else:
            allowed = ["DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"]
        fitting = [e for e in encodings if e in allowed]
        if fitting:
            result[field.name] = fitting[0]
    return result


def write_arrow(name, data, **options):
    path = os.path.join(OUT, name + ".parquet")
    pq.write_table(data, path, **options)
    dump_columns([(n, data.column(n)) for n in data.column_names], path + ".txt")


def nested(count):
    def maybe(value):
        return None if RANDOM.random() < 0.15 else value

    def items(make):
        return [maybe(make()) for _ in range(RANDOM.choice([0, 0, 1, 2, 5]))]

    def number():
        return RANDOM.randint(-1000, 1000)

    def word():
        return RANDOM.choice(["a", "a longer word of text", "", "ü"])

    point = pa.struct([("x", pa.int32()), ("label", pa.string())])
    deep = pa.struct([("tags", pa.list_(pa.string())), ("inner", point)])
    columns = {
        "list": pa.array([maybe(items(number)) for _ in range(count)], pa.list_(pa.int64())),
        "strings": pa.array([maybe(items(word)) for _ in range(count)], pa.list_(pa.string())),
        "struct": pa.array(
            [maybe({"x": maybe(number()), "label": maybe(word())}) for _ in range(count)], point),
        "map": pa.array(
            [maybe([(word() + str(i), maybe(number())) for i in range(RANDOM.randrange(4))])
             for _ in range(count)], pa.map_(pa.string(), pa.int32())),
        "lists": pa.array([maybe(items(lambda: items(number))) for _ in range(count)],
                          pa.list_(pa.list_(pa.int32()))),
        "points": pa.array(
            [maybe(items(lambda: {"x": maybe(number()), "label": maybe(word())}))
             for _ in range(count)], pa.list_(point)),
        "deep": pa.array(
            [maybe({"tags": maybe(items(word)),
                    "inner": maybe({"x": maybe(number()), "label": maybe(word())})})
             for _ in range(count)], deep),
        "flat": pa.array(list(range(count)), pa.int32()),
    }
    return pa.table(columns)


def main():
    mixed, full = table(3000, 0.3), table(3000, 0)
    empty, single = table(0, 0), table(1, 0.5)
    for codec in ("none", "snappy", "gzip", "zstd", "lz4"):
        write_arrow(f"arrow_{codec}_v1", mixed, compression=codec, data_page_version="1.0",
                    row_group_size=1000, data_page_size=2000)
        write_arrow(f"arrow_{codec}_v2", mixed, compression=codec, data_page_version="2.0",
                    row_group_size=2500, data_page_size=2000, write_page_index=True,
                    write_page_checksum=True)
    for name, data in (("mixed", mixed), ("full", full)):
        write_arrow(f"arrow_plain_{name}", data, use_dictionary=False, data_page_size=3000)
        write_arrow(f"arrow_required_{name}",
                    data if name == "mixed" else data.cast(pa.schema(
                        [f if pa.types.is_null(f.type) or f.name == "all_null"
                         else f.with_nullable(False) for f in data.schema])),
                    use_dictionary=[n for n in data.column_names if n.endswith("few")])
        # A dictionary that grows too large in the middle of the chunk.
        write_arrow(f"arrow_fallback_{name}", data, dictionary_pagesize_limit=600,
                    data_page_size=1500, write_batch_size=100)
        for number, encodings in enumerate((
                ["DELTA_BINARY_PACKED", "DELTA_BYTE_ARRAY", "RLE"],
                ["DELTA_LENGTH_BYTE_ARRAY", "BYTE_STREAM_SPLIT", "PLAIN"])):
            for version in ("1.0", "2.0"):
                write_arrow(f"arrow_encoding{number}_{name}_{version[0]}", data,
                            use_dictionary=False,
                            column_encoding=flat_without_dictionary(data, encodings),
                            data_page_version=version, data_page_size=4000)
        write_arrow(f"arrow_integer_decimals_{name}", data, store_decimal_as_integer=True)
    write_arrow("arrow_empty", empty)
    write_arrow("arrow_single", single)
    write_arrow("arrow_int96", mixed.select(["timestamp_us"]).slice(0, 0))
    stamps = [None if i % 7 == 0 else (i - 1500) * 86_399_999_000 for i in range(3000)]
    write_arrow("arrow_int96_times", pa.table({"t": pa.array(stamps, pa.timestamp("us"))}),
                use_deprecated_int96_timestamps=True)
    # Nanoseconds that are not whole microseconds must be refused, not rounded.
    pq.write_table(pa.table({"exact": pa.array([1000, None], pa.timestamp("ns")),
                             "inexact": pa.array([1000, 1001], pa.timestamp("ns"))}),
                   os.path.join(OUT, "refused_nanos.parquet"))
    half = pa.table({"h": pa.array(with_nulls([RANDOM.gauss(0, 5) for _ in range(500)], 0.1),
                                   pa.float16())})
    write_arrow("arrow_half", half)
    for version in ("1.0", "2.0"):
        write_arrow(f"arrow_nested_{version[0]}", nested(2000), data_page_version=version,
                    data_page_size=1000, row_group_size=1500, compression="snappy")
    write_duckdb()
    write_polars(mixed)


def write_duckdb():
    connection = duckdb.connect()
    connection.execute("SELECT setseed(0.5)")
    connection.execute("SET threads = 1")
    connection.execute("""
        CREATE TABLE t AS SELECT
            (random() * 1000)::INTEGER AS i, (random() * 5)::BIGINT AS few,
            CASE WHEN random() < 0.3 THEN NULL ELSE random() END AS d,
            CASE WHEN random() < 0.1 THEN NULL ELSE 'text ' || (random() * 1000)::INTEGER END AS s,
            CASE WHEN random() < 0.1 THEN NULL
                 ELSE repeat('x', (random() * 30)::INTEGER) || range END AS unique_s,
            (random() * 10000)::DECIMAL(15, 2) AS money, (random() * 100)::DECIMAL(30, 5) AS wide,
            DATE '2000-01-01' + (random() * 9000)::INTEGER AS day,
            TIMESTAMP '2000-01-01' + INTERVAL (random() * 900000) SECOND AS stamp,
            random() < 0.4 AS flag, (random() * 250)::UTINYINT AS tiny,
            (random() * 4000000000)::UINTEGER AS ui, uuid() AS u,
            encode('b' || range) AS blob, 'constant' AS c, NULL::VARCHAR AS n
        FROM range(20000)""")
    for codec in ("uncompressed", "snappy", "zstd", "gzip", "lz4_raw"):
        for version in ("V1", "V2"):
            path = os.path.join(OUT, f"duckdb_{codec}_{version}.parquet")
            connection.execute(
                f"COPY (SELECT * FROM t LIMIT 6000) TO '{path}' (FORMAT parquet, CODEC '{codec}', "
                f"PARQUET_VERSION {version}, ROW_GROUP_SIZE 2500)")
            # pyarrow does not read the deltas that DuckDB writes for 32 unsigned bits.
            own = connection.execute(f"SELECT ui FROM '{path}'").to_arrow_table()
            dump_file(path, path + ".txt", {"ui": own.column(0)})


def write_polars(data):
    names = [n for n in data.column_names
             if not n.startswith(("decimal_38", "uuid", "fixed", "time_ms", "null"))]
    frame = polars.from_arrow(data.select(names))
    for codec in ("uncompressed", "snappy", "zstd", "gzip", "lz4"):
        path = os.path.join(OUT, f"polars_{codec}.parquet")
        frame.write_parquet(path, compression=codec, row_group_size=1100, data_page_size=3000,
                            statistics=True)
        dump_file(path, path + ".txt")


main()
