import Checkpoints
import Conversion
import Inference
import Naming
import Reparameterization
import Tensors
import TestSupport

let models = ["plain", "g2", "g4", "se", "plus"]

/// What PyTorch made of a model's images (see Tests/Fixtures/README.md).
struct ExpectedLogits {
  var images: ImageBatch
  var logits: [[Double]]

  init(_ model: String) throws {
    let arrays = try readNPZ(Fixtures.path("Expected/\(model)-logits.npz"))
    images = ImageBatch(arrays["images"]!.floats, shape: Shape(arrays["images"]!.shape))
    let numbers = arrays["logits64"]!.doubles
    let classes = arrays["logits64"]!.shape[1]
    logits = stride(from: 0, to: numbers.count, by: classes).map {
      Array(numbers[$0..<$0 + classes])
    }
  }
}

/// The largest difference; infinite where one is NaN.
func largestDifference(_ a: [[Double]], _ b: [[Double]]) -> Double {
  largestDifference(a.flatMap { $0 }, b.flatMap { $0 })
}

func largestDifference(_ a: [Double], _ b: [Double]) -> Double {
  guard a.count == b.count else { return .infinity }
  return zip(a, b).map { ($0 - $1).magnitude }.map { $0.isNaN ? .infinity : $0 }.max() ?? 0
}

func network(_ model: String) throws -> Network {
  try Network(recognising: try openCheckpoint(Fixtures.path("PyTorch/\(model)-train.pth")))
}
