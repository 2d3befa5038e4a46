// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that neither the program nor its tests wait for an instrumented build; see
// scripts/fuzz.
let package = Package(
  name: "Fuzz",
  platforms: [.macOS(.v26)],
  dependencies: [.package(name: "repconv", path: "..", traits: [])],
  targets: [
    .systemLibrary(name: "CLibFuzzer"),
    .executableTarget(
      name: "fuzz",
      dependencies: ["CLibFuzzer", .product(name: "_FuzzTargets", package: "repconv")],
      swiftSettings: [.unsafeFlags(["-parse-as-library"])]),
  ]
)
