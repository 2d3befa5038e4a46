import ArgumentParser
import Blocks
import Checkpoints
import Conversion
import JSON
import Naming
import Releases
import Tensors
import Topologies

/// What one model is released with: on the command line, or in the row of a list, by the same names.
struct ReleaseArguments: ParsableArguments {
  @Argument(help: "The training checkpoint.", completion: .file())
  var train: String?

  @Option(
    help: ArgumentHelp(
      "What the files are called (default: as TRAIN): letters, digits, '.', '_' and '-'.",
      valueName: "name"),
    transform: ReleaseArguments.name)
  var name: String?

  @Option(
    help: ArgumentHelp(
      "Formats to write, of \(OutputFormat.all.map(\.name).joined(separator: ", ")) (default: rvd,onnx,safetensors).",
      valueName: "a,b"),
    transform: ReleaseFormats.argument)
  var formats: ReleaseFormats?

  @Option(
    name: [.short, .long], help: "Fail unless the network is this one; see 'repconv archs'.",
    transform: Architecture.argument)
  var arch: Architecture?

  @OptionGroup var weights: WeightArguments

  @Option(
    help: ArgumentHelp("Version of the operators of an .onnx (default: 13).", valueName: "n"))
  var opset: Int?

  @Option(
    help: ArgumentHelp(
      "Evaluate the deploy network on these: a folder of pictures for each class, or an .npz file, as 'repconv eval' takes them.",
      valueName: "images"), completion: .file())
  var eval: String?

  @Option(
    help: ArgumentHelp(
      "Release nothing unless top-1 is at least this, as 72.4 or 72.4%.", valueName: "percent"),
    transform: Eval.percentage)
  var atLeast: Double?

  @OptionGroup var crop: CropArguments

  @Option(
    help: ArgumentHelp(
      "Who runs this, for the provenance: a URI (default: \(ReleaseOptions.unnamedBuilder)).",
      valueName: "URI"),
    transform: ReleaseArguments.builder)
  var builder: String?

  @OptionGroup(title: "Gates") var gates: GateOptions
  @OptionGroup(title: "About the network's input") var givenInput: GivenInputArguments
  @OptionGroup(title: "About the model") var metadata: MetadataArguments
  @OptionGroup(title: "Reading") var epsilon: EpsilonArguments
  @OptionGroup(title: "Reading") var inputOptions: InputOptions

  func validate() throws {
    if eval == nil, atLeast != nil || crop.cropRatio != nil {
      throw ValidationError("--\(atLeast != nil ? "at-least" : "crop-ratio") is only for --eval.")
    }
    if let opset {
      try OperatorArguments.require(opset)
      guard chosenFormats.contains(where: \.hasOperatorSets) else {
        throw ValidationError("--opset is only for the format onnx.")
      }
    }
  }

  /// For `@Option(transform:)`.
  private static func name(_ text: String) throws -> String {
    guard ReleaseOptions.isName(text) else {
      throw ValidationError(
        "--name takes letters, digits, '.', '_' and '-', and begins with a letter or digit, not '\(text)'."
      )
    }
    return text
  }

  /// For `@Option(transform:)`.
  private static func builder(_ text: String) throws -> String {
    guard text.wholeMatch(of: #/[A-Za-z][A-Za-z0-9+.\-]*:[!-~]+/#) != nil else {
      throw ValidationError("--builder takes a URI, as https://example.org/ci, not '\(text)'.")
    }
    return text
  }

  private var chosenFormats: [OutputFormat] {
    formats?.formats ?? ReleaseOptions(name: "model").formats
  }

  /// All of it, for the library.
  ///
  /// - Parameter train: the training checkpoint.
  func options(for train: String) throws -> ReleaseOptions {
    var options = ReleaseOptions(name: name ?? ReleaseOptions.name(for: train))
    options.formats = chosenFormats
    options.fusing.reading = try inputOptions.reading()
    gates.apply(to: &options.fusing.reading)
    epsilon.apply(to: &options.fusing.reading)
    options.fusing.architecture = arch
    options.fusing.epsilon = epsilon.epsilon
    options.fusing.input = givenInput.given
    options.fusing.metadata = try metadata.given
    weights.apply(to: &options.fusing.writing)
    options.fusing.writing.operatorSet = opset
    options.gate = eval.map {
      ReleaseOptions.Gate(images: $0, atLeast: atLeast, cropRatio: crop.cropRatio)
    }
    if let builder { options.builder = builder }
    for key in ReleaseKey.all {
      guard let value = key.value(self) else { continue }
      // Of a path its last part: where it was is nobody's business, and another digest is another file.
      let name = key.kind == .path ? value.string.map { lastPart(of: $0) } : nil
      options.parameters.append(.init(Name(key.name), name.map(JSONValue.string) ?? value))
      if key.kind == .path, key.name != ReleaseKey.train, let path = value.string {
        options.materials.append((key.name, path))
      }
    }
    for (name, value) in [
      ("name", JSONValue.string(options.name)),
      ("formats", .array(options.formats.map { .string($0.name) })),
    ] {
      options.parameters.removeAll { $0.key.text == name }
      options.parameters.append(.init(Name(name), value))
    }
    options.parameters.sort { $0.key < $1.key }
    return options
  }
}

