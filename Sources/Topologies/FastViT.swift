internal import Blocks
internal import Graphs
internal import Naming
internal import Tensors

extension Topology {
  /// FastViT: a stem of three blocks of MobileOne, stages of token mixers with a feed-forward part each, a
  /// downsampling between stages, a last depthwise block, and a classifier (arXiv:2303.14189, table 1;
  /// models/fastvit.py of github.com/apple/ml-fastvit). The mixers of late stages may be attention, after
  /// a positional encoding. The image encoders of MobileCLIP are of this kind, too (arXiv:2311.17049; those
  /// of MobileCLIP2, arXiv:2508.20691).
  static let fastViT = Topology(
    name: "FastViT", family: .repMixer,
    structure: { (network, epsilon) throws(Deviation) in
      let sizes = try FastViTSizes(of: network)
      let structure = sizes.structure(NormEpsilons(of: network, given: epsilon)) { path in
        let block = network.block(at: path)
        return block?.parameters.keys.count { $0.layer.name == "conv" && $0.part == .weight } ?? 1
      }
      try structure.require(of: network)
      return structure
    },
    architectures: [
      named("FastViT-T8", [2, 2, 4, 2], width: 48, ratio: 3),
      named("FastViT-T12", [2, 2, 6, 2], width: 64, ratio: 3),
      named("FastViT-S12", [2, 2, 6, 2], width: 64, ratio: 4),
      named("FastViT-SA12", [2, 2, 6, 2], width: 64, ratio: 4, attention: 1),
      named("FastViT-SA24", [4, 4, 12, 4], width: 64, ratio: 4, attention: 1),
      named("FastViT-SA36", [6, 6, 18, 6], width: 64, ratio: 4, attention: 1),
      named("FastViT-MA36", [6, 6, 18, 6], width: 76, ratio: 4, attention: 1),
      named("FastViT-MCi0", [2, 6, 10, 2], width: 64, ratio: 3, attention: 1, .mobileCLIP),
      named("FastViT-MCi1", [4, 12, 20, 4], width: 64, ratio: 3, attention: 1, .mobileCLIP),
      named("FastViT-MCi2", [4, 12, 24, 4], width: 80, ratio: 3, attention: 1, .mobileCLIP),
      named("FastViT-MCi3", [2, 12, 24, 4, 2], width: 96, ratio: 4, attention: 2, .mobileCLIP2),
      named("FastViT-MCi4", [2, 12, 24, 4, 4], width: 128, ratio: 4, attention: 2, .mobileCLIP2),
    ],
    describe: { structure in
      func list(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: ",") }
      let stages = structure.stages
      return "custom FastViT (\(list(stages.map(\.depth))) blocks; "
        + "\(list(stages.map(\.channels))) channels)"
    })

  /// Whose networks differ in more than sizes.
  private enum Project { case fastViT, mobileCLIP, mobileCLIP2 }

  /// - Parameters:
  ///   - width: channels of the first stage; each of the others has twice those before it.
  ///   - ratio: how many times wider the middle of the feed-forward parts is.
  ///   - attention: how many stages are of it, the last ones.
  private static func named(
    _ name: String, _ depths: [Int], width: Int, ratio: Int, attention: Int = 0,
    _ project: Project = .fastViT
  ) -> Architecture {
    Architecture(name: name, topology: "FastViT", aliases: []) { classes in
      let stages = depths.enumerated().map { index, depth in
        let channels = width << index
        var stage = FastViTSizes.Stage(depth: depth, channels: channels, hidden: channels * ratio)
        if index >= depths.count - attention {
          stage.isAttention = true
          stage.encodingSize = 7
        }
        if project == .mobileCLIP, index > 1 { stage.squeezed = channels / 4 }
        return stage
      }
      let features = 2 * stages.last!.channels
      var sizes = FastViTSizes(
        stages: stages, features: features, squeezed: features / 16, classes: classes)
      sizes.isActivated = project != .fastViT
      sizes.hasLayerNorm = project == .mobileCLIP2
      sizes.stemHasScale = project != .mobileCLIP2
      return sizes.structure(NormEpsilons(usual: 1e-5)) { _ in 1 }
    }
  }
}

