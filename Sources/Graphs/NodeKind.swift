/// A row of the table of operations: what a kind of node takes, and the one rule for the shape of what
/// it gives. Equal if the name is.
///
/// A new operation is a file in `Operations` with its row and a line in `all`; the formula belongs into
/// `formats/rvd.md`.
public struct NodeKind: Sendable {
  /// What `.rvd` calls it: the manifest's `op`.
  public let name: String
  /// How many values it takes.
  public let inputs: ClosedRange<Int>
  /// In the order of a node's `operands`.
  public let operands: [Operand]
  /// In the order of a node's `attributes`.
  public let attributes: [Attribute]
  /// Whether its nodes have an `epsilon`.
  public let hasEpsilon: Bool
  let shape: ShapeRule

  /// Gives the shape of the result, or throws what does not fit.
  typealias ShapeRule = @Sendable (ShapeCheck) throws(GraphProblem) -> ValueShape

  init(
    _ name: String, inputs: ClosedRange<Int> = 1...1, operands: [Operand] = [],
    attributes: [Attribute] = [], hasEpsilon: Bool = false, shape: @escaping ShapeRule
  ) {
    self.name = name
    self.inputs = inputs
    self.operands = operands
    self.attributes = attributes
    self.hasEpsilon = hasEpsilon
    self.shape = shape
  }

  /// Every kind there is.
  public static let all: [NodeKind] = [
    .convolution, .linear, .add, .multiply, .scale, .batchNorm, .layerNorm, .globalResponseNorm,
    .attention, .concatenate, .flatten, .globalAveragePool, .averagePool, .maxPool,
    .upsampleNearest, .pixelShuffle, .relu, .relu6, .prelu, .sigmoid,
    .silu, .tanh, .gelu, .geluTanh, .hardSigmoid, .hardSwish, .softmax,
  ]

  /// The kind of this name; nil if there is none.
  public init?(named name: String) {
    guard let kind = NodeKind.byName[name] else { return nil }
    self = kind
  }

  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
}

extension NodeKind: Hashable, CustomStringConvertible {
  public static func == (a: NodeKind, b: NodeKind) -> Bool { a.name == b.name }
  public func hash(into hasher: inout Hasher) { hasher.combine(name) }
  public var description: String { name }
}

/// A tensor that a kind of node takes: a floating-point one, with elements.
public struct Operand: Equatable, Sendable {
  /// The order of a tensor's axes.
  public enum Layout: String, CaseIterable, Sendable {
    /// Output channel, input channel within the group, height, width.
    case kernel = "OIHW"
    /// Output, input.
    case matrix = "OI"
    /// One number for each channel.
    case vector = "C"

    /// The number of axes.
    public var rank: Int { rawValue.count }
  }
  /// What the manifest calls it.
  public let name: String
  /// The order of its axes.
  public let layout: Layout
  /// Whether a node can be without it.
  public let isOptional: Bool

  init(_ name: String, _ layout: Layout, isOptional: Bool = false) {
    self.name = name
    self.layout = layout
    self.isOptional = isOptional
  }
}

/// A setting of a kind of node: an integer, or a pair of them, vertical and horizontal.
public struct Attribute: Equatable, Sendable {
  /// What the manifest calls it.
  public let name: String
  /// 1, or 2 for a pair.
  public let count: Int
  /// What each integer may be.
  public let bounds: ClosedRange<Int>

  /// The largest value of any: fits a 32-bit integer, so that a runtime can multiply two in 64 bits.
  public static let largest = 1 << 31 - 1

  static func single(_ name: String, from least: Int) -> Attribute {
    Attribute(name: name, count: 1, bounds: least...largest)
  }

  static func pair(_ name: String, from least: Int) -> Attribute {
    Attribute(name: name, count: 2, bounds: least...largest)
  }
}
