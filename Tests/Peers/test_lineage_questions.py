"""Questions about runs, sources, windows and single ways, by SQL, command line and HTTP, held against the log's own tables and
recursive queries of DuckDB."""

import json
import urllib.parse
import urllib.request

import duckdb
import pytest

from support import Varve, free_port, server

STATEMENTS = """
    CREATE TABLE orders (id INTEGER, customer INTEGER, amount DECIMAL(10, 2), note VARCHAR);
    CREATE TABLE customers (id INTEGER, name VARCHAR, country VARCHAR);
    INSERT INTO orders SELECT i, i % 3, i * 1.5, 'n' || i FROM range(10) r(i);
    INSERT INTO customers VALUES (0, 'c0', 'de'), (1, 'c1', 'de'), (2, 'c2', 'fr');
    CREATE TABLE joined AS SELECT o.id, c.name, o.amount FROM orders o JOIN customers c ON o.customer = c.id WHERE c.country = 'de';
    CREATE TABLE totals AS SELECT name, sum(amount) AS total FROM joined GROUP BY name;
    CREATE TABLE report AS SELECT upper(name) AS name, total, total AS raw FROM totals WHERE total > 1;
    INSERT INTO report SELECT name, 0, amount FROM joined;
    INSERT INTO report SELECT name, 0, id FROM customers;
    CREATE TABLE beside AS SELECT note FROM orders;
"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    varve = Varve(tmp_path_factory.mktemp("questions") / "lake")
    varve.execute(STATEMENTS)
    return varve


# Ways

RANKS = "CASE subtype WHEN 'IDENTITY' THEN 0 WHEN 'TRANSFORMATION' THEN 1 WHEN 'AGGREGATION' THEN 3 END"


@pytest.fixture(scope="module")
def ways(lake):
    """All ways of values between columns, as DuckDB finds them in the edges that the log has."""
    connection = duckdb.connect()
    connection.execute("CREATE TABLE edges (source VARCHAR, target VARCHAR, subtype VARCHAR)")
    for row in lake.records("SELECT DISTINCT source || '.' || source_column AS s, target || '.' || target_column AS t, subtype FROM varve.lineage WHERE type = 'DIRECT' AND source_column IS NOT NULL"):
        connection.execute("INSERT INTO edges VALUES (?, ?, ?)", [row["s"], row["t"], row["subtype"]])
    connection.execute(f"""CREATE TABLE ways AS WITH RECURSIVE ways(way, types, rank) AS (
        SELECT [source, target], [subtype], {RANKS} FROM edges WHERE source <> target UNION ALL
        SELECT list_append(way, target), list_append(types, subtype), greatest(rank, {RANKS}) FROM ways JOIN edges ON way[-1] = source
        WHERE NOT list_contains(way, target)) SELECT * FROM ways""")
    return connection


PAIRS = [(source, target) for source in ["orders.amount", "orders.id", "customers.name", "customers.id", "totals.total", "joined.name"]
         for target in ["report.total", "report.raw", "report.name", "totals.total"]]


@pytest.mark.parametrize("source, target", PAIRS)
def test_ways_of_values(lake, ways, source, target):
    expected = ways.execute("SELECT way, types, ['IDENTITY', 'TRANSFORMATION', NULL, 'AGGREGATION'][rank + 1] FROM ways WHERE way[1] = ? AND way[-1] = ?", [f"main.{source}", f"main.{target}"]).fetchall()
    found = {}
    for row in lake.records(f"SELECT * FROM lineage_paths('{source}', '{target}', values_only => true) ORDER BY path, step"):
        assert row["type"] == row["path_type"] == "DIRECT" and row["complete"] and not row["cut"] and not row["path_masked"]
        names, types, _, _ = found.setdefault(row["path"], ([row["source"]], [], row["path_subtype"], row["length"]))
        assert names[-1] == row["source"] and row["run_id"]
        names.append(row["target"])
        types.append(row["subtype"])
    assert sorted((names, types, whole) for names, types, whole, _ in found.values()) == sorted(expected)
    assert all(length == len(types) for _, types, _, length in found.values())
    lengths = [found[number][3] for number in sorted(found)]
    assert lengths == sorted(lengths) and sorted(found) == list(range(1, len(found) + 1))
    shortest = lake.records(f"SELECT source, target, cut FROM lineage_paths('{source}', '{target}', values_only => true, shortest => true) ORDER BY step")
    if expected:
        assert [row["source"] for row in shortest] + [shortest[-1]["target"]] == found[1][0] and not shortest[0]["cut"]
    else:
        assert shortest == []


def test_pairs_have_ways(ways):
    assert ways.execute("SELECT count(*) FROM ways WHERE len(way) > 3").fetchone()[0] >= 3


def test_conditions_make_ways_indirect(lake):
    found = lake.records("SELECT path, list(subtype ORDER BY step) AS subtypes, any_value(path_type) AS type, any_value(path_subtype) AS subtype FROM lineage_paths('customers.country', 'totals.total') GROUP BY path")
    assert found and all(row["type"] == "INDIRECT" for row in found)
    # The first step that decides says how.
    assert {row["subtype"] for row in found} == {next(one for one in row["subtypes"] if one in ("FILTER", "JOIN")) for row in found}


def test_limits_of_ways(lake):
    question = "SELECT DISTINCT path, cut FROM lineage_paths('customers', 'report', columns => true, limit => {}) ORDER BY path"
    everything = lake.records(question.format(10000))
    assert len(everything) > 3 and not everything[0]["cut"]
    assert lake.records(question.format(2)) == [{"path": 1, "cut": True}, {"path": 2, "cut": True}]
    near = lake.records("SELECT max(length) AS n FROM lineage_paths('customers', 'report', depth => 1)")
    assert near == [{"n": 1}]


# Runs


def test_runs_say_what_they_read_and_wrote(lake):
    known = {row["run_id"]: row for row in lake.records("SELECT * FROM varve.runs")}
    (run,) = [row for row in known.values() if row["output"] == "main.joined"]
    found = lake.records(f"SELECT * FROM lineage_runs('run:{run['run_id']}')")
    assert [(row["direction"], row["dataset"], row["type"]) for row in found] == [
        ("read", "main.orders", "DIRECT"), ("read", "main.customers", "DIRECT"), ("wrote", "main.joined", None)]
    assert [row["columns"] for row in found] == [["amount", "customer", "id"], ["country", "id", "name"], ["amount", "id", "name"]]
    edges = lake.records("SELECT DISTINCT source, source_snapshot_id, target_snapshot_id FROM varve.lineage WHERE target = 'main.joined'")
    assert {row["dataset"]: row["snapshot_id"] for row in found} == \
        {row["source"]: row["source_snapshot_id"] for row in edges} | {"main.joined": run["output_snapshot_id"]}
    for row in found:
        assert all(row[name] == run[name] for name in ("job", "job_kind", "operation", "actor", "position", "committed_at"))
        assert row["complete"] and not row["cut"]


def test_runs_of_jobs_tables_and_snapshots(lake):
    known = lake.records("SELECT * FROM varve.runs ORDER BY position DESC")

    def ids(node, options=""):
        found = lake.records(f"SELECT run_id FROM lineage_runs('{node}'{options})")
        return list(dict.fromkeys(row["run_id"] for row in found))

    written = [row for row in known if row["output"] == "main.report"]
    assert len(written) == 3
    assert ids("job:main.report") == [row["run_id"] for row in written]
    assert ids("joined") == [row["run_id"] for row in known if row["output"] == "main.joined" or "main.joined" in row["inputs"]]
    snapshot = written[1]["output_snapshot_id"]
    assert ids(f"main.report@{snapshot}") == [written[1]["run_id"]]
    position = written[1]["position"]
    assert ids("job:main.report", f", since => {position}, until => {position}") == [written[1]["run_id"]]
    assert ids("job:main.report", ", limit => 1") == [written[0]["run_id"]]
    assert lake.records("SELECT DISTINCT cut FROM lineage_runs('job:main.report', limit => 1)") == [{"cut": True}]


def test_closures_of_runs(lake):
    known = lake.records("SELECT * FROM varve.runs ORDER BY position")
    (run,) = [row["run_id"] for row in known if row["output"] == "main.totals"]
    up = lake.records(f"SELECT source, target, depth FROM lineage_upstream('run:{run}')")
    assert {(row["source"], row["target"], row["depth"]) for row in up} == {
        ("main.joined", f"run:{run}", 1), ("main.orders", "main.joined", 2), ("main.customers", "main.joined", 2)}
    down = lake.records(f"SELECT source, target FROM lineage_downstream('run:{run}')")
    assert {(row["source"], row["target"]) for row in down} == {(f"run:{run}", "main.totals"), ("main.totals", "main.report")}
    columns = lake.records(f"SELECT source, type, subtype FROM lineage_upstream('run:{run}', columns => true, depth => 1)")
    assert {(row["source"], row["type"], row["subtype"]) for row in columns} >= {
        ("main.joined.amount", "DIRECT", "AGGREGATION"), ("main.joined.name", "DIRECT", "IDENTITY"), ("main.joined.*", "INDIRECT", None)}
    changed = {row["name"]: row["effect"] for row in lake.records(f"SELECT name, effect FROM lineage_impact('run:{run}')")}
    assert changed["main.report.total"] == "values" and changed["main.report.*"] == "rows"
    job = lake.records("SELECT source, runs FROM lineage_upstream('job:main.report', depth => 1)")
    assert {row["source"]: row["runs"] for row in job} == {"main.totals": 1, "main.joined": 1, "main.customers": 1}


# Windows


def test_windows_leave_edges_out_and_hide_nothing(lake):
    position = {row["output"]: row["position"] for row in lake.records("SELECT output, min(position) AS position FROM varve.runs GROUP BY output")}

    def edges(options):
        found = lake.records(f"SELECT source, target, depth, runs FROM lineage_upstream('main.report', {options})")
        return {(row["source"], row["target"], row["depth"], row["runs"]) for row in found}

    # Only what made the tables behind: as far away as ever.
    joined = position["main.joined"]
    assert edges(f"since => {joined}, until => {joined}") == {("main.orders", "main.joined", 2, 1), ("main.customers", "main.joined", 1, 1)}
    late = position["main.report"] + 1
    assert edges(f"since => {late}") == {("main.joined", "main.report", 1, 1), ("main.customers", "main.report", 1, 1)}
    (time,) = lake.records(f"SELECT committed_at::VARCHAR AS t FROM varve.runs WHERE position = {late}")
    assert edges(f"since => '{time['t']}'") <= edges("since => 1") == edges("until => TIMESTAMPTZ '2100-01-01 00:00:00+00'")
    assert edges("until => 1") == set()


# Sources


def test_sources_and_how_far_behind(lake, tmp_path):
    varve = Varve(tmp_path / "lake")
    file = tmp_path / "prices.csv"
    file.write_text("id,price\n1,2.5\n2,3.5\n")
    varve.execute(f"""
        CREATE TABLE prices AS SELECT * FROM '{file}';
        CREATE TABLE names (id INTEGER, name VARCHAR);
        INSERT INTO names VALUES (1, 'a'), (2, 'b');
        CREATE TABLE empty (id INTEGER);
        CREATE TABLE result AS SELECT name, price FROM prices JOIN names USING (id) WHERE id NOT IN (SELECT id FROM empty);
        CREATE TABLE beside AS SELECT * FROM names;
    """)
    question = "SELECT * FROM lineage_sources('result', columns => true)"
    found = {row["source"]: row for row in varve.records(question)}
    assert {name: row["origins"] for name, row in found.items()} == {"main.names": ["values"], "main.empty": ["empty"], str(file): ["file"]}
    assert found["main.names"]["columns"] == ["name"] and found["main.names"]["condition_columns"] == ["id"]
    assert found[str(file)]["depth"] == 2 and found[str(file)]["commits_behind"] is None
    assert found["main.names"]["commits_behind"] == 0 and found["main.names"]["behind_since"] is None
    assert all(row["complete"] for row in found.values())
    varve.execute("INSERT INTO names VALUES (3, 'c'); INSERT INTO names VALUES (4, 'd');")
    log = varve.records("SELECT position, committed_at FROM varve.runs WHERE output = 'main.names' ORDER BY position")
    (made,) = varve.records("SELECT run_id, position FROM varve.runs WHERE output = 'main.result'")
    (late,) = [row for row in varve.records(question) if row["source"] == "main.names"]
    assert late["commits_behind"] == 2 and late["behind_since"] == log[1]["committed_at"] and late["newest_at"] == log[2]["committed_at"]
    assert late["last_read_by_run"] == made["run_id"] and late["last_read_position"] == made["position"]
    assert late["millis_behind"] == round((log[2]["committed_at"] - log[0]["committed_at"]).total_seconds() * 1000)
    snapshots = varve.records("SELECT output_snapshot_id AS id FROM varve.runs WHERE output = 'main.names' ORDER BY position")
    assert (late["read_snapshot_id"], late["newest_snapshot_id"]) == (snapshots[0]["id"], snapshots[2]["id"])
    (then,) = [row for row in varve.records(question, "--as-of", log[1]["position"]) if row["source"] == "main.names"]
    assert then["commits_behind"] == 1
    (column,) = varve.records("SELECT source, columns FROM lineage_sources('result.price', values_only => true)")
    assert column == {"source": str(file), "columns": ["price"]}


# Data files


def test_data_files_are_the_runs_that_wrote_them(tmp_path):
    varve = Varve(tmp_path / "lake")
    varve.execute("""
        CREATE TABLE a (n INTEGER); INSERT INTO a VALUES (1), (2); INSERT INTO a SELECT n + 10 FROM a; CREATE TABLE b AS SELECT n FROM a;
    """)
    entries = {}
    for statement in ["DELETE FROM a WHERE n = 1", "INSERT INTO a VALUES (7)"]:
        for table in ("a", "b"):
            for row in varve.records(f"SELECT snapshot_id AS id, data_file.file_path AS path FROM main.{table}.entries WHERE status < 2"):
                entries[row["path"]] = row["id"]
        # Files that are gone are found in earlier snapshots.
        varve.execute(statement)
    runs = {row["output_snapshot_id"]: row["run_id"] for row in varve.records("SELECT * FROM varve.runs")}
    checked = 0
    for path, snapshot in entries.items():
        run, inside = runs[snapshot], path[path.index("main/"):]
        for name in (path, inside):
            found = varve.records(f"SELECT run_id, direction, dataset, snapshot_id FROM lineage_runs('file:{name}')")
            assert {row["run_id"] for row in found} == {run}
            assert [row["snapshot_id"] for row in found if row["direction"] == "wrote"] == [snapshot]
        whole = varve.lineage("upstream", f"run:{run}")["nodes"]
        (first, *others) = varve.lineage("upstream", f"file:{inside}")["nodes"]
        assert (first["name"], first["kind"]) == (f"file:{inside}", "run") and others == whole[1:]
        checked += 1
    assert checked >= 4
    (path,) = [row["path"] for row in varve.records("SELECT file_path AS path FROM main.b.files")]
    inside = path[path.index("main/"):]
    down = varve.lineage("downstream", f"file:{inside}")
    assert [node["name"] for node in down["nodes"]] == [f"file:{inside}", "main.b"]
    assert "no table then has a folder with" in varve.error("FROM lineage_runs('file:elsewhere/x.parquet')")
    assert "that is kept has the data file" in varve.error(f"FROM lineage_runs('file:{inside}.none')")


def test_files_outside_the_warehouse_are_themselves(tmp_path):
    varve = Varve(tmp_path / "lake")
    file = tmp_path / "n.csv"
    file.write_text("n\n1\n")
    varve.execute(f"CREATE TABLE a AS SELECT * FROM 'file://{file}'")
    (name,) = [row["source"] for row in varve.records("FROM lineage_upstream('a')")]
    assert [row["target"] for row in varve.records(f"FROM lineage_downstream('{name}')")] == ["main.a"]


# Three doors


def test_command_line_and_http_say_the_same(lake):
    (run,) = [row["run_id"] for row in lake.records("SELECT run_id FROM varve.runs WHERE output = 'main.totals'")]
    questions = [
        ("runs", {"node": f"run:{run}"}), ("runs", {"node": "job:main.report", "limit": 2}), ("runs", {"node": "main.joined", "since": 6}),
        ("sources", {"node": "report"}), ("sources", {"node": "report.total", "values_only": "true"}),
        ("paths", {"from": "orders.amount", "to": "report.total"}), ("paths", {"from": "orders", "to": "report", "columns": "true", "limit": 3}),
        ("paths", {"from": "orders", "to": "report", "shortest": "true", "depth": 5}),
        ("upstream", {"node": f"run:{run}", "columns": "true"}), ("downstream", {"node": "job:main.joined"}),
        ("upstream", {"node": "report", "since": 5, "until": 6}), ("impact", {"node": f"run:{run}", "until": "2100-01-01"}),
    ]
    port = free_port()
    with server(lake.command("serve", "--port", port), port, lake.environment) as there:
        def get(path):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as reply:
                return json.loads(reply.read())

        for question, query in questions:
            arguments = [query[name] for name in ("node", "from", "to") if name in query]
            for name, value in query.items():
                if name not in ("node", "from", "to"):
                    arguments += [f"--{name.replace('_', '-')}"] + ([] if value == "true" else [value])
            answer = get(f"/varve/v1/lineage/{question}?{urllib.parse.urlencode(query)}")
            assert answer == lake.lineage(question, *arguments)
            # The same, line by line.
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/varve/v1/lineage/{question}?{urllib.parse.urlencode(query)}&format=ndjson") as reply:
                assert reply.headers["Content-Type"] == "application/x-ndjson"
                lines = reply.read()
            assert lake.run("lineage", question, *arguments, "--format", "ndjson").stdout == lines
            head, *others = [json.loads(line) for line in lines.splitlines()]
            for name, value in answer.items():
                if name in ("nodes", "edges", "paths", "runs", "sources"):
                    assert head["answer"][name] == len(value)
                    assert [line[name[:-1]] for line in others if name[:-1] in line] == value
                else:
                    assert head["answer"][name] == value
            assert len(others) == sum(len(answer[name]) for name in ("nodes", "edges", "paths", "runs", "sources") if name in answer)
            assert answer["question"] == question and answer["complete"] is True
            assert any(answer.get(name) for name in ("runs", "sources", "paths", "edges"))
            shown = lake.run("lineage", question, *arguments)
            assert shown.returncode == 0 and b"complete: true" in shown.stdout


@pytest.mark.parametrize("text, part", [
    ("lineage_runs('run:none')", "lineage knows no run \"none\""),
    ("lineage_upstream('job:none')", "lineage knows no runs of a job \"none\""),
    ("lineage_runs('run:')", "names no run and no job"),
    ("lineage_runs('main.orders.id')", "is a column"),
    ("lineage_runs('main.orders', limit => 0)", "the limit of runs is 1 to 10000"),
    ("lineage_runs('main.orders', depth => 1)", "has no such option: depth"),
    ("lineage_path('main.orders', 'main.report', since => 1)", "has no such option: since"),
    ("lineage_paths('run:x', 'main.report')", "is no table, column or file"),
    ("lineage_paths('main.orders', 'main.report', limit => 'x')", "limit is a whole number"),
    ("lineage_upstream('main.report', since => 7, until => 3)", "the window ends before it begins"),
    ("lineage_upstream('main.report', since => 'soon')", "neither a log position nor a time"),
    ("lineage_source('main.report')", "Did you mean lineage_sources"),
])
def test_refusals(lake, text, part):
    assert part in lake.error(f"FROM {text}")
