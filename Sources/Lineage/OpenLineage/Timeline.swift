/// A value that changes, as far as it was observed: what it was at which times, however the observations came.
///
/// Observations of the same value that follow each other are one segment. A value that is observed between two of
/// another splits their segment: the second half then begins with its last observation, for those in between are not
/// kept.
package struct Timeline<Value: Sendable & Equatable>: Sendable {
    package struct Segment: Sendable {
        package var firstMicros: Int64
        package var lastMicros: Int64
        package var value: Value
    }

    /// In the order of time; they do not overlap.
    package private(set) var segments: [Segment] = []
    /// When there are more, the oldest go.
    private static var countMax: Int { 1000 }

    package init() {}

    /// The latest value.
    package var latest: Segment? { segments.last }

    /// The value at a time; nil before the first observation.
    package func value(at micros: Int64) -> Value? {
        segments.last { $0.firstMicros <= micros }?.value
    }

    /// The latest segment, or the one at a time.
    package func segment(asOf micros: Int64?) -> Segment? {
        guard let micros else { return segments.last }
        return segments.last { $0.firstMicros <= micros }
    }

    /// The latest value, or the one at a time.
    func value(asOf micros: Int64?) -> Value? {
        guard let micros else { return latest?.value }
        return value(at: micros)
    }

    /// Notes what the value was at a time; of two observations at one time the last told counts.
    package mutating func observe(_ value: Value, at micros: Int64) {
        // Most observations are the newest.
        var index = segments.count
        while index > 0, segments[index - 1].firstMicros > micros { index -= 1 }
        let new = Segment(firstMicros: micros, lastMicros: micros, value: value)
        if index > 0 {
            let before = segments[index - 1]
            if before.value == value {
                segments[index - 1].lastMicros = max(before.lastMicros, micros)
                if index < segments.count, segments[index].value == value {
                    segments[index - 1].lastMicros = segments.remove(at: index).lastMicros
                }
                return
            }
            if before.firstMicros == micros {
                // The same moment, told again; what the segment had later stays.
                if before.lastMicros > micros {
                    segments[index - 1].firstMicros = before.lastMicros
                } else {
                    segments.remove(at: index - 1)
                }
                return observe(value, at: micros)
            }
            if before.lastMicros >= micros {
                var rest = before
                rest.firstMicros = before.lastMicros
                segments[index - 1].lastMicros = before.firstMicros
                if before.lastMicros > micros { segments.insert(rest, at: index) }
                segments.insert(new, at: index)
                return
            }
        }
        if index < segments.count, segments[index].value == value {
            segments[index].firstMicros = micros
            return
        }
        segments.insert(new, at: index)
        if segments.count > Self.countMax { segments.removeFirst(segments.count - Self.countMax) }
    }

    /// Takes the observations of another one, too.
    mutating func merge(_ other: Timeline) {
        for segment in other.segments {
            observe(segment.value, at: segment.firstMicros)
            if segment.lastMicros > segment.firstMicros {
                observe(segment.value, at: segment.lastMicros)
            }
        }
    }
}
