extension Parser {
    /// An error at the current token.
    @inline(never)
    func error(
        _ message: String,
        code: SQLError.Code = .syntax,
        at place: Token? = nil,
        hint: String? = nil
    ) -> SQLError {
        let place = place ?? token
        return SQLError(
            code: code,
            message: message,
            span: place.span,
            token: excerpt(place),
            hint: hint
        )
    }

    /// Says that the current token does not fit and what would have.
    ///
    /// A token that the lexer could not read is what is wrong, whatever was expected. A word that is
    /// nearly one of `candidates`, or of the words that start a clause, brings a hint; so does the
    /// word before, which may have passed as an alias: `SELECT a FORM t`.
    @inline(never)
    func unexpected(_ expected: String, candidates: [Keyword] = []) -> SQLError {
        if case .invalid(let problem) = token.kind { return invalid(problem) }
        let found = token.kind == .end ? "the text ends" : "unexpected \(describe(token))"
        var hint: String?
        let words = candidates.isEmpty ? Self.clauseKeywords : candidates
        if let meant = nearest(to: token, among: words) {
            hint = "did you mean \(meant.text)?"
        } else if previous.kind == .identifier,
            let meant = nearest(to: previous, among: candidates + Self.aliasKeywords)
        {
            hint = "did you mean \(meant.text) instead of \(excerpt(previous))?"
        } else if case .keyword(let keyword) = token.kind, keyword.role != .free,
            expected.contains("name")
        {
            hint = "\(keyword.text) is a reserved word; in double quotes it can be a name"
        }
        let message =
            token.kind == .end
            ? "\(found) where \(expected) is expected" : "\(found), expected \(expected)"
        return error(message, hint: hint)
    }

    private func invalid(_ problem: Token.Problem) -> SQLError {
        switch problem {
        case .unterminatedString:
            error("the string that starts here never ends", hint: "a quote inside is written twice")
        case .unterminatedIdentifier:
            error("the quoted name that starts here never ends")
        case .unterminatedComment:
            error("the comment that starts here never ends")
        case .unterminatedDollar:
            error("the dollar-quoted string that starts here never ends")
        case .emptyIdentifier:
            error("a quoted name must not be empty")
        case .malformedNumber:
            error("\(excerpt(token)) is neither a number nor a name")
        case .unknownCharacter:
            error("unexpected character \(excerpt(token))")
        }
    }

    /// The token for a message: its text, cut when long.
    func describe(_ token: Token) -> String {
        switch token.kind {
        case .end: "the end of the text"
        case .keyword(let keyword) where keyword.role != .free: keyword.text
        case .string: "the string \(excerpt(token))"
        case .integer, .decimal, .integerWithBase: "the number \(excerpt(token))"
        case .symbol: "\"\(excerpt(token))\""
        default: "\"\(excerpt(token))\""
        }
    }

    @inline(never)
    func excerpt(_ token: Token) -> String {
        let source = text.source(token)
        guard source.unicodeScalars.count > 60 else { return source }
        var cut = String.UnicodeScalarView()
        cut.append(contentsOf: source.unicodeScalars.prefix(57))
        return String(cut) + "..."
    }

    // MARK: Did you mean

    /// Words that start statements and clauses, for hints.
    static let clauseKeywords: [Keyword] =
        statementKeywords + [
            .from, .where, .group, .having, .order, .limit, .offset, .union, .intersect, .except,
            .join, .inner, .left, .right, .full, .cross, .natural, .using, .window, .qualify,
            .distinct, .between, .values, .into, .table, .returning, .partitioned, .location,
            .tblproperties, .when, .then, .else, .end, .matched, .cascade, .column, .over,
        ]

    /// Words that pass as aliases when misspelt: `FROM t WHER a = 1`.
    static let aliasKeywords: [Keyword] = [
        .from, .where, .group, .having, .order, .limit, .offset, .union, .intersect, .except,
        .join, .inner, .left, .right, .full, .cross, .natural, .using, .window, .qualify,
        .returning, .when, .then, .else,
    ]

    /// Words that start statements.
    static let statementKeywords: [Keyword] = [
        .select, .with, .values, .insert, .update, .delete, .merge, .truncate, .create, .drop,
        .alter, .comment, .show, .describe, .explain, .use, .set, .reset, .begin, .start, .commit,
        .rollback, .prepare, .execute, .deallocate, .copy, .from, .table,
    ]

    /// The keyword that an unquoted word was most likely meant to be.
    func nearest(to token: Token, among candidates: [Keyword]) -> Keyword? {
        switch token.kind {
        case .identifier: break
        case .keyword(let keyword) where keyword.role == .free: break
        default: return nil
        }
        let word = Array(text.source(token).lowercased().utf8)
        guard (3...20).contains(word.count) else { return nil }
        var best: (keyword: Keyword, distance: Int)?
        for keyword in candidates {
            let target = Array(keyword.rawValue.utf8)
            // Short words are near to everything: one slip in five letters, two in more.
            let distanceMax = target.count <= 5 ? 1 : 2
            guard abs(target.count - word.count) <= distanceMax else { continue }
            let distance = Self.editDistance(word, target)
            guard distance <= distanceMax, distance > 0 else { continue }
            if distance < best?.distance ?? .max { best = (keyword, distance) }
        }
        return best?.keyword
    }

    /// Insertions, deletions, substitutions and swaps of neighbours between two short words.
    static func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforePrevious = [Int](repeating: 0, count: right.count + 1)
        var previous = Array(0...right.count)
        for (row, byte) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                var distance = previous[column] + (byte == other ? 0 : 1)
                distance = min(distance, previous[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, byte == right[column - 1], left[row - 1] == other {
                    distance = min(distance, beforePrevious[column - 1] + 1)
                }
                current.append(distance)
            }
            beforePrevious = previous
            previous = current
        }
        return previous[right.count]
    }
}
