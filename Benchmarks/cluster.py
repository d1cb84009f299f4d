"""Three servers on one bucket, many clients, and servers that are killed at random: nothing is lost.

    python Benchmarks/cluster.py .build/release/varve --warehouse s3://bucket/lake --minutes 10
    python Benchmarks/cluster.py .build/release/varve --warehouse s3://bucket/lake --ceph SHARED/tools/ceph-start.sh

The bucket is found by the variables AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and so on; --ceph starts a Ceph of its own for the
run. Clients append rows with an Idempotency-Key and ask again, through any server, until they get an answer; insert by SQL,
where nobody knows what became of a statement whose answer was lost; and append with PyIceberg. One server after the other is
killed (-9) and started again. Beside each server a probe reads (strongly) and commits all the time: the longest time in which
a server that was not being killed gave no answer is printed. In the end every acknowledged commit must be in the log
exactly once and its rows in its table exactly once, and `varve audit verify` must find nothing.
"""

import argparse
import collections
import contextlib
import http.client
import json
import multiprocessing
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid

ROWS = 3
APPENDS_PER_TABLE = 100


class Refused(Exception):
    """An answer that says that nothing was done and asking again will not help."""


class Servers:
    """The servers, their processes, and when each was up."""

    def __init__(self, binary, warehouse, count, folder):
        self.binary, self.warehouse, self.folder = binary, warehouse, folder
        self.ports = [free_port() for _ in range(count)]
        self.processes = [None] * count
        # When a server began to answer, and when it was killed: [[from, to], ...] of each.
        self.lives = [[] for _ in range(count)]
        self.starts = []

    def start(self, number):
        began = time.monotonic()
        log = open(pathlib.Path(self.folder, f"server-{number}.log"), "ab")
        command = [self.binary, "serve", "--warehouse", self.warehouse, "--port", str(self.ports[number])]
        self.processes[number] = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "SWIFT_BACKTRACE": "enable=no"})
        log.close()
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", self.ports[number], timeout=5)
                connection.request("GET", "/health/ready")
                if connection.getresponse().status == 200:
                    break
            if self.processes[number].poll() is not None:
                raise SystemExit(f"server {number} ended by itself: see {self.folder}")
            time.sleep(0.02)
        now = time.monotonic()
        self.lives[number].append([now, None])
        self.starts.append(now - began)

    def kill(self, number):
        self.lives[number][-1][1] = time.monotonic()
        os.kill(self.processes[number].pid, signal.SIGKILL)
        self.processes[number].wait()

    def is_up(self, number):
        return bool(self.lives[number]) and self.lives[number][-1][1] is None

    def stop(self):
        for process in self.processes:
            if process is not None and process.poll() is None:
                process.terminate()
        for process in self.processes:
            if process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(60)
                if process.poll() is None:
                    process.kill()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Asker:
    """Connections to all servers, kept open."""

    def __init__(self, ports, seconds):
        self.ports, self.seconds, self.connections = ports, seconds, {}

    def ask(self, number, method, path, body=None, headers=None):
        """The status and body of an answer; OSError or HTTPException when there is none."""
        connection = self.connections.get(number)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.ports[number], timeout=self.seconds)
            self.connections[number] = connection
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            self.connections.pop(number, None)
            raise


class Probes:
    """What a server that is up is measured by: clients in a process of their own, so that nobody waits for these threads."""

    def __init__(self, servers):
        self.servers = servers
        context = multiprocessing.get_context("spawn")
        self.flags, self.end = context.Array("b", len(servers.ports)), context.Event()
        self.results, theirs = context.Pipe(False)
        self.process = context.Process(target=self.run, args=(servers.ports, self.flags, self.end, theirs))
        self.process.start()
        self.results.recv()

    def mark(self):
        for number in range(len(self.flags)):
            self.flags[number] = self.servers.is_up(number)

    def finish(self):
        """The answers of each server, (began, ended) by kind; and what else came, by name."""
        self.end.set()
        results = self.results.recv()
        self.process.join()
        return results

    @staticmethod
    def run(ports, flags, end, results):
        answers = [{"read": [], "commit": []} for _ in ports]
        others = collections.Counter()
        threads = [threading.Thread(target=Probes.ask, args=(ports, number, kind, flags, end, answers, others)) for number in range(len(ports)) for kind in answers[number]]
        for thread in threads:
            thread.start()
        results.send(None)
        for thread in threads:
            thread.join()
        results.send((answers, others))

    @staticmethod
    def ask(ports, server, kind, flags, end, answers, others):
        asker, count = Asker(ports, 30), 0
        while not end.is_set():
            if not flags[server]:
                time.sleep(0.005)
                continue
            began = time.monotonic()
            try:
                if kind == "read":
                    status, _ = asker.ask(server, "GET", "/v1/namespaces/main")
                else:
                    count += 1
                    body = json.dumps({"updates": {f"probe-{server}": str(count)}})
                    headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
                    status, _ = asker.ask(server, "POST", "/v1/namespaces/main/properties", body, headers)
            except (OSError, http.client.HTTPException):
                status = None
            if status == 200:
                answers[server][kind].append((began, time.monotonic()))
            else:
                others[f"probe {kind}: {status or 'no answer'}"] += 1
            time.sleep(0.02)


