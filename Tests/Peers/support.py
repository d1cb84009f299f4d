"""Runs the varve binary, and brings the rows that different engines give into one comparable form."""
import contextlib
import datetime
import decimal
import functools
import json
import math
import os
import pathlib
import re
import socket
import subprocess
import sys
import time
import urllib.parse
import uuid

import duckdb
import pyarrow
import pyarrow.compute
import pyarrow.ipc
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("VARVE_BIN", ROOT / ".build/release/varve"))
SHARED = pathlib.Path(os.environ.get("VARVE_SHARED", ROOT.parent / "shared"))
SECONDS = 300

decimal.getcontext().prec = 100


def number_from_environment(name, default):
    return int(os.environ.get(name, default))


def shared(*parts):
    """A path in the shared test data; the test is skipped where they are absent."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no test data at {path} (set VARVE_SHARED)")
    return path


class VarveError(Exception):
    """A statement that varve refused: what it wrote to standard error."""


class VarveCrash(AssertionError):
    """varve died of a signal, or ended as no program should."""


class Varve:
    """The varve command on one warehouse."""

    def __init__(self, warehouse, environment=None):
        self.warehouse = str(warehouse)
        self.environment = {**os.environ, "SWIFT_BACKTRACE": "enable=no", **(environment or {})}

    def command(self, *arguments):
        return [str(BINARY), *map(str, arguments), "--warehouse", self.warehouse]

    def run(self, *arguments, seconds=SECONDS, input=None):
        """Runs a command to its end; a signal or a hang is a failure of the test whatever it expects."""
        try:
            done = subprocess.run(self.command(*arguments), capture_output=True, timeout=seconds,
                                  env=self.environment, input=input)
        except subprocess.TimeoutExpired as error:
            raise VarveCrash(f"hangs for {seconds} s: {arguments}") from error
        if done.returncode not in (0, 1, 2):
            raise VarveCrash(f"ended with {done.returncode}: {arguments}\n{done.stderr.decode(errors='replace')}")
        return done

    def start(self, *arguments, **keywords):
        return subprocess.Popen(self.command(*arguments), env=self.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **keywords)

    def sql(self, text, *arguments, format="arrow", seconds=SECONDS):
        # Long texts do not fit into an argument.
        if len(text) > 100_000:
            done = self.run("sql", "--format", format, *arguments, seconds=seconds, input=text.encode())
        else:
            done = self.run("sql", text, "--format", format, *arguments, seconds=seconds)
        if done.returncode != 0:
            raise VarveError(done.stderr.decode(errors="replace").strip())
        return done

    def execute(self, text, **keywords):
        """Runs statements that give no rows; answers what varve reported of each."""
        return self.sql(text, format="table", **keywords).stderr.decode().splitlines()

    def table(self, text, *arguments, **keywords):
        """The rows of one query, as an Arrow table."""
        with pyarrow.ipc.open_stream(self.sql(text, *arguments, **keywords).stdout) as stream:
            return stream.read_all()

    def rows(self, text, *arguments, **keywords):
        """The rows of one query as tuples of Python values."""
        table = self.table(text, *arguments, **keywords)
        return list(zip(*[column.to_pylist() for column in table.columns])) if table.num_columns else []

    def records(self, text, *arguments, **keywords):
        """The rows of one query as dictionaries."""
        return self.table(text, *arguments, **keywords).to_pylist()

    def lineage(self, *arguments):
        """What `varve lineage` answers, as JSON."""
        done = self.run("lineage", *arguments, "--format", "json")
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    def value(self, text, *arguments):
        return self.rows(text, *arguments)[0][0]

    def error(self, text):
        """The message with which varve refuses a statement."""
        with pytest.raises(VarveError) as caught:
            self.sql(text)
        return str(caught.value)

    def has_command(self, name):
        return commands_of_binary().get(name, False)

    def verify(self):
        """Checks the hash chain of the log, when this binary can."""
        if self.has_command("audit"):
            done = self.run("audit", "verify")
            assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()

    def log_entries(self):
        """The entries of the catalog log in a folder, in order."""
        folder = pathlib.Path(self.warehouse, "_varve", "log")
        return [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]

    def metadata_files(self, name, namespace=("main",)):
        """The metadata files of a table that the log names, oldest first."""
        where, found = (list(namespace), name), {}
        for entry in self.log_entries():
            for commit in entry["commits"]:
                for change in commit["changes"]:
                    table = (json.dumps(change.get("namespace")), change.get("name"))
                    if change["change"] == "drop-table":
                        found.pop(table, None)
                    elif change["change"] == "rename-table":
                        target = (json.dumps(change["to-namespace"]), change["to-name"])
                        found[target] = found.pop(table)
                    elif "metadata-location" in change:
                        found.setdefault(table, []).append(change["metadata-location"])
        return found[(json.dumps(where[0]), where[1])]

    def metadata_file(self, name, namespace=("main",)):
        """The path of the metadata file that is current."""
        return local_path(self.metadata_files(name, namespace)[-1])


_commands = {}


def commands_of_binary():
    """The commands that the binary knows, from its own help."""
    if not _commands:
        text = subprocess.run([str(BINARY), "--help"], capture_output=True, timeout=SECONDS).stdout.decode()
        section = text.split("SUBCOMMANDS:")[-1]
        for match in re.finditer(r"^  ([a-z]+)(?: |,|$)", section, re.MULTILINE):
            _commands[match.group(1)] = True
    return _commands


def local_path(url):
    parts = urllib.parse.urlparse(url)
    return urllib.parse.unquote(parts.path) if parts.scheme == "file" else url


@functools.cache
def duckdb_with_iceberg():
    """DuckDB with its Iceberg extension from the wheels; the order of loading matters."""
    connection = duckdb.connect(config={"threads": 2})
    for name in ["avro", "httpfs", "iceberg"]:
        module = __import__(f"duckdb_extension_{name}")
        folder = pathlib.Path(module.__path__[0], "extensions", f"v{duckdb.__version__}")
        connection.execute(f"LOAD '{folder / name}.duckdb_extension'")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def wait_until_it_works(pid, seconds=0.5):
    """Waits until a process has used so much more time of a processor, however long that takes."""
    def used():
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    start, deadline = used(), time.monotonic() + 300
    while used() < start + seconds:
        assert time.monotonic() < deadline, f"process {pid} does nothing"
        time.sleep(0.05)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def server(arguments, port, environment=None, seconds=120):
    """A server on loopback for as long as the block runs."""
    process = subprocess.Popen(list(map(str, arguments)), env={**os.environ, **(environment or {})},
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None, f"{arguments[0]} ended with {process.returncode}"
            assert time.monotonic() < deadline, f"{arguments[0]} does not listen"
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def bucket_server(name="bucket"):
    """An S3 server on loopback with one bucket: its URL, and the environment in which clients find it."""
    pytest.importorskip("moto")
    import boto3
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
                   "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": url}
    with server([sys.executable, pathlib.Path(__file__).with_name("moto_store.py"), port], port):
        boto3.client("s3", endpoint_url=url, aws_access_key_id="test", aws_secret_access_key="test",
                     region_name="us-east-1").create_bucket(Bucket=name)
        yield url, environment


@contextlib.contextmanager
def rest_server(varve):
    """`varve serve` on a warehouse, and PyIceberg's catalog that speaks with it."""
    from pyiceberg.catalog.rest import RestCatalog
    port = free_port()
    with server(varve.command("serve", "--port", port), port, varve.environment):
        yield RestCatalog("varve", uri=f"http://127.0.0.1:{port}")


