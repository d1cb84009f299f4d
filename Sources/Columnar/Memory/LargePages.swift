import CMalloc
import Glibc

/// Memory for buffers of many megabytes, in pages of two megabytes where the system has them.
///
/// Tables of groups and of join keys are looked up all over: with pages of 4 KiB every look-up misses the
/// processor's page tables too, and half of the time to fill such a table goes into faults. A page of 2 MiB
/// is one fault, and is given back as one.
enum LargePages {
    /// Smaller buffers come from malloc, which has them ready when they are taken again.
    static let byteCountMin = 16 << 20

    private static let pageByteCount = 2 << 20

    /// Zeroed memory that begins at a large page.
    static func map(_ byteCount: Int) -> UnsafeMutableRawPointer {
        // One page more, to cut off what lies in front of the first large page and behind the last byte.
        let (wanted, overflow) = rounded(byteCount).addingReportingOverflow(pageByteCount)
        guard !overflow,
            let start = mmap(
                nil,
                wanted,
                PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS,
                -1,
                0
            ), start != MAP_FAILED
        else { fatalError("out of memory: \(byteCount) bytes refused by the system") }
        let address = Int(bitPattern: start)
        let front = (pageByteCount - address % pageByteCount) % pageByteCount
        if front > 0 { munmap(start, front) }
        let base = start + front
        let back = pageByteCount - front
        if back > 0 { munmap(base + rounded(byteCount), back) }
        // A wish: a system without large pages gives small ones.
        madvise(base, rounded(byteCount), MADV_HUGEPAGE)
        return base
    }

    /// Makes memory larger, at another place; what is new is zero.
    ///
    /// The place is looked for here, because it has to begin at a large page like the old one: then the
    /// system moves large pages as they are. Wherever else it cuts them into small ones, one by one.
    static func remap(
        _ base: UnsafeMutableRawPointer,
        _ byteCount: Int,
        to newByteCount: Int
    ) -> UnsafeMutableRawPointer {
        let place = map(newByteCount)
        let result = varve_remap(base, rounded(byteCount), rounded(newByteCount), place)
        guard let result, result != MAP_FAILED else {
            fatalError("out of memory: \(newByteCount) bytes refused by the system")
        }
        // What was wished for the old place holds for all of the new one.
        return result
    }

    static func unmap(_ base: UnsafeMutableRawPointer, _ byteCount: Int) {
        munmap(base, rounded(byteCount))
    }

    /// Whole pages, of whatever size the system's small ones are.
    private static func rounded(_ byteCount: Int) -> Int {
        (byteCount + 0xffff) & ~0xffff
    }
}
