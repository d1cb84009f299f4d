import Ambient
import Bytes
import Catalog
import CommitLog
import Iceberg
import Lineage

extension AuditExplanation {
    /// The report as one HTML file that needs nothing else, for screens and paper.
    ///
    /// Nothing in it is taken as markup, whatever names, messages and values say.
    package var html: String {
        var page = HTMLPage()
        page.open("h1")
        page.text("\(table.identifier)")
        page.close("h1")
        page.element("p", subject)
        page.facts([
            ("As of", "log position \(asOf.position), \(isoTime(millis: asOf.timeMillis))"),
            ("Branch", reference ?? ReferenceName.main),
            ("Branch of the table", table.branch ?? SnapshotRef.main),
            ("Snapshot", table.snapshot.map { String($0.snapshotID) } ?? "none"),
            ("Table", table.uuid), ("Format version", "\(table.formatVersion)"),
            ("Row lineage", table.hasRowLineage ? "yes" : "no: rows are followed by their values"),
            ("Warehouse", "\(warehouseURL) (\(warehouseID))"),
            ("Made", "\(isoTime(millis: madeMillis)) by \(madeBy)"),
            ("Complete", isComplete ? "yes" : "no"),
        ])
        if !gaps.isEmpty {
            page.element("h2", "What is missing")
            page.list(gaps)
        }
        if let absence {
            page.element("h2", "The row is gone")
            page.element("p", absence.words)
        }
        addRows(to: &page)
        page.element("h2", "Commits")
        for commit in commits { commit.add(to: &page) }
        addProof(to: &page)
        return page.whole(title: "Audit of \(table.identifier)")
    }

    private func addRows(to page: inout HTMLPage) {
        var shown = rows
        if let absence { shown.append(absence.row) }
        if shown.isEmpty { return }
        page.element("h2", "Rows")
        page.open("table")
        page.row(
            columns + ["Written by", "Known by", "Moved by", "Row id", "Sequence", "Row of file"],
            cell: "th"
        )
        for row in shown {
            let values = columns.map { name -> String in
                let value = row.values[name] ?? .null
                return value.string ?? (value.isNull ? "NULL" : value.text())
            }
            page.row(
                values + [
                    row.authors(commits, row.writers), row.evidence.rawValue,
                    row.authors(commits, row.carriers), row.rowID.map { String($0) } ?? "",
                    row.lastUpdatedSequenceNumber.map { String($0) } ?? "",
                    "\(row.place.position) of \(row.place.file)",
                ]
            )
        }
        page.close("table")
        if rowCount > rows.count {
            page.element("p", "\(rowCount) rows in all; \(rows.count) are listed.")
        }
    }

    private func addProof(to page: inout HTMLPage) {
        page.element("h2", "Proof")
        page.open("table")
        page.row(["What", "SHA-256", "Bytes", "Where"], cell: "th")
        page.row(["Log, position \(head.position)", head.sha256, "", head.key])
        page.row(["Entry \(asOf.position)", asOf.sha256, "", asOf.key])
        page.row([
            "Metadata (\(table.metadata.state))", table.metadata.foundSHA256 ?? "", "",
            table.metadata.location,
        ])
        if let list = manifestList { page.row(list.cells("Manifest list")) }
        for manifest in manifests { page.row(manifest.cells("Manifest")) }
        for file in files {
            page.row(file.file.cells("Data file, \(file.heldCount) of \(file.recordCount) rows"))
        }
        page.close("table")
        page.element("h2", "To check it")
        page.list(checks)
    }
}

extension AuditExplanation.HashedFile {
    fileprivate func cells(_ what: String) -> [String] {
        [what, sha256 ?? "not computed", String(byteCount), path]
    }
}

