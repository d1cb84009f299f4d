"""Random changes of the same table in varve and in DuckDB: after each the table must hold the same rows.

    VARVE_BIN=.build/release/varve python Tests/Peers/change_fuzzer.py --seed 1 --changes 2000
    ... --only 1/3                 the changes of one world, one after the other
"""
import argparse
import collections
import pathlib
import random
import re
import sys
import tempfile
import time

import pyarrow
import pyarrow.parquet

from fuzzer_expressions import E, Scope
from fuzzer_queries import QueryMaker
from fuzzer_sources import leaf
from fuzzer_tree import NAMES, plainest
from fuzzer_worlds import Column, Table, World, partitioning
from query_fuzzer import Duck, Failure, VarveServer, difference, excused

PER_WORLD = 40

# As in query_fuzzer, of changes.
KNOWN_DIFFERENCES = [
    (r"^INSERT|^BEGIN", r"ON CONFLICT DO UPDATE can not update the same row twice|duplicate key|Duplicate key", r"^rows$", "DuckDB checks keys too early in transactions"),
    ("", r"^rows$", r"does not fit DECIMAL", "a constant that does not fit its column is refused before it is known whether there are rows"),
    (r"^MERGE|^BEGIN.*MERGE", r"(?i)out of range|Conversion Error", r"^rows$", "DuckDB computes the values of a MERGE also for rows that an earlier WHEN has taken"),
]


class ChangeWorld(World):
    """A table t, which is changed, and a table src with the same columns, whose ids overlap."""

    def __init__(self, seed, folder):
        self.chance = chance = random.Random(f"changes/{seed}")
        self.folder = folder
        mine, other = chance.choice([0, 1, 20, 60, 150]), chance.choice([1, 10, 40])
        self.schema, data = self.columns(mine + other)
        self.keyed = chance.random() < 0.4
        self.unique = self.keyed or chance.random() < 0.6
        ids = list(range(mine)) if self.unique else [chance.randint(0, mine) for _ in range(mine)]
        pool = range(0, mine + other + 5)
        other_ids = chance.sample(pool, other) if self.unique else [chance.choice(pool) for _ in range(other)]
        self.data = {}
        for name, part, keys in (("t", data.slice(0, mine), ids), ("src", data.slice(mine), other_ids)):
            part = part.set_column(0, "id", pyarrow.array(keys, pyarrow.int32()))
            self.data[name] = folder / f"{name}.parquet"
            pyarrow.parquet.write_table(part, self.data[name])
        self.schema[0].bound = 10**6
        self.target = Table("t", list(self.schema), mine + 50, "", "id")
        self.source = Table("src", list(self.schema), other, "", "id")
        self.tables = [self.target, self.source]
        self.serial = 1000
        self.partitioning, parted = partitioning(random.Random(f"partitioning/{seed}"), self.schema)
        # What a table is parted by stays in it.
        self.fixed = {column.name for column in parted}

    def statements(self):
        """What makes the tables, in varve and in DuckDB."""
        types = {"int": lambda column: "BIGINT" if column.wide else "INTEGER", "decimal": lambda column: f"DECIMAL({column.type.precision}, {column.type.scale})"}
        out = []
        for name in ("t", "src"):
            parts = [f"{column.name} {types.get(column.kind, lambda column: NAMES[column.kind])(column)}" for column in self.schema]
            if self.keyed and name == "t":
                parts[0] += " PRIMARY KEY"
            text = f"CREATE TABLE {name} ({', '.join(parts)})"
            out.append((text + (self.partitioning if name == "t" else ""), text))
            out.append((f"INSERT INTO {name} SELECT * FROM read_parquet('{self.data[name]}')",) * 2)
        return out


