internal import Blocks
internal import Checkpoints
public import Conversion
internal import Graphs
public import Inference
internal import Naming
internal import Reparameterization
public import Tensors
internal import Topologies

/// What `insertBatchNorms` did.
public struct InsertionReport: Encodable, Sendable {
  /// A BatchNorm, and what it was made of.
  public struct Block: Encodable, Equatable, Sendable {
    /// The block's.
    public var path: Name
    /// The smallest and the largest variance that a channel of its convolution has.
    public var variances: ClosedRange<Double>

    public func encode(to encoder: any Encoder) throws {
      try encoder.encode(members: [
        "block": path, "leastVariance": variances.lowerBound,
        "largestVariance": variances.upperBound,
      ])
    }
  }
  /// The deploy network.
  public var source: FileSummary
  /// What was written.
  public var output: OutputSummary
  /// What statistics are from.
  public var images: ImageSelection
  /// BatchNorm's, which whoever reads the file has to know.
  public var epsilon: Double
  /// In the order of the network.
  public var blocks: [Block]
}

/// Puts a BatchNorm behind each convolution of a deploy network of RepVGG's blocks: the third form that the
/// authors' tools know (`tools/insert_bn.py`), for training it further, quantised.
///
/// The convolution loses its bias; the BatchNorm gets the mean and the variance that images make behind it as
/// running statistics, and a weight and bias that undo it: `gamma = sqrt(variance + epsilon)`, `beta = mean +
/// bias`. So it computes what the network does, up to rounding; fusing gives that back.
///
/// - Parameters:
///   - images: ready for this network.
///   - batch: images that are computed at a time.
/// - Throws: `CalibrationError.notDeployed`, `.notFinite`, `InferenceError`, `NamingError`, `ReadError`, `WriteError`.
public func insertBatchNorms(
  _ source: String, to output: String, images: ImageSelection,
  reading: ReadingOptions = ReadingOptions(), writing: WritingOptions = WritingOptions(),
  batch: Int = 16
) throws -> InsertionReport {
  let checkpoint = try openCheckpoint(source, family: reading.family, limits: reading.limits)
  let network = try Network(recognising: checkpoint, reading)
  let structure = try Structure(forInsertion: network, path: source)
  let tensors = structure.deployParameters.map { parameter in
    DeployTensor(network[parameter.role]!.tensor, role: parameter.role)
  }
  let stepwise = try StepwiseNetwork(
    structure.graph, tensors, channels: checkpoint.model?.input?.mean.count,
    limits: reading.limits)
  let computation = try stepwise.computation(
    height: images.input.shape[1], width: images.input.shape[2],
    images: min(batch, images.input.count), channels: images.input.shape[0],
    threads: writing.threads)
  var moments: [Role: Moments] = [:]
  for start in stride(from: 0, to: images.input.count, by: batch) {
    let range = start..<min(start + batch, images.input.count)
    _ = try computation.run(images.input.batch(range, threads: writing.threads)) { value, result in
      guard value > 0, structure.graph.nodes[value - 1].kind == .convolution else { return }
      let role = tensors[structure.graph.nodes[value - 1].operand("weight")!].role
      guard case .block(_, .fused(.weight)) = role else { return }
      moments[role, default: Moments()].add(result)
    }
  }

  let names = Dialect.officialInsertedBatchNorm
  let epsilon = names.epsilon
  var result: [OutputTensor] = []
  var blocks: [InsertionReport.Block] = []
  for tensor in tensors {
    switch tensor.role {
    case .block(let block, .fused(.weight)):
      let address = BlockAddress(.insertedBatchNorm, block.path)
      func name(_ layer: LayerAddress, _ part: Part) -> Name {
        names.name(of: .block(address, ParameterAddress(layer, part)))!
      }
      let bias = try tensors.first { $0.role == tensor.role.biasOfWeight }!.doubles()
      let found = moments[tensor.role]!
      guard (found.means + found.variances).allSatisfy(\.isFinite) else {
        throw CalibrationError.notFinite(path: source, place: printable(block.path))
      }
      // As they are read: rounded.
      let means = zip(found.means, bias).map { Float($0 - $1) }
      let variances = found.variances.map { Float($0) }
      blocks.append(
        InsertionReport.Block(
          path: block.path, variances: found.variances.min()!...found.variances.max()!))
      var weight = tensor.output(as: NumberFormat(.float32)!)
      weight.name = name("conv", .weight)
      result.append(weight)
      let vectors: [(Part, [Float])] = [
        (.gamma, variances.map { Float((Double($0) + epsilon).squareRoot()) }),
        (.beta, zip(bias, means).map { Float($0 + Double($1)) }),
        (.runningMean, means), (.runningVariance, variances),
      ]
      for (part, numbers) in vectors {
        let name = name("conv", part)
        result.append(
          OutputTensor(
            name: name, try Tensor(float32: numbers, shape: [numbers.count], name: name)))
      }
      let counter = name("conv", .batchesTracked)
      result.append(
        OutputTensor(name: counter, try Tensor(int64: [0], shape: [], name: counter)))
    case .block(_, .fused(.bias)): continue
    default:
      var other = tensor.output(as: NumberFormat(.float32)!)
      other.name = Dialect.official.label(of: tensor.role)
      result.append(other)
    }
  }
  let written = try writeCheckpoint(
    result, names: names, madeOf: network.parameters.map(\.tensor), of: source, to: output, writing)
  return InsertionReport(
    source: FileSummary(of: checkpoint, network), output: written, images: images,
    epsilon: epsilon, blocks: blocks)
}

/// The means and variances of channels, as they come in (Chan, Golub and LeVeque 1979).
private struct Moments {
  private(set) var count = 0
  private(set) var means: [Double] = []
  private var squares: [Double] = []

  /// Unbiased, as PyTorch's BatchNorm keeps them.
  var variances: [Double] { squares.map { $0 / Double(max(1, count - 1)) } }

  mutating func add(_ value: NetworkValue) {
    let new = value.sums.map { $0 / Double(value.positions) }
    let newSquares = value.squares(around: new)
    if means.isEmpty {
      (count, means, squares) = (value.positions, new, newSquares)
      return
    }
    let (old, total) = (Double(count), Double(count + value.positions))
    let share = Double(value.positions) / total
    for channel in means.indices {
      let difference = new[channel] - means[channel]
      squares[channel] += newSquares[channel] + difference * difference * old * share
      means[channel] += difference * share
    }
    count += value.positions
  }
}

extension Structure {
  /// The structure of a deploy network of RepVGG's blocks.
  ///
  /// - Throws: `CalibrationError.notDeployed`.
  fileprivate init(forInsertion network: Network, path: String) throws {
    guard network.form == .deploy else {
      throw CalibrationError.notDeployed(path: path, reason: "it is in training form")
    }
    if let other = network.families.first(where: {
      $0 != .repVGG && $0 != .insertedBatchNorm
    }) {
      throw CalibrationError.notDeployed(path: path, reason: "its blocks are of \(other.name)")
    }
    do throws(Deviation) {
      try self.init(of: network)
    } catch {
      throw CalibrationError.notDeployed(path: path, reason: error.reason)
    }
  }
}
