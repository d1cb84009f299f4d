import Foundation
import SQL
import Synchronization
import Testing

/// Runs a test's body on a thread with a stack of a given size.
private final class StackThread: Sendable {
    private let failures = Mutex<[String]>([])
    private let done = DispatchSemaphore(value: 0)

    static func run(kibibytes: Int, _ body: @escaping @Sendable () -> [String]) -> [String] {
        let run = StackThread()
        let thread = Thread {
            let found = body()
            run.failures.withLock { $0 = found }
            run.done.signal()
        }
        thread.stackSize = kibibytes << 10
        thread.start()
        run.done.wait()
        return run.failures.withLock { $0 }
    }
}

/// The bounds: nothing that is read may overflow a stack of 512 KiB, be it read, compared, hashed,
/// printed or freed.
@Suite("Nesting")
struct NestingTests {
    struct Shape: Sendable, CustomTestStringConvertible {
        var name: String
        var prefix: String
        var open: String
        var middle: String
        var close: String

        var testDescription: String { name }

        func text(_ count: Int) -> String {
            prefix + String(repeating: open, count: count) + middle
                + String(repeating: close, count: count)
        }
    }

    static let shapes = [
        Shape(name: "parentheses", prefix: "SELECT ", open: "(", middle: "1", close: ")"),
        Shape(name: "calls", prefix: "SELECT ", open: "f(", middle: "1", close: ")"),
        Shape(name: "trim", prefix: "SELECT ", open: "trim(both from ", middle: "1", close: ")"),
        Shape(name: "casts", prefix: "SELECT ", open: "cast(", middle: "1", close: " as int)"),
        Shape(
            name: "case",
            prefix: "SELECT ",
            open: "case when ",
            middle: "1",
            close: " then 1 end"
        ),
        Shape(name: "lists", prefix: "SELECT ", open: "[", middle: "1", close: "]"),
        Shape(name: "structs", prefix: "SELECT ", open: "{a: ", middle: "1", close: "}"),
        Shape(name: "maps", prefix: "SELECT ", open: "map {1: ", middle: "1", close: "}"),
        Shape(name: "not", prefix: "SELECT ", open: "not ", middle: "1", close: ""),
        Shape(name: "signs", prefix: "SELECT ", open: "- ", middle: "1", close: ""),
        Shape(name: "in", prefix: "SELECT ", open: "1 in (2, ", middle: "1", close: ")"),
        Shape(
            name: "between",
            prefix: "SELECT ",
            open: "1 between (",
            middle: "1",
            close: ") and 3"
        ),
        Shape(name: "and, or", prefix: "SELECT ", open: "1 and (2 or ", middle: "1", close: ")"),
        Shape(
            name: "windows",
            prefix: "SELECT ",
            open: "f() over (order by ",
            middle: "1",
            close: ")"
        ),
        Shape(
            name: "filters",
            prefix: "SELECT ",
            open: "f() filter (where ",
            middle: "1",
            close: ")"
        ),
        Shape(name: "scalar queries", prefix: "SELECT ", open: "(select ", middle: "1", close: ")"),
        Shape(
            name: "in queries",
            prefix: "SELECT ",
            open: "1 in (select ",
            middle: "1",
            close: ")"
        ),
        Shape(
            name: "derived tables",
            prefix: "SELECT 1 FROM ",
            open: "(select 1 from ",
            middle: "t",
            close: ") x"
        ),
        Shape(name: "with", prefix: "", open: "with a as (", middle: "table t", close: ") table a"),
        Shape(
            name: "set operations",
            prefix: "",
            open: "(select 1 union (",
            middle: "select 2",
            close: " limit 1))"
        ),
        Shape(
            name: "alternating set operations",
            prefix: "SELECT 1",
            open: " union select 2 except select 3",
            middle: "",
            close: ""
        ),
        Shape(
            name: "joins in parentheses",
            prefix: "SELECT 1 FROM ",
            open: "(a join ",
            middle: "t",
            close: " on 1)"
        ),
        Shape(
            name: "parentheses on the left",
            prefix: "SELECT 1 FROM ",
            open: "(",
            middle: "t",
            close: " join b on 1)"
        ),
        Shape(
            name: "joins",
            prefix: "SELECT 1 FROM t",
            open: " join a on 1",
            middle: "",
            close: ""
        ),
        Shape(
            name: "late conditions",
            prefix: "FROM t ",
            open: "join a ",
            middle: "",
            close: " on 1"
        ),
        Shape(
            name: "types",
            prefix: "SELECT a::",
            open: "struct(a ",
            middle: "int",
            close: ")"
        ),
        Shape(name: "list types", prefix: "SELECT a::int", open: "[]", middle: "", close: ""),
        Shape(name: "sums", prefix: "SELECT 1", open: " + 1", middle: "", close: ""),
        Shape(name: "sums on the right", prefix: "SELECT ", open: "1 + (", middle: "1", close: ")"),
        Shape(name: "subscripts", prefix: "SELECT a", open: "[1]", middle: "", close: ""),
        Shape(name: "fields", prefix: "SELECT (a)", open: ".b", middle: "", close: ""),
        Shape(name: "methods", prefix: "SELECT (a)", open: ".b()", middle: "", close: ""),
        Shape(name: "double colons", prefix: "SELECT a", open: "::int", middle: "", close: ""),
        Shape(name: "arrows", prefix: "SELECT a", open: " -> b", middle: "", close: ""),
        Shape(name: "lambdas", prefix: "SELECT ", open: "lambda x: ", middle: "1", close: ""),
        Shape(
            name: "grouping sets",
            prefix: "SELECT 1 GROUP BY ",
            open: "grouping sets (",
            middle: "a",
            close: ")"
        ),
        Shape(
            name: "star replacements",
            prefix: "SELECT ",
            open: "f(* replace (",
            middle: "a",
            close: " as a))"
        ),
        Shape(
            name: "intervals",
            prefix: "SELECT ",
            open: "interval (",
            middle: "1",
            close: ") day"
        ),
        Shape(name: "is", prefix: "SELECT 1", open: " is null", middle: "", close: ""),
    ]

