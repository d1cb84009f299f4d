import Catalog
package import Columnar
import Iceberg
import Planner
import SQL

extension Session {
    /// The value that a text stands for as a parameter: what it means as a SQL literal, or else
    /// itself, as VARCHAR.
    package func parameterValue(_ text: String) -> (value: Value, type: DataType) {
        var binder = Binder(environment: environment([:]))
        if let expression = try? Parser.parseExpression(text),
            let literal = try? binder.literal(expression)
        {
            return literal
        }
        return (.string(text), .string)
    }

    /// The names that somebody who types a statement may mean: namespaces, tables (also without the
    /// session's namespace) and columns.
    ///
    /// - Parameter tableCountMax: columns are given of so many tables at most.
    package func names(tableCountMax: Int = 200) async throws -> [String] {
        let snapshot = try await catalogSnapshot(creating: false)
        var names = Set(snapshot.state.allNamespaces.map(\.description))
        for (index, table) in try snapshot.state.allTables().enumerated() {
            try Task.checkCancellation()
            names.insert(table.description)
            if table.namespace.levels == namespace || temporaryNames.contains(table) {
                names.insert(table.name)
            }
            guard index < tableCountMax,
                let loaded = try? await load(table, in: snapshot)
            else { continue }
            names.formUnion(loaded.metadata.currentSchema.fields.map(\.name))
        }
        return names.sorted()
    }
}
