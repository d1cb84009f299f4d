import Testing

import Planner

@Suite("Descriptions of functions")
struct FunctionDescriptionTests {
    private let all = FunctionDescription.all

    @Test("Every function of rows is described, but those that only other forms use")
    func scalars() {
        let names = Set(all.flatMap(\.names))
        let hidden: Set<ScalarFunction> = [
            .combineDateTime, .zoneLocal, .zoneInstant, .zoneText, .zoneParse, .tryZoneParse,
            .zoneOffset, .zoneAdd, .zoneSubtract,
        ]
        for function in ScalarFunction.allCases where !hidden.contains(function) {
            #expect(names.contains(function.rawValue), "\(function.rawValue) has no description")
        }
    }

    @Test("Every aggregate and window function is described")
    func aggregates() {
        let names = Set(all.flatMap(\.names))
        for function in AggregateFunction.allCases
        where AggregateFunction.named(function.rawValue) != nil {
            #expect(names.contains(function.rawValue), "\(function.rawValue) has no description")
        }
    }

    @Test("Names stand once, and what is described has words and an example")
    func completeness() {
        var met: Set<String> = []
        for function in all {
            for name in function.names {
                #expect(met.insert(name).inserted, "\(name) stands twice")
            }
            #expect(
                !function.signature.isEmpty && !function.example.isEmpty
                    && !function.category.isEmpty
            )
            #expect(function.summary.last == ".", "\(function.names[0])")
        }
        #expect(all.count > 200)
    }
}
