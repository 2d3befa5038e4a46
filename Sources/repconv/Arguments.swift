import ArgumentParser
import Blocks
import Checkpoints
import Conversion
import Naming
import ONNX
import RVD
import Reparameterization
import Tensors
import Topologies

/// Options that say how the input is to be read.
struct InputOptions: ParsableArguments {
  @Option(
    name: .customLong("from"),
    help: ArgumentHelp(
      "Fail unless the file is of this family (as 'pytorch').", valueName: "family"),
    completion: .list(inputFamilies))
  var family: String?

  @Option(help: "Use this state dict, where the file has several (as 'model_ema').")
  var key: String?

  @Option(
    name: .customLong("family"),
    help: ArgumentHelp(
      "Take blocks for this family's, where several families share their names (as 'RepGhost-identity'); see formats/dialects.md.",
      valueName: "family"),
    completion: .list(BlockFamily.askable.map(\.name)), transform: BlockFamily.argument)
  var blockFamily: BlockFamily?

  @Option(
    name: .customLong("dialect"),
    help: ArgumentHelp(
      "Know the names of this table as well; see 'repconv dialects'.", valueName: "file"),
    completion: .file())
  var dialectFile: String?

  @Option(
    name: .customLong("rename"),
    help: ArgumentHelp(
      "Rename tensors before all else, as in 'encoder.*=*'; may be repeated.",
      valueName: "pattern=name"),
    transform: Correspondence.argument)
  var renames: [Correspondence] = []

  @Option(
    name: .customLong("identity"),
    help: ArgumentHelp(
      "Whether blocks have an identity that no tensor shows: yes or no (default: as the networks of their family; 'repconv fuse' says what it takes for granted).",
      valueName: "yes|no"),
    completion: .list(["yes", "no"]), transform: BlockFacts.identityArgument)
  var hasIdentity: Bool?

  @Option(
    name: .customLong("map-ratio"),
    help: ArgumentHelp(
      "Height to width of the maps that RepMLPNet works on, as 2:3 (default: squares).",
      valueName: "h:w"),
    transform: BlockFacts.Ratio.argument)
  var mapRatio: BlockFacts.Ratio?

  @Option(
    name: .customLong("prune-below"),
    help: ArgumentHelp(
      "Norm below which a row of ResRep's compactors is taken for empty; 0 keeps all (default: 1e-5, as its authors' code).",
      valueName: "number"))
  var pruningThreshold: Double?

  @OptionGroup var limits: LimitOptions

  /// Built-in dialects, behind the user's.
  func dialects() throws -> [Dialect] {
    guard let dialectFile else { return Dialect.all }
    let file = try InputFile(path: dialectFile)
    let bytes = try file.bytes(0..<file.count, field: "the table")
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw NamingError.badDialect(place: dialectFile, line: nil, reason: "it is not UTF-8 text")
    }
    let dialect = try Dialect(text: text, place: dialectFile)
    guard Dialect.named(dialect.name) == nil else {
      throw NamingError.badDialect(
        place: dialectFile, line: nil,
        reason: "a built-in dialect is called '\(dialect.name)' already")
    }
    return [dialect] + Dialect.all
  }

  func reading() throws -> ReadingOptions {
    var options = ReadingOptions()
    options.family = family
    options.key = key
    options.dialects = try dialects().filter { !$0.isOnRequest }
    if let blockFamily { options.dialects = options.dialects.compactMap { $0.taking(blockFamily) } }
    options.renames = renames
    options.limits = try limits.reading()
    options.facts.hasIdentity = hasIdentity
    options.facts.mapRatio = mapRatio
    options.facts.pruningThreshold = pruningThreshold
    return options
  }

  func validate() throws {
    if let family, !inputFamilies.contains(family.lowercased()) {
      throw unknownValue(family, of: "--from", among: inputFamilies)
    }
    if let pruningThreshold, !(pruningThreshold.isFinite && pruningThreshold >= 0) {
      throw ValidationError(
        "--prune-below takes a number that is not negative, not \(pruningThreshold).")
    }
  }
}

/// How much a file may ask for.
struct LimitOptions: ParsableArguments {
  @Option(
    name: .customLong("limits"),
    help: ArgumentHelp(
      "Let files ask for more than is usual, as in 'pickle-memory=1000000000'; may be repeated; see formats/limits.md.",
      valueName: "name=value"),
    completion: .list(ReadingLimits.all.map { "\($0.name)=" }))
  var values: [String] = []

