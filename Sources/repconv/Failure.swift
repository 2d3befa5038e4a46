import ArgumentParser
import Calibration
import Conversion
import Inference
import Naming
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

/// Prints an error to stderr and ends the program with the status that fits it.
func fail(_ error: any Error) -> Never {
  guard let status = status(of: error) else {
    // What was asked for instead of a command, such as the help, is an error to the parser as well.
    guard let script = Completions.script(Repconv.fullMessage(for: error)) else {
      Repconv.exit(withError: error)
    }
    print(script)
    exit(EXIT_SUCCESS)
  }
  printError("repconv: error: " + message(of: error))
  exit(status.rawValue)
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
  case let error as InferenceError:
    if case .accuracyBelow = error { return .checkFailed }
    return .notDone
  default:
    return nil
  }
}

func printError(_ text: String) {
  ProgressBar.clear()
  // Lines of a message are indented but for the first: others come out of a name in a file.
  var text = harmless(text.replacing(/\n(?! )/, with: "\\u{a}")) + "\n"
  // Safe: `write` reads exactly the bytes given. What cannot be said cannot be helped.
  text.withUTF8 { bytes in _ = unsafe write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
}
