import Blocks
import Checkpoints
import RVD
import Reparameterization
import Tensors

// Prints how many gigabytes of input each kernel of fusion takes in a second, on one core, from
// memory that fits its caches, and how many of elements are compressed and decoded:
// `swift run --configuration release throughput`.

/// As in RepVGG-B3's third stage.
let channels = 384
/// Bytes of a piece that a writer asks for.
let pieceBytes = 1 << 20

/// Weights like trained ones, in any type. A fixed seed: every run does the same work.
struct Weights {
  private var state: UInt64 = 0x9E37_79B9_7F4A_7C15

  mutating func next() -> Float {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Float(Int32(truncatingIfNeeded: state >> 32)) * 0x1p-36
  }

  /// The same of the normal distribution, nearly: a sum of twelve.
  mutating func nextNormal() -> Float {
    (0..<12).reduce(Float(0)) { sum, _ in sum + next() } * 0.5
  }

  /// A tensor in memory.
  mutating func tensor(_ type: ElementType, _ shape: Shape) throws -> Tensor {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(shape.elementCount * type.byteCount)
    for _ in 0..<shape.elementCount {
      let value = next()
      switch type {
      case .float64: append(Double(value).bitPattern, to: &bytes)
      case .bfloat16: append(UInt16(value.bitPattern >> 16), to: &bytes)
      case .float16: append(halfBits(value), to: &bytes)
      default: append(value.bitPattern, to: &bytes)
      }
    }
    return try Tensor(
      type, shape: shape, in: MemoryBytes(bytes, location: Location(path: "memory")), name: "weights")
  }

  private func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
    for shift in stride(from: 0, to: type(of: value).bitWidth, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }
}

/// Some float16 of about that value; which, does not matter here.
func halfBits(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  let exponent = max(0, Int(bits >> 23 & 0xFF) - 112)
  return UInt16(bits >> 16 & 0x8000) | UInt16(exponent << 10) | UInt16(bits >> 13 & 0x3FF)
}

/// The best of several runs, in gigabytes of input a second.
func measure(_ name: String, inputBytes: Int, _ body: () throws -> Void) rethrows {
  var best = Duration.seconds(1000)
  for _ in 0..<20 { best = min(best, try ContinuousClock().measure(body)) }
  let seconds = Double(best.components.attoseconds) * 1e-18 + Double(best.components.seconds)
  let rate = (Double(inputBytes) / seconds / 1e8).rounded() / 10
  print(name + String(repeating: " ", count: max(1, 44 - name.count)) + "\(rate) GB/s")
}

func measure(_ name: String, _ tensors: [Tensor], _ contents: any TensorContents, elements: Int) throws {
  let output = OutputTensor(name: Name(name), elementType: .float32, shape: [elements], contents: contents)
  var workspace = Workspace()
  var buffer = [UInt8](repeating: 0, count: pieceBytes)
  try measure(name, inputBytes: tensors.reduce(0) { $0 + $1.byteCount }) {
    unsafe try output.forEachPiece(ofAbout: pieceBytes, workspace: &workspace, buffer: &buffer) { _ in }
  }
}

var weights = Weights()
let norm = BatchNorm(
  gamma: (0..<channels).map { 0.5 + 0.001 * Double($0) }, beta: [Double](repeating: 0.1, count: channels),
  runningMean: [Double](repeating: 0.2, count: channels),
  runningVariance: (0..<channels).map { 0.1 + 0.01 * Double($0) }, epsilon: 1e-5)

for type in [ElementType.float32, .float16, .bfloat16, .float64] {
  let dense = try weights.tensor(type, [channels, channels, 3, 3])
  let pointwise = try weights.tensor(type, [channels, channels, 1, 1])
  let kernel =
    Kernel(convolution: dense).folding(norm)
    + Kernel(convolution: pointwise).folding(norm).padded(to: 3, 3)
    + Kernel(identityOf: channels, groups: 1).folding(norm).padded(to: 3, 3)
  try measure(
    "RepVGG block, \(type.rawValue)", [dense, pointwise], RoundedContents(FusedWeights(kernel), to: .float32),
    elements: kernel.shape.elementCount)
}
for type in [ElementType.float16, .bfloat16, .float64] {
  let tensor = try weights.tensor(type, [channels, channels, 3, 3])
  try measure("to float32, \(type.rawValue)", [tensor], RoundedContents(tensor, to: .float32), elements: tensor.shape.elementCount)
}

/// Writing a compressed file, hashes included, and decoding a tensor of it.
func measureCompression(_ type: ElementType, _ weights: inout Weights) throws {
  let count = 16 * channels * channels
  var bytes: [UInt8] = []
  bytes.reserveCapacity(count * type.byteCount)
  for _ in 0..<count {
    let value = weights.nextNormal()
    let (bits, size) =
      switch type {
      case .bfloat16: (value.bitPattern >> 16, 2)
      case .float16: (UInt32(halfBits(value)), 2)
      // Steps of a hundred and twenty-seventh of the largest weight, four deviations.
      case .int8: (UInt32(UInt8(bitPattern: Int8(max(-127, min(127, value / 0.5 * 127))))), 1)
      default: (value.bitPattern, 4)
      }
    for byte in 0..<size { bytes.append(UInt8(truncatingIfNeeded: bits >> (8 * byte))) }
  }
  let tensor = try Tensor(
    type, shape: [count], in: MemoryBytes(bytes, location: Location(path: "memory")), name: "weights")
  let model = DeployModel(tensors: [OutputTensor(name: "weights", tensor)], ModelDescription())
  let path = "/tmp/repconv-throughput.rvd"
  func write(_ compression: Compression) throws -> RVDSummary {
    let output = try OutputFile(path: path, replace: true)
    defer { try? output.commit() }
    return try RVDWriter.write(model, to: output, compression: compression, threads: Threads(1))
  }
  var ratio = 0.0
  try measure("compress, \(type.rawValue)", inputBytes: bytes.count) {
    let written = try write(.fast)
    ratio = Double(written.storedByteCount) / Double(written.elementByteCount)
  }
  let stored = try InputFile(path: path)
  let file = try RVDFile(
    source: MemoryBytes(
      stored.bytes(0..<stored.count, field: "the file"), location: Location(path: "memory")))
  try measure("decode, \(type.rawValue)", inputBytes: bytes.count) {
    var span = bytes.mutableSpan
    var raw = unsafe span.mutableBytes
    try file.decode("weights", into: &raw, threads: Threads(1))
  }
  print("  to \((ratio * 1000).rounded() / 10) %")
}

for type in [ElementType.float32, .float16, .bfloat16, .int8] {
  try measureCompression(type, &weights)
}
