internal import Graphs
internal import Tensors

extension LayerKind {
  static var concatenate: LayerKind {
    LayerKind(.concatenate) { call in
      let output = call.result()
      let sources = call.inputs.flatMap { input in (0..<input.channels).map { (input, $0) } }
      unsafe output.forEachChannel(call.pool) { channel, numbers in
        let (input, source) = sources[channel]
        unsafe numbers.baseAddress!.update(from: input.plane(source), count: numbers.count)
      }
      return output
    }
  }

  static var flatten: LayerKind {
    LayerKind(.flatten) { call in
      let input = call.inputs[0]
      let area = input.height * input.width
      if area == 1 { return call.changeable() }
      let output = call.result()
      unsafe call.pool.forEachTask(below: input.channels) { channel, _ in
        // Safe: one channel of the input, and what it becomes, which no other task works on.
        let (source, target) = unsafe (input.plane(channel), output.plane(channel * area))
        for image in 0..<input.images {
          for index in 0..<area {
            unsafe target[index * input.images + image] = source[image * area + index]
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
        unsafe output.forEachChannel(call.pool) { channel, numbers in
          // Images lie below each other, so their rows can be counted through.
          for row in 0..<output.images * output.height {
            // Safe: one row of each, in its channel.
            let from = unsafe input.plane(channel) + row / factor.y * input.width
            let to = unsafe numbers.baseAddress! + row * output.width
            for column in 0..<output.width { unsafe to[column] = from[column / factor.x] }
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
        unsafe output.forEachChannel(call.pool) { channel, numbers in
          for row in 0..<output.images * output.height {
            let (inputRow, y) = row.quotientAndRemainder(dividingBy: factor)
            for x in 0..<factor {
              let source = unsafe input.plane((channel * factor + y) * factor + x)
              for column in 0..<input.width {
                unsafe numbers[row * output.width + column * factor + x] =
                  source[inputRow * input.width + column]
              }
            }
          }
        }
        return output
      }
    }
  }
}