class ChangeMaker(QueryMaker):
    """Statements that change t."""

    def __init__(self, chance, world):
        super().__init__(chance, world)
        self.added = 0

    def columns(self, start=0):
        return self.world.target.columns[start:]

    def scope(self, *names):
        """What stands in t and src, or one of them."""
        leaves = [leaf(name, column) for name in names for column in self.world.target.columns if name == "t" or column in self.world.source.columns]
        scope = Scope(leaves, keys=[f"{name}.id" for name in names], rows=200)
        scope.nests = True
        return scope

    def value(self, column, scope):
        """A value for a column."""
        if self.often(0.05):
            return "NULL"
        if column.kind == "int":
            return self.small(scope, 1, 10**5)
        if column.kind == "decimal":
            return self.decimal_value(scope, 1) if self.often(0.9) else self.small(scope, 1, 90)
        return self.expression(column.kind, scope, 1)

    def settings(self, scope, most=3):
        if len(self.columns()) < 2:
            return None
        chosen = self.chance.sample(self.columns(1), self.chance.randint(1, min(most, len(self.columns()) - 1)))
        return ", ".join(f"{column.name} = {self.value(column, scope)}" for column in chosen)

    def where(self, scope, share=0.85):
        return f" WHERE {self.condition(scope)}" if self.often(share) else ""

    def returning(self):
        if not self.often(0.25):
            return ""
        return " RETURNING " + self.one("*", "id", *[f"id, {column.name} AS c" for column in self.columns(1)[:3]])

    def fresh_id(self):
        self.world.serial += 1
        return self.world.serial

    def row(self, columns, key=None):
        empty = Scope([])
        cells = []
        for column in columns:
            cells.append(str(key if key is not None else self.fresh_id()) if column.name == "id" else str(self.value(column, empty)))
        return f"({', '.join(cells)})"

    def insert(self):
        columns = self.columns()
        if self.often(0.5):
            columns = [columns[0]] + self.chance.sample(columns[1:], self.chance.randint(0, len(columns) - 1))
        names = ", ".join(column.name for column in columns)
        if self.often(0.5):
            rows = ", ".join(self.row(columns) for _ in range(self.chance.randint(1, 4)))
            return f"INSERT INTO t ({names}) VALUES {rows}{self.returning()}"
        scope = self.scope("src")
        base = self.fresh_id()
        self.world.serial += 20_000
        values = ", ".join(f"src.id + {base}" if column.name == "id" else str(self.value(column, scope)) for column in columns)
        if self.often(0.2):
            named = ", ".join(f"{text} AS {column.name}" for column, text in [(column, f"src.id + {base}" if column.name == "id" else f"src.{column.name}") for column in columns if column in self.world.source.columns])
            return f"INSERT INTO t BY NAME SELECT {named} FROM src{self.where(scope)}"
        return f"INSERT INTO t ({names}) SELECT {values} FROM src{self.where(scope)}{self.returning()}"

    def conflict(self):
        if not self.world.keyed:
            return self.insert()
        columns = self.columns()
        names = ", ".join(column.name for column in columns)
        if self.often(0.5):
            keys = self.chance.sample(range(0, 80), self.chance.randint(1, 4))
            rows = "VALUES " + ", ".join(self.row(columns, key) for key in keys)
        else:
            scope = self.scope("src")
            rows = f"SELECT {', '.join(f'src.{column.name}' if column in self.world.source.columns else 'NULL' for column in columns)} FROM src WHERE {self.condition(scope)}"
        if self.often(0.3):
            return f"INSERT OR {self.one('REPLACE', 'IGNORE')} INTO t ({names}) {rows}"
        if self.often(0.4) or len(columns) < 2:
            return f"INSERT INTO t ({names}) {rows} ON CONFLICT{self.one('', ' (id)')} DO NOTHING{self.returning()}"
        chosen = self.chance.sample(columns[1:], self.chance.randint(1, min(3, len(columns) - 1)))
        changes = ", ".join(f"{column.name} = {self.one(f'excluded.{column.name}', f'coalesce(excluded.{column.name}, t.{column.name})', f't.{column.name}')}" for column in chosen)
        where = f" WHERE t.id {self.one('<', '>', '<>')} {self.chance.randint(0, 60)}" if self.often(0.3) else ""
        return f"INSERT INTO t ({names}) {rows} ON CONFLICT (id) DO UPDATE SET {changes}{where}"

    def update(self):
        settings = self.settings(self.scope("t"))
        if settings is None:
            return self.delete()
        if self.world.unique and self.often(0.3):
            return f"UPDATE t SET {self.settings(self.scope('t', 'src'))} FROM src WHERE src.id = t.id AND {self.condition(self.scope('t', 'src'))}"
        return f"UPDATE t SET {settings}{self.where(self.scope('t'))}{self.returning()}"

    def delete(self):
        if self.often(0.25):
            return f"DELETE FROM t USING src WHERE src.id = t.id AND {self.condition(self.scope('t', 'src'))}"
        return f"DELETE FROM t{self.where(self.scope('t'), 0.98)} {self.returning()}".strip()

    def rarely_all(self):
        """A DELETE that leaves most rows."""
        return f"DELETE FROM t WHERE t.id % {self.one(5, 7, 11)} = {self.chance.randint(0, 4)} AND {self.condition(self.scope('t'))}{self.returning()}"

    def merge(self):
        if not self.world.unique or len(self.columns()) < 2:
            return self.update()
        both = self.scope("t", "src")
        parts = []
        for _ in range(self.chance.randint(0, 2)):
            test = f" AND {self.condition(both, 1)}"
            parts.append(f"WHEN MATCHED{test} THEN {self.one('DELETE', f'UPDATE SET {self.settings(both)}', 'DO NOTHING', f'UPDATE SET {self.settings(both)}')}")
        parts.append(f"WHEN MATCHED THEN {self.one('DELETE', f'UPDATE SET {self.settings(both)}', f'UPDATE SET {self.settings(both)}')}")
        if self.often(0.7):
            columns = [column for column in self.columns() if column in self.world.source.columns]
            scope = self.scope("src")
            test = f" AND {self.condition(scope, 1)}" if self.often(0.4) else ""
            values = ", ".join("src.id" if column.name == "id" else str(self.value(column, scope)) for column in columns)
            parts.append(f"WHEN NOT MATCHED{test} THEN INSERT ({', '.join(column.name for column in columns)}) VALUES ({values})")
        if self.often(0.3):
            test = f" AND {self.condition(self.scope('t'), 1)}" if self.often(0.7) else ""
            parts.append(f"WHEN NOT MATCHED BY SOURCE{test} THEN {self.one('DELETE', f'UPDATE SET {self.settings(self.scope(chr(116)))}')}")
        return f"MERGE INTO t USING src ON t.id = src.id {' '.join(parts)}"

    def alter(self):
        """A change of the columns; in DuckDB keyed tables have none."""
        if self.world.keyed:
            return self.insert()
        columns = [column for column in self.columns(1) if column.name not in self.world.fixed]
        pick = self.chance.randint(0, 2)
        if pick == 0 or len(columns) < 3:
            self.added += 1
            kind = self.one("int", "text", "double", "date", "boolean", "timestamp", "list")
            name = f"added_{self.added}"
            self.world.target.columns.append(Column(name, kind, None, 1000))
            default = f" DEFAULT {plainest(kind)}" if self.often(0.4) else ""
            return f"ALTER TABLE t ADD COLUMN {name} {NAMES[kind]}{default}"
        column = self.chance.choice(columns)
        self.world.target.columns.remove(column)
        if pick == 1:
            return f"ALTER TABLE t DROP COLUMN {column.name}"
        self.added += 1
        new = Column(f"renamed_{self.added}", column.kind, column.type, column.bound, column.wide, column.scale)
        self.world.target.columns.insert(1, new)
        return f"ALTER TABLE t RENAME COLUMN {column.name} TO {new.name}"

    def change(self):
        self.subqueries = self.one(0, 0, 0, 1, 2)
        return self.one(self.insert, self.insert, self.insert, self.update, self.update, self.update, self.rarely_all, self.rarely_all, self.merge, self.merge, self.conflict, self.conflict, self.delete)()

    def step(self):
        """Statements that stand or fall together, and whether they are kept."""
        share = self.chance.random()
        if share < 0.06:
            return [self.alter()]
        if share < 0.2:
            some = [self.change() for _ in range(self.chance.randint(1, 4))]
            return ["BEGIN", *some, self.one("COMMIT", "COMMIT", "ROLLBACK")]
        if share < 0.21:
            return ["TRUNCATE t"]
        return [self.change()]

    def look(self):
        """A query that statistics and deletes may decide."""
        self.subqueries = 0
        columns = [leaf("t", column) for column in self.world.target.columns]
        column = self.chance.choice(columns)
        test = self.condition(self.scope("t")) if self.often(0.5) else E("boolean", column, self.one(" = ", " < ", " >= ", " <> "), self.literal(column.kind))
        calls = [self.extreme(self.chance.choice(columns)) for _ in range(2)]
        return f"SELECT count(*) AS n, {calls[0]} AS a, {calls[1]} AS b FROM t{self.one('', f' WHERE {test}')}"


