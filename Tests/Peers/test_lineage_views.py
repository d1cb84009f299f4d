"""Views in lineage: what a change reaches of them, what they read; jobs; by SQL, command line and HTTP. What a view reads is held against
what the log says of a table that is made of it."""

import json
import random
import urllib.error
import urllib.parse
import urllib.request

import pytest

from support import Varve, free_port, rest_server, server

STATEMENTS = """
    CREATE TABLE orders (id INTEGER, customer INTEGER, amount DECIMAL(10, 2), note VARCHAR);
    CREATE TABLE customers (id INTEGER, name VARCHAR, country VARCHAR);
    INSERT INTO orders SELECT i, i % 3, i * 1.5, 'n' || i FROM range(10) r(i);
    INSERT INTO customers VALUES (0, 'c0', 'de'), (1, 'c1', 'de'), (2, 'c2', 'fr');
    CREATE TABLE joined AS SELECT o.id, c.name, o.amount FROM orders o JOIN customers c ON o.customer = c.id WHERE c.country = 'de';
    CREATE TABLE totals AS SELECT name, sum(amount) AS total FROM joined GROUP BY name;
    CREATE VIEW plain AS SELECT id, amount * 2 AS twice, upper(note) AS note FROM orders WHERE customer > 0;
    CREATE VIEW sums AS SELECT note, sum(twice) AS total, count(*) AS n FROM plain GROUP BY note;
    CREATE VIEW star AS SELECT * FROM joined;
    CREATE VIEW counted (n) AS SELECT count(*) FROM orders;
    CREATE VIEW ranked AS WITH big AS (SELECT * FROM totals WHERE total > 3)
        SELECT b.name, rank() OVER (ORDER BY b.total) AS place, CASE WHEN s.n > 1 THEN s.total ELSE b.total END AS some FROM big b LEFT JOIN sums s ON b.name = s.note;
    CREATE VIEW beside AS SELECT name FROM customers WHERE id IN (SELECT id FROM totals JOIN customers USING (name));
    CREATE SCHEMA other;
    CREATE VIEW other."Odd view" AS SELECT s."note" AS "a.b" FROM main.sums s UNION ALL SELECT name FROM main.customers;
"""
VIEWS = ["plain", "sums", "star", "counted", "ranked", "beside", 'other."Odd view"']


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    varve = Varve(tmp_path_factory.mktemp("views") / "lake")
    varve.execute(STATEMENTS)
    return varve


def impact(varve, node, options="", *arguments):
    """Names with their effects, and what else is said of each."""
    found = varve.records(f"SELECT * FROM lineage_impact('{node}'{options})", *arguments)
    return {row["name"]: row["effect"] for row in found}, {row["name"]: row for row in found}


def columns_of(varve, view):
    return [row["column_name"] for row in varve.records(f"DESCRIBE {view}")]


# What changes


def test_views_are_reached_through_tables_and_views(lake):
    effects, found = impact(lake, "main.orders.amount")
    views = {name: effect for name, effect in effects.items() if found[name]["dataset_kind"] == "view"}
    # `counted` has no value of the column, and all its rows; nor has what only filters by others.
    assert views == {
        "main.plain.twice": "values", "main.sums.total": "values", "main.star.amount": "values",
        "main.ranked.some": "values", "main.ranked.place": "rows", "main.ranked.*": "rows",
    }
    depths = {name: row["depth"] for name, row in found.items()}
    assert depths["main.plain.twice"] == 1 and depths["main.sums.total"] == 2
    assert depths["main.joined.amount"] == 1 and depths["main.star.amount"] == 2 and depths["main.totals.total"] == 2
    assert depths["main.ranked.some"] == 3
    assert all(row["complete"] and row["reason"] is None for row in found.values())
    assert {row["dataset"] for row in found.values() if row["dataset_kind"] == "table"} == {"main.joined", "main.totals"}


