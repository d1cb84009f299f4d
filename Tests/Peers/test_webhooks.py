"""Webhooks, taken by a receiver of another making: order, signatures, retries, and that nothing is ever lost."""

import base64
import contextlib
import datetime
import hashlib
import hmac
import http.server
import json
import os
import signal
import ssl
import subprocess
import threading
import time

import pytest

from support import Varve, bucket_server, free_port
from test_rest_clients import BINARY, Server, running
from test_server_api import openlineage_check

SECONDS = 300
KEYS = [b"0123456789abcdefghijklmn", bytes(range(64))]
SECRETS = ["whsec_" + base64.b64encode(key).decode() for key in KEYS]


class Receiver:
    """Takes webhooks on loopback, checks each, and answers as it is told."""

    def __init__(self, port=0, keys=KEYS[:1], tls=None):
        self.keys = keys
        self.attempts, self.taken = [], []
        # What to do with the next attempts: a status, (status, headers), "hang", "cut".
        self.plan, self.otherwise = [], 200
        self.changed = threading.Condition()
        self.released = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.receive(self, body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/hook?token=1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def receive(self, handler, body):
        headers = handler.headers
        assert handler.path == "/hook?token=1"
        # By hand, after the specification: no library of either side.
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = ["v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in self.keys]
        is_signed = headers["webhook-signature"].split(" ") == expected
        is_now = abs(time.time() - int(headers["webhook-timestamp"])) < SECONDS
        document, kind = json.loads(body), headers["Content-Type"]
        is_batch = kind == "application/cloudevents-batch+json"
        assert is_batch or kind == "application/cloudevents+json"
        with self.changed:
            action = self.plan.pop(0) if self.plan else self.otherwise
            status, more = action if isinstance(action, tuple) else (action, {})
            self.attempts.append({
                "id": headers["webhook-id"], "events": document if is_batch else [document], "batch": is_batch,
                "good": is_signed and is_now and "." not in headers["webhook-id"], "at": time.monotonic(), "did": action,
                "agent": headers["User-Agent"],
            })
            if isinstance(status, int) and 200 <= status < 300:
                self.taken += self.attempts[-1]["events"]
            self.changed.notify_all()
        if status == "hang":
            self.released.wait(SECONDS)
        if not isinstance(status, int):
            handler.close_connection = True
            return
        with contextlib.suppress(OSError):
            handler.send_response(status)
            for name, value in more.items():
                handler.send_header(name, value)
            body = b"" if status == 204 else b"hello"
            if body:
                handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

    def wait(self, condition, what="events"):
        end = time.monotonic() + SECONDS
        with self.changed:
            while not condition():
                assert self.changed.wait(max(end - time.monotonic(), 0.001)) or time.monotonic() < end, f"no {what}: {len(self.taken)} taken"

    def ids(self):
        return [event["id"] for event in self.taken]

    def wait_for(self, ids):
        """Waits until every one of these events was taken."""
        self.wait(lambda: set(ids) <= set(self.ids()), f"events {len(ids)}")

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    receivers = Receiver()
    yield receivers
    assert all(attempt["good"] for attempt in receivers.attempts)
    receivers.close()


def configure(tmp_path, *webhooks):
    """A configuration file with webhooks; what is not said has values that suit tests."""
    path = tmp_path / "varve.json"
    usual = {"name": "audit", "secret": SECRETS[0], "lease_seconds": 2, "retry_seconds_max": 1, "timeout_seconds": 300}
    path.write_text(json.dumps({"server": {"webhooks": [{**usual, **webhook} for webhook in webhooks]}}))
    return ["--config", str(path)]


def commits(server):
    status, _, body = server.call("GET", "/varve/v1/log?limit=1000")
    assert status == 200
    return json.loads(body)["commits"]


def ids_of(commits):
    return [f"{commit['position']}.{commit['index']}" for commit in commits]


def state(server, name="audit"):
    status, _, body = server.call("GET", "/varve/v1/webhooks")
    assert status == 200, body
    return next(one for one in json.loads(body)["webhooks"] if one["name"] == name)


def wait_state(server, condition, what):
    end = time.monotonic() + SECONDS
    while not condition(found := state(server)):
        assert time.monotonic() < end, (what, found)
        time.sleep(0.05)
    return found


def in_order(ids):
    """Whether events came in the order of the log, but for going back to one that was sent before."""
    def key(name):
        position, index = name.split(".")
        return int(position), int(index)

    first = list(dict.fromkeys(ids))
    return first == sorted(first, key=key)


@contextlib.contextmanager
def killable(tmp_path, warehouse, arguments, environment=None):
    """A server that is killed, not stopped, when the block ends."""
    process = subprocess.Popen([BINARY, "serve", "--warehouse", warehouse, "--port", "0", *arguments],
                               stdout=subprocess.PIPE, stderr=open(tmp_path / "varve.log", "ab"), text=True,
                               env={**os.environ, **(environment or {})})
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on "), (tmp_path / "varve.log").read_text()[-2000:]
        yield Server(line.split()[2], process, warehouse)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("batch", [1, 7])
def test_every_commit_comes_once_in_order_and_signed(tmp_path, receiver, batch):
    receiver.keys = KEYS
    arguments = configure(tmp_path, {"url": receiver.url, "from": 1, "secret": None, "secrets": SECRETS, "batch_events_max": batch})
    with running(tmp_path, arguments=arguments) as server:
        server.sql("CREATE TABLE t (a VARCHAR)")
        # Another process on the same warehouse; and connections at once, so that entries carry several commits.
        Varve(server.warehouse).sql("INSERT INTO t VALUES ('1'); INSERT INTO t VALUES ('é\"\U0001f600')")
        threads = [threading.Thread(target=server.sql, args=(f"INSERT INTO t VALUES ('{number}')",)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expected = commits(server)
        assert len(expected) == 24
        receiver.wait_for(ids_of(expected))
        assert receiver.ids() == ids_of(expected)
        for event, commit in zip(receiver.taken, expected):
            assert event.pop("data") == commit
            assert event.pop("source").startswith("urn:uuid:")
            assert event == {"specversion": "1.0", "id": event["id"], "type": "varve.commit", "time": commit["time"], "datacontenttype": "application/json"}
        assert all(attempt["batch"] == (batch > 1) and len(attempt["events"]) <= batch for attempt in receiver.attempts)
        assert len({attempt["id"] for attempt in receiver.attempts}) == len(receiver.attempts)
        assert all(attempt["agent"].startswith("varve/") for attempt in receiver.attempts)
        found = wait_state(server, lambda one: one["lag_entries"] == 0, "no lag")
        assert found["state"] == "delivering" and found["is_delivered_here"]
        assert found["position"] == expected[-1]["position"] + 1 and found["failure"] is None
        assert "token" not in json.dumps(found) and not any(secret in json.dumps(found) for secret in SECRETS)
        text = server.call("GET", "/metrics")[2].decode()
        assert 'varve_server_webhook_delivered_events_total{webhook="audit"} 24\n' in text
        assert 'varve_server_webhook_lag_entries{webhook="audit"} 0\n' in text
        assert 'varve_server_webhook_delivering{webhook="audit"} 1\n' in text
    # It was stopped cleanly: nothing comes twice.
    with running(tmp_path, arguments=arguments) as server:
        server.sql("INSERT INTO t VALUES ('more')")
        receiver.wait_for(ids_of(commits(server)))
        assert receiver.ids() == ids_of(commits(server))
    assert not any(secret in (tmp_path / "varve.log").read_text() for secret in SECRETS)


def test_a_new_webhook_begins_with_what_comes(tmp_path, receiver):
    with running(tmp_path) as server:
        server.sql("CREATE TABLE t (a INTEGER)")
        assert json.loads(server.call("GET", "/varve/v1/webhooks")[2])["webhooks"] == []
    with running(tmp_path, arguments=configure(tmp_path, {"url": receiver.url})) as server:
        wait_state(server, lambda one: one["state"] == "delivering", "lease")
        server.sql("INSERT INTO t VALUES (1)")
        last = ids_of(commits(server))[-1:]
        receiver.wait_for(last)
        assert receiver.ids() == last


def test_what_is_not_taken_is_sent_again_before_anything_else(tmp_path, receiver):
    receiver.plan = [500, "cut", (301, {"Location": f"http://127.0.0.1:{receiver.port}/elsewhere"}), 404, (429, {"Retry-After": "2"}), 200,
                     (503, {"Retry-After": "soon"}), 204]
    arguments = configure(tmp_path, {"url": receiver.url, "from": 1})
    with running(tmp_path, arguments=arguments) as server:
        server.sql("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)")
        expected = ids_of(commits(server))
        receiver.wait_for(expected)
        text = server.call("GET", "/metrics")[2].decode()
        # A kept connection that ends without an answer is tried anew by the HTTP library itself, which does not count.
        assert any(f'varve_server_webhook_failed_attempts_total{{webhook="audit"}} {count}\n' in text for count in (5, 6))
    assert receiver.ids() == expected
    assert [attempt["events"][0]["id"] for attempt in receiver.attempts] == [expected[0]] * 6 + [expected[1]] * 2 + expected[2:]
    assert len({attempt["id"] for attempt in receiver.attempts[:6]}) == 1
    # As long as the receiver asked for.
    assert receiver.attempts[5]["at"] - receiver.attempts[4]["at"] >= 2


def test_a_receiver_that_does_not_answer_is_asked_again_and_slows_nobody(tmp_path, receiver):
    receiver.plan = ["hang", "hang"]
    arguments = configure(tmp_path, {"url": receiver.url, "from": 1, "timeout_seconds": 1}, {"name": "stuck", "url": receiver.url, "from": 1})
    with running(tmp_path, arguments=arguments) as server:
        server.sql("CREATE TABLE t (a INTEGER)")
        receiver.wait(lambda: len(receiver.attempts) >= 2, "attempts")
        # One waits for ever, and commits go on.
        for number in range(20):
            server.sql(f"INSERT INTO t VALUES ({number})")
        expected = ids_of(commits(server))
        receiver.wait_for(expected)
        receiver.released.set()
        end = time.monotonic() + SECONDS
        while state(server, "stuck")["lag_entries"] or state(server)["lag_entries"]:
            assert time.monotonic() < end
            time.sleep(0.05)
    assert set(receiver.ids()) == set(expected)


def test_a_receiver_that_is_not_there_yet(tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}/hook?token=1"
    with running(tmp_path, arguments=configure(tmp_path, {"url": url, "from": 1})) as server:
        server.sql("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)")
        found = wait_state(server, lambda one: one["failure"] and one["failure"]["attempt_count"] >= 2, "failure")
        assert found["state"] == "failing" and found["lag_entries"] == 3 and found["position"] == 1
        assert found["failure"]["message"].startswith("no answer") and found["failure"]["next_attempt"]
        receiver = Receiver(port)
        receiver.wait_for(ids_of(commits(server)))
        assert receiver.ids() == ids_of(commits(server))
        wait_state(server, lambda one: one["state"] == "delivering" and one["failure"] is None, "recovery")
        receiver.close()


@pytest.mark.parametrize("batch,where", [(1, "folder"), (5, "folder"), (1, "bucket")])
def test_nothing_is_lost_when_servers_are_killed(tmp_path, receiver, batch, where):
    with contextlib.ExitStack() as stack:
        warehouse, environment = str(tmp_path / "lake"), {}
        if where == "bucket":
            url, environment = stack.enter_context(bucket_server())
            warehouse = "s3://bucket/lake"
        arguments = configure(tmp_path, {"url": receiver.url, "from": 1, "batch_events_max": batch})
        Varve(warehouse, environment).sql("CREATE TABLE t (a INTEGER)")
        for round in range(3):
            before = len(receiver.attempts)
            with killable(tmp_path, warehouse, arguments, environment) as server:
                threads = [threading.Thread(target=lambda: [insert(server, number) for number in range(5)]) for _ in range(4)]
                for thread in threads:
                    thread.start()
                # In the midst of it: some were taken since the start, others were not.
                receiver.wait(lambda: len(receiver.attempts) >= before + 5, "attempts")
                server.process.kill()
                for thread in threads:
                    thread.join()
        with running(tmp_path, warehouse, arguments=arguments, environment=environment) as server:
            expected = ids_of(commits(server))
            receiver.wait_for(expected)
            wait_state(server, lambda one: one["lag_entries"] == 0, "no lag")
        assert set(receiver.ids()) == set(expected) and in_order(receiver.ids())
        # The same message has the same events.
        by_id = {}
        for attempt in receiver.attempts:
            assert by_id.setdefault(attempt["id"], attempt["events"]) == attempt["events"]


def insert(server, number):
    with contextlib.suppress(OSError):
        server.sql(f"INSERT INTO t VALUES ({number})")


def test_another_server_takes_over(tmp_path, receiver):
    warehouse = str(tmp_path / "lake")
    arguments = configure(tmp_path, {"url": receiver.url, "from": 1})
    with killable(tmp_path, warehouse, arguments) as first:
        wait_state(first, lambda one: one["is_delivered_here"], "lease")
        with running(tmp_path, warehouse, arguments=arguments) as second:
            second.sql("CREATE TABLE t (a INTEGER)")
            for number in range(10):
                insert(first, number)
                insert(second, number)
            receiver.wait_for(ids_of(commits(second)))
            # One at a time: nothing came twice.
            assert receiver.ids() == ids_of(commits(second))
            assert not state(second)["is_delivered_here"] and state(second)["holder"] == state(first)["holder"]
            receiver.plan = ["hang"]
            insert(second, 100)
            receiver.wait(lambda: receiver.attempts[-1]["did"] == "hang", "attempt")
            first.process.kill()
            insert(second, 101)
            receiver.wait_for(ids_of(commits(second)))
            assert set(receiver.ids()) == set(ids_of(commits(second))) and in_order(receiver.ids())
            found = wait_state(second, lambda one: one["is_delivered_here"], "lease")
            with running(tmp_path, warehouse, arguments=arguments) as third:
                # A server that stops gives the lease back, and the other has it at once.
                second.process.send_signal(signal.SIGTERM)
                second.process.wait(SECONDS)
                assert wait_state(third, lambda one: one["is_delivered_here"], "lease")["holder"] != found["holder"]
                insert(third, 102)
                receiver.wait_for(ids_of(commits(third)))
                assert set(receiver.ids()) == set(ids_of(commits(third))) and in_order(receiver.ids())


def test_gone_means_gone_until_it_is_configured_anew(tmp_path, receiver):
    receiver.plan = [200, 410]
    arguments = configure(tmp_path, {"url": receiver.url, "from": 1})
    with running(tmp_path, arguments=arguments) as server:
        server.sql("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)")
        found = wait_state(server, lambda one: one["state"] == "disabled", "end")
        assert found["disabled_at"] and found["position"] == 1 and found["index"] == 1 or found["position"] == 2
    with running(tmp_path, arguments=arguments) as server:
        server.sql("INSERT INTO t VALUES (2)")
        assert wait_state(server, lambda one: one["lag_entries"] is not None, "state")["state"] == "disabled"
    assert len(receiver.attempts) == 2
    assert "410" in (tmp_path / "varve.log").read_text()
    arguments = configure(tmp_path, {"url": receiver.url, "from": 1, "revision": "again"})
    with running(tmp_path, arguments=arguments) as server:
        receiver.wait_for(ids_of(commits(server)))
        assert receiver.ids() == ids_of(commits(server))
        wait_state(server, lambda one: one["state"] == "delivering" and one["disabled_at"] is None, "life")


def test_only_what_is_wanted_comes(tmp_path, receiver):
    arguments = configure(tmp_path, {"url": receiver.url, "from": 1, "namespaces": ["n.m"], "tables": ["main.t", "n.x"]})
    with running(tmp_path, arguments=arguments) as server:
        Varve(server.warehouse).sql(
            "CREATE TABLE t (a INTEGER); CREATE TABLE u (a INTEGER); INSERT INTO u VALUES (1); INSERT INTO t VALUES (1);"
            "CREATE SCHEMA n; CREATE SCHEMA n.m; CREATE TABLE n.m.z (a INTEGER); CREATE TABLE n.y (a INTEGER);"
            "ALTER TABLE n.y RENAME TO x; INSERT INTO n.x VALUES (1); DROP TABLE t; INSERT INTO u VALUES (2)")

        def wanted(change):
            names = [(change.get(one), change.get(other)) for one, other in [("namespace", "name"), ("to-namespace", "to-name")]]
            return any(space and (space[:2] == ["n", "m"] or (space, name) in [(["main"], "t"), (["n"], "x")]) for space, name in names)

        everything = commits(server)
        expected = ids_of([commit for commit in everything if any(map(wanted, commit["changes"]))])
        assert 7 == len(expected) < len(everything)
        receiver.wait_for(expected)
        found = wait_state(server, lambda one: one["lag_entries"] == 0, "no lag")
        assert found["namespaces"] == ["n.m"] and receiver.ids() == expected


def test_certificates_are_verified(tmp_path):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "receiver")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    receiver = Receiver(tls=(tmp_path / "certificate.pem", tmp_path / "key.pem"))
    with running(tmp_path, arguments=configure(tmp_path, {"url": receiver.url, "from": 1})) as server:
        found = wait_state(server, lambda one: one["failure"], "failure")
        assert "certificate" in found["failure"]["message"] and not receiver.attempts
    arguments = configure(tmp_path, {"url": receiver.url, "from": 1, "certificate_file": str(tmp_path / "certificate.pem")})
    with running(tmp_path, arguments=arguments) as server:
        receiver.wait_for(ids_of(commits(server)))
    receiver.close()


def test_the_state_has_the_documented_shape(tmp_path, receiver):
    yaml, validators = pytest.importorskip("yaml"), pytest.importorskip("openapi_schema_validator")
    receiver.otherwise = 500
    with running(tmp_path, arguments=configure(tmp_path, {"url": receiver.url, "from": 1}, {"name": "new", "url": receiver.url})) as server:
        wait_state(server, lambda one: one["failure"], "failure")
        document = yaml.safe_load(server.call("GET", "/openapi.yaml")[2])
        answer = json.loads(server.call("GET", "/varve/v1/webhooks")[2])
        schema = {"$ref": "#/components/schemas/Webhooks", "components": document["components"]}
        assert not list(validators.OAS31Validator(schema).iter_errors(answer))
        known = set(document["components"]["schemas"]["Webhook"]["properties"])
        assert all(set(one) == known for one in answer["webhooks"]) and len(answer["webhooks"]) == 2


def test_a_damaged_state_stops_deliveries_and_nothing_else(tmp_path, receiver):
    arguments = configure(tmp_path, {"url": receiver.url, "from": 1})
    with running(tmp_path, arguments=arguments) as server:
        receiver.wait_for(ids_of(commits(server)))
        wait_state(server, lambda one: one["lag_entries"] == 0, "no lag")
    path = tmp_path / "lake" / "_varve" / "webhooks" / "audit.json"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"position":2', b'"position":9'))
    assert path.read_bytes() != whole
    count = len(receiver.attempts)
    with running(tmp_path, arguments=arguments) as server:
        server.sql("CREATE TABLE t (a INTEGER)")
        end = time.monotonic() + SECONDS
        while "checksum" not in (tmp_path / "varve.log").read_text():
            assert time.monotonic() < end
            time.sleep(0.05)
        assert "checksum" in state(server)["trouble"] and state(server)["state"] == "waiting"
    assert len(receiver.attempts) == count
    Varve(tmp_path / "lake").verify()


@pytest.mark.parametrize("change,message", [
    ({"url": "http://example.com/"}, "not encrypted"), ({"url": "https://h", "secret": "x"}, "whsec_"), ({"name": "A", "url": "https://h"}, "name of a webhook"),
    ({"url": "https://h", "secret": None, "secret_env": "NOT_THERE"}, "NOT_THERE"),
])
def test_settings_that_cannot_work_are_told_at_the_start(tmp_path, change, message):
    done = Varve(tmp_path / "lake").run("serve", "--port", "0", *configure(tmp_path, change))
    assert done.returncode != 0 and message in done.stderr.decode() and SECRETS[0] not in done.stderr.decode()


class LineageReceiver:
    """Takes events of OpenLineage as Marquez does: 201, and what it cannot take is refused now and then."""

    def __init__(self):
        self.events, self.headers, self.refuse = [], [], 0
        self.changed = threading.Condition()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer.changed:
                    outer.headers.append({name.lower(): value for name, value in self.headers.items()})
                    status = 503 if outer.refuse else 201
                    outer.refuse = max(outer.refuse - 1, 0)
                    if status == 201:
                        outer.events += document if isinstance(document, list) else [document]
                    outer.changed.notify_all()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/api/v1/lineage"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, count):
        end = time.monotonic() + SECONDS
        with self.changed:
            while len(self.events) < count:
                assert self.changed.wait(max(end - time.monotonic(), 0.001)) or time.monotonic() < end, (count, self.events)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.mark.parametrize("batch", [1, 4])
def test_lineage_is_posted_as_events_of_openlineage(tmp_path, batch):
    valid = openlineage_check()
    receiver = LineageReceiver()
    receiver.refuse = 2
    webhook = {"name": "marquez", "url": receiver.url, "format": "openlineage", "secret": None, "token": "a-token", "from": 1, "batch_events_max": batch}
    with running(tmp_path, arguments=configure(tmp_path, webhook)) as server:
        server.sql("CREATE TABLE a (n INTEGER); INSERT INTO a VALUES (1), (2); CREATE TABLE b AS SELECT n + 1 AS m FROM a WHERE n > 1")
        # Three flows in one commit.
        server.sql("BEGIN; INSERT INTO a SELECT m FROM b; INSERT INTO b SELECT n FROM a; INSERT INTO a VALUES (7); COMMIT")
        server.sql("CREATE TABLE empty (n INTEGER)")
        server.sql("INSERT INTO b VALUES (9)")
        status, _, body = server.call("GET", "/varve/v1/lineage/events?limit=1000")
        assert status == 200
        expected = json.loads(body)["events"]
        assert len(expected) == 6
        receiver.wait(len(expected))
        # The end of the log is reached, and nothing came twice.
        end = time.monotonic() + SECONDS
        while state(server, "marquez")["lag_entries"]:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert receiver.events == expected
        for event in receiver.events:
            valid(event)
        for headers in receiver.headers:
            assert headers["authorization"] == "Bearer a-token" and headers["content-type"] == "application/json"
            assert headers["webhook-id"] and "webhook-signature" not in headers
    receiver.close()


def test_formats_that_are_not_there_are_refused(tmp_path):
    for webhook, text in [({"format": "openlinage"}, "cloudevents, openlineage"), ({"secret": None}, "needs a secret"),
                          ({"token": "a b"}, "token"), ({"token_env": "NOT_THERE"}, "NOT_THERE")]:
        arguments = configure(tmp_path, {"url": "http://127.0.0.1:9/", **webhook})
        done = subprocess.run([BINARY, "serve", "--warehouse", str(tmp_path / "lake"), "--port", "0", *arguments], capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode != 0 and text in done.stderr, done.stderr
