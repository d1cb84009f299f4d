import Ambient
import Catalog
import Columnar
import CommitLog
import Execution
import Iceberg
import ObjectStorage
import Planner
import SQL
import Tables

// Branches and tags of the whole catalog. What a branch means for a query is decided in one place: the session's
// snapshots of the catalog show the names of its branch (`lakeSnapshot`), and its commits are made to it.

extension Session {
    /// Reads, and writes where it is a branch, another branch or tag of the catalog from now on; nil for `main`.
    ///
    /// - Throws: when there is none at the session's instant; in a transaction.
    package func select(reference name: String?) async throws {
        try await select(reference: name, at: .none)
    }

    func select(reference name: String?, at span: SourceSpan) async throws {
        let name = name == ReferenceName.main ? nil : name
        if name == reference { return }
        try requireNoTransaction("switching branches")
        guard let name else {
            (reference, isOnTag) = (nil, false)
            return
        }
        let catalog = try await engine.catalog(creating: false)
        let state: BranchedState
        switch asOf {
        case nil: state = try await catalog.read().branched
        case .position(let position)?: state = try await catalog.snapshot(at: position).branched
        case .millis(let millis)?: state = try await catalog.snapshot(atMillis: millis).branched
        }
        guard state.branch(name) != nil || state.tag(name) != nil else {
            throw noReference(name, "branch or tag", state, at: span)
        }
        (reference, isOnTag) = (name, state.tag(name) != nil)
    }

    func requireNoTransaction(_ what: String) throws {
        guard transaction == nil else {
            throw EngineError(
                .invalid,
                "\(what) cannot be done in a transaction: it is on one branch",
                hint: "COMMIT or ROLLBACK it first."
            )
        }
    }

    private func noReference(
        _ name: String,
        _ what: String,
        _ state: BranchedState,
        at span: SourceSpan
    ) -> PlanError {
        var known = [ReferenceName.main]
        if what != "tag" { known += state.branches.map(\.name) }
        if what != "branch" { known += state.tags.map(\.name) }
        let hint =
            nearest(to: name, among: known).map { "Did you mean \($0)?" }
            ?? "SHOW BRANCHES and SHOW TAGS list what there is; CREATE BRANCH \(name) makes one."
        return PlanError(.invalid, "the catalog has no \(what) \"\(name)\"", hint: hint, at: span)
    }

    // MARK: Making and dropping

    func runCreateReference(
        _ create: CreateCatalogReference,
        _ parameters: Parameters,
        _ consume: Consumer
    ) async throws {
        let word = "CREATE \(create.kind.rawValue)"
        try requireNoTransaction(word)
        let catalog = try await engine.catalog(creating: true)
        let (name, source) = (create.name.name, create.source?.name ?? reference)
        let now = try await catalog.read()
        if create.isIfNotExists, now.branched.branch(name) != nil || now.branched.tag(name) != nil {
            return try await consume(.done(StatementSummary(tag: word)))
        }
        if let source, source != ReferenceName.main, now.branched.branch(source) == nil,
            now.branched.tag(source) == nil
        {
            let span = create.source?.span ?? create.span
            throw noReference(source, "branch or tag", now.branched, at: span)
        }
        let instant = try create.asOf.map { try self.instant($0, parameters) } ?? asOf
        var older: CatalogSnapshot?
        if let instant {
            if let source, now.branched.tag(source) != nil {
                throw PlanError(
                    .invalid,
                    "\"\(source)\" is a tag, which is of one position: AS OF says another",
                    at: create.span
                )
            }
            switch instant {
            case .position(let position):
                older = try await catalog.snapshot(at: position).on(source)
            case .millis(let millis):
                older = try await catalog.snapshot(atMillis: millis).on(source)
            }
        }
        let operation: CatalogOperation =
            create.kind == .branch
            ? .createBranch(name, from: source, at: older)
            : .createTag(name, from: source, at: older)
        let position = try await changeReferences(operation)
        try await consume(.done(StatementSummary(tag: word, position: position)))
    }

    private func instant(
        _ asOf: TimeTravel,
        _ parameters: Parameters
    ) throws -> CatalogInstant {
        switch asOf {
        case .version(let expression):
            switch try constant(expression, parameters) {
            case .int32(let position): return .position(Int64(position))
            case .int64(let position): return .position(position)
            default:
                throw PlanError(
                    .invalid,
                    "a version of the catalog is a position of its log, a whole number",
                    at: expression.span
                )
            }
        case .timestamp(let expression):
            switch try constant(expression, parameters) {
            case .timestamptz(let micros), .timestamp(let micros): return .millis(micros / 1000)
            case .date(let days): return .millis(Int64(days) * 86_400_000)
            case .string(let text):
                guard Int64(text) == nil else { break }
                return try CatalogInstant(text)
            default: break
            }
            throw PlanError(.invalid, "AS OF TIMESTAMP takes a time", at: expression.span)
        }
    }

