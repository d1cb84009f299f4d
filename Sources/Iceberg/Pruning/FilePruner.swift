/// Decides which manifests and files a scan or a delete has to look into.
///
/// Each answer is on the safe side: what is dropped holds no matching row, and of what is called a full
/// match every row matches. What is not known of a file never drops it.
///
/// - Spec: "Scan Planning".
package struct FilePruner: Sendable {
    private let predicate: Predicate
    private let schema: Schema
    private let columnTypes: [Int: IcebergType]
    private let specs: [Int: ProjectedSpec]

    /// A spec, its tuple's types, and the condition on its partition values.
    private struct ProjectedSpec: Sendable {
        var spec: PartitionSpec
        var partitionType: StructType
        var predicate: Predicate
    }

    /// Prepares a condition for the files of a table, whatever spec they were written with.
    ///
    /// - Parameter schema: The schema whose field ids the condition is on; nil for the current one.
    package init(_ predicate: Predicate, table: TableMetadata, schema: Schema? = nil) {
        let schema = schema ?? table.currentSchema
        let predicate = predicate.withoutNot
        self.predicate = predicate
        self.schema = schema
        var types: [Int: IcebergType] = [:]
        for id in table.partitionSpecs.flatMap(\.fields).flatMap(\.sourceIDs) {
            types[id] = schema.field(id: id)?.type ?? table.columnType(id: id)
        }
        columnTypes = types
        var specs: [Int: ProjectedSpec] = [:]
        for spec in table.partitionSpecs {
            let projection = PartitionProjection(spec: spec) { types[$0] }
            specs[spec.specID] = ProjectedSpec(
                spec: spec,
                partitionType: spec.partitionType { types[$0] },
                predicate: projection.project(predicate)
            )
        }
        self.specs = specs
    }

    /// Whether files in the manifest may hold rows that match, going by its partition summaries.
    package func mayMatch(_ manifest: ManifestFile) -> Bool {
        if !manifest.hasLiveFiles { return false }
        guard let projected = specs[manifest.partitionSpecID], let summaries = manifest.partitions,
            summaries.count == projected.partitionType.fields.count
        else { return predicate != .never }
        let fields = projected.partitionType.fields
        return projected.predicate.evaluate { leaf in
            guard let index = fields.firstIndex(where: { $0.id == leaf.fieldID }) else {
                return true
            }
            return ValueRange(summaries[index], type: fields[index].type).mayMatch(leaf)
        }
    }

    /// Whether the file may hold rows that match, going by its partition and its column metrics.
    ///
    /// For delete files the metrics describe the deleted rows, so the answer is whether they matter.
    package func mayMatch(_ file: DataFile) -> Bool {
        if file.recordCount == 0 { return false }
        if let projected = specs[file.specID],
            file.partition.count == projected.partitionType.fields.count
        {
            let fields = projected.partitionType.fields
            let mayMatch = projected.predicate.evaluate { leaf in
                guard let index = fields.firstIndex(where: { $0.id == leaf.fieldID }) else {
                    return true
                }
                return ValueRange(only: file.partition[index]).mayMatch(leaf)
            }
            if !mayMatch { return false }
        }
        return predicate.evaluate { range(of: $0, in: file).mayMatch($0) }
    }

    /// Whether all rows of a data file match, so that a delete may drop it without reading it.
    ///
    /// Rows that delete files remove do not count: they match or are gone.
    package func allMatch(_ file: DataFile) -> Bool {
        guard file.content == .data else { return false }
        if file.recordCount == 0 { return true }
        return predicate.evaluate { range(of: $0, in: file).allMatch($0) }
    }

    /// The condition that is left for the rows of a file: leaves that all or none of them match are gone.
    package func residual(_ file: DataFile) -> Predicate {
        predicate.mapLeaves { leaf in
            let range = range(of: leaf, in: file)
            if !range.mayMatch(leaf) { return .never }
            return range.allMatch(leaf) ? .always : leaf
        }
    }

    /// What the file's metrics and its partition say of the column that a leaf is about.
    private func range(of leaf: Predicate, in file: DataFile) -> ValueRange {
        guard let id = leaf.fieldID, let location = schema.location(id: id), !location.isRepeated,
            location.field.type.isPrimitive
        else { return .unknown }
        var range = ValueRange(file, location: location)
        guard let projected = specs[file.specID],
            file.partition.count == projected.spec.fields.count
        else { return range }
        for (field, value) in zip(projected.spec.fields, file.partition)
        where field.sourceIDs == [id] {
            if let known = field.transform.sourceRange(of: value, type: location.field.type) {
                range = range.intersection(known)
            }
        }
        return range
    }
}

extension ValueRange {
    /// What a manifest list says of a partition field.
    init(_ summary: FieldSummary, type: IcebergType) {
        lower = Self.bound(summary.lowerBound, type)
        upper = Self.bound(summary.upperBound, type)
        mayBeNull = summary.containsNull
        mayBeNaN = type.isFloating && summary.containsNaN != false
        // No bounds mean that there are only nulls and NaNs, if it is said that there are some.
        let hasNoBounds = summary.lowerBound == nil && summary.upperBound == nil
        let hasOthers = summary.containsNull || summary.containsNaN == true
        mayHaveValues = !(hasNoBounds && hasOthers && type != .unknown)
        if type == .unknown { mayBeNaN = true }
    }

