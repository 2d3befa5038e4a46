import Foundation
public import Tensors

extension Fixtures {
  /// The lines of a table, cut at tabs.
  public static func table(_ name: String) throws -> [[String]] {
    try String(contentsOfFile: path(name), encoding: .utf8).split(separator: "\n")
      .map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
  }

  /// The description of an error about a fixture, whose path is told from the folder of all of them on.
  public static func description(of error: any Error) -> String {
    let text = String(describing: error)
    let prefix = path("")
    return text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text
  }
}

extension ByteSource {
  public func allBytes() throws -> [UInt8] {
    try bytes(0..<count, field: "everything")
  }
}
