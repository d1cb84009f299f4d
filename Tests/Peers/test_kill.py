"""kill -9 of a writer at random moments: what was acknowledged is there, and what was not is there wholly or not at all.

VARVE_KILLS is how many times (200 in a full run), VARVE_KILL_SEED from where the moments are drawn.
"""
import random
import re
import signal
import threading
import time

from support import number_from_environment

KILLS = number_from_environment("VARVE_KILLS", 25)
SEED = number_from_environment("VARVE_KILL_SEED", 1)
ROWS = 5


def statement(round, number):
    values = ", ".join(f"({round}, {number}, {part})" for part in range(ROWS))
    return f"INSERT INTO t VALUES {values}"


def written_until_killed(varve, round, seconds):
    """Starts a writer of many statements and kills it; answers how many it acknowledged before."""
    writer = varve.start("sql", "; ".join(statement(round, number) for number in range(200)))
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(writer.stderr.read().splitlines(keepends=True)))
    reader.start()
    time.sleep(seconds)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    reader.join()
    writer.stdout.close()
    for line in lines:
        assert re.match(rb"INSERT 5 |INS?E?R?T?", line), line
    # A line that was cut off was not seen by anybody.
    return sum(line.startswith(b"INSERT 5 ") and line.endswith(b"\n") for line in lines)


def test_a_killed_writer_leaves_what_it_acknowledged_and_at_most_one_whole_commit_more(varve):
    chance = random.Random(SEED)
    varve.execute("CREATE TABLE t (round INTEGER, number INTEGER, part INTEGER)")
    start = time.monotonic()
    written_until_killed(varve, -1, 0.3)
    expected = [row[0] for row in varve.rows("SELECT count(*) FROM t WHERE round = -1")][0]
    in_flight = 0
    for round in range(KILLS):
        # Some die while they start, most while they write.
        acknowledged = written_until_killed(varve, round, chance.uniform(0.0, 0.25))
        found = sorted(varve.rows(f"SELECT number, part FROM t WHERE round = {round}"))
        numbers = sorted({number for number, _ in found})
        assert found == [(number, part) for number in numbers for part in range(ROWS)], "a commit is there in part"
        assert numbers == list(range(len(numbers))), "a commit in the middle is missing"
        assert len(numbers) - acknowledged in (0, 1), f"{acknowledged} acknowledged, {len(numbers)} there"
        in_flight += len(numbers) - acknowledged
        expected += len(found)
        assert varve.value("SELECT count(*) FROM t") == expected, "rows of other rounds changed"
    varve.verify()
    # And the next writer goes on as if nothing had happened.
    assert varve.execute("INSERT INTO t VALUES (1000, 0, 0)")[0].startswith("INSERT 1")
    assert varve.value("SELECT count(*) FROM t") == expected + 1
    print(f"\n{KILLS} kills, {expected // ROWS} commits, {in_flight} in flight when killed landed, {time.monotonic() - start:.0f} s")


def test_a_killed_table_maker_leaves_a_whole_table_or_none(varve):
    chance = random.Random(SEED + 1)
    varve.execute("CREATE TABLE first (a INTEGER)")
    for round in range(max(5, KILLS // 5)):
        maker = varve.start("sql", f"CREATE TABLE made{round} AS SELECT 1 AS a UNION ALL SELECT 2")
        time.sleep(chance.uniform(0.0, 0.04))
        maker.send_signal(signal.SIGKILL)
        maker.communicate()
        if any(
                row[1] == f"made{round}" for row in varve.rows("SHOW TABLES")):
            assert sorted(varve.rows(f"SELECT a FROM made{round}")) == [(1,), (2,)]
        else:
            varve.execute(f"CREATE TABLE made{round} (a INTEGER)")
    varve.verify()


def test_a_killed_delete_removes_all_its_rows_or_none(varve):
    chance = random.Random(SEED + 2)
    varve.execute("CREATE TABLE t PARTITIONED BY (bucket(8, a)) AS SELECT * FROM (VALUES "
                  + ", ".join(f"({number})" for number in range(400)) + ") AS v(a)")
    rows = set(range(400))
    for round in range(max(5, KILLS // 5)):
        killed = varve.start("sql", f"DELETE FROM t WHERE a % 50 = {round}")
        time.sleep(chance.uniform(0.005, 0.06))
        killed.send_signal(signal.SIGKILL)
        _, messages = killed.communicate()
        found = {row[0] for row in varve.rows("SELECT a FROM t")}
        without = {number for number in rows if number % 50 != round}
        assert found == without or (found == rows and b"DELETE" not in messages)
        rows = found
    varve.verify()
