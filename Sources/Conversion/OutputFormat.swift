internal import Blocks
internal import CheckpointFiles
internal import Checkpoints
internal import CoreML
internal import NCNN
public import Naming
internal import ONNX
internal import RVD
internal import Tensors

/// A format that can be written, chosen by the extension of the output's name.
public struct OutputFormat: Sendable {
  /// With its dot, in lower case.
  public let fileExtension: String
  /// Others that files of this format have, likewise.
  public var otherExtensions: [String] = []
  /// As a person would name it: `PyTorch zip`.
  public let title: String
  /// What `--to` calls it: the extension without its dot.
  public var name: String { String(fileExtension.dropFirst()) }
  /// Names that are usual in files of this format.
  public var names = Dialect.official
  /// Whether it holds deploy networks only.
  public var isForDeploy = false
  /// Whether it holds weights in steps of scales.
  var hasSteps = false
  /// Whether it can be compressed.
  var isCompressible = false
  /// Whether it is a graph of a runtime's operations: of networks that are known as a whole, in either form,
  /// with the tensors that these take.
  public var isGraph = false
  /// Whether the version of its operations, and how many images it takes at a time, can be chosen.
  package internal(set) var hasOperatorSets = false
  /// Whether what was written can be read.
  public var isReadable = true
  /// What of the tensors it has no place for.
  var omissions: String?
  let writer: Writer

  enum Writer: Sendable {
    /// Holds tensors under names, whatever they are.
    case tensors(@Sendable ([OutputTensor], OutputFile, Threads) throws -> Void)
    /// Likewise, and what is known of the network beside its graph.
    case describedTensors(@Sendable (DeployModel, OutputFile, Threads) throws -> Void)
    /// Holds a deploy model. Computes the source's SHA-256, in hexadecimal, meanwhile, if it is to.
    case deployModel(
      @Sendable (
        DeployModel, OutputFile, WritingOptions, _ imageSize: Int,
        _ sourceSHA256: (@Sendable () throws -> String)?
      ) throws -> WrittenModel)
    /// Likewise, as a folder that has a file of the name `marker`.
    case folder(
      marker: String,
      @Sendable (
        DeployModel, OutputFolder, WritingOptions, _ imageSize: Int,
        _ sourceSHA256: (@Sendable () throws -> String)?
      ) throws -> WrittenModel)
    /// Holds a network's graph and tensors, and nothing that is known of it beside.
    case network(
      @Sendable (DeployModel, OutputFile, WritingOptions, _ imageSize: Int) throws -> WrittenModel)
  }

  /// Every format that can be written. To add one, write its writer and name it here.
  public static let all: [OutputFormat] = [
    .rvd, .pyTorch, .safetensors, .npz, .hdf5, .megEngine, .wts, .onnx, .coreML, .ncnn,
  ]

  /// The deploy format of this project.
  public static let rvd = OutputFormat(
    fileExtension: ".rvd", title: "RVD 1", isForDeploy: true, hasSteps: true, isCompressible: true,
    writer: .deployModel { model, file, options, _, sourceSHA256 in
      WrittenModel(
        try RVDWriter.write(
          model, to: file, compression: options.compression, threads: options.threads,
          sourceSHA256: sourceSHA256), options.compression)
    })

  /// For runtimes.
  public static let onnx = OutputFormat(
    fileExtension: ".onnx", title: "ONNX", isForDeploy: true, hasSteps: true, isGraph: true,
    hasOperatorSets: true,
    writer: .deployModel { model, file, options, imageSize, sourceSHA256 in
      var onnx = ONNXOptions(
        imageSize: (imageSize, imageSize), producer: ("repconv", repconvVersion))
      if let version = options.operatorSet { onnx.operatorSet = version }
      onnx.batch = options.batch
      onnx.largestMessage = options.largestMessage
      return WrittenModel(
        try ONNXWriter.write(
          model, to: file, options: onnx, threads: options.threads, sourceSHA256: sourceSHA256))
    })

  /// A package with an ML Program, for Apple's systems.
  public static let coreML = OutputFormat(
    fileExtension: ".mlpackage", title: "Core ML", isForDeploy: true, hasSteps: true,
    isGraph: true, isReadable: false,
    writer: .folder(marker: CoreMLWriter.manifestName) {
      model, folder, options, imageSize, sourceSHA256 in
      let summary = try CoreMLWriter.write(
        model, to: folder, imageSize: (imageSize, imageSize), threads: options.threads,
        sourceSHA256: sourceSHA256)
      return WrittenModel(contentSHA256: summary.contentSHA256, files: folder.summaries)
    })

