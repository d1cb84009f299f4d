// Questions about a generated lineage graph, in one process: how long, and how much memory.
//
//     lineage-benchmark [TABLES] [PROBES] [--index WAREHOUSE] [--edges FILE] [--questions FILE]
//
// TABLES of 50 columns with about 100 edges each: 1 000 000 make 100 million edges. `--index` writes the graph down as
// the lineage index of a warehouse in a folder, whose log lends it its entries: `varve serve` then answers about it.
// `--edges` and `--questions` write the edges along which values flow, and what was asked and found, for other programs.

import Ambient
import CMalloc
import Catalog
import CommitLog
import Glibc
import Lineage
import ObjectStorage

/// Seconds by a clock: of the wall, or of the processor that this thread had.
func now(_ clock: clockid_t = CLOCK_MONOTONIC) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Memory in use, in GiB, and the most of it so far.
func memory() -> String {
    guard let file = fopen("/proc/self/status", "r") else { return "unknown" }
    defer { fclose(file) }
    var found: [String: Double] = [:]
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, Int32(line.count), file) != nil {
        let bytes = line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        let words = String(decoding: bytes, as: UTF8.self).split {
            $0 == " " || $0 == "\t" || $0 == "\n"
        }
        if words.count > 1, let kilobytes = Double(words[1]) {
            found[String(words[0])] = kilobytes / 1_048_576
        }
    }
    func text(_ key: String) -> String {
        let hundredths = Int(((found[key] ?? 0) * 100).rounded())
        return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
    }
    return "\(text("VmRSS:")) GiB, at most \(text("VmHWM:")) GiB"
}

