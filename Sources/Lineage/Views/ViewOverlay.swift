// Views laid over the index for one question. No commit says what a view reads, so the index has no views: here they
// are datasets with numbers that no dataset of the index has, and what the log does not know of tables, columns that
// no run ever read or wrote, has numbers that no column of the index has. So walks, answers and their order treat
// views as everything else.

extension NodeKey {
    /// The number of the first dataset of an overlay; indexes have fewer.
    static let firstOverlayDataset: UInt32 = 1 << 31
    /// The number of the first column of an overlay in a dataset of the index.
    static let firstOverlayColumn: UInt32 = 1 << 30

    /// Whether it is a part of a dataset that the index has, which knows it.
    var isOfIndex: Bool {
        dataset < Self.firstOverlayDataset
            && (column < Self.firstOverlayColumn || isRows || isWhole)
    }

    /// The place of its dataset in an overlay; nil for one of the index.
    var overlayPlace: Int? {
        dataset >= Self.firstOverlayDataset && dataset != none
            ? Int(dataset - Self.firstOverlayDataset) : nil
    }
}

/// The views of the catalog, their parts as nodes.
struct ViewOverlay: Sendable {
    /// A dataset that the index does not have.
    struct Thing: Sendable {
        enum Kind: Sendable { case view, table, file }

        var kind: Kind
        /// As a question names it.
        var name: String
        var uuid: String?
        /// By their numbers.
        var columns: [String]
        /// Why a view cannot be bound.
        var failure: String?
    }

    struct Edge: Sendable {
        var from: NodeKey
        var to: NodeKey
        var attributes: EdgeAttributes
    }

    /// A view that can be bound.
    struct View: Sendable {
        /// Its place among the things.
        var thing: Int
        /// Those between columns and rows.
        var edges: Range<Int>
        /// Those between datasets.
        var wholes: Range<Int>
    }

    private(set) var things: [Thing] = []
    private(set) var views: [View] = []
    private(set) var edges: [Edge] = []
    private(set) var wholes: [Edge] = []
    /// Columns of datasets of the index that it does not know, by their numbers.
    private(set) var columns: [LineageViews.Column] = []
    /// Subtypes that the index does not know; counted down from the highest number that there may be.
    private var subtypes: [String] = []
    /// What views read of datasets of the index otherwise than as they are now: of view and dataset, an event.
    private var pinned: [UInt64: UInt32] = [:]
    /// Places of things that are views, of those that cannot be bound with the words of their texts.
    private(set) var unbound: [(thing: Int, words: TextWords)] = []
    /// Which things have a name.
    private var named: [String: Int] = [:]
    private var files: [String: Int] = [:]
    private var columnPlaces: [UInt64: [LineageViews.Column: UInt32]] = [:]
    /// Of a thing, the places of columns.
    private var thingColumns: [Int: [String: UInt32]] = [:]

    /// - Parameter commitCount: how many commits the question sees.
    init(_ views: LineageViews, _ index: borrowing IndexStorage, commitCount: UInt32) {
        for table in views.tables {
            guard let dataset = index.findDataset(table.uuid, isFile: false) else { continue }
            for column in table.columns { _ = number(column, of: dataset, index, commitCount) }
        }
        for reading in views.readings { add(reading, index, commitCount) }
    }

    private mutating func add(
        _ reading: ViewReading,
        _ index: borrowing IndexStorage,
        _ commitCount: UInt32
    ) {
        let name = NodeName.written(reading.name)
        let place = add(
            Thing(
                kind: .view,
                name: name,
                uuid: reading.uuid,
                columns: reading.columns,
                failure: reading.failure
            )
        )
        named[name] = place
        guard reading.failure == nil else {
            unbound.append((place, TextWords(reading.texts)))
            return
        }
        let own = dataset(place)
        let (firstEdge, firstWhole) = (edges.count, wholes.count)
        var sources: [UInt32] = []
        for source in reading.sources { sources.append(dataset(of: source, index)) }
        // What is read at several snapshots counts as read at the newest.
        for (source, dataset) in zip(reading.sources, sources)
        where sources.filter({ $0 == dataset }).count == 1 {
            if case .table(_, _, let id?) = source, NodeKey.whole(dataset).overlayPlace == nil {
                pinned[pin(place, dataset)] = index.event(ofSnapshot: id, of: dataset) ?? none
            }
        }
        var direct: Set<UInt32> = []
        for output in reading.map.outputs {
            let column = number(
                LineageViews.Column(name: output.name, fieldID: nil),
                ofThing: place
            )
            for origin in output.origins where sources.indices.contains(origin.input) {
                if origin.kind == .direct { direct.insert(sources[origin.input]) }
                add(origin, of: sources[origin.input], to: NodeKey(own, column), index, commitCount)
            }
        }
        for origin in reading.map.rows where sources.indices.contains(origin.input) {
            add(origin, of: sources[origin.input], to: .rows(own), index, commitCount)
        }
        for (number, source) in sources.enumerated() where sources.firstIndex(of: source) == number
        {
            edges.append(Edge(from: .rows(source), to: .rows(own), attributes: .indirect))
            wholes.append(
                Edge(
                    from: .whole(source),
                    to: .whole(own),
                    attributes: direct.contains(source) ? .direct : .indirect
                )
            )
        }
        self.views.append(
            View(thing: place, edges: firstEdge..<edges.count, wholes: firstWhole..<wholes.count)
        )
    }

