internal import Tensors

/// A number that networks can be computed in: `Float` or `Double`.
protocol NetworkNumber: WeightNumber {
  /// c = alpha a b + beta c, of matrices of this type: order, whether `a` and `b` are transposed, rows,
  /// columns, depth, alpha, a, its stride, b, its stride, beta, c, its stride.
  typealias Product = (
    CInt, CInt, CInt, CInt, CInt, CInt, Self, UnsafePointer<Self>, CInt, UnsafePointer<Self>, CInt,
    Self, UnsafeMutablePointer<Self>, CInt
  ) -> Void

  /// That of CBLAS.
  static var product: Product { get }
}

extension Float: NetworkNumber {
  static var product: Product { unsafe BLAS.loaded.floatProduct }
}

extension Double: NetworkNumber {
  static var product: Product { unsafe BLAS.loaded.doubleProduct }
}

extension NetworkNumber {
  /// Computes `c = a b` of row-major matrices, `rows` x `depth` and `depth` x `columns`, which have so
  /// many numbers from one row to the next. Runs on the calling thread alone.
  static func multiply(
    rows: Int, columns: Int, depth: Int, _ a: UnsafePointer<Self>, _ aStride: Int,
    _ b: UnsafePointer<Self>, _ bStride: Int, into c: UnsafeMutablePointer<Self>, _ cStride: Int
  ) {
    // Safe: BLAS reads and writes the matrices it is given and nothing else; that they have the memory is
    // the caller's to see to.
    unsafe product(
      BLAS.rowMajor, BLAS.notTransposed, BLAS.notTransposed, numericCast(rows),
      numericCast(columns), numericCast(depth), 1, a, numericCast(aStride), b,
      numericCast(bStride), 0, c, numericCast(cStride))
  }

  /// Zero if it is negative; NaN stays NaN.
  @inline(__always)
  var rectified: Self {
    // Written so that it becomes a selection, not a jump: loops over it are some 50 times faster.
    var result = self
    if self < 0 { result = 0 }
    return result
  }
}

/// The largest size that BLAS takes: it counts in 32 bits.
let largestMatrixSize = Int(Int32.max)
