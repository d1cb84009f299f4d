"""Engines of several processes and machines through `varve serve` on a bucket: Spark, Daft on Ray, Polars.

They live in an environment of their own, which `tools/engines` makes: VARVE_ENGINES_PYTHON is its Python. None is told
where the bucket is or what opens it: the catalog says so.
"""
import json
import os
import pathlib
import subprocess

import pytest

from support import Varve, bucket_server, free_port, server

PYTHON = os.environ.get("VARVE_ENGINES_PYTHON", "")
SECONDS = 900

pytestmark = pytest.mark.skipif(not PYTHON, reason="tools/engines did not install the engines (VARVE_ENGINES_PYTHON)")

SPARK = """
import glob, json, os, sys
import feature_store_pyspark, pyspark
from pyspark.sql import SparkSession

jar = os.path.join(os.path.dirname(feature_store_pyspark.__file__), "jars", "sagemaker-feature-store-spark-sdk-3.5.jar")
iceberg = "smfs.shaded.org.apache.iceberg"
# A driver and two executors, each a process of its own.
spark = (
    SparkSession.builder.master("local-cluster[2,1,1024]").appName("varve")
    .config("spark.jars", jar).config("spark.driver.extraClassPath", jar).config("spark.executor.extraClassPath", jar)
    .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
    .config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "4")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.extensions", iceberg + ".spark.extensions.IcebergSparkSessionExtensions")
    .config("spark.sql.catalog.lake", iceberg + ".spark.SparkCatalog")
    .config("spark.sql.catalog.lake.type", "rest").config("spark.sql.catalog.lake.uri", sys.argv[1])
    .config("spark.sql.catalog.lake.io-impl", iceberg + ".aws.s3.S3FileIO")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
out = {}

def rows(text):
    return [list(row) for row in spark.sql(text).collect()]

out["written before"] = rows("SELECT count(*), sum(i), max(s) FROM lake.main.seen")
spark.sql("CREATE NAMESPACE lake.air")
spark.sql("CREATE TABLE lake.air.flights (id BIGINT NOT NULL, day DATE, carrier STRING, delay DOUBLE, tags ARRAY<STRING>, "
          "place STRUCT<gate: STRING, hall: INT>) USING iceberg PARTITIONED BY (months(day), bucket(4, id))")
spark.sql("INSERT INTO lake.air.flights SELECT id, date_add(DATE '2024-01-01', cast(id % 90 as int)), "
          "if(id % 2 = 0, 'UA', 'AA'), id / 4, array('a', cast(id as string)), named_struct('gate', 'B', 'hall', cast(id as int)) "
          "FROM range(1000)")
out["inserted"] = rows("SELECT count(*), sum(delay), count(DISTINCT day) FROM lake.air.flights")
first = spark.sql("SELECT snapshot_id FROM lake.air.flights.snapshots").collect()[0][0]
spark.sql("DELETE FROM lake.air.flights WHERE id >= 900")
spark.sql("UPDATE lake.air.flights SET delay = 0 WHERE carrier = 'AA'")
spark.sql("MERGE INTO lake.air.flights t USING (SELECT id + 890 AS id FROM range(20)) s ON t.id = s.id "
          "WHEN MATCHED THEN UPDATE SET t.delay = -1 "
          "WHEN NOT MATCHED THEN INSERT (id, day, carrier, delay, tags, place) VALUES (s.id, DATE '2024-06-01', 'DL', 7, NULL, NULL)")
out["changed"] = rows("SELECT count(*), sum(delay), count(tags) FROM lake.air.flights")
spark.sql("ALTER TABLE lake.air.flights ADD COLUMN note STRING")
spark.sql("ALTER TABLE lake.air.flights RENAME COLUMN carrier TO airline")
spark.sql("INSERT INTO lake.air.flights VALUES (5000, DATE '2025-01-01', 'ZZ', 1.5, array(), NULL, 'late')")
out["shaped"] = rows("SELECT airline, count(*), count(note) FROM lake.air.flights GROUP BY 1 ORDER BY 1")
out["travelled"] = rows(f"SELECT count(*), sum(delay) FROM lake.air.flights VERSION AS OF {first}")
out["files"] = [len(rows("SELECT * FROM lake.air.flights.files")) > 0, rows("SELECT count(*) FROM lake.air.flights.history")[0][0]]
spark.sql("CREATE TABLE lake.air.copied USING iceberg AS SELECT id, airline FROM lake.air.flights WHERE id < 10")
spark.sql("INSERT OVERWRITE lake.air.copied SELECT id, airline FROM lake.air.flights WHERE id < 5")
# Spark takes what stands behind TO as it is, so a catalog there would be a namespace.
spark.sql("ALTER TABLE lake.air.copied RENAME TO air.few")
# What Spark calls the catalog is its own matter: views that others read, too, do without.
spark.sql("USE lake.air")
spark.sql("CREATE VIEW late AS SELECT airline, max(delay) AS worst FROM flights GROUP BY airline")
out["view"] = rows("SELECT * FROM lake.air.late ORDER BY 1")
out["tables"] = sorted(row[1] for row in rows("SHOW TABLES IN lake.air"))
spark.sql("CREATE TABLE lake.air.gone (a INT) USING iceberg")
spark.sql("DROP TABLE lake.air.gone")
print("RESULT " + json.dumps(out))
spark.stop()
"""

