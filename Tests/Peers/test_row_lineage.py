"""Row lineage (format version 3): rows keep their ids, whatever writes their files anew.

Statements at random are held against a model in Python that keeps each row's id and the number of the commit that
last changed it; and the files are read as the specification says, with fastavro and pyarrow alone.
"""
import concurrent.futures
import json
import random
import re
import urllib.request

import fastavro
import pyarrow.parquet
import pytest

from support import Varve, duckdb_with_iceberg, free_port, local_path, number_from_environment, server

SEEDS = number_from_environment("VARVE_ROW_LINEAGE_SEEDS", 3)
STEPS = number_from_environment("VARVE_ROW_LINEAGE_STEPS", 30)
ROW_ID, LAST_UPDATED = 2147483540, 2147483539
COLUMNS = "id BIGINT, p INT, v BIGINT, s VARCHAR, l INT[], st STRUCT(a INT, b VARCHAR)"
NAMES = ["id", "p", "v", "s", "l", "st"]
V3 = "TBLPROPERTIES ('format-version' = '3', 'write.target-file-size-bytes' = '{size}')"


def current(varve, name="t"):
    with open(varve.metadata_file(name), "rb") as file:
        return json.load(file)


def snapshot_of(metadata, snapshot_id=None):
    wanted = metadata.get("current-snapshot-id") if snapshot_id is None else snapshot_id
    return next((one for one in metadata["snapshots"] if one["snapshot-id"] == wanted), None)


class File:
    """A live data file by the specification: its rows as the file has them, and what they inherit."""

    def __init__(self, manifest, entry, first):
        file = entry["data_file"]
        self.path, self.first, self.count = file["file_path"], first, file["record_count"]
        self.snapshot = entry["snapshot_id"] or manifest["added_snapshot_id"]
        self.sequence = entry["sequence_number"]
        if self.sequence is None:
            self.sequence = manifest["sequence_number"]
        self.metrics = {one["key"]: one["value"] for one in file["value_counts"] or []}
        stored = pyarrow.parquet.ParquetFile(self.path.removeprefix("file://"))
        assert stored.metadata.num_rows == self.count
        self.ids = {int(field.metadata[b"PARQUET:field_id"]): index for index, field in enumerate(stored.schema_arrow)}
        self.names = {id: stored.schema_arrow.names[index] for id, index in self.ids.items()}
        self.optional = {id: stored.schema_arrow.field(index).nullable for id, index in self.ids.items()}
        self.types = {id: str(stored.schema_arrow.field(index).type) for id, index in self.ids.items()}
        self.table = stored.read()
        group = stored.metadata.row_group(0)
        self.encodings = {group.column(i).path_in_schema: group.column(i).encodings for i in range(group.num_columns)}

    @property
    def is_explicit(self):
        return ROW_ID in self.ids

    def column(self, id):
        return self.table.column(self.ids[id]).to_pylist() if id in self.ids else [None] * self.count

    def rows(self, schema):
        fields = [next(field["id"] for field in schema["fields"] if field["name"] == name) for name in NAMES]
        values = zip(*[self.column(id) for id in fields])
        for position, (row, id, sequence) in enumerate(zip(values, self.column(ROW_ID), self.column(LAST_UPDATED))):
            if id is None and self.first is not None:
                id = self.first + position
            if sequence is None and self.first is not None:
                sequence = self.sequence
            yield row, id, sequence


def files_of(metadata, snapshot):
    files = []
    if snapshot is None:
        return files
    with open(local_path(snapshot["manifest-list"]), "rb") as list_file:
        for manifest in list(fastavro.reader(list_file)):
            assert manifest["content"] == 0, "rows are deleted by writing files anew"
            next_id = manifest.get("first_row_id")
            assert (next_id is None) == (snapshot.get("first-row-id") is None)
            with open(local_path(manifest["manifest_path"]), "rb") as file:
                for entry in fastavro.reader(file):
                    if entry["status"] == 2:
                        continue
                    first = entry["data_file"].get("first_row_id")
                    if entry["status"] == 1:
                        assert first is None, "ids of files that are added are inherited"
                    if first is None and next_id is not None:
                        first, next_id = next_id, next_id + entry["data_file"]["record_count"]
                    files.append(File(manifest, entry, first))
    return files


