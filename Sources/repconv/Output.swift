import ArgumentParser
import Conversion
import JSON
import RVD
import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Standard output could not be written to.
struct OutputError: Error, CustomStringConvertible {
  var reason: String
  var description: String {
    "standard output: \(reason).\n  What it should have shown is lost; the rest was done."
  }
}

/// Prints a report as one JSON object or as text.
///
/// - Parameter output: the file that was written, if there is one: the report leaves standard output to `-`.
func printReport(
  _ report: some Encodable, of command: any ParsableCommand.Type, asJSON: Bool,
  output: String? = nil, text: () -> String
) throws {
  try printOutput(
    to: output == "-" ? STDERR_FILENO : STDOUT_FILENO,
    asJSON
      ? harmlessJSON(
        ReportEncoder.value(of: Envelope(command: command._commandName, report: report)).indented())
      : text() + "\n")
}

/// What every JSON object begins with, and a report.
private struct Envelope<Report: Encodable>: Encodable {
  /// Changes when a key is renamed, removed or means something else, not when one is added; see
  /// formats/json.md.
  let schema = 1
  let tool = "repconv \(repconvVersion)"
  var command: String
  var report: Report

  func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: ["schema": schema, "tool": tool, "command": command])
    try report.encode(to: encoder)
  }
}

/// Writes to standard output, or another descriptor, all of it or with an error.
func printOutput(to descriptor: CInt = STDOUT_FILENO, _ text: String) throws(OutputError) {
  ProgressBar.clear()
  var text = harmless(text)
  let failure = text.withUTF8 { bytes -> CInt? in
    var done = 0
    while done < bytes.count {
      // Safe: the kernel reads at most the given count of bytes, all inside `bytes`.
      let put = unsafe write(descriptor, bytes.baseAddress! + done, bytes.count - done)
      if put < 0 && errno == EINTR { continue }
      guard put > 0 else { return errno }
      done += put
    }
    return nil
  }
  guard let failure else { return }
  let reason = unsafe String(cString: strerror(failure))
  throw OutputError(reason: reason.prefix(1).lowercased() + reason.dropFirst())
}

/// Says on standard error what may be wrong.
func printWarnings(_ notes: [Note]) {
  for note in notes where note.isWarning { printError("repconv: warning: \(note.advised)") }
}
