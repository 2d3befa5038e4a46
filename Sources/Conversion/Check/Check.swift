internal import Checkpoints
internal import Naming
internal import Proof
public import Tensors

/// What `check` should look at.
public struct CheckOptions: Sendable {
  /// How the file is read.
  public var reading = ReadingOptions()
  /// Whether warnings count as failures.
  public var isStrict = false
  /// How many threads read it.
  public var threads = Threads.all

  public init() {}
}

/// Reads all of a file and judges it; memory does not grow with the file.
///
/// A file whose directory is damaged is one that is not sound.
///
/// - Throws: `ReadError` if the file cannot be read; `NamingError`, `ConversionError`.
public func check(_ path: String, options: CheckOptions = CheckOptions()) throws -> CheckReport {
  let checkpoint: Checkpoint
  do {
    checkpoint = try openCheckpoint(
      path, family: options.reading.family, limits: options.reading.limits)
  } catch let error as ReadError where error.isCorruption {
    return CheckReport(
      file: FileSummary(unreadable: try InputFile(path: path)), isStrict: options.isStrict,
      tensors: [], stateDicts: 0, globals: [],
      findings: [
        Finding(
          severity: .failure, kind: .container, subject: nil,
          text: firstLine(error.description, of: path))
      ])
  }
  let dicts = try checkpoint.stateDicts(called: options.reading.key)
  var inspector = Inspector(checkpoint, options)
  for dict in dicts { try inspector.examine(dict, isOnly: dicts.count == 1, options.threads) }
  try inspector.verifyChecksums(dicts.flatMap(\.tensors).map(\.tensor), options.threads)
  inspector.examineGlobals()
  return inspector.report(stateDicts: dicts.count)
}

/// Gathers findings.
struct Inspector {
  let checkpoint: Checkpoint
  let reading: ReadingOptions
  let isStrict: Bool
  var findings: [Finding] = []
  var tensors: [TensorHealth] = []
  /// The first recognised.
  var network: Network?

  init(_ checkpoint: Checkpoint, _ options: CheckOptions) {
    self.checkpoint = checkpoint
    reading = options.reading
    isStrict = options.isStrict
  }

  func report(stateDicts: Int) -> CheckReport {
    var file = FileSummary(checkpoint, network, tensors: checkpoint.stateDicts.flatMap(\.tensors))
    // These are findings here.
    let damaged = file.notes.filter { if case .damaged = $0 { true } else { false } }
    file.notes.removeAll { $0.isAboutGlobals || damaged.contains($0) }
    let findings =
      findings
      + damaged.map {
        Finding(severity: .warning, kind: .structure, subject: nil, text: $0.description)
      }
    return CheckReport(
      file: file, isStrict: isStrict, tensors: tensors, stateDicts: stateDicts,
      globals: checkpoint.globals,
      findings: findings.filter { $0.severity == .failure }
        + findings.filter { $0.severity == .warning })
  }

  mutating func add(
    _ severity: Finding.Severity, _ kind: Finding.Kind, _ subject: Name?, _ text: String
  ) {
    findings.append(Finding(severity: severity, kind: kind, subject: subject, text: text))
  }

  func firstLine(_ text: String) -> String { Conversion.firstLine(text, of: checkpoint.path) }
}

/// What an error on the file at `path` says is wrong, without the path and the advice.
package func firstLine(_ text: String, of path: String) -> String {
  var line = text.split(separator: "\n").first.map(String.init) ?? text
  if line.hasPrefix(path + ": ") { line.removeFirst(path.count + 2) }
  return line
}