def test_rows_of_views(lake):
    effects, found = impact(lake, "orders")
    assert effects["main.counted.*"] == "rows" and effects["main.plain.*"] == "rows"
    effects, _ = impact(lake, "orders.customer")
    assert effects["main.plain.*"] == "rows" and "main.plain.twice" not in effects and effects["main.sums.*"] == "rows"
    effects, found = impact(lake, "customers.name")
    assert effects['main.beside.name'] == "values" and effects['other."Odd view"."a.b"'] == "values"
    assert found['other."Odd view"."a.b"']["dataset"] == 'other."Odd view"' and found['other."Odd view"."a.b"']["column_name"] == "a.b"


def test_depth(lake):
    near, _ = impact(lake, "main.orders.amount", ", depth => 1")
    assert set(near) == {"main.joined.amount", "main.plain.twice"}
    answer = lake.lineage("impact", "main.orders.amount", "--depth", "1")
    assert answer["cut"] is True and lake.lineage("impact", "main.orders.amount")["cut"] is False


def test_impact_of_views(lake):
    effects, found = impact(lake, "main.plain.twice")
    assert effects == {"main.sums.total": "values", "main.ranked.some": "values"}
    # Runs read tables beneath it: nobody knows whether through it.
    assert not any(row["complete"] for row in found.values())
    assert "read the tables beneath" in lake.lineage("impact", "main.plain.twice")["gaps"][0]
    assert lake.lineage("impact", "main.ranked")["nodes"][0]["view"] is True
    assert {node["name"] for node in lake.lineage("downstream", "sums")["nodes"]} == {"main.sums", "main.ranked", 'other."Odd view"'}


# What views read


@pytest.mark.parametrize("view", VIEWS)
def test_upstream_is_what_a_table_made_of_it_came_from(lake, tmp_path, view):
    varve = Varve(tmp_path / "lake")
    varve.execute(STATEMENTS)
    varve.execute(f"CREATE TABLE made AS SELECT * FROM {view}")
    full = view if "." in view else f"main.{view}"
    checked = 0
    for column in columns_of(varve, view):
        quoted = f'"{column}"'
        for option in ("", ", values_only => true"):
            def origins(node, own):
                found = varve.records(f"SELECT source, source_kind, source_dataset, type FROM lineage_upstream('{node}'{option})")
                assert own or found or option or column == "n"
                return {(row["source"], row["source_kind"]) for row in found if row["source_dataset"] in ("main.orders", "main.customers", "main.joined", "main.totals")}

            by_view = origins(f"{full}.{quoted}", True)
            # A column stands in rows, and rows of a view in those of what it reads: with conditions both say all there is.
            assert by_view == origins(f"main.made.{quoted}", False), column
            checked += len(by_view)
    assert checked
    (root, *others) = varve.lineage("upstream", full)["nodes"]
    assert (root["name"], root["kind"], root["depth"], root["view"]) == (full, "view", 0, True)
    tables = {node["name"] for node in others if node["kind"] == "table"}
    assert tables == {node["name"] for node in varve.lineage("upstream", "main.made")["nodes"]} - {"main.made"}


def test_upstream_goes_view_by_view(lake):
    answer = lake.lineage("upstream", "ranked", "--columns", "--values-only")
    edges = {(edge["from"], edge["to"], edge.get("subtype")) for edge in answer["edges"] if "run" not in edge}
    assert ("main.sums.total", "main.ranked.some", "TRANSFORMATION") in edges
    assert ("main.plain.twice", "main.sums.total", "AGGREGATION") in edges
    assert ("main.orders.amount", "main.plain.twice", "TRANSFORMATION") in edges
    depths = {node["name"]: node["depth"] for node in answer["nodes"]}
    assert depths["main.ranked.some"] == 0 and depths["main.sums.total"] == 1 and depths["main.orders.amount"] == 3
    assert lake.lineage("upstream", "ranked", "--depth", "1")["cut"] is True
    near = {node["name"] for node in lake.lineage("upstream", "ranked", "--depth", "1")["nodes"]}
    assert near == {"main.ranked", "main.totals", "main.sums"}
    for name in ("dot", "graphml", "cypher"):
        assert b"main.sums" in lake.run("lineage", "upstream", "ranked", "--format", name).stdout


