#if canImport(Accelerate)
  internal import Accelerate
#elseif canImport(Glibc)
  internal import Glibc
#else
  internal import Musl
#endif

/// The matrix products of a CBLAS, on the calling thread alone: of OpenBLAS, or of Accelerate on macOS.
///
/// OpenBLAS is loaded when the first network is: a program that is linked with it starts its threads
/// whatever it does, and they keep a processor busy for the first tenth of a second.
/// The interface is that of the reference implementation, <https://www.netlib.org/blas/cblas.h>.
@safe struct BLAS: Sendable {
  typealias FloatProduct =
    @convention(c) (
      CInt, CInt, CInt, CInt, CInt, CInt, Float, UnsafePointer<Float>, CInt,
      UnsafePointer<Float>, CInt, Float, UnsafeMutablePointer<Float>, CInt
    ) -> Void
  typealias DoubleProduct =
    @convention(c) (
      CInt, CInt, CInt, CInt, CInt, CInt, Double, UnsafePointer<Double>, CInt,
      UnsafePointer<Double>, CInt, Double, UnsafeMutablePointer<Double>, CInt
    ) -> Void

  let floatProduct: FloatProduct
  let doubleProduct: DoubleProduct

  /// CblasRowMajor and CblasNoTrans.
  static let rowMajor: CInt = 101
  static let notTransposed: CInt = 111

  /// - Throws: `InferenceError.noBLAS` if there is none on this machine.
  static func load() throws(InferenceError) {
    if case .failure(let error) = library { throw error }
  }

  /// - Precondition: `load` succeeded.
  static var loaded: BLAS { try! library.get() }

  private static let library: Result<BLAS, InferenceError> = open()

  #if canImport(Accelerate)
    private static func open() -> Result<BLAS, InferenceError> {
      BLASSetThreading(BLAS_THREADING_SINGLE_THREADED)
      // RTLD_DEFAULT
      return open(unsafe UnsafeMutableRawPointer(bitPattern: -2), name: "Accelerate")
    }
  #else
    private static func open() -> Result<BLAS, InferenceError> {
      // This library divides the work among threads itself, above the products, so that all the rest of
      // a layer is divided as well. OpenBLAS looks here when it is loaded.
      unsafe setenv("OPENBLAS_NUM_THREADS", "1", 1)
      let name = "libopenblas.so.0"
      return unsafe open(dlopen(name, RTLD_NOW | RTLD_LOCAL), name: name)
    }
  #endif

  private static func open(
    _ handle: UnsafeMutableRawPointer?, name: String
  ) -> Result<BLAS, InferenceError> {
    guard let handle = unsafe handle, let float = unsafe dlsym(handle, "cblas_sgemm"),
      let double = unsafe dlsym(handle, "cblas_dgemm")
    else { return .failure(.noBLAS(library: name, reason: lastLoadingError())) }
    // Safe: the names of CBLAS have these types, in every implementation.
    return unsafe .success(
      BLAS(
        floatProduct: unsafeBitCast(float, to: FloatProduct.self),
        doubleProduct: unsafeBitCast(double, to: DoubleProduct.self)))
  }

  private static func lastLoadingError() -> String {
    unsafe dlerror().map { unsafe String(cString: $0) } ?? "it lacks cblas_sgemm or cblas_dgemm"
  }
}
