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
    .executable(name: "repconv-hdf5", targets: ["repconv-hdf5"]),
    // Every module that a public signature mentions, so that what it declares can be named.
    .library(name: "Tensors", targets: ["Tensors"]),
    .library(name: "Graphs", targets: ["Graphs"]),
    .library(name: "Checkpoints", targets: ["Checkpoints"]),
    .library(name: "CheckpointFiles", targets: ["CheckpointFiles"]),
    .library(name: "RVD", targets: ["RVD"]),
    .library(name: "ONNX", targets: ["ONNX"]),
    .library(name: "CoreML", targets: ["CoreML"]),
    .library(name: "NCNN", targets: ["NCNN"]),
    .library(name: "Blocks", targets: ["Blocks"]),
    .library(name: "Naming", targets: ["Naming"]),
    .library(name: "Topologies", targets: ["Topologies"]),
    .library(name: "Reparameterization", targets: ["Reparameterization"]),
    .library(name: "Proof", targets: ["Proof"]),
    .library(name: "Conversion", targets: ["Conversion"]),
    .library(name: "ImageFiles", targets: ["ImageFiles"]),
    .library(name: "Inference", targets: ["Inference"]),
    .library(name: "Calibration", targets: ["Calibration"]),
    .library(name: "Reporting", targets: ["Reporting"]),
    // For the package in Fuzz, nobody else.
    .library(name: "_FuzzTargets", targets: ["FuzzTargets"]),
  ],
  traits: [
    // A package that depends on this one switches it off with `traits: []`, a build of this one with
    // `swift build --disable-default-traits --product repconv`.
    .trait(
      name: "Pictures",
      description: "Reads PNG and JPEG files, with libpng and libjpeg, to run networks on them."),
    .default(enabledTraits: ["Pictures"]),
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
      name: "CZstd", pkgConfig: "libzstd",
      providers: [.apt(["libzstd-dev"]), .brew(["zstd"])]),
    .systemLibrary(
      name: "CZip", pkgConfig: "libzip",
      providers: [.apt(["libzip-dev"]), .brew(["libzip"])]),
    .systemLibrary(
      name: "CHDF5", pkgConfig: "hdf5",
      providers: [.apt(["libhdf5-dev"]), .brew(["hdf5"])]),

    // In the order data flows: each target imports only targets above it.
    .target(
      name: "Checksums",
      dependencies: ["CDeflate", .product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: settings),
    .target(name: "CKernels"),
    .target(name: "CPartialFiles"),
    .target(name: "CPreallocation"),
    .target(name: "CThreads"),
    .target(
      name: "Tensors", dependencies: ["Checksums", "CPartialFiles", "CPreallocation", "CThreads"],
      swiftSettings: settings),
    .target(name: "JSON", dependencies: ["Tensors"], swiftSettings: settings),
    .target(name: "Protobuf", swiftSettings: settings),
    .target(name: "Graphs", dependencies: ["Tensors"], swiftSettings: settings),
    .target(name: "Checkpoints", dependencies: ["Graphs", "Tensors"], swiftSettings: settings),
    .target(
      name: "RVD",
      dependencies: ["Checkpoints", "Checksums", "Graphs", "JSON", "Tensors", "CZstd"],
      swiftSettings: settings),
    .target(
      name: "ONNX",
      dependencies: ["Checkpoints", "Graphs", "Protobuf", "RVD", "Tensors"],
      swiftSettings: settings),
    .target(
      name: "CoreML",
      dependencies: ["Checkpoints", "Graphs", "Protobuf", "RVD", "Tensors"],
      swiftSettings: settings),
    .target(
      name: "NCNN", dependencies: ["Checkpoints", "Graphs", "Tensors"], swiftSettings: settings),
    .target(name: "HDF5", dependencies: ["Tensors", "CDeflate"], swiftSettings: settings),
    .target(name: "Pickle", dependencies: ["Tensors"], swiftSettings: settings),
    .target(
      name: "CheckpointFiles",
      dependencies: [
        "Checkpoints", "Checksums", "Graphs", "Tensors", "JSON", "HDF5", "ONNX", "Pickle", "RVD",
        "CZip",
      ],
      swiftSettings: settings),
    .target(name: "Blocks", dependencies: ["Tensors"], swiftSettings: settings),
    .target(
      name: "Naming", dependencies: ["Blocks", "Checkpoints", "Tensors"], swiftSettings: settings),
    .target(
      name: "Topologies", dependencies: ["Blocks", "Checkpoints", "Graphs", "Naming", "Tensors"],
      swiftSettings: settings),
    .target(
      name: "Reparameterization",
      dependencies: ["Blocks", "Checkpoints", "Graphs", "Naming", "Tensors", "Topologies"],
      swiftSettings: settings),
    .target(
      name: "Proof",
      dependencies: ["Blocks", "Checkpoints", "Naming", "Reparameterization", "Tensors"],
      swiftSettings: settings),
    .target(
      name: "Conversion",
      dependencies: [
        "Blocks", "CheckpointFiles", "Checkpoints", "Checksums", "CoreML", "Graphs", "JSON",
        "NCNN", "Naming", "ONNX", "Proof", "RVD", "Reparameterization", "Tensors", "Topologies",
      ],
      swiftSettings: settings),
    .target(
      name: "Reporting",
      dependencies: [
        "Blocks", "Checkpoints", "Conversion", "Graphs", "Naming", "ONNX", "Proof",
        "Reparameterization", "Tensors", "Topologies",
      ],
      swiftSettings: settings),
    .target(name: "CImages", dependencies: ["CPNG", "CJPEG"]),
    .target(
      name: "ImageFiles",
      dependencies: [
        "Checkpoints", "Tensors", .target(name: "CImages", condition: .when(traits: ["Pictures"])),
      ],
      swiftSettings: settings),
    .target(
      name: "Inference",
      dependencies: [
        "Blocks", "CheckpointFiles", "Checkpoints", "Conversion", "Graphs", "ImageFiles", "Naming",
        "Proof",
        "RVD", "Reparameterization", "Tensors", "Topologies", "CKernels",
      ],
      swiftSettings: settings),
    .target(
      name: "Calibration",
      dependencies: [
        "Blocks", "Checkpoints", "Conversion", "Graphs", "Inference", "Naming",
        "Reparameterization", "Tensors", "Topologies",
      ],
      swiftSettings: settings),
    .target(
      name: "Releases",
      dependencies: [
        "Checkpoints", "Checksums", "Conversion", "ImageFiles", "Inference", "JSON", "Proof",
        "Reporting", "Tensors",
      ],
      swiftSettings: settings),
    .executableTarget(
      name: "repconv",
      dependencies: [
        "Blocks", "Calibration", "CheckpointFiles", "Checkpoints", "Conversion", "Graphs",
        "ImageFiles", "Inference", "JSON",
        "Naming", "ONNX", "Proof", "RVD", "Releases", "Reparameterization", "Reporting", "Tensors",
        "Topologies",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings),

    // A program of its own, because the HDF5 library crashes on damaged files.
    .executableTarget(name: "repconv-hdf5", dependencies: ["CHDF5"]),

    // A measuring program, not a product; see Benchmarks/README.md.
    .executableTarget(
      name: "throughput",
      dependencies: ["Blocks", "Checkpoints", "RVD", "Reparameterization", "Tensors"],
      path: "Benchmarks/Throughput", swiftSettings: settings),

    // Tells the tests what a run of the program took.
    .executableTarget(
      name: "run-measured", path: "Tests/RunMeasured", swiftSettings: settings),
    .target(
      name: "TestSupport", dependencies: ["Checkpoints", "RVD", "Tensors"],
      path: "Tests/TestSupport", swiftSettings: settings),
    .target(
      name: "FuzzTargets",
      dependencies: [
        "Checkpoints", "Checksums", "Conversion", "Graphs", "HDF5", "Inference", "JSON", "Naming",
        "Pickle", "Reparameterization", "Tensors", "TestSupport",
      ],
      path: "Tests/FuzzTargets", swiftSettings: settings),
    .testTarget(name: "ChecksumsTests", dependencies: ["Checksums"], swiftSettings: settings),
    .testTarget(
      name: "TensorsTests", dependencies: ["Checksums", "Tensors", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "JSONTests", dependencies: ["JSON", "Tensors", "TestSupport"], swiftSettings: settings),
    .testTarget(
      name: "GraphsTests", dependencies: ["Graphs", "Tensors"], swiftSettings: settings),
    .testTarget(
      name: "ONNXTests",
      dependencies: ["Checkpoints", "Graphs", "ONNX", "RVD", "Tensors", "TestSupport"],
      swiftSettings: settings),
    .testTarget(name: "ProtobufTests", dependencies: ["Protobuf"], swiftSettings: settings),
    .testTarget(
      name: "CoreMLTests",
      dependencies: ["Checkpoints", "CoreML", "Graphs", "RVD", "Tensors", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "NCNNTests",
      dependencies: ["Checkpoints", "Graphs", "NCNN", "RVD", "Tensors", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "HDF5Tests", dependencies: ["HDF5", "Tensors", "TestSupport", "repconv-hdf5"],
      swiftSettings: settings),
    .testTarget(
      name: "PickleTests", dependencies: ["Checkpoints", "Pickle", "Tensors", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "CheckpointFilesTests",
      dependencies: [
        "CheckpointFiles", "Checkpoints", "Checksums", "HDF5", "Pickle", "RVD", "Tensors",
        "TestSupport", "repconv-hdf5",
      ],
      swiftSettings: settings),
    .testTarget(
      name: "NamingTests",
      dependencies: ["Blocks", "Checkpoints", "Naming", "Tensors", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "FuzzTests", dependencies: ["FuzzTargets", "TestSupport", "repconv-hdf5"],
      swiftSettings: settings),
    .testTarget(
      name: "TopologiesTests",
      dependencies: ["Blocks", "Graphs", "Naming", "Tensors", "Topologies"],
      swiftSettings: settings),
    .testTarget(
      name: "ReparameterizationTests",
      dependencies: ["Blocks", "Naming", "Reparameterization", "Tensors", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "ProofTests", dependencies: ["Proof", "Tensors", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "RVDTests",
      dependencies: [
        "Checkpoints", "Checksums", "Graphs", "JSON", "RVD", "Tensors", "TestSupport",
      ],
      swiftSettings: settings),
    .testTarget(
      name: "ConversionTests",
      dependencies: [
        "Blocks", "CheckpointFiles", "Checkpoints", "Conversion", "Graphs", "Inference", "Naming",
        "Proof", "RVD", "Reparameterization", "Tensors", "TestSupport", "Topologies",
      ],
      swiftSettings: settings),
    .testTarget(
      name: "ImageFilesTests",
      dependencies: ["Checkpoints", "ImageFiles", "Tensors", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "InferenceTests",
      dependencies: [
        "Blocks", "CheckpointFiles", "Checkpoints", "Conversion", "Graphs", "ImageFiles",
        "Inference", "CKernels",
        "Naming", "RVD", "Reparameterization", "Tensors", "TestSupport", "Topologies",
      ],
      swiftSettings: settings),
    .testTarget(
      name: "CalibrationTests",
      dependencies: [
        "Calibration", "Checkpoints", "Conversion", "Graphs", "Inference", "Naming", "ONNX",
        "Proof", "RVD", "Reparameterization", "Tensors", "TestSupport",
      ],
      swiftSettings: settings),
    .testTarget(
      name: "ReportingTests",
      dependencies: [
        "Conversion", "Graphs", "Naming", "Proof", "Reporting", "Tensors", "TestSupport",
      ],
      swiftSettings: settings),
    .testTarget(
      name: "ReleasesTests",
      dependencies: ["JSON", "Releases", "TestSupport"], swiftSettings: settings),
    .testTarget(
      name: "RepconvTests",
      dependencies: [
        "repconv", "repconv-hdf5", "run-measured", "Blocks", "Checksums", "Naming", "Tensors",
        "TestSupport", "Topologies",
      ],
      swiftSettings: settings),
  ]
)