def by_specification(metadata, snapshot_id=None):
    schema = next(one for one in metadata["schemas"] if one["schema-id"] == metadata["current-schema-id"])
    return [row for file in files_of(metadata, snapshot_of(metadata, snapshot_id)) for row in file.rows(schema)]


def check_files(metadata):
    """What files and numbers must be like in a table of version 3."""
    snapshot = snapshot_of(metadata)
    assert metadata["next-row-id"] == max([one["first-row-id"] + one["added-rows"] for one in metadata["snapshots"]
                                           if "first-row-id" in one], default=0)
    ranges = []
    for file in files_of(metadata, snapshot):
        assert file.first is not None and file.first + file.count <= metadata["next-row-id"]
        ranges.append((file.first, file.first + file.count))
        assert file.is_explicit == (LAST_UPDATED in file.ids) == (ROW_ID in file.metrics)
        if not file.is_explicit:
            continue
        assert (file.names[ROW_ID], file.names[LAST_UPDATED]) == ("_row_id", "_last_updated_sequence_number")
        assert file.types[ROW_ID] == file.types[LAST_UPDATED] == "int64"
        assert file.optional[ROW_ID] and file.optional[LAST_UPDATED]
        assert "DELTA_BINARY_PACKED" in file.encodings["_row_id"]
        ids = file.column(ROW_ID)
        assert any(id is not None for id in ids), f"{file.path} needs no columns of row lineage"
        assert all(id is None or 0 <= id < file.first for id in ids), "an explicit id is older than the file"
        assert all(number is None or number < file.sequence for number in file.column(LAST_UPDATED))
    ranges.sort()
    assert all(a[1] <= b[0] for a, b in zip(ranges, ranges[1:])), "ranges of row ids overlap"


def text_of(value):
    match value:
        case None: return "NULL"
        case str(): return "'" + value.replace("'", "''") + "'"
        case list(): return "[" + ", ".join(map(text_of, value)) + "]::INT[]"
        case dict(): return "{" + ", ".join(f"'{name}': {text_of(one)}" for name, one in value.items()) + "}"
        case _: return str(value)


def frozen(row):
    return json.dumps(row)


class Row:
    """A row of the model; `id` and `number` are None where the next commit gives them."""

    def __init__(self, values, id=None, number=None):
        self.values, self.id, self.number = values, id, number

    def copy(self):
        return Row(list(self.values), self.id, self.number)


