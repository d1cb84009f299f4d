import Bytes

// Column maps: between names in the log, between places here. A map is resolved for each output and inputs that
// it is used with, and maps that say the same are kept once, so a job that reads another file every day has one.

/// The columns of a dataset by their ids and names, for datasets with many.
private struct ColumnPlaces {
    var byID: [Int32: UInt32] = [:]
    var byName: [UInt32: UInt32] = [:]
}

/// A map between columns of certain datasets, before it is known whether it is there already.
private struct ResolvedMap {
    var rows: [RowRecord] = []
    var edges: [EdgeRecord] = []
    var directInputs: [UInt8]

    /// - Parameter found: rows in any order, each with its edges.
    init(
        _ found: [(column: UInt32, hasNoID: Bool, edges: ArraySlice<EdgeRecord>)],
        inputCount: Int
    ) {
        directInputs = Array(repeating: 0, count: inputCount)
        // Two outputs may be one column by now; the order of equal ones stays.
        let order = found.indices.sorted { (found[$0].column, $0) < (found[$1].column, $1) }
        for index in order {
            let row = found[index]
            if rows.last?.column != row.column {
                rows.append(
                    RowRecord(
                        column: row.column,
                        firstEdge: UInt32(edges.count),
                        hasNoID: row.hasNoID
                    )
                )
            }
            for edge in row.edges where edge.attributes.isDirect {
                directInputs[Int(edge.input)] = 1
            }
            edges += row.edges
        }
    }

    var hash: UInt64 {
        let parts = rows.withUnsafeBytes { xxHash64($0) }
        return edges.withUnsafeBytes { xxHash64($0, seed: parts &+ UInt64(directInputs.count)) }
    }
}

extension IndexStorage {
    // MARK: Hashes

    private static func digits(_ hash: String) -> HashRecord? {
        var words: [UInt64] = []
        let bytes = Array(hash.utf8)
        guard bytes.count == 64 else { return nil }
        for start in stride(from: 0, to: 64, by: 16) {
            let word = UInt64(String(decoding: bytes[start..<start + 16], as: UTF8.self), radix: 16)
            guard let word else { return nil }
            words.append(word)
        }
        return HashRecord(a: words[0], b: words[1], c: words[2], d: words[3])
    }

    private func findHash(_ hash: HashRecord) -> UInt32? {
        var search = hashTable.search(Self.hash(hash.a, hash.b))
        while let place = hashTable.next(&search) {
            let other = hashes[place]
            if other.a == hash.a, other.b == hash.b, other.c == hash.c, other.d == hash.d {
                return place
            }
        }
        return nil
    }

    mutating func noteHash(_ hash: String) -> UInt32 {
        guard let digits = Self.digits(hash) else { return none }
        if let known = findHash(digits) { return known }
        let place = hashes.append(digits)
        hashTable.insert(Self.hash(digits.a, digits.b), place)
        return place
    }

    /// Keeps maps that no flow has used yet.
    mutating func keepUnused(_ maps: [String: ColumnMap]) {
        for hash in maps.keys.sorted(by: bytesPrecede) {
            guard let map = maps[hash] else { continue }
            let place = noteHash(hash)
            guard place != none, hashes[place].firstRun == none, hashes[place].text == none else {
                continue
            }
            hashes[place].text = text(String(decoding: map.json.serialized(), as: UTF8.self))
        }
    }

    /// A map as the log carried it.
    private func columnMap(_ hash: UInt32) -> ColumnMap? {
        let record = hashes[hash]
        if record.text != none {
            guard let json = try? JSON.parse(Array(string(record.text).utf8)),
                let fields = try? FactFields(json, place: "")
            else { return nil }
            return try? ColumnMap(fields)
        }
        guard record.firstRun != none else { return nil }
        return columnMap(ofRun: record.firstRun)
    }

