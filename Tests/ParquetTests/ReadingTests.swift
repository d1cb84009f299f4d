import Columnar
import Foundation
import Parquet
import TestSupport
import Testing

@Suite("ColumnChunkReader")
struct ReadingTests {
    @Test("nested columns are read as they were written", arguments: writeVariants.indices)
    func nestedRoundTrip(variant: Int) throws {
        let rows = RandomRows(nestedTypes, rowCount: 3000, seed: 5)
        let (bytes, _) = try written(
            rows.batches(seed: 2),
            schema: rows.schema,
            options: writeVariants[variant].options
        )
        let file = try LoadedFile(bytes)
        #expect(try file.metadata.schema.fields() == rows.schema)
        for (index, expected) in rows.columns.enumerated() {
            for batch in [1000, 17] {
                let actual = try file.values(column: index, batch: batch)
                #expect(
                    expected.count == actual.count
                        && zip(expected, actual).allSatisfy { same($0, $1) },
                    "\(rows.schema[index])"
                )
            }
        }
    }

    @Test("skips and selections give the rows that reading everything gives", arguments: 0..<24)
    func skipsAndSelections(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let variant = writeVariants[seed % writeVariants.count].options
        let rows = RandomRows(
            flatTypes + nestedTypes,
            rowCount: 3000,
            seed: UInt64(seed)
        )
        let (bytes, _) = try written(
            rows.batches(seed: 1),
            schema: rows.schema,
            options: variant
        )
        let file = try LoadedFile(bytes)
        let context = ParquetReadContext()
        for (index, values) in rows.columns.enumerated() {
            var options = ParquetReadOptions()
            options.keepDictionary = [.text, .always, .never][(seed + index) % 3]
            var first = 0
            for group in file.metadata.rowGroups.indices {
                let reader = try file.reader(
                    rowGroup: group,
                    column: index,
                    options: options,
                    context: context
                )
                let count = file.metadata.rowGroups[group].rowCount
                var row = 0
                while row < count {
                    let step = min(count - row, Int.random(in: 0...900, using: &random))
                    let expected = Array(values[first + row..<first + row + step])
                    switch Int.random(in: 0..<3, using: &random) {
                    case 0: try reader.skip(rows: step)
                    case 1:
                        let actual = try reader.read(rows: step).values
                        #expect(
                            expected.count == actual.count
                                && zip(expected, actual).allSatisfy { same($0, $1) }
                        )
                    default:
                        let share = [0.0, 0.01, 0.5, 1.0][Int.random(in: 0..<4, using: &random)]
                        let chosen = (0..<step).filter { _ in
                            Double.random(in: 0..<1, using: &random) < share
                        }
                        let column = try reader.read(
                            rows: step,
                            selection: Selection(chosen.map { Int32($0) })
                        )
                        let actual = column.values
                        #expect(
                            actual.count == chosen.count
                                && zip(chosen, actual).allSatisfy { same(expected[$0], $1) },
                            "seed \(seed) \(rows.schema[index]) rows \(row) to \(row + step)"
                        )
                    }
                    row += step
                    #expect(reader.remainingRows == count - row)
                }
                first += count
            }
        }
    }

    @Test("numbers widen to the types that tables evolve to")
    func widening() throws {
        let cases: [(DataType, DataType, [Value], [Value])] = [
            (.int32, .int64, [.int32(-5), .null], [.int64(-5), .null]),
            (.float32, .float64, [.float32(1.5), .null], [.float64(1.5), .null]),
            (.date, .timestamp, [.date(-1)], [.timestamp(-86_400_000_000)]),
            (
                .decimal(precision: 9, scale: 2), .decimal(precision: 18, scale: 2),
                [.decimal(-7)], [.decimal(-7)]
            ),
            (
                .decimal(precision: 9, scale: 2), .decimal(precision: 30, scale: 2),
                [.decimal(-7)], [.decimal(-7)]
            ),
            (
                .decimal(precision: 18, scale: 2), .decimal(precision: 38, scale: 2),
                [.decimal(-7)], [.decimal(-7)]
            ),
            (.string, .binary, [.string("ü")], [.binary([0xc3, 0xbc])]),
        ]
        for (from, to, values, expected) in cases {
            let schema = Schema([Field("x", from)])
            let column = Column(from, values)
            let batch = RecordBatch(schema: schema, columns: [column], rowCount: values.count)
            let file = try LoadedFile(
                try written([batch], schema: schema, options: ParquetWriteOptions()).bytes
            )
            #expect(try file.values(column: 0, as: to) == expected)
        }
        let schema = Schema([Field("x", .int64)])
        let batch = RecordBatch(
            schema: schema,
            columns: [Column(.int64, [.int64(1)])],
            rowCount: 1
        )
        let file = try LoadedFile(
            try written([batch], schema: schema, options: ParquetWriteOptions()).bytes
        )
        for type in [DataType.int32, .string, .timestamp, .decimal(precision: 18, scale: 0)] {
            let error = #expect(throws: ParquetError.self) {
                try file.values(column: 0, as: type)
            }
            #expect(error?.code == .unsupported)
            #expect(error?.message.contains("x") == true)
        }
    }

    @Test("a dictionary keeps its identity over the batches of a chunk")
    func dictionaryIdentity() throws {
        let schema = Schema([Field("s", .string), Field("n", .int64)])
        let texts = (0..<5000).map { Value.string("text \($0 % 10)") }
        let numbers = (0..<5000).map { Value.int64(Int64($0 % 7)) }
        let batch = RecordBatch(
            schema: schema,
            columns: [Column(.string, texts), Column(.int64, numbers)],
            rowCount: 5000
        )
        let file = try LoadedFile(
            try written([batch], schema: schema, options: ParquetWriteOptions()).bytes
        )
        #expect(file.metadata.rowGroups[0].columns[0].isFullyDictionaryCoded)
        for column in 0..<2 {
            var options = ParquetReadOptions()
            options.keepDictionary = .always
            let reader = try file.reader(rowGroup: 0, column: column, options: options)
            let dictionary = try #require(try reader.dictionary())
            #expect(dictionary.count == [10, 7][column])
            var batchCount = 0
            while reader.remainingRows > 0 {
                guard case .dictionary(_, let own) = try reader.read(rows: 1000).storage else {
                    Issue.record("not a dictionary")
                    return
                }
                #expect(own === dictionary)
                batchCount += 1
            }
            #expect(batchCount == 5)
        }
        // Numbers are flat unless asked for otherwise.
        let reader = try file.reader(rowGroup: 0, column: 1)
        guard case .fixed = try reader.read(rows: 10).storage else {
            Issue.record("numbers are not flat")
            return
        }
    }

    @Test("fields of structures are found by id; missing ones are null")
    func structureEvolution() throws {
        let old = DataType.structure([
            Field("a", .int32, id: 2), Field("gone", .string, id: 3),
        ])
        let schema = Schema([Field("s", old, id: 1)])
        let batch = RecordBatch(
            schema: schema,
            columns: [
                Column(
                    old,
                    [.structure([.int32(7), .string("x")]), .null, .structure([.null, .null])]
                )
            ],
            rowCount: 3
        )
        let file = try LoadedFile(
            try written([batch], schema: schema, options: ParquetWriteOptions()).bytes
        )
        let new = DataType.structure([Field("b", .date, id: 9), Field("renamed", .int64, id: 2)])
        #expect(
            try file.values(column: 0, as: new) == [
                .structure([.null, .int64(7)]), .null, .structure([.null, .null]),
            ]
        )
        let onlyNew = DataType.structure([Field("b", .date, id: 9)])
        #expect(
            try file.values(column: 0, as: onlyNew) == [
                .structure([.null]), .null, .structure([.null]),
            ]
        )
    }

    @Test("columns are resolved by field id, else by the name mapping")
    func resolution() throws {
        let types: [DataType] = [.int32]
        let rows = RandomRows(types, rowCount: 3, seed: 1)
        let withIDs = try LoadedFile(
            try written(rows.batches(seed: 1), schema: rows.schema, options: ParquetWriteOptions())
                .bytes
        )
        let wanted = [
            Field("other name", .int32, id: 1002), Field("c0_0", .int32, id: 5),
            Field("c0_1", .int32, id: 1001),
        ]
        let mapping = [1002: ["old", "c0_2"], 1001: ["nowhere"]]
        #expect(
            withIDs.metadata.schema.resolve(fields: wanted, nameMapping: mapping) == [2, nil, 1]
        )
        let plain = Schema(
            rows.schema.fields.map { Field($0.name, $0.type, isNullable: $0.isNullable) }
        )
        let batches = rows.batches(seed: 1).map {
            RecordBatch(schema: plain, columns: $0.columns, rowCount: $0.rowCount)
        }
        let without = try LoadedFile(
            try written(batches, schema: plain, options: ParquetWriteOptions()).bytes
        )
        #expect(
            without.metadata.schema.resolve(fields: wanted, nameMapping: mapping) == [2, nil, nil]
        )
    }

    @Test("statistics bound the values of chunks and pages", arguments: writeVariants.indices)
    func statistics(variant: Int) throws {
        let rows = RandomRows(flatTypes, rowCount: 4000, seed: 8)
        let options = writeVariants[variant].options
        let (bytes, _) = try written(rows.batches(seed: 1), schema: rows.schema, options: options)
        let file = try LoadedFile(bytes)
        var boundCount = 0
        func check(_ statistics: ColumnChunkStatistics, _ values: ArraySlice<Value>, _ at: String) {
            #expect(statistics.nullCount == values.count { $0.isNull })
            let ordered = values.filter { !$0.isNull && canonical($0) != "nan" }
            if let low = statistics.min {
                boundCount += 1
                #expect(!ordered.contains { precedes($0, low) }, "\(at)")
                if statistics.isMinExact {
                    #expect(ordered.contains { !precedes(low, $0) }, "\(at)")
                }
            }
            if let high = statistics.max {
                #expect(!ordered.contains { precedes(high, $0) }, "\(at)")
                if statistics.isMaxExact {
                    #expect(ordered.contains { !precedes($0, high) }, "\(at)")
                }
            } else if !ordered.isEmpty, options.boundByteCountMax > 16 {
                Issue.record("\(at) has no upper bound")
            }
        }
        for (index, values) in rows.columns.enumerated() {
            var first = 0
            for (number, group) in file.metadata.rowGroups.enumerated() {
                let part = values[first..<first + group.rowCount]
                let at = "\(rows.schema[index]) row group \(number)"
                check(file.metadata.statistics(rowGroup: number, leaf: index), part, at)
                let chunk = group.columns[index]
                if let range = chunk.columnIndexRange, let places = chunk.offsetIndexRange {
                    let columnIndex = try ColumnIndex(
                        UnsafeRawBufferPointer(rebasing: file.bytes.bytes[range])
                    )
                    let offsetIndex = try OffsetIndex(
                        UnsafeRawBufferPointer(rebasing: file.bytes.bytes[places]),
                        rowCount: group.rowCount
                    )
                    let starts = offsetIndex.pages.map(\.firstRow) + [group.rowCount]
                    let counts = zip(starts, starts.dropFirst()).map { $1 - $0 }
                    let pages = file.metadata.statistics(
                        of: columnIndex,
                        leaf: index,
                        rowCounts: counts
                    )
                    #expect(pages.count == offsetIndex.pages.count)
                    for (page, statistics) in pages.enumerated() {
                        let rows = first + starts[page]..<first + starts[page + 1]
                        check(statistics, values[rows], "\(at) page \(page)")
                    }
                }
                first += group.rowCount
            }
        }
        #expect(boundCount > 50)
    }
}