class Table:
    """A table at random, and what it must be."""

    def __init__(self, folder, seed, parts, version=3):
        self.random = random.Random(f"{seed} {parts} {version}")
        self.varve, self.rows, self.next, self.parts, self.version = Varve(folder / "lake"), {}, 0, parts, version
        self.past, self.learned = [], {}
        properties = V3.format(size=self.random.choice([1500, 500_000_000]))
        if version == 2:
            properties = properties.replace("'3'", "'2'")
        self.varve.execute(f"CREATE TABLE t ({COLUMNS}) {parts} {properties}")

    def some(self, values, nulls=0.2):
        return None if self.random.random() < nulls else self.random.choice(values)

    def fresh(self):
        self.next += 1
        return [self.next, self.some(range(3)), self.some(range(100)), self.some(["", "a", "it's", "日本"]),
                self.some([[], [1, None], [7, 8, 9]]), self.some([{"a": 1, "b": None}, {"a": None, "b": "x"}])]

    @staticmethod
    def values(rows):
        return ", ".join("(" + ", ".join(map(text_of, row)) + ")" for row in rows)

    def chosen(self):
        """A condition, and the rows that it is true of."""
        modulus = self.random.randint(2, 5)
        rest = self.random.randrange(modulus)
        match self.random.randrange(4):
            case 0:
                return f"id % {modulus} = {rest} AND p = 1", [k for k, row in self.rows.items() if k % modulus == rest and row.values[1] == 1]
            case 1 if self.version == 3 and self.rows and all(row.id is not None for row in self.rows.values()):
                ids = self.random.sample([row.id for row in self.rows.values()], min(3, len(self.rows)))
                return f"_row_id IN ({', '.join(map(str, ids))})", [k for k, row in self.rows.items() if row.id in ids]
            case 2:
                return f"id IN (SELECT id FROM t WHERE v < {20 * rest})", [k for k, row in self.rows.items() if row.values[2] is not None and row.values[2] < 20 * rest]
        return f"id % {modulus} = {rest}", [k for k in self.rows if k % modulus == rest]

    def change(self, key, **values):
        row = self.rows[key]
        for name, value in values.items():
            row.values[NAMES.index(name)] = value
        row.number = None

    # Statements.

    def insert(self):
        rows = [self.fresh() for _ in range(self.random.randint(1, 12))]
        self.rows |= {row[0]: Row(row) for row in rows}
        return f"INSERT INTO t VALUES {self.values(rows)}"

    def insert_copies(self):
        shift = self.next
        copies = {key + shift: Row([key + shift, *row.values[1:]]) for key, row in self.rows.items() if key % 3 == 0}
        self.next = max([self.next, *copies])
        self.rows |= copies
        return f"INSERT INTO t SELECT id + {shift}, p, v, s, l, st FROM t WHERE id % 3 = 0"

    def update(self):
        condition, keys = self.chosen()
        value = self.random.randrange(1000)
        match self.random.randrange(4):
            case 0:
                for key in keys:
                    self.change(key, v=value, s=None)
                return f"UPDATE t SET v = {value}, s = NULL WHERE {condition}"
            case 1:
                for key in keys:
                    self.change(key, p=value % 3, l=[value], st={"a": value, "b": "new"})
                return f"UPDATE t SET p = {value % 3}, l = [{value}], st = {{'a': {value}, 'b': 'new'}} WHERE {condition}"
            case 2:
                for key in keys:
                    self.change(key)
                return f"UPDATE t SET v = v WHERE {condition}"
        for key in self.rows:
            self.change(key, v=value)
        return f"UPDATE t SET v = {value}"

    def update_from(self):
        keys = self.random.sample(sorted(self.rows), min(4, len(self.rows)))
        value = self.random.randrange(1000)
        for key in keys:
            self.change(key, v=value + key, p=key % 3)
        rows = ", ".join(f"({key}, {value + key})" for key in [*keys, 10 ** 9])
        return f"UPDATE t SET v = n.w, p = n.id % 3 FROM (VALUES {rows}) AS n(id, w) WHERE n.id = t.id"

    def delete(self):
        condition, keys = self.chosen()
        for key in keys:
            del self.rows[key]
        return f"DELETE FROM t WHERE {condition}"

    def delete_using(self):
        keys = self.random.sample(sorted(self.rows), min(3, len(self.rows)))
        for key in keys:
            del self.rows[key]
        rows = ", ".join(f"({key})" for key in [*keys, -1])
        return f"DELETE FROM t USING (VALUES {rows}) AS n(id) WHERE n.id = t.id"

    def merge(self):
        keys = self.random.sample(sorted(self.rows), min(6, len(self.rows)))
        value, source = self.random.randrange(1000), []
        for key in keys:
            action = self.random.choice("UDN")
            source.append((key, value + key, action))
            if action == "U":
                self.change(key, v=value + key)
            elif action == "D":
                del self.rows[key]
        for _ in range(3):
            row = self.fresh()
            row[1:] = [row[0] % 3, value, "merged", None, None]
            self.rows[row[0]] = Row(row)
            source.append((row[0], value, "I"))
        rows = ", ".join(f"({id}, {v}, '{action}')" for id, v, action in source)
        text = (f"MERGE INTO t USING (VALUES {rows}) AS n(id, w, a) ON t.id = n.id "
                "WHEN MATCHED AND n.a = 'N' THEN DO NOTHING WHEN MATCHED AND n.a = 'D' THEN DELETE "
                "WHEN MATCHED THEN UPDATE SET v = n.w "
                "WHEN NOT MATCHED THEN INSERT (id, p, v, s) VALUES (n.id, n.id % 3, n.w, 'merged')")
        named = {id for id, _, _ in source}
        if self.random.random() < 0.4:
            for key in [key for key in self.rows if key not in named]:
                if key % 7 == 0:
                    del self.rows[key]
                elif key % 5 == 0:
                    self.change(key, s="alone")
            text += (" WHEN NOT MATCHED BY SOURCE AND t.id % 7 = 0 THEN DELETE"
                     " WHEN NOT MATCHED BY SOURCE AND t.id % 5 = 0 THEN UPDATE SET s = 'alone'")
        return text

    def transaction(self):
        parts = [self.random.choice([self.insert, self.update, self.delete, self.merge, self.update_from])()
                 for _ in range(self.random.randint(2, 4))]
        return "BEGIN; " + "; ".join(parts) + "; COMMIT"

    def add_column(self):
        self.next += 1
        return f"ALTER TABLE t ADD COLUMN c{self.next} INT DEFAULT {self.next}"

    def overwrite(self):
        rows = [self.fresh() for _ in range(5)]
        self.rows = {row[0]: Row(row) for row in rows}
        return f"INSERT OVERWRITE t ({', '.join(NAMES)}) VALUES {self.values(rows)}"

    def compact(self):
        return None

    def step(self):
        choices = [self.insert] * 4 + [self.update] * 5 + [self.delete] * 2 + [self.merge] * 4 + [
            self.update_from, self.update_from, self.delete_using, self.insert_copies, self.transaction, self.transaction,
            self.compact, self.compact, self.compact, self.add_column]
        if self.random.random() < 0.03:
            choices = [self.overwrite]
        before = current(self.varve)
        statement = self.random.choice(choices)()
        if statement is None:
            done = self.varve.run("maintain", "t", "--compact")
            assert done.returncode == 0, done.stderr.decode()
        else:
            names = ", ".join(NAMES)
            # Columns that were added are left to their default.
            self.varve.execute(statement.replace("INSERT INTO t ", f"INSERT INTO t ({names}) "))
        after = current(self.varve)
        if self.version == 3 and snapshot_of(after):
            self.learn(before, after, statement or "compaction")
        self.check(after, statement or "compaction")

    def select(self, rest=""):
        lineage = ", _row_id, _last_updated_sequence_number" if self.version == 3 else ", NULL, NULL"
        return [(row[:-2], row[-2], row[-1]) for row in self.varve.rows(f"SELECT {', '.join(NAMES)}{lineage} FROM t {rest}")]

    def learn(self, before, after, statement):
        """Takes over the ids and numbers that a commit gave, which must be its own to give."""
        found = {row[0]: (id, number) for row, id, number in self.select()}
        assert set(found) == set(self.rows), statement
        for key, row in self.rows.items():
            id, number = found[key]
            if row.id is None and "first-row-id" in snapshot_of(after):
                assert before.get("next-row-id", 0) <= id < after["next-row-id"], statement
                row.id = id
            if row.number is None and "first-row-id" in snapshot_of(after):
                assert self.numbers_from(before) < number <= after["last-sequence-number"], statement
                row.number = number

    def numbers_from(self, before):
        # Rows of before the upgrade have the numbers of their files.
        upgraded = "first-row-id" in (snapshot_of(before) or {"first-row-id": 0})
        return before["last-sequence-number"] if upgraded else 0

    def check(self, metadata, statement):
        wanted = sorted(((row.values, row.id, row.number) for row in self.rows.values()), key=lambda one: one[0][0])
        ids = [row.id for row in self.rows.values() if row.id is not None]
        assert len(set(ids)) == len(ids), statement
        assert self.sorted(self.select()) == frozen(wanted), statement
        assert self.sorted(by_specification(metadata)) == frozen(wanted), statement
        if self.version == 3 and ids:
            check_files(metadata)
        if snapshot_of(metadata):
            self.past.append((metadata["current-snapshot-id"], frozen(wanted)))

    @staticmethod
    def sorted(rows):
        return frozen(sorted(([list(row), id, number] for row, id, number in rows), key=lambda one: one[0][0]))

    def finish(self):
        metadata = current(self.varve)
        known = {one["snapshot-id"] for one in metadata["snapshots"]}
        for snapshot_id, wanted in self.random.sample(self.past, min(5, len(self.past))):
            assert snapshot_id in known
            assert self.sorted(by_specification(metadata, snapshot_id)) == wanted
            columns = f"FOR VERSION AS OF {snapshot_id}"
            assert self.sorted(self.select(columns)) == wanted
        self.varve.verify()
        check_other_readers(self.varve, self.rows)


