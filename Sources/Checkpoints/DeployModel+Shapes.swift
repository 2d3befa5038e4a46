package import Graphs
package import Tensors

extension DeployModel {
  /// The shapes of all values of its graph, for formats that say how a network computes.
  ///
  /// - Parameters:
  ///   - size: height and width of the images.
  ///   - format: with its article: `an ONNX file`.
  ///   - path: of the file to be written.
  /// - Throws: `WriteError.cannotExpress` if there is no graph, if it does not fit its tensors or the size of
  ///   the images, if the number of channels is not known, or if two tensors have one name.
  package func shapes(
    ofImages size: (height: Int, width: Int), for format: String, path: String
  ) throws(WriteError) -> [ValueShape] {
    func refuse(_ what: String, _ remedy: String) -> WriteError {
      .cannotExpress(path: path, what: what, remedy: remedy)
    }
    try tensors.requireUniqueNames(path: path)
    guard let graph = description.graph else {
      throw refuse(
        "\(format) says how tensors are used, which is not known for these",
        "Write another format.")
    }
    let shapes: [ValueShape]
    do throws(GraphProblem) {
      shapes = try graph.shapes(
        ofInput: .map(
          channels: description.input?.mean.count, height: size.height, width: size.width),
        tensors: tensors.map {
          TensorType($0.elementType, $0.shape, hasScales: $0.scales != nil)
        })
    } catch {
      throw refuse(
        "the network does not take images of \(size.height)x\(size.width): \(error)",
        "Choose a size that it takes.")
    }
    guard shapes[0].channels != nil else {
      throw refuse(
        "how many channels the images have is not known",
        "Say what the network expects as input.")
    }
    return shapes
  }

  /// The one type that a network computes in: that of all tensors that the graph uses, of int8 weights the
  /// type of their scales; float32 if there are none.
  ///
  /// - Parameter runtime: whose networks compute in one: `ONNX`.
  /// - Throws: `WriteError.cannotExpress` if they are several.
  package func commonType(for runtime: String, path: String) throws(WriteError) -> ElementType {
    let used = Set(description.graph!.nodes.flatMap(\.operands).compactMap(\.self))
    let types = Set(used.map { tensors[$0].scales == nil ? tensors[$0].elementType : .float32 })
    guard types.count <= 1 else {
      throw .cannotExpress(
        path: path,
        what:
          "its tensors are \(types.map(\.rawValue).sorted().joined(separator: " and ")), and a network of \(runtime) computes in one type",
        remedy: "Choose one type for all of them, such as float32.")
    }
    return types.first ?? .float32
  }
}
