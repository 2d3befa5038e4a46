/// The sizes of a tensor's axes, outermost first; empty for a scalar.
public struct Shape: Hashable, Sendable, CustomStringConvertible, ExpressibleByArrayLiteral {
  /// The size of each axis, outermost first; none of a scalar.
  public let dimensions: [Int]
  /// The product of the sizes: 1 for a scalar, 0 if any size is.
  public let elementCount: Int

  /// The largest number of axes accepted; NumPy's limit, and PyTorch's.
  public static let maximumRank = 64

  /// Returns nil if a size is negative, there are more than `maximumRank` axes, or the number of
  /// elements does not fit an `Int`.
  public init?(checking dimensions: [Int]) {
    guard dimensions.count <= Shape.maximumRank, dimensions.allSatisfy({ $0 >= 0 }) else {
      return nil
    }
    var count = 1
    if dimensions.contains(0) {
      count = 0
    } else {
      for size in dimensions {
        let (product, overflow) = count.multipliedReportingOverflow(by: size)
        if overflow { return nil }
        count = product
      }
    }
    self.dimensions = dimensions
    self.elementCount = count
  }

  /// A shape known to be valid. Sizes from a file go through `init(checking:)`.
  public init(_ dimensions: [Int]) {
    guard let shape = Shape(checking: dimensions) else {
      preconditionFailure("not a shape: \(dimensions)")
    }
    self = shape
  }

  public init(arrayLiteral sizes: Int...) {
    self.init(sizes)
  }

  /// The number of axes.
  public var rank: Int { dimensions.count }

  public subscript(axis: Int) -> Int { dimensions[axis] }

  /// The strides, in elements, of row-major (C) order.
  public var rowMajorStrides: [Int] {
    var strides = [Int](repeating: 1, count: rank)
    var next = 1
    for axis in dimensions.indices.reversed() {
      strides[axis] = next
      next = next &* Swift.max(dimensions[axis], 1)
    }
    return strides
  }

  /// The strides, in elements, of column-major (Fortran) order.
  public var columnMajorStrides: [Int] {
    Shape(dimensions.reversed()).rowMajorStrides.reversed()
  }

  /// `64x3x3x3`, or `scalar`.
  public var description: String {
    dimensions.isEmpty ? "scalar" : dimensions.map(String.init).joined(separator: "x")
  }
}
