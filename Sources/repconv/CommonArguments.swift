import ArgumentParser
import Blocks
import Conversion
import Naming
import Tensors

/// What is printed, and how.
struct PrintArguments: ParsableArguments {
  @Flag(help: "Print one JSON object; formats/json.md tells what is in it.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print nothing but errors and warnings.")
  var quiet = false

  @Option(
    help: ArgumentHelp(
      "Use colours: auto, on terminals unless NO_COLOR is set; always; or never.",
      valueName: "when"))
  var color: Terminal.ColorChoice = .auto

  func validate() throws {
    Terminal.choose(color)
    if json && quiet { throw ValidationError("--json prints what --quiet leaves out: choose one.") }
  }
}

/// How many threads are used.
struct ThreadArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Use at most this many threads (default: all processors; to write a file, 4).",
      valueName: "n"))
  var threads: Int?

  func validate() throws {
    if let threads, threads < 1 {
      throw ValidationError("--threads takes a number of at least 1, not \(threads).")
    }
  }

  /// Nil if it is not said.
  var chosen: Threads? { threads.map { Threads($0) } }
}

/// BatchNorm's epsilon.
struct EpsilonArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "BatchNorm's epsilon, if the training file does not say it (default: that of the dialect); none if no block has BatchNorm.",
      valueName: "number|none"),
    completion: .list(["none"]))
  var bnEps: String?

  /// Nil if it is not said, or if there is no BatchNorm.
  var epsilon: Double? { bnEps.flatMap { Double($0) } }

  func apply(to options: inout ReadingOptions) {
    options.facts.hasNoBatchNorm = bnEps?.lowercased() == "none"
  }

  func validate() throws {
    guard let bnEps, bnEps.lowercased() != "none" else { return }
    guard let epsilon, epsilon.isFinite, epsilon > 0 else {
      throw ValidationError("--bn-eps takes a number above 0, or none, not '\(bnEps)'.")
    }
  }
}

/// Where the output goes.
struct OutputPathArguments: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      "The file to write; its extension tells the format. A folder gets one with the input's name.",
      valueName: "out"),
    completion: .file())
  var positional: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("The same, as an option.", valueName: "out"), completion: .file())
  var output: String?

  func validate() throws {
    if positional != nil && output != nil {
      throw ValidationError("Name the output once: either as OUT or with -o.")
    }
  }

  /// Whether it is named.
  var isNamed: Bool { positional != nil || output != nil }

  /// The path of the output.
  ///
  /// - Parameters:
  ///   - input: what it is made from.
  ///   - format: of a file whose name is not given, as `--to` has it; nil if there is none to be taken for
  ///     granted.
  ///   - isOptional: whether a file in the current folder is meant where nothing is named.
  func path(for input: String, format: String?, isOptional: Bool = false) throws -> String {
    guard let named = positional ?? output else {
      guard isOptional, let format else {
        throw ValidationError("Name the file to write, as the last argument or with -o.")
      }
      return OutputPathArguments.name(for: input, format)
    }
    guard named.hasSuffix("/") || isFolder(named), !OutputFormat.isNamed(by: named) else {
      return named
    }
    guard let format else {
      throw ValidationError(
        "'\(named)' is a folder: name the format of the file in it with --to, or the file itself.")
    }
    return named + (named.hasSuffix("/") ? "" : "/") + OutputPathArguments.name(for: input, format)
  }

  /// `dir/repvgg_a0.pkl` becomes `repvgg_a0.pth`; the `.tar` of `.pth.tar` goes as well.
  private static func name(for input: String, _ format: String) -> String {
    var name = lastPart(of: input)
    for suffix in OutputFormat.checkpointExtensions
    where name.lowercased().hasSuffix(suffix) && name.count > suffix.count {
      name.removeLast(suffix.count)
    }
    return "\(name).\(format)"
  }
}

/// An error about a value that is none of those known: the nearest of these, or all if there are few.
///
/// - Parameters:
///   - option: what takes it, as `--names`.
///   - command: what lists them all.
func unknownValue(
  _ value: String, of option: String, among known: [String], listedBy command: String? = nil
) -> ValidationError {
  guard let command, known.count > 12 else {
    return ValidationError(
      "\(option) takes one of \(known.joined(separator: ", ")), not '\(value)'.")
  }
  let nearest = nearestNames(to: value, in: known)
  return ValidationError(
    "\(option) does not know '\(value)'\(nearest.isEmpty ? "" : "; nearest: \(nearest.joined(separator: ", "))"). '\(command)' lists them all."
  )
}

/// Does something with each of several files. If there are several, one that fails does not keep the others from
/// their turn: its error is printed, and thrown in the end is the gravest status.
///
/// - Parameter body: Returns whether the file passed.
func forEach(of files: [String], _ body: (String) throws -> Bool) throws {
  var statuses: Set<CInt> = []
  for file in files {
    do {
      if try !body(file) { statuses.insert(Status.checkFailed.rawValue) }
    } catch {
      guard files.count > 1, let status = status(of: error), !(error is OutputError) else {
        throw error
      }
      printError(.error, message(of: error))
      statuses.insert(status.rawValue)
    }
  }
  // That a check failed says more than that another file could not be read.
  if let status = statuses.min() { throw ExitCode(status) }
}