/// All that differs between such networks.
private struct FastViTSizes {
  /// Token mixers of one resolution, each with a feed-forward part.
  struct Stage {
    var depth: Int
    var channels: Int
    /// Channels in the middle of the feed-forward parts.
    var hidden: Int
    /// Whether its mixers are attention.
    var isAttention = false
    /// Whether the first linear layer of attention has a bias.
    var hasQueryBias = false
    /// Height and width of the kernel of the positional encoding; nil for none.
    var encodingSize: Int?
    /// Channels within the Squeeze-and-Excitation of the downsampling before it; nil for none.
    var squeezed: Int?
  }
  var stages: [Stage]
  /// Whether an activation follows the large kernel of a downsampling.
  var isActivated = false
  /// Whether LayerNorm stands before attention, instead of BatchNorm.
  var hasLayerNorm = false
  /// Whether the first two blocks have 1x1 branches in training.
  var stemHasScale = true
  /// Height and width of the kernels of RepMixers, and of those in downsamplings and feed-forward parts.
  var mixerSize = 3
  var largeSize = 7
  /// Whether what mixers and feed-forward parts give has factors.
  var hasLayerScale = true
  /// Channels of the last block, and between the layers of its Squeeze-and-Excitation.
  var features, squeezed: Int
  var classes: Int

  /// Channels of one head of attention (`head_dim` of the authors' code).
  private static let headWidth = 32

  init(stages: [Stage], features: Int, squeezed: Int, classes: Int) {
    (self.stages, self.features) = (stages, features)
    (self.squeezed, self.classes) = (squeezed, classes)
  }

  /// What a network seems to be; nothing else of it is looked at.
  init(of network: Network) throws(Deviation) {
    guard network.dialect.root == "patch_embed.0" else {
      throw Deviation(
        reason: "no tensor tells how networks of \(network.dialect.name) are put together",
        isForeign: true)
    }
    func shape(_ name: Name) -> Shape? { network[.other(name: name)]?.tensor.shape }
    func isMixer(_ path: Name) -> Bool {
      network.block(at: path + ".token_mixer") != nil
        || shape(path + ".token_mixer.qkv.weight") != nil
    }
    stages = []
    var row = 0
    while true {
      let encoding = network.block(at: "network.\(row)")
      let path = "network.\(encoding == nil ? row : row + 1)"
      var depth = 0
      while isMixer("\(path).\(depth)") { depth += 1 }
      guard depth > 0 else { break }
      guard let hidden = shape("\(path).0.convffn.fc1.weight")?.dimensions.first else {
        throw Deviation(reason: "there is no feed-forward part in '\(path).0'")
      }
      var stage = Stage(depth: depth, channels: 0, hidden: hidden)
      if let weight = shape("\(path).0.token_mixer.qkv.weight") {
        stage.isAttention = true
        stage.channels = weight.dimensions.last ?? 0
        stage.hasQueryBias = shape("\(path).0.token_mixer.qkv.bias") != nil
        guard stage.channels > 0, stage.channels.isMultiple(of: Self.headWidth) else {
          throw Deviation(
            reason: "'\(path).0.token_mixer.qkv.weight' is \(weight), which is not of heads of "
              + "\(Self.headWidth) channels")
        }
        if shape("\(path).0.norm.running_mean") == nil { hasLayerNorm = true }
      } else {
        let mixer = try network.kernelShape(at: "\(path).0.token_mixer")
        stage.channels = mixer[0]
        mixerSize = mixer[2]
      }
      if encoding != nil {
        stage.encodingSize = try network.kernelShape(at: "network.\(row)")[2]
      }
      if stages.isEmpty {
        hasLayerScale = ["layer_scale", "layer_scale_1"].contains {
          shape("\(path).0.\($0)") != nil
        }
      } else {
        let squeeze = network.block(at: "network.\(row - 1).proj.0")?[
          ParameterAddress(.squeeze(.beforeActivation), .weight)]
        stage.squeezed = squeeze?.tensor.shape[0]
      }
      stages.append(stage)
      row += encoding == nil ? 2 : 3
    }
    guard let last = stages.last else {
      throw Deviation(reason: "there is no block in 'network.0'", isForeign: true)
    }
    // No tensor shows it: of all that have been published, just the encoders of MobileCLIP have an
    // activation there, and one of these two.
    isActivated = hasLayerNorm || stages.contains { $0.squeezed != nil }
    if let stem = network.block(at: "patch_embed.0"), stem.hasBranches {
      stemHasScale = stem[ParameterAddress("scale", .weight)] != nil
    }
    if stages.count > 1 { largeSize = try network.kernelShape(at: "network.1.proj.0")[2] }
    let sizes = [mixerSize, largeSize] + stages.compactMap(\.encodingSize)
    guard sizes.allSatisfy({ $0 % 2 == 1 }),
      zip(stages, stages.dropFirst()).allSatisfy({ $1.channels.isMultiple(of: $0.channels) })
    else {
      throw Deviation(
        reason: "kernels of \(mixerSize)x\(mixerSize) and \(largeSize)x\(largeSize) after "
          + "\(stages.map { "\($0.channels)" }.joined(separator: ", ")) channels are not put together so"
      )
    }
    features = try network.kernelShape(at: "conv_exp")[0]
    guard features.isMultiple(of: last.channels),
      let block = network.block(at: "conv_exp"),
      let squeeze = block[ParameterAddress(.squeeze(.beforeActivation), .weight)]
    else {
      throw Deviation(reason: "'conv_exp' is no such block after \(last.channels) channels")
    }
    squeezed = squeeze.tensor.shape[0]
    classes = try network.classes(by: [.classifier(.weight)])
  }

