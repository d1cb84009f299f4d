import Ambient
import Bytes
import Catalog
import FoundationEssentials
import HTTPTypes
import Iceberg
import ObjectStorage
import Synchronization

/// What a client is told of how to reach a table's files.
struct TableAccess: Sendable {
    /// Everything in one map, for clients that look nowhere else.
    var config: [String: String]
    /// Credentials by the folders that they are for.
    var credentials: [(prefix: String, config: [String: String])] = []
    /// Tells this access from another, for entity tags.
    var mark: String

    var credentialsJSON: JSON {
        .array(
            credentials.map { ["prefix": .string($0.prefix), "config": .stringMap($0.config)] }
        )
    }
}

/// Gives clients ways to a table's files that lead nowhere else.
final class AccessDelegation: Sendable {
    private let delegation: S3Delegation?
    private let role: AssumedRole?
    private let signsRequests: Bool
    private let client: ClientConfiguration
    private let isStatic: Bool
    private let warehouseRoot: String
    private let time: any TimeSource
    /// By the folders that they are for; the latest, which is enough for what is read now.
    private let known = Mutex<[String: TemporaryCredentials]>([:])
    private static let knownCountMax = 1024

    init(
        _ client: ClientConfiguration,
        _ configuration: ServerConfiguration,
        delegation: S3Delegation?,
        warehouseURL: String,
        time: any TimeSource
    ) {
        self.client = client
        self.delegation = delegation
        role = configuration.assumedRole
        signsRequests = configuration.signsRequests && delegation != nil
        isStatic = configuration.vendsCredentials
        self.time = time
        var root = warehouseURL
        while root.hasSuffix("/") { root.removeLast() }
        warehouseRoot = root
    }

    /// The folders of a table that lie in the warehouse; nil when one does not.
    private func folders(_ metadata: TableMetadata, _ catalog: WarehouseCatalog) -> [String]? {
        var folders = [metadata.location]
        for name in ["write.data.path", "write.metadata.path", "write.object-storage.path"] {
            guard let path = metadata.properties[name], path.contains("://") else { continue }
            folders.append(path)
        }
        guard folders.allSatisfy({ catalog.key(of: $0) != nil }) else { return nil }
        return folders.map { folder in
            var folder = folder
            while folder.hasSuffix("/") { folder.removeLast() }
            return folder
        }
    }

    private func scope(_ folders: [String]) -> S3Delegation.Scope {
        S3Delegation.Scope(folders: folders, excluded: ["\(warehouseRoot)/_varve"])
    }

    /// What a client that wants `delegations` gets with a table.
    ///
    /// - Throws: when credentials are to be had and the token service does not give them.
    func access(
        to metadata: TableMetadata,
        named table: TableIdentifier,
        _ catalog: WarehouseCatalog,
        wanting delegations: Set<String>
    ) async throws -> TableAccess {
        var access = TableAccess(config: client.table, mark: client.mark)
        guard let delegation, let folders = folders(metadata, catalog) else { return access }
        if isStatic {
            access.credentials = folders.map { ($0, client.table) }
        } else if let role, delegations.contains("vended-credentials") {
            let given = try await credentials(delegation, role, folders)
            var config = client.store
            config["s3.access-key-id"] = given.credentials.accessKey
            config["s3.secret-access-key"] = given.credentials.secretKey.reveal()
            config["s3.session-token"] = given.credentials.sessionToken?.reveal()
            config["s3.session-token-expires-at-ms"] = String(given.endMillis)
            access.config = config
            access.credentials = folders.map { ($0, config) }
            // A client must not go on with what it has when that ends.
            access.mark += given.credentials.accessKey
        } else if signsRequests, delegations.contains("remote-signing") {
            let levels = table.namespace.levels.map { percentEncoded($0) }
            let path =
                "v1/namespaces/\(levels.joined(separator: "%1F"))/tables/\(percentEncoded(table.name))/sign"
            access.config["s3.remote-signing-enabled"] = "true"
            access.config["s3.signer"] = "S3V4RestSigner"
            access.config["signer.endpoint"] = path
            access.config["s3.signer.endpoint"] = path
            access.mark += "signed"
        }
        return access
    }

    private func credentials(
        _ delegation: S3Delegation,
        _ role: AssumedRole,
        _ folders: [String]
    ) async throws -> TemporaryCredentials {
        let key = folders.joined(separator: "\n")
        let now = time.nowMicros() / 1000
        // Nobody gets what ends before half of its time is left.
        let restMin = Int64(role.durationSeconds) * 500
        if let found = known.withLock({ $0[key] }), found.endMillis - now > restMin {
            return found
        }
        let made = try await delegation.assume(role, in: scope(folders))
        known.withLock { known in
            if known.count >= Self.knownCountMax {
                known = known.filter { $0.value.endMillis - now > restMin }
                if known.count >= Self.knownCountMax { known = [:] }
            }
            known[key] = made
        }
        return made
    }

    /// Signs a request to a file of a table.
    ///
    /// - Throws: `forbidden` for everything else.
    func sign(
        _ request: S3Delegation.Request,
        for metadata: TableMetadata,
        _ catalog: WarehouseCatalog
    ) throws -> S3Delegation.Request {
        guard signsRequests, let delegation else {
            throw ServerError(.forbidden, "this server signs no requests (s3.remote_signing)")
        }
        guard let folders = folders(metadata, catalog) else {
            throw ServerError(.forbidden, "the table's files are outside the warehouse")
        }
        do {
            return try delegation.sign(request, in: scope(folders))
        } catch let error as ObjectStoreError {
            throw ServerError(
                error.code == .invalid ? .badRequest : .forbidden,
                error.message
            )
        }
    }
}

extension ServerRequest {
    /// Which ways to a table's files the client can go.
    var delegations: Set<String> {
        let text = headers[HTTPField.Name("X-Iceberg-Access-Delegation")] ?? ""
        return Set(
            text.split(separator: ",").map { part in
                part.split(separator: " ").joined().lowercased()
            }
        )
    }
}
