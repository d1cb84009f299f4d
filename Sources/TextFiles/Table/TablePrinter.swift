package import Columnar

/// Draws a result as a table of box-drawing characters for a terminal.
///
/// ```
/// ┌───────┬─────────┐
/// │   n   │  name   │
/// │ int64 │ varchar │
/// ├───────┼─────────┤
/// │     1 │ Ada     │
/// │  NULL │ Bob     │
/// ├───────┴─────────┤
/// │ 2 rows          │
/// └─────────────────┘
/// ```
///
/// Only as many rows as are shown are kept, however many are added.
package struct TablePrinter {
    /// How much is shown.
    package struct Options: Sendable {
        /// Cells of the terminal that a line may take; nil for no limit.
        package var widthMax: Int?
        /// Rows that are shown.
        package var rowCountMax = 40
        /// Cells that a value may take.
        package var cellWidthMax = 60
        /// What is shown for NULL.
        package var nullText = "NULL"

        package init() {}
    }

    package let schema: Schema
    private let options: Options
    private var rows: [[String]] = []
    private var rowCount = 0

    package init(schema: Schema, options: Options = Options()) {
        self.schema = schema
        self.options = options
    }

    /// Adds the rows of a batch.
    package mutating func add(_ batch: RecordBatch) {
        rowCount += batch.rowCount
        let count = min(batch.rowCount, options.rowCountMax - rows.count)
        guard count > 0 else { return }
        let columns = batch.columns.map { ColumnText($0) }
        let output = OutputBuffer()
        for row in 0..<count {
            rows.append(
                columns.map { column in
                    if column.isNull(row) { return options.nullText }
                    column.appendText(row, to: output)
                    // More than this many bytes cannot be shown, whatever they are.
                    let shown = output.bytes(from: 0).prefix(options.cellWidthMax * 32)
                    let text = String(decoding: shown, as: UTF8.self)
                    output.truncate(to: 0)
                    return DisplayWidth.cut(Self.printable(text), to: options.cellWidthMax)
                }
            )
        }
    }

    /// Text without characters that would move the cursor.
    private static func printable(_ text: String) -> String {
        if !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == 0xC2 }) { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 10: result += "\\n"
            case 13: result += "\\r"
            case 9: result += "\\t"
            case 0..<0x20, 0x7F..<0xA0: result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// The name of a type in the second line of the head.
    private static func typeName(_ type: DataType) -> String {
        type.description.lowercased()
    }

    /// The table, with a line end behind its last line.
    package func finish() -> String {
        guard schema.count > 0 else { return footerText + "\n" }
        let names = schema.fields.map { DisplayWidth.cut(Self.printable($0.name), to: 60) }
        let types = schema.fields.map { DisplayWidth.cut(Self.typeName($0.type), to: 60) }
        var widths = schema.fields.indices.map { column in
            rows.reduce(max(DisplayWidth.of(names[column]), DisplayWidth.of(types[column]))) {
                max($0, DisplayWidth.of($1[column]))
            }
        }
        let shown = fit(&widths)
        var lines: [String] = []
        func line(_ left: String, _ middle: String, _ right: String) -> String {
            left
                + shown.map { column in
                    String(repeating: "─", count: (column.map { widths[$0] } ?? 1) + 2)
                }.joined(separator: middle) + right
        }
        func row(_ cell: (Int) -> String) -> String {
            "│ " + shown.map { column in column.map { cell($0) } ?? "…" }.joined(separator: " │ ")
                + " │"
        }
        lines.append(line("┌", "┬", "┐"))
        lines.append(row { Self.centered(names[$0], widths[$0]) })
        lines.append(row { Self.centered(types[$0], widths[$0]) })
        lines.append(line("├", "┼", "┤"))
        for cells in rows {
            lines.append(
                row { column in
                    let text = DisplayWidth.cut(cells[column], to: widths[column])
                    let fill = String(
                        repeating: " ",
                        count: max(0, widths[column] - DisplayWidth.of(text))
                    )
                    return schema[column].type.isNumeric ? fill + text : text + fill
                }
            )
        }
        let inner =
            shown.reduce(0) { $0 + ($1.map { widths[$0] } ?? 1) } + 3 * (shown.count - 1)
        func wide(_ text: String) -> String {
            let cut = DisplayWidth.cut(text, to: inner)
            return "│ " + cut + String(repeating: " ", count: inner - DisplayWidth.of(cut)) + " │"
        }
        if rowCount > rows.count {
            lines.append(wide("... \(rowCount - rows.count) rows"))
        }
        lines.append(line("├", "┴", "┤"))
        lines.append(wide(footerText))
        lines.append("└" + String(repeating: "─", count: inner + 2) + "┘")
        return lines.joined(separator: "\n") + "\n"
    }

    private var footerText: String {
        var text = rowCount == 1 ? "1 row" : "\(rowCount) rows"
        if rowCount > rows.count { text += " (\(rows.count) shown)" }
        return text
    }

    private static func centered(_ text: String, _ width: Int) -> String {
        let cut = DisplayWidth.cut(text, to: width)
        let fill = max(0, width - DisplayWidth.of(cut))
        return String(repeating: " ", count: fill / 2) + cut
            + String(repeating: " ", count: fill - fill / 2)
    }

    /// Makes the columns fit: the widest shrink first, then those in the middle are left out.
    ///
    /// Gives the columns to show; nil stands for those left out.
    private func fit(_ widths: inout [Int]) -> [Int?] {
        let all = widths.indices.map { Optional($0) }
        guard let widthMax = options.widthMax else { return all }
        func total(_ columns: [Int?]) -> Int {
            columns.reduce(1) { $0 + ($1.map { widths[$0] } ?? 1) + 3 }
        }
        let widthMin = 8
        while total(all) > widthMax {
            guard let widest = widths.indices.max(by: { widths[$0] < widths[$1] }),
                widths[widest] > widthMin
            else { break }
            let others = widths.filter { $0 < widths[widest] }.max() ?? widthMin
            let excess = total(all) - widthMax
            widths[widest] = max(widthMin, max(others - 1, widths[widest] - excess))
        }
        if total(all) <= widthMax { return all }
        var (front, back) = (widths.count - widths.count / 2, widths.count / 2)
        while front + back > 1 {
            if front >= back { front -= 1 } else { back -= 1 }
            let columns: [Int?] =
                (0..<front).map { Optional($0) } + [nil]
                + (widths.count - back..<widths.count).map { Optional($0) }
            if total(columns) <= widthMax || front + back == 1 { return columns }
        }
        return all
    }
}
