import CommitLog
import HashTreeCollections

// One log tells of all branches. The state that its entries are folded to holds a tree of names for `main`,
// two for each branch and one for each tag; they are persistent values and share what is the same, so that
// making one costs nothing.
//
// A branch's `base` is what it and the branch that it was made from last had in common: the state that it
// was made of, and after a merge what went over. So a merge brings what was changed since, and each of two
// branches that are merged both ways brings a change once.
//
// Invariants:
// 1. Names of branches and tags are one space, and at most `ReferenceName.countMax`.
// 2. A branch's parent is `main` (nil) or a branch that is there.

/// A branch of the whole catalog.
package struct CatalogBranch: Sendable, Equatable {
    package let name: String
    /// The branch that it was made from and is merged with; nil for `main`.
    package let parent: String?
    /// When it was made, in milliseconds since 1970.
    package let createdMillis: Int64
    /// The position whose state of the parent `base` is.
    package internal(set) var basePosition: Int64
    /// The last entry that changed it, or made it.
    package internal(set) var headPosition: Int64
    /// What branch and parent last had in common.
    package internal(set) var base: CatalogState
    /// Its names now.
    package internal(set) var head: CatalogState
}

/// A name for a state of the whole catalog, which never changes.
package struct CatalogTag: Sendable, Equatable {
    package let name: String
    /// The branch whose state it is; nil for `main`.
    package let branch: String?
    /// When it was made, in milliseconds since 1970.
    package let createdMillis: Int64
    /// The position whose state it is.
    package let position: Int64
    package let state: CatalogState
}

