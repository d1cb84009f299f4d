// Equality and hashing of expressions, written out so that each kind of node is compared in a frame
// of its own. What the compiler would derive compares every kind in one frame of kilobytes, and a
// tree of `Parser.heightMax` levels takes that many of them: see invariant 1 of `Parser`.

extension Expression {
    @inline(never)
    package static func == (left: Expression, right: Expression) -> Bool {
        left.node == right.node
    }

    @inline(never)
    package func hash(into hasher: inout Hasher) {
        node.hash(into: &hasher)
    }
}

extension Expression.Node {
    @inline(never)
    package static func == (left: Self, right: Self) -> Bool {
        switch left {
        case .literal: equalLiterals(left, right)
        case .column, .star, .parameter, .defaultValue: equalNames(left, right)
        case .unary, .not: equalUnary(left, right)
        case .binary, .isDistinct, .inValue, .element, .atTimeZone: equalBinary(left, right)
        case .and, .or, .concatenation, .row, .list: equalLists(left, right)
        case .isTest: equalTests(left, right)
        case .between: equalBetween(left, right)
        case .inList: equalInLists(left, right)
        case .subquery, .exists, .listQuery: equalQueries(left, right)
        case .inQuery, .quantifiedQuery: equalMatchedQueries(left, right)
        case .pattern: equalPatterns(left, right)
        case .quantifiedValue: equalQuantified(left, right)
        case .cased: equalCases(left, right)
        case .cast: equalCasts(left, right)
        case .function: equalFunctions(left, right)
        case .interval: equalIntervals(left, right)
        case .collate, .field, .lambda: equalNamed(left, right)
        case .structure, .map: equalEntries(left, right)
        case .slice: equalSlices(left, right)
        }
    }

    @inline(never)
    private static func equalLiterals(_ left: Self, _ right: Self) -> Bool {
        guard case .literal(let left) = left, case .literal(let right) = right else { return false }
        return left == right
    }

    @inline(never)
    private static func equalNames(_ left: Self, _ right: Self) -> Bool {
        switch (left, right) {
        case (.column(let left), .column(let right)): left == right
        case (.star(let left), .star(let right)): left == right
        case (.parameter(let left), .parameter(let right)): left == right
        case (.defaultValue, .defaultValue): true
        default: false
        }
    }

    @inline(never)
    private static func equalUnary(_ left: Self, _ right: Self) -> Bool {
        switch (left, right) {
        case (.unary(let unary, let left), .unary(let other, let right)):
            unary == other && left == right
        case (.not(let left), .not(let right)):
            left == right
        default: false
        }
    }

    @inline(never)
    private static func equalBinary(_ left: Self, _ right: Self) -> Bool {
        guard let one = left.pair, let other = right.pair else { return false }
        return one.tag == other.tag && one.first == other.first && one.second == other.second
    }

    /// The operands of a node that is two expressions and a detail.
    private var pair: (tag: PairTag, first: Expression, second: Expression)? {
        switch self {
        case .binary(let binary, let first, let second): (.binary(binary), first, second)
        case .isDistinct(let first, let second, let isNegated):
            (.isDistinct(isNegated), first, second)
        case .inValue(let first, let second, let isNegated): (.inValue(isNegated), first, second)
        case .element(let first, let second): (.element, first, second)
        case .atTimeZone(let first, let second): (.atTimeZone, first, second)
        default: nil
        }
    }

    private enum PairTag: Hashable {
        case binary(BinaryOperator)
        case isDistinct(Bool)
        case inValue(Bool)
        case element
        case atTimeZone
    }

    @inline(never)
    private static func equalLists(_ left: Self, _ right: Self) -> Bool {
        switch (left, right) {
        case (.and(let left), .and(let right)), (.or(let left), .or(let right)),
            (.concatenation(let left), .concatenation(let right)),
            (.row(let left), .row(let right)), (.list(let left), .list(let right)):
            left == right
        default: false
        }
    }

