import Bytes
import Columnar
import Foundation
import Planner
import SQL
import TestSupport
import Testing

import Pipelines

private let formats = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Formats/transform-spec")

private func examples() throws -> [SpecSource] {
    let folder = formats.appendingPathComponent("examples")
    return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map {
        SpecSource(
            file: $0,
            text: String(
                decoding: try Data(contentsOf: folder.appendingPathComponent($0)),
                as: UTF8.self
            )
        )
    }
}

@Suite("Transform spec") struct TransformSpecTests {
    @Test("every example is read, planned and bound")
    func examplesBind() throws {
        let sources = try examples()
        #expect(sources.count >= 6)
        let set = try TransformSet(sources)
        for plan in set.plans {
            #expect(throws: Never.self, "\(plan.sql)") { try Binding.bind(plan.query) }
        }
        #expect(validate(sources).issues.isEmpty)
        #expect(validate(sources).unsupported.count == 2)
    }

    @Test("the example in steps and the one in SQL have the same plan")
    func samePlan() throws {
        let plans = try TransformSet(try examples()).plans
        let steps = try #require(plans.first { $0.title == "analytics.daily_delays" })
        let sql = try #require(plans.first { $0.title == "analytics.daily_delays_sql" })
        #expect(try Binding.plan(steps.body) == Binding.plan(sql.query))
    }