def check_other_readers(varve, rows):
    """DuckDB and PyIceberg see the table's columns and nothing else; DuckDB has the same ids, too."""
    location = varve.metadata_file("t")
    connection = duckdb_with_iceberg()
    columns = [name for name, *_ in connection.execute(f"DESCRIBE SELECT * FROM iceberg_scan('{location}')").fetchall()]
    assert columns[:len(NAMES)] == NAMES and not [name for name in columns if name.startswith("_")]
    assert connection.execute(f"SELECT id, v FROM iceberg_scan('{location}') ORDER BY id").fetchall() == [
        (key, rows[key].values[2]) for key in sorted(rows)]
    theirs = connection.execute(f"SELECT id, _row_id, _last_updated_sequence_number FROM iceberg_scan('{location}') ORDER BY id")
    assert theirs.fetchall() == [(key, rows[key].id, rows[key].number) for key in sorted(rows)]
    from pyiceberg.table import StaticTable
    table = StaticTable.from_metadata(location).scan().to_arrow()
    assert table.column_names == columns
    assert sorted(zip(table["id"].to_pylist(), table["v"].to_pylist())) == sorted((key, row.values[2]) for key, row in rows.items())


@pytest.mark.parametrize("parts", ["", "PARTITIONED BY (p)", "PARTITIONED BY (bucket(3, id), truncate(1, s))"])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_rows_keep_their_ids(tmp_path, seed, parts):
    table = Table(tmp_path, seed, parts)
    for _ in range(STEPS):
        table.step()
    table.finish()


