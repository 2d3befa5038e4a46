import Checkpoints
import Foundation
import RVD
import Tensors
import TestSupport

/// A tensor of given bytes.
func tensor(
  _ name: String, _ elementType: ElementType, _ shape: Shape, _ bytes: [UInt8]
) throws -> OutputTensor {
  let source = MemoryBytes(bytes, location: Location(path: "memory"))
  return OutputTensor(
    name: name, try Tensor(elementType, shape: shape, in: source, name: name))
}

/// A tensor of zeros.
func zeros(_ name: String, _ shape: Shape, _ elementType: ElementType = .float32) throws
  -> OutputTensor
{
  try tensor(
    name, elementType, shape,
    [UInt8](repeating: 0, count: shape.elementCount * elementType.byteCount))
}

let someProvenance = Provenance(
  sourceSHA256: String(repeating: "a", count: 64), container: "PyTorch zip", dialect: "official",
  epsilons: [1e-5], arithmetic: "float64, rounded once", tool: "a test")

let someDescription = ModelDescription(provenance: someProvenance)

/// The bytes of the file that `RVDWriter` makes of a model, and what it says of it.
func write(
  _ model: DeployModel, compression: Compression? = nil, threads: Threads = .all
) throws -> (bytes: [UInt8], summary: RVDSummary) {
  let path = FileManager.default.temporaryDirectory
    .appending(path: "repconv-\(UUID().uuidString).rvd").path
  defer { try? FileManager.default.removeItem(atPath: path) }
  let file = try OutputFile(path: path, replace: false)
  let summary = try RVDWriter.write(
    model, to: file, compression: compression, threads: threads)
  try file.commit()
  return ([UInt8](try Data(contentsOf: URL(filePath: path))), summary)
}

/// Opens a file in memory and verifies all of it.
@discardableResult
func open(_ bytes: [UInt8]) throws(ReadError) -> RVDFile {
  let file = try RVDFile(source: MemoryBytes(bytes, location: Location(path: "model.rvd")))
  try file.verify()
  return file
}

/// Contents that cannot be fetched where an element is among them.
struct Failing: TensorContents {
  var failsAt: Int
  var granularity: Int { 1 }
  static let error = ReadError.truncated(
    Location(path: "source"), field: "a tensor", needed: 1, available: 0)

  func read(
    _ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, workspace: inout Workspace
  ) throws(ReadError) {
    if range.contains(failsAt) { throw Failing.error }
  }
}
