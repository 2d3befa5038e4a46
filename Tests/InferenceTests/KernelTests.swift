import CKernels
import Foundation
import TestSupport
import Testing

@testable import Inference

/// The kernels in C, of every instruction set that this machine has.
@Suite struct KernelTests {
  enum Kind: String, CaseIterable, Sendable {
    case plain, avx2, avx512

    /// Nil if this processor does not run them.
    var kernels: ckernels? {
      let processor = Processor.current
      return switch self {
      case .plain: unsafe ckernels_plain().pointee
      case .avx2: processor.hasAVX2 ? unsafe ckernels_avx2()?.pointee : nil
      case .avx512: processor.hasAVX512 ? unsafe ckernels_avx512()?.pointee : nil
      }
    }
  }

  struct Size: Sendable {
    var rows, columns, depth: Int
  }

  @Test(
    arguments: Kind.allCases,
    [
      Size(rows: 1, columns: 1, depth: 1), Size(rows: 15, columns: 33, depth: 7),
      Size(rows: 13, columns: 16, depth: 256), Size(rows: 130, columns: 47, depth: 300),
      Size(rows: 3, columns: 100, depth: 600), Size(rows: 2, columns: 5, depth: 0),
    ])
  func `a product is what its definition says, with bias and ReLU`(
    kind: Kind, size: Size
  ) throws {
    guard let kernels = kind.kernels else { return }
    var random = SeededGenerator(seed: 7)
    func numbers(_ count: Int) -> [Float] {
      (0..<count).map { _ in Float.random(in: -1...1, using: &random) }
    }
    let (a, b) = (numbers(size.rows * size.depth), numbers(size.depth * size.columns))
    let bias = numbers(size.columns)
    // Panels: the last is half as wide if that is enough.
    var panels: [Float] = []
    var first = 0
    while first < size.columns {
      let width = size.columns - first > kernels.panel / 2 ? kernels.panel : kernels.panel / 2
      for row in 0..<size.depth {
        panels += (first..<first + width).map {
          $0 < size.columns ? b[row * size.columns + $0] : .nan
        }
      }
      first += width
    }
    // Behind each row of the result something that has to stay.
    let stride = size.columns + 3
    var result = [Float](repeating: 77, count: size.rows * stride)
    unsafe kernels.product(
      size.rows, size.columns, size.depth, a, size.depth, panels, &result, stride, bias, true)
    for row in 0..<size.rows {
      for column in 0..<size.columns {
        var sum = Double(bias[column])
        for index in 0..<size.depth {
          sum += Double(a[row * size.depth + index]) * Double(b[index * size.columns + column])
        }
        let difference = (max(0, sum) - Double(result[row * stride + column])).magnitude
        #expect(difference < 1e-5, "\(row), \(column)")
      }
      #expect(result[row * stride + size.columns..<(row + 1) * stride].allSatisfy { $0 == 77 })
    }
  }

  @Test(arguments: Kind.allCases, [5, 16, 40])
  func `tiles are transformed alike with every instruction set`(kind: Kind, channels: Int) throws {
    guard let kernels = kind.kernels else { return }
    // Two images of 5 x 7 positions: 3 x 4 tiles, of which some see beyond the edges.
    var tiling = ckernels_tiling(
      height: 5, width: 7, channels: channels, padding_y: 1, padding_x: 1, rows: 3, columns: 4)
    let (tiles, stride) = (24, (channels + 15) / 16 * 16)
    var map = (0..<2 * 5 * 7 * channels).map { Float($0 * 37 % 101) }
    map += [Float](repeating: 0, count: 16)
    func transformed(_ kernels: ckernels) -> [Float] {
      var matrices = [Float](repeating: 0, count: 16 * tiles * stride + 16)
      unsafe kernels.winograd_input(
        &tiling, map, 0, tiles, channels, &matrices, stride, tiles * stride)
      var result = [Float](repeating: 0.25, count: 2 * 5 * 7 * channels)
      unsafe kernels.winograd_output(
        &tiling, matrices, stride, tiles * stride, 0, tiles, channels, map, true, &result)
      return result
    }
    // Whole numbers: no rounding, whatever is fused.
    let found = transformed(kernels)
    let expected = transformed(unsafe ckernels_plain().pointee)
    #expect(found == expected && expected.contains { $0 != 0 } && !expected.contains(0.25))
  }

