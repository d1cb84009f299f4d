package import Columnar

extension Lists {
    /// The elements as text with a separator between them; nulls inside are left out, or shown as
    /// `null`; a list of nulls alone gives null.
    package static func joined(
        _ column: Column,
        separator: Column,
        null: Column? = nil
    ) throws(KernelError) -> Column {
        let operand = ListOperand(column)
        let count = column.count
        if column.isAllNull { return .nulls(.string, count: count) }
        let elements = Operand(try Casting.cast(operand.elements, to: .string).flattened())
        let between = Operand(separator)
        let filler = null.map { Operand($0) }
        var writer = ViewWriter(count: count)
        var text: [UInt8] = []
        let texts = elements.views
        let known = elements.validity
        var nulls = NullMarks(operand.validity, count: count)
        for row in 0..<count where !operand.isNull(row) {
            text.removeAll(keepingCapacity: true)
            var isFirst = true
            for place in operand.range(row) {
                let isKnown = known.map { $0[place] } ?? true
                var shown = (texts + (place & elements.mask)).text
                if !isKnown {
                    guard let filler, filler.validity.map({ $0[row] }) ?? true else { continue }
                    shown = (filler.views + (row & filler.mask)).text
                }
                if !isFirst, between.validity.map({ $0[row] }) ?? true {
                    text.append(contentsOf: (between.views + (row & between.mask)).text)
                }
                isFirst = false
                text.append(contentsOf: shown)
            }
            if text.count > StringFunctions.resultBytesMax {
                throw KernelError(.outOfRange, "array_to_string gives \(text.count) bytes")
            }
            writer.set(row, text)
            // As an aggregate of no values: only a list without elements gives an empty text.
            if isFirst, operand.length(row) > 0 { nulls.mark(row) }
        }
        return withExtendedLifetime((elements, between, filler)) {
            writer.finish(.string, validity: nulls.bitmap)
        }
    }

    /// The parts of each text between separators; between all code points when the separator is empty, the
    /// whole text when it is null.
    package static func split(_ column: Column, separator: Column) throws(KernelError) -> Column {
        let count = column.count
        let type = DataType.list(Field("element", .string))
        if column.isAllNull { return .nulls(type, count: count) }
        let texts = Operand(column)
        let between = Operand(separator)
        var parts = TextParts(count: count)
        for row in 0..<count {
            if texts.validity.map({ $0[row] }) ?? true {
                let text = (texts.views + (row & texts.mask)).text
                if !(between.validity.map { $0[row] } ?? true) {
                    parts.append(text, 0..<text.count)
                } else {
                    let needle = (between.views + (row & between.mask)).text
                    var start = 0
                    if text.isEmpty {
                        parts.append(text, 0..<0)
                    } else if needle.isEmpty {
                        while start < text.count {
                            let end = UTF8Text.offset(text, from: start, skipping: 1)
                            parts.append(text, start..<end)
                            start = end
                        }
                    } else {
                        while let hit = UTF8Text.find(needle, in: text, from: start) {
                            parts.append(text, start..<hit)
                            start = hit + needle.count
                        }
                        parts.append(text, start..<text.count)
                    }
                }
            }
            try parts.finishRow()
        }
        return withExtendedLifetime((texts, between)) {
            parts.lists(validity: texts.validity, owners: texts.owners)
        }
    }
}

/// Lists of parts of texts, which stay where they are.
struct TextParts {
    private var views: [StringView] = []
    private let offsets: Buffer
    private var row = 0
    private let count: Int

    init(count: Int) {
        self.count = count
        offsets = Buffer(zeroedByteCount: (count + 1) * 4)
    }

    mutating func append(_ text: UTF8Text.Bytes, _ range: Range<Int>) {
        guard let base = text.baseAddress, !range.isEmpty else { return views.append(.empty) }
        views.append(makeView(base + range.lowerBound, range.count))
    }

    mutating func finishRow() throws(KernelError) {
        try Lists.checkCount(views.count)
        row += 1
        offsets.mutable(as: Int32.self)[row] = Int32(truncatingIfNeeded: views.count)
    }

    func lists(validity: Bitmap?, owners: BufferOwners) -> Column {
        let buffer = views.withUnsafeBytes { Buffer(copying: $0) }
        let elements = Column(
            type: .string,
            count: views.count,
            validity: nil,
            storage: .views(BufferSlice(buffer), owners: owners)
        )
        return Column(
            type: .list(Field("element", .string)),
            count: count,
            validity: normalized(validity),
            storage: .list(offsets: BufferSlice(offsets), elements: ColumnBox(elements))
        )
    }
}
