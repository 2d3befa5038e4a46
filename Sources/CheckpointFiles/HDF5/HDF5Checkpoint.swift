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
  ///
  /// - Parameter rewriter: for files that take the HDF5 library.
  static func read(
    _ source: any ByteSource, rewriter: HDF5Rewriter? = .installed()
  ) throws(ReadError) -> Checkpoint? {
    guard let start = try HDF5File.superblock(of: source) else { return nil }
    return try read(source, superblockAt: start, rewriter: rewriter) {
      (tree, file) throws(ReadError) in
      if let keras = try KerasLegacyFile.read(tree, in: file) { return keras }
      if KerasWeights.matches(tree) {
        return try KerasWeights.read(tree, in: file, config: nil)
      }
      return Checkpoint(
        path: file.location.path, container: "HDF5", family: "hdf5", byteCount: file.source.count,
        stateDicts: [try stateDict(of: tree, in: file)])
    }
  }

  /// What `body` makes of a file, read here or, if that takes it, with the HDF5 library, as notes say
  /// then.
  ///
  /// - Parameter start: where the superblock is.
  static func read(
    _ source: any ByteSource, superblockAt start: Int, rewriter: HDF5Rewriter? = .installed(),
    _ body: (HDF5Tree, HDF5File) throws(ReadError) -> Checkpoint
  ) throws(ReadError) -> Checkpoint {
    func checkpoint(
      _ file: HDF5File, _ tree: HDF5Tree, partlyWritten: [Name] = []
    ) throws(ReadError) -> Checkpoint {
      var checkpoint = try body(tree, file)
      try checkSize(of: checkpoint.stateDicts, in: file)
      checkpoint.notes += notes(on: file, tree, partlyWritten: partlyWritten)
      return checkpoint
    }
    let unsupported: (place: Location, what: String, remedy: String)
    // What the HDF5 library would not be let read, either.
    var refusals: [ReadError] = []
    do throws(ReadError) {
      let file = try HDF5File(source, superblockAt: start)
      let tree = try HDF5Tree(file)
      refusals = tree.refusals(in: file)
      return try checkpoint(file, tree)
    } catch {
      guard case .unsupported(let place, let what, let remedy) = error, !refusals.contains(error)
      else { throw error }
      unsupported = (place, what, remedy)
    }
    guard let rewriter else {
      throw .unsupported(
        unsupported.place,
        what:
          "\(unsupported.what); that takes the HDF5 library, whose program repconv-hdf5 is neither "
          + "beside this one nor on PATH",
        remedy: "It is built and installed together with this one. Or: \(unsupported.remedy)")
    }
    let rewritten = try rewriter.rewrite(source, because: unsupported.what)
    let file = try HDF5File(rewritten.source, superblockAt: 0)
    let tree = try HDF5Tree(
      file,
      unreadable: rewritten.unreadable.map {
        ($0.path, $0.what, "In Python, copy it with h5py to a new file, if you trust it.")
      })
    var result = try checkpoint(file, tree, partlyWritten: rewritten.partlyWritten)
    result.byteCount = source.count
    #if os(Linux)
      let sandbox = "in a sandbox"
    #else
      let sandbox = "without a sandbox, which there is none of on this system"
    #endif
    result.notes.append(
      "The file was read with the HDF5 library, \(sandbox): \(unsupported.what).")
    return result
  }

  /// Refuses tensors that together are many times larger than the file: any number of links may lead
  /// to one dataset.
  private static func checkSize(
    of stateDicts: [StateDict], in file: HDF5File
  ) throws(ReadError) {
    var total = 0
    for named in stateDicts.flatMap(\.tensors) {
      let (sum, overflow) = total.addingReportingOverflow(named.tensor.byteCount)
      total = overflow ? .max : sum
      try file.checkExpansion(
        of: file.source.count, to: total, at: file.location,
        what: "bytes of all tensors up to '\(printable(named.name))'")
    }
  }

  /// Things a user should know about any file.
  private static func notes(
    on file: HDF5File, _ tree: HDF5Tree, partlyWritten: [Name]
  ) -> [String] {
    var notes: [String] = []
    if file.isOpenForWriting {
      notes.append(
        "The program that wrote the HDF5 file did not close it; the last changes may be missing.")
    }
    var unwritten = Set(partlyWritten)
    var unreadable: [String] = []
    func visit(_ node: HDF5Tree.Node) {
      switch node.content {
      case .group: for member in node.members { visit(member) }
      case .dataset(let dataset):
        if dataset.whatInstead == nil, dataset.isPartlyUnwritten { unwritten.insert(node.path) }
      case .unreadable(let what, _): unreadable.append("'\(printable(node.path))': \(what)")
      case .other: break
      }
    }
    visit(tree.root)
    if !unwritten.isEmpty {
      let one = unwritten.count == 1
      notes.append(
        "\(unwritten.count) dataset\(one ? " was" : "s were") created, but never written or only in "
          + "part; the rest has the value that the file says for that (0 if none): "
          + list(unwritten.sorted().map { "'\(printable($0))'" }) + ".")
    }
    if !unreadable.isEmpty {
      notes.append(
        "\(unreadable.count) object\(unreadable.count == 1 ? "" : "s") cannot be read: "
          + list(unreadable) + ".")
    }
    return notes
  }

  /// The first of them.
  private static func list(_ texts: [String]) -> String {
    texts.prefix(5).joined(separator: ", ") + (texts.count > 5 ? ", ..." : "")
  }

  private static func stateDict(
    of tree: HDF5Tree, in file: HDF5File
  ) throws(ReadError) -> StateDict {
    var stateDict = StateDict(tensors: [])
    try add(tree.root, prefix: "", to: &stateDict, in: file)
    guard !stateDict.tensors.isEmpty else {
      if let (_, error) = stateDict.unreadable.first { throw error }
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
    _ group: HDF5Tree.Node, prefix: Name, to stateDict: inout StateDict, in file: HDF5File
  ) throws(ReadError) {
    for node in group.members {
      let name = prefix + node.name.replacing("+", with: "/")
      switch node.content {
      case .group: try add(node, prefix: name + ".", to: &stateDict, in: file)
      case .other(let what): stateDict.ignored.append((name, what))
      case .unreadable(let what, _):
        stateDict.ignored.append((name, what))
        if let error = node.refusal(in: file) { stateDict.unreadable.append((name, error)) }
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
  var repeatedName: Name? {
    var names: Set<Name> = []
    return first { !names.insert($0.name).inserted }?.name
  }
}
