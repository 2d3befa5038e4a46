internal import Checkpoints
internal import HDF5
internal import Tensors

/// HDF5 files (see `HDF5File`): which of the things that come in one a file is.
///
/// A plain one holds a dataset for each tensor: at the root, as the projects ACNet, ResRep and
/// DiverseBranchBlock write it, under the tensor's name with `+` for `/`; or in groups, whose names are
/// joined with dots.
enum HDF5Checkpoint {
  static func read(_ opened: OpenedFile) throws(ReadError) -> Checkpoint? {
    try read(opened.file)
  }

  /// Nil if `source` is not HDF5.
  static func read(_ source: any ByteSource) throws(ReadError) -> Checkpoint? {
    guard let start = try HDF5File.superblock(of: source) else { return nil }
    let file = try HDF5File(source, superblockAt: start)
    let tree = try HDF5Tree(file)
    var checkpoint: Checkpoint
    if let keras = try KerasLegacyFile.read(tree, in: file) {
      checkpoint = keras
    } else if KerasWeights.matches(tree) {
      checkpoint = try KerasWeights.read(tree, in: file, config: nil)
    } else {
      checkpoint = Checkpoint(
        path: file.location.path, container: "HDF5", family: "hdf5", byteCount: file.source.count,
        stateDicts: [try stateDict(of: tree, in: file)])
    }
    try checkSize(of: checkpoint.stateDicts, in: file)
    checkpoint.notes += notes(on: file)
    return checkpoint
  }

  /// Refuses tensors that together are many times larger than the file: any number of links may lead
  /// to one dataset.
  static func checkSize(of stateDicts: [StateDict], in file: HDF5File) throws(ReadError) {
    let inflated = file.source.count.multipliedReportingOverflow(by: HDF5Dataset.maximumInflation)
    let limit = max(HDF5Dataset.unquestionedSize, inflated.overflow ? .max : inflated.partialValue)
    var total = 0
    for named in stateDicts.flatMap(\.tensors) {
      let (sum, overflow) = total.addingReportingOverflow(named.tensor.byteCount)
      guard !overflow, sum <= limit else {
        throw .limitExceeded(
          file.location, what: "bytes of all tensors up to '\(printable(named.name))'",
          limit: limit,
          found: overflow ? "2^63 or more" : String(sum))
      }
      total = sum
    }
  }

  /// Things a user should know about any file.
  static func notes(on file: HDF5File) -> [String] {
    file.isOpenForWriting
      ? ["The program that wrote the HDF5 file did not close it; the last changes may be missing."]
      : []
  }

  private static func stateDict(
    of tree: HDF5Tree, in file: HDF5File
  ) throws(ReadError) -> StateDict {
    var stateDict = StateDict(tensors: [])
    try add(tree.root, prefix: "", to: &stateDict, in: file)
    guard !stateDict.tensors.isEmpty else {
      throw .notACheckpoint(
        file.location, what: "the HDF5 file holds no datasets of numbers",
        remedy: "Save the weights as datasets, one for each tensor.")
    }
    if let twice = stateDict.tensors.repeatedName {
      throw .malformed(
        file.location(of: twice), expected: "each tensor once",
        found: "two of this name, one of them in a group",
        remedy: "Rename one of them; nobody can tell which is meant.")
    }
    return stateDict
  }

  private static func add(
    _ group: HDF5Tree.Node, prefix: String, to stateDict: inout StateDict, in file: HDF5File
  ) throws(ReadError) {
    for node in group.members {
      let name = prefix + node.name.replacing("+", with: "/")
      switch node.content {
      case .group: try add(node, prefix: name + ".", to: &stateDict, in: file)
      case .other(let what): stateDict.ignored.append((name, what))
      case .dataset(let dataset):
        if let what = dataset.whatInstead {
          stateDict.ignored.append((name, what))
        } else {
          stateDict.tensors.append(NamedTensor(name, try dataset.tensor(in: file, name: name)))
        }
      }
    }
  }
}

extension [NamedTensor] {
  /// A name that two tensors have.
  var repeatedName: String? {
    var names: Set<[UInt8]> = []
    return first { !names.insert([UInt8]($0.name.utf8)).inserted }?.name
  }
}
