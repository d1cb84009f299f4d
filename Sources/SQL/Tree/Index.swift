/// `CREATE [UNIQUE] INDEX [IF NOT EXISTS] name ON t (columns)`.
package struct CreateIndex: Sendable, Hashable {
    package var name: Identifier
    package var isUnique: Bool
    package var isIfNotExists: Bool
    package var table: ObjectName
    package var columns: [Identifier]
    package var span: SourceSpan
}

/// `DROP INDEX [IF EXISTS] name, …`.
package struct DropIndex: Sendable, Hashable {
    /// Each may stand behind a namespace.
    package var names: [ObjectName]
    package var isIfExists: Bool
    package var span: SourceSpan
}

extension AlterTable {
    /// `ALTER TABLE name action`, as other statements mean it.
    package init(_ name: ObjectName, _ action: AlterTableAction, span: SourceSpan) {
        self.init(name: name, isView: false, isIfExists: false, actions: [action], span: span)
    }
}
