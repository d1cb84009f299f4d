"""The command line as people and scripts use it: options, exit statuses, servers, differences, maintenance."""
import collections
import datetime
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import duckdb
import pyarrow
import pyarrow.parquet
import pytest

from support import BINARY, Varve, VarveError, free_port, server, wait_until_it_works

COMMANDS = ["", "sql", "import", "export", "history", "diff", "audit", "audit verify", "audit log", "audit explain", "lineage",
            "lineage upstream", "lineage downstream", "lineage path", "lineage paths", "lineage impact", "lineage sources",
            "lineage runs", "transform", "transform validate",
            "transform plan", "transform run", "transform test", "maintain", "serve"]


def refused(varve, status, *arguments):
    """What a command that must fail says."""
    done = varve.run(*arguments)
    assert done.returncode == status, done.stderr.decode()
    return done.stderr.decode()


def measured(done):
    return [json.loads(line) for line in done.stderr.decode().splitlines() if line.startswith("{")]


def numbers(varve, name="t", rows=10, **options):
    varve.execute(f"CREATE TABLE {name} AS SELECT range AS n, range % 3 AS m FROM range({rows})")


# --- sql

def test_timing_counts_rows_bytes_files_and_row_groups(varve):
    numbers(varve)
    varve.execute("INSERT INTO t SELECT range + 100, 0 FROM range(10)")
    done = varve.sql("SELECT n FROM t WHERE n >= 100", "--timing", format="csv")
    [run] = measured(done)
    assert (run["statement"], run["run"], run["rows"]) == (1, 1, 10)
    assert (run["files"], run["files_pruned"]) == (1, 1)
    assert run["row_groups"] == 1
    assert run["bytes_read"] > 0 and run["wall_seconds"] > 0 and run["peak_memory_bytes"] > 1_000_000
    assert len(done.stdout.splitlines()) == 11


