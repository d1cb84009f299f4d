import Ambient

/// What a user may say about an S3 store; nil means: look in the environment and in AWS's files.
package struct S3Options: Sendable, Equatable {
    /// `https://host[:port]`, for stores that are not AWS's.
    package var endpoint: String?
    package var region: String?
    /// Whether the bucket stands in the path instead of the host's name.
    ///
    /// By default it does where an endpoint is set, and for buckets with dots, whose names no
    /// certificate covers.
    package var usesPathStyle: Bool?
    package var credentials: S3Credentials?
    /// The profile of the shared files.
    package var profile: String?
    /// Whether requests go out unsigned, for public buckets.
    package var isAnonymous: Bool
    /// `aws:kms` or `AES256`: encryption at rest with which the store shall keep what we write.
    package var serverSideEncryption: String?
    /// The key for `aws:kms`; nil for the bucket's own.
    package var encryptionKeyID: String?
    package var retries: RetryPolicy
    /// Requests of this store under way at once.
    package var requestCountMax: Int
    /// The size of the parts of an upload, at least 5 MiB; grows by itself for huge objects.
    package var partBytes: Int
    /// Parts of one upload under way at once.
    package var partCountMax: Int
    package var connectTimeoutMillis: Int
    /// One attempt in all.
    package var attemptTimeoutMillis: Int
    /// After so long with less than 1 KiB a second an attempt is given up.
    package var stallSeconds: Int
    /// The same for the first tries of requests that are answered quickly by a store that is well: reads of
    /// objects, and writes of small ones.
    ///
    /// A request that the store has lost costs no more than this, and one that only takes long has more time
    /// at the next try.
    package var firstStallSeconds: [Int]
    /// The largest object that `get` reads whole.
    package var wholeObjectBytesMax: Int

    package init() {
        isAnonymous = false
        retries = RetryPolicy()
        requestCountMax = 128
        partBytes = 8 << 20
        partCountMax = 4
        connectTimeoutMillis = 5000
        attemptTimeoutMillis = 300_000
        stallSeconds = 20
        firstStallSeconds = [2, 5]
        wholeObjectBytesMax = 4 << 30
    }

    /// How long a try of a request may stand still; nil for as long as any.
    func stallSeconds(tryCount: Int, isQuick: Bool) -> Int? {
        guard isQuick, firstStallSeconds.indices.contains(tryCount - 1) else { return nil }
        return firstStallSeconds[tryCount - 1]
    }
}

/// Where requests go, and how a bucket and a key become a host and a path.
struct S3Address: Sendable, Equatable {
    var scheme: String
    /// With a port unless it is the scheme's own, as in the `Host` header.
    var host: String
    /// Before the key: empty, or `/` and the bucket and what the endpoint says.
    var basePath: String
}

/// All that an S3 store must know, found once when it is opened.
struct S3Settings: Sendable {
    var bucket: String
    /// Before every key, ending with `/`; or empty.
    var keyPrefix: String
    var region: String
    var address: S3Address
    var options: S3Options
    var certificateFile: String?
    var proxyExceptions: String

    /// Puts together the options, the environment and AWS's files.
    ///
    /// - Throws: `invalid` for URLs, buckets and endpoints that make no sense.
    init(
        url: String,
        options: S3Options,
        environment: EnvironmentVariables
    ) throws(ObjectStoreError) {
        func invalid(_ message: String) -> ObjectStoreError {
            ObjectStoreError(.invalid, message, store: url)
        }
        guard let schemeEnd = url.utf8.firstIndex(of: UInt8(ascii: ":")), url.hasPrefix("s3") else {
            throw invalid("the URL is not of the form s3://bucket/prefix")
        }
        let rest = url[schemeEnd...]
        guard rest.hasPrefix("://"), ["s3", "s3a", "s3n"].contains(url[..<schemeEnd]) else {
            throw invalid("the URL is not of the form s3://bucket/prefix")
        }
        let parts = rest.dropFirst(3).split(
            separator: "/",
            maxSplits: 1,
            omittingEmptySubsequences: false
        )
        let name = String(parts.first ?? "")
        guard isBucketName(name) else { throw invalid("'\(name)' is not a bucket's name") }
        bucket = name
        var prefix = parts.count > 1 ? String(parts[1]) : ""
        while prefix.hasSuffix("/") { prefix.removeLast() }
        if !prefix.isEmpty {
            try validateKey(prefix, store: url)
            prefix += "/"
        }
        keyPrefix = prefix

        let files = AWSFiles(environment: environment, profile: options.profile)
        let endpoint =
            options.endpoint ?? environment["AWS_ENDPOINT_URL_S3"]
            ?? environment["AWS_ENDPOINT_URL"] ?? files.config[files.profile, "endpoint_url"]
        region =
            options.region ?? environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"]
            ?? files.config[files.profile, "region"] ?? "us-east-1"
        guard !region.isEmpty, region.utf8.allSatisfy(isHostByte) else {
            throw invalid("'\(region)' is not a region's name")
        }
        let usesPathStyle = options.usesPathStyle ?? (endpoint != nil || bucket.contains("."))
        var base = S3Address(scheme: "https", host: "s3.\(region).amazonaws.com", basePath: "")
        if region.hasPrefix("cn-") { base.host += ".cn" }
        if let endpoint {
            guard let parsed = parsedEndpoint(endpoint) else {
                throw invalid("'\(endpoint)' is not an endpoint of the form https://host:port")
            }
            base = parsed
        }
        if usesPathStyle {
            base.basePath += "/\(bucket)"
        } else {
            base.host = "\(bucket).\(base.host)"
        }
        address = base
        self.options = options
        certificateFile = environment["AWS_CA_BUNDLE"]
        proxyExceptions = environment["no_proxy"] ?? environment["NO_PROXY"] ?? ""
    }
}

