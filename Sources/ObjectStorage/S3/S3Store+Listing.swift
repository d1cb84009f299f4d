import Ambient

extension S3Store {
    package func list(
        prefix: String,
        startAfter: String?,
        delimiter: Bool,
        limit: Int,
        continuation: String?
    ) async throws -> ListPage {
        try validatePrefix(prefix, store: root)
        var request = S3Request("GET", key: nil)
        request.query = [
            ("list-type", "2"), ("encoding-type", "url"),
            ("prefix", settings.keyPrefix + prefix),
            ("max-keys", String(min(max(limit, 1), 1000))),
        ]
        if delimiter { request.query.append(("delimiter", "/")) }
        if let continuation {
            request.query.append(("continuation-token", continuation))
        } else if let startAfter {
            request.query.append(("start-after", settings.keyPrefix + startAfter))
        }
        // A thousand keys of a thousand bytes, each byte escaped, and what is around them.
        request.bodyBytesMax = 16 << 20
        let response = try await perform(request)
        return try page(response.body, startAfter: startAfter, delimiter: delimiter)
    }

    /// - Spec: S3 API Reference, "ListObjectsV2".
    private func page(
        _ body: [UInt8],
        startAfter: String?,
        delimiter: Bool
    ) throws(ObjectStoreError) -> ListPage {
        let document: XMLElement
        do throws(XMLError) {
            document = try parseXML(body)
        } catch {
            throw self.error(.invalid, "the listing is not XML: \(error.message)")
        }
        guard document.name == "ListBucketResult" else {
            throw error(.invalid, "the listing is a \(document.name)")
        }
        let isEncoded = document.text(of: "EncodingType") == "url"
        var page = ListPage()
        for element in document.all("Contents") {
            let key = try relativeKey(element.text(of: "Key"), isEncoded: isEncoded)
            // Consoles mark folders by empty objects whose names end with a slash.
            if key.isEmpty || key.utf8.last == UInt8(ascii: "/") { continue }
            guard let size = element.text(of: "Size").flatMap({ Int($0) }), size >= 0,
                let time = element.text(of: "LastModified").flatMap({ CalendarTime(isoText: $0) })
            else {
                throw error(.invalid, "the listing lacks a size or a time", key: key)
            }
            page.objects.append(
                ObjectMetadata(
                    key: key,
                    size: size,
                    entityTag: bareEntityTag(element.text(of: "ETag") ?? ""),
                    lastModifiedMicros: time.micros
                )
            )
        }
        for element in document.all("CommonPrefixes") {
            let folder = try relativeKey(element.text(of: "Prefix"), isEncoded: isEncoded)
            // Some stores offer the folder of the key to start after once more, others never do.
            if let startAfter, ByteOrderedKey(folder) <= ByteOrderedKey(startAfter),
                !ByteOrderedKey(startAfter).hasPrefix(folder)
            {
                continue
            }
            page.commonPrefixes.append(folder)
        }
        if document.text(of: "IsTruncated") == "true" {
            guard let next = document.text(of: "NextContinuationToken"), !next.isEmpty else {
                throw error(.invalid, "the listing is cut off and does not say how to go on")
            }
            page.next = next
        }
        return page
    }

    private func relativeKey(
        _ text: String?,
        isEncoded: Bool
    ) throws(ObjectStoreError) -> String {
        guard let text, let key = isEncoded ? percentDecoded(text) : text else {
            throw error(.invalid, "the listing holds a key that cannot be read")
        }
        guard key.utf8.starts(with: settings.keyPrefix.utf8) else {
            throw error(.invalid, "the listing holds a key from outside the prefix")
        }
        return String(decoding: key.utf8.dropFirst(settings.keyPrefix.utf8.count), as: UTF8.self)
    }

    package func delete(_ keys: [String]) async throws {
        try Task.checkCancellation()
        for key in keys { try validateKey(key, store: root) }
        if keys.count == 1 {
            do {
                _ = try await perform(try request("DELETE", keys[0]))
            } catch let error as ObjectStoreError where error.code == .notFound {
                return
            }
            return
        }
        let batches = stride(from: 0, to: keys.count, by: 1000).map { start in
            Array(keys[start..<min(start + 1000, keys.count)])
        }
        _ = try await mapBounded(batches, countMax: 4) { batch in
            try await self.deleteBatch(batch)
        }
    }

    /// Removes up to 1000 keys, and tries again with those that failed for the moment.
    ///
    /// - Spec: S3 API Reference, "DeleteObjects".
    private func deleteBatch(_ keys: [String]) async throws {
        var retry = RetryState(
            policy: settings.options.retries,
            nowNanos: ambient.time.monotonicNanos()
        )
        var left = keys
        while true {
            var text =
                "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>"
            for key in left {
                text += "<Object><Key>\(xmlEscaped(settings.keyPrefix + key))</Key></Object>"
            }
            let body = Array("\(text)</Delete>".utf8)
            var request = S3Request("POST", key: nil, body: body)
            request.query = [("delete", "")]
            request.headers = [
                ("content-md5", md5Base64(body)), ("content-type", "application/xml"),
            ]
            request.bodyBytesMax = 16 << 20
            let response = try await perform(request)
            var failure = S3Failure(
                error: error(.unavailable, "some objects could not be deleted"),
                isTransient: true
            )
            left = try failedKeys(response.body, &failure)
            if left.isEmpty { return }
            guard failure.isTransient, try await wait(for: failure, &retry) else {
                throw failure.error
            }
        }
    }

    private func failedKeys(
        _ body: [UInt8],
        _ failure: inout S3Failure
    ) throws(ObjectStoreError) -> [String] {
        let document: XMLElement
        do throws(XMLError) {
            document = try parseXML(body)
        } catch {
            throw self.error(.invalid, "the answer to a deletion is not XML: \(error.message)")
        }
        guard document.name == "DeleteResult" else {
            throw error(.invalid, "the answer to a deletion is a \(document.name)")
        }
        var failed: [String] = []
        for element in document.all("Error") {
            let word = element.text(of: "Code") ?? ""
            if word == "NoSuchKey" { continue }
            let key = try relativeKey(element.text(of: "Key"), isEncoded: false)
            failed.append(key)
            if ["InternalError", "SlowDown", "ServiceUnavailable"].contains(word) { continue }
            failure.isTransient = false
            failure.error = error(
                word == "AccessDenied" ? .denied : .invalid,
                "\(word): \((element.text(of: "Message") ?? "").prefix(400))",
                key: key
            )
        }
        return failed
    }
}

extension S3Store {
    /// How many multipart uploads under the prefix are neither finished nor aborted, up to 1000.
    package func countUploadsUnderWay() async throws -> Int {
        var request = S3Request("GET", key: nil)
        request.query = [("uploads", ""), ("prefix", settings.keyPrefix)]
        request.bodyBytesMax = 16 << 20
        let response = try await perform(request)
        guard let document = try? parseXML(response.body) else {
            throw error(.invalid, "the list of uploads is not XML")
        }
        return document.all("Upload").count
    }
}
