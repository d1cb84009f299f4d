"""Ways to a table's files that lead nowhere else: credentials of a token service, and requests signed by the server."""
import contextlib
import http.server
import json
import threading
import urllib.error
import urllib.parse
import urllib.request

import pytest

from support import BINARY, bucket_server, free_port, server

pa = pytest.importorskip("pyarrow")
pytest.importorskip("pyiceberg")
boto3 = pytest.importorskip("boto3")

ROLE = "arn:aws:iam::123456789012:role/lake"
ROWS = pa.table({"a": pa.array(range(10), pa.int64())})


@contextlib.contextmanager
def lake(tmp_path, url, extra):
    """A server of a warehouse in a bucket; its clients have no credentials in their environment."""
    configuration = tmp_path / "varve.yaml"
    configuration.write_text(
        f"s3:\n  endpoint: {url}\n  region: us-east-1\n  path_style: true\n"
        f"  access_key_id: testing\n  secret_access_key: testing-secret\n{extra}")
    port = free_port()
    with server([BINARY, "serve", "--config", configuration, "--warehouse", "s3://varve-test/lake", "--port", port],
                port, {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}):
        yield f"http://127.0.0.1:{port}"


def call(url, method="GET", body=None, **headers):
    request = urllib.request.Request(url, method=method, data=None if body is None else json.dumps(body).encode(),
                                     headers={key.replace("_", "-"): value for key, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=300) as response:
            return response.status, json.loads(response.read() or "null"), response.headers
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or "null"), error.headers


