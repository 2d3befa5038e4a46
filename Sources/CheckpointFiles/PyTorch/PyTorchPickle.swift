internal import Checkpoints
internal import Pickle
internal import Tensors

/// Files that plain `pickle.dump` makes of what holds torch tensors: the storage of each is a whole
/// legacy file in a byte string, the argument of `torch.storage._load_from_bytes`.
enum PyTorchPickle {
  static func read(_ graph: ObjectGraph) throws(ReadError) -> Checkpoint {
    let file = graph.source
    let tensors = TorchTensors(
      graph, byteOrder: .little, storedBytes: file.count, allowsViews: false
    ) { (storage) throws(ReadError) in
      throw .notACheckpoint(
        file.location,
        what: "the file refers to bytes outside it (storage '\(printable(storage.key))'), "
          + "as data.pkl in a .pth archive does",
        remedy: "Pass the archive itself, not what it unpacks to.")
    }
    var notes: [String] = []
    if graph.end < file.count {
      notes.append("\(file.count - graph.end) bytes follow the pickle and were left alone.")
    }
    return try torchCheckpoint(
      graph, tensors, path: file.location.path,
      container: "PyTorch pickle (protocol \(graph.pickleProtocol))", byteCount: file.count,
      notes: notes)
  }
}
