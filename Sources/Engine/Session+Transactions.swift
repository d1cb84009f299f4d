import Catalog
import Lineage
import ObjectStorage
import Planner
import SQL

// BEGIN pins the catalog at its first use. Every statement is staged on what the one before left: its files
// are written, and a state in memory says so, but no log entry. COMMIT prepares all operations again, in
// order, as one commit: one entry, or nothing. So a process that dies before COMMIT leaves files that
// nothing refers to, and one that dies in it has either written the entry or not.
//
// Tables that were changed otherwise than by appending must be at COMMIT what they were when the
// transaction began; appends stand whatever others did, as single INSERTs do. That is snapshot isolation.

/// A transaction that is open in a session.
struct OpenTransaction {
    /// The catalog without the transaction's own changes; nil before its first use.
    var pinned: CatalogSnapshot?
    /// The catalog with them.
    var staged: CatalogSnapshot?
    /// What COMMIT commits, in order.
    var operations: [CatalogOperation] = []
    var lineage = CommitLineage()
    /// Names whose tables or views must be unchanged at COMMIT.
    var changed: Set<TableIdentifier> = []
    /// Files of staged states, which nothing will ever refer to.
    var stagedKeys: [String] = []
    /// Data files of the transaction, which COMMIT makes part of tables.
    var dataFiles: [(store: any ObjectStore, key: String)] = []
    /// The session's own tables as they were when the transaction began; nil when it had none.
    var temporaryBefore: CatalogSnapshot?
    var isReadOnly: Bool
    /// A statement failed: only ROLLBACK is left.
    var isFailed = false
}

extension CatalogOperation {
    /// The tables and views that must be as they were for the operation to mean what it meant.
    fileprivate var changedNames: [TableIdentifier] {
        switch self {
        case .changeTable(let table, let isAppend, _): isAppend ? [] : [table]
        case .createTable(let name, _), .registerTable(let name, _, _), .dropTable(let name, _),
            .updateTable(let name, _, _), .createView(let name, _, _), .updateView(let name, _),
            .changeView(let name, _), .registerView(let name, _), .dropView(let name),
            .restoreTable(let name, _):
            [name]
        case .renameTable(let name, let target), .renameView(let name, let target):
            [name, target]
        case .createNamespace, .dropNamespace, .updateNamespace, .require, .verify, .append,
            .createBranch, .dropBranch, .mergeBranch, .createTag, .dropTag:
            []
        }
    }
}

extension Session {
    /// Whether statements are in a transaction that COMMIT or ROLLBACK ends.
    package var isInTransaction: Bool { transaction != nil }

    func runTransaction(
        _ command: TransactionCommand,
        _ consume: Consumer
    ) async throws {
        switch command.kind {
        case .begin:
            guard transaction == nil else {
                throw PlanError(
                    .invalid,
                    "there is a transaction already: transactions do not nest",
                    hint: "COMMIT or ROLLBACK it first.",
                    at: command.span
                )
            }
            transaction = OpenTransaction(
                temporaryBefore: temporary?.snapshot,
                isReadOnly: command.isReadOnly == true
            )
            try await consume(.done(StatementSummary(tag: "BEGIN")))
        case .commit:
            guard let open = transaction else { throw noTransaction("COMMIT", command.span) }
            transaction = nil
            if open.isFailed {
                await restoreTemporary(open)
                await discard(open)
                throw EngineError(
                    .conflict,
                    "the transaction was rolled back: a statement in it failed",
                    hint: "Run it again from BEGIN."
                )
            }
            let position: Int64?
            do {
                position = try await commit(open)
            } catch {
                await restoreTemporary(open)
                throw error
            }
            if let before = open.temporaryBefore { try? await freeTemporary(before) }
            try await consume(.done(StatementSummary(tag: "COMMIT", position: position)))
        case .rollback:
            guard let open = transaction else { throw noTransaction("ROLLBACK", command.span) }
            transaction = nil
            await restoreTemporary(open)
            await discard(open)
            try await consume(.done(StatementSummary(tag: "ROLLBACK")))
        }
    }

    private func noTransaction(_ word: String, _ span: SourceSpan) -> PlanError {
        PlanError(
            .invalid,
            "\(word): there is no transaction",
            hint: "BEGIN starts one.",
            at: span
        )
    }

    /// Ends a transaction that nobody committed.
    ///
    /// - Returns: whether there was one with changes, which are gone.
    @discardableResult
    package func abandonTransaction() async -> Bool {
        guard let open = transaction else { return false }
        transaction = nil
        await restoreTemporary(open)
        await discard(open)
        return !open.operations.isEmpty
    }

