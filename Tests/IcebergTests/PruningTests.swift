import Testing

import Bytes
import Iceberg
import TestSupport

/// What a row has in each column; what is missing is null.
typealias Row = [Int: Datum]

extension Predicate {
    /// Whether a row matches, as SQL sees it: nil is "unknown".
    ///
    /// - Parameter floats: Whether NaN is greater than anything (SQL), or compares with nothing (IEEE 754).
    func evaluate(_ row: Row, nanIsGreatest: Bool) -> Bool? {
        func compare(_ id: Int, _ comparison: Comparison, _ value: Datum) -> Bool? {
            guard let left = row[id] else { return nil }
            if !nanIsGreatest, left.isNaN || value.isNaN { return comparison == .notEqual }
            guard let order = left.compared(to: value) else { return nil }
            switch comparison {
            case .equal: return order == 0
            case .notEqual: return order != 0
            case .less: return order < 0
            case .lessOrEqual: return order <= 0
            case .greater: return order > 0
            case .greaterOrEqual: return order >= 0
            }
        }
        switch self {
        case .always: return true
        case .never: return false
        case .and(let parts):
            let results = parts.map { $0.evaluate(row, nanIsGreatest: nanIsGreatest) }
            return results.contains(false) ? false : results.contains(nil) ? nil : true
        case .or(let parts):
            let results = parts.map { $0.evaluate(row, nanIsGreatest: nanIsGreatest) }
            return results.contains(true) ? true : results.contains(nil) ? nil : false
        case .not(let part): return part.evaluate(row, nanIsGreatest: nanIsGreatest).map { !$0 }
        case .isNull(let id): return row[id] == nil
        case .notNull(let id): return row[id] != nil
        case .isNaN(let id): return row[id].map(\.isNaN)
        case .notNaN(let id): return row[id].map { !$0.isNaN }
        case .compare(let id, let comparison, let value): return compare(id, comparison, value)
        case .in(let id, let values):
            guard row[id] != nil else { return nil }
            return values.contains { compare(id, .equal, $0) == true }
        case .notIn(let id, let values):
            guard row[id] != nil else { return nil }
            return values.allSatisfy { compare(id, .notEqual, $0) == true }
        case .startsWith(let id, let prefix):
            guard case .string(let text)? = row[id] else { return nil }
            return text.utf8.starts(with: prefix.utf8)
        case .notStartsWith(let id, let prefix):
            guard case .string(let text)? = row[id] else { return nil }
            return !text.utf8.starts(with: prefix.utf8)
        }
    }
}

/// Random tables, files with rows and metrics, and predicates on them.
struct PruningWorld {
    var random: SeededGenerator
    let table: TableMetadata
    static let types: [IcebergType] = [
        .int, .long, .double, .float, .string, .date, .timestamp, .timestamptz,
        .decimal(precision: 12, scale: 2), .binary, .boolean, .timestampNanos, .uuid,
    ]

    init(seed: UInt64) throws {
        random = SeededGenerator(seed: seed)
        var fields: [NestedField] = []
        for (index, type) in Self.types.enumerated() {
            fields.append(column(index + 1, "c\(index + 1)", type, required: index == 1))
        }
        var spec: [(Int, Transform, String)] = []
        for number in 0..<Int.random(in: 0...3, using: &random) {
            let id = Int.random(in: 1...Self.types.count, using: &random)
            let transforms: [Transform] = [
                .identity, .bucket(count: 3), .truncate(width: 2), .truncate(width: 10), .year,
                .month,
                .day, .hour, .void,
            ].filter { $0.resultType(of: Self.types[id - 1]) != nil }
            spec.append((id, transforms.randomElement(using: &random) ?? .identity, "p\(number)"))
        }
        table = try makeTable(fields, spec: spec, properties: ["format-version": "3"])
    }

