import Ambient
import Bytes
import Crypto
import ObjectStorage

/// What clients must know to reach the files of tables.
///
/// For folders nothing; for S3 where it is, and its credentials only if the operator says so.
struct ClientConfiguration: Sendable {
    /// Where the store is: for everybody.
    let store: [String: String]
    /// With credentials, if they are given out: only with a table.
    let table: [String: String]
    /// What clients may call the warehouse.
    let names: Set<String>
    /// The one of them that stands in paths.
    let shortName: String
    /// Changes with the configuration, so that a client's cached answer does not outlive it.
    let mark: String

    init(
        warehouseURL: String,
        configuration: ServerConfiguration,
        environment: EnvironmentVariables
    ) {
        var url = warehouseURL
        while url.hasSuffix("/") { url.removeLast() }
        let last = url.split(separator: "/").last.map(String.init) ?? url
        shortName = configuration.name ?? last
        names = [shortName, warehouseURL, url]
        var store: [String: String] = [:]
        var table: [String: String] = [:]
        if ["s3://", "s3a://", "s3n://"].contains(where: warehouseURL.hasPrefix) {
            let options = configuration.s3
            let endpoint =
                options.endpoint ?? environment["AWS_ENDPOINT_URL_S3"]
                ?? environment["AWS_ENDPOINT_URL"]
            if let endpoint { store["s3.endpoint"] = endpoint }
            store["s3.region"] =
                options.region ?? environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"]
                ?? "us-east-1"
            // Spark and others call it so.
            store["client.region"] = store["s3.region"]
            store["s3.path-style-access"] =
                (options.usesPathStyle ?? (endpoint != nil)) ? "true" : "false"
            table = store
            if configuration.vendsCredentials {
                table.merge(Self.credentials(options, environment)) { $1 }
            }
        }
        self.store = store
        self.table = table
        let text = table.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        mark = hex(SHA256.hash(data: Array(text.joined(separator: "\n").utf8)).prefix(8))
    }

    private static func credentials(
        _ options: S3Options,
        _ environment: EnvironmentVariables
    ) -> [String: String] {
        var given: [String: String] = [:]
        if let credentials = options.credentials {
            given["s3.access-key-id"] = credentials.accessKey
            given["s3.secret-access-key"] = credentials.secretKey.reveal()
            given["s3.session-token"] = credentials.sessionToken?.reveal()
        } else if let key = environment["AWS_ACCESS_KEY_ID"],
            let secret = environment["AWS_SECRET_ACCESS_KEY"]
        {
            given["s3.access-key-id"] = key
            given["s3.secret-access-key"] = secret
            given["s3.session-token"] = environment["AWS_SESSION_TOKEN"]
        }
        return given
    }
}

extension JSON {
    /// An object of strings, in the order of its keys.
    static func stringMap(_ map: [String: String]) -> JSON {
        var object = JSONObject()
        for (key, value) in map.sorted(by: { $0.key < $1.key }) { object[key] = .string(value) }
        return .object(object)
    }
}
