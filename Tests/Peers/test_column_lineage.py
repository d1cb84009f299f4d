"""Which columns a query's columns come from: against sqlglot, and against what DuckDB's answers do when a column's values change.

VARVE_LINEAGE_QUERIES is how many generated queries are perturbed (120 by default), VARVE_LINEAGE_SEED from which seed.
`pytest -s` prints every disagreement with sqlglot and how many of the edges showed.
"""
import collections
import copy
import json
import os
import pathlib
import random
import re

import pyarrow
import pyarrow.compute as compute
import pyarrow.parquet
import pytest

from fuzzer_queries import QueryMaker
from fuzzer_worlds import World
from query_fuzzer import Duck, Failure, difference
from support import Varve, VarveError, number_from_environment, shared
from test_tpch import TABLES, tpch  # noqa: F401 (a fixture)

QUERIES = number_from_environment("VARVE_LINEAGE_QUERIES", 120)
SEED = os.environ.get("VARVE_LINEAGE_SEED", "ci")


class Lineage:
    """The column map of a commit: of each output its origins, and those of whole rows."""

    def __init__(self, commit):
        (fact,) = [fact for fact in commit["lineage"]["facts"] if fact["output"]["name"]]
        inputs = [dataset["name"][-1] for dataset in fact["inputs"]]
        plan = commit["lineage"]["column-maps"][fact["column-map"]]

        def origins(found):
            return {(inputs[origin["input"]], origin["column"], origin["type"], origin.get("subtype")) for origin in found}

        self.columns = {column["name"]: origins(column["from"]) for column in plan["columns"]}
        self.rows = origins(plan.get("rows", []))

    def reach(self, table, column, kind=None):
        """The output columns that have an edge from a column."""
        return {name for name, found in self.columns.items() if any(edge[:2] == (table, column) and kind in (None, edge[2]) for edge in found)}

    def decides_rows(self, table, column):
        return any(edge[:2] == (table, column) for edge in self.rows)


def commits(varve):
    for path in sorted(pathlib.Path(varve.warehouse, "_varve/log").glob("*.json")):
        yield from json.loads(path.read_text())["commits"]


def lineage_of(varve, names):
    """The lineage of the statements that made tables."""
    maps, found = {}, {}
    for commit in commits(varve):
        lineage = commit.get("lineage")
        if not lineage:
            continue
        # A map is in the first commit that refers to it.
        maps.update(lineage.get("column-maps", {}))
        for fact in lineage["facts"]:
            name = fact["output"]["name"][-1]
            if name in names:
                found[name] = Lineage({"lineage": {"facts": [fact], "column-maps": maps}})
    return found


# sqlglot.

def direct_edges_of_sqlglot(text, schema):
    """Of each output column the columns of tables that sqlglot finds below it."""
    from sqlglot import exp, parse_one
    from sqlglot.lineage import lineage
    from sqlglot.optimizer.qualify import qualify

    tree = parse_one(text, dialect="duckdb")
    qualified = qualify(tree.copy(), schema=schema, dialect="duckdb")
    edges = {}
    for name in qualified.named_selects:
        found = set()
        for node in lineage(name, tree.copy(), schema=schema, dialect="duckdb").walk():
            if not node.downstream and isinstance(node.expression, exp.Table):
                found.add((node.expression.name, node.name.split(".")[-1].strip('"')))
        edges[name] = found
    return edges


@pytest.fixture(scope="module")
def tpch_lineage(tpch):  # noqa: F811
    varve, oracle = tpch
    texts = {f"q{number}": shared("corpora", "tpch", "queries", f"q{number:02}.sql").read_text().rstrip().rstrip(";") for number in range(1, 23)}
    for name, text in texts.items():
        varve.execute(f"CREATE TABLE {name} AS {text}", seconds=600)
    return texts, lineage_of(varve, set(texts)), oracle


