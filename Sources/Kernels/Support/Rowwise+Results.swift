import Columnar

extension Rowwise {
    /// Builds a text (or bytes) a row from up to three arguments, read as `kinds` say (see
    /// `Arguments`); rows with a null argument are null.
    @inline(__always)
    static func texts(
        _ columns: [Column],
        _ kinds: StaticString,
        to type: DataType = .string,
        _ body: (Arguments, Int, inout [UInt8]) throws(KernelError) -> Void
    ) throws(KernelError) -> Column {
        try apply(try StringFunctions.wholeNumbers(columns), to: type) {
            (operands, count, validity) throws(KernelError) -> Column in
            let arguments = try Arguments(operands, kinds)
            var writer = ViewWriter(count: count)
            var scratch: [UInt8] = []
            try forEachValid(validity, count) { (row) throws(KernelError) in
                scratch.removeAll(keepingCapacity: true)
                try body(arguments, row, &scratch)
                if scratch.count > StringFunctions.resultBytesMax {
                    throw KernelError(
                        .outOfRange,
                        "a text of \(scratch.count) bytes is longer than the "
                            + "\(StringFunctions.resultBytesMax) a function may give"
                    )
                }
                writer.set(row, scratch)
            }
            return withExtendedLifetime(operands) { writer.finish(type, validity: validity) }
        }
    }

    /// Computes a value of fixed width a row; nil from `body` makes the row null.
    @inline(__always)
    static func values<T: BitwiseCopyable>(
        _ columns: [Column],
        _ kinds: StaticString,
        to type: DataType,
        _: T.Type,
        _ body: (Arguments, Int) throws(KernelError) -> T?
    ) throws(KernelError) -> Column {
        try apply(try StringFunctions.wholeNumbers(columns), to: type) {
            (operands, count, validity) throws(KernelError) -> Column in
            let arguments = try Arguments(operands, kinds)
            let buffer = Buffer(zeroedByteCount: count * MemoryLayout<T>.stride)
            let target = buffer.mutable(as: T.self)
            var nulls = NullMarks(validity, count: count)
            try forEachValid(validity, count) { (row) throws(KernelError) in
                if let value = try body(arguments, row) {
                    target[row] = value
                } else {
                    nulls.mark(row)
                }
            }
            return withExtendedLifetime(operands) {
                Column(type, count: count, validity: nulls.bitmap, buffer: buffer)
            }
        }
    }

    /// Answers a question a row.
    @inline(__always)
    static func flags(
        _ columns: [Column],
        _ kinds: StaticString,
        _ body: (Arguments, Int) throws(KernelError) -> Bool
    ) throws(KernelError) -> Column {
        try apply(try StringFunctions.wholeNumbers(columns), to: .boolean) {
            (operands, count, validity) throws(KernelError) -> Column in
            let arguments = try Arguments(operands, kinds)
            let flags = Buffer(zeroedByteCount: count)
            let flag = flags.mutable(as: UInt8.self)
            try forEachValid(validity, count) { (row) throws(KernelError) in
                flag[row] = try body(arguments, row) ? 1 : 0
            }
            return withExtendedLifetime((operands, flags)) {
                Column(bits: .fromFlags(UnsafePointer(flag), count: count), validity: validity)
            }
        }
    }
}
