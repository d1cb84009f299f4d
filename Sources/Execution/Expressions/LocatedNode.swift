import Columnar
import Kernels
import Planner

/// An expression whose failures say where the statement has it.
final class LocatedNode: ExpressionNode {
    private let inner: ExpressionNode
    private let origin: ExpressionOrigin

    init(_ inner: ExpressionNode, _ origin: ExpressionOrigin) {
        self.inner = inner
        self.origin = origin
        super.init(type: inner.type)
    }

    override func evaluate(_ chunk: Chunk) throws -> Column {
        do {
            return try inner.evaluate(chunk)
        } catch {
            // The innermost place is the one to look at.
            guard var failure = error as? KernelError, failure.place == nil else { throw error }
            failure.place = origin.description
            throw failure
        }
    }
}
