import Bytes
import Crypto

// What a history is held against, which is strict serializability, with the log as the order:
//
// 1. The log is one chain without gaps whose entries never change and whose time grows.
// 2. Every commit in it was asked for, is there once, and does what was asked, on the state before it.
// 3. What was acknowledged is where the receipt says, and came there between asking and answer; what
//    failed for certain is not there; what nobody knows of is there once or not at all.
// 4. A refusal follows from a state that the catalog had while the request was under way.
// 5. Transactions found what they read, as their isolation promises.
// 6. A strong read sees every entry that was there when it began, and none that came after it ended;
//    whatever a read gives is the state of one position, as the second implementation folds it.
// 7. Readings of one process never go back, and see what was committed through it.
// 8. Who asks again with an id gets the first answer.
// 9. Whoever is shown a table, or told that it was changed, can read every file that it refers to; and no entry
//    is written before the files of the one before it are there.

/// Something in a history that must not be.
package struct HistoryViolation: Sendable, CustomStringConvertible {
    package enum Kind: String, Sendable, CaseIterable {
        /// The entries are no chain, or one does not follow from those before it.
        case brokenLog
        /// An entry that lay there was changed.
        case rewrittenEntry
        /// The time of an entry is not later than that of the one before.
        case timeWentBack
        /// A commit in the log that nobody asked for.
        case strangeCommit
        /// An acknowledged commit is not where it should be.
        case lostCommit
        /// A commit is in the log more than once.
        case landedTwice
        /// A commit that failed for certain is in the log.
        case landedAfterFailure
        /// A commit did something else than what was asked.
        case wrongEffect
        /// A transaction did not find at its commit what it had read.
        case brokenIsolation
        /// A request was refused for what the catalog was not.
        case groundlessRefusal
        /// Asking again with an id did not give the first answer.
        case wrongReplay
        /// A read does not see what happened before it.
        case staleRead
        /// A read sees what is not in the log yet.
        case futureRead
        /// What a read gives is no state that the catalog ever had.
        case wrongState
        /// A later read of the same process sees less.
        case wentBack
        /// Somebody was shown a table, or an entry followed, before the table's files were there.
        case missingFile
        /// Nothing was wrong any more, and still there was no answer.
        case noAnswer
    }

    package var kind: Kind
    package var message: String
    /// The operation in question, as an index of the history's.
    package var operation: Int?

    package var description: String { "\(kind.rawValue): \(message)" }
}

