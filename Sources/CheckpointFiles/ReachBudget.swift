internal import Pickle
internal import Tensors

/// Counts the tensors of a pickle and the bytes of its names, as often as they are reached: what is shared
/// in a pickle is not shared in the names that lead to it.
struct NameBudget {
  private let source: any ByteSource
  private var left: Int
  private var tensors = 0

  init(_ source: any ByteSource) {
    self.source = source
    left = source.limits[.nameBytes]
  }

  /// - Throws: `ReadError.limitExceeded` if these bytes are more than are left.
  mutating func take(_ count: Int) throws(ReadError) {
    left -= count
    guard left >= 0 else { throw source.exceeded(.nameBytes) }
  }

  /// - Throws: `ReadError.limitExceeded` if there are more tensors than a file may have.
  mutating func takeTensor() throws(ReadError) {
    tensors += 1
    guard tensors <= source.limits[.tensors] else { throw source.exceeded(.tensors) }
  }

  /// For the entries of an object, at least a byte each, before they are looked at.
  mutating func take(entriesOf handle: ObjectGraph.Handle, in graph: ObjectGraph) throws(ReadError)
  {
    try take(graph.entryCount(handle))
  }
}