@contextlib.contextmanager
def token_service(status=200):
    """A token service that keeps what it is asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            asked.append(({key: value[0] for key, value in form.items()},
                          {key.lower(): value for key, value in self.headers.items()}))
            number = len(asked)
            body = (f"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>key{number}</AccessKeyId>"
                    f"<SecretAccessKey>secret{number}</SecretAccessKey><SessionToken>token{number}</SessionToken>"
                    "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>"
                    "</AssumeRoleResponse>") if status == 200 else (
                        "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>")
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=service.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{service.server_port}", asked
    finally:
        service.shutdown()
        thread.join()
        service.server_close()


SCHEMA = {"type": "struct", "fields": [{"id": 1, "name": "a", "type": "long", "required": False}]}
WANTED = {"X-Iceberg-Access-Delegation": "vended-credentials, remote-signing"}


def make(url, name, **headers):
    status, table, _ = call(f"{url}/v1/namespaces/main/tables", "POST", {"name": name, "schema": SCHEMA}, **headers)
    assert status == 200, table
    return table


def test_credentials_of_a_role_are_for_one_table(tmp_path):
    with bucket_server("varve-test") as (url, _), token_service() as (tokens, asked):
        role = f"  assume_role: {{arn: '{ROLE}', endpoint: '{tokens}', duration_seconds: 900, external_id: x1}}\n"
        with lake(tmp_path, url, role) as catalog:
            made = make(catalog, "t")
            # Who does not ask gets none.
            assert "s3.access-key-id" not in made["config"] and "storage-credentials" not in made and not asked
            path = f"{catalog}/v1/namespaces/main/tables/t"
            status, loaded, headers = call(path, **WANTED)
            assert status == 200
            location = loaded["metadata"]["location"]
            [credential] = loaded["storage-credentials"]
            assert credential["prefix"] == location
            assert credential["config"]["s3.session-token"] == "token1"
            assert loaded["config"]["s3.access-key-id"] == "key1" and "testing-secret" not in json.dumps(loaded)
            assert headers["ETag"] and call(path, If_None_Match=headers["ETag"], **WANTED)[0] == 304
            # Another answer than that without credentials.
            assert call(path, If_None_Match=headers["ETag"])[0] == 200
            form, sent = asked[0]
            assert (form["Action"], form["RoleArn"], form["DurationSeconds"], form["ExternalId"]) == (
                "AssumeRole", ROLE, "900", "x1")
            assert "/us-east-1/sts/aws4_request" in sent["authorization"]
            key = location.removeprefix("s3://varve-test/")
            allow, listing, deny = json.loads(form["Policy"])["Statement"]
            assert allow["Effect"] == "Allow" and allow["Resource"] == [f"arn:aws:s3:::varve-test/{key}/*"]
            assert listing["Condition"] == {"StringLike": {"s3:prefix": [f"{key}/*"]}}
            assert deny["Effect"] == "Deny" and deny["Resource"] == ["arn:aws:s3:::varve-test/lake/_varve/*"]
            # The same for as long as they are good; others for another table.
            _, given, _ = call(f"{path}/credentials")
            assert given["storage-credentials"] == loaded["storage-credentials"] and len(asked) == 1
            other = make(catalog, "u", **WANTED)
            assert other["config"]["s3.access-key-id"] == "key2"
            # Characters that mean something in a policy stand for themselves.
            odd = {"name": "odd", "schema": SCHEMA, "location": "s3://varve-test/lake/a*b$"}
            assert call(f"{catalog}/v1/namespaces/main/tables", "POST", odd, **WANTED)[0] == 200
            assert "varve-test/lake/a${*}b${$}/*" in asked[2][0]["Policy"]


def test_a_token_service_that_refuses_fails_loads_and_no_commits(tmp_path):
    with bucket_server("varve-test") as (url, _), token_service(403) as (tokens, _):
        with lake(tmp_path, url, f"  assume_role: {{arn: '{ROLE}', endpoint: '{tokens}'}}\n") as catalog:
            made = make(catalog, "t", **WANTED)
            assert "s3.access-key-id" not in made["config"]
            status, error, _ = call(f"{catalog}/v1/namespaces/main/tables/t", **WANTED)
            assert status == 403 and "testing" not in json.dumps(error)
            assert call(f"{catalog}/v1/namespaces/main/tables/t")[0] == 200


def test_pyiceberg_writes_with_credentials_of_a_role(tmp_path, monkeypatch):
    from pyiceberg.catalog.rest import RestCatalog
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]:
        monkeypatch.delenv(name, raising=False)
    with bucket_server("varve-test") as (url, _):
        with lake(tmp_path, url, f"  assume_role: {{arn: '{ROLE}', endpoint: '{url}'}}\n") as address:
            catalog = RestCatalog("varve", uri=address)
            table = catalog.create_table("main.t", ROWS.schema)
            assert table.io.properties["s3.session-token"]
            table.append(ROWS)
            assert catalog.load_table("main.t").scan().to_arrow().num_rows == 10


# Remote signing

def sign(catalog, method, uri, headers=None, body=None, table="t", **more):
    request = {"region": "us-east-1", "method": method, "uri": uri, "headers": headers or {}, **more}
    if body is not None:
        request["body"] = body
    return call(f"{catalog}/v1/namespaces/main/tables/{table}/sign", "POST", request)


def signature_of_botocore(method, uri, headers):
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    proof = dict(part.strip().split("=", 1) for part in headers["authorization"][0].split(" ", 1)[1].split(","))
    signed = proof["SignedHeaders"].split(";")
    values = {name: ",".join(value) for name, value in headers.items() if name in signed}
    request = AWSRequest(method=method, url=uri, headers=values)
    request.context["timestamp"] = values["x-amz-date"]
    auth = S3SigV4Auth(Credentials("testing", "testing-secret"), "s3", "us-east-1")
    text = auth.string_to_sign(request, auth.canonical_request(request))
    return auth.signature(text, request), proof["Signature"]


def test_the_server_signs_requests_to_a_tables_files_only(tmp_path):
    with bucket_server("varve-test") as (url, _), lake(tmp_path, url, "  remote_signing: true\n") as catalog:
        made = make(catalog, "t", **{"X-Iceberg-Access-Delegation": "remote-signing"})
        assert made["config"]["s3.remote-signing-enabled"] == "true"
        assert made["config"]["signer.endpoint"] == "v1/namespaces/main/tables/t/sign"
        assert "storage-credentials" not in made
        base = f"{url}/{made['metadata']['location'].removeprefix('s3://')}"
        other = f"{url}/{make(catalog, 'u')['metadata']['location'].removeprefix('s3://')}"
        bucket = f"{url}/varve-test"
        prefix = urllib.parse.quote(base.removeprefix(bucket + "/"), safe="")
        for method, uri in [("GET", f"{base}/data/x%20y%2Bz.parquet"), ("HEAD", f"{base}/data/x"),
                            ("PUT", f"{base}/data/x?partNumber=1&uploadId=abc"), ("DELETE", f"{base}/data/x"),
                            ("POST", f"{base}/data/x?uploads"), ("POST", f"{base}/data/x?uploadId=1"),
                            ("GET", f"{bucket}?list-type=2&prefix={prefix}%2F&max-keys=10")]:
            status, answer, headers = sign(catalog, method, uri, {"Range": ["bytes=0-5"]})
            assert status == 200, (method, uri, answer)
            theirs, ours = signature_of_botocore(method, answer["uri"],
                                                 {"host": [urllib.parse.urlparse(uri).netloc], **answer["headers"]})
            assert theirs == ours, (method, uri)
            assert headers["Cache-Control"] == "no-cache"
        key = base.removeprefix(bucket + "/")
        delete = "<Delete><Object><Key>{}</Key></Object><Object><Key>{}/b</Key></Object></Delete>"
        assert sign(catalog, "POST", f"{bucket}?delete", body=delete.format(key + "/a", key))[0] == 200
        assert sign(catalog, "PUT", f"{base}/copy", {"x-amz-copy-source": [f"/varve-test/{key}/a"]})[0] == 200
        refused = [
            ("GET", f"{other}/data/x"), ("GET", f"{base}-other/x"), ("GET", base), ("GET", f"{base}/"),
            ("GET", f"{base}/../x"), ("GET", f"{base}/%2e%2e/x"), ("PUT", f"{bucket}/lake/_varve/log/1"),
            ("GET", f"{bucket}/lake/_varve/warehouse.json"), ("GET", f"http://elsewhere/{key}/x"),
            ("GET", f"{url}/other-bucket/{key}/x"), ("GET", f"{base}/x?acl"), ("PUT", f"{base}/x?tagging"),
            ("GET", f"{bucket}?list-type=2"), ("GET", f"{bucket}?list-type=2&prefix=lake%2F"),
            ("GET", f"{bucket}?list-type=2&prefix={prefix}"),
            ("GET", f"{bucket}?prefix={prefix}%2F&prefix="), ("DELETE", bucket), ("POST", f"{base}/x"),
            ("PATCH", f"{base}/x"), ("POST", f"{bucket}?delete")]
        for method, uri in refused:
            status, answer, _ = sign(catalog, method, uri)
            assert status == 403, (method, uri, status, answer)
        assert sign(catalog, "POST", f"{bucket}?delete", body=delete.format(key + "/a", "lake"))[0] == 403
        assert sign(catalog, "POST", f"{bucket}?delete", body="<Delete></Delete>")[0] == 400
        for headers in [{"x-amz-copy-source": ["/varve-test/lake/_varve/log/1"]}, {"x-amz-acl": ["public-read"]},
                        {"x-amz-grant-read": ["x"]}, {"x-amz-copy-source": [f"/varve-test/{key}/../x"]}]:
            assert sign(catalog, "PUT", f"{base}/x", headers)[0] == 403, headers
        assert sign(catalog, "GET", f"{base}/x", table="no")[0] == 403
        assert sign(catalog, "GET", f"{base}/x", provider="gcs")[0] == 400
        assert sign(catalog, "GET", f"{base}/x", {"a": "b"})[0] == 400


def test_nothing_is_signed_unless_the_operator_says_so(tmp_path):
    with bucket_server("varve-test") as (url, _), lake(tmp_path, url, "") as catalog:
        made = make(catalog, "t", **WANTED)
        assert "s3.remote-signing-enabled" not in made["config"]
        base = f"{url}/{made['metadata']['location'].removeprefix('s3://')}"
        assert sign(catalog, "GET", f"{base}/x")[0] == 403
        assert call(f"{catalog}/v1/namespaces/main/tables/t/credentials")[1] == {"storage-credentials": []}


def test_boto_works_with_pyicebergs_signer(tmp_path):
    pytest.importorskip("fsspec")
    from botocore import UNSIGNED
    from botocore.config import Config
    from pyiceberg.io.fsspec import S3V4RestSigner
    with bucket_server("varve-test") as (url, _), lake(tmp_path, url, "  remote_signing: true\n") as catalog:
        made = make(catalog, "t", **{"X-Iceberg-Access-Delegation": "remote-signing"})
        client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", config=Config(
            signature_version=UNSIGNED, s3={"addressing_style": "path"}, request_checksum_calculation="when_required"))
        client.meta.events.register("before-sign.s3", S3V4RestSigner({**made["config"], "uri": catalog}))
        key = made["metadata"]["location"].removeprefix("s3://varve-test/") + "/data/a b+c.bin"
        client.put_object(Bucket="varve-test", Key=key, Body=b"hello")
        assert client.get_object(Bucket="varve-test", Key=key)["Body"].read() == b"hello"
        with pytest.raises(Exception, match="sign"):
            client.get_object(Bucket="varve-test", Key="lake/_varve/warehouse.json")