  func reading() throws -> ReadingLimits {
    var limits = ReadingLimits()
    for text in values {
      let sides = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard sides.count == 2, let value = Int(sides[1]), (0...1 << 53).contains(value) else {
        throw ValidationError("--limits takes NAME=VALUE, as in tensors=2000000, not '\(text)'.")
      }
      guard let limit = ReadingLimits.all.first(where: { $0.name == sides[0] }) else {
        throw ValidationError(
          "--limits knows no '\(sides[0])', but "
            + "\(ReadingLimits.all.map(\.name).joined(separator: ", ")).")
      }
      limits[limit] = value
    }
    return limits
  }

  func validate() throws { _ = try reading() }
}

/// What a file has to be for anything to be done with it.
struct GateOptions: ParsableArguments {
  @Flag(
    name: .customLong("strict"),
    help: "Treat warnings as errors: a pickle that would run code, a network that seems damaged.")
  var isStrict = false

  @Flag(
    name: .customLong("whole"),
    help: "Fail unless the network is known as a whole, whatever its depth and width.")
  var requiresWhole = false

  func apply(to options: inout ReadingOptions) {
    options.isStrict = isStrict
    options.requiresWhole = requiresWhole
  }
}

/// Options that say how the output is to be written.
struct OutputOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Names of the output, and shapes that go with them; see 'repconv dialects' (default: those usual in the format, mostly official; of other families those of their authors).",
      valueName: "dialect"),
    completion: .list(Dialect.all.map(\.name)))
  var names: String?

  @Option(
    name: .customLong("to"),
    help: ArgumentHelp(
      "Format of the output (default: by the extension of its name).", valueName: "format"),
    completion: .list(OutputFormat.all.map(\.name)))
  var format: String?

  @OptionGroup var weights: WeightArguments

  @Flag(
    name: .customLong("no-bias-correction"),
    help:
      "With int8: leave biases as they are, instead of making up for what int8 adds to the means.")
  var leavesOutBiasCorrection = false

  @Option(
    defaultAsFlag: Compression.fast, parsing: .next,
    help: ArgumentHelp(
      "Compress an .rvd, without loss; --compress=max makes it a little smaller, and takes a hundred times as long.",
      valueName: "max"),
    // What follows after a space is no value, but the next argument.
    completion: .file(), transform: Compression.argument)
  var compress: Compression?

  @OptionGroup var operators: OperatorArguments

  @Flag(help: "Replace the output if it exists.")
  var force = false

  @Flag(help: "Flush the output to the disk before it is renamed into place.")
  var sync = false

  @Flag(
    name: .customLong("no-source-digest"),
    help:
      "Leave the input's SHA-256 out of an .rvd, .onnx or .mlpackage; it takes a third of the time."
  )
  var leavesOutSourceDigest = false

  @Flag(
    name: .customLong("dry-run"), help: "Print what each tensor would be called, and write nothing."
  )
  var isDryRun = false

  @OptionGroup var threads: ThreadArguments

  func writing(
    with input: InputOptions, dialects: [Dialect], _ print: PrintArguments
  ) throws -> WritingOptions {
    var options = WritingOptions()
    options.alsoRead = input.dialectFile.map { [$0] } ?? []
    if let names {
      guard let dialect = Dialect.named(names, among: dialects) else {
        throw unknownValue(
          names, of: "--names", among: dialects.map(\.name), listedBy: "repconv dialects")
      }
      options.names = dialect
    }
    options.format = format
    weights.apply(to: &options)
    options.quantization.correctsBiases = !leavesOutBiasCorrection
    options.compression = compress
    options.operatorSet = operators.opset
    options.batch = operators.batch?.images
    // What takes most of the time is done on all processors.
    if compress == .max { options.threads = .all }
    options.replace = force
    options.sync = sync
    options.recordsSourceDigest = !leavesOutSourceDigest
    if let threads = threads.chosen { options.threads = threads }
    if !print.quiet { options.progress = ProgressBar.forTerminal() }
    return options
  }

  func validate() throws {
    // The parser takes what is no value for the next argument, also where it cannot be.
    let name = "--compress="
    for argument in CommandLine.arguments where argument.hasPrefix(name) {
      _ = try Compression.argument(String(argument.dropFirst(name.count)))
    }
    if weights.weightType != .int8, leavesOutBiasCorrection {
      throw ValidationError("--no-bias-correction is only for --dtype int8.")
    }
    if let format, !OutputFormat.isNamed(by: "." + format) {
      throw unknownValue(format, of: "--to", among: OutputFormat.all.map(\.name))
    }
  }
}

