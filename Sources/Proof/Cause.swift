public import Blocks
internal import Checkpoints
internal import Naming
public import Tensors

/// Why a tensor is not what it should be, as far as its values tell.
///
/// A cause is named only if it explains every value of a block, kernel and bias, within rounding.
@nonexhaustive
public enum Cause: Equatable, Sendable {
  /// Another BatchNorm epsilon was used.
  case epsilon(Double)
  /// Branches, by the names of their layers, as below.
  case leftOut([String])
  /// Smaller kernels stand at this row and column of the large one, not in its middle.
  case misplaced([String], row: Int, column: Int)
  /// The identity of a grouped convolution was built as if there were no groups.
  case identityWithoutGroups
  /// One branch is that of another block.
  case branchOfAnother(String, block: Name)
  /// The whole convolution is that of another block.
  case anotherBlock(Name)
  /// Each of two branches has the BatchNorm of the other.
  case exchangedBatchNorm(String, String)
  /// Layers went in without their BatchNorm.
  case notFolded([String])
  /// BatchNorm was folded in without this parameter.
  case ignored(Part)
  /// What the bias of a first convolution becomes in the second is not there, as if the second were
  /// padded with zeros.
  case biasNotPassed([String])
  /// Layers went in without their factors.
  case notScaled([String])
  /// Layers went in without the numbers that are added to them.
  case notShifted([String])
  /// Kernels went in with their taps side by side.
  case notDilated([String])
  /// The bias is zero everywhere.
  case noBias
  /// The right values stand in another order.
  case rearranged(Arrangement)
  /// The stored type is wider than what the values were once rounded to.
  case rounded(to: ElementType)
  /// Not further off than arithmetic in this type would be.
  case arithmetic(ElementType)
  /// Not further off than rounding the training file's values to this type, which it has, would be.
  case trainedIn(ElementType)
  /// A few values only.
  case damaged([DamagedValue])
  /// All that is wrong is in these output channels, few of many.
  case channels([Int])
  /// A value is infinite or no number; the first.
  case notFinite(Difference.Site)
  /// Every weight is zero.
  case allZero
  /// The shape is another, so that values cannot be compared.
  case otherShape(expected: Shape, found: Shape)
  /// The type is another, and not one of weights.
  case otherType(expected: ElementType, found: ElementType)

  /// How values can be in another order.
  public enum Arrangement: String, Sendable {
    /// Input channels in reverse order, as between RGB and BGR.
    case reversedInput
    /// Height and width exchanged.
    case transposedTaps
    /// Turned by 180 degrees: a convolution in the sense of mathematics.
    case rotatedTaps
    /// Input and output channels exchanged.
    case exchangedChannels
    /// In the order of TensorFlow, whatever the shape says.
    case heightWidthInputOutput
    /// Of a matrix: rows and columns exchanged.
    case transposed
  }

  /// A value that stands alone, with its index in each axis.
  public struct DamagedValue: Equatable, Sendable {
    /// Which tensor of a block it is in.
    public enum Part: String, Sendable {
      case weight, bias
      /// A tensor that is not part of a block's convolution.
      case value
    }
    /// Which tensor of a block it is in.
    public var part: Part
    /// One for each axis.
    public var indices: [Int]
    /// What it should be, rounded to the tensor's type.
    public var expected: Double
    /// What it is.
    public var found: Double
    /// The bit by which the two float32 numbers differ, if it is one only; bit 0 is the least.
    public var flippedBit: Int?
  }
}

extension Cause {
  /// Few values, one by one; nil if they are too many for that.
  static func damage(_ difference: Difference, of shape: Shape) -> Cause? {
    let values = damagedValues(difference, .value, of: shape)
    return values.isEmpty ? nil : .damaged(values)
  }

  /// - Returns: nothing if there are more than are worth a list, or most of the tensor is wrong.
  static func damagedValues(
    _ difference: Difference, _ part: DamagedValue.Part, of shape: Shape
  ) -> [DamagedValue] {
    guard difference.failing > 0, difference.failing <= Difference.siteLimit,
      difference.failing * 4 <= difference.count || difference.failing == 1
    else { return [] }
    return difference.firstFailing.map { site in
      let indices = zip(shape.rowMajorStrides, shape.dimensions).map { site.index / $0 % $1 }
      return DamagedValue(
        part: part, indices: indices, expected: site.expected, found: site.found,
        flippedBit: flippedBit(site))
    }
  }

  private static func flippedBit(_ site: Difference.Site) -> Int? {
    let (a, b) = (Float(site.expected), Float(site.found))
    guard Double(a) == site.expected, Double(b) == site.found || site.found.isNaN else {
      return nil
    }
    let bits = a.bitPattern ^ b.bitPattern
    return bits.nonzeroBitCount == 1 ? bits.trailingZeroBitCount : nil
  }

