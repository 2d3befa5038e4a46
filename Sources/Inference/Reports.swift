public import Checkpoints
public import Conversion
public import ImageFiles
public import Tensors

/// Images for a network, where they are from and what becomes of them before it sees them.
public struct ImageSelection: Sendable {
  /// Where images come from.
  public enum Source: Equatable, Sendable {
    /// An array of a NumPy file; its name is empty in an `.npy` file.
    case array(path: String, name: Name)
    /// Pictures: the folder they are in, nil if they were named otherwise, and how many files there are none.
    case pictures(folder: String?, otherFiles: Int)
    /// Numbers spread evenly from -2 to 2.
    case random(seed: UInt64)
  }

  /// Where they come from.
  public var source: Source
  /// The images themselves.
  public var input: NetworkInput
  /// Of each picture, if they are pictures.
  public var paths: [String]?
  /// How they are normalised; nil if they are numbers already.
  public var convention: InputConvention?
  /// How they are scaled and cut, if they are.
  public var preparation: ImagePreparation?
  /// The right class of each.
  public var labels: [Int]?

  /// Pictures, and those in folders, in this order.
  ///
  /// - Parameter paths: of pictures and folders.
  /// - Throws: `InferenceError.noImages` if there is no picture in a folder; `ReadError`.
  public init(
    pictures paths: [String], _ preparation: ImagePreparation, _ convention: InputConvention
  ) throws {
    var (pictures, otherFiles) = ([String](), 0)
    for path in paths {
      guard isFolder(path) else {
        pictures.append(path)
        continue
      }
      let folder = try ImageFolder(path: path)
      guard !folder.images.isEmpty else {
        throw InferenceError.noImages(
          path: path, reason: "there are no pictures in the folder",
          remedy:
            "Pictures are files that end in \(ImageFolder.extensions.joined(separator: ", ")).")
      }
      pictures += folder.images
      otherFiles += folder.otherFiles
    }
    let folder = paths.count == 1 && pictures != paths ? paths[0] : nil
    self.init(pictures, .pictures(folder: folder, otherFiles: otherFiles), preparation, convention)
  }

  /// Pictures of known classes.
  ///
  /// - Parameter classes: the network's class for each folder.
  public init(
    _ folders: ClassFolders, classes: [Int], _ preparation: ImagePreparation,
    _ convention: InputConvention
  ) {
    self.init(
      folders.images.map(\.path), .pictures(folder: folders.path, otherFiles: folders.otherFiles),
      preparation, convention)
    labels = folders.images.map { classes[$0.classIndex] }
  }

  private init(
    _ paths: [String], _ source: Source, _ preparation: ImagePreparation,
    _ convention: InputConvention
  ) {
    input = NetworkInput(pictures: paths, preparation, convention)
    self.source = source
    self.paths = paths
    self.convention = convention
    self.preparation = preparation
  }

  /// Random numbers instead of images.
  ///
  /// - Parameter shape: `N x C x H x W`.
  /// - Throws: `InferenceError.imagesTooLarge`.
  public init(randomOf shape: Shape, seed: UInt64) throws(InferenceError) {
    input = try NetworkInput(randomOf: shape, seed: seed)
    source = .random(seed: seed)
  }
}

extension ImageSelection: Encodable {
  public func encode(to encoder: any Encoder) throws {
    let (name, path, array, seed): (String, String?, Name?, UInt64?) =
      switch source {
      case .array(let path, let name): ("array", path, name, nil)
      case .pictures(let folder, _): ("pictures", folder, nil, nil)
      case .random(let seed): ("random", nil, nil, seed)
      }
    try encoder.encode(members: [
      "source": name, "path": path, "array": array, "seed": seed, "count": input.count,
      "shape": input.shape, "input": convention, "resize": preparation?.resize,
    ])
  }
}

/// What reports say of a network that is run.
public struct NetworkSummary: Encodable, Sendable {
  /// The file it was opened from.
  public var path: String
  /// `RepVGG-A0`, or what a network without name consists of; nil where it is not known.
  public var architecture: String?
  /// The form that was run.
  public var form: RunnableNetwork.Form
  /// What it was computed in.
  public var arithmetic: Arithmetic
  /// Numbers it gives for each image.
  public var classes: Int
  /// How many blocks, or convolutions of a graph.
  public var blocks: Int
  /// What should be said of the file.
  public var notes: [Note]

