import Ambient
package import Bytes

extension LineageSources: LineageReport {
    package static let rowColumns = [
        "source", "origin", "depth", "columns", "last_read", "by_job", "by_run", "read_snapshot",
        "newest_snapshot", "newest", "commits_behind", "behind_since",
    ]

    /// A row a source.
    package var rows: [[String?]] {
        sources.map { source in
            [
                source.node.name, source.originText, String(source.node.depth),
                source.columns.map { $0.joined(separator: ", ") },
                source.lastRead.map { isoTime(millis: $0.timeMillis) }, source.lastRead?.jobName,
                source.lastRead?.runID, source.lastRead?.inputSnapshotID.map { String($0) },
                source.newest?.snapshotID.map { String($0) },
                source.newest.map { isoTime(millis: $0.timeMillis) },
                source.commitsBehind.map { String($0) },
                source.firstUnread.map { isoTime(millis: $0.timeMillis) },
            ]
        }
    }

    package var head: JSONObject {
        head("sources", node, position: position, timeMillis: timeMillis)
    }

    package var lists: [LineageList] {
        [LineageList("sources", "source", of: sources) { $0.json }]
    }
}

extension LineageSources.Source {
    package var originText: String { origins.map(\.rawValue).joined(separator: ", ") }

    fileprivate var json: JSON {
        var object: JSONObject = [
            "name": .string(node.name), "kind": .string(node.kind.rawValue),
        ]
        if let uuid = node.tableUUID { object["uuid"] = .string(uuid) }
        if node.isDropped { object["dropped"] = true }
        object["origins"] = .strings(origins.map(\.rawValue))
        object["depth"] = .integer(node.depth)
        object["direct"] = .bool(node.isDirect)
        object["masked"] = .bool(node.isMasked)
        if let columns { object["columns"] = .strings(columns) }
        if let conditionColumns { object["condition_columns"] = .strings(conditionColumns) }
        if let lastRead {
            var run = lastRead.members
            if let id = lastRead.inputSnapshotID { run["input_snapshot"] = .string(String(id)) }
            object["last_read"] = .object(run)
        }
        if let newest { object["newest"] = newest.json }
        if let read { object["read"] = read.json }
        if let commitsBehind { object["commits_behind"] = .integer(commitsBehind) }
        if let behindMillis { object["millis_behind"] = .integer(behindMillis) }
        if let firstUnread { object["first_unread"] = firstUnread.json }
        return .object(object)
    }
}

extension LineageSources.Change {
    fileprivate var json: JSON {
        var object: JSONObject = [
            "position": .integer(position), "time": .string(isoTime(millis: timeMillis)),
        ]
        if let snapshotID { object["snapshot"] = .string(String(snapshotID)) }
        return .object(object)
    }
}
