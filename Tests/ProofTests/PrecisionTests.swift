import Proof
import Tensors
import TestSupport
import Testing

@Suite struct PrecisionTests {
  static let types: [ElementType] = [.float64, .float32, .float16, .bfloat16]

  @Test func `weights come in four types`() {
    #expect(ElementType.allCases.filter { Precision($0) != nil } == Self.types)
  }

  @Test func `every half is its own nearest, and the middle between two goes to the even one`() {
    let precision = Precision(.float16)!
    for bits in UInt16(0)..<0x7C00 {
      let value = Double(Float(halfBits: bits))
      #expect(precision.rounded(value) == value && precision.rounded(-value) == -value)
      let next = bits + 1 == 0x7C00 ? 65536 : Double(Float(halfBits: bits + 1))
      #expect(precision.ulp(of: value) == next - value)
      let middle = precision.rounded((value + next) / 2)
      let even = bits % 2 == 0 ? value : next == 65536 ? .infinity : next
      #expect(middle == even, "\(bits)")
    }
    #expect(precision.rounded(65519.9) == 65504 && precision.rounded(65520) == .infinity)
    #expect(precision.rounded(-1e300) == -.infinity && precision.rounded(.infinity) == .infinity)
    #expect(precision.rounded(.nan).isNaN)
    #expect(precision.rounded(-1e-30).sign == .minus)
  }

  @Test func `bfloat16 is the upper half of float32`() {
    let precision = Precision(.bfloat16)!
    var random = SeededGenerator(seed: 5)
    for _ in 0..<100_000 {
      let bits = UInt32.random(in: 0..<0x7F80_0000, using: &random)
      let upper = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000
      let value = Double(Float(bitPattern: bits))
      #expect(precision.rounded(value) == Double(Float(bitPattern: upper)), "\(bits)")
    }
  }

  @Test func `units agree with the standard library's`() {
    var random = SeededGenerator(seed: 6)
    for _ in 0..<10_000 {
      let bits = UInt32.random(in: 0..<0x7F80_0000, using: &random)
      let value = Float(bitPattern: bits)
      #expect(Precision(.float32)!.ulp(of: Double(value)) == Double(value.ulp))
    }
    for value in [1, 1.5, 1e300, 0x1p-1070, 0, -2.5] {
      #expect(Precision(.float64)!.ulp(of: value) == value.magnitude.ulp)
    }
    for type in Self.types { #expect(Precision(type)!.ulp(of: .infinity) == .infinity) }
  }
}
