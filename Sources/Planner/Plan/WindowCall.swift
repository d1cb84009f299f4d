package import Columnar

/// The functions that only a window has.
package enum WindowFunction: Sendable, Hashable {
    case rowNumber, rank, denseRank, percentRank, cumeDist
    /// Numbers as many buckets as its first argument says.
    case ntile
    /// The value some rows before; arguments: value, distance, default.
    case lag
    case lead
    case firstValue, lastValue
    /// Arguments: value, number of the row in the frame from 1, and TRUE to count from its end.
    case nthValue
    /// The value, null or not, of the last row of the frame whose second argument is not null.
    case lastMarked
    /// An aggregate over the frame.
    case aggregate(AggregateCall)
}

/// Which rows around a row its window functions see.
package struct WindowFrame: Sendable, Hashable {
    package enum Unit: Sendable, Hashable { case rows, range, groups }

    package enum Bound: Sendable, Hashable {
        case unboundedPreceding
        /// A number of rows or groups; for RANGE the key at which the frame ends.
        case preceding(BoundExpression)
        case currentRow
        case following(BoundExpression)
        case unboundedFollowing
    }

    package enum Exclusion: Sendable, Hashable { case none, currentRow, group, ties }

    package var unit: Unit
    package var start: Bound
    package var end: Bound
    package var exclusion: Exclusion
    /// For RANGE with distances: the key of a row, of the type of the bounds.
    package var rangeKey: BoundExpression?

    package init(
        unit: Unit,
        start: Bound,
        end: Bound,
        exclusion: Exclusion = .none,
        rangeKey: BoundExpression? = nil
    ) {
        self.unit = unit
        self.start = start
        self.end = end
        self.exclusion = exclusion
        self.rangeKey = rangeKey
    }

    /// From the first row of the partition to the last one that is ordered the same.
    package static let upToPeers = WindowFrame(
        unit: .range,
        start: .unboundedPreceding,
        end: .currentRow
    )
}

/// One window function of a query; partitions and order are those of its `LogicalPlan.Window`.
package struct WindowCall: Sendable, Hashable {
    package var function: WindowFunction
    package var arguments: [BoundExpression]
    package var frame: WindowFrame
    package var ignoresNulls: Bool
    package var type: DataType

    package init(
        function: WindowFunction,
        arguments: [BoundExpression] = [],
        frame: WindowFrame = .upToPeers,
        ignoresNulls: Bool = false,
        type: DataType
    ) {
        self.function = function
        self.arguments = arguments
        self.frame = frame
        self.ignoresNulls = ignoresNulls
        self.type = type
    }

    /// Whether the result depends on the order of rows that are ordered the same.
    package var dependsOnRowOrder: Bool {
        switch function {
        case .rank, .denseRank, .percentRank, .cumeDist: return false
        case .aggregate:
            if case .unboundedPreceding = frame.start, case .unboundedFollowing = frame.end {
                return false
            }
            return frame.unit == .rows
        default: return true
        }
    }

    /// All expressions of the call.
    var expressions: [BoundExpression] {
        var all = arguments
        if case .aggregate(let call) = function { all += call.expressions }
        if let key = frame.rangeKey { all.append(key) }
        for case .preceding(let bound) in [frame.start, frame.end] { all.append(bound) }
        for case .following(let bound) in [frame.start, frame.end] { all.append(bound) }
        return all
    }

    /// The same call over other expressions.
    func mapExpressions(
        _ transform: (BoundExpression) throws -> BoundExpression
    ) rethrows -> WindowCall {
        var call = self
        call.arguments = try arguments.map(transform)
        if case .aggregate(let aggregate) = function {
            call.function = .aggregate(try aggregate.mapExpressions(transform))
        }
        call.frame.start = try frame.start.mapExpression(transform)
        call.frame.end = try frame.end.mapExpression(transform)
        call.frame.rangeKey = try frame.rangeKey.map(transform)
        return call
    }
}

extension WindowFrame.Bound {
    fileprivate func mapExpression(
        _ transform: (BoundExpression) throws -> BoundExpression
    ) rethrows -> WindowFrame.Bound {
        switch self {
        case .preceding(let bound): .preceding(try transform(bound))
        case .following(let bound): .following(try transform(bound))
        case .unboundedPreceding, .currentRow, .unboundedFollowing: self
        }
    }
}
