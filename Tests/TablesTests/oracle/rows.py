"""Prints the rows of an Iceberg table as PyIceberg reads them, one JSON array a line.

Usage: rows.py METADATA_FILE [SNAPSHOT_ID]. Numbers, dates and times are integers in the units that columns
have, floats are the hexadecimal digits of their bits, bytes and UUIDs are hexadecimal.
"""
import datetime
import decimal
import json
import struct
import sys
import uuid

import pyarrow
from pyiceberg.table import StaticTable

EPOCH = datetime.datetime(1970, 1, 1)
MICRO = datetime.timedelta(microseconds=1)


def plain(value, kind):
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if value != value:
            return "NaN"
        packed = struct.pack(">f" if pyarrow.types.is_float32(kind) else ">d", value)
        return packed.hex()
    if isinstance(value, decimal.Decimal):
        return str(int(value.scaleb(kind.scale)))
    if isinstance(value, datetime.datetime):
        return str((value.replace(tzinfo=None) - EPOCH) // MICRO)
    if isinstance(value, datetime.date):
        return str((value - EPOCH.date()).days)
    if isinstance(value, datetime.time):
        return str(((value.hour * 60 + value.minute) * 60 + value.second) * 1000000 + value.microsecond)
    if isinstance(value, uuid.UUID):
        return value.bytes.hex()
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(type(value))


decimal.getcontext().prec = 60
table = StaticTable.from_metadata(sys.argv[1])
scan = table.scan(snapshot_id=int(sys.argv[2])) if len(sys.argv) > 2 else table.scan()
result = scan.to_arrow()
kinds = [field.type for field in result.schema]
columns = [column.to_pylist() for column in result.columns]
for row in range(result.num_rows):
    print(json.dumps([plain(column[row], kind) for column, kind in zip(columns, kinds)]))
