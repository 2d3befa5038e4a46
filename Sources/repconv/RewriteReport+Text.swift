import Checkpoints
import Conversion
import Naming
import Tensors

extension RewriteArguments {
  /// What `import` and `export` do.
  func rewriteAndReport(_ input: String, to output: String) throws {
    var options = RewriteOptions()
    options.reading = try self.input.reading()
    options.writing = try self.output.writing(dialects: options.reading.dialects)
    options.channels = channels
    options.isDryRun = dryRun.isOn
    let report = try rewrite(input, to: output, options: options)
    if dryRun.isOn {
      print(try report.mapping.text(isJSON: dryRun.json, notes: report.notes))
    } else if !self.output.quiet {
      print(report.text(input: input))
    }
  }
}

extension RewriteReport {
  /// For a person, after writing.
  fileprivate func text(input: String) -> String {
    var lines = ["\(input) → \(output)"]
    lines.append(
      row(
        "read",
        "\(container), \(size(bytesRead)), names of \(mapping.dialect?.name ?? "no known dialect")")
    )
    lines.append(row("network", "\(architecture ?? "not a whole RepVGG"), \(stage.rawValue) form"))
    lines.append(
      row(
        "tensors",
        "\(grouped(mapping.renamings.count)), \(grouped(mapping.renamedCount)) renamed to \(mapping.names.name)"
      ))
    lines.append(row("parameters", grouped(parameters)))
    if let channelOrder {
      lines.append(
        row(
          "channels",
          "\(channelOrder.rawValue)\(flippedChannels ? ", reversed in the first block" : "")"))
    }
    for (reason, names) in mapping.dropped {
      lines.append(row("dropped", "\(reason): \(sample(names))"))
    }
    for note in notes { lines.append(row("note", note)) }
    lines.append(row("wrote", "\(outputFormat), \(size(bytesWritten ?? 0))"))
    if let contentDigest { lines.append(row("content", "sha256 \(contentDigest)")) }
    return lines.joined(separator: "\n")
  }
}
