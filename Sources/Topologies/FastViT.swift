internal import Blocks
internal import Graphs
internal import Naming
internal import Tensors

extension Topology {
  /// FastViT as far as it has no attention: a stem of three blocks of MobileOne, stages of RepMixers with a
  /// feed-forward part each, a downsampling between stages, a last depthwise block, and a classifier
  /// (arXiv:2303.14189, table 1; models/fastvit.py of github.com/apple/ml-fastvit).
  static let fastViT = Topology(
    name: "FastViT", family: .repMixer,
    structure: { (network, _) throws(Deviation) in
      let sizes = try FastViTSizes(of: network)
      let structure = sizes.structure { path in
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
    ],
    describe: { structure in
      func list(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: ",") }
      let stages = structure.stages
      return "custom FastViT (\(list(stages.map(\.depth))) blocks; "
        + "\(list(stages.map(\.channels))) channels)"
    })

  /// - Parameters:
  ///   - width: channels of the first stage; each of the others has twice those before it.
  ///   - ratio: how many times wider the middle of the feed-forward parts is.
  private static func named(
    _ name: String, _ depths: [Int], width: Int, ratio: Int
  ) -> Architecture {
    Architecture(name: name, topology: "FastViT", aliases: []) { classes in
      let stages = depths.enumerated().map { index, depth in
        let channels = width << index
        return FastViTSizes.Stage(depth: depth, channels: channels, hidden: channels * ratio)
      }
      let features = 2 * stages.last!.channels
      return FastViTSizes(
        stages: stages, features: features, squeezed: features / 16, classes: classes
      ).structure { _ in 1 }
    }
  }
}

/// All that differs between such networks.
private struct FastViTSizes {
  /// RepMixers of one resolution, each with a feed-forward part.
  struct Stage {
    var depth: Int
    var channels: Int
    /// Channels in the middle of the feed-forward parts.
    var hidden: Int
  }
  var stages: [Stage]
  /// Height and width of the kernels of RepMixers, and of those in downsamplings and feed-forward parts.
  var mixerSize = 3
  var largeSize = 7
  /// Whether the outputs of RepMixers' differences and of feed-forward parts have factors.
  var hasLayerScale = true
  /// Channels of the last block, and between the layers of its Squeeze-and-Excitation.
  var features, squeezed: Int
  var classes: Int

  init(stages: [Stage], features: Int, squeezed: Int, classes: Int) {
    (self.stages, self.features, self.squeezed) = (stages, features, squeezed)
    self.classes = classes
  }

