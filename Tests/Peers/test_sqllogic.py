"""Tests/EngineTests/sqllogic/*.slt: their answers are still DuckDB's, and what differs on purpose still does.

The suite "sqllogictest" of EngineTests runs them in Varve; tools/sqllogic-answers writes the answers.
"""
import importlib.machinery
import importlib.util

import pytest

from support import ROOT

FILES = sorted((ROOT / "Tests/EngineTests/sqllogic").glob("*.slt"))


def tool():
    loader = importlib.machinery.SourceFileLoader("sqllogic_answers", str(ROOT / "tools/sqllogic-answers"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_answers_are_those_of_duckdb(file):
    problems = []
    text = file.read_text()
    answered = tool().rewritten(text, file.name, problems)
    assert not problems
    assert answered == text, "tools/sqllogic-answers writes them again"


def test_there_are_files():
    assert FILES
