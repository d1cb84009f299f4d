import Columnar
import Foundation
import Parquet
import TestSupport
import Testing

@Suite("Reading what others write")
struct OracleTests {
    @Test(
        "every column of pyarrow's, DuckDB's and Polars' files has the values written",
        .enabled(if: python != nil, "needs VARVE_PYTHON or .venv with pyarrow, duckdb and polars")
    )
    func oracle() throws {
        try withTemporaryFolder { folder in
            let remarks = try runOracle("write.py", [folder.path])
            if !remarks.isEmpty { print(remarks) }
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
                .filter { $0.hasSuffix(".parquet") && !$0.hasPrefix("refused") }.sorted()
            #expect(names.count > 40)
            var compared = 0
            for (number, name) in names.enumerated() {
                let file = try LoadedFile(try load(folder.appendingPathComponent(name)))
                let expected = try ExpectedFile(folder.appendingPathComponent(name + ".txt"))
                try #require(expected.columns.count == file.metadata.schema.columns.count)
                for (index, column) in expected.columns.enumerated() {
                    guard let lines = column.values else {
                        Issue.record("\(name) \(column.name): the oracle has no values")
                        continue
                    }
                    var options = ParquetReadOptions()
                    options.keepDictionary = [.text, .always, .never][(number + index) % 3]
                    let batch = [2048, 100, 10_000, 64, 1][(number + index) % 5]
                    do {
                        let values = try file.values(column: index, batch: batch, options: options)
                        compared += 1
                        if let difference = firstDifference(lines, values) {
                            Issue.record("\(name) \(column.name): \(difference)")
                        }
                    } catch {
                        Issue.record("\(name) \(column.name): \(error)")
                    }
                }
            }
            #expect(compared > 2000)
            let refused = try LoadedFile(
                try load(folder.appendingPathComponent("refused_nanos.parquet"))
            )
            #expect(try refused.values(column: 0) == [.timestamp(1), .null])
            let error = #expect(throws: ParquetError.self) { try refused.values(column: 1) }
            #expect(error?.code == .unsupported)
            #expect(error?.context.first == "column inexact")
            print("compared \(compared) columns in \(names.count) files")
        }
    }
}
