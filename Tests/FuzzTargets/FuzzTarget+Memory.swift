internal import Checkpoints
internal import JSON
internal import Naming
internal import Pickle
internal import Tensors

// What is done with bytes in memory.

extension FuzzTarget {
  private static let place = Location(path: "fuzz")

  /// Runs the pickle machine, and asks every object that it leaves for all that it can be asked for.
  @Sendable static func parsePickle(_ bytes: [UInt8]) {
    guard let graph = try? Unpickler.parse(MemoryBytes(bytes, location: place)) else { return }
    for index in graph.values.indices.prefix(2000) {
      let handle = ObjectGraph.Handle(index)
      _ = graph.description(of: handle)
      _ = graph.location(of: handle)
      _ = try? graph.name(handle)
      _ = graph.integer(handle)
      _ = graph.real(handle)
      _ = graph.call(handle)
      _ = graph.attributes(handle)
      _ = graph.elements(handle)
      _ = graph.repeatedKeys(handle)
      if let stored = try? graph.byteSource(handle) {
        _ = try? stored.source.bytes(stored.offset..<stored.offset + stored.count, field: "bytes")
      }
    }
  }

  /// Parses JSON in every form; what is read and written again has to be the same value, and canonical
  /// JSON the same bytes.
  @Sendable static func parseJSON(_ bytes: [UInt8]) {
    _ = try? JSONValue(bytes, .python, at: place)
    guard let value = try? JSONValue(bytes, at: place), let canonical = try? value.canonical()
    else { return }
    guard let again = try? JSONValue(canonical, .canonical, at: place),
      (try? again.canonical()) == canonical
    else {
      fatalError("canonical JSON that is not read: \(String(decoding: canonical, as: UTF8.self))")
    }
    if (try? JSONValue(bytes, .canonical, at: place)) != nil, bytes != canonical {
      fatalError("read as canonical JSON: \(String(decoding: bytes, as: UTF8.self))")
    }
  }

  @Sendable static func parseDialect(_ bytes: [UInt8]) {
    _ = try? Dialect(text: String(decoding: bytes, as: UTF8.self), place: "fuzz")
  }

  /// A rule of `--rename`, an end of line, and names one in a line.
  @Sendable static func rename(_ bytes: [UInt8]) {
    let lines = String(decoding: bytes, as: UTF8.self)
      .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    guard let rule = try? Correspondence(lines[0]) else { return }
    let zero = MemoryBytes([0, 0, 0, 0], location: place)
    let tensors = lines.dropFirst().compactMap { name in
      (try? Tensor(.float32, shape: [1], in: zero, at: 0, name: Name(name))).map {
        NamedTensor(Name(name), $0)
      }
    }
    let checkpoint = Checkpoint(
      path: "fuzz", container: "", family: "pytorch", byteCount: 0,
      stateDicts: [StateDict(tensors: tensors)])
    _ = try? Network(recognising: checkpoint, renames: [rule])
  }
}
