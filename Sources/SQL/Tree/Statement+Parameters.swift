extension Statement {
    /// The parameters that stand in the statement, numbered ones first, each once.
    package var parameters: [Parameter] {
        // The printed text has every parameter as `$n` or `$name`, wherever it stands.
        var lexer = Lexer(bytes: Array(Printer.print(self).utf8))
        let text = TokenText(bytes: Array(Printer.print(self).utf8))
        var numbers: Set<Int> = []
        var names: [String] = []
        while true {
            let token = lexer.next()
            switch token.kind {
            case .end: return numbers.sorted().map { .numbered($0) } + names.map { .named($0) }
            case .numberedParameter:
                if let number = Int(text.source(token).dropFirst()) { numbers.insert(number) }
            case .namedParameter:
                let name = String(text.source(token).dropFirst())
                if !names.contains(name) { names.append(name) }
            default: break
            }
        }
    }
}