extension AuditExplanation.Commit {
    fileprivate func add(to page: inout HTMLPage) {
        page.open("section")
        page.element(
            "h3",
            "\(commit.position)\(commit.index > 0 ? ".\(commit.index)" : ""): \(commit.summary)"
        )
        var facts = [
            ("Role", sortedRoles.map(\.rawValue).joined(separator: ", ")),
            ("Rows in its files", "\(heldCount)"), ("Actor", commit.actor),
            ("Time", isoTime(millis: commit.timeMillis)), ("Message", commit.message ?? ""),
            ("Commit", commit.id), ("Request", commit.requestID ?? ""), ("Server", commit.server),
            ("Branch", commit.branch ?? ReferenceName.main),
        ]
        for snapshot in snapshots {
            facts.append(
                (
                    "Snapshot",
                    "\(snapshot.snapshotID), \(snapshot.operation?.rawValue ?? "unknown"), sequence "
                        + "\(snapshot.sequenceNumber)"
                )
            )
        }
        for flow in flows {
            let version = flow.job.version.map { " version \($0)" } ?? ""
            facts.append(("Run", "\(flow.runID) of \(flow.job.kind) \(flow.job.name)\(version)"))
            for input in flow.inputs { facts.append(("Input", input.words)) }
        }
        for one in upstream {
            for node in one.datasets {
                facts.append(("Upstream, step \(node.depth)", "\(node.kind.rawValue) \(node.name)"))
            }
            for gap in (one.answer?.gaps ?? []) + [one.trouble].compactMap({ $0 }) {
                facts.append(("Upstream, gap", gap))
            }
            if one.answer?.isCut ?? false { facts.append(("Upstream", "goes on further")) }
        }
        facts.append(("Entry", "\(entryKey), SHA-256 \(commit.entryHash)"))
        facts.append(("Entry before", "SHA-256 \(commit.previousHash)"))
        if let metadata {
            facts.append(
                (
                    "Metadata (\(metadata.state))",
                    "\(metadata.location), SHA-256 "
                        + "\(metadata.loggedSHA256 ?? metadata.foundSHA256 ?? "none")"
                )
            )
        }
        page.facts(facts.filter { !$0.1.isEmpty })
        page.close("section")
    }
}

/// Writes HTML; texts can only get in escaped.
private struct HTMLPage {
    private var body = ""

    mutating func open(_ name: StaticString) { body += "<\(name)>" }

    mutating func close(_ name: StaticString) { body += "</\(name)>\n" }

    mutating func text(_ text: String) { body += Self.escaped(text) }

    mutating func element(_ name: StaticString, _ text: String) {
        open(name)
        self.text(text)
        close(name)
    }

    mutating func list(_ items: [String]) {
        open("ul")
        for item in items { element("li", item) }
        close("ul")
    }

    mutating func facts(_ facts: [(String, String)]) {
        open("dl")
        for (name, text) in facts {
            element("dt", name)
            element("dd", text)
        }
        close("dl")
    }

    mutating func row(_ cells: [String], cell: StaticString = "td") {
        open("tr")
        for text in cells { element(cell, text) }
        close("tr")
    }

    func whole(title: String) -> String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
        <title>\(Self.escaped(title))</title>
        <style>
        body { font: 14px/1.5 sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; color: #111; }
        table { border-collapse: collapse; }
        th, td { border: 1px solid #bbb; padding: .2em .5em; text-align: left; vertical-align: top; }
        td, dd { overflow-wrap: anywhere; white-space: pre-wrap; }
        dl { display: grid; grid-template-columns: max-content 1fr; gap: .1em 1em; }
        dt { font-weight: bold; }
        dd { margin: 0; }
        section { border-top: 1px solid #bbb; break-inside: avoid; }
        @media print { body { margin: 0; max-width: none; font-size: 10px; } }
        </style>
        </head>
        <body>
        \(body)</body>
        </html>

        """
    }

    private static func escaped(_ text: String) -> String {
        var escaped = ""
        escaped.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            case "\n", "\t": escaped.unicodeScalars.append(scalar)
            // HTML has no form for other control characters.
            case _ where scalar.properties.generalCategory == .control: escaped += "\u{FFFD}"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
