/// The shape of a value of a graph, for each image. Sizes that are not known are nil.
public enum ValueShape: Equatable, Sendable {
  /// `N x C x H x W`.
  case map(channels: Int?, height: Int?, width: Int?)
  /// `N x C`.
  case vector(channels: Int?)

  /// Nil where they are not known.
  public var channels: Int? {
    switch self {
    case .map(let channels, _, _), .vector(let channels): channels
    }
  }

  /// `C`, `H`, `W`, or `C` alone.
  var sizes: [Int?] {
    switch self {
    case .map(let channels, let height, let width): [channels, height, width]
    case .vector(let channels): [channels]
    }
  }

  /// - Precondition: it is a map, of a size that is known.
  package var mapSizes: (channels: Int, height: Int, width: Int) {
    guard case .map(let channels?, let height?, let width?) = self else {
      preconditionFailure("\(self) is no map of a size that is known")
    }
    return (channels, height, width)
  }

  /// The largest size there can be: exact as a double, and so far from the end of `Int` that paddings
  /// can be added.
  static let largestSize = 1 << 53 - 1
}

extension ValueShape: CustomStringConvertible {
  /// `N x 64 x 7 x 7`; sizes that are not known are letters.
  public var description: String {
    (["N"] + zip(["C", "H", "W"], sizes).map { $1.map(String.init) ?? $0 }).joined(separator: " x ")
  }
}
