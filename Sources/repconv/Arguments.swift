import ArgumentParser
import Conversion
import Naming
import Reparameterization
import Tensors

/// Options that say how the input is to be read.
struct InputOptions: ParsableArguments {
  @Option(
    name: .customLong("from"),
    help: ArgumentHelp(
      "Fail unless the file is of this family: pytorch, megengine, rvd.", valueName: "family"))
  var family: String?

  @Option(help: "Use this state dict, where the file has several (as 'model_ema').")
  var key: String?

  var reading: ReadingOptions {
    var options = ReadingOptions()
    options.family = family
    options.key = key
    return options
  }

  func validate() throws {
    let known = ["pytorch", "megengine", "rvd"]
    if let family, !known.contains(family.lowercased()) {
      throw ValidationError("--from takes one of \(known.joined(separator: ", ")), not '\(family)'.")
    }
  }
}

/// Options that say how the output is to be written.
struct OutputOptions: ParsableArguments {
  @Flag(help: "Replace the output if it exists.")
  var force = false

  @Flag(help: "Flush the output to the disk before it gets its name.")
  var sync = false

  @Option(help: ArgumentHelp("Use at most this many threads (default: all processors).", valueName: "n"))
  var threads: Int?

  @Flag(name: .shortAndLong, help: "Print nothing but errors and warnings.")
  var quiet = false

  func writing(names: Dialect) -> WritingOptions {
    var options = WritingOptions()
    options.names = names
    options.replace = force
    options.sync = sync
    if let threads { options.threads = Threads(threads) }
    if !quiet { options.progress = ProgressBar.forTerminal() }
    return options
  }

  func validate() throws {
    if let threads, threads < 1 {
      throw ValidationError("--threads takes a number of at least 1, not \(threads).")
    }
  }
}

extension Dialect {
  /// For `@Option(transform:)`.
  static func argument(_ text: String) throws -> Dialect {
    guard let dialect = Dialect.named(text) else {
      throw ValidationError(
        "--names takes one of \(Dialect.all.map(\.name).joined(separator: ", ")), not '\(text)'.")
    }
    return dialect
  }
}

extension Architecture {
  /// For `@Option(transform:)`.
  static func argument(_ text: String) throws -> Architecture {
    do {
      return try Architecture.named(text)
    } catch {
      throw ValidationError(error.description)
    }
  }
}

extension ImportOptions.Channels {
  /// For `@Option(transform:)`.
  static func argument(_ text: String) throws -> ImportOptions.Channels {
    guard let channels = ImportOptions.Channels(rawValue: text.lowercased()) else {
      throw ValidationError(
        "--channels takes one of \(allCases.map(\.rawValue).joined(separator: ", ")), not '\(text)'.")
    }
    return channels
  }
}