/// What the weights are stored in.
struct WeightArguments: ParsableArguments {
  @Option(
    name: .customLong("dtype"),
    help: ArgumentHelp(
      "Type of the weights: float32, float16, bfloat16, or int8 for .rvd, .onnx and .mlpackage (default: float32 when they are fused, else as they are).",
      valueName: "type"),
    completion: .list(WeightType.allCases.map(\.rawValue)), transform: WeightType.argument)
  var weightType: WeightType?

  @Option(
    help: ArgumentHelp(
      "With int8: keep this layer in float32, or the n that int8 changes most; may be repeated.",
      valueName: "layer|n"))
  var keepFloat: [String] = []

  func validate() throws {
    if weightType != .int8, !keepFloat.isEmpty {
      throw ValidationError("--keep-float is only for --dtype int8.")
    }
    if let count = keepFloat.lazy.compactMap({ Int($0) }).first(where: { $0 < 0 }) {
      throw ValidationError("--keep-float takes a layer or a number of layers, not \(count).")
    }
  }

  func apply(to options: inout WritingOptions) {
    options.weightType = weightType
    options.quantization.keptLayers = keepFloat.filter { Int($0) == nil }
    options.quantization.keptCount = keepFloat.compactMap { Int($0) }.reduce(0, +)
  }
}

/// How an .onnx computes.
struct OperatorArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Version of the operators of an .onnx: \(ONNXOptions.operatorSets.lowerBound) to \(ONNXOptions.operatorSets.upperBound) (default: 13).",
      valueName: "n"))
  var opset: Int?

  @Option(
    help: ArgumentHelp(
      "Images that an .onnx takes at a time: a number, or dynamic for any (default: dynamic).",
      valueName: "n|dynamic"),
    completion: .list(["dynamic"]), transform: ONNXBatch.argument)
  var batch: ONNXBatch?

  func validate() throws {
    if let opset { try OperatorArguments.require(opset) }
  }

  /// Throws unless ONNX's operators have such a version.
  static func require(_ version: Int) throws {
    let versions = ONNXOptions.operatorSets
    guard versions.contains(version) else {
      throw ValidationError(
        "--opset takes a number from \(versions.lowerBound) to \(versions.upperBound), not \(version)."
      )
    }
  }
}

/// How many images a network takes at a time.
struct ONNXBatch {
  /// Nil for any number.
  var images: Int?

  /// For `@Option(transform:)`.
  static func argument(_ text: String) throws -> ONNXBatch {
    if text.lowercased() == "dynamic" { return ONNXBatch(images: nil) }
    guard let images = Int(text), 1...65535 ~= images else {
      throw ValidationError("--batch takes a number from 1 to 65535 or dynamic, not '\(text)'.")
    }
    return ONNXBatch(images: images)
  }
}

/// What is known of the network's input.
struct GivenInputArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Order in which the network takes the colours: rgb or bgr (default: what the file says, else what its names stand for).",
      valueName: "order"),
    completion: .list(["rgb", "bgr"]), transform: InputConvention.ChannelOrder.argument)
  var inputOrder: InputConvention.ChannelOrder?

  @Option(
    help: ArgumentHelp("Mean of each channel, in the input's order and range.", valueName: "a,b,c"),
    transform: ChannelValues.argument)
  var mean: ChannelValues?

  @Option(
    name: .customLong("std"),
    help: ArgumentHelp("Standard deviation of each channel, likewise.", valueName: "a,b,c"),
    transform: ChannelValues.argument)
  var deviation: ChannelValues?

  @Option(
    help: ArgumentHelp("Value of white before normalising: 1 or 255.", valueName: "white"))
  var range: Int?

  @Option(
    help: ArgumentHelp(
      "Height and width of the images, in pixels (default: what the file says; to run it and in an .onnx, else 320 for D2se and L2pse, 256 for FastViT, 224 for others, or what the network takes).",
      valueName: "pixels"))
  var size: Int?

  func validate() throws {
    if let range, range != 1 && range != 255 {
      throw ValidationError("--range takes 1 or 255, not \(range).")
    }
    if let deviation, !deviation.values.allSatisfy({ $0 > 0 }) {
      throw ValidationError("--std takes three numbers above 0.")
    }
    if let size, !(1...65535).contains(size) {
      throw ValidationError("--size takes a number from 1 to 65535, not \(size).")
    }
  }

  var given: GivenInput {
    var given = GivenInput()
    given.channelOrder = inputOrder
    given.mean = mean?.values
    given.standardDeviation = deviation?.values
    given.scale = range.map { Double($0) }
    given.size = size
    return given
  }
}

