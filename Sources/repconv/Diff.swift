import ArgumentParser
import Conversion
import JSON
import Naming
import Proof
import Tensors

struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say how two files compare: copies, renamed, fused, in another type, or different.",
    discussion: """
      Tensors are matched by what they are for, whatever each file calls them; if one file is a \
      training checkpoint and the other a deploy file, the blocks are recomputed as 'repconv verify' \
      does. 'B is A, fused, in float16' is a possible answer. Files without blocks are compared by name.

      EXAMPLES
        repconv diff a.pth b.rvd
        repconv diff repvgg_a0.pkl RepVGG-A0-train.pth
        repconv diff before.pth after.pth --tolerance 1e-6 --json

      EXIT STATUS
        0  the same network: same values up to names, order, correct rounding to another type, and fusion
        1  different networks, or a file is damaged
        2  they cannot be compared
      """)

  @Argument(help: "Any file that can be read.", completion: .file())
  var first: String

  @Argument(help: "Another.", completion: .file())
  var second: String

  @OptionGroup var arguments: ComparisonArguments

  func run() throws {
    let report = try diff(first, second, options: arguments.options())
    try printReport(
      DiffOutput(answer: answer(report), report: report), of: Diff.self, arguments.print,
      verdict: report.areSame
    ) { text(report) }
    if !report.areSame { throw ExitCode(1) }
  }

  private func text(_ report: DiffReport) -> String {
    var lines = [answer(report)]
    for (label, file) in [("first", report.first), ("second", report.second)] {
      lines.append(row(label, file.summary + (file.form.map { ", \($0.rawValue) form" } ?? "")))
    }
    lines += report.first.damageRows + report.second.damageRows
    switch report.relation {
    case .copies(let copies):
      let alike = copies.tensors.count(where: \.isAlike)
      lines.append(
        row(
          "tensors", "\(grouped(alike)) of \(grouped(copies.tensors.count)) in both files are alike"
        ))
      if copies.renamed > 0 { lines.append(row("renamed", "\(count(copies.renamed, "tensor"))")) }
      for (label, names) in [
        ("first only", copies.onlyInFirst), ("second only", copies.onlyInSecond),
      ]
      where !names.isEmpty {
        let isNeeded = names.contains { !copies.unneeded.contains($0) }
        lines.append(
          row(label, sample(names, 4) + (isNeeded ? "" : "; not part of a deployed network")))
      }
      lines += comparisonTable(
        "tensor", copies.tensors.filter { arguments.all || !$0.isAlike }.map(\.tableRow),
        all: arguments.all)
    case .secondFused(let proof), .firstFused(let proof):
      lines.append(row("blocks", proof.blocksSummary))
      if !proof.tensors.isEmpty { lines.append(row("copies", proof.copiesSummary)) }
      lines += proof.oneSided
      lines += proof.tables(all: arguments.all)
    }
    for note in report.notes + report.first.notes + report.second.notes {
      lines.append(row("note", note.advised))
    }
    return lines.joined(separator: "\n")
  }

  /// `b.rvd is a.pth, fused, in float16`
  private func answer(_ report: DiffReport) -> String {
    guard report.areSame else {
      if case .copies(let copies) = report.relation, copies.tensors.isEmpty {
        return "\(first) and \(second) have no tensor in common"
      }
      return "\(first) and \(second) are different networks"
    }
    var (subject, object) = (report.second, report.first)
    var parts: [String] = []
    switch report.relation {
    case .firstFused(let proof), .secondFused(let proof):
      if case .firstFused = report.relation { swap(&subject, &object) }
      let fused =
        switch proof.grade {
        case .exact: "fused"
        case .rounded: "fused up to float32 rounding"
        case .tolerated, .different: "fused up to the tolerance"
        }
      parts.append(fused)
      if subject.kernelTypes != object.kernelTypes { parts.append(typePart(subject)) }
    case .copies(let copies):
      if copies.tensors.contains(where: { $0.relation == .tolerated }) {
        parts.append("up to the tolerance")
      }
      // What was cast down is the copy.
      let down = copies.tensors.contains { $0.relation == .castBack }
      let up = copies.tensors.contains { $0.relation == .cast }
      if down && !up { swap(&subject, &object) }
      if down || up { parts.append(typePart(subject)) }
      if copies.renamed > 0 {
        let dialects = [subject, object].compactMap(\.dialect)
        parts.append(
          dialects.count == 2 && dialects[0] != dialects[1]
            ? "under the names of \(dialects[0]), not \(dialects[1])" : "renamed")
      }
      if !copies.unneeded.isDisjoint(with: copies.onlyInFirst + copies.onlyInSecond) {
        parts.append("but for what training alone needs")
      }
      if parts.isEmpty { parts.append("bit for bit") }
    }
    if subject.container != object.container { parts.append("as \(subject.container)") }
    return "\(subject.path) is \(object.path), \(parts.joined(separator: ", "))"
  }

  private func typePart(_ file: FileSummary) -> String {
    "in " + file.kernelTypes.map(\.rawValue).joined(separator: " and ")
  }
}

/// A report, and its answer in words.
private struct DiffOutput: Encodable {
  var answer: String
  var report: DiffReport

  func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: ["answer": answer])
    try report.encode(to: encoder)
  }
}
