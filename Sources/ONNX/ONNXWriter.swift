public import Checkpoints
internal import Graphs
internal import Protobuf
internal import RVD
internal import Synchronization
public import Tensors

/// Writes networks as ONNX files: a message `ModelProto` (`onnx/onnx.proto` of github.com/onnx/onnx),
/// whose fields are in the order of their numbers, as protobuf libraries write them.
///
///     ir_version, producer_name, producer_version
///     graph           nodes, name, initializers, input, output
///     opset_import    the version of the operators
///     metadata_props  `content_sha256`, and `repconv`, what is known of the network (formats/onnx.md)
///
/// Every length is known beforehand, so tensors go to the file piece by piece, several at a time, as to an
/// `.rvd`; digests, which are of a known length, are filled in behind them.
public enum ONNXWriter {
  /// Elements that lie outside do so at multiples of it, so that they can be mapped.
  static let externalAlignment = 4096
  /// Smaller tensors stay in the file, whatever its size: runtimes look at them when they load it.
  static let leastExternalSize = 1024
  /// The second file is called as the first, with this behind it.
  public static let externalSuffix = ".data"
  /// The key of `metadata_props` whose value is the content digest.
  public static let contentKey = "content_sha256"
  /// The key of `metadata_props` whose value is what is known of the network.
  public static let descriptionKey = "repconv"

  /// What was written.
  public struct Summary: Equatable, Sendable {
    /// The content digest, as an `.rvd` of the same tensors says it.
    public var contentSHA256: String
    /// Bytes of all elements.
    public var elementByteCount: Int
    /// The second file, if tensors are in one.
    public var externalData: ExternalData?
  }

  /// A file beside the one that refers to it.
  public struct ExternalData: Equatable, Sendable {
    public var path: String
    public var byteCount: Int
  }

  /// Writes `model` to `file`, which the caller commits; and to a companion of it, if it is too large for
  /// one.
  ///
  /// - Parameters:
  ///   - file: empty so far.
  ///   - sourceSHA256: computed while tensors are written, to take the place of the one in the model's
  ///     provenance, which must be there.
  /// - Throws: `WriteError.cannotExpress` if there is no graph, if it does not fit its tensors or the size
  ///   of the images, if types are mixed, or if the operators asked for are too old for what they have to
  ///   do; what `file` or the tensors throw.
  public static func write(
    _ model: DeployModel, to file: OutputFile, options: ONNXOptions, threads: Threads = .all,
    sourceSHA256: (@Sendable () throws -> String)? = nil
  ) throws -> Summary {
    precondition(file.count == 0)
    let network = try Network(model, options, path: file.path)
    var description = model.description
    if sourceSHA256 != nil { description.provenance?.sourceSHA256 = placeholder }
    let metadataLength = try metadata(description, content: placeholder, path: file.path).count

    func message(_ outside: [ExternalPlace?]) -> Message {
      var message = Message()
      message.add(Field.Model.irVersion, options.formatVersion)
      message.add(Field.Model.producerName, options.producer.name)
      message.add(Field.Model.producerVersion, options.producer.version)
      message.add(
        Field.Model.graph,
        network.graph.message(
          name: description.architecture ?? "network", input: network.input,
          output: network.output, network.elementType, batch: options.batch, outside: outside))
      message.add(Field.Model.operatorSets) {
        $0.add(Field.OperatorSet.version, options.operatorSet)
      }
      return message
    }
    let initializers = network.graph.initializers
    var outside = [ExternalPlace?](repeating: nil, count: initializers.count)
    var whole = message(outside)
    var external: OutputFile?
    if whole.count + metadataLength > options.largestMessage {
      let companion = try file.makeCompanion(suffix: externalSuffix)
      external = companion
      let name = lastPart(of: companion.path)
      var end = 0
      for (index, initializer) in initializers.enumerated()
      where initializer.tensor.byteCount >= leastExternalSize {
        end = (end + externalAlignment - 1) / externalAlignment * externalAlignment
        outside[index] = ExternalPlace(file: name, offset: end)
        end += initializer.tensor.byteCount
      }
      whole = message(outside)
      try companion.reserve(end)
    }
    try file.reserve(whole.count + metadataLength)
    var written = 0
    var offsets = outside.map { $0?.offset ?? 0 }
    var shift = 0
    for gap in whole.gaps {
      try file.overwrite(Array(whole.bytes[written..<gap.position]), at: written + shift)
      offsets[gap.content] = gap.position + shift
      written = gap.position
      shift += gap.byteCount
    }
    try file.overwrite(Array(whole.bytes[written...]), at: written + shift)

    let digest = Mutex<String?>(nil)
    var digests = [ElementDigest?](repeating: nil, count: initializers.count)
    func write(
      _ indices: [Int], to file: OutputFile, aside: @Sendable () throws -> Void
    ) throws {
      let written = try file.write(
        indices.map { initializers[$0].tensor }, at: indices.map { offsets[$0] }, threads: threads,
        aside: aside,
        checksum: { network.beginDigest(of: indices[$0]) })
      for (index, checksum) in zip(indices, written) { digests[index] = checksum }
    }
    try write(initializers.indices.filter { outside[$0] == nil }, to: file) {
      let computed = try sourceSHA256?()
      digest.withLock { $0 = computed }
    }
    if let external {
      try write(initializers.indices.filter { outside[$0] != nil }, to: external) {}
    }
    if let digest = digest.withLock({ $0 }) { description.provenance?.sourceSHA256 = digest }
    let content = network.contentDigest(of: digests)
    let metadata = try metadata(description, content: content, path: file.path)
    precondition(metadata.count == metadataLength)
    try file.overwrite(metadata, at: whole.count)
    return Summary(
      contentSHA256: content,
      elementByteCount: initializers.reduce(0) { $0 + $1.tensor.byteCount },
      externalData: external.map { ExternalData(path: $0.path, byteCount: $0.count) })
  }

