"""The catalog log, its checkpoints and its archive, read by a second program that knows Formats/catalog-log alone."""
import base64
import hashlib
import json
import os
import pathlib
import zlib

import pyarrow


def unsealed(bytes):
    body, seal = bytes[:-23], bytes[-23:]
    assert seal == b',"checksum":"%08x"}' % zlib.crc32(body)
    return json.loads(bytes)


def sealed(members):
    body = json.dumps({name: value for name, value in members.items() if name != "checksum"}, separators=(",", ":"),
                      ensure_ascii=False).encode()[:-1]
    return body + b',"checksum":"%08x"}' % zlib.crc32(body)


class Bytes:
    """A cursor over a decompressed object."""

    def __init__(self, bytes):
        self.bytes, self.at = bytes, 0

    def __bool__(self):
        return self.at < len(self.bytes)

    def take(self, count):
        self.at += count
        assert self.at <= len(self.bytes)
        return self.bytes[self.at - count:self.at]

    def varint(self):
        result = shift = 0
        while True:
            byte = self.take(1)[0]
            result |= (byte & 127) << shift
            if byte < 128:
                return result
            shift += 7

    def text(self):
        return self.take(self.varint()).decode()


def unpacked(path, element):
    bytes = path.read_bytes()
    assert len(bytes) == element["bytes"] and hashlib.sha256(bytes).hexdigest() == element["sha256"]
    return Bytes(pyarrow.decompress(bytes, decompressed_size=element["raw-bytes"], codec="zstd", asbytes=True))


def entries(varve):
    """The bytes of all entries, from the archive and the log, with the chain checked."""
    folder = pathlib.Path(varve.warehouse, "_varve")
    found = []
    if (folder / "log-boundary.json").exists():
        boundary = unsealed((folder / "log-boundary.json").read_bytes())
        for archive in boundary["archives"]:
            name = f"{archive['first']:020d}-{archive['last']:020d}.zst"
            bytes = unpacked(folder / "archive" / name, archive)
            while bytes:
                found.append(bytes.take(bytes.varint()))
            assert len(found) == archive["last"]
        assert len(found) == boundary["boundary"] and hashlib.sha256(found[-1]).hexdigest() == boundary["hash"]
    while (path := folder / "log" / f"{len(found) + 1:020d}.json").exists():
        found.append(path.read_bytes())
    previous = hashlib.sha256((folder / "warehouse.json").read_bytes()).hexdigest()
    for number, bytes in enumerate(found, 1):
        entry = unsealed(bytes)
        assert (entry["sequence"], entry["previous"]) == (number, previous)
        previous = hashlib.sha256(bytes).hexdigest()
    return found


def folded(all_entries):
    """The records that entries give."""
    state = {}
    for bytes in all_entries:
        for commit in unsealed(bytes)["commits"]:
            for change in commit["changes"]:
                kind, namespace = change["change"], "\x1f".join(change["namespace"])
                key = f"{namespace}\x01{change['name']}" if "name" in change else namespace
                if kind == "create-namespace":
                    state[key] = (1, dict(change["properties"]))
                elif kind == "update-namespace":
                    properties = {name: value for name, value in state[key][1].items() if name not in change["remove"]}
                    state[key] = (1, {**properties, **change["set"]})
                elif kind.startswith("drop-"):
                    del state[key]
                elif kind.startswith("rename-"):
                    target = "\x1f".join(change["to-namespace"]) + "\x01" + change["to-name"]
                    state[target] = state.pop(key)
                else:
                    number = 3 if kind.endswith("view") else 2
                    state[key] = (number, change["uuid"], change["metadata-location"], change.get("metadata-sha256", ""))
    return state


def value(bytes):
    kind = bytes.take(1)[0]
    if kind == 1:
        parsed = (1, {bytes.text(): bytes.text() for _ in range(bytes.varint())})
    else:
        parsed = (kind, bytes.text(), bytes.text(), bytes.text())
    assert not bytes
    return parsed


def records(bytes, count):
    found = {}
    while bytes:
        key, marked = bytes.take(bytes.varint()), bytes.varint()
        assert not found or list(found)[-1] < key
        found[key] = value(Bytes(bytes.take(marked - 1))) if marked else None
    assert len(found) == count
    return found