/// One number for each of three channels.
struct ChannelValues {
  var values: [Double]

  /// For `@Option(transform:)`.
  static func argument(_ text: String) throws -> ChannelValues {
    let values = text.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
    guard values.count == 3, values.allSatisfy({ $0?.isFinite == true }) else {
      throw ValidationError("expected three numbers, as in 0.485,0.456,0.406")
    }
    return ChannelValues(values: values.map { $0! })
  }
}

extension InputConvention.ChannelOrder {
  /// For `@Option(transform:)`.
  static func argument(_ text: String) throws -> InputConvention.ChannelOrder {
    guard let order = InputConvention.ChannelOrder(rawValue: text.uppercased()) else {
      throw ValidationError("expected rgb or bgr")
    }
    return order
  }
}

/// Options of the commands that write a checkpoint again.
struct RewriteArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Colour order of the output's first convolution: keep, rgb or bgr.", valueName: "order"),
    completion: .list(RewriteOptions.Channels.allCases.map(\.rawValue)),
    transform: RewriteOptions.Channels.argument)
  var channels: RewriteOptions.Channels = .keep

  @OptionGroup(title: "Gates") var gates: GateOptions
  @OptionGroup(title: "Output") var output: OutputOptions
  @OptionGroup(title: "About the network's input") var givenInput: GivenInputArguments
  @OptionGroup(title: "About the model") var metadata: MetadataArguments
  @OptionGroup(title: "Reading") var input: InputOptions
  @OptionGroup(title: "Printing") var print: PrintArguments
}

extension BlockFacts {
  /// For `@Option(transform:)`.
  static func identityArgument(_ text: String) throws -> Bool {
    guard let answer = ["yes": true, "no": false][text.lowercased()] else {
      throw ValidationError("expected yes or no")
    }
    return answer
  }
}

extension BlockFacts.Ratio {
  /// For `@Option(transform:)`.
  static func argument(_ text: String) throws -> BlockFacts.Ratio {
    let sizes = text.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
    guard sizes.count == 2, let height = sizes[0], let width = sizes[1], height > 0, width > 0
    else {
      throw ValidationError("expected height and width, as in 2:3")
    }
    return BlockFacts.Ratio(height: height, width: width)
  }
}

extension BlockFamily {
  /// Those that a network can be known by.
  fileprivate static var askable: [BlockFamily] {
    (all + variants).filter { !$0.standsBesideOthers }
  }

  /// For `@Option(transform:)`.
  static func argument(_ text: String) throws -> BlockFamily {
    guard let family = named(text), !family.standsBesideOthers else {
      throw unknownValue(
        text, of: "--family", among: askable.map(\.name), listedBy: "repconv families")
    }
    return family
  }
}

extension Correspondence {
  /// For `@Option(transform:)`.
  static func argument(_ text: String) throws -> Correspondence {
    do {
      return try Correspondence(text)
    } catch {
      throw ValidationError("--rename: \(error.reason).")
    }
  }
}

extension Architecture {
  /// For `@Option(transform:)`.
  static func argument(_ text: String) throws -> Architecture {
    do {
      return try Architecture.named(text)
    } catch {
      throw ValidationError(message(of: error))
    }
  }
}

extension Compression {
  /// For `@Option(transform:)`.
  static func argument(_ text: String) throws -> Compression {
    guard let compression = Compression(rawValue: text) else {
      throw ValidationError("--compress takes max or nothing, not '\(text)'.")
    }
    return compression
  }
}

extension WeightType {
  /// For `@Option(transform:)`.
  static func argument(_ text: String) throws -> WeightType {
    guard let type = WeightType(rawValue: text.lowercased()) else {
      throw ValidationError(
        "--dtype takes one of \(allCases.map(\.rawValue).joined(separator: ", ")), not '\(text)'.")
    }
    return type
  }
}

extension RewriteOptions.Channels {
  /// For `@Option(transform:)`.
  static func argument(_ text: String) throws -> RewriteOptions.Channels {
    guard let channels = RewriteOptions.Channels(rawValue: text.lowercased()) else {
      throw ValidationError(
        "--channels takes one of \(allCases.map(\.rawValue).joined(separator: ", ")), not '\(text)'."
      )
    }
    return channels
  }
}
