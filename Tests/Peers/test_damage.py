"""Flipped bits in files of a warehouse: an error that names the file, or the right answer; never a crash, a hang or another answer.

VARVE_FLIPS is how many flips each kind of file gets (all bits of small files cannot be tried), VARVE_FLIP_SEED from where they are drawn.
"""
import pathlib
import random
import re

import pytest

from support import Varve, VarveError, number_from_environment

FLIPS = number_from_environment("VARVE_FLIPS", 60)
SEED = number_from_environment("VARVE_FLIP_SEED", 1)
DAMAGED_REFERENCE = re.compile("is not in the store|no such object|the key holds|file:|column .* does not exist")
QUERY = "SELECT a, s, d FROM t ORDER BY a"
# Filters use the bounds in manifests and footers, so damage there could hide rows.
FILTERS = ["a >= 1000", "a = 150", "s = 'text 3'", "d < 6", "s IS NULL", "a < 0"]
FILTERED = " UNION ALL ".join(f"SELECT {place} AS f, a, s, d FROM t WHERE {where}" for place, where in enumerate(FILTERS)) + " ORDER BY f, a"

KINDS = {
    "log entries": "_varve/log/*.json",
    "warehouse objects": "_varve/warehouse.json",
    "metadata": "main/*/metadata/*.metadata.json",
    "manifest lists": "main/*/metadata/snap-*.avro",
    "manifests": "main/*/metadata/*-m*.avro",
    "data files": "main/*/data/**/*.parquet",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A warehouse of one table with a few commits, and the rows that it holds."""
    varve = Varve(tmp_path_factory.mktemp("whole") / "lake")
    values = ", ".join(f"({number}, 'text {number % 17}', {number / 4})" for number in range(200))
    varve.execute(f"""CREATE TABLE t (a INTEGER, s VARCHAR, d DOUBLE);
                      INSERT INTO t VALUES {values};
                      INSERT INTO t VALUES (1000, NULL, NULL), (1001, '', 'NaN'::DOUBLE);
                      DELETE FROM t WHERE a < 20""")
    return varve, {query: repr(varve.rows(query)) for query in [QUERY, FILTERED]}


def needed_files(varve, pattern):
    """Files of a kind that reading the newest state needs, or all of them where that is not to be seen from outside."""
    files = sorted(pathlib.Path(varve.warehouse).glob(pattern))
    assert files, pattern
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


def flips(varve, kind, count):
    chance = random.Random(f"{SEED}/{kind}")
    files = needed_files(varve, KINDS[kind])
    for _ in range(count):
        path = chance.choice(files)
        yield path, chance.randrange(path.stat().st_size), chance.randrange(8)

# Parquet footers, Avro manifests and their lists, and table metadata carry no checksum: a flip of a
# field id or of a bound there can still change an answer. Pages and log entries must never pass.
UNSEALED = {"data files", "manifests", "manifest lists", "metadata"}
UNSEALED_REASON = "footers, manifests and metadata carry no checksum yet"


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_is_an_error_that_names_the_file_or_does_not_matter_in(kind, whole):
    varve, expected = whole
    wrong, found = [], 0
    for path, byte, bit in flips(varve, kind, FLIPS):
        place = f"{path.name} byte {byte} of {path.stat().st_size} bit {bit}"
        with Damage(path, byte, bit):
            for query in [QUERY, FILTERED]:
                try:
                    got = repr(varve.rows(query))
                except VarveError as error:
                    found += 1
                    # A damaged reference names a file that is not there; the error can only name that.
                    if path.name not in str(error) and not DAMAGED_REFERENCE.search(str(error)):
                        wrong.append(f"{place}: the error does not name the file: {error}")
                except AssertionError as error:  # A signal or a hang.
                    wrong.append(f"{place}: {error}")
                except Exception as error:
                    wrong.append(f"{place}: the output is no Arrow stream: {error!r}")
                else:
                    if got != expected[query]:
                        wrong.append(f"{place}: another answer and no error, {'filtered' if query == FILTERED else 'all rows'}")
    assert repr(varve.rows(QUERY)) == expected[QUERY]
    silent = [one for one in wrong if "another answer and no error" in one]
    if kind in UNSEALED and silent == wrong and len(wrong) <= max(1, FLIPS // 20):
        pytest.xfail(f"{UNSEALED_REASON}: {len(wrong)} of {2 * FLIPS} readings")
    assert not wrong, f"{len(wrong)} of {2 * FLIPS} readings\n" + "\n".join(wrong)
    print(f"\n{kind}: {found} of {2 * FLIPS} readings were errors, to the others the flips did not matter")


@pytest.mark.parametrize("kind", ["log entries", "data files"])
def test_what_audit_verify_calls_sound_reads_as_before_after_a_flipped_bit_in(kind, whole):
    """Parquet has no checksum over footers: a flip there may pass when no answer depends on it. In the log nothing passes."""
    varve, expected = whole
    if not varve.has_command("audit"):
        pytest.skip("this binary has no audit")
    varve.verify()
    missed, found, count = [], 0, max(10, FLIPS // 2)
    for path, byte, bit in flips(varve, kind, count):
        with Damage(path, byte, bit):
            done = varve.run("audit", "verify")
            text = (done.stdout + done.stderr).decode(errors="replace")
            place = f"{path.name} byte {byte} of {path.stat().st_size} bit {bit}"
            if done.returncode == 1:
                found += 1
                if path.name not in text:
                    missed.append(f"{place}: not named: {text.strip()[-200:]}")
            elif kind == "log entries" or any(repr(varve.rows(query)) != rows for query, rows in expected.items()):
                missed.append(f"{place}: status {done.returncode}, {text.strip()[-100:]}")
    if kind in UNSEALED and 0 < len(missed) <= max(1, count // 10):
        pytest.xfail(f"{UNSEALED_REASON}: {len(missed)} of {count} flips")
    assert not missed, f"{len(missed)} of {count} missed\n" + "\n".join(missed)
    assert found >= count // 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_cut_short_or_gone_is_an_error_that_names_it(kind, whole):
    varve, expected = whole
    chance = random.Random(f"{SEED}/cut/{kind}")
    wrong = []
    for path in needed_files(varve, KINDS[kind]):
        content = path.read_bytes()
        for what, size in [("gone", None), ("empty", 0), ("half", len(content) // 2), ("one byte less", len(content) - 1),
                           ("cut", chance.randrange(len(content)))]:
            path.unlink()
            if size is not None:
                path.write_bytes(content[:size])
            try:
                got = repr(varve.rows(QUERY))
                # Files of older states are not read; the end of the log cannot be told from its last entry missing.
                last = sorted(pathlib.Path(varve.warehouse).glob(KINDS["log entries"]))[-1] if what != "gone" else path
                if got != expected[QUERY] and not (kind == "log entries" and what == "gone" and path >= last):
                    wrong.append(f"{path.name} {what}: another answer and no error")
            except VarveError as error:
                if path.name not in str(error) and not (kind == "warehouse objects" and what == "gone"):
                    wrong.append(f"{path.name} {what}: the error does not name the file: {error}")
            except AssertionError as error:
                wrong.append(f"{path.name} {what}: {error}")
            finally:
                path.unlink(missing_ok=True)
                path.write_bytes(content)
    assert repr(varve.rows(QUERY)) == expected[QUERY]
    assert not wrong, f"{len(wrong)}\n" + "\n".join(wrong)
