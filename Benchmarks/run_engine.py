"""One query in one engine, as a program of its own: `run_engine.py REQUEST`, where REQUEST is the JSON that engines.py makes.

Every engine reads the Parquet files itself, lazily, and hands its rows over in the cheapest form it has. With "answer"
the rows are written to that path as an Arrow stream. Imports stand where they are needed, because they are measured:
when an engine is ready, the program writes what it has used until then, CPU seconds and the clock.
"""
import json
import sys
import time


def ready():
    print("ready", time.process_time(), time.perf_counter(), flush=True)


def duckdb(request):
    import duckdb

    connection = duckdb.connect(config={"threads": request["threads"]})
    connection.execute("SET TimeZone = 'UTC'")
    if request["memory"]:
        connection.execute(f"SET memory_limit = '{request['memory']}B'")
    ready()
    for name, file in request["tables"].items():
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{file}')")
    for _ in range(request["repeat"]):
        result = connection.execute(request["text"])
        if not request["answer"]:
            result.fetchall()
    return lambda: result.to_arrow_table()


def datafusion(request):
    from datafusion import RuntimeEnvBuilder, SessionConfig, SessionContext

    runtime = RuntimeEnvBuilder().with_disk_manager_os()
    if request["memory"]:
        runtime = runtime.with_fair_spill_pool(request["memory"])
    context = SessionContext(SessionConfig().with_target_partitions(request["threads"]), runtime)
    ready()
    for name, file in request["tables"].items():
        context.register_parquet(name, file)
    for _ in range(request["repeat"]):
        frame = context.sql(request["text"])
        batches = frame.collect()

    def table():
        import pyarrow

        return pyarrow.Table.from_batches(batches, schema=None if batches else frame.schema())

    return table


def polars(request):
    import polars

    ready()
    context = polars.SQLContext({name: polars.scan_parquet(file) for name, file in request["tables"].items()})
    for _ in range(request["repeat"]):
        frame = context.execute(request["text"], eager=False).collect()
    return lambda: frame.to_arrow()


def pyarrow(request):
    """Not SQL: the text is an aggregate, the name of the column that it is taken of, and what that is compared with."""
    import pyarrow.compute
    import pyarrow.parquet

    pyarrow.set_cpu_count(request["threads"])
    pyarrow.set_io_thread_count(request["threads"])
    ready()
    if not request["tables"]:
        return None
    aggregate, column, *limit = request["text"].split()
    [file] = request["tables"].values()
    for _ in range(request["repeat"]):
        # Not read_table, which brings pandas along.
        values = pyarrow.parquet.ParquetFile(file).read(columns=[column], use_threads=request["threads"] > 1)[column]
        if aggregate == "lengths":
            value = pyarrow.compute.sum(pyarrow.compute.binary_length(values))
        elif aggregate == "sum":
            value = pyarrow.compute.sum(values)
        elif aggregate == "after":
            value = pyarrow.compute.sum(pyarrow.compute.greater(values, pyarrow.scalar(limit[0]).cast(values.type)))
        else:
            raise ValueError(f"no aggregate {aggregate}")
    return lambda: pyarrow.table({"value": [value.as_py()]})


def main():
    request = json.loads(sys.argv[1])
    table = {"duckdb": duckdb, "datafusion": datafusion, "polars": polars, "pyarrow": pyarrow}[request["engine"]](request)
    if request["answer"]:
        from pyarrow import ipc

        rows = table()
        with ipc.new_stream(request["answer"], rows.schema) as stream:
            stream.write_table(rows)


if __name__ == "__main__":
    main()