# Views that cannot be bound


def test_views_that_cannot_be_bound_are_unknown(tmp_path):
    varve = Varve(tmp_path / "lake")
    varve.execute("""
        CREATE TABLE a (x INTEGER, y INTEGER); CREATE TABLE far (z INTEGER); INSERT INTO a VALUES (1, 2); INSERT INTO far VALUES (1);
        CREATE TABLE gone (q INTEGER); CREATE TABLE b AS SELECT x FROM a;
        CREATE VIEW twins AS SELECT x, y FROM a; CREATE VIEW above AS SELECT x FROM twins; CREATE VIEW high AS SELECT x FROM above;
        CREATE VIEW other AS SELECT x FROM "B"; CREATE VIEW lost AS SELECT q FROM gone, far; CREATE VIEW fine AS SELECT z FROM far;
        CREATE VIEW onlyx AS SELECT x FROM a;
        ALTER TABLE a DROP COLUMN y; DROP TABLE gone;
    """)
    effects, found = impact(varve, "a.x")
    assert effects == {"main.b.x": "values", "main.other.x": "values", "main.onlyx.x": "values", "main.twins": "unknown", "main.above": "unknown", "main.high": "unknown"}
    assert "y" in found["main.twins"]["reason"] and found["main.twins"]["kind"] == "view" and found["main.twins"]["depth"] == 1
    assert "it reads view main.twins" in found["main.above"]["reason"] and found["main.high"]["depth"] == 3
    assert not any(row["complete"] for row in found.values())
    # Nothing else is in doubt.
    effects, found = impact(varve, "far.z")
    assert effects == {"main.fine.z": "values", "main.lost": "unknown"} and "gone" in found["main.lost"]["reason"]
    answer = varve.lineage("impact", "a.x")
    (node,) = [node for node in answer["nodes"] if node["name"] == "main.twins"]
    assert node["effect"] == "unknown" and "y" in node["reason"]
    assert any("main.twins" in gap for gap in answer["gaps"]) and answer["complete"] is False
    assert "cannot be bound" in varve.run("lineage", "upstream", "twins").stderr.decode()
    # Before the column went.
    position = varve.records("SELECT max(position) - 2 AS p FROM varve.log")[0]["p"]
    then, _ = impact(varve, "a.y", "", "--as-of", position)
    assert then == {"main.twins.y": "values"}
    # Mended.
    varve.execute("CREATE OR REPLACE VIEW twins AS SELECT x, 1 AS y FROM a")
    effects, found = impact(varve, "a.x")
    assert effects["main.high.x"] == "values" and all(row["complete"] for row in found.values())


