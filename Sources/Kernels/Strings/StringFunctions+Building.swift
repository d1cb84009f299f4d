package import Columnar

extension StringFunctions {
    /// A result built in scratch memory from up to three arguments.
    @inline(__always)
    private static func built(
        _ columns: [Column],
        _ kinds: StaticString,
        _ body: (Arguments, Int, inout [UInt8]) throws(KernelError) -> Void
    ) throws(KernelError) -> Column {
        try Rowwise.apply(try wholeNumbers(columns), to: .string) {
            (operands, count, validity) throws(KernelError) -> Column in
            let arguments = try Arguments(operands, kinds)
            var writer = ViewWriter(count: count)
            var scratch: [UInt8] = []
            try forEachValid(validity, count) { (row) throws(KernelError) in
                scratch.removeAll(keepingCapacity: true)
                try body(arguments, row, &scratch)
                if scratch.count > resultBytesMax { throw tooLong(scratch.count) }
                writer.set(row, scratch)
            }
            return withExtendedLifetime(operands) {
                writer.finish(.string, validity: validity)
            }
        }
    }

    private static func tooLong(_ count: Int) -> KernelError {
        KernelError(
            .outOfRange,
            "a text of \(count) bytes is longer than the \(resultBytesMax) a function may give"
        )
    }

    /// `a || b`: null when a side is null.
    package static func concatenate(_ a: Column, _ b: Column) throws(KernelError) -> Column {
        let type: DataType = a.type == .binary || b.type == .binary ? .binary : .string
        return try Rowwise.apply([a, b], to: type) {
            (operands, count, validity) throws(KernelError) -> Column in
            let arguments = try Arguments(operands, "tt")
            var writer = ViewWriter(count: count)
            forEachValid(validity, count) { row in
                join(arguments.text(0, row), arguments.text(1, row), row, &writer)
            }
            return withExtendedLifetime(operands) { writer.finish(type, validity: validity) }
        }
    }