    /// The map of a run, with the names that its columns had then.
    private func columnMap(ofRun number: UInt32) -> ColumnMap? {
        let run = runs[number]
        guard run.map != none else { return nil }
        let map = maps[run.map]
        func origins(_ row: UInt32) -> [ColumnMap.Origin] {
            edgeRange(row, of: map).map { place in
                let edge = edges[place]
                let dataset = inputs[run.firstInput + UInt32(edge.input)].dataset
                let id = column(edge.column, of: dataset).fieldID
                return ColumnMap.Origin(
                    input: Int(edge.input),
                    column: string(
                        columnName(edge.column, of: dataset, before: run.commit + 1)
                    ),
                    fieldID: edge.attributes.hasNoID || id < 0 ? nil : id,
                    kind: edge.attributes.isIndirect ? .indirect : .direct,
                    subtype: optionalString(subtypes[edge.attributes.subtype]),
                    isMasked: edge.attributes.isMasked
                )
            }
        }
        var outputs: [ColumnMap.Output] = []
        var whole: [ColumnMap.Origin] = []
        for row in 0..<map.rowCount {
            let record = rows[map.firstRow + row]
            if record.column == NodeKey.rowsColumn {
                whole = origins(row)
                continue
            }
            let id = column(record.column, of: run.output).fieldID
            let name = columnName(record.column, of: run.output, before: run.commit + 1)
            outputs.append(
                ColumnMap.Output(
                    name: string(name),
                    fieldID: record.hasNoID || id < 0 ? nil : id,
                    origins: origins(row)
                )
            )
        }
        return ColumnMap(outputs: outputs, rows: whole)
    }

    // MARK: Maps

    /// Where the edges of a row lie.
    ///
    /// - Parameter row: counted from the map's first.
    func edgeRange(_ row: UInt32, of map: MapRecord) -> Range<UInt32> {
        let start = rows[map.firstRow + row].firstEdge
        let end =
            row + 1 < map.rowCount ? rows[map.firstRow + row + 1].firstEdge : map.edgeCount
        return map.firstEdge + start..<map.firstEdge + max(start, end)
    }

