import Glibc

/// Ends long loops soon after nobody wants their result any more.
///
/// A thread that works for a query watches the query's flag; loops over whole tables look at it every few
/// ten thousand rows, without having to be told which query they work for.
package enum Interruption {
    /// How many rows loops go between looks: a power of two, some hundred microseconds of work.
    package static let rowCount = 1 << 15

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        guard pthread_key_create(&key, nil) == 0 else { fatalError("no room for a thread's flag") }
        return key
    }()

    /// Runs `body` so that `check` on this thread looks at `flag`.
    package static func watching<Value>(_ flag: StopFlag, _ body: () throws -> Value) rethrows
        -> Value
    {
        let before = pthread_getspecific(key)
        pthread_setspecific(key, Unmanaged.passUnretained(flag).toOpaque())
        defer { pthread_setspecific(key, before) }
        return try withExtendedLifetime(flag) { try body() }
    }

    /// Looks whether the work is still wanted.
    ///
    /// - Throws: `CancellationError`; whatever the caller was building is then not to be used.
    package static func check() throws {
        if isRaised { throw CancellationError() }
    }

    /// Whether the work is not wanted any more, looked up once in `rowCount` rows: for loops over whole tables
    /// that cannot throw.
    ///
    /// Whoever called such a loop has to `check` before using what it made. Loops of few rows never leave off.
    @inline(__always)
    static func isRaised(at row: Int) -> Bool {
        row & (rowCount &- 1) == rowCount &- 1 && isRaised
    }

    /// Whether the work is not wanted any more.
    package static var isRaised: Bool {
        guard let flag = pthread_getspecific(key) else { return false }
        return Unmanaged<StopFlag>.fromOpaque(flag).takeUnretainedValue().isSet
    }
}
