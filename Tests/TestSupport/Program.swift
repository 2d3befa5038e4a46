import Foundation

/// The built `repconv`, run as a user would; and the other programs that are built with it.
public enum Program {
  public struct Result: Sendable {
    public var status: Int32
    public var output: String
    public var errors: String
  }

  public static let path = path(of: "repconv")

  /// Beside the test bundle, where SwiftPM puts every product.
  public static func path(of name: String) -> String {
    #if os(macOS)
      let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }!.bundleURL
    #else
      let bundle = URL(fileURLWithPath: CommandLine.arguments[0])
    #endif
    return bundle.deletingLastPathComponent().appendingPathComponent(name).path
  }

  /// - Parameter folder: the current folder of the program.
  public static func run(_ arguments: [String], in folder: String) throws -> Result {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    // Files rather than pipes: no output is too long for them.
    let log = FileManager.default.temporaryDirectory.appendingPathComponent(
      "repconv-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: log, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: log) }
    func handle(_ name: String) throws -> FileHandle {
      let url = log.appendingPathComponent(name)
      try Data().write(to: url)
      return try FileHandle(forWritingTo: url)
    }
    process.standardOutput = try handle("out")
    process.standardError = try handle("err")
    process.standardInput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    func text(_ name: String) throws -> String {
      String(decoding: try Data(contentsOf: log.appendingPathComponent(name)), as: UTF8.self)
    }
    return Result(
      status: process.terminationStatus, output: try text("out"), errors: try text("err"))
  }
}
