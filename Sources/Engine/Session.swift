import Ambient
import Catalog
package import Columnar
package import Execution
import Kernels
import Planner
package import SQL
package import Tables

/// Who runs a statement, and what for.
package struct RequestContext: Sendable {
    /// Goes into the log with every commit.
    package var actor: String
    package var requestID: String?
    /// Why, in words for people; goes into the log.
    package var message: String?

    package init(actor: String, requestID: String? = nil, message: String? = nil) {
        self.actor = actor
        self.requestID = requestID
        self.message = message
    }
}

/// What a statement that gives no rows did.
package struct StatementSummary: Sendable {
    /// As SQL's command tags: `CREATE TABLE`, `INSERT` and others.
    package var tag: String
    /// Rows written or removed.
    package var rowCount: Int?
    /// The log entry that carries the change.
    package var position: Int64?
    package var snapshotID: Int64?

    package init(
        tag: String,
        rowCount: Int? = nil,
        position: Int64? = nil,
        snapshotID: Int64? = nil
    ) {
        self.tag = tag
        self.rowCount = rowCount
        self.position = position
        self.snapshotID = snapshotID
    }
}

/// The outcome of one statement, handed over while it runs.
package enum StatementOutcome: Sendable {
    /// Rows; they must be taken before the statement can end.
    case rows(Execution.ResultStream)
    case done(StatementSummary)
}

/// Statements one after the other, with the settings that they leave behind.
///
/// An actor because a statement may change settings that the next one reads. Statements of one
/// session do not overlap: a caller waits for one before it sends the next.
package actor Session {
    package nonisolated let engine: Engine
    package let context: RequestContext
    /// Where names without a namespace are looked up.
    package var namespace: [String] = ["main"]
    /// The instant that all reads see; nil for now.
    package var asOf: CatalogInstant?
    /// The branch or tag of the whole catalog that is read, and written where it is a branch; nil for `main`.
    package internal(set) var reference: String?
    /// Whether `reference` is a tag.
    var isOnTag = false
    /// The branch of tables that is read and written; nil for `main`.
    ///
    /// A table that has no such branch is read as `main` says; the first write makes the branch of that.
    package private(set) var tableBranch: String?
    var transaction: OpenTransaction?
    var settings = SessionSettings()
    /// Statements that were prepared, by name.
    var preparedStatements: [String: Prepare] = [:]
    /// Macros, by name in lower case.
    var macros: [String: CreateMacro] = [:]
    /// The zone whose clocks timestamps without one mean: `SET TimeZone`.
    package var timeZone: String { settings.timeZone }
    /// Views that only this session has, by folded name.
    var temporaryViews: [String: ViewDefinition] = [:]
    /// Tables that only this session has; nil before the first.
    var temporary: TemporaryTables?
    /// Counts what the session's statements read.
    package nonisolated let meter = ScanMeter()

    package init(engine: Engine, context: RequestContext) {
        self.engine = engine
        self.context = context
    }

    package typealias Consumer = @Sendable (StatementOutcome) async throws -> Void
    package typealias Parameters = [Parameter: (value: Value, type: DataType)]

    /// Runs every statement of a text in order; the first that fails ends it.
    ///
    /// - Throws: `SQLError` for the text, `PlanError` for its meaning, and what the parts below throw.
    package func run(
        _ text: String,
        parameters: Parameters = [:],
        consume: @escaping Consumer
    ) async throws {
        let statements = try Parser.parseStatements(text)
        if !isInTransaction { try Statement.checkTransactions(statements) }
        for statement in statements {
            try Task.checkCancellation()
            try await run(statement.statement, parameters: parameters, consume: consume)
        }
    }

    package func use(namespace: [String]) {
        self.namespace = namespace
    }

    package func set(asOf: CatalogInstant?) {
        self.asOf = asOf
    }

    /// Sets the zone; throws for a name that this machine has no zone of.
    package func use(timeZone name: String) throws {
        settings.timeZone = try TimeZones.rules(name).name
    }

    package func use(tableBranch: String?) {
        self.tableBranch = tableBranch
    }
}

/// A state of the whole catalog.
package enum CatalogInstant: Sendable, Hashable {
    /// As an entry of the log left it.
    case position(Int64)
    /// Milliseconds since 1970.
    case millis(Int64)
}