    @Test("checks and drops become queries that bind over the staged rows")
    func checks() throws {
        let plan = try #require(
            TransformSet(try examples()).plans.first { $0.title == "analytics.daily_delays" }
        )
        #expect(plan.drops.map(\.name) == ["sane_delay"])
        #expect(plan.checks.count == 7)
        let queries = try plan.checkQueries(over: [Identifier("main"), Identifier("staged")])
        #expect(queries.flatMap(\.checks).sorted() == Array(plan.checks.indices))
        for query in queries {
            let columns = try Binding.bind(query.query).columns
            #expect(columns.count == query.checks.count + 1)
            #expect(columns.allSatisfy { $0.type == .int64 }, "\(Printer.print(query.query))")
        }
        let counts = try #require(try plan.dropCountQuery())
        #expect(try Binding.bind(counts).columns.count == 2)
        #expect(plan.sql.hasSuffix("WHERE avg_delay BETWEEN -100 AND 2000 IS TRUE"))
        #expect(try Parser.parseQuery(plan.sql) == plan.query)
    }

    @Test("checks judge the numbers of their queries")
    func judge() throws {
        let plan = try #require(
            TransformSet(try examples()).plans.first { $0.title == "analytics.daily_delays" }
        )
        let completeness = try #require(plan.checks.first { $0.name.hasPrefix("completeness") })
        #expect(completeness.passes(violations: 5, total: 100))
        #expect(!completeness.passes(violations: 6, total: 100))
        #expect(completeness.passes(violations: 0, total: 0))
        #expect(completeness.complaint(violations: 6, total: 100).contains("carrier"))
        let rowCount = try #require(plan.checks.first { $0.name == "row count" })
        #expect(!rowCount.passes(violations: 0, total: 0))
        #expect(rowCount.passes(violations: 0, total: 1))
        let check = try #require(plan.checks.first { $0.name == "no_nulls" })
        #expect(!check.passes(violations: 1, total: 100))
        #expect(check.action == .fail)
    }

    @Test("means the same in YAML and JSON, whatever the spacing")
    func yamlAndJSON() throws {
        let yaml = """
            name: a.b   # a comment
            kind: full
            tags: [x, "y"]
            sql: |
              select  A + 1 as n
              from  t
            properties: {p: 1, q: true}
            """
        let json = #"""
            {"name": "a.b", "tags": ["x","y"], "sql": "SELECT A+1 AS n FROM t",
            	"properties": {"q": "true", "p": "1"}, "kind": {"full": {}}}
            """#
        let one = try TransformSpec.decode(yaml, file: "a.yaml").plan()
        let other = try TransformSpec.decode(json, file: "a.json").plan()
        #expect(one.canonicalSpec == other.canonicalSpec)
        #expect(one.versionHash == other.versionHash)
        let third = try TransformSpec.decode(
            yaml.replacing("+ 1", with: "+ 2"),
            file: "a.yaml"
        ).plan()
        #expect(third.versionHash != one.versionHash)
    }

    @Test("keeps the letters of JSON's escapes")
    func escapes() throws {
        let json =
            #"{"name": "a.b", "description": "\ud83d\ude00 \u00e9 a\/b \"q\" \n", "sql": "SELECT 1"}"#
        let spec = try TransformSpec.decode(json, file: "a.json")
        #expect(spec.description == "😀 é a/b \"q\" \n")
    }

    @Test("says every error with its line and key, and what was meant")
    func errors() throws {
        let text = """
            name: a.b
            knd: full
            owner: [x]
            sql: |
              SELECT a
              FORM t
            partitioned_by: ["month(day", x]
            expectations:
              - {check: a > , on_violation: crash}
              - {unique: [a], on_violation: drop}
              - {chekc: a}
            schedule: "61 * * * *"
            """
        let issues = validate([SpecSource(file: "f.yaml", text: text)]).issues
        let found = issues.map { "\($0.place.line) \($0.key)" }
        #expect(
            found == [
                "2 ", "3 owner", "6 sql", "7 partitioned_by[0]", "9 expectations[0].check",
                "9 expectations[0].on_violation", "10 expectations[1].on_violation",
                "11 expectations[2]", "11 expectations[2]", "12 schedule",
            ],
            "\(issues)"
        )
        #expect(issues[0].hint == "did you mean \"kind\"?")
        #expect(issues[0].description.hasPrefix("f.yaml:2: unknown key \"knd\""))
    }

    @Test(
        "refuses what is no spec",
        arguments: [
            "", "- a", "name: a.b", "name: [a]\nsql: SELECT 1", "name: a.b\nsql: DROP TABLE x",
            "name: a.b\nsql: SELECT 1\nsteps: []", "name: a.b\nsteps: [distinct]",
            "name: a.b\nname: c.d\nsql: SELECT 1", "name: a.b\nsql: SELECT 1\nkind: fulll",
            "name: a.b\nsql: SELECT 1\nkind: {full: {}, view: {}}",
            "name: a.b\nsql: SELECT 1\nkind: incremental_by_time_range",
            "name: a.b\nsql: SELECT 1\nkind: view\nexpectations: [{check: a}]",
            "name: a.b\nsql: SELECT 1\nschedule: 0 2 * *",
            "name: a.b\nsql: SELECT 1\nfreshness: soon",
            "name: a.b\nsql: SELECT 1\nschedule: 0 2 * * *\nfreshness: 1 hour",
            "name: &n a.b\nsql: *n", "name: !!str a.b\nsql: SELECT 1", "a: b\n---\nc: d",
            "name: a.b\nsql: SELECT 1\nexpectations: [{check: a, unique: [b]}]",
            "name: a.b\nsql: SELECT 1\nexpectations: [{completeness: [a], at_least: 2}]",
            "name: a.b\nsql: SELECT 1\nexpectations: [{row_count: {min: 3, max: 2}}]",
            "name: a.b\nsql: SELECT 1\nexpectations: [{unique: [a]}, {unique: [a]}]",
            "name: a.b\nsql: SELECT 1\ntests: [{given: {}, expect: [1]}]", "\t", "{", "\"",
            "name: a.b\nsql: \"SELECT 1", "? [a]\n: b",
        ]
    )
    func refused(text: String) {
        #expect(throws: PipelineError.self) {
            try TransformSpec.decode(text, file: "t.yaml").plan()
        }
    }

    @Test("SQL in a spec may hold stars, ampersands and exclamation marks")
    func punctuation() throws {
        let text = """
            name: a.b
            sql: |
              SELECT
                *, count(*) * 2 & 3
              FROM t WHERE a != b AND c !~ 'x' AND [1] && [2]
            expectations:
              - check: a != 'b' and c > 1
            """
        #expect(throws: Never.self) { try TransformSpec.decode(text, file: "t.yaml") }
    }

    @Test("says that a kind or an action is not in this version when run, and not before")
    func unsupported() throws {
        let plans = try TransformSet(try examples()).plans
        let recent = try #require(plans.first { $0.title == "analytics.recent" })
        do throws(PipelineError) {
            try recent.checkRunnable()
            Issue.record("not refused")
        } catch {
            #expect(error.code == .unsupported)
            #expect(error.issues.map(\.key) == ["kind", "expectations[0].on_violation"])
            #expect(error.description.contains("not in this version"))
        }
        #expect(throws: PipelineError.self) { try recent.checkTestable() }
        #expect(recent.notes.map(\.key).sorted() == ["freshness", "tests"])
        let full = try #require(plans.first { $0.title == "analytics.daily_delays_sql" })
        #expect(throws: Never.self) { try full.checkRunnable() }
    }

    @Test("deep nesting is an error, not a crash")
    func deep() {
        for text in [
            String(repeating: "[", count: 100_000), String(repeating: "- ", count: 100_000),
            String(repeating: "{a: ", count: 5000), String(repeating: "? ", count: 5000),
            (0..<900).map { String(repeating: " ", count: $0) + "a:\n" }.joined(),
        ] {
            #expect(throws: PipelineError.self) { try TransformSpec.decode(text, file: "t.yaml") }
        }
        let json = String(repeating: "[", count: 150) + String(repeating: "]", count: 150)
        #expect(throws: PipelineError.self) { try TransformSpec.decode(json, file: "t.json") }
    }

    @Test("never traps on mutated specs", arguments: 0..<16)
    func mutated(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let sources = try examples()
        let letters = Array("[]{}:,-&*!|>'\"#%@`? \n\tax0\\".utf8)
        for _ in 0..<150 {
            guard let source = sources.randomElement(using: &random) else { return }
            var bytes = Array(source.text.utf8)
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: index)
                case 2: bytes.removeSubrange(index..<min(bytes.count, index + 20))
                default: bytes.insert(letters.randomElement(using: &random) ?? 0, at: index)
                }
                if bytes.isEmpty { bytes = [0x61] }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            if let spec = try? TransformSpec.decode(text, file: source.file) {
                _ = try? spec.plan()
            }
        }
    }

    @Test(
        "the JSON Schema takes every example and refuses broken ones",
        .enabled(if: Python.path != nil)
    )
    func jsonSchema() throws {
        var files: [String: [UInt8]] = [
            "schema.json": Array(
                try Data(contentsOf: formats.appendingPathComponent("transform-spec.schema.json"))
            )
        ]
        for source in try examples() {
            // YAML as JSON, since Python's standard library reads no YAML.
            files["ok-\(source.file).json"] = try source.json().serialized()
        }
        for (index, text) in [
            #"{"sql": "SELECT 1"}"#, #"{"name": "a", "sql": "SELECT 1", "knd": "full"}"#,
            #"{"name": "a"}"#, #"{"name": "a", "sql": "SELECT 1", "kind": "all"}"#,
            #"{"name": "a", "source": "t", "steps": [{"fliter": "a"}]}"#,
            #"{"name": "a", "sql": "SELECT 1", "expectations": [{"check": "a", "unique": ["b"]}]}"#,
        ].enumerated() { files["bad-\(index).json"] = Array(text.utf8) }
        let script = """
            import json, glob
            from jsonschema import Draft202012Validator
            schema = json.load(open("schema.json"))
            Draft202012Validator.check_schema(schema)
            validator = Draft202012Validator(schema)
            for path in sorted(glob.glob("ok-*")):
                for error in validator.iter_errors(json.load(open(path))):
                    print(path, error.json_path, error.message)
            for path in sorted(glob.glob("bad-*")):
                if validator.is_valid(json.load(open(path))):
                    print(path, "is valid")
            """
        #expect(try Python.run(script, files: files).output == "")
    }
}

@Suite("Transform set") struct TransformSetTests {
    private func source(_ name: String, reads: [String], tags: String = "") -> SpecSource {
        let from = reads.isEmpty ? "(VALUES (1)) AS v" : reads.joined(separator: " CROSS JOIN ")
        return SpecSource(
            file: "\(name).yaml",
            text: "name: \(name)\nsql: SELECT * FROM \(from)\n\(tags)"
        )
    }

    private func set() throws -> TransformSet {
        try TransformSet([
            source("main.d", reads: ["b", "main.c"]), source("main.c", reads: ["a"]),
            source("main.b", reads: ["A"], tags: "tags: [nightly]\n"),
            source("main.a", reads: ["other.x"]), source("web.z", reads: []),
        ])
    }

    @Test("puts transforms behind those that they read from")
    func order() throws {
        let set = try set()
        #expect(set.plans.map(\.title) == ["main.a", "web.z", "main.b", "main.c", "main.d"])
        #expect(set.upstream == [[], [], [0], [0], [2, 3]])
    }

    @Test(
        "chooses by name, direction, namespace and tag",
        arguments: [
            ("main.b", ["main.b"]), ("+main.b", ["main.a", "main.b"]),
            ("main.b+", ["main.b", "main.d"]),
            ("+main.d", ["main.a", "main.b", "main.c", "main.d"]),
            ("web.*", ["web.z"]), ("tag:nightly", ["main.b"]),
            ("+main.b+", ["main.a", "main.b", "main.d"]),
        ]
    )
    func selection(selector: String, titles: [String]) throws {
        #expect(try set().selection([selector]).map(\.title) == titles)
    }

    @Test("says that a selector chooses nothing, and what was meant")
    func noSelection() throws {
        let set = try set()
        do throws(PipelineError) {
            _ = try set.selection(["main.bb"])
            Issue.record("not refused")
        } catch {
            #expect(error.code == .notFound)
            #expect(error.description.contains("did you mean"))
        }
    }

    @Test("names the circle in which transforms read from each other")
    func circle() throws {
        let issues = validate([
            source("m.a", reads: ["m.c"]), source("m.b", reads: ["m.a"]),
            source("m.c", reads: ["m.b"]), source("m.d", reads: ["m.a"]),
        ]).issues
        #expect(issues.count == 1)
        #expect(issues[0].message.contains("m.a reads m.c reads m.b reads m.a"))
    }

    @Test("refuses two that write the same table, and one that reads itself")
    func twice() throws {
        let twice = validate([
            source("main.a", reads: []), SpecSource(file: "x.yaml", text: "name: a\nsql: SELECT 1"),
        ]).issues
        #expect(twice.count == 1)
        #expect(twice[0].message.contains("also written by"))
        #expect(validate([source("main.a", reads: ["a"])]).issues.count == 1)
    }

    @Test("gives the errors of all files at once")
    func allFiles() {
        let issues = validate([
            SpecSource(file: "a.yaml", text: "name: a\nsql: SELECT"),
            SpecSource(file: "b.yaml", text: "nam: b"), source("main.c", reads: []),
        ]).issues
        #expect(Set(issues.map(\.place.file)) == ["a.yaml", "b.yaml"])
    }

    @Test("sees through common table expressions, subqueries and joins to the tables read")
    func reads() throws {
        let plan = try TransformSpec.decode(
            """
            name: a.b
            sql: |
              WITH x AS (SELECT * FROM t1), y AS (SELECT * FROM x)
              SELECT (SELECT max(a) FROM t2) FROM y JOIN t3 USING (k)
              WHERE EXISTS (TABLE t4) AND k IN (WITH z AS (FROM t5) SELECT k FROM z)
              UNION ALL SELECT count(*) FILTER (WHERE a IN (FROM t6)) FROM ns.x
            """,
            file: "a.yaml"
        ).plan()
        #expect(
            plan.reads.map { Printer.print($0) }.sorted()
                == ["ns.x", "t1", "t2", "t3", "t4", "t5", "t6"]
        )
    }
}
