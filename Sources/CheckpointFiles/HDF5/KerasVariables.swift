internal import JSON
internal import Tensors

/// The variables of Keras' layers in the order in which they are saved: those that training changes
/// first.
///
/// Keras 3 saves them by number. Which they are follows from the class and the configuration, and where
/// these are not known from the shapes, if they leave no doubt.
enum KerasVariables {
  private struct Class {
    var name: String
    /// In the names of groups.
    var snakeCase: Name
    /// At most these; without a bias, all but the last.
    var variables: [Name]
  }

  private static let classes = [
    Class(name: "Conv1D", snakeCase: "conv1d", variables: ["kernel", "bias"]),
    Class(name: "Conv2D", snakeCase: "conv2d", variables: ["kernel", "bias"]),
    Class(name: "Conv3D", snakeCase: "conv3d", variables: ["kernel", "bias"]),
    Class(name: "Conv2DTranspose", snakeCase: "conv2d_transpose", variables: ["kernel", "bias"]),
    Class(name: "DepthwiseConv2D", snakeCase: "depthwise_conv2d", variables: ["kernel", "bias"]),
    Class(
      name: "SeparableConv2D", snakeCase: "separable_conv2d",
      variables: ["depthwise_kernel", "pointwise_kernel", "bias"]),
    Class(name: "Dense", snakeCase: "dense", variables: ["kernel", "bias"]),
    Class(name: "PReLU", snakeCase: "p_re_lu", variables: ["alpha"]),
    Class(name: "Embedding", snakeCase: "embedding", variables: ["embeddings"]),
    Class(
      name: "BatchNormalization", snakeCase: "batch_normalization",
      variables: ["gamma", "beta", "moving_mean", "moving_variance"]),
  ]

  static func knows(_ className: String) -> Bool { classes.contains { $0.name == className } }

  /// The class that the name of a group in a list stands for: `batch_normalization_12`.
  static func className(ofGroup name: Name) -> String? {
    classes.first { $0.snakeCase == stem(of: name) }?.name
  }

  /// A name without the number that makes it unique.
  static func stem(of name: Name) -> Name {
    guard let cut = name.utf8.lastIndex(of: UInt8(ascii: "_")),
      Int(name.text[name.utf8.index(after: cut)...]) != nil
    else { return name }
    return Name(name.text[..<cut])
  }

  /// The names of the variables of a layer; nil if they cannot be told.
  ///
  /// - Parameters:
  ///   - className: nil if it is not known.
  ///   - config: nil if it is not known.
  static func names(className: String?, config: JSONValue?, shapes: [Shape]) -> [Name]? {
    guard let className else { return names(shapes: shapes) }
    if className == "BatchNormalization" { return batchNormalization(config, shapes) }
    guard let all = classes.first(where: { $0.name == className })?.variables else { return nil }
    if shapes.count == all.count { return all }
    return shapes.count == all.count - 1 && all.last == "bias" ? all.dropLast() : nil
  }

  private static func batchNormalization(_ config: JSONValue?, _ shapes: [Shape]) -> [Name]? {
    guard Set(shapes).count == 1, shapes[0].rank == 1 else { return nil }
    var names: [Name] = ["gamma", "beta", "moving_mean", "moving_variance"]
    if let config {
      if config["center"]?.bool == false { names.remove(at: 1) }
      if config["scale"]?.bool == false { names.remove(at: 0) }
    } else if shapes.count == 2 {
      names.removeFirst(2)
    }
    return names.count == shapes.count ? names : nil
  }

  private static func names(shapes: [Shape]) -> [Name]? {
    let ranks = shapes.map(\.rank)
    if ranks == [1, 1, 1, 1] && Set(shapes).count == 1 { return batchNormalization(nil, shapes) }
    guard let kernel = ranks.first, kernel >= 2 else { return nil }
    if ranks.count == 1 { return ["kernel"] }
    return ranks.count == 2 && ranks[1] == 1 ? ["kernel", "bias"] : nil
  }
}
