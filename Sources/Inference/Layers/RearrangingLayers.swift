internal import Graphs
internal import Tensors

extension LayerKind {
  static var concatenate: LayerKind {
    LayerKind(.concatenate) { call in
      let (inputs, output) = (call.inputs, call.result())
      unsafe output.forEachBand(call.pool) { positions, numbers in
        var target = numbers.baseAddress!
        for position in positions {
          for input in inputs {
            // Safe: the channels of an input are as many of the result's.
            unsafe target.update(from: input.position(position), count: input.channels)
            unsafe target += input.channels
          }
        }
      }
      return output
    }
  }

  /// In the order `C x H x W`.
  static var flatten: LayerKind {
    LayerKind(.flatten) { call in
      let input = call.inputs[0]
      let area = input.height * input.width
      if area == 1 { return call.changeable() }
      let output = call.result()
      unsafe call.pool.forEachTask(below: input.images) { image, _ in
        // Safe: one image, and what it becomes, which no other task works on.
        let target = unsafe output.position(image)
        for index in 0..<area {
          let source = unsafe input.position(image * area + index)
          for channel in 0..<input.channels {
            unsafe target[channel * area + index] = source[channel]
          }
        }
      }
      return output
    }
  }

  static var upsampleNearest: LayerKind {
    LayerKind(.upsampleNearest) { node in
      let factor = node.pair("factor")
      return Layer { call in
        let (input, output) = (call.inputs[0], call.result())
        // Images lie below each other, so their rows can be counted through.
        unsafe call.pool.forEachTask(below: output.images * output.height) { row, _ in
          // Safe: one row of the result, which no other task works on.
          let source = row / factor.y * input.width
          for column in 0..<output.width {
            unsafe output.position(row * output.width + column).update(
              from: input.position(source + column / factor.x), count: input.channels)
          }
        }
        return output
      }
    }
  }

  static var pixelShuffle: LayerKind {
    LayerKind(.pixelShuffle) { node in
      let factor = node.node.attribute("factor")[0]
      return Layer { call in
        let (input, output) = (call.inputs[0], call.result())
        unsafe call.pool.forEachTask(below: output.images * output.height) { row, _ in
          let (inputRow, y) = row.quotientAndRemainder(dividingBy: factor)
          for column in 0..<output.width {
            let (inputColumn, x) = column.quotientAndRemainder(dividingBy: factor)
            // Safe: one row of the result, which no other task works on.
            let source = unsafe input.position(inputRow * input.width + inputColumn)
            let target = unsafe output.position(row * output.width + column)
            for channel in 0..<output.channels {
              unsafe target[channel] = source[(channel * factor + y) * factor + x]
            }
          }
        }
        return output
      }
    }
  }
}
