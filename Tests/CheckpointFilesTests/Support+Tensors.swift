import Checkpoints
import Checksums
import Foundation
import Tensors
import Testing

@testable import CheckpointFiles

/// Expects `stateDict` to hold just the tensors of `rows`, in their order: name (percent-encoded),
/// element type, shape and bytes in hexadecimal.
func expect(
  _ stateDict: StateDict, holds rows: [[String]], sourceLocation: SourceLocation = #_sourceLocation
) throws {
  try #require(
    stateDict.tensors.map(\.name) == rows.map { Name($0[0].removingPercentEncoding!) },
    sourceLocation: sourceLocation)
  for (named, row) in zip(stateDict.tensors, rows) {
    #expect(
      named.tensor.elementType.rawValue == row[1], "\(row[0])", sourceLocation: sourceLocation)
    #expect(named.tensor.shape.description == row[2], "\(row[0])", sourceLocation: sourceLocation)
    #expect(
      try named.tensor.bytes().hexadecimal == row[3], "\(row[0])", sourceLocation: sourceLocation)
    try named.tensor.source.verify()
  }
}

extension OutputTensor {
  /// All elements, packed and little-endian.
  func bytes() throws -> [UInt8] {
    var result: [UInt8] = []
    var workspace = Workspace()
    var buffer: [UInt8] = []
    try unsafe forEachPiece(ofAbout: 1000, workspace: &workspace, buffer: &buffer) {
      unsafe result += Array($0)
    }
    return result
  }
}
