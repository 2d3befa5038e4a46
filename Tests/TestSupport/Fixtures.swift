import Foundation

/// Where the tests' files are. They are found by the place of this source, so tests run from a checkout.
public enum Fixtures {
  public static let folder: String = {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent()
    return tests.appendingPathComponent("Fixtures").path
  }()

  public static func path(_ name: String) -> String { folder + "/" + name }

  /// Of one of the vectors of `.rvd` that are right: `formats/vectors/valid/NAME.rvd`.
  public static func vectorPath(_ name: String) -> String {
    URL(filePath: folder).appending(path: "../../formats/vectors/valid/\(name).rvd").standardized
      .path
  }

  /// Names of the files in a folder of fixtures whose names end in one of `suffixes`, sorted.
  public static func names(in subfolder: String, suffixes: [String]) -> [String] {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: path(subfolder))) ?? []
    return all.filter { name in suffixes.contains { name.hasSuffix($0) } }.sorted()
  }

  public static func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path(name))))
  }
}

/// A folder that goes away with its owner.
public final class TemporaryFolder {
  public let path: String

  public init() throws {
    path = FileManager.default.temporaryDirectory.path + "/repconv-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  public func file(_ name: String) -> String { path + "/" + name }

  /// Names of all files in it, hidden ones too, sorted.
  public func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path).sorted()
  }

  /// - Parameter makingFolders: whether `name` is a path whose folders may not be there yet.
  @discardableResult
  public func write(_ bytes: [UInt8], to name: String, makingFolders: Bool = false) throws -> String
  {
    if makingFolders {
      try FileManager.default.createDirectory(
        at: URL(fileURLWithPath: file(name)).deletingLastPathComponent(),
        withIntermediateDirectories: true)
    }
    try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
    return file(name)
  }

  public func read(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: file(name))))
  }
}
