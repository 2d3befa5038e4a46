import Conversion
import Naming
import RVD
import Tensors

extension RewriteArguments {
  /// What `import` and `export` do.
  func rewriteAndReport(_ input: String, to output: String) throws {
    var options = RewriteOptions()
    options.reading = try self.input.reading()
    options.writing = try self.output.writing(dialects: options.reading.dialects)
    options.channels = channels
    options.isDryRun = dryRun
    let report = try rewrite(input, to: output, options: options)
    if dryRun {
      print(json ? try report.mappingJSON.indented() : report.mappingTable)
    } else if !self.output.quiet {
      print(report.text(input: input))
    }
  }
}

extension RewriteReport {
  /// For a person, after writing.
  fileprivate func text(input: String) -> String {
    var lines = ["\(input) → \(output)"]
    lines.append(row("read", "\(container), \(size(bytesRead)), names of \(dialect.name)"))
    lines.append(row("network", "\(architecture ?? "not a whole RepVGG"), \(stage.rawValue) form"))
    lines.append(
      row("tensors", "\(grouped(mapping.count)), \(grouped(renamedCount)) renamed to \(names.name)"))
    lines.append(row("parameters", grouped(parameters)))
    lines.append(
      row("channels", "\(channelOrder.rawValue)\(flippedChannels ? ", reversed in the first block" : "")"))
    for (reason, names) in dropped { lines.append(row("dropped", "\(reason): \(sample(names))")) }
    for note in notes { lines.append(row("note", note)) }
    lines.append(row("wrote", "\(outputFormat), \(size(bytesWritten ?? 0))"))
    if let contentDigest { lines.append(row("content", "sha256 \(contentDigest)")) }
    return lines.joined(separator: "\n")
  }

  /// For a person, instead of writing.
  fileprivate var mappingTable: String {
    var lines = [
      table(
        ["\(dialect.name) names", "shape", "\(names.name) names", "shape"],
        mapping.map { [$0.from, $0.fromShape.description, $0.to, $0.toShape.description] }, numeric: [])
    ]
    for (reason, names) in dropped { lines.append(row("dropped", "\(reason): \(sample(names))")) }
    for note in notes { lines.append(row("note", note)) }
    return lines.joined(separator: "\n")
  }

  fileprivate var mappingJSON: JSONValue {
    func integers(_ shape: Shape) -> JSONValue { .array(shape.dimensions.map { .integer($0) }) }
    return [
      "dialect": .string(dialect.name),
      "names": .string(names.name),
      "tensors": .array(
        mapping.map {
          [
            "from": .string($0.from), "fromShape": integers($0.fromShape), "to": .string($0.to),
            "toShape": integers($0.toShape),
          ]
        }),
      "dropped": .array(
        dropped.map { ["reason": .string($0.reason), "names": .array($0.names.map { .string($0) })] }),
      "notes": .array(notes.map { .string($0) }),
    ]
  }
}
