internal import Checkpoints
internal import Conversion
internal import Graphs
internal import Naming
internal import Proof
internal import Tensors

/// Something that is told by a word or two, and what it is.
struct Fact {
  var label: String
  var value: String
  /// What goes with it, smaller.
  var remark = ""
}

// What is to be said, in words that the renderings share.
extension NetworkReport {
  /// The last part of the file's path.
  var name: String { lastPart(of: source.path) }

  /// `RepVGG-A0, training checkpoint`
  var kind: String {
    let form =
      switch source.form {
      case .train?: "training checkpoint"
      case .mixed?: "training checkpoint, partly fused"
      case .deploy?: "deploy network"
      case nil: "\(source.container) file"
      }
    return [source.architecture ?? source.blockFamily.map { "blocks of \($0)" }, form]
      .compactMap { $0 }.joined(separator: ", ")
  }

  /// What matters most.
  var facts: [Fact] {
    let exact = parameters < 1000 ? [] : [grouped(parameters)]
    let fused =
      source.form == .deploy
      ? [] : deployParameters.map { ["\(short($0)) when fused"] } ?? []
    var facts = [
      Fact(
        label: "Parameters", value: short(parameters),
        remark: (exact + fused).joined(separator: ", "))
    ]
    if let multiplyAdds, let imageSize {
      facts.append(
        Fact(
          label: "Multiply-adds", value: short(multiplyAdds),
          remark: "an image of \(imageSize) × \(imageSize)"))
    }
    facts.append(Fact(label: "File", value: size(source.byteCount), remark: source.container))
    if !blocks.isEmpty {
      let families = Set(blocks.map(\.family)).sorted().joined(separator: ", ")
      facts.append(Fact(label: "Fused blocks", value: grouped(blocks.count), remark: families))
    }
    facts.append(Fact(label: "Layers", value: grouped(layers.count), remark: "with weights"))
    return facts
  }

  /// What smaller types cost, at the worst.
  var costs: [Fact] {
    /// The layer that the noise is nearest to, of those that are changed at all.
    func worst(_ label: String, _ ratio: KeyPath<WeightStatistics, Double?>) -> Fact? {
      let known = layers.filter { $0.weights[keyPath: ratio] != nil }
      guard
        let layer = known.min(by: {
          $0.weights[keyPath: ratio]! < $1.weights[keyPath: ratio]!
        })
      else { return nil }
      return Fact(
        label: label, value: "\(tenths(layer.weights[keyPath: ratio])) dB",
        remark: "at the least, in \(layer.name)")
    }
    let infinite = layers.filter { $0.weights.infiniteInFloat16 > 0 }
    return [
      infinite.isEmpty
        ? worst("float16", \.float16)
        : Fact(
          label: "float16", value: "too small",
          remark: "\(count(infinite.count, "layer")) have weights beyond 65504"),
      worst("int8, a scale per channel", \.int8PerChannel),
      worst("int8, one scale per layer", \.int8PerTensor),
    ].compactMap { $0 }
  }

  /// Whether the file is what was trained, in a sentence; nil if no training checkpoint was named.
  var verdict: String? {
    guard let proof else { return nil }
    return "\(name) is \(proof.holds ? "" : "NOT ")\(lastPart(of: proof.train.path)), fused."
  }

  /// What the verdict comes from, and what is wrong.
  var findings: [String] {
    guard let proof else { return [] }
    let algebra = proof.verification
    var findings: [String] = []
    if !algebra.blocks.isEmpty {
      let different = algebra.blocks.count { $0.grade == .different }
      let verdict =
        switch algebra.grade {
        case .exact: "every value is the nearest of its type."
        case .rounded: "all are as near as float32 arithmetic comes."
        case .tolerated: "all are within the tolerance."
        case .different: "\(grouped(different)) \(different == 1 ? "differs" : "differ")."
        }
      findings.append(
        "\(count(algebra.blocks.count, "block")) recomputed in float64: \(verdict)")
    }
    if !algebra.tensors.isEmpty {
      let alike = algebra.tensors.count(where: \.isAlike)
      findings.append(
        "\(grouped(alike)) of \(count(algebra.tensors.count, "other tensor")) are copies.")
    }
    findings += algebra.missing.map { "Missing: \($0.what)." }
    if !algebra.unexpected.isEmpty {
      let few = algebra.unexpected.prefix(4).joined(separator: ", ")
      findings.append(
        "\(count(algebra.unexpected.count, "tensor")) that nothing accounts for: \(few)\(algebra.unexpected.count > 4 ? ", …" : "")."
      )
    }
    findings += (proof.train.damage + proof.deploy.damage).map { "Damaged: \(firstLine($0))." }
    if let onnx = proof.onnx, !onnx.isDeployed {
      findings.append("Its graph computes as in training, or branch by branch.")
    }
    return findings
  }

