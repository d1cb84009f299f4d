import Columnar

/// Takes nested columns apart into leaf columns with levels.
///
/// A slot is a place where a value of the current node could be: it has a row of the node's column,
/// or none (-1) because something above it is null or empty; then its definition level is final.
/// - Spec: Dremel's levels; Parquet, "Nested Encoding".
struct Shredder {
    /// The parts of one leaf column.
    struct Leaf {
        var column: Column
        /// Rows of `column` that have the values.
        var indexes: [Int32]
        var definitions: [UInt8]
        var repetitions: [UInt8]
    }

    private(set) var leaves: [Leaf] = []

    private struct Slots {
        var rows: [Int32]
        var definitions: [UInt8]
        var repetitions: [UInt8]
    }

    /// Takes one column of a batch apart.
    init(_ column: Column, _ field: Field) throws(ParquetError) {
        let count = column.count
        try visit(
            column,
            field,
            Slots(
                rows: (0..<Int32(count)).map { $0 },
                definitions: Array(repeating: 0, count: count),
                repetitions: Array(repeating: 0, count: count)
            ),
            definition: 0,
            repetition: 0
        )
    }

    private mutating func visit(
        _ column: Column,
        _ field: Field,
        _ slots: Slots,
        definition: Int,
        repetition: Int
    ) throws(ParquetError) {
        guard column.type.physical == field.type.physical else {
            throw .unsupported("column \(field.name) of \(field.type) got values of \(column.type)")
        }
        var slots = slots
        var definition = definition
        let isOptional = field.isNullable || field.type == .null
        if isOptional { definition += 1 }
        for index in slots.rows.indices where slots.rows[index] >= 0 {
            if column.isNull(Int(slots.rows[index])) {
                guard isOptional else {
                    throw .unsupported("column \(field.name) is required, but has nulls")
                }
                slots.rows[index] = -1
            } else {
                slots.definitions[index] = UInt8(definition)
            }
        }
        guard field.type.isNested else {
            leaves.append(
                Leaf(
                    column: column,
                    indexes: slots.rows.filter { $0 >= 0 },
                    definitions: slots.definitions,
                    repetitions: slots.repetitions
                )
            )
            return
        }
        let flat = column.flattened()
        switch (flat.storage, field.type) {
        case (.structure(let columns), .structure(let fields)):
            guard columns.count == fields.count else {
                throw .unsupported("column \(field.name) has another number of fields")
            }
            for (part, partField) in zip(columns, fields) {
                try visit(
                    part,
                    partField,
                    slots,
                    definition: definition,
                    repetition: repetition
                )
            }
        case (.list(let offsets, let elements), .list(let element)):
            let inner = Self.unfolded(slots, offsets, definition + 1, repetition + 1)
            try visit(
                elements.column,
                element,
                inner,
                definition: definition + 1,
                repetition: repetition + 1
            )
        case (.map(let offsets, let keys, let values), .map(var key, let value)):
            key.isNullable = false
            let inner = Self.unfolded(slots, offsets, definition + 1, repetition + 1)
            for (part, partField) in [(keys.column, key), (values.column, value)] {
                try visit(
                    part,
                    partField,
                    inner,
                    definition: definition + 1,
                    repetition: repetition + 1
                )
            }
        default:
            throw .unsupported("column \(field.name) of \(field.type) got values of \(column.type)")
        }
    }

    /// A slot for every element of the lists in `slots`, and one for every null or empty list.
    private static func unfolded(
        _ slots: Slots,
        _ offsets: BufferSlice,
        _ definition: Int,
        _ repetition: Int
    ) -> Slots {
        var result = Slots(rows: [], definitions: [], repetitions: [])
        let bounds = offsets.pointer(as: Int32.self)
        for index in slots.rows.indices {
            let row = Int(slots.rows[index])
            let elements = row < 0 ? 0..<0 : bounds[row]..<bounds[row + 1]
            if elements.isEmpty {
                result.rows.append(-1)
                result.definitions.append(slots.definitions[index])
                result.repetitions.append(slots.repetitions[index])
                continue
            }
            for element in elements {
                result.rows.append(element)
                result.definitions.append(UInt8(definition))
                result.repetitions.append(
                    element == elements.lowerBound
                        ? slots.repetitions[index] : UInt8(repetition)
                )
            }
        }
        return result
    }
}
