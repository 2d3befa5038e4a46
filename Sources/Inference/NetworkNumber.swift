internal import Tensors

/// A number that networks can be computed in: `Float` or `Double`.
protocol NetworkNumber: WeightNumber {
  /// Computes `c = a b` of row-major matrices, `rows` x `depth` and `depth` x `columns`, which have so
  /// many numbers from one row to the next. Runs on the calling thread alone.
  static func multiply(
    rows: Int, columns: Int, depth: Int, _ a: UnsafePointer<Self>, _ aStride: Int,
    _ b: UnsafePointer<Self>, _ bStride: Int, into c: UnsafeMutablePointer<Self>, _ cStride: Int)
}

extension NetworkNumber {
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

// Safe: BLAS reads and writes the matrices it is given and nothing else; that they have the memory is
// the caller's to see to.
extension Float: NetworkNumber {
  static func multiply(
    rows: Int, columns: Int, depth: Int, _ a: UnsafePointer<Float>, _ aStride: Int,
    _ b: UnsafePointer<Float>, _ bStride: Int, into c: UnsafeMutablePointer<Float>, _ cStride: Int
  ) {
    unsafe BLAS.loaded.floatProduct(
      BLAS.rowMajor, BLAS.notTransposed, BLAS.notTransposed, numericCast(rows),
      numericCast(columns), numericCast(depth), 1, a, numericCast(aStride), b,
      numericCast(bStride), 0, c, numericCast(cStride))
  }
}

extension Double: NetworkNumber {
  static func multiply(
    rows: Int, columns: Int, depth: Int, _ a: UnsafePointer<Double>, _ aStride: Int,
    _ b: UnsafePointer<Double>, _ bStride: Int, into c: UnsafeMutablePointer<Double>,
    _ cStride: Int
  ) {
    unsafe BLAS.loaded.doubleProduct(
      BLAS.rowMajor, BLAS.notTransposed, BLAS.notTransposed, numericCast(rows),
      numericCast(columns), numericCast(depth), 1, a, numericCast(aStride), b,
      numericCast(bStride), 0, c, numericCast(cStride))
  }
}