    @inline(never)
    private static func equalTests(_ left: Self, _ right: Self) -> Bool {
        guard case .isTest(let left, let test, let isNegated) = left,
            case .isTest(let right, test, isNegated) = right
        else { return false }
        return left == right
    }

    @inline(never)
    private static func equalBetween(_ left: Self, _ right: Self) -> Bool {
        guard case .between(let left) = left, case .between(let right) = right else { return false }
        return left == right
    }

    @inline(never)
    private static func equalInLists(_ left: Self, _ right: Self) -> Bool {
        guard case .inList(let left, let values, let isNegated) = left,
            case .inList(let right, let others, isNegated) = right
        else { return false }
        return left == right && values == others
    }

    @inline(never)
    private static func equalQueries(_ left: Self, _ right: Self) -> Bool {
        switch (left, right) {
        case (.subquery(let left), .subquery(let right)), (.exists(let left), .exists(let right)),
            (.listQuery(let left), .listQuery(let right)):
            left == right
        default: false
        }
    }

    @inline(never)
    private static func equalMatchedQueries(_ left: Self, _ right: Self) -> Bool {
        if case .inQuery(let left, let query, let isNegated) = left,
            case .inQuery(let right, let other, isNegated) = right
        {
            return left == right && query == other
        }
        guard case .quantifiedQuery(let left, let quantified, let quantifier, let query) = left,
            case .quantifiedQuery(let right, quantified, quantifier, let other) = right
        else { return false }
        return left == right && query == other
    }

    @inline(never)
    private static func equalPatterns(_ left: Self, _ right: Self) -> Bool {
        guard case .pattern(let left) = left, case .pattern(let right) = right else { return false }
        return left == right
    }

    @inline(never)
    private static func equalQuantified(_ left: Self, _ right: Self) -> Bool {
        guard case .quantifiedValue(let left, let quantified, let quantifier, let value) = left,
            case .quantifiedValue(let right, quantified, quantifier, let other) = right
        else { return false }
        return left == right && value == other
    }

    @inline(never)
    private static func equalCases(_ left: Self, _ right: Self) -> Bool {
        guard case .cased(let left) = left, case .cased(let right) = right else { return false }
        return left == right
    }

    @inline(never)
    private static func equalCasts(_ left: Self, _ right: Self) -> Bool {
        guard case .cast(let left, let type, let isTry) = left,
            case .cast(let right, let other, isTry) = right
        else { return false }
        return left == right && type == other
    }

    @inline(never)
    private static func equalFunctions(_ left: Self, _ right: Self) -> Bool {
        guard case .function(let left) = left, case .function(let right) = right else {
            return false
        }
        return left == right
    }

    @inline(never)
    private static func equalIntervals(_ left: Self, _ right: Self) -> Bool {
        guard case .interval(let left) = left, case .interval(let right) = right else {
            return false
        }
        return left == right
    }

    @inline(never)
    private static func equalNamed(_ left: Self, _ right: Self) -> Bool {
        switch (left, right) {
        case (.collate(let left, let name), .collate(let right, let other)):
            name == other && left == right
        case (.field(let left, let name), .field(let right, let other)):
            name == other && left == right
        case (.lambda(let names, let left), .lambda(let others, let right)):
            names == others && left == right
        default: false
        }
    }

    @inline(never)
    private static func equalEntries(_ left: Self, _ right: Self) -> Bool {
        switch (left, right) {
        case (.structure(let left), .structure(let right)): left == right
        case (.map(let left), .map(let right)): left == right
        default: false
        }
    }

    @inline(never)
    private static func equalSlices(_ left: Self, _ right: Self) -> Bool {
        guard case .slice(let left, let lower, let upper, let step) = left,
            case .slice(let right, let otherLower, let otherUpper, let otherStep) = right
        else { return false }
        return left == right && lower == otherLower && upper == otherUpper && step == otherStep
    }
}

