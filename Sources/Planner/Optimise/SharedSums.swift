import Columnar

/// Has `sum` and `avg` of the same values computed as one: their states are the same, a sum and a count.
enum SharedSums {
    static func share(_ plan: PhysicalPlan) -> PhysicalPlan {
        let plan = plan.mapInputs { share($0) }
        guard case .aggregate(let groups, let calls, let input) = plan else { return plan }
        var kept: [AggregateCall] = []
        /// By call its place among those kept, and its field there.
        var places: [(place: Int, field: Int?)] = []
        var partners: [Int: Int] = [:]
        for (index, call) in calls.enumerated() {
            if let other = calls.indices.first(where: { $0 != index && call.isPartner(calls[$0]) })
            {
                let field = call.function == .sum ? 0 : 1
                if let place = partners[other] {
                    places.append((place, field))
                    continue
                }
                partners[index] = kept.count
                places.append((kept.count, field))
                let (sum, average) =
                    call.function == .sum ? (call, calls[other]) : (calls[other], call)
                var both = call
                both.function = .sumAndAverage
                both.type = .structure([Field("sum", sum.type), Field("avg", average.type)])
                kept.append(both)
            } else {
                places.append((kept.count, nil))
                kept.append(call)
            }
        }
        if partners.isEmpty { return plan }
        var output = groups.enumerated().map {
            BoundExpression.column(ColumnID($0), $1.type)
        }
        for (call, (place, field)) in zip(calls, places) {
            let column = BoundExpression.column(ColumnID(groups.count + place), kept[place].type)
            output.append(field.map { .nested(.field($0), [column], call.type) } ?? column)
        }
        return .project(output, .aggregate(groups: groups, calls: kept, input))
    }
}

extension AggregateCall {
    /// Whether the one is the sum and the other the average of the same numbers.
    fileprivate func isPartner(_ other: AggregateCall) -> Bool {
        guard
            function == .sum && other.function == .avg
                || function == .avg && other.function == .sum,
            let argument, argument == other.argument, argument.type.isNumeric,
            filter == other.filter, order.isEmpty, other.order.isEmpty
        else { return false }
        return !isDistinct && !other.isDistinct
    }
}
