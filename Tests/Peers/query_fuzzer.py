"""Random queries in varve and in DuckDB: a difference is a bug of one of them, or is listed here with its reason.

    VARVE_BIN=.build/release/varve python Tests/Peers/query_fuzzer.py --seed 1 --queries 5000
    ... --only 1/3/17              one query by its name, as differences are reported
    ... --show                     prints the queries
    ... --minimise                 makes what differs as small as it gets, with rows in place of the tables
    ... --seconds 300              stops then
"""
import argparse
import collections
import decimal
import http.client
import json
import math
import pathlib
import random
import re
import socket
import sys
import tempfile
import threading
import time

import duckdb
import pyarrow
import pyarrow.ipc

from fuzzer_queries import QueryMaker
from fuzzer_tree import minimised
from fuzzer_worlds import World
from support import Varve, VarveError, canonical_column, free_port, server

PER_WORLD = 250

# What queries leave out until a bug or a gap of varve is closed, with its number. A line goes when its bug goes.
OPEN_BUGS = {}

# What DuckDB 1.5.5 gets wrong, cannot do, or decides otherwise: a pattern of the query, one of DuckDB's outcome, one of varve's, and the reason.
KNOWN_DIFFERENCES = [
    (r"round\(", r"^rows$", r"does not fit (INTEGER|BIGINT)", "the rounded number is greater than the type; DuckDB gives another one"),
    ("", r"window functions are not allowed in window definitions|(GROUP BY|ORDER) term out of range", r"^rows$", "DuckDB takes the windows of a subquery, and negative constants, for what they are not"),
    (r"CAST\(NULL AS", r"No function matches", r"^rows$", "a constant NULL loses its type in DuckDB"),
    (r"TRY_CAST\(\S+ AS TIME\)", r"^rows$", r"^rows$", "DuckDB casts instants to times, but TRY_CAST answers NULL"),
    (r"% \(-1\)", r"Overflow in division", r"^rows$", "the least integer has the rest 0, too"),
    (r"TRY_CAST", r"^rows$", r"^(varve: )?cannot cast [A-Z]", "no value of the one type is one of the other; DuckDB answers NULL for all of them"),
    (r"GROUP BY|HAVING", r"must appear in the GROUP BY clause", r"^rows$", "DuckDB does not always know the expression of a key again"),
    ("JOIN", r"More than one row returned by a subquery", r"^rows$", "the subquery stands where no row of another table needs it"),
    ("", r"Need named argument for struct pack", r"^rows$", "DuckDB loses the names of the fields of structs in lateral joins"),
    (r"(ANY|ALL)\(.*(array_agg|list)\(", r"^rows$", r"^rows$", "DuckDB makes ANY of a list a subquery, and takes aggregates without columns of the query for that one's"),
    ("GROUP BY ALL", r"Cannot mix aggregates with non-aggregated columns", r"^rows$", "a subquery may have an aggregate of the query around and a column that this groups by"),
    ("epoch_ns", r"to nanoseconds", r"^rows$", "DuckDB computes branches of conditions that no row takes"),
    ("GROUP BY ALL HAVING", r"^rows$", r"^rows$", "DuckDB groups by the columns in HAVING, too"),
    ("lambda", r"Referenced table .* not found", r"^rows$", "DuckDB does not find columns of the own query in a lambda over a list of the query around"),
    (r"UNNEST\(", r"Referenced table .* not found|UNNEST requires a single list", r"^rows$", "DuckDB has no UNNEST of some expressions, such as lambdas that look at the row"),
    (r"CAST\(.* AS DECIMAL", r"^rows$", r"varve decimal.*DuckDB double", "a cast that is always NULL loses its type in DuckDB"),
    (r"levenshtein", r"^rows$", r"too long for an edit distance", "texts of which all pairs of characters would take minutes are refused; DuckDB takes the minutes, or leaves out rows that nobody asks for before"),
    (r">=.* AND .*<", r"Invalid type for BETWEEN", r"^rows$", "two comparisons of lists are no BETWEEN that DuckDB can compute"),
    (r"CAST\(NULL AS", r"^rows$", r"varve .*string.*DuckDB .*int32", "a constant NULL loses its type in DuckDB"),
    (r"UNION", r"can't be cast because the value is out of range for the destination type INT32 when casting from source column", r"^rows$", "DuckDB makes a column of a union narrower than its values"),
    ("", r"INTERNAL Error|Serialization Error|Not implemented Error|not yet supported|not supported|Binder Error: .*(correlated|LATERAL|lateral)", "", "DuckDB cannot do it, or fails by a bug of its own"),
]


