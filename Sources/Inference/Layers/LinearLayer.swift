internal import Graphs
internal import Tensors

extension LayerKind {
  /// Over columns of numbers. Of a block that has branches, those instead, as kernels of one pixel.
  static var linear: LayerKind {
    LayerKind(.linear) { node in
      let weight = node.node.operand("weight")!
      if case .branch(let branch) = node.parameters.sources[weight] {
        let trained = try TrainedBranch<Number>(
          branch, inputs: node.shape("weight")[1], stride: (1, 1), padding: (0, 0))
        return Layer { trained.apply($0.inputs[0], $0.pool) }
      }
      let (outputs, inputs) = (node.shape("weight")[0], node.shape("weight")[1])
      let (weights, bias) = (try node.numbers("weight"), try node.numbers(ifPresent: "bias"))
      return Layer { call in
        let (input, output) = (call.inputs[0], call.result())
        // Enough rows for a product to be efficient.
        let rowsPerTask = 256
        unsafe call.pool.forEachTask(below: (outputs + rowsPerTask - 1) / rowsPerTask) { task, _ in
          let rows = task * rowsPerTask..<min((task + 1) * rowsPerTask, outputs)
          // Safe: the rows of the result that no other task works on.
          unsafe weights.withUnsafeBufferPointer { weights in
            unsafe Number.multiply(
              rows: rows.count, columns: input.columns, depth: inputs,
              weights.baseAddress! + rows.lowerBound * inputs, inputs, input.plane(0),
              input.columns, into: output.plane(rows.lowerBound), input.columns)
          }
          guard let bias else { return }
          for row in rows {
            let numbers = unsafe output.plane(row)
            for column in 0..<input.columns { unsafe numbers[column] += bias[row] }
          }
        }
        return output
      }
    }
  }
}
