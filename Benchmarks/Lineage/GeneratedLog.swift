import Bytes
import Lineage

/// A log as a large company's might be: domains of tables in layers, each table made by a job of its own from a
/// few tables of the layers before, most columns copied, some computed of several.
struct GeneratedLog {
    static let columnCount = 50
    private static let tablesPerDomain = 200
    private static let tablesPerLayer = 20
    /// Tables that read the hub.
    static let hubReaderCount = 25_000

    let tableCount: Int
    private let commitsPerEntry: Int
    private var state: UInt64 = 42
    private var commitCount = 0
    /// Where the edges of columns along which values flow go, when somebody wants them.
    var edges: EdgeFile?
    /// Of each table, the columns that others may read.
    private let columnNames = (0..<Self.columnCount).map { "column_\($0)" }

    /// - Parameter entryCount: into how many entries all commits go; nil for one each.
    init(tableCount: Int, entryCount: Int? = nil) {
        self.tableCount = tableCount
        let count = Self.commitCount(tables: tableCount)
        commitsPerEntry = entryCount.map { (count + $0 - 1) / $0 } ?? 1
    }

    /// How many commits make the hub and the first tables.
    private static func commitCount(tables: Int) -> Int { 2 * tables + 2 }

    /// The entry in which the first tables are made.
    func position(afterTables count: Int) -> Int64 {
        Int64((Self.commitCount(tables: count) - 1) / commitsPerEntry + 1)
    }

    static func name(_ table: Int) -> [String] {
        ["domain_\(table / tablesPerDomain)", "table_\(table % tablesPerDomain)"]
    }

    static let hubName = ["shared", "calendar"]

    private static func uuid(_ table: Int) -> String {
        let digits = String(table + 2, radix: 16)
        return "00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - digits.count)
            + digits
    }

    /// SplitMix64.
    mutating func number(_ bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((z ^ (z >> 31)) % UInt64(bound))
    }

    private mutating func hash() -> String {
        var text = ""
        for _ in 0..<4 {
            let digits = String(UInt64(number(Int.max)), radix: 16)
            text += String(repeating: "0", count: 16 - digits.count) + digits
        }
        return text
    }

    private mutating func commit(_ changes: [JSON], _ facts: CommitLineage?) -> LineageCommit {
        let position = Int64(commitCount / commitsPerEntry + 1)
        defer { commitCount += 1 }
        return LineageCommit(
            position: position,
            index: commitCount % commitsPerEntry,
            timeMillis: position * 1000,
            id: "commit-\(commitCount)",
            actor: "pipeline",
            changes: changes,
            lineage: nil,
            facts: facts
        )
    }

    private func change(
        _ kind: String,
        _ name: [String],
        _ uuid: String,
        snapshot: Int64?
    ) -> JSON {
        var object: JSONObject = [
            "change": .string(kind), "namespace": [.string(name[0])], "name": .string(name[1]),
            "uuid": .string(uuid),
            "metadata-location": .string("s3://lake/\(uuid)/metadata/1.json"),
        ]
        if let snapshot { object["snapshot-id"] = .integer(snapshot) }
        return .object(object)
    }

    /// The commits that make the hub.
    mutating func hub() -> [LineageCommit] {
        let uuid = Self.uuid(-1)
        let origins = columnNames.map {
            ColumnMap.Origin(input: 0, column: $0, kind: .direct, subtype: "IDENTITY")
        }
        return [
            commit([change("create-table", Self.hubName, uuid, snapshot: nil)], nil),
            run(Self.hubName, uuid, snapshot: 1, [(.file("s3://raw/calendar.csv"), nil)]) { _ in
                ColumnMap(
                    outputs: origins.enumerated().map { index, origin in
                        ColumnMap.Output(
                            name: origin.column,
                            fieldID: Int32(index + 1),
                            origins: [origin]
                        )
                    }
                )
            },
        ]
    }

