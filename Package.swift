// swift-tools-version:6.2
import PackageDescription

// The import arrows of docs/architecture.md. A target names what it needs on lower floors, nothing
// else; `TidyTests` and the explicit-dependency check of the build hold it to that.

let common: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]
let shipped: [SwiftSetting] = common + [.treatAllWarnings(as: .error)]
/// Targets that hand out spans of their own memory.
let memory: [SwiftSetting] = shipped + [.enableExperimentalFeature("Lifetimes")]

/// A C library of the system, by its module map.
func system(_ name: String, _ pkgConfig: String?, apt: String) -> Target {
    .systemLibrary(
        name: name,
        path: "Sources/\(name)",
        pkgConfig: pkgConfig,
        providers: [.apt([apt])]
    )
}

/// The tests of the target of the same name.
func tests(
    of name: String,
    _ dependencies: [Target.Dependency],
    exclude: [String] = []
) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: dependencies + ["TestSupport"],
        exclude: exclude,
        swiftSettings: common
    )
}

let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")

let package = Package(
    name: "varve",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(
            url: "https://github.com/hummingbird-project/hummingbird",
            from: "2.28.1",
            traits: []
        ),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Floor 0
        system("CZstd", "libzstd", apt: "libzstd-dev"),
        system("CSnappy", nil, apt: "libsnappy-dev"),
        system("CLZ4", "liblz4", apt: "liblz4-dev"),
        system("CZlib", "zlib", apt: "zlib1g-dev"),
        system("CPCRE2", "libpcre2-8", apt: "libpcre2-dev"),
        system("CMalloc", nil, apt: "libc6-dev"),
        .target(
            name: "Bytes",
            dependencies: ["CZstd", "CSnappy", "CLZ4", "CZlib"],
            swiftSettings: memory
        ),
        .target(name: "Ambient", swiftSettings: shipped),
        .target(name: "CCurl", linkerSettings: [.linkedLibrary("curl")]),
        .target(name: "SQL", swiftSettings: shipped),

        // Floor 1
        .target(name: "Columnar", dependencies: ["Bytes", "CMalloc"], swiftSettings: memory),
        .target(
            name: "ObjectStorage",
            dependencies: ["Ambient", "Bytes", "CCurl", crypto],
            swiftSettings: shipped
        ),

        // Floor 2
        .target(name: "Iceberg", dependencies: ["Bytes"], swiftSettings: shipped),
        .target(name: "Planner", dependencies: ["Columnar", "SQL"], swiftSettings: shipped),
        .target(
            name: "Kernels",
            dependencies: ["Bytes", "Columnar", "CPCRE2"],
            swiftSettings: memory
        ),
        .target(name: "Parquet", dependencies: ["Bytes", "Columnar"], swiftSettings: memory),
        .target(name: "TextFiles", dependencies: ["Bytes", "Columnar"], swiftSettings: shipped),
        .target(
            name: "CommitLog",
            dependencies: ["Ambient", "Bytes", "ObjectStorage", crypto],
            swiftSettings: shipped
        ),

        // Floor 3
        .target(
            name: "Catalog",
            dependencies: [
                "Ambient", "Bytes", "CommitLog", "Iceberg", "ObjectStorage",
                .product(name: "HashTreeCollections", package: "swift-collections"),
            ],
            swiftSettings: shipped
        ),
        .target(
            name: "Lineage",
            dependencies: ["Ambient", "Bytes", "CommitLog", "ObjectStorage", crypto],
            swiftSettings: shipped
        ),
        .target(
            name: "Tables",
            dependencies: [
                "Ambient", "Bytes", "Columnar", "Iceberg", "Kernels", "ObjectStorage", "Parquet",
            ],
            swiftSettings: shipped
        ),
        .target(
            name: "Execution",
            dependencies: ["Ambient", "Bytes", "Columnar", "Kernels", "Planner"],
            swiftSettings: shipped
        ),

        // Floor 4
        .target(
            name: "Pipelines",
            dependencies: ["Bytes", "SQL", crypto, .product(name: "Yams", package: "Yams")],
            swiftSettings: shipped
        ),

        // Floor 5
        .target(
            name: "Engine",
            dependencies: [
                "Ambient", "Bytes", "Catalog", "Columnar", "CommitLog", "Execution", "Iceberg",
                "Kernels", "Lineage", "ObjectStorage", "Parquet", "Pipelines", "Planner", "SQL",
                "Tables", "TextFiles",
            ],
            swiftSettings: shipped
        ),

        // Floor 6
        .target(
            name: "VarveServer",
            dependencies: [
                "Ambient", "Bytes", "Catalog", "Columnar", "CommitLog", "Engine", "Execution",
                "Iceberg", "Kernels", "Lineage", "ObjectStorage", "Parquet", "Pipelines", "Planner",
                "SQL", "Tables", "TextFiles", crypto,
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: shipped
        ),

        // Floor 7
        .executableTarget(
            name: "varve",
            dependencies: [
                "Ambient", "Bytes", "CMalloc", "Catalog", "Columnar", "CommitLog", "Engine",
                "Execution",
                "Iceberg", "Lineage", "ObjectStorage", "Parquet", "Pipelines", "Planner", "SQL",
                "Tables", "TextFiles", "VarveServer",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: shipped
        ),

        // Benchmarks that need the insides
        .executableTarget(
            name: "lineage-benchmark",
            dependencies: [
                "Ambient", "Bytes", "CMalloc", "Catalog", "CommitLog", "Lineage", "ObjectStorage",
            ],
            path: "Benchmarks/Lineage",
            swiftSettings: shipped
        ),

        // Tests
        .target(
            name: "TestSupport",
            dependencies: ["Ambient", "Bytes", "ObjectStorage", crypto],
            swiftSettings: common
        ),
        tests(of: "Bytes", ["Bytes"]),
        tests(of: "Ambient", ["Ambient"]),
        tests(of: "SQL", ["SQL"]),
        tests(of: "Columnar", ["Bytes", "Columnar"]),
        tests(of: "ObjectStorage", ["Ambient", "ObjectStorage"]),
        tests(of: "Iceberg", ["Bytes", "Iceberg"]),
        tests(of: "Planner", ["Columnar", "Planner", "SQL"]),
        tests(of: "Kernels", ["Ambient", "Columnar", "Kernels"]),
        tests(of: "Parquet", ["Bytes", "Columnar", "Parquet"], exclude: ["oracle"]),
        tests(
            of: "CommitLog",
            ["Ambient", "Bytes", "CommitLog", "ObjectStorage"]
        ),
        tests(
            of: "Catalog",
            ["Ambient", "Bytes", "Catalog", "CommitLog", "Iceberg", "ObjectStorage"]
        ),
        tests(
            of: "Tables",
            [
                "Ambient", "Bytes", "Columnar", "Iceberg", "Kernels", "ObjectStorage", "Parquet",
                "Tables",
            ],
            exclude: ["oracle"]
        ),
        tests(
            of: "VarveServer",
            [
                "Ambient", "Bytes", "Catalog", "Columnar", "Engine", "ObjectStorage", "VarveServer",
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        tests(
            of: "Engine",
            [
                "Ambient", "Bytes", "Catalog", "Columnar", "Engine", "Execution", "Iceberg",
                "Kernels", "ObjectStorage", "Parquet", "SQL", "Tables",
            ],
            exclude: ["sqllogic"]
        ),
        tests(
            of: "Execution",
            ["Ambient", "Bytes", "Columnar", "Execution", "Kernels", "Planner", "SQL"]
        ),
        .testTarget(name: "TidyTests", swiftSettings: common),
        tests(of: "Lineage", ["Ambient", "Bytes", "CommitLog", "Lineage", "ObjectStorage"]),
        tests(of: "Pipelines", ["Bytes", "Columnar", "Pipelines", "Planner", "SQL"]),
        tests(of: "TextFiles", ["Bytes", "Columnar", "TextFiles"]),
    ]
)