DAFT = """
import json, sys
import daft
from pyiceberg.catalog import load_catalog

if sys.argv[2] == "ray":
    import ray
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
    daft.set_runner_ray()
else:
    daft.set_runner_native()
catalog = load_catalog("lake", type="rest", uri=sys.argv[1])
out = {}
frame = daft.read_iceberg(catalog.load_table("main.seen"))
out["written before"] = [list(frame.agg(daft.col("i").count().alias("n"), daft.col("i").sum().alias("s"),
                                        daft.col("s").max().alias("m")).to_pydict()[name])[0] for name in ("n", "s", "m")]
some = frame.where(daft.col("i") % 10 == 0).select("i", "s")
catalog.create_namespace_if_not_exists("daft")
table = catalog.create_table("daft.tens", catalog.load_table("main.seen").schema().select("i", "s"))
some.write_iceberg(table, mode="append")
some.write_iceberg(catalog.load_table("daft.tens"), mode="append")
out["tens"] = daft.read_iceberg(catalog.load_table("daft.tens")).count_rows()
some.limit(7).write_iceberg(catalog.load_table("daft.tens"), mode="overwrite")
out["left"] = daft.read_iceberg(catalog.load_table("daft.tens")).count_rows()
catalog.drop_table("daft.tens")
print("RESULT " + json.dumps(out))
"""

POLARS = """
import json, sys
import polars as pl
from pyiceberg.catalog import load_catalog

catalog = load_catalog("lake", type="rest", uri=sys.argv[1])
out = {}

def scan(name):
    # Polars reads the bucket itself, and wants to be handed what the catalog gave PyIceberg.
    table = catalog.load_table(name)
    return pl.scan_iceberg(table, storage_options=dict(table.io.properties))

frame = scan("main.seen")
out["written before"] = list(frame.select(pl.len(), pl.col("i").sum(), pl.col("s").max()).collect().row(0))
out["filtered"] = frame.filter(pl.col("i") >= 990).select("i").collect().height
catalog.create_namespace_if_not_exists("polars")
table = catalog.create_table("polars.some", catalog.load_table("main.seen").schema().select("i", "s"))
few = frame.head(25).select("i", "s").collect()
few.write_iceberg(table, mode="append")
few.write_iceberg(catalog.load_table("polars.some"), mode="append")
out["written"] = scan("polars.some").select(pl.len()).collect().item()
few.write_iceberg(catalog.load_table("polars.some"), mode="overwrite")
out["overwritten"] = scan("polars.some").select(pl.len()).collect().item()
catalog.drop_table("polars.some")
print("RESULT " + json.dumps(out))
"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A server on a bucket with the table `seen`: its address, and the program that uses the bucket beside it."""
    folder = tmp_path_factory.mktemp("engines")
    with bucket_server("engines") as (url, environment):
        configuration = folder / "varve.yaml"
        configuration.write_text(
            f"s3:\n  endpoint: {url}\n  region: us-east-1\n  path_style: true\n  access_key_id: test\n"
            "  secret_access_key: test\n  vend_credentials: true\n"
        )
        varve = Varve("s3://engines/lake", {**environment, "AWS_REGION": "us-east-1"})
        varve.execute("CREATE TABLE seen AS SELECT range AS i, 'row ' || range AS s, [range, NULL] AS l FROM range(1000)")
        varve.execute("DELETE FROM seen WHERE i % 100 = 99")
        port = free_port()
        with server(varve.command("serve", "--port", port, "--config", configuration), port, varve.environment):
            yield f"http://127.0.0.1:{port}", varve, folder


