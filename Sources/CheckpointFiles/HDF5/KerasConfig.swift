internal import Checkpoints
internal import JSON
internal import Tensors

/// The configuration that Keras stores beside the weights of a model: JSON that says of each layer its
/// class and its parameters. It is data here; no class in it is looked up, no function made.
///
///     {"class_name": "Functional", "config": {"name": ..., "layers": [
///       {"class_name": "Conv2D", "config": {"name": "stem", "strides": [2, 2], ...},
///        "inbound_nodes": ...}, ...]}}
///
/// A layer may be a model with layers of its own. Keras before 2.2.3 has the list of layers of a
/// Sequential model in place of its configuration.
struct KerasConfig {
  struct Layer {
    /// Names of the models it is in, and its own, joined with dots.
    var path: Name
    /// `Conv2D`
    var className: String
    var config: JSONValue
    var attributes: ModuleAttributes
  }

  /// In the order of the model.
  private(set) var layers: [Layer] = []
  /// By path; the first, if two have the same.
  private var indices: [Name: Int] = [:]

  init(_ model: JSONValue) {
    if let config = model["config"] { add(config, path: "") }
    for (index, layer) in layers.enumerated() where indices[layer.path] == nil {
      indices[layer.path] = index
    }
  }

  subscript(path: Name) -> Layer? { indices[path].map { layers[$0] } }

  /// Where in the model's order the layer is, or the layer that it is a part of.
  func place(of path: Name) -> Int? {
    var path = path
    while true {
      if let index = indices[path] { return index }
      guard let outer = path.module else { return nil }
      path = outer
    }
  }

  /// What the layers say of themselves, by their paths.
  var modules: [Name: ModuleAttributes] {
    Dictionary(layers.map { ($0.path, $0.attributes) }, uniquingKeysWith: { first, _ in first })
  }

  /// What a user should know about it.
  var notes: [String] {
    let lambdas = layers.count { $0.className == "Lambda" }
    guard lambdas > 0 else { return [] }
    return [
      "\(lambdas) layer\(lambdas == 1 ? " is" : "s are") code in the configuration (Lambda), "
        + "which was not run."
    ]
  }

  /// - Parameter config: of a model.
  private mutating func add(_ config: JSONValue, path: Name) {
    let descriptions = config["layers"]?.elements ?? config.elements ?? []
    let isSequential = !descriptions.contains { $0["inbound_nodes"] != nil }
    var byName: [Name: JSONValue] = [:]
    for layer in descriptions {
      if let name = Self.name(of: layer) { byName[name] = layer }
    }
    var previous: JSONValue?
    for layer in descriptions {
      defer { previous = layer }
      guard let name = Self.name(of: layer), let className = layer["class_name"]?.string,
        let config = layer["config"]
      else { continue }
      let layerPath: Name = path.isEmpty ? name : "\(path).\(name)"
      let before = isSequential ? previous : Self.input(of: layer).flatMap { byName[$0] }
      layers.append(
        Layer(
          path: layerPath, className: className, config: config,
          attributes: Self.attributes(of: layer, config, className: className, behind: before)))
      if config["layers"] != nil || config.elements != nil { add(config, path: layerPath) }
    }
  }

  private static func name(of layer: JSONValue) -> Name? {
    (layer["config"]?["name"]?.string ?? layer["name"]?.string).map { Name($0) }
  }

  /// The name of the layer whose output a layer takes, if it takes one.
  private static func input(of layer: JSONValue) -> Name? {
    guard let node = layer["inbound_nodes"]?.elements?.first else { return nil }
    // Keras 2: [[["name", 0, 0, {}]]]
    if let inputs = node.elements {
      return inputs.count == 1 ? inputs[0].elements?.first?.string.map { Name($0) } : nil
    }
    // Keras 3: [{"args": [{"config": {"keras_history": ["name", 0, 0]}}], ...}]
    guard let arguments = node["args"]?.elements, arguments.count == 1 else { return nil }
    return arguments[0]["config"]?["keras_history"]?.elements?.first?.string.map { Name($0) }
  }

  private static func attributes(
    of layer: JSONValue, _ config: JSONValue, className: String, behind before: JSONValue?
  ) -> ModuleAttributes {
    let module = layer["module"]?.string
    var attributes = ModuleAttributes(
      className: module.map { "\($0).\(className)" }
        ?? (KerasVariables.knows(className) ? "keras.layers.\(className)" : className))
    if className.hasSuffix("BatchNormalization") { attributes.epsilon = config["epsilon"]?.number }
    guard let kernel = pair(config["kernel_size"]) else { return attributes }
    let stride = pair(config["strides"])
    let dilation = pair(config["dilation_rate"])
    attributes.stride = stride
    attributes.dilation = dilation
    // Depthwise convolutions have as many as channels, and 1 here.
    attributes.groups = className.hasPrefix("Depthwise") ? nil : config["groups"]?.integer ?? 1
    switch config["padding"]?.string {
    case "valid":
      // Where the padding has to be symmetrical, it is a layer of its own.
      if before?["class_name"]?.string == "ZeroPadding2D" {
        attributes.padding = symmetricalPadding(before?["config"]?["padding"])
      } else if before != nil {
        attributes.padding = [0, 0]
      }
    case "same" where stride == [1, 1] && kernel.allSatisfy { $0 % 2 == 1 }:
      // With other strides and kernels, one side gets more than the other.
      attributes.padding = zip(kernel, dilation ?? [1, 1]).map { ($0 - 1) / 2 * $1 }
    default: break
    }
    return attributes
  }

  private static func pair(_ value: JSONValue?) -> [Int]? {
    let numbers = value?.elements?.compactMap(\.integer)
    return numbers?.count == 2 && numbers!.allSatisfy { (1...4096).contains($0) } ? numbers : nil
  }

  /// Of `[[top, bottom], [left, right]]`: the padding if both sides get the same.
  private static func symmetricalPadding(_ value: JSONValue?) -> [Int]? {
    let sides = value?.elements?.map { $0.elements?.compactMap(\.integer) ?? [] } ?? []
    guard sides.count == 2, sides.allSatisfy({ $0.count == 2 && $0[0] == $0[1] }) else {
      return nil
    }
    return sides.map { $0[0] }
  }
}
