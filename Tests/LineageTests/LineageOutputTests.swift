import Bytes
import Foundation
import TestSupport
import Testing

import Lineage

private let shared: URL = {
    if let path = ProcessInfo.processInfo.environment["VARVE_SHARED"] {
        return URL(fileURLWithPath: path)
    }
    return URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("shared")
}()
private let schemas = shared.appendingPathComponent("corpora/openlineage")

@Suite("Lineage output") struct LineageOutputTests {
    private func log() -> LogBuilder {
        var log = LogBuilder()
        log.create("a")
        log.create("odd \"n<&>'ame\\")
        log.run("a", from: ["data/a \"x\"&<.csv"], map: identityMap(["x", "y\nz"]))
        log.run("odd \"n<&>'ame\\", from: ["a"], map: identityMap(["x"], rows: ["y\nz"]))
        return log
    }

    private func answer() throws -> (LineageAnswer, LineageGraph) {
        let graph = try log().graph()
        let name = try NodeName("ns.\"odd \"\"n<&>'ame\\\"")
        return (try graph.upstream(of: name, LineageOptions(columns: true)), graph)
    }

    @Test("writes names so that they read back as nodes")
    func names() throws {
        let (answer, graph) = try answer()
        #expect(answer.nodes.count > 4)
        for node in answer.nodes {
            let again = try graph.upstream(of: NodeName(node.name))
            #expect(again.nodes.first?.name == node.name)
        }
    }

    @Test("has as many rows and JSON edges as edges")
    func rows() throws {
        let (answer, _) = try answer()
        #expect(answer.rows.count == answer.edges.count)
        #expect(answer.rows.allSatisfy { $0.count == LineageAnswer.rowColumns.count })
        let json = try JSON.parse(answer.serialized())
        #expect(json["edges"]?.array?.count == answer.edges.count)
        #expect(json["complete"] == true)
    }

    @Test(
        "comes line by line, in pieces of whole lines, as it does at once",
        arguments: [1, 300, 1 << 20]
    )
    func lines(pieceBytesMin: Int) throws {
        let (answer, _) = try answer()
        let pieces = Array(answer.lines(pieceBytesMin: pieceBytesMin))
        #expect(pieces.allSatisfy { $0.last == 0x0A })
        #expect(pieces.dropLast().allSatisfy { $0.count >= pieceBytesMin })
        let lines = pieces.joined().split(separator: 0x0A).map { Array($0) }
        #expect(lines.count == 1 + answer.nodes.count + answer.edges.count)
        let all = try lines.map { try JSON.parse($0) }
        let whole = try JSON.parse(answer.serialized())
        #expect(all.compactMap { $0["node"] } == whole["nodes"]?.array)
        #expect(all.compactMap { $0["edge"] } == whole["edges"]?.array)
        #expect(all[0]["answer"]?["complete"] == true)
        #expect(all[0]["answer"]?["nodes"] == .integer(answer.nodes.count))
        if pieceBytesMin == 1 { #expect(pieces.count == lines.count) }
    }

    @Test("escapes names in DOT and Cypher")
    func escapes() throws {
        let (answer, _) = try answer()
        #expect(answer.dot.contains(#"\"odd"#))
        for text in [answer.dot, answer.cypher] {
            // Every line has its quotes closed: escapes left no end of a string behind.
            for line in text.split(separator: "\n") {
                var isOpen = false
                var isEscaped = false
                for character in line.unicodeScalars {
                    if isEscaped {
                        isEscaped = false
                    } else if character == "\\" {
                        isEscaped = true
                    } else if character == "\"" {
                        isOpen.toggle()
                    }
                }
                #expect(!isOpen, "\(line)")
            }
        }
    }

    @Test("writes GraphML that an XML reader takes", .enabled(if: Python.path != nil))
    func graphML() throws {
        let (answer, _) = try answer()
        let script = """
            import xml.etree.ElementTree as tree
            root = tree.parse("graph.xml").getroot()
            space = "{http://graphml.graphdrawing.org/xmlns}"
            graph = root.find(space + "graph")
            names = [n.find(space + "data[@key='n_name']").text for n in graph.findall(space + "node")]
            print(len(names), len(graph.findall(space + "edge")), "\\n" in "".join(names))
            """
        let output = try Python.run(script, files: ["graph.xml": Array(answer.graphML.utf8)]).output
        #expect(output == "\(answer.nodes.count) \(answer.edges.count) True\n")
    }

    @Test("writes one OpenLineage event for each run, with symlinks and versions")
    func openLineage() throws {
        let (answer, graph) = try answer()
        let writer = OpenLineageWriter(namespace: "s3://lake")
        let events = writer.events(of: answer, in: graph)
        #expect(events.count == 2)
        #expect(events == writer.events(in: graph, positions: 1...4))
        let output = try #require(events[1]["outputs"]?[0])
        #expect(output["namespace"] == "s3://lake")
        #expect(output["facets"]?["version"]?["datasetVersion"] == "40")
        #expect(output["facets"]?["columnLineage"]?["fields"]?["x"] != nil)
    }

    @Test(
        "writes OpenLineage events that its JSON schemas accept",
        .enabled(
            if: Python.path != nil && FileManager.default.fileExists(atPath: schemas.path),
            "needs Python with jsonschema and the OpenLineage schemas"
        )
    )
    func schemasAccept() throws {
        let (answer, graph) = try answer()
        let events = OpenLineageWriter(namespace: "s3://lake").events(of: answer, in: graph)
        let script = """
            import json, pathlib
            from jsonschema import Draft202012Validator, FormatChecker
            from referencing import Registry, Resource
            folder = pathlib.Path("\(schemas.path)")
            registry = Registry()
            loaded = {}
            for path in [folder / "OpenLineage.json"] + sorted((folder / "facets").glob("*.json")):
                schema = json.loads(path.read_text())
                loaded[path.name] = schema
                registry = registry.with_resource(schema["$id"], Resource.from_contents(schema))
            def check(schema, value):
                Draft202012Validator(schema, registry=registry,
                    format_checker=FormatChecker()).validate(value)
            facets = 0
            for event in json.load(open("events.json")):
                check(loaded["OpenLineage.json"], event)
                for holder in [event["job"]] + event["inputs"] + event["outputs"]:
                    for name, facet in holder.get("facets", {}).items():
                        address, fragment = facet["_schemaURL"].split("#")
                        schema = loaded[address.split("/")[-1]]
                        assert schema["$id"] == address, (schema["$id"], address)
                        check(schema, {name: facet})
                        facets += 1
            print(facets)
            """
        let bytes = JSON.array(events).serialized()
        let output = try Python.run(script, files: ["events.json": bytes]).output
        #expect(
            (Int(output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0) >= 8,
            "\(output)"
        )
    }
}
