"""Random queries over a world of tables, all of whose rows are decided by the data alone."""
import copy

from fuzzer_expressions import E, NESTED, UNORDERED, ExpressionMaker, Scope
from fuzzer_sources import SourceMaker, Source, leaf
from fuzzer_tree import Choice, Item, Mirror, NAMES, Node, Optional, Query, Sequence, TotalOrder, plainest

PAIRS = 150_000
MANY = 2_000


class OutputColumn:
    """A column of a subquery, as `fuzzer_worlds.Column` is one of a table."""

    def __init__(self, name, expression):
        self.name, self.kind, self.bound, self.wide, self.scale = name, expression.kind, expression.bound, expression.wide, expression.scale
        self.inexact = expression.inexact


class QueryMaker(SourceMaker, ExpressionMaker):
    """Queries of all forms."""

    def __init__(self, chance, world, off=()):
        super().__init__(chance, off)
        self.world, self.number, self.common = world, 0, []
        self.subqueries = 0
        self.may_nest = True

    def fresh(self, prefix):
        self.number += 1
        return f"{prefix}{self.number}"

    def make(self):
        """One query."""
        self.subqueries = self.one(0, 0, 1, 2, 3, 4)
        query = self.with_common(0) if self.often(0.15) else self.query(0)
        return query

    def query(self, depth, kinds=None, outer=None, limit=True):
        share = self.chance.random()
        if share < 0.1 and kinds is None:
            return self.risky() if self.often(0.25) and depth == 0 else self.scan(limit)
        if share < 0.22 and depth < 2:
            return self.set_operation(depth, kinds, outer)
        if share < 0.25 and depth > 0:
            return self.values(kinds)
        if share < 0.55:
            return self.grouped(depth, kinds, outer, limit)
        return self.plain(depth, kinds, outer, limit)

    # Subqueries in expressions.

    def expression(self, kind, scope, depth=0):
        if self.subqueries > 0 and self.may_nest and depth < 3 and getattr(scope, "nests", False) and self.often(0.15):
            self.subqueries -= 1
            return self.boolean_subquery(scope) if kind == "boolean" else self.scalar_subquery(kind, scope)
        return super().expression(kind, scope, depth)

    def inner_from(self, scope):
        """One small source for a subquery that may look outside."""
        around = scope.leaves + (scope.outer.leaves if scope.outer is not None else [])
        outer = Scope(around, keys=scope.keys, rows=scope.rows) if not getattr(scope, "aggregated", False) and self.often(0.75) else None
        source = self.source(2, largest=200)
        if self.often(0.3):
            # Two sources, joined.
            other = self.source(2, largest=60)
            equal = self.equality(source.columns, other.columns)
            if equal is not None:
                word = self.one(" JOIN ", " LEFT JOIN ", " FULL JOIN ", " SEMI JOIN ", " ANTI JOIN ")
                one_side = "SEMI" in word or "ANTI" in word
                source = Source(Node(source.node, Choice(word, " JOIN "), other.node, " ON ", equal), "", source.columns + ([] if one_side else other.columns),
                                source.keys if one_side else source.keys + other.keys if source.keys and other.keys else None, max(source.rows, other.rows))
        inner = Scope(source.columns, outer, source.keys, source.rows, [source])
        inner.nests = self.often(0.3)
        return source, inner

    def subselect(self, kind, scope):
        """SELECT value AS x with whatever may stand below an aggregate, looking outside; its value."""
        source, inner = self.inner_from(scope)
        where = Optional(" WHERE ", self.condition(inner, 1)) if self.often(0.85) else ""
        value = self.super_expression(kind, inner, 2)
        pick = self.chance.randint(0, 5)
        if pick == 0:
            return Node("SELECT DISTINCT ", value, " AS x FROM ", source.node, where), value
        if pick == 1:
            return Node("SELECT ", value, " AS x FROM ", source.node, where, " GROUP BY ", Mirror(value), Optional(f" HAVING count(*) > {self.chance.randint(0, 2)}")), value
        if pick == 2:
            count = self.chance.randint(1, 3)
            return Node("SELECT ", value, " AS x FROM ", source.node, where, " ORDER BY ", Mirror(value), self.one("", " DESC", " NULLS FIRST"), f" LIMIT {count}"), value
        if pick == 3 and kind == "int":
            inner.nests, before = False, self.may_nest
            self.may_nest = False
            rank = self.window(Scope(source.columns, None, source.keys, source.rows, [source]))
            self.may_nest = before
            if rank.kind == "int" and not rank.inexact:
                return Node("SELECT ", rank, " AS x FROM ", source.node, where), E("int", "", bound=2**63, wide=True)
        return Node("SELECT ", value, " AS x FROM ", source.node, where), value

    def scalar_subquery(self, kind, scope):
        if kind in UNORDERED:
            return self.super_expression(kind, scope, 2)
        if self.often(0.5):
            select, value = self.subselect(kind, scope)
            how = {"bound": value.bound, "wide": value.wide, "scale": value.scale}
            if self.often(0.25):
                other, second = self.subselect(kind, scope)
                how = {"bound": max(value.bound or 0, second.bound or 0), "wide": True, "scale": max(value.scale, second.scale)}
                select = Node("(", select, ")", self.one(" UNION ", " UNION ALL ", " INTERSECT ", " EXCEPT "), "(", other, ")")
            alias = self.fresh("s")
            if kind == "boolean":
                return E(kind, f"(SELECT {self.one('bool_and', 'bool_or')}({alias}.x) FROM (", select, f") AS {alias})")
            if kind == "int" and self.often(0.5):
                return E(kind, f"(SELECT {self.one('count(*)', f'count({alias}.x)', f'count(DISTINCT {alias}.x)')} FROM (", select, f") AS {alias})", bound=10**6, wide=True)
            return E(kind, f"(SELECT {self.one('min', 'max')}({alias}.x) FROM (", select, f") AS {alias})", **how)
        source, inner = self.inner_from(scope)
        where = Optional(" WHERE ", self.condition(inner, 1)) if self.often(0.8) else ""
        if self.often(0.3) and source.keys and not inner.outer:
            value = self.super_expression(kind, inner, 2)
            return E(kind, "(SELECT ", value, " FROM ", source.node, f" WHERE {source.keys[0]} = {self.chance.randint(0, 5)}", ")" if len(source.keys) == 1 else " LIMIT 0)",
                     bound=value.bound, wide=value.wide, scale=value.scale)
        value = self.aggregate_of(kind, inner)
        # An aggregate of outer columns alone leaves the rows of the subquery.
        limit = "" if "count(*)" in str(value) or any(str(column) in str(value) for column in source.columns) else " LIMIT 1"
        return E(kind, "(SELECT ", value, " FROM ", source.node, where, limit, ")", bound=value.bound, wide=value.wide, scale=value.scale)

    def not_null(self, kind, scope):
        return Node("coalesce(", self.super_expression(kind, scope, 2), ", ", plainest(kind), ")")

    def super_expression(self, kind, scope, depth):
        return super().expression(kind, scope, depth)

    def boolean_subquery(self, scope):
        source, inner = self.inner_from(scope)
        where = Optional(" WHERE ", self.condition(inner, 1)) if self.often(0.8) else ""
        pick = self.chance.randint(0, 5)
        if pick <= 1:
            return E("boolean", self.one("(", "(NOT "), "EXISTS (SELECT ", self.one("1", "*"), " FROM ", source.node, where, "))")
        kind = self.one("int", "int", "text", "date", "double", "decimal", self.kind(scope))
        if kind in UNORDERED:
            kind = "int"
        a, b = self.super_expression(kind, scope, 2), self.super_expression(kind, inner, 2)
        if pick == 2:
            # Without NULL: DuckDB answers NULL for (1, 'a') IN (SELECT 2, NULL), though 1 is not 2.
            other = self.one("int", "text")
            kind = self.one("int", "text")
            a, b = self.not_null(kind, scope), self.not_null(kind, inner)
            return E("boolean", "((", a, ", ", self.not_null(other, scope), ")", self.one(" IN ", " NOT IN "), "(SELECT ", b, ", ", self.not_null(other, inner), " FROM ",
                     source.node, where, "))")
        if pick == 3:
            return E("boolean", "(", a, self.one(" = ", " <> ", " < ", " <= ", " > ", " >= "), self.one("ANY", "ALL"), " (SELECT ", b, " FROM ", source.node, where, "))")
        return E("boolean", "(", a, self.one(" IN ", " NOT IN "), "(SELECT ", b, " FROM ", source.node, where, "))")

    # FROM.

    def source(self, depth, largest=10**9):
        """A table, a common table, a subquery or VALUES."""
        share = self.chance.random()
        if self.common and share < 0.4:
            name, columns, rows = self.chance.choice(self.common)
            if rows <= largest:
                alias = self.fresh("c")
                return Source(Node(f"{name} AS {alias}"), alias, [leaf(alias, column) for column in columns if not column.inexact], None, rows, columns)
        if depth < 2 and share > 0.85:
            query = self.query(depth + 1)
            alias = self.fresh("q")
            return Source(Node("(", query, f") AS {alias}"), alias, [leaf(alias, column) for column in query.columns if not column.inexact], None, min(query.rows, largest), query.columns)
        if 0.76 < share <= 0.82:
            special = self.special_source(largest)
            if special is not None:
                return special
        if share > 0.83:
            query = self.values(None)
            alias = self.fresh("v")
            return Source(Node("(", query, f") AS {alias}"), alias, [leaf(alias, column) for column in query.columns], None, 4, query.columns)
        if largest > 10_000 and depth < 2 and self.often(0.08):
            table, alias = self.world.tables[0], self.fresh("r")
            return Source(Node(f"{table.name} AS {alias}"), alias, [leaf(alias, column) for column in table.columns], [f"{alias}.{table.key}"], table.rows, table.columns)
        tables = [table for table in self.world.tables if table.rows <= largest] or [min(self.world.tables, key=lambda table: table.rows)]
        table = self.chance.choice(tables if self.often(0.15) else [table for table in tables if table.rows <= 200] or tables)
        alias = self.fresh("r")
        sample = self.one(" TABLESAMPLE 100%", " TABLESAMPLE reservoir(100000 ROWS)") if self.often(0.01) else ""
        return Source(Node(f"{table.name} AS {alias}", Optional(sample)), alias, [leaf(alias, column) for column in table.columns], [f"{alias}.{table.key}"], table.rows, table.columns)

    def equality(self, left, right):
        """A condition that two sources' columns are equal; nil when they have none of a kind."""
        pairs = [(a, b) for a in left for b in right if a.kind == b.kind and a.kind not in ("double", "real") + UNORDERED]
        likely = [(a, b) for a, b in pairs if a.kind == "int" and a.bound <= 300 and b.bound <= 300 or a.kind == "text" and a.bound == b.bound == 6 or a.kind == "date"]
        if not pairs:
            return None
        a, b = self.chance.choice(likely if likely and self.often(0.85) else pairs)
        return E("boolean", str(a), " = ", str(b))

    def from_clause(self, depth, outer=None):
        """FROM with joins, and the scope that it makes."""
        first = self.source(depth)
        node, leaves, keys, rows, sources = Node(first.node), list(first.columns), first.keys, first.rows, [first]
        for _ in range(self.one(0, 0, 0, 1, 1, 2) if depth < 2 else self.one(0, 0, 1)):
            scope = Scope(leaves, outer, keys, rows, sources)
            share = self.chance.random()
            if self.often(0.08):
                joined = self.unnested(scope)
                node = Node(node, joined.node)
                leaves, keys, rows, sources = leaves + joined.columns, None, rows * 3, sources + [joined]
                continue
            if share < 0.08:
                joined = self.lateral(scope, depth)
                node = Node(node, joined.node)
                leaves, keys, rows, sources = leaves + joined.columns, None, rows * joined.rows, sources + [joined]
                continue
            if sources[-1].rows == rows and rows > 1000 and keys and len(keys) == 1 and self.often(0.4):
                # Many rows with many rows, by their keys.
                table, alias = self.world.tables[0], self.fresh("r")
                columns = [leaf(alias, column) for column in table.columns]
                word = self.one(" JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ", " SEMI JOIN ", " ANTI JOIN ")
                distance = self.one("", "", f" + {self.chance.randint(1, 9000)}", " * 2")
                node = Node(node, word, f"{table.name} AS {alias} ON {keys[0]} = {alias}.{table.key}{distance}")
                if "SEMI" not in word and "ANTI" not in word:
                    other = Source(node, alias, columns, [f"{alias}.{table.key}"], rows, table.columns)
                    leaves, keys, sources = leaves + columns, keys + other.keys, sources + [other]
                continue
            other = self.source(depth, largest=max(1, min(200, PAIRS // max(rows, 1))) if rows > 200 else 10_000 if rows < 15 else 200)
            both = Scope(leaves + other.columns, None, None, rows)
            pairs = rows * other.rows
            equal = self.equality(leaves, other.columns)
            both_keys = keys + other.keys if keys and other.keys else None
            if share < 0.14 and pairs < 20_000:
                node = Node(node, self.one(" CROSS JOIN ", ", "), other.node)
                leaves, keys, rows, sources = leaves + other.columns, both_keys, pairs, sources + [other]
                continue
            if share < 0.2 and other.keys and len(other.keys) == 1 and other.columns:
                found = [column for column in leaves if column.kind == "int" and column.bound < 2**31]
                # DuckDB 1.5.5 finds partners for null keys of a sampled table.
                if found and "TABLESAMPLE 100%" not in str(node):
                    extra = Optional(" AND ", equal) if equal is not None and self.often(0.5) else ""
                    key = other.keys[0]
                    node = Node(node, self.one(" ASOF JOIN ", " ASOF LEFT JOIN "), other.node, " ON ", str(self.chance.choice(found)), self.one(" >= ", " > ", " <= ", " < "), key, extra)
                    leaves, keys, sources = leaves + other.columns, keys, sources + [other]
                    continue
            shared = [(a, b) for a in sources[0].names for b in other.names if a.name == b.name and a.kind == b.kind and a.kind != "double"] if len(sources) == 1 else []
            word = self.one(" JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ", " LEFT JOIN ", " INNER JOIN ", " FULL OUTER JOIN ")
            if shared and self.often(0.3):
                names = [a.name for a, _ in self.chance.sample(shared, self.chance.randint(1, min(2, len(shared))))]
                natural = self.often(0.2) and {a.name for a in sources[0].names} & {b.name for b in other.names} == {a.name for a, _ in shared}
                node = Node(node, f" NATURAL{word}" if natural else word, other.node, "" if natural else f" USING ({', '.join(names)})")
                leaves, keys, rows, sources = leaves + other.columns, both_keys, max(rows, other.rows), sources + [other]
                continue
            if equal is not None and self.often(0.75):
                more = [Optional(" AND ", self.joining(both))] if self.often(0.3) else []
                on = Node(equal, *more)
                expected = max(rows, other.rows, pairs // 6)
            elif pairs <= 40_000:
                on = Node(self.joining(both))
                expected = pairs
            else:
                continue
            if self.often(0.15):
                word = self.one(" SEMI JOIN ", " ANTI JOIN ")
                node = Node(node, word, other.node, " ON ", on)
                continue
            node = Node(node, Choice(word, " JOIN "), other.node, " ON ", on)
            leaves, keys, rows, sources = leaves + other.columns, both_keys, expected, sources + [other]
        scope = Scope(leaves, outer, keys, rows, sources)
        scope.nests = depth < 2
        return node, scope

    def joining(self, scope):
        """A condition for ON, without subqueries."""
        self.may_nest, before = False, self.may_nest
        condition = self.condition(scope, 1)
        self.may_nest = before
        return condition

    def lateral(self, scope, depth):
        source = self.source(2, largest=60)
        inner = Scope(source.columns, scope, source.keys, source.rows, [source])
        alias = self.fresh("l")
        word, on = self.one((", LATERAL ", ""), (" CROSS JOIN LATERAL ", ""), (" LEFT JOIN LATERAL ", " ON TRUE"), (" JOIN LATERAL ", " ON TRUE"))
        where = Optional(" WHERE ", self.joining(inner))
        if self.often(0.5):
            value = self.aggregate(inner)
            items = Sequence([Item(value, "x1")] + ([Item(E("int", "count(*)", bound=10**6, wide=True), "x2")] if self.often(0.4) else []))
            rows, order = 1, ""
        else:
            items = Sequence([Item(self.plain_value(inner), f"x{place}") for place in (1, 2)])
            rows = source.rows
            order = Optional(TotalOrder(items, [(item.name, self.one("", "DESC")) for item in items.parts], f" LIMIT {self.chance.randint(1, 3)}")) if self.often(0.4) else ""
        columns = [OutputColumn(item.name, item.expression) for item in items.parts]
        node = Node(word, "(SELECT ", items, " FROM ", source.node, where, order, f") AS {alias}", on)
        return Source(node, alias, [leaf(alias, column) for column in columns if not column.inexact], None, max(1, rows), columns)

    # Aggregates and windows.

    def plain_value(self, scope, kind=None, depth=1):
        return self.expression(kind or self.kind(scope), scope, depth)

    def aggregate_of(self, kind, scope):
        """An aggregate of one kind, without anything behind it."""
        if kind == "int" and self.often(0.6):
            return self.one(E("int", "count(*)", bound=10**7, wide=True), E("int", "CAST(sum(", self.small(scope, 2, 10**9), ") AS BIGINT)", bound=10**16, wide=True),
                            E("int", "count(", self.plain_value(scope, depth=2), ")", bound=10**7, wide=True))
        value = self.expression(kind, scope, 2)
        if kind == "boolean":
            return E(kind, self.one("bool_and(", "bool_or("), value, ")")
        return E(kind, self.one("min(", "max("), value, ")", bound=value.bound, wide=value.wide, scale=value.scale)

    def aggregate(self, scope, window=False):
        """An aggregate with FILTER, DISTINCT and ORDER BY."""
        one = self.one
        pick = self.chance.randint(0, 22)
        shown = {"inexact": True}
        distinct = Choice("DISTINCT ", "") if not window and self.often(0.2) else ""
        more = Optional(" FILTER (WHERE ", self.joining(scope), ")") if self.often(0.2) else ""
        wide = {"bound": 10**16, "wide": True}
        if pick <= 1:
            return E("int", "count(*)", more, bound=10**7, wide=True)
        if pick >= 21 and not window:
            return self.nested_aggregate(scope, more)
        if pick == 18:
            return E("double", one("corr(", "covar_pop(", "covar_samp(", "regr_slope(", "regr_intercept(", "regr_avgx(", "regr_sxx(", "regr_r2("), self.small(scope, 1, 10**5), ", ", self.small(scope, 1, 10**5), ")", more, bound=10**11, **shown)
        if pick == 19 and not window:
            return E("double", "product(", E("int", "(1 + abs(", self.small(scope, 1, 10**5), ") % 2)", bound=2), ")", more, bound=1e300, **shown)
        # Without count_if: of no rows DuckDB 1.5.5 answers NULL, which no other count does.
        if pick == 2:
            return E("int", "count(", distinct, self.plain_value(scope), ")", more, bound=10**7, wide=True)
        if pick == 3 and not window:
            return E("int", "CAST(sum(", distinct, self.small(scope, 1, 10**9), ")", more, " AS BIGINT)", **wide)
        if pick == 4:
            return E("int", "sum(", distinct, self.small(scope, 1, 10**9), ")", more, **wide, **shown)
        if pick == 5:
            return E("double", "avg(", distinct, self.small(scope, 1, 10**9) if self.often(0.6) else self.decimal_value(scope, 1), ")", more, bound=10**9, **shown)
        if pick in (6, 7):
            kind = self.kind(scope)
            if kind in UNORDERED + ("boolean",):
                kind = "int"
            value = self.expression(kind, scope, 1)
            return E(kind, one("min(", "max("), value, ")", more, bound=value.bound, wide=value.wide, scale=value.scale)
        if pick == 8:
            return E("boolean", one("bool_and(", "bool_or("), self.boolean_value(scope), ")", more)
        if pick == 9:
            value = self.decimal_value(scope, 1)
            return E("decimal", "sum(", distinct, value, ")", more, bound=10**14, scale=value.scale, **shown)
        if pick == 10:
            value = self.tame(scope, 1)
            # Rounded, as what is left of great numbers that cancel each other depends on their order.
            rounded = value.bound <= 10**9 and not window
            if window:
                value = E("double", "(", self.small(scope, 1, 1000), " / 4)", bound=250)
            return E("double", "round(" if rounded else "", "sum(", value, ")", more, ", 3)" if rounded else "", bound=10**16, **shown)
        if pick == 11 and not window:
            value = self.text_value(scope, 1)
            return E("text", "string_agg(", value, ", ", one("','", "''", "'; '"), " ORDER BY ", Mirror(value), one("", " DESC", " NULLS FIRST"), ")", more)
        if pick == 12:
            return E("int", one("bit_and(", "bit_or(", "bit_xor("), self.small(scope, 1), ")", more, bound=2**63, wide=True)
        if pick == 13:
            function = one("var_samp", "var_pop", "stddev_samp", "stddev_pop", "stddev", "variance")
            return E("double", f"{function}(", self.small(scope, 1, 10**5), ")", more, bound=10**11, **shown)
        if pick == 14:
            function, fraction = one(("median", ""), ("quantile_cont", one(", 0.25", ", 0.5", ", 0.9")))
            return E("double", f"{function}(", self.small(scope, 1, 10**9), f"{fraction})", more, bound=10**9, **shown)
        if pick == 15:
            return E("int", "quantile_disc(", self.small(scope, 1, 10**9), one(", 0.25)", ", 0.5)", ", 1.0)"), more, **wide)
        if pick == 16 and scope.keys and len(scope.keys) == 1 and not window:
            kind = self.kind(scope)
            value = self.expression(kind, scope, 1)
            return E(kind, one("arg_min(", "arg_max(", "min_by(", "max_by("), value, f", {scope.keys[0]})", more, bound=value.bound, wide=value.wide, scale=value.scale)
        if pick == 17 and scope.keys and not window:
            kind = self.kind(scope)
            value = self.expression(kind, scope, 1)
            return E(kind, one("first(", "last("), value, f" ORDER BY {', '.join(scope.keys)})", more, bound=value.bound, wide=value.wide, scale=value.scale)
        return E("int", "count(*)", more, bound=10**7, wide=True)

    def window(self, scope):
        """A call with OVER whose value no order of equal rows changes."""
        one = self.one
        total = bool(scope.keys) and self.often(0.7)
        partition = Optional("PARTITION BY ", Sequence([self.plain_value(scope, depth=2) for _ in range(one(1, 1, 2))])) if self.often(0.6) else ""
        ordered = [Node(self.plain_value(scope, depth=2), one("", " DESC", " NULLS FIRST", " DESC NULLS FIRST", " ASC NULLS LAST")) for _ in range(one(0, 1, 1, 2))]
        if total:
            keys = ", ".join(key + one("", " DESC") for key in scope.keys)
            order = Node(" ORDER BY ", Sequence(ordered + [keys]) if not ordered else Node(Optional(Sequence(ordered), ", "), keys))
        elif ordered:
            order = Node(" ORDER BY ", Sequence(ordered))
        else:
            order = ""
        frame = ""
        pick = self.chance.randint(0, 9)
        if total and pick <= 3:
            function = one("row_number()", "ntile(3)", "rank()", "dense_rank()", "percent_rank()", "cume_dist()")
            kind = "double" if function in ("percent_rank()", "cume_dist()") else "int"
            call = E(kind, function, " OVER (", partition, order, ")", bound=10**6, wide=True)
            return call
        if not total and pick <= 2 and order:
            function = one("rank()", "dense_rank()", "percent_rank()", "cume_dist()")
            kind = "double" if function in ("percent_rank()", "cume_dist()") else "int"
            return E(kind, function, " OVER (", partition, order, ")", bound=10**6, wide=True)
        bounds = ["UNBOUNDED PRECEDING", "2 PRECEDING", "CURRENT ROW", "1 FOLLOWING", "UNBOUNDED FOLLOWING"]
        start = self.chance.randint(0, 3)
        end = self.chance.randint(max(start, 1), 4)
        between = f"BETWEEN {bounds[start]} AND {bounds[end]}"
        if start == end == 1:
            between = "BETWEEN 3 PRECEDING AND 1 PRECEDING"
        if start == end == 3:
            between = "BETWEEN 1 FOLLOWING AND 4 FOLLOWING"
        exclude = Optional(one(" EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES", " EXCLUDE NO OTHERS")) if self.often(0.2) else ""
        if total and self.often(0.6):
            frame = Optional(f" {one('ROWS', 'ROWS', 'GROUPS')} {between}", exclude)
        elif order and self.often(0.5):
            if self.often(0.2):
                # Distances in time.
                moment = self.one("date", "timestamp")
                found = [column for column in scope.leaves if column.kind == moment]
                if found:
                    low, high = self.one("1 DAY", "1 YEAR", "400 DAY"), self.one("1 MONTH", "36 HOUR", "2 DAY")
                    order = Node(" ORDER BY ", self.chance.choice(found).copy(), one("", " DESC", " NULLS FIRST"))
                    frame = Node(f" RANGE BETWEEN INTERVAL {low} PRECEDING AND ", one("CURRENT ROW", f"INTERVAL {high} FOLLOWING", "UNBOUNDED FOLLOWING"))
            elif self.often(0.5):
                number = self.small(scope, 2, 10**6)
                order = Node(" ORDER BY ", number, one("", " DESC", " NULLS FIRST"))
                frame = Node(f" RANGE {between}", exclude if total else "")
            else:
                frame = Optional(f" GROUPS {between}")
        if total and pick <= 6:
            kind = self.kind(scope)
            value = self.expression(kind, scope, 2)
            function = one("lag", "lead", "first_value", "last_value", "nth_value")
            if "RANGE" in str(frame):
                frame, order = "", Node(" ORDER BY ", ", ".join(scope.keys))
            nulls = one("", "", " IGNORE NULLS")
            if function in ("lag", "lead"):
                arguments = Node("(", value, Optional(f", {self.chance.randint(0, 3)}"), nulls, ")")
                return E(kind, function, arguments, " OVER (", partition, order, ")", bound=value.bound, wide=value.wide, scale=value.scale)
            arguments = Node("(", value, f", {self.chance.randint(1, 4)}" if function == "nth_value" else "", nulls, ")")
            return E(kind, function, arguments, " OVER (", partition, order, frame, ")", bound=value.bound, wide=value.wide, scale=value.scale)
        value = self.aggregate(scope, window=True)
        return E(value.kind, value, " OVER (", partition, order, frame, ")", bound=value.bound, wide=value.wide, scale=value.scale, inexact=value.inexact)

    def over_groups(self, known):
        """A window over the rows that groups make; equal rows are peers."""
        one, some = self.one, [value for value in known if value.kind not in UNORDERED]
        order = Node(" ORDER BY ", Sequence([Node(self.chance.choice(some).copy(), one("", " DESC", " NULLS FIRST")) for _ in range(one(1, 1, 2))])) if some else ""
        partition = Optional("PARTITION BY ", self.chance.choice(some).copy()) if some and self.often(0.4) else ""
        numbers = [value for value in some if value.kind == "int" and value.bound <= 10**9]
        if numbers and self.often(0.4):
            return E("int", one("sum(", "max(", "min(", "count("), self.chance.choice(numbers).copy(), ") OVER (", partition, order, ")", bound=10**16, wide=True, inexact=True)
        function = one("rank()", "dense_rank()", "count(*)", "sum(count(*))", "max(count(*))")
        return E("int", function, " OVER (", partition, order, ")", bound=10**9, wide=True, inexact=function.startswith("sum"))

    # Queries.

    def end(self, items, rows, limit):
        """ORDER BY and LIMIT, which only a total order may have."""
        if any(item.expression.inexact for item in items.parts):
            return "", rows
        if not limit or not (self.often(0.3) or rows > MANY):
            return "", rows
        names = [item.name for item in items.parts]
        self.chance.shuffle(names)
        directions = [(name, self.one("", "", "DESC", "NULLS FIRST", "DESC NULLS LAST", "ASC NULLS LAST", "DESC NULLS FIRST")) for name in names]
        count = self.one(*[1, 3, 10, 30, 100] * 4, 0)
        rest = f" LIMIT {count}" + self.one("", "", f" OFFSET {self.one(0, 1, 2, 5, 5, 50)}") if rows > MANY or self.often(0.7) else self.one("", f" OFFSET {self.one(1, 3)}")
        return Optional(TotalOrder(items, directions, rest)), min(rows, count) if "LIMIT" in rest else rows

    def result(self, parts, items, rows):
        columns = [OutputColumn(item.name, item.expression) for item in items.parts]
        query = Query(*parts, columns=columns, items=items)
        query.rows = rows
        return query

    def wanted(self, scope, kinds, most):
        return kinds if kinds is not None else [self.kind(scope) for _ in range(self.chance.randint(1, most))]

    def scan(self, limit):
        """One table with conditions that statistics and indexes may decide."""
        table = self.one(self.world.tables[0], self.chance.choice(self.world.tables))
        columns = [leaf("r", column) for column in table.columns]
        tests = []
        for _ in range(self.one(1, 1, 2, 3)):
            column = self.chance.choice(columns).copy()
            literal = self.literal(column.kind)
            pick = self.chance.randint(0, 6)
            if pick == 0 or column.kind in UNORDERED:
                test = E("boolean", column, self.one(" IS NULL", " IS NOT NULL"))
            elif pick == 1:
                test = E("boolean", column, self.one(" IN (", " NOT IN ("), Sequence([self.literal(column.kind) for _ in range(self.one(1, 2, 5, 40))]), ")")
            elif pick == 2 and column.kind not in NESTED:
                low, high = sorted([str(literal), str(self.literal(column.kind))])
                test = E("boolean", column, f" BETWEEN {low} AND {high}")
            elif pick == 3 and column.kind == "text":
                test = E("boolean", column, self.one(" LIKE 'key 0000%'", " LIKE 'a%'", " LIKE ''", " NOT LIKE 'key%'", " ^@ 'key 0'", " LIKE '%0'"))
            elif pick == 4 and column.kind == "boolean":
                test = self.one(column, E("boolean", "NOT ", column))
            else:
                test = E("boolean", column, self.one(" = ", " <> ", " < ", " <= ", " > ", " >= ", " IS DISTINCT FROM "), literal)
            tests.append(test)
        where = Node(" WHERE ", Sequence(tests, self.one(" AND ", " AND ", " OR ")))
        scope = Scope(columns, None, [f"r.{table.key}"], table.rows)
        if self.often(0.4):
            values = [E("int", "count(*)", bound=10**7, wide=True)] + [self.aggregate(scope) if self.often(0.3) else self.extreme(self.chance.choice(columns)) for _ in range(self.one(0, 1, 3))]
            where = where if self.often(0.8) else ""
        else:
            values = self.chance.sample(columns, self.chance.randint(1, min(4, len(columns))))
        items = Sequence([Item(value.copy(), self.fresh("o")) for value in values])
        ending, rows = self.end(items, table.rows if "count(" not in str(items) else 1, limit)
        return self.result(["SELECT ", items, f" FROM {table.name} AS r", where, ending], items, rows)

    def risky(self):
        """One calculation on all rows of a table that may overflow: both refuse, or both answer."""
        table = self.chance.choice(self.world.tables[1:])
        columns = [leaf("r", column) for column in table.columns]
        numbers = [column for column in columns if column.kind in ("int", "decimal")]
        a, b, one = self.chance.choice(numbers), self.chance.choice(numbers), self.one
        whole = self.chance.choice([column for column in columns if column.kind == "int"])
        text = one(f"{a} {one('+', '-', '*')} {b}", f"-{a}", f"abs({a})", f"CAST({a} AS {one('INTEGER', 'BIGINT', 'DECIMAL(9, 2)', 'DECIMAL(4, 1)', 'DOUBLE', 'REAL', 'BOOLEAN', 'VARCHAR')})",
                   self.tried(columns),
                   f"CAST({self.chance.choice(columns)} AS {one('DATE', 'TIMESTAMP', 'TIME', 'DOUBLE', 'VARCHAR', 'TIMESTAMPTZ', 'BLOB')})",
                   f"{whole} {one('//', '%')} {one('3', '(-1)', '7')}", f"{a} + {one('1', '2147483647', '9223372036854775807')}", f"round({a}, {one('1', '-1', '0')})")
        items = Sequence([Item(columns[0].copy(), self.fresh("o")), Item(E("text", text), self.fresh("o"))])
        return self.result(["SELECT ", items, f" FROM {table.name} AS r"], items, table.rows)

    def tried(self, columns):
        column = self.chance.choice(columns)
        kind = self.one("INTEGER", "BIGINT", "DECIMAL(9, 2)", "DECIMAL(4, 1)", "DOUBLE", "DATE", "TIMESTAMP", "BOOLEAN", "VARCHAR", "TIME", "UUID")
        return f"TRY_CAST({column} AS {kind})"

    def extreme(self, column):
        if column.kind in UNORDERED + ("boolean",):
            return E("int", "count(", column.copy(), ")", bound=10**7, wide=True)
        return E(column.kind, self.one("min(", "max("), column.copy(), ")", bound=column.bound, wide=column.wide, scale=column.scale)

    def plain(self, depth, kinds, outer, limit):
        source, scope = self.from_clause(depth, outer)
        windows = depth < 2 and self.often(0.3)
        items = []
        for kind in self.wanted(scope, kinds, 4):
            if windows and kinds is None and self.often(0.5):
                value = self.window(scope)
            else:
                value = self.expression(kind, scope)
            items.append(Item(value, self.fresh("o")))
        items = Sequence(items)
        where = Optional(" WHERE ", self.condition(scope)) if self.often(0.5) else ""
        first = Choice(self.one("", "", "", "DISTINCT "), "")
        if scope.keys and kinds is None and not windows and self.often(0.08):
            # The first row of each of some values, in a total order.
            by = self.chance.choice([column for column in scope.leaves if column.kind not in UNORDERED]).copy()
            rest = Node(" ORDER BY ", Mirror(by), self.one("", " DESC", " NULLS FIRST"), ", ", ", ".join(scope.keys))
            return self.result(["SELECT DISTINCT ON (", by, ") ", items, " FROM ", source, where, rest], items, scope.rows)
        parts = ["SELECT ", first, items, " FROM ", source, where]
        if windows and self.often(0.3):
            ranked = self.window(scope)
            if not ranked.inexact and ranked.kind in ("int", "double"):
                parts.append(Optional(" QUALIFY ", ranked, self.one(" <= ", " > ", " = "), str(self.chance.randint(1, 4))))
        ending, rows = self.end(items, scope.rows, limit)
        if "DISTINCT" in str(parts[1]) and any(item.expression.inexact for item in items.parts):
            parts[1] = ""
        return self.result(parts + [ending], items, rows)

    def grouped(self, depth, kinds, outer, limit):
        source, scope = self.from_clause(depth, outer)
        scope.nests = self.often(0.3)
        self.may_nest, before = False, self.may_nest
        wanted = self.wanted(scope, kinds, 4)
        keys = [self.plain_value(scope, kind, self.one(0, 1, 2)) for kind in wanted[:self.one(0, 1, 1, 2, 3)]]
        keys = [key for key in keys if any(str(key).count(str(column)) for column in scope.leaves) and key.kind not in UNORDERED]
        self.may_nest = before
        aggregates = [self.aggregate(scope) for _ in range(self.chance.randint(1, 3))]
        scope.nests = depth < 2
        known = [key for key in keys] + [value for value in aggregates if not value.inexact]
        after = Scope([copy.deepcopy(value) for value in known], None)
        after.aggregated = True
        after.nests = self.often(0.4)
        items = []
        for key in keys:
            items.append(Item(key.copy(), self.fresh("g")))
        if kinds is None:
            items += [Item(value.copy(), self.fresh("a")) for value in aggregates]
            if self.often(0.3) and known:
                items.append(Item(self.expression(self.kind(after), after), self.fresh("o")))
            if self.often(0.2):
                items.append(Item(self.over_groups(known), self.fresh("o")))
        else:
            items = [Item(self.expression(kind, after) if known else self.aggregate_of(kind, scope), self.fresh("o")) for kind in kinds]
        items = Sequence(items)
        where = Optional(" WHERE ", self.condition(scope)) if self.often(0.4) else ""
        group = ""
        if keys:
            form = self.chance.random()
            sets = False
            texts = [str(key) for key in keys]
            if form < 0.1 and kinds is None:
                group = Node(" GROUP BY ", ", ".join(str(place + 1) for place in range(len(keys))))
                if len(items.parts) == len(keys) + len(aggregates) and self.often(0.5):
                    # A subquery as a key, which only its place or its name can mean.
                    scope.nests, self.subqueries = True, self.subqueries + 1
                    value = self.one(self.boolean_subquery, lambda scope: self.scalar_subquery("int", scope))(scope)
                    name = self.fresh("g")
                    items.parts.append(Item(value, name))
                    group = self.one(Node(group, ", ", name), Node(group, f", {len(items.parts)}"), Node(" GROUP BY ALL"))
            elif form < 0.25 and len(set(texts)) == len(texts):
                sets = True
                group = Node(self.one(" GROUP BY ROLLUP (", " GROUP BY CUBE ("), Sequence([key.copy() for key in keys]), ")")
            elif form < 0.35 and len(set(texts)) == len(texts):
                sets = True
                some = [", ".join(str(key) for key in keys if self.often(0.6)) for _ in range(self.chance.randint(1, 3))]
                # One empty set at most: DuckDB makes one row of several.
                some = [Node("(", text, ")") for place, text in enumerate(some) if text or "" not in some[:place]]
                group = Node(" GROUP BY GROUPING SETS (", Sequence(some), ")")
            else:
                group = Node(" GROUP BY ", Sequence([key.copy() for key in keys]))
            if sets and kinds is None and self.often(0.4):
                items.parts.append(Item(E("int", f"grouping({self.chance.choice(texts)})", bound=3, wide=True), self.fresh("o")))
        having = Optional(" HAVING ", self.condition(after, 1)) if self.often(0.25) and known else ""
        qualify = ""
        if self.often(0.1) and known and depth < 2:
            ranked = self.over_groups(known)
            if not ranked.inexact:
                qualify = Optional(" QUALIFY ", ranked, self.one(" <= ", " > ", " <> "), str(self.chance.randint(1, 4)))
        ending, rows = self.end(items, min(scope.rows, MANY), limit)
        return self.result(["SELECT ", items, " FROM ", source, where, group, having, qualify, ending], items, rows)

    def values(self, kinds):
        kinds = kinds or [self.chance.choice(["int", "text", "double", "date", "boolean", "decimal", "int", "list", "struct", "map"]) for _ in range(self.chance.randint(1, 3))]
        empty = Scope([])
        names = [self.fresh("w") for _ in kinds]
        rows = []
        for _ in range(self.chance.randint(1, 4)):
            rows.append(Node("(", ", ".join(str(self.literal(kind)) for kind in kinds), ")"))
        columns = [OutputColumn(name, E(kind, "", bound=1000, scale=3)) for name, kind in zip(names, kinds)]
        query = Query("SELECT * FROM (VALUES ", Sequence(rows), f") AS {self.fresh('v')}({', '.join(names)})", columns=columns)
        query.rows = len(rows)
        return query

    def set_operation(self, depth, kinds, outer):
        kinds = kinds or [self.chance.choice(["int", "text", "date", "double", "boolean", "timestamp", "int", "decimal", "blob", "uuid", "list", "struct", "words"]) for _ in range(self.chance.randint(1, 3))]
        left = self.query(depth + 1, kinds, outer, limit=False)
        right = self.query(depth + 1, kinds, outer, limit=False)
        while any(column.inexact for column in left.columns + right.columns) or len(left.columns) != len(kinds) or len(right.columns) != len(kinds):
            left, right = self.plain(depth + 1, kinds, outer, False), self.plain(depth + 1, kinds, outer, False)
        word = self.one(" UNION ", " UNION ALL ", " INTERSECT ", " EXCEPT ", " INTERSECT ALL ", " EXCEPT ALL ", " UNION ALL ")
        for mine, other in zip(left.columns, right.columns):
            mine.bound, mine.wide, mine.scale = max(mine.bound or 0, other.bound or 0), mine.wide or other.wide, max(mine.scale, other.scale)
        if self.often(0.1) and left.items is not None and right.items is not None and len({item.name for item in left.items.parts}) == len(kinds):
            # By name, in another order.
            for mine, other in zip(left.items.parts, right.items.parts):
                right_name = mine.name
                if "ORDER BY" in str(right) or "GROUP BY" in str(right):
                    break
                other.name, other.parts[-1] = right_name, f" AS {right_name}"
            else:
                self.chance.shuffle(right.items.parts)
                word = self.one(" UNION BY NAME ", " UNION ALL BY NAME ")
                left.items.minimum = right.items.minimum = len(kinds)
        query = Query("(", left, ")", word, "(", right, ")", columns=left.columns)
        query.rows = left.rows + right.rows
        return query

    def with_common(self, depth):
        """WITH in front of a query that uses it."""
        parts = []
        before = list(self.common)
        for _ in range(self.one(1, 1, 2)):
            name = self.fresh("w")
            if self.often(0.25):
                parts.append(self.recursion(name))
                continue
            query = self.query(1)
            parts.append(Node(name, " AS ", self.one("", "", "MATERIALIZED ", "NOT MATERIALIZED "), "(", query, ")"))
            self.common.append((name, query.columns, query.rows))
        body = self.query(depth)
        self.common = before
        recursive = any("/*recursive*/" in str(part) for part in parts)
        query = Query("WITH RECURSIVE " if recursive else "WITH ", Sequence(parts), " ", body, columns=body.columns)
        query.rows = body.rows
        return query

    def recursion(self, name):
        """A common table that ends by its counter."""
        kind = self.one("int", "text", "date", "double")
        start = Scope([])
        n = E("int", f"{name}.n", bound=20)
        previous = E(kind, f"{name}.x", bound=10**6 if kind == "int" else 10**9)
        scope = Scope([n, previous, previous])
        word = self.one("UNION", "UNION ALL")
        first = self.literal(kind)
        next_value = self.super_expression(kind, scope, 2)
        if kind == "text":
            next_value = E("text", "left(", next_value, ", 12)")
        if kind == "int":
            next_value = E("int", "(", next_value, ") % 100000", bound=10**5)
        extra = ""
        rows = 10
        if self.often(0.3):
            table = self.chance.choice([table for table in self.world.tables if table.rows <= 20] or self.world.tables[1:2])
            extra = f", (SELECT {table.key} FROM {table.name} WHERE {table.key} < 2) AS j"
            rows = 300
        step = Node(f"SELECT {name}.n + 1, CAST(", next_value, f" AS {'BIGINT' if kind == 'int' else NAMES[kind]})", f" FROM {name}{extra} WHERE {name}.n < {self.chance.randint(2, 6)}",
                    Optional(" AND ", self.joining(scope)) if self.often(0.3) else "")
        self.common.append((name, [OutputColumn("n", E("int", "", bound=20)), OutputColumn("x", E(kind, "", bound=2**63, wide=True))], rows))
        base = Node("SELECT 1, CAST(", first, f" AS {'BIGINT' if kind == 'int' else NAMES[kind]})")
        return Node(f"{name}(n, x) AS /*recursive*/ (", base, f" {word} ", step, ")")