    /// Runs a statement of a transaction, which is over for good when the statement fails.
    func inTransaction(_ body: () async throws -> Void) async throws {
        if transaction?.isFailed == true {
            throw EngineError(
                .conflict,
                "a statement of the transaction failed: nothing more is done in it",
                hint: "ROLLBACK, then run it again."
            )
        }
        do {
            try await body()
        } catch {
            transaction?.isFailed = true
            throw error
        }
    }

    /// The catalog as the transaction sees it.
    func transactionSnapshot(_ catalog: WarehouseCatalog) async throws -> CatalogSnapshot {
        if let staged = transaction?.staged { return staged }
        let read = try await catalog.read(of: reference)
        transaction?.pinned = read
        transaction?.staged = read
        return read
    }

    /// Does in the transaction what COMMIT will do for all.
    func stage(
        _ operations: [CatalogOperation],
        lineage: CommitLineage?,
        message: String?
    ) async throws -> CommitReceipt {
        let catalog = try await engine.catalog(creating: true)
        if transaction?.isReadOnly == true {
            throw EngineError(
                .invalid,
                "the transaction is READ ONLY",
                hint: "BEGIN without READ ONLY to change something."
            )
        }
        let base = try await transactionSnapshot(catalog)
        let staged = try await catalog.stage(
            CatalogCommit(
                id: catalog.makeCommitID(),
                actor: context.actor,
                operations: operations
            ),
            on: base
        )
        if let lineage { transaction?.lineage.append(lineage) }
        transaction?.staged = staged.snapshot
        transaction?.stagedKeys += staged.keys
        // What was staged in between has other names then; the whole transaction is held to what it pinned.
        transaction?.operations += operations.filter {
            if case .require = $0 { false } else { true }
        }
        for operation in operations { transaction?.changed.formUnion(operation.changedNames) }
        return staged.receipt
    }

    /// Commits all of a transaction as one entry of the log.
    ///
    /// - Returns: the entry's position; nil when there was nothing to commit.
    private func commit(_ open: OpenTransaction) async throws -> Int64? {
        guard let pinned = open.pinned, !open.operations.isEmpty else { return nil }
        var expected: [TableIdentifier: TableEntry?] = [:]
        for name in open.changed { expected.updateValue(pinned.reference(of: name), forKey: name) }
        let catalog = try await engine.catalog(creating: true)
        let lineage = open.lineage.facts.isEmpty ? nil : open.lineage
        do {
            let receipt = try await catalog.commit(
                CatalogCommit(
                    id: catalog.makeCommitID(),
                    actor: context.actor,
                    branch: reference,
                    requestID: context.requestID,
                    message: context.message,
                    lineage: try engine.carriedMaps.entry(of: lineage),
                    operations: [.require(expected)] + open.operations
                )
            )
            engine.carriedMaps.note(lineage, receipt)
            // What was staged has been written again, under the names that the log knows.
            try? await catalog.store.delete(open.stagedKeys)
            return receipt.position
        } catch let error as CatalogError {
            switch error.code {
            case .unknownOutcome, .corrupt, .unsupported, .warehouseNotFound, .positionNotFound:
                // It may have landed, or nobody can say: what was written stays.
                throw error
            case .busy, .invalid:
                await discard(open)
                throw error
            case .conflict, .alreadyExists, .tableNotFound, .namespaceNotFound, .notEmpty,
                .referenceNotFound:
                await discard(open)
                throw Self.serializationFailure(error.message)
            }
        } catch {
            guard Self.isConflict(error) || error is EngineError else { throw error }
            await discard(open)
            throw Self.isConflict(error) ? Self.serializationFailure("\(error)") : error
        }
    }

    private static func serializationFailure(_ cause: String) -> EngineError {
        EngineError(
            .conflict,
            "the transaction could not be serialized, and nothing of it was committed: \(cause)",
            hint: "Run it again from BEGIN."
        )
    }

    /// Removes the files of a transaction that is not going to be committed: no entry names them.
    private func discard(_ open: OpenTransaction) async {
        if let catalog = try? await engine.catalog(creating: false) {
            try? await catalog.store.delete(open.stagedKeys)
        }
        for file in open.dataFiles { try? await file.store.delete([file.key]) }
    }
}

extension Statement {
    /// Refuses texts that end inside a transaction, where the session ends with the text.
    static func checkTransactions(_ statements: [ParsedStatement]) throws {
        var opening: TransactionCommand?
        for parsed in statements {
            guard case .transaction(let command) = parsed.statement else { continue }
            opening = command.kind == .begin ? command : nil
        }
        if let opening {
            throw PlanError(
                .invalid,
                "the transaction is not ended: nothing was done",
                hint: "End it with COMMIT in the same text.",
                at: opening.span
            )
        }
    }
}