def checkpoint(varve, position):
    """The records and the ids of commits of a checkpoint."""
    folder = pathlib.Path(varve.warehouse, "_varve", "checkpoints")
    index = unsealed((folder / f"{position:020d}.json").read_bytes())
    assert index["position"] == position

    def segment(element):
        return unpacked(folder / "segments" / f"{element['sha256']}.zst", element)

    state, starts = {}, [base["start"].encode() for base in index["base"]]
    assert starts[0] == b"" and starts == sorted(set(starts))
    for base in index["base"]:
        state.update(records(segment(base), base["count"]))
    for delta in index["deltas"]:
        for key, record in records(segment(delta), delta["count"]).items():
            base = [base for base, start in zip(index["base"], starts) if start <= key][-1]
            if base["through"] < delta["through"]:
                state[key] = record
    state = {key.decode(): record for key, record in state.items() if record is not None}
    assert len(state) == index["record-count"]
    ids = []
    for element in index["commits"]:
        bytes, sequence, time, before = segment(element), 0, 0, len(ids)
        while bytes:
            sequence, time = sequence + bytes.varint(), time + bytes.varint()
            ids += [(sequence, time, bytes.varint(), bytes.take(16)) for _ in range(bytes.varint())]
        assert len(ids) - before == element["count"]
    return index, state, ids


def check(varve, position):
    log = entries(varve)[:position]
    index, state, ids = checkpoint(varve, position)
    assert state == folded(log)
    assert index["hash"] == hashlib.sha256(log[-1]).hexdigest()
    assert index["time"] == unsealed(log[-1])["time"]
    expected = []
    for entry in map(unsealed, log):
        for number, commit in enumerate(entry["commits"]):
            digest = hashlib.sha256(commit["id"].encode()).digest()[:16]
            expected.append((entry["sequence"], entry["time"], number, digest))
    assert ids == expected
    return index


def written(varve):
    """Writes a checkpoint and tells its position."""
    done = varve.run("maintain", "--checkpoint")
    assert done.returncode == 0, done.stderr
    return int(done.stdout.decode().split("position ")[1].split(",")[0])


def test_checkpoints_say_what_the_entries_say(varve):
    varve.execute("CREATE SCHEMA \"ü b\"; CREATE SCHEMA s; " + "".join(f"CREATE TABLE t{n} (x BIGINT);" for n in range(40)))
    varve.execute("CREATE VIEW s.v AS SELECT x FROM t1; CREATE TABLE \"ü b\".\"x.y 😀\" AS SELECT 1 AS z")
    first = check(varve, written(varve))
    assert not first["deltas"]
    varve.execute("INSERT INTO t3 VALUES (1); DROP TABLE t4")
    second = check(varve, written(varve))
    # What changed lies over what there was.
    assert [base["sha256"] for base in first["base"]] == [base["sha256"] for base in second["base"]]
    assert len(second["deltas"]) == 1 and second["deltas"][0]["count"] == 2
    for round in range(12):
        varve.execute(f"INSERT INTO t{round + 5} VALUES ({round}); DROP VIEW s.v; CREATE VIEW s.v AS SELECT {round} AS x")
        check(varve, written(varve))
    assert varve.rows("SELECT x FROM s.v") == [(11,)]
    assert varve.rows("SELECT x FROM t3") == [(1,)]
    varve.verify()


def test_a_damaged_checkpoint_is_passed_over_and_named(varve):
    varve.execute("CREATE TABLE t (x BIGINT); INSERT INTO t VALUES (1)")
    position = written(varve)
    varve.execute("INSERT INTO t VALUES (2)")
    path = pathlib.Path(varve.warehouse, "_varve", "checkpoints", f"{position:020d}.json")
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"position"', b'"positiom"'))
    assert varve.rows("SELECT x FROM t ORDER BY x") == [(1,), (2,)]
    done = varve.run("audit", "verify")
    assert done.returncode == 1 and path.name in done.stdout.decode()
    path.write_bytes(whole)
    varve.verify()


