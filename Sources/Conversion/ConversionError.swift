/// Why a conversion was refused before anything was read or written.
@nonexhaustive
public enum ConversionError: Error, Equatable, Sendable {
  /// `--from` says otherwise than the file.
  case notFrom(path: String, asked: String, found: String)
  /// No writer has this file name extension.
  case unknownExtension(path: String, known: [String])
  /// The format holds deploy models only.
  case notDeployed(path: String, format: String, stage: String)
  /// The channel order cannot be changed.
  case noStem(path: String, reason: String)
  /// Two files cannot be compared.
  case notComparable(path: String, reason: String, remedy: String)
  /// A result is not a finite number.
  case notFinite(path: String, name: String, count: Int)
  /// What was written is not the training checkpoint, fused: blocks, and names of other tensors, that
  /// differ.
  case notProven(path: String, blocks: [String], others: [String])
}

extension ConversionError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notFrom(let path, let asked, let found):
      "\(path): it is not a \(asked) file: it is \(found).\n  Leave --from out: what is found in the file decides how it is read."
    case .unknownExtension(let path, let known):
      "\(path): the extension says no format that can be written here.\n  Use one of \(known.joined(separator: ", "))."
    case .notDeployed(let path, let format, let stage):
      "\(path): it is in \(stage) form, and a file of \(format) holds deploy networks only.\n  'repconv fuse' makes one of it."
    case .noStem(let path, let reason):
      "\(path): the order of input channels cannot be changed: \(reason).\n  Use --channels keep."
    case .notComparable(let path, let reason, let remedy):
      "\(path): \(reason).\n  \(remedy)"
    case .notFinite(let path, let name, let count):
      "\(path): '\(name)' would hold \(count) value\(count == 1 ? "" : "s") that \(count == 1 ? "is" : "are") infinite or not a number.\n  The training run diverged or the file is damaged; nothing was written."
    case .notProven(let path, let blocks, let others):
      """
      \(path): what was written is not the training checkpoint, fused: \((blocks.prefix(3).map { "block '\($0)'" } + others.prefix(3).map { "'\($0)'" }).joined(separator: ", ")) \(blocks.count + others.count == 1 ? "differs" : "differ").
        The file was removed. The memory or the disk may be at fault; if it happens again, report it as an error of repconv.
      """
    }
  }
}
