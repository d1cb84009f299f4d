import Columnar
import Iceberg
import Kernels

/// Divides the rows of a batch into the partitions of a spec.
///
/// Transforms run once a batch over whole columns; then rows with equal keys are brought together.
struct PartitionKeys {
    private struct Key: Sendable {
        /// The field ids that lead to the source, from the column down; empty for void.
        var path: [Int]
        var sourceType: IcebergType
        var resultType: IcebergType
        var transform: Transform
    }

    private let keys: [Key]

    /// - Throws: `unsupported` for transforms that cannot be computed, `invalid` for a missing source.
    init(_ spec: PartitionSpec, schema: Iceberg.Schema) throws(TablesError) {
        var keys: [Key] = []
        for field in spec.fields {
            if field.transform == .void {
                let type = schema.field(id: field.sourceID)?.type ?? .unknown
                keys.append(
                    Key(path: [], sourceType: type, resultType: type, transform: .void)
                )
                continue
            }
            guard let source = schema.field(id: field.sourceID),
                let path = Self.path(to: field.sourceID, in: schema.fields),
                let result = field.transform.resultType(of: source.type)
            else {
                throw TablesError(
                    .invalid,
                    "partition field \(field.name) is made from column \(field.sourceID), "
                        + "which the schema does not have or which does not fit"
                )
            }
            if case .unknown(let text) = field.transform {
                throw TablesError(
                    .unsupported,
                    "partition field \(field.name) has the transform \(text), which is not known"
                )
            }
            keys.append(
                Key(
                    path: path,
                    sourceType: source.type,
                    resultType: result,
                    transform: field.transform
                )
            )
        }
        self.keys = keys
    }

    private static func path(to id: Int, in fields: [NestedField]) -> [Int]? {
        for field in fields {
            if field.id == id { return [id] }
            if case .struct(let type) = field.type, let rest = path(to: id, in: type.fields) {
                return [field.id] + rest
            }
        }
        return nil
    }

    /// The rows of each partition in the batch, in their order, with the partition's tuple.
    ///
    /// - Parameter schema: what the batch's columns are, with field ids.
    func divide(
        _ batch: RecordBatch,
        schema: Columnar.Schema
    ) throws -> [(partition: [Datum?], rows: Selection)] {
        let count = batch.rowCount
        var columns: [Column] = []
        for key in keys {
            guard let first = key.path.first,
                let place = schema.fields.firstIndex(where: { $0.id == first })
            else {
                columns.append(.nulls(try DataType(key.resultType), count: count))
                continue
            }
            var column = batch.columns[place]
            var type = schema[place].type
            for id in key.path.dropFirst() { (column, type) = Self.child(id, of: column, type) }
            columns.append(
                try key.transform.apply(column, from: key.sourceType, to: key.resultType)
            )
        }
        // Rows with the same hash are compared with one row of each group they could belong to.
        let hashes = Hashing.hash(columns, count: count)
        let equality = RowEquality(columns, columns, nullsEqual: true)
        var groups: [(first: Int, rows: [Int32])] = []
        var groupsOfHash: [UInt64: [Int]] = [:]
        let words = hashes.mutable(as: UInt64.self)
        var last: Int?
        for row in 0..<count {
            // Rows often come in runs.
            if let group = last, words[groups[group].first] == words[row],
                equality.matches(groups[group].first, row)
            {
                groups[group].rows.append(Int32(truncatingIfNeeded: row))
                continue
            }
            let candidates = groupsOfHash[words[row]] ?? []
            if let group = candidates.first(where: { equality.matches(groups[$0].first, row) }) {
                groups[group].rows.append(Int32(truncatingIfNeeded: row))
                last = group
            } else {
                last = groups.count
                groupsOfHash[words[row], default: []].append(groups.count)
                groups.append((row, [Int32(truncatingIfNeeded: row)]))
            }
        }
        return try withExtendedLifetime(hashes) {
            try groups.map { group in
                (try tuple(columns, row: group.first), Selection(group.rows))
            }
        }
    }

    private func tuple(_ columns: [Column], row: Int) throws -> [Datum?] {
        try zip(columns, keys).map { column, key in
            let value = column.value(at: row)
            if value.isNull { return nil }
            // Cutting a negative decimal down may give one digit more than its type declares.
            if case .decimal(let digits) = value, case .decimal(_, let scale) = key.resultType {
                return .decimal(digits, scale: scale)
            }
            guard let datum = Datum(value, type: key.resultType) else {
                throw TablesError(
                    .invalid,
                    "a partition value of type \(column.type) does not fit \(key.resultType)"
                )
            }
            return datum
        }
    }

    /// A field of a struct column; null where the struct is.
    private static func child(
        _ id: Int,
        of column: Column,
        _ type: DataType
    ) -> (Column, DataType) {
        let flat = column.flattened()
        guard case .structure(let children) = flat.storage, case .structure(let fields) = type,
            let index = fields.firstIndex(where: { $0.id == id })
        else { return (.nulls(.null, count: column.count), .null) }
        let child = children[index]
        guard let validity = flat.validity else { return (child, fields[index].type) }
        return (Choice.masked(child, valid: validity), fields[index].type)
    }
}

