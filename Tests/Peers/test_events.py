"""Commits as server-sent events: every one once and in order, wherever it was made and wherever the client begins."""

import http.client
import json
import socket
import threading
import time
import urllib.parse

import pytest

from support import Varve
from test_rest_clients import running

SECONDS = 120


class Stream:
    """A client of `/varve/v1/events` that reads in a thread of its own."""

    def __init__(self, server, query="", last=None):
        address = urllib.parse.urlparse(server.url)
        self.connection = http.client.HTTPConnection(address.hostname, address.port, timeout=SECONDS)
        self.connection.request("GET", f"/varve/v1/events{query}", headers={"Last-Event-ID": last} if last else {})
        self.socket = self.connection.sock
        self.response = self.connection.getresponse()
        self.events, self.ended = [], threading.Event()
        self.changed = threading.Condition()
        if self.response.status == 200:
            assert self.response.headers["Content-Type"] == "text/event-stream"
            # The server has said that it listens: what is committed from now on is seen.
            assert self.response.readline().startswith(b": ")
            threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        event = {}
        try:
            while line := self.response.readline():
                text = line.decode().rstrip("\n")
                if text.startswith(":"):
                    continue
                if text:
                    name, _, value = text.partition(": ")
                    assert name not in event
                    event[name] = value
                elif event:
                    with self.changed:
                        self.events.append(event)
                        self.changed.notify_all()
                    event = {}
        except (OSError, ValueError, http.client.HTTPException):
            # The test went away in the middle of it.
            pass
        finally:
            self.ended.set()

    def wait(self, count):
        end = time.monotonic() + SECONDS
        with self.changed:
            while len(self.events) < count:
                assert self.changed.wait(end - time.monotonic()), f"{len(self.events)} of {count} events"
            return list(self.events)

    def close(self):
        # Closing the connection alone would wait for the thread that reads.
        self.socket.shutdown(socket.SHUT_RDWR)
        self.connection.close()


@pytest.fixture
def server(tmp_path):
    with running(tmp_path) as running_server:
        yield running_server


def commits(server):
    status, _, body = server.call("GET", "/varve/v1/log?limit=1000")
    assert status == 200
    return json.loads(body)["commits"]


def test_every_commit_is_an_event_wherever_it_was_made(server, tmp_path):
    whole, live = Stream(server, "?from=0"), Stream(server)
    before = len(commits(server))
    server.sql("CREATE TABLE t (a INTEGER)")
    # Another process on the same warehouse.
    Varve(server.warehouse).sql("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)")
    for number in range(20):
        server.sql(f"INSERT INTO t VALUES ({number})")
    expected = commits(server)
    assert len(expected) == before + 23
    events = whole.wait(len(expected))
    assert [event["id"] for event in events] == [f"{commit['position']}.{commit['index']}" for commit in expected]
    assert live.wait(23) == events[before:]
    for event, commit in zip(events, expected):
        assert event["event"] == "varve.commit"
        cloud = json.loads(event["data"])
        assert cloud.pop("data") == commit
        assert cloud.pop("source").startswith("urn:uuid:")
        assert cloud == {"specversion": "1.0", "id": event["id"], "type": "varve.commit", "time": commit["time"], "datacontenttype": "application/json"}
    for stream in whole, live:
        stream.close()


def test_a_client_goes_on_behind_the_event_that_it_had(server):
    server.sql("CREATE TABLE t (a INTEGER)")
    # Connections at once, so that entries carry several commits.
    threads = [threading.Thread(target=server.sql, args=(f"INSERT INTO t VALUES ({number})",)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    all_events = Stream(server, "?from=1").wait(len(commits(server)))
    for place in range(0, len(all_events) - 1, 3):
        # `from` gives way to what the client has.
        stream = Stream(server, "?from=1", last=all_events[place]["id"])
        assert stream.wait(len(all_events) - place - 1) == all_events[place + 1:]
        stream.close()
    # Beyond the log's end: what comes is still to be made.
    stream = Stream(server, f"?from={commits(server)[-1]['position'] + 2}")
    server.sql("INSERT INTO t VALUES (100); INSERT INTO t VALUES (101)")
    [event] = stream.wait(1)
    assert json.loads(event["data"])["data"] == commits(server)[-1]


@pytest.mark.parametrize("last", ["x", "1", "1.", ".1", "1.-1", "-1.0", "0.0", "99999999999999999999.0", "1.99999999999999999999", "1.0.0"])
def test_other_ids_are_refused(server, last):
    stream = Stream(server, last=last)
    assert stream.response.status == 400
    assert "Last-Event-ID" in json.loads(stream.response.read())["error"]["message"]


def test_streams_end_when_the_server_stops(tmp_path):
    with running(tmp_path) as server:
        streams = [Stream(server) for _ in range(5)]
        server.sql("CREATE TABLE t (a INTEGER)")
        for stream in streams:
            stream.wait(1)
    for stream in streams:
        assert stream.ended.wait(SECONDS)


def test_a_client_that_goes_away_frees_its_place(tmp_path):
    with running(tmp_path) as server:
        for _ in range(3):
            Stream(server, "?from=1").close()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            server.sql("CREATE TABLE IF NOT EXISTS t (a INTEGER); INSERT INTO t VALUES (1)")
            text = server.call("GET", "/metrics")[2].decode()
            if "varve_server_requests_in_flight 1\n" in text:
                return
        raise AssertionError("streams without a client are still there")
