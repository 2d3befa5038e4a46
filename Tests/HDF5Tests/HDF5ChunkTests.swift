import Tensors
import TestSupport
import Testing

@testable import HDF5

@Suite struct HDF5ChunkTests {
  /// A dataset in chunks with every filter, not read yet.
  private static func chunked() throws -> Tensor {
    let source = try InputFile(path: Fixtures.path("HDF5Files/layouts-earliest.h5"))
    let file = try HDF5File(source, superblockAt: 0)
    let all = try tensors(in: HDF5Tree(file).root, of: file)
    return try #require(all.first { $0.path.hasSuffix("shuffle.gzip.fletcher32") }).tensor
  }

  @Test func `a chunked dataset is read forward in pieces, and in any order`() throws {
    let tensor = try Self.chunked()
    let all = try tensor.bytes()
    for step in [1, 7, 50, 51, 200] {
      let tensor = try Self.chunked()
      var pieces: [UInt8] = []
      for start in stride(from: 0, to: tensor.shape.elementCount, by: step) {
        let end = min(start + step, tensor.shape.elementCount)
        var piece = [UInt8](repeating: 0, count: 4 * (end - start))
        try unsafe piece.withUnsafeMutableBytes { try unsafe tensor.read(start..<end, into: $0) }
        pieces += piece
      }
      #expect(pieces == all, "\(step)")
    }
    let transposed = tensor.transposed([2, 0, 1])
    #expect(try transposed.transposed([1, 2, 0]).bytes() == all)
  }
}
