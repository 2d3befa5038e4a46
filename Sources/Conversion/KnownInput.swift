public import Checkpoints
package import Graphs
internal import Naming
internal import Tensors

/// What somebody who knows says of a network's input; what is nil is left to the file or the dialect.
public struct GivenInput: Equatable, Sendable {
  /// The order of the colours.
  public var channelOrder: InputConvention.ChannelOrder?
  /// One for each channel in the order of the input, as `standardDeviation` is, in units of `scale`.
  public var mean: [Double]?
  /// As `mean`.
  public var standardDeviation: [Double]?
  /// The value of white before normalising: 1 or 255.
  public var scale: Double?
  /// Height and width in pixels.
  public var size: Int?

  public init() {}

  /// Whether nothing is given.
  public var isEmpty: Bool { self == GivenInput() }

  /// The whole convention: what is known, with what is given in its place; nil if nothing is known and
  /// not all of it is given but the size.
  public func convention(known: InputConvention?) -> InputConvention? {
    if let known { return applied(to: known) }
    guard let channelOrder, let scale, let mean, let standardDeviation else { return nil }
    return InputConvention(
      channelOrder: channelOrder, scale: scale, mean: mean, standardDeviation: standardDeviation,
      size: size)
  }

  /// The convention with what is given in its place. A mean and a deviation that are not given stay
  /// those of their colours: another order puts them into it, another scale scales them.
  public func applied(to known: InputConvention) -> InputConvention {
    var input = known
    if let channelOrder, channelOrder != known.channelOrder { input.reverseChannels() }
    if let scale, scale != known.scale {
      // To nine places, so that 0.406 of 1 is 103.53 of 255.
      func scaled(_ value: Double) -> Double {
        (value * (scale / known.scale) * 1e9).rounded() / 1e9
      }
      input.mean = input.mean.map(scaled)
      input.standardDeviation = input.standardDeviation.map(scaled)
      input.scale = scale
    }
    if let mean { input.mean = mean }
    if let standardDeviation { input.standardDeviation = standardDeviation }
    if let size { input.size = size }
    return input
  }
}

extension Graph {
  /// Height and width in pixels that images usually have: what the authors of an architecture test it at,
  /// 320 of D2se and L2pse, 256 of FastViT, 224 of all others. A network that does not take that many, as
  /// its linear layers stand right behind a map, gets the first usual size that it takes.
  ///
  /// - Parameters:
  ///   - architecture: its name or description; nil if it is not known.
  ///   - channels: of the images, if they are known.
  ///   - tensors: those that operands refer to.
  package func usualImageSize(
    of architecture: String?, channels: Int?, tensors: [TensorType]
  ) -> Int {
    let name = architecture ?? ""
    let at320 = ["RepVGG-D2se", "RepVGGplus-L2pse"]
    let usual = at320.contains(name) ? 320 : name.contains("FastViT") ? 256 : 224
    // Those of the data sets that networks are trained on.
    let sizes = [usual, 32, 28, 64, 96, 128, 160, 192, 224, 256, 288, 299, 320, 384, 448, 512]
    return sizes.first { size in
      let input = ValueShape.map(channels: channels, height: size, width: size)
      return (try? shapes(ofInput: input, tensors: tensors)) != nil
    } ?? usual
  }
}

extension InputConvention {
  /// The same input with its channels in the other order.
  mutating func reverseChannels() {
    channelOrder = channelOrder == .rgb ? .bgr : .rgb
    mean.reverse()
    standardDeviation.reverse()
  }

  /// Whether both make the same numbers of a picture, its size apart.
  func normalises(as other: InputConvention) -> Bool {
    func isNear(_ a: [Double], _ b: [Double]) -> Bool {
      zip(a, b).allSatisfy { (x, y) in (x / scale - y / other.scale).magnitude < 1e-6 }
    }
    return channelOrder == other.channelOrder && isNear(mean, other.mean)
      && isNear(standardDeviation, other.standardDeviation)
  }
}

/// How images become the input of a network, and who says so.
public struct KnownInput: Equatable, Sendable {
  /// Who can say it.
  public enum Source: String, Sendable {
    /// The options.
    case given
    /// The file itself.
    case file
    /// What is usual with the dialect of the names.
    case dialect
  }

  /// What can be known by itself.
  public enum Property: String, CaseIterable, CodingKey, Sendable {
    case channelOrder, scale, mean, standardDeviation, size
  }

  /// How images become input.
  public var convention: InputConvention
  /// Who says each; none of `size` where that is not known.
  public var sources: [Property: Source]

  /// - Parameters:
  ///   - file: what the file says, if it does.
  ///   - dialect: the dialect of its names.
  init(_ given: GivenInput, file: InputConvention?, _ dialect: Dialect) {
    self.init(given, known: file ?? dialect.input, isOfFile: file != nil)
  }

  /// Of a file whose names are of no dialect: nil if nothing is known.
  init?(_ given: GivenInput, file: InputConvention?) {
    guard let known = given.convention(known: file) else { return nil }
    self.init(given, known: known, isOfFile: file != nil)
  }

  private init(_ given: GivenInput, known: InputConvention, isOfFile: Bool) {
    convention = given.applied(to: known)
    sources = [:]
    for property in Property.allCases where property != .size || known.size != nil {
      sources[property] = isOfFile ? .file : .dialect
    }
    let isGiven: [Property: Bool] = [
      .channelOrder: given.channelOrder != nil, .scale: given.scale != nil,
      .mean: given.mean != nil, .standardDeviation: given.standardDeviation != nil,
      .size: given.size != nil,
    ]
    for (property, isGiven) in isGiven where isGiven { sources[property] = .given }
  }
}

extension KnownInput: Encodable {
  private enum CodingKeys: CodingKey {
    case sources
  }

  public func encode(to encoder: any Encoder) throws {
    try convention.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    var sources = container.nestedContainer(keyedBy: Property.self, forKey: .sources)
    for property in Property.allCases {
      try sources.encodeIfPresent(self.sources[property]?.rawValue, forKey: property)
    }
  }
}
