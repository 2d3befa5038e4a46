internal import Pickle
internal import Tensors

/// Counts what is reached in a pickle, as often as it is reached: what is shared in a pickle is not shared in
/// the names that lead to it, nor in what is kept under each.
struct ReachBudget {
  private let source: any ByteSource
  private let allowed: PickleMemory
  private var names = 0
  private var tensors = 0
  private var memory = 0

  /// Bytes of memory beside the name, here and in what recognition and checks make of it.
  private enum Cost {
    static let tensor = 1100
    static let module = 640
    static let other = 160
  }

  init(_ source: any ByteSource) {
    self.source = source
    allowed = PickleMemory(source)
  }

  /// For a name of so many bytes, or what is about as large.
  ///
  /// - Throws: `ReadError.limitExceeded` if all names are too many bytes.
  mutating func take(_ count: Int) throws(ReadError) {
    names += count
    guard names <= source.limits[.nameBytes] else { throw source.exceeded(.nameBytes) }
  }

  /// - Throws: `ReadError.limitExceeded` if there are more tensors than a file may have, or all takes too much
  ///   memory.
  mutating func takeTensor() throws(ReadError) {
    tensors += 1
    guard tensors <= source.limits[.tensors] else { throw source.exceeded(.tensors) }
    try takeMemory(Cost.tensor)
  }

  mutating func takeModule() throws(ReadError) { try takeMemory(Cost.module) }

  /// For what is listed beside tensors.
  mutating func takeOther() throws(ReadError) { try takeMemory(Cost.other) }

  /// For the entries of an object, at least a byte each, before they are looked at.
  mutating func take(entriesOf handle: ObjectGraph.Handle, in graph: ObjectGraph) throws(ReadError)
  {
    try take(graph.entryCount(handle))
  }

  private mutating func takeMemory(_ count: Int) throws(ReadError) {
    memory += count
    guard memory <= allowed.byteCount else {
      throw allowed.exceeded(at: source.location, by: "what is reached in a pickle")
    }
  }
}
