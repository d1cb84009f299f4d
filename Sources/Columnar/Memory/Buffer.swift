import Glibc

/// Bytes that columns share: aligned to 64, with 64 more readable bytes behind the last.
///
/// Invariant that makes it `Sendable`: bytes are written only between `init` and the moment the
/// buffer is first handed to another owner; after that nobody writes.
@safe
package final class Buffer: @unchecked Sendable {
    /// The first byte.
    ///
    /// Writers use it while the buffer is theirs alone.
    package let base: UnsafeMutableRawPointer
    /// How many bytes belong to the values.
    package let byteCount: Int
    /// Whether the memory belongs to another buffer by now.
    private var isMoved = false

    /// Bytes behind the end that may be read (not written), so that kernels may load whole words.
    package static let padding = 64

    /// Memory with undefined content, but for the padding, which is zero.
    package init(byteCount: Int) {
        precondition(byteCount >= 0)
        if byteCount >= LargePages.byteCountMin {
            base = LargePages.map(byteCount + Self.padding)
            self.byteCount = byteCount
            return
        }
        var pointer: UnsafeMutableRawPointer?
        let status = posix_memalign(&pointer, 64, byteCount + Self.padding)
        guard status == 0, let pointer else {
            fatalError("out of memory: \(byteCount) bytes refused by the system")
        }
        base = pointer
        self.byteCount = byteCount
        memset(pointer + byteCount, 0, Self.padding)
    }

    /// Memory filled with zeros.
    package convenience init(zeroedByteCount byteCount: Int) {
        self.init(byteCount: byteCount)
        // Pages that come from the kernel are zero.
        if byteCount < LargePages.byteCountMin { memset(base, 0, byteCount) }
    }

    /// A copy of `bytes`.
    package convenience init(copying bytes: UnsafeRawBufferPointer) {
        self.init(byteCount: bytes.count)
        if let source = bytes.baseAddress, bytes.count > 0 {
            base.copyMemory(from: source, byteCount: bytes.count)
        }
    }

    private init(mapped base: UnsafeMutableRawPointer, byteCount: Int) {
        self.base = base
        self.byteCount = byteCount
    }

    /// Puts a larger buffer in place of another one, whose bytes it begins with.
    ///
    /// A buffer that is `growsInPlace` and nobody else has is not copied: its pages are moved, and memory
    /// is only taken when what is new is written.
    ///
    /// - Parameter isZeroed: whether what follows those bytes is zero, as in `init(zeroedByteCount:)`, or
    ///   undefined, but for the padding.
    package static func grow(_ buffer: inout Buffer, to byteCount: Int, isZeroed: Bool = false) {
        precondition(byteCount >= buffer.byteCount)
        if buffer.growsInPlace, isKnownUniquelyReferenced(&buffer) {
            buffer.isMoved = true
            let base = LargePages.remap(
                buffer.base,
                buffer.byteCount + padding,
                to: byteCount + padding
            )
            // The old padding was zero, and so is what follows it.
            buffer = Buffer(mapped: base, byteCount: byteCount)
            return
        }
        let result = Buffer(byteCount: byteCount)
        result.base.copyMemory(from: buffer.base, byteCount: buffer.byteCount)
        if isZeroed, byteCount < LargePages.byteCountMin {
            memset(result.base + buffer.byteCount, 0, byteCount - buffer.byteCount)
        }
        buffer = result
    }

    /// Whether it is so large that `grow` need not copy it.
    package var growsInPlace: Bool { byteCount >= Self.inPlaceByteCountMin }

    /// Bytes from which on a buffer `growsInPlace`.
    package static let inPlaceByteCountMin = LargePages.byteCountMin

    deinit {
        if isMoved { return }
        if byteCount >= LargePages.byteCountMin {
            LargePages.unmap(base, byteCount + Self.padding)
        } else {
            free(base)
        }
    }

    package var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: base, count: byteCount)
    }

    /// The memory as values of `type`, for its writer.
    @inline(__always)
    package func mutable<T: BitwiseCopyable>(as type: T.Type) -> UnsafeMutablePointer<T> {
        base.assumingMemoryBound(to: type)
    }
}

/// A place in a buffer where the values of a column begin.
package struct BufferSlice: Sendable {
    package let buffer: Buffer
    package let byteOffset: Int

    package init(_ buffer: Buffer, byteOffset: Int = 0) {
        self.buffer = buffer
        self.byteOffset = byteOffset
    }

    /// The values.
    ///
    /// The pointer is good while the buffer (or a column over it) is kept alive.
    @inline(__always)
    package func pointer<T: BitwiseCopyable>(as type: T.Type) -> UnsafePointer<T> {
        UnsafePointer((buffer.base + byteOffset).assumingMemoryBound(to: type))
    }

    package func advanced(byBytes count: Int) -> BufferSlice {
        BufferSlice(buffer, byteOffset: byteOffset + count)
    }
}