def test_old_checkpoints_are_swept_and_the_rest_is_whole(varve):
    varve.execute("".join(f"CREATE TABLE t{n} (x BIGINT);" for n in range(30)))
    folder = pathlib.Path(varve.warehouse, "_varve", "checkpoints")
    for round in range(12):
        varve.execute(f"INSERT INTO t{round} VALUES ({round}); DROP TABLE t{round + 12}")
        last = written(varve)
        # As if four hours had passed.
        for path in folder.rglob("*"):
            if path.is_file():
                then = path.stat().st_mtime - 4 * 3600
                os.utime(path, (then, then))
    before = sorted(path.name for path in folder.glob("*.json"))
    varve.execute("INSERT INTO t0 VALUES (100)")
    done = varve.run("maintain", "--checkpoint", "--grace", "1h", "--dry-run")
    assert done.returncode == 0 and "would be removed" in done.stdout.decode(), done
    assert sorted(path.name for path in folder.glob("*.json")) == before
    done = varve.run("maintain", "--checkpoint", "--grace", "1h")
    assert done.returncode == 0, done.stderr
    after = sorted(path.name for path in folder.glob("*.json"))
    assert 2 <= len(after) < len(before), (before, after)
    assert f"{last:020d}.json" in after
    # A program that knows the format alone finds every segment that is named, and none that is not.
    named = set()
    for name in after:
        index, _, _ = checkpoint(varve, int(name[:20]))
        named |= {one["sha256"] for kind in ("base", "deltas", "commits") for one in index[kind]}
    assert {path.stem for path in (folder / "segments").iterdir()} == named
    check(varve, int(after[-1][:20]))
    assert varve.rows("SELECT x FROM t0 ORDER BY x", "--as-of", "35") == [(0,)]
    varve.verify()
    done = varve.run("maintain", "--checkpoint", "--grace", "59m")
    assert done.returncode != 0 and "an hour" in done.stderr.decode()


def test_archived_entries_are_read_when_they_are_gone_from_the_log(varve):
    varve.execute("CREATE TABLE t (x BIGINT); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); INSERT INTO t VALUES (3)")
    before = entries(varve)
    history = varve.run("history", "--format", "csv").stdout
    archive = ("maintain", "--archive", "--archive-older-than", "0s", "--grace", "1h")
    assert varve.run(*archive).returncode == 0
    assert entries(varve) == before
    folder = pathlib.Path(varve.warehouse, "_varve")
    log = folder / "log"
    assert len(list(log.iterdir())) == len(before)
    # As if two hours had passed.
    boundary = unsealed((folder / "log-boundary.json").read_bytes())
    assert boundary["boundary"] == len(before) - 1
    for one in boundary["archives"]:
        one["archived"] -= 2 * 3600 * 1000
    (folder / "log-boundary.json").write_bytes(sealed(boundary))
    assert varve.run(*archive).returncode == 0
    assert [path.name for path in log.iterdir()] == [f"{len(before):020d}.json"]
    assert entries(varve) == before
    assert varve.run("history", "--format", "csv").stdout == history
    assert varve.rows("SELECT x FROM t ORDER BY x") == [(1,), (2,), (3,)]
    assert varve.rows("SELECT x FROM t", "--as-of", "3") == [(1,)]
    varve.execute("INSERT INTO t VALUES (4)")
    assert varve.rows("SELECT x FROM t", "--as-of", "4") in ([(1,), (2,)], [(2,), (1,)])
    varve.verify()
    check(varve, max(int(path.stem) for path in (folder / "checkpoints").glob("*.json")))


def test_a_later_format_is_refused_with_what_reads_it(varve):
    varve.execute("CREATE TABLE t (x BIGINT)")
    path = pathlib.Path(varve.warehouse, "_varve", "warehouse.json")
    members = unsealed(path.read_bytes())
    path.write_bytes(sealed({**members, "format-version": 2, "reader": "Varve 9 or later"}))
    message = varve.error("SELECT * FROM t")
    assert "format version 2" in message and "Varve 9 or later" in message


def carried(key, data):
    return {"key": key, "sha256": hashlib.sha256(data).hexdigest(),
            "data": base64.b64encode(pyarrow.compress(data, codec="zstd", asbytes=True)).decode()}