  /// What a network seems to be; nothing else of it is looked at.
  init(of network: Network) throws(Deviation) {
    guard network.dialect.root == "patch_embed.0" else {
      throw Deviation(
        reason: "no tensor tells how networks of \(network.dialect.name) are put together")
    }
    func shape(_ name: String) -> Shape? { network[.other(name: name)]?.tensor.shape }
    stages = []
    var row = 0
    while true {
      if network.block(at: "network.\(row)")?.family == .repCPE
        || shape("network.\(row).0.token_mixer.qkv.weight") != nil
      {
        throw Deviation(
          reason: "'network.\(row)' is of attention, which there are no graphs of yet")
      }
      var depth = 0
      while network.block(at: "network.\(row).\(depth).token_mixer") != nil { depth += 1 }
      guard depth > 0 else { break }
      guard let hidden = shape("network.\(row).0.convffn.fc1.weight")?.dimensions.first else {
        throw Deviation(reason: "there is no feed-forward part in 'network.\(row).0'")
      }
      let mixer = try network.kernelShape(at: "network.\(row).0.token_mixer")
      if stages.isEmpty {
        mixerSize = mixer[2]
        hasLayerScale = shape("network.0.0.layer_scale") != nil
      } else {
        let downsampling = network.block(at: "network.\(row - 1).proj.0")
        // In MobileCLIP's encoders, an activation follows it; nobody has seen one without the other.
        if downsampling?[ParameterAddress(.squeeze(.beforeActivation), .weight)] != nil {
          throw Deviation(
            reason: "no tensor tells what follows Squeeze-and-Excitation in 'network.\(row - 1)'")
        }
      }
      stages.append(Stage(depth: depth, channels: mixer[0], hidden: hidden))
      row += 2
    }
    guard let last = stages.last else {
      throw Deviation(reason: "there is no block in 'network.0'")
    }
    if stages.count > 1 { largeSize = try network.kernelShape(at: "network.1.proj.0")[2] }
    guard mixerSize % 2 == 1, largeSize % 2 == 1,
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

  /// - Parameter convolutions: how many like branches the block of MobileOne, or the mixer, at a path has
  ///   in training.
  func structure(convolutions: (String) -> Int) -> Structure {
    var builder = NetworkBuilder()
    func branches(_ path: String, _ size: Int, skips: Bool) -> [BlockShape.Branch] {
      (skips ? [.init(layer: "skip")] : [])
        + (0..<max(1, convolutions(path))).map {
          .init(layer: LayerAddress("conv", index: $0), kernelSize: size)
        }
        + (size > 1 ? [.init(layer: "scale", kernelSize: 1)] : [])
    }
    func mobileOne(
      _ path: String, _ input: Int, _ output: Int, size: Int, stride: Int = 1, groups: Int = 1
    ) -> BlockShape {
      var shape = BlockShape(
        address: BlockAddress(.mobileOne, path), inputChannels: input, outputChannels: output,
        groups: groups, stride: stride, kernelSize: size)
      shape.branches = branches(path, size, skips: shape.keepsShape)
      return shape
    }

    let width = stages[0].channels
    var value = builder.add(
      mobileOne("patch_embed.0", 3, width, size: 3, stride: 2), on: Graph.input, .gelu)
    value = builder.add(
      mobileOne("patch_embed.1", width, width, size: 3, stride: 2, groups: width), on: value, .gelu)
    value = builder.add(mobileOne("patch_embed.2", width, width, size: 1), on: value, .gelu)
    for (index, stage) in stages.enumerated() {
      let channels = stage.channels
      func depthwise(
        _ family: BlockFamily, _ path: String, _ size: Int, _ branches: [BlockShape.Branch]
      ) -> BlockShape {
        BlockShape(
          address: BlockAddress(family, path), inputChannels: channels, outputChannels: channels,
          groups: channels, stride: 1, kernelSize: size, branches: branches)
      }
      if index > 0 {
        let (before, path) = (stages[index - 1].channels, "network.\(2 * index - 1).proj")
        // No activation: the authors' code computes one and drops it.
        value = builder.add(
          BlockShape(
            address: BlockAddress(.repLKNet, path + ".0"), inputChannels: before,
            outputChannels: channels, groups: before, stride: 2, kernelSize: largeSize,
            branches: [
              .init(layer: "large", kernelSize: largeSize), .init(layer: "small", kernelSize: 3),
            ]), on: value, nil)
        value = builder.add(mobileOne(path + ".1", channels, channels, size: 1), on: value, .gelu)
      }
      for place in 0..<stage.depth {
        let path = "network.\(2 * index).\(place)"
        var mixer = depthwise(
          .repMixer, path + ".token_mixer", mixerSize,
          [.init(layer: "norm")] + branches(path + ".token_mixer", mixerSize, skips: true))
        if hasLayerScale { mixer.factors = ["factor": [channels, 1, 1]] }
        value = builder.add(mixer, on: value, nil)
        var change = builder.add(
          depthwise(
            .convolutionBatchNorm, path + ".convffn.conv", largeSize,
            [.init(layer: "conv", kernelSize: largeSize)]), on: value, nil)
        change = builder.pointwise(
          path + ".convffn.fc1", channels, stage.hidden, on: change, block: path)
        change = builder.append(.gelu, change, block: path)
        change = builder.pointwise(
          path + ".convffn.fc2", stage.hidden, channels, on: change, block: path)
        if hasLayerScale {
          change = builder.scale(path + ".layer_scale", channels, on: change, block: path)
        }
        value = builder.append(.add, value, change, block: path)
      }
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
