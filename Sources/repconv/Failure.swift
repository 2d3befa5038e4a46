import ArgumentParser
import Calibration
import Conversion
import Inference
import Naming
import Releases
import Reparameterization
import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Exit statuses beside 0 and, for wrong usage, 64.
enum Status: CInt {
  /// The file is damaged, or is not what it was said to be.
  case checkFailed = 1
  /// Out of reach, not supported, or refused.
  case notDone = 2
}

/// Prints an error to stderr and ends the program with the status that fits it; or what was asked for, if that is
/// help, a version or a script.
func fail(_ error: any Error) -> Never {
  if let status = status(of: error) {
    printError(.error, message(of: error))
    exit(status.rawValue)
  }
  let code = Repconv.exitCode(for: error)
  let text = Repconv.fullMessage(for: error)
  switch error {
  case is ExitCode: break
  case let error as ValidationError: printError(.error, error.message)
  case _ where code.isSuccess:
    do {
      try printOutput((Completions.script(text) ?? text) + "\n")
    } catch {
      fail(error)
    }
  default:
    // What is wrong, and how the command is used.
    let lines = text.trimmingPrefix("Error: ")
      // What our own sentences say as well.
      .replacing(/^The value '[^\n]*' is invalid for '[^\n]*?': (?!expected)/, with: "")
      .split(separator: "\n")
    let indented = lines.map { $0.hasPrefix("  ") ? String($0) : "  \($0)" }
    printError(.error, String(indented.joined(separator: "\n").dropFirst(2)))
  }
  exit(code.rawValue)
}

/// The status for an error of ours; nil for one of the argument parser.
func status(of error: any Error) -> Status? {
  switch error {
  case let error as AdvisedError: return status(of: error.error)
  case let error as ReadError:
    return error.isCorruption ? .checkFailed : .notDone
  case is WriteError, is NamingError, is OutputError, is EmptyList:
    return .notDone
  case let error as ConversionError:
    switch error {
    case .notFinite, .notProven, .warned, .notWhole: return .checkFailed
    default: return .notDone
    }
  case let error as FusionError:
    switch error {
    case .wrongArchitecture, .invalidBatchNorm: return .checkFailed
    default: return .notDone
    }
  case let error as CalibrationError:
    if case .notFinite = error { return .checkFailed }
    return .notDone
  case let error as ReleaseError:
    return error.isFailedCheck ? .checkFailed : .notDone
  case let error as InferenceError:
    if case .accuracyBelow = error { return .checkFailed }
    return .notDone
  default:
    return nil
  }
}

/// How bad it is that something is said on standard error.
enum Severity: String {
  case error, warning

  fileprivate var style: Style { self == .error ? .bad : .warning }
}

/// Says on standard error that something is wrong.
func printError(_ severity: Severity, _ text: String) {
  ProgressBar.clear()
  let terminal = Terminal.errors
  // Lines of a message are indented but for the first: others come out of a name in a file.
  let message = "repconv: \(severity.rawValue): " + text.replacing(/\n(?! )/, with: "\\u{a}")
  var shown = terminal.shown(message, isReport: false) + "\n"
  if terminal.hasColors {
    let label = "\(severity.rawValue):"
    shown = "repconv: " + severity.style(label) + shown.dropFirst("repconv: \(label)".count)
  }
  // Safe: `write` reads exactly the bytes given. What cannot be said cannot be helped.
  shown.withUTF8 { bytes in _ = unsafe write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
}