class ChangeFuzzer:
    def __init__(self, seed, number, folder):
        self.name = f"{seed}/{number}"
        folder = pathlib.Path(folder, f"world{number}")
        folder.mkdir(parents=True)
        self.world = ChangeWorld(self.name, folder)
        self.maker = ChangeMaker(random.Random(f"{self.name}/changes"), self.world)
        self.varve, self.duck = VarveServer(folder), Duck()
        self.outcomes = collections.Counter()
        self.history = []
        for statements in self.world.statements():
            for engine, statement in zip((self.varve, self.duck), statements):
                answer = engine.ask(statement)
                assert not isinstance(answer, Failure), (statement, answer)

    def close(self):
        self.varve.stop()

    def in_duck(self, statements):
        answer = None
        for statement in statements:
            answer = self.duck.ask(statement)
            if isinstance(answer, Failure):
                if statements[0] == "BEGIN":
                    self.duck.ask("ROLLBACK")
                return answer
        return answer

    def run(self):
        """One step; what it differs in, or None."""
        statements = self.maker.step()
        text = "; ".join(statements)
        self.history.append(text)
        expected, got = self.in_duck(statements), self.varve.ask(text)
        self.outcomes["both fail" if isinstance(got, Failure) and isinstance(expected, Failure) else "one fails" if isinstance(got, Failure) or isinstance(expected, Failure) else "done"] += 1
        if isinstance(got, Failure) != isinstance(expected, Failure) or isinstance(got, Failure) and got.startswith(("CRASH", "HANG")):
            found = difference(got, expected) if isinstance(got, Failure) else ("DuckDB fails", f"varve: done\n  DuckDB: {expected}")
            return text, found, self.is_known(text, got, expected)
        if " RETURNING " in text and statements[0] != "BEGIN" and not isinstance(got, Failure):
            found = difference(got, expected)
            if found:
                return text, found, None
        for query in ("SELECT * FROM t", self.maker.look()):
            found = difference(self.varve.ask(query), self.duck.ask(query))
            if found and not excused(query, "", "", found):
                return f"{text}\n-- then {query}", found, None
        return None

    @staticmethod
    def is_known(text, got, expected):
        for pattern, theirs, ours, reason in KNOWN_DIFFERENCES:
            if re.search(pattern, text) and re.search(theirs, str(expected) if isinstance(expected, Failure) else "rows") and re.search(ours, str(got) if isinstance(got, Failure) else "rows"):
                return reason
        return excused(text, got, expected)