def test_direct_edges_of_tpch_are_those_of_sqlglot(tpch_lineage):
    pytest.importorskip("sqlglot")
    texts, lineages, oracle = tpch_lineage
    schema = {table: {row[0]: row[1] for row in oracle.execute(f"DESCRIBE {table}").fetchall()} for table in TABLES}
    agreed, explained, wrong = 0, [], []
    for name, text in texts.items():
        expected = direct_edges_of_sqlglot(text, schema)
        got = lineages[name]
        assert len(got.columns) == len(expected), name
        # By place: what has no name is called otherwise.
        for column, theirs in zip(got.columns, expected.values()):
            mine = {edge[:2] for edge in got.columns[column] if edge[2] == "DIRECT"}
            agreed += len(mine & theirs)
            for table, origin in sorted(mine ^ theirs):
                kinds = {edge[3] for edge in got.columns[column] if edge[:2] == (table, origin)}
                what = f"{name}.{column} from {table}.{origin}"
                if (table, origin) in theirs and kinds == {"CONDITIONAL"}:
                    explained.append(f"{what}: it only decides which value is taken (CASE … WHEN): INDIRECT here, sqlglot has one kind of edge")
                elif (table, origin) in theirs and kinds and kinds <= {"CONDITIONAL", "JOIN", "FILTER"}:
                    explained.append(f"{what}: in a subquery's condition ({', '.join(sorted(kinds))})")
                else:
                    wrong.append(f"{what}: {'sqlglot alone' if (table, origin) in theirs else 'varve alone'}; here {kinds}")
    print(f"\n{agreed} DIRECT edges agree; {len(explained)} explained:\n  " + "\n  ".join(explained))
    assert not wrong, "\n".join(wrong)
    assert agreed > 80


# Perturbation.

def beyond(column):
    """Values that the column may not have."""
    kind = column.type
    if pyarrow.types.is_int32(kind) or pyarrow.types.is_int64(kind):
        return compute.subtract(compute.negate_checked(column), pyarrow.scalar(7, kind))
    if pyarrow.types.is_floating(kind):
        return compute.add(column, pyarrow.scalar(7, kind))
    if pyarrow.types.is_date32(kind):
        return compute.add(column.cast(pyarrow.int32()), pyarrow.scalar(1000, pyarrow.int32())).cast(kind)
    if pyarrow.types.is_string(kind):
        return compute.utf8_reverse(column)
    return column


def perturbed(table, name, chance):
    """A table with other values in one column: the same ones in other rows, one and the same in half of them, and others."""
    column = table[name].combine_chunks()
    if isinstance(column, pyarrow.ChunkedArray):
        column = pyarrow.concat_arrays(column.chunks) if column.num_chunks else pyarrow.array([], column.type)
    count = len(column)
    if count < 2:
        return
    shuffled = list(range(count))
    chance.shuffle(shuffled)
    one = chance.randrange(count)
    others = [column.take(pyarrow.array(places)) for places in (shuffled, [one if chance.random() < 0.5 else place for place in range(count)])]
    try:
        others.append(beyond(column))
    except pyarrow.ArrowInvalid:
        pass
    for other in others:
        if not other.equals(column):
            place = table.column_names.index(name)
            yield table.set_column(place, table.field(place), other)


class Perturbation:
    """DuckDB with tables in which one column at a time is changed."""

    def __init__(self, duck, tables):
        self.duck, self.tables = duck, tables
        self.counts = collections.Counter()
        self.problems = []
        self.unmoved = []
        for name, table in tables.items():
            self.put(name, table)

    def put(self, name, table):
        self.duck.connection.register(name, table)

    def ask(self, query):
        return self.duck.ask(query)

    def check(self, name, query, lineage, chance):
        before = self.ask(query)
        if isinstance(before, Failure) or before.num_columns != len(lineage.columns):
            self.counts["queries that DuckDB refuses"] += 1
            return
        self.counts["queries"] += 1
        # Who answers otherwise when asked again says nothing.
        if difference(self.ask(query), before):
            self.counts["queries that are not deterministic"] += 1
            return
        # Outputs by place: names may be there twice for DuckDB.
        places = {column: place for place, column in enumerate(lineage.columns)}
        for table, data in self.tables.items():
            if not re.search(rf'(?<!\w){re.escape(table)}(?!\w)', query):
                continue
            for column in data.column_names:
                reached = lineage.reach(table, column)
                decides = lineage.decides_rows(table, column)
                direct = lineage.reach(table, column, "DIRECT")
                safe = [] if decides else [places[output] for output in lineage.columns if output not in reached]
                if not safe and not direct:
                    continue
                moved = set()
                for other in perturbed(data, column, chance):
                    self.put(table, other)
                    after = self.ask(query)
                    if isinstance(after, Failure):
                        self.counts["perturbed queries that fail"] += 1
                        continue
                    self.counts["perturbed queries"] += 1
                    if safe:
                        found = difference(after.select(safe), before.select(safe))
                        self.counts["outputs without an edge"] += len(safe)
                        if found:
                            self.problems.append(f"{name}: {table}.{column} has no edge to {[list(lineage.columns)[place] for place in safe]} and is in none of the rows' edges\n  {query}\n  {found}")
                    moved |= {output for output in direct if difference(after.select([places[output]]), before.select([places[output]]))}
                self.put(table, data)
                self.counts["DIRECT edges"] += len(direct)
                self.counts["DIRECT edges that show"] += len(moved)
                self.unmoved += [f"{name}.{output} from {table}.{column}" for output in sorted(direct - moved)]

    def report(self):
        print("\n" + ", ".join(f"{count} {what}" for what, count in self.counts.items()))


