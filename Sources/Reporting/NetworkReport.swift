public import Checkpoints
public import Conversion
public import Graphs
public import Proof
public import Tensors

/// What there is to say of a network, for people: what it consists of, what its weights are like before and
/// after fusing, what smaller types would cost, and the proof that it is what was trained.
///
/// A value; `html`, `svg` and `markdown` are renderings of it, `encode` is another.
public struct NetworkReport: Encodable, Sendable {
  /// The file that it is about: a training checkpoint or a deploy network.
  public var source: FileSummary
  /// The training checkpoint that it was compared with, if one was named.
  public var train: FileSummary?
  /// SHA-256 of the file, in hexadecimal.
  public var digest: String
  /// SHA-256 of the training checkpoint, likewise.
  public var trainDigest: String?
  /// SHA-256 over the tensors that the file records, in hexadecimal.
  public var contentDigest: String?
  /// Elements that an optimiser changes.
  public var parameters: Int
  /// Of a whole network when it is fused.
  public var deployParameters: Int?
  /// Multiplications, each with an addition, for one image of `imageSize`; nil where that is not known.
  public var multiplyAdds: Int?
  /// Height and width in pixels of the images that maps and costs are told of; nil where there is no graph.
  public var imageSize: Int?
  /// How images become input, and who says so; nil where nothing does.
  public var input: KnownInput?
  /// What the file says for people; nil if that is nothing.
  public var metadata: ModelMetadata?
  /// Where the file says it came from.
  public var provenance: Provenance?
  /// BatchNorm's epsilons, each once, ascending; empty if nothing is fused.
  public var epsilons: [Double]
  /// The network in deploy form, to be drawn; nil if it is not known as a whole.
  public var drawing: NetworkDrawing?
  /// Why it is not, in words.
  public var reason: String?
  /// Convolutions and linear layers in deploy form, in the order of the graph, else of the file.
  public var layers: [ReportedLayer]
  /// Blocks that are fused, in the order of the layers; empty if no training form is known.
  public var blocks: [ReportedBlock]
  /// The proof, if a training checkpoint was named.
  public var proof: VerifyReport?
  /// What should be said.
  public var notes: [Note]

  /// Whether the file is the training checkpoint, fused; nil if none was named.
  public var isProven: Bool? { proof?.holds }

  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: [
      "source": source, "train": train, "sha256": digest, "trainSHA256": trainDigest,
      "content": contentDigest, "same": isProven, "parameters": parameters,
      "deployParameters": deployParameters, "multiplyAdds": multiplyAdds, "imageSize": imageSize,
      "input": input, "metadata": metadata, "provenance": provenance, "epsilons": epsilons,
      "reason": reason, "drawing": drawing, "layers": layers, "blocks": blocks,
      "algebra": proof?.verification, "notes": notes,
    ])
  }
}

/// A convolution or linear layer of a network in deploy form.
public struct ReportedLayer: Encodable, Sendable {
  /// Of its weight: in the file, or of what is fused, as the names of the file would have it.
  public var name: Name
  /// The path of the block that it is of, if it is fused from one.
  public var block: Name?
  /// Of the weight.
  public var shape: Shape
  /// What the file stores the weight as; nil of what is computed from branches.
  public var elementType: ElementType?
  /// Its node of the graph; nil where there is none.
  public var node: Graph.Node?
  /// What it gives, for each image; nil where that is not known.
  public var output: ValueShape?
  /// Elements of its weight and bias.
  public var parameters: Int
  /// For each image; nil where the size of its output is not known.
  public var multiplyAdds: Int?
  /// Its weight, in deploy form.
  public var weights: WeightStatistics
  /// The kernels of its branches, as they were trained, counted in the parts of `weights.histogram`; nil
  /// where they are not known.
  public var trained: TrainedWeights?

  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: [
      "name": name, "block": block, "shape": shape, "dtype": elementType,
      "operation": node?.kind.name, "stride": node?.setting("stride"),
      "groups": node?.setting("groups")?[0], "output": output?.description,
      "parameters": parameters, "multiplyAdds": multiplyAdds, "weights": weights,
      "trained": trained,
    ])
  }
}

extension Graph.Node {
  /// The value of an attribute that its kind may have.
  func setting(_ name: String) -> [Int]? {
    kind.attributes.contains { $0.name == name } ? attribute(name) : nil
  }
}

/// The kernels of a block as they were trained, all together.
public struct TrainedWeights: Encodable, Equatable, Sendable {
  /// How many numbers.
  public var count: Int
  /// Of the finite ones.
  public var smallest, largest: Double?
  /// Where they lie; nil if none is finite.
  public var histogram: Histogram?

  private enum CodingKeys: String, CodingKey {
    case count = "values"
    case smallest, largest, histogram
  }
}

/// A block of the training form, and what became of it.
public struct ReportedBlock: Encodable, Sendable {
  /// In the numbering of the family's first project: `stage1.0`.
  public var path: Name
  /// What it is a block of: `RepVGG`.
  public var family: String
  /// Of the fused kernel, OIHW.
  public var shape: Shape
  /// What is added in it, in the order of its tree.
  public var branches: [BranchShare]
  /// How the deploy file's convolution compares with it; nil if no training checkpoint was named, or the
  /// file has none.
  public var proof: BlockComparison?

  private enum CodingKeys: String, CodingKey {
    case path = "block"
    case family, shape, branches, proof
  }
}
