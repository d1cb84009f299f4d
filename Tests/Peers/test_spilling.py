"""Queries in little memory: the answers are those of DuckDB, and the temporary folder is empty afterwards however the query ended."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import duckdb
import pyarrow
import pyarrow.ipc
import pytest

from support import Varve, canonical_column, shared

TABLES = ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"]
MEMORY = "6MB"
#: Needs far more than that, and runs for a while.
LONG = "SELECT a.l_comment, count(*) AS n, sum(b.l_quantity) AS q FROM lineitem a JOIN lineitem b ON a.l_partkey = b.l_partkey GROUP BY 1 ORDER BY 1"


@pytest.fixture(scope="module")
def tpch(tmp_path_factory):
    """TPC-H at scale 0.1 as views over files, and DuckDB over the same."""
    files = tmp_path_factory.mktemp("tpch")
    generator = pathlib.Path(sys.executable).with_name("tpchgen-cli")
    if not generator.exists():
        pytest.skip("no tpchgen-cli beside this Python")
    subprocess.run([generator, "parquet", "-s", "0.1", "-o", files], check=True, timeout=300, capture_output=True)
    temporary = tmp_path_factory.mktemp("spill")
    varve = Varve(tmp_path_factory.mktemp("spill-warehouse") / "lake", {"VARVE_TEMP": str(temporary)})
    oracle = duckdb.connect()
    for table in TABLES:
        varve.execute(f"CREATE TABLE {table} AS SELECT * FROM read_parquet('{files}/{table}.parquet')", seconds=600)
        oracle.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{files}/{table}.parquet')")
    return varve, oracle, temporary


def rounded(value):
    if isinstance(value, tuple) and value[0] == "float":
        return f"{float(value[1]):.8e}"
    return value


def rows(table):
    return sorted(zip(*[[rounded(value) for value in canonical_column(column)] for column in table.columns]), key=repr)


def spilled_bytes(done):
    return [json.loads(line)["spilled_bytes"] for line in done.stderr.decode().splitlines() if line.startswith("{")][-1]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("number", range(1, 23))
def test_tpch_gives_the_answer_of_duckdb(number, threads, tpch):
    varve, oracle, temporary = tpch
    text = shared("corpora", "tpch", "queries", f"q{number:02}.sql").read_text()
    expected = oracle.execute(text).to_arrow_table()
    got = varve.table(text, "--memory", MEMORY, "--threads", str(threads))
    assert rows(got) == rows(expected)
    assert list(temporary.iterdir()) == []


QUERIES = [
    "SELECT count(*) AS k, sum(n) AS n, sum(q * o) AS q, min(c) AS a, max(c) AS b, sum(length(c)) AS l FROM (SELECT l_orderkey AS o, count(*) AS n, sum(l_quantity) AS q, max(l_comment) AS c FROM lineitem GROUP BY 1) g",
    "SELECT count(DISTINCT l_comment) AS c, count(DISTINCT l_orderkey) AS o, sum(DISTINCT l_partkey) AS p FROM lineitem",
    "SELECT l_suppkey, count(DISTINCT l_comment) AS c, string_agg(l_shipmode, ',' ORDER BY l_orderkey, l_linenumber) AS m FROM lineitem GROUP BY 1",
    "SELECT l_partkey, median(l_orderkey) AS m, quantile_cont(l_suppkey, 0.9) AS q FROM lineitem GROUP BY 1",
    "SELECT count(*) AS n, sum(l_partkey) AS p, sum(length(l_comment)) AS l FROM (SELECT DISTINCT l_comment, l_partkey FROM lineitem) d",
    "SELECT count(*) AS n, min(c) AS a, max(c) AS b, sum(length(c)) AS l FROM (SELECT l_comment AS c FROM lineitem EXCEPT SELECT o_comment FROM orders) e",
    "SELECT s, count(*) AS n, sum(r * o) AS r, sum(q * o) AS q FROM (SELECT l_suppkey AS s, l_orderkey AS o, row_number() OVER (PARTITION BY l_suppkey ORDER BY l_orderkey, l_linenumber) AS r, sum(l_quantity) OVER (PARTITION BY l_suppkey ORDER BY l_orderkey, l_linenumber) AS q FROM lineitem) w GROUP BY 1",
    "SELECT l_linenumber, count(*) AS n, count(o_orderkey) AS o, sum(length(l_comment)) AS l, sum(length(o_comment)) AS m FROM (SELECT * FROM lineitem WHERE l_linenumber < 3) a FULL JOIN (SELECT * FROM orders WHERE o_orderkey % 3 > 0) b ON l_orderkey = o_orderkey GROUP BY 1",
    "SELECT f, count(*) AS n, sum(o) AS o FROM (SELECT o_orderkey AS o, o_orderkey IN (SELECT l_orderkey FROM lineitem WHERE l_quantity < 40) AS f FROM orders) m GROUP BY 1",
]


@pytest.mark.parametrize("query", QUERIES)
def test_operators_give_the_rows_of_duckdb(query, tpch):
    varve, oracle, temporary = tpch
    expected = oracle.execute(query).to_arrow_table()
    done = varve.sql(query, "--memory", MEMORY, "--threads", "2", "--timing")
    with pyarrow.ipc.open_stream(done.stdout) as stream:
        got = stream.read_all()
    assert rows(got) == rows(expected)
    assert spilled_bytes(done) > 0
    assert list(temporary.iterdir()) == []


def test_rows_come_in_the_order_asked_for(tpch):
    varve, oracle, _ = tpch
    query = "SELECT l_comment, l_orderkey, l_linenumber FROM lineitem ORDER BY l_comment DESC, l_orderkey, l_linenumber LIMIT 200000"
    done = varve.sql(query, "--memory", MEMORY, "--timing", format="csv")
    assert spilled_bytes(done) > 0
    expected = oracle.execute(query).fetchall()
    got = done.stdout.decode().splitlines()[1:]
    assert [line.rsplit(",", 2)[-2:] for line in got] == [[str(row[1]), str(row[2])] for row in expected]


def test_what_fits_is_not_written(tpch):
    varve, _, _ = tpch
    assert spilled_bytes(varve.sql("SELECT count(DISTINCT l_orderkey) FROM lineitem", "--memory", "1GB", "--timing")) == 0


def spilling(process):
    """Whether the process has a temporary file open that has bytes in it."""
    try:
        for link in pathlib.Path(f"/proc/{process.pid}/fd").iterdir():
            if "(deleted)" in os.readlink(link) and os.stat(link).st_size > 0:
                return True
    except OSError:
        pass
    return False


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_when_a_query_is_stopped(ending, tpch):
    varve, _, temporary = tpch
    # Nobody reads the rows: it cannot end by itself.
    process = varve.start("sql", LONG, "--format", "csv", "--memory", MEMORY, "--temp-dir", str(temporary))
    try:
        until = time.monotonic() + 300
        while not spilling(process):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(ending)
        process.communicate(timeout=300)
    finally:
        process.kill()
        process.communicate()
    assert list(temporary.iterdir()) == []


def test_files_of_processes_that_are_gone_are_removed(tpch):
    varve, _, temporary = tpch
    gone = subprocess.Popen(["true"])
    gone.wait()
    left, ours = temporary / f"varve-spill-{gone.pid}-abc123", temporary / f"varve-spill-{os.getpid()}-abc123"
    left.touch()
    ours.touch()
    varve.sql("SELECT DISTINCT l_comment FROM lineitem", "--memory", MEMORY)
    assert not left.exists()
    assert ours.exists()
    ours.unlink()


def test_a_full_folder_is_a_clear_error(tpch):
    varve, _, _ = tpch
    # Writes beyond the limit of file sizes fail as those to a full disk do.
    done = subprocess.run(
        ["bash", "-c", "trap '' XFSZ; ulimit -f 200; exec \"$0\" \"$@\"",
         *varve.command("sql", "SELECT l_comment, count(*) FROM lineitem GROUP BY 1", "--memory", MEMORY, "--format", "csv")],
        capture_output=True, timeout=300, env=varve.environment, stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    assert "temporary folder" in done.stderr.decode() and "--temp-dir" in done.stderr.decode()


def test_a_folder_that_is_none_is_refused(tpch):
    varve, _, _ = tpch
    done = varve.run("sql", "SELECT 1", "--temp-dir", "/nowhere/at/all")
    assert done.returncode == 2 and "/nowhere/at/all" in done.stderr.decode()
