package import SQL

/// What the name of a view stands for.
package struct ViewDefinition: Sendable {
    /// The view's full name, for messages.
    package var name: String
    package var query: Query
    /// Where names without a namespace in the query are looked up.
    package var namespace: [String]
    /// The columns that the view has, found by name among those of the query; empty for all of them.
    package var columns: [String]

    package init(name: String, query: Query, namespace: [String], columns: [String]) {
        self.name = name
        self.query = query
        self.namespace = namespace
        self.columns = columns
    }
}

extension Binder {
    /// The parts of a table's name as they are looked up: inside a view a name without a namespace is one
    /// of the view's namespace.
    func lookedUp(_ name: ObjectName) -> [String] {
        let parts = name.map(\.folded)
        guard parts.count == 1, let namespace = openViews.last?.namespace else { return parts }
        // A temporary view has none.
        return namespace + parts
    }

    /// The rows of a view.
    ///
    /// - Parameter span: where the statement names the view; errors inside the view's own text point here.
    mutating func expand(_ view: ViewDefinition, at span: SourceSpan) throws -> LogicalPlan {
        guard !openViews.contains(where: { $0.name == view.name }) else {
            let circle = (openViews.map(\.name) + [view.name]).joined(separator: " -> ")
            throw PlanError(.invalid, "view \(view.name) contains itself: \(circle)", at: span)
        }
        let saved = (commonTables, outerLevels)
        commonTables = []
        outerLevels = []
        openViews.append(view)
        defer {
            (commonTables, outerLevels) = saved
            openViews.removeLast()
        }
        do {
            let plan = uniquelyNamed(try bind(query: view.query))
            return try columns(of: plan, view)
        } catch var error as PlanError {
            error.message = "view \(view.name): \(error.message)"
            error.position = span.lengthBytes > 0 ? span.position : nil
            throw error
        }
    }

    private mutating func columns(
        of plan: LogicalPlan,
        _ view: ViewDefinition
    ) throws -> LogicalPlan {
        let given = plan.columns
        if view.columns.isEmpty || view.columns == given.map(\.name) { return plan }
        return .project(
            try view.columns.map { name in
                guard
                    let column = given.first(where: { $0.name == name })
                        ?? given.first(where: { $0.name.lowercased() == name.lowercased() })
                else {
                    throw PlanError(
                        .invalid,
                        "its query gives no column \"\(name)\" any more",
                        hint: "Make the view again with CREATE OR REPLACE VIEW."
                    )
                }
                return LogicalPlan.Projection(
                    column.reference,
                    newColumn(name, column.type, isNullable: column.isNullable)
                )
            },
            plan
        )
    }
}
