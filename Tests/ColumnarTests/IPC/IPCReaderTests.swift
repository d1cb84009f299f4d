import Columnar
import TestSupport
import Testing

@Suite("IPCStreamReader")
struct IPCReaderTests {
    @Test("reads what the writer writes, whole, sliced and compressed", arguments: IPCCases.options)
    func roundTrip(options: IPCWriteOptions) throws {
        let batch = IPCCases.batch
        let batches = [batch, batch.slice(1..<4), batch.slice(0..<0), batch.slice(3..<4)]
        let (schema, read) = try IPCGoldenTests.read(
            stream: try IPCCases.stream(batches, options)
        )
        let (fileSchema, readFile) = try IPCGoldenTests.read(
            file: try IPCCases.file(batches, options)
        )
        #expect(schema == batch.schema)
        #expect(fileSchema == batch.schema)
        for other in [read, readFile] {
            #expect(other.map(\.rowCount) == [4, 3, 0, 1])
            for (a, b) in zip(batches, other) {
                for (left, right) in zip(a.columns, b.columns) {
                    #expect("\(left.values)" == "\(right.values)")
                }
            }
        }
    }

    @Test("writes constants, dictionaries and nulls as plain values")
    func encodings() throws {
        let dictionary = ColumnDictionary(
            Column(.string, [.string("x"), .string("a longer text")])
        )
        let codes: [UInt32] = [1, 0, 1]
        let columns = [
            Column.constant(.int64(7), .int64, count: 3), .nulls(.date, count: 3),
            Column.constant(.list([.int32(1)]), .list(Field("element", .int32)), count: 3),
            Column(
                type: .string,
                count: 3,
                validity: Bitmap([true, false, true]),
                storage: .dictionary(
                    codes: BufferSlice(codes.withUnsafeBytes { Buffer(copying: $0) }),
                    dictionary
                )
            ),
        ]
        let schema = Schema(columns.enumerated().map { Field("c\($0)", $1.type) })
        let batch = RecordBatch(schema: schema, columns: columns, rowCount: 3)
        let (_, read) = try IPCGoldenTests.read(stream: try IPCCases.stream([batch], .init()))
        for (a, b) in zip(columns, read[0].columns) { #expect(a.values == b.values) }
        let other = RecordBatch(
            schema: Schema([Field("c", .int32)]),
            columns: [Column(.int32, [.null])],
            rowCount: 1
        )
        #expect(throws: IPCError.self) {
            var writer = IPCStreamWriter(schema: schema)
            _ = try writer.encode(other)
        }
    }

    static func dictionaryBatches() -> [RecordBatch] {
        let shared = ColumnDictionary(Column(.string, [.string("x"), .string("a longer text")]))
        func encoded(_ codes: [UInt32], _ validity: [Bool]) -> Column {
            Column(
                type: .string,
                count: 3,
                validity: Bitmap(validity),
                storage: .dictionary(
                    codes: BufferSlice(codes.withUnsafeBytes { Buffer(copying: $0) }),
                    shared
                )
            )
        }
        let schema = Schema([Field("s", .string), Field("n", .int64)])
        let columns: [(Column, Column)] = [
            (
                encoded([1, 0, 1], [true, false, true]),
                Column(.int64, [.int64(5), .null, .int64(5)])
            ),
            (encoded([0, 0, 1], [true, true, true]), .constant(.int64(9), .int64, count: 3)),
            (Column(.string, [.string("new"), .null, .string("x")]), .nulls(.int64, count: 3)),
        ]
        return columns.map { RecordBatch(schema: schema, columns: [$0, $1], rowCount: 3) }
    }

