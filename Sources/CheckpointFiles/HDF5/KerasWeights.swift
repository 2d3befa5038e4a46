internal import Checkpoints
internal import HDF5
internal import JSON
internal import Tensors

/// The weights of Keras 3: files `.weights.h5`, and the member of this kind of a `.keras` archive.
///
/// Groups follow the attributes of the model's objects; variables are datasets named by number:
///
///     layers/                         the layers of a Functional or Sequential model
///       conv2d_1/vars/0               the class in snake case, and a number
///       rep_block/                    a layer with layers of its own
///         vars/                       @name: the layer's name; Keras of TensorFlow has none
///         dense_conv/vars/0           by attribute
///         branches/conv2d/vars/0      by attribute and, in a list, by class
///     optimizer/vars/0
///
/// A tensor is called by its layer, as the user did, and by what it is there: `stem_conv.kernel`,
/// `rep_block.dense_conv.kernel`.
enum KerasWeights {
  /// Whether every dataset is a numbered one in a group `vars`.
  static func matches(_ tree: HDF5Tree) -> Bool {
    var count = 0
    func matches(_ group: HDF5Tree.Node) -> Bool {
      group.members.allSatisfy { node in
        guard node.group == nil else { return matches(node) }
        count += 1
        return group.name == "vars" && Int(node.name.text) != nil
      }
    }
    return matches(tree.root) && count > 0
  }

  /// - Parameter config: the model's, if it is known.
  static func read(
    _ tree: HDF5Tree, in file: HDF5File, config: KerasConfig?
  ) throws(ReadError) -> Checkpoint {
    var reader = Reader(file: file, config: config)
    try reader.visit(tree.root, path: [], className: nil, isRoot: true)
    var stateDict = StateDict(
      tensors: reader.tensorsInOrder, modules: reader.modules, ignored: reader.ignored)
    stateDict.modules.merge(config?.modules ?? [:]) { $1 }
    guard !stateDict.tensors.isEmpty else {
      throw .notACheckpoint(
        file.location, what: "the Keras file holds no weights of layers",
        remedy: "Save the model again after it was built.")
    }
    if let twice = stateDict.tensors.repeatedName {
      throw .malformed(
        file.location(of: twice), expected: "each weight once", found: "two of this name",
        remedy: "Give the layers names of their own and save the model again.")
    }
    return Checkpoint(
      path: file.location.path, container: "Keras 3 weights", family: "keras",
      byteCount: file.source.count, stateDicts: [stateDict],
      notes: reader.notes + (config?.notes ?? []))
  }

  private struct Reader {
    let file: HDF5File
    let config: KerasConfig?
    private var layers: [(path: Name, tensors: [NamedTensor])] = []
    var modules: [Name: ModuleAttributes] = [:]
    var ignored: [(name: Name, what: String)] = []
    /// Layers whose variables could only be numbered.
    private var numbered: [Name] = []

    init(file: HDF5File, config: KerasConfig?) {
      self.file = file
      self.config = config
    }

    /// In the order of the model, where that is known.
    var tensorsInOrder: [NamedTensor] {
      let places = layers.map { config?.place(of: $0.path) ?? .max }
      let order = layers.indices.sorted { (places[$0], $0) < (places[$1], $1) }
      return order.flatMap { layers[$0].tensors }
    }

    var notes: [String] {
      guard !numbered.isEmpty else { return [] }
      return [
        "What the variables of \(numbered.count) layer\(numbered.count == 1 ? "" : "s") are cannot be "
          + "told; they are numbered: "
          + numbered.prefix(5).map(printable).joined(separator: ", ")
          + (numbered.count > 5 ? ", ..." : "")
      ]
    }

    /// Visits an object, or a list of objects.
    ///
    /// - Parameters:
    ///   - path: what to call it.
    ///   - className: its class, if its group is named after it.
    mutating func visit(
      _ group: HDF5Tree.Node, path: [Name], className: String?, isRoot: Bool = false
    ) throws(ReadError) {
      let variables = group.member("vars")
      if let variables { try add(variables, of: path, className: className) }
      // A list has no variables itself.
      let isList = variables == nil && !isRoot
      let isLayers = isList && (group.name == "layers" || group.name == Self.oldLayers)
      for member in group.members where member.name != "vars" {
        if isRoot, let what = Self.notOfTheModel[member.name] {
          ignored.append((member.name, what))
          continue
        }
        if KerasVariables.stem(of: member.name) == "seed_generator" {
          ignored.append(
            ((path + [member.name]).joined(separator: "."), "the state of a random generator"))
          continue
        }
        guard isList else {
          let isItsLayers = member.name == "layers" || member.name == Self.oldLayers
          let isNamed = member.member("vars") != nil || !isItsLayers
          try visit(member, path: isNamed ? path + [member.name] : path, className: nil)
          continue
        }
        var name = member.name
        if let given = try givenName(of: member) {
          // Numbered like the group, but counted through the whole program: no name of the user's.
          let isAutomatic = KerasVariables.stem(of: given) == KerasVariables.stem(of: name)
          if isLayers || !isAutomatic { name = given }
        }
        try visit(
          member, path: path + [name],
          className: KerasVariables.className(ofGroup: member.name))
      }
    }

