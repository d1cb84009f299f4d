import CommitLog
import Iceberg
import ObjectStorage

/// Why the catalog did not do what it was asked.
///
/// Stores' own errors (`ObjectStoreError`) and `CancellationError` pass through unchanged.
package struct CatalogError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What the caller can do about it.
    package enum Code: Sendable {
        case warehouseNotFound
        case namespaceNotFound
        case tableNotFound
        /// The log has not reached this position, or did not exist at this time.
        case positionNotFound
        /// There is no branch or tag of this name.
        case referenceNotFound
        /// The name is taken.
        case alreadyExists
        /// The table is not what the change was made for; look at it again. Nothing was committed.
        case conflict
        /// The namespace holds tables or namespaces.
        case notEmpty
        /// Asking again will not help.
        case invalid
        /// It may be right, but this program cannot do it.
        case unsupported
        /// Other writers won every attempt; nothing was committed. Try again later.
        case busy
        /// The commit may have happened or not; ask again with the same id. Never delete on this.
        case unknownOutcome
        /// The log or a table's metadata is damaged: a person must look.
        case corrupt
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }

    init(_ error: CommitLogError) {
        let code: Code =
            switch error.code {
            case .notFound: .positionNotFound
            case .corrupt: .corrupt
            case .unsupported: .unsupported
            case .invalid: .invalid
            case .busy: .busy
            case .unknownOutcome: .unknownOutcome
            }
        self.init(code, error.description)
    }

    init(_ error: IcebergError, _ place: String) {
        let code: Code =
            switch error.code {
            case .corrupt: .corrupt
            case .unsupported: .unsupported
            case .invalid: .invalid
            case .conflict: .conflict
            }
        self.init(code, "\(place): \(error)")
    }

    /// Runs `body` and says the log's errors in this target's words.
    static func translating<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as CommitLogError {
            throw CatalogError(error)
        }
    }

    static func noTable(_ table: TableIdentifier) -> CatalogError {
        CatalogError(.tableNotFound, "there is no table \(table)")
    }

    static func noView(_ view: TableIdentifier) -> CatalogError {
        CatalogError(.tableNotFound, "there is no view \(view)")
    }

    static func noNamespace(_ namespace: Namespace) -> CatalogError {
        CatalogError(.namespaceNotFound, "there is no namespace \(namespace)")
    }
}
