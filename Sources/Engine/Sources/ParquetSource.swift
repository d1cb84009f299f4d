import Columnar
import Execution
import ObjectStorage
import Planner
import Tables

extension ParquetMorsel: Execution.Morsel {}

/// A scan of Parquet files as the executor wants it.
final class ParquetScanSource: ScanSource {
    private let scan: ParquetScan

    init(_ scan: ParquetScan) {
        self.scan = scan
    }

    var morselCount: Int { scan.morselCount }

    func morsel(_ index: Int) throws -> any Morsel { try scan.morsel(index) }
}

/// Parquet files that a statement names by path.
struct ParquetFilesSource: OpenedSource {
    let files: [ScanFile]
    let schema: Schema
    /// Whether a file may lack columns that the first one has (`union_by_name`).
    let allowsMissing: Bool

    /// Looks at the first file to find out what the files hold.
    static func open(
        _ files: [ScanFile],
        allowsMissing: Bool
    ) async throws -> (
        source: ParquetFilesSource, rowCount: Int?, bounds: [Int: Planner.ColumnBounds]
    ) {
        guard let first = files.first else { throw EngineError(.notFound, "no file is named") }
        let schema = try await ParquetScan.schema(of: first)
        let source = ParquetFilesSource(
            files: files,
            schema: schema,
            allowsMissing: allowsMissing
        )
        // Footers of a few files are read anyway; of many, only when it is their turn.
        if files.count > 16 { return (source, nil, [:]) }
        let statistics = try await ParquetScan.statistics(of: files)
        return (source, statistics.rowCount, statistics.bounds.mapValues(\.planned))
    }

    func open(
        _ request: ScanRequest,
        _ service: FetchService,
        _ meter: ScanMeter
    ) throws -> any ScanSource {
        // Plain files have no field ids of their own here: positions stand in for them.
        let columns = request.positions.enumerated().map { place, position in
            var field = schema[position]
            field.id = position + 1
            return ScanColumn(
                field,
                isCoded: request.codedPositions.contains(place),
                isLate: request.latePositions.contains(place)
            )
        }
        let options = ScanOptions(wantedRowCount: request.wantedRowCount)
        let predicate = TablePredicate(request.filters) { request.positions[$0] + 1 }
        let (files, resolution) = (
            self.files, Tables.ColumnResolution.names(allowsMissing: allowsMissing)
        )
        meter.add { $0.files += files.count }
        return try service.wait {
            ParquetScanSource(
                try await ParquetScan.open(
                    files: files,
                    columns: columns,
                    resolution: resolution,
                    predicate: predicate,
                    options: options,
                    service: service,
                    meter: meter
                )
            )
        }
    }
}

extension ColumnBoundsSummary {
    /// As the planner wants it.
    var planned: Planner.ColumnBounds {
        Planner.ColumnBounds(
            lower: lower.isNull ? nil : lower,
            upper: upper.isNull ? nil : upper,
            nullCount: nullCount.flatMap { Int(exactly: $0) },
            areValues: isExact
        )
    }
}

extension TablePredicate {
    /// What pruning can make of a scan's conjuncts; what it cannot see into stays unknown.
    ///
    /// - Parameter fieldID: the field id of a column by its position among the columns read.
    init(_ filters: [BoundExpression], fieldID: (Int) -> Int) {
        let parts = filters.map { Self.part($0, fieldID) }
        self = parts.isEmpty ? .always : .and(parts)
    }

    private static func part(
        _ expression: BoundExpression,
        _ fieldID: (Int) -> Int
    ) -> TablePredicate {
        switch expression {
        case .constant(.boolean(true), _): return .always
        case .constant: return .never
        case .and(let all): return .and(all.map { part($0, fieldID) })
        case .or(let all): return .or(all.map { part($0, fieldID) })
        case .not(let inner): return .not(part(inner, fieldID))
        case .isNull(.column(let id, _), let isNegated):
            return isNegated ? .isNotNull(fieldID(id.number)) : .isNull(fieldID(id.number))
        case .compare(let op, .column(let id, _), .constant(let value, _)):
            if value.isNull { return .never }
            return .compare(fieldID(id.number), op.table, value)
        case .inSet(.column(let id, _), let values, isNegated: false):
            return .isIn(fieldID(id.number), values.filter { !$0.isNull })
        case .call(.startsWith, let arguments, _):
            guard case .column(let id, _) = arguments[0],
                case .constant(.string(let text), _) = arguments[1]
            else { return .unknown }
            return .startsWith(fieldID(id.number), text)
        case .pattern(
            .like(ignoringCase: false),
            .column(let id, _),
            .constant(.string(let pattern), _),
            nil,
            isNegated: false
        ):
            // What stands before the first wildcard is how every match begins.
            let prefix = String(pattern.prefix { !"%_\\".contains($0) })
            return prefix.isEmpty ? .unknown : .startsWith(fieldID(id.number), prefix)
        default: return .unknown
        }
    }
}

extension Planner.ComparisonOperator {
    fileprivate var table: TablePredicate.Comparison {
        switch self {
        case .equal: .equal
        case .notEqual: .notEqual
        case .less: .less
        case .lessOrEqual: .lessOrEqual
        case .greater: .greater
        case .greaterOrEqual: .greaterOrEqual
        }
    }
}
