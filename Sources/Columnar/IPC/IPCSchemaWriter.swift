/// Writes schemas as Arrow's metadata.
struct IPCSchemaWriter {
    let usesLargeOffsets: Bool
    /// Top-level columns that are written as indices into the dictionary of the same number.
    var dictionaryColumns: Set<Int> = []

    /// Appends a Schema table.
    func write(
        _ schema: Schema,
        to builder: inout FlatBufferBuilder
    ) throws(IPCError) -> FlatBufferBuilder.Reference {
        var fields: [FlatBufferBuilder.Reference] = []
        for (number, field) in schema.fields.enumerated() {
            let id = dictionaryColumns.contains(number) ? Int64(number) : nil
            fields.append(try write(field, to: &builder, depth: 0, dictionaryID: id))
        }
        let vector = builder.vector(fields)
        return builder.table { $0.set(1, vector) }
    }

    private func write(
        _ field: Field,
        to builder: inout FlatBufferBuilder,
        depth: Int,
        dictionaryID: Int64? = nil
    ) throws(IPCError) -> FlatBufferBuilder.Reference {
        guard depth < IPCFormat.depthMax else {
            throw IPCError(
                .unsupported,
                "types are nested more than \(IPCFormat.depthMax) deep",
                path: [field.name]
            )
        }
        var children: [FlatBufferBuilder.Reference] = []
        switch field.type {
        case .list(let element):
            children = [try write(element, to: &builder, depth: depth + 1)]
        case .structure(let fields):
            for child in fields {
                children.append(try write(child, to: &builder, depth: depth + 1))
            }
        case .map(let key, let value):
            var fixedKey = key
            fixedKey.isNullable = false
            let entries = Field("entries", .structure([fixedKey, value]), isNullable: false)
            children = [try write(entries, to: &builder, depth: depth + 1)]
        default: break
        }
        let metadata = metadata(field).map { key, value in
            let (key, value) = (builder.string(key), builder.string(value))
            return builder.table {
                $0.set(0, key)
                $0.set(1, value)
            }
        }
        let (typeID, type) = write(field.type, to: &builder)
        let childVector = builder.vector(children)
        let metadataVector = metadata.isEmpty ? nil : builder.vector(metadata)
        let name = builder.string(field.name)
        let encoding = dictionaryID.map { id in
            let index = builder.table {
                $0.set(0, 32 as Int32)
                $0.set(1, true)
            }
            return builder.table {
                $0.set(0, id)
                $0.set(1, index)
            }
        }
        return builder.table {
            $0.set(0, name)
            $0.set(1, field.isNullable)
            $0.set(2, typeID.rawValue)
            $0.set(3, type)
            if let encoding { $0.set(4, encoding) }
            $0.set(5, childVector)
            if let metadataVector { $0.set(6, metadataVector) }
        }
    }

    private func metadata(_ field: Field) -> [(String, String)] {
        var result: [(String, String)] = []
        if field.type == .uuid {
            result.append((IPCFormat.extensionNameKey, IPCFormat.uuidExtension))
            result.append((IPCFormat.extensionMetadataKey, ""))
        }
        if let id = field.id { result.append((IPCFormat.fieldIDKey, String(id))) }
        return result
    }

    /// The table that describes a type itself, without its children.
    private func write(
        _ type: DataType,
        to builder: inout FlatBufferBuilder
    ) -> (IPCFormat.TypeID, FlatBufferBuilder.Reference) {
        let micros = IPCFormat.TimeUnit.microsecond.rawValue
        func integer(_ bits: Int32) -> FlatBufferBuilder.Reference {
            builder.table {
                $0.set(0, bits)
                $0.set(1, true)
            }
        }
        switch type {
        case .null: return (.null, builder.table { _ in })
        case .boolean: return (.bool, builder.table { _ in })
        case .int32: return (.int, integer(32))
        case .int64: return (.int, integer(64))
        case .float32: return (.floatingPoint, builder.table { $0.set(0, 1 as Int16) })
        case .float64: return (.floatingPoint, builder.table { $0.set(0, 2 as Int16) })
        case .decimal(let precision, let scale):
            let table = builder.table {
                $0.set(0, Int32(precision))
                $0.set(1, Int32(scale))
                $0.set(2, 128 as Int32)
            }
            return (.decimal, table)
        case .date: return (.date, builder.table { $0.set(0, 0 as Int16) })
        case .time:
            let table = builder.table {
                $0.set(0, micros)
                $0.set(1, 64 as Int32)
            }
            return (.time, table)
        case .timestamp: return (.timestamp, builder.table { $0.set(0, micros) })
        case .timestamptz:
            let zone = builder.string("UTC")
            let table = builder.table {
                $0.set(0, micros)
                $0.set(1, zone)
            }
            return (.timestamp, table)
        case .interval: return (.interval, builder.table { $0.set(0, 2 as Int16) })
        case .string: return (usesLargeOffsets ? .largeUtf8 : .utf8, builder.table { _ in })
        case .binary: return (usesLargeOffsets ? .largeBinary : .binary, builder.table { _ in })
        case .fixed(let width):
            return (.fixedSizeBinary, builder.table { $0.set(0, Int32(width)) })
        case .uuid: return (.fixedSizeBinary, builder.table { $0.set(0, 16 as Int32) })
        case .list: return (.list, builder.table { _ in })
        case .structure: return (.structure, builder.table { _ in })
        case .map: return (.map, builder.table { _ in })
        }
    }
}