class Failure(str):
    """An error in place of rows."""


class VarveServer:
    """One server for many queries; it is started again after a crash."""

    def __init__(self, folder, arguments=()):
        self.varve, self.arguments = Varve(folder / "lake"), arguments
        self.context = None
        self.start()

    def start(self):
        self.port = free_port()
        self.context = server(self.varve.command("serve", "--port", self.port, "--threads", "2", *self.arguments), self.port, {"SWIFT_BACKTRACE": "enable=no"})
        self.process = self.context.__enter__()
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.seconds)

    seconds = 60

    def stop(self):
        if self.context is not None:
            self.connection.close()
            self.context.__exit__(None, None, None)
            self.context = None

    def restart(self):
        if self.process.poll() is None:
            self.process.kill()
        self.stop()
        self.start()

    def send(self, text):
        """Asks without waiting for the answer."""
        try:
            self.connection.request("POST", "/varve/v1/query", json.dumps({"sql": text}), {"Content-Type": "application/json"})
        except OSError:
            # The server is gone, which waiting for the answer finds out, too.
            self.connection.close()

    def ask(self, text):
        self.send(text)
        return self.answer(text)

    def answer(self, text):
        """The rows as an Arrow table, or a failure; one that starts with CRASH or HANG ends the server."""
        try:
            answer = self.connection.getresponse()
            body = answer.read()
        except TimeoutError:
            self.restart()
            return Failure(f"HANG: no answer in {self.seconds} s")
        except (http.client.HTTPException, OSError) as error:
            self.connection.close()
            if isinstance(error, http.client.IncompleteRead) and self.alive():
                return self.told(text)
            code = self.process.poll()
            self.restart()
            return Failure(f"CRASH: status {code}: {error!r}")
        if answer.status != 200:
            try:
                return Failure(json.loads(body)["error"]["message"])
            except (ValueError, KeyError):
                return Failure(body.decode(errors="replace"))
        with pyarrow.ipc.open_stream(body) as stream:
            return stream.read_all()

    def told(self, text):
        """The message of a query that failed after its first rows, which an answer over HTTP cannot carry."""
        try:
            self.varve.sql(text, *self.arguments)
        except VarveError as error:
            return Failure(str(error))
        return Failure("error after the first rows, but not on the command line")

    def alive(self):
        time.sleep(0.2)
        if self.process.poll() is not None:
            return False
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2):
                return True
        except OSError:
            return False


class Duck:
    """DuckDB in this process; what takes too long there is not compared."""

    def __init__(self, tables=()):
        self.tables = tables
        self.open()

    def open(self):
        self.connection = duckdb.connect(config={"threads": 1, "memory_limit": "2GB"})
        # Without this, version 1.5.5 gives wrong counts below LIMIT under joins.
        self.connection.execute("SET disabled_optimizers = 'join_filter_pushdown'")
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute("SET order_by_non_integer_literal = true")
        # Above this number of rows ASOF joins find rows for a NULL.
        self.connection.execute("SET asof_loop_join_threshold = 1000000000")
        for table in self.tables:
            self.connection.execute(f"CREATE TABLE {table.name} AS SELECT * FROM read_parquet('{table.path}')")

    def ask(self, text):
        timer = threading.Timer(20, self.connection.interrupt)
        timer.start()
        try:
            return self.connection.execute(text).to_arrow_table()
        except (duckdb.Error, pyarrow.ArrowException, RuntimeError) as error:
            if "FATAL" in str(error) or "database has been invalidated" in str(error):
                self.open()
                return Failure(f"INTERNAL Error: {error}")
            return Failure(str(error))
        finally:
            timer.cancel()


# Comparison.

def family(kind):
    """What must be the same of two columns' types."""
    types = pyarrow.types
    if isinstance(kind, pyarrow.BaseExtensionType):
        return "text" if kind.extension_name == "arrow.uuid" else str(kind)
    if types.is_dictionary(kind):
        return family(kind.value_type)
    for name, test in [("null", types.is_null), ("boolean", types.is_boolean), ("exact", types.is_integer), ("exact", types.is_decimal), ("float", types.is_floating),
                       ("date", types.is_date), ("time", types.is_time), ("text", types.is_string), ("text", types.is_large_string), ("text", types.is_string_view),
                       ("bytes", types.is_binary), ("bytes", types.is_large_binary), ("bytes", types.is_binary_view), ("interval", types.is_interval)]:
        if test(kind):
            return name
    if types.is_timestamp(kind):
        return "instant" if kind.tz else "timestamp"
    if types.is_list(kind) or types.is_large_list(kind):
        return f"list of {family(kind.value_type)}"
    if types.is_map(kind):
        return f"map from {family(kind.key_type)} to {family(kind.item_type)}"
    if types.is_struct(kind):
        return f"struct of {[(field.name, family(field.type)) for field in kind]}"
    return str(kind)


