"""Random typed expressions that neither overflow nor depend on chance; `Scope` is what they may name."""
import copy
import math

from fuzzer_nested import NestedMaker
from fuzzer_tree import NAMES, Expression, Optional, Sequence, plainest
from fuzzer_worlds import DATES, MOMENTS, TEXTS, TIMES, UUIDS

NESTED = ("interval", "list", "struct", "words", "map")
# What has no order.
UNORDERED = ("interval", "map")
KINDS = ["boolean", "int", "int", "int", "double", "decimal", "text", "text", "date", "timestamp", "time", "instant", "blob", "uuid", "real"]
CHECKED = 2**31
LIMIT = 2**61


def E(kind, *parts, **keywords):
    return Expression(kind, *parts, **keywords)


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


class Scope:
    """The values that an expression may start from, and the FROM items behind them."""

    def __init__(self, leaves, outer=None, keys=None, rows=1, sources=()):
        self.leaves, self.outer, self.keys, self.rows, self.sources = leaves, outer, keys, rows, list(sources)

    def of(self, chance, kind):
        found = [leaf for leaf in self.leaves if leaf.kind == kind]
        if self.outer is not None and (not found or chance.random() < 0.25):
            found = found + [leaf for leaf in self.outer.leaves if leaf.kind == kind]
        return copy.deepcopy(chance.choice(found)) if found else None


