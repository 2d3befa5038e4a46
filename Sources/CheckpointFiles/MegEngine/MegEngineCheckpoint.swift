internal import Checkpoints
internal import Pickle
internal import Tensors

/// Checkpoints of MegEngine (`.pkl`), and other pickles of NumPy arrays.
///
/// `megengine.save(object)` is a plain `pickle.dump`: protocol 5 on Python 3.8 and later before
/// MegEngine 1.9, Python's default since. What is saved is in most cases `model.state_dict()`, a dict of
/// NumPy arrays, alone or in a dict with other things (`state_dict`, `model`, `ema`, `optimizer`,
/// `acc1`); sometimes it is the whole module.
enum MegEngineCheckpoint {
  /// What `graph`, the pickle at the start of `file`, holds. Shapes are as in the file.
  ///
  /// - Throws: `ReadError.notACheckpoint` if there are no named arrays in it.
  static func read(_ graph: ObjectGraph, file: InputFile) throws(ReadError) -> Checkpoint {
    var objects = MegEngineObjects(graph)
    let found = try PickledStateDicts(in: graph, as: &objects)
    guard !found.stateDicts.isEmpty else {
      throw .notACheckpoint(
        file.location,
        what: "the pickle holds no named arrays (its root: \(objects.description(of: graph.root)))",
        remedy: "Save the weights as a dict, such as model.state_dict().")
    }
    var notes = found.notes
    for path in objects.boundMethods {
      notes.append(
        "\(path.isEmpty ? "The file" : "'\(path)'") was saved without calling state_dict(): it "
          + "holds the method, and with it the whole module. The module's tensors were taken.")
    }
    if graph.end < file.count {
      notes.append(
        "\(file.count - graph.end) bytes follow the end of the pickle; they were not read.")
    }
    let getattr = graph.globals.first { $0.qualifiedName == "builtins.getattr" }
    let isExplained = getattr.map { $0.calls == objects.boundMethods.count } ?? false
    return Checkpoint(
      path: file.path, container: "MegEngine pickle (protocol \(graph.pickleProtocol))",
      family: "megengine", byteCount: file.count, stateDicts: found.stateDicts,
      globals: ExpectedGlobals.report(
        of: [graph], known: isExplained ? ["builtins.getattr"] : []),
      notes: notes)
  }
}