func shown(_ micros: Double) -> String {
    let tenths = Int((micros * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
}

/// Asks again and again, and prints how long it took: in processor time, which others on the machine do not lengthen
/// as much, and by the clock on the wall.
func measure(_ title: String, _ count: Int, _ ask: (Int) throws -> LineageAnswer) throws {
    var wall: [Double] = []
    var processor: [Double] = []
    var nodes: [Int] = []
    for round in 0..<count {
        let (began, used) = (now(), now(CLOCK_THREAD_CPUTIME_ID))
        let answer = try ask(round)
        processor.append((now(CLOCK_THREAD_CPUTIME_ID) - used) * 1e6)
        wall.append((now() - began) * 1e6)
        nodes.append(answer.nodes.count)
    }
    nodes.sort()
    func at(_ share: Double) -> Int { min(Int(Double(count) * share), count - 1) }
    func spread(_ micros: [Double]) -> String {
        let sorted = micros.sorted()
        return "p50 \(shown(sorted[at(0.5)])), p99 \(shown(sorted[at(0.99)]))"
    }
    print(
        "\(title): \(spread(processor)) µs CPU; \(spread(wall)) µs; "
            + "nodes p50 \(nodes[at(0.5)]), p99 \(nodes[at(0.99)])"
    )
}

/// What the command line says.
struct Options {
    var tableCount = 100_000
    var probeCount = 2000
    var warehouse: String?
    var edges: String?
    var questions: String?

    init(_ arguments: [String]) {
        var numbers: [Int] = []
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            switch argument {
            case "--index": warehouse = rest.popFirst()
            case "--edges": edges = rest.popFirst()
            case "--questions": questions = rest.popFirst()
            default:
                guard let number = Int(argument), number > 0 else {
                    fatalError("\(argument) is neither a number nor an option")
                }
                numbers.append(number)
            }
        }
        if let first = numbers.first { tableCount = first }
        if numbers.count > 1 { probeCount = numbers[1] }
    }
}

// As `varve` does: what is freed is kept for the next question, not given back and zeroed again.
mallopt(M_MMAP_THRESHOLD, 64 << 20)
mallopt(M_TRIM_THRESHOLD, 256 << 20)

let options = Options(Array(CommandLine.arguments.dropFirst()))
let (tableCount, probeCount) = (options.tableCount, options.probeCount)

var catalog: WarehouseCatalog?
var entryCount: Int?
if let path = options.warehouse {
    let opened = try await WarehouseCatalog.open(
        store: try openStore(url: path, options: StoreOptions()),
        ambient: .system
    )
    entryCount = Int(try await opened.read().position)
    catalog = opened
}

let graph = LineageGraph()
var log = GeneratedLog(tableCount: tableCount, entryCount: entryCount)
log.edges = options.edges.flatMap { EdgeFile(path: $0) }
let began = now()
try graph.apply(log.hub())
for table in 0..<tableCount {
    try graph.apply(log.table(table))
    if (table + 1) % 100_000 == 0 {
        print("\(table + 1) tables, \(Int(now() - began)) s, \(memory())")
    }
}
print("\(graph.describedSize); folded in \(Int(now() - began)) s; \(memory())")
if let edges = log.edges {
    edges.flush()
    print("\(edges.count) edges along which values flow")
}
if let catalog, let image = IndexImage(graph) {
    let began = now()
    let store = LineageIndexStore(store: catalog.store, warehouseID: catalog.warehouse.id) {
        try await catalog.entryHash(at: $0)
    }
    let (_, report) = try await store.write(image, base: nil)
    print("index of \(report.byteCount) bytes written in \(shown((now() - began) * 1e6)) µs")
}

/// Columns of tables in a layer, of any domains.
func columns(
    _ count: Int,
    layer: Int,
    of tableCount: Int,
    _ log: inout GeneratedLog
) throws -> [NodeName] {
    try (0..<count).map { _ in
        let table = log.number(tableCount / 200) * 200 + layer * 20 + log.number(20)
        let column = "column_\(log.number(GeneratedLog.columnCount))"
        return try NodeName((GeneratedLog.name(table) + [column]).joined(separator: "."))
    }
}

let sources = try columns(probeCount, layer: 0, of: tableCount, &log)
let targets = try columns(probeCount, layer: 9, of: tableCount, &log)
let direct = LineageOptions(depth: 10, selection: .directOnly)
try measure("upstream, 10 hops, values only", probeCount) { round in
    try graph.upstream(of: targets[round], direct)
}
try measure("upstream, 10 hops, values only, written as JSON", probeCount) { round in
    let answer = try graph.upstream(of: targets[round], direct)
    guard answer.serialized().count > answer.nodes.count else { fatalError("no text") }
    return answer
}
try measure("upstream, 10 hops, conditions too", probeCount) { round in
    try graph.upstream(of: targets[round], LineageOptions(depth: 10))
}
let half = LineageOptions(
    depth: 10,
    asOf: .position(log.position(afterTables: tableCount / 2)),
    selection: .directOnly
)
let early = try columns(probeCount, layer: 9, of: tableCount / 2, &log)
try measure("upstream, 10 hops, values only, as of the middle", probeCount) { round in
    try graph.upstream(of: early[round], half)
}
try measure("downstream of a source's column, values only", probeCount) { round in
    try graph.downstream(of: sources[round], direct)
}
let ends = try targets.map { target in
    let found = try graph.upstream(of: target, direct)
    let source = found.nodes.last { $0.kind == .column }
    return (try NodeName(source?.name ?? target.text), target)
}
try measure("path between two columns", probeCount) { round in
    try graph.path(from: ends[round].0, to: ends[round].1, direct)
}
/// The same, of answers that are no graph: what they have is counted.
func measure(_ title: String, _ count: Int, _ ask: (Int) throws -> Int) throws {
    var micros: [Double] = []
    var found = 0
    for round in 0..<count {
        let began = now(CLOCK_THREAD_CPUTIME_ID)
        found += try ask(round)
        micros.append((now(CLOCK_THREAD_CPUTIME_ID) - began) * 1e6)
    }
    micros.sort()
    func at(_ share: Double) -> String { shown(micros[min(Int(Double(count) * share), count - 1)]) }
    print("\(title): p50 \(at(0.5)), p99 \(at(0.99)) µs CPU; \(found / count) found")
}
try measure("all ways between two columns", probeCount) { round in
    try graph.paths(from: ends[round].0, to: ends[round].1, direct).paths.count
}
try measure("the shortest of them", probeCount) { round in
    let limits = LineagePathLimits(paths: 1, isShortestOnly: true)
    return try graph.paths(from: ends[round].0, to: ends[round].1, limits: limits, direct).paths
        .count
}
let tables = try (0..<min(probeCount, 1000)).map { _ in
    try NodeName(GeneratedLog.name(log.number(tableCount)).joined(separator: "."))
}
try measure("sources of a table", tables.count) { round in
    try graph.sources(of: tables[round]).sources.count
}
try measure("runs of a table", tables.count) { round in
    try graph.runs(of: tables[round]).flows.count
}
try measure("runs of a job, among all", 50) { round in
    try graph.runs(of: NodeName("job:\(tables[round % tables.count].text)")).flows.count
}
let window = LineageOptions(
    depth: 10,
    selection: .directOnly,
    since: .position(Int64(tableCount / 2)),
    until: .position(Int64(tableCount))
)
try measure("upstream, 10 hops, values only, in a window", probeCount) { round in
    try graph.upstream(of: targets[round], window)
}
let hub = try NodeName((GeneratedLog.hubName + ["column_0"]).joined(separator: "."))
try measure("impact of the hub, one step", 50) { _ in
    try graph.impact(of: hub, LineageOptions(depth: 1))
}
try measure("impact of the hub, one step, every name read", 50) { _ in
    let answer = try graph.impact(of: hub, LineageOptions(depth: 1))
    var byteCount = 0
    for node in answer.nodes { byteCount += node.name.utf8.count }
    guard byteCount > answer.nodes.count else { fatalError("nodes without names") }
    return answer
}
var naming = LineageOptions(depth: 1)
naming.jobs = true
try measure("impact of the hub, one step, with jobs", 20) { _ in
    try graph.impact(of: hub, naming)
}
try measure("impact of the hub, all", 5) { _ in try graph.impact(of: hub) }
print(memory())

if let path = options.questions, let file = fopen(path, "w") {
    for target in targets {
        let found = try graph.upstream(of: target, direct)
        let name = target.text.split(separator: ".").map(String.init)
        let number = log.edges?.number(name[0] + "." + name[1], name[2]) ?? -1
        fputs("\(target.text),\(number),\(found.nodes.count)\n", file)
    }
    fclose(file)
}