def test_other_dialects_circles_pivots_and_macros(tmp_path):
    varve = Varve(tmp_path / "lake")
    varve.execute("""
        CREATE SCHEMA air; CREATE TABLE air.flights (carrier VARCHAR, n BIGINT); INSERT INTO air.flights VALUES ('AA', 1);
        CREATE TABLE air.beside (carrier VARCHAR, n BIGINT); INSERT INTO air.beside VALUES ('AA', 1);
        CREATE VIEW air.pivoted AS PIVOT air.beside ON carrier USING sum(n);
        CREATE VIEW air.asks AS SELECT * FROM lineage_impact('air.flights.n'), varve.log;
        CREATE VIEW air.low AS SELECT * FROM air.flights; CREATE VIEW air.high AS SELECT * FROM air.low;
        CREATE OR REPLACE VIEW air.snaps AS SELECT snapshot_id FROM air.flights.snapshots;
    """)
    schema = {"type": "struct", "schema-id": 0, "fields": [{"id": 1, "name": "carrier", "type": "string", "required": False}]}
    with rest_server(varve) as catalog:
        def make(name, dialect, text):
            version = {"version-id": 1, "timestamp-ms": 1, "schema-id": 0, "summary": {}, "default-namespace": ["air"],
                       "representations": [{"type": "sql", "sql": text, "dialect": dialect}]}
            body = json.dumps({"name": name, "schema": schema, "view-version": version, "properties": {}}).encode()
            request = urllib.request.Request(f"{catalog.properties['uri']}/v1/namespaces/air/views", data=body, method="POST")
            with urllib.request.urlopen(request) as reply:
                assert reply.status == 200
        make("near", "spark", "SELECT carrier FROM flights")
        make("hive", "hive", "SELECT carrier FROM `FLIGHTS` LATERAL VIEW explode(x) y")
        make("elsewhere", "hive", "SELECT carrier FROM nothing LATERAL VIEW explode(x) y")
        make("self_a", "varve", "SELECT carrier FROM self_b JOIN flights USING (carrier)")
        make("self_b", "varve", "SELECT carrier FROM self_a")
        for _ in range(2):
            # By a process that has bound them, too.
            url = f"{catalog.properties['uri']}/varve/v1/lineage/impact?node=air.flights.carrier"
            with urllib.request.urlopen(url) as reply:
                answer = json.loads(reply.read())
            unknown = {node["name"]: node["reason"] for node in answer["nodes"] if "reason" in node}
            assert set(unknown) == {"air.hive", "air.self_a", "air.self_b"}, unknown
            assert "hive" in unknown["air.hive"] and "itself" in unknown["air.self_a"] and "itself" in unknown["air.self_b"]
            assert {node["name"] for node in answer["nodes"] if "reason" not in node} == {
                "air.flights.carrier", "air.near.carrier", "air.low.carrier", "air.high.carrier"}
    effects, found = impact(varve, "air.beside.n")
    assert effects == {"air.pivoted": "unknown"} and "only when it runs" in found["air.pivoted"]["reason"]
    effects, _ = impact(varve, "air.flights")
    assert effects["air.snaps.*"] == "rows"


def test_columns_that_no_run_has_named(tmp_path):
    varve = Varve(tmp_path / "lake")
    varve.execute("CREATE TABLE t (a INTEGER, b INTEGER); CREATE VIEW v AS SELECT a + 1 AS c FROM t WHERE b > 0")
    assert impact(varve, "t.a")[0] == {"main.v.c": "values"} and impact(varve, "t.b")[0] == {"main.v.*": "rows"}
    assert {name: effect for name, effect in impact(varve, "t")[0].items() if "main.v" in name} == {"main.v.c": "values", "main.v.*": "rows"}
    assert "lineage knows no column" in varve.error("FROM lineage_impact('t.c')")
    assert [row["source"] for row in varve.records("SELECT source FROM lineage_upstream('v.c', values_only => true)")] == ["main.t.a"]
    varve.execute("ALTER TABLE t RENAME COLUMN a TO d")
    assert impact(varve, "t.d")[0] == {"main.v": "unknown"}


def test_files_that_views_read(tmp_path):
    varve = Varve(tmp_path / "lake")
    file = tmp_path / "n.csv"
    file.write_text("n,m\n1,2\n")
    varve.execute(f"CREATE VIEW v AS SELECT n FROM '{file}'; CREATE VIEW w AS SELECT n + 1 AS n FROM v")
    effects, _ = impact(varve, f"{file}#n")
    assert effects == {"main.v.n": "values", "main.w.n": "values"}
    varve.execute(f"CREATE TABLE t AS SELECT m FROM '{file}'")
    assert impact(varve, f"{file}#n")[0] == {"main.v.n": "values", "main.w.n": "values"}
    assert {row["source"] for row in varve.records("FROM lineage_upstream('w')")} == {"main.v", str(file)}
    file.unlink()
    effects, found = impact(varve, f"{file}#m")
    assert effects["main.t.m"] == "values" and effects["main.v"] == "unknown" and effects["main.w"] == "unknown"


# Other states


