import Bytes
import Glibc
import Tables

/// What one run of a statement cost.
struct RunMeasurement {
    var wallSeconds: Double
    var cpuSeconds: Double
    /// The most memory that the process had during the run; nil where the system does not say.
    var peakMemoryBytes: Int?
    var rowCount: Int
    /// nil when the run was elsewhere.
    var reads: ScanCounters?
    /// Bytes written to temporary files because they did not fit into memory; nil when the run was elsewhere.
    var spilledBytes: Int?

    /// One JSON object.
    func json(statement: Int, run: Int) -> String {
        var object: JSONObject = [
            "statement": .integer(statement), "run": .integer(run),
            "wall_seconds": .double(wallSeconds) ?? .null,
            "cpu_seconds": .double(cpuSeconds) ?? .null,
            "peak_memory_bytes": peakMemoryBytes.map { .integer($0) } ?? .null,
            "rows": .integer(rowCount),
        ]
        if let reads {
            object["bytes_read"] = .integer(reads.bytesRead + reads.footerBytesRead)
            object["files"] = .integer(reads.files - reads.filesPruned)
            object["files_pruned"] = .integer(reads.filesPruned)
            object["row_groups"] = .integer(reads.rowGroups - reads.rowGroupsPruned)
            object["row_groups_pruned"] = .integer(reads.rowGroupsPruned)
        }
        if let spilledBytes { object["spilled_bytes"] = .integer(spilledBytes) }
        return JSON.object(object).text()
    }

    /// One line for people.
    var line: String {
        var parts = ["\(Self.seconds(wallSeconds)) wall", "\(Self.seconds(cpuSeconds)) CPU"]
        if let peakMemoryBytes { parts.append("\(Self.bytes(peakMemoryBytes)) peak memory") }
        parts.append("\(rowCount) rows")
        if let reads {
            parts.append("\(Self.bytes(reads.bytesRead + reads.footerBytesRead)) read")
            parts.append(
                "\(reads.files - reads.filesPruned) files (\(reads.filesPruned) pruned)"
            )
            parts.append(
                "\(reads.rowGroups - reads.rowGroupsPruned) row groups "
                    + "(\(reads.rowGroupsPruned) pruned)"
            )
        }
        if let spilledBytes, spilledBytes > 0 {
            parts.append("\(Self.bytes(spilledBytes)) written to temporary files")
        }
        return "Time: " + parts.joined(separator: ", ")
    }

    static func seconds(_ value: Double) -> String {
        value < 1 ? "\(rounded(value * 1000, 1)) ms" : "\(rounded(value, 3)) s"
    }

    static func bytes(_ count: Int) -> String {
        let units = ["B", "kB", "MB", "GB", "TB"]
        var (value, unit) = (Double(count), 0)
        while value >= 1000, unit < units.count - 1 { (value, unit) = (value / 1000, unit + 1) }
        return "\(unit == 0 ? String(count) : rounded(value, 1)) \(units[unit])"
    }

    private static func rounded(_ value: Double, _ digits: Int) -> String {
        let scale = digits == 1 ? 10.0 : 1000.0
        return String((value * scale).rounded() / scale)
    }
}

/// Measures a run from its making to `finish`.
struct RunMeter {
    private let wall: Double
    private let cpu: Double
    private let before: ScanCounters?
    private let spilledBefore: Int

    init(_ runner: any StatementRunner) {
        // The kernel then counts the peak from here on; where it cannot, it is the process's.
        let descriptor = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
        if descriptor >= 0 {
            _ = write(descriptor, "5", 1)
            close(descriptor)
        }
        before = runner.counters
        spilledBefore = runner.spilledByteCount ?? 0
        cpu = Self.now(CLOCK_PROCESS_CPUTIME_ID)
        wall = Self.now(CLOCK_MONOTONIC)
    }

    func finish(_ runner: any StatementRunner, rowCount: Int) -> RunMeasurement {
        let (wallEnd, cpuEnd) = (Self.now(CLOCK_MONOTONIC), Self.now(CLOCK_PROCESS_CPUTIME_ID))
        return RunMeasurement(
            wallSeconds: wallEnd - wall,
            cpuSeconds: cpuEnd - cpu,
            peakMemoryBytes: Self.peakMemory(),
            rowCount: rowCount,
            reads: runner.counters.map { $0.since(before ?? ScanCounters()) },
            spilledBytes: runner.spilledByteCount.map { $0 - spilledBefore }
        )
    }

    private static func now(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// The largest resident set since it was last reset.
    private static func peakMemory() -> Int? {
        guard let bytes = try? readFile("/proc/self/status") else { return nil }
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        where line.hasPrefix("VmHWM:") {
            return line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first
                .flatMap { Int($0) }.map { $0 * 1024 }
        }
        return nil
    }
}

extension ScanCounters {
    /// What was added since an earlier state.
    fileprivate func since(_ earlier: ScanCounters) -> ScanCounters {
        var difference = self
        difference.files -= earlier.files
        difference.filesPruned -= earlier.filesPruned
        difference.rowGroups -= earlier.rowGroups
        difference.rowGroupsPruned -= earlier.rowGroupsPruned
        difference.bytesRead -= earlier.bytesRead
        difference.footerBytesRead -= earlier.footerBytesRead
        difference.rows -= earlier.rows
        difference.rowsDeleted -= earlier.rowsDeleted
        return difference
    }
}
