"""Whether engines gave the same rows: `answers.py EXPECTED OTHER...` prints, for each other Arrow stream, a line of JSON:
null when its rows are those of EXPECTED (as a multiset; numbers to six digits), else what differs. `=5.2` stands for one
row of this number."""
import datetime
import decimal
import json
import math
import sys

import pyarrow.ipc

# Of the number, and of 1: averages of decimals have six places in some engines.
DIGITS = 1e-6


def plain(value):
    """A value as a number, a text, a truth value or nothing, however an engine types it."""
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        return None if math.isnan(value) else int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, datetime.datetime):
        value = value.replace(tzinfo=None)
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat()
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return json.dumps([plain(item) for item in value])
    if isinstance(value, dict):
        return json.dumps({name: plain(item) for name, item in value.items()})
    return value


def order(row):
    """Rows are put in order by what is exact in them first, so that a last digit does not move them."""
    exact = [(type(value).__name__, str(value)) for value in row if not isinstance(value, (int, float)) or isinstance(value, bool)]
    return (exact, [value for value in row if isinstance(value, (int, float)) and not isinstance(value, bool)])


def rows(path):
    if path.startswith("="):
        return [(float(path[1:]),)]
    with pyarrow.ipc.open_stream(path) as stream:
        table = stream.read_all()
    columns = [[plain(value) for value in column.to_pylist()] for column in table.columns]
    return sorted(zip(*columns), key=order)


def same(left, right):
    if isinstance(left, (int, float)) and isinstance(right, (int, float)) and not isinstance(left, bool) and not isinstance(right, bool):
        return math.isclose(left, right, rel_tol=DIGITS, abs_tol=DIGITS)
    return left == right


def difference(expected, got):
    """What is the first difference between two lists of rows in order; None when there is none."""
    if len(expected) != len(got):
        return f"{len(got)} rows instead of {len(expected)}"
    for number, (left, right) in enumerate(zip(expected, got), 1):
        if len(left) != len(right) or not all(map(same, left, right)):
            return f"row {number} in order: {right} instead of {left}"
    return None


def main():
    expected = rows(sys.argv[1])
    for path in sys.argv[2:]:
        print(json.dumps(difference(expected, rows(path))))


if __name__ == "__main__":
    main()