def test_earlier_states_branches_and_transactions(tmp_path):
    varve = Varve(tmp_path / "lake")
    varve.execute("CREATE TABLE t (a INTEGER, b INTEGER); INSERT INTO t VALUES (1, 2)")
    before = varve.records("SELECT max(position) AS p FROM varve.log")[0]["p"]
    varve.execute("CREATE VIEW v AS SELECT a FROM t; CREATE BRANCH dev")
    assert impact(varve, "t.a")[0] == {"main.v.a": "values"} and impact(varve, "t.a", "", "--as-of", before)[0] == {}
    assert "lineage knows no table, column or file" in varve.run("lineage", "upstream", "v", "--as-of", str(before)).stderr.decode()
    varve.execute("SET branch = 'dev'; CREATE VIEW onbranch AS SELECT v.a + t.a AS c FROM v, t; CREATE OR REPLACE VIEW v AS SELECT b AS a FROM t")
    assert impact(varve, "t.a")[0] == {"main.v.a": "values"}
    on_branch = {"main.onbranch.c": "values"}
    assert impact(varve, "t.a", "", "--branch", "dev")[0] == on_branch
    assert varve.lineage("impact", "t.a", "--branch", "dev")["nodes"][1]["name"] == "main.onbranch.c"
    assert [row["source"] for row in varve.records("SELECT source FROM lineage_upstream('main.onbranch.c', values_only => true, depth => 1) ORDER BY ALL", "--branch", "dev")] == \
        ["main.t.a", "main.v.a"]
    port = free_port()
    with server(varve.command("serve", "--port", port), port, varve.environment):
        def names(query):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/varve/v1/lineage/impact?node=main.t.a{query}") as reply:
                return {node["name"] for node in json.loads(reply.read())["nodes"]}
        for _ in range(2):
            assert names("") == {"main.t.a", "main.v.a"} and names("&branch=dev") == {"main.t.a", "main.onbranch.c"} and names(f"&as_of={before}") == {"main.t.a"}
        with pytest.raises(urllib.error.HTTPError) as refused:
            names("&branch=none")
        assert refused.value.code in (400, 404)
    # What a transaction has staged is the state of its statements.
    found = varve.records("BEGIN; CREATE VIEW staged AS SELECT a FROM t; SELECT name FROM lineage_impact('t.a') ORDER BY name; ROLLBACK")
    assert [row["name"] for row in found] == ["main.staged.a", "main.v.a"]
    # A session's own names hide nothing from views.
    found = varve.records("CREATE TEMP TABLE t (z INTEGER); SELECT name FROM lineage_impact('main.t.a')")
    assert [row["name"] for row in found] == ["main.v.a"]


def test_views_see_what_is_there(tmp_path):
    varve = Varve(tmp_path / "lake")
    varve.execute("""
        CREATE TABLE a AS SELECT 1 AS x; CREATE TABLE b AS SELECT x FROM a; CREATE TABLE c AS SELECT x FROM b;
        CREATE VIEW vb AS SELECT x FROM b; CREATE VIEW vc AS SELECT x FROM c;
    """)
    snapshot = varve.records("SELECT snapshot_id AS id FROM main.b.snapshots")[0]["id"]
    varve.execute(f"CREATE VIEW old AS SELECT x FROM b VERSION AS OF {snapshot}")
    assert set(impact(varve, "a.x")[0]) == {"main.b.x", "main.c.x", "main.vb.x", "main.vc.x", "main.old.x"}
    # The rows of `b` are others now; those of `c` are still those.
    varve.execute("INSERT OVERWRITE b SELECT 2 AS x")
    assert set(impact(varve, "a.x")[0]) == {"main.b.x", "main.c.x", "main.vc.x", "main.old.x"}
    assert set(impact(varve, "a.x", ", replaced => true")[0]) == {"main.b.x", "main.c.x", "main.vb.x", "main.vc.x", "main.old.x"}