    /// What the metrics of a file say of a column.
    init(_ file: DataFile, location: Schema.Location) {
        let field = location.field
        let values = file.valueCounts?[field.id]
        let nulls = file.nullValueCounts?[field.id]
        let nans = file.nanValueCounts?[field.id]
        lower = Self.bound(file.lowerBounds?[field.id], field.type)
        upper = Self.bound(file.upperBounds?[field.id], field.type)
        mayBeNull = nulls.map { $0 != 0 } ?? location.isOptional
        mayBeNaN = field.type.isFloating && nans != 0
        mayHaveValues = true
        if let values, let nulls, values >= 0, nulls >= 0 {
            if nulls >= values {
                mayHaveValues = false
                mayBeNaN = false
            } else if let nans, nans > 0, nans >= values - nulls {
                mayHaveValues = false
            }
        }
    }

    /// A bound of a float that is NaN, or that cannot be read, says nothing.
    private static func bound(_ bytes: [UInt8]?, _ type: IcebergType) -> Datum? {
        guard let bytes, let value = try? Datum(bytes: bytes, type: type), !value.isNaN else {
            return nil
        }
        return value
    }
}

extension Transform {
    /// What a partition value says of the values of its source column; nil when it says nothing.
    func sourceRange(of value: Datum?, type: IcebergType) -> ValueRange? {
        if self == .void || isUnknown { return nil }
        guard let value else { return ValueRange(only: nil) }
        if self == .identity { return ValueRange(only: value) }
        var range = ValueRange(mayBeNull: false, mayBeNaN: false)
        switch (self, value) {
        case (.truncate(let width), .int(let start)):
            let (end, overflow) = start.addingReportingOverflow(width - 1)
            // The lowest partition wraps around, and then says nothing.
            if !overflow, start <= Int32.max - width {
                (range.lower, range.upper) = (value, .int(end))
            }
        case (.truncate(let width), .long(let start)):
            let (end, overflow) = start.addingReportingOverflow(Int64(width) - 1)
            if !overflow, start <= Int64.max - Int64(width) {
                (range.lower, range.upper) = (value, .long(end))
            }
        case (.truncate(let width), .decimal(let start, let scale)):
            let (end, overflow) = start.addingReportingOverflow(Int128(width) - 1)
            if !overflow { (range.lower, range.upper) = (value, .decimal(end, scale: scale)) }
        case (.truncate(let width), .string(let text)):
            range.lower = value
            // A text that was not cut is the whole value; what was cut off may be anything.
            if text.unicodeScalars.count < Int(width) { range.upper = value }
        case (.truncate, .binary): range.lower = value
        case (.year, .int(let years)):
            setDays(&range, type, isFirst: years <= 0) { step in
                CivilDate(year: 1970 + Int(years) + step, month: 1, day: 1).daysSinceEpoch
            }
        case (.month, .int(let months)):
            setDays(&range, type, isFirst: months <= 0) { step in
                let month = Int(months) + step
                return CivilDate(
                    year: 1970 + month.flooredQuotient(12),
                    month: month.flooredRemainder(12) + 1,
                    day: 1
                ).daysSinceEpoch
            }
        case (.day, .date(let days)):
            setDays(&range, type, isFirst: days <= 0) { Int(days) + $0 }
        case (.hour, .int(let hours)):
            let first = Int128(hours) - (hours <= 0 ? 1 : 0)
            setHours(&range, type, first, Int128(hours) + 1)
        default: break
        }
        return range
    }

    /// Sets the bounds to whole days, from the start of this partition to the start of the next.
    ///
    /// - Parameter isFirst: The partition is not after 1970 began: old writers rounded towards zero there,
    ///   so it may hold rows of the one before.
    private func setDays(
        _ range: inout ValueRange,
        _ type: IcebergType,
        isFirst: Bool,
        _ start: (_ step: Int) -> Int
    ) {
        let (first, next) = (start(isFirst ? -1 : 0), start(1))
        if type == .date {
            if let low = Int32(exactly: first), let high = Int32(exactly: next - 1) {
                (range.lower, range.upper) = (.date(low), .date(high))
            }
            return
        }
        setHours(&range, type, Int128(first) * 24, Int128(next) * 24)
    }

    /// Sets the bounds to the timestamps from one hour to just before another.
    private func setHours(
        _ range: inout ValueRange,
        _ type: IcebergType,
        _ first: Int128,
        _ next: Int128
    ) {
        let perHour: Int128 =
            type == .timestamp || type == .timestamptz ? 3_600_000_000 : 3_600_000_000_000
        guard let low = Int64(exactly: first * perHour),
            let high = Int64(exactly: next * perHour - 1)
        else { return }
        switch type {
        case .timestamp: (range.lower, range.upper) = (.timestamp(low), .timestamp(high))
        case .timestamptz: (range.lower, range.upper) = (.timestamptz(low), .timestamptz(high))
        case .timestampNanos:
            (range.lower, range.upper) = (.timestampNanos(low), .timestampNanos(high))
        case .timestamptzNanos:
            (range.lower, range.upper) = (.timestamptzNanos(low), .timestamptzNanos(high))
        default: break
        }
    }
}
