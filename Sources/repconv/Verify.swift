import ArgumentParser
import Conversion
import ImageFiles
import Inference
import JSON
import Proof
import Reparameterization
import Tensors
import Topologies

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prove that a deploy file is a training checkpoint, fused.",
    discussion: """
      Recomputes every block from TRAIN, row by row in float64, and compares each weight and bias with \
      DEPLOY; compares all other tensors as copies; reports what only one file has. The two may be of \
      any format, names and element types that can be read. Where blocks differ it says why, if that \
      can be told: another epsilon, a branch left out, a damaged value.

      Networks that are known as a whole are run as well, both forms on the same images, in float64 and in \
      float32: on random numbers, unless images are named. In float64, where arithmetic adds no error to \
      speak of, equal logits show that the whole network is right; in float32 they show what its users \
      will see. This takes as much memory as the weights in float64, and time; --algebra-only leaves it \
      out. BatchNorm counts with its running statistics, as in evaluation: outputs that differ all the \
      same come, most often, from a model left in training mode.

      DEPLOY may be an ONNX file of any exporter, simplifier or quantiser. Its convolutions and linear \
      layers are found by their places in the graph and by their values, not by names; those that are \
      added to each other are compared as the one that they amount to. A file is not TRAIN, fused, if its \
      branches stand side by side, right as they may be, or if nodes are set to training. Weights in \
      steps, as of int8, have to be the nearest; their graphs are not run.

      EXAMPLES
        repconv verify in.pth out.rvd
        repconv verify in.pth exported.onnx
        repconv verify in.pth out.rvd --images photos/
        repconv verify in.pth out.rvd --algebra-only
        repconv verify repvgg_a0.pkl deploy.pth -a RepVGG-A0
        repconv verify in.pth out.rvd --tolerance exact
        repconv verify in.pth out.rvd --json | jq '.algebra.blocks[0]'

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
    completion: .list(Architecture.all.map(\.name)), transform: Architecture.argument)
  var arch: Architecture?

  @Flag(help: "Do not run the networks.")
  var algebraOnly = false

  @OptionGroup(title: "Images") var images: ImageArguments

  @Option(
    help: ArgumentHelp(
      "Run this many images at a time, and without images this many of random numbers (default: 16, and 2).",
      valueName: "n"))
  var batch: Int?

  @Option(help: ArgumentHelp("Which random numbers.", valueName: "n"))
  var seed: UInt64 = 0

  @OptionGroup(title: "Gates") var gates: GateOptions
  @OptionGroup var arguments: ComparisonArguments

  func validate() throws {
    if let batch, batch < 1 {
      throw ValidationError("--batch takes a number of at least 1, not \(batch).")
    }
    if seed >= 1 << 53 {
      throw ValidationError("--seed takes a number below 2^53, not \(seed).")
    }
    if algebraOnly, images.areNamed {
      throw ValidationError("--algebra-only runs nothing: leave out --input and --images.")
    }
  }

  func run() throws {
    var options = try arguments.options()
    options.architecture = arch
    gates.apply(to: &options.reading)
    let report = try verify(train, deploy, options: options)
    let run = try runNetworks(of: report, options)
    let holds = report.holds && run.holds
    printWarnings(report.train.notes + report.deploy.notes)
    try printReport(
      VerifyOutput(holds: holds, report: report, run: run), of: Verify.self,
      arguments.print, verdict: holds
    ) { text(report, run, holds) }
    if !holds { throw ExitCode(1) }
  }

  /// Runs the networks if that can be done; if it cannot, the algebra is the proof. Images that the user
  /// names are run, or there is an error.
  private func runNetworks(
    of report: VerifyReport, _ options: ComparisonOptions
  ) throws -> NetworkProof {
    if algebraOnly { return .leftOut(reason: "as asked") }
    let progress = ProgressBar.forTerminal(counting: "image")
    do {
      return try NetworkProof(
        of: report, options, mustRun: images.areNamed, batch: batch ?? 16,
        progress: { progress?($0, $1) },
        images: { network in
          try images.select(for: network, path: train)
            ?? ImageSelection(
              randomFor: network, count: batch ?? 2, images.pictures.options, seed: seed)
        })
    } catch let error as InferenceError {
      guard case .noMemory = error else { throw error }
      throw AdvisedError(
        error: error,
        remedy:
          "--algebra-only needs little memory; running the networks, less with a smaller --batch."
      )
    }
  }

  private func text(_ report: VerifyReport, _ run: NetworkProof, _ holds: Bool) -> String {
    let proof = report.verification
    var lines = ["\(deploy) is \(holds ? "" : "NOT ")\(train), fused"]
    lines.append(row("train", report.train.summary))
    lines.append(row("deploy", report.deploy.summary))
    if let architecture = report.train.architecture { lines.append(row("network", architecture)) }
    lines.append(row("blocks", proof.blocksSummary))
    if !proof.tensors.isEmpty { lines.append(row("copies", proof.copiesSummary)) }
    lines.append(
      row("epsilon", report.epsilonSource.summary(report.epsilons, dialect: report.train.dialect)))
    if let onnx = report.onnx { lines += onnx.rows }
    switch run {
    case .compared(let comparison, let selected):
      lines +=
        selected.rows
        + comparison.outcomes.map { row($0.arithmetic.rawValue, $0.summary(of: comparison)) }
    case .leftOut(let reason): lines.append(row("networks", "not run: \(reason)"))
    }
    lines += proof.oneSided
    lines += report.train.damageRows + report.deploy.damageRows
    if proof.blocksWithBranches > 0 {
      lines.append(
        row(
          "note",
          "the deploy file also holds the branches of \(count(proof.blocksWithBranches, "block"))"))
    }
    lines += report.dropped.map(\.row)
    for note in report.train.notes + report.deploy.notes where !note.isWarning {
      lines.append(row("note", note.advised))
    }
    lines += proof.tables(all: arguments.all)
    lines.append("")
    lines += conclusions(report, run).map { "  " + $0 }
    return lines.joined(separator: "\n")
  }

  /// What follows from the comparison, in sentences.
  private func conclusions(_ report: VerifyReport, _ run: NetworkProof) -> [String] {
    var sentences: [String] = []
    if report.holds {
      if case .compared(let comparison, _) = run { return comparison.conclusions }
      return []
    }
    if let onnx = report.onnx { sentences += onnx.conclusions(isRight: report.verification.holds) }
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
    if let key = report.matchingStateDict {
      sentences.append("It is the fused form of another state dict of \(train): --key \(key).")
    }
    return sentences.isEmpty ? ["The two do not compute the same."] : sentences
  }
}

extension ONNXSummary {
  /// What the graph is, and how its weights are stored.
  fileprivate var rows: [String] {
    var rows = [
      row(
        "graph",
        "\(count(nodes, "node")), \(count(layers, "layer")) known by "
          + (isByOrder ? "their places in it" : "their values"))
    ]
    if !quantized.isEmpty {
      let kinds = Set(quantized.map(\.kind)).sorted().joined(separator: "; ")
      let (smallest, largest) = (
        quantized.map(\.smallest).min()!, quantized.map(\.largest).max()!
      )
      rows.append(
        row(
          "steps",
          "\(count(quantized.count, "layer")) in \(kinds); a step is from \(brief(smallest)) to \(brief(largest))"
        ))
    }
    for nodes in training { rows.append(row("training", "\(nodes) set to compute as in training")) }
    if !unfused.isEmpty {
      rows.append(
        row("unfused", "\(count(unfused.count, "block")) branch by branch: \(sample(unfused, 4))"))
    }
    if !normsLeft.isEmpty {
      rows.append(
        row(
          "note",
          "a BatchNorm stands behind the convolution of \(count(normsLeft.count, "block")): \(sample(normsLeft, 4))"
        ))
    }
    if !notCompared.isEmpty {
      rows.append(
        row(
          "note",
          "\(count(notCompared.count, "tensor")) outside the blocks not in the file as they are, and not compared: \(sample(notCompared, 2))"
        ))
    }
    return rows
  }

  /// Why the file is not a fused network, and what to do, in sentences.
  ///
  /// - Parameter isRight: whether all numbers are.
  fileprivate func conclusions(isRight: Bool) -> [String] {
    var sentences: [String] = []
    if layers < expectedLayers {
      sentences.append(
        "Of the \(count(expectedLayers, "convolution")) and linear layers of the training network, the graph has \(layers) with their shapes: "
          + (unreadLayers == 0
            ? "it is another network, or one of another width."
            : "\(count(unreadLayers, "other")) could not be read, as nodes compute their weights or biases. Simplify the file, with onnxslim for one, and try again.")
      )
    }
    if !training.isEmpty {
      sentences.append(
        "It was exported in training mode: what it computes depends on the batch. Call eval() on the model before it is exported."
      )
    }
    if !unfused.isEmpty {
      sentences.append(
        isRight
          ? "The branches are right, but not fused: the network computes the same, in more steps. Fuse the model before it is exported, or export it with 'repconv export'."
          : "The branches are not fused. Each block was compared with the convolution that they amount to."
      )
    }
    return sentences
  }
}

extension ONNXSummary.Quantized {
  /// `int8 for each channel`
  fileprivate var kind: String {
    type.rawValue + (isPerChannel ? " for each channel" : "")
      + (isShifted ? " with a zero point" : "")
  }
}

/// A report, and what came of running the networks.
private struct VerifyOutput: Encodable {
  var holds: Bool
  var report: VerifyReport
  var run: NetworkProof

  func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: ["same": holds])
    try report.encode(to: encoder)
    let (comparison, images, reason): (NetworkComparison?, ImageSelection?, String?) =
      switch run {
      case .compared(let comparison, let images): (comparison, images, nil)
      case .leftOut(let reason): (nil, nil, reason)
      }
    try encoder.encode(members: [
      "networks": comparison, "images": images, "networksNotRun": reason,
    ])
  }
}

extension NetworkComparison {
  /// What is to be said of the two runs, in sentences.
  fileprivate var conclusions: [String] {
    guard holds else {
      return [
        "The algebra is right: fused or not, the blocks compute the same. But in float64 the logits differ by more than the rounding of the weights explains (\(brief(limit)) of the largest): the blocks are put together in another way."
      ]
    }
    let agreeing = outcomes.last!.agreeing
    guard agreeing < images else { return [] }
    return [
      "In float32 \(count(images - agreeing, "image")) of \(images) get another class: two of their logits are as near to each other as rounding."
    ]
  }
}

extension NetworkComparison.Outcome {
  /// `logits differ by at most 3.1e-07 of the largest, which is 12.3; the same class for 2 of 2`
  fileprivate func summary(of comparison: NetworkComparison) -> String {
    let difference =
      largestDifference == 0
      ? "logits are equal, the largest"
      : "logits differ by at most \(brief(relative)) of the largest, which"
    return difference
      + " is \(brief(largestLogit)); the same class for \(agreeing) of \(comparison.images)"
  }
}
