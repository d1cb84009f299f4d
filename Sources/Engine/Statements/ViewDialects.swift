import Catalog
import Iceberg
import Planner

extension ViewMetadata {
    /// Dialects near enough to ours that their texts may be tried, the nearest first.
    private static let foreignDialects = ["duckdb", "trino", "spark"]

    /// The text of the view that this program reads, and whose SQL it is: our own, else that of an engine
    /// whose SQL is near ours, unless it holds what means something else here.
    ///
    /// - Throws: `unsupported` when there is none.
    func readableText(_ view: TableIdentifier) throws -> ViewMetadata.Representation {
        let all = currentVersion.representations
        func text(of dialect: String) -> Representation? {
            all.first { $0.dialect.lowercased() == dialect }
        }
        if let own = text(of: Session.viewDialect) {
            return Representation(sql: own.sql, dialect: Session.viewDialect)
        }
        var trap: String?
        for dialect in Self.foreignDialects {
            guard let found = text(of: dialect) else { continue }
            let difference = Self.difference(of: dialect, in: found.sql)
            if difference == nil { return found }
            trap = trap ?? difference
        }
        let dialects = Set(all.map(\.dialect)).sorted().joined(separator: ", ")
        throw PlanError(
            .unsupported,
            "view \"\(view)\" is written in the SQL of \(dialects)"
                + (trap.map { ": \($0)" } ?? ""),
            hint: "Make it with CREATE OR REPLACE VIEW to read it here."
        )
    }

    /// What in a text would be read here without an error and mean something else there.
    ///
    /// It looks at characters, so it refuses some texts that have them in strings or comments.
    private static func difference(of dialect: String, in sql: String) -> String? {
        switch dialect {
        case "spark":
            if sql.utf8.contains(0x22) { return "\" encloses strings in it, and names here" }
            if sql.utf8.contains(0x5C) {
                return "\\ escapes characters in its strings, and not here"
            }
            if sql.utf8.contains(0x5B) { return "[0] is the first of a list in it, and [1] here" }
            return nil
        case "trino":
            return sql.utf8.contains(0x2F) ? "/ of integers is an integer in it, and not here" : nil
        default: return nil
        }
    }
}
