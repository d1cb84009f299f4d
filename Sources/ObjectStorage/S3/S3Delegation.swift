import Ambient

/// Lets others reach a part of a bucket without this program's credentials: by signing their requests one
/// by one, or by credentials of their own that end soon.
package struct S3Delegation: Sendable {
    /// A part of a bucket: all that lies below some folders.
    package struct Scope: Sendable {
        /// URIs of folders, `s3://bucket/lake/table`.
        package var folders: [String]
        /// URIs of folders that are left out, wherever they lie.
        package var excluded: [String]

        package init(folders: [String], excluded: [String] = []) {
            self.folders = folders
            self.excluded = excluded
        }
    }

    let settings: S3Settings
    private let url: String
    private let options: StoreOptions
    private let transport: any HTTPTransport

    /// - Returns: nil for a store that is no bucket.
    /// - Throws: `invalid` when settings make no sense.
    package init?(url: String, options: StoreOptions) throws {
        guard ["s3://", "s3a://", "s3n://"].contains(where: url.hasPrefix) else { return nil }
        settings = try S3Settings(url: url, options: options.s3, environment: options.environment)
        self.url = url
        self.options = options
        transport = ConfiguredTransport(
            transport: .shared,
            settings: CurlSettings(
                connectTimeoutMillis: options.s3.connectTimeoutMillis,
                // Somebody waits for it.
                attemptTimeoutMillis: 20_000,
                lowSpeedSeconds: options.s3.stallSeconds,
                certificateFile: settings.certificateFile,
                proxyExceptions: settings.proxyExceptions
            )
        )
    }

    func ownCredentials() throws -> S3Credentials {
        guard
            let found = try findCredentials(
                options: options.s3,
                environment: options.environment,
                store: url
            )
        else { throw failure(.denied, "this server has no credentials of the store") }
        return found
    }

    func failure(_ code: ObjectStoreError.Code, _ message: String) -> ObjectStoreError {
        ObjectStoreError(code, message, store: url)
    }

    /// Now, in microseconds since 1970.
    var now: Int64 { options.ambient.time.nowMicros() }

    func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        try await transport.send(request)
    }

    /// The keys of the bucket that a folder's URI means, with a slash at the end; nil for another bucket.
    func keyPrefix(_ folder: String) -> String? {
        for scheme in ["s3://", "s3a://", "s3n://"] where folder.hasPrefix(scheme) {
            let rest = folder.dropFirst(scheme.count)
            guard rest.hasPrefix(settings.bucket + "/") else { return nil }
            var key = String(rest.dropFirst(settings.bucket.count + 1))
            while key.hasSuffix("/") { key.removeLast() }
            return key.isEmpty ? nil : key + "/"
        }
        return nil
    }

    // MARK: - Signing

    /// A request of somebody else, signed or to be signed.
    package struct Request: Sendable {
        package var method: String
        package var uri: String
        /// Names in any case.
        package var headers: [(name: String, value: String)]
        /// What a request to delete many objects says.
        package var body: [UInt8]?

        package init(
            method: String,
            uri: String,
            headers: [(name: String, value: String)],
            body: [UInt8]? = nil
        ) {
            self.method = method
            self.uri = uri
            self.headers = headers
            self.body = body
        }
    }

    private static let queryNames: Set<String> = [
        "uploads", "uploadId", "partNumber", "versionId", "list-type", "prefix", "delimiter",
        "max-keys", "continuation-token", "start-after", "encoding-type", "fetch-owner", "delete",
        "x-id", "marker",
    ]
    private static let headerNames: Set<String> = [
        "x-amz-content-sha256", "x-amz-sdk-checksum-algorithm", "x-amz-checksum-mode",
        "x-amz-checksum-algorithm", "x-amz-checksum-type", "x-amz-decoded-content-length",
        "x-amz-trailer", "x-amz-te", "x-amz-metadata-directive", "x-amz-copy-source",
        "x-amz-copy-source-range", "x-amz-request-payer", "x-amz-expected-bucket-owner",
        "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-storage-class", "x-amz-mp-object-size",
    ]
    /// Made anew by the signature.
    private static let replacedHeaders: Set<String> = [
        "x-amz-date", "x-amz-security-token", "x-amz-content-sha256",
    ]

    /// Signs a request to an object, or a listing, in a part of the bucket.
    ///
    /// - Returns: the URI to send it to, and the headers that it needs beside those it has.
    /// - Throws: `denied` for everything that is not reading, writing, deleting or listing there; `invalid`
    ///   for what is no request.
    package func sign(_ request: Request, in scope: Scope) throws -> Request {
        let (path, query) = try target(request.uri)
        let isAllowed = Allowance(
            prefixes: scope.folders.compactMap(keyPrefix),
            excluded: scope.excluded.compactMap(keyPrefix)
        )
        let names = Set(query.map(\.name))
        if let other = names.first(where: { !Self.queryNames.contains($0) }) {
            throw failure(.denied, "requests with the parameter \(other) are not signed")
        }
        guard path.hasPrefix(settings.address.basePath) else {
            throw failure(.denied, "the request is not to the bucket \(settings.bucket)")
        }
        let rest = path.dropFirst(settings.address.basePath.count)
        guard rest.isEmpty || rest.hasPrefix("/") else {
            throw failure(.denied, "the request is not to the bucket \(settings.bucket)")
        }
        let key = String(rest.dropFirst())
        let isObject = !key.isEmpty
        func value(_ name: String) -> String? { query.first { $0.name == name }?.value }
        switch (request.method, isObject) {
        case ("GET", true), ("HEAD", true), ("PUT", true), ("DELETE", true):
            guard isAllowed(key), names.isDisjoint(with: ["delete", "uploads", "prefix"]) else {
                throw failure(.denied, "the object is outside the table's folders")
            }
        case ("POST", true):
            guard isAllowed(key), names.contains("uploads") || names.contains("uploadId") else {
                throw failure(.denied, "the request is no upload into the table's folders")
            }
        case ("GET", false):
            guard let prefix = value("prefix"), query.filter({ $0.name == "prefix" }).count == 1,
                isAllowed(listing: prefix),
                names.isDisjoint(with: ["uploads", "delete", "uploadId", "versionId"])
            else { throw failure(.denied, "the listing is not of the table's folders") }
        case ("POST", false):
            guard names == ["delete"], let body = request.body,
                try deletedKeys(body).allSatisfy({ isAllowed($0) })
            else { throw failure(.denied, "objects to delete are outside the table's folders") }
        default: throw failure(.denied, "this request is not signed")
        }
        return try signed(request, path, query, isAllowed)
    }

    private func signed(
        _ request: Request,
        _ path: String,
        _ query: [(name: String, value: String)],
        _ isAllowed: Allowance
    ) throws -> Request {
        var kept: [(name: String, value: String)] = []
        var payloadHash = "UNSIGNED-PAYLOAD"
        var sent: [String: String] = [:]
        for header in request.headers {
            let name = header.name.lowercased()
            guard name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x3A }),
                !header.value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }),
                sent.updateValue(header.value, forKey: name) == nil
            else { throw failure(.invalid, "a header is malformed or there twice") }
            if name == "x-amz-content-sha256" { payloadHash = header.value }
            guard name.hasPrefix("x-amz-"), !Self.replacedHeaders.contains(name) else { continue }
            let isKnown =
                Self.headerNames.contains(name) || name.hasPrefix("x-amz-meta-")
                || name.hasPrefix("x-amz-checksum-")
            guard isKnown else {
                throw failure(.denied, "requests with the header \(name) are not signed")
            }
            if name == "x-amz-copy-source" { try check(copySource: header.value, isAllowed) }
            kept.append((name, header.value))
        }
        if let body = request.body, query.contains(where: { $0.name == "delete" }) {
            // What was looked at is what may be sent.
            payloadHash = sha256Text(body)
        }
        let signed = SignatureV4(credentials: try ownCredentials(), region: settings.region).sign(
            method: request.method,
            host: settings.address.host,
            path: path,
            query: query,
            headers: kept,
            payloadHash: payloadHash,
            timeMicros: now
        )
        return Request(
            method: request.method,
            uri: "\(settings.address.scheme)://\(settings.address.host)\(signed.target)",
            headers: signed.headers.filter { sent[$0.name] != $0.value }
        )
    }

    private func check(copySource: String, _ isAllowed: Allowance) throws {
        guard !copySource.contains("+"), let source = percentDecoded(copySource) else {
            throw failure(.denied, "the object to copy from is outside the table's folders")
        }
        let bare = source.hasPrefix("/") ? source.dropFirst() : source[...]
        let key = bare.prefix { $0 != "?" }.dropFirst(settings.bucket.count + 1)
        guard bare.hasPrefix(settings.bucket + "/"), isAllowed(String(key)) else {
            throw failure(.denied, "the object to copy from is outside the table's folders")
        }
    }

    /// Which keys are in a part of the bucket.
    private struct Allowance {
        var prefixes: [String]
        var excluded: [String]

        func callAsFunction(_ key: String) -> Bool {
            callAsFunction(listing: key) && !key.hasSuffix("/")
        }

        func callAsFunction(listing prefix: String) -> Bool {
            // Programs on the way may take dots for folders.
            let isPlain = prefix.split(separator: "/", omittingEmptySubsequences: false)
                .allSatisfy { $0 != "." && $0 != ".." }
            return isPlain && prefixes.contains { prefix.hasPrefix($0) }
                && !excluded.contains { prefix.hasPrefix($0) || $0.hasPrefix(prefix) }
        }
    }

    /// The decoded path and query of a URI of this store.
    private func target(
        _ uri: String
    ) throws -> (path: String, query: [(name: String, value: String)]) {
        let address = settings.address
        var rest = uri.prefix { $0 != "#" }
        guard rest.hasPrefix("\(address.scheme)://") else {
            throw failure(.denied, "the request is not to \(address.scheme)://\(address.host)")
        }
        rest = rest.dropFirst(address.scheme.count + 3)
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        var host = rest[..<end].lowercased()
        let standard = address.scheme == "https" ? ":443" : ":80"
        if host.hasSuffix(standard) { host.removeLast(standard.count) }
        guard host == address.host else {
            throw failure(.denied, "the request is not to \(address.scheme)://\(address.host)")
        }
        rest = rest[end...]
        let mark = rest.firstIndex(of: "?") ?? rest.endIndex
        // A plus in a path is a plus.
        let rawPath = String(rest[..<mark]).replacing("+", with: "%2B")
        guard let path = percentDecoded(rawPath.isEmpty ? "/" : rawPath) else {
            throw failure(.invalid, "the URI is not properly percent-encoded")
        }
        var query: [(name: String, value: String)] = []
        if mark < rest.endIndex {
            for part in rest[rest.index(after: mark)...].split(separator: "&") {
                let equals = part.firstIndex(of: "=") ?? part.endIndex
                guard let name = percentDecoded(String(part[..<equals])),
                    let value = percentDecoded(String(part[equals...].dropFirst()))
                else { throw failure(.invalid, "the URI is not properly percent-encoded") }
                query.append((name, value))
            }
        }
        return (path, query)
    }

    private func deletedKeys(_ body: [UInt8]) throws -> [String] {
        let root: XMLElement
        do throws(XMLError) {
            root = try parseXML(body)
        } catch {
            throw failure(.invalid, "the body is no list of objects: \(error.message)")
        }
        let keys = root.all("Object").compactMap { $0.text(of: "Key") }
        guard root.name == "Delete", !keys.isEmpty, keys.count == root.all("Object").count else {
            throw failure(.invalid, "the body is no list of objects")
        }
        return keys
    }
}
