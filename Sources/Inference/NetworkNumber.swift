internal import CKernels
internal import Tensors

/// A number that networks can be computed in: `Float` or `Double`.
protocol NetworkNumber: WeightNumber {
  /// Of these threads those that there is memory for, beside that of the layers.
  static func threadsWithMemory(_ threads: Threads) throws(InferenceError) -> Threads

  /// How wide the next panel of a `Factor` is that has so many columns left.
  static func panelWidth(columnsLeft: Int) -> Int

  /// Computes some columns of `c = a b`, plus a bias, and with a ReLU behind, on the calling thread alone.
  static func multiply(_ product: Product<Self>)

  /// Computes a row of a depthwise convolution, as `ckernels.sweep` does.
  static func sweep(
    _ sweep: ckernels_sweep, _ window: UnsafePointer<Self>, weights: UnsafePointer<Self>,
    bias: UnsafePointer<Self>, into result: UnsafeMutablePointer<Self>)

  /// A way to compute a convolution with fewer multiplications than its definition has; nil if there is none
  /// for it in these numbers.
  static func shortcut(for shape: ConvolutionShape, weights: [Self]) -> ConvolutionMethod<Self>?
}

/// A matrix product: some columns of `c = a b`, row-major but for `b`.
@safe struct Product<Number: NetworkNumber> {
  var rows, depth: Int
  /// Of `c`; begin with a panel of `b`.
  var columns: Range<Int>
  /// Numbers lie in rows, so far apart.
  var a: UnsafePointer<Number>
  var aStride: Int
  /// All panels, of `width` columns.
  var b: UnsafePointer<Number>
  var width: Int
  /// Where column 0 is.
  var c: UnsafeMutablePointer<Number>
  var cStride: Int
  /// One number for each column of `b`; nil for none.
  var bias: UnsafePointer<Number>?
  /// Whether what is negative becomes zero.
  var hasReLU: Bool
}

extension Float: NetworkNumber {
  static func threadsWithMemory(_ threads: Threads) -> Threads { threads }

  /// Those of this processor.
  static let kernels: ckernels = {
    // Safe: tables that are there for good; of an instruction set that the processor has, there is one.
    switch Processor.current.kernels {
    case .plain: unsafe ckernels_plain().pointee
    case .avx2: unsafe ckernels_avx2().pointee
    case .avx512: unsafe ckernels_avx512().pointee
    }
  }()

  static func panelWidth(columnsLeft: Int) -> Int {
    columnsLeft > kernels.panel / 2 ? kernels.panel : kernels.panel / 2
  }

  static func multiply(_ p: Product<Float>) {
    // Safe: the kernel reads and writes the matrices it is given and nothing else; that they have the memory
    // is the caller's to see to.
    unsafe kernels.product(
      p.rows, p.columns.count, p.depth, p.a, p.aStride, p.b + p.columns.lowerBound * p.depth,
      p.c + p.columns.lowerBound, p.cStride, p.bias.map { unsafe $0 + p.columns.lowerBound },
      p.hasReLU)
  }

  static func sweep(
    _ sweep: ckernels_sweep, _ window: UnsafePointer<Float>, weights: UnsafePointer<Float>,
    bias: UnsafePointer<Float>, into result: UnsafeMutablePointer<Float>
  ) {
    // Safe: as above.
    unsafe withUnsafePointer(to: sweep) {
      unsafe kernels.sweep($0, window, weights, bias, result)
    }
  }

  static func shortcut(
    for shape: ConvolutionShape, weights: [Float]
  ) -> ConvolutionMethod<Float>? {
    guard let winograd = WinogradConvolution(shape, weights: weights) else { return nil }
    return { winograd.apply($0, into: $1, $2, $3) }
  }
}

extension Double: NetworkNumber {
  static func threadsWithMemory(_ threads: Threads) throws(InferenceError) -> Threads {
    try BLAS.loaded.threadsWithMemory(threads)
  }

  /// One panel of all columns.
  static func panelWidth(columnsLeft: Int) -> Int { columnsLeft }

  static func multiply(_ p: Product<Double>) {
    // Safe: BLAS reads and writes the matrices it is given and nothing else; that they have the memory is
    // the caller's to see to.
    let c = unsafe p.c + p.columns.lowerBound
    unsafe BLAS.loaded.product(
      BLAS.rowMajor, BLAS.notTransposed, BLAS.notTransposed, numericCast(p.rows),
      numericCast(p.columns.count), numericCast(p.depth), 1, p.a, numericCast(p.aStride),
      p.b + p.columns.lowerBound, numericCast(p.width), 0, c, numericCast(p.cStride))
    guard unsafe p.bias != nil || p.hasReLU else { return }
    for row in 0..<p.rows {
      let numbers = unsafe c + row * p.cStride
      for column in 0..<p.columns.count {
        let number = unsafe numbers[column] + (p.bias?[p.columns.lowerBound + column] ?? 0)
        unsafe numbers[column] = p.hasReLU ? number.rectified : number
      }
    }
  }

  static func sweep(
    _ sweep: ckernels_sweep, _ window: UnsafePointer<Double>, weights: UnsafePointer<Double>,
    bias: UnsafePointer<Double>, into result: UnsafeMutablePointer<Double>
  ) {
    // Safe: the caller sees to it that there are whole blocks.
    func block(_ numbers: UnsafePointer<Double>) -> SIMD16<Double> {
      unsafe UnsafeRawPointer(numbers).loadUnaligned(as: SIMD16<Double>.self)
    }
    for position in 0..<sweep.count {
      var sums = unsafe block(bias)
      for y in 0..<sweep.height {
        for x in 0..<sweep.width {
          let seen = position * sweep.step + y * sweep.tap_y + x * sweep.tap_x
          unsafe sums += block(weights + (y * sweep.width + x) * 16) * block(window + seen)
        }
      }
      for channel in 0..<sweep.channels {
        unsafe result[position * sweep.stride + channel] =
          sweep.rectifies ? sums[channel].rectified : sums[channel]
      }
    }
  }

  /// None: what is computed in float64 is what the rest is compared with.
  static func shortcut(
    for shape: ConvolutionShape, weights: [Double]
  ) -> ConvolutionMethod<Double>? { nil }
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
