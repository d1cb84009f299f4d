package import TextFiles

extension ImportRequest {
    /// What is particular to rows that somebody sent and that lie in a file of ours for a while.
    package struct Upload: Sendable {
        /// What the rows are called in messages, where the file's path says nothing to anybody.
        package var title: String
        /// Where they came from, as lineage names it.
        package var source: String
        /// Names the commit, so that a retry does not make it twice; nil for a new name.
        package var commitID: String?
        /// Tells requests with the same id apart.
        package var requestHash: String?
        /// How CSV is read.
        package var csv: CSVOptions
        /// Whether a table that does not exist is made from the rows' columns, under mode `append`.
        package var createsTable: Bool

        package init(
            title: String,
            source: String,
            commitID: String? = nil,
            requestHash: String? = nil,
            csv: CSVOptions = CSVOptions(),
            createsTable: Bool = false
        ) {
            self.title = title
            self.source = source
            self.commitID = commitID
            self.requestHash = requestHash
            self.csv = csv
            self.createsTable = createsTable
        }
    }
}
