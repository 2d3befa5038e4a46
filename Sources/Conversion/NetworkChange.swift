package import Checkpoints
package import Graphs
package import Reparameterization
package import Tensors

/// A deploy network that is known as a whole, on its way to a file.
package struct DeployNetwork {
  package var graph: Graph
  /// Those that its operands are indices into, and others behind them.
  package var tensors: [DeployTensor]
  /// Of the tensors, in the output.
  package var names: [Name]
  /// What it expects as input; nil where it is not known.
  package var input: InputConvention?
}

/// What becomes of a network's tensors before they are written: of the same shapes, in the same order.
package struct ChangedNetwork {
  package var tensors: [DeployTensor]
  /// How it computes in int8, if it does and the format has a place for it.
  package var integers: IntegerArithmetic?
  /// How biases make up for weights in steps, as `Provenance` says it; nil if they do not.
  package var biasCorrection: String?

  package init(
    tensors: [DeployTensor], integers: IntegerArithmetic? = nil, biasCorrection: String? = nil
  ) {
    (self.tensors, self.integers, self.biasCorrection) = (tensors, integers, biasCorrection)
  }
}

package typealias NetworkChange = (DeployNetwork) throws -> ChangedNetwork

extension OutputFormat {
  /// - Throws: `ConversionError.noSteps` if it has no place for weights in steps.
  func requireSteps(path: String) throws(ConversionError) {
    guard hasSteps else {
      throw .noSteps(
        path: path, format: title,
        known: OutputFormat.all.filter(\.hasSteps).map(\.fileExtension))
    }
  }
}
