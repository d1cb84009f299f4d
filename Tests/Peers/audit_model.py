"""What tests of audits share: a history at random with a model of it, the reports, and pages taken apart."""
import html.parser
import json
import random
import re

from support import Varve


def explain(varve, table, *arguments):
    done = varve.run("audit", "explain", table, "--format", "json", *arguments)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def refused(varve, *arguments, status=1):
    done = varve.run(*arguments)
    assert done.returncode == status, done.stdout.decode() + done.stderr.decode()
    return done.stderr.decode()


def full_log(varve, *arguments, command=("audit", "log")):
    done = varve.run(*command, "--full", "--limit", "100000", *arguments)
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def position_of(lines):
    found = re.findall(r"log position (\d+)", "\n".join(lines))
    return int(found[-1]) if found else None


class Model:
    """A table's rows by id, each with its value and the position of the commit that wrote it."""

    def __init__(self):
        self.rows = {}

    def copy(self):
        other = Model()
        other.rows = dict(self.rows)
        return other

    def writers(self):
        return {id: written for id, (_, written) in self.rows.items()}


class History:
    """A table, what was done to it, and what that must have left."""

    ACTORS = ["alice", "bob", "carol"]

    def __init__(self, folder, seed, version):
        self.random = random.Random(f"{seed} {version}")
        self.lake = str(folder / "lake")
        self.version, self.name, self.next_id, self.next_value = version, "t", 0, 0
        self.actor_of = {}
        # By place: None is main, else a branch of the catalog.
        self.models = {None: Model()}
        # What was there: place, name, position, model.
        self.past = []
        self.execute(f"CREATE TABLE t (id BIGINT, v BIGINT, s VARCHAR) TBLPROPERTIES ('format-version' = '{version}')")

    def varve(self, actor="nobody"):
        return Varve(self.lake, {"USER": actor})

    def execute(self, text, place=None):
        actor = self.random.choice(self.ACTORS)
        arguments = ["--branch", place] if place else []
        done = self.varve(actor).sql(text, *arguments, format="table")
        position = position_of(done.stderr.decode().splitlines())
        if position:
            self.actor_of[position] = actor
        return position

    def values(self, count):
        rows = []
        for _ in range(count):
            self.next_id += 1
            self.next_value += 1
            rows.append((self.next_id, self.next_value))
        return rows

    def insert(self, place):
        rows = self.values(self.random.randint(1, 4))
        text = ", ".join(f"({id}, {value}, 'row {id}')" for id, value in rows)
        position = self.execute(f"INSERT INTO {self.name} (id, v, s) VALUES {text}", place)
        for id, value in rows:
            self.models[place].rows[id] = (value, position)

    def chosen(self, place):
        modulus = self.random.randint(2, 5)
        rest = self.random.randrange(modulus)
        ids = [id for id in self.models[place].rows if id % modulus == rest]
        return f"id % {modulus} = {rest}", ids

    def update(self, place):
        condition, ids = self.chosen(place)
        self.next_value += 1000
        step = self.next_value
        position = self.execute(f"UPDATE {self.name} SET v = v + {step} WHERE {condition}", place)
        for id in ids:
            self.models[place].rows[id] = (self.models[place].rows[id][0] + step, position)

    def touch(self, place):
        """Writes rows anew as they are: nothing has changed, unless row lineage notes that they were updated."""
        condition, ids = self.chosen(place)
        position = self.execute(f"UPDATE {self.name} SET v = v WHERE {condition}", place)
        if self.version == 3:
            for id in ids:
                self.models[place].rows[id] = (self.models[place].rows[id][0], position)

    def delete(self, place):
        condition, ids = self.chosen(place)
        self.execute(f"DELETE FROM {self.name} WHERE {condition}", place)
        for id in ids:
            del self.models[place].rows[id]

    def merge(self, place):
        known = self.random.sample(sorted(self.models[place].rows), min(2, len(self.models[place].rows)))
        fresh = self.values(2)
        self.next_value += 1000
        rows = [(id, self.next_value + id) for id in known] + fresh
        text = ", ".join(f"({id}, {value})" for id, value in rows)
        position = self.execute(
            f"MERGE INTO {self.name} USING (VALUES {text}) AS src(id, v) ON {self.name}.id = src.id "
            "WHEN MATCHED THEN UPDATE SET v = src.v WHEN NOT MATCHED THEN INSERT (id, v, s) VALUES (src.id, src.v, 'merged')",
            place)
        for id, value in rows:
            self.models[place].rows[id] = (value, position)

    def compact(self, place):
        arguments = ["--branch", place] if place else []
        done = self.varve("carol").run("maintain", self.name, "--compact", *arguments)
        assert done.returncode == 0, done.stderr.decode()

    def rename(self, place):
        if len(self.models) > 1:
            return
        other = "u" if self.name == "t" else "t"
        self.execute(f"ALTER TABLE {self.name} RENAME TO {other}")
        self.name = other

    def add_column(self, place):
        if len(self.models) > 1:
            return
        self.next_value += 1
        self.execute(f"ALTER TABLE {self.name} ADD COLUMN c{self.next_value} VARCHAR")

    def step(self):
        place = self.random.choice(list(self.models))
        actions = [self.insert] * 4 + [self.update] * 3 + [self.delete] * 2 + [self.merge] * 3 + [
            self.touch, self.compact, self.rename, self.add_column]
        self.random.choice(actions)(place)
        position = self.varve().value("SELECT max(position) FROM varve.log")
        self.past.append((place, self.name, position, self.models[place].copy()))

    def check(self, place, name, model, *arguments):
        if place:
            arguments += ("--branch", place)
        report = explain(self.varve(), name, "--where", "TRUE", "--limit", "10000", *arguments)
        rows, commits = report["rows"], {commit["id"]: commit for commit in report["commits"]}
        assert rows["count"] == rows["listed"] == len(model.rows)
        found = {}
        for row in rows["list"]:
            assert row["certain"], row
            [writer] = row["written-by"]
            found[row["values"]["id"]] = commits[writer]["position"]
            assert commits[writer]["actor"] == self.actor_of[commits[writer]["position"]]
            assert "wrote" in commits[writer]["roles"]
            assert row["values"]["v"] == model.rows[row["values"]["id"]][0]
        assert found == model.writers()
        assert sum(commit["rows-held"] for commit in report["commits"]) == len(model.rows)
        if self.version == 3:
            ids = [row["row-id"] for row in rows["list"]]
            assert None not in ids and len(set(ids)) == len(ids)
            assert {row["evidence"] for row in rows["list"]} <= {"added", "row-lineage"}
        else:
            assert {row["row-id"] for row in rows["list"]} <= {None}
        return report


class Page(html.parser.HTMLParser):
    """The elements and texts of a page; every element must be closed in order."""

    VOID = {"meta"}

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.stack, self.tags, self.texts = [], set(), []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        assert all(not name.startswith("on") for name, _ in attributes)
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if not self.stack or self.stack[-1] != "style":
            self.texts.append(data)
