import Columnar
import Kernels
import Testing

@Suite("Kernels")
struct KernelsTests {
    @Test("compares and selects")
    func basics() throws {
        let column = Column(.int64, [.int64(1), .null, .int64(3)])
        let two = Column.constant(.int64(2), .int64, count: 3)
        let mask = try Comparison.compare(.less, column, two)
        #expect(mask.values == [.boolean(true), .null, .boolean(false)])
        #expect(Filter.selection(mask).count == 1)
    }
}
