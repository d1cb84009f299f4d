/// What a partition or sort field is made with from its source column.
///
/// - Spec: "Partition Transforms".
package enum Transform: Sendable, Hashable {
    case identity
    case bucket(count: Int32)
    case truncate(width: Int32)
    case year
    case month
    case day
    case hour
    case void
    /// A transform that this program does not know: such fields are kept, but not used to filter.
    case unknown(String)

    /// Reads `identity`, `bucket[16]` and so on; any other text is an unknown transform.
    package init(text: String) {
        switch text.lowercased() {
        case "identity": self = .identity
        case "year", "years": self = .year
        case "month", "months": self = .month
        case "day", "days": self = .day
        case "hour", "hours": self = .hour
        case "void": self = .void
        default:
            guard let (name, numbers) = IcebergType.parameters(of: text), numbers.count == 1,
                let number = Int32(exactly: numbers[0]), number > 0
            else {
                self = .unknown(text)
                return
            }
            switch name.lowercased() {
            case "bucket": self = .bucket(count: number)
            case "truncate": self = .truncate(width: number)
            default: self = .unknown(text)
            }
        }
    }

    /// The text that the specification writes it as.
    package var text: String {
        switch self {
        case .identity: "identity"
        case .bucket(let count): "bucket[\(count)]"
        case .truncate(let width): "truncate[\(width)]"
        case .year: "year"
        case .month: "month"
        case .day: "day"
        case .hour: "hour"
        case .void: "void"
        case .unknown(let text): text
        }
    }

    /// The type of its results from a column of `source`; nil when it cannot be applied to one.
    package func resultType(of source: IcebergType) -> IcebergType? {
        switch (self, source) {
        case (_, .struct), (_, .list), (_, .map), (_, .variant), (_, .geospatial): nil
        case (.bucket(let number), _) where number <= 0: nil
        case (.truncate(let number), _) where number <= 0: nil
        case (.identity, _), (.void, _): source
        case (.bucket, .int), (.bucket, .long), (.bucket, .decimal), (.bucket, .date),
            (.bucket, .time), (.bucket, .timestamp), (.bucket, .timestamptz),
            (.bucket, .timestampNanos), (.bucket, .timestamptzNanos), (.bucket, .string),
            (.bucket, .uuid), (.bucket, .fixed), (.bucket, .binary):
            .int
        case (.truncate, .int), (.truncate, .long), (.truncate, .decimal), (.truncate, .string),
            (.truncate, .binary):
            source
        case (.year, .date), (.year, .timestamp), (.year, .timestamptz),
            (.year, .timestampNanos), (.year, .timestamptzNanos), (.month, .date),
            (.month, .timestamp), (.month, .timestamptz), (.month, .timestampNanos),
            (.month, .timestamptzNanos), (.hour, .timestamp), (.hour, .timestamptz),
            (.hour, .timestampNanos), (.hour, .timestamptzNanos):
            .int
        case (.day, .date), (.day, .timestamp), (.day, .timestamptz), (.day, .timestampNanos),
            (.day, .timestamptzNanos):
            .date
        // What an unknown transform gives is not known; strings are what Java assumes.
        case (.unknown, _): .string
        default: nil
        }
    }

    /// Whether a smaller value never gives a larger result, so that ranges can be projected.
    package var preservesOrder: Bool {
        switch self {
        case .identity, .truncate, .year, .month, .day, .hour: true
        case .bucket, .void, .unknown: false
        }
    }

    var isUnknown: Bool {
        if case .unknown = self { true } else { false }
    }
}

extension Transform: CustomStringConvertible {
    package var description: String { text }
}
