import Foundation
import Synchronization
import TestSupport
import Testing

/// Where the files are.
private enum LogicFiles {
    /// Files of DuckDB's that do not pass yet, and why.
    ///
    /// A file that passes must not be here.
    static let unfinished: [String: String] = [:]

    private static let package = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static let own = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().appendingPathComponent("sqllogic")

    static let corpus: URL = {
        let shared =
            ProcessInfo.processInfo.environment["VARVE_SHARED"].map(URL.init(fileURLWithPath:))
            ?? package.deletingLastPathComponent().appendingPathComponent("shared")
        return shared.appendingPathComponent("corpora/slt")
    }()

    static let ofCorpus: [String] = files(in: corpus, ending: ".test")
    static let ofOurs: [String] = files(in: own, ending: ".slt")

    private static func files(in folder: URL, ending: String) -> [String] {
        let all = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String }
        let part = ProcessInfo.processInfo.environment["VARVE_LOGIC_FILES"] ?? ""
        return (all ?? []).filter { $0.hasSuffix(ending) && (part.isEmpty || $0.contains(part)) }
            .sorted()
    }
}

/// Files of sqllogictest, each in one session on a warehouse of its own.
///
/// `VARVE_LOGIC_FILES=part` runs only files whose name has that part.
@Suite("sqllogictest")
struct LogicTests {
    @Test(
        "DuckDB's files pass, record by record",
        .enabled(if: !LogicFiles.ofCorpus.isEmpty, "no corpora/slt in VARVE_SHARED"),
        arguments: LogicFiles.ofCorpus
    )
    func corpus(_ name: String) async throws {
        let failures = try await failures(LogicFiles.corpus.appendingPathComponent(name))
        if let reason = LogicFiles.unfinished[name] {
            withKnownIssue("\(name): \(reason)") { report(failures, of: name) }
        } else {
            report(failures, of: name)
        }
    }

    @Test("No file is unfinished that does not exist", .enabled(if: !LogicFiles.ofCorpus.isEmpty))
    func unfinishedExist() throws {
        for name in LogicFiles.unfinished.keys {
            let path = LogicFiles.corpus.appendingPathComponent(name).path
            #expect(FileManager.default.fileExists(atPath: path), "\(name)")
        }
    }

    @Test("Our files pass, record by record", arguments: LogicFiles.ofOurs)
    func own(_ name: String) async throws {
        let file = LogicFiles.own.appendingPathComponent(name)
        report(try await failures(file, checksMessages: true), of: name)
    }

    private func report(_ failures: [String], of name: String) {
        if failures.isEmpty { return }
        Issue.record("\(failures.count) records of \(name):\n\(failures.joined(separator: "\n"))")
    }

    private func failures(_ file: URL, checksMessages: Bool = false) async throws -> [String] {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("varve-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let text = String(decoding: try Data(contentsOf: file), as: UTF8.self)
        let tests = try LogicTestFile(text, variables: ["TEST_DIR": folder.path]) { name in
            name.hasSuffix("tpch_setup.test_template") ? Self.benchmarkTables : nil
        }
        #expect(tests.missing.isEmpty && !tests.records.isEmpty, "\(file.lastPathComponent)")
        let session = LogicSession()
        return await tests.failures(checksMessages: checksMessages) { try await session.run($0) }
    }

    /// The tables of TPC-H, empty: what a file that includes DuckDB's generator needs of them.
    private static let benchmarkTables = """
        statement ok
        CREATE TABLE region (r_regionkey INTEGER, r_name VARCHAR, r_comment VARCHAR)

        statement ok
        CREATE TABLE nation (n_nationkey INTEGER, n_name VARCHAR, n_regionkey INTEGER, n_comment VARCHAR)

        statement ok
        CREATE TABLE part (p_partkey BIGINT, p_name VARCHAR, p_mfgr VARCHAR, p_brand VARCHAR,
            p_type VARCHAR, p_size INTEGER, p_container VARCHAR, p_retailprice DECIMAL(15,2),
            p_comment VARCHAR)

        statement ok
        CREATE TABLE supplier (s_suppkey BIGINT, s_name VARCHAR, s_address VARCHAR,
            s_nationkey INTEGER, s_phone VARCHAR, s_acctbal DECIMAL(15,2), s_comment VARCHAR)

        statement ok
        CREATE TABLE partsupp (ps_partkey BIGINT, ps_suppkey BIGINT, ps_availqty BIGINT,
            ps_supplycost DECIMAL(15,2), ps_comment VARCHAR)

        statement ok
        CREATE TABLE customer (c_custkey BIGINT, c_name VARCHAR, c_address VARCHAR,
            c_nationkey INTEGER, c_phone VARCHAR, c_acctbal DECIMAL(15,2), c_mktsegment VARCHAR,
            c_comment VARCHAR)

        statement ok
        CREATE TABLE orders (o_orderkey BIGINT, o_custkey BIGINT, o_orderstatus VARCHAR,
            o_totalprice DECIMAL(15,2), o_orderdate DATE, o_orderpriority VARCHAR,
            o_clerk VARCHAR, o_shippriority INTEGER, o_comment VARCHAR)

        statement ok
        CREATE TABLE lineitem (l_orderkey BIGINT, l_partkey BIGINT, l_suppkey BIGINT,
            l_linenumber BIGINT, l_quantity DECIMAL(15,2), l_extendedprice DECIMAL(15,2),
            l_discount DECIMAL(15,2), l_tax DECIMAL(15,2), l_returnflag VARCHAR,
            l_linestatus VARCHAR, l_shipdate DATE, l_commitdate DATE, l_receiptdate DATE,
            l_shipinstruct VARCHAR, l_shipmode VARCHAR, l_comment VARCHAR)
        """
}