def test_what_a_server_keeps_is_what_a_new_process_finds(tmp_path):
    """The server has bound views before; each command binds them anew."""
    varve = Varve(tmp_path / "lake")
    chosen = random.Random(3)
    for number in range(3):
        varve.execute(f"CREATE TABLE t{number} (a INTEGER, b INTEGER); INSERT INTO t{number} VALUES (1, 2)")

    def view():
        return f"v{chosen.randrange(4)}"

    def table():
        return f"t{chosen.randrange(3)}"

    def column():
        return chosen.choice("aab")

    def statement():
        source = view() if chosen.random() < 0.4 else table()
        return chosen.choice([
            lambda: f"ALTER TABLE {table()} DROP COLUMN {column()}", lambda: f"ALTER TABLE {table()} ADD COLUMN {column()} INTEGER",
            lambda: f"ALTER TABLE {table()} RENAME COLUMN {column()} TO {column()}", lambda: f"ALTER TABLE {table()} RENAME TO other",
            lambda: "ALTER TABLE other RENAME TO t1",
            lambda: f"DROP TABLE {table()}", lambda: f"CREATE TABLE {table()} (a INTEGER, b INTEGER)", lambda: f"INSERT INTO {table()} (a) VALUES (5)",
            lambda: f"DROP VIEW {view()}", lambda: f"ALTER VIEW {view()} RENAME TO {view()}",
        ] + 5 * [
            lambda: f"CREATE OR REPLACE VIEW {view()} AS SELECT * FROM {source}",
            lambda: f"CREATE OR REPLACE VIEW {view()} AS SELECT x.{column()} AS {column()} FROM {source} x, {table()} y WHERE y.{column()} > 0",
        ])()

    port = free_port()
    effects = {"unknown": 0, "values": 0, "refused": 0}
    with server(varve.command("serve", "--port", port), port, varve.environment):
        for _ in range(40):
            text = statement()
            # Many make no sense then.
            varve.run("sql", text)
            for question, node in [("impact", "t0"), ("impact", "t1.a"), ("impact", "v0"), ("upstream", "v1"), ("downstream", "v2")]:
                fresh = varve.run("lineage", question, node, "--columns", "--format", "json")
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/varve/v1/lineage/{question}?node={node}&columns=true") as reply:
                        kept = json.loads(reply.read())
                except urllib.error.HTTPError as error:
                    message = json.loads(error.read())["error"]["message"]
                    assert fresh.returncode == 1 and message.splitlines()[0] in fresh.stderr.decode(), (text, question, node)
                    effects["refused"] += 1
                    continue
                assert fresh.returncode == 0 and kept == json.loads(fresh.stdout), (text, question, node)
                for one in kept["nodes"]:
                    if one.get("view"):
                        effects["unknown" if "reason" in one else "values"] += 1
    assert min(effects.values()) > 5, effects


# Jobs


def test_jobs(lake):
    _, found = impact(lake, "orders.amount", ", jobs => true")
    jobs = {name: row for name, row in found.items() if row["kind"] == "job"}
    runs = {row["run_id"]: row for row in lake.records("SELECT * FROM varve.runs")}
    assert set(jobs) == {"job:main.joined", "job:main.totals"}
    for name, row in jobs.items():
        assert runs[row["run_id"]]["output"] == name[4:] and row["position"] == runs[row["run_id"]]["position"]
        assert row["effect"] == "values" and row["job_kind"] == "sql"
    assert (jobs["job:main.joined"]["depth"], jobs["job:main.totals"]["depth"]) == (1, 2)
    _, found = impact(lake, "customers.country", ", jobs => true")
    assert {name: row["effect"] for name, row in found.items() if row["kind"] == "job"} == {"job:main.joined": "rows", "job:main.totals": "rows"}
    assert not any(row["kind"] == "job" for row in impact(lake, "orders.amount")[1].values())
    shown = lake.run("lineage", "impact", "orders.amount", "--jobs").stdout.decode()
    assert "job:main.joined (sql) reads main.orders: values of main.joined" in shown
    # The names are those that questions take.
    assert lake.records("SELECT count(*) AS n FROM lineage_runs('job:main.joined')")[0]["n"] > 0