    mutating func datum(_ type: IcebergType) -> Datum {
        func small() -> Int64 {
            switch Int.random(in: 0..<12, using: &random) {
            case 0: Int64(Int32.min)
            case 1: Int64(Int32.max)
            default: Int64.random(in: -15...15, using: &random)
            }
        }
        func micros() -> Int64 {
            Int64.random(in: -3...3, using: &random)
                * [1, 3_600_000_000, 86_400_000_000, 2_678_400_000_000][
                    Int.random(in: 0..<4, using: &random)
                ]
                + Int64.random(in: -2...2, using: &random)
        }
        func text() -> String {
            var view = String.UnicodeScalarView()
            let alphabet: [Unicode.Scalar] = ["a", "b", "é", "\u{D7FF}", "\u{10FFFF}"]
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                view.append(alphabet.randomElement(using: &random) ?? "a")
            }
            return String(view)
        }
        switch type {
        case .int: return .int(Int32(truncatingIfNeeded: small()))
        case .long: return .long([small(), .min, .max].randomElement(using: &random) ?? 0)
        case .double:
            return .double(
                [Double(small()), 0.5, -0.0, 0.0, .nan, .infinity, -.infinity].randomElement(
                    using: &random
                ) ?? 0
            )
        case .float:
            return .float([Float(small()), 0.5, -0.0, .nan].randomElement(using: &random) ?? 0)
        case .string: return .string(text())
        case .date: return .date(Int32(truncatingIfNeeded: small() % 800))
        case .timestamp: return .timestamp(micros())
        case .timestamptz: return .timestamptz(micros())
        case .timestampNanos: return .timestampNanos(micros() &* 1000)
        case .decimal(_, let scale): return .decimal(Int128(small() % 10_000), scale: scale)
        case .binary:
            return .binary(
                (0..<Int.random(in: 0...3, using: &random)).map { _ in
                    [0, 1, 0xFF].randomElement(using: &random) ?? 0
                }
            )
        case .boolean: return .boolean(Bool.random(using: &random))
        default: return .uuid(UInt128(UInt64.random(in: 0...3, using: &random)) << 126)
        }
    }

    mutating func predicate(depth: Int) -> Predicate {
        if depth > 0, Bool.random(using: &random) {
            let parts = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                predicate(depth: depth - 1)
            }
            switch Int.random(in: 0..<3, using: &random) {
            case 0: return .and(parts)
            case 1: return .or(parts)
            default: return .not(parts[0])
            }
        }
        let id = Int.random(in: 1...Self.types.count, using: &random)
        let type = Self.types[id - 1]
        switch Int.random(in: 0..<12, using: &random) {
        case 0: return .isNull(id)
        case 1: return .notNull(id)
        case 2 where type.isFloating: return .isNaN(id)
        case 3 where type.isFloating: return .notNaN(id)
        case 4: return .in(id, (0..<3).map { _ in datum(type) })
        case 5: return .notIn(id, (0..<2).map { _ in datum(type) })
        case 6 where type == .string, 7 where type == .string:
            guard case .string(let text) = datum(type) else { return .always }
            return Bool.random(using: &random) ? .startsWith(id, text) : .notStartsWith(id, text)
        default:
            let comparison = Predicate.Comparison.allCases.randomElement(using: &random) ?? .equal
            return .compare(id, comparison, datum(type))
        }
    }

    /// A file with rows of one partition, and metrics of which some may be missing.
    mutating func file() throws -> (file: DataFile, rows: [Row]) {
        var fixed: Row = [:]
        for field in table.defaultSpec.fields where Int.random(in: 0..<8, using: &random) > 0 {
            fixed[field.sourceID] = datum(Self.types[field.sourceID - 1])
        }
        let count = Int.random(in: 1...6, using: &random)
        var rows: [Row] = []
        for _ in 0..<count {
            var row: Row = [:]
            for (index, type) in Self.types.enumerated() {
                // The second column is required, the others are null now and then.
                let isGiven = index == 1 || Int.random(in: 0..<4, using: &random) > 0
                row[index + 1] = isGiven ? datum(type) : nil
            }
            // All rows must have the same partition: the source values do, or stay in it.
            for field in table.defaultSpec.fields {
                row[field.sourceID] = fixed[field.sourceID]
                if field.sourceID == 2, row[2] == nil { row[2] = .long(0) }
            }
            rows.append(row)
        }
        if Bool.random(using: &random) { rows = rows.map { _ in rows[0] } }
        let partition = try table.defaultSpec.fields.map {
            try $0.transform.apply(rows[0][$0.sourceID])
        }
        var file = DataFile(
            filePath: "s3://f",
            partition: partition,
            recordCount: Int64(rows.count),
            fileSizeBytes: 1
        )
        (file.valueCounts, file.nullValueCounts, file.nanValueCounts) = ([:], [:], [:])
        (file.lowerBounds, file.upperBounds) = ([:], [:])
        let mode: MetricsMode = Bool.random(using: &random) ? .truncate(2) : .full
        for (index, _) in Self.types.enumerated() where Int.random(in: 0..<5, using: &random) > 0 {
            let id = index + 1
            let values = rows.compactMap { $0[id] }
            file.valueCounts?[id] = Int64(rows.count)
            file.nullValueCounts?[id] = Int64(rows.count - values.count)
            if Int.random(in: 0..<4, using: &random) > 0 {
                file.nanValueCounts?[id] = Int64(values.filter(\.isNaN).count)
            }
            let numbers = values.filter { !$0.isNaN }
            let least = numbers.min { $0.precedesAsBound($1) }
            let greatest = numbers.max { $0.precedesAsBound($1) }
            if let least { file.lowerBounds?[id] = ColumnBound.lower(least, mode: mode) }
            if let greatest { file.upperBounds?[id] = ColumnBound.upper(greatest, mode: mode) }
        }
        return (file, rows)
    }
}

