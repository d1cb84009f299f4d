"""Random queries and changes in varve and in DuckDB; see query_fuzzer.py and change_fuzzer.py for how to look for more than these.

VARVE_FUZZ_QUERIES and VARVE_FUZZ_CHANGES say how many, VARVE_FUZZ_SEED from which seed.
"""
import collections
import os
import random

import pyarrow

import change_fuzzer
from fuzzer_queries import QueryMaker
from fuzzer_tree import Expression, Item, Optional, Query, Sequence, minimised
from fuzzer_worlds import World
from query_fuzzer import Failure, difference, run
from support import number_from_environment

SEED = os.environ.get("VARVE_FUZZ_SEED", "ci")
QUERIES = number_from_environment("VARVE_FUZZ_QUERIES", 2000)
CHANGES = number_from_environment("VARVE_FUZZ_CHANGES", 200)


def test_random_queries_give_the_rows_of_duckdb():
    findings, count = run(SEED, QUERIES, report=lambda text: None, most=20)
    assert not findings, f"{len(findings)} of {count} queries differ\n\n" + "\n\n".join(map(str, findings))
    assert count == QUERIES


def test_queries_with_little_memory_give_the_rows_of_duckdb():
    findings, _ = run(f"{SEED}-small", QUERIES // 8, report=lambda text: None, most=20, memory="8MB")
    assert not findings, "\n\n".join(map(str, findings))


def test_random_changes_leave_the_rows_of_duckdb():
    counted = collections.Counter()
    findings, count = change_fuzzer.run(SEED, CHANGES, report=lambda text: None, most=20, counted=counted)
    assert not findings, f"{len(findings)} of {count} changes differ\n\n" + "\n\n".join(findings)
    assert counted["done"] > count * 0.8, counted


def test_a_seed_gives_the_same_queries_each_time(tmp_path):
    def made(name):
        folder = tmp_path / name
        folder.mkdir()
        world = World("x", folder)
        return [str(QueryMaker(random.Random(number), world).make()) for number in range(50)]

    assert made("one") == made("two")


def table(**columns):
    return pyarrow.table(columns)


def test_rows_are_compared_as_bags():
    assert difference(table(a=[1, 2, 2]), table(b=[2, 1, 2])) is None
    assert difference(table(a=[1, 2, 2]), table(b=[1, 1, 2]))[0] == "rows"
    assert difference(table(a=[1]), table(b=[1, 1]))[0] == "rows"
    assert difference(table(a=[None, 1]), table(b=[0, 1]))[0] == "rows"


def test_floats_are_compared_but_for_the_order_of_summation():
    nan = float("nan")
    assert difference(table(a=[0.1 + 0.2, nan, 1e300]), table(b=[nan, 1e300, 0.3])) is None
    assert difference(table(a=[0.3001]), table(b=[0.3]))[0] == "rows"
    assert difference(table(a=[nan]), table(b=[0.0]))[0] == "rows"


def test_types_are_compared_by_family():
    assert difference(table(a=pyarrow.array([1], pyarrow.int32())), table(b=pyarrow.array([1], pyarrow.int64()))) is None
    assert difference(table(a=[1]), table(b=[1.0]))[0] == "types"
    assert difference(table(a=["1"]), table(b=[1]))[0] == "types"


def test_a_failure_is_only_the_same_as_another_failure():
    assert difference(Failure("no"), Failure("other")) is None
    assert difference(Failure("no"), table(a=[1]))[0] == "varve fails"
    assert difference(table(a=[1]), Failure("no"))[0] == "DuckDB fails"
    assert difference(Failure("CRASH: status -4"), Failure("no"))[0] == "CRASH"


def test_a_query_becomes_as_small_as_its_failure_allows():
    wrong = Expression("int", "wrong(", Expression("int", "y"), ")")
    items = Sequence([Item(Expression("int", "abs(", wrong, ")"), "o1"), Item(Expression("text", "'a'"), "o2")])
    query = Query("SELECT ", items, " FROM t", Optional(" WHERE ", Expression("boolean", "TRUE")), items=items)
    assert minimised(query, lambda text: "wrong(" in text) == "SELECT wrong(y) AS o1 FROM t"
