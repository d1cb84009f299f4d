/// A name that SET, RESET, SHOW and `current_setting` know.
enum Setting: String, CaseIterable, Sendable {
    case asOf = "as_of"
    case branch
    case threads
    case memoryLimit = "memory_limit"
    case timeZone = "timezone"
    case schema
    case searchPath = "search_path"
    case defaultNullOrder = "default_null_order"
    case defaultOrder = "default_order"
    case applicationName = "application_name"
    case clientEncoding = "client_encoding"
    case standardConformingStrings = "standard_conforming_strings"

    /// Other names of the same settings, as other engines have them.
    private static let aliases: [String: Setting] = [
        "worker_threads": .threads, "max_memory": .memoryLimit, "time_zone": .timeZone,
        "null_order": .defaultNullOrder, "current_schema": .schema,
    ]

    /// The setting of a name in any case; nil when there is none.
    init?(named name: String) {
        let name = name.lowercased()
        guard let setting = Setting(rawValue: name) ?? Self.aliases[name] else { return nil }
        self = setting
    }

    /// All names, for messages.
    static var names: [String] { allCases.map(\.shown) + aliases.keys.sorted() }

    /// The name as it is shown.
    var shown: String { self == .timeZone ? "TimeZone" : rawValue }

    /// What it decides, in a sentence.
    var meaning: String {
        switch self {
        case .asOf: "The log position or time that all tables are read as of; now when not set."
        case .branch:
            "The branch or tag of the catalog that is read, and written; main when not set."
        case .threads: "Threads that work on one query."
        case .memoryLimit: "The most memory that a query may use."
        case .timeZone: "The time zone of timestamps with time zone."
        case .schema: "Where names without a namespace are looked up."
        case .searchPath: "Where names without a namespace are looked up; one namespace."
        case .defaultNullOrder: "Where sorts put NULL unless told otherwise."
        case .defaultOrder: "The direction of sorts unless told otherwise."
        case .applicationName: "What the client calls itself; changes nothing."
        case .clientEncoding: "The encoding of texts: always UTF8."
        case .standardConformingStrings: "Whether backslashes in texts are plain: always on."
        }
    }
}
