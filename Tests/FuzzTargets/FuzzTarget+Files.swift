internal import Checkpoints
internal import Conversion
internal import Foundation
internal import Graphs
internal import Inference
internal import Naming
internal import Reparameterization
internal import Tensors

// What is done with a file: what the commands do, in small.

extension FuzzTarget {
  /// The largest tensor that is read, in bytes.
  private static let largestTensor = 1 << 20
  /// The most products that running a network may take.
  private static let mostProducts = 1 << 26

  /// Opens a file as what its first bytes say it is, reads its tensors, recognises its names, fuses its
  /// blocks, and runs its graph.
  @Sendable static func readFile(_ bytes: [UInt8], _ path: String) {
    guard let checkpoint = open(bytes, at: path) else { return }
    for stateDict in checkpoint.stateDicts.prefix(4) {
      for named in stateDict.tensors.prefix(64) where named.tensor.byteCount <= largestTensor {
        _ = try? named.tensor.bytes()
      }
    }
    try? checkpoint.verifyWhole?()
    if let network = try? Network(recognising: checkpoint) { fuse(network) }
    if let model = checkpoint.model, let graph = model.graph,
      let first = checkpoint.stateDicts.first
    {
      run(graph, first.tensors.map(\.tensor), model.input)
    }
  }

  /// Writes a network that a file describes by its graph in every format. What can be read of these is read.
  @Sendable static func writeFile(_ bytes: [UInt8], _ path: String) {
    guard let checkpoint = open(bytes, at: path), checkpoint.model?.graph != nil,
      elementCount(checkpoint.stateDicts.flatMap(\.tensors).map(\.tensor)) <= largestTensor
    else { return }
    var options = RewriteOptions()
    options.writing.replace = true
    options.writing.recordsSourceDigest = false
    options.writing.threads = Threads(1)
    for format in OutputFormat.all {
      let output = path + format.fileExtension
      guard (try? rewrite(path, to: output, options: options)) != nil else { continue }
      defer { try? FileManager.default.removeItem(atPath: output) }
      do {
        if format.isReadable { try openCheckpoint(output).verifyWhole?() }
      } catch {
        fatalError("written, but not read: \(error)")
      }
    }
  }

  private static func open(_ bytes: [UInt8], at path: String) -> Checkpoint? {
    guard FileManager.default.createFile(atPath: path, contents: Data(bytes)) else {
      fatalError("cannot write \(path)")
    }
    return try? openCheckpoint(path)
  }

  private static func elementCount(_ tensors: [Tensor]) -> Int {
    tensors.reduce(1) { saturatingSum($0, $1.shape.elementCount) }
  }

  private static func fuse(_ network: Network) {
    for block in network.blocks { _ = network.hasIdentity(block) }
    guard let plan = try? FusionPlan(network) else { return }
    for block in plan.blocks.prefix(8) where block.kernel.shape.byteCount(of: 8) <= largestTensor {
      _ = try? block.kernel.weights(ofRows: 0..<min(2, block.kernel.shape[0]))
      _ = try? block.kernel.bias()
    }
  }

  /// Runs a network on an image of 8 x 8, if its tensors and maps are small.
  private static func run(_ graph: Graph, _ tensors: [Tensor], _ input: InputConvention?) {
    let types = tensors.map { TensorType($0) }
    let elements = elementCount(tensors)
    guard let channels = input?.mean.count ?? graph.inputChannels(tensors: types),
      (1...16).contains(channels), elements <= largestTensor,
      let shapes = try? graph.shapes(
        ofInput: .map(channels: channels, height: 8, width: 8), tensors: types),
      shapes.allSatisfy({ $0.count <= mostProducts / elements }),
      let network = try? RunnableNetwork(graph, tensors: tensors, input: input)
    else { return }
    _ = try? network.preparation
    let image = [Float](repeating: 0.5, count: channels * 64)
    _ = try? network.run(ImageBatch(image, shape: [1, channels, 8, 8]), threads: Threads(1))
  }
}

private func saturatingSum(_ a: Int, _ b: Int) -> Int {
  let (sum, overflow) = a.addingReportingOverflow(b)
  return overflow ? .max : sum
}

extension Shape {
  fileprivate func byteCount(of size: Int) -> Int {
    let (count, overflow) = elementCount.multipliedReportingOverflow(by: size)
    return overflow ? .max : count
  }
}

extension ValueShape {
  /// The numbers in it; those of sizes that are not known are many.
  fileprivate var count: Int {
    let sizes: [Int?] =
      switch self {
      case .map(let channels, let height, let width): [channels, height, width]
      case .vector(let channels): [channels]
      }
    return sizes.reduce(1) { product, size in
      let (count, overflow) = product.multipliedReportingOverflow(by: size ?? .max)
      return overflow ? .max : count
    }
  }
}
