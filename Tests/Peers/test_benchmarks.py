"""The benchmarks run, at sizes that measure nothing, and what the engines answer in them agrees."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from support import BINARY, SECONDS, SHARED, number_from_environment, shared

BENCHMARKS = pathlib.Path(__file__).resolve().parents[2] / "Benchmarks"
ROWS = number_from_environment("VARVE_BENCHMARK_ROWS", 5000)
# What starts quickly; VARVE_BENCHMARK_ENGINES=varve,duckdb,datafusion,polars tries them all.
ENGINES = "varve,duckdb"


def results(script, folder, *arguments, status=0, environment={}):
    """Runs a benchmark once; what it wrote as JSON, of everything but the start-up."""
    path = folder / "results.json"
    engines = os.environ.get("VARVE_BENCHMARK_ENGINES", ENGINES)
    command = [sys.executable, BENCHMARKS / script, "--rounds", "1", "--threads", "2", "--engines", engines, "--files", folder / "data", "--json", path]
    done = subprocess.run([*map(str, command), *map(str, arguments)], capture_output=True, text=True, timeout=3 * SECONDS,
                          env={**os.environ, "VARVE_BIN": str(BINARY), "VARVE_SHARED": str(SHARED), **environment})
    assert done.returncode == status, done.stdout + done.stderr
    written = json.loads(path.read_text())
    return [result for result in written["results"] if result["query"] != "start-up"], done.stdout


def check(each, queries):
    """Every engine measured every query, or says why not; whoever answered, answered the same."""
    assert {result["query"] for result in each} == set(queries)
    for result in each:
        assert not result["differs"], result
        if result["engine"] == "varve":
            assert not result["reason"] and result["cpu"] and result["peak"], result
        elif result["engine"] != "bound":
            assert result["reason"] or result["cpu"], result


def test_tpch(tmp_path):
    shared("corpora", "tpch", "queries")
    each, printed = results("tpch.py", tmp_path, "--scale", "0.01", "--filter", "Q(3|21)$", "--memory", "400MB")
    check(each, ["Q3", "Q21"])
    assert "/ limit" in printed


def test_visits(tmp_path):
    each, _ = results("clickbench.py", tmp_path, "--rows", ROWS, "--filter", "^(24|29|40) ")
    check(each, ["24 whole rows", "29 hosts of referers", "40 by hour"])


def test_groups_and_joins(tmp_path):
    each, _ = results("h2o.py", tmp_path, "--rows", ROWS, "--filter", "0[89]|outer")
    check(each, ["group 08 best two", "group 09 correlation", "join 3 medium outer"])


def test_columns(tmp_path):
    names = ["int64_nulls DELTA_BINARY_PACKED lz4", "date PLAIN snappy"]
    each, _ = results("decode.py", tmp_path, "--rows", ROWS, "--repeat", "2", "--filter", f"^({'|'.join(names)})$", "--engines", "varve,pyarrow")
    check(each, names)


def test_kernels(tmp_path):
    names = ["arithmetic decimals", "group texts", "running sums", "regular expression"]
    each, _ = results("kernels.py", tmp_path, "--rows", ROWS, "--repeat", "2", "--filter", f"^({'|'.join(names)})$")
    check(each, names)


def pretender(folder, change):
    """A program that is varve but for what a shell makes of the query."""
    program = folder / "varve"
    program.write_text(f'''#!/bin/sh
if [ "$1" = sql ]; then
    query=$2
    shift 2
    {change}
    exec '{BINARY}' sql "$query" "$@"
fi
exec '{BINARY}' "$@"
''')
    program.chmod(0o755)
    return {"VARVE_BIN": str(program)}


def test_a_wrong_answer_is_told(tmp_path):
    environment = pretender(tmp_path, """query=$(printf %s "$query" | sed 's/sum(v1)/sum(v1) + 1/')""")
    each, printed = results("h2o.py", tmp_path, "--rows", ROWS, "--filter", "01", status=1, environment=environment)
    assert "answers differ from DuckDB's: row 1" in printed
    assert {result["engine"]: bool(result["differs"]) for result in each} == {"varve": True, "duckdb": False}


def test_a_query_that_fails_is_told(tmp_path):
    environment = pretender(tmp_path, """case $query in *GROUP*) query='SELECT nothing';; esac""")
    each, printed = results("h2o.py", tmp_path, "--rows", ROWS, "--filter", "01", status=1, environment=environment)
    assert "nothing" in {result["engine"]: result["reason"] for result in each}["varve"]
    assert "- (" in printed


def test_catalog_start():
    """A log that another program wrote by the format's text is read, with and without checkpoints."""
    command = [sys.executable, BENCHMARKS / "catalog_start.py", BINARY, "--entries", "1500", "--tables", "300", "--runs", "1"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=3 * SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "position 1500, 301 namespaces" in done.stdout


def test_loads_and_commits(tmp_path):
    """The load generator, the store that answers late, and what they are pointed at."""
    for script, names in [
        ("loads.py", ["GET table, If-None-Match (304)"]),
        ("commits.py", ["sql, one table", "sql, 8 tables", "rest, set a property", "sql, store at 5 ms"]),
    ]:
        command = [sys.executable, BENCHMARKS / script, "--seconds", "0.5", "--connections", "6"]
        command += ["--rounds", "1"] if script == "loads.py" else ["--millis", "5"]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=3 * SECONDS,
                              env={**os.environ, "VARVE_BIN": str(BINARY), "TMPDIR": str(tmp_path)})
        assert done.returncode == 0, done.stdout + done.stderr
        for name in names:
            line = next(line for line in done.stdout.splitlines() if line.startswith(name))
            statuses = dict(part.split(":") for part in line.split() if part[:3].isdigit() and ":" in part)
            assert set(statuses) <= {"200", "304"}, line


@pytest.mark.skipif(shutil.which("perf") is None, reason="perf is not installed")
def test_recording(tmp_path):
    command = [sys.executable, BENCHMARKS / "recording.py", "--seconds", "1", "--connections", "6"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=3 * SECONDS,
                          env={**os.environ, "VARVE_BIN": str(BINARY), "TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "together" in done.stdout


def test_events(tmp_path):
    command = [sys.executable, BENCHMARKS / "events.py", "--seconds", "0.5", "--events", "2000", "--json", tmp_path / "figures"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=3 * SECONDS,
                          env={**os.environ, "VARVE_BIN": str(BINARY), "TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / "figures").read_text())
    assert figures["count"] > 0
    for name, statuses in {"INSERTs alone, 4 clients": {"200"}, "events, one each, 64 clients": {"201"}, "batches of 100, 4 clients": {"204"}}.items():
        assert set(figures[name]["statuses"]) == statuses, figures[name]


def test_lineage(tmp_path):
    """The graph's index is one that a server takes, and other programs find as much as Varve."""
    command = [sys.executable, BENCHMARKS / "lineage.py", "--tables", "400", "--probes", "40", "--seconds", "0.5",
               "--peer-tables", "400", "--peer-probes", "40", "--json", tmp_path / "figures"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=3 * SECONDS,
                          env={**os.environ, "VARVE_BIN": str(BINARY), "TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / "figures").read_text())
    assert figures["peers"]["networkx"] and figures["scale"]["first answer"]
    assert all(set(found["statuses"]) == {"200"} for found in figures["scale"].values() if isinstance(found, dict) and "statuses" in found)
