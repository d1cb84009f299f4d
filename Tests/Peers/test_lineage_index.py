"""The lineage index: written by commands and servers, killed in the middle, damaged, and always what the log gives.

VARVE_KILLS is how many times writers are killed (1000 in a full run), VARVE_KILL_SEED from where the moments are drawn.
"""
import json
import pathlib
import random
import re
import signal
import time
import urllib.request

from support import free_port, number_from_environment, server

KILLS = number_from_environment("VARVE_KILLS", 25)
SEED = number_from_environment("VARVE_KILL_SEED", 1)


def objects(varve):
    folder = pathlib.Path(varve.warehouse, "_varve", "lineage", "index")
    return sorted(folder.glob("*.index")), sorted(folder.glob("chunks/*"))


def run(varve, *arguments):
    done = varve.run(*arguments)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode(), done.stderr.decode()


def compared(varve):
    """Folds the log again and compares; answers how many indexes were equal."""
    output, _ = run(varve, "audit", "verify", "--quick", "--lineage")
    count, equal = re.search(r"Lineage indexes: (\d+), \d+ bytes(?:, (\d+) equal)?", output).groups()
    assert int(equal or 0) == int(count), output
    return int(count)


def tables(varve):
    varve.execute("CREATE TABLE source (a INTEGER, b VARCHAR)")
    varve.execute("INSERT INTO source VALUES (1, 'x'), (2, 'y')")
    varve.execute("CREATE TABLE target (a INTEGER, b VARCHAR, n INTEGER)")


def insert(number):
    return f"INSERT INTO target SELECT a, b, {number} FROM source WHERE a > {number % 2}"


def test_a_command_writes_an_index_when_much_has_come_and_the_next_one_starts_from_it(varve):
    tables(varve)
    varve.execute("; ".join(insert(number) for number in range(1200)), seconds=600)
    assert objects(varve) == ([], [])
    first, _ = run(varve, "lineage", "upstream", "target", "--columns", "--format", "json")
    indexes, chunks = objects(varve)
    assert len(indexes) == 1 and chunks
    assert compared(varve) == 1
    # Commits behind it are folded as before.
    varve.execute(insert(2000))
    second, messages = run(varve, "lineage", "upstream", "target", "--columns", "--format", "json")
    assert messages == "" and json.loads(second)["position"] == json.loads(first)["position"] + 1
    assert objects(varve) == (indexes, chunks)
    # What is damaged is found, and named, and nobody needs it.
    damaged = bytearray(chunks[0].read_bytes())
    damaged[1000] ^= 1
    chunks[0].unlink()
    chunks[0].write_bytes(damaged)
    done = varve.run("audit", "verify", "--quick")
    assert done.returncode == 1 and chunks[0].name in done.stdout.decode()
    port = free_port()
    with server(varve.command("serve", "--port", port), port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/varve/v1/log/verify?lineage=true") as answer:
            found = json.load(answer)
        assert not found["verified"] and [chunks[0].name in one["key"] for one in found["lineage_faults"]] == [True]
    third, messages = run(varve, "lineage", "upstream", "target", "--columns", "--format", "json")
    assert third == second and f"chunks/{chunks[0].name}" in messages
    # The next index does not build on it.
    run(varve, "maintain", "--checkpoint")
    indexes[0].unlink()
    assert compared(varve) == 1
    _, messages = run(varve, "lineage", "upstream", "target")
    assert messages == ""


def test_an_index_that_says_something_else_than_the_log_is_found(varve, tmp_path):
    tables(varve)
    run(varve, "maintain", "--checkpoint")
    [index], _ = objects(varve)
    assert compared(varve) == 1
    old = index.read_bytes()
    varve.execute(insert(1))
    run(varve, "maintain", "--checkpoint")
    indexes, _ = objects(varve)
    assert len(indexes) == 2 and compared(varve) == 2
    # Another log's index, with sound checksums, at the place of this one's.
    other = type(varve)(tmp_path / "other")
    tables(other)
    run(other, "maintain", "--checkpoint")
    foreign = objects(other)[0][0].read_bytes()
    assert foreign != old
    indexes[0].unlink()
    indexes[0].write_bytes(foreign)
    done = varve.run("audit", "verify", "--quick", "--lineage")
    assert done.returncode == 1 and indexes[0].name in done.stdout.decode()
    run(varve, "lineage", "upstream", "target")


def test_writers_that_are_killed_leave_indexes_that_are_equal_to_the_logs(varve):
    chance = random.Random(SEED)
    tables(varve)
    # Enough for chunks, so that indexes are more than one object.
    varve.execute("; ".join(insert(number) for number in range(1300)), seconds=600)
    run(varve, "maintain", "--checkpoint")
    assert objects(varve)[1]
    start = time.monotonic()
    checked = 0
    for round in range(KILLS):
        statements = "; ".join(insert(round * 100 + number) for number in range(60))
        writer = varve.start("sql", statements)
        time.sleep(chance.uniform(0.0, 0.06))
        keeper = varve.start("maintain", "--checkpoint")
        time.sleep(chance.uniform(0.0, 0.12))
        for process in [writer, keeper] if chance.random() < 0.5 else [keeper, writer]:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        if round % 20 == 19 or round == KILLS - 1:
            checked += compared(varve)
            # Old ones need not be looked at again and again.
            for index in objects(varve)[0][:-2]:
                index.unlink()
    run(varve, "maintain", "--checkpoint")
    checked += compared(varve)
    varve.verify()
    assert checked > 0
    # No snapshot without its edges, and no edge from or to a snapshot that is not there.
    def ids(query):
        return {row[0] for row in varve.rows(query)}

    there = ids("SELECT snapshot_id FROM target.snapshots")
    assert len(there) > 1300
    assert ids("SELECT target_snapshot_id FROM varve.lineage WHERE target = 'main.target' AND target_column = 'a'") == there
    assert ids("SELECT output_snapshot_id FROM varve.runs WHERE output = 'main.target'") == there
    read = ids("SELECT source_snapshot_id FROM varve.lineage WHERE target = 'main.target'")
    assert read and read <= ids("SELECT snapshot_id FROM source.snapshots")
    print(f"\n{KILLS} kills, {checked} indexes compared, {time.monotonic() - start:.0f} s")