def test_a_transform_that_has_stopped_reading_is_no_longer_named(tmp_path):
    varve = Varve(tmp_path / "lake")
    varve.execute("CREATE TABLE t (a INTEGER, b INTEGER); INSERT INTO t VALUES (1, 2)")
    spec = tmp_path / "made.yaml"

    def run(sql):
        spec.write_text(f"name: main.made\nkind: full\nsql: {sql}\n")
        done = varve.run("transform", "run", spec)
        assert done.returncode == 0, done.stderr.decode()

    run("SELECT a FROM t")
    _, found = impact(varve, "t.a", ", jobs => true")
    first = found["job:main.made"]
    assert first["job_kind"] == "transform" and first["job_version"]
    run("SELECT b AS a FROM t")
    assert "job:main.made" not in impact(varve, "t.a", ", jobs => true, replaced => true")[1]
    again = impact(varve, "t.b", ", jobs => true")[1]["job:main.made"]
    assert again["job_version"] != first["job_version"]


# Replaced rows, and the three doors


def test_the_doors_say_the_same(lake, tmp_path):
    varve = Varve(tmp_path / "lake")
    varve.execute(STATEMENTS + "CREATE VIEW torn AS SELECT country FROM customers; ALTER TABLE customers DROP COLUMN country; INSERT OVERWRITE totals SELECT 'x', 1")
    questions = [
        ("impact", {"node": "main.orders.amount"}), ("impact", {"node": "main.orders.amount", "jobs": "true"}), ("impact", {"node": "orders", "depth": 1}),
        ("impact", {"node": "main.orders.amount", "replaced": "true", "jobs": "true"}), ("impact", {"node": "main.plain.twice"}), ("upstream", {"node": "ranked"}),
        ("upstream", {"node": "main.beside.name", "depth": 2}), ("downstream", {"node": "star"}), ("downstream", {"node": "orders", "replaced": "true"}),
        ("upstream", {"node": "totals", "replaced": "true"}), ("path", {"from": "orders", "to": "totals", "replaced": "true"}),
        ("paths", {"from": "orders", "to": "totals", "replaced": "true"}), ("impact", {"node": "job:main.joined", "jobs": "true"}), ("impact", {"node": "main.torn"}), ("impact", {"node": "customers.name"}),
        ("impact", {"node": "main.orders.amount", "since": 1, "until": 9}), ("upstream", {"node": "main.sums", "since": 4, "until": 4, "columns": "true"}),
    ]
    port = free_port()
    answers = {}
    jsonschema, yaml = pytest.importorskip("jsonschema"), pytest.importorskip("yaml")
    with server(varve.command("serve", "--port", port), port, varve.environment):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.yaml") as reply:
            document = yaml.safe_load(reply.read())
        described = {name: jsonschema.Draft202012Validator({**document, "$ref": f"#/components/schemas/{name}"}) for name in ("Lineage", "LineagePaths")}
        for question, query in questions:
            arguments = [query[name] for name in ("node", "from", "to") if name in query]
            for name, value in query.items():
                if name not in ("node", "from", "to"):
                    arguments += [f"--{name.replace('_', '-')}"] + ([] if value == "true" else [str(value)])
            url = f"http://127.0.0.1:{port}/varve/v1/lineage/{question}?{urllib.parse.urlencode(query)}"
            with urllib.request.urlopen(url) as reply:
                answer = json.loads(reply.read())
            assert answer == varve.lineage(question, *arguments), (question, query)
            answers[question, *query.items()] = answer
            described["LineagePaths" if question == "paths" else "Lineage"].validate(answer)
            with urllib.request.urlopen(url + "&format=ndjson") as reply:
                head, *others = [json.loads(line) for line in reply.read().splitlines()]
            for name in ("nodes", "edges", "jobs", "paths"):
                if name in answer:
                    assert head["answer"][name] == len(answer[name]) and [line[name[:-1]] for line in others if name[:-1] in line] == answer[name]
            if question == "impact":
                options = "".join(f", {name} => {value}" for name, value in query.items() if name != "node")
                found = varve.records(f"SELECT * FROM lineage_impact('{query['node']}'{options})")
                jobs = answer.get("jobs", [])
                assert [(row["name"], row["depth"]) for row in found] == [(one["name"], one["depth"]) for one in answer["nodes"][1:] + jobs]
                for row, one in zip(found, answer["nodes"][1:] + jobs):
                    assert row["effect"] == one.get("effect", "values" if one["direct"] else "rows")
                    assert (row["dataset_kind"] == "view") == one.get("view", False)
                    if row["kind"] == "job":
                        assert (row["job_kind"], row["job_version"], row["run_id"], row["position"]) == \
                            (one["job"]["kind"], one["job"].get("version"), one["run"], one["position"])
            assert varve.run("lineage", question, *arguments).returncode == 0
    kept = answers["impact", ("node", "main.orders.amount"), ("jobs", "true")]
    replaced = answers["impact", ("node", "main.orders.amount"), ("replaced", "true"), ("jobs", "true")]
    assert "main.totals.total" not in {node["name"] for node in kept["nodes"]} and "main.totals.total" in {node["name"] for node in replaced["nodes"]}
    assert answers["upstream", ("node", "totals"), ("replaced", "true")]["edges"] and answers["path", ("from", "orders"), ("to", "totals"), ("replaced", "true")]["edges"]


