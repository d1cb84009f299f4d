import Glibc
import Lineage

/// The edges between columns along which values flow, as lines `from,to` of numbers, for other programs that answer
/// questions about the same graph.
final class EdgeFile {
    private let file: UnsafeMutablePointer<FILE>
    private var numbers: [String: Int] = [:]
    private(set) var count = 0

    init?(path: String) {
        guard let file = fopen(path, "w") else { return nil }
        self.file = file
    }

    deinit { fclose(file) }

    func flush() { fflush(file) }

    /// The number of a column of the generated log.
    func number(_ dataset: String, _ column: String) -> Int {
        let known = numbers[dataset] ?? numbers.count
        numbers[dataset] = known
        let place = Int(column.drop { !$0.isNumber }) ?? 0
        return known * GeneratedLog.columnCount + place
    }

    func write(_ map: ColumnMap, from inputs: [LineageFacts.Dataset], to name: [String]) {
        let names = inputs.map { input in
            switch input {
            case .table(_, let name): name.joined(separator: ".")
            case .file(let path): path
            }
        }
        let target = name.joined(separator: ".")
        for output in map.outputs {
            let to = number(target, output.name)
            for origin in output.origins where origin.kind == .direct {
                fputs("\(number(names[origin.input], origin.column)),\(to)\n", file)
                count += 1
            }
        }
    }
}