  /// Layers as text; the weights are in a second file, `.bin`.
  public static let ncnn = OutputFormat(
    fileExtension: ".param", title: "ncnn", isForDeploy: true, isGraph: true, isReadable: false,
    writer: .network { model, file, options, imageSize in
      let summary = try NCNNWriter.write(
        model, to: file, imageSize: (imageSize, imageSize), threads: options.threads)
      return WrittenModel(
        externalData: OutputSummary.PartialFile(
          path: summary.weightsPath, byteCount: summary.weightsByteCount))
    })

  /// A plain state dict, and beside it what PyTorch takes no notice of.
  public static let pyTorch = OutputFormat(
    fileExtension: ".pth", otherExtensions: [".pt", ".ckpt", ".pth.tar"], title: "PyTorch zip",
    writer: .describedTensors {
      try PyTorchZipWriter.write($0.tensors, to: $1, threads: $2, description: $0.description)
    })

  /// As its own library writes it.
  public static let safetensors = OutputFormat(
    fileExtension: ".safetensors", title: "safetensors",
    writer: .describedTensors {
      try SafetensorsWriter.write($0.tensors, to: $1, threads: $2, description: $0.description)
    })

  /// An archive of `.npy` members, one for each tensor.
  public static let npz = OutputFormat(
    fileExtension: ".npz", title: "NumPy archive", writer: .tensors(NPZWriter.write))

  /// Flat: one dataset for each tensor.
  public static let hdf5 = OutputFormat(
    fileExtension: ".h5", otherExtensions: [".hdf5"], title: "HDF5",
    writer: .tensors(HDF5Writer.write))

  /// A dict of arrays for `load_state_dict`, with kernels of five axes.
  public static let megEngine = OutputFormat(
    fileExtension: ".pkl", title: "MegEngine pickle", names: .baseCls,
    writer: .tensors(MegEngineWriter.write))

  /// For programs that build TensorRT networks.
  public static let wts = OutputFormat(
    fileExtension: ".wts", title: "TensorRT .wts text", isForDeploy: true,
    omissions: "shapes and types: every tensor becomes a list of float32",
    writer: .tensors(WTSWriter.write))

  /// The names of an output: those asked for, or those usual in the format, or, of families that these
  /// cannot name, the file's own or, of networks that are known as a whole, their first project's.
  ///
  /// - Parameter isWhole: whether the network is known as a whole.
  /// - Throws: `ConversionError.noNames` if the dialect asked for cannot name the network's blocks.
  func names(
    for network: Network, _ asked: Dialect?, isWhole: Bool
  ) throws(ConversionError) -> Dialect {
    let families = network.families
    func canName(_ dialect: Dialect) -> Bool {
      families.allSatisfy { dialect.table(of: $0) != nil }
    }
    if let asked {
      guard canName(asked) else {
        throw .noNames(
          path: network.path, dialect: asked.name, families: families.map(\.name),
          known: Dialect.all.filter(canName).map(\.name))
      }
      return asked.numbered(for: network)
    }
    let own = network.dialect
    if isShaped, own.keepsNames, canName(own) { return withUsualLayouts(own, for: network) }
    // Of what is not known as a whole only the blocks could be renamed. Some projects had other names in
    // one container.
    let keepsNames = own.root == nil && !isWhole && own.containers.isEmpty && canName(own)
    if !keepsNames, canName(names) { return names.numbered(for: network) }
    return withUsualLayouts(
      keepsNames ? own : Dialect.first(naming: families) ?? own, for: network)
  }

  /// A dialect with the shapes that are usual in this format, but for what is a project's own.
  private func withUsualLayouts(_ dialect: Dialect, for network: Network) -> Dialect {
    var dialect = dialect
    let vector = dialect.layouts.vector
    dialect.layouts = names.layouts
    dialect.layouts.vector = vector
    return dialect.numbered(for: network)
  }

  /// Whether tensors get the shapes of a dialect, too. A deploy model has its own.
  var isShaped: Bool {
    switch writer {
    case .tensors, .describedTensors: true
    case .deployModel, .folder, .network: false
    }
  }

  /// Whether it has a place for what is known of a network beside its graph.
  var isDescribed: Bool {
    switch writer {
    case .tensors, .network: false
    case .describedTensors, .deployModel, .folder: true
    }
  }

  /// What names of checkpoints end with, in lower case: the extensions of all formats, and others.
  package static let checkpointExtensions =
    [".tar", ".pickle", ".bin", ".pdparams", ".keras"]
    + all.flatMap { [$0.fileExtension] + $0.otherExtensions }

  /// Whether a path, in lower case, has an extension of this format.
  private func isNamed(by path: String) -> Bool {
    ([fileExtension] + otherExtensions).contains(where: path.hasSuffix)
  }