  private enum CodingKeys: String, CodingKey {
    case path = "file"
    case architecture, form, arithmetic, classes, blocks, notes
  }

  /// What is to be said of a network that was opened.
  public init(_ network: RunnableNetwork, path: String) {
    self.path = path
    architecture = network.architecture
    form = network.form
    arithmetic = network.arithmetic
    classes = network.classes
    blocks = network.blocks.count
    notes = network.notes.map { .remark($0) }
  }
}

extension RunnableNetwork.Form: Encodable {}
extension Arithmetic: Encodable {}

extension Evaluation: Encodable {
  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: [
      "images": images, "top1Right": top1Right, "top5Right": top5Right, "top1": 100 * top1,
      "top5": 100 * top5,
    ])
  }
}

/// What a network makes of images.
public struct RunReport: Encodable, Sendable {
  /// A class that an image may be of.
  public struct Guess: Encodable, Equatable, Sendable {
    /// The class, from 0.
    public var index: Int
    /// If the names of the classes are known.
    public var name: String?
    /// What the network gives for it.
    public var logit: Double
    /// The softmax of all logits, at it.
    public var probability: Double

    private enum CodingKeys: String, CodingKey {
      case index = "class"
      case name, logit, probability
    }
  }

  /// What came of one image.
  public struct Answer: Encodable, Equatable, Sendable {
    /// Its number, from 0.
    public var image: Int
    /// If it is a picture.
    public var path: String?
    /// The right class, if it is known.
    public var label: Int?
    /// The best classes, best first.
    public var top: [Guess]
  }

  /// The network that was run.
  public var network: NetworkSummary
  /// What it was run on.
  public var images: ImageSelection
  /// If the right classes are known.
  public var evaluation: Evaluation?
  /// Time for each batch.
  public var secondsPerBatch: [Double]
  /// The file with the logits, if one was written.
  public var output: String?
  /// One for each image.
  public var answers: [Answer]

  /// - Parameters:
  ///   - names: of the classes.
  ///   - count: how many classes to tell of each image.
  public init(
    _ network: NetworkSummary, _ images: ImageSelection, logits: [[Double]],
    secondsPerBatch: [Double], names: [String]?, top count: Int, output: String?
  ) {
    self.network = network
    self.images = images
    self.secondsPerBatch = secondsPerBatch
    self.output = output
    evaluation = images.labels.map { labels in
      var evaluation = Evaluation()
      for (logits, label) in zip(logits, labels) { evaluation.add(logits, answer: label) }
      return evaluation
    }
    answers = logits.enumerated().map { index, logits in
      let shares = probabilities(logits)
      let top = topClasses(logits, count: count).map {
        Guess(index: $0, name: names?[$0], logit: logits[$0], probability: shares[$0])
      }
      return Answer(
        image: index, path: images.paths?[index], label: images.labels?[index], top: top)
    }
  }
}

/// How often a network is right.
public struct EvaluationReport: Encodable, Sendable {
  /// What tells which class a folder of pictures is of.
  public enum ClassOrder: String, Encodable, Sendable {
    /// Names of the classes that were given.
    case given
    /// The labels in the network's file.
    case file
    /// Their own order, by name.
    case folders
  }

  /// The network that was run.
  public var network: NetworkSummary
  /// What it was run on.
  public var images: ImageSelection
  /// How often it was right.
  public var evaluation: Evaluation
  /// Nil if the images are not in folders.
  public var classOrder: ClassOrder?
  /// Time for all images, reading them included.
  public var seconds: Double

  public init(
    network: NetworkSummary, images: ImageSelection, evaluation: Evaluation,
    classOrder: ClassOrder?, seconds: Double
  ) {
    self.network = network
    self.images = images
    self.evaluation = evaluation
    self.classOrder = classOrder
    self.seconds = seconds
  }
}

extension NetworkComparison: Encodable {
  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: [
      "same": holds, "images": images, "shape": shape, "limit": limit, "runs": outcomes,
    ])
  }
}

extension NetworkComparison.Outcome: Encodable {
  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: [
      "arithmetic": arithmetic, "absolute": largestDifference, "relative": relative,
      "largestLogit": largestLogit, "sameClass": agreeing,
    ])
  }
}
