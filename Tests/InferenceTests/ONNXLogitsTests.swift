import Conversion
import Inference
import Tensors
import TestSupport
import Testing

/// ONNX files whose operations are known, against what onnxruntime makes of them.
@Suite struct ONNXLogitsTests {
  static let answers = (try? readNPZ(Fixtures.path("ONNX/logits.npz"))) ?? [:]
  static let files = answers.keys.filter { $0.hasSuffix(".onnx") }.sorted()
  /// Those that end in a division.
  static let unknown = [
    "repvit-unfused-dynamo.onnx", "repvit-unfused-timm.onnx",
  ]

  @Test func `there are answers for every way to export`() {
    #expect(Self.files.count == 25)
  }

  @Test(arguments: files.filter { !unknown.contains($0) })
  func `a graph gives onnxruntime's logits`(_ file: String) throws {
    let expected = try #require(Self.answers[file])
    let images = try #require(Self.answers["images"])
    let network = try RunnableNetwork.open(
      path: Fixtures.path("ONNX/\(file)"), arithmetic: .float64)
    let result = try network.run(ImageBatch(images.floats, shape: Shape(images.shape)))
    let largest = try #require(expected.doubles.map(\.magnitude).max())
    #expect(
      largestDifference(result.logits.flatMap { $0 }, expected.doubles) < 1e-5 * largest)
  }

  @Test(arguments: unknown)
  func `what has no counterpart is said`(_ file: String) throws {
    #expect {
      try RunnableNetwork.open(path: Fixtures.path("ONNX/\(file)"))
    } throws: { _ in true }
    let report = try inspect(Fixtures.path("ONNX/\(file)"))
    #expect(
      report.file.notes.contains(
        .remark("The graph cannot be run: its output is a value times a number.")))
  }
}
