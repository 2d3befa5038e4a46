#if canImport(Accelerate)
  internal import Accelerate
#elseif canImport(Glibc)
  internal import Glibc
#else
  internal import Musl
#endif

/// The matrix product in float64 of a CBLAS, on the calling thread alone: of OpenBLAS, or of Accelerate on
/// macOS.
///
/// OpenBLAS is loaded when the first network in float64 is: a program that is linked with it starts its
/// threads whatever it does, and they keep a processor busy for the first tenth of a second.
/// The interface is that of the reference implementation, <https://www.netlib.org/blas/cblas.h>.
@safe struct BLAS: Sendable {
  typealias Product =
    @convention(c) (
      CInt, CInt, CInt, CInt, CInt, CInt, Double, UnsafePointer<Double>, CInt,
      UnsafePointer<Double>, CInt, Double, UnsafeMutablePointer<Double>, CInt
    ) -> Void

  let product: Product

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
      let variable = "OPENBLAS_CORETYPE"
      let given = unsafe getenv(variable).map { unsafe String(cString: $0) }
      if let kernels = Processor.current.openBLASCoreType(given: given) {
        unsafe setenv(variable, kernels, 1)
      }
      let name = "libopenblas.so.0"
      return unsafe open(dlopen(name, RTLD_NOW | RTLD_LOCAL), name: name)
    }
  #endif

  private static func open(
    _ handle: UnsafeMutableRawPointer?, name: String
  ) -> Result<BLAS, InferenceError> {
    guard let handle = unsafe handle, let product = unsafe dlsym(handle, "cblas_dgemm")
    else { return .failure(.noBLAS(library: name, reason: lastLoadingError())) }
    // Safe: the function of this name has this type, in every implementation of CBLAS.
    return unsafe .success(BLAS(product: unsafeBitCast(product, to: Product.self)))
  }

  private static func lastLoadingError() -> String {
    unsafe dlerror().map { unsafe String(cString: $0) } ?? "it lacks cblas_dgemm"
  }
}