    func runDropReference(_ drop: DropCatalogReference, _ consume: Consumer) async throws {
        let word = "DROP \(drop.kind.rawValue)"
        try requireNoTransaction(word)
        let name = drop.name.name
        if drop.kind == .branch, name == ReferenceName.main {
            throw PlanError(
                .invalid,
                "\"main\" is the catalog's trunk: it cannot be dropped",
                at: drop.name.span
            )
        }
        let state = try await engine.catalog(creating: false).read().branched
        let isThere = drop.kind == .branch ? state.branch(name) != nil : state.tag(name) != nil
        guard isThere else {
            if drop.isIfExists {
                return try await consume(.done(StatementSummary(tag: word)))
            }
            throw noReference(
                name,
                drop.kind == .branch ? "branch" : "tag",
                state,
                at: drop.name.span
            )
        }
        guard name != reference else {
            throw PlanError(
                .invalid,
                "the session is on \"\(name)\"",
                hint: "RESET branch first.",
                at: drop.name.span
            )
        }
        let position = try await changeReferences(
            drop.kind == .branch ? .dropBranch(name) : .dropTag(name)
        )
        try await consume(.done(StatementSummary(tag: word, position: position)))
    }

    private func changeReferences(_ operation: CatalogOperation) async throws -> Int64 {
        let catalog = try await engine.catalog(creating: true)
        let receipt = try await catalog.commit(
            CatalogCommit(
                id: catalog.makeCommitID(),
                actor: context.actor,
                requestID: context.requestID,
                message: context.message,
                operations: [operation]
            )
        )
        return receipt.position
    }

    // MARK: Merging

    func runMergeBranch(_ merge: MergeBranch, _ consume: Consumer) async throws {
        try requireNoTransaction("MERGE BRANCH")
        if asOf != nil { try requirePresent() }
        let catalog = try await engine.catalog(creating: false)
        let state = try await catalog.read()
        let source = merge.source.name
        for name in [merge.source, merge.target].compactMap({ $0 })
        where name.name != ReferenceName.main && state.branched.branch(name.name) == nil {
            if state.branched.tag(name.name) != nil {
                throw PlanError(
                    .invalid,
                    "\"\(name.name)\" is a tag: branches are merged",
                    hint: "CREATE BRANCH … FROM \(name.name) makes a branch of it.",
                    at: name.span
                )
            }
            throw noReference(name.name, "branch", state.branched, at: name.span)
        }
        let parent = state.branched.branch(source)?.parent
        let target = merge.target?.name ?? parent ?? ReferenceName.main
        let plan = try catalog.merge(of: source, into: target, in: state)
        guard plan.hasNews else {
            // Nobody has to be told in the log that nothing was done.
            let summary = StatementSummary(tag: "MERGE BRANCH (nothing to merge)", rowCount: 0)
            return try await consume(.done(summary))
        }
        let receipt = try await catalog.commit(
            CatalogCommit(
                id: catalog.makeCommitID(),
                actor: context.actor,
                requestID: context.requestID,
                message: context.message,
                operations: [
                    .mergeBranch(source, into: target) { try await self.checkReferences(of: $0) }
                ]
            )
        )
        try await consume(
            .done(
                StatementSummary(
                    tag: "MERGE BRANCH",
                    rowCount: receipt.changes.count { !$0.isAboutReferences },
                    position: receipt.position
                )
            )
        )
    }

    /// That foreign keys hold where one side of a merge changed the rows that refer, and the other those that
    /// are referred to: each was checked against what its own branch had.
    ///
    /// Rules of one table need no look: a table that both changed is a conflict.
    private func checkReferences(of view: MergeView) async throws {
        let merge = view.merge
        for (children, parents) in [(view.incoming, view.own), (view.own, view.incoming)] {
            let parentsByUUID = Dictionary(
                parents.map { ($0.metadata.tableUUID, $0) },
                uniquingKeysWith: { first, _ in first }
            )
            for child in children {
                for constraint in try TableDeclarations(child.metadata).constraints {
                    guard case .foreignKey(let key) = constraint.rule,
                        let parent = parentsByUUID[key.tableUUID]
                    else { continue }
                    do {
                        try await checkReference(
                            key,
                            constraint.name,
                            from: try await rowFiles(of: child, view.unwritten),
                            of: child.identifier,
                            to: try await rowFiles(of: parent, view.unwritten)
                        )
                    } catch let error as EngineError {
                        throw EngineError(
                            .badRows,
                            "\"\(merge.source)\" cannot be merged into \"\(merge.target)\", and nothing was: "
                                + error.message,
                            hint: "Mend the rows on one of the branches, then merge again."
                        )
                    }
                }
            }
        }
    }

    private func rowFiles(
        of table: LoadedTable,
        _ unwritten: [String: [UInt8]]
    ) async throws -> RowFiles {
        let catalog = try await engine.catalog(creating: false)
        var storage = try storage(of: table.metadata, catalog)
        if !unwritten.isEmpty {
            storage = TableStorage(OverlayStore(below: storage.store, files: unwritten))
        }
        let reader = try TableReader(
            table.metadata,
            storage: storage,
            metadataFile: table.metadataLocation
        )
        return RowFiles(reader: reader, files: try await reader.plan().files)
    }
}

// MARK: - For the command line

extension Session {
    /// The branch that a merge goes into when a person does not say: the one that the source was made from.
    package func mergeTarget(of source: String, into target: String?) async throws -> String {
        if let target { return target }
        let state = try await engine.catalog(creating: false).read().branched
        return state.branch(source)?.parent ?? ReferenceName.main
    }

    /// How many names stand in the way of a merge.
    package func conflictCount(of source: String, into target: String) async throws -> Int {
        let catalog = try await engine.catalog(creating: false)
        return try catalog.merge(of: source, into: target, in: try await catalog.read())
            .conflicts.count
    }
}
