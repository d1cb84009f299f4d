"""Servers on one bucket that are killed while clients write; and buckets that lie, which get no server at all."""
import contextlib
import http.server
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import xml.sax.saxutils

import pytest

from support import BINARY, SECONDS, SHARED, Varve, bucket_server, free_port

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "Benchmarks/cluster.py"
CEPH = SHARED / "tools/ceph-start.sh"
CEPH_PORT = 17480


def has_ceph():
    with socket.socket() as probe:
        is_free = probe.connect_ex(("127.0.0.1", CEPH_PORT)) != 0
    return is_free and CEPH.exists() and all(shutil.which(name) for name in ("radosgw", "ceph-mon", "ceph-osd"))


def test_servers_that_are_killed_lose_nothing_and_do_nothing_twice(tmp_path):
    """What is acknowledged is in the log once, its rows are there once, and the chain is sound; Benchmarks/cluster.py says the rest.

    By hand, VARVE_CLUSTER_MINUTES=10 and pytest -s, it is the trial of many clients, and prints how long servers that were up gave no
    answer to reads and to commits, how long the store gave none, and what happened in the longest silences.
    """
    minutes = os.environ.get("VARVE_CLUSTER_MINUTES", "0.2")
    command = [sys.executable, SCRIPT, BINARY, "--minutes", minutes]
    if "VARVE_CLUSTER_MINUTES" in os.environ:
        command += ["--silences", "10"]
    else:
        command += ["--clients", "8", "--sql", "2", "--pyiceberg", "1"]
    with contextlib.ExitStack() as stack:
        environment = {"TMPDIR": str(tmp_path)}
        if has_ceph():
            command += ["--ceph", CEPH]
        else:
            _, variables = stack.enter_context(bucket_server("lake"))
            environment.update(variables)
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=SECONDS + 600 + 240 * float(minutes), env={**os.environ, **environment})
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 faults" in done.stdout


class LyingStore(http.server.BaseHTTPRequestHandler):
    """A bucket whose conditional writes are not atomic: many who create a key at once are all told that they did."""

    protocol_version = "HTTP/1.1"
    objects = {}
    ignores = False
    wait = 0.0

    def log_message(self, *arguments):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def parts(self):
        url = urllib.parse.urlsplit(self.path)
        return urllib.parse.unquote(url.path).split("/", 2)[-1], dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_PUT(self):
        key, body = self.parts()[0], self.body()
        before, expected = self.objects.get(key), self.headers.get("If-Match")
        if not self.ignores:
            if self.headers.get("If-None-Match") == "*" and before is not None:
                return self.answer(412)
            if expected is not None and (before is None or before[0] != expected.strip('"')):
                return self.answer(412)
            # Between looking and writing there is room for others.
            time.sleep(self.wait)
        tag = os.urandom(8).hex()
        self.objects[key] = (tag, body)
        return self.answer(200, ETag=f'"{tag}"')

    def do_GET(self):
        key, query = self.parts()
        if "list-type" in query:
            prefix, after = query.get("prefix", ""), query.get("start-after", "")
            found = "".join(
                f"<Contents><Key>{xml.sax.saxutils.escape(name)}</Key><Size>{len(body)}</Size><ETag>&quot;{tag}&quot;</ETag>"
                "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
                for name, (tag, body) in sorted(self.objects.items()) if name.startswith(prefix) and name > after)
            text = f"<?xml version='1.0'?><ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>"
            return self.answer(200, text.encode(), **{"Content-Type": "application/xml"})
        if key not in self.objects:
            return self.answer(404)
        tag, body = self.objects[key]
        return self.answer(200, body, ETag=f'"{tag}"', **{"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"})

    do_HEAD = do_GET

    def do_DELETE(self):
        self.objects.pop(self.parts()[0], None)
        return self.answer(204)

    def do_POST(self):
        body = self.body().decode()
        for part in body.split("<Key>")[1:]:
            self.objects.pop(xml.sax.saxutils.unescape(part.split("</Key>")[0]), None)
        return self.answer(200, b"<?xml version='1.0'?><DeleteResult></DeleteResult>", **{"Content-Type": "application/xml"})


@contextlib.contextmanager
def lying_store(**habits):
    handler = type("Liar", (LyingStore,), {"objects": {}, **habits})
    store = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=store.serve_forever)
    thread.start()
    try:
        yield {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
               "AWS_ENDPOINT_URL": f"http://127.0.0.1:{store.server_port}"}, handler.objects
    finally:
        store.shutdown()
        store.server_close()
        thread.join()


@pytest.mark.parametrize("habits, fault", [
    ({"ignores": True}, "a key could be created twice"),
    ({"wait": 0.05}, "creators of one key"),
])
def test_a_store_that_lies_gets_no_server(habits, fault, tmp_path):
    with lying_store(**habits) as (environment, objects):
        varve = Varve("s3://bucket/lake", environment)
        done = varve.run("serve", "--port", free_port())
        message = done.stderr.decode()
        assert done.returncode != 0
        assert "this store cannot hold a warehouse" in message and fault in message, message
        assert not [key for key in objects if "/log/" in key or key.endswith("warehouse.json")]
