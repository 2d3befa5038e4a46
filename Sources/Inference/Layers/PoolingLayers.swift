internal import Graphs
internal import Tensors

extension LayerKind {
  static var globalAveragePool: LayerKind {
    LayerKind(.globalAveragePool) { call in call.inputs[0].means(call.pool) }
  }

  static var averagePool: LayerKind {
    pooling(.averagePool) { call, window in
      call.inputs[0].means(of: window, height: call.height, width: call.width, call.pool)
    }
  }

  static var maxPool: LayerKind {
    pooling(.maxPool) { call, window in
      let output = call.result()
      unsafe window.forEachTap(of: call.inputs[0], output, call.pool, initial: -.infinity) {
        largest, tap in
        for channel in 0..<output.channels {
          // What is not a number comes through.
          if unsafe !(tap[channel] <= largest[channel]) { unsafe largest[channel] = tap[channel] }
        }
      }
      return output
    }
  }

  private static func pooling(
    _ kind: NodeKind, _ apply: @escaping @Sendable (LayerCall<Number>, Window) -> FeatureMap<Number>
  ) -> LayerKind {
    LayerKind(kind) { node in
      let (height, width) = node.pair("kernel")
      let window = Window(
        kernel: (height, width), stride: node.pair("stride"), padding: node.pair("padding"),
        dilation: (1, 1))
      return Layer { apply($0, window) }
    }
  }
}