    @Test("the deepest statement that is read fits a stack of 512 KiB", arguments: shapes)
    func deepest(shape: Shape) {
        let failures = StackThread.run(kibibytes: 512) {
            func isRead(_ count: Int) -> Bool {
                (try? Parser.parseStatements(shape.text(count))) != nil
            }
            var low = 1
            var high = 2 * Parser.heightMax
            while low < high {
                let middle = (low + high + 1) / 2
                if isRead(middle) { low = middle } else { high = middle - 1 }
            }
            var failures: [String] = []
            if low < 24 { failures.append("only \(low) levels") }
            if low == 2 * Parser.heightMax { failures.append("not bounded") }
            do {
                let one = try Parser.parseStatement(shape.text(low))
                let other = try Parser.parseStatement(shape.text(low))
                if one != other { failures.append("not equal") }
                if one.hashValue != other.hashValue { failures.append("not hashed equally") }
                let printed = Printer.print(one)
                if try Parser.parseStatement(printed) != one { failures.append("printed wrongly") }
            } catch {
                failures.append("\(error)")
            }
            return failures
        }
        #expect(failures == [])
    }

    @Test("one level more is refused as a limit, however much more", arguments: shapes)
    func refused(shape: Shape) {
        let failures = StackThread.run(kibibytes: 512) {
            do throws(SQLError) {
                _ = try Parser.parseStatements(shape.text(100_000))
                return ["was read"]
            } catch {
                let isLimit = error.code == .limit && error.message.contains("nested too deeply")
                return isLimit ? [] : ["\(error)"]
            }
        }
        #expect(failures == [])
    }

    @Test(
        "long chains are read, compared, printed and freed on a small stack",
        arguments: [
            (" AND ", "a = 1"), (" OR ", "a"), (" || ", "'x'"), (", ", "a + 1"),
            (" UNION ALL ", "SELECT 1"), (" UNION ", "TABLE t"), (" EXCEPT ", "SELECT 2"),
        ]
    )
    func chains(separator: String, element: String) {
        let failures = StackThread.run(kibibytes: 128) {
            let elements = [String](repeating: element, count: 20_000)
            let text = "SELECT " + elements.joined(separator: separator)
            let isQuery = element.contains("SELECT") || element.contains("TABLE")
            let statement = isQuery ? String(text.dropFirst(7)) : text
            do {
                let one = try Parser.parseStatement(statement)
                let again = try Parser.parseStatement(Printer.print(one))
                return one == again && one.hashValue == again.hashValue ? [] : ["not equal"]
            } catch {
                return ["\(error)"]
            }
        }
        #expect(failures == [])
    }

    @Test("a text beyond 16 MiB is refused")
    func longTexts() throws {
        let text = "SELECT 1" + String(repeating: " ", count: Parser.textBytesMax - 8)
        #expect(try Parser.parseStatements(text).count == 1)
        do throws(SQLError) {
            _ = try Parser.parseStatements(text + " ")
            Issue.record("a text too long was read")
        } catch {
            #expect(error.code == .limit)
        }
    }
}