def test_outputs_of_tpch_change_only_with_the_columns_that_they_come_from(tpch_lineage):
    texts, lineages, oracle = tpch_lineage
    duck = Duck()
    # Dates and decimals as DuckDB has them; one row in ten is enough.
    tables = {table: oracle.execute(f"SELECT * FROM {table}").to_arrow_table() for table in TABLES}
    perturbation = Perturbation(duck, tables)
    for name, text in texts.items():
        perturbation.check(name, text, lineages[name], random.Random(f"perturbation/{name}"))
    perturbation.report()
    print("DIRECT edges that did not show (no rows, or all values alike):\n  " + "\n  ".join(perturbation.unmoved))
    assert not perturbation.problems, "\n\n".join(perturbation.problems)
    counts = perturbation.counts
    assert counts["queries"] == 22 and counts["outputs without an edge"] > 100
    assert counts["DIRECT edges that show"] > 0.8 * counts["DIRECT edges"]


def test_an_edge_that_is_missing_shows(tpch_lineage):
    texts, lineages, oracle = tpch_lineage
    tables = {"lineitem": oracle.execute("SELECT * FROM lineitem").to_arrow_table()}
    for column in ("l_quantity", "l_returnflag", "l_shipdate"):
        broken = copy.deepcopy(lineages["q1"])
        broken.columns = {name: {edge for edge in edges if edge[1] != column} for name, edges in broken.columns.items()}
        broken.rows = {edge for edge in broken.rows if edge[1] != column}
        perturbation = Perturbation(Duck(), tables)
        perturbation.check("q1", texts["q1"], broken, random.Random("broken"))
        assert perturbation.problems and all(f"lineitem.{column} " in problem for problem in perturbation.problems)


SHAPES = """
SELECT a, b FROM t UNION SELECT c, d FROM u
SELECT a FROM t INTERSECT SELECT c FROM u
SELECT a, b FROM t EXCEPT ALL SELECT c, d FROM u
SELECT a FROM t UNION ALL SELECT d FROM u
SELECT DISTINCT a FROM t
SELECT DISTINCT ON (a) a, b FROM t ORDER BY a, b
SELECT a, sum(b) FILTER (WHERE e > 3) AS s, count(*) AS n FROM t GROUP BY a
SELECT a, count(*) AS n FROM t GROUP BY ROLLUP (a)
SELECT a, sum(b) OVER (PARTITION BY e ORDER BY b ROWS 1 PRECEDING) AS s, rank() OVER (ORDER BY e) AS r FROM t
SELECT a, row_number() OVER (ORDER BY a, b, e) AS r FROM t QUALIFY r < 5
SELECT CASE WHEN a > 3 THEN b ELSE e END AS x, coalesce(a, e) AS y, b FROM t
SELECT t.b, u.d FROM t JOIN u ON t.a = u.c
SELECT t.b, u.d FROM t LEFT JOIN u ON t.a = u.c AND u.d > 2
SELECT b, (SELECT max(d) FROM u WHERE c = t.a) AS m FROM t
SELECT b FROM t WHERE EXISTS (SELECT 1 FROM u WHERE c = t.a)
SELECT b, a IN (SELECT c FROM u) AS f FROM t
SELECT b FROM t WHERE a > ALL (SELECT c FROM u WHERE d > 2)
SELECT a, b FROM t ORDER BY e, a, b LIMIT 3
SELECT b, x FROM t, LATERAL (SELECT d AS x FROM u WHERE c = t.a ORDER BY d, c LIMIT 1)
SELECT t.b, v.x FROM t, UNNEST([t.a, t.e]) AS v(x)
WITH RECURSIVE r(n, k) AS (SELECT a, b FROM t UNION SELECT r.k, u.d FROM r JOIN u ON u.c = r.n) SELECT n FROM r
WITH m AS MATERIALIZED (SELECT a, sum(b) AS s FROM t GROUP BY a) SELECT x.s, y.a FROM m AS x JOIN m AS y ON x.a = y.a + 1
SELECT max_by(b, e) AS m, arg_min(a, b) AS n FROM t
SELECT string_agg(CAST(b AS VARCHAR), ',' ORDER BY e, b) AS l FROM t
FROM (PIVOT t ON a IN (1, 2) USING sum(b) GROUP BY e)
FROM (UNPIVOT t ON a, b INTO NAME n VALUE v)
SELECT b FROM t ASOF JOIN u ON t.a >= u.c
""".strip().splitlines()


