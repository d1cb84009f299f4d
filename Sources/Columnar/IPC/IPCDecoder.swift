import Bytes

/// What streams and files have in common: a schema, its dictionaries, and batches that use them.
struct IPCDecoder {
    let fields: [IPCField]
    let schema: Schema
    private var dictionaries = IPCDictionaries()
    /// The fields that dictionaries belong to.
    private let dictionaryFields: [Int64: IPCField]
    private let decompressor = Decompressor()
    private let batchBytesMax: Int

    init(_ fields: [IPCField], batchBytesMax: Int) {
        self.fields = fields
        self.batchBytesMax = batchBytesMax
        schema = Schema(fields.map(\.field))
        var found: [Int64: IPCField] = [:]
        func look(_ field: IPCField) {
            if let id = field.dictionary?.id { found[id] = field }
            for child in field.children { look(child) }
        }
        for field in fields { look(field) }
        dictionaryFields = found
    }

    private func reader(_ header: IPCBatchHeader, _ body: Buffer) -> IPCBodyReader {
        IPCBodyReader(
            header,
            body: body,
            dictionaries: dictionaries,
            decompressor: decompressor,
            bytesMax: batchBytesMax
        )
    }

    mutating func addDictionary(
        _ id: Int64,
        isDelta: Bool,
        _ header: IPCBatchHeader,
        _ body: Buffer
    ) throws(IPCError) {
        guard let field = dictionaryFields[id] else {
            throw IPCError(.corrupt, "dictionary \(id) belongs to no field")
        }
        var reader = reader(header, body)
        let values = try reader.dictionaryValues(field)
        try reader.checkEnd()
        try dictionaries.set(id, values, isDelta: isDelta)
    }

    func batch(_ header: IPCBatchHeader, _ body: Buffer) throws(IPCError) -> RecordBatch {
        var reader = reader(header, body)
        var columns: [Column] = []
        for field in fields { columns.append(try reader.column(field)) }
        try reader.checkEnd()
        return RecordBatch(schema: schema, columns: columns, rowCount: header.rowCount)
    }
}
