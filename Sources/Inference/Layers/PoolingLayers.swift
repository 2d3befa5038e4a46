internal import Graphs
internal import Tensors

extension LayerKind {
  static var globalAveragePool: LayerKind {
    LayerKind(.globalAveragePool) { _ in GlobalAveragePool<Number>() }
  }

  static var averagePool: LayerKind {
    LayerKind(.averagePool) { node in AveragePool<Number>(window: Window(pooling: node)) }
  }

  static var maxPool: LayerKind {
    LayerKind(.maxPool) { node in MaxPool<Number>(window: Window(pooling: node)) }
  }
}

extension Window {
  fileprivate init<Number>(pooling node: NodeParameters<Number>) {
    let kernel = node.pair("kernel")
    self.init(
      kernel: (kernel.y, kernel.x), stride: node.pair("stride"), padding: node.pair("padding"),
      dilation: (1, 1))
  }
}

private struct GlobalAveragePool<Number: NetworkNumber>: Layer {
  func apply(_ call: LayerCall<Number>) -> FeatureMap<Number> { call.inputs[0].means(call.pool) }
}

private struct AveragePool<Number: NetworkNumber>: Layer {
  var window: Window

  func apply(_ call: LayerCall<Number>) -> FeatureMap<Number> {
    call.inputs[0].means(of: window, height: call.height, width: call.width, call.pool)
  }
}

private struct MaxPool<Number: NetworkNumber>: Layer {
  var window: Window

  func apply(_ call: LayerCall<Number>) -> FeatureMap<Number> {
    let output = call.result()
    unsafe window.forEachTap(of: call.inputs[0], output, call.pool, initial: -.infinity) {
      largest, tap, inside, stride in
      for column in inside {
        let number = unsafe tap[column * stride]
        // What is not a number comes through.
        if unsafe !(number <= largest[column]) { unsafe largest[column] = number }
      }
    }
    return output
  }
}