@pytest.mark.parametrize("parts", ["", "PARTITIONED BY (p)"])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_table_that_is_upgraded_gives_ids_with_its_next_commit(tmp_path, seed, parts):
    table = Table(tmp_path, seed, parts, version=2)
    for _ in range(8):
        table.step()
    assert "does not exist" in table.varve.error("SELECT _row_id FROM t")
    upgrade(table.varve)
    table.version = 3
    table.check(current(table.varve), "upgrade")
    assert {(id, number) for _, id, number in table.select()} <= {(None, None)}
    # All rows get ids with the first commit, and the numbers of their files.
    for row in table.rows.values():
        row.id = row.number = None
    for _ in range(STEPS // 2):
        table.step()
    table.finish()


def upgrade(varve, name="t"):
    port = free_port()
    with server(varve.command("serve", "--port", port), port, varve.environment):
        url = f"http://127.0.0.1:{port}/v1/namespaces/main/tables/{name}"
        body = json.dumps({"requirements": [], "updates": [{"action": "upgrade-format-version", "format-version": 3}]}).encode()
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.load(answer)["metadata"]["format-version"] == 3


LINEAGE = "_row_id, _last_updated_sequence_number"


@pytest.fixture
def small(varve):
    """(1, 'a') and (2, 'b') with the ids 0 and 1."""
    varve.execute("CREATE TABLE t (id INT, s VARCHAR) TBLPROPERTIES ('format-version' = '3')")
    assert varve.rows(f"SELECT {LINEAGE} FROM t") == []
    varve.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    return varve


def test_row_lineage_has_names_and_is_no_column(small):
    varve = small
    assert varve.table("SELECT * FROM t").column_names == ["id", "s"]
    assert [name for name, *_ in varve.rows("DESCRIBE t")] == ["id", "s"]
    assert varve.rows(f"SELECT *, {LINEAGE} FROM t ORDER BY id") == [(1, "a", 0, 1), (2, "b", 1, 1)]
    assert varve.rows("SELECT x._ROW_ID, t._row_id FROM t AS x JOIN t ON x._row_id = t._row_id + 1") == [(1, 0)]
    assert varve.rows("SELECT id FROM t WHERE _row_id IS NULL OR _last_updated_sequence_number IS NULL") == []
    assert varve.rows("SELECT max(_row_id), count(_row_id), min(_last_updated_sequence_number) FROM t") == [(1, 2, 1)]
    assert varve.rows("SELECT (SELECT s FROM t AS i WHERE i._row_id = o._row_id) FROM t AS o ORDER BY o._row_id") == [("a",), ("b",)]
    assert varve.rows("SELECT _row_id FROM t ORDER BY _row_id DESC LIMIT 1") == [(1,)]
    assert varve.rows("SELECT rowid >= 0, _row_id FROM t WHERE s = 'b'") == [(True, 1)]
    # Of what is no table there are none; nor of tables without row lineage.
    varve.execute("CREATE VIEW v AS SELECT id FROM t; CREATE TABLE old (id INT); INSERT INTO old VALUES (1)")
    for text in ["SELECT _row_id FROM v", "SELECT _row_id FROM (SELECT * FROM t) AS q", "SELECT _row_id FROM old",
                 "UPDATE old SET id = 2 WHERE _row_id = 0", "DELETE FROM old WHERE _row_id = 0"]:
        assert '"_row_id" does not exist' in varve.error(text)
    # Copies are rows of their own.
    varve.execute("CREATE TABLE copy (id INT, s VARCHAR, r BIGINT) TBLPROPERTIES ('format-version' = '3');"
                  "INSERT INTO copy SELECT *, _row_id FROM t WHERE id = 2")
    assert varve.rows("SELECT r, _row_id FROM copy") == [(1, 0)]
    assert "_row_id" in varve.error("INSERT INTO t (_row_id, id) VALUES (7, 7)")
    assert "_row_id" in varve.error("UPDATE t SET _row_id = 7")


def test_conditions_of_changes_name_row_ids(small):
    varve = small
    varve.execute("UPDATE t SET s = 'c' WHERE _row_id = 1")
    assert varve.rows(f"SELECT *, {LINEAGE} FROM t ORDER BY id") == [(1, "a", 0, 1), (2, "c", 1, 2)]
    varve.execute("MERGE INTO t USING (VALUES (0, 'm')) AS n(r, s) ON t._row_id = n.r WHEN MATCHED THEN UPDATE SET s = n.s")
    assert varve.rows(f"SELECT *, {LINEAGE} FROM t ORDER BY id") == [(1, "m", 0, 3), (2, "c", 1, 2)]
    assert varve.rows("UPDATE t SET s = 'r' WHERE _last_updated_sequence_number = 2 RETURNING *") == [(2, "r")]
    varve.execute("DELETE FROM t WHERE _row_id = 0")
    assert varve.rows(f"SELECT *, {LINEAGE} FROM t ORDER BY id") == [(2, "r", 1, 4)]
    assert varve.rows("DELETE FROM t WHERE _row_id = 1 RETURNING id") == [(2,)]
    varve.verify()


def test_subqueries_of_changes_have_row_ids_of_their_own(small):
    varve = small
    varve.execute("INSERT INTO t VALUES (3, 'c'); UPDATE t SET s = (SELECT max(s) FROM t AS i WHERE i._row_id < t._row_id) WHERE id > 1")
    assert varve.rows(f"SELECT *, {LINEAGE} FROM t ORDER BY id") == [(1, "a", 0, 1), (2, "a", 1, 3), (3, "b", 2, 3)]
    varve.execute("DELETE FROM t WHERE _row_id IN (SELECT _row_id FROM t WHERE id = 3)")
    assert varve.rows("SELECT id, _row_id FROM t ORDER BY id") == [(1, 0), (2, 1)]
    varve.execute("UPDATE t SET s = 'q' WHERE _row_id = (SELECT max(_row_id) FROM t)")
    assert varve.rows(f"SELECT *, {LINEAGE} FROM t ORDER BY id") == [(1, "a", 0, 1), (2, "q", 1, 5)]


def test_rows_of_on_conflict_keep_their_ids(small):
    varve = small
    varve.execute("ALTER TABLE t ALTER COLUMN id SET NOT NULL; ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY (id)")
    varve.execute("INSERT INTO t VALUES (2, 'x'), (3, 'y') ON CONFLICT DO UPDATE SET s = excluded.s")
    (_, _, one, _), (_, _, two, number), (_, _, three, same) = varve.rows(f"SELECT *, {LINEAGE} FROM t ORDER BY id")
    assert (one, two) == (0, 1) and three > 1 and number == same == 2
    varve.execute("INSERT INTO t VALUES (3, 'z'), (4, 'w') ON CONFLICT DO NOTHING")
    assert varve.rows("SELECT _row_id FROM t WHERE id <= 3 ORDER BY id") == [(0,), (1,), (three,)]


def test_definitions_change_and_rows_do_not(small):
    varve = small
    varve.execute("ALTER TABLE t ADD COLUMN d INT DEFAULT 5")
    assert varve.rows(f"SELECT *, {LINEAGE} FROM t ORDER BY id") == [(1, "a", 5, 0, 1), (2, "b", 5, 1, 1)]
    varve.execute("ALTER TABLE t ALTER COLUMN d TYPE VARCHAR")
    assert varve.rows(f"SELECT *, {LINEAGE} FROM t ORDER BY id") == [(1, "a", "5", 0, 1), (2, "b", "5", 1, 1)]
    varve.execute("ALTER TABLE t ALTER COLUMN d TYPE INT USING id * 10")
    assert varve.rows(f"SELECT *, {LINEAGE} FROM t ORDER BY id") == [(1, "a", 10, 0, 4), (2, "b", 20, 1, 4)]
    varve.execute("ALTER TABLE t RENAME TO u; ALTER TABLE u DROP COLUMN s")
    assert varve.rows(f"SELECT *, {LINEAGE} FROM u ORDER BY id") == [(1, 10, 0, 4), (2, 20, 1, 4)]
    # What replaces rows brings others.
    varve.execute("INSERT OVERWRITE u SELECT * FROM u")
    assert min(varve.rows("SELECT _row_id FROM u"))[0] > 1
    varve.verify()


def test_a_column_of_such_a_name_comes_first(varve):
    varve.execute("CREATE TABLE t (_row_id INT, s VARCHAR) TBLPROPERTIES ('format-version' = '3');"
                  "INSERT INTO t VALUES (70, 'a'), (80, 'b'); INSERT INTO t VALUES (90, 'c')")
    assert varve.rows("SELECT *, _last_updated_sequence_number FROM t WHERE _row_id > 70 ORDER BY 1") == [(80, "b", 1), (90, "c", 2)]
    for text in ["UPDATE t SET s = 'x' WHERE _row_id = 70", "DELETE FROM t WHERE s = 'a'"]:
        assert "rename the column" in varve.error(text)
    done = varve.run("maintain", "t", "--compact")
    assert done.returncode == 1 and b"rename the column" in done.stderr
    # Whole files go without being written anew.
    varve.execute("DELETE FROM t WHERE s = 'c'")
    varve.execute("ALTER TABLE t RENAME COLUMN _row_id TO n; UPDATE t SET s = 'x' WHERE n = 70")
    assert varve.rows("SELECT *, _row_id FROM t ORDER BY n") == [(70, "x", 0), (80, "b", 1)]
    varve.verify()


def test_branches_and_transactions_keep_ids(small):
    varve = small
    varve.execute("BEGIN; INSERT INTO t VALUES (3, 'c'); UPDATE t SET s = 'd' WHERE id >= 2; DELETE FROM t WHERE id = 1; COMMIT")
    assert varve.rows(f"SELECT *, {LINEAGE} FROM t ORDER BY id") == [(2, "d", 1, 3), (3, "d", 2, 3)]
    varve.sql("UPDATE t SET s = 'e' WHERE id = 3", "--table-branch", "dev", format="table")
    assert varve.rows(f"SELECT *, {LINEAGE} FROM t FOR VERSION AS OF 'dev' ORDER BY id") == [(2, "d", 1, 3), (3, "e", 2, 5)]
    varve.execute("CREATE BRANCH lake")
    varve.sql("DELETE FROM t WHERE id = 2", "--branch", "lake", format="table")
    varve.execute("CREATE TABLE other (x INT); MERGE BRANCH lake")
    assert varve.rows(f"SELECT *, {LINEAGE} FROM t") == [(3, "d", 2, 3)]
    assert varve.rows(f"SELECT *, {LINEAGE} FROM t FOR VERSION AS OF 'dev' ORDER BY id") == [(2, "d", 1, 3), (3, "e", 2, 5)]
    varve.verify()


def test_a_condition_on_ids_leaves_row_groups_out(varve):
    varve.execute("CREATE TABLE t (id INT, v DOUBLE) TBLPROPERTIES ('format-version' = '3', 'write.parquet.row-group-size-bytes' = '60000')")
    for part in range(3):
        varve.execute(f"INSERT INTO t SELECT i, random() FROM range({part * 20000}, {part * 20000 + 20000}) AS r(i)")
    for text in ["SELECT 1", "UPDATE t SET v = 0 WHERE id % 20000 = 7", "SELECT 1"]:
        # Where rows inherit their ids, and where files have them.
        varve.execute(text)
        plan = varve.sql("EXPLAIN ANALYZE SELECT id FROM t WHERE _row_id = 25000", format="csv").stdout.decode()
        [(read, left)] = re.findall(r"(\d+) row groups \((\d+) left out\)", plan)
        assert int(read) > 5 and int(left) == int(read) - 1, plan
        assert varve.rows("SELECT id FROM t WHERE _row_id = 25000") == [(25000,)]
        assert varve.rows("SELECT count(*) FROM t WHERE _row_id >= 59990") == [(10,)]
        assert varve.rows("SELECT id FROM t WHERE _row_id IN (7, 59999, 70000) ORDER BY id") == [(7,), (59999,)]


def test_writers_at_once_keep_ids(varve):
    """Appends, changes and compactions race; a row has the same id in all snapshots that have it, and has it alone."""
    varve.execute(f"CREATE TABLE t ({COLUMNS}) PARTITIONED BY (bucket(2, id)) TBLPROPERTIES ('format-version' = '3')")
    varve.execute("INSERT INTO t SELECT i, i % 3, 0, 'first', NULL, NULL FROM range(40) AS r(i)")

    def write(client):
        chance = random.Random(client)
        for number in range(8):
            key, rest = 1000 * client + number, chance.randrange(4)
            match chance.randrange(5):
                case 0 | 1: varve.execute(f"INSERT INTO t (id, v) VALUES ({key}, {client}), ({key + 500}, {client})")
                case 2: varve.execute(f"UPDATE t SET v = v + 1 WHERE id % 4 = {rest}")
                case 3: varve.execute(f"BEGIN; INSERT INTO t (id, v) VALUES ({key}, {client}); COMMIT")
                case 4:
                    done = varve.run("maintain", "t", "--compact")
                    assert done.returncode == 0 or b"another commit" in done.stderr, done.stderr

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(1, 5)))
    metadata, known, numbers = current(varve), {}, {}
    for snapshot in sorted(metadata["snapshots"], key=lambda one: one["sequence-number"]):
        rows = by_specification(metadata, snapshot["snapshot-id"])
        assert len({id for _, id, _ in rows}) == len({row[0] for row, _, _ in rows}) == len(rows)
        for row, id, number in rows:
            assert known.setdefault(row[0], id) == id
            assert numbers.get(row[0], 0) <= number <= snapshot["sequence-number"]
            numbers[row[0]] = number
    assert len(metadata["snapshots"]) > 10 and len(set(known.values())) == len(known)
    check_files(metadata)
    varve.verify()
