import Columnar
import Foundation
import Parquet
import TestSupport
import Testing

/// Ways to write that together reach every branch of the writer.
let writeVariants: [(name: String, options: ParquetWriteOptions)] = {
    func made(_ change: (inout ParquetWriteOptions) -> Void) -> ParquetWriteOptions {
        var options = ParquetWriteOptions()
        change(&options)
        return options
    }
    return [
        ("default", made { _ in }),
        (
            "small_v2",
            made {
                $0.usesDataPageV2 = true
                $0.pageRowCountMax = 700
                $0.rowGroupRowCountMax = 2500
                $0.compression = .snappy
            }
        ),
        (
            "fallback",
            made {
                $0.dictionaryByteCountMax = 2000
                $0.pageRowCountMax = 300
                $0.compression = .gzip
                $0.keyValues = [KeyValue(key: "note", value: "ü")]
            }
        ),
        (
            "delta",
            made {
                $0.usesDictionaries = false
                $0.numberEncoding = .delta
                $0.compression = .lz4Raw
                $0.pageRowCountMax = 1111
            }
        ),
        (
            "split",
            made {
                $0.usesDictionaries = false
                $0.numberEncoding = .byteStreamSplit
                $0.compression = .uncompressed
                $0.pageByteCountMax = 3000
                $0.writesChecksums = false
                $0.writesPageIndex = false
            }
        ),
        (
            "tiny_groups",
            made {
                $0.rowGroupByteCountMax = 50_000
                $0.pageRowCountMax = 64
                $0.boundByteCountMax = 4
                $0.usesDataPageV2 = true
                $0.compression = .uncompressed
            }
        ),
    ]
}()

@Suite("ParquetWriter")
struct ParquetWriterTests {
    @Test("what is written is read again, whatever the options", arguments: writeVariants.indices)
    func roundTrip(variant: Int) throws {
        let (name, options) = writeVariants[variant]
        for seed in 0..<2 as Range<UInt64> {
            let rows = RandomRows(flatTypes, rowCount: 5000, seed: seed)
            let (bytes, summary) = try written(
                rows.batches(seed: seed),
                schema: rows.schema,
                options: options
            )
            #expect(summary.fileByteCount == bytes.count)
            #expect(summary.rowCount == 5000)
            let file = try LoadedFile(bytes)
            #expect(try file.metadata.schema.fields() == rows.schema)
            #expect(summary.splitOffsets.count == file.metadata.rowGroups.count)
            for (index, expected) in rows.columns.enumerated() {
                let actual = try file.values(column: index, batch: 1000)
                #expect(actual.count == expected.count)
                let difference = zip(expected, actual).enumerated()
                    .first { !same($0.element.0, $0.element.1) }
                if let difference {
                    Issue.record(
                        "\(name) seed \(seed) \(rows.schema[index]): row \(difference.offset): \(difference.element)"
                    )
                }
                checkSummary(summary.columns[index], rows.schema[index], expected)
            }
        }
    }

    private func checkSummary(
        _ summary: ParquetWriteSummary.ColumnSummary,
        _ field: Field,
        _ values: [Value]
    ) {
        #expect(summary.fieldID == field.id)
        #expect(summary.valueCount == values.count)
        #expect(summary.nullCount == values.count { $0.isNull })
        let numbers = values.filter { !$0.isNull }
        let nanCount = numbers.count { canonical($0) == "nan" }
        if field.type.isFloating { #expect(summary.nanCount == nanCount) }
        let ordered = numbers.filter { canonical($0) != "nan" }
        guard let lower = summary.lowerBound, let upper = summary.upperBound else {
            #expect(ordered.isEmpty)
            return
        }
        for value in ordered {
            #expect(!precedes(value, lower), "\(field): \(value) before \(lower)")
            #expect(!precedes(upper, value), "\(field): \(value) behind \(upper)")
        }
        #expect(ordered.contains { !precedes(lower, $0) && !precedes($0, lower) })
        #expect(ordered.contains { !precedes(upper, $0) && !precedes($0, upper) })
    }

    @Test("an empty file has its schema and no rows")
    func empty() throws {
        let rows = RandomRows(flatTypes + nestedTypes, rowCount: 0, seed: 1)
        let (bytes, summary) = try written([], schema: rows.schema, options: ParquetWriteOptions())
        let file = try LoadedFile(bytes)
        #expect(summary.rowCount == 0)
        #expect(file.metadata.rowGroups.isEmpty)
        #expect(file.metadata.schema.columns.count == rows.schema.count)
    }

    @Test("nulls in a required column are refused")
    func requiredNull() throws {
        let schema = Schema([Field("x", .int32, isNullable: false)])
        let writer = try ParquetWriter(schema: schema)
        let column = Column(.int32, [.int32(1), .null])
        #expect(throws: ParquetError.self) {
            try writer.write(RecordBatch(schema: schema, columns: [column], rowCount: 2))
        }
    }

    @Test(
        "pyarrow, DuckDB and Polars read what is written",
        .enabled(if: python != nil, "needs VARVE_PYTHON or .venv with pyarrow, duckdb and polars")
    )
    func oracle() throws {
        try withTemporaryFolder { folder in
            for (name, options) in writeVariants {
                for (kind, types) in [("flat", flatTypes), ("nested", nestedTypes)] {
                    let rows = RandomRows(types, rowCount: 3000, seed: 11)
                    let (bytes, _) = try written(
                        rows.batches(seed: 3),
                        schema: rows.schema,
                        options: options
                    )
                    let base = folder.appendingPathComponent("\(kind)_\(name).parquet")
                    try Data(bytes).write(to: base)
                    var text = ""
                    for (field, values) in zip(rows.schema.fields, rows.columns) {
                        text += "\(field.name)\tvalues\t\(values.count)\n"
                        text += values.map(canonical).joined(separator: "\n") + "\n"
                    }
                    try text.write(
                        to: base.appendingPathExtension("txt"),
                        atomically: true,
                        encoding: .utf8
                    )
                }
            }
            let output = try runOracle("verify.py", [folder.path])
            #expect(output == "all equal\n")
        }
    }
}

/// The order of two values of one type, as Parquet's statistics have it.
func precedes(_ a: Value, _ b: Value) -> Bool {
    switch (a, b) {
    case (.boolean(let a), .boolean(let b)): !a && b
    case (.int32(let a), .int32(let b)), (.date(let a), .date(let b)): a < b
    case (.int64(let a), .int64(let b)), (.time(let a), .time(let b)),
        (.timestamp(let a), .timestamp(let b)), (.timestamptz(let a), .timestamptz(let b)):
        a < b
    case (.float32(let a), .float32(let b)): a < b
    case (.float64(let a), .float64(let b)): a < b
    case (.decimal(let a), .decimal(let b)), (.uuid(let a), .uuid(let b)): a < b
    case (.string(let a), .string(let b)): a.utf8.lexicographicallyPrecedes(b.utf8)
    case (.binary(let a), .binary(let b)), (.fixed(let a), .fixed(let b)):
        a.lexicographicallyPrecedes(b)
    default: false
    }
}
