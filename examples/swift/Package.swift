// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "ship",
  platforms: [.macOS(.v26)],
  dependencies: [
    // In a package of your own: .package(url: "https://github.com/OWNER/repconv", branch: "main")
    .package(name: "repconv", path: "../..")
  ],
  targets: [
    .executableTarget(
      name: "ship",
      dependencies: [.product(name: "Conversion", package: "repconv")])
  ]
)
