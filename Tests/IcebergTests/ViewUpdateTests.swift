import Testing

import Bytes
import Iceberg
import TestSupport

@Suite struct ViewUpdateTests {
    private func view() throws -> ViewMetadata {
        ViewMetadata(
            uuid: "u",
            location: "memory:/v",
            schema: try Schema(fields: [
                NestedField(id: 1, name: "a", required: false, type: .long)
            ]),
            version: ViewMetadata.Version(
                representations: [.init(sql: "SELECT 1 AS a", dialect: "spark")],
                defaultNamespace: ["main"]
            ),
            properties: [:]
        )
    }

    private func updates(_ text: String, id: Int = 1) -> JSON {
        [
            [
                "action": "add-view-version",
                "view-version": [
                    "version-id": .integer(id), "schema-id": 0, "timestamp-ms": 9, "summary": [:],
                    "default-namespace": ["main"],
                    "representations": [
                        ["type": "sql", "sql": .string(text), "dialect": "spark"]
                    ],
                ],
            ],
            ["action": "set-current-view-version", "view-version-id": .integer(id)],
        ]
    }

    @Test("a version's id that is taken is replaced, and the current version follows it")
    func ids() throws {
        let list = try ViewUpdate.list(json: updates("SELECT 2 AS a", id: 1))
        let after = try view().applying(list, now: 7)
        #expect(after.currentVersionID == 2 && after.currentVersion.timestampMillis == 7)
        #expect(after.versionLog.map(\.versionID) == [1, 2])
        // Going back is an entry of the log, not a version.
        let back = try ViewUpdate.list(json: updates("SELECT 1 AS a", id: 40))
        let returned = try after.applying(back, now: 8)
        #expect(returned.currentVersionID == 1 && returned.versions.count == 2)
        #expect(returned.versionLog.map(\.versionID) == [1, 2, 1])
    }

    @Test("old versions go, the current one and those just added stay")
    func history() throws {
        var now = try view()
        now.properties["version.history.num-entries"] = "3"
        for number in 2...9 {
            let list = try ViewUpdate.list(json: updates("SELECT \(number) AS a", id: number))
            now = try now.applying(list, now: Int64(number))
        }
        #expect(now.versions.map(\.versionID) == [7, 8, 9])
        #expect(now.versionLog.map(\.versionID) == [7, 8, 9] && now.schemas.count == 1)
    }

    @Test("mutated updates never trap", arguments: 0..<8 as Range<UInt64>)
    func mutated(seed: UInt64) throws {
        let base = try view()
        let text = updates("SELECT 2 AS a", id: 5).serialized()
        var random = SeededGenerator(seed: seed)
        for _ in 0..<800 {
            var bytes = text
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
                    in: 0x20...0x7E,
                    using: &random
                )
            }
            guard let json = try? JSON.parse(bytes), let list = try? ViewUpdate.list(json: json),
                let after = try? base.applying(list, now: 1)
            else { continue }
            // What is accepted can be read back.
            #expect(try ViewMetadata(json: after.json).currentVersionID == after.currentVersionID)
        }
    }
}
