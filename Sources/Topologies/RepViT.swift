internal import Blocks
internal import Graphs
internal import Naming
internal import Tensors

extension Topology {
  /// RepViT: two convolutions for the image, then blocks of a token mixer (RepVGGDW, in every other with
  /// Squeeze-and-Excitation) and a channel mixer beside an identity; four stages, of which all but the
  /// first begin with a depthwise convolution that halves the resolution (arXiv:2307.09283, figure 5;
  /// model/repvit.py of github.com/THU-MIG/RepViT).
  static let repViT = repViT(
    .repViT,
    architectures: [
      named("RepViT-M0.9", pairs: [1, 1, 7, 1], [48, 96, 192, 384]),
      named("RepViT-M1.0", pairs: [1, 1, 7, 1], [56, 112, 224, 448]),
      named("RepViT-M1.1", pairs: [1, 1, 6, 1], [64, 128, 256, 512]),
      named("RepViT-M1.5", pairs: [2, 2, 12, 2], [64, 128, 256, 512]),
      named("RepViT-M2.3", pairs: [3, 3, 17, 1], [80, 160, 320, 640]),
    ])

  /// The same with blocks of the older form.
  static let repViTLegacy = repViT(.repViTLegacy, architectures: [])

  private static func repViT(_ family: BlockFamily, architectures: [Architecture]) -> Topology {
    Topology(
      name: family.name, family: family,
      structure: { (network, _) throws(Deviation) in
        let plan = try RepViTPlan(of: network, family)
        let structure = plan.structure(classes: try network.classes(by: RepViTPlan.classifiers))
        try structure.require(of: network)
        return structure
      },
      architectures: architectures,
      describe: { structure in
        describeChain(
          family.name, unit: "blocks", structure, depths: structure.stages.map(\.depth))
      },
      classifiers: RepViTPlan.classifiers)
  }

  /// - Parameters:
  ///   - pairs: of blocks with and without Squeeze-and-Excitation, of each stage; behind those of all but
  ///     the last stage stands one more without.
  ///   - channels: of each stage.
  private static func named(_ name: String, pairs: [Int], _ channels: [Int]) -> Architecture {
    Architecture(name: name, topology: "RepViT", aliases: []) { classes in
      var rows: [RepViTPlan.Row] = []
      var input = channels[0]
      for (stage, count) in pairs.enumerated() {
        func append(isSqueezed: Bool = false, isStrided: Bool = false) {
          let output = channels[stage]
          rows.append(
            .init(
              inputs: input, outputs: output, inner: 2 * (isStrided ? output : input),
              squeezed: isSqueezed ? RepViTPlan.squeezedChannels(of: input) : nil,
              isStrided: isStrided))
          input = output
        }
        if stage > 0 { append(isStrided: true) }
        for _ in 0..<count {
          append(isSqueezed: true)
          append()
        }
        if stage < pairs.count - 1 { append() }
      }
      return RepViTPlan(family: .repViT, stem: channels[0] / 2, rows: rows).structure(
        classes: classes)
    }
  }
}

/// What a RepViT consists of.
private struct RepViTPlan {
  /// One of the blocks behind the stem.
  struct Row {
    var inputs, outputs: Int
    /// Channels inside the channel mixer.
    var inner: Int
    /// Channels inside Squeeze-and-Excitation; nil for none.
    var squeezed: Int?
    /// Whether it halves the resolution.
    var isStrided: Bool
    /// Height and width of the depthwise kernel.
    var kernelSize = 3
  }

  /// Of the token mixers.
  var family: BlockFamily
  /// Channels between the two convolutions for the image.
  var stem: Int
  var rows: [Row]

  /// A quarter, as a multiple of 8.
  static func squeezedChannels(of channels: Int) -> Int { max(8, (channels + 16) / 32 * 8) }

  static let classifierBlock = BlockAddress(.normalizedClassifier, "classifier")

  /// The weights that tell how many classes there are.
  static let classifiers = [classifier(.fused, .weight), classifier("linear", .weight)]

  static func classifier(_ layer: LayerAddress, _ part: Part) -> Role {
    .block(classifierBlock, ParameterAddress(layer, part))
  }

  /// Of the weights and biases of a block's Squeeze-and-Excitation: by their names they are convolutions
  /// whose BatchNorm has been folded.
  private static func squeeze(_ path: Name, _ isSqueeze: Bool, _ part: Part) -> Role {
    .block(
      BlockAddress(
        .convolutionBatchNorm, "\(path).token_mixer.1.\(isSqueeze ? "fc1" : "fc2")"),
      .fused(part))
  }
}

