"""What all benchmarks share: their options, the rounds in which engines alternate, and the table and file that they print."""
import argparse
import dataclasses
import json
import math
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile

import engines as known
import measure

ANSWERS = pathlib.Path(__file__).with_name("answers.py")


@dataclasses.dataclass(frozen=True)
class Query:
    """One line of a benchmark.

    `others` holds what engines that spell it differently run instead; a text that begins with `-` says why an engine has
    no part in it. `bound` is a command that does the least that this work needs, and prints its CPU seconds and the one
    number that the query gives. `rows` is how many the bound goes through.
    """

    name: str
    text: str
    others: dict = dataclasses.field(default_factory=dict)
    bound: tuple = ()
    rows: int = 0

    def text_for(self, engine):
        return self.others.get(engine, self.text)


def options(description, **defaults):
    """A parser with the options that every benchmark has; `defaults` gives them other defaults."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=5, help="runs that count of each engine")
    parser.add_argument("--repeat", type=int, default=1, help="how often a run does its query")
    parser.add_argument("--threads", default="1,2", help="numbers of threads, such as 1,2")
    parser.add_argument("--engines", default="varve,duckdb,datafusion,polars")
    parser.add_argument("--files", type=pathlib.Path, help="the folder of the data, made there when it is missing")
    parser.add_argument("--filter", default="", help="only queries whose names match this regular expression")
    parser.add_argument("--memory", help="limit the memory of engines that can be, such as 500MB")
    parser.add_argument("--seconds", type=float, default=600, help="the longest that one run may take")
    parser.add_argument("--json", type=pathlib.Path, help="write every measurement to this file")
    parser.set_defaults(**defaults)
    return parser


def folder(chosen, name):
    """Where the data of a benchmark are."""
    return (chosen or pathlib.Path(os.environ.get("TMPDIR", "/tmp"), f"varve-{name}")).resolve()


def make(*command):
    """Makes data in a process of its own, so that this one stays small."""
    subprocess.run([sys.executable, *map(str, command)], check=True)


class Suite:
    """Measures queries over tables, prints a table as it goes, and keeps every measurement."""

    def __init__(self, name, chosen, tables):
        self.name, self.chosen, self.tables = name, chosen, {name: str(file) for name, file in tables.items()}
        self.names = [name.strip() for name in chosen.engines.split(",") if name.strip()]
        if unknown := [name for name in self.names if name not in known.NAMES]:
            sys.exit(f"no engine {unknown[0]}: there are {', '.join(known.NAMES)}")
        self.limit = known.size(chosen.memory) if chosen.memory else None
        self.results, self.ratios = [], {}

    def run(self, queries):
        """Everything; gives the exit status: 1 when Varve fails or answers differently."""
        pattern = re.compile(self.chosen.filter)
        queries = [query for query in queries if pattern.search(query.name)]
        if not queries:
            sys.exit("no query has such a name")
        self.width = max([8, *(len(query.name) for query in queries)])
        self.describe()
        with tempfile.TemporaryDirectory(prefix="varve-benchmark-") as temporary:
            self.temporary = pathlib.Path(temporary)
            self.engines = known.engines(self.names, self.temporary)
            reasons = {}
            for threads in map(int, self.chosen.threads.split(",")):
                starts = self.starts(threads)
                for query in queries:
                    if query.name not in reasons:
                        reasons[query.name] = self.check(query)
                    self.line(query, threads, starts, reasons[query.name])
                self.summary(threads)
        print(f"\nload at the end {os.getloadavg()[0]:.1f}")
        if self.chosen.json:
            self.chosen.json.write_text(json.dumps({**self.description, "results": self.results}, indent=1) + "\n")
        wrong = [result for result in self.results if result["engine"] == "varve" and (result["reason"] or result["differs"])]
        return 1 if wrong else 0

    def describe(self):
        model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        versions = known.versions(self.names)
        machine = f"{model}, {os.cpu_count()} CPUs, {memory:.0f} GiB, Linux {platform.release()}"
        self.description = {"suite": self.name, "machine": machine, "load": os.getloadavg()[0], "versions": versions,
                            "options": {name: str(value) for name, value in vars(self.chosen).items()}}
        print(", ".join(f"{known.NAMES[name]} {version}" for name, version in versions.items()))
        print(f"{machine}, load {os.getloadavg()[0]:.1f}")
        print(f"{self.name}: {self.chosen.rounds} rounds" + (f", each query {self.chosen.repeat} times a run" if self.chosen.repeat > 1 else "")
              + (f", memory {self.chosen.memory}" if self.limit else ""))
        print("seconds of a run; net: of one query, without start-up; ratios of net times, Varve / the other: median [smallest-largest]\n")
        limit = f"{'/ limit':>8}" if self.limit else ""
        print(f"{'threads':>7} {'query':<{self.width}} {'engine':<10} {'CPU':>8} {'net':>8} {'wall':>8} {'net':>8} {'peak MB':>8}{limit}  "
              f"{'CPU ratio':<20} {'wall ratio':<20} peak")

    def request(self, engine, text, tables, threads, answer=None, repeat=None):
        command, environment = engine.command(text, tables, threads, self.chosen.memory, repeat or self.chosen.repeat, answer)
        return measure.measured(command, environment, self.chosen.seconds)

    def starts(self, threads):
        """What starting each engine costs, with nothing to read."""
        runs = {engine.name: [] for engine in self.engines}
        for round in range(self.chosen.rounds + 1):
            for engine in self.engines:
                try:
                    run = self.request(engine, "SELECT 1 AS one", {}, threads, repeat=1)
                except measure.Failed as failure:
                    sys.exit(f"{known.NAMES[engine.name]} does not start: {failure}")
                if round > 0:
                    runs[engine.name].append(run)
        starts = {}
        for place, (name, each) in enumerate(runs.items()):
            starts[name] = measure.start_of(each)
            cpu, wall = (measure.middle([getattr(run, place) for run in each]) for place in ("cpu", "wall"))
            print(f"{threads if place == 0 else '':>7} {'start-up' if place == 0 else '':<{self.width}} {known.NAMES[name]:<10} {cpu:8.3f} {'':8} "
                  f"{wall:8.3f} {'':8} {max(run.peak for run in each) / 1e6:8.0f}", flush=True)
            self.keep("start-up", "SELECT 1 AS one", name, threads, each)
        return starts

    def check(self, query):
        """Runs a query once in every engine (which also warms up) and compares the rows: what each engine has against it."""
        threads = max(map(int, self.chosen.threads.split(",")))
        reasons, files = {}, {}
        for engine in self.engines:
            text, path = query.text_for(engine.name), self.temporary / f"{engine.name}.arrow"
            if self.limit and engine.name in known.WITHOUT_LIMIT:
                reasons[engine.name] = "has no limit on its memory"
                continue
            if text.startswith("-"):
                reasons[engine.name] = text[1:].strip()
                continue
            try:
                self.request(engine, text, self.tables_of(query), threads, answer=path, repeat=1)
                files[engine.name] = path
            except measure.Failed as failure:
                reasons[engine.name] = str(failure)
        differs = {}
        if files:
            expected = "duckdb" if "duckdb" in files else next(iter(files))
            others = {name: file for name, file in files.items() if name != expected}
            if query.bound:
                others["bound"] = "=" + measure.measured(query.bound, seconds=self.chosen.seconds).output.split()[1]
            done = subprocess.run([sys.executable, ANSWERS, files[expected], *others.values()], capture_output=True, text=True, check=True)
            for name, line in zip(others, done.stdout.splitlines(), strict=True):
                if difference := json.loads(line):
                    differs[name] = f"answers differ from {known.NAMES[expected]}'s: {difference}"[:300]
        for path in files.values():
            path.unlink()
        return reasons, differs

    def tables_of(self, query):
        """The tables that a query names, whichever engine spells it."""
        return {name: file for name, file in self.tables.items() if re.search(rf"\b{name}\b", query.text)}

    def line(self, query, threads, starts, checked):
        """Measures a query in rounds in which the engines alternate, and prints what came out."""
        reasons, differs = checked
        runs = {engine.name: [] for engine in self.engines if engine.name not in reasons}
        bounds = []
        for round in range(self.chosen.rounds):
            # Whoever runs after another finds the machine as that one left it: each has its turn at each place.
            shift = round % len(self.engines)
            for engine in self.engines[shift:] + self.engines[:shift]:
                if engine.name in runs:
                    try:
                        runs[engine.name].append(self.request(engine, query.text_for(engine.name), self.tables_of(query), threads))
                    except measure.Failed as failure:
                        reasons[engine.name] = str(failure)
                        del runs[engine.name]
            if query.bound:
                bounds.append(float(measure.measured(query.bound, seconds=self.chosen.seconds).output.split()[0]))
        first = f"{threads:>7} {query.name:<{self.width}}"
        for engine in self.engines:
            name, each = engine.name, runs.get(engine.name)
            if not each:
                print(f"{first} {known.NAMES[name]:<10} {'-':>8} ({reasons[name]})", flush=True)
                self.keep(query.name, query.text_for(name), name, threads, [], reasons[name])
            else:
                self.print_engine(first, name, runs, starts)
                self.keep(query.name, query.text_for(name), name, threads, each, differs=differs.get(name))
                if name in differs:
                    print(f"{'':>{self.width + 8}} {'':10} {differs[name]}", flush=True)
            first = f"{'':>7} {'':<{self.width}}"
        if bounds:
            self.print_bound(query, threads, runs, starts, bounds, differs.get("bound"))

    def print_engine(self, first, name, runs, starts):
        each, repeat = runs[name], self.chosen.repeat
        values = [measure.middle([run.cpu for run in each]), measure.middle(measure.net(each, starts[name], repeat, "cpu")),
                  measure.middle([run.wall for run in each]), measure.middle(measure.net(each, starts[name], repeat, "wall"))]
        peak = max(run.peak for run in each)
        limit = f"{peak / self.limit:8.2f}" if self.limit else ""
        ratios = ""
        if name != "varve" and "varve" in runs:
            pair = (starts["varve"], starts[name])
            cpu, wall = (measure.net_ratio(runs["varve"], each, pair, repeat, place) for place in ("cpu", "wall"))
            ratios = f"  {str(cpu or 'too short'):<20} {str(wall or 'too short'):<20} {max(run.peak for run in runs['varve']) / peak:.2f}"
            if cpu:
                self.ratios.setdefault(name, []).append(cpu.median)
        print(f"{first} {known.NAMES[name]:<10} {values[0]:8.3f} {values[1]:8.3f} {values[2]:8.3f} {values[3]:8.3f} {peak / 1e6:8.0f}{limit}{ratios}", flush=True)

    def print_bound(self, query, threads, runs, starts, bounds, differs):
        ours = measure.net(runs.get("varve", []), starts["varve"], self.chosen.repeat, "cpu") if "varve" in runs else []
        text = ""
        if ours:
            long = measure.middle(ours) * self.chosen.repeat >= measure.SHORTEST and min(ours) > 0
            text = str(measure.ratio(ours, bounds)) if long else "too short"
        each = f"  {measure.middle(bounds) / query.rows * 1e9:.2f} ns a row" if query.rows else ""
        if each and ours:
            each += f", Varve {measure.middle(ours) / query.rows * 1e9:.2f}"
        print(f"{'':>{self.width + 8}} {'bound in C':<10} {'':8} {measure.middle(bounds):8.4f} {'':8} {'':8} {'':8}  {text:<20}{each}", flush=True)
        self.results.append({"query": query.name, "engine": "bound", "threads": threads, "net_cpu": bounds, "reason": None, "differs": differs})
        if differs:
            print(f"{'':>{self.width + 8}} {'':10} {differs}", flush=True)

    def keep(self, query, text, engine, threads, runs, reason=None, differs=None):
        self.results.append({"query": query, "text": text, "engine": engine, "threads": threads, "reason": reason, "differs": differs,
                             "cpu": [run.cpu for run in runs], "wall": [run.wall for run in runs], "peak": [run.peak for run in runs]})

    def summary(self, threads):
        """The geometric means of the ratios: the one mean of which it does not matter who is divided by whom."""
        for name, each in self.ratios.items():
            mean = math.exp(statistics.fmean(map(math.log, each)))
            print(f"{threads:>7} Varve / {known.NAMES[name]}, net CPU: geometric mean {mean:.2f} of {len(each)} queries, "
                  f"from {min(each):.2f} to {max(each):.2f}, above 1 in {sum(value > 1 for value in each)}, above 2 in {sum(value > 2 for value in each)}")
        self.ratios = {}
        print(flush=True)