def test_windows_leave_out_views_of_what_is_left_out(lake):
    position = {row["output"]: row["position"] for row in lake.records("SELECT output, max(position) AS position FROM varve.runs GROUP BY output")}
    late, found = impact(lake, "orders.amount", f", since => {position['main.totals']}")
    # A view of what was asked about is no run's; one of a table that no run of that time made is left out with it.
    assert "main.plain.twice" in late and "main.ranked.some" in late and found["main.ranked.some"]["depth"] == 3


# Data files of tables that write elsewhere


def test_data_files_of_tables_that_write_to_another_folder(tmp_path):
    varve = Varve(tmp_path / "lake")
    folder = f"file://{tmp_path}/lake/elsewhere/data"
    varve.execute(f"""
        CREATE TABLE a (n INTEGER) TBLPROPERTIES ('write.data.path' = '{folder}'); CREATE TABLE b (n INTEGER);
        INSERT INTO a VALUES (1); INSERT INTO b VALUES (2);
        ALTER TABLE b SET TBLPROPERTIES ('write.data.path' = '{folder}/deeper'); INSERT INTO b VALUES (3);
    """)
    runs = {row["output_snapshot_id"]: row["run_id"] for row in varve.records("SELECT * FROM varve.runs")}
    checked = 0
    for table in ("a", "b"):
        for row in varve.records(f"SELECT snapshot_id AS id, data_file.file_path AS path FROM main.{table}.entries"):
            assert ("elsewhere" in row["path"]) == (table == "a" or "deeper" in row["path"])
            for name in (row["path"], row["path"].split("/lake/")[1]):
                found = varve.records(f"SELECT run_id FROM lineage_runs('file:{name}')")
                assert {one["run_id"] for one in found} == {runs[row["id"]]}
                checked += 1
    assert checked == 6
    assert "that is kept has the data file" in varve.error("FROM lineage_runs('file:elsewhere/data/none.parquet')")
    assert "nor writes to one" in varve.error("FROM lineage_runs('file:nowhere/none.parquet')")


# Refusals


@pytest.mark.parametrize("text, part", [
    ("lineage_impact('orders', jobs => 1)", "jobs is true or false"),
    ("lineage_upstream('orders', jobs => true)", "has no such option: jobs"),
    ("lineage_upstream('main.plain@3')", "is a view, which has no snapshots"),
    ("lineage_upstream('main.plain.none')", "the view has no column"),
    ("lineage_impact('main.nothing')", "lineage knows no table, column or file"),
    ("lineage_sources('plain')", "is a view, which path, paths, sources and runs do not know"),
    ("lineage_paths('orders', 'main.plain.twice')", "main.plain.twice is a view"),
])
def test_refusals(lake, text, part):
    assert part in lake.error(f"FROM {text}")
