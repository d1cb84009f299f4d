import Glibc

/// A growing array of fixed-size values that stays at one address: what a file has, mapped, and what came since.
///
/// Address space is reserved for all that it may ever hold, and memory is taken as it grows, so growing copies
/// nothing. Values of a mapped file are read when they are looked at; those that are changed become private to
/// the process.
struct Region<Element: BitwiseCopyable>: ~Copyable {
    /// Address space of one region; memory is taken only for what is used.
    static var byteCountMax: Int { 16 << 30 }
    /// From as many bytes on large pages are asked for.
    private static var hugePagesFrom: Int { 16 << 20 }
    /// What a region grows by at least, in bytes.
    private static var growthMin: Int { 64 << 10 }

    private let base: UnsafeMutableRawPointer
    private(set) var count = 0
    private var capacityBytes = 0

    init() {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard let base = mmap(nil, Self.byteCountMax, PROT_NONE, flags, -1, 0), base != MAP_FAILED
        else {
            fatalError(
                "no address space for the lineage index: \(String(cString: strerror(errno)))"
            )
        }
        self.base = base
    }

    deinit { munmap(base, Self.byteCountMax) }

    private var elements: UnsafeMutablePointer<Element> {
        base.assumingMemoryBound(to: Element.self)
    }

    var byteCount: Int { count * MemoryLayout<Element>.stride }

    /// Whether as many bytes fit besides those that are there.
    func hasRoom(forBytes more: Int) -> Bool { Self.byteCountMax - byteCount > more }

    subscript(index: Int) -> Element {
        get {
            precondition(index >= 0 && index < count)
            return elements[index]
        }
        set {
            precondition(index >= 0 && index < count)
            elements[index] = newValue
        }
    }

    subscript(index: UInt32) -> Element {
        get { self[Int(index)] }
        set { self[Int(index)] = newValue }
    }

    /// Adds a value behind the others, and gives its place.
    @discardableResult
    mutating func append(_ element: Element) -> UInt32 {
        reserve(count + 1)
        elements[count] = element
        count += 1
        return UInt32(truncatingIfNeeded: count - 1)
    }

    mutating func append(contentsOf more: UnsafeBufferPointer<Element>) {
        guard let first = more.baseAddress, !more.isEmpty else { return }
        reserve(count + more.count)
        (elements + count).update(from: first, count: more.count)
        count += more.count
    }

    /// Adds values that are all zero bytes.
    mutating func append(zeros more: Int) {
        reserve(count + more)
        memset(elements + count, 0, more * MemoryLayout<Element>.stride)
        count += more
    }

    private mutating func reserve(_ countMin: Int) {
        let needed = countMin * MemoryLayout<Element>.stride
        if needed > capacityBytes { grow(needed) }
    }

    private mutating func grow(_ needed: Int) {
        let wanted = max(needed, capacityBytes + max(capacityBytes / 2, Self.growthMin))
        let bytes = min((wanted + 4095) & ~4095, Self.byteCountMax)
        guard needed <= bytes,
            mprotect(base + capacityBytes, bytes - capacityBytes, PROT_READ | PROT_WRITE) == 0
        else { fatalError("no memory for the lineage index") }
        // Questions jump about in it: with small pages most of their time goes into finding pages.
        if bytes >= Self.hugePagesFrom, capacityBytes < Self.hugePagesFrom {
            madvise(base, Self.byteCountMax, MADV_HUGEPAGE)
        }
        capacityBytes = bytes
    }

    /// Looks at values one after the other, without asking for each whether it is there.
    func withElements<R>(_ range: Range<Int>, _ body: (UnsafeBufferPointer<Element>) -> R) -> R {
        precondition(range.lowerBound >= 0 && range.upperBound <= count)
        return body(UnsafeBufferPointer(start: elements + range.lowerBound, count: range.count))
    }

    /// Everything, as bytes.
    func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try body(UnsafeRawBufferPointer(start: base, count: byteCount))
    }

    // MARK: From files

    /// Makes room for values of a file, which are to be filled in as bytes before anything else is done.
    ///
    /// - Returns: where they go; the address stays.
    mutating func open(count: Int) -> UnsafeMutableRawBufferPointer {
        precondition(self.count == 0 && capacityBytes == 0)
        reserve(count)
        self.count = count
        return UnsafeMutableRawBufferPointer(start: base, count: byteCount)
    }
}

/// Puts a whole file in the place of bytes of a region; bytes that are changed become private to the process.
///
/// - Parameters:
///   - place: whole pages of a region that was opened.
///   - path: of a file with as many bytes, which must not change any more.
/// - Returns: false when there is no such file, or it cannot be mapped.
func mapFile(_ path: String, over place: UnsafeMutableRawBufferPointer) -> Bool {
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
        Int(status.st_size) == place.count, place.count > 0, place.count % 4096 == 0
    else { return false }
    let flags = MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE
    let isMapped =
        mmap(place.baseAddress, place.count, PROT_READ | PROT_WRITE, flags, descriptor, 0)
        == place.baseAddress
    if isMapped {
        // All of it is looked at next.
        madvise(place.baseAddress, place.count, MADV_WILLNEED)
        return true
    }
    // What was there may be gone already, and others must not come to lie in the middle of a region.
    guard
        mmap(place.baseAddress, place.count, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0)
            == place.baseAddress
    else { fatalError("no memory for the lineage index") }
    return false
}
