import Columnar
import SQL

/// Window functions: `f(…) OVER (…)`.
extension Binder {
    /// Functions that need an OVER clause.
    static let windowOnly: Set<String> = [
        "row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead",
        "first_value", "last_value", "nth_value",
    ]

    mutating func bindWindow(
        _ name: String,
        _ call: FunctionCall,
        _ reference: WindowReference,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression {
        guard let collector = context.windows else {
            throw PlanError(
                .invalid,
                "a window function cannot stand in \(context.clause)",
                hint: context.clause == "WHERE" ? "Conditions on windows go to QUALIFY." : nil,
                at: span
            )
        }
        // Windows see groups and their aggregates, but not each other.
        context.windows = nil
        defer { context.windows = collector }
        let window = try specification(reference, collector.named, at: span)
        let partition = try window.partitionBy.map { collated(try bind($0, &context)) }
        var order: [SortKey] = []
        for item in window.orderBy {
            let key = try bind(item.expression, &context)
            order.append(sortKey(key, item.direction, item.nulls))
        }
        let frame = try window.frame.map { try bind($0, order, &context) } ?? .upToPeers
        let bound = try bindWindowCall(name, call, frame, &context, at: span)
        // A constant orders nothing, but distances are counted from it.
        let used = frame.rangeKey == nil ? order.filter { !$0.expression.isConstant } : order
        if let known = collector.entries.first(where: {
            $0.partition == partition && $0.order == used && $0.call == bound
        }) {
            return known.column.reference
        }
        let column = newColumn(name, bound.type)
        collector.entries.append(
            WindowCollector.Entry(
                partition: partition,
                order: used,
                call: bound,
                column: column
            )
        )
        return column.reference
    }

    /// What a window reference means when the named windows in it are put in.
    private func specification(
        _ reference: WindowReference,
        _ named: [NamedWindow],
        at span: SourceSpan,
        depth: Int = 0
    ) throws -> WindowSpecification {
        for (index, window) in named.enumerated()
        where named[..<index].contains(where: { window.name.means($0.name.name) }) {
            throw PlanError(
                .invalid,
                "window \"\(window.name.name)\" is defined twice",
                at: window.name.span
            )
        }
        func find(_ name: Identifier) throws -> WindowSpecification {
            guard depth < 32,
                let window = named.first(where: { name.means($0.name.name) })
            else {
                let near = nearest(to: name.name, among: named.map { $0.name.name })
                throw PlanError(
                    .invalid,
                    "window \"\(name.name)\" does not exist",
                    hint: near.map { "Did you mean \"\($0)\"?" },
                    at: name.span
                )
            }
            return try specification(
                .specification(window.specification),
                named,
                at: span,
                depth: depth + 1
            )
        }
        switch reference {
        case .named(let name): return try find(name)
        case .specification(var window):
            guard let base = window.base else { return window }
            let below = try find(base)
            guard window.partitionBy.isEmpty, below.orderBy.isEmpty || window.orderBy.isEmpty,
                below.frame == nil
            else {
                throw PlanError(
                    .invalid,
                    "window \"\(base.name)\" already says what is said here",
                    at: span
                )
            }
            window.partitionBy = below.partitionBy
            if window.orderBy.isEmpty { window.orderBy = below.orderBy }
            window.base = nil
            return window
        }
    }

    private mutating func bindWindowCall(
        _ name: String,
        _ call: FunctionCall,
        _ frame: Planner.WindowFrame,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> WindowCall {
        if !Self.windowOnly.contains(name), Self.isAggregate(name) {
            let aggregate = try bindCall(name, call, &context, at: span)
            guard !aggregate.isDistinct || aggregate.others.isEmpty else {
                throw PlanError(
                    .unsupported,
                    "DISTINCT pairs of values are not supported over windows",
                    at: span
                )
            }
            return WindowCall(function: .aggregate(aggregate), frame: frame, type: aggregate.type)
        }
        guard Self.windowOnly.contains(name) else {
            throw PlanError(.invalid, "\(name) is no window function", at: span)
        }
        guard !call.isDistinct, call.filter == nil, call.orderBy.isEmpty else {
            throw PlanError(
                .unsupported,
                "DISTINCT, FILTER and ORDER BY are not supported for \(name)",
                at: span
            )
        }
        var arguments: [BoundExpression] = []
        for argument in call.arguments { arguments.append(try bind(argument.value, &context)) }
        func take(_ count: ClosedRange<Int>) throws {
            guard count.contains(arguments.count) else {
                throw PlanError(
                    .invalid,
                    "\(name) does not take \(arguments.count) arguments",
                    at: span
                )
            }
        }
        func plain(_ function: WindowFunction, _ type: DataType) throws -> WindowCall {
            try take(0...0)
            return WindowCall(function: function, type: type)
        }
        func valued(_ function: WindowFunction) -> WindowCall {
            if arguments[0].type == .null { arguments[0] = .constant(.null, .int32) }
            return WindowCall(
                function: function,
                arguments: arguments,
                frame: frame,
                ignoresNulls: call.nullTreatment == .ignore,
                type: arguments[0].type
            )
        }
        switch name {
        case "row_number": return try plain(.rowNumber, .int64)
        case "rank": return try plain(.rank, .int64)
        case "dense_rank": return try plain(.denseRank, .int64)
        case "percent_rank": return try plain(.percentRank, .float64)
        case "cume_dist": return try plain(.cumeDist, .float64)
        case "ntile":
            try take(1...1)
            arguments[0] = try coerce(arguments[0], to: .int64, at: span)
            return WindowCall(function: .ntile, arguments: arguments, type: .int64)
        case "lag", "lead":
            try take(1...3)
            if arguments.count > 1 {
                arguments[1] = try coerce(arguments[1], to: .int64, at: span)
            }
            if arguments.count > 2 {
                let type = try unified(arguments[0].type, arguments[2], at: span)
                arguments[0] = try coerce(arguments[0], to: type, at: span)
                arguments[2] = try coerce(arguments[2], to: type, at: span)
            }
            return valued(name == "lag" ? .lag : .lead)
        case "first_value", "last_value":
            try take(1...1)
            return valued(name == "first_value" ? .firstValue : .lastValue)
        default:
            let isFromLast = call.arguments.last?.name?.name == "from_last"
            try take(isFromLast ? 3...3 : 2...2)
            arguments[1] = try coerce(arguments[1], to: .int64, at: span)
            return valued(.nthValue)
        }
    }

    // MARK: Frames

    private mutating func bind(
        _ frame: SQL.WindowFrame,
        _ order: [SortKey],
        _ context: inout ExpressionContext
    ) throws -> Planner.WindowFrame {
        let unit: Planner.WindowFrame.Unit
        switch frame.unit {
        case .rows: unit = .rows
        case .range: unit = .range
        case .groups: unit = .groups
        }
        let exclusion: Planner.WindowFrame.Exclusion
        switch frame.exclusion {
        case .noOthers: exclusion = .none
        case .currentRow: exclusion = .currentRow
        case .group: exclusion = .group
        case .ties: exclusion = .ties
        }
        var isBackward = false
        switch (frame.start, frame.end) {
        case (.unboundedFollowing, _), (_, .unboundedPreceding), (.currentRow, .preceding),
            (.following, .preceding), (.following, .currentRow):
            isBackward = true
        default: break
        }
        if isBackward {
            throw PlanError(.invalid, "a frame cannot begin behind its end", at: frame.span)
        }
        if unit == .groups, order.isEmpty {
            throw PlanError(.invalid, "a GROUPS frame needs an ORDER BY", at: frame.span)
        }
        let start = try bind(frame.start, unit, order, &context, at: frame.span)
        let end = try bind(frame.end, unit, order, &context, at: frame.span)
        var result = Planner.WindowFrame(
            unit: unit,
            start: start.bound,
            end: end.bound,
            exclusion: exclusion
        )
        guard let key = start.key ?? end.key else { return result }
        // Both bounds and the key are compared as one type.
        var type = key
        if let other = end.key { type = CoercionRules.common(type, other) ?? type }
        result.rangeKey = try coerce(order[0].expression, to: type, at: frame.span)
        result.start = try coerced(start.bound, to: type, at: frame.span)
        result.end = try coerced(end.bound, to: type, at: frame.span)
        return result
    }

    private func coerced(
        _ bound: Planner.WindowFrame.Bound,
        to type: DataType,
        at span: SourceSpan
    ) throws -> Planner.WindowFrame.Bound {
        switch bound {
        case .preceding(let limit): .preceding(try coerce(limit, to: type, at: span))
        case .following(let limit): .following(try coerce(limit, to: type, at: span))
        default: bound
        }
    }

    /// A bound, and for RANGE with a distance the type of the key at which the frame ends.
    private mutating func bind(
        _ bound: SQL.WindowFrame.Bound,
        _ unit: Planner.WindowFrame.Unit,
        _ order: [SortKey],
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> (bound: Planner.WindowFrame.Bound, key: DataType?) {
        let distance: SQL.Expression
        let isBefore: Bool
        switch bound {
        case .unboundedPreceding: return (.unboundedPreceding, nil)
        case .unboundedFollowing: return (.unboundedFollowing, nil)
        case .currentRow: return (.currentRow, nil)
        case .preceding(let expression): (distance, isBefore) = (expression, true)
        case .following(let expression): (distance, isBefore) = (expression, false)
        }
        let value = try bind(distance, &context)
        guard unit == .range else {
            let count = try coerce(value, to: .int64, at: distance.span)
            if case .constant(.int64(let number), _) = count, number < 0 {
                throw PlanError(
                    .invalid,
                    "the distance of a frame's bound must be 0 or more",
                    at: distance.span
                )
            }
            return (isBefore ? .preceding(count) : .following(count), nil)
        }
        guard order.count == 1, let key = order.first else {
            throw PlanError(
                .invalid,
                "a RANGE frame with distances needs one ORDER BY key",
                at: span
            )
        }
        var from = key.expression
        if from.type.isInteger {
            // Wide enough for any distance.
            from = try coerce(from, to: .decimal(precision: 19, scale: 0), at: span)
        }
        let negative: Bool
        switch value {
        case .constant(.int32(let number), _): negative = number < 0
        case .constant(.int64(let number), _): negative = number < 0
        case .constant(.decimal(let number), _): negative = number < 0
        case .constant(.float64(let number), _): negative = number < 0
        default: negative = false
        }
        if negative {
            throw PlanError(
                .invalid,
                "the distance of a frame's bound must be 0 or more",
                at: distance.span
            )
        }
        let op: BinaryOperator = isBefore != key.isDescending ? .subtract : .add
        let limit = try bindBinary(op, from, value, at: span)
        return (isBefore ? .preceding(limit) : .following(limit), limit.type)
    }
}