/// Formats of a release, each once.
struct ReleaseFormats {
  var formats: [OutputFormat]

  /// For `@Option(transform:)`.
  static func argument(_ text: String) throws -> ReleaseFormats {
    let names = text.split(separator: ",", omittingEmptySubsequences: false).map {
      $0.lowercased().trimmingPrefix { $0 == " " || $0 == "." }
    }
    let formats = try names.map { name in
      guard let format = OutputFormat.all.first(where: { $0.name == name }) else {
        throw ValidationError(
          "--formats takes some of \(OutputFormat.all.map(\.name).joined(separator: ",")), not '\(name)'."
        )
      }
      return format
    }
    guard Set(names).count == names.count else {
      throw ValidationError("--formats names one twice: '\(text)'.")
    }
    return ReleaseFormats(formats: formats)
  }
}

/// A parameter of a release: an option of the command, or a key in the rows of a list.
struct ReleaseKey: Sendable {
  enum Kind: Sendable {
    /// A string or a number.
    case text
    /// A string or an array of them.
    case list
    /// True or false.
    case flag
    /// A string that names a file or folder.
    case path
  }
  let name: String
  let kind: Kind
  /// What is given of it; nil if nothing is.
  let value: @Sendable (ReleaseArguments) -> JSONValue?

  /// Of the training checkpoint, which is no option.
  static let train = "path"

  static let all: [ReleaseKey] = [
    ReleaseKey(train, .path) { $0.train.map(JSONValue.string) },
    ReleaseKey("name", .text) { $0.name.map(JSONValue.string) },
    ReleaseKey("formats", .list) { $0.formats.map { strings($0.formats.map(\.name)) } },
    ReleaseKey("arch", .text) { ($0.arch?.name).map(JSONValue.string) },
    ReleaseKey("dtype", .text) { ($0.weights.weightType?.rawValue).map(JSONValue.string) },
    ReleaseKey("keep-float", .list) { given($0.weights.keepFloat) },
    ReleaseKey("opset", .text) { $0.opset.map(JSONValue.integer) },
    ReleaseKey("bn-eps", .text) {
      $0.epsilon.bnEps.map { Double($0).map(JSONValue.number) ?? .string("none") }
    },
    ReleaseKey("eval", .path) { $0.eval.map(JSONValue.string) },
    ReleaseKey("at-least", .text) { $0.atLeast.map(JSONValue.number) },
    ReleaseKey("crop-ratio", .text) { $0.crop.cropRatio.map(JSONValue.number) },
    ReleaseKey("builder", .text) { $0.builder.map(JSONValue.string) },
    ReleaseKey("labels", .path) { $0.metadata.labels.map(JSONValue.string) },
    ReleaseKey("license", .text) { $0.metadata.license.map(JSONValue.string) },
    ReleaseKey("meta", .list) { given($0.metadata.entries.map { "\($0.key)=\($0.value)" }) },
    ReleaseKey("input-order", .text) {
      ($0.givenInput.inputOrder?.rawValue.lowercased()).map(JSONValue.string)
    },
    ReleaseKey("mean", .list) { ($0.givenInput.mean?.values).map(numbers) },
    ReleaseKey("std", .list) { ($0.givenInput.deviation?.values).map(numbers) },
    ReleaseKey("range", .text) { $0.givenInput.range.map(JSONValue.integer) },
    ReleaseKey("size", .text) { $0.givenInput.size.map(JSONValue.integer) },
    ReleaseKey("from", .text) { $0.inputOptions.family.map(JSONValue.string) },
    ReleaseKey("key", .text) { $0.inputOptions.key.map(JSONValue.string) },
    ReleaseKey("family", .text) { ($0.inputOptions.blockFamily?.name).map(JSONValue.string) },
    ReleaseKey("dialect", .path) { $0.inputOptions.dialectFile.map(JSONValue.string) },
    ReleaseKey("rename", .list) {
      given($0.inputOptions.renames.map { "\($0.first)=\($0.second)" })
    },
    ReleaseKey("identity", .text) {
      $0.inputOptions.hasIdentity.map { .string($0 ? "yes" : "no") }
    },
    ReleaseKey("map-ratio", .text) {
      $0.inputOptions.mapRatio.map { .string("\($0.height):\($0.width)") }
    },
    ReleaseKey("prune-below", .text) { $0.inputOptions.pruningThreshold.map(JSONValue.number) },
    ReleaseKey("strict", .flag) { $0.gates.isStrict ? true : nil },
    ReleaseKey("whole", .flag) { $0.gates.requiresWhole ? true : nil },
  ]

  private init(
    _ name: String, _ kind: Kind, _ value: @escaping @Sendable (ReleaseArguments) -> JSONValue?
  ) {
    (self.name, self.kind, self.value) = (name, kind, value)
  }

  @Sendable private static func strings(_ texts: [String]) -> JSONValue {
    .array(texts.map(JSONValue.string))
  }
  @Sendable private static func numbers(_ values: [Double]) -> JSONValue {
    .array(values.map(JSONValue.number))
  }
  @Sendable private static func given(_ texts: [String]) -> JSONValue? {
    texts.isEmpty ? nil : strings(texts)
  }
}
