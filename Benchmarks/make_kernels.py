"""Writes the data of kernels.py: `make_kernels.py ROWS FOLDER`: two tables as Parquet, and their columns as raw arrays for bounds.c.

The Parquet files are as cheap to read as Parquet is: plain, without compression. No value is missing, and none lets an engine
skip rows. A text column's raw form is two files, the offsets of the texts and their bytes.
"""
import pathlib
import sys

import numpy
import pyarrow
import pyarrow.compute
import pyarrow.parquet

GROUP = 122_880
WORDS = ("winter garden table river rain paint lamp soup ticket concert bicycle kitchen moon calendar running hotel recipe jacket "
         "flights piano lake birthday cake radar").split()


def raw(folder, name, values):
    if isinstance(values, pyarrow.Array):
        offsets = numpy.frombuffer(values.buffers()[1], dtype=numpy.int32, count=len(values) + 1)
        raw(folder, f"{name}.offsets", offsets)
        (folder / f"{name}.bytes.bin").write_bytes(values.buffers()[2].to_pybytes()[:offsets[-1]])
    else:
        values.tofile(folder / f"{name}.bin")


def joined(*parts):
    return pyarrow.compute.binary_join_element_wise(*parts, " ")


def write(path, table):
    pyarrow.parquet.write_table(table, path, row_group_size=GROUP, compression="none", use_dictionary=False, store_decimal_as_integer=True)


def decimals(hundredths):
    """Numbers of hundredths as decimals of two places, without a Python object for each."""
    wide = numpy.zeros((len(hundredths), 2), dtype=numpy.int64)
    wide[:, 0] = hundredths
    return pyarrow.Array.from_buffers(pyarrow.decimal128(12, 2), len(hundredths), [None, pyarrow.py_buffer(wide.tobytes())])


def main():
    rows, folder = int(float(sys.argv[1])), pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    random = numpy.random.default_rng(31)
    words, keys = pyarrow.array(WORDS), max(rows // 4, 4)

    def word():
        return words.take(pyarrow.array(random.integers(0, len(WORDS), rows)))

    numbers = pyarrow.array(random.integers(0, 1000, rows)).cast(pyarrow.string())
    places = random.integers(0, max(rows // 20, 4), rows)
    columns = {
        "i": random.integers(0, 2**31, rows).astype(numpy.int32), "few": random.integers(0, 100, rows).astype(numpy.int32),
        "many": random.integers(0, keys, rows), "x": random.random(rows), "y": random.random(rows),
        "price": random.integers(0, 10**6, rows), "t": random.integers(0, 50 * 365 * 86_400, rows) * 10**6,
        "s": joined(word(), word(), numbers, word()),
        "digits": pyarrow.array(random.integers(0, 10**9, rows)).cast(pyarrow.string()),
        "word": joined(words.take(pyarrow.array(places % len(WORDS))), pyarrow.array(places).cast(pyarrow.string())),
    }
    for name, values in columns.items():
        raw(folder, name, values)
    typed = dict(columns, t=columns["t"].astype("datetime64[us]"), price=decimals(columns["price"]))
    write(folder / "numbers.parquet", pyarrow.table(typed))
    # One key in two of those that are looked for.
    k = random.permutation(keys)[: keys // 2]
    w = random.random(len(k))
    raw(folder, "k", k)
    raw(folder, "w", w)
    write(folder / "weights.parquet", pyarrow.table({"k": k, "w": w}))


if __name__ == "__main__":
    main()
