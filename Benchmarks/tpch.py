#!/usr/bin/env python3
"""The 22 queries of TPC-H over Parquet files, in Varve, DuckDB, DataFusion and Polars.

Usage: tpch.py [--scale 1|10] [--filter 'Q(1|6)$'] and the options that all benchmarks have (README.md).
"""
import subprocess
import sys
import pathlib

import suite
from engines import SHARED

TABLES = ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"]


def main():
    parser = suite.options(__doc__)
    parser.add_argument("--scale", default="1", help="the scale factor: 1 are 6 million rows in lineitem")
    chosen = parser.parse_args()
    files = suite.folder(chosen.files, f"tpch-{chosen.scale}")
    tables = {table: files / f"{table}.parquet" for table in TABLES}
    if not all(path.exists() for path in tables.values()):
        generator = pathlib.Path(sys.executable).with_name("tpchgen-cli")
        subprocess.run([generator, "parquet", "-s", chosen.scale, "-o", files], check=True, stdout=subprocess.DEVNULL)
    texts = SHARED / "corpora/tpch/queries"
    if not texts.exists():
        sys.exit(f"the queries are not in {texts}: set VARVE_SHARED")
    queries = [suite.Query(f"Q{number}", (texts / f"q{number:02}.sql").read_text().strip().rstrip(";")) for number in range(1, 23)]
    return suite.Suite(f"TPC-H scale {chosen.scale}", chosen, tables).run(queries)


if __name__ == "__main__":
    sys.exit(main())
