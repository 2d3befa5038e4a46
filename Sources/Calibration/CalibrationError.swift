public import Tensors

/// Why a network could not be calibrated.
@nonexhaustive
public enum CalibrationError: Error, Equatable, Sendable {
  /// There are too few images to tell ranges by.
  case tooFewImages(path: String, found: Int, least: Int)
  /// The images are not of the size that the network is to take.
  case otherSize(path: String, height: Int, width: Int, expected: Int)
  /// What a part of the network gives is infinite or not a number.
  case notFinite(path: String, place: String)
  /// The network has no convolution or linear layer.
  case noLayers(path: String)
  /// No layer that could be kept in float32 has this name.
  case noLayer(path: String, name: Name, nearest: [Name])
  /// The format has no place for what is to be written.
  case noPlace(path: String, format: String, what: String, known: [String])
  /// A block is not what the change asked for is made for.
  case notDeployed(path: String, reason: String)
}

extension CalibrationError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .tooFewImages(let path, let found, let least):
      "\(path): \(found) image\(found == 1 ? "" : "s") say too little about the range of values; at least \(least) are needed, and 64 are enough.\n  Name more, of all classes, that the network was trained on."
    case .otherSize(let path, let height, let width, let expected):
      "\(path): the images are \(height)x\(width), and the network is to take \(expected)x\(expected).\n  Calibrate with images of the size that it will see."
    case .notFinite(let path, let place):
      "\(path): the output of '\(place)' for these images is infinite or not a number.\n  The training run diverged, or the images are not normalised as the network expects; nothing was written."
    case .noLayers(let path):
      "\(path): the network has no convolution or linear layer.\n  There is nothing to quantise."
    case .noLayer(let path, let name, let nearest):
      "\(path): no convolution or linear layer is called '\(printable(name))'.\n  \(nearest.isEmpty ? "Name one by its block or its weight." : "Nearest: \(nearest.map(printable).joined(separator: ", ")).")"
    case .noPlace(let path, let format, let what, let known):
      "\(path): \(format) has no place for \(what).\n  Formats that do: \(known.joined(separator: ", "))."
    case .notDeployed(let path, let reason):
      "\(path): no BatchNorms can be put behind its convolutions: \(reason).\n  Name a deploy network of RepVGG's blocks."
    }
  }
}
