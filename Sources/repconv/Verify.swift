import ArgumentParser
import Conversion
import Proof
import RVD
import Reparameterization

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prove that a deploy file is a training checkpoint, fused.",
    discussion: """
      Recomputes every block from TRAIN, row by row in float64, and compares each weight and bias with \
      DEPLOY; compares all other tensors as copies; reports what only one file has. The two may be of \
      any format, names and element types that can be read. Where blocks differ it says why, if that \
      can be told: another epsilon, a branch left out, a damaged value.

      EXAMPLES
        repconv verify in.pth out.rvd
        repconv verify repvgg_a0.pkl deploy.pth -a RepVGG-A0
        repconv verify in.pth out.rvd --tolerance exact
        repconv verify in.pth out.rvd --json | jq '.blocks[0]'

      EXIT STATUS
        0  DEPLOY is TRAIN, fused
        1  it is not, or a file is damaged
        2  they cannot be compared
      """)

  @Argument(help: "The training checkpoint.", completion: .file())
  var train: String

  @Argument(help: "The deploy file that should be its fused form.", completion: .file())
  var deploy: String

  @Option(
    name: [.short, .long], help: "Fail unless the network is this one; see 'repconv archs'.",
    transform: Architecture.argument)
  var arch: Architecture?

  @OptionGroup var arguments: ComparisonArguments

  func run() throws {
    var options = arguments.options
    options.architecture = arch
    let report = try verify(train, deploy, options: options)
    print(
      arguments.json ? try json(report).indented() : text(report),
      terminator: arguments.json ? "" : "\n")
    if !report.holds { throw ExitCode(1) }
  }

  private func text(_ report: VerifyReport) -> String {
    let proof = report.verification
    var lines = ["\(deploy) is \(report.holds ? "" : "NOT ")\(train), fused"]
    lines.append(row("train", report.train.summary))
    lines.append(row("deploy", report.deploy.summary))
    if let architecture = report.train.architecture { lines.append(row("network", architecture)) }
    lines.append(row("blocks", proof.blocksSummary))
    if !proof.tensors.isEmpty { lines.append(row("copies", proof.copiesSummary)) }
    lines.append(
      row(
        "epsilon",
        report.epsilons.map { "\($0)" }.joined(separator: ", ") + ", " + report.epsilonSource))
    lines += proof.oneSided
    for damage in report.train.damage + report.deploy.damage {
      lines.append(row("damaged", damage.split(separator: "\n").first.map(String.init) ?? damage))
    }
    if proof.blocksWithBranches > 0 {
      lines.append(
        row(
          "note",
          "the deploy file also holds the branches of \(count(proof.blocksWithBranches, "block"))"))
    }
    for (reason, names) in report.dropped {
      lines.append(row("dropped", "\(reason): \(sample(names))"))
    }
    for note in report.train.notes + report.deploy.notes { lines.append(row("note", note)) }
    lines += proof.tables(all: arguments.all)
    lines.append("")
    lines += conclusions(report).map { "  " + $0 }
    return lines.joined(separator: "\n")
  }

  /// What follows from the comparison, in sentences.
  private func conclusions(_ report: VerifyReport) -> [String] {
    guard !report.holds else {
      return [
        "The algebra is right: fused or not, the network computes the same, whatever its input, up to rounding.",
        trainingMode,
      ]
    }
    var sentences: [String] = []
    if let cause = report.verification.sharedCause, report.verification.blocks.count > 1 {
      let wrong = report.verification.blocks.count { $0.grade == .different }
      sentences.append("Every block that differs\(wrong == 1 ? "" : " (\(wrong))"): \(cause).")
      if case .epsilon(let epsilon) = cause {
        sentences.append("If the network was trained with that epsilon, use --bn-eps \(epsilon).")
      }
      if case .rearranged(.reversedInput) = cause {
        sentences.append(
          "'repconv import --channels' makes a training checkpoint of the other colour order.")
      }
    }
    if let key = report.agreeing {
      sentences.append("It is the fused form of another state dict of \(train): --key \(key).")
    }
    return sentences.isEmpty ? ["The two do not compute the same."] : sentences
  }

  private var trainingMode: String {
    "BatchNorm counts with its running statistics, as in evaluation; outputs that differ all the same come, most often, from a model left in training mode."
  }

  private func json(_ report: VerifyReport) -> JSONValue {
    .object(
      [
        .init("same", .bool(report.holds)),
        .init("train", report.train.json),
        .init("deploy", report.deploy.json),
        .init("tolerance", .string(report.tolerance.summary)),
        .init("epsilons", .array(report.epsilons.map { .finite($0) })),
        .init("epsilonSource", .string(report.epsilonSource)),
        .init("agreeingStateDict", report.agreeing.map { .string($0) } ?? .null),
      ] + report.verification.jsonMembers + [
        .init(
          "dropped",
          .array(
            report.dropped.map { ["reason": .string($0.reason), "names": .strings($0.names)] }))
      ])
  }
}
