import Ambient
import Columnar
import Execution
import Planner
import SQL

/// A provider for queries that read no tables.
struct NoTables: ScanProvider {
    func open(_ request: ScanRequest) throws -> any ScanSource {
        throw ExecutionError(.unsupported, "there are no tables")
    }
}

/// The rows of a query.
///
/// - Parameter tables: what it may read, by name; `provider` opens them.
func queryRows(
    _ text: String,
    tables: [String: SourceTable] = [:],
    provider: any ScanProvider = NoTables(),
    threadCount: Int = 1,
    memory: MemoryBudget = .process,
    spills: SpillArea = .system
) async throws -> [[Value]] {
    var environment = BindingEnvironment(nowMicros: 0, evaluate: { try evaluateConstant($0) })
    for (name, table) in tables {
        environment.tables[.named([name], version: nil)] = .success(table)
    }
    var binder = Binder(environment: environment)
    let bound = try binder.bind(query: try Parser.parseQuery(text))
    let plan = try PhysicalPlanner().plan(
        Optimiser(evaluate: { try evaluateConstant($0) }).optimise(bound)
    )
    return try await withResult(
        of: plan,
        schema: Schema(bound.columns.map { Field($0.name, $0.type) }),
        provider: provider,
        options: QueryOptions(threadCount: threadCount, memory: memory, spills: spills)
    ) { stream in
        var rows: [[Value]] = []
        while let batch = try await stream.next() {
            for row in 0..<batch.rowCount {
                rows.append(batch.columns.map { $0.value(at: row) })
            }
        }
        return rows
    }
}
