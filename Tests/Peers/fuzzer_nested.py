"""Random lists, structs, maps and JSON: expressions of them, and of other kinds from them."""
from fuzzer_tree import Expression as E, Mirror, Sequence

# Elements of lists stay below this, so that sums of them fit.
ELEMENT = 10**7
PATHS = ["'$.a'", "'$.b'", "'a'", "'$.l[0]'", "'/a'", "'$.l[#-1]'", "'$.none'", "'$'"]


class NestedMaker:
    """What `ExpressionMaker` makes of nested kinds: list (of int), words (a list of text), struct (of a and b), map (from text to int)."""

    # Lists of numbers.

    def element(self, scope, depth):
        """An INTEGER for a list."""
        value = self.small(scope, depth, 1000)
        return value if not value.wide else E("int", "CAST(", value, " AS INTEGER)", bound=value.bound)

    def tested(self, x):
        """A condition of an element."""
        return self.one(f"{x} > {self.chance.randint(-2, 5)}", f"{x} IS NULL", f"{x} % 2 = 0", f"{x} IN (1, 2, 3)", f"{x} IS NOT NULL AND {x} < 4", f"coalesce({x}, 0) <> 1")

    def list(self, scope, depth):
        deeper, one = depth + 1, self.one
        pick = self.chance.randint(0, 19)
        if pick <= 2:
            return E("list", "[", Sequence([self.element(scope, deeper) for _ in range(self.chance.randint(1, 4))]), "]", bound=1000)
        if pick == 3:
            low = self.chance.randint(-2, 4)
            return E("list", "CAST(", one("range(", "generate_series("), f"{low}, {low + self.chance.randint(0, 6)}", one("", ", 2"), ") AS INTEGER[])", bound=20)
        if pick == 4:
            return E("list", "list_transform(", self.words_value(scope, deeper), ", lambda ew: CAST(length(ew) AS INTEGER))", bound=10**5)
        a = self.expression("list", scope, deeper)
        bound = a.bound or 1000
        if pick == 5:
            b = self.expression("list", scope, deeper)
            return E("list", one("list_concat(", "array_cat("), a, ", ", b, ")", bound=max(bound, b.bound or 1000))
        if pick == 6:
            return E("list", "list_append(", a, ", ", self.element(scope, deeper), ")", bound=max(bound, 1000))
        if pick == 7:
            return E("list", "list_prepend(", self.element(scope, deeper), ", ", a, ")", bound=max(bound, 1000))
        if pick == 8:
            return E("list", one("list_reverse(", "array_reverse("), a, ")", bound=bound)
        if pick == 9:
            return E("list", one("list_reverse_sort(", *[f"list_sort("] * 3), a, ")", bound=bound) if self.often(0.3) else \
                E("list", "list_sort(", a, one(", 'DESC'", ", 'ASC', 'NULLS FIRST'", ", 'DESC', 'NULLS LAST'"), ")", bound=bound) if self.often(0.5) else \
                E("list", "list_sort(list_distinct(", a, "))", bound=bound)
        if pick == 10:
            low, high = self.chance.randint(-3, 3), self.chance.randint(-2, 5)
            return E("list", one(f"list_slice(", "array_slice("), a, f", {low}, {high})", bound=bound) if self.often(0.5) else E("list", "(", a, f")[{low}:{high}]", bound=bound)
        if pick == 11:
            return E("list", "list_filter(", a, ", lambda el: ", self.tested("el"), ")", bound=bound)
        if pick in (12, 13) and bound <= ELEMENT:
            other = self.element(scope, deeper)
            body = one(("el + 1", 1), ("el * 2", bound), ("-el", 0), ("el % 3", 0), ("coalesce(el, 7)", 7), ("CASE WHEN el > 1 THEN el ELSE 0 END", 0))
            if self.often(0.4):
                return E("list", "list_transform(", a, ", lambda el: el + ", other, ")", bound=bound + 1000)
            return E("list", "list_transform(", a, f", lambda el: {body[0]})", bound=bound + body[1])
        if pick == 14:
            return E("list", "list_resize(", a, f", {self.chance.randint(0, 5)}{one('', ', 9')})", bound=max(bound, 9))
        if pick == 15:
            b = self.expression("list", scope, deeper)
            return E("list", "list_sort(list_intersect(", a, ", ", b, "))", bound=bound)
        if pick == 16:
            return E("list", "list_select(", a, ", [1, 3, 2])", bound=bound)
        if pick == 17:
            return E("list", "[el", one("", " + 1"), " FOR el IN (", a, ")", one("", " IF el > 0", " IF el IS NOT NULL"), "]", bound=bound + 1)
        if pick == 18:
            return E("list", "map_values(", self.expression("map", scope, deeper), ")", bound=1000)
        b = self.expression("list", scope, deeper)
        return E("list", "flatten([", a, ", ", b, "])", bound=max(bound, b.bound or 1000))

    # Lists of texts.

    def words_value(self, scope, depth):
        return self.expression("words", scope, depth)

    def words(self, scope, depth):
        deeper, one = depth + 1, self.one
        pick = self.chance.randint(0, 8)
        if pick <= 1:
            return E("words", "[", Sequence([self.text_value(scope, deeper) for _ in range(self.chance.randint(1, 3))]), "]")
        if pick <= 3:
            return E("words", one("string_split(", "str_split("), self.text_value(scope, deeper), one(", ',')", ", ' ')", ", 'a')"))
        if pick == 4:
            return E("words", "regexp_extract_all(", self.text_value(scope, deeper), one(", '[a-z]+')", ", '[0-9]')"))
        if pick == 5:
            return E("words", "list_transform(", self.words_value(scope, deeper), ", lambda ew: ", one("concat(ew, '!')", "left(ew, 2)", "nullif(ew, '')"), ")")
        if pick == 6:
            return E("words", "map_keys(", self.expression("map", scope, deeper), ")")
        if pick == 7:
            return E("words", "list_sort(", self.words_value(scope, deeper), ")")
        return E("words", "list_filter(", self.words_value(scope, deeper), ", lambda ew: ew ", one("<> ''", "LIKE '%a%'", "IS NOT NULL"), ")")

    # Structs and maps.

    def struct(self, scope, depth):
        deeper = depth + 1
        a, b = self.element(scope, deeper), self.text_value(scope, deeper)
        if self.often(0.7):
            return E("struct", "{'a': ", a, ", 'b': ", b, "}")
        return E("struct", "struct_pack(a := ", a, ", b := ", b, ")")

    def map(self, scope, depth):
        deeper, one = depth + 1, self.one
        pick = self.chance.randint(0, 3)
        if pick <= 1:
            names = self.chance.sample(["'a'", "'b'", "'red'", "''", "'日本'"], self.chance.randint(1, 3))
            parts = [f"{name}: " for name in names]
            return E("map", "MAP {", Sequence([E("none", part, self.element(scope, deeper)) for part in parts]), "}")
        if pick == 2:
            return E("map", "map(['a', 'b'], [", self.element(scope, deeper), ", ", self.element(scope, deeper), "])")
        return E("map", "map_concat(", self.expression("map", scope, deeper), ", ", self.expression("map", scope, deeper), ")")

    # Other kinds from them.

    def int_of_nested(self, scope, depth):
        deeper, one = depth + 1, self.one
        pick = self.chance.randint(0, 11)
        if pick == 0:
            return E("int", one("len(", "array_length(", "length("), self.expression(one("list", "words"), scope, deeper), ")", bound=10**4, wide=True)
        if pick == 1:
            return E("int", "struct_extract(", self.expression("struct", scope, deeper), ", 'a')", bound=1000) if self.often(0.5) else \
                E("int", "(", self.expression("struct", scope, deeper), ").a", bound=1000)
        if pick == 2:
            return E("int", "CAST(cardinality(", self.expression("map", scope, deeper), ") AS BIGINT)", bound=10, wide=True)
        if pick == 3:
            return E("int", "(", self.expression("map", scope, deeper), ")[", one("'a'", "'b'", self.text_value(scope, deeper)), "]", bound=1000)
        if pick == 4:
            return E("int", "CAST(json_array_length(", self.json(scope, deeper), one("", ", '$.l'"), ") AS BIGINT)", bound=100, wide=True)
        a = self.expression("list", scope, deeper)
        bound = a.bound or 1000
        if pick == 5:
            place = one(str(self.chance.randint(-3, 4)), self.element(scope, deeper))
            return E("int", "(", a, ")[", place, "]", bound=bound)
        if pick == 6:
            return E("int", one("list_position(", "list_indexof("), a, ", ", self.element(scope, deeper), ")", bound=10**4)
        if pick == 7:
            return E("int", "CAST(list_sum(", a, ") AS BIGINT)", bound=bound * 100, wide=True)
        if pick == 8:
            return E("int", one("list_min(", "list_max("), a, ")", bound=bound)
        if pick == 9:
            return E("int", one("CAST(list_count(", "CAST(list_unique("), a, ") AS BIGINT)", bound=10**4, wide=True)
        if pick == 10:
            return E("int", "list_aggregate(", a, one(", 'min')", ", 'max')", ", 'bit_xor')", ", 'count')"), bound=2**31, wide=True)
        # NULL as the first value is not what both take.
        return E("int", "list_reduce(list_prepend(0, ", a, "), lambda el, em: ", one("el + coalesce(em, 1)", "greatest(el, em)", "CASE WHEN em > el THEN em ELSE el END"), ")", bound=bound * 100, wide=True)

    def text_of_nested(self, scope, depth):
        deeper, one = depth + 1, self.one
        pick = self.chance.randint(0, 10)
        if pick <= 1:
            kind = one("list", "words", "struct", "map")
            return E("text", "CAST(", self.expression(kind, scope, deeper), " AS VARCHAR)")
        if pick == 2:
            return E("text", one("array_to_string(", "list_aggregate("), self.words_value(scope, deeper), one(", ',')", ", '')")) if self.often(0) else \
                E("text", "array_to_string(", self.expression(one("words", "list"), scope, deeper), one(", ',')", ", '')", ", ' - ')"))
        if pick == 3:
            return E("text", "(", self.words_value(scope, deeper), f")[{self.chance.randint(-2, 3)}]")
        if pick == 4:
            return E("text", "(", self.expression("struct", scope, deeper), ").b")
        if pick == 5:
            return E("text", "list_aggregate(", self.words_value(scope, deeper), one(", 'min')", ", 'max')", ", 'string_agg', '|')"))
        if pick == 6:
            return E("text", "CAST(to_json(", self.expression(one("list", "struct", "words", "text", "int", "map"), scope, deeper), ") AS VARCHAR)")
        if pick == 7:
            return E("text", "json_extract_string(", self.json(scope, deeper), ", ", one(*PATHS), ")")
        if pick == 8:
            return E("text", "CAST(json_extract(", self.json(scope, deeper), ", ", one(*PATHS), ") AS VARCHAR)")
        if pick == 9:
            return E("text", "json_type(", self.json(scope, deeper), one("", ", '$.a'", ", '$.l'"), ")")
        return E("text", "(", self.json(scope, deeper), one(" ->> ", " ->> "), one("'a'", "'$.b'", "'$.l[1]'"), ")")

    def json(self, scope, depth):
        """A JSON object of three values."""
        deeper = depth + 1
        if self.often(0.3):
            return E("text", self.one("""'{"a": 1, "b": "x", "l": [1, 2, null]}'::JSON""", """'{"a": {"c": [true, 1.5]}, "b": null}'::JSON""", "'[1, \"é\", {}]'::JSON", "'7'::JSON"))
        return E("text", "json_object('a', ", self.element(scope, deeper), ", 'b', ", self.text_value(scope, deeper), ", 'l', ", self.expression("list", scope, deeper), ")")

    def boolean_of_nested(self, scope, depth):
        deeper, one = depth + 1, self.one
        pick = self.chance.randint(0, 11)
        if pick == 10:
            return E("boolean", "(", self.element(scope, deeper), one(" = ANY(", " <> ALL(", " < ANY(", " >= ALL(", " IN list_reverse(", " NOT IN list_reverse("), self.expression("list", scope, deeper), "))")
        if pick == 11:
            return E("boolean", "(", self.text_value(scope, deeper), one(" = ANY(", " IN list_reverse(", " NOT IN list_reverse("), self.words_value(scope, deeper), "))")
        if pick == 0:
            return E("boolean", one("list_contains(", "list_has("), self.expression("list", scope, deeper), ", ", self.element(scope, deeper), ")")
        if pick == 1:
            return E("boolean", one("list_has_any(", "list_has_all("), self.expression("list", scope, deeper), ", ", self.expression("list", scope, deeper), ")")
        if pick == 2:
            return E("boolean", "list_contains(", self.words_value(scope, deeper), ", ", self.text_value(scope, deeper), ")")
        if pick == 3:
            return E("boolean", "json_valid(", self.text_value(scope, deeper), ")")
        if pick == 4:
            return E("boolean", "json_exists(", self.json(scope, deeper), ", ", one(*PATHS), ")")
        if pick == 5:
            return E("boolean", "map_contains(", self.expression("map", scope, deeper), ", ", one("'a'", "'b'", self.text_value(scope, deeper)), ")")
        if pick == 6:
            return E("boolean", self.one("list_bool_and(", "list_bool_or("), "list_transform(", self.expression("list", scope, deeper), ", lambda el: ", self.tested("el"), "))")
        kind = one("list", "struct", "words", "list")
        return E("boolean", "(", self.expression(kind, scope, deeper), one(" = ", " <> ", " < ", " >= ", " IS DISTINCT FROM ", " IS NOT DISTINCT FROM "), self.expression(kind, scope, deeper), ")")

    # Aggregates into nested values.

    def nested_aggregate(self, scope, more):
        """list, histogram and their like, of values in an order that decides everything."""
        one = self.one
        pick = self.chance.randint(0, 4)
        if pick == 0:
            value = self.element(scope, 1)
            return E("list", "list(", value, " ORDER BY ", Mirror(value), one("", " DESC", " NULLS FIRST"), ")", more, bound=1000)
        if pick == 1:
            value = self.text_value(scope, 1)
            return E("words", "array_agg(", value, " ORDER BY ", Mirror(value), one("", " DESC", " NULLS FIRST"), ")", more)
        if pick == 2:
            return E("int", "len(list(", self.expression(one("list", "struct", "text"), scope, 1), ")", more, ")", bound=10**5, wide=True)
        if pick == 3:
            return E("text", "CAST(histogram(", self.expression(one("text", "int", "boolean", "date"), scope, 1), ")", more, " AS VARCHAR)")
        value = self.expression("list", scope, 1)
        return E("list", one("min(", "max("), value, ")", more, bound=value.bound or 1000)
