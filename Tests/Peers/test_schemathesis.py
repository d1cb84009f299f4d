"""Requests that Schemathesis makes of the interfaces' documents, valid and damaged ones: no answer is a failure of
the server, and all have a status, a type and a form that the document names."""
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from support import SECONDS, Varve, free_port, server, shared

yaml = pytest.importorskip("yaml")

EXAMPLES = int(os.environ.get("VARVE_SCHEMATHESIS_EXAMPLES", "5"))
SEED = os.environ.get("VARVE_SCHEMATHESIS_SEED", "7")
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
COMMAND = Path(sys.executable).parent / "st"

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="schemathesis is not installed")

# Operations after which others would find nothing any more: they come last.
ENDING = ["dropNamespace", "dropTable", "unregisterTable", "dropView", "renameTable", "renameView"]


def iceberg_document():
    """Iceberg's document as servers and clients have always meant it, for a server without a prefix.

    For views it says that an error comes bare; everybody wraps it as for tables (`IcebergErrorResponse`)."""
    def mended(node):
        if isinstance(node, list):
            return [mended(one) for one in node if one != {"$ref": "#/components/parameters/prefix"}]
        if not isinstance(node, dict):
            return node
        return {
            key: "#/components/schemas/IcebergErrorResponse"
            if key == "$ref" and value == "#/components/schemas/ErrorModel" else mended(value)
            for key, value in node.items()
        }

    document = yaml.safe_load(shared("corpora", "iceberg", "rest-catalog-open-api.yaml").read_text())
    paths = {}
    for path, methods in mended(document["paths"]).items():
        paths[path.replace("/{prefix}/", "/")] = {name: value for name, value in methods.items() if value}
    return {**document, "paths": paths}


@pytest.fixture()
def address(tmp_path):
    varve = Varve(tmp_path / "lake")
    varve.execute(
        "CREATE TABLE t AS SELECT range AS i, 'x' || range AS s FROM range(100); CREATE SCHEMA ns; "
        "CREATE VIEW v AS SELECT 1 AS a"
    )
    port = free_port()
    with server(varve.command("serve", "--port", port), port, varve.environment):
        yield f"http://127.0.0.1:{port}"


def check(folder, document, address, *arguments):
    (folder / "document.yaml").write_text(yaml.safe_dump(document))
    (folder / "schemathesis.toml").write_text(
        '[parameters]\n"path.namespace" = "main"\n"path.table" = "t"\n"path.view" = "v"\n'
    )
    run = subprocess.run(
        [COMMAND, "--config-file", folder / "schemathesis.toml", "run", folder / "document.yaml", "--url", address,
         "--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--seed", SEED,
         "--request-timeout", "120", "--continue-on-failure", *arguments],
        capture_output=True, text=True, timeout=SECONDS, cwd=folder,
    )
    assert run.returncode == 0, run.stdout[-20000:] + run.stderr[-2000:]
    assert "Tested: 0" not in run.stdout


def test_the_iceberg_catalog_answers_as_its_document_says(address, tmp_path):
    document = iceberg_document()
    excluding = [word for name in ENDING for word in ("--exclude-operation-id", name)]
    including = [word for name in ENDING for word in ("--include-operation-id", name)]
    check(tmp_path, document, address, *excluding)
    check(tmp_path, document, address, *including)


def test_the_own_interface_answers_as_its_document_says(address, tmp_path):
    document = yaml.safe_load(urllib.request.urlopen(f"{address}/openapi.yaml", timeout=SECONDS).read())
    # A stream of events has no end.
    check(tmp_path, document, address, "--exclude-path", "/varve/v1/events")
