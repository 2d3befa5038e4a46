// How comparisons appear in reports. Every key is always there; what is not known is nil, for the
// encoder to write as null.

internal import Tensors

extension Tolerance: Encodable {
  public func encode(to encoder: any Encoder) throws {
    let (kind, amount): (String, Double?) =
      switch self {
      case .rounding: ("rounding", nil)
      case .ulps(let limit): ("ulps", limit)
      case .relative(let limit): ("relative", limit)
      }
    try encoder.encode(members: ["kind": kind, "amount": amount])
  }
}

extension Difference: Encodable {
  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: [
      "values": count, "unequal": unequal, "failing": failing, "absolute": largestAbsolute,
      "relative": largestRelative, "ulps": largestUlps,
    ])
  }
}

extension Cause: Encodable {
  public func encode(to encoder: any Encoder) throws {
    var epsilon: Double?
    var branches: [String]?
    var block: Name?
    var channels: [Int]?
    var values: [DamagedValue]?
    switch self {
    case .epsilon(let value): epsilon = value
    case .leftOut(let list), .notFolded(let list), .misplaced(let list, _, _),
      .biasNotPassed(let list), .notScaled(let list), .notShifted(let list),
      .notDilated(let list):
      branches = list
    case .exchangedBatchNorm(let first, let second): branches = [first, second]
    case .branchOfAnother(let branch, let path): (branches, block) = ([branch], path)
    case .anotherBlock(let path): block = path
    case .channels(let list): channels = list
    case .damaged(let list): values = list
    default: break
    }
    try encoder.encode(members: [
      "kind": kind, "text": description, "epsilon": epsilon, "branches": branches, "block": block,
      "channels": channels, "values": values,
    ])
  }
}

extension Cause.DamagedValue: Encodable {
  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: [
      "part": part.rawValue, "index": indices, "expected": expected, "found": found,
      "flippedBit": flippedBit,
    ])
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
  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: [
      "block": path, "weight": weightName, "bias": biasName, "dtype": elementType, "shape": shape,
      "grade": grade, "difference": difference, "cause": cause,
    ])
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
  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: [
      "name": name, "otherName": otherName, "dtype": elementType, "otherDtype": otherType,
      "shape": shape, "otherShape": otherShape, "relation": relation, "difference": difference,
      "cause": cause,
    ])
  }
}

extension CopyComparison: Encodable {
  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: [
      "same": holds, "renamed": renamed, "onlyInFirst": onlyInFirst, "onlyInSecond": onlyInSecond,
      "trainingOnly": unneeded.sorted(), "tensors": tensors,
    ])
  }
}

extension Verification.Missing: Encodable {
  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: ["what": what, "names": names])
  }
}

extension Verification: Encodable {
  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: [
      "same": holds, "grade": grade, "blocks": blocks, "tensors": tensors, "missing": missing,
      "unexpected": unexpected, "blocksWithBranches": blocksWithBranches,
    ])
  }
}

extension TensorHealth: Encodable {
  public func encode(to encoder: any Encoder) throws {
    /// A count, of what was measured.
    func measured(_ count: Int) -> Int? { isMeasured ? count : nil }
    try encoder.encode(members: [
      "name": name, "dtype": elementType, "shape": shape, "nan": measured(nans),
      "infinite": measured(infinities), "zeros": measured(zeros),
      "zeroRows": measured(zeroRows.count), "smallest": smallest, "largest": largest,
      "smallestMagnitude": smallestMagnitude,
      "infiniteInFloat16": measured(overflowingHalf),
      "zeroInFloat16": measured(vanishingHalf),
    ])
  }
}
