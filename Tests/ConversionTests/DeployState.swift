import Blocks
import CheckpointFiles
import Checkpoints
import Conversion
import Naming
import Reparameterization
import Tensors
import TestSupport

/// The tensors of a deploy file in memory, to be changed and written again.
struct DeployState {
  struct Entry {
    var name: Name
    var shape: [Int]
    var values: [Double]
    var type = ElementType.float32
  }
  var entries: [Entry]

  init(entries: [Entry]) { self.entries = entries }

  /// What a training checkpoint fuses to.
  init(
    fusing path: String, key: String? = nil, epsilon: Double? = nil, names: Dialect = .official
  ) throws {
    let network = try Network(recognising: openCheckpoint(path), key: key)
    try self.init(of: FusionPlan(network, epsilon: epsilon), names: names)
  }

  /// What a plan makes.
  init(of plan: FusionPlan, names: Dialect) throws {
    entries = try plan.outputTensors(names: names).map(Entry.init)
  }

  subscript(name: Name) -> Entry {
    get { entries.first { $0.name == name }! }
    set { entries[entries.firstIndex { $0.name == name }!] = newValue }
  }

  subscript(text: String) -> Entry {
    get { self[Name(text)] }
    set { self[Name(text)] = newValue }
  }

  mutating func remove(_ names: [Name]) { entries.removeAll { names.contains($0.name) } }

  /// Puts a kernel and its bias in the place of a block's.
  mutating func replace(_ block: Name, with kernel: Kernel) throws {
    self[block + ".rbr_reparam.weight"].values = try kernel.weights(ofRows: 0..<kernel.shape[0]).map
    { Double(Float($0)) }
    self[block + ".rbr_reparam.bias"].values = try kernel.bias().map { Double(Float($0)) }
  }

  /// Stores all floating point tensors as another type.
  mutating func cast(to type: ElementType) {
    for index in entries.indices { entries[index].type = type }
  }

  @discardableResult
  func write(to path: String) throws -> String {
    let tensors = try entries.map { entry in
      var bytes: [UInt8] = []
      for value in entry.values { bytes += encode(value, entry.type) }
      return OutputTensor(
        name: entry.name,
        try Tensor(
          entry.type, shape: Shape(entry.shape),
          in: MemoryBytes(bytes, location: Location(path: entry.name.text)), name: entry.name))
    }
    let file = try OutputFile(path: path, replace: true)
    try PyTorchZipWriter.write(tensors, to: file, threads: .all)
    try file.commit()
    return path
  }
}

extension DeployState.Entry {
  init(_ tensor: OutputTensor) throws {
    var (workspace, buffer): (Workspace, [UInt8]) = (Workspace(), [])
    var values: [Double] = []
    try unsafe tensor.forEachPiece(workspace: &workspace, buffer: &buffer) { bytes in
      // Safe: reads exactly the floats handed out, without assuming alignment.
      for offset in stride(from: 0, to: bytes.count, by: 4) {
        values.append(Double(unsafe bytes.loadUnaligned(fromByteOffset: offset, as: Float.self)))
      }
    }
    self.init(name: tensor.name, shape: tensor.shape.dimensions, values: values)
  }
}

/// The bytes of the number nearest to `value`, by the standard library's own types.
func encode(_ value: Double, _ type: ElementType) -> [UInt8] {
  func bytes<Bits: FixedWidthInteger>(_ bits: Bits) -> [UInt8] {
    (0..<Bits.bitWidth / 8).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
  }
  switch type {
  case .float64: return bytes(value.bitPattern)
  case .float32: return bytes(Float(value).bitPattern)
  case .bfloat16:
    let bits = Float(value).bitPattern
    return bytes(UInt16(truncatingIfNeeded: (bits + 0x7FFF + (bits >> 16 & 1)) >> 16))
  case .float16: return bytes(halfBits(value))
  default: preconditionFailure("no test needs \(type)")
  }
}

/// By search, since `Float16` is not everywhere: the half nearest to `value`.
private func halfBits(_ value: Double) -> UInt16 {
  let magnitude = value.magnitude
  var (low, high) = (UInt16(0), UInt16(0x7C00))
  while high - low > 1 {
    let middle = low + (high - low) / 2
    if Double(Float(halfBits: middle)) <= magnitude { low = middle } else { high = middle }
  }
  let (below, above) = (
    Double(Float(halfBits: low)), high == 0x7C00 ? 65536 : Double(Float(halfBits: high))
  )
  let isHigh =
    magnitude - below > above - magnitude
    || (magnitude - below == above - magnitude && low % 2 == 1)
  return (isHigh ? high : low) | (value.sign == .minus ? 0x8000 : 0)
}

/// The branches of a block as kernels, BatchNorm and all: what a wrong program has in its hands.
struct Branches {
  static let all = ["dense", "pointwise", "identity"]
  var dense, pointwise: Tensor
  var norms: [String: (gamma: [Double], beta: [Double], mean: [Double], variance: [Double])] = [:]

  init(_ path: Name, of checkpoint: String) throws {
    let network = try Network(recognising: openCheckpoint(checkpoint))
    let block = network.blocks.first { $0.path == path }!
    dense = block[ParameterAddress("dense", .weight)]!.tensor
    pointwise = block[ParameterAddress("pointwise", .weight)]!.tensor
    for branch in Branches.all {
      func address(_ part: Part) -> ParameterAddress { .init(LayerAddress(branch), part) }
      guard block[address(.gamma)] != nil else { continue }
      func vector(_ part: Part) throws -> [Double] { try block[address(part)]!.tensor.doubles() }
      norms[branch] = (
        try vector(.gamma), try vector(.beta), try vector(.runningMean),
        try vector(.runningVariance)
      )
    }
  }

  var channels: Int { dense.shape[0] }
  var groups: Int { channels / dense.shape[1] }

  func norm(_ branch: String, epsilon: Double = 1e-5) -> BatchNorm {
    let norm = norms[branch]!
    return BatchNorm(
      gamma: norm.gamma, beta: norm.beta, runningMean: norm.mean, runningVariance: norm.variance,
      epsilon: epsilon)
  }

  /// A branch as a 3x3 kernel.
  func kernel(_ branch: String, norm given: BatchNorm? = nil, folded: Bool = true) -> Kernel {
    let plain =
      switch branch {
      case "dense": Kernel(convolution: dense)
      case "pointwise": Kernel(convolution: pointwise)
      default: Kernel(identityOf: channels, groups: groups)
      }
    return (folded ? plain.folding(given ?? norm(branch)) : plain).padded(to: 3, 3)
  }

  var sum: Kernel {
    let sum = kernel("dense") + kernel("pointwise")
    return norms["identity"] == nil ? sum : sum + kernel("identity")
  }
}