  /// - Parameters:
  ///   - norms: the epsilons of BatchNorms before attention.
  ///   - convolutions: how many like branches the block of MobileOne, or the mixer, at a path has in
  ///     training.
  func structure(_ norms: NormEpsilons, convolutions: (Name) -> Int) -> Structure {
    var builder = NetworkBuilder()
    func branches(
      _ path: Name, _ size: Int, skips: Bool, hasScale: Bool = true
    ) -> [BlockShape.Branch] {
      (skips ? [.init(layer: "skip")] : [])
        + (0..<max(1, convolutions(path))).map {
          .init(layer: LayerAddress("conv", index: $0), kernelSize: size)
        }
        + (size > 1 && hasScale ? [.init(layer: "scale", kernelSize: 1)] : [])
    }
    func mobileOne(
      _ path: Name, _ input: Int, _ output: Int, size: Int, stride: Int = 1, groups: Int = 1,
      hasScale: Bool = true
    ) -> BlockShape {
      var shape = BlockShape(
        address: BlockAddress(.mobileOne, path), inputChannels: input, outputChannels: output,
        groups: groups, stride: stride, kernelSize: size)
      shape.branches = branches(path, size, skips: shape.keepsShape, hasScale: hasScale)
      return shape
    }

    let width = stages[0].channels
    var value = builder.add(
      mobileOne("patch_embed.0", 3, width, size: 3, stride: 2, hasScale: stemHasScale),
      on: Graph.input, .gelu)
    value = builder.add(
      mobileOne(
        "patch_embed.1", width, width, size: 3, stride: 2, groups: width, hasScale: stemHasScale),
      on: value, .gelu)
    value = builder.add(mobileOne("patch_embed.2", width, width, size: 1), on: value, .gelu)
    var row = 0
    for (index, stage) in stages.enumerated() {
      let channels = stage.channels
      func depthwise(
        _ family: BlockFamily, _ path: Name, _ size: Int, _ branches: [BlockShape.Branch]
      ) -> BlockShape {
        BlockShape(
          address: BlockAddress(family, path), inputChannels: channels, outputChannels: channels,
          groups: channels, stride: 1, kernelSize: size, branches: branches)
      }
      func scaled(_ change: Int, _ path: Name, _ name: Name) -> Int {
        guard hasLayerScale else { return change }
        return builder.scale("\(path).\(name)", channels, on: change, block: path)
      }
      func mix(_ path: Name) {
        var mixer = depthwise(
          .repMixer, path + ".token_mixer", mixerSize,
          [.init(layer: "norm")] + branches(path + ".token_mixer", mixerSize, skips: true))
        if hasLayerScale { mixer.factors = ["factor": [channels, 1, 1]] }
        value = builder.add(mixer, on: value, nil)
      }
      func attend(_ path: Name) {
        let norm: Name = "\(path).norm"
        var change =
          hasLayerNorm
          ? builder.layerNorm(norm, channels, epsilon: 1e-5, of: value, label: path)
          : builder.batchNorm(norm, channels, epsilon: norms[norm], of: value, label: path)
        change = builder.linear(
          "\(path).token_mixer.qkv", channels, 3 * channels, hasBias: stage.hasQueryBias,
          of: change, label: path)
        change = builder.attention(change, heads: channels / Self.headWidth, block: path)
        change = builder.linear(
          "\(path).token_mixer.proj", channels, channels, of: change, label: path)
        value = builder.append(.add, value, scaled(change, path, "layer_scale_1"), block: path)
      }
      func feedForward(_ path: Name, _ factor: Name) {
        var change = builder.add(
          depthwise(
            .convolutionBatchNorm, path + ".convffn.conv", largeSize,
            [.init(layer: "conv", kernelSize: largeSize)]), on: value, nil)
        change = builder.pointwise(
          path + ".convffn.fc1", channels, stage.hidden, on: change, block: path)
        change = builder.append(.gelu, change, block: path)
        change = builder.pointwise(
          path + ".convffn.fc2", stage.hidden, channels, on: change, block: path)
        value = builder.append(.add, value, scaled(change, path, factor), block: path)
      }

      if index > 0 {
        let before = stages[index - 1].channels
        let path: Name = "network.\(row).proj"
        var large = BlockShape(
          address: BlockAddress(.repLKNet, path + ".0"), inputChannels: before,
          outputChannels: channels, groups: before, stride: 2, kernelSize: largeSize,
          branches: [
            .init(layer: "large", kernelSize: largeSize), .init(layer: "small", kernelSize: 3),
          ])
        large.squeezeExcitation = stage.squeezed.map {
          .init(placement: .beforeActivation, channels: $0)
        }
        // The authors' code of FastViT computes an activation here and drops it.
        value = builder.add(large, on: value, isActivated ? .gelu : nil)
        value = builder.add(mobileOne(path + ".1", channels, channels, size: 1), on: value, .gelu)
        row += 1
      }
      if let size = stage.encodingSize {
        value = builder.add(
          depthwise(
            .repCPE, "network.\(row)", size,
            [.init(layer: "conv", kernelSize: size, hasBias: true)]), on: value, nil)
        row += 1
      }
      for place in 0..<stage.depth {
        let path: Name = "network.\(row).\(place)"
        if stage.isAttention {
          attend(path)
          feedForward(path, "layer_scale_2")
        } else {
          mix(path)
          feedForward(path, "layer_scale")
        }
      }
      row += 1
    }
    let channels = stages.last!.channels
    var last = mobileOne("conv_exp", channels, features, size: 3, groups: channels)
    last.squeezeExcitation = .init(placement: .beforeActivation, channels: squeezed)
    builder.classifier(
      (.classifier(.weight), .classifier(.bias)), features, classes,
      of: builder.add(last, on: value, .gelu))
    return builder.structure(
      topology: "FastViT", classes: classes,
      stages: stages.map { StageShape(depth: $0.depth, channels: $0.channels) },
      stemChannels: width)
  }
}
