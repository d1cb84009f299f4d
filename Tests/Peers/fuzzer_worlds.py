"""Random tables for random queries: schemas and data by a seed, written as Parquet files."""
import dataclasses
import datetime
import decimal
import math
import random
import uuid

import pyarrow
import pyarrow.parquet

UTC = datetime.timezone.utc
ROWS = [1, 3, 8, 20, 60, 60, 120, 200]
BIG = 10_000

TEXTS = ["", " ", "a", "A", "b", "abc", "aBc", "ab%c", "a_c", "\\", "ñ", "É", "日本", "🜁x", "zz", "null", " x ", "it's", "12", "-7", "3.5", "1e3", "true", "2024-02-29",
         "x" * 70, "line\nbreak", "ß", "0042", "a,b,,c", "12:30:00", "e\u0301", "a\"b", "Abc", "zebra", "long text that is not inlined", "long text that is not inlineD"]
DATES = [datetime.date(1969, 12, 31), datetime.date(1970, 1, 1), datetime.date(2000, 2, 29), datetime.date(2024, 12, 31), datetime.date(1900, 3, 1), datetime.date(2024, 1, 1),
         datetime.date(2024, 3, 31), datetime.date(2023, 2, 28)]
FAR_DATES = [datetime.date(1, 1, 1), datetime.date(9999, 12, 31)]
MOMENTS = [datetime.datetime(1969, 12, 31, 23, 59, 59, 999999), datetime.datetime(2024, 2, 29, 12, 30, 15), datetime.datetime(2000, 1, 1), datetime.datetime(2024, 12, 31, 23, 59, 59),
           datetime.datetime(1970, 1, 1), datetime.datetime(2024, 2, 29, 12, 30, 15, 250000), datetime.datetime(2023, 7, 1, 0, 0, 0, 1)]
TIMES = [datetime.time(0), datetime.time(23, 59, 59, 999999), datetime.time(12, 30), datetime.time(1, 2, 3, 4), datetime.time(12, 30, 0, 1)]
BLOBS = [b"", b"\x00", b"abc", b"\xff\xfe", b"abc\x00", "é".encode(), b"x" * 40]
UUIDS = [uuid.UUID(int=0), uuid.UUID(int=2**128 - 1), uuid.UUID(int=2**127), uuid.UUID("0190a1b2-c3d4-7e5f-8a6b-112233445566"), uuid.UUID("123e4567-e89b-12d3-a456-426614174000")]
WILD = [0.0, -0.0, math.nan, math.inf, -math.inf, 1e300, -1e300, 1e-300, 5e-324, 0.1, 1.5, -2.25, 123456789.125, 1e15, 1e16, 1e-5]
WILD_REAL = [0.0, -0.0, math.nan, math.inf, -math.inf, 1.5, -2.25, 3.4028234663852886e38, 0.10000000149011612, 16777216.0]
COLUMN_NAMES = ["a", "b", "c", "d", "e", "f", "g", "h", "k", "m", "n", "p", "q", "s", "v", "w", "x", "y", '"select"', '"a b"', '"Ünï"', '"x""y"', '"Order"', '"1st"', "value_1", "日付"]
TABLE_NAMES = ["t0", "t1", "t2", "t3", "t4", '"Odd Name"', '"tāble"']


@dataclasses.dataclass
class Column:
    """A column of a table; `tame` numbers may be calculated with."""
    name: str
    kind: str
    type: object
    bound: float = None
    wide: bool = False
    scale: int = 0
    tame: bool = True


@dataclasses.dataclass
class Table:
    name: str
    columns: list
    rows: int
    path: str = ""
    key: str = "id"
    stored: bool = False
    partitioning: str = ""


def partitioning(chance, columns, many=False):
    """What a table of varve's own may be parted by, as ` PARTITIONED BY (…)` or nothing; and the columns in it."""
    transforms = {"int": ["bucket(3, {})", "truncate(1000, {})", "truncate(3000, {})"], "text": ["bucket(3, {})", "truncate(1, {})"], "decimal": ["bucket(2, {})"], "blob": ["bucket(3, {})"],
                  "uuid": ["bucket(3, {})", "{}"], "date": ["year({})", "month({})", "day({})", "{}", "bucket(2, {})"], "timestamp": ["year({})", "month({})", "day({})", "hour({})"],
                  "instant": ["year({})", "month({})", "day({})", "hour({})"], "boolean": ["{}"], "time": ["bucket(3, {})"]}
    fitting = [column for column in columns if column.kind in transforms and not (column.kind == "int" and column.bound > 2**31 and many)]
    if not fitting or chance.random() < 0.5:
        return "", []
    chosen = chance.sample(fitting, min(len(fitting), chance.choice([1, 1, 2]) if not many else 1))
    parts = []
    for column in chosen:
        some = transforms[column.kind]
        if column.kind == "text" and column.bound == 6 or column.kind == "int" and column.bound <= 30:
            some = some + ["{}"]
        if column.kind == "int" and column.bound > 10**9:
            some = ["bucket(3, {})"]
        parts.append(chance.choice(some).format(column.name))
    return f" PARTITIONED BY ({', '.join(parts)})", chosen


