// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .strictMemorySafety(),
]

let package = Package(
  name: "repconv",
  platforms: [.macOS(.v26)],
  products: [
    .executable(name: "repconv", targets: ["repconv"]),
    // Every module that a public signature mentions, so that what it declares can be named.
    .library(name: "Tensors", targets: ["Tensors"]),
    .library(name: "CheckpointFiles", targets: ["CheckpointFiles"]),
    .library(name: "RVD", targets: ["RVD"]),
    .library(name: "Naming", targets: ["Naming"]),
    .library(name: "Reparameterization", targets: ["Reparameterization"]),
    .library(name: "Proof", targets: ["Proof"]),
    .library(name: "Conversion", targets: ["Conversion"]),
    .library(name: "ImageFiles", targets: ["ImageFiles"]),
    .library(name: "Inference", targets: ["Inference"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", "3.12.3"..<"5.0.0"),
  ],
  targets: [
    // System libraries: a module map and a shim header, nothing else.
    .systemLibrary(
      name: "CJPEG", pkgConfig: "libjpeg",
      providers: [.apt(["libjpeg-dev"]), .brew(["jpeg-turbo"])]),
    .systemLibrary(
      name: "CPNG", pkgConfig: "libpng",
      providers: [.apt(["libpng-dev"]), .brew(["libpng"])]),
    .systemLibrary(
      name: "CDeflate", pkgConfig: "libdeflate",
      providers: [.apt(["libdeflate-dev"]), .brew(["libdeflate"])]),
    .systemLibrary(
      name: "CZip", pkgConfig: "libzip",
      providers: [.apt(["libzip-dev"]), .brew(["libzip"])]),

    // In the order data flows: each target imports only targets above it.
    .target(
      name: "Checksums",
      dependencies: ["CDeflate", .product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: settings),
    .target(name: "CPreallocation"),
    .target(
      name: "Tensors", dependencies: ["Checksums", "CPreallocation"], swiftSettings: settings),
    .target(name: "Pickle", dependencies: ["Tensors"], swiftSettings: settings),
    .target(
      name: "CheckpointFiles",
      dependencies: ["Checksums", "Tensors", "Pickle", "CDeflate", "CZip"],
      swiftSettings: settings),
    .target(name: "Naming", dependencies: ["Tensors"], swiftSettings: settings),
    .target(
      name: "Reparameterization", dependencies: ["Tensors", "Naming"], swiftSettings: settings),
    .target(
      name: "Proof", dependencies: ["Tensors", "Naming", "Reparameterization"],
      swiftSettings: settings),
    .target(name: "RVD", dependencies: ["Checksums", "Tensors"], swiftSettings: settings),
    .target(
      name: "Conversion",
      dependencies: [
        "Checksums", "Tensors", "CheckpointFiles", "Naming", "Reparameterization", "Proof", "RVD",
      ],
      swiftSettings: settings),
    .target(name: "CImages", dependencies: ["CPNG", "CJPEG"]),
    .target(name: "ImageFiles", dependencies: ["Tensors", "CImages"], swiftSettings: settings),
    .target(
      name: "Inference",
      dependencies: [
        "Tensors", "CheckpointFiles", "Naming", "Reparameterization", "Proof", "RVD", "Conversion",
        "ImageFiles",
      ],
      swiftSettings: settings),
    .executableTarget(
      name: "repconv",
      dependencies: [
        "CheckpointFiles", "Conversion", "ImageFiles", "Inference", "Naming", "Proof", "RVD",
        "Reparameterization", "Tensors",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings),

    // A measuring program, not a product; see Benchmarks/README.md.
    .executableTarget(
      name: "throughput", dependencies: ["Reparameterization", "Tensors"],
      path: "Benchmarks/Throughput", swiftSettings: settings),

    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: settings),
    .testTarget(name: "ChecksumsTests", dependencies: ["Checksums"], swiftSettings: settings),
    .testTarget(
      name: "TensorsTests", dependencies: ["Checksums", "Tensors", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "PickleTests", dependencies: ["Pickle", "Tensors", "TestSupport"],
      swiftSettings: settings),
    .testTarget(name: "NamingTests", dependencies: ["Naming", "Tensors"], swiftSettings: settings),
    .testTarget(
      name: "ReparameterizationTests", dependencies: ["Naming", "Reparameterization", "Tensors"],
      swiftSettings: settings),
    .testTarget(
      name: "ProofTests", dependencies: ["Proof", "Tensors", "TestSupport"], swiftSettings: settings
    ),
    .testTarget(
      name: "CheckpointFilesTests",
      dependencies: ["CheckpointFiles", "Checksums", "Pickle", "Tensors", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "RVDTests", dependencies: ["Checksums", "RVD", "Tensors", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "ConversionTests",
      dependencies: [
        "CheckpointFiles", "Conversion", "Naming", "Proof", "RVD", "Reparameterization", "Tensors",
        "TestSupport",
      ],
      swiftSettings: settings),
    .testTarget(
      name: "ImageFilesTests", dependencies: ["ImageFiles", "Tensors", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "InferenceTests",
      dependencies: [
        "CheckpointFiles", "Conversion", "Inference", "Naming", "RVD", "Reparameterization",
        "Tensors", "TestSupport",
      ],
      swiftSettings: settings),
    .testTarget(
      name: "RepconvTests", dependencies: ["repconv", "TestSupport"], swiftSettings: settings),
  ]
)
