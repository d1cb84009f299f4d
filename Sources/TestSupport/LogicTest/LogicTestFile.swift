/// A sqllogictest file: statements, and queries with their answers.
package struct LogicTestFile: Sendable {
    /// How the rows of a query are brought into an order before they are compared.
    package enum Sorting: String, Sendable {
        case none = "nosort"
        case rows = "rowsort"
        case values = "valuesort"
    }

    /// What a record must do.
    package enum Expectation: Sendable {
        case success
        /// The message must hold these lines, where the reader of the file asks for that.
        case failure(message: [String])
        /// Either is right.
        case any
        /// One letter a column (`I`, `R`, `T`), and the lines below `----`.
        case rows(types: String, sorting: Sorting?, answer: [String])
    }

    /// One statement or query.
    package struct Record: Sendable {
        /// Where it begins, from 1.
        package var line: Int
        package var text: String
        package var expectation: Expectation
    }

    /// Why a text is no file of this form.
    package struct Failure: Error, CustomStringConvertible {
        package var line: Int
        package var message: String

        package var description: String { "line \(line): \(message)" }
    }

    package private(set) var records: [Record] = []
    /// What the file requires (`require name`) and the reader does not have.
    package private(set) var missing: [String] = []

    /// Reads a file.
    ///
    /// Loops are unrolled, and records that are not for `engine` left out (`skipif`, `onlyif`).
    ///
    /// - Parameters:
    ///   - variables: values of `__NAME__` and of `${NAME}` in the text.
    ///   - features: what `require` may ask for.
    ///   - include: the text of a file that this one includes.
    /// - Throws: `Failure` for a directive that it does not know.
    package init(
        _ text: String,
        engine: String = "varve",
        variables: [String: String] = [:],
        features: Set<String> = [],
        include: @escaping (String) throws -> String? = { _ in nil }
    ) throws {
        var reader = Reader(engine: engine, features: features, include: include)
        var variables = variables
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map {
            String($0.last == "\r" ? $0.dropLast() : $0)
        }
        try reader.read(lines, from: 1, &variables)
        records = reader.records
        missing = reader.missing
    }
}

/// Follows the lines of a file.
private struct Reader {
    let engine: String
    let features: Set<String>
    let include: (String) throws -> String?
    var records: [LogicTestFile.Record] = []
    var missing: [String] = []
    var isHalted = false
    /// Between `mode skip` and `mode unskip`.
    var isSkipping = false
    /// A loop that is unrolled to more than this is a mistake.
    let recordCountMax = 200_000

    init(
        engine: String,
        features: Set<String>,
        include: @escaping (String) throws -> String?
    ) {
        self.engine = engine
        self.features = features
        self.include = include
    }

    mutating func read(
        _ lines: [String],
        from first: Int,
        _ variables: inout [String: String]
    ) throws {
        var place = 0
        var isForOthers = false
        while place < lines.count, !isHalted {
            let line = first + place
            let words = words(of: lines[place], variables)
            place += 1
            guard let directive = words.first, !directive.hasPrefix("#") else { continue }
            switch directive {
            case "statement", "query":
                let body = take(lines, &place, variables)
                let record = try record(words, body, line)
                if !isForOthers, !isSkipping { records.append(record) }
                isForOthers = false
                if records.count > recordCountMax { throw failure(line, "too many records") }
            case "skipif": if words.dropFirst().contains(engine) { isForOthers = true }
            case "onlyif": if !words.dropFirst().contains(engine) { isForOthers = true }
            case "halt":
                if isForOthers { isForOthers = false } else { isHalted = true }
            case "mode" where words.count == 2 && ["skip", "unskip"].contains(words[1]):
                isSkipping = words[1] == "skip"
            case "hash-threshold": break
            case "require":
                guard words.count > 1 else { throw failure(line, "require what?") }
                if !features.contains(words[1]) { missing.append(words[1]) }
            case "set" where words.count == 4 && words[1] == "variable":
                variables[words[2]] = words[3]
            case "include" where words.count == 2:
                guard let text = try include(words[1]) else {
                    throw failure(line, "there is no file \(words[1]) to include")
                }
                let included = text.split(separator: "\n", omittingEmptySubsequences: false)
                try read(included.map(String.init), from: 1, &variables)
            case "loop", "foreach":
                let end = try endOfLoop(lines, place, line)
                for value in try values(words, line) {
                    var inner = variables
                    inner[words[1]] = value
                    try read(Array(lines[place..<end]), from: first + place, &inner)
                }
                place = end + 1
            default:
                throw failure(line, "the directive \"\(lines[place - 1])\" is not known")
            }
        }
    }

