import Synchronization

/// What a scan did, and what pruning spared it.
package struct ScanCounters: Sendable, Hashable {
    /// Data files of the snapshot, before pruning.
    package var files = 0
    package var filesPruned = 0
    /// Row groups of the files that were opened.
    package var rowGroups = 0
    package var rowGroupsPruned = 0
    /// Bytes of column chunks and bloom filters fetched, gaps between near ones included.
    package var bytesRead = 0
    /// Bytes of footers fetched; those from the cache do not count.
    package var footerBytesRead = 0
    /// Rows of the row groups that were read, before filters.
    package var rows = 0
    /// Rows left out because a delete file names them.
    package var rowsDeleted = 0
    package var manifests = 0
    package var manifestsPruned = 0

    package init() {}

    package static func += (left: inout ScanCounters, right: ScanCounters) {
        left.files += right.files
        left.filesPruned += right.filesPruned
        left.rowGroups += right.rowGroups
        left.rowGroupsPruned += right.rowGroupsPruned
        left.bytesRead += right.bytesRead
        left.footerBytesRead += right.footerBytesRead
        left.rows += right.rows
        left.rowsDeleted += right.rowsDeleted
        left.manifests += right.manifests
        left.manifestsPruned += right.manifestsPruned
    }
}

/// Counters that several threads add to.
package final class ScanMeter: Sendable {
    private let counters = Mutex(ScanCounters())

    package init() {}

    /// The sums so far.
    package var current: ScanCounters { counters.withLock { $0 } }

    package func add(_ change: (inout ScanCounters) -> Void) {
        counters.withLock { change(&$0) }
    }
}
