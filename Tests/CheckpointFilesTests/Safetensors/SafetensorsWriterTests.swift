import Checkpoints
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

@Suite struct SafetensorsWriterTests: SafetensorsSamples {
  @Test(arguments: ["plain-train", "types"])
  func `what was read is written as the library wrote it`(name: String) throws {
    let path = Fixtures.path("Safetensors/\(name).safetensors")
    let tensors = try readCheckpoint(path: path).stateDicts[0].tensors
    // In any order.
    let outputs = tensors.reversed().map { OutputTensor(name: $0.name, $0.tensor) }
    let written = try TemporaryFile { try SafetensorsWriter.write(outputs, to: $0) }
    #expect(try InputFile(path: written.path).allBytes() == InputFile(path: path).allBytes())
  }

  @Test func `no tensors give a header alone`() throws {
    let written = try TemporaryFile { try SafetensorsWriter.write([], to: $0) }
    #expect(
      try InputFile(path: written.path).allBytes()
        == Self.file("{\"__metadata__\":{\"format\":\"pt\"}}"))
  }

  @Test func `what the format cannot hold is refused by name`() throws {
    func output(_ name: String, _ type: ElementType) throws -> OutputTensor {
      let bytes = MemoryBytes([UInt8](repeating: 0, count: 16), location: Location(path: ""))
      return OutputTensor(name: name, try Tensor(type, shape: [1], in: bytes, name: name))
    }
    func message(_ outputs: [OutputTensor]) throws -> String {
      let error = #expect(throws: WriteError.self) {
        _ = try TemporaryFile { try SafetensorsWriter.write(outputs, to: $0) }
      }
      guard case .cannotExpress(_, let what, let remedy)? = error else { return "" }
      return "\(what). \(remedy)"
    }
    #expect(
      try message([output("a", .float32), output("z", .complex128)])
        == "'z' is complex128, which safetensors has no type for. Write it as complex64, or use .npz or .pth."
    )
    #expect(
      try message([output("a", .float32), output("a", .int8)])
        == "two tensors are called 'a'. Rename one of them.")
    #expect(
      try message([output("__metadata__", .float32)])
        == "a tensor is called '__metadata__', which safetensors reserves. Rename it.")
  }
}