  @Test(arguments: Kind.allCases, [1, 9, 16])
  func `depthwise rows are what their definition says`(kind: Kind, channels: Int) throws {
    guard let kernels = kind.kernels else { return }
    let (height, width, count, step) = (3, 5, 40, 2)
    let lineWidth = (count - 1) * step + width
    let window = (0..<height * lineWidth * 16).map { Float($0 * 31 % 17) - 8 }
    let weights = (0..<height * width * 16).map { Float($0 * 29 % 13) - 6 }
    let bias = (0..<16).map { Float($0) - 8 }
    var sweep = ckernels_sweep(
      height: height, width: width, tap_y: lineWidth * 16, tap_x: 16, step: step * 16,
      count: count, stride: channels + 1, channels: channels, rectifies: true)
    var result = [Float](repeating: 77, count: count * (channels + 1))
    unsafe kernels.sweep(&sweep, window, weights, bias, &result)
    for position in 0..<count {
      for channel in 0..<channels {
        var sum = bias[channel]
        for y in 0..<height {
          for x in 0..<width {
            sum +=
              weights[(y * width + x) * 16 + channel]
              * window[(y * lineWidth + position * step + x) * 16 + channel]
          }
        }
        #expect(result[position * (channels + 1) + channel] == max(0, sum))
      }
      #expect(result[position * (channels + 1) + channels] == 77)
    }
  }
}

/// Which kernels are chosen, from nothing but what CPUID and XGETBV say.
@Suite struct ProcessorTests {
  /// FMA; AVX2; AVX-512 F, DQ, CD, BW and VL.
  static let fma: UInt32 = 1 << 12
  static let avx2: UInt32 = 1 << 5
  static let avx512: UInt32 = 0xD003_0000

  @Test(arguments: [
    (Processor(), Processor.Kernels.plain),
    (Processor(leaf1: fma, leaf7: avx2, savedRegisters: 0x7), .avx2),
    // The operating system saves the lower halves only, or nothing.
    (Processor(leaf1: fma, leaf7: avx2, savedRegisters: 0x3), .plain),
    (Processor(leaf1: fma, leaf7: avx2 | avx512), .plain),
    // AVX2 without FMA, FMA without AVX2.
    (Processor(leaf7: avx2, savedRegisters: 0xE7), .plain),
    (Processor(leaf1: fma, savedRegisters: 0xE7), .plain),
    (Processor(leaf1: fma, leaf7: avx2 | avx512, savedRegisters: 0xE7), .avx512),
    // AVX-512 whose registers are not saved: masks only, or all but ZMM16 to 31.
    (Processor(leaf1: fma, leaf7: avx2 | avx512, savedRegisters: 0x7), .avx2),
    (Processor(leaf1: fma, leaf7: avx2 | avx512, savedRegisters: 0x27), .avx2),
    (Processor(leaf1: fma, leaf7: avx2 | avx512, savedRegisters: 0x67), .avx2),
    // As Knights Landing has it: without BW, DQ and VL.
    (Processor(leaf1: fma, leaf7: avx2 | 1 << 16 | 1 << 28, savedRegisters: 0xE7), .avx2),
  ])
  func `kernels are those that the processor has and the system saves`(
    processor: Processor, kernels: Processor.Kernels
  ) {
    #expect(processor.kernels == kernels)
  }

  @Test func `OpenBLAS is told of AVX-512 where it may miss it`() {
    var processor = Processor(
      vendor: "AuthenticAMD", leaf1: Self.fma, leaf7: Self.avx2 | Self.avx512,
      savedRegisters: 0xE7)
    #expect(processor.openBLASCoreType(given: nil) == "SKYLAKEX")
    // What the user says goes, also if it is nothing.
    #expect(processor.openBLASCoreType(given: "Haswell") == nil)
    #expect(processor.openBLASCoreType(given: "") == nil)
    processor.savedRegisters = 0x7
    #expect(processor.openBLASCoreType(given: nil) == nil)
    processor.savedRegisters = 0xE7
    processor.vendor = "GenuineIntel"
    #expect(processor.openBLASCoreType(given: nil) == nil)
  }

  @Test func `this processor is what the system says it is`() throws {
    #if os(Linux) && arch(x86_64)
      let text = try String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
      let lines = text.split(separator: "\n")
      func value(_ key: String) throws -> Substring {
        try #require(lines.first { $0.hasPrefix(key) }?.split(separator: ":").last)
      }
      let flags = Set(try value("flags").split(separator: " ").map(String.init))
      #expect(Processor.current.vendor == (try value("vendor_id").dropFirst()))
      #expect(Processor.current.hasAVX2 == flags.isSuperset(of: ["avx2", "fma"]))
      #expect(
        Processor.current.hasAVX512
          == flags.isSuperset(of: ["avx512f", "avx512dq", "avx512cd", "avx512bw", "avx512vl"]))
    #endif
  }
}
