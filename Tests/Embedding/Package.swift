// swift-tools-version: 6.3
import PackageDescription

let package = Package(
    name: "prices",
    dependencies: [
        // A checkout of Weir.
        .package(name: "weir", path: "../..")
    ],
    targets: [
        .target(
            name: "CPrices",
            dependencies: [
                .product(name: "CProtobufC", package: "weir"),
                .product(name: "CWeirProtos", package: "weir"),
            ]),
        .executableTarget(
            name: "Prices",
            dependencies: [
                "CPrices",
                .product(name: "CProtobufC", package: "weir"),
                .product(name: "Weir", package: "weir"),
            ]),
    ]
)
