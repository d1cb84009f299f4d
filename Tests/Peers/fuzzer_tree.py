"""The trees of random queries: they know their text, and how they may be made smaller."""
import copy


class Node:
    """A piece of SQL: strings and further nodes, in order."""

    def __init__(self, *parts):
        self.parts = list(parts)

    def __str__(self):
        return "".join(str(part) for part in self.parts)

    def nodes(self):
        """Itself and all below, outermost first."""
        yield self
        for part in self.parts:
            if isinstance(part, Node):
                yield from part.nodes()

    def copy(self):
        return copy.deepcopy(self)

    def smaller(self):
        """Functions that make it smaller in place, each with one that undoes it."""
        return []

    def setting(self, name, value):
        """A change of one attribute and its undoing."""
        old = getattr(self, name)
        return (lambda: setattr(self, name, value)), (lambda: setattr(self, name, old))


class Expression(Node):
    """A value of a kind: boolean, int, double, real, decimal, text, date, time, timestamp, instant, blob, uuid, interval.

    `bound` is the greatest magnitude that an int, a double or a decimal may have, `wide` says that an int is a BIGINT, `scale` counts a decimal's digits behind
    the point. `inexact` values depend on the order of summation: they may be shown, but never decide anything.
    """

    def __init__(self, kind, *parts, bound=None, wide=False, scale=0, inexact=False):
        super().__init__(*parts)
        self.kind, self.bound, self.wide, self.scale, self.inexact = kind, bound, wide, scale, inexact

    def smaller(self):
        below = [node for node in self.nodes() if node is not self and isinstance(node, Expression) and node.kind == self.kind]
        changes = [self.setting("parts", [node]) for node in below[:12]]
        if self.kind == "none":
            return []
        if any(isinstance(part, Node) for part in self.parts) or len(str(self)) > len(plainest(self.kind)):
            changes.append(self.setting("parts", [plainest(self.kind)]))
            changes.append(self.setting("parts", [f"CAST(NULL AS {NAMES[self.kind]})"]))
        return changes


NAMES = {"boolean": "BOOLEAN", "int": "INTEGER", "double": "DOUBLE", "real": "REAL", "decimal": "DECIMAL(9, 2)", "text": "VARCHAR", "date": "DATE", "time": "TIME",
         "timestamp": "TIMESTAMP", "instant": "TIMESTAMPTZ", "blob": "BLOB", "uuid": "UUID", "interval": "INTERVAL", "list": "INTEGER[]", "struct": "STRUCT(a INTEGER, b VARCHAR)",
         "words": "VARCHAR[]", "map": "MAP(VARCHAR, INTEGER)", "none": "INTEGER"}


def plainest(kind):
    return {"boolean": "TRUE", "int": "1", "double": "1e0", "real": "1e0::REAL", "decimal": "1.5", "text": "'a'", "date": "DATE '2000-01-01'",
            "time": "TIME '12:00:00'", "timestamp": "TIMESTAMP '2000-01-01 00:00:00'", "instant": "TIMESTAMPTZ '2000-01-01 00:00:00+00'",
            "blob": "'a'::BLOB", "uuid": "'00000000-0000-0000-0000-000000000001'::UUID", "interval": "INTERVAL 1 DAY", "list": "[1, 2]", "struct": "{'a': 1, 'b': 'x'}",
            "words": "['a']", "map": "MAP {'a': 1}", "none": "1"}[kind]


class Mirror(Node):
    """The text of another node, which stays the same when that becomes smaller."""

    def __init__(self, node):
        super().__init__()
        self.node = node

    def __str__(self):
        return str(self.node)


class Optional(Node):
    """A clause that a query need not have."""

    def smaller(self):
        return [self.setting("parts", [])] if self.parts else []


class Choice(Node):
    """One way to say something, and simpler ones."""

    def __init__(self, first, *others):
        super().__init__(first)
        self.others = others

    def smaller(self):
        return [self.setting("parts", [other]) for other in self.others if [other] != self.parts]


class Sequence(Node):
    """Parts between separators, of which all but some may go."""

    def __init__(self, parts, separator=", ", minimum=1):
        super().__init__(*parts)
        self.separator, self.minimum = separator, minimum

    def __str__(self):
        return self.separator.join(str(part) for part in self.parts)

    def smaller(self):
        if len(self.parts) <= self.minimum:
            return []
        return [self.setting("parts", self.parts[:place] + self.parts[place + 1:]) for place in range(len(self.parts))]


class Item(Node):
    """An expression of a SELECT list under a name."""

    def __init__(self, expression, name):
        super().__init__(expression, f" AS {name}")
        self.expression, self.name = expression, name


class TotalOrder(Node):
    """ORDER BY every column of a list, so that only equal rows may change places."""

    def __init__(self, items, directions, rest=""):
        super().__init__()
        self.items, self.directions, self.rest = items, directions, rest

    def __str__(self):
        names = {item.name for item in self.items.parts}
        ordered = [f"{name} {direction}".strip() for name, direction in self.directions if name in names]
        return f" ORDER BY {', '.join(ordered)}{self.rest}"

    def smaller(self):
        plain = [(name, "") for name, _ in self.directions]
        return [self.setting("directions", plain)] if plain != self.directions else []


class Query(Node):
    """Something that gives rows; its columns are the names and kinds that a FROM around it sees."""

    def __init__(self, *parts, columns=(), items=None):
        super().__init__(*parts)
        self.columns, self.items = list(columns), items

    def smaller(self):
        return [self.setting("parts", [node]) for node in self.nodes() if node is not self and isinstance(node, Query)]


def minimised(tree, still_fails, attempts=1500):
    """Makes a tree as small as it gets while a test of its text says that it still fails in the same way."""
    best, tried = str(tree), set()
    progress = True
    while progress and attempts > 0:
        progress = False
        for node in list(tree.nodes()):
            for change, undo in node.smaller():
                change()
                text = str(tree)
                if len(text) >= len(best) or text in tried or attempts <= 0:
                    undo()
                    continue
                tried.add(text)
                attempts -= 1
                if still_fails(text):
                    best, progress = text, True
                    break
                undo()
            if progress:
                break
    return best
