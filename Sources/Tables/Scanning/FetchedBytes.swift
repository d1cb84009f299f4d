import Columnar
import ObjectStorage
import Parquet

/// The bytes that one request gave, kept alive by the column readers that look into them.
final class FetchedBytes: Sendable {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// A part of the bytes, without copying them.
    ///
    /// The pointer outlives the closure that gave it. That holds because `bytes` is a constant of a
    /// class and a native array: its elements stay where they are until this object, which the chunk
    /// keeps as its owner, goes away.
    func chunk(_ range: Range<Int>) -> ChunkBytes {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        return bytes.withUnsafeBytes {
            ChunkBytes(UnsafeRawBufferPointer(rebasing: $0[range]), owner: self)
        }
    }
}

/// Ranges of a file joined into few requests, and where in their answers each range is.
struct CoalescedRanges {
    private(set) var requests: [Range<Int>] = []
    /// For each range the request that holds it.
    private(set) var requestOfRange: [Int]

    /// Ranges no further apart than this share a request.
    private static let gapBytesMax = 64 << 10
    /// A request that holds this much takes no further range, so that requests run in parallel.
    private static let requestBytesMax = 8 << 20

    init(_ ranges: [Range<Int>], gapBytesMax: Int = Self.gapBytesMax) {
        requestOfRange = Array(repeating: 0, count: ranges.count)
        let order = ranges.indices.sorted { ranges[$0].lowerBound < ranges[$1].lowerBound }
        for index in order {
            let range = ranges[index]
            if let last = requests.last, range.lowerBound <= last.upperBound + gapBytesMax,
                range.upperBound <= last.upperBound || last.count < Self.requestBytesMax
            {
                requests[requests.count - 1] =
                    last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                requests.append(range)
            }
            requestOfRange[index] = requests.count - 1
        }
    }

    var byteCount: Int { requests.reduce(0) { $0 + $1.count } }

    /// The chunks of all ranges.
    static func fetch(_ ranges: [Range<Int>], of file: ScanFile) async throws -> [ChunkBytes] {
        let plan = CoalescedRanges(ranges, gapBytesMax: gap(file))
        let answers = try await file.store.getRanges(file.key, plan.requests)
            .map { FetchedBytes($0) }
        return zip(ranges, plan.requestOfRange).map { range, request in
            let start = range.lowerBound - plan.requests[request].lowerBound
            return answers[request].chunk(start..<start + range.count)
        }
    }

    /// A request to a bucket costs as much as reading about a megabyte.
    private static func gap(_ file: ScanFile) -> Int {
        file.store.isFar ? 1 << 20 : gapBytesMax
    }
}
