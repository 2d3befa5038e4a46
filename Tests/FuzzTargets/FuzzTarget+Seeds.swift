internal import Foundation
internal import Naming
internal import TestSupport

// What mutations start from.

extension FuzzTarget {
  /// The small fixtures whose paths end as `pattern` does, which may have a folder before `*`.
  ///
  /// - Parameter start: what they begin with.
  static func fixtures(
    _ pattern: String, start: [UInt8] = [], largest: Int = 20_000
  ) throws -> [[UInt8]] {
    let parts = pattern.split(separator: "*")
    let ending = String(parts.last!)
    let folder = parts.count > 1 ? String(parts[0]) : ""
    let vectors = URL(filePath: Fixtures.folder + "/../../formats/vectors").standardized.path
    return try [Fixtures.folder + "/" + folder, vectors].flatMap { root in
      try FileManager.default.subpathsOfDirectory(atPath: root).sorted()
        .filter { $0.hasSuffix(ending) }.map { root + "/" + $0 }
    }.compactMap { path in
      let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as! Int
      guard (1...largest).contains(size) else { return nil }
      let bytes = Array(try Data(contentsOf: URL(filePath: path)))
      return bytes.starts(with: start) ? bytes : nil
    }
  }

  /// Files of MegEngine, and the pickles in PyTorch's archives.
  @Sendable static func pickles() throws -> [[UInt8]] {
    try fixtures(".pth", start: zip).compactMap { bytes in
      ZipParts(bytes)?.members.first { $0.isStored && $0.name.ends(with: Array("data.pkl".utf8)) }?
        .data
    } + fixtures(".pkl", start: [0x80])
  }

  /// The JSON in files: headers of safetensors, manifests of `.rvd`.
  @Sendable static func headers() throws -> [[UInt8]] {
    try fixtures(".safetensors").compactMap { bytes in
      bytes.number(at: 0, width: 8).flatMap { bytes.part(at: 8, count: $0) }
    } + fixtures(".rvd").compactMap { bytes in RVDParts(bytes)?.manifest }
      + fixtures(".json")
  }

  @Sendable static func dialects() throws -> [[UInt8]] {
    Dialect.all.map { Array($0.text.utf8) }
  }

  /// Rules, and names that they are for.
  @Sendable static func renames() -> [[UInt8]] {
    [
      "*.{s}.*={s}.*.*\nstage.1.conv.weight\na.b.c\n1", "encoder.*=*\nencoder.a\nencoder.",
      "stage{s}.{b}.rbr_dense.*=stages.{s-1}.blocks.{b}.*\nstage1.0.rbr_dense.conv.weight",
      "*a*a*a*b=*x*y*z*\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ].map { Array($0.utf8) }
  }
}
