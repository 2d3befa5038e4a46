internal import CKernels

/// What a processor says of itself by CPUID, and which of its registers the operating system saves.
///
/// Everything here is zero where there is no such instruction. The bits are those of Intel's manual, volume
/// 2A, CPUID, and volume 1, 13.3; AMD's are the same.
struct Processor: Equatable, Sendable {
  /// `GenuineIntel`, `AuthenticAMD`.
  var vendor = ""
  /// ECX of leaf 1 and EBX of leaf 7.
  var leaf1: UInt32 = 0
  var leaf7: UInt32 = 0
  /// XCR0, as XGETBV gives it.
  var savedRegisters: UInt64 = 0

  /// Which of the kernels in `CKernels` a processor runs.
  enum Kernels: Sendable { case plain, avx2, avx512 }

  var kernels: Kernels { hasAVX512 ? .avx512 : hasAVX2 ? .avx2 : .plain }

  /// AVX2 and FMA, their registers saved.
  var hasAVX2: Bool {
    let (fma, avx2) = (UInt32(1) << 12, UInt32(1) << 5)
    // XMM and the upper half of YMM.
    let saved: UInt64 = 0b110
    return leaf1 & fma != 0 && leaf7 & avx2 != 0 && savedRegisters & saved == saved
  }

  /// AVX-512 F, DQ, CD, BW and VL, as Skylake-X first had them, their registers saved.
  var hasAVX512: Bool {
    let features: UInt32 = 1 << 16 | 1 << 17 | 1 << 28 | 1 << 30 | 1 << 31
    // Beside the former the masks, the upper half of ZMM0 to 15, and ZMM16 to 31.
    let saved: UInt64 = 0b1110_0110
    return hasAVX2 && leaf7 & features == features && savedRegisters & saved == saved
  }

  /// The kernels that OpenBLAS is to be told to use, by its environment variable `OPENBLAS_CORETYPE`; nil
  /// where its own choice, or the user's, is left alone.
  ///
  /// OpenBLAS knows processors by their family and model. It takes the kernels of Haswell for those of AMD that
  /// it has not heard of, as that of family 26 (github.com/OpenMathLib/OpenBLAS, issue 6029), though they have
  /// AVX-512. Intel's it knows.
  ///
  /// - Parameter given: what the variable is set to; nil if it is not.
  func openBLASCoreType(given: String?) -> String? {
    given == nil && vendor != "GenuineIntel" && hasAVX512 ? "SKYLAKEX" : nil
  }

  /// The one that this runs on.
  static let current = Processor(asking: ())

  private init(asking: Void) {
    func registers(_ leaf: UInt32) -> [UInt32]? {
      var registers = [UInt32](repeating: 0, count: 4)
      // Safe: four are written.
      return unsafe ckernels_cpuid(leaf, 0, &registers) ? registers : nil
    }
    guard let first = registers(0) else { return }
    let characters = [first[1], first[3], first[2]].flatMap { word in
      (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
    }
    vendor = String(decoding: characters, as: UTF8.self)
    leaf1 = registers(1)?[2] ?? 0
    leaf7 = registers(7)?[1] ?? 0
    savedRegisters = ckernels_xcr0()
  }

  init(vendor: String = "", leaf1: UInt32 = 0, leaf7: UInt32 = 0, savedRegisters: UInt64 = 0) {
    (self.vendor, self.leaf1, self.leaf7) = (vendor, leaf1, leaf7)
    self.savedRegisters = savedRegisters
  }
}
