/// A table of a FlatBuffer that comes from outside: every access checks that the bytes are there.
///
/// It must not be used after the memory it looks into.
struct FlatBufferTable {
    private let bytes: UnsafeRawBufferPointer
    private let position: Int
    private let vtable: Int
    private let vtableSize: Int

    /// The root table of a buffer.
    init(root bytes: UnsafeRawBufferPointer) throws(IPCError) {
        let offset = try Self.load(bytes, 0, UInt32.self)
        try self.init(bytes, at: Int(offset))
    }

    private init(_ bytes: UnsafeRawBufferPointer, at position: Int) throws(IPCError) {
        self.bytes = bytes
        self.position = position
        vtable = position - Int(try Self.load(bytes, position, Int32.self))
        vtableSize = Int(try Self.load(bytes, vtable, UInt16.self))
        guard vtableSize >= 4, vtable + vtableSize <= bytes.count else {
            throw Self.damaged
        }
    }

    private static var damaged: IPCError { IPCError(.corrupt, "the metadata is damaged") }

    private static func load<T: FixedWidthInteger & BitwiseCopyable>(
        _ bytes: UnsafeRawBufferPointer,
        _ at: Int,
        _: T.Type
    ) throws(IPCError) -> T {
        guard at >= 0, at <= bytes.count - MemoryLayout<T>.size else { throw damaged }
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: T.self))
    }

    /// Where the field of a slot is; nil when it has its default.
    private func place(_ slot: Int) throws(IPCError) -> Int? {
        let entry = 4 + 2 * slot
        guard entry + 2 <= vtableSize else { return nil }
        let offset = Int(try Self.load(bytes, vtable + entry, UInt16.self))
        return offset == 0 ? nil : position + offset
    }

    func scalar<T: FixedWidthInteger & BitwiseCopyable>(
        _ slot: Int,
        default value: T
    ) throws(IPCError) -> T {
        guard let place = try place(slot) else { return value }
        return try Self.load(bytes, place, T.self)
    }

    func bool(_ slot: Int, default value: Bool = false) throws(IPCError) -> Bool {
        try scalar(slot, default: UInt8(value ? 1 : 0)) != 0
    }

    /// Where an offset in a place points to: always forward.
    private func target(_ place: Int) throws(IPCError) -> Int {
        place + Int(try Self.load(bytes, place, UInt32.self))
    }

    func table(_ slot: Int) throws(IPCError) -> FlatBufferTable? {
        guard let place = try place(slot) else { return nil }
        return try FlatBufferTable(bytes, at: try target(place))
    }

    /// Start and length of a vector whose elements have `size` bytes; empty when it is absent.
    private func vector(_ slot: Int, size: Int) throws(IPCError) -> (start: Int, count: Int) {
        guard let place = try place(slot) else { return (0, 0) }
        let start = try target(place)
        let count = Int(try Self.load(bytes, start, UInt32.self))
        guard count <= (bytes.count - start - 4) / size else { throw Self.damaged }
        return (start + 4, count)
    }

    func string(_ slot: Int) throws(IPCError) -> String? {
        guard try place(slot) != nil else { return nil }
        let (start, count) = try vector(slot, size: 1)
        let text = String(
            validating: UnsafeRawBufferPointer(rebasing: bytes[start..<start + count]),
            as: UTF8.self
        )
        guard let text else { throw IPCError(.corrupt, "a name is not valid UTF-8") }
        return text
    }

    func tables(_ slot: Int) throws(IPCError) -> [FlatBufferTable] {
        let (start, count) = try vector(slot, size: 4)
        var result: [FlatBufferTable] = []
        result.reserveCapacity(count)
        for index in 0..<count {
            result.append(try FlatBufferTable(bytes, at: try target(start + index * 4)))
        }
        return result
    }

    /// The words of a vector of structs that are made of 64-bit words.
    func words(_ slot: Int, wordsPerStruct: Int) throws(IPCError) -> [Int64] {
        let (start, count) = try vector(slot, size: 8 * wordsPerStruct)
        var result: [Int64] = []
        result.reserveCapacity(count * wordsPerStruct)
        for index in 0..<count * wordsPerStruct {
            result.append(try Self.load(bytes, start + index * 8, Int64.self))
        }
        return result
    }
}
