import Bytes
import Catalog
import Crypto
import HTTPTypes
import Iceberg

/// Which snapshots a client wants to see of a table.
enum SnapshotChoice: String, Sendable {
    case all
    /// Those that a branch or tag refers to.
    case refs

    /// - Throws: `badRequest`.
    init(_ target: RequestTarget) throws(ServerError) {
        let text = target.query["snapshots"] ?? ""
        guard let choice = Self(rawValue: text.isEmpty ? "all" : text.lowercased()) else {
            throw ServerError(.badRequest, "snapshots is all or refs, not \"\(text)\"")
        }
        self = choice
    }
}

extension ClientConfiguration {
    /// What a load, create, register or commit of a table answers.
    func reply(
        _ table: LoadedTable,
        _ choice: SnapshotChoice = .all,
        _ access: TableAccess
    ) -> Reply {
        var object: JSONObject = [
            "metadata-location": .string(table.metadataLocation),
            "metadata": json(table.metadata, choice), "config": .stringMap(access.config),
        ]
        if !access.credentials.isEmpty { object["storage-credentials"] = access.credentialsJSON }
        var reply = Reply.json(.object(object))
        reply.headers[.eTag] = entityTag(table, choice, access)
        return reply
    }

    /// What a staged create answers: there is no metadata file yet.
    func reply(staged metadata: TableMetadata, _ access: TableAccess) -> Reply {
        var object: JSONObject = [
            "metadata": metadata.json, "config": .stringMap(access.config),
        ]
        if !access.credentials.isEmpty { object["storage-credentials"] = access.credentialsJSON }
        return .json(.object(object))
    }

    private func json(_ metadata: TableMetadata, _ choice: SnapshotChoice) -> JSON {
        guard choice == .refs else { return metadata.json }
        let referred = Set(metadata.refs.values.map(\.snapshotID))
        var metadata = metadata
        metadata.snapshots.removeAll { !referred.contains($0.snapshotID) }
        return metadata.json
    }

    /// Names the answer: a metadata file never changes, so its location says all, together with what of
    /// it was asked for and what clients are told beside it.
    func entityTag(
        _ table: LoadedTable,
        _ choice: SnapshotChoice,
        _ access: TableAccess
    ) -> String {
        let text = "\(table.metadataLocation)\n\(choice.rawValue)\n\(access.mark)"
        return "\"\(hex(SHA256.hash(data: Array(text.utf8)).prefix(16)))\""
    }

    /// Whether a client that sent `If-None-Match` has this answer already.
    func isKnown(_ tag: String, _ headers: HTTPFields) -> Bool {
        guard let list = headers[.ifNoneMatch] else { return false }
        return list.split(separator: ",").contains { part in
            var candidate = part.drop { $0 == " " }
            while candidate.last == " " { candidate.removeLast() }
            if candidate.hasPrefix("W/") { candidate = candidate.dropFirst(2) }
            return candidate == tag || candidate == "*"
        }
    }
}