/// Holds a history against its log.
package struct HistoryChecker {
    private struct Entry {
        var timeMillis: Int64
        var hash: String
        var moment: SimulatedWorld.Moment
    }

    /// A commit in the log.
    private struct Landing {
        var position: Int64
        var timeMillis: Int64
        var moment: SimulatedWorld.Moment
        /// The state before it, as an index of `states`; the one after it is the next.
        var before: Int
    }

    private let history: History
    private var entries: [Entry] = []
    /// The states before the first commit and after each.
    private var states = [CatalogModel()]
    /// The state after each position, as an index of `states`; at 0 that before the first entry.
    private var statesOfPositions = [0]
    private var landings: [String: [Landing]] = [:]
    private var contents: [String: TableContent] = [:]
    /// The files that a table needs, by the location of its metadata.
    private var filesOfTables: [String: [String]] = [:]
    /// The files that the commits of each entry refer to.
    private var files: [[String]] = []
    /// What the commits of each position added.
    private var added: [Int64: [TableName: Set<Int64>]] = [:]
    /// When a commit was asked for first.
    private var askedAt: [String: SimulatedWorld.Moment] = [:]
    private(set) var violations: [HistoryViolation] = []
    private var current: Int?

    /// Checks a history.
    ///
    /// - Returns: what is wrong with it; nothing for a good one.
    package static func violations(of history: History) -> [HistoryViolation] {
        var checker = HistoryChecker(history)
        checker.check()
        return checker.violations
    }

    private init(_ history: History) {
        self.history = history
    }

    private mutating func report(_ kind: HistoryViolation.Kind, _ message: String) {
        violations.append(HistoryViolation(kind: kind, message: message, operation: current))
    }

    private mutating func check() {
        foldLog()
        var asked = history.foreignIDs
        for case .commit(let commit) in history.operations.map(\.call) {
            for attempt in commit.attempts {
                asked.insert(attempt.id)
                askedAt[attempt.id] = min(askedAt[attempt.id] ?? attempt.invoked, attempt.invoked)
            }
        }
        for id in landings.keys.sorted() where !asked.contains(id) {
            report(.strangeCommit, "nobody asked for \(id)")
        }
        for (index, operation) in history.operations.enumerated() {
            current = index
            switch operation.call {
            case .read(let reading): check(operation, reading)
            case .commit(let commit): check(operation, commit)
            case .other: break
            }
            if operation.client < 0 {
                switch operation.outcome {
                case .saw, .committed, .done: break
                default: report(.noAnswer, "all is well, but: \(operation.outcome)")
                }
            }
        }
        current = nil
        checkAdded()
        checkSessions()
    }

    // MARK: - The log

    private func hash(_ bytes: [UInt8]) -> String {
        var text = ""
        for byte in SHA256.hash(data: bytes) {
            let digits = String(byte, radix: 16)
            text += digits.count == 1 ? "0\(digits)" : digits
        }
        return text
    }

    private mutating func foldLog() {
        var lives: [String: (bytes: [UInt8], moment: SimulatedWorld.Moment)] = [:]
        for writing in history.writings {
            // What is created again after it was archived and removed counts for nothing.
            if writing.isAfterRemoval { continue }
            if let first = lives[writing.key] {
                report(.rewrittenEntry, "\(writing.key) was written again")
                lives[writing.key] = (writing.bytes, first.moment)
            } else {
                lives[writing.key] = (writing.bytes, writing.moment)
            }
        }
        var (previous, time) = (history.warehouseHash, history.createdMillis)
        var event = 0
        for (offset, key) in lives.keys.sorted().enumerated() {
            let position = Int64(offset + 1)
            guard let (bytes, moment) = lives[key] else { return }
            let digits = key.drop { !$0.isNumber }.prefix { $0.isNumber }
            guard Int64(digits) == position, let json = try? JSON.parse(bytes),
                json["sequence"]?.int64 == position, let entryTime = json["time"]?.int64,
                let commits = json["commits"]?.array, !commits.isEmpty
            else { return report(.brokenLog, "\(key) is not entry \(position)") }
            if json["previous"]?.string != previous {
                report(.brokenLog, "entry \(position) does not follow the one before it")
            }
            if moment.event < event {
                report(.brokenLog, "entry \(position) is older than the one before it")
            }
            if entryTime <= time {
                report(.timeWentBack, "entry \(position) has time \(entryTime) after \(time)")
            }
            if let before = files.last { check(before, thereBefore: moment, "entry \(position)") }
            let isMarked = commits[0]["changes"]?[0]?["change"]?.string == "carry-files"
            if isMarked != (json["files"] != nil) {
                report(
                    .brokenLog,
                    "entry \(position) has files and no mark, or a mark and no files"
                )
            }
            files.append([])
            for (index, commit) in commits.enumerated() {
                fold(commit, position, entryTime, moment, skipsMark: isMarked && index == 0)
            }
            (previous, time, event) = (hash(bytes), entryTime, moment.event)
            entries.append(Entry(timeMillis: entryTime, hash: previous, moment: moment))
            statesOfPositions.append(states.count - 1)
        }
    }

    private mutating func fold(
        _ commit: JSON,
        _ position: Int64,
        _ timeMillis: Int64,
        _ moment: SimulatedWorld.Moment,
        skipsMark: Bool
    ) {
        guard let id = commit["id"]?.string, let changes = commit["changes"]?.array else {
            return report(.brokenLog, "a commit of entry \(position) makes no sense")
        }
        var model = states[states.count - 1]
        for change in changes.dropFirst(skipsMark ? 1 : 0) {
            do {
                try model.apply(change)
            } catch {
                report(.brokenLog, "entry \(position) cannot follow: \(error)")
            }
            guard let location = change["metadata-location"]?.string,
                let sum = change["metadata-sha256"]?.string
            else { continue }
            guard let bytes = history.metadata[location] else {
                report(.brokenLog, "entry \(position) names \(location), which is not there")
                continue
            }
            if hash(bytes) != sum {
                report(.brokenLog, "entry \(position) says another hash of \(location)")
            }
            contents[location] = content(of: bytes)
            filesOfTables[location] = [location] + lists(of: bytes)
            files[files.count - 1] += filesOfTables[location] ?? []
        }
        landings[id, default: []].append(
            Landing(
                position: position,
                timeMillis: timeMillis,
                moment: moment,
                before: states.count - 1
            )
        )
        states.append(model)
    }

    /// The manifest lists that a table's metadata name.
    private func lists(of bytes: [UInt8]) -> [String] {
        let json = try? JSON.parse(bytes)
        return (json?["snapshots"]?.array ?? []).compactMap { $0["manifest-list"]?.string }
    }

    private mutating func check(
        _ files: [String],
        thereBefore moment: SimulatedWorld.Moment,
        _ what: String
    ) {
        for file in files where history.written[file].map({ $0 >= moment }) ?? true {
            report(.missingFile, "\(what) came before \(file) was there")
        }
    }

    private func content(of bytes: [UInt8]) -> TableContent? {
        guard let json = try? JSON.parse(bytes) else { return nil }
        var content = TableContent()
        for snapshot in json["snapshots"]?.array ?? [] {
            guard let files = snapshot["summary"]?["files"]?.string else {
                if let id = snapshot["snapshot-id"]?.int64 { content.snapshotIDs.append(id) }
                continue
            }
            content.added += files.split(separator: " ").compactMap { Int64($0) }
        }
        for member in json["properties"]?.object?.members ?? [] {
            content.properties[member.key] = member.value.string
        }
        return content
    }

    /// The state after a position.
    private func model(at position: Int64) -> CatalogModel? {
        guard position >= 0, position < statesOfPositions.count else { return nil }
        return states[statesOfPositions[Int(position)]]
    }

    /// How many entries there were before something happened.
    private func count(before moment: SimulatedWorld.Moment) -> Int64 {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].moment.event < moment.event {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return Int64(low)
    }

    private func meaning(of model: CatalogModel) -> MeantState {
        MeantState(
            namespaces: model.namespaces,
            tables: model.tables.mapValues { reference in
                MeantState.Table(
                    uuid: reference.uuid,
                    content: contents[reference.location] ?? TableContent(snapshotIDs: [-1])
                )
            }
        )
    }

    // MARK: - Commits

    private mutating func check(_ operation: HistoryOperation, _ commit: HistoryCommit) {
        let ids = Set(commit.attempts.map(\.id))
        let landed = ids.sorted().flatMap { landings[$0] ?? [] }.sorted { $0.before < $1.before }
        if landed.count > 1 {
            report(.landedTwice, "at positions \(landed.map(\.position))")
        }
        switch operation.outcome {
        case .refused(let why), .failed(let why):
            if let landing = landed.first {
                report(.landedAfterFailure, "it is at \(landing.position), but failed: \(why)")
            }
        default: break
        }
        for attempt in commit.attempts { check(attempt, commit, landed.first) }
        guard let landing = landed.first else { return }
        if let first = ids.compactMap({ askedAt[$0] }).min(), landing.moment < first {
            report(.strangeCommit, "it landed before it was asked for")
        }
        let before = states[landing.before]
        if let broken = isolationFault(commit, on: before) {
            report(.brokenIsolation, "at \(landing.position): \(broken)")
        }
        var expected = meaning(of: before)
        do throws(MeantState.Refusal) {
            try expected.apply(commit.steps, before: before)
            let found = meaning(of: states[landing.before + 1])
            // Others of the entry may have added to the same snapshot.
            if found.withoutAdded != expected.withoutAdded {
                report(
                    .wrongEffect,
                    "at \(landing.position) \(commit.steps) gave \(found) instead of \(expected)"
                )
            }
            for case .add(let name, let file) in commit.steps {
                added[landing.position, default: [:]][name, default: []].insert(file)
            }
        } catch {
            report(.wrongEffect, "at \(landing.position), where it cannot be: \(error)")
        }
    }

    /// That each entry added to every table exactly what its commits were asked to add.
    private mutating func checkAdded() {
        for position in 1..<max(statesOfPositions.count, 1) {
            guard let before = model(at: Int64(position - 1)),
                let after = model(at: Int64(position))
            else { continue }
            for (name, reference) in after.tables.sorted(by: { $0.key < $1.key }) {
                let old = before.tables.values.first { $0.uuid == reference.uuid }
                let had = old.flatMap { contents[$0.location] }?.added ?? []
                let has = contents[reference.location]?.added ?? []
                let asked = added[Int64(position)]?[name] ?? []
                if has.count != had.count + asked.count || Array(has.prefix(had.count)) != had
                    || Set(has.dropFirst(had.count)) != asked
                {
                    report(
                        .wrongEffect,
                        "\(name) has \(has) after \(position), but had \(had) and got \(asked)"
                    )
                }
            }
        }
    }

    private mutating func check(
        _ attempt: HistoryCommit.Attempt,
        _ commit: HistoryCommit,
        _ landing: Landing?
    ) {
        switch attempt.outcome {
        case .committed(let position, let timeMillis, let isReplay):
            guard let landing else {
                return report(.lostCommit, "\(attempt.id) was acknowledged, at \(position)")
            }
            if landing.position != position || landing.timeMillis != timeMillis {
                report(
                    .lostCommit,
                    "\(attempt.id) is at \(landing.position), not at \(position), or has another time"
                )
            }
            if let files = files.indices.contains(Int(position) - 1)
                ? files[Int(position) - 1] : nil
            {
                check(files, thereBefore: attempt.completed, "the receipt of \(attempt.id)")
            }
            if landing.moment > attempt.completed {
                report(.lostCommit, "\(attempt.id) was acknowledged before it was there")
            }
            if landing.moment < attempt.invoked, !isReplay {
                report(.wrongReplay, "\(attempt.id) was there, and is said to be new")
            }
        case .refused(let why):
            if let landing, landing.moment < attempt.invoked {
                report(.wrongReplay, "\(attempt.id) was there, and was refused: \(why)")
            } else if landing == nil, !isRefusable(attempt, commit) {
                report(
                    .groundlessRefusal,
                    "nothing between positions \(count(before: attempt.invoked)) and "
                        + "\(count(before: attempt.completed)) tells why: \(why)"
                )
            }
        default: break
        }
    }

    /// Whether a commit could not be done on one of the states that there were during an attempt.
    private func isRefusable(_ attempt: HistoryCommit.Attempt, _ commit: HistoryCommit) -> Bool {
        let first = statesOfPositions[Int(count(before: attempt.invoked))]
        let last = statesOfPositions[Int(count(before: attempt.completed))]
        return (first...max(first, last)).contains { index in
            if isolationFault(commit, on: states[index]) != nil { return true }
            var state = meaning(of: states[index])
            do throws(MeantState.Refusal) {
                try state.apply(commit.steps, before: states[index])
                return false
            } catch {
                return true
            }
        }
    }

    /// What a transaction read otherwise than it is right before its commit.
    private func isolationFault(_ commit: HistoryCommit, on state: CatalogModel) -> String? {
        var names = commit.steps.flatMap(\.changedTables)
        let read: ObservedCatalog
        switch commit.isolation {
        case .single: return nil
        case .snapshot(let seen): read = seen
        case .serializable(let seen, let looked):
            read = seen
            names += looked
        }
        // What the commit makes of a name itself does not count.
        for name in names where read.model.tables[name] != state.tables[name] {
            let (one, other) = (read.model.tables[name], state.tables[name])
            return "\(name) was read as \(one.map { "\($0)" } ?? "nothing") at \(read.position) "
                + "and is \(other.map { "\($0)" } ?? "nothing")"
        }
        return nil
    }

    // MARK: - Reads

    private mutating func check(_ operation: HistoryOperation, _ reading: HistoryReading) {
        let first = count(before: operation.invoked)
        let last = count(before: operation.completed)
        guard case .saw(let seen) = operation.outcome else {
            guard case .refused(let why) = operation.outcome else { return }
            switch reading {
            case .asOfPosition(let position) where position > first: return
            case .asOfTime(let time) where time < history.createdMillis: return
            default: return report(.groundlessRefusal, "a read was refused: \(why)")
            }
        }
        if seen.position > last {
            return report(.futureRead, "position \(seen.position) while the log had \(last)")
        }
        switch reading {
        case .strong:
            if seen.position < first {
                report(.staleRead, "position \(seen.position) while the log had \(first)")
            }
        case .bounded(let nanoseconds):
            let bound = operation.invoked.nanos - nanoseconds
            let due = entries.prefix { $0.moment.nanos < bound }.count
            if seen.position < due {
                report(.staleRead, "position \(seen.position), but \(due) was there long before")
            }
        case .asOfPosition(let position):
            if seen.position != position { report(.wrongState, "position \(seen.position)") }
        case .asOfTime(let time):
            let due = entries.prefix(Int(first)).prefix { $0.timeMillis <= time }.count
            let isLater =
                seen.position > 0 && entries[Int(seen.position) - 1].timeMillis > time
            if isLater || seen.position < due {
                report(.wrongState, "position \(seen.position) is not the last as of \(time)")
            }
        }
        for (name, reference) in seen.model.tables.sorted(by: { $0.key < $1.key }) {
            let files = filesOfTables[reference.location] ?? []
            check(files, thereBefore: operation.completed, "a look at \(name) at \(seen.position)")
        }
        check(seen)
    }

    private mutating func check(_ seen: ObservedCatalog) {
        guard let model = model(at: seen.position) else {
            return report(.futureRead, "the log never reached position \(seen.position)")
        }
        if seen.model != model {
            report(.wrongState, "position \(seen.position) is \(model), but was read otherwise")
        }
        let entry = seen.position > 0 ? entries[Int(seen.position) - 1] : nil
        if seen.timeMillis != entry?.timeMillis ?? history.createdMillis
            || seen.hash != entry?.hash ?? history.warehouseHash
        {
            report(.wrongState, "another time or hash than position \(seen.position) has")
        }
        for (name, content) in seen.contents.sorted(by: { $0.key < $1.key }) {
            let expected = model.tables[name].flatMap { contents[$0.location] }
            if content != expected {
                report(.wrongState, "\(name) at \(seen.position) was read as \(content)")
            }
        }
    }

    // MARK: - Processes

    /// Whoever asks the same process never sees less than before.
    private mutating func checkSessions() {
        struct Process: Hashable {
            var server: Int
            var incarnation: Int
        }
        struct Known {
            var completed: SimulatedWorld.Moment
            var position: Int64
        }
        var known: [Process: [Known]] = [:]
        for (index, operation) in history.operations.enumerated() {
            let process = Process(server: operation.server, incarnation: operation.incarnation)
            switch (operation.call, operation.outcome) {
            case (.read(.strong), .saw(let seen)), (.read(.bounded), .saw(let seen)):
                let due = known[process, default: []].lazy
                    .filter { $0.completed < operation.invoked }.map(\.position).max()
                if let due, seen.position < due {
                    current = index
                    report(.wentBack, "position \(seen.position) after \(due) from one process")
                }
                known[process, default: []].append(
                    Known(completed: operation.completed, position: seen.position)
                )
            case (.commit, .committed(let position, _, isReplay: false)):
                known[process, default: []].append(
                    Known(completed: operation.completed, position: position)
                )
            default: break
            }
        }
        current = nil
    }
}
