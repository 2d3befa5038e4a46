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
      ? ReportEncoder.value(of: Envelope(command: command._commandName, report: report)).indented()
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
  do {
    try unsafe Array(harmless(text).utf8).withBytes { (bytes) throws(TransferError) in
      try unsafe writeAll(bytes, to: descriptor)
    }
  } catch {
    throw OutputError(reason: error.reason)
  }
}

/// Says on standard error what may be wrong.
func printWarnings(_ notes: [Note]) {
  for note in notes where note.isWarning { printError("repconv: warning: \(note.advised)") }
}