    @Test("gets dictionaries as dictionaries when they were written so")
    func dictionaries() throws {
        var options = IPCWriteOptions()
        options.dictionaryColumns = [0, 1]
        let batches = Self.dictionaryBatches()
        let bytes = try IPCCases.stream(batches, options)
        let (_, read) = try IPCGoldenTests.read(stream: bytes)
        for (a, b) in zip(batches, read) {
            for (left, right) in zip(a.columns, b.columns) { #expect(left.values == right.values) }
        }
        guard case .dictionary(_, let first) = read[0].columns[0].storage,
            case .dictionary(_, let second) = read[1].columns[0].storage
        else {
            Issue.record("no dictionaries")
            return
        }
        // The second batch has the first one's dictionary: it was sent once.
        #expect(first === second)
        guard Python.path != nil else { return }
        let script = """
            import pyarrow.ipc as ipc
            with ipc.open_stream(open('a.stream', 'rb')) as r:
                for b in r: print([str(c.type) for c in b.columns], [c.to_pylist() for c in b.columns])
            """
        let (output, _) = try Python.run(script, files: ["a.stream": bytes])
        let types =
            "['dictionary<values=string, indices=int32, ordered=0>', "
            + "'dictionary<values=int64, indices=int32, ordered=0>']"
        #expect(
            output == """
                \(types) [['a longer text', None, 'a longer text'], [5, None, 5]]
                \(types) [['x', 'x', 'a longer text'], [9, 9, 9]]
                \(types) [['new', None, 'x'], [None, None, None]]

                """
        )
    }