def run(seed, changes, seconds=1e9, report=print, first=0, most=1000, counted=None):
    """Runs changes of a seed; answers the findings and how many changes were made."""
    started, count, findings, number = time.monotonic(), 0, [], first
    with tempfile.TemporaryDirectory() as folder:
        while count < changes and time.monotonic() - started < seconds and len(findings) < most:
            fuzzer = ChangeFuzzer(seed, number, folder)
            try:
                for _ in range(min(PER_WORLD, changes - count)):
                    count += 1
                    found = fuzzer.run()
                    if found is None:
                        continue
                    text, (sort, detail), reason = found
                    if reason is None:
                        finding = f"[{fuzzer.name}] {sort} after {len(fuzzer.history)} changes\n{text}\n  {detail}"
                        findings.append(finding)
                        report(finding)
                    # The tables may be different from here on.
                    break
            finally:
                fuzzer.close()
                if counted is not None:
                    counted.update(fuzzer.outcomes)
            number += 1
    return findings, count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--changes", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--first", type=int, default=0, help="the first world")
    parser.add_argument("--only", help="SEED/WORLD: prints its statements as well")
    arguments = parser.parse_args()
    if arguments.only:
        seed, number = arguments.only.rsplit("/", 1)
        with tempfile.TemporaryDirectory() as folder:
            fuzzer = ChangeFuzzer(seed, int(number), folder)
            print(*(statement for statement, _ in fuzzer.world.statements()), sep=";\n")
            found = next((found for found in (fuzzer.run() for _ in range(PER_WORLD)) if found), None)
            print(*fuzzer.history, sep=";\n")
            print(found)
            fuzzer.close()
        return
    counted = collections.Counter()
    started = time.monotonic()
    findings, count = run(arguments.seed, arguments.changes, arguments.seconds, lambda text: print(text, "\n", flush=True), arguments.first, counted=counted)
    print(f"{count} changes in {time.monotonic() - started:.0f} s, {len(findings)} differences; outcomes {dict(counted)}")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
