import Ambient
package import Bytes
import Catalog
import Columnar
import CommitLog
import Engine
import Execution
import Iceberg
import Kernels
import Lineage
import ObjectStorage
import Parquet
import Pipelines
import Planner
import SQL
import Tables
import TextFiles

// The one place that knows which error is which status.
//
// The clients decide by status whether a commit may have happened: 500, 502, 503 and 504 mean "unknown:
// delete nothing", everything else means "not applied". So, for requests that change something, a failure
// that is known to have changed nothing is never a 5xx, and one that is not known is 500 or 504 with type
// CommitStateUnknownException.

/// What a request was about, as far as it decides how a failure is told.
package enum RequestEffect: Sendable {
    /// Changes nothing.
    case read
    /// Changes something.
    case change
    /// Commits to tables: losing a race is for the client to retry, from newer metadata.
    case commit
}

/// An error as the client gets it.
package struct ErrorReply: Sendable, Equatable {
    package var status: Int
    /// The exception's name as Iceberg's clients know it.
    package var type: String
    package var message: String
    package var retryAfterSeconds: Int?
    /// The SQLSTATE, for statements.
    package var sqlState: String?
    package var line: Int?
    var column: Int?
    var hint: String?
    /// The number of the statement that failed, from 1, where there are several.
    var statement: Int?
    /// Further members of the error, such as the row at fault.
    package var details = JSONObject()
    /// Whether a person must look: the log gets the error itself.
    package var isServersFault = false

    /// The body that Iceberg's error model asks for.
    package var json: JSON {
        var error: JSONObject = [
            "message": .string(message), "type": .string(type), "code": .integer(status),
        ]
        if let sqlState { error["sqlstate"] = .string(sqlState) }
        if let line { error["line"] = .integer(line) }
        if let column { error["column"] = .integer(column) }
        if let hint { error["hint"] = .string(hint) }
        if let statement { error["statement"] = .integer(statement) }
        for member in details.members { error[member.key] = member.value }
        return ["error": .object(error)]
    }

    /// A reply of a status, type and message.
    package init(
        _ status: Int,
        _ type: String,
        _ message: String,
        retryAfterSeconds: Int? = nil,
        sqlState: String? = nil
    ) {
        self.status = status
        self.type = type
        self.message = message
        self.retryAfterSeconds = retryAfterSeconds
        self.sqlState = sqlState
    }
}

