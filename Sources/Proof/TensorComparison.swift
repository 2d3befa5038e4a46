internal import Naming
public import Tensors

/// How a tensor that should be a copy of another compares with it.
public struct TensorComparison: Sendable {
  /// What the two tensors are to each other.
  public enum Relation: Equatable, Sendable {
    /// The same type and the same bits.
    case same
    /// Every value is the nearest that the other type has.
    case cast
    /// Every value of the first is the nearest that its type has to the other's.
    case castBack
    /// The tolerance that was asked for covers the differences.
    case tolerated
    /// Values differ by more.
    case different
    /// Other shapes, or types of which neither is a weight's.
    case incomparable
  }

  /// What it is called in either file.
  public var name, otherName: Name
  /// In either file.
  public var shape, otherShape: Shape
  /// In either file.
  public var elementType, otherType: ElementType
  /// What they are to each other.
  public var relation: Relation
  /// Of the second from the first; nil if they are no numbers that can be subtracted.
  public var difference: Difference?
  /// Why they differ, if that can be told.
  public var cause: Cause?

  /// Whether the second can stand for the first.
  public var isAlike: Bool { relation < .different }
}

extension TensorComparison.Relation: Comparable {
  /// From alike to not alike at all.
  var rank: Int {
    switch self {
    case .same: 0
    case .cast: 1
    case .castBack: 2
    case .tolerated: 3
    case .different: 4
    case .incomparable: 5
    }
  }

  public static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }
}

/// A tensor and what a file calls it.
struct Named: Sendable {
  var name: Name
  var tensor: Tensor
}

extension Named {
  init(_ parameter: Parameter) {
    self.init(name: parameter.originalName, tensor: parameter.tensor)
  }
}

extension TensorComparison {
  /// Elements that are compared at a time.
  private static let pieceLength = 1 << 16

  /// Compares two tensors value by value: `other` should be `first`, cast to its type.
  init(_ first: Named, _ other: Named, tolerance: Tolerance) throws(ReadError) {
    let (a, b) = (first.tensor, other.tensor)
    name = first.name
    otherName = other.name
    shape = a.shape
    otherShape = b.shape
    elementType = a.elementType
    otherType = b.elementType
    relation = .incomparable
    difference = nil
    cause = nil
    guard shape == otherShape else {
      if shape.rank == 2, otherShape.dimensions == shape.dimensions.reversed(), !b.isReshaped,
        a.isWeight, b.isWeight,
        try Self.difference(a, b.transposed([1, 0])).unequal == 0
      {
        cause = .rearranged(.transposed)
      } else {
        cause = .otherShape(expected: shape, found: otherShape)
      }
      return
    }
    if elementType == otherType, a.scales == b.scales, try Self.haveEqualBytes(a, b) {
      relation = .same
      return
    }
    guard let from = Precision(of: a), let to = Precision(of: b) else {
      relation = elementType == otherType ? .different : .incomparable
      if elementType != otherType { cause = .otherType(expected: elementType, found: otherType) }
      return
    }
    let difference = try Self.difference(a, b)
    self.difference = difference
    if difference.unequal == 0, elementType != otherType || a.scales != b.scales {
      relation = .cast
    } else if tolerance != .rounding, difference.isWithin(tolerance) {
      relation = .tolerated
    } else {
      relation = .different
      cause = try Self.cause(a, b, from, to, difference)
    }
  }

  private static func forEachPiece(
    _ shape: Shape, _ body: (Range<Int>) throws(ReadError) -> Bool
  ) throws(ReadError) {
    var next = 0
    while next < shape.elementCount {
      let end = min(next + pieceLength, shape.elementCount)
      guard try body(next..<end) else { return }
      next = end
    }
  }

  private static func haveEqualBytes(_ a: Tensor, _ b: Tensor) throws(ReadError) -> Bool {
    let size = a.elementType.byteCount
    var (left, right): ([UInt8], [UInt8]) = ([], [])
    var areEqual = true
    try forEachPiece(a.shape) { (range) throws(ReadError) in
      if left.count != range.count * size {
        left = [UInt8](repeating: 0, count: range.count * size)
        right = left
      }
      try unsafe left.withMutableBytes { (bytes) throws(ReadError) in
        try unsafe a.read(range, into: bytes)
      }
      try unsafe right.withMutableBytes { (bytes) throws(ReadError) in
        try unsafe b.read(range, into: bytes)
      }
      areEqual = left == right
      return areEqual
    }
    return areEqual
  }

  /// How `b` differs from `a` cast to its type. Zeros of another sign and NaNs with other bits differ,
  /// by nothing.
  private static func difference(_ a: Tensor, _ b: Tensor) throws(ReadError) -> Difference {
    var precision = Precision(of: b)!
    let isCast = a.elementType != b.elementType || a.scales != b.scales
    var result = Difference()
    var (left, right): ([Double], [Double]) = ([], [])
    try forEachPiece(a.shape) { (range) throws(ReadError) in
      if left.count < range.count {
        left = [Double](repeating: 0, count: range.count)
        right = left
      }
      try a.readNumbers(range, into: &left)
      try b.readNumbers(range, into: &right)
      for (position, index) in range.enumerated() {
        if b.scales != nil { precision = Precision(of: b, at: index)! }
        let (expected, found) = (precision.rounded(left[position]), right[position])
        result.count += 1
        if expected.isFinite { result.scale = max(result.scale, expected.magnitude) }
        if expected.bitPattern == found.bitPattern { continue }
        if expected.isNaN, found.isNaN, a.elementType != b.elementType { continue }
        let ulp = precision.ulp(of: expected.isFinite ? expected : found)
        // Of two that are equally near, either: what was rounded may have been finer than this.
        if isCast, expected.isFinite, (found - left[position]).magnitude <= ulp / 2 { continue }
        result.add(index, expected: expected, found: found, ulp: ulp, allowed: 0)
      }
      return true
    }
    return result
  }

  private static func cause(
    _ a: Tensor, _ b: Tensor, _ from: Precision, _ to: Precision, _ difference: Difference
  ) throws(ReadError) -> Cause? {
    if let first = difference.firstFailing.first(where: {
      !$0.found.isFinite && $0.expected.isFinite
    }) {
      return .notFinite(first)
    }
    // A kernel that takes an image.
    if a.shape.rank == 4, a.shape[1] == 3, !b.isReshaped,
      try Self.difference(a, b.flipped(axis: 1)).unequal == 0
    {
      return .rearranged(.reversedInput)
    }
    for type in [ElementType.float16, .bfloat16]
    where type.byteCount < b.elementType.byteCount && type.byteCount < a.elementType.byteCount {
      let coarse = Precision(type)!
      var fits = true
      try forEachPiece(a.shape) { (range) throws(ReadError) in
        var left = [Double](repeating: 0, count: range.count)
        var right = left
        try a.readNumbers(range, into: &left)
        try b.readNumbers(range, into: &right)
        fits = zip(left, right).allSatisfy { coarse.rounded($0) == $1 }
        return fits
      }
      if fits { return .rounded(to: type) }
    }
    return .damage(difference, of: a.shape)
  }
}
