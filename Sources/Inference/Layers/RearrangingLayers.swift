internal import Graphs
internal import Tensors

extension LayerKind {
  static var concatenate: LayerKind { LayerKind(.concatenate) { _ in Concatenation<Number>() } }
  static var flatten: LayerKind { LayerKind(.flatten) { _ in Flattening<Number>() } }

  static var upsampleNearest: LayerKind {
    LayerKind(.upsampleNearest) { node in Upsampling<Number>(factor: node.pair("factor")) }
  }

  static var pixelShuffle: LayerKind {
    LayerKind(.pixelShuffle) { node in
      PixelShuffle<Number>(factor: node.node.attribute("factor")[0])
    }
  }
}

private struct Concatenation<Number: NetworkNumber>: Layer {
  func apply(_ call: LayerCall<Number>) -> FeatureMap<Number> {
    let output = call.result()
    let sources = call.inputs.flatMap { input in (0..<input.channels).map { (input, $0) } }
    unsafe call.pool.forEachTask(below: sources.count) { channel, _ in
      let (input, source) = sources[channel]
      // Safe: one channel of both, which no other task works on.
      unsafe output.plane(channel).update(from: input.plane(source), count: output.columns)
    }
    return output
  }
}

private struct Flattening<Number: NetworkNumber>: Layer {
  func apply(_ call: LayerCall<Number>) -> FeatureMap<Number> {
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

private struct Upsampling<Number: NetworkNumber>: Layer {
  var factor: (y: Int, x: Int)

  func apply(_ call: LayerCall<Number>) -> FeatureMap<Number> {
    let (input, output) = (call.inputs[0], call.result())
    unsafe call.pool.forEachTask(below: output.channels) { channel, _ in
      // Safe: one channel of both, which no other task works on.
      let (source, target) = unsafe (input.plane(channel), output.plane(channel))
      // Images lie below each other, so their rows can be counted through.
      for row in 0..<output.images * output.height {
        let (from, to) = unsafe (
          source + row / factor.y * input.width, target + row * output.width
        )
        for column in 0..<output.width { unsafe to[column] = from[column / factor.x] }
      }
    }
    return output
  }
}

private struct PixelShuffle<Number: NetworkNumber>: Layer {
  var factor: Int

  func apply(_ call: LayerCall<Number>) -> FeatureMap<Number> {
    let (input, output) = (call.inputs[0], call.result())
    unsafe call.pool.forEachTask(below: output.channels) { channel, _ in
      // Safe: one channel of the result, which no other task works on.
      let target = unsafe output.plane(channel)
      for row in 0..<output.images * output.height {
        let (inputRow, y) = row.quotientAndRemainder(dividingBy: factor)
        for x in 0..<factor {
          let source = unsafe input.plane((channel * factor + y) * factor + x)
          for column in 0..<input.width {
            unsafe target[row * output.width + column * factor + x] =
              source[inputRow * input.width + column]
          }
        }
      }
    }
    return output
  }
}
