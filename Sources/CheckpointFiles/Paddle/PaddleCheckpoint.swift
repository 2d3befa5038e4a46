internal import Checkpoints
internal import Pickle
internal import Tensors

/// Checkpoints of Paddle (`.pdparams`, `.pdema`).
///
/// `paddle.save(layer.state_dict(), path)` pickles one dict, under protocol 4 unless asked for 2 or 3:
///
///     name                           a NumPy array
///     StructuredToParameterName@@    a dict of Paddle's own names for the parameters
///     UnpackBigParamInfor@@          protocols 2 and 3: {name: {OriginShape, slices}}
///
/// The last is there if an array takes 2^30 bytes or more: it is cut into vectors `<name>@@.0`,
/// `<name>@@.1`, ..., the names of which are in `slices`. A tensor elsewhere than in such a dict is
/// `tuple((own name, array))`.
///
/// `python/paddle/framework/io.py`, `io_utils.py` (`_unpack_saved_dict`) in
/// <https://github.com/PaddlePaddle/Paddle>.
enum PaddleCheckpoint {
  private static let ownNames: Name = "StructuredToParameterName@@"
  private static let cutArrays: Name = "UnpackBigParamInfor@@"

  /// Whether a pickle is Paddle's: one of its keys is in it, or an array under its own name.
  static func matches(_ graph: ObjectGraph) -> Bool {
    graph.values.indices.contains { index in
      let handle = ObjectGraph.Handle(index)
      switch graph[handle] {
      case .text, .bytes:
        return graph.isString(handle, ownNames) || graph.isString(handle, cutArrays)
      case .object: return PaddleObjects.array(handle, in: graph) != nil
      default: return false
      }
    }
  }

  /// What `graph`, the pickle at the start of `file`, holds.
  ///
  /// - Throws: `ReadError.notACheckpoint` if there are no named arrays in it.
  static func read(_ graph: ObjectGraph, file: any ByteSource) throws(ReadError) -> Checkpoint {
    var objects = PaddleObjects(graph)
    let found = try PickledStateDicts(in: graph, as: &objects)
    guard !found.stateDicts.isEmpty else {
      throw .notACheckpoint(
        file.location,
        what: "the pickle holds no named arrays (its root: \(objects.description(of: graph.root)))",
        remedy: "Save the weights as a dict, such as layer.state_dict().")
    }
    var notes = found.notes
    var stateDicts: [StateDict] = []
    for var stateDict in found.stateDicts {
      try join(&stateDict, in: graph)
      for (index, entry) in stateDict.ignored.enumerated() where entry.name == ownNames {
        stateDict.ignored[index].what = "Paddle's own names of the parameters"
      }
      stateDicts.append(stateDict)
    }
    if stateDicts.contains(where: { $0.tensors.contains { $0.tensor.elementType == .uint16 } }) {
      notes.append(
        "Tensors of uint16 may be of bfloat16, which Paddle saves under that type; they are taken as "
          + "integers.")
    }
    if graph.end < file.count {
      notes.append(
        "\(file.count - graph.end) bytes follow the end of the pickle; they were not read.")
    }
    return Checkpoint(
      path: file.location.path, container: "Paddle pickle (protocol \(graph.pickleProtocol))",
      family: "paddle", byteCount: file.count, stateDicts: stateDicts,
      globals: ExpectedGlobals.report(of: [graph]), notes: notes)
  }

  /// Puts arrays that were cut into slices together.
  private static func join(_ stateDict: inout StateDict, in graph: ObjectGraph) throws(ReadError) {
    var handle = graph.root
    for key in stateDict.path {
      guard let next = graph.value(key, of: handle) else { return }
      handle = next
    }
    guard let table = graph.value(cutArrays, of: handle) else { return }
    var slices = Slices(stateDict.tensors, in: graph)
    for entry in graph.entries(table) ?? [] {
      guard let name = graph.string(entry.key) else { continue }
      try slices.join(name, as: entry.value)
    }
    stateDict.tensors = slices.result
    stateDict.ignored.removeAll { $0.name == cutArrays }
  }
}

/// The tensors of a dict, some of which are slices of others.
private struct Slices {
  private let graph: ObjectGraph
  private let tensors: [NamedTensor]
  private var indices: [Name: Int] = [:]
  /// Those that were put together, by the place of their first slice.
  private var joined: [Int: NamedTensor] = [:]
  private var used: Set<Int> = []

  init(_ tensors: [NamedTensor], in graph: ObjectGraph) {
    self.graph = graph
    self.tensors = tensors
    for (index, named) in tensors.enumerated() { indices[named.name] = index }
  }