def deep(value):
    """Nested and interval values as comparable ones; floats stay floats."""
    if isinstance(value, (list, tuple)):
        return tuple(deep(part) for part in value)
    if isinstance(value, dict):
        return tuple((name, deep(part)) for name, part in value.items())
    if isinstance(value, (int, decimal.Decimal)) and not isinstance(value, bool):
        return decimal.Decimal(value)
    return value


def values(column):
    """A column as comparable values."""
    kind = column.type
    name = family(kind)
    if name in ("float", "boolean", "interval") or name.startswith(("list", "struct", "map")):
        return [deep(value) for value in column.to_pylist()]
    if isinstance(kind, pyarrow.BaseExtensionType):
        return [None if value is None else ("text", str(value)) for value in column.to_pylist()]
    return canonical_column(column)


def sort_key(row):
    exact = [repr(value) for value in row if not isinstance(value, float)]
    floats = [("NaN" if math.isnan(value) else value) for value in row if isinstance(value, float)]
    return exact, [(value == "NaN", 0.0 if value == "NaN" else value if math.isinf(value) else float(f"{value:.6e}")) for value in floats]


def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        return all(same(x, y) for x, y in zip(a, b))
    return a == b


def difference(got, expected):
    """None when two outcomes are the same, else its sort and a text."""
    if isinstance(got, Failure) and got.startswith(("CRASH", "HANG")):
        return got.split(":")[0], got
    if isinstance(got, Failure) and got.startswith("internal"):
        return "internal", got
    if isinstance(got, Failure) and isinstance(expected, Failure):
        return None
    if isinstance(got, Failure):
        return "varve fails", f"varve: {got}\n  DuckDB: {expected.num_rows} rows"
    if isinstance(expected, Failure):
        return "DuckDB fails", f"varve: {got.num_rows} rows\n  DuckDB: {expected}"
    if got.num_columns != expected.num_columns:
        return "columns", f"varve {got.num_columns} columns, DuckDB {expected.num_columns}"
    for place, (mine, theirs) in enumerate(zip(got.schema.types, expected.schema.types)):
        a, b = family(mine), family(theirs)
        # DuckDB's optimiser makes what is always NULL an INTEGER, also in lists.
        if a != b and "null" not in (a, b) and not all(is_nothing(value) for value in expected.column(place).to_pylist()):
            return "types", f"column {place}: varve {mine}, DuckDB {theirs}"
    if got.num_rows != expected.num_rows:
        return "rows", f"varve {got.num_rows} rows, DuckDB {expected.num_rows}\n  varve:  {sample(got)}\n  DuckDB: {sample(expected)}"
    left = sorted(zip(*[values(column) for column in got.columns]), key=sort_key)
    right = sorted(zip(*[values(column) for column in expected.columns]), key=sort_key)
    if left == right:
        return None
    wrong = [(mine, theirs) for mine, theirs in zip(left, right) if not same(mine, theirs)]
    if wrong:
        # Rounding may have put equal rows at different places: what is left over on each side must be paired anyhow.
        rest = [theirs for _, theirs in wrong]
        for mine, _ in wrong[:500]:
            place = next((place for place, theirs in enumerate(rest) if same(mine, theirs)), None)
            if place is None:
                return "rows", f"{len(wrong)} of {len(left)} rows differ\n  varve:  {shown(mine)}\n  DuckDB: {shown(rest[0])}"
            rest.pop(place)
    return None


def is_nothing(value):
    """Whether a value is NULL, or a list of nothing else."""
    return value is None or isinstance(value, list) and all(is_nothing(part) for part in value)


def shown(row):
    return tuple(value[1] if isinstance(value, tuple) and len(value) == 2 else value for value in row)


def sample(table):
    return [shown(row) for row in sorted(zip(*[values(column) for column in table.columns]), key=sort_key)[:4]]


# Runs.

class Finding:
    def __init__(self, name, sort, text, query, tree=None):
        self.name, self.sort, self.text, self.query, self.tree = name, sort, text, query, tree

    def __str__(self):
        return f"[{self.name}] {self.sort}\n{self.query}\n  {self.text}"