    @inline(__always)
    private static func join(
        _ a: UTF8Text.Bytes,
        _ b: UTF8Text.Bytes,
        _ row: Int,
        _ writer: inout ViewWriter
    ) {
        let count = a.count + b.count
        if count <= 12 {
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16) { scratch in
                for index in 0..<a.count { scratch[index] = a[index] }
                for index in 0..<b.count { scratch[a.count + index] = b[index] }
                guard let base = scratch.baseAddress else { return }
                writer.views[row] = makeView(base, count)
            }
            return
        }
        let target = writer.arena.reserve(count)
        if let base = a.baseAddress { target.copyMemory(from: base, byteCount: a.count) }
        if let base = b.baseAddress {
            (target + a.count).copyMemory(from: base, byteCount: b.count)
        }
        writer.views[row] = makeView(
            UnsafePointer(target.assumingMemoryBound(to: UInt8.self)),
            count
        )
    }

    /// `concat(...)` (without separator) and `concat_ws(separator, ...)`: null arguments are left
    /// out, so only a null separator gives null.
    package static func concatenate(
        _ columns: [Column],
        separator: Column? = nil
    ) throws(KernelError) -> Column {
        guard let count = columns.first?.count ?? separator?.count else {
            throw KernelError(.unsupported, "concat wants arguments")
        }
        if let separator, separator.isAllNull { return .nulls(.string, count: count) }
        let used = columns.filter { !$0.isAllNull }.map { Operand($0) }
        let between = separator.map { Operand($0) }
        var writer = ViewWriter(count: count)
        var scratch: [UInt8] = []
        let parts = used.map { ($0.views, $0.mask, $0.validity?.words) }
        let separators = between.map { ($0.views, $0.mask) }
        for row in 0..<count {
            scratch.removeAll(keepingCapacity: true)
            var isFirst = true
            for (views, mask, words) in parts {
                if let words, bitOf(words, row) == 0 { continue }
                if !isFirst, let separators {
                    scratch.append(contentsOf: (separators.0 + (row & separators.1)).text)
                }
                isFirst = false
                scratch.append(contentsOf: (views + (row & mask)).text)
            }
            if scratch.count > resultBytesMax { throw tooLong(scratch.count) }
            writer.set(row, scratch)
        }
        return withExtendedLifetime((used, between)) {
            writer.finish(.string, validity: between?.validity)
        }
    }

    /// Every occurrence of `part` replaced; an empty part replaces nothing.
    package static func replace(
        _ column: Column,
        _ part: Column,
        with replacement: Column
    ) throws(KernelError) -> Column {
        try built([column, part, replacement], "ttt") {
            (arguments, row, result) throws(KernelError) in
            let text = arguments.text(0, row)
            let part = arguments.text(1, row)
            var offset = 0
            if !part.isEmpty {
                while let hit = UTF8Text.find(part, in: text, from: offset) {
                    result.append(contentsOf: text[offset..<hit])
                    result.append(contentsOf: arguments.text(2, row))
                    offset = hit + part.count
                    if result.count > resultBytesMax { throw tooLong(result.count) }
                }
            }
            result.append(contentsOf: text[offset...])
        }
    }

    /// The text filled up (on the left, or right) with `fill` to `length` code points, or cut to
    /// that on the right.
    package static func pad(
        _ column: Column,
        to length: Column,
        with fill: Column? = nil,
        isLeft: Bool
    ) throws(KernelError) -> Column {
        let fill = fill ?? .constant(.string(" "), .string, count: column.count)
        return try built([column, length, fill], "tit") {
            (arguments, row, result) throws(KernelError) in
            let text = arguments.text(0, row)
            let wanted = Int(max(0, arguments.int64(1, row)))
            let fill = arguments.text(2, row)
            let own = UTF8Text.count(text)
            if own >= wanted {
                result.append(contentsOf: text[..<UTF8Text.offset(text, skipping: wanted)])
                return
            }
            if wanted > resultBytesMax { throw tooLong(wanted) }
            if !isLeft { result.append(contentsOf: text) }
            let fillCount = UTF8Text.count(fill)
            var missing = fillCount == 0 ? 0 : wanted - own
            while missing >= fillCount, missing > 0 {
                result.append(contentsOf: fill)
                missing -= fillCount
                if result.count > resultBytesMax { throw tooLong(result.count) }
            }
            result.append(contentsOf: fill[..<UTF8Text.offset(fill, skipping: missing)])
            if isLeft { result.append(contentsOf: text) }
        }
    }

    /// The text `count` times; empty for counts below 1.
    package static func repeated(_ column: Column, _ count: Column) throws(KernelError) -> Column {
        try built([column, count], "ti") { (arguments, row, result) throws(KernelError) in
            let text = arguments.text(0, row)
            let times = Int(max(0, arguments.int64(1, row)))
            let (size, overflow) = times.multipliedReportingOverflow(by: text.count)
            if overflow || size > resultBytesMax { throw tooLong(overflow ? Int.max : size) }
            if text.isEmpty { return }
            for _ in 0..<times { result.append(contentsOf: text) }
        }
    }

    /// The text of one code point given by its number.
    package static func character(_ column: Column) throws(KernelError) -> Column {
        guard column.type.isInteger || column.type == .null else {
            throw KernelError(.unsupported, "chr of \(column.type)")
        }
        return try built([column], "i") { (arguments, row, result) throws(KernelError) in
            let code = arguments.int64(0, row)
            guard code > 0, let value = UInt32(exactly: code), let scalar = Unicode.Scalar(value)
            else { throw KernelError(.outOfRange, "\(code) is not a code point") }
            UTF8Text.append(scalar, to: &result)
        }
    }

    /// Each code point that is in `from` replaced by the one in the same place of `to`; those
    /// without a counterpart are dropped.
    package static func translate(
        _ column: Column,
        from: Column,
        to: Column
    ) throws(KernelError) -> Column {
        try built([column, from, to], "ttt") { arguments, row, result in
            let from = Array(
                String(decoding: arguments.text(1, row), as: UTF8.self).unicodeScalars
            )
            let to = Array(
                String(decoding: arguments.text(2, row), as: UTF8.self).unicodeScalars
            )
            let text = String(decoding: arguments.text(0, row), as: UTF8.self)
            for scalar in text.unicodeScalars {
                guard let place = from.firstIndex(of: scalar) else {
                    UTF8Text.append(scalar, to: &result)
                    continue
                }
                if place < to.count { UTF8Text.append(to[place], to: &result) }
            }
        }
    }
}
