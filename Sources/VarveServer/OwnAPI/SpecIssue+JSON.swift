import Bytes
import Pipelines

extension SpecIssue {
    /// As answers have it.
    var json: JSON {
        var object: JSONObject = [
            "spec": .string(place.file), "line": .integer(place.line),
            "column": .integer(place.column), "key": .string(key), "message": .string(message),
        ]
        if let hint { object["hint"] = .string(hint) }
        return .object(object)
    }
}
