"""kill -9 of a writer whose store is far away, where entries carry their files: some die between an entry and its files.

VARVE_FAR_KILLS is how many times (40 in a full run), VARVE_KILL_SEED from where the moments are drawn.
"""
import contextlib
import json
import pathlib
import random
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from support import Varve, free_port, number_from_environment
from test_kill import ROWS, SEED, statement, written_until_killed

KILLS = number_from_environment("VARVE_FAR_KILLS", 5)


@pytest.fixture
def distant(tmp_path):
    """A warehouse in a bucket whose every answer takes 60 ms, and how to look into it."""
    if not shutil.which("cc"):
        pytest.skip("the store needs a C compiler")
    source = pathlib.Path(__file__).parents[2] / "Benchmarks" / "store.c"
    subprocess.run(["cc", "-O2", "-o", tmp_path / "store", source], check=True)
    port = free_port()
    store = subprocess.Popen([tmp_path / "store", str(port), "60"])
    url = f"http://127.0.0.1:{port}"

    def read(key, method="GET"):
        address = f"{url}/bucket/lake/{urllib.parse.quote(key)}"
        with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(urllib.request.Request(address, method=method)) as answer:
            return answer.read()
        return None

    try:
        for _ in range(3000):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        environment = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": url}
        yield Varve("s3://bucket/lake", environment), read
    finally:
        store.terminate()
        store.wait()


def test_a_writer_killed_between_an_entry_and_its_files_leaves_whole_commits(distant):
    varve, read = distant
    chance = random.Random(SEED)
    # The first commit of a process writes its files before the entry, the later ones with it.
    varve.execute("CREATE TABLE t (round INTEGER, number INTEGER, part INTEGER); " + "; ".join(statement(-1, number) for number in range(4)))
    position = carried = incomplete = 0
    files = []
    for round in range(KILLS):
        acknowledged = written_until_killed(varve, round, chance.uniform(0.6, 1.6))
        while (bytes := read(f"_varve/log/{position + 1:020d}.json")) is not None:
            position += 1
            files = json.loads(bytes).get("files", [])
            carried += bool(files)
        incomplete += any(read(file["key"], "HEAD") is None for file in files)
        found = sorted(varve.rows(f"SELECT number, part FROM t WHERE round = {round}"))
        numbers = sorted({number for number, _ in found})
        assert found == [(number, part) for number in numbers for part in range(ROWS)], "a commit is there in part"
        assert numbers == list(range(len(numbers))), "a commit in the middle is missing"
        assert len(numbers) - acknowledged in (0, 1), f"{acknowledged} acknowledged, {len(numbers)} there"
        # Whoever reads it completes it.
        assert all(read(file["key"], "HEAD") is not None for file in files)
    varve.verify()
    assert carried > 0, "no entry carried its files"
    print(f"{carried} of {position} entries carried their files; {incomplete} of {KILLS} last ones lacked some")