def append_entry(varve, files, marked=True):
    """Another program's entry, which carries files and sets a property; tells where it lies."""
    before = entries(varve)
    last = unsealed(before[-1])
    change = {"change": "update-namespace", "namespace": ["main"], "set": {"by": str(len(before))}, "remove": []}
    path = pathlib.Path(varve.warehouse, "_varve", "log", f"{len(before) + 1:020d}.json")
    path.write_bytes(sealed({
        "sequence": len(before) + 1, "previous": hashlib.sha256(before[-1]).hexdigest(), "time": last["time"] + 1, "server": "another",
        "commits": [{"id": f"other {len(before)}", "actor": "me", "changes": [{"change": "carry-files"}] * marked + [change]}],
        "files": files,
    }))
    return path


def test_files_that_an_entry_carries_are_written_by_who_reads_it(varve):
    varve.execute("CREATE TABLE t (x BIGINT); INSERT INTO t VALUES (1)")
    data = [bytes([number]) * 10_000 + os.urandom(100) for number in range(4)]
    append_entry(varve, [carried("other/removed since", data[0])])
    append_entry(varve, [carried("other/ü 1.bin", data[1]), carried("other/empty", b""), carried("other/there", data[2])])
    other = pathlib.Path(varve.warehouse, "other")
    other.mkdir()
    (other / "there").write_bytes(data[2])
    was = (other / "there").stat().st_mtime_ns
    assert varve.rows("SELECT x FROM t") == [(1,)]
    assert (other / "ü 1.bin").read_bytes() == data[1] and (other / "empty").read_bytes() == b""
    assert (other / "there").stat().st_mtime_ns == was
    # There is an entry after its own.
    assert not (other / "removed since").exists()
    varve.verify()
    varve.execute("INSERT INTO t VALUES (2)")
    varve.verify()


def test_a_carried_file_that_is_damaged_is_named(varve):
    varve.execute("CREATE TABLE t (x BIGINT)")
    file = carried("other/file", b"x" * 1000)
    for wrong, message in [
        ({"sha256": "0" * 64}, "SHA-256"), ({"data": file["data"][:-4]}, "other/file"), ({"data": "?"}, "base 64"),
        ({"key": "_varve/log/x"}, "no sense"), ({"key": "../file"}, "no sense"),
    ]:
        path = append_entry(varve, [{**file, **wrong}])
        error = varve.error("SELECT * FROM t")
        assert message in error and path.name in error, error
        path.unlink()
    for files, marked in [([file], False), ([], True), ([file, file], True)]:
        path = append_entry(varve, files, marked)
        assert path.name in varve.error("SELECT * FROM t")
        path.unlink()
    assert not pathlib.Path(varve.warehouse, "other").exists()
    assert varve.rows("SELECT * FROM t") == []


def test_the_vectors_with_files_are_as_the_format_says():
    folder = pathlib.Path(__file__).parents[2] / "Formats" / "catalog-log" / "vectors" / "carried"
    previous = hashlib.sha256((folder / "warehouse.json").read_bytes()).hexdigest()
    for number in (1, 2, 3):
        bytes = (folder / f"{number:020d}.json").read_bytes()
        entry = unsealed(bytes)
        assert (entry["sequence"], entry["previous"]) == (number, previous)
        previous = hashlib.sha256(bytes).hexdigest()
        changes = entry["commits"][0]["changes"]
        assert ("files" in entry) == (changes[0] == {"change": "carry-files"}) == (number > 1)
        found = {}
        for file in entry.get("files", []):
            compressed = pyarrow.BufferReader(base64.b64decode(file["data"], validate=True))
            found[file["key"]] = pyarrow.CompressedInputStream(compressed, "zstd").read()
            assert hashlib.sha256(found[file["key"]]).hexdigest() == file["sha256"]
        if number > 1:
            location, sha256 = changes[1]["metadata-location"], changes[1]["metadata-sha256"]
            metadata = found[location.removeprefix("s3://example/lake/")]
            assert hashlib.sha256(metadata).hexdigest() == sha256 and json.loads(metadata)["format-version"] == 2
