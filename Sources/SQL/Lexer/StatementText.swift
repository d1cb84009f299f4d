/// What somebody who types statements wants to know of a text that may not be finished.
package enum StatementText {
    /// The words that the grammar knows, in upper case, sorted.
    package static let keywords: [String] = Keyword.allCases
        .map { $0.rawValue.uppercased() }
        .sorted()

    /// How a text ends.
    package enum Ending: Sendable {
        /// There is nothing but blanks and comments.
        case empty
        /// The last statement goes on: no semicolon, or inside a string, a name or a comment.
        case open
        /// With a semicolon.
        case closed
    }

    /// Whether the last statement of a text is finished.
    package static func ending(of text: String) -> Ending {
        var lexer = Lexer(bytes: Array(text.utf8))
        var ending = Ending.empty
        while true {
            switch lexer.next().kind {
            case .end: return ending
            case .symbol(.semicolon): ending = .closed
            case .invalid(let problem):
                switch problem {
                case .unterminatedString, .unterminatedIdentifier, .unterminatedComment,
                    .unterminatedDollar:
                    return .open
                case .emptyIdentifier, .malformedNumber, .unknownCharacter: ending = .open
                }
            default: ending = .open
            }
        }
    }
}
