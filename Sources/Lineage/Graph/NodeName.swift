/// What a question is about, as a person writes it.
///
/// `table`, `ns.table`, `ns.table.column`, `ns.table@snapshot`, `ns.table.column@snapshot`, or a file:
/// `data/flights.csv`, `s3://bucket/x.parquet`, with `#column` behind it for one of its columns. Parts
/// with dots or odd characters stand in double quotes. Or what ran: `run:ID`, or `job:NAME` for all runs
/// of a job, whatever its kind and version.
package struct NodeName: Sendable, Hashable {
    /// What ran, by its name.
    enum Execution: Sendable, Hashable {
        case run(String)
        case job(String)
        /// The runs that wrote a data file of a table.
        case writers([String])
    }

    /// The text, as written.
    package let text: String
    let execution: Execution?
    /// The parts between the dots, without quotes; empty for an unfinished quote.
    let parts: [String]
    let snapshotID: Int64?

    /// Whether it names what ran, which has to be looked for among all runs.
    package var isOfRuns: Bool { execution != nil }

    /// A data file, as the runs that wrote it; Engine finds them.
    ///
    /// - Parameter path: what the file is called in answers.
    /// - Throws: `invalid` for an empty text, or no runs.
    package init(dataFile path: String, runs: [String]) throws(LineageError) {
        guard !path.isEmpty, !runs.isEmpty else {
            throw LineageError(.invalid, "\"\(path.prefix(200))\" is no data file that runs wrote")
        }
        text = path
        execution = .writers(runs)
        (parts, snapshotID) = ([], nil)
    }

    /// - Throws: `invalid` for an empty text, an empty part, or a quote without end.
    package init(_ text: String) throws(LineageError) {
        self.text = text
        execution = try Self.execution(text)
        if execution != nil {
            (parts, snapshotID) = ([], nil)
            return
        }
        var parts: [String] = []
        var part = ""
        var isQuoted = false
        var wasQuoted = false
        var snapshot: String?
        for character in text.unicodeScalars {
            if snapshot != nil {
                snapshot?.unicodeScalars.append(character)
            } else if character == "\"" {
                if wasQuoted, !isQuoted { part += "\"" }
                isQuoted.toggle()
                wasQuoted = true
            } else if isQuoted {
                part.unicodeScalars.append(character)
            } else if character == "." {
                parts.append(part)
                (part, wasQuoted) = ("", false)
            } else if character == "@" {
                snapshot = ""
            } else {
                part.unicodeScalars.append(character)
            }
        }
        parts.append(part)
        let isPath = text.contains("/")
        guard !text.isEmpty, text.utf8.count <= LineageFacts.textBytesMax,
            isPath || (!isQuoted && !parts.contains(""))
        else {
            throw LineageError(.invalid, "\"\(text.prefix(200))\" names no table, column or file")
        }
        if let snapshot, !isPath {
            guard let id = Int64(snapshot) else {
                throw LineageError(
                    .invalid,
                    "\"\(snapshot.prefix(100))\" after @ is no snapshot id"
                )
            }
            snapshotID = id
        } else {
            snapshotID = nil
        }
        self.parts = parts
    }

    /// The tables and views that it may mean, each with a column of it, the likeliest first; none for what ran.
    ///
    /// - Parameter namespace: where a single part is looked up.
    package func candidates(in namespace: [String]) -> [(table: [String], column: String?)] {
        guard !parts.isEmpty else { return [] }
        var candidates: [(table: [String], column: String?)] = []
        if parts.count > 1 { candidates.append((parts, nil)) }
        candidates.append((namespace + parts, nil))
        if parts.count > 2 { candidates.append((Array(parts.dropLast()), parts.last)) }
        if parts.count > 1 { candidates.append((namespace + parts.dropLast(), parts.last)) }
        return candidates
    }

    private static func execution(_ text: String) throws(LineageError) -> Execution? {
        guard text.hasPrefix("run:") || text.hasPrefix("job:") else { return nil }
        let name = String(text.dropFirst(4))
        guard !name.isEmpty, name.utf8.count <= LineageFacts.textBytesMax else {
            throw LineageError(.invalid, "\"\(text.prefix(200))\" names no run and no job")
        }
        return text.hasPrefix("run:") ? .run(name) : .job(name)
    }

    /// Whether a part needs no quotes.
    private static func isPlain(_ part: String) -> Bool {
        // Most names are ASCII, and looking up properties of other scalars takes long.
        let isASCII = part.utf8.allSatisfy { byte in
            byte == 0x5F || byte == 0x2D || (0x30...0x39).contains(byte)
                || (0x61...0x7A).contains(byte | 0x20)
        }
        if isASCII { return !part.isEmpty }
        return part.unicodeScalars.allSatisfy {
            $0 == "_" || $0 == "-" || $0.properties.isAlphabetic || ("0"..."9").contains($0)
        }
    }

    /// The name of a table written so that it reads back.
    static func written(_ parts: [String]) -> String {
        parts.map { written($0) }.joined(separator: ".")
    }

    /// One part of a name.
    static func written(_ part: String) -> String {
        if isPlain(part) { return part }
        var text = "\""
        for scalar in part.unicodeScalars {
            if scalar == "\"" { text += "\"" }
            text.unicodeScalars.append(scalar)
        }
        return text + "\""
    }
}