@Suite("FilePruner")
struct FilePrunerTests {
    @Test(
        "never drops a row that matches, never calls a file matched that has another",
        arguments: 0..<24
    )
    func sound(seed: UInt64) throws {
        var world = try PruningWorld(seed: seed)
        var (droppedCount, matchedCount) = (0, 0)
        for _ in 0..<40 {
            let files = try (0..<3).map { _ in try world.file() }
            var writer = try ManifestWriter(
                table: world.table,
                spec: world.table.defaultSpec,
                content: .data,
                snapshotID: 1
            )
            for (file, _) in files { try writer.add(file) }
            let manifest = try writer.finish(path: "m").manifest
            for _ in 0..<20 {
                let predicate = world.predicate(depth: 3)
                let pruner = FilePruner(predicate, table: world.table)
                for nanIsGreatest in [true, false] {
                    // Only SQL's order is kept by negation: without it the tree means what it says.
                    let meant = nanIsGreatest ? predicate : predicate.withoutNot
                    for (file, rows) in files {
                        let matches = rows.map {
                            meant.evaluate($0, nanIsGreatest: nanIsGreatest) == true
                        }
                        let mayMatch = pruner.mayMatch(file)
                        if matches.contains(true) {
                            #expect(mayMatch, "\(predicate) drops \(rows) of \(file)")
                            #expect(
                                pruner.mayMatch(manifest),
                                "\(predicate) drops the manifest of \(rows)"
                            )
                        }
                        if pruner.allMatch(file) {
                            matchedCount += 1
                            #expect(
                                !matches.contains(false),
                                "\(predicate) does not match all of \(rows)"
                            )
                        }
                        if !mayMatch { droppedCount += 1 }
                        let residual = pruner.residual(file)
                        for (row, isMatch) in zip(rows, matches) {
                            let left = residual.evaluate(row, nanIsGreatest: nanIsGreatest) == true
                            #expect(left == isMatch, "\(residual) is not \(predicate) on \(row)")
                        }
                    }
                }
            }
        }
        // A pruner that says nothing would be sound too.
        #expect(droppedCount > 100 && matchedCount > 50)
    }

    static func table(_ type: IcebergType, _ transform: Transform) throws -> TableMetadata {
        try makeTable([column(1, "c", type)], spec: [(1, transform, "p")])
    }

    static func file(_ partition: Datum?) -> DataFile {
        DataFile(filePath: "s3://f", partition: [partition], recordCount: 5, fileSizeBytes: 1)
    }

    @Test("projects conditions through transforms")
    func projection() throws {
        func may(
            _ type: IcebergType,
            _ transform: Transform,
            _ predicate: Predicate,
            _ value: Datum?
        ) throws -> Bool {
            FilePruner(predicate, table: try Self.table(type, transform)).mayMatch(Self.file(value))
        }
        let noon: Datum = .timestamp(17486 * 86_400_000_000 + 43_200_000_000)
        let midnight: Datum = .timestamp(17486 * 86_400_000_000)
        #expect(try may(.timestamp, .day, .compare(1, .greater, noon), .date(17486)))
        #expect(try !may(.timestamp, .day, .compare(1, .greater, noon), .date(17485)))
        #expect(try !may(.timestamp, .day, .compare(1, .less, midnight), .date(17486)))
        #expect(try may(.timestamp, .day, .compare(1, .lessOrEqual, midnight), .date(17486)))
        #expect(try !may(.timestamp, .month, .compare(1, .equal, noon), .int(573)))
        #expect(try may(.timestamp, .month, .compare(1, .equal, noon), .int(574)))
        #expect(try !may(.timestamp, .day, .compare(1, .equal, .date(3)), .date(4)))
        let hash = try #require(try Transform.bucket(count: 8).apply(.long(34)))
        #expect(try may(.long, .bucket(count: 8), .compare(1, .equal, .int(34)), hash))
        #expect(
            try !may(
                .long,
                .bucket(count: 8),
                .compare(1, .equal, .int(34)),
                .int(hash == .int(0) ? 1 : 0)
            )
        )
        #expect(try may(.long, .bucket(count: 8), .compare(1, .less, .int(34)), .int(7)))
        #expect(try !may(.string, .truncate(width: 3), .startsWith(1, "ab"), .string("b")))
        #expect(try !may(.string, .truncate(width: 3), .startsWith(1, "abcd"), .string("abd")))
        #expect(try may(.string, .truncate(width: 3), .startsWith(1, "abcd"), .string("abc")))
        #expect(try !may(.long, .identity, .isNull(1), .long(1)))
        #expect(try !may(.long, .identity, .notNull(1), nil))
        #expect(try may(.long, .void, .compare(1, .equal, .long(3)), nil))
        // A decimal is hashed by its unscaled value: another scale must be brought to the column's.
        let decimal = IcebergType.decimal(precision: 9, scale: 2)
        let bucket = try #require(try Transform.bucket(count: 1000).apply(.decimal(1420, scale: 2)))
        #expect(
            try may(
                decimal,
                .bucket(count: 1000),
                .compare(1, .equal, .decimal(142, scale: 1)),
                bucket
            )
        )
    }

    @Test("keeps files of old writers that rounded times before 1970 towards zero")
    func oldWriters() throws {
        let table = try Self.table(.timestamp, .day)
        let pruner = FilePruner(.compare(1, .equal, .timestamp(-90_000_000_000)), table: table)
        #expect(pruner.mayMatch(Self.file(.date(-2))))
        #expect(pruner.mayMatch(Self.file(.date(-1))))
        #expect(!pruner.mayMatch(Self.file(.date(1))))
    }

    @Test("a partition alone can match a whole file")
    func wholePartitions() throws {
        let table = try Self.table(.timestamp, .day)
        let nextDay: Datum = .timestamp(17487 * 86_400_000_000)
        #expect(
            FilePruner(.compare(1, .less, nextDay), table: table).allMatch(Self.file(.date(17486)))
        )
        #expect(
            !FilePruner(.compare(1, .less, nextDay), table: table).allMatch(Self.file(.date(17487)))
        )
        #expect(!FilePruner(.compare(1, .less, nextDay), table: table).allMatch(Self.file(nil)))
        #expect(FilePruner(.isNull(1), table: table).allMatch(Self.file(nil)))
        let identity = try Self.table(.string, .identity)
        #expect(
            FilePruner(.in(1, [.string("a"), .string("b")]), table: identity).allMatch(
                Self.file(.string("b"))
            )
        )
    }

    @Test("missing or unreadable metrics keep the file")
    func missingMetrics() throws {
        let table = try makeTable([column(1, "c", .long)])
        let pruner = FilePruner(.compare(1, .greater, .long(100)), table: table)
        var file = DataFile(filePath: "s3://f", recordCount: 5, fileSizeBytes: 1)
        #expect(pruner.mayMatch(file) && !pruner.allMatch(file))
        file.upperBounds = [1: [1, 2, 3]]
        #expect(pruner.mayMatch(file))
        file.upperBounds = [1: Datum.long(100).bytes]
        #expect(!pruner.mayMatch(file))
        // Four bytes: written before the column was promoted.
        file.upperBounds = [1: Datum.int(100).bytes]
        #expect(!pruner.mayMatch(file))
        file.recordCount = 0
        #expect(!pruner.mayMatch(file) && pruner.allMatch(file))
        var manifest = ManifestFile(
            manifestPath: "m",
            manifestLengthBytes: 1,
            partitionSpecID: 0,
            content: .data,
            sequenceNumber: 1,
            minSequenceNumber: 1,
            addedSnapshotID: 1
        )
        #expect(pruner.mayMatch(manifest))
        manifest.addedFilesCount = 0
        manifest.existingFilesCount = 0
        #expect(!pruner.mayMatch(manifest))
    }

    @Test("summaries without bounds that do not say why keep the manifest (rule 6)")
    func summariesWithoutBounds() throws {
        let table = try Self.table(.long, .identity)
        let pruner = FilePruner(.compare(1, .equal, .long(1)), table: table)
        func may(_ summary: FieldSummary) -> Bool {
            pruner.mayMatch(
                ManifestFile(
                    manifestPath: "m",
                    manifestLengthBytes: 1,
                    partitionSpecID: 0,
                    content: .data,
                    sequenceNumber: 1,
                    minSequenceNumber: 1,
                    addedSnapshotID: 1,
                    partitions: [summary]
                )
            )
        }
        #expect(may(FieldSummary(containsNull: false)))
        #expect(!may(FieldSummary(containsNull: true)))
        #expect(
            !may(
                FieldSummary(
                    containsNull: false,
                    lowerBound: Datum.long(2).bytes,
                    upperBound: Datum.long(3).bytes
                )
            )
        )
        #expect(
            may(
                FieldSummary(
                    containsNull: false,
                    lowerBound: Datum.int(0).bytes,
                    upperBound: Datum.int(3).bytes
                )
            )
        )
    }

    @Test("predicates nested without end say nothing, and do not end the process")
    func deep() throws {
        var predicate = Predicate.compare(1, .equal, .long(1))
        for _ in 0..<1000 { predicate = .not(predicate) }
        let table = try makeTable([column(1, "c", .long)])
        #expect(
            FilePruner(predicate, table: table).mayMatch(
                DataFile(filePath: "s3://f", recordCount: 1, fileSizeBytes: 1)
            )
        )
    }
}