  /// All tensors; those that were put together stand for their first slices.
  var result: [NamedTensor] {
    tensors.indices.compactMap { joined[$0] ?? (used.contains($0) ? nil : tensors[$0]) }
  }

  /// - Parameter entry: the dict with the array's shape and the names of its slices.
  mutating func join(_ name: Name, as entry: ObjectGraph.Handle) throws(ReadError) {
    let shown = "'\(printable(name))'"
    func malformed(_ expected: String, _ found: String) -> ReadError {
      .malformed(graph.source.location, expected: expected, found: found, remedy: fetchAgain)
    }
    let sizes = graph.value("OriginShape", of: entry).flatMap { graph.elements($0) }
    let names = graph.value("slices", of: entry).flatMap { graph.elements($0) }
    guard let sizes = sizes?.map({ graph.integer($0) ?? -1 }), let shape = Shape(checking: sizes),
      let names = names?.map({ graph.string($0) ?? "" }), !names.isEmpty
    else { throw malformed("the shape and the slices of \(shown)", graph.description(of: entry)) }
    guard indices[name] == nil else {
      throw malformed("\(shown) or slices of it", "both")
    }

    var parts: [Tensor] = []
    var place = tensors.count
    for slice in names {
      guard let index = indices[slice], used.insert(index).inserted else {
        throw malformed("the slice '\(printable(slice))' of \(shown), for it alone", "none")
      }
      parts.append(tensors[index].tensor)
      place = min(place, index)
    }
    let first = parts[0]
    guard
      parts.allSatisfy({
        $0.elementType == first.elementType && $0.byteOrder == first.byteOrder && $0.isContiguous
      })
    else { throw malformed("slices of \(shown) that are vectors of one type", "others") }
    let count = parts.reduce(0) { $0 + $1.shape.elementCount }
    guard count == shape.elementCount else {
      throw malformed(
        "\(shape.elementCount) elements in the slices of \(shown) (\(shape))", "\(count)")
    }
    let source = ConcatenatedBytes(
      parts.map { ($0.source, $0.byteOffset, $0.byteCount) }, location: graph.source.location)
    joined[place] = NamedTensor(
      name,
      try Tensor(
        first.elementType, shape: shape, byteOrder: first.byteOrder, in: source, name: name))
  }
}

/// What the objects in a Paddle pickle mean.
struct PaddleObjects: PickledFramework {
  private let graph: ObjectGraph
  private var arrays: PickledArrays

  init(_ graph: ObjectGraph) {
    self.graph = graph
    arrays = PickledArrays(graph)
  }

  /// The array in `tuple((own name, array))`.
  static func array(_ handle: ObjectGraph.Handle, in graph: ObjectGraph) -> ObjectGraph.Handle? {
    guard graph.call(handle)?.name == "builtins.tuple", let parts = graph.elements(handle),
      parts.count == 2, graph.string(parts[0]) != nil, PickledArrays.isArray(parts[1], in: graph)
    else { return nil }
    return parts[1]
  }

  mutating func tensor(
    _ handle: ObjectGraph.Handle, name: Name
  ) throws(ReadError) -> Tensor? {
    try arrays.tensor(PaddleObjects.array(handle, in: graph) ?? handle, name: name)
  }

  func module(
    _ handle: ObjectGraph.Handle, name: Name, _ reached: inout ReachBudget
  ) throws(ReadError) -> StateDict? { nil }

  func key(_ handle: ObjectGraph.Handle) throws(ReadError) -> Name? {
    try graph.name(handle) ?? arrays.string(handle)
  }

  mutating func description(of handle: ObjectGraph.Handle) -> String {
    arrays.scalarDescription(handle) ?? graph.description(of: handle)
  }
}

/// Parts of other sources, one behind the other.
private final class ConcatenatedBytes: ByteSource {
  let location: Location
  let count: Int
  private let parts: [(source: any ByteSource, offset: Int, count: Int)]

  init(_ parts: [(source: any ByteSource, offset: Int, count: Int)], location: Location) {
    self.parts = parts
    self.location = location
    count = parts.reduce(0) { $0 + $1.count }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(ReadError) {
    try check(offset, buffer.count, field: "a read")
    var done = 0
    var start = 0
    for part in parts {
      let from = offset + done - start
      if from < part.count && done < buffer.count {
        let size = min(buffer.count - done, part.count - from)
        try unsafe part.source.read(
          into: UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + size]),
          at: part.offset + from)
        done += size
      }
      start += part.count
    }
  }

  func verify() throws(ReadError) {
    for part in parts { try part.source.verify() }
  }
}