    private func failure(_ line: Int, _ message: String) -> LogicTestFile.Failure {
        LogicTestFile.Failure(line: line, message: message)
    }

    private func words(of line: String, _ variables: [String: String]) -> [String] {
        replaced(line, variables).split(whereSeparator: { $0 == " " || $0 == "\t" })
            .map(String.init)
    }

    private func replaced(_ text: String, _ variables: [String: String]) -> String {
        guard text.contains("${") || text.contains("__") else { return text }
        var text = text
        for (name, value) in variables {
            text = text.replacing("${\(name)}", with: value)
            text = text.replacing("__\(name)__", with: value)
        }
        return text
    }

    /// The lines of a record below its directive: the text, and those below `----`.
    private func take(
        _ lines: [String],
        _ place: inout Int,
        _ variables: [String: String]
    ) -> (text: [String], answer: [String]) {
        var text: [String] = []
        var answer: [String] = []
        while place < lines.count, !lines[place].isEmpty, lines[place] != "----" {
            text.append(replaced(lines[place], variables))
            place += 1
        }
        if place < lines.count, lines[place] == "----" {
            place += 1
            while place < lines.count, !lines[place].isEmpty {
                answer.append(replaced(lines[place], variables))
                place += 1
            }
        }
        return (text, answer)
    }

    private func record(
        _ words: [String],
        _ body: (text: [String], answer: [String]),
        _ line: Int
    ) throws -> LogicTestFile.Record {
        let expectation: LogicTestFile.Expectation
        switch (words[0], words.count > 1 ? words[1] : "") {
        case ("statement", "ok"): expectation = .success
        case ("statement", "error"): expectation = .failure(message: body.answer)
        case ("statement", "maybe"): expectation = .any
        case ("query", let types) where !types.isEmpty && types.allSatisfy("IRT".contains):
            var sorting: LogicTestFile.Sorting?
            if words.count > 2 {
                // What follows is a label, which groups queries with one answer.
                sorting = LogicTestFile.Sorting(rawValue: words[2])
                if sorting == nil { throw failure(line, "\"\(words[2])\" is no way to sort") }
            }
            expectation = .rows(types: types, sorting: sorting, answer: body.answer)
        default: throw failure(line, "\"\(words.joined(separator: " "))\" is not known")
        }
        guard !body.text.isEmpty else { throw failure(line, "a record without a text") }
        return LogicTestFile.Record(
            line: line,
            text: body.text.joined(separator: "\n"),
            expectation: expectation
        )
    }

    /// The place of the line that ends the loop whose body begins at `start`.
    private func endOfLoop(_ lines: [String], _ start: Int, _ line: Int) throws -> Int {
        var depth = 1
        for place in start..<lines.count {
            let word = lines[place].split(separator: " ").first
            if word == "loop" || word == "foreach" { depth += 1 }
            if word == "endloop" { depth -= 1 }
            if depth == 0 { return place }
        }
        throw failure(line, "a loop without an end")
    }

    private func values(_ words: [String], _ line: Int) throws -> [String] {
        if words[0] == "foreach", words.count > 2 { return Array(words[2...]) }
        guard words.count == 4, let first = Int(words[2]), let end = Int(words[3]), first <= end,
            end - first <= recordCountMax
        else { throw failure(line, "a loop has a name, a first number and an end") }
        return (first..<end).map(String.init)
    }
}