private func isHostByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"):
        true
    default:
        false
    }
}

private func isBucketName(_ name: String) -> Bool {
    (1...255).contains(name.utf8.count) && name.utf8.allSatisfy(isHostByte)
        && !name.hasPrefix(".") && !name.hasSuffix(".") && !name.contains("..")
}

func parsedEndpoint(_ text: String) -> S3Address? {
    var address: S3Address
    var rest: Substring
    if text.hasPrefix("https://") {
        address = S3Address(scheme: "https", host: "", basePath: "")
        rest = text.dropFirst(8)
    } else if text.hasPrefix("http://") {
        address = S3Address(scheme: "http", host: "", basePath: "")
        rest = text.dropFirst(7)
    } else {
        return nil
    }
    if let slash = rest.firstIndex(of: "/") {
        var path = String(rest[slash...])
        while path.hasSuffix("/") { path.removeLast() }
        guard path.utf8.allSatisfy({ $0 == UInt8(ascii: "/") || isHostByte($0) }) else {
            return nil
        }
        address.basePath = path
        rest = rest[..<slash]
    }
    // An IPv6 address stands in brackets.
    var host = rest
    var port: Substring?
    if let colon = rest.lastIndex(of: ":"), !rest[colon...].contains("]") {
        host = rest[..<colon]
        port = rest[rest.index(after: colon)...]
    }
    let bare = host.hasPrefix("[") && host.hasSuffix("]") ? host.dropFirst().dropLast() : host
    guard !bare.isEmpty,
        bare.utf8.allSatisfy({
            isHostByte($0) || bare.count < host.count && $0 == UInt8(ascii: ":")
        })
    else { return nil }
    address.host = host.lowercased()
    if let port {
        guard let number = UInt16(port), number > 0 else { return nil }
        let isDefault = number == (address.scheme == "https" ? 443 : 80)
        if !isDefault { address.host += ":\(number)" }
    }
    return address
}

/// AWS's shared files and the profile to use from them.
struct AWSFiles {
    var credentials: AWSSettingsFile
    var config: AWSSettingsFile
    var profile: String

    init(environment: EnvironmentVariables, profile: String?) {
        let home = environment["HOME"].map { "\($0)/.aws" } ?? ".aws"
        credentials = AWSSettingsFile(
            path: environment["AWS_SHARED_CREDENTIALS_FILE"] ?? "\(home)/credentials"
        )
        config = AWSSettingsFile(path: environment["AWS_CONFIG_FILE"] ?? "\(home)/config")
        self.profile = profile ?? environment["AWS_PROFILE"] ?? "default"
    }
}

/// Finds credentials: the options, then the environment, then the shared files; nil for none.
///
/// - Throws: `invalid` when only half of them is there, or the profile asks for what we cannot do.
func findCredentials(
    options: S3Options,
    environment: EnvironmentVariables,
    store: String
) throws(ObjectStoreError) -> S3Credentials? {
    func invalid(_ message: String) -> ObjectStoreError {
        ObjectStoreError(.invalid, message, store: store)
    }
    if let credentials = options.credentials { return credentials }
    let key = environment["AWS_ACCESS_KEY_ID"]
    let secret = environment["AWS_SECRET_ACCESS_KEY"]
    // A profile that was asked for by name in the options is meant more than the environment.
    if options.profile == nil, key != nil || secret != nil {
        guard let key, let secret else {
            throw invalid("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must both be set")
        }
        return S3Credentials(
            accessKey: key,
            secretKey: Secret(secret),
            sessionToken: environment["AWS_SESSION_TOKEN"].map { Secret($0) }
        )
    }
    let files = AWSFiles(environment: environment, profile: options.profile)
    let profile = files.profile
    for file in [files.credentials, files.config] {
        guard let key = file[profile, "aws_access_key_id"] else { continue }
        guard let secret = file[profile, "aws_secret_access_key"] else {
            throw invalid("profile '\(profile)' has a key but no aws_secret_access_key")
        }
        return S3Credentials(
            accessKey: key,
            secretKey: Secret(secret),
            sessionToken: file[profile, "aws_session_token"].map { Secret($0) }
        )
    }
    for setting in ["credential_process", "role_arn", "sso_session", "sso_start_url"]
    where files.config[profile, setting] != nil {
        throw invalid(
            "profile '\(profile)' gets its credentials by \(setting), which is not supported: "
                + "export AWS_ACCESS_KEY_ID and its companions "
                + "(aws configure export-credentials --format env)"
        )
    }
    let isNamed = options.profile != nil || environment["AWS_PROFILE"] != nil
    if isNamed && !files.credentials.hasProfile(profile) && !files.config.hasProfile(profile) {
        throw invalid("no shared file has the profile '\(profile)'")
    }
    return nil
}
