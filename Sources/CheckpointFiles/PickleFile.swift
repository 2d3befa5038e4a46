internal import Checkpoints
internal import Pickle
internal import Tensors

/// Files that are one pickle or begin with one: which framework's they are.
enum PickleFile {
  static func read(_ opened: OpenedFile) throws(ReadError) -> Checkpoint? {
    guard looksLikePickle(opened.head) else { return nil }
    let graph = try Unpickler.parse(opened.file)
    if PyTorchLegacy.isMagic(graph) { return try PyTorchLegacy.read(opened.file) }
    if refersToTorch(graph) { return try PyTorchPickle.read(graph) }
    if PaddleCheckpoint.matches(graph) {
      return try PaddleCheckpoint.read(graph, file: opened.file)
    }
    return try MegEngineCheckpoint.read(graph, file: opened.file)
  }

  /// Protocols 2 to 5 start with their number. The older ones are told by how the dicts and objects
  /// that people save begin; any text could be a pickle of protocol 0.
  private static func looksLikePickle(_ head: [UInt8]) -> Bool {
    if head.count > 1 && head[0] == 0x80 { return (2...5).contains(head[1]) }
    // MARK DICT PUT, MARK LIST PUT, INST, EMPTY_DICT BINPUT, EMPTY_LIST BINPUT.
    let starts = ["(dp", "(lp", "(i", "}q", "]q"].map { Array($0.utf8) }
    if starts.contains(where: { head.starts(with: $0) }) { return true }
    // GLOBAL: two lines with names.
    let lines = head.prefix(200).split(
      separator: 0x0A, maxSplits: 2, omittingEmptySubsequences: false)
    guard head.first == UInt8(ascii: "c"), lines.count == 3 else { return false }
    return [lines[0].dropFirst(), lines[1]].allSatisfy { name in
      !name.isEmpty
        && name.allSatisfy { byte in
          byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte & ~0x20)
        }
    }
  }

  private static func refersToTorch(_ graph: ObjectGraph) -> Bool {
    graph.globals.contains { $0.module == "torch" || $0.module.hasPrefix("torch.") }
  }
}
