import Glibc

/// Walks a folder in the order of keys, from where a page begins to where it is full.
///
/// Within one folder, names are ordered as if those of folders ended with a slash: then the order of
/// visits is the byte order of whole keys.
struct FolderListing {
    /// How a walk through one folder ended.
    private enum Step {
        case end
        /// The page is full.
        case full
        /// All else in this folder belongs to the common prefix just added.
        case folded
    }

    private let root: String
    private let prefix: ByteOrderedKey
    private let delimiter: Bool
    private let after: ByteOrderedKey?
    /// The common prefix that the page before ended with.
    private let doneFolder: String?
    private var builder: ListPageBuilder

    /// - Parameter after: keys up to this one are on earlier pages.
    init(
        root: String,
        prefix: String,
        delimiter: Bool,
        after: ByteOrderedKey?,
        continuation: String?,
        builder: ListPageBuilder
    ) {
        self.root = root
        self.prefix = ByteOrderedKey(prefix)
        self.delimiter = delimiter
        self.after = after
        doneFolder = delimiter && continuation?.utf8.last == UInt8(ascii: "/") ? continuation : nil
        self.builder = builder
    }

    mutating func page() throws(FileError) -> ListPage {
        // Nothing outside the prefix's own folder can match.
        var folder = ""
        if let slash = prefix.text.utf8.lastIndex(of: UInt8(ascii: "/")) {
            // By bytes: a range of the text itself would end behind a whole character.
            folder = String(decoding: prefix.text.utf8[...slash], as: UTF8.self)
        }
        _ = try walk(folder, depth: 0)
        return builder.page
    }

    /// - Parameter folder: a key that ends with a slash, or nothing for the root.
    private mutating func walk(_ folder: String, depth: Int) throws(FileError) -> Step {
        // Keys have at most 1024 bytes, so no deeper folder holds any.
        guard depth <= 512 else { return .end }
        for (key, isFolder) in try names(folder) {
            if isFolder {
                let step = try walk(key.text, depth: depth + 1)
                if step == .full || step == .folded && isFolded(folder) { return step }
                continue
            }
            guard let status = try? FileStatus(path: "\(root)/\(key.text)"),
                status.kind == .file, (try? validateKey(key.text, store: root)) != nil
            else { continue }
            guard builder.add(key.text, { FolderStore.metadata(key.text, status) }) else {
                return .full
            }
            if isFolded(folder) { return .folded }
        }
        return .end
    }

    private func isFolded(_ folder: String) -> Bool {
        guard delimiter, let last = builder.page.commonPrefixes.last else { return false }
        return ByteOrderedKey(folder).hasPrefix(last)
    }

    /// What may be of use in a folder, in order; keys of folders end with a slash.
    private func names(
        _ folder: String
    ) throws(FileError) -> [(key: ByteOrderedKey, isFolder: Bool)] {
        let path = folder.isEmpty ? root : "\(root)/\(Substring(folder.utf8.dropLast()))"
        var names: [(key: ByteOrderedKey, isFolder: Bool)] = []
        do throws(FileError) {
            for entry in try folderEntries(path) where entry.kind != .other {
                if folder.isEmpty && entry.name == reservedKeyPart { continue }
                let isFolder = entry.kind == .folder
                let key = ByteOrderedKey(folder + entry.name + (isFolder ? "/" : ""))
                if isWanted(key, isFolder: isFolder) { names.append((key, isFolder)) }
            }
        } catch {
            // Gone since it was seen, or never there: nothing to list.
            guard error.number == ENOENT || error.number == ENOTDIR else { throw error }
        }
        names.sort { $0.key < $1.key }
        return names
    }

    private func isWanted(_ key: ByteOrderedKey, isFolder: Bool) -> Bool {
        guard key.hasPrefix(prefix.text) || isFolder && prefix.hasPrefix(key.text) else {
            return false
        }
        if let doneFolder, key.hasPrefix(doneFolder) { return false }
        guard let after else { return true }
        // A folder may hold later keys unless all of its keys are earlier.
        return key > after || isFolder && after.hasPrefix(key.text)
    }
}
