import Synchronization

extension SharedLog {
    /// The outcome of the commit with an id, where it is remembered from earlier.
    ///
    /// - Returns: nil when no commit with this id had landed when the look began; one that is under way
    ///   may land any moment.
    package func outcome(ofCommit id: String) async throws -> Machine.Outcome? {
        _ = try await read()
        guard let place = core.withLock({ $0.remembered.place(of: id) }) else { return nil }
        let entry = try await self.entry(at: place.sequence)
        // Half a digest in common and nothing else is no match.
        guard entry.commits.indices.contains(place.index), entry.commits[place.index].id == id
        else {
            return nil
        }
        return try await machine.outcome(of: entry.commits[place.index], at: entry.header)
    }
}
