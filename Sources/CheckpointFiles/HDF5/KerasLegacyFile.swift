internal import Checkpoints
internal import HDF5
internal import JSON
internal import Tensors

/// HDF5 files of Keras 1 and 2, which Keras 3 still writes under the extension `.h5`.
///
///     @keras_version @backend @model_config (JSON)     only if the whole model was saved
///     model_weights/                                   the root itself if only the weights were
///       @layer_names                                   in the model's order
///       <layer>/
///         @weight_names                                paths below the layer's group
///         <layer>/kernel:0                             Keras 3 writes no ":0"
///       top_level_model_weights/                       variables that belong to no layer
///     optimizer_weights/
///
/// Lists of more than 64,512 bytes are split: `layer_names0`, `layer_names1`, and so on.
///
/// A tensor is called by its layer and its own name, `conv1.kernel`. What a path repeats or puts before
/// the layer's name is left out.
enum KerasLegacyFile {
  /// Nil if the file is none of Keras.
  static func read(_ tree: HDF5Tree, in file: HDF5File) throws(ReadError) -> Checkpoint? {
    let weights = tree.root.member("model_weights") ?? tree.root
    guard let layers = try list("layer_names", of: weights, in: file) else { return nil }
    var reader = Reader(file: file)
    for layer in layers { try reader.addLayer(layer, of: weights) }
    if let loose = weights.member("top_level_model_weights") {
      try reader.addWeights(of: loose, layer: [])
    }
    let isModel = weights.path != ""
    for node in tree.root.members where isModel && node.name != weights.name {
      reader.stateDict.ignored.append(
        (node.name, node.name == "optimizer_weights" ? "the optimizer's state" : "no weights"))
    }
    reader.addIgnored(in: weights, name: "")
    guard !reader.stateDict.tensors.isEmpty else {
      throw .notACheckpoint(
        file.location, what: "the Keras file lists no weights",
        remedy: "Save the model again after it was built.")
    }
    if let twice = reader.stateDict.tensors.repeatedName {
      throw .malformed(
        file.location(of: twice), expected: "each weight once", found: "two of this name",
        remedy: "Give the layers names of their own and save the model again.")
    }

    let config = try config(of: tree.root, in: file)
    reader.stateDict.modules = config?.modules ?? [:]
    return Checkpoint(
      path: file.location.path, container: isModel ? "Keras HDF5 model" : "Keras HDF5 weights",
      family: "keras", byteCount: file.source.count, stateDicts: [reader.stateDict],
      notes: config?.notes ?? [])
  }

  private static func config(
    of root: HDF5Tree.Node, in file: HDF5File
  ) throws(ReadError) -> KerasConfig? {
    guard let header = root.group?.header,
      let text = try file.text(of: "model_config", in: header, path: "")?.first
    else { return nil }
    let place = Location(path: file.location.path, member: "@model_config", offset: 0)
    return KerasConfig(
      try JSONValue(Array(text.utf8), .python, at: place, limits: file.source.limits))
  }

  /// A list of names in an attribute, or in several; nil if there is none.
  private static func list(
    _ name: Name, of node: HDF5Tree.Node, in file: HDF5File
  ) throws(ReadError) -> [Name]? {
    guard let header = node.group?.header else { return nil }
    if let list = try file.text(of: name, in: header, path: node.path) { return list }
    var joined: [Name]?
    var number = 0
    while let part = try file.text(of: "\(name)\(number)", in: header, path: node.path) {
      joined = (joined ?? []) + part
      number += 1
    }
    return joined
  }

  private struct Reader {
    let file: HDF5File
    var stateDict = StateDict(tensors: [])
    /// The paths of the datasets that are tensors of it.
    private var read: Set<Name> = []

    init(file: HDF5File) { self.file = file }

    mutating func addLayer(_ name: Name, of weights: HDF5Tree.Node) throws(ReadError) {
      let path = KerasLegacyFile.parts(of: name)
      guard let group = descendant(path, of: weights), group.group != nil else {
        throw .malformed(
          file.location(of: weights.path), expected: "a group for each layer that it lists",
          found: "none for '\(printable(name))'", remedy: fetchAgain)
      }
      try addWeights(of: group, layer: path)
    }

    /// Adds what the group of a layer lists.
    mutating func addWeights(of group: HDF5Tree.Node, layer: [Name]) throws(ReadError) {
      let names = try KerasLegacyFile.list("weight_names", of: group, in: file) ?? []
      for name in names {
        let path = KerasLegacyFile.parts(of: name)
        let found = descendant(path, of: group)
        if let refusal = found?.refusal(in: file) { throw refusal }
        guard !path.isEmpty, let node = found, let dataset = node.dataset else {
          throw .malformed(
            file.location(of: group.path),
            expected: "the weight '\(printable(name))' that it lists",
            found: "no dataset of this name", remedy: fetchAgain)
        }
        let tensorName = KerasLegacyFile.tensorName(layer: layer, weight: path)
        read.insert(node.path)
        stateDict.tensors.append(
          NamedTensor(tensorName, try dataset.tensor(in: file, name: tensorName)))
      }
    }

    /// Lists the datasets that no layer does.
    mutating func addIgnored(in node: HDF5Tree.Node, name: Name) {
      for member in node.members {
        let memberName: Name = name.isEmpty ? member.name : "\(name).\(member.name)"
        switch member.content {
        case .group where member.name == "optimizer_weights" && node.path.isEmpty:
          if name.isEmpty, !stateDict.ignored.contains(where: { $0.name == member.name }) {
            stateDict.ignored.append((member.name, "the optimizer's state"))
          }
        case .group: addIgnored(in: member, name: memberName)
        case .dataset where !read.contains(member.path):
          stateDict.ignored.append((memberName, "not among the weights that its layer lists"))
        case .dataset: break
        case .unreadable(let what, _), .other(let what):
          stateDict.ignored.append((memberName, what))
        }
      }
    }

    private func descendant(_ path: [Name], of node: HDF5Tree.Node) -> HDF5Tree.Node? {
      path.reduce(Optional(node)) { $0?.member($1) }
    }
  }

  /// `["block1"]` and `["my_model", "block1", "conv", "kernel:0"]` make `block1.conv.kernel`.
  static func tensorName(layer: [Name], weight: [Name]) -> Name {
    var weight = weight
    let (last, bytes) = (weight[weight.count - 1].text, weight[weight.count - 1].utf8)
    if let colon = bytes.lastIndex(of: UInt8(ascii: ":")),
      Int(last[bytes.index(after: colon)...]) != nil
    {
      weight[weight.count - 1] = Name(last[..<colon])
    }
    // Up to the name of the layer itself, which is never the name of the weight.
    let starts = weight.indices.dropLast(layer.count)
    if !layer.isEmpty, let start = starts.first(where: { weight[$0...].starts(with: layer) }) {
      weight.removeFirst(start + layer.count)
    }
    return (layer + weight).joined(separator: ".")
  }

  /// What is between the slashes of a path.
  private static func parts(of path: Name) -> [Name] {
    path.parts(separator: "/").filter { !$0.isEmpty }
  }
}
