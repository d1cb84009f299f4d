"""Flipped bits in files of a warehouse: an error that names the file, or the right answer; never a crash, a hang or another answer.

VARVE_FLIPS is how many flips each kind of file gets, VARVE_FLIP_SEED from where they are drawn. VARVE_FLIP_EVERY=1 also flips a bit of
every byte of a small warehouse.
"""
import concurrent.futures
import os
import pathlib
import random

import pyarrow
import pyarrow.parquet
import pytest

from support import Varve, VarveError, number_from_environment, rest_server

FLIPS = number_from_environment("VARVE_FLIPS", 60)
SEED = number_from_environment("VARVE_FLIP_SEED", 1)

# Filters use the bounds in manifests and footers, so damage there could hide rows.
FILTERS = ["a >= 1000", "a = 150", "s = 'text 3'", "d < 6", "s IS NULL", "a < 0", "n = 7"]
EVOLVED = "SELECT a, s, d, n FROM t"
FILTERED = " UNION ALL ".join(f"SELECT {place} AS f, a, s, d, n FROM t WHERE {where}" for place, where in enumerate(FILTERS))
PARTITIONED = "SELECT part, x FROM p WHERE part = 'b' UNION ALL SELECT part, x FROM p WHERE x > 30"
NESTED = "SELECT id, l, st FROM n"
SUMS = "count(*), sum(a), min(s), max(s), sum(length(s)), sum(a * length(s)), sum(d)"
PAGES = f"SELECT {SUMS} FROM m UNION ALL SELECT {SUMS} FROM m WHERE a >= 24990"
QUERIES = [f"{EVOLVED} ORDER BY a", f"{FILTERED} ORDER BY f, a", f"{PARTITIONED} ORDER BY part, x", f"{NESTED} ORDER BY id", PAGES]

KINDS = {
    "log entries": "_varve/log/*.json",
    "warehouse objects": "_varve/warehouse.json",
    "metadata": "main/*/metadata/*.metadata.json",
    "manifest lists": "main/*/metadata/snap-*.avro",
    "manifests": "main/*/metadata/*-m*.avro",
    "data files": "main/*/data/**/*.parquet",
}

SMALL = """CREATE TABLE t (a INTEGER, s VARCHAR, d DOUBLE);
           INSERT INTO t VALUES (1, 'text 3', 0.5), (150, NULL, NULL), (-2, '', 'NaN'::DOUBLE);
           ALTER TABLE t ADD COLUMN n BIGINT;
           INSERT INTO t VALUES (1000, 'text 4', 1.25, 7);
           CREATE TABLE p (part VARCHAR, x INTEGER) PARTITIONED BY (part);
           INSERT INTO p VALUES ('a', 31), ('b', 2)"""
SMALL_QUERY = f"""SELECT 'all' AS q, 0 AS f, a, s, d, n FROM ({EVOLVED}) UNION ALL SELECT 'filter', f, a, s, d, n FROM ({FILTERED})
                  UNION ALL SELECT 'part', 0, x, part, NULL, NULL FROM ({PARTITIONED}) ORDER BY 1, 2, 3, 4"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A warehouse with an evolved, a partitioned, a nested and a many-paged table, and the rows that they hold."""
    folder = tmp_path_factory.mktemp("whole")
    varve, nested = Varve(folder / "lake"), folder / "nested.parquet"
    rows = {"id": [1, 2, 3], "l": [[1, 2, None], [], None], "st": [{"x": 1, "y": "one"}, None, {"x": None, "y": ""}]}
    pyarrow.parquet.write_table(pyarrow.table(rows), nested)
    values = ", ".join(f"({number}, 'text {number % 17}', {number / 4})" for number in range(200))
    parts = ", ".join(f"('{'abc'[number % 3]}', {number})" for number in range(40))
    varve.execute(f"""CREATE TABLE t (a INTEGER, s VARCHAR, d DOUBLE);
                      INSERT INTO t VALUES {values};
                      ALTER TABLE t ADD COLUMN n BIGINT;
                      ALTER TABLE t ALTER COLUMN a TYPE BIGINT;
                      INSERT INTO t VALUES (1000, NULL, NULL, 7), (1001, '', 'NaN'::DOUBLE, NULL);
                      DELETE FROM t WHERE a < 20;
                      CREATE TABLE p (part VARCHAR, x INTEGER) PARTITIONED BY (part);
                      INSERT INTO p VALUES {parts};
                      CREATE TABLE n AS SELECT * FROM read_parquet('{nested}');
                      CREATE TABLE m (a BIGINT, s VARCHAR, d DOUBLE);
                      INSERT INTO m SELECT range, 'row ' || (range * 7919), (range % 1000) / 8 FROM range(25000)""")
    return varve, {query: repr(varve.rows(query)) for query in QUERIES}


