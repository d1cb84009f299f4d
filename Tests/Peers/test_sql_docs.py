"""docs/sql.md: every example gives the result beside it, and every function is there."""
import csv
import importlib.machinery
import importlib.util
import io
import re

import pytest

from support import ROOT, VarveError

DOCUMENT = ROOT / "docs/sql.md"


@pytest.fixture(scope="module", autouse=True)
def warehouse(module_varve):
    """A warehouse begins with its first commit."""
    module_varve.execute("CREATE SCHEMA examples")


def cells(line):
    """The cells of a line of a table, without the backslashes before bars and the quotes of code."""
    parts = re.split(r"(?<!\\)\|", line.strip().strip("|"))
    return [part.strip().replace("\\|", "|") for part in parts]


def code(cell):
    match = re.fullmatch(r"`(.*)`", cell, re.S)
    return match.group(1) if match else None


def tables():
    """Tables with a column Example and a column Result: heading of the section, rows as dictionaries."""
    section, head, found = "", None, []
    for line in DOCUMENT.read_text().splitlines():
        if line.startswith("#"):
            section = line.lstrip("# ")
        if not line.startswith("|"):
            head = None
            continue
        row = cells(line)
        if head is None:
            head = row
        elif not set(line) <= set("|- "):
            if "Example" in head:
                found.append((section, dict(zip(head, row))))
    return found


def generator():
    loader = importlib.machinery.SourceFileLoader("sql_functions", str(ROOT / "tools/sql-functions"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def test_every_example_gives_its_result(module_varve):
    module = generator()
    kinds = {row[0]: row[1] for row in module_varve.rows("SELECT category, kind FROM varve.functions")}
    def shown(query):
        output = module_varve.sql(query, format="csv").stdout.decode()
        rows = list(csv.reader(io.StringIO(output)))[1:]
        return rows[0] if rows and rows[0] else [""]

    wrong, queries = [], []
    for section, row in tables():
        example, result = code(row["Example"]), code(row["Result"])
        assert example and result is not None, row
        queries.append((module.query_of(kinds.get(section, "scalar"), example), example, result))
    for start in range(0, len(queries), 25):
        part = queries[start:start + 25]
        try:
            # Many at once: every query gives one text.
            got = shown("SELECT " + ", ".join(f"({query})" for query, _, _ in part))
        except VarveError:
            got = []
        if len(got) == len(part) and all(value == result or (result == "NULL" and value == "") for value, (_, _, result) in zip(got, part)):
            continue
        for query, example, result in part:
            try:
                value = shown(query)[0]
            except VarveError as error:
                value = f"error: {error}"
            if value != result and not (result == "NULL" and value == ""):
                wrong.append(f"{example}: {value!r}, the document says {result!r}")
    count = len(queries)
    assert count > 200
    assert not wrong, "\n".join(wrong)


def test_every_function_is_described_as_the_program_does(module_varve):
    text = DOCUMENT.read_text().replace("\\|", "|")
    missing = [f"{name}: {signature}" for name, signature, alias in module_varve.rows("SELECT name, signature, alias_of FROM varve.functions")
               if (f"`{name}`" if alias else f"`{signature}`") not in text]
    assert not missing, "run tools/sql-functions: " + "; ".join(missing)


def test_every_name_that_the_binder_knows_is_described(module_varve):
    known = {row[0] for row in module_varve.rows("SELECT name FROM varve.functions")}
    names = set()
    for path in ["Binder+Rewritten.swift", "Binder+MoreRewritten.swift"]:
        for match in re.finditer(r'^\s+(?:case )?((?:\("\w+", [\d_]\),? ?)+)', (ROOT / "Sources/Planner/Bind" / path).read_text(), re.M):
            names |= set(re.findall(r'"(\w+)"', match.group(1)))
    catalog = (ROOT / "Sources/Planner/Bind/FunctionCatalog.swift").read_text()
    for line in re.findall(r'^\s+case ("[^:]*): \.', catalog, re.M):
        names |= set(re.findall(r'"(\w+)"', line))
    assert len(names) > 60
    # What is refused with a hint, and words of the grammar.
    assert not names - known - {"setseed", "hex", "base64"}, names - known