def excused(query, got, expected, found=("", "")):
    """Why a difference is none; nil when it is one."""
    if isinstance(got, Failure) and got.startswith(("CRASH", "HANG")):
        return None
    for pattern, theirs, ours, reason in KNOWN_DIFFERENCES:
        their_outcome = str(expected) if isinstance(expected, Failure) else "rows"
        our_outcome = str(got) if isinstance(got, Failure) else found[1] if found[0] == "types" else "rows"
        if re.search(pattern, query) and re.search(theirs, their_outcome) and re.search(ours, our_outcome):
            return reason
    return None


class Fuzzer:
    """Both engines on the tables of one world."""

    def __init__(self, seed, number, folder, off=tuple(OPEN_BUGS), memory=None, zone="UTC"):
        self.seed, self.number, self.off = seed, number, off
        self.memory, self.zone = memory, zone
        self.outcomes, self.refusals = collections.Counter(), collections.Counter()
        folder = pathlib.Path(folder, f"world{number}")
        folder.mkdir(parents=True)
        self.world = World(f"{seed}/{number}", folder)
        self.varve, self.duck = VarveServer(folder, ("--memory", memory) if memory else ()), Duck(self.world.tables)
        self.duck.connection.execute(f"SET TimeZone = '{zone}'")
        for table in self.world.tables:
            file = f"SELECT * FROM read_parquet('{table.path}')"
            # Half of the tables are Iceberg tables of varve's own, so that its writer and its statistics are tried as well.
            answer = self.varve.ask(f"CREATE TABLE {table.name}{table.partitioning} AS {file}" if table.stored else f"CREATE VIEW {table.name} AS {file}")
            assert not isinstance(answer, Failure), answer

    def close(self):
        self.varve.stop()

    def tree(self, index):
        chance = random.Random(f"{self.seed}/{self.number}/{index}")
        return QueryMaker(chance, self.world, self.off).make()

    def compare(self, query):
        text = query if self.zone == "UTC" else f"SET TimeZone = '{self.zone}'; {query}"
        self.varve.send(text)
        expected = self.duck.ask(query)
        got = self.varve.answer(text)
        if isinstance(expected, Failure) and ("INTERRUPT" in expected or "Out of Memory" in expected):
            return None
        if self.memory and isinstance(got, Failure) and "memory" in got:
            self.outcomes["out of memory"] += 1
            return None
        self.outcomes["both fail" if isinstance(got, Failure) and isinstance(expected, Failure) else "no rows" if not isinstance(got, Failure) and got.num_rows == 0 else "other"] += 1
        if isinstance(got, Failure) and isinstance(expected, Failure):
            self.refusals[signature(got) + " | " + expected.split("\n")[0][:90]] += 1
        found = difference(got, expected)
        if found is None or excused(query, got, expected, found):
            return None
        return found

    def run(self, index):
        """One query; what it differs in, or None."""
        tree = self.tree(index)
        query = str(tree)
        found = self.compare(query)
        return Finding(f"{self.seed}/{self.number}/{index}", *found, query, tree) if found else None

    def minimise(self, finding):
        """A smaller query that differs in the same way, then with few rows in place of tables."""
        def fails(text):
            found = self.compare(text)
            if found is None or found[0] != finding.sort:
                return False
            return "fails" not in finding.sort or signature(found[1]) == signature(finding.text)

        query = minimised(finding.tree, fails)
        query = self.with_rows(query, fails)
        found = self.compare(query)
        return Finding(finding.name, *(found or (finding.sort, "(not stable)")), query)

    def with_rows(self, query, fails):
        """The tables of a query as VALUES with as few rows as still show the difference."""
        for table in self.world.tables:
            if not re.search(re.escape(table.name) + r" AS ", query):
                continue
            aliases = re.findall(re.escape(table.name) + r" AS (\w+)", query)
            used = [column for column in table.columns if any(f"{alias}.{column.name}" in query for alias in aliases) or f"({column.name}" in query] or table.columns[:1]
            literals = self.literals(table, used)

            def text(some):
                names = ", ".join(column.name for column in used)
                if not some:
                    nothing = ", ".join(f"CAST(NULL AS {self.sql_type(table, column)}) AS {column.name}" for column in used)
                    body = f"SELECT {nothing} WHERE FALSE"
                    return put_in_front(f"{table.name} AS ({body})", query)
                return put_in_front(f"{table.name}({names}) AS (VALUES {', '.join(some)})", query)

            if len(literals) > 300 or not fails(text(literals)):
                continue
            some, size = literals, max(1, len(literals) // 2)
            while size >= 1:
                place = 0
                while place < len(some):
                    fewer = some[:place] + some[place + size:]
                    if fails(text(fewer)):
                        some = fewer
                    else:
                        place += size
                size //= 2
            query = text(some)
        return query

    def sql_type(self, table, column):
        return self.duck.connection.execute(f"SELECT typeof({column.name}) FROM (SELECT NULL) LEFT JOIN {table.name} ON TRUE LIMIT 1").fetchone()[0]

    def literals(self, table, used):
        """The rows of a table as SQL."""
        casts = ", ".join(f"CAST({column.name} AS VARCHAR)" for column in used)
        types = [self.sql_type(table, column) for column in used]
        out = []
        for row in self.duck.connection.execute(f"SELECT {casts} FROM {table.name} ORDER BY {table.key}").fetchall():
            parts = []
            for value, kind in zip(row, types):
                if value is None:
                    parts.append(f"CAST(NULL AS {kind})")
                elif kind == "INTEGER":
                    parts.append(value)
                elif kind.startswith("STRUCT"):
                    parts.append(f"{value}::{kind}")
                elif kind == "VARCHAR":
                    parts.append("'" + value.replace("'", "''") + "'")
                else:
                    parts.append(f"CAST('{value}' AS {kind})")
            out.append("(" + ", ".join(parts) + ")")
        return out


def put_in_front(common, query):
    if query.startswith("WITH RECURSIVE "):
        return f"WITH RECURSIVE {common}, {query[len('WITH RECURSIVE '):]}"
    if query.startswith("WITH "):
        return f"WITH {common}, {query[len('WITH '):]}"
    return f"WITH {common} {query}"


def signature(text):
    """What is the same of an error's text in two queries."""
    return re.sub(r"[\"'`].*|[0-9]+|\(.*", "", text)[:40]


outcomes, refusals = collections.Counter(), collections.Counter()


def run(seed, queries, seconds=1e9, report=print, minimise=False, show=False, first=0, most=1000, memory=None, zone="UTC"):
    """Runs queries of a seed; answers the findings and how many queries were run."""
    started, count, findings = time.monotonic(), 0, []
    with tempfile.TemporaryDirectory() as folder:
        number = first
        while count < queries and time.monotonic() - started < seconds and len(findings) < most:
            fuzzer = Fuzzer(seed, number, folder, memory=memory, zone=zone)
            try:
                for index in range(PER_WORLD):
                    if count >= queries or time.monotonic() - started >= seconds:
                        break
                    count += 1
                    if show:
                        report(str(fuzzer.tree(index)))
                    found = fuzzer.run(index)
                    if found:
                        findings.append(found)
                        report(str(fuzzer.minimise(found)) if minimise else str(found))
            finally:
                fuzzer.close()
            number += 1
            outcomes.update(fuzzer.outcomes)
            refusals.update(fuzzer.refusals)
    return findings, count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--first", type=int, default=0, help="the first world")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--minimise", action="store_true")
    parser.add_argument("--memory", help="what varve may use, such as 8MB; what that is too little for is not compared")
    parser.add_argument("--zone", default="UTC", help="the session's time zone")
    parser.add_argument("--only", help="SEED/WORLD/INDEX of one query")
    parser.add_argument("--sql", help="a text to compare in the world of --only")
    arguments = parser.parse_args()
    if arguments.only:
        seed, number, index = arguments.only.rsplit("/", 2)
        with tempfile.TemporaryDirectory() as folder:
            fuzzer = Fuzzer(seed, int(number), folder, zone=arguments.zone)
            try:
                if arguments.sql:
                    print(fuzzer.compare(arguments.sql))
                    return
                found = fuzzer.run(int(index))
                print(fuzzer.tree(int(index)) if not found else fuzzer.minimise(found) if arguments.minimise else found)
            finally:
                fuzzer.close()
        return
    started = time.monotonic()
    findings, count = run(arguments.seed, arguments.queries, arguments.seconds, lambda text: print(text, "\n", flush=True), arguments.minimise, arguments.show, arguments.first, memory=arguments.memory, zone=arguments.zone)
    sorts = collections.Counter(finding.sort for finding in findings)
    print(f"{count} queries in {time.monotonic() - started:.0f} s, {len(findings)} differences: {dict(sorts)}; outcomes {dict(outcomes)}")
    for text, times in refusals.most_common(30):
        print(f"  both fail {times:5} times: {text}")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
