internal import Checkpoints
internal import Pickle
internal import Tensors

/// Files that `torch.save` wrote before PyTorch 1.6, and writes with
/// `_use_new_zipfile_serialization=False`.
///
/// Five pickles, then the bytes of the storages:
///
///     1  the integer 0x1950a86a20f9469cfc6c
///     2  the version of the format, 1001
///     3  a dict about the machine: protocol_version, little_endian, type_sizes
///     4  the object, in which storages are persistent ids (see `TorchStorage`)
///     5  the list of the storages' keys, sorted as strings
///     6  for each key in that order: its elements (u64), then their bytes, unaligned
///
/// The bytes are little-endian whatever the third pickle says; PyTorch ignores it too. How long an
/// element is only pickle 4 tells, where the bytes are only pickle 5, so both are parsed before any
/// tensor is made. Nothing of part 6 is read except the counts.
enum PyTorchLegacy {
  private static let magic: [UInt8] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
  private static let version = 1001

  /// Whether a pickle is the first of such a file. Protocols 4 and 5 put a frame around the integer, so
  /// the first bytes do not tell.
  static func isMagic(_ graph: ObjectGraph) -> Bool {
    guard case .bigInteger(let payload) = graph[graph.root], payload.count == magic.count else {
      return false
    }
    return (try? graph.bytes(of: payload)) == magic
  }

  static func read(_ file: any ByteSource) throws(ReadError) -> Checkpoint {
    let parts = try Parts(file)
    let tensors = parts.tensors()
    var notes = parts.notes
    if parts.end < file.count {
      notes.append("\(file.count - parts.end) bytes follow the last storage and were left alone.")
    }
    var container = "PyTorch legacy"
    if parts.graph.pickleProtocol != 2 { container += " (protocol \(parts.graph.pickleProtocol))" }
    return try torchCheckpoint(
      parts.graph, tensors, path: file.location.path, container: container, byteCount: file.count,
      notes: notes)
  }

  /// The storage that `file`, which holds nothing else, was made of: what `pickle.dump` writes for each
  /// tensor.
  static func storage(in file: any ByteSource) throws(ReadError) -> (TorchStorage, any ByteSource) {
    guard isMagic(try Unpickler.parse(file)) else {
      throw .malformed(
        file.location, expected: "a storage in PyTorch's legacy format", found: "another pickle",
        remedy: fetchAgain)
    }
    let parts = try Parts(file)
    guard let storage = try TorchStorage(parts.graph.root, in: parts.graph, allowsView: true),
      storage.view == nil
    else {
      throw .malformed(
        file.location, expected: "a storage as the only object",
        found: parts.graph.description(of: parts.graph.root), remedy: fetchAgain)
    }
    return (storage, try parts.bytes(of: storage))
  }

  /// The pickles of a file and the places of its storages.
  private struct Parts {
    let file: any ByteSource
    let graph: ObjectGraph
    /// By the bytes of their keys: Swift's strings are equal if they look the same.
    private(set) var storages: [Name: any ByteSource] = [:]
    private(set) var notes: [String] = []
    private(set) var end: Int

    init(_ file: any ByteSource) throws(ReadError) {
      self.file = file
      let magic = try Unpickler.parse(file)
      let version = try Unpickler.parse(file, at: magic.end)
      guard version.integer(version.root) == PyTorchLegacy.version else {
        throw .unsupported(
          file.location(at: magic.end),
          what: "the file has another version of PyTorch's legacy format than 1001",
          remedy: "Load it with the PyTorch that wrote it and save it again.")
      }
      let machine = try Unpickler.parse(file, at: version.end)
      if let value = machine.value("little_endian", of: machine.root), machine.integer(value) == 0 {
        notes.append(
          "The file says that a big-endian machine wrote it; its numbers are little-endian all the same."
        )
      }
      graph = try Unpickler.parse(file, at: machine.end)
      let keys = try Unpickler.parse(file, at: graph.end)
      end = keys.end
      try findStorages(keys)
    }

    /// Walks along the storages, in the order of pickle 5.
    private mutating func findStorages(_ keys: ObjectGraph) throws(ReadError) {
      guard let list = keys.elements(keys.root) else {
        throw .malformed(
          file.location(at: graph.end), expected: "the list of storage keys",
          found: keys.description(of: keys.root), remedy: fetchAgain)
      }
      let references = try references()
      for handle in list {
        guard let key = keys.string(handle) ?? keys.integer(handle).map({ "\($0)" }) else {
          throw .malformed(
            file.location(at: graph.end), expected: "storage keys",
            found: keys.description(of: handle), remedy: fetchAgain)
        }
        guard let storage = references[key], let size = storage.byteCount else {
          throw .malformed(
            file.location(at: end), expected: "a storage that the checkpoint refers to",
            found: "'\(printable(key))'", remedy: fetchAgain)
        }
        let place = file.location(at: end)
        let count = try file.bytes(end..<end + 8, field: "the length of a storage").littleEndian64(
          at: 0)
        guard count == UInt64(storage.elementCount) else {
          throw .malformed(
            place, expected: "\(storage.elementCount) elements in storage '\(printable(key))'",
            found: String(count), remedy: fetchAgain)
        }
        let source = try ByteRegion(
          of: file, start: end + 8, count: size, field: "storage '\(printable(key))'")
        guard storages.updateValue(source, forKey: key) == nil else {
          throw .malformed(
            place, expected: "every storage once", found: "'\(printable(key))' twice",
            remedy: fetchAgain)
        }
        end += 8 + size
      }
    }

    /// All storages that pickle 4 refers to, by key.
    private func references() throws(ReadError) -> [Name: TorchStorage] {
      var references: [Name: TorchStorage] = [:]
      for index in graph.values.indices {
        guard let storage = try TorchStorage(ObjectGraph.Handle(index), in: graph, allowsView: true)
        else {
          continue
        }
        if let other = references.updateValue(storage, forKey: storage.key),
          other.elementCount != storage.elementCount || other.elementSize != storage.elementSize
        {
          throw .malformed(
            file.location, expected: "one size for storage '\(printable(storage.key))'",
            found: "\(other.elementCount) of \(printable(other.className)) and "
              + "\(storage.elementCount) of \(printable(storage.className))",
            remedy: fetchAgain)
        }
      }
      return references
    }

    func bytes(of storage: TorchStorage) throws(ReadError) -> any ByteSource {
      guard let source = storages[storage.key] else {
        throw .malformed(
          file.location, expected: "storage '\(printable(storage.key))' in the list of storages",
          found: "none", remedy: fetchAgain)
      }
      return source
    }

    func tensors() -> TorchTensors {
      TorchTensors(graph, byteOrder: .little, storedBytes: file.count, allowsViews: true) {
        (storage) throws(ReadError) in try bytes(of: storage)
      }
    }
  }
}
