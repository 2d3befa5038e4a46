public import Checkpoints
internal import Conversion
internal import Graphs
internal import Naming
public import Tensors

/// The arithmetic a network is computed in. Every layer's sums are formed in it.
public enum Arithmetic: String, CaseIterable, Sendable {
  case float32, float64
}

/// A network with its weights in memory, ready to be run on the processor.
///
///     let network = try RunnableNetwork.open(path: "a0.rvd", arithmetic: .float64)
///     let result = try network.run(ImageBatch(images, shape: [16, 3, 224, 224]))
///     print(result.logits[0].indices.max { result.logits[0][$0] < result.logits[0][$1] }!)
///
/// Training forms are run as they were trained, with every branch and its BatchNorm computed by itself,
/// BatchNorm with its running statistics; nothing of fusion is used. So what a training form and its
/// deploy form give can be compared.
///
/// In float32, 3x3 convolutions at stride 1 are computed by Winograd's F(2x2, 3x3), others as matrix
/// products (im2col), all with kernels of this library for AVX-512, AVX2 or any other processor. In float64 all
/// are products of a CBLAS: OpenBLAS, or Accelerate on macOS. Results are the same to the bit from run to run
/// and for any number of threads, in float32 for any size of batch as well; another processor or another
/// BLAS may change their last bits.
public struct RunnableNetwork: Sendable {
  /// Which form of a network is run.
  public enum Form: String, Sendable {
    case train, deploy
  }
  /// Training form if its file has branches.
  public let form: Form
  /// What it is computed in.
  public let arithmetic: Arithmetic
  /// How images become input; nil where it is not known.
  public let input: InputConvention?
  /// `RepVGG-A0`, or what a network without name consists of; nil where it is not known.
  public let architecture: String?
  /// The names of the classes, one for each number it gives; nil where they are not known.
  public let labels: [String]?
  /// What should be said of the file it comes from.
  public let notes: [String]
  /// The names of the blocks that the graph has, in order: `stage0`, `stage1.0`.
  public let blocks: [Name]
  /// Channels of the images it takes; nil where the network does not say it.
  public let inputChannels: Int?
  /// Numbers it gives for each image: one for each class.
  public let classes: Int
  /// Height and width that images usually have for it, in pixels.
  let usualSize: Int
  /// Of what its file may ask for.
  let limits: ReadingLimits
  private let engine: Engine

  private enum Engine: Sendable {
    case float32(Program<Float>)
    case float64(Program<Double>)
  }

  init(
    form: Form, arithmetic: Arithmetic, input: InputConvention?, architecture: String? = nil,
    labels: [String] = [], notes: [String] = [], _ graph: Graph, _ parameters: Parameters
  ) throws {
    self.form = form
    self.arithmetic = arithmetic
    self.input = input
    self.architecture = architecture
    limits = parameters.limits
    blocks = graph.blocks
    inputChannels = input?.mean.count ?? graph.inputChannels(tensors: parameters.types)
    usualSize = graph.usualImageSize(
      of: architecture, channels: inputChannels, tensors: parameters.types)
    switch arithmetic {
    case .float32:
      let program = try Program<Float>(graph, parameters, channels: inputChannels)
      (engine, classes) = (.float32(program), program.outputChannels)
    case .float64:
      try BLAS.load()
      let program = try Program<Double>(graph, parameters, channels: inputChannels)
      (engine, classes) = (.float64(program), program.outputChannels)
    }
    let areFitting = labels.count == classes
    self.labels = areFitting ? labels : nil
    self.notes =
      labels.isEmpty || areFitting
      ? notes
      : notes + ["the file names \(labels.count) classes, of \(classes); the names are not used"]
  }
}

/// What a network makes of images.
public struct NetworkResult: Sendable {
  /// For each image, one number for each class (or what else the network gives, row by row).
  public var logits: [[Double]]
  /// What the blocks asked for gave.
  public var blocks: [Name: BlockResult]
}

/// What one block gives.
public struct BlockResult: Sendable {
  /// `N x C x H x W`.
  public var shape: Shape
  /// In row-major order; float32 values are exact.
  public var numbers: [Double]
}

extension RunnableNetwork {
  /// Runs the network.
  ///
  /// - Parameters:
  ///   - batch: images that are computed at a time; takes memory in proportion.
  ///   - kept: blocks whose results are wanted as well.
  ///   - progress: called with the number of images done so far.
  /// - Throws: `InferenceError` if the images do not fit the network, or it makes far larger maps of them, or
  ///   `kept` names what is not there.
  public func run(
    _ images: ImageBatch, batch: Int = 16, threads: Threads = .all, keeping kept: Set<Name> = [],
    progress: (Int) -> Void = { _ in }
  ) throws(InferenceError) -> NetworkResult {
    switch engine {
    case .float32(let program):
      try run(program, images, batch, threads, kept, progress)
    case .float64(let program):
      try run(program, images, batch, threads, kept, progress)
    }
  }

  private func run<Number>(
    _ program: Program<Number>, _ images: ImageBatch, _ batch: Int, _ threads: Threads,
    _ kept: Set<Name>, _ progress: (Int) -> Void
  ) throws(InferenceError) -> NetworkResult {
    precondition(batch > 0)
    if let unknown = kept.subtracting(blocks).min() {
      throw .noSuchBlock(name: unknown, nearest: nearestNames(to: unknown, in: blocks))
    }
    if let expected = inputChannels, images.channels != expected {
      throw .wrongChannels(expected: expected, found: images.channels)
    }
    guard images.height > 0, images.width > 0 else {
      throw .imagesTooSmall(
        height: images.height, width: images.width,
        block: blocks.first.map(printable) ?? "the input")
    }
    guard images.height <= largestMatrixSize / batch / images.width else {
      throw .imagesTooLarge(images: batch, height: images.height, width: images.width)
    }
    let pool = WorkerPool<Number>(try Number.threadsWithMemory(threads))
    var result = NetworkResult(logits: [], blocks: [:])
    for start in stride(from: 0, to: images.count, by: batch) {
      let range = start..<min(start + batch, images.count)
      try requireMemory(
        for: range.count * images.channels * images.height * images.width, Number.self, "the images"
      )
      let output = try program.run(images.map(range, pool), pool, keeping: kept) { name, map in
        let shape: Shape = [images.count, map.channels, map.height, map.width]
        result.blocks[name, default: BlockResult(shape: shape, numbers: [])].numbers +=
          map.numbers()
      }
      let numbers = output.numbers()
      let perImage = numbers.count / range.count
      for image in 0..<range.count {
        result.logits.append(Array(numbers[image * perImage..<(image + 1) * perImage]))
      }
      pool.reuse(output)
      progress(range.upperBound)
    }
    return result
  }
}
