"""Columns as text that the Swift tests can compare: one line a value."""

import datetime
import decimal
import struct

import pyarrow as pa
import pyarrow.parquet as pq

EPOCH = datetime.date(1970, 1, 1)


def scalar_text(type_, value):
    if value is None:
        return "~"
    if pa.types.is_boolean(type_):
        return "true" if value else "false"
    if pa.types.is_integer(type_) or isinstance(value, int):
        return str(value)
    if pa.types.is_float64(type_):
        return "nan" if value != value else struct.pack(">d", value).hex()
    if pa.types.is_float32(type_) or pa.types.is_float16(type_):
        return "nan" if value != value else struct.pack(">f", value).hex()
    if pa.types.is_decimal(type_):
        with decimal.localcontext() as context:
            context.prec = 100
            return str(int(value.scaleb(type_.scale)))
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass").hex()
    if isinstance(value, bytes):
        return value.hex()
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return "[" + ",".join(scalar_text(type_.value_type, v) for v in value) + "]"
    if pa.types.is_struct(type_):
        return "(" + ",".join(scalar_text(f.type, value[f.name]) for f in type_) + ")"
    if pa.types.is_map(type_):
        return "{" + ",".join(
            scalar_text(type_.key_type, k) + ":" + scalar_text(type_.item_type, v) for k, v in value
        ) + "}"
    raise TypeError(f"{type_}: {value!r}")


def plain(type_):
    """The type with times as numbers, text and bytes as such, without extensions."""
    if isinstance(type_, pa.BaseExtensionType):
        return plain(type_.storage_type)
    if pa.types.is_dictionary(type_):
        return plain(type_.value_type)
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return pa.list_(pa.field("element", plain(type_.value_type)))
    if pa.types.is_struct(type_):
        return pa.struct([pa.field(f.name, plain(f.type)) for f in type_])
    if pa.types.is_map(type_):
        return pa.map_(plain(type_.key_type), plain(type_.item_type))
    if pa.types.is_timestamp(type_):
        return pa.timestamp("us", type_.tz)
    if pa.types.is_time(type_):
        return pa.time64("us")
    return type_


def column_lines(column):
    """The values of a chunked array, each as a line."""
    type_ = plain(column.type)
    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([c.storage for c in column.chunks], type=column.type.storage_type)
    if column.type != type_:
        column = column.cast(type_)
    if pa.types.is_timestamp(type_) or pa.types.is_time(type_):
        column, type_ = column.cast(pa.int64()), pa.int64()
    elif pa.types.is_date(type_):
        column, type_ = column.cast(pa.date32()).cast(pa.int32()), pa.int32()
    return [scalar_text(type_, value) for value in column.to_pylist()]


def dump_columns(names_and_columns, path):
    """Writes `(name, chunked array or exception)` pairs for the tests."""
    with open(path, "w") as out:
        for name, column in names_and_columns:
            if isinstance(column, BaseException):
                out.write(f"{name}\tunreadable\t0\n")
                continue
            try:
                lines = column_lines(column)
            except Exception as error:  # the oracle's own limits are not the reader's
                print(f"{path}: {name}: {error}")
                out.write(f"{name}\tunreadable\t0\n")
                continue
            out.write(f"{name}\tvalues\t{len(lines)}\n")
            for line in lines:
                out.write(line + "\n")


def dump_file(parquet_path, text_path, known={}):
    """Reads a file column by column with pyarrow (unless known) and writes what is in it."""
    try:
        file = pq.ParquetFile(parquet_path, coerce_int96_timestamp_unit="us",
                              page_checksum_verification=True)
        schema = file.schema_arrow
    except Exception as error:
        with open(text_path, "w") as out:
            out.write("")
        print(f"{parquet_path}: {error}")
        return
    pairs = []
    for name in schema.names:
        try:
            pairs.append((name, known[name] if name in known
                          else file.read(columns=[name]).column(0)))
        except Exception as error:
            pairs.append((name, error))
    dump_columns(pairs, text_path)
