import Ambient
package import Bytes
import Catalog
import CommitLog
import Iceberg
import Lineage

extension AuditExplanation {
    /// The version of the form that reports have.
    package static let formatVersion = 1

    /// The report as JSON.
    ///
    /// - Spec: Formats/audit-report/README.md
    package func json() throws -> JSON {
        [
            "report": "varve-audit-explain", "format-version": .integer(Self.formatVersion),
            "made": ["time": .string(isoTime(millis: madeMillis)), "by": .string(madeBy)],
            "warehouse": ["url": .string(warehouseURL), "id": .string(warehouseID)],
            "asked": asked,
            "as-of": asOf.json,
            "table": table.json,
            "complete": .bool(isComplete),
            "gaps": .strings(gaps),
            "rows": [
                "count": .integer(rowCount), "listed": .integer(rows.count),
                "columns": .strings(columns), "list": .array(rows.map(\.json)),
            ],
            "absence": absence?.json ?? .null,
            "commit-count": .integer(commitCount),
            "commits": .array(try commits.map { try $0.json() }),
            "proof": [
                "log": head.json,
                "manifest-list": manifestList?.json ?? .null,
                "manifests": .array(manifests.map(\.json)),
                "file-count": .integer(fileCount),
                "files": .array(files.map(\.json)),
                "check": .strings(checks),
            ],
        ]
    }

    private var asked: JSON {
        var object: JSONObject = ["table": .string(request.table)]
        object["row-id"] = request.rowID.map { .integer($0) } ?? .null
        object["where"] = request.predicate.map { .string($0) } ?? .null
        object["limit"] = .integer(request.listedCountMax)
        object["branch"] = reference.map { .string($0) } ?? .null
        object["table-branch"] = table.branch.map { .string($0) } ?? .null
        return .object(object)
    }

    /// How somebody checks the report without believing it.
    var checks: [String] {
        var lines = [
            "varve audit verify --warehouse \(shellQuoted(warehouseURL)) walks the whole log, whose hash at "
                + "position \(head.position) is \(head.sha256), and reads every file",
            "varve audit explain at a later time with --as-of \(asOf.position) gives the same rows, files "
                + "and commits, as long as their files are kept",
        ]
        lines.append(
            asOf.key.hasSuffix(".json")
                ? "sha256sum of \(asOf.key) in the warehouse is \(asOf.sha256)"
                : "entry \(asOf.position) lies in the archive \(asOf.key), which zstd -d unpacks; the "
                    + "SHA-256 of its bytes there is \(asOf.sha256)"
        )
        lines.append(
            "each entry names the SHA-256 of the one before it (previous) and of the metadata files that it "
                + "made current (metadata-sha256)"
        )
        return lines
    }

    private func shellQuoted(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                || (0x61...0x7A).contains(byte) || "/:._-".utf8.contains(byte)
        }
        if isPlain, !text.isEmpty { return text }
        var quoted = "'"
        for character in text {
            if character == "'" { quoted += "'\\''" } else { quoted.append(character) }
        }
        return quoted + "'"
    }
}

/// Ids of snapshots do not fit the numbers of JavaScript.
private func reportedID(_ snapshotID: Int64?) -> JSON {
    snapshotID.map { .string(String($0)) } ?? .null
}

extension AuditExplanation.LogPlace {
    fileprivate var json: JSON {
        [
            "position": .integer(position), "time": .string(isoTime(millis: timeMillis)),
            "sha256": .string(sha256), "object": .string(key),
        ]
    }
}

extension AuditExplanation.HashedFile {
    fileprivate var json: JSON {
        [
            "path": .string(path), "bytes": .integer(byteCount),
            "sha256": sha256.map { .string($0) } ?? .null,
        ]
    }
}

extension AuditExplanation.Metadata {
    /// What the log says and what the file is, in a word.
    var state: String {
        guard let foundSHA256 else { return "gone" }
        guard let loggedSHA256 else { return "unlogged" }
        return loggedSHA256 == foundSHA256 ? "matches" : "differs"
    }

    fileprivate var json: JSON {
        [
            "location": .string(location),
            "logged-sha256": loggedSHA256.map { .string($0) } ?? .null,
            "found-sha256": foundSHA256.map { .string($0) } ?? .null, "state": .string(state),
        ]
    }
}

extension Snapshot {
    /// What a report says of a snapshot.
    fileprivate var reported: JSON {
        [
            "snapshot-id": .string(String(snapshotID)),
            "sequence-number": .integer(sequenceNumber),
            "time": .string(isoTime(millis: timestampMillis)),
            "operation": operation.map { .string($0.rawValue) } ?? .null,
            "parent-snapshot-id": reportedID(parentSnapshotID),
            "manifest-list": manifestList.map { .string($0) } ?? .null,
        ]
    }
}

