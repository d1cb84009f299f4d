package import Columnar

extension Lists {
    /// One aggregate of the elements of each list; null where the list is.
    ///
    /// - Parameters:
    ///   - column: packed.
    ///   - argument: what is aggregated, a row for each element.
    package static func aggregate(
        _ column: Column,
        _ argument: Column,
        _ accumulator: GroupedAccumulator
    ) throws(KernelError) -> Column {
        let count = column.count
        let owners = parents(of: column)
        if argument.count > 0 {
            let groups = UnsafeRawPointer(owners.rows).assumingMemoryBound(to: UInt32.self)
            try accumulator.update(
                groups: groups,
                groupCount: count,
                column: argument,
                count: argument.count
            )
        }
        let result = try accumulator.finish(groupCount: count)
        return withExtendedLifetime(owners) {
            column.validity.map { Choice.masked(result, valid: $0) } ?? result
        }
    }

    /// What two lists of numbers of equal length make.
    package enum VectorFunction: String, Sendable, Hashable {
        case distance = "list_distance"
        case innerProduct = "list_inner_product"
        case negativeInnerProduct = "list_negative_inner_product"
        case cosineSimilarity = "list_cosine_similarity"
        case cosineDistance = "list_cosine_distance"
    }

    /// A number made of two lists of DOUBLE of equal length without nulls.
    package static func combine(
        _ function: VectorFunction,
        _ a: Column,
        _ b: Column
    ) throws(KernelError) -> Column {
        let (left, right) = (ListOperand(a), ListOperand(b))
        let count = a.count
        let (u, v) = (Operand(left.elements), Operand(right.elements))
        let (x, y) = (u.pointer(Double.self), v.pointer(Double.self))
        let validity = Bitmap.and(left.validity, right.validity)
        let buffer = Buffer(zeroedByteCount: count * 8)
        let target = buffer.mutable(as: Double.self)
        try forEachValid(validity, count) { (row) throws(KernelError) in
            let length = left.length(row)
            guard length == right.length(row) else {
                throw KernelError(
                    .outOfRange,
                    "\(function.rawValue) needs lists of one length, not \(length) and \(right.length(row))"
                )
            }
            let (first, second) = (left.start(row), right.start(row))
            var dot = 0.0
            var squares = 0.0
            var others = 0.0
            var differences = 0.0
            for index in 0..<length {
                if u.validity.map({ !$0[first + index] }) ?? false
                    || v.validity.map({ !$0[second + index] }) ?? false
                {
                    throw KernelError(.outOfRange, "\(function.rawValue) of a list with nulls")
                }
                let (p, q) = (x[first + index], y[second + index])
                dot += p * q
                squares += p * p
                others += q * q
                differences += (p - q) * (p - q)
            }
            let cosine = max(-1, min(1, dot / (squares * others).squareRoot()))
            target[row] =
                switch function {
                case .distance: differences.squareRoot()
                case .innerProduct: dot
                case .negativeInnerProduct: -dot
                case .cosineSimilarity: cosine
                case .cosineDistance: 1 - cosine
                }
        }
        return withExtendedLifetime((u, v)) {
            Column(.float64, count: count, validity: normalized(validity), buffer: buffer)
        }
    }
}
