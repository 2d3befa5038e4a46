import ArgumentParser
import Checkpoints
import Conversion
import Naming
import Tensors

extension RewriteArguments {
  /// What `import` and `export` do.
  func rewriteAndReport(
    _ source: String, to output: String, as command: any ParsableCommand.Type,
    setting change: (inout RewriteOptions) -> Void = { _ in }
  ) throws {
    var options = RewriteOptions()
    options.reading = try input.reading()
    gates.apply(to: &options.reading)
    options.writing = try self.output.writing(
      with: input, dialects: options.reading.dialects + Dialect.onRequest, print)
    options.channels = channels
    options.input = givenInput.given
    options.metadata = try metadata.given
    options.writing.alsoRead += metadata.files
    options.isDryRun = self.output.isDryRun
    change(&options)
    let result = try rewrite(source, to: output, options: options)
    printWarnings(result.source.notes + result.notes)
    try printReport(result, of: command, print, output: output) {
      self.output.isDryRun
        ? result.mapping.text(notes: result.source.notes + result.notes) : result.text
    }
  }
}

extension RewriteReport {
  /// For a person, after writing.
  fileprivate var text: String {
    var lines = ["\(source.path) → \(output.path)"]
    lines.append(row("read", source.reading))
    lines.append(
      row(
        "network",
        (source.architecture ?? "not known as a whole")
          + (source.form.map { ", \($0.rawValue) form" } ?? "")))
    lines.append(
      row(
        "tensors",
        output.dialect.map {
          "\(grouped(output.tensors)), \(grouped(mapping.renamedCount)) renamed to \($0)"
        } ?? grouped(output.tensors))
    )
    lines.append(row("parameters", grouped(parameters)))
    if let channelOrder {
      lines.append(
        row(
          "channels",
          "\(channelOrder.rawValue)\(flippedChannels ? ", reversed in the first block" : "")"))
    }
    lines += input?.rows(dialect: mapping.dialect ?? "") ?? []
    if let epsilons, let epsilonSource {
      lines.append(row("epsilon", epsilonSource.summary(epsilons, dialect: mapping.dialect)))
    }
    lines += quantization?.rows ?? []
    lines += metadata?.rows ?? []
    lines += mapping.droppedRows
    for note in source.notes + notes where !note.isWarning {
      lines.append(row("note", note.advised))
    }
    lines.append(row("wrote", "\(output.format), \(size(output.byteCount ?? 0))\(output.gain)"))
    lines += output.externalDataRows
    if let digest = output.contentDigest { lines.append(row("content", "sha256 \(digest)")) }
    return lines.joined(separator: "\n")
  }
}