extension AuditExplanation.Table {
    fileprivate var json: JSON {
        [
            "name": .strings(identifier.namespace.levels + [identifier.name]),
            "uuid": .string(uuid), "format-version": .integer(formatVersion),
            "location": .string(location), "schema-id": .integer(schemaID),
            "row-lineage": .bool(hasRowLineage), "metadata": metadata.json,
            "snapshot": snapshot?.reported ?? .null,
        ]
    }
}

extension AuditExplanation.Row {
    fileprivate var json: JSON {
        [
            "values": values, "row-id": rowID.map { .integer($0) } ?? .null,
            "last-updated-sequence-number": lastUpdatedSequenceNumber.map { .integer($0) } ?? .null,
            "file": .string(place.file), "position": .integer(place.position),
            "file-snapshot-id": reportedID(fileSnapshotID),
            "written-by": .strings(writers), "moved-by": .strings(carriers),
            "inserted-by": inserter.map { .string($0) } ?? .null,
            "evidence": .string(evidence.rawValue), "certain": .bool(isCertain),
        ]
    }
}

extension AuditExplanation.Absence {
    fileprivate var json: JSON {
        [
            "row-id": .integer(rowID), "last-snapshot": lastSnapshot.reported, "row": row.json,
            "removing-snapshot": removingSnapshot?.reported ?? .null,
            "removed-by": remover.map { .string($0) } ?? .null,
            "equal-rows-added": .array(successors.map { .integer($0) }),
        ]
    }
}

extension AuditExplanation.Commit {
    fileprivate func json() throws -> JSON {
        [
            "id": .string(commit.id), "position": .integer(commit.position),
            "index": .integer(commit.index), "time": .string(isoTime(millis: commit.timeMillis)),
            "actor": .string(commit.actor),
            "request-id": commit.requestID.map { .string($0) } ?? .null,
            "message": commit.message.map { .string($0) } ?? .null,
            "server": .string(commit.server),
            "branch": commit.branch.map { .string($0) } ?? .null,
            "roles": .strings(sortedRoles.map(\.rawValue)), "rows-held": .integer(heldCount),
            "registration": .bool(isRegistration), "summary": .string(commit.summary),
            "changes": .array(commit.logged.map(\.json)),
            "snapshots": .array(snapshots.map(\.reported)), "runs": .array(flows.map(\.reported)),
            "upstream": .array(try upstream.map { try $0.json() }),
            "proof": [
                "object": .string(entryKey), "sha256": .string(commit.entryHash),
                "previous-sha256": .string(commit.previousHash),
                "metadata": metadata?.json ?? .null,
            ],
        ]
    }

    /// In the order in which they matter.
    var sortedRoles: [AuditExplanation.Role] {
        AuditExplanation.Role.allCases.filter { roles.contains($0) }
    }
}

extension AuditExplanation.Upstream {
    fileprivate func json() throws -> JSON {
        [
            "node": .string(node), "complete": .bool(answer?.isComplete ?? false),
            "answer": try answer?.json() ?? .null, "trouble": trouble.map { .string($0) } ?? .null,
        ]
    }
}

extension AuditExplanation.File {
    fileprivate var json: JSON {
        [
            "path": .string(file.path), "bytes": .integer(file.byteCount),
            "sha256": file.sha256.map { .string($0) } ?? .null, "rows": .integer(recordCount),
            "rows-held": .integer(heldCount),
            "snapshot-id": reportedID(snapshotID),
            "sequence-number": sequenceNumber.map { .integer($0) } ?? .null,
            "first-row-id": firstRowID.map { .integer($0) } ?? .null,
            "manifest": manifest.map { .string($0) } ?? .null,
            "delete-files": .strings(deleteFiles),
        ]
    }
}

extension LineageFacts {
    /// What a report says of a run.
    fileprivate var reported: JSON {
        [
            "run": .string(runID),
            "job": [
                "kind": .string(job.kind), "name": .string(job.name),
                "version": job.version.map { .string($0) } ?? .null,
            ],
            "operation": .string(output.operation),
            "inputs": .array(
                inputs.map { input in
                    var object = JSONObject()
                    switch input.dataset {
                    case .table(let uuid, let name):
                        object["table"] = .string(uuid)
                        object["name"] = .strings(name)
                    case .file(let path): object["file"] = .string(path)
                    }
                    object["snapshot-id"] = input.snapshotID.map { .string(String($0)) } ?? .null
                    return .object(object)
                }
            ),
        ]
    }
}
