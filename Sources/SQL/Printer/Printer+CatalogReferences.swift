extension Printer {
    @inline(never)
    mutating func writeReferences(_ statement: Statement) {
        switch statement {
        case .createCatalogReference(let create):
            text += "CREATE \(create.kind.rawValue) "
            if create.isIfNotExists { text += "IF NOT EXISTS " }
            write(create.name)
            if let source = create.source {
                text += " FROM "
                write(source)
            }
            switch create.asOf {
            case nil: break
            case .version(let value)?:
                text += " AS OF VERSION "
                write(value)
            case .timestamp(let value)?:
                text += " AS OF TIMESTAMP "
                write(value)
            }
        case .dropCatalogReference(let drop):
            text += "DROP \(drop.kind.rawValue) "
            if drop.isIfExists { text += "IF EXISTS " }
            write(drop.name)
        case .mergeBranch(let merge):
            text += "MERGE BRANCH "
            write(merge.source)
            if let target = merge.target {
                text += " INTO "
                write(target)
            }
        case .undropTable(let undrop):
            text += "UNDROP TABLE "
            write(undrop.name)
            if let name = undrop.newName {
                text += " AS "
                write(name)
            }
        default: break
        }
    }
}