  /// Whether a path has an extension of a format.
  public static func isNamed(by path: String) -> Bool {
    let path = path.lowercased()
    return all.contains { $0.isNamed(by: path) }
  }

  /// - Throws: `ConversionError.unknownExtension`.
  public static func forPath(
    _ path: String, named name: String? = nil, among formats: [OutputFormat] = all
  ) throws(ConversionError) -> OutputFormat {
    let lowercased = name.map { ".\($0.lowercased())" } ?? path.lowercased()
    guard let format = formats.first(where: { $0.isNamed(by: lowercased) }) else {
      throw .unknownExtension(path: path, known: formats.map(\.fileExtension))
    }
    return format
  }

  /// - Throws: `ConversionError.noSteps` if it has no place for weights of the type asked for,
  ///   `notCompressible` if it cannot be compressed and is to be, `noOperators` if it has no place for
  ///   what is said of operators.
  func require(_ options: WritingOptions, path: String) throws(ConversionError) {
    if options.weightType == .int8 { try requireSteps(path: path) }
    if options.compression != nil, !isCompressible {
      throw .notCompressible(
        path: path, format: title,
        known: OutputFormat.all.filter(\.isCompressible).map(\.fileExtension))
    }
    if options.operatorSet != nil || options.batch != nil, !hasOperatorSets {
      throw .noOperators(
        path: path, format: title,
        known: OutputFormat.all.filter(\.hasOperatorSets).map(\.fileExtension))
    }
  }

  /// Writes the model, or as much of it as the format holds, and returns the output, which the caller
  /// commits, and what is known of it, if the format tells it.
  ///
  /// - Parameters:
  ///   - path: where to.
  ///   - source: what it is made from.
  ///   - file: the source, if its digest is to be stored and the format does that; it is read once more for
  ///     it, at the same time.
  ///   - imageSize: height and width of the network's input.
  func write(
    _ model: DeployModel, to path: String, from source: String, recording file: (any ByteSource)?,
    _ options: WritingOptions, imageSize: Int
  ) throws -> (output: any Output, written: WrittenModel?) {
    let sourceSHA256 = file.map { file in { @Sendable in try fileDigest(file) } }
    func makeFile() throws(WriteError) -> OutputFile {
      try OutputFile(path: path, from: source, options)
    }
    switch writer {
    case .tensors(let write):
      let file = try makeFile()
      try write(model.tensors, file, options.threads)
      return (file, nil)
    case .describedTensors(let write):
      let file = try makeFile()
      try write(model, file, options.threads)
      return (file, nil)
    case .deployModel(let write):
      let file = try makeFile()
      return (file, try write(model, file, options, imageSize, sourceSHA256))
    case .network(let write):
      let file = try makeFile()
      return (file, try write(model, file, options, imageSize))
    case .folder(let marker, let write):
      let folder = try OutputFolder(
        path: path, replace: options.replace, marker: marker, from: [source] + options.alsoRead)
      folder.onWrite = options.progress
      return (folder, try write(model, folder, options, imageSize, sourceSHA256))
    }
  }
}

/// What is known of a deploy file that was written.
struct WrittenModel {
  var contentSHA256: String?
  /// What the tensors take in a compressed file, of what they take as they are.
  var compressionRatio: Double?
  /// A file that belongs to it.
  var externalData: OutputSummary.PartialFile?
  /// What a folder consists of.
  var files: [OutputSummary.PartialFile]?

  init(
    contentSHA256: String? = nil, externalData: OutputSummary.PartialFile? = nil,
    files: [OutputSummary.PartialFile]? = nil
  ) {
    self.contentSHA256 = contentSHA256
    self.externalData = externalData
    self.files = files
  }

  init(_ summary: RVDSummary, _ compression: Compression?) {
    contentSHA256 = summary.contentSHA256
    if compression != nil {
      compressionRatio =
        Double(summary.storedByteCount) / Double(max(1, summary.elementByteCount))
    }
  }

  init(_ summary: ONNXWriter.Summary) {
    contentSHA256 = summary.contentSHA256
    externalData = summary.externalData.map {
      OutputSummary.PartialFile(path: $0.path, byteCount: $0.byteCount)
    }
  }
}

extension OutputFile {
  /// - Throws: `WriteError`, also if it would be the source.
  convenience init(path: String, from source: String, _ options: WritingOptions) throws(WriteError)
  {
    try self.init(path: path, replace: options.replace, from: [source] + options.alsoRead)
    onWrite = options.progress
  }
}

extension OutputFolder {
  /// Its files, in the order in which they were made.
  fileprivate var summaries: [OutputSummary.PartialFile] {
    files.map { OutputSummary.PartialFile(path: "\(path)/\($0.name)", byteCount: $0.file.count) }
  }
}
