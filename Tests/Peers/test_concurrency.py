"""Many processes that append at once: nothing is lost, nothing is there twice, nobody sees an error.

VARVE_APPENDS is how many statements each of the eight processes runs. Rates are printed (pytest -s) for information.
"""
import concurrent.futures
import contextlib
import time

import pytest

from support import Varve, bucket_server, number_from_environment

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
