"""A running `varve serve` and the load generator of load.c, for the benchmarks of the server."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
BINARY = os.environ.get("VARVE_BIN", str(HERE.parent / ".build/release/varve"))


def generator(folder):
    """The program of load.c, made when it is older than its source."""
    source, program = HERE / "load.c", pathlib.Path(folder) / "load"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        compiler = shutil.which(os.environ.get("CC", "cc"))
        if not compiler:
            sys.exit("the load generator needs a C compiler (CC)")
        subprocess.run([compiler, "-O2", "-o", program, source], check=True)
    return program


class Server:
    def __init__(self, process, port, folder):
        self.process, self.port, self.folder = process, port, pathlib.Path(folder)

    def call(self, method, path, body=None, **headers):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=body, method=method, headers=headers)
        with urllib.request.urlopen(request) as answer:
            return dict(answer.headers), answer.read()

    def sql(self, text):
        body = json.dumps({"sql": text}).encode()
        return json.loads(self.call("POST", "/varve/v1/query", body, Accept="application/json")[1])["rows"]

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def begin_load(self, requests, connections, seconds, rate=None):
        """A process that asks for so long, and a second before it: as fast as answers come, or so many a second."""
        path = pathlib.Path(tempfile.mkstemp(dir=self.folder)[1])
        path.write_bytes(b"".join(b"%d\n" % len(one) + one for one in requests))
        command = [generator(self.folder), self.port, connections, seconds, path, *([rate] if rate else [])]
        return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE)

    def load(self, requests, connections, seconds, rate=None):
        """Answers per second, latencies and the server's CPU time per answer under so many connections."""
        before = self.cpu_seconds()
        process = self.begin_load(requests, connections, seconds, rate)
        written = process.communicate()[0]
        pathlib.Path(process.args[4]).unlink()
        if process.returncode:
            sys.exit(f"the load generator ended with {process.returncode}")
        found = json.loads(written)
        found["per_second"] = found["answers"] / seconds
        # The first second is not counted, but costs as much.
        found["cpu_us"] = (self.cpu_seconds() - before) * seconds / (seconds + 1) / max(found["answers"], 1) * 1e6
        return found


def request(method, path, body=b"", **headers):
    """The bytes of a request."""
    fields = {"Host": "127.0.0.1", **({"Content-Length": len(body)} if method == "POST" else {}), **headers}
    return f"{method} {path} HTTP/1.1\r\n{''.join(f'{name}: {value}{chr(13)}{chr(10)}' for name, value in fields.items())}\r\n".encode() + body


def inserts(count, tables=1):
    """Requests that insert ten rows each, into tables t0, t1, ... in turns."""
    made = []
    for number in range(count):
        rows = ", ".join(f"({number * 10 + place}, 'row {place} of {number}', {place}.5)" for place in range(10))
        body = json.dumps({"sql": f"INSERT INTO t{number % tables} VALUES {rows}"}).encode()
        made.append(request("POST", "/varve/v1/query", body, **{"Content-Type": "application/json", "Accept": "application/json"}))
    return made


@contextlib.contextmanager
def running(folder, warehouse=None, environment=None, settings=None):
    """A server for as long as the block runs, with its log in a file: writing lines is part of its work."""
    folder = pathlib.Path(folder)
    path = folder / "varve.json"
    path.write_text(json.dumps({"server": settings or {}}))
    process = subprocess.Popen(
        [BINARY, "serve", "--warehouse", warehouse or str(folder / "lake"), "--port", "0", "--config", path],
        stdout=subprocess.PIPE, stderr=open(folder / "varve.log", "ab"), text=True, env={**os.environ, **(environment or {})})
    try:
        found = re.match(r"listening on http://127\.0\.0\.1:(\d+) ", process.stdout.readline())
        if not found:
            sys.exit((folder / "varve.log").read_text()[-2000:])
        yield Server(process, int(found.group(1)), folder)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)


@contextlib.contextmanager
def scratch(folder=None):
    if folder:
        os.makedirs(folder, exist_ok=True)
        yield pathlib.Path(folder)
    else:
        with tempfile.TemporaryDirectory() as made:
            yield pathlib.Path(made)


def machine():
    load = pathlib.Path("/proc/loadavg").read_text().split()[0]
    return f"{os.cpu_count()} processors, load {load}"


def row(name, found):
    statuses = " ".join(f"{status}:{count}" for status, count in found["statuses"].items())
    print(f"{name:34} {found['per_second']:9.0f}/s   p50 {found['p50_ms']:8.2f}  p99 {found['p99_ms']:8.2f}  max {found['max_ms']:8.1f} ms   "
          f"{found['cpu_us']:7.0f} us CPU   {statuses}", flush=True)
