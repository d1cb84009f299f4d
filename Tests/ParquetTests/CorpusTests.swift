import Foundation
import Parquet
import Testing

@Suite("parquet-testing corpus")
struct CorpusTests {
    static let folder = sharedRoot?.appendingPathComponent("corpora/parquet-testing/data")

    static let files: [String] = {
        guard let folder else { return [] }
        let names = FileManager.default.subpaths(atPath: folder.path) ?? []
        return names.filter { $0.hasSuffix(".parquet") }.sorted()
    }()

    /// Columns that pyarrow reads and we refuse, with the reason.
    static let exceptions = [
        "int96_from_spark.parquet a": "a time beyond 64 bits of microseconds; pyarrow wraps it"
    ]

    @Test(
        "every column that both read is the same in pyarrow",
        .enabled(if: folder != nil && python != nil, "needs the corpus and Python")
    )
    func sameAsPyarrow() throws {
        let folder = try #require(Self.folder)
        try withTemporaryFolder { out in
            let paths = Self.files.map { folder.appendingPathComponent($0).path }
            _ = try runOracle("dump.py", [out.path] + paths)
            var (compared, refused) = (0, 0)
            for name in Self.files {
                let file: LoadedFile
                do {
                    file = try LoadedFile(try load(folder.appendingPathComponent(name)))
                } catch {
                    Issue.record("\(name): \(error)")
                    continue
                }
                let base = (name as NSString).lastPathComponent
                let expected = try ExpectedFile(out.appendingPathComponent(base + ".txt"))
                for (index, column) in file.metadata.schema.columns.enumerated() {
                    let known =
                        expected.columns.indices.contains(index)
                        ? expected.columns[index].values : nil
                    do {
                        for batch in [2048, 7] {
                            let values = try file.values(column: index, batch: batch)
                            guard let known else { continue }
                            compared += 1
                            if let difference = firstDifference(known, values) {
                                Issue.record("\(name) \(column.name): \(difference)")
                            }
                        }
                    } catch let error as ParquetError {
                        refused += 1
                        if known != nil, Self.exceptions["\(name) \(column.name)"] == nil {
                            Issue.record("\(name) \(column.name): only pyarrow reads it: \(error)")
                        }
                    }
                }
            }
            print("compared \(compared) columns, refused \(refused)")
            #expect(compared > 100)
        }
    }
}
