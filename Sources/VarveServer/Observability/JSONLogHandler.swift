package import Ambient
import Bytes
import Glibc
package import Logging

/// Writes each log message as one line of JSON to standard error.
///
/// Members: `time`, `level`, `message`, and the metadata under their own names; numbers as numbers.
package struct JSONLogHandler: LogHandler {
    package var logLevel = Logger.Level.info
    package var metadata: Logger.Metadata = [:]
    private let time: any TimeSource
    private let write: @Sendable ([UInt8]) -> Void

    /// - Parameter write: takes a whole line; standard error if nothing else is given.
    package init(
        time: any TimeSource = SystemTime(),
        write: @escaping @Sendable ([UInt8]) -> Void = { writeToStandardError($0) }
    ) {
        self.time = time
        self.write = write
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var object: JSONObject = [
            "time": .string(isoTime(micros: time.nowMicros())),
            "level": .string(event.level.rawValue),
            "message": .string(event.message.description),
        ]
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        for (name, value) in all.sorted(by: { $0.key < $1.key }) where object[name] == nil {
            object[name] = json(name, value)
        }
        write(JSON.object(object).serialized() + [UInt8(ascii: "\n")])
    }

    private static let numberNames: Set<String> = [
        "status", "duration_ms", "bytes", "rows", "position", "seconds", "port",
    ]

    private func json(_ name: String, _ value: Logger.Metadata.Value) -> JSON {
        switch value {
        case .string(let text):
            // Only where this program puts numbers: a request id made of digits stays text.
            return Self.numberNames.contains(name) && Double(text) != nil
                ? .number(text) : .string(text)
        case .stringConvertible(let value): return .string(value.description)
        case .array(let values): return .array(values.map { json("", $0) })
        case .dictionary(let values):
            var object = JSONObject()
            for (name, value) in values.sorted(by: { $0.key < $1.key }) {
                object[name] = json(name, value)
            }
            return .object(object)
        }
    }
}

/// Writes bytes to standard error in one call, so that lines of different threads stay whole.
@Sendable package func writeToStandardError(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { buffer in
        var start = 0
        while start < buffer.count {
            guard let base = buffer.baseAddress else { return }
            let count = Glibc.write(2, base + start, buffer.count - start)
            if count < 0 {
                if errno == EINTR { continue }
                return
            }
            start += count
        }
    }
}
