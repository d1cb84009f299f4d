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

let package = Package(
    name: "varve",
    products: [],
    dependencies: [
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    ],
    targets: [
        // Floor 0
        .systemLibrary(
            name: "CZstd",
            path: "Sources/CZstd",
            pkgConfig: "libzstd",
            providers: [.apt(["libzstd-dev"])]
        ),
        .systemLibrary(
            name: "CSnappy",
            path: "Sources/CSnappy",
            providers: [.apt(["libsnappy-dev"])]
        ),
        .systemLibrary(
            name: "CLZ4",
            path: "Sources/CLZ4",
            pkgConfig: "liblz4",
            providers: [.apt(["liblz4-dev"])]
        ),
        .systemLibrary(
            name: "CZlib",
            path: "Sources/CZlib",
            pkgConfig: "zlib",
            providers: [.apt(["zlib1g-dev"])]
        ),
        .target(
            name: "Bytes",
            dependencies: ["CZstd", "CSnappy", "CLZ4", "CZlib"],
            swiftSettings: memory
        ),
        .target(name: "CCurl", linkerSettings: [.linkedLibrary("curl")]),
        .target(name: "Ambient", swiftSettings: shipped),
        .target(name: "SQL", swiftSettings: shipped),

        // Floor 1
        .target(name: "Columnar", dependencies: ["Bytes"], swiftSettings: memory),
        .target(
            name: "ObjectStorage",
            dependencies: [
                "Ambient", "Bytes", "CCurl", .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: shipped
        ),

        // Floor 2
        .target(
            name: "CommitLog",
            dependencies: [
                "Ambient", "Bytes", "ObjectStorage",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: shipped
        ),

        // Floor 2
        .target(name: "Iceberg", dependencies: ["Bytes"], swiftSettings: shipped),

        // Floor 3
        .target(
            name: "Catalog",
            dependencies: [
                "Ambient", "Bytes", "CommitLog", "Iceberg", "ObjectStorage",
                .product(name: "HashTreeCollections", package: "swift-collections"),
            ],
            swiftSettings: shipped
        ),

        // Tests
        .target(
            name: "TestSupport",
            dependencies: ["Ambient", "ObjectStorage"],
            swiftSettings: common
        ),
        .testTarget(
            name: "BytesTests",
            dependencies: ["Bytes", "TestSupport"],
            swiftSettings: common
        ),
        .testTarget(
            name: "AmbientTests",
            dependencies: ["Ambient", "TestSupport"],
            swiftSettings: common
        ),
        .testTarget(
            name: "ObjectStorageTests",
            dependencies: ["Ambient", "ObjectStorage", "TestSupport"],
            swiftSettings: common
        ),
        .testTarget(
            name: "CatalogTests",
            dependencies: [
                "Ambient", "Bytes", "Catalog", "CommitLog", "Iceberg", "ObjectStorage",
                "TestSupport",
            ],
            swiftSettings: common
        ),
        .testTarget(
            name: "CommitLogTests",
            dependencies: ["Ambient", "Bytes", "CommitLog", "ObjectStorage", "TestSupport"],
            swiftSettings: common
        ),
        .testTarget(name: "SQLTests", dependencies: ["SQL", "TestSupport"], swiftSettings: common),
        .testTarget(
            name: "ColumnarTests",
            dependencies: ["Bytes", "Columnar", "TestSupport"],
            swiftSettings: common
        ),
        .testTarget(
            name: "IcebergTests",
            dependencies: ["Bytes", "Iceberg", "TestSupport"],
            swiftSettings: common
        ),
    ]
)