  /// For scripts.
  public var kind: String {
    switch self {
    case .epsilon: "epsilon"
    case .leftOut: "branch left out"
    case .misplaced: "kernel misplaced"
    case .identityWithoutGroups: "identity without groups"
    case .branchOfAnother: "branch of another block"
    case .anotherBlock: "another block"
    case .exchangedBatchNorm: "BatchNorm exchanged"
    case .notFolded: "BatchNorm not folded"
    case .ignored: "BatchNorm parameter ignored"
    case .biasNotPassed: "bias not passed on"
    case .notScaled: "factors left out"
    case .notShifted: "added numbers left out"
    case .notDilated: "not dilated"
    case .noBias: "no bias"
    case .rearranged(let arrangement):
      switch arrangement {
      case .reversedInput: "input channels reversed"
      case .transposedTaps: "height and width exchanged"
      case .rotatedTaps: "kernel rotated"
      case .exchangedChannels: "input and output exchanged"
      case .heightWidthInputOutput: "HWIO order"
      case .transposed: "transposed"
      }
    case .rounded: "rounded"
    case .arithmetic: "coarse arithmetic"
    case .trainedIn: "coarse training file"
    case .damaged: "damaged values"
    case .channels: "output channels"
    case .notFinite: "not finite"
    case .allZero: "all zero"
    case .otherShape: "shape"
    case .otherType: "type"
    }
  }
}

extension Cause: CustomStringConvertible {
  /// What seems to have happened, for the middle of a line.
  public var description: String {
    func list(_ branches: [String]) -> String {
      branches.joined(separator: " and ") + (branches.count == 1 ? " branch" : " branches")
    }
    switch self {
    case .epsilon(let epsilon): return "fused with epsilon \(epsilon)"
    case .leftOut(let branches): return "without the \(list(branches))"
    case .misplaced(let branches, let row, let column):
      return
        "the \(list(branches)) placed at row \(row), column \(column) of the kernel, not in its middle"
    case .identityWithoutGroups:
      return "the identity branch built as if the convolution had no groups"
    case .branchOfAnother(let branch, let block):
      return "with the \(branch) branch of '\(printable(block))'"
    case .anotherBlock(let block): return "it is the convolution of '\(printable(block))'"
    case .exchangedBatchNorm(let a, let b):
      return "BatchNorm of the \(a) and the \(b) branch exchanged"
    case .notFolded(let branches): return "BatchNorm of the \(list(branches)) not folded in"
    case .ignored(let part):
      let name =
        switch part {
        case .gamma: "gamma (weight)"
        case .beta: "beta (bias)"
        case .runningMean: "running mean"
        case .runningVariance: "running variance"
        default: part.rawValue
        }
      return "BatchNorm folded in without its \(name)"
    case .biasNotPassed(let branches):
      return "in the \(list(branches)), the first convolution's bias not passed through the second"
    case .notScaled(let branches): return "the \(list(branches)) without factors"
    case .notShifted(let branches): return "the \(list(branches)) without what is added"
    case .notDilated(let branches): return "the \(list(branches)) without dilation"
    case .noBias: return "the bias left out"
    case .rearranged(let arrangement):
      switch arrangement {
      case .reversedInput: return "input channels in reverse order (RGB and BGR)"
      case .transposedTaps: return "height and width of the kernel exchanged"
      case .rotatedTaps: return "the kernel turned by 180 degrees"
      case .exchangedChannels: return "input and output channels exchanged"
      case .heightWidthInputOutput: return "the values are in the order HWIO, not OIHW"
      case .transposed: return "rows and columns exchanged"
      }
    case .rounded(let type):
      return "the values were rounded to \(type.rawValue) before they were stored"
    case .arithmetic(let type): return "no further off than arithmetic in \(type.rawValue) would be"
    case .trainedIn(let type):
      return
        "no further off than the \(type.rawValue) of the training file: it may have been fused from a finer copy"
    case .damaged(let values):
      let first = values[0]
      func short(_ value: Double) -> String { "\(Float(value))" }
      let place =
        "\(first.part.rawValue) [\(first.indices.map(String.init).joined(separator: ","))]"
      let bit = first.flippedBit.map { ", bit \($0) flipped" } ?? ""
      return values.count == 1
        ? "a single value: \(place) is \(short(first.found)), not \(short(first.expected))\(bit)"
        : "\(values.count) values only: the first, \(place), is \(short(first.found)), not \(short(first.expected))\(bit)"
    case .channels(let channels):
      return "only output channel\(channels.count == 1 ? "" : "s") "
        + channels.map(String.init).joined(separator: ", ")
    case .notFinite(let site): return "value \(site.index) is \(site.found)"
    case .allZero: return "all of it is zero"
    case .otherShape(let expected, let found): return "its shape is \(found), not \(expected)"
    case .otherType(let expected, let found):
      return "its type is \(found.rawValue), not \(expected.rawValue)"
    }
  }
}