def files_of_kind(varve, kind):
    files = sorted(pathlib.Path(varve.warehouse).glob(KINDS[kind]))
    assert files, kind
    return files


class Damage:
    """A file with one bit flipped, for as long as the block runs."""

    def __init__(self, path, byte, bit):
        self.path, self.byte, self.bit = path, byte, bit

    def __enter__(self):
        self.bytes = self.path.read_bytes()
        changed = bytearray(self.bytes)
        changed[self.byte] ^= 1 << self.bit
        self.write(changed)

    def __exit__(self, *_):
        self.write(self.bytes)

    def write(self, content):
        self.path.unlink()
        self.path.write_bytes(content)

    def __str__(self):
        return f"{self.path.name} byte {self.byte} of {len(self.bytes)} bit {self.bit}"


def flips(varve, kind, count):
    chance = random.Random(f"{SEED}/{kind}")
    files = files_of_kind(varve, kind)
    for _ in range(count):
        path = chance.choice(files)
        yield Damage(path, chance.randrange(path.stat().st_size), chance.randrange(8))


def reading(varve, query, expected, damage):
    """Whether a query failed as it should, and what is wrong if it did not, or neither."""
    try:
        got = repr(varve.rows(query))
    except VarveError as error:
        named = damage.path.name in str(error)
        return True, None if named else f"{damage}: the error does not name the file: {error}"
    except AssertionError as error:  # A signal or a hang.
        return False, f"{damage}: {error}"
    except Exception as error:
        return False, f"{damage}: the output is no Arrow stream: {error!r}"
    return False, None if got == expected else f"{damage}: another answer and no error: {query[:60]}"


def audit(varve, damage):
    """What is wrong when an audit does not find the damage."""
    done = varve.run("audit", "verify")
    text = (done.stdout + done.stderr).decode(errors="replace")
    if done.returncode != 1:
        return f"{damage}: audit ends with {done.returncode}, {text.strip()[-100:]}"
    return None if damage.path.name in text else f"{damage}: audit does not name the file: {text.strip()[-300:]}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_is_an_error_that_names_the_file_or_does_not_matter_in(kind, whole):
    varve, expected = whole
    wrong, found = [], 0
    for number, damage in enumerate(flips(varve, kind, FLIPS)):
        with damage:
            # Of tables other than the file's own nothing is read.
            folder = damage.path.relative_to(varve.warehouse).parts[1][0]
            queries = {"t": QUERIES[:2], "p": QUERIES[2:3], "n": QUERIES[3:4], "m": QUERIES[4:]}.get(folder) if "main" in KINDS[kind] else None
            for query in queries or [QUERIES[number % len(QUERIES)]]:
                failed, fault = reading(varve, query, expected[query], damage)
                found += failed
                if fault:
                    wrong.append(fault)
    assert {query: repr(varve.rows(query)) for query in QUERIES} == expected
    assert not wrong, f"{len(wrong)} readings of {FLIPS} flips\n" + "\n".join(wrong)
    print(f"\n{kind}: {found} readings of {FLIPS} flips were errors, to the others the flips did not matter")


