"""Many processes that append at once: nothing is lost, nothing is there twice, nobody sees an error.

VARVE_APPENDS is how many statements each of the eight processes runs. Rates are printed (pytest -s) for information.
"""
import concurrent.futures
import contextlib
import json
import threading
import time
import urllib.parse

import pyarrow.parquet as parquet
import pytest

from support import Varve, bucket_server, number_from_environment
from test_rest_clients import running

WORKERS = 8
APPENDS = number_from_environment("VARVE_APPENDS", 50)
SECONDS = 600


@contextlib.contextmanager
def folder(tmp_path):
    yield Varve(tmp_path / "lake")


def run_workers(varve, texts_of_worker):
    """Runs each worker's texts, one process a text, all workers at once; every process must succeed."""

    def work(texts):
        acknowledged = 0
        for text in texts:
            acknowledged += sum(line.startswith("INSERT 1 ") for line in varve.execute(text, seconds=SECONDS))
        return acknowledged

    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(len(texts_of_worker)) as pool:
        acknowledged = list(pool.map(work, texts_of_worker))
    return acknowledged, time.monotonic() - start


def report(what, commits, seconds):
    print(f"\n{what}: {commits} commits in {seconds:.1f} s, {commits / seconds:.1f} a second")


@pytest.mark.parametrize("tables", [1, WORKERS])
def test_eight_processes_append_to_tables_in_a_folder(tables, tmp_path):
    with folder(tmp_path) as varve:
        append_everything(varve, tables, APPENDS, "folder")


@pytest.mark.parametrize("tables", [1, WORKERS])
def test_eight_processes_append_to_tables_on_s3(tables):
    with bucket_server() as (_, environment):
        append_everything(Varve("s3://bucket/lake", environment), tables, APPENDS, "S3 (moto)")


def append_everything(varve, tables, appends, what):
    names = [f"t{number}" for number in range(tables)]
    varve.execute("; ".join(f"CREATE TABLE {name} (worker INTEGER, counter INTEGER)" for name in names))
    texts = [["; ".join(f"INSERT INTO {names[worker % tables]} VALUES ({worker}, {counter})" for counter in range(appends))]
             for worker in range(WORKERS)]
    acknowledged, seconds = run_workers(varve, texts)
    report(f"{what}, {tables} table(s), one process a worker", WORKERS * appends, seconds)
    assert acknowledged == [appends] * WORKERS
    found = [row for name in names for row in varve.rows(f"SELECT worker, counter FROM {name}")]
    assert sorted(found) == [(worker, counter) for worker in range(WORKERS) for counter in range(appends)]
    varve.verify()


def test_a_process_for_every_append_loses_nothing(varve):
    appends = max(2, APPENDS // 5)
    varve.execute("CREATE TABLE t (worker INTEGER, counter INTEGER)")
    texts = [[f"INSERT INTO t VALUES ({worker}, {counter})" for counter in range(appends)] for worker in range(WORKERS)]
    acknowledged, seconds = run_workers(varve, texts)
    report("folder, 1 table, one process an append", WORKERS * appends, seconds)
    assert acknowledged == [appends] * WORKERS
    expected = [(worker, counter) for worker in range(WORKERS) for counter in range(appends)]
    assert sorted(varve.rows("SELECT worker, counter FROM t")) == expected
    varve.verify()


def test_appends_and_deletes_at_once_leave_what_their_order_says(varve):
    """Deleters remove each row once: the counts they report add up to the rows that are gone."""
    varve.execute("CREATE TABLE t (worker INTEGER, counter INTEGER)")
    varve.execute("INSERT INTO t VALUES " + ", ".join(f"({worker}, {-1 - counter})" for worker in range(4) for counter in range(10)))
    inserts = [["; ".join(f"INSERT INTO t VALUES ({worker}, {counter})" for counter in range(10))] for worker in range(4)]
    deletes = [["; ".join(f"DELETE FROM t WHERE counter = {-1 - counter}" for counter in range(10))] for _ in range(2)]
    deleted = []

    def work(texts):
        for text in texts:
            deleted.extend(int(line.split()[1]) for line in varve.execute(text, seconds=SECONDS) if line.startswith("DELETE"))

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(work, inserts + deletes))
    assert sorted(varve.rows("SELECT worker, counter FROM t")) == [(worker, counter) for worker in range(4) for counter in range(10)]
    assert sum(deleted) == 40
    varve.verify()


