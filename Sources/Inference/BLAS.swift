internal import Synchronization
internal import Tensors

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
  /// Nil of another than OpenBLAS.
  private let buffers: Buffers?

  /// What OpenBLAS takes memory with, for each thread that multiplies (`driver/others/memory.c`).
  @safe private struct Buffers {
    typealias Allocate = @convention(c) (CInt) -> UnsafeMutableRawPointer?
    typealias Free = @convention(c) (UnsafeMutableRawPointer?) -> Void

    /// `BUFFER_SIZE` of its `common_x86_64.h` and `common_arm64.h`.
    static let byteCount = 32 << 22

    let allocate: Allocate
    let free: Free

    /// Takes buffers for so many threads, as far as there is memory, and leaves them to OpenBLAS.
    ///
    /// - Parameter ready: how many it has already.
    /// - Returns: how many were taken.
    func prepare(_ count: Int, ready: Int) -> Int {
      var taken = unsafe [UnsafeMutableRawPointer?]()
      for index in 0..<count where index < ready || hasMemory(for: Self.byteCount) {
        unsafe taken.append(allocate(0))
      }
      // Safe: each is its own again, and nobody has used it.
      defer { while let buffer = unsafe taken.popLast() { unsafe free(buffer) } }
      return unsafe taken.count
    }
  }

  /// Threads for which there are buffers.
  private static let readyThreads = Mutex(0)

  /// Of these threads those that can multiply at once: one at least.
  ///
  /// OpenBLAS takes memory for each when that multiplies first, and keeps it; where there is none it tries
  /// for ever. So it takes it here, as long as there is some.
  ///
  /// - Throws: `InferenceError.noMemory`.
  func threadsWithMemory(_ threads: Threads) throws(InferenceError) -> Threads {
    guard let buffers else { return threads }
    let count = BLAS.readyThreads.withLock { ready in
      let count = buffers.prepare(threads.count, ready: ready)
      ready = max(ready, count)
      return count
    }
    guard count > 0 else {
      throw .noMemory(what: "matrix products in float64", byteCount: Buffers.byteCount)
    }
    return Threads(count)
  }

  /// CblasRowMajor and CblasNoTrans.
  static let rowMajor: CInt = 101
  static let notTransposed: CInt = 111

  /// - Throws: `InferenceError.noBLAS` if there is none on this machine, `noMemory` if there is none for it.
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
    /// Of OpenBLAS and what it needs, in memory.
    private static let libraryByteCount = 48 << 20

    private static func open() -> Result<BLAS, InferenceError> {
      // This library divides the work among threads itself, above the products, so that all the rest of
      // a layer is divided as well. OpenBLAS looks here when it is loaded.
      unsafe setenv("OPENBLAS_NUM_THREADS", "1", 1)
      let variable = "OPENBLAS_CORETYPE"
      let given = unsafe getenv(variable).map { unsafe String(cString: $0) }
      if let kernels = Processor.current.openBLASCoreType(given: given) {
        unsafe setenv(variable, kernels, 1)
      }
      guard hasMemory(for: libraryByteCount) else {
        return .failure(.noMemory(what: "the library OpenBLAS", byteCount: libraryByteCount))
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
    var buffers: Buffers?
    if let allocate = unsafe dlsym(handle, "blas_memory_alloc"),
      let free = unsafe dlsym(handle, "blas_memory_free")
    {
      // Safe: the functions of these names have these types, in every version of OpenBLAS.
      buffers = unsafe Buffers(
        allocate: unsafeBitCast(allocate, to: Buffers.Allocate.self),
        free: unsafeBitCast(free, to: Buffers.Free.self))
    }
    // Safe: the function of this name has this type, in every implementation of CBLAS.
    return unsafe .success(
      BLAS(product: unsafeBitCast(product, to: Product.self), buffers: buffers))
  }

  private static func lastLoadingError() -> String {
    unsafe dlerror().map { unsafe String(cString: $0) } ?? "it lacks cblas_dgemm"
  }
}
