import Crypto

extension ObjectStore {
    /// The SHA-256 of an object's bytes and how many there are, read piece by piece.
    ///
    /// An object that is replaced meanwhile gives a hash of neither: this is for those that never change.
    package func sha256(ofObject key: String) async throws -> (text: String, byteCount: Int) {
        let size = try await head(key).size
        var sum = SHA256()
        var start = 0
        while start < size {
            try Task.checkCancellation()
            let end = min(start + (8 << 20), size)
            sum.update(data: try await get(key, range: start..<end))
            start = end
        }
        return (hexText(sum.finalize()), size)
    }
}
