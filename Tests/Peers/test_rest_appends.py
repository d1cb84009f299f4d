"""Appends of Iceberg clients that lost a race, rebased by the server or not."""
import concurrent.futures
import threading

import pytest

from support import rest_server

pa = pytest.importorskip("pyarrow")
pytest.importorskip("pyiceberg")

WRITERS, ROUNDS = 32, 2


def rows(writer, round_=0, count=3):
    return pa.table({"writer": pa.array([writer] * count, pa.int64()),
                     "round": pa.array([round_] * count, pa.int64()),
                     "n": pa.array(range(count), pa.int64())})


def make(catalog, name, **properties):
    return catalog.create_table(f"main.{name}", rows(0).schema,
                                properties={"commit.retry.num-retries": "0", **properties})


def test_concurrent_appenders_all_succeed_without_retries(varve):
    with rest_server(varve) as catalog:
        make(catalog, "t")
        # All load the same state, and only then begin to write.
        tables = [catalog.load_table("main.t") for _ in range(WRITERS)]
        barrier = threading.Barrier(WRITERS)

        def write(writer):
            barrier.wait()
            tables[writer].append(rows(writer))
            # The second from what the first commit answered, which others have passed since.
            tables[writer].append(rows(writer, 1))

        with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
            for done in [pool.submit(write, writer) for writer in range(WRITERS)]:
                done.result()
        table = catalog.load_table("main.t")
        found = table.scan().to_arrow()
        assert found.num_rows == WRITERS * ROUNDS * 3
        assert sorted(found.column("writer").to_pylist()) == sorted(list(range(WRITERS)) * ROUNDS * 3)
        snapshots = table.snapshots()
        assert len(snapshots) == WRITERS * ROUNDS
        assert sorted(one.sequence_number for one in snapshots) == list(range(1, WRITERS * ROUNDS + 1))
        assert table.current_snapshot().summary["total-records"] == str(found.num_rows)
        # Every snapshot is one that can be read, and has three rows more than its parent.
        by_id = {one.snapshot_id: one for one in snapshots}
        chain, one = [], table.current_snapshot()
        while one is not None:
            chain.append(one)
            one = by_id.get(one.parent_snapshot_id)
        assert len(chain) == WRITERS * ROUNDS
        oldest = table.scan(snapshot_id=chain[-1].snapshot_id).to_arrow()
        assert oldest.num_rows == 3
    assert varve.rows("SELECT count(*), count(DISTINCT (writer, round, n)) FROM t") == [(192, 192)]
    varve.verify()


def test_a_table_or_the_server_can_be_strict(varve, tmp_path):
    from pyiceberg.exceptions import CommitFailedException
    with rest_server(varve) as catalog:
        make(catalog, "t", **{"varve.append-rebase": "false"})
        first, second = catalog.load_table("main.t"), catalog.load_table("main.t")
        first.append(rows(1))
        with pytest.raises(CommitFailedException):
            second.append(rows(2))
        assert catalog.load_table("main.t").scan().to_arrow().num_rows == 3


def test_only_appends_are_rebased(varve):
    from pyiceberg.exceptions import CommitFailedException
    with rest_server(varve) as catalog:
        make(catalog, "t").append(rows(1))
        for change in [lambda table: table.delete("writer = 1"), lambda table: table.overwrite(rows(7))]:
            stale = catalog.load_table("main.t")
            catalog.load_table("main.t").append(rows(2))
            with pytest.raises(CommitFailedException):
                change(stale)
        assert catalog.load_table("main.t").scan().to_arrow().num_rows == 9


def test_appends_stand_deletes_schema_changes_and_sql(varve):
    with rest_server(varve) as catalog:
        make(catalog, "t").append(rows(1))
        stale = [catalog.load_table("main.t") for _ in range(3)]
        # Rows that match are deleted before the append comes: those of the append are not.
        varve.execute("DELETE FROM t WHERE writer IN (1, 2)")
        stale[0].append(rows(2))
        assert varve.rows("SELECT writer, count(*) FROM t GROUP BY ALL") == [(2, 3)]
        varve.execute("ALTER TABLE t ADD COLUMN more VARCHAR")
        varve.execute("ALTER TABLE t RENAME COLUMN n TO number")
        stale[1].append(rows(3))
        assert varve.rows("SELECT writer, sum(number), count(more) FROM t GROUP BY ALL ORDER BY 1") == [
            (2, 3, 0), (3, 3, 0)]
        varve.execute("INSERT INTO t SELECT 4, 0, 9, 'x'")
        stale[2].append(rows(5))
        found = catalog.load_table("main.t").scan().to_arrow()
        assert found.num_rows == 10 and found.column("more").null_count == 9
    varve.verify()