extension RepViTPlan {
  /// As the shapes of a file say.
  init(of network: Network, _ family: BlockFamily) throws(Deviation) {
    self.family = family
    stem = try network.kernelShape(at: "features.0.0")[0]
    rows = []
    var channels = try network.kernelShape(at: "features.0.2")[0]
    while network.block(at: "features.\(rows.count + 1).token_mixer.0") != nil {
      let path: Name = "features.\(rows.count + 1)"
      let isStrided = network.block(at: "\(path).token_mixer.2") != nil
      let squeeze = network[RepViTPlan.squeeze(path, true, .weight)]?.tensor.shape
      rows.append(
        Row(
          inputs: channels,
          outputs: isStrided ? try network.kernelShape(at: "\(path).token_mixer.2")[0] : channels,
          inner: try network.kernelShape(at: "\(path).channel_mixer.m.0")[0], squeezed: squeeze?[0],
          isStrided: isStrided, kernelSize: try network.kernelShape(at: "\(path).token_mixer.0")[2])
      )
      channels = rows.last!.outputs
    }
    guard !rows.isEmpty else {
      throw Deviation(reason: "there is no block behind the stem", isForeign: true)
    }
  }

  func structure(classes: Int) -> Structure {
    var builder = NetworkBuilder()
    let channels = rows[0].inputs
    var value = builder.convolutionBatchNorm(
      "features.0.0", 3, stem, kernelSize: 3, stride: 2, of: Graph.input, label: "features.0")
    value = builder.append(.gelu, value, block: "features.0")
    value = builder.convolutionBatchNorm(
      "features.0.2", stem, channels, kernelSize: 3, stride: 2, of: value, label: "features.0")
    for (index, row) in rows.enumerated() {
      value = append(row, "features.\(index + 1)", to: &builder, of: value)
    }
    let (features, block) = (rows.last!.outputs, RepViTPlan.classifierBlock)
    let norm = Part.ofBatchNorm.dropLast().map { part in
      Structure.Parameter(role: .block(block, ParameterAddress("norm", part)), shape: [features])
    }
    builder.classifier(
      (RepViTPlan.classifier(.fused, .weight), RepViTPlan.classifier(.fused, .bias)), features,
      classes, of: value,
      train: norm + [
        .init(role: RepViTPlan.classifier("linear", .weight), shape: [classes, features]),
        .init(role: RepViTPlan.classifier("linear", .bias), shape: [classes]),
      ])
    return builder.structure(
      topology: family.name, classes: classes, stages: stages, stemChannels: channels)
  }

  /// Each begins with a block that halves the resolution, but for the first.
  private var stages: [StageShape] {
    var stages: [StageShape] = []
    for row in rows {
      if stages.isEmpty || row.isStrided { stages.append(StageShape(depth: 0, channels: 0)) }
      stages[stages.count - 1].depth += 1
      stages[stages.count - 1].channels = row.outputs
    }
    return stages
  }

  /// Adds a block: token mixer, then a channel mixer beside an identity.
  private func append(
    _ row: Row, _ path: Name, to builder: inout NetworkBuilder, of value: Int
  ) -> Int {
    var value = value
    func squeeze(_ value: Int) -> Int {
      guard let squeezed = row.squeezed else { return value }
      return builder.squeezeExcitation(row.inputs, inner: squeezed, of: value, label: path) {
        RepViTPlan.squeeze(path, $0, $1)
      }
    }
    if row.isStrided {
      value = builder.convolutionBatchNorm(
        "\(path).token_mixer.0", row.inputs, row.inputs, kernelSize: row.kernelSize, stride: 2,
        groups: row.inputs, of: value, label: path)
      value = squeeze(value)
      value = builder.convolutionBatchNorm(
        "\(path).token_mixer.2", row.inputs, row.outputs, of: value, label: path)
    } else {
      value = builder.block(
        BlockShape(
          address: BlockAddress(family, "\(path).token_mixer.0"), inputChannels: row.inputs,
          outputChannels: row.inputs, groups: row.inputs, stride: 1, kernelSize: row.kernelSize,
          branches: [
            .init(layer: "conv", kernelSize: row.kernelSize),
            .init(layer: "pointwise", kernelSize: 1, hasBias: family == .repViT),
          ] + (family == .repViT ? [.init(layer: "outer")] : [])), of: value, label: path)
      value = squeeze(value)
    }
    let mixed = builder.convolutionBatchNorm(
      "\(path).channel_mixer.m.0", row.outputs, row.inner, of: value, label: path)
    let projected = builder.convolutionBatchNorm(
      "\(path).channel_mixer.m.2", row.inner, row.outputs,
      of: builder.append(.gelu, mixed, block: path), label: path)
    return builder.append(.add, value, projected, block: path)
  }
}
