"""What it costs to record where data came from, as a share of what a server does for a commit.

    python Benchmarks/recording.py [--seconds 8] [--connections 64] [--json FILE]

INSERTs of ten rows into one table, while `perf` samples the server by its clock. The shares are of all samples of the server, with what is called:
making the facts of a statement, writing them into the entry of the log, and noting which column maps the log has. Samples say where processor time
goes, so that a part of some microseconds is seen beside milliseconds that vary; what serializing the entry as a whole takes is not split up.
"""

import argparse
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys

from served import inserts, machine, row, running, scratch

# Parts of mangled names: module, type, function.
PARTS = {
    "facts of a statement": "6Engine7SessionC7lineage",
    "its part of the entry": "6Engine17CarriedColumnMapsC5entry",
    "which maps the log has": "6Engine17CarriedColumnMapsC4note",
}


def shares(profile):
    """The share of each part with what it calls, in percent, and how many samples there are."""
    done = subprocess.run(
        ["perf", "report", "-i", profile, "--stdio", "--children", "--no-demangle", "-g", "none", "--percent-limit", "0", "-F", "overhead_children,sym"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    samples = re.search(r"# Samples: ([\d.]+)([KM]?)", done.stdout)
    found = dict.fromkeys(PARTS, 0.0)
    for line in done.stdout.splitlines():
        match = re.match(r"\s*([\d.]+)%\s+\S*\s*\[?.?\]?\s*(\S+)", line)
        for part, name in PARTS.items():
            # Closures and thunks in it are called by it.
            if match and name in line and not re.search(r"U\d*_|TA$", line.strip()):
                found[part] = max(found[part], float(match[1]))
    return found, f"{samples[1]}{samples[2]}" if samples else "no"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    if shutil.which("perf") is None:
        sys.exit("perf is not installed")
    print(machine())
    with scratch() as folder:
        profile = folder / "profile"
        with running(folder, settings={"queries_max": 4 * options.connections}) as server:
            server.sql("CREATE TABLE t0 (a INTEGER, b VARCHAR, c DOUBLE)")
            requests = inserts(2000)
            server.load(requests, options.connections, 2)
            perf = subprocess.Popen(["perf", "record", "-q", "-g", "-F", "2000", "-e", "cpu-clock", "-o", profile, "-p", str(server.process.pid)],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                load = server.load(requests, options.connections, options.seconds)
            finally:
                perf.send_signal(signal.SIGINT)
                perf.wait(60)
            row("INSERTs, one table", load)
        found, samples = shares(profile)
    for part, share in found.items():
        print(f"{part:34} {share:6.2f} %   {share / 100 * load['cpu_us']:7.2f} us of {load['cpu_us']:.0f} us CPU a commit")
    print(f"{'together':34} {sum(found.values()):6.2f} %   of {samples} samples")
    print(machine())
    # Sampled too little, or names that are none any more, would look like costs of nothing.
    if options.seconds >= 5:
        assert all(found[part] > 0 for part in list(PARTS)[:2]), found
    if options.json:
        options.json.write_text(json.dumps({"load": load, "shares": found}))


main()
