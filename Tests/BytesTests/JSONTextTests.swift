import Testing

import Bytes
import TestSupport

@Suite("JSON texts") struct JSONTextTests {
    private func view(_ text: String) throws -> JSONView { try JSONText(Array(text.utf8)).root }

    private func randomValue(_ depth: Int, _ random: inout SeededGenerator) -> JSON {
        let texts = ["", "a", "name", "é", "\"\\\n", "😀 and \u{1}", "longer than eight bytes", "K"]
        switch Int.random(in: 0..<(depth > 0 ? 7 : 5), using: &random) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &random))
        case 2: return .integer(Int64.random(in: .min ... .max, using: &random))
        case 3: return .number("1.50e3")
        case 4: return .string(texts.randomElement(using: &random) ?? "")
        case 5:
            let count = Int.random(in: 0...5, using: &random)
            return .array((0..<count).map { _ in randomValue(depth - 1, &random) })
        default:
            var object = JSONObject()
            for number in 0..<Int.random(in: 0...40, using: &random) {
                let key = (texts.randomElement(using: &random) ?? "") + "\(number % 25)"
                object[key] = randomValue(depth - 1, &random)
            }
            return .object(object)
        }
    }

    /// Everything that a view says of itself and of what is in it.
    private func check(_ view: JSONView, _ json: JSON, in root: JSONView, _ path: String) {
        #expect(view.json == json)
        #expect(view.serialized() == json.serialized())
        #expect(view.serialized(sortedKeys: true) == json.serialized(sortedKeys: true))
        #expect(view.string == json.string)
        #expect(view.bool == json.bool)
        #expect(view.int64 == json.int64)
        #expect(view.isArray == (json.array != nil))
        #expect(view.isObject == (json.object != nil))
        #expect(root.path(to: view) == path)
        #expect(view.detached.json == json)
        #expect(view.detached.serialized() == json.serialized())
        #expect(view.detached.hasSameText(as: view))
        #expect(view.detached.textHash == view.textHash)
        if let elements = json.array {
            #expect(view.count == elements.count)
            for (index, element) in view.elements.enumerated() {
                check(element, elements[index], in: root, path + "[\(index)]")
            }
        }
        if let object = json.object {
            #expect(view.count == object.count)
            #expect(view.members.map(\.key) == object.keys)
            for member in view.members {
                let found = view[member.key]
                #expect(found?.isWritten(as: member.value) == true)
                check(
                    member.value,
                    object[member.key] ?? .null,
                    in: root,
                    path.isEmpty ? member.key : "\(path).\(member.key)"
                )
            }
            #expect(view["no such key"] == nil)
        }
    }

    @Test("say what their values say", arguments: 0..<16)
    func values(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<20 {
            let json = randomValue(4, &random)
            for pretty in [false, true] {
                let root = try JSONText(json.serialized(pretty: pretty)).root
                check(root, json, in: root, "")
            }
        }
    }

    @Test("are equal when their values are, and written the same when their order is, too")
    func equality() throws {
        let one = try view(#"{"a": [1, "\u0041é"], "b": {}}"#)
        #expect(one.isWritten(as: try view(#"{"a":[1,"A\u00e9"],"b":{}}"#)))
        let turned = try view(#"{"b":{},"a":[1,"Aé"]}"#)
        #expect(!one.isWritten(as: turned))
        #expect(one == turned)
        for other in [
            #"{"a":[1,"Aé"],"b":[]}"#, #"{"a":[1.0,"Aé"],"b":{}}"#, #"{"a":[1,"A"],"b":{}}"#,
            #"{"a":[1],"b":{}}"#, #"{"a":[1,"Aé"],"c":{}}"#, #"{"a":[true,"Aé"],"b":{}}"#,
        ] {
            #expect(one != (try view(other)))
            #expect(!one.isWritten(as: try view(other)))
        }
        // Texts that are equal as Unicode has it are not written the same.
        #expect(!(try view("\"é\"").isWritten(as: try view("\"e\u{301}\""))))
    }

    @Test("find members however their keys are written")
    func keys() throws {
        let object = try view(#"{"n\u0061me": 1, "K": 2, "é": 3}"#)
        #expect(object["name"]?.int64 == 1)
        #expect(object["K"]?.int64 == 2)
        #expect(object["e\u{301}"]?.int64 == 3)
        #expect(throws: BytesError.self) { try view(#"{"n\u0061me": 1, "name": 2}"#) }
        #expect(throws: BytesError.self) { try view("{\"é\": 1, \"e\u{301}\": 2}") }
    }

    @Test("know how deep their parts are")
    func depth() throws {
        let root = try view(#"[[[[1]]], {"a": {}}, 1]"#)
        #expect(!root.isDeeper(than: 4))
        #expect(root.isDeeper(than: 3))
        let parts = root.elements
        #expect(parts[0].isDeeper(than: 2) && !parts[0].isDeeper(than: 3))
        #expect(parts[1].isDeeper(than: 1) && !parts[1].isDeeper(than: 2))
        #expect(!parts[2].isDeeper(than: 0))
    }

    @Test("are refused exactly when they are no JSON, and never trap", arguments: 0..<16)
    func damaged(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            var bytes = randomValue(3, &random).serialized(pretty: Bool.random(using: &random))
            for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: index)
                default: bytes.removeSubrange(index...)
                }
            }
            let json = try? JSON.parse(bytes)
            let text = try? JSONText(bytes)
            #expect((json == nil) == (text == nil))
            if let json, let root = text?.root { check(root, json, in: root, "") }
        }
    }
}