def test_readers_see_only_whole_commits_while_others_write(varve):
    """Each commit adds ten rows; whoever reads meanwhile counts a multiple of ten, and never fewer than before."""
    varve.execute("CREATE TABLE t (a INTEGER)")
    ten = ", ".join(f"({number})" for number in range(10))
    writer = varve.start("sql", "; ".join(f"INSERT INTO t VALUES {ten}" for _ in range(30)))
    counts = []
    while writer.poll() is None:
        counts.append(varve.value("SELECT count(*) FROM t"))
    assert writer.wait() == 0, writer.stderr.read().decode()
    counts.append(varve.value("SELECT count(*) FROM t"))
    assert counts[-1] == 300 and all(count % 10 == 0 for count in counts) and counts == sorted(counts)


def test_statements_that_wait_together_share_data_files(tmp_path):
    """pyarrow reads from the shared files the rows of each commit where the log says that they are."""
    expected, lock = {}, threading.Lock()
    with running(tmp_path) as server:
        server.sql("CREATE TABLE plain (n INTEGER NOT NULL, s VARCHAR, l INTEGER[] DEFAULT [7])")
        server.sql("CREATE TABLE parted (n INTEGER, s VARCHAR) PARTITIONED BY (n)")

        def work(worker):
            for number in range(APPENDS // 2):
                first = (worker * APPENDS + number) * 10
                rows = [(first + place, None if place % 4 == 3 else f"{worker} \N{SNOWMAN} {number}") for place in range(number % 5 + 1)]
                table = "parted" if number % 3 == 0 else "plain"
                if table == "parted":
                    rows = [(n % 3, s) for n, s in rows]
                values = ", ".join("({}, {})".format(n, "NULL" if s is None else f"'{s}'") for n, s in rows)
                status, _, body = server.call("POST", "/varve/v1/query", {"sql": f"INSERT INTO {table} (n, s) VALUES {values}"}, {"Accept": "application/json"})
                assert status == 200, body
                with lock:
                    expected.setdefault(table, []).extend(rows)
                # Whose rows do not fit hears of it, and nobody else.
                status, _, body = server.call("POST", "/varve/v1/query", {"sql": "INSERT INTO plain (n, s) VALUES (NULL, 'x')"}, {"Accept": "application/json"})
                assert status == 422 and b"must not be null" in body, body

        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(work, range(WORKERS)))
        for table, rows in expected.items():
            found = [tuple(row) for row in server.sql(f"SELECT n, s FROM {table}")]
            assert sorted(found, key=str) == sorted(rows, key=str)
        assert server.sql("SELECT count(*) FROM plain WHERE l <> [7] OR l IS NULL") == [[0]]
        commits, shared, told = 0, set(), {}
        for path in sorted((tmp_path / "lake/_varve/log").glob("*.json")):
            for commit in json.loads(path.read_text())["commits"]:
                for change in commit["changes"]:
                    if "added-files" not in change:
                        continue
                    commits += 1
                    count = 0
                    for place, file in enumerate(change["added-files"]):
                        read = parquet.read_table(urllib.parse.unquote(file.removeprefix("file://")), columns=["n", "s"]).to_pylist()
                        if "added-rows" in change:
                            begin, end = change["added-rows"][place]
                            shared.add(file)
                            read = read[begin:end]
                            assert len(read) == end - begin
                        count += len(read)
                        told.setdefault(change["name"], []).extend((row["n"], row["s"]) for row in read)
                        # A statement's texts differ from all others'.
                        assert len({row["s"] for row in read} - {None}) <= 1
                    assert count == change["added-records"]
        assert commits > 10 and shared
        for table, rows in told.items():
            assert not set(map(str, rows)) - set(map(str, expected[table]))
        files = server.sql("SELECT count(*) FROM plain.files")[0][0]
        print(f"\n{commits} commits in {len(shared)} shared files; plain has {files} files")
    Varve(tmp_path / "lake").verify()
