"""COUNT, MIN and MAX of whole tables come from metadata where these are exact, and are the same as from the rows."""
import pathlib

import pytest

from support import VarveError

COLUMNS = {
    "b": "boolean", "i": "int", "l": "bigint", "f": "real", "d": "double", "n": "decimal(20,3)", "t": "date",
    "m": "time", "s": "timestamp", "z": "timestamptz", "x": "varchar", "y": "blob", "u": "uuid", "e": "int",
}
ROWS = [
    "(true, 1, -5, 1.5, 2.5, 1.125, DATE '2024-02-29', TIME '01:02:03', TIMESTAMP '2024-01-01 00:00:00.000001', "
    "TIMESTAMPTZ '1969-12-31 23:59:59+00', 'a', '\\x00'::BLOB, '00000000-0000-0000-0000-000000000001'::UUID, NULL)",
    "(false, -2147483648, 9223372036854775807, CAST('NaN' AS real), CAST('NaN' AS double), -99999999999999999.999, DATE '0001-01-01', TIME '23:59:59.999999', "
    "TIMESTAMP '9999-12-31 23:59:59', TIMESTAMPTZ '2024-07-01 12:00:00+02', repeat('é', 40), '\\xFF'::BLOB, "
    "'ffffffff-ffff-ffff-ffff-ffffffffffff'::UUID, NULL)",
    "(" + ", ".join(["NULL"] * len(COLUMNS)) + ")",
    "(NULL, 2147483647, -9223372036854775808, -0.0, CAST('-inf' AS double), 0, NULL, NULL, NULL, NULL, '', ''::BLOB, NULL, NULL)",
]


def answers(varve, tail=""):
    """What aggregates say, and what follows from the rows themselves."""
    calls = ", ".join(f"count({name}), min({name}), max({name})" for name in COLUMNS)
    got = varve.rows(f"SELECT count(*), {calls} FROM t{tail}")
    names = [f"a{number}" for number in range(len(got[0]))]
    # A filter that metadata cannot decide has every row read.
    read = varve.rows(f"SELECT count(*), {calls} FROM t{tail} WHERE (i IS NULL) OR (i + 0 IS NOT NULL)")
    return dict(zip(names, map(repr, got[0]))), dict(zip(names, map(repr, read[0])))


def test_answers_are_those_of_the_rows(varve):
    varve.execute(f"CREATE TABLE t ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})")
    for rows in [[], ROWS[:1], ROWS[1:], ROWS, [ROWS[2]]]:
        if rows:
            varve.execute(f"INSERT INTO t VALUES {', '.join(rows)}")
        got, read = answers(varve)
        assert got == read
    # An older state, a column with another name, type and place, rows that went, and a column that old files lack.
    snapshots = [row[0] for row in varve.rows("SELECT snapshot_id FROM t.snapshots ORDER BY committed_at")]
    got, read = answers(varve, f" FOR VERSION AS OF {snapshots[1]}")
    assert got == read
    varve.execute("ALTER TABLE t ALTER COLUMN i TYPE bigint")
    got, read = answers(varve)
    assert got == read
    varve.execute("DELETE FROM t WHERE l < 0")
    got, read = answers(varve)
    assert got == read
    varve.execute("ALTER TABLE t ADD COLUMN late int")
    assert varve.rows("SELECT count(*), count(late), max(late) FROM t")[0][1:] == (0, None)
    varve.execute("INSERT INTO t (l, late) VALUES (7, 8)")
    assert varve.rows("SELECT count(late), min(late), max(late) FROM t") == [(1, 8, 8)]


def test_no_data_file_is_read(varve):
    varve.execute("CREATE TABLE t AS SELECT range AS i, 'n' || range AS x FROM range(1000)")
    for number in range(20):
        varve.execute(f"INSERT INTO t VALUES ({-number}, NULL)")
    files = list(pathlib.Path(varve.warehouse).rglob("*.parquet"))
    assert len(files) == 21
    for file in files:
        file.unlink()
    # With more manifests than are read for a plan, and in a subquery.
    assert varve.rows("SELECT count(*) FROM t") == [(1020,)]
    assert varve.rows("SELECT (SELECT count(*) FROM t) + 1 AS n") == [(1021,)]
    with pytest.raises(VarveError):
        varve.rows("SELECT sum(i) FROM t")