    private mutating func add(
        _ origin: ColumnMap.Origin,
        of source: UInt32,
        to target: NodeKey,
        _ index: borrowing IndexStorage,
        _ commitCount: UInt32
    ) {
        let column = LineageViews.Column(name: origin.column, fieldID: origin.fieldID)
        let from = NodeKey(source, number(column, of: source, index, commitCount))
        let attributes = EdgeAttributes(
            isIndirect: origin.kind == .indirect,
            isMasked: origin.isMasked,
            subtype: subtype(origin.subtype, index)
        )
        edges.append(Edge(from: from, to: target, attributes: attributes))
    }

    private mutating func add(_ thing: Thing) -> Int {
        things.append(thing)
        let columns = thing.columns.enumerated().map { ($1, UInt32($0)) }
        thingColumns[things.count - 1] = Dictionary(
            columns,
            uniquingKeysWith: { first, _ in first }
        )
        return things.count - 1
    }

    // MARK: Numbers

    private func pin(_ view: Int, _ dataset: UInt32) -> UInt64 {
        UInt64(view) << 32 | UInt64(dataset)
    }

    private func dataset(_ place: Int) -> UInt32 { NodeKey.firstOverlayDataset + UInt32(place) }

    private mutating func dataset(
        of source: ViewReading.Source,
        _ index: borrowing IndexStorage
    ) -> UInt32 {
        switch source {
        case .table(let uuid, let parts, _):
            if let known = index.findDataset(uuid, isFile: false) { return known }
            let name = NodeName.written(parts)
            if let known = named[name] { return dataset(known) }
            let place = add(Thing(kind: .table, name: name, uuid: uuid, columns: []))
            named[name] = place
            return dataset(place)
        case .view(let parts):
            let name = NodeName.written(parts)
            // Those that a view reads come before it; the table of this name cannot be there.
            if let known = named[name] { return dataset(known) }
            let place = add(Thing(kind: .view, name: name, columns: []))
            named[name] = place
            return dataset(place)
        case .file(let path):
            if let known = index.findDataset(path, isFile: true) { return known }
            if let known = files[path] { return dataset(known) }
            let place = add(Thing(kind: .file, name: path, columns: []))
            files[path] = place
            return dataset(place)
        }
    }

    private mutating func number(_ column: LineageViews.Column, ofThing place: Int) -> UInt32 {
        if let known = thingColumns[place]?[column.name] { return known }
        let number = UInt32(things[place].columns.count)
        things[place].columns.append(column.name)
        thingColumns[place, default: [:]][column.name] = number
        return number
    }

    /// The number of a column; a new one where the index does not know it.
    private mutating func number(
        _ column: LineageViews.Column,
        of dataset: UInt32,
        _ index: borrowing IndexStorage,
        _ commitCount: UInt32
    ) -> UInt32 {
        if let place = NodeKey.whole(dataset).overlayPlace {
            return number(column, ofThing: place)
        }
        let key = UInt64(dataset)
        if let known = columnPlaces[key]?[column] { return known }
        let number: UInt32
        if let known = index.column(column, of: dataset, before: commitCount) {
            number = known
        } else {
            number = NodeKey.firstOverlayColumn + UInt32(columns.count)
            columns.append(column)
        }
        columnPlaces[key, default: [:]][column] = number
        return number
    }

    private mutating func subtype(_ text: String?, _ index: borrowing IndexStorage) -> Int {
        guard let text else { return 0 }
        if let known = index.findText(text) {
            for number in 1..<max(index.subtypes.count, 1) where index.subtypes[number] == known {
                return number
            }
        }
        let place = subtypes.firstIndex(of: text) ?? subtypes.count
        let number = EdgeAttributes.subtypeCountMax - 1 - place
        // An index with thousands of subtypes leaves no number.
        guard number >= index.subtypes.count else { return 0 }
        if place == subtypes.count { subtypes.append(text) }
        return number
    }

    // MARK: Looking up

    /// The text of a subtype that the index does not know.
    func subtype(_ number: Int) -> String? {
        let place = EdgeAttributes.subtypeCountMax - 1 - number
        return subtypes.indices.contains(place) ? subtypes[place] : nil
    }

    /// The view of a name.
    func view(named name: String) -> NodeKey? {
        guard let place = named[name], things[place].kind == .view else { return nil }
        return .whole(dataset(place))
    }

    /// The file of a path that no run has read.
    func file(_ path: String) -> NodeKey? { files[path].map { .whole(dataset($0)) } }

