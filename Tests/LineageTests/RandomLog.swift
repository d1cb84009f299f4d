import Bytes
import Lineage
import TestSupport

/// Logs of everything that can happen to tables, the same for the same seed.
struct RandomLog {
    private(set) var log = LogBuilder()
    private var random: SeededGenerator
    private var tables: [String] = []
    private var nextTable = 0
    /// Columns of maps, at most.
    private let columnCountMax: Int

    init(seed: UInt64, commitCount: Int, columnCountMax: Int = 12) {
        random = SeededGenerator(seed: seed)
        self.columnCountMax = columnCountMax
        while log.commits.count < commitCount { step() }
    }

    private mutating func create() {
        tables.append("t\(nextTable)")
        log.create("t\(nextTable)")
        nextTable += 1
    }

    private mutating func step() {
        guard tables.count > 3, let table = tables.randomElement(using: &random) else {
            create()
            return
        }
        switch Int.random(in: 0..<20, using: &random) {
        case 0: create()
        case 1:
            log.drop(table)
            tables.removeAll { $0 == table }
        case 2:
            let new = "t\(nextTable)"
            nextTable += 1
            log.rename(table, to: new)
            tables.removeAll { $0 == table }
            tables.append(new)
        case 3:
            let isBack = Bool.random(using: &random)
            log.changeSilently(table, snapshot: isBack ? 50 : Int64(log.commits.count) * 10 + 7)
        default: run(into: table)
        }
    }

    private mutating func run(into table: String) {
        var inputs: [String] = []
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            let isFile = Int.random(in: 0..<4, using: &random) == 0
            let file = "data/\(Int.random(in: 0..<20, using: &random)).csv"
            inputs.append(isFile ? file : tables.randomElement(using: &random) ?? file)
        }
        log.run(
            table,
            from: inputs,
            map: Int.random(in: 0..<8, using: &random) == 0 ? nil : map(inputs.count),
            replaces: Int.random(in: 0..<3, using: &random) == 0,
            job: "job \(Int.random(in: 0..<9, using: &random))"
        )
    }

    private mutating func map(_ inputCount: Int) -> ColumnMap {
        let names = ["IDENTITY", "FILTER", "JOIN", "a subtype of one's own", nil]
        func origins(_ random: inout SeededGenerator, _ countMax: Int) -> [ColumnMap.Origin] {
            guard inputCount > 0 else { return [] }
            return (0..<Int.random(in: 0...countMax, using: &random)).map { _ in
                let column = Int.random(in: 0..<columnCountMax, using: &random)
                // The id says which column it is, whatever it is called.
                let hasID = Int.random(in: 0..<3, using: &random) > 0
                let isRenamed = hasID && Int.random(in: 0..<30, using: &random) == 0
                return ColumnMap.Origin(
                    input: Int.random(in: 0..<inputCount, using: &random),
                    column: isRenamed ? "new name of \(column)" : "column \(column)",
                    fieldID: hasID ? Int32(column + 1) : nil,
                    kind: Bool.random(using: &random) ? .direct : .indirect,
                    subtype: names[Int.random(in: 0..<names.count, using: &random)],
                    isMasked: Int.random(in: 0..<5, using: &random) == 0
                )
            }
        }
        let outputs = (0..<Int.random(in: 1...columnCountMax, using: &random)).map { column in
            ColumnMap.Output(
                name: "column \(column)",
                fieldID: Int.random(in: 0..<4, using: &random) == 0 ? nil : Int32(column + 1),
                origins: origins(&random, 3)
            )
        }
        return ColumnMap(outputs: outputs, rows: origins(&random, 2))
    }

    /// Everything that may be asked about: tables that there were, their columns, files.
    var nodes: [String] {
        let tables = (0..<nextTable).flatMap { ["ns.t\($0)", "ns.t\($0).\"column 1\""] }
        return tables + (0..<20).map { "data/\($0).csv" }
    }
}

extension LineageGraph {
    /// What a graph says to every question about some nodes, in one text.
    func answers(about nodes: [String], depth: Int? = nil) -> [String] {
        var answers: [String] = []
        for node in nodes {
            guard let name = try? NodeName(node) else { continue }
            for columns in [false, true] {
                let options = LineageOptions(depth: depth, columns: columns)
                let found = [
                    try? upstream(of: name, options), try? downstream(of: name, options),
                    try? impact(of: name, options),
                ]
                answers += found.map { answer in
                    answer.map { String(decoding: $0.serialized(), as: UTF8.self) }
                        ?? "nothing of \(node)"
                }
            }
        }
        let events = OpenLineageWriter(namespace: "s3://lake").events(
            in: self,
            positions: 1...(max(lastPosition ?? 1, 1))
        )
        return answers + events.map { $0.text() }
    }
}
