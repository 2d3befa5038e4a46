// How comparisons appear in reports. Every key is always there; what is not known is nil, for the
// encoder to write as null.

internal import Tensors

extension Tolerance: Encodable {
  private enum CodingKeys: CodingKey {
    case kind, amount
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    let (kind, amount): (String, Double?) =
      switch self {
      case .rounding: ("rounding", nil)
      case .ulps(let limit): ("ulps", limit)
      case .relative(let limit): ("relative", limit)
      }
    try container.encode(kind, forKey: .kind)
    try container.encodeIfPresent(amount, forKey: .amount)
  }
}

extension Difference: Encodable {
  private enum CodingKeys: CodingKey {
    case values, unequal, failing, absolute, relative, ulps
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(count, forKey: .values)
    try container.encode(unequal, forKey: .unequal)
    try container.encode(failing, forKey: .failing)
    try container.encode(largestAbsolute, forKey: .absolute)
    try container.encode(largestRelative, forKey: .relative)
    try container.encode(largestUlps, forKey: .ulps)
  }
}

extension Cause: Encodable {
  private enum CodingKeys: CodingKey {
    case kind, text, epsilon, branches, block, channels, values
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    var epsilon: Double?
    var branches: [String]?
    var block: String?
    var channels: [Int]?
    var values: [DamagedValue]?
    switch self {
    case .epsilon(let value): epsilon = value
    case .leftOut(let list), .notFolded(let list), .misplaced(let list, _, _),
      .biasNotPassed(let list), .notScaled(let list), .notDilated(let list):
      branches = list
    case .exchangedBatchNorm(let first, let second): branches = [first, second]
    case .branchOfAnother(let branch, let path): (branches, block) = ([branch], path)
    case .anotherBlock(let path): block = path
    case .channels(let list): channels = list
    case .damaged(let list): values = list
    default: break
    }
    try container.encode(kind, forKey: .kind)
    try container.encode(description, forKey: .text)
    try container.encodeIfPresent(epsilon, forKey: .epsilon)
    try container.encodeIfPresent(branches, forKey: .branches)
    try container.encodeIfPresent(block, forKey: .block)
    try container.encodeIfPresent(channels, forKey: .channels)
    try container.encodeIfPresent(values, forKey: .values)
  }
}

extension Cause.DamagedValue: Encodable {
  private enum CodingKeys: CodingKey {
    case part, index, expected, found, flippedBit
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(part.rawValue, forKey: .part)
    try container.encode(indices, forKey: .index)
    try container.encode(expected, forKey: .expected)
    try container.encode(found, forKey: .found)
    try container.encodeIfPresent(flippedBit, forKey: .flippedBit)
  }
}

extension BlockComparison.Grade: Encodable {
  /// What reports call it.
  public var name: String {
    switch self {
    case .exact: "exact"
    case .rounded: "float32 rounding"
    case .tolerated: "within tolerance"
    case .different: "different"
    }
  }

  public func encode(to encoder: any Encoder) throws { try name.encode(to: encoder) }
}

extension BlockComparison: Encodable {
  private enum CodingKeys: CodingKey {
    case block, weight, bias, dtype, shape, grade, difference, cause
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(path, forKey: .block)
    try container.encode(weightName, forKey: .weight)
    try container.encode(biasName, forKey: .bias)
    try container.encode(elementType, forKey: .dtype)
    try container.encode(shape, forKey: .shape)
    try container.encode(grade, forKey: .grade)
    try container.encodeIfPresent(difference, forKey: .difference)
    try container.encodeIfPresent(cause, forKey: .cause)
  }
}

extension TensorComparison.Relation: Encodable {
  /// What reports call it.
  public var name: String {
    switch self {
    case .same: "same"
    case .cast, .castBack: "cast"
    case .tolerated: "within tolerance"
    case .different: "different"
    case .incomparable: "incomparable"
    }
  }

  public func encode(to encoder: any Encoder) throws { try name.encode(to: encoder) }
}

extension TensorComparison: Encodable {
  private enum CodingKeys: CodingKey {
    case name, otherName, dtype, otherDtype, shape, otherShape, relation, difference, cause
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(name, forKey: .name)
    try container.encode(otherName, forKey: .otherName)
    try container.encode(elementType, forKey: .dtype)
    try container.encode(otherType, forKey: .otherDtype)
    try container.encode(shape, forKey: .shape)
    try container.encode(otherShape, forKey: .otherShape)
    try container.encode(relation, forKey: .relation)
    try container.encodeIfPresent(difference, forKey: .difference)
    try container.encodeIfPresent(cause, forKey: .cause)
  }
}

extension CopyComparison: Encodable {
  private enum CodingKeys: CodingKey {
    case same, renamed, onlyInFirst, onlyInSecond, trainingOnly, tensors
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(holds, forKey: .same)
    try container.encode(renamed, forKey: .renamed)
    try container.encode(onlyInFirst, forKey: .onlyInFirst)
    try container.encode(onlyInSecond, forKey: .onlyInSecond)
    try container.encode(unneeded.sorted(), forKey: .trainingOnly)
    try container.encode(tensors, forKey: .tensors)
  }
}

extension Verification.Missing: Encodable {
  private enum CodingKeys: CodingKey {
    case what, names
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(what, forKey: .what)
    try container.encode(names, forKey: .names)
  }
}

extension Verification: Encodable {
  private enum CodingKeys: CodingKey {
    case same, grade, blocks, tensors, missing, unexpected, blocksWithBranches
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(holds, forKey: .same)
    try container.encode(grade, forKey: .grade)
    try container.encode(blocks, forKey: .blocks)
    try container.encode(tensors, forKey: .tensors)
    try container.encode(missing, forKey: .missing)
    try container.encode(unexpected, forKey: .unexpected)
    try container.encode(blocksWithBranches, forKey: .blocksWithBranches)
  }
}

extension TensorHealth: Encodable {
  private enum CodingKeys: CodingKey {
    case name, dtype, shape, nan, infinite, zeros, zeroRows, smallest, largest, smallestMagnitude
    case infiniteInFloat16, zeroInFloat16
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    /// A count, of what was measured.
    func encode(_ count: Int, forKey key: CodingKeys) throws {
      try container.encodeIfPresent(isMeasured ? count : nil, forKey: key)
    }
    try container.encode(name, forKey: .name)
    try container.encode(elementType, forKey: .dtype)
    try container.encode(shape, forKey: .shape)
    try encode(nans, forKey: .nan)
    try encode(infinities, forKey: .infinite)
    try encode(zeros, forKey: .zeros)
    try encode(zeroRows.count, forKey: .zeroRows)
    try container.encodeIfPresent(smallest, forKey: .smallest)
    try container.encodeIfPresent(largest, forKey: .largest)
    try container.encodeIfPresent(smallestMagnitude, forKey: .smallestMagnitude)
    try encode(overflowingHalf, forKey: .infiniteInFloat16)
    try encode(vanishingHalf, forKey: .zeroInFloat16)
  }
}
