internal import CheckpointFiles
public import Checkpoints
internal import Checksums
internal import RVD
public import Tensors
internal import Topologies

/// Reads the directory and the object graph of any file that is known, but no weights.
///
/// - Parameters:
///   - family: what the file must be (`pytorch`, `megengine`, `rvd`); anything if nil.
///   - limits: of what the file may ask for.
/// - Throws: `ReadError`; `ConversionError.notFrom`.
public func openCheckpoint(
  _ path: String, family: String? = nil, limits: ReadingLimits = ReadingLimits()
) throws -> Checkpoint {
  let checkpoint = try readCheckpoint(path: path, formats: inputFormats, limits: limits)
  if let family, family.lowercased() != checkpoint.family {
    throw ConversionError.notFrom(path: path, asked: family, found: checkpoint.container)
  }
  return checkpoint
}

/// What `Checkpoint.family` can be.
public let inputFamilies = [
  "pytorch", "megengine", "rvd", "safetensors", "hdf5", "keras", "numpy", "paddle", "wts",
  "onnx",
]

extension Checkpoint {
  /// Whether it is an ONNX file, whose tensors go by the names of whoever exported it.
  var isONNX: Bool { family == "onnx" }
}

/// Every container that can be read; the first whose bytes match reads the file.
private let inputFormats =
  FileFormat.all + [
    FileFormat(name: "RVD") { (opened) throws(ReadError) in
      opened.has(RVDFile.magic) ? try RVDFile(source: opened.file).checkpoint : nil
    }
  ]

/// SHA-256 of a whole file, in hexadecimal.
package func fileDigest(_ path: String) throws -> String {
  try fileDigest(try InputFile(path: path))
}

/// The same of a file that is open.
package func fileDigest(_ file: any ByteSource) throws -> String {
  var hash = SHA256()
  var chunk = [UInt8](repeating: 0, count: min(1 << 20, file.count))
  var next = 0
  while next < file.count {
    let size = min(chunk.count, file.count - next)
    try unsafe chunk.withUnsafeMutableBytes { bytes in
      let part = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[..<size])
      try unsafe file.read(into: part, at: next)
      unsafe hash.update(UnsafeRawBufferPointer(part))
    }
    next += size
  }
  return hash.finalize().hexadecimal
}

extension FileSummary {
  /// Throws if the file is not as the options want it.
  ///
  /// - Parameter notes: what else is said of it.
  func require(_ options: ReadingOptions, with notes: [Note] = []) throws(ConversionError) {
    if options.requiresWhole, let deviation {
      throw .notWhole(path: path, reason: deviation.reason)
    }
    let warnings = (self.notes + notes).filter(\.isWarning)
    if options.isStrict, !warnings.isEmpty { throw .warned(path: path, warnings) }
  }
}