// Hashing may leave parts out: what it says of a tree is its kind and its first operands.

extension Expression.Node {
    /// Mixes in the kind of the node and what tells it from others of its kind most cheaply.
    ///
    /// Equal nodes hash equally. The operands of one operator are followed downwards, the queries
    /// inside are not.
    @inline(never)
    package func hash(into hasher: inout Hasher) {
        switch self {
        case .literal(let literal): hasher.combine(literal)
        case .column(let name): hasher.combine(name)
        case .parameter(let parameter): hasher.combine(parameter)
        case .unary(let unary, let operand): Self.hash(1, unary.hashValue, operand, &hasher)
        case .not(let operand): Self.hash(2, 0, operand, &hasher)
        case .isTest(let operand, let test, let isNegated):
            Self.hash(isNegated ? 3 : 4, test.hashValue, operand, &hasher)
        case .cast(let operand, let type, _): Self.hash(5, type.hashValue, operand, &hasher)
        case .collate(let operand, _): Self.hash(6, 0, operand, &hasher)
        case .field(let operand, let name): Self.hash(7, name.hashValue, operand, &hasher)
        case .interval(let interval): Self.hash(8, 0, interval.value, &hasher)
        case .lambda(_, let body): Self.hash(9, 0, body, &hasher)
        case .slice(let base, _, _, _): Self.hash(10, 0, base, &hasher)
        case .inQuery(let operand, _, _): Self.hash(11, 0, operand, &hasher)
        case .quantifiedQuery(let operand, _, _, _): Self.hash(12, 0, operand, &hasher)
        case .binary, .isDistinct, .inValue, .element, .atTimeZone, .quantifiedValue, .between,
            .pattern:
            hashPair(&hasher)
        case .and, .or, .concatenation, .row, .list, .inList, .function, .cased, .structure, .map:
            hashList(&hasher)
        case .star, .defaultValue, .subquery, .exists, .listQuery: break
        }
    }

    @inline(never)
    private static func hash(
        _ kind: Int,
        _ detail: Int,
        _ operand: Expression,
        _ hasher: inout Hasher
    ) {
        hasher.combine(kind)
        hasher.combine(detail)
        operand.hash(into: &hasher)
    }

    @inline(never)
    private func hashPair(_ hasher: inout Hasher) {
        let operands: (Expression, Expression)
        switch self {
        case .quantifiedValue(let operand, _, _, let value): operands = (operand, value)
        case .between(let between): operands = (between.operand, between.lower)
        case .pattern(let test): operands = (test.operand, test.pattern)
        default:
            guard let pair else { return }
            hasher.combine(pair.tag)
            operands = (pair.first, pair.second)
        }
        operands.0.hash(into: &hasher)
        operands.1.hash(into: &hasher)
    }

    @inline(never)
    private func hashList(_ hasher: inout Hasher) {
        switch self {
        case .and(let list): Self.hash(20, list, &hasher)
        case .or(let list): Self.hash(21, list, &hasher)
        case .concatenation(let list): Self.hash(22, list, &hasher)
        case .row(let list): Self.hash(23, list, &hasher)
        case .list(let list): Self.hash(24, list, &hasher)
        case .inList(let operand, let list, _): Self.hash(25, [operand] + list, &hasher)
        case .function(let call):
            hasher.combine(call.name)
            Self.hash(26, call.arguments.map(\.value), &hasher)
        case .cased(let cased): Self.hash(27, cased.branches.map(\.result), &hasher)
        case .structure(let entries): Self.hash(28, entries.map(\.value), &hasher)
        case .map(let entries): Self.hash(29, entries.map(\.value), &hasher)
        default: break
        }
    }

    @inline(never)
    private static func hash(_ kind: Int, _ list: [Expression], _ hasher: inout Hasher) {
        hasher.combine(kind)
        hasher.combine(list.count)
        for element in list { element.hash(into: &hasher) }
    }
}