/// Everything the log says at one position: the names of `main`, of every branch and of every tag.
package struct BranchedState: Sendable, Equatable {
    package internal(set) var main = CatalogState()
    var branchesByName = TreeDictionary<String, CatalogBranch>()
    var tagsByName = TreeDictionary<String, CatalogTag>()

    init() {}

    // MARK: - Looking

    /// All branches but `main`, sorted by name.
    package var branches: [CatalogBranch] { branchesByName.values.sorted { $0.name < $1.name } }

    /// All tags, sorted by name.
    package var tags: [CatalogTag] { tagsByName.values.sorted { $0.name < $1.name } }

    /// The branch of a name, which is not `main`; nil when there is none.
    package func branch(_ name: String) -> CatalogBranch? { branchesByName[name] }

    /// The tag of a name; nil when there is none.
    package func tag(_ name: String) -> CatalogTag? { tagsByName[name] }

    /// The names of `main` (nil), a branch or a tag.
    ///
    /// - Throws: `referenceNotFound`.
    package func state(of reference: String?) throws(CatalogError) -> CatalogState {
        guard let reference, reference != ReferenceName.main else { return main }
        if let branch = branchesByName[reference] { return branch.head }
        if let tag = tagsByName[reference] { return tag.state }
        throw noReference(reference, "branch or tag")
    }

    /// The names of `main` (nil) or a branch, for changing them.
    ///
    /// - Throws: `referenceNotFound`, `invalid` for tags.
    func writableState(of branch: String?) throws(CatalogError) -> CatalogState {
        if let branch, tagsByName[branch] != nil {
            throw CatalogError(
                .invalid,
                "\"\(branch)\" is a tag: a tag is a state that never changes, it can only be read"
            )
        }
        guard let branch, branch != ReferenceName.main else { return main }
        return try existing(branch).head
    }

    func existing(_ branch: String) throws(CatalogError) -> CatalogBranch {
        guard let found = branchesByName[branch] else { throw noReference(branch, "branch") }
        return found
    }

    /// - Parameter what: `branch`, `tag`, or both.
    func noReference(_ name: String, _ what: String) -> CatalogError {
        let known = branches.map(\.name) + tags.map(\.name)
        var message = "the catalog has no \(what) \"\(name)\""
        if known.isEmpty {
            message += ", only \"main\""
        } else {
            let shown = known.prefix(8).joined(separator: ", ")
            message +=
                "; it has main, \(shown)\(known.count > 8 ? " and \(known.count - 8) more" : "")"
        }
        return CatalogError(.referenceNotFound, message)
    }

    /// A table or view of a branch or tag.
    package struct Holding: Sendable {
        /// The branch or tag.
        package let reference: String
        package let name: TableIdentifier
        package let content: CatalogDifference.Content
    }

    /// The states of tables and views that `main`, branches (or their bases) and tags have and another state has
    /// not, each once; the cost follows what differs.
    package func contents(besides state: CatalogState) throws(CatalogError) -> [Holding] {
        var trees = [(ReferenceName.main, main)]
        for branch in branches {
            trees += [(branch.name, branch.head), (branch.name, branch.base)]
        }
        for tag in tags { trees.append((tag.name, tag.state)) }
        var seen: Set<String> = []
        var found: [Holding] = []
        for (reference, tree) in trees {
            for difference in try state.differences(to: tree) {
                guard let name = difference.table, let content = difference.after,
                    let entry = content.entry, seen.insert(entry.metadataLocation).inserted
                else { continue }
                found.append(Holding(reference: reference, name: name, content: content))
            }
        }
        return found
    }

    // MARK: - Changing

    /// Makes one change; the only way a state ever changes.
    ///
    /// - Throws: the reason why the change does not fit; the state is not to be used then.
    mutating func apply(
        _ change: CatalogChange,
        of header: LogEntry.Header
    ) throws(CatalogError) {
        switch change {
        case .onBranch(let name, let changes):
            var branch = try existing(name)
            for change in changes { try branch.head.apply(change) }
            branch.headPosition = header.sequence
            branchesByName[name] = branch
        case .createBranch(let start): try createBranch(start, header)
        case .dropBranch(let name):
            _ = try existing(name)
            let children = branches.filter { $0.parent == name }.map(\.name)
            guard children.isEmpty else {
                throw CatalogError(
                    .notEmpty,
                    "branch \"\(name)\" cannot be dropped: \(children.joined(separator: ", ")) was made "
                        + "from it and is merged into it"
                )
            }
            branchesByName[name] = nil
        case .mergeBranch(let source, let target, let changes):
            try merge(source, into: target, changes, header)
        case .createTag(let start):
            let (state, source) = try self.start(start, header)
            tagsByName[start.name] = CatalogTag(
                name: start.name,
                branch: source,
                createdMillis: header.timeMillis,
                position: start.position,
                state: state
            )
        case .dropTag(let name):
            guard tagsByName[name] != nil else { throw noReference(name, "tag") }
            tagsByName[name] = nil
        default: try main.apply(change)
        }
    }

    /// The state that a branch or tag begins with, and the branch that it is of.
    private func start(
        _ start: ReferenceStart,
        _ header: LogEntry.Header
    ) throws(CatalogError) -> (CatalogState, branch: String?) {
        try ReferenceName.check(start.name)
        if branchesByName[start.name] != nil {
            throw CatalogError(.alreadyExists, "branch \"\(start.name)\" exists already")
        }
        if tagsByName[start.name] != nil {
            throw CatalogError(.alreadyExists, "tag \"\(start.name)\" exists already")
        }
        guard branchesByName.count + tagsByName.count < ReferenceName.countMax else {
            throw CatalogError(
                .invalid,
                "the catalog has \(ReferenceName.countMax) branches and tags, which is the limit: drop some"
            )
        }
        guard start.position <= header.sequence else {
            throw CatalogError(.invalid, "the log has not reached position \(start.position)")
        }
        var state = try state(of: start.source)
        for change in start.changes { try state.apply(change) }
        var branch = start.source == ReferenceName.main ? nil : start.source
        if let tag = tagsByName[start.source] { branch = tag.branch }
        // Of a tag whose branch is gone only the state is left.
        if let name = branch, branchesByName[name] == nil { branch = nil }
        return (state, branch)
    }

    private mutating func createBranch(
        _ start: ReferenceStart,
        _ header: LogEntry.Header
    ) throws(CatalogError) {
        let (state, parent) = try self.start(start, header)
        branchesByName[start.name] = CatalogBranch(
            name: start.name,
            parent: parent,
            createdMillis: header.timeMillis,
            basePosition: start.position,
            headPosition: header.sequence,
            base: state,
            head: state
        )
    }

    private mutating func merge(
        _ source: String,
        into target: String,
        _ changes: [CatalogChange],
        _ header: LogEntry.Header
    ) throws(CatalogError) {
        let (name, isForth) = try mergedBranch(source, target)
        var branch = try existing(name)
        if isForth {
            // Everything of the branch is in its parent now.
            var state = try writableState(of: branch.parent)
            for change in changes { try state.apply(change) }
            set(state, of: branch.parent, header)
            branch.base = branch.head
        } else {
            for change in changes { try branch.head.apply(change) }
            branch.base = try writableState(of: branch.parent)
            branch.headPosition = header.sequence
        }
        branch.basePosition = header.sequence
        branchesByName[name] = branch
    }

    /// Which of two branches was made from the other, and whether it is the source of a merge of the two.
    ///
    /// - Throws: `referenceNotFound`; `invalid` when neither was made from the other: they have no state of
    ///   which it is known that both had it.
    func mergedBranch(
        _ source: String,
        _ target: String
    ) throws(CatalogError) -> (name: String, isForth: Bool) {
        _ = try writableState(of: source)
        _ = try writableState(of: target)
        if let branch = branchesByName[source], branch.parent ?? ReferenceName.main == target {
            return (source, true)
        }
        if let branch = branchesByName[target], branch.parent ?? ReferenceName.main == source {
            return (target, false)
        }
        var message = "\"\(source)\" cannot be merged into \"\(target)\": "
        if source == target {
            message += "it is the same branch"
        } else {
            let parent = branchesByName[source]?.parent ?? ReferenceName.main
            message += "branches are merged with the one that they were made from"
            if branchesByName[source] != nil {
                message += ", which is \"\(parent)\" for \"\(source)\""
            }
        }
        throw CatalogError(.invalid, message)
    }

    mutating func set(
        _ state: CatalogState,
        of branch: String?,
        _ header: LogEntry.Header
    ) {
        guard let branch, branch != ReferenceName.main else {
            main = state
            return
        }
        branchesByName[branch]?.head = state
        branchesByName[branch]?.headPosition = header.sequence
    }
}
