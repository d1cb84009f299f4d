/// Applies an operation to every element, several at a time, and gives the results in order.
///
/// The first failure cancels the rest and is thrown.
package func mapBounded<Element: Sendable, Value: Sendable>(
    _ elements: [Element],
    countMax: Int,
    _ operation: @escaping @Sendable (Element) async throws -> Value
) async throws -> [Value] {
    if elements.count == 1 { return [try await operation(elements[0])] }
    return try await withThrowingTaskGroup(of: (Int, Value).self) { group in
        var values = [Value?](repeating: nil, count: elements.count)
        var started = 0
        func startNext() {
            guard started < elements.count else { return }
            let (index, element) = (started, elements[started])
            started += 1
            group.addTask { (index, try await operation(element)) }
        }
        for _ in 0..<min(max(countMax, 1), elements.count) { startNext() }
        while let (index, value) = try await group.next() {
            values[index] = value
            startNext()
        }
        return values.compactMap { $0 }
    }
}
