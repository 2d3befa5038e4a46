/// Where a parameter stands in a block: in which layer, and what it is there.
///
///     ParameterAddress("dense", .weight)     // the kernel of RepVGG's 3x3 branch
///     ParameterAddress("conv.2", .gamma)     // of the third of MobileOne's convolutions
public struct ParameterAddress: Hashable, Sendable {
  /// The layer that it is a parameter of.
  public var layer: LayerAddress
  /// What it is there.
  public var part: Part

  public init(_ layer: LayerAddress, _ part: Part) {
    self.layer = layer
    self.part = part
  }

  /// The deploy convolution's `[O, I/groups, height, width]` and `[O]`.
  public static func fused(_ part: Part) -> ParameterAddress { .init(.fused, part) }
}

/// A layer of a block by its family's name for it, and its number where there are several alike.
public struct LayerAddress: Hashable, Sendable {
  /// Its family's name for it: `dense`.
  public var name: String
  /// Which of several alike: a count from 0, or what else tells them apart; none of a layer that there is
  /// once.
  public var numbers: [Int]

  public init(_ name: String, numbers: [Int] = []) {
    self.name = name
    self.numbers = numbers
  }

  /// - Parameter index: which of several that are counted.
  public init(_ name: String, index: Int?) {
    self.init(name, numbers: index.map { [$0] } ?? [])
  }
}

extension LayerAddress: ExpressibleByStringLiteral, CustomStringConvertible {
  /// From `dense` or `conv.2`.
  public init(stringLiteral text: String) {
    if let dot = text.utf8.firstIndex(of: UInt8(ascii: ".")) {
      let numbers = text[text.utf8.index(after: dot)...].split(separator: ".")
      self.init(String(text[..<dot]), numbers: numbers.compactMap { Int($0) })
    } else {
      self.init(text)
    }
  }

  /// `dense`, `conv.2`.
  public var description: String { numbers.reduce(name) { "\($0).\($1)" } }
}

extension LayerAddress: Comparable {
  /// By number; layers of other names in the order of the names.
  public static func < (a: LayerAddress, b: LayerAddress) -> Bool {
    a.name == b.name ? a.numbers.lexicographicallyPrecedes(b.numbers) : a.name < b.name
  }
}

/// What a parameter is in its layer.
public enum Part: String, CaseIterable, Codable, Sendable {
  /// Of a convolution, OIHW: `[O, I/groups, height, width]`; of a linear layer `[out, in]`.
  case weight
  /// `[O]`.
  case bias
  /// Of BatchNorm, as are the following: its weight, `[C]`.
  case gamma
  /// Its bias, `[C]`.
  case beta
  case runningMean, runningVariance
  /// PyTorch's step counter; not part of the network's function.
  case batchesTracked
  /// Of a layer that is nothing but a parameter, such as a factor: of the shape its family says.
  case value

  /// Those of a convolution or a linear layer.
  public static let ofConvolution: [Part] = [.weight, .bias]
  /// Those of BatchNorm.
  public static let ofBatchNorm: [Part] = [
    .gamma, .beta, .runningMean, .runningVariance, .batchesTracked,
  ]

  /// Whether an optimiser changes it: all but what BatchNorm counts and averages.
  public var isTrainable: Bool {
    switch self {
    case .weight, .bias, .gamma, .beta, .value: true
    case .runningMean, .runningVariance, .batchesTracked: false
    }
  }
}

// MARK: Layers that blocks of any family may have

extension LayerAddress {
  /// The deploy convolution.
  public static let fused = LayerAddress("fused")

  /// The layer of Squeeze-and-Excitation that makes fewer channels of many.
  public static func squeeze(_ placement: Placement) -> LayerAddress {
    LayerAddress("squeeze \(placement.rawValue)")
  }

  /// The layer of Squeeze-and-Excitation that makes a factor for each channel.
  public static func excite(_ placement: Placement) -> LayerAddress {
    LayerAddress("excite \(placement.rawValue)")
  }
}

/// Where Squeeze-and-Excitation stands in a block.
public enum Placement: String, CaseIterable, Codable, Sendable {
  /// Between the sum of the branches and the activation.
  case beforeActivation = "before"
  /// After the activation, as in RepVGGplus.
  case afterActivation = "after"
}
