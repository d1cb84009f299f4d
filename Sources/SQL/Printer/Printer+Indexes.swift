extension Printer {
    @inline(never)
    mutating func write(_ index: CreateIndex) {
        text += index.isUnique ? "CREATE UNIQUE INDEX " : "CREATE INDEX "
        if index.isIfNotExists { text += "IF NOT EXISTS " }
        write(index.name)
        text += " ON "
        write(index.table)
        text += " "
        parenthesised(index.columns) { $0.write($1) }
    }

    @inline(never)
    mutating func write(_ drop: DropIndex) {
        text += "DROP INDEX "
        if drop.isIfExists { text += "IF EXISTS " }
        list(drop.names) { $0.write($1) }
    }
}
