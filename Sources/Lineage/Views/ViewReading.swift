/// What the definition of a view reads, as who bound it found out.
package struct ViewReading: Sendable {
    /// Something that a view reads.
    package enum Source: Sendable, Hashable {
        /// A table as it is now, or always at one snapshot.
        case table(uuid: String, name: [String], snapshotID: Int64?)
        /// Another view.
        case view(name: [String])
        /// A file's path or URL, as runs that read it call it.
        case file(String)
    }

    package var name: [String]
    package var uuid: String
    /// Its columns, in their order.
    package var columns: [String]
    package var sources: [Source]
    /// Which columns of which sources make its columns, and decide about its rows.
    package var map: ColumnMap
    /// Why it cannot be bound; nil for a view that can.
    package var failure: String?
    /// The texts of a view that cannot be bound: what they do not mention, it does not read; nil when they are not
    /// known.
    package var texts: [String]?

    package init(
        name: [String],
        uuid: String,
        columns: [String],
        sources: [Source],
        map: ColumnMap
    ) {
        (self.name, self.uuid, self.columns) = (name, uuid, columns)
        (self.sources, self.map) = (sources, map)
    }

    /// A view that cannot be bound.
    package init(
        name: [String],
        uuid: String,
        columns: [String],
        failure: String,
        texts: [String]?
    ) {
        (self.name, self.uuid, self.columns) = (name, uuid, columns)
        (sources, map) = ([], ColumnMap(outputs: []))
        (self.failure, self.texts) = (failure, texts)
    }
}

/// What a question about lineage is to know of the catalog at its state: views, which no commit says anything about.
package struct LineageViews: Sendable {
    /// A table as the catalog has it; the log may not know its columns.
    package struct Table: Sendable {
        package var uuid: String
        package var columns: [Column]

        package init(uuid: String, columns: [Column]) {
            (self.uuid, self.columns) = (uuid, columns)
        }
    }

    /// A column of a table's current schema.
    package struct Column: Sendable, Hashable {
        package var name: String
        package var fieldID: Int32?

        package init(name: String, fieldID: Int32?) {
            (self.name, self.fieldID) = (name, fieldID)
        }
    }

    /// Each after those that it reads.
    package let readings: [ViewReading]
    /// Tables that may be asked about by columns that no run has read or written.
    package let tables: [Table]
    /// Whether tables hold what they hold on `main`, which is what the log is asked about; elsewhere views are taken to
    /// see whatever was there.
    package let isOnMain: Bool
    /// What the newest question made of it: the next one about the same state need not.
    let laid = LaidViews()

    package init(readings: [ViewReading], tables: [Table] = [], isOnMain: Bool = true) {
        (self.readings, self.tables, self.isOnMain) = (readings, tables, isOnMain)
    }
}

/// Which words a text has, and so which names it may mention.
struct TextWords: Sendable {
    private let words: Set<String>
    /// nil for one that is not known: it may mention anything.
    private let text: String?

    init(_ texts: [String]?) {
        text = texts?.joined(separator: "\n").lowercased()
        var words: Set<String> = []
        var word = ""
        for scalar in (text ?? "").unicodeScalars {
            if Self.isOfWord(scalar) {
                word.unicodeScalars.append(scalar)
            } else if !word.isEmpty {
                words.insert(word)
                word = ""
            }
        }
        if !word.isEmpty { words.insert(word) }
        self.words = words
    }

    private static func isOfWord(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "_" || scalar.value >= 0x80 || ("a"..."z").contains(scalar)
            || ("0"..."9").contains(scalar)
    }

    /// Names in lower case, each with how far away it is.
    struct Names {
        private var words: [String: Int] = [:]
        private var others: [String: Int] = [:]

        mutating func add(_ name: String, _ depth: Int) {
            let name = name.lowercased()
            if name.unicodeScalars.allSatisfy(TextWords.isOfWord) {
                words[name] = min(words[name] ?? depth, depth)
            } else {
                others[name] = min(others[name] ?? depth, depth)
            }
        }

        /// The least depth of those that a text may mention, in whatever case; nil only when it mentions none.
        func depth(mentionedBy text: TextWords) -> Int? {
            guard let whole = text.text else {
                return (Array(words.values) + Array(others.values)).min()
            }
            var nearest = text.words.lazy.compactMap { words[$0] }.min()
            for (name, depth) in others where depth < nearest ?? .max {
                // Dialects double and escape quotes each in their own way.
                let isOdd = name.utf8.contains { $0 == 0x22 || $0 == 0x60 || $0 == 0x5C }
                if isOdd || whole.contains(name) { nearest = depth }
            }
            return nearest
        }
    }
}