def test_repeat_runs_as_often_as_it_says_and_writes_rows_once(varve):
    numbers(varve)
    done = varve.sql("SELECT n FROM t; SELECT 1", "--timing", "--repeat", "3", format="csv")
    assert [(run["statement"], run["run"]) for run in measured(done)] == [
        (1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    assert len(done.stdout.splitlines()) == 11 + 2
    assert "--repeat" in refused(varve, 2, "sql", "SELECT 1", "--repeat", "0")


def test_text_files_count_as_read(varve, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x\n1\n2\n")
    [run] = measured(varve.sql(f"FROM read_csv('{path}')", "--timing", format="csv"))
    assert (run["bytes_read"], run["files"]) == (path.stat().st_size, 1)


@pytest.mark.parametrize("text, expected", [
    ("1", 1), ("-2", -2), ("'a b'", "a b"), ("a b", "a b"), ("NULL", None), ("TRUE", True), ("", ""),
    ("DATE '2024-05-01'", datetime.date(2024, 5, 1)), ("1 + 1", "1 + 1"), ("x'; DROP TABLE t; --", "x'; DROP TABLE t; --"),
    ("9007199254740993", 9007199254740993),
])
def test_a_parameter_is_what_its_text_means_as_a_literal_or_else_text(varve, text, expected):
    assert varve.value("SELECT :p", "--param", f"p={text}") == expected
    assert varve.value("SELECT $1", "--param", f"1={text}") == expected


def test_parameters_go_where_values_go(varve):
    numbers(varve)
    assert varve.value("SELECT count(*) FROM t WHERE n < :max AND m = $1", "--param", "max=5", "--param", "1=1") == 2
    assert "parameter" in varve.error("SELECT :missing")
    assert "NAME=VALUE" in refused(varve, 2, "sql", "SELECT 1", "--param", "x")
    assert "twice" in refused(varve, 2, "sql", "SELECT 1", "--param", "x=1", "--param", "x=2")


def test_rows_can_be_written_as_parquet(varve, tmp_path):
    numbers(varve)
    path = tmp_path / "t.parquet"
    varve.sql("FROM t ORDER BY n", "--output", path, format="parquet")
    assert pyarrow.parquet.read_table(path).column("n").to_pylist() == list(range(10))
    assert "--output" in refused(varve, 2, "sql", "FROM t", "--format", "parquet")
    assert "one query" in refused(varve, 2, "sql", "FROM t; FROM t", "--format", "parquet", "--output", path)


def test_a_branch_of_tables_is_written_and_read_apart(varve):
    numbers(varve)
    varve.execute("CREATE TABLE u (a INT)")
    varve.sql("INSERT INTO t VALUES (100, 0)", "--table-branch", "dev", format="table")
    varve.sql("DELETE FROM t WHERE n = 0", "--table-branch", "dev", format="table")
    assert varve.value("SELECT count(*) FROM t") == 10
    assert varve.rows("SELECT min(n), max(n) FROM t", "--table-branch", "dev") == [(1, 100)]
    assert varve.value("SELECT count(*) FROM t FOR VERSION AS OF 'dev'") == 10
    assert varve.value("SELECT count(*) FROM u", "--table-branch", "dev") == 0
    assert dict(varve.rows("SELECT name, type FROM t.refs")) == {"main": "BRANCH", "dev": "BRANCH"}
    assert "as a whole" in refused(varve, 1, "sql", "ALTER TABLE t ADD COLUMN z INT", "--table-branch", "dev")
    ids = dict(varve.rows("SELECT name, snapshot_id FROM t.refs"))
    assert varve.rows("SELECT DISTINCT target_snapshot_id FROM varve.lineage WHERE source = 'main.t'") == [(ids["dev"],)]
    assert "as a whole" in refused(varve, 1, "sql", "CREATE TABLE v (a INT)", "--table-branch", "dev")
    varve.execute("ALTER TABLE t CREATE TAG kept")
    assert "is a tag" in refused(varve, 1, "sql", "INSERT INTO t VALUES (1, 1)", "--table-branch", "kept")
    varve.verify()


# --- a server

@pytest.fixture
def served(varve):
    """A warehouse and a client of its server, which has no warehouse of its own."""
    token = "a-token-for-tests"
    port = free_port()
    environment = {**varve.environment, "VARVE_TOKENS": f"alice:{token}"}
    with server(varve.command("serve", "--port", port), port, environment):
        client = Varve(pathlib.Path(varve.warehouse).parent / "nothing", {"VARVE_TOKEN": token})
        url = f"http://127.0.0.1:{port}"
        yield varve, client, url


def test_statements_run_on_a_server(served):
    varve, client, url = served
    done = client.sql("CREATE SCHEMA s; USE s; CREATE TABLE t AS SELECT range AS n FROM range(7)",
                      "--server", url, format="table")
    assert "CREATE SCHEMA" in done.stderr.decode()
    assert varve.value("SELECT count(*) FROM s.t") == 7
    assert varve.rows("SELECT DISTINCT actor FROM varve.log WHERE position > 1") == [("alice",)]
    assert client.rows("SELECT n FROM s.t WHERE n > :x ORDER BY 1", "--server", url, "--param", "x=4") == [(5,), (6,)]
    assert client.rows("SELECT n FROM t WHERE n = $1", "--server", url, "--param", "1=4", "--namespace", "s") == [(4,)]
    assert client.rows("USE s; SELECT count(*) FROM t", "--server", url) == [(7,)]
    assert client.rows("CREATE MACRO twice(a) AS a * 2; PREPARE p AS SELECT twice($1) AS x; EXECUTE p(4)", "--server", url) == [(8,)]
    assert client.rows("SET default_order = 'desc'; SELECT n FROM s.t ORDER BY n LIMIT 1", "--server", url) == [(6,)]
    [run] = measured(client.sql("SELECT 1", "--server", url, "--timing", format="csv"))
    assert run["rows"] == 1 and "bytes_read" not in run
    assert not pathlib.Path(client.warehouse).exists()


def test_large_results_of_a_server_come_whole(served):
    _, client, url = served
    table = client.table("SELECT range AS n, range || ' rows' AS s FROM range(2000000)", "--server", url)
    assert table.num_rows == 2_000_000
    assert pyarrow.compute.sum(table.column("n")).as_py() == sum(range(2_000_000))


def test_errors_of_a_server_are_told(served):
    _, client, url = served
    with pytest.raises(VarveError, match="does not exist"):
        client.sql("SELECT * FROM nothing", "--server", url)
    # What fails behind the first rows cuts the answer, which must not look whole.
    with pytest.raises(VarveError):
        client.sql("SELECT 1 / (range - 1500000) FROM range(2000000) UNION ALL SELECT CAST(range || 'x' AS INT) FROM range(2)",
                   "--server", url)
    stranger = Varve(client.warehouse, {"VARVE_TOKEN": "a-wrong-token"})
    assert "VARVE_TOKEN" in refused(stranger, 1, "sql", "SELECT 1", "--server", url)
    assert "http" in refused(client, 2, "sql", "SELECT 1", "--server", "nowhere")
    assert "did not answer" in refused(client, 1, "sql", "SELECT 1", "--server", f"http://127.0.0.1:{free_port()}")


# --- EXCEPT ALL and INTERSECT ALL

@pytest.mark.parametrize("seed", range(6))
def test_bag_operations_agree_with_duckdb(varve, seed, tmp_path):
    generator = random.Random(seed)
    other = duckdb.connect()
    for name in "abc":
        count = generator.choice([0, 30, 5000])
        table = pyarrow.table({
            "n": pyarrow.array([generator.choice([None, *range(12)]) for _ in range(count)], pyarrow.int64()),
            "s": pyarrow.array([generator.choice([None, "", "a", "a longer text " * 3]) for _ in range(count)],
                               pyarrow.string())})
        pyarrow.parquet.write_table(table, tmp_path / f"{name}.parquet")
    for query in ["FROM {a} EXCEPT ALL FROM {b}", "FROM {a} INTERSECT ALL FROM {b}",
                  "FROM {a} EXCEPT ALL FROM {b} EXCEPT ALL FROM {c}",
                  "FROM {a} UNION ALL FROM {b} EXCEPT ALL FROM {c}",
                  "SELECT s FROM {a} INTERSECT ALL SELECT s FROM {b} INTERSECT ALL SELECT s FROM {c}",
                  "SELECT count(*) FROM (SELECT n FROM {a} EXCEPT ALL SELECT n FROM {b}) q WHERE n > 3"]:
        text = query.format(**{name: f"'{tmp_path}/{name}.parquet'" for name in "abc"})
        assert collections.Counter(varve.rows(text)) == collections.Counter(other.execute(text).fetchall()), query


def test_one_row_may_be_left_many_times(varve):
    assert varve.rows("SELECT count(*), sum(x) FROM (SELECT 1 AS x FROM range(300000) EXCEPT ALL SELECT 1 FROM range(7))") \
        == [(299_993, 299_993)]


# --- diff

def difference(varve, *arguments):
    """The rows of a diff by their change, and the line that counts them."""
    done = varve.run("diff", *arguments, "--format", "arrow")
    assert done.returncode == 0, done.stderr.decode()
    with pyarrow.ipc.open_stream(done.stdout) as stream:
        rows = [tuple(row.values()) for row in stream.read_all().to_pylist()]
    found = collections.defaultdict(collections.Counter)
    for change, *values in rows:
        found[change][tuple(values)] += 1
    return found, done.stderr.decode()


@pytest.mark.parametrize("seed", range(4))
def test_a_difference_is_that_of_the_multisets_of_rows(varve, seed):
    generator = random.Random(seed)
    varve.execute("CREATE TABLE t (n INT, s VARCHAR)")
    for _ in range(8):
        if generator.random() < 0.6:
            values = ", ".join(f"({generator.randrange(6)}, {generator.choice(['NULL', repr('a'), repr('b')])})"
                               for _ in range(generator.randrange(1, 12)))
            varve.execute(f"INSERT INTO t VALUES {values}")
        else:
            varve.execute(f"DELETE FROM t WHERE n = {generator.randrange(6)}")
    snapshots = [row[0] for row in varve.rows("SELECT snapshot_id FROM t.snapshots ORDER BY committed_at")]
    states = {one: collections.Counter(varve.rows(f"SELECT * FROM t FOR VERSION AS OF {one}")) for one in snapshots}
    for _ in range(5):
        before, after = generator.choice(snapshots), generator.choice(snapshots)
        found, line = difference(varve, "t", before, after)
        assert found["INSERT"] == states[after] - states[before]
        assert found["DELETE"] == states[before] - states[after]
        assert f"{sum(found['INSERT'].values())} rows added, {sum(found['DELETE'].values())} removed" in line


def test_a_key_pairs_changed_rows(varve):
    varve.execute("CREATE TABLE t AS SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (3, NULL), (NULL, 'n')) v(k, s)")
    varve.execute("ALTER TABLE t CREATE TAG before")
    varve.execute("INSERT OVERWRITE t VALUES (1, 'a'), (2, 'B'), (4, 'd'), (NULL, 'm')")
    found, line = difference(varve, "t", "before", "main", "--key", "k")
    assert found["UPDATE_BEFORE"] == {(2, "b"): 1, (None, "n"): 1}
    assert found["UPDATE_AFTER"] == {(2, "B"): 1, (None, "m"): 1}
    assert found["INSERT"] == {(4, "d"): 1} and found["DELETE"] == {(3, None): 1}
    assert "1 rows added, 1 removed, 2 changed" in line
    assert varve.run("diff", "t", "before", "main", "--counts").stdout.decode().startswith("main.t: 3 rows added, 3 removed")
    assert "no column" in refused(varve, 1, "diff", "t", "before", "main", "--key", "nothing")
    assert "no snapshot id" in refused(varve, 1, "diff", "t", "yesterday?", "main")


def test_versions_are_times_too_and_later_columns_count(varve):
    varve.execute("CREATE TABLE t (n INT); INSERT INTO t VALUES (1)")
    time.sleep(0.05)
    moment = datetime.datetime.now(datetime.timezone.utc).isoformat()
    time.sleep(0.05)
    varve.execute("ALTER TABLE t ADD COLUMN s VARCHAR; INSERT INTO t VALUES (2, 'x')")
    found, _ = difference(varve, "t", moment, "main")
    assert dict(found) == {"INSERT": {(2, "x"): 1}}


# --- system tables

def test_system_tables_say_what_show_describe_and_history_say(varve):
    varve.execute("CREATE SCHEMA s; CREATE TABLE s.t (n INT NOT NULL, d DECIMAL(9, 2), l VARCHAR[]); CREATE TABLE u (a DATE)")
    varve.execute("INSERT INTO s.t VALUES (1, 2.50, NULL)")
    varve.execute("INSERT INTO u SELECT DATE '2024-01-01' FROM s.t WHERE n = 1")
    shown = varve.rows("SHOW TABLES IN s") + varve.rows("SHOW TABLES")
    assert set(varve.rows("SELECT table_schema, table_name FROM information_schema.tables")) == set(shown)
    assert set(varve.rows("SELECT namespace, name FROM varve.tables")) == set(shown)
    assert [(name, kind, "YES" if nullable else "NO") for name, kind, nullable in varve.rows("DESCRIBE s.t")] == varve.rows(
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns "
        "WHERE table_schema = 's' AND table_name = 't' ORDER BY ordinal_position")
    assert varve.rows("SELECT name, type, nullable FROM varve.columns WHERE table_name = 't' ORDER BY position") \
        == varve.rows("DESCRIBE s.t")
    assert {name for (name,) in varve.rows("SHOW SCHEMAS")} <= {
        name for (name,) in varve.rows("SELECT schema_name FROM information_schema.schemata")}
    history = json.loads(varve.run("history", "--format", "json").stdout)["rows"]
    log = varve.rows("SELECT position, commit_id, actor FROM varve.log ORDER BY position DESC")
    assert [(row[0], row[5], row[2]) for row in history] == log
    assert varve.value("SELECT row_count FROM varve.tables WHERE name = 't'") == 1
    snapshot = varve.value("SELECT current_snapshot_id FROM varve.tables WHERE name = 't'")
    assert varve.rows("SELECT DISTINCT source, source_snapshot_id, target FROM varve.lineage WHERE source_column = 'n'") \
        == [("s.t", snapshot, "main.u")]
    assert varve.rows("SELECT job_kind, inputs, output FROM varve.runs ORDER BY position") \
        == [("sql", [], "s.t"), ("sql", ["s.t"], "main.u")]
    assert varve.rows("USE varve; SELECT count(*) FROM log") == [(len(history),)]


def test_system_tables_go_back_in_time(varve):
    varve.execute("CREATE TABLE t (n INT)")
    varve.execute("CREATE TABLE u (n INT); INSERT INTO u VALUES (1)")
    assert varve.rows("SELECT name FROM varve.tables", "--as-of", "2") == [("t",)]
    assert varve.value("SELECT max(position) FROM varve.log", "--as-of", "2") == 2
    assert varve.value("SELECT count(*) FROM varve.runs", "--as-of", "3") == 0
    assert varve.value("SELECT count(*) FROM varve.runs") == 1
    assert "varve.log" in varve.error("SELECT * FROM varve.nothing")


# --- the configuration file

def test_a_configuration_file_names_the_warehouse(varve, tmp_path):
    numbers(varve)
    path = tmp_path / "varve.yaml"
    path.write_text(f"warehouse: {varve.warehouse}\n")
    environment = {name: value for name, value in os.environ.items() if name != "VARVE_WAREHOUSE"}

    def run(*arguments):
        return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, env=environment, cwd=tmp_path, timeout=300)

    assert run("--config", path, "sql", "SELECT count(*) AS c FROM t", "--format", "csv").stdout == b"c\n10\n"
    assert b"create main.t" in run("history", "--config", path).stdout
    path.write_text("warehose: x\n")
    done = run("sql", "SELECT 1", "--config", path)
    assert done.returncode == 1 and b"warehose" in done.stderr


def test_a_configuration_file_holds_the_settings_of_s3(tmp_path):
    boto3 = pytest.importorskip("boto3")
    pytest.importorskip("moto")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    path = tmp_path / "varve.yaml"
    path.write_text(f"warehouse: s3://bucket/lake\ns3:\n  endpoint: {url}\n  region: us-east-1\n  path_style: true\n"
                    "  access_key_id: test\n  secret_access_key: test\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "VARVE_WAREHOUSE"))}
    with server([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port], port):
        boto3.client("s3", endpoint_url=url, aws_access_key_id="test", aws_secret_access_key="test",
                     region_name="us-east-1").create_bucket(Bucket="bucket")
        done = subprocess.run([BINARY, "sql", "CREATE TABLE t AS SELECT 1 AS a; FROM t", "--format", "csv", "--config", path],
                              capture_output=True, env=environment, timeout=300)
        assert (done.returncode, done.stdout) == (0, b"a\n1\n"), done.stderr.decode()
        done = subprocess.run([BINARY, "maintain", "--compact", "--expire", "--orphans", "--config", path],
                              capture_output=True, env=environment, timeout=300)
        assert done.returncode == 0 and b"0 orphaned files" in done.stdout, done.stderr.decode()


# --- maintenance

def files_of(varve):
    return {path for path in pathlib.Path(varve.warehouse).rglob("*") if path.is_file()}


def test_maintenance_keeps_what_is_needed_and_nothing_else(varve):
    numbers(varve)
    numbers(varve, "other")
    for n in range(4):
        varve.execute(f"INSERT INTO t VALUES ({100 + n}, 0)")
    varve.execute("ALTER TABLE t CREATE TAG kept")
    varve.execute("DELETE FROM t WHERE n < 5; DELETE FROM other WHERE n < 5; INSERT INTO t VALUES (200, 0)")
    rows, tagged = varve.rows("FROM t ORDER BY n"), varve.rows("SELECT * FROM t FOR VERSION AS OF 'kept' ORDER BY n")
    varve.execute("ALTER TABLE t SET TBLPROPERTIES ('history.expire.max-snapshot-age-ms' = '0')")
    before, others = files_of(varve), {path for path in files_of(varve) if "other-" in str(path)}

    for action in (["--compact"], ["--expire"], ["--orphans", "--older-than", "0s"]):
        assert b"would be" in varve.run("maintain", "t", *action, "--dry-run").stdout or action[0] != "--compact"
        assert files_of(varve) == before
    done = varve.run("maintain", "t", "--compact", "--expire", "--orphans", "--older-than", "0s")
    assert done.returncode == 0, done.stderr.decode()
    assert "6 small files" in done.stdout.decode() and "6 snapshots expired" in done.stdout.decode()
    assert varve.rows("FROM t ORDER BY n") == rows
    assert varve.rows("SELECT * FROM t FOR VERSION AS OF 'kept' ORDER BY n") == tagged
    assert varve.rows("SELECT record_count FROM t.files") == [(len(rows),)]
    assert varve.rows("SELECT operation FROM t.snapshots ORDER BY committed_at DESC LIMIT 1") == [("replace",)]
    assert {path for path in files_of(varve) if "other-" in str(path)} == others
    varve.verify()
    again = varve.run("maintain", "t", "--orphans", "--older-than", "0s").stdout.decode()
    assert "0 orphaned files" in again


def test_young_files_are_no_orphans(varve):
    numbers(varve)
    folder = next(pathlib.Path(varve.warehouse).glob("main/t-*/data"))
    (folder / "somebody-writes-this.parquet").write_bytes(b"PAR1")
    assert "0 orphaned files" in varve.run("maintain", "t", "--orphans").stdout.decode()
    old = time.time() - 4 * 86400
    os.utime(folder / "somebody-writes-this.parquet", (old, old))
    assert "1 orphaned files" in varve.run("maintain", "t", "--orphans").stdout.decode()
    assert not (folder / "somebody-writes-this.parquet").exists()
    assert varve.value("SELECT count(*) FROM t") == 10


def test_tables_that_share_a_location_keep_their_orphans(varve, tmp_path):
    location = pathlib.Path(varve.warehouse) / "shared"
    varve.execute(f"CREATE TABLE a (n INT) LOCATION 'file://{location}'; CREATE TABLE b (n INT) LOCATION 'file://{location}/b'")
    varve.execute("INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)")
    assert "overlap" in refused(varve, 1, "maintain", "a", "--orphans", "--older-than", "0s")
    assert "overlap" in refused(varve, 1, "maintain", "b", "--orphans", "--older-than", "0s")


def test_references_with_an_age_expire(varve):
    numbers(varve)
    varve.execute("ALTER TABLE t CREATE BRANCH old RETAIN 1 DAYS; ALTER TABLE t CREATE TAG kept")
    assert "0 snapshots" in varve.run("maintain", "t", "--expire").stdout.decode()
    varve.execute("ALTER TABLE t SET TBLPROPERTIES ('history.expire.max-ref-age-ms' = '0')")
    varve.run("maintain", "t", "--expire")
    assert varve.rows("SELECT name FROM t.refs ORDER BY name") == [("main",), ("old",)]
    varve.execute("ALTER TABLE t SET TBLPROPERTIES ('gc.enabled' = 'false')")
    assert "gc.enabled" in refused(varve, 1, "maintain", "t", "--orphans")


def test_compaction_keeps_partitions_and_stands_deletes_at_once(varve):
    varve.execute("CREATE TABLE t (n INT, p INT) PARTITIONED BY (p)")
    for start in range(0, 60, 10):
        varve.execute(f"INSERT INTO t SELECT range, range % 2 FROM range({start}, {start + 10})")
    running = [varve.start("sql", f"DELETE FROM t WHERE n = {n}") for n in range(5)]
    running += [varve.start("maintain", "t", "--compact") for _ in range(2)]
    for process in running:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0 or b"another commit" in errors, errors
    deletes = sum(process.returncode == 0 for process in running[:5])
    assert deletes == 5
    assert varve.rows("SELECT count(*), min(n), count(DISTINCT n) FROM t") == [(55, 5, 55)]
    varve.run("maintain", "t", "--compact")
    assert varve.rows("SELECT record_count FROM t.files ORDER BY 1") == [(27,), (28,)]
    varve.verify()


def test_maintenance_wants_to_know_what_to_do(varve):
    numbers(varve)
    assert "--compact" in refused(varve, 2, "maintain", "t")
    assert "--older-than" in refused(varve, 2, "maintain", "t", "--orphans", "--older-than", "soon")


# --- exit statuses, help, Ctrl-C

@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(varve, command):
    done = subprocess.run([BINARY, *command.split(), "--help"], capture_output=True, timeout=300)
    assert done.returncode == 0 and b"Example" in done.stdout


def test_statuses_tell_failure_from_wrong_use(varve):
    assert varve.run("sql", "SELECT 1").returncode == 0
    refused(varve, 1, "sql", "SELECT * FROM nothing")
    refused(varve, 2, "sql", "--no-such-option")
    refused(varve, 2, "sql", "SELECT 1", "--threads", "0")
    done = subprocess.run([BINARY, "--generate-completion-script", "bash"], capture_output=True, timeout=300)
    assert done.returncode == 0 and b"varve" in done.stdout


@pytest.mark.parametrize("text", ["SELECT sum(a.range * b.range) FROM range(3000000) a, range(3000000) b",
                                  "CREATE TABLE x AS SELECT range AS n FROM range(100000000000)"])
def test_ctrl_c_stops_what_would_run_for_hours_and_leaves_nothing_to_see(varve, text):
    numbers(varve)
    process = varve.start("sql", text)
    wait_until_it_works(process.pid)
    assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1 and b"cancelled" in errors
    assert varve.rows("SHOW TABLES") == [("main", "t")]
    varve.verify()


def test_sql_and_the_command_line_say_the_same_version(varve):
    shown = subprocess.run([BINARY, "--version"], capture_output=True, timeout=300).stdout.decode().strip()
    assert varve.value("SELECT version()").lower() == shown