extension Transform {
    /// What the transform makes of each row of a column.
    ///
    /// - Spec: Iceberg table specification, "Partition Transforms".
    func apply(
        _ column: Column,
        from source: IcebergType,
        to result: IcebergType
    ) throws -> Column {
        if self == .identity { return column }
        let type = try DataType(result)
        if self == .void { return .nulls(type, count: column.count) }
        // Text kept as codes is transformed once for each dictionary entry.
        if case .dictionary(let codes, let dictionary) = column.storage {
            let values = try apply(dictionary.values, from: source, to: result)
            return Column(
                type: type,
                count: column.count,
                validity: column.validity,
                storage: .dictionary(codes: codes, ColumnDictionary(values))
            ).flattened()
        }
        let flat = column.flattened()
        let count = flat.count
        switch (self, flat.storage) {
        case (_, .null): return .nulls(type, count: count)
        case (_, .fixed(let values)):
            let buffer = Buffer(byteCount: count * type.physical.byteWidth)
            try applyNumbers(values, flat.type, count, into: buffer)
            return withExtendedLifetime(flat) {
                Column(type, count: count, validity: flat.validity, buffer: buffer)
            }
        case (_, .views):
            // Texts are short-lived here and the transform looks at each byte anyhow.
            return Column(
                type,
                try flat.values.map { value in
                    Value(try apply(Datum(value, type: source)))
                }
            )
        default:
            throw TablesError(.unsupported, "\(self) of a column of type \(column.type)")
        }
    }

    private func applyNumbers(
        _ values: BufferSlice,
        _ type: DataType,
        _ count: Int,
        into buffer: Buffer
    ) throws {
        let narrow = UnsafeBufferPointer(start: values.pointer(as: Int32.self), count: count)
        let wide = UnsafeBufferPointer(start: values.pointer(as: Int64.self), count: count)
        let numbers = UnsafeMutableBufferPointer(
            start: buffer.mutable(as: Int32.self),
            count: count
        )
        switch (self, type) {
        case (.bucket(let n), .int32), (.bucket(let n), .date):
            BatchTransform.bucket(narrow, count: n, into: numbers)
        case (.bucket(let n), .int64), (.bucket(let n), .time), (.bucket(let n), .timestamp),
            (.bucket(let n), .timestamptz):
            BatchTransform.bucket(wide, count: n, into: numbers)
        case (.bucket(let n), .decimal):
            let digits = Self.digits(values, type, count)
            digits.withUnsafeBufferPointer {
                BatchTransform.bucket(unscaled: $0, count: n, into: numbers)
            }
        case (.bucket(let n), .uuid):
            let pointer = values.pointer(as: Int128.self)
            let bytes = (0..<count).flatMap { UUIDBits.bytes(fromOrdered: pointer[$0]) }
            bytes.withUnsafeBytes {
                BatchTransform.bucket(fixed: $0, width: 16, count: n, into: numbers)
            }
        case (.truncate(let width), .int32):
            BatchTransform.truncate(narrow, width: width, into: numbers)
        case (.truncate(let width), .int64):
            BatchTransform.truncate(wide, width: width, into: Self.wide(buffer, count))
        case (.truncate(let width), .decimal):
            let digits = Self.digits(values, type, count)
            let target = UnsafeMutableBufferPointer<Int128>.allocate(capacity: count)
            defer { target.deallocate() }
            digits.withUnsafeBufferPointer {
                BatchTransform.truncate($0, width: width, into: target)
            }
            if type.physical == .int128 {
                let out = buffer.mutable(as: Int128.self)
                for row in 0..<count { out[row] = target[row] }
            } else {
                let out = buffer.mutable(as: Int64.self)
                for row in 0..<count { out[row] = Int64(truncatingIfNeeded: target[row]) }
            }
        case (.year, .date): BatchTransform.years(ofDays: narrow, into: numbers)
        case (.month, .date): BatchTransform.months(ofDays: narrow, into: numbers)
        case (.day, .date): _ = numbers.update(fromContentsOf: narrow)
        case (.year, .timestamp), (.year, .timestamptz):
            BatchTransform.years(of: wide, unit: .micros, into: numbers)
        case (.month, .timestamp), (.month, .timestamptz):
            BatchTransform.months(of: wide, unit: .micros, into: numbers)
        case (.day, .timestamp), (.day, .timestamptz):
            BatchTransform.days(of: wide, unit: .micros, into: numbers)
        case (.hour, .timestamp), (.hour, .timestamptz):
            BatchTransform.hours(of: wide, unit: .micros, into: numbers)
        default: throw TablesError(.unsupported, "\(self) of a column of type \(type)")
        }
    }

    private static func wide(
        _ buffer: Buffer,
        _ count: Int
    ) -> UnsafeMutableBufferPointer<Int64> {
        UnsafeMutableBufferPointer(start: buffer.mutable(as: Int64.self), count: count)
    }

    /// The unscaled values of decimals, whatever their width.
    private static func digits(_ values: BufferSlice, _ type: DataType, _ count: Int) -> [Int128] {
        if type.physical == .int128 {
            let pointer = values.pointer(as: Int128.self)
            return (0..<count).map { pointer[$0] }
        }
        let pointer = values.pointer(as: Int64.self)
        return (0..<count).map { Int128(pointer[$0]) }
    }
}
