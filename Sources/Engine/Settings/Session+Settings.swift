import Ambient
import Catalog
import Columnar
import Execution
import Kernels
import Planner
import SQL

/// What SET has changed, apart from the session's instant and namespace.
struct SessionSettings: Sendable {
    var threadCount: Int?
    var memory: MemoryBudget?
    var timeZone = "UTC"
    var nullPlacement = NullPlacement.last
    var isDescending = false
    var applicationName = ""
}

extension Session {
    /// How the session's queries run.
    var queryOptions: QueryOptions {
        var options = engine.options.query
        if let count = settings.threadCount { options.threadCount = count }
        if let memory = settings.memory { options.memory = memory }
        return options
    }

    /// Every setting with its value, by names in lower case.
    var settingValues: [String: String] {
        Dictionary(uniqueKeysWithValues: Setting.allCases.map { ($0.rawValue, value(of: $0)) })
    }

    private func value(of setting: Setting) -> String {
        switch setting {
        case .asOf:
            switch asOf {
            case nil: "now"
            case .position(let position)?: "position \(position)"
            case .millis(let millis)?: "\(millis) ms since 1970"
            }
        case .branch: reference ?? "main"
        case .threads: "\(queryOptions.threadCount)"
        case .memoryLimit: Self.shown(bytes: queryOptions.memory.limitBytes)
        case .timeZone: settings.timeZone
        case .schema, .searchPath: namespace.joined(separator: ".")
        case .defaultNullOrder: settings.nullPlacement.rawValue
        case .defaultOrder: settings.isDescending ? "desc" : "asc"
        case .applicationName: settings.applicationName
        case .clientEncoding: "UTF8"
        case .standardConformingStrings: "on"
        }
    }

