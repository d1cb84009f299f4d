"""Runs programs one at a time and measures them: CPU seconds, wall seconds, peak memory; and what pairs of runs say.

Everything here is of the standard library only: a child's peak memory on Linux begins with that of the process that
starts it, so the scripts that start engines import nothing big, and leave making data to processes of their own.
"""
import dataclasses
import os
import re
import statistics
import subprocess
import tempfile
import threading
import time

# Below so many seconds of a process beyond its start, a ratio would say more about the start than about the query.
SHORTEST = 0.02


class Failed(Exception):
    """A program that did not end well, with what it wrote."""


@dataclasses.dataclass(frozen=True)
class Start:
    """What starting a program and ending it again costs, in seconds."""

    cpu: float = 0.0
    wall: float = 0.0


@dataclasses.dataclass(frozen=True)
class Run:
    """What one process took: CPU and wall time in seconds, peak memory in bytes; what it wrote.

    `start` is the part of these times that passed before the query, as the program itself said, if it did.
    """

    cpu: float
    wall: float
    peak: int
    output: str = ""
    start: Start | None = None


def measured(command, environment=None, seconds=600):
    """Runs a program to its end; the kernel counts its time and memory (wait4). Failed when it fails or takes longer."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
                                   env={**os.environ, **(environment or {})})
        late = threading.Event()

        def stop():
            late.set()
            process.kill()

        timer = threading.Timer(seconds, stop)
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            timer.cancel()
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if late.is_set():
            raise Failed(f"takes longer than {seconds:g} s")
        if process.returncode != 0:
            errors.seek(0)
            raise Failed(last_line(errors.read().decode(errors="replace")) or f"ended with {process.returncode}")
        output.seek(0)
        # Of rows nobody needs more than the beginning; a bound writes one number, and an engine's child when it was ready.
        text = output.read(1000).decode(errors="replace")
        own = None
        if ready := re.match(r"ready ([0-9.]+) ([0-9.]+)\n", text):
            own = Start(float(ready[1]), float(ready[2]) - start)
        return Run(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * 1024, text, own)


def last_line(text):
    """What a program's error says in one line: a Python exception's own line, not where it came from."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [line for line in lines if line.split(":")[0].split(".")[-1].endswith(("Error", "Exception")) and ": " in line]
    return (named or lines or [""])[-1 if named else 0][:300]


def middle(values):
    return statistics.median(values)


def start_of(runs):
    """What starting costs, of runs that do nothing else; for programs that say when they are ready, what is left beside."""
    return Start(*(middle([getattr(run, place) - (getattr(run.start, place) if run.start else 0) for run in runs]) for place in ("cpu", "wall")))


def net(runs, start, repeat, place):
    """The times of a query alone, one for each run: the start is taken off, and the rest shared among the repetitions."""
    own = [getattr(run.start, place) if run.start else 0 for run in runs]
    return [(getattr(run, place) - before - getattr(start, place)) / repeat for run, before in zip(runs, own)]


@dataclasses.dataclass(frozen=True)
class Ratio:
    """Ours divided by theirs, of the runs of each round: the median, the smallest and the largest."""

    median: float
    smallest: float
    largest: float

    def __str__(self):
        return f"{self.median:.2f} [{self.smallest:.2f}-{self.largest:.2f}]"


def ratio(ours, theirs):
    """The ratio of two lists of positive numbers that belong together pair by pair."""
    each = [left / right for left, right in zip(ours, theirs)]
    return Ratio(middle(each), min(each), max(each))


def net_ratio(ours, theirs, starts, repeat, place):
    """The ratio of net times; None when one of them is too short to be told from the noise of starting."""
    left, right = (net(runs, start, repeat, place) for runs, start in zip((ours, theirs), starts))
    if min(middle(left), middle(right)) * repeat < SHORTEST:
        return None
    # A run may come out below the median of the starts; it counts as the shortest time there is.
    least = SHORTEST / repeat / 10
    return ratio([max(value, least) for value in left], [max(value, least) for value in right])