    /// The number of a column that the index does not know, or of one of a dataset that it does not have.
    func column(named name: String, of dataset: UInt32) -> UInt32? {
        if let place = NodeKey.whole(dataset).overlayPlace {
            return name == "*" ? NodeKey.rowsColumn : thingColumns[place]?[name]
        }
        let known = columnPlaces[UInt64(dataset)] ?? [:]
        return known.first { $0.key.name == name && $0.value >= NodeKey.firstOverlayColumn }?.value
    }

    /// The columns of a dataset that the index does not know, or has not.
    func columns(of dataset: UInt32) -> [UInt32] {
        if let place = NodeKey.whole(dataset).overlayPlace {
            return things[place].columns.indices.map { UInt32($0) }
        }
        return (columnPlaces[UInt64(dataset)] ?? [:]).values
            .filter { $0 >= NodeKey.firstOverlayColumn }.sorted()
    }

    /// The last event of what a view reads of a dataset, where that is always the same snapshot: `none` when the log
    /// does not know it; nil when the dataset is read as it is.
    func pinnedEvent(of dataset: UInt32, readBy view: View) -> UInt32? {
        pinned[pin(view.thing, dataset)]
    }

    func key(ofThing place: Int) -> NodeKey { .whole(dataset(place)) }

    /// The datasets of the index that views read.
    var readDatasets: Set<UInt32> {
        Set(wholes.lazy.filter { $0.from.overlayPlace == nil }.map(\.from.dataset))
    }
}

extension IndexStorage {
    /// The text of a subtype, of the index or of views.
    func subtype(_ attributes: EdgeAttributes, _ views: SharedOverlay?) -> String? {
        attributes.subtype < subtypes.count
            ? optionalString(subtypes[attributes.subtype])
            : views?.overlay.subtype(attributes.subtype)
    }

    /// A column by its id, or by its name where it has none or the index does not know it.
    fileprivate func column(
        _ column: LineageViews.Column,
        of dataset: UInt32,
        before commitCount: UInt32
    ) -> UInt32? {
        if let id = column.fieldID {
            for number in 0..<datasets[dataset].columnCount
            where self.column(number, of: dataset).fieldID == id {
                return number
            }
        }
        guard let text = findText(column.name),
            let number = self.column(named: text, of: dataset, before: commitCount)
        else { return nil }
        // One of the same name may have been dropped.
        let known = self.column(number, of: dataset).fieldID
        if let id = column.fieldID, known >= 0, known != id { return nil }
        return number
    }
}

// MARK: - Texts

extension ViewOverlay {
    /// Adds what a node of the overlay sorts by.
    func appendSortName(
        _ key: NodeKey,
        _ index: borrowing IndexStorage,
        before commitCount: UInt32,
        to names: inout [UInt8]
    ) {
        if let place = key.overlayPlace {
            names += things[place].name.utf8
            names += [0, key.isWhole ? 0 : key.isRows ? 1 : 2]
            if !key.isWhole, !key.isRows { names += things[place].columns[Int(key.column)].utf8 }
        } else if let column = ownColumn(key) {
            // As columns that the index knows: behind the name of the dataset.
            let dataset = index.nameText(of: key.dataset, before: commitCount)
            index.appendBytes(ofText: dataset, to: &names)
            names += [0, 2]
            names += column.name.utf8
        }
    }

    private func ownColumn(_ key: NodeKey) -> LineageViews.Column? {
        guard key != .subject, !key.isOfIndex, key.overlayPlace == nil else { return nil }
        return columns[Int(key.column - NodeKey.firstOverlayColumn)]
    }

    /// Whether a node is none of the index.
    func hasNode(_ key: NodeKey) -> Bool { key.overlayPlace != nil || ownColumn(key) != nil }

    /// A node of the overlay.
    ///
    /// - Parameter whole: the node of its dataset, if that is one of the index.
    func describe(
        _ key: NodeKey,
        _ depth: Int,
        whole: (NodeKey) -> LineageAnswer.Node
    ) -> LineageAnswer.Node {
        var node: LineageAnswer.Node
        let text: String
        var fieldID: Int32?
        if let place = key.overlayPlace {
            let thing = things[place]
            node = LineageAnswer.Node(
                kind: thing.kind == .view ? .view : thing.kind == .file ? .file : .table,
                name: thing.name,
                dataset: thing.name,
                tableUUID: thing.uuid,
                isDropped: false,
                depth: depth,
                isDirect: false,
                isMasked: false
            )
            node.isOfView = thing.kind == .view
            if key.isWhole {
                node.unknownReason = thing.failure
                return node
            }
            if key.isRows {
                node.narrowToRows()
                return node
            }
            text = thing.columns[Int(key.column)]
        } else {
            let column = columns[Int(key.column - NodeKey.firstOverlayColumn)]
            node = whole(.whole(key.dataset))
            node.depth = depth
            text = column.name
            fieldID = column.fieldID
        }
        node.narrow(toColumn: text, fieldID: fieldID)
        return node
    }
}
