internal import Blocks
internal import Checkpoints
internal import Naming
internal import Tensors

/// Blocks one after the other, as a file has them.
struct BlockChain {
  let network: Network
  private let byPath: [Name: Block]

  /// - Throws: `Deviation` if the file holds anything but blocks and a classifier, or no first block.
  init(of network: Network) throws(Deviation) {
    self.network = network
    byPath = Dictionary(
      network.blocks.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
    guard let root = network.dialect.root else {
      throw Deviation(
        reason: "no tensor tells how networks of \(network.dialect.name) are put together",
        isForeign: true)
    }
    guard byPath[root] != nil else {
      // Where further blocks have the names of its stages, it is the first one that has got lost.
      let stages = Name(root.text.prefix { !$0.isNumber })
      throw Deviation(
        reason: "there is no block '\(printable(root))'",
        isForeign: !byPath.keys.contains { $0.hasPrefix(stages) })
    }
    let other = network.parameters.first { if case .other = $0.role { true } else { false } }
    if let other {
      throw Deviation(
        reason:
          "'\(printable(other.originalName))' is not part of a \(network.dialect.family.name)",
        isForeign: true)
    }
  }

  /// Whether there is a block at a path.
  func has(_ path: Name) -> Bool { byPath[path] != nil }

  /// How many paths that begin like this are numbered without a gap.
  func count(_ prefix: Name) -> Int {
    var count = 0
    while has("\(prefix)\(count)") { count += 1 }
    return count
  }

  /// The blocks at these paths, from an image of three channels on.
  ///
  /// - Parameters:
  ///   - order: every path with a block that is not for training only, and its stride.
  ///   - branches: the branches that a block of this shape should have, given its parameters.
  /// - Throws: `Deviation` if there are blocks at other paths, or channels do not fit.
  func blocks(
    _ order: [(path: Name, stride: Int)],
    branches: (BlockShape, Block) -> [BlockShape.Branch]
  ) throws(Deviation) -> [BlockShape] {
    let paths = Set(order.map(\.path))
    let stray = network.blocks.first { !paths.contains($0.path) }
    if let stray {
      throw Deviation(
        reason: "block '\(stray.path)' is not where a \(network.dialect.family.name) has one")
    }
    var result: [BlockShape] = []
    var channels = 3
    for (path, stride) in order {
      let block = byPath[path]!
      var shape = try shape(of: block, after: channels, stride: stride)
      shape.branches = branches(shape, block)
      if block.hasBranches { try require(shape.branches, of: block, shape) }
      result.append(shape)
      channels = shape.outputChannels
    }
    return result
  }

  private func shape(
    of block: Block, after channels: Int, stride: Int
  ) throws(Deviation) -> BlockShape {
    let path = block.path
    guard let parameter = block.mainKernel else {
      throw Deviation(reason: "block '\(path)' has no kernel")
    }
    let kernel = parameter.tensor.shape
    guard kernel[1] > 0, channels % kernel[1] == 0, kernel[0] % (channels / kernel[1]) == 0,
      kernel[2] == kernel[3], kernel[2] % 2 == 1
    else {
      throw Deviation(reason: "the kernel of '\(path)' is \(kernel), after \(channels) channels")
    }
    var shape = BlockShape(
      address: block.address, inputChannels: channels, outputChannels: kernel[0],
      groups: channels / kernel[1], stride: stride, kernelSize: kernel[2])
    if let module = network.module(of: parameter) {
      guard module.stride.map({ $0[0] == $0[$0.count - 1] }) ?? true,
        module.dilation.map({ $0.allSatisfy { $0 == 1 } }) ?? true,
        module.padding.map({ $0.allSatisfy { $0 == shape.kernelSize / 2 } }) ?? true
      else {
        throw Deviation(
          reason: "the convolution of '\(path)' has unusual stride, padding or dilation")
      }
      shape.stride = module.stride?.first ?? stride
    }
    shape.squeezeExcitation = try squeezeExcitation(of: block, channels: kernel[0])
    return shape
  }

  private func squeezeExcitation(
    of block: Block, channels: Int
  ) throws(Deviation) -> BlockShape.SqueezeExcitation? {
    var found: BlockShape.SqueezeExcitation?
    for placement in Placement.allCases {
      guard let squeeze = block[ParameterAddress(.squeeze(placement), .weight)] else { continue }
      guard found == nil else {
        throw Deviation(reason: "Squeeze-and-Excitation stands at different places")
      }
      let inner = squeeze.tensor.shape[0]
      found = .init(placement: placement, channels: inner)
      // These have the only shapes that are not checked elsewhere.
      let expected: [(LayerAddress, Part, Shape)] = [
        (.squeeze(placement), .weight, [inner, channels, 1, 1]),
        (.squeeze(placement), .bias, [inner]),
        (.excite(placement), .weight, [channels, inner, 1, 1]),
        (.excite(placement), .bias, [channels]),
      ]
      for (layer, part, shape) in expected {
        let address = ParameterAddress(layer, part)
        let tensor = block[address]?.tensor
        guard tensor?.shape == shape else {
          let name = network.dialect.label(of: .block(block.address, address))
          throw Deviation(
            reason: "'\(name)' is \(tensor?.shape.description ?? "missing"), not \(shape)")
        }
      }
    }
    return found
  }

  private func require(
    _ branches: [BlockShape.Branch], of block: Block, _ shape: BlockShape
  ) throws(Deviation) {
    let found = Set(block.parameters.keys.map(\.layer).filter(block.family.isOwn))
    let expected = Set(branches.map(\.layer))
    guard let layer = found.symmetricDifference(expected).min() else { return }
    throw Deviation(
      reason:
        "block '\(block.path)' \(found.contains(layer) ? "has" : "lacks") \("\(layer)".withArticle) branch, "
        + "with \(shape.inputChannels) channels in, \(shape.outputChannels) out and stride "
        + "\(shape.stride)")
  }

  /// The classes of the classifier after so many channels.
  func classes(after channels: Int) throws(Deviation) -> Int {
    guard let weight = network[.classifier(.weight)]?.tensor.shape, weight[1] == channels,
      network[.classifier(.bias)]?.tensor.shape == [weight[0]]
    else {
      throw Deviation(reason: "there is no classifier after \(channels) channels")
    }
    return weight[0]
  }
}