def test_every_kind_of_query_says_what_its_columns_come_from(varve):
    chance = random.Random("shapes")
    tables = {name: pyarrow.table({column: pyarrow.array([chance.choice([None, *range(7)]) for _ in range(40)], pyarrow.int32()) for column in columns})
              for name, columns in [("t", "abe"), ("u", "cd")]}
    for name, table in tables.items():
        rows = ", ".join("(" + ", ".join("NULL" if value is None else str(value) for value in row.values()) + ")" for row in table.to_pylist())
        varve.execute(f"CREATE TABLE {name} ({', '.join(f'{column} INTEGER' for column in table.column_names)}); INSERT INTO {name} VALUES {rows}")
    for number, query in enumerate(SHAPES):
        varve.execute(f"CREATE TABLE made{number} AS {query}")
    lineages = lineage_of(varve, {f"made{number}" for number in range(len(SHAPES))})
    perturbation = Perturbation(Duck(), tables)
    for number, query in enumerate(SHAPES):
        perturbation.check(query, query, lineages[f"made{number}"], chance)
    perturbation.report()
    assert not perturbation.problems, "\n\n".join(perturbation.problems)
    assert perturbation.counts["queries"] == len(SHAPES) and not perturbation.counts["queries that are not deterministic"]


def test_outputs_of_generated_queries_change_only_with_the_columns_that_they_come_from(tmp_path):
    done, problems, counts = 0, [], collections.Counter()
    world_number = 0
    while done < QUERIES:
        folder = tmp_path / f"world{world_number}"
        folder.mkdir()
        world = World(f"{SEED}/{world_number}", folder)
        varve = Varve(folder / "lake")
        tables = {}
        for table in world.tables:
            varve.execute(f"CREATE TABLE {table.name} AS SELECT * FROM read_parquet('{table.path}')", seconds=300)
            tables[table.name.strip('"')] = pyarrow.parquet.read_table(table.path)
        perturbation = Perturbation(Duck(), tables)
        queries = {}
        for number in range(60):
            if done + len(queries) >= QUERIES:
                break
            tree = QueryMaker(random.Random(f"{SEED}/{world_number}/{number}"), world).make()
            query = str(tree)
            probe = perturbation.ask(f"SELECT * FROM ({query}) LIMIT 0")
            if isinstance(probe, Failure):
                continue
            names = [f"c{place}" for place in range(probe.num_columns)]
            text = f"SELECT * FROM ({query}) AS q({', '.join(names)})"
            try:
                varve.execute(f"CREATE TABLE made{number} AS {text}", seconds=300)
            except VarveError:
                counts["queries that make no table"] += 1
                continue
            queries[f"made{number}"] = text
        lineages = lineage_of(varve, set(queries))
        for name, text in queries.items():
            perturbation.check(f"{SEED}/{world_number}/{name}", text, lineages[name], random.Random(name))
        done += len(queries)
        counts.update(perturbation.counts)
        problems += perturbation.problems
        world_number += 1
        perturbation.duck.connection.close()
    print("\n" + ", ".join(f"{count} {what}" for what, count in counts.items()))
    assert not problems, f"{len(problems)} problems\n\n" + "\n\n".join(problems[:10])
    assert counts["outputs without an edge"] > QUERIES
