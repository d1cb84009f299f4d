"""Views over the Iceberg REST catalog, made by other engines and by SQL."""
import concurrent.futures
import json
import urllib.error
import urllib.request

import pytest

from support import rest_server

pytest.importorskip("pyiceberg")


def call(catalog, path, method="GET", body=None):
    request = urllib.request.Request(catalog.properties["uri"] + path, method=method,
                                     data=None if body is None else json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=300) as response:
            return response.status, json.loads(response.read() or "null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or "null")


def version(number=1, schema=0, **texts):
    return {"version-id": number, "timestamp-ms": 1, "schema-id": schema, "summary": {"engine-name": "Spark"},
            "default-catalog": "spark_catalog", "default-namespace": ["air"],
            "representations": [{"type": "sql", "sql": text, "dialect": dialect} for dialect, text in texts.items()]}


SCHEMA = {"type": "struct", "schema-id": 0, "fields": [
    {"id": 1, "name": "carrier", "type": "string", "required": False},
    {"id": 2, "name": "flights", "type": "long", "required": False}]}
TEXT = "SELECT carrier, count(*) AS flights FROM flights GROUP BY carrier"


def make(catalog, name, **texts):
    return call(catalog, "/v1/namespaces/air/views", "POST", {
        "name": name, "schema": SCHEMA, "view-version": version(**texts), "properties": {}})


def prepare(varve):
    varve.execute("CREATE SCHEMA air")
    varve.execute("CREATE TABLE air.flights AS SELECT i AS id, CASE WHEN i % 3 = 0 THEN 'AA' ELSE 'ÜB' END AS carrier "
                  "FROM range(9) r(i)")


def test_pyiceberg_and_sql_see_each_others_views(varve):
    from pyiceberg.exceptions import NoSuchViewError
    prepare(varve)
    with rest_server(varve) as catalog:
        assert make(catalog, "by_spark", spark=TEXT)[0] == 200
        assert make(catalog, "by_both", trino=TEXT, spark="nonsense")[0] == 200
        varve.execute(f"CREATE VIEW air.by_sql AS {TEXT.replace('FROM flights', 'FROM air.flights')}")
        assert sorted(catalog.list_views("air")) == [("air", "by_both"), ("air", "by_spark"), ("air", "by_sql")]
        assert catalog.view_exists("air.by_sql") and not catalog.view_exists("air.none")
        assert catalog.list_tables("air") == [("air", "flights")]
        for name in ["by_spark", "by_both", "by_sql"]:
            # Names are looked up in the view's own namespace, whatever that of the session is.
            assert varve.rows(f"SELECT * FROM air.{name} ORDER BY carrier") == [("AA", 3), ("ÜB", 6)]
        # What spark makes of it next loses nothing that others wrote, or is refused.
        status, answer = call(catalog, "/v1/namespaces/air/views/by_both", "POST", {"updates": [
            {"action": "add-view-version", "view-version": version(2, spark=TEXT)},
            {"action": "set-current-view-version", "view-version-id": -1}]})
        assert status == 400 and "trino" in answer["error"]["message"]
        catalog.drop_view("air.by_sql")
        assert "by_sql" in varve.error("SELECT * FROM air.by_sql")
        with pytest.raises(NoSuchViewError):
            catalog.drop_view("air.by_sql")
        varve.execute("ALTER VIEW air.by_spark RENAME TO renamed")
        assert catalog.view_exists("air.renamed") and not catalog.view_exists("air.by_spark")
    varve.verify()


def test_replacements_at_once_all_land_in_some_order(varve):
    prepare(varve)
    with rest_server(varve) as catalog:
        status, made = make(catalog, "v", spark=TEXT)
        assert status == 200
        require = [{"type": "assert-view-uuid", "uuid": made["metadata"]["view-uuid"]}]

        def replace(number):
            return call(catalog, "/v1/namespaces/air/views/v", "POST", {"requirements": require, "updates": [
                {"action": "add-view-version", "view-version": version(2, spark=f"{TEXT} HAVING count(*) > {number}")},
                {"action": "set-current-view-version", "view-version-id": -1}]})

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(replace, range(8)))
        assert [status for status, _ in answers] == [200] * 8
        ids = sorted(answer["metadata"]["current-version-id"] for _, answer in answers)
        assert ids == list(range(2, 10))
        _, last = call(catalog, "/v1/namespaces/air/views/v")
        assert last["metadata"]["current-version-id"] == 9 and len(last["metadata"]["versions"]) == 9
        assert [entry["version-id"] for entry in last["metadata"]["version-log"]] == list(range(1, 10))
    varve.verify()
