import Ambient
import Glibc
import ObjectStorage
import Testing

@Suite struct S3SettingsTests {
    private func presigned(
        _ url: String,
        _ environment: [String: String],
        _ change: (inout S3Options) -> Void = { _ in }
    ) throws -> String {
        var s3 = S3Options()
        change(&s3)
        let options = StoreOptions(
            ambient: .virtual(seed: 1),
            environment: EnvironmentVariables(environment),
            s3: s3
        )
        return try S3Store(url: url, options: options)
            .presignedURL("GET", "k e/y+", lifetimeSeconds: 60)
    }

    private let keys = ["AWS_ACCESS_KEY_ID": "ID", "AWS_SECRET_ACCESS_KEY": "SECRET"]

    @Test("without an endpoint the bucket stands in the host of its region")
    func virtualHost() throws {
        let url = try presigned(
            "s3://lake/a/b/",
            keys.merging(["AWS_REGION": "eu-central-1"]) { $1 }
        )
        #expect(
            url.hasPrefix(
                "https://lake.s3.eu-central-1.amazonaws.com/a/b/k%20e/y%2B?X-Amz-Algorithm"
            )
        )
        #expect(url.contains("ID%2F20231114%2Feu-central-1%2Fs3"))
        #expect(!url.contains("SECRET"))
    }

    @Test("with an endpoint, or a dot in its name, the bucket stands in the path")
    func pathStyle() throws {
        let endpoint = keys.merging(["AWS_ENDPOINT_URL": "http://LOCALHOST:9000/"]) { $1 }
        #expect(
            try presigned("s3://lake", endpoint).hasPrefix("http://localhost:9000/lake/k%20e/y%2B?")
        )
        let both = endpoint.merging(["AWS_ENDPOINT_URL_S3": "https://[::1]:443/base"]) { $1 }
        #expect(try presigned("s3://lake/p", both).hasPrefix("https://[::1]/base/lake/p/k%20e/"))
        #expect(
            try presigned("s3://l.k", keys).hasPrefix(
                "https://s3.us-east-1.amazonaws.com/l.k/k%20e"
            )
        )
        let virtual = try presigned("s3://lake", endpoint) { $0.usesPathStyle = false }
        #expect(virtual.hasPrefix("http://lake.localhost:9000/k%20e"))
    }

    @Test(
        "URLs and endpoints that make no sense are refused",
        arguments: [
            "s3://", "s3:///key", "s3://a b", "s3:bucket", "http://bucket", "s3://b/../c",
            "s3://b//c",
            "s3://b@evil/x", "s3://..",
        ]
    )
    func refused(url: String) {
        let error = #expect(throws: ObjectStoreError.self) { _ = try presigned(url, keys) }
        #expect(error?.code == .invalid)
    }

    @Test(
        "odd endpoints are refused",
        arguments: [
            "", "localhost:9000", "ftp://x", "http://", "http://a:0", "http://a:99999",
            "http://a b",
        ]
    )
    func refusedEndpoint(endpoint: String) {
        let error = #expect(throws: ObjectStoreError.self) {
            _ = try presigned("s3://lake", keys) { $0.endpoint = endpoint }
        }
        #expect(error?.code == .invalid)
    }

    @Test("credentials come from the options, then the environment, then the shared files")
    func order() throws {
        let folder = try TemporaryFolder()
        let credentials = try folder.write(
            "credentials",
            """
            # comment
            [default]
            aws_access_key_id = DEFAULT
            aws_secret_access_key=a#b
            [other] ; comment
              # indented comment
            aws_access_key_id = OTHER # comment
            aws_secret_access_key = x
            aws_session_token = TOKEN
            """
        )
        let config = try folder.write(
            "config",
            """
            [default]
            region = eu-north-1
            s3 =
              max_concurrent_requests = 20
            [profile third]
            region = ap-south-1
            aws_access_key_id = THIRD
            aws_secret_access_key = y
            endpoint_url = http://127.0.0.1:1
            [profile sso]
            sso_session = corp
            """
        )
        let files = ["AWS_SHARED_CREDENTIALS_FILE": credentials, "AWS_CONFIG_FILE": config]
        func has(_ url: String, _ text: String) -> Bool {
            url.contains("X-Amz-Credential=\(text)%2F")
        }

        let plain = try presigned("s3://lake", files)
        #expect(has(plain, "DEFAULT") && plain.contains("lake.s3.eu-north-1.amazonaws.com"))
        let other = try presigned("s3://lake", files.merging(["AWS_PROFILE": "other"]) { $1 })
        #expect(has(other, "OTHER") && other.contains("X-Amz-Security-Token=TOKEN"))
        let third = try presigned("s3://lake", files.merging(["AWS_PROFILE": "third"]) { $1 })
        #expect(has(third, "THIRD") && third.hasPrefix("http://127.0.0.1:1/lake/"))
        let both = files.merging(keys) { $1 }
        #expect(has(try presigned("s3://lake", both), "ID"))
        #expect(has(try presigned("s3://lake", both) { $0.profile = "other" }, "OTHER"))
        let explicit = try presigned("s3://lake", both) {
            $0.credentials = S3Credentials(accessKey: "MINE", secretKey: Secret("s"))
        }
        #expect(has(explicit, "MINE"))

        for profile in ["sso", "missing"] {
            let error = #expect(throws: ObjectStoreError.self) {
                _ = try presigned("s3://lake", files.merging(["AWS_PROFILE": profile]) { $1 })
            }
            #expect(error?.code == .invalid)
        }
        let none = #expect(throws: ObjectStoreError.self) {
            _ = try presigned("s3://lake", ["HOME": folder.path])
        }
        #expect(none?.code == .denied)
        let half = #expect(throws: ObjectStoreError.self) {
            _ = try presigned("s3://lake", ["AWS_ACCESS_KEY_ID": "ID"])
        }
        #expect(half?.code == .invalid)
    }

    @Test("settings never show their secrets")
    func secrets() {
        var options = S3Options()
        options.credentials = S3Credentials(
            accessKey: "ID",
            secretKey: Secret("hunter2"),
            sessionToken: Secret("token99")
        )
        var text = "\(options)"
        dump(options, to: &text)
        #expect(!text.contains("hunter2") && !text.contains("token99"))
    }
}
