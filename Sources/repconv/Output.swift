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

/// Prints a report as one JSON object or as text, unless nothing is to be printed.
///
/// - Parameters:
///   - output: the file that was written, if there is one: the report leaves standard output to `-`.
///   - verdict: whether the first line of the text says good news; nil if it is neither.
func printReport(
  _ report: some Encodable, of command: any ParsableCommand.Type, _ options: PrintArguments,
  output: String? = nil, verdict: Bool? = nil, text: () -> String
) throws {
  if options.quiet { return }
  let descriptor = output == "-" ? STDERR_FILENO : STDOUT_FILENO
  try printOutput(
    to: descriptor,
    options.json
      ? harmlessJSON(
        ReportEncoder.value(of: Envelope(command: command._commandName, report: report)).indented())
      : Terminal(behind: descriptor).shown(text() + "\n", verdict: verdict))
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

/// Writes to standard output, or another descriptor, all of it or with an error. What is from files has been
/// made harmless.
func printOutput(to descriptor: CInt = STDOUT_FILENO, _ text: String) throws(OutputError) {
  ProgressBar.clear()
  do {
    try unsafe Array(text.utf8).withBytes { (bytes) throws(TransferError) in
      try unsafe writeAll(bytes, to: descriptor)
    }
  } catch {
    throw OutputError(reason: error.reason)
  }
}

/// Says on standard error what may be wrong.
func printWarnings(_ notes: [Note]) {
  for note in notes where note.isWarning { printError(.warning, note.advised) }
}
