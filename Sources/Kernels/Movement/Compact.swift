package import Columnar

/// Copies columns so that they no longer hold on to memory far larger than themselves.
package enum Compact {
    /// The same rows, flat, with string bytes in memory of their own.
    ///
    /// For columns that stay (hash tables, sort runs) while what they were cut from should go.
    package static func compacted(_ column: Column) -> Column {
        switch column.storage {
        case .null, .constant:
            return column
        case .dictionary, .bits:
            return column.type.physical == .view
                ? compactedViews(column.flattened()) : column.flattened()
        case .fixed:
            let rows = Filter.everyRow(column.count)
            return Take.take(column, rows)
        case .views:
            return compactedViews(column)
        case .structure(let fields):
            return Column(
                type: column.type,
                count: column.count,
                validity: column.validity,
                storage: .structure(fields.map { compacted($0) })
            )
        case .list, .map:
            // Taking every row leaves elements behind that no row shows.
            let taken = Take.take(column, Filter.everyRow(column.count))
            switch taken.storage {
            case .list(let offsets, let elements):
                return Column(
                    type: column.type,
                    count: column.count,
                    validity: column.validity,
                    storage: .list(
                        offsets: offsets,
                        elements: ColumnBox(compacted(elements.column))
                    )
                )
            case .map(let offsets, let keys, let values):
                return Column(
                    type: column.type,
                    count: column.count,
                    validity: column.validity,
                    storage: .map(
                        offsets: offsets,
                        keys: ColumnBox(compacted(keys.column)),
                        values: ColumnBox(compacted(values.column))
                    )
                )
            default:
                return taken
            }
        }
    }

    private static func compactedViews(_ column: Column) -> Column {
        guard case .views(let views, _) = column.storage else { return column }
        let source = views.pointer(as: StringView.self)
        var byteCount = 0
        for row in 0..<column.count where source[row].length > 12 {
            byteCount += Int(source[row].length)
        }
        let bytes = Buffer(byteCount: byteCount)
        let result = Buffer(byteCount: column.count * 16)
        let target = result.mutable(as: StringView.self)
        var next = bytes.base
        for row in 0..<column.count {
            var view = source[row]
            if view.length > 12 {
                next.copyMemory(from: view.start, byteCount: Int(view.length))
                view.rest = UInt64(UInt(bitPattern: next))
                next += Int(view.length)
            }
            target[row] = view
        }
        return withExtendedLifetime(column) {
            Column(
                type: column.type,
                count: column.count,
                validity: column.validity,
                storage: .views(
                    BufferSlice(result),
                    owners: byteCount == 0 ? .none : BufferOwners([bytes])
                )
            )
        }
    }

    /// Bytes of memory that the column's own values take, string bytes included.
    package static func byteCount(_ column: Column) -> Int {
        let validity = column.validity.map { $0.wordCount * 8 } ?? 0
        switch column.storage {
        case .null: return 0
        case .bits(let bits): return validity + bits.wordCount * 8
        case .fixed: return validity + column.count * column.type.physical.byteWidth
        case .views(let views, _):
            let source = views.pointer(as: StringView.self)
            var total = validity + column.count * 16
            for row in 0..<column.count where source[row].length > 12 {
                total &+= Int(source[row].length)
            }
            return total
        case .dictionary(_, let dictionary):
            return validity + column.count * 4 + byteCount(dictionary.values)
        case .constant(let box): return byteCount(box.column)
        case .list(_, let elements):
            return validity + column.count * 4 + byteCount(elements.column)
        case .structure(let fields):
            return validity + fields.reduce(0) { $0 + byteCount($1) }
        case .map(_, let keys, let values):
            return validity + column.count * 4 + byteCount(keys.column) + byteCount(values.column)
        }
    }
}
