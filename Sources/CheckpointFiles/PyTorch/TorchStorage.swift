internal import Pickle
internal import Tensors

/// A storage as a pickle refers to it: the persistent id
///
///     ("storage", class, key, location, elements)
///
/// with a sixth element in two cases: None in TorchScript files of PyTorch 1.3, and in legacy files
/// None or `(view key, offset, elements)`, a part of the storage in elements of it. The location
/// (`cpu`, `cuda:0`) is of no interest. Python 2 wrote byte strings, and keys as integers.
struct TorchStorage {
  var contents: TorchStorageClass
  var className: Name
  var key: Name
  /// As long as the storage is; bytes if it is untyped.
  var elementCount: Int
  /// The part that the tensors over this reference count from; nil for all.
  var view: Range<Int>?

  /// Nil if `handle` is no persistent id of a storage.
  ///
  /// - Parameter allowsView: whether a sixth element may be other than None.
  init?(_ handle: ObjectGraph.Handle, in graph: ObjectGraph, allowsView: Bool) throws(ReadError) {
    guard let parts = Self.parts(handle, in: graph) else { return nil }
    func malformed(_ expected: String, _ found: String) -> ReadError {
      .malformed(graph.source.location, expected: expected, found: found, remedy: fetchAgain)
    }
    guard parts.count == 5 || parts.count == 6 else {
      throw malformed("5 or 6 elements in the persistent id of a storage", String(parts.count))
    }
    guard let className = graph.globalName(parts[1]) else {
      throw malformed(
        "a storage class in the persistent id of a storage", graph.description(of: parts[1]))
    }
    guard let contents = TorchStorageClass(globalName: className) else {
      throw .unsupported(
        graph.source.location, what: "a storage has the unknown class '\(printable(className))'",
        remedy:
          "Load the checkpoint with the PyTorch that wrote it and save its weights as float32.")
    }
    guard let key = Self.key(handle, in: graph), let count = graph.integer(parts[4]), count >= 0
    else {
      throw malformed(
        "a key and a number of elements in the persistent id of a storage",
        "\(graph.description(of: parts[2])) and \(graph.description(of: parts[4]))")
    }
    self.contents = contents
    self.className = className
    self.key = key
    elementCount = count
    if parts.count == 6, !graph.isNone(parts[5]) {
      guard allowsView, let view = graph.elements(parts[5]), view.count == 3,
        let offset = graph.integer(view[1]), let viewCount = graph.integer(view[2]),
        offset >= 0, viewCount >= 0, offset <= count, viewCount <= count - offset
      else {
        let expected =
          allowsView ? "a view inside storage '\(printable(key))' of \(count) elements" : "None"
        throw malformed(
          "\(expected) in the persistent id of a storage", graph.description(of: parts[5]))
      }
      self.view = offset..<offset + viewCount
    }
  }

  private static func parts(
    _ handle: ObjectGraph.Handle, in graph: ObjectGraph
  ) -> [ObjectGraph.Handle]? {
    guard case .persistentID(let id) = graph[handle], let parts = graph.elements(id),
      let tag = parts.first, graph.isString(tag, "storage")
    else { return nil }
    return parts
  }

  /// The key of the storage that `handle` refers to, if it refers to one.
  static func key(_ handle: ObjectGraph.Handle, in graph: ObjectGraph) -> Name? {
    guard let parts = parts(handle, in: graph), parts.count > 2 else { return nil }
    return graph.string(parts[2]) ?? graph.integer(parts[2]).map { "\($0)" }
  }

  /// Bytes of one element of the class.
  var elementSize: Int {
    if case .elements(let type) = contents { type.byteCount } else { 1 }
  }

  /// Bytes of the whole storage; nil if they do not fit an `Int`.
  var byteCount: Int? {
    let (bytes, overflow) = elementCount.multipliedReportingOverflow(by: elementSize)
    return overflow ? nil : bytes
  }
}

extension ObjectGraph {
  func isNone(_ handle: Handle) -> Bool {
    if case .none = self[handle] { true } else { false }
  }
}
