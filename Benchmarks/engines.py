"""How each engine is started for one query: the command and the environment of a process of its own."""
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = os.environ.get("VARVE_BIN", str(ROOT / ".build/release/varve"))
SHARED = pathlib.Path(os.environ.get("VARVE_SHARED", ROOT.parent / "shared"))
CHILD = pathlib.Path(__file__).with_name("run_engine.py")
NAMES = {"varve": "Varve", "duckdb": "DuckDB", "datafusion": "DataFusion", "polars": "Polars", "pyarrow": "pyarrow"}
# Engines that have no limit on their memory.
WITHOUT_LIMIT = ["polars", "pyarrow"]


class Varve:
    """The varve command; tables are views over their files, in a warehouse for each set of tables."""

    name = "varve"

    def __init__(self, folder):
        self.folder, self.warehouses = pathlib.Path(folder), {}

    def warehouse(self, tables):
        key = tuple(sorted(tables.items()))
        if key not in self.warehouses:
            path = self.folder / f"lake-{len(self.warehouses)}"
            views = "; ".join(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{file}')" for name, file in key)
            if views:
                subprocess.run([BINARY, "sql", views, "--warehouse", path], check=True, capture_output=True)
            self.warehouses[key] = path
        return self.warehouses[key]

    def command(self, text, tables, threads, memory=None, repeat=1, answer=None):
        command = [BINARY, "sql", text, "--warehouse", str(self.warehouse(tables)), "--threads", str(threads), "--repeat", str(repeat)]
        if memory:
            command += ["--memory", memory]
        return command + (["--format", "arrow", "--output", str(answer)] if answer else ["--format", "csv"]), {}


class InPython:
    """An engine that Python brings, started through a script that imports nothing but this engine."""

    def __init__(self, name):
        self.name = name

    def command(self, text, tables, threads, memory=None, repeat=1, answer=None):
        request = {"engine": self.name, "text": text, "tables": tables, "threads": threads,
                   "memory": memory and size(memory), "repeat": repeat, "answer": answer and str(answer)}
        # Polars, and the runtime below DataFusion, take their threads from here.
        environment = {"POLARS_MAX_THREADS": str(threads), "TOKIO_WORKER_THREADS": str(threads)}
        return [sys.executable, str(CHILD), json.dumps(request)], environment


def engines(names, folder):
    """The engines of these names; folder is where Varve's views may be kept for the time of the run."""
    return [Varve(folder) if name == "varve" else InPython(name) for name in names]


def size(text):
    """The bytes of a size as Varve's --memory reads it: 500MB, 4GB, 1GiB."""
    match = re.fullmatch(r"(\d+)\s*([kmgt]?)(i?)b?", text.strip().lower())
    if not match:
        raise ValueError(f"{text!r} is no size such as 4GB")
    return int(match[1]) * (1024 if match[3] else 1000) ** " kmgt".index(match[2] or " ")


def versions(names):
    """The versions of the engines."""
    known = {}
    for name in names:
        command = [BINARY, "--version"] if name == "varve" else [sys.executable, "-c", f"import {name}; print({name}.__version__)"]
        known[name] = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().removeprefix("varve ")
    return known
