"""Questions about lineage in SQL, held against a recursive query of DuckDB over the edges that the log has."""

import duckdb
import pytest

from support import Varve

STATEMENTS = """
    CREATE TABLE orders (id INTEGER, customer INTEGER, amount DECIMAL(10, 2), note VARCHAR);
    CREATE TABLE customers (id INTEGER, name VARCHAR, country VARCHAR);
    INSERT INTO orders SELECT i, i % 3, i * 1.5, 'n' || i FROM range(10) r(i);
    INSERT INTO customers SELECT i, 'c' || i, 'de' FROM range(3) r(i);
    CREATE TABLE joined AS SELECT o.id, c.name, o.amount FROM orders o JOIN customers c ON o.customer = c.id WHERE c.country = 'de';
    CREATE TABLE totals AS SELECT name, sum(amount) AS total FROM joined GROUP BY name;
    CREATE TABLE report AS SELECT upper(name) AS name, total FROM totals WHERE total > 1;
    INSERT INTO report SELECT name, 0 FROM customers;
    CREATE TABLE beside AS SELECT note FROM orders;
"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    varve = Varve(tmp_path_factory.mktemp("lineage") / "lake")
    varve.execute(STATEMENTS)
    return varve


@pytest.fixture(scope="module")
def edges(lake):
    """What the log says, in DuckDB: values only, from column to column."""
    connection = duckdb.connect()
    found = lake.records("SELECT source, source_column, target, target_column, type FROM varve.lineage WHERE source_column IS NOT NULL AND target_column IS NOT NULL")
    connection.execute("CREATE TABLE edges (source VARCHAR, target VARCHAR, type VARCHAR)")
    for row in found:
        connection.execute("INSERT INTO edges VALUES (?, ?, ?)", [f"{row['source']}.{row['source_column']}", f"{row['target']}.{row['target_column']}", row["type"]])
    return connection


def closure(edges, start, near, far):
    query = f"""WITH RECURSIVE reached(node, depth) AS (
        SELECT '{start}', 0 UNION
        SELECT {far}, depth + 1 FROM edges JOIN reached ON {near} = node WHERE type = 'DIRECT' AND depth < 20)
        SELECT node, min(depth) FROM reached GROUP BY node"""
    return dict(edges.execute(query).fetchall())


COLUMNS = ["main.report.total", "main.report.name", "main.totals.total", "main.beside.note", "main.orders.amount", "main.customers.name"]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("function, near, far", [("lineage_upstream", "target", "source"), ("lineage_downstream", "source", "target")])
def test_values(lake, edges, column, function, near, far):
    expected = closure(edges, column, near, far)
    found = lake.records(f"SELECT {far} AS node, min(depth) AS depth, bool_and(complete) AS complete, max(type) AS type FROM {function}('{column}', values_only => true) GROUP BY ALL")
    assert {row["node"]: row["depth"] for row in found} == {node: depth for node, depth in expected.items() if node != column}
    assert all(row["complete"] and row["type"] == "DIRECT" for row in found)


def test_options(lake):
    def names(text):
        return {row["source"] for row in lake.records(f"SELECT source FROM {text}")}

    near = names("lineage_upstream('report', depth => 1)")
    assert near == {"main.totals", "main.customers"}
    assert names("lineage_upstream('main.report')") == {"main.totals", "main.customers", "main.joined", "main.orders"}
    assert "main.joined.amount" in names("lineage_upstream('report', columns => true)")
    # Conditions count, unless only values are asked for.
    assert "main.customers.country" in names("lineage_upstream('main.joined.amount')")
    assert "main.customers.country" not in names("lineage_upstream('main.joined.amount', values_only => true)")


def test_path(lake):
    found = lake.records("SELECT source, target FROM lineage_path('main.orders.amount', 'main.report.total', values_only => true) ORDER BY depth")
    assert [(row["source"], row["target"]) for row in found] == [
        ("main.orders.amount", "main.joined.amount"), ("main.joined.amount", "main.totals.total"), ("main.totals.total", "main.report.total"),
    ]
    assert lake.records("SELECT * FROM lineage_path('main.beside', 'main.report')") == []


def test_impact_tells_values_from_rows(lake):
    def effects(column):
        return {row["name"]: row["effect"] for row in lake.records(f"SELECT name, effect FROM lineage_impact('{column}')")}

    amount = effects("main.orders.amount")
    assert amount["main.joined.amount"] == amount["main.totals.total"] == amount["main.report.total"] == "values"
    # The filter on the total decides which rows the report has.
    assert amount["main.report.*"] == "rows"
    country = effects("main.customers.country")
    assert country["main.joined.*"] == "rows" and "values" not in country.values()


def test_earlier_states(lake):
    position = lake.records("SELECT min(position) AS p FROM varve.runs WHERE output = 'main.totals'")[0]["p"]
    question = "SELECT count(*) AS n FROM lineage_downstream('main.joined')"

    def count(at):
        return lake.table(question, "--as-of", at).to_pylist()[0]["n"]

    assert (count(position - 1), count(position)) == (0, 1)


@pytest.mark.parametrize("text, part", [
    ("lineage_upstream()", "takes the name of a node"),
    ("lineage_path('main.orders')", "takes the names of two nodes"),
    ("lineage_upstream('main.nowhere')", "lineage knows no table, column or file"),
    ("lineage_upstream('main.orders', far => 3)", "has no such option: far"),
    ("lineage_upstream('main.orders', depth => 0)", "the depth is at least 1"),
    ("lineage_upstreams('main.orders')", "Did you mean lineage_upstream"),
])
def test_refusals(lake, text, part):
    assert part in lake.error(f"FROM {text}")


def test_a_process_carries_a_column_map_once(tmp_path):
    varve = Varve(tmp_path / "lake")
    varve.execute("""
        CREATE TABLE a (x INTEGER); CREATE TABLE b (x INTEGER);
        INSERT INTO a VALUES (1); INSERT INTO a VALUES (2);
        INSERT INTO b SELECT x + 1 FROM a; INSERT INTO b SELECT x + 1 FROM a;
        BEGIN; INSERT INTO b SELECT x + 1 FROM a; INSERT INTO b SELECT x + 2 FROM a WHERE x > 1; COMMIT;
    """)
    # Another process does not know what the log has.
    varve.execute("INSERT INTO b SELECT x + 1 FROM a")
    carried, named = [], []
    # The first makes the namespace.
    for entry in varve.log_entries()[1:]:
        for commit in entry["commits"]:
            lineage = commit.get("lineage") or {"facts": []}
            carried.append(len(lineage.get("column-maps", {})))
            named.append([fact["column-map"] for fact in lineage["facts"]])
    assert carried == [0, 0, 1, 0, 1, 0, 1, 1]
    values, plus, condition = named[2][0], named[4][0], named[6][1]
    assert named == [[], [], [values], [values], [plus], [plus], [plus, condition], [plus]] and len({values, plus, condition}) == 3
    found = varve.table("SELECT source, target, complete FROM lineage_upstream('main.b.x')").to_pylist()
    assert {"source": "main.a.x", "target": "main.b.x", "complete": True} in found