@Suite("BloomFilter")
struct BloomFilterTests {
    @Test(
        "finds the values of a file that others wrote, and few others",
        .enabled(if: CorpusTests.folder != nil, "needs the corpus")
    )
    func corpus() throws {
        let folder = try #require(CorpusTests.folder)
        let file = try LoadedFile(
            try load(folder.appendingPathComponent("data_index_bloom_encoding_stats.parquet"))
        )
        let chunk = file.metadata.rowGroups[0].columns[0]
        let offset = try #require(chunk.bloomFilterOffset)
        let rest = UnsafeRawBufferPointer(rebasing: file.bytes.bytes[offset...])
        let byteCount = try BloomFilter.byteCount(
            header: UnsafeRawBufferPointer(rebasing: rest.prefix(BloomFilter.headerByteCountMax))
        )
        let filter = try BloomFilter(UnsafeRawBufferPointer(rebasing: rest.prefix(byteCount)))
        let leaf = file.metadata.schema.leaves[0]
        let values = try file.values(column: 0)
        #expect(!values.isEmpty)
        for value in values where !value.isNull {
            #expect(filter.mightContain(value, leaf: leaf))
        }
        let others = (0..<1000).count {
            filter.mightContain(.string("not there \($0)"), leaf: leaf)
        }
        #expect(others < 100)
    }
}
