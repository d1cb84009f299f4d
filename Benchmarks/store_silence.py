"""How long an S3 store itself gives no answer, asked directly and by nobody's client but this one.

    python Benchmarks/store_silence.py s3://bucket/prefix --minutes 1

The bucket is found by the variables AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION. Two threads
create objects of 1 KB (If-None-Match: *) and two read one, each over a connection of its own, one request every 50 ms. It ends
at the time or when its input is closed, and prints one line of JSON for each kind: how many answers, the median and the
99th percentile of their times, the slowest single answer, and the longest time in which none of the threads of that
kind got any (all in seconds). `silences` lists those above a tenth of a second: [monotonic time at its end, length].
"""

import argparse
import http.client
import json
import os
import sys
import threading
import time
import urllib.parse
import uuid

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

PAUSE = 0.05
LISTED = 0.1


class StoreProbe:
    """Small requests to one bucket, and when each was answered."""

    def __init__(self, url, threads=2):
        self.bucket, _, self.prefix = url.split("//", 1)[1].partition("/")
        self.endpoint = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
        self.signer = S3SigV4Auth(Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]), "s3", os.environ.get("AWS_REGION", "us-east-1"))
        self.run, self.threads = uuid.uuid4().hex, threads
        self.is_over = threading.Event()
        # (began, answered) of each kind, of all threads together; a request without a good answer is none.
        self.answers = {"put": [], "get": []}
        self.refused = {"put": 0, "get": 0}

    def request(self, connection, kind, key, body=b""):
        path = urllib.parse.quote(f"/{self.bucket}/{self.prefix}/{key}")
        headers = {"If-None-Match": "*"} if kind == "put" else {}
        signed = AWSRequest(kind.upper(), f"{self.endpoint.scheme}://{self.endpoint.netloc}{path}", headers, body)
        self.signer.add_auth(signed)
        connection.request(kind.upper(), path, body, dict(signed.headers))
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def connect(self):
        kind = http.client.HTTPSConnection if self.endpoint.scheme == "https" else http.client.HTTPConnection
        return kind(self.endpoint.netloc, timeout=120)

    def ask(self, kind, number):
        connection, count = self.connect(), 0
        while not self.is_over.is_set():
            count += 1
            key = f"silence/{self.run}/{number}/{count}" if kind == "put" else f"silence/{self.run}/read"
            began = time.monotonic()
            try:
                status = self.request(connection, kind, key, b"x" * 1024 if kind == "put" else b"")
            except (OSError, http.client.HTTPException):
                status = None
                connection.close()
                connection = self.connect()
            if status == 200:
                self.answers[kind].append((began, time.monotonic()))
            else:
                self.refused[kind] += 1
            self.is_over.wait(PAUSE)

    def measure(self, seconds):
        self.request(self.connect(), "put", f"silence/{self.run}/read", b"x" * 1024)
        threads = [threading.Thread(target=self.ask, args=(kind, number)) for kind in self.answers for number in range(self.threads)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        self.is_over.wait(seconds)
        self.is_over.set()
        for thread in threads:
            thread.join()
        ended = time.monotonic()
        return {kind: self.figures(kind, began, ended) for kind in self.answers}

    def figures(self, kind, began, ended):
        times = sorted(after - before for before, after in self.answers[kind])
        marks = sorted([began, ended] + [after for _, after in self.answers[kind]])
        gaps = [(after - before, after) for before, after in zip(marks, marks[1:])]
        return {
            "count": len(times), "refused": self.refused[kind],
            "median": times[len(times) // 2] if times else None,
            "p99": times[int(len(times) * 0.99)] if times else None,
            "slowest": times[-1] if times else None,
            "silence": max(gaps)[0],
            "silences": [[round(after, 3), round(gap, 3)] for gap, after in gaps if gap > LISTED],
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--minutes", type=float, default=1)
    options = parser.parse_args()
    probe = StoreProbe(options.url)

    def watch():
        sys.stdin.read()
        probe.is_over.set()

    threading.Thread(target=watch, daemon=True).start()
    print(json.dumps(probe.measure(options.minutes * 60)), flush=True)


if __name__ == "__main__":
    main()
