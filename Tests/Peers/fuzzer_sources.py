"""Random things that stand in FROM besides tables and subqueries: PIVOT, UNPIVOT, UNNEST, POSITIONAL JOIN."""
from fuzzer_tree import Expression as E, Node, Optional, Sequence
from fuzzer_worlds import Column


class Source:
    """Something that stands in FROM: its columns by alias, what makes a row unique, and about how many rows there are."""

    def __init__(self, node, alias, columns, keys, rows, names=()):
        self.node, self.alias, self.columns, self.keys, self.rows, self.names = node, alias, columns, keys, rows, list(names)


def leaf(alias, column):
    bound = column.bound
    return E(column.kind, f"{alias}.{column.name}", bound=bound, wide=column.wide, scale=column.scale)


class SourceMaker:
    """Sources for `QueryMaker`."""

    def small_table(self, largest, *kinds):
        """A table of few rows that has columns of some kinds; nil when there is none."""
        tables = [table for table in self.world.tables if table.rows <= min(largest, 200) and all(any(column.kind == kind for column in table.columns) for kind in kinds)]
        return self.chance.choice(tables) if tables else None

    def special_source(self, largest):
        """A source of a rarer form; nil when the tables have not what it needs."""
        return self.one(self.pivot, self.pivot, self.unpivot, self.positional, self.unnested_table)(largest)

    def pivot(self, largest):
        table = self.small_table(largest)
        if table is None:
            return None
        columns = [column for column in table.columns if column.kind in ("int", "text", "date", "boolean") and (column.kind != "int" or column.bound <= 1000)]
        if not columns:
            return None
        group, on, value = self.chance.choice(columns), self.chance.choice(columns), self.chance.choice(table.columns)
        if value.kind in ("map", "interval", "boolean"):
            value = table.columns[0]
        wanted = {"int": ["1", "2", "0", "-1", "7"], "text": ["'red'", "'green'", "''", "'blue'", "'naïve'"], "date": ["DATE '2024-01-01'", "DATE '1970-01-01'"], "boolean": ["TRUE", "FALSE"]}[on.kind]
        names = {"TRUE": "true", "FALSE": "false"}
        wanted = self.chance.sample(wanted, self.chance.randint(1, len(wanted)))
        found = [names.get(text, text.replace("DATE ", "").strip("'")) for text in wanted]
        out = [Column("g", group.kind, None, group.bound, group.wide)]
        calls = []
        for function, name in self.chance.sample([("max(v)", "m"), ("min(v)", "n"), ("count(*)", "c"), ("count(v)", "k")], self.chance.randint(1, 2)):
            calls.append(f"{function} AS {name}")
        for text in found:
            for call in calls:
                name = call.split(" AS ")[1]
                counted = call.startswith("count")
                out.append(Column(f'"{text}_{name}"', "int" if counted else value.kind, None, 10**6 if counted else value.bound, True if counted else value.wide, 0 if counted else value.scale))
        alias = self.fresh("p")
        inner = f"(SELECT {group.name} AS g, {on.name} AS p, {value.name} AS v FROM {table.name})"
        ons, using = ", ".join(wanted), ", ".join(calls)
        text = self.one(f"(PIVOT {inner} ON p IN ({ons}) USING {using} GROUP BY g)", f"(SELECT * FROM {inner} PIVOT ({using} FOR p IN ({ons}) GROUP BY g))")
        return Source(Node(f"{text} AS {alias}"), alias, [leaf(alias, column) for column in out], None, table.rows, out)

    def unpivot(self, largest):
        table = self.small_table(largest)
        if table is None:
            return None
        kind = self.chance.choice(table.columns).kind
        columns = [column for column in table.columns if column.kind == kind]
        columns = self.chance.sample(columns, self.chance.randint(1, min(3, len(columns))))
        target = {"int": "BIGINT", "decimal": "DECIMAL(38, 6)"}.get(kind)
        inner = ", ".join(f"CAST({column.name} AS {target}) AS u{place}" if target else f"{column.name} AS u{place}" for place, column in enumerate(columns))
        names = ", ".join(f"u{place}" for place in range(len(columns)))
        alias = self.fresh("p")
        nulls = self.one("", " INCLUDE NULLS")
        inner = f"(SELECT {table.key} AS key, {inner} FROM {table.name})"
        text = self.one(f"(SELECT * FROM {inner} UNPIVOT{nulls} (v FOR n IN ({names})))", f"(UNPIVOT {inner} ON {names} INTO NAME n VALUE v)")
        out = [Column("key", "int", None, table.rows + 1), Column("n", "text", None),
               Column("v", kind, None, max([column.bound or 0 for column in columns]), True, 6 if kind == "decimal" else 0)]
        return Source(Node(f"{text} AS {alias}"), alias, [leaf(alias, column) for column in out], [f"{alias}.key", f"{alias}.n"], table.rows * len(columns), out)

    def positional(self, largest):
        """Two tables in the order of their keys, side by side."""
        one, other = self.small_table(largest), self.small_table(largest)
        if one is None or other is None:
            return None
        alias, second = self.fresh("r"), self.fresh("r")
        node = Node(f"((SELECT * FROM {one.name} ORDER BY {one.key}) AS {alias} POSITIONAL JOIN (SELECT * FROM {other.name} ORDER BY {other.key} DESC) AS {second})")
        leaves = [leaf(alias, column) for column in one.columns] + [leaf(second, column) for column in other.columns]
        return Source(node, alias, leaves, [f"{alias}.{one.key}", f"{second}.{other.key}"], max(one.rows, other.rows), [])

    def unnested_table(self, largest):
        """A row for each element of lists in a table."""
        table = self.small_table(largest)
        if table is None:
            return None
        alias = self.fresh("u")
        columns = [leaf("r", column) for column in table.columns]
        lists = [column for column in columns if column.kind == "list"]
        value = self.chance.choice(lists).copy() if lists and self.often(0.7) else E("list", f"[r.{table.key}, 2, NULL]", bound=10**4)
        out = [Column("k", "int", None, table.rows + 1), Column("x", "int", None, value.bound or 1000)]
        node = Node(f"(SELECT r.{table.key} AS k, unnest(", value, f") AS x FROM {table.name} AS r) AS {alias}")
        return Source(node, alias, [leaf(alias, column) for column in out], None, table.rows * 3, out)

    def unnested(self, scope):
        """UNNEST of a list of the rows on the left."""
        alias = self.fresh("u")
        lists = [column for column in scope.leaves if column.kind == "list"]
        self.may_nest, before = False, self.may_nest
        if lists and self.often(0.5):
            value = self.chance.choice(lists).copy()
        else:
            value = self.expression(self.one("list", "list", "words"), scope, 1)
        self.may_nest = before
        kind = "int" if value.kind == "list" else "text"
        word, on = self.one((", ", ""), (" CROSS JOIN ", ""), (" LEFT JOIN ", " ON TRUE"))
        out = [Column("x", kind, None, value.bound or 1000, True)]
        node = Node(word, "UNNEST(", value, f") AS {alias}(x)", on)
        return Source(node, alias, [leaf(alias, column) for column in out], None, 3, out)
