/// Why weights were not released, beside the errors of what is done on the way.
@nonexhaustive
package enum ReleaseError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A file that was written is not the training checkpoint, fused, for this reason.
  case notProven(file: String, reason: String)
  /// No file of the release can be read back, and so nothing of it can be proven.
  case nothingReadable(folder: String, formats: [String])
  /// The folder has a release already, of other files or parameters.
  case otherRelease(folder: String, reason: String)
  /// A list of models is not as it has to be.
  case badList(path: String, line: Int?, reason: String, remedy: String)

  package var description: String {
    switch self {
    case .notProven(let file, let reason):
      "\(file): it is not the training checkpoint, fused: \(reason).\n  Nothing was released. The memory or the disk may be at fault; if it happens again, report it as an error of repconv."
    case .nothingReadable(let folder, let formats):
      "\(folder): of \(formats.joined(separator: " and ")) nothing can be read back and proven.\n  Release a format that can as well, such as rvd."
    case .otherRelease(let folder, let reason):
      "\(folder): it is another release: \(reason).\n  It is replaced only where that is asked for."
    case .badList(let path, let line, let reason, let remedy):
      "\(path)\(line.map { " at line \($0)" } ?? ""): \(reason).\n  \(remedy)"
    }
  }

  /// Whether a check failed; else it could not be done.
  package var isFailedCheck: Bool { if case .notProven = self { true } else { false } }
}