def run(script, folder, *arguments):
    # What opens the bucket comes with each table, and from nowhere else.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment.update(AWS_EC2_METADATA_DISABLED="true", SPARK_LOCAL_IP="127.0.0.1")
    process = subprocess.run([PYTHON, "-c", script, *arguments], capture_output=True, text=True, timeout=SECONDS,
                             env=environment, cwd=folder)
    lines = [line for line in process.stdout.splitlines() if line.startswith("RESULT ")]
    errors = "\n".join(line for line in process.stderr.splitlines() if not line.startswith("\tat "))
    assert process.returncode == 0 and lines, process.stdout[-3000:] + errors[-12000:]
    return json.loads(lines[-1][7:])


SEEN = [990, sum(i for i in range(1000) if i % 100 != 99), "row 998"]


def test_spark(lake):
    url, varve, folder = lake
    out = run(SPARK, folder, url)
    assert out["written before"] == [SEEN]
    assert out["inserted"] == [[1000, sum(i / 4 for i in range(1000)), 90]]
    delays = {i: 0 if i % 2 else i / 4 for i in range(900)}
    delays.update({i: -1 for i in range(890, 900)})
    delays.update({i: 7 for i in range(900, 910)})
    assert out["changed"] == [[910, sum(delays.values()), 900]]
    assert out["shaped"] == [["AA", 450, 0], ["DL", 10, 0], ["UA", 450, 0], ["ZZ", 1, 1]]
    assert out["travelled"] == [[1000, sum(i / 4 for i in range(1000))]]
    assert out["files"][0] and out["files"][1] >= 5
    assert out["view"] == [["AA", 0.0], ["DL", 7.0], ["UA", max(v for i, v in delays.items() if i < 900)], ["ZZ", 1.5]]
    assert out["tables"] == ["few", "flights"]
    # The same in Varve's SQL.
    assert varve.rows("SELECT count(*), sum(delay), count(tags), count(note) FROM air.flights") == [
        (911, sum(delays.values()) + 1.5, 901, 1)]
    assert varve.rows("SELECT place.hall, tags FROM air.flights WHERE id = 17") == [(17, ["a", "17"])]
    assert varve.rows("SELECT count(*) FROM air.few") == [(5,)]
    assert varve.rows("SELECT * FROM air.late ORDER BY 1")[1] == ("DL", 7.0)
    varve.verify()


@pytest.mark.parametrize("runner", ["native", "ray"])
def test_daft(lake, runner):
    url, varve, folder = lake
    out = run(DAFT, folder, url, runner)
    assert out == {"written before": SEEN, "tens": 200, "left": 7}
    varve.verify()


def test_polars(lake):
    url, varve, folder = lake
    out = run(POLARS, folder, url)
    assert out == {"written before": SEEN, "filtered": 9, "written": 50, "overwritten": 25}
    varve.verify()