class World:
    """Tables that a seed decides, as files in a folder."""

    def __init__(self, seed, folder):
        self.chance = random.Random(f"world/{seed}")
        self.tables = []
        for number, name in enumerate(TABLE_NAMES[:5] + self.chance.sample(TABLE_NAMES[5:], 1)):
            rows = BIG if number == 0 else 0 if number == 5 and self.chance.random() < 0.6 else self.chance.choice(ROWS)
            columns, data = self.columns(rows)
            path = folder / f"{number}.parquet"
            pyarrow.parquet.write_table(data, path, row_group_size=self.chance.choice([500, 1000, 2500]) if rows == BIG else self.chance.choice([7, 50, 1000]),
                                        compression=self.chance.choice(["snappy", "zstd", "none"]), use_dictionary=self.chance.random() < 0.6,
                                        data_page_size=self.chance.choice([512, 1 << 20]), write_page_index=self.chance.random() < 0.5)
            self.tables.append(Table(name, columns, rows, str(path), columns[0].name, self.chance.random() < 0.5))
            self.tables[-1].partitioning, _ = partitioning(random.Random(f"partitioning/{seed}/{number}"), columns, rows == BIG)

    def columns(self, rows):
        """Columns with their data; the first is the key."""
        chance = self.chance
        columns, arrays = [Column("id", "int", pyarrow.int32(), rows + 1)], [pyarrow.array(range(rows), pyarrow.int32())]
        makers = [self.number] * 5 + [self.text] * 2 + [self.other] * 4
        # Every table has a number and a text that others have too, so that joins find something.
        chosen = [self.joinable, self.word] + chance.sample(makers, chance.randint(2, 8))
        names = chance.sample(COLUMN_NAMES, len(chosen))
        for name, maker in zip(names, chosen):
            column, values = maker(name)
            nulls = chance.choice([0, 0, 0.1, 0.4])
            if chance.random() < 0.02:
                nulls = 1
            data = [None if chance.random() < nulls else chance.choice(values) for _ in range(rows)]
            if chance.random() < 0.1 and rows > 50:
                # Runs of equal values, so that statistics can leave row groups out.
                data.sort(key=lambda value: (value is None, str(value)))
            if column.kind == "uuid":
                data = [None if value is None else value.bytes for value in data]
            columns.append(column)
            arrays.append(pyarrow.array(data, column.type))
        plain = [column.name.strip('"').replace('""', '"') for column in columns]
        return columns, pyarrow.table(arrays, names=plain)

    def joinable(self, name):
        few = self.chance.choice([4, 12, 30])
        wide = self.chance.random() < 0.4
        return Column(name, "int", pyarrow.int64() if wide else pyarrow.int32(), few, wide), list(range(-2, few))

    def word(self, name):
        return Column(name, "text", pyarrow.string(), 6), ["red", "green", "blue", "Red", "", "naïve"]

    def number(self, name):
        chance = self.chance
        pick = chance.randint(0, 8)
        if pick == 0:
            return Column(name, "int", pyarrow.int32(), 2**31), list(range(-50, 50)) + [2**31 - 1, -(2**31)]
        if pick == 1:
            return Column(name, "int", pyarrow.int64(), 2**63, True), [0, 1, -1, 10**12, -(2**62), 2**62, 7, 42, 2**63 - 1, -(2**63)]
        if pick == 2:
            return Column(name, "int", pyarrow.int64(), 1000, True), list(range(-1000, 1000))
        if pick == 3:
            return Column(name, "double", pyarrow.float64(), math.inf, tame=False), WILD
        if pick == 4:
            return Column(name, "double", pyarrow.float64(), 1000), [number / 4 for number in range(-4000, 4000, 37)] + [-0.0, 0.0]
        if pick == 5:
            return Column(name, "real", pyarrow.float32(), math.inf, tame=False), WILD_REAL
        if pick == 6:
            return (Column(name, "decimal", pyarrow.decimal128(9, 2), 10**7, scale=2),
                    [decimal.Decimal(text) for text in ["0.00", "1.25", "-1.25", "9999999.99", "-9999999.99", "-0.01", "12.50", "0.05", "2.00"]])
        if pick == 7:
            return (Column(name, "decimal", pyarrow.decimal128(5, 3), 100, scale=3),
                    [decimal.Decimal(text) for text in ["0.000", "1.005", "-1.005", "99.999", "0.500", "1.500", "2.500"]])
        return (Column(name, "decimal", pyarrow.decimal128(30, 6), 10**24, scale=6, tame=False),
                [decimal.Decimal(text) for text in ["0", "1.000001", "-123456789012345678901234.567891", "123456789012345678901234.000000", "5"]])

    def text(self, name):
        return Column(name, "text", pyarrow.string()), TEXTS if self.chance.random() < 0.7 else [f"key {number % 90:05d}" for number in range(400)]

    def other(self, name):
        chance = self.chance
        pick = chance.randint(0, 8)
        if pick == 7:
            return Column(name, "list", pyarrow.list_(pyarrow.int32()), 1000), [[], [1], [1, 2, None], [None], list(range(30))]
        if pick == 8:
            return (Column(name, "struct", pyarrow.struct([("a", pyarrow.int32()), ("b", pyarrow.string())])),
                    [{"a": 1, "b": "x"}, {"a": None, "b": ""}, {"a": 2, "b": None}, {"a": -1, "b": "a longer text than is inlined"}])
        if pick == 0:
            return Column(name, "boolean", pyarrow.bool_()), [True, False]
        if pick == 1:
            far = chance.random() < 0.3
            return Column(name, "date", pyarrow.date32(), tame=not far), DATES + (FAR_DATES if far else [])
        if pick == 2:
            return Column(name, "time", pyarrow.time64("us")), TIMES
        if pick == 3:
            return Column(name, "timestamp", pyarrow.timestamp("us")), MOMENTS
        if pick == 4:
            return Column(name, "instant", pyarrow.timestamp("us", "UTC")), [moment.replace(tzinfo=UTC) for moment in MOMENTS]
        if pick == 5:
            return Column(name, "blob", pyarrow.binary()), BLOBS
        return Column(name, "uuid", pyarrow.uuid()), UUIDS