class Run:
    def __init__(self, servers, minutes, seed, pause=0):
        self.servers, self.chance, self.pause = servers, random.Random(seed), pause
        self.probes = Probes(servers)
        self.began = time.monotonic()
        self.end = self.began + minutes * 60
        self.lock = threading.Lock()
        # What was acknowledged: (table, client, number, key or None, log position or None); and what nobody knows of.
        self.acknowledged, self.unknown = [], []
        self.answers = []
        self.latencies = collections.defaultdict(list)
        self.counts = collections.Counter()
        self.errors = []

    @property
    def is_over(self):
        return time.monotonic() > self.end

    # Clients.

    def think(self, chance):
        """What a client does before it asks for the next thing: nothing, or something else for a while."""
        if self.pause:
            time.sleep(min(chance.expovariate(1 / self.pause), 10 * self.pause))

    def append_rows(self, client):
        """Appends with a key and asks again until there is an answer."""
        chance, asker, number = random.Random(client * 7919 + 1), Asker(self.servers.ports, 30), 0
        while not self.is_over:
            # Most to a table of the client's own, some to one that all fight for.
            shared = chance.random() < 0.15
            table = f"shared_{int((self.end - time.monotonic()) / 20)}" if shared else f"own_{client}_{number // APPENDS_PER_TABLE}"
            body = "client,number,part\n" + "".join(f"{client},{number},{part}\n" for part in range(ROWS))
            key = str(uuid.UUID(int=chance.getrandbits(128)))
            headers = {"Content-Type": "text/csv", "Idempotency-Key": key}
            began, deadline = time.monotonic(), time.monotonic() + 120
            while True:
                server = chance.randrange(len(self.servers.ports))
                try:
                    status, answer = asker.ask(server, "POST", f"/varve/v1/tables/main/{table}/rows?mode=create", body, headers)
                except (OSError, http.client.HTTPException):
                    status, answer = None, b""
                if status == 200:
                    done = json.loads(answer)
                    with self.lock:
                        self.acknowledged.append((table, client, number, key, done["log_position"]))
                        self.counts["replayed"] += bool(done.get("replayed"))
                        self.latencies["append"].append(time.monotonic() - began)
                    break
                with self.lock:
                    self.counts[f"append: {status or 'no answer'}"] += 1
                if status is not None and 400 <= status < 500 and status not in (408, 409, 429):
                    self.errors.append(f"{status} {answer[:300]!r}")
                    return
                if time.monotonic() > deadline:
                    self.errors.append(f"client {client} got no answer for 120 s: {status} {answer[:300]!r}")
                    self.unknown.append((table, client, number))
                    break
                # Nobody is up for a moment, or the servers are busy.
                time.sleep(chance.uniform(0.01, 0.1))
            number += 1
            self.think(chance)

    def insert_by_sql(self, client):
        """Inserts by statements, which have no key: without an answer nobody knows."""
        chance, asker, number = random.Random(client * 7919 + 2), Asker(self.servers.ports, 30), 0
        while not self.is_over:
            table = f"own_{client}_{number // APPENDS_PER_TABLE}"
            values = ", ".join(f"({client}, {number}, {part})" for part in range(ROWS))
            text = f"CREATE TABLE IF NOT EXISTS {table} (client BIGINT, number BIGINT, part BIGINT); " if number % APPENDS_PER_TABLE == 0 else ""
            server = chance.randrange(len(self.servers.ports))
            if not self.servers.is_up(server):
                time.sleep(0.01)
                continue
            began = time.monotonic()
            try:
                body = json.dumps({"sql": f"{text}INSERT INTO {table} VALUES {values}"})
                status, answer = asker.ask(server, "POST", "/varve/v1/query", body, {"Accept": "application/json", "Content-Type": "application/json"})
            except (OSError, http.client.HTTPException):
                status, answer = None, b""
            with self.lock:
                if status == 200:
                    self.acknowledged.append((table, client, number, None, None))
                    self.latencies["insert"].append(time.monotonic() - began)
                else:
                    self.counts[f"insert: {status or 'no answer'}"] += 1
                    if status in (None, 500, 504):
                        self.unknown.append((table, client, number))
                    elif status not in (404, 409, 429, 503):
                        self.errors.append(f"{status} {answer[:300]!r}")
            # A table that could not be made is made by the next statement.
            number += 1 if status == 200 or number % APPENDS_PER_TABLE else APPENDS_PER_TABLE
            self.think(chance)

    def append_by_pyiceberg(self, client):
        """Appends as PyIceberg does: it writes the files and asks the server to commit."""
        import pyarrow
        from pyiceberg.catalog.rest import RestCatalog
        from pyiceberg.exceptions import TableAlreadyExistsError
        schema = pyarrow.schema([("client", pyarrow.int64()), ("number", pyarrow.int64()), ("part", pyarrow.int64())])
        chance, number, catalogs = random.Random(client * 7919 + 3), 0, {}
        while not self.is_over:
            server = chance.randrange(len(self.servers.ports))
            if not self.servers.is_up(server):
                time.sleep(0.01)
                continue
            name, asked = f"main.own_{client}_{number // APPENDS_PER_TABLE}", False
            began = time.monotonic()
            try:
                if server not in catalogs:
                    catalogs[server] = RestCatalog("varve", uri=f"http://127.0.0.1:{self.servers.ports[server]}", **{
                        "s3.endpoint": os.environ["AWS_ENDPOINT_URL"], "s3.access-key-id": os.environ["AWS_ACCESS_KEY_ID"],
                        "s3.secret-access-key": os.environ["AWS_SECRET_ACCESS_KEY"], "s3.region": os.environ["AWS_REGION"]})
                with contextlib.suppress(TableAlreadyExistsError):
                    if number % APPENDS_PER_TABLE == 0:
                        catalogs[server].create_table(name, schema)
                table = catalogs[server].load_table(name)
                asked = True
                table.append(pyarrow.table([[client] * ROWS, [number] * ROWS, range(ROWS)], schema=schema))
                with self.lock:
                    self.acknowledged.append((name[5:], client, number, None, None))
                    self.latencies["pyiceberg"].append(time.monotonic() - began)
                number += 1
            except Exception as error:
                with self.lock:
                    self.counts[f"pyiceberg: {type(error).__name__}"] += 1
                    if asked:
                        self.unknown.append((name[5:], client, number))
                        number += 1 if (number + 1) % APPENDS_PER_TABLE else 0
                time.sleep(0.05)
            self.think(chance)

    # Whoever kills.

    def kill_servers(self):
        kills = 0
        while not self.is_over:
            time.sleep(self.chance.uniform(1.5, 5))
            if self.is_over:
                break
            victims = self.chance.sample(range(len(self.servers.ports)), 2 if self.chance.random() < 0.2 else 1)
            for victim in victims:
                self.note_attempts(victim)
                self.servers.kill(victim)
                self.probes.mark()
                kills += 1
            time.sleep(self.chance.uniform(0, 1))
            for victim in victims:
                self.servers.start(victim)
                self.probes.mark()
        self.counts["kills"] = kills

    def note_attempts(self, number):
        """Adds up how a server's attempts at entries of the log went."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            _, answer = Asker(self.servers.ports, 5).ask(number, "GET", "/metrics")
            for outcome, count in re.findall(r'entry_attempts_total\{outcome="(\w+)"\} (\d+)', answer.decode()):
                self.counts[f"attempts {outcome}"] += int(count)

    def silences(self, kind, least):
        """The times in which a server that was up gave no answer, longest first: (seconds, server, when, since its start, until its death or None)."""
        found = []
        for server, lives in enumerate(self.servers.lives):
            answered = [now for _, now in self.answers[server][kind]]
            for start, death in lives:
                start, end = max(start, self.began), min(death or self.end, self.end)
                times = [start] + [now for now in answered if start <= now <= end] + [end]
                for before, after in zip(times, times[1:]):
                    if after - before > least:
                        found.append((after - before, server, before, before - start, death and death - after))
        return sorted(found, reverse=True)

    def what_happened(self, silence):
        """A silence in words, with the kills and starts of others while it lasted."""
        seconds, server, when, since_start, until_death = silence
        events = []
        for other, lives in enumerate(self.servers.lives):
            for start, death in lives:
                events += [(moment - when, f"{word} {other}") for moment, word in ((start, "start"), (death, "kill")) if moment and -3 <= moment - when <= seconds]
        near = ", ".join(f"{word} at {moment:+.2f} s" for moment, word in sorted(events))
        return f"{seconds:.2f} s at {when - self.began:.1f} s, server {server}, {since_start:.1f} s after its start{'' if until_death is None else f', {until_death:.1f} s before its end'}: {near}"

    def live(self, clients, pyiceberg, sql):
        tasks = [(self.append_by_pyiceberg, number) for number in range(pyiceberg)]
        tasks += [(self.insert_by_sql, number) for number in range(pyiceberg, pyiceberg + sql)]
        tasks += [(self.append_rows, number) for number in range(pyiceberg + sql, clients)]
        threads = [threading.Thread(target=task, args=(number,)) for task, number in tasks]
        for thread in threads:
            thread.start()
        self.probes.mark()
        self.kill_servers()
        self.answers, others = self.probes.finish()
        self.counts.update(others)
        for thread in threads:
            thread.join()
        for number in range(len(self.servers.ports)):
            self.note_attempts(number)


def store_probe(warehouse):
    """A process of its own that asks the store itself, so that neither the servers nor this process's threads are measured."""
    script = pathlib.Path(__file__).with_name("store_silence.py")
    bucket = "/".join(warehouse.split("/")[:3])
    return subprocess.Popen([sys.executable, script, f"{bucket}/silence", "--minutes", "10000"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def percentile(values, share):
    values = sorted(values)
    return values[min(int(len(values) * share), len(values) - 1)] if values else float("nan")


def check(run, servers, binary, warehouse):
    """What is wrong, in words; nothing when all is well."""
    wrong = list(run.errors)
    number = 0
    asker = Asker(servers.ports, 600)
    landed, position, commits = collections.defaultdict(list), 1, 0
    while position is not None:
        status, answer = asker.ask(number, "GET", f"/varve/v1/log?from={position}&limit=1000")
        page = json.loads(answer)
        for commit in page["commits"]:
            landed[commit["id"]].append(commit["position"])
            commits += 1
        position = page.get("next")
    for table, client, count, key, position in run.acknowledged:
        if key is not None and landed.get(key) != [position]:
            wrong.append(f"commit {key} of client {client} was acknowledged at {position} and is at {landed.get(key)}")
    for id, positions in landed.items():
        if len(positions) > 1:
            wrong.append(f"commit {id} is in the log at {positions}")
    tables = sorted({one[0] for one in run.acknowledged + run.unknown})
    found = collections.Counter()
    for table in tables:
        body = json.dumps({"sql": f"SELECT client, number, count(*) AS n, count(DISTINCT part) AS p FROM {table} GROUP BY client, number"})
        status, answer = asker.ask(number, "POST", "/varve/v1/query", body, {"Accept": "application/x-ndjson", "Content-Type": "application/json"})
        if status == 404 or b"no table" in answer:
            continue
        if status != 200:
            wrong.append(f"{table}: {status} {answer[:300]!r}")
            continue
        for line in answer.splitlines():
            row = json.loads(line)
            found[table, int(row["client"]), int(row["number"])] += 1
            if (int(row["n"]), int(row["p"])) != (ROWS, ROWS):
                wrong.append(f"{table}: {row}: not the {ROWS} rows of one append")
    expected = {one[:3] for one in run.acknowledged}
    possible = expected | {one[:3] for one in run.unknown}
    wrong += [f"{one} was acknowledged and is not there" for one in sorted(expected - set(found))]
    wrong += [f"{one} is there, and nobody asked for it" for one in sorted(set(found) - possible)]
    began = time.monotonic()
    verified = subprocess.run([binary, "audit", "verify", "--warehouse", warehouse], capture_output=True, text=True)
    if verified.returncode != 0:
        wrong.append(f"audit verify: {verified.stdout}{verified.stderr}")
    words = f"{verified.stdout.strip()} (audit verify took {time.monotonic() - began:.1f} s)"
    return wrong, commits, len(tables), len(set(found) - expected), words


@contextlib.contextmanager
def ceph(script):
    """A Ceph of its own on loopback, and the variables by which everybody finds it."""
    with tempfile.TemporaryDirectory(prefix="ceph-") as folder:
        subprocess.run(["bash", script, folder, "memstore"], check=True, stdout=subprocess.DEVNULL)
        try:
            yield {"AWS_ENDPOINT_URL": "http://127.0.0.1:17480", "AWS_ACCESS_KEY_ID": "LAKEKEY", "AWS_SECRET_ACCESS_KEY": "lakesecretlakesecret"}
        finally:
            subprocess.run(["bash", str(pathlib.Path(script).with_name("ceph-stop.sh")), folder], check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("--warehouse", default="s3://lake/lake")
    parser.add_argument("--ceph", help="a script that starts a Ceph in the folder that it is given")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--servers", type=int, default=3)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--sql", type=int, default=6, help="how many of the clients insert by SQL")
    parser.add_argument("--pyiceberg", type=int, default=2, help="how many of the clients are PyIceberg's")
    parser.add_argument("--silences", type=int, default=0, help="how many of the longest silences to describe")
    parser.add_argument("--pause", type=float, default=0, help="seconds, in the mean, between an answer and a client's next request")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ.setdefault("AWS_REGION", "us-east-1")
    os.environ["AWS_DEFAULT_REGION"] = os.environ["AWS_REGION"]
    os.environ["AWS_REQUEST_CHECKSUM_CALCULATION"] = "when_required"
    with contextlib.ExitStack() as stack:
        if options.ceph:
            os.environ.update(stack.enter_context(ceph(options.ceph)))
        folder = tempfile.mkdtemp(prefix="cluster-")
        import boto3
        with contextlib.suppress(Exception):
            boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).create_bucket(Bucket=options.warehouse.split("/")[2])
        servers = Servers(options.binary, options.warehouse, options.servers, folder)
        stack.callback(servers.stop)
        for number in range(options.servers):
            servers.start(number)
        print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors; servers write to {folder}", flush=True)
        store = store_probe(options.warehouse)
        run, began = Run(servers, options.minutes, options.seed, options.pause), time.monotonic()
        run.live(options.clients, options.pyiceberg, options.sql)
        seconds = time.monotonic() - began
        # Ends it by closing its input.
        store = json.loads(store.communicate()[0] or "{}")
        print(f"{seconds:.0f} s, {run.counts['kills']} kills, starts took {percentile(servers.starts, 0.5):.2f} s (median), {max(servers.starts):.2f} s (longest); load {os.getloadavg()[0]:.1f}")
        for kind, values in sorted(run.latencies.items()):
            print(f"{kind}: {len(values)}, median {percentile(values, 0.5) * 1000:.0f} ms, 99 % below {percentile(values, 0.99) * 1000:.0f} ms")
        for kind in ("read", "commit"):
            times = [after - before for answers in run.answers for before, after in answers[kind]]
            silences = run.silences(kind, 0.01)
            gap, server = silences[0][:2] if silences else (0, None)
            print(f"probe {kind}: {len(times)}, median {percentile(times, 0.5) * 1000:.0f} ms, 99 % below {percentile(times, 0.99) * 1000:.0f} ms; longest time without an answer of a server that was up: {gap:.2f} s (server {server})")
            if options.silences:
                print("\n".join(f"  {run.what_happened(one)}" for one in silences[:options.silences]))
        for kind, one in store.items():
            if not one["count"]:
                print(f"store {kind}: no answer, {one['refused']} refused")
                continue
            print(f"store {kind}: {one['count']}, median {one['median'] * 1000:.0f} ms, 99 % below {one['p99'] * 1000:.0f} ms, slowest {one['slowest']:.2f} s; longest time without an answer: {one['silence']:.2f} s")
        for name, count in sorted(run.counts.items()):
            print(f"  {name}: {count}", flush=True)
        # On a store far away this takes longer than all before it.
        wrong, commits, tables, extra, verified = check(run, servers, options.binary, options.warehouse)
        print(f"{len(run.acknowledged)} acknowledged appends ({run.counts['replayed']} of them asked for again), {len(run.unknown)} unknown ({extra} of them there), {commits} commits in the log, {tables} tables")
        print(verified)
        for line in wrong[:50]:
            print(f"WRONG: {line}")
        print(f"{len(wrong)} faults")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
