public import Tensors

/// What a network in deploy form computes: nodes in an order in which they can be computed, each taking
/// results of those before it.
///
///     var graph = Graph()
///     let sum = graph.convolution(
///       Graph.input, weight: 0, bias: 1, stride: [2, 2], padding: [1, 1], block: "stage0")
///     let stem = graph.append(.relu, sum, block: "stage0")
///     let pooled = graph.append(.globalAveragePool, stem)
///     graph.linear(graph.append(.flatten, pooled), weight: 2, bias: 3)
///
/// Value 0 is the network's input; value k + 1 is the result of `nodes[k]`. The result of the last node
/// is the network's. Parameters are indices into a list of tensors that belongs to the graph: a graph
/// knows no names.
public struct Graph: Equatable, Sendable {
  /// What computes one value.
  public struct Node: Equatable, Sendable {
    /// The row of the table of operations.
    public var kind: NodeKind
    /// Values, each the input or of an earlier node.
    public var inputs: [Int]
    /// Indices into the model's list of tensors, one for each of `kind.operands`; nil where an optional
    /// one is absent.
    public var operands: [Int?]
    /// One for each of `kind.attributes`.
    public var attributes: [[Int]]
    /// What is added to a variance; finite and greater than 0 if the kind has one, else nil.
    public var epsilon: Double?
    /// The path of the block it belongs to (`stage1.0`): for people; nothing depends on it.
    public var block: Name?

    /// A node of any kind; nothing is checked before `Graph.shapes`.
    public init(
      _ kind: NodeKind, inputs: [Int], operands: [Int?] = [], attributes: [[Int]] = [],
      epsilon: Double? = nil, block: Name? = nil
    ) {
      self.kind = kind
      self.inputs = inputs
      self.operands = operands
      self.attributes = attributes
      self.epsilon = epsilon
      self.block = block
    }

    /// The tensor that an operand of this name is; nil where it is absent.
    ///
    /// - Precondition: the kind has such an operand, and the node as many as its kind.
    public func operand(_ name: String) -> Int? {
      operands[kind.operands.firstIndex { $0.name == name }!]
    }

    /// The tensors of its kernel or matrix, if it has one.
    public var weightOperands: [Int] {
      zip(kind.operands, operands).compactMap { $0.layout == .vector ? nil : $1 }
    }

    /// The value of the attribute of this name.
    ///
    /// - Precondition: the kind has such an attribute, and the node as many as its kind.
    public func attribute(_ name: String) -> [Int] {
      attributes[kind.attributes.firstIndex { $0.name == name }!]
    }
  }

  /// Node `k` gives the value `k + 1`.
  public var nodes: [Node]

  public init(_ nodes: [Node] = []) {
    self.nodes = nodes
  }

  /// The network's input, as a value.
  public static let input = 0

  /// The value that the network gives.
  public var result: Int { nodes.count }

  /// Paths of the blocks, each once, in the order in which they first appear.
  public var blocks: [Name] {
    var seen: Set<Name> = []
    return nodes.compactMap(\.block).filter { seen.insert($0).inserted }
  }

  /// Appends a node of any kind.
  ///
  /// - Returns: its value.
  @discardableResult
  public mutating func append(
    _ kind: NodeKind, _ inputs: Int..., operands: [Int?] = [], attributes: [[Int]] = [],
    block: Name? = nil
  ) -> Int {
    append(
      Node(kind, inputs: inputs, operands: operands, attributes: attributes, block: block))
  }

  /// Appends a node.
  ///
  /// - Returns: its value.
  @discardableResult
  public mutating func append(_ node: Node) -> Int {
    nodes.append(node)
    return result
  }

  /// The same graph for tensors in another order.
  ///
  /// - Parameter place: the new index of a tensor; nil if it is not there any more.
  /// - Returns: nil if a tensor that the graph uses is not there any more.
  public func renumbered(_ place: (Int) -> Int?) -> Graph? {
    var graph = self
    for node in nodes.indices {
      for case (let operand, let tensor?) in nodes[node].operands.enumerated() {
        guard let place = place(tensor) else { return nil }
        graph.nodes[node].operands[operand] = place
      }
    }
    return graph
  }
}
