import Ambient

/// How reads of many ranges become requests.
package struct ReadOptions: Sendable, Equatable {
    /// Ranges no further apart than this share a request: reading the gap is cheaper than asking twice.
    package var gapBytesMax: Int
    /// A request that already holds this much takes no further range, so that parallelism remains.
    package var requestBytesMax: Int
    /// Requests of one call under way at once.
    package var parallelCountMax: Int

    package init(
        gapBytesMax: Int = 1 << 20,
        requestBytesMax: Int = 16 << 20,
        parallelCountMax: Int = 16
    ) {
        self.gapBytesMax = max(gapBytesMax, 0)
        self.requestBytesMax = max(requestBytesMax, 1)
        self.parallelCountMax = max(parallelCountMax, 1)
    }
}

/// Which requests serve which ranges: pure, so that tests can check it against brute force.
package struct CoalescedReadPlan: Equatable {
    /// What to ask for, ascending; may overlap only where the asked ranges do.
    package private(set) var requests: [Range<Int>] = []
    /// For each asked range the request that holds it; nil for empty ranges.
    package private(set) var requestOfRange: [Int?]

    package init(ranges: [Range<Int>], options: ReadOptions) {
        requestOfRange = Array(repeating: nil, count: ranges.count)
        let order = ranges.indices.filter { !ranges[$0].isEmpty }.sorted { left, right in
            (ranges[left].lowerBound, ranges[left].upperBound)
                < (ranges[right].lowerBound, ranges[right].upperBound)
        }
        for index in order {
            let range = ranges[index]
            if let last = requests.last, isNear(range, to: last, options) {
                requests[requests.count - 1] =
                    last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                requests.append(range)
            }
            requestOfRange[index] = requests.count - 1
        }
    }

    private func isNear(_ range: Range<Int>, to last: Range<Int>, _ options: ReadOptions) -> Bool {
        if range.upperBound <= last.upperBound { return true }
        // Both begin at 0 or later, so the differences cannot overflow.
        let gap = range.lowerBound - last.upperBound
        return gap <= options.gapBytesMax
            && range.upperBound - last.lowerBound <= max(options.requestBytesMax, last.count)
    }
}

/// Reads ranges with as few requests as the options allow, in parallel, and cuts the answers apart.
///
/// - Parameter fetch: reads one range, cut off at the object's end, as `ObjectStore.get` does.
func readCoalesced(
    _ ranges: [Range<Int>],
    options: ReadOptions,
    key: String,
    store: String,
    fetch: @escaping @Sendable (Range<Int>) async throws -> [UInt8]
) async throws -> [[UInt8]] {
    guard ranges.allSatisfy({ $0.lowerBound >= 0 }) else {
        throw ObjectStoreError(
            .rangeNotSatisfiable,
            "a range begins before the object",
            key: key,
            store: store
        )
    }
    let plan = CoalescedReadPlan(ranges: ranges, options: options)
    let answers = try await mapBounded(plan.requests, countMax: options.parallelCountMax) { range in
        let bytes = try await fetch(range)
        guard bytes.count == range.count else {
            throw ObjectStoreError(
                .rangeNotSatisfiable,
                "the object ends at byte \(range.lowerBound + bytes.count), inside a range to read",
                key: key,
                store: store
            )
        }
        return bytes
    }
    return zip(ranges, plan.requestOfRange).map { range, request in
        guard let request else { return [] }
        // The whole answer is handed on without a copy.
        if plan.requests[request] == range { return answers[request] }
        let start = range.lowerBound - plan.requests[request].lowerBound
        return Array(answers[request][start..<start + range.count])
    }
}
