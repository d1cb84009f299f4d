"""Files in a bucket that statements and imports name: text, Arrow and Parquet, by key and by pattern."""
import gzip

import boto3
import pyarrow
import pyarrow.ipc
import pyarrow.parquet
import pytest

from support import Varve, bucket_server

ROWS = 20_000


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    """A warehouse in a folder, and a bucket with the same rows in files of every kind."""
    folder = tmp_path_factory.mktemp("files")
    lines = "a,b\n" + "".join(f"{number},text {number}\n" for number in range(ROWS))
    objects = "".join(f'{{"a": {number}, "b": "text {number}"}}\n' for number in range(ROWS))
    table = pyarrow.table({"a": pyarrow.array(range(ROWS), pyarrow.int64()), "b": [f"text {number}" for number in range(ROWS)]})
    (folder / "x.csv").write_text(lines)
    (folder / "x.csv.gz").write_bytes(gzip.compress(lines.encode()))
    (folder / "x.ndjson").write_text(objects)
    pyarrow.parquet.write_table(table, folder / "x.parquet", row_group_size=3000)
    with pyarrow.ipc.new_file(folder / "x.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=1000)
    # More than one part of a reader that fetches ahead.
    (folder / "large.csv").write_text("a,b\n" + "".join(f"{number},{'x' * 1000}\n" for number in range(12_000)))
    with bucket_server() as (url, environment):
        client = boto3.client("s3", endpoint_url=url, aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
        for path in folder.iterdir():
            client.upload_file(str(path), "bucket", f"in/{path.name}")
        for part in range(3):
            client.put_object(Bucket="bucket", Key=f"parts/{part}.csv", Body=f"a\n{part}\n{part + 10}\n".encode())
        client.put_object(Bucket="bucket", Key="parts/deep/9.csv", Body=b"a\n9999\n")
        yield Varve(tmp_path_factory.mktemp("warehouse") / "lake", environment)


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.ndjson", "x.parquet", "x.arrow"])
def test_a_file_of_every_kind_is_read_and_imported(name, bucket):
    query = "SELECT count(*), sum(a), min(b), max(b) FROM {}"
    expected = (ROWS, sum(range(ROWS)), "text 0", "text 9999")
    assert bucket.rows(query.format(f"'s3://bucket/in/{name}'")) == [expected]
    table = "t_" + name.replace(".", "_")
    done = bucket.run("import", f"s3://bucket/in/{name}", "--into", table)
    assert done.returncode == 0, done.stderr.decode()
    assert bucket.rows(query.format(table)) == [expected]


def test_a_file_of_many_parts_is_read_whole(bucket):
    query = "SELECT count(*), sum(a), sum(length(b)) FROM read_csv('s3://bucket/in/large.csv')"
    assert bucket.rows(query) == [(12_000, sum(range(12_000)), 12_000_000)]
    # Whoever wants a few rows does not wait for all.
    assert bucket.rows("SELECT a FROM read_csv('s3://bucket/in/large.csv') LIMIT 1") == [(0,)]


def test_a_pattern_names_the_objects_of_one_folder(bucket):
    assert bucket.rows("SELECT a FROM read_csv('s3://bucket/parts/*.csv') ORDER BY a") == [(0,), (1,), (2,), (10,), (11,), (12,)]
    assert bucket.rows("SELECT a FROM read_csv('s3://bucket/parts/[12].csv') ORDER BY a") == [(1,), (2,), (11,), (12,)]
    assert "no object matches" in bucket.error("SELECT * FROM read_csv('s3://bucket/parts/z*.csv')")


@pytest.mark.parametrize("name", ["nothing.csv", "nothing.parquet", "nothing.ndjson"])
def test_an_object_that_is_not_there_is_named(name, bucket):
    assert name in bucket.error(f"SELECT * FROM 's3://bucket/in/{name}'")
