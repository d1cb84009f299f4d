import ArgumentParser
import Columnar
import Glibc
import Parquet
import TextFiles

/// How rows are written.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case table, csv, json, ndjson, arrow, parquet

    /// Whether it is text, which shows instants by the session's clocks.
    var isForPeople: Bool { self != .arrow && self != .parquet }

    /// All but Parquet, which needs a file, for commands that write to standard output only.
    static var names: String {
        allCases.filter { $0 != .parquet }.map(\.rawValue).joined(separator: ", ")
    }
}

/// Writes the rows of one result as they come.
struct RowWriter {
    private enum Form {
        case table(TablePrinter)
        case lines
        case csv(CSVWriter)
        case json(JSONResultWriter)
        case ndjson(NDJSONWriter)
        case arrow(IPCStreamWriter)
        case parquet(ParquetWriter)
    }

    private var form: Form
    /// nil throws the bytes away.
    private let descriptor: Int32?

    /// - Parameter isPlan: whether the rows are the lines of a text, which a table would only cut.
    init(
        format: OutputFormat,
        schema: Schema,
        to descriptor: Int32?,
        isPlan: Bool = false
    ) throws {
        self.descriptor = descriptor
        switch format {
        case .table where isPlan: form = .lines
        case .table:
            var options = TablePrinter.Options()
            var size = winsize()
            if let descriptor, isatty(descriptor) == 1,
                ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0,
                size.ws_col > 0
            {
                options.widthMax = Int(size.ws_col)
            }
            form = .table(TablePrinter(schema: schema, options: options))
        case .csv: form = .csv(try CSVWriter(schema: schema))
        case .json:
            let writer = JSONResultWriter(schema: schema)
            writeAll(writer.begin(), to: descriptor)
            form = .json(writer)
        case .ndjson: form = .ndjson(NDJSONWriter(schema: schema))
        case .arrow:
            let writer = IPCStreamWriter(schema: schema)
            writeAll(try writer.schemaMessage(), to: descriptor)
            form = .arrow(writer)
        case .parquet: form = .parquet(try ParquetWriter(schema: schema))
        }
    }

    mutating func write(_ batch: RecordBatch) throws {
        switch form {
        case .table(var printer):
            printer.add(batch)
            form = .table(printer)
        case .lines:
            var text: [UInt8] = []
            for row in 0..<batch.rowCount {
                TextFormat.append(batch.columns[0], row: row, to: &text)
                text.append(UInt8(ascii: "\n"))
            }
            writeAll(text, to: descriptor)
        case .csv(let writer): writeAll(writer.encode(batch), to: descriptor)
        case .json(let writer): writeAll(writer.encode(batch), to: descriptor)
        case .ndjson(let writer): writeAll(writer.encode(batch), to: descriptor)
        case .arrow(var writer):
            writeAll(try writer.encode(batch), to: descriptor)
            form = .arrow(writer)
        case .parquet(let writer):
            try writer.write(batch)
            writeAll(writer.drain(), to: descriptor)
        }
    }

    func finish() throws {
        switch form {
        case .table(let printer): writeAll(Array(printer.finish().utf8), to: descriptor)
        case .lines: break
        case .csv(let writer): writeAll(writer.end(), to: descriptor)
        case .json(let writer): writeAll(writer.end() + [10], to: descriptor)
        case .ndjson: break
        case .arrow(let writer): writeAll(writer.end(), to: descriptor)
        case .parquet(let writer): writeAll(try writer.finish().bytes, to: descriptor)
        }
    }
}

/// Writes bytes to a descriptor, or nowhere.
private func writeAll(_ bytes: [UInt8], to descriptor: Int32?) {
    if let descriptor { writeAll(bytes, to: descriptor) }
}
