import Bytes
import Columnar

extension LeafWriter {
    /// Repetition and definition levels in the hybrid, without lengths.
    func encodedLevels() -> (repetition: [UInt8], definition: [UInt8]) {
        var result: (repetition: [UInt8], definition: [UInt8]) = ([], [])
        if leaf.maxRepetitionLevel > 0 {
            HybridEncoder.append(
                UnsafePointer(repetitions.base.assumingMemoryBound(to: UInt8.self)),
                count: pageEntries,
                width: levelWidth(leaf.maxRepetitionLevel),
                to: &result.repetition
            )
        }
        if leaf.maxDefinitionLevel > 0 {
            HybridEncoder.append(
                UnsafePointer(definitions.base.assumingMemoryBound(to: UInt8.self)),
                count: pageEntries,
                width: levelWidth(leaf.maxDefinitionLevel),
                to: &result.definition
            )
        }
        return result
    }

    func compressed(_ bytes: [UInt8]) throws(ParquetError) -> [UInt8] {
        guard let codec else { return bytes }
        do throws(BytesError) {
            return try bytes.withUnsafeBufferPointer { (source) throws(BytesError) in
                try compress(
                    codec,
                    UnsafeRawBufferPointer(source),
                    level: options.compressionLevel
                )
            }
        } catch {
            throw ParquetError(error)
        }
    }

    func checksum(_ bytes: [UInt8]) -> Int32 {
        Int32(bitPattern: bytes.withUnsafeBytes { crc32($0) })
    }

    func appendDataPage(
        _ levels: (repetition: [UInt8], definition: [UInt8]),
        _ payload: [UInt8],
        _ encoding: ParquetEncoding
    ) throws(ParquetError) {
        var content: [UInt8] = []
        var uncompressed = payload.count
        var isCompressed = codec != nil
        if options.usesDataPageV2 {
            content = levels.repetition + levels.definition
            uncompressed += content.count
            let packed = try compressed(payload)
            isCompressed = codec != nil && packed.count < payload.count
            content.append(contentsOf: isCompressed ? packed : payload)
        } else {
            var whole: [UInt8] = []
            if leaf.maxRepetitionLevel > 0 {
                whole.appendLittleEndian(UInt32(levels.repetition.count))
                whole.append(contentsOf: levels.repetition)
            }
            if leaf.maxDefinitionLevel > 0 {
                whole.appendLittleEndian(UInt32(levels.definition.count))
                whole.append(contentsOf: levels.definition)
            }
            whole.append(contentsOf: payload)
            uncompressed = whole.count
            content = try compressed(whole)
        }
        guard let size = Int32(exactly: content.count), let whole = Int32(exactly: uncompressed)
        else { throw .unsupported("column \(leaf.name) has a page of 2 GiB or more") }
        let crc = options.writesChecksums ? checksum(content) : nil
        let header = ThriftWriter.message { writer in
            writer.int32(1, options.usesDataPageV2 ? 3 : 0)
            writer.int32(2, whole)
            writer.int32(3, size)
            if let crc { writer.int32(4, crc) }
            if options.usesDataPageV2 {
                writer.structure(8) { writer in
                    writer.int32(1, Int32(pageEntries))
                    writer.int32(2, Int32(pageEntries - pageValues))
                    writer.int32(3, Int32(pageRows))
                    writer.int32(4, encoding.rawValue)
                    writer.int32(5, Int32(levels.definition.count))
                    writer.int32(6, Int32(levels.repetition.count))
                    writer.bool(7, isCompressed)
                }
            } else {
                writer.structure(5) { writer in
                    writer.int32(1, Int32(pageEntries))
                    writer.int32(2, encoding.rawValue)
                    writer.int32(3, ParquetEncoding.rle.rawValue)
                    writer.int32(4, ParquetEncoding.rle.rawValue)
                }
            }
        }
        body.append(contentsOf: header)
        pageHeaders.append(contentsOf: header)
        headerChecksums.append(header.withUnsafeBytes { crc32c($0) })
        body.append(contentsOf: content)
        bodyUncompressed += header.count + uncompressed
    }

    func dictionaryPage() throws(ParquetError) -> (
        header: [UInt8], bytes: [UInt8], uncompressed: Int
    ) {
        var payload: [UInt8] = []
        switch dictionary {
        case .numbers(let numbers):
            scratch.truncate(to: 0)
            let target = scratch.extend(numbers.count * width)
            for index in 0..<numbers.count {
                if width == 4 {
                    target.storeBytes(
                        of: UInt32(truncatingIfNeeded: numbers.keys[index]),
                        toByteOffset: index * 4,
                        as: UInt32.self
                    )
                } else {
                    target.storeBytes(
                        of: numbers.keys[index],
                        toByteOffset: index * 8,
                        as: UInt64.self
                    )
                }
            }
            PlainEncoder.appendPlain(scratch.bytes, count: numbers.count, leaf: leaf, to: &payload)
        case .wide(let numbers):
            let bytes = UnsafeRawBufferPointer(start: numbers.keys, count: numbers.count * 16)
            PlainEncoder.appendPlain(bytes, count: numbers.count, leaf: leaf, to: &payload)
        case .bytes(let bytes): payload.append(contentsOf: bytes.content.bytes)
        case nil: return ([], [], 0)
        }
        payload.withUnsafeBytes { bloomFilter?.add($0) }
        let content = try compressed(payload)
        let crc = options.writesChecksums ? checksum(content) : nil
        let header = ThriftWriter.message { writer in
            writer.int32(1, 2)
            writer.int32(2, Int32(payload.count))
            writer.int32(3, Int32(content.count))
            if let crc { writer.int32(4, crc) }
            writer.structure(7) { writer in
                writer.int32(1, Int32(entryCount))
                writer.int32(2, ParquetEncoding.plain.rawValue)
            }
        }
        return (header, header + content, header.count + payload.count)
    }
}