  /// What stands in the place of a digest until it is known.
  private static let placeholder = String(repeating: "0", count: 64)

  /// `metadata_props`, the last of the fields.
  private static func metadata(
    _ description: ModelDescription, content: String, path: String
  ) throws(WriteError) -> [UInt8] {
    var message = Message()
    func add(_ key: String, _ value: String) {
      message.add(Field.Model.metadata) {
        $0.add(Field.Entry.key, key)
        $0.add(Field.Entry.value, value)
      }
    }
    add(contentKey, content)
    if let text = try description.portableText(path: path) { add(descriptionKey, text) }
    return message.bytes
  }
}

/// A model that has been found to be one that ONNX can express.
private struct Network {
  var graph: ONNXGraph
  /// Of the network's input and result.
  var input, output: ValueShape
  var elementType: ElementType
  private var tensors: [OutputTensor]

  init(_ model: DeployModel, _ options: ONNXOptions, path: String) throws {
    func refuse(_ what: String, _ remedy: String) -> WriteError {
      .cannotExpress(path: path, what: what, remedy: remedy)
    }
    let shapes = try model.shapes(ofImages: options.imageSize, for: "an ONNX file", path: path)
    let elementType = try model.commonType(for: "ONNX", path: path)
    let (graph, tensors) = (model.description.graph!, model.tensors)
    let used = Set(graph.nodes.flatMap(\.operands).compactMap(\.self)).sorted()
    let version = options.operatorSet
    precondition(ONNXOptions.operatorSets.contains(version) && options.batch ?? 1 > 0)
    if let steps = used.first(where: { tensors[$0].scales != nil }),
      version < Network.leastVersionForSteps
    {
      throw refuse(
        "'\(printable(tensors[steps].name))' is int8 with a scale for each channel, which operator set \(version) has no place for",
        "Choose operator set \(Network.leastVersionForSteps) or a later one, or another type.")
    }
    guard elementType != .bfloat16 || version >= Network.leastVersionForBrainFloats else {
      throw refuse(
        "convolutions of operator set \(version) are not of bfloat16",
        "Choose operator set \(Network.leastVersionForBrainFloats) or a later one, or another type."
      )
    }
    self.tensors = tensors
    self.elementType = elementType
    input = shapes[0]
    output = shapes.last!
    self.graph =
      try Lowering(
        graph, shapes: shapes, tensors: tensors, elementType: elementType,
        integers: model.integers, operatorSet: version
      ).result
  }

  /// Since which `DequantizeLinear` has an axis.
  private static let leastVersionForSteps = 13
  /// Since which `Conv`, and all else that networks consist of, takes bfloat16.
  private static let leastVersionForBrainFloats = 22

  /// The digest of an initializer, to be fed its elements; of what is no tensor of the model, nil.
  func beginDigest(of index: Int) -> ElementDigest? {
    let initializer = graph.initializers[index]
    switch initializer.source {
    // Under the name, in the shape and of the type that it has in the model.
    case .tensor(let source): return ElementDigest(of: tensors[source])
    case .scales, .integers: return ElementDigest(of: initializer.tensor)
    case .none: return nil
    }
  }

  /// - Parameter digests: one for each initializer, fed its elements.
  func contentDigest(of digests: [ElementDigest?]) -> String {
    var scales: [Int: Int] = [:]
    for (index, initializer) in graph.initializers.enumerated() {
      if case .scales(let steps) = initializer.source { scales[steps] = index }
    }
    return ContentDigest(of: digests, scales: scales).hexadecimal
  }
}
