"""The log of events: verified, checkpointed and archived as the catalog's is, and read again with the same answers."""
import hashlib
import json
import pathlib
import random

import pytest

from support import Varve
from test_catalog_log import sealed, unsealed
from test_openlineage import SPACE, batch, dataset, facet, fresh, get, graph, post, quoted, run_event, table_location
from test_rest_clients import running

FOLDER = "_varve/lineage/events"


def log_folder(server):
    return pathlib.Path(server.warehouse, FOLDER, "_varve")


def entries(server):
    return sorted((log_folder(server) / "log").glob("*.json"))


def filled(folder, posts=5, events=20):
    """The warehouse of a server that has ended, with so many entries of so many events; one of its commands."""
    with running(folder) as server:
        server.sql("CREATE TABLE t (a INTEGER)")
        for number in range(posts):
            assert batch(server, [run_event(job=f"job-{number}-{one}") for one in range(events)]) == (204, None)
    # Some of a batch may go into one entry, and the rest into the next.
    assert posts <= len(entries(server)) <= 2 * posts
    return server, Varve(server.warehouse)


def verified(varve):
    """The faults that an audit lists, and its line about events."""
    done = varve.run("audit", "verify", "--quick")
    lines = done.stdout.decode().splitlines()
    faults = [line.removeprefix("FAULT ") for line in lines if line.startswith("FAULT ")]
    assert (done.returncode == 0) == (not faults), done.stderr
    return faults, next((line for line in lines if line.startswith("Events: ")), None)


def checked(server, query=""):
    """What the server finds when it verifies."""
    return json.loads(server.call("GET", "/varve/v1/log/verify?" + query)[2])


def maintained(varve, *arguments):
    done = varve.run("maintain", *arguments)
    assert done.returncode == 0, done.stderr.decode()
    return [line for line in done.stdout.decode().splitlines() if line.startswith("events: ")]


def rewrite(path, change):
    """Changes an entry so that its checksum is right again."""
    members = unsealed(path.read_bytes())
    change(members)
    path.unlink()
    path.write_bytes(sealed(members))


def test_nothing_is_made_where_nothing_was_posted(tmp_path):
    varve = Varve(tmp_path / "lake")
    varve.execute("CREATE TABLE t (a INTEGER)")
    assert verified(varve) == ([], "Events: none")
    assert maintained(varve, "--checkpoint", "--archive") == []
    with running(tmp_path) as server:
        assert get(server, "/events/lineage")["totalCount"] == 0
    assert not pathlib.Path(varve.warehouse, "_varve/lineage/events").exists()


def test_an_audit_walks_over_all_events(tmp_path):
    server, varve = filled(tmp_path)
    faults, line = verified(varve)
    assert faults == [] and line.startswith(f"Events: {len(entries(server))} entries, 100 events, 0 checkpoints, head ")
    head = hashlib.sha256(entries(server)[-1].read_bytes()).hexdigest()
    assert line.endswith(head)
    with running(tmp_path) as again:
        found = checked(again, "events=true&lineage=true")
        assert found["verified"] and found["event_count"] == 100 and found["events"]["hash"] == head
        assert found["event_faults"] == [] and found["lineage_faults"] == []


def other_job(members):
    members["commits"][0]["changes"][0]["event"]["job"]["name"] = "somebody else's"


def no_event(members):
    del members["commits"][0]["changes"][0]["event"]["job"]


def other_change(members):
    members["commits"][0]["changes"][0]["change"] = "remove-event"


@pytest.mark.parametrize("change, place, message", [
    (other_job, "event 0 of ", "but its content gives"),
    (no_event, "event 0 of ", "it is no event that this version reads"),
    (other_change, "", "a change that this version does not know"),
])
def test_an_event_that_is_not_what_was_sent_is_found(tmp_path, change, place, message):
    server, varve = filled(tmp_path)
    # Nothing follows the last entry, so that its hash is written nowhere: only what it says can give it away.
    rewrite(entries(server)[-1], change)
    [fault], _ = verified(varve)
    assert fault.startswith(f"{place}{FOLDER}/_varve/log/{entries(server)[-1].name}: ") and message in fault
    with running(tmp_path) as again:
        found = checked(again, "events=true")
        assert [f"{one['place']}: {one['message']}" for one in found["event_faults"]] == [fault]
        assert not found["verified"] and found["fault"] is None
        assert checked(again)["verified"]


