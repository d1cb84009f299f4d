import Ambient
import ObjectStorage
import Testing

/// The examples that AWS prints: S3 API Reference, "Signature Calculations for the Authorization
/// Header" and "Authenticating Requests: Using Query Parameters".
@Suite struct SignatureV4Tests {
    private let signer = SignatureV4(
        credentials: S3Credentials(
            accessKey: "AKIAIOSFODNN7EXAMPLE",
            secretKey: Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
        ),
        region: "us-east-1"
    )
    private let host = "examplebucket.s3.amazonaws.com"
    /// 2013-05-24T00:00:00Z.
    private let time: Int64 = 1_369_353_600_000_000
    private let emptyHash = sha256Text([])

    @Test("GET of a range is signed as AWS prints it")
    func getObject() {
        let signed = signer.sign(
            method: "GET",
            host: host,
            path: "/test.txt",
            headers: [("range", "bytes=0-9")],
            payloadHash: emptyHash,
            timeMicros: time
        )
        #expect(
            signed.signature == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        )
        #expect(signed.target == "/test.txt")
        #expect(
            signed.headers.contains {
                $0.name == "authorization"
                    && $0.value
                        == "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
                        + "aws4_request,SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
                        + "Signature=\(signed.signature)"
            }
        )
    }

    @Test("PUT of an object with odd characters is signed as AWS prints it")
    func putObject() {
        let signed = signer.sign(
            method: "PUT",
            host: host,
            path: "/test$file.text",
            headers: [
                ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ],
            payloadHash: sha256Text(Array("Welcome to Amazon S3.".utf8)),
            timeMicros: time
        )
        #expect(
            signed.signature == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        )
        #expect(signed.target == "/test%24file.text")
    }

    @Test("a query name without a value is signed as AWS prints it")
    func getLifecycle() {
        let signed = signer.sign(
            method: "GET",
            host: host,
            path: "/",
            query: [("lifecycle", "")],
            payloadHash: emptyHash,
            timeMicros: time
        )
        #expect(
            signed.signature == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        )
    }

    @Test("a query in any order is signed as AWS prints it")
    func listObjects() {
        let signed = signer.sign(
            method: "GET",
            host: host,
            path: "/",
            query: [("prefix", "J"), ("max-keys", "2")],
            payloadHash: emptyHash,
            timeMicros: time
        )
        #expect(
            signed.signature == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        )
        #expect(signed.target == "/?max-keys=2&prefix=J")
    }

    @Test("a URL that carries its permission is signed as AWS prints it")
    func presigned() {
        let target = signer.presign(
            method: "GET",
            host: host,
            path: "/test.txt",
            lifetimeSeconds: 86_400,
            timeMicros: time
        )
        #expect(
            target.hasSuffix(
                "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
            )
        )
        #expect(
            target.contains(
                "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
            )
        )
    }

    @Test("temporary credentials send and sign their token")
    func sessionToken() {
        let signer = SignatureV4(
            credentials: S3Credentials(
                accessKey: "A",
                secretKey: Secret("B"),
                sessionToken: Secret("token")
            ),
            region: "eu-west-1"
        )
        let signed = signer.sign(
            method: "GET",
            host: host,
            path: "/",
            payloadHash: emptyHash,
            timeMicros: time
        )
        #expect(
            signed.headers.contains { $0.name == "x-amz-security-token" && $0.value == "token" }
        )
        #expect(signed.headers.last?.value.contains(";x-amz-security-token,") == true)
    }
}
