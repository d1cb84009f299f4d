"""sqllogictest files of DuckDB on which other engines agree: how many of their records varve passes, file by file.

`sqllogic_minimum.tsv` says how many records of each file pass at least, so that none is lost unnoticed.
VARVE_SLT_RECORD=path writes what passes now, and VARVE_SLT_SHOW=1 prints what does not.
"""
import dataclasses
import datetime
import decimal
import hashlib
import math
import os
import pathlib
import re

import pytest

from support import SHARED, Varve, VarveCrash, VarveError

FOLDER = SHARED / "corpora" / "slt"
MINIMUM = pathlib.Path(__file__).with_name("sqllogic_minimum.tsv")
RECORD = os.environ.get("VARVE_SLT_RECORD")
SHOW = os.environ.get("VARVE_SLT_SHOW")


def files():
    index = FOLDER / "INDEX.tsv"
    if not index.exists():
        return []
    return [line.split("\t")[0] for line in index.read_text().splitlines() if line and not line.startswith("#")]


def minimum():
    if not MINIMUM.exists():
        return {}
    return {name: int(count) for name, count in (line.split("\t") for line in MINIMUM.read_text().splitlines() if line)}


@dataclasses.dataclass
class Record:
    kind: str
    line: int
    text: str
    sort: str = "nosort"
    expected: list = dataclasses.field(default_factory=list)


def records(text):
    """The records of a file; what only configures a runner is left out."""
    lines = text.splitlines()
    found, at = [], 0
    while at < len(lines):
        head, start = lines[at].split(), at
        at += 1
        if not head or head[0] not in ("statement", "query"):
            continue
        body = []
        while at < len(lines) and lines[at].strip() and lines[at].strip() != "----":
            body.append(lines[at])
            at += 1
        record = Record(kind="query" if head[0] == "query" else head[1], line=start + 1, text="\n".join(body))
        if head[0] == "query" and len(head) > 2 and head[2] in ("nosort", "rowsort", "valuesort"):
            record.sort = head[2]
        if at < len(lines) and lines[at].strip() == "----":
            at += 1
            while at < len(lines) and lines[at].strip():
                record.expected.append(lines[at])
                at += 1
        found.append(record)
    return found


def shown(value):
    """A value as DuckDB's runner writes it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value if value else "(empty)"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, datetime.datetime):
        text = value.replace(tzinfo=None).isoformat(sep=" ")
        text = re.sub(r"(\.\d*?)0+$", r"\1", text) if "." in text else text
        return text + ("+00" if value.tzinfo else "")
    if isinstance(value, list):
        return "[" + ", ".join(shown(one) for one in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"'{key}': {shown(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (bytes, bytearray)):
        return "".join(chr(byte) if 32 <= byte < 127 and byte != 92 else f"\\x{byte:02X}" for byte in value)
    return str(value)


def ordered(rows):
    """Rows in an order that does not depend on how booleans and numbers are written."""
    def key(value):
        value = {"true": "1", "false": "0"}.get(value.lower(), value)
        known = number(value)
        return (0, known, "") if known is not None and known.is_finite() else (1, decimal.Decimal(0), value)
    return sorted(rows, key=lambda row: [key(value) for value in row])


def number(text):
    try:
        return decimal.Decimal(text)
    except decimal.InvalidOperation:
        return None


def same(got, expected):
    if got == expected:
        return True
    if {got.lower(), expected.lower()} <= {"true", "false", "1", "0"}:
        return {"true": "1", "false": "0"}.get(got.lower(), got) == {"true": "1", "false": "0"}.get(expected.lower(), expected)
    a, b = number(got), number(expected)
    if a is None or b is None or not (a.is_finite() and b.is_finite()):
        return got.lower() == expected.lower() and a is not None
    return a == b or abs(a - b) <= decimal.Decimal("1e-6") * max(abs(a), abs(b))


def check(varve, record):
    """None when the record passes, else why not."""
    if record.kind != "query":
        try:
            varve.execute(record.text)
        except VarveError as error:
            return None if record.kind in ("error", "maybe") else str(error)
        return "should fail" if record.kind == "error" else None
    changes = re.match(r"\s*(INSERT|UPDATE|DELETE|MERGE)\b", record.text, re.I)
    try:
        if changes:
            # A change gives the number of its rows.
            rows = [(int(number),) for number in re.findall(r"\d+", varve.execute(record.text)[-1])[:1]]
        else:
            rows = varve.rows(record.text)
    except VarveError as error:
        return str(error)
    # Without an ORDER BY rows come in any order; DuckDB's keeps that of the table.
    if record.sort == "nosort" and not re.search(r"\bORDER\s+BY\b", record.text, re.I):
        record.sort = "rowsort"
    rows = [[shown(value) for value in row] for row in rows]
    values = [value for row in rows for value in row]
    expected = record.expected
    hashed = re.match(r"(\d+) values hashing to ([0-9a-f]+)", expected[0]) if len(expected) == 1 else None
    if hashed:
        if record.sort == "rowsort":
            values = [value for row in sorted(rows) for value in row]
        elif record.sort == "valuesort":
            values = sorted(values)
        digest = hashlib.md5("".join(value + "\n" for value in values).encode()).hexdigest()
        return None if digest == hashed[2] and len(values) == int(hashed[1]) else "another hash"
    width = len(rows[0]) if rows else 1
    # Rows with tabs between the values, or a line for each value.
    wanted = [line.split("\t") for line in expected]
    if any(len(row) != width for row in wanted) or (width > 1 and len(expected) == len(values)):
        wanted = [expected[at:at + width] for at in range(0, len(expected), width)]
    if record.sort == "rowsort":
        rows, wanted = ordered(rows), ordered(wanted)
    elif record.sort == "valuesort":
        rows, wanted = [[value] for value in sorted(values)], [[value] for value in sorted(value for row in wanted for value in row)]
    if len(rows) == len(wanted) and all(len(a) == len(b) and all(map(same, a, b)) for a, b in zip(rows, wanted)):
        return None
    return f"gives {rows[:5]}, expected {wanted[:5]}"


@pytest.mark.skipif(not files(), reason=f"no sqllogictest files at {FOLDER} (set VARVE_SHARED)")
@pytest.mark.parametrize("name", files())
def test_file_passes_as_many_records_as_before(name, tmp_path):
    varve = Varve(tmp_path / "lake")
    passed, failed = 0, []
    for record in records((FOLDER / name).read_text()):
        try:
            reason = check(varve, record)
        except VarveCrash as crash:
            pytest.fail(f"{name}:{record.line}: {crash}")
        if reason is None:
            passed += 1
        else:
            failed.append(f"{name}:{record.line}: {record.text[:300]}\n    {reason[:300]}")
    if SHOW:
        print("\n".join(failed))
    if RECORD:
        with open(RECORD, "a") as file:
            file.write(f"{name}\t{passed}\n")
    wanted = minimum().get(name, 0)
    assert passed >= wanted, f"{passed} records pass, {wanted} did\n" + "\n".join(failed)