# Comparison of rows.

EPOCH = datetime.datetime(1970, 1, 1)
MICROSECOND = datetime.timedelta(microseconds=1)


def plain(value):
    """A value of any engine as something that is equal exactly when the values are."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return ("exact", decimal.Decimal(value))
    if isinstance(value, decimal.Decimal):
        return ("exact", value.normalize() if value else decimal.Decimal(0))
    if isinstance(value, float):
        if math.isnan(value):
            return ("float", "NaN")
        return ("float", repr(value))
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
            return ("instant", (value - EPOCH) // MICROSECOND)
        return ("timestamp", (value - EPOCH) // MICROSECOND)
    if isinstance(value, datetime.date):
        return ("date", value.toordinal())
    if isinstance(value, datetime.time):
        return ("time", ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond)
    if isinstance(value, uuid.UUID):
        return ("text", str(value))
    if isinstance(value, (bytes, bytearray)):
        return ("bytes", bytes(value))
    if isinstance(value, str):
        return ("text", value)
    raise TypeError(f"{type(value)}: {value!r}")


def canonical_column(column, uuids=False):
    """An Arrow column as comparable values; times of all units become numbers without losing range."""
    if isinstance(column, pyarrow.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pyarrow.ChunkedArray):
            column = pyarrow.concat_arrays(column.chunks) if column.num_chunks else pyarrow.array([], column.type)
    if isinstance(column.type, pyarrow.DictionaryType):
        column = column.dictionary_decode()
    if isinstance(column.type, pyarrow.BaseExtensionType):
        column = column.storage
    kind = column.type
    if pyarrow.types.is_timestamp(kind):
        tag = "instant" if kind.tz else "timestamp"
        micros = column.cast(pyarrow.timestamp("us", kind.tz)).cast(pyarrow.int64())
        return [None if value is None else (tag, value) for value in micros.to_pylist()]
    if pyarrow.types.is_date(kind):
        days = column.cast(pyarrow.date32()).cast(pyarrow.int32())
        return [None if value is None else ("date", value) for value in days.to_pylist()]
    if pyarrow.types.is_time(kind):
        micros = column.cast(pyarrow.time64("us")).cast(pyarrow.int64())
        return [None if value is None else ("time", value) for value in micros.to_pylist()]
    values = column.to_pylist()
    if uuids:
        return [None if value is None else
                ("text", value if isinstance(value, str) else str(uuid.UUID(bytes=bytes(value)))) for value in values]
    return [plain(value) for value in values]


def canonical(table, uuid_columns=("uuid", "u")):
    """The rows of an Arrow table as a sorted list of comparable tuples, columns in order of name."""
    names = sorted(table.column_names)
    columns = [canonical_column(table[name], uuids=name in uuid_columns) for name in names]
    return sorted(zip(*columns), key=repr)


def assert_same_rows(got, expected, what=""):
    """Compares two Arrow tables as bags of rows, by column name."""
    assert sorted(got.column_names) == sorted(expected.column_names), what
    left, right = canonical(got), canonical(expected)
    assert len(left) == len(right), f"{what}: {len(left)} rows, expected {len(right)}"
    for mine, theirs in zip(left, right):
        assert mine == theirs, f"{what}: {mine}, expected {theirs}"