    private static func shown(bytes: Int) -> String {
        for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] where bytes >= 1 << shift {
            let tenths = Int((Double(bytes) / Double(1 << shift) * 10).rounded())
            return "\(tenths / 10).\(tenths % 10) \(unit)"
        }
        return "\(bytes) bytes"
    }

    /// The setting that a statement names.
    private func setting(_ name: ObjectName, at span: SourceSpan) throws -> Setting {
        let text = name.map(\.name).joined(separator: ".")
        if let setting = Setting(named: text) { return setting }
        let near = nearest(to: text, among: Setting.names)
        throw PlanError(
            .invalid,
            "there is no setting \"\(text)\"",
            hint: near.map { "Did you mean \($0)?" } ?? "SHOW ALL lists the settings.",
            at: name.first == nil ? span : name.span
        )
    }

    // MARK: SET and RESET

    func runSet(
        _ set: SetSetting,
        _ parameters: Parameters,
        _ consume: @escaping Consumer
    ) async throws {
        let setting = try setting(set.name, at: set.span)
        guard set.values.count == 1, let value = set.values.first else {
            throw PlanError(.invalid, "SET \(setting.shown) takes one value", at: set.span)
        }
        if case .defaultValue = value.node {
            try reset(setting)
        } else {
            try await assign(setting, value, parameters)
        }
        try await consume(.done(StatementSummary(tag: "SET")))
    }

    func runReset(_ statement: ResetSetting, _ consume: @escaping Consumer) async throws {
        if let name = statement.name {
            try reset(try setting(name, at: statement.span))
        } else {
            // What runs inside of a namespace stays there.
            for setting in Setting.allCases where setting != .schema && setting != .searchPath {
                try reset(setting)
            }
        }
        try await consume(.done(StatementSummary(tag: "RESET")))
    }

    private func reset(_ setting: Setting) throws {
        let defaults = SessionSettings()
        switch setting {
        case .branch:
            if reference != nil { try requireNoTransaction("RESET branch") }
            (reference, isOnTag) = (nil, false)
        case .asOf: set(asOf: nil)
        case .threads: settings.threadCount = nil
        case .memoryLimit: settings.memory = nil
        case .timeZone: settings.timeZone = defaults.timeZone
        case .schema, .searchPath: namespace = ["main"]
        case .defaultNullOrder: settings.nullPlacement = defaults.nullPlacement
        case .defaultOrder: settings.isDescending = defaults.isDescending
        case .applicationName: settings.applicationName = defaults.applicationName
        case .clientEncoding, .standardConformingStrings: break
        }
    }

    private func assign(
        _ setting: Setting,
        _ expression: SQL.Expression,
        _ parameters: Parameters
    ) async throws {
        func refused(_ wanted: String) -> PlanError {
            PlanError(.invalid, "\(setting.shown) is \(wanted)", at: expression.span)
        }
        // A bare word is its own text.
        var value: Value
        if case .column(let name) = expression.node {
            value = .string(name.map(\.name).joined(separator: "."))
        } else {
            value = try constant(expression, parameters)
        }
        if case .int32(let number) = value { value = .int64(Int64(number)) }
        let text: String
        switch value {
        case .string(let own): text = own
        case .int64(let number): text = "\(number)"
        case .boolean(let isOn): text = isOn ? "on" : "off"
        default: text = ""
        }
        switch setting {
        case .branch:
            guard !text.isEmpty else { throw refused("the name of a branch or tag") }
            try await select(reference: text, at: expression.span)
        case .asOf: try setAsOf(value, at: expression.span)
        case .threads:
            guard let count = Int(text), (1...256).contains(count) else {
                throw refused("a number from 1 to 256")
            }
            settings.threadCount = count
        case .memoryLimit:
            guard let bytes = Self.bytes(text), bytes >= 1 << 20 else {
                throw refused("an amount of at least 1MB, such as '512MB' or '4GB'")
            }
            let most = engine.options.query.memory.limitBytes
            guard bytes <= most else {
                throw refused(
                    "at most \(Self.shown(bytes: most)) here; --memory raises it at the start"
                )
            }
            settings.memory = MemoryBudget(limitBytes: bytes, within: engine.options.query.memory)
        case .timeZone: settings.timeZone = try checkedTimeZone(text, at: expression.span)
        case .schema, .searchPath:
            guard !text.isEmpty else { throw refused("the name of a namespace") }
            try await use(text.split(separator: ".").map(String.init), at: expression.span)
        case .defaultNullOrder:
            settings.nullPlacement = try Self.nullPlacement(text, at: expression.span)
        case .defaultOrder:
            switch text.lowercased() {
            case "asc", "ascending": settings.isDescending = false
            case "desc", "descending": settings.isDescending = true
            default: throw refused("asc or desc")
            }
        case .applicationName: settings.applicationName = text
        case .clientEncoding:
            guard ["utf8", "utf-8"].contains(text.lowercased()) else { throw refused("UTF8") }
        case .standardConformingStrings:
            guard ["on", "true", "1"].contains(text.lowercased()) else { throw refused("on") }
        }
    }

    private func setAsOf(_ value: Value, at span: SourceSpan) throws {
        switch value {
        case .int64(let position): asOf = .position(position)
        case .timestamptz(let micros), .timestamp(let micros): asOf = .millis(micros / 1000)
        case .date(let days): asOf = .millis(Int64(days) * 86_400_000)
        case .string(let text): asOf = try CatalogInstant(text)
        default:
            throw PlanError(.invalid, "as_of is a log position or a timestamp", at: span)
        }
    }

    private static func nullPlacement(_ text: String, at span: SourceSpan) throws -> NullPlacement {
        switch text.lowercased() {
        case "nulls_last", "nulls last", "last": return .last
        case "nulls_first", "nulls first", "first": return .first
        case "sqlite", "mysql": return .firstOnAscending
        case "postgres", "postgresql": return .lastOnAscending
        default:
            let known = NullPlacement.allCases.map(\.rawValue)
            if let placement = NullPlacement(rawValue: text.lowercased()) { return placement }
            throw PlanError(
                .invalid,
                "there is no null order \"\(text)\"",
                hint: "There are \(known.joined(separator: ", ")), and postgres.",
                at: span
            )
        }
    }

    /// A zone that times can be shown in.
    private func checkedTimeZone(_ text: String, at span: SourceSpan) throws -> String {
        do {
            return try TimeZones.rules(text).name
        } catch {
            throw PlanError(
                .invalid,
                "\(error)",
                hint: "Write it like 'Europe/Berlin' or 'UTC'.",
                at: span
            )
        }
    }

    /// `512MB`, `4GB`, `1.5GiB` in bytes.
    private static func bytes(_ text: String) -> Int? {
        let number = text.prefix { $0.isNumber || $0 == "." }
        guard let amount = Double(number), amount >= 0 else { return nil }
        let factor: Double
        switch text.dropFirst(number.count).drop(while: { $0 == " " }).lowercased() {
        case "", "b", "bytes": factor = 1
        case "k", "kb": factor = 1e3
        case "m", "mb": factor = 1e6
        case "g", "gb": factor = 1e9
        case "t", "tb": factor = 1e12
        case "kib": factor = 0x1p10
        case "mib": factor = 0x1p20
        case "gib": factor = 0x1p30
        case "tib": factor = 0x1p40
        default: return nil
        }
        return Int(exactly: (amount * factor).rounded())
    }

    // MARK: SHOW

    func showSetting(_ name: ObjectName, _ consume: @escaping Consumer) async throws {
        if name.count == 1, name[0].name.lowercased() == "all" {
            try await consumeRows(
                Schema([
                    Field("name", .string, isNullable: false),
                    Field("value", .string, isNullable: false),
                    Field("description", .string, isNullable: false),
                ]),
                Setting.allCases.map {
                    [.string($0.shown), .string(value(of: $0)), .string($0.meaning)]
                },
                consume
            )
            return
        }
        let setting = try setting(name, at: name.span)
        try await consumeRows(
            Schema([Field(setting.shown, .string, isNullable: false)]),
            [[.string(value(of: setting))]],
            consume
        )
    }
}
