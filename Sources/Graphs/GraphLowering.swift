package import Tensors

/// A graph on its way to a runtime's words, and the node of it that is being put into them: what the rows of
/// the runtime's table of operations are made of.
package protocol GraphLowering {
  /// What the runtime knows a value by.
  associatedtype Value

  /// Those that the graph's operands are indices into.
  var tensors: [OutputTensor] { get }
  /// Of all values of the graph, the input's first.
  var shapes: [ValueShape] { get }
  /// The values so far, the input's first: those before the node's.
  var values: [Value] { get }
  var node: Graph.Node { get }
}

extension GraphLowering {
  /// The value that the node takes.
  package var input: Value { inputs[0] }

  /// All of them.
  package var inputs: [Value] { node.inputs.map { values[$0] } }

  package var inputShape: ValueShape { shapes[node.inputs[0]] }

  /// Of the node's result.
  package var resultShape: ValueShape { shapes[values.count] }

  /// Whether the node takes N x C x H x W, not N x C.
  package var takesMap: Bool {
    if case .map = inputShape { true } else { false }
  }

  /// An attribute of the node that is a pair or a single number.
  package func attribute(_ name: String) -> [Int] { node.attribute(name) }

  /// The sizes of a kernel or matrix.
  package func shape(_ operand: String) -> Shape { tensors[node.operand(operand)!].shape }
}

/// A row of a runtime's table of operations: what a kind of node becomes.
package protocol LoweringRow: Sendable {
  var kind: NodeKind { get }
}

/// Rows by the kind of node.
package struct LoweringTable<Row: LoweringRow>: Sendable {
  private let rows: [NodeKind: Row]

  /// - Precondition: the rows are of different kinds.
  package init(_ rows: [Row]) {
    self.rows = Dictionary(uniqueKeysWithValues: rows.map { ($0.kind, $0) })
  }

  /// - Precondition: there is a row of the kind, as of all.
  package subscript(kind: NodeKind) -> Row {
    guard let row = rows[kind] else { preconditionFailure("no \(Row.self) for \(kind)") }
    return row
  }
}