/// Finds the reply for any error.
package struct ErrorMapping {
    /// What the request was about.
    package var effect: RequestEffect
    /// Whether a missing namespace is told as a missing table, as clients expect where they named a table.
    package var namespaceMeansTable = false

    package init(effect: RequestEffect, namespaceMeansTable: Bool = false) {
        self.effect = effect
        self.namespaceMeansTable = namespaceMeansTable
    }

    /// The reply that tells an error.
    package func reply(to error: any Error) -> ErrorReply {
        switch error {
        case let error as ServerError: reply(to: error)
        case let error as CatalogError: reply(to: error)
        case let error as ObjectStoreError: reply(to: error)
        case let error as IcebergError: reply(to: error)
        case let error as EngineError: reply(to: error)
        case let error as SQLError: reply(to: error)
        case let error as PlanError: reply(to: error)
        case let error as ExecutionError: reply(to: error)
        case let error as KernelError: reply(to: error)
        case let error as AmbientError: reply(to: error)
        case let error as TablesError: reply(to: error)
        case let error as LineageError: reply(to: error)
        case let error as PipelineError: reply(to: error)
        case let error as RepeatedReply: error.reply
        case let error as BytesError:
            ErrorReply(400, "BadRequestException", "the body is not understood: \(error)")
        case let error as TextFileError:
            unreadable("\(error)", isUnsupported: error.code == .unsupported)
        case let error as ParquetError:
            unreadable("\(error)", isUnsupported: error.code == .unsupported)
        case let error as IPCError:
            unreadable("\(error)", isUnsupported: error.code == .unsupported)
        case let error as CommitLogError: reply(to: error)
        case is CancellationError: unknown("the request was cancelled before its outcome was known")
        default: internalError()
        }
    }

    // MARK: - Outcomes that are not known

    /// A change whose outcome is not known; for reads just a failure.
    private func unknown(_ message: String, status: Int = 500) -> ErrorReply {
        if effect == .read { return ErrorReply(503, "ServiceUnavailableException", message) }
        return ErrorReply(status, "CommitStateUnknownException", message)
    }

    private func internalError() -> ErrorReply {
        var reply = unknown("the server failed; its log says more under this request's id")
        if effect == .read {
            reply.status = 500
            reply.type = "InternalServerError"
        }
        reply.isServersFault = true
        return reply
    }

    /// What lies in the store is damaged: a change was not made, a read fails.
    private func corrupt(_ message: String) -> ErrorReply {
        var reply =
            effect == .read
            ? ErrorReply(500, "InternalServerError", message)
            : ErrorReply(422, "UnprocessableEntityException", message)
        reply.isServersFault = true
        return reply
    }

    /// Nothing was done, and later it may go well.
    private func later(_ message: String) -> ErrorReply {
        switch effect {
        case .read: ErrorReply(503, "SlowDownException", message, retryAfterSeconds: 1)
        case .change: ErrorReply(429, "SlowDownException", message, retryAfterSeconds: 1)
        case .commit: ErrorReply(409, "CommitFailedException", message, retryAfterSeconds: 1)
        }
    }

    private func unreadable(_ message: String, isUnsupported: Bool) -> ErrorReply {
        isUnsupported
            ? ErrorReply(406, "UnsupportedOperationException", message, sqlState: "0A000")
            : ErrorReply(422, "UnprocessableEntityException", message, sqlState: "22000")
    }

    // MARK: - Target by target

    private func reply(to error: ServerError) -> ErrorReply {
        let message = error.message
        return switch error.code {
        case .badRequest, .configuration: ErrorReply(400, "BadRequestException", message)
        case .unprocessable: ErrorReply(422, "UnprocessableEntityException", message)
        case .unauthorized: ErrorReply(401, "NotAuthorizedException", message)
        case .forbidden: ErrorReply(403, "ForbiddenException", message)
        case .notFound: ErrorReply(404, "NotFoundException", message)
        case .unsupportedMediaType: ErrorReply(415, "UnsupportedMediaTypeException", message)
        case .noRoute: ErrorReply(404, "NoSuchRouteException", message)
        case .noWarehouse: ErrorReply(404, "NoSuchWarehouseException", message)
        case .noPlan: ErrorReply(404, "NoSuchPlanIdException", message)
        case .noPlanTask: ErrorReply(404, "NoSuchPlanTaskException", message)
        case .noFunction: ErrorReply(404, "NoSuchFunctionException", message)
        case .noView: ErrorReply(404, "NoSuchViewException", message)
        case .methodNotAllowed: ErrorReply(405, "MethodNotAllowedException", message)
        case .notAcceptable: ErrorReply(406, "NotAcceptableException", message)
        case .unsupported: ErrorReply(406, "UnsupportedOperationException", message)
        case .bodyTooLarge: ErrorReply(413, "RequestEntityTooLargeException", message)
        case .tooManyRequests:
            ErrorReply(429, "TooManyRequestsException", message, retryAfterSeconds: 1)
        case .noSpace: ErrorReply(429, "SlowDownException", message, retryAfterSeconds: 30)
        case .timedOut:
            effect == .read
                ? ErrorReply(504, "RequestTimeoutException", message)
                : unknown(message, status: 504)
        case .notReady:
            ErrorReply(503, "ServiceUnavailableException", message, retryAfterSeconds: 1)
        }
    }

    private func reply(to error: CatalogError) -> ErrorReply {
        let message = error.message
        switch error.code {
        case .warehouseNotFound: return ErrorReply(404, "NoSuchWarehouseException", message)
        case .namespaceNotFound:
            let type = namespaceMeansTable ? "NoSuchTableException" : "NoSuchNamespaceException"
            return ErrorReply(404, type, message, sqlState: "3F000")
        case .tableNotFound:
            return ErrorReply(404, "NoSuchTableException", message, sqlState: "42P01")
        case .positionNotFound: return ErrorReply(404, "NoSuchPositionException", message)
        case .referenceNotFound:
            return ErrorReply(404, "NoSuchReferenceException", message, sqlState: "42704")
        case .alreadyExists:
            return ErrorReply(409, "AlreadyExistsException", message, sqlState: "42P07")
        case .conflict:
            return ErrorReply(409, "CommitFailedException", message, sqlState: "40001")
        case .notEmpty:
            return ErrorReply(409, "NamespaceNotEmptyException", message, sqlState: "2BP01")
        case .invalid: return ErrorReply(400, "BadRequestException", message, sqlState: "22023")
        case .unsupported:
            return ErrorReply(406, "UnsupportedOperationException", message, sqlState: "0A000")
        case .busy: return later(message)
        case .unknownOutcome: return unknown(message)
        case .corrupt: return corrupt(message)
        }
    }

    private func reply(to error: CommitLogError) -> ErrorReply {
        switch error.code {
        case .notFound: ErrorReply(404, "NoSuchPositionException", error.description)
        case .corrupt: corrupt(error.description)
        case .unsupported: ErrorReply(406, "UnsupportedOperationException", error.description)
        case .invalid: ErrorReply(400, "BadRequestException", error.description)
        case .busy: later(error.description)
        case .unknownOutcome: unknown(error.description)
        }
    }

    private func reply(to error: ObjectStoreError) -> ErrorReply {
        // The key may be shown, the store's address and answer are the operator's.
        let place = error.key.isEmpty ? "" : " (\(error.key))"
        var reply: ErrorReply
        switch error.code {
        case .unknownOutcome: reply = unknown("a write's outcome is not known\(place)")
        case .unavailable: reply = later("the object store does not answer\(place)")
        case .denied:
            reply = ErrorReply(403, "ForbiddenException", "the object store refuses\(place)")
        case .unsupported:
            reply = ErrorReply(406, "UnsupportedOperationException", "\(error.message)\(place)")
        case .invalid: reply = ErrorReply(400, "BadRequestException", "\(error.message)\(place)")
        case .notFound, .alreadyExists, .preconditionFailed, .rangeNotSatisfiable:
            reply = ErrorReply(
                422,
                "UnprocessableEntityException",
                "\(error.message)\(place)",
                sqlState: "58P01"
            )
        }
        reply.isServersFault = true
        return reply
    }

    private func reply(to error: IcebergError) -> ErrorReply {
        switch error.code {
        case .corrupt: corrupt(error.description)
        case .unsupported: ErrorReply(406, "UnsupportedOperationException", error.description)
        case .invalid: ErrorReply(400, "BadRequestException", error.description)
        case .conflict: ErrorReply(409, "CommitFailedException", error.description)
        }
    }

    private func reply(to error: EngineError) -> ErrorReply {
        var reply =
            switch error.code {
            case .invalid:
                ErrorReply(400, "BadRequestException", error.message, sqlState: "42000")
            case .notFound:
                ErrorReply(404, "NotFoundException", error.message, sqlState: "42704")
            case .alreadyExists:
                ErrorReply(409, "AlreadyExistsException", error.message, sqlState: "42710")
            case .unsupported:
                ErrorReply(
                    406,
                    "UnsupportedOperationException",
                    error.message,
                    sqlState: "0A000"
                )
            case .conflict:
                ErrorReply(409, "CommitFailedException", error.message, sqlState: "40001")
            case .badRows:
                ErrorReply(422, "UnprocessableEntityException", error.message, sqlState: "22000")
            }
        reply.hint = error.hint
        if let row = error.row {
            var place = JSONObject()
            if let line = row.line { place["line"] = .integer(line) }
            if let column = row.column { place["column"] = .integer(column) }
            if let name = row.columnName { place["column_name"] = .string(name) }
            reply.details["row"] = .object(place)
        }
        return reply
    }

    private func reply(to error: TablesError) -> ErrorReply {
        let message = error.description
        return switch error.code {
        case .corrupt: corrupt(message)
        case .unsupported:
            ErrorReply(406, "UnsupportedOperationException", message, sqlState: "0A000")
        case .invalid: ErrorReply(400, "BadRequestException", message, sqlState: "22023")
        case .constraint:
            ErrorReply(422, "UnprocessableEntityException", message, sqlState: "23502")
        case .conflict: ErrorReply(409, "CommitFailedException", message, sqlState: "40001")
        }
    }

    private func reply(to error: LineageError) -> ErrorReply {
        switch error.code {
        case .invalid: ErrorReply(400, "BadRequestException", error.description)
        case .notFound: ErrorReply(404, "NotFoundException", error.description)
        case .corrupt: corrupt(error.description)
        case .unsupported: ErrorReply(406, "UnsupportedOperationException", error.description)
        case .tooMuchWork: ErrorReply(422, "UnprocessableEntityException", error.description)
        }
    }

    private func reply(to error: PipelineError) -> ErrorReply {
        var reply =
            switch error.code {
            case .invalid: ErrorReply(422, "UnprocessableEntityException", error.description)
            case .unsupported:
                ErrorReply(406, "UnsupportedOperationException", error.description)
            case .notFound: ErrorReply(404, "NotFoundException", error.description)
            }
        reply.details["issues"] = .array(error.issues.map(\.json))
        return reply
    }

    private func reply(to error: SQLError) -> ErrorReply {
        let state = error.code == .syntax ? "42601" : "54001"
        var reply = ErrorReply(400, "BadRequestException", error.message, sqlState: state)
        reply.line = error.position.line
        reply.column = error.position.column
        reply.hint = error.hint
        return reply
    }

    private func reply(to error: PlanError) -> ErrorReply {
        var reply =
            switch error.code {
            case .invalid:
                ErrorReply(400, "BadRequestException", error.message, sqlState: "42000")
            case .unsupported:
                ErrorReply(
                    406,
                    "UnsupportedOperationException",
                    error.message,
                    sqlState: "0A000"
                )
            case .noSuchTable:
                ErrorReply(404, "NoSuchTableException", error.message, sqlState: "42P01")
            }
        reply.line = error.position?.line
        reply.column = error.position?.column
        reply.hint = error.hint
        return reply
    }

    private func reply(to error: ExecutionError) -> ErrorReply {
        switch error.code {
        case .data:
            ErrorReply(
                422,
                "UnprocessableEntityException",
                error.message,
                sqlState: "22000"
            )
        case .outOfMemory:
            ErrorReply(
                422,
                "UnprocessableEntityException",
                error.message,
                sqlState: "53200"
            )
        case .temporaryStorage:
            ErrorReply(507, "ServiceUnavailableException", error.message, sqlState: "53100")
        case .unsupported:
            ErrorReply(406, "UnsupportedOperationException", error.message, sqlState: "0A000")
        }
    }

    private func reply(to error: KernelError) -> ErrorReply {
        let state =
            switch error.code {
            case .overflow, .outOfRange: "22003"
            case .divisionByZero: "22012"
            case .invalidCast: "22018"
            case .invalidPattern: "2201B"
            case .unsupported: "0A000"
            }
        return error.code == .unsupported
            ? ErrorReply(406, "UnsupportedOperationException", error.description, sqlState: state)
            : ErrorReply(422, "UnprocessableEntityException", error.description, sqlState: state)
    }

    private func reply(to error: AmbientError) -> ErrorReply {
        switch error.code {
        case .exhausted:
            ErrorReply(
                429,
                "TooManyRequestsException",
                error.message,
                retryAfterSeconds: 1,
                sqlState: "53200"
            )
        case .closed:
            ErrorReply(429, "SlowDownException", error.message, retryAfterSeconds: 1)
        case .system: internalError()
        }
    }
}