    /// The commits that make a table and write it once; those of tables before it have been made.
    mutating func table(_ table: Int) -> [LineageCommit] {
        let uuid = Self.uuid(table)
        let name = Self.name(table)
        let place = table % Self.tablesPerDomain
        let layer = place / Self.tablesPerLayer
        var inputs: [(LineageFacts.Dataset, Int64?)] = []
        if layer == 0 {
            inputs.append((.file("s3://raw/\(name[0])/\(name[1]).parquet"), nil))
        } else {
            // One to three tables of the layer before, or further back.
            for _ in 0..<1 + number(3) {
                let other = table - place + number(layer * Self.tablesPerLayer)
                let dataset = LineageFacts.Dataset.table(
                    uuid: Self.uuid(other),
                    name: Self.name(other)
                )
                inputs.append((dataset, Int64(other + 10)))
            }
        }
        if table < Self.hubReaderCount {
            inputs.append((.table(uuid: Self.uuid(-1), name: Self.hubName), 1))
        }
        return [
            commit([change("create-table", name, uuid, snapshot: nil)], nil),
            run(name, uuid, snapshot: Int64(table + 10), inputs) { log in
                log.map(inputs, readsHub: table < Self.hubReaderCount)
            },
        ]
    }

    /// About a hundred edges.
    private mutating func map(
        _ inputs: [(LineageFacts.Dataset, Int64?)],
        readsHub: Bool
    ) -> ColumnMap {
        let own = inputs.count - (readsHub ? 1 : 0)
        func origin(_ log: inout GeneratedLog, _ isDirect: Bool, _ subtype: String)
            -> ColumnMap.Origin
        {
            let input = log.number(own)
            let column = log.number(Self.columnCount)
            let isFile = if case .file = inputs[input].0 { true } else { false }
            return ColumnMap.Origin(
                input: input,
                column: log.columnNames[column],
                fieldID: isFile ? nil : Int32(column + 1),
                kind: isDirect ? .direct : .indirect,
                subtype: subtype
            )
        }
        var outputs: [ColumnMap.Output] = []
        outputs.reserveCapacity(Self.columnCount)
        for column in 0..<Self.columnCount {
            var origins: [ColumnMap.Origin] = []
            switch number(10) {
            case 0..<5: origins = [origin(&self, true, "IDENTITY")]
            case 5..<8:
                for _ in 0..<2 { origins.append(origin(&self, true, "TRANSFORMATION")) }
            default:
                for _ in 0..<3 { origins.append(origin(&self, true, "AGGREGATION")) }
                origins.append(origin(&self, false, "CONDITIONAL"))
            }
            if readsHub, column == 0 {
                origins.append(
                    ColumnMap.Origin(
                        input: inputs.count - 1,
                        column: columnNames[0],
                        fieldID: 1,
                        kind: .direct,
                        subtype: "IDENTITY"
                    )
                )
            }
            outputs.append(
                ColumnMap.Output(
                    name: columnNames[column],
                    fieldID: Int32(column + 1),
                    origins: origins
                )
            )
        }
        return ColumnMap(
            outputs: outputs,
            rows: [origin(&self, false, "FILTER"), origin(&self, false, "JOIN")]
        )
    }

    private mutating func run(
        _ name: [String],
        _ uuid: String,
        snapshot: Int64,
        _ inputs: [(LineageFacts.Dataset, Int64?)],
        _ map: (inout GeneratedLog) -> ColumnMap
    ) -> LineageCommit {
        let columnMap = map(&self)
        edges?.write(columnMap, from: inputs.map(\.0), to: name)
        let hash = hash()
        let facts = LineageFacts(
            job: LineageFacts.Job(
                kind: "transform",
                name: name.joined(separator: "."),
                version: "1"
            ),
            runID: "run-\(commitCount)",
            inputs: inputs.map { LineageFacts.Input($0.0, snapshotID: $0.1, schemaID: 0) },
            output: LineageFacts.Output(
                .table(uuid: uuid, name: name),
                snapshotID: snapshot,
                operation: "append",
                replacesContents: false
            ),
            columnMapHash: hash
        )
        return commit(
            [change("update-table", name, uuid, snapshot: snapshot)],
            CommitLineage(facts: [facts], columnMaps: [hash: columnMap])
        )
    }
}
