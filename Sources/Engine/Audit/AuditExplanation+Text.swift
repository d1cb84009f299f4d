import Ambient
import Bytes
import Catalog
import CommitLog
import Iceberg
import Lineage

extension AuditExplanation {
    /// The report for a person at a terminal.
    package var text: String {
        var lines = [
            "\(table.identifier): \(subject)",
            "as of log position \(asOf.position), \(isoTime(millis: asOf.timeMillis))"
                + (reference.map { ", on \($0)" } ?? "")
                + (table.branch.map { ", branch \($0) of the table" } ?? ""),
            "snapshot \(table.snapshot.map { String($0.snapshotID) } ?? "none"), table \(table.uuid), "
                + "format version \(table.formatVersion)",
            "",
        ]
        if let absence { lines += absence.lines + [""] }
        for row in rows { lines += row.lines(commits) }
        if rowCount > rows.count, !rows.isEmpty {
            lines.append("… and \(rowCount - rows.count) more rows (--limit)")
        }
        if !rows.isEmpty { lines.append("") }
        for commit in commits { lines += commit.lines + [""] }
        lines += proofLines
        lines.append("")
        lines.append("complete: \(isComplete)")
        lines += gaps.map { "gap: \($0)" }
        // Names and messages are others' words, and a terminal obeys control characters.
        return lines.map(printable).joined(separator: "\n") + "\n"
    }

    /// What was asked for, with how many rows it is.
    var subject: String {
        let rows = rowCount == 1 ? "1 row" : "\(rowCount) rows"
        if let id = request.rowID { return "row id \(id): \(rows)" }
        if let predicate = request.predicate { return "where \(predicate): \(rows)" }
        return "all \(rows)"
    }

    private var proofLines: [String] {
        var lines = ["Proof"]
        lines.append("  log: position \(head.position), sha256 \(head.sha256), \(head.key)")
        lines.append(
            "  metadata (\(table.metadata.state)): sha256 \(table.metadata.foundSHA256 ?? "none"), "
                + table.metadata.location
        )
        if let list = manifestList {
            lines.append(
                "  manifest list: \(list.byteCount) bytes, sha256 \(list.sha256 ?? "none"), \(list.path)"
            )
        }
        for manifest in manifests {
            lines.append(
                "  manifest: \(manifest.byteCount) bytes, sha256 \(manifest.sha256 ?? "none"), "
                    + manifest.path
            )
        }
        for file in files {
            lines.append(
                "  data file: \(file.heldCount) of \(file.recordCount) rows, \(file.file.byteCount) bytes, "
                    + "sha256 \(file.file.sha256 ?? "not computed (--hash-data)"), \(file.file.path)"
            )
        }
        lines.append("To check")
        return lines + checks.map { "  \($0)" }
    }

    private func printable(_ line: String) -> String {
        var text = ""
        for scalar in line.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate:
                text += "\\u{\(String(scalar.value, radix: 16))}"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}

extension AuditExplanation.Row {
    /// Who wrote it, in words: `3 (alice)`, with the commit's position.
    func authors(_ commits: [AuditExplanation.Commit], _ ids: [String]) -> String {
        ids.map { id in
            let commit = commits.first { $0.commit.id == id }?.commit
            return commit.map { "\($0.position) (\($0.actor), \(isoTime(millis: $0.timeMillis)))" }
                ?? "commit \(id)"
        }.joined(separator: isCertain ? ", " : " or ")
    }

    fileprivate func lines(_ commits: [AuditExplanation.Commit]) -> [String] {
        var lines = ["row \(values.text())"]
        lines.append("  written by \(authors(commits, writers)), known by \(evidence.rawValue)")
        if !carriers.isEmpty { lines.append("  moved by \(authors(commits, carriers))") }
        if let inserter { lines.append("  inserted by \(authors(commits, [inserter]))") }
        var place = "  row \(place.position) of \(place.file)"
        if let rowID { place += ", row id \(rowID)" }
        if let number = lastUpdatedSequenceNumber {
            place += ", last updated by sequence \(number)"
        }
        lines.append(place)
        return lines
    }
}

extension AuditExplanation.Absence {
    /// What became of the row, in words.
    var words: String {
        var text =
            "row id \(rowID) was there until snapshot \(lastSnapshot.snapshotID) "
            + "(\(isoTime(millis: lastSnapshot.timestampMillis)))"
        if let removingSnapshot {
            text +=
                "; snapshot \(removingSnapshot.snapshotID) "
                + "(\(removingSnapshot.operation?.rawValue ?? "of no known kind")) has it no more"
        }
        if let remover { text += ", made by commit \(remover)" }
        if !successors.isEmpty {
            text +=
                "; that snapshot added an equal row with id "
                + successors.map(String.init).joined(separator: ", ")
                + ": most likely the same row, written anew without its id"
        }
        return text
    }

    fileprivate var lines: [String] { [words, "  it was \(row.values.text())"] }
}

extension AuditExplanation.Commit {
    fileprivate var lines: [String] {
        var lines = [
            "commit \(commit.position)"
                + (commit.index > 0 ? ".\(commit.index)" : "")
                + " by \(commit.actor), \(isoTime(millis: commit.timeMillis)): "
                + sortedRoles.map(\.rawValue).joined(separator: ", ")
                + (heldCount > 0
                    ? " (\(heldCount == 1 ? "1 row" : "\(heldCount) rows") in its files)" : "")
        ]
        if let message = commit.message { lines.append("  message: \(message)") }
        lines.append("  \(commit.summary)")
        lines.append("  id \(commit.id)" + (commit.requestID.map { ", request \($0)" } ?? ""))
        for snapshot in snapshots {
            lines.append(
                "  snapshot \(snapshot.snapshotID): \(snapshot.operation?.rawValue ?? "unknown"), "
                    + "sequence \(snapshot.sequenceNumber)"
            )
        }
        for flow in flows {
            lines.append(
                "  run \(flow.runID) of \(flow.job.kind) \(flow.job.name)"
                    + (flow.job.version.map { " version \($0)" } ?? "")
                    + ": \(flow.output.operation)"
            )
            for input in flow.inputs { lines.append("    from \(input.words)") }
        }
        for one in upstream { lines += one.lines }
        lines.append("  entry \(entryKey), sha256 \(commit.entryHash)")
        lines.append("  after sha256 \(commit.previousHash)")
        if let metadata {
            lines.append(
                "  metadata (\(metadata.state)): sha256 "
                    + "\(metadata.loggedSHA256 ?? metadata.foundSHA256 ?? "none"), \(metadata.location)"
            )
        }
        return lines
    }
}

extension LineageFacts.Input {
    /// What was read, in words.
    var words: String {
        let name =
            switch dataset {
            case .table(_, let name): "table " + name.joined(separator: ".")
            case .file(let path): "file \(path)"
            }
        return name + (snapshotID.map { " at snapshot \($0)" } ?? "")
    }
}

extension AuditExplanation.Upstream {
    /// The datasets further upstream, nearest first.
    var datasets: [LineageAnswer.Node] { answer?.nodes.filter { $0.depth > 0 } ?? [] }

    fileprivate var lines: [String] {
        if let trouble { return ["  upstream of \(node): not known (\(trouble))"] }
        var lines: [String] = []
        for node in datasets {
            lines.append("  upstream, step \(node.depth): \(node.kind.rawValue) \(node.name)")
        }
        for gap in answer?.gaps ?? [] { lines.append("  upstream gap: \(gap)") }
        if answer?.isCut ?? false { lines.append("  upstream goes on beyond --depth") }
        return lines
    }
}