extension IndexStorage {
    /// A node that a question starts from.
    struct Root {
        var key: NodeKey
        /// The event of the snapshot, when the question names one.
        var event: UInt32?
    }

    /// Finds what a name stands for after the first commits.
    ///
    /// The longest name of a table wins; a single part is looked up in `namespace`.
    func root(
        _ name: NodeName,
        namespace: [String],
        before commitCount: UInt32,
        _ views: ViewOverlay? = nil
    ) throws(LineageError) -> Root {
        guard name.execution == nil else {
            throw LineageError(
                .invalid,
                "\"\(name.text.prefix(200))\" is no table, column or file, as this question needs"
            )
        }
        if let file = try fileRoot(name, commitCount, views) { return file }
        let candidates = name.candidates(in: namespace)
        for (tableName, column) in candidates {
            if let found = views?.view(named: NodeName.written(tableName)) {
                return try viewRoot(found, column, name, views)
            }
            guard let text = findText(NodeName.written(tableName)),
                let table = dataset(named: text, before: commitCount)
            else { continue }
            var root = Root(key: .whole(table))
            if let column {
                guard
                    let index = self.column(column, of: table, commitCount)
                        ?? views?.column(named: column, of: table)
                else {
                    throw LineageError(
                        .notFound,
                        "lineage knows no column \"\(column)\" of "
                            + NodeName.written(tableName)
                    )
                }
                root.key.column = index
            }
            if let snapshot = name.snapshotID {
                guard let event = event(ofSnapshot: snapshot, of: table),
                    events[event].commit < commitCount
                else {
                    throw LineageError(
                        .notFound,
                        "lineage knows no snapshot \(snapshot) of \(NodeName.written(tableName))"
                    )
                }
                root.event = event
            }
            return root
        }
        let wasThere = candidates.contains { candidate in
            findText(NodeName.written(candidate.table)).map { lastUse(ofName: $0) != none } ?? false
        }
        throw LineageError(
            .notFound,
            wasThere
                ? "\(name.text) is not in the catalog then; it was at another time"
                : "lineage knows no table, column or file \"\(name.text)\""
        )
    }

    private func viewRoot(
        _ view: NodeKey,
        _ column: String?,
        _ name: NodeName,
        _ views: ViewOverlay?
    ) throws(LineageError) -> Root {
        guard name.snapshotID == nil else {
            throw LineageError(.invalid, "\(name.text) is a view, which has no snapshots")
        }
        guard let column else { return Root(key: view) }
        guard let number = views?.column(named: column, of: view.dataset) else {
            throw LineageError(.notFound, "the view has no column \"\(column)\": \(name.text)")
        }
        return Root(key: NodeKey(view.dataset, number))
    }

    private func fileRoot(
        _ name: NodeName,
        _ commitCount: UInt32,
        _ views: ViewOverlay?
    ) throws(LineageError) -> Root? {
        if let file = findDataset(name.text, isFile: true) { return Root(key: .whole(file)) }
        if let file = views?.file(name.text) { return Root(key: file) }
        guard let hash = name.text.lastIndex(of: "#") else { return nil }
        let path = String(name.text[..<hash])
        guard
            let file = findDataset(path, isFile: true) ?? views?.file(path)?.dataset
        else { return nil }
        let column = String(name.text[name.text.index(after: hash)...])
        let isOfIndex = NodeKey.whole(file).overlayPlace == nil
        guard
            let index = (isOfIndex ? self.column(column, of: file, commitCount) : nil)
                ?? views?.column(named: column, of: file)
        else {
            throw LineageError(.notFound, "lineage knows no column \"\(column)\" of that file")
        }
        return Root(key: NodeKey(file, index))
    }

    private func column(_ name: String, of dataset: UInt32, _ commitCount: UInt32) -> UInt32? {
        if name == "*" { return NodeKey.rowsColumn }
        guard let text = findText(name) else { return nil }
        return column(named: text, of: dataset, before: commitCount)
    }
}
