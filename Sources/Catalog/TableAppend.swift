package import Iceberg

/// Data files and rows to add to a table, whatever others did to it meanwhile.
package struct TableAppend: Sendable {
    /// What is added as it was written.
    package var files: [DataFile]
    /// Those of them, and of what they refer to, that are not in the store yet.
    package var unwritten: [TableChange.File]
    /// What is written when it is known which other appends it comes with.
    package var rows: (any AppendedRows)?
    /// Whether a table lets appends share a snapshot.
    package var isWanted: @Sendable (TableMetadata) -> Bool
    /// Fails when the rows may not be added any more.
    package var check: @Sendable (TableMetadata) throws -> Void
    /// Makes the change that adds files, its own or others' too, with a snapshot of this id (nil: any).
    ///
    /// Runs as `prepare` of `changeTable` does.
    package var prepare: @Sendable (TableBase, [DataFile], Int64?) async throws -> TableChange

    package init(
        files: [DataFile],
        unwritten: [TableChange.File] = [],
        rows: (any AppendedRows)? = nil,
        isWanted: @escaping @Sendable (TableMetadata) -> Bool = { _ in true },
        check: @escaping @Sendable (TableMetadata) throws -> Void = { _ in },
        prepare: @escaping @Sendable (TableBase, [DataFile], Int64?) async throws -> TableChange
    ) {
        self.files = files
        self.unwritten = unwritten
        self.rows = rows
        self.isWanted = isWanted
        self.check = check
        self.prepare = prepare
    }

    /// The change for a snapshot of its own.
    @Sendable func change(of base: TableBase) async throws -> TableChange {
        if let metadata = base.metadata { try check(metadata) }
        let written = try await rows?.written(with: [])
        var change = try await prepare(base, files + (written?.files ?? []), nil)
        change.files += unwritten + (written?.unwritten ?? [])
        return change
    }
}

/// Rows of an append to a table that are in memory, because they are few.
package protocol AppendedRows: Sendable {
    var rowCount: Int { get }
    /// What they take in memory, about.
    var byteCount: Int { get }

    /// Data files with these rows and then those of other appends to the same table, in order.
    ///
    /// Asked again with the same others it gives the same files.
    func written(with others: [any AppendedRows]) async throws -> WrittenAppends
}

/// Rows of appends, one after the other, as data files.
package struct WrittenAppends: Sendable {
    package var files: [DataFile]
    /// The files that are not in the store yet.
    package var unwritten: [TableChange.File]
    /// Where the rows of each append are.
    package var places: [AddedFiles]

    package init(files: [DataFile], unwritten: [TableChange.File], places: [AddedFiles]) {
        self.files = files
        self.unwritten = unwritten
        self.places = places
    }
}
