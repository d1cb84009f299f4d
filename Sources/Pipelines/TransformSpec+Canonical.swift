import Bytes
import SQL

extension TransformSpec {
    /// The spec with all SQL in canonical form and every default left out: equal for YAML and JSON,
    /// whatever their spacing and comments.
    var canonicalJSON: JSON {
        var object: JSONObject = ["name": .string(title)]
        if let description { object["description"] = .string(description) }
        if let owner { object["owner"] = .string(owner) }
        if !tags.isEmpty { object["tags"] = .strings(tags) }
        switch kind {
        case .full, .view, .append: object["kind"] = .string(kind.name)
        case .incrementalByTimeRange(let column):
            object["kind"] = [kind.name: ["time_column": .string(column)]]
        case .incrementalByUniqueKey(let columns):
            object["kind"] = [kind.name: ["unique_key": .strings(columns)]]
        }
        switch trigger {
        case .schedule(let text)?: object["schedule"] = .string(text)
        case .freshness(let seconds)?: object["freshness"] = .string("\(seconds) seconds")
        case nil: break
        }
        switch body {
        case .sql(let query): object["sql"] = .string(Printer.print(query))
        case .steps(let source, let steps):
            object["source"] = [
                "table": .string(Printer.print(source.table)), "as": .string(source.alias.name),
            ]
            object["steps"] = .array(steps.map(\.json))
        }
        if !partitionedBy.isEmpty {
            object["partitioned_by"] = .strings(partitionedBy.map { Printer.print($0) })
        }
        if !sortedBy.isEmpty {
            object["sorted_by"] = .strings(
                sortedBy.map { field in
                    [
                        Printer.print(PartitionField(transform: field.transform)),
                        field.direction?.rawValue, field.nulls?.rawValue,
                    ].compactMap { $0 }.joined(separator: " ")
                }
            )
        }
        if !properties.isEmpty {
            var map = JSONObject()
            for property in properties { map[property.key] = .string(property.value) }
            object["properties"] = .object(map)
        }
        if !expectations.isEmpty { object["expectations"] = .array(expectations.map(\.json)) }
        if !tests.isEmpty { object["tests"] = .array(tests) }
        return .object(object)
    }
}

extension TransformStep {
    fileprivate var json: JSON {
        switch self {
        case .filter(let condition): ["filter": .string(Printer.print(condition))]
        case .derive(let columns): ["derive": Self.list(columns)]
        case .replace(let columns): ["replace": Self.list(columns)]
        case .select(let columns): ["select": Self.list(columns)]
        case .rename(let renamings):
            ["rename": .array(renamings.map { [.string($0.old.name), .string($0.new.name)] })]
        case .drop(let columns): ["drop": .strings(columns.map(\.name))]
        case .join(let join): ["join": join.json]
        case .aggregate(let aggregate):
            [
                "aggregate": [
                    "group_by": Self.list(aggregate.groups),
                    "measures": Self.list(aggregate.measures),
                    "having": aggregate.having.map { .string(Printer.print($0)) } ?? .null,
                ]
            ]
        case .tumbling(let window):
            [
                "window": [
                    "tumbling": [
                        "column": .string(Printer.print(window.column)),
                        "size": .string("\(window.count) \(window.unit.rawValue)"),
                        "start": .string(window.start.name), "end": .string(window.end.name),
                    ]
                ]
            ]
        case .distinct: ["distinct": true]
        case .sort(let items):
            [
                "sort": .strings(
                    items.map {
                        [
                            Printer.print($0.expression), $0.direction?.rawValue,
                            $0.nulls?.rawValue,
                        ].compactMap { $0 }.joined(separator: " ")
                    }
                )
            ]
        case .limit(let count, let offset):
            ["limit": ["count": .integer(count), "offset": .integer(offset)]]
        case .union(let tables, let isDistinct):
            [
                "union": [
                    "tables": .strings(tables.map { Printer.print($0) }),
                    "distinct": .bool(isDistinct),
                ]
            ]
        }
    }

    /// A list, since the order of columns counts.
    private static func list(_ columns: [Named]) -> JSON {
        .array(
            columns.map { [.string($0.name.name), .string(Printer.print($0.expression))] }
        )
    }
}

extension StepJoin {
    fileprivate var json: JSON {
        var object: JSONObject = [
            "table": .string(Printer.print(table)), "as": .string(alias.name),
            "type": .string(kind.rawValue.lowercased()),
        ]
        switch condition {
        case .columns(let columns): object["on"] = .strings(columns.map(\.name))
        case .expression(let condition): object["on"] = .string(Printer.print(condition))
        case .none: break
        }
        if let columns { object["columns"] = .strings(columns.map(\.name)) }
        return .object(object)
    }
}

extension Expectation {
    fileprivate var json: JSON {
        var object: JSONObject = [
            "name": .string(name), "on_violation": .string(action.rawValue),
        ]
        switch rule {
        case .check(let condition): object["check"] = .string(Printer.print(condition))
        case .completeness(let columns, let share):
            object["completeness"] = .strings(columns.map(\.name))
            object["at_least"] = JSON.double(share) ?? .null
        case .unique(let columns): object["unique"] = .strings(columns.map(\.name))
        case .rowCount(let min, let max):
            object["row_count"] = [
                "min": min.map { .integer($0) } ?? .null, "max": max.map { .integer($0) } ?? .null,
            ]
        case .acceptedValues(let column, let values):
            object["accepted_values"] = [
                "column": .string(column.name),
                "values": .strings(values.map { Printer.print($0) }),
            ]
        case .relationship(let column, let table, let field):
            object["relationships"] = [
                "column": .string(column.name), "to": .string(Printer.print(table)),
                "field": .string(field.name),
            ]
        }
        return .object(object)
    }
}