    /// The row of a column, counted from the map's first.
    func row(_ column: UInt32, of map: MapRecord) -> UInt32? {
        // In most cases a map has all columns.
        if column < map.rowCount, rows[map.firstRow + column].column == column { return column }
        var (low, high) = (UInt32(0), map.rowCount)
        while low < high {
            let middle = (low + high) / 2
            if rows[map.firstRow + middle].column < column {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low < map.rowCount && rows[map.firstRow + low].column == column ? low : nil
    }

    /// Where the targets of an input's column lie; nil when nothing is made of it.
    func targetRange(input: UInt32, column: UInt32, of map: MapRecord) -> Range<UInt32>? {
        var search = SourceSearch(reader: 0, input: input, column: column, map: map)
        while search.narrow(self) {}
        return search.result(self)
    }

    /// Whether values flow from an input, and not only conditions.
    func isDirect(input: UInt32, of map: MapRecord) -> Bool {
        input < map.inputCount && directInputs[map.firstInput + input] != 0
    }

    /// A column map with the columns of certain datasets; `none` when the log never carried it.
    ///
    /// - Parameters:
    ///   - carried: maps that come with this commit.
    ///   - hash: a place in `hashes`.
    ///   - run: the run that has it, whose event is there and whose record is not.
    mutating func resolve(
        _ hash: UInt32,
        carried: ColumnMap?,
        _ output: UInt32,
        _ inputs: [UInt32],
        _ number: UInt32,
        _ run: UInt32
    ) -> UInt32 {
        guard hash != none else { return none }
        if let known = mapOfRunBefore(hash, output, inputs) { return known }
        guard let map = carried ?? columnMap(hash), map.inputCountMin <= inputs.count,
            let resolved = resolved(map, output, inputs, number)
        else { return none }
        if hashes[hash].firstRun == none { hashes[hash].firstRun = run }
        return add(resolved)
    }

    /// The map of the run before into the same output, if it had the same hash and inputs.
    private func mapOfRunBefore(_ hash: UInt32, _ output: UInt32, _ read: [UInt32]) -> UInt32? {
        let event = datasets[output].lastEvent
        guard event != none, events[event].earlier != none else { return nil }
        let before = events[events[event].earlier]
        guard before.kind == EventRecord.run else { return nil }
        let run = runs[before.payload]
        guard run.hash == hash, run.map != none, Int(run.inputCount) == read.count else {
            return nil
        }
        for (index, dataset) in read.enumerated()
        where inputs[run.firstInput + UInt32(index)].dataset != dataset { return nil }
        return run.map
    }

    private mutating func resolved(
        _ map: ColumnMap,
        _ output: UInt32,
        _ inputs: [UInt32],
        _ number: UInt32
    ) -> ResolvedMap? {
        var places: [UInt32: ColumnPlaces] = [:]
        // One dataset after the other, so that the columns of each become neighbours.
        let targets = map.outputs.map {
            column($0.name, $0.fieldID, of: output, number, &places)
        }
        var origins: [ColumnMap.Origin] = []
        for column in map.outputs { origins += column.origins }
        origins += map.rows
        let order = origins.indices.sorted {
            (origins[$0].input, $0) < (origins[$1].input, $1)
        }
        var records = Array(
            repeating: EdgeRecord(column: 0, input: 0, attributes: .direct),
            count: origins.count
        )
        for index in order {
            let origin = origins[index]
            guard let subtype = subtype(origin.subtype) else { return nil }
            records[index] = EdgeRecord(
                column: column(
                    origin.column,
                    origin.fieldID,
                    of: inputs[origin.input],
                    number,
                    &places
                ),
                input: UInt16(truncatingIfNeeded: origin.input),
                attributes: EdgeAttributes(
                    isIndirect: origin.kind == .indirect,
                    isMasked: origin.isMasked,
                    subtype: subtype,
                    hasNoID: origin.fieldID == nil
                )
            )
        }
        var found: [(column: UInt32, hasNoID: Bool, edges: ArraySlice<EdgeRecord>)] = []
        found.reserveCapacity(map.outputs.count + 1)
        var rest = records[...]
        for (target, output) in zip(targets, map.outputs) {
            found.append((target, output.fieldID == nil, rest.prefix(output.origins.count)))
            rest = rest.dropFirst(output.origins.count)
        }
        if !map.rows.isEmpty { found.append((NodeKey.rowsColumn, false, rest)) }
        return ResolvedMap(found, inputCount: inputs.count)
    }

    /// The number of a subtype; nil when there are too many to tell apart.
    private mutating func subtype(_ subtype: String?) -> Int? {
        guard let subtype else { return 0 }
        let text = text(subtype)
        for index in 1..<max(subtypes.count, 1) where subtypes[index] == text { return index }
        guard subtypes.count < EdgeAttributes.subtypeCountMax else { return nil }
        return Int(subtypes.append(text))
    }

    /// The place of a map, which is added when none says the same.
    private mutating func add(_ map: ResolvedMap) -> UInt32 {
        let hash = map.hash
        var search = mapTable.search(hash)
        while let known = mapTable.next(&search) { if isSame(maps[known], map) { return known } }
        let record = MapRecord(
            firstRow: UInt32(rows.count),
            rowCount: UInt32(map.rows.count),
            firstEdge: UInt32(edges.count),
            edgeCount: UInt32(map.edges.count),
            firstSource: UInt32(sources.count),
            sourceCount: addSources(map),
            firstInput: UInt32(directInputs.count),
            inputCount: UInt32(map.directInputs.count)
        )
        map.rows.withUnsafeBufferPointer { rows.append(contentsOf: $0) }
        map.edges.withUnsafeBufferPointer { edges.append(contentsOf: $0) }
        map.directInputs.withUnsafeBufferPointer { directInputs.append(contentsOf: $0) }
        let place = maps.append(record)
        mapTable.insert(hash, place)
        return place
    }

    private func isSame(_ record: MapRecord, _ map: ResolvedMap) -> Bool {
        guard record.rowCount == map.rows.count, record.edgeCount == map.edges.count,
            record.inputCount == map.directInputs.count
        else { return false }
        func isSame<Element>(
            _ region: borrowing Region<Element>,
            _ first: UInt32,
            _ other: [Element]
        ) -> Bool {
            region.withElements(Int(first)..<Int(first) + other.count) { own in
                other.withUnsafeBytes { UnsafeRawBufferPointer(own).elementsEqual($0) }
            }
        }
        return isSame(rows, record.firstRow, map.rows) && isSame(edges, record.firstEdge, map.edges)
    }

    /// Adds the other direction of a map: as many targets as it has edges.
    ///
    /// - Returns: how many sources there are.
    private mutating func addSources(_ map: ResolvedMap) -> UInt32 {
        var flows: [(source: UInt64, row: UInt32, attributes: EdgeAttributes)] = []
        flows.reserveCapacity(map.edges.count)
        for (index, row) in map.rows.enumerated() {
            let end =
                index + 1 < map.rows.count
                ? Int(map.rows[index + 1].firstEdge) : map.edges.count
            for edge in map.edges[Int(row.firstEdge)..<end] {
                flows.append(
                    (UInt64(edge.input) << 32 | UInt64(edge.column), row.column, edge.attributes)
                )
            }
        }
        let order = flows.indices.sorted { (flows[$0].source, $0) < (flows[$1].source, $1) }
        var count: UInt32 = 0
        var last: UInt64?
        for (place, index) in order.enumerated() {
            let flow = flows[index]
            if flow.source != last {
                sources.append(
                    SourceRecord(
                        input: UInt32(truncatingIfNeeded: flow.source >> 32),
                        column: UInt32(truncatingIfNeeded: flow.source),
                        firstTarget: UInt32(place)
                    )
                )
                count += 1
                last = flow.source
            }
            targets.append(TargetRecord(column: flow.row, attributes: flow.attributes))
        }
        return count
    }

    // MARK: Columns

    /// From as many columns on they are looked up by hash.
    private static var manyColumns: UInt32 { 64 }

    /// The column of a name and id, made when it is new.
    ///
    /// The same id is the same column; where either side has no id, the same name is.
    private mutating func column(
        _ name: String,
        _ fieldID: Int32?,
        of dataset: UInt32,
        _ commit: UInt32,
        _ places: inout [UInt32: ColumnPlaces]
    ) -> UInt32 {
        let name = text(name)
        let found = find(name, fieldID, of: dataset, &places)
        if let known = found.byID {
            rename(known, of: dataset, name, commit, &places)
            return known
        }
        if let known = found.byName {
            let place = datasets[dataset].firstColumn + known
            if fieldID == nil || columns[place].fieldID < 0 {
                if let fieldID {
                    columns[place].fieldID = fieldID
                    places[dataset]?.byID[fieldID] = known
                }
                return known
            }
        }
        let column = addColumn(
            ColumnRecord(fieldID: fieldID ?? -1, name: name, since: commit, earlier: none),
            to: dataset
        )
        if let fieldID { places[dataset]?.byID[fieldID] = column }
        places[dataset]?.byName[name] = column
        return column
    }

    /// The column with an id, and the one that has a name now.
    private func find(
        _ name: UInt32,
        _ fieldID: Int32?,
        of dataset: UInt32,
        _ places: inout [UInt32: ColumnPlaces]
    ) -> (byID: UInt32?, byName: UInt32?) {
        if let known = places[dataset] {
            return (fieldID.flatMap { known.byID[$0] }, known.byName[name])
        }
        let record = datasets[dataset]
        var byID: UInt32?
        var byName: UInt32?
        var since: UInt32 = 0
        var all = ColumnPlaces()
        let isMany = record.columnCount >= Self.manyColumns
        for column in 0..<record.columnCount {
            let known = columns[record.firstColumn + column]
            if known.fieldID >= 0, known.fieldID == fieldID { byID = column }
            if known.name == name, byName == nil || known.since >= since {
                (byName, since) = (column, known.since)
            }
            guard isMany else { continue }
            if known.fieldID >= 0 { all.byID[known.fieldID] = column }
            if let other = all.byName[known.name],
                columns[record.firstColumn + other].since > known.since
            {
                continue
            }
            all.byName[known.name] = column
        }
        if isMany { places[dataset] = all }
        return (byID, byName)
    }

    private mutating func rename(
        _ column: UInt32,
        of dataset: UInt32,
        _ name: UInt32,
        _ commit: UInt32,
        _ places: inout [UInt32: ColumnPlaces]
    ) {
        let place = datasets[dataset].firstColumn + column
        let record = columns[place]
        guard record.name != name else { return }
        let earlier = columnNames.append(
            ColumnName(name: record.name, since: record.since, earlier: record.earlier)
        )
        columns[place].name = name
        columns[place].since = commit
        columns[place].earlier = earlier
        // Which other column has the old name now is found anew.
        places[dataset] = nil
    }

    /// Adds a column behind the others of its dataset, which move where there is room when there is none.
    private mutating func addColumn(_ column: ColumnRecord, to dataset: UInt32) -> UInt32 {
        var record = datasets[dataset]
        if record.columnCount == record.columnCapacity {
            if Int(record.firstColumn) + Int(record.columnCapacity) == columns.count {
                columns.append(zeros: 1)
                record.columnCapacity += 1
            } else {
                let first = UInt32(columns.count)
                let capacity = record.columnCount + max(record.columnCount / 2, 1)
                columns.append(zeros: Int(capacity))
                for index in 0..<record.columnCount {
                    columns[first + index] = columns[record.firstColumn + index]
                }
                record.firstColumn = first
                record.columnCapacity = capacity
            }
        }
        columns[record.firstColumn + record.columnCount] = column
        record.columnCount += 1
        datasets[dataset] = record
        return record.columnCount - 1
    }
}

/// Looks for a column of an input among the sources of a map, so that many can be looked for side by side.
struct SourceSearch {
    /// For whom it is.
    let reader: Int
    private let wanted: UInt64
    private let map: MapRecord
    private var low: UInt32 = 0
    private var high: UInt32

    init(reader: Int, input: UInt32, column: UInt32, map: MapRecord) {
        self.reader = reader
        self.map = map
        wanted = UInt64(input) << 32 | UInt64(column)
        high = map.sourceCount
    }

    private func key(_ source: SourceRecord) -> UInt64 {
        UInt64(source.input) << 32 | UInt64(source.column)
    }

    /// Leaves half of what is left.
    ///
    /// - Returns: whether there may be more to do.
    mutating func narrow(_ index: borrowing IndexStorage) -> Bool {
        guard low < high else { return false }
        let middle = low + (high - low) / 2
        let isBefore = key(index.sources[map.firstSource + middle]) < wanted
        low = isBefore ? middle + 1 : low
        high = isBefore ? high : middle
        return true
    }

    func result(_ index: borrowing IndexStorage) -> Range<UInt32>? {
        guard low < map.sourceCount else { return nil }
        let source = index.sources[map.firstSource + low]
        guard key(source) == wanted else { return nil }
        let end =
            low + 1 < map.sourceCount
            ? index.sources[map.firstSource + low + 1].firstTarget : map.edgeCount
        return map.firstEdge + source.firstTarget..<map.firstEdge + max(source.firstTarget, end)
    }
}