@pytest.mark.parametrize("kind", KINDS)
def test_audit_verify_finds_a_flipped_bit_anywhere_in(kind, whole):
    varve, _ = whole
    varve.verify()
    missed, count = [], max(10, FLIPS // 2)
    for damage in flips(varve, kind, count):
        with damage:
            fault = audit(varve, damage)
            if fault:
                missed.append(fault)
    varve.verify()
    assert not missed, f"{len(missed)} of {count} missed\n" + "\n".join(missed)


def every_byte(varve, worker, workers):
    """Flips a random bit of every byte whose number is this worker's: an error, or the answer as before and a fault in an audit."""
    expected = repr(varve.rows(SMALL_QUERY))
    wrong, count, harmless = [], 0, 0
    for kind in KINDS:
        for path in files_of_kind(varve, kind):
            for byte in range(worker, path.stat().st_size, workers):
                damage = Damage(path, byte, random.Random(f"{SEED}/{kind}/{byte}").randrange(8))
                count += 1
                with damage:
                    failed, fault = reading(varve, SMALL_QUERY, expected, damage)
                    if not failed and not fault:
                        harmless += 1
                        fault = audit(varve, damage)
                    if fault:
                        wrong.append(fault)
    assert repr(varve.rows(SMALL_QUERY)) == expected
    return wrong, count, harmless


@pytest.mark.skipif(not number_from_environment("VARVE_FLIP_EVERY", 0), reason="long: set VARVE_FLIP_EVERY=1")
def test_a_flipped_bit_in_every_byte_of_a_small_warehouse_is_found(tmp_path):
    workers = number_from_environment("VARVE_FLIP_WORKERS", os.cpu_count() or 1)
    warehouses = []
    for worker in range(workers):
        # Each has its own, as the metadata hold the place of the files.
        warehouses.append(Varve(tmp_path / f"lake{worker}"))
        warehouses[-1].execute(SMALL)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(lambda worker: every_byte(warehouses[worker], worker, workers), range(workers)))
    wrong = [one for result in results for one in result[0]]
    count, harmless = sum(result[1] for result in results), sum(result[2] for result in results)
    print(f"\n{count} bytes: {count - harmless} flips were errors, {harmless} did not matter and were found by audit")
    assert not wrong, f"{len(wrong)} of {count}\n" + "\n".join(wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_cut_short_or_gone_is_an_error_that_names_it(kind, whole):
    varve, expected = whole
    query = QUERIES[0]
    chance = random.Random(f"{SEED}/cut/{kind}")
    wrong = []
    last = sorted(pathlib.Path(varve.warehouse).glob(KINDS["log entries"]))[-1]
    for path in files_of_kind(varve, kind):
        content = path.read_bytes()
        for what, size in [("gone", None), ("empty", 0), ("half", len(content) // 2), ("one byte less", len(content) - 1),
                           ("cut", chance.randrange(len(content)))]:
            path.unlink()
            if size is not None:
                path.write_bytes(content[:size])
            try:
                got = repr(varve.rows(query))
                # Files of older states are not read; the end of the log cannot be told from its last entry missing.
                if got != expected[query] and not (kind == "log entries" and what == "gone" and path >= last):
                    wrong.append(f"{path.name} {what}: another answer and no error")
            except VarveError as error:
                if path.name not in str(error) and not (kind == "warehouse objects" and what == "gone"):
                    wrong.append(f"{path.name} {what}: the error does not name the file: {error}")
            except AssertionError as error:
                wrong.append(f"{path.name} {what}: {error}")
            finally:
                path.unlink(missing_ok=True)
                path.write_bytes(content)
    assert repr(varve.rows(query)) == expected[query]
    assert not wrong, f"{len(wrong)}\n" + "\n".join(wrong)


@pytest.mark.parametrize("kind, referrer", [("manifest lists", ".metadata.json"), ("manifests", "snap-"), ("data files", ".avro")])
def test_an_error_about_a_missing_file_also_names_the_file_that_refers_to_it(kind, referrer, tmp_path):
    varve = Varve(tmp_path / "lake")
    varve.execute("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)")
    [path] = files_of_kind(varve, kind)
    path.unlink()
    message = varve.error("SELECT a FROM t")
    assert path.name in message and referrer in message and "missing" in message, message
    done = varve.run("audit", "verify")
    assert done.returncode == 1 and path.name in done.stdout.decode() and referrer in done.stdout.decode()


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """A table whose data and manifests PyIceberg wrote, through the REST catalog."""
    pytest.importorskip("pyiceberg")
    varve = Varve(tmp_path_factory.mktemp("foreign") / "lake")
    varve.execute("CREATE TABLE given (a INTEGER)")
    with rest_server(varve) as catalog:
        rows = pyarrow.table({"a": list(range(100)), "s": [f"text {number % 7}" for number in range(100)]})
        table = catalog.create_table("main.f", schema=rows.schema)
        table.append(rows)
        table.append(rows.slice(0, 10))
    return varve, repr(varve.rows("SELECT a, s FROM f WHERE a < 50 ORDER BY a, s"))


@pytest.mark.parametrize("kind", ["metadata", "manifest lists", "manifests", "data files"])
def test_of_files_that_pyiceberg_wrote_a_flipped_bit_never_crashes_and_errors_name_a_file_in(kind, foreign):
    """The weaker promise: other writers' manifests, footers and pages carry no checksums, so a flip there may change an answer.

    Metadata files are the catalog's own: their hashes are in the log.
    """
    varve, expected = foreign
    wrong, found, silent = [], 0, 0
    for damage in flips(varve, kind, max(20, FLIPS // 2)):
        if not damage.path.parent.parent.name.startswith("f-"):
            continue
        with damage:
            failed, fault = reading(varve, "SELECT a, s FROM f WHERE a < 50 ORDER BY a, s", expected, damage)
            found += failed
            if fault and kind != "metadata" and ("another answer" in fault or ".parquet" in fault or ".avro" in fault):
                silent += "another answer" in fault
            elif fault:
                wrong.append(fault)
    assert not wrong, "\n".join(wrong)
    print(f"\n{kind} of PyIceberg: {found} readings were errors, {silent} gave another answer")