class ExpressionMaker(NestedMaker):
    """Expressions of every kind from a source of chance."""

    def __init__(self, chance, off=()):
        self.chance, self.off = chance, set(off)

    def can(self, feature):
        """Whether something may be made; what is off waits for a bug to be repaired."""
        return feature not in self.off

    def one(self, *choices):
        return self.chance.choice(choices)

    def often(self, share):
        return self.chance.random() < share

    def kind(self, scope):
        if scope.leaves and self.often(0.85):
            return self.chance.choice(scope.leaves).kind
        return self.chance.choice(KINDS)

    def expression(self, kind, scope, depth=0):
        """Any expression of a kind."""
        if depth >= 3 or self.often(0.35 + 0.1 * depth):
            leaf = scope.of(self.chance, kind) if self.often(0.9) else None
            return leaf if leaf is not None else self.literal(kind)
        if self.often(0.12):
            return self.general(kind, scope, depth)
        if kind in ("int", "text", "boolean") and self.often(0.12):
            return getattr(self, f"{kind}_of_nested")(scope, depth)
        return getattr(self, kind)(scope, depth)

    def literal(self, kind):
        if self.often(0.04):
            return E(kind, f"CAST(NULL AS {NAMES[kind]})", bound=0)
        one = self.one
        if kind not in ("boolean", "real") + NESTED and self.often(0.4):
            return self.datum(kind)
        if kind == "int":
            number = one(0, 1, 2, 3, -1, 7, 10, self.chance.randint(-20, 20), self.chance.randint(0, 1000))
            return E("int", f"({number})" if number < 0 else str(number), bound=abs(number))
        if kind == "text":
            return E("text", one("'a'", "''", "'abc'", "'naïve'", "'red'", "'x y'", "'12'", "'%'", "'日本'", "'it''s'"))
        text = {"boolean": ["TRUE", "FALSE"], "double": ["0.5e0", "1e0", "-2.25e0", "100e0", "3e0"], "real": ["CAST(1.5 AS REAL)", "CAST(-2 AS REAL)"],
                "decimal": ["1.25", "-0.50", "3.00", "12.345"], "date": ["DATE '2000-02-29'", "DATE '2024-01-01'", "DATE '1970-01-01'"],
                "time": ["TIME '12:30:00'", "TIME '00:00:00'", "TIME '23:59:59.999999'"],
                "timestamp": ["TIMESTAMP '2024-02-29 12:30:15'", "TIMESTAMP '2000-01-01 00:00:00'", "TIMESTAMP '1969-12-31 23:59:59.999999'"],
                "instant": ["TIMESTAMPTZ '2024-02-29 12:30:15+00'", "TIMESTAMPTZ '2000-01-01 02:00:00+02'"], "blob": ["'abc'::BLOB", "''::BLOB"],
                "uuid": ["'123e4567-e89b-12d3-a456-426614174000'::UUID", "'00000000-0000-0000-0000-000000000000'::UUID"],
                "interval": ["INTERVAL 1 DAY", "INTERVAL '1 month'", "INTERVAL '36 hours'", "INTERVAL '1 year 2 days'", "INTERVAL '-90 minutes'"],
                "list": ["[1, 2]", "[]::INTEGER[]", "[3, NULL]", "[1, 2, NULL]", "[7]"], "words": ["['a', 'b']", "[]::VARCHAR[]", "['', NULL, 'it''s']"],
                "struct": ["{'a': 1, 'b': 'x'}", "{'a': NULL::INTEGER, 'b': ''}", "{'a': -1, 'b': NULL::VARCHAR}"], "map": ["MAP {'a': 1, 'b': NULL}", "MAP {}::MAP(VARCHAR, INTEGER)", "MAP {'b': 2}"]}[kind]
        return E(kind, one(*text), bound=100, scale=2)

    def datum(self, kind):
        """A value that tables have."""
        pick = self.chance.choice
        if kind == "int":
            number = pick([self.chance.randint(-3, 30), self.chance.randint(-3, 12), self.chance.randint(-1000, 10_000)])
            return E("int", f"({number})" if number < 0 else str(number), bound=abs(number))
        if kind == "text":
            return E("text", quoted(pick(TEXTS + ["red", "green", "blue", "Red"] * 3 + [f"key {self.chance.randint(0, 95):05d}" for _ in range(5)])))
        if kind == "double":
            return E("double", f"CAST({quoted(str(pick([0.5, -2.25, 100.25, 1.5, 0.1, 3.0, -1000.0])))} AS DOUBLE)", bound=1000)
        if kind == "decimal":
            return E("decimal", pick(["1.25", "-1.25", "0.05", "12.50", "1.005", "2.5", "-0.01"]), bound=20, scale=3)
        if kind == "date":
            return E("date", f"DATE '{pick(DATES)}'")
        if kind == "time":
            return E("time", f"TIME '{pick(TIMES)}'")
        if kind == "timestamp":
            return E("timestamp", f"TIMESTAMP '{pick(MOMENTS)}'")
        if kind == "instant":
            return E("instant", f"TIMESTAMPTZ '{pick(MOMENTS)}+00'")
        if kind == "uuid":
            return E("uuid", f"CAST('{pick(UUIDS)}' AS UUID)")
        return E("blob", pick(["'abc'::BLOB", "''::BLOB", "'\\x00'::BLOB", "encode('é')", "'\\xFF\\xFE'::BLOB"]))

    def general(self, kind, scope, depth):
        """Forms that every kind has."""
        deeper = depth + 1
        a, b = self.expression(kind, scope, deeper), self.expression(kind, scope, deeper)
        if a.kind == "decimal" and (a.scale > 3 or b.scale > 3):
            return a
        bound = max(a.bound or 0, b.bound or 0)
        both = {"bound": bound, "wide": a.wide or b.wide, "scale": max(a.scale, b.scale)}
        pick = self.chance.randint(0, 7)
        if pick <= 1:
            arms = [f"CASE WHEN ", self.boolean_value(scope, deeper), " THEN ", a]
            other = Optional(" ELSE ", b)
            return E(kind, *arms, other, " END", **both)
        if pick == 2:
            chosen = self.kind(scope)
            chosen = "int" if chosen in UNORDERED else chosen
            subject = self.expression(chosen, scope, deeper)
            return E(kind, "CASE ", subject, " WHEN ", self.expression(chosen, scope, deeper), " THEN ", a, " ELSE ", b, " END", **both)
        if pick == 3:
            return E(kind, self.one("coalesce", "ifnull"), "(", a, ", ", b, ")", **both)
        if pick == 4:
            return E(kind, "nullif(", a, ", ", b, ")", bound=a.bound, wide=a.wide or b.wide, scale=max(a.scale, b.scale))
        if pick == 5 and kind not in UNORDERED:
            return E(kind, self.one("greatest", "least"), "(", a, ", ", b, ")", **both)
        if pick == 6:
            return E(kind, "if(", self.boolean_value(scope, deeper), ", ", a, ", ", b, ")", **both)
        return E(kind, "(", a, ")", bound=a.bound, wide=a.wide, scale=a.scale)

    # Conditions.

    def boolean_value(self, scope, depth=0):
        return self.expression("boolean", scope, max(depth, 1))

    def condition(self, scope, depth=0):
        """A condition as WHERE has them."""
        if self.often(0.3):
            parts = [self.condition(scope, depth + 1) for _ in range(self.chance.randint(2, 3))] if depth < 2 else [self.boolean(scope, 2)]
            return E("boolean", "(", Sequence(parts, self.one(" AND ", " OR ")), ")")
        return self.boolean(scope, depth + 1)

    def boolean(self, scope, depth):
        deeper = depth + 1
        one = self.one
        pick = self.chance.randint(0, 19)
        if pick <= 1:
            return E("boolean", "(", self.expression("boolean", scope, deeper), one(" AND ", " OR "), self.expression("boolean", scope, deeper), ")")
        if pick == 2:
            return E("boolean", "(NOT ", self.expression("boolean", scope, deeper), ")")
        if pick == 3:
            return E("boolean", "(", self.expression("boolean", scope, deeper), one(" IS TRUE", " IS NOT TRUE", " IS FALSE", " IS NOT FALSE"), ")")
        if pick == 4:
            return E("boolean", "(", self.text_value(scope, deeper), one(" LIKE ", " NOT LIKE ", " ILIKE "),
                     one("'a%'", "'%b%'", "'_'", "'%'", "''", "'%c'", "'__'", "'%é%'", "'a_c'", "'%a%b%'", "'x%'", "'%\\_%' ESCAPE '\\'"), ")")
        if pick == 5:
            return E("boolean", one("starts_with", "ends_with", "contains"), "(", self.text_value(scope, deeper), ", ", self.text_value(scope, 3), ")")
        if pick == 6:
            return E("boolean", "regexp_matches(", self.text_value(scope, deeper), ", ", one("'^a'", "'[0-9]+'", "'b|c'", "'.'", "'^$'", "'(?i)RED'", "'\\s'"), ")")
        if pick == 7:
            return E("boolean", one("isnan", "isinf", "isfinite"), "(", self.expression(one("double", "real"), scope, deeper), ")")
        kind = self.kind(scope)
        if kind == "map":
            return E("boolean", "(", self.expression(kind, scope, deeper), one(" IS NULL", " IS NOT NULL"), ")")
        if kind == "interval":
            kind = "int"
        a = self.expression(kind, scope, deeper)
        if pick == 8:
            return E("boolean", "(", a, one(" IS NULL", " IS NOT NULL"), ")")
        if pick == 9:
            return E("boolean", "(", a, one(" IS DISTINCT FROM ", " IS NOT DISTINCT FROM "), self.expression(kind, scope, deeper), ")")
        if pick in (10, 11):
            some = [self.expression(kind, scope, 3) if self.often(0.3) else self.literal(kind) for _ in range(self.chance.randint(1, 5))]
            return E("boolean", "(", a, one(" IN (", " NOT IN ("), Sequence(some), "))")
        if pick == 12 and kind not in NESTED:
            # DuckDB has no BETWEEN of lists and structs.
            return E("boolean", "(", a, one(" BETWEEN ", " NOT BETWEEN "), self.expression(kind, scope, 3), " AND ", self.expression(kind, scope, 3), ")")
        if pick == 13:
            other = self.one("int", "decimal", "double", "real")
            if kind in ("int", "decimal", "double", "real"):
                # Numbers of two kinds.
                return E("boolean", "(", a, one(" = ", " < ", " >= ", " <> "), self.expression(other, scope, deeper), ")")
        if pick == 14:
            b = self.kind(scope)
            if b not in NESTED and kind not in NESTED:
                # Without NULL, which DuckDB takes for a value in rows.
                values = [Expression(of, "coalesce(", value, ", ", plainest(of), ")") for of, value in
                          ((kind, a), (b, self.expression(b, scope, 3)), (kind, self.expression(kind, scope, 3)), (b, self.expression(b, scope, 3)))]
                return E("boolean", "((", values[0], ", ", values[1], ")", one(" = ", " <> ", " < ", " >= "), "(", values[2], ", ", values[3], "))")
        return E("boolean", "(", a, one(" = ", " <> ", " < ", " <= ", " > ", " >= "), self.expression(kind, scope, deeper), ")")

    # Numbers.

    def small(self, scope, depth, limit=CHECKED):
        """An integer below a limit."""
        value = self.expression("int", scope, depth)
        if value.bound >= limit:
            modulus = self.one(7, 97, 1000) if limit > 1000 else max(2, int(limit))
            value = E("int", "(", value, f" % {modulus})", bound=modulus, wide=value.wide)
        return value

    def int(self, scope, depth):
        deeper, one = depth + 1, self.one
        pick = self.chance.randint(0, 25)
        if pick == 23:
            return E("int", one("bit_count(", "~("), self.small(scope, deeper), ")", bound=2**31, wide=True) if self.often(0.5) else \
                E("int", "lcm(", self.small(scope, deeper, 1000), ", ", self.small(scope, deeper, 1000), ")", bound=10**6, wide=True)
        if pick == 24:
            kind = one("date", "timestamp", "instant")
            return E("int", one("yearweek", "dayofmonth", "weekday", "weekofyear", "epoch_ns", "era"), "(", self.expression(kind, scope, deeper), ")", bound=2**62, wide=True) if self.often(0.5) else \
                E("int", "date_part(", one("'dow'", "'doy'", "'week'", "'year'", "'isodow'", "'yearweek'", "'month'"), ", ", self.expression(kind, scope, deeper), ")", bound=10**7, wide=True)
        if pick == 25:
            return E("int", "CAST(", one("floor", "ceil", "round", "trunc"), "(", self.tame(scope, deeper), ") AS BIGINT)", bound=10**13, wide=True) if self.often(0.5) else \
                E("int", "CAST(factorial(CAST(abs(", self.small(scope, deeper, 1000), ") % 10 AS INTEGER)) AS BIGINT)", bound=10**6, wide=True)
        if pick == 20:
            return E("int", one("levenshtein(", "damerau_levenshtein("), self.text_value(scope, deeper), ", ", self.text_value(scope, 3), ")", bound=10**5, wide=True)
        if pick == 21:
            # Without epoch_ms: before 1970 DuckDB cuts towards zero.
            return E("int", "epoch_us(", self.expression(one("date", "timestamp", "instant"), scope, deeper), ")", bound=2**62, wide=True)
        if pick == 22:
            a = self.small(scope, deeper, 2**30)
            return E("int", "round(", a, one(", -1)", ", 1)", ", -2)"), bound=a.bound * 2 + 100, wide=a.wide)
        if pick <= 5:
            a, b = self.small(scope, deeper, 2**30), self.small(scope, deeper, 2**30)
            op = one("+", "-", "*", "+", "-")
            bound = a.bound * b.bound if op == "*" else a.bound + b.bound
            if bound >= CHECKED - 1 and not (a.wide or b.wide):
                a = E("int", "CAST(", a, " AS BIGINT)", bound=a.bound, wide=True)
            return E("int", "(", a, f" {op} ", b, ")", bound=bound, wide=a.wide or b.wide)
        if pick == 6:
            a = self.small(scope, deeper, LIMIT)
            return E("int", "(", a, one(" // ", " % "), one("2", "3", "7", "(-4)", "100"), ")", bound=a.bound, wide=a.wide)
        if pick == 7:
            a, b = self.small(scope, deeper, 2**30), self.small(scope, deeper, 2**30)
            return E("int", "(", a, one(" // ", " % "), "nullif(", b, ", 0))", bound=max(a.bound, b.bound), wide=a.wide or b.wide)
        if pick == 8:
            a = self.small(scope, deeper, 2**30)
            # DuckDB's sign is a TINYINT, of which bit_count counts eight bits; there are none here.
            before, after = one(("abs(", ")"), ("-(", ")"), ("CAST(sign(", ") AS INTEGER)"))
            return E("int", before, a, after, bound=a.bound + 1, wide=a.wide)
        if pick == 9:
            return E("int", one("length", "ascii", "unicode", "bit_length", "strlen"), "(", self.text_value(scope, deeper), ")", bound=10**5, wide=True)
        if pick == 10:
            return E("int", "strpos(", self.text_value(scope, deeper), ", ", self.text_value(scope, 3), ")", bound=10**5, wide=True)
        if pick == 11:
            kind = one("date", "timestamp", "instant")
            return E("int", one("year", "month", "day", "quarter", "dayofweek", "isodow", "dayofyear", "week", "isoyear", "decade", "century"), "(", self.expression(kind, scope, deeper), ")",
                     bound=10**4, wide=True)
        if pick == 12:
            kind = one("timestamp", "time", "instant")
            return E("int", "extract(", one("hour", "minute", "second", "millisecond", "microsecond"), " FROM ", self.expression(kind, scope, deeper), ")", bound=10**8, wide=True)
        if pick == 13:
            kind = one("date", "timestamp")
            # Without weeks: DuckDB 1.5.5 divides the days by seven where it counts boundaries otherwise.
            unit = one("day", "month", "year", "decade", "quarter") if kind == "date" else one("day", "hour", "month", "second", "minute", "year")
            return E("int", one("date_diff", "date_diff", "date_sub"), f"('{unit}', ", self.expression(kind, scope, deeper), ", ", self.expression(kind, scope, deeper), ")", bound=10**12, wide=True)
        if pick == 14:
            wide = self.often(0.5)
            text = self.text_value(scope, deeper)
            # Without '- ', which DuckDB reads as 0.
            return E("int", "TRY_CAST(", E("text", "replace(", text, ", '- ', '')"), f" AS {'BIGINT' if wide else 'INTEGER'})", bound=2**63 if wide else 2**31, wide=wide)
        if pick == 15:
            number = self.decimal_value(scope, deeper) if self.often(0.5) else self.tame(scope, deeper)
            return E("int", "TRY_CAST(", number, " AS BIGINT)", bound=2**63, wide=True)
        if pick == 16:
            return E("int", "CAST(", self.boolean_value(scope, deeper), " AS INTEGER)", bound=1)
        if pick == 17:
            a, b = self.small(scope, deeper), self.small(scope, deeper)
            return E("int", "(", a, one(" & ", " | "), b, ")", bound=2**31, wide=a.wide or b.wide)
        if pick == 18:
            a, b = self.small(scope, deeper, 1000), self.small(scope, deeper, 1000)
            return E("int", one("gcd", "xor"), "(", a, ", ", b, ")", bound=2**31, wide=True)
        kind = one("date", "timestamp")
        return E("int", "datediff('day', ", self.expression("date", scope, deeper), ", DATE '2000-01-01')", bound=10**7, wide=True)

    def tame(self, scope, depth):
        """A double with no more than 1e12 and without NaN."""
        for _ in range(4):
            value = self.expression("double", scope, depth)
            if value.bound <= 1e12:
                return value
        value = self.small(scope, depth)
        return E("double", "CAST(", value, " AS DOUBLE)", bound=value.bound)

    def double(self, scope, depth):
        deeper, one = depth + 1, self.one
        pick = self.chance.randint(0, 13)
        if pick == 12:
            # Rounded, as the last digits of these are nobody's promise.
            function, argument = one(("ln(1 + abs(", "))"), ("sin(", ")"), ("cos(", ")"), ("atan(", ")"), ("log10(1 + abs(", "))"), ("cbrt(", ")"), ("degrees(", ")"), ("radians(", ")"),
                                     ("exp(-abs(", "))"), ("log2(1 + abs(", "))"))
            return E("double", f"round({function}", self.tame(scope, deeper), f"{argument}, 5)", bound=1e14)
        if pick == 13:
            return E("double", "pow(", self.small(scope, deeper, 1000), one(", 2)", ", 3)"), bound=1e9) if self.often(0.5) else \
                E("double", one("jaccard(", "jaro_similarity(", "jaro_winkler_similarity("), "'abc', concat('b', ", self.text_value(scope, deeper), "))", bound=1)
        if pick <= 2:
            a, b = self.tame(scope, deeper), self.tame(scope, deeper)
            op = one("+", "-", "*")
            return E("double", "(", a, f" {op} ", b, ")", bound=a.bound * b.bound if op == "*" else a.bound + b.bound)
        if pick == 3:
            return E("double", "(", self.tame(scope, deeper), " / ", one("2", "4e0", "8", "0.5e0"), ")", bound=1e13)
        if pick == 4:
            a = self.expression("double", scope, deeper)
            return E("double", one("abs", "floor", "ceil", "trunc", "-"), "(", a, ")", bound=a.bound)
        if pick == 5:
            return E("double", "round(", self.tame(scope, deeper), one("", ", 1", ", 2", ", -1"), ")", bound=1e13)
        if pick == 6:
            a = self.small(scope, deeper, LIMIT)
            return E("double", "CAST(", a, " AS DOUBLE)", bound=a.bound)
        if pick == 7:
            a = self.decimal_value(scope, deeper)
            return E("double", "CAST(", a, " AS DOUBLE)", bound=a.bound)
        if pick == 8:
            return E("double", "TRY_CAST(", self.text_value(scope, deeper), " AS DOUBLE)", bound=math.inf)
        if pick == 9:
            return E("double", "sqrt(abs(", self.tame(scope, deeper), "))", bound=1e12)
        if pick == 10:
            return E("double", "(", self.small(scope, deeper, 2**30), " / ", "nullif(", self.small(scope, deeper, 2**30), ", 0))", bound=1e10)
        return E("double", "CAST(", self.expression("real", scope, deeper), " AS DOUBLE)", bound=math.inf)

    def real(self, scope, depth):
        if self.often(0.5):
            return E("real", "CAST(", self.small(scope, depth + 1), " AS REAL)", bound=math.inf)
        a = self.expression("real", scope, depth + 1)
        return E("real", self.one("abs(", "-(", "("), a, ")", bound=math.inf)

    def decimal_value(self, scope, depth):
        """A decimal with no more than 9 digits before and 3 behind the point."""
        for _ in range(3):
            value = self.expression("decimal", scope, depth)
            if value.bound <= 10**9 and value.scale <= 3:
                return value
        return self.literal("decimal")

    def decimal(self, scope, depth):
        deeper, one = depth + 1, self.one
        pick = self.chance.randint(0, 6)
        if pick <= 1:
            a = self.decimal_value(scope, deeper)
            b = self.small(scope, deeper, 1000) if self.often(0.4) else self.decimal_value(scope, deeper)
            return E("decimal", "(", a, one(" + ", " - "), b, ")", bound=a.bound + b.bound, scale=max(a.scale, b.scale))
        if pick == 2:
            a = self.decimal_value(scope, deeper)
            return E("decimal", "(CAST(", a, " AS DECIMAL(9, 2)) * ", one("2.5", "CAST(0.25 AS DECIMAL(3, 2))", "1.10"), ")", bound=a.bound * 3, scale=4) if a.bound < 10**7 else a
        if pick == 3:
            a = self.decimal_value(scope, deeper)
            if self.often(0.3):
                return E("decimal", one("round(", "trunc("), a, one(", 1)", ", 0)", ", 2)"), bound=a.bound + 1, scale=a.scale)
            return E("decimal", one("abs", "-", "round", "floor", "ceil", "trunc"), "(", a, ")", bound=a.bound + 1, scale=a.scale)
        if pick == 4:
            return E("decimal", "CAST(", self.small(scope, deeper, 10**6), " AS DECIMAL(9, 2))", bound=10**7, scale=2)
        if pick == 5:
            # Without what DuckDB reads otherwise: '- ' as 0, and 5e-324 as 0.1.
            return E("decimal", "TRY_CAST(", E("text", "trim(replace(", self.text_value(scope, deeper), ", 'e-', ''))"), one(" AS DECIMAL(9, 2))", " AS DECIMAL(7, 1))"), bound=10**7, scale=2)
        return E("decimal", "TRY_CAST(", self.tame(scope, deeper), " AS DECIMAL(12, 3))", bound=10**9, scale=3)

    # Text and bytes.

    def text_value(self, scope, depth):
        return self.expression("text", scope, depth)

    def text(self, scope, depth):
        deeper, one = depth + 1, self.one
        a = self.text_value(scope, deeper)
        pick = self.chance.randint(0, 31)
        if pick == 31:
            return E("text", "CAST(", self.interval(scope, deeper), " AS VARCHAR)")
        if pick == 27:
            return E("text", one("to_base(abs(", "to_base(abs("), self.small(scope, deeper), one("), 2)", "), 16, 6)", "), 36)"))
        if pick == 28:
            return E("text", one("format_bytes(", "formatReadableDecimalSize("), "CAST(", self.small(scope, deeper), " AS BIGINT))")
        if pick == 29:
            return E("text", one("to_base64(encode(", "base64(encode(", "sha1((", "url_decode(("), a, "))") if self.often(0.6) else \
                E("text", one("parse_filename(", "parse_dirpath(", "parse_dirname("), "concat('/x/', ", a, "))")
        if pick == 30:
            return E("text", one("regexp_escape(", "nfc_normalize(", "substring_grapheme(", "left_grapheme(", "bar("), a, ")") if self.often(0) else \
                E("text", one("regexp_escape(", "nfc_normalize("), a, ")")
        if pick == 22:
            return E("text", "translate(", a, ", ", one("'abc'", "'é日'", "'aa'"), ", ", one("'xyz'", "''", "'x'"), ")")
        if pick == 23:
            return E("text", one("hex", "url_encode", "strip_accents"), "(", a, ")")
        if pick == 24:
            return E("text", "chr(65 + ", E("int", "CAST(abs(", self.small(scope, deeper, 1000), ") % 60 AS INTEGER)", bound=60), ")")
        if pick == 25:
            # Either way to put texts together.
            return E("text", one("format('{}|{}', ", "printf('%s-%s', "), a, ", ", self.text_value(scope, deeper), ")")
        if pick == 26:
            return E("text", one("upper(", "lower(", "hex(", "bin("), E("text", "CAST(", self.expression("int", scope, deeper), " AS VARCHAR)"), ")")
        if pick <= 1:
            # DuckDB makes the capital sharp s of 2017; Unicode's own mapping of one character leaves it.
            return E("text", one("upper", "lower"), "(replace(", a, ", 'ß', 's'))")
        if pick == 2:
            return E("text", one("trim", "ltrim", "rtrim"), "(", a, ")")
        if pick <= 4:
            return E("text", "(", a, " || ", self.text_value(scope, deeper), ")")
        if pick == 5:
            return E("text", "concat(", a, ", '-', ", self.text_value(scope, deeper), ")")
        if pick == 6:
            return E("text", "concat_ws(", one("','", "'-'", "''"), ", ", a, ", ", self.text_value(scope, deeper), ")")
        if pick == 7:
            return E("text", "substring(", a, f", {self.chance.randint(1, 4)}, {self.chance.randint(0, 5)})")
        if pick == 8:
            return E("text", one("left", "right"), "(", a, f", {self.chance.randint(-2, 5)})")
        if pick == 9:
            return E("text", "replace(", a, ", ", one("'a'", "'b'", "'e'", "' '"), ", ", one("''", "'zz'", "'é'"), ")")
        if pick == 10:
            return E("text", one("lpad", "rpad"), "(", a, f", {self.chance.randint(0, 8)}, ", one("'*'", "'ab'", "'日'"), ")")
        if pick == 11:
            return E("text", "repeat(", a, f", {self.chance.randint(0, 3)})")
        if pick == 12:
            return E("text", "split_part(", a, ", ", one("','", "'a'", "' '"), f", {one(1, 2, 3, -1)})")
        if pick == 13:
            return E("text", "reverse(", a, ")")
        if pick == 14:
            return E("text", "regexp_replace(", a, ", ", one("'a'", "'[aeiou]'", "'\\s+'", "'(b)(c)'"), ", ", one("''", "'x'", "'<\\0>'"), one("", ", 'g'"), ")")
        if pick == 15:
            return E("text", "regexp_extract(", a, ", ", one("'[a-z]+'", "'(.)(.)'", "'[0-9]+'"), one("", ", 0"), ")")
        if pick == 16:
            return E("text", one("md5", "lcase", "sha256"), "(", a, ")")
        if pick == 17:
            kind = one("date", "timestamp")
            return E("text", "strftime(", self.expression(kind, scope, deeper), ", ", one("'%Y-%m-%d'", "'%d.%m.%y'", "'%H:%M:%S'", "'%j'", "'%a %b'"), ")")
        if pick == 18:
            kind = one("date", "timestamp")
            return E("text", one("dayname", "monthname"), "(", self.expression(kind, scope, deeper), ")")
        if pick == 19:
            # Of equal values either zero may be shown; adding zero makes both the same. DuckDB shows the sign of what is no number.
            return E("text", "replace(CAST((", self.expression("double", scope, deeper), " + 0e0) AS VARCHAR), '-nan', 'nan')")
        kind = one("int", "int", "decimal", "date", "timestamp", "time", "boolean", "uuid", "instant", "blob")
        if kind == "instant":
            # Around it a call, as DuckDB answers NULL for CAST(instant AS VARCHAR) >= 'no time'.
            return E("text", "concat('', CAST(", self.expression(kind, scope, deeper), " AS VARCHAR))")
        return E("text", "CAST(", self.expression(kind, scope, deeper), " AS VARCHAR)")

    def blob(self, scope, depth):
        return E("blob", self.one("encode(", "encode("), self.text_value(scope, depth + 1), ")")

    def uuid(self, scope, depth):
        return E("uuid", "CAST(CAST(", self.expression("uuid", scope, depth + 1), " AS VARCHAR) AS UUID)")

    # Time.

    def date(self, scope, depth):
        deeper, one = depth + 1, self.one
        pick = self.chance.randint(0, 7)
        a = self.expression("date", scope, deeper)
        if pick <= 1:
            return E("date", "(", a, one(" + ", " - "), one("1", "30", "(-7)"), ")")
        if pick == 2:
            return E("date", "(", a, " + ", E("int", "CAST((", self.small(scope, deeper, 1000), ") AS INTEGER)", bound=1000), ")")
        if pick == 3:
            return E("date", "CAST(", self.expression(one("timestamp", "instant"), scope, deeper), " AS DATE)")
        if pick == 4:
            return E("date", "last_day(", a, ")")
        if pick == 5:
            return E("date", "CAST(date_trunc(", one("'month'", "'year'", "'week'", "'quarter'", "'decade'"), ", ", a, ") AS DATE)")
        if pick == 6:
            # Without text behind the date, which DuckDB passes over.
            return E("date", "TRY_CAST(", E("text", "regexp_extract(", self.text_value(scope, deeper), ", '^[0-9-]*$')"), " AS DATE)")
        return E("date", "make_date(2000 + ", E("int", "abs(", self.small(scope, deeper, 20), ")", bound=20), ", 2, 28)")

    def timestamp(self, scope, depth):
        deeper, one = depth + 1, self.one
        pick = self.chance.randint(0, 7)
        if pick == 6:
            return E("timestamp", "time_bucket(", one("INTERVAL '2 hours'", "INTERVAL '1 month'", "INTERVAL '10 days'", "INTERVAL '1 year'"), ", ", self.expression("timestamp", scope, deeper), ")")
        if pick == 7:
            return E("timestamp", "make_timestamp(2000, 1 + ", E("int", "abs(", self.small(scope, deeper, 1000), ") % 12", bound=12), ", 28, 12, 30, 1.5)") if self.often(0.5) else \
                E("timestamp", "try_strptime(", self.text_value(scope, deeper), ", ", one("'%Y-%m-%d'", "'%H:%M:%S'"), ")")
        if pick <= 1:
            return E("timestamp", "(", self.expression(one("timestamp", "date"), scope, deeper), one(" + ", " - "), self.literal("interval"), ")")
        if pick == 2:
            return E("timestamp", "CAST(", self.expression(one("date", "instant"), scope, deeper), " AS TIMESTAMP)")
        if pick == 3:
            return E("timestamp", "date_trunc(", one("'month'", "'hour'", "'day'", "'week'", "'second'", "'year'"), ", ", self.expression("timestamp", scope, deeper), ")")
        if pick == 4:
            return E("timestamp", "TRY_CAST(", self.text_value(scope, deeper), " AS TIMESTAMP)")
        return E("timestamp", "(", self.expression("timestamp", scope, deeper), " + to_", one("days", "hours", "minutes", "seconds"), "(",
                 E("int", "CAST(", self.small(scope, deeper, 1000), " AS INTEGER)", bound=1000), "))")

    def instant(self, scope, depth):
        if self.often(0.5):
            return E("instant", "CAST(", self.expression(self.one("timestamp", "date"), scope, depth + 1), " AS TIMESTAMPTZ)")
        return E("instant", "(", self.expression("instant", scope, depth + 1), self.one(" + ", " - "), self.literal("interval"), ")")

    def time(self, scope, depth):
        if self.often(0.5):
            return E("time", "CAST(", self.expression("timestamp", scope, depth + 1), " AS TIME)")
        return E("time", "(", self.expression("time", scope, depth + 1), self.one(" + ", " - "), self.one("INTERVAL 5 HOUR", "INTERVAL '90 minutes'"), ")")

    def interval(self, scope, depth):
        deeper, one = depth + 1, self.one
        pick = self.chance.randint(0, 5)
        if pick == 0:
            return E("interval", "age(", self.expression("timestamp", scope, deeper), ", ", self.expression("timestamp", scope, deeper), ")")
        if pick == 1:
            return E("interval", "(", self.expression("timestamp", scope, deeper), " - ", self.expression("timestamp", scope, deeper), ")")
        if pick == 2:
            return E("interval", "(", self.literal("interval"), one(" + ", " - "), self.expression("interval", scope, deeper), ")")
        if pick == 3:
            return E("interval", "(", self.literal("interval"), one(" * 3", " * 2", " / 2"), ")")
        return E("interval", one("to_days", "to_hours", "to_months", "to_weeks", "to_years", "to_minutes"), "(", E("int", "CAST(", self.small(scope, deeper, 1000), " AS INTEGER)", bound=1000), ")")
