import Columnar
import Kernels
import TestSupport
import Testing

@Suite("Movement of rows")
struct MovementTests {
    @Test("take gives the chosen rows of every type and storage", arguments: 0..<30)
    func take(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for type in Random.types {
            let count = Random.count(using: &random)
            let column = Random.column(type, count: count, using: &random)
            let values = column.values
            let chosen: [Int32] =
                count == 0
                ? [] : (0..<90).map { _ in Int32.random(in: 0..<Int32(count), using: &random) }
            let taken = Take.take(column, Selection(chosen))
            #expect(Model.same(taken.values, chosen.map { values[Int($0)] }), "\(type)")
            let withNulls = chosen.map { Int.random(in: 0..<3, using: &random) == 0 ? -1 : $0 }
            let nullable = withNulls.withUnsafeBufferPointer { rows -> Column in
                guard let base = rows.baseAddress, !rows.isEmpty else { return taken }
                return Take.take(column, rows: base, count: rows.count, nullable: true)
            }
            let wanted = withNulls.map { $0 < 0 ? Value.null : values[Int($0)] }
            #expect(Model.same(nullable.values, wanted), "\(type)")
        }
    }

    @Test("taking nulls out of an empty column gives nulls")
    func takeFromEmpty() {
        for type in Random.types {
            let rows: [Int32] = [-1, -1]
            let taken = rows.withUnsafeBufferPointer { rows -> Column? in
                rows.baseAddress.map {
                    Take.take(Column(type, []), rows: $0, count: 2, nullable: true)
                }
            }
            #expect(taken?.values == [.null, .null])
        }
    }

    @Test("concatenate puts rows one after the other, whatever the storage", arguments: 0..<30)
    func concatenate(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for type in Random.types {
            let parts = (0..<Int.random(in: 1...5, using: &random)).map { _ in
                Random.column(type, count: Random.count(using: &random), using: &random)
            }
            let whole = Concatenate.concatenate(parts)
            #expect(Model.same(whole.values, parts.flatMap(\.values)), "\(type)")
        }
    }

    @Test("concatenate keeps a dictionary that all parts share")
    func concatenateDictionary() {
        let dictionary = ColumnDictionary(Column(.string, [.string("x"), .string("y")]))
        let codes: [UInt32] = [0, 1, 1]
        let column = Column(
            type: .string,
            count: 3,
            validity: nil,
            storage: .dictionary(
                codes: BufferSlice(codes.withUnsafeBytes { Buffer(copying: $0) }),
                dictionary
            )
        )
        let whole = Concatenate.concatenate([column, column.slice(1..<3)])
        guard case .dictionary(_, let kept) = whole.storage else {
            Issue.record("flattened")
            return
        }
        #expect(kept === dictionary)
        #expect(whole.values == ["x", "y", "y", "y", "y"].map { .string($0) })
    }

    @Test(
        "select takes a where true and b elsewhere; coalesce the first that is not null",
        arguments: 0..<20
    )
    func select(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for type in Random.types {
            let count = Random.count(using: &random)
            let mask = Random.column(.boolean, count: count, using: &random)
            let a = Random.column(type, count: count, using: &random)
            let b = Random.column(type, count: count, using: &random)
            let (x, y) = (a.values, b.values)
            let wanted = mask.values.enumerated().map { $1 == .boolean(true) ? x[$0] : y[$0] }
            #expect(Model.same(Choice.select(mask, a, b).values, wanted), "\(type)")
            let first = zip(x, y).map { $0.isNull ? $1 : $0 }
            #expect(Model.same(Choice.coalesce([a, b]).values, first), "\(type)")
            if !type.isNested {
                let nulled = zip(x, y).map {
                    Model.compare(.equal, $0, $1) == .boolean(true) ? .null : $0
                }
                #expect(Model.same(try Choice.nullIf(a, b).values, nulled), "\(type)")
            }
        }
    }

    @Test("compacting changes no value and lets go of the source's memory", arguments: 0..<10)
    func compact(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for type in Random.types {
            let column = Random.column(type, count: 100, using: &random)
            let compacted = Compact.compacted(column)
            #expect(Model.same(compacted.values, column.values), "\(type)")
            if case .views(_, let old) = column.storage,
                case .views(_, let new) = compacted.storage
            {
                for buffer in new.buffers { #expect(!old.buffers.contains { $0 === buffer }) }
            }
        }
    }

    @Test("a selection composed with another counts through it")
    func compose() {
        let composed = Filter.compose(Selection([3, 5, 9]), Selection([0, 2]))
        #expect(composed.count == 2 && composed.rows[0] == 3 && composed.rows[1] == 9)
    }
}
