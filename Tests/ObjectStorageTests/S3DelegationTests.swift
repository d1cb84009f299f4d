import Ambient
import ObjectStorage
import TestSupport
import Testing

@Suite struct S3DelegationTests {
    private func delegation(pathStyle: Bool = true, endpoint: String?) throws -> S3Delegation {
        var options = StoreOptions(environment: EnvironmentVariables([:]))
        options.s3.endpoint = endpoint
        options.s3.region = "eu-central-1"
        options.s3.usesPathStyle = pathStyle
        options.s3.credentials = S3Credentials(accessKey: "key", secretKey: Secret("secret"))
        return try #require(try S3Delegation(url: "s3://bucket/lake", options: options))
    }

    private let scope = S3Delegation.Scope(
        folders: ["s3a://bucket/lake/t/", "s3://elsewhere/lake/u"],
        excluded: ["s3://bucket/lake/t/_varve"]
    )

    private func code(
        _ delegation: S3Delegation,
        _ method: String,
        _ uri: String
    ) -> ObjectStoreError.Code? {
        do {
            _ = try delegation.sign(.init(method: method, uri: uri, headers: []), in: scope)
            return nil
        } catch let error as ObjectStoreError {
            return error.code
        } catch {
            return .unsupported
        }
    }

    @Test("signs for both ways to spell a bucket, and for no other host")
    func hosts() throws {
        let path = try delegation(endpoint: "https://store.example:9000/base")
        #expect(code(path, "GET", "https://store.example:9000/base/bucket/lake/t/x") == nil)
        #expect(code(path, "GET", "https://STORE.example:9000/base/bucket/lake/t/x") == nil)
        for uri in [
            "https://store.example/base/bucket/lake/t/x",
            "http://store.example:9000/base/bucket/lake/t/x",
            "https://store.example:9000/bucket/lake/t/x",
            "https://store.example:9000@elsewhere/base/bucket/lake/t/x",
            "https://store.example:9000/base/bucket2/lake/t/x",
            "https://store.example:9000/base/bucket/lake/u/x",
            "https://store.example:9000/base/bucket/lake/t/_varve/x",
            "https://store.example:9000/base/bucket/lake/t/a/./x", "", "x", "https://",
        ] {
            #expect(code(path, "GET", uri) == .denied, "\(uri)")
        }
        let host = try delegation(pathStyle: false, endpoint: nil)
        let base = "https://bucket.s3.eu-central-1.amazonaws.com"
        #expect(code(host, "GET", "\(base)/lake/t/x") == nil)
        #expect(code(host, "GET", "\(base):443/lake/t/x") == nil)
        #expect(code(host, "GET", "\(base)?list-type=2&prefix=lake/t/data/") == nil)
        // It would show what is left out.
        #expect(code(host, "GET", "\(base)?list-type=2&prefix=lake/t/") == .denied)
        #expect(code(host, "GET", "\(base)/bucket/lake/t/x") == .denied)
        #expect(code(host, "GET", "\(base)/lake/t/%zz") == .invalid)
    }

    @Test("stores that are no buckets have nothing to delegate")
    func folders() throws {
        #expect(try S3Delegation(url: "memory:", options: StoreOptions()) == nil)
    }

    @Test(
        "damaged requests are refused or signed for the folders, and never trap",
        arguments: 0..<4 as Range<UInt64>
    )
    func damaged(seed: UInt64) throws {
        let delegation = try delegation(endpoint: "http://h")
        let texts = [
            "http://h/bucket/lake/t/a%20b?uploadId=1&partNumber=2",
            "http://h/bucket?list-type=2&prefix=lake%2Ft%2Fd", "http://h/bucket/lake/t/x/../../u/y",
        ]
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            var bytes = Array(texts[Int.random(in: 0..<texts.count, using: &random)].utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
                    in: 0x20...0x7E,
                    using: &random
                )
            }
            let request = S3Delegation.Request(
                method: "GET",
                uri: String(decoding: bytes, as: UTF8.self),
                headers: []
            )
            guard let signed = try? delegation.sign(request, in: scope) else { continue }
            let isObject = signed.uri.hasPrefix("http://h/bucket/lake/t/")
            let isListing = signed.uri.contains("prefix=lake%2Ft%2F")
            #expect(isObject || isListing, "\(signed.uri)")
        }
    }
}