@Suite("Metrics rules")
struct MetricsRulesTests {
    @Test("bounds are cut to 16 characters, upper ones rounded up (rule 16)")
    func truncation() {
        let mode = MetricsMode.truncate(3)
        #expect(ColumnBound.lower(.string("abcdef"), mode: mode) == Array("abc".utf8))
        #expect(ColumnBound.upper(.string("abcdef"), mode: mode) == Array("abd".utf8))
        #expect(ColumnBound.upper(.string("abc"), mode: mode) == Array("abc".utf8))
        #expect(ColumnBound.upper(.string("ab\u{10FFFF}x"), mode: mode) == Array("ac".utf8))
        #expect(ColumnBound.upper(.string("ab\u{D7FF}x"), mode: mode) == Array("ab\u{E000}".utf8))
        #expect(ColumnBound.upper(.string("\u{10FFFF}\u{10FFFF}\u{10FFFF}x"), mode: mode) == nil)
        #expect(ColumnBound.lower(.string("漢漢漢漢"), mode: mode) == Array("漢漢漢".utf8))
        #expect(ColumnBound.lower(.binary([1, 2, 3, 4]), mode: mode) == [1, 2, 3])
        #expect(ColumnBound.upper(.binary([1, 2, 3, 4]), mode: mode) == [1, 2, 4])
        #expect(ColumnBound.upper(.binary([1, 0xFF, 0xFF, 0]), mode: mode) == [2])
        #expect(ColumnBound.upper(.binary([0xFF, 0xFF, 0xFF, 0]), mode: mode) == nil)
        #expect(ColumnBound.upper(.long(5), mode: mode) == Datum.long(5).bytes)
        #expect(ColumnBound.upper(.string("abcdef"), mode: .full) == Array("abcdef".utf8))
        #expect(ColumnBound.upper(.string("abcdef"), mode: .counts) == nil)
        #expect(ColumnBound.lower(.string("abcdef"), mode: .none) == nil)
    }