def flipped(server):
    path = entries(server)[1]
    bytes = bytearray(path.read_bytes())
    bytes[len(bytes) // 2] ^= 1
    path.unlink()
    path.write_bytes(bytes)
    return path


def rewritten(server):
    rewrite(entries(server)[1], other_job)
    return entries(server)[2]


def removed(server):
    path = entries(server)[1]
    path.unlink()
    return path


@pytest.mark.parametrize("damage, message", [
    (flipped, "the checksum is not that of the bytes"), (rewritten, "follows an object with SHA-256"), (removed, "the entry is missing"),
])
def test_damage_in_the_middle_is_found(tmp_path, damage, message):
    server, varve = filled(tmp_path)
    place = damage(server)
    faults, _ = verified(varve)
    assert any(fault.startswith(f"{FOLDER}/_varve/log/{place.name}: ") and message in fault for fault in faults), faults
    with running(tmp_path) as again:
        # The server says where, and answers nothing that it does not know.
        status, _, text = again.call("GET", "/api/v1/events/lineage")
        assert status >= 500, text
    assert place.name in (tmp_path / "varve.log").read_text()


def test_a_log_without_its_first_object_is_found(tmp_path):
    server, varve = filled(tmp_path)
    (log_folder(server) / "warehouse.json").unlink()
    [fault], line = verified(varve)
    assert fault.startswith(f"{FOLDER}/_varve/warehouse.json: missing, but the log has ")


def test_checkpoints_are_made_and_checked(tmp_path):
    server, varve = filled(tmp_path)
    dry = maintained(varve, "--checkpoint", "--dry-run")
    assert dry[0] == "events: a checkpoint would be written" and not (log_folder(server) / "checkpoints").exists()
    [written, swept] = maintained(varve, "--checkpoint")
    assert written.startswith(f"events: checkpoint at position {len(entries(server))}, ") and " objects written " in written
    assert swept.endswith(" 1 checkpoints kept")
    assert maintained(varve, "--checkpoint")[0].endswith("it was there already")
    faults, line = verified(varve)
    assert faults == [] and " 100 events, 1 checkpoints, " in line
    # What it has is used: an event that is sent again after a start is known.
    with running(tmp_path) as again:
        event = get(again, "/events/lineage", limit=1)["events"][0]
        assert post(again, event)[0] == 201
        assert get(again, "/events/lineage")["totalCount"] == 100
    [index] = (log_folder(server) / "checkpoints").glob("*.json")
    bytes = bytearray(index.read_bytes())
    bytes[20] ^= 1
    index.unlink()
    index.write_bytes(bytes)
    faults, _ = verified(varve)
    assert [fault for fault in faults if fault.startswith(f"{FOLDER}/_varve/") and index.name in fault]
    # The log is read instead, and somebody is told.
    with running(tmp_path) as again:
        assert get(again, "/events/lineage")["totalCount"] == 100
    said = (tmp_path / "varve.log").read_text()
    assert index.name in said and "varve maintain --checkpoint" in said


def test_archived_events_are_read_as_before(tmp_path):
    server, varve = filled(tmp_path)
    with running(tmp_path) as before:
        answers = [get(before, "/events/lineage", limit=1000), get(before, "/namespaces/jobs/jobs", limit=1000)]
    count = len(entries(server))
    [archived] = maintained(varve, "--archive", "--archive-older-than", "0s", "--grace", "1h")
    assert archived.startswith(f"events: {count - 1} entries archived in 1 objects")
    for path in entries(server)[:-1]:
        path.unlink()
    faults, line = verified(varve)
    assert faults == [] and line.startswith(f"Events: {count} entries, 100 events, ")
    with running(tmp_path) as after:
        assert [get(after, "/events/lineage", limit=1000), get(after, "/namespaces/jobs/jobs", limit=1000)] == answers


def random_event(source, number):
    names = [f"d{place}" for place in range(12)]
    schema = {"schema": facet(fields=[{"name": f"c{place}", "type": "int"} for place in range(source.randrange(1, 5))])}
    fields = {"c0": {"inputFields": [{"namespace": SPACE, "name": source.choice(names), "field": "c0",
                                      "transformations": [{"type": "DIRECT", "subtype": "IDENTITY"}]}]}}
    facets = {"columnLineage": facet(fields=fields)} if source.random() < 0.5 else {"version": facet(datasetVersion=f"v{source.randrange(9)}")}
    text = "".join(source.choice("aé\"\\\n/漢😀") for _ in range(6))
    return run_event(
        source.choice(["START", "RUNNING", "COMPLETE", "FAIL", "ABORT"]), run=f"00000000-0000-4000-8000-{source.randrange(200):012}",
        job=f"j{source.randrange(9)}", inputs=[dataset(source.choice(names), **schema) for _ in range(source.randrange(3))],
        outputs=[dataset(source.choice(names), **schema, **facets)], facets={"text": facet(said=text, number=1.50)},
        at=f"2024-05-01T12:{number // 60 % 60:02}:{number % 60:02}Z")


@pytest.mark.parametrize("seed", range(3))
def test_a_server_that_starts_says_what_one_said_that_was_there(tmp_path, seed):
    source = random.Random(seed)
    events = [random_event(source, number) for number in range(1500)]

    def answers(server):
        found = [get(server, "/events/lineage", limit=10_000, sortDirection="asc"), get(server, "/namespaces/jobs/jobs", limit=1000)]
        found.append(get(server, f"/namespaces/{quoted(SPACE)}/datasets", limit=1000))
        for number in range(12):
            found.append(get(server, f"/namespaces/{quoted(SPACE)}/datasets/d{number}/versions", limit=1000))
            found.append(get(server, "/column-lineage", nodeId=f"dataset:{SPACE}:d{number}", withDownstream="true"))
        for number in range(9):
            found.append(get(server, f"/namespaces/jobs/jobs/j{number}/runs", limit=1000))
        return found

    with running(tmp_path) as server:
        left = list(events)
        while left:
            count = source.choice([1, 3, 40, 300])
            assert batch(server, left[:count]) == (204, None)
            left = left[count:]
            # Folded piece by piece.
            get(server, "/namespaces/jobs/jobs", limit=1)
        expected = answers(server)
    sent = expected[0]["events"]
    assert sorted(map(json.dumps, sent)) == sorted(map(json.dumps, {json.dumps(event): event for event in events}.values()))
    with running(tmp_path) as again:
        assert answers(again) == expected
    assert verified(Varve(server.warehouse))[0] == []


# Snapshots that reports name.


def reported(name, namespace, report, snapshot):
    side = "inputFacets" if report == "icebergScanReport" else "outputFacets"
    return {**dataset(name, namespace), side: {report: facet(snapshotId=snapshot)}}


def versions(server, name):
    return {one["version"] for one in get(server, f"/namespaces/{quoted(server.warehouse)}/datasets/{name}/versions", limit=1000)["versions"]}


def test_a_report_cannot_make_a_snapshot_of_our_tables(fresh, tmp_path):
    fresh.sql("CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1); INSERT INTO a VALUES (2)")
    metadata = table_location(fresh, "a")
    lake, place = fresh.warehouse, metadata["location"].removeprefix("file://")
    known = {str(one["snapshot-id"]) for one in metadata["snapshots"]}
    assert versions(fresh, "main.a") == known and len(known) == 2
    runs = {}
    for number, (name, space) in enumerate([("main.a", lake), (place, "file")]):
        written = run_event(job=f"writes-{number}", outputs=[reported(name, space, "icebergCommitReport", 4711 + number)])
        read = run_event(job=f"reads-{number}", inputs=[reported(name, space, "icebergScanReport", 815 + number)])
        right = run_event(job=f"right-{number}", outputs=[reported(name, space, "icebergCommitReport", int(sorted(known)[0]))])
        for event in [written, read, right]:
            runs[event["job"]["name"]] = event["run"]["runId"]
            assert post(fresh, event)[0] == 201
    # Neither these nor versions named after the runs.
    assert versions(fresh, "main.a") == known
    for number in range(2):
        # That a run said so stays, and that it read and wrote the table.
        event = next(one for one in get(fresh, "/events/lineage")["events"] if one["job"]["name"] == f"writes-{number}")
        assert event["outputs"][0]["outputFacets"]["icebergCommitReport"]["snapshotId"] == 4711 + number
        assert {f"job:jobs:writes-{number}", f"job:jobs:reads-{number}"} <= set(graph(fresh, "/lineage", f"dataset:{lake}:main.a"))
        [used] = get(fresh, f"/jobs/runs/{runs[f'right-{number}']}")["outputDatasetVersions"]
        assert used["datasetVersionId"]["version"] in known
        for kind in ["writes", "reads"]:
            run = get(fresh, f"/jobs/runs/{runs[f'{kind}-{number}']}")
            for used in run["inputDatasetVersions"] + run["outputDatasetVersions"]:
                assert used["datasetVersionId"]["version"] in known | {None}
    # A table that nobody here has may have any.
    assert post(fresh, run_event(outputs=[reported("elsewhere", SPACE, "icebergCommitReport", 99)]))[0] == 201
    found = get(fresh, f"/namespaces/{quoted(SPACE)}/datasets/elsewhere/versions")["versions"]
    assert [one["version"] for one in found] == ["99"]
    # A table that no commit of rows has touched is ours as well.
    fresh.sql("CREATE TABLE b (x INTEGER)")
    assert post(fresh, run_event(outputs=[reported("main.b", lake, "icebergCommitReport", 77)]))[0] == 201
    assert versions(fresh, "main.b") == set()
    # Another process that reads them all at once says the same; what has been expired was there.
    fresh.sql("ALTER TABLE a SET TBLPROPERTIES ('history.expire.max-snapshot-age-ms' = '1')")
    assert Varve(lake).run("maintain", "main.a", "--expire").returncode == 0
    assert len(table_location(fresh, "a")["snapshots"]) == 1
    (tmp_path / "other").mkdir()
    with running(tmp_path / "other", lake) as other:
        assert versions(other, "main.a") >= known
        assert versions(other, "main.a") == versions(fresh, "main.a")
        assert not versions(other, "main.a") & {"4711", "4712", "815", "816"}