    @Test("does not care how the bytes are cut")
    func cuts() throws {
        let batch = IPCCases.batch
        let bytes = try IPCCases.stream([batch, batch], IPCCases.options[2])
        for size in [1, 7, 100, 4096] {
            let reader = IPCStreamReader()
            var count = 0
            for start in stride(from: 0, to: bytes.count, by: size) {
                reader.feed(Array(bytes[start..<min(bytes.count, start + size)]))
                while let read = try reader.next() {
                    count += 1
                    #expect("\(read.columns.map(\.values))" == "\(batch.columns.map(\.values))")
                }
            }
            try reader.finish()
            #expect(count == 2)
        }
        for end in stride(from: 0, to: bytes.count - 8, by: 13) {
            #expect(throws: IPCError.self) {
                try IPCGoldenTests.read(stream: Array(bytes[..<end]) + [0])
            }
        }
    }

    @Test("throws on damaged bytes, never traps", arguments: 0..<16)
    func damage(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let options = IPCCases.options[Int(seed) % IPCCases.options.count]
        let stream = try IPCCases.stream([IPCCases.batch], options)
        let file = try IPCCases.file([IPCCases.batch], options)
        for _ in 0..<300 {
            var (a, b) = (stream, file)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let value: UInt8 =
                    [0, 1, 2, 8, 0x7F, 0x80, 0xFF].randomElement(using: &random) ?? 0
                a[Int.random(in: a.indices, using: &random)] = value
                b[Int.random(in: b.indices, using: &random)] = value
            }
            for result in [try? IPCGoldenTests.read(stream: a), try? IPCGoldenTests.read(file: b)] {
                for batch in result?.1 ?? [] { _ = batch.columns.map { $0.values.count } }
            }
            _ = try? IPCGoldenTests.read(stream: randomBytes(upTo: 100, using: &random))
            _ = try? IPCGoldenTests.read(file: randomBytes(upTo: 100, using: &random))
        }
    }

    static let script = """
        import pyarrow as pa, pyarrow.ipc as ipc, decimal, datetime as dt
        t = pa.table({
            'i8': pa.array([-128, None, 127], pa.int8()), 'u8': pa.array([0, None, 255], pa.uint8()),
            'i16': pa.array([-5, None, 5], pa.int16()), 'u16': pa.array([0, None, 65535], pa.uint16()),
            'u32': pa.array([0, None, 4294967295], pa.uint32()),
            'u64': pa.array([0, None, 18446744073709551615], pa.uint64()),
            'f16': pa.array([1.5, None, 6e-8], pa.float16()),
            'd64': pa.array([dt.date(2024, 1, 2), None, dt.date(1969, 12, 31)], pa.date64()),
            't32': pa.array([1, None, 86399], pa.time32('s')), 't64': pa.array([1000, None, 2000], pa.time64('ns')),
            'ts_s': pa.array([-1, None, 1], pa.timestamp('s')), 'ts_ns': pa.array([-1000, None, 1000], pa.timestamp('ns', 'Europe/Berlin')),
            'dec': pa.array([decimal.Decimal('-1.23'), None, decimal.Decimal('99999.99')], pa.decimal128(7, 2)),
            'view': pa.array(['short', None, 'a string longer than twelve'], pa.string_view()),
            'large': pa.array(['x', None, 'yy'], pa.large_string()),
            'dict': pa.array(['a', None, 'b'], pa.string()).dictionary_encode(),
            'fsl': pa.array([[1, 2], None, [3, None]], pa.list_(pa.int32(), 2)),
            'll': pa.array([['a'], None, []], pa.large_list(pa.string())),
        })
        for name, o in [('plain', None), ('lz4', 'lz4'), ('zstd', 'zstd')]:
            options = ipc.IpcWriteOptions(compression=o, unify_dictionaries=False)
            with ipc.new_stream(name + '.stream', t.schema, options=options) as w: w.write_table(t)
            with ipc.new_file(name + '.file', t.schema, options=options) as w: w.write_table(t)
        for name, a in [('ns', pa.array([1], pa.timestamp('ns'))), ('duration', pa.array([1], pa.duration('s'))),
                        ('d256', pa.array([decimal.Decimal('1')], pa.decimal256(50, 0)))]:
            u = pa.table({'outer': pa.StructArray.from_arrays([a], names=[name])})
            with ipc.new_stream('bad_' + name, u.schema) as w: w.write_table(u)
        delta = pa.schema([('x', pa.dictionary(pa.int8(), pa.string()))])
        with ipc.new_stream('delta', delta, options=ipc.IpcWriteOptions(emit_dictionary_deltas=True)) as w:
            for values in (['a', 'b'], ['a', 'b', 'c']):
                d = pa.DictionaryArray.from_arrays(pa.array(range(len(values)), pa.int8()), pa.array(values))
                w.write_batch(pa.record_batch([d], schema=delta))
        with ipc.new_stream('replace', delta) as w:
            for values in (['a', 'b'], ['x', 'y']):
                d = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int8()), pa.array(values))
                w.write_batch(pa.record_batch([d], schema=delta))
        """

    @Test(
        "reads what pyarrow writes, compressed or not",
        .enabled(if: Python.path != nil, "needs VARVE_PYTHON with pyarrow")
    )
    func pyarrow() throws {
        let (_, files) = try Python.run(Self.script)
        let day: Int64 = 86_400_000_000
        let expected: [[Value]] = [
            [.int32(-128), .null, .int32(127)], [.int32(0), .null, .int32(255)],
            [.int32(-5), .null, .int32(5)], [.int32(0), .null, .int32(65535)],
            [.int64(0), .null, .int64(4_294_967_295)],
            [.decimal(0), .null, .decimal(18_446_744_073_709_551_615)],
            [.float32(1.5), .null, .float32(5.9604645e-8)], [.date(19724), .null, .date(-1)],
            [.time(1_000_000), .null, .time(day - 1_000_000)], [.time(1), .null, .time(2)],
            [.timestamp(-1_000_000), .null, .timestamp(1_000_000)],
            [.timestamptz(-1), .null, .timestamptz(1)],
            [.decimal(-123), .null, .decimal(9_999_999)],
            [.string("short"), .null, .string("a string longer than twelve")],
            [.string("x"), .null, .string("yy")], [.string("a"), .null, .string("b")],
            [.list([.int32(1), .int32(2)]), .null, .list([.int32(3), .null])],
            [.list([.string("a")]), .null, .list([])],
        ]
        for name in ["plain", "lz4", "zstd"] {
            let stream = try IPCGoldenTests.read(stream: files[name + ".stream"] ?? [])
            let file = try IPCGoldenTests.read(file: files[name + ".file"] ?? [])
            for (schema, batches) in [stream, file] {
                #expect(batches.count == 1)
                for (number, column) in batches[0].columns.enumerated() {
                    #expect(column.values == expected[number], "\(schema?[number].name ?? "")")
                }
                guard case .dictionary = batches[0].columns[15].storage else {
                    Issue.record("the dictionary is not kept")
                    return
                }
            }
        }
        for name in ["ns", "duration", "d256"] {
            let error = #expect(throws: IPCError.self) {
                try IPCGoldenTests.read(stream: files["bad_" + name] ?? [])
            }
            #expect(error?.path == ["outer", name])
            #expect(error?.code == .unsupported)
        }
        let delta = try IPCGoldenTests.read(stream: files["delta"] ?? []).1.map {
            $0.columns[0].values
        }
        #expect(
            delta == [[.string("a"), .string("b")], [.string("a"), .string("b"), .string("c")]]
        )
        let replace = try IPCGoldenTests.read(stream: files["replace"] ?? []).1.map {
            $0.columns[0].values
        }
        #expect(replace == [[.string("a"), .string("b")], [.string("x"), .string("y")]])
    }
}
