/// One statement.
package indirect enum Statement: Sendable, Hashable {
    case query(Query)

    case insert(Insert)
    case update(Update)
    case delete(Delete)
    case merge(Merge)
    case truncate(Truncate)
    case copy(Copy)

    case createTable(CreateTable)
    case createView(CreateView)
    case createSchema(CreateSchema)
    case alterSchema(AlterSchema)
    case drop(Drop)
    case alterTable(AlterTable)
    case comment(CommentOn)

    case show(Show)
    case describe(Describe)
    case explain(Explain)
    case use(Use)
    case set(SetSetting)
    case reset(ResetSetting)
    case transaction(TransactionCommand)
    case prepare(Prepare)
    case execute(Execute)
    case deallocate(Deallocate)
    case createMacro(CreateMacro)
    case dropMacro(DropMacro)
    case createIndex(CreateIndex)
    case dropIndex(DropIndex)
    case createCatalogReference(CreateCatalogReference)
    case dropCatalogReference(DropCatalogReference)
    case mergeBranch(MergeBranch)
    case undropTable(UndropTable)
}

/// A statement and the text it was read from, without the semicolon.
package struct ParsedStatement: Sendable, Hashable {
    package var statement: Statement
    /// Cut the text by `span.offsetBytes ..< span.endBytes` of its UTF-8.
    package var span: SourceSpan

    package init(statement: Statement, span: SourceSpan = .none) {
        self.statement = statement
        self.span = span
    }
}