    @Test("zeros are signed outwards and NaN is no bound (rule 16)")
    func floats() {
        #expect(ColumnBound.lower(.double(0), mode: .full) == Datum.double(-0.0).bytes)
        #expect(ColumnBound.upper(.double(-0.0), mode: .full) == Datum.double(0.0).bytes)
        #expect(ColumnBound.lower(.float(0), mode: .full) == Datum.float(-0.0).bytes)
        #expect(ColumnBound.upper(.float(.nan), mode: .full) == nil)
        #expect(ColumnBound.lower(.double(.nan), mode: .full) == nil)
    }

    @Test("cut bounds enclose what they were cut from", arguments: 0..<8)
    func enclosing(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let (type, value) = randomDatum(using: &random)
            for length in 1...4 {
                let mode = MetricsMode.truncate(length)
                if let lower = ColumnBound.lower(value, mode: mode),
                    let bound = try? Datum(bytes: lower, type: type)
                {
                    #expect((bound.compared(to: value) ?? 0) <= 0)
                }
                if let upper = ColumnBound.upper(value, mode: mode),
                    let bound = try? Datum(bytes: upper, type: type)
                {
                    #expect((bound.compared(to: value) ?? 0) >= 0)
                }
            }
        }
    }

    @Test("modes come from the properties; columns after the hundredth get none (rule 16)")
    func modes() throws {
        let fields = (1...120).map { column($0, "c\($0)", .int) }
        var table = try makeTable(fields)
        #expect(table.metricsModes()[100] == .truncate(16))
        #expect(table.metricsModes()[101] == MetricsMode.none)
        table = try table.applying([
            .setProperties([
                "write.metadata.metrics.default": "counts",
                "write.metadata.metrics.column.c7": "full",
                "write.metadata.metrics.column.c8": "truncate(4)",
                "write.metadata.metrics.column.c9": "nonsense",
            ])
        ])
        let modes = table.metricsModes()
        #expect(
            modes[120] == .counts && modes[7] == .full && modes[8] == .truncate(4)
                && modes[9] == .counts
        )
    }
}