  /// Where the file is from, and who it is.
  var origins: [Fact] {
    var facts = [
      Fact(label: "File", value: name),
      Fact(label: "SHA-256", value: digest, remark: "of the file"),
    ]
    if let contentDigest {
      facts.append(Fact(label: "Content", value: contentDigest, remark: "SHA-256 of its tensors"))
    }
    if let train, let trainDigest {
      facts.append(
        Fact(label: "Trained as", value: lastPart(of: train.path), remark: train.container))
      facts.append(Fact(label: "SHA-256", value: trainDigest, remark: "of the training checkpoint"))
    }
    if let dialect = source.dialect { facts.append(Fact(label: "Names of", value: dialect)) }
    let types = source.kernelTypes.map(\.rawValue).joined(separator: ", ")
    if !types.isEmpty { facts.append(Fact(label: "Types", value: types)) }
    if !epsilons.isEmpty {
      facts.append(
        Fact(
          label: "Epsilon", value: epsilons.map { "\($0)" }.joined(separator: ", "),
          remark: "of BatchNorm"))
    }
    if let input { facts.append(Fact(label: "Input", value: input.convention.description)) }
    if let provenance {
      facts.append(
        Fact(
          label: "Made from",
          value: "\(provenance.container), names of \(provenance.dialect)"))
      if let digest = provenance.sourceSHA256 {
        facts.append(Fact(label: "SHA-256", value: digest, remark: "of what it was made from"))
      }
      facts.append(
        Fact(label: "Made by", value: provenance.tool, remark: provenance.arithmetic))
    }
    if let metadata {
      if !metadata.labels.isEmpty {
        facts.append(
          Fact(
            label: "Labels",
            value: metadata.labels.prefix(5).joined(separator: ", ")
              + (metadata.labels.count > 5 ? ", …" : ""),
            remark: count(metadata.labels.count, "class", "classes")))
      }
      let texts: [(String, String?)] = [
        ("License", metadata.license), ("Homepage", metadata.homepage), ("Task", metadata.task),
        ("Authors", metadata.authors.isEmpty ? nil : metadata.authors.joined(separator: "; ")),
      ]
      facts += texts.compactMap { label, text in text.map { Fact(label: label, value: $0) } }
      facts += metadata.custom.map { Fact(label: $0.key, value: $0.value) }
    }
    return facts
  }

  /// Why there is no drawing, in a sentence.
  var undrawn: String? {
    drawing == nil
      ? "It is not known as a whole, so it is not drawn\(reason.map { ": \($0)" } ?? "")." : nil
  }

  private func firstLine(_ text: String) -> String {
    text.split(separator: "\n").first.map(String.init) ?? text
  }
}

extension ReportedLayer {
  /// `Conv 3×3, 48 → 96, stride 2, 56 × 56`
  var summary: String {
    guard let node else { return shape.description }
    var parts = [operationWords[node.kind] ?? node.kind.name]
    let groups = node.setting("groups")?[0] ?? 1
    if shape.rank == 4 { parts[0] += " \(shape[2])×\(shape[3])" }
    parts.append("\(shape[1] * groups) → \(shape[0])")
    if let stride = node.setting("stride"), stride != [1, 1] {
      parts.append("stride \(stride[0])")
    }
    if groups > 1 {
      parts.append(shape[1] == 1 && groups == shape[0] ? "depthwise" : "\(groups) groups")
    }
    if case .map(_, let height?, let width?)? = output { parts.append("\(height) × \(width)") }
    return parts.joined(separator: ", ")
  }
}

extension ReportedBlock {
  /// `exact`, `float32 rounding, 0.51 ulp`; nil if it was not compared.
  var verdict: String? {
    guard let proof else { return nil }
    guard proof.grade != .exact else { return "exact" }
    guard let ulps = proof.difference?.largestUlps, ulps < 1e6 else { return proof.grade.name }
    return "\(proof.grade.name), \(brief(ulps)) ulp"
  }

  /// What differs, and why.
  var remark: String? {
    guard let proof, proof.grade != .exact, let difference = proof.difference else {
      return proof?.cause?.description
    }
    let share = "\(grouped(difference.unequal)) of \(grouped(difference.count)) values differ"
    return [share, proof.cause?.description].compactMap { $0 }.joined(separator: "; ")
  }
}