    /// In place of `layers` in Keras 2.13.
    private static let oldLayers: Name = "_layer_checkpoint_dependencies"

    private static let notOfTheModel: [Name: String] = [
      "optimizer": "the optimizer's state", "compile_metrics": "metrics", "metrics": "metrics",
      "_metrics": "metrics", "loss_tracker": "metrics", "_loss_tracker": "metrics",
    ]

    private func givenName(of object: HDF5Tree.Node) throws(ReadError) -> Name? {
      guard let variables = object.member("vars"), let header = variables.group?.header else {
        return nil
      }
      return try file.text(of: "name", in: header, path: variables.path)?.first
    }

    private mutating func add(
      _ variables: HDF5Tree.Node, of path: [Name], className: String?
    ) throws(ReadError) {
      let layerPath = path.joined(separator: ".")
      let known = config?[layerPath]
      let className = known?.className ?? className
      if let className, KerasVariables.knows(className) {
        modules[layerPath] = ModuleAttributes(className: "keras.layers.\(className)")
      }
      for node in variables.members {
        if let refusal = node.refusal(in: file) { throw refusal }
      }
      let datasets = variables.members.compactMap { node in
        node.dataset.flatMap { dataset in Int(node.name.text).map { (number: $0, dataset: dataset) }
        }
      }.sorted { $0.number < $1.number }
      guard !datasets.isEmpty else { return }
      let names = KerasVariables.names(
        className: className, config: known?.config,
        shapes: datasets.map { $0.dataset.shape ?? [] })
      if names == nil { numbered.append(layerPath) }
      var tensors: [NamedTensor] = []
      for (index, (number, dataset)) in datasets.enumerated() {
        let name = (path + [names?[index] ?? "\(number)"]).joined(separator: ".")
        tensors.append(NamedTensor(name, try tensor(dataset, name: name)))
      }
      layers.append((layerPath, tensors))
    }

    /// bfloat16 is opaque to h5py; an attribute tells.
    private func tensor(_ dataset: HDF5Dataset, name: Name) throws(ReadError) -> Tensor {
      let type = try file.text(of: "dtype", in: dataset.header, path: dataset.path)
      return try dataset.tensor(
        in: file, as: type == ["bfloat16"] ? .bfloat16 : nil, name: name)
    }
  }
}

/// The archives of Keras 3, `.keras`: a zip archive of
///
///     metadata.json        {"keras_version": ...}
///     config.json          see `KerasConfig`
///     model.weights.h5     see `KerasWeights`; stored, so that the weights are read in place
enum KerasArchive {
  static let weightsName: Name = "model.weights.h5"
  static let configName: Name = "config.json"

  static func read(_ archive: ZipArchive) throws(ReadError) -> Checkpoint {
    guard let weights = archive.member(weightsName) else {
      throw .unsupported(
        archive.file.location,
        what: "the .keras archive has its weights in several files, or as .npz",
        remedy: "In Python: keras.models.load_model(file).save_weights(\"model.weights.h5\")")
    }
    guard let member = archive.member(configName) else {
      throw .malformed(
        archive.file.location, expected: "a \(configName) in the archive", found: "none",
        remedy: fetchAgain)
    }
    guard member.size <= archive.file.limits[.kerasConfig] else {
      throw archive.file.exceeded(
        .kerasConfig, at: archive.location(of: member), found: String(member.size))
    }
    let text = try archive.contents(of: member)
    let bytes = try text.bytes(0..<text.count, field: "the configuration")
    try text.verify()
    let config = KerasConfig(
      try JSONValue(bytes, .python, at: text.location.at(0), limits: archive.file.limits))

    let source = try archive.contents(of: weights)
    guard let start = try HDF5File.superblock(of: source) else {
      throw .malformed(
        source.location, expected: "an HDF5 file", found: "another", remedy: fetchAgain)
    }
    var checkpoint = try HDF5Checkpoint.read(source, superblockAt: start) {
      (tree, file) throws(ReadError) in
      try KerasWeights.read(tree, in: file, config: config)
    }
    checkpoint.container = "Keras 3 model"
    checkpoint.byteCount = archive.file.count
    checkpoint.notes = archive.notes + checkpoint.notes
    return checkpoint
  }
}
